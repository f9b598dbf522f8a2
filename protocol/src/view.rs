//! What a player may see: the public state, folded from public events. Sealed facts are another
//! type and never reach it.

use crate::apply::{Inconsistent, apply};
use crate::event::Event;
use crate::state::State;

/// A read model of the chain's public state.
#[derive(Clone, Debug, Default)]
pub struct View {
    state: State,
}

impl View {
    /// A view that starts from a state, without the vault.
    pub fn new(mut state: State) -> Self {
        drop(state.take_vault());
        Self { state }
    }

    /// The public state.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Folds the public events of one block.
    ///
    /// # Errors
    /// An event that does not fit the state.
    pub fn fold(&mut self, events: &[Event]) -> Result<(), Inconsistent> {
        events.iter().try_for_each(|event| apply(&mut self.state, event))
    }
}
