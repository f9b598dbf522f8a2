//! The one place where events change the state. Holds no rule: it adds deltas, stores new values,
//! and refuses an event that does not fit.

/// Swaps of keys.
mod keys;

use crate::event::{
    EmissionAccrued, EmissionInjected, EmissionShared, EpochPaid, EpochRun, Event, PoolSwapped,
    PotsDrained, SubnetRegistered, Via,
};
use crate::state::writes::ShareWrite;
use crate::state::{
    Fast, Hotkey, Info, Params, PendingChildren, State, Subnet, SwapAnnouncement, TimelockedCommit,
};
use crate::units::{AccountId, Alpha, NetUid, Rao};
use alloc::vec;
use alloc::vec::Vec;

/// New values of parameters.
mod parameters;
/// Neurons that give up their uids, and the new uids of the others.
mod trimming;

/// An event that does not fit the state: a broken invariant live, a damaged log in a reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("event {event} does not fit the state: {what}")]
pub struct Inconsistent {
    /// The event's kind.
    pub event: &'static str,
    /// What did not fit.
    pub what: &'static str,
}

/// Blocks whose entropy is kept: a proof of work may build upon the two before its own.
const ENTROPIES_KEPT: usize = 3;

type Fit<T> = Result<T, &'static str>;

/// Applies an event.
///
/// # Errors
/// The event does not fit the state; the state is then half changed and must be dropped.
pub fn apply(state: &mut State, event: &Event) -> Result<(), Inconsistent> {
    apply_fitting(state, event).map_err(|what| Inconsistent { event: event.kind(), what })
}

