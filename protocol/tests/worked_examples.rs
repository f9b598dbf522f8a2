//! The worked examples of 20 §22 that need a whole network: coinbase, limited orders, flow, root
//! dividends, withheld income, dissolution. Those of single formulas stand beside the formulas.

mod network;

use network::{
    AUTHOR, HOTKEY, ONE, OTHER, OTHER_HOTKEY, OWNER, OWNER_HOTKEY, ROOT, STAKER, TAO, TWO, at,
    balance_books, block, execute, network, own, place, put_stake, unexplained,
};
use protocol::call::{Call, Origin};
use protocol::event::{Event, Via};
use protocol::rejection::{Outcome, Rejection};
use protocol::root_claims::claimable;
use protocol::state::{RootClaimType, State};
use protocol::tx::Tx;
use protocol::units::{AccountId, Alpha, Hash32, Height, NetUid, Rao};

/// Issuance, in rao, from which on a block emits 10⁹ / 2ᵏ (20 §3).
const ISSUANCE_OF: [(u64, u64); 2] =
    [(976_562, 20_979_492_187_500_000), (1, 20_999_999_960_884_452)];

/// Decides an empty block; no rao may go unexplained.
fn step(state: &mut State) -> Vec<Event> {
    state.forget_cached_hashes();
    let before = unexplained(state);
    let decided = block(state, &[], Hash32::default());
    assert_eq!(unexplained(state), before);
    decided.events
}

/// What a block that emits `emission` does to subnet ONE and to the counters, with this flow on each.
fn emitted(emission: u64, flows: [i64; 2], pools: [(u64, u64); 2]) -> (State, State) {
    let mut state = network();
    for (netuid, (flow, (tao, alpha))) in [ONE, TWO].into_iter().zip(flows.into_iter().zip(pools)) {
        let subnet = at(&mut state, netuid);
        subnet.fast.flow = flow;
        (subnet.fast.pool.tao, subnet.fast.pool.alpha) = (tao, alpha);
    }
    balance_books(&mut state);
    let known = ISSUANCE_OF.iter().find(|(of, _)| *of == emission);
    if let Some((_, issuance)) = known {
        state.global.total_issuance = Rao(*issuance);
    }
    let before = state.clone();
    step(&mut state);
    (before, state)
}

fn grown(before: &State, after: &State, of: impl Fn(&State) -> u64) -> u64 {
    of(after) - of(before)
}

fn pool_tao(netuid: NetUid) -> impl Fn(&State) -> u64 {
    move |state| state.subnets[&netuid].fast.pool.tao
}

fn pool_alpha(netuid: NetUid) -> impl Fn(&State) -> u64 {
    move |state| state.subnets[&netuid].fast.pool.alpha
}

fn alpha_out(netuid: NetUid) -> impl Fn(&State) -> u64 {
    move |state| state.subnets[&netuid].fast.pool.alpha_out
}

const EVEN: (u64, u64) = (1_000 * TAO, 1_000 * TAO);

#[test]
fn the_only_subnet_with_flow_gets_the_emission() {
    for (emission, _) in ISSUANCE_OF {
        let (before, after) = emitted(emission, [1_234_567, 0], [EVEN, EVEN]);
        let counters: [&dyn Fn(&State) -> u64; 3] =
            [&pool_tao(ONE), &|state| state.global.total_issuance.0, &|state| {
                state.global.total_stake.0
            }];
        for of in counters {
            assert_eq!(grown(&before, &after, of), emission);
        }
        assert_eq!(grown(&before, &after, pool_tao(TWO)), 0);
    }
}

