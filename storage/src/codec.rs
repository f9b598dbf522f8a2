//! Values as bytes: bincode through serde, little endian, integers of fixed width, with a limit; it is also the codec
//! of the wire and of caches. Block 0 must be read by builds that know more fields: MessagePack with their names.
//! The only file that names either library.

use bincode::error::EncodeError;
use rmp_serde::decode::Error;
use serde::Serialize;
use serde::de::{Deserialize, DeserializeOwned, IgnoredAny};
use std::collections::VecDeque;
use std::io::{self, Write};

/// The longest value that is read or written, in bytes.
pub const VALUE_BYTES_MAX: usize = 1 << 30;

/// Bytes that are no value of the expected shape.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// They do not decode.
    #[error("the bytes do not decode: {0}")]
    Malformed(String),
    /// They decode, but more follow.
    #[error("{0} bytes follow the value")]
    Trailing(usize),
}

const fn config() -> impl bincode::config::Config {
    bincode::config::standard()
        .with_little_endian()
        .with_fixed_int_encoding()
        .with_limit::<VALUE_BYTES_MAX>()
}

/// A value as bytes.
pub fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    bincode::serde::encode_to_vec(value, config())
        .expect("our values are plain data, and vectors take every byte")
}

/// A value as bytes, written as they come.
///
/// # Errors
/// They cannot be written.
pub fn encode_into<T: Serialize>(value: &T, to: &mut impl Write) -> io::Result<()> {
    let written = bincode::serde::encode_into_std_write(value, to, config());
    written.map(drop).map_err(|error| match error {
        EncodeError::Io { inner, .. } => inner,
        other => unreachable!("our values are plain data: {other}"),
    })
}

/// Bytes in pieces of one size: as they grow nothing is moved, and whoever takes them can let go of each in turn.
#[derive(Debug, Default)]
pub struct Pieces {
    pieces: VecDeque<Vec<u8>>,
}

/// Length of a piece.
const PIECE_BYTES: usize = 1 << 20;

impl Pieces {
    /// A value as bytes in pieces.
    pub fn of<T: Serialize>(value: &T) -> Self {
        let mut pieces = Self::default();
        encode_into(value, &mut pieces).expect("memory takes every byte");
        pieces
    }

    /// Writes all pieces, each of which goes when it is written.
    ///
    /// # Errors
    /// They cannot be written.
    pub fn write_to(mut self, to: &mut impl Write) -> io::Result<()> {
        while let Some(piece) = self.pieces.pop_front() {
            to.write_all(&piece)?;
        }
        Ok(())
    }
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.pieces.back().is_none_or(|piece| piece.len() == PIECE_BYTES) {
            self.pieces.push_back(Vec::with_capacity(PIECE_BYTES));
        }
        let piece = self.pieces.back_mut().expect("one was just made sure of");
        let count = bytes.len().min(PIECE_BYTES - piece.len());
        piece.extend_from_slice(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A value from exactly its bytes.
///
/// # Errors
/// The bytes are no such value, or more follow it.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
    let decoded = bincode::serde::decode_from_slice(bytes, config());
    let (value, used) = decoded.map_err(|error| CodecError::Malformed(error.to_string()))?;
    match bytes.len() - used {
        0 => Ok(value),
        more => Err(CodecError::Trailing(more)),
    }
}

/// A value from the front of bytes, and how many it took; whatever follows it is not looked at.
///
/// # Errors
/// The bytes do not begin with such a value.
pub fn decode_front<T: DeserializeOwned>(bytes: &[u8]) -> Result<(T, usize), CodecError> {
    let decoded = bincode::serde::decode_from_slice(bytes, config());
    decoded.map_err(|error| CodecError::Malformed(error.to_string()))
}

/// A value as bytes that name its fields.
pub fn encode_named<T: Serialize>(value: &T) -> Vec<u8> {
    rmp_serde::to_vec_named(value).expect("our values are plain data, and vectors take every byte")
}

/// A value from exactly its bytes that name its fields; fields that are not there have their default, where their
/// type has one.
///
/// # Errors
/// The bytes are no such value, or more follow it.
pub fn decode_named<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
    let malformed = |error: Error| CodecError::Malformed(error.to_string());
    let mut decoder = rmp_serde::Deserializer::from_read_ref(bytes);
    let value = T::deserialize(&mut decoder).map_err(malformed)?;
    // What is left it does not tell, only whether anything is.
    match IgnoredAny::deserialize(&mut decoder) {
        Err(Error::InvalidMarkerRead(_)) => Ok(value),
        _ => Err(CodecError::Trailing(bytes.len() - named_length::<T>(bytes).map_err(malformed)?)),
    }
}

/// How many bytes the value takes that they begin with.
fn named_length<T: DeserializeOwned>(bytes: &[u8]) -> Result<usize, Error> {
    let mut rest = bytes;
    T::deserialize(&mut rmp_serde::Deserializer::new(&mut rest))?;
    Ok(bytes.len() - rest.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_the_bytes_of_the_value() {
        for length in [0, 1, PIECE_BYTES - 9, PIECE_BYTES - 8, 2 * PIECE_BYTES + 77] {
            let value: Vec<u8> = (0..length).map(|n| n as u8).collect();
            let mut written = Vec::new();
            Pieces::of(&value).write_to(&mut written).expect("memory");
            assert_eq!(written, encode(&value), "{length} bytes");
        }
    }

    #[test]
    fn what_follows_a_named_value_is_counted() {
        let value = ("text".to_owned(), vec![1_u64, 2]);
        let mut bytes = encode_named(&value);
        assert_eq!(decode_named(&bytes), Ok(value.clone()));
        // The front of a value, a whole one, and no value at all.
        for more in [&[0xcd][..], &[7], &[0xc1, 0xc1, 0xc1]] {
            let whole = [&bytes, more].concat();
            let read = decode_named::<(String, Vec<u64>)>(&whole);
            assert_eq!(read, Err(CodecError::Trailing(more.len())), "{more:?}");
        }
        bytes.pop();
        let read = decode_named::<(String, Vec<u64>)>(&bytes);
        assert!(matches!(read, Err(CodecError::Malformed(_))), "{read:?}");
    }

    #[test]
    fn a_full_disk_is_an_error() {
        let mut room = [0u8; 4];
        assert!(encode_into(&[1u64, 2], &mut &mut room[..]).is_err());
    }
}
