//! Validators. `sampler`: asks a sample of miners each tempo, keeps a running score per hotkey and sets
//! weights from it once per tempo, some blocks before the epoch: directly, or committed where the chain asks for it.
//!
//! Another that works like it is below.
//!
//! It acts on timers alone and reads the chain only when one fires, so an idle validator costs nothing.

use crate::calendar::{block_ms, next_tick};
use crate::commitment::{CommitKind, Committed, Intent, later_ms, reveal_ms, timelocked};
use crate::machine::{Context, Input, Machine};
use crate::registry::{InvalidSetting, ppm, within};
use crate::scores::Scores;
use protocol::call::Call;
use protocol::commits::Window;
use protocol::envelope::{Body, Envelope};
use protocol::state::Subnet;
use protocol::units::{AccountId, BLOCK_MS, BLOCKS_PER_DAY, NetUid, PlayerId};
use protocol::weights::{rested, stake_weight};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Who has a business around it.
pub mod judge;

/// Scores are kept in thousandths of a millionth, so that slow smoothing does not round to a halt.
const SCORE_PER_PPM: u32 = 1_000;
const PPM: u64 = 1_000_000;
/// How often a validator without a subnet, or on one without epochs, looks again.
const IDLE_BLOCKS: u64 = 361;

const DRAW_STAGGER: u64 = 1 << 56;
const DRAW_TASK: u64 = 2 << 56;
const DRAW_SAMPLE: u64 = 3 << 56;

/// Settings of `sampler`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SamplerSettings {
    /// Miners asked per tempo.
    pub sample: u32,
    /// Time between the last query and setting weights, in milliseconds.
    pub answer_wait_ms: u64,
    /// Weight of a new answer in a running score, in millionths.
    pub smoothing_ppm: u32,
    /// Whether no answer counts as a worthless one; otherwise it changes nothing.
    pub penalise_silence: bool,
    /// What a miner that was never heard is held to be worth, in millionths of a perfect answer; 0 gives it no
    /// weight.
    pub prior_ppm: u32,
    /// Blocks between setting weights and the epoch, at least.
    pub lead_blocks: u64,
    /// The part of the tempo over which the group's validators spread their moment of setting weights, in
    /// millionths; each draws its own, once.
    pub stagger_ppm: u32,
    /// How rows are committed on a subnet that asks for it.
    pub commit: CommitKind,
}

impl Default for SamplerSettings {
    fn default() -> Self {
        Self {
            sample: 16,
            answer_wait_ms: 24_000,
            smoothing_ppm: 300_000,
            penalise_silence: false,
            prior_ppm: 0,
            lead_blocks: 3,
            stagger_ppm: 500_000,
            commit: CommitKind::default(),
        }
    }
}

impl SamplerSettings {
    /// Checks the values.
    ///
    /// # Errors
    /// The first setting it could not act on.
    pub fn check(&self) -> Result<(), InvalidSetting> {
        let day_ms = BLOCKS_PER_DAY * BLOCK_MS;
        within("sample", self.sample.into(), 1..=4_096, "1 to 4096")?;
        within("answer_wait_ms", self.answer_wait_ms, 0..=day_ms, "at most 1 day")?;
        ppm("smoothing_ppm", self.smoothing_ppm)?;
        ppm("prior_ppm", self.prior_ppm)?;
        within("lead_blocks", self.lead_blocks, 1..=BLOCKS_PER_DAY, "1 block to 1 day")?;
        ppm("stagger_ppm", self.stagger_ppm)
    }
}

/// A validator with running scores.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sampler {
    settings: SamplerSettings,
    stagger_ppm: u64,
    scores: Scores,
    /// The block of the last epoch it worked towards.
    tick: u64,
    round: Option<Round>,
    /// Rows committed by hash that wait to be revealed, oldest first.
    committed: Vec<Committed>,
}

/// What becomes of the row that a validator's scores give before it is set or sealed; `None` where none is set.
pub(crate) type Revision<'a> = dyn FnMut(Intent, &Subnet, &Context<'_>) -> Option<Intent> + 'a;

/// The work towards one epoch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Round {
    task: u64,
    /// Hotkeys still to ask, the next one last.
    to_ask: Vec<AccountId>,
    ask_gap_ms: u64,
    asked: BTreeMap<PlayerId, AccountId>,
}

