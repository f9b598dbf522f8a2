//! Bonds: how they follow the weights, and the dividends they earn.
//!
//! Two readings of a stored bond exist. In legacy mode it is a share of its column, and stake goes
//! into it; in Yuma3 it is the level of one pair between 0 and 1, and stake counts only when
//! dividends are paid. Switching between them converts nothing.

use alloc::vec;
use alloc::vec::Vec;

use super::matrix::Matrix;
use super::number::{self, ONE};
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

/// The weights that bonds follow: between the submitted and the clipped ones, by the penalty.
/// At either end the list keeps its order and its zeros; in between it has neither.
pub(super) fn targets(submitted: Matrix, clipped: Matrix, penalty: u16) -> Matrix {
    match penalty {
        0 => return submitted,
        u16::MAX => return clipped,
        _ => {}
    }
    let penalty = number::proportion(penalty);
    let n = submitted.width();
    let mut between = Matrix::new(n, submitted.len());
    let mut limit = vec![0_i64; n];
    for row in 0..n {
        for (j, weight) in clipped.row(row) {
            limit[usize::from(j)] = weight;
        }
        for (j, weight) in submitted.row(row) {
            let clipped = core::mem::take(&mut limit[usize::from(j)]);
            let value = weight.saturating_add(number::mul(penalty, clipped - weight));
            if value > 0 {
                between.push(j, value);
            }
        }
        between.sort_open_row();
        between.end_row();
    }
    between
}

/// The stored bonds of all uids, read by `read`, without those on a uid registered since the last
/// epoch.
pub(super) fn stored(input: &EpochInput, read: impl Fn(u16) -> i64) -> Matrix {
    let n = input.stake.len();
    let last_epoch = input.block.saturating_sub(u64::from(input.tempo));
    let registered = |j: usize| input.registered_at.get(j).copied().unwrap_or(0);
    let counts: Vec<bool> = (0..n).map(|j| last_epoch > registered(j)).collect();
    let mut matrix = Matrix::new(n, input.bonds.iter().map(Row::len).sum());
    for row in input.bonds.iter().take(n) {
        for &(j, value) in row {
            if counts.get(usize::from(j)) == Some(&true) {
                matrix.push(j, read(value));
            }
        }
        matrix.end_row();
    }
    matrix
}

/// What new bonds and dividends are computed from, besides the old bonds.
pub(super) struct Basis<'a> {
    pub(super) targets: &'a Matrix,
    /// Raw share of the new value.
    pub(super) alpha: i64,
    pub(super) active_stake: &'a [i64],
    pub(super) incentive: &'a [i64],
}

impl Basis<'_> {
    /// Legacy bonds and dividends: shares of a column, moved by weight times stake. `old` holds
    /// the stored integers; only their ratio within a column counts.
    ///
    /// Mirrors: the branch of `epoch_mechanism` without Yuma3.
    pub(super) fn legacy(&self, mut old: Matrix) -> (Matrix, Vec<i64>) {
        old.normalise_columns();
        let mut bought = self.targets.map(|row, _, weight| {
            let stake = self.active_stake[row];
            if stake == 0 { 0 } else { number::mul(weight, stake) }
        });
        bought.normalise_columns();
        let mut bonds = blend(&bought, &old, self.alpha);
        bonds.normalise_columns();
        let earned = |row| {
            let parts = bonds.row(row);
            let part = |(j, bond): (u16, i64)| number::mul(self.incentive[usize::from(j)], bond);
            parts.map(part).fold(0, i64::wrapping_add)
        };
        let mut dividends: Vec<i64> = (0..bonds.width()).map(earned).collect();
        number::normalise(&mut dividends);
        bonds.upscale_columns();
        (bonds, dividends)
    }

    /// Yuma3 dividends of the given new bonds: the bonds' shares of their columns, times
    /// incentive, times the holder's present stake.
    ///
    /// Mirrors: the Yuma3 branch of `epoch_mechanism`.
    pub(super) fn levels(&self, bonds: Matrix) -> (Matrix, Vec<i64>) {
        let columns = bonds.column_divisors();
        let earned = |(row, &stake): (usize, &i64)| {
            if stake == 0 {
                return 0;
            }
            let part = |(j, bond): (u16, i64)| {
                let j = usize::from(j);
                number::mul(columns[j].normalise(bond), self.incentive[j])
            };
            let total = bonds.row(row).map(part).fold(0, i64::wrapping_add);
            number::mul_or_zero(total, stake)
        };
        let mut dividends: Vec<i64> = self.active_stake.iter().enumerate().map(earned).collect();
        number::normalise(&mut dividends);
        (bonds, dividends)
    }
}

