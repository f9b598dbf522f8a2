//! Fixed-point numbers of the chain: the types, the saturating operations by name, and the logarithm, exponential and
//! square roots that decide emission to the last bit.
//!
//! Not here: formulas of the economy. State and events never hold these types; they hold the raw bits
//! (`to_bits` / `from_bits`), so every crossing is visible.
//!
//! Rounding, once for all: `mul` floors (towards minus infinity, also below zero), divisions truncate towards zero,
//! casts that drop fraction bits floor, and nothing ever wraps.

use substrate_fixed::traits::{Fixed, FromFixed, ToFixed};

mod wide;

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
const ONE_RAW: u64 = 1 << 32;
/// The largest number whose exponential fits; every term of the series grows with its argument.
const EXP_RAW_MAX: u64 = 89_715_445_397;
/// The series of the exponential ends before this term.
const EXP_TERMS: usize = 32;
/// Rounds after which the bisection gives up.
const SQRT_ROUNDS_MAX: u32 = 128;

/// A number whose products and quotients are exact to the last bit, by a way faster than the
/// library's where there is one.
pub trait Number: Fixed {
    /// Product, floored, saturating.
    fn product(self, other: Self) -> Self {
        self.saturating_mul(other)
    }

    /// Quotient, truncated towards zero; `None` when it does not exist or fit.
    fn quotient(self, other: Self) -> Option<Self> {
        self.checked_div(other)
    }
}

macro_rules! unsigned_numbers {
    ($($type:ty),*) => {$(
        impl Number for $type {
            fn product(self, other: Self) -> Self {
                let product = wide::product(self.to_bits(), other.to_bits(), Self::frac_nbits());
                Self::from_bits(product.unwrap_or(u128::MAX))
            }

            fn quotient(self, other: Self) -> Option<Self> {
                let raw = wide::quotient(self.to_bits(), other.to_bits(), Self::frac_nbits());
                raw.map(Self::from_bits)
            }
        }
    )*};
}
unsigned_numbers!(U96F32, U64F64, U110F18);

macro_rules! signed_numbers {
    ($($type:ty),*) => {$(
        impl Number for $type {
            fn product(self, other: Self) -> Self {
                let (a, b, shift) = (self.to_bits(), other.to_bits(), Self::frac_nbits());
                let raw = wide::product(a.unsigned_abs(), b.unsigned_abs(), shift);
                if (a < 0) == (b < 0) {
                    let raw = raw.and_then(|raw| i128::try_from(raw).ok());
                    return Self::from_bits(raw.unwrap_or(i128::MAX));
                }
                // Below zero the floor is one further from it where bits are lost.
                let lost = u128::from((a.wrapping_mul(b) as u128) << (128 - shift) != 0);
                let raw = raw.and_then(|raw| 0_i128.checked_sub_unsigned(raw + lost));
                Self::from_bits(raw.unwrap_or(i128::MIN))
            }

            fn quotient(self, other: Self) -> Option<Self> {
                let (a, b) = (self.to_bits(), other.to_bits());
                let raw = wide::quotient(a.unsigned_abs(), b.unsigned_abs(), Self::frac_nbits())?;
                let raw = if (a < 0) == (b < 0) {
                    i128::try_from(raw).ok()
                } else {
                    0_i128.checked_sub_unsigned(raw)
                };
                raw.map(Self::from_bits)
            }
        }
    )*};
}
signed_numbers!(I96F32, I64F64);

impl Number for I32F32 {}

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
pub fn mul<T: Number>(a: T, b: T) -> T {
    a.product(b)
}

/// Quotient, truncated towards zero; 0 when `b` is 0 and also when the quotient does not fit.
///
/// Mirrors: `SafeDiv::safe_div`.
pub fn safe_div<T: Number>(a: T, b: T) -> T {
    checked_div(a, b).unwrap_or_default()
}

