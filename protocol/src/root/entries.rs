//! The sum over the large maps, kept by what each write does to it: the old entry's hash comes off, the new one's on.
//!
//! What belongs here: keeping that sum. What does not: what an entry says (`root`), how hashes are computed (`lanes`).
//!
//! No hash of an entry is kept, so there is nothing to look up: whoever writes has the old value at hand. Both are
//! hashed when the root is next asked for, with all others of the block. Two writes to one entry are four hashes, of
//! which the inner two cancel.

use super::lanes::Lanes;
use super::sum::{Part, Sum};
use alloc::vec::Vec;
use core::ops::{Deref, DerefMut};

/// Changes that may wait, until those so far are hashed.
const WAITING_MAX: usize = 1 << 12;
/// Changes since the root was last asked for, until none are noted any more: whoever follows blocks without asking
/// shall not pay for hashes.
const CHANGES_MAX: usize = 1 << 17;

/// A value of a large map, under its key.
pub(crate) trait Entry<K> {
    /// Its map.
    const PART: Part;
    /// Appends the key and what the value says.
    fn write(&self, key: &K, out: &mut Vec<u8>);

    /// Has it hashed. Entries that say the same number of bytes each can do so with less ado.
    fn push<N: Copy>(&self, key: &K, note: N, lanes: &mut Lanes<N>) {
        lanes.push(note, Self::PART, |out| self.write(key, out));
    }
}

/// What a change does to the sum.
#[derive(Clone, Copy, Debug)]
enum Change {
    On,
    Off,
}

/// The sum over entries, and the changes to it that are not hashed yet.
#[derive(Clone, Debug, Default)]
pub(crate) struct Entries {
    kept: Kept,
    waiting: Lanes<Change>,
    /// Since the sum was last asked for.
    changes: usize,
}

/// Where the sum is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Kept {
    /// Nowhere: before it is first asked for, and after more changes than are worth noting.
    #[default]
    Nowhere,
    /// Here.
    Here(Sum),
    /// With a [`Tally`]; here is what it does not have yet.
    Away(Sum),
}

/// Changes that were noted, to be hashed by whoever has the sum.
#[derive(Debug)]
pub(crate) struct Changes {
    /// Those that are hashed already.
    sum: Sum,
    waiting: Lanes<Change>,
}

/// The sum over entries, away from them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tally(Sum);

impl Tally {
    /// The sum with more changes. What they took room in can be used again.
    pub fn settle(&mut self, changes: &mut Changes) -> Sum {
        self.0.add(changes.sum);
        settle(&mut self.0, &mut changes.waiting);
        self.0
    }
}

fn settle(sum: &mut Sum, waiting: &mut Lanes<Change>) {
    waiting.settle(|change, hash| match change {
        Change::On => sum.add(hash),
        Change::Off => sum.subtract(hash),
    });
}

impl Entries {
    /// Whether changes are noted.
    pub const fn is_kept(&self) -> bool {
        !matches!(self.kept, Kept::Nowhere)
    }

    /// Whether the sum is here.
    pub const fn is_here(&self) -> bool {
        matches!(self.kept, Kept::Here(_))
    }

    /// Starts with no entries.
    pub fn start(&mut self) {
        self.waiting.clear();
        (self.kept, self.changes) = (Kept::Here(Sum::default()), 0);
    }

    /// Gives the sum away, if it is here; from then on the changes to it are asked for.
    pub fn give_away(&mut self) -> Option<Tally> {
        let Kept::Here(sum) = self.kept else { return None };
        self.kept = Kept::Away(Sum::default());
        Some(Tally(sum))
    }

    /// The changes since they were last asked for, with `room` for the next ones. `None` unless the sum is away.
    pub fn changes(&mut self, room: Option<Changes>) -> Option<Changes> {
        let Kept::Away(sum) = &mut self.kept else { return None };
        self.changes = 0;
        let room = room.map_or_else(Lanes::default, |room| room.waiting);
        let waiting = core::mem::replace(&mut self.waiting, room);
        Some(Changes { sum: core::mem::take(sum), waiting })
    }

    /// Has the sum again.
    pub fn take_back(&mut self, tally: Tally) {
        if let Kept::Away(changed) = self.kept {
            let mut sum = tally.0;
            sum.add(changed);
            self.kept = Kept::Here(sum);
        }
    }

    /// An entry that is there already: all of them at first, later those of a subnet that came.
    pub fn count<K, V: Entry<K>>(&mut self, key: &K, value: &V) {
        self.note(Change::On, key, value);
    }

    /// An entry that came, or the new value of one that was taken off.
    pub fn put_on<K, V: Entry<K>>(&mut self, key: &K, value: &V) {
        self.change(Change::On, key, value);
    }

    /// An entry that goes, or is about to change.
    pub fn take_off<K, V: Entry<K>>(&mut self, key: &K, value: &V) {
        self.change(Change::Off, key, value);
    }

    fn change<K, V: Entry<K>>(&mut self, change: Change, key: &K, value: &V) {
        self.changes += 1;
        if self.changes > CHANGES_MAX {
            *self = Self::default();
        }
        self.note(change, key, value);
    }

    fn note<K, V: Entry<K>>(&mut self, change: Change, key: &K, value: &V) {
        if self.is_kept() {
            value.push(key, change, &mut self.waiting);
            if self.waiting.len() >= WAITING_MAX {
                self.settle();
            }
        }
    }

    fn settle(&mut self) {
        if let Kept::Here(sum) | Kept::Away(sum) = &mut self.kept {
            settle(sum, &mut self.waiting);
        }
    }

    /// The sum over all entries put on and not taken off; `None` unless it is here.
    pub fn sum(&mut self) -> Option<Sum> {
        self.settle();
        self.changes = 0;
        match self.kept {
            Kept::Here(sum) => Some(sum),
            Kept::Nowhere | Kept::Away(_) => None,
        }
    }
}

