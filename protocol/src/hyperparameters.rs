//! Parameter calls of root and of subnet owners (30 §12).
//!
//! What belongs here: who may set what, and its bounds. What does not: what a parameter means, and the
//! facts of each, which are one table.

use crate::balances::{leak, require};
use crate::call::{Origin, Setting};
use crate::event::{Event, Parameter};
use crate::registration_math::blocks_until_epoch;
use crate::rejection::Rejection;
use crate::staking::{clean_up_nominations, nomination_min};
use crate::state::{Leak, Params, Stamp, State, Subnet};
use crate::tx::Tx;
use crate::units::{NetUid, Rao};
use crate::{symbols, trimming};
use table::{Freeze, Pause, Rule, Setter};

/// Which parameter a setting changes, and its new value as events carry it.
pub mod change;
/// One row per parameter.
pub mod table;

/// Uids of a subnet at most; uids times mechanisms too.
const UIDS_MAX: u16 = 256;
/// Mechanisms that a subnet may ever have.
const MECHANISMS_MAX: u8 = 16;
/// Automatic root claims per block at most.
const ROOT_CLAIMS_MAX: u64 = 50;
/// Highest threshold of a root claim, in alpha's smallest unit.
const ROOT_CLAIM_THRESHOLD_MAX: u64 = 10_000_000;
/// Highest fee of a pool, of 65,535.
const FEE_RATE_MAX: u16 = 10_000;
/// A subnet's lowest burn is below this.
const MIN_BURN_BOUND: Rao = Rao::whole(1);
/// A subnet's highest burn is above this.
const MAX_BURN_BOUND: Rao = Rao(100_000_000);
/// Highest weight of old bonds that an owner may set, in millionths.
const BONDS_MOVING_AVERAGE_MAX: u64 = 975_000;
/// Longest reveal period, in epochs.
const REVEAL_PERIOD_MAX: u64 = 100;
/// Lowest alphas of liquid alpha: a fortieth of 65,535.
const ALPHA_MIN: u16 = 1_638;
/// The owner's neurons that nobody takes, at most.
const IMMUNE_OWNER_UIDS_MAX: u16 = 10;
const ONE_U64F64: u128 = 1 << 64;

/// Sets a parameter on behalf of root, or of a subnet's owner where the chain allows it.
///
/// # Errors
/// `BadOrigin`, `TxRateLimitExceeded` (owners), `AdminActionProhibitedDuringWeightsWindow` (also for
/// root), no such subnet, bounds.
pub fn set(tx: &mut Tx<'_>, origin: Origin, setting: &Setting) -> Result<(), Rejection> {
    let rule = table::of(setting);
    let netuid = change::netuid_of(setting);
    let stamp = permit(tx.state(), origin, rule, netuid)?;
    write(tx, origin, setting)?;

    if let (Some(netuid), Some(stamp)) = (netuid, stamp) {
        tx.emit(Event::Stamped { netuid, stamp });
    }
    Ok(())
}

/// Whether this origin may set this parameter now, whatever the value; tells the timer to restart.
fn permit(
    state: &State,
    origin: Origin,
    rule: &Rule,
    netuid: Option<NetUid>,
) -> Result<Option<Stamp>, Rejection> {
    let Some(netuid) = netuid else {
        require(origin == Origin::Root, Rejection::BadOrigin)?;
        return Ok(None);
    };
    match rule.setter {
        Setter::Owner => owner_or_root(state, origin, netuid)?,
        Setter::Root | Setter::Nobody => require(origin == Origin::Root, Rejection::BadOrigin)?,
    }
    let subnet = state.subnet(netuid);
    if let Pause::Everybody(..) = rule.pause {
        // The one call that looks for the subnet before the timer.
        permit_subnet(rule, subnet)?;
    }
    let timer = timer_of(state, rule, origin, netuid);
    if let Some((stamp, pause)) = timer {
        let last = subnet.and_then(|subnet| subnet.stamps.get(&stamp).copied()).unwrap_or(0);
        let rested = last == 0 || state.height.0.saturating_sub(last) >= pause;
        require(rested, Rejection::TxRateLimitExceeded)?;
    }
    if rule.freeze == Freeze::Closes {
        let open = !is_frozen(state, netuid);
        require(open, Rejection::AdminActionProhibitedDuringWeightsWindow)?;
    }
    permit_subnet(rule, subnet)?;
    Ok(timer.map(|(stamp, _)| stamp))
}

