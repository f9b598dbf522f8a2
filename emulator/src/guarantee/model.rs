//! Two camps on one subnet: who is in which, what they weigh, and what the epoch gives them.
//!
//! UIDs are numbered so: honest validators who evaluate, honest ones who copy, the cabal's; honest miners, the cabal's.

use super::chance::Sample;
use super::{Measured, Millionths, Settings};
use protocol::yuma::{EpochInput, EpochOutput, Row, epoch, max_upscale};
use std::ops::Range;

/// Stake of all validators, in the smallest unit of alpha: a million alpha.
pub const STAKE_TOTAL: u64 = 1_000_000_000_000_000;
/// What an epoch divides, in the smallest unit of alpha: so much that flooring amounts loses less than the shares, of
/// 32 fraction bits, have lost already.
pub const EMISSION: u64 = 1_000_000_000_000_000;
/// The chain's default: nine tenths of a bond stay.
pub const BONDS_MOVING_AVERAGE: u64 = 900_000;
/// The chain's default.
const TEMPO: u16 = 360;
/// The chain's default; nobody is inactive.
const ACTIVITY_CUTOFF: u16 = 5_000;
/// Height of the first epoch: far enough from the registrations at 0.
const FIRST_BLOCK: u64 = 10_000;

/// Who is in which camp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Camps {
    /// Honest validators who evaluate.
    pub evaluators: usize,
    /// Honest validators who copy.
    pub copiers: usize,
    /// The cabal's validators.
    pub cabal_validators: usize,
    /// Honest miners.
    pub honest_miners: usize,
    /// The cabal's miners.
    pub cabal_miners: usize,
}

impl Camps {
    /// Shares of UIDs are the shares of stake, floored, and at least one.
    pub fn new(settings: &Settings, honest_stake: Millionths) -> Self {
        let miners = settings.uids - settings.validators;
        let honest = Self::honest_of(settings.validators, honest_stake);
        let honest_miners = Self::honest_of(miners, honest_stake);
        let copiers = match settings.copiers.is_none() {
            true => 0,
            false => part(settings.copiers, honest),
        };
        Self {
            evaluators: usize::from(honest - copiers),
            copiers: usize::from(copiers),
            cabal_validators: usize::from(settings.validators - honest),
            honest_miners: usize::from(honest_miners),
            cabal_miners: usize::from(miners - honest_miners),
        }
    }

    /// Honest ones among so many.
    pub fn honest_of(count: u16, honest_stake: Millionths) -> u16 {
        part(honest_stake, count)
    }

    fn honest_validators(&self) -> usize {
        self.evaluators + self.copiers
    }

    fn validators(&self) -> usize {
        self.honest_validators() + self.cabal_validators
    }

    fn miners(&self) -> usize {
        self.honest_miners + self.cabal_miners
    }

    fn is_honest(&self, uid: usize) -> bool {
        let honest_miners = self.validators()..self.validators() + self.honest_miners;
        uid < self.honest_validators() || honest_miners.contains(&uid)
    }
}

/// A share of at least two, floored, with at least one on either side.
fn part(share: Millionths, count: u16) -> u16 {
    let part = u16::try_from(share.of(u64::from(count))).unwrap_or(u16::MAX);
    part.clamp(1, count.saturating_sub(1).max(1))
}

/// What all points have in common.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    kappa: u16,
    bonds_penalty: u16,
    validator_share: f64,
    points: usize,
    copy_lag: usize,
    measured: Measured,
}

impl Rules {
    /// Those of the settings.
    pub fn new(settings: &Settings) -> Self {
        Self {
            kappa: settings.kappa.as_u16(),
            bonds_penalty: settings.bonds_penalty.as_u16(),
            validator_share: settings.validator_share.as_f64(),
            points: usize::from(settings.points),
            copy_lag: usize::from(settings.reveal_epochs) + 1,
            measured: settings.measured,
        }
    }
}

/// What a point comes to.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Outcome {
    /// The honest camp's share of the emission.
    pub honest_emission: f64,
    /// What copiers earn per stake, of what honest evaluators earn per stake; none where either is nobody or the
    /// evaluators earn nothing.
    pub copier_yield: Option<f64>,
    /// The engine's amounts, summed over the epochs that count.
    pub amounts: Amounts,
}

/// Amounts of the engine, in the smallest unit of alpha.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amounts {
    /// What honest miners earn.
    pub honest_server: u64,
    /// What all miners earn.
    pub server: u64,
    /// What honest validators earn.
    pub honest_validator: u64,
    /// What all validators earn.
    pub validator: u64,
    /// What copiers, who are honest validators, earn.
    pub copiers_validator: u64,
}

impl Amounts {
    fn new(camps: &Camps, output: &EpochOutput) -> Self {
        let mut amounts = Self::default();
        let uids = output.server_emission.iter().zip(&output.validator_emission);
        for (uid, (&server, &validator)) in uids.enumerate() {
            amounts.server += server;
            amounts.validator += validator;
            if camps.is_honest(uid) {
                amounts.honest_server += server;
                amounts.honest_validator += validator;
            }
            if (camps.evaluators..camps.honest_validators()).contains(&uid) {
                amounts.copiers_validator += validator;
            }
        }
        amounts
    }

