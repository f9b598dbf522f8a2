//! The log: one record per block in a sled tree. The only file that names sled.
//!
//! Key: the height, big-endian, then the number of the part, one byte; a record longer than `PART_BYTES_MAX`
//! (that of genesis) is cut into parts. Each part has a head of its own, so that it can be found and told from
//! rubbish in the bytes of a store that does not open any more. sled takes an exclusive lock, so one process has a
//! log open at a time.

use crate::record::{Genesis, MAGIC_BEFORE, Record, RecordError, pack_frame, pack_genesis};
use protocol::frame::Frame;
use protocol::units::{Hash32, Height};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::cell::Cell;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::time::Duration;

/// Longest part of a record.
pub const PART_BYTES_MAX: usize = 1 << 20;
/// The first bytes of every part.
pub const PART_MAGIC: [u8; 4] = *b"BTLP";
/// Length of a part's head: magic, height, number of the part, number of parts, length and checksum of the rest.
pub const PART_HEAD_BYTES: usize = 4 + 8 + 1 + 1 + 4 + 4;
/// How long to wait for another process to let go of the log.
pub const IN_USE_WAIT_MS: u64 = 600;

const SEGMENT_BYTES: usize = 8 << 20;
const CACHE_BYTES: u64 = 64 << 20;

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
                "wait until the run ends, or stop it with Ctrl-C; its log can be read then".into(),
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
            Self::Store { .. } | Self::Damaged { .. } | Self::Empty { .. } => {
                Some("the log is damaged or was cut off; run the scenario again".into())
            }
            Self::Missing { .. } | Self::Exists { .. } | Self::Absent { .. } | Self::Gap { .. } => {
                None
            }
        }
    }
}

