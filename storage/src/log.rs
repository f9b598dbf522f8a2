//! The log: one record per block in a sled tree. The only file that names sled.
//!
//! Key: the height, big-endian, then the number of the part (`part`), one byte; only the record of genesis is longer than
//! one. sled takes an exclusive lock, so one process has a log open at a time.
//!
//! sled takes a damaged tail for one that was never written, and overwrites it. So what was synced is told to
//! `kept`, and a store that was written since it was last opened is compared with that before sled sees it.

use crate::carve::{BLOBS, Carved, DB};
use crate::kept::{Kept, Lost, Since};
use crate::part::{PART_BYTES_MAX, Part, RawRecord, part_of};
use crate::record::{Genesis, Record, RecordError, pack_frame, pack_genesis};
use protocol::frame::{Frame, Header};
use protocol::units::{Hash32, Height};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::cell::Cell;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::TryLockError;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::time::Duration;

/// How long to wait for another process to let go of the log.
pub const IN_USE_WAIT_MS: u64 = 600;

const LOCK_ATTEMPTS: u64 = 3;
const SEGMENT_BYTES: usize = 8 << 20;
const CACHE_BYTES: u64 = 8 << 20;
/// How often the newest page is asked for at once: of the store's 256 lists of pages each is worked off after 64 askings,
/// and a page, which is in one of them, holds eight large blocks at least.
const LOOKS: u32 = 8;
/// Bytes of records after which it is asked for.
const LOOK_BYTES: usize = 16 << 10;

/// When what was appended is on disk for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Durability {
    /// After each block.
    Block,
    /// After so many blocks.
    Interval(u32),
    /// When the run ends.
    End,
}

impl Durability {
    /// Whether the log is to be synced now that so many blocks were appended since it last was.
    pub const fn is_due(self, unsynced: u64) -> bool {
        match self {
            Self::Block => true,
            Self::Interval(blocks) => unsynced >= blocks as u64,
            Self::End => false,
        }
    }
}

/// What went wrong with a log.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// There is none.
    #[error("there is no log at {}", path.display())]
    Missing {
        /// Where.
        path: PathBuf,
    },
    /// There is one already.
    #[error("there is a log at {} already", path.display())]
    Exists {
        /// Where.
        path: PathBuf,
    },
    /// Another process has it open.
    #[error("the log {} is in use by another process", path.display())]
    InUse {
        /// Where.
        path: PathBuf,
    },
    /// The store cannot be opened, read or written.
    #[error("the log {} cannot be {action}: {reason}", path.display())]
    Store {
        /// Where.
        path: PathBuf,
        /// `opened`, `read` or `written`.
        action: &'static str,
        /// What the store says.
        reason: String,
    },
    /// The store's own books are damaged: it does not open.
    #[error("{}", broken(path, reason, lost))]
    Broken {
        /// Where.
        path: PathBuf,
        /// What the store says.
        reason: String,
        /// What cannot be had from the bytes of the store either.
        lost: Lost,
    },
    /// A block cannot be read.
    #[error("block {height} of the log {} cannot be read: {reason}", path.display())]
    Unreadable {
        /// Where.
        path: PathBuf,
        /// Which block.
        height: Height,
        /// What the store says.
        reason: String,
    },
    /// Blocks that were kept are not there any more.
    #[error("{}", broken(path, &format!("it was kept up to block {kept}"), lost))]
    CutOff {
        /// Where.
        path: PathBuf,
        /// The blocks that are not there.
        lost: Lost,
        /// The last block that was there once.
        kept: Height,
    },
    /// The log holds no blocks.
    #[error("the log {} is empty", path.display())]
    Empty {
        /// Where.
        path: PathBuf,
    },
    /// A block is not there.
    #[error("block {height} is not in the log {}", path.display())]
    Absent {
        /// Where.
        path: PathBuf,
        /// Which block.
        height: Height,
    },
    /// A block is damaged.
    #[error("block {height} of the log {}: {error}", path.display())]
    Damaged {
        /// Where.
        path: PathBuf,
        /// Which block.
        height: Height,
        /// How.
        error: RecordError,
    },
    /// A block does not follow the last one.
    #[error("block {height} does not follow block {tip} of the log {}", path.display())]
    Gap {
        /// Where.
        path: PathBuf,
        /// Which block.
        height: Height,
        /// The last one.
        tip: Height,
    },
}

