//! `stale-copier`: queries no miner where rows are committed, and commits to the mean of the rows last revealed.

use super::{act_through, is_message, own_subnet, reweighed, settings};
use crate::commitment::Intent;
use crate::machine::{Context, Input, Machine};
use crate::registry::InvalidSetting;
use crate::validator::{Sampler, SamplerSettings, validates};
use protocol::state::{State, Subnet};
use protocol::units::NetUid;
use serde::{Deserialize, Serialize};

/// Parts of a whole of which a mean is counted.
const PARTS: u128 = 1_000_000_000;

settings! {
    /// Settings of `stale-copier`.
    StaleCopierSettings {
        /// When it commits and how; on a subnet with commit-reveal it asks nobody.
        sampling: SamplerSettings = SamplerSettings::default(),
    }
}

impl StaleCopierSettings {
    /// Checks the values.
    ///
    /// # Errors
    /// The first setting it could not act on.
    pub fn check(&self) -> Result<(), InvalidSetting> {
        self.sampling.check()
    }
}

/// A validator that copies what was revealed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StaleCopier {
    settings: StaleCopierSettings,
    sampler: Sampler,
}

impl StaleCopier {
    /// A validator that has not started.
    pub fn new(settings: StaleCopierSettings) -> Self {
        let sampler = Sampler::new(settings.sampling.clone());
        Self { settings, sampler }
    }
}

/// Whether rows of the player's subnet are committed.
fn seals(context: &Context<'_>) -> bool {
    own_subnet(context).is_some_and(|(_, subnet)| subnet.params.commit_reveal)
}

/// The mean of all validators' rows but the player's, by the alpha behind them, in parts of 10⁹ rounded down.
fn revealed(
    state: &State,
    netuid: NetUid,
    subnet: &Subnet,
    context: &Context<'_>,
) -> Vec<(u16, u64)> {
    let own = subnet.neurons.uid(&context.me.hotkey);
    let rows = subnet.mechanism(0).map_or(&[][..], |mechanism| &mechanism.weights);
    let mut sums = vec![0_u128; subnet.neurons.len()];
    let mut whole = 0_u128;
    for ((uid, hotkey), row) in (0..).zip(&subnet.neurons.hotkeys).zip(rows) {
        if Some(uid) == own || !validates(subnet, uid) {
            continue;
        }
        let stake = u128::from(state.hotkey_alpha(hotkey, netuid).0);
        let sum: u128 = row.iter().map(|(_, weight)| u128::from(*weight)).sum();
        whole += stake;
        for (target, weight) in row {
            if let Some(part) = sums.get_mut(usize::from(*target)) {
                *part += stake * u128::from(*weight) * PARTS / sum.max(1);
            }
        }
    }
    let mean = |sum: u128| u64::try_from(sum / whole.max(1)).unwrap_or(u64::MAX);
    let parts = (0..).zip(sums.into_iter().map(mean));
    parts.filter(|(uid, part)| Some(*uid) != own && *part > 0).collect()
}

impl Machine for StaleCopier {
    fn step(&mut self, input: &Input<'_>, context: &mut Context<'_>) {
        let mut copy = |honest: Intent, subnet: &Subnet, context: &Context<'_>| {
            if !subnet.params.commit_reveal {
                return Some(honest);
            }
            let parts = revealed(context.view.state(), honest.netuid, subnet, context);
            reweighed(honest, parts)
        };
        let copies = seals(context);
        let says = |said: &_| !copies || !is_message(said);
        act_through(&mut self.sampler, input, context, &mut copy, says);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adversary::arena::{
        EPOCH, arena, arena_of, calls, control, dividends, queries, row, seal, trust,
    };
    use crate::miner::StepQuality;
    use crate::registry::BehaviourSettings;
    use protocol::units::BLOCK_MS;

    fn copier() -> BehaviourSettings {
        BehaviourSettings::StaleCopier(StaleCopierSettings::default())
    }

    #[test]
    fn it_commits_to_what_was_revealed_and_asks_nobody() {
        let mut stage = arena(&[copier()], seal);
        stage.play(9 * EPOCH);
        assert_eq!(queries(&stage, 0), 0);
        assert!(calls(&stage, 0, "commit_timelocked_weights") >= 4);
        let (own, other) = (row(&stage, 0), row(&stage, 1));
        let alike = |((a, x), (b, y)): (&(u16, u16), &(u16, u16))| a == b && x.abs_diff(*y) <= 2;
        assert!(own.len() == 4 && own.iter().zip(&other).all(alike), "{own:?} {other:?}");
        assert!(trust(&stage, 0) > 65_000);
        assert_eq!(stage.refusals(), [""; 0]);
    }

    #[test]
    fn where_rows_are_set_directly_it_is_a_sampler() {
        let (mut stage, mut honest) = (arena(&[copier()], |_| {}), control(1, |_| {}));
        stage.play(5 * EPOCH);
        honest.play(5 * EPOCH);
        assert_eq!(stage.state.root(), honest.state.root());
    }

    /// The best miner becomes the worst: who copies weighs it for longer than who asks.
    #[test]
    fn it_loses_when_miners_change() {
        let step = StepQuality { at_ms: 10 * EPOCH * BLOCK_MS, to_ppm: 1_000 };
        let mut changing = arena_of(&[copier()], Some(step), seal);
        let mut steady = arena_of(&[copier()], None, seal);
        changing.play(10 * EPOCH);
        steady.play(10 * EPOCH);
        let (mut lost, mut kept) = (0, 0);
        for _ in 0..8 {
            changing.play(EPOCH);
            steady.play(EPOCH);
            lost += i64::from(dividends(&changing, 1)) - i64::from(dividends(&changing, 0));
            kept += i64::from(dividends(&steady, 1)) - i64::from(dividends(&steady, 0));
        }
        assert!(lost > kept, "{lost} against {kept} of 65,535 over eight epochs");
    }
}
