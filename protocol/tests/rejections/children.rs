//! Orders for children, and how they come into force (30 §10).

use crate::network::{
    HOTKEY, NOWHERE, ONE, OTHER, OTHER_HOTKEY, OWNER_HOTKEY, ROOT, STAKER, TAO, at, block, place,
    put_stake,
};
use crate::{Case, has};
use protocol::call::{Call, Origin};
use protocol::rejection::Rejection;
use protocol::state::{PendingChildren, State};
use protocol::units::{AccountId, Hash32, NetUid};

const HALF: u64 = u64::MAX / 2;

fn child(number: u8) -> AccountId {
    AccountId([100 + number; 32])
}

#[test]
fn set_children() {
    let order = |netuid, children: &[(u64, AccountId)]| Call::SetChildren {
        hotkey: HOTKEY,
        netuid,
        children: children.to_vec(),
    };
    let six: Vec<(u64, AccountId)> = (0..6).map(|number| (HALF, child(number))).collect();
    let twice = [&six[..], &[(1, HOTKEY), (1, HOTKEY)]].concat();
    let mut case = Case::new(order(ROOT, &twice));
    case.origin = Origin::Signed(OTHER);
    case.state.global.stake_threshold = 1_000;
    for netuid in [ROOT, ONE] {
        at(&mut case.state, netuid).links.entry(HOTKEY).or_default().children_set_at = 851;
    }
    at(&mut case.state, ONE).links.entry(HOTKEY).or_default().parents = vec![(1, child(0))];
    case.no("too soon", Rejection::TxRateLimitExceeded, |_| {});
    case.no("root", Rejection::RegistrationNotPermittedOnRootSubnet, |case| {
        for netuid in [ROOT, ONE] {
            at(&mut case.state, netuid).links.entry(HOTKEY).or_default().children_set_at = 850;
        }
    });
    case.no("no such subnet", Rejection::SubnetNotExists, |case| {
        case.call = order(NOWHERE, &twice);
    });
    case.no("another's hotkey", Rejection::NonAssociatedColdKey, |case| {
        case.call = order(ONE, &twice);
    });
    case.no("one twice", Rejection::DuplicateChild, |case| {
        case.origin = Origin::Signed(STAKER);
    });
    let with_itself = [&six[..], &[(1, HOTKEY)]].concat();
    case.no("itself", Rejection::InvalidChild, |case| case.call = order(ONE, &with_itself));
    case.no("six", Rejection::TooManyChildren, |case| case.call = order(ONE, &six));
    case.no("more than all", Rejection::ProportionOverflow, |case| {
        case.call = order(ONE, &[(HALF, child(0)), (HALF, child(1)), (2, child(2))]);
    });
    case.no("its parent", Rejection::ChildParentInconsistency, |case| {
        case.call = order(ONE, &[(HALF, child(0)), (HALF, child(1)), (1, child(2))]);
    });
    // 3,996 units at ¼ are worth 999 rao.
    case.no("too little stake", Rejection::NotEnoughStakeToSetChildkeys, |case| {
        case.call = order(ONE, &[(HALF, child(1)), (HALF, child(2)), (1, child(3))]);
        put_stake(&mut case.state, place(HOTKEY, STAKER, ONE), 3_996);
    });
    case.yes("none at all", |case| case.call = order(ONE, &[]));
    case.yes("the owner's hotkey", |case| {
        case.call = order(ONE, &[(HALF, child(1))]);
        at(&mut case.state, ONE).info.owner_hotkey = Some(HOTKEY);
    });
    let (state, events) = case.yes("enough stake, on root too", |case| {
        at(&mut case.state, ONE).info.owner_hotkey = Some(OWNER_HOTKEY);
        put_stake(&mut case.state, place(HOTKEY, STAKER, ROOT), 1);
    });
    assert!(has(&events, "children_scheduled"));
    let pending = &state.subnets[&ONE].pending_children[&HOTKEY];
    assert_eq!(pending.apply_block, 1_000 + 7_200);
    assert!(state.subnets[&ONE].links[&HOTKEY].children.is_empty(), "not yet");
}

#[test]
fn children_come_into_force_at_the_first_slot_after_their_time() {
    let mut case = Case::new(Call::SetChildren {
        hotkey: HOTKEY,
        netuid: ONE,
        children: vec![(HALF, OTHER_HOTKEY)],
    });
    case.state.global.pending_childkey_cooldown = 3;
    at(&mut case.state, ONE).params.tempo = 4;
    let (mut state, _) = case.yes("ordered", |_| {});
    // A slot is where height + 1 + 2 divides by 5; 1003 is not later than 1000 + 3, 1007 is a slot.
    let in_force = |state: &State| !state.subnets[&ONE].links[&HOTKEY].children.is_empty();
    while state.height.0 < 1_006 {
        block(&mut state, &[], Hash32::default());
        assert!(!in_force(&state), "{}", state.height);
    }
    block(&mut state, &[], Hash32::default());
    assert!(in_force(&state));
    let links = &state.subnets[&ONE].links;
    assert_eq!(links[&OTHER_HOTKEY].parents, [(HALF, HOTKEY)]);
    assert!(state.subnets[&ONE].pending_children.is_empty());

    // Of two orders that would make each the other's parent, one is lost.
    let mut both = state.clone();
    at(&mut both, ONE).links.clear();
    for (hotkey, child) in [(HOTKEY, OTHER_HOTKEY), (OTHER_HOTKEY, HOTKEY)] {
        let pending = PendingChildren { children: vec![(HALF, child)], apply_block: 1 };
        at(&mut both, ONE).pending_children.insert(hotkey, pending);
    }
    both.forget_cached_hashes();
    (0..5).for_each(|_| drop(block(&mut both, &[], Hash32::default())));
    let links = &both.subnets[&ONE].links;
    let children: usize = links.values().map(|links| links.children.len()).sum();
    assert_eq!(children, 1);
    assert!(both.subnets[&ONE].pending_children.is_empty());
}

#[test]
fn selling_below_the_threshold_loses_ordered_children() {
    let mut case =
        Case::new(Call::RemoveStakeFullLimit { hotkey: HOTKEY, netuid: ONE, limit_price: None });
    put_stake(&mut case.state, place(HOTKEY, STAKER, ONE), TAO);
    put_stake(&mut case.state, place(HOTKEY, OTHER, ROOT), 1_000);
    case.state.global.stake_threshold = 1_000;
    let pending = PendingChildren { children: vec![(1, OTHER_HOTKEY)], apply_block: 1 };
    at(&mut case.state, NetUid(2)).pending_children.insert(HOTKEY, pending);
    let (_, events) = case.yes("the rest is worth the threshold", |_| {});
    assert!(!has(&events, "children_discarded"));
    let (state, events) = case.yes("one less", |case| case.state.global.stake_threshold = 1_001);
    assert!(has(&events, "children_discarded"));
    assert!(state.subnets[&NetUid(2)].pending_children.is_empty());
}