/// What a timer is for: its tag is the epoch's block and one of these, so that a late one is known as such.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Alarm {
    Begin = 0,
    Ask = 1,
    Set = 2,
    /// About a commit, whatever epoch is worked towards.
    Reveal = 3,
}

impl Sampler {
    /// A validator that has not started.
    pub const fn new(settings: SamplerSettings) -> Self {
        Self {
            settings,
            stagger_ppm: 0,
            scores: Scores::new(),
            tick: 0,
            round: None,
            committed: Vec::new(),
        }
    }

    /// Its running score of a hotkey, in thousandths of a millionth of a perfect answer.
    pub fn score(&self, hotkey: &AccountId) -> Option<u64> {
        self.scores.get(hotkey).map(u64::from)
    }

    /// Rows it committed by hash that wait to be revealed, oldest first.
    pub(crate) fn committed(&self) -> &[Committed] {
        &self.committed
    }

    /// Takes an input as a sampler does, and sets what `revise` makes of its rows.
    pub(crate) fn step_revised(
        &mut self,
        input: &Input<'_>,
        context: &mut Context<'_>,
        revise: &mut Revision<'_>,
    ) {
        match input {
            Input::Start => self.enter(context),
            Input::Timer { tag } if tag & 3 == Alarm::Reveal as u64 => self.reveal(context),
            Input::Timer { tag } if tag >> 2 != self.tick => {}
            Input::Timer { tag } if tag & 3 == Alarm::Set as u64 => self.set(context, revise),
            Input::Timer { tag } if tag & 3 == Alarm::Ask as u64 => self.ask(context),
            Input::Timer { .. } => self.begin(context),
            Input::Message(envelope) => self.hear(envelope, context),
            Input::Receipt(_) => {}
        }
    }

    fn enter(&mut self, context: &mut Context<'_>) {
        let most = u64::from(self.settings.stagger_ppm);
        self.stagger_ppm = context.dice(DRAW_STAGGER).between(0, most);
        self.begin(context);
    }

    fn begin(&mut self, context: &mut Context<'_>) {
        self.round = None;
        let Some(netuid) = context.me.netuid else {
            return;
        };
        let view = context.view;
        let subnet = view.state().subnet(netuid);
        let next = subnet.and_then(|subnet| self.begin_next(netuid, subnet, context));
        let (Some(subnet), Some((tick, set_ms))) = (subnet, next) else {
            let wait_ms = IDLE_BLOCKS * BLOCK_MS;
            self.wake(context.now_ms + wait_ms, Alarm::Begin, context);
            return;
        };
        self.tick = tick;
        self.wake(set_ms, Alarm::Set, context);
        if subnet.neurons.uid(&context.me.hotkey).is_none() {
            return;
        }
        let to_ask = self.begin_sample(netuid, subnet, context);
        let asking_ms = (set_ms - context.now_ms).saturating_sub(self.settings.answer_wait_ms);
        let ask_gap_ms = asking_ms / (to_ask.len() as u64).max(1);
        let mut dice = context.dice(DRAW_TASK);
        let task = dice.next_u64();
        let first_ms = context.now_ms + dice.below(ask_gap_ms);
        self.round = Some(Round { task, to_ask, ask_gap_ms, asked: BTreeMap::new() });
        self.wake(first_ms, Alarm::Ask, context);
    }

    /// The next epoch that leaves time to ask and wait, and when to set weights for it.
    fn begin_next(
        &self,
        netuid: NetUid,
        subnet: &Subnet,
        context: &Context<'_>,
    ) -> Option<(u64, u64)> {
        let tempo = subnet.params.tempo;
        let period = u64::from(tempo) + 1;
        let after = context.view.state().height.0.max(self.tick);
        let tick = next_tick(netuid, tempo, after)?;
        let stagger_ms = u64::from(tempo) * BLOCK_MS * self.stagger_ppm / PPM;
        let before_ms = self.settings.lead_blocks * BLOCK_MS + stagger_ms;
        let earliest_ms = context.now_ms + self.settings.answer_wait_ms + BLOCK_MS;
        let late_ms = (earliest_ms + before_ms).saturating_sub(block_ms(context, tick));
        let tick = tick + late_ms.div_ceil(period * BLOCK_MS) * period;
        Some((tick, block_ms(context, tick) - before_ms))
    }

