//! What became of a difference: prices, emission shares, reserves and wealth of two runs at sampled blocks.
//!
//! What belongs here: the samples, taken in one pass over each log. What does not: where the runs part (`mod`).

use crate::accounting::{price, value};
use crate::plan::Plan;
use crate::run::totals::ratio;
use actors::registry::Role;
use protocol::state::State;
use protocol::units::{AccountId, Height, NetUid, Rao};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use storage::fold::{Folder, ReadError};
use storage::log::{EventLog, SledLog};

/// Blocks that are sampled at most, the last one not counted.
pub const SAMPLES_MAX: u64 = 12;
/// Subnets that are told, those whose emission share differs most.
pub const SUBNETS_MAX: usize = 10;

/// Evenly spaced blocks from the first to the last, both among them.
pub fn blocks(first: Height, last: Height) -> Vec<Height> {
    evenly(first, last, SAMPLES_MAX)
}

/// Evenly spaced blocks from the first to the last, both among them; so many at most, the first not counted.
pub fn evenly(first: Height, last: Height, points_max: u64) -> Vec<Height> {
    let span = last.0 - first.0;
    let points = points_max.min(span);
    let heights = (0..=points).map(|point| first.0 + span * point / points.max(1));
    heights.map(Height).collect()
}

/// What one run looks like after a block.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sample {
    subnets: BTreeMap<NetUid, SubnetPoint>,
    wealth: BTreeMap<&'static str, WealthPoint>,
}

/// A subnet after a block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct SubnetPoint {
    /// TAO per alpha.
    pub price: f64,
    /// Of the block's emission.
    pub emission_share: f64,
    /// TAO in the pool.
    pub tao_reserve_rao: Rao,
}

/// What the players of a role own after a block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct WealthPoint {
    /// Free TAO.
    pub free_rao: Rao,
    /// Stake at spot prices.
    pub stake_rao: Rao,
}

impl WealthPoint {
    /// Both together.
    pub const fn sum(&self) -> Rao {
        self.free_rao.plus(self.stake_rao)
    }
}

/// Both runs at a block.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Point<T> {
    /// After which block.
    pub block: Height,
    /// The first run; nothing where there is no such subnet.
    pub a: Option<T>,
    /// The second run.
    pub b: Option<T>,
}

/// One subnet over time.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SubnetConsequences {
    /// Which.
    pub netuid: NetUid,
    /// Its samples.
    pub points: Vec<Point<SubnetPoint>>,
}

/// One role over time. Who is nobody's player is `others`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WealthCourse {
    /// Which.
    pub role: &'static str,
    /// Its samples.
    pub points: Vec<Point<WealthPoint>>,
}

/// What became of a difference.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Consequences {
    /// The subnets whose emission share differs most, largest difference first.
    pub subnets: Vec<SubnetConsequences>,
    /// Wealth by role.
    pub wealth: Vec<WealthCourse>,
}

/// Follows a log from a state on and samples it at the given blocks, ascending, the first not before that state's.
///
/// # Errors
/// The log cannot be read or does not fold.
pub fn samples(
    log: &SledLog,
    plan: &Plan,
    mut folder: Folder,
    blocks: &[Height],
    mut watch: impl FnMut(Height),
) -> Result<Vec<Sample>, ReadError> {
    let roles = roles(plan);
    let last = blocks.last().copied().unwrap_or(log.tip());
    let mut samples = Vec::with_capacity(blocks.len());
    let at = folder.header().height;
    if blocks.first() == Some(&at) {
        samples.push(sample(folder.state(), &roles));
    }
    for frame in log.frames(Height(at.0 + 1), last) {
        folder.fold_stored(&frame?)?;
        let height = folder.header().height;
        if blocks.get(samples.len()) == Some(&height) {
            samples.push(sample(folder.state(), &roles));
        }
        watch(height);
    }
    Ok(samples)
}

/// The role of each player's coldkey.
fn roles(plan: &Plan) -> BTreeMap<AccountId, Role> {
    let seats = plan.players.iter();
    seats.map(|seat| (seat.identity.coldkey, seat.player.behaviour().role)).collect()
}

/// Who is nobody's player.
const OTHERS: &str = "others";

fn sample(state: &State, roles: &BTreeMap<AccountId, Role>) -> Sample {
    let mut owned = wealth(state, |account| roles.get(account).map_or(OTHERS, |role| role.name()));
    for name in Role::ALL.iter().map(|role| role.name()).chain([OTHERS]) {
        owned.entry(name).or_default();
    }
    Sample { subnets: subnets(state), wealth: owned }
}

