//! The hub: every message between players, every call on its way to the chain, and what the simulated
//! network does to them. Pure: no clock, no sockets; all it remembers is serialisable.
//!
//! What belongs here: latency, loss, duplication, slices, the pool of waiting calls, receipts, off-chain facts.
//! What does not: which faults strike whom (`faults`), deciding calls (the chain's), and where players run (the
//! hosts').

use super::faults::Faults;
use crate::plan::{Course, Limits, Network, Plan};
use actors::host::{Delivery, Outgoing, SliceDone, SubmittedCall};
use actors::machine::Receipt;
use actors::roster::Roster;
use protocol::block::{BlockInput, Submitted, order_calls};
use protocol::call::{Call, Origin};
use protocol::dice::{Dice, Domain};
use protocol::envelope::{Body, Envelope, OrderKey};
use protocol::frame::{Facts, Messages};
use protocol::rejection::Outcome;
use protocol::units::{AccountId, BLOCK_MS, Height, PlayerId};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// How long an open query is remembered; the latency of a later answer is not counted.
pub const QUERY_KEPT_MS: u64 = 3_600_000;

/// A stretch of simulated time; nothing sent in it is delivered in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slice {
    /// Where it begins, in simulated milliseconds since genesis.
    pub from_ms: u64,
    /// Where it ends; not part of it.
    pub until_ms: u64,
}

/// The hub of a run.
#[derive(Clone, Debug)]
pub struct Hub {
    seed: u64,
    network: Network,
    limits: Limits,
    players: Roster<PlayerId>,
    genesis: Height,
    faults: Faults,
    memory: HubMemory,
    /// What is to be counted still; nobody waits for it.
    notes: Vec<Note>,
}

/// Something that happened to a message and is in no count yet.
#[derive(Clone, Copy, Debug)]
enum Note {
    Sent { sender: PlayerId, sent_ms: u64, asks: Option<Question> },
    Lost { sender: PlayerId },
    Delivered { answers: Option<Answered> },
}

/// An answer that reached who had asked.
#[derive(Clone, Copy, Debug)]
struct Answered {
    question: Question,
    due_ms: u64,
    digest: u64,
}

/// Everything a hub remembers; part of a checkpoint.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HubMemory {
    /// The end of the last slice.
    now_ms: u64,
    /// Messages under way, in the order of delivery; the last part of the key tells duplicates apart.
    travelling: BTreeMap<(OrderKey, u8), Envelope>,
    /// Calls under way or waiting in the pool, in the order of inclusion.
    calls: BTreeMap<OrderKey, Waiting>,
    /// Receipts of the last block that were not handed out yet.
    receipts: Vec<Receipt>,
    /// When each open query was sent.
    asked: BTreeMap<Question, u64>,
    /// The same by time, to forget them.
    asked_by_time: BTreeSet<(u64, Question)>,
    facts: Gathered,
}

impl HubMemory {
    /// Messages that are under way to somebody.
    pub fn travelling(&self) -> u64 {
        self.travelling.len() as u64
    }

    /// Calls that have reached the chain and wait for a block.
    pub fn waiting(&self) -> u64 {
        self.calls.range(..(self.now_ms, PlayerId::CHAIN, 0)).count() as u64
    }
}

/// A call on its way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Waiting {
    signer: AccountId,
    call: Call,
}

/// A query, as its answer names it: who asked whom for which task on which subnet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Question {
    asker: PlayerId,
    answerer: PlayerId,
    netuid: u16,
    task: u64,
}

/// Facts of the block that is being made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Gathered {
    tallies: BTreeMap<PlayerId, Tally>,
    /// Miners by the content of their answers: (netuid, task, digest).
    answers: BTreeMap<(u16, u64, u64), BTreeSet<PlayerId>>,
    crashes: BTreeSet<PlayerId>,
    messages: Messages,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Tally {
    queries_sent: u32,
    answers_received: u32,
    lost: u32,
    latency_ms: u64,
}

/// What the network does to one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Lost,
    Arrives { latency_ms: u64, again_ms: Option<u64>, not_before_ms: u64 },
}

impl Hub {
    /// The hub of a plan for the blocks from `next` to the next fork, with what it remembers; nothing at genesis.
    pub fn new(plan: &Plan, next: Height, memory: HubMemory) -> Self {
        #[cfg(feature = "planted")]
        let memory = match crate::planted::active(crate::planted::Bug::ForgetfulCheckpoint) {
            true => HubMemory { travelling: BTreeMap::new(), ..memory },
            false => memory,
        };
        let course = plan.course(next);
        let mut hub = Self {
            seed: course.seed(),
            network: course.network().clone(),
            limits: course.limits().clone(),
            players: course.seats().map(|seat| seat.identity.id).collect(),
            genesis: plan.genesis.height,
            faults: Faults::new(&course),
            memory,
            notes: Vec::new(),
        };
        hub.lose_what_nobody_takes();
        hub
    }

