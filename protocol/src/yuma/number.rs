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
const EXPONENT_MAX: i64 = 20 * ONE;
/// Last term of the series of exp.
const EXP_TERMS: usize = 31;

/// Product, floored, saturating.
pub(super) fn mul(a: i64, b: i64) -> i64 {
    let product = (i128::from(a) * i128::from(b)) >> 32;
    i64::try_from(product).unwrap_or(if product < 0 { i64::MIN } else { i64::MAX })
}

/// Product, floored; 0 when it does not fit.
pub(super) fn mul_or_zero(a: i64, b: i64) -> i64 {
    i64::try_from((i128::from(a) * i128::from(b)) >> 32).unwrap_or(0)
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
    reciprocal: u64,
}

impl Divisor {
    pub(super) fn new(by: i64) -> Self {
        let reciprocal = if by > 0 { u64::MAX / by as u64 } else { 0 };
        Self { by, reciprocal }
    }

    /// `div(a, by)`, except that a divisor of 0 leaves `a` unchanged: a column without any value
    /// is not normalised.
    pub(super) fn normalise(&self, a: i64) -> i64 {
        if self.by == 0 {
            return a;
        }
        if (0..ONE).contains(&a) && self.by > 0 {
            let whole = quotient((a as u64) << 32, self.by as u64, self.reciprocal);
            return i64::try_from(whole).unwrap_or(0);
        }
        div(a, self.by)
    }
}

/// `a / by`, where `reciprocal` is the floor of (2^64 - 1) / by. The estimate is the quotient or
/// one less than it, which the remainder tells.
const fn quotient(a: u64, by: u64, reciprocal: u64) -> u64 {
    let estimate = ((a as u128 * reciprocal as u128) >> 64) as u64;
    let rest = a - estimate * by;
    estimate + (rest >= by) as u64
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
    (value.saturating_mul(65_535) >> 32).clamp(0, 65_535) as u16
}

/// `share · amount`, floored to a whole number, within the bounds of the type.
pub(super) fn amount(share: i64, amount: u64) -> u64 {
    let product = (i128::from(share) * i128::from(amount)) >> 32;
    u64::try_from(product).unwrap_or(if product < 0 { 0 } else { u64::MAX })
}

/// 2^64 / `raw`, floored and saturating: the raw inverse of a raw number. `raw` is positive.
pub(super) fn inverse(raw: i64) -> i64 {
    i64::try_from((1_i128 << 64) / i128::from(raw.max(1))).unwrap_or(i64::MAX)
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
    match x {
        0 => return ONE,
        ONE => return E,
        _ => {}
    }
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
    if x > 0 { total as i64 } else { inverse(total as i64) }
}
