//! Values as columns: the numbers of a value sorted by their width and by their place in a tuple, each width cut into
//! planes of one byte. What repeats, counts up or is small then stands side by side, and packs to half of what the
//! plain encoding packs to. Positional like the plain one: variants and fields may be appended, never moved.
//!
//! What belongs here: the encoding of blocks from format 2 on. What does not: packing and hashes (`record`), and
//! values that must be read in part or by name (`codec`).

use crate::codec::CodecError;
use protocol::blob::NAME_BLOB;
use protocol::row::NAME_ROW;
use protocol::units::NAME_32;
use serde::de::{self, DeserializeOwned, DeserializeSeed, IntoDeserializer, Visitor};
use serde::ser::{self, Serialize};
use std::cell::Cell;
use std::fmt;

/// Places in a tuple that are told apart; further ones share the last.
const SLOTS: usize = 4;

/// Room for columns that is kept for the next value; a single one may take far more.
const ROOM_KEPT_MAX: usize = 4 << 20;

/// Bytes of a name.
const NAME_BYTES: usize = 32;

/// Numbers of each width, by place.
#[derive(Default)]
struct Columns {
    /// Lengths, variants and whether there is a value.
    shapes: Vec<u32>,
    bytes: Vec<u8>,
    /// Accounts, hashes and texts: kept whole.
    names: Vec<u8>,
    twos: [Vec<u16>; SLOTS],
    fours: [Vec<u32>; SLOTS],
    eights: [Vec<u64>; SLOTS],
    sixteens: [Vec<u128>; SLOTS],
}

impl Columns {
    /// Takes the numbers of exactly these bytes in place of its own. Gives names and bytes, which stay where they are.
    fn take<'a>(&mut self, bytes: &'a [u8]) -> Result<(&'a [u8], &'a [u8]), CodecError> {
        let Self { shapes, twos, fours, eights, sixteens, .. } = self;
        let mut rest = bytes;
        let rest = &mut rest;
        take_shapes(rest, shapes)?;
        let (names, bytes) = (take_bytes(rest)?, take_bytes(rest)?);
        twos.iter_mut().try_for_each(|column| take_planes(rest, column))?;
        fours.iter_mut().try_for_each(|column| take_planes(rest, column))?;
        eights.iter_mut().try_for_each(|column| take_planes(rest, column))?;
        sixteens.iter_mut().try_for_each(|column| take_planes(rest, column))?;
        if rest.is_empty() { Ok((names, bytes)) } else { Err(CodecError::Trailing(rest.len())) }
    }

    /// Forgets the numbers; their room stays.
    fn clear(&mut self) {
        let Self { shapes, bytes, names, twos, fours, eights, sixteens } = self;
        shapes.clear();
        bytes.clear();
        names.clear();
        twos.iter_mut().for_each(Vec::clear);
        fours.iter_mut().for_each(Vec::clear);
        eights.iter_mut().for_each(Vec::clear);
        sixteens.iter_mut().for_each(Vec::clear);
    }

    /// Bytes that its room takes.
    fn room(&self) -> usize {
        fn all<N>(slots: &[Vec<N>]) -> usize {
            slots.iter().map(|column| column.capacity() * size_of::<N>()).sum()
        }
        let Self { shapes, bytes, names, twos, fours, eights, sixteens } = self;
        let singles = shapes.capacity() * size_of::<u32>() + bytes.capacity() + names.capacity();
        singles + all(twos) + all(fours) + all(eights) + all(sixteens)
    }
}

/// A value as bytes.
pub fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    append(&mut bytes, value);
    bytes
}

/// A value as bytes, behind others.
pub fn append<T: Serialize>(bytes: &mut Vec<u8>, value: &T) {
    thread_local! {
        // The columns' room: to grow some fifteen of them anew for every block is a tenth of what it costs to keep one.
        static COLUMNS: Cell<Columns> = Cell::default();
    }
    let mut encoder = Encoder { columns: COLUMNS.take(), slot: 0, naming: false };
    value.serialize(&mut encoder).expect("our values are plain data");
    let mut columns = encoder.columns;
    put_planes(bytes, &columns.shapes);
    put_bytes(bytes, &columns.names);
    put_bytes(bytes, &columns.bytes);
    columns.twos.iter().for_each(|column| put_planes(bytes, column));
    columns.fours.iter().for_each(|column| put_planes(bytes, column));
    columns.eights.iter().for_each(|column| put_planes(bytes, column));
    columns.sixteens.iter().for_each(|column| put_planes(bytes, column));
    columns.clear();
    if columns.room() <= ROOM_KEPT_MAX {
        COLUMNS.set(columns);
    }
}

