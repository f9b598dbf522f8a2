//! A run over time, looked at after evenly spaced blocks: what charts are drawn of.
//!
//! What belongs here: the figures of one block and when they are taken. What does not: sums over the whole run
//! (`gather`), and how they are drawn (`page`).

use super::gather::Gathered;
use super::inequality::{gini, herfindahl, top_share};
use super::network::TOP;
use crate::diff::consequences::{evenly, wealth};
use crate::run::totals::ratio;
use protocol::registration::lock_cost;
use protocol::state::State;
use protocol::units::{Height, Rao};
use std::collections::BTreeMap;

/// Blocks that are looked at, the first not counted.
const POINTS_MAX: u64 = 180;
/// Wealth is added up over all holders, so it is looked at less often: every so many of the points, and at both ends.
const WEALTH_EVERY: usize = 6;

/// The network after a block.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct NetworkPoint {
    /// Blocks since genesis.
    pub block: u64,
    /// TAO in existence.
    pub issuance_rao: Rao,
    /// TAO emission since genesis.
    pub emission_rao: Rao,
    /// What registering a subnet costs.
    pub lock_cost_rao: Rao,
    /// TAO that is staked, as the chain counts it.
    pub stake_rao: Rao,
    /// Subnets, root not counted.
    pub subnets: u64,
    /// The ten largest emission shares together.
    pub top10: f64,
    /// Herfindahl index of emission shares.
    pub herfindahl: f64,
    /// Gini coefficient of emission shares.
    pub gini: f64,
}

/// A subnet after a block.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SubnetPoint {
    /// Blocks since genesis.
    pub block: u64,
    /// TAO per alpha.
    pub price: f64,
    /// Of the block's TAO emission.
    pub share: f64,
    /// Net flow since it was first seen, in rao.
    pub net_rao: i128,
}

/// One registration of a subnet: its netuid and its block.
pub type SubnetKey = (u16, u64);

/// A run over time.
#[derive(Clone, Debug)]
pub struct Series {
    due: Vec<Height>,
    taken: usize,
    /// Block 0.
    pub genesis: Height,
    /// The network.
    pub network: Vec<NetworkPoint>,
    /// Its subnets, those that are gone included.
    pub subnets: BTreeMap<SubnetKey, Vec<SubnetPoint>>,
    /// Net flow into all pools since genesis by the signer's role: block and rao.
    pub flows: BTreeMap<&'static str, Vec<(u64, i128)>>,
    /// Free TAO and stake at spot prices by role: block and rao.
    pub wealth: BTreeMap<&'static str, Vec<(u64, Rao)>>,
}

impl Series {
    /// Looks at the state at genesis, and then up to the last block.
    pub fn new(genesis: &State, last: Height, gathered: &Gathered) -> Self {
        let mut series = Self {
            due: evenly(genesis.height, last, POINTS_MAX),
            taken: 0,
            genesis: genesis.height,
            network: Vec::new(),
            subnets: BTreeMap::new(),
            flows: BTreeMap::new(),
            wealth: BTreeMap::new(),
        };
        series.look(genesis, gathered);
        series
    }

    /// Looks at the state after a block, if it is one of those; what was gathered includes that block.
    pub fn look(&mut self, after: &State, gathered: &Gathered) {
        if self.due.get(self.taken) != Some(&after.height) {
            return;
        }
        let number = self.taken;
        self.taken += 1;
        let block = after.height.0 - self.genesis.0;
        self.look_at_subnets(block, after, gathered);
        for (role, net) in flows(gathered) {
            self.flows.entry(role).or_default().push((block, net));
        }
        if number.is_multiple_of(WEALTH_EVERY) || self.taken == self.due.len() {
            for (role, owned) in wealth(after, |coldkey| gathered.role(coldkey)) {
                self.wealth.entry(role).or_default().push((block, owned.sum()));
            }
        }
    }

    fn look_at_subnets(&mut self, block: u64, after: &State, gathered: &Gathered) {
        let mut shares = Vec::new();
        for (netuid, subnet) in after.networks().filter(|(netuid, _)| !netuid.is_root()) {
            let share = ratio(subnet.fast.emission_share, 64);
            shares.push(share);
            let net_rao = gathered.alive.get(&netuid).map_or(0, |past| past.flow().net());
            let price = ratio(subnet.price(), 32);
            let point = SubnetPoint { block, price, share, net_rao };
            self.subnets.entry((netuid.0, subnet.info.registered_at)).or_default().push(point);
        }
        self.network.push(NetworkPoint {
            block,
            issuance_rao: after.global.total_issuance,
            emission_rao: gathered.emission,
            lock_cost_rao: lock_cost(after),
            stake_rao: after.global.total_stake,
            subnets: shares.len() as u64,
            top10: top_share(&shares, TOP),
            herfindahl: herfindahl(&shares),
            gini: gini(&shares),
        });
    }
}

/// Net flow so far by role, over all subnets that there were.
fn flows(gathered: &Gathered) -> BTreeMap<&'static str, i128> {
    let alive = gathered.alive.values();
    let all = alive.chain(gathered.gone.iter().map(|(_, past)| past));
    let mut flows = BTreeMap::new();
    for (role, flow) in all.flat_map(|past| &past.flows) {
        *flows.entry(*role).or_insert(0) += flow.net();
    }
    flows
}
