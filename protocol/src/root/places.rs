//! Hashes of rows and sealed rows, kept by where they stand.
//!
//! What belongs here: which of these hashes are known. What does not: what is hashed (`root`).
//!
//! A row is long and written twice when it is set, so its hash is kept instead of being computed once more to come off;
//! where it stands is a number, so it costs no look-up.

use super::sum::Sum;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

/// Hashes of a subnet's rows: nothing for a row that says nothing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rows {
    /// By mechanism and uid; `None` for rows that were written to. `None` as a whole before they are first asked for.
    known: Option<Vec<Vec<Option<Sum>>>>,
    touched: Vec<(u8, u16)>,
    sum: Sum,
}

impl Rows {
    /// A row is written to.
    pub fn touch(&mut self, mechanism: u8, uid: u16) {
        let Some(known) = &mut self.known else { return };
        let row = known.get_mut(usize::from(mechanism));
        match row.and_then(|rows| rows.get_mut(usize::from(uid))) {
            Some(slot) => {
                if let Some(old) = slot.take() {
                    self.sum.subtract(old);
                    self.touched.push((mechanism, uid));
                }
            }
            None => *self = Self::default(),
        }
    }

    /// Rows to hash; `lengths` says how many each mechanism has, and is asked when nothing is known.
    pub fn stale(&mut self, lengths: impl Iterator<Item = usize>) -> Vec<(u8, u16)> {
        let touched = &mut self.touched;
        self.known.get_or_insert_with(|| {
            let all = (0..=u8::MAX).zip(lengths).map(|(mechanism, length)| {
                touched.extend((0..=u16::MAX).take(length).map(|uid| (mechanism, uid)));
                alloc::vec![None; length]
            });
            all.collect()
        });
        core::mem::take(touched)
    }

    /// The hash of a stale row.
    pub fn put(&mut self, (mechanism, uid): (u8, u16), hash: Sum) {
        let rows = self.known.as_mut().and_then(|known| known.get_mut(usize::from(mechanism)));
        if let Some(slot) = rows.and_then(|rows| rows.get_mut(usize::from(uid))) {
            *slot = Some(hash);
            self.sum.add(hash);
        }
    }

    /// Over all rows, once no stale one is left.
    pub const fn sum(&self) -> Sum {
        self.sum
    }
}

/// Hashes of the commits in a subnet's queues of sealed rows, by queue and place.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sealed {
    known: BTreeMap<(u8, u64), Vec<Sum>>,
    /// Queues whose last commits are not known; `None` before they are first asked for.
    stale: Option<BTreeSet<(u8, u64)>>,
    sum: Sum,
}

impl Sealed {
    /// A queue changes from a place on.
    pub fn touch(&mut self, queue: (u8, u64), place: usize) {
        let Some(stale) = &mut self.stale else { return };
        stale.insert(queue);
        if let Some(known) = self.known.get_mut(&queue) {
            for hash in known.drain(place.min(known.len())..) {
                self.sum.subtract(hash);
            }
            if known.is_empty() {
                self.known.remove(&queue);
            }
        }
    }

    /// Queues to hash, each from a place on; `all` names all queues and is asked when nothing is known.
    pub fn stale(
        &mut self,
        all: impl Iterator<Item = (u8, u64)>,
    ) -> impl Iterator<Item = ((u8, u64), usize)> {
        let stale = self.stale.replace(BTreeSet::new()).unwrap_or_else(|| all.collect());
        stale.into_iter().map(|queue| (queue, self.known.get(&queue).map_or(0, Vec::len)))
    }

    /// The hash at a place of a stale queue that has `length` commits.
    pub fn put(&mut self, queue: (u8, u64), (place, length): (usize, usize), hash: Sum) {
        let known = self.known.entry(queue).or_default();
        known.resize(length, Sum::default());
        known[place] = hash;
        self.sum.add(hash);
    }

    /// Over all commits, once no stale queue is left.
    pub const fn sum(&self) -> Sum {
        self.sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(number: u8) -> Sum {
        Sum::of(&[number; 32])
    }

    fn sum(numbers: &[u8]) -> Sum {
        let mut sum = Sum::default();
        numbers.iter().for_each(|number| sum.add(hash(*number)));
        sum
    }

    #[test]
    fn a_touched_row_is_hashed_once_and_a_new_place_makes_all_of_them_stale() {
        let mut rows = Rows::default();
        rows.touch(0, 1);
        assert_eq!(rows.stale([2, 1].into_iter()), [(0, 0), (0, 1), (1, 0)]);
        for (row, number) in [((0, 0), 1), ((0, 1), 2), ((1, 0), 3)] {
            rows.put(row, hash(number));
        }
        assert_eq!(rows.sum(), sum(&[1, 2, 3]));
        rows.touch(0, 1);
        rows.touch(0, 1);
        assert_eq!(rows.stale([9].into_iter()), [(0, 1)]);
        rows.put((0, 1), hash(4));
        assert_eq!(rows.sum(), sum(&[1, 4, 3]));
        rows.touch(1, 1);
        assert_eq!(rows.stale([2, 2].into_iter()).len(), 4);
        assert_eq!(rows.sum(), Sum::default(), "nothing is known any more");
    }

    #[test]
    fn a_queue_is_stale_from_the_first_place_that_changed() {
        let mut sealed = Sealed::default();
        let queue = (0, 7);
        sealed.touch(queue, 0);
        assert_eq!(sealed.stale([queue].into_iter()).collect::<Vec<_>>(), [(queue, 0)]);
        (0..3).for_each(|place| sealed.put(queue, (place, 3), hash(place as u8)));
        assert_eq!(sealed.sum(), sum(&[0, 1, 2]));
        assert_eq!(sealed.stale([queue].into_iter()).count(), 0);
        sealed.touch(queue, 3);
        assert_eq!(sealed.stale([].into_iter()).collect::<Vec<_>>(), [(queue, 3)]);
        sealed.put(queue, (3, 4), hash(3));
        assert_eq!(sealed.sum(), sum(&[0, 1, 2, 3]));
        sealed.touch(queue, 3);
        sealed.touch(queue, 1);
        sealed.touch(queue, 2);
        assert_eq!(sealed.stale([].into_iter()).collect::<Vec<_>>(), [(queue, 1)]);
        assert_eq!(sealed.sum(), sum(&[0]));
        sealed.touch(queue, 0);
        assert_eq!((sealed.sum(), sealed.known.len()), (Sum::default(), 0), "it is gone");
    }
}
