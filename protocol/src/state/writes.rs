//! The writes that `apply` may use, and the undo list behind them.
//!
//! What belongs here: how a write is remembered and which hashes it makes stale. What does not: what is
//! stored (`state`), which writes an event makes (`apply`).

use super::{
    Account, Axon, Coldkey, Commit, Dividends, Fast, Global, Hotkey, HotkeyPool, Info, Leaks,
    Links, Mechanism, Neurons, Params, PendingChildren, Row, Stamp, State, Subnet,
    TimelockedCommit,
};
use crate::pool::Pool;
use crate::root::entries::{Entries, Entry as Counted, Was, Written};
use crate::root::{put_on_pool, take_off_pool};
use crate::rules::Rules;
use crate::units::{AccountId, Alpha, Height, NetUid, Rao};
use alloc::boxed::Box;
use alloc::collections::btree_map::Entry;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec;
use alloc::vec::Vec;

/// The old values behind open savepoints.
#[derive(Clone, Debug, Default)]
pub(crate) struct UndoList {
    depth: u32,
    entries: Vec<Undo>,
}

impl UndoList {
    fn remember_fast(&mut self, id: NetUid, old: &Fast) {
        if self.depth > 0 {
            self.entries.push(Undo::Fast(id, Box::new(*old)));
        }
    }
}

#[derive(Clone, Debug)]
enum Undo {
    Height(Height),
    Rules(Rules),
    Global(Box<Global>),
    Leaks(Leaks),
    Subnet(NetUid, Option<Box<Subnet>>),
    Fast(NetUid, Box<Fast>),
    Swap(NetUid, Box<(Pool, u128)>),
    Flow(NetUid, i64),
    TotalStake(Rao),
    TotalIssuance(Rao),
    Params(NetUid, Box<Params>),
    Info(NetUid, Box<Info>),
    Neurons(NetUid, Box<Neurons>),
    Mechanisms(NetUid, Vec<Mechanism>),
    Row(NetUid, u8, u16, Row),
    LastUpdate(NetUid, u8, u16, u64),
    Pool(NetUid, AccountId, Option<(Alpha, u128, Alpha)>),
    WholePool(NetUid, AccountId, Option<Box<HotkeyPool>>),
    Holder(NetUid, AccountId, AccountId, Option<u128>),
    LastDividends(NetUid, BTreeMap<AccountId, Dividends>),
    RootClaimed((AccountId, AccountId), Option<BTreeMap<NetUid, u128>>),
    Axon(NetUid, AccountId, Option<Axon>),
    Links(NetUid, AccountId, Option<Box<Links>>),
    PendingChildren(NetUid, AccountId, Option<Box<PendingChildren>>),
    Stamp(NetUid, Stamp, Option<u64>),
    Commits(NetUid, (u8, AccountId), Option<Vec<Commit>>),
    Timelocked(NetUid, (u8, u64), Option<Vec<TimelockedCommit>>),
    TimelockedPushed(NetUid, (u8, u64)),
    TimelockedRemoved(NetUid, (u8, u64), usize, Box<TimelockedCommit>),
    Account(AccountId, Option<Account>),
    Hotkey(AccountId, Option<Box<Hotkey>>),
    Coldkey(AccountId, Option<Box<Coldkey>>),
    Marker(AccountId, AccountId, NetUid),
    Markers(BTreeSet<(AccountId, AccountId, NetUid)>),
}

/// A new value of one holder's shares, with what it does to the pool.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ShareWrite {
    pub hotkey: AccountId,
    pub coldkey: AccountId,
    /// Change of the pool's alpha.
    pub alpha: i64,
    /// All shares of the pool from now on.
    pub shares: u128,
    /// The holder's shares from now on.
    pub share: u128,
}

/// A place in the undo list to roll back to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark(usize);

impl State {
    pub(crate) fn open_savepoint(&mut self) -> Mark {
        self.undo.depth += 1;
        Mark(self.undo.entries.len())
    }

    pub(crate) fn close_savepoint(&mut self) {
        self.undo.depth -= 1;
        if self.undo.depth == 0 {
            self.undo.entries.clear();
        }
    }

    pub(crate) fn roll_back(&mut self, mark: Mark) {
        while self.undo.entries.len() > mark.0 {
            if let Some(entry) = self.undo.entries.pop() {
                #[cfg(feature = "planted")]
                if crate::planted::active(crate::planted::Bug::ForgetfulUndo) {
                    continue;
                }
                self.restore(entry);
            }
        }
    }

    fn remember(&mut self, entry: impl FnOnce(&Self) -> Undo) {
        if self.undo.depth > 0 {
            let entry = entry(self);
            self.undo.entries.push(entry);
        }
    }

