//! Liquid alpha: Yuma3 bonds in which each pair has its own speed.

use alloc::vec;
use alloc::vec::Vec;

use super::EpochInput;
use super::bonds::Stored;
use super::matrix::Matrix;
use super::number::{self, EXP_LANES, ONE};

/// New levels of bonds, and the sums of their columns: only pairs with an entry in `targets` live
/// on, in its order.
///
/// The speed of a pair sees a target (or an old bond) as 0 unless its uid is above all uids before
/// it in the row: the chain computes it in one forward pass over the columns. The new level itself
/// uses the true values.
///
/// Mirrors: `compute_liquid_alpha_values_sparse` and `mat_ema_alpha_sparse`.
pub(super) fn liquid(
    mut targets: Matrix,
    stored: &Stored,
    consensus: &[i64],
    curve: &Curve,
) -> (Matrix, Vec<i64>) {
    let n = targets.width();
    let mut sums = vec![0_i64; n];
    let mut held = vec![Held::default(); n];
    let mut speeds = Speeds::default();
    targets.rewrite_rows(|row, columns, values| {
        if columns.is_empty() {
            return 0;
        }
        liquid_hold(stored.row(row), &mut held);
        let mut rising = Rising::default();
        let distances = columns.iter().zip(values.iter()).map(|(&j, &target)| {
            let seen_target = if rising.passes(j) { target } else { 0 };
            let seen_bond = number::proportion(held[usize::from(j)].seen);
            distance(seen_target, seen_bond, consensus[usize::from(j)])
        });
        let speeds = curve.speeds(distances, &mut speeds);
        liquid_row(columns, values, speeds, &held, &mut sums)
    });
    (targets, sums)
}

/// Lays out the old bonds of a row by column.
#[inline(never)]
fn liquid_hold(bonds: impl Iterator<Item = (u16, u16)>, held: &mut [Held]) {
    held.fill(Held::default());
    let mut rising = Rising::default();
    for (j, bond) in bonds {
        let seen = if rising.passes(j) { bond } else { 0 };
        held[usize::from(j)] = Held { bond, seen };
    }
}

/// Replaces the targets of a row by its new levels and moves those above 0 to the front. Adds them
/// to the sums.
#[inline(never)]
fn liquid_row(
    columns: &mut [u16],
    values: &mut [i64],
    speeds: &[i64],
    held: &[Held],
    sums: &mut [i64],
) -> usize {
    let values = &mut values[..columns.len()];
    let mut kept = 0;
    for (index, &speed) in speeds.iter().enumerate() {
        let (j, target) = (columns[index], values[index]);
        let bond = number::proportion(held[usize::from(j)].bond);
        let level = number::mul_share(ONE - speed, bond) + number::mul_share(speed, target);
        let level = level.min(ONE);
        sums[usize::from(j)] += level;
        (columns[kept], values[kept]) = (j, level);
        kept += usize::from(level > 0);
    }
    kept
}

/// An old bond as stored, and what the speed of its pair sees of it.
#[derive(Clone, Copy, Default)]
struct Held {
    bond: u16,
    seen: u16,
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

/// What the speed of a pair depends on: when buying, the distance above consensus; when selling,
/// how far the weight is below the bond.
fn distance(target: i64, bond: i64, consensus: i64) -> i64 {
    // Of the four the compiler selects without a branch, which would be a guess at each pair.
    let (above, below) = if target >= bond { (target, consensus) } else { (bond, target) };
    (above - below).clamp(0, ONE)
}

/// The speed of a liquid bond as a function of its distance: a logistic curve around one half.
pub(super) struct Curve {
    low: i64,
    high: i64,
    /// Factor of the exponent.
    slope: i64,
    /// The exponents at the distances 0 and 1, with their speeds. They are the most frequent: most
    /// weights that are bought are at the consensus, and a steep curve is flat elsewhere.
    ends: [(i64, i64); 2],
}

/// Room for the speeds of a row.
#[derive(Default)]
pub(super) struct Speeds {
    speeds: Vec<i64>,
    /// The exponents whose speed is not known yet, and where it goes.
    exponents: Vec<i64>,
    places: Vec<usize>,
}

impl Curve {
    pub(super) fn new(input: &EpochInput) -> Self {
        let steepness = i64::from(input.alpha_sigmoid_steepness);
        let mut curve = Self {
            low: number::proportion(input.alpha_low),
            high: number::proportion(input.alpha_high),
            slope: (steepness << 32) / -100,
            ends: [(0, 0); 2],
        };
        curve.ends = [0, ONE].map(|distance| {
            let exponent = curve.exponent(distance);
            (exponent, curve.speed(number::exp(exponent)))
        });
        curve
    }

    fn exponent(&self, distance: i64) -> i64 {
        let exponent = number::mul_share(self.slope, distance - ONE / 2);
        exponent.clamp(-number::EXPONENT_MAX, number::EXPONENT_MAX)
    }

    /// The speed by its power, the exponential of the exponent.
    ///
    /// Mirrors: `alpha_sigmoid`.
    fn speed(&self, power: i64) -> i64 {
        let logistic = number::inverse(ONE.saturating_add(power));
        let speed = self.low + number::mul_share(self.high - self.low, logistic);
        speed.min(self.high).max(self.low)
    }

    /// The speeds at the distances.
    fn speeds<'a>(
        &self,
        distances: impl ExactSizeIterator<Item = i64>,
        room: &'a mut Speeds,
    ) -> &'a [i64] {
        let Speeds { speeds, exponents, places } = room;
        let count = distances.len();
        let lanes = count.next_multiple_of(EXP_LANES);
        speeds.resize(count, 0);
        exponents.resize(lanes, 0);
        places.resize(lanes, 0);
        let [first, last] = self.ends;
        let mut open = 0;
        for (place, (speed, distance)) in speeds.iter_mut().zip(distances).enumerate() {
            let exponent = self.exponent(distance);
            (exponents[open], places[open]) = (exponent, place);
            open += usize::from((exponent != first.0) & (exponent != last.0));
            *speed = if exponent == first.0 { first.1 } else { last.1 };
        }
        // The last lanes may hold what an earlier row left: it is computed and dropped.
        for start in (0..open).step_by(EXP_LANES) {
            let lanes = core::array::from_fn(|lane| exponents[start + lane]);
            let powers = number::exp_lanes(lanes);
            for (&place, power) in places[start..open].iter().zip(powers) {
                speeds[place] = self.speed(power);
            }
        }
        speeds
    }
}
