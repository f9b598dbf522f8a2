//! Hashes of many short entries at once: a lane of the processor's wide registers for each.
//!
//! What belongs here: what is hashed for an entry, and how entries of one length are hashed side by side. What does not:
//! what an entry says, what its hash is for.
//!
//! An entry's hash is the keyed BLAKE3 hash of its part, the length of what it says (u32), what it says, and zeros up to
//! a multiple of 64 bytes. Whole blocks are what lets entries of different lengths share the lanes: alone, a short
//! entry uses one of sixteen. Nothing but the speed depends on the lanes; a test holds each length to the plain hash.

use super::sum::{Part, Sum};
use alloc::vec::Vec;
use blake3::IncrementCounter;
use blake3::platform::{Platform, words_from_le_bytes_32};

/// What hashes of entries are keyed with, so that they are no hashes of anything else.
const KEY: &[u8; 32] = b"btemu state root 4: entry of map";

/// The part and the length before what an entry says.
const HEAD_BYTES: usize = 1 + 4;
/// What BLAKE3 compresses at once.
const BLOCK_BYTES: usize = 64;
/// Blocks of the longest entry that fits a lane; a longer one fills the lanes by itself.
const LANE_BLOCKS: usize = 16;

/// Entries handed over at once: as many as the widest registers take.
const LANES: usize = 16;

/// BLAKE3's marks of a block: the first and the last of an input, the last of all, and that there is a key.
const START: u8 = 1 << 0;
const END: u8 = 1 << 1;
const LAST: u8 = 1 << 3;
const KEYED: u8 = 1 << 4;

/// Entries that wait to be hashed, each with a note of what for.
#[derive(Clone, Debug)]
pub(crate) struct Lanes<T> {
    /// The entry being written.
    buffer: Vec<u8>,
    /// Waiting, by the number of blocks less one.
    waiting: [Waiting<T>; LANE_BLOCKS],
    /// Those that are longer, end to end, each with its length.
    long: Waiting<(T, usize)>,
    count: usize,
}

/// Entries, end to end.
#[derive(Clone, Debug)]
struct Waiting<T> {
    bytes: Vec<u8>,
    notes: Vec<T>,
}

impl<T> Default for Waiting<T> {
    fn default() -> Self {
        Self { bytes: Vec::new(), notes: Vec::new() }
    }
}

impl<T> Waiting<T> {
    fn clear(&mut self) {
        self.bytes.clear();
        self.notes.clear();
    }
}

impl<T> Default for Lanes<T> {
    fn default() -> Self {
        let waiting = core::array::from_fn(|_| Waiting::default());
        Self { buffer: Vec::new(), waiting, long: Waiting::default(), count: 0 }
    }
}

impl<T: Copy> Lanes<T> {
    /// Entries that wait.
    pub const fn len(&self) -> usize {
        self.count
    }

    /// Adds an entry; `write` appends what it says.
    pub fn push(&mut self, note: T, part: Part, write: impl FnOnce(&mut Vec<u8>)) {
        let blocks = pad(&mut self.buffer, part, write);
        self.count += 1;
        match self.waiting.get_mut(blocks - 1) {
            Some(waiting) => {
                waiting.bytes.extend_from_slice(&self.buffer);
                waiting.notes.push(note);
            }
            None => {
                self.long.bytes.extend_from_slice(&self.buffer);
                self.long.notes.push((note, self.buffer.len()));
            }
        }
    }

    /// Adds an entry that takes `BYTES` with its zeros, which are known beforehand: it is written where it waits.
    pub fn push_parts<const BYTES: usize, const PARTS: usize>(
        &mut self,
        note: T,
        part: Part,
        parts: [&[u8]; PARTS],
    ) {
        let mut padded = [0; BYTES];
        let (head, mut rest) = padded.split_at_mut(HEAD_BYTES);
        let length: usize = parts.iter().map(|part| part.len()).sum();
        head[0] = part as u8;
        head[1..].copy_from_slice(&(length as u32).to_le_bytes());
        for part in parts {
            let (place, after) = rest.split_at_mut(part.len());
            place.copy_from_slice(part);
            rest = after;
        }
        debug_assert!(rest.len() < BLOCK_BYTES && BYTES.is_multiple_of(BLOCK_BYTES));
        let waiting = &mut self.waiting[BYTES / BLOCK_BYTES - 1];
        waiting.bytes.extend_from_slice(&padded);
        waiting.notes.push(note);
        self.count += 1;
    }

    /// Hashes what waits, and hands each hash over with its note.
    pub fn settle(&mut self, mut take: impl FnMut(T, Sum)) {
        self.count = 0;
        let mut rest = &self.long.bytes[..];
        for (note, length) in &self.long.notes {
            let (entry, after) = rest.split_at(*length);
            take(*note, alone(entry));
            rest = after;
        }
        self.long.clear();
        for (waiting, hash) in self.waiting.iter_mut().zip(HASHES) {
            let Waiting { bytes, notes } = waiting;
            if !notes.is_empty() {
                hash(bytes, &mut |entry, sum| take(notes[entry], sum));
                waiting.clear();
            }
        }
    }

    /// Drops what waits.
    pub fn clear(&mut self) {
        self.count = 0;
        self.long.clear();
        self.waiting.iter_mut().for_each(Waiting::clear);
    }
}

/// The hash of one entry.
pub(crate) fn hash_one(part: Part, buffer: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) -> Sum {
    pad(buffer, part, write);
    alone(buffer)
}

