//! The books of a run: the state and what is known of its blocks, and the caches on their way to disk.
//!
//! What belongs here: what follows a decided block without the players, which is done on threads of its own while they
//! go on. What does not: when a block is decided, and who waits for whom (`engine`).

use super::checkpoint::Checkpoint;
use super::difference::difference;
use super::engine_error::EngineError;
use super::re_execution::take_kind_of_root;
use super::totals::Totals;
use crate::metrics::{Metrics, Phase, Timings};
use protocol::block::{BlockInput, Decided, Opened, decide_block, decide_opened, open_block, seal};
use protocol::frame::{Facts, Frame, Header};
use protocol::invariants::{Checker, Violation};
use protocol::state::State;
use protocol::units::{Hash32, Height};
use std::collections::VecDeque;
use storage::cache::{Cache, CacheError, CacheKind};
use storage::codec::Pieces;
use storage::fold::encoded_snapshot;
use storage::log::EventLog;
use tokio::task::{JoinError, JoinHandle};

/// Checkpoints that are kept, the newest ones close together.
pub const CHECKPOINTS_MAX: usize = 8;

/// Snapshots that are kept, the newest ones close together.
pub const SNAPSHOTS_MAX: usize = 64;

/// Caches that are written at a time; a further one waits, and the run with it.
pub const CACHES_WRITTEN_MAX: usize = 2;

/// Violations told one by one; further ones are counted.
const VIOLATIONS_TOLD_MAX: u64 = 10;

/// When there are snapshots.
#[derive(Clone, Copy, Debug, Default)]
pub struct SnapshotRule {
    /// Blocks between them; 0 for none.
    pub interval: u64,
    /// Bytes of blocks after which there is one earlier; 0 for no such bound.
    pub bytes: u64,
}

/// The state, the log, and what was counted up to the last block.
#[derive(Debug)]
pub struct Books {
    /// The log, open for writing.
    pub log: Box<dyn EventLog + Send>,
    /// After the last block.
    pub state: State,
    /// Of the last block.
    pub header: Header,
    /// Over all blocks.
    pub totals: Totals,
    /// Checks each block, if that is asked for.
    pub checker: Option<Checker>,
    /// Blocks after which an invariant did not hold.
    pub violations: u64,
    /// Blocks after which invariants were checked.
    pub checked: u64,
    /// The first invariant that did not hold.
    pub violation: Option<Violation>,
    /// Who is told of blocks.
    pub metrics: Option<Metrics>,
    /// Who is told how long things took.
    pub timings: Timings,
    /// When there are snapshots.
    pub snapshots: SnapshotRule,
    /// The genesis block.
    pub genesis: Height,
    /// The log's length when there was a snapshot last.
    pub packed_bytes: u64,
    /// The block of the last snapshot.
    pub snapshot_at: Option<Height>,
    /// The next block, if it has begun on the state already; then it must be made.
    pub opened: Option<Opened>,
}

/// A block that was decided and is in no book yet.
#[derive(Debug)]
pub struct Entry {
    /// What it was decided from.
    pub input: BlockInput,
    /// What was decided.
    pub decided: Decided,
    /// What happened off the chain.
    pub facts: Facts,
}

/// A block in the books.
#[derive(Debug)]
pub struct Entered {
    /// The block.
    pub frame: Frame,
    /// The snapshot that was due after it.
    pub snapshot: Option<Snapshot>,
}

/// A snapshot to be written.
#[derive(Debug)]
pub struct Snapshot {
    height: Height,
    tip: Hash32,
    state: Pieces,
    totals: Totals,
}

impl Books {
    /// Begins the next block on the state.
    pub fn open(&mut self, height: Height, entropy: Hash32) {
        self.opened = Some(open_block(&mut self.state, height, entropy));
    }

    /// Decides the next block on the state, or the rest of it.
    pub fn decide(&mut self, input: BlockInput, facts: Facts) -> Entry {
        let decided = match self.opened.take() {
            Some(opened) => decide_opened(&mut self.state, &input, opened),
            None => decide_block(&mut self.state, &input),
        };
        Entry { input, decided, facts }
    }

    /// The whole of a decided block, with its roots.
    pub fn seal(&mut self, entry: Entry) -> Frame {
        let Entry { input, decided, facts } = entry;
        let parent = self.header.hash();
        let mut header = seal(&mut self.state, parent, &input, &decided, &facts);
        if header.height <= self.log.tip()
            && let Ok(held) = self.log.header(header.height)
        {
            take_kind_of_root(&self.state, &mut header, &held);
        }
        let Decided { calls, refused, events, sealed, .. } = decided;
        Frame { header, calls, refused, events, sealed, facts }
    }

    /// Seals a decided block, keeps it, and counts it.
    ///
    /// # Errors
    /// The log cannot be written, or holds another block there.
    pub fn enter(&mut self, entry: Entry) -> Result<Entered, EngineError> {
        let timings = self.timings.clone();
        let frame = timings.during(Phase::Seal, || self.seal(entry));
        timings.during(Phase::Append, || self.keep(&frame))?;
        timings.during(Phase::Count, || self.count(&frame));
        let snapshot = self.is_snapshot_due().then(|| self.snapshot());
        Ok(Entered { frame, snapshot })
    }

