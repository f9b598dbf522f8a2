//! The vault: the bytes behind the hashes of timelocked commits. The chain alone has it.
//!
//! What belongs here: keeping bytes as long as a queue names their hash. What does not: opening them
//! (`timelock`). It is no part of a serialised state and of no view, so what is told to players cannot
//! hold it; logs have its content as sealed facts, and snapshots keep it beside the state.

use crate::event::{Event, Sealed};
use crate::payload::hash_of;
use crate::state::State;
use crate::units::Hash32;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::fmt;
use serde::{Deserialize, Serialize};

/// Sealed bytes by their hash.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Vault {
    sealed: BTreeMap<Hash32, Vec<u8>>,
    /// Hashes that queues name, or named, more than once; all others go with the one commit that names them. `None` where
    /// nobody knows.
    #[serde(skip)]
    repeated: Option<BTreeSet<Hash32>>,
}

/// By what it holds.
impl PartialEq for Vault {
    fn eq(&self, other: &Self) -> bool {
        self.sealed == other.sealed
    }
}

impl Eq for Vault {}

/// How many it holds; never what.
impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Vault({} sealed)", self.sealed.len())
    }
}

impl Vault {
    /// The bytes behind a hash.
    pub fn get(&self, hash: &Hash32) -> Option<&[u8]> {
        self.sealed.get(hash).map(Vec::as_slice)
    }

    /// Sealed payloads held.
    pub fn len(&self) -> usize {
        self.sealed.len()
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.sealed.is_empty()
    }

    /// Whether it holds what a state's queues name, all of it and nothing else.
    pub fn covers(&self, state: &State) -> bool {
        let mut named = named(state);
        named.dedup();
        named.iter().eq(self.sealed.keys())
    }

    /// Whether its bytes have the hashes they are known by.
    pub fn is_sound(&self) -> bool {
        self.sealed.iter().all(|(hash, bytes)| hash_of(bytes) == *hash)
    }
}

/// Hashes that queues of timelocked commits name.
fn names(state: &State) -> impl Iterator<Item = &Hash32> {
    let queues = state.subnets.values().flat_map(|subnet| subnet.timelocked.values());
    queues.flatten().map(|commit| &commit.hash)
}

/// The same, ascending. There are thousands: most are told apart by their first bytes.
fn named(state: &State) -> Vec<Hash32> {
    let first = |hash: &Hash32| hash.0.first_chunk().map(|bytes| u64::from_be_bytes(*bytes));
    let mut named: Vec<Hash32> = names(state).copied().collect();
    named.sort_unstable_by(|one, other| first(one).cmp(&first(other)).then_with(|| one.cmp(other)));
    named
}

/// Hashes that queues name more than once.
fn repeated(state: &State) -> BTreeSet<Hash32> {
    let named = named(state);
    named.windows(2).filter(|two| two[0] == two[1]).map(|two| two[0]).collect()
}

impl State {
    /// What the chain has to open commits with.
    pub const fn vault(&self) -> &Vault {
        &self.vault
    }

    /// The vault alone, which the state then lacks.
    pub fn take_vault(&mut self) -> Vault {
        core::mem::take(&mut self.vault)
    }

    /// Gives a state that was read the vault that was kept beside it.
    pub fn restore_vault(&mut self, vault: Vault) {
        self.vault = vault;
    }

    /// Puts a block's sealed facts into the vault, and forgets what no queue names any more: at the end
    /// of the block, with its public events.
    pub fn keep_sealed(&mut self, events: &[Event], sealed: &[Sealed]) {
        if sealed.is_empty() && self.vault.is_empty() {
            return;
        }
        let mut repeated = match self.vault.repeated.take() {
            Some(mut repeated) => {
                let mut fresh = BTreeSet::new();
                for hash in events.iter().filter_map(Event::brings_commit) {
                    if self.vault.sealed.contains_key(&hash) || !fresh.insert(hash) {
                        repeated.insert(hash);
                    }
                }
                repeated
            }
            // By the queues as they are now; what was taken out of them just now may have been there more than once.
            None => {
                let mut repeated = repeated(self);
                repeated.extend(events.iter().filter_map(Event::takes_commit));
                repeated
            }
        };
        for fact in sealed {
            let Sealed::CommitPayload { commit, payload } = fact;
            self.vault.sealed.insert(*commit, payload.clone());
        }
        if events.iter().any(Event::empties_queues) {
            let named = named(self);
            let mut named = named.iter().peekable();
            self.vault.sealed.retain(|hash, _| {
                while named.next_if(|name| *name < hash).is_some() {}
                named.peek() == Some(&hash)
            });
        } else {
            for hash in events.iter().filter_map(Event::takes_commit) {
                if !repeated.contains(&hash) || !names(self).any(|name| *name == hash) {
                    self.vault.sealed.remove(&hash);
                }
            }
        }
        repeated.retain(|hash| self.vault.sealed.contains_key(hash));
        self.vault.repeated = Some(repeated);
    }
}