/// Writes what is hashed for an entry; tells how many blocks it is.
fn pad(buffer: &mut Vec<u8>, part: Part, write: impl FnOnce(&mut Vec<u8>)) -> usize {
    buffer.clear();
    buffer.push(part as u8);
    crate::canon::sized(buffer, write);
    let blocks = buffer.len().div_ceil(BLOCK_BYTES);
    buffer.resize(blocks * BLOCK_BYTES, 0);
    blocks
}

fn alone(padded: &[u8]) -> Sum {
    Sum::of(blake3::keyed_hash(KEY, padded).as_bytes())
}

/// Hashes entries of one length, end to end.
type HashAll = fn(&[u8], &mut dyn FnMut(usize, Sum));

/// By the number of blocks less one.
const HASHES: [HashAll; LANE_BLOCKS] = [
    hash_all::<{ BLOCK_BYTES }>,
    hash_all::<{ 2 * BLOCK_BYTES }>,
    hash_all::<{ 3 * BLOCK_BYTES }>,
    hash_all::<{ 4 * BLOCK_BYTES }>,
    hash_all::<{ 5 * BLOCK_BYTES }>,
    hash_all::<{ 6 * BLOCK_BYTES }>,
    hash_all::<{ 7 * BLOCK_BYTES }>,
    hash_all::<{ 8 * BLOCK_BYTES }>,
    hash_all::<{ 9 * BLOCK_BYTES }>,
    hash_all::<{ 10 * BLOCK_BYTES }>,
    hash_all::<{ 11 * BLOCK_BYTES }>,
    hash_all::<{ 12 * BLOCK_BYTES }>,
    hash_all::<{ 13 * BLOCK_BYTES }>,
    hash_all::<{ 14 * BLOCK_BYTES }>,
    hash_all::<{ 15 * BLOCK_BYTES }>,
    hash_all::<{ 16 * BLOCK_BYTES }>,
];

fn hash_all<const BYTES: usize>(bytes: &[u8], take: &mut dyn FnMut(usize, Sum)) {
    let platform = Platform::detect();
    let key = words_from_le_bytes_32(KEY);
    let (entries, _) = bytes.as_chunks::<BYTES>();
    let mut hashes = [0; 32 * LANES];
    for (turn, some) in entries.chunks(LANES).enumerate() {
        let mut lanes = [&[0; BYTES]; LANES];
        for (lane, entry) in lanes.iter_mut().zip(some) {
            *lane = entry;
        }
        let (lanes, same) = (&lanes[..some.len()], IncrementCounter::No);
        platform.hash_many(lanes, &key, 0, same, KEYED, START, END | LAST, &mut hashes);
        let (hashes, _) = hashes.as_chunks::<32>();
        for (lane, hash) in hashes.iter().take(some.len()).enumerate() {
            take(turn * LANES + lane, Sum::of(hash));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeMap;

    /// What the module's first lines promise, written plainly.
    fn plain(part: Part, says: &[u8]) -> Sum {
        let mut bytes = alloc::vec![part as u8];
        bytes.extend((says.len() as u32).to_le_bytes());
        bytes.extend(says);
        while bytes.len() % 64 != 0 {
            bytes.push(0);
        }
        Sum::of(blake3::keyed_hash(b"btemu state root 4: entry of map", &bytes).as_bytes())
    }

    #[test]
    fn every_length_hashes_in_lanes_as_it_does_alone() {
        let says: Vec<u8> = (0..2_000_u32).map(|byte| (byte * 7 + byte / 256) as u8).collect();
        let mut lanes = Lanes::default();
        // More of each number of blocks than there are lanes, and one left over.
        let lengths: Vec<usize> = (0..1_100).chain([1_500, 2_000]).collect();
        for length in &lengths {
            lanes.push(*length, Part::Row, |out| out.extend_from_slice(&says[..*length]));
        }
        assert_eq!(lanes.len(), lengths.len());
        let mut found = BTreeMap::new();
        lanes.settle(|length, sum| assert_eq!(found.insert(length, sum), None));
        assert_eq!(found.len(), lengths.len());
        for length in lengths {
            let wanted = plain(Part::Row, &says[..length]);
            assert_eq!(found[&length], wanted, "{length} bytes");
            let one = |out: &mut Vec<u8>| out.extend_from_slice(&says[..length]);
            assert_eq!(hash_one(Part::Row, &mut Vec::new(), one), wanted, "{length} bytes alone");
        }
        lanes.settle(|_, _| panic!("nothing waits any more"));
    }

    #[test]
    fn what_is_padded_is_told_from_what_ends_in_zeros() {
        let of =
            |says: &[u8]| hash_one(Part::Row, &mut Vec::new(), |out| out.extend_from_slice(says));
        assert_ne!(of(&[1]), of(&[1, 0]));
        assert_ne!(of(&[]), of(&[0]));
        assert_ne!(plain(Part::Row, &[1]), plain(Part::Pool, &[1]));
    }

    #[test]
    fn what_is_dropped_is_not_hashed() {
        let mut lanes = Lanes::default();
        lanes.push((), Part::Row, |out| out.push(1));
        lanes.push((), Part::Row, |out| out.resize(5_000, 1));
        lanes.clear();
        assert_eq!(lanes.len(), 0);
        lanes.settle(|(), _| panic!("it was dropped"));
    }
}
