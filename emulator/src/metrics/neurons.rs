//! What a subnet's neurons are after a block: by role for every subnet, one by one for subnets that were named.
//!
//! What belongs here: sums and concentrations of the chain's own columns. What does not: when they are looked at again
//! (`subnets`). A role is what the chain says: a validator has a permit, a miner has none.

use crate::report::{gini, herfindahl};
use protocol::state::{Neurons, Subnet};
use protocol::units::{AccountId, Alpha};

/// What a neuron is to the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NeuronRole {
    /// It has a permit.
    Validator,
    /// It has none.
    Miner,
}

impl NeuronRole {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Validator, Self::Miner];

    /// As the label has it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Validator => "validator",
            Self::Miner => "miner",
        }
    }

    fn of(neurons: &Neurons, uid: usize) -> Self {
        match neurons.validator_permit.get(uid) {
            Some(true) => Self::Validator,
            _ => Self::Miner,
        }
    }
}

/// A value for each role, in the order of [`NeuronRole::ALL`].
pub type ByRole<T> = [T; 2];

/// What changes with epochs and registrations alone.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct StaffReading {
    /// Neurons.
    pub count: ByRole<u64>,
    /// Alpha of the last epoch.
    pub emission: ByRole<u64>,
    /// Mean trust, of 1.
    pub trust: ByRole<f64>,
    /// Validators that are active.
    pub active: u64,
    /// Validator trust of active validators by stake.
    pub agreement: Option<f64>,
    /// Of incentive.
    pub incentive_herfindahl: f64,
    /// Of incentive, over miners and whoever else gets some.
    pub incentive_gini: f64,
    /// Of dividends.
    pub dividends_herfindahl: f64,
    /// Of dividends, over validators and whoever else gets some.
    pub dividends_gini: f64,
    /// Neurons with any consensus weight.
    pub weighted: u64,
    /// Bonds that are not 0.
    pub bonds: u64,
    /// The largest holder's part of them.
    pub bonds_top: f64,
}

/// Stake, in the smallest unit of alpha.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StakeReading {
    /// Behind all hotkeys.
    pub total: u64,
    /// The owner's, behind any hotkey.
    pub owner: u64,
    /// Behind the neurons of a role.
    pub by_role: ByRole<u64>,
}

/// One neuron of a named subnet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NeuronRow {
    /// Whose uid it is.
    pub hotkey: AccountId,
    /// What it is.
    pub role: NeuronRole,
    /// Alpha behind it.
    pub stake: u64,
    /// The mean over mechanisms, of 1.
    pub incentive: f64,
    /// Of 65,535.
    pub dividends: u16,
    /// Of 65,535.
    pub consensus: u16,
    /// Of 65,535.
    pub validator_trust: u16,
    /// Alpha of the last epoch.
    pub emission: u64,
    /// Block of the last weights or commit on mechanism 0.
    pub updated_at: u64,
}

/// A part of 65,535 as one of 1.
pub fn part(of_u16: u16) -> f64 {
    f64::from(of_u16) / f64::from(u16::MAX)
}

impl StaffReading {
    /// Looks at a subnet.
    pub fn of(subnet: &Subnet) -> Self {
        let neurons = &subnet.neurons;
        let mut seen = Self::default();
        let (mut miners, mut validators) = (Vec::new(), Vec::new());
        let (mut stake, mut kept) = (0.0, 0.0);
        for uid in 0..neurons.len() {
            let role = NeuronRole::of(neurons, uid);
            let trust = part(at(&neurons.validator_trust, uid));
            let consensus = at(&neurons.consensus, uid);
            let place = role as usize;
            seen.count[place] += 1;
            let emission = neurons.emission.get(uid).map_or(0, |alpha| alpha.0);
            seen.emission[place] = seen.emission[place].saturating_add(emission);
            seen.trust[place] += match role {
                NeuronRole::Validator => trust,
                NeuronRole::Miner => part(consensus),
            };
            seen.weighted += u64::from(consensus > 0);
            if role == NeuronRole::Validator && neurons.active.get(uid) == Some(&true) {
                let weight = f64::from(at(&neurons.stake_weight, uid));
                seen.active += 1;
                stake += weight;
                kept += weight * trust;
            }
            let (incentive, dividends) = (incentive(subnet, uid), at(&neurons.dividends, uid));
            if role == NeuronRole::Miner || incentive > 0.0 {
                miners.push(incentive);
            }
            if role == NeuronRole::Validator || dividends > 0 {
                validators.push(f64::from(dividends));
            }
        }
        for (trust, count) in seen.trust.iter_mut().zip(seen.count) {
            *trust /= count.max(1) as f64;
        }
        seen.agreement = (stake > 0.0).then(|| kept / stake);
        seen.incentive_herfindahl = herfindahl(&miners);
        seen.incentive_gini = gini(&miners);
        seen.dividends_herfindahl = herfindahl(&validators);
        seen.dividends_gini = gini(&validators);
        seen.look_at_bonds(subnet);
        seen
    }

