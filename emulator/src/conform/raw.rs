//! Raw bits of fixed-point numbers as the case files write them: strings of digits, because JSON
//! numbers are not that wide.

use std::fmt::Display;
use std::str::FromStr;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An integer that is a string of digits in a case file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Raw<T>(pub T);

impl<'de, T: FromStr<Err: Display>> Deserialize<'de> for Raw<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let digits = String::deserialize(from)?;
        let value =
            digits.parse().map_err(|error| D::Error::custom(format!("{digits:?}: {error}")))?;
        Ok(Self(value))
    }
}

impl<T: Display> Serialize for Raw<T> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&self.0)
    }
}
