//! The chain process: opens the log, greets its hosts, drives the engine, reports to the launcher. With no host
//! processes the launcher does the same inside itself.

use super::control::{Control, Wish};
use super::death;
use super::disturbance::{Layer, Strike};
use super::door::{DOOR, Door, Opening};
use super::engine::{Engine, Happening, Manner, Start, pick_up};
use super::engine_error::EngineError;
use super::exhibit::Exhibit;
use super::failing_log::{FailingLog, Verdict, leave_behind};
use super::greeting::{Awaited, GreetError, Guest, greet};
use super::hosts::{HostError, Hosts, ProcessReport};
use super::link::{Listener, Place};
use super::metered_log::MeteredLog;
use super::order::{ChainOrder, run_id};
use super::status::{About, ProcessRow};
use super::totals::{Account, Summary, players_by_role};
use super::wire_error::WireError;
use crate::clock::{Stopwatch, Throttle};
use crate::logging;
use crate::metrics::ServeError;
use crate::names::Names;
use protocol::dice::{Dice, Domain};
use protocol::units::Height;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;
use storage::log::{Durability, EventLog, LogError, SledLog};
use storage::runfolder::{RunFolder, RunFolderError};

/// The name of the launcher's row.
const LAUNCHER: &str = "launcher";

/// How often progress is told at most.
const PROGRESS_INTERVAL_MS: u64 = 100;

/// What the chain tells the launcher, a line of JSON each.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Report {
    /// Hosts may come.
    Listening {
        /// Where metrics are served.
        metrics: Option<String>,
        /// Where hosts are awaited, if any are.
        hosts: Option<Place>,
    },
    /// Somebody came who is no host of this run. Not each is told: the first, the second, the fourth, and so on.
    Refused {
        /// Why it was sent away.
        why: String,
        /// How many there were since this chain process started.
        count: u64,
    },
    /// The players are seated.
    Started {
        /// Players by role.
        players: BTreeMap<String, u64>,
        /// The genesis height.
        genesis: u64,
        /// The block it starts from.
        from: u64,
    },
    /// So far so good.
    Progress {
        /// The last block.
        height: u64,
        /// What its processes took so far.
        processes: Vec<ProcessReport>,
        /// Blocks after which an invariant did not hold, since it started.
        violations: u64,
    },
    /// The chain lives; said while a block, a checkpoint or a pause takes its time.
    Alive,
    /// From here on the run goes on as it was asked; at first as it was started.
    Standing {
        /// What is in force.
        wish: Wish,
        /// The last block.
        height: u64,
    },
    /// Something below the simulation struck.
    Struck(Strike),
    /// The run ended as it should.
    Done(Box<Summary>),
    /// The run ended badly.
    Failed {
        /// What happened.
        what: String,
        /// What to do about it.
        hint: Option<String>,
        /// Whether it is worth while to start the processes again.
        outlook: Outlook,
    },
    /// All processes are started again; the launcher's own word.
    Restarting {
        /// What happened.
        why: String,
        /// How often it has happened in this run.
        restarts: u64,
    },
}

impl ChainOrder {
    /// What the run begins with.
    pub const fn wish(&self) -> Wish {
        Wish { pace: self.pace, motion: self.motion, ending: None }
    }
}

/// What a run that ended badly may hope for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outlook {
    /// It would end the same way again.
    Final,
    /// A process was lost; the same run goes on with others.
    Again,
    /// What the run needs is not there: if it was there before, it may come back.
    AgainOnceBegun,
}