impl LogError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::InUse { .. } => Some(
                "`btemu log RUN --follow` shows a run that goes on; its log can be read when it ends, or \
                 when Ctrl-C stops it"
                    .into(),
            ),
            Self::Store { action: "written", .. } => {
                Some("is the disk full? `btemu run --resume RUN` goes on".into())
            }
            Self::Damaged { error: RecordError::Format(_), .. } => {
                Some("read it with the build that made it, or a newer one".into())
            }
            Self::Damaged { error: RecordError::Before, .. } => {
                Some("run the scenario again".into())
            }
            Self::Broken { lost: Lost::Genesis(_), .. }
            | Self::CutOff { lost: Lost::Genesis(_), .. } => {
                Some("nothing can be had from it; run the scenario again".into())
            }
            Self::Damaged { .. }
            | Self::Unreadable { .. }
            | Self::Absent { .. }
            | Self::Broken { .. }
            | Self::CutOff { .. } => {
                Some("`btemu repair RUN --out DIR` keeps every block before the damage".into())
            }
            Self::Empty { .. } => Some("its run never began; run the scenario again".into()),
            Self::Store { action: "opened", .. } => Some(
                "a log is opened for writing, also to read it: may this user write there, and is \
                 there room on the disk?"
                    .into(),
            ),
            Self::Store { .. } | Self::Missing { .. } | Self::Exists { .. } | Self::Gap { .. } => {
                None
            }
        }
    }

    /// The first block that is not sound, if a damaged one is what is told.
    pub const fn damaged_block(&self) -> Option<Height> {
        match self {
            Self::Damaged { height, .. }
            | Self::Unreadable { height, .. }
            | Self::Absent { height, .. } => Some(*height),
            Self::Broken { lost, .. } | Self::CutOff { lost, .. } => lost.first(),
            _ => None,
        }
    }

    /// Whether the log is damaged, as opposed to missing, in use, or out of reach.
    pub const fn is_damage(&self) -> bool {
        matches!(self, Self::Broken { .. }) || self.damaged_block().is_some()
    }
}

fn broken(path: &Path, reason: &str, lost: &Lost) -> String {
    let path = path.display();
    match lost {
        Lost::Nothing => {
            format!("the store of the log {path} is damaged, but no block is lost: {reason}")
        }
        Lost::From(height) => format!("the log {path} is damaged at block {height}: {reason}"),
        Lost::Genesis(height) => {
            format!("the log {path} is damaged at block {height}, its first one: {reason}")
        }
    }
}

/// A log of frames, one per block, from genesis on.
pub trait EventLog: std::fmt::Debug {
    /// Appends the block after the last one.
    ///
    /// # Errors
    /// It does not follow, or cannot be written.
    fn append(&mut self, frame: &Frame) -> Result<(), LogError>;
    /// The last block.
    fn tip(&self) -> Height;
    /// The genesis block.
    fn genesis_height(&self) -> Height;
    /// A block after genesis.
    ///
    /// # Errors
    /// It is absent or damaged.
    fn frame(&self, at: Height) -> Result<Frame, LogError>;
    /// A block's header, or that of genesis; what else the record holds is not looked at.
    ///
    /// # Errors
    /// It is absent or damaged.
    fn header(&self, at: Height) -> Result<Header, LogError>;
    /// Waits until everything appended is on disk.
    ///
    /// # Errors
    /// It cannot be written.
    fn sync(&mut self) -> Result<(), LogError>;
    /// Bytes on disk.
    fn bytes(&self) -> u64;
    /// Bytes of the records appended since it was opened.
    fn packed_bytes(&self) -> u64;
}

/// A log in a sled tree.
#[derive(Debug)]
pub struct SledLog {
    path: PathBuf,
    store: sled::Db,
    genesis: Height,
    tip: Height,
    tip_hash: Hash32,
    frame_hash: Hash32,
    durability: Durability,
    kept: Height,
    since: Since,
    blobs_synced: BTreeSet<OsString>,
    packed_bytes: u64,
    /// Bytes appended since the newest page was asked for.
    unlooked: Unlooked,
}

impl SledLog {
    /// Makes a log that holds its genesis.
    ///
    /// # Errors
    /// There is one already, or it cannot be written.
    pub fn create<P: Serialize>(
        path: &Path,
        genesis: &Genesis<P>,
        durability: Durability,
    ) -> Result<Self, LogError> {
        let (record, frame_hash) = pack_genesis(genesis);
        Self::create_packed(path, &genesis.header, &record, frame_hash, durability)
    }

