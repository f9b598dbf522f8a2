//! Parameter calls (30 §12): of root, of subnet owners, and those of mechanisms (30 §8.1).

use crate::network::{
    AUTHOR, HOTKEY, NOWHERE, ONE, OTHER, OWNER, ROOT, STAKER, TAO, at, balance_books, place,
    put_stake, subnet,
};
use crate::{Case, has};
use protocol::call::{Call, Origin, Setting};
use protocol::event::Parameter;
use protocol::rejection::Rejection;
use protocol::rules::Rules;
use protocol::state::Stamp;
use protocol::units::{Alpha, Height, NetUid, Rao};

/// A block whose distance to subnet ONE's epoch slot, at the tempo of 360, is this.
fn before_the_slot(blocks: u64) -> Height {
    // (height + 3) divides by 361 at the slot.
    Height(361 * 3 - 3 - blocks)
}

/// Settings that the owner may change once in a while, outside the freeze window.
fn owners_setting(stamp: Stamp, pause: u64, order: impl Fn(NetUid) -> Setting) -> Case {
    let mut case = Case::new(Call::SudoSet(order(ONE)));
    let start = before_the_slot(9);
    case.state.height = start;
    at(&mut case.state, ONE).stamps.insert(stamp, start.0 - pause + 1);
    case.no("a stranger", Rejection::BadOrigin, |_| {});
    case.no("no subnet has no owner", Rejection::BadOrigin, |case| {
        case.origin = Origin::Signed(OWNER);
        case.call = Call::SudoSet(order(NOWHERE));
    });
    case.no("the owner, too soon", Rejection::TxRateLimitExceeded, |case| {
        case.call = Call::SudoSet(order(ONE));
    });
    let frozen = Rejection::AdminActionProhibitedDuringWeightsWindow;
    case.no("the owner, before an epoch", frozen, |case| {
        at(&mut case.state, ONE).stamps.insert(stamp, start.0 - pause);
    });
    case.no("root, before an epoch", frozen, |case| case.origin = Origin::Root);
    let (state, events) = case.yes("root, in time", |case| {
        case.state.height = before_the_slot(10);
    });
    assert_eq!(state.subnets[&ONE].stamps[&stamp], start.0 - pause);
    assert!(!has(&events, "stamped"), "root leaves the owner's timer alone");
    let (state, _) = case.yes("the owner, in time", |case| {
        case.origin = Origin::Signed(OWNER);
        at(&mut case.state, ONE).stamps.insert(stamp, before_the_slot(10).0 - pause);
    });
    assert_eq!(state.subnets[&ONE].stamps[&stamp], before_the_slot(10).0);
    at(&mut case.state, ONE).stamps.clear();
    case.yes("the owner, for the first time", |_| {});
    case.yes("a tempo of 0 freezes nothing", |case| {
        case.state.height = before_the_slot(0);
        at(&mut case.state, ONE).params.tempo = 0;
    });
    case.origin = Origin::Root;
    case
}

#[test]
fn recycle_or_burn() {
    let order = |netuid| Setting::RecycleOrBurn { netuid, value: true };
    let mut case = owners_setting(Stamp::Parameter(Parameter::RecycleOrBurn), 720, order);
    let (state, _) = case.yes("no such subnet", |case| case.call = Call::SudoSet(order(NOWHERE)));
    assert!(state.subnets[&NOWHERE].params.recycle_withheld);
    let (state, _) = case.yes("recycle", |case| case.call = Call::SudoSet(order(ONE)));
    assert!(state.subnets[&ONE].params.recycle_withheld);
}

#[test]
fn toggle_transfer() {
    let order = |netuid| Setting::ToggleTransfer { netuid, value: false };
    let mut case = owners_setting(Stamp::Parameter(Parameter::TransferToggle), 720, order);
    let (state, _) = case.yes("no such subnet", |case| case.call = Call::SudoSet(order(NOWHERE)));
    assert!(!state.subnets[&NOWHERE].params.transfer_toggle);
    let (state, _) = case.yes("forbid", |case| case.call = Call::SudoSet(order(ONE)));
    assert!(!state.subnets[&ONE].params.transfer_toggle);
}

