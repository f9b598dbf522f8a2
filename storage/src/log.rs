//! The log: one record per block in a sled tree. The only file that names sled.
//!
//! Key: the height, big-endian, then the number of the part, one byte; a record longer than `PART_BYTES_MAX`
//! (that of genesis) is cut into parts. sled takes an exclusive lock, so one process has a log open at a time.

use crate::record::{Genesis, Kind, Record, RecordError, pack};
use protocol::frame::{Frame, Header};
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
                Some("read it with the build that made it".into())
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
        let (record, frame_hash) = pack(Kind::Genesis, height, genesis.header.parent, genesis);
        let mut log = Self {
            path: path.to_owned(),
            store,
            genesis: height,
            tip: height,
            tip_hash: genesis.header.hash(),
            frame_hash,
            durability,
            unsynced: 0,
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
        };
        log.genesis = log.end(|store| store.first())?;
        log.tip = log.end(|store| store.last())?;
        if log.tip == log.genesis {
            let bytes = log.record(log.genesis)?;
            log.frame_hash = log.checked(log.genesis, &bytes)?.hash;
            log.tip_hash = log.genesis_header()?.hash();
        } else {
            let bytes = log.record(log.tip)?;
            log.frame_hash = log.checked(log.tip, &bytes)?.hash;
            log.tip_hash = log.frame(log.tip)?.header.hash();
        }
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
        record
            .unpack(Kind::Genesis, self.genesis)
            .map_err(|error| self.damaged(self.genesis, error))
    }

    /// The blocks of a range, ascending, each checked against the frame hash of the one before. Ends after the
    /// first error.
    pub fn frames(
        &self,
        from: Height,
        to: Height,
    ) -> impl Iterator<Item = Result<Frame, LogError>> + '_ {
        let mut previous: Option<Hash32> = None;
        let mut ended = false;
        let first = from.0.max(self.genesis.0 + 1);
        (first..=to.0).map(Height).map_while(move |height| {
            if ended {
                return None;
            }
            let read = self.record(height).and_then(|bytes| {
                let record = self.checked(height, &bytes)?;
                if previous.is_some_and(|previous| previous != record.previous) {
                    return Err(self.damaged(height, RecordError::Chain));
                }
                previous = Some(record.hash);
                record.unpack(Kind::Block, height).map_err(|error| self.damaged(height, error))
            });
            ended = read.is_err();
            Some(read)
        })
    }

    fn genesis_header(&self) -> Result<Header, LogError> {
        // The plan's shape is the caller's; the fields before it are ours.
        let bytes = self.record(self.genesis)?;
        let record = self.checked(self.genesis, &bytes)?;
        let front = record.unpack_front::<(String, Header)>(Kind::Genesis, self.genesis);
        front.map(|(_, header)| header).map_err(|error| self.damaged(self.genesis, error))
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
        for (part, bytes) in record.chunks(PART_BYTES_MAX).enumerate() {
            let part = u8::try_from(part)
                .map_err(|_| self.store_error("written", "the record is longer than 255 parts"))?;
            batch.insert(key(height, part).as_slice(), bytes);
        }
        self.guarded("written", || self.store.apply_batch(batch.clone()))
    }

    /// All parts of a record.
    fn record(&self, height: Height) -> Result<Vec<u8>, LogError> {
        self.guarded("read", || {
            let mut bytes = Vec::new();
            for entry in self.store.scan_prefix(height.0.to_be_bytes()) {
                bytes.extend_from_slice(&entry?.1);
            }
            Ok(bytes)
        })
        .and_then(|bytes| match bytes.is_empty() {
            true => Err(LogError::Absent { path: self.path.clone(), height }),
            false => Ok(bytes),
        })
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
        let (record, frame_hash) = pack(Kind::Block, height, self.frame_hash, frame);
        self.write(height, &record)?;
        (self.tip, self.tip_hash, self.frame_hash) = (height, frame.header.hash(), frame_hash);
        self.unsynced += 1;
        let due = match self.durability {
            Durability::Block => true,
            Durability::Interval(blocks) => self.unsynced >= blocks,
            Durability::End => false,
        };
        if due { self.sync() } else { Ok(()) }
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
        record.unpack(Kind::Block, at).map_err(|error| self.damaged(at, error))
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
