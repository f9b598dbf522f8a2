//! Fixed-point numbers of the chain: the types, the saturating operations by name, and the logarithm, exponential and
//! square roots that decide emission to the last bit.
//!
//! Not here: formulas of the economy. State and events never hold these types; they hold the raw bits
//! (`to_bits` / `from_bits`), so every crossing is visible.
//!
//! Rounding, once for all: `mul` floors (towards minus infinity, also below zero), divisions truncate towards zero,
//! casts that drop fraction bits floor, and nothing ever wraps.

use substrate_fixed::traits::{Fixed, FromFixed, ToFixed};

/// Unsigned, 32 fraction bits: prices, emissions, proportions of an amount.
pub type U96F32 = substrate_fixed::types::U96F32;
/// Signed, 32 fraction bits in 128: the moving price and its smoothing factor.
pub type I96F32 = substrate_fixed::types::I96F32;
/// Unsigned, 64 fraction bits: square-root prices, shares.
pub type U64F64 = substrate_fixed::types::U64F64;
/// Signed, 64 fraction bits: the flow average.
pub type I64F64 = substrate_fixed::types::I64F64;
/// Signed, 32 fraction bits in 64: the type of the logarithm and the exponential.
pub type I32F32 = substrate_fixed::types::I32F32;
/// Unsigned, 18 fraction bits: registration price adjustment.
pub type U110F18 = substrate_fixed::types::U110F18;

/// log2(e), cut to 23 fraction bits as the library cuts it.
const LOG2_E_RAW: i64 = 12_102_203;
/// e as I32F32, cut to 23 fraction bits as the library cuts it.
const E_RAW: i64 = 22_802_600 << 9;
const ONE_RAW: i64 = 1 << 32;
/// Rounds after which the bisection gives up.
const SQRT_ROUNDS_MAX: u32 = 128;

/// Sum, saturating at the bounds of the type.
///
/// Mirrors: `saturating_add` of subtensor's `safe-math`.
pub fn add<T: Fixed>(a: T, b: T) -> T {
    a.saturating_add(b)
}

/// Difference, saturating at the bounds of the type (0 for unsigned ones).
///
/// Mirrors: `saturating_sub` of subtensor's `safe-math`.
pub fn sub<T: Fixed>(a: T, b: T) -> T {
    a.saturating_sub(b)
}

/// Product, floored to the last bit of the type and saturating at its bounds.
///
/// Mirrors: `saturating_mul` of subtensor's `safe-math`.
pub fn mul<T: Fixed>(a: T, b: T) -> T {
    a.saturating_mul(b)
}

/// Quotient, truncated towards zero; 0 when `b` is 0 and also when the quotient does not fit.
///
/// Mirrors: `SafeDiv::safe_div`.
pub fn safe_div<T: Fixed>(a: T, b: T) -> T {
    checked_div(a, b).unwrap_or_default()
}

/// Quotient, truncated towards zero; `None` when `b` is 0 or the quotient does not fit.
///
/// Mirrors: `checked_div`.
pub fn checked_div<T: Fixed>(a: T, b: T) -> Option<T> {
    a.checked_div(b)
}

/// Integer to fixed point: exact, saturating.
///
/// Mirrors: `saturating_from_num`.
pub fn fx<T: Fixed>(n: impl ToFixed) -> T {
    T::saturating_from_num(n)
}

/// One fixed-point type to another: the value is kept, lost fraction bits floor, the range saturates.
///
/// Mirrors: `saturating_from_num` between fixed types.
pub fn cast<B: FromFixed>(a: impl Fixed) -> B {
    a.saturating_to_num()
}

/// Whole part as u64: floor, negative numbers give 0, saturates at 2^64 - 1.
///
/// Mirrors: `saturating_to_num::<u64>`.
pub fn int(a: impl Fixed) -> u64 {
    a.saturating_to_num()
}

/// A u16 fraction of 65,535 as a number in 0..=1, floored. `T` is the type the mirrored formula uses.
pub fn u16_fraction<T: Fixed>(n: u16) -> T {
    safe_div(fx::<T>(n), fx(u16::MAX))
}

/// A u64 fraction of 2^64 - 1 as a number in 0..=1, floored. `T` is the type the mirrored formula uses.
pub fn u64_fraction<T: Fixed>(n: u64) -> T {
    safe_div(fx::<T>(n), fx(u64::MAX))
}

/// Base-2 logarithm, one fraction bit per squaring, each floored. `None` for 0, negative numbers and numbers whose
/// inverse does not fit (raw 1 and 2).
///
/// Mirrors: `substrate_fixed::transcendental::log2`.
pub fn log2(x: I32F32) -> Option<I32F32> {
    let raw = x.to_bits();
    if raw <= 0 {
        return None;
    }
    if raw < ONE_RAW {
        let inverse = i64::try_from((1_u128 << 64) / u128::from(raw.unsigned_abs())).ok()?;
        return Some(I32F32::from_bits(-log2_from_one(inverse)));
    }
    Some(I32F32::from_bits(log2_from_one(raw)))
}

fn log2_from_one(raw: i64) -> i64 {
    let mut x = raw.unsigned_abs();
    let mut whole: i64 = 0;
    while x >= 2 << 32 {
        whole += 1;
        x = (x >> 1) + (x & 1);
    }
    if x == 1 << 32 {
        return whole << 32;
    }
    let mut result = whole;
    for _ in 0..32 {
        // x < 2, so its square is below 2^66.
        x = ((u128::from(x) * u128::from(x)) >> 32) as u64;
        result <<= 1;
        if x >= 2 << 32 {
            result |= 1;
            x = (x >> 1) + (x & 1);
        }
    }
    result
}