#[test]
fn emission_follows_flow_and_alpha_the_price() {
    let (before, after) = emitted(976_562, [100_000_000; 2], [EVEN, EVEN]);
    for netuid in [ONE, TWO] {
        assert_eq!(grown(&before, &after, pool_alpha(netuid)), 976_562 / 2);
    }
    // Flows 1 : 2 at prices 1 and 2 give both the same alpha; shares are right to 10⁻⁸.
    let dear = (2_000 * TAO, 1_000 * TAO);
    let (before, after) = emitted(976_562, [100_000_000, 200_000_000], [EVEN, dear]);
    for netuid in [ONE, TWO] {
        let alpha = grown(&before, &after, pool_alpha(netuid));
        assert!(alpha.abs_diff(976_562 / 3) <= 1, "{alpha}");
    }
}

#[test]
fn without_flow_only_alpha_is_minted() {
    let (before, after) = emitted(TAO, [0, 0], [EVEN, EVEN]);
    assert_eq!(grown(&before, &after, pool_alpha(ONE)), 0);
    assert_eq!(grown(&before, &after, |state| state.global.total_issuance.0), 0);
    assert_eq!(after.subnets[&ONE].fast.alpha_out_emission, Alpha(TAO));
    // Half the validators' part would be root's, had root any stake.
    assert_eq!(grown(&before, &after, alpha_out(ONE)), TAO);
}

#[test]
fn at_the_cap_of_alpha_all_emission_buys() {
    let mut state = network();
    at(&mut state, ONE).fast.pool.alpha_out = 21_000_000 * TAO - 4_000 * TAO;
    at(&mut state, ONE).fast.flow = 1_000;
    at(&mut state, TWO).info.first_emission = None;
    let before = state.clone();
    step(&mut state);
    let fast = &state.subnets[&ONE].fast;
    assert_eq!((fast.alpha_out_emission, fast.alpha_in_emission), (Alpha(0), Alpha(0)));
    assert_eq!(fast.excess_tao_emission, Rao(TAO));
    assert_eq!(grown(&before, &state, pool_tao(ONE)), TAO);
    assert_eq!(grown(&before, &state, alpha_out(ONE)), 0, "what is bought is destroyed");
    assert!(state.subnets[&ONE].price() > before.subnets[&ONE].price());
}

#[test]
fn a_dear_subnet_gets_alpha_for_its_tao_a_cheap_one_is_bought() {
    // At the price of 1, 10⁹ rao are 10⁹ alpha units, the most there may be; at ¼ they would be four
    // times as many, so three quarters buy.
    for (pool, tao_in, excess) in
        [(EVEN, TAO, 0), ((1_000 * TAO, 4_000 * TAO), TAO / 4, TAO - TAO / 4)]
    {
        let (_, after) = emitted(TAO, [1_000, 0], [pool, EVEN]);
        let fast = &after.subnets[&ONE].fast;
        assert_eq!(fast.alpha_in_emission, Alpha(TAO));
        assert_eq!((fast.tao_in_emission, fast.excess_tao_emission), (Rao(tao_in), Rao(excess)));
    }
}

/// A started subnet ONE with this pool, of which the staker holds `stake` alpha units.
fn market(tao: u64, alpha: u64, stake: u64) -> State {
    let mut state = network();
    let pool = &mut at(&mut state, ONE).fast.pool;
    (pool.tao, pool.alpha) = (tao, alpha);
    put_stake(&mut state, place(HOTKEY, STAKER, ONE), stake);
    balance_books(&mut state);
    state.global.block_author = Some(AUTHOR);
    state
}

fn order(state: &mut State, call: &Call) -> Outcome {
    state.forget_cached_hashes();
    execute(state, Origin::Signed(STAKER), call).0
}

