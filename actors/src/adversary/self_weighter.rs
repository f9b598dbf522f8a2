//! `self-weighter`: gives a fixed part of its row to its own uid, or to a sister hotkey that works for nobody.

use super::{
    Seeker, TAG_OWN, act_through, check_interval, favouring, homeless, hotkey_of, own_subnet,
    settings,
};
use crate::commitment::Intent;
use crate::machine::{Context, Input, Machine};
use crate::registry::{InvalidSetting, ppm};
use crate::validator::{Sampler, SamplerSettings};
use protocol::state::Subnet;
use protocol::units::{BLOCK_MS, Rao};
use serde::{Deserialize, Serialize};

const SISTER: u64 = 1;

/// Whom a self-weighter weighs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Favoured {
    /// Itself.
    Own,
    /// A further hotkey of its coldkey.
    #[default]
    Sister,
}

settings! {
    /// Settings of `self-weighter`.
    SelfWeighterSettings {
        /// How it asks, scores and sets weights.
        sampling: SamplerSettings = SamplerSettings::default(),
        /// Whom it weighs.
        favours: Favoured = Favoured::Sister,
        /// Part of its row that goes there, in millionths.
        self_weight_ppm: u32 = 500_000,
        /// Blocks between two looks whether its sister has a place.
        interval_blocks: u64 = 100,
        /// The most it pays for a place, in rao.
        burn_max_rao: Rao = Rao::whole(1),
        /// Free TAO it never spends, in rao.
        reserve_rao: Rao = Rao(100_000_000),
    }
}

impl SelfWeighterSettings {
    /// Checks the values.
    ///
    /// # Errors
    /// The first setting it could not act on.
    pub fn check(&self) -> Result<(), InvalidSetting> {
        self.sampling.check()?;
        ppm("self_weight_ppm", self.self_weight_ppm)?;
        check_interval(self.interval_blocks)
    }
}

/// A validator that weighs itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SelfWeighter {
    settings: SelfWeighterSettings,
    sampler: Sampler,
}

impl SelfWeighter {
    /// A validator that has not started.
    pub fn new(settings: SelfWeighterSettings) -> Self {
        let sampler = Sampler::new(settings.sampling.clone());
        Self { settings, sampler }
    }

    /// Registers its sister where she has no place and it can pay for one.
    fn look(&self, context: &mut Context<'_>) {
        let me = context.me;
        let call = own_subnet(context).and_then(|(netuid, subnet)| {
            let hotkey = homeless(me, subnet, SISTER, SISTER)?;
            let (burn_max, reserve) = (self.settings.burn_max_rao, self.settings.reserve_rao);
            Seeker { hotkey, coldkey: me.coldkey, burn_max, reserve }.registers(netuid, context)
        });
        if let Some(call) = call {
            context.submit(me.coldkey, call);
        }
        let wait_ms = self.settings.interval_blocks.saturating_mul(BLOCK_MS);
        context.wake(context.now_ms.saturating_add(wait_ms), TAG_OWN);
    }
}

impl Machine for SelfWeighter {
    fn step(&mut self, input: &Input<'_>, context: &mut Context<'_>) {
        let Self { settings, sampler } = self;
        let mut favour = |honest: Intent, subnet: &Subnet, context: &Context<'_>| {
            let number = match settings.favours {
                Favoured::Own => 0,
                Favoured::Sister => SISTER,
            };
            let favoured = subnet.neurons.uid(&hotkey_of(context.me, number));
            favouring(honest, favoured.as_slice(), settings.self_weight_ppm)
        };
        if !matches!(input, Input::Timer { tag: TAG_OWN }) {
            act_through(sampler, input, context, &mut favour, |_| true);
        }
        let looks = matches!(input, Input::Start | Input::Timer { tag: TAG_OWN });
        if looks && self.settings.favours == Favoured::Sister {
            self.look(context);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adversary::arena::{
        EPOCH, VALIDATORS, arena, calls, control, incentive, part_of_row, trust,
    };
    use crate::registry::BehaviourSettings;
    use crate::stage::{fund, identity};
    use protocol::state::State;

    fn settings(favours: Favoured) -> BehaviourSettings {
        BehaviourSettings::SelfWeighter(SelfWeighterSettings { favours, ..Default::default() })
    }

    fn rich(state: &mut State) {
        fund(state, &identity("validators", 0, None), Rao::whole(5));
    }

    #[test]
    fn weight_on_itself_is_masked() {
        let mut stage = arena(&[settings(Favoured::Own)], rich);
        let mut honest = control(1, rich);
        stage.play(6 * EPOCH);
        honest.play(6 * EPOCH);
        assert!((490_000..=510_000).contains(&part_of_row(&stage, 0, 0)), "half of its row");
        assert_eq!(calls(&stage, 0, "burned_register"), 0);
        // Without the masked part its row is what it was, and so is everything that follows.
        let best = |stage| incentive(stage, VALIDATORS);
        assert!(best(&stage).abs_diff(best(&honest)) < 300);
        assert_eq!(incentive(&stage, 0), 0);
        assert_eq!(stage.refusals(), [""; 0]);
    }

    #[test]
    fn its_sister_gets_a_place_and_half_of_its_row() {
        let mut stage = arena(&[settings(Favoured::Sister)], rich);
        stage.play(6 * EPOCH);
        let who = identity("validators", 0, None);
        let subnet = &stage.state.subnets[&protocol::units::NetUid(1)];
        let sister = subnet.neurons.uid(&hotkey_of(&who, SISTER)).expect("she has a place");
        assert_eq!(stage.state.owner(&hotkey_of(&who, SISTER)), Some(who.coldkey));
        let part = part_of_row(&stage, 0, usize::from(sister));
        assert!((490_000..=510_000).contains(&part), "{part}");
        assert!(trust(&stage, 0) < 40_000, "nobody else weighs her: {}", trust(&stage, 0));
        assert_eq!((calls(&stage, 0, "burned_register"), stage.refusals()), (1, vec![]));
    }

    #[test]
    fn without_money_it_is_a_sampler() {
        let mut stage = arena(&[settings(Favoured::Sister)], |_| {});
        let mut honest = control(1, |_| {});
        stage.play(4 * EPOCH);
        honest.play(4 * EPOCH);
        assert_eq!(stage.state.root(), honest.state.root());
    }
}
