//! Many seats stepped through slices of simulated time: pure, without actors, clock or threads.
//!
//! What belongs here: the order of a player's inputs, timers, sequence numbers, crashes, checkpoints.
//! What does not: latency and loss (the hub's), and where players run: how they are spread over hosts
//! changes nothing, because a player sees only its inputs, the view and the directory.

use crate::machine::{Context, Directory, Identity, Input, Machine, Output, Receipt};
use crate::registry::Player;
use crate::roster::Roster;
use protocol::apply::Inconsistent;
use protocol::call::Call;
use protocol::envelope::{Body, Envelope, OrderKey};
use protocol::event::Event;
use protocol::units::{AccountId, BLOCK_MS, PlayerId};
use protocol::view::View;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Timers a player may have; one more counts as a crash, so that a player cannot eat the memory.
pub const TIMERS_MAX: usize = 4_096;

/// What the world brings to a player in a slice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Delivery {
    /// A message; it reaches its receiver at its due time.
    Message(Envelope),
    /// What became of a call; it reaches its submitter at the time of the last block before the slice.
    Receipt(Receipt),
}

impl Delivery {
    /// Whom it is for.
    pub const fn receiver(&self) -> PlayerId {
        match self {
            Self::Message(envelope) => envelope.receiver,
            Self::Receipt(receipt) => receipt.player,
        }
    }
}

/// A message on its way to the hub; latency and loss are still to come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outgoing {
    /// When it was sent: the due time of the input that caused it.
    pub sent_ms: u64,
    /// Who sent it.
    pub sender: PlayerId,
    /// The sender's count of everything it said before.
    pub sequence: u64,
    /// To whom.
    pub receiver: PlayerId,
    /// What it says.
    pub body: Body,
}

impl Outgoing {
    /// Its place in the order of what is sent.
    pub const fn order(&self) -> OrderKey {
        (self.sent_ms, self.sender, self.sequence)
    }
}

/// A call on its way to the chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubmittedCall {
    /// When it was submitted: the due time of the input that caused it.
    pub sent_ms: u64,
    /// Who submitted it.
    pub player: PlayerId,
    /// The submitter's count of everything it said before.
    pub sequence: u64,
    /// Who signs.
    pub signer: AccountId,
    /// What is ordered.
    pub call: Call,
}

impl SubmittedCall {
    /// Its place in the order of what is sent.
    pub const fn order(&self) -> OrderKey {
        (self.sent_ms, self.player, self.sequence)
    }
}

/// What came of a slice at one host, sorted; the parts of all hosts together are the whole, however players are spread.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SliceDone {
    /// Messages, by (sent, sender, sequence).
    pub outgoing: Vec<Outgoing>,
    /// Calls, by (sent, player, sequence).
    pub calls: Vec<SubmittedCall>,
    /// When the earliest timer is due; `None` when nobody has one.
    pub next_wake_ms: Option<u64>,
    /// Inputs that players took.
    pub steps: u64,
    /// Players that crashed in this slice, ascending.
    pub crashes: Vec<PlayerId>,
}

impl SliceDone {
    /// Puts everything into its one order.
    pub fn sort(&mut self) {
        self.outgoing.sort_by_key(Outgoing::order);
        self.calls.sort_by_key(SubmittedCall::order);
        self.crashes.sort();
    }
}

/// Where a player stands in the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// Not started yet: its first input is [`Input::Start`].
    Entering,
    /// In play.
    Active,
    /// Its machine panicked; it takes no more inputs.
    Crashed,
    /// Not there yet: its one timer is its arrival, and whatever reaches it before is lost.
    Awaited,
}

/// A player on its seat: who it is, its machine, and what the world keeps for it. All of it is in a checkpoint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Seated {
    identity: Identity,
    player: Player,
    /// Timers as (due, sequence, tag), ascending: the order in which they fire. Few players have more than three.
    timers: Vec<(u64, u64, u64)>,
    sequence: u64,
    phase: Phase,
}

