//! One subnet's answers to the five questions: product, flow, team, flywheel, exit.

use super::gather::{Flow, Gathered, SubnetPast};
use crate::accounting::quote;
use crate::run::totals::ratio;
use actors::registry::Role;
use protocol::state::{State, Subnet};
use protocol::units::{AccountId, Alpha, BLOCKS_PER_DAY, NetUid, Rao};
use serde::Serialize;
use std::collections::BTreeMap;

/// Positions whose sale is quoted, in rao at the spot price.
pub const EXITS: [Rao; 4] =
    [Rao::whole(10), Rao::whole(100), Rao::whole(1_000), Rao::whole(10_000)];
/// Days of the trend.
const TREND_DAYS: u64 = 30;
/// Roles whose buys come of a network at work: what it earned or was paid, put back into it. Other buys speculate.
const ORGANIC: [&str; 4] =
    [Role::Owner.name(), Role::Validator.name(), Role::Miner.name(), "customer"];

/// A subnet's part of a report.
#[derive(Clone, Debug, Serialize)]
pub struct SubnetReport {
    /// Its number.
    pub netuid: u16,
    /// Its name.
    pub name: String,
    /// Its token's symbol.
    pub symbol: String,
    /// When it was registered.
    pub registered_at: u64,
    /// When it was dissolved, if it was.
    pub dissolved_at: Option<u64>,
    /// TAO per alpha at first.
    pub price_start: f64,
    /// At last.
    pub price_end: f64,
    /// Is there real demand?
    pub product: Product,
    /// Does capital come or go?
    pub flow: FlowReport,
    /// Does the team deliver?
    pub team: Team,
    /// Who buys?
    pub flywheel: Flywheel,
    /// Can one leave? Nothing where the subnet is gone.
    pub exits: Vec<Exit>,
}

/// See [`SubnetReport::product`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Product {
    /// Queries sent by its validators and customers.
    pub queries: u64,
    /// Answers that came back.
    pub answers: u64,
    /// Answers by queries; nothing where nobody asked.
    pub answered: Option<f64>,
    /// Mean time to an answer.
    pub latency_ms: Option<f64>,
    /// TAO that customers paid its owner.
    pub revenue_rao: Rao,
    /// Neurons with a permit whose rows count.
    pub validators_active: u64,
    /// Their trust by stake: the part of what they say that consensus keeps.
    pub agreement: Option<f64>,
}

/// See [`SubnetReport::flow`].
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct FlowReport {
    /// TAO into the pool.
    pub in_rao: Rao,
    /// TAO out of it.
    pub out_rao: Rao,
    /// In less out.
    pub net_rao: i128,
    /// Where it is going; nothing in a run of a day.
    pub trend: Option<Trend>,
    /// The chain's own average, in rao per block.
    pub average_rao: Option<f64>,
    /// Share of the last block's TAO emission.
    pub emission_share: f64,
    /// Its place by that share, from 1; nothing where the subnet is gone.
    pub emission_rank: Option<u64>,
    /// TAO emission over the run.
    pub emission_rao: Rao,
}

/// The net flow of the last days, and of as many before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Trend {
    /// How many days: 30, or half of a shorter run.
    pub days: u64,
    /// Of the last ones.
    pub recent_rao: i128,
    /// Of those before.
    pub before_rao: i128,
}

/// See [`SubnetReport::team`].
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Team {
    /// The owner's coldkey.
    pub owner: Option<AccountId>,
    /// Hyperparameters it set.
    pub parameters_set: u64,
    /// Times it said who it is.
    pub identities_set: u64,
    /// Alpha it was paid as the owner's cut.
    pub cut_alpha_rao: Alpha,
    /// Alpha it sold.
    pub sold_alpha_rao: Alpha,
    /// TAO it bought alpha with.
    pub bought_rao: Rao,
    /// The part of its cut that it did not sell; 0 where it sold more. Nothing without a cut.
    pub kept: Option<f64>,
}

/// See [`SubnetReport::flywheel`].
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Flywheel {
    /// Flows by role.
    pub flows: BTreeMap<&'static str, Flow>,
    /// TAO that owners, customers, validators and miners bought with.
    pub organic_rao: Rao,
    /// TAO that everybody else bought with.
    pub speculative_rao: Rao,
    /// Organic buys by all buys; nothing where nobody bought.
    pub organic: Option<f64>,
}

/// A position sold in one order.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Exit {
    /// Its value at the spot price.
    pub size_rao: Rao,
    /// What the seller gets.
    pub proceeds_rao: Rao,
    /// What is lost, fee included; nothing where the pool cannot pay.
    pub slippage: Option<f64>,
}

/// The reports of all subnets: those alive by emission share, then those that are gone, the last first.
pub fn reports(gathered: &Gathered, state: &State) -> Vec<SubnetReport> {
    let last_day = state.height.0.saturating_sub(gathered.genesis.0 + 1) / BLOCKS_PER_DAY;
    let mut ranked: Vec<(NetUid, u128)> = gathered
        .alive
        .keys()
        .filter_map(|netuid| Some((*netuid, state.subnet(*netuid)?.fast.emission_share)))
        .collect();
    ranked.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
    let alive = (1..).zip(&ranked).filter_map(|(rank, (netuid, _))| {
        let past = gathered.alive.get(netuid)?;
        Some(report(*netuid, past, state, Some(rank), last_day))
    });
    let gone = gathered.gone.iter().rev();
    let gone = gone.map(|(netuid, past)| report(*netuid, past, state, None, last_day));
    alive.chain(gone).collect()
}

