//! The engine of a run: the players' slices, then the block, of which the players hear at once. While they go on with
//! the next block's slices, the block is sealed and kept on a thread beside; the next one is decided when that is done.
//!
//! What belongs here: the order of those steps, resuming, crossing forks. What does not: what is done beside (`books`),
//! processes and sockets (`chain`, `launcher`), messages (`hub`), rules (`protocol`), what a fork changes (`genesis`).

use super::books::{Books, Entered, Entry, Scribe, SnapshotRule, is_due};
use super::border::{Border, Next};
use super::checkpoint::Checkpoint;
use super::control::{Control, Ended, Wish};
use super::desk::{Desk, Done};
use super::difference::{Difference, difference};
use super::engine_error::EngineError;
use super::hosts::Hosts;
use super::hub::{Hub, HubMemory};
use super::seats::unpacked;
use super::totals::Totals;
use super::until::Condition;
use crate::clock::Stopwatch;
use crate::logging;
use crate::metrics::{Metrics, Phase, Timings};
use crate::plan::{Course, Fork, Plan};
use actors::host::Seated;
use protocol::block::BlockInput;
use protocol::frame::{Facts, Frame, Header};
use protocol::invariants::{Checker, Violation};
use protocol::state::State;
use protocol::units::{Hash32, Height};
use serde::{Deserialize, Serialize};
use storage::cache::{Cache, CacheKind};
use storage::fold::state_at;
use storage::log::{EventLog, SledLog};
use tracing::Instrument;

/// A run as it is picked up: at genesis, or at its newest checkpoint.
#[derive(Debug)]
pub struct Start {
    /// The plan from the log, without its genesis state.
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
    /// The players at that block.
    pub seats: Vec<Seated>,
    /// The hub's memory.
    pub hub: HubMemory,
    /// Counts so far.
    pub totals: Totals,
}

impl Start {
    /// What the block it starts from was made under.
    pub fn course(&self) -> Course<'_> {
        self.plan.course(self.header.height)
    }
}

/// How a run is made; changes no outcome.
#[derive(Clone, Debug)]
pub struct Manner {
    /// The last block.
    pub until: Height,
    /// Conditions of which any ends the run earlier.
    pub conditions: Vec<Condition>,
    /// Blocks between snapshots; 0 for none but the last.
    pub snapshot_interval: u64,
    /// Bytes of blocks after which there is a snapshot earlier; 0 for no such bound.
    pub snapshot_bytes: u64,
    /// Blocks between checkpoints; 0 for none but the last.
    pub checkpoint_interval: u64,
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

/// What the engine tells whoever watches.
#[derive(Clone, Copy, Debug)]
pub struct Tick<'a> {
    /// What happened.
    pub what: Happening<'a>,
    /// The last block.
    pub height: Height,
    /// The state after it.
    pub state: &'a State,
    /// The log.
    pub log: &'a dyn EventLog,
    /// Blocks made since the engine started.
    pub blocks_made: u64,
    /// Blocks after which invariants were checked.
    pub checked: u64,
    /// Blocks after which an invariant did not hold.
    pub violations: u64,
    /// The players.
    pub hosts: &'a Hosts,
    /// Messages and calls between them and the chain.
    pub hub: &'a Hub,
    /// Caches that are being written.
    pub caches: u64,
}

/// See [`Tick`].
#[derive(Clone, Copy, Debug)]
pub enum Happening<'a> {
    /// A block was made.
    Block(&'a Frame),
    /// From here on the run goes on as was asked; told once at the start, and before whoever asked is answered.
    Standing(Wish),
}

/// A run in motion.
#[derive(Debug)]
pub struct Engine {
    plan: Plan,
    /// The last block that was decided.
    height: Height,
    simulation: Hash32,
    hub: Hub,
    hosts: Hosts,
    books: Desk,
    scribe: Scribe,
    timings: Timings,
    /// The block of the last checkpoint.
    checkpoint_at: Option<Height>,
    /// A condition that holds.
    met: Option<String>,
    control: Control,
}

