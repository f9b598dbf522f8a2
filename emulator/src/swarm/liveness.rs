//! What goes on after the last fault: for so many blocks behind it everybody who can act does.
//!
//! What belongs here: who can act, in numbers, and what must have happened. What does not: how long the calm is
//! (`draw`). Whoever is cut off by the chain's own rules (no place, no permit, a subnet that is gone) owes nothing.

use super::cast::{MINERS, VALIDATORS};
use super::failure::Failure;
use crate::plan::Plan;
use crate::run::hosts::directory;
use actors::validator::SamplerSettings;
use protocol::call::Call;
use protocol::frame::Frame;
use protocol::rejection::{Outcome, Refusal};
use protocol::state::State;
use protocol::units::{AccountId, Height, NetUid, PlayerId};
use std::collections::{BTreeMap, BTreeSet};

/// One honest validator.
#[derive(Clone, Debug)]
struct Watched {
    hotkey: AccountId,
    netuid: NetUid,
    /// Whether it had a place, on one subnet without changes, after every block.
    placed: bool,
    /// Of those it may ask the part that are honest miners, at the least; only in part if they are too many to ask all.
    honest: f64,
    asks_all: bool,
    /// Whether it had a permit, too, where weights are set directly.
    permitted: bool,
    asked: u64,
    heard: u64,
    set: u64,
}

/// What subnets were like when the calm began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Terms {
    registered_at: u64,
    tempo: u16,
}

/// Follows a run from its last fault on.
#[derive(Clone, Debug)]
pub struct Liveness {
    /// The last block at which something may be wrong.
    from: Height,
    subnets: BTreeMap<NetUid, Terms>,
    watched: BTreeMap<PlayerId, Watched>,
    /// Hotkeys of the honest miners.
    miners: BTreeMap<NetUid, Vec<AccountId>>,
    /// Hotkeys behind which there is a player: nobody can ask the others.
    reachable: BTreeSet<AccountId>,
    /// Neurons that an honest validator asks in a tempo: those of a subnet with more by lot.
    asked_max: usize,
    /// Whether messages get through, more or less.
    is_quiet: bool,
    /// The chance that a query and its answer both do.
    answered: f64,
    /// Calls that a block takes.
    calls_max: u64,
    /// Whether the last block took as many.
    is_full: bool,
    /// Whether any block of the calm did: calls may wait longer than it lasts.
    was_full: bool,
}

/// Of a network that loses more nobody is expected to hear.
const LOSS_PPM_MAX: u32 = 300_000;
/// Who was that likely to hear nobody, by bad luck alone, need not have heard anybody.
const SILENCE_CHANCE_MAX: f64 = 1e-6;
/// Neurons of a subnet that must be there to be asked.
const NEURONS_MIN: usize = 1;

impl Liveness {
    /// Of a run whose faults are over after a block.
    pub fn new(plan: &Plan, from: Height) -> Self {
        let seats = plan.players.iter().filter(|seat| seat.identity.group == VALIDATORS);
        let watched = seats.filter_map(|seat| {
            let netuid = seat.identity.netuid?;
            let hotkey = seat.identity.hotkey;
            let watched = Watched {
                hotkey,
                netuid,
                placed: true,
                honest: 1.0,
                asks_all: true,
                permitted: true,
                asked: 0,
                heard: 0,
                set: 0,
            };
            Some((seat.identity.id, watched))
        });
        let mut miners: BTreeMap<NetUid, Vec<AccountId>> = BTreeMap::new();
        for seat in plan.players.iter().filter(|seat| seat.identity.group == MINERS) {
            if let Some(netuid) = seat.identity.netuid {
                miners.entry(netuid).or_default().push(seat.identity.hotkey);
            }
        }
        Self {
            from,
            subnets: BTreeMap::new(),
            watched: watched.collect(),
            miners,
            reachable: directory(plan).into_iter().map(|(hotkey, _)| hotkey).collect(),
            asked_max: SamplerSettings::default().sample as usize,
            is_quiet: plan.network.loss_ppm <= LOSS_PPM_MAX,
            answered: (1.0 - f64::from(plan.network.loss_ppm) / 1e6).powi(2),
            calls_max: u64::from(plan.limits.extrinsics_per_block_max),
            is_full: false,
            was_full: false,
        }
    }

    /// Takes note of a block.
    pub fn block(&mut self, frame: &Frame, state: &State) {
        let height = frame.header.height;
        let taken = frame.calls.iter().filter(|call| {
            call.player != PlayerId::CHAIN && call.outcome != Outcome::Refused(Refusal::PoolFull)
        });
        // Of those refused, not all are kept whole.
        let counted = frame.refused.iter().filter(|refused| refused.reason != Refusal::PoolFull);
        let counted: u64 = counted.map(|refused| u64::from(refused.count)).sum();
        self.is_full = taken.count() as u64 + counted >= self.calls_max;
        if height <= self.from {
            self.subnets = terms(state);
            return;
        }
        self.was_full |= self.is_full;
        let now = terms(state);
        self.subnets.retain(|netuid, terms| now.get(netuid) == Some(terms));
        for watched in self.watched.values_mut() {
            let miners = self.miners.get(&watched.netuid).map_or(&[][..], Vec::as_slice);
            let is_unchanged = self.subnets.contains_key(&watched.netuid);
            watched.look(state, is_unchanged, miners, &self.reachable, self.asked_max);
        }
        let facts = &frame.facts;
        for (at, player) in facts.players.iter().enumerate() {
            if let Some(watched) = self.watched.get_mut(player) {
                watched.asked += u64::from(facts.queries_sent[at]);
                watched.heard += u64::from(facts.answers_received[at]);
            }
        }
        for call in &frame.calls {
            if let (Some(watched), true) = (self.watched.get_mut(&call.player), sets(&call.call)) {
                watched.set += 1;
            }
        }
    }

