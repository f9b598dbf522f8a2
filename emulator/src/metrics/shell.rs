//! What the shell says of its processes and of wall time: the last word on each.
//!
//! What belongs here: numbers that no block holds and that decide nothing. What does not: how they are measured (`run`),
//! durations (`timings`).

use actors::registry::Role;
use std::collections::BTreeMap;

/// The last word on everything.
#[derive(Clone, Debug, Default)]
pub struct Shell {
    /// How fast blocks are made.
    pub speed: Option<Speed>,
    /// The log on disk.
    pub log_bytes: Option<u64>,
    /// Players by role.
    pub players: BTreeMap<Role, u64>,
    /// Processes by name.
    pub processes: BTreeMap<String, Process>,
    /// What waits.
    pub queues: BTreeMap<&'static str, u64>,
    /// How the run came so far.
    pub making: Option<Making>,
    /// What became of samples for remote write.
    pub remote: Option<RemoteSamples>,
}

/// How fast blocks are made.
#[derive(Clone, Copy, Debug)]
pub struct Speed {
    /// Over the wall time below.
    pub blocks_per_second: f64,
    /// So far.
    pub wall_seconds: f64,
}

/// A process of the run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Process {
    /// `chain`, `host-0`, …
    pub name: String,
    /// Now.
    pub resident_bytes: u64,
    /// Nothing where the system does not tell.
    pub cpu_seconds: Option<f64>,
    /// That it carries.
    pub players: u64,
    /// Inputs they took.
    pub steps: u64,
}

/// How a live run came so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Making {
    /// How often its processes were started again.
    pub restarts: u64,
    /// Faults below the simulation that were due, by kind.
    pub struck: BTreeMap<&'static str, u64>,
    /// Blocks after which invariants were checked.
    pub checked: u64,
    /// Of these, blocks after which one did not hold.
    pub violated: u64,
}

/// What became of samples for remote write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RemoteSamples {
    /// Taken by the receiver.
    pub sent: u64,
    /// Refused, or dropped while it was away.
    pub lost: u64,
}
