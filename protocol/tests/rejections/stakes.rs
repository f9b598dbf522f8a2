//! Orders on one position, or behind one hotkey (20 §14, §17).

use crate::network::{
    AUTHOR, HOTKEY, NOWHERE, ONE, OTHER, OTHER_HOTKEY, OWNER, ROOT, STAKER, STRAY_HOTKEY, TAO, TWO,
    at, own, place, put_stake,
};
use crate::{Case, has};
use protocol::balances::EXISTENTIAL_DEPOSIT;
use protocol::call::{Call, Origin};
use protocol::event::Event;
use protocol::rejection::{Refusal, Rejection};
use protocol::state::{Account, HotkeyPool, Stamp};
use protocol::units::{AccountId, Alpha, NetUid, Rao};

fn add(hotkey: AccountId, netuid: NetUid, amount: u64) -> Call {
    Call::AddStake { hotkey, netuid, amount_staked: Rao(amount) }
}

/// A pool so unbalanced that an order of this size would give no share.
fn crowd(case: &mut Case, netuid: NetUid, hotkey: AccountId) {
    let holders = [(OTHER, 1)].into();
    let pool =
        HotkeyPool { alpha: Alpha(1_000 * TAO), shares: 1, holders, ..HotkeyPool::default() };
    at(&mut case.state, netuid).pools.insert(hotkey, pool);
}

fn stake_of(state: &protocol::state::State, netuid: NetUid) -> u64 {
    state.stake(&HOTKEY, &STAKER, netuid).0
}

#[test]
fn add_stake() {
    let mut case = Case::new(add(STRAY_HOTKEY, NOWHERE, 2_001_006));
    let poor = Account { free: Rao(2_001_006), nonce: 0 };
    case.state.accounts.insert(STAKER, poor);
    at(&mut case.state, ONE).params.subtoken_enabled = false;
    case.no("no such subnet", Rejection::SubtokenDisabled, |_| {});
    case.no("not started", Rejection::SubtokenDisabled, |case| {
        case.call = add(STRAY_HOTKEY, ONE, 2_001_006);
    });
    // 20 §22.7: the least on a default pool is 2,001,007 rao.
    case.no("a rao short of the least", Rejection::AmountTooLow, |case| {
        at(&mut case.state, ONE).params.subtoken_enabled = true;
    });
    case.no("a rao more than the balance", Rejection::NotEnoughBalanceToStake, |case| {
        case.call = add(STRAY_HOTKEY, ONE, 2_001_007);
    });
    case.no("a hotkey of nobody", Rejection::HotKeyAccountNotExists, |case| {
        case.state.accounts.insert(STAKER, Account { free: Rao::whole(10), nonce: 0 });
        at(&mut case.state, ONE).fast.pool.alpha = 999_999;
    });
    case.no("a dry pool", Rejection::InsufficientLiquidity, |case| {
        case.call = add(HOTKEY, ONE, 2_305_180);
    });
    case.no("a fee that leaves too little", Rejection::AmountTooLow, |case| {
        at(&mut case.state, ONE).fast.pool.alpha = 4_000 * TAO;
        at(&mut case.state, ONE).fast.pool.fee_rate = 10_000;
    });
    case.no("too little for a share", Rejection::InsufficientLiquidity, |case| {
        at(&mut case.state, ONE).fast.pool.fee_rate = 33;
        crowd(case, ONE, HOTKEY);
    });
    let (state, events) = case.yes("done", |case| {
        at(&mut case.state, ONE).pools.clear();
        case.call = add(HOTKEY, ONE, 2_001_007);
    });
    assert!(has(&events, "stake_added") && has(&events, "stake_marked"));
    assert_eq!(state.leaks.stake_excess, 1_007);
    assert_eq!(state.global.total_issuance.0, case.state.global.total_issuance.0 - 1_007);
    assert!(state.stake_markers.contains(&(HOTKEY, STAKER, ONE)));

    let (state, _) = case.yes("the author gets the fee", |case| {
        case.state.global.block_author = Some(AUTHOR);
    });
    assert_eq!(state.free(&AUTHOR), Rao(1_007));
    let (state, _) = case.yes("the whole balance, but for the deposit", |case| {
        case.call = add(HOTKEY, ONE, 10 * TAO);
    });
    assert_eq!(state.free(&STAKER), EXISTENTIAL_DEPOSIT);
    let (state, events) = case.yes("root is one to one", |case| {
        at(&mut case.state, ROOT).fast.pool.alpha = TAO;
        case.call = add(HOTKEY, ROOT, TAO);
    });
    // 20 §22.7.
    let fast = &state.subnets[&ROOT].fast;
    assert_eq!([fast.pool.tao, fast.pool.alpha, fast.pool.alpha_out], [TAO, 0, TAO]);
    assert_eq!((fast.volume, stake_of(&state, ROOT)), (u128::from(TAO), TAO));
    assert!(has(&events, "root_staker_indexed"));
    case.no("root's least is the plain one", Rejection::AmountTooLow, |case| {
        case.call = add(HOTKEY, ROOT, 1_999_999);
    });
    case.yes("root's least", |case| case.call = add(HOTKEY, ROOT, 2_000_000));
}