fn apply_fitting(state: &mut State, event: &Event) -> Fit<()> {
    match event {
        Event::BlockOpened { height } => {
            if state.height.0.checked_add(1) != Some(height.0) {
                return Err("the height does not follow the last block's");
            }
            state.set_height(*height);
        }
        Event::StakeMarkersCleared => state.clear_stake_markers(),
        Event::CallIncluded { signer, nonce } => {
            let mut account = state.account_mut(*signer);
            if account.nonce != *nonce {
                return Err("the nonce is not the signer's next");
            }
            account.nonce = nonce.checked_add(1).ok_or("the nonce has no next one")?;
            #[cfg(feature = "planted")]
            if crate::planted::active(crate::planted::Bug::NonceStandsStill) {
                account.nonce = *nonce;
            }
        }
        Event::RulesSwitched { rules } => *state.rules_mut() = *rules,
        Event::ParameterSet { netuid, name, value } => {
            parameters::set(state, *netuid, *name, *value)?;
        }
        Event::BalanceWithdrawn { account, amount } => {
            let mut account = state.account_mut(*account);
            account.free = Rao(sub(account.free.0, amount.0, "free balance")?);
        }
        Event::BalanceCredited { account, amount } => {
            let mut account = state.account_mut(*account);
            account.free = Rao(add(account.free.0, amount.0, "free balance")?);
        }
        Event::AccountReaped { account, dust } => {
            if state.free(account) != *dust {
                return Err("the dust is not what the account holds");
            }
            state.reap_account(*account);
        }
        Event::IssuanceRecycled { amount } => {
            let issuance = state.total_issuance_mut();
            *issuance = Rao(sub(issuance.0, amount.0, "total issuance")?);
        }
        Event::LeakBooked { leak, amount } => {
            let ledger = state.leaks_mut().ledger_mut(*leak);
            *ledger = ledger.checked_add(*amount).ok_or("a leak ledger overflows")?;
        }
        Event::HotkeyAssociated { hotkey, coldkey } => {
            let mut entry = state.hotkey_mut(*hotkey);
            if entry.owner.is_some() {
                return Err("the hotkey has an owner");
            }
            entry.owner = Some(*coldkey);
            drop(entry);
            let mut coldkey = state.coldkey_mut(*coldkey);
            // A former owner may list it still.
            if !coldkey.owned.contains(hotkey) {
                coldkey.owned.push(*hotkey);
            }
            if !coldkey.staking.contains(hotkey) {
                coldkey.staking.push(*hotkey);
            }
        }
        Event::DelegateTakeSet { hotkey, take } => state.hotkey_mut(*hotkey).take = Some(*take),
        Event::StakingHotkeyListed { coldkey, hotkey } => {
            state.coldkey_mut(*coldkey).staking.push(*hotkey);
        }
        Event::RootStakerIndexed { coldkey, index } => {
            if state.global.root_stakers != *index || *index == u64::MAX {
                return Err("the index is not the next");
            }
            state.index_root_staker(*coldkey, *index);
        }
        Event::SubnetRegistered(facts) => register_subnet(state, facts)?,
        Event::SubnetDissolved(facts) => dissolve_subnet(state, facts.netuid, facts.pot)?,
        Event::SubnetStarted { netuid, first_emission } => {
            existing(state, *netuid)?;
            state.info_mut(*netuid).first_emission = Some(*first_emission);
            state.params_mut(*netuid).subtoken_enabled = true;
        }
        Event::NeuronPlaced { netuid, uid, hotkey, replaced, .. } => {
            place_neuron(state, *netuid, *uid, *hotkey, *replaced)?;
        }
        Event::RegistrationCounted { netuid, via, price } => {
            let fast = fast(state, *netuid)?;
            fast.registrations_this_block = fast.registrations_this_block.saturating_add(1);
            fast.registrations_this_interval = fast.registrations_this_interval.saturating_add(1);
            match via {
                Via::Burn => {
                    let count = &mut fast.burn_registrations_this_interval;
                    *count = count.saturating_add(1);
                }
                Via::Work => {
                    let count = &mut fast.pow_registrations_this_interval;
                    *count = count.saturating_add(1);
                }
                Via::Root | Via::Founder => {}
            }
            fast.recycled_for_registration = fast.recycled_for_registration.plus(*price);
        }
        Event::RegistrationTermsAdjusted { netuids, burn, difficulty } => {
            let height = state.height.0;
            same_length(netuids, &[burn.len(), difficulty.len()])?;
            each_fast(state, netuids, |index, fast| {
                fast.burn = burn[index];
                fast.difficulty = difficulty[index];
                fast.last_adjustment = height;
                fast.registrations_this_interval = 0;
                fast.burn_registrations_this_interval = 0;
                fast.pow_registrations_this_interval = 0;
                Ok(())
            })?;
        }
        Event::RegistrationCountersCleared { netuids } => {
            for netuid in netuids {
                fast(state, *netuid)?.registrations_this_block = 0;
            }
        }
        Event::PoolSwapped(swap) => swap_pool(state, swap)?,
        Event::AlphaDestroyed { netuid, amount } => {
            let pool = &mut fast(state, *netuid)?.pool;
            pool.alpha_out = sub(pool.alpha_out, amount.0, "alpha outside the pool")?;
        }
        Event::ShareChanged { netuid, hotkey, coldkey, alpha, shares, share } => {
            let (hotkey, coldkey, shares, share) = (*hotkey, *coldkey, *shares, *share);
            let alpha = *alpha;
            #[cfg(feature = "planted")]
            let twice = crate::planted::active(crate::planted::Bug::DoubleApply);
            #[cfg(feature = "planted")]
            let alpha = if twice { 2 * alpha } else { alpha };
            let change = ShareWrite { hotkey, coldkey, alpha, shares, share };
            state.change_share(*netuid, &change).ok_or("a hotkey's alpha")?;
        }
        Event::FlowRecorded { netuid, by } => {
            let flow = state.flow_mut(*netuid).ok_or("no such subnet")?;
            *flow = flow.saturating_add(*by);
        }
        Event::StakeMarked { hotkey, coldkey, netuid } => {
            state.mark_stake(*hotkey, *coldkey, *netuid);
        }
        Event::RootClaimedSet { hotkey, coldkey, netuids, claimed } => {
            same_length(netuids, &[claimed.len()])?;
            for netuid in netuids {
                existing(state, *netuid)?;
            }
            let claimed = netuids.iter().copied().zip(claimed.iter().copied());
            state.set_root_claimed(*hotkey, *coldkey, claimed);
        }
        Event::StakeAdded { .. } | Event::StakeRemoved { .. } => {}
        Event::WeightsSet { netuid, mechanism, uid, row, last_update } => {
            seated(state, *netuid, *mechanism, *uid)?;
            state.row_mut(*netuid, *mechanism, *uid).clone_from(row);
            if let Some(block) = last_update {
                *state.last_update_mut(*netuid, *mechanism, *uid) = *block;
            }
        }
        Event::AxonServed { netuid, hotkey, axon } => state.set_axon(*netuid, *hotkey, *axon),
        Event::EmissionShared(columns) => share_emission(state, columns)?,
        Event::EmissionInjected(columns) => inject_emission(state, columns)?,
        Event::EmissionAccrued(columns) => accrue_emission(state, columns)?,
        Event::PotsDrained(columns) => drain_pots(state, columns)?,
        Event::PricesAveraged { netuids, moving_price, root_proportion } => {
            same_length(netuids, &[moving_price.len(), root_proportion.len()])?;
            each_fast(state, netuids, |index, fast| {
                fast.moving_price = moving_price[index];
                fast.root_proportion = root_proportion[index];
                Ok(())
            })?;
        }
        Event::EpochRun(columns) => run_epoch(state, columns)?,
        Event::EpochPaid(columns) => pay_epoch(state, columns)?,
        Event::DelegateTakeChanged { hotkey, take, .. } => {
            let block = state.height.0;
            let mut entry = state.hotkey_mut(*hotkey);
            (entry.take, entry.take_changed_at) = (Some(*take), block);
        }
        Event::ChildkeyTakeSet { hotkey, netuid, take } => {
            let block = state.height.0;
            let links = state.links_mut(*netuid, *hotkey);
            (links.take, links.take_set_at) = (*take, block);
        }
        Event::ChildrenScheduled { hotkey, netuid, apply_block, children } => {
            existing(state, *netuid)?;
            state.links_mut(*netuid, *hotkey).children_set_at = state.height.0;
            let children = children.clone();
            let pending = PendingChildren { children, apply_block: *apply_block };
            state.set_pending_children(*netuid, *hotkey, Some(pending));
        }
        Event::ChildrenSet { hotkey, netuid, children, parents } => {
            set_children(state, *netuid, *hotkey, children, parents)?;
        }
        Event::ChildrenDiscarded { hotkey, netuid } => {
            state.set_pending_children(*netuid, *hotkey, None);
        }
        Event::AutoStakeDestinationSet { coldkey, netuid, hotkey } => {
            state.coldkey_mut(*coldkey).auto_stake.insert(*netuid, *hotkey);
        }
        Event::RootClaimTypeSet { coldkey, root_claim_type } => {
            state.coldkey_mut(*coldkey).root_claim_type = root_claim_type.clone();
        }
        Event::RootDividendsClaimed { coldkey, hotkey, netuid, alpha, .. } => {
            let claimed = state.claimed(hotkey, coldkey, *netuid).unwrap_or(0);
            let claimed = claimed.saturating_add(u128::from(alpha.0));
            state.set_root_claimed(*hotkey, *coldkey, [(*netuid, claimed)]);
            let fast = fast(state, *netuid)?;
            let claimable = fast.claimable_root_alpha.checked_sub_unsigned(alpha.0);
            fast.claimable_root_alpha = claimable.ok_or("claimable alpha")?;
        }
        Event::RootStakersSearched { last, indexed } => {
            state.global.root_stakers.checked_add(indexed.len() as u64).ok_or("root stakers")?;
            for coldkey in indexed {
                state.index_root_staker(*coldkey, state.global.root_stakers);
            }
            state.global_mut().root_walk = *last;
        }
        Event::Stamped { netuid, stamp } => state.set_stamp(*netuid, *stamp, state.height.0),
        Event::MechanismCountSet { netuid, count } => {
            existing(state, *netuid)?;
            let params = state.params_mut(*netuid);
            (params.mechanism_count, params.mechanism_split) = (*count, None);
            state.neurons_mut(*netuid).1.truncate(usize::from(*count));
            let commits = existing(state, *netuid)?.commits.iter();
            let gone = commits.filter(|((mechanism, _), _)| mechanism >= count);
            let gone: Vec<_> = gone.map(|(key, queue)| (*key, queue.len())).collect();
            for (key, length) in gone {
                state.change_commits(*netuid, key, length, None).ok_or("commits")?;
            }
            let queues = existing(state, *netuid)?.timelocked.keys();
            let gone: Vec<_> =
                queues.copied().filter(|(mechanism, _)| mechanism >= count).collect();
            for key in gone {
                state.drop_timelocked(*netuid, key);
            }
        }
        Event::WeightsCommitted { hotkey, netuid, mechanism, uid, commit, dropped } => {
            seated(state, *netuid, *mechanism, *uid)?;
            let key = (*mechanism, *hotkey);
            let changed = state.change_commits(*netuid, key, *dropped as usize, Some(*commit));
            changed.ok_or("fewer commits wait than are dropped")?;
            *state.last_update_mut(*netuid, *mechanism, *uid) = state.height.0;
        }
        Event::WeightsRevealed { hotkey, netuid, mechanism, removed, .. } => {
            let key = (*mechanism, *hotkey);
            let changed = state.change_commits(*netuid, key, *removed as usize, None);
            changed.ok_or("fewer commits wait than are removed")?;
        }
        Event::HotkeySwapped { coldkey, old_hotkey, new_hotkey, netuid } => {
            keys::swap_hotkey(state, *coldkey, (*old_hotkey, *new_hotkey), *netuid);
        }
        Event::HotkeyMoved(facts) => keys::move_hotkey(state, facts)?,
        Event::StakingHotkeyReplaced { old_hotkey, new_hotkey, coldkeys } => {
            for coldkey in coldkeys {
                let staking = &mut state.coldkey_mut(*coldkey).staking;
                staking.retain(|hotkey| hotkey != old_hotkey && hotkey != new_hotkey);
                staking.push(*new_hotkey);
            }
        }
        Event::HotkeySwapsForgotten { netuid, coldkeys } => {
            for coldkey in coldkeys {
                state.coldkey_mut(*coldkey).hotkey_swaps.remove(netuid);
            }
        }
        Event::ColdkeySwapAnnounced { coldkey, hash, executable_at } => {
            let announcement = SwapAnnouncement { hash: *hash, executable_at: *executable_at };
            state.coldkey_mut(*coldkey).swap_announcement = Some(announcement);
        }
        Event::ColdkeySwapDisputed { coldkey } => {
            let height = state.height.0;
            state.coldkey_mut(*coldkey).swap_disputed_at = Some(height);
        }
        Event::ColdkeySwapCleared { coldkey } => {
            let mut keys = state.coldkey_mut(*coldkey);
            (keys.swap_announcement, keys.swap_disputed_at) = (None, None);
        }
        Event::ColdkeySwapped(facts) => keys::swap_coldkey(state, facts)?,
        Event::EntropyDrawn { entropy } => {
            let entropies = &mut state.global_mut().entropies;
            entropies.insert(0, *entropy);
            entropies.truncate(ENTROPIES_KEPT);
        }
        // A netuid without a subnet has a symbol too.
        Event::SymbolUpdated { netuid, symbol } => {
            state.info_mut(*netuid).symbol.clone_from(symbol);
        }
        Event::SubnetIdentitySet { netuid, identity } => {
            existing(state, *netuid)?;
            let info = state.info_mut(*netuid);
            info.name.clone_from(&identity.subnet_name);
            info.identity = Some((**identity).clone());
        }
        Event::ColdkeyIdentitySet { coldkey, identity } => {
            state.coldkey_mut(*coldkey).identity = Some((**identity).clone());
        }
        Event::MechanismSplitSet { netuid, split } => {
            existing(state, *netuid)?;
            state.params_mut(*netuid).mechanism_split.clone_from(split);
        }
        Event::NeuronsTrimmed { netuid, max_n, removed } => {
            trimming::trim(state, *netuid, *max_n, removed)?;
        }
        Event::SubnetOwnerHotkeySet { netuid, hotkey } => {
            existing(state, *netuid)?;
            state.info_mut(*netuid).owner_hotkey = Some(*hotkey);
        }
        Event::RootClaimed { .. }
        | Event::RootClaimsVisited { .. }
        | Event::StakeMoved { .. }
        | Event::StakeSwapped { .. }
        | Event::StakeTransferred { .. }
        | Event::AlphaRecycled { .. }
        | Event::AlphaBurned { .. }
        | Event::AddStakeBurned { .. }
        | Event::FeePaid { .. } => {}
        Event::BeaconRoundsStored { oldest, last } => {
            let beacon = &mut state.global_mut().beacon;
            (beacon.oldest, beacon.last) = (*oldest, *last);
        }
        Event::TimelockedWeightsCommitted {
            hotkey,
            netuid,
            mechanism,
            uid,
            hash,
            epoch,
            reveal_round,
        } => {
            seated(state, *netuid, *mechanism, *uid)?;
            let (block, key) = (state.height.0, (*mechanism, *epoch));
            let (hash, hotkey, round) = (*hash, *hotkey, *reveal_round);
            let commit = TimelockedCommit { hash, hotkey, block, round };
            state.push_timelocked(*netuid, key, commit);
            *state.last_update_mut(*netuid, *mechanism, *uid) = block;
        }
        Event::TimelockedWeightsRevealed { netuid, mechanism, hash, epoch, place, .. }
        | Event::TimelockedCommitDropped { netuid, mechanism, hash, epoch, place, .. } => {
            let (key, place) = ((*mechanism, *epoch), *place as usize);
            if timelocked(state, *netuid, key)?.get(place).is_none_or(|at| at.hash != *hash) {
                return Err("the commit is not at that place");
            }
            state.remove_timelocked(*netuid, key, place);
        }
        Event::TimelockedCommitsExpired { netuid, mechanism, epoch, commits } => {
            let key = (*mechanism, *epoch);
            if timelocked(state, *netuid, key)?.len() != *commits as usize {
                return Err("not so many commits wait");
            }
            state.drop_timelocked(*netuid, key);
        }
        Event::WeightsBatchRevealed { hotkey, netuid, hashes, expired } => {
            let key = (0, *hotkey);
            let changed = state.change_commits(*netuid, key, *expired as usize, None);
            changed.ok_or("fewer commits wait than are dropped")?;
            let mut queue =
                existing(state, *netuid)?.commits.get(&key).cloned().unwrap_or_default();
            for hash in hashes {
                let place = queue.iter().position(|commit| commit.hash == *hash);
                queue.remove(place.ok_or("an opened commit does not wait")?);
            }
            state.set_commits(*netuid, key, queue);
        }
        Event::BatchCompletedWithErrors { .. }
        | Event::BatchWeightItemFailed { .. }
        | Event::BatchWeightsCompleted { .. } => {}
    }
    Ok(())
}

