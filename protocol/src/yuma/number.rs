//! Signed numbers with 32 fraction bits, as raw `i64`: the operations of the epoch, by name.
//!
//! They mirror `I32F32` of `substrate-fixed` and the `safe_div` of subtensor bit for bit, but on
//! plain integers: most operands of an epoch lie between 0 and 1, where a quotient fits a 64-bit
//! division, or a multiplication by a reciprocal when many share one divisor.

/// One.
pub(super) const ONE: i64 = 1 << 32;
/// e, cut to 23 fraction bits: what the chain returns for exp(1).
const E: i64 = 22_802_600 << 9;
/// exp is computed between -20 and +20.
pub(super) const EXPONENT_MAX: i64 = 20 * ONE;
/// Last term of the series of exp.
const EXP_TERMS: usize = 31;

/// Product of any number and one above -1 and up to 1, floored: it always fits.
#[inline]
pub(super) fn mul_share(a: i64, share: i64) -> i64 {
    debug_assert!(-ONE < share && share <= ONE, "{share} is no share");
    ((i128::from(a) * i128::from(share)) >> 32) as i64
}

/// Quotient, truncated towards zero; 0 when the divisor is 0 or the quotient does not fit.
pub(super) fn div(a: i64, b: i64) -> i64 {
    if (0..ONE).contains(&a) && b > 0 {
        return i64::try_from(((a as u64) << 32) / b as u64).unwrap_or(0);
    }
    if b == 0 {
        return 0;
    }
    i64::try_from((i128::from(a) << 32) / i128::from(b)).unwrap_or(0)
}

/// A divisor shared by many numerators.
#[derive(Clone, Copy)]
pub(super) struct Divisor {
    by: i64,
    /// (2^64 - 1) / by, floored; 0 for a divisor that `quotient` cannot take.
    reciprocal: u64,
}

impl Divisor {
    /// A divisor of 0 counts as one, and so leaves numerators unchanged: a column without any
    /// value is not normalised.
    pub(super) fn new(by: i64) -> Self {
        let by = if by == 0 { ONE } else { by };
        // By the smallest raw number, quotients may not fit a signed number.
        let reciprocal = if by > 1 { u64::MAX / by as u64 } else { 0 };
        Self { by, reciprocal }
    }

    /// `div(a, by)`.
    #[inline]
    pub(super) fn normalise(&self, a: i64) -> i64 {
        if (a as u64) < ONE as u64 && self.reciprocal != 0 {
            return quotient((a as u64) << 32, self.by as u64, self.reciprocal) as i64;
        }
        self.normalise_any(a)
    }

    #[cold]
    fn normalise_any(&self, a: i64) -> i64 {
        // A bond at its highest level is frequent enough to be spared the wide division.
        match a {
            ONE if self.by > 2 => inverse(self.by),
            _ => div(a, self.by),
        }
    }
}

/// `a / by`, where `reciprocal` is the floor of (2^64 - 1) / by. The estimate is the quotient or
/// one less than it, which the remainder tells.
#[inline]
const fn quotient(a: u64, by: u64, reciprocal: u64) -> u64 {
    let estimate = high(a, reciprocal);
    let rest = a - estimate * by;
    estimate + (rest >= by) as u64
}

/// The upper half of a product.
#[inline]
const fn high(a: u64, b: u64) -> u64 {
    ((a as u128 * b as u128) >> 64) as u64
}

/// Sum, wrapping like the chain's; no input of the chain comes near the bounds.
pub(super) fn sum(values: &[i64]) -> i64 {
    values.iter().fold(0, |total, &value| total.wrapping_add(value))
}

/// Divides every value by their sum; leaves them if it is 0.
pub(super) fn normalise(values: &mut [i64]) {
    let total = Divisor::new(sum(values));
    for value in values {
        *value = total.normalise(*value);
    }
}

/// `value / 65535`, floored; 65535 gives exactly one.
pub(super) fn proportion(value: u16) -> i64 {
    (i64::from(value) << 32) / 65_535
}

/// `value` in 1/65535, floored, within the bounds of the type.
pub(super) fn to_u16(value: i64) -> u16 {
    ((value.clamp(0, ONE) * 65_535) >> 32) as u16
}