    /// Messages and receipts that are under way to players who are gone.
    fn lose_what_nobody_takes(&mut self) {
        let players = &self.players;
        self.memory.receipts.retain(|receipt| players.contains(&receipt.player));
        let gone = |envelope: &Envelope| !players.contains(&envelope.receiver);
        let lost: Vec<Envelope> = self
            .memory
            .travelling
            .extract_if(.., |_, envelope| gone(envelope))
            .map(|(_, e)| e)
            .collect();
        for envelope in lost {
            self.note_lost(envelope.sender);
        }
    }

    /// What it remembers.
    pub fn memory(&mut self) -> &HubMemory {
        self.count();
        &self.memory
    }

    /// Messages under way to players, and calls that wait for a block with room.
    pub fn under_way(&self) -> (u64, u64) {
        (self.memory.travelling(), self.memory.waiting())
    }

    /// The next slice in which anybody has something to do, if it begins before `until_ms`; slices in which
    /// nothing happens are skipped. `wake_ms` is the earliest timer of all players.
    pub fn next_slice(&self, until_ms: u64, wake_ms: Option<u64>) -> Option<Slice> {
        let now_ms = self.memory.now_ms;
        let message_ms = self.memory.travelling.keys().next().map(|((due_ms, _, _), _)| *due_ms);
        let receipt_ms = (!self.memory.receipts.is_empty()).then_some(now_ms);
        let first_ms = [message_ms, receipt_ms, wake_ms].into_iter().flatten().min()?.max(now_ms);
        if first_ms >= until_ms {
            return None;
        }
        let from_ms = (first_ms - first_ms % self.network.slice_ms).max(now_ms);
        let end_ms = from_ms - from_ms % self.network.slice_ms + self.network.slice_ms;
        Some(Slice { from_ms, until_ms: end_ms.min(until_ms) })
    }

    /// Faults are in force for all that leads up to a block; no slice goes beyond one.
    fn turn_to(&mut self, slice: Slice) {
        self.faults.turn_to(Height(self.genesis.0.saturating_add(slice.from_ms / BLOCK_MS + 1)));
    }

    /// Takes what is delivered in a slice: receipts of the last block, then messages by due time. What finds its
    /// receiver cut off is lost. From here on it is the end of the slice.
    pub fn deliveries(&mut self, slice: Slice) -> Vec<Delivery> {
        self.turn_to(slice);
        self.memory.now_ms = slice.until_ms;
        let later = self.memory.travelling.split_off(&((slice.until_ms, PlayerId::CHAIN, 0), 0));
        let due = std::mem::replace(&mut self.memory.travelling, later);
        let receipts = std::mem::take(&mut self.memory.receipts);
        let mut deliveries: Vec<Delivery> = receipts.into_iter().map(Delivery::Receipt).collect();
        for envelope in due.into_values() {
            if self.faults.cut(envelope.sender, envelope.receiver) {
                self.note_lost(envelope.sender);
                continue;
            }
            self.note_delivered(&envelope);
            deliveries.push(Delivery::Message(envelope));
        }
        deliveries
    }

    /// Takes what players said in a slice and sends it on its way. The parts of several hosts may come in any order:
    /// what becomes of a message depends on its sender's count alone, and what is under way is in its one order.
    pub fn accept(&mut self, slice: Slice, done: SliceDone) {
        self.turn_to(slice);
        for sent in done.outgoing {
            self.send(sent, slice.until_ms);
        }
        for submitted in done.calls {
            self.submit(submitted, slice.until_ms);
        }
        self.memory.facts.crashes.extend(done.crashes);
    }

    fn send(&mut self, sent: Outgoing, until_ms: u64) {
        self.note_sent(&sent);
        #[cfg(feature = "planted")]
        if crate::planted::active(crate::planted::Bug::LostMessage) && sent.sequence % 16 == 7 {
            return;
        }
        match self.verdict(&sent) {
            Verdict::Lost => self.note_lost(sent.sender),
            Verdict::Arrives { latency_ms, again_ms, not_before_ms } => {
                let not_before_ms = not_before_ms.max(until_ms);
                for (copy, latency_ms) in [Some(latency_ms), again_ms].into_iter().enumerate() {
                    let Some(latency_ms) = latency_ms else { continue };
                    let envelope = Envelope {
                        due_ms: sent.sent_ms.saturating_add(latency_ms).max(not_before_ms),
                        sender: sent.sender,
                        sequence: sent.sequence,
                        receiver: sent.receiver,
                        sent_ms: sent.sent_ms,
                        body: sent.body.clone(),
                    };
                    self.memory.travelling.insert((envelope.order(), copy as u8), envelope);
                }
            }
        }
    }