/// A queue of sealed weights.
fn timelocked(state: &State, netuid: NetUid, key: (u8, u64)) -> Fit<&[TimelockedCommit]> {
    Ok(existing(state, netuid)?.timelocked.get(&key).map_or(&[], Vec::as_slice))
}

/// Puts a list of children in force: the hotkey's own lists as given, and their mirror images.
fn set_children(
    state: &mut State,
    netuid: NetUid,
    hotkey: AccountId,
    children: &[(u64, AccountId)],
    parents: &[(u64, AccountId)],
) -> Fit<()> {
    let subnet = existing(state, netuid)?;
    let old = subnet.links.get(&hotkey).map(|links| links.children.clone()).unwrap_or_default();
    let is_child = |account: &AccountId| children.iter().any(|(_, child)| child == account);
    for (_, gone) in old.iter().filter(|(_, child)| !is_child(child)) {
        state.links_mut(netuid, *gone).parents.retain(|(_, parent)| *parent != hotkey);
        state.drop_empty_links(netuid, *gone);
    }
    for (proportion, child) in children {
        let parents = &mut state.links_mut(netuid, *child).parents;
        match parents.iter_mut().find(|(_, parent)| *parent == hotkey) {
            Some(entry) => entry.0 = *proportion,
            None => parents.push((*proportion, hotkey)),
        }
    }
    let links = state.links_mut(netuid, hotkey);
    links.children = children.to_vec();
    links.parents = parents.to_vec();
    state.drop_empty_links(netuid, hotkey);
    state.set_pending_children(netuid, hotkey, None);
    Ok(())
}

