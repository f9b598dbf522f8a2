//! Staking: the ledger primitives of 20 §13 and the calls built on them.
//!
//! What belongs here: who may stake, what a swap does to the books. What does not: the arithmetic of
//! pools and shares (`pool`, `shares`).

use crate::balances::{credit, leak, require, withdraw};
use crate::event::{Event, PoolSwapped};
use crate::pool::{Fees, MAX_PRICE, MIN_PRICE, Pool, Swap, SwapError};
use crate::rejection::Rejection;
use crate::shares;
use crate::state::{Leak, Subnet};
use crate::tx::Tx;
use crate::units::{AccountId, Alpha, NetUid, Rao};
use alloc::boxed::Box;
use alloc::vec::Vec;

/// Lowest TAO value of a stake order.
pub const STAKE_MIN: Rao = Rao(2_000_000);

/// A stake position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Behind which hotkey.
    pub hotkey: AccountId,
    /// Held by which coldkey.
    pub coldkey: AccountId,
    /// On which subnet.
    pub netuid: NetUid,
}

/// Whether stake coming in this block is kept from leaving in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marker {
    /// It is.
    Set,
    /// It is not.
    Unset,
}

/// How a swap is bounded and charged.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// Limit price in rao per alpha.
    pub limit: u64,
    /// Whether the pool charges its fee.
    pub fees: Fees,
}

impl From<SwapError> for Rejection {
    fn from(error: SwapError) -> Self {
        match error {
            SwapError::ReservesTooLow => Self::ReservesTooLow,
            SwapError::PriceLimitExceeded => Self::PriceLimitExceeded,
            SwapError::InsufficientLiquidity => Self::InsufficientLiquidity,
            SwapError::TooManySwapSteps => Self::TooManySwapSteps,
        }
    }
}

/// `add_stake` (20 §14.3).
///
/// # Errors
/// The first check that fails, in the chain's order.
pub fn add_stake(tx: &mut Tx<'_>, position: Position, amount: Rao) -> Result<(), Rejection> {
    let started = tx.state().subnet(position.netuid).is_some_and(|s| s.params.subtoken_enabled);
    require(started, Rejection::SubtokenDisabled)?;
    add_stake_check(tx, position, amount)?;

    let tao = withdraw(tx, position.coldkey, amount)?;
    stake_into(tx, position, tao, Terms { limit: MAX_PRICE, fees: Fees::Charged }, Marker::Set)?;
    Ok(())
}

fn add_stake_check(tx: &Tx<'_>, position: Position, amount: Rao) -> Result<(), Rejection> {
    let state = tx.state();
    let subnet = state.subnet(position.netuid).ok_or(Rejection::SubnetNotExists)?;
    require(subnet.params.subtoken_enabled, Rejection::SubtokenDisabled)?;
    let fee_min = add_stake_check_fee(subnet);
    require(amount >= STAKE_MIN.plus(Rao(fee_min)), Rejection::AmountTooLow)?;
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
    remove_stake_check(tx, position, amount, held)?;

    let terms = Terms { limit: MIN_PRICE, fees: Fees::Charged };
    let tao = unstake_from(tx, position, amount, terms)?;
    credit(tx, position.coldkey, tao);
    Ok(())
}

fn remove_stake_check(
    tx: &Tx<'_>,
    position: Position,
    amount: Alpha,
    held: Alpha,
) -> Result<(), Rejection> {
    let state = tx.state();
    let subnet = state.subnet(position.netuid).ok_or(Rejection::SubnetNotExists)?;
    let marker = (position.hotkey, position.coldkey, position.netuid);
    let marked = state.stake_markers.contains(&marker);
    require(!marked, Rejection::StakingOperationRateLimitExceeded)?;
    require(amount != Alpha::ZERO, Rejection::AmountTooLow)?;
    require(held >= amount, Rejection::NotEnoughStakeToWithdraw)?;
    let swap = simulate_sell(subnet, amount.0).map_err(|_| Rejection::InsufficientLiquidity)?;
    let leaves_a_rest = held != amount;
    require(!leaves_a_rest || swap.paid_out >= STAKE_MIN.0, Rejection::AmountTooLow)?;
    require(state.owner(&position.hotkey).is_some(), Rejection::HotKeyAccountNotExists)
}

