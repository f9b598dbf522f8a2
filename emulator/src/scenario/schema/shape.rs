//! What a type is read from, asked of its own `Deserialize`: a deserialiser that hands out whatever it is asked for and
//! notes what that was.
//!
//! What belongs here: shapes of types. What does not: how a shape is written as JSON Schema (`schema`).

use serde::de::value::{Error, StrDeserializer};
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, Error as _, Expected, IntoDeserializer,
    MapAccess, SeqAccess, Visitor,
};

/// What a value is read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shape {
    /// True or false.
    Flag,
    /// A whole number in these bounds, both included.
    Integer(i128, u128),
    /// A text.
    Text,
    /// One of these words.
    Words(&'static [&'static str]),
    /// As many of one kind as wanted.
    List(Box<Shape>),
    /// So many of one kind.
    Row(Box<Shape>, usize),
    /// A table with keys of its own.
    Table(Keys),
    /// A table whose keys the type does not know.
    Map,
    /// What a reader of its own takes, in its own words.
    Said(String),
}

/// The keys of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    /// Each with its shape, in the type's order.
    pub fields: Vec<Field>,
    /// Whether other keys are refused.
    pub strict: bool,
}

/// A key of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// What its value is read from.
    pub shape: Shape,
    /// Whether it cannot be left out.
    pub required: bool,
}

/// The shape of a type.
pub fn shape<T: DeserializeOwned>() -> Shape {
    shape_by(&|asker| T::deserialize(asker).map(|_| ()))
}

