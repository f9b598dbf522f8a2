//! A small network for the tests of this crate: a state made by hand, the real chain, a plain hub, and a player
//! that does what a script says.

use crate::host::{Delivery, Host, Seated, SliceDone, SubmittedCall};
use crate::machine::{Context, Directory, Identity, Input, Machine, Output, Receipt};
use crate::registry::{BehaviourSettings, InvalidSetting, Player};
use protocol::block::{BlockInput, Submitted, decide_block};
use protocol::call::{Call, Origin};
use protocol::envelope::{Body, Envelope};
use protocol::frame::CallRecord;
use protocol::rejection::Outcome;
use protocol::state::{
    Account, Coldkey, Hotkey, HotkeyPool, Info, Mechanism, Neurons, Params, State, Subnet,
};
use protocol::units::{AccountId, Alpha, BLOCK_MS, Hash32, Height, NetUid, PlayerId, Rao};
use protocol::view::View;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

pub const SLICE_MS: u64 = 1_000;
pub const TEMPO: u16 = 10;
const LATENCY_MS: u64 = 40;
/// How much later a message comes the second time.
const AGAIN_MS: u64 = 5_000;

/// A script: what the probe says to each input.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ProbeSettings {
    pub on_start: Vec<Output>,
    pub on_timer: BTreeMap<u64, Vec<Output>>,
    pub on_message: Vec<Output>,
    pub panics_on: Option<u64>,
}

impl ProbeSettings {
    pub fn check(&self) -> Result<(), InvalidSetting> {
        Ok(())
    }
}

/// A player that notes its inputs and does what its script says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Probe {
    settings: ProbeSettings,
    pub seen: Vec<String>,
}

impl Probe {
    pub fn new(settings: ProbeSettings) -> Self {
        Self { settings, seen: Vec::new() }
    }
}

impl Machine for Probe {
    fn step(&mut self, input: &Input<'_>, context: &mut Context<'_>) {
        let (what, outputs) = match input {
            Input::Start => ("start".to_owned(), self.settings.on_start.clone()),
            Input::Timer { tag } => {
                let script = self.settings.on_timer.get(tag).cloned().unwrap_or_default();
                (format!("timer {tag}"), script)
            }
            Input::Message(message) => {
                let what = format!("message {}.{}", message.sender.0, message.sequence);
                (what, self.settings.on_message.clone())
            }
            Input::Receipt(receipt) => (format!("receipt {}", receipt.sequence), Vec::new()),
        };
        self.seen.push(format!("{} {what}", context.now_ms));
        context.outputs.extend(outputs);
        if let (Input::Timer { tag }, Some(fatal)) = (input, self.settings.panics_on) {
            assert!(*tag != fatal, "as the script says");
        }
    }
}

/// A player's identity, from (group, index) as everywhere.
pub fn identity(group: &str, index: u64, netuid: Option<NetUid>) -> Identity {
    Identity::new(group, index, netuid)
}

/// Enters a neuron with stake of its own coldkey.
pub fn enter(state: &mut State, who: &Identity, netuid: NetUid, alpha: Alpha, permit: bool) {
    let subnet = state.subnets.get_mut(&netuid).expect("the subnet exists");
    let neurons = &mut subnet.neurons;
    neurons.uids.insert(who.hotkey, neurons.len() as u16);
    neurons.hotkeys.push(who.hotkey);
    neurons.registered_at.push(0);
    neurons.active.push(true);
    neurons.emission.push(Alpha::ZERO);
    neurons.consensus.push(0);
    neurons.dividends.push(0);
    neurons.validator_trust.push(0);
    neurons.validator_permit.push(permit);
    neurons.stake_weight.push(0);
    let mechanism = &mut subnet.mechanisms[0];
    mechanism.incentive.push(0);
    mechanism.last_update.push(0);
    mechanism.weights.push(Vec::new());
    mechanism.bonds.push(Vec::new());
    state.hotkeys.insert(
        who.hotkey,
        Hotkey { owner: Some(who.coldkey), take: Some(11_796), ..Hotkey::default() },
    );
    if alpha > Alpha::ZERO {
        stake(state, who, who.hotkey, netuid, alpha);
    }
}

/// Gives a coldkey the whole stake of a hotkey.
pub fn stake(state: &mut State, who: &Identity, hotkey: AccountId, netuid: NetUid, alpha: Alpha) {
    let subnet = state.subnets.get_mut(&netuid).expect("the subnet exists");
    let pool: &mut HotkeyPool = subnet.pools.entry(hotkey).or_default();
    let shares = u128::from(alpha.0) << 64;
    pool.alpha = pool.alpha.plus(alpha);
    pool.shares += shares;
    *pool.holders.entry(who.coldkey).or_default() += shares;
    subnet.fast.pool.alpha_out += alpha.0;
    if netuid.is_root() {
        subnet.fast.pool.tao += alpha.0;
        state.global.total_stake = state.global.total_stake.plus(Rao(alpha.0));
    }
    let coldkey: &mut Coldkey = state.coldkeys.entry(who.coldkey).or_default();
    coldkey.staking.push(hotkey);
}