/// A position's alpha, rounded down.
pub fn stake_of(tx: &Tx<'_>, position: Position) -> Alpha {
    tx.state().stake(&position.hotkey, &position.coldkey, position.netuid)
}

/// Buys alpha with TAO that has left its account and stakes it (20 §13.3); returns the alpha.
/// TAO that found no liquidity is not returned (a leak of the reference, booked).
///
/// # Errors
/// Those of the swap; `AmountTooLow`, `InsufficientLiquidity`.
pub fn stake_into(
    tx: &mut Tx<'_>,
    position: Position,
    tao: Rao,
    terms: Terms,
    marker: Marker,
) -> Result<Alpha, Rejection> {
    let Position { hotkey, coldkey, netuid } = position;
    let swap = buy(tx, netuid, tao, terms)?;
    require(swap.paid_out != 0, Rejection::AmountTooLow)?;
    let subnet = tx.state().subnet(netuid).ok_or(Rejection::SubnetNotExists)?;
    let (total, shares) = pool_totals(subnet, &hotkey);
    let precise = shares::precision_holds(total.0, shares, swap.paid_out);
    require(precise, Rejection::InsufficientLiquidity)?;
    let alpha = increase_stake(tx, position, Alpha(swap.paid_out));
    if alpha == Alpha::ZERO {
        return Ok(alpha);
    }
    pay_author(tx, Rao(swap.fee));
    let unfilled = i128::from(tao.0) - i128::from(swap.paid_in) - i128::from(swap.fee);
    leak(tx, Leak::Unfilled, unfilled);
    record_flow(tx, netuid, i128::from(swap.paid_in));
    if marker == Marker::Set {
        tx.emit(Event::StakeMarked { hotkey, coldkey, netuid });
    }
    if netuid.is_root() {
        keep_claims_neutral(tx, position, i128::from(swap.paid_out));
        index_root_staker(tx, coldkey);
    }
    let (alpha, fee) = (Alpha(swap.paid_out), Rao(swap.fee));
    tx.emit(Event::StakeAdded { coldkey, hotkey, netuid, tao, alpha, fee });
    Ok(alpha)
}

/// Sells staked alpha (20 §13.4); returns the TAO, which the caller credits.
///
/// # Errors
/// Those of the swaps.
pub fn unstake_from(
    tx: &mut Tx<'_>,
    position: Position,
    alpha: Alpha,
    terms: Terms,
) -> Result<Rao, Rejection> {
    let Position { hotkey, coldkey, netuid } = position;
    let taken = decrease_stake(tx, position, alpha);
    let swap = sell(tx, netuid, taken, terms)?;
    let refund = taken.0.saturating_sub(swap.paid_in.saturating_add(swap.fee));
    if refund > 0 {
        increase_stake(tx, position, Alpha(refund));
    }
    let mut author_gain = 0;
    if let Some(author) = tx.state().global.block_author {
        let terms = Terms { limit: MIN_PRICE, fees: Fees::Dropped };
        let gain = sell(tx, netuid, Alpha(swap.fee), terms)?;
        author_gain = gain.paid_out;
        credit(tx, author, Rao(author_gain));
    }
    if netuid.is_root() {
        keep_claims_neutral(tx, position, -i128::from(alpha.0));
    }
    record_flow(tx, netuid, -(i128::from(swap.paid_out) + i128::from(author_gain)));
    let tao = Rao(swap.paid_out);
    let fee = Alpha(swap.fee);
    tx.emit(Event::StakeRemoved { coldkey, hotkey, netuid, tao, alpha: taken, fee });
    Ok(tao)
}

fn pay_author(tx: &mut Tx<'_>, fee: Rao) {
    match tx.state().global.block_author {
        Some(author) => credit(tx, author, fee),
        None if fee != Rao::ZERO => tx.emit(Event::IssuanceRecycled { amount: fee }),
        None => {}
    }
}

