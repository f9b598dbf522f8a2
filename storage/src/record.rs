//! What one stored value holds: a head that says what it is, and a packed body with its hash. Each record names
//! the hash of the one before, so that `verify` sees a missing or foreign one.

use crate::codec::{CodecError, decode, decode_front, encode};
use protocol::frame::Header;
use protocol::units::{Hash32, Height};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The first bytes of every record.
pub const MAGIC: [u8; 4] = *b"BTEL";
/// The format of this build. It still changes: raise it with every change of `codec.golden`, so that
/// other builds refuse a log by its number and do not take it for a damaged one.
pub const FORMAT: u16 = 2;
/// The longest body before packing, in bytes.
pub const BODY_BYTES_MAX: u64 = 1 << 30;

const HEAD_BYTES: usize = 4 + 2 + 1 + 8 + 8 + 32 + 32 + 4;
const ZSTD_LEVEL: i32 = 1;

/// What block 0 of a log holds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Genesis<P> {
    /// The build that made the log.
    pub build: String,
    /// The genesis block's header; its parent is the simulation hash.
    pub header: Header,
    /// Everything the run is decided from.
    pub plan: P,
}

/// What a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// A [`Genesis`].
    Genesis = 0,
    /// A frame.
    Block = 1,
}

/// Why a record cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// It ends too early.
    #[error("the record is cut off")]
    CutOff,
    /// It does not begin as one.
    #[error("these bytes are no record")]
    NoRecord,
    /// Another build wrote it.
    #[error("the record has format {0}, this build reads format {FORMAT}")]
    Format(u16),
    /// It is not what is expected at its place.
    #[error("the record belongs to another place")]
    Misplaced,
    /// Its head is damaged.
    #[error("the record's head is damaged")]
    Head,
    /// Its body is damaged.
    #[error("the frame hash differs")]
    Body,
    /// It does not follow the record before.
    #[error("the record does not follow the one before")]
    Chain,
    /// Its body is no such value.
    #[error("the record's body cannot be read: {0}")]
    Codec(#[from] CodecError),
}

/// Packs a value into a record. Gives the record and the frame hash that the next one names.
pub fn pack<T: Serialize>(
    kind: Kind,
    height: Height,
    previous: Hash32,
    value: &T,
) -> (Vec<u8>, Hash32) {
    let raw = encode(value);
    let body = zstd::bulk::compress(&raw, ZSTD_LEVEL).expect("memory takes the packed body");
    let hash = frame_hash(previous, &body);
    let mut record = Vec::with_capacity(HEAD_BYTES + body.len());
    record.extend_from_slice(&MAGIC);
    record.extend_from_slice(&FORMAT.to_le_bytes());
    record.push(kind as u8);
    record.extend_from_slice(&height.0.to_le_bytes());
    record.extend_from_slice(&(raw.len() as u64).to_le_bytes());
    record.extend_from_slice(&previous.0);
    record.extend_from_slice(&hash.0);
    let checksum = crc32fast::hash(&record);
    record.extend_from_slice(&checksum.to_le_bytes());
    record.extend_from_slice(&body);
    (record, hash)
}

/// A record taken apart and checked, its body still packed.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    kind: u8,
    height: Height,
    raw_len: u64,
    /// The frame hash of the record before.
    pub previous: Hash32,
    /// Its own frame hash.
    pub hash: Hash32,
    body: &'a [u8],
}

impl<'a> Record<'a> {
    /// Takes a record apart and checks its head and its body's hash.
    ///
    /// # Errors
    /// See [`RecordError`].
    pub fn read(bytes: &'a [u8]) -> Result<Self, RecordError> {
        let (head, body) = bytes.split_at_checked(HEAD_BYTES).ok_or(RecordError::CutOff)?;
        let mut rest = head;
        let mut take = |count: usize| {
            let (taken, left) = rest.split_at(count);
            rest = left;
            taken
        };
        if take(4) != MAGIC {
            return Err(RecordError::NoRecord);
        }
        let format = u16::from_le_bytes(take(2).try_into().expect("two bytes were taken"));
        if format != FORMAT {
            return Err(RecordError::Format(format));
        }
        let kind = take(1)[0];
        let mut number = || u64::from_le_bytes(take(8).try_into().expect("eight bytes were taken"));
        let (height, raw_len) = (Height(number()), number());
        let mut hash = || Hash32(take(32).try_into().expect("as many bytes were taken"));
        let (previous, hash) = (hash(), hash());
        let checksum = u32::from_le_bytes(take(4).try_into().expect("four bytes were taken"));
        if checksum != crc32fast::hash(&head[..HEAD_BYTES - 4]) || raw_len > BODY_BYTES_MAX {
            return Err(RecordError::Head);
        }
        if hash != frame_hash(previous, body) {
            return Err(RecordError::Body);
        }
        Ok(Self { kind, height, raw_len, previous, hash, body })
    }

    /// Unpacks the value, which must be of that kind and at that height.
    ///
    /// # Errors
    /// See [`RecordError`].
    pub fn unpack<T: DeserializeOwned>(
        &self,
        kind: Kind,
        height: Height,
    ) -> Result<T, RecordError> {
        Ok(decode(&self.raw(kind, height)?)?)
    }

    /// Unpacks what the value begins with; the rest is not looked at.
    ///
    /// # Errors
    /// See [`RecordError`].
    pub fn unpack_front<T: DeserializeOwned>(
        &self,
        kind: Kind,
        height: Height,
    ) -> Result<T, RecordError> {
        Ok(decode_front(&self.raw(kind, height)?)?)
    }

    fn raw(&self, kind: Kind, height: Height) -> Result<Vec<u8>, RecordError> {
        if self.kind != kind as u8 || self.height != height {
            return Err(RecordError::Misplaced);
        }
        let capacity = usize::try_from(self.raw_len).map_err(|_| RecordError::Head)?;
        let raw = zstd::bulk::decompress(self.body, capacity).map_err(|_| RecordError::Body)?;
        if raw.len() != capacity {
            return Err(RecordError::Body);
        }
        Ok(raw)
    }
}

fn frame_hash(previous: Hash32, body: &[u8]) -> Hash32 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"btemu frame 1");
    hasher.update(&previous.0);
    hasher.update(body);
    Hash32(hasher.finalize().into())
}
