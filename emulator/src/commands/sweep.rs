//! `btemu sweep`: a grid of settings times seeds, here or on many machines, and what came of it.

use super::ordering::scenario_failure;
use super::{Failure, print, print_json};
use crate::logging::LogFormat;
use crate::parallel::cores;
use crate::progress::Showing;
use crate::run::signals::Asked;
use crate::sweep::bar::Bar;
use crate::sweep::job::JobResult;
use crate::sweep::local::{self, Made};
use crate::sweep::plan::{Planned, Shard, Sweep};
use crate::sweep::pool::Pool;
use crate::sweep::store::Store;
use crate::sweep::table::{self, CellSummary, Results};
use crate::telling::figures::thousands;
use crate::telling::tell_talk;
use crate::version::BUILD;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// `btemu sweep`
#[derive(Debug, clap::Args)]
pub struct SweepArguments {
    /// The sweep file (docs/sweeps.md).
    sweep: PathBuf,
    /// Where results are kept; the same folder goes on with a sweep that was stopped.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Jobs at once, a process each [default: the machine's cores].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: Option<u16>,
    /// Let workers make the jobs, over the NATS server at nats://HOST:PORT.
    #[arg(long, value_name = "URL", value_parser = super::worker::broker_url, conflicts_with = "jobs")]
    link: Option<String>,
    /// What workers must know; results without it do not count.
    #[arg(long, value_name = "T", requires = "link")]
    token: Option<String>,
    /// Make only part I of N of the jobs; without it, the same command gathers the results of all parts.
    #[arg(long, value_name = "I/N")]
    shard: Option<Shard>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Told {
    sweep: String,
    description: String,
    out: String,
    jobs: usize,
    shard: Option<String>,
    found: u64,
    made: u64,
    failed: u64,
    missing: u64,
    failures: Vec<ToldFailure>,
    files: Vec<String>,
    cells: Vec<CellSummary>,
}

#[derive(Serialize)]
struct ToldFailure {
    job: usize,
    cell: usize,
    seed: u64,
    why: String,
}

/// Makes what is missing, and tells what all results say.
pub fn run(arguments: &SweepArguments, log_format: LogFormat) -> Result<(), Failure> {
    if arguments.link.is_some() {
        super::worker::check_broker()?;
    }
    let showing = Showing::unless_json(arguments.json);
    let sweep = load(arguments, showing)?;
    let store = Store::open(&arguments.out).map_err(|error| Failure::failed(error, None))?;
    let wanted: Vec<(usize, &Planned)> = sweep
        .jobs
        .iter()
        .enumerate()
        .filter(|(number, _)| arguments.shard.is_none_or(|shard| shard.has(*number)))
        .collect();
    let missing = |jobs: &[(usize, &Planned)]| -> Vec<usize> {
        let missing = jobs.iter().filter(|(_, job)| store.load(&job.key).is_none());
        missing.map(|(number, _)| *number).collect()
    };
    let to_make: Vec<(usize, &Planned)> =
        missing(&wanted).into_iter().map(|number| (number, &sweep.jobs[number])).collect();
    let found = (wanted.len() - to_make.len()) as u64;
    if found > 0 {
        tell_talk(&format!(
            "{} of {} jobs are done already\n",
            thousands(found),
            thousands(wanted.len() as u64)
        ));
    }
    let blocks = to_make.iter().map(|(_, job)| job.blocks).sum();
    let bar = Bar::new(to_make.len() as u64, blocks, showing);
    let made = make(arguments, &sweep, to_make, &store, &bar, log_format.name());
    bar.finish();
    tell(arguments, &sweep, &store, &wanted, found, made?)
}

fn load(arguments: &SweepArguments, showing: Showing) -> Result<Sweep, Failure> {
    let bar = Bar::new(0, 0, showing);
    let sweep = Sweep::load(&arguments.sweep, |known, of| bar.checks(known, of));
    bar.finish();
    let sweep = sweep.map_err(scenario_failure)?;
    for warning in &sweep.warnings {
        tracing::warn!("{warning}");
    }
    Ok(sweep)
}

/// Makes jobs here, or has them made.
fn make(
    arguments: &SweepArguments,
    sweep: &Sweep,
    jobs: Vec<(usize, &Planned)>,
    store: &Store,
    bar: &Bar,
    log_format: &'static str,
) -> Result<Made, Failure> {
    if jobs.is_empty() {
        return Ok(Made::default());
    }
    let failed = |what: String| Failure::failed(what, Some(go_on(arguments)));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| failed(format!("cannot make a runtime: {error}")))?;
    runtime.block_on(async {
        let mut asked = Asked::listen().map_err(|error| failed(error.to_string()))?;
        if let Some(url) = &arguments.link {
            let token = arguments.token.as_deref();
            return super::worker::make_elsewhere(url, token, sweep, jobs, store, bar, &mut asked)
                .await;
        }
        let pool = Pool::open(&arguments.out, log_format);
        let pool = pool.map_err(|error| failed(error.to_string()))?;
        let at_once = arguments.jobs.map_or_else(cores, usize::from);
        let numbers = jobs.into_iter().map(|(number, _)| number).collect();
        let keep =
            |_: usize, result: JobResult| store.keep(&result).map_err(|error| error.to_string());
        let made = local::make(sweep, numbers, &pool, at_once, keep, bar, &mut asked).await;
        made.map_err(failed)
    })
}

