//! What blocks said so far: the fold behind every family that follows from the chain.
//!
//! What belongs here: the network's last values, totals of the whole network, faults. What does not: subnets
//! (`subnets`, `counts`), what the shell says (`shell`), series (`collect`).

use super::counts::Counts;
use super::subnets::Subnets;
use crate::run::calendar::{Calendar, Kinds};
use protocol::event::{Cause, Event};
use protocol::frame::{Frame, Messages};
use protocol::issuance::{BLOCK_EMISSION_RAO, block_emission};
use protocol::registration::lock_cost;
use protocol::rejection::Outcome;
use protocol::rules::RuleVersion;
use protocol::state::{Leaks, State};
use protocol::units::NetUid;
use std::collections::BTreeMap;

/// The last word on everything, in the units of the state: a block only copies numbers.
#[derive(Clone, Debug, Default)]
pub struct Readings {
    /// The network after the last block.
    pub chain: Option<Chain>,
    /// Its subnets.
    pub subnets: Subnets,
    /// What happened on them.
    pub counts: Counts,
    /// By call, outcome and reason.
    pub calls: BTreeMap<(&'static str, &'static str, &'static str), u64>,
    /// By kind.
    pub events: BTreeMap<&'static str, u64>,
    /// Of all blocks.
    pub messages: Messages,
    /// Of all blocks.
    pub crashes: u64,
    /// TAO emission of all blocks.
    pub emission_rao: u64,
    /// Subnets that came.
    pub registered: u64,
    /// Subnets that went, by [`CAUSES`].
    pub dissolved: [u64; CAUSES.len()],
    /// Simulated faults.
    pub faults: Faults,
}

/// Why subnets go, as the label has it.
pub const CAUSES: [&str; 2] = ["prune", "root"];

/// Halvings after which nothing is minted any more.
const HALVINGS_MAX: u32 = BLOCK_EMISSION_RAO.ilog2() + 1;

/// The network after a block.
#[derive(Clone, Copy, Debug)]
pub struct Chain {
    /// The chain's own number.
    pub height: u64,
    /// Since genesis.
    pub time_ms: u64,
    /// In existence.
    pub issuance_rao: u64,
    /// The chain's own counter.
    pub stake_rao: u64,
    /// On root.
    pub root_stake_rao: u64,
    /// Subnets at most.
    pub subnet_limit: u16,
    /// Blocks that a subnet cannot be pruned.
    pub immunity_period: u64,
    /// Of a subnet.
    pub lock_cost_rao: u64,
    /// By ledger.
    pub leaks: Leaks,
    /// What emission shares follow.
    pub rules: RuleVersion,
}

impl Chain {
    /// What the curve allows for the next block.
    pub fn block_emission_rao(&self) -> u64 {
        block_emission(self.issuance_rao)
    }

    /// Halvings so far.
    pub fn halvings(&self) -> u32 {
        BLOCK_EMISSION_RAO.checked_div(self.block_emission_rao()).map_or(HALVINGS_MAX, u64::ilog2)
    }
}

/// Simulated faults of the scenario, by kind.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    calendar: Calendar,
    /// Came into force, from genesis on.
    pub begun: Kinds,
    /// In force in the last block.
    pub active: Kinds,
}

impl Faults {
    /// Nothing has happened yet.
    pub fn of(calendar: Calendar) -> Self {
        let none = calendar.none();
        Self { calendar, begun: none.clone(), active: none }
    }

    /// A block was made.
    fn block(&mut self, frame: &Frame, is_first: bool) {
        let height = frame.header.height;
        if is_first {
            self.begun = self.calendar.until(height);
        } else {
            self.calendar.add_beginning(height, &mut self.begun);
        }
        self.active = self.calendar.active(height);
    }
}

impl Readings {
    /// Folds a block and looks at the state after it.
    pub fn block(&mut self, frame: &Frame, state: &State) {
        self.count(frame, state);
        self.subnets.block(&frame.events, state);
        let root = state.subnet(NetUid::ROOT);
        self.chain = Some(Chain {
            height: frame.header.height.0,
            time_ms: frame.header.time_ms,
            issuance_rao: state.global.total_issuance.0,
            stake_rao: state.global.total_stake.0,
            root_stake_rao: root.map_or(0, |root| root.fast.pool.tao),
            subnet_limit: state.global.subnet_limit,
            immunity_period: state.global.network_immunity_period,
            lock_cost_rao: lock_cost(state).0,
            leaks: state.leaks,
            rules: state.rules.version,
        });
    }

    /// Counts what a block held, where nobody asks what the network is after it.
    pub fn pass(&mut self, frame: &Frame, state: &State) {
        self.count(frame, state);
        self.subnets.forget();
    }

    fn count(&mut self, frame: &Frame, state: &State) {
        let is_first = self.events.is_empty();
        self.faults.block(frame, is_first);
        for record in &frame.calls {
            let key = (record.call.name(), outcome(record.outcome), record.outcome.reason());
            *self.calls.entry(key).or_insert(0) += 1;
        }
        for refused in &frame.refused {
            let all = Outcome::Refused(refused.reason);
            let key = ("unknown", outcome(all), all.reason());
            *self.calls.entry(key).or_insert(0) += u64::from(refused.count);
        }
        for event in &frame.events {
            *self.events.entry(event.kind()).or_insert(0) += 1;
            self.counts.note(event, state);
            match event {
                Event::EmissionInjected(injected) => {
                    let parts = injected.tao_in.iter().chain(&injected.bought_with);
                    let sum = parts.fold(0_u64, |sum, part| sum.saturating_add(part.0));
                    self.emission_rao = self.emission_rao.saturating_add(sum);
                }
                Event::SubnetRegistered(_) => self.registered += 1,
                Event::SubnetDissolved(facts) => match facts.cause {
                    Cause::Prune => self.dissolved[0] += 1,
                    Cause::Root => self.dissolved[1] += 1,
                },
                _ => {}
            }
        }
        let Messages { sent, delivered, dropped } = frame.facts.messages;
        // A log can say anything; a total that leaves its range stays at its end.
        let total = &mut self.messages;
        total.sent = total.sent.saturating_add(sent);
        total.delivered = total.delivered.saturating_add(delivered);
        total.dropped = total.dropped.saturating_add(dropped);
        self.crashes += frame.facts.crashes.len() as u64;
    }
}

const fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Ok => "accepted",
        Outcome::Failed(_) => "rejected",
        Outcome::Refused(_) => "refused",
    }
}
