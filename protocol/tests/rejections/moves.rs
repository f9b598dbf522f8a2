//! Orders from one position to another (20 §14.3).

use crate::network::{
    AUTHOR, HOTKEY, NOWHERE, ONE, OTHER, OTHER_HOTKEY, ROOT, STAKER, STRAY_HOTKEY, TAO, TWO, at,
    own, place, put_stake,
};
use crate::{Case, has};
use protocol::call::Call;
use protocol::rejection::Rejection;
use protocol::state::State;
use protocol::units::{AccountId, Alpha, NetUid, Rao};

type Ends = (AccountId, NetUid, AccountId, NetUid);

fn move_stake_of((from, on, to, onto): Ends, amount: u64) -> Call {
    Call::MoveStake {
        origin_hotkey: from,
        destination_hotkey: to,
        origin_netuid: on,
        destination_netuid: onto,
        alpha_amount: Alpha(amount),
    }
}

fn stake(state: &State, hotkey: AccountId, coldkey: AccountId, netuid: NetUid) -> u64 {
    state.stake(&hotkey, &coldkey, netuid).0
}

/// The checks that all moves share, from the rate limit on, for an order from ONE to TWO.
fn rows_of_a_crossing(case: &mut Case, order: impl Fn(NetUid, NetUid, u64) -> Call) {
    case.state.stake_markers.insert((HOTKEY, STAKER, NOWHERE));
    at(&mut case.state, ONE).params.subtoken_enabled = false;
    at(&mut case.state, TWO).params.subtoken_enabled = false;
    case.no("came in this block", Rejection::StakingOperationRateLimitExceeded, |case| {
        case.call = order(NOWHERE, NetUid(8), 8_000_000);
    });
    case.no("from no subnet", Rejection::SubnetNotExists, |case| case.state.stake_markers.clear());
    case.no("to no subnet", Rejection::SubnetNotExists, |case| {
        case.call = order(ONE, NOWHERE, 8_000_000);
    });
    case.no("neither is started", Rejection::SubtokenDisabled, |case| {
        case.call = order(ONE, TWO, 8_000_000);
    });
    case.no("one is not", Rejection::SubtokenDisabled, |case| {
        at(&mut case.state, ONE).params.subtoken_enabled = true;
    });
    case.no("a hotkey of nobody", Rejection::HotKeyAccountNotExists, |case| {
        at(&mut case.state, TWO).params.subtoken_enabled = true;
        case.state.hotkeys.remove(&HOTKEY);
        at(&mut case.state, ONE).fast.pool.tao = 999_999;
    });
    case.no("a dry pool", Rejection::InsufficientLiquidity, |case| {
        own(&mut case.state, STAKER, HOTKEY);
    });
    case.no("nothing there", Rejection::AmountTooLow, |case| {
        at(&mut case.state, ONE).fast.pool.tao = 1_000 * TAO;
    });
    case.no("worth too little", Rejection::AmountTooLow, |case| {
        put_stake(&mut case.state, place(HOTKEY, STAKER, ONE), 100 * TAO);
    });
    case.no("a dry pool to buy from", Rejection::ReservesTooLow, |case| {
        case.call = order(ONE, TWO, 8_100_000);
        at(&mut case.state, TWO).fast.pool.alpha = 999_999;
    });
    at(&mut case.state, TWO).fast.pool.alpha = 1_000 * TAO;
}

#[test]
fn move_stake() {
    let mut case = Case::new(move_stake_of((HOTKEY, ONE, HOTKEY, ONE), TAO));
    case.no("to where it is", Rejection::SameNetuid, |_| {});
    rows_of_a_crossing(&mut case, |from, to, amount| {
        move_stake_of((HOTKEY, from, HOTKEY, to), amount)
    });
    case.no("to a hotkey of nobody", Rejection::HotKeyAccountNotExists, |case| {
        case.call = move_stake_of((HOTKEY, ONE, STRAY_HOTKEY, TWO), 8_100_000);
    });
    let (state, events) = case.yes("to another's hotkey", |case| {
        case.call = move_stake_of((HOTKEY, ONE, OTHER_HOTKEY, TWO), 8_100_000);
    });
    assert!(has(&events, "stake_moved") && has(&events, "delegate_take_set"));
    assert_eq!(stake(&state, HOTKEY, STAKER, ONE), 100 * TAO - 8_100_000);
    let moved = stake(&state, OTHER_HOTKEY, STAKER, TWO);
    assert!((2_000_000..2_025_000).contains(&moved), "{moved}");
    assert!(state.stake_markers.contains(&(OTHER_HOTKEY, STAKER, TWO)));
    // One fee per move: on the sale, so the buy pays none.
    assert_eq!(state.leaks.stake_excess, 0);
    case.no("within a subnet, worth too little", Rejection::AmountTooLow, |case| {
        case.call = move_stake_of((HOTKEY, ONE, OTHER_HOTKEY, ONE), 7_999_999);
    });
    let (state, _) = case.yes("within a subnet", |case| {
        case.call = move_stake_of((HOTKEY, ONE, OTHER_HOTKEY, ONE), 8_000_001);
    });
    assert_eq!(stake(&state, OTHER_HOTKEY, STAKER, ONE), 8_000_001);
    assert!(state.stake_markers.is_empty(), "no marker within a subnet");
    let (state, _) = case.yes("at most what is there", |case| {
        case.call = move_stake_of((HOTKEY, ONE, OTHER_HOTKEY, ONE), u64::MAX);
    });
    assert_eq!(stake(&state, OTHER_HOTKEY, STAKER, ONE), 100 * TAO);
    // From root the fee is on the buy.
    let (state, _) = case.yes("from root", |case| {
        case.state.global.block_author = Some(AUTHOR);
        put_stake(&mut case.state, place(HOTKEY, STAKER, ROOT), TAO);
        case.call = move_stake_of((HOTKEY, ROOT, HOTKEY, TWO), TAO);
    });
    assert_eq!(state.free(&AUTHOR), Rao(503_547));
}