fn go_on(arguments: &SweepArguments) -> String {
    let (sweep, out) = (arguments.sweep.display(), arguments.out.display());
    format!("`btemu sweep {sweep} --out {out}` goes on; what is done stays done")
}

fn tell(
    arguments: &SweepArguments,
    sweep: &Sweep,
    store: &Store,
    wanted: &[(usize, &Planned)],
    found: u64,
    made: Made,
) -> Result<(), Failure> {
    let results: Results = wanted
        .iter()
        .filter_map(|(number, job)| Some((*number, store.load_for(&job.key, &sweep.measures)?)))
        .collect();
    tell_foreign(&results);
    // Parts of one sweep may share a folder, so none writes the tables of the whole.
    let files = match arguments.shard {
        Some(_) => Vec::new(),
        None => table::write(sweep, &results, &arguments.out)
            .map_err(|error| Failure::failed(&error, error.hint()))?,
    };
    let missing = (wanted.len() - results.len() - made.failed.len()) as u64;
    let cells = table::summarize(sweep, &results);
    let files: Vec<String> = files.iter().map(|file| file.path.display().to_string()).collect();
    let failures = made.failed.iter().map(|(number, why)| {
        let job = &sweep.jobs[*number];
        ToldFailure { job: number + 1, cell: job.cell + 1, seed: job.seed, why: why.clone() }
    });
    let told = Told {
        sweep: sweep.name.clone(),
        description: sweep.description.clone(),
        out: arguments.out.display().to_string(),
        jobs: wanted.len(),
        shard: arguments.shard.map(|shard| format!("{}/{}", shard.number, shard.of)),
        found,
        made: made.done,
        failed: made.failed.len() as u64,
        missing,
        failures: failures.collect(),
        files,
        cells,
    };
    if arguments.json {
        print_json(&told)?;
    } else {
        print(&tell_people(sweep, &told))?;
    }
    let hint = Some(go_on(arguments));
    match (told.failed, missing) {
        (0, 0) => Ok(()),
        (0, missing) => {
            let of = told.jobs;
            Err(Failure::failed(format!("stopped: {missing} of {of} jobs are not made"), hint))
        }
        (failed, _) => {
            let of = told.jobs;
            Err(Failure::failed(format!("{failed} of {of} jobs failed"), hint))
        }
    }
}

/// What another build made has the same scenario, but that build may have decided otherwise.
fn tell_foreign(results: &Results) {
    let mut foreign = BTreeMap::<&str, usize>::new();
    for (_, result) in results.iter().filter(|(_, result)| result.build != BUILD) {
        *foreign.entry(&result.build).or_default() += 1;
    }
    for (build, count) in foreign {
        tracing::warn!(
            "{count} of the results were made by {build}, this is {BUILD}: if rules or players differ they are not to be \
             compared; take them out of the folder of results to have them made again"
        );
    }
}

fn tell_people(sweep: &Sweep, told: &Told) -> String {
    let shard = told.shard.as_ref().map_or_else(String::new, |shard| format!(", shard {shard}"));
    let mut text = format!(
        "sweep {}: {} cells, {} jobs{shard}: {} made now, {} found done, {} failed, {} not made\n\n",
        sweep.name,
        sweep.cells.len(),
        told.jobs,
        told.made,
        told.found,
        told.failed,
        told.missing
    );
    text.push_str(&table::tell(sweep, &told.cells));
    for failure in &told.failures {
        let ToldFailure { job, cell, seed, why } = failure;
        text.push_str(&format!("failed: job {job} (cell {cell}, seed {seed}): {why}\n"));
    }
    for file in &told.files {
        text.push_str(&format!("a row per job   {file}\n"));
    }
    text
}