/// Quotient, truncated towards zero; `None` when `b` is 0 or the quotient does not fit.
///
/// Mirrors: `checked_div`.
pub fn checked_div<T: Number>(a: T, b: T) -> Option<T> {
    a.quotient(b)
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
pub fn u16_fraction<T: Number>(n: u16) -> T {
    safe_div(fx::<T>(n), fx(u16::MAX))
}

/// A u64 fraction of 2^64 - 1 as a number in 0..=1, floored. `T` is the type the mirrored formula uses.
pub fn u64_fraction<T: Number>(n: u64) -> T {
    safe_div(fx::<T>(n), fx(u64::MAX))
}

/// Base-2 logarithm, one fraction bit per squaring, each floored. `None` for 0, negative numbers and numbers whose
/// inverse does not fit (raw 1 and 2).
///
/// Mirrors: `substrate_fixed::transcendental::log2`.
pub fn log2(x: I32F32) -> Option<I32F32> {
    let [logarithm] = log2_each([x]);
    logarithm
}

/// [`log2`] of several numbers side by side: each squaring waits for the one before, so they take
/// hardly longer than one.
fn log2_each<const N: usize>(numbers: [I32F32; N]) -> [Option<I32F32>; N] {
    let split = numbers.map(log2_split);
    let mut x = split.map(|split| split.map_or(ONE_RAW, |split| split.mantissa));
    let mut fraction = [0; N];
    for _ in 0..I32F32::frac_nbits() {
        for (x, fraction) in x.iter_mut().zip(&mut fraction) {
            // With x = 1 + y the square is 1 + 2y + y², and only y² has bits to floor.
            let y = *x - ONE_RAW;
            let square = ONE_RAW + 2 * y + ((y * y) >> 32);
            let bit = square >> 33;
            *fraction = (*fraction << 1) | bit;
            *x = (square + bit) >> bit;
        }
    }
    let mut fraction = fraction.into_iter();
    split.map(|split| {
        let fraction = fraction.next().unwrap_or_default();
        split.map(|split| split.logarithm(fraction))
    })
}

/// A number or its inverse, whichever is at least 1, as `mantissa · 2^whole` with a mantissa in
/// 1..2.
#[derive(Clone, Copy)]
struct Log2Split {
    inverse: bool,
    whole: u32,
    mantissa: u64,
}

fn log2_split(number: I32F32) -> Option<Log2Split> {
    let raw = u64::try_from(number.to_bits()).ok().filter(|raw| *raw != 0)?;
    let inverse = raw < ONE_RAW;
    let at_least_one = if inverse {
        u64::try_from(i64::try_from((1_u128 << 64) / u128::from(raw)).ok()?).ok()?
    } else {
        raw
    };
    // The chain halves and rounds up until the number is below 2; that is one division rounded up.
    let halved = |halvings: u32| at_least_one.div_ceil(1 << halvings);
    let whole = at_least_one.ilog2() - 32;
    let whole = if halved(whole) < 2 * ONE_RAW { whole } else { whole + 1 };
    Some(Log2Split { inverse, whole, mantissa: halved(whole) })
}

impl Log2Split {
    fn logarithm(&self, fraction: u64) -> I32F32 {
        let raw = (i64::from(self.whole) << 32) + fraction.cast_signed();
        I32F32::from_bits(if self.inverse { -raw } else { raw })
    }
}

/// Natural logarithm, truncated towards zero; fails as [`log2`] does.
///
/// Mirrors: `substrate_fixed::transcendental::ln`.
pub fn ln(x: I32F32) -> Option<I32F32> {
    let [logarithm] = ln_each([x]);
    logarithm
}

/// [`ln`] of several numbers side by side.
pub fn ln_each<const N: usize>(numbers: [I32F32; N]) -> [Option<I32F32>; N] {
    log2_each(numbers).map(|log2| {
        // |log2| < 2^37, so the shift fits; the shift is what is left of 32 - 9 fraction bits of
        // the divisor.
        log2.map(|log2| I32F32::from_bits((log2.to_bits() << 23) / LOG2_E_RAW))
    })
}

/// e^x as the first 32 terms of the series, each floored, then truncated; the inverse of that below zero. `None` when
/// any term or sum overflows. Far from 0 the missing terms show: that is how the chain computes.
///
/// Mirrors: `substrate_fixed::transcendental::exp`.
pub fn exp(x: I32F32) -> Option<I32F32> {
    let [exponential] = exp_each([x]);
    exponential
}

/// [`exp`] of several numbers side by side: each term waits for the one before, so they take hardly
/// longer than one.
pub fn exp_each<const N: usize>(numbers: [I32F32; N]) -> [Option<I32F32>; N] {
    // Too large a number is computed as 0 and dropped at the end.
    let magnitude = |number: I32F32| Some(number.to_bits().unsigned_abs()).filter(exp_fits);
    let magnitudes = numbers.map(|number| magnitude(number).unwrap_or(0));
    let mut terms = magnitudes;
    let mut sums = magnitudes.map(|x| ONE_RAW + x);
    for reciprocal in &EXP_RECIPROCALS {
        for ((term, sum), x) in terms.iter_mut().zip(&mut sums).zip(magnitudes) {
            *term = reciprocal.of(((u128::from(*term) * u128::from(x)) >> 32) as u64);
            *sum += *term;
        }
    }
    let mut sums = sums.into_iter();
    numbers.map(|number| {
        let sum = sums.next().unwrap_or_default();
        magnitude(number).map(|_| exp_signed(number, sum))
    })
}

fn exp_fits(magnitude: &u64) -> bool {
    *magnitude <= EXP_RAW_MAX
}

fn exp_signed(number: I32F32, sum: u64) -> I32F32 {
    I32F32::from_bits(match number.to_bits() {
        raw if raw == ONE_RAW.cast_signed() => E_RAW,
        // The sum is above 1, so its inverse fits.
        raw if raw < 0 => ((1_u128 << 64) / u128::from(sum)) as i64,
        _ => sum.cast_signed(),
    })
}

/// Division of a number below 2^63 by a constant, exact and truncated, as a product and a shift.
#[derive(Clone, Copy)]
struct Reciprocal {
    factor: u64,
    shift: u32,
}

/// By 2, 3, … 31.
const EXP_RECIPROCALS: [Reciprocal; EXP_TERMS - 2] = {
    let mut reciprocals = [Reciprocal { factor: 0, shift: 0 }; EXP_TERMS - 2];
    let mut index = 0;
    while index < reciprocals.len() {
        reciprocals[index] = Reciprocal::new(index as u64 + 2);
        index += 1;
    }
    reciprocals
};

impl Reciprocal {
    /// For divisors from 2 on: 2^(63 + s) / divisor, rounded up, with 2^s the next power of two.
    /// What it is too large by stays below the last bit for every dividend of 63 bits.
    const fn new(divisor: u64) -> Self {
        let power = divisor.next_power_of_two().trailing_zeros();
        let factor = (1_u128 << (63 + power)) / divisor as u128 + 1;
        Self { factor: factor as u64, shift: power - 1 }
    }

    fn of(self, dividend: u64) -> u64 {
        let product = u128::from(dividend) * u128::from(self.factor);
        (product >> 64) as u64 >> self.shift
    }
}

/// Square root by bisection: stops as soon as the midpoint m and v/m differ by at most `eps`, so the result is off by
/// up to about `eps` and depends on the exact sequence of midpoints.
///
/// A midpoint further than `eps` from the true root cannot be the last one, and its side of the
/// root is known without dividing.
///
/// Mirrors: `checked_sqrt` of subtensor's `safe-math`.
pub fn sqrt_bisect(v: U64F64, eps: U64F64) -> U64F64 {
    let eps_raw = eps.to_bits();
    let one = 1_u128 << 64;
    let root_below = u128::from(isqrt(v.to_bits())) << 32;
    let near_from = root_below.saturating_sub(eps_raw);
    let near_to = (root_below + ONE_RAW as u128).saturating_add(eps_raw);

    let v_raw = v.to_bits();
    let (mut high, mut low) = if v_raw > one { (v_raw, 0) } else { (one, v_raw) };
    let mut middle = high.saturating_add(low) >> 1;
    for _ in 0..=SQRT_ROUNDS_MAX {
        let is_above = if middle < near_from {
            false
        } else if middle > near_to {
            true
        } else {
            let quotient = safe_div(v, U64F64::from_bits(middle)).to_bits();
            if quotient.abs_diff(middle) <= eps_raw {
                break;
            }
            quotient < middle
        };
        if is_above {
            high = middle;
        } else {
            low = middle;
        }
        middle = high.saturating_add(low) >> 1;
    }
    U64F64::from_bits(middle)
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

    /// The bisection as the chain computes it, with the library's divisions.
    fn sqrt_slow(v: U64F64, eps: U64F64) -> U64F64 {
        let half = |sum: U64F64| U64F64::from_bits(sum.to_bits() >> 1);
        let divided = |middle| v.checked_div(middle).unwrap_or_default();
        let one = fx::<U64F64>(1_u8);
        let (mut high, mut low) = if v > one { (v, fx(0_u8)) } else { (one, v) };
        let mut middle = half(high.saturating_add(low));
        let mut quotient = divided(middle);
        let mut rounds = 0;
        while quotient.max(middle) - quotient.min(middle) > eps {
            if quotient < middle {
                high = middle;
            } else {
                low = middle;
            }
            middle = half(high.saturating_add(low));
            quotient = divided(middle);
            rounds += 1;
            if rounds > 128 {
                break;
            }
        }
        middle
    }

    fn check_sqrt(v: u128, eps: u128) {
        let (v, eps) = (U64F64::from_bits(v), U64F64::from_bits(eps));
        let slow = sqrt_slow(v, eps);
        assert_eq!(sqrt_bisect(v, eps), slow, "{} within {}", v.to_bits(), eps.to_bits());
    }

    /// Numbers of every magnitude, always the same ones.
    struct Spread(u64);

    impl Spread {
        fn word(&mut self) -> u64 {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let x = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            x ^ (x >> 31)
        }

        fn wide(&mut self) -> u128 {
            let raw = (u128::from(self.word()) << 64) | u128::from(self.word());
            // Neighbours of powers of two are where carries and limbs meet.
            match self.word() % 256 {
                shift @ 0..128 => raw >> shift,
                shift @ 128..192 => (1 << (2 * (shift - 128))) + (raw & 3),
                shift => (1_u128 << (2 * (shift - 192))).wrapping_sub(1 + (raw & 3)),
            }
        }
    }

    /// Where the logarithm or the exponential changes its course, and the bounds of their domains.
    const EDGES: [i64; 13] = [
        0,
        3,
        1 << 31,
        1 << 32,
        2 << 32,
        20 << 32,
        EXP_RAW_MAX as i64,
        i64::MAX - 20,
        i64::MIN + 20,
        -(1 << 31),
        -(1 << 32),
        -(20 << 32),
        -(EXP_RAW_MAX as i64),
    ];

    #[test]
    fn edges_agree_with_the_library() {
        for near in EDGES {
            for raw in near - 20..=near + 20 {
                check_against_library(raw);
            }
        }
        for halvings in 33..63 {
            // Numbers that halving rounds up to 2 itself.
            for raw in (1_i64 << halvings) - 4..=(1 << halvings) + 4 {
                check_against_library(raw);
            }
        }
        check_against_library(i64::MAX);
        check_against_library(i64::MIN);
    }

    #[test]
    fn a_million_logarithms_agree_with_the_library() {
        let mut spread = Spread(1);
        for _ in 0..1_000_000 {
            let raw = (spread.word() >> 1 >> (spread.word() % 63)) as i64;
            let x = I32F32::from_bits(raw);
            assert_eq!(log2(x), transcendental::log2(x).ok(), "log2 raw {raw}");
            assert_eq!(ln(x), transcendental::ln(x).ok(), "ln raw {raw}");
        }
    }

    #[test]
    fn a_million_exponentials_agree_with_the_library() {
        let mut spread = Spread(2);
        for round in 0..1_000_000 {
            // Half of them of all magnitudes, half of them evenly over the domain.
            let raw = match round % 2 {
                0 => spread.word().cast_signed() >> (spread.word() % 63),
                _ => (spread.word() % (2 * EXP_RAW_MAX)) as i64 - EXP_RAW_MAX as i64,
            };
            let x = I32F32::from_bits(raw);
            assert_eq!(exp(x), transcendental::exp(x).ok(), "exp raw {raw}");
        }
    }

    #[test]
    fn a_million_square_roots_agree_with_the_plain_bisection() {
        let mut spread = Spread(3);
        // Tolerances of the limit price and of the flow's gain; that of a new pool takes longer.
        for round in 0..1_000_000 {
            let eps = [1_844_674_407, 18_446_744_073_709_551][round % 2];
            check_sqrt(spread.wide(), eps);
        }
        for _ in 0..20_000 {
            check_sqrt(spread.wide(), 18_446_744);
            check_sqrt(spread.wide() >> 40, 18_446_744);
            check_sqrt(spread.wide(), u128::from(spread.word() % 5));
        }
        for v in [0, 1, 2, 1 << 64, u128::MAX] {
            for eps in [0, 1, 1 << 24, 1 << 64, u128::MAX] {
                check_sqrt(v, eps);
            }
        }
    }

    #[test]
    fn signed_products_saturate() {
        let (min, max) = (I64F64::from_bits(i128::MIN), I64F64::from_bits(i128::MAX));
        let (tiny, one) = (I64F64::from_bits(1), fx(1_u8));
        let rows = [
            ((min, min), i128::MAX),
            ((min, max), i128::MIN),
            ((max, max), i128::MAX),
            ((min, one), i128::MIN),
            ((min, tiny), -(1 << 63)),
            ((max, tiny), (1 << 63) - 1),
            ((I64F64::from_bits(-1), max), -(1 << 63)),
        ];
        for ((a, b), expected) in rows {
            assert_eq!(mul(a, b).to_bits(), expected, "{a} * {b}");
            assert_eq!(mul(b, a).to_bits(), expected, "{b} * {a}");
        }
    }

    fn check_operations<T: Number + core::fmt::Debug>(a: T, b: T) {
        assert_eq!(mul(a, b), a.saturating_mul(b), "{a:?} * {b:?}");
        // The library panics where there is nothing to divide by.
        let quotient = if b == T::default() { None } else { a.checked_div(b) };
        assert_eq!(checked_div(a, b), quotient, "{a:?} / {b:?}");
    }

    #[test]
    fn a_million_products_and_quotients_agree_with_the_library() {
        let mut spread = Spread(4);
        for _ in 0..1_000_000 {
            let (a, b) = (spread.wide(), spread.wide());
            check_operations(U96F32::from_bits(a), U96F32::from_bits(b));
            check_operations(U64F64::from_bits(a), U64F64::from_bits(b));
            check_operations(U110F18::from_bits(a), U110F18::from_bits(b));
            // The library's debug assertions do not bear larger products of negative numbers.
            let signs = spread.word();
            let sign = |raw: u128, bit: u64| match signs & bit {
                0 => (raw >> 2).cast_signed(),
                _ => -(raw >> 2).cast_signed(),
            };
            let (a, b) = (sign(a, 1), sign(b, 2));
            check_operations(I96F32::from_bits(a), I96F32::from_bits(b));
            check_operations(I64F64::from_bits(a), I64F64::from_bits(b));
        }
    }

    #[test]
    fn numbers_side_by_side_are_as_alone() {
        let numbers = [-5, 0, 1, 3, 1 << 32, 7 << 30, 90_000_000_000].map(I32F32::from_bits);
        assert_eq!(ln_each(numbers), numbers.map(ln));
        assert_eq!(exp_each(numbers), numbers.map(exp));
    }
}
