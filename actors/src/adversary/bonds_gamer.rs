//! `bonds-gamer`: gives every miner a minimal weight, heard or not, and follows its own scores some rows late.
//!
//! So it holds a bond on whoever rises before others do, and leaves late whoever falls.

use super::{act_through, reweighed, settings};
use crate::commitment::Intent;
use crate::machine::{Context, Input, Machine};
use crate::registry::{InvalidSetting, ppm, within};
use crate::validator::{Sampler, SamplerSettings, others_that_mine};
use protocol::state::Subnet;
use protocol::units::AccountId;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

settings! {
    /// Settings of `bonds-gamer`.
    BondsGamerSettings {
        /// How it asks, scores and sets weights.
        sampling: SamplerSettings = SamplerSettings::default(),
        /// The least weight of every miner, in millionths of the best one's; 1 of 65,535 at least.
        hedge_ppm: u32 = 1_000,
        /// Rows by which its scores lag.
        late_rows: u32 = 4,
    }
}

impl BondsGamerSettings {
    /// Checks the values.
    ///
    /// # Errors
    /// The first setting it could not act on.
    pub fn check(&self) -> Result<(), InvalidSetting> {
        self.sampling.check()?;
        ppm("hedge_ppm", self.hedge_ppm)?;
        within("late_rows", self.late_rows.into(), 0..=64, "at most 64")
    }
}

/// A validator that plays for bonds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BondsGamer {
    settings: BondsGamerSettings,
    sampler: Sampler,
    /// Rows that its scores gave, by hotkey; the oldest first.
    rows: VecDeque<Vec<(AccountId, u16)>>,
}

impl BondsGamer {
    /// A validator that has not started.
    pub fn new(settings: BondsGamerSettings) -> Self {
        let sampler = Sampler::new(settings.sampling.clone());
        Self { settings, sampler, rows: VecDeque::new() }
    }
}

/// The row of some rows ago, the first one while there are no more, with a hedge on all miners.
fn hedged(
    settings: &BondsGamerSettings,
    rows: &mut VecDeque<Vec<(AccountId, u16)>>,
    honest: Intent,
    subnet: &Subnet,
    context: &Context<'_>,
) -> Option<Intent> {
    let hotkeys = &subnet.neurons.hotkeys;
    let scored = honest.uids.iter().zip(&honest.values);
    let named = |(uid, value): (&u16, &u16)| Some((*hotkeys.get(usize::from(*uid))?, *value));
    let row: Vec<(AccountId, u16)> = scored.filter_map(named).collect();
    if !row.is_empty() {
        rows.push_back(row);
    }
    while rows.len() > settings.late_rows as usize + 1 {
        rows.pop_front();
    }
    let old = rows.front()?;
    let hedge = (u64::from(u16::MAX) * u64::from(settings.hedge_ppm) / 1_000_000).max(1);
    let mut parts: Vec<u64> = vec![0; hotkeys.len()];
    for uid in others_that_mine(honest.netuid, subnet, context) {
        parts[usize::from(uid)] = hedge;
    }
    for (hotkey, value) in old {
        if let Some(uid) = subnet.neurons.uid(hotkey) {
            let part = &mut parts[usize::from(uid)];
            *part = u64::from(*value).max(*part);
        }
    }
    reweighed(honest, (0..).zip(parts).collect())
}

impl Machine for BondsGamer {
    fn step(&mut self, input: &Input<'_>, context: &mut Context<'_>) {
        let Self { settings, sampler, rows } = self;
        let mut hedge = |honest: Intent, subnet: &Subnet, context: &Context<'_>| {
            hedged(settings, rows, honest, subnet, context)
        };
        act_through(sampler, input, context, &mut hedge, |_| true);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adversary::arena::{EPOCH, VALIDATORS, arena_of, bond, row, trust};
    use crate::miner::StepQuality;
    use crate::registry::BehaviourSettings;
    use crate::stage::Stage;
    use protocol::units::BLOCK_MS;

    /// How far the parts of a uid's row are from those of its bonds, all together, in millionths.
    fn divergence(stage: &Stage, uid: usize) -> u64 {
        let weights = row(stage, uid);
        let bonds: Vec<u64> = (4..8).map(|target| bond(stage, uid, target).into()).collect();
        let weight = |target: u16| {
            weights.iter().find(|(known, _)| *known == target).map_or(0, |(_, weight)| *weight)
        };
        let weights: Vec<u64> = (4..8).map(|target| weight(target).into()).collect();
        let parts = |amounts: &[u64]| -> Vec<u64> {
            let sum = amounts.iter().sum::<u64>().max(1);
            amounts.iter().map(|amount| amount * 1_000_000 / sum).collect()
        };
        let pairs = parts(&weights).into_iter().zip(parts(&bonds));
        pairs.map(|(weight, bond)| weight.abs_diff(bond)).sum()
    }

    #[test]
    fn it_holds_bonds_on_all_and_leaves_late() {
        let fall = StepQuality { at_ms: 8 * EPOCH * BLOCK_MS, to_ppm: 0 };
        // Asked seldom enough, the worst miner is unknown to the others for a while.
        let settings = BondsGamerSettings { late_rows: 4, ..Default::default() };
        let mut stage = arena_of(&[BehaviourSettings::BondsGamer(settings)], Some(fall), |_| {});
        stage.play(8 * EPOCH);
        let weight = |stage: &_, uid, target| {
            let row = row(stage, uid);
            let found = row.iter().find(|(known, _)| usize::from(*known) == target);
            found.map_or(0, |(_, weight)| *weight)
        };
        let (best, worst) = (VALIDATORS, VALIDATORS + 3);
        assert_eq!(weight(&stage, 0, best), 65_535);
        assert!(weight(&stage, 0, worst) > 0);
        stage.play(3 * EPOCH);
        let (late, plain) = (weight(&stage, 0, best), weight(&stage, 1, best));
        assert!(late == 65_535 && plain < 60_000, "{late} {plain}");
        let (own, plain) = (divergence(&stage, 0), divergence(&stage, 1));
        assert!(own > plain + 50_000, "its bonds are not where its weights are: {own} {plain}");
        assert!(trust(&stage, 0) < trust(&stage, 1), "what it leaves late is clipped");
        stage.play(8 * EPOCH);
        assert!(weight(&stage, 0, best) < 30_000, "in the end it leaves as well");
        assert_eq!(stage.refusals(), [""; 0]);
    }

    #[test]
    fn who_was_never_heard_is_hedged() {
        let settings = BondsGamerSettings {
            sampling: SamplerSettings { sample: 1, smoothing_ppm: 1_000_000, ..Default::default() },
            ..Default::default()
        };
        let mut stage = arena_of(&[BehaviourSettings::BondsGamer(settings)], None, |_| {});
        stage.play(2 * EPOCH);
        let weight = |uid: u16| {
            row(&stage, 0).iter().find(|(known, _)| *known == uid).map_or(0, |(_, weight)| *weight)
        };
        let weights = [4, 5, 6, 7].map(weight);
        assert!(weights.iter().all(|weight| *weight > 0), "{weights:?}");
        let hedges = weights.iter().filter(|weight| **weight < 100).count();
        assert!(hedges >= 2, "one answer or two are all it has: {weights:?}");
    }
}
