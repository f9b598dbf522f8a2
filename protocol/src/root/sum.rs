//! Sums of hashes: order does not matter, so there is no shape to keep.
//!
//! What belongs here: arithmetic modulo 2²⁵⁶, and the numbers of what is hashed. What does not: what an entry says.
//!
//! Equal states have equal sums however they came about, and an error in one entry shows with all but certainty. Whoever
//! may choose many entries freely can find two states with one sum; nobody can, since a state follows from the events,
//! which the block hash covers by themselves.

use crate::units::Hash32;

/// What an entry belongs to: the first byte of what is hashed. Numbers are for good.
#[derive(Clone, Copy, Debug)]
#[repr(u8)]
pub(crate) enum Part {
    Account = 1,
    Hotkey = 2,
    Coldkey = 3,
    Claims = 4,
    Added = 5,
    Params = 6,
    Info = 7,
    Neurons = 8,
    Bonds = 9,
    Dividends = 10,
    Axons = 11,
    Links = 12,
    PendingChildren = 13,
    Stamps = 14,
    Commits = 15,
    Row = 16,
    Pool = 17,
    Holder = 18,
    Sealed = 19,
}

/// A sum of hashes modulo 2²⁵⁶, lowest word first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sum([u64; 4]);

impl Sum {
    /// A hash as a sum of one.
    pub fn of(hash: &[u8; 32]) -> Self {
        let (words, _) = hash.as_chunks::<8>();
        Self(core::array::from_fn(|word| u64::from_le_bytes(words[word])))
    }

    pub fn add(&mut self, other: Self) {
        let mut carry = false;
        for (word, by) in self.0.iter_mut().zip(other.0) {
            let (sum, first) = word.overflowing_add(by);
            let (sum, second) = sum.overflowing_add(u64::from(carry));
            (*word, carry) = (sum, first | second);
        }
    }

    pub fn subtract(&mut self, other: Self) {
        let mut borrow = false;
        for (word, by) in self.0.iter_mut().zip(other.0) {
            let (rest, first) = word.overflowing_sub(by);
            let (rest, second) = rest.overflowing_sub(u64::from(borrow));
            (*word, borrow) = (rest, first | second);
        }
    }

    pub fn bytes(self) -> Hash32 {
        let mut bytes = [0; 32];
        for (chunk, word) in bytes.chunks_exact_mut(8).zip(self.0) {
            chunk.copy_from_slice(&word.to_le_bytes());
        }
        Hash32(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_carry_and_borrow_through_all_words() {
        let mut sum = Sum([u64::MAX; 4]);
        sum.add(Sum([1, 0, 0, 0]));
        assert_eq!(sum, Sum::default(), "modulo 2²⁵⁶");
        sum.subtract(Sum([1, 0, 0, 0]));
        assert_eq!(sum, Sum([u64::MAX; 4]));
        let (a, b) = (Sum([5, u64::MAX, 0, 9]), Sum([u64::MAX, 1, u64::MAX, 3]));
        let mut both = a;
        both.add(b);
        both.subtract(a);
        assert_eq!(both, b);
        assert_eq!(Sum([1, 0, 0, 1 << 56]).bytes().0[..1], [1]);
        assert_eq!(Sum([1, 0, 0, 1 << 56]).bytes().0[31], 1);
        assert_eq!(Sum::of(&both.bytes().0), both);
    }
}