fn add_limit(netuid: NetUid, amount: u64, limit: u64, allow_partial: bool) -> Call {
    let (amount_staked, limit_price) = (Rao(amount), Rao(limit));
    Call::AddStakeLimit { hotkey: OTHER_HOTKEY, netuid, amount_staked, limit_price, allow_partial }
}

#[test]
fn add_stake_limit() {
    let mut case = Case::new(add_limit(NOWHERE, 2_001_006, TAO - 1, false));
    case.state.accounts.insert(STAKER, Account { free: Rao(2_001_006), nonce: 0 });
    at(&mut case.state, ONE).params.subtoken_enabled = false;
    at(&mut case.state, ONE).fast.pool.alpha = 999_999;
    case.state.hotkeys.remove(&OTHER_HOTKEY);
    // What does not exist counts as stable (20 §14.1).
    case.no("below one on no subnet", Rejection::ZeroMaxStakeAmount, |_| {});
    case.no("no such subnet", Rejection::SubnetNotExists, |case| {
        case.call = add_limit(NOWHERE, 2_001_006, TAO, false);
    });
    case.no("a dry pool", Rejection::ReservesTooLow, |case| {
        case.call = add_limit(ONE, 2_001_006, TAO / 4, false);
    });
    case.no("the price is there", Rejection::PriceLimitExceeded, |case| {
        at(&mut case.state, ONE).fast.pool.alpha = 4_000 * TAO;
        case.call = add_limit(ONE, 2_001_006, TAO / 4 - 1, false);
    });
    case.no("not started", Rejection::SubtokenDisabled, |case| {
        case.call = add_limit(ONE, 2_001_006, TAO * 26 / 100, false);
    });
    case.no("a rao short of the least", Rejection::AmountTooLow, |case| {
        at(&mut case.state, ONE).params.subtoken_enabled = true;
    });
    // (√0.26 / √0.25 − 1) of 1000 TAO and the fee: 19.81 TAO.
    case.no("more than the limit allows", Rejection::SlippageTooHigh, |case| {
        case.call = add_limit(ONE, 20 * TAO, TAO * 26 / 100, false);
    });
    case.no("the part is more than the balance", Rejection::NotEnoughBalanceToStake, |case| {
        case.call = add_limit(ONE, 20 * TAO, TAO * 26 / 100, true);
    });
    case.no("a hotkey of nobody", Rejection::HotKeyAccountNotExists, |case| {
        case.state.accounts.insert(STAKER, Account { free: Rao::whole(30), nonce: 0 });
    });
    case.no("too little for a share", Rejection::InsufficientLiquidity, |case| {
        own(&mut case.state, OTHER, OTHER_HOTKEY);
        crowd(case, ONE, OTHER_HOTKEY);
    });
    let (state, events) = case.yes("in part", |case| at(&mut case.state, ONE).pools.clear());
    let spent = 30 * TAO - state.free(&STAKER).0;
    assert!((19_804_000_000..19_820_000_000).contains(&spent), "{spent}");
    let price = state.subnets[&ONE].price();
    let limit = 26 * (1u128 << 32) / 100;
    assert!(price.abs_diff(limit) < 100, "{price} is not {limit}");
    // Who gets stake of another's is a delegate.
    assert!(has(&events, "delegate_take_set"));
    assert_eq!(state.hotkeys[&OTHER_HOTKEY].take, Some(11_796));
    let (state, _) = case.yes("whole", |case| {
        case.call = add_limit(ONE, 19 * TAO, TAO * 26 / 100, false);
    });
    assert_eq!(state.free(&STAKER), Rao::whole(11));
    case.no("a limit that allows nothing", Rejection::ZeroMaxStakeAmount, |case| {
        let pool = &mut at(&mut case.state, ONE).fast.pool;
        (pool.tao, pool.alpha) = (1_500_000, 1_000_000);
        case.call = add_limit(ONE, 19 * TAO, 1_500_000_000, false);
    });
}

