//! The engine of a run: slices, then the block, then the log, then the players. One block at a time.
//!
//! What belongs here: the order of those steps, resuming, crossing forks, caches. What does not: processes and sockets
//! (`chain`, `launcher`), messages (`hub`), rules (`protocol`), what a fork changes (`genesis`).

use super::difference::{Difference, difference};
use super::hosts::{HostError, Hosts};
use super::hub::{Hub, HubMemory};
use super::totals::Totals;
use crate::clock::{Pace, Stopwatch};
use crate::metrics::Metrics;
use crate::plan::{Course, Fork, Plan};
use actors::host::{HostCheckpoint, Seated};
use protocol::block::{decide_block, seal};
use protocol::frame::{Frame, Header};
use protocol::invariants::{Checker, Violation};
use protocol::state::State;
use protocol::units::{Hash32, Height};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use storage::cache::{Cache, CacheKind};
use storage::fold::{ReadError, state_at, store_snapshot};
use storage::log::{EventLog, LogError, SledLog};

/// Checkpoints that are kept, the newest ones close together.
pub const CHECKPOINTS_MAX: usize = 8;

/// Snapshots that are kept, the newest ones close together.
pub const SNAPSHOTS_MAX: usize = 64;

/// Violations told one by one; further ones are counted.
const VIOLATIONS_TOLD_MAX: u64 = 10;

/// Everything outside the log that a run needs to go on from a block; where a fork follows the block, as it was
/// before the fork changed anything.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The hub's memory.
    pub hub: HubMemory,
    /// The players.
    pub hosts: HostCheckpoint,
    /// Counts so far.
    pub totals: Totals,
}

/// A run as it is picked up: at genesis, or at its newest checkpoint.
#[derive(Debug)]
pub struct Start {
    /// The plan from the log.
    pub plan: Plan,
    /// The log, open for writing.
    pub log: SledLog,
    /// Where snapshots and checkpoints are.
    pub cache: Cache,
    /// The state at the block it starts from.
    pub state: State,
    /// That block's header.
    pub header: Header,
    /// The simulation hash: the parent of the genesis block.
    pub simulation: Hash32,
    /// Players, hub and counts at that block.
    pub checkpoint: Checkpoint,
}

impl Start {
    /// What the block it starts from was made under.
    pub fn course(&self) -> Course<'_> {
        self.plan.course(self.header.height)
    }
}

/// Why a run ends badly.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The log cannot be read or written.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The log does not fold.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The players are gone.
    #[error(transparent)]
    Host(#[from] HostError),
    /// A block came out otherwise than the log holds it.
    #[error("block {height} comes out otherwise than the log holds it: {difference}")]
    Diverged {
        /// Which block.
        height: u64,
        /// The first thing that is different.
        difference: Difference,
    },
}

impl EngineError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Log(error) | Self::Read(ReadError::Log(error)) => error.hint(),
            Self::Read(ReadError::Fold(_)) => {
                Some("`btemu verify RUN` says which blocks are sound".to_owned())
            }
            Self::Host(_) => Some("`btemu run --resume RUN` goes on with the run".to_owned()),
            Self::Diverged { .. } => Some(
                "this build decides otherwise than the one that made the run, or the log was changed; \
                 `btemu verify RUN --re-execute --re-simulate` tells which"
                    .to_owned(),
            ),
        }
    }
}

/// How a run is made; changes no outcome.
#[derive(Clone, Copy, Debug)]
pub struct Manner {
    /// The last block.
    pub until: Height,
    /// Blocks between snapshots; 0 for none but the last.
    pub snapshot_interval: u64,
    /// Bytes of blocks after which there is a snapshot earlier; 0 for no such bound.
    pub snapshot_bytes: u64,
    /// Blocks between checkpoints; 0 for none but the last.
    pub checkpoint_interval: u64,
    /// How fast simulated time passes.
    pub pace: Pace,
    /// Whether invariants are checked after each block.
    pub checking: Checking,
}

