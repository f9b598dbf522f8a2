//! `btemu`: an emulator of the Bittensor network. This file reads the command line and hands over.
#![recursion_limit = "256"]

mod accounting;
mod arm;
mod attack;
mod chart;
mod clock;
mod commands;
mod conform;
mod detect;
mod diff;
mod export;
mod fields;
mod genesis;
mod guarantee;
#[cfg(test)]
mod hostile;
mod http;
mod likeness;
mod logging;
mod metrics;
mod names;
mod page;
mod parallel;
mod plan;
#[cfg(feature = "planted")]
mod planted;
mod progress;
mod rank;
mod report;
mod reproduction;
mod run;
mod scenario;
mod swarm;
mod sweep;
mod telling;
mod top;
mod version;

use clap::{Parser, Subcommand};
use commands::Failure;
use logging::LogFormat;
use std::process::ExitCode;

/// A log is decoded on one thread and freed on another, and the state is read all over: docs/decisions/0018.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Emulates the Bittensor network: launch scenarios, replay their logs, inspect any block.
#[derive(Debug, Parser)]
#[command(name = "btemu", version = version::VERSION, propagate_version = true, max_term_width = 100)]
struct Arguments {
    /// How log lines are written to standard error; RUST_LOG chooses which.
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text)]
    log_format: LogFormat,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Launch a scenario, or go on with a run that stopped.
    Run(commands::ordering::RunArguments),
    /// Leave a run at a block and go on under other rules, parameters, players or dice.
    Fork(commands::fork::ForkArguments),
    /// Speak to a live run: pause it, let it go on, change its pace, stop it, or see how it does.
    Ctl(commands::ctl::CtlArguments),
    /// Watch a run in a terminal: a live one as it goes on, a finished one at any block.
    Top(commands::top::TopArguments),
    /// The run folders: scenario, seed, blocks, size.
    Runs(commands::runs::RunsArguments),
    /// Tell the commands and the build that make a run again, block by block.
    Reproduce(commands::reproduce::ReproduceArguments),
    /// Fold a log back into the protocol state, checking every state root on the way.
    Replay(commands::replay::ReplayArguments),
    /// Check the hashes, frames and roots of a log; decide its calls or run its players again.
    Verify(commands::verify::VerifyArguments),
    /// Write every block before the damage as a new run.
    Repair(commands::repair::RepairArguments),
    /// Show the state at any block.
    Inspect(commands::inspect::InspectArguments),
    /// List the events of a log, one line each; `log export` and `log import` move it as one file.
    Log(commands::listing::LogArguments),
    /// Compare two runs: where they part, in what, and what came of it.
    Diff(commands::diff::DiffArguments),
    /// Look for adversaries: which detectors a run set off, when, and at whom they point.
    Detect(commands::detect::DetectArguments),
    /// Run a grid of settings times seeds, here or on many machines, and compare the cells.
    Sweep(commands::sweep::SweepArguments),
    /// Run an attack and its honest counterpart on the same seeds, and tell what it gained, who paid, what showed it.
    Attack(commands::attack::AttackArguments),
    /// Try random scenarios, populations and faults, one per seed, against every check there is.
    Swarm(commands::swarm::SwarmArguments),
    /// Make jobs of sweeps that come over a NATS server.
    Worker(commands::worker::WorkerArguments),
    /// Tell what a run says of each subnet (product, flow, team, flywheel, exit) and of each role.
    Report(commands::report::ReportArguments),
    /// Write time series and events for other tools: Prometheus, Parquet, CSV, JSON lines.
    Export(commands::export::ExportArguments),
    /// Run golden cases against this build.
    Conform(commands::conform::ConformArguments),
    /// Compute one Yuma epoch: JSON in, JSON out.
    Epoch(commands::conform::EpochArguments),
    /// Map the honest utility that honest stake needs to keep its share, by Monte Carlo over Yuma epochs.
    Guarantee(commands::guarantee::GuaranteeArguments),
    /// List, check and show scenarios.
    Scenario(commands::scenario::ScenarioArguments),
    /// Print completions for a shell.
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
    /// The chain process of a run; started by `run`.
    #[command(hide = true)]
    Chain(commands::process::ProcessArguments),
    /// Carry players of a run that goes on elsewhere.
    Host(commands::process::HostArguments),
    /// Makes block 0 of a run; started by `run`.
    #[command(hide = true)]
    Prepare(commands::process::ProcessArguments),
    /// The process of one job of a sweep; started by `sweep` and `worker`.
    #[command(hide = true)]
    Job(commands::process::ProcessArguments),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let name = match &arguments.command {
        Command::Chain(process) | Command::Job(process) | Command::Prepare(process) => {
            process.name.clone()
        }
        Command::Host(host) => host.name.clone().unwrap_or_else(|| "host".to_owned()),
        _ => "btemu".to_owned(),
    };
    let _logging = logging::start(arguments.log_format, &name);
    match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.tell(),
    }
}

fn run(arguments: Arguments) -> Result<(), Failure> {
    match arguments.command {
        Command::Run(command) => commands::run::run(&command, arguments.log_format),
        Command::Fork(command) => commands::fork::run(&command, arguments.log_format),
        Command::Ctl(command) => commands::ctl::run(&command),
        Command::Top(command) => commands::top::run(&command),
        Command::Runs(command) => commands::runs::run(&command),
        Command::Reproduce(command) => commands::reproduce::run(&command),
        Command::Replay(command) => commands::replay::run(&command),
        Command::Verify(command) => commands::verify::run(&command),
        Command::Repair(command) => commands::repair::run(&command),
        Command::Inspect(command) => commands::inspect::run(&command),
        Command::Log(command) => commands::log::run(&command),
        Command::Diff(command) => commands::diff::run(&command),
        Command::Detect(command) => commands::detect::run(&command),
        Command::Sweep(command) => commands::sweep::run(&command, arguments.log_format),
        Command::Attack(command) => commands::attack::run(&command, arguments.log_format),
        Command::Swarm(command) => commands::swarm::run(&command),
        Command::Worker(command) => commands::worker::run(&command, arguments.log_format),
        Command::Report(command) => commands::report::run(&command),
        Command::Export(command) => commands::export::run(&command),
        Command::Conform(command) => commands::conform::run(&command),
        Command::Epoch(command) => commands::conform::epoch(&command),
        Command::Guarantee(command) => commands::guarantee::run(&command),
        Command::Scenario(command) => commands::scenario::run(&command),
        Command::Completions { shell } => {
            let mut program = <Arguments as clap::CommandFactory>::command();
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut program, "btemu", &mut script);
            commands::print(&String::from_utf8_lossy(&script))
        }
        Command::Chain(_) => commands::process::chain(),
        Command::Host(command) => commands::process::host(&command),
        Command::Prepare(_) => commands::process::prepare(),
        Command::Job(_) => commands::process::job(),
    }
}
