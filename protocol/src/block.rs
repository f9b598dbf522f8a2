//! The block step as a list of named phases, and the calls of a block.

use crate::call::{Call, Origin};
use crate::event::{Event, Sealed};
use crate::frame::{CallRecord, Facts, Header, RefusedCount, calls_root, events_root, facts_root};
use crate::state::State;
use crate::units::{Hash32, Height, PlayerId};
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// A call that reached the chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Submitted {
    /// When it arrived.
    pub due_ms: u64,
    /// Who submitted it; [`PlayerId::CHAIN`] for the timeline.
    pub player: PlayerId,
    /// The submitter's sequence number.
    pub sequence: u64,
    /// Who signed.
    pub origin: Origin,
    /// The nonce it names; `None` takes the signer's next one, as a wallet does.
    pub nonce: Option<u32>,
    /// What it orders.
    pub call: Call,
}

/// What a block is decided from.
#[derive(Clone, Debug)]
pub struct BlockInput {
    /// The block's number; the state's height plus one.
    pub height: Height,
    /// Simulated milliseconds since genesis.
    pub time_ms: u64,
    /// The block's entropy.
    pub entropy: Hash32,
    /// Calls in the order of inclusion: timeline first, then by (due, player, sequence).
    pub calls: Vec<Submitted>,
    /// Bodies of refused calls kept; further ones are counted.
    pub refused_kept_max: usize,
}

/// What was decided.
#[derive(Clone, Debug, Default)]
pub struct Decided {
    /// Calls with outcomes.
    pub calls: Vec<CallRecord>,
    /// Further refused calls.
    pub refused: Vec<RefusedCount>,
    /// Public events.
    pub events: Vec<Event>,
    /// Sealed facts.
    pub sealed: Vec<Sealed>,
}

/// Decides a block and applies it to the state.
pub fn decide_block(state: &mut State, input: &BlockInput) -> Decided {
    let _ = (state, input);
    Decided::default()
}

/// The header of a block just decided; computes the state root.
pub fn seal(
    state: &mut State,
    parent: Hash32,
    input: &BlockInput,
    decided: &Decided,
    facts: &Facts,
) -> Header {
    Header {
        height: input.height,
        parent,
        time_ms: input.time_ms,
        entropy: input.entropy,
        state_root: state.root(),
        calls_root: calls_root(&decided.calls, &decided.refused),
        events_root: events_root(&decided.events, &decided.sealed),
        facts_root: facts_root(facts),
    }
}