/// A value from exactly its bytes.
///
/// # Errors
/// The bytes are no such value, or more follow it.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
    thread_local! {
        static COLUMNS: Cell<Columns> = Cell::default();
    }
    let mut columns = COLUMNS.take();
    let value = columns.take(bytes).and_then(|(names, bytes)| {
        let mut decoder = Decoder::new(&columns, names, bytes);
        let value = T::deserialize(&mut decoder).map_err(|error| CodecError::Malformed(error.0))?;
        match decoder.left() {
            0 => Ok(value),
            left => Err(CodecError::Trailing(left)),
        }
    });
    if columns.room() <= ROOM_KEPT_MAX {
        COLUMNS.set(columns);
    }
    value
}

/// An unsigned integer as a column keeps it.
trait Number: Copy {
    /// Its width in bytes.
    const WIDTH: usize;
    /// One of its bytes, the lowest first.
    fn plane(self, plane: usize) -> u8;
    /// The number whose byte of a plane is this, and 0 elsewhere.
    fn of_plane(byte: u8, plane: usize) -> Self;
    /// Both together.
    fn with(self, other: Self) -> Self;
    /// Numbers by their bytes, the lowest plane first: as many planes as a number has bytes.
    fn of_planes(planes: &[&Plane]) -> [Self; CHUNK];
}

/// Numbers that are put together side by side.
const CHUNK: usize = 64;

/// A byte of each.
type Plane = [u8; CHUNK];

/// Wider numbers by their lower and upper halves.
fn joined<H: Copy, N>(low: &[H; CHUNK], high: &[H; CHUNK], join: impl Fn(H, H) -> N) -> [N; CHUNK] {
    std::array::from_fn(|at| join(low[at], high[at]))
}

macro_rules! number {
    ($($type:ty: $half:ty),*) => {$(
        impl Number for $type {
            const WIDTH: usize = size_of::<$type>();
            fn plane(self, plane: usize) -> u8 {
                (self >> (8 * plane)) as u8
            }
            fn of_plane(byte: u8, plane: usize) -> Self {
                <$type>::from(byte) << (8 * plane)
            }
            fn with(self, other: Self) -> Self {
                self | other
            }
            fn of_planes(planes: &[&Plane]) -> [Self; CHUNK] {
                let (low, high) = planes.split_at(Self::WIDTH / 2);
                joined(&<$half>::of_planes(low), &<$half>::of_planes(high), |low, high| {
                    Self::from(low) | Self::from(high) << (4 * Self::WIDTH)
                })
            }
        }
    )*};
}
number!(u16: u8, u32: u16, u64: u32, u128: u64);

/// The halves of the narrowest numbers.
impl Number for u8 {
    const WIDTH: usize = 1;
    fn plane(self, _: usize) -> u8 {
        self
    }
    fn of_plane(byte: u8, _: usize) -> Self {
        byte
    }
    fn with(self, other: Self) -> Self {
        self | other
    }
    fn of_planes(planes: &[&Plane]) -> [Self; CHUNK] {
        *planes[0]
    }
}

/// The count, then which planes are not all zero, then those.
fn put_planes<N: Number>(bytes: &mut Vec<u8>, column: &[N]) {
    bytes.extend_from_slice(&(column.len() as u32).to_le_bytes());
    if column.is_empty() {
        return;
    }
    let all = column.iter().copied().reduce(N::with).expect("it is not empty");
    let held: u16 = (0..N::WIDTH).filter(|plane| all.plane(*plane) != 0).map(|p| 1 << p).sum();
    bytes.extend_from_slice(&held.to_le_bytes());
    for plane in (0..N::WIDTH).filter(|plane| held & (1 << plane) != 0) {
        bytes.extend(column.iter().map(|number| number.plane(plane)));
    }
}

fn put_bytes(bytes: &mut Vec<u8>, column: &[u8]) {
    bytes.extend_from_slice(&(column.len() as u32).to_le_bytes());
    bytes.extend_from_slice(column);
}

