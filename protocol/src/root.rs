//! The state root: a fixed list of components, each with a cached hash and a dirty mark.
//!
//! What belongs here: which bytes are hashed, in which order. What does not: what they mean.
//! Adding a component at the end, absent while empty, keeps old roots.

use crate::canon::{Canon, Preimage, field, sized};
use crate::state::{Mechanism, State, Subnet};
use crate::units::{AccountId, Hash32, NetUid};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

const BUCKETS: usize = 256;
const POOL_BUCKETS: usize = 16;

/// Cached hashes; `None` is dirty.
#[derive(Clone, Debug, Default)]
pub(crate) struct RootCache {
    pub accounts: Buckets,
    pub hotkeys: Buckets,
    pub coldkeys: Buckets,
    subnets: BTreeMap<NetUid, SubnetCache>,
    subnets_root: Option<Hash32>,
}

impl RootCache {
    pub fn subnet(&mut self, id: NetUid) -> &mut SubnetCache {
        self.subnets_root = None;
        let cache = self.subnets.entry(id).or_default();
        cache.whole = None;
        cache
    }
}

/// A map in buckets by the first byte of its key; a bucket without entries has no hash.
#[derive(Clone, Debug)]
pub(crate) struct Buckets {
    hashes: Vec<Option<Option<Hash32>>>,
    whole: Option<Option<Hash32>>,
}

impl Default for Buckets {
    fn default() -> Self {
        Self { hashes: alloc::vec![None; BUCKETS], whole: None }
    }
}

impl Buckets {
    pub fn mark(&mut self, key: &AccountId) {
        self.hashes[usize::from(key.0[0])] = None;
        self.whole = None;
    }

    fn root<V: Canon>(
        &mut self,
        domain: &str,
        map: &BTreeMap<AccountId, V>,
        buffer: &mut Vec<u8>,
    ) -> Option<Hash32> {
        if let Some(whole) = self.whole {
            return whole;
        }
        for (index, cached) in self.hashes.iter_mut().enumerate() {
            if cached.is_some() {
                continue;
            }
            let first = u8::try_from(index).expect("there are 256 buckets");
            let (mut low, mut high) = ([0; 32], [0xff; 32]);
            (low[0], high[0]) = (first, first);
            let bucket = Preimage::new(domain, buffer);
            for (key, value) in map.range(AccountId(low)..=AccountId(high)) {
                key.canon(bucket.bytes);
                sized(bucket.bytes, |out| value.canon(out));
            }
            *cached = Some((!bucket.is_empty()).then(|| bucket.hash()));
        }
        let buckets = Preimage::new(domain, buffer);
        for (index, cached) in self.hashes.iter().enumerate() {
            if let Some(Some(bucket)) = cached {
                (index as u16).canon(buckets.bytes);
                bucket.canon(buckets.bytes);
            }
        }
        let whole = (!buckets.is_empty()).then(|| buckets.hash());
        self.whole = Some(whole);
        whole
    }
}

/// Cached hashes of one subnet's slow components.
#[derive(Clone, Debug, Default)]
pub(crate) struct SubnetCache {
    whole: Option<Hash32>,
    pub params: Option<Hash32>,
    pub info: Option<Hash32>,
    pub neurons: Option<Hash32>,
    pub weights: Option<Hash32>,
    pub bonds: Option<Hash32>,
    pub dividends: Option<Hash32>,
    pub claims: Option<Hash32>,
    pub axons: Option<Hash32>,
    pub links: Option<Hash32>,
    pub pending_children: Option<Hash32>,
    pub stamps: Option<Hash32>,
    pub commits: Option<Hash32>,
    pub timelocked: Option<Hash32>,
    pools: [Option<Hash32>; POOL_BUCKETS],
}

impl SubnetCache {
    pub fn forget(&mut self) {
        *self = Self::default();
    }

    pub fn forget_mechanisms(&mut self) {
        self.weights = None;
        self.bonds = None;
    }

    pub fn forget_pool(&mut self, hotkey: &AccountId) {
        self.pools[usize::from(hotkey.0[0] >> 4)] = None;
    }

