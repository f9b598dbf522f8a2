//! Subnets, neurons, root membership, start calls, symbols (30 §3.2, §4, §6).

use crate::network::{
    HOTKEY, NOWHERE, ONE, OTHER, OTHER_HOTKEY, OWNER, OWNER_HOTKEY, ROOT, STAKER, STRAY_HOTKEY,
    TAO, TWO, at, place, put_stake,
};
use crate::weights::register;
use crate::{Case, has};
use protocol::call::{Call, Origin};
use protocol::event::Event;
use protocol::registration::{lock_cost, work_hash};
use protocol::rejection::{Refusal, Rejection};
use protocol::state::{State, SubnetIdentity};
use protocol::units::{AccountId, Hash32, Height, NetUid, Rao};
use protocol::work;

fn named(name: &str) -> Option<Box<SubnetIdentity>> {
    let subnet_name = name.to_owned();
    Some(Box::new(SubnetIdentity { subnet_name, ..SubnetIdentity::default() }))
}

/// The order of checks is that of both calls.
fn network_rows(case: &mut Case, order: impl Fn(AccountId) -> Call) {
    let global = &mut case.state.global;
    (global.subnet_limit, global.network_immunity_period) = (2, 2_000);
    global.network_registration_start = 1_001;
    case.state.accounts.get_mut(&STAKER).expect("it has some").free = Rao(TAO);
    case.no("another's hotkey", Rejection::NonAssociatedColdKey, |case| {
        case.call = order(OTHER_HOTKEY);
    });
    case.no("not open yet", Rejection::SubNetRegistrationDisabled, |case| {
        case.call = order(HOTKEY);
    });
    case.state.global.network_registration_start = 1_000;
}

fn network_rows_behind_the_rate_limit(case: &mut Case) -> State {
    case.no("full, all immune", Rejection::SubnetLimitReached, |case| {
        case.state.global.network_rate_limit = 5;
    });
    case.no("too dear", Rejection::CannotAffordLockCost, |case| {
        case.state.global.network_immunity_period = 999;
        at(&mut case.state, ONE).info.registered_at = 2;
    });
    let cost = lock_cost(&case.state);
    assert!(cost > Rao::whole(1_990), "doubled by the last one: {cost:?}");
    // Two pays the whole pot to nobody: nobody holds alpha. It is the only one that is not immune.
    let (state, _) = case.yes("the other one makes room", |case| {
        case.state.accounts.get_mut(&STAKER).expect("it has some").free = cost;
    });
    let subnet = state.subnet(TWO).expect("registered again");
    assert_eq!((subnet.info.owner, subnet.info.owner_hotkey), (Some(STAKER), Some(HOTKEY)));
    assert_eq!((subnet.info.registered_at, subnet.info.first_emission), (1_000, None));
    // What is left of a balance below the deposit was not taken.
    let paid = Rao(cost.0 - 500);
    assert_eq!((state.free(&STAKER), subnet.info.locked), (Rao(500), paid));
    let recycled = subnet.fast.recycled_for_registration;
    assert_eq!((subnet.fast.pool.tao, recycled), (1_000 * TAO, paid.minus(Rao::whole(1_000))));
    assert_eq!(state.global.network_last_lock_cost, paid);
    let (state, _) = case.yes("a free slot: the lowest free netuid", |case| {
        case.state.global.subnet_limit = 3;
    });
    assert_eq!(state.subnet(NetUid(3)).expect("new").info.symbol, "γ");
    assert!(state.subnet(TWO).is_some_and(|subnet| subnet.info.owner == Some(OWNER)));
    state
}

#[test]
fn register_network() {
    let order = |hotkey| Call::RegisterNetwork { hotkey };
    let mut case = Case::new(order(OTHER_HOTKEY));
    case.state.global.network_last_lock_block = 995;
    case.state.global.network_rate_limit = 10;
    case.refused("too soon after the last", Refusal::RateLimitExceeded, |_| {});
    case.state.global.network_rate_limit = 5;
    network_rows(&mut case, order);
    let state = network_rows_behind_the_rate_limit(&mut case);
    assert_eq!(state.subnet(NetUid(3)).expect("new").info.identity, None);
    let (state, _) = case.yes("a hotkey of nobody", |case| case.call = order(STRAY_HOTKEY));
    assert_eq!(state.owner(&STRAY_HOTKEY), Some(STAKER));
    let case = &mut case;
    case.no("nothing above the deposit", Rejection::ZeroBalanceAfterWithdrawn, |case| {
        case.state.global.network_min_lock_cost = Rao(400);
        case.state.global.network_last_lock_cost = Rao(0);
        case.state.accounts.get_mut(&STAKER).expect("it has some").free = Rao(500);
    });
}