fn add(value: u64, by: u64, what: &'static str) -> Fit<u64> {
    value.checked_add(by).ok_or(what)
}

fn sub(value: u64, by: u64, what: &'static str) -> Fit<u64> {
    value.checked_sub(by).ok_or(what)
}

fn shift(value: u64, by: i64, what: &'static str) -> Fit<u64> {
    value.checked_add_signed(by).ok_or(what)
}

fn same_length<T>(column: &[T], others: &[usize]) -> Fit<()> {
    if others.iter().all(|length| *length == column.len()) {
        Ok(())
    } else {
        Err("columns differ in length")
    }
}

fn existing(state: &State, netuid: NetUid) -> Fit<&Subnet> {
    state.subnet(netuid).ok_or("no such subnet")
}

/// Whether there is a neuron, and can be a mechanism: they are counted in a byte, so there is none of the last number.
fn seated(state: &State, netuid: NetUid, mechanism: u8, uid: u16) -> Fit<()> {
    if usize::from(uid) >= existing(state, netuid)?.neurons.len() {
        return Err("no such uid");
    }
    if mechanism == u8::MAX { Err("no such mechanism") } else { Ok(()) }
}

fn fast(state: &mut State, netuid: NetUid) -> Fit<&mut Fast> {
    state.fast_mut(netuid).ok_or("no such subnet")
}