    /// Makes a log that holds the genesis of another one, as that keeps it.
    ///
    /// # Errors
    /// There is one already, it is no genesis, or it cannot be written.
    pub fn create_copy(
        path: &Path,
        genesis: &RawRecord,
        durability: Durability,
    ) -> Result<Self, LogError> {
        let record = genesis.record();
        let damaged =
            |error| LogError::Damaged { path: path.to_owned(), height: record.height, error };
        if !record.is_genesis() {
            return Err(damaged(RecordError::Misplaced));
        }
        let header = record.header().map_err(damaged)?;
        Self::create_packed(path, &header, genesis.bytes(), record.hash, durability)
    }

    fn create_packed(
        path: &Path,
        header: &Header,
        record: &[u8],
        frame_hash: Hash32,
        durability: Durability,
    ) -> Result<Self, LogError> {
        if path.exists() {
            return Err(LogError::Exists { path: path.to_owned() });
        }
        let store = open_store(path).map_err(|error| match error {
            StoreError::InUse => LogError::InUse { path: path.to_owned() },
            StoreError::Denied(reason) | StoreError::Damaged(reason) => {
                LogError::Store { path: path.to_owned(), action: "made", reason }
            }
        })?;
        let mut log = Self {
            path: path.to_owned(),
            store,
            genesis: header.height,
            tip: header.height,
            tip_hash: header.hash(),
            frame_hash,
            durability,
            kept: header.height,
            since: Since::Written,
            blobs_synced: BTreeSet::new(),
            packed_bytes: 0,
            unlooked: Unlooked::default(),
        };
        log.write(header.height, record)?;
        log.sync()?;
        log.sync_names()?;
        Ok(log)
    }

    /// Opens a log.
    ///
    /// # Errors
    /// There is none, another process has it open, or it is damaged at its ends.
    pub fn open(path: &Path) -> Result<Self, LogError> {
        let kept = Kept::read(path);
        if !path.join(DB).is_file() {
            return Err(match kept {
                None => LogError::Missing { path: path.to_owned() },
                Some(_) => locate(path, format!("its file `{DB}` is not there")),
            });
        }
        if let Some(kept) = kept.filter(|kept| kept.since == Since::Written) {
            let held = Held::hold(path)?;
            check_unseen(path, kept)?;
            drop(held);
        }
        let store = open_store(path).map_err(|error| match error {
            StoreError::InUse => LogError::InUse { path: path.to_owned() },
            StoreError::Denied(reason) => {
                LogError::Store { path: path.to_owned(), action: "opened", reason }
            }
            StoreError::Damaged(reason) => locate(path, reason),
        })?;
        let mut log = Self {
            path: path.to_owned(),
            store,
            genesis: Height(0),
            tip: Height(0),
            tip_hash: Hash32::default(),
            frame_hash: Hash32::default(),
            durability: Durability::Interval(100),
            kept: Height(0),
            since: Since::Opened,
            blobs_synced: BTreeSet::new(),
            packed_bytes: 0,
            unlooked: Unlooked::default(),
        };
        log.genesis = log.end(|store| store.first())?;
        log.tip = log.end(|store| store.last())?;
        log.kept = kept.map_or(log.genesis, |kept| kept.height);
        if let Some(kept) = kept {
            let lost = match kept.genesis < log.genesis {
                true => Lost::Genesis(kept.genesis),
                false if log.tip < kept.height => Lost::From(Height(log.tip.0 + 1)),
                false => Lost::Nothing,
            };
            if lost != Lost::Nothing {
                return Err(LogError::CutOff { path: path.to_owned(), lost, kept: kept.height });
            }
        }
        let raw = log.record(log.tip)?;
        let record = raw.record();
        let header = record.header().map_err(|error| log.damaged(log.tip, error))?;
        (log.frame_hash, log.tip_hash) = (record.hash, header.hash());
        if kept.is_none_or(|kept| kept.since == Since::Written) {
            // Without the mark the next one to open it looks once more, which costs time and nothing else.
            Kept { genesis: log.genesis, height: log.kept, since: Since::Opened }.write(path).ok();
        }
        Ok(log)
    }

    /// Decides when what is appended is synced.
    #[must_use]
    pub fn with_durability(self, durability: Durability) -> Self {
        Self { durability, ..self }
    }

