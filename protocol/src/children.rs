//! Parents and children: hotkeys that lend their stake weight on a subnet (30 §10).
//!
//! What belongs here: who may order children, when they take effect. What does not: what the links
//! mean for stake weight (`weights`) and dividends (`epoch`).

use crate::balances::require;
use crate::delegation::owns;
use crate::event::Event;
use crate::index::storage_order;
use crate::registration_math::blocks_until_epoch;
use crate::rejection::Rejection;
use crate::staking::hotkey_value;
use crate::state::{Links, State, Subnet};
use crate::tx::Tx;
use crate::units::{AccountId, NetUid};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

/// Children a hotkey may order.
pub const CHILDREN_MAX: usize = 5;
/// Blocks between orders for children of one hotkey on one subnet.
pub const CHILDREN_RATE_LIMIT: u64 = 150;

/// `set_children` (30 §10.2). Proportions are of 2⁶⁴−1; an empty list takes all children away.
///
/// # Errors
/// The first check that fails, in the chain's order.
pub fn set_children(
    tx: &mut Tx<'_>,
    coldkey: AccountId,
    hotkey: AccountId,
    netuid: NetUid,
    children: &[(u64, AccountId)],
) -> Result<(), Rejection> {
    let state = tx.state();
    let block = state.height.0;
    let links = state.subnets.get(&netuid).and_then(|subnet| subnet.links.get(&hotkey));
    let last = links.map_or(0, |links| links.children_set_at);
    let rested = last == 0 || block.saturating_sub(last) >= CHILDREN_RATE_LIMIT;
    require(rested, Rejection::TxRateLimitExceeded)?;
    require(!netuid.is_root(), Rejection::RegistrationNotPermittedOnRootSubnet)?;
    let subnet = state.subnet(netuid).ok_or(Rejection::SubnetNotExists)?;
    require(owns(state, coldkey, &hotkey), Rejection::NonAssociatedColdKey)?;
    let distinct: BTreeSet<AccountId> = children.iter().map(|(_, child)| *child).collect();
    require(distinct.len() == children.len(), Rejection::DuplicateChild)?;
    let none = Links::default();
    let links = links.unwrap_or(&none);
    fits(&hotkey, &links.children, links)?;
    require(!distinct.contains(&hotkey), Rejection::InvalidChild)?;
    require(children.len() <= CHILDREN_MAX, Rejection::TooManyChildren)?;
    fits(&hotkey, children, links)?;
    let backed = children.is_empty()
        || subnet.info.owner_hotkey == Some(hotkey)
        || hotkey_value(state, &hotkey) >= state.global.stake_threshold;
    require(backed, Rejection::NotEnoughStakeToSetChildkeys)?;

    let apply_block = block.saturating_add(state.global.pending_childkey_cooldown);
    let children = children.to_vec();
    tx.emit(Event::ChildrenScheduled { hotkey, netuid, apply_block, children });
    Ok(())
}

/// Whether a hotkey with these links may have these children.
fn fits(hotkey: &AccountId, children: &[(u64, AccountId)], links: &Links) -> Result<(), Rejection> {
    require(children.iter().all(|(_, child)| child != hotkey), Rejection::InvalidChild)?;
    let sum: u128 = children.iter().map(|(proportion, _)| u128::from(*proportion)).sum();
    require(sum <= u128::from(u64::MAX), Rejection::ProportionOverflow)?;
    let is_parent = |account: &AccountId| links.parents.iter().any(|(_, parent)| parent == account);
    let both = children.iter().any(|(_, child)| is_parent(child));
    require(!both, Rejection::ChildParentInconsistency)
}

/// Puts ordered children in force whose time has come, on the subnets at their epoch slot; of orders
/// that conflict the first in storage order wins, the others are lost (30 §10.3).
pub fn apply_due(tx: &mut Tx<'_>) {
    for (netuid, hotkey) in due(tx.state()) {
        let state = tx.state();
        let order = state.rules.account_order;
        let Some(subnet) = state.subnet(netuid) else { continue };
        let Some(pending) = subnet.pending_children.get(&hotkey) else { continue };
        let none = Links::default();
        let links = subnet.links.get(&hotkey).unwrap_or(&none);
        // Sorted, and each once: a swap can put one hotkey twice into an order; its last part counts.
        let children: BTreeMap<[u8; 32], (u64, AccountId)> =
            pending.children.iter().map(|entry| (order.key(entry.1), *entry)).collect();
        let children: Vec<(u64, AccountId)> = children.into_values().collect();
        if fits(&hotkey, &children, links).is_err() {
            tx.emit(Event::ChildrenDiscarded { hotkey, netuid });
            continue;
        }
        let mut parents = links.parents.clone();
        parents.sort_by_key(|(_, parent)| order.key(*parent));
        tx.emit(Event::ChildrenSet { hotkey, netuid, children, parents });
    }
}

fn due(state: &State) -> Vec<(NetUid, AccountId)> {
    let block = state.height.0;
    let at_slot = |netuid: NetUid, subnet: &Subnet| {
        blocks_until_epoch(netuid.0, subnet.params.tempo, block) == 0
    };
    let mut due = Vec::new();
    for (netuid, subnet) in state.networks() {
        if subnet.pending_children.is_empty() || !at_slot(netuid, subnet) {
            continue;
        }
        let pending = subnet.pending_children.iter();
        let ripe = pending.filter(|(_, pending)| pending.apply_block < block);
        let mut hotkeys: Vec<AccountId> = ripe.map(|(hotkey, _)| *hotkey).collect();
        hotkeys.sort_by_key(storage_order);
        due.extend(hotkeys.into_iter().map(|hotkey| (netuid, hotkey)));
    }
    due
}

/// `set_childkey_take` (30 §10.4), of 65,535. The subnet need not exist, as on the chain.
///
/// # Errors
/// The first check that fails, in the chain's order.
pub fn set_childkey_take(
    tx: &mut Tx<'_>,
    coldkey: AccountId,
    hotkey: AccountId,
    netuid: NetUid,
    take: u16,
) -> Result<(), Rejection> {
    let state = tx.state();
    require(owns(state, coldkey, &hotkey), Rejection::NonAssociatedColdKey)?;
    require(take <= state.global.childkey_take_max, Rejection::InvalidChildkeyTake)?;
    let links = state.subnets.get(&netuid).and_then(|subnet| subnet.links.get(&hotkey));
    let (now, last) = links.map_or((0, 0), |links| (links.take, links.take_set_at));
    let since = state.height.0.saturating_sub(last);
    let rested = last == 0 || since >= state.global.tx_childkey_take_rate_limit;
    require(take <= now || rested, Rejection::TxChildkeyTakeRateLimitExceeded)?;

    tx.emit(Event::ChildkeyTakeSet { hotkey, netuid, take });
    Ok(())
}
