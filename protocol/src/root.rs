//! The state root: scalars that change every block, and a sum of hashes over everything else, kept as it changes.
//!
//! What belongs here: which bytes are hashed, in which order. What does not: what they mean.
//! Adding a part, absent while empty, keeps old roots; numbers of parts and tags of fields are for good.

/// Sums of hashes over maps.
pub(crate) mod sum;
/// Roots of older logs.
mod trees;

use crate::canon::{Canon, Preimage, sized};
use crate::state::{Mechanism, State, Subnet};
use crate::units::{AccountId, Hash32, NetUid};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use sum::{Kept, Part, Sum};

/// Kept hashes.
#[derive(Clone, Debug, Default)]
pub(crate) struct RootCache {
    accounts: Kept<AccountId>,
    hotkeys: Kept<AccountId>,
    coldkeys: Kept<AccountId>,
    claims: Kept<(AccountId, AccountId)>,
    subnets: BTreeMap<NetUid, SubnetCache>,
}

impl RootCache {
    pub fn mark_account(&mut self, id: &AccountId) {
        self.accounts.touch(*id);
    }

    pub fn mark_hotkey(&mut self, id: &AccountId) {
        self.hotkeys.touch(*id);
    }

    pub fn mark_coldkey(&mut self, id: &AccountId) {
        self.coldkeys.touch(*id);
    }

    /// What a coldkey claimed behind a hotkey, on whichever subnet.
    pub fn mark_claims(&mut self, hotkey: &AccountId, coldkey: &AccountId) {
        self.claims.touch((*hotkey, *coldkey));
    }

    /// A subnet came, went, or was put back as a whole.
    pub fn forget_subnet(&mut self, id: NetUid) {
        *self.subnet(id) = SubnetCache::default();
    }

    pub fn subnet(&mut self, id: NetUid) -> &mut SubnetCache {
        let cache = self.subnets.entry(id).or_default();
        cache.whole = None;
        cache
    }
}

/// Kept hashes of one subnet: of parts that change as wholes, `None` after a write, and of maps by entry.
#[derive(Clone, Debug, Default)]
pub(crate) struct SubnetCache {
    whole: Option<Sum>,
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
    rows: Kept<(u8, u16)>,
    pools: Kept<AccountId>,
    holders: Kept<(AccountId, AccountId)>,
    sealed: Kept<(u8, u64)>,
}

impl SubnetCache {
    pub fn forget_mechanisms(&mut self) {
        self.rows.forget();
        self.bonds = None;
    }

    /// A row, or the time of its last update.
    pub fn mark_row(&mut self, mechanism: u8, uid: u16) {
        self.rows.touch((mechanism, uid));
    }

    /// A hotkey's pool, its holders apart.
    pub fn mark_pool(&mut self, hotkey: &AccountId) {
        self.pools.touch(*hotkey);
    }

    pub fn mark_holder(&mut self, hotkey: &AccountId, coldkey: &AccountId) {
        self.holders.touch((*hotkey, *coldkey));
    }

    /// A hotkey's pool with all its holders.
    pub fn mark_whole_pool(&mut self, hotkey: &AccountId) {
        self.mark_pool(hotkey);
        self.holders.forget();
    }

    /// A queue of sealed rows.
    pub fn mark_sealed(&mut self, queue: (u8, u64)) {
        self.sealed.touch(queue);
    }

    fn sum(&mut self, id: NetUid, subnet: &Subnet, buffer: &mut Vec<u8>) -> Sum {
        if let Some(whole) = self.whole {
            return whole;
        }
        let mut whole = Sum::default();
        let mut add = |slot: &mut Option<Sum>, part: Part, write: &dyn Fn(&mut Vec<u8>)| {
            whole.add(*slot.get_or_insert_with(|| component(id, part, buffer, write)));
        };
        add(&mut None, Part::Added, &|out| out.extend(subnet.added.then_some(1)));
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
        let maps = [
            self.rows_sum(id, &subnet.mechanisms, buffer),
            self.pools_sum(id, subnet, buffer),
            self.holders_sum(id, subnet, buffer),
            self.sealed_sum(id, subnet, buffer),
        ];
        maps.into_iter().for_each(|map| whole.add(map));
        self.whole = Some(whole);
        whole
    }

    /// Rows and when each was last set, of all mechanisms.
    fn rows_sum(&mut self, id: NetUid, mechanisms: &[Mechanism], buffer: &mut Vec<u8>) -> Sum {
        let of = |(index, mechanism): (u8, &Mechanism)| {
            let rows = mechanism.weights.len().max(mechanism.last_update.len());
            (0..=u16::MAX).take(rows).map(move |uid| (index, uid))
        };
        let keys = || (0..=u8::MAX).zip(mechanisms).flat_map(of);
        self.rows.sum(Part::Row, buffer, keys, |key, out| {
            let (index, uid) = *key;
            let Some(mechanism) = mechanisms.get(usize::from(index)) else { return false };
            let uid = usize::from(uid);
            let row = mechanism.weights.get(uid).map_or(&[][..], Vec::as_slice);
            let last_update = mechanism.last_update.get(uid).copied().unwrap_or(0);
            id.canon(out);
            key.canon(out);
            last_update.canon(out);
            canon_row(row, out);
            !row.is_empty() || last_update != 0
        })
    }

