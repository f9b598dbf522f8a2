//! Replay: the state as a fold of frames, every hash and root checked on the way.

use crate::ahead::{read_ahead, read_ahead_hashed};
use crate::cache::{Cache, CacheError, CacheKind};
use crate::codec::Pieces;
use crate::digests::Digests;
use crate::log::{EventLog, LogError, LogReader, SledLog};
use protocol::apply::{Inconsistent, apply};
use protocol::frame::{Frame, Header};
use protocol::root::{RootHasher, UnhashedRoot};
use protocol::state::State;
use protocol::units::{Hash32, Height};
use protocol::vault::Vault;

/// Why a frame does not fold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FoldError {
    /// It is not the next block.
    #[error("block {found} stands where block {expected} should")]
    Height {
        /// The next block.
        expected: Height,
        /// The block found.
        found: Height,
    },
    /// A hash in its header is not that of what it covers.
    #[error("block {height}: {what} is {found}, the header says {stated}")]
    Hash {
        /// Which block.
        height: Height,
        /// Which hash.
        what: &'static str,
        /// What was computed.
        found: Hash32,
        /// What the header says.
        stated: Hash32,
    },
    /// A state that was stored is none that blocks can follow.
    #[error("block {height}: the state is damaged: {what}")]
    State {
        /// Which block.
        height: Height,
        /// What does not fit.
        what: &'static str,
    },
    /// An event does not fit the state.
    #[error("block {height}: event {index} does not fit the state: {error}")]
    Event {
        /// Which block.
        height: Height,
        /// Which of its events, from 0.
        index: usize,
        /// Why.
        error: Inconsistent,
    },
}

/// Why the state of a block cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The log cannot be read.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The log does not fold.
    #[error(transparent)]
    Fold(#[from] FoldError),
}

/// A state that follows frames.
#[derive(Clone, Debug)]
pub struct Folder {
    state: State,
    header: Header,
}

impl Folder {
    /// Starts from genesis.
    ///
    /// # Errors
    /// The state does not have the root that the header says, or its parts do not fit.
    pub fn new(mut state: State, header: &Header) -> Result<Self, FoldError> {
        if let Some(what) = state.misfit() {
            return Err(FoldError::State { height: header.height, what });
        }
        check_root(&mut state, header)?;
        Ok(Self { state, header: header.clone() })
    }

    /// Starts from a state that was checked before.
    pub const fn at(state: State, header: Header) -> Self {
        Self { state, header }
    }

    /// Follows the next block.
    ///
    /// # Errors
    /// A hash, a root or an event is wrong; the state is then of no use.
    pub fn fold(&mut self, frame: &Frame) -> Result<(), FoldError> {
        self.fold_with(frame, &Digests::of(frame))
    }

    /// The same, with what its header covers hashed before.
    ///
    /// # Errors
    /// A hash, a root or an event is wrong; the state is then of no use.
    pub fn fold_with(&mut self, frame: &Frame, digests: &Digests) -> Result<(), FoldError> {
        let header = &frame.header;
        let height = header.height;
        self.check_place(header)?;
        check(height, "the root of calls", digests.calls, header.calls_root)?;
        check(height, "the root of events", digests.events, header.events_root)?;
        check(height, "the root of off-chain facts", digests.facts, header.facts_root)?;
        self.follow(frame)?;
        self.check_root()
    }

    /// Follows the next block of a log whose stored bytes are checked: its place and its state root, not what else its
    /// header covers. That the bytes are those that were written says their frame hash; that a writer hashed its calls,
    /// events and facts rightly is for whoever verifies ([`Self::fold_with`]).
    ///
    /// # Errors
    /// Its place, its root or an event is wrong; the state is then of no use.
    pub fn fold_stored(&mut self, frame: &Frame) -> Result<(), FoldError> {
        self.follow_stored(frame)?;
        self.check_root()
    }

    /// The same but for the state root, which whoever does so checks.
    ///
    /// # Errors
    /// Its place or an event is wrong; the state is then of no use.
    pub(crate) fn follow_stored(&mut self, frame: &Frame) -> Result<(), FoldError> {
        self.check_place(&frame.header)?;
        self.follow(frame)
    }

    /// Lets another thread hash roots, where they are of the newest kind.
    pub(crate) fn give_hashing_away(&mut self) -> Option<RootHasher> {
        let is_newest = self.state.root() == self.header.state_root;
        is_newest.then(|| self.state.give_hashing_away()).flatten()
    }

    pub(crate) fn unhashed_root(&mut self, room: Option<UnhashedRoot>) -> Option<UnhashedRoot> {
        self.state.unhashed_root(room)
    }

    pub(crate) fn take_hashing_back(&mut self, hasher: RootHasher) {
        self.state.take_hashing_back(hasher);
    }

    fn check_place(&self, header: &Header) -> Result<(), FoldError> {
        let height = header.height;
        let expected = Height(self.header.height.0.saturating_add(1));
        if height != expected {
            return Err(FoldError::Height { expected, found: height });
        }
        check(height, "the hash of the block before", self.header.hash(), header.parent)
    }

