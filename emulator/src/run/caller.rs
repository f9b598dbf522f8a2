//! Asking a live run at its door how it does, or to do something.
//!
//! What belongs here: one knock and its answer. What does not: knocking again (`commands::ctl`), and what is spoken at the
//! door (`door`).

use super::door::{Answer, Command, Request, knock};
use super::status::Status;
use super::wire_error::WireError;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a run may take to its next block border.
const ANSWER_WAIT_MS_MAX: u64 = 120_000;

/// A live run that does not answer as it should.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// It says nothing.
    #[error("the run {} has not answered for {ANSWER_WAIT_MS_MAX} ms", run.display())]
    Silent {
        /// Which.
        run: PathBuf,
    },
    /// It does not do what was asked for.
    #[error("{0}")]
    Refused(String),
    /// It answers something else.
    #[error("the run answers out of turn")]
    OutOfTurn,
    /// What it says cannot be read.
    #[error(transparent)]
    Garbled(WireError),
}

impl AskError {
    /// What to do about it, where that is known.
    pub fn hint(&self) -> Option<String> {
        let hint = "a block may take longer; what was asked for holds from the next block on";
        matches!(self, Self::Silent { .. }).then(|| hint.to_owned())
    }
}

/// How a run does that is live; nothing where nobody makes its blocks, or nobody answers.
pub fn status_of(run: &Path) -> Option<Status> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
    runtime.block_on(ask_once(run, Request::Control(Command::Status))).ok().flatten()
}

/// Asks once. Nothing where nobody answers, or not to the end.
///
/// # Errors
/// See [`AskError`].
pub async fn ask_once(run: &Path, request: Request) -> Result<Option<Status>, AskError> {
    let Some(mut wire) = knock(run, request).await else { return Ok(None) };
    let wait = Duration::from_millis(ANSWER_WAIT_MS_MAX);
    let Ok(answer) = tokio::time::timeout(wait, wire.receive::<Answer>()).await else {
        return Err(AskError::Silent { run: run.to_owned() });
    };
    match answer {
        Ok(Answer::Status(status)) => Ok(Some(*status)),
        Ok(Answer::Refused(why)) => Err(AskError::Refused(why)),
        Ok(Answer::Following(_) | Answer::Block(_) | Answer::Over { .. } | Answer::Standing(_)) => {
            Err(AskError::OutOfTurn)
        }
        Err(
            error @ (WireError::Garbled(_)
            | WireError::Damaged
            | WireError::Missed { .. }
            | WireError::TooLong { .. }),
        ) => Err(AskError::Garbled(error)),
        Err(WireError::Io(_) | WireError::Closed | WireError::Broker(_)) => Ok(None),
    }
}
