//! Units and identifiers: amounts, heights, network and neuron ids, accounts, hashes, player ids.
//!
//! What belongs here: newtypes and their text forms. What does not: any rule.

use alloc::string::String;
use alloc::vec::Vec;
use blake2::Digest as _;
use core::fmt;
use core::str::FromStr;
use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Smallest units in one TAO or one alpha.
pub const UNITS_PER_TOKEN: u64 = 1_000_000_000;
/// Simulated length of a block, in milliseconds.
pub const BLOCK_MS: u64 = 12_000;
/// Blocks in a simulated day.
pub const BLOCKS_PER_DAY: u64 = 7_200;

macro_rules! amount {
    ($(#[$doc:meta])* $name:ident, $suffix:literal) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(pub u64);

        impl $name {
            /// Nothing.
            pub const ZERO: Self = Self(0);

            /// Whole tokens as smallest units; saturates.
            pub const fn whole(tokens: u64) -> Self {
                Self(tokens.saturating_mul(UNITS_PER_TOKEN))
            }

            /// Sum, saturating as the chain's currency arithmetic does.
            pub const fn plus(self, other: Self) -> Self {
                Self(self.0.saturating_add(other.0))
            }

            /// Difference, saturating at zero as the chain's currency arithmetic does.
            pub const fn minus(self, other: Self) -> Self {
                Self(self.0.saturating_sub(other.0))
            }
        }

        /// Nine decimals and the unit, exact.
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let (whole, part) = (self.0 / UNITS_PER_TOKEN, self.0 % UNITS_PER_TOKEN);
                write!(f, "{whole}.{part:09} {}", $suffix)
            }
        }
    };
}

amount!(
    /// An amount of TAO in rao (1 TAO = 10⁹ rao).
    Rao,
    "TAO"
);
amount!(
    /// An amount of a subnet's alpha in its smallest unit (1 alpha = 10⁹); on root it equals rao.
    Alpha,
    "alpha"
);

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number!(
    /// A block's number, the chain's own.
    Height(u64)
);
number!(
    /// A subnet's number; 0 is root.
    NetUid(u16)
);
number!(
    /// A neuron's slot in its subnet.
    Uid(u16)
);

impl NetUid {
    /// The root network.
    pub const ROOT: Self = Self(0);

    /// Whether this is the root network.
    pub const fn is_root(self) -> bool {
        self.0 == 0
    }
}

/// A player of the simulation. Derived from (group name, index in the group), see [`crate::dice`].
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct PlayerId(pub u64);

impl PlayerId {
    /// The chain itself as a sender: receipts and timeline calls.
    pub const CHAIN: Self = Self(0);
}

impl fmt::Display for PlayerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// Thirty-two bytes of a hash; text form is lower-case hex.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash32(pub [u8; 32]);

/// A coldkey or hotkey: 32 bytes, text form SS58 with prefix 42.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct AccountId(pub [u8; 32]);

/// Byte by byte. The first eight bytes, as one number, nearly always decide: look-ups spend their time here.
impl Ord for AccountId {
    fn cmp(&self, other: &Self) -> core::cmp::Ordering {
        self.first_bytes().cmp(&other.first_bytes()).then_with(|| self.0.cmp(&other.0))
    }
}

impl PartialOrd for AccountId {
    fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// Why a text is not an account or a hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseIdError {
    /// Not base 58 or not hexadecimal.
    #[error("is not written in the expected alphabet")]
    Alphabet,
    /// Not the expected number of bytes.
    #[error("does not have the expected length")]
    Length,
    /// An SS58 text for another network.
    #[error("is an address of another network (SS58 prefix other than 42)")]
    Prefix,
    /// The SS58 checksum does not match.
    #[error("has a wrong checksum")]
    Checksum,
}

const SS58_PREFIX: u8 = 42;

impl AccountId {
    /// The zero account: what an unset owner reads as.
    pub const ZERO: Self = Self([0; 32]);

    fn first_bytes(&self) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.0;
        u64::from_be_bytes([a, b, c, d, e, f, g, h])
    }

    /// SS58 text with prefix 42.
    pub fn to_ss58(self) -> String {
        let mut bytes = Vec::with_capacity(35);
        bytes.push(SS58_PREFIX);
        bytes.extend_from_slice(&self.0);
        let checksum = ss58_checksum(&bytes);
        bytes.extend_from_slice(&checksum[..2]);
        bs58::encode(bytes).into_string()
    }
}