/// A log of frames, one per block, from genesis on.
pub trait EventLog {
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
    /// Waits until everything appended is on disk.
    ///
    /// # Errors
    /// It cannot be written.
    fn sync(&mut self) -> Result<(), LogError>;
    /// Bytes on disk.
    fn bytes(&self) -> u64;
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
    unsynced: u32,
    packed_bytes: u64,
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
        if path.exists() {
            return Err(LogError::Exists { path: path.to_owned() });
        }
        let store = open_store(path, true)?;
        let height = genesis.header.height;
        let (record, frame_hash) = pack_genesis(genesis);
        let mut log = Self {
            path: path.to_owned(),
            store,
            genesis: height,
            tip: height,
            tip_hash: genesis.header.hash(),
            frame_hash,
            durability,
            unsynced: 0,
            packed_bytes: 0,
        };
        log.write(height, &record)?;
        log.sync()?;
        Ok(log)
    }

    /// Opens a log.
    ///
    /// # Errors
    /// There is none, another process has it open, or it is damaged at its ends.
    pub fn open(path: &Path) -> Result<Self, LogError> {
        if !path.is_dir() {
            return Err(LogError::Missing { path: path.to_owned() });
        }
        let store = open_store(path, false)?;
        let mut log = Self {
            path: path.to_owned(),
            store,
            genesis: Height(0),
            tip: Height(0),
            tip_hash: Hash32::default(),
            frame_hash: Hash32::default(),
            durability: Durability::Interval(100),
            unsynced: 0,
            packed_bytes: 0,
        };
        log.genesis = log.end(|store| store.first())?;
        log.tip = log.end(|store| store.last())?;
        let bytes = log.record(log.tip)?;
        let record = log.checked(log.tip, &bytes)?;
        let header = record.header().map_err(|error| log.damaged(log.tip, error))?;
        (log.frame_hash, log.tip_hash) = (record.hash, header.hash());
        Ok(log)
    }

    /// Decides when what is appended is synced.
    #[must_use]
    pub fn with_durability(self, durability: Durability) -> Self {
        Self { durability, ..self }
    }

    /// What block 0 holds.
    ///
    /// # Errors
    /// It is damaged, or of another shape.
    pub fn genesis<P: DeserializeOwned>(&self) -> Result<Genesis<P>, LogError> {
        let bytes = self.record(self.genesis)?;
        let record = self.checked(self.genesis, &bytes)?;
        record.genesis().map_err(|error| self.damaged(self.genesis, error))
    }

    /// The records of a range, ascending, each checked against the frame hash of the one before. Ends after the
    /// first error.
    pub fn records(
        &self,
        from: Height,
        to: Height,
    ) -> impl Iterator<Item = Result<RawRecord, LogError>> + '_ {
        let mut previous: Option<Hash32> = None;
        let mut ended = false;
        let first = from.max(self.genesis);
        (first.0..=to.0).map(Height).map_while(move |height| {
            if ended {
                return None;
            }
            let read = self.record(height).and_then(|bytes| {
                let record = self.checked(height, &bytes)?;
                if previous.is_some_and(|previous| previous != record.previous) {
                    return Err(self.damaged(height, RecordError::Chain));
                }
                previous = Some(record.hash);
                Ok(RawRecord { bytes })
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

    /// Bytes of the records appended since it was opened.
    pub const fn packed_bytes(&self) -> u64 {
        self.packed_bytes
    }

    fn append_packed(
        &mut self,
        height: Height,
        record: &[u8],
        block_hash: Hash32,
        frame_hash: Hash32,
    ) -> Result<(), LogError> {
        self.write(height, record)?;
        self.packed_bytes += record.len() as u64;
        (self.tip, self.tip_hash, self.frame_hash) = (height, block_hash, frame_hash);
        self.unsynced += 1;
        let due = match self.durability {
            Durability::Block => true,
            Durability::Interval(blocks) => self.unsynced >= blocks,
            Durability::End => false,
        };
        if due { self.sync() } else { Ok(()) }
    }

    /// The height at one end of the tree.
    fn end(
        &self,
        entry: impl Fn(&sled::Db) -> sled::Result<Option<(sled::IVec, sled::IVec)>>,
    ) -> Result<Height, LogError> {
        let entry = self.guarded("read", || entry(&self.store))?;
        let (key, _) = entry.ok_or_else(|| LogError::Empty { path: self.path.clone() })?;
        let height = key.get(..8).and_then(|height| height.try_into().ok());
        let height = height.map(|height| Height(u64::from_be_bytes(height)));
        height.ok_or_else(|| self.store_error("read", "a key is no height"))
    }

    fn write(&mut self, height: Height, record: &[u8]) -> Result<(), LogError> {
        let mut batch = sled::Batch::default();
        let chunks = record.chunks(PART_BYTES_MAX);
        let parts = u8::try_from(chunks.len())
            .map_err(|_| self.store_error("written", "the record is longer than 255 parts"))?;
        for (part, bytes) in (0..).zip(chunks) {
            batch.insert(key(height, part).as_slice(), part_of(height, part, parts, bytes));
        }
        self.guarded("written", || self.store.apply_batch(batch.clone()))
    }

    /// All parts of a record.
    fn record(&self, height: Height) -> Result<Vec<u8>, LogError> {
        let entries = self.guarded("read", || {
            let entries = self.store.scan_prefix(height.0.to_be_bytes());
            entries.values().collect::<sled::Result<Vec<_>>>()
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
        Ok(bytes)
    }

    fn checked<'a>(&self, height: Height, bytes: &'a [u8]) -> Result<Record<'a>, LogError> {
        Record::read(bytes).map_err(|error| self.damaged(height, error))
    }

    /// sled can panic on damaged files; that is an answer like any other.
    fn guarded<T>(
        &self,
        action: &'static str,
        ask: impl Fn() -> sled::Result<T>,
    ) -> Result<T, LogError> {
        match quietly(ask) {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(self.store_error(action, &error.to_string())),
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
        let bytes = self.record(at)?;
        let record = self.checked(at, &bytes)?;
        record.frame(at).map_err(|error| self.damaged(at, error))
    }

    fn sync(&mut self) -> Result<(), LogError> {
        self.unsynced = 0;
        self.guarded("written", || self.store.flush())?;
        // sled's flush hands the bytes to the system; this one hands them to the disk.
        let synced = std::fs::File::open(self.path.join("db")).and_then(|file| file.sync_all());
        synced.map_err(|error| self.store_error("written", &error.to_string()))
    }

    fn bytes(&self) -> u64 {
        let Ok(entries) = self.path.read_dir() else { return 0 };
        let sizes = entries.filter_map(|entry| entry.ok()?.metadata().ok());
        sizes.filter(std::fs::Metadata::is_file).map(|file| allocated_bytes(&file)).sum()
    }
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

/// A record as it is stored, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawRecord {
    bytes: Vec<u8>,
}

impl RawRecord {
    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The record taken apart.
    pub fn record(&self) -> Record<'_> {
        Record::read(&self.bytes).expect("it was checked when it was made")
    }
}

/// A part of a record as the store keeps it, checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part<'a> {
    /// The block.
    pub height: Height,
    /// Its place in the record, from 0.
    pub part: u8,
    /// Parts of the record.
    pub parts: u8,
    /// What it holds of the record.
    pub bytes: &'a [u8],
}

impl<'a> Part<'a> {
    /// Takes a part apart and checks it; nothing may follow it.
    ///
    /// # Errors
    /// It is cut off, damaged, or no part.
    pub fn read(bytes: &'a [u8]) -> Result<Self, RecordError> {
        let (part, rest) = Self::read_front(bytes)?;
        if rest.is_empty() { Ok(part) } else { Err(RecordError::Head) }
    }

    /// The same with whatever follows it.
    ///
    /// # Errors
    /// It is cut off, damaged, or no part.
    pub fn read_front(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), RecordError> {
        if bytes.starts_with(&MAGIC_BEFORE) {
            return Err(RecordError::Before);
        }
        let (head, rest) = bytes.split_at_checked(PART_HEAD_BYTES).ok_or(RecordError::CutOff)?;
        if !head.starts_with(&PART_MAGIC) {
            return Err(RecordError::NoRecord);
        }
        let number = |at: usize| u32::from_le_bytes(head[at..at + 4].try_into().expect("four"));
        let height = u64::from_le_bytes(head[4..12].try_into().expect("eight bytes were taken"));
        let (length, checksum) = (number(14) as usize, number(18));
        if length > PART_BYTES_MAX {
            return Err(RecordError::Head);
        }
        let (bytes, rest) = rest.split_at_checked(length).ok_or(RecordError::CutOff)?;
        if checksum != part_checksum(&head[..PART_HEAD_BYTES - 4], bytes) {
            return Err(RecordError::Body);
        }
        Ok((Self { height: Height(height), part: head[12], parts: head[13], bytes }, rest))
    }
}

fn part_of(height: Height, part: u8, parts: u8, bytes: &[u8]) -> Vec<u8> {
    let mut whole = Vec::with_capacity(PART_HEAD_BYTES + bytes.len());
    whole.extend_from_slice(&PART_MAGIC);
    whole.extend_from_slice(&height.0.to_le_bytes());
    whole.extend_from_slice(&[part, parts]);
    whole.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
    let checksum = part_checksum(&whole, bytes);
    whole.extend_from_slice(&checksum.to_le_bytes());
    whole.extend_from_slice(bytes);
    whole
}

fn part_checksum(head: &[u8], bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(head);
    hasher.update(bytes);
    hasher.finalize()
}

fn key(height: Height, part: u8) -> [u8; 9] {
    let mut key = [0; 9];
    key[..8].copy_from_slice(&height.0.to_be_bytes());
    key[8] = part;
    key
}

fn open_store(path: &Path, new: bool) -> Result<sled::Db, LogError> {
    let error = |reason: String| LogError::Store {
        path: path.to_owned(),
        action: if new { "made" } else { "opened" },
        reason,
    };
    if !new && !path.join("db").is_file() {
        return Err(LogError::Missing { path: path.to_owned() });
    }
    let attempts = 3;
    for attempt in 1..=attempts {
        let opened = quietly(|| {
            let config = sled::Config::new().path(path).cache_capacity(CACHE_BYTES);
            config.segment_size(SEGMENT_BYTES).flush_every_ms(None).open()
        });
        match opened {
            Ok(Ok(store)) => return Ok(store),
            Ok(Err(sled::Error::Io(io))) if is_locked(&io) => {
                if attempt == attempts {
                    return Err(LogError::InUse { path: path.to_owned() });
                }
                std::thread::sleep(Duration::from_millis(IN_USE_WAIT_MS / attempts));
            }
            Ok(Err(other)) => return Err(error(other.to_string())),
            Err(panic) => return Err(error(panic)),
        }
    }
    Err(LogError::InUse { path: path.to_owned() })
}

fn is_locked(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
        || error.to_string().contains("could not acquire lock")
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
            if !QUIET.get() {
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
