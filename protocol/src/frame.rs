//! A block as the log keeps it: header, calls with outcomes, events, sealed facts, off-chain facts.
//!
//! The block hash covers what the simulation decides and nothing else.

use crate::call::{Call, Origin};
use crate::canon::digest;
use crate::event::{Event, Sealed};
use crate::rejection::{Outcome, Refusal};
use crate::units::{Hash32, Height, PlayerId};
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// What a block's hash covers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// The block's number.
    pub height: Height,
    /// Hash of the block before; of block 0 the simulation hash.
    pub parent: Hash32,
    /// Simulated milliseconds since genesis.
    pub time_ms: u64,
    /// The block's entropy, a draw of the seed.
    pub entropy: Hash32,
    /// Root of the state after the block.
    pub state_root: Hash32,
    /// Digest of calls with outcomes.
    pub calls_root: Hash32,
    /// Digest of events, public and sealed.
    pub events_root: Hash32,
    /// Digest of the off-chain facts.
    pub facts_root: Hash32,
}

impl Header {
    /// The block hash.
    pub fn hash(&self) -> Hash32 {
        digest("btemu block 1", self)
    }
}

/// A call as it was decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallRecord {
    /// Who submitted it; the chain for timeline calls.
    pub player: PlayerId,
    /// The submitter's sequence number.
    pub sequence: u64,
    /// When it reached the chain.
    pub due_ms: u64,
    /// Who signed it.
    pub origin: Origin,
    /// The signer's nonce.
    pub nonce: u32,
    /// What it ordered.
    pub call: Call,
    /// What became of it.
    pub outcome: Outcome,
}

/// Calls refused beyond those kept whole, counted per player and reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedCount {
    /// Who submitted them.
    pub player: PlayerId,
    /// Why they were refused.
    pub reason: Refusal,
    /// How many.
    pub count: u32,
}

/// What happened between the last block and this one off the chain; columns of equal length.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// Players that asked, answered or lost something, ascending.
    pub players: Vec<PlayerId>,
    /// Queries each sent.
    pub queries_sent: Vec<u32>,
    /// Answers each received.
    pub answers_received: Vec<u32>,
    /// Messages of each that the network lost.
    pub lost: Vec<u32>,
    /// Sum over received answers of the time since the query was sent, in milliseconds.
    pub latency_ms: Vec<u64>,
    /// Answers of identical content to one task given by several miners: (netuid, digest, count).
    pub identical_answers: Vec<(u16, u64, u32)>,
    /// Machines that panicked and are idle from here on.
    pub crashes: Vec<PlayerId>,
    /// Messages sent, delivered and lost by all players together.
    pub messages: Messages,
}

/// Message counts of one block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Messages {
    /// Handed to the network (a duplicate counts once).
    pub sent: u64,
    /// Handed to players.
    pub delivered: u64,
    /// Lost by the network.
    pub dropped: u64,
}

/// A decided block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frame {
    /// What the block hash covers.
    pub header: Header,
    /// Calls in the order they were decided.
    pub calls: Vec<CallRecord>,
    /// Further refused calls, counted.
    pub refused: Vec<RefusedCount>,
    /// Public events in order.
    pub events: Vec<Event>,
    /// Facts that players must not see yet.
    pub sealed: Vec<Sealed>,
    /// Off-chain facts.
    pub facts: Facts,
}

/// Digest of a block's calls.
pub fn calls_root(calls: &[CallRecord], refused: &[RefusedCount]) -> Hash32 {
    digest("btemu calls 1", &(calls, refused))
}

/// Digest of a block's events.
pub fn events_root(events: &[Event], sealed: &[Sealed]) -> Hash32 {
    digest("btemu events 1", &(events, sealed))
}

/// Digest of a block's off-chain facts.
pub fn facts_root(facts: &Facts) -> Hash32 {
    digest("btemu facts 1", facts)
}

/// A reader that folds blocks: metrics, exports, accounts. Live and on replay alike.
pub trait Projection {
    /// Called once per block, in order, with the state before and after it.
    fn block(&mut self, frame: &Frame, before: &crate::state::State, after: &crate::state::State);
}