/// Natural logarithm, truncated towards zero; fails as [`log2`] does.
///
/// Mirrors: `substrate_fixed::transcendental::ln`.
pub fn ln(x: I32F32) -> Option<I32F32> {
    let log2 = log2(x)?.to_bits();
    // |log2| < 2^37, so the shift fits; the shift is what is left of 32 - 9 fraction bits of the divisor.
    Some(I32F32::from_bits((log2 << 23) / LOG2_E_RAW))
}

/// e^x as the first 32 terms of the series, each floored, then truncated; the inverse of that below zero. `None` when
/// any term or sum overflows. Far from 0 the missing terms show: that is how the chain computes.
///
/// Mirrors: `substrate_fixed::transcendental::exp`.
pub fn exp(x: I32F32) -> Option<I32F32> {
    let raw = x.to_bits();
    if raw == 0 {
        return Some(I32F32::from_bits(ONE_RAW));
    }
    if raw == ONE_RAW {
        return Some(I32F32::from_bits(E_RAW));
    }
    let x = raw.checked_abs()?;
    let mut sum = x.checked_add(ONE_RAW)?;
    let mut term = x;
    for i in 2..32 {
        term = i64::try_from((i128::from(term) * i128::from(x)) >> 32).ok()? / i;
        // All later terms are 0 too, and adding them changes no bit.
        if term == 0 {
            break;
        }
        sum = sum.checked_add(term)?;
    }
    if raw < 0 {
        // sum > 1, so the inverse fits.
        sum = i64::try_from((1_i128 << 64) / i128::from(sum)).ok()?;
    }
    Some(I32F32::from_bits(sum))
}

/// Square root by bisection: stops as soon as the midpoint m and v/m differ by at most `eps`, so the result is off by
/// up to about `eps` and depends on the exact sequence of midpoints.
///
/// Mirrors: `checked_sqrt` of subtensor's `safe-math`.
pub fn sqrt_bisect(v: U64F64, eps: U64F64) -> U64F64 {
    let one = fx::<U64F64>(1_u8);
    let (mut high, mut low) = if v > one { (v, U64F64::from_bits(0)) } else { (one, v) };
    let mut middle = sqrt_bisect_middle(high, low);
    let mut quotient = safe_div(v, middle);
    let mut rounds = 0;
    while quotient.max(middle) - quotient.min(middle) > eps {
        if quotient < middle {
            high = middle;
        } else {
            low = middle;
        }
        middle = sqrt_bisect_middle(high, low);
        quotient = safe_div(v, middle);
        rounds += 1;
        if rounds > SQRT_ROUNDS_MAX {
            break;
        }
    }
    middle
}

fn sqrt_bisect_middle(high: U64F64, low: U64F64) -> U64F64 {
    U64F64::from_bits(add(high, low).to_bits() >> 1)
}

/// Exact floor of the square root of an integer; the root of a u128 always fits.
///
/// Mirrors: `u128::sqrt` as used for pool liquidity.
pub fn isqrt(n: u128) -> u64 {
    n.isqrt() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use substrate_fixed::transcendental;

    #[test]
    fn constants_of_the_spec() {
        assert_eq!(u16_fraction::<U96F32>(11_796).to_bits(), 773_074_452);
        assert_eq!(u64_fraction::<U96F32>(971_718_665_099_567_868).to_bits(), 226_245_882);
        assert_eq!(u64_fraction::<U64F64>((1 << 31) - 1).to_bits(), 2_147_483_647);
        assert_eq!(safe_div::<U64F64>(fx(1), fx(1000)).to_bits(), 18_446_744_073_709_551);
    }

    #[test]
    fn divisions_that_fail_give_zero() {
        let rows = [(1_u64 << 63, 0_u128), (u64::MAX, 1), (0, 1 << 64)];
        for (a, b) in rows {
            assert_eq!(
                safe_div::<U64F64>(fx(a), U64F64::from_bits(b)).to_bits(),
                0,
                "{a} / raw {b}"
            );
        }
    }

    #[test]
    fn signed_products_floor() {
        assert_eq!(mul(I64F64::from_bits(-1), I64F64::from_bits(1)).to_bits(), -1);
        assert_eq!(safe_div(I64F64::from_bits(-1), fx(2)).to_bits(), 0);
        assert_eq!(int(I64F64::from_bits(-1)), 0);
    }

    #[test]
    fn exact_integer_roots() {
        let rows = [(0, 0), (3, 1), (4, 2), (u128::MAX, u64::MAX), ((1 << 126) - 1, (1 << 63) - 1)];
        for (n, root) in rows {
            assert_eq!(isqrt(n), root, "{n}");
        }
    }

    fn check_against_library(raw: i64) {
        let x = I32F32::from_bits(raw);
        assert_eq!(log2(x), transcendental::log2(x).ok(), "log2 raw {raw}");
        assert_eq!(ln(x), transcendental::ln(x).ok(), "ln raw {raw}");
        assert_eq!(exp(x), transcendental::exp(x).ok(), "exp raw {raw}");
    }

    #[test]
    fn edges_agree_with_the_library() {
        for near in [0_i64, 1 << 32, 2 << 32, 1 << 31, 21 << 32, 22 << 32, -(21 << 32), -(1 << 32)]
        {
            for raw in near - 5..=near + 5 {
                check_against_library(raw);
            }
        }
        check_against_library(i64::MAX);
        check_against_library(i64::MIN);
    }

    proptest! {
        #[test]
        fn transcendentals_agree_with_the_library(raw: i64, shift in 0_u32..63) {
            check_against_library(raw >> shift);
        }
    }
}
