//! Sweeps: many runs that differ in settings and seed, made by a pool of processes here or by workers elsewhere, and
//! what they say together.

/// The progress bar of a sweep.
pub mod bar;
/// Jobs and results over a NATS server.
#[cfg(feature = "broker")]
pub mod broker;
/// Sweep files.
mod document;
/// One run of a sweep.
pub mod job;
/// Jobs on this machine.
pub mod local;
/// Figures of a run.
mod measures;
/// From a sweep file to its jobs.
pub mod plan;
/// Processes that make jobs.
pub mod pool;
/// Mean and confidence.
pub mod statistics;
/// Results on disk.
pub mod store;
/// Results as tables.
pub mod table;
