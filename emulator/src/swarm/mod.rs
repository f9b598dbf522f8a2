//! The swarm: a random scenario per seed, run while everything goes wrong that may, against every check there is.
//!
//! What belongs here: many seeds side by side, and what came of them together. What does not: the command and its words
//! (`commands::swarm`).

/// Who plays.
mod cast;
/// From a seed to a scenario.
pub mod draw;
/// One epoch by itself.
mod epoch;
/// What can be found wrong.
pub mod failure;
/// Draws.
mod fate;
/// What legs have in common.
mod leg;
/// What goes on after the last fault.
mod liveness;
/// A run that dies and goes on.
mod lives;
/// What must be true of blocks.
mod oracle;
/// One scenario with real processes.
mod processes;
/// What is done with a log beside making it.
pub mod readings;
/// Failures made small.
pub mod shrink;
/// One scenario with every check.
pub mod trial;

use crate::run::disturbance::Disturbance;
use draw::{Form, draw};
use failure::Failure;
use readings::Readings;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Mutex;
use strum::VariantArray;
use trial::{DAMAGED_LOG, Seen, attempt};

/// From so many seeds on a class of fault that never fired is a failure.
pub const COVERING_SEEDS: u64 = 500;

/// Classes of simulated faults.
const SIMULATED: &[&str] = &[
    "loss",
    "corruption",
    "duplication",
    "delay",
    "clog",
    "partition-halves",
    "partition-isolate",
    "partition-bridge",
    "partition-one-way",
    "offline",
];

/// Which seeds, and how.
#[derive(Clone, Debug)]
pub struct Swarm {
    /// The first seed.
    pub first: u64,
    /// The last one.
    pub last: u64,
    /// Blocks of each run; drawn where none are said.
    pub blocks: Option<u64>,
    /// Seeds at a time.
    pub jobs: usize,
    /// How many of the seeds, the first ones, run with real processes too.
    pub with_processes: u64,
    /// Failures after which no further seed is begun; none for no such bound.
    pub failures_max: Option<u64>,
}

/// A seed that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// Which.
    pub seed: u64,
    /// In which form.
    pub form: Form,
    /// What did not hold.
    pub failure: Failure,
}

/// What came of a swarm.
#[derive(Clone, Debug, Default)]
pub struct Gathered {
    /// Seeds that were tried.
    pub tried: u64,
    /// Those that failed, by seed.
    pub failed: Vec<Failed>,
    /// What was seen over all of them.
    pub seen: Seen,
}

impl Gathered {
    /// Classes of fault that never fired, of those that can in such a swarm.
    pub fn never_fired(&self, form: Form) -> Vec<&'static str> {
        let below = Disturbance::VARIANTS.iter().filter(|what| {
            let needs_processes = matches!(what, Disturbance::PauseChain | Disturbance::PauseHost);
            form == Form::Processes || !needs_processes
        });
        let below = below.map(|what| what.name());
        let classes = SIMULATED.iter().copied().chain(below).chain([DAMAGED_LOG]);
        classes.filter(|class| !self.seen.faults.contains_key(*class)).collect()
    }

    /// Behaviours that never played.
    pub fn never_played(&self) -> Vec<String> {
        let known = actors::registry::behaviours().iter();
        let known = known.map(|it| format!("{} {}", it.role.name(), it.name));
        let known: BTreeSet<String> = known.collect();
        known.difference(&self.seen.behaviours).cloned().collect()
    }
}

/// The scenario of a seed, as `btemu run` takes it.
pub fn scenario_of(seed: u64, blocks: Option<u64>, form: Form) -> String {
    toml::to_string(&draw(seed, blocks, form)).expect("a document is plain data")
}

/// Tries one scenario in a folder of its own, which is gone afterwards.
pub fn try_one(text: &str, readings: Readings, seen: &mut Seen) -> Result<(), Failure> {
    let folder = tempfile::Builder::new().prefix("btemu-swarm-").tempdir();
    let folder = folder.map_err(|error| Failure::new("folders_are_made", error))?;
    attempt(text, readings, folder.path(), seen)
}

/// Tries one scenario with real processes in a folder of its own, which is gone afterwards.
pub fn try_processes(text: &str, seen: &mut Seen) -> Result<(), Failure> {
    let folder = tempfile::Builder::new().prefix("btemu-swarm-").tempdir();
    let folder = folder.map_err(|error| Failure::new("folders_are_made", error))?;
    processes::attempt(text, folder.path(), seen)
}

/// What is tried, in this order.
fn trials(swarm: &Swarm) -> impl Iterator<Item = (u64, Form)> {
    let (first, last) = (swarm.first, swarm.last);
    // Those take longest, and mostly wait.
    let real = (first..=last).take(usize::try_from(swarm.with_processes).unwrap_or(usize::MAX));
    let real = real.map(|seed| (seed, Form::Processes));
    real.chain((first..=last).map(|seed| (seed, Form::OneProcess)))
}

/// Tries every seed; `told` hears of each that fails, `done` of the number of trials that are done.
pub fn try_all(
    swarm: &Swarm,
    told: impl Fn(&Failed) + Sync,
    done: impl Fn(u64) + Sync,
) -> Gathered {
    let trials = Mutex::new(trials(swarm));
    let gathered = Mutex::new(Gathered::default());
    let whole = "whoever panics while it holds this ends the swarm";
    let work = || {
        loop {
            let failures = gathered.lock().expect(whole).failed.len() as u64;
            let next = trials.lock().expect(whole).next();
            let Some((seed, form)) = next else { return };
            if swarm.failures_max.is_some_and(|most| failures >= most) {
                return;
            }
            let text = scenario_of(seed, swarm.blocks, form);
            let mut seen = Seen::default();
            let tried = match form {
                Form::OneProcess => try_one(&text, Readings::of(seed), &mut seen),
                Form::Processes => try_processes(&text, &mut seen),
            };
            let mut gathered = gathered.lock().expect(whole);
            gathered.tried += 1;
            gathered.seen.add(&seen);
            if let Err(failure) = tried {
                let failed = Failed { seed, form, failure };
                told(&failed);
                gathered.failed.push(failed);
            }
            done(gathered.tried);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..swarm.jobs.max(1) {
            scope.spawn(work);
        }
    });
    let mut gathered = gathered.into_inner().expect(whole);
    gathered.failed.sort_by_key(|failed| failed.seed);
    gathered
}

/// Writes a scenario beside others, under a name.
///
/// # Errors
/// It cannot be written.
pub fn save(folder: &Path, name: &str, text: &str) -> std::io::Result<std::path::PathBuf> {
    std::fs::create_dir_all(folder)?;
    let path = folder.join(name);
    std::fs::write(&path, text)?;
    Ok(path)
}

#[cfg(test)]
mod tests;
