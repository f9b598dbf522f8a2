//! What a run amounts to: counts folded from its frames, live and on replay alike, and the summary built of them.

use super::calendar::struck;
use super::control::Ended;
use super::disturbance::Struck;
use super::hosts::ProcessReport;
use crate::plan::Plan;
use actors::registry::Role;
use protocol::frame::{Frame, Header, Messages, Projection};
use protocol::rejection::Outcome;
use protocol::state::State;
use protocol::units::{NetUid, PlayerId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// Subnets the summary names.
pub const TOP_SUBNETS: usize = 10;

/// Counts over all blocks of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Events, public and sealed.
    pub events: u64,
    /// Calls that reached a block's decision, refused ones included.
    pub extrinsics: u64,
    /// Of these failed or refused.
    pub rejected: u64,
    /// Calls done, by name.
    pub done: BTreeMap<String, u64>,
    /// Calls failed or refused, by reason.
    pub reasons: BTreeMap<String, u64>,
    /// Messages between players.
    pub messages: Messages,
    /// Players that crashed.
    pub crashes: u64,
}

impl Totals {
    /// Adds a block.
    pub fn add(&mut self, frame: &Frame) {
        self.events += (frame.events.len() + frame.sealed.len()) as u64;
        self.extrinsics += frame.calls.len() as u64;
        for record in &frame.calls {
            match record.outcome {
                Outcome::Ok => count(&mut self.done, record.call.name(), 1),
                outcome => {
                    self.rejected += 1;
                    count(&mut self.reasons, outcome.reason(), 1);
                }
            }
        }
        for refused in &frame.refused {
            let number = u64::from(refused.count);
            self.extrinsics += number;
            self.rejected += number;
            count(&mut self.reasons, refused.reason.name(), number);
        }
        let messages = frame.facts.messages;
        // A log can say anything; a sum that is out of range stays at its end.
        let add = |sum: &mut u64, more: u64| *sum = sum.saturating_add(more);
        add(&mut self.messages.sent, messages.sent);
        add(&mut self.messages.delivered, messages.delivered);
        add(&mut self.messages.dropped, messages.dropped);
        self.crashes += frame.facts.crashes.len() as u64;
    }
}

impl Projection for Totals {
    fn block(&mut self, frame: &Frame, _: &State, _: &State) {
        self.add(frame);
    }
}

fn count(counts: &mut BTreeMap<String, u64>, name: &str, by: u64) {
    match counts.get_mut(name) {
        Some(number) => *number += by,
        None => {
            counts.insert(name.to_owned(), by);
        }
    }
}

/// What `run --json` and `replay --json` print.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Summary {
    /// The run folder.
    pub run: String,
    /// The scenario's name.
    pub scenario: String,
    /// The simulation hash.
    pub scenario_hash: String,
    /// Which run it left, if it is a fork; of a fork's fork the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forked_from: Option<ForkedFrom>,
    /// What emission shares follow.
    pub rules: String,
    /// Of all draws.
    pub seed: u64,
    /// The genesis height.
    pub genesis_block: u64,
    /// The last block's height.
    pub block: u64,
    /// Blocks since genesis.
    pub blocks: u64,
    /// The last block's hash.
    pub tip_hash: String,
    /// The state root after it.
    pub state_root: String,
    /// Events in the log.
    pub events: u64,
    /// Calls decided.
    pub extrinsics: u64,
    /// Of these failed or refused.
    pub rejected: u64,
    /// Calls done, by name.
    pub calls_done: BTreeMap<String, u64>,
    /// Calls failed or refused, by reason.
    pub calls_rejected: BTreeMap<String, u64>,
    /// Messages between players.
    pub messages: MessageCounts,
    /// Players by role.
    pub players: BTreeMap<String, u64>,
    /// Players that crashed.
    pub crashes: u64,
    /// Processes that made the last blocks: the chain and the hosts.
    pub processes: u64,
    /// Players, steps and peak memory of each process, over all attempts to make the run.
    pub process_reports: Vec<ProcessReport>,
    /// Why the run ended; nothing where it was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Ended>,
    /// The condition that ended it, if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
    /// How often the run was started: by its user, and again after a process was lost; 0 where it was read.
    pub attempts: u64,
    /// How often because a process was lost.
    pub restarts: u64,
    /// Those who came to the chain and were no hosts of the run.
    #[serde(default)]
    pub peers_refused: u64,
    /// How often simulated faults of the scenario came into force.
    pub faults: u64,
    /// What struck below the simulation, and how often.
    #[serde(default, skip_serializing_if = "Struck::is_empty")]
    pub disturbances: Struck,
    /// Blocks after which an invariant did not hold; 0 also when nothing was checked.
    pub invariant_violations: u64,
    /// The subnets with the largest emission share, largest first.
    pub top_subnets: Vec<TopSubnet>,
    /// The sum of their shares.
    pub top10_emission_share: f64,
    /// Wall time over all attempts; of a reading, its own.
    pub wall_seconds: f64,
    /// Blocks made in this invocation by second of wall time.
    pub blocks_per_second: f64,
    /// Bytes of the log on disk.
    pub log_bytes: u64,
    /// Memory of all processes together in the attempt in which it was most; each counts with its own peak.
    pub peak_rss_bytes: u64,
}