/// What every player of a slice sees.
#[derive(Clone, Copy, Debug)]
pub struct World<'a> {
    /// The chain's public state.
    pub view: &'a View,
    /// The network's address book.
    pub directory: &'a Directory,
    /// The run's seed.
    pub seed: u64,
    /// Where the slice begins, in simulated milliseconds.
    pub from_ms: u64,
    /// Where it ends; not part of it.
    pub until_ms: u64,
}

enum Stimulus {
    Start,
    Timer(u64),
    Message(Envelope),
    Receipt(Receipt),
}

impl Seated {
    /// A player that has not started.
    pub fn new(identity: Identity, player: Player) -> Self {
        Self { identity, player, timers: Vec::new(), sequence: 0, phase: Phase::Entering }
    }

    /// A player that starts at `arrives_ms` of simulated time and until then costs nothing.
    pub fn arriving(identity: Identity, player: Player, arrives_ms: u64) -> Self {
        let timers = vec![(arrives_ms, 0, 0)];
        Self { identity, player, timers, sequence: 0, phase: Phase::Awaited }
    }

    /// Another machine on the same seat, as if it entered now: the player keeps its accounts and its count of
    /// what it said, and forgets its timers. It hears what becomes of calls of the machine before. Who has not
    /// arrived yet still arrives when it would have.
    #[must_use]
    pub fn recast(self, player: Player) -> Self {
        if self.phase == Phase::Awaited {
            return Self { player, ..self };
        }
        Self { player, timers: Vec::new(), phase: Phase::Entering, ..self }
    }

    /// Who it is.
    pub const fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Its machine.
    pub const fn player(&self) -> &Player {
        &self.player
    }

    /// Where it stands.
    pub const fn phase(&self) -> Phase {
        self.phase
    }

    /// When its earliest timer is due.
    pub fn next_wake_ms(&self) -> Option<u64> {
        self.timers.first().map(|(due_ms, _, _)| *due_ms)
    }

    /// Steps the player through its inputs of a slice: its timers that are due and what was delivered to it,
    /// in the one order. What it says is added to `done`, unsorted; the earliest timer is left to the caller. A
    /// panic of the machine ends in `crashes`, without that step's outputs.
    pub fn step_inputs(
        &mut self,
        deliveries: Vec<Delivery>,
        world: &World<'_>,
        done: &mut SliceDone,
    ) {
        if self.phase == Phase::Crashed {
            return;
        }
        for ((due_ms, _, _), stimulus) in self.inputs(deliveries, world) {
            done.steps += 1;
            match self.step(due_ms, &stimulus, world) {
                Some(outputs) => self.take_outputs(outputs, due_ms, world.until_ms, done),
                None => self.crash(done),
            }
            if self.phase == Phase::Crashed {
                break;
            }
        }
    }

    fn inputs(
        &mut self,
        deliveries: Vec<Delivery>,
        world: &World<'_>,
    ) -> Vec<(OrderKey, Stimulus)> {
        let due = self.timers.partition_point(|(due_ms, _, _)| *due_ms < world.until_ms);
        let me = self.identity.id;
        let block_ms = world.from_ms - world.from_ms % BLOCK_MS;
        let mut inputs: Vec<(OrderKey, Stimulus)> = self
            .timers
            .drain(..due)
            .map(|(due_ms, sequence, tag)| ((due_ms, me, sequence), Stimulus::Timer(tag)))
            .collect();
        inputs.extend(deliveries.into_iter().map(|delivery| match delivery {
            Delivery::Message(envelope) => (envelope.order(), Stimulus::Message(envelope)),
            Delivery::Receipt(receipt) => {
                let order = (block_ms, PlayerId::CHAIN, receipt.sequence);
                (order, Stimulus::Receipt(receipt))
            }
        }));
        inputs.sort_by_key(|(order, _)| *order);
        if self.phase == Phase::Awaited {
            let arrival = inputs.iter().position(|(_, what)| matches!(what, Stimulus::Timer(_)));
            let Some(arrival) = arrival else { return Vec::new() };
            self.phase = Phase::Active;
            inputs.drain(..arrival);
            inputs[0].1 = Stimulus::Start;
        }
        if self.phase == Phase::Entering {
            self.phase = Phase::Active;
            let first = (world.from_ms, PlayerId::CHAIN, 0);
            inputs.insert(0, (first, Stimulus::Start));
        }
        inputs
    }

