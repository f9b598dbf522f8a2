//! The roles of child processes: their order comes as one line of JSON on standard input.

use super::Failure;
use crate::run::chain::ChainOrder;
use crate::run::host::{HostOrder, serve};
use crate::run::{chain_process, death};
use serde::de::DeserializeOwned;
use std::io::BufRead;

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

/// A host process.
pub fn host() -> Result<(), Failure> {
    death::follow_parent();
    let order: HostOrder = order()?;
    death::watch_stdin(|_| {});
    serve(&order).map_err(|error| Failure::failed(error, None))
}

fn order<T: DeserializeOwned>() -> Result<T, Failure> {
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line);
    let order = read
        .map_err(|error| error.to_string())
        .and_then(|_| serde_json::from_str(&line).map_err(|error| error.to_string()));
    let hint = "this command is started by `btemu run`, not by people".to_owned();
    order
        .map_err(|error| Failure::usage(format!("no order on standard input: {error}"), Some(hint)))
}
