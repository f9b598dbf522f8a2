//! A map's hash as the sum of its entries' hashes: a write costs its entry, not the map.
//!
//! What belongs here: sums, and which entries' hashes are known. What does not: what an entry says.
//!
//! The sum is modulo 2²⁵⁶. Equal maps have equal sums however they came about, and an error in one entry shows with all
//! but certainty. Whoever may choose many entries freely can find two maps with one sum; nobody can, since a state
//! follows from the events, which the block hash covers by themselves.

use crate::units::Hash32;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

/// What hashes of entries are keyed with, so that they are no hashes of anything else.
const KEY: &[u8; 32] = b"btemu state root 3: entry of map";

/// Touched entries beyond those known, until the whole map is summed anew.
const TOUCHED_SPARE: usize = 1 << 12;

/// Which map an entry stands in: the first byte of what is hashed. Numbers are for good.
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
    /// The hash of one entry, whose bytes are behind the part's number in `bytes`.
    fn entry(bytes: &[u8]) -> Self {
        let hash = *blake3::keyed_hash(KEY, bytes).as_bytes();
        let (words, _) = hash.as_chunks::<8>();
        Self(core::array::from_fn(|word| u64::from_le_bytes(words[word])))
    }

    /// The hash of what `write` appends; nothing for nothing.
    pub fn of(part: Part, buffer: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) -> Self {
        buffer.clear();
        buffer.push(part as u8);
        write(buffer);
        Self::entry(buffer)
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

/// The sum over a map, and the hash of each of its entries.
#[derive(Clone, Debug)]
pub(crate) struct Kept<K> {
    /// `None` before it is first asked for, and after everything was written to.
    sum: Option<Sum>,
    known: BTreeMap<K, Sum>,
    touched: Vec<K>,
}

impl<K> Default for Kept<K> {
    fn default() -> Self {
        Self { sum: None, known: BTreeMap::new(), touched: Vec::new() }
    }
}

impl<K: Ord + Copy> Kept<K> {
    /// An entry is written to, comes or goes.
    pub fn touch(&mut self, key: K) {
        if self.sum.is_none() || self.touched.last() == Some(&key) {
            return;
        }
        if self.touched.len() > self.known.len() + TOUCHED_SPARE {
            self.forget();
        } else {
            self.touched.push(key);
        }
    }

    /// Everything was written to.
    pub fn forget(&mut self) {
        *self = Self::default();
    }

    /// The sum. `keys` names all entries and is asked when nothing is known; `write` appends what an entry says, and
    /// tells whether it is there.
    pub fn sum<I: Iterator<Item = K>>(
        &mut self,
        part: Part,
        buffer: &mut Vec<u8>,
        keys: impl FnOnce() -> I,
        mut write: impl FnMut(&K, &mut Vec<u8>) -> bool,
    ) -> Sum {
        let mut sum = self.sum.unwrap_or_else(|| {
            self.touched.extend(keys());
            Sum::default()
        });
        for key in self.touched.drain(..) {
            buffer.clear();
            buffer.push(part as u8);
            let old = if write(&key, buffer) {
                let new = Sum::entry(buffer);
                sum.add(new);
                self.known.insert(key, new)
            } else {
                self.known.remove(&key)
            };
            if let Some(old) = old {
                sum.subtract(old);
            }
        }
        self.sum = Some(sum);
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(kept: &mut Kept<u8>, entries: &BTreeMap<u8, u8>) -> (Sum, usize) {
        let mut written = 0;
        let keys = || entries.keys().copied();
        let sum = kept.sum(Part::Row, &mut Vec::new(), keys, |key, out| {
            written += 1;
            let entry = entries.get(key);
            out.extend(entry.map(|value| [*key, *value]).into_iter().flatten());
            entry.is_some()
        });
        (sum, written)
    }

    #[test]
    fn a_write_costs_its_entry_and_equal_maps_have_equal_sums() {
        let mut kept = Kept::default();
        assert_eq!(sum(&mut kept, &[].into()), (Sum::default(), 0));
        kept.touch(3);
        let (one, written) = sum(&mut kept, &[(3, 7)].into());
        assert_eq!((one == Sum::default(), written), (false, 1));
        kept.touch(9);
        kept.touch(9);
        let (two, written) = sum(&mut kept, &[(3, 7), (9, 1)].into());
        assert_eq!((one == two, written), (false, 1), "only what was touched is hashed again");
        assert_eq!(sum(&mut Kept::default(), &[(3, 7), (9, 1)].into()), (two, 2), "from scratch");
        assert_ne!(sum(&mut Kept::default(), &[(3, 1), (9, 7)].into()).0, two, "exchanged");
        kept.touch(3);
        kept.touch(9);
        kept.touch(3);
        assert_eq!(sum(&mut kept, &[(3, 7)].into()), (one, 3), "what is gone leaves no trace");
        kept.forget();
        assert_eq!(sum(&mut kept, &[(3, 7)].into()), (one, 1));
    }

    #[test]
    fn many_writes_without_a_sum_between_take_no_more_room_than_the_map() {
        let mut kept = Kept::default();
        let entries: BTreeMap<u8, u8> = [(1, 1), (2, 2)].into();
        let (before, _) = sum(&mut kept, &entries);
        for turn in 0..3 * TOUCHED_SPARE {
            kept.touch(u8::from(turn % 2 == 0) + 1);
            assert!(kept.touched.len() <= TOUCHED_SPARE + 3);
        }
        assert_eq!(sum(&mut kept, &entries).0, before);
    }

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
    }
}
