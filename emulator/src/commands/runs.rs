//! `btemu runs`: the run folders.

use super::reading::Reading;
use super::{Failure, print, print_json};
use crate::run::caller::status_of;
use crate::run::totals::ForkedFrom;
use comfy_table::Table;
use comfy_table::presets::NOTHING;
use serde::Serialize;
use std::path::{Path, PathBuf};
use storage::log::EventLog;
use storage::runfolder::RunFolder;

/// `btemu runs`
#[derive(Debug, clap::Args)]
pub struct RunsArguments {
    /// Where the run folders are.
    #[arg(long, default_value = "runs")]
    folder: PathBuf,
    /// Print one JSON object per run.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Row {
    run: String,
    scenario: Option<String>,
    seed: Option<u64>,
    blocks: Option<u64>,
    /// Which run it left, if it is a fork.
    forked_from: Option<ForkedFrom>,
    log_bytes: Option<u64>,
    /// `readable`, what a live run is doing, or why it cannot be read.
    state: String,
}

/// Lists the run folders, by name.
pub fn run(arguments: &RunsArguments) -> Result<(), Failure> {
    let folders = RunFolder::list(&arguments.folder).map_err(|error| {
        let hint = "`btemu run SCENARIO` makes the first one".to_owned();
        Failure::failed(format!("cannot read {}: {error}", arguments.folder.display()), Some(hint))
    })?;
    let rows = folders.iter().map(|folder| row(folder));
    if arguments.json {
        return rows.into_iter().try_for_each(|row| print_json(&row));
    }
    let mut table = Table::new();
    table.load_preset(NOTHING).set_header([
        "run",
        "scenario",
        "seed",
        "blocks",
        "log bytes",
        "state",
        "fork of",
    ]);
    for row in rows {
        let number = |number: Option<u64>| number.map_or_else(String::new, |n| n.to_string());
        table.add_row([
            row.run,
            row.scenario.unwrap_or_default(),
            number(row.seed),
            number(row.blocks),
            number(row.log_bytes),
            row.state,
            row.forked_from.as_ref().map(ToString::to_string).unwrap_or_default(),
        ]);
    }
    print(&format!("{table}\n"))
}

fn row(folder: &Path) -> Row {
    let run = folder.display().to_string();
    match Reading::open(folder) {
        Ok(reading) => Row {
            run,
            scenario: Some(reading.plan.name.clone()),
            seed: Some(reading.plan.last_course().seed()),
            blocks: Some(reading.log.tip().0 - reading.genesis.height.0),
            forked_from: ForkedFrom::of(&reading.plan),
            log_bytes: Some(reading.log.bytes()),
            state: "readable".to_owned(),
        },
        Err(failure) => {
            let live = status_of(folder);
            Row {
                run,
                scenario: None,
                seed: None,
                blocks: live.as_ref().map(|status| status.block - status.genesis_block),
                forked_from: None,
                log_bytes: None,
                state: live.map_or_else(|| failure.to_string(), |it| it.state.name().to_owned()),
            }
        }
    }
}
