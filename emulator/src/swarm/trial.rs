//! One trial: a scenario is made undisturbed with every check, then made again while everything below it goes wrong,
//! and read, decided and played again. All must come to the same blocks.
//!
//! What belongs here: which legs there are and what they are compared with. What does not: what is checked of a block
//! (`oracle`, `liveness`), making the disturbed leg (`lives`), real processes (`processes`).

use super::draw::healing_blocks;
use super::epoch;
use super::failure::{Failure, Or};
use super::liveness::Liveness;
use super::lives::{Lives, disturbed};
use super::oracle::{Doubling, Oracle};
use crate::BUILD;
use crate::plan::{FaultKind, Plan};
use crate::run::calendar::struck_by_kind;
use crate::run::control::{Control, Ended, Wish};
use crate::run::disturbance::{Strike, Struck, strikes};
use crate::run::engine::{Checking, Engine, Happening, Manner, pick_up};
use crate::run::hosts::Hosts;
use crate::run::re_execution::ReExecution;
use crate::run::re_simulation::simulate_again;
use crate::run::totals::Totals;
use crate::scenario::{Overrides, Scenario, read_shown};
use protocol::call::{Call, Setting};
use protocol::frame::Header;
use protocol::units::{BLOCK_MS, Hash32, Height};
use serde::Serialize;
use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use storage::fold::Folder;
use storage::log::{Durability, EventLog, SledLog};
use storage::record::Genesis;
use storage::runfolder::RunFolder;

/// Which readings a trial makes beside the two legs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Readings {
    /// Every call is decided again.
    pub re_execution: Reading,
    /// Every player is run again.
    pub re_simulation: Reading,
    /// The log is damaged, the damage found, the rest repaired and resumed.
    pub damage: Reading,
}

/// Whether something is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// It is.
    Made,
    /// It is not.
    Spared,
}

impl Readings {
    /// Everything.
    pub const ALL: Self =
        Self { re_execution: Reading::Made, re_simulation: Reading::Made, damage: Reading::Made };

    /// What a seed draws: re-execution always, a re-simulation once in four, a damaged log once in three.
    pub const fn of(seed: u64) -> Self {
        Self {
            re_execution: Reading::Made,
            re_simulation: Reading::once_in(4, seed),
            damage: Reading::once_in(3, seed),
        }
    }
}

impl Reading {
    const fn once_in(number: u64, seed: u64) -> Self {
        match seed.is_multiple_of(number) {
            true => Self::Made,
            false => Self::Spared,
        }
    }
}

/// The class of bytes changed in a log that is closed.
pub const DAMAGED_LOG: &str = "damaged-log";

/// What was seen of a trial that found nothing wrong, or until it did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Seen {
    /// Blocks of the undisturbed leg.
    pub blocks: u64,
    /// Its last block's hash.
    pub tip_hash: String,
    /// Faults that fired, by class, simulated ones and those below.
    pub faults: BTreeMap<String, u64>,
    /// Behaviours that played, as `role behaviour`.
    pub behaviours: BTreeSet<String>,
    /// Calls that were done.
    pub calls: BTreeMap<String, u64>,
    /// Reasons for which calls were not.
    pub rejections: BTreeMap<String, u64>,
    /// Kinds of events.
    pub events: BTreeSet<&'static str>,
}

impl Seen {
    /// Adds what another trial saw.
    pub fn add(&mut self, other: &Self) {
        self.blocks += other.blocks;
        let sums = [
            (&mut self.faults, &other.faults),
            (&mut self.calls, &other.calls),
            (&mut self.rejections, &other.rejections),
        ];
        for (sum, more) in sums {
            for (name, count) in more {
                *sum.entry(name.clone()).or_insert(0) += count;
            }
        }
        self.behaviours.extend(other.behaviours.iter().cloned());
        self.events.extend(&other.events);
    }

    /// Counts what struck below the simulation.
    pub fn struck(&mut self, struck: &Struck) {
        for (what, count) in struck {
            *self.faults.entry(what.name().to_owned()).or_insert(0) += count;
        }
    }
}

/// The undisturbed leg.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Straight {
    /// The last header.
    pub header: Header,
}

/// Makes a trial of a scenario within a folder that is empty; `seen` has what was seen, also of one that fails.
///
/// # Errors
/// The first check that does not hold.
pub fn attempt(
    text: &str,
    readings: Readings,
    folder: &Path,
    seen: &mut Seen,
) -> Result<(), Failure> {
    let tried = catch_unwind(AssertUnwindSafe(|| attempt_legs(text, readings, folder, seen)));
    tried.unwrap_or_else(|panic| Err(Failure::new("nothing_panics", said(panic.as_ref()))))
}

