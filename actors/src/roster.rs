//! Keys found by their first bits: accounts and players' ids are hashes, so one step nearly always finds one.
//!
//! What belongs here: where a key stands among others. What does not: what is kept for it.

use protocol::units::{AccountId, PlayerId};

/// Keys that spread evenly over their first 64 bits.
pub trait Spread: Copy + Ord {
    /// The first 64 bits; never descending where keys ascend.
    fn first_bits(&self) -> u64;
}

impl Spread for PlayerId {
    fn first_bits(&self) -> u64 {
        self.0
    }
}

impl Spread for AccountId {
    fn first_bits(&self) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.0;
        u64::from_be_bytes([a, b, c, d, e, f, g, h])
    }
}

/// Bits of a key that are looked at first, at most: 64 MiB of starting points.
const BITS_MAX: u32 = 24;

/// Different keys, ascending, each with its place among them. Keys that do not spread are found as well, by bisection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roster<K> {
    keys: Vec<K>,
    /// Where the keys with each beginning start, and one more for the end.
    starts: Vec<u32>,
    bits: u32,
}

impl<K: Spread> FromIterator<K> for Roster<K> {
    fn from_iter<I: IntoIterator<Item = K>>(keys: I) -> Self {
        let mut keys: Vec<K> = keys.into_iter().collect();
        keys.sort_unstable();
        keys.dedup();
        let bits = (usize::BITS - keys.len().leading_zeros()).clamp(1, BITS_MAX);
        let mut starts = vec![0; (1 << bits) + 1];
        for key in &keys {
            starts[beginning(key, bits) + 1] += 1;
        }
        let mut before = 0;
        for start in &mut starts {
            before += *start;
            *start = before;
        }
        Self { keys, starts, bits }
    }
}

impl<K: Spread> Default for Roster<K> {
    fn default() -> Self {
        std::iter::empty().collect()
    }
}

impl<K: Spread> Roster<K> {
    /// The place of a key, counted from 0.
    pub fn place(&self, key: &K) -> Option<usize> {
        let at = beginning(key, self.bits);
        let (from, until) = (self.starts[at] as usize, self.starts[at + 1] as usize);
        self.keys[from..until].binary_search(key).ok().map(|place| from + place)
    }

    /// Whether the key is there.
    pub fn contains(&self, key: &K) -> bool {
        self.place(key).is_some()
    }

    /// All keys, ascending.
    pub fn keys(&self) -> &[K] {
        &self.keys
    }
}

fn beginning<K: Spread>(key: &K, bits: u32) -> usize {
    (key.first_bits() >> (u64::BITS - bits)) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::dice::{Dice, Domain};

    fn places(keys: Vec<u64>) {
        let roster: Roster<PlayerId> = keys.iter().copied().map(PlayerId).collect();
        let mut sorted = keys;
        sorted.sort();
        sorted.dedup();
        for (place, key) in sorted.iter().enumerate() {
            assert_eq!(roster.place(&PlayerId(*key)), Some(place), "{key:x}");
            for near in [key.wrapping_sub(1), key.wrapping_add(1), !key] {
                let expected = sorted.binary_search(&near).ok();
                assert_eq!(roster.place(&PlayerId(near)), expected, "{near:x} beside {key:x}");
            }
        }
        assert_eq!(roster.keys().len(), sorted.len());
    }

    #[test]
    fn keys_are_found_however_they_spread() {
        let mut dice = Dice::new(1, Domain::Net, 2, 3, 4);
        places(Vec::new());
        places(vec![7]);
        places(vec![0, u64::MAX, 0]);
        places((0..3_000).collect());
        places((0..3_000).map(|n| u64::MAX - 3 * n).collect());
        places((0..3_000).map(|_| dice.next_u64()).collect());
    }

    #[test]
    fn accounts_that_begin_alike_are_told_apart() {
        let account = |last| {
            let mut bytes = [7; 32];
            bytes[31] = last;
            AccountId(bytes)
        };
        let roster: Roster<AccountId> = [9, 3, 200].map(account).into_iter().collect();
        let places = [3, 4, 9, 200].map(|last| roster.place(&account(last)));
        assert_eq!(places, [Some(0), None, Some(1), Some(2)]);
    }
}
