//! The share pool of one hotkey on one subnet: nominators own shares of one growing total.
//!
//! Not here: which calls change stake. Totals are alpha-rao; shares are raw U64F64.

use crate::fixed::{I64F64, U64F64, add, cast, checked_div, fx, int, mul, safe_div, sub};

/// A share that falls below this part (1e-5, raw U64F64) of its old size is swept away whole.
const SHARE_KEPT_MIN_RAW: u128 = 184_467_440_737_096;
/// One year of one alpha per block; a pool must be able to take that much without overflowing.
const GROWTH_RESERVE: u64 = 2_628_000_000_000_000;

/// Alpha-rao that `share_raw` of `shares_raw` is worth when the pool holds `total`; floored, 0 without shares. What
/// the floors leave belongs to nobody.
///
/// Mirrors: `SharePool::get_value`.
pub fn value(total: u64, shares_raw: u128, share_raw: u128) -> u64 {
    #[cfg(feature = "planted")]
    if share_raw != 0 && crate::planted::active(crate::planted::Bug::ShareRoundedUp) {
        return value_down(total, shares_raw, share_raw) + 1;
    }
    value_down(total, shares_raw, share_raw)
}

fn value_down(total: u64, shares_raw: u128, share_raw: u128) -> u64 {
    let (total, shares, share): (U64F64, _, _) =
        (fx(total), U64F64::from_bits(shares_raw), U64F64::from_bits(share_raw));
    match checked_div(total, shares) {
        Some(worth) => int(mul(worth, share)),
        None => int(safe_div(mul(total, share), shares)),
    }
}

/// A share pool after one owner's stake has changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShareChange {
    /// Alpha-rao by which the stake really changed; more than asked when a remainder was swept along.
    pub actual: i64,
    /// Alpha-rao in the pool.
    pub total: u64,
    /// All shares, raw U64F64.
    pub shares: u128,
    /// The owner's shares, raw U64F64.
    pub share: u128,
}

/// Adds (or takes, if negative) `by` alpha-rao to one owner's stake. The first owner of a pool without shares gets
/// all of it, whatever it already holds. A withdrawal that leaves less than 1e-5 of the share takes the rest too.
///
/// Mirrors: `SharePool::update_value_for_one`.
pub fn change(total: u64, shares_raw: u128, share_raw: u128, by: i64) -> ShareChange {
    let (shares, share) = (U64F64::from_bits(shares_raw), U64F64::from_bits(share_raw));
    if shares_raw == 0 {
        let first = fx::<U64F64>(by);
        return change_total(total, by, first, first);
    }
    let delta = change_delta(total, shares, by);
    let size = U64F64::from_bits(delta.to_bits().unsigned_abs());
    if delta >= 0 {
        return change_total(total, by, add(shares, size), add(share, size));
    }
    let (shares_left, share_left) = (sub(shares, size), sub(share, size));
    let crumb = safe_div(share_left, share) < U64F64::from_bits(SHARE_KEPT_MIN_RAW);
    let too_few = || checked_div(add(fx(total), fx(GROWTH_RESERVE)), shares_left).is_none();
    if crumb || too_few() {
        let swept = i64::try_from(value(total, shares_raw, share_raw)).unwrap_or(i64::MAX);
        return change_total(total, -swept, sub(shares, share), U64F64::from_bits(0));
    }
    change_total(total, by, shares_left, share_left)
}

fn change_delta(total: u64, shares: U64F64, by: i64) -> I64F64 {
    let total: U64F64 = fx(total);
    match checked_div(total, shares) {
        Some(worth) => safe_div(fx(by), cast(worth)),
        None => mul(safe_div(fx(by), cast(total)), cast(shares)),
    }
}

fn change_total(total: u64, actual: i64, shares: U64F64, share: U64F64) -> ShareChange {
    let total = total.saturating_add_signed(actual);
    ShareChange { actual, total, shares: shares.to_bits(), share: share.to_bits() }
}

/// Whether adding `by` alpha-rao to a stake would give any shares at all.
///
/// Mirrors: `SharePool::sim_update_value_for_one`.
pub fn precision_holds(total: u64, shares_raw: u128, by: u64) -> bool {
    let by = i64::try_from(by).unwrap_or(i64::MAX);
    shares_raw == 0 || change_delta(total, U64F64::from_bits(shares_raw), by) != 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ONE: u128 = 1 << 64;

    #[test]
    fn values_of_the_spec() {
        let rows = [((100, 10, 3), 30), ((100, 10, 7), 70), ((100, 0, 7), 0), ((0, 10, 7), 0)];
        for ((total, shares, share), expected) in rows {
            assert_eq!(
                value(total, shares * ONE, share * ONE),
                expected,
                "{share} of {shares}, {total}"
            );
        }
        // A share so small that its worth overflows.
        assert_eq!(value(1_000_000, 1, 1), 1_000_000);
    }

    #[test]
    fn one_owner_adds_and_takes() {
        let first = change(0, 0, 0, 1000);
        assert_eq!(
            first,
            ShareChange { actual: 1000, total: 1000, shares: 1000 * ONE, share: 1000 * ONE }
        );
        let left = change(first.total, first.shares, first.share, -990);
        assert_eq!((left.actual, value(left.total, left.shares, left.share)), (-990, 10));
        let second = change(left.total, left.shares, 0, 10);
        assert_eq!(value(second.total, second.shares, second.share), 10);
    }

    #[test]
    fn first_owner_gets_what_was_there() {
        let first = change(500, 0, 0, 100);
        assert_eq!(value(first.total, first.shares, first.share), 600);
    }

    #[test]
    fn crumbs_are_swept() {
        let pool = change(1_000_000, 1_000_000 * ONE, 500_000 * ONE, -499_996);
        assert_eq!((pool.actual, pool.share, pool.total), (-500_000, 0, 500_000));
        let pool = change(1_000_000, 1_000_000 * ONE, 500_000 * ONE, -499_900);
        assert_eq!((pool.actual, pool.share, pool.total), (-499_900, 100 * ONE, 500_100));
    }

    #[test]
    fn dust_needs_precision() {
        assert!(precision_holds(0, 0, 0));
        assert!(precision_holds(100, 10 * ONE, 1));
        assert!(!precision_holds(100, 10 * ONE, 0));
        assert!(!precision_holds(u64::MAX, 1, 0));
    }

    proptest! {
        #[test]
        fn shares_add_up_and_never_exceed_the_total(
            steps in proptest::collection::vec((0_usize..3, -1_000_000_000_i64..2_000_000_000), 1..40),
            dividend in 0_u64..5_000_000_000,
        ) {
            let (mut total, mut shares, mut owners) = (0, 0, [0_u128; 3]);
            for (owner, by) in steps {
                if by < 0 && value(total, shares, owners[owner]) < by.unsigned_abs() {
                    continue;
                }
                let after = change(total, shares, owners[owner], by);
                (total, shares, owners[owner]) = (after.total + dividend, after.shares, after.share);
                prop_assert_eq!(owners.iter().sum::<u128>(), shares);
                let worth: u64 = owners.iter().map(|&share| value(total, shares, share)).sum();
                prop_assert!(worth <= total, "{} > {}", worth, total);
            }
        }
    }
}
