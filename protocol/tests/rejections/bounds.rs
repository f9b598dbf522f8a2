//! Bounds of parameters (30 §12.2, §12.3): the last value that is taken and the first that is not, in the
//! chain's order of checks.

use crate::network::{HOTKEY, NOWHERE, ONE, OTHER_HOTKEY, OWNER, OWNER_HOTKEY, TAO, TWO, at};
use crate::weights::register;
use crate::{Case, has};
use protocol::call::{Call, Origin, Setting};
use protocol::rejection::Rejection;
use protocol::rules::Mode;
use protocol::units::{NetUid, Rao};

fn of_root(setting: Setting) -> Case {
    let mut case = Case::new(Call::SudoSet(setting));
    case.origin = Origin::Root;
    case
}

fn order(case: &mut Case, setting: Setting) {
    case.call = Call::SudoSet(setting);
}

/// Values out of bounds with their reasons, then values that are taken.
fn check(rows: &[(Setting, Rejection)], taken: &[Setting]) {
    for (setting, reason) in rows {
        of_root(setting.clone()).no("out of bounds", *reason, |_| {});
    }
    for setting in taken {
        of_root(setting.clone()).yes("just inside", |_| {});
    }
}

#[test]
fn max_allowed_uids() {
    let to = |value| Setting::MaxAllowedUids { netuid: ONE, value };
    let mut case = of_root(to(1));
    register(&mut case, ONE, &[OWNER_HOTKEY, HOTKEY, OTHER_HOTKEY]);
    at(&mut case.state, ONE).params.min_allowed_uids = 2;
    at(&mut case.state, ONE).params.mechanism_count = 2;
    case.no("below the minimum", Rejection::MaxAllowedUidsLessThanMinAllowedUids, |_| {});
    let full = Rejection::MaxAllowedUIdsLessThanCurrentUIds;
    case.no("below the neurons", full, |case| order(case, to(2)));
    let large = Rejection::MaxAllowedUidsGreaterThanDefaultMaxAllowedUids;
    case.no("above 256", large, |case| order(case, to(257)));
    let wide = Rejection::TooManyUIDsPerMechanism;
    case.no("above 256 over both mechanisms", wide, |case| order(case, to(129)));
    let (state, _) = case.yes("128 for each", |case| order(case, to(128)));
    assert_eq!(state.subnets[&ONE].params.max_allowed_uids, 128);
    case.yes("as many as there are", |case| order(case, to(3)));
}

#[test]
fn min_allowed_uids() {
    let to = |value| Setting::MinAllowedUids { netuid: ONE, value };
    let mut case = of_root(to(4));
    register(&mut case, ONE, &[OWNER_HOTKEY, HOTKEY, OTHER_HOTKEY]);
    at(&mut case.state, ONE).params.max_allowed_uids = 4;
    let most = Rejection::MinAllowedUidsGreaterThanMaxAllowedUids;
    case.no("not below the maximum", most, |_| {});
    let few = Rejection::MinAllowedUidsGreaterThanCurrentUids;
    case.no("not below the neurons", few, |case| order(case, to(3)));
    let (state, _) = case.yes("below both", |case| order(case, to(2)));
    assert_eq!(state.subnets[&ONE].params.min_allowed_uids, 2);
}

#[test]
fn activity_cutoff() {
    let to = |value| Setting::ActivityCutoff { netuid: ONE, value };
    let mut case = of_root(to(359));
    case.no("below the network's minimum", Rejection::ActivityCutoffTooLow, |_| {});
    case.yes("at the minimum", |case| order(case, to(360)));
    case.no("below another minimum", Rejection::ActivityCutoffTooLow, |case| {
        case.state.global.min_activity_cutoff = 361;
    });
}

#[test]
fn burns() {
    let min = |value| Setting::MinBurn { netuid: ONE, value: Rao(value) };
    let max = |value| Setting::MaxBurn { netuid: ONE, value: Rao(value) };
    let mut case = of_root(min(TAO));
    case.no("a minimum of a whole TAO", Rejection::ValueNotInBounds, |_| {});
    case.yes("one rao less", |case| order(case, min(TAO - 1)));
    case.no("not below the maximum", Rejection::ValueNotInBounds, |case| {
        at(&mut case.state, ONE).params.max_burn = Rao(TAO - 1);
    });
    case.no("a maximum of a tenth", Rejection::ValueNotInBounds, |case| {
        order(case, max(TAO / 10));
    });
    case.yes("one rao more", |case| order(case, max(TAO / 10 + 1)));
    case.no("not above the minimum", Rejection::ValueNotInBounds, |case| {
        at(&mut case.state, ONE).params.min_burn = Rao(TAO / 10 + 1);
    });
}

/// What owners may do less than root.
#[test]
fn bounds_of_owners() {
    let bonds = |value| Setting::BondsMovingAverage { netuid: ONE, value };
    let steep = |value| Setting::AlphaSigmoidSteepness { netuid: ONE, value };
    for (beyond, inside, reason) in [
        (bonds(975_001), bonds(975_000), Rejection::BondsMovingAverageMaxReached),
        (steep(-1), steep(0), Rejection::NegativeSigmoidSteepness),
    ] {
        let mut case = Case::new(Call::SudoSet(beyond.clone()));
        case.no("the owner, beyond", reason, |case| case.origin = Origin::Signed(OWNER));
        case.yes("the owner, inside", |case| order(case, inside));
        case.origin = Origin::Root;
        let (state, _) = case.yes("root, beyond", |case| order(case, beyond));
        let params = &state.subnets[&ONE].params;
        let set = (params.bonds_moving_average, params.alpha_sigmoid_steepness);
        assert!(set == (975_001, 1_000) || set == (900_000, -1), "{set:?}");
    }
}

