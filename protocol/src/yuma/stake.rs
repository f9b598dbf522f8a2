//! Stake as the epoch sees it: inheritance, combination, shares, activity and permits.

use alloc::vec;
use alloc::vec::Vec;

use super::EpochInput;
use super::number;

/// A proportion of 2^64 - 1 as a raw number with 32 fraction bits, floored; the whole gives
/// exactly one.
///
/// Mirrors: `U96F32::from_num(p).safe_div(u64::MAX)` wherever subtensor reads a proportion.
pub fn proportion_u64(p: u64) -> u128 {
    (u128::from(p) << 32) / u128::from(u64::MAX)
}

/// Stake of a hotkey after giving to children (its stake times each of their proportions) and
/// taking from parents ((proportion, stake of the parent) each), in the unit of `own`; floored
/// once, at the end. What it gives never exceeds what it owns, whatever the proportions.
///
/// Mirrors: `get_inherited_for_hotkey_on_subnet`. On the root subnet the chain does not inherit
/// alpha: the caller passes no links there.
pub fn inherited_stake(own: u64, children: &[u64], parents: &[(u64, u64)]) -> u64 {
    let part = |stake: u64, p: u64| u128::from(stake).saturating_mul(proportion_u64(p));
    let out = children.iter().fold(0_u128, |sum, &p| sum.saturating_add(part(own, p)));
    let links = parents.iter();
    let taken = links.fold(0_u128, |sum, &(p, stake)| sum.saturating_add(part(stake, p)));
    let raw = (u128::from(own) << 32).saturating_sub(out).saturating_add(taken);
    u64::try_from(raw >> 32).unwrap_or(u64::MAX)
}

/// Stake of a hotkey for the epoch: `alpha + tao · tao_weight / (2^64 - 1)`, with 64 fraction
/// bits; the weight is floored to 32 fraction bits first, the rest is exact below 2^63.
///
/// Mirrors: `get_stake_weights_for_hotkey_on_subnet`.
pub fn combined_stake(alpha: u64, tao: u64, tao_weight: u64) -> i128 {
    let weight = proportion_u64(tao_weight);
    // The product of the saturated value, 2^127 - 1, is floored to one below that of 2^63.
    let weighted = match i64::try_from(tao) {
        Ok(tao) => (tao as u128 * weight) << 32,
        Err(_) => (weight << 95).saturating_sub(1),
    };
    let weighted = i128::try_from(weighted).unwrap_or(i128::MAX);
    let alpha = i64::try_from(alpha).map_or(i128::MAX, |alpha| i128::from(alpha) << 64);
    alpha.saturating_add(weighted)
}

/// The whole part of a stake with 64 fraction bits.
pub(super) fn whole(stake: i128) -> u64 {
    (stake >> 64).max(0) as u64
}

/// Each uid's share of the stake that reaches the threshold, raw.
pub(super) fn shares(stake: &[i128], threshold: u64) -> Vec<i64> {
    let counted = |stake: i128| {
        if whole(stake) < threshold { 0 } else { stake.max(0) as u128 }
    };
    let sum = |total: i128, &stake: &i128| total.saturating_add(counted(stake) as i128);
    let total = stake.iter().fold(0, sum) as u128;
    stake.iter().map(|&stake| shares_fraction(counted(stake), total)).collect()
}

/// `part / total` to 64 fraction bits, of which 32 are kept. Long division in steps as wide as
/// the divisor leaves room for; `total` is below 2^127.
fn shares_fraction(part: u128, total: u128) -> i64 {
    if part == 0 || total == 0 {
        return 0;
    }
    // The 32 lowest bits of a combined stake are 0; without them two steps are enough.
    let spare = (part | total).trailing_zeros();
    let (part, total) = (part >> spare, total >> spare);
    let (mut share, mut rest) = (part / total, part % total);
    let mut bits = 32;
    while bits > 0 {
        let step = total.leading_zeros().min(bits);
        rest <<= step;
        share = (share << step) | (rest / total);
        rest %= total;
        bits -= step;
    }
    i64::try_from(share).unwrap_or(i64::MAX)
}

/// Whether each uid updated within the cutoff.
pub(super) fn active(input: &EpochInput) -> Vec<bool> {
    let cutoff = u64::from(input.activity_cutoff);
    let updates = input.last_update.iter().copied().chain(core::iter::repeat(0));
    let recent = |update: u64| update.saturating_add(cutoff) >= input.block;
    updates.take(input.stake.len()).map(recent).collect()
}

/// The `count` uids of largest share that have any; of equals, the higher uid.
///
/// Mirrors: `is_topk_nonzero`.
pub(super) fn top(shares: &[i64], count: u16) -> Vec<bool> {
    let mut top: Vec<bool> = shares.iter().map(|&share| share != 0).collect();
    let Some(excess) = shares.len().checked_sub(usize::from(count)) else {
        return top;
    };
    let mut order: Vec<(i64, usize)> = shares.iter().copied().zip(0..).collect();
    if excess < order.len() {
        order.select_nth_unstable(excess);
    }
    for &(_, uid) in order.iter().take(excess) {
        top[uid] = false;
    }
    top
}

/// Shares among the active uids with a permit, raw.
pub(super) fn active_shares(shares: &[i64], active: &[bool], permit: &[bool]) -> Vec<i64> {
    let mut among = vec![0; shares.len()];
    let cells = among.iter_mut().zip(shares).zip(active.iter().zip(permit));
    for ((among, &share), (&active, &permit)) in cells {
        if active && permit {
            *among = share;
        }
    }
    number::normalise(&mut among);
    among
}
