//! Prices and choices of registration as functions of numbers: the subnet lock, burn and difficulty, who is pruned,
//! and the epoch calendar.
//!
//! Not here: who may register and what it writes.

use alloc::vec::Vec;

use crate::fixed::{I64F64, U110F18, add, fx, int, mul, safe_div, sub};
use crate::issuance::BLOCK_EMISSION_RAO;

/// What the lock cost of a new subnet depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lock {
    /// Price paid by the last registration, in rao.
    pub last_cost: u64,
    /// Block of the last registration; 0 if there was none.
    pub last_block: u64,
    /// Current block.
    pub block: u64,
    /// Blocks in which the price falls by its last value, before any halving.
    pub reduction_interval: u64,
    /// Lowest price, in rao.
    pub cost_min: u64,
    /// Block emission of TAO at the current issuance, in rao.
    pub block_emission: u64,
}

/// Blocks in which the lock cost falls by its last value: the interval shrinks as emission halves. Floored.
///
/// Mirrors: `get_lock_reduction_interval`.
pub fn effective_interval(reduction_interval: u64, block_emission: u64) -> u64 {
    let halved = safe_div::<I64F64>(fx(block_emission), fx(BLOCK_EMISSION_RAO));
    int(mul(fx(reduction_interval), halved))
}

/// Price of a new subnet in rao: twice the last price, falling linearly, never below the minimum. The fall per block is
/// floored, so the price stays a little high; with an interval of 0 it does not fall.
///
/// Mirrors: `get_network_lock_cost`.
pub fn lock_cost(lock: &Lock) -> u64 {
    let interval = effective_interval(lock.reduction_interval, lock.block_emission);
    let factor = if lock.last_block == 0 { 1 } else { 2 };
    let elapsed = lock.block.saturating_sub(lock.last_block);
    let fall = lock.last_cost.checked_div(interval).unwrap_or(0).saturating_mul(elapsed);
    lock.last_cost.saturating_mul(factor).saturating_sub(fall).max(lock.cost_min)
}

/// Registrations of an interval against its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Demand {
    /// Registrations in the interval.
    pub registrations: u16,
    /// Registrations wanted per interval.
    pub target: u16,
}

/// The bounds a price is kept in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Lowest value.
    pub min: u64,
    /// Highest value; wins over the lowest.
    pub max: u64,
}

/// A burn (rao) or difficulty after an adjustment interval: the old value times the mean of 1 and
/// registrations/target, smoothed by `alpha` of 2^64 - 1 in favour of the old value. Floored to 2^-18, then to whole.
///
/// Mirrors: `upgraded_burn` and `upgraded_difficulty`.
pub fn adjusted(current: u64, bounds: Bounds, alpha: u64, demand: Demand) -> u64 {
    let Demand { registrations, target } = demand;
    let ratio_of = |n: u16| fx::<U110F18>(n.saturating_add(target));
    let value: U110F18 = fx(current);
    let demanded = safe_div(mul(value, ratio_of(registrations)), ratio_of(target));
    let alpha: U110F18 = safe_div(fx(alpha), fx(u64::MAX));
    let next = add(mul(alpha, value), mul(sub(fx(1_u8), alpha), demanded));
    if next >= fx::<U110F18>(bounds.max) {
        bounds.max
    } else if next <= fx::<U110F18>(bounds.min) {
        bounds.min
    } else {
        int(next)
    }
}

/// What an adjustment interval changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Adjustment {
    /// The burn only.
    Burn,
    /// The difficulty only.
    Difficulty,
    /// Both, the burn first.
    Both,
}

/// Which price an interval adjusts: what was used is raised when demand was high, what was not used is lowered when
/// demand was low; equal use moves both.
///
/// Mirrors: `adjust_registration_terms_for_networks`.
pub fn adjustment(demand: Demand, by_work: u16, by_burn: u16) -> Adjustment {
    let high = demand.registrations > demand.target;
    match by_work.cmp(&by_burn) {
        core::cmp::Ordering::Equal => Adjustment::Both,
        core::cmp::Ordering::Greater if high => Adjustment::Difficulty,
        core::cmp::Ordering::Less if !high => Adjustment::Difficulty,
        _ => Adjustment::Burn,
    }
}

/// The neurons among which one makes room, indexed by uid.
#[derive(Clone, Copy, Debug)]
pub struct Neurons<'a> {
    /// Alpha of the last epoch by uid; a missing one counts as 0.
    pub emission: &'a [u64],
    /// Block of registration by uid; its length is the number of neurons.
    pub registered_at: &'a [u64],
    /// Uids that are never pruned, from [`immortal_uids`].
    pub immortal: &'a [u16],
    /// Current block.
    pub block: u64,
    /// Blocks after its registration in which a neuron is immune.
    pub immunity_period: u64,
    /// Non-immune neurons that are spared while others are left.
    pub non_immune_min: u16,
}