/// What a panic said.
pub fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("it says nothing").to_owned()
}

fn attempt_legs(
    text: &str,
    readings: Readings,
    folder: &Path,
    seen: &mut Seen,
) -> Result<(), Failure> {
    let scenario = read_shown(text, &Overrides::default()).or_fail("scenarios_are_taken")?;
    epoch::attempt(scenario.seed())?;
    let straight_at = folder.join("straight");
    let straight = straight(&scenario, &straight_at, seen)?;
    let log = SledLog::open(&RunFolder { path: straight_at.clone() }.log_dir());
    let log = log.or_fail("logs_open_again")?;
    read_again(&log, readings, &straight)?;
    drop(log);
    let lives = Lives {
        scenario: &scenario,
        folder: folder.join("disturbed"),
        strikes: strikes_of(&scenario)?,
        straight: &straight.header,
    };
    let mut struck = Struck::new();
    let made = disturbed(&lives, readings.damage, &mut struck);
    seen.struck(&struck);
    made?;
    if readings.damage == Reading::Made {
        *seen.faults.entry(DAMAGED_LOG.to_owned()).or_insert(0) += 1;
    }
    if readings.re_simulation == Reading::Made {
        re_simulate(&straight_at, &straight)?;
    }
    Ok(())
}

/// What strikes below a scenario.
///
/// # Errors
/// The scenario is wrong.
pub fn strikes_of(scenario: &Scenario) -> Result<Vec<Strike>, Failure> {
    let scheduled = scenario.disturbances().or_fail("scenarios_are_taken")?;
    let last = Height(scenario.document().genesis.height.saturating_add(scenario.blocks()));
    Ok(strikes(&scheduled, scenario.seed(), last))
}

/// How both legs are made.
pub fn manner(scenario: &Scenario, until: Height) -> Manner {
    let log = scenario.log();
    Manner {
        until,
        conditions: Vec::new(),
        snapshot_interval: log.snapshot_interval,
        snapshot_bytes: 0,
        checkpoint_interval: log.checkpoint_interval,
        checking: Checking::Invariants,
    }
}

/// Writes block 0 of a plan into a new run folder.
///
/// # Errors
/// It cannot be written.
pub fn begin(mut plan: Plan, path: &Path) -> Result<(RunFolder, SledLog), Failure> {
    let folder = RunFolder::create_at(path).or_fail("folders_are_made")?;
    let root = plan.genesis.root();
    let header = plan.genesis_header_by(root);
    let genesis = Genesis { build: BUILD.to_owned(), header, plan };
    let log = SledLog::create(&folder.log_dir(), &genesis, Durability::End);
    Ok((folder, log.or_fail("logs_are_made")?))
}

/// The last block at which something may go wrong by the scenario (simulated faults, changes by root, arrivals), if
/// there is time enough behind it for everybody to act again.
fn calm_from(scenario: &Scenario, plan: &Plan) -> Option<Height> {
    let genesis = plan.genesis.height;
    let tempos = plan.genesis.networks().map(|(_, subnet)| u64::from(subnet.params.tempo));
    let set = plan.timeline.iter().filter_map(|entry| match &entry.call {
        Call::SudoSet(Setting::Tempo { value, .. }) => Some(u64::from(*value)),
        _ => None,
    });
    // Of root, which has no epochs, the tempo means nothing.
    let longest = tempos.chain(set).filter(|tempo| *tempo < TEMPO_USUAL).max().unwrap_or(0);
    let faults = plan.faults.iter().map(|fault| {
        let times = &fault.times;
        match (times.every, times.until) {
            (None, _) => times.from.0.saturating_add(times.blocks),
            (Some(_), Some(until)) => until.0,
            (Some(_), None) => u64::MAX,
        }
    });
    let changes = plan.timeline.iter().map(|entry| entry.height.0);
    let arrivals = plan.players.iter().filter_map(|seat| seat.arrives_ms);
    let arrivals = arrivals.map(|ms| genesis.0 + ms.div_ceil(BLOCK_MS));
    let last = faults.chain(changes).chain(arrivals).max().unwrap_or(genesis.0);
    let end = genesis.0 + scenario.blocks();
    let needed = healing_blocks(longest);
    (last.saturating_add(needed) <= end.saturating_add(1)).then(|| Height(end - needed.min(end)))
}

/// A tempo that no drawn subnet has.
const TEMPO_USUAL: u64 = 100;

