//! Every setting, by everybody, at every time (30 §12): the answers follow from the chain's flags, which
//! stand here a second time, so that a wrong row of the table is found.

use crate::network::{
    HOTKEY, NOWHERE, ONE, OTHER, OTHER_HOTKEY, OWNER, OWNER_HOTKEY, STAKER, at, execute, network,
};
use protocol::call::{Call, Origin, Setting};
use protocol::event::{Event, Via};
use protocol::hyperparameters::table::{RULES, of};
use protocol::rejection::{Outcome, Rejection};
use protocol::state::{Params, State, Subnet};
use protocol::tx::Tx;
use protocol::units::{Alpha, Height, NetUid, Rao};
use std::collections::BTreeSet;

/// Who may set it, and what holds them up.
#[derive(Clone, Copy)]
struct Flags {
    owner: bool,
    /// Blocks the owner waits, at a tempo of 360.
    pause: Option<u64>,
    /// The pause holds up root too, and comes after the look for the subnet.
    everybody: bool,
    frozen: bool,
    missing: Option<Rejection>,
}

const MISSING: Option<Rejection> = Some(Rejection::SubnetDoesNotExist);
/// Root at any time.
const R: Flags =
    Flags { owner: false, pause: None, everybody: false, frozen: false, missing: MISSING };
/// Root, not before an epoch.
const R_F: Flags = Flags { frozen: true, ..R };
/// The owner every two tempos, not before an epoch.
const O_RL_F: Flags = Flags { owner: true, pause: Some(720), ..R_F };

const fn any(flags: Flags) -> Flags {
    Flags { missing: None, ..flags }
}

/// Settings of the network.
const GLOBAL: Flags = any(R);

const fn after(pause: u64, missing: Rejection) -> Flags {
    Flags { pause: Some(pause), missing: Some(missing), ..O_RL_F }
}

const NOT_EXISTS: Rejection = Rejection::SubnetNotExists;

/// A setting with a legal value; some take another one the second time.
type Order = fn(NetUid, bool) -> Setting;

