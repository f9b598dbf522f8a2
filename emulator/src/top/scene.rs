//! What of a state is shown after a block, and what of a block's events.
//!
//! What belongs here: taking both from states and events, small enough to keep thousands. What does not: which of them are
//! kept (`model`).

use crate::names::Names;
use crate::rank::{Rank, rank};
use crate::run::totals::ratio;
use crate::telling::facts::facts;
use crate::telling::lines::fact_line;
use protocol::event::Event;
use protocol::registration::lock_cost;
use protocol::state::State;
use protocol::units::{Height, Rao, UNITS_PER_TOKEN};
use std::sync::Arc;

/// Lines of a block that are told at most.
pub const LINES_MAX: usize = 120;

/// A state as it is shown.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scene {
    /// After which block.
    pub height: u64,
    /// TAO in existence.
    pub issuance: Rao,
    /// TAO of a block.
    pub block_emission: Rao,
    /// TAO to register a subnet.
    pub lock_cost: Rao,
    /// TAO that is staked.
    pub stake: Rao,
    /// Every subnet but root, by number.
    pub subnets: Vec<SubnetRow>,
}

/// A subnet as it is shown.
#[derive(Clone, Debug, PartialEq)]
pub struct SubnetRow {
    /// Its number.
    pub netuid: u16,
    /// Its symbol and name.
    pub name: Arc<str>,
    /// TAO per alpha.
    pub price: f64,
    /// The chain's moving price.
    pub moving_price: f64,
    /// Its part of a block's TAO emission.
    pub share: f64,
    /// The chain's average of net flow, in TAO per block.
    pub flow: f64,
    /// TAO in its pool.
    pub reserve: f64,
    /// Neurons.
    pub neurons: u16,
    /// Those that may set weights.
    pub validators: u16,
}

impl Scene {
    /// A state as it is shown. Names are shared with the scene before, if there is one.
    pub fn of(state: &State, before: Option<&Self>) -> Self {
        let subnets = state.networks().filter(|(netuid, _)| !netuid.is_root());
        let rows = subnets.map(|(netuid, subnet)| {
            let fast = &subnet.fast;
            let average = fast.flow_average.map_or(0, |(_, average)| average);
            let permits = subnet.neurons.validator_permit.iter().filter(|permit| **permit);
            SubnetRow {
                netuid: netuid.0,
                name: name(netuid.0, &subnet.info.symbol, &subnet.info.name, before),
                price: ratio(subnet.price(), 32),
                moving_price: ratio(subnet.moving_price(), 32),
                share: ratio(fast.emission_share, 64),
                flow: average as f64 / 2f64.powi(64) / UNITS_PER_TOKEN as f64,
                reserve: fast.pool.tao as f64 / UNITS_PER_TOKEN as f64,
                neurons: u16::try_from(subnet.neurons.len()).unwrap_or(u16::MAX),
                validators: u16::try_from(permits.count()).unwrap_or(u16::MAX),
            }
        });
        Self {
            height: state.height.0,
            issuance: state.global.total_issuance,
            block_emission: state.global.block_emission,
            lock_cost: lock_cost(state),
            stake: state.global.total_stake,
            subnets: rows.collect(),
        }
    }

    /// The row of a subnet.
    pub fn subnet(&self, netuid: u16) -> Option<&SubnetRow> {
        let at = self.subnets.binary_search_by_key(&netuid, |row| row.netuid).ok()?;
        self.subnets.get(at)
    }
}

/// A subnet's symbol and name; shared with the scene before, if there is one.
pub(super) fn name(netuid: u16, symbol: &str, name: &str, before: Option<&Scene>) -> Arc<str> {
    let is_it = |known: &str| {
        known.strip_prefix(symbol).and_then(|rest| rest.strip_prefix(' ')) == Some(name)
    };
    match before.and_then(|scene| scene.subnet(netuid)) {
        Some(row) if is_it(&row.name) => row.name.clone(),
        _ => format!("{symbol} {name}").into(),
    }
}

/// What happened in a block, in words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// In which block.
    pub height: u64,
    /// The lines, in order, so many at most.
    pub lines: Vec<TellingLine>,
    /// Lines beyond those.
    pub more: usize,
}

/// A line of a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TellingLine {
    /// What it says, as `btemu log` says it.
    pub text: String,
    /// Whether somebody did something; the rest is the chain's own bookkeeping.
    pub is_deed: bool,
}

impl Told {
    /// The events of a block. Deeds come before bookkeeping when there are too many lines.
    pub fn of(height: Height, events: &[Event], names: &Names) -> Self {
        let mut lines: Vec<TellingLine> = Vec::new();
        let (mut kept, mut more) = (0, 0);
        for event in events {
            let is_deed = rank(event) > Rank::Bookkeeping;
            for fact in facts(event) {
                if kept >= LINES_MAX && !is_deed || lines.len() >= 2 * LINES_MAX {
                    more += 1;
                    continue;
                }
                kept += usize::from(!is_deed);
                lines.push(TellingLine { text: fact_line(names, &fact), is_deed });
            }
        }
        Self { height: height.0, lines, more }
    }
}
