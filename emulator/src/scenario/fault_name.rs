//! What a fault of a scenario is called: the simulated kinds, and what strikes below the simulation by its own names.
//!
//! What belongs here: reading and writing the name. What does not: what a scenario may say of a kind (`genesis::faults`),
//! and which there are below the simulation (`run::disturbance`).

use crate::run::disturbance::Disturbance;
use serde::de::{DeserializeSeed, EnumAccess, Error, VariantAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::sync::LazyLock;
use strum::VariantArray;

/// What a fault does, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultName {
    Loss,
    Corruption,
    Duplication,
    Delay,
    Clog,
    Partition,
    Offline,
    /// It strikes below the simulation.
    Below(Disturbance),
}

/// The simulated ones.
const SIMULATED: [FaultName; 7] = [
    FaultName::Loss,
    FaultName::Corruption,
    FaultName::Duplication,
    FaultName::Delay,
    FaultName::Clog,
    FaultName::Partition,
    FaultName::Offline,
];

static WORDS: LazyLock<Vec<&'static str>> =
    LazyLock::new(|| FaultName::all().map(FaultName::name).collect());

impl FaultName {
    /// Every one, in the order in which they are listed to people.
    pub fn all() -> impl Iterator<Item = Self> {
        SIMULATED.into_iter().chain(Disturbance::VARIANTS.iter().copied().map(Self::Below))
    }

    /// As a scenario writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Loss => "loss",
            Self::Corruption => "corruption",
            Self::Duplication => "duplication",
            Self::Delay => "delay",
            Self::Clog => "clog",
            Self::Partition => "partition",
            Self::Offline => "offline",
            Self::Below(what) => what.name(),
        }
    }
}

impl Serialize for FaultName {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.name())
    }
}

/// As an enum without fields is read, so that those who ask a type what it takes are told the words.
impl<'de> Deserialize<'de> for FaultName {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_enum("FaultName", &WORDS, Word)
    }
}

struct Word;

impl<'de> Visitor<'de> for Word {
    type Value = FaultName;

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("the kind of a fault")
    }

    fn visit_enum<A: EnumAccess<'de>>(self, data: A) -> Result<FaultName, A::Error> {
        let (name, variant) = data.variant_seed(Self)?;
        variant.unit_variant()?;
        Ok(name)
    }

    fn visit_str<E: Error>(self, word: &str) -> Result<FaultName, E> {
        let found = FaultName::all().find(|one| one.name() == word);
        found.ok_or_else(|| E::unknown_variant(word, &WORDS))
    }
}

impl<'de> DeserializeSeed<'de> for Word {
    type Value = FaultName;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<FaultName, D::Error> {
        from.deserialize_identifier(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_name_is_read_as_it_is_written_and_no_two_are_alike() {
        let mut seen = BTreeSet::new();
        for one in FaultName::all() {
            let word = serde_json::to_string(&one).expect("a word");
            assert_eq!(word, format!("{:?}", one.name()));
            assert_eq!(serde_json::from_str::<FaultName>(&word).expect("it is one"), one);
            assert!(seen.insert(one.name()), "{word} twice");
            // What strikes below the simulation is kept under the same word in orders and journals.
            if let FaultName::Below(what) = one {
                assert_eq!(serde_json::to_string(&what).expect("a word"), word);
            }
        }
        let wrong = serde_json::from_str::<FaultName>("\"los\"").expect_err("none is called so");
        assert!(wrong.to_string().starts_with("unknown variant `los`, expected one of `loss`, "));
        assert!(serde_json::from_str::<FaultName>("{\"loss\": 1}").is_err(), "it takes no fields");
    }
}
