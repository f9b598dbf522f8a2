//! What must be true of a run's blocks beyond the invariants of a state, told from the blocks themselves and not by the
//! code that made them.
//!
//! What belongs here: checks of calls, messages, hashes and sealed rows, by name. What does not: invariants of one state
//! (`protocol::invariants`), and whether players act (`liveness`).

use super::failure::Failure;
use protocol::event::Event;
use protocol::frame::{CallRecord, Frame, Messages};
use protocol::rejection::{Outcome, Refusal};
use protocol::state::{Row, State, Subnet};
use protocol::units::{AccountId, Height, NetUid, PlayerId};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// Whether messages can come twice, each copy to be delivered or lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubling {
    /// They can.
    Possible,
    /// They cannot.
    Never,
}

/// Follows a run block by block.
#[derive(Clone, Debug, Default)]
pub struct Oracle {
    /// Everything that players said to the chain so far.
    said: BTreeSet<(PlayerId, u64)>,
    messages: Messages,
    /// Nonces that signers come to.
    nonces: BTreeMap<AccountId, u32>,
    crashed: Vec<PlayerId>,
    /// Tempo and reveal period of each subnet after the last block: those that the next one begins under.
    terms: BTreeMap<NetUid, (u64, u64)>,
}

impl Oracle {
    /// Checks a block and the state after it.
    ///
    /// # Errors
    /// The first check that does not hold.
    pub fn block(&mut self, frame: &Frame, state: &State) -> Result<(), Failure> {
        let height = frame.header.height;
        let failure = |check: &str, detail: String| {
            Err(Failure::new(check, format!("block {height}: {detail}")))
        };
        if let Some(call) = self.said_before(&frame.calls) {
            return failure("calls_decided_once", format!("{call:?} was decided before"));
        }
        if let Some(call) = out_of_order(&frame.calls) {
            return failure("calls_in_order", format!("{call:?} comes too late or too early"));
        }
        let early = frame.calls.iter().find(|call| call.due_ms > frame.header.time_ms);
        if let Some(call) = early {
            return failure("calls_have_arrived", format!("{call:?} was still on its way"));
        }
        if let Some(signer) = self.skipped_nonce(&frame.calls) {
            return failure("nonces_count_calls", format!("those of {signer} do not go up by one"));
        }
        if let Some(what) = bare_newcomers(frame, state) {
            return failure("newcomers_start_bare", what);
        }
        let sealed = self.sealed_in_time(frame, state);
        self.terms = state.networks().map(|(netuid, subnet)| (netuid, terms_of(subnet))).collect();
        if let Some(what) = sealed {
            return failure("sealed_rows_open_in_time", what);
        }
        self.crashed.extend(&frame.facts.crashes);
        if let Some(player) = self.crashed.first() {
            return failure("players_do_not_crash", format!("player {player} panicked"));
        }
        let Messages { sent, delivered, dropped } = frame.facts.messages;
        self.messages.sent += sent;
        self.messages.delivered += delivered;
        self.messages.dropped += dropped;
        Ok(())
    }

    /// Checks what there is at the end: messages under way, and the state.
    ///
    /// # Errors
    /// The first check that does not hold.
    pub fn end(&self, travelling: u64, doubling: Doubling, state: &State) -> Result<(), Failure> {
        let Messages { sent, delivered, dropped } = self.messages;
        let known = delivered + dropped + travelling;
        if known < sent || (doubling == Doubling::Never && known != sent) {
            let what = format!(
                "{sent} messages were sent, but {delivered} delivered, {dropped} lost and {travelling} \
                 are under way"
            );
            return Err(Failure::new("messages_accounted", what));
        }
        let (kept, scratch) = (state.clone().root(), state.root_from_scratch());
        if kept != scratch {
            let what = format!("the kept state root is {kept}, from scratch it is {scratch}");
            return Err(Failure::new("state_root_from_scratch", what));
        }
        Ok(())
    }

