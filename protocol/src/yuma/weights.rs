//! Weights: which count, on what the majority agrees, and the incentive that follows.

use alloc::vec;
use alloc::vec::Vec;

use super::matrix::Matrix;
use super::number::{self, Divisor};
use super::{EpochInput, Row};

/// Scales weights so that the largest becomes 65535, as the chain does when they are set: rounded
/// half up; above a largest value of 32768, with a factor floored to 32 fraction bits.
///
/// | in | out |
/// | --- | --- |
/// | 2, 1 | 65535, 32768 |
/// | 40000, 20000 | 65535, 32767 |
/// | 0, 0 | 0, 0 |
///
/// Mirrors: `vec_u16_max_upscale_to_u16`.
pub fn max_upscale(values: &[u16]) -> Vec<u16> {
    let max = values.iter().copied().max().map_or(0, u64::from);
    let factor = (65_535_u64 << 32) / max.max(1);
    let scale = |value: u16| {
        let value = u64::from(value);
        let scaled = match max {
            0 => value,
            1..=32_768 => (2 * 65_535 * value + max) / (2 * max),
            _ => (value * factor + (1 << 31)) >> 32,
        };
        u16::try_from(scaled).unwrap_or(u16::MAX)
    };
    values.iter().copied().map(scale).collect()
}

/// The weights that count, each row normalised to one: those of uids with a permit, not on
/// themselves (but for the owner), and not on a uid registered after the row was last set or
/// committed. A row of zeros stays as it is.
pub(super) fn submitted(input: &EpochInput) -> Matrix {
    let n = input.stake.len();
    let entries = input.weights.iter().map(Row::len).sum();
    let mut matrix = Matrix::new(n, entries);
    let mut kept: Row = Row::with_capacity(n);
    for (uid, row) in input.weights.iter().take(n).enumerate() {
        if input.validator_permit.get(uid) == Some(&true) {
            let counts = submitted_filter(input, uid);
            kept.clear();
            kept.extend(row.iter().copied().filter(|&(j, _)| counts(j)));
            let sum = kept.iter().map(|&(_, value)| i64::from(value)).sum();
            let sum = Divisor::new(sum);
            for &(j, value) in &kept {
                matrix.push(j, sum.normalise(i64::from(value)));
            }
        }
        matrix.end_row();
    }
    matrix
}

/// Whether the weight of `uid` on another counts.
fn submitted_filter<'a>(input: &'a EpochInput, uid: usize) -> impl Fn(u16) -> bool + 'a {
    let n = input.stake.len();
    let owner = input.owner_uid.map(usize::from) == Some(uid);
    let updated = input.last_update.get(uid).copied().unwrap_or(0);
    let committed = match input.commit_block.get(uid) {
        Some(&Some(block)) if input.commit_reveal => block,
        _ => u64::MAX,
    };
    move |j: u16| {
        let j = usize::from(j);
        let registered = input.registered_at.get(j).copied().unwrap_or(0);
        j < n && (owner || j != uid) && updated > registered && committed >= registered
    }
}

/// For each column the largest weight that still has the support of `majority` (raw) of the active
/// stake: a median weighted by stake, with missing weights as 0.
///
/// Mirrors: `weighted_median_col_sparse`.
pub(super) fn consensus(weights: &Matrix, active_stake: &[i64], majority: i64) -> Vec<i64> {
    let n = weights.width();
    // Shares among the rows with stake are normalised once more, as on the chain.
    let mut support = active_stake.to_vec();
    number::normalise(&mut support);
    let voters = active_stake.iter().filter(|&&stake| stake > 0).count();
    if voters == 0 {
        return vec![0; n];
    }
    let total = number::sum(&support);
    let minority = total - majority;

    // By column, each weight above 0 with its row in the low bits: sorting needs no pairs.
    let votes = || (0..n).filter(|&row| active_stake[row] > 0);
    let mut ends = vec![0_usize; n + 1];
    let mut supported = vec![0_i64; n];
    for row in votes() {
        for (j, _) in weights.row(row).filter(|&(_, weight)| weight > 0) {
            ends[usize::from(j) + 1] += 1;
            supported[usize::from(j)] += support[row];
        }
    }
    for j in 0..n {
        ends[j + 1] += ends[j];
    }
    let mut next = ends.clone();
    let mut scores = vec![0_u64; ends[n]];
    for row in votes() {
        for (j, weight) in weights.row(row).filter(|&(_, weight)| weight > 0) {
            let slot = &mut next[usize::from(j)];
            scores[*slot] = ((weight as u64) << 16) | row as u64;
            *slot += 1;
        }
    }

    let column = |j: usize| {
        let scores = &mut scores[ends[j]..ends[j + 1]];
        let mut below = total - supported[j];
        if scores.len() < voters && below > minority {
            return 0;
        }
        scores.sort_unstable();
        for &score in scores.iter() {
            below += support[(score & 0xffff) as usize];
            if below > minority {
                return (score >> 16) as i64;
            }
        }
        scores.last().map_or(0, |&score| (score >> 16) as i64)
    };
    (0..n).map(column).collect()
}

/// Weights cut to the consensus; one on a column without consensus is removed, while an explicit
/// zero stays.
///
/// Mirrors: `col_clip_sparse`.
pub(super) fn clipped(weights: &Matrix, consensus: &[i64]) -> Matrix {
    #[cfg(feature = "planted")]
    if crate::planted::active(crate::planted::Bug::MissedClip) {
        return weights.clone();
    }
    let mut clipped = Matrix::new(weights.width(), weights.len());
    for row in 0..weights.width() {
        for (j, weight) in weights.row(row) {
            let limit = consensus[usize::from(j)];
            if weight <= limit {
                clipped.push(j, weight);
            } else if limit > 0 {
                clipped.push(j, limit);
            }
        }
        clipped.end_row();
    }
    clipped
}

/// Each uid's share of the stake behind the clipped weights, raw.
pub(super) fn incentive(clipped: &Matrix, active_stake: &[i64]) -> Vec<i64> {
    let mut ranks = vec![0_i64; clipped.width()];
    for (row, &stake) in active_stake.iter().enumerate().filter(|&(_, &stake)| stake != 0) {
        for (j, weight) in clipped.row(row) {
            let rank = &mut ranks[usize::from(j)];
            *rank = rank.wrapping_add(number::mul(stake, weight));
        }
    }
    number::normalise(&mut ranks);
    ranks
}