/// The uid that makes room for a new neuron: least emission, then oldest, then lowest uid. Immune neurons are spared
/// only while more than `non_immune_min` others are left; below that the non-immune ones are spared instead.
///
/// Mirrors: `get_neuron_to_prune`.
pub fn prune_neuron(neurons: &Neurons<'_>) -> Option<u16> {
    let mut immune = None;
    let mut exposed = None;
    let mut exposed_count: u16 = 0;
    for (uid, &registered_at) in (0..=u16::MAX).zip(neurons.registered_at) {
        if neurons.immortal.contains(&uid) {
            continue;
        }
        let emission = neurons.emission.get(usize::from(uid)).copied().unwrap_or(0);
        let rank = (emission, registered_at, uid);
        if neurons.block.saturating_sub(registered_at) < neurons.immunity_period {
            immune = immune.map_or(Some(rank), |best| Some(rank.min(best)));
        } else {
            exposed_count = exposed_count.saturating_add(1);
            exposed = exposed.map_or(Some(rank), |best| Some(rank.min(best)));
        }
    }
    let pruned = if exposed_count > neurons.non_immune_min { exposed } else { immune };
    pruned.map(|(_, _, uid)| uid)
}

/// The owner's uids that are never pruned: the oldest `limit` of `owned` (registration block, uid), with the owner
/// hotkey's uid always in front.
///
/// Mirrors: `get_immune_owner_tuples`.
pub fn immortal_uids(owned: &[(u64, u16)], owner_hotkey_uid: Option<u16>, limit: u16) -> Vec<u16> {
    let limit = usize::from(limit);
    let mut by_age = owned.to_vec();
    by_age.sort_unstable();
    let mut uids: Vec<u16> = by_age.iter().map(|&(_, uid)| uid).take(limit).collect();
    if let Some(uid) = owner_hotkey_uid.filter(|uid| !uids.contains(uid)) {
        uids.insert(0, uid);
        uids.truncate(limit);
    }
    uids
}

/// A subnet as the choice of the one to prune sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PruneSubnet {
    /// Its netuid; root is never pruned.
    pub netuid: u16,
    /// Block of its registration.
    pub registered_at: u64,
    /// Moving price, raw I96F32 or U96F32 (one on subnets with a fixed price); negative counts as 0.
    pub moving_price_raw: i128,
}

/// The netuid that makes room for a new subnet: among those past immunity the lowest moving price, then the oldest,
/// then the first in the order given.
///
/// Mirrors: `get_network_to_prune`.
pub fn prune_subnet(subnets: &[PruneSubnet], block: u64, immunity_period: u64) -> Option<u16> {
    let exposed = |s: &&PruneSubnet| {
        s.netuid != 0 && block >= s.registered_at.saturating_add(immunity_period)
    };
    let rank = |s: &&PruneSubnet| (s.moving_price_raw.max(0), s.registered_at);
    subnets.iter().filter(exposed).min_by_key(rank).map(|subnet| subnet.netuid)
}

/// Blocks from `block` to the subnet's next epoch, 0 if it runs in `block` itself; 2^64 - 1 when tempo is 0.
///
/// Mirrors: `blocks_until_next_epoch`.
pub fn blocks_until_epoch(netuid: u16, tempo: u16, block: u64) -> u64 {
    if tempo == 0 {
        return u64::MAX;
    }
    let shifted = block.wrapping_add(u64::from(netuid) + 1);
    u64::from(tempo) - shifted % (u64::from(tempo) + 1)
}

/// Number of the epoch that `block` belongs to, at the current tempo.
///
/// Mirrors: `get_epoch_index`.
pub fn epoch_index(netuid: u16, tempo: u16, block: u64) -> u64 {
    block.saturating_add(u64::from(netuid) + 1) / (u64::from(tempo) + 1)
}

