//! How long the processes of a run wait for each other, in milliseconds of wall time.

/// How long the chain waits for all hosts to join, unless the scenario says otherwise.
pub const HOST_JOIN_MS_MAX: u64 = 300_000;

/// How long a host may be silent before it counts as dead, unless the scenario says otherwise.
pub const HOST_SILENCE_MS_MAX: u64 = 120_000;

/// How long the chain may be silent before it counts as dead, unless the scenario says otherwise.
pub const CHAIN_SILENCE_MS_MAX: u64 = 60_000;