    fn restore(&mut self, entry: Undo) {
        match entry {
            Undo::Height(old) => self.height = old,
            Undo::Rules(old) => self.rules = old,
            Undo::Global(old) => self.global = *old,
            Undo::Leaks(old) => self.leaks = old,
            Undo::Subnet(id, old) => {
                self.index.forget_holders();
                self.cache.forget_subnet(id, self.subnets.get(&id));
                put_back(&mut self.subnets, id, old.map(|old| *old));
            }
            Undo::Fast(id, old) => self.subnet_entry(id).fast = *old,
            Undo::Swap(id, old) => {
                let fast = &mut self.subnet_entry(id).fast;
                (fast.pool, fast.volume) = *old;
            }
            Undo::Flow(id, old) => self.subnet_entry(id).fast.flow = old,
            Undo::TotalStake(old) => self.global.total_stake = old,
            Undo::TotalIssuance(old) => self.global.total_issuance = old,
            Undo::Params(id, old) => {
                self.cache.subnet(id).params = None;
                self.subnet_entry(id).params = *old;
            }
            Undo::Info(id, old) => {
                self.cache.subnet(id).info = None;
                self.subnet_entry(id).info = *old;
            }
            Undo::Neurons(id, old) => {
                self.cache.subnet(id).neurons = None;
                self.subnet_entry(id).neurons = *old;
            }
            Undo::Mechanisms(id, old) => {
                self.cache.forget_mechanisms(id);
                self.subnet_entry(id).mechanisms = old;
            }
            Undo::Row(id, mechanism, uid, old) => {
                self.cache.mark_row(id, mechanism, uid);
                *row_entry(self.subnet_entry(id), mechanism, uid) = old;
            }
            Undo::LastUpdate(id, mechanism, uid, old) => {
                self.cache.mark_row(id, mechanism, uid);
                *last_update_entry(self.subnet_entry(id), mechanism, uid) = old;
            }
            Undo::Pool(id, hotkey, old) => {
                if let Some((alpha, shares, alpha_last_epoch)) = old {
                    let mut pool = self.write_pool(id, hotkey);
                    (pool.alpha, pool.shares) = (alpha, shares);
                    pool.alpha_last_epoch = alpha_last_epoch;
                } else {
                    self.remove_pool(id, hotkey);
                }
            }
            Undo::WholePool(id, hotkey, old) => {
                self.index.forget_holders();
                self.remove_pool(id, hotkey);
                if let Some(old) = old {
                    if let Some(entries) = self.cache.stakes(id) {
                        put_on_pool(entries, id, &hotkey, &old);
                    }
                    self.subnet_entry(id).pools.insert(hotkey, *old);
                }
            }
            Undo::Holder(id, hotkey, coldkey, old) => {
                self.put_holder(id, hotkey, coldkey, old.unwrap_or(0));
            }
            Undo::LastDividends(id, old) => {
                self.cache.subnet(id).dividends = None;
                self.subnet_entry(id).last_dividends = old;
            }
            Undo::RootClaimed(key, old) => {
                put_back_counted(&mut self.cache.entries, &mut self.root_claimed, key, old);
            }
            Undo::Axon(id, hotkey, old) => {
                self.cache.subnet(id).axons = None;
                put_back(&mut self.subnet_entry(id).axons, hotkey, old);
            }
            Undo::Links(id, hotkey, old) => {
                self.cache.subnet(id).links = None;
                put_back(&mut self.subnet_entry(id).links, hotkey, old.map(|old| *old));
            }
            Undo::PendingChildren(id, hotkey, old) => {
                self.cache.subnet(id).pending_children = None;
                put_back(&mut self.subnet_entry(id).pending_children, hotkey, old.map(|old| *old));
            }
            Undo::Commits(id, key, old) => {
                self.cache.subnet(id).commits = None;
                put_back(&mut self.subnet_entry(id).commits, key, old);
            }
            Undo::Timelocked(id, key, old) => {
                self.cache.mark_sealed(id, key, 0);
                put_back(&mut self.subnet_entry(id).timelocked, key, old);
            }
            Undo::TimelockedPushed(id, key) => {
                let queues = &mut self.subnets.entry(id).or_default().timelocked;
                if let Entry::Occupied(mut queue) = queues.entry(key) {
                    queue.get_mut().pop();
                    self.cache.mark_sealed(id, key, queue.get().len());
                    if queue.get().is_empty() {
                        queue.remove();
                    }
                }
            }
            Undo::TimelockedRemoved(id, key, place, commit) => {
                self.cache.mark_sealed(id, key, place);
                let queue = self.subnet_entry(id).timelocked.entry(key).or_default();
                queue.insert(place, *commit);
            }
            Undo::Stamp(id, stamp, old) => {
                self.cache.subnet(id).stamps = None;
                put_back(&mut self.subnet_entry(id).stamps, stamp, old);
            }
            Undo::Account(id, old) => {
                put_back_counted(&mut self.cache.entries, &mut self.accounts, id, old);
            }
            Undo::Hotkey(id, old) => {
                let old = old.map(|old| *old);
                put_back_counted(&mut self.cache.entries, &mut self.hotkeys, id, old);
            }
            Undo::Coldkey(id, old) => {
                self.index.forget_root_stakers();
                let old = old.map(|old| *old);
                put_back_counted(&mut self.cache.entries, &mut self.coldkeys, id, old);
            }
            Undo::Marker(hotkey, coldkey, id) => {
                self.stake_markers.remove(&(hotkey, coldkey, id));
            }
            Undo::Markers(old) => self.stake_markers = old,
        }
    }

    /// A write to a netuid that has no entry yet makes one; rolled back, it is gone again.
    fn remember_entry(&mut self, id: NetUid) {
        if !self.subnets.contains_key(&id) {
            self.remember(|_| Undo::Subnet(id, None));
        }
    }

    /// A hotkey's pool for writing, its holders apart; created when absent.
    fn write_pool(
        &mut self,
        id: NetUid,
        hotkey: AccountId,
    ) -> Written<'_, (NetUid, AccountId), HotkeyPool> {
        let pools = &mut self.subnets.entry(id).or_default().pools;
        write_counted(self.cache.stakes(id), (id, hotkey), pools.entry(hotkey)).0
    }

    /// Removes a hotkey's pool with its holders, if there is one.
    fn remove_pool(&mut self, id: NetUid, hotkey: AccountId) -> Option<HotkeyPool> {
        let pool = self.subnet_entry(id).pools.remove(&hotkey)?;
        if let Some(entries) = self.cache.stakes(id) {
            take_off_pool(entries, id, &hotkey, &pool);
        }
        Some(pool)
    }

    fn subnet_entry(&mut self, id: NetUid) -> &mut Subnet {
        self.subnets.entry(id).or_default()
    }
}

/// Gives a map's entry its old value, or takes the entry away where there was none.
fn put_back<K: Ord, V>(map: &mut BTreeMap<K, V>, key: K, old: Option<V>) {
    match old {
        Some(old) => map.insert(key, old),
        None => map.remove(&key),
    };
}

