//! What coldkeys do to pools: `flow-recycler`, `sandwicher`, `dump-whale`, `dereg-sniper`, `treasurer`.

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
/// Part of what was bought at most that may be left when a round trip is over.
const LEFT_PART: f64 = 0.2;
/// Part of the pool's TAO that goes round, at least.
const TRIP_PART: f64 = 0.005;
/// Part of its own buy that a sandwich's victims pay at least.
const VICTIM_PART: f64 = 0.1;
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
    journeys: BTreeMap<(NetUid, AccountId), Journey>,
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
        for (netuid, mut orders) in orders {
            orders.retain(|order| !moved.contains(&(netuid, order.coldkey)));
            let Some(subnet) = state.subnet(netuid) else { continue };
            let pool = tokens(subnet.fast.pool.tao);
            self.travel(netuid, &orders, pool, height, signals);
            self.sandwich(&orders, height, signals);
            self.pump(netuid, subnet.info.owner, &orders, pool, height, signals);
            dump(&orders, pool, height, signals);
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
        self.journeys.retain(|(of, _), _| *of != netuid);
        self.pumps.remove(&netuid);
        self.sold.remove(&netuid);
    }

    fn travel(
        &mut self,
        netuid: NetUid,
        orders: &[Order],
        pool: f64,
        height: Height,
        signals: &mut Signals,
    ) {
        for order in orders {
            let key = (netuid, order.coldkey);
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
                if journey.tao >= pool * TRIP_PART {
                    journey.trips.push_back(height.0);
                }
                (journey.peak, journey.tao) = (journey.held, 0.0);
            }
            forget_before(&mut journey.trips, height, TRIPS_BLOCKS);
            let value = journey.trips.len() as f64;
            signals.set(FLOW_RECYCLER, Subject::Coldkey(order.coldkey), value, height);
        }
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
        let value = match pump.bought.len() >= PUMP_ORDERS_MIN && pool > 0.0 {
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
        for ((_, coldkey), journey) in &mut self.journeys {
            if !journey.trips.is_empty() {
                forget_before(&mut journey.trips, height, TRIPS_BLOCKS);
                let value = journey.trips.len() as f64;
                signals.set(FLOW_RECYCLER, Subject::Coldkey(*coldkey), value, height);
            }
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

/// What each coldkey takes out of the pool in a block, in parts of what was in it.
fn dump(orders: &[Order], pool: f64, height: Height, signals: &mut Signals) {
    let mut out: BTreeMap<AccountId, f64> = BTreeMap::new();
    for order in orders {
        *out.entry(order.coldkey).or_default() -= order.tao;
    }
    let all: f64 = out.values().sum();
    for (coldkey, tao) in out.into_iter().filter(|(_, tao)| *tao > 0.0) {
        let before = (pool + all).max(tao);
        let part = tao / before;
        // What is far below is not worth remembering.
        if part >= DUMP_WHALE.threshold / 10.0 {
            signals.set_for(DUMP_WHALE, Subject::Coldkey(coldkey), part, height, DEEDS_BLOCKS);
        }
    }
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
