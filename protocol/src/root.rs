//! The state root: a fixed list of components, each with a cached hash and a dirty mark.
//!
//! What belongs here: which bytes are hashed, in which order. What does not: what they mean.
//! Adding a component at the end, absent while empty, keeps old roots.

/// Trees of hashes over maps.
pub(crate) mod tree;

use crate::canon::{Canon, Preimage, field, sized};
use crate::state::{Mechanism, State, Subnet};
use crate::units::{AccountId, Hash32, NetUid};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use tree::{Shape, Tree};

const ACCOUNTS: Shape = Shape { domain: "accounts", depth: 3 };
const HOTKEYS: Shape = Shape { domain: "hotkeys", depth: 3 };
const COLDKEYS: Shape = Shape { domain: "coldkeys", depth: 3 };
const ROWS: Shape = Shape { domain: "rows", depth: 2 };
const POOLS: Shape = Shape { domain: "pools", depth: 2 };
const CLAIMS: Shape = Shape { domain: "claims", depth: 3 };
const SEALED: Shape = Shape { domain: "sealed", depth: 2 };

/// Sealed rows of one queue that share a leaf.
const SEALED_PER_LEAF: usize = 8;

/// Kept hashes; `None` is dirty.
#[derive(Clone, Debug, Default)]
pub(crate) struct RootCache {
    accounts: Tree,
    hotkeys: Tree,
    coldkeys: Tree,
    /// Of all subnets together: what somebody claimed changes on all of them at once.
    claims: Tree,
    subnets: BTreeMap<NetUid, SubnetCache>,
    subnets_root: Option<Hash32>,
}

impl RootCache {
    pub fn mark_account(&mut self, id: &AccountId) {
        self.accounts.mark(ACCOUNTS.leaf(&id.0));
    }

    pub fn mark_hotkey(&mut self, id: &AccountId) {
        self.hotkeys.mark(HOTKEYS.leaf(&id.0));
    }

    pub fn mark_coldkey(&mut self, id: &AccountId) {
        self.coldkeys.mark(COLDKEYS.leaf(&id.0));
    }

    /// What somebody claimed behind a hotkey, on whichever subnet.
    pub fn mark_claim(&mut self, hotkey: &AccountId) {
        self.claims.mark(CLAIMS.leaf(&hotkey.0));
    }

    /// A subnet came, went, or was put back as a whole.
    pub fn forget_subnet(&mut self, id: NetUid) {
        self.claims.forget();
        *self.subnet(id) = SubnetCache::default();
    }

    pub fn subnet(&mut self, id: NetUid) -> &mut SubnetCache {
        self.subnets_root = None;
        let cache = self.subnets.entry(id).or_default();
        cache.whole = None;
        cache
    }
}

/// The root of a map by account.
fn accounts_root<V: Canon>(
    tree: &mut Tree,
    shape: Shape,
    map: &BTreeMap<AccountId, V>,
    buffer: &mut Vec<u8>,
) -> Option<Hash32> {
    let occupied = || map.keys().map(|key| shape.leaf(&key.0));
    tree.root(shape, buffer, occupied, |leaf, out| {
        let (low, high) = accounts_range(shape, leaf);
        canon_entries(map.range(low..=high), out);
    })
}

/// The first and the last account that a leaf may hold.
fn accounts_range(shape: Shape, leaf: usize) -> (AccountId, AccountId) {
    let (mut low, mut high) = ([0; 32], [0xff; 32]);
    let spare = 32 - 4 * shape.depth;
    let front = (leaf as u32) << spare;
    low[..4].copy_from_slice(&front.to_be_bytes());
    high[..4].copy_from_slice(&(front | ((1 << spare) - 1)).to_be_bytes());
    (AccountId(low), AccountId(high))
}

/// Kept hashes of one subnet's slow components.
#[derive(Clone, Debug, Default)]
pub(crate) struct SubnetCache {
    whole: Option<Hash32>,
    pub params: Option<Hash32>,
    pub info: Option<Hash32>,
    pub neurons: Option<Hash32>,
    pub bonds: Option<Hash32>,
    pub dividends: Option<Hash32>,
    pub axons: Option<Hash32>,
    pub links: Option<Hash32>,
    pub pending_children: Option<Hash32>,
    pub stamps: Option<Hash32>,
    pub commits: Option<Hash32>,
    rows: Tree,
    pools: Tree,
    sealed: Tree,
}

impl SubnetCache {
    pub fn forget_mechanisms(&mut self) {
        self.rows.forget();
        self.bonds = None;
    }

    /// A row, or the time of its last update.
    pub fn mark_row(&mut self, uid: u16) {
        self.rows.mark(row_leaf(usize::from(uid)));
    }

    pub fn mark_pool(&mut self, hotkey: &AccountId) {
        self.pools.mark(POOLS.leaf(&hotkey.0));
    }

