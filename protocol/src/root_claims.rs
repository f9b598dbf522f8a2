//! Root dividends: what is owed, claims by order and by themselves, the search for root stakers
//! (20 §10).
//!
//! What belongs here: who is paid what is claimable. What does not: how dividends become claimable
//! (`epoch`), how claims stay neutral when root stake changes (`ledger`).

use crate::balances::{leak, require};
use crate::event::{Event, PoolSwapped};
use crate::fixed::{I96F32, fx, int, mul, sub};
use crate::index::Entry;
use crate::ledger::{
    Position, Terms, increase_stake, index_root_staker, keep_claims_neutral, sell,
};
use crate::pool::{Fees, MIN_PRICE};
use crate::rejection::Rejection;
use crate::rules::Mode;
use crate::state::{Leak, RootClaimType, State};
use crate::tx::Tx;
use crate::units::{AccountId, Alpha, Hash32, NetUid, Rao};
use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;

/// Subnets that one order may claim on.
pub const CLAIM_SUBNETS_MAX: usize = 5;
/// Share entries that the search for root stakers visits in a block.
const SEARCH_BATCH: usize = 30;

/// What a coldkey may claim of a hotkey's root dividends on a subnet, I96F32 bits; rounding can leave
/// it below zero.
pub fn owed(state: &State, position: Position) -> i128 {
    let Position { hotkey, coldkey, netuid } = position;
    let Some(rate) = state.hotkeys.get(&hotkey).and_then(|entry| entry.claim_rate(netuid)) else {
        return 0;
    };
    let stake = state.stake(&hotkey, &coldkey, NetUid::ROOT).0;
    let claimed = state.claimed(&hotkey, &coldkey, netuid);
    let claimable: I96F32 = mul(I96F32::from_bits(rate), fx(stake));
    sub(claimable, fx(claimed.unwrap_or(0))).to_bits()
}

/// `claim_root` (20 §10.4).
///
/// # Errors
/// `InvalidSubnetNumber` unless one to five subnets are named.
pub fn claim_root(
    tx: &mut Tx<'_>,
    coldkey: AccountId,
    subnets: &BTreeSet<NetUid>,
) -> Result<(), Rejection> {
    let named = (1..=CLAIM_SUBNETS_MAX).contains(&subnets.len());
    require(named, Rejection::InvalidSubnetNumber)?;

    index_root_staker(tx, coldkey);
    claim(tx, coldkey, |netuid| subnets.contains(&netuid));
    tx.emit(Event::RootClaimed { coldkey });
    Ok(())
}

/// `set_root_claim_type` (20 §10.3).
///
/// # Errors
/// `InvalidSubnetNumber` when an empty set of subnets is to be kept.
pub fn set_root_claim_type(
    tx: &mut Tx<'_>,
    coldkey: AccountId,
    root_claim_type: &RootClaimType,
) -> Result<(), Rejection> {
    let empty = matches!(root_claim_type, RootClaimType::KeepSubnets(kept) if kept.is_empty());
    require(!empty, Rejection::InvalidSubnetNumber)?;

    index_root_staker(tx, coldkey);
    let root_claim_type = root_claim_type.clone();
    tx.emit(Event::RootClaimTypeSet { coldkey, root_claim_type });
    Ok(())
}

/// Claims what a coldkey is owed behind each hotkey it may hold stake on, on the wanted subnets.
fn claim(tx: &mut Tx<'_>, coldkey: AccountId, wanted: impl Fn(NetUid) -> bool) {
    let state = tx.state();
    let Some(lists) = state.coldkeys.get(&coldkey) else { return };
    let mut positions = Vec::new();
    for hotkey in &lists.staking {
        let rates = state.hotkeys.get(hotkey).and_then(|entry| entry.root_claimable.as_ref());
        let netuids = rates.into_iter().flat_map(|rates| rates.keys().copied());
        let of = |netuid| Position { hotkey: *hotkey, coldkey, netuid };
        positions.extend(netuids.filter(|netuid| wanted(*netuid)).map(of));
    }
    for position in positions {
        claim_on(tx, position);
    }
}

/// Claims on one subnet: below the threshold, or where the sale fails, nothing happens.
fn claim_on(tx: &mut Tx<'_>, position: Position) {
    let Position { hotkey, coldkey, netuid } = position;
    let state = tx.state();
    let Some(subnet) = state.subnets.get(&netuid) else { return };
    let owed = owed(state, position);
    if owed < subnet.params.root_claimable_threshold {
        return;
    }
    let alpha = Alpha(int(I96F32::from_bits(owed)));
    if alpha == Alpha::ZERO {
        return;
    }
    let swaps = state.coldkeys.get(&coldkey).is_none_or(|own| own.root_claim_type.swaps(netuid));
    let tao = if swaps {
        let terms = Terms { limit: MIN_PRICE, fees: Fees::Dropped };
        let Ok(swap) = sell(tx, netuid, alpha, terms) else { return };
        let tao = Rao(swap.paid_out);
        stake_proceeds(tx, position, tao);
        Some(tao)
    } else {
        increase_stake(tx, position, alpha);
        None
    };
    tx.emit(Event::RootDividendsClaimed { coldkey, hotkey, netuid, alpha, tao });
}

