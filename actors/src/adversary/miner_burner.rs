//! `miner-burner`: buys a majority behind its subnet's owner hotkey and gives that all weight: no miner earns.
//!
//! The chain withholds what the owner's hotkey earns as a miner.

use super::majority::MajoritySettings;
use super::{TAG_OWN, act_through, hold_beside, is_message, reweighed, settings};
use crate::commitment::Intent;
use crate::machine::{Context, Input, Machine, Output};
use crate::owner::{Hold, HoldSettings};
use crate::registry::InvalidSetting;
use crate::validator::{Sampler, SamplerSettings};
use protocol::state::Subnet;
use serde::{Deserialize, Serialize};

const TAG_START: u64 = TAG_OWN | 1;

settings! {
    /// Settings of `miner-burner`.
    MinerBurnerSettings {
        /// How it starts its subnet.
        holding: HoldSettings = HoldSettings::default(),
        /// When it sets weights and how it commits them; it asks nobody.
        sampling: SamplerSettings = SamplerSettings::default(),
        /// How it comes to its majority.
        majority: MajoritySettings = MajoritySettings::default(),
    }
}

impl MinerBurnerSettings {
    /// Checks the values.
    ///
    /// # Errors
    /// The first setting it could not act on.
    pub fn check(&self) -> Result<(), InvalidSetting> {
        self.holding.check()?;
        self.sampling.check()?;
        self.majority.check()
    }
}

/// An owner that lets no miner earn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MinerBurner {
    settings: MinerBurnerSettings,
    hold: Hold,
    sampler: Sampler,
}

impl MinerBurner {
    /// An owner that has not started.
    pub fn new(settings: MinerBurnerSettings) -> Self {
        let hold = Hold::new(settings.holding.clone());
        let sampler = Sampler::new(settings.sampling.clone());
        Self { settings, hold, sampler }
    }
}

/// Everything to the subnet's owner hotkey.
fn own(honest: Intent, subnet: &Subnet, _: &Context<'_>) -> Option<Intent> {
    let uid = subnet.info.owner_hotkey.and_then(|hotkey| subnet.neurons.uid(&hotkey))?;
    reweighed(honest, vec![(uid, 1)])
}

impl Machine for MinerBurner {
    fn step(&mut self, input: &Input<'_>, context: &mut Context<'_>) {
        match input {
            Input::Timer { tag: TAG_OWN } => {
                return self.settings.majority.pursue(TAG_OWN, context);
            }
            Input::Timer { tag: TAG_START } | Input::Receipt(_) => {
                return hold_beside(&mut self.hold, input, TAG_START, context);
            }
            Input::Start => {
                hold_beside(&mut self.hold, input, TAG_START, context);
                self.settings.majority.pursue(TAG_OWN, context);
            }
            _ => {}
        }
        let says = |said: &Output| !is_message(said);
        act_through(&mut self.sampler, input, context, &mut own, says);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adversary::arena::{
        EPOCH, NETUID, VALIDATORS, arena_with_owner, calls_of, control, incentive, queries_of,
    };
    use crate::registry::BehaviourSettings;
    use crate::stage::identity;
    use protocol::units::Alpha;

    fn burner() -> BehaviourSettings {
        let majority = MajoritySettings { interval_blocks: 3, ..Default::default() };
        let settings = MinerBurnerSettings { majority, ..Default::default() };
        BehaviourSettings::MinerBurner(settings)
    }

    #[test]
    fn with_the_majority_no_miner_earns_and_the_incentive_is_withheld() {
        let mut stage = arena_with_owner(burner(), 900, |_| {});
        let mut honest =
            arena_with_owner(BehaviourSettings::Hold(HoldSettings::default()), 900, |_| {});
        stage.play(16 * EPOCH);
        honest.play(16 * EPOCH);
        let owner = identity("owners", 0, Some(NETUID));
        assert!(calls_of(&stage, &owner, "set_weights") >= 8);
        assert_eq!(queries_of(&stage, &owner), 0);
        let uid = usize::from(stage.state.subnets[&NETUID].neurons.uids[&owner.hotkey]);
        assert!(incentive(&stage, uid) > 60_000, "{}", incentive(&stage, uid));
        assert!(incentive(&stage, VALIDATORS) < 5_000);
        assert!(incentive(&honest, VALIDATORS) > 20_000);
        let earned = |stage: &crate::stage::Stage| {
            let who = identity("miners", 0, None);
            stage.state.stake(&who.hotkey, &who.coldkey, NETUID)
        };
        assert!(earned(&stage) < earned(&honest), "{} {}", earned(&stage), earned(&honest));
        assert!(earned(&honest) > Alpha::ZERO);
        assert_eq!(stage.refusals(), [""; 0]);
    }

    #[test]
    fn without_money_it_is_outvoted() {
        let mut stage = arena_with_owner(burner(), 0, |_| {});
        let mut honest = control(0, |_| {});
        stage.play(8 * EPOCH);
        honest.play(8 * EPOCH);
        assert!(incentive(&stage, VALIDATORS).abs_diff(incentive(&honest, VALIDATORS)) < 2_000);
    }
}
