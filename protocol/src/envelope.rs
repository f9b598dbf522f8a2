//! What players say to each other, and how a message is addressed.
//!
//! One total order of inputs everywhere: (due, sender, sender's sequence).

use crate::units::{NetUid, PlayerId};
use serde::{Deserialize, Serialize};

/// A message under way between two players, or from a player to itself (a timer).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// When it arrives, in simulated milliseconds since genesis.
    pub due_ms: u64,
    /// Who sent it.
    pub sender: PlayerId,
    /// The sender's count of everything it sent before.
    pub sequence: u64,
    /// Who receives it.
    pub receiver: PlayerId,
    /// When it was sent.
    pub sent_ms: u64,
    /// What it says.
    pub body: Body,
}

/// What a message says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Body {
    /// A validator asks a miner to do a task.
    Query {
        /// On which subnet.
        netuid: NetUid,
        /// Which task; the same number is the same task.
        task: u64,
    },
    /// A miner's answer.
    Answer {
        /// On which subnet.
        netuid: NetUid,
        /// The task asked.
        task: u64,
        /// What the answer is worth by the subnet's measure, in millionths of a perfect one.
        value: u32,
        /// Digest of the answer's content: equal for identical answers.
        digest: u64,
    },
}

/// The key of the one total order.
pub type OrderKey = (u64, PlayerId, u64);

impl Envelope {
    /// Its place in the order of inputs.
    pub const fn order(&self) -> OrderKey {
        (self.due_ms, self.sender, self.sequence)
    }
}