#[test]
fn partial_orders_stop_at_the_limit() {
    let buy = |tao, allow_partial| Call::AddStakeLimit {
        hotkey: HOTKEY,
        netuid: ONE,
        amount_staked: Rao(tao * TAO),
        limit_price: Rao(24 * TAO),
        allow_partial,
    };
    let mut state = market(150 * TAO, 100 * TAO, 0);
    let refused = Outcome::Failed(Rejection::SlippageTooHigh);
    assert_eq!(order(&mut state, &buy(900, false)), refused);
    let mut whole = state.clone();
    assert_eq!(order(&mut whole, &buy(450, false)), Outcome::Ok);

    assert_eq!(order(&mut state, &buy(900, true)), Outcome::Ok);
    let spent = 10_000 * TAO - state.free(&STAKER).0;
    assert_eq!(spent, 450_226_710_632);
    assert_eq!(state.stake(&HOTKEY, &STAKER, ONE), Alpha(74_999_999_999));
    let price = state.subnets[&ONE].price();
    assert!(price.abs_diff(24 << 32) < 1_000, "{price}");

    let sell = |alpha| Call::RemoveStakeLimit {
        hotkey: HOTKEY,
        netuid: ONE,
        amount_unstaked: Alpha(alpha),
        limit_price: Rao(1_350_000_000),
        allow_partial: false,
    };
    let mut state = market(150 * TAO, 100 * TAO, 150 * TAO);
    assert_eq!(order(&mut state, &sell(150 * TAO)), refused);
    assert_eq!(order(&mut state, &sell(1_500_000_000)), Outcome::Ok);
}

#[test]
fn flow_counts_what_reaches_the_pool_and_what_leaves_it() {
    let mut state = market(100 * TAO, 1_000 * TAO, 0);
    let add = Call::AddStake { hotkey: HOTKEY, netuid: ONE, amount_staked: Rao(100_000_000) };
    assert_eq!(order(&mut state, &add), Outcome::Ok);
    assert_eq!(state.subnets[&ONE].fast.flow, 99_949_646);
    // Not in the block in which it came; in the next.
    let all = Call::UnstakeAll { hotkey: HOTKEY };
    let remove = Call::RemoveStakeFullLimit { hotkey: HOTKEY, netuid: ONE, limit_price: None };
    let limited = Rejection::StakingOperationRateLimitExceeded;
    assert_eq!(order(&mut state, &remove), Outcome::Failed(limited));
    state.stake_markers.clear();
    let author = state.free(&AUTHOR);
    assert_eq!(order(&mut state, &all), Outcome::Ok);
    let left = state.subnets[&ONE].fast.flow;
    assert!((0..10).contains(&left), "{left}");
    assert!(state.free(&AUTHOR) > author, "the fee of the sale is sold for the author");
}

/// Subnet ONE emits nothing and has its epoch in the next block, with these hotkeys as neurons.
fn before_an_epoch(hotkeys: &[AccountId]) -> State {
    let mut state = network();
    for (uid, hotkey) in (0..).zip(hotkeys) {
        let (netuid, hotkey, via) = (ONE, *hotkey, Via::Burn);
        let mut tx = Tx::new(&mut state);
        tx.emit(Event::NeuronPlaced { netuid, uid, hotkey, replaced: None, via });
    }
    for netuid in [ONE, TWO] {
        at(&mut state, netuid).info.first_emission = None;
    }
    at(&mut state, ONE).params.commit_reveal = false;
    at(&mut state, ONE).params.tempo = 4;
    // The slot is where height + 3 divides by 5.
    state.height = Height(1_001);
    state.global.root_claims_per_block = 0;
    state
}

/// Fills a pot of subnet ONE; the alpha counts as minted.
fn pot(state: &mut State, server: u64, validator: u64, root: u64) {
    let fast = &mut at(state, ONE).fast;
    fast.pool.alpha_out += server + validator + root;
    fast.pending_server.0 += server;
    fast.pending_validator.0 += validator;
    fast.pending_root.0 += root;
}