    fn step(&mut self, now_ms: u64, stimulus: &Stimulus, world: &World<'_>) -> Option<Vec<Output>> {
        let mut context = Context {
            view: world.view,
            me: &self.identity,
            directory: world.directory,
            now_ms,
            seed: world.seed,
            outputs: Vec::new(),
        };
        let input = match stimulus {
            Stimulus::Start => Input::Start,
            Stimulus::Timer(tag) => Input::Timer { tag: *tag },
            Stimulus::Message(envelope) => Input::Message(envelope),
            Stimulus::Receipt(receipt) => Input::Receipt(receipt),
        };
        let player = &mut self.player;
        // A machine that panicked is never stepped again, so its half-done change is seen by nobody.
        let stepped = catch_unwind(AssertUnwindSafe(|| player.step(&input, &mut context)));
        stepped.is_ok().then_some(context.outputs)
    }

    fn take_outputs(
        &mut self,
        outputs: Vec<Output>,
        sent_ms: u64,
        until_ms: u64,
        done: &mut SliceDone,
    ) {
        let me = self.identity.id;
        for output in outputs {
            let sequence = self.sequence;
            self.sequence += 1;
            match output {
                Output::Send { to, body } => done.outgoing.push(Outgoing {
                    sent_ms,
                    sender: me,
                    sequence,
                    receiver: to,
                    body,
                }),
                Output::Submit { signer, call } => {
                    done.calls.push(SubmittedCall { sent_ms, player: me, sequence, signer, call })
                }
                Output::Wake { at_ms, tag } => {
                    let timer = (at_ms.max(until_ms), sequence, tag);
                    let place = self.timers.partition_point(|other| *other < timer);
                    self.timers.insert(place, timer);
                }
            }
        }
        if self.timers.len() > TIMERS_MAX {
            self.crash(done);
        }
    }

    fn crash(&mut self, done: &mut SliceDone) {
        tracing::warn!(player = %self.identity.id, group = self.identity.group, "a player crashed");
        self.phase = Phase::Crashed;
        self.timers.clear();
        done.crashes.push(self.identity.id);
    }
}

/// All that a host cannot get from the chain: its seats. Parts of several hosts can be joined and dealt again.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HostCheckpoint {
    /// Every seat, ascending by player.
    pub seats: Vec<Seated>,
}

/// Seats ascending by player; of several of one player the last is meant.
pub(crate) fn seats_in_order(seats: impl IntoIterator<Item = Seated>) -> Vec<Seated> {
    let by_player: BTreeMap<PlayerId, Seated> =
        seats.into_iter().map(|seated| (seated.identity.id, seated)).collect();
    by_player.into_values().collect()
}

/// When each seat must be looked at, by its place among the seats. Its cost follows timers, not players.
#[derive(Clone, Debug, Default)]
pub(crate) struct Agenda {
    wakes_ms: Vec<Option<u64>>,
    by_time: BTreeSet<(u64, usize)>,
}

impl Agenda {
    /// Of so many seats, none of which has a timer.
    pub(crate) fn new(seats: usize) -> Self {
        Self { wakes_ms: vec![None; seats], by_time: BTreeSet::new() }
    }