fn remove(amount: u64) -> Call {
    Call::RemoveStake { hotkey: HOTKEY, netuid: ONE, amount_unstaked: Alpha(amount) }
}

#[test]
fn remove_stake() {
    let mut case = Case::new(Call::RemoveStake {
        hotkey: HOTKEY,
        netuid: NOWHERE,
        amount_unstaked: Alpha(10 * TAO - 1),
    });
    put_stake(&mut case.state, place(HOTKEY, STAKER, ONE), 10 * TAO);
    at(&mut case.state, ONE).params.subtoken_enabled = false;
    case.state.stake_markers.insert((HOTKEY, STAKER, ONE));
    case.no("no such subnet", Rejection::SubtokenDisabled, |_| {});
    case.no("not started", Rejection::SubtokenDisabled, |case| case.call = remove(0));
    case.no("came in this block", Rejection::StakingOperationRateLimitExceeded, |case| {
        at(&mut case.state, ONE).params.subtoken_enabled = true;
    });
    case.no("nothing", Rejection::AmountTooLow, |case| {
        case.state.stake_markers.clear();
        at(&mut case.state, ONE).fast.pool.tao = 999_999;
    });
    case.no("a dry pool", Rejection::InsufficientLiquidity, |case| {
        case.call = remove(8_000_000);
        case.state.hotkeys.remove(&HOTKEY);
    });
    // 8,000,000 alpha units at ¼, less the fee, are worth less than 2,000,000 rao.
    case.no("too little of more", Rejection::AmountTooLow, |case| {
        at(&mut case.state, ONE).fast.pool.tao = 1_000 * TAO;
    });
    case.no("a hotkey of nobody", Rejection::HotKeyAccountNotExists, |case| {
        case.call = remove(8_100_000);
    });
    let before = case.state.free(&STAKER);
    let (state, events) = case.yes("a part", |case| {
        own(&mut case.state, STAKER, HOTKEY);
    });
    assert!(has(&events, "stake_removed"));
    assert_eq!(stake_of(&state, ONE), 10 * TAO - 8_100_000);
    assert!(state.free(&STAKER) > before.plus(Rao(2_000_000)));
    let (state, _) = case.yes("at most what is there", |case| case.call = remove(u64::MAX));
    assert_eq!(stake_of(&state, ONE), 0);
    assert!(!state.subnets[&ONE].pools.contains_key(&HOTKEY));
    // 20 §22.7: a crumb is swept along, more is not.
    let (state, _) = case.yes("nearly all", |case| case.call = remove(9_999_910_000));
    assert_eq!(stake_of(&state, ONE), 0);
    let (state, _) = case.yes("most", |case| case.call = remove(9_900_000_000));
    assert_eq!(stake_of(&state, ONE), TAO / 10);
    let (_, _) = case.yes("the whole, however small", |case| {
        at(&mut case.state, ONE).pools.clear();
        put_stake(&mut case.state, place(HOTKEY, STAKER, ONE), 40);
        case.call = remove(40);
    });
    // 20 §13.4: the fee of 2000 units is one, and worth less than a rao.
    case.no("dust whose fee cannot be sold", Rejection::ReservesTooLow, |case| {
        put_stake(&mut case.state, place(HOTKEY, STAKER, ONE), 1_960);
        case.state.global.block_author = Some(AUTHOR);
        case.call = remove(2_000);
    });
    case.yes("without an author nobody sells it", |case| case.state.global.block_author = None);
}