/// `share · amount`, floored to a whole number, within the bounds of the type.
pub(super) fn amount(share: i64, amount: u64) -> u64 {
    let product = (i128::from(share) * i128::from(amount)) >> 32;
    u64::try_from(product).unwrap_or(if product < 0 { 0 } else { u64::MAX })
}

/// 2^64 / `raw`, floored and saturating: the raw inverse of a raw number. `raw` is positive.
pub(super) fn inverse(raw: i64) -> i64 {
    match raw {
        // 2^63 is the first that does not fit.
        ..=2 => i64::MAX,
        // 2^64 - 1 has the quotient of 2^64, unless the latter is divided without remainder.
        _ => (u64::MAX / raw as u64) as i64 + i64::from((raw as u64).is_power_of_two()),
    }
}

/// Exponential of a raw number: a Taylor series of 31 terms with each term floored, not a rounded
/// exponential.
///
/// | x | exp(x), raw |
/// | --- | --- |
/// | 0 | 4294967296 |
/// | 1 | 11674931200 |
/// | -1 | 1580030169 |
/// | 20 | 2066907302758576256 |
/// | -20 | 8 |
///
/// Mirrors: `transcendental::exp` of `substrate-fixed`, between -20 and 20.
pub(super) fn exp(x: i64) -> i64 {
    const RECIPROCALS: [u64; EXP_TERMS + 1] = {
        let mut table = [0; EXP_TERMS + 1];
        let mut k = 1;
        while k <= EXP_TERMS {
            table[k] = u64::MAX / k as u64;
            k += 1;
        }
        table
    };
    let x = x.clamp(-EXPONENT_MAX, EXPONENT_MAX);
    let y = x.unsigned_abs();
    let mut term = y;
    let mut total = y + ONE as u64;
    for (k, &reciprocal) in RECIPROCALS.iter().enumerate().skip(2) {
        let power = ((u128::from(term) * u128::from(y)) >> 32) as u64;
        term = quotient(power, k as u64, reciprocal);
        if term == 0 {
            break; // and so are all terms that follow
        }
        total += term;
    }
    exp_of_total(x, total)
}

/// exp(x) from the series of |x|.
fn exp_of_total(x: i64, total: u64) -> i64 {
    match x {
        ONE => E,
        1.. => total as i64,
        _ => inverse(total as i64),
    }
}

/// Exponents that are worked on at once: each term waits for the one before, so that a processor
/// has time for some more series meanwhile.
pub(super) const EXP_LANES: usize = 4;
/// Up to here `exp_lanes` needs no wide division.
const EXP_LANES_MAX: u64 = 16 * ONE as u64;

/// `exp` of each.
///
/// No term of the series of 16 is above 2^52, and no power before its division above 2^57. So a
/// term with 5 bits more and y with 27 bits more both fit, and the upper half of their product is
/// the floored power. Its quotient by k is exact by a reciprocal that is rounded up: the excess,
/// below k / 2^64 for each unit, stays below the 1 / k that is missing to the next quotient.
pub(super) fn exp_lanes(x: [i64; EXP_LANES]) -> [i64; EXP_LANES] {
    const RECIPROCALS: [u64; EXP_TERMS + 1] = {
        let mut table = [0; EXP_TERMS + 1];
        let mut k = 2;
        while k <= EXP_TERMS {
            table[k] = (u64::MAX / k as u64) + 1;
            k += 1;
        }
        table
    };
    let y = x.map(i64::unsigned_abs);
    if y.iter().any(|&y| y > EXP_LANES_MAX) {
        return x.map(exp);
    }
    let factor = y.map(|y| y << 27);
    let mut term = y;
    let mut total = y.map(|y| y + ONE as u64);
    for reciprocal in &RECIPROCALS[2..] {
        let mut left = 0;
        for lane in 0..EXP_LANES {
            let power = high(term[lane] << 5, factor[lane]);
            term[lane] = high(power, *reciprocal);
            total[lane] += term[lane];
            left |= term[lane];
        }
        if left == 0 {
            break;
        }
    }
    core::array::from_fn(|lane| exp_of_total(x[lane], total[lane]))
}
