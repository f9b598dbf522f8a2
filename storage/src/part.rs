//! How a record lies in the store: in parts of at most `PART_BYTES_MAX`, each with a head of its own, so that it can be
//! found and told from rubbish in the bytes of a store that does not open any more.

use crate::record::{MAGIC_BEFORE, Record, RecordError};
use protocol::units::Height;

/// Longest part of a record.
pub const PART_BYTES_MAX: usize = 1 << 20;
/// The first bytes of every part.
pub const PART_MAGIC: [u8; 4] = *b"BTLP";
/// Length of a part's head: magic, height, number of the part, number of parts, length and checksum of the rest.
pub const PART_HEAD_BYTES: usize = 4 + 8 + 1 + 1 + 4 + 4;

/// A record as it is stored, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawRecord {
    bytes: Vec<u8>,
}

impl RawRecord {
    /// A record from exactly its bytes.
    ///
    /// # Errors
    /// They are no sound record.
    pub fn new(mut bytes: Vec<u8>) -> Result<Self, RecordError> {
        Record::check(&mut bytes)?;
        Ok(Self { bytes })
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The record taken apart.
    pub fn record(&self) -> Record<'_> {
        Record::checked(&self.bytes)
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

/// A part as the store keeps it.
pub(crate) fn part_of(height: Height, part: u8, parts: u8, bytes: &[u8]) -> Vec<u8> {
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