    /// A queue of sealed rows from a place on, up to the longer one's length.
    pub fn mark_sealed(&mut self, epoch: u64, from: usize, until: usize) {
        for place in (from..until).step_by(SEALED_PER_LEAF).chain(until.checked_sub(1)) {
            self.sealed.mark(sealed_leaf(epoch, place));
        }
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
        let parts = [
            component(&mut self.params, &|out| subnet.params.canon(out)),
            component(&mut self.info, &|out| subnet.info.canon(out)),
            component(&mut self.neurons, &|out| subnet.neurons.canon(out)),
            component(&mut self.bonds, &|out| canon_bonds(&subnet.mechanisms, out)),
            component(&mut self.dividends, &|out| canon_entries(&subnet.last_dividends, out)),
            component(&mut self.axons, &|out| canon_entries(&subnet.axons, out)),
            component(&mut self.links, &|out| canon_entries(&subnet.links, out)),
            component(&mut self.pending_children, &|out| {
                canon_entries(&subnet.pending_children, out);
            }),
            component(&mut self.stamps, &|out| canon_entries(&subnet.stamps, out)),
            component(&mut self.commits, &|out| canon_entries(&subnet.commits, out)),
        ];
        let trees = [
            rows_root(&mut self.rows, &subnet.mechanisms, buffer),
            accounts_root(&mut self.pools, POOLS, &subnet.pools, buffer),
            sealed_root(&mut self.sealed, subnet, buffer),
        ];
        let all = Preimage::new("subnet", buffer);
        subnet.added.canon(all.bytes);
        let trees = trees.into_iter().map(|tree| tree.unwrap_or(EMPTY));
        for (tag, part) in (1u16..).zip(parts.into_iter().chain(trees)) {
            field(all.bytes, tag, &part, &EMPTY);
        }
        let whole = all.hash();
        self.whole = Some(whole);
        whole
    }
}

fn row_leaf(uid: usize) -> usize {
    uid % ROWS.leaves()
}

/// Rows and when each was last set, of all mechanisms.
fn rows_root(tree: &mut Tree, mechanisms: &[Mechanism], buffer: &mut Vec<u8>) -> Option<Hash32> {
    let most = mechanisms.iter().map(rows_of).max().unwrap_or(0);
    tree.root(
        ROWS,
        buffer,
        || 0..most.min(ROWS.leaves()),
        |leaf, out| {
            for (index, mechanism) in (0..=u8::MAX).zip(mechanisms) {
                for uid in (leaf..rows_of(mechanism)).step_by(ROWS.leaves()) {
                    let row = mechanism.weights.get(uid).map_or(&[][..], Vec::as_slice);
                    let last_update = mechanism.last_update.get(uid).copied().unwrap_or(0);
                    if !row.is_empty() || last_update != 0 {
                        index.canon(out);
                        (uid as u16).canon(out);
                        last_update.canon(out);
                        sized(out, |out| canon_row(row, out));
                    }
                }
            }
        },
    )
}

fn rows_of(mechanism: &Mechanism) -> usize {
    mechanism.weights.len().max(mechanism.last_update.len())
}

fn claims_root(
    tree: &mut Tree,
    subnets: &BTreeMap<NetUid, Subnet>,
    buffer: &mut Vec<u8>,
) -> Option<Hash32> {
    let claims = subnets.values().flat_map(|subnet| subnet.root_claimed.keys());
    let occupied = || claims.map(|(hotkey, _)| CLAIMS.leaf(&hotkey.0));
    tree.root(CLAIMS, buffer, occupied, |leaf, out| {
        let (low, high) = accounts_range(CLAIMS, leaf);
        let first = (low, AccountId([0; 32]));
        let last = (high, AccountId([0xff; 32]));
        for (id, subnet) in subnets {
            for ((hotkey, coldkey), claimed) in subnet.root_claimed.range(first..=last) {
                id.canon(out);
                hotkey.canon(out);
                coldkey.canon(out);
                claimed.canon(out);
            }
        }
    })
}

/// The leaf of a sealed row by its epoch and its place in the queue.
fn sealed_leaf(epoch: u64, place: usize) -> usize {
    (epoch % 16) as usize * 16 + (place / SEALED_PER_LEAF).min(15)
}

fn sealed_root(tree: &mut Tree, subnet: &Subnet, buffer: &mut Vec<u8>) -> Option<Hash32> {
    let occupied = || {
        subnet.timelocked.iter().flat_map(|((_, epoch), queue)| {
            (0..queue.len()).map(|place| sealed_leaf(*epoch, place))
        })
    };
    tree.root(SEALED, buffer, occupied, |leaf, out| {
        let first = leaf % 16 * SEALED_PER_LEAF;
        let last = if leaf % 16 == 15 { usize::MAX } else { first + SEALED_PER_LEAF };
        let queues = subnet.timelocked.iter();
        for (key, queue) in queues.filter(|((_, epoch), _)| epoch % 16 == leaf as u64 / 16) {
            let held = queue.get(first.min(queue.len())..last.min(queue.len())).unwrap_or(&[]);
            for (place, commit) in (first as u32..).zip(held) {
                key.canon(out);
                place.canon(out);
                sized(out, |out| commit.canon(out));
            }
        }
    })
}

/// Stands for a component that holds nothing; such a component is absent from the root.
const EMPTY: Hash32 = Hash32([0; 32]);

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
    for (uid, weight) in row {
        out.extend_from_slice(&uid.to_le_bytes());
        out.extend_from_slice(&weight.to_le_bytes());
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

        let cache = &mut self.cache;
        let accounts = accounts_root(&mut cache.accounts, ACCOUNTS, &self.accounts, &mut buffer);
        let hotkeys = accounts_root(&mut cache.hotkeys, HOTKEYS, &self.hotkeys, &mut buffer);
        let coldkeys = accounts_root(&mut cache.coldkeys, COLDKEYS, &self.coldkeys, &mut buffer);
        let claims = claims_root(&mut cache.claims, &self.subnets, &mut buffer);

        let root = Preimage::new("btemu state root 2", &mut buffer);
        let parts = [Some(global), Some(fast), Some(subnets), accounts, hotkeys, coldkeys, claims];
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