    /// Hotkeys to ask, drawn without replacement.
    fn begin_sample(
        &self,
        netuid: NetUid,
        subnet: &Subnet,
        context: &Context<'_>,
    ) -> Vec<AccountId> {
        let hotkeys = &subnet.neurons.hotkeys;
        let mut miners = others_that_mine(netuid, subnet, context);
        let mut dice = context.dice(DRAW_SAMPLE);
        let wanted = miners.len().min(self.settings.sample as usize);
        for place in 0..wanted {
            let left = (miners.len() - place) as u64;
            miners.swap(place, place + dice.below(left) as usize);
        }
        // Of thousands of validators each keeps its sample through the tempo: no more room than it takes.
        let drawn = miners[..wanted].iter().rev();
        drawn.map(|uid| hotkeys[usize::from(*uid)]).collect()
    }

    fn ask(&mut self, context: &mut Context<'_>) {
        let (Some(netuid), Some(round)) = (context.me.netuid, self.round.as_mut()) else {
            return;
        };
        let Some(hotkey) = round.to_ask.pop() else {
            return;
        };
        let (task, gap_ms, more) = (round.task, round.ask_gap_ms, !round.to_ask.is_empty());
        if let Some(player) = context.directory.player(&hotkey) {
            round.asked.insert(player, hotkey);
            context.send(player, Body::Query { netuid, task });
        }
        if more {
            self.wake(context.now_ms + gap_ms, Alarm::Ask, context);
        }
    }

    fn hear(&mut self, answer: &Envelope, context: &Context<'_>) {
        let Body::Answer { netuid, task, value, .. } = answer.body else {
            return;
        };
        let Some(round) = self.round.as_mut() else {
            return;
        };
        if Some(netuid) != context.me.netuid || task != round.task {
            return;
        }
        // Each is heard once: a duplicate finds its sender answered already.
        if let Some(hotkey) = round.asked.remove(&answer.sender) {
            self.observe(&hotkey, value);
        }
    }

    fn observe(&mut self, hotkey: &AccountId, value_ppm: u32) {
        let value = value_ppm.min(PPM as u32) * SCORE_PER_PPM;
        let weight = u64::from(self.settings.smoothing_ppm);
        self.scores.update(hotkey, |old| {
            let old = u64::from(old.unwrap_or(value)) * (PPM - weight);
            // Between the two, so it is no larger than either.
            ((old + u64::from(value) * weight) / PPM) as u32
        });
    }

    fn set(&mut self, context: &mut Context<'_>, revise: &mut Revision<'_>) {
        let view = context.view;
        let subnet = context.me.netuid.and_then(|netuid| view.state().subnet(netuid));
        if let (Some(netuid), Some(subnet)) = (context.me.netuid, subnet) {
            let hotkeys = &subnet.neurons.hotkeys;
            let mut scores = self.scores_of(hotkeys);
            if scores.iter().flatten().count() < self.scores.count() {
                self.scores.keep_only(hotkeys);
            }
            if self.settings.penalise_silence {
                self.set_penalties();
                scores = self.scores_of(hotkeys);
            }
            let (uids, values) = self.set_row(netuid, &scores, subnet, context);
            let version_key = subnet.params.weights_version_key;
            let revised = revise(Intent { netuid, uids, values, version_key }, subnet, context);
            if let Some(intent) = revised
                && self.round.is_some()
                && set_allowed(subnet, intent.uids.len(), context)
            {
                self.set_submit(intent, subnet, context);
            }
        }
        self.begin(context);
    }

    /// Sets a row, or commits to it where the chain asks for that.
    fn set_submit(&mut self, intent: Intent, subnet: &Subnet, context: &mut Context<'_>) {
        let call = match (subnet.params.commit_reveal, self.settings.commit) {
            (false, _) => {
                let Intent { netuid, uids: dests, values: weights, version_key } = intent;
                Some(Call::SetWeights { netuid, dests, weights, version_key })
            }
            (true, CommitKind::Timelocked) => timelocked(intent, subnet, context),
            (true, CommitKind::Hash) => {
                let at_ms = reveal_ms(intent.netuid, subnet, context);
                Committed::new(intent, context).map(|committed| {
                    let call = committed.commit();
                    self.committed.push(committed);
                    self.wake(at_ms, Alarm::Reveal, context);
                    call
                })
            }
        };
        if let Some(call) = call {
            context.submit(context.me.hotkey, call);
        }
    }

