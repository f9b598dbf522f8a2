//! Delegate and childkey takes, destinations of mining income (30 §10.4, §10.5, §11.3).

use crate::network::{HOTKEY, NOWHERE, ONE, OTHER, OWNER, STAKER, STRAY_HOTKEY, at, own};
use crate::{Case, has};
use protocol::call::{Call, Origin};
use protocol::rejection::Rejection;
use protocol::units::Height;

#[test]
fn increase_take() {
    let order = |hotkey, take| Call::IncreaseTake { hotkey, take };
    let mut case = Case::new(order(STRAY_HOTKEY, 5_000));
    case.origin = Origin::Signed(OTHER);
    let entry = case.state.hotkeys.get_mut(&HOTKEY).expect("owned");
    (entry.take, entry.take_changed_at) = (Some(5_000), 900);
    case.no("a hotkey of nobody", Rejection::HotKeyAccountNotExists, |_| {});
    case.no("another's", Rejection::NonAssociatedColdKey, |case| case.call = order(HOTKEY, 5_000));
    case.no("no rise", Rejection::DelegateTakeTooLow, |case| {
        case.origin = Origin::Signed(STAKER);
    });
    case.no("beyond the bound", Rejection::DelegateTakeTooHigh, |case| {
        case.call = order(HOTKEY, 11_797);
        case.state.height = Height(900 + 216_000);
    });
    case.no("one block too soon", Rejection::DelegateTxRateLimitExceeded, |case| {
        case.call = order(HOTKEY, 11_796);
    });
    let (state, _) = case.yes("done", |case| case.state.height = Height(901 + 216_000));
    assert_eq!(state.hotkeys[&HOTKEY].take, Some(11_796));
    assert_eq!(state.hotkeys[&HOTKEY].take_changed_at, 901 + 216_000);
    let limits = [(0, 216_000), (901 + 215_999, 0)];
    for (last, limit) in limits {
        case.yes("never changed, or no limit", |case| {
            case.state.global.tx_delegate_take_rate_limit = limit;
            case.state.hotkeys.get_mut(&HOTKEY).expect("owned").take_changed_at = last;
        });
    }
    let (state, _) = case.yes("no take yet", |case| {
        case.state.hotkeys.get_mut(&HOTKEY).expect("owned").take = None;
        case.call = order(HOTKEY, 0);
    });
    assert_eq!(state.hotkeys[&HOTKEY].take, Some(0));
}

#[test]
fn decrease_take() {
    let order = |hotkey, take| Call::DecreaseTake { hotkey, take };
    let mut case = Case::new(order(STRAY_HOTKEY, 5_000));
    case.origin = Origin::Signed(OTHER);
    case.state.global.delegate_take_min = 100;
    let entry = case.state.hotkeys.get_mut(&HOTKEY).expect("owned");
    (entry.take, entry.take_changed_at) = (Some(5_000), 999);
    case.no("a hotkey of nobody", Rejection::HotKeyAccountNotExists, |_| {});
    case.no("another's", Rejection::NonAssociatedColdKey, |case| case.call = order(HOTKEY, 5_000));
    case.no("no fall", Rejection::DelegateTakeTooLow, |case| case.origin = Origin::Signed(STAKER));
    case.no("below the bound", Rejection::DelegateTakeTooLow, |case| case.call = order(HOTKEY, 99));
    let (state, _) = case.yes("at any time", |case| case.call = order(HOTKEY, 100));
    assert_eq!(state.hotkeys[&HOTKEY].take_changed_at, 1_000, "it restarts the timer of rises");
}

#[test]
fn set_childkey_take() {
    let order = |hotkey, netuid, take| Call::SetChildkeyTake { hotkey, netuid, take };
    let mut case = Case::new(order(HOTKEY, ONE, 11_797));
    case.origin = Origin::Signed(OTHER);
    let links = at(&mut case.state, ONE).links.entry(HOTKEY).or_default();
    (links.take, links.take_set_at) = (100, 500);
    case.no("another's", Rejection::NonAssociatedColdKey, |_| {});
    case.no("beyond the bound", Rejection::InvalidChildkeyTake, |case| {
        case.origin = Origin::Signed(STAKER);
        case.state.height = Height(500 + 215_999);
    });
    case.no("one block too soon", Rejection::TxChildkeyTakeRateLimitExceeded, |case| {
        case.call = order(HOTKEY, ONE, 11_796);
    });
    let (state, _) = case.yes("no rise", |case| case.call = order(HOTKEY, ONE, 100));
    assert_eq!(state.subnets[&ONE].links[&HOTKEY].take_set_at, 500 + 215_999, "but the timer runs");
    case.yes("in time", |case| {
        case.call = order(HOTKEY, ONE, 11_796);
        case.state.height = Height(500 + 216_000);
    });
    let (state, _) = case.yes("on no subnet", |case| case.call = order(HOTKEY, NOWHERE, 1));
    assert_eq!(state.subnets[&NOWHERE].links[&HOTKEY].take, 1);
    assert!(!state.subnets[&NOWHERE].added);
}

#[test]
fn set_coldkey_auto_stake_hotkey() {
    let order = |netuid| Call::SetColdkeyAutoStakeHotkey { netuid, hotkey: HOTKEY };
    let mut case = Case::new(order(NOWHERE));
    let coldkey = case.state.coldkeys.get_mut(&STAKER).expect("owns");
    coldkey.auto_stake.insert(ONE, HOTKEY);
    case.no("no such subnet", Rejection::SubnetNotExists, |_| {});
    case.no("no uid there", Rejection::HotKeyNotRegisteredInSubNet, |case| case.call = order(ONE));
    case.no("set already", Rejection::SameAutoStakeHotkeyAlreadySet, |case| {
        crate::weights::register(case, ONE, &[HOTKEY]);
    });
    let (state, _) = case.yes("another's hotkey too", |case| {
        case.origin = Origin::Signed(OWNER);
    });
    assert_eq!(state.coldkeys[&OWNER].auto_stake[&ONE], HOTKEY);
}

#[test]
fn try_associate_hotkey() {
    let mut case = Case::new(Call::TryAssociateHotkey { hotkey: STRAY_HOTKEY });
    let (state, events) = case.yes("nobody's", |_| {});
    assert!(has(&events, "hotkey_associated"));
    assert_eq!(state.owner(&STRAY_HOTKEY), Some(STAKER));
    let (state, events) = case.yes("another's", |case| own(&mut case.state, OTHER, STRAY_HOTKEY));
    assert!(!has(&events, "hotkey_associated"));
    assert_eq!(state.owner(&STRAY_HOTKEY), Some(OTHER));
}
