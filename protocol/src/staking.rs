//! Stake orders (20 §14, §16, §17): who may order what, and in which order a "no" is found.
//!
//! What belongs here: the checks of each call. What does not: what moves the books (`ledger`), how
//! much a limit price allows (`limits`), root dividends (`root_claims`).

use crate::balances::{credit, leak, require, withdraw};
use crate::event::Event;
use crate::fixed::{U96F32, add, fx, int, mul, safe_div};
use crate::ledger::{
    Marker, Position, STAKE_MIN, Terms, decrease_stake, give_back, pool_totals, simulate_buy,
    simulate_sell, stake_into, stake_of, transfer_within, unstake_from, unstake_or_stop,
};
use crate::limits;
use crate::pool::{Fees, MAX_PRICE, MIN_PRICE};
use crate::registration::DELEGATE_TAKE_DEFAULT;
use crate::rejection::Rejection;
use crate::rules::Mode;
use crate::shares;
use crate::state::{Leak, Stamp, State, Subnet};
use crate::tx::Tx;
use crate::units::{AccountId, Alpha, NetUid, Rao};
use alloc::vec::Vec;

/// What to do with a limited order that can only be filled in part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filling {
    /// Fill it whole or refuse it.
    Whole,
    /// Fill the part that the limit allows.
    Partial,
}

impl Filling {
    /// The filling that a call's `allow_partial` asks for.
    pub const fn allowing_partial(allowed: bool) -> Self {
        if allowed { Self::Partial } else { Self::Whole }
    }
}

/// A limit price, in rao per whole alpha, and what to do beyond it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// The price.
    pub price: Rao,
    /// What to do with a part.
    pub filling: Filling,
}

const UNLIMITED_BUY: Terms = Terms { limit: MAX_PRICE, fees: Fees::Charged };
const UNLIMITED_SALE: Terms = Terms { limit: MIN_PRICE, fees: Fees::Charged };

/// `add_stake` (20 §14.3); returns the alpha bought.
///
/// # Errors
/// The first check that fails, in the chain's order.
pub fn add_stake(tx: &mut Tx<'_>, position: Position, amount: Rao) -> Result<Alpha, Rejection> {
    let started = tx.state().subnet(position.netuid).is_some_and(|s| s.params.subtoken_enabled);
    require(started, Rejection::SubtokenDisabled)?;
    add_stake_check(tx, position, amount, amount, Filling::Whole)?;

    let tao = withdraw(tx, position.coldkey, amount)?;
    stake_into(tx, position, tao, UNLIMITED_BUY, Marker::Set)
}

/// `add_stake_limit` (20 §14.3); returns the alpha bought. What a partial order cannot buy stays with
/// the coldkey.
///
/// # Errors
/// The first check that fails, in the chain's order.
pub fn add_stake_limit(
    tx: &mut Tx<'_>,
    position: Position,
    amount: Rao,
    limit: Limit,
) -> Result<Alpha, Rejection> {
    let most = Rao(limits::max_add(tx.state(), position.netuid, limit.price.0)?);
    add_stake_check(tx, position, amount, most, limit.filling)?;

    become_delegate(tx, position);
    let tao = withdraw(tx, position.coldkey, amount.min(most))?;
    let terms = Terms { limit: limit.price.0, fees: Fees::Charged };
    stake_into(tx, position, tao, terms, Marker::Set)
}

/// A hotkey that gets stake of somebody else's is a delegate from then on.
fn become_delegate(tx: &mut Tx<'_>, position: Position) {
    let Position { hotkey, coldkey, .. } = position;
    let is_delegate = tx.state().hotkeys.get(&hotkey).is_some_and(|entry| entry.take.is_some());
    if !is_delegate && tx.state().owner(&hotkey) != Some(coldkey) {
        tx.emit(Event::DelegateTakeSet { hotkey, take: DELEGATE_TAKE_DEFAULT });
    }
}

