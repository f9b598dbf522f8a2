//! `reference` against `sound`: the same order on the same state, in both modes. Where the reference
//! books no leak, both emit the same events; where it does, the whole difference between the two
//! states is what the table in [`mend`] says of that leak's name.

mod network;

use network::{
    AUTHOR, HOTKEY, ONE, OTHER, OWNER, ROOT, STAKER, TAO, TWO, at, balance_books, execute_in,
    place, put_stake, random, unexplained,
};
use protocol::balances::EXISTENTIAL_DEPOSIT;
use protocol::block;
use protocol::call::{Call, Origin, Setting};
use protocol::dice::{Dice, Domain};
use protocol::event::Event;
use protocol::ledger::simulate_buy;
use protocol::rejection::Outcome;
use protocol::rules::{FeeSchedule, Mode};
use protocol::state::{Account, Leak, Leaks, State};
use protocol::tx::Tx;
use protocol::units::{AccountId, Alpha, Hash32, Height, NetUid, Rao};
use std::collections::BTreeMap;

/// What one mode made of a state.
struct Side {
    state: State,
    events: Vec<Event>,
    outcome: Outcome,
}

/// What is decided: a call, or the block step.
#[derive(Clone, Copy, Debug)]
enum Order<'a> {
    Call(Origin, &'a Call),
    Step(Hash32),
}

fn decide(before: &State, mode: Mode, order: Order<'_>) -> Side {
    let mut state = before.clone();
    state.rules.mode = mode;
    let (entropy, height) = match order {
        Order::Call(..) => (Hash32::default(), None),
        Order::Step(entropy) => (entropy, Some(Height(before.height.0 + 1))),
    };
    let mut tx = Tx::in_block(&mut state, entropy);
    let outcome = match order {
        Order::Call(origin, call) => execute_in(&mut tx, origin, call),
        Order::Step(_) => Outcome::Ok,
    };
    if let Some(height) = height {
        block::open(&mut tx, height);
    }
    let (events, _) = tx.finish();
    Side { state, events, outcome }
}

/// What the reference booked beyond what `sound` mode books too.
fn leaked(reference: &State, sound: &State) -> Vec<(Leak, i64)> {
    let of = |leaks: &Leaks, leak| *leaks.clone().ledger_mut(leak);
    let differences = Leak::ALL
        .iter()
        .copied()
        .map(|leak| (leak, of(&reference.leaks, leak) - of(&sound.leaks, leak)));
    differences.filter(|(_, amount)| *amount != 0).collect()
}

/// Books of a run: how often each leak was met, and how often something without a ledger.
#[derive(Default)]
struct Met {
    leaks: BTreeMap<String, u32>,
}

/// Decides an order in both modes and explains the difference; returns both sides.
fn compare(before: &State, order: Order<'_>, met: &mut Met) -> [Side; 2] {
    let reference = decide(before, Mode::Reference, order);
    let sound = decide(before, Mode::Sound, order);
    assert_eq!(reference.outcome, sound.outcome, "{order:?}");
    let leaks = leaked(&reference.state, &sound.state);
    for leak in Leak::ALL.iter().copied() {
        let booked =
            |event: &Event| matches!(event, Event::LeakBooked { leak: l, .. } if *l == leak);
        if reference.events.iter().any(booked) {
            *met.leaks.entry(format!("{leak:?}")).or_default() += 1;
        }
    }
    for side in [&reference, &sound] {
        assert_eq!(unexplained(&side.state), unexplained(before), "{order:?}");
    }
    if reference.events == sound.events {
        assert!(leaks.is_empty(), "{order:?}: {leaks:?} in equal events");
    } else if nominations_forfeited(&reference, &sound) {
        *met.leaks.entry("Forfeited".into()).or_default() += 1;
        the_nomination_stays(before, order, &sound);
    } else {
        assert!(
            !leaks.is_empty(),
            "{order:?}: no leak, but other events\n{}",
            told(&[&reference, &sound])
        );
        let mut mended = mend(before, order, &reference, &leaks);
        mended.rules = sound.state.rules;
        mended.leaks = sound.state.leaks;
        mended.forget_cached_hashes();
        let root = sound.state.root_from_scratch();
        assert!(
            mended.root() == root,
            "{order:?}: {leaks:?} do not explain it\n{}",
            told(&[&reference, &sound])
        );
    }
    [reference, sound]
}

