//! `btemu swarm`: random scenarios, populations, adversaries and faults against every check there is.

use super::{Failure, print, print_json};
use crate::clock::{Stopwatch, Throttle};
use crate::parallel::cores;
use crate::scenario::document::Document;
use crate::scenario::error::ScenarioError;
use crate::scenario::{file_text, in_toml, parse};
use crate::swarm::draw::Form;
use crate::swarm::failure::Failure as Broken;
use crate::swarm::readings::Readings;
use crate::swarm::shrink::shrink;
use crate::swarm::trial::Seen;
use crate::swarm::{COVERING_SEEDS, Failed, Gathered, Swarm, save, scenario_of, try_all, try_one};
use crate::telling::tell_talk;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

/// Failures that are made small; further ones are only told.
const SHRUNK_MAX: usize = 3;
/// How often progress is told at most.
const PROGRESS_INTERVAL_MS: u64 = 5_000;

/// `btemu swarm`
#[derive(Clone, Debug, clap::Args)]
pub struct SwarmArguments {
    /// Seeds, both ends among them; each draws a scenario of its own.
    #[arg(
        long,
        value_name = "A..B",
        required_unless_present = "scenario",
        conflicts_with = "scenario"
    )]
    seeds: Option<SwarmSeeds>,
    /// Try this scenario instead, as a failure leaves one behind.
    #[arg(long, value_name = "FILE")]
    scenario: Option<PathBuf>,
    /// Blocks of each run [default: drawn].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(2..=1_000_000))]
    blocks: Option<u64>,
    /// Seeds at a time [default: the machine's cores].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: Option<u16>,
    /// Run so many of the seeds, the first ones, with real processes and signals too.
    #[arg(long, value_name = "N", default_value_t = 0)]
    with_processes: u64,
    /// Begin no further seed after so many failures.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    failures_max: Option<u64>,
    /// Where scenarios of failures are written.
    #[arg(long, value_name = "DIR", default_value = "swarm-failures")]
    out: PathBuf,
    /// Plant this bug first.
    #[cfg(feature = "planted")]
    #[arg(long, value_name = "BUG")]
    planted: Option<String>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// The seeds of a swarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SwarmSeeds {
    first: u64,
    last: u64,
}

impl std::str::FromStr for SwarmSeeds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (first, last) = crate::scenario::amount::ends(text)
            .ok_or_else(|| "seeds are a range with both its ends, as in 1..500".to_owned())?;
        match first <= last && last < u64::MAX {
            true => Ok(Self { first, last }),
            false => Err(format!("{text} ends before it begins, or never")),
        }
    }
}

#[derive(Serialize)]
struct Told {
    first_seed: Option<u64>,
    last_seed: Option<u64>,
    tried: u64,
    passed: u64,
    failed: Vec<ToldFailure>,
    blocks: u64,
    faults: BTreeMap<String, u64>,
    faults_never_fired: Vec<&'static str>,
    behaviours: BTreeSet<String>,
    behaviours_never_played: Vec<String>,
    calls: BTreeMap<String, u64>,
    rejections: BTreeMap<String, u64>,
    events: BTreeSet<&'static str>,
    wall_seconds: f64,
}

#[derive(Serialize)]
struct ToldFailure {
    seed: Option<u64>,
    check: String,
    detail: String,
    command: String,
    /// The scenario of the seed, as `btemu run` takes it.
    scenario: Option<String>,
    /// The same made small.
    shrunk: Option<String>,
}

/// Tries the seeds, or the scenario, and tells what came of it.
pub fn run(arguments: &SwarmArguments) -> Result<(), Failure> {
    let stopwatch = Stopwatch::start();
    #[cfg(feature = "planted")]
    if !crate::planted::plant(arguments.planted.as_deref()) {
        let names = crate::planted::names().collect::<Vec<_>>().join(", ");
        let what = format!("--planted: there is no such bug; there are {names}");
        return Err(Failure::usage(what, None));
    }
    let gathered = match (&arguments.scenario, arguments.seeds) {
        (Some(file), _) => try_file(file)?,
        (None, Some(seeds)) => try_seeds(arguments, seeds),
        (None, None) => unreachable!("clap requires one of them"),
    };
    let failed: Vec<ToldFailure> =
        gathered.failed.iter().enumerate().map(|(at, one)| failure(arguments, at, one)).collect();
    let told = Told {
        first_seed: arguments.seeds.map(|seeds| seeds.first),
        last_seed: arguments.seeds.map(|seeds| seeds.last),
        tried: gathered.tried,
        passed: gathered.tried - gathered.failed.len() as u64,
        failed,
        blocks: gathered.seen.blocks,
        faults_never_fired: gathered.never_fired(match arguments.with_processes {
            0 => Form::OneProcess,
            _ => Form::Processes,
        }),
        behaviours_never_played: gathered.never_played(),
        faults: gathered.seen.faults,
        behaviours: gathered.seen.behaviours,
        calls: gathered.seen.calls,
        rejections: gathered.seen.rejections,
        events: gathered.seen.events,
        wall_seconds: stopwatch.seconds(),
    };
    match arguments.json {
        true => print_json(&told)?,
        false => print(&words(&told))?,
    }
    verdict(&told)
}