fn add_stake_check(
    tx: &Tx<'_>,
    position: Position,
    amount: Rao,
    most: Rao,
    filling: Filling,
) -> Result<(), Rejection> {
    let state = tx.state();
    let subnet = state.subnet(position.netuid).ok_or(Rejection::SubnetNotExists)?;
    require(subnet.params.subtoken_enabled, Rejection::SubtokenDisabled)?;
    let fee_min = add_stake_check_fee(subnet);
    require(amount >= STAKE_MIN.plus(Rao(fee_min)), Rejection::AmountTooLow)?;
    let whole = filling == Filling::Partial || amount <= most;
    require(whole, Rejection::SlippageTooHigh)?;
    let amount = amount.min(most);
    require(state.free(&position.coldkey) >= amount, Rejection::NotEnoughBalanceToStake)?;
    require(state.owner(&position.hotkey).is_some(), Rejection::HotKeyAccountNotExists)?;
    let swap = simulate_buy(subnet, amount.0).map_err(|_| Rejection::InsufficientLiquidity)?;
    require(swap.paid_in >= STAKE_MIN.0, Rejection::AmountTooLow)?;
    require(swap.paid_out != 0, Rejection::InsufficientLiquidity)?;
    let (total, shares) = pool_totals(subnet, &position.hotkey);
    let precise = shares::precision_holds(total.0, shares, swap.paid_out);
    require(precise, Rejection::InsufficientLiquidity)
}

/// The fee of a buy of the minimum, by rate where the pool cannot serve it.
fn add_stake_check_fee(subnet: &Subnet) -> u64 {
    match simulate_buy(subnet, STAKE_MIN.0) {
        Ok(swap) => swap.fee,
        Err(_) => STAKE_MIN.0 * u64::from(subnet.fast.pool.fee_rate) / 65_535,
    }
}

/// `remove_stake` (20 §14.3): the amount is capped to the position.
///
/// # Errors
/// The first check that fails, in the chain's order.
pub fn remove_stake(tx: &mut Tx<'_>, position: Position, amount: Alpha) -> Result<(), Rejection> {
    let started = tx.state().subnet(position.netuid).is_some_and(|s| s.params.subtoken_enabled);
    require(started, Rejection::SubtokenDisabled)?;
    let held = stake_of(tx, position);
    let amount = amount.min(held);
    remove_stake_check(tx, position, held, Ask { amount, most: amount, filling: Filling::Whole })?;

    let tao = unstake_from(tx, position, amount, UNLIMITED_SALE)?;
    remove_stake_settle(tx, position, tao);
    Ok(())
}

/// `remove_stake_limit` (20 §14.3): the amount is not capped to the position.
///
/// # Errors
/// The first check that fails, in the chain's order.
pub fn remove_stake_limit(
    tx: &mut Tx<'_>,
    position: Position,
    amount: Alpha,
    limit: Limit,
) -> Result<(), Rejection> {
    let most = Alpha(limits::max_remove(tx.state(), position.netuid, limit.price.0)?);
    let held = stake_of(tx, position);
    remove_stake_check(tx, position, held, Ask { amount, most, filling: limit.filling })?;

    let terms = Terms { limit: limit.price.0, fees: Fees::Charged };
    let tao = unstake_from(tx, position, amount.min(most), terms)?;
    remove_stake_settle(tx, position, tao);
    Ok(())
}

/// `remove_stake_full_limit` (20 §14.3): the whole position, whole or not at all.
///
/// # Errors
/// Those of [`remove_stake_limit`], or without a limit of [`remove_stake`].
pub fn remove_stake_full_limit(
    tx: &mut Tx<'_>,
    position: Position,
    limit: Option<Rao>,
) -> Result<(), Rejection> {
    let amount = stake_of(tx, position);
    match limit {
        Some(price) => {
            let limit = Limit { price, filling: Filling::Whole };
            remove_stake_limit(tx, position, amount, limit)
        }
        None => remove_stake(tx, position, amount),
    }
}

/// How much is asked for, and how much the limit price allows.
struct Ask {
    amount: Alpha,
    most: Alpha,
    filling: Filling,
}