fn told(sides: &[&Side]) -> String {
    sides.iter().map(|side| format!("{:#?}\n", side.events)).collect()
}

/// Makes of the reference's state what `sound` mode would have made, by the names of its leaks alone.
fn mend(before: &State, order: Order<'_>, reference: &Side, leaks: &[(Leak, i64)]) -> State {
    let mut state = reference.state.clone();
    let signer = match order {
        Order::Call(Origin::Signed(signer), _) => signer,
        _ => AccountId::ZERO,
    };
    for (leak, amount) in leaks {
        let amount = *amount;
        match leak {
            // Back to the payer, or to whose stake moved.
            Leak::Unfilled | Leak::MovedDust => mend_credit(&mut state, signer, amount),
            // The fee to the author, what was not filled back to the payer.
            Leak::RegistrationFees => {
                let fee = registration_fee(before, order, reference, amount);
                match state.global.block_author {
                    Some(author) => mend_credit(&mut state, author, fee),
                    None => state.global.total_issuance.0 -= fee.cast_unsigned(),
                }
                mend_credit(&mut state, signer, amount - fee);
            }
            // Never issued, or recycled from the issuance.
            Leak::ChainBuys | Leak::Dissolution | Leak::Dust | Leak::Fees => {
                state.global.total_issuance.0 -= amount.cast_unsigned();
            }
            // The new pool is smaller by it, and so is total stake.
            Leak::LockShortfall => {
                let registered = reference.events.iter().find_map(|event| match event {
                    Event::SubnetRegistered(facts) => Some(facts.netuid),
                    _ => None,
                });
                let pool = &mut at(&mut state, registered.expect("a registration")).fast.pool;
                pool.tao = pool.tao.checked_add_signed(amount).expect("a smaller pool");
                pool.alpha = pool.alpha.checked_add_signed(amount).expect("a smaller pool");
                mend_total_stake(&mut state, amount);
            }
            // Root's TAO, its alpha and total stake grow by it.
            Leak::RootClaims => {
                let pool = &mut at(&mut state, ROOT).fast.pool;
                pool.tao = pool.tao.checked_add_signed(amount).expect("no overflow");
                pool.alpha_out = pool.alpha_out.checked_add_signed(amount).expect("no overflow");
                mend_total_stake(&mut state, amount);
            }
            Leak::StakeExcess => mend_total_stake(&mut state, -amount),
            Leak::Opening | Leak::RootShortfall | Leak::CleanUps => {
                panic!("{leak:?} does not differ between modes in {order:?}")
            }
        }
    }
    state
}

/// On the way from one ledger to the next the counter may pass below zero.
fn mend_total_stake(state: &mut State, by: i64) {
    state.global.total_stake.0 = state.global.total_stake.0.wrapping_add_signed(by);
}

/// A credit too small for an account that holds nothing is recycled.
fn mend_credit(state: &mut State, account: AccountId, amount: i64) {
    let amount = Rao(amount.cast_unsigned());
    if amount != Rao::ZERO && state.free(&account) == Rao::ZERO && amount < EXISTENTIAL_DEPOSIT {
        state.global.total_issuance = state.global.total_issuance.minus(amount);
    } else if amount != Rao::ZERO {
        let account = state.accounts.entry(account).or_default();
        account.free = account.free.plus(amount);
    }
}

fn registration_fee(before: &State, order: Order<'_>, reference: &Side, rest: i64) -> i64 {
    let Order::Call(_, Call::BurnedRegister { netuid, .. }) = order else {
        panic!("{order:?} is no registration");
    };
    let paid = reference.events.iter().find_map(|event| match event {
        Event::PoolSwapped(swap) => Some(swap.volume),
        _ => None,
    });
    let swap = simulate_buy(&before.subnets[netuid], paid.expect("a purchase"));
    let fee = swap.expect("it was served").fee.cast_signed();
    assert!(fee <= rest);
    fee
}