    fn pools_sum(&mut self, id: NetUid, subnet: &Subnet, buffer: &mut Vec<u8>) -> Sum {
        let keys = || subnet.pools.keys().copied();
        self.pools.sum(Part::Pool, buffer, keys, |hotkey, out| {
            let Some(pool) = subnet.pools.get(hotkey) else { return false };
            id.canon(out);
            hotkey.canon(out);
            pool.canon(out);
            true
        })
    }

    fn holders_sum(&mut self, id: NetUid, subnet: &Subnet, buffer: &mut Vec<u8>) -> Sum {
        let pools = subnet.pools.iter();
        let keys = || {
            pools.flat_map(|(hotkey, pool)| pool.holders.keys().map(|coldkey| (*hotkey, *coldkey)))
        };
        self.holders.sum(Part::Holder, buffer, keys, |(hotkey, coldkey), out| {
            let pool = subnet.pools.get(hotkey);
            let Some(share) = pool.and_then(|pool| pool.holders.get(coldkey)) else { return false };
            id.canon(out);
            hotkey.canon(out);
            coldkey.canon(out);
            share.canon(out);
            true
        })
    }

    fn sealed_sum(&mut self, id: NetUid, subnet: &Subnet, buffer: &mut Vec<u8>) -> Sum {
        let keys = || subnet.timelocked.keys().copied();
        self.sealed.sum(Part::Sealed, buffer, keys, |key, out| {
            let Some(queue) = subnet.timelocked.get(key) else { return false };
            id.canon(out);
            key.canon(out);
            for commit in queue {
                sized(out, |out| commit.canon(out));
            }
            true
        })
    }
}

/// A part of a subnet that is hashed as a whole; nothing while it is empty.
fn component(id: NetUid, part: Part, buffer: &mut Vec<u8>, write: &dyn Fn(&mut Vec<u8>)) -> Sum {
    let mut is_empty = true;
    let sum = Sum::of(part, buffer, |out| {
        id.canon(out);
        let from = out.len();
        write(out);
        is_empty = out.len() == from;
    });
    if is_empty { Sum::default() } else { sum }
}

/// The sum over a map by account.
fn accounts_sum<V: Canon>(
    kept: &mut Kept<AccountId>,
    part: Part,
    map: &BTreeMap<AccountId, V>,
    buffer: &mut Vec<u8>,
) -> Sum {
    let keys = || map.keys().copied();
    kept.sum(part, buffer, keys, |key, out| {
        let Some(value) = map.get(key) else { return false };
        key.canon(out);
        value.canon(out);
        true
    })
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
    out.reserve(4 * row.len());
    for (uid, weight) in row {
        let [a, b] = uid.to_le_bytes();
        let [c, d] = weight.to_le_bytes();
        out.extend_from_slice(&[a, b, c, d]);
    }
}

impl State {
    /// The state root. Hashes what changed since the last call; equal states have equal roots.
    pub fn root(&mut self) -> Hash32 {
        let mut buffer = Vec::with_capacity(64 << 10);
        let sum = self.slow_sum(&mut buffer);
        let root = Preimage::new("btemu state root 3", &mut buffer);
        self.height.canon(root.bytes);
        sized(root.bytes, |out| self.rules.canon(out));
        sized(root.bytes, |out| self.global.canon(out));
        sized(root.bytes, |out| self.leaks.canon(out));
        for (id, subnet) in &self.subnets {
            id.canon(root.bytes);
            sized(root.bytes, |out| subnet.fast.canon(out));
        }
        sum.bytes().canon(root.bytes);
        root.hash()
    }

    /// Over everything that does not change every block.
    fn slow_sum(&mut self, buffer: &mut Vec<u8>) -> Sum {
        let cache = &mut self.cache;
        let mut sum = accounts_sum(&mut cache.accounts, Part::Account, &self.accounts, buffer);
        sum.add(accounts_sum(&mut cache.hotkeys, Part::Hotkey, &self.hotkeys, buffer));
        sum.add(accounts_sum(&mut cache.coldkeys, Part::Coldkey, &self.coldkeys, buffer));
        let keys = || self.root_claimed.keys().copied();
        sum.add(cache.claims.sum(Part::Claims, buffer, keys, |key, out| {
            let Some(claimed) = self.root_claimed.get(key) else { return false };
            key.canon(out);
            for (id, amount) in claimed {
                id.canon(out);
                amount.canon(out);
            }
            true
        }));
        for (id, subnet) in &self.subnets {
            sum.add(cache.subnets.entry(*id).or_default().sum(*id, subnet, buffer));
        }
        sum
    }

    /// The state root computed without any cached hash.
    pub fn root_from_scratch(&self) -> Hash32 {
        let mut copy = self.clone();
        copy.forget_cached_hashes();
        copy.root()
    }
}