fn record_flow(tx: &mut Tx<'_>, netuid: NetUid, by: i128) {
    let by = i64::try_from(by).expect("supplies are far below 2⁶³ rao");
    if by != 0 {
        tx.emit(Event::FlowRecorded { netuid, by });
    }
}

/// Buys on the pool and books it (20 §13.1). The stable mechanism swaps one to one without a fee.
///
/// # Errors
/// Those of the swap.
pub fn buy(tx: &mut Tx<'_>, netuid: NetUid, tao: Rao, terms: Terms) -> Result<Swap, Rejection> {
    let subnet = tx.state().subnet(netuid).ok_or(Rejection::SubnetNotExists)?;
    let before = subnet.fast.pool;
    let mut pool = before;
    let swap = if subnet.params.mechanism == 1 {
        pool.buy(tao.0, terms.limit, terms.fees)?
    } else {
        Swap { paid_in: tao.0, paid_out: tao.0, fee: 0 }
    };
    pool.book_buy(&swap);
    emit_swap(tx, netuid, &before, &pool, i128::from(tao.0), tao.0);
    leak(tx, Leak::StakeExcess, i128::from(tao.0) - i128::from(swap.paid_in));
    Ok(swap)
}

/// Sells on the pool and books it (20 §13.2).
///
/// # Errors
/// Those of the swap.
pub fn sell(
    tx: &mut Tx<'_>,
    netuid: NetUid,
    alpha: Alpha,
    terms: Terms,
) -> Result<Swap, Rejection> {
    let subnet = tx.state().subnet(netuid).ok_or(Rejection::SubnetNotExists)?;
    let before = subnet.fast.pool;
    let mut pool = before;
    let swap = if subnet.params.mechanism == 1 {
        pool.sell(alpha.0, terms.limit, terms.fees)?
    } else {
        Swap { paid_in: alpha.0, paid_out: alpha.0, fee: 0 }
    };
    pool.book_sell(&swap);
    // The reserve saturates at zero; the chain's counter falls by the full amount.
    let shortfall = i128::from(swap.paid_out) - i128::from(before.tao - pool.tao);
    emit_swap(tx, netuid, &before, &pool, -i128::from(swap.paid_out), swap.paid_out);
    leak(tx, Leak::Unfilled, -shortfall);
    leak(tx, Leak::StakeExcess, -shortfall);
    Ok(swap)
}

fn emit_swap(
    tx: &mut Tx<'_>,
    netuid: NetUid,
    before: &Pool,
    after: &Pool,
    total_stake: i128,
    volume: u64,
) {
    if before == after && total_stake == 0 {
        return;
    }
    let change = |after: u64, before: u64| {
        i64::try_from(i128::from(after) - i128::from(before)).expect("supplies are below 2⁶³")
    };
    tx.emit(Event::PoolSwapped(Box::new(PoolSwapped {
        netuid,
        tao: change(after.tao, before.tao),
        alpha_in: change(after.alpha, before.alpha),
        alpha_out: change(after.alpha_out, before.alpha_out),
        total_stake: i64::try_from(total_stake).expect("supplies are below 2⁶³"),
        volume,
        initialized: after.initialized,
        sqrt_price: after.sqrt_price,
        liquidity: after.liquidity,
        position_liquidity: after.position_liquidity,
        net_liquidity: after.net_liquidity,
    })));
}

/// A buy of `tao` without a limit, rolled back.
///
/// # Errors
/// Those of the swap.
pub fn simulate_buy(subnet: &Subnet, tao: u64) -> Result<Swap, SwapError> {
    if subnet.params.mechanism == 1 {
        subnet.fast.pool.simulate_buy(tao, MAX_PRICE, Fees::Charged)
    } else {
        Ok(Swap { paid_in: tao, paid_out: tao, fee: 0 })
    }
}

/// A sale of `alpha` without a limit, rolled back.
///
/// # Errors
/// Those of the swap.
pub fn simulate_sell(subnet: &Subnet, alpha: u64) -> Result<Swap, SwapError> {
    if subnet.params.mechanism == 1 {
        subnet.fast.pool.simulate_sell(alpha, MIN_PRICE, Fees::Charged)
    } else {
        Ok(Swap { paid_in: alpha, paid_out: alpha, fee: 0 })
    }
}

