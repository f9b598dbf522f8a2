//! Bonds: how they follow the weights, and the dividends they earn.
//!
//! Two readings of a stored bond exist. In legacy mode it is a share of its column, and stake goes
//! into it; in Yuma3 it is the level of one pair between 0 and 1, and stake counts only when
//! dividends are paid. Switching between them converts nothing.

use alloc::vec;
use alloc::vec::Vec;

use super::matrix::Matrix;
use super::number::{self, Divisor, ONE};
use super::{EpochInput, Row};

/// Raw share of a new value in a bond, from the average in millionths: negative above a million.
///
/// Mirrors: `compute_disabled_liquid_alpha`.
pub(super) fn alpha(moving_average: u64) -> i64 {
    // The chain's 64 fraction bits are cut to 32 after the division, which floors once in all.
    let average = u128::from(moving_average.min(i64::MAX as u64));
    let kept = (average << 32) / 1_000_000;
    ONE.saturating_sub(i64::try_from(kept).unwrap_or(i64::MAX))
}

/// The stored bonds of all uids, without those on a uid registered since the last epoch.
pub(super) struct Stored<'a> {
    rows: &'a [Row],
    /// By column, whether its bonds count.
    counts: Vec<bool>,
}

impl<'a> Stored<'a> {
    pub(super) fn new(input: &EpochInput<'a>) -> Self {
        let last_epoch = input.block.saturating_sub(u64::from(input.tempo));
        let n = input.stake.len();
        Self {
            rows: &input.bonds[..n.min(input.bonds.len())],
            counts: (0..n).map(|j| last_epoch > input.registered(j)).collect(),
        }
    }

    /// Most entries there can be.
    fn len(&self) -> usize {
        self.rows.iter().map(Row::len).sum()
    }

    fn has_row(&self, row: usize) -> bool {
        self.rows.get(row).is_some_and(|row| !row.is_empty())
    }

    pub(super) fn row(&self, row: usize) -> impl Iterator<Item = (u16, u16)> + '_ {
        let entries = self.rows.get(row).map_or(&[][..], Row::as_slice);
        let counts = |&(j, _): &(u16, u16)| self.counts.get(usize::from(j)) == Some(&true);
        entries.iter().copied().filter(counts)
    }

    /// Sums of the stored integers of each column, ready to divide by. Those of columns whose bonds
    /// do not count are of no use and do no harm.
    fn column_divisors(&self) -> Vec<Divisor> {
        let mut sums = vec![0_i64; self.counts.len()];
        for row in self.rows {
            stored_sum(row, &mut sums);
        }
        divisors(&sums)
    }
}

#[inline(never)]
fn stored_sum(row: &[(u16, u16)], sums: &mut [i64]) {
    for &(j, bond) in row {
        if let Some(sum) = sums.get_mut(usize::from(j)) {
            *sum += i64::from(bond);
        }
    }
}

fn divisors(by: &[i64]) -> Vec<Divisor> {
    by.iter().copied().map(Divisor::new).collect()
}

/// New bonds.
pub(super) struct Bonds {
    rows: Matrix,
    /// What the values of each column are divided by when they are read; nothing if there is none.
    largest: Option<Vec<Divisor>>,
}

impl Bonds {
    /// The entries of a row, with each value put through `read`.
    pub(super) fn row<T>(&self, row: usize, read: impl Fn(i64) -> T) -> Vec<(u16, T)> {
        let entries = self.rows.row(row);
        match &self.largest {
            None => entries.map(|(j, value)| (j, read(value))).collect(),
            Some(largest) => entries
                .map(|(j, value)| (j, read(largest[usize::from(j)].normalise(value))))
                .collect(),
        }
    }
}

/// What new bonds and dividends are computed from, besides the weights they follow.
pub(super) struct Basis<'a> {
    pub(super) stored: Stored<'a>,
    pub(super) active_stake: &'a [i64],
    pub(super) incentive: &'a [i64],
}