    /// The last block that is kept whatever happens to this process or the machine.
    pub const fn kept(&self) -> Height {
        self.kept
    }

    /// What block 0 holds.
    ///
    /// # Errors
    /// It is damaged, or of another shape.
    pub fn genesis<P: DeserializeOwned>(&self) -> Result<Genesis<P>, LogError> {
        let raw = self.record(self.genesis)?;
        raw.record().genesis().map_err(|error| self.damaged(self.genesis, error))
    }

    /// The records of a range, ascending, each checked against the frame hash of the one before. Ends after the
    /// first error.
    pub fn records(
        &self,
        from: Height,
        to: Height,
    ) -> impl Iterator<Item = Result<RawRecord, LogError>> + '_ {
        let mut previous: Option<Hash32> = None;
        let mut unlooked = Unlooked::default();
        let mut ended = false;
        let first = from.max(self.genesis);
        (first.0..=to.0).map(Height).map_while(move |height| {
            if ended {
                return None;
            }
            let read = self.record(height).and_then(|raw| {
                let record = raw.record();
                if previous.is_some_and(|previous| previous != record.previous) {
                    return Err(self.damaged(height, RecordError::Chain));
                }
                previous = Some(record.hash);
                if unlooked.is_due(raw.bytes().len()) {
                    self.let_go(height)?;
                }
                Ok(raw)
            });
            ended = read.is_err();
            Some(read)
        })
    }

    /// The blocks of a range, ascending, each checked against the frame hash of the one before. Ends after the
    /// first error.
    pub fn frames(
        &self,
        from: Height,
        to: Height,
    ) -> impl Iterator<Item = Result<Frame, LogError>> + '_ {
        let first = from.max(Height(self.genesis.0 + 1));
        self.records(first, to).zip(first.0..).map(|(read, height)| {
            let (read, height) = (read?, Height(height));
            read.record().frame(height).map_err(|error| self.damaged(height, error))
        })
    }

    /// Something that reads this log while it is being written: of this process, on any thread. It keeps the log
    /// open.
    pub fn reader(&self) -> LogReader {
        LogReader(Self {
            path: self.path.clone(),
            store: self.store.clone(),
            blobs_synced: BTreeSet::new(),
            ..*self
        })
    }

    /// Appends a block as another log keeps it, without looking into it; it names the frame hash of this log's
    /// last record from now on.
    ///
    /// # Errors
    /// It does not follow, or cannot be written.
    pub fn append_record(&mut self, record: &Record<'_>) -> Result<(), LogError> {
        let height = record.height;
        let header = record.header().map_err(|error| self.damaged(height, error))?;
        let follows = height.0 == self.tip.0 + 1 && header.height == height;
        if record.is_genesis() || !follows || header.parent != self.tip_hash {
            return Err(LogError::Gap { path: self.path.clone(), height, tip: self.tip });
        }
        let (record, frame_hash) = record.after(self.frame_hash);
        self.append_packed(height, &record, header.hash(), frame_hash)
    }

    fn append_packed(
        &mut self,
        height: Height,
        record: &[u8],
        block_hash: Hash32,
        frame_hash: Hash32,
    ) -> Result<(), LogError> {
        if self.since == Since::Opened {
            self.since = Since::Written;
            self.tell_kept()?;
        }
        self.write(height, record)?;
        if self.unlooked.is_due(record.len()) {
            self.let_go(height)?;
        }
        self.packed_bytes += record.len() as u64;
        (self.tip, self.tip_hash, self.frame_hash) = (height, block_hash, frame_hash);
        if self.durability.is_due(self.tip.0 - self.kept.0) { self.sync() } else { Ok(()) }
    }

    /// Not synced itself: when it is older than the store, less is known of what must be there, and nothing wrong.
    fn tell_kept(&self) -> Result<(), LogError> {
        let kept = Kept { genesis: self.genesis, height: self.kept, since: self.since };
        kept.write(&self.path).map_err(|error| self.store_error("written", &error.to_string()))
    }

    /// The folder's own files and its name: they are made once.
    fn sync_names(&self) -> Result<(), LogError> {
        let parent = self.path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let folders =
            [Some(self.path.join("conf")), Some(self.path.clone()), parent.map(Path::to_owned)];
        let synced =
            folders.iter().flatten().try_for_each(|path| std::fs::File::open(path)?.sync_all());
        synced.map_err(|error| self.store_error("written", &error.to_string()))
    }

    /// The height at one end of the tree.
    fn end(
        &self,
        entry: impl Fn(&sled::Db) -> sled::Result<Option<(sled::IVec, sled::IVec)>>,
    ) -> Result<Height, LogError> {
        let entry = quietly(|| entry(&self.store));
        let entry = entry.and_then(|entry| entry.map_err(|error| told(&error)));
        let entry = entry.map_err(|reason| locate(&self.path, reason))?;
        let (key, _) = entry.ok_or_else(|| match Kept::read(&self.path) {
            None => LogError::Empty { path: self.path.clone() },
            Some(_) => locate(&self.path, "the store is empty".to_owned()),
        })?;
        let height = key.get(..8).and_then(|height| height.try_into().ok());
        let height = height.map(|height| Height(u64::from_be_bytes(height)));
        height.ok_or_else(|| locate(&self.path, "a key is no height".to_owned()))
    }

    fn write(&mut self, height: Height, record: &[u8]) -> Result<(), LogError> {
        if record.len() <= PART_BYTES_MAX {
            // An insertion is whole or not there by itself. A batch has the store hand over what is in its buffer, twice.
            let (key, part) = (key(height, 0), part_of(height, 0, 1, record));
            return self.guarded("written", || self.store.insert(key, part.as_slice()).map(drop));
        }
        let chunks = record.chunks(PART_BYTES_MAX);
        let parts = u8::try_from(chunks.len())
            .map_err(|_| self.store_error("written", "the record is longer than 255 parts"))?;
        let mut batch = sled::Batch::default();
        for (part, bytes) in (0..).zip(chunks) {
            batch.insert(key(height, part).as_slice(), part_of(height, part, parts, bytes));
        }
        self.guarded("written", || self.store.apply_batch(batch.clone()))
    }

    /// Has the store let go of older pages. It does so only as often as pages are asked for, and a log
    /// that is only written, or read once from its beginning, asks for few: a day of large blocks would stay in memory.
    fn let_go(&self, newest: Height) -> Result<(), LogError> {
        let key = key(newest, 0);
        self.guarded("read", || (0..LOOKS).try_for_each(|_| self.store.contains_key(key).map(drop)))
    }

    /// A record, put together from its parts and checked.
    fn record(&self, height: Height) -> Result<RawRecord, LogError> {
        let read = quietly(|| {
            let entries = self.store.scan_prefix(height.0.to_be_bytes());
            entries.values().collect::<sled::Result<Vec<_>>>()
        });
        let entries = read.and_then(|read| read.map_err(|error| told(&error)));
        let entries = entries.map_err(|reason| LogError::Unreadable {
            path: self.path.clone(),
            height,
            reason,
        })?;
        if entries.is_empty() {
            return Err(LogError::Absent { path: self.path.clone(), height });
        }
        let mut bytes = Vec::with_capacity(entries.iter().map(|entry| entry.len()).sum());
        for (at, entry) in (0..).zip(&entries) {
            let part = Part::read(entry).map_err(|error| self.damaged(height, error))?;
            if (part.height, part.part, usize::from(part.parts)) != (height, at, entries.len()) {
                return Err(self.damaged(height, RecordError::Misplaced));
            }
            bytes.extend_from_slice(part.bytes);
        }
        RawRecord::new(bytes).map_err(|error| self.damaged(height, error))
    }

    /// sled can panic on damaged files; that is an answer like any other.
    fn guarded<T>(
        &self,
        action: &'static str,
        ask: impl Fn() -> sled::Result<T>,
    ) -> Result<T, LogError> {
        match quietly(ask) {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(self.store_error(action, &told(&error))),
            Err(panic) => Err(self.store_error(action, &panic)),
        }
    }

    fn store_error(&self, action: &'static str, reason: &str) -> LogError {
        LogError::Store { path: self.path.clone(), action, reason: reason.to_owned() }
    }

    fn damaged(&self, height: Height, error: RecordError) -> LogError {
        LogError::Damaged { path: self.path.clone(), height, error }
    }
}