    fn verdict(&self, sent: &Outgoing) -> Verdict {
        let network = &self.network;
        let mut dice = self.net_dice(sent.sender, sent.receiver, sent.sequence);
        let lost = dice.chance_ppm(network.loss_ppm);
        let blow = self.faults.strike(sent.sender, sent.receiver, sent.sequence);
        if lost || blow.lost || !self.players.contains(&sent.receiver) {
            return Verdict::Lost;
        }
        let mut latency_ms = || {
            let usual_ms = dice.between(network.latency_ms_min, network.latency_ms_max);
            usual_ms.saturating_add(blow.delay_ms)
        };
        let (first_ms, second_ms) = (latency_ms(), latency_ms());
        let twice = dice.chance_ppm(network.duplication_ppm) || blow.again;
        Verdict::Arrives {
            latency_ms: first_ms,
            again_ms: twice.then_some(second_ms),
            not_before_ms: blow.not_before_ms,
        }
    }

    /// Calls are delayed like messages but never lost; who is offline finds the chain when it is back.
    fn submit(&mut self, submitted: SubmittedCall, until_ms: u64) {
        let mut dice = self.net_dice(submitted.player, PlayerId::CHAIN, submitted.sequence);
        let latency_ms = dice.between(self.network.latency_ms_min, self.network.latency_ms_max);
        let delay_ms = self.faults.call_delay_ms(submitted.player, submitted.sequence);
        let latency_ms = latency_ms.saturating_add(delay_ms);
        let due_ms = submitted.sent_ms.saturating_add(latency_ms).max(until_ms);
        let order = (due_ms, submitted.player, submitted.sequence);
        let waiting = Waiting { signer: submitted.signer, call: submitted.call };
        #[cfg(feature = "planted")]
        if crate::planted::active(crate::planted::Bug::DoubledCall) && order.2 % 4 == 3 {
            self.memory.calls.insert((order.0 + 1, order.1, order.2), waiting.clone());
        }
        self.memory.calls.insert(order, waiting);
    }

    fn net_dice(&self, sender: PlayerId, receiver: PlayerId, sequence: u64) -> Dice {
        Dice::new(self.seed, Domain::Net, sender.0, receiver.0, sequence)
    }

    /// What a block is decided from: the timeline's calls, then the pool's by class and age; calls that find the
    /// pool full, the last ones, are surplus.
    pub fn block_input(&mut self, course: &Course<'_>, height: Height) -> BlockInput {
        let time_ms = course.block_ms(height);
        self.memory.now_ms = time_ms;
        self.faults.turn_to(height);
        let later = self.memory.calls.split_off(&(time_ms, PlayerId::CHAIN, 0));
        let arrived = std::mem::replace(&mut self.memory.calls, later);
        let arrived = self.hold_back(arrived, time_ms).into_iter();
        let mut arrived: Vec<Submitted> = arrived.map(block_input_call).collect();
        order_calls(&mut arrived);
        let mut arrived = arrived.into_iter();
        let mut calls: Vec<Submitted> = course.root_calls(height).collect();
        let block_max = self.limits.extrinsics_per_block_max as usize;
        calls.extend(arrived.by_ref().take(block_max));
        let waiting = arrived.by_ref().take(self.limits.pool_max as usize);
        self.memory.calls.extend(waiting.filter_map(block_input_waiting));
        BlockInput {
            height,
            time_ms,
            entropy: course.entropy(height),
            calls,
            surplus: arrived.collect(),
            refused_kept_max: self.limits.refused_kept_max as usize,
            beacon_round: course.beacon_round(height),
        }
    }

    /// Calls that come to the chain for this block from who is offline come for the next one, if the player is back
    /// then; those that were in the pool before stay there.
    fn hold_back(
        &mut self,
        mut arrived: BTreeMap<OrderKey, Waiting>,
        time_ms: u64,
    ) -> BTreeMap<OrderKey, Waiting> {
        let new_from = (time_ms.saturating_sub(BLOCK_MS), PlayerId::CHAIN, 0);
        let faults = &self.faults;
        let offline =
            arrived.extract_if(new_from.., |(_, player, _), _| faults.is_offline(*player));
        for ((_, player, sequence), waiting) in offline {
            self.memory.calls.insert((time_ms, player, sequence), waiting);
        }
        arrived
    }

    /// Keeps the receipts of a decided block for the next slice, if there is somebody to take them. `outcomes` are those of `calls`, then `surplus`.
    pub fn settle(&mut self, input: &BlockInput, outcomes: &[Outcome]) {
        let submitted = input.calls.iter().chain(&input.surplus);
        for (submitted, outcome) in submitted.zip(outcomes) {
            if self.players.contains(&submitted.player) {
                self.memory.receipts.push(Receipt {
                    player: submitted.player,
                    sequence: submitted.sequence,
                    height: input.height,
                    outcome: *outcome,
                });
            }
        }
    }

    /// The off-chain facts since the last block.
    pub fn take_facts(&mut self) -> Facts {
        self.count();
        self.forget_old_queries();
        let gathered = std::mem::take(&mut self.memory.facts);
        let mut facts = Facts { messages: gathered.messages, ..Facts::default() };
        for (player, tally) in gathered.tallies {
            facts.players.push(player);
            facts.queries_sent.push(tally.queries_sent);
            facts.answers_received.push(tally.answers_received);
            facts.lost.push(tally.lost);
            facts.latency_ms.push(tally.latency_ms);
        }
        let several = gathered.answers.into_iter().filter(|(_, miners)| miners.len() > 1);
        facts.identical_answers = several
            .map(|((netuid, _, digest), miners)| (netuid, digest, miners.len() as u32))
            .collect();
        facts.crashes = gathered.crashes.into_iter().collect();
        facts
    }