impl Basis<'_> {
    /// Legacy bonds and dividends: shares of a column, moved by weight times stake. Of the stored
    /// integers only their ratio within a column counts. `alpha` is the raw share of the new value.
    ///
    /// Mirrors: the branch of `epoch_mechanism` without Yuma3.
    pub(super) fn legacy(&self, targets: Matrix, alpha: i64) -> (Bonds, Vec<i64>) {
        let (bought, bought_sums) = self.bought(targets);
        let (bought_sums, old_sums) = (divisors(&bought_sums), self.stored.column_divisors());
        let blend = Blend {
            new: |j: usize, value| bought_sums[j].normalise(value),
            old: |j: usize, bond| old_sums[j].normalise(i64::from(bond)),
            alpha,
        };
        let (mut rows, sums) = blend.rows(&bought, &self.stored);
        let sums = divisors(&sums);
        let mut largest = vec![0_i64; rows.width()];
        let mut dividends = vec![0_i64; rows.width()];
        rows.rewrite_rows(|row, columns, values| {
            dividends[row] = legacy_share(columns, values, &sums, self.incentive, &mut largest);
            columns.len()
        });
        number::normalise(&mut dividends);
        (Bonds { rows, largest: Some(divisors(&largest)) }, dividends)
    }

    /// The targets times their row's stake, and the sums of the columns; rows without stake have
    /// nothing to add to a bond.
    fn bought(&self, mut targets: Matrix) -> (Matrix, Vec<i64>) {
        let mut sums = vec![0_i64; targets.width()];
        targets.rewrite_rows(|row, columns, values| match self.active_stake[row] {
            0 => 0,
            stake => legacy_buy(columns, values, stake, &mut sums),
        });
        (targets, sums)
    }

    /// Yuma3 bonds and dividends with one speed for all. `alpha` is the raw share of the new value.
    ///
    /// Mirrors: the Yuma3 branch of `epoch_mechanism`, without liquid alpha.
    pub(super) fn constant(&self, targets: &Matrix, alpha: i64) -> (Bonds, Vec<i64>) {
        let blend =
            Blend { new: |_, target| target, old: |_, bond| number::proportion(bond), alpha };
        let (levels, sums) = blend.rows(targets, &self.stored);
        self.levels(levels, &sums)
    }

    /// Yuma3 dividends of new bonds with the given column sums: the bonds' shares of their columns,
    /// times incentive, times the holder's present stake.
    ///
    /// Mirrors: the Yuma3 branch of `epoch_mechanism`.
    pub(super) fn levels(&self, rows: Matrix, sums: &[i64]) -> (Bonds, Vec<i64>) {
        let sums = divisors(sums);
        let earned = |(row, &stake): (usize, &i64)| {
            if stake == 0 {
                return 0;
            }
            let part = |(j, bond): (u16, i64)| {
                let j = usize::from(j);
                number::mul_share(sums[j].normalise(bond), self.incentive[j])
            };
            let total = rows.row(row).map(part).fold(0, i64::wrapping_add);
            number::mul_share(total, stake)
        };
        let mut dividends: Vec<i64> = self.active_stake.iter().enumerate().map(earned).collect();
        number::normalise(&mut dividends);
        (Bonds { rows, largest: None }, dividends)
    }
}

/// Multiplies a row of targets by its stake.
#[inline(never)]
fn legacy_buy(columns: &[u16], values: &mut [i64], stake: i64, sums: &mut [i64]) -> usize {
    for (&j, value) in columns.iter().zip(values) {
        let bought = number::mul_share(*value, stake);
        sums[usize::from(j)] += bought;
        *value = bought;
    }
    columns.len()
}

/// Divides the bonds of a row by the sums of their columns; what they earn.
#[inline(never)]
fn legacy_share(
    columns: &[u16],
    values: &mut [i64],
    sums: &[Divisor],
    incentive: &[i64],
    largest: &mut [i64],
) -> i64 {
    let mut earned = 0_i64;
    for (&j, value) in columns.iter().zip(values) {
        let j = usize::from(j);
        let share = sums[j].normalise(*value);
        earned = earned.wrapping_add(number::mul_share(share, incentive[j]));
        largest[j] = largest[j].max(share);
        *value = share;
    }
    earned
}

/// How a new and an old value are read, and how much of the new one is taken.
struct Blend<New, Old> {
    /// The share of a new value, from its column and itself.
    new: New,
    /// The share of an old bond, from its column and itself.
    old: Old,
    alpha: i64,
}

impl<New: Fn(usize, i64) -> i64, Old: Fn(usize, u16) -> i64> Blend<New, Old> {
    /// Each pair's new value taken with `alpha` and its old one with the rest; what is above 0 is
    /// kept, in ascending order. Also the sums of the columns.
    ///
    /// A row has one cell for each column: dense rows are the rule, and then adding and collecting
    /// without a branch is faster than merging two lists, each step of which is a guess.
    ///
    /// Mirrors: `mat_ema_sparse`.
    fn rows(&self, targets: &Matrix, stored: &Stored) -> (Matrix, Vec<i64>) {
        let keep = ONE.saturating_sub(self.alpha);
        let n = targets.width();
        let mut blended = Matrix::new(n, targets.len() + stored.len());
        let mut sums = vec![0_i64; n];
        let mut cells = vec![0_i64; n];
        let (mut columns, mut values) = (vec![0_u16; n], vec![0_i64; n]);
        for row in 0..n {
            let new = targets.row(row);
            if new.len() > 0 || stored.has_row(row) {
                let new = new.map(|(j, value)| (usize::from(j), value));
                blend_add(&mut cells, self.alpha, new.map(|(j, value)| (j, (self.new)(j, value))));
                let old = stored.row(row).map(|(j, bond)| (usize::from(j), bond));
                blend_add(&mut cells, keep, old.map(|(j, bond)| (j, (self.old)(j, bond))));
                let kept = blend_collect(&mut cells, &mut columns, &mut values, &mut sums);
                blended.extend(columns[..kept].iter().copied(), values[..kept].iter().copied());
            }
            blended.end_row();
        }
        (blended, sums)
    }
}

/// Adds a part of each value to the cell of its column.
#[inline(never)]
fn blend_add(cells: &mut [i64], part: i64, shares: impl Iterator<Item = (usize, i64)>) {
    for (j, share) in shares {
        cells[j] = cells[j].saturating_add(number::mul_share(part, share));
    }
}

/// Moves the cells above 0 into `columns` and `values`, empties all and tells how many there were.
#[inline(never)]
fn blend_collect(
    cells: &mut [i64],
    columns: &mut [u16],
    values: &mut [i64],
    sums: &mut [i64],
) -> usize {
    let n = cells.len();
    let (columns, values) = (&mut columns[..n], &mut values[..n]);
    let mut kept = 0;
    for (j, (cell, sum)) in cells.iter_mut().zip(sums).enumerate() {
        let value = core::mem::take(cell).max(0);
        *sum = sum.wrapping_add(value);
        (columns[kept], values[kept]) = (j as u16, value);
        kept += usize::from(value > 0);
    }
    kept
}
