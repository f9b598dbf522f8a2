//! What happened on one subnet, counted from events.
//!
//! What belongs here: totals that only grow, from the facts of a block. What does not: what a subnet is after a block
//! (`subnets`). A netuid that gets another subnet begins at 0 again.

use protocol::event::{EmissionAccrued, EmissionInjected, Event, Via};
use protocol::state::State;
use protocol::units::{AccountId, Alpha, NetUid, Rao};
use std::collections::BTreeMap;

/// Where alpha emission goes, as the label has it.
pub const ALPHA_TO: [&str; 6] = ["pool", "owner", "miner", "validator", "root", "recycled"];

/// How neurons came, as the label has it.
pub const VIA: [&str; 3] = ["founder", "burn", "work"];

/// Totals of one subnet: TAO in rao, alpha in its smallest unit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SubnetCounts {
    /// Recorded net flow above 0.
    pub flow_in: u64,
    /// Recorded net flow below 0.
    pub flow_out: u64,
    /// TAO paid for alpha.
    pub bought: u64,
    /// TAO got for alpha.
    pub sold: u64,
    /// TAO emission into the pool.
    pub emission_pool: u64,
    /// TAO emission spent on alpha.
    pub emission_buy: u64,
    /// Alpha emission by [`ALPHA_TO`].
    pub alpha: [u64; ALPHA_TO.len()],
    /// Neurons by [`VIA`].
    pub registered: [u64; VIA.len()],
    /// Neurons that lost their place.
    pub pruned: u64,
    /// Epochs.
    pub epochs: u64,
    /// Rows stored.
    pub weights_set: u64,
    /// Commitments made.
    pub commits: u64,
    /// Commitments opened and set.
    pub reveals: u64,
    /// Commitments that are gone without.
    pub commits_lost: u64,
    /// The owner's cut.
    pub owner_cut: u64,
    /// Alpha sold by the owner.
    pub owner_sold: u64,
    /// TAO the owner paid for alpha.
    pub owner_bought: u64,
}

/// Totals by subnet.
#[derive(Clone, Debug, Default)]
pub struct Counts(BTreeMap<NetUid, SubnetCounts>);

impl Counts {
    /// Those of a subnet.
    pub fn of(&self, netuid: NetUid) -> SubnetCounts {
        self.0.get(&netuid).copied().unwrap_or_default()
    }

    fn at(&mut self, netuid: NetUid) -> &mut SubnetCounts {
        self.0.entry(netuid).or_default()
    }

    /// Counts an event of a block, in order, with the state after the block.
    pub fn note(&mut self, event: &Event, after: &State) {
        match event {
            Event::FlowRecorded { netuid, by } => {
                let counts = self.at(*netuid);
                let side = if *by < 0 { &mut counts.flow_out } else { &mut counts.flow_in };
                add(side, by.unsigned_abs());
            }
            Event::StakeAdded { coldkey, netuid, tao, .. } => {
                let counts = self.at(*netuid);
                add(&mut counts.bought, tao.0);
                if owns(after, *netuid, coldkey) {
                    add(&mut counts.owner_bought, tao.0);
                }
            }
            Event::StakeRemoved { coldkey, netuid, tao, alpha, .. } => {
                let counts = self.at(*netuid);
                add(&mut counts.sold, tao.0);
                if owns(after, *netuid, coldkey) {
                    add(&mut counts.owner_sold, alpha.0);
                }
            }
            Event::EmissionInjected(injected) => self.note_injected(injected),
            Event::EmissionAccrued(accrued) => self.note_accrued(accrued),
            Event::EpochRun(run) => self.at(run.netuid).epochs += 1,
            Event::EpochPaid(paid) => {
                add(&mut self.at(paid.netuid).owner_cut, paid.owner_cut.0);
            }
            Event::NeuronPlaced { netuid, replaced, via, .. } => {
                let counts = self.at(*netuid);
                counts.pruned += u64::from(replaced.is_some());
                match via {
                    Via::Founder => counts.registered[0] += 1,
                    Via::Burn => counts.registered[1] += 1,
                    Via::Work => counts.registered[2] += 1,
                    Via::Root => {}
                }
            }
            Event::NeuronsTrimmed { netuid, removed, .. } => {
                self.at(*netuid).pruned += removed.len() as u64;
            }
            // Another subnet may get the number in the same block.
            Event::SubnetDissolved(facts) => {
                self.0.remove(&facts.netuid);
            }
            _ => self.note_weights(event),
        }
    }

    fn note_weights(&mut self, event: &Event) {
        match event {
            Event::WeightsSet { netuid, .. } => self.at(*netuid).weights_set += 1,
            Event::WeightsCommitted { netuid, dropped, .. } => {
                let counts = self.at(*netuid);
                counts.commits += 1;
                counts.commits_lost += u64::from(*dropped);
            }
            Event::TimelockedWeightsCommitted { netuid, .. } => self.at(*netuid).commits += 1,
            Event::WeightsRevealed { netuid, removed, .. } => {
                let counts = self.at(*netuid);
                counts.reveals += 1;
                counts.commits_lost += u64::from(removed.saturating_sub(1));
            }
            Event::WeightsBatchRevealed { netuid, hashes, expired, .. } => {
                let counts = self.at(*netuid);
                counts.reveals += hashes.len() as u64;
                counts.commits_lost += u64::from(*expired);
            }
            Event::TimelockedWeightsRevealed { netuid, .. } => self.at(*netuid).reveals += 1,
            Event::TimelockedCommitDropped { netuid, .. } => self.at(*netuid).commits_lost += 1,
            Event::TimelockedCommitsExpired { netuid, commits, .. } => {
                self.at(*netuid).commits_lost += u64::from(*commits);
            }
            _ => {}
        }
    }

    fn note_injected(&mut self, injected: &EmissionInjected) {
        for (place, netuid) in injected.netuids.iter().enumerate() {
            let counts = self.at(*netuid);
            add(&mut counts.emission_pool, rao(&injected.tao_in, place));
            add(&mut counts.emission_buy, rao(&injected.bought_with, place));
            add(&mut counts.alpha[0], alpha(&injected.alpha_in, place));
        }
    }

    fn note_accrued(&mut self, accrued: &EmissionAccrued) {
        let EmissionAccrued { owner, server, validator, root, recycled, .. } = accrued;
        for (place, netuid) in accrued.netuids.iter().enumerate() {
            let counts = self.at(*netuid);
            let columns = [owner, server, validator, root, recycled];
            for (total, column) in counts.alpha[1..].iter_mut().zip(columns) {
                add(total, alpha(column, place));
            }
        }
    }
}

/// A log can say anything; a total that leaves its range stays at its end.
fn add(total: &mut u64, more: u64) {
    *total = total.saturating_add(more);
}

fn rao(column: &[Rao], place: usize) -> u64 {
    column.get(place).map_or(0, |amount| amount.0)
}

fn alpha(column: &[Alpha], place: usize) -> u64 {
    column.get(place).map_or(0, |amount| amount.0)
}

fn owns(state: &State, netuid: NetUid, coldkey: &AccountId) -> bool {
    state.subnet(netuid).is_some_and(|subnet| subnet.info.owner.as_ref() == Some(coldkey))
}
