//! The log: one frame per block, kept by sled, written by bincode; snapshots and checkpoints as caches.

/// Blocks decoded on a thread of their own.
pub mod ahead;
/// Snapshots and checkpoints: files that may be deleted at any time.
pub mod cache;
/// Records found in the bytes of a store that does not open.
pub mod carve;
/// Values as bytes.
pub mod codec;
/// Values as columns.
pub mod columns;
/// Hashes of a block's parts.
pub mod digests;
/// Replay: a fold of frames.
pub mod fold;
/// How a block is written, by the number of its format.
pub mod formats;
/// The operations journal.
pub mod journal;
/// What a log tells of itself beside the store.
pub mod kept;
/// The log itself.
pub mod log;
/// How a record lies in the store.
pub mod part;
/// A whole log as one file.
pub mod portable;
/// Replay on several threads.
pub mod pursuit;
/// What one stored value holds.
pub mod record;
/// Run folders.
pub mod runfolder;
