//! What coldkeys do to pools: `flow-recycler`, `sandwicher`, `dump-whale`, `dereg-sniper`, `treasurer`.

use super::scene::median;
use super::signals::{Signals, Subject};
use super::{DEREG_SNIPER, DUMP_WHALE, FLOW_RECYCLER, SANDWICHER, TREASURER};
use protocol::call::{Call, Origin};
use protocol::event::{Cause, Event};
use protocol::frame::Frame;
use protocol::rejection::Outcome;
use protocol::state::State;
use protocol::units::{AccountId, BLOCKS_PER_DAY, Height, NetUid};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Blocks over which round trips are counted.
const TRIPS_BLOCKS: u64 = 14 * BLOCKS_PER_DAY;
/// Blocks over which sandwiches are counted, and for which a dump or a prune stays in sight.
const DEEDS_BLOCKS: u64 = BLOCKS_PER_DAY;
/// Blocks over which an owner's purchases are summed.
const PUMP_BLOCKS: u64 = 7 * BLOCKS_PER_DAY;
/// Orders that a pump has at least.
const PUMP_ORDERS_MIN: usize = 3;
/// Part of the largest of them that an order is at least: one large one beside small ones is no campaign.
const PUMP_ORDER_PART: f64 = 0.1;
/// Part of what was bought at most that may be left when a round trip is over.
const LEFT_PART: f64 = 0.2;
/// Part of the pool's TAO that goes round, at least.
const TRIP_PART: f64 = 0.005;
/// Part of its own buy that a sandwich's victims pay at least.
const VICTIM_PART: f64 = 0.1;
/// Part of the median pool that an order is held against at least: in a puddle anybody's order is a wave, and moves no market.
const DEPTH_PART: f64 = 0.5;
/// Part of a day's sales that a subnet still remembers a day later.
const FADING: f64 = 0.75;
/// Sales below this, in TAO, are forgotten.
const FADED_TAO: f64 = 0.01;

/// An order that was served.
#[derive(Clone, Copy, Debug)]
struct Order {
    coldkey: AccountId,
    /// TAO in, or out if it is below 0.
    tao: f64,
    alpha: f64,
}

/// Somebody's way in and out of a subnet.
#[derive(Clone, Debug, Default)]
struct Journey {
    /// Alpha bought and not sold.
    held: f64,
    /// The most of it since it was last out.
    peak: f64,
    /// TAO that went in since.
    tao: f64,
    /// Blocks that ended round trips.
    trips: VecDeque<u64>,
}

/// What an owner put into its own pool.
#[derive(Clone, Debug, Default)]
struct Pump {
    /// Purchases: block, TAO.
    bought: VecDeque<(u64, f64)>,
    /// TAO that others paid to the owner: block, TAO.
    paid: VecDeque<(u64, f64)>,
}

/// Orders of all coldkeys.
#[derive(Clone, Debug, Default)]
pub struct Trades {
    journeys: BTreeMap<(AccountId, NetUid), Journey>,
    /// Whose round trips are in sight.
    travelled: BTreeSet<AccountId>,
    sandwiches: BTreeMap<AccountId, VecDeque<u64>>,
    pumps: BTreeMap<NetUid, Pump>,
    /// TAO that each coldkey took out of a subnet, fading.
    sold: BTreeMap<NetUid, BTreeMap<AccountId, f64>>,
}

