//! What comes before a run is launched: its folder, its block 0, and what its chain is told.
//!
//! A block 0 takes hundreds of megabytes while it is made, and the allocator gives back little of them. Where a run has
//! processes of its own, one more makes it and ends, so that the launcher stays small for as long as the run lasts.

use super::Failure;
use super::ordering::{
    RUNS, RunArguments, check_room, order, overrides, scenario_failure, token, write_genesis,
};
use super::reading::Reading;
use crate::logging::LogFormat;
use crate::run::order::ChainOrder;
use crate::scenario::{self, Scenario};
use std::io::{self, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use storage::log::EventLog;
use storage::runfolder::RunFolder;

/// Makes everything that a run begins with; in a process of its own, unless this one is to carry the whole run.
pub fn prepared(arguments: &RunArguments, log_format: LogFormat) -> Result<ChainOrder, Failure> {
    let is_inside = match &arguments.resume {
        Some(_) => arguments.processes == Some(0) && arguments.await_hosts.unwrap_or(0) == 0,
        None => {
            let scenario = scenario(arguments)?;
            scenario.processes() == 0 && scenario.await_hosts() == 0
        }
    };
    if is_inside {
        return prepare(arguments);
    }
    let order = prepared_apart(arguments, log_format).map_err(|error| {
        Failure::failed(format!("the process that makes block 0: {error}"), None)
    })??;
    Ok(ChainOrder { launcher_pid: std::process::id(), ..order })
}

fn prepared_apart(
    arguments: &RunArguments,
    log_format: LogFormat,
) -> io::Result<Result<ChainOrder, Failure>> {
    let mut child = Command::new(std::env::current_exe()?)
        .args(["prepare", "--name", "prepare", "--log-format", log_format.name()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut stdin = child.stdin.take().expect("it was asked to be piped");
    let mut stdout = child.stdout.take().expect("it was asked to be piped");
    let arguments = serde_json::to_string(arguments)?;
    let sent = stdin.write_all(format!("{arguments}\n").as_bytes()).and_then(|()| stdin.flush());
    let mut answer = String::new();
    let read = stdout.read_to_string(&mut answer);
    // It lives only as long as this end of its input does.
    drop(stdin);
    let status = child.wait()?;
    if !status.success() {
        return Err(io::Error::other(status.to_string()));
    }
    sent?;
    read?;
    Ok(serde_json::from_str(&answer)?)
}

/// Makes everything that a run begins with.
pub fn prepare(arguments: &RunArguments) -> Result<ChainOrder, Failure> {
    match &arguments.resume {
        Some(folder) => resume(arguments, folder),
        None => fresh(arguments),
    }
}

fn scenario(arguments: &RunArguments) -> Result<Scenario, Failure> {
    let file = arguments.scenario.as_ref().expect("clap requires it without --resume");
    scenario::load(file, &overrides(arguments)?).map_err(scenario_failure)
}

fn fresh(arguments: &RunArguments) -> Result<ChainOrder, Failure> {
    let scenario = scenario(arguments)?;
    let token = token(arguments, &scenario)?;
    let plan = scenario.plan().map_err(scenario_failure)?;
    let folder = match &arguments.out {
        Some(folder) => RunFolder::create_at(folder),
        None => RunFolder::create(Path::new(RUNS), scenario.name(), scenario.seed()),
    };
    let folder = folder.map_err(|error| Failure::failed(&error, error.hint()))?;
    let genesis = plan.genesis.height;
    let written =
        order(arguments, &scenario, token, &folder, (genesis, genesis)).and_then(|order| {
            check_room(arguments, &plan, &order, scenario.blocks())?;
            write_genesis(&folder, plan, order.durability)?;
            Ok(order)
        });
    match written {
        Ok(order) => Ok(order),
        Err(failure) => {
            folder.discard();
            Err(failure)
        }
    }
}

fn resume(arguments: &RunArguments, path: &Path) -> Result<ChainOrder, Failure> {
    let reading = Reading::open(path)?;
    let text = reading.plan.last_course().scenario().to_owned();
    let scenario = scenario::read_shown(&text, &overrides(arguments)?).map_err(scenario_failure)?;
    let token = token(arguments, &scenario)?;
    let Reading { folder, log, plan, .. } = reading;
    let course = (plan.genesis.height, log.tip());
    drop(log);
    order(arguments, &scenario, token, &folder, course)
}
