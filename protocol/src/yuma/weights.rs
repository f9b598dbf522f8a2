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
    let permit = |uid: usize| input.validator_permit.get(uid) == Some(&true);
    let rows = || input.weights.iter().take(n).enumerate().filter(|&(uid, _)| permit(uid));
    let mut matrix = Matrix::new(n, rows().map(|(_, row)| row.len()).sum());
    let registered: Vec<u64> = (0..n).map(|j| input.registered(j)).collect();
    let mut kept = Row::new();
    for (uid, row) in input.weights.iter().take(n).enumerate() {
        if permit(uid) {
            let counts = submitted_filter(input, &registered, uid);
            let mut row = row.as_slice();
            if !row.iter().all(|&(j, _)| counts(j)) {
                kept.clear();
                kept.extend(row.iter().filter(|&&(j, _)| counts(j)));
                row = &kept;
            }
            let sum = Divisor::new(row.iter().map(|&(_, value)| i64::from(value)).sum());
            let values = row.iter().map(|&(_, value)| sum.normalise(i64::from(value)));
            matrix.extend(row.iter().map(|&(j, _)| j), values);
        }
        matrix.end_row();
    }
    matrix
}

/// Whether the weight of `uid` on another counts, given the heights of registration of all uids.
fn submitted_filter<'a>(
    input: &EpochInput,
    registered: &'a [u64],
    uid: usize,
) -> impl Fn(u16) -> bool + 'a {
    let owner = input.owner_uid.map(usize::from) == Some(uid);
    let itself = if owner { usize::MAX } else { uid };
    let updated = input.last_update.get(uid).copied().unwrap_or(0);
    let committed = match input.commit_block.get(uid) {
        Some(&Some(block)) if input.commit_reveal => block,
        _ => u64::MAX,
    };
    move |j: u16| {
        let j = usize::from(j);
        j != itself && registered.get(j).is_some_and(|&at| at < updated && at <= committed)
    }
}

/// What the weights settle before bonds are looked at.
pub(super) struct Agreement {
    /// Sum of each row's clipped weights, raw.
    pub(super) trust: Vec<i64>,
    /// Each uid's share of the stake behind the clipped weights, raw.
    pub(super) incentive: Vec<i64>,
    /// The weights that bonds follow.
    pub(super) targets: Matrix,
}

/// Cuts the weights to the consensus. A weight on a column without consensus is removed, while an
/// explicit zero stays.
///
/// Bonds follow something between the submitted and the clipped weights, by the penalty. At either
/// end the list keeps its order and its zeros; in between it has neither.
///
/// Mirrors: `col_clip_sparse`, `row_sum_sparse`, `matmul_sparse`, `interpolate_sparse`.
pub(super) fn agree(
    mut weights: Matrix,
    consensus: &[i64],
    active_stake: &[i64],
    penalty: u16,
) -> Agreement {
    #[cfg(feature = "planted")]
    let unlimited = vec![i64::MAX; consensus.len()];
    #[cfg(feature = "planted")]
    let consensus = match crate::planted::active(crate::planted::Bug::MissedClip) {
        true => &unlimited,
        false => consensus,
    };
    let n = weights.width();
    let mut trust = vec![0_i64; n];
    let mut ranks = vec![0_i64; n];
    let mut between = (penalty != 0 && penalty != u16::MAX)
        .then(|| Between { penalty: number::proportion(penalty), clipped: vec![0; n] });
    weights.rewrite_rows(|row, columns, values| {
        trust[row] = rank(columns, values, consensus, active_stake[row], &mut ranks);
        match (&mut between, penalty) {
            (Some(between), _) => between.rewrite(columns, values, consensus),
            (None, 0) => columns.len(),
            (None, _) => clip(columns, values, consensus),
        }
    });
    number::normalise(&mut ranks);
    Agreement { trust, incentive: ranks, targets: weights }
}

/// Adds the stake behind a row's clipped weights to the ranks; the sum of these weights.
#[inline(never)]
fn rank(columns: &[u16], values: &[i64], consensus: &[i64], stake: i64, ranks: &mut [i64]) -> i64 {
    let mut trust = 0;
    for (&j, &weight) in columns.iter().zip(values) {
        let j = usize::from(j);
        let clipped = weight.min(consensus[j]);
        trust += clipped;
        ranks[j] += number::mul_share(clipped, stake);
    }
    trust
}

/// Cuts the weights of a row and moves those that stay to the front.
fn clip(columns: &mut [u16], values: &mut [i64], consensus: &[i64]) -> usize {
    let mut kept = 0;
    for index in 0..columns.len() {
        let (j, weight) = (columns[index], values[index]);
        let limit = consensus[usize::from(j)];
        columns[kept] = j;
        values[kept] = weight.min(limit);
        // Not `||`, which would be a branch that a processor cannot foresee.
        kept += usize::from((limit > 0) | (weight == 0));
    }
    kept
}

/// For penalties between none and the whole.
struct Between {
    /// Raw share of the clipped weight.
    penalty: i64,
    /// By column, the clipped weight of the present row; empty between rows.
    clipped: Vec<i64>,
}

impl Between {
    /// Replaces the weights of a row by those between them and the clipped ones, in ascending order.
    fn rewrite(&mut self, columns: &mut [u16], values: &mut [i64], consensus: &[i64]) -> usize {
        // By column, since in a row that names one twice the last clipped weight holds, once.
        for (&j, &weight) in columns.iter().zip(values.iter()) {
            let j = usize::from(j);
            self.clipped[j] = weight.min(consensus[j]);
        }
        let mut kept = 0;
        for index in 0..columns.len() {
            let (j, weight) = (columns[index], values[index]);
            let clipped = core::mem::take(&mut self.clipped[usize::from(j)]);
            columns[kept] = j;
            values[kept] = weight + number::mul_share(clipped - weight, self.penalty);
            kept += usize::from(values[kept] > 0);
        }
        sort(&mut columns[..kept], &mut values[..kept]);
        kept
    }
}

/// Puts a row in ascending order of columns.
fn sort(columns: &mut [u16], values: &mut [i64]) {
    if columns.is_sorted() {
        return;
    }
    let entries = columns.iter().copied().zip(values.iter().copied());
    let mut row: Vec<(u16, i64)> = entries.collect();
    row.sort_by_key(|&(column, _)| column);
    for ((column, value), sorted) in columns.iter_mut().zip(values).zip(row) {
        (*column, *value) = sorted;
    }
}