    /// Checks what has happened until the last block; `overdue` calls wait although there was room for them.
    ///
    /// # Errors
    /// The first check that does not hold.
    pub fn end(&self, state: &State, overdue: u64) -> Result<(), Failure> {
        if state.height <= self.from {
            return Ok(());
        }
        for netuid in self.subnets.keys() {
            let Some(subnet) = state.subnet(*netuid) else { continue };
            // One that was registered on the way has had no epoch yet.
            let last = subnet.fast.last_step.max(subnet.info.registered_at);
            let since = state.height.0.saturating_sub(last);
            if since > u64::from(subnet.params.tempo) + 1 {
                let what = format!("subnet {netuid}: no epoch for {since} blocks");
                return Err(Failure::new("epochs_go_on", what));
            }
        }
        if overdue > 0 && !self.is_full {
            let what = format!("{overdue} calls wait although blocks have room");
            return Err(Failure::new("no_call_is_stuck", what));
        }
        for (player, watched) in &self.watched {
            let since = self.from;
            let who = format!("player {player} on subnet {}", watched.netuid);
            if watched.placed && watched.asked == 0 {
                let what = format!("{who} has asked nobody since block {since}");
                return Err(Failure::new("validators_ask", what));
            }
            let by_chance = watched.silence_chance(self.answered);
            if watched.placed && by_chance < SILENCE_CHANCE_MAX && watched.heard == 0 {
                let what = format!("{who} has heard nobody since block {since}");
                return Err(Failure::new("miners_answer", what));
            }
            // Answers may have come from neurons that are gone; honest miners stay, and nearly surely one was heard.
            let has_heard = watched.heard > 0 && by_chance < SILENCE_CHANCE_MAX;
            let can_set = watched.placed && watched.permitted && has_heard;
            if can_set && self.is_quiet && !self.was_full && watched.set == 0 {
                let what = format!("{who} has set no weights since block {since}");
                return Err(Failure::new("validators_set_weights", what));
            }
        }
        Ok(())
    }
}

impl Watched {
    /// How likely it is that nobody answers what it asked: each honest miner is asked in each tempo, or each query is to
    /// one of them with some chance.
    fn silence_chance(&self, answered: f64) -> f64 {
        match self.asks_all {
            true => (1.0 - answered).powf((self.asked as f64 * self.honest).floor()),
            false => (1.0 - self.honest * answered).powf(self.asked as f64),
        }
    }

    fn look(
        &mut self,
        state: &State,
        is_unchanged: bool,
        miners: &[AccountId],
        reachable: &BTreeSet<AccountId>,
        asked_max: usize,
    ) {
        let Some(subnet) = state.subnet(self.netuid).filter(|_| is_unchanged) else {
            self.placed = false;
            return;
        };
        let uid = subnet.neurons.uid(&self.hotkey);
        let permits = &subnet.neurons.validator_permit;
        // Somebody must be there to be asked: a neuron without a permit, and a player behind it.
        let neurons = subnet.neurons.hotkeys.iter().zip(permits);
        let others = neurons.filter(|(hotkey, permit)| !**permit && reachable.contains(*hotkey));
        let others = others.count();
        self.placed &= uid.is_some() && others > NEURONS_MIN && subnet.params.tempo > 0;
        let permitted = |uid: u16| permits.get(usize::from(uid)).copied().unwrap_or(false);
        // A validator that has lost its permit is asked too, and does not answer.
        let present = miners.iter().filter_map(|hotkey| subnet.neurons.uid(hotkey));
        let present = present.filter(|uid| !permitted(*uid)).count();
        self.honest = self.honest.min(present as f64 / others.max(1) as f64);
        self.asks_all &= others <= asked_max;
        self.permitted &= uid.is_some_and(permitted)
            && !subnet.params.commit_reveal
            && subnet.params.mechanism_count == 1
            && subnet.params.min_allowed_weights <= 1
            && subnet.params.weights_set_rate_limit <= 2 * u64::from(subnet.params.tempo)
            && state.global.stake_threshold == 0;
    }
}

fn terms(state: &State) -> BTreeMap<NetUid, Terms> {
    let subnets = state.networks().filter(|(netuid, _)| !netuid.is_root());
    let subnets = subnets.map(|(netuid, subnet)| {
        let registered_at = subnet.info.registered_at;
        (netuid, Terms { registered_at, tempo: subnet.params.tempo })
    });
    subnets.collect()
}

const fn sets(call: &Call) -> bool {
    matches!(call, Call::SetWeights { .. } | Call::SetMechanismWeights { .. })
}