const ROWS: &[(Order, Flags)] = {
    use Setting::*;
    &[
        (|netuid, _| Tempo { netuid, value: 360 }, R_F),
        (|netuid, _| Kappa { netuid, value: 7 }, R),
        (|netuid, _| MaxAllowedValidators { netuid, value: 7 }, R_F),
        (|netuid, _| WeightsSetRateLimit { netuid, value: 7 }, R),
        (|netuid, _| SubtokenEnabled { netuid, value: false }, any(R_F)),
        (|netuid, _| NetworkRegistrationAllowed { netuid, value: false }, any(R)),
        (|_, _| SubnetLimit { value: 7 }, GLOBAL),
        (|_, _| SubnetOwnerCut { value: 7 }, GLOBAL),
        (|_, _| StakeThreshold { value: 7 }, GLOBAL),
        (|_, _| NetworkRateLimit { value: 7 }, GLOBAL),
        (|_, _| NetworkMinLockCost { value: Rao(7) }, GLOBAL),
        (|_, _| NetworkImmunityPeriod { value: 7 }, GLOBAL),
        (|netuid, _| RecycleOrBurn { netuid, value: true }, any(O_RL_F)),
        (|netuid, _| ToggleTransfer { netuid, value: false }, any(O_RL_F)),
        (|netuid, _| MechanismCount { netuid, value: 2 }, after(7_200, NOT_EXISTS)),
        (|netuid, _| MechanismEmissionSplit { netuid, value: None }, after(7_200, NOT_EXISTS)),
        (
            |netuid, _| RootClaimThreshold { netuid, value: Alpha(7) },
            Flags { pause: None, frozen: false, ..O_RL_F },
        ),
        (|_, _| NumRootClaims { value: 7 }, GLOBAL),
        (|_, _| NominatorMinRequiredStake { value: 7 }, GLOBAL),
        (|_, _| CkBurn { value: 7 }, GLOBAL),
        (|_, _| TaoFlowCutoff { value: -7 }, GLOBAL),
        (|_, _| TaoFlowNormalizationExponent { value: 2 << 64 }, GLOBAL),
        (|_, _| TaoFlowSmoothingFactor { value: 7 }, GLOBAL),
        (|_, _| DefaultTake { value: 7 }, GLOBAL),
        (|_, _| MinDelegateTake { value: 7 }, GLOBAL),
        (|_, _| TxDelegateTakeRateLimit { value: 7 }, GLOBAL),
        (|_, _| TxChildkeyTakeRateLimit { value: 7 }, GLOBAL),
        (|_, _| MinChildkeyTake { value: 7 }, GLOBAL),
        (|_, _| MaxChildkeyTake { value: 7 }, GLOBAL),
        (|_, _| PendingChildkeyCooldown { value: 7 }, GLOBAL),
        (|_, _| SubnetMovingAlpha { value: 7 }, GLOBAL),
        (|netuid, _| EmaPriceHalvingPeriod { netuid, value: 7 }, any(R)),
        (
            |netuid, _| FeeRate { netuid, value: 7 },
            Flags { missing: Some(Rejection::MechanismDoesNotExist), ..R },
        ),
        (|netuid, _| ServingRateLimit { netuid, value: 7 }, any(O_RL_F)),
        (|netuid, _| MinDifficulty { netuid, value: 7 }, R_F),
        (|netuid, _| MaxDifficulty { netuid, value: 7 }, O_RL_F),
        (
            |netuid, _| WeightsVersionKey { netuid, value: 7 },
            Flags { pause: Some(1_800), ..O_RL_F },
        ),
        (|netuid, _| AdjustmentInterval { netuid, value: 7 }, R),
        (|netuid, _| AdjustmentAlpha { netuid, value: 7 }, O_RL_F),
        (|netuid, _| ImmunityPeriod { netuid, value: 7 }, O_RL_F),
        (|netuid, _| MinAllowedWeights { netuid, value: 7 }, O_RL_F),
        (|netuid, _| MaxAllowedUids { netuid, value: 120 }, O_RL_F),
        (|netuid, _| Rho { netuid, value: 7 }, O_RL_F),
        (|netuid, _| ActivityCutoff { netuid, value: 360 }, O_RL_F),
        (|netuid, _| NetworkPowRegistrationAllowed { netuid, value: false }, any(O_RL_F)),
        (|netuid, _| TargetRegistrationsPerInterval { netuid, value: 7 }, R_F),
        (|netuid, _| MinBurn { netuid, value: Rao(7) }, O_RL_F),
        (|netuid, _| MaxBurn { netuid, value: Rao(100_000_001) }, O_RL_F),
        (|netuid, _| Difficulty { netuid, value: 7 }, R_F),
        (|netuid, _| BondsMovingAverage { netuid, value: 975_000 }, O_RL_F),
        (|netuid, _| BondsPenalty { netuid, value: 7 }, O_RL_F),
        (|netuid, _| MaxRegistrationsPerBlock { netuid, value: 7 }, R_F),
        (|netuid, _| RaoRecycled { netuid, value: Rao(7) }, R),
        (|netuid, _| CommitRevealWeightsEnabled { netuid, value: false }, O_RL_F),
        (|netuid, _| CommitRevealWeightsInterval { netuid, value: 100 }, O_RL_F),
        (|netuid, _| LiquidAlphaEnabled { netuid, value: false }, any(O_RL_F)),
        (|netuid, _| AlphaValues { netuid, low: 1_638, high: 1_639 }, any(O_RL_F)),
        (|netuid, _| AlphaSigmoidSteepness { netuid, value: 0 }, O_RL_F),
        (|netuid, _| Yuma3Enabled { netuid, value: true }, any(O_RL_F)),
        (|netuid, _| BondsResetEnabled { netuid, value: true }, any(O_RL_F)),
        (|netuid, _| OwnerImmuneNeuronLimit { netuid, value: 10 }, any(O_RL_F)),
        (|netuid, _| MinNonImmuneUids { netuid, value: 7 }, any(R)),
        (|netuid, _| MinAllowedUids { netuid, value: 1 }, R_F),
        (
            |netuid, _| SnOwnerHotkey { netuid, value: HOTKEY },
            Flags { everybody: true, frozen: false, ..after(50_400, NOT_EXISTS) },
        ),
        (|netuid, _| TrimToMaxAllowedUids { netuid, value: 100 }, after(216_000, NOT_EXISTS)),
        (
            |netuid, again| Symbol { netuid, value: if again { "β" } else { "α" }.into() },
            Flags { pause: None, frozen: false, ..any(O_RL_F) },
        ),
        (|_, _| TotalIssuance { value: Rao::whole(7_000_000) }, GLOBAL),
        (|_, _| LockReductionInterval { value: 7 }, GLOBAL),
        (|_, _| DissolveNetworkScheduleDuration { value: 7 }, GLOBAL),
        (|_, _| AdminFreezeWindow { value: 7 }, GLOBAL),
        (|_, _| OwnerHparamRateLimit { value: 7 }, GLOBAL),
        (|_, _| StartCallDelay { value: 7 }, GLOBAL),
        (|_, _| TxRateLimit { value: 7 }, GLOBAL),
        (|_, _| ColdkeySwapAnnouncementDelay { value: 7 }, GLOBAL),
        (|_, _| ColdkeySwapReannouncementDelay { value: 7 }, GLOBAL),
        (|_, _| CommitRevealVersion { value: 7 }, GLOBAL),
        (|_, _| MaxMechanismCount { value: 16 }, GLOBAL),
    ]
};