/// Picks a run up where it can go on: at its newest readable checkpoint, else at genesis.
///
/// # Errors
/// The log cannot be read or does not fold.
pub fn pick_up(log: SledLog, cache: Cache) -> Result<Start, EngineError> {
    let genesis = log.genesis::<Plan>()?;
    let mut plan = genesis.plan;
    let simulation = genesis.header.parent;
    for height in cache.heights(CacheKind::Checkpoint).into_iter().rev() {
        if height > log.tip() || height <= log.genesis_height() {
            continue;
        }
        let header = log.header(height)?;
        let Some(checkpoint) = cache.load(CacheKind::Checkpoint, height, header.hash()) else {
            continue;
        };
        let Checkpoint { hub, hosts, totals } = checkpoint;
        let Ok(seats) = unpacked(&hosts) else { continue };
        let folder =
            state_at(&log, &cache, || Ok((plan.genesis.clone(), genesis.header.clone())), height)?;
        let state = folder.into_state();
        plan.take_genesis();
        return Ok(Start { plan, log, cache, state, header, simulation, seats, hub, totals });
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

fn begin(log: SledLog, cache: Cache, header: Header, mut plan: Plan) -> Start {
    let seats = plan.players.iter().map(|seat| {
        let (identity, player) = (seat.identity.clone(), seat.player.clone());
        match seat.arrives_ms {
            Some(arrives_ms) => Seated::arriving(identity, player, arrives_ms),
            None => Seated::new(identity, player),
        }
    });
    let seats = seats.collect();
    let (state, simulation) = (plan.take_genesis(), header.parent);
    let (hub, totals) = (HubMemory::default(), Totals::default());
    Start { plan, log, cache, state, header, simulation, seats, hub, totals }
}

impl Engine {
    /// A run in motion, with the players of its start seated already.
    pub fn new(start: Start, hosts: Hosts, metrics: Option<Metrics>, control: Control) -> Self {
        let Start { plan, log, cache, state, header, simulation, hub, totals, .. } = start;
        let timings = metrics.as_ref().map(|metrics| metrics.timings().clone());
        let timings = timings.unwrap_or_default();
        Self {
            hub: Hub::new(&plan, header.height, hub),
            height: header.height,
            simulation,
            hosts,
            books: Desk::new(Box::new(Books {
                packed_bytes: log.packed_bytes(),
                opened: None,
                snapshot_at: None,
                genesis: plan.genesis.height,
                log: Box::new(log),
                state,
                header,
                totals,
                checker: None,
                checked: 0,
                violations: 0,
                violation: None,
                metrics,
                timings: timings.clone(),
                snapshots: SnapshotRule::default(),
            })),
            plan,
            scribe: Scribe::new(cache),
            timings,
            checkpoint_at: None,
            met: None,
            control,
        }
    }

    /// Makes blocks until the last one, or until it is asked to end; blocks the log holds already are made again
    /// and compared. Ends with a checkpoint and a snapshot, the log on disk.
    ///
    /// # Errors
    /// See [`EngineError`]. Whatever was decided before is kept.
    pub async fn run(
        &mut self,
        manner: &Manner,
        mut watch: impl FnMut(Tick<'_>),
    ) -> Result<Ended, EngineError> {
        let mut made = Watched { blocks: 0, watch: &mut watch };
        let ended = self.run_blocks(manner, &mut made).await;
        let entered = self.fetch(&mut made).await;
        let ended = ended?;
        entered?;
        self.books.here_mut().log.sync()?;
        if made.blocks > 0 {
            self.store_last().await?;
        }
        self.scribe.finish().await;
        Ok(ended)
    }

    async fn run_blocks(
        &mut self,
        manner: &Manner,
        made: &mut Watched<'_>,
    ) -> Result<Ended, EngineError> {
        let books = self.books.here_mut();
        let invariants = manner.checking == Checking::Invariants;
        books.checker = invariants.then(|| Checker::new(&books.state));
        books.snapshots =
            SnapshotRule { interval: manner.snapshot_interval, bytes: manner.snapshot_bytes };
        let mut border = Border::new(&self.control, books.log.tip());
        self.meet(manner);
        loop {
            if self.met.is_some() {
                return Ok(Ended::Condition);
            }
            match border.next(self.height, manner.until) {
                Next::Block => self.block(manner, made).await?,
                Next::End(ended) => return Ok(ended),
                Next::Wait(wait) => {
                    self.fetch(made).await?;
                    border.wait(wait).await;
                }
                Next::Told(wished) => {
                    self.fetch(made).await?;
                    made.tell(Happening::Standing(wished.wish), self.height, self.offices());
                    self.control.obey(wished);
                }
            }
        }
    }

    /// Makes a block; its books are still being kept when this returns.
    async fn block(&mut self, manner: &Manner, made: &mut Watched<'_>) -> Result<(), EngineError> {
        if self.plan.forks_at(self.height).next().is_some() {
            self.fetch(made).await?;
        }
        let height = self.height.0 + 1;
        let span = tracing::debug_span!(parent: None, "block", height, run = logging::run());
        let playing = tracing::debug_span!(parent: &span, "players");
        let began = Stopwatch::start();
        let (input, facts) = self.play(Some(made)).instrument(playing).await?;
        self.timings.phase(Phase::Slices, began);
        let began = Stopwatch::start();
        self.fetch(made).await?;
        self.timings.phase(Phase::Wait, began);
        let deciding = tracing::debug_span!(parent: &span, "decide");
        let entry = self.decide(input, facts).instrument(deciding).await?;
        self.meet(manner);
        self.books.send(move |books| {
            let _keeping = tracing::debug_span!(parent: &span, "keep").entered();
            Done::Entered(Box::new(books.enter(entry)))
        });
        if is_due(self.height.0 - self.plan.genesis.height.0, manner.checkpoint_interval) {
            let checkpoint = self.checkpoint().await?;
            self.fetch(made).await?;
            self.store_checkpoint(checkpoint).await;
        }
        Ok(())
    }

    /// Looks whether a condition holds after the last block; genesis is none.
    fn meet(&mut self, manner: &Manner) {
        if self.height == self.plan.genesis.height {
            return;
        }
        let state = &self.books.here().state;
        let held = manner.conditions.iter().find(|condition| condition.holds(state));
        self.met = held.map(Condition::to_string);
    }

    /// The condition that ended the run.
    pub fn condition(&self) -> Option<String> {
        self.met.clone()
    }

    /// Begins the next block beside the players, as soon as the last one is in the books.
    async fn open_ahead(
        &mut self,
        height: Height,
        made: &mut Watched<'_>,
    ) -> Result<(), EngineError> {
        if !self.books.is_at_hand() {
            return Ok(());
        }
        self.fetch(made).await?;
        if self.books.here().opened.is_none() {
            let entropy = self.plan.course(height).entropy(height);
            self.books.send(move |books| {
                books.open(height, entropy);
                Done::Opened
            });
        }
        Ok(())
    }

    /// Waits for the books; if the last block was entered it is told of.
    async fn fetch(&mut self, made: &mut Watched<'_>) -> Result<(), EngineError> {
        let Some(Done::Entered(entered)) = self.books.fetch().await else { return Ok(()) };
        let Entered { frame, snapshot } = (*entered)?;
        if let Some(snapshot) = snapshot {
            self.scribe.snapshot(snapshot).await;
        }
        made.blocks += 1;
        made.tell(Happening::Block(&frame), frame.header.height, self.offices());
        Ok(())
    }

    /// What whoever watches may look at.
    fn offices(&self) -> Offices<'_> {
        let (books, hosts, hub) = (self.books.here(), &self.hosts, &self.hub);
        Offices { books, hosts, hub, caches: self.scribe.under_way() }
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
        while self.height < until {
            let (input, facts) = self.play(None).await?;
            let entry = self.decide(input, facts).await?;
            let books = self.books.here_mut();
            let frame = books.seal(entry);
            if let Some(difference) = difference(&books.log.frame(self.height)?, &frame) {
                return Ok(Some((self.height, difference)));
            }
            books.count(&frame);
            watch(self.height);
        }
        Ok(None)
    }

    /// Lets the players act up to the next block. Gives what it is decided from. With somebody who watches, it is
    /// begun meanwhile.
    async fn play(
        &mut self,
        mut made: Option<&mut Watched<'_>>,
    ) -> Result<(BlockInput, Facts), EngineError> {
        self.cross_forks().await?;
        let height = Height(self.height.0 + 1);
        let until_ms = self.plan.course(height).block_ms(height);
        while let Some(slice) = self.hub.next_slice(until_ms, self.hosts.next_wake_ms()) {
            let deliveries = self.hub.deliveries(slice);
            self.hosts.ask(slice.from_ms, slice.until_ms, deliveries).await?;
            // While the players are at work.
            self.hub.count();
            if let Some(made) = made.as_deref_mut() {
                self.open_ahead(height, made).await?;
            }
            self.hosts.hear(|done| self.hub.accept(slice, done)).await?;
        }
        let input = self.hub.block_input(&self.plan.course(height), height);
        Ok((input, self.hub.take_facts()))
    }

    /// Decides the next block and lets the players hear of it.
    async fn decide(&mut self, input: BlockInput, facts: Facts) -> Result<Entry, EngineError> {
        let books = self.books.here_mut();
        let entry = self.timings.during(Phase::Decide, || books.decide(input, facts));
        self.height = entry.input.height;
        self.hub.settle(&entry.input, &entry.decided.outcomes);
        let began = Stopwatch::start();
        self.hosts.publish(&entry.decided.events).await?;
        self.timings.phase(Phase::Publish, began);
        Ok(entry)
    }

    /// Where forks follow the last block: the hub and the players go on as these say. Nothing of it is in a
    /// checkpoint of that block, so it is done again by whoever starts there.
    async fn cross_forks(&mut self) -> Result<(), EngineError> {
        let height = self.height;
        let forks: Vec<&Fork> = self.plan.forks_at(height).collect();
        if forks.is_empty() {
            return Ok(());
        }
        let next = Height(height.0 + 1);
        self.hub = Hub::new(&self.plan, next, self.hub.memory().clone());
        let mut seats = self.hosts.seats().await?;
        for fork in forks {
            seats = recast(fork, seats);
        }
        let state = &self.books.here().state;
        self.hosts.reseat(&self.plan.course(next), seats, state).await?;
        Ok(())
    }

    /// Players and hub after the last block; what was counted is in the books.
    async fn checkpoint(&mut self) -> Result<Checkpoint, EngineError> {
        let hosts = self.hosts.checkpoint().await?;
        Ok(Checkpoint { hub: self.hub.memory().clone(), hosts, totals: Totals::default() })
    }

    /// Stores what is not stored already: two files of one name must not be written at the same time.
    async fn store_last(&mut self) -> Result<(), EngineError> {
        if self.checkpoint_at != Some(self.height) {
            let checkpoint = self.checkpoint().await?;
            self.store_checkpoint(checkpoint).await;
        }
        let books = self.books.here_mut();
        if books.snapshot_at != Some(self.height) {
            let snapshot = books.snapshot();
            self.scribe.snapshot(snapshot).await;
        }
        Ok(())
    }

    async fn store_checkpoint(&mut self, checkpoint: Checkpoint) {
        self.checkpoint_at = Some(self.height);
        let books = self.books.here();
        let (height, tip) = (books.header.height, books.header.hash());
        let checkpoint = Checkpoint { totals: books.totals.clone(), ..checkpoint };
        self.scribe.checkpoint(checkpoint, height, tip).await;
    }

    /// The players.
    pub const fn hosts(&mut self) -> &mut Hosts {
        &mut self.hosts
    }

    /// Messages that are under way to players, and calls that wait for a block with room.
    pub fn under_way(&self) -> (u64, u64) {
        self.hub.under_way()
    }

    /// The plan.
    pub const fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The log.
    pub fn log(&self) -> &dyn EventLog {
        self.books.here().log.as_ref()
    }

    /// The same run over a log that is wrapped in another.
    #[must_use]
    pub fn over(
        mut self,
        wrap: impl FnOnce(Box<dyn EventLog + Send>) -> Box<dyn EventLog + Send>,
    ) -> Self {
        let books = self.books.into_books();
        self.books = Desk::new(Box::new(Books { log: wrap(books.log), ..*books }));
        self
    }

    /// The simulation hash.
    pub const fn simulation(&self) -> Hash32 {
        self.simulation
    }

    /// The last header.
    pub fn header(&self) -> &Header {
        &self.books.here().header
    }

    /// The state after it.
    pub fn state(&self) -> &State {
        &self.books.here().state
    }

    /// Counts over all blocks.
    pub fn totals(&self) -> &Totals {
        &self.books.here().totals
    }

    /// Blocks after which an invariant did not hold.
    pub fn violations(&self) -> u64 {
        self.books.here().violations
    }

    /// The first invariant that did not hold.
    pub fn violation(&self) -> Option<&Violation> {
        self.books.here().violation.as_ref()
    }
}

/// Blocks that were told of, and whoever hears of them.
struct Watched<'a> {
    blocks: u64,
    watch: &'a mut dyn FnMut(Tick<'_>),
}

/// The parts of an engine that can be looked at.
struct Offices<'a> {
    books: &'a Books,
    hosts: &'a Hosts,
    hub: &'a Hub,
    caches: u64,
}

impl Watched<'_> {
    fn tell(&mut self, what: Happening<'_>, height: Height, offices: Offices<'_>) {
        let Offices { books, hosts, hub, caches } = offices;
        (self.watch)(Tick {
            what,
            height,
            state: &books.state,
            log: books.log.as_ref(),
            blocks_made: self.blocks,
            checked: books.checked,
            violations: books.violations,
            hosts,
            hub,
            caches,
        });
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