impl Trades {
    /// Reads the orders of a block.
    pub fn hear(&mut self, frame: &Frame, state: &State, signals: &mut Signals) {
        let height = frame.header.height;
        let mut orders: BTreeMap<NetUid, Vec<Order>> = BTreeMap::new();
        let moved = moved(frame);
        for event in &frame.events {
            match event {
                Event::StakeAdded { coldkey, netuid, tao, alpha, .. } if !netuid.is_root() => {
                    let (tao, alpha) = (tokens(tao.0), tokens(alpha.0));
                    let order = Order { coldkey: *coldkey, tao, alpha };
                    orders.entry(*netuid).or_default().push(order);
                }
                Event::StakeRemoved { coldkey, netuid, tao, alpha, .. } if !netuid.is_root() => {
                    let (tao, alpha) = (-tokens(tao.0), tokens(alpha.0));
                    let order = Order { coldkey: *coldkey, tao, alpha };
                    orders.entry(*netuid).or_default().push(order);
                }
                Event::SubnetDissolved(facts) if facts.cause == Cause::Prune => {
                    self.prune(frame, facts.netuid, signals);
                }
                _ => {}
            }
        }
        self.payments(frame, state);
        let least = if orders.is_empty() { 0.0 } else { median_pool(state) * DEPTH_PART };
        for (netuid, mut orders) in orders {
            orders.retain(|order| !moved.contains(&(netuid, order.coldkey)));
            let Some(subnet) = state.subnet(netuid) else { continue };
            let pool = tokens(subnet.fast.pool.tao);
            self.travel(netuid, &orders, pool.max(least), height, signals);
            self.sandwich(&orders, height, signals);
            self.pump(netuid, subnet.info.owner, &orders, pool, height, signals);
            dump(&orders, pool, least, height, signals);
            for order in orders.iter().filter(|order| order.tao < 0.0) {
                *self.sold.entry(netuid).or_default().entry(order.coldkey).or_default() -=
                    order.tao;
            }
        }
        if height.0.is_multiple_of(BLOCKS_PER_DAY) {
            self.fade(height, signals);
        }
    }

    /// Forgets what was kept of a subnet.
    pub fn forget(&mut self, netuid: NetUid) {
        self.journeys.retain(|(_, of), _| *of != netuid);
        self.pumps.remove(&netuid);
        self.sold.remove(&netuid);
    }

    fn travel(
        &mut self,
        netuid: NetUid,
        orders: &[Order],
        depth: f64,
        height: Height,
        signals: &mut Signals,
    ) {
        for order in orders {
            let key = (order.coldkey, netuid);
            if order.tao < 0.0 && !self.journeys.contains_key(&key) {
                continue;
            }
            let journey = self.journeys.entry(key).or_default();
            if order.tao > 0.0 {
                journey.held += order.alpha;
                journey.tao += order.tao;
                journey.peak = journey.peak.max(journey.held);
                continue;
            }
            journey.held = (journey.held - order.alpha).max(0.0);
            if journey.peak > 0.0 && journey.held <= journey.peak * LEFT_PART {
                if journey.tao >= depth * TRIP_PART {
                    journey.trips.push_back(height.0);
                }
                (journey.peak, journey.tao) = (journey.held, 0.0);
            }
            self.tell_trips(order.coldkey, height, signals);
        }
    }

    /// Says how often somebody went round where it did so most: who trades on many subnets cycles nothing.
    fn tell_trips(&mut self, coldkey: AccountId, height: Height, signals: &mut Signals) {
        let all = (coldkey, NetUid::ROOT)..=(coldkey, NetUid(u16::MAX));
        let trips = self.journeys.range_mut(all).map(|(_, journey)| {
            forget_before(&mut journey.trips, height, TRIPS_BLOCKS);
            journey.trips.len()
        });
        let most = trips.max().unwrap_or(0);
        if most > 0 {
            self.travelled.insert(coldkey);
        } else {
            self.travelled.remove(&coldkey);
        }
        signals.set(FLOW_RECYCLER, Subject::Coldkey(coldkey), most as f64, height);
    }

    /// A buy, and later a sale by the same, in one block in which somebody else buys: one that came too late to be first
    /// counts as well.
    fn sandwich(&mut self, orders: &[Order], height: Height, signals: &mut Signals) {
        let mut seen_now = BTreeSet::new();
        for (place, first) in orders.iter().enumerate().filter(|(_, order)| order.tao > 0.0) {
            let own = |order: &&Order| order.coldkey == first.coldkey;
            let closed = orders[place + 1..].iter().filter(own).any(|order| order.tao < 0.0);
            let others = orders.iter().filter(|order| !own(order) && order.tao > 0.0);
            let victims: f64 = others.map(|order| order.tao).sum();
            if !closed || victims < first.tao * VICTIM_PART || !seen_now.insert(first.coldkey) {
                continue;
            }
            let seen = self.sandwiches.entry(first.coldkey).or_default();
            seen.push_back(height.0);
            forget_before(seen, height, DEEDS_BLOCKS);
            let value = seen.len() as f64;
            signals.set(SANDWICHER, Subject::Coldkey(first.coldkey), value, height);
        }
    }

