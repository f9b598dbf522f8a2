//! Random registrations, epochs, mechanisms and trims: what is known of each neuron left is what was known
//! before, under its new uid, and every invariant holds.
//!
//! `SEED=7 cargo test -p protocol --test trimming` plays one seed again.

mod network;

use network::{ONE, OWNER, OWNER_HOTKEY, at, execute, network, own};
use protocol::block::{BlockInput, decide_block};
use protocol::call::{Call, Origin, Setting};
use protocol::dice::{Dice, Domain};
use protocol::event::{Event, Via};
use protocol::invariants::Checker;
use protocol::ledger::{Position, increase_stake};
use protocol::rejection::Outcome;
use protocol::state::{Row, State, Subnet};
use protocol::tx::Tx;
use protocol::units::{AccountId, Alpha, Hash32, Height};
use std::collections::{BTreeMap, BTreeSet};

const STEPS: u64 = 60;
/// Blocks.
const IMMUNITY: u64 = 12;

/// A row by the hotkey it is about.
type Entries = BTreeMap<AccountId, u16>;

/// What is known of a neuron, without uids: its columns, then per mechanism its incentive, its last update,
/// and its rows by hotkey.
#[derive(Debug, PartialEq)]
struct Known {
    columns: (u64, bool, Alpha, [u16; 4], bool),
    mechanisms: Vec<(u16, u64, Entries, Entries)>,
}

/// Everybody, in the order of uids.
fn known(subnet: &Subnet) -> Vec<(AccountId, Known)> {
    let neurons = &subnet.neurons;
    let by_hotkey = |rows: &[Row], uid: usize| {
        let row = rows.get(uid).map(Vec::as_slice).unwrap_or_default();
        row.iter().map(|(to, value)| (neurons.hotkeys[usize::from(*to)], *value)).collect()
    };
    let one = |uid: usize| {
        let of = |column: &[u16]| column.get(uid).copied().unwrap_or(0);
        let mechanism = |number| {
            let mechanism = subnet.mechanism(number).cloned().unwrap_or_default();
            let last_update = mechanism.last_update.get(uid).copied().unwrap_or(0);
            let weights = by_hotkey(&mechanism.weights, uid);
            (of(&mechanism.incentive), last_update, weights, by_hotkey(&mechanism.bonds, uid))
        };
        Known {
            columns: (
                neurons.registered_at[uid],
                neurons.active[uid],
                neurons.emission[uid],
                [
                    neurons.consensus[uid],
                    neurons.dividends[uid],
                    neurons.validator_trust[uid],
                    of(&neurons.stake_weight),
                ],
                neurons.validator_permit[uid],
            ),
            mechanisms: (0..subnet.params.mechanism_count).map(mechanism).collect(),
        }
    };
    neurons.hotkeys.iter().copied().zip((0..neurons.len()).map(one)).collect()
}

/// A subnet of short tempos with the owner's neuron.
fn start() -> State {
    let mut state = network();
    let params = &mut at(&mut state, ONE).params;
    (params.tempo, params.immunity_period, params.min_allowed_uids) = (5, IMMUNITY as u16, 1);
    (params.max_allowed_uids, params.commit_reveal) = (40, false);
    place(&mut state, OWNER_HOTKEY);
    state
}

fn place(state: &mut State, hotkey: AccountId) {
    let uid = u16::try_from(state.subnets[&ONE].neurons.len()).expect("few");
    let (netuid, via) = (ONE, Via::Burn);
    Tx::new(state).emit(Event::NeuronPlaced { netuid, uid, hotkey, replaced: None, via });
}

/// A newcomer with some stake, if there is room.
fn register(state: &mut State, dice: &mut Dice, number: u64) {
    let subnet = &state.subnets[&ONE];
    if subnet.neurons.len() >= usize::from(subnet.params.max_allowed_uids) {
        return;
    }
    let hotkey = AccountId(protocol::canon::hash("newcomer", &number.to_le_bytes()).0);
    own(state, hotkey, hotkey);
    let position = Position { hotkey, coldkey: hotkey, netuid: ONE };
    let alpha = dice.below(1_000_000_000);
    increase_stake(&mut Tx::new(state), position, Alpha(alpha));
    at(state, ONE).fast.pool.alpha_out += alpha;
    place(state, hotkey);
}

fn set_weights(state: &mut State, dice: &mut Dice) {
    let subnet = &state.subnets[&ONE];
    let count = subnet.neurons.len() as u64;
    let uid = u16::try_from(dice.below(count)).expect("few");
    let mechanism =
        u8::try_from(dice.below(u64::from(subnet.params.mechanism_count))).expect("few");
    let targets: BTreeSet<u16> =
        (0..dice.below(6)).map(|_| u16::try_from(dice.below(count)).expect("few")).collect();
    let row =
        targets.into_iter().map(|to| (to, u16::try_from(dice.below(65_536)).expect("16 bits")));
    let (row, last_update) = (row.collect(), Some(state.height.0));
    Tx::new(state).emit(Event::WeightsSet { netuid: ONE, mechanism, uid, row, last_update });
}

