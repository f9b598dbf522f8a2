//! Making runs: hub, engine, processes.

/// The chain process.
pub mod chain;
/// What processes owe the system.
pub mod death;
/// One block at a time.
pub mod engine;
/// Disk and time of a run, before it begins.
pub mod estimate;
/// A host process.
pub mod host;
/// The hosts as the engine sees them.
pub mod hosts;
/// Messages and calls between players and chain.
pub mod hub;
/// Starting and ending processes.
pub mod launcher;
/// What no host may learn before its time.
#[cfg(test)]
mod sealed;
/// Counts and the summary.
pub mod totals;
/// What processes say to each other.
pub mod wire;