#[test]
fn register_network_with_identity() {
    let order = |hotkey| Call::RegisterNetworkWithIdentity { hotkey, identity: named("n") };
    let mut case = Case::new(order(OTHER_HOTKEY));
    case.state.global.network_last_lock_block = 995;
    case.state.global.network_rate_limit = 10;
    network_rows(&mut case, order);
    case.no("too soon after the last", Rejection::NetworkTxRateLimitExceeded, |_| {});
    let state = network_rows_behind_the_rate_limit(&mut case);
    let subnet = state.subnet(NetUid(3)).expect("new");
    let identity = subnet.info.identity.as_ref().expect("given");
    assert_eq!((&*identity.subnet_name, &*subnet.info.name), ("n", "n"));
    case.no("too long a name", Rejection::InvalidIdentity, |case| {
        let identity = named(&"n".repeat(257));
        case.call = Call::RegisterNetworkWithIdentity { hotkey: HOTKEY, identity };
    });
    let (state, _) = case.yes("without a name", |case| {
        case.call = Call::RegisterNetworkWithIdentity { hotkey: HOTKEY, identity: None };
    });
    assert_eq!(state.subnet(NetUid(3)).expect("new").info.identity, None);
}

#[test]
fn start_call() {
    let mut case = Case::new(Call::StartCall { netuid: NOWHERE });
    at(&mut case.state, ONE).info.registered_at = 990;
    case.state.global.start_call_delay = 11;
    case.no("no subnet", Rejection::SubnetNotExists, |_| {});
    case.no("not the owner", Rejection::BadOrigin, |case| {
        case.call = Call::StartCall { netuid: ONE };
    });
    case.no("started", Rejection::FirstEmissionBlockNumberAlreadySet, |case| {
        case.origin = Origin::Signed(OWNER);
    });
    case.no("a block too soon", Rejection::NeedWaitingMoreBlocksToStarCall, |case| {
        let subnet = at(&mut case.state, ONE);
        subnet.info.first_emission = None;
        subnet.params.subtoken_enabled = false;
    });
    let (state, _) = case.yes("done", |case| case.state.global.start_call_delay = 10);
    let subnet = state.subnet(ONE).expect("it is there");
    assert_eq!((subnet.info.first_emission, subnet.params.subtoken_enabled), (Some(1_001), true));
}

/// The limits of a block and of an interval, and a uid that is taken: as all registrations see them.
fn limit_rows(case: &mut Case, netuid: NetUid, hotkey: AccountId) {
    case.no("the block is full", Rejection::TooManyRegistrationsThisBlock, |case| {
        let subnet = at(&mut case.state, netuid);
        subnet.params.registration_allowed = true;
        subnet.params.pow_registration_allowed = true;
        subnet.fast.registrations_this_block = 1;
    });
    at(&mut case.state, netuid).fast.registrations_this_block = 0;
    case.no("registered", Rejection::HotKeyAlreadyRegisteredInSubNet, |case| {
        register(case, netuid, &[hotkey]);
    });
    let uids = &mut at(&mut case.state, netuid).neurons;
    *uids = protocol::state::Neurons::default();
}