/// The shape of whatever reads.
///
/// # Panics
/// It cannot be read from what it asks for; which types there are is tested.
pub fn shape_by(read: &dyn Fn(Asker<'_>) -> Result<(), Error>) -> Shape {
    let found = asked(read, &Twist::None).expect("what is asked for can be read");
    completed(found, &[], read)
}

/// The same with what only a twist tells: which keys are required, what other keys do, and what is meant by "any value".
fn completed(
    found: Shape,
    path: &[&'static str],
    read: &dyn Fn(Asker<'_>) -> Result<(), Error>,
) -> Shape {
    let below = |step: &'static str| [path, &[step]].concat();
    match found {
        Shape::Table(keys) => {
            let strict = asked(read, &Twist::Stranger(path.to_vec())).is_err();
            let fields = keys.fields.into_iter().map(|field| {
                let path = below(field.name);
                Field {
                    required: asked(read, &Twist::Without(path.clone())).is_err(),
                    shape: completed(field.shape, &path, read),
                    ..field
                }
            });
            Shape::Table(Keys { fields: fields.collect(), strict })
        }
        Shape::List(one) => Shape::List(Box::new(completed(*one, &below(ELEMENT), read))),
        Shape::Row(one, count) => {
            Shape::Row(Box::new(completed(*one, &below(ELEMENT), read)), count)
        }
        Shape::Said(words) if words == ANY => match asked(read, &Twist::Nothing(path.to_vec())) {
            Err(error) => Shape::Said(error.to_string()),
            Ok(_) => Shape::Said(words),
        },
        other => other,
    }
}

/// What serde's buffer of untagged enums says that it takes.
const ANY: &str = "any value";
/// The step of a path from a list to what is in it.
const ELEMENT: &str = "[]";
/// A key that no table has.
const STRANGER: &str = "no such key";

/// What is done otherwise than asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Twist {
    None,
    /// This key is left out.
    Without(Vec<&'static str>),
    /// The table there has a key that it does not know.
    Stranger(Vec<&'static str>),
    /// There is nothing where any value would do.
    Nothing(Vec<&'static str>),
}

fn asked(read: &dyn Fn(Asker<'_>) -> Result<(), Error>, twist: &Twist) -> Result<Shape, Error> {
    let mut found = None;
    read(Asker { found: &mut found, path: Vec::new(), twist })?;
    found.ok_or_else(|| Error::custom("nothing was asked for"))
}

/// Hands out what it is asked for, and notes it.
#[derive(Debug)]
pub struct Asker<'a> {
    found: &'a mut Option<Shape>,
    path: Vec<&'static str>,
    twist: &'a Twist,
}

impl Asker<'_> {
    fn note(&mut self, shape: Shape) {
        *self.found = Some(shape);
    }
}

macro_rules! integers {
    ($($ask:ident $visit:ident $min:expr, $max:expr;)*) => {
        $(fn $ask<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Error> {
            self.note(Shape::Integer($min, $max));
            visitor.$visit(0)
        })*
    };
}

macro_rules! unknown {
    ($($ask:ident)*) => {
        $(fn $ask<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
            Err(Error::custom(concat!(stringify!($ask), ": scenarios hold no such thing")))
        })*
    };
}

impl<'de> Deserializer<'de> for Asker<'_> {
    type Error = Error;

    integers! {
        deserialize_i8 visit_i8 i8::MIN.into(), i8::MAX.unsigned_abs().into();
        deserialize_i16 visit_i16 i16::MIN.into(), i16::MAX.unsigned_abs().into();
        deserialize_i32 visit_i32 i32::MIN.into(), i32::MAX.unsigned_abs().into();
        deserialize_i64 visit_i64 i64::MIN.into(), i64::MAX.unsigned_abs().into();
        deserialize_i128 visit_i128 i128::MIN, i128::MAX.unsigned_abs();
        deserialize_u8 visit_u8 0, u8::MAX.into();
        deserialize_u16 visit_u16 0, u16::MAX.into();
        deserialize_u32 visit_u32 0, u32::MAX.into();
        deserialize_u64 visit_u64 0, u64::MAX.into();
        deserialize_u128 visit_u128 0, u128::MAX;
    }

    unknown! {
        deserialize_f32 deserialize_f64 deserialize_char deserialize_bytes deserialize_byte_buf
        deserialize_unit deserialize_identifier
    }

    fn deserialize_bool<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Error> {
        self.note(Shape::Flag);
        visitor.visit_bool(false)
    }

    fn deserialize_str<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Error> {
        self.note(Shape::Text);
        visitor.visit_str("")
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        _: V,
    ) -> Result<V::Value, Error> {
        Err(Error::custom(format!("{name} holds nothing")))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Error> {
        let (value, one) = self.elements(1, visitor)?;
        self.note(Shape::List(Box::new(one)));
        Ok(value)
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        mut self,
        count: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        let (value, one) = self.elements(count, visitor)?;
        self.note(Shape::Row(Box::new(one), count));
        Ok(value)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        count: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_tuple(count, visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Error> {
        self.note(Shape::Map);
        let nothing: [(&str, bool); 0] = [];
        visitor.visit_map(serde::de::value::MapDeserializer::new(nothing.into_iter()))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        mut self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let mut rows = Rows {
            rest: fields.iter(),
            now: STRANGER,
            found: Vec::new(),
            stranger: *self.twist == Twist::Stranger(self.path.clone()),
            path: &self.path,
            twist: self.twist,
        };
        let value = visitor.visit_map(&mut rows)?;
        let fields = rows.found;
        self.note(Shape::Table(Keys { fields, strict: false }));
        Ok(value)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        mut self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.note(Shape::Words(variants));
        let first = variants.first().ok_or_else(|| Error::custom("there is no word for it"))?;
        let word: StrDeserializer<'_, Error> = first.into_deserializer();
        visitor.visit_enum(word)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    fn deserialize_any<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Error> {
        let expected: &dyn Expected = &visitor;
        let said = expected.to_string();
        self.note(Shape::Said(said.clone()));
        if *self.twist == Twist::Nothing(self.path.clone()) {
            return visitor.visit_unit();
        }
        // Readers of amounts name the unit that they want; the others take a number, or this word.
        match ["TAO", "alpha"].into_iter().find(|unit| said.contains(unit)) {
            Some(unit) => visitor.visit_str(&format!("0 {unit}")),
            None if said == ANY => visitor.visit_str("all"),
            None => visitor.visit_u64(0),
        }
    }
}

impl Asker<'_> {
    fn elements<'de, V: Visitor<'de>>(
        &self,
        count: usize,
        visitor: V,
    ) -> Result<(V::Value, Shape), Error> {
        let path = [&self.path[..], &[ELEMENT]].concat();
        let mut elements = Elements { left: count, found: None, path, twist: self.twist };
        let value = visitor.visit_seq(&mut elements)?;
        let one = elements.found.ok_or_else(|| Error::custom("a list of nothing"))?;
        Ok((value, one))
    }
}

/// The elements of a list, one after the other.
struct Elements<'a> {
    left: usize,
    found: Option<Shape>,
    path: Vec<&'static str>,
    twist: &'a Twist,
}

impl<'de> SeqAccess<'de> for &mut Elements<'_> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Error> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        let path = self.path.clone();
        seed.deserialize(Asker { found: &mut self.found, path, twist: self.twist }).map(Some)
    }
}

/// The keys of a table, one after the other.
struct Rows<'a> {
    rest: std::slice::Iter<'static, &'static str>,
    now: &'static str,
    found: Vec<Field>,
    stranger: bool,
    path: &'a [&'static str],
    twist: &'a Twist,
}