/// The first block of a tempo of subnet 1, farther from genesis than the longest pause.
const OPEN: u64 = 361 * 700 - 2;
/// A block in which the window of both netuids is closed: subnet 1's epoch is eight blocks away, that of
/// netuid 9 is now.
const CLOSED: u64 = OPEN - 9;

/// A state in which every row's value is legal.
fn prepared() -> State {
    let mut state = network();
    let params = &mut at(&mut state, ONE).params;
    (params.max_allowed_uids, params.min_allowed_uids, params.liquid_alpha) = (128, 2, true);
    let liquid = Params { liquid_alpha: true, ..Params::default() };
    state.subnets.insert(NOWHERE, Subnet { params: liquid, ..Subnet::default() });
    for (uid, hotkey) in (0..).zip([OWNER_HOTKEY, HOTKEY, OTHER_HOTKEY]) {
        let (netuid, via) = (ONE, Via::Burn);
        let placed = Event::NeuronPlaced { netuid, uid, hotkey, replaced: None, via };
        Tx::new(&mut state).emit(placed);
    }
    state
}

/// When the same was ordered before, by the owner.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Before {
    Never,
    /// One block short of the pause.
    TooSoon,
    /// Just the pause ago.
    Rested,
}

fn expected(flags: Flags, origin: Origin, netuid: NetUid, closed: bool, before: Before) -> Outcome {
    let by_owner = origin == Origin::Signed(OWNER) && netuid == ONE;
    if origin != Origin::Root && !(flags.owner && by_owner) {
        return Outcome::Failed(Rejection::BadOrigin);
    }
    let missing = flags.missing.filter(|_| netuid == NOWHERE);
    let held_up = flags.pause.is_some() && before == Before::TooSoon && netuid == ONE;
    if let (true, Some(reason)) = (flags.everybody, missing) {
        return Outcome::Failed(reason);
    }
    if held_up && (by_owner || flags.everybody) {
        return Outcome::Failed(Rejection::TxRateLimitExceeded);
    }
    if flags.frozen && closed {
        return Outcome::Failed(Rejection::AdminActionProhibitedDuringWeightsWindow);
    }
    missing.map_or(Outcome::Ok, Outcome::Failed)
}

/// The order given before, whatever the window.
fn order_before(state: &mut State, order: Order, flags: Flags, height: u64, before: Before) {
    let ago = match before {
        Before::Never => return,
        Before::TooSoon => flags.pause.unwrap_or(1) - 1,
        Before::Rested => flags.pause.unwrap_or(1),
    };
    let window = core::mem::take(&mut state.global.admin_freeze_window);
    state.height = Height(height - ago);
    let origin = if flags.owner { Origin::Signed(OWNER) } else { Origin::Root };
    let (outcome, _) = execute(state, origin, &Call::SudoSet(order(ONE, false)));
    assert_eq!(outcome, Outcome::Ok);
    state.global.admin_freeze_window = window;
}