fn remove_limit(netuid: NetUid, amount: u64, limit: u64, allow_partial: bool) -> Call {
    let (amount_unstaked, limit_price) = (Alpha(amount), Rao(limit));
    Call::RemoveStakeLimit { hotkey: HOTKEY, netuid, amount_unstaked, limit_price, allow_partial }
}

#[test]
fn remove_stake_limit() {
    let mut case = Case::new(remove_limit(NOWHERE, 0, TAO + 1, false));
    case.state.hotkeys.remove(&HOTKEY);
    case.state.stake_markers.insert((HOTKEY, STAKER, ONE));
    at(&mut case.state, ONE).fast.pool.tao = 999_999;
    case.no("above one on no subnet", Rejection::ZeroMaxStakeAmount, |_| {});
    case.no("no such subnet", Rejection::SubnetNotExists, |case| {
        case.call = remove_limit(NOWHERE, 0, TAO, false);
    });
    case.no("a dry pool", Rejection::ReservesTooLow, |case| {
        case.call = remove_limit(ONE, 0, TAO / 4 + 1, false);
    });
    case.no("the price is there", Rejection::PriceLimitExceeded, |case| {
        at(&mut case.state, ONE).fast.pool.tao = 1_000 * TAO;
    });
    let limit = TAO * 24 / 100;
    case.no("came in this block", Rejection::StakingOperationRateLimitExceeded, |case| {
        case.call = remove_limit(ONE, 0, limit, false);
    });
    case.no("nothing", Rejection::AmountTooLow, |case| case.state.stake_markers.clear());
    case.no("no stake", Rejection::NotEnoughStakeToWithdraw, |case| {
        case.call = remove_limit(ONE, 100 * TAO, limit, false);
    });
    case.no("too little of more", Rejection::AmountTooLow, |case| {
        put_stake(&mut case.state, place(HOTKEY, STAKER, ONE), 100 * TAO);
        case.call = remove_limit(ONE, 8_000_000, limit, false);
    });
    // (√¼ / √0.24 − 1) of 4000 alpha and the fee: 82.5 alpha.
    case.no("more than the limit allows", Rejection::SlippageTooHigh, |case| {
        case.call = remove_limit(ONE, 100 * TAO, limit, false);
    });
    case.no("a hotkey of nobody", Rejection::HotKeyAccountNotExists, |case| {
        case.call = remove_limit(ONE, 80 * TAO, limit, false);
    });
    let (state, _) = case.yes("whole", |case| own(&mut case.state, STAKER, HOTKEY));
    assert_eq!(stake_of(&state, ONE), 20 * TAO);
    let (state, _) = case.yes("in part", |case| {
        case.call = remove_limit(ONE, 100 * TAO, limit, true);
    });
    let sold = 100 * TAO - stake_of(&state, ONE);
    assert!((82_400_000_000..82_600_000_000).contains(&sold), "{sold}");
    case.yes("a subnet that is not started", |case| {
        at(&mut case.state, ONE).params.subtoken_enabled = false;
    });
}

