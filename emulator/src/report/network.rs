//! The network's part of a report: how concentrated it is, what each role earned, who came and who went.

use super::gather::{Gathered, OTHERS, Turnover};
use super::inequality::{gini, herfindahl, top_share};
use crate::accounting::{Accounts, value};
use crate::diff::consequences::{WealthPoint, wealth};
use crate::plan::Plan;
use crate::run::totals::ratio;
use actors::registry::Role;
use protocol::state::State;
use protocol::units::{AccountId, Rao};
use serde::Serialize;
use std::collections::BTreeMap;

/// Subnets whose shares are summed.
pub const TOP: usize = 10;

/// The network's part of a report.
#[derive(Clone, Debug, Serialize)]
pub struct NetworkReport {
    /// The genesis height.
    pub genesis_block: u64,
    /// The last block.
    pub block: u64,
    /// Subnets at genesis, root not counted.
    pub subnets_start: u64,
    /// At the end.
    pub subnets_end: u64,
    /// Subnets that came.
    pub registered: Vec<Turnover>,
    /// Subnets that went.
    pub dissolved: Vec<Turnover>,
    /// TAO in existence.
    pub total_issuance_rao: Rao,
    /// TAO emission over the run.
    pub emission_rao: Rao,
    /// The ten largest emission shares together.
    pub top10_emission_share: f64,
    /// Herfindahl index of emission shares.
    pub herfindahl: f64,
    /// Gini coefficient of emission shares.
    pub gini: f64,
    /// The two streams and the wealth of each role.
    pub roles: BTreeMap<&'static str, RoleStreams>,
    /// The same by behaviour, in the order of roles and names.
    pub behaviours: Vec<BehaviourStreams>,
}

/// What those of one behaviour earned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BehaviourStreams {
    /// Their role.
    pub role: &'static str,
    /// Their behaviour.
    pub behaviour: &'static str,
    /// How many they are.
    pub players: u64,
    /// What they earned.
    #[serde(flatten)]
    pub streams: RoleStreams,
}

/// What those of a role earned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RoleStreams {
    /// Emission income, at its value when it came.
    pub income_rao: Rao,
    /// What prices made of what they held: realised and not.
    pub price_result_rao: i128,
    /// Free TAO and stake at genesis.
    pub wealth_start_rao: Rao,
    /// At the end.
    pub wealth_end_rao: Rao,
}

impl RoleStreams {
    /// Both streams together.
    pub fn result_rao(&self) -> i128 {
        i128::from(self.income_rao.0) + self.price_result_rao
    }
}

impl NetworkReport {
    /// What was gathered, with the state after the last block.
    pub fn new(plan: &Plan, gathered: &Gathered, accounts: &Accounts, state: &State) -> Self {
        let shares: Vec<f64> = state
            .networks()
            .filter(|(netuid, _)| !netuid.is_root())
            .map(|(_, subnet)| ratio(subnet.fast.emission_share, 64))
            .collect();
        Self {
            genesis_block: gathered.genesis.0,
            block: state.height.0,
            subnets_start: plan.genesis.networks().count() as u64 - 1,
            subnets_end: shares.len() as u64,
            registered: gathered.registered.clone(),
            dissolved: gathered.dissolved.clone(),
            total_issuance_rao: state.global.total_issuance,
            emission_rao: gathered.emission,
            top10_emission_share: top_share(&shares, TOP),
            herfindahl: herfindahl(&shares),
            gini: gini(&shares),
            roles: roles(gathered, accounts, state),
            behaviours: behaviours(gathered, accounts, state),
        }
    }
}

fn roles(
    gathered: &Gathered,
    accounts: &Accounts,
    state: &State,
) -> BTreeMap<&'static str, RoleStreams> {
    streams(&gathered.wealth_start, accounts, state, |coldkey| gathered.role(coldkey))
}

fn behaviours(gathered: &Gathered, accounts: &Accounts, state: &State) -> Vec<BehaviourStreams> {
    let starts = &gathered.behaviour_wealth_start;
    let streams = streams(starts, accounts, state, |coldkey| gathered.behaviour(coldkey));
    let place = |role: &str| Role::ALL.iter().position(|one| one.name() == role);
    let mut rows: Vec<BehaviourStreams> = streams
        .into_iter()
        .filter(|((role, _), _)| *role != OTHERS)
        .map(|((role, behaviour), streams)| {
            let players = gathered.players_of((role, behaviour));
            BehaviourStreams { role, behaviour, players, streams }
        })
        .collect();
    rows.sort_by_key(|row| (place(row.role), row.behaviour));
    rows
}

/// The two streams and the wealth of each class of coldkeys; a class without anything is missing.
fn streams<K: Ord + Copy>(
    starts: &BTreeMap<K, WealthPoint>,
    accounts: &Accounts,
    state: &State,
    class: impl Fn(&AccountId) -> K,
) -> BTreeMap<K, RoleStreams> {
    let mut classes: BTreeMap<K, RoleStreams> = BTreeMap::new();
    for (class, point) in starts {
        if point.sum() > Rao::ZERO {
            classes.entry(*class).or_default().wealth_start_rao = point.sum();
        }
    }
    for (class, point) in wealth(state, &class) {
        if point.sum() > Rao::ZERO {
            classes.entry(class).or_default().wealth_end_rao = point.sum();
        }
    }
    for (coldkey, book) in accounts.books() {
        let streams = classes.entry(class(coldkey)).or_default();
        for ((netuid, _), position) in &book.positions {
            let spot = crate::accounting::price(state, *netuid);
            let worth = i128::from(value(position.alpha, spot).0);
            let unrealised = worth - i128::from(position.cost.0);
            streams.price_result_rao += position.realised + unrealised;
            for income in position.income.values() {
                streams.income_rao = streams.income_rao.plus(income.rao);
            }
        }
    }
    classes
}