#[test]
fn root_dividends_accrue_by_rate_and_are_claimed() {
    let mut state = before_an_epoch(&[HOTKEY]);
    put_stake(&mut state, place(HOTKEY, OTHER, ROOT), 2_000_000);
    pot(&mut state, 0, 0, 1_000_000);
    step(&mut state);
    assert_eq!(state.stake(&HOTKEY, &STAKER, ONE), Alpha(179_995), "the owner's take");
    let rate = |state: &State| state.hotkeys[&HOTKEY].claim_rate(ONE);
    assert_eq!(rate(&state), Some(1_760_945_181));
    assert_eq!(claimable(&state, OTHER, HOTKEY), [(ONE, Alpha(820_003))]);

    let mut keeps = state.clone();
    keeps.coldkeys.get_mut(&OTHER).expect("owns").root_claim_type = RootClaimType::Keep;
    keeps.forget_cached_hashes();
    let claim = Call::ClaimRoot { subnets: [ONE].into() };
    assert_eq!(execute(&mut keeps, Origin::Signed(OTHER), &claim).0, Outcome::Ok);
    assert_eq!(keeps.stake(&HOTKEY, &OTHER, ONE), Alpha(820_003));
    assert_eq!(keeps.claimed(&HOTKEY, &OTHER, ONE), Some(820_003));
    assert_eq!(claimable(&keeps, OTHER, HOTKEY), []);

    // The owner holds alpha now, and its weight takes a little of the second epoch from root.
    at(&mut state, ONE).pools.clear();
    at(&mut state, ONE).fast.pool.alpha_out -= 179_995;
    pot(&mut state, 0, 0, 1_000_000);
    state.height = Height(1_001);
    step(&mut state);
    assert_eq!(rate(&state), Some(2 * 1_760_945_181));
}

#[test]
fn a_tenth_of_the_root_stake_gets_a_tenth() {
    let mut state = before_an_epoch(&[HOTKEY]);
    put_stake(&mut state, place(HOTKEY, OTHER, ROOT), 10_000_000);
    put_stake(&mut state, place(HOTKEY, OWNER, ROOT), 90_000_000);
    pot(&mut state, 0, 0, 10_000_000);
    step(&mut state);
    let [(_, tenth)] = claimable(&state, OTHER, HOTKEY)[..] else { panic!("one subnet") };
    assert!(tenth.0.abs_diff(820_000) < 10, "{tenth}");
    let [(_, rest)] = claimable(&state, OWNER, HOTKEY)[..] else { panic!("one subnet") };
    assert!(rest.0.abs_diff(9 * 820_000) < 50, "{rest}");
    // Who joins now has no part in it.
    let late = Call::AddStake { hotkey: HOTKEY, netuid: ROOT, amount_staked: Rao(50_000_000) };
    state.forget_cached_hashes();
    assert_eq!(execute(&mut state, Origin::Signed(STAKER), &late).0, Outcome::Ok);
    assert_eq!(claimable(&state, STAKER, HOTKEY), []);
}

#[test]
fn more_than_the_root_stake_goes_to_the_owner() {
    let mut state = before_an_epoch(&[HOTKEY]);
    put_stake(&mut state, place(HOTKEY, OTHER, ROOT), 820_003);
    pot(&mut state, 0, 0, 1_000_000);
    step(&mut state);
    // 20 §10.1: 820,004 units cannot be claimed by 820,003 units of root stake.
    assert_eq!(state.stake(&HOTKEY, &STAKER, ONE), Alpha(179_995 + 820_004));
    assert_eq!(claimable(&state, OTHER, HOTKEY), []);
}