/// Root and `subnets` started subnets with a pool of 10,000 TAO and 100,000 alpha each, without neurons.
pub fn genesis(subnets: u16) -> State {
    let mut state = State::default();
    state.global.total_issuance = Rao::whole(1_000_000);
    state.global.total_stake = Rao::whole(10_000 * u64::from(subnets));
    let mechanisms = vec![Mechanism::default()];
    let info = Info { first_emission: Some(1), ..Info::default() };
    let root = Subnet { added: true, params: Params::root(), ..Subnet::default() };
    state.subnets.insert(NetUid::ROOT, Subnet { mechanisms: mechanisms.clone(), ..root });
    for netuid in (1..=subnets).map(NetUid) {
        let params = Params {
            tempo: TEMPO,
            commit_reveal: false,
            weights_set_rate_limit: 0,
            subtoken_enabled: true,
            ..Params::default()
        };
        let mut subnet = Subnet { added: true, params, ..Subnet::default() };
        subnet.info = info.clone();
        subnet.mechanisms = mechanisms.clone();
        subnet.neurons = Neurons::default();
        subnet.fast.pool.tao = Rao::whole(10_000).0;
        subnet.fast.pool.alpha = Alpha::whole(100_000).0;
        subnet.fast.pool.fee_rate = 33;
        subnet.fast.moving_price = (1 << 32) / 10;
        state.subnets.insert(netuid, subnet);
    }
    state
}

/// Gives a coldkey free TAO.
pub fn fund(state: &mut State, who: &Identity, free: Rao) {
    state.accounts.insert(who.coldkey, Account { free, nonce: 0 });
}

/// One subnet with `validators` samplers and `miners`, one of each setting, in order.
pub fn subnet_of(
    validators: &[BehaviourSettings],
    miners: &[BehaviourSettings],
) -> (State, Vec<Seated>) {
    let mut state = genesis(1);
    let mut seats = Vec::new();
    let netuid = NetUid(1);
    for (index, settings) in (0..).zip(validators) {
        let who = identity("validators", index, Some(netuid));
        enter(&mut state, &who, netuid, Alpha::whole(1_000), true);
        seats.push(Seated::new(who, settings.clone().build()));
    }
    for (index, settings) in (0..).zip(miners) {
        let who = identity("miners", index, Some(netuid));
        enter(&mut state, &who, netuid, Alpha::ZERO, false);
        seats.push(Seated::new(who, settings.clone().build()));
    }
    (state, seats)
}

/// Whether the hub of a stage carries messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    Sound,
    Cut,
    /// Answers come a second time, some slices later.
    AnswersTwice,
    /// So does everything.
    AllTwice,
}

/// A network in play: hosts, hub and chain.
pub struct Stage {
    pub hosts: Vec<Host>,
    pub state: State,
    pub wire: Wire,
    pub now_ms: u64,
    /// Everything the hosts gave, slice by slice.
    pub done: Vec<SliceDone>,
    /// Every call as it was decided.
    pub records: Vec<CallRecord>,
    homes: BTreeMap<PlayerId, usize>,
    messages: Vec<Envelope>,
    calls: Vec<SubmittedCall>,
    receipts: Vec<Receipt>,
}

impl Stage {
    /// The group of an account that pays others; a test funds it.
    pub const BANK: &str = "bank";

    /// Has the bank pay somebody in the next block.
    pub fn pay(&mut self, dest: AccountId, value: Rao) {
        let (player, signer) = (PlayerId::CHAIN, identity(Self::BANK, 0, None).coldkey);
        let (sent_ms, sequence) = (self.now_ms, self.calls.len() as u64);
        let call = Call::TransferKeepAlive { dest, value };
        self.calls.push(SubmittedCall { sent_ms, player, sequence, signer, call });
    }

    /// Deals the seats to `hosts` hosts in turn.
    pub fn new(state: State, seats: Vec<Seated>, hosts: usize) -> Self {
        let entry = |seated: &Seated| (seated.identity().hotkey, seated.identity().id);
        let directory: Directory = seats.iter().map(entry).collect();
        let mut homes = BTreeMap::new();
        let mut dealt: Vec<Vec<Seated>> = vec![Vec::new(); hosts];
        for (index, seated) in seats.into_iter().enumerate() {
            homes.insert(seated.identity().id, index % hosts);
            dealt[index % hosts].push(seated);
        }
        let view = View::new(state.clone());
        let host = |seats| {
            let mut host = Host::new(seats, view.clone(), directory.clone(), 7);
            host.start();
            host
        };
        Self {
            hosts: dealt.into_iter().map(host).collect(),
            state,
            wire: Wire::Sound,
            now_ms: 0,
            done: Vec::new(),
            records: Vec::new(),
            homes,
            messages: Vec::new(),
            calls: Vec::new(),
            receipts: Vec::new(),
        }
    }