fn remove_stake_check(
    tx: &Tx<'_>,
    position: Position,
    held: Alpha,
    ask: Ask,
) -> Result<(), Rejection> {
    let Ask { amount, most, filling } = ask;
    let state = tx.state();
    let subnet = state.subnet(position.netuid).ok_or(Rejection::SubnetNotExists)?;
    require(!is_marked(state, position), Rejection::StakingOperationRateLimitExceeded)?;
    require(amount != Alpha::ZERO, Rejection::AmountTooLow)?;
    require(held >= amount, Rejection::NotEnoughStakeToWithdraw)?;
    let swap = simulate_sell(subnet, amount.0).map_err(|_| Rejection::InsufficientLiquidity)?;
    let leaves_a_rest = held != amount;
    require(!leaves_a_rest || swap.paid_out >= STAKE_MIN.0, Rejection::AmountTooLow)?;
    let whole = filling == Filling::Partial || amount <= most;
    require(whole, Rejection::SlippageTooHigh)?;
    require(state.owner(&position.hotkey).is_some(), Rejection::HotKeyAccountNotExists)
}

/// Whether stake that came in this block keeps the position from leaving in it.
fn is_marked(state: &State, position: Position) -> bool {
    state.stake_markers.contains(&(position.hotkey, position.coldkey, position.netuid))
}

fn remove_stake_settle(tx: &mut Tx<'_>, position: Position, tao: Rao) {
    credit(tx, position.coldkey, tao);
    clean_up_nomination(tx, position);
    forget_children_below_threshold(tx, position.hotkey);
}

/// A hotkey whose stake fell below the threshold loses the children it has ordered.
fn forget_children_below_threshold(tx: &mut Tx<'_>, hotkey: AccountId) {
    let state = tx.state();
    if state.global.stake_threshold == 0 {
        return;
    }
    let has_ordered = |subnet: &Subnet| {
        !subnet.pending_children.is_empty() && subnet.pending_children.contains_key(&hotkey)
    };
    let ordered = state.networks().filter(|(_, subnet)| has_ordered(subnet));
    let ordered: Vec<NetUid> = ordered.map(|(netuid, _)| netuid).collect();
    if ordered.is_empty() || hotkey_value(state, &hotkey) >= state.global.stake_threshold {
        return;
    }
    for netuid in ordered {
        tx.emit(Event::ChildrenDiscarded { hotkey, netuid });
    }
}

/// The TAO value of all stake behind a hotkey at spot prices, in rao, floored once at the end.
pub fn hotkey_value(state: &State, hotkey: &AccountId) -> u64 {
    let zero: U96F32 = fx(0_u8);
    int(state.networks().fold(zero, |sum, (_, subnet)| match subnet.pools.get(hotkey) {
        Some(pool) => add(sum, mul(fx(pool.alpha.0), U96F32::from_bits(subnet.price()))),
        None => sum,
    }))
}

/// The smallest nomination, in rao.
pub fn nomination_min(state: &State) -> u64 {
    let factor = u128::from(state.global.nominator_min_required_stake);
    u64::try_from(u128::from(STAKE_MIN.0) * factor / 1_000_000).unwrap_or(u64::MAX)
}

/// Sells what is left of a nomination below the minimum (20 §16). Where the sale fails, the reference
/// takes the stake all the same and pays nothing (quirk Q10); `sound` mode leaves it.
pub fn clean_up_nomination(tx: &mut Tx<'_>, position: Position) {
    let state = tx.state();
    let least = nomination_min(state);
    let Some(subnet) = state.subnet(position.netuid) else { return };
    if least == 0 || state.owner(&position.hotkey) == Some(position.coldkey) {
        return;
    }
    let held = stake_of(tx, position);
    let least = int(safe_div(fx::<U96F32>(least), U96F32::from_bits(subnet.price())));
    if held == Alpha::ZERO || held.0 >= least {
        return;
    }
    let sold = match state.rules.mode {
        Mode::Reference => unstake_or_stop(tx, position, held, UNLIMITED_SALE),
        Mode::Sound => tx.attempt(|tx| unstake_or_stop(tx, position, held, UNLIMITED_SALE)),
    };
    match sold {
        Ok(tao) => credit(tx, position.coldkey, tao),
        Err(unsold) if tx.state().rules.mode == Mode::Reference => {
            leak(tx, Leak::CleanUps, i128::from(unsold.proceeds.0));
            decrease_stake(tx, position, held);
        }
        Err(_) => {}
    }
}

