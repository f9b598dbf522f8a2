//! Prometheus metrics: a fold of the blocks, and what the shell knows about its processes.
//!
//! What belongs here: the handle that is told of blocks and asked for series. What does not: names and units (`table`),
//! numbers (`readings` of the chain, `people` of its players, `shell` and `timings` of processes), how they become series
//! (`collect`), the network (`server` is asked, `remote` tells). Families are built from the numbers at every scrape, so
//! a dissolved subnet leaves nothing behind and all series of a scrape are of one block.

mod collect;
mod counts;
mod neurons;
pub mod order;
mod page;
mod people;
mod readings;
pub mod remote;
mod server;
mod shell;
mod subnets;
pub mod table;
#[cfg(test)]
pub mod tests;
mod timings;

pub use people::People;
pub use server::{ServeError, Server};
pub use shell::{Making, Process, RemoteSamples};
pub use timings::{Phase, Timings};

use crate::detect::Detectors;
use crate::plan::Plan;
use crate::run::calendar::Calendar;
use crate::run::totals::roles;
use crate::version::COMMIT;
use actors::registry::Role;
use collect::RunCollector;
use prometheus::proto::Metric;
use prometheus::{Registry, TextEncoder};
use protocol::frame::Frame;
use protocol::state::State;
use protocol::units::NetUid;
use readings::{Faults, Readings};
use shell::{Shell, Speed};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use table::{Family, Kind};

/// Which run the series belong to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunLabels {
    /// The scenario's name.
    pub scenario: String,
    /// Of all draws.
    pub seed: u64,
    /// The run's name.
    pub run: String,
    /// The program's version; a label of `btemu_build_info` alone.
    pub version: &'static str,
    /// The commit it was built from, if that is known; a label of `btemu_build_info` alone.
    pub commit: &'static str,
}

/// The metrics of one run. Clones share their numbers.
#[derive(Clone, Debug)]
pub struct Metrics {
    fold: Arc<Mutex<Fold>>,
    shell: Arc<Mutex<Shell>>,
    timings: Timings,
    registry: Registry,
}

/// Everything that folds blocks, under one lock: a scrape sees all of it after the same block.
#[derive(Debug, Default)]
struct Fold {
    readings: Readings,
    detectors: Option<Detectors>,
    people: Option<People>,
}

impl Metrics {
    /// No blocks yet: nothing but the build and zero totals.
    pub fn new(run: RunLabels) -> Self {
        let (fold, shell) = (Arc::<Mutex<Fold>>::default(), Arc::<Mutex<Shell>>::default());
        let timings = Timings::kept();
        let registry = Registry::new();
        let collector =
            RunCollector::new(&run, Arc::clone(&fold), Arc::clone(&shell), timings.clone());
        registry.register(Box::new(collector)).expect("it is the registry's only collector");
        Self { fold, shell, timings, registry }
    }

    /// Those of a run by its plan and its folder, whose name is a label: players are known, blocks are not.
    pub fn of(plan: &Plan, run: &Path) -> Self {
        let metrics = Self::new(RunLabels {
            scenario: plan.name.clone(),
            seed: plan.last_course().seed(),
            run: run.file_name().map_or_else(String::new, |name| name.display().to_string()),
            version: env!("CARGO_PKG_VERSION"),
            commit: COMMIT,
        });
        let mut by_role: BTreeMap<Role, u64> = Role::ALL.iter().map(|role| (*role, 0)).collect();
        for role in roles(plan).into_values() {
            *by_role.entry(role).or_insert(0) += 1;
        }
        metrics.players(&by_role.into_iter().collect::<Vec<_>>());
        lock(&metrics.fold).readings.faults = Faults::of(Calendar::of(plan));
        metrics
    }

    /// Lets detectors fold the same blocks from here on.
    pub fn watching(self, detectors: Detectors) -> Self {
        lock(&self.fold).detectors = Some(detectors);
        self
    }

    /// Lets the books of all people fold the same blocks from here on.
    pub fn accounting(self, people: People) -> Self {
        lock(&self.fold).people = Some(people);
        self
    }

    /// Shows the neurons of these subnets one by one.
    pub fn naming(self, netuids: impl IntoIterator<Item = NetUid>) -> Self {
        lock(&self.fold).readings.subnets.named = netuids.into_iter().collect();
        self
    }

