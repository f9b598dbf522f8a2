//! `btemu ctl`: speaks to a live run through its door.
//!
//! What belongs here: asking until there is an answer, and showing it. What does not: what the run does about it
//! (`run/control`, `run/border`). Every request is one that can be made twice: when the chain dies before it answers,
//! it is made again at the door of the next one.

use super::{Failure, print, print_json};
use crate::clock::Pace;
use crate::progress::simulated_time;
use crate::run::caller::{AskError, ask_once};
use crate::run::door::{Command, DOOR, Request};
use crate::run::status::{State, Status};
use crate::telling::figures::{tell_bytes, thousands};
use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, Table};
use std::path::PathBuf;
use std::time::Duration;
use storage::log::{LogError, SledLog};
use storage::runfolder::RunFolder;

/// How often a door that leads nowhere is tried before its run counts as dead: one whose processes are started again
/// opens another one.
const ATTEMPTS_MAX: u32 = 60;
/// How often where there is no door at all.
const DOORLESS_ATTEMPTS_MAX: u32 = 3;
/// How long to wait between them.
const ATTEMPT_WAIT_MS: u64 = 100;
/// How often the log of a run that was stopped is tried, to return when it can be read.
const CLOSING_ATTEMPTS_MAX: u32 = 300;

/// `btemu ctl`
#[derive(Debug, clap::Args)]
pub struct CtlArguments {
    /// The run folder.
    run: PathBuf,
    #[command(subcommand)]
    command: CtlCommand,
    /// Print one JSON object: how the run does then.
    #[arg(long, global = true)]
    json: bool,
}

/// What a run can be told.
#[derive(Clone, Copy, Debug, clap::Subcommand)]
enum CtlCommand {
    /// Let the run stand at its next block border; returns once it stands.
    Pause,
    /// Let a paused run go on.
    Resume,
    /// Let simulated time pass so fast from now on.
    Pace {
        /// max, realtime, or a factor such as 10x or 0.5x.
        pace: Pace,
    },
    /// End the run at its next block border, as Ctrl-C does; returns once its log can be read.
    Stop,
    /// Show block, speed, pace, and the processes with their memory.
    Status,
}

impl CtlCommand {
    const fn request(self) -> Request {
        Request::Control(match self {
            Self::Pause => Command::Pause,
            Self::Resume => Command::Resume,
            Self::Pace { pace } => Command::Pace(pace),
            Self::Stop => Command::Stop,
            Self::Status => Command::Status,
        })
    }
}

/// Asks, waits until it is in force, and shows how the run does.
pub fn run(arguments: &CtlArguments) -> Result<(), Failure> {
    let folder = RunFolder::open(&arguments.run);
    let folder = folder.map_err(|error| Failure::failed(&error, error.hint()))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::failed(error, None))?;
    let status = runtime.block_on(ask(&folder, arguments.command.request()))?;
    let run = arguments.run.display();
    let wanted = matches!(arguments.command, CtlCommand::Stop | CtlCommand::Status);
    if status.state == State::Over && !wanted {
        let what =
            format!("the run {run} was over at block {} before it heard of it", status.block);
        return Err(Failure::failed(
            what,
            Some(format!("`btemu run --resume {run}` goes on with it")),
        ));
    }
    if matches!(arguments.command, CtlCommand::Stop) {
        wait_until_closed(&folder)?;
    }
    if arguments.json {
        return print_json(&status);
    }
    match arguments.command {
        CtlCommand::Status => print(&tell_status(&status)),
        _ => {
            let Status { state, block, pace, .. } = &status;
            print(&format!("{} at block {block}, pace {pace}\n", state.name()))
        }
    }
}

/// Asks at the door until somebody answers.
async fn ask(folder: &RunFolder, request: Request) -> Result<Status, Failure> {
    let mut doorless = 0;
    for _ in 0..ATTEMPTS_MAX {
        if let Some(status) = ask_once(&folder.path, request).await.map_err(ask_failure)? {
            return Ok(status);
        }
        doorless += u32::from(folder.path.join(DOOR).symlink_metadata().is_err());
        if doorless >= DOORLESS_ATTEMPTS_MAX {
            break;
        }
        tokio::time::sleep(Duration::from_millis(ATTEMPT_WAIT_MS)).await;
    }
    let run = folder.path.display();
    let what = format!("the run {run} is not live: nobody is making its blocks");
    Err(Failure::failed(what, Some(format!("`btemu run --resume {run}` goes on with it"))))
}

fn ask_failure(error: AskError) -> Failure {
    let hint = error.hint();
    Failure::failed(error, hint)
}

/// Waits until a run that ends has closed its log.
fn wait_until_closed(folder: &RunFolder) -> Result<(), Failure> {
    for _ in 0..CLOSING_ATTEMPTS_MAX {
        match SledLog::open(&folder.log_dir()) {
            Err(LogError::InUse { .. }) => {
                std::thread::sleep(Duration::from_millis(ATTEMPT_WAIT_MS));
            }
            // Whatever else is wrong with a log is for those to tell who read it.
            Ok(_) | Err(_) => return Ok(()),
        }
    }
    let run = folder.path.display();
    let what = format!("the run {run} ends, but has not closed its log yet");
    Err(Failure::failed(
        what,
        Some("it writes its last checkpoint; wait for its summary".to_owned()),
    ))
}

fn tell_status(status: &Status) -> String {
    let blocks = status.block - status.genesis_block;
    let rows = [
        ("run", status.run.clone()),
        ("state", status.state.name().to_owned()),
        ("block", format!("{} of {} (+{})", status.block, status.until_block, thousands(blocks))),
        ("simulated", simulated_time(blocks)),
        ("speed", format!("{:.1} blocks/s", status.blocks_per_second)),
        ("pace", status.pace.clone()),
        ("restarts", status.restarts.to_string()),
    ];
    let rows = rows.iter().map(|(name, value)| format!("{name:<11}{value}\n"));
    let mut table = Table::new();
    table.load_preset(NOTHING).set_header(["process", "pid", "players", "steps", "memory", "peak"]);
    for process in &status.processes {
        table.add_row([
            process.name.clone(),
            // A host on another machine has none that says anything here.
            if process.pid == 0 { "–".to_owned() } else { process.pid.to_string() },
            thousands(process.players),
            thousands(process.steps),
            tell_bytes(process.rss_bytes),
            tell_bytes(process.peak_rss_bytes),
        ]);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    format!("{}\n{table}\n", rows.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::status::ProcessRow;

    #[test]
    fn a_status_is_a_table() {
        let process = |name: &str, pid, players| ProcessRow {
            name: name.to_owned(),
            pid,
            players,
            steps: 1_234,
            rss_bytes: 20_000_000,
            peak_rss_bytes: 30_000_000,
        };
        let status = Status {
            run: "runs/x".to_owned(),
            state: State::Paused,
            block: 1_120,
            genesis_block: 1_000,
            until_block: 1_360,
            simulated_seconds: 1_440,
            blocks_per_second: 0.0,
            pace: "10x".to_owned(),
            restarts: 1,
            processes: vec![process("chain", 7, 0), process("host-0", 18, 40)],
        };
        let expected = expect_test::expect![[r#"
            run        runs/x
            state      paused
            block      1120 of 1360 (+120)
            simulated  0d 00:24:00
            speed      0.0 blocks/s
            pace       10x
            restarts   1

             process  pid  players  steps  memory   peak 
             chain      7        0  1,234   20 MB  30 MB 
             host-0    18       40  1,234   20 MB  30 MB 
        "#]];
        expected.assert_eq(&tell_status(&status));
    }
}