/// The same with a map whose entries are in the sum.
fn put_back_counted<K: Ord, V: Counted<K>>(
    entries: &mut Entries,
    map: &mut BTreeMap<K, V>,
    key: K,
    old: Option<V>,
) {
    if let Some(now) = map.get(&key) {
        entries.take_off(&key, now);
    }
    if let Some(old) = &old {
        entries.put_on(&key, old);
    }
    put_back(map, key, old);
}

/// A map's entry for writing, created when absent, and whether it was there.
fn write_counted<'a, K, V: Counted<K> + Default>(
    entries: Option<&'a mut Entries>,
    key: K,
    entry: Entry<'a, AccountId, V>,
) -> (Written<'a, K, V>, Was) {
    let (value, was) = match entry {
        Entry::Occupied(entry) => (entry.into_mut(), Was::There),
        Entry::Vacant(entry) => (entry.insert(V::default()), Was::Absent),
    };
    (Written::new(entries, key, value, was), was)
}

/// A holder's shares come, go or change.
fn note_holder(
    entries: Option<&mut Entries>,
    key: (NetUid, AccountId, AccountId),
    old: Option<u128>,
    share: u128,
) {
    if let Some(entries) = entries {
        if let Some(old) = &old {
            entries.take_off(&key, old);
        }
        if share != 0 {
            entries.put_on(&key, &share);
        }
    }
}

/// A mechanism with columns as long as the neurons are many.
pub(crate) fn mechanism_entry(subnet: &mut Subnet, mechanism: u8) -> &mut Mechanism {
    let index = usize::from(mechanism);
    if subnet.mechanisms.len() <= index {
        subnet.mechanisms.resize(index + 1, Mechanism::default());
    }
    let length = subnet.neurons.len();
    let mechanism = &mut subnet.mechanisms[index];
    if mechanism.last_update.len() < length {
        mechanism.last_update.resize(length, 0);
    }
    if mechanism.incentive.len() < length {
        mechanism.incentive.resize(length, 0);
    }
    if mechanism.weights.len() < length {
        mechanism.weights.resize(length, vec![]);
    }
    if mechanism.bonds.len() < length {
        mechanism.bonds.resize(length, vec![]);
    }
    mechanism
}

fn row_entry(subnet: &mut Subnet, mechanism: u8, uid: u16) -> &mut Row {
    &mut mechanism_entry(subnet, mechanism).weights[usize::from(uid)]
}

fn last_update_entry(subnet: &mut Subnet, mechanism: u8, uid: u16) -> &mut u64 {
    &mut mechanism_entry(subnet, mechanism).last_update[usize::from(uid)]
}

/// The writes. Only `apply` uses them (and genesis, before the first block).
impl State {
    pub(crate) fn set_height(&mut self, height: Height) {
        self.remember(|state| Undo::Height(state.height));
        self.height = height;
    }

    pub(crate) fn rules_mut(&mut self) -> &mut Rules {
        self.remember(|state| Undo::Rules(state.rules));
        &mut self.rules
    }

    pub(crate) fn global_mut(&mut self) -> &mut Global {
        self.remember(|state| Undo::Global(Box::new(state.global.clone())));
        &mut self.global
    }

    pub(crate) fn leaks_mut(&mut self) -> &mut Leaks {
        self.remember(|state| Undo::Leaks(state.leaks));
        &mut self.leaks
    }

    /// The whole subnet, created when absent: for registration and dissolution.
    pub(crate) fn whole_subnet_mut(&mut self, id: NetUid) -> &mut Subnet {
        self.remember(|state| Undo::Subnet(id, state.subnets.get(&id).cloned().map(Box::new)));
        self.index.forget_holders();
        self.cache.forget_subnet(id, self.subnets.get(&id));
        self.subnet_entry(id)
    }

    /// The scalars of a subnet that exists.
    pub(crate) fn fast_mut(&mut self, id: NetUid) -> Option<&mut Fast> {
        let subnet = self.subnets.get_mut(&id).filter(|subnet| subnet.added)?;
        self.undo.remember_fast(id, &subnet.fast);
        Some(&mut subnet.fast)
    }

    /// The scalars of several subnets in one walk over the map: a column has an entry for almost
    /// every subnet. Ends early at a netuid that does not exist or does not ascend.
    pub(crate) fn fasts_mut(&mut self, ids: &[NetUid]) -> impl Iterator<Item = &mut Fast> {
        let first = ids.first().copied().unwrap_or_default();
        let (undo, mut subnets) = (&mut self.undo, self.subnets.range_mut(first..));
        ids.iter().map_while(move |id| {
            let (_, subnet) = subnets.find(|(at, subnet)| *at == id && subnet.added)?;
            undo.remember_fast(*id, &subnet.fast);
            Some(&mut subnet.fast)
        })
    }

    /// An existing subnet's scalars for writing its pool and volume.
    pub(crate) fn swap_mut(&mut self, id: NetUid) -> Option<&mut Fast> {
        let fast = &mut self.subnets.get_mut(&id).filter(|subnet| subnet.added)?.fast;
        if self.undo.depth > 0 {
            self.undo.entries.push(Undo::Swap(id, Box::new((fast.pool, fast.volume))));
        }
        Some(fast)
    }

    /// The flow of an existing subnet.
    pub(crate) fn flow_mut(&mut self, id: NetUid) -> Option<&mut i64> {
        let flow = &mut self.subnets.get_mut(&id).filter(|subnet| subnet.added)?.fast.flow;
        if self.undo.depth > 0 {
            self.undo.entries.push(Undo::Flow(id, *flow));
        }
        Some(flow)
    }

    pub(crate) fn total_stake_mut(&mut self) -> &mut Rao {
        self.remember(|state| Undo::TotalStake(state.global.total_stake));
        &mut self.global.total_stake
    }

    pub(crate) fn total_issuance_mut(&mut self) -> &mut Rao {
        self.remember(|state| Undo::TotalIssuance(state.global.total_issuance));
        &mut self.global.total_issuance
    }

