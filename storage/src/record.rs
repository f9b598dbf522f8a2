//! What one stored value holds: a head that says what it is, and a packed body with its hash. Each record names
//! the hash of the one before, so that `verify` sees a missing or foreign one. Records stand by themselves: back to
//! back in a file they are a whole log.
//!
//! What belongs here: heads, hashes, packing, and which format a body has. What does not: the store (`log`).

use crate::codec::{CodecError, decode_front, decode_named, encode, encode_named};
use crate::formats::{self, FORMAT, FORMAT_OLDEST};
use protocol::frame::{Frame, Header};
use protocol::units::{Hash32, Height};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::cell::{Cell, RefCell};
use zstd::bulk::{Compressor, Decompressor};

/// The first bytes of every record.
pub const MAGIC: [u8; 4] = *b"BTLR";
/// The first bytes of records from before format 1, which no build reads any more.
pub const MAGIC_BEFORE: [u8; 4] = *b"BTEL";
/// The longest body of block 0 before packing, in bytes.
pub const GENESIS_BYTES_MAX: u64 = 1 << 30;
/// The longest body of another block before packing, in bytes.
pub const FRAME_BYTES_MAX: u64 = 1 << 28;
/// The highest block there can be, some hundred million years of them: none is so high that nothing can follow it.
pub const HEIGHT_MAX: u64 = 1 << 48;
/// Length of a head.
pub const HEAD_BYTES: usize = 4 + 2 + 1 + 1 + 8 + 8 + 8 + 32 + 32 + 4;
/// Where in a head the frame hash stands, and where the checksum over everything before it.
const HASH_AT: usize = CHECKSUM_AT - 32;
const CHECKSUM_AT: usize = HEAD_BYTES - 4;

const ZSTD_LEVEL: i32 = -1;

/// Room for a block that is kept for the next one; block 0 may take far more.
const ROOM_KEPT_MAX: usize = 4 << 20;

/// What block 0 of a log holds.
#[derive(Clone, Debug)]
pub struct Genesis<P> {
    /// The build that made the log.
    pub build: String,
    /// The genesis block's header; its parent is the simulation hash.
    pub header: Header,
    /// Everything the run is decided from. Kept with the names of its fields, so that later builds, which know
    /// more fields, read it too.
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
    #[error("the record has format {0}, this build reads formats {FORMAT_OLDEST} to {FORMAT}")]
    Format(u16),
    /// It is older than the first format.
    #[error(
        "the record was written before format 1, this build reads formats {FORMAT_OLDEST} to {FORMAT}"
    )]
    Before,
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

/// Packs block 0. Gives the record and the frame hash that the next one names.
pub fn pack_genesis<P: Serialize>(genesis: &Genesis<P>) -> (Vec<u8>, Hash32) {
    let mut raw = encode(&(&genesis.build, &genesis.header));
    raw.extend_from_slice(&encode_named(&genesis.plan));
    let header = &genesis.header;
    let head = Head { format: FORMAT, kind: Kind::Genesis as u8, height: header.height };
    pack(head, header.parent, &raw)
}

/// Packs a block. Gives the record and the frame hash that the next one names.
pub fn pack_frame(frame: &Frame, previous: Hash32) -> (Vec<u8>, Hash32) {
    thread_local! {
        static RAW: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    }
    let head = Head { format: FORMAT, kind: Kind::Block as u8, height: frame.header.height };
    let mut raw = RAW.take();
    formats::write(frame, &mut raw);
    let packed = pack(head, previous, &raw);
    RAW.set(emptied(raw));
    packed
}

/// A room for the next block, unless it grew too large to be kept.
fn emptied(mut room: Vec<u8>) -> Vec<u8> {
    room.clear();
    if room.capacity() > ROOM_KEPT_MAX { Vec::new() } else { room }
}

/// What a head says of itself.
#[derive(Clone, Copy, Debug)]
struct Head {
    format: u16,
    kind: u8,
    height: Height,
}