#[test]
fn nobody_sets_what_they_may_not() {
    let mut done = 0;
    for (order, flags) in ROWS {
        let name = order(ONE, false).name();
        for before in [Before::Never, Before::TooSoon, Before::Rested] {
            for (height, closed) in [(OPEN, false), (CLOSED, true)] {
                let mut state = prepared();
                order_before(&mut state, *order, *flags, height, before);
                state.height = Height(height);
                for netuid in [ONE, NOWHERE] {
                    for origin in [Origin::Root, Origin::Signed(OWNER), Origin::Signed(STAKER)] {
                        let call = Call::SudoSet(order(netuid, true));
                        let (outcome, events) = execute(&mut state.clone(), origin, &call);
                        let expected = expected(*flags, origin, netuid, closed, before);
                        let told = format!("{name} {netuid} by {origin:?} at {height}, {before:?}");
                        assert_eq!(outcome, expected, "{told}");
                        let timed = events.iter().any(|event| event.kind() == "stamped");
                        let times = origin != Origin::Root || flags.everybody;
                        let times = times && flags.pause.is_some() && expected == Outcome::Ok;
                        assert_eq!(timed, times, "{told}: the timer");
                        done += 1;
                    }
                }
            }
        }
    }
    assert_eq!(done, ROWS.len() * 36);
}

#[test]
fn the_sweep_has_every_setting_and_each_changes_its_own_value() {
    let swept: BTreeSet<&str> = ROWS.iter().map(|(order, _)| order(ONE, false).name()).collect();
    assert_eq!(swept, Setting::names().collect());
    assert_eq!(swept.len(), ROWS.len());
    let uids = ["max_allowed_uids", "trim_to_max_allowed_uids"];
    for (order, _) in ROWS {
        let mut state = prepared();
        state.height = Height(OPEN);
        let setting = order(ONE, true);
        let before: Vec<_> = RULES.iter().map(|rule| rule.value(&state, ONE)).collect();
        let (outcome, events) = execute(&mut state, Origin::Root, &Call::SudoSet(setting.clone()));
        assert_eq!(outcome, Outcome::Ok);
        assert!(!events.is_empty(), "{}", setting.name());
        for (rule, before) in RULES.iter().zip(before) {
            // The tempo stays for the windows' sake, and even parts are even parts.
            let still = ["tempo", "mechanism_split"].contains(&rule.name);
            let own = rule.call == setting.name() && !still;
            let own = own || uids.contains(&rule.name) && uids.contains(&of(&setting).name);
            let changed = rule.value(&state, ONE) != before;
            assert_eq!(changed, own, "{} by {}", rule.name, setting.name());
        }
    }
}

/// Some timers are an owner's own, and so the next owner's start afresh; those of a parameter, and that of
/// the owner's hotkey, are the subnet's.
#[test]
fn a_new_owner_inherits_the_timers_of_parameters_only() {
    let own = [
        "sudo_set_weights_version_key",
        "sudo_set_mechanism_count",
        "sudo_set_mechanism_emission_split",
        "sudo_trim_to_max_allowed_uids",
    ];
    for (order, flags) in ROWS.iter().filter(|(_, flags)| flags.pause.is_some()) {
        let mut state = prepared();
        order_before(&mut state, *order, *flags, OPEN, Before::TooSoon);
        state.height = Height(OPEN);
        let call = Call::SudoSet(order(ONE, true));
        let mut set_by = |owner| {
            at(&mut state, ONE).info.owner = Some(owner);
            execute(&mut state.clone(), Origin::Signed(owner), &call).0
        };
        let held_up = Outcome::Failed(Rejection::TxRateLimitExceeded);
        let fresh = own.contains(&call.name());
        assert_eq!(set_by(OTHER), if fresh { Outcome::Ok } else { held_up }, "{}", call.name());
        assert_eq!(set_by(OWNER), held_up, "{}: the old one, back again", call.name());
    }
}

#[test]
fn a_dissolved_subnet_leaves_the_timers_that_are_not_an_owners_own() {
    for (order, flags) in ROWS.iter().filter(|(_, flags)| flags.pause.is_some()) {
        let mut state = prepared();
        order_before(&mut state, *order, *flags, OPEN, Before::TooSoon);
        state.height = Height(OPEN);
        let stamps = state.subnets[&ONE].stamps.clone();
        assert_eq!(stamps.len(), 1);
        let dissolve = Call::RootDissolveNetwork { netuid: ONE };
        assert_eq!(execute(&mut state, Origin::Root, &dissolve).0, Outcome::Ok);
        let kept = stamps.keys().all(|stamp| !stamp.is_personal());
        assert_eq!(state.subnets[&ONE].stamps.is_empty(), !kept);
    }
}