    fn add(&mut self, other: Self) {
        self.honest_server += other.honest_server;
        self.server += other.server;
        self.honest_validator += other.honest_validator;
        self.validator += other.validator;
        self.copiers_validator += other.copiers_validator;
    }

    /// The honest share, with `validator_share` of all for validators. Where one side earned nothing at all the other
    /// has both pots, as on the chain.
    fn honest_emission(&self, validator_share: f64) -> f64 {
        let miners = share(self.honest_server, self.server);
        let validators = share(self.honest_validator, self.validator);
        match (miners, validators) {
            (Some(miners), Some(validators)) => {
                validator_share * validators + (1.0 - validator_share) * miners
            }
            (Some(share), None) | (None, Some(share)) => share,
            (None, None) => 0.0,
        }
    }
}

fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// A sample with its camps: everything but the two self-weights.
#[derive(Debug)]
pub struct Trial<'a> {
    rules: &'a Rules,
    sample: &'a Sample,
    camps: Camps,
    /// By uid, with 64 fraction bits.
    stake: Vec<i128>,
    permits: Vec<bool>,
    /// What copiers hold, of what honest evaluators hold.
    copied_stake: f64,
    /// By epoch and validator, of what it sees in honest miners and in the cabal's.
    sights: Vec<Vec<[Sight; 2]>>,
}

/// What a validator sees in the miners of one camp.
#[derive(Clone, Copy, Debug)]
struct Sight {
    sum: f64,
    max: f64,
}

impl Sight {
    fn of(seen: &[f64]) -> Self {
        Self { sum: seen.iter().sum(), max: seen.iter().copied().fold(0.0, f64::max) }
    }
}

impl<'a> Trial<'a> {
    /// The sample with camps of that honest stake.
    pub fn new(
        settings: &Settings,
        rules: &'a Rules,
        sample: &'a Sample,
        honest_stake: Millionths,
    ) -> Self {
        let camps = Camps::new(settings, honest_stake);
        let uids = camps.validators() + camps.miners();
        let honest = honest_stake.of(STAKE_TOTAL);
        let copied = settings.copiers.of(honest);
        let mut stake = vec![0; uids];
        let ends = [camps.evaluators, camps.honest_validators(), camps.validators()];
        let totals = [honest - copied, copied, STAKE_TOTAL - honest];
        let mut from = 0;
        for (to, total) in ends.into_iter().zip(totals) {
            spread(&mut stake[from..to], &sample.stakes[from..to], total);
            from = to;
        }
        let sights = sample.seen.iter().map(|seen| {
            let rows = seen.chunks_exact(camps.miners());
            rows.map(|row| {
                let (honest, cabal) = row.split_at(camps.honest_miners);
                [Sight::of(honest), Sight::of(cabal)]
            })
            .collect()
        });
        Self {
            rules,
            sample,
            camps,
            permits: (0..uids).map(|uid| uid < camps.validators()).collect(),
            stake,
            copied_stake: share(copied, honest - copied).unwrap_or(0.0),
            sights: sights.collect(),
        }
    }

    /// All points with the honest self-weight of that number.
    pub fn row(&self, honest: usize) -> Vec<Outcome> {
        (0..self.rules.points).map(|cabal| self.point(honest, cabal)).collect()
    }

    /// One point, by the numbers of the two self-weights.
    fn point(&self, honest: usize, cabal: usize) -> Outcome {
        let mut subnet = Subnet::new(self, [honest, cabal]);
        let mut outcome = Outcome::default();
        let epochs = self.sample.seen.len();
        let counted = match self.rules.measured {
            Measured::Last => epochs - 1..epochs,
            Measured::Mean => 0..epochs,
        };
        for at in 0..epochs {
            let amounts = Amounts::new(&self.camps, &subnet.epoch(at));
            if counted.contains(&at) {
                outcome.amounts.add(amounts);
                outcome.honest_emission += amounts.honest_emission(self.rules.validator_share);
            }
        }
        outcome.honest_emission /= counted.len() as f64;
        let Amounts { honest_validator, copiers_validator, .. } = outcome.amounts;
        if self.camps.copiers > 0 {
            let earned = share(copiers_validator, honest_validator - copiers_validator);
            outcome.copier_yield = earned.map(|earned| earned / self.copied_stake);
        }
        outcome
    }
}

/// Divides a camp's stake among its validators in proportion to what they drew, floored; the first keeps what is left.
fn spread(stake: &mut [i128], drawn: &[f64], total: u64) {
    let sum: f64 = drawn.iter().sum();
    let mut left = total;
    for (stake, drawn) in stake.iter_mut().zip(drawn) {
        let part = if sum > 0.0 { (drawn / sum * total as f64) as u64 } else { 0 };
        let part = part.min(left);
        left -= part;
        *stake = i128::from(part) << 64;
    }
    if let Some(first) = stake.first_mut() {
        *first += i128::from(left) << 64;
    }
}

