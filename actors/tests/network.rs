//! Players and chain joined in one small loop: one subnet, three validators, six miners.
//!
//! What belongs here: what only shows when the answers of miners become weights and weights become emission.
//! What does not: single behaviours (beside each in `src/`) and the real hub.

use actors::host::{Delivery, Host, Seated};
use actors::machine::{Directory, Identity, Receipt};
use actors::miner::{QualitySettings, StepQuality};
use actors::registry::{BehaviourSettings, Player};
use actors::validator::SamplerSettings;
use protocol::block::{BlockInput, Submitted, decide_block};
use protocol::call::Origin;
use protocol::envelope::Envelope;
use protocol::rejection::Outcome;
use protocol::state::{
    Account, Coldkey, Hotkey, HotkeyPool, Info, Mechanism, Neurons, Params, State, Subnet,
};
use protocol::units::{AccountId, Alpha, BLOCK_MS, Hash32, Height, NetUid, Rao};
use protocol::view::View;

const NETUID: NetUid = NetUid(1);
const VALIDATORS: u64 = 3;
const MINERS: u64 = 6;
const TEMPO: u16 = 20;
/// Blocks from one epoch to the next.
const EPOCH: u64 = TEMPO as u64 + 1;
const SLICE_MS: u64 = 1_000;
const SEED: u64 = 7;

/// Whether messages between players arrive.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wire {
    Sound,
    Cut,
}

struct Network {
    host: Host,
    state: State,
    wire: Wire,
    now_ms: u64,
    inbox: Vec<Delivery>,
    messages_sent: usize,
}

impl Network {
    fn new(miner: impl Fn(u64) -> QualitySettings) -> Self {
        let validators =
            (0..VALIDATORS).map(|_| BehaviourSettings::Sampler(SamplerSettings::default()));
        let miners = (0..MINERS).map(|index| BehaviourSettings::Quality(miner(index)));
        let mut seats: Vec<Seated> = Vec::new();
        for (index, settings) in (0..).zip(validators) {
            seats.push(Seated::new(identity("validators", index), settings.build()));
        }
        for (index, settings) in (0..).zip(miners) {
            seats.push(Seated::new(identity("miners", index), settings.build()));
        }
        let entry = |seated: &Seated| (seated.identity().hotkey, seated.identity().id);
        let directory: Directory = seats.iter().map(entry).collect();
        let state = genesis(seats.iter().map(Seated::identity));
        let mut host = Host::new(seats, View::new(state.clone()), directory, SEED);
        host.start();
        Self { host, state, wire: Wire::Sound, now_ms: 0, inbox: Vec::new(), messages_sent: 0 }
    }

    fn play(&mut self, blocks: u64) {
        for _ in 0..blocks {
            self.block();
        }
    }

    /// The slices before a block, then the block. What a slice says arrives with the next one.
    fn block(&mut self) {
        let mut calls = Vec::new();
        for _ in 0..BLOCK_MS / SLICE_MS {
            let until_ms = self.now_ms + SLICE_MS;
            let inbox = std::mem::take(&mut self.inbox);
            let done = self.host.slice(self.now_ms, until_ms, inbox);
            assert!(done.crashes.is_empty(), "{:?}", done.crashes);
            self.messages_sent += done.outgoing.len();
            calls.extend(done.calls);
            if self.wire == Wire::Sound {
                self.inbox.extend(done.outgoing.into_iter().map(|sent| {
                    Delivery::Message(Envelope {
                        due_ms: sent.sent_ms.max(until_ms),
                        sender: sent.sender,
                        sequence: sent.sequence,
                        receiver: sent.receiver,
                        sent_ms: sent.sent_ms,
                        body: sent.body,
                    })
                }));
            }
            self.now_ms = until_ms;
        }
        let calls = calls.into_iter().map(|call| Submitted {
            due_ms: call.sent_ms,
            player: call.player,
            sequence: call.sequence,
            origin: Origin::Signed(call.signer),
            nonce: None,
            call: call.call,
        });
        let height = Height(self.state.height.0 + 1);
        let input = BlockInput {
            height,
            time_ms: self.now_ms,
            entropy: Hash32::default(),
            calls: calls.collect(),
            surplus: Vec::new(),
            refused_kept_max: 100,
            beacon_round: None,
        };
        let decided = decide_block(&mut self.state, &input);
        self.host.fold(&decided.events).expect("the view fits its own chain");
        for record in decided.calls {
            let (player, sequence, outcome) = (record.player, record.sequence, record.outcome);
            assert_eq!(outcome, Outcome::Ok, "{:?} at block {height}", record.call);
            self.inbox.push(Delivery::Receipt(Receipt { player, sequence, height, outcome }));
        }
    }

