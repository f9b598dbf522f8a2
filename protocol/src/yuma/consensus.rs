//! The weight on which the majority of the active stake agrees: for each column a median weighted
//! by stake.

use alloc::vec;
use alloc::vec::Vec;

use super::matrix::Matrix;
use super::number;

/// Bits of a vote that hold its row; the weight, at most one, is above them, and the highest bit
/// stays free.
const ROW_BITS: u32 = 30;
/// Votes that are sorted rather than divided further.
const SORTED_MAX: usize = 8;
/// How often votes are divided before they are sorted in any case, so that no order of them can
/// make the search slow.
const DIVISIONS_MAX: usize = 12;

/// For each column the largest weight that still has the support of `majority` (raw) of the active
/// stake, with missing weights as 0.
///
/// Mirrors: `weighted_median_col_sparse`.
pub(super) fn consensus(weights: &Matrix, active_stake: &[i64], majority: i64) -> Vec<i64> {
    let n = weights.width();
    let voters = active_stake.iter().filter(|&&stake| stake > 0).count();
    if voters == 0 {
        return vec![0; n];
    }
    // Shares among the rows with stake are normalised once more, as on the chain.
    let mut support = active_stake.to_vec();
    number::normalise(&mut support);
    let total = number::sum(&support);
    let minority = total - majority;
    let mut ballot = Ballot::new(weights, active_stake, &support);
    let column = |j: usize| {
        let (votes, supported) = ballot.column(j);
        let below = total - supported;
        if votes.len() < voters && below > minority {
            return 0;
        }
        carried(votes, &support, below, minority)
    };
    (0..n).map(column).collect()
}

/// The weights above 0 of the rows with stake, by column.
struct Ballot {
    columns: Vec<BallotColumn>,
    /// Each weight with its row in the low bits: they sort as one number.
    votes: Vec<i64>,
}

#[derive(Clone, Copy, Default)]
struct BallotColumn {
    start: usize,
    end: usize,
    /// Stake behind the votes, raw.
    supported: i64,
}

impl Ballot {
    fn new(weights: &Matrix, active_stake: &[i64], support: &[i64]) -> Self {
        let n = weights.width();
        let rows = || (0..n).filter(|&row| active_stake[row] > 0);
        let mut columns = vec![BallotColumn::default(); n];
        for row in rows() {
            weights.row(row).for_each(|(j, _)| columns[usize::from(j)].end += 1);
        }
        let mut room = 0;
        for column in &mut columns {
            column.start = room;
            room += core::mem::replace(&mut column.end, room);
        }
        let mut votes = vec![0_i64; room];
        for row in rows() {
            let support = support[row];
            for (j, weight) in weights.row(row) {
                let column = &mut columns[usize::from(j)];
                votes[column.end] = (weight << ROW_BITS) | row as i64;
                // A weight of 0 is no vote: the next one takes its place.
                column.end += usize::from(weight > 0);
                column.supported += if weight > 0 { support } else { 0 };
            }
        }
        Self { columns, votes }
    }

    /// The votes on a uid, and the stake behind them.
    fn column(&mut self, j: usize) -> (&mut [i64], i64) {
        let BallotColumn { start, end, supported } = self.columns[j];
        (&mut self.votes[start..end], supported)
    }
}

fn vote_support(vote: i64, support: &[i64]) -> i64 {
    support[(vote & ((1 << ROW_BITS) - 1)) as usize]
}

/// The weight of the lowest vote at which the stake so far, from `below`, exceeds `minority`; if
/// there is none, of the highest vote.
fn carried(mut votes: &mut [i64], support: &[i64], mut below: i64, minority: i64) -> i64 {
    for _ in 0..DIVISIONS_MAX {
        if votes.len() <= SORTED_MAX {
            break;
        }
        let pivot = middle(votes);
        let (lower, lower_support) = divide(votes, pivot, support);
        if below + lower_support > minority {
            votes = &mut votes[..lower];
        } else {
            votes = &mut votes[lower..];
            below += lower_support;
        }
    }
    votes.sort_unstable();
    for &vote in votes.iter() {
        below += vote_support(vote, support);
        if below > minority {
            return vote >> ROW_BITS;
        }
    }
    votes.last().map_or(0, |&vote| vote >> ROW_BITS)
}

/// The median of the first, the middle and the last vote.
fn middle(votes: &[i64]) -> i64 {
    let [first, .., last] = votes else { return 0 };
    let (low, high) = (*first.min(last), *first.max(last));
    votes[votes.len() / 2].clamp(low, high)
}

/// Moves the votes below `pivot` to the front: their number and their stake.
///
/// The sign of a difference says which are below, and masks their stake: a branch on it would be a
/// guess at each vote.
fn divide(votes: &mut [i64], pivot: i64, support: &[i64]) -> (usize, i64) {
    let (mut lower, mut lower_support) = (0, 0);
    for index in 0..votes.len() {
        let vote = votes[index];
        let below = (vote - pivot) >> 63;
        votes[index] = votes[lower];
        votes[lower] = vote;
        lower += (below & 1) as usize;
        lower_support += below & vote_support(vote, support);
    }
    (lower, lower_support)
}
