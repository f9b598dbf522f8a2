//! A run folder made of records that come from elsewhere: a damaged store, a portable file. Every hash, root and
//! event is checked on the way; what does not hold is not copied.

use super::Failure;
use super::ordering::BUILD;
use crate::plan::Plan;
use crate::progress::{Progress, Showing};
use protocol::frame::Header;
use protocol::units::Height;
use serde_json::{Value, json};
use std::fs::File;
use std::path::{Path, PathBuf};
use storage::fold::Folder;
use storage::journal::Journal;
use storage::log::{Durability, EventLog, LogError, SledLog};
use storage::part::RawRecord;
use storage::runfolder::RunFolder;

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

/// Copies records into a new run folder until they end or one does not hold.
///
/// # Errors
/// The first record is no sound block 0 of a run, or the folder cannot be written. No folder is left behind.
pub fn copy(
    records: impl Iterator<Item = Result<RawRecord, String>>,
    place: Place<'_>,
    checks: Checks,
    showing: Showing,
) -> Result<Copied, Failure> {
    let mut records = records;
    let first = records.next().unwrap_or_else(|| Err("it holds no whole block".to_owned()));
    let first = first.map_err(|error| Failure::failed(error, None))?;
    let genesis = first.record().genesis::<Plan>();
    let genesis = genesis.map_err(|error| genesis_failure(first.record().height, error))?;
    let (plan, header) = (genesis.plan, genesis.header);
    let known = plan.simulation_hash() == header.parent
        || plan.older_genesis_headers().any(|older| older.parent == header.parent);
    if !known {
        let error = "the plan has another simulation hash than the header says";
        return Err(genesis_failure(header.height, error));
    }
    let (name, seed) = (plan.name.clone(), plan.last_course().seed());
    let folder = Folder::new(plan.genesis, &header);
    let folder = folder.map_err(|error| genesis_failure(header.height, error))?;
    let made = match place {
        Place::At(path) => RunFolder::create_at(path),
        Place::Numbered(_) if !crate::scenario::is_folder_name(&name) => {
            let what = format!("the run's name {name:?} cannot name a folder");
            return Err(Failure::failed(what, Some("give --out".to_owned())));
        }
        Place::Numbered(base) => RunFolder::create(base, &name, seed),
    };
    let made = made.map_err(|error| Failure::failed(&error, error.hint()))?;
    let followed = Followed { folder, header, checks };
    match copy_blocks(&first, records, &made, followed, showing) {
        Ok(copied) => Ok(copied),
        Err(error) => {
            let failure = Failure::failed(&error, error.hint());
            made.discard();
            Err(failure)
        }
    }
}

fn genesis_failure(height: Height, error: impl std::fmt::Display) -> Failure {
    let hint = "without block 0 the others say nothing; run the scenario again".to_owned();
    Failure::failed(format!("block {height}, the first one: {error}"), Some(hint))
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
    showing: Showing,
) -> Result<Copied, LogError> {
    let mut log = SledLog::create_copy(&made.log_dir(), first, Durability::End)?;
    let genesis = followed.header.height;
    let progress = Progress::new(genesis.0, showing);
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
        progress.at(followed.header.height.0);
    }
    progress.finish();
    log.sync()?;
    Ok(Copied {
        folder: made.clone(),
        genesis,
        tip: followed.header,
        stopped,
        log_bytes: log.bytes(),
    })
}

/// Writes where a copy comes from into its journal.
pub fn journal(folder: &RunFolder, kind: &str, from: &str, fields: Value) -> Result<(), Failure> {
    let mut line = json!({
        "build": BUILD,
        "from": from,
        "unix_seconds": crate::clock::unix_seconds(),
    });
    if let (Value::Object(line), Value::Object(fields)) = (&mut line, fields) {
        line.extend(fields);
    }
    let written = Journal::open(&folder.path).and_then(|mut journal| journal.write(kind, line));
    let what = |error| format!("cannot write the journal of {}: {error}", folder.path.display());
    written.map_err(|error| Failure::failed(what(error), None))
}

/// A file to read records from.
pub fn open_file(path: &Path) -> Result<File, Failure> {
    let what = |error| format!("cannot read {}: {error}", path.display());
    File::open(path).map_err(|error| Failure::failed(what(error), None))
}

/// Where run folders are made unless `--out` names one.
pub fn runs() -> PathBuf {
    PathBuf::from(super::ordering::RUNS)
}