/// Each pair's new value taken with `alpha` and its old one with the rest; what is above 0 is
/// kept, in ascending order.
///
/// Mirrors: `mat_ema_sparse`.
pub(super) fn blend(new: &Matrix, old: &Matrix, alpha: i64) -> Matrix {
    let keep = ONE.saturating_sub(alpha);
    let n = new.width();
    let mut blended = Matrix::new(n, new.len().max(old.len()));
    let mut cells = vec![0_i64; n];
    for row in 0..n {
        let (new, old) = (new.row(row), old.row(row));
        if new.len() > 0 || old.len() > 0 {
            for (j, value) in new {
                let cell = &mut cells[usize::from(j)];
                *cell = cell.saturating_add(number::mul(alpha, value));
            }
            for (j, value) in old {
                let cell = &mut cells[usize::from(j)];
                *cell = cell.saturating_add(number::mul(keep, value));
            }
            for (j, cell) in cells.iter_mut().enumerate() {
                let value = core::mem::take(cell);
                if value > 0 {
                    blended.push(j as u16, value);
                }
            }
        }
        blended.end_row();
    }
    blended
}

/// Yuma3 bonds in which each pair has its own speed: only pairs with an entry in `targets` live
/// on, in its order.
///
/// The speed of a pair sees a target (or an old bond) as 0 unless its uid is above all uids before
/// it in the row: the chain computes it in one forward pass over the columns. The new level itself
/// uses the true values.
///
/// Mirrors: `compute_liquid_alpha_values_sparse` and `mat_ema_alpha_sparse`.
pub(super) fn liquid(targets: &Matrix, old: &Matrix, consensus: &[i64], curve: &Curve) -> Matrix {
    let n = targets.width();
    let mut bonds = Matrix::new(n, targets.len());
    let mut held = vec![Held::default(); n];
    for row in 0..n {
        let mut rising = Rising::default();
        for (j, bond) in old.row(row) {
            let seen = if rising.passes(j) { bond } else { 0 };
            held[usize::from(j)] = Held { bond, seen };
        }
        let mut rising = Rising::default();
        for (j, target) in targets.row(row) {
            let Held { bond, seen } = held[usize::from(j)];
            let seen_target = if rising.passes(j) { target } else { 0 };
            let alpha = curve.alpha(seen_target, seen, consensus[usize::from(j)]);
            let kept = number::mul(ONE.saturating_sub(alpha), bond);
            let bought = number::mul(alpha, target).max(0);
            let level = kept.saturating_add(bought).min(ONE);
            if level > 0 {
                bonds.push(j, level);
            }
        }
        for (j, _) in old.row(row) {
            held[usize::from(j)] = Held::default();
        }
        bonds.end_row();
    }
    bonds
}

/// An old bond, and what the speed of its pair sees of it.
#[derive(Clone, Copy, Default)]
struct Held {
    bond: i64,
    seen: i64,
}

/// Whether a uid is above all that came before it.
#[derive(Default)]
struct Rising {
    /// One above the highest uid so far.
    next: u32,
}

impl Rising {
    fn passes(&mut self, uid: u16) -> bool {
        let passes = u32::from(uid) >= self.next;
        if passes {
            self.next = u32::from(uid) + 1;
        }
        passes
    }
}

/// The speed of a liquid bond as a function of its distance: a logistic curve around one half.
pub(super) struct Curve {
    low: i64,
    high: i64,
    /// Factor of the exponent.
    slope: i64,
    /// Speeds at the distances 0 and 1, which are the most frequent.
    ends: (i64, i64),
}

impl Curve {
    pub(super) fn new(input: &EpochInput) -> Self {
        let steepness = i64::from(input.alpha_sigmoid_steepness);
        let mut curve = Self {
            low: number::proportion(input.alpha_low),
            high: number::proportion(input.alpha_high),
            slope: (steepness << 32) / -100,
            ends: (0, 0),
        };
        curve.ends = (curve.speed(0), curve.speed(ONE));
        curve
    }

    /// The speed of a pair: when buying, by the distance above consensus; when selling, by how far
    /// the weight is below the bond.
    fn alpha(&self, target: i64, bond: i64, consensus: i64) -> i64 {
        let from = if target >= bond {
            target.saturating_sub(consensus)
        } else {
            bond.saturating_sub(target)
        };
        match from.clamp(0, ONE) {
            0 => self.ends.0,
            ONE => self.ends.1,
            distance => self.speed(distance),
        }
    }

    /// Mirrors: `alpha_sigmoid`.
    fn speed(&self, distance: i64) -> i64 {
        let exponent = number::mul(self.slope, distance - ONE / 2);
        let logistic = number::inverse(ONE.saturating_add(number::exp(exponent)));
        let range = self.high.saturating_sub(self.low);
        let speed = self.low.saturating_add(number::mul(logistic, range));
        speed.min(self.high).max(self.low)
    }
}
