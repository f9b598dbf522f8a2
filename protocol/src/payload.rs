//! What a timelocked commit seals: a weight row in SCALE, and a nonce behind it (30 §9.6).
//!
//! What belongs here: the bytes. What does not: who may seal and open them (`timelock`).
//! The bytes stand for a ciphertext. Nobody but the chain sees them, so they are not encrypted; the
//! nonce keeps equal rows from having equal hashes.

use crate::units::{AccountId, Hash32};
use alloc::vec::Vec;
use blake2::Digest as _;

/// Bytes of a timelocked commit at most.
pub const COMMIT_BYTES_MAX: usize = 5_000;

type Blake2b256 = blake2::Blake2b<blake2::digest::consts::U32>;

/// A sealed weight row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payload {
    /// Whose row it is; the legacy form does not say.
    pub hotkey: Option<AccountId>,
    /// Target uids.
    pub uids: Vec<u16>,
    /// Their weights, any scale.
    pub values: Vec<u16>,
    /// The setter's software version.
    pub version_key: u64,
}

impl Payload {
    /// The bytes of a commit to this row.
    pub fn seal(&self, nonce: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(64 + 2 * (self.uids.len() + self.values.len()));
        if let Some(hotkey) = &self.hotkey {
            write_length(hotkey.0.len(), &mut bytes);
            bytes.extend_from_slice(&hotkey.0);
        }
        for list in [&self.uids, &self.values] {
            write_length(list.len(), &mut bytes);
            bytes.extend(list.iter().flat_map(|item| item.to_le_bytes()));
        }
        bytes.extend_from_slice(&self.version_key.to_le_bytes());
        bytes.extend_from_slice(nonce);
        bytes
    }

    /// The row of a commit; `None` for bytes that are none. As on the chain what follows the row does
    /// not matter, and bytes without a legible hotkey are read as the legacy form.
    pub fn open(bytes: &[u8]) -> Option<Self> {
        Self::open_with_hotkey(bytes).or_else(|| Self::open_row(None, bytes))
    }

    fn open_with_hotkey(mut bytes: &[u8]) -> Option<Self> {
        let length = read_length(&mut bytes)?;
        let (hotkey, row) = bytes.split_at_checked(length)?;
        let hotkey = AccountId(*hotkey.first_chunk()?);
        Self::open_row(Some(hotkey), row)
    }

    fn open_row(hotkey: Option<AccountId>, mut bytes: &[u8]) -> Option<Self> {
        let (uids, values) = (read_list(&mut bytes)?, read_list(&mut bytes)?);
        let version_key = u64::from_le_bytes(*bytes.first_chunk()?);
        Some(Self { hotkey, uids, values, version_key })
    }
}

/// What the public sees of a commit: BLAKE2b-256 of its bytes, without their length.
pub fn hash_of(commit: &[u8]) -> Hash32 {
    Hash32(Blake2b256::digest(commit).into())
}

/// Appends a SCALE compact length.
pub(crate) fn write_length(length: usize, bytes: &mut Vec<u8>) {
    let length = u32::try_from(length).unwrap_or(u32::MAX >> 2);
    match length {
        0..64 => bytes.push((length as u8) << 2),
        64..16_384 => bytes.extend_from_slice(&((length as u16) << 2 | 1).to_le_bytes()),
        _ => bytes.extend_from_slice(&(length << 2 | 2).to_le_bytes()),
    }
}

/// Takes a SCALE compact length off the front. One that is not written in the shortest way is none, and
/// neither is the form for a billion and more, which no commit has room for.
fn read_length(bytes: &mut &[u8]) -> Option<usize> {
    let (mode, length, written) = match bytes.first()? & 3 {
        0 => (1, usize::from(bytes[0] >> 2), 0),
        1 => (2, usize::from(u16::from_le_bytes(*bytes.first_chunk()?) >> 2), 64),
        2 => (4, usize::try_from(u32::from_le_bytes(*bytes.first_chunk()?) >> 2).ok()?, 16_384),
        _ => return None,
    };
    *bytes = &bytes[mode..];
    (length >= written).then_some(length)
}

fn read_list(bytes: &mut &[u8]) -> Option<Vec<u16>> {
    let length = read_length(bytes)?;
    let (items, rest) = bytes.split_at_checked(length.checked_mul(2)?)?;
    *bytes = rest;
    Some(items.chunks_exact(2).map(|item| u16::from_le_bytes([item[0], item[1]])).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn row(hotkey: Option<AccountId>) -> Payload {
        Payload { hotkey, uids: vec![1, 300], values: vec![2, 65_535], version_key: 9 }
    }

    #[test]
    fn lengths_of_the_codec() {
        let rows: [(usize, &[u8]); 5] = [
            (0, &[0]),
            (63, &[252]),
            (64, &[1, 1]),
            (16_383, &[253, 255]),
            (16_384, &[2, 0, 1, 0]),
        ];
        for (length, expected) in rows {
            let mut bytes = Vec::new();
            write_length(length, &mut bytes);
            assert_eq!(bytes, expected, "{length}");
            let mut rest = &bytes[..];
            assert_eq!((read_length(&mut rest), rest), (Some(length), &[][..]), "{length}");
        }
        // Longer than need be, cut off, too wide.
        for garbled in [&[1, 0][..], &[2, 0, 0, 0], &[1], &[2, 1, 1], &[3, 0, 0, 0, 1], &[]] {
            assert_eq!(read_length(&mut &*garbled), None, "{garbled:?}");
        }
    }

    #[test]
    fn a_row_opens_to_what_was_sealed() {
        let hotkey = AccountId([7; 32]);
        for payload in [row(Some(hotkey)), row(None)] {
            for nonce in [&[][..], &[5; 32]] {
                assert_eq!(Payload::open(&payload.seal(nonce)), Some(payload.clone()));
            }
        }
        let bytes = row(Some(hotkey)).seal(&[]);
        let mut expected = vec![128];
        expected.extend([7; 32]);
        expected.extend([8, 1, 0, 44, 1, 8, 2, 0, 255, 255, 9, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(bytes, expected);
        assert_ne!(hash_of(&row(None).seal(&[1])), hash_of(&row(None).seal(&[2])));
    }

    /// As the chain reads them: a row whose hotkey is too short for an account is tried as a legacy row.
    #[test]
    fn bytes_without_a_legible_hotkey_are_read_as_the_legacy_form() {
        // Two bytes of hotkey, no uids, no values: read again as one uid, no values.
        let bytes = [4, 9, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0];
        let read = Payload { hotkey: None, uids: vec![9], values: vec![], version_key: 1 };
        assert_eq!(Payload::open(&bytes), Some(read));
        for garbled in [&[][..], &[4], &[255; 64], &[128, 1, 2, 3]] {
            assert_eq!(Payload::open(garbled), None, "{garbled:?}");
        }
        let whole = row(Some(AccountId([7; 32]))).seal(&[]);
        for length in 0..whole.len() {
            let opened = Payload::open(&whole[..length]);
            assert!(opened.is_none_or(|row| row.hotkey.is_none()), "{length} bytes");
        }
    }
}