/// Whether invariants are checked after each block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Checking {
    /// They are not.
    #[default]
    Trusting,
    /// They are.
    Invariants,
}

/// What the engine tells of a block to whoever watches.
#[derive(Clone, Copy, Debug)]
pub struct Tick<'a> {
    /// The block.
    pub frame: &'a Frame,
    /// The state after it.
    pub state: &'a State,
    /// The log.
    pub log: &'a SledLog,
    /// Blocks made since the engine started.
    pub blocks_made: u64,
    /// The players.
    pub hosts: &'a Hosts,
}

/// A run in motion.
#[derive(Debug)]
pub struct Engine {
    plan: Plan,
    log: SledLog,
    cache: Cache,
    state: State,
    header: Header,
    simulation: Hash32,
    hub: Hub,
    hosts: Hosts,
    totals: Totals,
    checker: Option<Checker>,
    violations: u64,
    metrics: Option<Metrics>,
    stop: Arc<AtomicBool>,
}

/// Picks a run up where it can go on: at its newest readable checkpoint, else at genesis.
///
/// # Errors
/// The log cannot be read or does not fold.
pub fn pick_up(log: SledLog, cache: Cache) -> Result<Start, EngineError> {
    let genesis = log.genesis::<Plan>()?;
    let plan = genesis.plan;
    let simulation = genesis.header.parent;
    for height in cache.heights(CacheKind::Checkpoint).into_iter().rev() {
        if height > log.tip() || height <= log.genesis_height() {
            continue;
        }
        let header = log.header(height)?;
        let Some(checkpoint) = cache.load(CacheKind::Checkpoint, height, header.hash()) else {
            continue;
        };
        let folder =
            state_at(&log, &cache, || Ok((plan.genesis.clone(), genesis.header.clone())), height)?;
        let state = folder.into_state();
        return Ok(Start { plan, log, cache, state, header, simulation, checkpoint });
    }
    Ok(begin(log, cache, genesis.header, plan))
}

/// Picks a run up at genesis, whatever checkpoints there are.
///
/// # Errors
/// The log's block 0 cannot be read.
pub fn begin_anew(log: SledLog, cache: Cache) -> Result<Start, EngineError> {
    let genesis = log.genesis::<Plan>()?;
    Ok(begin(log, cache, genesis.header, genesis.plan))
}

fn begin(log: SledLog, cache: Cache, header: Header, plan: Plan) -> Start {
    let seats = plan.players.iter().map(|seat| {
        let (identity, player) = (seat.identity.clone(), seat.player.clone());
        Seated::new(identity, player)
    });
    let hosts = HostCheckpoint { seats: seats.collect() };
    let checkpoint = Checkpoint { hosts, ..Checkpoint::default() };
    let (state, simulation) = (plan.genesis.clone(), header.parent);
    Start { plan, log, cache, state, header, simulation, checkpoint }
}

impl Engine {
    /// A run in motion, with its players seated already.
    pub fn new(
        start: Start,
        hosts: Hosts,
        metrics: Option<Metrics>,
        stop: Arc<AtomicBool>,
    ) -> Self {
        let Start { plan, log, cache, state, header, simulation, checkpoint } = start;
        Self {
            hub: Hub::new(&plan, header.height, checkpoint.hub),
            plan,
            log,
            cache,
            state,
            header,
            simulation,
            hosts,
            totals: checkpoint.totals,
            checker: None,
            violations: 0,
            metrics,
            stop,
        }
    }