#[test]
fn swap_stake() {
    let order = |from, to, amount| Call::SwapStake {
        hotkey: HOTKEY,
        origin_netuid: from,
        destination_netuid: to,
        alpha_amount: Alpha(amount),
    };
    let mut case = Case::new(order(ONE, ONE, TAO));
    case.no("to where it is", Rejection::SameNetuid, |_| {});
    rows_of_a_crossing(&mut case, order);
    let (state, events) = case.yes("done", |_| {});
    assert!(has(&events, "stake_swapped"));
    assert!(stake(&state, HOTKEY, STAKER, TWO) > 2_000_000);
    case.yes("transfers forbidden", |case| {
        at(&mut case.state, TWO).params.transfer_toggle = false;
    });
}

#[test]
fn swap_stake_limit() {
    let with = |limit: u64, allow_partial| {
        move |from, to, amount| Call::SwapStakeLimit {
            hotkey: HOTKEY,
            origin_netuid: from,
            destination_netuid: to,
            alpha_amount: Alpha(amount),
            limit_price: Rao(limit),
            allow_partial,
        }
    };
    let mut case = Case::new(with(TAO + 1, false)(ONE, ONE, TAO));
    case.no("to where it is", Rejection::SameNetuid, |_| {});
    case.no("above one between no subnets", Rejection::ZeroMaxStakeAmount, |case| {
        case.call = with(TAO + 1, false)(NOWHERE, NetUid(8), TAO);
    });
    case.no("above the price, to no subnet", Rejection::PriceLimitExceeded, |case| {
        case.call = with(TAO + 1, false)(ONE, NOWHERE, TAO);
    });
    case.no("above the ratio of the prices", Rejection::ZeroMaxStakeAmount, |case| {
        case.call = with(TAO, false)(ONE, TWO, TAO);
    });
    // A limit of nothing allows everything.
    rows_of_a_crossing(&mut case, with(0, false));
    // (A₂T₁ − f·A₁T₂) / (f(T₁ + T₂)) at f = 0.24: 83.3 alpha.
    let limit = TAO * 24 / 100;
    case.no("more than the limit allows", Rejection::SlippageTooHigh, |case| {
        case.call = with(limit, false)(ONE, TWO, 100 * TAO);
    });
    let (state, _) = case.yes("in part", |case| case.call = with(limit, true)(ONE, TWO, 100 * TAO));
    let moved = 100 * TAO - stake(&state, HOTKEY, STAKER, ONE);
    assert!((83_330_000_000..83_340_000_000).contains(&moved), "{moved}");
    let (state, _) = case.yes("whole", |case| case.call = with(limit, false)(ONE, TWO, 80 * TAO));
    assert_eq!(stake(&state, HOTKEY, STAKER, ONE), 20 * TAO);
}

#[test]
fn transfer_stake() {
    let to = |destination_coldkey| {
        move |from, to, amount| Call::TransferStake {
            destination_coldkey,
            hotkey: HOTKEY,
            origin_netuid: from,
            destination_netuid: to,
            alpha_amount: Alpha(amount),
        }
    };
    let mut case = Case::new(to(STAKER)(ONE, ONE, TAO));
    case.no("to where it is", Rejection::SameNetuid, |_| {});
    at(&mut case.state, ONE).params.transfer_toggle = false;
    at(&mut case.state, TWO).params.transfer_toggle = false;
    rows_of_a_crossing_until_the_toggle(&mut case, to(OTHER));
    case.no("forbidden on both", Rejection::TransferDisallowed, |case| {
        case.call = to(OTHER)(ONE, TWO, 8_100_000);
    });
    case.no("forbidden on one", Rejection::TransferDisallowed, |case| {
        at(&mut case.state, ONE).params.transfer_toggle = true;
    });
    let (state, events) = case.yes("to another", |case| {
        at(&mut case.state, TWO).params.transfer_toggle = true;
    });
    assert!(has(&events, "stake_transferred"));
    assert!(stake(&state, HOTKEY, OTHER, TWO) > 2_000_000);
    assert!(state.stake_markers.is_empty(), "the receiver may sell at once");
    let (state, _) = case.yes("within a subnet", |case| {
        case.call = to(OTHER)(ONE, ONE, TAO);
    });
    assert_eq!(stake(&state, HOTKEY, OTHER, ONE), TAO);
    assert_eq!(stake(&state, HOTKEY, STAKER, ONE), 99 * TAO);
}

/// As [`rows_of_a_crossing`], but for the last: the toggle is checked before anything is bought.
fn rows_of_a_crossing_until_the_toggle(
    case: &mut Case,
    order: impl Fn(NetUid, NetUid, u64) -> Call,
) {
    let toggles = [ONE, TWO].map(|netuid| at(&mut case.state, netuid).params.transfer_toggle);
    for netuid in [ONE, TWO] {
        at(&mut case.state, netuid).params.transfer_toggle = true;
    }
    rows_of_a_crossing(case, order);
    for (netuid, toggle) in [ONE, TWO].into_iter().zip(toggles) {
        at(&mut case.state, netuid).params.transfer_toggle = toggle;
    }
}