#[test]
fn remove_stake_full_limit() {
    let order =
        |limit_price| Call::RemoveStakeFullLimit { hotkey: HOTKEY, netuid: ONE, limit_price };
    let limit = Some(Rao(TAO * 24 / 100));
    let mut case = Case::new(order(limit));
    case.no("no stake", Rejection::AmountTooLow, |_| {});
    case.no("more than the limit allows", Rejection::SlippageTooHigh, |case| {
        put_stake(&mut case.state, place(HOTKEY, STAKER, ONE), 100 * TAO);
    });
    let (state, _) = case.yes("at any price", |case| case.call = order(None));
    assert_eq!(stake_of(&state, ONE), 0);
    let (state, _) = case.yes("at a lower one", |case| {
        case.call = order(Some(Rao(TAO * 23 / 100)));
    });
    assert_eq!(stake_of(&state, ONE), 0);
    case.no("not started, at any price", Rejection::SubtokenDisabled, |case| {
        at(&mut case.state, ONE).params.subtoken_enabled = false;
        case.call = order(None);
    });
    case.no("dust whose fee cannot be sold", Rejection::ReservesTooLow, |case| {
        at(&mut case.state, ONE).params.subtoken_enabled = true;
        at(&mut case.state, ONE).pools.clear();
        put_stake(&mut case.state, place(HOTKEY, STAKER, ONE), 2_000);
        case.state.global.block_author = Some(AUTHOR);
    });
}

#[test]
fn unstake_all() {
    let mut case = Case::new(Call::UnstakeAll { hotkey: STRAY_HOTKEY });
    case.no("a hotkey of nobody", Rejection::HotKeyAccountNotExists, |_| {});
    let (_, events) = case.yes("nothing to do", |case| {
        case.call = Call::UnstakeAll { hotkey: HOTKEY };
    });
    assert_eq!(events.len(), 1, "only the inclusion");
    let (state, _) = case.yes("everywhere, root included", |case| {
        for netuid in [ROOT, ONE, TWO] {
            put_stake(&mut case.state, place(HOTKEY, STAKER, netuid), TAO);
        }
    });
    assert_eq!([ROOT, ONE, TWO].map(|netuid| stake_of(&state, netuid)), [0; 3]);
    let (state, _) = case.yes("but where it may not leave", |case| {
        at(&mut case.state, ROOT).params.subtoken_enabled = false;
        case.state.stake_markers.insert((HOTKEY, STAKER, ONE));
    });
    assert_eq!([ROOT, ONE, TWO].map(|netuid| stake_of(&state, netuid)), [TAO, TAO, 0]);
    case.no("one failure is all's", Rejection::ReservesTooLow, |case| {
        case.state.stake_markers.clear();
        at(&mut case.state, ONE).pools.clear();
        put_stake(&mut case.state, place(HOTKEY, STAKER, ONE), 2_000);
        case.state.global.block_author = Some(AUTHOR);
    });
}

#[test]
fn unstake_all_alpha() {
    let mut case = Case::new(Call::UnstakeAllAlpha { hotkey: STRAY_HOTKEY });
    put_stake(&mut case.state, place(HOTKEY, STAKER, ROOT), TAO);
    case.no("a hotkey of nobody", Rejection::HotKeyAccountNotExists, |_| {});
    case.no("root stake is no alpha", Rejection::AmountTooLow, |case| {
        case.call = Call::UnstakeAllAlpha { hotkey: HOTKEY };
    });
    let free = case.state.free(&STAKER);
    let (state, _) = case.yes("to root", |case| {
        for netuid in [ONE, TWO] {
            put_stake(&mut case.state, place(HOTKEY, STAKER, netuid), TAO);
        }
    });
    assert_eq!([ONE, TWO].map(|netuid| stake_of(&state, netuid)), [0; 2]);
    let gained = stake_of(&state, ROOT) - TAO;
    assert!((TAO * 124 / 100..TAO * 125 / 100).contains(&gained), "{gained}");
    assert_eq!(state.free(&STAKER), free);
    assert!(state.stake_markers.is_empty(), "it may leave at once");
    case.no("one failure is all's", Rejection::ReservesTooLow, |case| {
        at(&mut case.state, ONE).pools.clear();
        put_stake(&mut case.state, place(HOTKEY, STAKER, ONE), 2_000);
        case.state.global.block_author = Some(AUTHOR);
    });
}