fn try_seeds(arguments: &SwarmArguments, seeds: SwarmSeeds) -> Gathered {
    let swarm = Swarm {
        first: seeds.first,
        last: seeds.last,
        blocks: arguments.blocks,
        jobs: arguments.jobs.map_or_else(cores, usize::from),
        failures_max: arguments.failures_max,
        with_processes: arguments.with_processes,
    };
    let seeds = seeds.last - seeds.first + 1;
    let count = seeds + seeds.min(arguments.with_processes);
    let throttle = Mutex::new(Throttle::every(Duration::from_millis(PROGRESS_INTERVAL_MS)));
    let told = |failed: &Failed| {
        tell_talk(&format!("seed {}: {}\n", failed.seed, failed.failure));
    };
    let done = |tried: u64| {
        let is_due = throttle.lock().is_ok_and(|mut throttle| throttle.is_due());
        if is_due || tried == count {
            tell_talk(&format!("{tried} of {count} trials are done\n"));
        }
    };
    try_all(&swarm, told, done)
}

fn try_file(file: &std::path::Path) -> Result<Gathered, Failure> {
    let failed = |error: ScenarioError| Failure::usage(&error, error.hint());
    let text = file_text(file).map_err(failed)?;
    let text = in_toml(&file.display().to_string(), &text).map_err(failed)?;
    let mut gathered = Gathered { tried: 1, ..Gathered::default() };
    if let Err(failure) = try_one(&text, Readings::ALL, &mut gathered.seen) {
        gathered.failed.push(Failed { seed: 0, form: Form::OneProcess, failure });
    }
    Ok(gathered)
}

/// What is told of a failure; its scenario is written, and of the first ones a smaller one.
fn failure(arguments: &SwarmArguments, at: usize, failed: &Failed) -> ToldFailure {
    let Broken { check, detail } = failed.failure.clone();
    if let Some(file) = &arguments.scenario {
        let command = format!("btemu swarm --scenario {}", file.display());
        return ToldFailure { seed: None, check, detail, command, scenario: None, shrunk: None };
    }
    let seed = failed.seed;
    let text = scenario_of(seed, arguments.blocks, failed.form);
    let is_real = failed.form == Form::Processes;
    let real = if is_real { " --with-processes 1" } else { "" };
    let blocks = arguments.blocks.map_or_else(String::new, |blocks| format!(" --blocks {blocks}"));
    let command = format!("btemu swarm --seeds {seed}..{seed}{blocks}{real}");
    let write = |name: String, text: &str| match save(&arguments.out, &name, text) {
        Ok(path) => Some(path.display().to_string()),
        Err(error) => {
            tell_talk(&format!("cannot write {name} into {}: {error}\n", arguments.out.display()));
            None
        }
    };
    let suffix = if is_real { "-processes" } else { "" };
    let scenario = write(format!("seed-{seed}{suffix}.toml"), &text);
    let document = parse::<Document>("the drawn scenario", &text);
    // A run with real processes takes seconds, and does not fail the same way each time.
    let small = document.ok().filter(|_| at < SHRUNK_MAX && !is_real);
    let shrunk = small.and_then(|document| {
        let readings = Readings::of(seed);
        let fails = |smaller: &Document| {
            let text = toml::to_string(smaller).expect("a document is plain data");
            try_one(&text, readings, &mut Seen::default()).err()
        };
        let smallest = shrink(&document, &check, fails);
        let text = toml::to_string(&smallest).expect("a document is plain data");
        let head = format!("# Shrunk from seed {seed}: {check}. btemu swarm --scenario FILE\n\n");
        write(format!("seed-{seed}-shrunk.toml"), &(head + &text))
    });
    ToldFailure { seed: Some(seed), check, detail, command, scenario, shrunk }
}

fn words(told: &Told) -> String {
    let mut text = format!(
        "{} of {} trials hold, {} blocks, {:.1} s\n",
        told.passed, told.tried, told.blocks, told.wall_seconds
    );
    for failed in &told.failed {
        text.push_str(&format!("\n{}: {}\n  {}\n", failed.check, failed.detail, failed.command));
        for (what, path) in [("scenario", &failed.scenario), ("shrunk", &failed.shrunk)] {
            if let Some(path) = path {
                text.push_str(&format!("  {what:<8}  {path}\n"));
            }
        }
    }
    text.push_str("\nfaults that fired\n");
    for (class, count) in &told.faults {
        text.push_str(&format!("  {class:<18} {count:>8}\n"));
    }
    if !told.faults_never_fired.is_empty() {
        text.push_str(&format!("never fired: {}\n", told.faults_never_fired.join(", ")));
    }
    if !told.behaviours_never_played.is_empty() {
        text.push_str(&format!("never played: {}\n", told.behaviours_never_played.join(", ")));
    }
    let (calls, reasons, events) = (told.calls.len(), told.rejections.len(), told.events.len());
    let behaviours = told.behaviours.len();
    text.push_str(&format!(
        "\n{behaviours} behaviours played; {calls} kinds of calls were done, {reasons} reasons for a no, \
         {events} kinds of events\n"
    ));
    text
}

/// A swarm fails by a seed, or by what never happened in many of them.
fn verdict(told: &Told) -> Result<(), Failure> {
    if let Some(first) = told.failed.first() {
        let what = format!("{} of {} trials failed", told.failed.len(), told.tried);
        return Err(Failure::failed(what, Some(format!("`{}` repeats the first", first.command))));
    }
    if told.tried < COVERING_SEEDS {
        if !told.faults_never_fired.is_empty() && told.first_seed.is_some() {
            tell_talk(&format!(
                "whether every class of fault fires is judged from {COVERING_SEEDS} seeds on\n"
            ));
        }
        return Ok(());
    }
    match told.faults_never_fired.is_empty() {
        true => Ok(()),
        false => {
            let never = told.faults_never_fired.join(", ");
            Err(Failure::failed(format!("faults that never fired: {never}"), None))
        }
    }
}
