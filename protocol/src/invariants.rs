//! What must always hold, by name, after each block (20 §20, 10 §4.5, 30 §1.4).

/// Nothing points at what is not there.
mod orphans;

use crate::commits::COMMITS_MAX;
use crate::issuance::{BLOCK_EMISSION_RAO, SUPPLY_MAX_RAO};
use crate::pool::{SQRT_PRICE_MAX_RAW, SQRT_PRICE_MIN_RAW};
use crate::rules::Mode;
use crate::state::{Fast, Leaks, State, Subnet};
use crate::units::NetUid;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;

/// An invariant that does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("block {height}: invariant {name} does not hold: {detail}")]
pub struct Violation {
    /// The block after which it was checked.
    pub height: u64,
    /// The invariant.
    pub name: &'static str,
    /// By how much and where.
    pub detail: String,
}

type Check = fn(&State) -> Result<(), String>;

/// The invariants of a state alone, by name.
pub const INVARIANTS: &[(&str, Check)] = &[
    ("tao_conserved", tao_conserved),
    ("total_stake_explained", total_stake_explained),
    ("supply_capped", supply_capped),
    ("shares_sum", shares_sum),
    ("emission_shares_at_most_one", emission_shares_at_most_one),
    ("pool_in_range", pool_in_range),
    ("root_stake_explained", root_stake_explained),
    ("uids_bijective", uids_bijective),
    ("columns_as_long_as_neurons", columns_as_long_as_neurons),
    ("rows_point_at_neurons", rows_point_at_neurons),
    ("mechanisms_fit", mechanisms_fit),
    ("stake_markers_cleared", stake_markers_cleared),
    ("staking_hotkeys_listed", staking_hotkeys_listed),
    ("owners_list_their_hotkeys", orphans::owners_list_their_hotkeys),
    ("neurons_owned", orphans::neurons_owned),
    ("links_mirrored", orphans::links_mirrored),
    ("dissolved_leave_nothing", orphans::dissolved_leave_nothing),
    ("root_stakers_numbered", orphans::root_stakers_numbered),
    ("sealed_weights_kept", sealed_weights_kept),
];

/// Checks a run block by block; remembers what one state alone cannot show.
#[derive(Clone, Debug, Default)]
pub struct Checker {
    /// By subnet: its block of registration and the alpha that was nobody's.
    unowned: BTreeMap<NetUid, (u64, i128)>,
    /// By subnet.
    seats: BTreeMap<NetUid, Seats>,
    /// The childkey burn that the next block's epochs apply.
    childkey_burn: u64,
    /// The mode and the ledgers, without the opening one, after the last block.
    leaks: (Mode, Leaks),
}

impl Checker {
    /// A checker that starts from a state.
    pub fn new(state: &State) -> Self {
        let subnets = alpha_subnets(state);
        let unowned = subnets
            .map(|(netuid, subnet)| (netuid, (subnet.info.registered_at, unowned_alpha(subnet))));
        let seats = state.networks().map(|(netuid, subnet)| (netuid, Seats::of(subnet))).collect();
        Self {
            unowned: unowned.collect(),
            seats,
            childkey_burn: state.global.childkey_burn,
            leaks: (state.rules.mode, Leaks { opening: 0, ..state.leaks }),
        }
    }

    /// Checks the state after a block.
    ///
    /// # Errors
    /// The first invariant that does not hold.
    pub fn check(&mut self, state: &State) -> Result<(), Violation> {
        let height = state.height.0;
        for (name, check) in INVARIANTS {
            check(state).map_err(|detail| Violation { height, name, detail })?;
        }
        let violation = |name| move |detail| Violation { height, name, detail };
        self.alpha_owned(state).map_err(violation("alpha_owned_or_known_residue"))?;
        self.seats_bounded(state).map_err(violation("seats_at_most_allowed"))?;
        self.nothing_leaks(state).map_err(violation("nothing_leaks_in_sound_mode"))
    }

