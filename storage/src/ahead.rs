//! Reading ahead: one thread unpacks, decodes and hashes blocks while another folds those before.

use crate::fold::Digests;
use crate::log::{LogError, SledLog};
use protocol::frame::Frame;
use protocol::units::Height;
use std::sync::mpsc::{IntoIter, sync_channel};
use std::thread;

/// Blocks that may wait to be folded.
pub const BLOCKS_AHEAD_MAX: usize = 64;

/// Blocks of a range, ascending, with the hashes of their parts. Ends after the first error.
pub type Ahead = IntoIter<Result<(Frame, Digests), LogError>>;

/// Hands a range of blocks to `fold` as they come; each is checked against the frame hash of the one before.
pub fn read_ahead<R>(log: &SledLog, from: Height, to: Height, fold: impl FnOnce(Ahead) -> R) -> R {
    if from > to {
        let (_, nothing) = sync_channel(0);
        return fold(nothing.into_iter());
    }
    thread::scope(|scope| {
        let (hand, take) = sync_channel(BLOCKS_AHEAD_MAX);
        scope.spawn(move || {
            for frame in log.frames(from, to) {
                let block = frame.map(|frame| {
                    let digests = Digests::of(&frame);
                    (frame, digests)
                });
                if hand.send(block).is_err() {
                    // Whoever folds has seen enough.
                    return;
                }
            }
        });
        fold(take.into_iter())
    })
}
