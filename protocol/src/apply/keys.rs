//! What a swap of keys moves. Holds no rule.

use super::Fit;
use crate::event::{ColdkeySwapped, HotkeyMoved};
use crate::state::State;
use crate::units::{AccountId, Alpha, NetUid};
use alloc::vec::Vec;

/// Ownership, timers and takes of a hotkey that is swapped; what it has on subnets moves by
/// [`move_hotkey`].
pub(super) fn swap_hotkey(
    state: &mut State,
    coldkey: AccountId,
    (old, new): (AccountId, AccountId),
    netuid: Option<NetUid>,
) {
    let height = state.height.0;
    let last_tx = |state: &State, key: &AccountId| {
        state.coldkeys.get(key).map_or(0, |keys| keys.last_tx_block)
    };
    let copied = last_tx(state, &old);
    if copied != last_tx(state, &new) {
        state.coldkey_mut(new).last_tx_block = copied;
    }
    let before = state.hotkeys.get(&old).cloned().unwrap_or_default();
    let mut entry = state.hotkey_mut(new);
    entry.owner = Some(coldkey);
    entry.take_changed_at = before.take_changed_at;
    let everywhere = netuid.is_none();
    if everywhere && before.take.is_some() {
        entry.take = before.take;
    }
    drop(entry);
    if everywhere {
        let mut entry = state.hotkey_mut(old);
        (entry.owner, entry.take, entry.take_changed_at) = (None, None, 0);
        drop(entry);
        if copied != 0 {
            state.coldkey_mut(old).last_tx_block = 0;
        }
    }
    let mut keys = state.coldkey_mut(coldkey);
    if !keys.owned.contains(&new) {
        keys.owned.push(new);
    }
    if everywhere {
        keys.owned.retain(|hotkey| *hotkey != old);
    }
    keys.last_tx_block = height;
    if let Some(netuid) = netuid {
        keys.hotkey_swaps.insert(netuid, height);
    }
}

/// Everything that a subnet keeps under a hotkey, and its root dividends.
pub(super) fn move_hotkey(state: &mut State, facts: &HotkeyMoved) -> Fit<()> {
    super::same_length(&facts.holders, &[facts.alpha.len()])?;
    let (netuid, old, new) = (facts.netuid, facts.old_hotkey, facts.new_hotkey);
    let claimed: Vec<(AccountId, u128)> = facts
        .holders
        .iter()
        .map(|coldkey| {
            let of = |hotkey| state.claimed(hotkey, coldkey, netuid).unwrap_or(0);
            let sum = of(&old).saturating_add(of(&new));
            (*coldkey, sum)
        })
        .collect();
    state.move_pool(netuid, old, new)?;
    for (coldkey, claimed) in claimed {
        state.drop_root_claimed(netuid, old, coldkey);
        state.set_root_claimed(new, coldkey, [(netuid, claimed)]);
        let staking = state.coldkeys.get(&coldkey).map_or(&[][..], |keys| &keys.staking);
        if staking.contains(&old) && !staking.contains(&new) {
            state.coldkey_mut(coldkey).staking.push(new);
        }
    }
    move_membership(state, facts)?;
    move_links(state, facts);
    move_pending_children(state, netuid, old, new);
    for coldkey in &facts.auto_stakers {
        state.coldkey_mut(*coldkey).auto_stake.insert(netuid, new);
    }
    let owner_hotkey = state.subnets.get(&netuid).and_then(|subnet| subnet.info.owner_hotkey);
    if owner_hotkey == Some(old) {
        state.info_mut(netuid).owner_hotkey = Some(new);
    }
    move_dividends(state, netuid, old, new);
    move_claim_rates(state, old, new);
    Ok(())
}