fn pack(head: Head, previous: Hash32, raw: &[u8]) -> (Vec<u8>, Hash32) {
    thread_local! {
        // Making one costs as much as packing a small block.
        static PACKER: RefCell<(Compressor<'static>, Vec<u8>)> =
            RefCell::new((Compressor::new(ZSTD_LEVEL).expect("memory takes a packer"), Vec::new()));
    }
    PACKER.with_borrow_mut(|(packer, room)| {
        room.reserve(zstd::zstd_safe::compress_bound(raw.len()));
        packer.compress_to_buffer(raw, room).expect("the room takes the packed body");
        let packed = pack_body(head, previous, raw.len() as u64, room);
        *room = emptied(std::mem::take(room));
        packed
    })
}

fn pack_body(head: Head, previous: Hash32, raw_len: u64, body: &[u8]) -> (Vec<u8>, Hash32) {
    let mut record = Vec::with_capacity(HEAD_BYTES + body.len());
    record.extend_from_slice(&MAGIC);
    record.extend_from_slice(&head.format.to_le_bytes());
    record.extend_from_slice(&[head.kind, 0]);
    record.extend_from_slice(&head.height.0.to_le_bytes());
    record.extend_from_slice(&raw_len.to_le_bytes());
    record.extend_from_slice(&(body.len() as u64).to_le_bytes());
    record.extend_from_slice(&previous.0);
    record.resize(HEAD_BYTES, 0);
    record.extend_from_slice(body);
    let hash = frame_hash_of(&mut record, previous);
    record[HASH_AT..CHECKSUM_AT].copy_from_slice(&hash.0);
    let checksum = crc32fast::hash(&record[..CHECKSUM_AT]);
    record[CHECKSUM_AT..HEAD_BYTES].copy_from_slice(&checksum.to_le_bytes());
    (record, hash)
}

/// A record taken apart and checked, its body still packed.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// How its body is written.
    pub format: u16,
    /// Its block.
    pub height: Height,
    /// The frame hash of the record before.
    pub previous: Hash32,
    /// Its own frame hash.
    pub hash: Hash32,
    kind: u8,
    raw_len: u64,
    body: &'a [u8],
}

impl<'a> Record<'a> {
    /// Takes a record apart and checks its head and its body's hash; nothing may follow it.
    ///
    /// # Errors
    /// See [`RecordError`].
    pub fn read(bytes: &'a [u8]) -> Result<Self, RecordError> {
        let (record, rest) = Self::read_front(bytes)?;
        if rest.is_empty() { Ok(record) } else { Err(RecordError::Head) }
    }

    /// The same with whatever follows it.
    ///
    /// # Errors
    /// See [`RecordError`].
    pub fn read_front(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), RecordError> {
        let (record, rest) = Self::take_apart(bytes)?;
        if record.hash != frame_hash(record.previous, record.body) {
            return Err(RecordError::Body);
        }
        Ok((record, rest))
    }

    /// Checks a record as [`Self::read`] does, without a copy of its body; the bytes are afterwards as they were.
    ///
    /// # Errors
    /// See [`RecordError`].
    pub fn check(bytes: &mut [u8]) -> Result<(), RecordError> {
        let (Record { previous, hash, .. }, rest) = Record::take_apart(bytes)?;
        let (own, follows) = (bytes.len() - rest.len(), !rest.is_empty());
        if hash != frame_hash_of(&mut bytes[..own], previous) {
            return Err(RecordError::Body);
        }
        if follows { Err(RecordError::Head) } else { Ok(()) }
    }

    /// Takes a record apart that was checked before, whatever its body.
    pub(crate) fn checked(bytes: &'a [u8]) -> Self {
        Self::take_apart(bytes).expect("it was checked before").0
    }

    /// A record by its head alone, and whatever follows it.
    fn take_apart(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), RecordError> {
        let (head, rest) = bytes.split_at_checked(HEAD_BYTES).ok_or(RecordError::CutOff)?;
        let mut left = head;
        let mut take = |count: usize| {
            let (taken, rest) = left.split_at(count);
            left = rest;
            taken
        };
        match take(4) {
            magic if magic == MAGIC => {}
            magic if magic == MAGIC_BEFORE => return Err(RecordError::Before),
            _ => return Err(RecordError::NoRecord),
        }
        let format = u16::from_le_bytes(take(2).try_into().expect("two bytes were taken"));
        let kind = take(2)[0];
        let mut number = || u64::from_le_bytes(take(8).try_into().expect("eight bytes were taken"));
        let (height, raw_len, body_len) = (Height(number()), number(), number());
        let mut hash = || Hash32(take(32).try_into().expect("as many bytes were taken"));
        let (previous, hash) = (hash(), hash());
        let checksum = u32::from_le_bytes(take(4).try_into().expect("four bytes were taken"));
        if checksum != crc32fast::hash(&head[..CHECKSUM_AT]) {
            return Err(RecordError::Head);
        }
        if !(FORMAT_OLDEST..=FORMAT).contains(&format) {
            return Err(RecordError::Format(format));
        }
        let most = if kind == Kind::Genesis as u8 { GENESIS_BYTES_MAX } else { FRAME_BYTES_MAX };
        if raw_len > most || body_len > most || height.0 > HEIGHT_MAX {
            return Err(RecordError::Head);
        }
        let body = rest.split_at_checked(body_len as usize);
        let (body, rest) = body.ok_or(RecordError::CutOff)?;
        Ok((Self { format, height, previous, hash, kind, raw_len, body }, rest))
    }

