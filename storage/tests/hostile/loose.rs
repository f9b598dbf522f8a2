//! Records taken apart, and put together again with their hashes made right.

use protocol::units::Hash32;
use storage::record::HEAD_BYTES;

/// Formats that have a golden log.
pub const FORMATS: [u16; 3] = [1, 2, 3];

/// A record taken apart: everything that a hash covers, and no hash.
#[derive(Clone, Debug)]
pub struct Loose {
    pub format: u16,
    pub kind: u8,
    pub height: u64,
    pub previous: Hash32,
    /// As its head says.
    pub raw_len: u64,
    /// As its head says.
    pub body_len: u64,
    /// Packed.
    pub body: Vec<u8>,
}

impl Loose {
    /// Takes a sound record apart.
    pub fn of(record: &[u8]) -> Self {
        let eight = |at: usize| u64::from_le_bytes(record[at..at + 8].try_into().expect("eight"));
        Self {
            format: u16::from_le_bytes([record[4], record[5]]),
            kind: record[6],
            height: eight(8),
            raw_len: eight(16),
            body_len: eight(24),
            previous: Hash32(record[32..64].try_into().expect("32 bytes")),
            body: record[HEAD_BYTES..].to_vec(),
        }
    }

    /// Its body, unpacked.
    pub fn raw(&self) -> Vec<u8> {
        zstd::bulk::decompress(&self.body, self.raw_len as usize).expect("it is sound")
    }

    /// With another body, packed here.
    pub fn with_raw(mut self, raw: &[u8]) -> Self {
        self.body = zstd::bulk::compress(raw, 1).expect("memory takes it");
        (self.raw_len, self.body_len) = (raw.len() as u64, self.body.len() as u64);
        self
    }

    /// With another packed body.
    pub fn with_body(mut self, body: Vec<u8>) -> Self {
        self.body_len = body.len() as u64;
        self.body = body;
        self
    }

    /// The frame hash that its body has.
    pub fn hash(&self) -> Hash32 {
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"btemu frame 1").update(&self.previous.0).update(&self.body);
        Hash32(hasher.finalize().into())
    }

    /// The record, with its hash and its checksum made right.
    pub fn sealed(&self) -> Vec<u8> {
        let mut record = b"BTLR".to_vec();
        record.extend(self.format.to_le_bytes());
        record.extend([self.kind, 0]);
        for number in [self.height, self.raw_len, self.body_len] {
            record.extend(number.to_le_bytes());
        }
        record.extend(self.previous.0);
        record.extend(self.hash().0);
        record.extend(crc32fast::hash(&record).to_le_bytes());
        record.extend(&self.body);
        record
    }
}