/// Makes a scenario without anything below it going wrong, and checks each block.
///
/// # Errors
/// The first check that does not hold.
pub fn straight(scenario: &Scenario, path: &Path, seen: &mut Seen) -> Result<Straight, Failure> {
    let plan = scenario.plan().or_fail("scenarios_are_taken")?;
    let genesis = plan.genesis.height;
    let until = Height(genesis.0 + scenario.blocks());
    for seat in &plan.players {
        let behaviour = seat.player.behaviour();
        seen.behaviours.insert(format!("{} {}", behaviour.role.name(), behaviour.name));
    }
    for (kind, count) in struck_by_kind(&plan, until) {
        *seen.faults.entry(kind.to_owned()).or_insert(0) += count;
    }
    let doubles = plan.network.duplication_ppm > 0
        || plan.faults.iter().any(|it| matches!(it.kind, FaultKind::Duplication { .. }));
    let doubling = if doubles { Doubling::Possible } else { Doubling::Never };
    let mut oracle = Oracle::default();
    let mut liveness = calm_from(scenario, &plan).map(|from| Liveness::new(&plan, from));
    let (folder, log) = begin(plan, path)?;
    let mut start = pick_up(log, folder.cache()).or_fail("runs_end_well")?;
    let manner = manner(scenario, until);
    actix::System::new().block_on(async {
        let seats = std::mem::take(&mut start.seats);
        let hosts = Hosts::local(&start.course(), seats, start.state.clone());
        let control = Control::new(Wish::default());
        let mut engine = Engine::new(start, hosts, None, control.clone());
        let mut found = None;
        let made = engine.run(&manner, |tick| {
            let Happening::Block(frame) = tick.what else { return };
            if found.is_some() {
                return;
            }
            seen.blocks += 1;
            seen.events.extend(frame.events.iter().map(<&'static str>::from));
            if let Some(liveness) = &mut liveness {
                liveness.block(frame, tick.state);
            }
            found = oracle.block(frame, tick.state).err();
            if found.is_some() || tick.violations > 0 {
                control.end(Ended::Stopped);
            }
        });
        let made = made.await.or_fail("runs_end_well");
        note_calls(engine.totals(), seen);
        seen.tip_hash = engine.header().hash().to_string();
        if let Some(violation) = engine.violation() {
            let what = format!("block {}: {}", violation.height, violation.detail);
            return Err(Failure::new(violation.name, what));
        }
        found.map_or(Ok(()), Err)?;
        made?;
        let (travelling, overdue) = engine.under_way();
        oracle.end(travelling, doubling, engine.state())?;
        if let Some(liveness) = &liveness {
            liveness.end(engine.state(), overdue)?;
        }
        Ok(Straight { header: engine.header().clone() })
    })
}

fn note_calls(totals: &Totals, seen: &mut Seen) {
    for (sum, more) in [(&mut seen.calls, &totals.done), (&mut seen.rejections, &totals.reasons)] {
        for (name, count) in more {
            *sum.entry(name.clone()).or_insert(0) += count;
        }
    }
}

/// Folds a log from block 0, and decides its calls again.
fn read_again(log: &SledLog, readings: Readings, straight: &Straight) -> Result<(), Failure> {
    let genesis = log.genesis::<Plan>().or_fail("logs_open_again")?;
    let (plan, header) = (genesis.plan, genesis.header);
    let folder = Folder::new(plan.genesis.clone(), &header);
    let mut folder = folder.or_fail("replay_comes_to_the_same")?;
    let mut again = ReExecution::new(&plan, &header);
    for frame in log.frames(Height(header.height.0 + 1), log.tip()) {
        let frame = frame.or_fail("logs_open_again")?;
        folder.fold(&frame).or_fail("replay_comes_to_the_same")?;
        if readings.re_execution == Reading::Made
            && let Some(difference) = again.block(&frame)
        {
            let what = format!("block {}: {difference}", frame.header.height);
            return Err(Failure::new("re_execution_comes_to_the_same", what));
        }
    }
    let folded = folder.header().hash();
    same("replay_comes_to_the_same", folded, straight.header.hash())
}

/// Checks that two tip hashes are one.
///
/// # Errors
/// They are not.
pub fn same(check: &str, found: Hash32, expected: Hash32) -> Result<(), Failure> {
    match found == expected {
        true => Ok(()),
        false => Err(Failure::new(check, format!("its tip hash is {found}, not {expected}"))),
    }
}

/// Runs the players again, from block 0 of the log.
fn re_simulate(path: &Path, straight: &Straight) -> Result<(), Failure> {
    let folder = RunFolder { path: path.to_owned() };
    let log = SledLog::open(&folder.log_dir()).or_fail("logs_open_again")?;
    let until = straight.header.height;
    let again = simulate_again(log, folder.cache(), until, |_| {});
    match again.or_fail("runs_end_well")? {
        None => Ok(()),
        Some((height, difference)) => {
            let what = format!("block {height}: {difference}");
            Err(Failure::new("re_simulation_comes_to_the_same", what))
        }
    }
}