/// Reads a log that [`SledLog::reader`] opened beside its writer.
#[derive(Debug)]
pub struct LogReader(SledLog);

impl LogReader {
    /// A block after genesis.
    ///
    /// # Errors
    /// It is absent or damaged.
    pub fn frame(&self, at: Height) -> Result<Frame, LogError> {
        self.0.frame(at)
    }

    /// What block 0 holds.
    ///
    /// # Errors
    /// It is damaged, or of another shape.
    pub fn genesis<P: DeserializeOwned>(&self) -> Result<Genesis<P>, LogError> {
        self.0.genesis()
    }

    /// The log; its tip is the one it had when this was made.
    pub(crate) const fn log(&self) -> &SledLog {
        &self.0
    }
}

impl EventLog for SledLog {
    fn append(&mut self, frame: &Frame) -> Result<(), LogError> {
        let height = frame.header.height;
        if height.0 != self.tip.0 + 1 || frame.header.parent != self.tip_hash {
            return Err(LogError::Gap { path: self.path.clone(), height, tip: self.tip });
        }
        let (record, frame_hash) = pack_frame(frame, self.frame_hash);
        self.append_packed(height, &record, frame.header.hash(), frame_hash)
    }

    fn tip(&self) -> Height {
        self.tip
    }

    fn genesis_height(&self) -> Height {
        self.genesis
    }

