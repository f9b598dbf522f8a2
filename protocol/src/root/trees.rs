//! The state root as logs of formats 1 and 2 have it: maps as trees of sixteens, always computed from scratch.
//!
//! What belongs here: what those roots cover, for good. Nothing new is hashed this way.

use super::{canon_bonds, canon_entries, canon_row};
use crate::canon::{Canon, Preimage, field, hash, sized};
use crate::state::{Account, Coldkey, Hotkey, HotkeyPool, Mechanism, State, Subnet};
use crate::units::{AccountId, Hash32};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

/// Children of a node.
const FANOUT: usize = 16;
/// Levels of nodes above the leaves, of maps of the network and of a subnet.
const NETWORK_DEPTH: u32 = 3;
const SUBNET_DEPTH: u32 = 2;
/// Sealed rows of one queue that share a leaf.
const SEALED_PER_LEAF: usize = 8;

/// Stands for what holds nothing.
const EMPTY: Hash32 = Hash32([0; 32]);

/// What leaves hold, by their number.
#[derive(Default)]
struct Leaves(BTreeMap<usize, Vec<u8>>);

impl Leaves {
    fn at(&mut self, leaf: usize) -> &mut Vec<u8> {
        self.0.entry(leaf).or_default()
    }

    fn root(self, domain: &str, depth: u32) -> Hash32 {
        let leaves = self.0.into_iter().filter(|(_, held)| !held.is_empty());
        let mut level: BTreeMap<usize, Hash32> =
            leaves.map(|(leaf, held)| (leaf, hash(domain, &held))).collect();
        for _ in 0..depth {
            let mut nodes = Self::default();
            for (child, hash) in level {
                let node = nodes.at(child / FANOUT);
                node.push((child % FANOUT) as u8);
                hash.canon(node);
            }
            level = nodes.0.into_iter().map(|(at, held)| (at, hash("tree node", &held))).collect();
        }
        level.remove(&0).unwrap_or(EMPTY)
    }
}

/// The leaf of an account, by its first bits.
fn leaf(account: &AccountId, depth: u32) -> usize {
    let [a, b, c, d, ..] = account.0;
    (u32::from_be_bytes([a, b, c, d]) >> (32 - 4 * depth)) as usize
}

fn by_account<'a, V: 'a>(
    domain: &str,
    depth: u32,
    map: impl IntoIterator<Item = (&'a AccountId, &'a V)>,
    write: impl Fn(&V, &mut Vec<u8>),
) -> Hash32 {
    let mut leaves = Leaves::default();
    for (account, value) in map {
        let out = leaves.at(leaf(account, depth));
        account.canon(out);
        sized(out, |out| write(value, out));
    }
    leaves.root(domain, depth)
}

fn pool(pool: &HotkeyPool, out: &mut Vec<u8>) {
    let HotkeyPool { alpha, shares, holders, alpha_last_epoch } = HotkeyPool::default();
    field(out, 1, &pool.alpha, &alpha);
    field(out, 2, &pool.shares, &shares);
    field(out, 3, &pool.holders, &holders);
    field(out, 4, &pool.alpha_last_epoch, &alpha_last_epoch);
}

fn rows(mechanisms: &[Mechanism]) -> Hash32 {
    let places = FANOUT.pow(SUBNET_DEPTH);
    let mut leaves = Leaves::default();
    for (index, mechanism) in (0..=u8::MAX).zip(mechanisms) {
        for uid in 0..mechanism.weights.len().max(mechanism.last_update.len()) {
            let row = mechanism.weights.get(uid).map_or(&[][..], Vec::as_slice);
            let last_update = mechanism.last_update.get(uid).copied().unwrap_or(0);
            if !row.is_empty() || last_update != 0 {
                let out = leaves.at(uid % places);
                index.canon(out);
                (uid as u16).canon(out);
                last_update.canon(out);
                sized(out, |out| canon_row(row, out));
            }
        }
    }
    leaves.root("rows", SUBNET_DEPTH)
}

fn sealed(subnet: &Subnet) -> Hash32 {
    let mut leaves = Leaves::default();
    for (key, queue) in &subnet.timelocked {
        for (place, commit) in queue.iter().enumerate() {
            let epoch = (key.1 % FANOUT as u64) as usize;
            let out = leaves.at(epoch * FANOUT + (place / SEALED_PER_LEAF).min(FANOUT - 1));
            key.canon(out);
            (place as u32).canon(out);
            sized(out, |out| commit.canon(out));
        }
    }
    leaves.root("sealed", SUBNET_DEPTH)
}

fn subnet_root(subnet: &Subnet) -> Hash32 {
    let mut buffer = Vec::new();
    let mut component = |write: &dyn Fn(&mut Vec<u8>)| {
        let part = Preimage::new("subnet component", &mut buffer);
        write(part.bytes);
        if part.is_empty() { EMPTY } else { part.hash() }
    };
    let parts = [
        component(&|out| subnet.params.canon(out)),
        component(&|out| subnet.info.canon(out)),
        component(&|out| subnet.neurons.canon(out)),
        component(&|out| canon_bonds(&subnet.mechanisms, out)),
        component(&|out| canon_entries(&subnet.last_dividends, out)),
        component(&|out| canon_entries(&subnet.axons, out)),
        component(&|out| canon_entries(&subnet.links, out)),
        component(&|out| canon_entries(&subnet.pending_children, out)),
        component(&|out| canon_entries(&subnet.stamps, out)),
        component(&|out| canon_entries(&subnet.commits, out)),
        rows(&subnet.mechanisms),
        by_account("pools", SUBNET_DEPTH, &subnet.pools, pool),
        sealed(subnet),
    ];
    let all = Preimage::new("subnet", &mut buffer);
    subnet.added.canon(all.bytes);
    for (tag, part) in (1u16..).zip(parts) {
        field(all.bytes, tag, &part, &EMPTY);
    }
    all.hash()
}

fn claims(state: &State) -> Hash32 {
    let mut entries: Vec<_> = state
        .root_claimed
        .iter()
        .flat_map(|(key, claimed)| claimed.iter().map(move |(id, amount)| (*id, *key, *amount)))
        .collect();
    entries.sort_unstable();
    let mut leaves = Leaves::default();
    for (id, (hotkey, coldkey), amount) in entries {
        let out = leaves.at(leaf(&hotkey, NETWORK_DEPTH));
        id.canon(out);
        hotkey.canon(out);
        coldkey.canon(out);
        amount.canon(out);
    }
    leaves.root("claims", NETWORK_DEPTH)
}

impl State {
    /// The state root of logs of formats 1 and 2, computed from scratch.
    pub(super) fn root_by_trees(&self) -> Hash32 {
        let mut buffer = Vec::new();
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

        let subnets = Preimage::new("subnets", &mut buffer);
        for (id, subnet) in &self.subnets {
            id.canon(subnets.bytes);
            subnet_root(subnet).canon(subnets.bytes);
        }
        let subnets = subnets.hash();

        let depth = NETWORK_DEPTH;
        let parts = [
            global,
            fast,
            subnets,
            by_account("accounts", depth, &self.accounts, Account::canon),
            by_account("hotkeys", depth, &self.hotkeys, Hotkey::canon),
            by_account("coldkeys", depth, &self.coldkeys, Coldkey::canon),
            claims(self),
        ];
        let root = Preimage::new("btemu state root 2", &mut buffer);
        for (tag, part) in (1u16..).zip(parts) {
            field(root.bytes, tag, &part, &EMPTY);
        }
        root.hash()
    }
}
