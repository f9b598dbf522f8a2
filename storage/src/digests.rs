//! What the hashes of a block's parts are, whatever its header says.

use protocol::frame::{Frame, calls_root, events_root, facts_root};
use protocol::units::Hash32;

/// What the hashes of a block's parts are, whatever its header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digests {
    /// Of its calls.
    pub calls: Hash32,
    /// Of its events.
    pub events: Hash32,
    /// Of its off-chain facts.
    pub facts: Hash32,
}

impl Digests {
    /// Hashes a block's calls, events and off-chain facts.
    pub fn of(frame: &Frame) -> Self {
        Self {
            calls: calls_root(&frame.calls, &frame.refused),
            events: events_root(&frame.events, &frame.sealed),
            facts: facts_root(&frame.facts),
        }
    }
}
