//! The roles of child processes: their order comes as one line of JSON on standard input.

use super::Failure;
use crate::run::chain::ChainOrder;
use crate::run::host::{HostOrder, serve};
use crate::run::{death, launcher};
use crate::sweep::job::{self, JobError, JobOrder, JobReport};
use serde::de::DeserializeOwned;
use std::io::{BufRead, Write};

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
    launcher::chain_process(&order).map_err(|_| Failure::told())
}

/// A host process.
pub fn host() -> Result<(), Failure> {
    death::follow_parent();
    let order: HostOrder = order()?;
    death::watch_stdin(|_| {});
    serve(&order).map_err(|error| Failure::failed(error, None))
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