/// Writes the scalars of the subnets of a column, each with its index in it.
fn each_fast(
    state: &mut State,
    netuids: &[NetUid],
    mut write: impl FnMut(usize, &mut Fast) -> Fit<()>,
) -> Fit<()> {
    let mut written = 0;
    for fast in state.fasts_mut(netuids) {
        write(written, fast)?;
        written += 1;
    }
    if written == netuids.len() { Ok(()) } else { Err("no such subnet, or not in order") }
}

fn register_subnet(state: &mut State, facts: &SubnetRegistered) -> Fit<()> {
    if state.subnet(facts.netuid).is_some() {
        return Err("the netuid is taken");
    }
    let height = state.height.0;
    let subnet = state.whole_subnet_mut(facts.netuid);
    let old = subnet.fast;
    let fresh = Params::default();
    subnet.added = true;
    // Written by a registration (30 §4.3); the others keep what was set or left behind before.
    let params = &mut subnet.params;
    params.tempo = fresh.tempo;
    params.registration_allowed = fresh.registration_allowed;
    params.max_allowed_uids = fresh.max_allowed_uids;
    params.max_allowed_validators = fresh.max_allowed_validators;
    params.min_allowed_weights = fresh.min_allowed_weights;
    params.adjustment_interval = fresh.adjustment_interval;
    params.target_registrations_per_interval = fresh.target_registrations_per_interval;
    params.adjustment_alpha = fresh.adjustment_alpha;
    params.immunity_period = fresh.immunity_period;
    params.min_difficulty = fresh.min_difficulty;
    params.max_difficulty = fresh.max_difficulty;
    params.mechanism = fresh.mechanism;
    subnet.info = Info {
        name: subnet.info.name.clone(),
        symbol: facts.symbol.clone(),
        owner: Some(facts.owner),
        owner_hotkey: Some(facts.owner_hotkey),
        registered_at: height,
        first_emission: None,
        locked: facts.locked,
        identity: None,
    };
    subnet.fast = Fast {
        root_proportion: old.root_proportion,
        burn: old.burn,
        difficulty: old.difficulty,
        step_base: height,
        recycled_for_registration: facts.recycled,
        ..Fast::default()
    };
    let pool = &mut subnet.fast.pool;
    (pool.tao, pool.alpha, pool.fee_rate) = (facts.pool, facts.pool, old.pool.fee_rate);
    (pool.scrap_tao, pool.scrap_alpha) = (old.pool.scrap_tao, old.pool.scrap_alpha);
    let global = state.global_mut();
    global.network_last_lock_cost = facts.locked;
    global.network_last_lock_block = height;
    if facts.locked != Rao::ZERO {
        global.total_stake = Rao(add(global.total_stake.0, facts.pool, "total stake")?);
    }
    global.total_issuance = Rao(sub(global.total_issuance.0, facts.recycled.0, "total issuance")?);
    Ok(())
}

