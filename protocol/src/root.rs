//! The state root: scalars that change every block, and a sum of hashes over everything else, kept as it changes.
//!
//! What belongs here: which bytes are hashed, in which order. What does not: what they mean.
//! Adding a part, absent while empty, keeps old roots; numbers of parts and tags of fields are for good.

/// The sum over the large maps.
pub(crate) mod entries;
/// Many short hashes at once.
mod lanes;
/// Hashes of rows, by where they stand.
mod places;
/// Roots of logs of format 3.
mod singles;
/// Sums of hashes.
mod sum;
/// Roots of logs of formats 1 and 2.
mod trees;

use crate::canon::{Canon, Preimage, sized};
use crate::state::{
    Account, Coldkey, Hotkey, HotkeyPool, Mechanism, State, Subnet, TimelockedCommit,
};
use crate::units::{AccountId, Hash32, NetUid};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use entries::{Changes, Entries, Entry, Tally};
use lanes::{Lanes, hash_one};
use places::{Rows, Sealed};
use sum::{Part, Sum};

/// What the hash of this kind of root begins with.
const KIND: &str = "btemu state root 4";

/// A root but for its last hashes.
#[derive(Debug)]
pub struct UnhashedRoot {
    changes: Changes,
    /// Over what is no entry.
    sum: Sum,
    preimage: Vec<u8>,
}

/// Hashes roots of a state elsewhere than the state is.
#[derive(Debug)]
pub struct RootHasher(Tally);

impl RootHasher {
    /// The root.
    pub fn root(&mut self, unhashed: &mut UnhashedRoot) -> Hash32 {
        let mut sum = unhashed.sum;
        sum.add(self.0.settle(&mut unhashed.changes));
        sum.bytes().canon(&mut unhashed.preimage);
        Hash32(blake3::hash(&unhashed.preimage).into())
    }
}

/// Kept hashes.
#[derive(Clone, Debug, Default)]
pub(crate) struct RootCache {
    /// Accounts, hotkeys, coldkeys, claims; pools and holders of the subnets that are counted.
    pub entries: Entries,
    subnets: BTreeMap<NetUid, SubnetCache>,
    /// Room for what is hashed, which every block needs again.
    rows: Lanes<Place>,
    buffer: Vec<u8>,
}

impl RootCache {
    /// A subnet comes, goes, or is written to as a whole; `old` is what it is until then.
    pub fn forget_subnet(&mut self, id: NetUid, old: Option<&Subnet>) {
        if let (Some(entries), Some(old)) = (self.stakes(id), old) {
            for (hotkey, pool) in &old.pools {
                take_off_pool(entries, id, hotkey, pool);
            }
        }
        self.subnets.remove(&id);
    }

    /// A part of a subnet that is hashed as a whole is written to.
    pub fn subnet(&mut self, id: NetUid) -> &mut SubnetCache {
        let cache = self.subnets.entry(id).or_default();
        cache.parts = None;
        cache
    }

    /// Where writes to a subnet's pools and holders are noted, once they are in the sum.
    pub fn stakes(&mut self, id: NetUid) -> Option<&mut Entries> {
        let is_kept = self.entries.is_kept();
        let is_counted = is_kept && self.subnets.get(&id).is_some_and(|cache| cache.is_counted);
        is_counted.then_some(&mut self.entries)
    }

    /// A row, or the time of its last update.
    pub fn mark_row(&mut self, id: NetUid, mechanism: u8, uid: u16) {
        self.subnets.entry(id).or_default().rows.touch(mechanism, uid);
    }

    /// A queue of sealed rows changes from a place on.
    pub fn mark_sealed(&mut self, id: NetUid, queue: (u8, u64), place: usize) {
        self.subnets.entry(id).or_default().sealed.touch(queue, place);
    }

    /// Rows of all mechanisms, and bonds.
    pub fn forget_mechanisms(&mut self, id: NetUid) {
        let cache = self.subnet(id);
        cache.rows = Rows::default();
        cache.bonds = None;
    }
}

/// A pool and its holders, before they go or are written to as a whole.
pub(crate) fn take_off_pool(
    entries: &mut Entries,
    id: NetUid,
    hotkey: &AccountId,
    pool: &HotkeyPool,
) {
    entries.take_off(&(id, *hotkey), pool);
    for (coldkey, share) in &pool.holders {
        entries.take_off(&(id, *hotkey, *coldkey), share);
    }
}

/// A pool and its holders, after they came or were written to as a whole.
pub(crate) fn put_on_pool(
    entries: &mut Entries,
    id: NetUid,
    hotkey: &AccountId,
    pool: &HotkeyPool,
) {
    entries.put_on(&(id, *hotkey), pool);
    for (coldkey, share) in &pool.holders {
        entries.put_on(&(id, *hotkey, *coldkey), share);
    }
}