    /// A player's machine as it stands.
    pub fn player(&self, who: PlayerId) -> &Player {
        self.hosts[self.homes[&who]].seat(who).expect("it has a seat").player()
    }

    /// Calls of a kind that were done, by name.
    pub fn count(&self, name: &str) -> usize {
        let done = self.records.iter().filter(|record| record.outcome == Outcome::Ok);
        done.filter(|record| record.call.name() == name).count()
    }

    /// Plays a number of blocks.
    pub fn play(&mut self, blocks: u64) {
        for _ in 0..blocks {
            for _ in 0..BLOCK_MS / SLICE_MS {
                self.slice();
            }
            self.block();
        }
    }

    fn slice(&mut self) {
        let until_ms = self.now_ms + SLICE_MS;
        let mut inboxes: Vec<Vec<Delivery>> = vec![Vec::new(); self.hosts.len()];
        let due = self.messages.extract_if(.., |message| message.due_ms < until_ms);
        for message in due {
            inboxes[self.homes[&message.receiver]].push(Delivery::Message(message));
        }
        for receipt in self.receipts.drain(..) {
            if let Some(home) = self.homes.get(&receipt.player) {
                inboxes[*home].push(Delivery::Receipt(receipt));
            }
        }
        let mut done = SliceDone::default();
        for (host, inbox) in self.hosts.iter_mut().zip(inboxes) {
            let part = host.slice(self.now_ms, until_ms, inbox);
            done.outgoing.extend(part.outgoing);
            done.calls.extend(part.calls);
            done.next_wake_ms = [done.next_wake_ms, part.next_wake_ms].into_iter().flatten().min();
            done.steps += part.steps;
            done.crashes.extend(part.crashes);
        }
        done.sort();
        for outgoing in done.outgoing.iter().filter(|_| self.wire != Wire::Cut) {
            let is_answer = matches!(outgoing.body, Body::Answer { .. });
            let again = match self.wire {
                Wire::Sound | Wire::Cut => false,
                Wire::AnswersTwice => is_answer,
                Wire::AllTwice => true,
            };
            let due_ms = (outgoing.sent_ms + LATENCY_MS).max(until_ms);
            for due_ms in [Some(due_ms), again.then_some(due_ms + AGAIN_MS)].into_iter().flatten() {
                self.messages.push(Envelope {
                    due_ms,
                    sender: outgoing.sender,
                    sequence: outgoing.sequence,
                    receiver: outgoing.receiver,
                    sent_ms: outgoing.sent_ms,
                    body: outgoing.body.clone(),
                });
            }
        }
        self.calls.extend(done.calls.iter().cloned());
        self.done.push(done);
        self.now_ms = until_ms;
    }

    fn block(&mut self) {
        self.calls.sort_by_key(SubmittedCall::order);
        let calls = self.calls.drain(..).map(|call| Submitted {
            due_ms: call.sent_ms + LATENCY_MS,
            player: call.player,
            sequence: call.sequence,
            origin: Origin::Signed(call.signer),
            nonce: None,
            call: call.call,
        });
        let input = BlockInput {
            height: Height(self.state.height.0 + 1),
            time_ms: self.now_ms,
            entropy: Hash32::default(),
            calls: calls.collect(),
            surplus: Vec::new(),
            refused_kept_max: 100,
            beacon_round: self.state.global.beacon.round_at(self.now_ms - BLOCK_MS),
        };
        let decided = decide_block(&mut self.state, &input);
        for host in &mut self.hosts {
            host.fold(&decided.events).expect("events fit");
        }
        self.receipts.extend(decided.calls.iter().map(|record| Receipt {
            player: record.player,
            sequence: record.sequence,
            height: input.height,
            outcome: record.outcome,
        }));
        self.records.extend(decided.calls);
    }

    /// Every call that was not done, in words.
    pub fn refusals(&self) -> Vec<String> {
        let failed = self.records.iter().filter(|record| record.outcome != Outcome::Ok);
        failed.map(|record| format!("{} {}", record.call.name(), record.outcome.reason())).collect()
    }
}

/// A message that no machine reads anything into.
pub fn greeting(due_ms: u64, sender: u64, sequence: u64, receiver: PlayerId) -> Envelope {
    let (sender, body) = (PlayerId(sender), Body::Query { netuid: NetUid(1), task: 0 });
    Envelope { due_ms, sender, sequence, receiver, sent_ms: 0, body }
}
