//! The ledger primitives of 20 §13: what moves stake and the pools' books.
//!
//! What belongs here: what a swap, a new share or a transfer does to the state, and what the reference
//! loses on the way. What does not: who may order it (`staking`), the arithmetic of pools and shares
//! (`pool`, `shares`).

use crate::balances::{credit, leak, require};
use crate::event::{Event, PoolSwapped};
use crate::fixed::{U96F32, fx, int, mul};
use crate::pool::{Fees, MAX_PRICE, MIN_PRICE, Pool, Swap, SwapError};
use crate::rejection::Rejection;
use crate::rules::Mode;
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

/// A position's alpha, rounded down.
pub fn stake_of(tx: &Tx<'_>, position: Position) -> Alpha {
    tx.state().stake(&position.hotkey, &position.coldkey, position.netuid)
}

/// Buys alpha with TAO that has left its account and stakes it (20 §13.3); returns the alpha.
/// TAO that found no liquidity is lost in `reference` mode and returned in `sound` mode.
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
    let unfilled = tao.minus(Rao(swap.paid_in)).minus(Rao(swap.fee));
    give_back(tx, Leak::Unfilled, coldkey, unfilled);
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

/// A sale that failed on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unsold {
    /// Why.
    pub rejection: Rejection,
    /// What the main sale had brought before its fee could not be sold.
    pub proceeds: Rao,
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
    unstake_or_stop(tx, position, alpha, terms).map_err(|unsold| unsold.rejection)
}

/// As [`unstake_from`]; an error leaves done what was done, unless a savepoint is around it.
///
/// # Errors
/// The swap that failed, and what the sale had brought before.
pub fn unstake_or_stop(
    tx: &mut Tx<'_>,
    position: Position,
    alpha: Alpha,
    terms: Terms,
) -> Result<Rao, Unsold> {
    let Position { hotkey, coldkey, netuid } = position;
    let taken = decrease_stake(tx, position, alpha);
    let nothing = |rejection| Unsold { rejection, proceeds: Rao::ZERO };
    let swap = sell(tx, netuid, taken, terms).map_err(nothing)?;
    let tao = Rao(swap.paid_out);
    let refund = taken.0.saturating_sub(swap.paid_in.saturating_add(swap.fee));
    if refund > 0 {
        increase_stake(tx, position, Alpha(refund));
    }
    let mut author_gain = 0;
    if let Some(author) = tx.state().global.block_author {
        let terms = Terms { limit: MIN_PRICE, fees: Fees::Dropped };
        let gain = sell(tx, netuid, Alpha(swap.fee), terms);
        let gain = gain.map_err(|rejection| Unsold { rejection, proceeds: tao })?;
        author_gain = gain.paid_out;
        credit(tx, author, Rao(author_gain));
    }
    if netuid.is_root() {
        keep_claims_neutral(tx, position, -i128::from(alpha.0));
    }
    record_flow(tx, netuid, -(i128::from(swap.paid_out) + i128::from(author_gain)));
    let fee = Alpha(swap.fee);
    tx.emit(Event::StakeRemoved { coldkey, hotkey, netuid, tao, alpha: taken, fee });
    Ok(tao)
}

/// Gives stake of one position to another on the same subnet (20 §13.5), without a swap; returns its
/// TAO value, rounded down.
///
/// # Errors
/// `SubnetNotExists`; `AmountTooLow` when the value is below the minimum stake.
pub fn transfer_within(
    tx: &mut Tx<'_>,
    from: Position,
    to: Position,
    alpha: Alpha,
) -> Result<Rao, Rejection> {
    let netuid = from.netuid;
    let taken = decrease_stake(tx, from, alpha);
    if netuid.is_root() {
        keep_claims_neutral(tx, from, -i128::from(alpha.0));
    }
    let moved = increase_stake(tx, to, taken);
    if netuid.is_root() {
        keep_claims_neutral(tx, to, i128::from(taken.0));
    }
    let subnet = tx.state().subnet(netuid).ok_or(Rejection::SubnetNotExists)?;
    let tao = Rao(int(mul(U96F32::from_bits(subnet.price()), fx(moved.0))));
    require(tao >= STAKE_MIN, Rejection::AmountTooLow)?;
    let Position { hotkey, coldkey, .. } = from;
    let fee = Alpha::ZERO;
    tx.emit(Event::StakeRemoved { coldkey, hotkey, netuid, tao, alpha: taken, fee });
    let Position { hotkey, coldkey, .. } = to;
    tx.emit(Event::StakeAdded { coldkey, hotkey, netuid, tao, alpha: moved, fee: Rao::ZERO });
    Ok(tao)
}

/// TAO that the reference loses: booked there, credited to whom it belongs in `sound` mode.
pub fn give_back(tx: &mut Tx<'_>, name: Leak, to: AccountId, amount: Rao) {
    match tx.state().rules.mode {
        Mode::Reference => leak(tx, name, i128::from(amount.0)),
        Mode::Sound => credit(tx, to, amount),
    }
}