/// Cleans up all nominations, in the chain's storage order.
pub fn clean_up_nominations(tx: &mut Tx<'_>) {
    for (hotkey, coldkey, netuid) in tx.holders_after(None, usize::MAX) {
        clean_up_nomination(tx, Position { hotkey, coldkey, netuid });
    }
}

/// `unstake_all` (20 §14.3): every subnet whose checks hold; succeeds even if none does.
///
/// # Errors
/// `HotKeyAccountNotExists`; a swap that fails after its checks held.
pub fn unstake_all(
    tx: &mut Tx<'_>,
    coldkey: AccountId,
    hotkey: AccountId,
) -> Result<(), Rejection> {
    require(tx.state().owner(&hotkey).is_some(), Rejection::HotKeyAccountNotExists)?;

    for position in unstake_all_positions(tx, coldkey, hotkey, NetUid::ROOT) {
        if let Some(tao) = unstake_all_leg(tx, position)? {
            credit(tx, coldkey, tao);
            clean_up_nomination(tx, position);
        }
    }
    Ok(())
}

/// `unstake_all_alpha` (20 §14.3): every subnet but root, the proceeds are staked on root.
///
/// # Errors
/// `HotKeyAccountNotExists`; a swap that fails after its checks held; those of the root stake.
pub fn unstake_all_alpha(
    tx: &mut Tx<'_>,
    coldkey: AccountId,
    hotkey: AccountId,
) -> Result<(), Rejection> {
    require(tx.state().owner(&hotkey).is_some(), Rejection::HotKeyAccountNotExists)?;

    let mut proceeds = Rao::ZERO;
    for position in unstake_all_positions(tx, coldkey, hotkey, NetUid(1)) {
        if let Some(tao) = unstake_all_leg(tx, position)? {
            proceeds = proceeds.plus(tao);
            clean_up_nomination(tx, position);
        }
    }
    let root = Position { hotkey, coldkey, netuid: NetUid::ROOT };
    stake_into(tx, root, proceeds, UNLIMITED_BUY, Marker::Unset)?;
    Ok(())
}

fn unstake_all_positions(
    tx: &Tx<'_>,
    coldkey: AccountId,
    hotkey: AccountId,
    from: NetUid,
) -> Vec<Position> {
    let started = tx.state().networks().filter(|(netuid, subnet)| {
        *netuid >= from && subnet.params.subtoken_enabled && subnet.pools.contains_key(&hotkey)
    });
    started.map(|(netuid, _)| Position { hotkey, coldkey, netuid }).collect()
}

fn unstake_all_leg(tx: &mut Tx<'_>, position: Position) -> Result<Option<Rao>, Rejection> {
    let held = stake_of(tx, position);
    let ask = Ask { amount: held, most: held, filling: Filling::Whole };
    if remove_stake_check(tx, position, held, ask).is_err() {
        return Ok(None);
    }
    unstake_from(tx, position, held, UNLIMITED_SALE).map(Some)
}

/// Stake on its way from one position to another.
#[derive(Clone, Copy, Debug)]
pub struct Move {
    /// Where it is.
    pub from: Position,
    /// Where it goes.
    pub to: Position,
    /// How much, capped to the position.
    pub amount: Alpha,
    /// Limit on the ratio of the prices, of 10⁹; counts only between subnets.
    pub limit: Option<Limit>,
    /// Which call orders it.
    pub purpose: Purpose,
}

/// What a [`Move`] is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The owner keeps it; it may not leave again in this block.
    Rearrange,
    /// It goes to somebody else, if the subnets allow that.
    Transfer,
}