/// See [`Summary::forked_from`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForkedFrom {
    /// The other run's folder, as it was named.
    pub run: String,
    /// The build that made it.
    pub build: String,
    /// The last block that both share.
    pub block: u64,
    /// Its hash.
    pub block_hash: String,
    /// What was assigned, as typed.
    pub set: Vec<String>,
}

impl ForkedFrom {
    /// Which run a plan's run left.
    pub fn of(plan: &Plan) -> Option<Self> {
        plan.forks.last().map(|fork| Self {
            run: fork.parent.clone(),
            build: fork.build.clone(),
            block: fork.at.0,
            block_hash: fork.block_hash.to_string(),
            set: fork.set.clone(),
        })
    }
}

impl fmt::Display for ForkedFrom {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{} at block {}", self.run, self.block)
    }
}

/// See [`Summary::messages`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageCounts {
    /// Handed to the network.
    pub sent: u64,
    /// Handed to players.
    pub delivered: u64,
    /// Lost by the network.
    pub dropped: u64,
}

/// One of the subnets with the largest emission share.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TopSubnet {
    /// Which.
    pub netuid: u16,
    /// Its name.
    pub name: String,
    /// Its symbol.
    pub symbol: String,
    /// Its share of the block's TAO emission.
    pub emission_share: f64,
    /// The same, U64F64 bits, as a decimal string.
    pub emission_share_bits: String,
    /// TAO in the pool per alpha.
    pub price: f64,
}

/// What a summary is made of beside the plan and the log.
#[derive(Clone, Debug)]
pub struct Account<'a> {
    /// The run folder.
    pub run: String,
    /// The plan.
    pub plan: &'a Plan,
    /// The simulation hash: the parent of the genesis block.
    pub simulation: protocol::units::Hash32,
    /// The last header.
    pub header: &'a Header,
    /// The state after it.
    pub state: &'a State,
    /// Counts over all blocks.
    pub totals: &'a Totals,
}

impl Summary {
    /// The summary of a run; figures of this invocation are left 0 for the caller to fill in.
    pub fn new(account: &Account<'_>) -> Self {
        let Account { plan, header, state, totals, .. } = account;
        let top_subnets = top_subnets(state);
        Self {
            run: account.run.clone(),
            scenario: plan.name.clone(),
            scenario_hash: account.simulation.to_string(),
            forked_from: ForkedFrom::of(plan),
            rules: state.rules.version.name().to_owned(),
            seed: plan.last_course().seed(),
            genesis_block: plan.genesis.height.0,
            block: header.height.0,
            blocks: header.height.0 - plan.genesis.height.0,
            tip_hash: header.hash().to_string(),
            state_root: header.state_root.to_string(),
            events: totals.events,
            extrinsics: totals.extrinsics,
            rejected: totals.rejected,
            calls_done: totals.done.clone(),
            calls_rejected: totals.reasons.clone(),
            messages: MessageCounts {
                sent: totals.messages.sent,
                delivered: totals.messages.delivered,
                dropped: totals.messages.dropped,
            },
            players: players_by_role(plan),
            crashes: totals.crashes,
            processes: 1,
            process_reports: Vec::new(),
            ended: None,
            condition: None,
            attempts: 0,
            restarts: 0,
            peers_refused: 0,
            faults: struck(plan, header.height),
            disturbances: Struck::new(),
            invariant_violations: 0,
            top10_emission_share: top_subnets.iter().map(|subnet| subnet.emission_share).sum(),
            top_subnets,
            wall_seconds: 0.0,
            blocks_per_second: 0.0,
            log_bytes: 0,
            peak_rss_bytes: 0,
        }
    }
}

/// Players by role; every role is named.
pub fn players_by_role(plan: &Plan) -> BTreeMap<String, u64> {
    let mut players: BTreeMap<String, u64> =
        Role::ALL.iter().map(|role| (role.name().to_owned(), 0)).collect();
    for seat in plan.last_course().seats() {
        count(&mut players, seat.player.behaviour().role.name(), 1);
    }
    players
}

/// The role of each player.
pub fn roles(plan: &Plan) -> BTreeMap<PlayerId, Role> {
    let seats = plan.players.iter();
    seats.map(|seat| (seat.identity.id, seat.player.behaviour().role)).collect()
}

/// The subnets with the largest emission share, largest first, ties by netuid.
pub fn top_subnets(state: &State) -> Vec<TopSubnet> {
    let mut subnets: Vec<(u128, NetUid)> = state
        .networks()
        .filter(|(netuid, _)| !netuid.is_root())
        .map(|(netuid, subnet)| (subnet.fast.emission_share, netuid))
        .collect();
    subnets.sort_by_key(|(share, netuid)| (std::cmp::Reverse(*share), *netuid));
    subnets.truncate(TOP_SUBNETS);
    let rows = subnets.into_iter().filter_map(|(share, netuid)| {
        let subnet = state.subnet(netuid)?;
        Some(TopSubnet {
            netuid: netuid.0,
            name: subnet.info.name.clone(),
            symbol: subnet.info.symbol.clone(),
            emission_share: ratio(share, 64),
            emission_share_bits: share.to_string(),
            price: ratio(subnet.price(), 32),
        })
    });
    rows.collect()
}

/// An unsigned fixed-point value as a float, for people.
pub fn ratio(bits: u128, fraction_bits: i32) -> f64 {
    bits as f64 / 2f64.powi(fraction_bits)
}