    /// Follows the next block by its events alone, and looks at nothing that its header covers: whoever does so calls
    /// [`Self::check_root`] in the end.
    ///
    /// # Errors
    /// An event is wrong; the state is then of no use.
    pub fn follow(&mut self, frame: &Frame) -> Result<(), FoldError> {
        let height = frame.header.height;
        for (index, event) in frame.events.iter().enumerate() {
            apply(&mut self.state, event).map_err(|error| FoldError::Event {
                height,
                index,
                error,
            })?;
        }
        self.state.keep_sealed(&frame.events, &frame.sealed);
        self.header = frame.header.clone();
        Ok(())
    }

    /// Compares the root of the state with what its header says.
    ///
    /// # Errors
    /// They differ.
    pub fn check_root(&mut self) -> Result<(), FoldError> {
        check_root(&mut self.state, &self.header)
    }

    /// The state after the last block folded.
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// That block's header.
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// The state alone.
    pub fn into_state(self) -> State {
        self.state
    }
}

/// Logs of older formats have other kinds of roots, and may go on with this one.
fn check_root(state: &mut State, header: &Header) -> Result<(), FoldError> {
    match check_state_root(header, state.root()) {
        Err(_) if state.older_roots().any(|root| root == header.state_root) => Ok(()),
        checked => checked,
    }
}

/// Compares a root with what its header says.
pub(crate) fn check_state_root(header: &Header, found: Hash32) -> Result<(), FoldError> {
    check(header.height, "the state root", found, header.state_root)
}

fn check(
    height: Height,
    what: &'static str,
    found: Hash32,
    stated: Hash32,
) -> Result<(), FoldError> {
    if found == stated {
        return Ok(());
    }
    Err(FoldError::Hash { height, what, found, stated })
}

/// Keeps a state for [`state_at`], with its vault beside it: a state by itself never has one.
///
/// # Errors
/// It cannot be written.
pub fn store_snapshot(cache: &Cache, state: &State, block: Hash32) -> Result<(), CacheError> {
    cache.store_pieces(CacheKind::Snapshot, state.height, block, encoded_snapshot(state))
}

/// A state as a snapshot holds it.
pub fn encoded_snapshot(state: &State) -> Pieces {
    Pieces::of(&(state, state.vault()))
}

/// The state after a block: from the newest sound snapshot at or before it, else from genesis.
///
/// On the way only the frame hashes are looked at, and the root at the end. Where that is not right, the blocks are
/// followed once more with everything checked, to say which of them it is.
///
/// # Errors
/// The log cannot be read or does not fold.
pub fn state_at(
    log: &SledLog,
    cache: &Cache,
    genesis: impl Fn() -> Result<(State, Header), LogError>,
    at: Height,
) -> Result<Folder, ReadError> {
    let start = |roots| match state_at_snapshot(log, cache, at, roots)? {
        Some(folder) => Ok(folder),
        None => {
            let (state, header) = genesis()?;
            Ok::<_, ReadError>(Folder::new(state, &header)?)
        }
    };
    let mut folder = start(Roots::InTheEnd)?;
    let next = |folder: &Folder| Height(folder.header().height.0.saturating_add(1));
    let first = next(&folder);
    let followed = read_ahead(log, first, at, |blocks| {
        for block in blocks {
            folder.follow(&block?)?;
        }
        folder.check_root()?;
        Ok(folder)
    });
    if !matches!(followed, Err(ReadError::Fold(_))) {
        return followed;
    }
    let mut folder = start(Roots::Everywhere)?;
    read_ahead_hashed(log, next(&folder), at, |blocks| {
        for block in blocks {
            let (frame, digests) = block?;
            folder.fold_with(&frame, &digests)?;
        }
        Ok(folder)
    })
}

/// The same of a log that is being written, up to a block that is in it.
///
/// # Errors
/// The log cannot be read or does not fold.
pub fn state_beside(
    reader: &LogReader,
    cache: &Cache,
    genesis: impl Fn() -> Result<(State, Header), LogError>,
    at: Height,
) -> Result<Folder, ReadError> {
    state_at(reader.log(), cache, genesis, at)
}

/// Where the state's root is compared with the header's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Roots {
    /// Where whoever asked ends.
    InTheEnd,
    /// At the snapshot already.
    Everywhere,
}

fn state_at_snapshot(
    log: &SledLog,
    cache: &Cache,
    at: Height,
    roots: Roots,
) -> Result<Option<Folder>, LogError> {
    let heights = cache.heights(CacheKind::Snapshot).into_iter().rev();
    for height in heights.filter(|height| *height <= at && *height > log.genesis_height()) {
        let header = log.header(height)?;
        let kept = cache.load::<(State, Vault)>(CacheKind::Snapshot, height, header.hash());
        let sound = kept.and_then(|(mut state, vault)| {
            if state.height != height || state.misfit().is_some() {
                return None;
            }
            let whole = vault.covers(&state) && vault.is_sound();
            let sound = roots == Roots::InTheEnd || state.root() == header.state_root;
            state.restore_vault(vault);
            (whole && sound).then_some(state)
        });
        if let Some(state) = sound {
            return Ok(Some(Folder::at(state, header)));
        }
    }
    Ok(None)
}
