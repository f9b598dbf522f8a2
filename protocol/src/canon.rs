//! The canonical tagged encoding that state roots are made of, and digests of serialisable values.
//!
//! A struct is its fields in tag order: tag (u16), length (u32), bytes; all integers little-endian.
//! A field equal to its default is absent, so a field added later never changes an old root.

use crate::units::{AccountId, Alpha, Hash32, Height, NetUid, Rao, Uid};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;
use serde::Serialize;

/// Room for the events of a block of the main network without an epoch.
const DIGEST_BYTES_EXPECTED: usize = 48 << 10;

/// A value with a canonical encoding.
pub trait Canon {
    /// Appends the encoding.
    fn canon(&self, out: &mut Vec<u8>);

    /// Appends the encoding behind a tag and its length.
    fn canon_field(&self, tag: u16, out: &mut Vec<u8>) {
        out.extend_from_slice(&tag.to_le_bytes());
        sized(out, |out| self.canon(out));
    }
}

/// Appends a tagged field unless it equals its default.
pub fn field<T: Canon + PartialEq>(out: &mut Vec<u8>, tag: u16, value: &T, default: &T) {
    if value != default {
        value.canon_field(tag, out);
    }
}

/// Appends what `write` appends, behind its length.
pub fn sized(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let at = out.len();
    out.extend_from_slice(&[0; 4]);
    write(out);
    let length = u32::try_from(out.len() - at - 4).expect("a component is far below 4 GiB");
    out[at..at + 4].copy_from_slice(&length.to_le_bytes());
}

/// Gives a struct its canonical encoding: `canon_struct!(Type { 1: field, 2: other })`.
macro_rules! canon_struct {
    ($type:ty { $($tag:literal: $field:ident),* $(,)? }) => {
        impl $crate::canon::Canon for $type {
            fn canon(&self, out: &mut alloc::vec::Vec<u8>) {
                let default = <$type>::default();
                $($crate::canon::field(out, $tag, &self.$field, &default.$field);)*
            }
        }
    };
}
pub(crate) use canon_struct;

macro_rules! canon_int {
    ($($type:ty),*) => {$(
        impl Canon for $type {
            fn canon(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_le_bytes());
            }

            // In one piece: most of what a block hashes are numbers.
            fn canon_field(&self, tag: u16, out: &mut Vec<u8>) {
                const WIDTH: usize = size_of::<$type>();
                let mut field = [0; 6 + WIDTH];
                field[..2].copy_from_slice(&tag.to_le_bytes());
                field[2..6].copy_from_slice(&(WIDTH as u32).to_le_bytes());
                field[6..].copy_from_slice(&self.to_le_bytes());
                out.extend_from_slice(&field);
            }
        }
    )*};
}
canon_int!(u8, u16, u32, u64, u128, i16, i32, i64, i128);

macro_rules! canon_newtype {
    ($($type:ty),*) => {$(
        impl Canon for $type {
            fn canon(&self, out: &mut Vec<u8>) {
                self.0.canon(out);
            }

            fn canon_field(&self, tag: u16, out: &mut Vec<u8>) {
                self.0.canon_field(tag, out);
            }
        }
    )*};
}
canon_newtype!(Rao, Alpha, Height, NetUid, Uid);

impl Canon for bool {
    fn canon(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }
}

impl Canon for AccountId {
    fn canon(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0);
    }
}

impl Canon for Hash32 {
    fn canon(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0);
    }
}

impl Canon for String {
    fn canon(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.as_bytes());
    }
}

impl<T: Canon> Canon for Option<T> {
    fn canon(&self, out: &mut Vec<u8>) {
        match self {
            None => out.push(0),
            Some(value) => {
                out.push(1);
                value.canon(out);
            }
        }
    }
}

impl<A: Canon, B: Canon> Canon for (A, B) {
    fn canon(&self, out: &mut Vec<u8>) {
        self.0.canon(out);
        self.1.canon(out);
    }
}

impl<A: Canon, B: Canon, C: Canon> Canon for (A, B, C) {
    fn canon(&self, out: &mut Vec<u8>) {
        self.0.canon(out);
        self.1.canon(out);
        self.2.canon(out);
    }
}

impl<T: Canon> Canon for Vec<T> {
    fn canon(&self, out: &mut Vec<u8>) {
        (self.len() as u64).canon(out);
        for item in self {
            item.canon(out);
        }
    }
}

impl<T: Canon> Canon for BTreeSet<T> {
    fn canon(&self, out: &mut Vec<u8>) {
        (self.len() as u64).canon(out);
        for item in self {
            item.canon(out);
        }
    }
}

impl<K: Canon, V: Canon> Canon for BTreeMap<K, V> {
    fn canon(&self, out: &mut Vec<u8>) {
        (self.len() as u64).canon(out);
        for (key, value) in self {
            key.canon(out);
            sized(out, |out| value.canon(out));
        }
    }
}