    fn note_sent(&mut self, sent: &Outgoing) {
        let Outgoing { sent_ms, sender, receiver, .. } = *sent;
        let asks = match sent.body {
            Body::Query { netuid, task } => {
                Some(Question { asker: sender, answerer: receiver, netuid: netuid.0, task })
            }
            _ => None,
        };
        self.notes.push(Note::Sent { sender, sent_ms, asks });
    }

    fn note_lost(&mut self, sender: PlayerId) {
        self.notes.push(Note::Lost { sender });
    }

    fn note_delivered(&mut self, envelope: &Envelope) {
        let Envelope { due_ms, sender: answerer, receiver: asker, .. } = *envelope;
        let answers = match envelope.body {
            Body::Answer { netuid, task, digest, .. } => {
                let question = Question { asker, answerer, netuid: netuid.0, task };
                Some(Answered { question, due_ms, digest })
            }
            _ => None,
        };
        self.notes.push(Note::Delivered { answers });
    }

    /// Brings all counts up to date. It may be done at any time, for instance while players are at work.
    pub fn count(&mut self) {
        let mut notes = std::mem::take(&mut self.notes);
        for note in notes.drain(..) {
            match note {
                Note::Sent { sender, sent_ms, asks } => self.count_sent(sender, sent_ms, asks),
                Note::Lost { sender } => {
                    self.memory.facts.messages.dropped += 1;
                    self.tally(sender).lost += 1;
                }
                Note::Delivered { answers } => {
                    self.memory.facts.messages.delivered += 1;
                    if let Some(answered) = answers {
                        self.count_answer(answered);
                    }
                }
            }
        }
        self.notes = notes;
    }

    fn count_sent(&mut self, sender: PlayerId, sent_ms: u64, asks: Option<Question>) {
        self.memory.facts.messages.sent += 1;
        let Some(question) = asks else { return };
        self.tally(sender).queries_sent += 1;
        if let Some(before_ms) = self.memory.asked.insert(question, sent_ms) {
            self.memory.asked_by_time.remove(&(before_ms, question));
        }
        self.memory.asked_by_time.insert((sent_ms, question));
    }

    fn count_answer(&mut self, answered: Answered) {
        let Answered { question, due_ms, digest } = answered;
        let asked_ms = self.memory.asked.remove(&question);
        if let Some(asked_ms) = asked_ms {
            self.memory.asked_by_time.remove(&(asked_ms, question));
        }
        let tally = self.tally(question.asker);
        tally.answers_received += 1;
        tally.latency_ms += asked_ms.map_or(0, |asked_ms| due_ms - asked_ms);
        let content = (question.netuid, question.task, digest);
        self.memory.facts.answers.entry(content).or_default().insert(question.answerer);
    }

    fn forget_old_queries(&mut self) {
        let before_ms = self.memory.now_ms.saturating_sub(QUERY_KEPT_MS);
        while let Some((asked_ms, question)) = self.memory.asked_by_time.first().copied() {
            if asked_ms >= before_ms {
                break;
            }
            self.memory.asked_by_time.pop_first();
            self.memory.asked.remove(&question);
        }
    }

    fn tally(&mut self, player: PlayerId) -> &mut Tally {
        self.memory.facts.tallies.entry(player).or_default()
    }
}

fn block_input_call((order, waiting): (OrderKey, Waiting)) -> Submitted {
    let (due_ms, player, sequence) = order;
    let origin = Origin::Signed(waiting.signer);
    Submitted { due_ms, player, sequence, origin, nonce: None, call: waiting.call }
}