    /// Counts a block.
    pub fn count(&mut self, frame: &Frame) {
        self.header = frame.header.clone();
        self.totals.add(frame);
        self.check();
        if let Some(metrics) = &self.metrics {
            metrics.block(frame, &self.state);
        }
        let (events, calls) = (frame.events.len(), frame.calls.len());
        tracing::debug!(height = frame.header.height.0, events, calls, tip = %frame.header.hash(), "a block");
    }

    /// Appends a block, or compares it with the one the log holds.
    fn keep(&mut self, frame: &Frame) -> Result<(), EngineError> {
        let height = frame.header.height;
        if height > self.log.tip() {
            return Ok(self.log.append(frame)?);
        }
        match difference(&self.log.frame(height)?, frame) {
            None => Ok(()),
            Some(difference) => Err(EngineError::Diverged { height: height.0, difference }),
        }
    }

    fn check(&mut self) {
        let Some(checker) = &mut self.checker else { return };
        self.checked += 1;
        let Err(violation) = checker.check(&self.state) else { return };
        self.violations += 1;
        if self.violations <= VIOLATIONS_TOLD_MAX {
            let Violation { height, name, detail } = &violation;
            tracing::warn!(height, name, detail, "an invariant does not hold");
        }
        self.violation.get_or_insert(violation);
    }

    fn is_snapshot_due(&self) -> bool {
        let SnapshotRule { interval, bytes } = self.snapshots;
        let since = self.log.packed_bytes() - self.packed_bytes;
        let is_large = bytes != 0 && since >= bytes;
        is_large || is_due(self.header.height.0 - self.genesis.0, interval)
    }

    /// The state as a snapshot holds it; the rule counts from here.
    pub fn snapshot(&mut self) -> Snapshot {
        self.packed_bytes = self.log.packed_bytes();
        self.snapshot_at = Some(self.header.height);
        Snapshot {
            height: self.header.height,
            tip: self.header.hash(),
            state: encoded_snapshot(&self.state),
            totals: self.totals.clone(),
        }
    }
}

/// Whether something that comes once an interval comes now; never, if there is no interval.
pub const fn is_due(blocks: u64, interval: u64) -> bool {
    interval != 0 && blocks.is_multiple_of(interval)
}

/// Writes caches on threads of their own. One that cannot be written costs time later, not truth: it is told and
/// the run goes on.
#[derive(Debug)]
pub struct Scribe {
    cache: Cache,
    work: VecDeque<JoinHandle<()>>,
}

impl Scribe {
    /// Writes into these caches.
    pub const fn new(cache: Cache) -> Self {
        Self { cache, work: VecDeque::new() }
    }

    /// Writes a snapshot.
    pub async fn snapshot(&mut self, snapshot: Snapshot) {
        let Snapshot { height, tip, state, totals } = snapshot;
        let write = move |cache: Cache| {
            let stored = cache.store_pieces(CacheKind::Snapshot, height, tip, state);
            told(&cache, CacheKind::Snapshot, height, stored, SNAPSHOTS_MAX);
            let stored = cache.store(CacheKind::Totals, height, tip, &totals);
            told(&cache, CacheKind::Totals, height, stored, SNAPSHOTS_MAX);
        };
        self.write(write).await;
    }

    /// Writes a checkpoint for a block.
    pub async fn checkpoint(&mut self, checkpoint: Checkpoint, height: Height, tip: Hash32) {
        let write = move |cache: Cache| {
            let stored = cache.store(CacheKind::Checkpoint, height, tip, &checkpoint);
            told(&cache, CacheKind::Checkpoint, height, stored, CHECKPOINTS_MAX);
        };
        self.write(write).await;
    }

    async fn write(&mut self, work: impl FnOnce(Cache) + Send + 'static) {
        while self.work.len() >= CACHES_WRITTEN_MAX {
            self.finish_one().await;
        }
        let cache = self.cache.clone();
        self.work.push_back(tokio::task::spawn_blocking(move || work(cache)));
    }

    async fn finish_one(&mut self) {
        if let Some(work) = self.work.pop_front() {
            done(work.await);
        }
    }

    /// Caches that are being written, or wait for it.
    pub fn under_way(&self) -> u64 {
        self.work.iter().filter(|work| !work.is_finished()).count() as u64
    }

    /// Waits until all is written.
    pub async fn finish(&mut self) {
        while !self.work.is_empty() {
            self.finish_one().await;
        }
    }
}

/// What came of work on another thread; its panic goes on in this one.
fn done<T>(ended: Result<T, JoinError>) -> T {
    ended.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
}

/// Makes room where a cache was stored, and says where it was not.
fn told(
    cache: &Cache,
    kind: CacheKind,
    height: Height,
    stored: Result<(), CacheError>,
    keep: usize,
) {
    match stored {
        Ok(()) => {
            tracing::debug!(%height, ?kind, "a cache was written");
            cache.thin(kind, keep);
        }
        Err(error) => tracing::warn!(%error, "no {kind:?} at block {height}"),
    }
}