impl Entry<AccountId> for Account {
    const PART: Part = Part::Account;

    fn write(&self, id: &AccountId, out: &mut Vec<u8>) {
        id.canon(out);
        self.canon(out);
    }
}

impl Entry<AccountId> for Hotkey {
    const PART: Part = Part::Hotkey;

    fn write(&self, id: &AccountId, out: &mut Vec<u8>) {
        id.canon(out);
        self.canon(out);
    }
}

impl Entry<AccountId> for Coldkey {
    const PART: Part = Part::Coldkey;

    fn write(&self, id: &AccountId, out: &mut Vec<u8>) {
        id.canon(out);
        self.canon(out);
    }
}

/// What a coldkey claimed behind a hotkey, by subnet.
impl Entry<(AccountId, AccountId)> for BTreeMap<NetUid, u128> {
    const PART: Part = Part::Claims;

    fn write(&self, key: &(AccountId, AccountId), out: &mut Vec<u8>) {
        key.canon(out);
        for (id, amount) in self {
            id.canon(out);
            amount.canon(out);
        }
    }
}

/// A hotkey's pool on a subnet, its holders apart.
impl Entry<(NetUid, AccountId)> for HotkeyPool {
    const PART: Part = Part::Pool;

    fn write(&self, key: &(NetUid, AccountId), out: &mut Vec<u8>) {
        key.canon(out);
        self.canon(out);
    }
}

/// A holder's shares.
impl Entry<(NetUid, AccountId, AccountId)> for u128 {
    const PART: Part = Part::Holder;

    fn write(&self, key: &(NetUid, AccountId, AccountId), out: &mut Vec<u8>) {
        key.canon(out);
        self.canon(out);
    }

    // Half of all that changes in a block.
    fn push<N: Copy>(
        &self,
        (id, hotkey, coldkey): &(NetUid, AccountId, AccountId),
        note: N,
        lanes: &mut Lanes<N>,
    ) {
        let (id, share) = (id.0.to_le_bytes(), self.to_le_bytes());
        lanes.push_parts::<128, _>(note, Self::PART, [&id, &hotkey.0, &coldkey.0, &share]);
    }
}

/// Kept hashes of one subnet: of parts that change as wholes, `None` after a write, and of rows by where they stand.
#[derive(Clone, Debug, Default)]
pub(crate) struct SubnetCache {
    /// Over the parts.
    parts: Option<Sum>,
    added: Option<Sum>,
    pub params: Option<Sum>,
    pub info: Option<Sum>,
    pub neurons: Option<Sum>,
    pub bonds: Option<Sum>,
    pub dividends: Option<Sum>,
    pub axons: Option<Sum>,
    pub links: Option<Sum>,
    pub pending_children: Option<Sum>,
    pub stamps: Option<Sum>,
    pub commits: Option<Sum>,
    /// Whether pools and holders are in the sum over entries.
    is_counted: bool,
    rows: Rows,
    sealed: Sealed,
}

/// Where the hash of a row goes.
#[derive(Clone, Copy, Debug)]
enum Place {
    Row(NetUid, (u8, u16)),
    /// Queue, place, and how many the queue holds.
    Sealed(NetUid, (u8, u64), (usize, usize)),
}

impl SubnetCache {
    fn parts_sum(&mut self, id: NetUid, subnet: &Subnet, buffer: &mut Vec<u8>) -> Sum {
        if let Some(parts) = self.parts {
            return parts;
        }
        let mut parts = Sum::default();
        let mut add = |slot: &mut Option<Sum>, part: Part, write: &dyn Fn(&mut Vec<u8>)| {
            parts.add(*slot.get_or_insert_with(|| component(id, part, buffer, write)));
        };
        add(&mut self.added, Part::Added, &|out| out.extend(subnet.added.then_some(1)));
        add(&mut self.params, Part::Params, &|out| subnet.params.canon(out));
        add(&mut self.info, Part::Info, &|out| subnet.info.canon(out));
        add(&mut self.neurons, Part::Neurons, &|out| subnet.neurons.canon(out));
        add(&mut self.bonds, Part::Bonds, &|out| canon_bonds(&subnet.mechanisms, out));
        add(&mut self.dividends, Part::Dividends, &|out| {
            canon_entries(&subnet.last_dividends, out);
        });
        add(&mut self.axons, Part::Axons, &|out| canon_entries(&subnet.axons, out));
        add(&mut self.links, Part::Links, &|out| canon_entries(&subnet.links, out));
        add(&mut self.pending_children, Part::PendingChildren, &|out| {
            canon_entries(&subnet.pending_children, out);
        });
        add(&mut self.stamps, Part::Stamps, &|out| canon_entries(&subnet.stamps, out));
        add(&mut self.commits, Part::Commits, &|out| canon_entries(&subnet.commits, out));
        self.parts = Some(parts);
        parts
    }