    /// Reveals what can be revealed, looks again later at what is too early, and forgets the rest.
    fn reveal(&mut self, context: &mut Context<'_>) {
        let view = context.view;
        let Some(netuid) = context.me.netuid else { return };
        let Some(subnet) = view.state().subnet(netuid) else { return };
        let mut early = Vec::new();
        for committed in std::mem::take(&mut self.committed) {
            match committed.standing(context) {
                Some(Window::Open) if counts(subnet, context) => {
                    context.submit(context.me.hotkey, committed.reveal());
                }
                Some(Window::TooEarly) => early.push(committed),
                Some(Window::Open | Window::Expired) | None => {}
            }
        }
        let later_ms = later_ms(netuid, subnet, context);
        if let (false, Some(later_ms)) = (early.is_empty(), later_ms) {
            self.wake(later_ms, Alarm::Reveal, context);
        }
        self.committed = early;
    }

    fn set_penalties(&mut self) {
        let asked = self.round.as_mut().map(|round| std::mem::take(&mut round.asked));
        for hotkey in asked.unwrap_or_default().into_values() {
            if self.scores.get(&hotkey).is_some() {
                self.observe(&hotkey, 0);
            }
        }
    }

    /// Its running scores by uid.
    fn scores_of(&self, hotkeys: &[AccountId]) -> Vec<Option<u64>> {
        hotkeys.iter().map(|hotkey| self.score(hotkey)).collect()
    }

    /// Uids ascending with their scores as parts of 65,535, the best at 65,535; what rounds to 0 is left out. A miner
    /// that was never heard is held to be worth the prior.
    fn set_row(
        &self,
        netuid: NetUid,
        scores: &[Option<u64>],
        subnet: &Subnet,
        context: &Context<'_>,
    ) -> (Vec<u16>, Vec<u16>) {
        let hotkeys = &subnet.neurons.hotkeys;
        let axons = context.directory.axons(netuid, hotkeys);
        let prior = u64::from(self.settings.prior_ppm) * u64::from(SCORE_PER_PPM);
        let scores: Vec<(u16, u64)> = (0_u16..)
            .zip(hotkeys.iter().zip(scores.iter().zip(axons.iter())))
            .filter(|(_, (hotkey, _))| **hotkey != context.me.hotkey)
            .filter_map(|(uid, (_, (score, axon)))| {
                let known = || prior > 0 && axon.is_some() && !validates(subnet, uid);
                Some((uid, score.or_else(|| known().then_some(prior))?))
            })
            .collect();
        scaled(scores)
    }

    fn wake(&self, at_ms: u64, alarm: Alarm, context: &mut Context<'_>) {
        context.wake(at_ms, self.tick << 2 | alarm as u64);
    }
}

/// Uids and their scores as parts of 65,535, the best at 65,535; what rounds to 0 is left out. Scores are below 2⁴⁸.
pub(crate) fn scaled(scores: Vec<(u16, u64)>) -> (Vec<u16>, Vec<u16>) {
    let best = scores.iter().map(|(_, score)| *score).max().unwrap_or(0).max(1);
    scores
        .into_iter()
        .map(|(uid, score)| (uid, score * u64::from(u16::MAX) / best))
        .map(|(uid, part)| (uid, u16::try_from(part).unwrap_or(u16::MAX)))
        .filter(|(_, weight)| *weight > 0)
        .unzip()
}

/// The uids of a subnet, ascending, that are in the address book, do not act as validators and are not the player's.
pub(crate) fn others_that_mine(netuid: NetUid, subnet: &Subnet, context: &Context<'_>) -> Vec<u16> {
    let hotkeys = &subnet.neurons.hotkeys;
    let axons = context.directory.axons(netuid, hotkeys);
    (0_u16..)
        .zip(hotkeys.iter().zip(axons.iter()))
        .filter(|(uid, (_, axon))| axon.is_some() && !validates(subnet, *uid))
        .filter(|(_, (hotkey, _))| **hotkey != context.me.hotkey)
        .map(|(uid, _)| uid)
        .collect()
}

