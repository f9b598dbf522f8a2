//! The longest good prefix of a run as a new run. Works on the bytes of the store and never opens it before they are
//! copied: the store itself would take what follows damage for rubbish, and overwrite it.
//!
//! What belongs here: what is kept of a damaged run folder. What does not: telling of it, and portable files
//! (`commands::repair`).

use super::copying::{Checks, Copied, CopyError, Place, copy};
use protocol::units::Height;
use std::io;
use std::path::{Path, PathBuf};
use storage::cache::CacheKind;
use storage::carve::Carved;
use storage::journal::Journal;
use storage::kept::{Kept, Lost};
use storage::log::{Held, LogError, SledLog};
use storage::runfolder::{RunFolder, RunFolderError};

/// A run that was repaired.
#[derive(Debug)]
pub struct Repair {
    /// The new run.
    pub copied: Copied,
    /// What was wrong with the old one, if anything.
    pub damage: Option<String>,
    /// Blocks that are known to have been there and are not in the new run.
    pub lost_blocks: u64,
}

/// Why nothing can be had from a run.
#[derive(Debug, thiserror::Error)]
pub enum RepairError {
    /// There is no run.
    #[error(transparent)]
    Folder(#[from] RunFolderError),
    /// Somebody else has its log.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The files of the store cannot be read.
    #[error("cannot read {path}: {source}")]
    Unreadable {
        /// The store.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Block 0 is lost.
    #[error("{path}: block {height}, the first one, is lost")]
    Genesis {
        /// The store.
        path: PathBuf,
        /// Its height.
        height: Height,
    },
    /// What is sound cannot be copied.
    #[error(transparent)]
    Copy(#[from] CopyError),
}

impl RepairError {
    /// What may help.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Folder(error) => error.hint(),
            Self::Log(error) => error.hint(),
            Self::Unreadable { .. } => None,
            Self::Genesis { .. } => {
                Some("without it the others say nothing; run the scenario again".to_owned())
            }
            Self::Copy(error) => error.hint(),
        }
    }
}

/// Writes every block before the damage into a new run folder, each of them checked; `told` hears of every block.
///
/// # Errors
/// Nothing can be had from it, or the new folder cannot be made.
pub fn repair(run: &Path, out: &Path, told: impl FnMut(Height)) -> Result<Repair, RepairError> {
    let folder = RunFolder::open(run)?;
    let path = folder.log_dir();
    let held = Held::hold(&path)?;
    let carved = Carved::scan(&path);
    let carved = carved.map_err(|source| RepairError::Unreadable { path: path.clone(), source })?;
    let kept = Kept::read(&path);
    if let Lost::Genesis(height) = carved.lost(kept) {
        return Err(RepairError::Genesis { path, height });
    }
    let mut copied = copy(carved.records().map(Ok), Place::At(out), Checks::Folds, told)?;
    drop(held);
    let tip = copied.tip.height;
    let was_there =
        kept.map_or(tip, |kept| kept.height).max(Height(ended_at(&folder).unwrap_or(0)));
    let was_there = was_there.max(carved.last().unwrap_or(tip));
    if copied.stopped.is_none() && was_there > tip {
        let next = Height(tip.0 + 1);
        let what = format!("block {next} of the log {}: its bytes are damaged", path.display());
        copied.stopped = Some((next, what));
    }
    copy_caches(&folder, &copied);
    let damage = match &copied.stopped {
        Some((_, what)) => Some(what.clone()),
        // All blocks are there, and yet the store may not open.
        None => SledLog::open(&path).err().map(|error| error.to_string()),
    };
    Ok(Repair { copied, damage, lost_blocks: was_there.0.saturating_sub(tip.0) })
}

/// The last block that a run is known to have ended at, by its operations journal.
pub fn ended_at(folder: &RunFolder) -> Option<u64> {
    let journal = Journal::read(&folder.path).ok()?;
    let ended = journal.iter().filter(|line| line["kind"] == "ended");
    ended.filter_map(|line| line["block"].as_u64()).max()
}

/// Caches save time and hold no truth: those that cannot be copied are made again.
fn copy_caches(from: &RunFolder, copied: &Copied) {
    for kind in [CacheKind::Snapshot, CacheKind::Checkpoint, CacheKind::Totals] {
        from.cache().copy_to(&copied.folder.cache(), kind, copied.tip.height);
    }
}