    fn pump(
        &mut self,
        netuid: NetUid,
        owner: Option<AccountId>,
        orders: &[Order],
        pool: f64,
        height: Height,
        signals: &mut Signals,
    ) {
        let own = orders.iter().filter(|order| Some(order.coldkey) == owner && order.tao > 0.0);
        let bought: f64 = own.map(|order| order.tao).sum();
        let known = self.pumps.contains_key(&netuid);
        if bought <= 0.0 && !known {
            return;
        }
        let pump = self.pumps.entry(netuid).or_default();
        if bought > 0.0 {
            pump.bought.push_back((height.0, bought));
        }
        let from = height.0.saturating_sub(PUMP_BLOCKS);
        for kept in [&mut pump.bought, &mut pump.paid] {
            while kept.front().is_some_and(|(at, _)| *at < from) {
                kept.pop_front();
            }
        }
        let sum = |kept: &VecDeque<(u64, f64)>| kept.iter().map(|(_, tao)| tao).sum::<f64>();
        let net = (sum(&pump.bought) - sum(&pump.paid)).max(0.0);
        let largest = pump.bought.iter().map(|(_, tao)| *tao).fold(0.0, f64::max);
        let large = pump.bought.iter().filter(|(_, tao)| *tao >= largest * PUMP_ORDER_PART);
        let value = match large.count() >= PUMP_ORDERS_MIN && pool > 0.0 {
            true => net / pool,
            false => 0.0,
        };
        signals.set(TREASURER, Subject::Subnet(netuid), value, height);
    }

    /// What others pay owners, for which these may buy.
    fn payments(&mut self, frame: &Frame, state: &State) {
        for record in frame.calls.iter().filter(|record| record.outcome == Outcome::Ok) {
            let (dest, value) = match (&record.call, record.origin) {
                (
                    Call::TransferKeepAlive { dest, value }
                    | Call::TransferAllowDeath { dest, value },
                    Origin::Signed(_),
                ) => (*dest, *value),
                _ => continue,
            };
            let owned = state.networks().filter(|(_, subnet)| subnet.info.owner == Some(dest));
            for (netuid, _) in owned {
                let pump = self.pumps.entry(netuid).or_default();
                pump.paid.push_back((frame.header.height.0, tokens(value.0)));
            }
        }
    }

    /// A subnet was pruned: for whom, and what had the same coldkey sold there?
    fn prune(&mut self, frame: &Frame, netuid: NetUid, signals: &mut Signals) {
        let sold = self.sold.remove(&netuid).unwrap_or_default();
        let all: f64 = sold.values().sum();
        let newcomers = frame.events.iter().filter_map(|event| match event {
            Event::SubnetRegistered(facts) => Some(facts.owner),
            _ => None,
        });
        for owner in newcomers {
            let own = sold.get(&owner).copied().unwrap_or(0.0);
            let value = if all > 0.0 { own / all } else { 0.0 };
            let height = frame.header.height;
            let subject = Subject::Coldkey(owner);
            signals.set_for(DEREG_SNIPER, subject, value, height, DEEDS_BLOCKS);
        }
    }

    /// Ends a day.
    fn fade(&mut self, height: Height, signals: &mut Signals) {
        for sold in self.sold.values_mut() {
            sold.values_mut().for_each(|tao| *tao *= FADING);
            sold.retain(|_, tao| *tao >= FADED_TAO);
        }
        self.sold.retain(|_, sold| !sold.is_empty());
        for coldkey in self.travelled.clone() {
            self.tell_trips(coldkey, height, signals);
        }
        self.journeys.retain(|_, journey| journey.held > 0.0 || !journey.trips.is_empty());
        for (coldkey, seen) in &mut self.sandwiches {
            forget_before(seen, height, DEEDS_BLOCKS);
            let value = seen.len() as f64;
            signals.set(SANDWICHER, Subject::Coldkey(*coldkey), value, height);
        }
        self.sandwiches.retain(|_, seen| !seen.is_empty());
    }
}

/// Whose stake went from one hotkey to another within a subnet: that is told as a sale and a purchase and is neither.
fn moved(frame: &Frame) -> BTreeSet<(NetUid, AccountId)> {
    let within = frame.events.iter().filter_map(|event| match event {
        Event::StakeMoved { coldkey, origin_netuid, destination_netuid, .. }
            if origin_netuid == destination_netuid =>
        {
            Some((*origin_netuid, *coldkey))
        }
        _ => None,
    });
    within.collect()
}