/// Whether a uid acts as a validator: it may set weights and has done so. A permit alone says little, because
/// miners grow stake too.
pub(crate) fn validates(subnet: &Subnet, uid: u16) -> bool {
    let uid = usize::from(uid);
    let permitted = subnet.neurons.validator_permit.get(uid) == Some(&true);
    let row = subnet.mechanism(0).and_then(|mechanism| mechanism.weights.get(uid));
    permitted && row.is_some_and(|row| !row.is_empty())
}

/// Whether the chain would take this many weights of the player in the next block, by what is public.
fn set_allowed(subnet: &Subnet, entries: usize, context: &Context<'_>) -> bool {
    let Some(uid) = subnet.neurons.uid(&context.me.hotkey) else {
        return false;
    };
    let least = usize::from(subnet.params.min_allowed_weights);
    let enough = subnet.neurons.len().min(least).max(1);
    entries >= enough
        && counts(subnet, context)
        && rested(subnet, 0, uid, context.view.state().height.0 + 1)
}

/// Whether the player's weights count on a subnet: it has a permit there, and enough stake.
fn counts(subnet: &Subnet, context: &Context<'_>) -> bool {
    let (state, me) = (context.view.state(), &context.me.hotkey);
    let uid = subnet.neurons.uid(me).map(usize::from);
    let permit = uid.and_then(|uid| subnet.neurons.validator_permit.get(uid));
    let threshold = i128::from(state.global.stake_threshold) << 64;
    permit == Some(&true) && stake_weight(state, subnet, me) >= threshold
}

