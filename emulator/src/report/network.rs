//! The network's part of a report: how concentrated it is, what each role earned, who came and who went.

use super::gather::{Gathered, OTHERS, Turnover};
use super::inequality::{gini, herfindahl, top_share};
use crate::accounting::{Accounts, value};
use crate::diff::consequences::{WealthPoint, wealth};
use crate::plan::Plan;
use crate::run::totals::ratio;
use actors::registry::Role;
use protocol::state::State;
use protocol::units::Rao;
use serde::Serialize;
use std::collections::BTreeMap;

/// Subnets whose shares are summed.
const TOP: usize = 10;

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
        }
    }
}

fn roles(
    gathered: &Gathered,
    accounts: &Accounts,
    state: &State,
) -> BTreeMap<&'static str, RoleStreams> {
    let mut roles: BTreeMap<&'static str, RoleStreams> = BTreeMap::new();
    let ends = wealth(state, |coldkey| gathered.role(coldkey));
    let sum = |points: &BTreeMap<&'static str, WealthPoint>, role: &'static str| {
        points.get(role).map_or(Rao::ZERO, WealthPoint::sum)
    };
    for role in Role::ALL.iter().map(|role| role.name()).chain([OTHERS]) {
        let (start, end) = (sum(&gathered.wealth_start, role), sum(&ends, role));
        if start > Rao::ZERO || end > Rao::ZERO {
            let streams = roles.entry(role).or_default();
            (streams.wealth_start_rao, streams.wealth_end_rao) = (start, end);
        }
    }
    for (coldkey, book) in accounts.books() {
        let streams = roles.entry(gathered.role(coldkey)).or_default();
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
    roles
}
