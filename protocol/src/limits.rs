//! How much of an order a limit price allows (20 §14.1). Reads only.
//!
//! A subnet that does not exist counts as stable here, as on the chain, because these bounds are
//! worked out before anything is checked.

use crate::fixed::{U64F64, U96F32, add, cast, checked_div, fx, int, mul, safe_div, sub};
use crate::pool::Fees;
use crate::rejection::Rejection;
use crate::state::{State, Subnet};
use crate::units::{NetUid, UNITS_PER_TOKEN};

fn dynamic(state: &State, netuid: NetUid) -> Option<&Subnet> {
    state.subnet(netuid).filter(|subnet| subnet.params.mechanism == 1)
}

fn some_amount(amount: u64) -> Result<u64, Rejection> {
    if amount == 0 { Err(Rejection::ZeroMaxStakeAmount) } else { Ok(amount) }
}

fn unbounded_if(favourable: bool) -> Result<u64, Rejection> {
    if favourable { Ok(u64::MAX) } else { Err(Rejection::ZeroMaxStakeAmount) }
}

/// The most rao, fee included, that a buy can spend while the price stays below `limit` (rao per whole
/// alpha).
///
/// Mirrors: `get_max_amount_add`.
///
/// # Errors
/// `ZeroMaxStakeAmount`; those of the swap, such as `PriceLimitExceeded`.
pub fn max_add(state: &State, netuid: NetUid, limit: u64) -> Result<u64, Rejection> {
    let Some(subnet) = dynamic(state, netuid) else {
        return unbounded_if(limit >= UNITS_PER_TOKEN);
    };
    let swap = subnet.fast.pool.simulate_buy(u64::MAX, limit, Fees::Charged)?;
    some_amount(swap.paid_in.saturating_add(swap.fee))
}

/// The most alpha, fee included, that a sale can sell while the price stays above `limit` (rao per
/// whole alpha).
///
/// Mirrors: `get_max_amount_remove`.
///
/// # Errors
/// As [`max_add`].
pub fn max_remove(state: &State, netuid: NetUid, limit: u64) -> Result<u64, Rejection> {
    let Some(subnet) = dynamic(state, netuid) else {
        return unbounded_if(limit <= UNITS_PER_TOKEN);
    };
    let swap = subnet.fast.pool.simulate_sell(u64::MAX, limit, Fees::Charged)?;
    some_amount(swap.paid_in.saturating_add(swap.fee))
}

/// The most alpha that can move from `origin` to `destination` while the price of the first, in units
/// of the second, stays above `limit` (of 10⁹). Between two pools it comes from the reserves, without
/// fees, floored.
///
/// Mirrors: `get_max_amount_move`.
///
/// # Errors
/// As [`max_add`].
pub fn max_move(
    state: &State,
    origin: NetUid,
    destination: NetUid,
    limit: u64,
) -> Result<u64, Rejection> {
    match (dynamic(state, origin), dynamic(state, destination)) {
        (None, None) => unbounded_if(limit <= UNITS_PER_TOKEN),
        (None, Some(_)) if limit == 0 => Ok(u64::MAX),
        (None, Some(_)) => {
            let token: U64F64 = fx(UNITS_PER_TOKEN);
            let limit = int(mul(safe_div(token, fx(limit)), token));
            max_add(state, destination, limit)
        }
        (Some(_), None) => max_remove(state, origin, limit),
        (Some(origin), Some(destination)) => max_move_between(origin, destination, limit),
    }
}

