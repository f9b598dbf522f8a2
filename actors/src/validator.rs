//! Validators. `sampler`: asks a sample of miners each tempo, keeps a running score per hotkey and sets
//! weights from it once per tempo, some blocks before the epoch.
//!
//! It acts on timers alone and reads the chain only when one fires, so an idle validator costs nothing.

use crate::calendar::{block_ms, next_tick};
use crate::machine::{Context, Input, Machine};
use crate::registry::{InvalidSetting, ppm, within};
use protocol::call::Call;
use protocol::envelope::{Body, Envelope};
use protocol::state::{Neurons, Subnet};
use protocol::units::{AccountId, BLOCK_MS, BLOCKS_PER_DAY, NetUid, PlayerId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Scores are kept in thousandths of a millionth, so that slow smoothing does not round to a halt.
const SCORE_PER_PPM: u64 = 1_000;
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
    /// Blocks between setting weights and the epoch, at least.
    pub lead_blocks: u64,
    /// The part of the tempo over which the group's validators spread their moment of setting weights, in
    /// millionths; each draws its own, once.
    pub stagger_ppm: u32,
}

impl Default for SamplerSettings {
    fn default() -> Self {
        Self {
            sample: 16,
            answer_wait_ms: 24_000,
            smoothing_ppm: 300_000,
            penalise_silence: false,
            lead_blocks: 3,
            stagger_ppm: 500_000,
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
        within(
            "answer_wait_ms",
            self.answer_wait_ms,
            0..=day_ms,
            "at most 1 day",
        )?;
        ppm("smoothing_ppm", self.smoothing_ppm)?;
        within(
            "lead_blocks",
            self.lead_blocks,
            1..=BLOCKS_PER_DAY,
            "1 block to 1 day",
        )?;
        ppm("stagger_ppm", self.stagger_ppm)
    }
}

/// A validator with running scores.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sampler {
    settings: SamplerSettings,
    stagger_ppm: u64,
    scores: BTreeMap<AccountId, u64>,
    /// The block of the last epoch it worked towards.
    tick: u64,
    round: Option<Round>,
}

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
}

impl Sampler {
    /// A validator that has not started.
    pub const fn new(settings: SamplerSettings) -> Self {
        Self {
            settings,
            stagger_ppm: 0,
            scores: BTreeMap::new(),
            tick: 0,
            round: None,
        }
    }