fn permit_subnet(rule: &Rule, subnet: Option<&Subnet>) -> Result<(), Rejection> {
    match rule.missing {
        Some(reason) => require(subnet.is_some(), reason),
        None => Ok(()),
    }
}

fn owner_or_root(state: &State, origin: Origin, netuid: NetUid) -> Result<(), Rejection> {
    match origin {
        Origin::Root => Ok(()),
        Origin::Signed(signer) => {
            let owner = state.subnet(netuid).and_then(|subnet| subnet.info.owner);
            require(owner == Some(signer), Rejection::BadOrigin)
        }
    }
}

/// The timer that a change by this origin waits for and restarts, and its blocks; none where it does
/// not wait.
pub fn timer_of(
    state: &State,
    rule: &Rule,
    origin: Origin,
    netuid: NetUid,
) -> Option<(Stamp, u64)> {
    if let Pause::Everybody(blocks, stamp) = rule.pause {
        return Some((stamp, blocks));
    }
    let Origin::Signed(owner) = origin else { return None };
    let blocks = |tempos| tempo(state, netuid).saturating_mul(tempos);
    match rule.pause {
        Pause::None | Pause::Everybody(..) => None,
        Pause::Tempos(parameter) => {
            let tempos = u64::from(state.global.owner_hyperparam_rate_limit);
            Some((Stamp::Parameter(parameter), blocks(tempos)))
        }
        Pause::VersionKeyTempos => {
            let tempos = state.global.weights_version_key_rate_limit;
            Some((Stamp::WeightsVersionKey(owner), blocks(tempos)))
        }
        Pause::Blocks(blocks, stamp) => Some((stamp(owner), blocks)),
    }
}

/// The tempo in blocks; a netuid without a subnet has one too.
fn tempo(state: &State, netuid: NetUid) -> u64 {
    let subnet = state.subnets.get(&netuid);
    u64::from(subnet.map_or_else(|| Params::default().tempo, |subnet| subnet.params.tempo))
}

/// Whether it is so short before a subnet's epoch that some calls are refused.
pub fn is_frozen(state: &State, netuid: NetUid) -> bool {
    let tempo = u16::try_from(tempo(state, netuid)).unwrap_or(u16::MAX);
    let remaining = blocks_until_epoch(netuid.0, tempo, state.height.0);
    tempo != 0 && remaining < u64::from(state.global.admin_freeze_window)
}

/// Checks the bounds and changes the parameter.
fn write(tx: &mut Tx<'_>, origin: Origin, setting: &Setting) -> Result<(), Rejection> {
    match setting {
        Setting::MechanismCount { netuid, value } => set_mechanism_count(tx, *netuid, *value),
        Setting::MechanismEmissionSplit { netuid, value } => {
            set_mechanism_split(tx, *netuid, value.as_deref())
        }
        Setting::TrimToMaxAllowedUids { netuid, value } => trimming::trim(tx, *netuid, *value),
        Setting::SnOwnerHotkey { netuid, value } => {
            tx.emit(Event::SubnetOwnerHotkeySet { netuid: *netuid, hotkey: *value });
            Ok(())
        }
        Setting::Symbol { netuid, value } => symbols::update(tx, *netuid, value),
        Setting::NominatorMinRequiredStake { value } => {
            set_nominator_min(tx, *value);
            Ok(())
        }
        Setting::TotalIssuance { value } => set_total_issuance(tx, *value),
        plain => {
            check_bounds(tx.state(), origin, plain)?;
            let netuid = change::netuid_of(plain);
            for (name, value) in change::values_of(plain) {
                tx.emit(Event::ParameterSet { netuid, name, value });
            }
            Ok(())
        }
    }
}

