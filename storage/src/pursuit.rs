//! Following a log with two threads: one reads, decodes and hashes, one applies events.
//!
//! What belongs here: who waits for whom, and which of several errors is told. What does not: what a block must fulfil
//! (`fold`), which hashes a root is made of (`protocol::root`).

use crate::ahead::{BATCH, BLOCKS_AHEAD_MAX, read_ahead};
use crate::fold::{FoldError, Folder, ReadError, check_state_root};
use crate::log::{LogError, SledLog};
use protocol::frame::{Frame, Header};
use protocol::root::{RootHasher, UnhashedRoot};
use protocol::state::State;
use protocol::units::Height;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;

/// Blocks whose root may wait to be hashed, beside those that are being put together.
pub const ROOTS_WAITING_MAX: usize = 16;

/// Follows the blocks after the folder's up to one, their stored bytes and state roots checked, and shows each with the state
/// after it. A block may be shown before its root is known; if that is wrong, this ends with the error all the same.
///
/// # Errors
/// The log cannot be read or does not fold: the first such block is named.
pub fn pursue(
    folder: &mut Folder,
    log: &SledLog,
    to: Height,
    mut show: impl FnMut(&Frame, &State),
) -> Result<(), ReadError> {
    let first = Height(folder.header().height.0.saturating_add(1));
    let Some(hasher) = folder.give_hashing_away() else {
        // Roots of an older kind are computed from the whole state.
        return read_ahead(log, first, to, |blocks| {
            for block in blocks {
                let frame = block?;
                folder.fold_stored(&frame)?;
                show(&frame, folder.state());
            }
            Ok(())
        });
    };
    thread::scope(|scope| {
        let (hand, take) = sync_channel(ROOTS_WAITING_MAX / BATCH);
        let (give, blocks) = sync_channel(BLOCKS_AHEAD_MAX / BATCH);
        // All there are: those that wait, and those that are put together and hashed meanwhile.
        let (back, rooms) = sync_channel(ROOTS_WAITING_MAX + 2 * BATCH);
        let reading = scope.spawn(move || {
            let mut bench = Bench { hasher, take, back };
            let mut frames = log.frames(first, to);
            bench.read(&mut frames, &give)?;
            drop(give);
            bench.finish()
        });
        let mut desk = Desk { batch: Vec::new(), hand, rooms };
        let follow = || {
            for block in blocks.into_iter().flatten() {
                let frame = block?;
                folder.follow_stored(&frame)?;
                show(&frame, folder.state());
                if !desk.take(folder, frame)? {
                    break;
                }
            }
            Ok(())
        };
        let followed = follow();
        desk.close();
        let hashed = reading.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        // What was hashed is behind what was followed, so its error is the first.
        folder.take_hashing_back(hashed?);
        followed
    })
}

/// What the thread that hashes is handed.
enum Work {
    /// Roots of blocks; the blocks themselves come along to be dropped there.
    Roots(Vec<(UnhashedRoot, Frame)>),
    /// The sum over all entries was found anew.
    Anew(RootHasher),
}

/// Where roots are put together until they are handed over.
struct Desk {
    batch: Vec<(UnhashedRoot, Frame)>,
    hand: SyncSender<Work>,
    rooms: Receiver<UnhashedRoot>,
}

impl Desk {
    /// Takes the root of a block that was followed. Says whether anybody hashes still.
    fn take(&mut self, folder: &mut Folder, frame: Frame) -> Result<bool, FoldError> {
        if let Some(unhashed) = folder.unhashed_root(self.rooms.try_recv().ok()) {
            self.batch.push((unhashed, frame));
            return Ok(self.batch.len() < BATCH || self.pass_on());
        }
        if !self.pass_on() {
            return Ok(false);
        }
        folder.check_root()?;
        let anew = folder.give_hashing_away();
        Ok(anew.is_some_and(|hasher| self.hand.send(Work::Anew(hasher)).is_ok()))
    }

    fn pass_on(&mut self) -> bool {
        let batch = std::mem::replace(&mut self.batch, Vec::with_capacity(BATCH));
        self.hand.send(Work::Roots(batch)).is_ok()
    }

    /// Hands over what is left; there is nothing more.
    fn close(mut self) {
        self.pass_on();
    }
}

/// The thread that reads ahead, and hashes roots in between: on two cores a third thread would take its time from the one
/// that applies events, which has the most to do.
struct Bench {
    hasher: RootHasher,
    take: Receiver<Work>,
    back: SyncSender<UnhashedRoot>,
}

impl Bench {
    /// Reads blocks to their end, or until nobody wants any more.
    fn read(
        &mut self,
        frames: &mut impl Iterator<Item = Result<Frame, LogError>>,
        give: &SyncSender<Vec<Result<Frame, LogError>>>,
    ) -> Result<(), FoldError> {
        loop {
            while let Ok(work) = self.take.try_recv() {
                self.hash(work)?;
            }
            let mut batch: Vec<_> = frames.by_ref().take(BATCH).collect();
            if batch.is_empty() {
                return Ok(());
            }
            loop {
                match give.try_send(batch) {
                    Ok(()) => break,
                    Err(TrySendError::Disconnected(_)) => return Ok(()),
                    Err(TrySendError::Full(full)) => batch = full,
                }
                // Whoever has so many blocks to follow hands over roots of theirs before running out of them.
                let Ok(work) = self.take.recv() else { return Ok(()) };
                self.hash(work)?;
            }
        }
    }

    /// Hashes what is still to come.
    fn finish(mut self) -> Result<RootHasher, FoldError> {
        while let Ok(work) = self.take.recv() {
            self.hash(work)?;
        }
        Ok(self.hasher)
    }

    fn hash(&mut self, work: Work) -> Result<(), FoldError> {
        match work {
            Work::Roots(roots) => {
                for (mut unhashed, frame) in roots {
                    let header: &Header = &frame.header;
                    check_state_root(header, self.hasher.root(&mut unhashed))?;
                    // Where it is not taken, the next one makes room of its own.
                    let _ = self.back.try_send(unhashed);
                }
            }
            Work::Anew(anew) => self.hasher = anew,
        }
        Ok(())
    }
}