fn ss58_checksum(bytes: &[u8]) -> [u8; 64] {
    let mut hasher = blake2::Blake2b512::new();
    hasher.update(b"SS58PRE");
    hasher.update(bytes);
    hasher.finalize().into()
}

impl FromStr for AccountId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        let bytes = bs58::decode(text).into_vec().map_err(|_| ParseIdError::Alphabet)?;
        if bytes.len() != 35 {
            return Err(ParseIdError::Length);
        }
        if bytes[0] != SS58_PREFIX {
            return Err(ParseIdError::Prefix);
        }
        if ss58_checksum(&bytes[..33])[..2] != bytes[33..] {
            return Err(ParseIdError::Checksum);
        }
        let mut account = [0; 32];
        account.copy_from_slice(&bytes[1..33]);
        Ok(Self(account))
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_ss58())
    }
}

impl fmt::Debug for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_ss58())
    }
}

impl fmt::Display for Hash32 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash32 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Hash32 {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        if text.len() != 64 || !text.is_ascii() {
            return Err(ParseIdError::Length);
        }
        let mut bytes = [0; 32];
        for (index, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * index..2 * index + 2], 16)
                .map_err(|_| ParseIdError::Alphabet)?;
        }
        Ok(Self(bytes))
    }
}

/// What codecs call the 32 bytes of an account or a hash: a name, not a number. One that knows it may hand the reader
/// the bytes instead of two numbers.
pub const NAME_32: &str = "Name32";

/// Reads 32 bytes as two numbers.
struct Halves;

impl<'de> Visitor<'de> for Halves {
    type Value = [u8; 32];

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("32 bytes")
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> Result<[u8; 32], D::Error> {
        let (front, back) = <(u128, u128)>::deserialize(deserializer)?;
        let mut bytes = [0; 32];
        bytes[..16].copy_from_slice(&front.to_le_bytes());
        bytes[16..].copy_from_slice(&back.to_le_bytes());
        Ok(bytes)
    }

    fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<[u8; 32], E> {
        bytes.try_into().map_err(|_| E::invalid_length(bytes.len(), &self))
    }
}

macro_rules! text_or_bytes {
    ($name:ident) => {
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if serializer.is_human_readable() {
                    serializer.collect_str(self)
                } else {
                    // Two numbers rather than 32: the same bytes in fewer steps.
                    let half = |at: usize| {
                        let half = self.0[at..at + 16].try_into().expect("half of 32 bytes");
                        u128::from_le_bytes(half)
                    };
                    serializer.serialize_newtype_struct(NAME_32, &(half(0), half(16)))
                }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                if deserializer.is_human_readable() {
                    let text = String::deserialize(deserializer)?;
                    text.parse().map_err(|error| {
                        serde::de::Error::custom(alloc::format!("{text:?} {error}"))
                    })
                } else {
                    let halves = deserializer.deserialize_newtype_struct(NAME_32, Halves)?;
                    Ok(Self(halves))
                }
            }
        }
    };
}

text_or_bytes!(AccountId);
text_or_bytes!(Hash32);

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn an_address_reads_back_and_a_wrong_one_is_refused() {
        let text = "5HCFWvRqzSHWRPecN7q8J6c7aKQnrCZTMHstPv39xL1wgDHh";
        let account: AccountId = text.parse().expect("a real address");
        assert_eq!(account.to_ss58(), text);
        let wrong = text.replace("DHh", "DHi");
        assert_eq!(wrong.parse::<AccountId>(), Err(ParseIdError::Checksum));
        assert_eq!("0".parse::<AccountId>(), Err(ParseIdError::Alphabet));
        assert_eq!("5HC".parse::<AccountId>(), Err(ParseIdError::Length));
    }

    #[test]
    fn accounts_are_ordered_byte_by_byte() {
        for at in 0..32 {
            let (mut low, mut high) = ([7; 32], [7; 32]);
            (low[at], high[at]) = (1, 0x80);
            high[at + 1..].fill(0);
            assert!(AccountId(low) < AccountId(high), "byte {at}");
        }
    }

    #[test]
    fn a_hash_reads_back() {
        let hash = Hash32([0xa5; 32]);
        assert_eq!(hash.to_string().parse(), Ok(hash));
        assert_eq!("xy".parse::<Hash32>(), Err(ParseIdError::Length));
    }

    #[test]
    fn amounts_show_nine_decimals() {
        assert_eq!(Rao(1_500_000_001).to_string(), "1.500000001 TAO");
    }
}
