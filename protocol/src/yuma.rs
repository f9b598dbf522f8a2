//! One epoch of one mechanism of a subnet: from stake, weights and old bonds to incentives,
//! dividends, amounts and new bonds.
//!
//! A pure function of numbers. Not here: which subnet is due, where the numbers are read from,
//! where the results are stored, and how the amounts are paid.
//!
//! All numbers of the consensus are signed with 32 fraction bits (`number`); a *raw* value is the
//! integer that represents them. Every product and quotient is floored or truncated on its own, as
//! on the chain: two steps are never fused, and no value is normalised once where the chain
//! normalises twice.
//!
//! Most of the time goes into a few loops over entries. Each is a function of its own, never
//! inlined, because in one large function they run out of registers; and none branches on what a
//! processor cannot foresee.

use alloc::vec::Vec;

mod bonds;
mod consensus;
mod liquid;
mod matrix;
mod mechanisms;
mod number;
mod stake;
mod weights;

#[cfg(test)]
mod plain;
#[cfg(test)]
mod random;
#[cfg(test)]
mod tests;

pub use mechanisms::{fold_mechanisms, split_mechanisms};
pub use stake::{combined_stake, inherited_stake, proportion_u64};
pub use weights::max_upscale;

use bonds::Bonds;
use weights::Agreement;

/// A row of weights or bonds: (uid, value) pairs in the order in which they are stored.
pub type Row = Vec<(u16, u16)>;

/// One mechanism's epoch as numbers. Slices are indexed by uid and have length n, the length of
/// `stake`; what other slices lack reads as 0, `false`, `None` or an empty row, and what they have
/// beyond n is ignored.
#[derive(Clone, Copy, Debug)]
pub struct EpochInput<'a> {
    /// Current height in blocks.
    pub block: u64,
    /// Tempo of the subnet in blocks; only says which bonds belong to a replaced uid.
    pub tempo: u16,
    /// Blocks after which a uid that did not update counts as inactive.
    pub activity_cutoff: u16,
    /// Most permits given.
    pub max_validators: u16,
    /// The uid of the subnet owner's hotkey; its weight on itself counts.
    pub owner_uid: Option<u16>,
    /// Majority that carries a weight, in 1/65535.
    pub kappa: u16,
    /// How far bonds follow the clipped weights, in 1/65535.
    pub bonds_penalty: u16,
    /// Share of the old bond that stays, in millionths.
    pub bonds_moving_average: u64,
    /// Whether each bond has its own speed (in effect with `yuma3` only).
    pub liquid_alpha: bool,
    /// Whether bonds are levels of a pair instead of shares of a column.
    pub yuma3: bool,
    /// Slowest speed of a liquid bond, in 1/65535.
    pub alpha_low: u16,
    /// Fastest speed of a liquid bond, in 1/65535.
    pub alpha_high: u16,
    /// Steepness of the curve between them, in hundredths.
    pub alpha_sigmoid_steepness: i16,
    /// Whole stake below which a uid counts as having none.
    pub stake_threshold: u64,
    /// Amount to divide.
    pub rao_emission: u64,
    /// Whether pending commits mask columns.
    pub commit_reveal: bool,
    /// Stake with 64 fraction bits, see [`combined_stake`].
    pub stake: &'a [i128],
    /// Height of the last update of the uid's weights.
    pub last_update: &'a [u64],
    /// Height at which the uid got its present hotkey.
    pub registered_at: &'a [u64],
    /// Permits in force during this epoch.
    pub validator_permit: &'a [bool],
    /// Height of the uid's earliest commit that has not expired.
    pub commit_block: &'a [Option<u64>],
    /// Weights as stored.
    pub weights: &'a [Row],
    /// Bonds as stored.
    pub bonds: &'a [Row],
}

impl EpochInput<'_> {
    fn registered(&self, uid: usize) -> u64 {
        self.registered_at.get(uid).copied().unwrap_or(0)
    }
}

/// What an epoch decides, by uid; every list has length n. Proportions are in 1/65535 and floored,
/// amounts are floored: what they lack to the emission stays with the caller.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EpochOutput {
    /// Whether the uid updated recently enough.
    pub active: Vec<bool>,
    /// Share of the stake.
    pub stake_weight: Vec<u16>,
    /// Weight on which the majority of active stake agrees.
    pub consensus: Vec<u16>,
    /// Part of the uid's own weights that lies within consensus.
    pub validator_trust: Vec<u16>,
    /// Share of the miners' half.
    pub incentive: Vec<u16>,
    /// Share of the validators' half.
    pub dividends: Vec<u16>,
    /// Amount earned as a miner.
    pub server_emission: Vec<u64>,
    /// Amount earned as a validator.
    pub validator_emission: Vec<u64>,
    /// Amount earned as both; floored on its own, so not always the sum of the two.
    pub emission: Vec<u64>,
    /// Permits for the next epoch.
    pub new_validator_permit: Vec<bool>,
    /// Whole stake, before the threshold.
    pub stake: Vec<u64>,
    /// New bonds; empty for a uid without a new permit.
    pub bonds: Vec<Row>,
}

/// The raw values (32 fraction bits) behind an [`EpochOutput`], for comparison and analysis.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EpochRaw {
    /// Share of the stake.
    pub stake: Vec<i64>,
    /// Share of the stake among active uids with a permit.
    pub active_stake: Vec<i64>,
    /// Weight on which the majority agrees.
    pub consensus: Vec<i64>,
    /// Part of the uid's weights within consensus.
    pub validator_trust: Vec<i64>,
    /// Share of the miners' half.
    pub incentive: Vec<i64>,
    /// Share of the validators' half.
    pub dividends: Vec<i64>,
    /// New bonds of every uid, before permits are applied (legacy: after the column maximum is
    /// scaled to one).
    pub ema_bonds: Vec<Vec<(u16, i64)>>,
}

