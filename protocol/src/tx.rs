//! A transaction: the state seen through `emit`, with savepoints.
//!
//! Its only mutation is `Tx::emit`, which records the event and applies it through the one
//! `apply`. An error rolls back what its savepoint emitted; nothing is cloned.

use crate::apply::apply;
use crate::event::{Event, Sealed};
use crate::index::Entry;
use crate::state::State;
use crate::units::{AccountId, Hash32};
use alloc::vec::Vec;

/// A state and what is being emitted on it.
pub struct Tx<'a> {
    state: &'a mut State,
    events: Vec<Event>,
    sealed: Vec<Sealed>,
    entropy: Hash32,
}

impl<'a> Tx<'a> {
    /// A transaction on a state, outside any savepoint, in a block without entropy.
    pub fn new(state: &'a mut State) -> Self {
        Self::in_block(state, Hash32::default())
    }

    /// A transaction on a state, outside any savepoint, in a block of that entropy.
    pub fn in_block(state: &'a mut State, entropy: Hash32) -> Self {
        Self { state, events: Vec::new(), sealed: Vec::new(), entropy }
    }

    /// Goes on with a block in which this was emitted already.
    pub fn resume(
        state: &'a mut State,
        entropy: Hash32,
        (events, sealed): (Vec<Event>, Vec<Sealed>),
    ) -> Self {
        Self { state, events, sealed, entropy }
    }

    /// The block's entropy.
    pub fn entropy(&self) -> Hash32 {
        self.entropy
    }

    /// The next `count` share entries behind `after`, in the chain's storage order.
    pub(crate) fn holders_after(&mut self, after: Option<Entry>, count: usize) -> Vec<Entry> {
        self.state.holders_after(after, count)
    }

    /// The root staker of an index.
    pub(crate) fn root_staker(&mut self, index: u64) -> Option<AccountId> {
        self.state.root_staker(index)
    }

    /// The state as it stands, with everything emitted so far.
    pub fn state(&self) -> &State {
        self.state
    }

    /// Records an event and applies it.
    ///
    /// # Panics
    /// The event does not fit the state: a rule is broken, and the process must end.
    pub fn emit(&mut self, event: Event) {
        if let Err(error) = apply(self.state, &event) {
            panic!("broken invariant in block {}: {error}", self.state.height);
        }
        self.events.push(event);
    }

    /// Records a fact that players must not see yet.
    pub fn seal(&mut self, fact: Sealed) {
        self.sealed.push(fact);
    }

    /// Runs a part that either happens whole or not at all.
    ///
    /// # Errors
    /// Those of the part; everything it emitted is then undone and forgotten.
    pub fn attempt<T, E>(
        &mut self,
        part: impl FnOnce(&mut Tx<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let mark = self.state.open_savepoint();
        let (events, sealed) = (self.events.len(), self.sealed.len());
        let result = part(self);
        if result.is_err() {
            self.state.roll_back(mark);
            self.events.truncate(events);
            self.sealed.truncate(sealed);
        }
        self.state.close_savepoint();
        result
    }

    /// What was emitted.
    pub fn finish(self) -> (Vec<Event>, Vec<Sealed>) {
        (self.events, self.sealed)
    }
}
