//! Reading ahead: one thread unpacks, decodes and hashes blocks while another folds those before.

use crate::digests::Digests;
use crate::log::{LogError, SledLog};
use protocol::frame::Frame;
use protocol::units::Height;
use std::iter::Flatten;
use std::sync::mpsc::{IntoIter, sync_channel};
use std::thread;

/// Blocks that may wait to be folded.
pub const BLOCKS_AHEAD_MAX: usize = 64;
/// Blocks that one thread hands another at once: to wake one for each costs a tenth of what the block does.
pub(crate) const BATCH: usize = 4;

/// What became of the blocks of a range, ascending. Ends after the first error.
pub type Ahead<T> = Flatten<IntoIter<Vec<Result<T, LogError>>>>;

/// Hands a range of blocks to `fold` as they come; the stored bytes of each are checked, and that they follow those of
/// the one before.
pub fn read_ahead<R>(
    log: &SledLog,
    from: Height,
    to: Height,
    fold: impl FnOnce(Ahead<Frame>) -> R,
) -> R {
    read_ahead_as(log, from, to, |frame| frame, fold)
}

/// The same with the hashes of their parts.
pub fn read_ahead_hashed<R>(
    log: &SledLog,
    from: Height,
    to: Height,
    fold: impl FnOnce(Ahead<(Frame, Digests)>) -> R,
) -> R {
    let hashed = |frame: Frame| {
        let digests = Digests::of(&frame);
        (frame, digests)
    };
    read_ahead_as(log, from, to, hashed, fold)
}

/// The same with what `prepare` makes of a block, on the reading thread.
fn read_ahead_as<T: Send, R>(
    log: &SledLog,
    from: Height,
    to: Height,
    prepare: impl Fn(Frame) -> T + Send,
    fold: impl FnOnce(Ahead<T>) -> R,
) -> R {
    if from > to {
        let (_, nothing) = sync_channel(0);
        return fold(nothing.into_iter().flatten());
    }
    thread::scope(|scope| {
        let (hand, take) = sync_channel(BLOCKS_AHEAD_MAX / BATCH);
        scope.spawn(move || {
            let mut frames = log.frames(from, to);
            loop {
                let batch: Vec<_> =
                    frames.by_ref().take(BATCH).map(|frame| frame.map(&prepare)).collect();
                // Nothing is left, or whoever folds has seen enough.
                if batch.is_empty() || hand.send(batch).is_err() {
                    return;
                }
            }
        });
        fold(take.into_iter().flatten())
    })
}