/// The subnet at one point, epoch after epoch.
struct Subnet<'a> {
    trial: &'a Trial<'a>,
    /// Parts of the points between the self-weights 0 and 1: what each camp gives itself.
    own: [usize; 2],
    weights: Vec<Row>,
    bonds: Vec<Row>,
    /// By epoch, what everybody can read of it.
    consensus: Vec<Vec<u16>>,
    last_update: Vec<u64>,
    registered_at: Vec<u64>,
}

impl<'a> Subnet<'a> {
    fn new(trial: &'a Trial<'a>, own: [usize; 2]) -> Self {
        let uids = trial.stake.len();
        Self {
            trial,
            own,
            weights: vec![Row::new(); trial.camps.validators()],
            bonds: Vec::new(),
            consensus: Vec::new(),
            last_update: vec![0; uids],
            registered_at: vec![0; uids],
        }
    }

    /// Runs one; what is needed later is taken out of its result.
    fn epoch(&mut self, at: usize) -> EpochOutput {
        let trial = self.trial;
        let block = FIRST_BLOCK + at as u64 * (u64::from(TEMPO) + 1);
        for validator in 0..trial.camps.validators() {
            self.set_weights(at, validator);
            self.last_update[validator] = block;
        }
        let mut output = epoch(&EpochInput {
            block,
            tempo: TEMPO,
            activity_cutoff: ACTIVITY_CUTOFF,
            max_validators: u16::try_from(trial.camps.validators()).unwrap_or(u16::MAX),
            owner_uid: None,
            kappa: trial.rules.kappa,
            bonds_penalty: trial.rules.bonds_penalty,
            bonds_moving_average: BONDS_MOVING_AVERAGE,
            liquid_alpha: false,
            yuma3: false,
            alpha_low: 0,
            alpha_high: 0,
            alpha_sigmoid_steepness: 0,
            stake_threshold: 0,
            rao_emission: EMISSION,
            commit_reveal: false,
            stake: &trial.stake,
            last_update: &self.last_update,
            registered_at: &self.registered_at,
            validator_permit: &trial.permits,
            commit_block: &[],
            weights: &self.weights,
            bonds: &self.bonds,
        });
        self.bonds = std::mem::take(&mut output.bonds);
        self.consensus.push(std::mem::take(&mut output.consensus));
        output
    }

    /// Writes a validator's row. Copiers evaluate like the others until there is something to copy, so that they have
    /// the bonds that others have.
    fn set_weights(&mut self, at: usize, validator: usize) {
        let camps = &self.trial.camps;
        let copies = (camps.evaluators..camps.honest_validators()).contains(&validator);
        if !copies || !self.copy(at, validator) {
            self.evaluate(at, validator);
        }
    }

    /// Writes the consensus of the newest epoch that can be read, scaled as the chain scales rows; whether there is one.
    fn copy(&mut self, at: usize, copier: usize) -> bool {
        let seen = at.checked_sub(self.trial.rules.copy_lag).map(|at| &self.consensus[at]);
        let Some(seen) = seen.filter(|seen| seen.iter().any(|&value| value > 0)) else {
            return false;
        };
        let row = &mut self.weights[copier];
        row.clear();
        let scaled = (0..).zip(max_upscale(seen));
        row.extend(scaled.filter(|&(_, value)| value > 0));
        true
    }

    /// What the validator sees, scaled so that either camp's miners have their part of it, and the largest has 65535;
    /// rounded to the nearest. What rounds to 0 is left out, as on the chain it would count as nothing.
    fn evaluate(&mut self, at: usize, validator: usize) {
        let trial = self.trial;
        let camps = &trial.camps;
        let is_honest = validator < camps.honest_validators();
        let all = (trial.rules.points - 1) as f64;
        let parts = match (is_honest, self.own) {
            (true, [own, _]) => [own as f64, all - own as f64],
            (false, [_, own]) => [all - own as f64, own as f64],
        };
        let sights = &trial.sights[at][validator];
        let factor = |camp: usize| {
            if sights[camp].sum > 0.0 { parts[camp] / all / sights[camp].sum } else { 0.0 }
        };
        let factors = [factor(0), factor(1)];
        let largest = f64::max(factors[0] * sights[0].max, factors[1] * sights[1].max);
        let row = &mut self.weights[validator];
        row.clear();
        if largest == 0.0 {
            return;
        }
        let miners = validator * camps.miners()..(validator + 1) * camps.miners();
        let (honest, cabal) = trial.sample.seen[at][miners].split_at(camps.honest_miners);
        let first = camps.validators();
        let second = first + camps.honest_miners;
        scale(row, honest, factors[0] / largest, first..second);
        scale(row, cabal, factors[1] / largest, second..second + camps.cabal_miners);
    }
}

/// Appends weights on the given UIDs.
fn scale(row: &mut Row, seen: &[f64], factor: f64, uids: Range<usize>) {
    let factor = factor * f64::from(u16::MAX);
    let entries = uids.zip(seen).map(|(uid, seen)| (uid as u16, (seen * factor + 0.5) as u16));
    row.extend(entries.filter(|&(_, weight)| weight > 0));
}