fn cut_off() -> CodecError {
    CodecError::Malformed("the columns are cut off".to_owned())
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> Result<&'a [u8], CodecError> {
    let (taken, left) = rest.split_at_checked(count).ok_or_else(cut_off)?;
    *rest = left;
    Ok(taken)
}

fn take_count(rest: &mut &[u8]) -> Result<usize, CodecError> {
    let count = take(rest, 4)?.try_into().expect("four bytes were taken");
    Ok(u32::from_le_bytes(count) as usize)
}

fn take_bytes<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], CodecError> {
    let count = take_count(rest)?;
    take(rest, count)
}

fn take_planes<N: Number>(rest: &mut &[u8], column: &mut Vec<N>) -> Result<(), CodecError> {
    column.clear();
    let count = take_count(rest)?;
    if count == 0 {
        return Ok(());
    }
    let held = u16::from_le_bytes(take(rest, 2)?.try_into().expect("two bytes were taken"));
    // A column of zeros holds no bytes, so its length must be bounded by other means.
    if count > rest.len().saturating_mul(64) + COUNT_FREE || (held == 0 && count > ZEROS_MAX) {
        return Err(cut_off());
    }
    let held = (0..N::WIDTH).filter(|plane| held & (1 << plane) != 0);
    let mut planes = [None; NUMBER_BYTES_MAX];
    for plane in held.clone() {
        planes[plane] = Some(take(rest, count)?);
    }
    column.reserve(count);
    // Of few planes most of what is put together side by side would be zeros.
    let whole = if held.clone().count() < PLANES_JOINED_MIN { 0 } else { count - count % CHUNK };
    for from in (0..whole).step_by(CHUNK) {
        let chunks = planes.map(|plane| {
            let bytes = plane.and_then(|bytes| bytes[from..].first_chunk());
            bytes.unwrap_or(&[0; CHUNK])
        });
        column.extend_from_slice(&N::of_planes(&chunks[..N::WIDTH]));
    }
    column.resize(count, N::of_plane(0, 0));
    for plane in held {
        let bytes = planes[plane].expect("it was just taken");
        for (number, byte) in column[whole..].iter_mut().zip(&bytes[whole..]) {
            *number = number.with(N::of_plane(*byte, plane));
        }
    }
    Ok(())
}

/// Bytes of the widest number.
const NUMBER_BYTES_MAX: usize = 16;
/// Planes from which on numbers are put together side by side.
const PLANES_JOINED_MIN: usize = 3;
/// Numbers that a column of zeros may hold in any case.
const COUNT_FREE: usize = 1 << 20;
/// Numbers that a column of zeros may hold at most.
const ZEROS_MAX: usize = 1 << 24;
/// Shapes of a value at most: each may stand for a fact of some hundred bytes in memory.
const SHAPES_MAX: usize = 1 << 24;
/// Shapes at most where all are zero: of many facts, one shape says how many there are.
const SHAPES_ZERO_MAX: usize = 1 << 10;

/// Shapes cost the most memory, so what is not there may not be announced.
fn take_shapes(rest: &mut &[u8], shapes: &mut Vec<u32>) -> Result<(), CodecError> {
    let mut front = *rest;
    let count = take_count(&mut front)?;
    let all_zero = count > 0 && take(&mut front, 2)? == [0, 0];
    if count > SHAPES_MAX || (all_zero && count > SHAPES_ZERO_MAX) {
        return Err(CodecError::Malformed("there are too many shapes".to_owned()));
    }
    take_planes(rest, shapes)
}

/// Why a value has no such encoding, or columns are no such value.
#[derive(Debug)]
struct ColumnError(String);

impl fmt::Display for ColumnError {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(&self.0)
    }
}

impl std::error::Error for ColumnError {}

impl ser::Error for ColumnError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

impl de::Error for ColumnError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

fn unsupported(what: &str) -> ColumnError {
    ColumnError(format!("columns hold no {what}"))
}

/// Signed numbers near 0 of either sign as small unsigned ones.
const fn folded(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)) as u64
}

const fn unfolded(number: u64) -> i64 {
    (number >> 1) as i64 ^ -((number & 1) as i64)
}

const fn folded_wide(number: i128) -> u128 {
    ((number << 1) ^ (number >> 127)) as u128
}

const fn unfolded_wide(number: u128) -> i128 {
    (number >> 1) as i128 ^ -((number & 1) as i128)
}