    fn frame(&self, at: Height) -> Result<Frame, LogError> {
        self.record(at)?.record().frame(at).map_err(|error| self.damaged(at, error))
    }

    fn header(&self, at: Height) -> Result<Header, LogError> {
        self.record(at)?.record().header().map_err(|error| self.damaged(at, error))
    }

    fn sync(&mut self) -> Result<(), LogError> {
        self.guarded("written", || self.store.flush())?;
        // sled's flush hands the bytes to the system; this hands them to the disk, and the names of new files too.
        sync_files(&self.path, &mut self.blobs_synced)
            .map_err(|error| self.store_error("written", &error.to_string()))?;
        self.kept = self.tip;
        self.tell_kept()
    }

    fn bytes(&self) -> u64 {
        // Large pages are files of their own.
        let folders = [self.path.clone(), self.path.join(BLOBS)];
        let entries = folders.iter().filter_map(|folder| folder.read_dir().ok()).flatten();
        let files = entries.filter_map(|entry| entry.ok()?.metadata().ok());
        files.filter(std::fs::Metadata::is_file).map(|file| allocated_bytes(&file)).sum()
    }

    fn packed_bytes(&self) -> u64 {
        self.packed_bytes
    }
}

/// Syncs the files of a store and the folders that name them. A page that does not fit a segment is a file of its own,
/// written once: those that were synced before are left alone.
fn sync_files(path: &Path, blobs_synced: &mut BTreeSet<OsString>) -> io::Result<()> {
    let sync = |path: &Path| std::fs::File::open(path)?.sync_all();
    let blobs = path.join(BLOBS);
    let mut names = BTreeSet::new();
    for entry in blobs.read_dir()? {
        let name = entry?.file_name();
        if !blobs_synced.contains(&name) {
            match sync(&blobs.join(&name)) {
                // sled deletes those that nothing leads to any more, also right now.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                synced => synced?,
            }
        }
        names.insert(name);
    }
    if names != *blobs_synced {
        sync(&blobs)?;
    }
    *blobs_synced = names;
    sync(&path.join(DB))
}

/// What a file takes on disk: sled makes its file longer than what it holds.
fn allocated_bytes(file: &std::fs::Metadata) -> u64 {
    #[cfg(unix)]
    {
        std::os::unix::fs::MetadataExt::blocks(file) * 512
    }
    #[cfg(not(unix))]
    {
        file.len()
    }
}

/// Bytes of records since a page was last asked for.
#[derive(Clone, Copy, Debug, Default)]
struct Unlooked(usize);

impl Unlooked {
    /// Whether that is due after so many more.
    fn is_due(&mut self, more: usize) -> bool {
        self.0 += more;
        let is_due = self.0 >= LOOK_BYTES;
        if is_due {
            self.0 = 0;
        }
        is_due
    }
}

fn key(height: Height, part: u8) -> [u8; 9] {
    let mut key = [0; 9];
    key[..8].copy_from_slice(&height.0.to_be_bytes());
    key[8] = part;
    key
}

/// Why a store does not open.
enum StoreError {
    InUse,
    Denied(String),
    Damaged(String),
}