    /// Makes blocks until the last one, or until it is asked to stop; blocks the log holds already are made again
    /// and compared. Ends with a checkpoint and a snapshot, the log on disk.
    ///
    /// # Errors
    /// See [`EngineError`].
    pub async fn run(
        &mut self,
        manner: &Manner,
        mut watch: impl FnMut(Tick<'_>),
    ) -> Result<(), EngineError> {
        let invariants = manner.checking == Checking::Invariants;
        self.checker = invariants.then(|| Checker::new(&self.state));
        let stopwatch = Stopwatch::start();
        let mut blocks_made = 0;
        let mut packed_bytes = self.log.packed_bytes();
        while self.header.height < manner.until && !self.stop.load(Ordering::Relaxed) {
            if let Some(wait) = stopwatch.wait_for(manner.pace, blocks_made) {
                tokio::time::sleep(wait.min(std::time::Duration::from_millis(200))).await;
                continue;
            }
            let frame = self.block().await?;
            blocks_made += 1;
            let height = frame.header.height;
            let since = height.0 - self.plan.genesis.height.0;
            if is_due(since, manner.checkpoint_interval) {
                self.store_checkpoint().await?;
            }
            let bytes = self.log.packed_bytes() - packed_bytes;
            let large = manner.snapshot_bytes != 0 && bytes >= manner.snapshot_bytes;
            if large || is_due(since, manner.snapshot_interval) {
                self.store_snapshot();
                packed_bytes = self.log.packed_bytes();
            }
            watch(Tick {
                frame: &frame,
                state: &self.state,
                log: &self.log,
                blocks_made,
                hosts: &self.hosts,
            });
        }
        self.log.sync()?;
        if blocks_made > 0 {
            self.store_checkpoint().await?;
            self.store_snapshot();
        }
        Ok(())
    }

    async fn block(&mut self) -> Result<Frame, EngineError> {
        let frame = self.decide().await?;
        self.keep(&frame)?;
        self.follow(&frame).await?;
        Ok(frame)
    }

    /// Makes every block of the log again, whatever it holds, and compares; writes nothing. Gives the first block
    /// that is different, and how.
    ///
    /// # Errors
    /// See [`EngineError`].
    pub async fn simulate_again(
        &mut self,
        until: Height,
        mut watch: impl FnMut(Height),
    ) -> Result<Option<(Height, Difference)>, EngineError> {
        while self.header.height < until {
            let made = self.decide().await?;
            let height = made.header.height;
            if let Some(difference) = difference(&self.log.frame(height)?, &made) {
                return Ok(Some((height, difference)));
            }
            self.follow(&made).await?;
            watch(height);
        }
        Ok(None)
    }

    /// Decides the next block: the players' slices, the calls, the header. Nobody is told.
    async fn decide(&mut self) -> Result<Frame, EngineError> {
        let height = Height(self.header.height.0 + 1);
        self.cross_forks().await?;
        let course = self.plan.course(height);
        let until_ms = course.block_ms(height);
        while let Some(slice) = self.hub.next_slice(until_ms, self.hosts.next_wake_ms()) {
            let deliveries = self.hub.deliveries(slice);
            let done = self.hosts.slice(slice.from_ms, slice.until_ms, deliveries).await?;
            self.hub.accept(slice, done);
        }
        let input = self.hub.block_input(&course, height);
        let facts = self.hub.take_facts();
        let decided = decide_block(&mut self.state, &input);
        let parent = self.header.hash();
        let header = seal(&mut self.state, parent, &input, &decided, &facts);
        self.hub.settle(&input, &decided.outcomes);
        Ok(Frame {
            header,
            calls: decided.calls,
            refused: decided.refused,
            events: decided.events,
            sealed: decided.sealed,
            facts,
        })
    }

    /// Goes on from a decided block: everybody hears of it.
    async fn follow(&mut self, frame: &Frame) -> Result<(), EngineError> {
        self.header = frame.header.clone();
        self.totals.add(frame);
        self.check();
        self.hosts.publish(&frame.events).await?;
        if let Some(metrics) = &self.metrics {
            metrics.block(frame, &self.state);
        }
        let (events, calls) = (frame.events.len(), frame.calls.len());
        tracing::debug!(height = frame.header.height.0, events, calls, tip = %frame.header.hash(), "a block");
        Ok(())
    }

    /// Where forks follow the last block: the hub and the players go on as these say. Nothing of it is in a
    /// checkpoint of that block, so it is done again by whoever starts there.
    async fn cross_forks(&mut self) -> Result<(), EngineError> {
        let height = self.header.height;
        let forks: Vec<&Fork> = self.plan.forks_at(height).collect();
        if forks.is_empty() {
            return Ok(());
        }
        let next = Height(height.0 + 1);
        self.hub = Hub::new(&self.plan, next, self.hub.memory().clone());
        let mut seats = self.hosts.checkpoint().await?.seats;
        for fork in forks {
            seats = recast(fork, seats);
        }
        self.hosts.reseat(&self.plan.course(next), seats, &self.state).await?;
        Ok(())
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
        if let Err(Violation { height, name, detail }) = checker.check(&self.state) {
            self.violations += 1;
            if self.violations <= VIOLATIONS_TOLD_MAX {
                tracing::warn!(height, name, detail, "an invariant does not hold");
            }
        }
    }

    /// A cache that cannot be written costs time later, not truth: it is told and the run goes on.
    async fn store_checkpoint(&mut self) -> Result<(), EngineError> {
        let checkpoint = Checkpoint {
            hub: self.hub.memory().clone(),
            hosts: self.hosts.checkpoint().await?,
            totals: self.totals.clone(),
        };
        let (height, tip) = (self.header.height, self.header.hash());
        match self.cache.store(CacheKind::Checkpoint, height, tip, &checkpoint) {
            Ok(()) => {
                tracing::debug!(%height, "a checkpoint");
                self.cache.thin(CacheKind::Checkpoint, CHECKPOINTS_MAX);
            }
            Err(error) => tracing::warn!(%error, "no checkpoint at block {height}"),
        }
        Ok(())
    }

    fn store_snapshot(&mut self) {
        let (height, tip) = (self.header.height, self.header.hash());
        match store_snapshot(&self.cache, &self.state, tip) {
            Ok(()) => self.cache.thin(CacheKind::Snapshot, SNAPSHOTS_MAX),
            Err(error) => tracing::warn!(%error, "no snapshot at block {height}"),
        }
        match self.cache.store(CacheKind::Totals, height, tip, &self.totals) {
            Ok(()) => self.cache.thin(CacheKind::Totals, SNAPSHOTS_MAX),
            Err(error) => tracing::warn!(%error, "no totals at block {height}"),
        }
    }

    /// The players.
    pub const fn hosts(&mut self) -> &mut Hosts {
        &mut self.hosts
    }

    /// The plan.
    pub const fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The log.
    pub const fn log(&self) -> &SledLog {
        &self.log
    }

    /// The simulation hash.
    pub const fn simulation(&self) -> Hash32 {
        self.simulation
    }

    /// The last header.
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// The state after it.
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// Counts over all blocks.
    pub const fn totals(&self) -> &Totals {
        &self.totals
    }

    /// Blocks after which an invariant did not hold.
    pub const fn violations(&self) -> u64 {
        self.violations
    }
}

/// The seats after a fork: some players are gone, some have a fresh machine.
fn recast(fork: &Fork, seats: Vec<Seated>) -> Vec<Seated> {
    let stays = |seated: &Seated| fork.terms.leaving.binary_search(&seated.identity().id).is_err();
    let seats = seats.into_iter().filter(stays).map(|seated| {
        let group = &seated.identity().group;
        match fork.terms.recast.iter().find(|recast| recast.group == *group) {
            Some(recast) => seated.recast(recast.player.clone()),
            None => seated,
        }
    });
    seats.collect()
}

const fn is_due(blocks: u64, interval: u64) -> bool {
    interval != 0 && blocks.is_multiple_of(interval)
}