#[test]
fn burned_register() {
    let order = |netuid, hotkey| Call::BurnedRegister { netuid, hotkey };
    let mut case = Case::new(order(ONE, OTHER_HOTKEY));
    at(&mut case.state, ONE).params.registration_allowed = false;
    at(&mut case.state, ONE).fast.registrations_this_interval = 3;
    case.refused("the interval is full", Refusal::RateLimitExceeded, |_| {});
    case.no("root", Rejection::RegistrationNotPermittedOnRootSubnet, |case| {
        case.call = order(ROOT, OTHER_HOTKEY);
    });
    case.no("no subnet", Rejection::SubnetNotExists, |case| {
        case.call = order(NOWHERE, OTHER_HOTKEY);
    });
    case.no("closed", Rejection::SubNetRegistrationDisabled, |case| {
        at(&mut case.state, ONE).fast.registrations_this_interval = 2;
        case.call = order(ONE, OTHER_HOTKEY);
    });
    limit_rows(&mut case, ONE, OTHER_HOTKEY);
    case.no("too dear", Rejection::NotEnoughBalanceToStake, |case| {
        at(&mut case.state, ONE).fast.burn = Rao::whole(10_001);
    });
    case.no("another's hotkey", Rejection::NonAssociatedColdKey, |case| {
        at(&mut case.state, ONE).fast.burn = Rao::whole(1);
    });
    case.no("no uids at all", Rejection::NoNeuronIdAvailable, |case| {
        case.call = order(ONE, HOTKEY);
        at(&mut case.state, ONE).params.max_allowed_uids = 0;
    });
    case.no("nobody can be pruned", Rejection::NoNeuronIdAvailable, |case| {
        at(&mut case.state, ONE).params.max_allowed_uids = 1;
        register(case, ONE, &[OWNER_HOTKEY]);
    });
    let (state, events) = case.yes("done", |case| {
        at(&mut case.state, ONE).params.max_allowed_uids = 2;
    });
    let subnet = state.subnet(ONE).expect("it is there");
    assert_eq!(subnet.neurons.uid(&HOTKEY), Some(1));
    assert_eq!(state.free(&STAKER), Rao::whole(9_999));
    assert_eq!(subnet.fast.recycled_for_registration, Rao(TAO));
    assert_eq!(subnet.fast.registrations_this_interval, 3);
    assert_eq!(subnet.fast.burn_registrations_this_interval, 1);
    // The pool keeps the TAO, less the fee that nobody gets; the alpha is gone.
    let fee = TAO * 33 / 65_535;
    assert_eq!(subnet.fast.pool.tao, 1_001 * TAO - fee);
    assert_eq!((subnet.fast.pool.alpha_out, subnet.fast.flow), (0, 0));
    assert!(has(&events, "alpha_destroyed"));
    replaced_rows(&mut case);
}

/// A full subnet: the newcomer takes the uid of the neuron that earned least, and inherits its permit,
/// trust and time of the last weights.
fn replaced_rows(case: &mut Case) {
    let (state, _) = case.yes("in another's place", |case| {
        register(case, ONE, &[OTHER_HOTKEY, STRAY_HOTKEY]);
        let subnet = at(&mut case.state, ONE);
        subnet.params.max_allowed_uids = 3;
        subnet.params.immunity_period = 0;
        subnet.params.min_non_immune_uids = 1;
        let neurons = &mut subnet.neurons;
        neurons.validator_permit[1] = true;
        neurons.validator_trust[1] = 7;
        neurons.consensus[1] = 8;
        neurons.emission[2].0 = 5;
        subnet.mechanisms[0].last_update[1] = 555;
        subnet.mechanisms[0].weights[1] = vec![(0, 9)];
        subnet.mechanisms[0].weights[2] = vec![(1, 9), (2, 3)];
        subnet.mechanisms[0].bonds[1] = vec![(0, 9)];
        subnet.mechanisms[0].bonds[2] = vec![(1, 9)];
    });
    let subnet = state.subnet(ONE).expect("it is there");
    let neurons = &subnet.neurons;
    assert_eq!([neurons.uid(&HOTKEY), neurons.uid(&OTHER_HOTKEY)], [Some(1), None]);
    assert_eq!((neurons.validator_permit[1], neurons.validator_trust[1]), (true, 7));
    assert_eq!((neurons.consensus[1], neurons.registered_at[1]), (0, 1_000));
    let mechanism = &subnet.mechanisms[0];
    assert_eq!(mechanism.last_update[1], 555);
    assert_eq!((&mechanism.weights[1], &mechanism.bonds[1]), (&vec![], &vec![]));
    assert_eq!(mechanism.weights[2], [(1, 0), (2, 3)]);
    assert_eq!(mechanism.bonds[2], [(1, 9)], "bonds towards the uid stay");
    case.no("all others are the owner's or immune", Rejection::NoNeuronIdAvailable, |case| {
        let subnet = at(&mut case.state, ONE);
        subnet.params.immune_owner_uids_limit = 3;
        let owned = [OWNER_HOTKEY, OTHER_HOTKEY, STRAY_HOTKEY];
        let lists = case.state.coldkeys.get_mut(&OWNER).expect("it owns one");
        lists.owned = owned.into();
        lists.staking = owned.into();
    });
}