fn pool_totals(subnet: &Subnet, hotkey: &AccountId) -> (Alpha, u128) {
    subnet.pools.get(hotkey).map_or((Alpha::ZERO, 0), |pool| (pool.alpha, pool.shares))
}

/// Adds alpha to a position (20 §12.3); returns what was added.
pub fn increase_stake(tx: &mut Tx<'_>, position: Position, alpha: Alpha) -> Alpha {
    let Position { hotkey, coldkey, .. } = position;
    if alpha != Alpha::ZERO {
        let listed = tx.state().coldkeys.get(&coldkey).is_some_and(|c| c.staking.contains(&hotkey));
        if !listed {
            tx.emit(Event::StakingHotkeyListed { coldkey, hotkey });
        }
    }
    let by = i64::try_from(alpha.0).unwrap_or(i64::MAX);
    let actual = change_share(tx, position, by);
    Alpha(u64::try_from(actual).unwrap_or(0))
}

/// Takes alpha from a position when it holds that much; returns what was taken, which is more when
/// a remainder is swept along.
pub fn decrease_stake(tx: &mut Tx<'_>, position: Position, alpha: Alpha) -> Alpha {
    let pool = tx.state().subnets.get(&position.netuid).and_then(|s| s.pools.get(&position.hotkey));
    let holds = pool.is_some_and(|pool| {
        pool.holders.contains_key(&position.coldkey) && pool.value(&position.coldkey) >= alpha
    });
    if !holds {
        return Alpha::ZERO;
    }
    let by = i64::try_from(alpha.0).unwrap_or(i64::MAX);
    let actual = change_share(tx, position, -by);
    Alpha(u64::try_from(-actual).unwrap_or(0))
}

fn change_share(tx: &mut Tx<'_>, position: Position, by: i64) -> i64 {
    let Position { hotkey, coldkey, netuid } = position;
    let pool = tx.state().subnets.get(&netuid).and_then(|s| s.pools.get(&hotkey));
    let (total, shares, share) = pool.map_or((0, 0, 0), |pool| {
        (pool.alpha.0, pool.shares, pool.holders.get(&coldkey).copied().unwrap_or(0))
    });
    let changed = shares::change(total, shares, share, by);
    let alpha = i64::try_from(i128::from(changed.total) - i128::from(total))
        .expect("supplies are below 2⁶³");
    tx.emit(Event::ShareChanged {
        netuid,
        hotkey,
        coldkey,
        alpha,
        shares: changed.shares,
        share: changed.share,
    });
    changed.actual
}

/// Keeps what a root staker may claim unchanged while its root stake changes (20 §10.6).
fn keep_claims_neutral(tx: &mut Tx<'_>, position: Position, by: i128) {
    let Position { hotkey, coldkey, .. } = position;
    let Some(entry) = tx.state().hotkeys.get(&hotkey) else {
        return;
    };
    let mut netuids = Vec::new();
    let mut claimed = Vec::new();
    for (netuid, rate) in entry.root_claimable.iter().flatten() {
        if netuid.is_root() {
            continue;
        }
        let Some(subnet) = tx.state().subnet(*netuid) else {
            continue;
        };
        let old = subnet.root_claimed.get(&(hotkey, coldkey)).copied().unwrap_or(0);
        // The rate's 32 fraction bits are dropped toward zero; rates are never negative.
        let change = rate.saturating_mul(by.abs()) >> 32;
        let change = u128::try_from(change).unwrap_or(0);
        netuids.push(*netuid);
        claimed.push(if by >= 0 { old.saturating_add(change) } else { old.saturating_sub(change) });
    }
    if !netuids.is_empty() {
        tx.emit(Event::RootClaimedSet { hotkey, coldkey, netuids, claimed });
    }
}

fn index_root_staker(tx: &mut Tx<'_>, coldkey: AccountId) {
    let state = tx.state();
    if state.coldkeys.get(&coldkey).and_then(|entry| entry.root_index).is_none() {
        let index = state.global.root_stakers;
        tx.emit(Event::RootStakerIndexed { coldkey, index });
    }
}
