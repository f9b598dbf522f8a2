//! How rows of weights and bonds are read and written by codecs: as sequences of pairs, which a codec that keeps
//! numbers apart may hand over all at once. Most numbers of a log are in rows.

use crate::state::Row;
use alloc::vec::Vec;
use core::fmt;
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What a row is called towards a codec. One that knows the name may hand the reader the pairs' bytes, all numbers
/// little-endian, instead of the pairs.
pub const NAME_ROW: &str = "Row";

/// Pairs for which room is made before they are read.
const PAIRS_EXPECTED_MAX: usize = 1 << 12;

struct Written<'a>(&'a Row);

struct Pairs<'a>(&'a Row);

impl Serialize for Written<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_newtype_struct(NAME_ROW, &Pairs(self.0))
    }
}

impl Serialize for Pairs<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

struct Read(Row);

impl<'de> Deserialize<'de> for Read {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(NAME_ROW, RowVisitor).map(Read)
    }
}

struct RowVisitor;

impl<'de> Visitor<'de> for RowVisitor {
    type Value = Row;

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("a row of pairs")
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Row, D::Error> {
        deserializer.deserialize_seq(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut pairs: A) -> Result<Row, A::Error> {
        let expected = pairs.size_hint().unwrap_or(0).min(PAIRS_EXPECTED_MAX);
        let mut row = Vec::with_capacity(expected);
        while let Some(pair) = pairs.next_element()? {
            row.push(pair);
        }
        Ok(row)
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Row, E> {
        let (pairs, _) = bytes.as_chunks::<4>();
        let number = |low, high| u16::from_le_bytes([low, high]);
        Ok(pairs.iter().map(|[a, b, c, d]| (number(*a, *b), number(*c, *d))).collect())
    }
}

/// One row.
pub(crate) mod one {
    use super::*;

    pub fn serialize<S: Serializer>(row: &Row, serializer: S) -> Result<S::Ok, S::Error> {
        Written(row).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Row, D::Error> {
        Read::deserialize(deserializer).map(|read| read.0)
    }
}

/// Rows of several matrices.
pub(crate) mod matrices {
    use super::*;

    struct Matrix<'a>(&'a [Row]);

    impl Serialize for Matrix<'_> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_seq(self.0.iter().map(Written))
        }
    }

    pub fn serialize<S: Serializer>(rows: &[Vec<Row>], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(rows.iter().map(|matrix| Matrix(matrix)))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<Vec<Row>>, D::Error> {
        let matrices = Vec::<Vec<Read>>::deserialize(deserializer)?;
        let row = |read: Read| read.0;
        Ok(matrices.into_iter().map(|matrix| matrix.into_iter().map(row).collect()).collect())
    }
}
