//! A log that fails when it should: it wraps another one and says no at given blocks, after the bytes of the block
//! went through or before. From then on it is as dead as the process that had it.
//!
//! What belongs here: failing, and what a dead process leaves on disk. What does not: when it should fail
//! (`disturbance`), and what comes of it (`chain`, `launcher`, `swarm`).

use super::disturbance::{Disturbance, Strike};
use protocol::dice::Dice;
use protocol::frame::{Frame, Header};
use protocol::units::Height;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use storage::carve::DB;
use storage::log::{Durability, EventLog, LogError};
use storage::runfolder::RunFolder;

/// What struck a log, known also to whoever does not have it any more.
#[derive(Clone, Debug, Default)]
pub struct Verdict(Arc<Mutex<Option<Dead>>>);

/// A log that was struck.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dead {
    /// What struck.
    pub strike: Strike,
    /// Where the bytes ended that were synced before: nothing up to there can be torn.
    synced_bytes: u64,
}

impl Verdict {
    /// What struck, if anything did.
    pub fn get(&self) -> Option<Dead> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, dead: Dead) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(dead);
    }
}

/// See the page's head. Syncs are its own: those of the log beneath would come before a write can be torn.
#[derive(Debug)]
pub struct FailingLog {
    inner: Box<dyn EventLog + Send>,
    path: PathBuf,
    durability: Durability,
    /// Blocks since the last sync.
    unsynced: u64,
    /// What is still to come, ascending.
    strikes: Vec<Strike>,
    verdict: Verdict,
}

impl FailingLog {
    /// Over a log at a path that syncs nothing by itself; the verdict tells what struck.
    pub fn new(
        inner: Box<dyn EventLog + Send>,
        path: PathBuf,
        durability: Durability,
        strikes: Vec<Strike>,
        verdict: Verdict,
    ) -> Self {
        Self { inner, path, durability, unsynced: 0, strikes, verdict }
    }

    fn failure(&self, strike: Strike) -> LogError {
        let reason = format!("the fault {} of block {} strikes", strike.what, strike.at);
        LogError::Store { path: self.path.clone(), action: "written", reason }
    }

    fn die(&mut self, strike: Strike, frame: &Frame) -> Result<(), LogError> {
        let mut synced_bytes = u64::MAX;
        match strike.what {
            Disturbance::TornWrite => {
                self.inner.sync()?;
                let end = end_of(&self.path);
                synced_bytes = end.map_err(|error| self.unreadable(&error))?;
                self.inner.append(frame)?;
            }
            Disturbance::FailedSync => self.inner.append(frame)?,
            _ => {}
        }
        self.verdict.set(Dead { strike, synced_bytes });
        Err(self.failure(strike))
    }

    fn unreadable(&self, error: &io::Error) -> LogError {
        let (path, reason) = (self.path.clone(), error.to_string());
        LogError::Store { path, action: "read", reason }
    }
}

impl EventLog for FailingLog {
    fn append(&mut self, frame: &Frame) -> Result<(), LogError> {
        if let Some(dead) = self.verdict.get() {
            return Err(self.failure(dead.strike));
        }
        let height = frame.header.height;
        if let Some(due) = self.strikes.iter().position(|strike| strike.at <= height) {
            let strike = self.strikes.remove(due);
            return self.die(strike, frame);
        }
        self.inner.append(frame)?;
        self.unsynced += 1;
        if self.durability.is_due(self.unsynced) { self.sync() } else { Ok(()) }
    }

    fn tip(&self) -> Height {
        self.inner.tip()
    }

    fn genesis_height(&self) -> Height {
        self.inner.genesis_height()
    }

    fn frame(&self, at: Height) -> Result<Frame, LogError> {
        self.inner.frame(at)
    }

    fn header(&self, at: Height) -> Result<Header, LogError> {
        self.inner.header(at)
    }

    fn sync(&mut self) -> Result<(), LogError> {
        if let Some(dead) = self.verdict.get() {
            return Err(self.failure(dead.strike));
        }
        self.unsynced = 0;
        self.inner.sync()
    }

    fn bytes(&self) -> u64 {
        self.inner.bytes()
    }

    fn packed_bytes(&self) -> u64 {
        self.inner.packed_bytes()
    }
}

/// Does to the folder of a run what is left to do after its log was struck and closed: tears the last write, takes
/// away or damages caches.
///
/// # Errors
/// A file cannot be read or written.
pub fn leave_behind(folder: &RunFolder, dead: Dead, dice: &mut Dice) -> io::Result<()> {
    match dead.strike.what {
        Disturbance::TornWrite => tear(&folder.log_dir(), dead.synced_bytes, dice),
        Disturbance::LostCaches => remove_caches(folder),
        Disturbance::DamagedCaches => damage_caches(folder, dice),
        _ => Ok(()),
    }
}

/// Where the bytes of a store end.
fn end_of(log: &Path) -> io::Result<u64> {
    let bytes = fs::read(log.join(DB))?;
    Ok(bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last as u64 + 1))
}

/// Takes some of the last bytes that were written into a store, none of those synced before.
fn tear(log: &Path, synced_bytes: u64, dice: &mut Dice) -> io::Result<()> {
    let end = end_of(log)?;
    if end > synced_bytes {
        let file = fs::OpenOptions::new().write(true).open(log.join(DB))?;
        let length = file.metadata()?.len();
        file.set_len(dice.between(synced_bytes, end - 1))?;
        // The store makes its file longer than what it holds; what is missing is zeros.
        file.set_len(length)?;
    }
    Ok(())
}

fn cache_files(folder: &RunFolder) -> io::Result<Vec<PathBuf>> {
    let caches = folder.cache_dir();
    if !caches.is_dir() {
        return Ok(Vec::new());
    }
    let entries = caches.read_dir()?.map(|entry| Ok(entry?.path()));
    let mut files = entries.collect::<io::Result<Vec<PathBuf>>>()?;
    files.sort();
    Ok(files)
}

fn remove_caches(folder: &RunFolder) -> io::Result<()> {
    cache_files(folder)?.iter().try_for_each(fs::remove_file)
}

fn damage_caches(folder: &RunFolder, dice: &mut Dice) -> io::Result<()> {
    for file in cache_files(folder)? {
        let mut bytes = fs::read(&file)?;
        let at = dice.below(bytes.len() as u64) as usize;
        if let Some(byte) = bytes.get_mut(at) {
            *byte ^= 1 << dice.below(8);
        }
        fs::write(&file, bytes)?;
    }
    Ok(())
}