impl<'de> MapAccess<'de> for &mut Rows<'_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Error> {
        self.now = match std::mem::take(&mut self.stranger) {
            true => STRANGER,
            false => {
                let is_out = |name: &str| match self.twist {
                    Twist::Without(path) => path
                        .split_last()
                        .is_some_and(|(last, before)| *last == name && before == self.path),
                    _ => false,
                };
                match self.rest.find(|name| !is_out(name)) {
                    Some(name) => name,
                    None => return Ok(None),
                }
            }
        };
        let name: StrDeserializer<'_, Error> = self.now.into_deserializer();
        seed.deserialize(name).map(Some)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Error> {
        let name = self.now;
        let mut found = None;
        let path = [self.path, &[name]].concat();
        let value = seed.deserialize(Asker { found: &mut found, path, twist: self.twist })?;
        if let Some(shape) = found {
            self.found.push(Field { name, shape, required: false });
        }
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::amount::{Blocks, Tao};
    use serde::Deserialize;

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only its shape is looked at")]
    struct Strict {
        count: u16,
        #[serde(default)]
        word: Word,
        rows: Vec<Loose>,
        pair: [Blocks; 2],
        amount: Option<Tao>,
        one: Either,
        table: toml::Table,
    }

    #[derive(Deserialize)]
    #[expect(dead_code, reason = "only its shape is looked at")]
    struct Loose {
        name: String,
        on: Option<bool>,
    }

    #[derive(Default, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    enum Word {
        #[default]
        OneWay,
        Both,
    }

    #[derive(Deserialize)]
    #[serde(untagged, expecting = "expected this or that")]
    #[expect(dead_code, reason = "only its shape is looked at")]
    enum Either {
        Text(String),
        Number(u64),
    }

    #[test]
    fn a_type_tells_its_shape() {
        let field = |name, shape, required| Field { name, shape, required };
        let said = |words: &str| Shape::Said(words.to_owned());
        let blocks = said("a number of blocks, or a duration such as \"2h\"");
        let loose = Keys {
            fields: vec![field("name", Shape::Text, true), field("on", Shape::Flag, false)],
            strict: false,
        };
        let strict = Keys {
            fields: vec![
                field("count", Shape::Integer(0, 65_535), true),
                field("word", Shape::Words(&["one-way", "both"]), false),
                field("rows", Shape::List(Box::new(Shape::Table(loose))), true),
                field("pair", Shape::Row(Box::new(blocks), 2), true),
                field(
                    "amount",
                    said("an amount with its unit, such as \"12.5 TAO\" or \"500 rao\""),
                    false,
                ),
                field("one", said("expected this or that"), true),
                field("table", Shape::Map, true),
            ],
            strict: true,
        };
        assert_eq!(shape::<Strict>(), Shape::Table(strict));
    }
}