/// As [`owners_setting`], at a height beyond the pause of 7,200 blocks.
fn mechanisms_setting(stamp: Stamp, order: impl Fn(NetUid) -> Setting) -> Case {
    let mut case = Case::new(Call::SudoSet(order(ONE)));
    at(&mut case.state, ONE).params.max_allowed_uids = 128;
    case.state.height = Height(361 * 30);
    at(&mut case.state, ONE).stamps.insert(stamp, 361 * 30 - 7_199);
    case.no("a stranger", Rejection::BadOrigin, |_| {});
    case.no("the owner, too soon", Rejection::TxRateLimitExceeded, |case| {
        case.origin = Origin::Signed(OWNER);
    });
    let frozen = Rejection::AdminActionProhibitedDuringWeightsWindow;
    case.no("the owner, before an epoch", frozen, |case| {
        case.state.height = Height(361 * 30 - 12);
        at(&mut case.state, ONE).stamps.insert(stamp, 361 * 30 - 12 - 7_200);
    });
    let (state, _) = case.yes("the owner", |case| {
        case.state.height = Height(361 * 30);
    });
    assert_eq!(state.subnets[&ONE].stamps[&stamp], 361 * 30);
    case.origin = Origin::Root;
    case
}

#[test]
fn mechanism_count() {
    let order = |netuid, value| Setting::MechanismCount { netuid, value };
    let mut case = mechanisms_setting(Stamp::MechanismCount(OWNER), |netuid| order(netuid, 2));
    case.no("no such subnet", Rejection::SubnetNotExists, |case| {
        case.call = Call::SudoSet(order(NOWHERE, 0));
    });
    case.no("none", Rejection::InvalidValue, |case| case.call = Call::SudoSet(order(ONE, 0)));
    case.no("three", Rejection::InvalidValue, |case| case.call = Call::SudoSet(order(ONE, 3)));
    case.no("more uids than 256", Rejection::TooManyUIDsPerMechanism, |case| {
        case.call = Call::SudoSet(order(ONE, 2));
        at(&mut case.state, ONE).params.max_allowed_uids = 129;
    });
    let (state, _) = case.yes("two", |case| {
        at(&mut case.state, ONE).params.max_allowed_uids = 128;
        at(&mut case.state, ONE).params.mechanism_split = Some(vec![65_535]);
    });
    assert_eq!(state.subnets[&ONE].params.mechanism_count, 2);
    assert_eq!(state.subnets[&ONE].params.mechanism_split, None, "a change forgets the split");
    let (state, events) = case.yes("no change", |case| case.call = Call::SudoSet(order(ONE, 1)));
    assert_eq!(events.len(), 0);
    assert_eq!(state.subnets[&ONE].params.mechanism_split, Some(vec![65_535]));
}

#[test]
fn mechanism_emission_split() {
    let order = |netuid, value: Option<&[u16]>| Setting::MechanismEmissionSplit {
        netuid,
        value: value.map(<[u16]>::to_vec),
    };
    let mut case = mechanisms_setting(Stamp::MechanismSplit(OWNER), |netuid| order(netuid, None));
    case.no("no such subnet", Rejection::SubnetNotExists, |case| {
        case.call = Call::SudoSet(order(NOWHERE, None));
    });
    case.no("of none", Rejection::InvalidValue, |case| {
        case.call = Call::SudoSet(order(ONE, Some(&[])));
    });
    case.no("of more than there are", Rejection::InvalidValue, |case| {
        case.call = Call::SudoSet(order(ONE, Some(&[30_000, 35_535])));
    });
    case.no("not the whole", Rejection::InvalidValue, |case| {
        at(&mut case.state, ONE).params.mechanism_count = 2;
        case.call = Call::SudoSet(order(ONE, Some(&[30_000, 35_534])));
    });
    let (state, _) = case.yes("the whole", |case| {
        case.call = Call::SudoSet(order(ONE, Some(&[30_000, 35_535])));
    });
    assert_eq!(state.subnets[&ONE].params.mechanism_split, Some(vec![30_000, 35_535]));
    case.yes("fewer than there are", |case| {
        case.call = Call::SudoSet(order(ONE, Some(&[65_535])));
    });
}

#[test]
fn root_claim_threshold() {
    let order =
        |netuid, value| Call::SudoSet(Setting::RootClaimThreshold { netuid, value: Alpha(value) });
    let mut case = Case::new(order(ONE, 10_000_001));
    case.state.height = before_the_slot(0);
    case.no("a stranger", Rejection::BadOrigin, |_| {});
    case.no("root, no such subnet", Rejection::SubnetDoesNotExist, |case| {
        case.origin = Origin::Root;
        case.call = order(NOWHERE, 10_000_001);
    });
    case.no("beyond the bound", Rejection::InvalidRootClaimThreshold, |case| {
        case.call = order(ONE, 10_000_001);
    });
    let (state, _) = case.yes("the owner, even before an epoch", |case| {
        case.origin = Origin::Signed(OWNER);
        case.call = order(ONE, 10_000_000);
    });
    assert_eq!(state.subnets[&ONE].params.root_claimable_threshold, 10_000_000 << 32);
    case.yes("root", |case| case.origin = Origin::Root);
}