/// The bounds of a new value, in the chain's order.
fn check_bounds(state: &State, origin: Origin, setting: &Setting) -> Result<(), Rejection> {
    let by_root = origin == Origin::Root;
    match *setting {
        Setting::MaxAllowedValidators { netuid, value } => {
            let most = params(state, netuid).max_allowed_uids;
            require(value <= most, Rejection::MaxValidatorsLargerThanMaxUIds)
        }
        Setting::MaxAllowedUids { netuid, value } => check_max_uids(state, netuid, value),
        Setting::MinAllowedUids { netuid, value } => {
            let most = params(state, netuid).max_allowed_uids;
            require(value < most, Rejection::MinAllowedUidsGreaterThanMaxAllowedUids)?;
            let below = usize::from(value) < neurons(state, netuid);
            require(below, Rejection::MinAllowedUidsGreaterThanCurrentUids)
        }
        Setting::ActivityCutoff { value, .. } => {
            let least = state.global.min_activity_cutoff;
            require(value >= least, Rejection::ActivityCutoffTooLow)
        }
        Setting::MinBurn { netuid, value } => {
            require(value < MIN_BURN_BOUND, Rejection::ValueNotInBounds)?;
            let most = params(state, netuid).max_burn;
            require(value < most, Rejection::ValueNotInBounds)
        }
        Setting::MaxBurn { netuid, value } => {
            require(value > MAX_BURN_BOUND, Rejection::ValueNotInBounds)?;
            let least = params(state, netuid).min_burn;
            require(value > least, Rejection::ValueNotInBounds)
        }
        Setting::BondsMovingAverage { value, .. } => {
            let allowed = by_root || value <= BONDS_MOVING_AVERAGE_MAX;
            require(allowed, Rejection::BondsMovingAverageMaxReached)
        }
        Setting::CommitRevealWeightsInterval { value, .. } => {
            require(value <= REVEAL_PERIOD_MAX, Rejection::RevealPeriodTooLarge)?;
            require(value >= 1, Rejection::RevealPeriodTooSmall)
        }
        Setting::AlphaValues { netuid, low, high } => {
            let liquid = params(state, netuid).liquid_alpha;
            require(liquid, Rejection::LiquidAlphaDisabled)?;
            require(high >= ALPHA_MIN, Rejection::AlphaHighTooLow)?;
            let inside = (ALPHA_MIN..=high).contains(&low);
            require(inside, Rejection::AlphaLowOutOfRange)
        }
        Setting::AlphaSigmoidSteepness { value, .. } => {
            require(by_root || value >= 0, Rejection::NegativeSigmoidSteepness)
        }
        Setting::OwnerImmuneNeuronLimit { value, .. } => {
            let allowed = (1..=IMMUNE_OWNER_UIDS_MAX).contains(&value);
            require(allowed, Rejection::InvalidValue)
        }
        Setting::RootClaimThreshold { value, .. } => {
            let allowed = value.0 <= ROOT_CLAIM_THRESHOLD_MAX;
            require(allowed, Rejection::InvalidRootClaimThreshold)
        }
        Setting::FeeRate { value, .. } => require(value <= FEE_RATE_MAX, Rejection::FeeRateTooHigh),
        Setting::NumRootClaims { value } => {
            require(value <= ROOT_CLAIMS_MAX, Rejection::InvalidNumRootClaim)
        }
        Setting::TaoFlowNormalizationExponent { value } => {
            let allowed = (ONE_U64F64..=2 * ONE_U64F64).contains(&value);
            require(allowed, Rejection::InvalidValue)
        }
        Setting::MaxMechanismCount { value } => {
            let allowed = (1..=MECHANISMS_MAX).contains(&value);
            require(allowed, Rejection::InvalidValue)
        }
        _ => Ok(()),
    }
}