struct Encoder {
    columns: Columns,
    /// The place in the innermost tuple.
    slot: usize,
    /// Whether the bytes of a name are being written.
    naming: bool,
}

impl Encoder {
    #[inline]
    fn shape(&mut self, shape: usize) -> Result<(), ColumnError> {
        let shape = u32::try_from(shape).map_err(|_| unsupported("value that long"))?;
        self.columns.shapes.push(shape);
        Ok(())
    }

    #[inline]
    fn compound(&mut self) -> Compound<'_> {
        Compound { slot: self.slot, place: 0, counts: false, encoder: self }
    }

    #[inline]
    fn tuple(&mut self) -> Compound<'_> {
        Compound { slot: self.slot, place: 0, counts: true, encoder: self }
    }
}

/// A value with parts; what was around it holds again when it ends.
struct Compound<'a> {
    encoder: &'a mut Encoder,
    slot: usize,
    place: usize,
    /// Whether its parts have places of their own.
    counts: bool,
}

impl Compound<'_> {
    #[inline]
    fn part<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), ColumnError> {
        if self.counts {
            self.place = (self.place + 1).min(SLOTS - 1);
            self.encoder.slot = self.place;
        }
        value.serialize(&mut *self.encoder)
    }

    #[inline]
    fn finish(self) -> Result<(), ColumnError> {
        self.encoder.slot = self.slot;
        Ok(())
    }
}

macro_rules! compound {
    ($($trait:ident $method:ident),*) => {$(
        impl ser::$trait for Compound<'_> {
            type Ok = ();
            type Error = ColumnError;
            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), ColumnError> {
                self.part(value)
            }
            fn end(self) -> Result<(), ColumnError> {
                self.finish()
            }
        }
    )*};
}
compound!(
    SerializeSeq serialize_element,
    SerializeTuple serialize_element,
    SerializeTupleStruct serialize_field,
    SerializeTupleVariant serialize_field
);

macro_rules! fields {
    ($($trait:ident),*) => {$(
        impl ser::$trait for Compound<'_> {
            type Ok = ();
            type Error = ColumnError;
            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                _: &'static str,
                value: &T,
            ) -> Result<(), ColumnError> {
                self.part(value)
            }
            fn end(self) -> Result<(), ColumnError> {
                self.finish()
            }
        }
    )*};
}
fields!(SerializeStruct, SerializeStructVariant);

impl ser::SerializeMap for Compound<'_> {
    type Ok = ();
    type Error = ColumnError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), ColumnError> {
        self.encoder.slot = 1;
        key.serialize(&mut *self.encoder)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), ColumnError> {
        self.encoder.slot = 2;
        value.serialize(&mut *self.encoder)
    }

    fn end(self) -> Result<(), ColumnError> {
        self.finish()
    }
}

impl<'a> ser::Serializer for &'a mut Encoder {
    type Ok = ();
    type Error = ColumnError;
    type SerializeSeq = Compound<'a>;
    type SerializeTuple = Compound<'a>;
    type SerializeTupleStruct = Compound<'a>;
    type SerializeTupleVariant = Compound<'a>;
    type SerializeMap = Compound<'a>;
    type SerializeStruct = Compound<'a>;
    type SerializeStructVariant = Compound<'a>;

    fn is_human_readable(&self) -> bool {
        false
    }

    fn serialize_bool(self, value: bool) -> Result<(), ColumnError> {
        self.serialize_u8(u8::from(value))
    }

    fn serialize_i8(self, value: i8) -> Result<(), ColumnError> {
        self.serialize_u8(value.cast_unsigned())
    }

    fn serialize_i16(self, value: i16) -> Result<(), ColumnError> {
        self.serialize_u16(value.cast_unsigned())
    }

    fn serialize_i32(self, value: i32) -> Result<(), ColumnError> {
        self.serialize_u32(value.cast_unsigned())
    }

    fn serialize_i64(self, value: i64) -> Result<(), ColumnError> {
        self.serialize_u64(folded(value))
    }

    fn serialize_i128(self, value: i128) -> Result<(), ColumnError> {
        self.serialize_u128(folded_wide(value))
    }

    fn serialize_u8(self, value: u8) -> Result<(), ColumnError> {
        self.columns.bytes.push(value);
        Ok(())
    }

