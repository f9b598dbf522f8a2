//! Products and quotients of 128-bit raw values, exact, by 64-bit limbs. The library's own quotient
//! always takes four steps of long division; mostly one or two divisions are enough.
//!
//! Not here: what the values mean, and what happens to a result that does not fit.

/// The lower 64 bits.
const fn low(x: u128) -> u128 {
    x & u64::MAX as u128
}

/// `a · b / 2^shift`, floored; `None` when it does not fit. `shift` is 1 to 64.
#[inline]
pub(super) fn product(a: u128, b: u128, shift: u32) -> Option<u128> {
    if (a | b) >> 64 == 0 {
        return Some((a * b) >> shift);
    }
    let (a1, a0, b1, b0) = (a >> 64, low(a), b >> 64, low(b));
    let lowest = a0 * b0;
    // A product of limbs leaves room for two more limbs.
    let (middle, carry) = (a1 * b0 + (lowest >> 64)).overflowing_add(a0 * b1);
    let high = a1 * b1 + (middle >> 64) + (u128::from(carry) << 64);
    let rest = (middle << 64) | low(lowest);
    if high >> shift != 0 {
        return None;
    }
    Some((high << (128 - shift)) | (rest >> shift))
}

/// `a · 2^shift / b`, truncated; `None` when it does not fit or `b` is 0. `shift` is 1 to 64.
pub(super) fn quotient(a: u128, b: u128, shift: u32) -> Option<u128> {
    if b == 0 {
        return None;
    }
    if b.trailing_zeros() >= shift {
        // Whole numbers, most divisors.
        return Some(a / (b >> shift));
    }
    let room = 128 - shift;
    if a >> room == 0 {
        return Some((a << shift) / b);
    }
    let whole = a / b;
    if whole >> room != 0 {
        return None;
    }
    let rest = a - whole * b;
    let fraction = match rest >> room {
        0 => (rest << shift) / b,
        _ => quotient_fraction(rest, b, shift),
    };
    Some((whole << shift) | fraction)
}

/// `rest · 2^shift / b` for `rest < b` and `b` of more than 64 bits: one digit of a long division
/// with digits of 64 bits.
fn quotient_fraction(rest: u128, b: u128, shift: u32) -> u128 {
    let zeros = b.leading_zeros();
    let (rest, b) = (rest << zeros, b << zeros);
    let (dividend, tail) = (rest >> (64 - shift), low(rest << shift));
    let (b1, b0) = (b >> 64, low(b));
    // The guess from the highest limb is too large by 2 at most.
    let mut digit = (dividend / b1).min(u128::from(u64::MAX));
    let mut left = dividend - digit * b1;
    while left >> 64 == 0 && digit * b0 > ((left << 64) | tail) {
        digit -= 1;
        left += b1;
    }
    digit
}