fn open_store(path: &Path) -> Result<sled::Db, StoreError> {
    for attempt in 1..=LOCK_ATTEMPTS {
        let opened = quietly(|| {
            let config = sled::Config::new().path(path).cache_capacity(CACHE_BYTES);
            config.segment_size(SEGMENT_BYTES).flush_every_ms(None).open()
        });
        match opened {
            Ok(Ok(store)) => return Ok(store),
            Ok(Err(sled::Error::Io(io))) if is_locked(&io) => wait_for_lock(attempt),
            Ok(Err(sled::Error::Io(io))) if is_denied(&io) => {
                return Err(StoreError::Denied(io.to_string()));
            }
            Ok(Err(other)) => return Err(StoreError::Damaged(told(&other))),
            Err(panic) => return Err(StoreError::Damaged(panic)),
        }
    }
    Err(StoreError::InUse)
}

/// A log that no other process opens as long as this lives, while its bytes are looked at.
#[derive(Debug)]
pub struct Held {
    _locked: Option<std::fs::File>,
}

impl Held {
    /// Waits until no other process has it open. A log without its main file is held by nobody.
    ///
    /// # Errors
    /// It stays in use.
    pub fn hold(path: &Path) -> Result<Self, LogError> {
        for attempt in 1..=LOCK_ATTEMPTS {
            let Ok(db) = std::fs::File::open(path.join(DB)) else {
                return Ok(Self { _locked: None });
            };
            match db.try_lock() {
                Ok(()) => return Ok(Self { _locked: Some(db) }),
                // A system without locks: what else can be wrong is told when the bytes are read.
                Err(TryLockError::Error(_)) => return Ok(Self { _locked: None }),
                Err(TryLockError::WouldBlock) => wait_for_lock(attempt),
            }
        }
        Err(LogError::InUse { path: path.to_owned() })
    }
}

fn wait_for_lock(attempt: u64) {
    if attempt < LOCK_ATTEMPTS {
        std::thread::sleep(Duration::from_millis(IN_USE_WAIT_MS / LOCK_ATTEMPTS));
    }
}

fn is_locked(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
        || error.to_string().contains("could not acquire lock")
}

/// Whether it is the system that says no, and not the bytes.
fn is_denied(error: &io::Error) -> bool {
    use io::ErrorKind::{
        FileTooLarge, PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull,
    };
    matches!(
        error.kind(),
        PermissionDenied | ReadOnlyFilesystem | StorageFull | QuotaExceeded | FileTooLarge
    )
}

/// What the store says, in our words where it speaks of its inside.
fn told(error: &sled::Error) -> String {
    match error {
        sled::Error::Corruption { .. } => {
            "bytes of the store differ from their checksum".to_owned()
        }
        sled::Error::Unsupported(_) => "the settings of the store are damaged".to_owned(),
        other => other.to_string(),
    }
}

/// Finds what a store lost that does not open, from its bytes alone.
fn locate(path: &Path, reason: String) -> LogError {
    let lost = match Carved::scan(path) {
        Err(_) => Lost::Genesis(Kept::read(path).map_or(Height(0), |kept| kept.genesis)),
        Ok(carved) => carved.lost(Kept::read(path)),
    };
    LogError::Broken { path: path.to_owned(), reason, lost }
}

/// Compares the bytes of a store with what was kept, before sled opens it.
fn check_unseen(path: &Path, kept: Kept) -> Result<(), LogError> {
    let path = path.to_owned();
    match Carved::scan(&path).map(|carved| carved.lost(Some(kept))) {
        Ok(Lost::Nothing) => Ok(()),
        Ok(lost) => Err(LogError::CutOff { path, lost, kept: kept.height }),
        Err(error) => Err(LogError::Store { path, action: "read", reason: error.to_string() }),
    }
}

/// Runs something that may panic, without a word on standard error; the panic's text is the error.
fn quietly<T>(ask: impl FnOnce() -> T) -> Result<T, String> {
    static HOOKED: Once = Once::new();
    thread_local! {
        static QUIET: Cell<bool> = const { Cell::new(false) };
    }
    HOOKED.call_once(|| {
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            // sled's own threads have nobody to tell: whoever asks for what they did gets an error.
            let of_sled =
                std::thread::current().name().is_some_and(|name| name.starts_with("sled"));
            if !QUIET.get() && !of_sled {
                hook(panic);
            }
        }));
    });
    let before = QUIET.replace(true);
    let asked = catch_unwind(AssertUnwindSafe(ask));
    QUIET.set(before);
    asked.map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        text.unwrap_or_else(|| "the store panicked".to_owned())
    })
}