#[test]
fn root_claims_are_made_automatically() {
    let kinds = [
        (RootClaimType::Swap, 0),
        (RootClaimType::Keep, 820_003),
        (RootClaimType::KeepSubnets([ONE].into()), 820_003),
        (RootClaimType::KeepSubnets([TWO].into()), 0),
    ];
    for (kind, kept) in kinds {
        let mut state = before_an_epoch(&[HOTKEY]);
        put_stake(&mut state, place(HOTKEY, OTHER, ROOT), 2_000_000);
        pot(&mut state, 0, 0, 1_000_000);
        let call = Call::SetRootClaimType { new_root_claim_type: kind.clone() };
        state.forget_cached_hashes();
        assert_eq!(execute(&mut state, Origin::Signed(OTHER), &call).0, Outcome::Ok);
        state.coldkeys.get_mut(&OTHER).expect("owns").staking.push(HOTKEY);
        state.global.root_claims_per_block = 1;
        step(&mut state);
        assert_eq!(state.stake(&HOTKEY, &OTHER, ONE), Alpha(kept), "{kind:?}");
        let root = state.stake(&HOTKEY, &OTHER, ROOT).0 - 2_000_000;
        // 820,003 units at ¼, or nothing.
        let sold = if kept == 0 { 205_000 } else { 0 };
        assert!(root.abs_diff(sold) < 2, "{kind:?}: {root}");
        assert_eq!(state.leaks.root_claims.cast_unsigned(), root);
    }
}

#[test]
fn root_gets_its_part_only_while_prices_sum_above_one() {
    for (moving_price, sells) in [((1i128 << 32) * 6 / 10, true), ((1 << 32) * 4 / 10, false)] {
        let mut state = network();
        put_stake(&mut state, place(HOTKEY, OTHER, ROOT), 1_000_000 * TAO);
        for netuid in [ONE, TWO] {
            at(&mut state, netuid).fast.moving_price = moving_price;
        }
        let before = state.clone();
        step(&mut state);
        let fast = &state.subnets[&ONE].fast;
        let minted = grown(&before, &state, alpha_out(ONE));
        let validators = fast.pending_validator.0;
        // Root's part leaves the validators' in any case: nine tenths of it and more here.
        assert!(validators < 410_002_288 / 10, "{validators}");
        let roots = 410_002_288 - validators;
        if sells {
            assert!(fast.pending_root.0.abs_diff(roots) <= 1, "{}", fast.pending_root);
            assert_eq!(minted, TAO);
        } else {
            assert_eq!(fast.pending_root, Alpha(0));
            assert!((TAO - minted).abs_diff(roots) <= 1, "{minted}");
        }
    }
}

#[test]
fn the_owners_mining_income_is_withheld() {
    for (recycled, auto_stake) in [(false, None), (true, None), (true, Some(OWNER_HOTKEY))] {
        let mut state = before_an_epoch(&[OTHER_HOTKEY, OWNER_HOTKEY, HOTKEY]);
        at(&mut state, ONE).params.recycle_withheld = recycled;
        put_stake(&mut state, place(OTHER_HOTKEY, OTHER, ONE), TAO);
        at(&mut state, ONE).neurons.validator_permit[0] = true;
        at(&mut state, ONE).params.weights_set_rate_limit = 0;
        let weights = Call::SetWeights {
            netuid: ONE,
            dests: vec![1, 2],
            weights: vec![1, 1],
            version_key: 0,
        };
        state.forget_cached_hashes();
        let signer = Origin::Signed(OTHER_HOTKEY);
        assert_eq!(execute(&mut state, signer, &weights).0, Outcome::Ok);
        if let Some(hotkey) = auto_stake {
            let staker = state.coldkeys.get_mut(&STAKER).expect("owns");
            staker.auto_stake.insert(ONE, hotkey);
        }
        pot(&mut state, TAO, TAO, 0);
        let before = state.clone();
        let events = step(&mut state);
        let run = events.iter().find_map(|event| match event {
            Event::EpochRun(run) => Some(run),
            _ => None,
        });
        let income = run.expect("an epoch").server_emission.clone();
        assert_eq!(income[0], Alpha(0));
        assert!(income[1].0.abs_diff(TAO / 2) < 10_000, "{income:?}");
        // The owner's miner gets nothing; another's gets its half, where it wants it.
        assert_eq!(state.stake(&OWNER_HOTKEY, &OWNER, ONE), Alpha(0));
        let destination = auto_stake.unwrap_or(HOTKEY);
        assert_eq!(state.stake(&destination, &STAKER, ONE), income[2]);
        let fell = alpha_out(ONE)(&before) - alpha_out(ONE)(&state);
        assert_eq!(fell, if recycled { income[1].0 } else { 0 });
    }
}