#[test]
fn register_by_work() {
    let mut case = Case::new(Call::Register {
        netuid: ONE,
        block_number: 1_001,
        nonce: 0,
        work: Hash32([0xff; 32]),
        hotkey: OTHER_HOTKEY,
        coldkey: STAKER,
    });
    let order = |netuid, block_number, nonce, work, hotkey| {
        let coldkey = STAKER;
        Call::Register { netuid, block_number, nonce, work, hotkey, coldkey }
    };
    let bad = Hash32([0xff; 32]);
    case.state.global.entropies = vec![Hash32([3; 32]), Hash32([2; 32]), Hash32([1; 32])];
    at(&mut case.state, ONE).params.pow_registration_allowed = false;
    at(&mut case.state, ONE).fast.registrations_this_interval = 3;
    case.refused("the interval is full", Refusal::RateLimitExceeded, |_| {});
    at(&mut case.state, ONE).fast.registrations_this_interval = 2;
    case.no("the coldkey signs", Rejection::TransactorAccountShouldBeHotKey, |_| {});
    case.no("root", Rejection::RegistrationNotPermittedOnRootSubnet, |case| {
        case.call = order(ROOT, 1_001, 0, bad, OTHER_HOTKEY);
        case.origin = Origin::Signed(OTHER_HOTKEY);
    });
    case.no("no subnet", Rejection::SubnetNotExists, |case| {
        case.call = order(NOWHERE, 1_001, 0, bad, OTHER_HOTKEY);
    });
    case.no("closed", Rejection::SubNetRegistrationDisabled, |case| {
        case.call = order(ONE, 1_001, 0, bad, OTHER_HOTKEY);
    });
    limit_rows(&mut case, ONE, OTHER_HOTKEY);
    case.no("a block to come", Rejection::InvalidWorkBlock, |_| {});
    case.no("a block too old", Rejection::InvalidWorkBlock, |case| {
        case.call = order(ONE, 997, 0, bad, OTHER_HOTKEY);
    });
    case.no("too easy", Rejection::InvalidDifficulty, |case| {
        case.call = order(ONE, 998, 0, bad, OTHER_HOTKEY);
        at(&mut case.state, ONE).fast.difficulty = 20;
    });
    // Block 998 is two blocks old: the third entropy.
    let hash = work_hash(&case.state, 2);
    assert_eq!(hash, Hash32([1; 32]));
    let solved = |hotkey: AccountId| {
        let seals = (0..).map(|nonce| (nonce, work::seal(&hash, &hotkey, nonce)));
        let mut seals = seals.filter(|(_, seal)| work::meets(seal, 20));
        seals.next().expect("one in twenty does")
    };
    let (nonce, work) = solved(OTHER_HOTKEY);
    case.no("another nonce", Rejection::InvalidSeal, |case| {
        case.call = order(ONE, 998, nonce + 1, work, OTHER_HOTKEY);
    });
    case.no("another block", Rejection::InvalidSeal, |case| {
        case.call = order(ONE, 999, nonce, work, OTHER_HOTKEY);
    });
    case.no("another's hotkey", Rejection::NonAssociatedColdKey, |case| {
        case.call = order(ONE, 998, nonce, work, OTHER_HOTKEY);
    });
    let (nonce, work) = solved(STRAY_HOTKEY);
    case.no("no uids at all", Rejection::NoNeuronIdAvailable, |case| {
        case.call = order(ONE, 998, nonce, work, STRAY_HOTKEY);
        case.origin = Origin::Signed(STRAY_HOTKEY);
        at(&mut case.state, ONE).params.max_allowed_uids = 0;
    });
    let (state, _) = case.yes("done", |case| at(&mut case.state, ONE).params.max_allowed_uids = 9);
    let subnet = state.subnet(ONE).expect("it is there");
    assert_eq!(subnet.neurons.uid(&STRAY_HOTKEY), Some(0));
    assert_eq!(
        (state.owner(&STRAY_HOTKEY), state.free(&STAKER)),
        (Some(STAKER), Rao::whole(10_000))
    );
    assert_eq!(subnet.fast.pow_registrations_this_interval, 1);
    assert_eq!(subnet.fast.burn_registrations_this_interval, 0);
}

