//! Invariants of the registry: nothing points at what is not there, and what is gone left nothing behind.
//!
//! What belongs here: references between accounts, hotkeys, subnets. What does not: amounts (`invariants`).

use crate::state::State;
use crate::units::{AccountId, Alpha};
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;

/// A hotkey is in its owner's list, once. A former owner may list it still: a swap can take over a
/// hotkey that is another's (sic).
pub(super) fn owners_list_their_hotkeys(state: &State) -> Result<(), String> {
    for (coldkey, lists) in &state.coldkeys {
        let distinct: BTreeSet<&AccountId> = lists.owned.iter().collect();
        if distinct.len() != lists.owned.len() {
            return Err(format!("{coldkey} lists a hotkey twice"));
        }
    }
    for (hotkey, entry) in &state.hotkeys {
        let lists = entry.owner.map(|owner| state.coldkeys.get(&owner));
        if lists.is_some_and(|lists| !lists.is_some_and(|lists| lists.owned.contains(hotkey))) {
            return Err(format!("the owner of {hotkey} does not list it"));
        }
    }
    Ok(())
}

/// Every neuron's hotkey has an owner.
pub(super) fn neurons_owned(state: &State) -> Result<(), String> {
    for (netuid, subnet) in state.networks() {
        let mut hotkeys = subnet.neurons.hotkeys.iter();
        if let Some(stray) = hotkeys.find(|hotkey| state.owner(hotkey).is_none()) {
            return Err(format!("subnet {netuid}: {stray} has a uid and no owner"));
        }
    }
    Ok(())
}

/// Parents and children are mirror images, nobody is both to the same hotkey, and no hotkey gives away
/// more than it has.
pub(super) fn links_mirrored(state: &State) -> Result<(), String> {
    for (netuid, subnet) in state.networks() {
        let edge = |from: &AccountId, to: &AccountId, of_children: bool| {
            let links = subnet.links.get(from);
            let list =
                links.map(|links| if of_children { &links.children } else { &links.parents });
            let mut found = list.into_iter().flatten().filter(|(_, account)| account == to);
            (found.next().map(|(proportion, _)| *proportion), found.next())
        };
        for (hotkey, links) in &subnet.links {
            for (proportion, child) in &links.children {
                if edge(child, hotkey, false) != (Some(*proportion), None) || child == hotkey {
                    return Err(format!("subnet {netuid}: {hotkey} has the child {child}"));
                }
                if edge(hotkey, child, false).0.is_some() {
                    return Err(format!("subnet {netuid}: {child} is both to {hotkey}"));
                }
            }
            for (proportion, parent) in &links.parents {
                if edge(parent, hotkey, true) != (Some(*proportion), None) {
                    return Err(format!("subnet {netuid}: {hotkey} has the parent {parent}"));
                }
            }
            let given: u128 =
                links.children.iter().map(|(proportion, _)| u128::from(*proportion)).sum();
            if given > u128::from(u64::MAX) {
                return Err(format!("subnet {netuid}: {hotkey} gives away {given}"));
            }
        }
    }
    Ok(())
}

/// A netuid without a subnet holds only what the chain leaves behind (30 §5.5): no neurons, rows,
/// commits, stake, claims, links or children to come, and nobody may claim on it. Endpoints can be
/// served on any netuid.
pub(super) fn dissolved_leave_nothing(state: &State) -> Result<(), String> {
    for (netuid, subnet) in state.subnets.iter().filter(|(_, subnet)| !subnet.added) {
        let linked = |links: &crate::state::Links| {
            !links.children.is_empty() || !links.parents.is_empty() || links.children_set_at != 0
        };
        let left = [
            ("neurons", !subnet.neurons.is_empty()),
            ("weights or bonds", !subnet.mechanisms.is_empty()),
            ("commits", !subnet.commits.is_empty()),
            ("children to come", !subnet.pending_children.is_empty()),
            ("links", subnet.links.values().any(linked)),
            ("stake", subnet.pools.values().any(|pool| pool.alpha != Alpha::ZERO)),
            ("reserves", subnet.fast.pool.tao != 0 || subnet.fast.pool.alpha_out != 0),
            ("an owner", subnet.info.owner.is_some() || subnet.info.owner_hotkey.is_some()),
            ("a date", subnet.info.first_emission.is_some() || subnet.info.registered_at != 0),
        ];
        if let Some((what, _)) = left.iter().find(|(_, is_left)| *is_left) {
            return Err(format!("netuid {netuid} has {what}"));
        }
    }
    for ((hotkey, coldkey), claimed) in &state.root_claimed {
        if let Some(netuid) = claimed.keys().find(|netuid| state.subnet(**netuid).is_none()) {
            return Err(format!(
                "{coldkey} claimed behind {hotkey} on netuid {netuid}, which is gone"
            ));
        }
        if claimed.is_empty() {
            return Err(format!("{coldkey} has an empty list of claims behind {hotkey}"));
        }
    }
    for (hotkey, entry) in &state.hotkeys {
        let mut rates = entry.root_claimable.iter().flat_map(|rates| rates.keys());
        if let Some(netuid) = rates.find(|netuid| state.subnet(**netuid).is_none()) {
            return Err(format!("{hotkey} lets claim on netuid {netuid}, which is gone"));
        }
    }
    Ok(())
}

/// Root stakers have the indices 0, 1, 2, ….
pub(super) fn root_stakers_numbered(state: &State) -> Result<(), String> {
    let indices: BTreeSet<u64> =
        state.coldkeys.values().filter_map(|coldkey| coldkey.root_index).collect();
    let count = state.coldkeys.values().filter(|coldkey| coldkey.root_index.is_some()).count();
    let all = indices.iter().copied().eq(0..state.global.root_stakers);
    if !all || count != indices.len() {
        return Err(format!("{count} root stakers, {} indices", indices.len()));
    }
    Ok(())
}