fn dissolve(state: &mut State) {
    state.forget_cached_hashes();
    let (issuance, leaks) = (unexplained(state), state.leaks.dissolution);
    let call = Call::RootDissolveNetwork { netuid: ONE };
    assert_eq!(execute(state, Origin::Root, &call).0, Outcome::Ok);
    assert_eq!(unexplained(state), issuance);
    assert_eq!(state.leaks.dissolution, leaks, "all of the pot was paid");
}

#[test]
fn dissolution_pays_holders_by_their_alpha() {
    let mut state = network();
    let holdings = [(HOTKEY, STAKER, 1), (OTHER_HOTKEY, STAKER, 2), (HOTKEY, OTHER, 4)];
    for (hotkey, coldkey, parts) in holdings {
        put_stake(&mut state, place(hotkey, coldkey, ONE), parts * TAO);
    }
    let before = state.clone();
    dissolve(&mut state);
    // A pot of 1000 TAO in sevenths: 142,857,142,857 1/7, 285,714,285,714 2/7, 571,428,571,428 4/7;
    // the rao that is left goes to the largest remainder.
    let gain = |coldkey| state.free(&coldkey).0 - before.free(&coldkey).0;
    assert_eq!(gain(STAKER), 142_857_142_857 + 285_714_285_714);
    assert_eq!(gain(OTHER), 571_428_571_428 + 1);
    assert_eq!(gain(OWNER), 0);
    assert!(state.subnet(ONE).is_none());
    let fell = before.global.total_stake.0 - state.global.total_stake.0;
    assert_eq!(fell, 1_000 * TAO);
}

#[test]
fn dissolution_refunds_what_an_old_owner_has_not_earned() {
    let mut state = network();
    put_stake(&mut state, place(HOTKEY, STAKER, ONE), TAO);
    at(&mut state, ONE).info.locked = Rao::whole(500);
    let mut young = state.clone();
    let before = young.free(&OWNER);
    dissolve(&mut young);
    assert_eq!(young.free(&OWNER), before, "registered after the start");

    state.global.network_registration_start = 2;
    state.forget_cached_hashes();
    let call = Call::RootDissolveNetwork { netuid: ONE };
    assert_eq!(execute(&mut state, Origin::Root, &call).0, Outcome::Ok);
    // 4001 alpha issued, 11,796 of 65,535 of it the owner's, worth ¼ each: 180.040421107 TAO of 500.
    let refund = state.free(&OWNER).0 - before.0;
    assert_eq!(refund, 500 * TAO - 180_040_421_107);
    assert_eq!(state.leaks.dissolution, -refund.cast_signed(), "paid beyond the pot");
}

#[test]
fn dissolution_forfeits_claims_and_pots() {
    let mut state = before_an_epoch(&[HOTKEY]);
    own(&mut state, OWNER, AccountId([77; 32]));
    put_stake(&mut state, place(HOTKEY, OTHER, ROOT), 2_000_000);
    pot(&mut state, 0, 0, 1_000_000);
    step(&mut state);
    pot(&mut state, 5, 6, 7);
    assert_ne!(claimable(&state, OTHER, HOTKEY), []);
    dissolve(&mut state);
    assert_eq!(claimable(&state, OTHER, HOTKEY), []);
    assert_eq!(state.hotkeys[&HOTKEY].claim_rate(ONE), None);
    let left = &state.subnets[&ONE];
    assert!(state.root_claimed.is_empty() && left.pools.is_empty() && !left.added);
    let fast = &left.fast;
    assert_eq!([fast.pending_server, fast.pending_validator, fast.pending_root], [Alpha(0); 3]);
}