/// The uid with what is served and committed under the hotkey; a hotkey without one is noted as no
/// member.
fn move_membership(state: &mut State, facts: &HotkeyMoved) -> Fit<()> {
    let (netuid, old, new) = (facts.netuid, facts.old_hotkey, facts.new_hotkey);
    if let Some(uid) = facts.uid {
        let (neurons, _) = state.neurons_mut(netuid);
        if neurons.uids.remove(&old) != Some(uid) {
            return Err("the old hotkey does not hold the uid");
        }
        neurons.uids.insert(new, uid);
        *neurons.hotkeys.get_mut(usize::from(uid)).ok_or("no such uid")? = new;
        let subnet = super::existing(state, netuid)?;
        let axon = subnet.axons.get(&old).copied();
        let queues = subnet.commits.iter().filter(|((_, hotkey), _)| *hotkey == old);
        let queues: Vec<_> =
            queues.map(|((mechanism, _), queue)| (*mechanism, queue.clone())).collect();
        if let Some(axon) = axon {
            state.drop_axon(netuid, old);
            state.set_axon(netuid, new, axon);
        }
        for (mechanism, queue) in queues {
            let gone = state.change_commits(netuid, (mechanism, old), queue.len(), None);
            gone.ok_or("commits")?;
            for commit in queue {
                let came = state.change_commits(netuid, (mechanism, new), 0, Some(commit));
                came.ok_or("commits")?;
            }
        }
    }
    if state.hotkeys.get(&old).is_some_and(|entry| entry.not_member.contains(&netuid)) {
        state.hotkey_mut(old).not_member.remove(&netuid);
    }
    let noted = state.hotkeys.get(&new).is_some_and(|entry| entry.not_member.contains(&netuid));
    match facts.uid {
        Some(_) if noted => {
            state.hotkey_mut(new).not_member.remove(&netuid);
        }
        None if !noted => {
            state.hotkey_mut(new).not_member.insert(netuid);
        }
        _ => {}
    }
    Ok(())
}

/// The new hotkey's lists as given; in each counterpart's list the old edge goes and the new one comes last.
fn move_links(state: &mut State, facts: &HotkeyMoved) {
    let (netuid, old, new) = (facts.netuid, facts.old_hotkey, facts.new_hotkey);
    let lists = |state: &State, key: &AccountId| {
        let links = state.subnets.get(&netuid).and_then(|subnet| subnet.links.get(key));
        links.map(|links| (links.children.clone(), links.parents.clone())).unwrap_or_default()
    };
    let (old_lists, new_lists) = (lists(state, &old), lists(state, &new));
    let nothing = (Vec::new(), Vec::new());
    if old_lists == nothing && new_lists == nothing {
        return;
    }
    for (key, (children, parents)) in [(old, &old_lists), (new, &new_lists)] {
        for (_, child) in children {
            state.links_mut(netuid, *child).parents.retain(|(_, parent)| *parent != key);
        }
        for (_, parent) in parents {
            state.links_mut(netuid, *parent).children.retain(|(_, child)| *child != key);
        }
        let links = state.links_mut(netuid, key);
        (links.children, links.parents) = (Vec::new(), Vec::new());
    }
    for (proportion, child) in &facts.children {
        state.links_mut(netuid, *child).parents.push((*proportion, new));
    }
    for (proportion, parent) in &facts.parents {
        state.links_mut(netuid, *parent).children.push((*proportion, new));
    }
    let links = state.links_mut(netuid, new);
    (links.children, links.parents) = (facts.children.clone(), facts.parents.clone());
    let related = [&old_lists, &new_lists].into_iter().flat_map(|(children, parents)| {
        children.iter().chain(parents).map(|(_, account)| *account)
    });
    for key in related.chain([old, new]).collect::<Vec<_>>() {
        state.drop_empty_links(netuid, key);
    }
}

/// Children to come, of the hotkey and of those that named it.
fn move_pending_children(state: &mut State, netuid: NetUid, old: AccountId, new: AccountId) {
    let Some(subnet) = state.subnets.get(&netuid) else { return };
    let own = subnet.pending_children.get(&old).cloned();
    if own.is_some() {
        state.set_pending_children(netuid, old, None);
        state.set_pending_children(netuid, new, own);
    }
    let Some(subnet) = state.subnets.get(&netuid) else { return };
    let mut named = Vec::new();
    for (hotkey, pending) in &subnet.pending_children {
        let mut pending = pending.clone();
        if let Some(at) = pending.children.iter().position(|(_, child)| *child == old) {
            let (proportion, _) = pending.children.remove(at);
            pending.children.push((proportion, new));
            named.push((*hotkey, pending));
        }
    }
    for (hotkey, pending) in named {
        state.set_pending_children(netuid, hotkey, Some(pending));
    }
}