/// Stakes the proceeds of a claim on root. The reference does not back them with TAO of root (quirk
/// Q3); `sound` mode does.
fn stake_proceeds(tx: &mut Tx<'_>, position: Position, tao: Rao) {
    let root = Position { netuid: NetUid::ROOT, ..position };
    increase_stake(tx, root, Alpha(tao.0));
    keep_claims_neutral(tx, root, i128::from(tao.0));
    if tx.state().rules.mode == Mode::Reference {
        leak(tx, Leak::RootClaims, i128::from(tao.0));
        return;
    }
    let Some(pool) = tx.state().subnet(NetUid::ROOT).map(|root| root.fast.pool) else { return };
    let backed = i64::try_from(tao.0).expect("supplies are far below 2⁶³ rao");
    tx.emit(Event::PoolSwapped(Box::new(PoolSwapped {
        netuid: NetUid::ROOT,
        tao: backed,
        alpha_in: 0,
        alpha_out: backed,
        total_stake: backed,
        volume: 0,
        initialized: pool.initialized,
        sqrt_price: pool.sqrt_price,
        liquidity: pool.liquidity,
        position_liquidity: pool.position_liquidity,
        net_liquidity: pool.net_liquidity,
    })));
}

/// The block's automatic claims: coldkeys chosen by the block's entropy (20 §10.4).
pub fn claim_automatically(tx: &mut Tx<'_>) {
    let global = &tx.state().global;
    let (count, stakers) = (global.root_claims_per_block, global.root_stakers);
    let chosen = chosen(&tx.entropy(), count, stakers);
    let coldkeys: Vec<AccountId> =
        chosen.into_iter().filter_map(|index| tx.root_staker(index)).collect();
    for coldkey in &coldkeys {
        claim(tx, *coldkey, |_| true);
    }
    if !coldkeys.is_empty() {
        tx.emit(Event::RootClaimsVisited { coldkeys });
    }
}

/// The indices that `count` draws of a block's entropy choose of `stakers`.
///
/// Mirrors: `block_hash_to_indices`.
pub fn chosen(entropy: &Hash32, count: u64, stakers: u64) -> BTreeSet<u64> {
    let word = |at: usize| {
        let bytes = entropy.0[at..].first_chunk().expect("words start at 0, 8, 16 or 24 of 32");
        u64::from_be_bytes(*bytes)
    };
    let mut last = word(0);
    let mut chosen = BTreeSet::new();
    for number in 0..count {
        let at = usize::try_from(number % 4).expect("below four") * 8;
        last = last.saturating_add(word(at)).checked_rem(stakers).unwrap_or(0);
        chosen.insert(last);
    }
    chosen
}

/// Looks at the next share entries in storage order and indexes the coldkeys that stake on root; a
/// batch that is not full ends the pass (20 §10.5).
pub fn search_stakers(tx: &mut Tx<'_>) {
    let before = tx.state().global.root_walk;
    let batch = tx.holders_after(before, SEARCH_BATCH);
    let last = if batch.len() == SEARCH_BATCH { batch.last().copied() } else { None };
    let indexed = search_stakers_found(tx.state(), &batch);
    if last != before || !indexed.is_empty() {
        tx.emit(Event::RootStakersSearched { last, indexed });
    }
}

fn search_stakers_found(state: &State, batch: &[Entry]) -> Vec<AccountId> {
    let mut found: Vec<AccountId> = Vec::new();
    for (_, coldkey, netuid) in batch {
        let known = || state.coldkeys.get(coldkey).is_some_and(|own| own.root_index.is_some());
        if netuid.is_root() && !found.contains(coldkey) && !known() {
            found.push(*coldkey);
        }
    }
    found
}

/// What a coldkey's position on root could claim now, by subnet, floored; zero amounts left out.
pub fn claimable(state: &State, coldkey: AccountId, hotkey: AccountId) -> Vec<(NetUid, Alpha)> {
    let rates = state.hotkeys.get(&hotkey).and_then(|entry| entry.root_claimable.as_ref());
    let netuids = rates.into_iter().flat_map(|rates| rates.keys().copied());
    let amounts = netuids.map(|netuid| {
        let owed = owed(state, Position { hotkey, coldkey, netuid });
        (netuid, Alpha(int(I96F32::from_bits(owed))))
    });
    amounts.filter(|(_, amount)| *amount != Alpha::ZERO).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entropy(text: &str) -> Hash32 {
        text.parse().expect("32 bytes in hex")
    }

    #[test]
    fn draws_of_the_spec() {
        // The digests are keccak256("some") and keccak256("some2"), as the reference's test has them.
        let some = entropy("4e7e8301f5d206748d1c4f822e3564ddb1124f86591a839f58dfc2f007983b61");
        let expected = [
            265, 630, 1286, 1558, 4496, 4861, 5517, 5789, 6803, 8096, 9092, 11034, 11399, 12055,
            12327,
        ];
        assert_eq!(chosen(&some, 15, 15_000), BTreeSet::from(expected));
        let some2 = entropy("c357a61b4f8af02f92c4f354b4839925d8c5a18c9c017f80efab7efcb363aed7");
        let expected = [
            61, 246, 1440, 2855, 3521, 5236, 6130, 6615, 8511, 9405, 9890, 11786, 11971, 13165,
            14580,
        ];
        assert_eq!(chosen(&some2, 15, 15_000), BTreeSet::from(expected));
        assert_eq!(chosen(&some, 0, 15_000), BTreeSet::new());
        // Without stakers index 0 is drawn, and nobody has it.
        assert_eq!(chosen(&some, 5, 0), BTreeSet::from([0]));
    }
}