    /// In `sound` mode no ledger moves, but for the opening one when root overwrites the issuance.
    fn nothing_leaks(&mut self, state: &State) -> Result<(), String> {
        let now = (state.rules.mode, Leaks { opening: 0, ..state.leaks });
        let before = core::mem::replace(&mut self.leaks, now);
        if before.0 == Mode::Sound && now.0 == Mode::Sound && before.1 != now.1 {
            return Err(format!("{:?} became {:?}", before.1, now.1));
        }
        Ok(())
    }

    /// No more permits than validators are allowed, no more neurons than uids. Lowering the number of
    /// validators takes no permit away before the next epoch, and a scenario may lower the number of
    /// uids below that of its neurons, so until then there may be as many as there were; and what the
    /// block gave away before it was lowered was given rightly.
    fn seats_bounded(&mut self, state: &State) -> Result<(), String> {
        for (netuid, subnet) in state.networks() {
            let now = Seats::of(subnet);
            let before = self.seats.insert(netuid, now).unwrap_or_default();
            let rows = [
                ("permits", now.permits, before.permits),
                ("neurons", now.neurons, before.neurons),
            ];
            for (what, now, before) in rows {
                let most = now.most.max(before.most);
                if now.taken > most && now.taken > before.taken {
                    return Err(format!("subnet {netuid}: {} {what}, {most} allowed", now.taken));
                }
            }
        }
        Ok(())
    }

    /// Alpha outside the pool is owned, pending, claimable, or in the residue, which never shrinks
    /// (I6); one unit of rounding per hotkey is allowed. A childkey burn is the exception: it
    /// destroys alpha at the epoch that is paid out all the same (20 §9.1), so it takes from the
    /// residue, and below zero from everybody.
    fn alpha_owned(&mut self, state: &State) -> Result<(), String> {
        let now = state.global.childkey_burn;
        let burns = core::mem::replace(&mut self.childkey_burn, now) != 0;
        for (netuid, subnet) in alpha_subnets(state) {
            let unowned = unowned_alpha(subnet);
            let registered_at = subnet.info.registered_at;
            let before = match self.unowned.insert(netuid, (registered_at, unowned)) {
                Some((same, before)) if same == registered_at => before,
                _ => 0,
            };
            let least = before - 1 - (subnet.pools.len() as i128);
            let least = if before < 0 { least } else { least.max(0) };
            if unowned < least && !burns {
                return Err(format!(
                    "subnet {netuid}: {unowned} alpha units are nobody's, {before} a block before"
                ));
            }
        }
        Ok(())
    }
}

/// What a subnet has in limited number.
#[derive(Clone, Copy, Debug, Default)]
struct Seats {
    permits: Taken,
    neurons: Taken,
}

/// How many there are, and how many there may be.
#[derive(Clone, Copy, Debug, Default)]
struct Taken {
    taken: usize,
    most: usize,
}

impl Seats {
    fn of(subnet: &Subnet) -> Self {
        let (neurons, params) = (&subnet.neurons, &subnet.params);
        let permits = neurons.validator_permit.iter().filter(|permit| **permit).count();
        let taken = |taken, most| Taken { taken, most: usize::from(most) };
        Self {
            permits: taken(permits, params.max_allowed_validators),
            neurons: taken(neurons.len(), params.max_allowed_uids),
        }
    }
}

fn alpha_subnets(state: &State) -> impl Iterator<Item = (NetUid, &Subnet)> {
    state.networks().filter(|(netuid, _)| !netuid.is_root())
}

/// Z of 20 §20.2.
fn unowned_alpha(subnet: &Subnet) -> i128 {
    let fast = &subnet.fast;
    let pots = [fast.pending_server, fast.pending_validator, fast.pending_root, fast.pending_owner];
    let owned: i128 = subnet.pools.values().map(|pool| i128::from(pool.alpha.0)).sum();
    let pending: i128 = pots.iter().map(|pot| i128::from(pot.0)).sum();
    let claimable = i128::from(fast.claimable_root_alpha);
    i128::from(fast.pool.alpha_out) - owned - pending - claimable
}

fn pool_tao(state: &State) -> i128 {
    state.networks().map(|(_, subnet)| i128::from(subnet.fast.pool.tao)).sum()
}