    /// Every validator's running score of every miner.
    fn scores(&self) -> Vec<Option<u64>> {
        let mut scores = Vec::new();
        for validator in 0..VALIDATORS {
            let seat = self.host.seat(identity("validators", validator).id).expect("it is seated");
            let Player::Sampler(sampler) = seat.player() else {
                panic!("{:?} is no validator", seat.player());
            };
            let miners = (0..MINERS).map(|index| identity("miners", index).hotkey);
            scores.extend(miners.map(|hotkey| sampler.score(&hotkey)));
        }
        scores
    }

    /// What the last epoch gave a miner: its incentive, of 65,535, and its alpha.
    fn earned(&self, miner: u64) -> (u16, Alpha) {
        let subnet = &self.state.subnets[&NETUID];
        let uid = subnet.neurons.uid(&identity("miners", miner).hotkey).expect("it is registered");
        let uid = usize::from(uid);
        (subnet.mechanisms[0].incentive[uid], subnet.neurons.emission[uid])
    }
}

fn identity(group: &str, index: u64) -> Identity {
    Identity::new(group, index, Some(NETUID))
}

/// A started subnet with these neurons in order; the validators come first and hold all stake.
fn genesis<'a>(players: impl Iterator<Item = &'a Identity>) -> State {
    let mut state = State::default();
    state.global.total_issuance = Rao::whole(1_000_000);
    state.global.total_stake = Rao::whole(10_000);
    let root = Subnet { added: true, params: Params::root(), ..Subnet::default() };
    state.subnets.insert(NetUid::ROOT, root);
    let mut subnet = Subnet {
        added: true,
        params: Params {
            tempo: TEMPO,
            commit_reveal: false,
            weights_set_rate_limit: 0,
            max_allowed_validators: VALIDATORS as u16,
            subtoken_enabled: true,
            ..Params::default()
        },
        info: Info { first_emission: Some(1), ..Info::default() },
        mechanisms: vec![Mechanism::default()],
        ..Subnet::default()
    };
    subnet.fast.pool.tao = Rao::whole(10_000).0;
    subnet.fast.pool.alpha = Alpha::whole(100_000).0;
    subnet.fast.moving_price = (1 << 32) / 10;
    for (uid, who) in (0..).zip(players) {
        let alpha = Alpha::whole(if u64::from(uid) < VALIDATORS { 1_000 } else { 0 });
        genesis_neuron(&mut subnet, uid, who.hotkey, alpha);
        let owner = Hotkey { owner: Some(who.coldkey), ..Hotkey::default() };
        state.hotkeys.insert(who.hotkey, owner);
        state.accounts.insert(who.coldkey, Account::default());
        if alpha > Alpha::ZERO {
            let shares = u128::from(alpha.0) << 64;
            let holders = [(who.coldkey, shares)].into();
            let pool = HotkeyPool { alpha, shares, holders, ..HotkeyPool::default() };
            subnet.pools.insert(who.hotkey, pool);
            subnet.fast.pool.alpha_out += alpha.0;
            let staking = Coldkey { staking: vec![who.hotkey], ..Coldkey::default() };
            state.coldkeys.insert(who.coldkey, staking);
        }
    }
    state.subnets.insert(NETUID, subnet);
    state
}

