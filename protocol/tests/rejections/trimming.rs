//! `sudo_trim_to_max_allowed_uids` (30 §7.4); who may and when is in the sweep.

use crate::network::{HOTKEY, NOWHERE, ONE, OTHER_HOTKEY, OWNER_HOTKEY, STRAY_HOTKEY, at};
use crate::weights::register;
use crate::{Case, has};
use protocol::call::{Call, Origin, Setting};
use protocol::rejection::Rejection;
use protocol::state::{Axon, Mechanism};
use protocol::units::{AccountId, Alpha, Height, NetUid};

const FIFTH: AccountId = AccountId([15; 32]);

fn trim(netuid: NetUid, value: u16) -> Call {
    Call::SudoSet(Setting::TrimToMaxAllowedUids { netuid, value })
}

/// Five neurons past immunity: the owner's at 0 earns nothing, the others 5, 9, 5 and 7.
fn five(value: u16) -> Case {
    let mut case = Case::new(trim(NOWHERE, value));
    case.origin = Origin::Root;
    register(&mut case, ONE, &[OWNER_HOTKEY, HOTKEY, OTHER_HOTKEY, STRAY_HOTKEY, FIFTH]);
    case.state.height = Height(361 * 100);
    let subnet = at(&mut case.state, ONE);
    subnet.params.min_allowed_uids = 2;
    subnet.params.max_allowed_uids = 6;
    subnet.neurons.emission = [0, 5, 9, 5, 7].map(Alpha).to_vec();
    case
}

#[test]
fn rows() {
    let mut case = five(1);
    case.no("no such subnet", Rejection::SubnetNotExists, |_| {});
    case.no("below the minimum", Rejection::InvalidValue, |case| case.call = trim(ONE, 1));
    case.no("above the maximum", Rejection::InvalidValue, |case| case.call = trim(ONE, 7));
    // Four of five are eighty percent; the owner's counts whatever its age.
    let immune = Rejection::TrimmingWouldExceedMaxImmunePercentage;
    at(&mut case.state, ONE).params.max_allowed_uids = 5;
    register(&mut case, ONE, &[AccountId([16; 32])]);
    case.no("eighty percent immune", immune, |case| {
        case.call = trim(ONE, 5);
        let now = case.state.height.0;
        let registered_at = &mut at(&mut case.state, ONE).neurons.registered_at;
        registered_at[1..].copy_from_slice(&[now, now, now, 1, 1]);
    });
    let (state, _) = case.yes("three of five", |case| {
        let now = case.state.height.0;
        at(&mut case.state, ONE).neurons.registered_at[3] = now - 5_000;
    });
    assert_eq!(state.subnets[&ONE].neurons.len(), 5);
    let (_, events) = case.yes("immune, but nobody has to go", |case| {
        let now = case.state.height.0;
        at(&mut case.state, ONE).params.max_allowed_uids = 6;
        at(&mut case.state, ONE).neurons.registered_at.fill(now);
        case.call = trim(ONE, 6);
    });
    assert!(has(&events, "neurons_trimmed"));
}

/// Lowest emission first, of equals the highest uid; the owner's stays though it earns nothing.
#[test]
fn who_goes() {
    let rows: [(u16, &[AccountId]); 5] = [
        (5, &[OWNER_HOTKEY, HOTKEY, OTHER_HOTKEY, STRAY_HOTKEY, FIFTH]),
        (4, &[OWNER_HOTKEY, HOTKEY, OTHER_HOTKEY, FIFTH]),
        (3, &[OWNER_HOTKEY, OTHER_HOTKEY, FIFTH]),
        (2, &[OWNER_HOTKEY, OTHER_HOTKEY]),
        (6, &[OWNER_HOTKEY, HOTKEY, OTHER_HOTKEY, STRAY_HOTKEY, FIFTH]),
    ];
    for (max_n, left) in rows {
        let mut case = five(max_n);
        let (state, _) = case.yes("trimmed", |case| case.call = trim(ONE, max_n));
        let subnet = &state.subnets[&ONE];
        assert_eq!(subnet.neurons.hotkeys, left, "to {max_n}");
        assert_eq!(subnet.params.max_allowed_uids, max_n);
        for (uid, hotkey) in (0..).zip(left) {
            assert_eq!(subnet.neurons.uid(hotkey), Some(uid));
        }
        assert_eq!(subnet.neurons.uids.len(), left.len());
    }
}

/// Columns and rows of all mechanisms keep what is about those left, under their new uids.
#[test]
fn what_is_left() {
    let mut case = five(3);
    let subnet = at(&mut case.state, ONE);
    (subnet.params.mechanism_count, subnet.neurons.stake_weight) = (2, vec![10, 11, 12]);
    subnet.neurons.validator_permit = vec![true, true, false, false, true];
    subnet.mechanisms[0] = Mechanism {
        incentive: vec![1, 2, 3, 4, 5],
        last_update: vec![11, 12, 13, 14, 15],
        weights: vec![
            vec![(1, 7), (2, 8)],
            vec![(0, 9)],
            vec![],
            vec![(4, 1)],
            vec![(4, 2), (0, 3)],
        ],
        bonds: vec![vec![(3, 1)], vec![], vec![(2, 5)], vec![], vec![(2, 6), (1, 7)]],
    };
    for hotkey in [HOTKEY, OTHER_HOTKEY] {
        subnet.axons.insert(hotkey, Axon { port: 9, ..Axon::default() });
        subnet.last_dividends.insert(hotkey, (Some(Alpha(3)), Some(Alpha(4))));
    }
    let (state, _) = case.yes("trimmed", |case| case.call = trim(ONE, 3));
    let subnet = &state.subnets[&ONE];
    // 0, 2 and 4 are left.
    assert_eq!(subnet.neurons.emission, [0, 9, 7].map(Alpha));
    assert_eq!(subnet.neurons.validator_permit, [true, false, true]);
    assert_eq!(subnet.neurons.stake_weight, [10, 12, 0], "padded");
    let first = Mechanism {
        incentive: vec![1, 3, 5],
        last_update: vec![11, 13, 15],
        weights: vec![vec![(1, 8)], vec![], vec![(2, 2), (0, 3)]],
        bonds: vec![vec![], vec![(1, 5)], vec![(1, 6)]],
    };
    let second = Mechanism {
        incentive: vec![0; 3],
        last_update: vec![0; 3],
        weights: vec![vec![]; 3],
        bonds: vec![vec![]; 3],
    };
    assert_eq!(subnet.mechanisms, [first, second]);
    assert_eq!(subnet.axons.keys().copied().collect::<Vec<_>>(), [OTHER_HOTKEY]);
    assert_eq!(subnet.last_dividends[&HOTKEY], (None, Some(Alpha(4))));
    assert_eq!(subnet.last_dividends[&OTHER_HOTKEY], (Some(Alpha(3)), Some(Alpha(4))));
}

/// With no minimum a subnet can be emptied; whoever is protected is then too many.
#[test]
fn to_nothing() {
    let mut case = five(0);
    at(&mut case.state, ONE).params.min_allowed_uids = 0;
    let immune = Rejection::TrimmingWouldExceedMaxImmunePercentage;
    case.no("the owner is there", immune, |case| case.call = trim(ONE, 0));
    let (state, _) = case.yes("nobody is protected", |case| {
        let info = &mut at(&mut case.state, ONE).info;
        (info.owner, info.owner_hotkey) = (None, None);
    });
    assert!(state.subnets[&ONE].neurons.is_empty());
}