fn check_max_uids(state: &State, netuid: NetUid, value: u16) -> Result<(), Rejection> {
    let params = params(state, netuid);
    let above_least = value >= params.min_allowed_uids;
    require(above_least, Rejection::MaxAllowedUidsLessThanMinAllowedUids)?;
    let holds_all = usize::from(value) >= neurons(state, netuid);
    require(holds_all, Rejection::MaxAllowedUIdsLessThanCurrentUIds)?;
    require(value <= UIDS_MAX, Rejection::MaxAllowedUidsGreaterThanDefaultMaxAllowedUids)?;
    let uids = value.saturating_mul(u16::from(params.mechanism_count));
    require(uids <= UIDS_MAX, Rejection::TooManyUIDsPerMechanism)
}

/// The parameters of a netuid, which it has without a subnet too.
fn params(state: &State, netuid: NetUid) -> Params {
    state.subnets.get(&netuid).map(|subnet| subnet.params.clone()).unwrap_or_default()
}

fn neurons(state: &State, netuid: NetUid) -> usize {
    state.subnet(netuid).map_or(0, |subnet| subnet.neurons.len())
}

/// `sudo_set_mechanism_count` (30 §8.1).
///
/// # Errors
/// `SubnetNotExists`, `InvalidValue`, `TooManyUIDsPerMechanism`.
pub fn set_mechanism_count(tx: &mut Tx<'_>, netuid: NetUid, count: u8) -> Result<(), Rejection> {
    let state = tx.state();
    let subnet = state.subnet(netuid).ok_or(Rejection::SubnetNotExists)?;
    let allowed = (1..=state.global.max_mechanism_count).contains(&count);
    require(allowed, Rejection::InvalidValue)?;
    let uids = subnet.params.max_allowed_uids.saturating_mul(u16::from(count));
    require(uids <= UIDS_MAX, Rejection::TooManyUIDsPerMechanism)?;

    if count != subnet.params.mechanism_count {
        tx.emit(Event::MechanismCountSet { netuid, count });
    }
    Ok(())
}

/// `sudo_set_mechanism_emission_split` (30 §8.1), of 65,535.
///
/// # Errors
/// `SubnetNotExists`, `InvalidValue`.
pub fn set_mechanism_split(
    tx: &mut Tx<'_>,
    netuid: NetUid,
    split: Option<&[u16]>,
) -> Result<(), Rejection> {
    let subnet = tx.state().subnet(netuid).ok_or(Rejection::SubnetNotExists)?;
    if let Some(split) = split {
        let fits = (1..=usize::from(subnet.params.mechanism_count)).contains(&split.len());
        require(fits, Rejection::InvalidValue)?;
        let sum: u64 = split.iter().map(|part| u64::from(*part)).sum();
        require(sum == u64::from(u16::MAX), Rejection::InvalidValue)?;
    }

    let split = split.map(<[u16]>::to_vec);
    tx.emit(Event::MechanismSplitSet { netuid, split });
    Ok(())
}

/// Raising the factor cleans up nominations below the new minimum. The chain compares the new factor
/// with the old minimum in rao (sic).
fn set_nominator_min(tx: &mut Tx<'_>, factor: u64) {
    let before = nomination_min(tx.state());
    let (name, value) = (Parameter::NominatorMinRequiredStake, u128::from(factor));
    tx.emit(Event::ParameterSet { netuid: None, name, value });
    if factor > before {
        clean_up_nominations(tx);
    }
}

/// Overwrites the counter. What it says beyond balances, pools and leaks is booked as opening.
///
/// # Errors
/// `InvalidValue` for less than balances and pools hold, and from 2⁶³ rao on. Differs: the chain takes any
/// value and saturates later.
fn set_total_issuance(tx: &mut Tx<'_>, issuance: Rao) -> Result<(), Rejection> {
    let state = tx.state();
    let change = i128::from(issuance.0) - i128::from(state.global.total_issuance.0);
    let explained = change >= 0 || state.leaks.issuance() + change >= 0;
    let opening = i128::from(state.leaks.opening) + change;
    let fits = i64::try_from(issuance.0).is_ok() && i64::try_from(opening).is_ok();
    require(explained && fits, Rejection::InvalidValue)?;

    let (name, value) = (Parameter::TotalIssuance, u128::from(issuance.0));
    tx.emit(Event::ParameterSet { netuid: None, name, value });
    leak(tx, Leak::Opening, change);
    Ok(())
}