    fn serialize_u16(self, value: u16) -> Result<(), ColumnError> {
        self.columns.twos[self.slot % SLOTS].push(value);
        Ok(())
    }

    fn serialize_u32(self, value: u32) -> Result<(), ColumnError> {
        self.columns.fours[self.slot % SLOTS].push(value);
        Ok(())
    }

    fn serialize_u64(self, value: u64) -> Result<(), ColumnError> {
        self.columns.eights[self.slot % SLOTS].push(value);
        Ok(())
    }

    fn serialize_u128(self, value: u128) -> Result<(), ColumnError> {
        if self.naming {
            self.columns.names.extend_from_slice(&value.to_le_bytes());
        } else {
            self.columns.sixteens[self.slot % SLOTS].push(value);
        }
        Ok(())
    }

    fn serialize_f32(self, _: f32) -> Result<(), ColumnError> {
        Err(unsupported("floats"))
    }

    fn serialize_f64(self, _: f64) -> Result<(), ColumnError> {
        Err(unsupported("floats"))
    }

    fn serialize_char(self, value: char) -> Result<(), ColumnError> {
        self.serialize_u32(value.into())
    }

    fn serialize_str(self, value: &str) -> Result<(), ColumnError> {
        self.serialize_bytes(value.as_bytes())
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), ColumnError> {
        self.shape(value.len())?;
        self.columns.names.extend_from_slice(value);
        Ok(())
    }

    fn serialize_none(self) -> Result<(), ColumnError> {
        self.shape(0)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), ColumnError> {
        self.shape(1)?;
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), ColumnError> {
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), ColumnError> {
        Ok(())
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
    ) -> Result<(), ColumnError> {
        self.shape(index as usize)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<(), ColumnError> {
        self.naming = name == NAME_32;
        let written = value.serialize(&mut *self);
        self.naming = false;
        written
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
        value: &T,
    ) -> Result<(), ColumnError> {
        self.shape(index as usize)?;
        value.serialize(self)
    }

    fn serialize_seq(self, length: Option<usize>) -> Result<Compound<'a>, ColumnError> {
        self.shape(length.ok_or_else(|| unsupported("sequences of unknown length"))?)?;
        Ok(self.compound())
    }

    fn serialize_tuple(self, _: usize) -> Result<Compound<'a>, ColumnError> {
        Ok(self.tuple())
    }

    fn serialize_tuple_struct(
        self,
        _: &'static str,
        _: usize,
    ) -> Result<Compound<'a>, ColumnError> {
        Ok(self.tuple())
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Compound<'a>, ColumnError> {
        self.shape(index as usize)?;
        Ok(self.tuple())
    }

    fn serialize_map(self, length: Option<usize>) -> Result<Compound<'a>, ColumnError> {
        self.shape(length.ok_or_else(|| unsupported("maps of unknown length"))?)?;
        Ok(self.compound())
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Compound<'a>, ColumnError> {
        Ok(self.compound())
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Compound<'a>, ColumnError> {
        self.shape(index as usize)?;
        Ok(self.compound())
    }
}

#[cold]
fn early() -> ColumnError {
    ColumnError("a column ends too early".to_owned())
}

/// A column that is read from its front.
struct Column<'c, N> {
    numbers: &'c [N],
    at: usize,
}

impl<'c, N: Copy> Column<'c, N> {
    const fn new(numbers: &'c [N]) -> Self {
        Self { numbers, at: 0 }
    }

    fn slots(slots: &'c [Vec<N>; SLOTS]) -> [Self; SLOTS] {
        slots.each_ref().map(|numbers| Self::new(numbers))
    }

    #[inline]
    fn next(&mut self) -> Result<N, ColumnError> {
        let number = self.numbers.get(self.at).copied();
        self.at += 1;
        number.ok_or_else(early)
    }

    #[inline]
    fn slice(&mut self, count: usize) -> Result<&'c [N], ColumnError> {
        let slice = self.numbers.get(self.at..self.at.saturating_add(count));
        self.at = self.at.saturating_add(count);
        slice.ok_or_else(early)
    }

    const fn left(&self) -> usize {
        self.numbers.len().saturating_sub(self.at)
    }
}