    /// Rows and sealed rows whose hashes are not known.
    fn push_stale(&mut self, id: NetUid, subnet: &Subnet, lanes: &mut Lanes<Place>) {
        let lengths = subnet.mechanisms.iter().map(rows_of);
        for row in self.rows.stale(lengths) {
            match subnet.mechanisms.get(usize::from(row.0)) {
                Some(mechanism) if says_anything(mechanism, row.1) => {
                    lanes.push(Place::Row(id, row), Part::Row, |out| {
                        write_row(id, mechanism, row, out);
                    });
                }
                _ => self.rows.put(row, Sum::default()),
            }
        }
        for (queue, from) in self.sealed.stale(subnet.timelocked.keys().copied()) {
            let commits = subnet.timelocked.get(&queue).map_or(&[][..], Vec::as_slice);
            for (place, commit) in commits.iter().enumerate().skip(from) {
                let at = Place::Sealed(id, queue, (place, commits.len()));
                lanes.push(at, Part::Sealed, |out| write_sealed(id, queue, place, commit, out));
            }
        }
    }
}

/// How many rows a mechanism may have something in.
fn rows_of(mechanism: &Mechanism) -> usize {
    mechanism.weights.len().max(mechanism.last_update.len())
}

fn row(mechanism: &Mechanism, uid: u16) -> (&[(u16, u16)], u64) {
    let uid = usize::from(uid);
    let row = mechanism.weights.get(uid).map_or(&[][..], Vec::as_slice);
    (row, mechanism.last_update.get(uid).copied().unwrap_or(0))
}

fn says_anything(mechanism: &Mechanism, uid: u16) -> bool {
    let (row, last_update) = row(mechanism, uid);
    !row.is_empty() || last_update != 0
}

/// A row and when it was last set.
fn write_row(id: NetUid, mechanism: &Mechanism, key: (u8, u16), out: &mut Vec<u8>) {
    let (row, last_update) = row(mechanism, key.1);
    id.canon(out);
    key.canon(out);
    last_update.canon(out);
    canon_row(row, out);
}

fn write_sealed(
    id: NetUid,
    queue: (u8, u64),
    place: usize,
    commit: &TimelockedCommit,
    out: &mut Vec<u8>,
) {
    id.canon(out);
    queue.canon(out);
    (place as u64).canon(out);
    commit.canon(out);
}

/// A part of a subnet that is hashed as a whole; nothing while it is empty.
fn component(id: NetUid, part: Part, buffer: &mut Vec<u8>, write: &dyn Fn(&mut Vec<u8>)) -> Sum {
    let mut is_empty = true;
    let sum = hash_one(part, buffer, |out| {
        id.canon(out);
        let from = out.len();
        write(out);
        is_empty = out.len() == from;
    });
    if is_empty { Sum::default() } else { sum }
}

fn canon_entries<'a, K: Canon + 'a, V: Canon + 'a>(
    entries: impl IntoIterator<Item = (&'a K, &'a V)>,
    out: &mut Vec<u8>,
) {
    for (key, value) in entries {
        key.canon(out);
        sized(out, |out| value.canon(out));
    }
}

fn canon_bonds(mechanisms: &[Mechanism], out: &mut Vec<u8>) {
    for mechanism in mechanisms {
        sized(out, |out| {
            mechanism.incentive.canon(out);
            for (uid, row) in mechanism.bonds.iter().enumerate() {
                if !row.is_empty() {
                    (uid as u16).canon(out);
                    sized(out, |out| canon_row(row, out));
                }
            }
        });
    }
}

fn canon_row(row: &[(u16, u16)], out: &mut Vec<u8>) {
    let from = out.len();
    out.resize(from + 4 * row.len(), 0);
    let (places, _) = out[from..].as_chunks_mut::<4>();
    for (place, (uid, weight)) in places.iter_mut().zip(row) {
        *place = (u32::from(*uid) | u32::from(*weight) << 16).to_le_bytes();
    }
}

impl State {
    /// The state root. Hashes what changed since the last call; equal states have equal roots.
    pub fn root(&mut self) -> Hash32 {
        let mut buffer = core::mem::take(&mut self.cache.buffer);
        self.count_entries();
        let mut sum = self.sum_of_subnets(&mut buffer);
        sum.add(self.cache.entries.sum().expect("entries were counted just now"));
        let hash = self.root_over(KIND, sum, &mut buffer);
        self.cache.buffer = buffer;
        hash
    }

    /// Lets another thread hash: gives what [`Self::unhashed_root`] leaves to be hashed a place to go. `None` where the sum is
    /// away already, or no root was asked for yet.
    pub fn give_hashing_away(&mut self) -> Option<RootHasher> {
        self.cache.entries.give_away().map(RootHasher)
    }