fn equal(left: i128, right: i128) -> Result<(), String> {
    if left == right {
        Ok(())
    } else {
        Err(format!("{left} against {right} rao, a difference of {}", left - right))
    }
}

/// I1: issuance is in balances, in pools, or in a named leak.
fn tao_conserved(state: &State) -> Result<(), String> {
    let free: i128 = state.accounts.values().map(|account| i128::from(account.free.0)).sum();
    let held = free + pool_tao(state) + state.leaks.issuance();
    equal(i128::from(state.global.total_issuance.0), held)
}

/// I2: the chain's staked-TAO counter is the pools' TAO plus its ledger.
fn total_stake_explained(state: &State) -> Result<(), String> {
    let explained = pool_tao(state) + i128::from(state.leaks.stake_excess);
    equal(i128::from(state.global.total_stake.0), explained)
}

/// I3, I5: no supply above 21 M by emission; a counter that root overwrote may start above.
fn supply_capped(state: &State) -> Result<(), String> {
    let most = SUPPLY_MAX_RAO + 2 * BLOCK_EMISSION_RAO;
    let written = u64::try_from(state.leaks.opening).unwrap_or(0);
    if state.global.total_issuance.0 > most.saturating_add(written) {
        return Err(format!("{} rao issued", state.global.total_issuance.0));
    }
    for (netuid, subnet) in alpha_subnets(state) {
        if subnet.fast.alpha_issuance() > most {
            return Err(format!("subnet {netuid}: {} alpha", subnet.fast.alpha_issuance()));
        }
    }
    Ok(())
}

/// I10: a pool's shares are the sum of its holders', and their values are covered.
fn shares_sum(state: &State) -> Result<(), String> {
    for (netuid, subnet) in state.networks() {
        for (hotkey, pool) in &subnet.pools {
            let sum: u128 = pool.holders.values().sum();
            if sum != pool.shares {
                return Err(format!(
                    "subnet {netuid}, hotkey {hotkey}: shares {} but holders have {sum}",
                    pool.shares
                ));
            }
            let values: u128 =
                pool.holders.keys().map(|holder| u128::from(pool.value(holder).0)).sum();
            if values > u128::from(pool.alpha.0) {
                return Err(format!(
                    "subnet {netuid}, hotkey {hotkey}: holders' {values} exceed {}",
                    pool.alpha.0
                ));
            }
        }
    }
    Ok(())
}

/// Shares of this block's emission sum to one at most, up to the approximate logarithm (20 §4.4). A
/// subnet that did not emit in this block still has the share of the last block in which it did.
fn emission_shares_at_most_one(state: &State) -> Result<(), String> {
    let now = |fast: &Fast| fast.flow_average.is_some_and(|(at, _)| at == state.height.0);
    let emitting = alpha_subnets(state).filter(|(_, subnet)| now(&subnet.fast));
    let sum: u128 = emitting.map(|(_, subnet)| subnet.fast.emission_share).sum();
    if sum > (1 << 64) + (1 << 40) {
        return Err(format!("they sum to {sum} / 2^64"));
    }
    Ok(())
}

/// I8: price and liquidity of an initialised pool.
fn pool_in_range(state: &State) -> Result<(), String> {
    for (netuid, subnet) in alpha_subnets(state) {
        let pool = &subnet.fast.pool;
        let range = SQRT_PRICE_MIN_RAW..=SQRT_PRICE_MAX_RAW;
        let sound = range.contains(&pool.sqrt_price)
            && pool.liquidity >= pool.position_liquidity
            && pool.net_liquidity == pool.liquidity;
        if pool.initialized && !sound {
            return Err(format!("subnet {netuid}: {pool:?}"));
        }
    }
    Ok(())
}