struct Decoder<'c> {
    shapes: Column<'c, u32>,
    names: Column<'c, u8>,
    bytes: Column<'c, u8>,
    twos: [Column<'c, u16>; SLOTS],
    fours: [Column<'c, u32>; SLOTS],
    eights: [Column<'c, u64>; SLOTS],
    sixteens: [Column<'c, u128>; SLOTS],
    slot: usize,
    /// The bytes of a row's pairs.
    row: Vec<u8>,
}

impl<'c> Decoder<'c> {
    fn new(columns: &'c Columns, names: &'c [u8], bytes: &'c [u8]) -> Self {
        let Columns { shapes, twos, fours, eights, sixteens, .. } = columns;
        Self {
            shapes: Column::new(shapes),
            names: Column::new(names),
            bytes: Column::new(bytes),
            twos: Column::slots(twos),
            fours: Column::slots(fours),
            eights: Column::slots(eights),
            sixteens: Column::slots(sixteens),
            slot: 0,
            row: Vec::new(),
        }
    }

    fn left(&self) -> usize {
        let slots = 0..SLOTS;
        let numbers = slots.map(|slot| {
            self.twos[slot].left()
                + self.fours[slot].left()
                + self.eights[slot].left()
                + self.sixteens[slot].left()
        });
        self.shapes.left() + self.names.left() + self.bytes.left() + numbers.sum::<usize>()
    }

    #[inline]
    fn shape(&mut self) -> Result<usize, ColumnError> {
        Ok(self.shapes.next()? as usize)
    }

    #[inline]
    fn byte(&mut self) -> Result<u8, ColumnError> {
        self.bytes.next()
    }

    fn text(&mut self) -> Result<&'c str, ColumnError> {
        let length = self.shape()?;
        let bytes = self.names.slice(length)?;
        std::str::from_utf8(bytes).map_err(|_| ColumnError("a text is no UTF-8".to_owned()))
    }

    /// A row at once, not pair by pair.
    fn row<'de, V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value, ColumnError> {
        let length = self.shape()?;
        let [_, first, second, _] = &mut self.twos;
        let (first, second) = (first.slice(length)?, second.slice(length)?);
        self.row.clear();
        self.row.resize(4 * length, 0);
        let (pairs, _) = self.row.as_chunks_mut::<4>();
        for (pair, (a, b)) in pairs.iter_mut().zip(first.iter().zip(second)) {
            *pair = (u32::from(*a) | u32::from(*b) << 16).to_le_bytes();
        }
        visitor.visit_bytes(&self.row)
    }

    /// Reads parts one by one; what was around them holds again afterwards.
    fn parts<'de, V: Visitor<'de>>(
        &mut self,
        length: usize,
        counts: bool,
        visitor: V,
    ) -> Result<V::Value, ColumnError> {
        let slot = self.slot;
        let value = visitor.visit_seq(Parts { decoder: self, left: length, place: 0, counts });
        self.slot = slot;
        value
    }
}

struct Parts<'a, 'c> {
    decoder: &'a mut Decoder<'c>,
    left: usize,
    place: usize,
    counts: bool,
}

impl<'de> de::SeqAccess<'de> for Parts<'_, '_> {
    type Error = ColumnError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, ColumnError> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        if self.counts {
            self.place = (self.place + 1).min(SLOTS - 1);
            self.decoder.slot = self.place;
        }
        seed.deserialize(&mut *self.decoder).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}

struct Entries<'a, 'c> {
    decoder: &'a mut Decoder<'c>,
    left: usize,
}

impl<'de> de::MapAccess<'de> for Entries<'_, '_> {
    type Error = ColumnError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, ColumnError> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        self.decoder.slot = 1;
        seed.deserialize(&mut *self.decoder).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(
        &mut self,
        seed: V,
    ) -> Result<V::Value, ColumnError> {
        self.decoder.slot = 2;
        seed.deserialize(&mut *self.decoder)
    }
}

struct Variant<'a, 'c> {
    decoder: &'a mut Decoder<'c>,
}

impl<'de, 'a, 'c> de::EnumAccess<'de> for Variant<'a, 'c> {
    type Error = ColumnError;
    type Variant = VariantParts<'a, 'c>;

    fn variant_seed<V: DeserializeSeed<'de>>(
        self,
        seed: V,
    ) -> Result<(V::Value, VariantParts<'a, 'c>), ColumnError> {
        let index = self.decoder.shapes.next()?;
        let value = seed.deserialize(IntoDeserializer::<ColumnError>::into_deserializer(index))?;
        Ok((value, VariantParts { decoder: self.decoder }))
    }
}