/// Whether a clean-up of a small nomination failed: the reference took it without a payout, `sound`
/// mode left it.
fn nominations_forfeited(reference: &Side, sound: &Side) -> bool {
    let left = |netuid, hotkey: &AccountId, coldkey: &AccountId| {
        let pool = reference.state.subnet(netuid).and_then(|subnet| subnet.pools.get(hotkey));
        pool.and_then(|pool| pool.holders.get(coldkey)).copied().unwrap_or(0)
    };
    sound.state.networks().any(|(netuid, subnet)| {
        subnet.pools.iter().any(|(hotkey, pool)| {
            let mut holders = pool.holders.iter();
            holders.any(|(coldkey, share)| left(netuid, hotkey, coldkey) < *share)
        })
    })
}

/// In `sound` mode a clean-up that fails never happened: the state is that of the order alone.
fn the_nomination_stays(before: &State, order: Order<'_>, sound: &Side) {
    let Order::Call(_, call) = order else { panic!("the block step cleans up nothing") };
    if matches!(call, Call::SudoSet(_)) {
        // Some are sold and some stay; the books say the rest.
        return;
    }
    let mut without = before.clone();
    let least = core::mem::take(&mut without.global.nominator_min_required_stake);
    let mut alone = decide(&without, Mode::Sound, order);
    alone.state.global.nominator_min_required_stake = least;
    assert_eq!(alone.state.root_from_scratch(), sound.state.root_from_scratch(), "{order:?}");
}

/// A long random run: each call and each block step in both modes, from a state that one of the two
/// has made.
fn run(seed: u64, operations: usize, met: &mut Met) {
    let mut state = random::genesis(seed);
    let mut done = 0;
    while done < operations {
        let height = state.height.0 + 1;
        random::loosen(&mut state);
        let mut dice = Dice::new(seed, Domain::Player, 1, height, 0);
        let entropy = protocol::canon::hash("entropy", &[height as u8, seed as u8]);
        let own = usize::from(state.rules.mode == Mode::Sound);
        let sides = compare(&state, Order::Step(entropy), met);
        state = sides.into_iter().nth(own).expect("two sides").state;
        for _ in 0..dice.below(16) {
            let (origin, call) = random::call(&state, &mut dice);
            if matches!(call, Call::SwitchRules { .. }) {
                continue;
            }
            let sides = compare(&state, Order::Call(origin, &call), met);
            state = sides.into_iter().nth(own).expect("two sides").state;
            done += 1;
        }
        state.stake_markers.clear();
    }
    if state.rules.mode == Mode::Sound {
        // Root overwrote the issuance now and then.
        let opening = state.leaks.opening;
        assert_eq!(state.leaks, Leaks { opening, ..Leaks::default() }, "seed {seed}");
    }
}

/// Says which seed it was when a panic passes.
struct Told(u64);

impl Drop for Told {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("replay with SEED={}", self.0);
        }
    }
}

#[test]
fn each_difference_between_the_modes_has_a_name() {
    let mut met = Met::default();
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok());
    let seeds = seed.map_or(vec![0, 1, 2, 3, 6, 7, 10, 15], |seed: u64| vec![seed]);
    for seed in seeds {
        let _told = Told(seed);
        run(seed, 1_500, &mut met);
    }
    println!("{:?}", met.leaks);
    if seed.is_some() {
        return;
    }
    // The others need more than chance; each has a test below.
    let usual = ["RegistrationFees", "StakeExcess", "RootClaims", "Dust", "Fees"];
    for leak in usual {
        assert!(met.leaks.contains_key(leak), "no {leak}: {:?}", met.leaks);
    }
}

/// One order that leaks under this name alone (or with the excess of total stake), and how much.
fn check(state: &State, order: Order<'_>, leak: Leak, amount: i64) -> [Side; 2] {
    let mut met = Met::default();
    let sides = compare(state, order, &mut met);
    assert_eq!(sides[0].outcome, Outcome::Ok, "{order:?}");
    let booked = *sides[0].state.leaks.clone().ledger_mut(leak);
    assert_eq!(booked, amount, "{leak:?}\n{}", told(&[&sides[0]]));
    sides
}

/// The small network with its author.
fn network() -> State {
    let mut state = network::network();
    state.global.block_author = Some(AUTHOR);
    state
}