fn dissolve_subnet(state: &mut State, netuid: NetUid, pot: Rao) -> Fit<()> {
    if existing(state, netuid)?.fast.pool.tao != pot.0 {
        return Err("the pot is not the TAO reserve");
    }
    let claimed = |hotkey: &Hotkey| hotkey.claim_rate(netuid).is_some();
    let hotkeys = state.hotkeys.iter().filter(|(_, entry)| claimed(entry));
    let hotkeys: Vec<AccountId> = hotkeys.map(|(hotkey, _)| *hotkey).collect();
    for hotkey in hotkeys {
        if let Some(rates) = &mut state.hotkey_mut(hotkey).root_claimable {
            rates.remove(&netuid);
        }
    }
    let swapped = state.coldkeys.iter().filter(|(_, keys)| keys.hotkey_swaps.contains_key(&netuid));
    let swapped: Vec<AccountId> = swapped.map(|(coldkey, _)| *coldkey).collect();
    for coldkey in swapped {
        state.coldkey_mut(coldkey).hotkey_swaps.remove(&netuid);
    }
    state.drop_all_root_claimed(netuid);
    let subnet = state.whole_subnet_mut(netuid);
    let old = core::mem::take(subnet);
    // What is left behind is inherited by the next subnet of this netuid (30 §5.5).
    subnet.params = Params {
        recycle_withheld: old.params.recycle_withheld,
        min_non_immune_uids: old.params.min_non_immune_uids,
        min_allowed_uids: old.params.min_allowed_uids,
        root_claimable_threshold: old.params.root_claimable_threshold,
        ..Params::default()
    };
    subnet.fast.pool.scrap_tao = old.fast.pool.scrap_tao;
    subnet.fast.pool.scrap_alpha = old.fast.pool.scrap_alpha;
    subnet.fast.root_proportion = old.fast.root_proportion;
    subnet.last_dividends = old.last_dividends;
    subnet.last_dividends.retain(|_, (alpha, root)| {
        *alpha = None;
        root.is_some()
    });
    subnet.stamps = old.stamps;
    subnet.stamps.retain(|stamp, _| !stamp.is_personal());
    subnet.pools = old.pools;
    subnet.pools.retain(|_, pool| pool.alpha == Alpha::ZERO && pool.shares != 0);
    let global = state.global_mut();
    global.total_stake = global.total_stake.minus(pot);
    Ok(())
}

fn place_neuron(
    state: &mut State,
    netuid: NetUid,
    uid: u16,
    hotkey: AccountId,
    replaced: Option<AccountId>,
) -> Fit<()> {
    existing(state, netuid)?;
    let height = state.height.0;
    let (neurons, mechanisms) = state.neurons_mut(netuid);
    let index = usize::from(uid);
    if neurons.uids.contains_key(&hotkey) {
        return Err("the hotkey has a uid");
    }
    match replaced {
        None => {
            // They are counted in as many bits as they have, so there is none of the last number.
            if index != neurons.len() || uid == u16::MAX {
                return Err("the uid is not the next");
            }
            neurons.hotkeys.push(hotkey);
            neurons.registered_at.push(height);
            neurons.active.push(true);
            neurons.emission.push(Alpha::ZERO);
            neurons.consensus.push(0);
            neurons.dividends.push(0);
            neurons.validator_trust.push(0);
            neurons.validator_permit.push(false);
            if mechanisms.is_empty() {
                mechanisms.resize_with(1, Default::default);
            }
            for mechanism in mechanisms.iter_mut() {
                mechanism.incentive.resize(index + 1, 0);
                mechanism.last_update.resize(index, 0);
                mechanism.last_update.push(height);
                mechanism.weights.resize(index + 1, vec![]);
                mechanism.bonds.resize(index + 1, vec![]);
            }
        }
        Some(old) => {
            if neurons.hotkeys.get(index) != Some(&old) {
                return Err("the replaced hotkey does not hold the uid");
            }
            neurons.uids.remove(&old);
            neurons.hotkeys[index] = hotkey;
            neurons.registered_at[index] = height;
            neurons.active[index] = true;
            neurons.emission[index] = Alpha::ZERO;
            neurons.consensus[index] = 0;
            neurons.dividends[index] = 0;
            if let Some(weight) = neurons.stake_weight.get_mut(index) {
                *weight = 0;
            }
            for mechanism in mechanisms.iter_mut() {
                #[cfg(feature = "planted")]
                if crate::planted::active(crate::planted::Bug::InheritedUid) {
                    continue;
                }
                if let Some(incentive) = mechanism.incentive.get_mut(index) {
                    *incentive = 0;
                }
                if let Some(row) = mechanism.bonds.get_mut(index) {
                    row.clear();
                }
                if let Some(row) = mechanism.weights.get_mut(index) {
                    row.clear();
                }
                for entry in mechanism.weights.iter_mut().flatten() {
                    if entry.0 == uid {
                        entry.1 = 0;
                    }
                }
            }
        }
    }
    neurons.uids.insert(hotkey, uid);
    if state.hotkeys.get(&hotkey).is_some_and(|entry| entry.not_member.contains(&netuid)) {
        state.hotkey_mut(hotkey).not_member.remove(&netuid);
    }
    if let Some(old) = replaced {
        state.drop_axon(netuid, old);
    }
    Ok(())
}