struct VariantParts<'a, 'c> {
    decoder: &'a mut Decoder<'c>,
}

impl<'de> de::VariantAccess<'de> for VariantParts<'_, '_> {
    type Error = ColumnError;

    fn unit_variant(self) -> Result<(), ColumnError> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(
        self,
        seed: T,
    ) -> Result<T::Value, ColumnError> {
        seed.deserialize(self.decoder)
    }

    fn tuple_variant<V: Visitor<'de>>(
        self,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, ColumnError> {
        self.decoder.parts(length, true, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ColumnError> {
        self.decoder.parts(fields.len(), false, visitor)
    }
}

macro_rules! numbers {
    ($($method:ident $visit:ident $column:ident $convert:expr),*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ColumnError> {
            let number = self.$column[self.slot % SLOTS].next()?;
            visitor.$visit($convert(number))
        }
    )*};
}

impl<'de> de::Deserializer<'de> for &mut Decoder<'_> {
    type Error = ColumnError;

    fn is_human_readable(&self) -> bool {
        false
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, ColumnError> {
        Err(unsupported("values that say what they are"))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, ColumnError> {
        Err(unsupported("values that say what they are"))
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, _: V) -> Result<V::Value, ColumnError> {
        Err(unsupported("names of fields"))
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ColumnError> {
        match self.byte()? {
            0 => visitor.visit_bool(false),
            1 => visitor.visit_bool(true),
            other => Err(ColumnError(format!("{other} is neither true nor false"))),
        }
    }

    fn deserialize_u8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ColumnError> {
        let byte = self.byte()?;
        visitor.visit_u8(byte)
    }

    fn deserialize_i8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ColumnError> {
        let byte = self.byte()?;
        visitor.visit_i8(byte.cast_signed())
    }

    numbers!(
        deserialize_u16 visit_u16 twos (|number| number),
        deserialize_i16 visit_i16 twos u16::cast_signed,
        deserialize_u32 visit_u32 fours (|number| number),
        deserialize_i32 visit_i32 fours u32::cast_signed,
        deserialize_u64 visit_u64 eights (|number| number),
        deserialize_i64 visit_i64 eights unfolded,
        deserialize_i128 visit_i128 sixteens unfolded_wide
    );

    fn deserialize_u128<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ColumnError> {
        let number = self.sixteens[self.slot % SLOTS].next()?;
        visitor.visit_u128(number)
    }

    fn deserialize_f32<V: Visitor<'de>>(self, _: V) -> Result<V::Value, ColumnError> {
        Err(unsupported("floats"))
    }

    fn deserialize_f64<V: Visitor<'de>>(self, _: V) -> Result<V::Value, ColumnError> {
        Err(unsupported("floats"))
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ColumnError> {
        let number = self.fours[self.slot].next()?;
        let letter = char::from_u32(number);
        visitor.visit_char(letter.ok_or_else(|| ColumnError(format!("{number} is no letter")))?)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ColumnError> {
        visitor.visit_str(self.text()?)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ColumnError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ColumnError> {
        let length = self.shape()?;
        visitor.visit_bytes(self.names.slice(length)?)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ColumnError> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ColumnError> {
        match self.shape()? {
            0 => visitor.visit_none(),
            1 => visitor.visit_some(self),
            other => Err(ColumnError(format!("{other} is neither none nor some"))),
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ColumnError> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, ColumnError> {
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, ColumnError> {
        if name == NAME_ROW {
            return self.row(visitor);
        }
        if name == NAME_32 {
            return visitor.visit_bytes(self.names.slice(NAME_BYTES)?);
        }
        if name == NAME_BLOB {
            let length = self.shape()?;
            return visitor.visit_bytes(self.bytes.slice(length)?);
        }
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ColumnError> {
        let length = self.shape()?;
        self.parts(length, false, visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, ColumnError> {
        self.parts(length, true, visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, ColumnError> {
        self.parts(length, true, visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ColumnError> {
        let left = self.shape()?;
        let slot = self.slot;
        let value = visitor.visit_map(Entries { decoder: &mut *self, left });
        self.slot = slot;
        value
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ColumnError> {
        self.parts(fields.len(), false, visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ColumnError> {
        visitor.visit_enum(Variant { decoder: self })
    }
}
