//! Which of a block's stake headlines are trades, and which only move stake between positions.
//!
//! `StakeAdded` and `StakeRemoved` are written for all of them; the headline of the call that follows tells.

use protocol::event::Event;
use protocol::units::NetUid;
use std::collections::BTreeMap;

/// What a stake headline was part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A swap with the pool on the coldkey's own account.
    Trade,
    /// Stake that went to another hotkey of the same coldkey, without a swap.
    Move,
    /// Stake that went to another coldkey, with or without swaps between.
    Transfer,
}

/// The purposes of the stake headlines of a block that are no trades, by index of the event.
pub fn purposes(events: &[Event]) -> BTreeMap<usize, Purpose> {
    let mut purposes = BTreeMap::new();
    // The stake headlines of the call so far.
    let mut open: Vec<usize> = Vec::new();
    for (index, event) in events.iter().enumerate() {
        match event {
            Event::CallIncluded { .. } => open.clear(),
            Event::StakeAdded { .. } | Event::StakeRemoved { .. } => open.push(index),
            Event::StakeMoved { origin_netuid, destination_netuid, .. }
                if origin_netuid == destination_netuid =>
            {
                purposes.extend(last_pair(&open).map(|index| (index, Purpose::Move)));
            }
            Event::StakeTransferred {
                origin_coldkey,
                destination_coldkey,
                origin_netuid,
                destination_netuid,
                ..
            } => {
                let purpose = transfer(
                    origin_coldkey == destination_coldkey,
                    *origin_netuid,
                    *destination_netuid,
                );
                purposes.extend(last_pair(&open).map(|index| (index, purpose)));
            }
            _ => {}
        }
    }
    purposes
}

/// A transfer to oneself is a trade between subnets; within one the chain refuses it.
fn transfer(to_oneself: bool, from: NetUid, to: NetUid) -> Purpose {
    match to_oneself {
        false => Purpose::Transfer,
        true if from == to => Purpose::Move,
        true => Purpose::Trade,
    }
}

/// The removal and the addition right before the headline.
fn last_pair(open: &[usize]) -> impl Iterator<Item = usize> + '_ {
    open.iter().rev().take(2).copied()
}