fn swap_pool(state: &mut State, swap: &PoolSwapped) -> Fit<()> {
    let fast = state.swap_mut(swap.netuid).ok_or("no such subnet")?;
    let pool = &mut fast.pool;
    pool.tao = shift(pool.tao, swap.tao, "the TAO reserve")?;
    pool.alpha = shift(pool.alpha, swap.alpha_in, "the alpha reserve")?;
    pool.alpha_out = shift(pool.alpha_out, swap.alpha_out, "alpha outside the pool")?;
    pool.initialized = swap.initialized;
    pool.sqrt_price = swap.sqrt_price;
    pool.liquidity = swap.liquidity;
    pool.position_liquidity = swap.position_liquidity;
    pool.net_liquidity = swap.net_liquidity;
    fast.volume = fast.volume.checked_add(swap.volume.into()).ok_or("the volume")?;
    let total_stake = state.total_stake_mut();
    *total_stake = Rao(shift(total_stake.0, swap.total_stake, "total stake")?);
    Ok(())
}

fn share_emission(state: &mut State, columns: &EmissionShared) -> Fit<()> {
    same_length(&columns.netuids, &[columns.flow_average.len(), columns.share.len()])?;
    let height = state.height.0;
    state.global_mut().block_emission = columns.block_emission;
    each_fast(state, &columns.netuids, |index, fast| {
        fast.flow_average = Some((height, columns.flow_average[index]));
        fast.flow = 0;
        fast.emission_share = columns.share[index];
        Ok(())
    })
}

fn inject_emission(state: &mut State, columns: &EmissionInjected) -> Fit<()> {
    let lengths = [
        columns.tao_in.len(),
        columns.alpha_in.len(),
        columns.excess.len(),
        columns.bought_with.len(),
        columns.bought.len(),
        columns.initialized.len(),
        columns.sqrt_price.len(),
        columns.liquidity.len(),
        columns.position_liquidity.len(),
        columns.net_liquidity.len(),
        columns.scrap_tao.len(),
        columns.scrap_alpha.len(),
    ];
    same_length(&columns.netuids, &lengths)?;
    each_fast(state, &columns.netuids, |index, fast| {
        let (tao_in, alpha_in) = (columns.tao_in[index], columns.alpha_in[index]);
        let pool = &mut fast.pool;
        let taken = columns.bought[index].0;
        pool.alpha = sub(pool.alpha, taken, "the alpha reserve")?;
        pool.alpha = add(pool.alpha, alpha_in.0, "the alpha reserve")?;
        pool.tao = add(pool.tao, columns.bought_with[index].0, "the TAO reserve")?;
        pool.tao = add(pool.tao, tao_in.0, "the TAO reserve")?;
        pool.initialized = columns.initialized[index];
        pool.sqrt_price = columns.sqrt_price[index];
        pool.liquidity = columns.liquidity[index];
        pool.position_liquidity = columns.position_liquidity[index];
        pool.net_liquidity = columns.net_liquidity[index];
        pool.scrap_tao = columns.scrap_tao[index];
        pool.scrap_alpha = columns.scrap_alpha[index];
        if columns.bought_with[index] != Rao::ZERO {
            let volume = fast.volume.checked_add(columns.excess[index].0.into());
            fast.volume = volume.ok_or("the volume")?;
        }
        fast.tao_in_emission = tao_in;
        fast.alpha_in_emission = alpha_in;
        fast.excess_tao_emission = columns.excess[index];
        Ok(())
    })?;
    let global = state.global_mut();
    global.total_issuance = Rao(add(global.total_issuance.0, columns.issued.0, "total issuance")?);
    global.total_stake = Rao(add(global.total_stake.0, columns.staked.0, "total stake")?);
    Ok(())
}

fn accrue_emission(state: &mut State, columns: &EmissionAccrued) -> Fit<()> {
    let lengths = [
        columns.minted.len(),
        columns.owner.len(),
        columns.server.len(),
        columns.validator.len(),
        columns.root.len(),
        columns.recycled.len(),
    ];
    same_length(&columns.netuids, &lengths)?;
    each_fast(state, &columns.netuids, |index, fast| {
        let minted = columns.minted[index];
        fast.alpha_out_emission = minted;
        let pool = &mut fast.pool;
        pool.alpha_out = add(pool.alpha_out, minted.0, "alpha outside the pool")?;
        let recycled = columns.recycled[index].0;
        pool.alpha_out = sub(pool.alpha_out, recycled, "alpha outside the pool")?;
        for (pot, by) in [
            (&mut fast.pending_owner, columns.owner[index]),
            (&mut fast.pending_server, columns.server[index]),
            (&mut fast.pending_validator, columns.validator[index]),
            (&mut fast.pending_root, columns.root[index]),
        ] {
            *pot = Alpha(add(pot.0, by.0, "a pot")?);
        }
        Ok(())
    })?;
    state.global_mut().block_emission = columns.block_emission;
    Ok(())
}