#[test]
fn unfilled() {
    let mut state = network();
    // So little liquidity that the highest price is reached: a limited order would stop before.
    let pool = &mut at(&mut state, ONE).fast.pool;
    (pool.tao, pool.alpha) = (1_000, 1_000_000);
    balance_books(&mut state);
    let call = Call::AddStake { hotkey: HOTKEY, netuid: ONE, amount_staked: Rao::whole(100) };
    let order = Order::Call(Origin::Signed(STAKER), &call);
    let [reference, sound] = check(&state, order, Leak::Unfilled, 95_702_975_426);
    let free = |side: &Side| side.state.free(&STAKER).0;
    assert_eq!(free(&sound) - free(&reference), 95_702_975_426);
}

#[test]
fn registration_fees() {
    let state = network();
    let call = Call::BurnedRegister { netuid: ONE, hotkey: HOTKEY };
    let order = Order::Call(Origin::Signed(STAKER), &call);
    // 33 of 65,535 of 0.1 TAO.
    let [_, sound] = check(&state, order, Leak::RegistrationFees, 50_354);
    assert_eq!(sound.state.free(&AUTHOR), Rao(50_354));
}

#[test]
fn chain_buys() {
    let mut state = network();
    // A pool that may not be bought from: the excess finds no alpha.
    let pool = &mut at(&mut state, ONE).fast.pool;
    (pool.tao, pool.alpha) = (499_999, 999_999);
    at(&mut state, TWO).info.first_emission = None;
    at(&mut state, ONE).fast.flow = 1 << 40;
    let issued = state.global.total_issuance;
    let mut met = Met::default();
    let [reference, sound] = compare(&state, Order::Step(Hash32::default()), &mut met);
    assert!(met.leaks.contains_key("ChainBuys"));
    assert!(reference.state.leaks.chain_buys > 0);
    let difference = reference.state.global.total_issuance.0 - sound.state.global.total_issuance.0;
    assert_eq!(difference.cast_signed(), reference.state.leaks.chain_buys);
    assert!(sound.state.global.total_issuance >= issued);
}

#[test]
fn lock_shortfall() {
    let mut state = network();
    state.accounts.insert(STAKER, Account { free: Rao::whole(1_000), nonce: 0 });
    balance_books(&mut state);
    let call = Call::RegisterNetwork { hotkey: HOTKEY };
    let order = Order::Call(Origin::Signed(STAKER), &call);
    let [reference, sound] = check(&state, order, Leak::LockShortfall, -500);
    let pool = |side: &Side| side.state.subnets[&NetUid(3)].fast.pool.tao;
    assert_eq!((pool(&reference), pool(&sound)), (1_000 * TAO, 1_000 * TAO - 500));
}

#[test]
fn dissolution() {
    let state = network();
    let call = Call::RootDissolveNetwork { netuid: ONE };
    let pot = 1_000 * TAO;
    let [_, sound] =
        check(&state, Order::Call(Origin::Root, &call), Leak::Dissolution, pot.cast_signed());
    assert_eq!(sound.state.global.total_issuance.0, state.global.total_issuance.0 - pot);
}

#[test]
fn dust() {
    let state = network();
    let value = state.free(&STAKER).minus(Rao(499));
    let call = Call::TransferAllowDeath { dest: OTHER, value };
    let order = Order::Call(Origin::Signed(STAKER), &call);
    check(&state, order, Leak::Dust, 499);
}

#[test]
fn fees() {
    let mut state = network();
    state.global.block_author = None;
    state.rules.fees = FeeSchedule::Reference;
    let call = Call::UnstakeAll { hotkey: HOTKEY };
    let fee = protocol::fees::fee(&call).expect("not free");
    let order = Order::Call(Origin::Signed(STAKER), &call);
    check(&state, order, Leak::Fees, fee.0.cast_signed());
}

#[test]
fn stake_excess() {
    let state = network();
    let call = Call::AddStake { hotkey: HOTKEY, netuid: ONE, amount_staked: Rao(TAO) };
    let order = Order::Call(Origin::Signed(STAKER), &call);
    // Total stake counts the fee, 33 of 65,535 of a TAO.
    check(&state, order, Leak::StakeExcess, 503_547);
}

