//! Making runs: hub, engine, processes.

/// State, log and counts, and what is done with them beside the players.
pub mod books;
/// Between two blocks.
pub mod border;
/// When simulated faults are in force, over a whole run.
pub mod calendar;
/// Asking a live run.
pub mod caller;
/// The chain process.
pub mod chain;
/// The chain as a process of its own.
pub mod chain_process;
/// What a run goes on from.
pub mod checkpoint;
/// What is asked of a live run.
pub mod control;
/// A run made of records from elsewhere.
pub mod copying;
/// What processes owe the system.
pub mod death;
mod desk;
/// Two blocks compared.
pub mod difference;
/// Faults below the simulation.
pub mod disturbance;
/// Where a live run can be asked.
pub mod door;
/// What making a run took.
pub mod effort;
/// One block at a time.
pub mod engine;
/// Why a run ends badly.
pub mod engine_error;
/// Disk and time of a run, before it begins.
pub mod estimate;
/// What a live run shows.
pub mod exhibit;
/// A log that fails when it should.
pub mod failing_log;
/// The processes that the launcher holds.
pub mod family;
/// What simulated faults do.
pub mod faults;
/// Who is let in.
pub mod greeting;
/// A host process.
pub mod host;
/// The hosts as the engine sees them.
pub mod hosts;
/// Messages and calls between players and chain.
pub mod hub;
/// The command that joins a run.
pub mod invitation;
/// Why a run ends badly, as its user is told.
pub mod launch_error;
/// Starting and ending processes.
pub mod launcher;
/// How bytes get from one process to another.
pub mod link;
/// A log that is timed.
pub mod metered_log;
/// What the launcher tells the chain.
pub mod order;
/// How long processes wait for each other.
pub mod patience;
/// What of a block may be shown.
pub mod public;
/// Deciding a log's calls again.
pub mod re_execution;
/// Running a log's players again.
pub mod re_simulation;
/// Bytes between processes, disturbed.
pub mod relay;
/// What is sound of a damaged run.
pub mod repair;
/// What no host may learn before its time.
#[cfg(test)]
mod sealed;
/// Players on their way into a checkpoint.
pub mod seats;
/// What strangers cannot guess.
pub mod secret;
/// Requests to end.
pub mod signals;
/// How a live run does.
pub mod status;
/// Striking the processes of a run.
pub mod striker;
/// Counts and the summary.
pub mod totals;
/// Conditions that end a run.
pub mod until;
/// What processes say to each other.
pub mod wire;
/// What goes wrong between processes.
pub mod wire_error;
