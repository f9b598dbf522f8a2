//! The commands: what users type, and what they read. Everything else is called from here.

/// One account: its stake's history and worth.
mod account;
/// Attacks against their honest counterparts.
pub mod attack;
/// Golden cases and the epoch calculator.
pub mod conform;
/// Run folders made of records from elsewhere.
mod copying;
/// Speaking to a live run.
pub mod ctl;
/// What shows adversaries in a run.
pub mod detect;
/// Two runs compared.
pub mod diff;
/// Exports for other tools.
pub mod export;
/// A live run's log.
mod follow;
/// Leaving a run at a block.
pub mod fork;
/// Yuma's consensus guarantee, sampled.
pub mod guarantee;
/// State at any block.
pub mod inspect;
/// Lines of a log.
pub mod listing;
/// Events and calls.
pub mod log;
/// Options about metrics.
mod metrics_options;
/// From words to what a chain is told.
pub mod ordering;
/// Parameters of a subnet or of the network.
mod params;
/// The log as one file.
pub mod portable;
/// What comes before a run is launched.
pub mod prepare;
/// The roles of child processes.
pub mod process;
/// Opening finished runs.
pub mod reading;
/// The good part of a damaged log.
pub mod repair;
/// Folding a log.
pub mod replay;
/// What a run says of its subnets and people.
pub mod report;
/// From a run to its report.
mod report_fold;
/// The same as a page.
mod report_page;
/// What makes a run again.
pub mod reproduce;
/// Launching and resuming.
pub mod run;
/// Run folders.
pub mod runs;
/// Scenario files.
pub mod scenario;
/// Random scenarios against every check.
pub mod swarm;
/// Grids of runs.
pub mod sweep;
/// Tables as commands print them.
mod tables;
/// Summaries of runs.
mod telling;
/// A run in a terminal.
pub mod top;
/// Checking a log.
pub mod verify;
/// Jobs of sweeps that come over a broker.
pub mod worker;

use serde::{Deserialize, Serialize};
use std::fmt;
use std::io::Write;
use std::process::ExitCode;
use std::str::FromStr;

/// A command that failed: what happened, what to do about it, and the exit code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    code: u8,
    what: String,
    hint: Option<String>,
    damage: Option<Damage>,
}

/// Where a log is damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Damage {
    /// The first block that is not sound; none when only the store's own books are damaged.
    pub block: Option<u64>,
}

impl Failure {
    /// The command failed, or what it checked does not hold.
    pub fn failed(what: impl fmt::Display, hint: Option<String>) -> Self {
        Self { code: 1, what: what.to_string(), hint, damage: None }
    }

    /// The command failed, and whoever started it has been told why.
    pub const fn told() -> Self {
        Self { code: 1, what: String::new(), hint: None, damage: None }
    }

    /// Wrong usage, or an invalid scenario.
    pub fn usage(what: impl fmt::Display, hint: Option<String>) -> Self {
        Self { code: 2, what: what.to_string(), hint, damage: None }
    }

    /// It failed because a log is damaged there.
    #[must_use]
    pub fn at_damage(self, block: Option<u64>) -> Self {
        Self { damage: Some(Damage { block }), ..self }
    }

    /// Where a log is damaged, if that is why it failed.
    pub const fn damage(&self) -> Option<Damage> {
        self.damage
    }

    /// The same, beginning with what it is about.
    #[must_use]
    pub fn about(self, what: &str) -> Self {
        Self { what: format!("{what}: {}", self.what), ..self }
    }

    /// Tells the user, and gives the exit code.
    pub fn tell(&self) -> ExitCode {
        if self.what.is_empty() {
            return ExitCode::from(self.code);
        }
        let mut text = format!("error: {}\n", self.what);
        if let Some(hint) = &self.hint {
            text.push_str(&format!("\nhint: {hint}\n"));
        }
        // Nobody is left to tell when even standard error is closed; the exit code still says it.
        let told = std::io::stderr().lock().write_all(text.as_bytes());
        ExitCode::from(if told.is_ok() { self.code } else { 1 })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(&self.what)
    }
}

/// Writes to standard output; a reader that has seen enough (`| head`) ends the program quietly.
pub fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = std::io::stdout().lock();
    let written = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
    match written {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(0),
        Err(error) => Err(Failure::failed(format!("cannot write the output: {error}"), None)),
        Ok(()) => Ok(()),
    }
}

/// Writes one JSON object as a line.
pub fn print_json<T: Serialize>(value: &T) -> Result<(), Failure> {
    let text = serde_json::to_string(value);
    let text =
        text.map_err(|error| Failure::failed(format!("cannot write JSON: {error}"), None))?;
    print(&format!("{text}\n"))
}

/// A block as users give it: a height, or `+N` counted from genesis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockArgument {
    /// The chain's own height.
    Height(u64),
    /// Blocks since genesis.
    Since(u64),
}

impl FromStr for BlockArgument {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = match text.strip_prefix('+') {
            Some(since) => since.parse().map(Self::Since),
            None => text.parse().map(Self::Height),
        };
        parsed.map_err(|_| "a block is a height, or +N counted from genesis".to_owned())
    }
}

impl BlockArgument {
    /// The height it means in a run that starts at `genesis`.
    pub const fn height(self, genesis: u64) -> u64 {
        match self {
            Self::Height(height) => height,
            Self::Since(blocks) => genesis.saturating_add(blocks),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_heights_or_counted_from_genesis() {
        let rows = [
            ("7943100", Some(7_943_100)),
            ("+100", Some(1_100)),
            ("+0", Some(1_000)),
            ("-1", None),
            ("+-1", None),
            ("ten", None),
            ("", None),
        ];
        for (text, height) in rows {
            let parsed = text.parse::<BlockArgument>().ok();
            assert_eq!(parsed.map(|block| block.height(1_000)), height, "{text:?}");
        }
    }
}
