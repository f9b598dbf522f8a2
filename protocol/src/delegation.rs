//! Delegate takes, owners of hotkeys, destinations of mining income (20 §15, 30 §10.5, §11.3).

use crate::balances::require;
use crate::event::Event;
use crate::rejection::Rejection;
use crate::state::State;
use crate::tx::Tx;
use crate::units::{AccountId, NetUid};

/// Whether a coldkey owns a hotkey.
pub fn owns(state: &State, coldkey: AccountId, hotkey: &AccountId) -> bool {
    state.owner(hotkey) == Some(coldkey)
}

/// `increase_take` (30 §10.5). Takes are of 65,535.
///
/// # Errors
/// The first check that fails, in the chain's order.
pub fn increase_take(
    tx: &mut Tx<'_>,
    coldkey: AccountId,
    hotkey: AccountId,
    take: u16,
) -> Result<(), Rejection> {
    let state = tx.state();
    let entry = owned_hotkey(state, coldkey, &hotkey)?;
    require(entry.take.is_none_or(|now| take > now), Rejection::DelegateTakeTooLow)?;
    require(take <= state.global.delegate_take_max, Rejection::DelegateTakeTooHigh)?;
    let (last, limit) = (entry.take_changed_at, state.global.tx_delegate_take_rate_limit);
    let since = state.height.0.saturating_sub(last);
    let rested = limit == 0 || last == 0 || since > limit;
    require(rested, Rejection::DelegateTxRateLimitExceeded)?;

    tx.emit(Event::DelegateTakeChanged { coldkey, hotkey, take });
    Ok(())
}

/// `decrease_take` (30 §10.5). It restarts the timer of rises and has no limit of its own.
///
/// # Errors
/// The first check that fails, in the chain's order.
pub fn decrease_take(
    tx: &mut Tx<'_>,
    coldkey: AccountId,
    hotkey: AccountId,
    take: u16,
) -> Result<(), Rejection> {
    let state = tx.state();
    let entry = owned_hotkey(state, coldkey, &hotkey)?;
    require(entry.take.is_none_or(|now| take < now), Rejection::DelegateTakeTooLow)?;
    require(take >= state.global.delegate_take_min, Rejection::DelegateTakeTooLow)?;

    tx.emit(Event::DelegateTakeChanged { coldkey, hotkey, take });
    Ok(())
}

fn owned_hotkey<'a>(
    state: &'a State,
    coldkey: AccountId,
    hotkey: &AccountId,
) -> Result<&'a crate::state::Hotkey, Rejection> {
    let entry = state.hotkeys.get(hotkey).filter(|entry| entry.owner.is_some());
    let entry = entry.ok_or(Rejection::HotKeyAccountNotExists)?;
    require(entry.owner == Some(coldkey), Rejection::NonAssociatedColdKey)?;
    Ok(entry)
}

/// `set_coldkey_auto_stake_hotkey` (30 §11.3).
///
/// # Errors
/// The first check that fails, in the chain's order.
pub fn set_auto_stake(
    tx: &mut Tx<'_>,
    coldkey: AccountId,
    netuid: NetUid,
    hotkey: AccountId,
) -> Result<(), Rejection> {
    let state = tx.state();
    let subnet = state.subnet(netuid).ok_or(Rejection::SubnetNotExists)?;
    let registered = subnet.neurons.uid(&hotkey).is_some();
    require(registered, Rejection::HotKeyNotRegisteredInSubNet)?;
    let now = state.coldkeys.get(&coldkey).and_then(|entry| entry.auto_stake.get(&netuid));
    require(now != Some(&hotkey), Rejection::SameAutoStakeHotkeyAlreadySet)?;

    tx.emit(Event::AutoStakeDestinationSet { coldkey, netuid, hotkey });
    Ok(())
}