/// What each coldkey takes out of the pool in a block, in parts of what was in it, or of the least depth if that is more.
fn dump(orders: &[Order], pool: f64, least: f64, height: Height, signals: &mut Signals) {
    let mut out: BTreeMap<AccountId, f64> = BTreeMap::new();
    for order in orders {
        *out.entry(order.coldkey).or_default() -= order.tao;
    }
    let all: f64 = out.values().sum();
    for (coldkey, tao) in out.into_iter().filter(|(_, tao)| *tao > 0.0) {
        let before = (pool + all).max(tao);
        let part = tao / before.max(least);
        // What is far below is not worth remembering.
        if part >= DUMP_WHALE.threshold / 10.0 {
            signals.set_for(DUMP_WHALE, Subject::Coldkey(coldkey), part, height, DEEDS_BLOCKS);
        }
    }
}

/// The TAO in the middle one of all pools.
fn median_pool(state: &State) -> f64 {
    let traded = state.networks().filter(|(netuid, _)| !netuid.is_root());
    let mut pools: Vec<f64> = traded.map(|(_, subnet)| tokens(subnet.fast.pool.tao)).collect();
    median(&mut pools)
}

fn forget_before(kept: &mut VecDeque<u64>, height: Height, blocks: u64) {
    let from = height.0.saturating_sub(blocks);
    while kept.front().is_some_and(|at| *at < from) {
        kept.pop_front();
    }
}

/// Whole tokens of an amount in smallest units.
fn tokens(amount: u64) -> f64 {
    amount as f64 / protocol::units::UNITS_PER_TOKEN as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const ME: AccountId = AccountId([1; 32]);

    fn order(tao: f64) -> Order {
        Order { coldkey: ME, tao, alpha: tao.abs() }
    }

    #[test]
    fn a_sale_is_held_against_its_pool_or_the_least_depth() {
        // Sold, left in the pool, least depth, whether it is a dump.
        let rows = [
            (60.0, 940.0, 0.0, true),
            (40.0, 960.0, 0.0, false),
            (60.0, 940.0, 5_000.0, false),
            (400.0, 10.0, 5_000.0, true),
        ];
        for (sold, left, least, expected) in rows {
            let mut signals = Signals::default();
            dump(&[order(-sold)], left, least, Height(1), &mut signals);
            assert_eq!(signals.count(DUMP_WHALE) == 1, expected, "{sold} of {left}");
        }
    }

    #[test]
    fn a_pump_is_several_orders_of_like_size() {
        let rows: [(&[f64], bool); 3] = [
            (&[100.0, 100.0, 100.0], true),
            (&[0.3, 0.3, 0.3, 400.0, 0.3], false),
            (&[9.0, 9.0, 9.0], false),
        ];
        for (orders, expected) in rows {
            let (mut trades, mut signals) = (Trades::default(), Signals::default());
            for (height, tao) in (1..).zip(orders) {
                let orders = [order(*tao)];
                let height = Height(height);
                trades.pump(NetUid(1), Some(ME), &orders, 1_000.0, height, &mut signals);
            }
            assert_eq!(signals.count(TREASURER) == 1, expected, "{orders:?}");
        }
    }

    #[test]
    fn round_trips_count_on_one_subnet_and_are_told_once() {
        // Subnets of the trips, depth of their pools, alarms.
        let rows: [(&[u16], f64, u64); 4] = [
            (&[1, 1], 1_000.0, 1),
            (&[1, 2], 1_000.0, 0),
            (&[1, 1, 2, 1], 1_000.0, 1),
            (&[1, 1], 5_000.0, 0),
        ];
        for (trips, depth, expected) in rows {
            let (mut trades, mut signals) = (Trades::default(), Signals::default());
            for (height, netuid) in (1..).zip(trips) {
                let orders = [order(10.0), order(-10.0)];
                trades.travel(NetUid(*netuid), &orders, depth, Height(height), &mut signals);
            }
            trades.fade(Height(BLOCKS_PER_DAY), &mut signals);
            assert_eq!(signals.count(FLOW_RECYCLER), expected, "{trips:?} of {depth}");
        }
        let (mut trades, mut signals) = (Trades::default(), Signals::default());
        for height in 1..=2 {
            let orders = [order(10.0), order(-10.0)];
            trades.travel(NetUid(1), &orders, 1_000.0, Height(height), &mut signals);
        }
        trades.forget(NetUid(1));
        trades.fade(Height(BLOCKS_PER_DAY), &mut signals);
        assert_eq!(signals.all().count(), 0, "of a subnet that is gone nothing is left");
    }
}
