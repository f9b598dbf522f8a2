//! The vault: the bytes behind the hashes of timelocked commits. The chain alone has it.
//!
//! What belongs here: keeping bytes as long as a queue names their hash. What does not: opening them
//! (`timelock`). It is no part of a serialised state and of no view, so what is told to players cannot
//! hold it; logs have its content as sealed facts, and snapshots keep it beside the state.

use crate::event::{Event, Sealed};
use crate::payload::hash_of;
use crate::state::State;
use crate::units::Hash32;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::fmt;
use serde::{Deserialize, Serialize};

/// Sealed bytes by their hash.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Vault {
    sealed: BTreeMap<Hash32, Vec<u8>>,
}

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

/// Hashes that queues of timelocked commits name, ascending. There are thousands, and some block in ten asks: most are
/// told apart by their first bytes.
fn named(state: &State) -> Vec<Hash32> {
    let first = |hash: &Hash32| hash.0.first_chunk().map(|bytes| u64::from_be_bytes(*bytes));
    let queues = state.subnets.values().flat_map(|subnet| subnet.timelocked.values());
    let mut named: Vec<Hash32> = queues.flatten().map(|commit| commit.hash).collect();
    named.sort_unstable_by(|one, other| first(one).cmp(&first(other)).then_with(|| one.cmp(other)));
    named
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
        for fact in sealed {
            let Sealed::CommitPayload { commit, payload } = fact;
            self.vault.sealed.insert(*commit, payload.clone());
        }
        if !self.vault.is_empty() && events.iter().any(Event::empties_timelocked) {
            let named = named(self);
            let mut named = named.iter().peekable();
            self.vault.sealed.retain(|hash, _| {
                while named.next_if(|name| *name < hash).is_some() {}
                named.peek() == Some(&hash)
            });
        }
    }
}

impl Event {
    /// Whether it takes commits out of timelocked queues.
    const fn empties_timelocked(&self) -> bool {
        matches!(
            self,
            Self::TimelockedWeightsRevealed { .. }
                | Self::TimelockedCommitDropped { .. }
                | Self::TimelockedCommitsExpired { .. }
                | Self::MechanismCountSet { .. }
                | Self::SubnetDissolved { .. }
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
}
