//! Parameter calls of root and of subnet owners (30 §12): those built so far.
//!
//! What belongs here: who may set what, and its bounds. What does not: what a parameter means.

use crate::balances::require;
use crate::call::{Origin, Setting};
use crate::event::{Event, Parameter};
use crate::registration_math::blocks_until_epoch;
use crate::rejection::Rejection;
use crate::staking::{clean_up_nominations, nomination_min};
use crate::state::{Params, Stamp, Subnet};
use crate::tx::Tx;
use crate::units::NetUid;

/// Blocks between changes of mechanisms by an owner.
const MECHANISM_RATE_LIMIT: u64 = 7_200;
/// Uids times mechanisms of a subnet at most.
const MECHANISM_UIDS_MAX: u16 = 256;
/// Automatic root claims per block at most.
const ROOT_CLAIMS_MAX: u64 = 50;
/// Highest threshold of a root claim, in alpha's smallest unit.
const ROOT_CLAIM_THRESHOLD_MAX: u64 = 10_000_000;
/// Highest fee of a pool, of 65,535.
const FEE_RATE_MAX: u16 = 10_000;
const ONE_U64F64: u128 = 1 << 64;

/// Sets a parameter on behalf of root, or of a subnet's owner where the chain allows it.
///
/// # Errors
/// `BadOrigin`, `TxRateLimitExceeded` (owners), `AdminActionProhibitedDuringWeightsWindow` (also for
/// root), `SubnetDoesNotExist`, bounds.
pub fn set(tx: &mut Tx<'_>, origin: Origin, setting: &Setting) -> Result<(), Rejection> {
    match setting {
        Setting::RecycleOrBurn { netuid, value } => {
            set_flag_by_owner(tx, origin, *netuid, Parameter::RecycleOrBurn, *value)
        }
        Setting::ToggleTransfer { netuid, value } => {
            set_flag_by_owner(tx, origin, *netuid, Parameter::TransferToggle, *value)
        }
        Setting::MechanismCount { netuid, value } => {
            set_by_owner(tx, origin, *netuid, Stamp::MechanismCount, |tx| {
                outside_freeze_window(tx, *netuid)?;
                set_mechanism_count(tx, *netuid, *value)
            })
        }
        Setting::MechanismEmissionSplit { netuid, value } => {
            set_by_owner(tx, origin, *netuid, Stamp::MechanismSplit, |tx| {
                outside_freeze_window(tx, *netuid)?;
                set_mechanism_split(tx, *netuid, value.as_deref())
            })
        }
        Setting::RootClaimThreshold { netuid, value } => {
            owner_or_root(tx, origin, *netuid)?;
            exists(tx, *netuid)?;
            let allowed = value.0 <= ROOT_CLAIM_THRESHOLD_MAX;
            require(allowed, Rejection::InvalidRootClaimThreshold)?;
            let name = Parameter::RootClaimThreshold;
            set_parameter(tx, Some(*netuid), name, u128::from(value.0));
            Ok(())
        }
        of_root => {
            require(origin == Origin::Root, Rejection::BadOrigin)?;
            set_by_root(tx, of_root)
        }
    }
}

fn set_flag_by_owner(
    tx: &mut Tx<'_>,
    origin: Origin,
    netuid: NetUid,
    name: Parameter,
    value: bool,
) -> Result<(), Rejection> {
    set_by_owner(tx, origin, netuid, Stamp::Parameter(name), |tx| {
        outside_freeze_window(tx, netuid)?;
        exists(tx, netuid)?;
        set_parameter(tx, Some(netuid), name, u128::from(value));
        Ok(())
    })
}