fn next_block(state: &mut State) {
    let input = BlockInput {
        height: Height(state.height.0 + 1),
        time_ms: 0,
        entropy: Hash32::default(),
        beacon_round: None,
        calls: Vec::new(),
        surplus: Vec::new(),
        refused_kept_max: 0,
    };
    decide_block(state, &input);
}

/// Trims as the owner, whatever the timer and the window; says whether somebody went.
fn trim(state: &mut State, max_n: u16) -> bool {
    state.global.admin_freeze_window = 0;
    at(state, ONE).stamps.clear();
    state.forget_cached_hashes();
    state.root();
    let (before, owner) = (state.subnets[&ONE].clone(), Origin::Signed(OWNER));
    let call = Call::SudoSet(Setting::TrimToMaxAllowedUids { netuid: ONE, value: max_n });
    let (outcome, events) = execute(state, owner, &call);
    let after = &state.subnets[&ONE];
    if outcome != Outcome::Ok {
        assert_eq!(known(after), known(&before));
        return false;
    }
    let removed = events.iter().find_map(|event| match event {
        Event::NeuronsTrimmed { removed, .. } => Some(removed.clone()),
        _ => None,
    });
    let removed = removed.expect("it was trimmed");
    let gone: BTreeSet<AccountId> = removed.iter().map(|(_, hotkey)| *hotkey).collect();
    let mut expected = known(&before);
    expected.retain(|(hotkey, _)| !gone.contains(hotkey));
    for (_, neuron) in &mut expected {
        for (_, _, weights, bonds) in &mut neuron.mechanisms {
            weights.retain(|to, _| !gone.contains(to));
            bonds.retain(|to, _| !gone.contains(to));
        }
    }
    assert_eq!(known(after), expected);
    assert_eq!(after.neurons.len(), before.neurons.len().min(usize::from(max_n)));
    assert_eq!(after.params.max_allowed_uids, max_n);
    // Nobody who left earned more than somebody exposed who stayed, and nobody protected left.
    let uid = |hotkey: &AccountId| usize::from(before.neurons.uid(hotkey).expect("it was there"));
    let emission = |hotkey: &AccountId| before.neurons.emission[uid(hotkey)];
    let young =
        |hotkey: &AccountId| state.height.0 - before.neurons.registered_at[uid(hotkey)] < IMMUNITY;
    assert!(!gone.contains(&OWNER_HOTKEY) && !gone.iter().any(young));
    let most = gone.iter().map(emission).max();
    let exposed = |hotkey: &&AccountId| **hotkey != OWNER_HOTKEY && !young(hotkey);
    let least = after.neurons.hotkeys.iter().filter(exposed).map(emission).min();
    assert!(most.zip(least).is_none_or(|(most, least)| most <= least), "{most:?} {least:?}");
    !gone.is_empty()
}

/// How many trims removed somebody, and how many left a bond or weight between survivors.
fn run(seed: u64) -> (u32, u32) {
    let mut state = start();
    let mut checker = Checker::new(&state);
    let (mut trims, mut linked) = (0, 0);
    for step in 0..STEPS {
        let mut dice = Dice::new(seed, Domain::Player, 0, step, 0);
        for number in 0..dice.below(4) {
            register(&mut state, &mut dice, step * 10 + number);
        }
        for _ in 0..dice.below(12) {
            set_weights(&mut state, &mut dice);
        }
        if dice.below(12) == 0 {
            let value = 1 + u8::try_from(dice.below(2)).expect("few");
            let count = Call::SudoSet(Setting::MechanismCount { netuid: ONE, value });
            execute(&mut state, Origin::Root, &count);
        }
        if dice.below(4) == 0 {
            let most = u64::from(state.subnets[&ONE].params.max_allowed_uids);
            let count = state.subnets[&ONE].neurons.len() as u64;
            let max_n = (count.saturating_sub(dice.below(9))).clamp(1, most);
            if trim(&mut state, u16::try_from(max_n).expect("few")) {
                trims += 1;
                let rows = state.subnets[&ONE].mechanisms.iter();
                let mut rows = rows.flat_map(|one| one.weights.iter().chain(&one.bonds));
                linked += u32::from(rows.any(|row| !row.is_empty()));
            }
            assert_eq!(state.root(), state.root_from_scratch(), "cached hashes");
            // Room again.
            at(&mut state, ONE).params.max_allowed_uids = 40;
        }
        next_block(&mut state);
        checker.check(&state).unwrap_or_else(|violation| panic!("SEED={seed}: {violation}"));
    }
    (trims, linked)
}

#[test]
fn who_is_left_keeps_everything() {
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok());
    let (mut trims, mut linked) = (0, 0);
    for seed in seed.map_or(0..=39, |seed: u64| seed..=seed) {
        let done = run(seed);
        (trims, linked) = (trims + done.0, linked + done.1);
    }
    if seed.is_none() {
        assert!(trims > 100 && linked > 100, "{trims} trims, {linked} with rows");
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig {
        cases: 8,
        failure_persistence: None,
        ..proptest::prelude::ProptestConfig::default()
    })]

    #[test]
    fn other_seeds_too(seed in 40_u64..) {
        run(seed);
    }
}
