//! The roles of processes that take part in a run. Those that the launcher starts get their order as one line of JSON
//! on standard input; a host from outside gets it from its user.

use super::ordering::{RunArguments, chosen_token};
use super::{Failure, prepare, print};
use crate::run::host::{HostOrder, HostProcessError, serve, serve_from_outside};
use crate::run::link::Address;
use crate::run::order::ChainOrder;
use crate::run::{chain_process, death, secret};
use crate::sweep::job::{self, JobError, JobOrder, JobReport};
use crate::telling::tell_talk;
use serde::de::DeserializeOwned;
use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};

/// How long a host from outside tries to join, unless it is told otherwise.
const WAIT_S: u64 = 60;

/// How a child process is started.
#[derive(Debug, clap::Args)]
pub struct ProcessArguments {
    /// Its name in logs.
    #[arg(long)]
    pub name: String,
}

/// The chain process.
pub fn chain() -> Result<(), Failure> {
    death::follow_parent();
    let order: ChainOrder = order()?;
    chain_process::chain_process(&order).map_err(|_| Failure::told())
}

/// The process that makes what a run begins with.
pub fn prepare() -> Result<(), Failure> {
    death::follow_parent();
    let arguments: RunArguments = order()?;
    death::watch_stdin(|_| {});
    let order = serde_json::to_string(&prepare::prepare(&arguments)).expect("it is plain data");
    print(&format!("{order}\n"))
}

/// `btemu host`
#[derive(Debug, clap::Args)]
pub struct HostArguments {
    /// Its name in logs, if the launcher starts it.
    #[arg(long, hide = true, conflicts_with_all = ["join", "run", "token", "token_file"])]
    pub name: Option<String>,
    /// Where the run waits for hosts: tcp://HOST:PORT or nats://HOST:PORT, as the run has shown it.
    #[arg(long, value_name = "LINK", required_unless_present = "name", requires = "run")]
    join: Option<String>,
    /// The run's name, as the run has shown it.
    #[arg(long, value_name = "ID", required_unless_present = "name")]
    run: Option<String>,
    /// The run's token; other users of this machine may see it here, not so in BTEMU_TOKEN or in a file.
    #[arg(long, value_name = "T", conflicts_with = "token_file")]
    token: Option<String>,
    /// A file with the run's token; else it is in BTEMU_TOKEN.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Seconds to try to join, at first and whenever the run is lost.
    #[arg(long, value_name = "S", default_value_t = WAIT_S)]
    wait_seconds: u64,
}

/// A host process.
pub fn host(arguments: &HostArguments) -> Result<(), Failure> {
    match (&arguments.join, &arguments.run) {
        (Some(join), Some(run)) => host_from_outside(arguments, join, run),
        _ => {
            death::follow_parent();
            let order: HostOrder = order()?;
            death::watch_stdin(|_| {});
            serve(&order).map_err(|error| Failure::failed(error, None))
        }
    }
}

fn host_from_outside(arguments: &HostArguments, join: &str, run: &str) -> Result<(), Failure> {
    let hint = "the run shows the whole command when it waits for hosts from outside";
    let usage = |what: String| Failure::usage(what, Some(hint.to_owned()));
    let address: Address = join.parse().map_err(|error| usage(format!("--join: {error}")))?;
    if address == Address::Unix {
        return Err(usage("--join unix: a run is joined over TCP or NATS".to_owned()));
    }
    address.check_build().map_err(|(what, hint)| Failure::usage(what, Some(hint)))?;
    let token = match &arguments.token {
        Some(token) => {
            let chosen = secret::chosen_token(token);
            Some(chosen.map_err(|error| usage(format!("--token: {error}")))?)
        }
        None => chosen_token(arguments.token_file.as_deref())?,
    };
    let without = || usage(format!("the token is missing: {} is not set", secret::TOKEN_VARIABLE));
    let order = HostOrder {
        place: address.place(Path::new("")),
        run: run.to_owned(),
        host: None,
        token: token.ok_or_else(without)?,
    };
    let wait_ms_max = arguments.wait_seconds.saturating_mul(1_000);
    let served = serve_from_outside(&order, wait_ms_max, |line| tell_talk(&format!("{line}\n")));
    served.map_err(|error| {
        let hint = match &error {
            HostProcessError::Refused(_) => Some(hint.to_owned()),
            HostProcessError::GivenUp { .. } => Some("--wait-seconds N tries longer".to_owned()),
            _ => None,
        };
        Failure::failed(error, hint)
    })
}

/// The process of one job of a sweep.
pub fn job() -> Result<(), Failure> {
    death::follow_parent();
    let order: JobOrder = order()?;
    death::watch_stdin(|_| {});
    let made = job::make(&order.job, &order.folder, |blocks| tell(&JobReport::Progress { blocks }));
    tell(&match made {
        Ok(result) => JobReport::Done(Box::new(result)),
        Err(JobError::Foreign { what }) => JobReport::Foreign { what },
        Err(error) => JobReport::Failed { what: error.to_string() },
    });
    Ok(())
}

/// The pool that started this process may be gone; then this process is about to end as well.
fn tell(report: &JobReport) {
    let line = serde_json::to_string(report).expect("a report is plain data");
    let mut stdout = std::io::stdout().lock();
    let told = writeln!(stdout, "{line}").and_then(|()| stdout.flush());
    if let Err(error) = told {
        tracing::debug!(%error, "the pool does not listen");
    }
}

fn order<T: DeserializeOwned>() -> Result<T, Failure> {
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line);
    let order = read
        .map_err(|error| error.to_string())
        .and_then(|_| serde_json::from_str(&line).map_err(|error| error.to_string()));
    let hint = "this command is started by other commands, not by people".to_owned();
    order
        .map_err(|error| Failure::usage(format!("no order on standard input: {error}"), Some(hint)))
}