/// Whether an entry that is written to was there before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Was {
    There,
    Absent,
}

/// An entry being written: taken off the sum, and put on again when this is dropped.
#[derive(Debug)]
pub(crate) struct Written<'a, K, V: Entry<K>> {
    /// `None` where nothing is kept.
    entries: Option<&'a mut Entries>,
    key: K,
    value: &'a mut V,
}

impl<'a, K, V: Entry<K>> Written<'a, K, V> {
    /// Takes an entry off, if it was there.
    pub fn new(mut entries: Option<&'a mut Entries>, key: K, value: &'a mut V, was: Was) -> Self {
        if let (Some(entries), Was::There) = (&mut entries, was) {
            entries.take_off(&key, value);
        }
        Self { entries, key, value }
    }
}

impl<K, V: Entry<K>> Deref for Written<'_, K, V> {
    type Target = V;

    fn deref(&self) -> &V {
        self.value
    }
}

impl<K, V: Entry<K>> DerefMut for Written<'_, K, V> {
    fn deref_mut(&mut self) -> &mut V {
        self.value
    }
}

impl<K, V: Entry<K>> Drop for Written<'_, K, V> {
    fn drop(&mut self) {
        if let Some(entries) = &mut self.entries {
            entries.put_on(&self.key, &*self.value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::Account;
    use crate::units::{AccountId, Rao};

    fn account(free: u64) -> Account {
        Account { free: Rao(free), nonce: 0 }
    }

    fn sum_of(accounts: &[(u8, u64)]) -> Sum {
        let mut entries = Entries::default();
        entries.start();
        accounts
            .iter()
            .for_each(|(id, free)| entries.count(&AccountId([*id; 32]), &account(*free)));
        entries.sum().expect("it is here")
    }

    #[test]
    fn a_write_leaves_what_counting_anew_finds() {
        let mut entries = Entries::default();
        let (one, two) = (AccountId([1; 32]), AccountId([2; 32]));
        entries.put_on(&one, &account(5));
        assert_eq!(entries.waiting.len(), 0, "nothing is noted before the sum is first asked for");
        entries.start();
        assert_eq!(entries.sum(), Some(Sum::default()));
        let mut value = account(5);
        Written::new(Some(&mut entries), one, &mut value, Was::Absent).free = Rao(7);
        entries.put_on(&two, &account(9));
        assert_eq!(entries.sum(), Some(sum_of(&[(2, 9), (1, 7)])), "the order does not matter");
        for free in [8, 9] {
            Written::new(Some(&mut entries), one, &mut value, Was::There).free = Rao(free);
        }
        entries.take_off(&two, &account(9));
        assert_eq!(entries.sum(), Some(sum_of(&[(1, 9)])), "what is gone leaves no trace");
        assert_ne!(entries.sum(), Some(sum_of(&[(2, 9)])));
        Written::new(None, one, &mut value, Was::There).free = Rao(1);
        assert_eq!(entries.sum(), Some(sum_of(&[(1, 9)])), "what is not counted changes nothing");
    }

    #[test]
    fn a_sum_that_is_away_follows_the_changes_it_is_handed() {
        let mut entries = Entries::default();
        assert!(entries.give_away().is_none(), "there is none yet");
        entries.start();
        entries.put_on(&AccountId([1; 32]), &account(5));
        assert_eq!(entries.sum(), Some(sum_of(&[(1, 5)])));
        let mut tally = entries.give_away().expect("it is here");
        assert!(entries.give_away().is_none() && !entries.is_here() && entries.is_kept());
        assert_eq!(entries.sum(), None);
        let mut room = None;
        for turn in 0..3_u64 {
            entries.take_off(&AccountId([1; 32]), &account(5 + turn));
            entries.put_on(&AccountId([1; 32]), &account(6 + turn));
            let mut changes = entries.changes(room.take()).expect("the sum is away");
            assert_eq!(tally.settle(&mut changes), sum_of(&[(1, 6 + turn)]));
            room = Some(changes);
        }
        // More than wait to be hashed at once.
        for free in (0..WAITING_MAX as u64).rev() {
            entries.put_on(&AccountId([2; 32]), &account(free));
            entries.take_off(&AccountId([2; 32]), &account(free));
        }
        entries.put_on(&AccountId([2; 32]), &account(1));
        let mut changes = entries.changes(room).expect("the sum is away");
        assert_eq!(tally.settle(&mut changes), sum_of(&[(1, 8), (2, 1)]));
        entries.put_on(&AccountId([3; 32]), &account(1));
        entries.take_back(tally);
        assert_eq!(
            entries.sum(),
            Some(sum_of(&[(1, 8), (2, 1), (3, 1)])),
            "nothing is lost on the way back"
        );
        assert!(entries.changes(None).is_none());
    }

    #[test]
    fn whoever_never_asks_pays_for_no_hashes() {
        let mut entries = Entries::default();
        entries.start();
        for turn in 0..=CHANGES_MAX {
            assert!(entries.is_kept() && entries.waiting.len() < WAITING_MAX, "change {turn}");
            entries.put_on(&AccountId([1; 32]), &account(turn as u64));
        }
        assert!(!entries.is_kept() && entries.waiting.len() == 0);
        entries.start();
        let many = 2 * WAITING_MAX + 1;
        for turn in 0..many {
            entries.count(&AccountId([1; 32]), &account(turn as u64));
        }
        for turn in (1..many).rev() {
            entries.take_off(&AccountId([1; 32]), &account(turn as u64));
        }
        assert_eq!(
            entries.sum(),
            Some(sum_of(&[(1, 0)])),
            "what was hashed early counts like the rest"
        );
    }
}
