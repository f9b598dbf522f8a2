//! `outdated`: sets weights by the uids of an old metagraph, or with an old version key, or both.
//!
//! Whoever has a uid by now gets what its former holder had earned.

use super::{act_through, reweighed, settings};
use crate::commitment::Intent;
use crate::machine::{Context, Input, Machine};
use crate::registry::{InvalidSetting, within};
use crate::validator::{Sampler, SamplerSettings};
use protocol::state::Subnet;
use protocol::units::{AccountId, BLOCKS_PER_DAY};
use serde::{Deserialize, Serialize};

settings! {
    /// Settings of `outdated`.
    OutdatedSettings {
        /// How it asks, scores and sets weights.
        sampling: SamplerSettings = SamplerSettings::default(),
        /// Whether its metagraph is old.
        old_metagraph: bool = true,
        /// Whether its version key is old.
        old_version: bool = true,
        /// Blocks until it looks at the metagraph and the version key again; absent for never.
        refresh_blocks: Option<u64> = None,
    }
}

impl OutdatedSettings {
    /// Checks the values.
    ///
    /// # Errors
    /// The first setting it could not act on.
    pub fn check(&self) -> Result<(), InvalidSetting> {
        self.sampling.check()?;
        let (blocks, year) = (self.refresh_blocks.unwrap_or(1), 365 * BLOCKS_PER_DAY);
        within("refresh_blocks", blocks, 1..=year, "1 block to 1 year")
    }
}

/// What an outdated validator holds to be the subnet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Snapshot {
    block: u64,
    /// Hotkeys by uid, each with the last weight that its scores gave it.
    neurons: Vec<(AccountId, u16)>,
    version_key: u64,
}

impl Snapshot {
    fn of(subnet: &Subnet, block: u64) -> Self {
        let neurons = subnet.neurons.hotkeys.iter().map(|hotkey| (*hotkey, 0)).collect();
        Self { block, neurons, version_key: subnet.params.weights_version_key }
    }

    /// Notes what present scores say about those it knows; of those who are gone it keeps what it knew.
    fn note(&mut self, honest: &Intent, subnet: &Subnet) {
        for (hotkey, weight) in &mut self.neurons {
            if let Some(uid) = subnet.neurons.uid(hotkey) {
                let scored = honest.uids.iter().position(|known| *known == uid);
                *weight = scored.map_or(0, |place| honest.values[place]);
            }
        }
    }
}

/// A validator with old knowledge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outdated {
    settings: OutdatedSettings,
    sampler: Sampler,
    snapshot: Option<Snapshot>,
}

impl Outdated {
    /// A validator that has not started.
    pub fn new(settings: OutdatedSettings) -> Self {
        let sampler = Sampler::new(settings.sampling.clone());
        Self { settings, sampler, snapshot: None }
    }
}

/// The row as old knowledge has it.
fn aged(
    settings: &OutdatedSettings,
    snapshot: &mut Option<Snapshot>,
    honest: Intent,
    subnet: &Subnet,
    height: u64,
) -> Option<Intent> {
    let due = |known: &Snapshot| {
        settings.refresh_blocks.is_some_and(|blocks| height - known.block >= blocks)
    };
    if snapshot.as_ref().is_some_and(due) {
        *snapshot = None;
    }
    let known = snapshot.get_or_insert_with(|| Snapshot::of(subnet, height));
    known.note(&honest, subnet);
    let version_key = if settings.old_version { known.version_key } else { honest.version_key };
    let honest = Intent { version_key, ..honest };
    if !settings.old_metagraph {
        return Some(honest);
    }
    let weights = known.neurons.iter().map(|(_, weight)| u64::from(*weight));
    // A trimmed subnet has fewer uids than it knows.
    let parts = (0..).zip(weights).take(subnet.neurons.len()).collect();
    reweighed(honest, parts)
}

impl Machine for Outdated {
    fn step(&mut self, input: &Input<'_>, context: &mut Context<'_>) {
        let Self { settings, sampler, snapshot } = self;
        let mut age = |honest: Intent, subnet: &Subnet, context: &Context<'_>| {
            aged(settings, snapshot, honest, subnet, context.view.state().height.0)
        };
        act_through(sampler, input, context, &mut age, |_| true);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adversary::arena::{
        EPOCH, NETUID, VALIDATORS, arena, calls, change, control, refusals_of, row, swap_in,
    };
    use crate::registry::BehaviourSettings;

    fn outdated(settings: OutdatedSettings) -> BehaviourSettings {
        BehaviourSettings::Outdated(settings)
    }

    #[test]
    fn it_weighs_whoever_has_the_uid_by_now() {
        let mut stage = arena(&[outdated(OutdatedSettings::default())], |_| {});
        let mut honest = control(1, |_| {});
        stage.play(4 * EPOCH);
        honest.play(4 * EPOCH);
        assert_eq!(stage.state.root(), honest.state.root(), "until somebody new comes");
        let best = VALIDATORS as u16;
        let mut stage = change(stage, |state| swap_in(state, best));
        stage.play(3 * EPOCH);
        assert_eq!(stage.state.height.0 / EPOCH, 7);
        let weight = |uid| row(&stage, uid).iter().find(|(known, _)| *known == best).copied();
        assert_eq!(weight(0), Some((best, 65_535)), "the newcomer has what the former had earned");
        assert_eq!(weight(1), None, "nobody else ever heard of it");
    }

    #[test]
    fn an_old_version_key_is_refused_until_it_looks_again() {
        let settings = OutdatedSettings {
            old_metagraph: false,
            refresh_blocks: Some(8 * EPOCH),
            ..Default::default()
        };
        let mut stage = arena(&[outdated(settings)], |_| {});
        stage.play(4 * EPOCH);
        let set = calls(&stage, 0, "set_weights");
        assert!(set >= 3 && stage.refusals().is_empty());
        let mut stage = change(stage, |state| {
            state.subnets.get_mut(&NETUID).expect("it was made").params.weights_version_key = 9;
        });
        stage.play(3 * EPOCH);
        let refused = refusals_of(&stage, 0);
        assert!(refused.len() >= 2, "{refused:?}");
        assert!(refused.iter().all(|said| said == "set_weights IncorrectWeightVersionKey"));
        assert_eq!(refused, stage.refusals(), "the others run the new version");
        stage.play(6 * EPOCH);
        assert!(calls(&stage, 0, "set_weights") >= 3, "it has looked again");
    }
}
