//! The one place where events change the state. Holds no rule.

use crate::event::Event;
use crate::state::State;

/// An event that does not fit the state: a broken invariant live, a damaged log in a reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("event {event} does not fit the state: {what}")]
pub struct Inconsistent {
    /// The event's kind.
    pub event: &'static str,
    /// What did not fit.
    pub what: &'static str,
}

/// Applies an event.
///
/// # Errors
/// The event does not fit the state; the state is then half changed and must be dropped.
pub fn apply(state: &mut State, event: &Event) -> Result<(), Inconsistent> {
    let _ = (state, event);
    Ok(())
}