    fn look_at_bonds(&mut self, subnet: &Subnet) {
        let mut sums = vec![0_u64; subnet.neurons.len()];
        for mechanism in &subnet.mechanisms {
            for (sum, row) in sums.iter_mut().zip(&mechanism.bonds) {
                for (_, bond) in row {
                    self.bonds += u64::from(*bond > 0);
                    *sum += u64::from(*bond);
                }
            }
        }
        let (all, top) = (sums.iter().sum::<u64>(), sums.iter().max().copied().unwrap_or(0));
        self.bonds_top = if all == 0 { 0.0 } else { top as f64 / all as f64 };
    }
}

impl StakeReading {
    /// Looks at a subnet.
    pub fn of(subnet: &Subnet) -> Self {
        let sum = |parts: &mut dyn Iterator<Item = Alpha>| {
            parts.fold(0_u64, |sum, alpha| sum.saturating_add(alpha.0))
        };
        let owned = |owner: &AccountId| {
            let held = subnet.pools.values().filter(|pool| pool.holders.contains_key(owner));
            sum(&mut held.map(|pool| pool.value(owner)))
        };
        let mut by_role = [0_u64; 2];
        for (uid, hotkey) in subnet.neurons.hotkeys.iter().enumerate() {
            let place = NeuronRole::of(&subnet.neurons, uid) as usize;
            by_role[place] = by_role[place].saturating_add(behind(subnet, hotkey));
        }
        Self {
            total: sum(&mut subnet.pools.values().map(|pool| pool.alpha)),
            owner: subnet.info.owner.as_ref().map_or(0, owned),
            by_role,
        }
    }
}

/// The neurons of a subnet, by uid.
pub fn rows(subnet: &Subnet) -> Vec<NeuronRow> {
    let neurons = &subnet.neurons;
    let updates = subnet.mechanisms.first().map_or(&[][..], |one| &one.last_update[..]);
    let rows = neurons.hotkeys.iter().enumerate().map(|(uid, hotkey)| NeuronRow {
        hotkey: *hotkey,
        role: NeuronRole::of(neurons, uid),
        stake: behind(subnet, hotkey),
        incentive: incentive(subnet, uid),
        dividends: at(&neurons.dividends, uid),
        consensus: at(&neurons.consensus, uid),
        validator_trust: at(&neurons.validator_trust, uid),
        emission: neurons.emission.get(uid).map_or(0, |alpha| alpha.0),
        updated_at: updates.get(uid).copied().unwrap_or(0),
    });
    rows.collect()
}

/// Commitments that wait to be opened.
pub fn commits_waiting(subnet: &Subnet) -> u64 {
    let hashed = subnet.commits.values().map(Vec::len).sum::<usize>();
    let sealed = subnet.timelocked.values().map(Vec::len).sum::<usize>();
    (hashed + sealed) as u64
}

/// The mean over mechanisms.
fn incentive(subnet: &Subnet, uid: usize) -> f64 {
    let parts = subnet.mechanisms.iter().map(|mechanism| part(at(&mechanism.incentive, uid)));
    parts.sum::<f64>() / subnet.mechanisms.len().max(1) as f64
}

fn behind(subnet: &Subnet, hotkey: &AccountId) -> u64 {
    subnet.pools.get(hotkey).map_or(0, |pool| pool.alpha.0)
}

/// A column may be shorter than there are uids until an epoch ran.
fn at(column: &[u16], uid: usize) -> u16 {
    column.get(uid).copied().unwrap_or(0)
}
