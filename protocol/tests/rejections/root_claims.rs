//! Orders about root dividends (20 §10).

use crate::network::{HOTKEY, ONE, ROOT, STAKER, TAO, TWO, at, place, put_stake};
use crate::{Case, has};
use protocol::call::Call;
use protocol::rejection::Rejection;
use protocol::state::{RootClaimType, State};
use protocol::units::NetUid;
use std::collections::BTreeSet;

fn subnets(count: u16) -> BTreeSet<NetUid> {
    (1..=count).map(NetUid).collect()
}

/// One TAO on root, and this much alpha claimable by it.
pub fn owe(state: &mut State, netuid: NetUid, alpha: u64) {
    let rates = state.hotkeys.get_mut(&HOTKEY).expect("owned");
    let rate = (i128::from(alpha) << 32) / i128::from(TAO) + 1;
    rates.root_claimable.get_or_insert_default().insert(netuid, rate);
    let fast = &mut at(state, netuid).fast;
    fast.pool.alpha_out += alpha;
    fast.claimable_root_alpha += i64::try_from(alpha).expect("small");
}

#[test]
fn claim_root() {
    let mut case = Case::new(Call::ClaimRoot { subnets: subnets(0) });
    case.no("no subnet", Rejection::InvalidSubnetNumber, |_| {});
    case.no("six", Rejection::InvalidSubnetNumber, |case| {
        case.call = Call::ClaimRoot { subnets: subnets(6) };
    });
    let (state, events) = case.yes("nothing owed", |case| {
        case.call = Call::ClaimRoot { subnets: subnets(5) };
    });
    assert!(has(&events, "root_claimed"));
    assert_eq!(state.coldkeys[&STAKER].root_index, Some(0));
    let (_, events) = case.yes("below the threshold", |case| {
        put_stake(&mut case.state, place(HOTKEY, STAKER, ROOT), TAO);
        owe(&mut case.state, ONE, 499_999);
        owe(&mut case.state, TWO, 700_000);
        case.call = Call::ClaimRoot { subnets: subnets(1) };
    });
    assert!(!has(&events, "root_dividends_claimed"));
    let (state, events) = case.yes("at the threshold, sold", |case| {
        owe(&mut case.state, ONE, 500_000);
    });
    assert!(has(&events, "root_dividends_claimed"));
    let gained = state.stake(&HOTKEY, &STAKER, ROOT).0 - TAO;
    assert!((124_000..=125_000).contains(&gained), "{gained}");
    assert_eq!(state.leaks.root_claims, i64::try_from(gained).expect("small"));
    assert!(state.claimed(&HOTKEY, &STAKER, TWO).is_some(), "kept neutral, not claimed");
    let (state, _) = case.yes("kept", |case| {
        let own = case.state.coldkeys.get_mut(&STAKER).expect("owns");
        own.root_claim_type = RootClaimType::Keep;
        case.call = Call::ClaimRoot { subnets: subnets(2) };
    });
    assert_eq!(state.stake(&HOTKEY, &STAKER, ROOT).0, TAO);
    assert_eq!(state.stake(&HOTKEY, &STAKER, ONE).0, 500_000);
    assert_eq!(state.stake(&HOTKEY, &STAKER, TWO).0, 700_000);
    let (state, _) = case.yes("one kept, one sold", |case| {
        let own = case.state.coldkeys.get_mut(&STAKER).expect("owns");
        own.root_claim_type = RootClaimType::KeepSubnets([TWO].into());
    });
    assert!(state.stake(&HOTKEY, &STAKER, ROOT).0 > TAO);
    assert_eq!(state.stake(&HOTKEY, &STAKER, ONE).0, 0);
    assert_eq!(state.stake(&HOTKEY, &STAKER, TWO).0, 700_000);
    let (_, events) = case.yes("what a dry pool cannot buy stays owed", |case| {
        at(&mut case.state, ONE).fast.pool.tao = 999_999;
        case.call = Call::ClaimRoot { subnets: subnets(1) };
    });
    assert!(!has(&events, "root_dividends_claimed"));
}

#[test]
fn set_root_claim_type() {
    let order = |new_root_claim_type| Call::SetRootClaimType { new_root_claim_type };
    let mut case = Case::new(order(RootClaimType::KeepSubnets(subnets(0))));
    case.no("no subnet to keep", Rejection::InvalidSubnetNumber, |_| {});
    let kinds = [RootClaimType::KeepSubnets(subnets(9)), RootClaimType::Keep, RootClaimType::Swap];
    for kind in kinds {
        let (state, _) = case.yes("set", |case| case.call = order(kind.clone()));
        assert_eq!(state.coldkeys[&STAKER].root_claim_type, kind);
        assert_eq!(state.coldkeys[&STAKER].root_index, Some(0));
    }
}