/// The last epoch's alpha dividends; root's part stays, as on the chain.
fn move_dividends(state: &mut State, netuid: NetUid, old: AccountId, new: AccountId) {
    let dividends = state.last_dividends_mut(netuid);
    let mut moved = Alpha::ZERO;
    if let Some((alpha, root)) = dividends.get_mut(&old) {
        moved = alpha.take().unwrap_or(Alpha::ZERO);
        if root.is_none() {
            dividends.remove(&old);
        }
    }
    let (alpha, _) = dividends.entry(new).or_default();
    *alpha = Some(alpha.unwrap_or(Alpha::ZERO).plus(moved));
}

/// What a unit of root stake may claim, on all subnets whichever is swapped (sic).
fn move_claim_rates(state: &mut State, old: AccountId, new: AccountId) {
    let rates = state.hotkeys.get(&old).and_then(|entry| entry.root_claimable.clone());
    let known = state.hotkeys.get(&new).is_some_and(|entry| entry.root_claimable.is_some());
    if rates.is_some() {
        state.hotkey_mut(old).root_claimable = None;
    }
    if rates.is_some() || !known {
        let mut entry = state.hotkey_mut(new);
        let own = entry.root_claimable.get_or_insert_default();
        for (netuid, rate) in rates.unwrap_or_default() {
            let sum = own.get(&netuid).copied().unwrap_or(0).saturating_add(rate);
            own.insert(netuid, sum);
        }
    }
    state.drop_empty_hotkey(old);
}

/// Everything that is keyed by a coldkey, but for its free balance and its announcement.
pub(super) fn swap_coldkey(state: &mut State, facts: &ColdkeySwapped) -> Fit<()> {
    super::same_length(&facts.netuids, &[facts.hotkeys.len(), facts.alpha.len()])?;
    let (old, new, height) = (facts.old_coldkey, facts.new_coldkey, state.height.0);
    let before = state.coldkeys.get(&old).cloned().unwrap_or_default();
    let netuids: Vec<NetUid> = state.networks().map(|(netuid, _)| netuid).collect();
    for netuid in netuids {
        if super::existing(state, netuid)?.info.owner == Some(old) {
            state.info_mut(netuid).owner = Some(new);
        }
        if let Some(hotkey) = before.auto_stake.get(&netuid) {
            state.coldkey_mut(old).auto_stake.remove(&netuid);
            state.coldkey_mut(new).auto_stake.insert(netuid, *hotkey);
        }
    }
    for (netuid, hotkey) in facts.netuids.iter().zip(&facts.hotkeys) {
        let netuid = *netuid;
        super::existing(state, netuid)?;
        let claimed = |coldkey| state.claimed(hotkey, coldkey, netuid).unwrap_or(0);
        let claimed = claimed(&old).saturating_add(claimed(&new));
        state.move_holder(netuid, *hotkey, old, new)?;
        state.drop_root_claimed(netuid, *hotkey, old);
        state.set_root_claimed(*hotkey, new, [(netuid, claimed)]);
    }
    for hotkey in &before.owned {
        state.hotkey_mut(*hotkey).owner = Some(new);
    }
    let mut keys = state.coldkey_mut(old);
    (keys.owned, keys.staking) = (Vec::new(), Vec::new());
    let identity = keys.identity.clone();
    drop(keys);
    let mut keys = state.coldkey_mut(new);
    for hotkey in &before.staking {
        if !keys.staking.contains(hotkey) {
            keys.staking.push(*hotkey);
        }
    }
    for hotkey in &before.owned {
        if !keys.owned.contains(hotkey) {
            keys.owned.push(*hotkey);
        }
    }
    keys.last_tx_block = height;
    if identity.is_some() && keys.identity.is_none() {
        keys.identity = identity;
        drop(keys);
        state.coldkey_mut(old).identity = None;
    }
    Ok(())
}
