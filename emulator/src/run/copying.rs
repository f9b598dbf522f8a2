//! A run folder made of records that come from elsewhere: a damaged store, a portable file. Every hash, root and
//! event is checked on the way; what does not hold is not copied.
//!
//! What belongs here: the copy. What does not: finding what is sound in a damaged store (`repair`), and telling of it
//! (`commands`).

use crate::plan::Plan;
use protocol::frame::Header;
use protocol::units::Height;
use std::path::Path;
use storage::fold::Folder;
use storage::log::{Durability, EventLog, LogError, SledLog};
use storage::part::RawRecord;
use storage::runfolder::{RunFolder, RunFolderError};

/// Where the folder is made.
#[derive(Clone, Copy, Debug)]
pub enum Place<'a> {
    /// There.
    At(&'a Path),
    /// Beside the other runs, with the next number.
    Numbered(&'a Path),
}

/// What is checked of a record before it is copied, beside its place in the chain of frame hashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checks {
    /// Every event and every root: the blocks are folded.
    Folds,
    /// That each block names the hash of the one before.
    Hashes,
}

/// A copy that was made.
#[derive(Debug)]
pub struct Copied {
    /// Its folder.
    pub folder: RunFolder,
    /// Its first block.
    pub genesis: Height,
    /// The header of its last block.
    pub tip: Header,
    /// The first block that was not copied, and why, if not all were.
    pub stopped: Option<(Height, String)>,
    /// Bytes of its log on disk.
    pub log_bytes: u64,
}

/// Why nothing was copied.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// There is no first record.
    #[error("{0}")]
    Nothing(String),
    /// The first record is no sound block 0 of a run.
    #[error("block {height}, the first one: {what}")]
    Genesis {
        /// What it says it is.
        height: Height,
        /// What is wrong with it.
        what: String,
    },
    /// The folder cannot be named after the run.
    #[error("the run's name {0:?} cannot name a folder")]
    Name(String),
    /// The folder cannot be made.
    #[error(transparent)]
    Folder(#[from] RunFolderError),
    /// The log cannot be written.
    #[error(transparent)]
    Log(#[from] LogError),
}

impl CopyError {
    /// What may help.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Nothing(_) => None,
            Self::Genesis { .. } => {
                Some("without block 0 the others say nothing; run the scenario again".to_owned())
            }
            Self::Name(_) => Some("give --out".to_owned()),
            Self::Folder(error) => error.hint(),
            Self::Log(error) => error.hint(),
        }
    }
}

/// Copies records into a new run folder until they end or one does not hold; `told` hears of every block.
///
/// # Errors
/// The first record is no sound block 0 of a run, or the folder cannot be written. No folder is left behind.
pub fn copy(
    records: impl Iterator<Item = Result<RawRecord, String>>,
    place: Place<'_>,
    checks: Checks,
    told: impl FnMut(Height),
) -> Result<Copied, CopyError> {
    let mut records = records;
    let first = records.next().unwrap_or_else(|| Err("it holds no whole block".to_owned()));
    let first = first.map_err(CopyError::Nothing)?;
    let wrong = |height, what: &dyn std::fmt::Display| CopyError::Genesis {
        height,
        what: what.to_string(),
    };
    let genesis = first.record().genesis::<Plan>();
    let genesis = genesis.map_err(|error| wrong(first.record().height, &error))?;
    let (plan, header) = (genesis.plan, genesis.header);
    let known = plan.simulation_hash() == header.parent
        || plan.older_genesis_headers().any(|older| older.parent == header.parent);
    if !known {
        return Err(wrong(
            header.height,
            &"the plan has another simulation hash than the header says",
        ));
    }
    let (name, seed) = (plan.name.clone(), plan.last_course().seed());
    let folder = Folder::new(plan.genesis, &header);
    let folder = folder.map_err(|error| wrong(header.height, &error))?;
    let made = match place {
        Place::At(path) => RunFolder::create_at(path)?,
        Place::Numbered(_) if !crate::scenario::is_folder_name(&name) => {
            return Err(CopyError::Name(name));
        }
        Place::Numbered(base) => RunFolder::create(base, &name, seed)?,
    };
    let followed = Followed { folder, header, checks };
    copy_blocks(&first, records, &made, followed, told).map_err(|error| {
        made.discard();
        CopyError::Log(error)
    })
}

/// What the next record is checked against.
struct Followed {
    folder: Folder,
    header: Header,
    checks: Checks,
}

impl Followed {
    fn check(&mut self, raw: &RawRecord) -> Result<(), String> {
        let height = Height(self.header.height.0 + 1);
        let record = raw.record();
        let frame = record.frame(height).map_err(|error| format!("block {height}: {error}"))?;
        if self.checks == Checks::Folds {
            self.folder.fold(&frame).map_err(|error| error.to_string())?;
        } else if frame.header.parent != self.header.hash() || frame.header.height != height {
            return Err(format!("block {height}: it does not follow the one before"));
        }
        self.header = frame.header;
        Ok(())
    }
}

fn copy_blocks(
    first: &RawRecord,
    records: impl Iterator<Item = Result<RawRecord, String>>,
    made: &RunFolder,
    mut followed: Followed,
    mut told: impl FnMut(Height),
) -> Result<Copied, LogError> {
    let mut log = SledLog::create_copy(&made.log_dir(), first, Durability::End)?;
    let genesis = followed.header.height;
    told(genesis);
    let mut stopped = None;
    for read in records {
        let checked = read.and_then(|raw| followed.check(&raw).map(|()| raw));
        match checked {
            Ok(raw) => log.append_record(&raw.record())?,
            Err(error) => {
                stopped = Some((Height(followed.header.height.0 + 1), error));
                break;
            }
        }
        told(followed.header.height);
    }
    log.sync()?;
    Ok(Copied {
        folder: made.clone(),
        genesis,
        tip: followed.header,
        stopped,
        log_bytes: log.bytes(),
    })
}
