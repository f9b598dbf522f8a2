//! What each subnet is after a block.
//!
//! What belongs here: what is copied every block, and which events make the dearer sums be made again. What does not:
//! those sums (`neurons`), totals (`counts`), series (`collect`).
//!
//! A block of a large network touches few subnets with orders and epochs, so sums over hotkeys and uids are made again
//! for those alone; what changes every block is a handful of scalars.

use super::neurons::{NeuronRow, StaffReading, StakeReading, commits_waiting, rows};
use protocol::event::Event;
use protocol::pool::Pool;
use protocol::state::{State, Subnet};
use protocol::units::NetUid;
use std::collections::{BTreeMap, BTreeSet};

/// The last word on a subnet, in the units of the state.
#[derive(Clone, Debug, Default)]
pub struct SubnetReading {
    /// Its name.
    pub name: String,
    /// Its token's symbol.
    pub symbol: String,
    /// The block it was registered at.
    pub registered_at: u64,
    /// U96F32 bits.
    pub price: u128,
    /// U96F32 bits.
    pub moving_price: u128,
    /// Reserves and what prices orders.
    pub pool: Pool,
    /// Which kind of pool it is.
    pub mechanism: u16,
    /// U64F64 bits.
    pub emission_share: u128,
    /// U96F32 bits.
    pub root_proportion: u128,
    /// I64F64 bits of rao per block.
    pub flow_average: i128,
    /// What a burned registration costs.
    pub burn_rao: u64,
    /// What registrations burned since it began.
    pub burned_rao: u64,
    /// Neurons.
    pub neurons: u64,
    /// Neurons at most.
    pub neuron_limit: u16,
    /// Stake.
    pub stake: StakeReading,
    /// Neurons by role.
    pub staff: StaffReading,
    /// Commitments that wait.
    pub commits_waiting: u64,
    /// Every neuron, on a named netuid.
    pub rows: Vec<NeuronRow>,
}

/// The last word on every subnet but root.
#[derive(Clone, Debug, Default)]
pub struct Subnets {
    /// By netuid.
    pub readings: BTreeMap<NetUid, SubnetReading>,
    /// Subnets whose neurons are shown one by one.
    pub named: BTreeSet<NetUid>,
}

impl Subnets {
    /// Looks at all subnets after a block.
    pub fn block(&mut self, events: &[Event], state: &State) {
        let touched = Touched::by(events);
        self.readings.retain(|netuid, _| state.subnet(*netuid).is_some());
        for (netuid, subnet) in state.networks().filter(|(netuid, _)| !netuid.is_root()) {
            let is_new = touched.everything || !self.readings.contains_key(&netuid);
            let reading = self.readings.entry(netuid).or_default();
            reading.copy(subnet);
            let is_restaffed = is_new || touched.staff.contains(&netuid);
            if is_restaffed {
                reading.staff = StaffReading::of(subnet);
            }
            if is_restaffed || touched.stake.contains(&netuid) {
                reading.stake = StakeReading::of(subnet);
            }
            if is_restaffed || touched.commits.contains(&netuid) {
                reading.commits_waiting = commits_waiting(subnet);
            }
            if self.named.contains(&netuid) {
                reading.rows = rows(subnet);
            }
        }
    }

    /// Forgets what was seen, so that the next block is looked at as if it were the first: blocks were left out.
    pub fn forget(&mut self) {
        self.readings.clear();
    }
}

impl SubnetReading {
    /// Takes over what costs nothing.
    fn copy(&mut self, subnet: &Subnet) {
        // Names change hardly ever, and a comparison allocates nothing.
        if self.name != subnet.info.name || self.symbol != subnet.info.symbol {
            self.name.clone_from(&subnet.info.name);
            self.symbol.clone_from(&subnet.info.symbol);
        }
        let fast = &subnet.fast;
        self.registered_at = subnet.info.registered_at;
        self.price = subnet.price();
        self.moving_price = subnet.moving_price();
        self.pool = fast.pool;
        self.mechanism = subnet.params.mechanism;
        self.emission_share = if subnet.emits() { fast.emission_share } else { 0 };
        self.root_proportion = fast.root_proportion;
        self.flow_average = fast.flow_average.map_or(0, |(_, average)| average);
        self.burn_rao = fast.burn.0;
        self.burned_rao = fast.recycled_for_registration.0;
        self.neurons = subnet.neurons.len() as u64;
        self.neuron_limit = subnet.params.max_allowed_uids;
    }

    /// A subnet with this pool and nothing else, for whoever quotes orders.
    pub fn market(&self) -> Subnet {
        let mut market = Subnet::default();
        market.fast.pool = self.pool;
        market.params.mechanism = self.mechanism;
        market
    }
}

/// The subnets on which a block may have changed something dear; few, so that few sums are made again.
#[derive(Debug, Default)]
struct Touched {
    /// Who holds how much.
    stake: BTreeSet<NetUid>,
    /// Who is there, and what the last epoch said of them.
    staff: BTreeSet<NetUid>,
    /// Which commitments wait.
    commits: BTreeSet<NetUid>,
    /// What was a coldkey's on any subnet is another's.
    everything: bool,
}

impl Touched {
    fn by(events: &[Event]) -> Self {
        let mut touched = Self::default();
        for event in events {
            match event {
                Event::ShareChanged { netuid, .. } => touched.stake.insert(*netuid),
                Event::EpochPaid(paid) => touched.stake.insert(paid.netuid),
                Event::EpochRun(run) => touched.staff.insert(run.netuid),
                Event::SubnetRegistered(facts) => touched.staff.insert(facts.netuid),
                Event::HotkeyMoved(facts) => touched.staff.insert(facts.netuid),
                Event::NeuronPlaced { netuid, .. }
                | Event::NeuronsTrimmed { netuid, .. }
                | Event::MechanismCountSet { netuid, .. } => touched.staff.insert(*netuid),
                Event::WeightsCommitted { netuid, .. }
                | Event::WeightsRevealed { netuid, .. }
                | Event::WeightsBatchRevealed { netuid, .. }
                | Event::TimelockedWeightsCommitted { netuid, .. }
                | Event::TimelockedWeightsRevealed { netuid, .. }
                | Event::TimelockedCommitDropped { netuid, .. }
                | Event::TimelockedCommitsExpired { netuid, .. } => touched.commits.insert(*netuid),
                Event::ColdkeySwapped(_) => {
                    touched.everything = true;
                    true
                }
                _ => false,
            };
        }
        touched
    }
}
