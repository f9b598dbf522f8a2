//! `sleeper`: stops asking and setting weights after some time without a word, and may come back.

use super::{act_through, settings, unrevised};
use crate::machine::{Context, Input, Machine, Output};
use crate::registry::InvalidSetting;
use crate::validator::{Sampler, SamplerSettings};
use protocol::units::{BLOCK_MS, BLOCKS_PER_DAY};
use serde::{Deserialize, Serialize};

settings! {
    /// Settings of `sleeper`.
    SleeperSettings {
        /// How it asks, scores and sets weights while it is awake.
        sampling: SamplerSettings = SamplerSettings::default(),
        /// Blocks from its start until it falls asleep.
        sleep_from_blocks: u64 = BLOCKS_PER_DAY,
        /// Blocks it sleeps; absent for ever.
        sleep_blocks: Option<u64> = Some(2 * BLOCKS_PER_DAY),
    }
}

impl SleeperSettings {
    /// Checks the values.
    ///
    /// # Errors
    /// The first setting it could not act on.
    pub fn check(&self) -> Result<(), InvalidSetting> {
        self.sampling.check()
    }

    fn sleeps(&self, age_ms: u64) -> bool {
        let from_ms = self.sleep_from_blocks.saturating_mul(BLOCK_MS);
        let over = |blocks: u64| age_ms >= from_ms.saturating_add(blocks.saturating_mul(BLOCK_MS));
        age_ms >= from_ms && !self.sleep_blocks.is_some_and(over)
    }
}

/// A validator that falls asleep.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sleeper {
    settings: SleeperSettings,
    sampler: Sampler,
    started_ms: u64,
}

impl Sleeper {
    /// A validator that has not started.
    pub fn new(settings: SleeperSettings) -> Self {
        let sampler = Sampler::new(settings.sampling.clone());
        Self { settings, sampler, started_ms: 0 }
    }
}

impl Machine for Sleeper {
    fn step(&mut self, input: &Input<'_>, context: &mut Context<'_>) {
        if matches!(input, Input::Start) {
            self.started_ms = context.now_ms;
        }
        let sleeps = self.settings.sleeps(context.now_ms.saturating_sub(self.started_ms));
        // Its clock goes on, so that it finds back into the rhythm of epochs.
        let says = |said: &Output| !sleeps || matches!(said, Output::Wake { .. });
        act_through(&mut self.sampler, input, context, &mut unrevised, says);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adversary::arena::{EPOCH, arena, calls, control, dividends, queries};
    use crate::registry::BehaviourSettings;
    use protocol::state::State;
    use protocol::units::NetUid;

    /// Validators count for two epochs after their last weights.
    fn forgetful(state: &mut State) {
        let subnet = state.subnets.get_mut(&NetUid(1)).expect("it was made");
        subnet.params.activity_cutoff = 25;
    }

    #[test]
    fn it_falls_silent_loses_its_dividends_and_comes_back() {
        let settings = SleeperSettings {
            sleep_from_blocks: 5 * EPOCH,
            sleep_blocks: Some(8 * EPOCH),
            ..Default::default()
        };
        let mut stage = arena(&[BehaviourSettings::Sleeper(settings)], forgetful);
        let mut honest = control(1, forgetful);
        stage.play(5 * EPOCH - 1);
        honest.play(5 * EPOCH - 1);
        assert_eq!(stage.state.root(), honest.state.root(), "until then nobody can tell");
        let awake = (queries(&stage, 0), calls(&stage, 0, "set_weights"));
        stage.play(8 * EPOCH);
        assert_eq!((queries(&stage, 0), calls(&stage, 0, "set_weights")), awake);
        let parts = |stage: &_| [0, 1].map(|uid| u32::from(dividends(stage, uid)));
        let [own, other] = parts(&stage);
        assert!(own * 2 < other, "{own} {other}");
        assert!(!stage.state.subnets[&NetUid(1)].neurons.active[0]);
        stage.play(8 * EPOCH);
        assert!(calls(&stage, 0, "set_weights") > awake.1 + 5);
        assert!(stage.state.subnets[&NetUid(1)].neurons.active[0]);
        let [own, other] = parts(&stage);
        assert!(own * 2 > other, "{own} {other}");
        assert_eq!(stage.refusals(), [""; 0]);
    }

    #[test]
    fn it_sleeps_when_it_is_to() {
        let day = BLOCKS_PER_DAY * BLOCK_MS;
        let once = SleeperSettings::default();
        let ever = SleeperSettings { sleep_blocks: None, ..once.clone() };
        let at = |settings: &SleeperSettings| {
            [0, day - 1, day, 3 * day - 1, 3 * day].map(|age_ms| settings.sleeps(age_ms))
        };
        assert_eq!(at(&once), [false, false, true, true, false]);
        assert_eq!(at(&ever), [false, false, true, true, true]);
    }
}