    /// Notes a seat's earliest timer in place of the one before.
    pub(crate) fn note(&mut self, seat: usize, wake_ms: Option<u64>) {
        let old_ms = std::mem::replace(&mut self.wakes_ms[seat], wake_ms);
        if old_ms == wake_ms {
            return;
        }
        if let Some(old_ms) = old_ms {
            self.by_time.remove(&(old_ms, seat));
        }
        if let Some(wake_ms) = wake_ms {
            self.by_time.insert((wake_ms, seat));
        }
    }

    /// The earliest timer of all.
    pub(crate) fn first_ms(&self) -> Option<u64> {
        self.by_time.first().map(|(wake_ms, _)| *wake_ms)
    }

    /// Which seats have something to do before `until_ms`, ascending, with what is delivered to them. A delivery
    /// for a player of another host is dropped with a warning.
    pub(crate) fn called(
        &self,
        players: &Roster<PlayerId>,
        until_ms: u64,
        deliveries: Vec<Delivery>,
    ) -> Vec<(usize, Vec<Delivery>)> {
        let due = self.by_time.range(..(until_ms, 0)).map(|(_, seat)| (*seat, None));
        let mut called: Vec<(usize, Option<Delivery>)> = due.collect();
        called.reserve(deliveries.len());
        for delivery in deliveries {
            match players.place(&delivery.receiver()) {
                Some(seat) => called.push((seat, Some(delivery))),
                None => {
                    let player = delivery.receiver();
                    tracing::warn!(%player, "a delivery for a player of another host");
                }
            }
        }
        called.sort_by_key(|(seat, _)| *seat);
        let mut inboxes: Vec<(usize, Vec<Delivery>)> = Vec::with_capacity(called.len());
        for (seat, delivery) in called {
            if inboxes.last().is_none_or(|(last, _)| *last != seat) {
                inboxes.push((seat, Vec::new()));
            }
            if let (Some((_, inbox)), Some(delivery)) = (inboxes.last_mut(), delivery) {
                inbox.push(delivery);
            }
        }
        inboxes
    }
}

/// The pure host: seats, the view they see, and their agenda.
#[derive(Clone, Debug)]
pub struct Host {
    players: Roster<PlayerId>,
    /// In the order of the players.
    seats: Vec<Seated>,
    agenda: Agenda,
    view: View,
    directory: Directory,
    seed: u64,
}

impl Host {
    /// A host of players that have not started; see [`Host::start`].
    pub fn new(
        seats: impl IntoIterator<Item = Seated>,
        view: View,
        directory: Directory,
        seed: u64,
    ) -> Self {
        let seats = seats_in_order(seats);
        let mut agenda = Agenda::new(seats.len());
        for (seat, seated) in seats.iter().enumerate() {
            agenda.note(seat, seated.next_wake_ms());
        }
        let players = seats.iter().map(|seated| seated.identity.id).collect();
        Self { players, seats, agenda, view, directory, seed }
    }

    /// A host as it was, with the view of the same moment.
    pub fn restore(
        checkpoint: HostCheckpoint,
        view: View,
        directory: Directory,
        seed: u64,
    ) -> Self {
        Self::new(checkpoint.seats, view, directory, seed)
    }

    /// Lets every player that has not started enter with the first slice.
    pub fn start(&mut self) {
        for (seat, seated) in self.seats.iter().enumerate() {
            if seated.phase == Phase::Entering {
                self.agenda.note(seat, Some(0));
            }
        }
    }

    /// Steps every player that has an input due before `until_ms`; nothing set in a slice fires in it. A delivery
    /// for a player of another host is dropped with a warning.
    pub fn slice(&mut self, from_ms: u64, until_ms: u64, deliveries: Vec<Delivery>) -> SliceDone {
        let world = World {
            view: &self.view,
            directory: &self.directory,
            seed: self.seed,
            from_ms,
            until_ms,
        };
        let mut done = SliceDone::default();
        for (seat, deliveries) in self.agenda.called(&self.players, until_ms, deliveries) {
            let seated = &mut self.seats[seat];
            seated.step_inputs(deliveries, &world, &mut done);
            self.agenda.note(seat, seated.next_wake_ms());
        }
        done.sort();
        done.next_wake_ms = self.agenda.first_ms();
        done
    }