    fn root(&mut self, subnet: &Subnet, buffer: &mut Vec<u8>) -> Hash32 {
        if let Some(whole) = self.whole {
            return whole;
        }
        let mut component = |slot: &mut Option<Hash32>, write: &dyn Fn(&mut Vec<u8>)| {
            *slot.get_or_insert_with(|| {
                let part = Preimage::new("subnet component", buffer);
                write(part.bytes);
                if part.is_empty() { EMPTY } else { part.hash() }
            })
        };
        let mut parts = alloc::vec![
            component(&mut self.params, &|out| subnet.params.canon(out)),
            component(&mut self.info, &|out| subnet.info.canon(out)),
            component(&mut self.neurons, &|out| subnet.neurons.canon(out)),
            component(&mut self.weights, &|out| canon_weights(&subnet.mechanisms, out)),
            component(&mut self.bonds, &|out| canon_bonds(&subnet.mechanisms, out)),
            component(&mut self.dividends, &|out| canon_map(&subnet.last_dividends, out)),
            component(&mut self.claims, &|out| canon_map(&subnet.root_claimed, out)),
            component(&mut self.axons, &|out| canon_map(&subnet.axons, out)),
            component(&mut self.links, &|out| canon_map(&subnet.links, out)),
        ];
        for (index, slot) in self.pools.iter_mut().enumerate() {
            let first = (index as u8) << 4;
            let (mut low, mut high) = ([0; 32], [0xff; 32]);
            (low[0], high[0]) = (first, first | 0x0f);
            parts.push(component(slot, &|out| {
                for (key, pool) in subnet.pools.range(AccountId(low)..=AccountId(high)) {
                    key.canon(out);
                    sized(out, |out| pool.canon(out));
                }
            }));
        }
        parts.push(component(&mut self.pending_children, &|out| {
            canon_map(&subnet.pending_children, out);
        }));
        parts.push(component(&mut self.stamps, &|out| canon_map(&subnet.stamps, out)));
        parts.push(component(&mut self.commits, &|out| canon_map(&subnet.commits, out)));
        parts.push(component(&mut self.timelocked, &|out| canon_map(&subnet.timelocked, out)));
        let all = Preimage::new("subnet", buffer);
        subnet.added.canon(all.bytes);
        for (tag, part) in (1u16..).zip(&parts) {
            field(all.bytes, tag, part, &EMPTY);
        }
        let whole = all.hash();
        self.whole = Some(whole);
        whole
    }
}

/// Stands for a component that holds nothing; such a component is absent from the root.
const EMPTY: Hash32 = Hash32([0; 32]);

fn canon_map<K: Canon, V: Canon>(map: &BTreeMap<K, V>, out: &mut Vec<u8>) {
    for (key, value) in map {
        key.canon(out);
        sized(out, |out| value.canon(out));
    }
}

fn canon_weights(mechanisms: &[Mechanism], out: &mut Vec<u8>) {
    for mechanism in mechanisms {
        sized(out, |out| {
            mechanism.last_update.canon(out);
            canon_rows(&mechanism.weights, out);
        });
    }
}

fn canon_bonds(mechanisms: &[Mechanism], out: &mut Vec<u8>) {
    for mechanism in mechanisms {
        sized(out, |out| {
            mechanism.incentive.canon(out);
            canon_rows(&mechanism.bonds, out);
        });
    }
}

fn canon_rows(rows: &[Vec<(u16, u16)>], out: &mut Vec<u8>) {
    for (uid, row) in rows.iter().enumerate() {
        if !row.is_empty() {
            (uid as u16).canon(out);
            row.canon(out);
        }
    }
}

impl State {
    /// The state root. Hashes what changed since the last call; equal states have equal roots.
    pub fn root(&mut self) -> Hash32 {
        let mut buffer = Vec::with_capacity(64 << 10);
        let fast = Preimage::new("fast", &mut buffer);
        for (id, subnet) in &self.subnets {
            id.canon(fast.bytes);
            sized(fast.bytes, |out| subnet.fast.canon(out));
        }
        let fast = fast.hash();

        let global = Preimage::new("global", &mut buffer);
        self.height.canon(global.bytes);
        sized(global.bytes, |out| self.rules.canon(out));
        sized(global.bytes, |out| self.global.canon(out));
        sized(global.bytes, |out| self.leaks.canon(out));
        let global = global.hash();

        let subnets = self.subnets_root(&mut buffer);

        let accounts = self.cache.accounts.root("accounts", &self.accounts, &mut buffer);
        let hotkeys = self.cache.hotkeys.root("hotkeys", &self.hotkeys, &mut buffer);
        let coldkeys = self.cache.coldkeys.root("coldkeys", &self.coldkeys, &mut buffer);

        let root = Preimage::new("btemu state root 1", &mut buffer);
        let parts = [Some(global), Some(fast), Some(subnets), accounts, hotkeys, coldkeys];
        for (tag, part) in (1u16..).zip(parts) {
            field(root.bytes, tag, &part.unwrap_or(EMPTY), &EMPTY);
        }
        root.hash()
    }

    fn subnets_root(&mut self, buffer: &mut Vec<u8>) -> Hash32 {
        if let Some(root) = self.cache.subnets_root {
            return root;
        }
        let mut subnets = Vec::new();
        let roots = Preimage::new("subnets", &mut subnets);
        for (id, subnet) in &self.subnets {
            let cache = self.cache.subnets.entry(*id).or_default();
            id.canon(roots.bytes);
            cache.root(subnet, buffer).canon(roots.bytes);
        }
        let root = roots.hash();
        self.cache.subnets_root = Some(root);
        root
    }

    /// The state root computed without any cached hash.
    pub fn root_from_scratch(&self) -> Hash32 {
        let mut copy = self.clone();
        copy.forget_cached_hashes();
        copy.root()
    }
}