/// Sets what root and the subnet's owner may set; the owner only once in a while.
fn set_by_owner(
    tx: &mut Tx<'_>,
    origin: Origin,
    netuid: NetUid,
    stamp: Stamp,
    write: impl FnOnce(&mut Tx<'_>) -> Result<(), Rejection>,
) -> Result<(), Rejection> {
    owner_or_root(tx, origin, netuid)?;
    let by_owner = origin != Origin::Root;
    let state = tx.state();
    if by_owner && let Some(subnet) = state.subnet(netuid) {
        let last = subnet.stamps.get(&stamp).copied().unwrap_or(0);
        let pause = match stamp {
            Stamp::MechanismCount | Stamp::MechanismSplit => MECHANISM_RATE_LIMIT,
            Stamp::Parameter(_) | Stamp::AddStakeBurn => {
                let tempos = u64::from(state.global.owner_hyperparam_rate_limit);
                u64::from(subnet.params.tempo).saturating_mul(tempos)
            }
        };
        let rested = last == 0 || state.height.0.saturating_sub(last) >= pause;
        require(rested, Rejection::TxRateLimitExceeded)?;
    }
    write(tx)?;
    if by_owner {
        tx.emit(Event::Stamped { netuid, stamp });
    }
    Ok(())
}

/// Who may set what belongs to a subnet: root and its owner.
///
/// # Errors
/// `BadOrigin`, for everybody but root where there is no subnet.
pub fn owner_or_root(tx: &Tx<'_>, origin: Origin, netuid: NetUid) -> Result<(), Rejection> {
    match origin {
        Origin::Root => Ok(()),
        Origin::Signed(signer) => {
            let owner = tx.state().subnet(netuid).and_then(|subnet| subnet.info.owner);
            require(owner == Some(signer), Rejection::BadOrigin)
        }
    }
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
    require(uids <= MECHANISM_UIDS_MAX, Rejection::TooManyUIDsPerMechanism)?;

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

fn set_by_root(tx: &mut Tx<'_>, setting: &Setting) -> Result<(), Rejection> {
    let (netuid, name, value) = match *setting {
        Setting::Tempo { netuid, value } => {
            outside_freeze_window(tx, netuid)?;
            exists(tx, netuid)?;
            (Some(netuid), Parameter::Tempo, u128::from(value))
        }
        Setting::Kappa { netuid, value } => {
            exists(tx, netuid)?;
            (Some(netuid), Parameter::Kappa, u128::from(value))
        }
        Setting::MaxAllowedValidators { netuid, value } => {
            outside_freeze_window(tx, netuid)?;
            let most = exists(tx, netuid)?.params.max_allowed_uids;
            require(value <= most, Rejection::MaxValidatorsLargerThanMaxUIds)?;
            (Some(netuid), Parameter::MaxAllowedValidators, u128::from(value))
        }
        Setting::WeightsSetRateLimit { netuid, value } => {
            exists(tx, netuid)?;
            (Some(netuid), Parameter::WeightsSetRateLimit, u128::from(value))
        }
        Setting::SubtokenEnabled { netuid, value } => {
            outside_freeze_window(tx, netuid)?;
            (Some(netuid), Parameter::SubtokenEnabled, u128::from(value))
        }
        Setting::NetworkRegistrationAllowed { netuid, value } => {
            (Some(netuid), Parameter::NetworkRegistrationAllowed, u128::from(value))
        }
        Setting::EmaPriceHalvingPeriod { netuid, value } => {
            exists(tx, netuid)?;
            (Some(netuid), Parameter::EmaPriceHalvingBlocks, u128::from(value))
        }
        Setting::FeeRate { netuid, value } => {
            let known = tx.state().subnet(netuid).is_some();
            require(known, Rejection::MechanismDoesNotExist)?;
            require(value <= FEE_RATE_MAX, Rejection::FeeRateTooHigh)?;
            (Some(netuid), Parameter::FeeRate, u128::from(value))
        }
        Setting::NominatorMinRequiredStake { value } => {
            return set_nominator_min(tx, value);
        }
        ref global => set_by_root_global(global)?,
    };
    set_parameter(tx, netuid, name, value);
    Ok(())
}

fn set_by_root_global(setting: &Setting) -> Result<(Option<NetUid>, Parameter, u128), Rejection> {
    let (name, value) = match *setting {
        Setting::SubnetLimit { value } => (Parameter::SubnetLimit, u128::from(value)),
        Setting::SubnetOwnerCut { value } => (Parameter::SubnetOwnerCut, u128::from(value)),
        Setting::StakeThreshold { value } => (Parameter::StakeThreshold, u128::from(value)),
        Setting::NetworkRateLimit { value } => (Parameter::NetworkRateLimit, u128::from(value)),
        Setting::NetworkMinLockCost { value } => {
            (Parameter::NetworkMinLockCost, u128::from(value.0))
        }
        Setting::NetworkImmunityPeriod { value } => {
            (Parameter::NetworkImmunityPeriod, u128::from(value))
        }
        Setting::NumRootClaims { value } => {
            require(value <= ROOT_CLAIMS_MAX, Rejection::InvalidNumRootClaim)?;
            (Parameter::NumRootClaims, u128::from(value))
        }
        Setting::CkBurn { value } => (Parameter::ChildkeyBurn, u128::from(value)),
        Setting::TaoFlowCutoff { value } => (Parameter::FlowCutoff, value.cast_unsigned()),
        Setting::TaoFlowNormalizationExponent { value } => {
            let allowed = (ONE_U64F64..=2 * ONE_U64F64).contains(&value);
            require(allowed, Rejection::InvalidValue)?;
            (Parameter::FlowNormExponent, value)
        }
        Setting::TaoFlowSmoothingFactor { value } => (Parameter::FlowSmoothing, u128::from(value)),
        Setting::DefaultTake { value } => (Parameter::MaxDelegateTake, u128::from(value)),
        Setting::MinDelegateTake { value } => (Parameter::MinDelegateTake, u128::from(value)),
        Setting::TxDelegateTakeRateLimit { value } => {
            (Parameter::TxDelegateTakeRateLimit, u128::from(value))
        }
        Setting::TxChildkeyTakeRateLimit { value } => {
            (Parameter::TxChildkeyTakeRateLimit, u128::from(value))
        }
        Setting::MinChildkeyTake { value } => (Parameter::MinChildkeyTake, u128::from(value)),
        Setting::MaxChildkeyTake { value } => (Parameter::MaxChildkeyTake, u128::from(value)),
        Setting::PendingChildkeyCooldown { value } => {
            (Parameter::PendingChildkeyCooldown, u128::from(value))
        }
        Setting::SubnetMovingAlpha { value } => {
            (Parameter::SubnetMovingAlpha, value.cast_unsigned())
        }
        Setting::TxRateLimit { value } => (Parameter::TxRateLimit, u128::from(value)),
        Setting::ColdkeySwapAnnouncementDelay { value } => {
            (Parameter::ColdkeySwapAnnouncementDelay, u128::from(value))
        }
        Setting::ColdkeySwapReannouncementDelay { value } => {
            (Parameter::ColdkeySwapReannouncementDelay, u128::from(value))
        }
        Setting::CommitRevealVersion { value } => {
            (Parameter::CommitRevealVersion, u128::from(value))
        }
        // Those of one subnet are decided by the callers.
        _ => return Err(Rejection::BadOrigin),
    };
    Ok((None, name, value))
}

/// Raising the factor cleans up nominations below the new minimum. The chain compares the new factor
/// with the old minimum in rao (sic).
fn set_nominator_min(tx: &mut Tx<'_>, factor: u64) -> Result<(), Rejection> {
    let before = nomination_min(tx.state());
    set_parameter(tx, None, Parameter::NominatorMinRequiredStake, u128::from(factor));
    if factor > before {
        clean_up_nominations(tx);
    }
    Ok(())
}

fn set_parameter(tx: &mut Tx<'_>, netuid: Option<NetUid>, name: Parameter, value: u128) {
    tx.emit(Event::ParameterSet { netuid, name, value });
}

fn exists<'a>(tx: &'a Tx<'_>, netuid: NetUid) -> Result<&'a Subnet, Rejection> {
    tx.state().subnet(netuid).ok_or(Rejection::SubnetDoesNotExist)
}

fn outside_freeze_window(tx: &Tx<'_>, netuid: NetUid) -> Result<(), Rejection> {
    let state = tx.state();
    // A netuid without a subnet has its tempo too.
    let subnet = state.subnets.get(&netuid);
    let tempo = subnet.map_or_else(|| Params::default().tempo, |subnet| subnet.params.tempo);
    let remaining = blocks_until_epoch(netuid.0, tempo, state.height.0);
    let open = tempo == 0 || remaining >= u64::from(state.global.admin_freeze_window);
    require(open, Rejection::AdminActionProhibitedDuringWeightsWindow)
}
