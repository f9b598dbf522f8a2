//! `btemu replay`: folds a log back into the protocol state.

use super::reading::{Reading, read_failure, verify_hint};
use super::telling::tell_summary;
use super::{BlockArgument, Failure, print, print_json};
use crate::clock::Stopwatch;
use crate::progress::{Progress, Showing};
use crate::run::death;
use crate::run::totals::{Account, Summary, Totals};
use std::path::PathBuf;
use storage::fold::Folder;
use storage::log::EventLog;
use storage::pursuit::pursue;

/// `btemu replay`
#[derive(Debug, clap::Args)]
pub struct ReplayArguments {
    /// The run folder.
    run: PathBuf,
    /// The last block to fold: a height, or +N counted from genesis.
    #[arg(long, value_name = "B")]
    to: Option<BlockArgument>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Folds every block from genesis on and checks every frame hash and state root.
pub fn run(arguments: &ReplayArguments) -> Result<(), Failure> {
    let stopwatch = Stopwatch::start();
    let reading = Reading::open(&arguments.run)?;
    let to = reading.height(arguments.to)?;
    let failed = |error| Failure::failed(error, verify_hint());
    let mut folder = Folder::new(reading.plan.genesis.clone(), &reading.genesis).map_err(failed)?;
    let mut totals = Totals::default();
    let showing = Showing::unless_json(arguments.json);
    let progress = Progress::counting(reading.genesis.height.0, to.0, showing);
    let pursued = pursue(&mut folder, &reading.log, to, |frame, _| {
        totals.add(frame);
        progress.at(frame.header.height.0);
    });
    pursued.map_err(read_failure)?;
    progress.finish();
    let account = Account {
        run: arguments.run.display().to_string(),
        plan: &reading.plan,
        simulation: reading.genesis.parent,
        header: folder.header(),
        state: folder.state(),
        totals: &totals,
    };
    let mut summary = Summary::new(&account);
    summary.wall_seconds = stopwatch.seconds();
    summary.blocks_per_second = summary.blocks as f64 / summary.wall_seconds.max(1e-9);
    summary.log_bytes = reading.log.bytes();
    summary.peak_rss_bytes = death::peak_rss_bytes();
    if arguments.json {
        return print_json(&summary);
    }
    print(&tell_summary(&summary))?;
    print("every frame hash and every state root holds\n")
}