    /// How long the record is whose head these bytes begin with, in bytes; for readers of streams.
    ///
    /// # Errors
    /// The bytes are no head.
    pub fn length(head: &[u8; HEAD_BYTES]) -> Result<usize, RecordError> {
        // An empty body never has the right hash; everything before that is what can be wrong with a head.
        match Record::read_front(head) {
            Ok(_) | Err(RecordError::CutOff | RecordError::Body) => {}
            Err(error) => return Err(error),
        }
        let body_len = head[24..32].try_into().expect("eight bytes were taken");
        Ok(HEAD_BYTES + u64::from_le_bytes(body_len) as usize)
    }

    /// Whether it is block 0.
    pub const fn is_genesis(&self) -> bool {
        self.kind == Kind::Genesis as u8
    }

    /// What block 0 holds.
    ///
    /// # Errors
    /// It is not block 0, or cannot be unpacked.
    pub fn genesis<P: DeserializeOwned>(&self) -> Result<Genesis<P>, RecordError> {
        self.unpacked(Kind::Genesis, self.height, |raw| {
            let ((build, header), used) = decode_front::<(String, Header)>(raw)?;
            if header.height != self.height {
                return Err(RecordError::Misplaced);
            }
            Ok(Genesis { build, header, plan: decode_named(&raw[used..])? })
        })
    }

    /// The header of a block, or of block 0.
    ///
    /// # Errors
    /// It cannot be unpacked.
    pub fn header(&self) -> Result<Header, RecordError> {
        if self.is_genesis() {
            return self.unpacked(Kind::Genesis, self.height, |raw| {
                let ((_, header), _) = decode_front::<(String, Header)>(raw)?;
                Ok(header)
            });
        }
        self.unpacked(Kind::Block, self.height, |raw| Ok(decode_front(raw)?.0))
    }

    /// The block that belongs at a height.
    ///
    /// # Errors
    /// It belongs elsewhere, or cannot be unpacked.
    pub fn frame(&self, height: Height) -> Result<Frame, RecordError> {
        let read = |raw: &[u8]| Ok(formats::read(self.format, raw)?);
        let frame = self.unpacked(Kind::Block, height, read)?;
        if frame.header.height == height { Ok(frame) } else { Err(RecordError::Misplaced) }
    }

    /// The same packed body after another record, with that record's frame hash and its own.
    pub fn after(&self, previous: Hash32) -> (Vec<u8>, Hash32) {
        let head = Head { format: self.format, kind: self.kind, height: self.height };
        pack_body(head, previous, self.raw_len, self.body)
    }

    /// What `read` makes of the unpacked body.
    fn unpacked<T>(
        &self,
        kind: Kind,
        height: Height,
        read: impl FnOnce(&[u8]) -> Result<T, RecordError>,
    ) -> Result<T, RecordError> {
        if self.kind != kind as u8 || self.height != height {
            return Err(RecordError::Misplaced);
        }
        let capacity = usize::try_from(self.raw_len).map_err(|_| RecordError::Head)?;
        let stated = zstd::zstd_safe::get_frame_content_size(self.body).ok().flatten();
        if stated != Some(self.raw_len) {
            return Err(RecordError::Head);
        }
        thread_local! {
            // With the room for what it unpacks: as much memory anew for every block costs more than the block's numbers.
            static UNPACKER: RefCell<(Decompressor<'static>, Vec<u8>)> =
                RefCell::new((Decompressor::new().expect("memory takes an unpacker"), Vec::new()));
        }
        UNPACKER.with_borrow_mut(|(unpacker, room)| {
            room.clear();
            room.reserve_exact(capacity);
            let unpacked = unpacker.decompress_to_buffer(self.body, room);
            let value = match unpacked {
                Ok(length) if length == capacity && room.len() == capacity => read(room),
                _ => Err(RecordError::Body),
            };
            *room = emptied(std::mem::take(room));
            value
        })
    }
}

/// What a frame hash begins with, before the hash of the frame before and the body.
const FRAME: &[u8; 13] = b"btemu frame 1";

fn frame_hash(previous: Hash32, body: &[u8]) -> Hash32 {
    frame_hash_of(&mut [&[0; HEAD_BYTES], body].concat(), previous)
}

/// The frame hash of a record. What is hashed stands in one run: handed over in parts, the first would keep the rest from
/// being hashed in parallel lanes. So what comes before the body stands in its head's place for that long.
fn frame_hash_of(record: &mut [u8], previous: Hash32) -> Hash32 {
    const AT: usize = HEAD_BYTES - FRAME.len() - 32;
    let head: [u8; HEAD_BYTES - AT] =
        record[AT..HEAD_BYTES].try_into().expect("a record has a head");
    record[AT..AT + FRAME.len()].copy_from_slice(FRAME);
    record[AT + FRAME.len()..HEAD_BYTES].copy_from_slice(&previous.0);
    let hash = Hash32(blake3::hash(&record[AT..]).into());
    record[AT..HEAD_BYTES].copy_from_slice(&head);
    hash
}
