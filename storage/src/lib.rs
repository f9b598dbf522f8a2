//! The log: one frame per block, kept by sled, written by bincode; snapshots and checkpoints as caches.

/// Snapshots and checkpoints: files that may be deleted at any time.
pub mod cache;
/// Values as bytes.
pub mod codec;
/// Values as columns.
pub mod columns;
/// Replay: a fold of frames.
pub mod fold;
/// The operations journal.
pub mod journal;
/// The log itself.
pub mod log;
/// What one stored value holds.
pub mod record;
/// Run folders.
pub mod runfolder;