#[test]
fn alpha_values() {
    let to = |netuid, low, high| Setting::AlphaValues { netuid, low, high };
    let mut case = of_root(to(NOWHERE, 0, 0));
    case.no("no such subnet, so not liquid", Rejection::LiquidAlphaDisabled, |_| {});
    case.no("not liquid", Rejection::LiquidAlphaDisabled, |case| order(case, to(ONE, 0, 0)));
    case.no("high too low", Rejection::AlphaHighTooLow, |case| {
        at(&mut case.state, ONE).params.liquid_alpha = true;
        order(case, to(ONE, 0, 1_637));
    });
    let low = Rejection::AlphaLowOutOfRange;
    case.no("low too low", low, |case| order(case, to(ONE, 1_637, 1_638)));
    case.no("low above high", low, |case| order(case, to(ONE, 1_639, 1_638)));
    let (state, _) = case.yes("both the lowest", |case| order(case, to(ONE, 1_638, 1_638)));
    let params = &state.subnets[&ONE].params;
    assert_eq!((params.alpha_low, params.alpha_high), (1_638, 1_638));
    let (state, _) = case.yes("the whole range", |case| order(case, to(ONE, 1_638, 65_535)));
    let params = &state.subnets[&ONE].params;
    assert_eq!((params.alpha_low, params.alpha_high), (1_638, 65_535));
}

#[test]
fn plain_ranges() {
    use Setting::*;
    let reveal = |value| CommitRevealWeightsInterval { netuid: ONE, value };
    let owners = |value| OwnerImmuneNeuronLimit { netuid: ONE, value };
    let mechanisms = |value| MaxMechanismCount { value };
    check(
        &[
            (reveal(0), Rejection::RevealPeriodTooSmall),
            (reveal(101), Rejection::RevealPeriodTooLarge),
            (owners(0), Rejection::InvalidValue),
            (owners(11), Rejection::InvalidValue),
            (mechanisms(0), Rejection::InvalidValue),
            (mechanisms(17), Rejection::InvalidValue),
        ],
        &[reveal(1), reveal(100), owners(1), owners(10), mechanisms(1), mechanisms(16)],
    );
}

/// The one bound that is ours: the counter says at least what there is.
#[test]
fn total_issuance() {
    for mode in [Mode::Reference, Mode::Sound] {
        let mut case = of_root(Setting::TotalIssuance { value: Rao(0) });
        case.state.rules.mode = mode;
        let there_is = case.state.global.total_issuance;
        let to = |value| Setting::TotalIssuance { value: Rao(value) };
        case.no("nothing", Rejection::InvalidValue, |_| {});
        case.no("less than there is", Rejection::InvalidValue, |case| {
            order(case, to(there_is.0 - 1));
        });
        case.no("beyond 63 bits", Rejection::InvalidValue, |case| order(case, to(1 << 63)));
        let (state, events) = case.yes("more", |case| order(case, to(there_is.0 + 5)));
        assert_eq!(state.global.total_issuance, Rao(there_is.0 + 5));
        assert_eq!(state.leaks.opening, 5);
        assert!(has(&events, "leak_booked"));
        case.state = state;
        let (state, _) = case.yes("back", |case| order(case, to(there_is.0)));
        assert_eq!(state.leaks.opening, 0);
    }
}

#[test]
fn symbol() {
    let to = |netuid, value: &str| Setting::Symbol { netuid, value: value.into() };
    let mut case = Case::new(Call::SudoSet(to(ONE, "τau")));
    at(&mut case.state, TWO).info.symbol = "β".into();
    at(&mut case.state, ONE).info.symbol = "α".into();
    case.no("a stranger", Rejection::BadOrigin, |_| {});
    let unknown = Rejection::SymbolDoesNotExist;
    case.no("not in the table", unknown, |case| case.origin = Origin::Signed(OWNER));
    case.no("none", unknown, |case| order(case, to(ONE, "")));
    case.no("root's", unknown, |case| order(case, to(ONE, "Τ")));
    let used = Rejection::SymbolAlreadyInUse;
    case.no("another's", used, |case| order(case, to(ONE, "β")));
    case.no("its own", used, |case| order(case, to(ONE, "α")));
    let (state, events) = case.yes("a free one", |case| order(case, to(ONE, "γ")));
    assert_eq!(state.subnets[&ONE].info.symbol, "γ");
    assert!(has(&events, "symbol_updated"));
    case.no("no such subnet", Rejection::BadOrigin, |case| order(case, to(NOWHERE, "γ")));
    case.yes("no such subnet, by root", |case| case.origin = Origin::Root);
}

#[test]
fn owner_hotkey() {
    let to = |netuid: NetUid| Setting::SnOwnerHotkey { netuid, value: OTHER_HOTKEY };
    let mut case = Case::new(Call::SudoSet(to(ONE)));
    case.no("a stranger", Rejection::BadOrigin, |_| {});
    let (state, _) = case.yes("anybody's hotkey, even before an epoch", |case| {
        case.origin = Origin::Signed(OWNER);
        case.state.height.0 = 361 * 3 - 2 - 1;
    });
    assert_eq!(state.subnets[&ONE].info.owner_hotkey, Some(OTHER_HOTKEY));
    assert_eq!(state.subnets[&ONE].info.owner, Some(OWNER));
    case.state = state;
    case.no("root, too soon", Rejection::TxRateLimitExceeded, |case| case.origin = Origin::Root);
    case.no("root, no such subnet", Rejection::SubnetNotExists, |case| order(case, to(NOWHERE)));
    case.no("root, a block too soon", Rejection::TxRateLimitExceeded, |case| {
        case.state.height.0 += 50_399;
        order(case, to(ONE));
    });
    case.yes("root, a week later", |case| case.state.height.0 += 1);
}