    /// Folds a block's public events into the view.
    ///
    /// # Errors
    /// An event that does not fit; the host must end.
    pub fn fold(&mut self, events: &[Event]) -> Result<(), Inconsistent> {
        self.view.fold(events)
    }

    /// The chain's public state as the players see it.
    pub const fn view(&self) -> &View {
        &self.view
    }

    /// A player's seat.
    pub fn seat(&self, player: PlayerId) -> Option<&Seated> {
        self.players.place(&player).map(|seat| &self.seats[seat])
    }

    /// When the earliest timer is due.
    pub fn next_wake_ms(&self) -> Option<u64> {
        self.agenda.first_ms()
    }

    /// All seats, to go on from later.
    pub fn checkpoint(&self) -> HostCheckpoint {
        HostCheckpoint { seats: self.seats.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::BehaviourSettings;
    use crate::stage::{Probe, ProbeSettings, Stage, greeting, identity, subnet_of};
    use protocol::rejection::Outcome;
    use protocol::state::State;
    use protocol::units::{Height, NetUid};

    fn probe(script: ProbeSettings) -> Seated {
        let who = identity("probes", 0, Some(NetUid(1)));
        Seated::new(who, BehaviourSettings::Probe(script).build())
    }

    fn host(seats: Vec<Seated>) -> Host {
        let mut host = Host::new(seats, View::default(), Directory::default(), 1);
        host.start();
        host
    }

    fn seen(host: &Host, player: PlayerId) -> Vec<String> {
        match host.seat(player).expect("it has a seat").player() {
            Player::Probe(Probe { seen, .. }) => seen.clone(),
            other => panic!("{other:?} is no probe"),
        }
    }

    fn wake(at_ms: u64, tag: u64) -> Output {
        Output::Wake { at_ms, tag }
    }

    #[test]
    fn inputs_come_by_due_time_then_sender_then_sequence() {
        // The second timer is due with the messages; its sender is the player itself, a large number.
        let seated = probe(ProbeSettings {
            on_start: vec![wake(13_000, 1), wake(13_500, 2), wake(13_500, 3)],
            ..ProbeSettings::default()
        });
        let me = seated.identity().id;
        let mut host = host(vec![seated]);
        host.slice(0, 1_000, Vec::new());
        let message =
            |due, sender, sequence| Delivery::Message(greeting(due, sender, sequence, me));
        let (height, outcome) = (Height(1), Outcome::Ok);
        let receipt =
            |sequence| Delivery::Receipt(Receipt { player: me, sequence, height, outcome });
        let inbox = vec![
            message(13_500, 9, 1),
            message(13_500, 9, 0),
            message(13_500, 2, 7),
            receipt(5),
            message(12_001, 99, 99),
            receipt(4),
        ];
        let done = host.slice(12_000, 14_000, inbox);
        let expected = [
            "0 start",
            "12000 receipt 4",
            "12000 receipt 5",
            "12001 message 99.99",
            "13000 timer 1",
            "13500 message 2.7",
            "13500 message 9.0",
            "13500 message 9.1",
            "13500 timer 2",
            "13500 timer 3",
        ];
        assert_eq!(seen(&host, me), expected);
        assert_eq!((done.steps, done.next_wake_ms), (9, None));
    }

    #[test]
    fn nothing_set_in_a_slice_fires_in_it_and_sequences_count_every_output() {
        let (to, body) = (PlayerId(5), greeting(0, 0, 0, PlayerId(0)).body);
        let send = Output::Send { to, body };
        let seated = probe(ProbeSettings {
            on_start: vec![wake(0, 1), send.clone(), wake(999, 2), wake(1_000, 3), wake(1_500, 4)],
            on_timer: BTreeMap::from([(4, vec![send])]),
            ..ProbeSettings::default()
        });
        let me = seated.identity().id;
        let mut host = host(vec![seated]);
        assert_eq!(host.next_wake_ms(), Some(0));
        let first = host.slice(0, 1_000, Vec::new());
        let sent: Vec<OrderKey> = first.outgoing.iter().map(Outgoing::order).collect();
        assert_eq!((sent, first.next_wake_ms), (vec![(0, me, 1)], Some(1_000)));
        let second = host.slice(1_000, 2_000, Vec::new());
        let sent: Vec<OrderKey> = second.outgoing.iter().map(Outgoing::order).collect();
        assert_eq!(sent, [(1_500, me, 5)]);
        let expected = ["0 start", "1000 timer 1", "1000 timer 2", "1000 timer 3", "1500 timer 4"];
        assert_eq!(seen(&host, me), expected);
    }

    #[test]
    fn a_crash_drops_the_step_and_stays_with_its_player() {
        let send = Output::Send { to: PlayerId(5), body: greeting(0, 0, 0, PlayerId(0)).body };
        let script = |panics_on| ProbeSettings {
            on_start: vec![send.clone(), wake(1_000, 1), wake(1_200, 2), wake(5_000, 3)],
            on_timer: BTreeMap::from([(1, vec![send.clone()]), (2, vec![send.clone()])]),
            panics_on,
            ..ProbeSettings::default()
        };
        let seat = |index, panics_on| {
            let who = identity("probes", index, None);
            Seated::new(who, BehaviourSettings::Probe(script(panics_on)).build())
        };
        let (fatal, sound) = (seat(0, Some(2)), seat(1, None));
        let ids = (fatal.identity().id, sound.identity().id);
        let mut host = host(vec![fatal, sound]);
        assert_eq!(host.slice(0, 1_000, Vec::new()).crashes, []);
        let done = host.slice(1_000, 2_000, Vec::new());
        assert_eq!(done.crashes, [ids.0]);
        let sent = |player| done.outgoing.iter().filter(|sent| sent.sender == player).count();
        assert_eq!((sent(ids.0), sent(ids.1)), (1, 2));
        let message = |to| Delivery::Message(greeting(2_500, 1, 0, to));
        let after = host.slice(2_000, 3_000, vec![message(ids.0), message(ids.1)]);
        assert_eq!((after.steps, after.crashes, after.next_wake_ms), (1, vec![], Some(5_000)));
        assert_eq!(host.seat(ids.0).map(Seated::phase), Some(Phase::Crashed));
        let again = Host::restore(host.checkpoint(), View::default(), Directory::default(), 1);
        assert_eq!(again.seat(ids.0).map(Seated::phase), Some(Phase::Crashed));
    }

    #[test]
    fn who_arrives_later_starts_then_and_misses_what_came_before() {
        let script = ProbeSettings { on_start: vec![wake(9_500, 1)], ..ProbeSettings::default() };
        let player = || BehaviourSettings::Probe(script.clone()).build();
        let seated = Seated::arriving(identity("probes", 0, None), player(), 7_300);
        let me = seated.identity().id;
        let mut host = host(vec![seated]);
        assert_eq!(host.next_wake_ms(), Some(7_300));
        let message = |due| Delivery::Message(greeting(due, 9, due, me));
        assert_eq!(host.slice(0, 1_000, vec![message(500)]).steps, 0);
        assert_eq!(host.seat(me).map(Seated::phase), Some(Phase::Awaited));

        let saved = serde_json::to_string(&host.checkpoint()).expect("it serialises");
        let read: HostCheckpoint = serde_json::from_str(&saved).expect("it reads back");
        let mut host = Host::restore(read, View::default(), Directory::default(), 1);
        host.start();
        let done = host.slice(7_000, 8_000, vec![message(7_200), message(7_400)]);
        assert_eq!((done.steps, done.next_wake_ms), (2, Some(9_500)));
        host.slice(9_000, 10_000, Vec::new());
        assert_eq!(seen(&host, me), ["7300 start", "7400 message 9.7400", "9500 timer 1"]);

        let again = |phase: Seated| phase.recast(player());
        let awaited = again(Seated::arriving(identity("probes", 0, None), player(), 7_300));
        assert_eq!((awaited.phase(), awaited.next_wake_ms()), (Phase::Awaited, Some(7_300)));
        let active = again(host.seat(me).expect("it has a seat").clone());
        assert_eq!((active.phase(), active.next_wake_ms()), (Phase::Entering, None));
    }

    #[test]
    fn too_many_timers_are_a_crash() {
        let timers = |count: usize| (0..count as u64).map(|tag| wake(9_000, tag)).collect();
        for (count, crashes) in [(TIMERS_MAX, 0), (TIMERS_MAX + 1, 1)] {
            let on_start = timers(count);
            let seated = probe(ProbeSettings { on_start, ..ProbeSettings::default() });
            let done = host(vec![seated]).slice(0, 1_000, Vec::new());
            assert_eq!(done.crashes.len(), crashes, "{count} timers");
        }
    }

    /// Three validators and five miners that differ.
    fn network() -> (State, Vec<Seated>) {
        let validators = vec![BehaviourSettings::Sampler(Default::default()); 3];
        let miners = vec![BehaviourSettings::Quality(Default::default()); 5];
        subnet_of(&validators, &miners)
    }

    #[test]
    fn players_spread_over_hosts_say_the_same() {
        let play = |hosts| {
            let (state, seats) = network();
            let mut stage = Stage::new(state, seats, hosts);
            stage.play(40);
            (stage.done, stage.state.root())
        };
        let (one, tip) = play(1);
        assert!(one.iter().map(|done| done.calls.len()).sum::<usize>() >= 6, "weights were set");
        for hosts in [2, 3, 8] {
            let (spread, other_tip) = play(hosts);
            assert_eq!((spread, other_tip), (one.clone(), tip), "over {hosts} hosts");
        }
    }

    #[test]
    fn a_host_goes_on_from_its_checkpoint() {
        let (state, seats) = network();
        let mut stage = Stage::new(state, seats, 1);
        stage.play(17);
        let saved = serde_json::to_string(&stage.hosts[0].checkpoint()).expect("it serialises");
        let read: HostCheckpoint = serde_json::from_str(&saved).expect("it reads back");
        assert_eq!(read, stage.hosts[0].checkpoint());
        let view = stage.hosts[0].view().clone();
        let directory = stage.hosts[0].directory.clone();
        let mut other = Host::restore(read, view, directory, 7);
        other.start();
        assert_eq!(other.next_wake_ms(), stage.hosts[0].next_wake_ms());
        for slice in 0..12 {
            let from_ms = stage.now_ms + slice * 1_000;
            let done = stage.hosts[0].slice(from_ms, from_ms + 1_000, Vec::new());
            assert_eq!(other.slice(from_ms, from_ms + 1_000, Vec::new()), done);
        }
    }

    #[test]
    fn idle_players_are_not_stepped() {
        let seat = |index| {
            let who = identity("probes", index, None);
            Seated::new(who, BehaviourSettings::Probe(ProbeSettings::default()).build())
        };
        let mut host = host((0..2_000).map(seat).collect());
        assert_eq!(host.slice(0, 1_000, Vec::new()).steps, 2_000);
        for slice in 1..1_000 {
            assert_eq!(host.slice(slice * 1_000, slice * 1_000 + 1_000, Vec::new()).steps, 0);
        }
        assert_eq!(host.next_wake_ms(), None);
    }
}