/// Root stake of a TAO behind [`HOTKEY`], and a tenth of an alpha claimable by it on TWO.
fn claimable() -> State {
    let mut state = network();
    put_stake(&mut state, place(HOTKEY, STAKER, ROOT), TAO);
    let rates =
        state.hotkeys.get_mut(&HOTKEY).expect("owned").root_claimable.get_or_insert_default();
    rates.insert(TWO, (1 << 32) / 10);
    let fast = &mut at(&mut state, TWO).fast;
    (fast.pool.alpha_out, fast.claimable_root_alpha) = (TAO / 10, 100_000_000);
    state
}

#[test]
fn root_claims_and_root_shortfall() {
    let state = claimable();
    let call = Call::ClaimRoot { subnets: [TWO].into() };
    let order = Order::Call(Origin::Signed(STAKER), &call);
    // A tenth of an alpha on a pool of 1000 and 1000, less what it moves the price.
    let [reference, sound] = check(&state, order, Leak::RootClaims, 99_990_000);
    let root = |side: &Side| side.state.subnets[&ROOT].fast.pool.tao;
    assert_eq!((root(&reference), root(&sound)), (TAO, TAO + 99_990_000));

    // Who sells it all finds that the reference's root has only the backed part.
    let call = Call::UnstakeAll { hotkey: HOTKEY };
    let order = Order::Call(Origin::Signed(STAKER), &call);
    let [short, _] = check(&reference.state, order, Leak::RootShortfall, -99_990_000);
    assert_eq!(short.state.subnets[&ROOT].fast.pool.tao, 0);
    let [paid, _] = check(&sound.state, order, Leak::RootShortfall, 0);
    assert_eq!(short.state.free(&STAKER), paid.state.free(&STAKER));
}

#[test]
fn moved_dust() {
    let mut state = network();
    put_stake(&mut state, place(HOTKEY, STAKER, ONE), 10 * TAO);
    // The order is worth enough; the part that its limit allows is not.
    let call = |limit| Call::SwapStakeLimit {
        hotkey: HOTKEY,
        origin_netuid: ONE,
        destination_netuid: TWO,
        alpha_amount: Alpha(TAO),
        limit_price: Rao(limit),
        allow_partial: true,
    };
    let call = call(249_999_800);
    let order = Order::Call(Origin::Signed(STAKER), &call);
    let [reference, sound] = compare(&state, order, &mut Met::default());
    assert_eq!(reference.outcome, Outcome::Ok);
    let lost = reference.state.leaks.moved_dust;
    assert!((1..2_000_000).contains(&lost), "{lost}");
    let back = sound.state.free(&STAKER).0 - reference.state.free(&STAKER).0;
    assert_eq!(back.cast_signed(), lost);
}

#[test]
fn clean_ups() {
    let mut state = network();
    state.global.nominator_min_required_stake = 1_000_000;
    put_stake(&mut state, place(HOTKEY, OTHER, ONE), 8_102_000);
    // What is left is worth 499 rao, and its fee of one unit less than one.
    let amount_unstaked = Alpha(8_100_000);
    let call = Call::RemoveStake { hotkey: HOTKEY, netuid: ONE, amount_unstaked };
    let order = Order::Call(Origin::Signed(OTHER), &call);
    let [reference, sound] = check(&state, order, Leak::CleanUps, 499);
    let stake = |side: &Side| side.state.stake(&HOTKEY, &OTHER, ONE).0;
    assert_eq!((stake(&reference), stake(&sound)), (0, 2_000));
}

#[test]
fn raising_the_minimum_forfeits_in_reference_mode_only() {
    let mut state = network();
    for (coldkey, alpha) in [(OTHER, 2_000), (OWNER, 1_000_000)] {
        put_stake(&mut state, place(HOTKEY, coldkey, ONE), alpha);
    }
    let call = Call::SudoSet(Setting::NominatorMinRequiredStake { value: 1_000_000 });
    let order = Order::Call(Origin::Root, &call);
    let [reference, sound] = check(&state, order, Leak::CleanUps, 499);
    let stake = |side: &Side, coldkey| side.state.stake(&HOTKEY, &coldkey, ONE).0;
    assert_eq!((stake(&reference, OTHER), stake(&sound, OTHER)), (0, 2_000));
    assert_eq!((stake(&reference, OWNER), stake(&sound, OWNER)), (0, 0), "sold in both");
}