/// I4: stake on root is root's alpha and what sold root dividends added without backing. Sales beyond
/// the backing saturate root's alpha and TAO alike.
fn root_stake_explained(state: &State) -> Result<(), String> {
    let Some(root) = state.subnet(NetUid::ROOT) else { return Ok(()) };
    let staked: i128 = root.pools.values().map(|pool| i128::from(pool.alpha.0)).sum();
    let leaks = &state.leaks;
    let unbacked = i128::from(leaks.root_claims) + i128::from(leaks.root_shortfall);
    let explained = i128::from(root.fast.pool.alpha_out) + unbacked;
    equal(staked, explained)
}

fn uids_bijective(state: &State) -> Result<(), String> {
    for (netuid, subnet) in state.networks() {
        if !subnet.neurons.uids_fit() {
            return Err(format!("subnet {netuid}"));
        }
    }
    Ok(())
}

fn columns_as_long_as_neurons(state: &State) -> Result<(), String> {
    for (netuid, subnet) in state.networks() {
        let neurons = &subnet.neurons;
        let lengths = neurons.column_lengths();
        if lengths.iter().any(|length| *length != neurons.len()) {
            return Err(format!("subnet {netuid}: {lengths:?} for {} neurons", neurons.len()));
        }
    }
    Ok(())
}

fn rows_point_at_neurons(state: &State) -> Result<(), String> {
    for (netuid, subnet) in state.networks() {
        let count = subnet.neurons.len();
        for mechanism in &subnet.mechanisms {
            let mut entries = mechanism.weights.iter().chain(&mechanism.bonds).flatten();
            if entries.any(|(uid, _)| usize::from(*uid) >= count) {
                return Err(format!("subnet {netuid}"));
            }
        }
    }
    Ok(())
}

/// No more mechanisms than the subnet counts, and none longer than the neurons are many.
fn mechanisms_fit(state: &State) -> Result<(), String> {
    for (netuid, subnet) in state.networks() {
        let (count, most) = (subnet.neurons.len(), usize::from(subnet.params.mechanism_count));
        let number = subnet.mechanisms.len();
        if number > most {
            return Err(format!("subnet {netuid}: {number} mechanisms, {most} allowed"));
        }
        for mechanism in &subnet.mechanisms {
            let lengths = [
                mechanism.incentive.len(),
                mechanism.last_update.len(),
                mechanism.weights.len(),
                mechanism.bonds.len(),
            ];
            if lengths.iter().any(|length| *length > count) {
                return Err(format!("subnet {netuid}: {lengths:?} for {count} neurons"));
            }
        }
    }
    Ok(())
}

/// I13.
fn stake_markers_cleared(state: &State) -> Result<(), String> {
    if state.stake_markers.is_empty() {
        Ok(())
    } else {
        Err(format!("{} are left", state.stake_markers.len()))
    }
}

/// I11: who holds stake behind a hotkey lists it.
fn staking_hotkeys_listed(state: &State) -> Result<(), String> {
    for (netuid, subnet) in state.networks() {
        for (hotkey, pool) in &subnet.pools {
            for coldkey in pool.holders.keys() {
                let lists = state.coldkeys.get(coldkey);
                if !lists.is_some_and(|lists| lists.staking.contains(hotkey)) {
                    return Err(format!("subnet {netuid}: {coldkey} on {hotkey}"));
                }
            }
        }
    }
    Ok(())
}

/// Queues of sealed weights have entries, no more than ten of a hotkey, on a mechanism there is; and the
/// vault has their bytes and no others.
fn sealed_weights_kept(state: &State) -> Result<(), String> {
    for (netuid, subnet) in state.networks() {
        for ((mechanism, epoch), queue) in &subnet.timelocked {
            let mut of_hotkey = BTreeMap::new();
            for commit in queue {
                *of_hotkey.entry(commit.hotkey).or_insert(0) += 1;
            }
            let most = of_hotkey.values().copied().max().unwrap_or(0);
            let known = *mechanism < subnet.params.mechanism_count;
            if !known || !(1..=COMMITS_MAX).contains(&most) {
                return Err(format!(
                    "subnet {netuid}, mechanism {mechanism}, epoch {epoch}: {most} of one hotkey"
                ));
            }
        }
    }
    if state.vault().covers(state) {
        Ok(())
    } else {
        Err(format!("{:?} does not hold what waits", state.vault()))
    }
}