/// BLAKE3 of a domain and bytes.
pub fn hash(domain: &str, bytes: &[u8]) -> Hash32 {
    let mut buffer = Vec::new();
    let preimage = Preimage::new(domain, &mut buffer);
    preimage.bytes.extend_from_slice(bytes);
    preimage.hash()
}

/// What [`hash`] hashes, written where it is hashed: behind its domain, in one run. Handed over in parts, the first
/// part would keep the rest from being hashed in parallel lanes.
pub struct Preimage<'a> {
    /// Domain and bytes so far; append to them.
    pub bytes: &'a mut Vec<u8>,
    start: usize,
}

impl<'a> Preimage<'a> {
    /// Nothing under that domain yet. What the buffer holds is dropped.
    pub fn new(domain: &str, buffer: &'a mut Vec<u8>) -> Self {
        buffer.clear();
        (domain.len() as u64).canon(buffer);
        buffer.extend_from_slice(domain.as_bytes());
        Self { start: buffer.len(), bytes: buffer }
    }

    /// Whether nothing was written behind the domain.
    pub fn is_empty(&self) -> bool {
        self.bytes.len() == self.start
    }

    /// The hash of domain and bytes.
    pub fn hash(&self) -> Hash32 {
        Hash32(blake3::hash(self.bytes).into())
    }
}

/// The digest of a serialisable value: fixed-width little-endian integers, lengths as u64, enum
/// variants by position as u32. Independent of any codec, so that logs may change theirs.
pub fn digest<T: Serialize + ?Sized>(domain: &str, value: &T) -> Hash32 {
    let mut buffer = Vec::with_capacity(DIGEST_BYTES_EXPECTED);
    let preimage = Preimage::new(domain, &mut buffer);
    let mut writer = serial::Writer { bytes: preimage.bytes };
    value.serialize(&mut writer).expect("the types of the log serialise");
    preimage.hash()
}

mod serial {
    //! A serde serialiser into plain bytes; the reading side is never needed.

    use alloc::vec::Vec;
    use core::fmt;
    use serde::ser::{self, Serialize};