/// `move_stake` (20 §14.3).
///
/// # Errors
/// The first check that fails, in the chain's order.
pub fn move_stake(tx: &mut Tx<'_>, order: &Move) -> Result<(), Rejection> {
    let tao = transition(tx, order)?;
    tx.emit(Event::StakeMoved {
        coldkey: order.from.coldkey,
        origin_hotkey: order.from.hotkey,
        origin_netuid: order.from.netuid,
        destination_hotkey: order.to.hotkey,
        destination_netuid: order.to.netuid,
        tao,
    });
    Ok(())
}

/// `swap_stake` and `swap_stake_limit` (20 §14.3).
///
/// # Errors
/// The first check that fails, in the chain's order.
pub fn swap_stake(tx: &mut Tx<'_>, order: &Move) -> Result<(), Rejection> {
    let tao = transition(tx, order)?;
    tx.emit(Event::StakeSwapped {
        coldkey: order.from.coldkey,
        hotkey: order.from.hotkey,
        origin_netuid: order.from.netuid,
        destination_netuid: order.to.netuid,
        tao,
    });
    Ok(())
}

/// `transfer_stake` (20 §14.3).
///
/// # Errors
/// The first check that fails, in the chain's order.
pub fn transfer_stake(tx: &mut Tx<'_>, order: &Move) -> Result<(), Rejection> {
    let tao = transition(tx, order)?;
    tx.emit(Event::StakeTransferred {
        origin_coldkey: order.from.coldkey,
        destination_coldkey: order.to.coldkey,
        hotkey: order.from.hotkey,
        origin_netuid: order.from.netuid,
        destination_netuid: order.to.netuid,
        tao,
    });
    Ok(())
}

/// Moves stake; returns its TAO value. Between subnets the limit bounds the amount only, the swaps
/// themselves are unlimited, and one fee is paid: on the sale, or on the buy when it comes from root.
fn transition(tx: &mut Tx<'_>, order: &Move) -> Result<Rao, Rejection> {
    let Move { from, to, .. } = *order;
    // So the chain's check that the position holds the amount cannot fail.
    let amount = order.amount.min(stake_of(tx, from));
    let crosses = from.netuid != to.netuid;
    let most = match order.limit {
        Some(limit) if crosses => {
            Alpha(limits::max_move(tx.state(), from.netuid, to.netuid, limit.price.0)?)
        }
        _ => amount,
    };
    transition_check(tx, order, amount, most)?;

    let amount = amount.min(most);
    if !crosses {
        return transfer_within(tx, from, to, amount);
    }
    let (sale, buy) = match from.netuid.is_root() {
        true => (Fees::Dropped, Fees::Charged),
        false => (Fees::Charged, Fees::Dropped),
    };
    let tao = unstake_from(tx, from, amount, Terms { limit: MIN_PRICE, fees: sale })?;
    if tao < STAKE_MIN {
        give_back(tx, Leak::MovedDust, from.coldkey, tao);
        return Ok(tao);
    }
    become_delegate(tx, to);
    let marker = match order.purpose {
        Purpose::Rearrange => Marker::Set,
        Purpose::Transfer => Marker::Unset,
    };
    stake_into(tx, to, tao, Terms { limit: MAX_PRICE, fees: buy }, marker)?;
    Ok(tao)
}

fn transition_check(
    tx: &Tx<'_>,
    order: &Move,
    amount: Alpha,
    most: Alpha,
) -> Result<(), Rejection> {
    let Move { from, to, .. } = *order;
    require(from != to, Rejection::SameNetuid)?;
    let state = tx.state();
    require(!is_marked(state, from), Rejection::StakingOperationRateLimitExceeded)?;
    let origin = state.subnet(from.netuid).ok_or(Rejection::SubnetNotExists)?;
    let destination = state.subnet(to.netuid).ok_or(Rejection::SubnetNotExists)?;
    require(origin.params.subtoken_enabled, Rejection::SubtokenDisabled)?;
    require(destination.params.subtoken_enabled, Rejection::SubtokenDisabled)?;
    require(state.owner(&from.hotkey).is_some(), Rejection::HotKeyAccountNotExists)?;
    require(state.owner(&to.hotkey).is_some(), Rejection::HotKeyAccountNotExists)?;
    if from.netuid != to.netuid {
        let swap = simulate_sell(origin, amount.0).map_err(|_| Rejection::InsufficientLiquidity)?;
        require(swap.paid_out > STAKE_MIN.0, Rejection::AmountTooLow)?;
        let whole = order.limit.is_some_and(|limit| limit.filling == Filling::Whole);
        require(!whole || amount <= most, Rejection::SlippageTooHigh)?;
    }
    if order.purpose == Purpose::Transfer {
        require(origin.params.transfer_toggle, Rejection::TransferDisallowed)?;
        require(destination.params.transfer_toggle, Rejection::TransferDisallowed)?;
    }
    Ok(())
}

