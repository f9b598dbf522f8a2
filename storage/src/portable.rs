//! A whole log as one file: its records back to back, then an end that names the last one. It does not depend on the
//! store, and is read and written as a stream, with one record in memory at a time.
//!
//! What belongs here: the order of bytes in such a file. What does not: what records hold (`record`, `fold`).

use crate::part::RawRecord;
use crate::record::{HEAD_BYTES, Record, RecordError};
use protocol::units::{Hash32, Height};
use std::io::{self, Read, Write};

/// The first bytes of the end.
pub const END_MAGIC: [u8; 4] = *b"BTLE";
/// Length of the end: its magic, the last height, the last frame hash, a checksum of the three.
pub const END_BYTES: usize = 4 + 8 + 32 + 4;

/// Why a portable log cannot be read. Each names the first block that is not there.
#[derive(Debug, thiserror::Error)]
pub enum PortableError {
    /// The bytes do not come.
    #[error("cannot be read at byte {at}: {source}")]
    Io {
        /// Where.
        at: u64,
        /// What the system says.
        source: io::Error,
    },
    /// It does not begin as a log.
    #[error("it is no portable log: {error}")]
    NoLog {
        /// What is wrong with its first record.
        error: RecordError,
    },
    /// It ends before its end.
    #[error("it is cut off at byte {at}, in or before block {height}")]
    CutOff {
        /// How long it is.
        at: u64,
        /// The block that is not whole.
        height: Height,
    },
    /// A block is damaged.
    #[error("block {height}, at byte {at}: {error}")]
    Damaged {
        /// Where its record begins.
        at: u64,
        /// Which block.
        height: Height,
        /// How.
        error: RecordError,
    },
    /// The end does not name the last block.
    #[error("its end, at byte {at}, does not name block {tip}, the last one")]
    End {
        /// Where.
        at: u64,
        /// The last block.
        tip: Height,
    },
    /// Something follows the end.
    #[error("something follows its end, from byte {at} on")]
    Trailing {
        /// Where.
        at: u64,
    },
}

/// Writes a log as a stream.
#[derive(Debug)]
pub struct Writer<W: Write> {
    to: W,
    last: Option<(Height, Hash32)>,
    bytes: u64,
}

impl<W: Write> Writer<W> {
    /// Writes to something; give it a buffer if it has none.
    pub const fn new(to: W) -> Self {
        Self { to, last: None, bytes: 0 }
    }

    /// Writes the record after the last one.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&mut self, raw: &RawRecord) -> io::Result<()> {
        let record = raw.record();
        self.last = Some((record.height, record.hash));
        self.bytes += raw.bytes().len() as u64;
        self.to.write_all(raw.bytes())
    }

    /// Writes the end. Gives how many bytes it took in all, and what it wrote to.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn finish(mut self) -> io::Result<(u64, W)> {
        let (height, hash) = self.last.unwrap_or_default();
        self.to.write_all(&end(height, hash))?;
        self.to.flush()?;
        Ok((self.bytes + END_BYTES as u64, self.to))
    }
}

fn end(height: Height, hash: Hash32) -> [u8; END_BYTES] {
    let mut end = [0; END_BYTES];
    end[..4].copy_from_slice(&END_MAGIC);
    end[4..12].copy_from_slice(&height.0.to_le_bytes());
    end[12..44].copy_from_slice(&hash.0);
    let checksum = crc32fast::hash(&end[..44]);
    end[44..].copy_from_slice(&checksum.to_le_bytes());
    end
}

/// Reads a log from a stream: its records in order, each checked, chained to the one before. Ends after the first
/// error; when it ends without one, the log was whole.
#[derive(Debug)]
pub struct Reader<R: Read> {
    from: R,
    at: u64,
    last: Option<(Height, Hash32)>,
    is_over: bool,
}

impl<R: Read> Reader<R> {
    /// Reads from something; give it a buffer if it has none.
    pub const fn new(from: R) -> Self {
        Self { from, at: 0, last: None, is_over: false }
    }

    /// The next record, or nothing after the end.
    fn read(&mut self) -> Result<Option<RawRecord>, PortableError> {
        let begun_at = self.at;
        let height = self.last.map_or(Height(0), |(height, _)| Height(height.0 + 1));
        let mut bytes = Vec::with_capacity(HEAD_BYTES);
        self.fill(&mut bytes, END_MAGIC.len(), height)?;
        if let Some((tip, hash)) = self.last
            && bytes == END_MAGIC
        {
            self.fill(&mut bytes, END_BYTES, height)?;
            if bytes != end(tip, hash) {
                return Err(PortableError::End { at: begun_at, tip });
            }
            let more = self.from.read(&mut [0]);
            return match more.map_err(|source| PortableError::Io { at: self.at, source })? {
                0 => Ok(None),
                _ => Err(PortableError::Trailing { at: self.at }),
            };
        }
        let first = self.last.is_none();
        let damaged = |error| match first {
            true => PortableError::NoLog { error },
            false => PortableError::Damaged { at: begun_at, height, error },
        };
        self.fill(&mut bytes, HEAD_BYTES, height)?;
        let head = bytes[..].try_into().expect("as many bytes were taken");
        let length = Record::length(head).map_err(damaged)?;
        self.fill(&mut bytes, length, height)?;
        let raw = RawRecord::new(bytes).map_err(damaged)?;
        let record = raw.record();
        let follows = match self.last {
            None => record.is_genesis(),
            Some((_, previous)) => {
                !record.is_genesis() && record.height == height && record.previous == previous
            }
        };
        if !follows {
            return Err(damaged(RecordError::Chain));
        }
        self.last = Some((record.height, record.hash));
        Ok(Some(raw))
    }

    /// Reads until there are so many bytes. Memory grows with what comes, not with what was announced.
    fn fill(
        &mut self,
        bytes: &mut Vec<u8>,
        to: usize,
        height: Height,
    ) -> Result<(), PortableError> {
        let wanted = (to - bytes.len()) as u64;
        let read = self.from.by_ref().take(wanted).read_to_end(bytes);
        let read = read.map_err(|source| PortableError::Io { at: self.at, source })? as u64;
        self.at += read;
        if read == wanted { Ok(()) } else { Err(PortableError::CutOff { at: self.at, height }) }
    }
}

impl<R: Read> Iterator for Reader<R> {
    type Item = Result<RawRecord, PortableError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        let read = self.read().transpose();
        self.is_over = !matches!(read, Some(Ok(_)));
        read
    }
}
