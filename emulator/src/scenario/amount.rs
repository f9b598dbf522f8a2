//! Amounts and durations as people write them: `"1000 TAO"`, `"5 alpha"`, `"500 rao"`, `"2h"`. Exact, never floats.

use protocol::units::{BLOCK_MS, UNITS_PER_TOKEN};
use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

const DECIMALS: usize = 9;
const BLOCK_SECONDS: u64 = BLOCK_MS / 1_000;

/// What an amount is of.
trait Unit {
    const NAME: &'static str;
}

macro_rules! amount {
    ($(#[$doc:meta])* $name:ident, $unit:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
        pub struct $name(pub u64);

        impl Unit for $name {
            const NAME: &'static str = $unit;
        }

        impl fmt::Display for $name {
            fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
                to.write_str(&text(self.0, Self::NAME))
            }
        }

        impl FromStr for $name {
            type Err = ();

            fn from_str(text: &str) -> Result<Self, ()> {
                read(text, Self::NAME).map(Self).ok_or(())
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                from.deserialize_any(AmountVisitor(Self::NAME)).map(Self)
            }
        }
    };
}

amount!(
    /// TAO, in rao.
    Tao,
    "TAO"
);
amount!(
    /// Alpha, in its smallest unit.
    AlphaAmount,
    "alpha"
);

fn text(units: u64, name: &str) -> String {
    let (whole, part) = (units / UNITS_PER_TOKEN, units % UNITS_PER_TOKEN);
    if part == 0 {
        return format!("{whole} {name}");
    }
    let part = format!("{part:09}");
    format!("{whole}.{} {name}", part.trim_end_matches('0'))
}

fn read(text: &str, name: &str) -> Option<u64> {
    let (number, unit) = text.trim().split_once(char::is_whitespace)?;
    let unit = unit.trim();
    if unit == "rao" {
        return digits(number);
    }
    if unit != name {
        return None;
    }
    let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
    if part.len() > DECIMALS {
        return None;
    }
    let part = digits(&format!("{part:0<DECIMALS$}"))?;
    digits(whole)?.checked_mul(UNITS_PER_TOKEN)?.checked_add(part)
}

/// Digits, with `_` between them if wanted.
fn digits(text: &str) -> Option<u64> {
    let digits: String = text.chars().filter(|digit| *digit != '_').collect();
    let all = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
    all.then(|| digits.parse().ok()).flatten()
}

/// Reads an amount of a unit; a bare number is refused, for nobody could tell what it counts.
struct AmountVisitor(&'static str);

impl Visitor<'_> for AmountVisitor {
    type Value = u64;

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "an amount with its unit, such as \"12.5 {}\" or \"500 rao\"", self.0)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<u64, E> {
        read(text, self.0).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
    }
}

/// A number of blocks, or a duration that is one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Blocks(pub u64);

impl Serialize for Blocks {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(self.0)
    }
}

impl<'de> Deserialize<'de> for Blocks {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(BlocksVisitor)
    }
}

struct BlocksVisitor;

impl Visitor<'_> for BlocksVisitor {
    type Value = Blocks;

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("a number of blocks, or a duration such as \"2h\"")
    }

    fn visit_u64<E: Error>(self, blocks: u64) -> Result<Blocks, E> {
        Ok(Blocks(blocks))
    }

    fn visit_i64<E: Error>(self, blocks: i64) -> Result<Blocks, E> {
        let value = u64::try_from(blocks).map(Blocks);
        value.map_err(|_| E::invalid_value(Unexpected::Signed(blocks), &self))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Blocks, E> {
        let wrong = || E::invalid_value(Unexpected::Str(text), &self);
        let unit = text.chars().last().ok_or_else(wrong)?;
        let seconds = match unit {
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            'd' => 86_400,
            _ => return Err(wrong()),
        };
        let number = digits(&text[..text.len() - 1]).ok_or_else(wrong)?;
        let seconds = number.checked_mul(seconds).ok_or_else(wrong)?;
        Ok(Blocks(seconds / BLOCK_SECONDS))
    }
}

/// The ends of a range such as `1..20`, both of which are in it.
pub fn ends(text: &str) -> Option<(u64, u64)> {
    let (first, last) = text.split_once("..")?;
    Some((first.trim().parse().ok()?, last.trim().parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_exact() {
        let rows = [
            ("1000 TAO", Some(1_000_000_000_000)),
            ("1_000 TAO", Some(1_000_000_000_000)),
            ("0.000000001 TAO", Some(1)),
            ("12.5 TAO", Some(12_500_000_000)),
            ("500 rao", Some(500)),
            ("18446744073.709551615 TAO", Some(u64::MAX)),
            ("18446744073.709551616 TAO", None),
            ("0.0000000001 TAO", None),
            ("5 alpha", None),
            ("5", None),
            ("-5 TAO", None),
            ("1e3 TAO", None),
            (". TAO", None),
            ("TAO", None),
        ];
        for (text, rao) in rows {
            assert_eq!(read(text, "TAO"), rao, "{text}");
            if let Some(rao) = rao {
                assert_eq!(read(&Tao(rao).to_string(), "TAO"), Some(rao), "{text}");
            }
        }
    }

    #[test]
    fn blocks_are_numbers_or_durations() {
        let rows = [
            ("v = 7", Some(7)),
            ("v = \"2h\"", Some(600)),
            ("v = \"1d\"", Some(7_200)),
            ("v = \"30m\"", Some(150)),
            ("v = \"24s\"", Some(2)),
            ("v = \"7\"", None),
            ("v = -7", None),
            ("v = 1.7", None),
            ("v = \"many\"", None),
            ("v = \"99999999999999999999d\"", None),
        ];
        #[derive(Deserialize)]
        struct Row {
            v: Blocks,
        }
        for (text, blocks) in rows {
            let read = toml::from_str::<Row>(text).ok();
            assert_eq!(read.map(|row| row.v.0), blocks, "{text}");
        }
    }
}
