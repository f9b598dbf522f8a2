//! `dictator`: buys more than half of a subnet's stake and then weighs against what it measured.
//!
//! By its taste the worst come first, and with most of the stake its taste is the consensus.

use super::majority::MajoritySettings;
use super::{TAG_OWN, act_through, reweighed, settings};
use crate::commitment::Intent;
use crate::machine::{Context, Input, Machine};
use crate::registry::InvalidSetting;
use crate::validator::{Sampler, SamplerSettings};
use protocol::state::Subnet;
use serde::{Deserialize, Serialize};

/// How a dictator weighs when it has the majority.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Taste {
    /// The worse its score, the more.
    #[default]
    Inverse,
    /// Everything to the miner with the lowest score; of equals the lowest uid.
    Worst,
    /// As it scored: only its stake is wrong.
    Honest,
}

settings! {
    /// Settings of `dictator`.
    DictatorSettings {
        /// How it asks, scores and sets weights.
        sampling: SamplerSettings = SamplerSettings::default(),
        /// How it comes to its majority.
        majority: MajoritySettings = MajoritySettings::default(),
        /// How it weighs when it has it.
        taste: Taste = Taste::Inverse,
    }
}

impl DictatorSettings {
    /// Checks the values.
    ///
    /// # Errors
    /// The first setting it could not act on.
    pub fn check(&self) -> Result<(), InvalidSetting> {
        self.sampling.check()?;
        self.majority.check()
    }
}

/// A validator with most of the stake.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dictator {
    settings: DictatorSettings,
    sampler: Sampler,
}

impl Dictator {
    /// A validator that has not started.
    pub fn new(settings: DictatorSettings) -> Self {
        let sampler = Sampler::new(settings.sampling.clone());
        Self { settings, sampler }
    }
}

/// A row by taste.
fn tasted(taste: Taste, honest: Intent) -> Option<Intent> {
    let scored = honest.uids.iter().copied().zip(honest.values.iter().copied());
    let parts = match taste {
        Taste::Honest => return Some(honest),
        Taste::Inverse => {
            scored.map(|(uid, value)| (uid, u64::from(u16::MAX - value) + 1)).collect()
        }
        Taste::Worst => scored
            .min_by_key(|(uid, value)| (*value, *uid))
            .map(|(uid, _)| (uid, 1))
            .into_iter()
            .collect(),
    };
    reweighed(honest, parts)
}

impl Machine for Dictator {
    fn step(&mut self, input: &Input<'_>, context: &mut Context<'_>) {
        let Self { settings, sampler } = self;
        let mut dictate = |honest: Intent, subnet: &Subnet, context: &Context<'_>| {
            if settings.majority.held(subnet, context) {
                tasted(settings.taste, honest)
            } else {
                Some(honest)
            }
        };
        if !matches!(input, Input::Timer { tag: TAG_OWN }) {
            act_through(sampler, input, context, &mut dictate, |_| true);
        }
        if matches!(input, Input::Start | Input::Timer { tag: TAG_OWN }) {
            self.settings.majority.pursue(TAG_OWN, context);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adversary::arena::{EPOCH, NETUID, VALIDATORS, arena, calls, incentive, row, trust};
    use crate::registry::BehaviourSettings;
    use crate::stage::{fund, identity};
    use protocol::state::State;
    use protocol::units::Rao;

    fn dictator(taste: Taste) -> BehaviourSettings {
        let majority = MajoritySettings { interval_blocks: 3, ..Default::default() };
        BehaviourSettings::Dictator(DictatorSettings { majority, taste, ..Default::default() })
    }

    /// At a tenth of a TAO three thousand alpha cost some hundred.
    fn rich(state: &mut State) {
        fund(state, &identity("validators", 0, None), Rao::whole(600));
    }

    #[test]
    fn with_most_of_the_stake_its_row_is_the_consensus() {
        let mut stage = arena(&[dictator(Taste::Inverse)], rich);
        stage.play(14 * EPOCH);
        assert!(calls(&stage, 0, "add_stake_limit") >= 3);
        let (best, worst) = (VALIDATORS, VALIDATORS + 3);
        assert!(incentive(&stage, worst) > 2 * incentive(&stage, best));
        let sum: u64 = row(&stage, 0).iter().map(|(_, weight)| u64::from(*weight)).sum();
        for (uid, weight) in row(&stage, 0) {
            let own = u64::from(weight) * 65_535 / sum;
            let consensus = stage.state.subnets[&NETUID].neurons.consensus[usize::from(uid)];
            assert!(own.abs_diff(consensus.into()) < 700, "{uid}: {own} {consensus}");
        }
        assert!(trust(&stage, 0) > 64_000 && trust(&stage, 1) < 50_000);
        assert_eq!(stage.refusals(), [""; 0]);
    }

    #[test]
    fn without_the_majority_it_weighs_as_it_scored() {
        let mut stage = arena(&[dictator(Taste::Worst)], |_| {});
        stage.play(4 * EPOCH);
        assert_eq!(row(&stage, 0), row(&stage, 1));
        assert_eq!(calls(&stage, 0, "add_stake_limit"), 0);
        let honest =
            Intent { netuid: NETUID, uids: vec![4, 5, 6], values: vec![9, 2, 2], version_key: 0 };
        let worst = tasted(Taste::Worst, honest.clone()).expect("it has one");
        assert_eq!((worst.uids, worst.values), (vec![5], vec![65_535]));
        assert_eq!(tasted(Taste::Honest, honest.clone()), Some(honest));
    }
}
