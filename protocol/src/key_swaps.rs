//! Swaps of keys (30 §15): a hotkey for another, on one subnet or on all; a coldkey for another, announced
//! first and disputable.
//!
//! What belongs here: who may swap what, when, at which cost. What does not: what is keyed by what
//! (`apply`).

use crate::balances::{credit, require, withdraw};
use crate::delegation::owns;
use crate::event::{ColdkeySwapped, Event, HotkeyMoved};
use crate::ledger::index_root_staker;
use crate::rejection::Rejection;
use crate::state::{Links, State};
use crate::tx::Tx;
use crate::units::{AccountId, Alpha, Hash32, NetUid, Rao};
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use blake2::Digest as _;

/// What swapping a key costs; recycled.
pub const KEY_SWAP_COST: Rao = Rao(100_000_000);
/// What swapping a hotkey on one subnet costs; recycled.
pub const SUBNET_SWAP_COST: Rao = Rao(1_000_000);
/// Blocks between a coldkey's hotkey swaps on one subnet, and one more.
pub const SUBNET_SWAP_INTERVAL: u64 = 36_000;

type Blake2b256 = blake2::Blake2b<blake2::digest::consts::U32>;

/// An order to swap a hotkey.
#[derive(Clone, Copy, Debug)]
pub struct HotkeySwap {
    /// Who owns the old one, and the new one afterwards.
    pub coldkey: AccountId,
    /// The hotkey that goes.
    pub old: AccountId,
    /// The hotkey that comes. It may be another's: it is taken over, as on the chain.
    pub new: AccountId,
    /// On which subnet only; everywhere if absent.
    pub netuid: Option<NetUid>,
}

/// `swap_hotkey` (30 §15.1).
///
/// # Errors
/// The first check that fails, in the chain's order.
pub fn swap_hotkey(tx: &mut Tx<'_>, order: &HotkeySwap) -> Result<(), Rejection> {
    let HotkeySwap { coldkey, old, new, netuid } = *order;
    let state = tx.state();
    require(owns(state, coldkey, &old), Rejection::NonAssociatedColdKey)?;
    require(old != new, Rejection::NewHotKeyIsSameWithOld)?;
    let block = state.height.0;
    let keys = state.coldkeys.get(&coldkey);
    let (last, limit) = (keys.map_or(0, |keys| keys.last_tx_block), state.global.tx_rate_limit);
    let rested = limit == 0 || last == 0 || block.saturating_sub(last) > limit;
    require(rested, Rejection::HotKeySetTxRateLimitExceeded)?;
    let registered = state.networks().any(|(_, subnet)| subnet.neurons.uid(&new).is_some());
    require(!registered, Rejection::HotKeyAlreadyRegisteredInSubNet)?;
    match netuid {
        None => swap_everywhere(tx, order),
        Some(netuid) => {
            let last = keys.and_then(|keys| keys.hotkey_swaps.get(&netuid)).copied().unwrap_or(0);
            let rested = last.saturating_add(SUBNET_SWAP_INTERVAL) < block;
            require(rested, Rejection::HotKeySwapOnSubnetIntervalNotPassed)?;
            // Being known as no member counts too (sic).
            let known = state.hotkeys.get(&new).is_some_and(|key| key.not_member.contains(&netuid));
            require(!known, Rejection::HotKeyAlreadyRegisteredInSubNet)?;
            pay_for_swap(
                tx,
                coldkey,
                SUBNET_SWAP_COST,
                Rejection::NotEnoughBalanceToPaySwapHotKey,
            )?;
            tx.emit(swapped(order));
            move_on(tx, order, netuid)
        }
    }
}

fn swapped(order: &HotkeySwap) -> Event {
    let HotkeySwap { coldkey, old, new, netuid } = *order;
    Event::HotkeySwapped { coldkey, old_hotkey: old, new_hotkey: new, netuid }
}

fn swap_everywhere(tx: &mut Tx<'_>, order: &HotkeySwap) -> Result<(), Rejection> {
    let HotkeySwap { coldkey, old, new, .. } = *order;
    pay_for_swap(tx, coldkey, KEY_SWAP_COST, Rejection::NotEnoughBalanceToPaySwapHotKey)?;
    tx.emit(swapped(order));
    let netuids: Vec<NetUid> = tx.state().networks().map(|(netuid, _)| netuid).collect();
    let mut holders = BTreeSet::new();
    for (_, subnet) in tx.state().networks() {
        holders.extend(subnet.pools.get(&old).into_iter().flat_map(|pool| pool.holders.keys()));
    }
    for netuid in netuids {
        move_on(tx, order, netuid)?;
    }
    let lists = |coldkey: &AccountId| {
        tx.state().coldkeys.get(coldkey).is_some_and(|keys| keys.staking.contains(&old))
    };
    let coldkeys: Vec<AccountId> = holders.into_iter().filter(lists).collect();
    if !coldkeys.is_empty() {
        tx.emit(Event::StakingHotkeyReplaced { old_hotkey: old, new_hotkey: new, coldkeys });
    }
    Ok(())
}