fn report(
    netuid: NetUid,
    past: &SubnetPast,
    state: &State,
    rank: Option<u64>,
    last_day: u64,
) -> SubnetReport {
    let subnet = rank.and_then(|_| state.subnet(netuid));
    SubnetReport {
        netuid: netuid.0,
        name: past.name.clone(),
        symbol: past.symbol.clone(),
        registered_at: past.registered_at,
        dissolved_at: past.dissolved_at,
        price_start: ratio(past.price_start, 32),
        price_end: ratio(past.price_end, 32),
        product: product(past, subnet, state),
        flow: flow(past, subnet, rank, last_day),
        team: team(past),
        flywheel: flywheel(past),
        exits: subnet.map(|subnet| exits(subnet, &EXITS)).unwrap_or_default(),
    }
}

fn product(past: &SubnetPast, subnet: Option<&Subnet>, state: &State) -> Product {
    let of = |sum: u64, count: u64| (count > 0).then(|| sum as f64 / count as f64);
    let (validators_active, agreement) = subnet.map_or((0, None), |subnet| agree(subnet, state));
    Product {
        queries: past.queries,
        answers: past.answers,
        answered: of(past.answers, past.queries),
        latency_ms: of(past.latency_ms, past.answers),
        revenue_rao: past.revenue,
        validators_active,
        agreement,
    }
}

/// Neurons whose rows count, and their trust by stake.
fn agree(subnet: &Subnet, state: &State) -> (u64, Option<f64>) {
    let neurons = &subnet.neurons;
    let cutoff = u64::from(subnet.params.activity_cutoff);
    let (updates, rows) = subnet.mechanism(0).map_or((&[][..], &[][..]), |mechanism| {
        (mechanism.last_update.as_slice(), mechanism.weights.as_slice())
    });
    let (mut count, mut stake, mut kept) = (0, 0.0, 0.0);
    for (uid, trust) in neurons.validator_trust.iter().enumerate() {
        let permitted = neurons.validator_permit.get(uid) == Some(&true);
        let recent = updates.get(uid).is_some_and(|at| at + cutoff >= state.height.0);
        let has_row = rows.get(uid).is_some_and(|row| !row.is_empty());
        if permitted && recent && has_row {
            let weight = neurons.stake_weight.get(uid).map_or(0.0, |weight| f64::from(*weight));
            count += 1;
            stake += weight;
            kept += weight * f64::from(*trust) / f64::from(u16::MAX);
        }
    }
    (count, (stake > 0.0).then(|| kept / stake))
}

fn flow(
    past: &SubnetPast,
    subnet: Option<&Subnet>,
    rank: Option<u64>,
    last_day: u64,
) -> FlowReport {
    let Flow { in_rao, out_rao } = past.flow();
    let sum = |from: u64, to: u64| -> i128 { past.days.range(from..to).map(|(_, net)| *net).sum() };
    let days = TREND_DAYS.min(last_day.div_ceil(2));
    let trend = (days > 0).then(|| {
        let from = last_day + 1 - days;
        let (recent_rao, before_rao) = (sum(from, last_day + 1), sum(from - days, from));
        Trend { days, recent_rao, before_rao }
    });
    let average = subnet.and_then(|subnet| subnet.fast.flow_average);
    FlowReport {
        in_rao,
        out_rao,
        net_rao: past.flow().net(),
        trend,
        average_rao: average.map(|(_, bits)| bits as f64 / f64::powi(2.0, 64)),
        emission_share: subnet.map_or(0.0, |subnet| ratio(subnet.fast.emission_share, 64)),
        emission_rank: rank,
        emission_rao: past.emission,
    }
}

fn team(past: &SubnetPast) -> Team {
    let kept = (past.cut > Alpha::ZERO)
        .then(|| past.cut.minus(past.owner_sold).0 as f64 / past.cut.0 as f64);
    Team {
        owner: past.owner,
        parameters_set: past.parameters_set,
        identities_set: past.identities_set,
        cut_alpha_rao: past.cut,
        sold_alpha_rao: past.owner_sold,
        bought_rao: past.owner_bought,
        kept,
    }
}

fn flywheel(past: &SubnetPast) -> Flywheel {
    let (mut organic, mut speculative) = (Rao::ZERO, Rao::ZERO);
    for (role, flow) in &past.flows {
        let side = if ORGANIC.contains(role) { &mut organic } else { &mut speculative };
        *side = side.plus(flow.in_rao);
    }
    let all = organic.plus(speculative);
    Flywheel {
        flows: past.flows.clone(),
        organic_rao: organic,
        speculative_rao: speculative,
        organic: (all > Rao::ZERO).then(|| organic.0 as f64 / all.0 as f64),
    }
}

/// What sales of positions of these values would bring; nothing where alpha has no price.
pub fn exits(subnet: &Subnet, sizes: &[Rao]) -> Vec<Exit> {
    let price = subnet.price();
    let sizes = sizes.iter().filter(|_| price > 0);
    sizes
        .map(|size| {
            let alpha = (u128::from(size.0) << 32) / price;
            let alpha = Alpha(u64::try_from(alpha).unwrap_or(u64::MAX));
            let quote = quote(subnet, alpha, alpha);
            Exit { size_rao: *size, proceeds_rao: quote.proceeds, slippage: quote.slippage }
        })
        .collect()
}