fn drain_pots(state: &mut State, columns: &PotsDrained) -> Fit<()> {
    let lengths =
        [columns.server.len(), columns.validator.len(), columns.root.len(), columns.owner.len()];
    same_length(&columns.netuids, &lengths)?;
    let height = state.height.0;
    each_fast(state, &columns.netuids, |index, fast| {
        for (pot, by) in [
            (&mut fast.pending_server, columns.server[index]),
            (&mut fast.pending_validator, columns.validator[index]),
            (&mut fast.pending_root, columns.root[index]),
            (&mut fast.pending_owner, columns.owner[index]),
        ] {
            *pot = Alpha(sub(pot.0, by.0, "a pot")?);
        }
        fast.step_base = height;
        fast.last_step = height;
        Ok(())
    })
}

fn run_epoch(state: &mut State, columns: &EpochRun) -> Fit<()> {
    let count = existing(state, columns.netuid)?.neurons.len();
    let lengths = [
        columns.active.len(),
        columns.emission.len(),
        columns.consensus.len(),
        columns.dividends.len(),
        columns.validator_trust.len(),
        columns.validator_permit.len(),
        columns.stake_weight.len(),
    ];
    let incentives = columns.incentive.iter().map(Vec::len);
    let bonds = columns.bonds.iter().map(Vec::len);
    if lengths.into_iter().chain(incentives).chain(bonds).any(|length| length != count) {
        return Err("columns differ in length");
    }
    same_length(&columns.incentive, &[columns.bonds.len()])?;
    if columns.incentive.len() > usize::from(u8::MAX) {
        return Err("there are more mechanisms than can be");
    }
    let (neurons, mechanisms) = state.epoch_mut(columns.netuid, columns.incentive.len());
    neurons.active.clone_from(&columns.active);
    neurons.emission.clone_from(&columns.emission);
    neurons.consensus.clone_from(&columns.consensus);
    neurons.dividends.clone_from(&columns.dividends);
    neurons.validator_trust.clone_from(&columns.validator_trust);
    neurons.validator_permit.clone_from(&columns.validator_permit);
    neurons.stake_weight.clone_from(&columns.stake_weight);
    let pairs = columns.incentive.iter().zip(&columns.bonds);
    for (mechanism, (incentive, bonds)) in mechanisms.iter_mut().zip(pairs) {
        mechanism.incentive.clone_from(incentive);
        mechanism.bonds.clone_from(bonds);
    }
    Ok(())
}

fn pay_epoch(state: &mut State, columns: &EpochPaid) -> Fit<()> {
    let netuid = columns.netuid;
    same_length(&columns.hotkeys, &[columns.alpha.len(), columns.shares.len()])?;
    same_length(&columns.holders, &[columns.holder_of.len(), columns.holder_shares.len()])?;
    let dividends =
        [columns.dividend_alpha.len(), columns.dividend_root.len(), columns.alpha_last_epoch.len()];
    same_length(&columns.dividend_hotkeys, &dividends)?;
    same_length(&columns.claim_hotkeys, &[columns.claim_rates.len()])?;
    let fast = fast(state, netuid)?;
    let pool = &mut fast.pool;
    // Saturates as on the chain: a childkey burn destroys alpha that is paid out all the same, so
    // holders can have sold more than was left outside the pool.
    pool.alpha_out = pool.alpha_out.saturating_sub(columns.recycled.0);
    let claimable = fast.claimable_root_alpha.checked_add_unsigned(columns.claimable.0);
    fast.claimable_root_alpha = claimable.ok_or("claimable alpha")?;

    let shares = columns.holders.iter().copied().zip(columns.holder_shares.iter().copied());
    let mut holders = columns.holder_of.iter().zip(shares).peekable();
    for (index, hotkey) in (0u32..).zip(&columns.hotkeys) {
        let own = core::iter::from_fn(|| holders.next_if(|(of, _)| **of == index));
        let mut pool = state.pay_pool(netuid, *hotkey, own.map(|(_, held)| held));
        let index = index as usize;
        pool.alpha = Alpha(add(pool.alpha.0, columns.alpha[index].0, "a hotkey's alpha")?);
        pool.shares = columns.shares[index];
    }
    if holders.next().is_some() {
        return Err("no such hotkey, or not in order");
    }
    for (coldkey, hotkey) in &columns.listed {
        state.coldkey_mut(*coldkey).staking.push(*hotkey);
    }
    for (hotkey, rate) in columns.claim_hotkeys.iter().zip(&columns.claim_rates) {
        state.set_claim_rate(*hotkey, netuid, *rate);
    }
    let dividends = columns.dividend_alpha.iter().zip(&columns.dividend_root);
    let dividends = dividends.map(|(alpha, root)| (Some(*alpha), Some(*root)));
    *state.last_dividends_mut(netuid) =
        columns.dividend_hotkeys.iter().copied().zip(dividends).collect();
    for (index, hotkey) in columns.dividend_hotkeys.iter().enumerate() {
        state.end_epoch_of_pool(netuid, *hotkey, columns.alpha_last_epoch[index]);
    }
    Ok(())
}