#[test]
fn the_hash_of_the_present_block_and_of_those_before_genesis_is_zero() {
    let mut state = crate::network::network();
    state.global.entropies = vec![Hash32([3; 32]), Hash32([2; 32])];
    let hashes: Vec<Hash32> = (0..4).map(|age| work_hash(&state, age)).collect();
    let zero = Hash32([0; 32]);
    assert_eq!(hashes, [zero, Hash32([2; 32]), zero, zero]);
}

#[test]
fn root_register() {
    let order = |hotkey| Call::RootRegister { hotkey };
    let mut case = Case::new(order(OTHER_HOTKEY));
    case.state.global.stake_threshold = 0;
    let root = case.state.subnets.remove(&ROOT).expect("it is there");
    case.no("no root", Rejection::RootNetworkDoesNotExist, |_| {});
    case.state.subnets.insert(ROOT, root);
    case.no("the block is full", Rejection::TooManyRegistrationsThisBlock, |case| {
        at(&mut case.state, ROOT).fast.registrations_this_block = 1;
        at(&mut case.state, ROOT).fast.registrations_this_interval = 3;
    });
    case.no("the interval is full", Rejection::TooManyRegistrationsThisInterval, |case| {
        at(&mut case.state, ROOT).fast.registrations_this_block = 0;
    });
    case.no("registered", Rejection::HotKeyAlreadyRegisteredInSubNet, |case| {
        at(&mut case.state, ROOT).fast.registrations_this_interval = 2;
        register(case, ROOT, &[OTHER_HOTKEY]);
    });
    let (state, _) = case.yes("another's hotkey: nobody asks", |case| {
        at(&mut case.state, ROOT).neurons = protocol::state::Neurons::default();
    });
    assert_eq!(state.owner(&OTHER_HOTKEY), Some(OTHER));
    assert_eq!(state.hotkeys[&OTHER_HOTKEY].take, Some(11_796));
    case.no("no more than the lowest member", Rejection::StakeTooLowForRoot, |case| {
        at(&mut case.state, ROOT).params.max_allowed_uids = 2;
        register(case, ROOT, &[HOTKEY, OWNER_HOTKEY]);
        put_stake(&mut case.state, place(HOTKEY, STAKER, ROOT), 7);
        put_stake(&mut case.state, place(OWNER_HOTKEY, OWNER, ROOT), 7);
        put_stake(&mut case.state, place(OTHER_HOTKEY, OTHER, ROOT), 7);
    });
    let (state, _) = case.yes("one more: in the first one's place", |case| {
        put_stake(&mut case.state, place(OTHER_HOTKEY, OTHER, ROOT), 1);
    });
    let root = state.subnet(ROOT).expect("it is there");
    assert_eq!(root.neurons.hotkeys, [OTHER_HOTKEY, OWNER_HOTKEY]);
}

#[test]
fn root_dissolve_network() {
    for order in [(|netuid| Call::RootDissolveNetwork { netuid }) as fn(NetUid) -> Call, |netuid| {
        Call::DissolveNetwork { coldkey: STAKER, netuid }
    }] {
        let mut case = Case::new(order(NOWHERE));
        put_stake(&mut case.state, place(HOTKEY, STAKER, ONE), 3);
        put_stake(&mut case.state, place(OTHER_HOTKEY, OTHER, ONE), 1);
        case.no("not root", Rejection::BadOrigin, |case| case.origin = Origin::Signed(OWNER));
        case.no("no subnet", Rejection::SubnetNotExists, |case| case.origin = Origin::Root);
        case.no("root itself", Rejection::SubnetNotExists, |case| case.call = order(ROOT));
        let (state, events) = case.yes("done", |case| case.call = order(ONE));
        assert!(state.subnet(ONE).is_none());
        let Some(Event::SubnetDissolved(facts)) =
            events.iter().find(|event| event.kind() == "subnet_dissolved")
        else {
            panic!("{events:?}");
        };
        // Three quarters and a quarter of 1000 TAO, to free balances.
        assert_eq!(facts.pot, Rao::whole(1_000));
        let mut paid: Vec<(AccountId, Rao)> =
            facts.coldkeys.iter().copied().zip(facts.tao.iter().copied()).collect();
        paid.sort_unstable();
        assert_eq!(paid, [(STAKER, Rao::whole(750)), (OTHER, Rao::whole(250))]);
        assert_eq!(state.free(&STAKER), Rao::whole(10_750));
        assert_eq!(state.height, Height(1_000));
    }
}