/// A call that waits for a later block, as the pool keeps it.
fn block_input_waiting(submitted: Submitted) -> Option<(OrderKey, Waiting)> {
    let Submitted { due_ms, player, sequence, origin, call, .. } = submitted;
    match origin {
        Origin::Signed(signer) => Some(((due_ms, player, sequence), Waiting { signer, call })),
        // Players sign what they submit; root's calls are the timeline's.
        Origin::Root => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Fault, FaultKind, Fork, Shape, Terms, TimelineCall, Times, Whom};
    use actors::machine::Identity;
    use actors::registry::BehaviourSettings;
    use protocol::beacon::Beacon;
    use protocol::dice::player_id;
    use protocol::rejection::Refusal;
    use protocol::state::State;
    use protocol::units::{NetUid, Rao};

    fn seat(index: u64) -> crate::plan::Seat {
        let identity = Identity::new("miners", index, Some(NetUid(1)));
        let player = BehaviourSettings::Quality(Default::default()).build();
        crate::plan::Seat { identity, player, arrives_ms: None }
    }

    fn plan(network: Network, limits: Limits) -> Plan {
        let mut genesis = State::default();
        genesis.height = Height(100);
        Plan {
            name: "test".to_owned(),
            description: String::new(),
            scenario: String::new(),
            seed: 7,
            genesis_unix_s: 0,
            network,
            limits,
            timeline: vec![TimelineCall {
                height: Height(101),
                call: Call::RootDissolveNetwork { netuid: NetUid(1) },
            }],
            players: (0..3).map(seat).collect(),
            genesis,
            forks: Vec::new(),
            faults: Vec::new(),
        }
    }

    fn hub(plan: &Plan) -> Hub {
        Hub::new(plan, plan.genesis.height, HubMemory::default())
    }

    fn calm() -> Network {
        Network {
            slice_ms: 1_000,
            latency_ms_min: 40,
            latency_ms_max: 40,
            loss_ppm: 0,
            duplication_ppm: 0,
        }
    }

    fn wide() -> Limits {
        Limits { extrinsics_per_block_max: 100, pool_max: 100, refused_kept_max: 10 }
    }

    fn query(from: u64, to: u64, sent_ms: u64, sequence: u64) -> Outgoing {
        Outgoing {
            sent_ms,
            sender: player_id("miners", from),
            sequence,
            receiver: player_id("miners", to),
            body: Body::Query { netuid: NetUid(1), task: sequence },
        }
    }

    fn answer(from: u64, to: u64, sent_ms: u64, task: u64) -> Outgoing {
        let body = Body::Answer { netuid: NetUid(1), task, value: 1, digest: 99 };
        Outgoing { body, ..query(from, to, sent_ms, 1_000 + task) }
    }

    fn said(outgoing: Vec<Outgoing>) -> SliceDone {
        SliceDone { outgoing, ..SliceDone::default() }
    }

    fn slice(from_ms: u64) -> Slice {
        Slice { from_ms, until_ms: from_ms + 1_000 }
    }

    fn due(deliveries: &[Delivery]) -> Vec<u64> {
        let messages = deliveries.iter().filter_map(|delivery| match delivery {
            Delivery::Message(envelope) => Some(envelope.due_ms),
            Delivery::Receipt(_) => None,
        });
        messages.collect()
    }

    #[test]
    fn nothing_sent_in_a_slice_is_delivered_in_it() {
        let mut hub = hub(&plan(calm(), wide()));
        hub.accept(slice(0), said(vec![query(0, 1, 10, 0), query(0, 1, 990, 1)]));
        assert_eq!(hub.next_slice(12_000, None), Some(slice(1_000)));
        let delivered = hub.deliveries(slice(1_000));
        assert_eq!(due(&delivered), [1_000, 1_030]);
        assert_eq!(hub.next_slice(12_000, None), None);
    }

    #[test]
    fn empty_slices_are_skipped_and_slices_end_at_a_block() {
        let mut hub = hub(&plan(calm(), wide()));
        assert_eq!(hub.next_slice(12_000, Some(0)), Some(slice(0)));
        hub.accept(slice(0), SliceDone::default());
        assert_eq!(hub.next_slice(12_000, Some(7_500)), Some(slice(7_000)));
        assert_eq!(hub.next_slice(12_000, Some(12_000)), None);
        assert_eq!(hub.next_slice(12_000, None), None);
    }

    #[test]
    fn a_network_that_loses_everything_delivers_nothing_and_counts_it() {
        let network = Network { loss_ppm: 1_000_000, ..calm() };
        let mut hub = hub(&plan(network, wide()));
        hub.accept(slice(0), said(vec![query(0, 1, 0, 0), query(0, 2, 0, 1)]));
        assert_eq!(hub.next_slice(u64::MAX, None), None);
        let facts = hub.take_facts();
        assert_eq!(facts.messages, Messages { sent: 2, delivered: 0, dropped: 2 });
        assert_eq!((facts.queries_sent, facts.lost), (vec![2], vec![2]));
    }

    #[test]
    fn a_message_to_nobody_is_lost() {
        let mut hub = hub(&plan(calm(), wide()));
        hub.accept(slice(0), said(vec![query(0, 77, 0, 0)]));
        assert_eq!(hub.take_facts().messages.dropped, 1);
    }

    #[test]
    fn duplicates_arrive_twice_and_count_once_as_sent() {
        let network = Network { duplication_ppm: 1_000_000, latency_ms_max: 90_000, ..calm() };
        let mut hub = hub(&plan(network, wide()));
        hub.accept(slice(0), said(vec![query(0, 1, 0, 0)]));
        let all = hub.deliveries(Slice { from_ms: 1_000, until_ms: 100_000 });
        assert_eq!(all.len(), 2);
        let messages = hub.take_facts().messages;
        assert_eq!(messages, Messages { sent: 1, delivered: 2, dropped: 0 });
    }

    #[test]
    fn facts_tell_latency_and_identical_answers() {
        let mut hub = hub(&plan(calm(), wide()));
        let asked = vec![query(0, 1, 0, 5), Outgoing { sequence: 6, ..query(0, 2, 0, 5) }];
        hub.accept(slice(0), said(asked));
        hub.deliveries(slice(1_000));
        hub.accept(slice(1_000), said(vec![answer(1, 0, 1_000, 5), answer(2, 0, 1_200, 5)]));
        hub.deliveries(slice(2_000));
        let facts = hub.take_facts();
        assert_eq!(facts.players, [player_id("miners", 0)]);
        assert_eq!((facts.answers_received, facts.latency_ms), (vec![2], vec![4_000]));
        assert_eq!(facts.identical_answers, [(1, 99, 2)]);
        assert_eq!(hub.take_facts(), Facts::default());
    }

    #[test]
    fn the_oldest_calls_are_decided_and_the_newest_find_the_pool_full() {
        let limits = Limits { extrinsics_per_block_max: 2, pool_max: 1, refused_kept_max: 10 };
        let plan = plan(calm(), limits);
        let mut hub = hub(&plan);
        let call = |sequence| SubmittedCall {
            sent_ms: sequence * 10,
            player: player_id("miners", 0),
            sequence,
            signer: AccountId([1; 32]),
            call: Call::TransferAllowDeath { dest: AccountId([2; 32]), value: Rao(1) },
        };
        let done = SliceDone { calls: (0..5).map(call).collect(), ..SliceDone::default() };
        hub.accept(slice(0), done);
        let input = hub.block_input(&plan.course(Height(101)), Height(101));
        let sequences =
            |calls: &[Submitted]| calls.iter().map(|call| call.sequence).collect::<Vec<_>>();
        assert_eq!(input.calls[0].player, PlayerId::CHAIN, "the timeline comes first");
        assert_eq!(sequences(&input.calls[1..]), [0, 1]);
        assert_eq!(sequences(&input.surplus), [3, 4]);
        let full = Outcome::Refused(Refusal::PoolFull);
        hub.settle(&input, &[Outcome::Ok, Outcome::Ok, Outcome::Ok, full, full]);
        assert_eq!(hub.next_slice(24_000, None), Some(slice(12_000)));
        let receipts = hub.deliveries(slice(12_000));
        assert_eq!(receipts.len(), 4);
        hub.accept(slice(12_000), SliceDone::default());
        let input = hub.block_input(&plan.course(Height(102)), Height(102));
        assert_eq!(sequences(&input.calls), [2]);
    }

    #[test]
    fn a_call_of_a_higher_class_overtakes_older_ones() {
        let limits = Limits { extrinsics_per_block_max: 2, pool_max: 2, refused_kept_max: 10 };
        let plan = plan(calm(), limits);
        let mut hub = hub(&plan);
        let hotkey = AccountId([1; 32]);
        let call = |sequence: u64| SubmittedCall {
            sent_ms: sequence * 10,
            player: player_id("miners", 0),
            sequence,
            signer: hotkey,
            call: if sequence == 3 {
                let (netuid, amount) = (NetUid(1), Rao(1));
                Call::AddStakeBurn { hotkey, netuid, amount, limit: None }
            } else {
                Call::TransferAllowDeath { dest: AccountId([2; 32]), value: Rao(1) }
            },
        };
        let calls = (0..5).map(call).collect();
        hub.accept(slice(0), SliceDone { calls, ..SliceDone::default() });
        let sequences =
            |calls: &[Submitted]| calls.iter().map(|call| call.sequence).collect::<Vec<_>>();
        let input = hub.block_input(&plan.course(Height(101)), Height(101));
        assert_eq!(sequences(&input.calls[1..]), [3, 0], "the timeline is still first");
        assert_eq!(sequences(&input.surplus), [4]);
        let input = hub.block_input(&plan.course(Height(102)), Height(102));
        assert_eq!(sequences(&input.calls), [1, 2]);
    }

    #[test]
    fn pulses_are_known_a_block_after_they_were_published() {
        let mut plan = plan(calm(), wide());
        let round = |plan: &Plan, height| {
            let height = Height(height);
            hub(plan).block_input(&plan.course(height), height).beacon_round
        };
        assert_eq!(round(&plan, 101), None, "there is no beacon");
        plan.genesis.global.beacon =
            Beacon { period_ms: 3_000, first_round: 10, ..Beacon::default() };
        for (height, last) in [(101, 10), (102, 14), (103, 18)] {
            assert_eq!(round(&plan, height), Some(last), "block {height}");
        }
    }

    #[test]
    fn what_is_under_way_to_players_who_leave_is_lost() {
        let mut plan = plan(calm(), wide());
        plan.forks.push(Fork {
            parent: "runs/other".to_owned(),
            build: "test".to_owned(),
            at: Height(101),
            block_hash: Default::default(),
            set: Vec::new(),
            scenario: String::new(),
            terms: Terms {
                seed: 8,
                network: Network { latency_ms_min: 50, latency_ms_max: 50, ..calm() },
                limits: wide(),
                changes: Vec::new(),
                timeline: Vec::new(),
                faults: Vec::new(),
                recast: Vec::new(),
                leaving: vec![player_id("miners", 1)],
            },
        });
        let mut hub = hub(&plan);
        hub.accept(slice(11_000), said(vec![query(0, 1, 11_000, 0), query(0, 2, 11_000, 1)]));
        let memory = hub.memory().clone();
        let mut before = Hub::new(&plan, Height(101), memory.clone());
        assert_eq!(before.deliveries(slice(12_000)).len(), 2);
        let mut after = Hub::new(&plan, Height(102), memory);
        assert_eq!(after.deliveries(slice(12_000)).len(), 1);
        after.accept(slice(12_000), said(vec![query(0, 1, 12_000, 2), query(0, 2, 12_990, 3)]));
        assert_eq!(due(&after.deliveries(slice(13_000))), [13_040]);
        let facts = after.take_facts();
        let messages = Messages { sent: 4, delivered: 2, dropped: 2 };
        assert_eq!((facts.messages, facts.lost), (messages, vec![2]));
    }

    #[test]
    fn a_hub_goes_on_from_what_it_remembered() {
        let plan = plan(Network { latency_ms_max: 9_000, ..calm() }, wide());
        let mut hub = hub(&plan);
        hub.accept(slice(0), said((0..20).map(|n| query(0, 1, n, n)).collect()));
        let bytes = storage::codec::encode(hub.memory());
        let memory = storage::codec::decode(&bytes).expect("it was encoded just now");
        let mut again = Hub::new(&plan, plan.genesis.height, memory);
        let whole = Slice { from_ms: 1_000, until_ms: 12_000 };
        assert_eq!(again.deliveries(whole), hub.deliveries(whole));
        assert_eq!(again.take_facts(), hub.take_facts());
    }

    /// A fault of these blocks after genesis, about these miners.
    fn fault(kind: FaultKind, first: u64, blocks: u64) -> Fault {
        let times = Times { from: Height(100 + first), blocks, every: None, until: None };
        Fault { kind, times, whom: Whom::default() }
    }

    fn faulty(faults: Vec<Fault>) -> Plan {
        let mut plan = plan(calm(), wide());
        plan.faults = faults;
        plan
    }

    /// Sends a query in each of these blocks, and tells in which it was delivered, and how many were lost.
    fn delivered_in(plan: &Plan, blocks: std::ops::Range<u64>, until: u64) -> (Vec<u64>, u64) {
        let mut hub = hub(plan);
        let mut seen = Vec::new();
        for number in 0..until * BLOCK_MS / 1_000 {
            let here = slice(number * 1_000);
            let block = here.from_ms / BLOCK_MS + 1;
            let delivered = hub.deliveries(here);
            seen.extend(delivered.iter().map(|_| block));
            let first = here.from_ms.is_multiple_of(BLOCK_MS) && blocks.contains(&block);
            let query = query(0, 1, here.from_ms, block);
            hub.accept(here, said(if first { vec![query] } else { Vec::new() }));
        }
        (seen, hub.take_facts().messages.dropped)
    }

    #[test]
    fn faults_lose_delay_double_and_hold_messages_of_their_blocks_only() {
        let sent = 1..7;
        let whole = 1_000_000;
        let rows: [(FaultKind, &[u64], u64); 5] = [
            (FaultKind::Loss { ppm: whole }, &[1, 2, 5, 6], 2),
            (FaultKind::Corruption { ppm: whole }, &[1, 2, 5, 6], 2),
            (FaultKind::Duplication { ppm: whole }, &[1, 2, 3, 3, 4, 4, 5, 6], 0),
            (FaultKind::Clog { ppm: whole }, &[1, 2, 5, 5, 5, 6], 0),
            (FaultKind::Offline { ppm: whole }, &[1, 2, 5, 6], 2),
        ];
        for (kind, blocks, dropped) in rows {
            let fault = fault(kind, 3, 2);
            let found = delivered_in(&faulty(vec![fault]), sent.clone(), 8);
            assert_eq!(found, (blocks.to_vec(), dropped), "{kind:?}");
        }
        // One of three is alone, and with it whom it talks to, unless it is the third; which one is the seed's.
        let isolation = fault(FaultKind::Partition { shape: Shape::Isolate }, 3, 2);
        let apart = |seed: &u64| {
            let plan = Plan { seed: *seed, ..faulty(vec![isolation.clone()]) };
            match delivered_in(&plan, sent.clone(), 8) {
                (blocks, 2) if blocks == [1, 2, 5, 6] => true,
                (blocks, 0) if blocks == [1, 2, 3, 4, 5, 6] => false,
                other => panic!("seed {seed}: {other:?}"),
            }
        };
        let count = (0..90).filter(apart).count();
        assert!((45..75).contains(&count), "{count} of 90");
        let late = fault(FaultKind::Delay { ppm: whole, ms_max: 3_600_000 }, 3, 2);
        let (seen, dropped) = delivered_in(&faulty(vec![late]), sent.clone(), 320);
        assert_eq!((seen.len(), dropped, &seen[..2]), (6, 0, &[1, 2][..]));
        assert!(seen[5] > 20, "{seen:?}");
        assert_eq!(delivered_in(&faulty(Vec::new()), sent, 8), (vec![1, 2, 3, 4, 5, 6], 0));
    }

    #[test]
    fn what_arrives_while_its_receiver_is_offline_is_lost() {
        let mut plan = faulty(vec![fault(FaultKind::Offline { ppm: 1_000_000 }, 2, 1)]);
        (plan.network.latency_ms_min, plan.network.latency_ms_max) = (12_000, 12_000);
        // Sent in block 1, it would arrive in block 2.
        assert_eq!(delivered_in(&plan, 1..5, 8), (vec![4, 5], 2));
    }

    #[test]
    fn calls_of_who_is_offline_reach_the_chain_when_it_is_back() {
        let limits = Limits { extrinsics_per_block_max: 2, ..wide() };
        let mut plan = plan(calm(), limits);
        plan.timeline.clear();
        plan.faults = vec![fault(FaultKind::Offline { ppm: 1_000_000 }, 2, 3)];
        let mut hub = hub(&plan);
        let call = |sent_ms: u64| SubmittedCall {
            sent_ms,
            player: player_id("miners", 0),
            sequence: sent_ms,
            signer: AccountId([1; 32]),
            call: Call::TransferAllowDeath { dest: AccountId([2; 32]), value: Rao(1) },
        };
        let mut decided = Vec::new();
        for block in 1..8_u64 {
            let from_ms = (block - 1) * BLOCK_MS;
            // Three in the first block, of which one waits in the pool; one in each of the next.
            let calls =
                if block == 1 { vec![call(0), call(1), call(2)] } else { vec![call(from_ms)] };
            hub.accept(slice(from_ms), SliceDone { calls, ..SliceDone::default() });
            let height = Height(100 + block);
            let input = hub.block_input(&plan.course(height), height);
            let memory = hub.memory().clone();
            hub = Hub::new(&plan, height, memory);
            decided.push(input.calls.iter().map(|call| call.sequence).collect::<Vec<_>>());
        }
        let expected: [&[u64]; 7] =
            [&[0, 1], &[2], &[], &[], &[12_000, 24_000], &[36_000, 48_000], &[60_000, 72_000]];
        assert_eq!(decided, expected);
    }

    #[test]
    fn a_delay_is_one_for_calls_too_and_a_loss_is_none() {
        let whole = 1_000_000;
        let kinds = [
            FaultKind::Loss { ppm: whole },
            FaultKind::Partition { shape: Shape::Halves },
            FaultKind::Clog { ppm: whole },
            FaultKind::Delay { ppm: whole, ms_max: 3_600_000 },
        ];
        let arrivals = kinds.map(|kind| {
            let mut plan = faulty(vec![fault(kind, 1, 1)]);
            plan.timeline.clear();
            let mut hub = hub(&plan);
            let call = SubmittedCall {
                sent_ms: 0,
                player: player_id("miners", 0),
                sequence: 0,
                signer: AccountId([1; 32]),
                call: Call::TransferAllowDeath { dest: AccountId([2; 32]), value: Rao(1) },
            };
            hub.accept(slice(0), SliceDone { calls: vec![call], ..SliceDone::default() });
            let here = |block: &u64| {
                let height = Height(100 + block);
                !hub.block_input(&plan.course(height), height).calls.is_empty()
            };
            (1..302).find(here).expect("calls are never lost")
        });
        assert_eq!(arrivals[..3], [1, 1, 1]);
        assert!(arrivals[3] > 1, "{arrivals:?}");
    }

    #[test]
    fn a_hub_goes_on_in_the_middle_of_a_fault_as_it_would_have() {
        let kinds = [
            FaultKind::Loss { ppm: 200_000 },
            FaultKind::Delay { ppm: 500_000, ms_max: 40_000 },
            FaultKind::Clog { ppm: 400_000 },
            FaultKind::Duplication { ppm: 300_000 },
        ];
        let plan = faulty(kinds.map(|kind| fault(kind, 2, 4)).to_vec());
        let play = |restarts: bool| {
            let mut hub = hub(&plan);
            let mut seen = Vec::new();
            for number in 0..120 {
                let here = slice(number * 1_000);
                seen.extend(hub.deliveries(here));
                let sent = (0..6).map(|n| query(n % 3, (n + 1) % 3, here.from_ms, number * 6 + n));
                hub.accept(here, said(sent.collect()));
                if restarts {
                    let bytes = storage::codec::encode(hub.memory());
                    let memory = storage::codec::decode(&bytes).expect("it was encoded just now");
                    hub = Hub::new(&plan, Height(100 + here.from_ms / BLOCK_MS), memory);
                }
            }
            (seen, hub.take_facts())
        };
        let straight = play(false);
        assert!(straight.1.messages.dropped > 10, "{:?}", straight.1.messages);
        assert_eq!(play(true), straight);
    }
}