    /// Folds a block, in order, with the state after it.
    pub fn block(&self, frame: &Frame, state: &State) {
        let mut fold = lock(&self.fold);
        fold.readings.block(frame, state);
        fold.others(frame, state);
    }

    /// Counts what a block held, where nobody asks for gauges after it.
    pub fn count(&self, frame: &Frame, state: &State) {
        let mut fold = lock(&self.fold);
        fold.readings.pass(frame, state);
        fold.others(frame, state);
    }

    /// How fast blocks are made, and for how long so far, in wall time.
    pub fn speed(&self, blocks_per_second: f64, wall_seconds: f64) {
        lock(&self.shell).speed = Some(Speed { blocks_per_second, wall_seconds });
    }

    /// The log's size on disk.
    pub fn log_bytes(&self, bytes: u64) {
        lock(&self.shell).log_bytes = Some(bytes);
    }

    /// How many players have each role; replaces what was said before.
    pub fn players(&self, by_role: &[(Role, u64)]) {
        lock(&self.shell).players = by_role.iter().copied().collect();
    }

    /// The processes of the run; replaces what was said before.
    pub fn processes(&self, rows: impl IntoIterator<Item = Process>) {
        let rows = rows.into_iter().map(|process| (process.name.clone(), process));
        lock(&self.shell).processes = rows.collect();
    }

    /// How many wait in a queue.
    pub fn queue(&self, name: &'static str, depth: u64) {
        lock(&self.shell).queues.insert(name, depth);
    }

    /// How the run came so far.
    pub fn making(&self, making: Making) {
        lock(&self.shell).making = Some(making);
    }

    /// What became of samples for remote write.
    pub fn remote(&self, samples: RemoteSamples) {
        lock(&self.shell).remote = Some(samples);
    }

    /// Where durations are told.
    pub const fn timings(&self) -> &Timings {
        &self.timings
    }

    /// One value of each series, as a scrape would have them now. Histograms are of this process alone and not among them.
    pub fn samples(&self) -> impl Iterator<Item = Sample> {
        let families = self.registry.gather().into_iter();
        families.flat_map(|shown| {
            let known = table::FAMILIES.iter().find(|family| family.name == shown.name());
            let family = known.copied().expect("only families of the table are collected");
            let metrics = shown.get_metric().iter();
            let samples = metrics.filter_map(|metric| Sample::of(family, metric));
            samples.collect::<Vec<_>>()
        })
    }

    /// All series in Prometheus' text format 0.0.4.
    pub fn text(&self) -> String {
        let families = self.registry.gather();
        TextEncoder::new().encode_to_string(&families).expect("a string takes all, none is empty")
    }
}

impl Fold {
    /// Whoever folds blocks beside the readings.
    fn others(&mut self, frame: &Frame, state: &State) {
        if let Some(detectors) = &mut self.detectors {
            detectors.fold(frame, state);
        }
        if let Some(people) = &mut self.people {
            people.block(frame, state);
        }
    }
}

/// One value of a series.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// What it is of.
    pub family: &'static Family,
    /// Names and values of all labels, those of the run among them.
    pub labels: Vec<(String, String)>,
    /// The value, in the family's unit.
    pub value: f64,
}

impl Sample {
    fn of(family: &'static Family, metric: &Metric) -> Option<Self> {
        let labels = metric.get_label().iter();
        let labels = labels.map(|label| (label.name().to_owned(), label.value().to_owned()));
        let value = match family.kind {
            Kind::Gauge => metric.get_gauge().get_value(),
            Kind::Counter => metric.get_counter().get_value(),
            Kind::Histogram => return None,
        };
        Some(Self { family, labels: labels.collect(), value })
    }
}

/// Gauges are of a block alone, whatever was seen before it: most are made again only where an event may have changed
/// them, and this finds one that was not.
#[cfg(test)]
pub fn check_same_gauges(metrics: &Metrics, fresh: &Metrics) {
    let gauges = |metrics: &Metrics| -> Vec<Sample> {
        let samples = metrics.samples().filter(|it| it.family.kind == Kind::Gauge);
        samples.filter(|it| !table::ENGINE_FAMILIES.contains(&it.family)).collect()
    };
    let (seen, first_seen) = (gauges(metrics), gauges(fresh));
    for (one, other) in seen.iter().zip(&first_seen) {
        assert_eq!(one, other);
    }
    assert_eq!(seen.len(), first_seen.len());
}

/// A panic elsewhere leaves numbers of one block or the next, and both may be shown.
fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
