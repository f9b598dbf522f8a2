//! Following a log with three threads: one reads and decodes, one applies events, one hashes.
//!
//! What belongs here: who waits for whom, and which of several errors is told. What does not: what a block must fulfil
//! (`fold`), which hashes a root is made of (`protocol::root`).

use crate::ahead::read_ahead;
use crate::fold::{FoldError, Folder, ReadError, check_state_root};
use crate::log::SledLog;
use protocol::frame::{Frame, Header};
use protocol::root::{RootHasher, UnhashedRoot};
use protocol::state::State;
use protocol::units::Height;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

/// Blocks whose root may wait to be hashed.
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
        let (hand, take) = sync_channel(ROOTS_WAITING_MAX);
        let (back, rooms) = sync_channel(ROOTS_WAITING_MAX);
        let hashing = scope.spawn(move || hash_roots(hasher, &take, &back));
        let followed = read_ahead(log, first, to, |blocks| {
            for block in blocks {
                let frame = block?;
                folder.follow_stored(&frame)?;
                show(&frame, folder.state());
                if !hand_over(folder, frame, &hand, &rooms)? {
                    break;
                }
            }
            Ok(())
        });
        drop(hand);
        let hashed = hashing.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        // What was hashed is behind what was followed, so its error is the first.
        folder.take_hashing_back(hashed?);
        followed
    })
}

/// What the hashing thread is handed.
enum Work {
    /// A block's root; the block itself comes along to be dropped there.
    Root(Box<(UnhashedRoot, Frame)>),
    /// The sum over all entries was found anew.
    Anew(RootHasher),
}

/// Whether anybody hashes still.
fn hand_over(
    folder: &mut Folder,
    frame: Frame,
    hand: &SyncSender<Work>,
    rooms: &Receiver<UnhashedRoot>,
) -> Result<bool, FoldError> {
    if let Some(unhashed) = folder.unhashed_root(rooms.try_recv().ok()) {
        return Ok(hand.send(Work::Root(Box::new((unhashed, frame)))).is_ok());
    }
    folder.check_root()?;
    let anew = folder.give_hashing_away();
    Ok(anew.is_some_and(|hasher| hand.send(Work::Anew(hasher)).is_ok()))
}

fn hash_roots(
    mut hasher: RootHasher,
    take: &Receiver<Work>,
    back: &SyncSender<UnhashedRoot>,
) -> Result<RootHasher, FoldError> {
    for work in take {
        match work {
            Work::Root(work) => {
                let (mut unhashed, frame) = *work;
                let header: &Header = &frame.header;
                check_state_root(header, hasher.root(&mut unhashed))?;
                // Where it is not taken, the next one makes room of its own.
                let _ = back.try_send(unhashed);
            }
            Work::Anew(anew) => hasher = anew,
        }
    }
    Ok(hasher)
}
