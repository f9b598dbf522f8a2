//! Why a run ends badly, as its user is told.

use std::io;

/// Why a run ends badly, told to its user.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct LaunchError {
    /// What happened.
    pub what: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// Whether the players had taken their seats; if not, the run never began.
    pub began: bool,
}

/// The system refuses something that a run needs.
pub(super) fn system_error(what: &str, error: &io::Error) -> LaunchError {
    LaunchError { what: format!("cannot make {what}: {error}"), hint: None, began: false }
}

/// How a run goes on.
pub(super) fn resume_hint(run: &str) -> String {
    format!("`btemu run --resume {run}` goes on")
}