    pub(crate) fn params_mut(&mut self, id: NetUid) -> &mut Params {
        self.remember_entry(id);
        self.remember(|state| {
            let params = state.subnets.get(&id).map(|subnet| subnet.params.clone());
            Undo::Params(id, Box::new(params.unwrap_or_default()))
        });
        self.cache.subnet(id).params = None;
        &mut self.subnet_entry(id).params
    }

    pub(crate) fn info_mut(&mut self, id: NetUid) -> &mut Info {
        self.remember_entry(id);
        self.remember(|state| {
            let info = state.subnets.get(&id).map(|subnet| subnet.info.clone());
            Undo::Info(id, Box::new(info.unwrap_or_default()))
        });
        self.cache.subnet(id).info = None;
        &mut self.subnet_entry(id).info
    }

    /// Neurons and mechanisms together: for placing a neuron and for the epoch.
    pub(crate) fn neurons_mut(&mut self, id: NetUid) -> (&mut Neurons, &mut Vec<Mechanism>) {
        self.remember(|state| {
            let neurons = state.subnets.get(&id).map(|subnet| subnet.neurons.clone());
            Undo::Neurons(id, Box::new(neurons.unwrap_or_default()))
        });
        self.remember(|state| {
            let mechanisms = state.subnets.get(&id).map(|subnet| subnet.mechanisms.clone());
            Undo::Mechanisms(id, mechanisms.unwrap_or_default())
        });
        self.cache.subnet(id).neurons = None;
        self.cache.forget_mechanisms(id);
        let subnet = self.subnet_entry(id);
        (&mut subnet.neurons, &mut subnet.mechanisms)
    }

    /// Makes a mechanism's columns as long as the neurons are many.
    fn pad_mechanism(&mut self, id: NetUid, mechanism: u8) {
        let subnet = self.subnet_entry(id);
        let length = subnet.neurons.len();
        let fits = subnet.mechanism(mechanism).is_some_and(|mechanism| {
            mechanism.last_update.len() >= length
                && mechanism.incentive.len() >= length
                && mechanism.weights.len() >= length
                && mechanism.bonds.len() >= length
        });
        if !fits {
            let (_, _) = self.neurons_mut(id);
            mechanism_entry(self.subnet_entry(id), mechanism);
        }
    }

    pub(crate) fn row_mut(&mut self, id: NetUid, mechanism: u8, uid: u16) -> &mut Row {
        self.pad_mechanism(id, mechanism);
        self.cache.mark_row(id, mechanism, uid);
        if self.undo.depth > 0 {
            let old = row_entry(self.subnet_entry(id), mechanism, uid).clone();
            self.undo.entries.push(Undo::Row(id, mechanism, uid, old));
        }
        row_entry(self.subnet_entry(id), mechanism, uid)
    }

    pub(crate) fn last_update_mut(&mut self, id: NetUid, mechanism: u8, uid: u16) -> &mut u64 {
        self.pad_mechanism(id, mechanism);
        self.cache.mark_row(id, mechanism, uid);
        if self.undo.depth > 0 {
            let old = *last_update_entry(self.subnet_entry(id), mechanism, uid);
            self.undo.entries.push(Undo::LastUpdate(id, mechanism, uid, old));
        }
        last_update_entry(self.subnet_entry(id), mechanism, uid)
    }

    /// Sets a pool's alpha right after an epoch's dividends, where there were any. A pool that holds nothing goes, as the
    /// chain deletes zero values when it adds to them.
    pub(crate) fn end_epoch_of_pool(
        &mut self,
        id: NetUid,
        hotkey: AccountId,
        alpha: Option<Alpha>,
    ) {
        let subnet = self.subnets.get_mut(&id);
        let Some(pool) = subnet.and_then(|subnet| subnet.pools.get_mut(&hotkey)) else {
            if let Some(alpha) = alpha.filter(|alpha| *alpha != Alpha::ZERO) {
                self.remember(|_| Undo::Pool(id, hotkey, None));
                self.write_pool(id, hotkey).alpha_last_epoch = alpha;
            }
            return;
        };
        if let Some(alpha) = alpha.filter(|alpha| *alpha != pool.alpha_last_epoch) {
            if self.undo.depth > 0 {
                let old = (pool.alpha, pool.shares, pool.alpha_last_epoch);
                self.undo.entries.push(Undo::Pool(id, hotkey, Some(old)));
            }
            let entries = self.cache.stakes(id);
            Written::new(entries, (id, hotkey), pool, Was::There).alpha_last_epoch = alpha;
        }
        if *pool == HotkeyPool::default() {
            self.remember(|_| Undo::WholePool(id, hotkey, Some(Box::default())));
            self.remove_pool(id, hotkey);
        }
    }