/// Takes the price of a swap out of the issuance; a payer within the deposit of it pays less.
fn pay_for_swap(
    tx: &mut Tx<'_>,
    coldkey: AccountId,
    cost: Rao,
    otherwise: Rejection,
) -> Result<(), Rejection> {
    require(tx.state().free(&coldkey) >= cost, otherwise)?;
    let amount = withdraw(tx, coldkey, cost)?;
    tx.emit(Event::IssuanceRecycled { amount });
    Ok(())
}

/// Gives the new hotkey everything the old one has on a subnet.
fn move_on(tx: &mut Tx<'_>, order: &HotkeySwap, netuid: NetUid) -> Result<(), Rejection> {
    let HotkeySwap { old, new, .. } = *order;
    let state = tx.state();
    let subnet = state.subnets.get(&netuid);
    let none = Links::default();
    let links = subnet.and_then(|subnet| subnet.links.get(&old)).unwrap_or(&none);
    let mut related = links.children.iter().chain(&links.parents);
    require(related.all(|(_, account)| *account != new), Rejection::InvalidChild)?;
    let key = state.rules.account_order;
    let (mut children, mut parents) = (links.children.clone(), links.parents.clone());
    children.sort_by_key(|(_, child)| key.key(*child));
    parents.sort_by_key(|(_, parent)| key.key(*parent));
    let pool = subnet.and_then(|subnet| subnet.pools.get(&old));
    let holders =
        pool.into_iter().flat_map(|pool| pool.holders.keys().map(move |holder| (pool, holder)));
    let (holders, alpha): (Vec<AccountId>, Vec<Alpha>) =
        holders.map(|(pool, holder)| (*holder, pool.value(holder))).unzip();
    tx.emit(Event::HotkeyMoved(Box::new(HotkeyMoved {
        netuid,
        old_hotkey: old,
        new_hotkey: new,
        uid: subnet.and_then(|subnet| subnet.neurons.uid(&old)),
        children,
        parents,
        auto_stakers: auto_stakers(state, &old, netuid),
        holders,
        alpha,
    })));
    Ok(())
}

/// Whose mining income of a subnet goes to a hotkey.
fn auto_stakers(state: &State, hotkey: &AccountId, netuid: NetUid) -> Vec<AccountId> {
    let to = |lists: &BTreeMap<NetUid, AccountId>| lists.get(&netuid) == Some(hotkey);
    let all = state.coldkeys.iter().filter(|(_, keys)| to(&keys.auto_stake));
    all.map(|(coldkey, _)| *coldkey).collect()
}

/// Forgets hotkey swaps that are too old to matter, on the subnets whose turn it is (30 §2.1).
pub fn forget_old_swaps(tx: &mut Tx<'_>) {
    let state = tx.state();
    let block = state.height.0;
    let turn = |netuid: &NetUid| u64::from(netuid.0) == block % SUBNET_SWAP_INTERVAL;
    let Some((netuid, _)) = state.networks().find(|(netuid, _)| turn(netuid)) else { return };
    let old = |last: &u64| last.saturating_add(SUBNET_SWAP_INTERVAL) < block;
    let all = state.coldkeys.iter();
    let expired = all.filter(|(_, keys)| keys.hotkey_swaps.get(&netuid).is_some_and(old));
    let coldkeys: Vec<AccountId> = expired.map(|(coldkey, _)| *coldkey).collect();
    if !coldkeys.is_empty() {
        tx.emit(Event::HotkeySwapsForgotten { netuid, coldkeys });
    }
}

/// The hash that announces a coldkey: BLAKE2b-256 of its 32 bytes.
pub fn coldkey_hash(coldkey: &AccountId) -> Hash32 {
    Hash32(Blake2b256::digest(coldkey.0).into())
}

/// Whether a signer is held back by a coldkey swap of its own (30 §14.1).
///
/// # Errors
/// `ColdkeySwapDisputed`, `ColdkeySwapAnnounced`.
pub fn guard(state: &State, signer: &AccountId, is_about_swaps: bool) -> Result<(), Rejection> {
    let Some(keys) = state.coldkeys.get(signer) else { return Ok(()) };
    if keys.swap_announcement.is_none() {
        return Ok(());
    }
    require(keys.swap_disputed_at.is_none(), Rejection::ColdkeySwapDisputed)?;
    require(is_about_swaps, Rejection::ColdkeySwapAnnounced)
}

