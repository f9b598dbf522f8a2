//! `weight-copier`: queries no miner and sets a consensus, another validator's row or a blend of past ones as its own.

use super::{act_through, is_message, reweighed, settings};
use crate::commitment::Intent;
use crate::machine::{Context, Input, Machine};
use crate::registry::{InvalidSetting, within};
use crate::trade::{most_staked, permitted};
use crate::validator::{Sampler, SamplerSettings, validates};
use protocol::state::Subnet;
use protocol::units::{AccountId, NetUid};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// What a copier copies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Copied {
    /// The consensus of the last epoch.
    #[default]
    Consensus,
    /// The row of the validator with most stake.
    Validator,
    /// The mean of the last consensuses.
    Blend,
}

settings! {
    /// Settings of `weight-copier`.
    WeightCopierSettings {
        /// When it sets weights and how it commits them; it asks nobody.
        sampling: SamplerSettings = SamplerSettings { stagger_ppm: 0, ..Default::default() },
        /// What it copies.
        copies: Copied = Copied::Consensus,
        /// Epochs whose consensus a blend is of.
        memory_epochs: u32 = 4,
    }
}

impl WeightCopierSettings {
    /// Checks the values.
    ///
    /// # Errors
    /// The first setting it could not act on.
    pub fn check(&self) -> Result<(), InvalidSetting> {
        self.sampling.check()?;
        within("memory_epochs", self.memory_epochs.into(), 1..=64, "1 to 64")
    }
}

/// The consensus of an epoch, by hotkey: a uid may be another's by now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Remembered {
    block: u64,
    consensus: Vec<(AccountId, u16)>,
}

/// A validator that copies weights.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WeightCopier {
    settings: WeightCopierSettings,
    sampler: Sampler,
    /// The oldest first.
    memory: VecDeque<Remembered>,
}

impl WeightCopier {
    /// A validator that has not started.
    pub fn new(settings: WeightCopierSettings) -> Self {
        let sampler = Sampler::new(settings.sampling.clone());
        Self { settings, sampler, memory: VecDeque::new() }
    }
}

/// What is copied, by uid; nothing before there is anything to copy.
fn copied(
    settings: &WeightCopierSettings,
    memory: &mut VecDeque<Remembered>,
    subnet: &Subnet,
    netuid: NetUid,
    context: &Context<'_>,
) -> Vec<(u16, u64)> {
    let mut parts = match settings.copies {
        Copied::Consensus => {
            (0..).zip(subnet.neurons.consensus.iter().copied().map(u64::from)).collect()
        }
        Copied::Validator => copied_row(subnet, netuid, context),
        Copied::Blend => {
            remember(memory, settings.memory_epochs as usize, subnet);
            copied_blend(memory, subnet)
        }
    };
    let own = subnet.neurons.uid(&context.me.hotkey);
    parts.retain(|(uid, part)| Some(*uid) != own && *part > 0);
    parts
}

fn copied_row(subnet: &Subnet, netuid: NetUid, context: &Context<'_>) -> Vec<(u16, u64)> {
    let acts = |hotkey: &&AccountId| {
        let uid = subnet.neurons.uid(hotkey);
        **hotkey != context.me.hotkey && uid.is_some_and(|uid| validates(subnet, uid))
    };
    let biggest = most_staked(context.view.state(), netuid, permitted(subnet).filter(acts));
    let uid = biggest.and_then(|hotkey| subnet.neurons.uid(&hotkey)).map(usize::from);
    let rows = subnet.mechanism(0).map(|mechanism| &mechanism.weights);
    let row = uid.and_then(|uid| rows?.get(uid)).into_iter().flatten();
    row.map(|(uid, weight)| (*uid, u64::from(*weight))).collect()
}

/// Notes the consensus of the last epoch, once.
fn remember(memory: &mut VecDeque<Remembered>, most: usize, subnet: &Subnet) {
    let block = subnet.fast.last_step;
    let neurons = subnet.neurons.hotkeys.iter().copied();
    let consensus: Vec<(AccountId, u16)> =
        neurons.zip(subnet.neurons.consensus.iter().copied()).filter(|(_, c)| *c > 0).collect();
    if consensus.is_empty() || memory.back().is_some_and(|last| last.block == block) {
        return;
    }
    memory.push_back(Remembered { block, consensus });
    while memory.len() > most {
        memory.pop_front();
    }
}

fn copied_blend(memory: &VecDeque<Remembered>, subnet: &Subnet) -> Vec<(u16, u64)> {
    let mut sums = vec![0_u64; subnet.neurons.len()];
    for (hotkey, consensus) in memory.iter().flat_map(|epoch| &epoch.consensus) {
        if let Some(uid) = subnet.neurons.uid(hotkey) {
            sums[usize::from(uid)] += u64::from(*consensus);
        }
    }
    (0..).zip(sums).collect()
}

impl Machine for WeightCopier {
    fn step(&mut self, input: &Input<'_>, context: &mut Context<'_>) {
        let Self { settings, sampler, memory } = self;
        let mut copy = |honest: Intent, subnet: &Subnet, context: &Context<'_>| {
            let parts = copied(settings, memory, subnet, honest.netuid, context);
            reweighed(honest, parts)
        };
        act_through(sampler, input, context, &mut copy, |said| !is_message(said));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adversary::arena::{EPOCH, arena, control, queries, row, trust};
    use crate::registry::BehaviourSettings;

    fn copier(copies: Copied) -> BehaviourSettings {
        BehaviourSettings::WeightCopier(WeightCopierSettings { copies, ..Default::default() })
    }

    #[test]
    fn it_asks_nobody_and_is_trusted_like_those_who_do() {
        for copies in [Copied::Consensus, Copied::Validator, Copied::Blend] {
            let mut stage = arena(&[copier(copies)], |_| {});
            let mut honest = control(1, |_| {});
            stage.play(8 * EPOCH);
            honest.play(8 * EPOCH);
            assert_eq!(queries(&stage, 0), 0, "{copies:?}");
            assert!(queries(&honest, 0) > 10);
            assert!(trust(&stage, 0) > 64_000, "{copies:?}: {}", trust(&stage, 0));
            assert!(row(&stage, 0).len() >= 3, "{copies:?}: {:?}", row(&stage, 0));
            assert!(queries(&stage, 1) > 10, "the others ask");
            assert_eq!(stage.refusals(), [""; 0]);
        }
    }

    #[test]
    fn a_blend_forgets_who_is_gone_and_what_is_too_old() {
        let mut subnet = Subnet::default();
        let keys = [1, 2, 3].map(|n| AccountId([n; 32]));
        let enter = |subnet: &mut Subnet, hotkeys: &[AccountId], consensus: &[u16]| {
            subnet.neurons.hotkeys = hotkeys.to_vec();
            subnet.neurons.uids = hotkeys.iter().copied().zip(0..).collect();
            subnet.neurons.consensus = consensus.to_vec();
        };
        let mut memory = VecDeque::new();
        for (step, consensus) in [(1, [7, 0]), (2, [100, 10]), (2, [9, 9]), (3, [50, 30])] {
            enter(&mut subnet, &keys[..2], &consensus);
            subnet.fast.last_step = step;
            remember(&mut memory, 2, &subnet);
        }
        assert_eq!(copied_blend(&memory, &subnet), [(0, 150), (1, 40)]);
        enter(&mut subnet, &[keys[2], keys[1]], &[0, 0]);
        assert_eq!(copied_blend(&memory, &subnet), [(0, 0), (1, 40)]);
    }
}