    fn said_before<'a>(&mut self, calls: &'a [CallRecord]) -> Option<&'a CallRecord> {
        let players = calls.iter().filter(|call| call.player != PlayerId::CHAIN);
        let mut players = players;
        players.find(|call| !self.said.insert((call.player, call.sequence)))
    }

    /// Sealed rows are opened in the epoch that they wait for, neither before nor after: the reveal period behind
    /// theirs. None waits beyond it.
    fn sealed_in_time(&self, frame: &Frame, state: &State) -> Option<String> {
        let height = frame.header.height;
        for event in &frame.events {
            let (Event::TimelockedWeightsRevealed { netuid, epoch, .. }
            | Event::TimelockedCommitDropped { netuid, epoch, .. }) = event
            else {
                continue;
            };
            let Some((tempo, period)) = self.terms.get(netuid).copied() else { continue };
            let now = epoch_of(height, *netuid, tempo);
            if now != epoch + period {
                return Some(format!(
                    "block {height}, subnet {netuid}: a row of epoch {epoch} was opened in epoch {now}, the \
                     period is {period}"
                ));
            }
        }
        for (netuid, subnet) in state.networks() {
            let (tempo, period) = terms_of(subnet);
            if self.terms.get(&netuid) != Some(&(tempo, period)) {
                continue;
            }
            let now = epoch_of(height, netuid, tempo);
            let late = |epoch: u64| epoch + period < now;
            if let Some(((_, epoch), _)) = subnet.timelocked.iter().find(|((_, at), _)| late(*at)) {
                return Some(format!("subnet {netuid}: rows of epoch {epoch} wait in epoch {now}"));
            }
        }
        None
    }

    /// Each included call takes its signer's next nonce.
    fn skipped_nonce(&mut self, calls: &[CallRecord]) -> Option<AccountId> {
        for call in calls {
            let protocol::call::Origin::Signed(signer) = call.origin else { continue };
            if matches!(call.outcome, Outcome::Refused(_)) {
                continue;
            }
            let next = self.nonces.entry(signer).or_insert(call.nonce);
            if *next != call.nonce {
                return Some(signer);
            }
            *next += 1;
        }
        None
    }
}

/// Calls of root first, then those of players by class, moment, player and count; those that found the pool full last.
fn out_of_order(calls: &[CallRecord]) -> Option<&CallRecord> {
    let rank = |call: &CallRecord| {
        let class = match &call.call {
            protocol::call::Call::AddStakeBurn { .. } => 1,
            _ => 0,
        };
        let full = call.outcome == Outcome::Refused(Refusal::PoolFull);
        (full, Reverse(class), call.due_ms, call.player, call.sequence)
    };
    let players = calls.iter().skip_while(|call| call.player == PlayerId::CHAIN);
    let players: Vec<&CallRecord> = players.collect();
    let late = players.iter().find(|call| call.player == PlayerId::CHAIN);
    let late = late.copied();
    late.or_else(|| players.windows(2).find(|two| rank(two[0]) >= rank(two[1])).map(|two| two[1]))
}

/// Who took a uid in this block begins without weights, bonds and incentive, and nobody's weights are for it, unless it or
/// others set some in the same block.
fn bare_newcomers(frame: &Frame, state: &State) -> Option<String> {
    for event in &frame.events {
        let Event::NeuronPlaced { netuid, uid, hotkey, .. } = event else { continue };
        // Who goes on to another place in the same block took nothing along.
        let Some(subnet) = state.subnet(*netuid) else { continue };
        let at = usize::from(*uid);
        if subnet.neurons.hotkeys.get(at) != Some(hotkey) {
            continue;
        }
        for (index, mechanism) in (0..).zip(&subnet.mechanisms) {
            let holds = |rows: &[Row]| rows.get(at).is_some_and(|row| !row.is_empty());
            let has_row = holds(&mechanism.bonds)
                || (holds(&mechanism.weights) && !sets_row(frame, (*netuid, index, *uid)));
            let earned = mechanism.incentive.get(at).is_some_and(|incentive| *incentive != 0);
            let mut weights = mechanism.weights.iter().flatten();
            let is_weighed = weights.any(|(to, weight)| to == uid && *weight != 0);
            if has_row || earned || (is_weighed && !sets_weights(frame, *netuid)) {
                return Some(format!(
                    "subnet {netuid}: {hotkey} at uid {uid} has or gets weights, bonds or incentive of another"
                ));
            }
        }
    }
    None
}

/// Whether a uid's own row was set in a block.
fn sets_row(frame: &Frame, row: (NetUid, u8, u16)) -> bool {
    let is_own = |event: &Event| match event {
        Event::WeightsSet { netuid, mechanism, uid, .. } => (*netuid, *mechanism, *uid) == row,
        _ => false,
    };
    frame.events.iter().any(is_own)
}

/// Whether rows of a subnet were set in a block.
fn sets_weights(frame: &Frame, netuid: NetUid) -> bool {
    let mut events = frame.events.iter();
    events.any(|event| matches!(event, Event::WeightsSet { netuid: at, .. } if *at == netuid))
}

/// Tempo and reveal period.
fn terms_of(subnet: &Subnet) -> (u64, u64) {
    (u64::from(subnet.params.tempo), subnet.params.reveal_period)
}

/// The number of the epoch that a block is in: that of whole tempos since genesis, moved by the subnet's number.
fn epoch_of(height: Height, netuid: NetUid, tempo: u64) -> u64 {
    (height.0 + u64::from(netuid.0) + 1) / (tempo + 1)
}