fn genesis_neuron(subnet: &mut Subnet, uid: u16, hotkey: AccountId, stake: Alpha) {
    let Neurons {
        hotkeys,
        registered_at,
        active,
        emission,
        consensus,
        dividends,
        validator_trust,
        validator_permit,
        stake_weight,
        uids,
    } = &mut subnet.neurons;
    hotkeys.push(hotkey);
    registered_at.push(0);
    active.push(true);
    emission.push(Alpha::ZERO);
    consensus.push(0);
    dividends.push(0);
    validator_trust.push(0);
    validator_permit.push(stake > Alpha::ZERO);
    stake_weight.push(0);
    uids.insert(hotkey, uid);
    let mechanism = &mut subnet.mechanisms[0];
    mechanism.incentive.push(0);
    mechanism.last_update.push(0);
    mechanism.weights.push(Vec::new());
    mechanism.bonds.push(Vec::new());
}

#[test]
fn with_every_message_dropped_validators_scores_stop_changing() {
    let noisy = |_| QualitySettings { noise_ppm: 50_000, ..QualitySettings::default() };
    let mut network = Network::new(noisy);
    network.play(5 * EPOCH);
    let before = network.scores();
    assert!(before.iter().all(Option::is_some), "everyone is known by now: {before:?}");

    network.wire = Wire::Cut;
    // What was under way arrives no more either.
    network.inbox.clear();
    let asked_before = network.messages_sent;
    network.play(5 * EPOCH);
    assert_eq!(network.scores(), before);
    let asked = network.messages_sent - asked_before;
    assert!(asked >= 60, "validators asked only {asked} times");

    network.wire = Wire::Sound;
    network.play(3 * EPOCH);
    let changed = network.scores().iter().zip(&before).filter(|(now, then)| now != then).count();
    assert_eq!(changed, before.len(), "every score moves again once messages arrive");
}

#[test]
fn a_miner_whose_quality_rises_earns_more() {
    const RISING: u64 = 2;
    const BEFORE: u64 = 8 * EPOCH;
    let run = |step_quality: Option<StepQuality>| {
        let mut network = Network::new(|index| QualitySettings {
            mean_ppm: if index == RISING { 300_000 } else { 600_000 },
            spread_ppm: 0,
            step_quality: step_quality.filter(|_| index == RISING),
            ..QualitySettings::default()
        });
        network.play(BEFORE);
        let before = (0..MINERS).map(|miner| network.earned(miner)).collect::<Vec<_>>();
        network.play(10 * EPOCH);
        let after = (0..MINERS).map(|miner| network.earned(miner)).collect::<Vec<_>>();
        (before, after)
    };
    let rise = StepQuality { at_ms: BEFORE * BLOCK_MS, to_ppm: 900_000 };
    let (before, after) = run(Some(rise));
    let (same_before, without) = run(None);
    assert_eq!(before, same_before, "until the rise nothing differs");

    let rising = RISING as usize;
    let (incentive_before, alpha_before) = before[rising];
    let (incentive, alpha) = after[rising];
    let (incentive_without, alpha_without) = without[rising];
    assert!(incentive_before > 0 && alpha_before > Alpha::ZERO, "{before:?}");
    // Three times the quality: half as much again is far above what noise does.
    for (earlier, earlier_alpha) in
        [(incentive_before, alpha_before), (incentive_without, alpha_without)]
    {
        assert!(u32::from(incentive) > u32::from(earlier) * 3 / 2, "{incentive} after {earlier}");
        assert!(alpha.0 > earlier_alpha.0 * 3 / 2, "{alpha} after {earlier_alpha}");
    }
    // Without the rise it earns what it did, give or take a tenth.
    let drift = incentive_without.abs_diff(incentive_before);
    assert!(drift < incentive_before / 10, "{incentive_without} after {incentive_before}");
    // What it gains, the others lose.
    for other in (0..MINERS as usize).filter(|other| *other != rising) {
        assert!(after[other].0 < without[other].0, "miner {other}: {after:?}, {without:?}");
    }
}
