//! How sealed bytes are read and written by codecs: as sequences of bytes, which a codec that keeps them together may
//! hand over all at once.

use alloc::vec::Vec;
use core::fmt;
use serde::de::{SeqAccess, Visitor};
use serde::{Deserializer, Serializer};

/// What such bytes are called towards a codec. One that knows the name may hand the reader all of them.
pub const NAME_BLOB: &str = "Blob";

/// Bytes for which room is made before they are read.
const BYTES_EXPECTED_MAX: usize = 1 << 12;

struct BlobVisitor;

impl<'de> Visitor<'de> for BlobVisitor {
    type Value = Vec<u8>;

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("a sequence of bytes")
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> Result<Vec<u8>, D::Error> {
        deserializer.deserialize_seq(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut bytes: A) -> Result<Vec<u8>, A::Error> {
        let expected = bytes.size_hint().unwrap_or(0).min(BYTES_EXPECTED_MAX);
        let mut blob = Vec::with_capacity(expected);
        while let Some(byte) = bytes.next_element()? {
            blob.push(byte);
        }
        Ok(blob)
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
        Ok(bytes.to_vec())
    }
}

pub(crate) fn serialize<S: Serializer>(blob: &Vec<u8>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_newtype_struct(NAME_BLOB, blob)
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    deserializer.deserialize_newtype_struct(NAME_BLOB, BlobVisitor)
}