/// First block of an epoch, at the current tempo; 0 where that lies before genesis.
///
/// Mirrors: `get_first_block_of_epoch`.
pub fn first_block_of_epoch(netuid: u16, tempo: u16, epoch: u64) -> u64 {
    epoch.saturating_mul(u64::from(tempo) + 1).saturating_sub(u64::from(netuid) + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lock_costs_of_the_spec() {
        let rows = [
            (0, 2_500_000_000_000),
            (1, 2_499_956_597_223),
            (14_400, 1_875_000_011_200),
            (28_800, 1_250_000_022_400),
            (57_600, 1_000_000_000_000),
        ];
        for (elapsed, cost) in rows {
            let lock = Lock {
                last_cost: 1_250_000_000_000,
                last_block: 1000,
                block: 1000 + elapsed,
                reduction_interval: 57_600,
                cost_min: 1_000_000_000_000,
                block_emission: 500_000_000,
            };
            assert_eq!(lock_cost(&lock), cost, "after {elapsed}");
            assert_eq!(
                lock_cost(&Lock { block: 0, ..lock }),
                2_500_000_000_000,
                "last block ahead"
            );
            assert_eq!(
                lock_cost(&Lock { block_emission: 0, ..lock }),
                2_500_000_000_000,
                "no emission"
            );
        }
        assert_eq!(effective_interval(57_600, 500_000_000), 28_800);
    }

    const BURN: Bounds = Bounds { min: 500_000, max: 100_000_000_000 };
    const ALPHA: u64 = 17_893_341_751_498_265_066;

    fn after(intervals: u32, registrations: u16) -> u64 {
        let demand = Demand { registrations, target: 1 };
        (0..intervals).fold(100_000_000, |burn, _| adjusted(burn, BURN, ALPHA, demand))
    }

    #[test]
    fn burns_of_the_spec() {
        let rows = [
            ((1, 0), 98_499_870),
            ((1, 2), 101_500_129),
            ((1, 3), 103_000_259),
            ((20, 0), 73_911_687),
            ((20, 3), 180_620_209),
            ((5000, 0), 500_000),
            ((5000, 3), 100_000_000_000),
        ];
        for ((intervals, registrations), burn) in rows {
            assert_eq!(after(intervals, registrations), burn, "{intervals} times {registrations}");
        }
    }

    #[test]
    fn what_is_adjusted() {
        use Adjustment::{Both, Burn, Difficulty};
        let rows = [
            ((3, 2, 1), Difficulty),
            ((3, 1, 2), Burn),
            ((4, 2, 2), Both),
            ((1, 1, 0), Burn),
            ((1, 0, 1), Difficulty),
            ((0, 0, 0), Both),
        ];
        for ((registrations, by_work, by_burn), expected) in rows {
            let demand = Demand { registrations, target: 1 };
            assert_eq!(
                adjustment(demand, by_work, by_burn),
                expected,
                "{registrations} {by_work} {by_burn}"
            );
        }
    }

    #[test]
    fn epochs_of_the_spec() {
        let rows = [
            ((1, 10, 5), 3),
            ((2, 20, 15), 2),
            ((3, 30, 25), 1),
            ((1, 10, 9), 10),
            ((2, 20, 21), 17),
            ((1, 0, 100), u64::MAX),
            ((65535, 65535, u64::MAX), 0),
            ((65535, 65535, 0), 65535),
            ((65535, 65535, u64::MAX - 1), 1),
            ((0, 100, 99), 0),
            ((1, 100, 98), 0),
            ((7, 360, 352), 0),
            ((7, 360, 713), 0),
            ((7, 360, 714), 360),
        ];
        for ((netuid, tempo, block), blocks) in rows {
            assert_eq!(
                blocks_until_epoch(netuid, tempo, block),
                blocks,
                "{netuid} {tempo} {block}"
            );
        }
        let indexes = [(352, 0), (353, 1), (713, 1), (714, 2), (1074, 2)];
        for (block, index) in indexes {
            assert_eq!(epoch_index(7, 360, block), index, "{block}");
        }
        assert_eq!(epoch_index(7, 0, 10), 18);
        assert_eq!((first_block_of_epoch(7, 360, 2), first_block_of_epoch(7, 360, 0)), (714, 0));
    }

    #[test]
    fn immortal_are_the_oldest_and_the_owner() {
        let owned = [(30, 3), (10, 9), (10, 4)];
        let rows = [
            ((None, 1), &[4][..]),
            ((None, 2), &[4, 9]),
            ((Some(3), 2), &[3, 4]),
            ((Some(9), 2), &[4, 9]),
            ((Some(3), 1), &[3]),
        ];
        for ((owner, limit), expected) in rows {
            assert_eq!(immortal_uids(&owned, owner, limit), expected, "{owner:?} {limit}");
        }
    }

    #[test]
    fn immune_neurons_go_first_when_few_others_are_left() {
        let base = Neurons {
            emission: &[5, 0, 0, 9],
            registered_at: &[1, 2, 95, 96],
            immortal: &[],
            block: 100,
            immunity_period: 10,
            non_immune_min: 1,
        };
        let rows = [
            (base, Some(1)),
            (Neurons { non_immune_min: 2, ..base }, Some(2)),
            (Neurons { immortal: &[1], non_immune_min: 0, ..base }, Some(0)),
            (Neurons { immortal: &[0, 1, 2, 3], ..base }, None),
            (Neurons { immunity_period: 0, non_immune_min: 4, ..base }, None),
            (Neurons { emission: &[], immunity_period: 0, ..base }, Some(0)),
        ];
        for (neurons, expected) in rows {
            assert_eq!(prune_neuron(&neurons), expected, "{neurons:?}");
        }
    }

    #[test]
    fn cheapest_then_oldest_subnet_goes() {
        let subnet = |netuid, registered_at, moving_price_raw| PruneSubnet {
            netuid,
            registered_at,
            moving_price_raw,
        };
        let root = subnet(0, 0, 0);
        let rows = [
            (&[root][..], None),
            (&[root, subnet(1, 60, 0)], None),
            (&[subnet(1, 10, 7), subnet(2, 20, 3)], Some(2)),
            (&[subnet(1, 20, 3), subnet(2, 10, 3)], Some(2)),
            (&[subnet(1, 10, 3), subnet(2, 10, 3)], Some(1)),
            (&[subnet(1, 10, 3), subnet(2, 51, 0)], Some(1)),
            (&[subnet(1, 10, 3), subnet(2, 50, 0)], Some(2)),
        ];
        for (subnets, expected) in rows {
            assert_eq!(prune_subnet(subnets, 100, 50), expected, "{subnets:?}");
        }
    }
}