/// Pays a swap fee to the block author; without one it leaves the issuance.
pub fn pay_author(tx: &mut Tx<'_>, fee: Rao) {
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
        let swap = pool.buy(tao.0, terms.limit, terms.fees);
        keep_moved_price(tx, netuid, &before, &pool, swap)?
    } else {
        Swap { paid_in: tao.0, paid_out: tao.0, fee: 0 }
    };
    pool.book_buy(&swap);
    // The reference counts as staked what was paid, not what reached the pool (quirk Q6).
    let counted = match tx.state().rules.mode {
        Mode::Reference => tao.0,
        Mode::Sound => swap.paid_in,
    };
    emit_swap(tx, netuid, &before, &pool, i128::from(counted), tao.0);
    leak(tx, Leak::StakeExcess, i128::from(counted) - i128::from(swap.paid_in));
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
        let swap = pool.sell(alpha.0, terms.limit, terms.fees);
        keep_moved_price(tx, netuid, &before, &pool, swap)?
    } else {
        Swap { paid_in: alpha.0, paid_out: alpha.0, fee: 0 }
    };
    pool.book_sell(&swap);
    // The reserve saturates at zero, where sold root dividends were not backed; the chain's counter
    // falls by the full amount, down to zero.
    let left = i128::from(before.tao - pool.tao);
    let counted = i128::from(swap.paid_out.min(tx.state().global.total_stake.0));
    emit_swap(tx, netuid, &before, &pool, -counted, swap.paid_out);
    leak(tx, Leak::RootShortfall, left - i128::from(swap.paid_out));
    leak(tx, Leak::StakeExcess, left - counted);
    Ok(swap)
}

/// A swap that the reserve cannot pay leaves the moved price behind (quirk Q4): a call's own
/// rollback hides it, the block step's swaps do not.
fn keep_moved_price(
    tx: &mut Tx<'_>,
    netuid: NetUid,
    before: &Pool,
    moved: &Pool,
    swap: Result<Swap, SwapError>,
) -> Result<Swap, Rejection> {
    let unpaid = swap == Err(SwapError::InsufficientLiquidity);
    if unpaid && tx.state().rules.mode == Mode::Reference {
        emit_swap(tx, netuid, before, moved, 0, 0);
    }
    Ok(swap?)
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

/// A hotkey's alpha on a subnet and the sum of its shares.
pub fn pool_totals(subnet: &Subnet, hotkey: &AccountId) -> (Alpha, u128) {
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
    let actual = change_share(tx, position, Holding::of(tx, position), by);
    Alpha(u64::try_from(actual).unwrap_or(0))
}

/// Takes alpha from a position when it holds that much; returns what was taken, which is more when
/// a remainder is swept along.
pub fn decrease_stake(tx: &mut Tx<'_>, position: Position, alpha: Alpha) -> Alpha {
    let held = Holding::of(tx, position);
    let value = |share| shares::value(held.total, held.shares, share);
    let holds = held.share.is_some_and(|share| value(share) >= alpha.0);
    if !holds {
        return Alpha::ZERO;
    }
    let by = i64::try_from(alpha.0).unwrap_or(i64::MAX);
    let actual = change_share(tx, position, held, -by);
    Alpha(u64::try_from(-actual).unwrap_or(0))
}

/// A holder's shares, and the pool they are of.
#[derive(Clone, Copy)]
struct Holding {
    total: u64,
    shares: u128,
    share: Option<u128>,
}

impl Holding {
    fn of(tx: &Tx<'_>, position: Position) -> Self {
        let Position { hotkey, coldkey, netuid } = position;
        let pool = tx.state().subnets.get(&netuid).and_then(|subnet| subnet.pools.get(&hotkey));
        let (total, shares) = pool.map_or((0, 0), |pool| (pool.alpha.0, pool.shares));
        let share = pool.and_then(|pool| pool.holders.get(&coldkey).copied());
        Self { total, shares, share }
    }
}

fn change_share(tx: &mut Tx<'_>, position: Position, held: Holding, by: i64) -> i64 {
    let Position { hotkey, coldkey, netuid } = position;
    let Holding { total, shares, share } = held;
    let changed = shares::change(total, shares, share.unwrap_or(0), by);
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
pub fn keep_claims_neutral(tx: &mut Tx<'_>, position: Position, by: i128) {
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
        if tx.state().subnet(*netuid).is_none() {
            continue;
        }
        let old = tx.state().claimed(&hotkey, &coldkey, *netuid).unwrap_or(0);
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

/// Gives a coldkey the next index among root stakers unless it has one (20 §10.5).
pub fn index_root_staker(tx: &mut Tx<'_>, coldkey: AccountId) {
    let state = tx.state();
    if state.coldkeys.get(&coldkey).and_then(|entry| entry.root_index).is_none() {
        let index = state.global.root_stakers;
        tx.emit(Event::RootStakerIndexed { coldkey, index });
    }
}