    /// A hotkey's pool after a payout, its shares and those of some holders; created when absent.
    /// One look-up for what an epoch does to hundreds of pools.
    pub(crate) fn pay_pool(
        &mut self,
        id: NetUid,
        hotkey: AccountId,
        holders: impl Iterator<Item = (AccountId, u128)>,
    ) -> Written<'_, (NetUid, AccountId), HotkeyPool> {
        self.remember(|state| {
            let pool = state.subnets.get(&id).and_then(|subnet| subnet.pools.get(&hotkey));
            Undo::WholePool(id, hotkey, pool.cloned().map(Box::new))
        });
        let pools = &mut self.subnets.entry(id).or_default().pools;
        let entry = pools.entry(hotkey);
        let mut entries = self.cache.stakes(id);
        let (pool, was) = match entry {
            Entry::Occupied(entry) => (entry.into_mut(), Was::There),
            Entry::Vacant(entry) => (entry.insert(HotkeyPool::default()), Was::Absent),
        };
        for (coldkey, share) in holders {
            let old = pool.hold(coldkey, share);
            note_holder(entries.as_deref_mut(), (id, hotkey, coldkey), old, share);
            if old.is_some() != (share != 0) {
                self.index.note_holder(&hotkey, &coldkey, id, share != 0);
            }
        }
        Written::new(entries, (id, hotkey), pool, was)
    }

    fn put_holder(&mut self, id: NetUid, hotkey: AccountId, coldkey: AccountId, share: u128) {
        let mut pool = self.write_pool(id, hotkey);
        let old = pool.hold(coldkey, share);
        drop(pool);
        note_holder(self.cache.stakes(id), (id, hotkey, coldkey), old, share);
        if old.is_some() != (share != 0) {
            self.index.note_holder(&hotkey, &coldkey, id, share != 0);
        }
    }

    /// Changes a pool's alpha by a delta, and sets its shares and those of a holder. Zero shares remove
    /// the entry, and a pool that holds nothing goes, as the chain deletes zero values. `None` when
    /// there is no such subnet or the alpha would leave its range.
    pub(crate) fn change_share(&mut self, id: NetUid, change: &ShareWrite) -> Option<()> {
        let ShareWrite { hotkey, coldkey, alpha, shares, share } = *change;
        let pools = &mut self.subnets.get_mut(&id).filter(|subnet| subnet.added)?.pools;
        let mut entries = self.cache.stakes(id);
        let (pool, old) = match pools.entry(hotkey) {
            Entry::Occupied(entry) => {
                let pool = entry.into_mut();
                if let Some(entries) = &mut entries {
                    entries.take_off(&(id, hotkey), pool);
                }
                let old = (pool.alpha, pool.shares, pool.alpha_last_epoch);
                (pool, Some(old))
            }
            Entry::Vacant(entry) => (entry.insert(HotkeyPool::default()), None),
        };
        pool.alpha = Alpha(pool.alpha.0.checked_add_signed(alpha)?);
        pool.shares = shares;
        let held = pool.hold(coldkey, share);
        if pool.alpha == Alpha::ZERO && shares == 0 && pool.holders.is_empty() {
            pools.remove(&hotkey);
        } else if let Some(entries) = &mut entries {
            entries.put_on(&(id, hotkey), pool);
        }
        note_holder(entries, (id, hotkey, coldkey), held, share);
        if self.undo.depth > 0 {
            self.undo.entries.push(Undo::Pool(id, hotkey, old));
            self.undo.entries.push(Undo::Holder(id, hotkey, coldkey, held));
        }
        if held.is_some() != (share != 0) {
            self.index.note_holder(&hotkey, &coldkey, id, share != 0);
        }
        Some(())
    }

    pub(crate) fn last_dividends_mut(&mut self, id: NetUid) -> &mut BTreeMap<AccountId, Dividends> {
        self.remember(|state| {
            let old = state.subnets.get(&id).map(|subnet| subnet.last_dividends.clone());
            Undo::LastDividends(id, old.unwrap_or_default())
        });
        self.cache.subnet(id).dividends = None;
        &mut self.subnet_entry(id).last_dividends
    }

    /// Sets what a coldkey claimed behind a hotkey, on one subnet or several.
    pub(crate) fn set_root_claimed(
        &mut self,
        hotkey: AccountId,
        coldkey: AccountId,
        claimed: impl IntoIterator<Item = (NetUid, u128)>,
    ) {
        let key = (hotkey, coldkey);
        let mut claimed = claimed.into_iter().peekable();
        if claimed.peek().is_some() {
            self.remember(|state| Undo::RootClaimed(key, state.root_claimed.get(&key).cloned()));
            let entries = &mut self.cache.entries;
            let entry = match self.root_claimed.entry(key) {
                Entry::Occupied(entry) => {
                    entries.take_off(&key, entry.get());
                    entry.into_mut()
                }
                Entry::Vacant(entry) => entry.insert(BTreeMap::new()),
            };
            entry.extend(claimed);
            entries.put_on(&key, entry);
        }
    }

    /// Forgets what a coldkey claimed behind a hotkey on a subnet.
    pub(crate) fn drop_root_claimed(&mut self, id: NetUid, hotkey: AccountId, coldkey: AccountId) {
        let key = (hotkey, coldkey);
        if self.claimed(&hotkey, &coldkey, id).is_some() {
            self.remember(|state| Undo::RootClaimed(key, state.root_claimed.get(&key).cloned()));
            let entries = &mut self.cache.entries;
            if let Entry::Occupied(mut entry) = self.root_claimed.entry(key) {
                entries.take_off(&key, entry.get());
                entry.get_mut().remove(&id);
                if entry.get().is_empty() {
                    entry.remove();
                } else {
                    entries.put_on(&key, entry.get());
                }
            }
        }
    }

    /// Forgets what anybody claimed on a subnet.
    pub(crate) fn drop_all_root_claimed(&mut self, id: NetUid) {
        let claimed = self.root_claimed.iter().filter(|(_, claimed)| claimed.contains_key(&id));
        for (hotkey, coldkey) in claimed.map(|(key, _)| *key).collect::<Vec<_>>() {
            self.drop_root_claimed(id, hotkey, coldkey);
        }
    }

    /// Adds a hotkey's pool to another's, which exists from then on.
    pub(crate) fn move_pool(
        &mut self,
        id: NetUid,
        from: AccountId,
        to: AccountId,
    ) -> Result<(), &'static str> {
        self.remember_entry(id);
        for hotkey in [from, to] {
            self.remember(|state| {
                let pool = state.subnets.get(&id).and_then(|subnet| subnet.pools.get(&hotkey));
                Undo::WholePool(id, hotkey, pool.cloned().map(Box::new))
            });
        }
        self.index.forget_holders();
        let old = self.remove_pool(id, from).unwrap_or_default();
        let mut new = self.remove_pool(id, to).unwrap_or_default();
        new.alpha = Alpha(new.alpha.0.checked_add(old.alpha.0).ok_or("a hotkey's alpha")?);
        new.alpha_last_epoch = new.alpha_last_epoch.plus(old.alpha_last_epoch);
        new.shares = new.shares.checked_add(old.shares).ok_or("a hotkey's shares")?;
        for (coldkey, share) in old.holders {
            let held = new.holders.entry(coldkey).or_default();
            *held = held.checked_add(share).ok_or("a holder's shares")?;
        }
        if let Some(entries) = self.cache.stakes(id) {
            put_on_pool(entries, id, &to, &new);
        }
        self.subnet_entry(id).pools.insert(to, new);
        Ok(())
    }

    /// Adds a coldkey's shares behind a hotkey to another's.
    pub(crate) fn move_holder(
        &mut self,
        id: NetUid,
        hotkey: AccountId,
        from: AccountId,
        to: AccountId,
    ) -> Result<(), &'static str> {
        let share = |state: &Self, coldkey: &AccountId| {
            let pool = state.subnets.get(&id).and_then(|subnet| subnet.pools.get(&hotkey));
            pool.and_then(|pool| pool.holders.get(coldkey)).copied()
        };
        let (own, others) = (share(self, &from), share(self, &to));
        self.remember(|_| Undo::Holder(id, hotkey, from, own));
        self.remember(|_| Undo::Holder(id, hotkey, to, others));
        let sum = own.unwrap_or(0).checked_add(others.unwrap_or(0)).ok_or("a holder's shares")?;
        self.put_holder(id, hotkey, from, 0);
        self.put_holder(id, hotkey, to, sum);
        Ok(())
    }

    /// Removes a hotkey's entry that says nothing.
    pub(crate) fn drop_empty_hotkey(&mut self, id: AccountId) {
        if self.hotkeys.get(&id).is_some_and(|entry| *entry == Hotkey::default()) {
            self.remember(|_| Undo::Hotkey(id, Some(Box::default())));
            put_back_counted(&mut self.cache.entries, &mut self.hotkeys, id, None);
        }
    }

    pub(crate) fn set_axon(&mut self, id: NetUid, hotkey: AccountId, axon: Axon) {
        self.remember(|state| {
            let old = state.subnets.get(&id).and_then(|subnet| subnet.axons.get(&hotkey).copied());
            Undo::Axon(id, hotkey, old)
        });
        self.cache.subnet(id).axons = None;
        self.subnet_entry(id).axons.insert(hotkey, axon);
    }

    pub(crate) fn drop_axon(&mut self, id: NetUid, hotkey: AccountId) {
        let old = self.subnets.get(&id).and_then(|subnet| subnet.axons.get(&hotkey).copied());
        if old.is_some() {
            self.remember(|_| Undo::Axon(id, hotkey, old));
            self.cache.subnet(id).axons = None;
            self.subnet_entry(id).axons.remove(&hotkey);
        }
    }

    /// A hotkey's links on a subnet, which need not exist; created when absent.
    pub(crate) fn links_mut(&mut self, id: NetUid, hotkey: AccountId) -> &mut Links {
        self.remember_entry(id);
        self.remember(|state| {
            let links = state.subnets.get(&id).and_then(|subnet| subnet.links.get(&hotkey));
            Undo::Links(id, hotkey, links.cloned().map(Box::new))
        });
        self.cache.subnet(id).links = None;
        self.subnet_entry(id).links.entry(hotkey).or_default()
    }

    /// Removes links that say nothing.
    pub(crate) fn drop_empty_links(&mut self, id: NetUid, hotkey: AccountId) {
        let links = self.subnets.get(&id).and_then(|subnet| subnet.links.get(&hotkey));
        if links.is_some_and(|links| *links == Links::default()) {
            self.remember(|_| Undo::Links(id, hotkey, Some(Box::default())));
            self.cache.subnet(id).links = None;
            self.subnet_entry(id).links.remove(&hotkey);
        }
    }

    pub(crate) fn set_pending_children(
        &mut self,
        id: NetUid,
        hotkey: AccountId,
        pending: Option<PendingChildren>,
    ) {
        self.remember(|state| {
            let subnet = state.subnets.get(&id);
            let old = subnet.and_then(|subnet| subnet.pending_children.get(&hotkey));
            Undo::PendingChildren(id, hotkey, old.cloned().map(Box::new))
        });
        self.cache.subnet(id).pending_children = None;
        let all = &mut self.subnet_entry(id).pending_children;
        match pending {
            Some(pending) => all.insert(hotkey, pending),
            None => all.remove(&hotkey),
        };
    }

    /// A hotkey's queue of commits without its first `dropped`, and with one more; an empty queue goes.
    /// `None` when there are not so many.
    pub(crate) fn change_commits(
        &mut self,
        id: NetUid,
        key: (u8, AccountId),
        dropped: usize,
        added: Option<Commit>,
    ) -> Option<()> {
        let mut queue = self.subnets.get(&id)?.commits.get(&key).cloned().unwrap_or_default();
        if dropped > queue.len() {
            return None;
        }
        queue.drain(..dropped);
        queue.extend(added);
        self.set_commits(id, key, queue);
        Some(())
    }

    /// A hotkey's queue of commits; an empty one goes.
    pub(crate) fn set_commits(&mut self, id: NetUid, key: (u8, AccountId), queue: Vec<Commit>) {
        self.cache.subnet(id).commits = None;
        let commits = &mut self.subnet_entry(id).commits;
        let old = match queue.is_empty() {
            true => commits.remove(&key),
            false => commits.insert(key, queue),
        };
        self.remember(|_| Undo::Commits(id, key, old));
    }

    /// Appends to a queue of sealed weights.
    pub(crate) fn push_timelocked(&mut self, id: NetUid, key: (u8, u64), commit: TimelockedCommit) {
        let queue = self.subnets.entry(id).or_default().timelocked.entry(key).or_default();
        self.cache.mark_sealed(id, key, queue.len());
        queue.push(commit);
        self.remember(|_| Undo::TimelockedPushed(id, key));
    }

    /// Takes a commit out of a queue of sealed weights, in which it must be; an empty queue goes.
    pub(crate) fn remove_timelocked(&mut self, id: NetUid, key: (u8, u64), place: usize) {
        self.cache.mark_sealed(id, key, place);
        if let Entry::Occupied(mut queue) = self.subnet_entry(id).timelocked.entry(key) {
            let commit = queue.get_mut().remove(place);
            if queue.get().is_empty() {
                queue.remove();
            }
            self.remember(|_| Undo::TimelockedRemoved(id, key, place, Box::new(commit)));
        }
    }

    /// Drops a queue of sealed weights.
    pub(crate) fn drop_timelocked(&mut self, id: NetUid, key: (u8, u64)) {
        self.cache.mark_sealed(id, key, 0);
        let old = self.subnet_entry(id).timelocked.remove(&key);
        self.remember(|_| Undo::Timelocked(id, key, old));
    }

    pub(crate) fn set_stamp(&mut self, id: NetUid, stamp: Stamp, block: u64) {
        self.remember_entry(id);
        self.remember(|state| {
            let subnet = state.subnets.get(&id);
            Undo::Stamp(id, stamp, subnet.and_then(|subnet| subnet.stamps.get(&stamp).copied()))
        });
        self.cache.subnet(id).stamps = None;
        self.subnet_entry(id).stamps.insert(stamp, block);
    }

    /// Gives a coldkey its index among root stakers, the next one.
    pub(crate) fn index_root_staker(&mut self, coldkey: AccountId, index: u64) {
        self.coldkey_mut(coldkey).root_index = Some(index);
        self.index.note_root_staker(coldkey);
        self.global_mut().root_stakers += 1;
    }

    /// Neurons, and the first `count` mechanisms for writing incentives and bonds (not weights):
    /// for the epoch.
    pub(crate) fn epoch_mut(
        &mut self,
        id: NetUid,
        count: usize,
    ) -> (&mut Neurons, &mut [Mechanism]) {
        for mechanism in (0..=u8::MAX).take(count) {
            self.pad_mechanism(id, mechanism);
        }
        self.remember(|state| {
            let neurons = state.subnets.get(&id).map(|subnet| subnet.neurons.clone());
            Undo::Neurons(id, Box::new(neurons.unwrap_or_default()))
        });
        self.remember(|state| {
            let mechanisms = state.subnets.get(&id).map(|subnet| subnet.mechanisms.clone());
            Undo::Mechanisms(id, mechanisms.unwrap_or_default())
        });
        let cache = self.cache.subnet(id);
        cache.neurons = None;
        cache.bonds = None;
        let subnet = self.subnet_entry(id);
        (&mut subnet.neurons, &mut subnet.mechanisms)
    }

    pub(crate) fn account_mut(&mut self, id: AccountId) -> Written<'_, AccountId, Account> {
        let entry = self.accounts.entry(id);
        let entries = Some(&mut self.cache.entries);
        #[cfg(feature = "planted")]
        let stale = crate::planted::active(crate::planted::Bug::StaleRoot);
        #[cfg(feature = "planted")]
        let entries = entries.filter(|_| !stale);
        let (account, was) = write_counted(entries, id, entry);
        if self.undo.depth > 0 {
            let old = (was == Was::There).then_some(*account);
            self.undo.entries.push(Undo::Account(id, old));
        }
        account
    }

    /// Removes an account that fell below the existential deposit.
    pub(crate) fn reap_account(&mut self, id: AccountId) {
        self.remember(|state| Undo::Account(id, state.accounts.get(&id).copied()));
        put_back_counted(&mut self.cache.entries, &mut self.accounts, id, None);
    }

    pub(crate) fn hotkey_mut(&mut self, id: AccountId) -> Written<'_, AccountId, Hotkey> {
        self.remember(|state| Undo::Hotkey(id, state.hotkeys.get(&id).cloned().map(Box::new)));
        write_counted(Some(&mut self.cache.entries), id, self.hotkeys.entry(id)).0
    }

    /// Sets what a unit of root stake may claim, unless it is that already.
    pub(crate) fn set_claim_rate(&mut self, hotkey: AccountId, netuid: NetUid, rate: i128) {
        let (value, old) = match self.hotkeys.entry(hotkey) {
            Entry::Occupied(entry) => {
                let entry = entry.into_mut();
                if entry.claim_rate(netuid) == Some(rate) {
                    return;
                }
                let old = (self.undo.depth > 0).then(|| Box::new(entry.clone()));
                self.cache.entries.take_off(&hotkey, entry);
                (entry, old)
            }
            Entry::Vacant(entry) => (entry.insert(Hotkey::default()), None),
        };
        value.root_claimable.get_or_insert_default().insert(netuid, rate);
        self.cache.entries.put_on(&hotkey, value);
        if self.undo.depth > 0 {
            self.undo.entries.push(Undo::Hotkey(hotkey, old));
        }
    }

    pub(crate) fn coldkey_mut(&mut self, id: AccountId) -> Written<'_, AccountId, Coldkey> {
        self.remember(|state| Undo::Coldkey(id, state.coldkeys.get(&id).cloned().map(Box::new)));
        write_counted(Some(&mut self.cache.entries), id, self.coldkeys.entry(id)).0
    }

    pub(crate) fn mark_stake(&mut self, hotkey: AccountId, coldkey: AccountId, id: NetUid) {
        if self.stake_markers.insert((hotkey, coldkey, id)) {
            self.remember(|_| Undo::Marker(hotkey, coldkey, id));
        }
    }

    pub(crate) fn clear_stake_markers(&mut self) {
        let old = core::mem::take(&mut self.stake_markers);
        self.remember(|_| Undo::Markers(old));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rolled_back_write_to_a_netuid_without_a_subnet_leaves_no_entry() {
        let (id, hotkey) = (NetUid(7), AccountId([1; 32]));
        let writes: [fn(&mut State, NetUid, AccountId); 4] = [
            |state, id, hotkey| state.links_mut(id, hotkey).take = 5,
            |state, id, _| state.params_mut(id).tempo = 9,
            |state, id, _| state.info_mut(id).symbol.push('τ'),
            |state, id, _| state.set_stamp(id, Stamp::AddStakeBurn, 3),
        ];
        let mut state = State::default();
        let root = state.root();
        for write in writes {
            let mark = state.open_savepoint();
            write(&mut state, id, hotkey);
            assert_ne!(state.root(), root);
            state.roll_back(mark);
            state.close_savepoint();
            assert!(state.subnets.is_empty());
            assert_eq!(state.root(), root);
            assert_eq!(state.root_from_scratch(), root);
        }
    }

    const SUBNETS: u8 = 2;
    const NEURONS: u8 = 4;

    fn account(number: u8) -> AccountId {
        AccountId([number % 6; 32])
    }

    fn peopled() -> State {
        let mut state = State::default();
        for id in 0..SUBNETS {
            let subnet = state.whole_subnet_mut(NetUid(id.into()));
            subnet.added = true;
            subnet.neurons.hotkeys = (0..NEURONS).map(account).collect();
            mechanism_entry(subnet, 0);
        }
        state
    }

    fn shares(state: &State, id: NetUid, hotkey: &AccountId, coldkey: &AccountId) -> u128 {
        let pool = state.subnets.get(&id).and_then(|subnet| subnet.pools.get(hotkey));
        pool.and_then(|pool| pool.holders.get(coldkey)).copied().unwrap_or(0)
    }

    /// One write that `apply` may make, by four numbers.
    fn write(state: &mut State, [what, who, whom, amount]: [u8; 4]) {
        let (id, hotkey, coldkey) = (NetUid((who % SUBNETS).into()), account(who), account(whom));
        let queue = (0, u64::from(whom % 3));
        let share = u128::from(amount % 4);
        let commits = |state: &State| {
            let queues = state.subnets.get(&id).map(|subnet| &subnet.timelocked);
            queues.and_then(|queues| queues.get(&queue)).map_or(0, Vec::len)
        };
        match what % 22 {
            0 => state.account_mut(hotkey).free = Rao(amount.into()),
            1 => state.reap_account(hotkey),
            2 => state.hotkey_mut(hotkey).take = Some(amount.into()),
            3 => *state.hotkey_mut(hotkey) = Hotkey::default(),
            4 => state.drop_empty_hotkey(hotkey),
            5 => state.set_claim_rate(hotkey, id, i128::from(amount % 3)),
            6 => state.coldkey_mut(coldkey).staking.push(hotkey),
            7 | 8 => {
                let (alpha, shares) = (i64::from(amount % 3), u128::from(amount % 5));
                let change = ShareWrite { hotkey, coldkey, alpha, shares, share };
                state.change_share(id, &change).expect("the subnet is there");
            }
            9 => {
                let holders = [(coldkey, share), (account(amount), 0)].into_iter();
                state.pay_pool(id, hotkey, holders).shares = amount.into();
            }
            10 => {
                let alpha = (amount % 2 == 0).then_some(Alpha((amount % 3).into()));
                state.end_epoch_of_pool(id, hotkey, alpha);
            }
            11 => state.move_pool(id, hotkey, coldkey).expect("small numbers"),
            // Only shares that there are move.
            12 if shares(state, id, &hotkey, &coldkey) > 0 => {
                state.move_holder(id, hotkey, coldkey, account(amount)).expect("small numbers");
            }
            12 => {}
            13 => state.set_root_claimed(hotkey, coldkey, [(id, amount.into())]),
            14 => state.drop_root_claimed(id, hotkey, coldkey),
            15 => {
                let commit = TimelockedCommit { block: amount.into(), ..Default::default() };
                state.push_timelocked(id, queue, commit);
            }
            16 => {
                if let Some(place) = usize::from(amount).checked_rem(commits(state)) {
                    state.remove_timelocked(id, queue, place);
                }
            }
            17 => state.drop_timelocked(id, queue),
            18 => *state.row_mut(id, 0, (whom % NEURONS).into()) = vec![(1, amount.into())],
            19 => *state.last_update_mut(id, 0, (whom % NEURONS).into()) = amount.into(),
            20 => state.neurons_mut(id).1[0].weights[0] = vec![(2, amount.into())],
            _ => state.whole_subnet_mut(id).pools.retain(|key, _| *key != hotkey),
        }
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig {
            failure_persistence: None,
            ..proptest::prelude::ProptestConfig::default()
        })]

        #[test]
        fn kept_hashes_are_those_from_scratch_after_any_writes_and_undos(
            steps in proptest::collection::vec(proptest::prelude::any::<[u8; 5]>(), 1..120),
        ) {
            let mut state = peopled();
            let mut marks = Vec::new();
            for [step, numbers @ ..] in steps {
                match step % 16 {
                    0 => marks.push((state.open_savepoint(), state.root_from_scratch())),
                    1 => {
                        if let Some((mark, root)) = marks.pop() {
                            state.roll_back(mark);
                            state.close_savepoint();
                            assert_eq!(state.root_from_scratch(), root, "undone");
                        }
                    }
                    2 | 3 => assert_eq!(state.root(), state.root_from_scratch()),
                    _ => write(&mut state, numbers),
                }
            }
            assert_eq!(state.root(), state.root_from_scratch());
        }

        #[test]
        fn roots_hashed_elsewhere_are_those_from_scratch_after_any_writes(
            steps in proptest::collection::vec(proptest::prelude::any::<[u8; 5]>(), 1..120),
        ) {
            let mut state = peopled();
            state.root();
            let mut hasher = state.give_hashing_away().expect("the sum is here");
            let mut room = None;
            for [step, numbers @ ..] in steps {
                if step % 4 == 0 {
                    let mut root = state.unhashed_root(room.take()).expect("the sum is away");
                    assert_eq!(hasher.root(&mut root), state.root_from_scratch());
                    room = Some(root);
                } else {
                    write(&mut state, numbers);
                }
            }
            state.take_hashing_back(hasher);
            assert_eq!(state.root(), state.root_from_scratch());
        }
    }
}