/// What is owned by each class of coldkeys.
pub fn wealth<T: Ord>(state: &State, class: impl Fn(&AccountId) -> T) -> BTreeMap<T, WealthPoint> {
    let mut wealth: BTreeMap<T, WealthPoint> = BTreeMap::new();
    for (account, entry) in &state.accounts {
        let point = wealth.entry(class(account)).or_default();
        point.free_rao = point.free_rao.plus(entry.free);
    }
    for (netuid, subnet) in state.networks() {
        let spot = price(state, netuid);
        for pool in subnet.pools.values() {
            for coldkey in pool.holders.keys() {
                let worth = value(pool.value(coldkey), spot);
                let point = wealth.entry(class(coldkey)).or_default();
                point.stake_rao = point.stake_rao.plus(worth);
            }
        }
    }
    wealth
}

/// Every subnet but root.
pub fn subnets(state: &State) -> BTreeMap<NetUid, SubnetPoint> {
    let subnets = state.networks().filter(|(netuid, _)| !netuid.is_root());
    let points = subnets.map(|(netuid, subnet)| {
        let point = SubnetPoint {
            price: ratio(subnet.price(), 32),
            emission_share: ratio(subnet.fast.emission_share, 64),
            tao_reserve_rao: Rao(subnet.fast.pool.tao),
        };
        (netuid, point)
    });
    points.collect()
}

/// Puts the samples of two runs side by side.
pub fn consequences(blocks: &[Height], a: &[Sample], b: &[Sample]) -> Consequences {
    let rows: Vec<(Height, &Sample, &Sample)> =
        blocks.iter().zip(a).zip(b).map(|((block, a), b)| (*block, a, b)).collect();
    let netuids: BTreeSet<NetUid> =
        a.iter().chain(b).flat_map(|sample| sample.subnets.keys().copied()).collect();
    let mut subnets: Vec<SubnetConsequences> = netuids
        .into_iter()
        .map(|netuid| {
            let of = |sample: &Sample| sample.subnets.get(&netuid).copied();
            let points = rows.iter();
            let points = points.map(|(block, a, b)| Point { block: *block, a: of(a), b: of(b) });
            SubnetConsequences { netuid, points: points.collect() }
        })
        .collect();
    subnets
        .sort_by(|one, other| gap(other).total_cmp(&gap(one)).then(one.netuid.cmp(&other.netuid)));
    subnets.truncate(SUBNETS_MAX);
    let names: BTreeSet<&'static str> =
        a.iter().chain(b).flat_map(|sample| sample.wealth.keys().copied()).collect();
    let order = Role::ALL.iter().map(|role| role.name()).chain([OTHERS]);
    let wealth = order.filter(|role| names.contains(role)).map(|role| {
        let of = |sample: &Sample| sample.wealth.get(role).copied();
        let points = rows.iter();
        let points = points.map(|(block, a, b)| Point { block: *block, a: of(a), b: of(b) });
        WealthCourse { role, points: points.collect() }
    });
    Consequences { subnets, wealth: wealth.collect() }
}

/// The largest difference of a subnet's emission share, of all samples.
fn gap(course: &SubnetConsequences) -> f64 {
    let share = |point: Option<SubnetPoint>| point.map_or(0.0, |point| point.emission_share);
    let gaps = course.points.iter().map(|point| (share(point.a) - share(point.b)).abs());
    gaps.fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_evenly_spaced_and_end_at_the_last_block() {
        let heights = |first, last| -> Vec<u64> {
            blocks(Height(first), Height(last)).into_iter().map(|height| height.0).collect()
        };
        assert_eq!(heights(10, 10), [10]);
        assert_eq!(heights(10, 12), [10, 11, 12]);
        let many = heights(100, 400);
        assert_eq!((many.len(), many[0], many[1], many[12]), (13, 100, 125, 400));
    }

    #[test]
    fn the_subnet_whose_share_differs_most_comes_first() {
        let point = |emission_share| SubnetPoint { emission_share, ..SubnetPoint::default() };
        let sample = |shares: &[(u16, f64)]| Sample {
            subnets: shares.iter().map(|(id, share)| (NetUid(*id), point(*share))).collect(),
            wealth: BTreeMap::new(),
        };
        let a = [sample(&[(1, 0.5), (2, 0.3), (3, 0.2)])];
        let b = [sample(&[(1, 0.4), (2, 0.3), (4, 0.3)])];
        let course = consequences(&[Height(1)], &a, &b);
        let order: Vec<u16> = course.subnets.iter().map(|one| one.netuid.0).collect();
        assert_eq!(order, [4, 3, 1, 2]);
        assert_eq!(course.subnets[0].points[0].a, None);
    }
}
