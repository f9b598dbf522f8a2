//! Dissolving a subnet: settlement with alpha holders, then erasure (20 §18.3, 30 §5).

use crate::balances::{credit, leak, lose, require};
use crate::event::{Cause, Event, SubnetDissolved};
use crate::fixed::{U96F32, fx, int, mul, u16_fraction};
use crate::index::storage_order;
use crate::rejection::Rejection;
use crate::state::{Leak, State, Subnet};
use crate::tx::Tx;
use crate::units::{AccountId, Alpha, NetUid, Rao};
use alloc::boxed::Box;
use alloc::vec::Vec;

/// `root_dissolve_network`.
///
/// # Errors
/// `SubnetNotExists`, also for root.
pub fn root_dissolve_network(tx: &mut Tx<'_>, netuid: NetUid) -> Result<(), Rejection> {
    let exists = !netuid.is_root() && tx.state().subnet(netuid).is_some();
    require(exists, Rejection::SubnetNotExists)?;
    dissolve(tx, netuid, Cause::Root);
    Ok(())
}

/// Settles and erases a subnet that exists. Its pot goes to alpha holders' free balances, pro rata;
/// what nobody can receive is a leak. Unclaimed root alpha and pending emission are forfeited.
pub fn dissolve(tx: &mut Tx<'_>, netuid: NetUid, cause: Cause) {
    let Some(subnet) = tx.state().subnet(netuid) else {
        return;
    };
    let pot = subnet.fast.pool.tao;
    let owner = subnet.info.owner;
    let payouts = dissolve_payouts(subnet, pot);
    let refund = dissolve_refund(tx.state(), subnet);
    let paid: i128 = payouts.iter().map(|payout| i128::from(payout.tao.0)).sum();
    let counted = tx.state().global.total_stake;
    let fast = &subnet.fast;
    let pots = [fast.pending_server, fast.pending_validator, fast.pending_root, fast.pending_owner];
    tx.emit(Event::SubnetDissolved(Box::new(SubnetDissolved {
        netuid,
        cause,
        pot: Rao(pot),
        refund: if owner.is_some() { refund } else { Rao::ZERO },
        forfeited_claims: fast.claimable_root_alpha,
        forfeited_pots: Alpha(pots.iter().map(|pot| pot.0).sum()),
        hotkeys: payouts.iter().map(|payout| payout.hotkey).collect(),
        coldkeys: payouts.iter().map(|payout| payout.coldkey).collect(),
        alpha: payouts.iter().map(|payout| payout.alpha).collect(),
        tao: payouts.iter().map(|payout| payout.tao).collect(),
    })));
    // The chain's counter stops at zero; unbacked root stake that was sold can have taken it there.
    leak(tx, Leak::StakeExcess, i128::from(Rao(pot).minus(counted).0));
    for payout in payouts {
        credit(tx, payout.coldkey, payout.tao);
    }
    let refunded = match owner {
        Some(owner) => {
            credit(tx, owner, refund);
            refund
        }
        None => Rao::ZERO,
    };
    dissolve_rest(tx, i128::from(pot) - paid - i128::from(refunded.0));
}

/// What is left of the pot, or what a refund paid beyond it: the reference neither recycles the one
/// nor issues the other. In `sound` mode the rest is recycled; a refund beyond the pot is issued in
/// both, since only a subnet older than the registration start has one.
fn dissolve_rest(tx: &mut Tx<'_>, rest: i128) {
    match u64::try_from(rest) {
        Ok(rest) => lose(tx, Leak::Dissolution, Rao(rest)),
        Err(_) => leak(tx, Leak::Dissolution, rest),
    }
}

/// A holder's part of the pot.
struct Payout {
    hotkey: AccountId,
    coldkey: AccountId,
    alpha: Alpha,
    tao: Rao,
}

/// Each holder's part of the pot: rounded down, what is left goes one rao each by descending
/// remainder, first come first on ties. Empty without a pot.
fn dissolve_payouts(subnet: &Subnet, pot: u64) -> Vec<Payout> {
    let mut hotkeys: Vec<&AccountId> = subnet
        .pools
        .iter()
        .filter(|(_, pool)| pool.alpha.0 != 0)
        .map(|(hotkey, _)| hotkey)
        .collect();
    hotkeys.sort_by_key(|hotkey| storage_order(hotkey));
    let mut holders = Vec::new();
    for hotkey in hotkeys {
        let pool = &subnet.pools[hotkey];
        let mut coldkeys: Vec<&AccountId> = pool.holders.keys().collect();
        coldkeys.sort_by_key(|coldkey| storage_order(coldkey));
        for coldkey in coldkeys {
            let mut value = pool.value(coldkey).0;
            if value == 0 {
                value = u64::try_from(pool.holders[coldkey] >> 64).unwrap_or(u64::MAX);
            }
            if value > 0 {
                holders.push((*hotkey, *coldkey, value));
            }
        }
    }
    let all: u128 = holders.iter().map(|(_, _, value)| u128::from(*value)).sum();
    if pot == 0 || all == 0 {
        return Vec::new();
    }
    let mut parts = Vec::with_capacity(holders.len());
    let mut remainders = Vec::with_capacity(holders.len());
    for (index, (hotkey, coldkey, value)) in holders.into_iter().enumerate() {
        let product = u128::from(pot) * u128::from(value);
        let part = u64::try_from(product / all).unwrap_or(u64::MAX);
        parts.push(Payout { hotkey, coldkey, alpha: Alpha(value), tao: Rao(part) });
        remainders.push((core::cmp::Reverse(product % all), index));
    }
    let given: u64 = parts.iter().map(|part| part.tao.0).sum();
    remainders.sort_unstable();
    let left = usize::try_from(pot.saturating_sub(given)).unwrap_or(usize::MAX);
    for (_, index) in remainders.into_iter().take(left) {
        parts[index].tao = parts[index].tao.plus(Rao(1));
    }
    parts
}

/// What the owner of a subnet older than the registration start gets back of its lock.
fn dissolve_refund(state: &State, subnet: &Subnet) -> Rao {
    if subnet.info.registered_at >= state.global.network_registration_start {
        return Rao::ZERO;
    }
    let cut: U96F32 = u16_fraction(state.global.subnet_owner_cut);
    let earned = int(mul(fx::<U96F32>(subnet.fast.alpha_issuance()), cut));
    let worth = int(mul(fx::<U96F32>(earned), U96F32::from_bits(subnet.price())));
    subnet.info.locked.minus(Rao(worth))
}
