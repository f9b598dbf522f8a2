//! What a log tells of itself beside the store, up to where it was synced; and what a damaged one lost.

use protocol::units::Height;
use std::io::{self, Write};
use std::path::Path;

const KEPT: &str = "kept";
const KEPT_MAGIC: [u8; 4] = *b"BTLK";
const KEPT_BYTES: usize = 4 + 8 + 8 + 1 + 4;

/// What a log tells of itself beside the store: up to where it was synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Its first block.
    pub genesis: Height,
    /// The last block that was synced.
    pub height: Height,
    pub(crate) since: Since,
}

/// What happened to the store last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Since {
    /// It was opened, so sled has taken its tail for good.
    Opened = 0,
    /// It was written.
    Written = 1,
}

impl Kept {
    /// Reads it. One that is missing or damaged says nothing.
    pub fn read(path: &Path) -> Option<Self> {
        let bytes: [u8; KEPT_BYTES] = std::fs::read(path.join(KEPT)).ok()?.try_into().ok()?;
        let (rest, checksum) = bytes.split_at(KEPT_BYTES - 4);
        let sound =
            rest.starts_with(&KEPT_MAGIC) && checksum == crc32fast::hash(rest).to_le_bytes();
        let height = |at: usize| rest[at..at + 8].try_into().map(u64::from_le_bytes).map(Height);
        let (genesis, height) = (height(4).ok()?, height(12).ok()?);
        let since = if rest[20] == Since::Opened as u8 { Since::Opened } else { Since::Written };
        sound.then_some(Self { genesis, height, since })
    }

    /// Writes it.
    pub(crate) fn write(self, path: &Path) -> io::Result<()> {
        let mut bytes = Vec::with_capacity(KEPT_BYTES);
        bytes.extend_from_slice(&KEPT_MAGIC);
        bytes.extend_from_slice(&self.genesis.0.to_le_bytes());
        bytes.extend_from_slice(&self.height.0.to_le_bytes());
        bytes.push(self.since as u8);
        bytes.extend_from_slice(&crc32fast::hash(&bytes).to_le_bytes());
        let path = path.join(KEPT);
        let mut file =
            std::fs::File::options().create(true).write(true).truncate(false).open(path)?;
        // One call of a few bytes: a process that dies leaves all of them or none.
        file.write_all(&bytes)
    }
}

/// What a damaged log lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// No block.
    Nothing,
    /// This block and those after it.
    From(Height),
    /// Block 0, without which the others say nothing.
    Genesis(Height),
}

impl Lost {
    /// The first block that is lost.
    pub(crate) const fn first(self) -> Option<Height> {
        match self {
            Self::Nothing => None,
            Self::From(height) | Self::Genesis(height) => Some(height),
        }
    }
}