    /// The root, its last hashes left to the hasher that was given away; they must come to it in order. `room` is one that was
    /// hashed. `None` where nobody has the sum, or too much changed since the last one: [`Self::root`] finds it anew.
    pub fn unhashed_root(&mut self, room: Option<UnhashedRoot>) -> Option<UnhashedRoot> {
        let (changes, mut preimage) = match room {
            Some(UnhashedRoot { changes, preimage, .. }) => (Some(changes), preimage),
            None => (None, Vec::new()),
        };
        // What is counted here is a change like any other: it goes along.
        self.count_subnets();
        let changes = self.cache.entries.changes(changes)?;
        let sum = self.sum_of_subnets(&mut preimage);
        self.write_scalars(KIND, &mut preimage);
        Some(UnhashedRoot { changes, sum, preimage })
    }

    /// Ends what [`Self::give_hashing_away`] began.
    pub fn take_hashing_back(&mut self, hasher: RootHasher) {
        self.cache.entries.take_back(hasher.0);
    }

    /// The hash of what changes every block, and of the sum over everything else.
    fn root_over(&self, kind: &str, sum: Sum, buffer: &mut Vec<u8>) -> Hash32 {
        let root = self.write_scalars(kind, buffer);
        sum.bytes().canon(root.bytes);
        root.hash()
    }

    /// What changes every block.
    fn write_scalars<'a>(&self, kind: &str, buffer: &'a mut Vec<u8>) -> Preimage<'a> {
        let root = Preimage::new(kind, buffer);
        self.height.canon(root.bytes);
        sized(root.bytes, |out| self.rules.canon(out));
        sized(root.bytes, |out| self.global.canon(out));
        sized(root.bytes, |out| self.leaks.canon(out));
        for (id, subnet) in &self.subnets {
            id.canon(root.bytes);
            sized(root.bytes, |out| subnet.fast.canon(out));
        }
        root
    }

    /// Over what subnets have that does not change every block and is no entry.
    fn sum_of_subnets(&mut self, buffer: &mut Vec<u8>) -> Sum {
        self.hash_stale_rows();
        let cache = &mut self.cache;
        let mut sum = Sum::default();
        for (id, subnet) in &self.subnets {
            let cache = cache.subnets.entry(*id).or_default();
            sum.add(cache.parts_sum(*id, subnet, buffer));
            sum.add(cache.rows.sum());
            sum.add(cache.sealed.sum());
        }
        sum
    }

    /// Has every entry in the sum: all of them at first, later those of a subnet that came.
    fn count_entries(&mut self) {
        let RootCache { entries, subnets, .. } = &mut self.cache;
        if !entries.is_here() {
            entries.start();
            self.accounts.iter().for_each(|(id, entry)| entries.count(id, entry));
            self.hotkeys.iter().for_each(|(id, entry)| entries.count(id, entry));
            self.coldkeys.iter().for_each(|(id, entry)| entries.count(id, entry));
            self.root_claimed.iter().for_each(|(key, claimed)| entries.count(key, claimed));
            subnets.values_mut().for_each(|cache| cache.is_counted = false);
        }
        self.count_subnets();
    }

    /// Has the pools and holders of subnets that came in the sum.
    fn count_subnets(&mut self) {
        let RootCache { entries, subnets, .. } = &mut self.cache;
        for (id, subnet) in &self.subnets {
            let cache = subnets.entry(*id).or_default();
            if !cache.is_counted {
                for (hotkey, pool) in &subnet.pools {
                    entries.count(&(*id, *hotkey), pool);
                    for (coldkey, share) in &pool.holders {
                        entries.count(&(*id, *hotkey, *coldkey), share);
                    }
                }
                cache.is_counted = true;
            }
        }
    }

    /// Hashes rows that were written to, of all subnets at once.
    fn hash_stale_rows(&mut self) {
        let RootCache { subnets: caches, rows: lanes, .. } = &mut self.cache;
        for (id, subnet) in &self.subnets {
            caches.entry(*id).or_default().push_stale(*id, subnet, lanes);
        }
        lanes.settle(|place, hash| match place {
            Place::Row(id, row) => caches.entry(id).or_default().rows.put(row, hash),
            Place::Sealed(id, queue, at) => {
                caches.entry(id).or_default().sealed.put(queue, at, hash);
            }
        });
    }

    /// The state root computed without any cached hash.
    pub fn root_from_scratch(&self) -> Hash32 {
        let mut copy = self.clone();
        copy.forget_cached_hashes();
        copy.root()
    }

    /// The roots that the state has by the kinds of older logs, newest first, each computed from scratch when asked for.
    pub fn older_roots(&self) -> impl Iterator<Item = Hash32> {
        [Self::root_by_singles, Self::root_by_trees].into_iter().map(move |root| root(self))
    }
}