fn max_move_between(origin: &Subnet, destination: &Subnet, limit: u64) -> Result<u64, Rejection> {
    let (from, to) = (&origin.fast.pool, &destination.fast.pool);
    if [from.tao, from.alpha, to.tao, to.alpha].contains(&0) {
        return Err(Rejection::ZeroMaxStakeAmount);
    }
    let zero: U64F64 = fx(0_u8);
    let ratio = checked_div(fx::<U64F64>(limit), fx(UNITS_PER_TOKEN)).unwrap_or(zero);
    let price: U96F32 =
        safe_div(U96F32::from_bits(origin.price()), U96F32::from_bits(destination.price()));
    if ratio > cast::<U64F64>(price) {
        return Err(Rejection::ZeroMaxStakeAmount);
    }
    if limit == 0 {
        return Ok(u64::MAX);
    }
    let (tao_from, tao_to): (U64F64, U64F64) = (fx(from.tao), fx(to.tao));
    let all = add(tao_from, tao_to);
    let (part_from, part_to) = (safe_div(tao_from, all), safe_div(tao_to, all));
    let reach = safe_div(mul(fx(to.alpha), part_from), ratio);
    some_amount(int(sub(reach, mul(fx(from.alpha), part_to))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::{FEE_RATE_DEFAULT, Params};

    fn state(pools: &[(u64, u64)]) -> State {
        let mut state = State::default();
        let root = Subnet { added: true, params: Params::root(), ..Subnet::default() };
        state.subnets.insert(NetUid::ROOT, root);
        for (netuid, (tao, alpha)) in (1u16..).zip(pools) {
            let mut subnet = Subnet { added: true, ..Subnet::default() };
            (subnet.fast.pool.tao, subnet.fast.pool.alpha) = (*tao, *alpha);
            subnet.fast.pool.fee_rate = FEE_RATE_DEFAULT;
            state.subnets.insert(NetUid(netuid), subnet);
        }
        state
    }

    const TAO: u64 = UNITS_PER_TOKEN;
    const EXCEEDED: Result<u64, Rejection> = Err(Rejection::PriceLimitExceeded);
    const ZERO: Result<u64, Rejection> = Err(Rejection::ZeroMaxStakeAmount);

    #[test]
    fn buys_of_the_spec() {
        let rows = [
            ((TAO, TAO), 0, EXCEEDED),
            ((1_000_000, 1_000_000), 4 * TAO, Ok(1_000_503)),
            ((1_000_000, 1_000_000), 16 * TAO, Ok(3_001_511)),
            ((1_000 * TAO, 1_000 * TAO), 16 * TAO, Ok(3_001_511_404_231)),
            ((150 * TAO, 100 * TAO), 1_499_999_999, EXCEEDED),
            ((150 * TAO, 100 * TAO), 1_500_000_000, Ok(5)),
            ((150 * TAO, 100 * TAO), 1_500_000_001, Ok(51)),
            ((150 * TAO, 100 * TAO), 6 * TAO, Ok(150_075_570_210)),
            ((150 * TAO, 100 * TAO), 24 * TAO, Ok(450_226_710_632)),
        ];
        for (pool, limit, expected) in rows {
            assert_eq!(max_add(&state(&[pool]), NetUid(1), limit), expected, "{pool:?} at {limit}");
        }
        for netuid in [NetUid::ROOT, NetUid(9)] {
            assert_eq!(max_add(&state(&[]), netuid, TAO), Ok(u64::MAX));
            assert_eq!(max_add(&state(&[]), netuid, TAO - 1), ZERO);
        }
    }

    #[test]
    fn sales_of_the_spec() {
        let rows = [
            ((1_000_000, 1_000_000), TAO / 4, Ok(1_000_502)),
            ((1_000_000, 1_000_000), TAO / 16, Ok(3_001_511)),
            ((200 * TAO, 100 * TAO), TAO / 2, Ok(100_050_380_139)),
            ((200 * TAO, 100 * TAO), 1_999_999_990, Ok(252)),
            ((200 * TAO, 100 * TAO), 0, Ok(u64::MAX)),
            ((200 * TAO, 100 * TAO), 2 * TAO, EXCEEDED),
        ];
        for (pool, limit, expected) in rows {
            let found = max_remove(&state(&[pool]), NetUid(1), limit);
            assert_eq!(found, expected, "{pool:?} at {limit}");
        }
        assert_eq!(max_remove(&state(&[]), NetUid::ROOT, TAO), Ok(u64::MAX));
        assert_eq!(max_remove(&state(&[]), NetUid::ROOT, TAO + 1), ZERO);
    }

    #[test]
    fn moves_of_the_spec() {
        let (tao, tenth) = (TAO, TAO / 10);
        let wide = [(150 * tao, 100 * tao), (100 * tao, 100 * tao)];
        let rows = [
            (wide, tenth, Ok(560)),
            (wide, 5 * tenth, Ok(80)),
            (wide, 75 * tenth / 10, Ok(40)),
            (wide, tao, Ok(20)),
            (wide, 125 * tenth / 10, Ok(8)),
            (wide, 15 * tenth, ZERO),
            ([(100 * tao, 200 * tao), (300 * tao, 400 * tao)], 5 * tenth, Ok(50)),
        ];
        for (pools, limit, expected) in rows {
            // The spec's numbers are whole alpha; the products floor to a few units below.
            let found = max_move(&state(&pools), NetUid(1), NetUid(2), limit);
            let whole = found.map(|amount| (amount + 1_000) / TAO);
            assert_eq!(whole, expected, "{pools:?} at {limit}: {found:?}");
        }
        let tiny = state(&[(1, 1), (1, 1)]);
        let rows = [(1, 500_000_000), (2, 250_000_000), (3, 166_666_666), (4, 125_000_000)];
        for (limit, expected) in rows {
            // The reference's own test allows for the floors.
            let found = max_move(&tiny, NetUid(1), NetUid(2), limit).expect("within the price");
            assert!(found.abs_diff(expected) <= 1, "{limit}: {found}");
        }
        assert_eq!(max_move(&tiny, NetUid(1), NetUid(2), 0), Ok(u64::MAX));
        let empty = state(&[(0, 1), (1, 1)]);
        assert_eq!(max_move(&empty, NetUid(1), NetUid(2), 1), ZERO);
    }

    #[test]
    fn moves_between_root_and_a_pool() {
        let state = state(&[(150 * TAO, 100 * TAO)]);
        let (root, pool) = (NetUid::ROOT, NetUid(1));
        assert_eq!(max_move(&state, root, pool, 0), Ok(u64::MAX));
        // A ratio of ¼ is a price limit of 4.
        assert_eq!(max_move(&state, root, pool, TAO / 4), max_add(&state, pool, 4 * TAO));
        assert_eq!(max_move(&state, root, pool, TAO), EXCEEDED);
        assert_eq!(max_move(&state, pool, root, TAO), max_remove(&state, pool, TAO));
        assert_eq!(max_move(&state, root, root, TAO), Ok(u64::MAX));
        assert_eq!(max_move(&state, root, root, TAO + 1), ZERO);
    }
}