/// Computes an epoch.
///
/// Units and rounding: see [`EpochInput`] and [`EpochOutput`]. Any input gives a result.
///
/// Mirrors: `epoch_mechanism` of subtensor's `epoch/run_epoch.rs`.
pub fn epoch(input: &EpochInput) -> EpochOutput {
    settle(input).output(input)
}

/// Computes an epoch and shows the raw values behind it.
///
/// Mirrors: `epoch_mechanism` of subtensor's `epoch/run_epoch.rs`.
pub fn epoch_with_raw(input: &EpochInput) -> (EpochOutput, EpochRaw) {
    let settled = settle(input);
    (settled.output(input), settled.into_raw())
}

/// The epoch before anything is cut to 16 bits.
struct Settled {
    active: Vec<bool>,
    new_permit: Vec<bool>,
    stake: Vec<i64>,
    active_stake: Vec<i64>,
    consensus: Vec<i64>,
    validator_trust: Vec<i64>,
    incentive: Vec<i64>,
    dividends: Vec<i64>,
    bonds: Bonds,
}

fn settle(input: &EpochInput) -> Settled {
    let active = stake::active(input);
    let shares = stake::shares(input.stake, input.stake_threshold);
    let new_permit = stake::top(&shares, input.max_validators);
    let active_stake = stake::active_shares(&shares, &active, input.validator_permit);

    let submitted = weights::submitted(input);
    let majority = number::proportion(input.kappa);
    let consensus = consensus::consensus(&submitted, &active_stake, majority);
    let Agreement { trust, incentive, targets } =
        weights::agree(submitted, &consensus, &active_stake, input.bonds_penalty);

    let basis = bonds::Basis {
        stored: bonds::Stored::new(input),
        active_stake: &active_stake,
        incentive: &incentive,
    };
    let alpha = bonds::alpha(input.bonds_moving_average);
    let (bonds, dividends) = if !input.yuma3 {
        basis.legacy(targets, alpha)
    } else if input.liquid_alpha && consensus.iter().any(|&value| value != 0) {
        let curve = liquid::Curve::new(input);
        let (levels, sums) = liquid::liquid(targets, &basis.stored, &consensus, &curve);
        basis.levels(levels, &sums)
    } else {
        basis.constant(&targets, alpha)
    };
    Settled {
        active,
        new_permit,
        stake: shares,
        active_stake,
        consensus,
        validator_trust: trust,
        incentive,
        dividends,
        bonds,
    }
}

impl Settled {
    fn output(&self, input: &EpochInput) -> EpochOutput {
        let shares = EmissionShares::new(self);
        EpochOutput {
            active: self.active.clone(),
            stake_weight: quantised(&self.stake),
            consensus: quantised(&self.consensus),
            validator_trust: quantised(&self.validator_trust),
            incentive: quantised(&self.incentive),
            dividends: quantised(&self.dividends),
            server_emission: amounts(&shares.server, input.rao_emission),
            validator_emission: amounts(&shares.validator, input.rao_emission),
            emission: amounts(&shares.combined, input.rao_emission),
            new_validator_permit: self.new_permit.clone(),
            stake: input.stake.iter().map(|&stake| stake::whole(stake)).collect(),
            bonds: self.bonds_kept(),
        }
    }

    /// The rows of those who hold a permit next, cut to 16 bits; a value that becomes 0 stays as
    /// an entry.
    fn bonds_kept(&self) -> Vec<Row> {
        let rows = self.new_permit.iter().enumerate();
        rows.map(|(uid, &permit)| match permit {
            true => self.bonds.row(uid, number::to_u16),
            false => Row::new(),
        })
        .collect()
    }

    fn into_raw(self) -> EpochRaw {
        let rows = 0..self.stake.len();
        EpochRaw {
            ema_bonds: rows.map(|uid| self.bonds.row(uid, |value| value)).collect(),
            stake: self.stake,
            active_stake: self.active_stake,
            consensus: self.consensus,
            validator_trust: self.validator_trust,
            incentive: self.incentive,
            dividends: self.dividends,
        }
    }
}

/// Shares of the emission by uid.
struct EmissionShares {
    server: Vec<i64>,
    validator: Vec<i64>,
    combined: Vec<i64>,
}

impl EmissionShares {
    /// Without any incentive or dividend, validators share by stake: that of the active ones, or
    /// if there are none, everybody's.
    fn new(settled: &Settled) -> Self {
        let pairs = settled.incentive.iter().zip(&settled.dividends);
        let combined: Vec<i64> = pairs.map(|(i, d)| i.saturating_add(*d)).collect();
        let total = number::sum(&combined);
        if total == 0 {
            let fallback = match number::sum(&settled.active_stake) {
                0 => &settled.stake,
                _ => &settled.active_stake,
            };
            return Self {
                server: settled.incentive.clone(),
                validator: fallback.clone(),
                combined: fallback.clone(),
            };
        }
        let of_total = |values: &[i64]| values.iter().map(|&v| number::div(v, total)).collect();
        Self {
            server: of_total(&settled.incentive),
            validator: of_total(&settled.dividends),
            combined: of_total(&combined),
        }
    }
}

fn quantised(values: &[i64]) -> Vec<u16> {
    values.iter().map(|&value| number::to_u16(value)).collect()
}

fn amounts(shares: &[i64], rao: u64) -> Vec<u64> {
    shares.iter().map(|&share| number::amount(share, rao)).collect()
}