    /// Its running score of a hotkey, in thousandths of a millionth of a perfect answer.
    pub fn score(&self, hotkey: &AccountId) -> Option<u64> {
        self.scores.get(hotkey).copied()
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
        let to_ask = self.begin_sample(subnet, context);
        let asking_ms = (set_ms - context.now_ms).saturating_sub(self.settings.answer_wait_ms);
        let ask_gap_ms = asking_ms / (to_ask.len() as u64).max(1);
        self.round = Some(Round {
            task: context.dice(DRAW_TASK).next_u64(),
            to_ask,
            ask_gap_ms,
            asked: BTreeMap::new(),
        });
        self.wake(context.now_ms, Alarm::Ask, context);
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
    fn begin_sample(&self, subnet: &Subnet, context: &Context<'_>) -> Vec<AccountId> {
        let mut miners: Vec<AccountId> = (0_u16..)
            .zip(&subnet.neurons.hotkeys)
            .filter(|(uid, hotkey)| **hotkey != context.me.hotkey && !validates(subnet, *uid))
            .map(|(_, hotkey)| *hotkey)
            .filter(|hotkey| context.directory.player(hotkey).is_some())
            .collect();
        let mut dice = context.dice(DRAW_SAMPLE);
        let wanted = miners.len().min(self.settings.sample as usize);
        for place in 0..wanted {
            let left = (miners.len() - place) as u64;
            miners.swap(place, place + dice.below(left) as usize);
        }
        miners.truncate(wanted);
        miners.reverse();
        miners
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
        let Body::Answer {
            netuid,
            task,
            value,
            ..
        } = answer.body
        else {
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
            self.observe(hotkey, value);
        }
    }

    fn observe(&mut self, hotkey: AccountId, value_ppm: u32) {
        let value = u64::from(value_ppm).min(PPM) * SCORE_PER_PPM;
        let weight = u64::from(self.settings.smoothing_ppm);
        let score = self.scores.entry(hotkey).or_insert(value);
        *score = (*score * (PPM - weight) + value * weight) / PPM;
    }

    fn set(&mut self, context: &mut Context<'_>) {
        let view = context.view;
        let subnet = context
            .me
            .netuid
            .and_then(|netuid| view.state().subnet(netuid));
        if let (Some(netuid), Some(subnet)) = (context.me.netuid, subnet) {
            self.scores
                .retain(|hotkey, _| subnet.neurons.uid(hotkey).is_some());
            if self.settings.penalise_silence {
                self.set_penalties();
            }
            let (dests, weights) = self.set_row(&subnet.neurons, &context.me.hotkey);
            if self.round.is_some() && set_allowed(subnet, dests.len(), context) {
                let version_key = subnet.params.weights_version_key;
                let call = Call::SetWeights {
                    netuid,
                    dests,
                    weights,
                    version_key,
                };
                context.submit(context.me.hotkey, call);
            }
        }
        self.begin(context);
    }

    fn set_penalties(&mut self) {
        let asked = self
            .round
            .as_mut()
            .map(|round| std::mem::take(&mut round.asked));
        for hotkey in asked.unwrap_or_default().into_values() {
            if self.scores.contains_key(&hotkey) {
                self.observe(hotkey, 0);
            }
        }
    }

    /// Uids ascending with their scores as parts of 65,535, the best at 65,535; what rounds to 0 is left out.
    fn set_row(&self, neurons: &Neurons, me: &AccountId) -> (Vec<u16>, Vec<u16>) {
        let best = self.scores.values().copied().max().unwrap_or(0).max(1);
        (0_u16..)
            .zip(&neurons.hotkeys)
            .filter(|(_, hotkey)| *hotkey != me)
            .filter_map(|(uid, hotkey)| {
                let part = self.score(hotkey)? * u64::from(u16::MAX) / best;
                Some((uid, u16::try_from(part).unwrap_or(u16::MAX)))
            })
            .filter(|(_, weight)| *weight > 0)
            .unzip()
    }

    fn wake(&self, at_ms: u64, alarm: Alarm, context: &mut Context<'_>) {
        context.wake(at_ms, self.tick << 2 | alarm as u64);
    }
}

/// Whether a uid acts as a validator: it may set weights and has done so. A permit alone says little, because
/// miners grow stake too.
fn validates(subnet: &Subnet, uid: u16) -> bool {
    let uid = usize::from(uid);
    let permitted = subnet.neurons.validator_permit.get(uid) == Some(&true);
    let row = subnet
        .mechanism(0)
        .and_then(|mechanism| mechanism.weights.get(uid));
    permitted && row.is_some_and(|row| !row.is_empty())
}

/// Whether the chain would take this many weights of the player in the next block, by what is public.
fn set_allowed(subnet: &Subnet, entries: usize, context: &Context<'_>) -> bool {
    let params = &subnet.params;
    let Some(uid) = subnet.neurons.uid(&context.me.hotkey).map(usize::from) else {
        return false;
    };
    let updates = subnet
        .mechanism(0)
        .map(|mechanism| mechanism.last_update.as_slice());
    let updated = updates
        .and_then(|updates| updates.get(uid))
        .copied()
        .unwrap_or(0);
    let waited = (context.view.state().height.0 + 1).saturating_sub(updated);
    let enough = subnet
        .neurons
        .len()
        .min(usize::from(params.min_allowed_weights))
        .max(1);
    entries >= enough
        && !params.commit_reveal
        && subnet.neurons.validator_permit.get(uid) == Some(&true)
        && (updated == 0 || waited >= params.weights_set_rate_limit)
}

impl Machine for Sampler {
    fn step(&mut self, input: &Input<'_>, context: &mut Context<'_>) {
        match input {
            Input::Start => self.enter(context),
            Input::Timer { tag } if tag >> 2 != self.tick => {}
            Input::Timer { tag } if tag & 3 == Alarm::Set as u64 => self.set(context),
            Input::Timer { tag } if tag & 3 == Alarm::Ask as u64 => self.ask(context),
            Input::Timer { .. } => self.begin(context),
            Input::Message(envelope) => self.hear(envelope, context),
            Input::Receipt(_) => {}
        }
    }
}