/// Why the chain ends badly.
#[derive(Debug, thiserror::Error)]
pub enum ChainError {
    /// The run cannot go on.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The run folder is none.
    #[error(transparent)]
    Folder(#[from] RunFolderError),
    /// The metrics cannot be served.
    #[error(transparent)]
    Metrics(#[from] ServeError),
    /// Hosts cannot be awaited there.
    #[error("cannot listen for hosts at {place}: {error}")]
    Listen {
        /// Where.
        place: Place,
        /// Why.
        error: WireError,
    },
    /// Hosts are missing.
    #[error(transparent)]
    Greet(#[from] GreetError),
    /// A fault of the scenario struck the log.
    #[error("{error}")]
    Struck {
        /// What the log said.
        error: EngineError,
    },
    /// The run is longer already.
    #[error("the run holds {have} blocks already, {wanted} were asked for")]
    AlreadyThere {
        /// Blocks in the log.
        have: u64,
        /// Blocks asked for.
        wanted: u64,
    },
}

impl From<LogError> for ChainError {
    fn from(error: LogError) -> Self {
        Self::Engine(EngineError::Log(error))
    }
}

impl From<HostError> for ChainError {
    fn from(error: HostError) -> Self {
        Self::Engine(EngineError::Host(error))
    }
}

impl ChainError {
    /// Whether the run can go on with other processes.
    pub const fn outlook(&self, order: &ChainOrder) -> Outlook {
        match self {
            Self::Engine(EngineError::Host(error)) if error.is_of_a_process() => Outlook::Again,
            Self::Greet(GreetError::Missing(missing)) if missing.is_of_outside() => Outlook::Final,
            Self::Greet(_) | Self::Struck { .. } => Outlook::Again,
            Self::Listen { place: Place::Nats(_), .. } => Outlook::AgainOnceBegun,
            // A follower that lost the chain before may be looking whether the run is over.
            Self::Engine(EngineError::Log(LogError::InUse { .. })) if order.restarts > 0 => {
                Outlook::Again
            }
            _ => Outlook::Final,
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Engine(error) => error.hint(),
            Self::Folder(error) => error.hint(),
            Self::Metrics(error) => error.hint(),
            Self::Listen { place, .. } => match place {
                Place::Unix(_) => None,
                Place::Tcp(_) => Some("--link tcp://127.0.0.1:0 takes a free port".to_owned()),
                Place::Nats(_) => {
                    Some("start one with `nats-server`, or choose another --link".to_owned())
                }
            },
            Self::Greet(GreetError::Missing(missing)) if missing.is_of_outside() => Some(
                "start them with the command above in time, or wait longer with \
                 `--set run.host_join_ms_max=N`; a run that had begun goes on with \
                 `btemu run --resume RUN`"
                    .to_owned(),
            ),
            Self::Greet(_) | Self::Struck { .. } => None,
            Self::AlreadyThere { have, .. } => {
                Some(format!("`--blocks` counts the whole run; ask for more than {have}"))
            }
        }
    }
}

/// Makes the blocks of a run; call within a running actix system.
///
/// # Errors
/// See [`ChainError`]. What was appended until then stays and can be resumed.
pub async fn drive(
    order: &ChainOrder,
    control: Control,
    mut report: impl FnMut(Report),
) -> Result<Summary, ChainError> {
    let stopwatch = Stopwatch::start();
    logging::at_run(&run_id(order));
    let folder = RunFolder::open(&order.run)?;
    let log = SledLog::open(&folder.log_dir())?;
    // A log that is to be struck or timed is synced by what does so.
    let is_wrapped = order.metrics.is_wanted() || !strikes_of_the_log(order).is_empty();
    let log = log.with_durability(if is_wrapped { Durability::End } else { order.durability });
    let start = pick_up(log, folder.cache())?;
    if start.log.tip() > order.until {
        let genesis = start.plan.genesis.height.0;
        let (have, wanted) = (start.log.tip().0 - genesis, order.until.0.saturating_sub(genesis));
        return Err(ChainError::AlreadyThere { have, wanted });
    }
    let (tip, from) = (start.log.tip(), start.header.height);
    tracing::info!(folder = %order.run.display(), %tip, %from, "the log is open");
    let mut exhibit = Exhibit::open(order, &start)?;
    let address = exhibit.as_ref().and_then(Exhibit::address);
    let listener = drive_listener(order).await?;
    if let Some(address) = &address {
        tracing::info!(address, "metrics are served");
    }
    let door = drive_door(order, &start, &control);
    let awaited_at = listener.as_ref().map(|listener| listener.place().clone());
    report(Report::Listening { metrics: address, hosts: awaited_at });
    let mut start = start;
    let seats = std::mem::take(&mut start.seats);
    let hosts = match listener {
        None => Hosts::local(&start.course(), seats, start.state.clone()),
        Some(listener) => {
            let guests = drive_greeting(order, listener, &mut report).await?;
            let (silence, dealing) = (order.host_silence_ms_max, order.dealing);
            Hosts::remote(&start.course(), seats, &start.state, guests, silence, dealing).await?
        }
    };
    report(Report::Started {
        players: players_by_role(&start.plan),
        genesis: start.plan.genesis.height.0,
        from: start.header.height.0,
    });
    let from = start.header.height.0;
    let verdict = Verdict::default();
    let (strikes, log_dir) = (strikes_of_the_log(order), folder.log_dir());
    let metrics = exhibit.as_ref().map(Exhibit::metrics);
    let timings = metrics.as_ref().map(|metrics| metrics.timings().clone());
    let mut engine = Engine::new(start, hosts, metrics, control);
    if let Some(timings) = timings {
        let durability = if strikes.is_empty() { order.durability } else { Durability::End };
        engine = engine.over(|log| Box::new(MeteredLog::new(log, durability, timings)));
    }
    if !strikes.is_empty() {
        let (durability, verdict) = (order.durability, verdict.clone());
        engine = engine
            .over(|log| Box::new(FailingLog::new(log, log_dir, durability, strikes, verdict)));
    }
    let manner = Manner {
        until: order.until,
        conditions: order.conditions.clone(),
        snapshot_interval: order.snapshot_interval,
        snapshot_bytes: order.snapshot_bytes,
        checkpoint_interval: order.checkpoint_interval,
        checking: order.checking,
    };
    if let Some(exhibit) = &mut exhibit {
        exhibit.begin();
    }
    let pace = Stopwatch::start();
    let mut throttle = Throttle::every(Duration::from_millis(PROGRESS_INTERVAL_MS));
    let made = engine.run(&manner, |tick| {
        let height = tick.height;
        logging::at_block(height);
        let is_due = match tick.what {
            Happening::Block(frame) => {
                if let Some(door) = &door {
                    door.publish(frame);
                }
                if let Some(exhibit) = &mut exhibit {
                    exhibit.block(&frame.header);
                }
                // Whoever strikes should hear of the block before.
                let is_next = |strike: &Strike| strike.at.0 == height.0 + 1;
                throttle.is_due() || order.strikes.iter().any(is_next)
            }
            Happening::Standing(wish) => {
                report(Report::Standing { wish, height: height.0 });
                if let Some(door) = &door {
                    door.turn();
                }
                true
            }
        };
        if !is_due {
            return;
        }
        let rows = process_rows(order, tick.hosts);
        if let Some(exhibit) = &exhibit {
            let own = rows.iter().filter(|row| row.name != LAUNCHER);
            exhibit.look(&tick, &own.cloned().collect::<Vec<_>>());
        }
        report(progress(height, &rows, tick.violations));
        if let Some(door) = &door {
            door.note(height, rows);
        }
    });
    let ended = match (made.await, verdict.get()) {
        (Err(error), Some(dead)) => {
            drop(engine);
            report(Report::Struck(dead.strike));
            let mut dice = Dice::new(dead.strike.at.0, Domain::Study, 0, 0, 0);
            if let Err(error) = leave_behind(&folder, dead, &mut dice) {
                tracing::warn!(%error, "what a dead process leaves behind cannot be made");
            }
            return Err(ChainError::Struck { error });
        }
        (ended, _) => ended?,
    };
    let running_s = pace.seconds();
    drop(door);
    if let Some(exhibit) = exhibit {
        exhibit.finish();
    }
    let (height, violations) = (engine.header().height, engine.violations());
    report(progress(height, &process_rows(order, engine.hosts()), violations));
    tracing::info!(height = %engine.header().height, tip = %engine.header().hash(), "the run is over");
    let mut processes = engine.hosts().stop().await?;
    let (players, steps) = engine.hosts().own();
    let peak_rss_bytes = death::peak_rss_bytes();
    let own = ProcessReport { name: "chain".to_owned(), players, steps, peak_rss_bytes };
    processes.insert(0, own);
    let account = Account {
        run: order.run.display().to_string(),
        plan: engine.plan(),
        simulation: engine.simulation(),
        header: engine.header(),
        state: engine.state(),
        totals: engine.totals(),
    };
    let mut summary = Summary::new(&account);
    summary.ended = Some(ended);
    summary.condition = engine.condition();
    summary.attempts = 1;
    summary.processes = processes.len() as u64;
    summary.peak_rss_bytes = processes.iter().map(|process| process.peak_rss_bytes).sum();
    summary.process_reports = processes;
    summary.invariant_violations = engine.violations();
    summary.log_bytes = engine.log().bytes();
    summary.wall_seconds = stopwatch.seconds();
    summary.blocks_per_second = (summary.block - from) as f64 / running_s.max(1e-9);
    Ok(summary)
}

/// What strikes the log; with the players in this process nobody would start it again.
fn strikes_of_the_log(order: &ChainOrder) -> Vec<Strike> {
    let strikes = order.strikes.iter().filter(|it| it.what.layer() == Layer::Storage);
    if order.has_hosts() { strikes.copied().collect() } else { Vec::new() }
}

/// The processes of a run: the launcher where it is another one, the chain, the hosts.
fn process_rows(order: &ChainOrder, hosts: &Hosts) -> Vec<ProcessRow> {
    let report = |name: &str, (players, steps)| ProcessReport {
        name: name.to_owned(),
        players,
        steps,
        peak_rss_bytes: 0,
    };
    let own_pid = std::process::id();
    let launcher = (order.launcher_pid != own_pid)
        .then(|| ProcessRow::of(order.launcher_pid, report(LAUNCHER, (0, 0))));
    let own = ProcessRow::of(own_pid, report("chain", hosts.own()));
    let others = hosts.pids().into_iter().zip(hosts.reports());
    let others = others.map(|(pid, report)| ProcessRow::of(pid, report));
    launcher.into_iter().chain(std::iter::once(own)).chain(others).collect()
}

/// What the launcher hears of rows; it knows itself.
fn progress(height: Height, rows: &[ProcessRow], violations: u64) -> Report {
    let rows = rows.iter().filter(|row| row.name != LAUNCHER);
    Report::Progress {
        height: height.0,
        processes: rows.map(ProcessRow::report).collect(),
        violations,
    }
}

/// A run that cannot be followed is a run all the same.
fn drive_door(order: &ChainOrder, start: &Start, control: &Control) -> Option<Door> {
    let opened = Door::open(Opening {
        run: order.run.clone(),
        socket: order.socket.with_file_name(DOOR),
        tip: start.log.tip(),
        names: Names::new(&start.plan, &start.state),
        reader: start.log.reader(),
        cache: RunFolder { path: order.run.clone() }.cache(),
        control: control.clone(),
        about: About {
            run: order.run.display().to_string(),
            genesis: start.plan.genesis.height,
            until: order.until,
            launcher_pid: order.launcher_pid,
            restarts: order.restarts,
        },
    });
    match opened {
        Ok(door) => Some(door),
        Err(error) => {
            tracing::warn!(%error, "the run cannot be followed");
            None
        }
    }
}

async fn drive_listener(order: &ChainOrder) -> Result<Option<Listener>, ChainError> {
    if !order.has_hosts() {
        return Ok(None);
    }
    let place = order.link.place(&order.socket);
    let opened = Listener::open(&place, &order.pass()).await;
    opened.map(Some).map_err(|error| ChainError::Listen { place, error })
}

/// Waits for the hosts, and tells the launcher now and then who else came.
async fn drive_greeting(
    order: &ChainOrder,
    listener: Listener,
    report: &mut impl FnMut(Report),
) -> Result<Vec<Guest>, ChainError> {
    let (mut count, mut told) = (0_u64, 0);
    let mut last = String::new();
    let mut refused = |why: &str| {
        count += 1;
        last = why.to_owned();
        // Whoever comes a million times fills no disk with it.
        if count.is_power_of_two() {
            told = count;
            report(Report::Refused { why: why.to_owned(), count });
        }
    };
    let awaited = Awaited {
        pass: order.pass(),
        own: order.hosts,
        outside: order.outside,
        wait_ms_max: order.host_join_ms_max,
    };
    let guests = greet(&awaited, listener, &mut refused).await;
    if told < count {
        report(Report::Refused { why: last, count });
    }
    Ok(guests?)
}
