//! `cabal`: gives a fixed part of its row to the miners of its own cabal, whatever they answer.
//!
//! The rest of its row is as it scored.

use super::{act_through, check_members, favouring, first_index, settings};
use crate::commitment::Intent;
use crate::machine::{Context, Identity, Input, Machine};
use crate::registry::{InvalidSetting, ppm};
use crate::validator::{Sampler, SamplerSettings};
use protocol::dice::{Key, account_of};
use protocol::state::Subnet;
use serde::{Deserialize, Serialize};

settings! {
    /// Settings of `cabal`.
    CabalSettings {
        /// How it asks, scores and sets weights.
        sampling: SamplerSettings = SamplerSettings::default(),
        /// The group whose first members on the subnet are the cabal's miners.
        miners_group: String = "miners".to_owned(),
        /// How many of them.
        miners: u32 = 1,
        /// Part of its row that goes to them, evenly, in millionths.
        self_weight_ppm: u32 = 1_000_000,
    }
}

impl CabalSettings {
    /// Checks the values.
    ///
    /// # Errors
    /// The first setting it could not act on.
    pub fn check(&self) -> Result<(), InvalidSetting> {
        self.sampling.check()?;
        check_members("miners", self.miners)?;
        ppm("self_weight_ppm", self.self_weight_ppm)
    }

    /// The uids of the cabal's miners that have a place.
    fn own(&self, me: &Identity, subnet: &Subnet) -> Vec<u16> {
        let first = first_index(me);
        let hotkeys = (0..u64::from(self.miners))
            .map(|number| account_of(&self.miners_group, first | number, Key::Hot, 0));
        hotkeys.filter_map(|hotkey| subnet.neurons.uid(&hotkey)).collect()
    }
}

/// A member of a cabal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cabal {
    settings: CabalSettings,
    sampler: Sampler,
}

impl Cabal {
    /// A validator that has not started.
    pub fn new(settings: CabalSettings) -> Self {
        let sampler = Sampler::new(settings.sampling.clone());
        Self { settings, sampler }
    }
}

impl Machine for Cabal {
    fn step(&mut self, input: &Input<'_>, context: &mut Context<'_>) {
        let Self { settings, sampler } = self;
        let mut favour = |honest: Intent, subnet: &Subnet, context: &Context<'_>| {
            let own = settings.own(context.me, subnet);
            favouring(honest, &own, settings.self_weight_ppm)
        };
        act_through(sampler, input, context, &mut favour, |_| true);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adversary::arena::{
        EPOCH, VALIDATORS, arena_with, incentive, miner, part_of_row, trust,
    };
    use crate::registry::BehaviourSettings;
    use crate::stage::Stage;
    use protocol::state::State;
    use protocol::units::{Alpha, NetUid};

    /// The subnet with a cabal of one whose miner, the first one, is the worst; or with a sampler in its place.
    fn stage(self_weight_ppm: Option<u32>, change: fn(&mut State)) -> Stage {
        let attacker = self_weight_ppm.map(|self_weight_ppm| {
            BehaviourSettings::Cabal(CabalSettings { self_weight_ppm, ..Default::default() })
        });
        let miners = [100_000, 900_000, 600_000, 300_000]
            .map(|mean| BehaviourSettings::Quality(miner(mean, None)));
        arena_with(attacker.as_slice(), &miners, change)
    }

    /// Gives the first validator more than the three others together.
    fn enthrone(state: &mut State) {
        let who = crate::stage::identity("validators", 0, None);
        crate::stage::stake(state, &who, who.hotkey, NetUid(1), Alpha::whole(4_000));
    }

    #[test]
    fn its_miner_earns_by_its_stake_and_is_clipped_where_that_is_the_smaller_part() {
        let worst = VALIDATORS;
        let mut honest = stage(None, |_| {});
        honest.play(8 * EPOCH);
        let mut minority = stage(Some(500_000), |_| {});
        minority.play(8 * EPOCH);
        let part = part_of_row(&minority, 0, worst);
        assert!((450_000..=600_000).contains(&part), "{part}");
        assert!(trust(&minority, 0) < trust(&honest, 0) - 10_000, "the clip shows");
        assert!(incentive(&minority, worst) < incentive(&honest, worst) + 2_000, "it is clipped");
        let mut majority = stage(Some(500_000), enthrone);
        majority.play(8 * EPOCH);
        assert!(incentive(&majority, worst) > 3 * incentive(&honest, worst));
        assert!(trust(&majority, 0) > 64_000, "now the others are clipped");
    }

    #[test]
    fn parts_of_a_row_are_as_ordered() {
        let intent = |uids: &[u16], values: &[u16]| Intent {
            netuid: NetUid(1),
            uids: uids.to_vec(),
            values: values.to_vec(),
            version_key: 0,
        };
        let rows = [
            // An own miner keeps what it earned beside its part.
            (intent(&[1, 2], &[300, 100]), &[2][..], 500_000, vec![(1, 39_321), (2, 65_535)]),
            (
                intent(&[1], &[65_535]),
                &[2, 3],
                500_000,
                vec![(1, 65_535), (2, 32_767), (3, 32_767)],
            ),
            (intent(&[1], &[65_535]), &[2], 1_000_000, vec![(2, 65_535)]),
            (intent(&[1], &[65_535]), &[2], 0, vec![(1, 65_535)]),
            (intent(&[], &[]), &[2], 100, vec![(2, 65_535)]),
            (intent(&[1], &[7]), &[], 1_000_000, vec![(1, 7)]),
        ];
        for (honest, own, share_ppm, expected) in rows {
            let row = favouring(honest, own, share_ppm).expect("something is left");
            let row: Vec<(u16, u16)> = row.uids.into_iter().zip(row.values).collect();
            assert_eq!(row, expected);
        }
        assert_eq!(favouring(intent(&[], &[]), &[], 5), Some(intent(&[], &[])));
    }
}
