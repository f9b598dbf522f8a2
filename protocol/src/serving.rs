//! Publishing endpoints (30 §11.1).

use crate::balances::require;
use crate::event::Event;
use crate::rejection::{Refusal, Rejection};
use crate::state::{Axon, State};
use crate::tx::Tx;
use crate::units::{AccountId, NetUid};

const LOCALHOST_V4: u128 = 0x7f00_0001;

/// `serve_axon`; the record's block is filled in here.
///
/// # Errors
/// The first check that fails, in the chain's order.
pub fn serve_axon(
    tx: &mut Tx<'_>,
    hotkey: AccountId,
    netuid: NetUid,
    axon: Axon,
) -> Result<(), Rejection> {
    check(tx.state(), &hotkey, netuid, &axon)?;
    let axon = Axon { block: tx.state().height.0, ..axon };
    tx.emit(Event::AxonServed { netuid, hotkey, axon });
    Ok(())
}

fn check(state: &State, hotkey: &AccountId, netuid: NetUid, axon: &Axon) -> Result<(), Rejection> {
    let registered = state.networks().any(|(_, subnet)| subnet.neurons.uid(hotkey).is_some());
    require(registered, Rejection::HotKeyNotRegisteredInNetwork)?;
    require(matches!(axon.ip_type, 4 | 6), Rejection::InvalidIpType)?;
    let servable = match axon.ip_type {
        4 => axon.ip < u128::from(u32::MAX) && axon.ip != LOCALHOST_V4,
        _ => axon.ip != u128::MAX && axon.ip != 1,
    };
    require(servable, Rejection::InvalidIpAddress)?;
    let subnet = state.subnets.get(&netuid);
    // A subnet that does not exist reads the default limit.
    let limit = subnet.map_or(50, |subnet| subnet.params.serving_rate_limit);
    let last = subnet.and_then(|subnet| subnet.axons.get(hotkey)).map_or(0, |axon| axon.block);
    let rested = limit == 0 || last == 0 || state.height.0.saturating_sub(last) >= limit;
    require(rested, Rejection::ServingRateLimitExceeded)?;
    require(axon.port != 0, Rejection::InvalidPort)
}

/// The same checks before inclusion (30 §14.1).
///
/// # Errors
/// The refusal code of the first check that fails.
pub fn admit(
    state: &State,
    hotkey: &AccountId,
    netuid: NetUid,
    axon: &Axon,
) -> Result<(), Refusal> {
    check(state, hotkey, netuid, axon).map_err(|rejection| match rejection {
        Rejection::HotKeyNotRegisteredInNetwork => Refusal::HotkeyNotRegistered,
        Rejection::InvalidIpAddress => Refusal::InvalidIpAddress,
        Rejection::ServingRateLimitExceeded => Refusal::ServingRateLimitExceeded,
        Rejection::InvalidPort => Refusal::InvalidPort,
        _ => Refusal::BadRequest,
    })
}