/// `recycle_alpha` and `burn_alpha` refuse the same.
fn give_up(order: impl Fn(AccountId, u64, NetUid) -> Call) -> (u64, Vec<Event>) {
    let mut case = Case::new(order(STRAY_HOTKEY, 20 * TAO, NOWHERE));
    put_stake(&mut case.state, place(HOTKEY, STAKER, ONE), 10 * TAO);
    at(&mut case.state, ONE).params.subtoken_enabled = false;
    case.no("no such subnet", Rejection::SubnetNotExists, |_| {});
    case.no("root", Rejection::CannotBurnOrRecycleOnRootSubnet, |case| {
        case.call = order(STRAY_HOTKEY, 20 * TAO, ROOT);
    });
    case.no("not started", Rejection::SubtokenDisabled, |case| {
        case.call = order(STRAY_HOTKEY, 20 * TAO, ONE);
    });
    case.no("a hotkey of nobody", Rejection::HotKeyAccountNotExists, |case| {
        at(&mut case.state, ONE).params.subtoken_enabled = true;
    });
    case.no("more than is outside the pool", Rejection::InsufficientLiquidity, |case| {
        case.call = order(HOTKEY, 20 * TAO, ONE);
        at(&mut case.state, ONE).fast.pool.alpha_out -= 1;
    });
    case.no("a crumb would go along", Rejection::PrecisionLoss, |case| {
        at(&mut case.state, ONE).fast.pool.alpha_out += 1;
        case.call = order(HOTKEY, 10 * TAO - 1, ONE);
    });
    let (state, _) = case.yes("a part", |case| case.call = order(HOTKEY, TAO, ONE));
    assert_eq!(stake_of(&state, ONE), 9 * TAO);
    let (state, events) = case.yes("at most what is there", |case| {
        case.call = order(HOTKEY, 20 * TAO, ONE);
    });
    assert_eq!(stake_of(&state, ONE), 0);
    (state.subnets[&ONE].fast.pool.alpha_out, events)
}

#[test]
fn recycle_alpha() {
    let (alpha_out, events) = give_up(|hotkey, amount, netuid| Call::RecycleAlpha {
        hotkey,
        amount: Alpha(amount),
        netuid,
    });
    assert_eq!(alpha_out, 0);
    assert!(has(&events, "alpha_recycled"));
}

#[test]
fn burn_alpha() {
    let (alpha_out, events) =
        give_up(|hotkey, amount, netuid| Call::BurnAlpha { hotkey, amount: Alpha(amount), netuid });
    assert_eq!(alpha_out, 10 * TAO);
    assert!(has(&events, "alpha_burned"));
}

#[test]
fn add_stake_burn() {
    let order = |hotkey, amount, limit: Option<u64>| Call::AddStakeBurn {
        hotkey,
        netuid: ONE,
        amount: Rao(amount),
        limit: limit.map(Rao),
    };
    let tight = Some(TAO * 26 / 100);
    let mut case = Case::new(order(STRAY_HOTKEY, 20 * TAO, None));
    at(&mut case.state, ONE).stamps.insert(Stamp::AddStakeBurn, 641);
    case.refused("not the owner", Refusal::BadSigner, |_| {});
    case.no("too soon", Rejection::AddStakeBurnRateLimitExceeded, |case| {
        case.origin = Origin::Signed(OWNER);
    });
    case.no("a hotkey of nobody", Rejection::HotKeyAccountNotExists, |case| {
        at(&mut case.state, ONE).stamps.insert(Stamp::AddStakeBurn, 640);
    });
    case.no("more than the limit allows", Rejection::SlippageTooHigh, |case| {
        case.call = order(HOTKEY, 20 * TAO, tight);
    });
    let (state, events) = case.yes("within it", |case| case.call = order(HOTKEY, 19 * TAO, tight));
    assert!(has(&events, "add_stake_burned") && has(&events, "alpha_burned"));
    let subnet = &state.subnets[&ONE];
    assert_eq!(subnet.stamps[&Stamp::AddStakeBurn], 1_000);
    assert!(subnet.pools.is_empty());
    assert_eq!(subnet.fast.pool.alpha_out, 4_000 * TAO - subnet.fast.pool.alpha);
    case.yes("at any price", |case| case.call = order(HOTKEY, 20 * TAO, None));
}