/// `announce_coldkey_swap` (30 §15.2). The first announcement costs; a later one needs time.
///
/// # Errors
/// `ColdkeySwapReannouncedTooEarly`, `NotEnoughBalanceToPaySwapColdKey`.
pub fn announce(tx: &mut Tx<'_>, coldkey: AccountId, hash: Hash32) -> Result<(), Rejection> {
    let state = tx.state();
    let block = state.height.0;
    let delay = state.global.coldkey_swap_announcement_delay;
    let keys = state.coldkeys.get(&coldkey);
    if let Some(before) = keys.and_then(|keys| keys.swap_announcement) {
        let pause = state.global.coldkey_swap_reannouncement_delay;
        let rested = block >= before.executable_at.saturating_add(pause);
        require(rested, Rejection::ColdkeySwapReannouncedTooEarly)?;
    } else {
        let otherwise = Rejection::NotEnoughBalanceToPaySwapColdKey;
        let before = state.free(&coldkey);
        pay_for_swap(tx, coldkey, KEY_SWAP_COST, otherwise)?;
        let whole = before.minus(tx.state().free(&coldkey)) == KEY_SWAP_COST;
        require(whole, otherwise)?;
    }

    let executable_at = block.saturating_add(delay);
    tx.emit(Event::ColdkeySwapAnnounced { coldkey, hash, executable_at });
    Ok(())
}

/// `swap_coldkey_announced` (30 §15.2).
///
/// # Errors
/// The first check that fails, in the chain's order.
pub fn swap_announced(tx: &mut Tx<'_>, old: AccountId, new: AccountId) -> Result<(), Rejection> {
    let state = tx.state();
    let announced = state.coldkeys.get(&old).and_then(|keys| keys.swap_announcement);
    let announced = announced.ok_or(Rejection::ColdkeySwapAnnouncementNotFound)?;
    let matches = announced.hash == coldkey_hash(&new);
    require(matches, Rejection::AnnouncedColdkeyHashDoesNotMatch)?;
    let ripe = state.height.0 >= announced.executable_at;
    require(ripe, Rejection::ColdkeySwapTooEarly)?;

    swap_coldkey(tx, old, new)?;
    tx.emit(Event::ColdkeySwapCleared { coldkey: old });
    Ok(())
}

/// `swap_coldkey` of root: at once, at a cost to the old coldkey.
///
/// # Errors
/// `NotEnoughBalanceToPaySwapColdKey`, then those of the swap.
pub fn swap_by_root(
    tx: &mut Tx<'_>,
    old: AccountId,
    new: AccountId,
    cost: Rao,
) -> Result<(), Rejection> {
    if cost != Rao::ZERO {
        pay_for_swap(tx, old, cost, Rejection::NotEnoughBalanceToPaySwapColdKey)?;
    }
    swap_coldkey(tx, old, new)?;
    reset(tx, old);
    Ok(())
}

fn swap_coldkey(tx: &mut Tx<'_>, old: AccountId, new: AccountId) -> Result<(), Rejection> {
    let state = tx.state();
    let used = state.coldkeys.get(&new).is_some_and(|keys| !keys.staking.is_empty());
    require(!used, Rejection::ColdKeyAlreadyAssociated)?;
    require(state.owner(&new).is_none(), Rejection::NewColdKeyIsHotkey)?;

    let mut facts =
        ColdkeySwapped { old_coldkey: old, new_coldkey: new, ..ColdkeySwapped::default() };
    let staking = state.coldkeys.get(&old).map_or(&[][..], |keys| &keys.staking);
    for (netuid, subnet) in state.networks() {
        for hotkey in staking {
            let pool = subnet.pools.get(hotkey);
            if let Some(pool) = pool.filter(|pool| pool.holders.contains_key(&old)) {
                facts.netuids.push(netuid);
                facts.hotkeys.push(*hotkey);
                facts.alpha.push(pool.value(&old));
            }
        }
    }
    tx.emit(Event::ColdkeySwapped(Box::new(facts)));
    let root = tx.state().subnet(NetUid::ROOT);
    let holds =
        root.is_some_and(|root| root.pools.values().any(|pool| pool.holders.contains_key(&new)));
    if holds {
        index_root_staker(tx, new);
    }
    let amount = tx.state().free(&old);
    if amount != Rao::ZERO && old != new {
        tx.emit(Event::BalanceWithdrawn { account: old, amount });
        credit(tx, new, amount);
    }
    Ok(())
}

/// `dispute_coldkey_swap`: freezes the account until root resets it.
///
/// # Errors
/// `ColdkeySwapAnnouncementNotFound`, `ColdkeySwapAlreadyDisputed`.
pub fn dispute(tx: &mut Tx<'_>, coldkey: AccountId) -> Result<(), Rejection> {
    let keys = tx.state().coldkeys.get(&coldkey);
    let announced = keys.is_some_and(|keys| keys.swap_announcement.is_some());
    require(announced, Rejection::ColdkeySwapAnnouncementNotFound)?;
    let disputed = keys.is_some_and(|keys| keys.swap_disputed_at.is_some());
    require(!disputed, Rejection::ColdkeySwapAlreadyDisputed)?;

    tx.emit(Event::ColdkeySwapDisputed { coldkey });
    Ok(())
}

/// `reset_coldkey_swap` of root: forgets announcement and dispute.
pub fn reset(tx: &mut Tx<'_>, coldkey: AccountId) {
    // There is no dispute without an announcement.
    let keys = tx.state().coldkeys.get(&coldkey);
    if keys.is_some_and(|keys| keys.swap_announcement.is_some()) {
        tx.emit(Event::ColdkeySwapCleared { coldkey });
    }
}
