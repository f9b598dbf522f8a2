//! Parameter calls of root (30 §12): those built so far.

use crate::balances::require;
use crate::call::Setting;
use crate::event::{Event, Parameter};
use crate::registration_math::blocks_until_epoch;
use crate::rejection::Rejection;
use crate::tx::Tx;
use crate::units::NetUid;

/// Sets a parameter on root's behalf.
///
/// # Errors
/// `AdminActionProhibitedDuringWeightsWindow` (also for root), `SubnetDoesNotExist`, bounds.
pub fn set(tx: &mut Tx<'_>, setting: &Setting) -> Result<(), Rejection> {
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
            let most = exists(tx, netuid)?;
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
        Setting::SubnetLimit { value } => (None, Parameter::SubnetLimit, u128::from(value)),
        Setting::SubnetOwnerCut { value } => (None, Parameter::SubnetOwnerCut, u128::from(value)),
        Setting::StakeThreshold { value } => (None, Parameter::StakeThreshold, u128::from(value)),
        Setting::NetworkRateLimit { value } => {
            (None, Parameter::NetworkRateLimit, u128::from(value))
        }
        Setting::NetworkMinLockCost { value } => {
            (None, Parameter::NetworkMinLockCost, u128::from(value.0))
        }
        Setting::NetworkImmunityPeriod { value } => {
            (None, Parameter::NetworkImmunityPeriod, u128::from(value))
        }
    };
    tx.emit(Event::ParameterSet { netuid, name, value });
    Ok(())
}

/// The subnet's uid limit, if the subnet exists.
fn exists(tx: &Tx<'_>, netuid: NetUid) -> Result<u16, Rejection> {
    let subnet = tx.state().subnet(netuid).ok_or(Rejection::SubnetDoesNotExist)?;
    Ok(subnet.params.max_allowed_uids)
}

fn outside_freeze_window(tx: &Tx<'_>, netuid: NetUid) -> Result<(), Rejection> {
    let state = tx.state();
    let tempo = state.subnets.get(&netuid).map_or(0, |subnet| subnet.params.tempo);
    let remaining = blocks_until_epoch(netuid.0, tempo, state.height.0);
    let open = tempo == 0 || remaining >= u64::from(state.global.admin_freeze_window);
    require(open, Rejection::AdminActionProhibitedDuringWeightsWindow)
}
