//! Values as bytes: bincode through serde, little endian, integers of fixed width, with a limit; it is also the codec
//! of the wire and of caches. Block 0 must be read by builds that know more fields: MessagePack with their names.
//! The only file that names either library.

use serde::Serialize;
use serde::de::DeserializeOwned;

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
    let mut rest = bytes;
    let value = T::deserialize(&mut rmp_serde::Deserializer::new(&mut rest));
    let value = value.map_err(|error| CodecError::Malformed(error.to_string()))?;
    match rest.len() {
        0 => Ok(value),
        more => Err(CodecError::Trailing(more)),
    }
}
