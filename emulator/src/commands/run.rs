//! `btemu run`: launches a scenario, or goes on with a run that stopped.

use super::ordering::{RunArguments, SeedRange};
use super::prepare::prepared;
use super::telling::tell_summary;
use super::{Failure, print, print_json};
use crate::logging::LogFormat;
use crate::progress::{Progress, Showing};
use crate::run::control::Ended;
use crate::run::family::ChildLogs;
use crate::run::launch_error::LaunchError;
use crate::run::launcher::{Happened, launch};
use crate::run::order::ChainOrder;
use crate::run::totals::Summary;
use crate::version::BUILD;
use serde_json::json;
use storage::journal::Journal;
use storage::runfolder::RunFolder;

/// Runs, and prints the summary.
pub fn run(arguments: &RunArguments, log_format: LogFormat) -> Result<(), Failure> {
    if let Some(seeds) = arguments.seeds {
        return run_seeds(arguments, seeds, log_format);
    }
    let summary = match arguments.resume {
        Some(_) => resume(arguments, log_format)?,
        None => fresh(arguments, log_format)?,
    };
    tell(arguments, &summary)
}

/// Runs with every seed, and prints a row for each.
fn run_seeds(
    arguments: &RunArguments,
    seeds: SeedRange,
    log_format: LogFormat,
) -> Result<(), Failure> {
    let mut violations = 0;
    if !arguments.json {
        print(&tell_row(["seed", "blocks", "top ten", "rejected", "ended", "tip hash", "run"]))?;
    }
    for seed in seeds.first..=seeds.last {
        let one = RunArguments {
            seed: Some(seed),
            seeds: None,
            out: arguments.out.as_ref().map(|folder| folder.join(format!("seed-{seed}"))),
            ..arguments.clone()
        };
        let summary =
            fresh(&one, log_format).map_err(|failure| failure.about(&format!("seed {seed}")))?;
        violations += summary.invariant_violations;
        if arguments.json {
            print_json(&summary)?;
        } else {
            let ended = summary.ended.unwrap_or(Ended::Complete);
            print(&tell_row([
                &seed.to_string(),
                &summary.blocks.to_string(),
                &format!("{:.2} %", summary.top10_emission_share * 100.0),
                &summary.rejected.to_string(),
                ended.name(),
                &summary.tip_hash.chars().take(8).collect::<String>(),
                &summary.run,
            ]))?;
        }
        if matches!(summary.ended, Some(Ended::Interrupted | Ended::Stopped)) {
            break;
        }
    }
    violated(violations)
}

fn tell_row([seed, blocks, top, rejected, ended, tip, run]: [&str; 7]) -> String {
    format!("{seed:>8} {blocks:>9} {top:>9} {rejected:>9}  {ended:<12} {tip:<9} {run}\n")
}

/// Prints a summary; a run that broke an invariant is a failure.
pub(super) fn tell(arguments: &RunArguments, summary: &Summary) -> Result<(), Failure> {
    if arguments.json {
        print_json(summary)?;
    } else {
        print(&tell_summary(summary))?;
        print(&next_steps(summary))?;
    }
    violated(summary.invariant_violations)
}

fn violated(count: u64) -> Result<(), Failure> {
    match count {
        0 => Ok(()),
        count => {
            let hint = "RUST_LOG=warn tells which and where".to_owned();
            Err(Failure::failed(format!("invariants failed after {count} blocks"), Some(hint)))
        }
    }
}

fn fresh(arguments: &RunArguments, log_format: LogFormat) -> Result<Summary, Failure> {
    let order = prepared(arguments, log_format)?;
    let folder = RunFolder { path: order.run.clone() };
    begin(arguments, folder, Ok(order), log_format)
}

/// Launches a run whose log is written; one that never began leaves nothing behind.
pub(super) fn begin(
    arguments: &RunArguments,
    folder: RunFolder,
    written: Result<ChainOrder, Failure>,
    log_format: LogFormat,
) -> Result<Summary, Failure> {
    let begun = written.map_err(|failure| (failure, false)).and_then(|order| {
        launch_told(arguments, &folder, order, log_format)
            .map_err(|error| (Failure::failed(&error, error.hint.clone()), error.began))
    });
    match begun {
        Ok(summary) => Ok(summary),
        Err((failure, began)) => {
            if !began {
                folder.discard();
            }
            Err(failure)
        }
    }
}

fn resume(arguments: &RunArguments, log_format: LogFormat) -> Result<Summary, Failure> {
    let order = prepared(arguments, log_format)?;
    let folder = RunFolder { path: order.run.clone() };
    launch_told(arguments, &folder, order, log_format)
        .map_err(|error| Failure::failed(&error, error.hint.clone()))
}

/// Launches, and writes into the operations journal how it began and ended.
fn launch_told(
    arguments: &RunArguments,
    folder: &RunFolder,
    order: ChainOrder,
    log_format: LogFormat,
) -> Result<Summary, LaunchError> {
    journal(
        folder,
        "started",
        &json!({
            "build": BUILD,
            "command": std::env::args().collect::<Vec<_>>(),
            "until": order.until,
            "hosts": order.hosts,
            "hosts_from_outside": order.outside,
            "link": order.link,
            "unix_seconds": crate::clock::unix_seconds(),
        }),
    );
    let showing = Showing::unless_json(arguments.json);
    let progress = Progress::new(order.until.0, showing);
    let happened = |happened: &Happened| {
        let unix_seconds = crate::clock::unix_seconds();
        match happened {
            Happened::Restarted(restart) => journal(
                folder,
                "restarted",
                &json!({
                    "why": restart.why,
                    "restarts": restart.restarts,
                    "block": restart.block,
                    "unix_seconds": unix_seconds,
                }),
            ),
            Happened::Struck(strike) => journal(
                folder,
                "struck",
                &json!({
                    "what": strike.what,
                    "block": strike.at,
                    "ms": strike.ms,
                    "unix_seconds": unix_seconds,
                }),
            ),
            Happened::Controlled { wish, block } => journal(
                folder,
                "controlled",
                &json!({
                    "pace": wish.pace.to_string(),
                    "motion": wish.motion,
                    "ending": wish.ending,
                    "block": block,
                    "unix_seconds": unix_seconds,
                }),
            ),
        }
    };
    let launched = launch(order, &ChildLogs { format: log_format.name() }, &progress, happened);
    match &launched {
        Ok(summary) => journal(
            folder,
            "ended",
            &json!({
                "reason": summary.ended,
                "block": summary.block,
                "tip_hash": summary.tip_hash,
                "wall_seconds": summary.wall_seconds,
                "unix_seconds": crate::clock::unix_seconds(),
            }),
        ),
        Err(error) => journal(
            folder,
            "failed",
            &json!({
                "what": error.what,
                "unix_seconds": crate::clock::unix_seconds(),
            }),
        ),
    }
    launched
}

/// The journal is told beside the log; a run does not end because it cannot be written.
fn journal(folder: &RunFolder, kind: &str, fields: &serde_json::Value) {
    let written =
        Journal::open(&folder.path).and_then(|mut journal| journal.write(kind, fields.clone()));
    if let Err(error) = written {
        tracing::warn!(%error, "the operations journal cannot be written");
    }
}

fn next_steps(summary: &Summary) -> String {
    let run = &summary.run;
    format!(
        "\nrun folder   {run}\nnext         btemu replay {run}\n             \
         btemu inspect {run} subnets\n             btemu log {run} --kind stake_added\n"
    )
}