    pub struct Writer<'b> {
        pub bytes: &'b mut Vec<u8>,
    }

    /// Only for values of unknown length, which the log's types do not have.
    #[derive(Debug)]
    pub struct Unsupported;

    impl fmt::Display for Unsupported {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a value without a canonical form (float or unknown length)")
        }
    }

    impl ser::StdError for Unsupported {}

    impl ser::Error for Unsupported {
        fn custom<T: fmt::Display>(_: T) -> Self {
            Unsupported
        }
    }

    macro_rules! ints {
        ($($method:ident: $type:ty),*) => {$(
            fn $method(self, value: $type) -> Result<(), Unsupported> {
                self.bytes.extend_from_slice(&value.to_le_bytes());
                Ok(())
            }
        )*};
    }

    impl<'a, 'b> ser::Serializer for &'a mut Writer<'b> {
        type Ok = ();
        type Error = Unsupported;
        type SerializeSeq = &'a mut Writer<'b>;
        type SerializeTuple = &'a mut Writer<'b>;
        type SerializeTupleStruct = &'a mut Writer<'b>;
        type SerializeTupleVariant = &'a mut Writer<'b>;
        type SerializeMap = &'a mut Writer<'b>;
        type SerializeStruct = &'a mut Writer<'b>;
        type SerializeStructVariant = &'a mut Writer<'b>;

        ints!(
            serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64,
            serialize_i128: i128, serialize_u8: u8, serialize_u16: u16, serialize_u32: u32,
            serialize_u64: u64, serialize_u128: u128
        );

        fn serialize_bool(self, value: bool) -> Result<(), Unsupported> {
            self.serialize_u8(u8::from(value))
        }
        #[allow(clippy::disallowed_types, reason = "the trait asks for it; it is refused")]
        fn serialize_f32(self, _: f32) -> Result<(), Unsupported> {
            Err(Unsupported)
        }
        #[allow(clippy::disallowed_types, reason = "the trait asks for it; it is refused")]
        fn serialize_f64(self, _: f64) -> Result<(), Unsupported> {
            Err(Unsupported)
        }
        fn serialize_char(self, value: char) -> Result<(), Unsupported> {
            self.serialize_u32(value.into())
        }
        fn serialize_str(self, value: &str) -> Result<(), Unsupported> {
            self.serialize_bytes(value.as_bytes())
        }
        fn serialize_bytes(self, value: &[u8]) -> Result<(), Unsupported> {
            self.bytes.extend_from_slice(&(value.len() as u64).to_le_bytes());
            self.bytes.extend_from_slice(value);
            Ok(())
        }
        fn serialize_none(self) -> Result<(), Unsupported> {
            self.serialize_u8(0)
        }
        fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Unsupported> {
            self.bytes.push(1);
            value.serialize(self)
        }
        fn serialize_unit(self) -> Result<(), Unsupported> {
            Ok(())
        }
        fn serialize_unit_struct(self, _: &'static str) -> Result<(), Unsupported> {
            Ok(())
        }
        fn serialize_unit_variant(
            self,
            _: &'static str,
            index: u32,
            _: &'static str,
        ) -> Result<(), Unsupported> {
            self.serialize_u32(index)
        }
        fn serialize_newtype_struct<T: Serialize + ?Sized>(
            self,
            _: &'static str,
            value: &T,
        ) -> Result<(), Unsupported> {
            value.serialize(self)
        }
        fn serialize_newtype_variant<T: Serialize + ?Sized>(
            self,
            _: &'static str,
            index: u32,
            _: &'static str,
            value: &T,
        ) -> Result<(), Unsupported> {
            self.bytes.extend_from_slice(&index.to_le_bytes());
            value.serialize(self)
        }
        fn serialize_seq(self, length: Option<usize>) -> Result<Self, Unsupported> {
            let length = length.ok_or(Unsupported)?;
            self.bytes.extend_from_slice(&(length as u64).to_le_bytes());
            Ok(self)
        }
        fn serialize_tuple(self, _: usize) -> Result<Self, Unsupported> {
            Ok(self)
        }
        fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Self, Unsupported> {
            Ok(self)
        }
        fn serialize_tuple_variant(
            self,
            _: &'static str,
            index: u32,
            _: &'static str,
            _: usize,
        ) -> Result<Self, Unsupported> {
            self.bytes.extend_from_slice(&index.to_le_bytes());
            Ok(self)
        }
        fn serialize_map(self, length: Option<usize>) -> Result<Self, Unsupported> {
            self.serialize_seq(length)
        }
        fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self, Unsupported> {
            Ok(self)
        }
        fn serialize_struct_variant(
            self,
            _: &'static str,
            index: u32,
            _: &'static str,
            _: usize,
        ) -> Result<Self, Unsupported> {
            self.bytes.extend_from_slice(&index.to_le_bytes());
            Ok(self)
        }
        fn is_human_readable(&self) -> bool {
            false
        }
    }

    macro_rules! compound {
        ($($trait:ident::$method:ident $(, $key:ident)?;)*) => {$(
            impl ser::$trait for &mut Writer<'_> {
                type Ok = ();
                type Error = Unsupported;
                $(
                    fn $key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Unsupported> {
                        key.serialize(&mut **self)
                    }
                )?
                fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unsupported> {
                    value.serialize(&mut **self)
                }
                fn end(self) -> Result<(), Unsupported> {
                    Ok(())
                }
            }
        )*};
    }
    compound! {
        SerializeSeq::serialize_element;
        SerializeTuple::serialize_element;
        SerializeTupleStruct::serialize_field;
        SerializeTupleVariant::serialize_field;
        SerializeMap::serialize_value, serialize_key;
    }

    macro_rules! named {
        ($($trait:ident),*) => {$(
            impl ser::$trait for &mut Writer<'_> {
                type Ok = ();
                type Error = Unsupported;
                fn serialize_field<T: Serialize + ?Sized>(
                    &mut self,
                    _: &'static str,
                    value: &T,
                ) -> Result<(), Unsupported> {
                    value.serialize(&mut **self)
                }
                fn end(self) -> Result<(), Unsupported> {
                    Ok(())
                }
            }
        )*};
    }
    named!(SerializeStruct, SerializeStructVariant);
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[derive(Clone, Default, PartialEq)]
    struct Old {
        a: u64,
        b: Vec<u16>,
    }
    canon_struct!(Old { 1: a, 2: b });

    #[derive(Clone, Default, PartialEq)]
    struct New {
        a: u64,
        b: Vec<u16>,
        c: bool,
    }
    canon_struct!(New { 1: a, 2: b, 3: c });

    #[test]
    fn a_new_field_does_not_change_an_old_encoding() {
        let (mut old, mut new) = (Vec::new(), Vec::new());
        Old { a: 5, b: vec![1, 2] }.canon(&mut old);
        New { a: 5, b: vec![1, 2], c: false }.canon(&mut new);
        assert_eq!(old, new);
        New { a: 5, b: vec![1, 2], c: true }.canon(&mut new);
        assert_ne!(old, new[old.len()..]);
    }

    #[test]
    fn the_encoding_is_golden() {
        let mut out = Vec::new();
        Old { a: 5, b: vec![258] }.canon(&mut out);
        let golden = [
            1, 0, 8, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, // tag 1, 8 bytes, 5
            2, 0, 10, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 1, // tag 2, one item, 0x0102
        ];
        assert_eq!(out, golden);
    }

    #[test]
    fn a_digest_depends_on_domain_and_value() {
        let value = (1u64, vec![Some(AccountId::ZERO)]);
        assert_eq!(digest("a", &value), digest("a", &value));
        assert_ne!(digest("a", &value), digest("b", &value));
        assert_ne!(digest("a", &value), digest("a", &(2u64, vec![Some(AccountId::ZERO)])));
    }
}
