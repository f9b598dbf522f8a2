//! `btemu reproduce`: the commands and the build that make a run again.
//!
//! What belongs here: what is shown of it. What does not: which commands they are (`reproduction`).

use super::reading::{Reading, log_failure};
use super::{Failure, print, print_json};
use crate::reproduction::{AGAIN, Start, commands, own_files, quoted, started_with};
use crate::scenario;
use crate::scenario::document::Document;
use crate::scenario::format::Format;
use crate::telling::tell_talk;
use crate::version::BUILD;
use serde::Serialize;
use std::fmt::Write as _;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use storage::journal::Journal;
use storage::log::EventLog;

/// Where the first command puts the scenario unless `--scenario` has put it somewhere.
const SCENARIO: &str = "again.toml";

/// `btemu reproduce`
#[derive(Debug, clap::Args)]
pub struct ReproduceArguments {
    /// The folder of the run to make again.
    run: PathBuf,
    /// Write the run's scenario in full into this file, as TOML, YAML or JSON by its name; the commands begin with it.
    #[arg(long, value_name = "FILE")]
    scenario: Option<PathBuf>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// What makes a run again.
#[derive(Debug, Serialize)]
struct Reproduction {
    run: String,
    scenario: String,
    seed: u64,
    scenario_hash: String,
    genesis_block: u64,
    block: u64,
    blocks: u64,
    /// What the last command has to end with.
    tip_hash: String,
    state_root: String,
    /// The builds that made it, in order: its own is the last one, those before it made what a fork shares.
    builds: Vec<String>,
    this_build: String,
    same_build: bool,
    /// Whether this build makes the same block 0; one that does not makes no block with the same hash.
    same_genesis: bool,
    started_with: Option<String>,
    /// The file with the scenario in full that was written, if one was.
    scenario_file: Option<String>,
    /// Files that the scenario names and that do not ship with the program.
    files: Vec<String>,
    commands: Vec<String>,
}

/// Shows what makes a run again; writes its scenario if that is asked for.
pub fn run(arguments: &ReproduceArguments) -> Result<(), Failure> {
    let reading = Reading::open(&arguments.run)?;
    let told = reproduction(arguments, &reading)?;
    if let Some(file) = &arguments.scenario {
        let text = in_format(file, &reading.plan.scenario)?;
        write_scenario(file, &text)?;
        tell_files(&told.files);
    }
    match arguments.json {
        true => print_json(&told),
        false => print(&told_to_people(&told)),
    }
}

fn reproduction(
    arguments: &ReproduceArguments,
    reading: &Reading,
) -> Result<Reproduction, Failure> {
    let plan = &reading.plan;
    let tip = reading.log.header(reading.log.tip()).map_err(log_failure)?;
    let mut builds: Vec<String> = plan.forks.iter().map(|fork| fork.build.clone()).collect();
    builds.push(reading.build.clone());
    builds.dedup();
    let run = arguments.run.display().to_string();
    let files = own_files(&plan.scenario);
    let file = arguments.scenario.as_ref().map(|file| file.display().to_string());
    let start = match &file {
        Some(file) => Start::Scenario(file),
        None if files.is_empty() => Start::Scenario(SCENARIO),
        None => Start::Run(&run),
    };
    let mut before = Vec::new();
    if let Start::Scenario(_) = start {
        let names = scenario::variables();
        if !names.is_empty() {
            before.push(format!("unset {}", names.join(" ")));
        }
        if file.is_none() {
            before.push(format!("btemu reproduce {} --scenario {SCENARIO}", quoted(&run)));
        }
    }
    let genesis = reading.genesis.height.0;
    Ok(Reproduction {
        scenario: plan.name.clone(),
        seed: plan.last_course().seed(),
        scenario_hash: reading.genesis.parent.to_string(),
        genesis_block: genesis,
        block: tip.height.0,
        blocks: tip.height.0 - genesis,
        tip_hash: tip.hash().to_string(),
        state_root: tip.state_root.to_string(),
        this_build: BUILD.to_owned(),
        same_build: builds.iter().all(|build| build == BUILD),
        same_genesis: plan.genesis_header().hash() == reading.genesis.hash(),
        started_with: started_with(&Journal::read(&reading.folder.path).unwrap_or_default()),
        commands: [before, commands(plan, start, tip.height)].concat(),
        builds,
        run,
        scenario_file: file,
        files,
    })
}

/// The scenario in what the name of the file says it is written in.
fn in_format(file: &Path, scenario: &str) -> Result<String, Failure> {
    let document: Document = scenario::parse("the scenario in the log", scenario)
        .map_err(|error| Failure::failed(&error, error.hint()))?;
    let written = Format::of(file).written(&document);
    Ok(written.expect("a scenario that was run has numbers that are some"))
}

/// Writes the scenario; another file of that name stays as it is.
fn write_scenario(file: &Path, text: &str) -> Result<(), Failure> {
    let failed = |error: std::io::Error| {
        Failure::failed(format!("cannot write {}: {error}", file.display()), None)
    };
    match std::fs::File::create_new(file) {
        Ok(mut created) => created.write_all(text.as_bytes()).map_err(failed),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            if std::fs::read_to_string(file).is_ok_and(|there| there == text) {
                return Ok(());
            }
            let what = format!("{} is there already, and is another one", file.display());
            let hint = "name a file that is not there yet with --scenario".to_owned();
            Err(Failure::failed(what, Some(hint)))
        }
        Err(error) => Err(failed(error)),
    }
}

fn tell_files(files: &[String]) {
    if !files.is_empty() {
        tell_talk(&format!(
            "the scenario names files that do not ship with the program and have to lie beside it: {}\n",
            files.join(", ")
        ));
    }
}

fn told_to_people(told: &Reproduction) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: &str| {
        writeln!(text, "{name:<14}{value}").expect("a text takes every line");
    };
    line("run", &told.run);
    line("scenario", &format!("{} (seed {})", told.scenario, told.seed));
    line("made by", &told.builds.join(", then "));
    let same = if told.same_build { "the same" } else { "another one" };
    line("this build", &format!("{}, {same}", told.this_build));
    if !told.same_genesis {
        line("", "it hashes block 0 in another way: take the build that made the run");
    }
    line("started with", told.started_with.as_deref().unwrap_or("not known"));
    if let (None, [_, ..]) = (&told.scenario_file, &told.files[..]) {
        let files = told.files.join(", ");
        line("begins with", &format!("block 0 of the run: {files} of its scenario may be gone"));
    }
    line("last block", &format!("{} (+{})", told.block, told.blocks));
    line("tip hash", &told.tip_hash);
    line("state root", &told.state_root);
    text.push('\n');
    for command in &told.commands {
        writeln!(text, "{command}").expect("a text takes every line");
    }
    writeln!(text, "\nThen `btemu replay {AGAIN}` shows the tip hash above.")
        .expect("a text takes every line");
    text
}