impl Event {
    /// The commit that it puts into a timelocked queue.
    const fn brings_commit(&self) -> Option<Hash32> {
        match self {
            Self::TimelockedWeightsCommitted { hash, .. } => Some(*hash),
            _ => None,
        }
    }

    /// The one commit that it takes out of a timelocked queue.
    const fn takes_commit(&self) -> Option<Hash32> {
        match self {
            Self::TimelockedWeightsRevealed { hash, .. }
            | Self::TimelockedCommitDropped { hash, .. } => Some(*hash),
            _ => None,
        }
    }

    /// Whether it takes away timelocked queues with all that they hold, and says not what.
    const fn empties_queues(&self) -> bool {
        matches!(
            self,
            Self::TimelockedCommitsExpired { .. }
                | Self::MechanismCountSet { .. }
                | Self::SubnetDissolved { .. }
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::TimelockedCommit;
    use crate::units::{AccountId, NetUid};
    use alloc::{format, vec};

    #[test]
    fn it_tells_nobody_what_it_holds() {
        let mut state = State::default();
        let payload = vec![0xab; 40];
        let commit = hash_of(&payload);
        state.keep_sealed(&[], &[Sealed::CommitPayload { commit, payload: payload.clone() }]);
        assert_eq!(state.vault().get(&commit), Some(&payload[..]));
        assert!(!format!("{state:?}").contains("171, 171"));
        assert!(crate::view::View::new(state.clone()).state().vault().is_empty());
        // Nothing names it, so the first event that empties a queue takes it away.
        assert!(!state.vault().covers(&state) && state.vault().is_sound());
        state.keep_sealed(&[Event::StakeMarkersCleared], &[]);
        assert_eq!(state.vault().len(), 1);
        state
            .keep_sealed(&[Event::MechanismCountSet { netuid: Default::default(), count: 1 }], &[]);
        assert!(state.vault().is_empty() && state.vault().covers(&state));
    }
    #[test]
    fn bytes_stay_as_long_as_any_queue_names_them() {
        let netuid = NetUid(1);
        let payload = vec![7; 40];
        let hash = hash_of(&payload);
        let commit = |hotkey: u8| TimelockedCommit {
            hotkey: AccountId([hotkey; 32]),
            hash,
            ..TimelockedCommit::default()
        };
        let brought = |hotkey: u8, epoch| Event::TimelockedWeightsCommitted {
            hotkey: AccountId([hotkey; 32]),
            netuid,
            mechanism: 0,
            uid: 0,
            hash,
            epoch,
            reveal_round: 0,
        };
        let taken = |hotkey: u8, epoch| Event::TimelockedWeightsRevealed {
            hotkey: AccountId([hotkey; 32]),
            netuid,
            mechanism: 0,
            hash,
            epoch,
            place: 0,
        };
        let fact = || Sealed::CommitPayload { commit: hash, payload: payload.clone() };
        for is_restored in [false, true] {
            let mut state = State::default();
            state.push_timelocked(netuid, (0, 5), commit(1));
            state.keep_sealed(&[brought(1, 5)], &[fact()]);
            state.push_timelocked(netuid, (0, 6), commit(2));
            state.keep_sealed(&[brought(2, 6)], &[fact()]);
            if is_restored {
                let sealed = state.take_vault().sealed;
                state.restore_vault(Vault { sealed, repeated: None });
            }
            state.remove_timelocked(netuid, (0, 5), 0);
            state.keep_sealed(&[taken(1, 5)], &[]);
            assert!(state.vault().get(&hash).is_some() && state.vault().covers(&state));
            state.remove_timelocked(netuid, (0, 6), 0);
            state.keep_sealed(&[taken(2, 6)], &[]);
            assert!(state.vault().is_empty() && state.vault().covers(&state));
            // Brought and taken in one block, twice.
            state.push_timelocked(netuid, (0, 7), commit(1));
            let events = [brought(1, 7), brought(2, 7), taken(2, 7)];
            state.keep_sealed(&events, &[fact(), fact()]);
            assert!(state.vault().covers(&state) && !state.vault().is_empty());
        }
    }
}
