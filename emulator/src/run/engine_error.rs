//! Why a run ends badly.

use super::difference::Difference;
use super::hosts::HostError;
use storage::fold::ReadError;
use storage::log::LogError;

/// Why a run ends badly.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The log cannot be read or written.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The log does not fold.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The players are gone.
    #[error(transparent)]
    Host(#[from] HostError),
    /// A block came out otherwise than the log holds it.
    #[error("block {height} comes out otherwise than the log holds it: {difference}")]
    Diverged {
        /// Which block.
        height: u64,
        /// The first thing that is different.
        difference: Difference,
    },
}

impl EngineError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Log(error) | Self::Read(ReadError::Log(error)) => error.hint(),
            Self::Read(ReadError::Fold(_)) => {
                Some("`btemu verify RUN` says which blocks are sound".to_owned())
            }
            Self::Host(_) => Some("`btemu run --resume RUN` goes on with the run".to_owned()),
            Self::Diverged { .. } => Some(
                "this build decides otherwise than the one that made the run, or the log was changed; \
                 `btemu verify RUN --re-execute --re-simulate` tells which"
                    .to_owned(),
            ),
        }
    }
}