/// A setting, what it answers before an epoch, and what of no subnet; `None` where it does not mind.
type SubnetRow = (fn(NetUid) -> Setting, Option<Rejection>, Option<Rejection>);

/// Settings of one subnet that only root may change.
#[test]
fn settings_of_a_subnet() {
    use Setting::*;
    let frozen = Some(Rejection::AdminActionProhibitedDuringWeightsWindow);
    let missing = Some(Rejection::SubnetDoesNotExist);
    let rows: [SubnetRow; 8] = [
        (|netuid| Tempo { netuid, value: 7 }, frozen, missing),
        (|netuid| Kappa { netuid, value: 7 }, None, missing),
        (|netuid| MaxAllowedValidators { netuid, value: 256 }, frozen, missing),
        (|netuid| WeightsSetRateLimit { netuid, value: 7 }, None, missing),
        (|netuid| SubtokenEnabled { netuid, value: false }, frozen, None),
        (|netuid| NetworkRegistrationAllowed { netuid, value: false }, None, None),
        (|netuid| EmaPriceHalvingPeriod { netuid, value: 7 }, None, None),
        (|netuid| FeeRate { netuid, value: 10_000 }, None, Some(Rejection::MechanismDoesNotExist)),
    ];
    for (order, before_an_epoch, of_no_subnet) in rows {
        let mut case = Case::new(Call::SudoSet(order(ONE)));
        case.origin = Origin::Signed(OWNER);
        case.state.height = before_the_slot(9);
        case.no("the owner", Rejection::BadOrigin, |_| {});
        match before_an_epoch {
            Some(reason) => case.no("before an epoch", reason, |case| case.origin = Origin::Root),
            None => drop(case.yes("at any time", |case| case.origin = Origin::Root)),
        }
        let (state, _) = case.yes("set", |case| case.state.height = before_the_slot(10));
        let (before, after) = (&case.state.subnets[&ONE], &state.subnets[&ONE]);
        let same = before.params == after.params && before.fast == after.fast;
        assert!(!same, "{} changed nothing", case.call.name());
        let nowhere = |case: &mut Case| case.call = Call::SudoSet(order(NOWHERE));
        // A netuid without a subnet has the tempo of a new one; its slot is where height + 11 divides.
        case.state.height = Height(361 * 3 - 11);
        if let Some(reason) = before_an_epoch {
            case.no("no such subnet, before its epoch", reason, nowhere);
        }
        case.state.height = Height(361 * 3 - 11 - 10);
        match of_no_subnet {
            Some(reason) => case.no("no such subnet", reason, nowhere),
            None => drop(case.yes("no such subnet", nowhere)),
        }
    }
    let mut case = Case::new(Call::SudoSet(MaxAllowedValidators { netuid: ONE, value: 257 }));
    case.origin = Origin::Root;
    case.no("too many", Rejection::MaxValidatorsLargerThanMaxUIds, |_| {});
    case.no("too high a fee", Rejection::FeeRateTooHigh, |case| {
        case.call = Call::SudoSet(FeeRate { netuid: ONE, value: 10_001 });
    });
}

/// Settings of the whole network: root alone, unbounded but for the two with bounds.
#[test]
fn settings_of_the_network() {
    use Setting::*;
    let rows = [
        SubnetLimit { value: 7 },
        SubnetOwnerCut { value: 7 },
        StakeThreshold { value: 7 },
        NetworkRateLimit { value: 7 },
        NetworkMinLockCost { value: Rao(7) },
        NetworkImmunityPeriod { value: 7 },
        NumRootClaims { value: 50 },
        NominatorMinRequiredStake { value: 7 },
        CkBurn { value: 7 },
        TaoFlowCutoff { value: -7 },
        TaoFlowNormalizationExponent { value: 2 << 64 },
        TaoFlowSmoothingFactor { value: 7 },
        DefaultTake { value: 7 },
        MinDelegateTake { value: 7 },
        TxDelegateTakeRateLimit { value: 7 },
        TxChildkeyTakeRateLimit { value: 7 },
        MinChildkeyTake { value: 7 },
        MaxChildkeyTake { value: 7 },
        PendingChildkeyCooldown { value: 7 },
        SubnetMovingAlpha { value: 7 },
    ];
    for setting in rows {
        let mut case = Case::new(Call::SudoSet(setting));
        case.origin = Origin::Signed(OWNER);
        case.no("an owner", Rejection::BadOrigin, |_| {});
        let (state, _) = case.yes("root", |case| case.origin = Origin::Root);
        assert_ne!(state.global, case.state.global, "{} changed nothing", case.call.name());
    }
    let bounded = [
        (NumRootClaims { value: 51 }, Rejection::InvalidNumRootClaim),
        (TaoFlowNormalizationExponent { value: (1 << 64) - 1 }, Rejection::InvalidValue),
        (TaoFlowNormalizationExponent { value: (2 << 64) + 1 }, Rejection::InvalidValue),
    ];
    for (setting, reason) in bounded {
        let mut case = Case::new(Call::SudoSet(setting));
        case.origin = Origin::Root;
        case.no("out of bounds", reason, |_| {});
    }
}