/// `recycle_alpha` (20 §17): the alpha is destroyed.
///
/// # Errors
/// The first check that fails, in the chain's order.
pub fn recycle_alpha(tx: &mut Tx<'_>, position: Position, amount: Alpha) -> Result<(), Rejection> {
    let Position { hotkey, coldkey, netuid } = position;
    let alpha = give_up(tx, position, amount)?;
    tx.emit(Event::AlphaDestroyed { netuid, amount: alpha });
    tx.emit(Event::AlphaRecycled { coldkey, hotkey, alpha, netuid });
    Ok(())
}

/// `burn_alpha` (20 §17): the alpha stays in the issuance and is nobody's.
///
/// # Errors
/// The first check that fails, in the chain's order.
pub fn burn_alpha(tx: &mut Tx<'_>, position: Position, amount: Alpha) -> Result<(), Rejection> {
    let Position { hotkey, coldkey, netuid } = position;
    let alpha = give_up(tx, position, amount)?;
    tx.emit(Event::AlphaBurned { coldkey, hotkey, alpha, netuid });
    Ok(())
}

fn give_up(tx: &mut Tx<'_>, position: Position, amount: Alpha) -> Result<Alpha, Rejection> {
    let state = tx.state();
    let subnet = state.subnet(position.netuid).ok_or(Rejection::SubnetNotExists)?;
    require(!position.netuid.is_root(), Rejection::CannotBurnOrRecycleOnRootSubnet)?;
    require(subnet.params.subtoken_enabled, Rejection::SubtokenDisabled)?;
    require(state.owner(&position.hotkey).is_some(), Rejection::HotKeyAccountNotExists)?;
    let amount = amount.min(stake_of(tx, position));
    require(subnet.fast.pool.alpha_out >= amount.0, Rejection::InsufficientLiquidity)?;
    let taken = decrease_stake(tx, position, amount);
    require(taken <= amount, Rejection::PrecisionLoss)?;
    Ok(taken)
}

/// `add_stake_burn` (20 §17): the subnet's owner buys alpha and burns it.
///
/// # Errors
/// The first check that fails, in the chain's order.
pub fn add_stake_burn(
    tx: &mut Tx<'_>,
    position: Position,
    amount: Rao,
    limit: Option<Rao>,
) -> Result<(), Rejection> {
    let Position { hotkey, coldkey, netuid } = position;
    let state = tx.state();
    let subnet = state.subnet(netuid).filter(|subnet| subnet.info.owner == Some(coldkey));
    let subnet = subnet.ok_or(Rejection::BadOrigin)?;
    let last = subnet.stamps.get(&Stamp::AddStakeBurn).copied().unwrap_or(0);
    let since = state.height.0.saturating_sub(last);
    let rested = last == 0 || since >= u64::from(subnet.params.tempo);
    require(rested, Rejection::AddStakeBurnRateLimitExceeded)?;

    let alpha = match limit {
        Some(price) => {
            let limit = Limit { price, filling: Filling::Whole };
            add_stake_limit(tx, position, amount, limit)?
        }
        None => add_stake(tx, position, amount)?,
    };
    burn_alpha(tx, position, alpha)?;
    tx.emit(Event::Stamped { netuid, stamp: Stamp::AddStakeBurn });
    tx.emit(Event::AddStakeBurned { netuid, hotkey, amount, alpha });
    Ok(())
}