impl Machine for Sampler {
    fn step(&mut self, input: &Input<'_>, context: &mut Context<'_>) {
        self.step_revised(input, context, &mut |honest, _, _| Some(honest));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::Seated;
    use crate::miner::QualitySettings;
    use crate::registry::{BehaviourSettings, Player};
    use crate::stage::{Stage, TEMPO, Wire, identity, subnet_of};
    use protocol::state::State;

    const EPOCH: u64 = TEMPO as u64 + 1;

    /// Validators of these settings and a miner of each quality, without noise.
    fn stage(settings: &SamplerSettings, qualities: &[u32], change: fn(&mut State)) -> Stage {
        let validators = vec![BehaviourSettings::Sampler(settings.clone()); 3];
        let miner = |mean_ppm: &u32| {
            let mean_ppm = *mean_ppm;
            let settings =
                QualitySettings { mean_ppm, spread_ppm: 0, noise_ppm: 0, ..Default::default() };
            BehaviourSettings::Quality(settings)
        };
        let miners: Vec<BehaviourSettings> = qualities.iter().map(miner).collect();
        let (mut state, seats) = subnet_of(&validators, &miners);
        change(&mut state);
        Stage::new(state, seats, 1)
    }

    fn scores(stage: &Stage) -> Vec<Scores> {
        let scores = |index| match stage.player(identity("validators", index, None).id) {
            Player::Sampler(sampler) => sampler.scores.clone(),
            other => panic!("{other:?} is no validator"),
        };
        (0..3).map(scores).collect()
    }

    fn rows(stage: &Stage) -> Vec<Vec<(u16, u16)>> {
        stage.state.subnets[&NetUid(1)].mechanisms[0].weights[..3].to_vec()
    }

    #[test]
    fn a_better_miner_gets_a_higher_weight_once_per_tempo() {
        let settings = SamplerSettings::default();
        let mut stage = stage(&settings, &[900_000, 450_000, 100_000, 0], |_| {});
        stage.play(5 * EPOCH);
        let expected = vec![(3, 65_535), (4, 32_767), (5, 7_281)];
        assert_eq!(rows(&stage), vec![expected; 3]);
        assert_eq!(stage.refusals(), [""; 0]);
        // Blocks 9, 20, 31, 42 and 53 are the epochs; a validator may have begun after the first.
        let set = stage.count("set_weights");
        assert!((12..=15).contains(&set), "{set} rows were set");
    }

    #[test]
    fn silence_counts_where_it_is_to_count() {
        let settings = SamplerSettings { penalise_silence: true, ..SamplerSettings::default() };
        let mut stage = stage(&settings, &[900_000], |_| {});
        stage.play(3 * EPOCH);
        let sum = |stage: &Stage| -> u64 {
            let hotkey = identity("miners", 0, None).hotkey;
            scores(stage).iter().filter_map(|scores| scores.get(&hotkey)).map(u64::from).sum()
        };
        let before = sum(&stage);
        stage.wire = Wire::Cut;
        stage.play(5 * EPOCH);
        assert!(sum(&stage) < before / 3, "{} of {before}", sum(&stage));
    }

    #[test]
    fn a_sample_is_drawn_without_repeats_and_spread_over_the_tempo() {
        let settings = SamplerSettings { sample: 4, ..SamplerSettings::default() };
        let mut stage = stage(&settings, &[500_000; 12], |_| {});
        // The first epoch may come too soon to ask for it.
        stage.play(2 * EPOCH);
        let me = identity("validators", 0, None).id;
        let asked: Vec<(u64, PlayerId)> = stage
            .done
            .iter()
            .flat_map(|done| &done.outgoing)
            .filter(|sent| sent.sender == me)
            .map(|sent| (sent.sent_ms, sent.receiver))
            .take(4)
            .collect();
        let distinct: std::collections::BTreeSet<PlayerId> =
            asked.iter().map(|(_, player)| *player).collect();
        assert_eq!(distinct.len(), 4, "{asked:?}");
        let gaps: Vec<u64> = asked.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
        assert!(gaps.iter().all(|gap| *gap > 2_000 && gaps[0].abs_diff(*gap) < 2), "{gaps:?}");
    }

    #[test]
    fn weights_wait_for_what_the_chain_asks() {
        type Change = fn(&mut State);
        fn subnet(state: &mut State) -> &mut Subnet {
            state.subnets.get_mut(&NetUid(1)).expect("it was made")
        }
        let rows: [(&str, Change, usize); 7] = [
            ("nothing", |_| {}, 1),
            ("no subnet", |state| subnet(state).added = false, 0),
            ("no epochs", |state| subnet(state).params.tempo = 0, 0),
            (
                "sealed weights, without a beacon",
                |state| subnet(state).params.commit_reveal = true,
                0,
            ),
            ("more weights", |state| subnet(state).params.min_allowed_weights = 3, 0),
            ("more stake", |state| state.global.stake_threshold = u64::MAX >> 8, 0),
            (
                "a rest",
                |state| {
                    subnet(state).params.weights_set_rate_limit = 1_000;
                    subnet(state).mechanisms[0].last_update[..3].fill(1);
                },
                0,
            ),
        ];
        for (asks, change, at_least) in rows {
            let mut stage = stage(&SamplerSettings::default(), &[500_000; 2], change);
            stage.play(4 * EPOCH);
            let set = stage.records.len();
            assert!(set >= at_least && (set == 0) == (at_least == 0), "{asks}: {set}");
            assert_eq!(stage.refusals(), [""; 0], "{asks}");
        }
    }

    /// A subnet that asks for commits, on a chain with a beacon.
    fn sealing(state: &mut State) {
        let beacon = &mut state.global.beacon;
        (beacon.period_ms, beacon.first_round) = (3_000, 1);
        state.subnets.get_mut(&NetUid(1)).expect("it was made").params.commit_reveal = true;
    }

    /// Whichever way it is committed, a row counts one epoch later than one set directly.
    #[test]
    fn committed_rows_are_the_same_one_epoch_later() {
        let expected = vec![(3, 65_535), (4, 32_767), (5, 7_281)];
        for (commit, calls) in [
            (CommitKind::Timelocked, &["commit_timelocked_weights"][..]),
            (CommitKind::Hash, &["commit_weights", "reveal_weights"]),
        ] {
            let settings = SamplerSettings { commit, ..SamplerSettings::default() };
            let mut stage = stage(&settings, &[900_000, 450_000, 100_000, 0], sealing);
            // Blocks 9, 20, 31, … are the epochs. The first commits are those towards 9 or 20.
            stage.play(19);
            let first = stage.count(calls[0]);
            assert!(first > 0, "{calls:?}");
            stage.play(12 + 4);
            assert!(rows(&stage).contains(&expected), "{calls:?}: {:?}", rows(&stage));
            stage.play(2 * EPOCH);
            assert_eq!(rows(&stage), vec![expected.clone(); 3], "{calls:?}");
            assert_eq!(stage.refusals(), [""; 0]);
            for call in calls {
                assert!(stage.count(call) >= 6, "{call}: {}", stage.count(call));
            }
            let all = calls.iter().map(|call| stage.count(call)).sum::<usize>();
            assert_eq!(all, stage.records.len(), "and nothing else");
            let waiting: usize = match stage.player(identity("validators", 0, None).id) {
                Player::Sampler(sampler) => sampler.committed.len(),
                other => panic!("{other:?} is no validator"),
            };
            assert!(waiting <= 2, "{waiting} are remembered");
        }
    }

    #[test]
    fn a_reveal_waits_for_its_epoch_and_what_nobody_knows_is_forgotten() {
        let settings = SamplerSettings { commit: CommitKind::Hash, ..SamplerSettings::default() };
        let mut stage = stage(&settings, &[500_000; 2], |state| {
            sealing(state);
            state.subnets.get_mut(&NetUid(1)).expect("it was made").params.reveal_period = 1;
        });
        stage.play(19);
        assert!(stage.count("commit_weights") > 0);
        // Rows must wait twice as long from now on.
        let mut state = stage.state.clone();
        let subnet = state.subnets.get_mut(&NetUid(1)).expect("it was made");
        subnet.params.reveal_period = 2;
        let lost = identity("validators", 1, None).hotkey;
        subnet.commits.remove(&(0, lost));
        let seats = stage.hosts[0].checkpoint().seats;
        let mut after = Stage::new(state, seats, 1);
        after.now_ms = stage.now_ms;
        after.play(12);
        assert_eq!(after.count("reveal_weights"), 0, "they are too early");
        after.play(EPOCH);
        assert!(after.count("reveal_weights") > 0);
        assert_eq!(after.refusals(), [""; 0]);
        let rows = rows(&after);
        assert!(rows[1].is_empty() && !(rows[0].is_empty() && rows[2].is_empty()), "{rows:?}");
    }

    #[test]
    fn a_hotkey_that_left_is_forgotten_and_an_unregistered_validator_waits() {
        let mut stage = stage(&SamplerSettings::default(), &[500_000; 2], |_| {});
        stage.play(3 * EPOCH);
        let mut seats = stage.hosts[0].checkpoint().seats;
        seats.push(Seated::new(
            identity("strangers", 0, Some(NetUid(1))),
            BehaviourSettings::Sampler(SamplerSettings::default()).build(),
        ));
        let mut state = stage.state.clone();
        let neurons = &mut state.subnets.get_mut(&NetUid(1)).expect("it was made").neurons;
        let gone = identity("miners", 1, None).hotkey;
        neurons.uids.remove(&gone);
        neurons.uids.insert(AccountId([9; 32]), 4);
        neurons.hotkeys[4] = AccountId([9; 32]);
        let mut after = Stage::new(state, seats, 1);
        after.now_ms = stage.now_ms;
        after.play(2 * EPOCH);
        assert!(scores(&stage).iter().all(|scores| scores.get(&gone).is_some()));
        assert!(scores(&after).iter().all(|scores| scores.get(&gone).is_none()));
        let stranger = identity("strangers", 0, None).id;
        let said = |done: &crate::host::SliceDone| {
            done.outgoing.iter().any(|sent| sent.sender == stranger)
                || done.calls.iter().any(|call| call.player == stranger)
        };
        assert!(!after.done.iter().any(said));
        assert!(after.hosts[0].seat(stranger).and_then(Seated::next_wake_ms).is_some());
    }

    #[test]
    fn slow_smoothing_still_reaches_the_value() {
        let smoothing_ppm = 10_000;
        let mut sampler = Sampler::new(SamplerSettings { smoothing_ppm, ..Default::default() });
        let hotkey = AccountId([1; 32]);
        let rows = [(1_000_000, 1_000_000_000), (0, 990_000_000), (2_000_000, 990_100_000)];
        for (value, score) in rows {
            sampler.observe(&hotkey, value);
            assert_eq!(sampler.score(&hotkey), Some(score), "after {value}");
        }
        (0..3_000).for_each(|_| sampler.observe(&hotkey, 400_000));
        assert_eq!(sampler.score(&hotkey).map(|score| score / 1_000), Some(400_000));
    }
}