/// 20 §16: raising the factor above the minimum in rao sells what is below the new minimum.
#[test]
fn raising_the_nominator_minimum_cleans_up() {
    let order = |value| Call::SudoSet(Setting::NominatorMinRequiredStake { value });
    let mut case = Case::new(order(2_000_000));
    case.origin = Origin::Root;
    case.state.global.block_author = Some(AUTHOR);
    // The minimum is 4,000,000 rao: 16,000,000 units at ¼, a few more once others have sold.
    put_stake(&mut case.state, place(HOTKEY, OTHER, ONE), 15_999_999);
    put_stake(&mut case.state, place(HOTKEY, OWNER, ONE), 16_001_000);
    put_stake(&mut case.state, place(HOTKEY, STAKER, ONE), 10);
    put_stake(&mut case.state, place(HOTKEY, OTHER, ROOT), 3_999_999);
    let (state, _) = case.yes("raised", |_| {});
    let stake = |coldkey, netuid| state.stake(&HOTKEY, &coldkey, netuid).0;
    assert_eq!(stake(OTHER, ONE), 0, "below");
    assert_eq!(stake(OTHER, ROOT), 0, "below, on root");
    assert_eq!(stake(OWNER, ONE), 16_001_000, "above");
    assert_eq!(stake(STAKER, ONE), 10, "the hotkey's owner");
    // Sic: the new factor is compared with the old minimum in rao.
    let (_, events) = case.yes("raised by little", |case| {
        case.state.global.nominator_min_required_stake = 1_000_000;
    });
    assert_eq!(events.len(), 1, "2,000,000 is not above 2,000,000");
}

#[test]
fn switches_and_dissolutions_are_roots() {
    let rules = Rules::default();
    for call in [Call::SwitchRules { rules }, Call::RootDissolveNetwork { netuid: ONE }] {
        let mut case = Case::new(call);
        case.no("a stranger", Rejection::BadOrigin, |_| {});
        case.yes("root", |case| case.origin = Origin::Root);
    }
    let mut case = Case::new(Call::RootDissolveNetwork { netuid: ROOT });
    case.origin = Origin::Root;
    case.no("root itself", Rejection::SubnetNotExists, |_| {});
    case.no("no such subnet", Rejection::SubnetNotExists, |case| {
        case.call = Call::RootDissolveNetwork { netuid: NOWHERE };
    });
    for call in [Call::UnstakeAll { hotkey: HOTKEY }, Call::ClaimRoot { subnets: [ONE].into() }] {
        let mut case = Case::new(call);
        case.origin = Origin::Root;
        case.no("root has no stake", Rejection::BadOrigin, |_| {});
        case.yes("a coldkey", |case| case.origin = Origin::Signed(STAKER));
    }
}

/// From 128 to 256 subnets in the middle of a run; lowering the limit removes none.
#[test]
fn the_subnet_limit_moves_in_mid_run() {
    let limit = |value| Call::SudoSet(Setting::SubnetLimit { value });
    let mut case = Case::new(Call::RegisterNetwork { hotkey: HOTKEY });
    case.state.global.network_rate_limit = 0;
    for netuid in 3..=128 {
        case.state.subnets.insert(NetUid(netuid), subnet(TAO, TAO));
    }
    balance_books(&mut case.state);
    case.no("128 of 128, all immune", Rejection::SubnetLimitReached, |_| {});
    let register = case.call.clone();
    case.origin = Origin::Root;
    case.call = limit(256);
    let (raised, _) = case.yes("raised", |_| {});
    (case.state, case.origin, case.call) = (raised, Origin::Signed(STAKER), register.clone());
    let (state, _) = case.yes("the 129th, in the same block", |_| {});
    assert_eq!(state.networks().count(), 130, "root is one more");
    case.state = state;
    for netuid in 130..=256 {
        case.state.subnets.insert(NetUid(netuid), subnet(TAO, TAO));
    }
    balance_books(&mut case.state);
    case.no("256 of 256", Rejection::SubnetLimitReached, |_| {});
    case.call = limit(100);
    let (state, _) = case.yes("lowered", |case| case.origin = Origin::Root);
    assert_eq!(state.networks().count(), 257);
}
