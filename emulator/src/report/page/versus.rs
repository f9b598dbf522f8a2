//! Two runs on one page: where they part, the same figures side by side, and what differs.
//!
//! What belongs here: what is said of both. What does not: finding where they part (`diff`), and what is said of one.

use super::charts::drawn;
use super::drawn::panel;
use super::figures::{figures, percent, price, signed_tao, tao};
use super::tables::signed;
use crate::chart::ChartError;
use crate::page::{table, text};
use crate::report::SubnetReport;
use crate::report::dossier::Dossier;
use crate::report::series::{NetworkPoint, SubnetKey};
use maud::{Markup, html};
use protocol::units::UNITS_PER_TOKEN;
use std::collections::{BTreeMap, BTreeSet};

/// Subnets whose prices are drawn: those whose emission share differs most at last.
const SUBNETS_DRAWN: usize = 4;
/// Subnets that are compared in the table.
const SUBNETS_SHOWN: usize = 12;
const NONE: &str = "–";

/// How two runs compare, in words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Where they part, in a sentence.
    pub verdict: String,
    /// What more is known of that place: name, the first run's, the second's.
    pub there: Vec<[String; 3]>,
    /// What they were decided from, where it is not the same.
    pub plan: Vec<[String; 3]>,
    /// Differences of plans beyond those.
    pub plan_more: u64,
}

/// What is said of both.
///
/// # Errors
/// A chart cannot be drawn.
pub fn section(a: &Dossier, b: &Dossier, how: &Comparison) -> Result<Markup, ChartError> {
    let sides = three(how.there.iter());
    let plans = three(how.plan.iter());
    let panels = panels(a, b)?;
    Ok(html! {
        p { strong { "A" } " is " code { (a.run) } ", " strong { "B" } " is " code { (b.run) }
            "; differences are B less A. " (how.verdict) }
        @if !plans.is_empty() {
            h3 { "Decided from different plans" }
            (table(&["what", "A", "B"], &plans, &[]))
            @if how.plan_more > 0 { p.faint { "and " (how.plan_more) " more: " code { "btemu diff A B" } } }
        }
        @if !sides.is_empty() {
            h3 { "Where they part" }
            (table(&["what", "A", "B"], &sides, &[]))
        }
        h3 { "Figures" }
        (figures_table(a, b))
        (panels)
        h3 { "What roles earned" }
        (roles_table(a, b))
        h3 { "Subnets" }
        (subnets_table(a, b))
    })
}

fn three<'a>(rows: impl Iterator<Item = &'a [String; 3]>) -> Vec<Vec<Markup>> {
    rows.map(|row| row.iter().map(text).collect()).collect()
}

fn figures_table(a: &Dossier, b: &Dossier) -> Markup {
    let rows: Vec<Vec<Markup>> = figures(a)
        .into_iter()
        .zip(figures(b))
        .map(|(a, b)| {
            vec![
                text(a.name),
                text(a.value.told()),
                text(b.value.told()),
                text(b.value.beyond(a.value)),
            ]
        })
        .collect();
    table(&["figure", "A", "B", "B − A"], &rows, &[1, 2, 3])
}

/// The network of both, and the prices of the subnets that differ most.
fn panels(a: &Dossier, b: &Dossier) -> Result<Markup, ChartError> {
    let network = |title: &str, unit: &str, of: fn(&NetworkPoint) -> f64| {
        let course = |dossier: &Dossier| {
            dossier.series.network.iter().map(|point| (point.block, of(point))).collect()
        };
        both(title, unit, a, b, [course(a), course(b)])
    };
    let tao = UNITS_PER_TOKEN as f64;
    let flow = |dossier: &Dossier| -> Vec<(u64, f64)> {
        let mut sums: BTreeMap<u64, i128> = BTreeMap::new();
        for (block, net) in dossier.series.flows.values().flatten() {
            *sums.entry(*block).or_default() += net;
        }
        sums.into_iter().map(|(block, net)| (block, net as f64 / tao)).collect()
    };
    let mut pictures = vec![
        network("TAO emission", "TAO since genesis", |point| {
            point.emission_rao.0 as f64 / UNITS_PER_TOKEN as f64
        })?,
        both("Net flow into pools", "TAO since genesis", a, b, [flow(a), flow(b)])?,
        network("Concentration of emission", "Gini", |point| point.gini)?,
        network("Lock cost", "TAO to register a subnet", |point| {
            point.lock_cost_rao.0 as f64 / UNITS_PER_TOKEN as f64
        })?,
    ];
    for (subnet, other) in pairs(a, b).into_iter().take(SUBNETS_DRAWN) {
        let Some(one) = subnet.or(other) else { continue };
        let course = |dossier: &Dossier, subnet: Option<&SubnetReport>| -> Vec<(u64, f64)> {
            let key = subnet.map(|subnet| (subnet.netuid, subnet.registered_at));
            let points = key.and_then(|key| dossier.series.subnets.get(&key));
            points.into_iter().flatten().map(|point| (point.block, point.price)).collect()
        };
        let title = format!("Price of {}", super::charts::name(one));
        pictures.push(both(&title, "TAO per alpha", a, b, [course(a, subnet), course(b, other)])?);
    }
    Ok(html! { div.panels { @for picture in &pictures { (picture) } } })
}

/// The same of both runs in one picture. Where they are alike one sees B.
fn both(
    title: &str,
    unit: &str,
    a: &Dossier,
    b: &Dossier,
    [of_a, of_b]: [Vec<(u64, f64)>; 2],
) -> Result<Markup, ChartError> {
    let curves = [("A".to_owned(), of_a), ("B".to_owned(), of_b)];
    panel(title, unit, &drawn(&curves, a.blocks().max(b.blocks()), &[]))
}

fn roles_table(a: &Dossier, b: &Dossier) -> Markup {
    let (of_a, of_b) = (&a.report.network.roles, &b.report.network.roles);
    let roles: BTreeSet<&str> = of_a.keys().chain(of_b.keys()).copied().collect();
    let rows: Vec<Vec<Markup>> = roles
        .into_iter()
        .map(|role| {
            let streams = [of_a, of_b].map(|of| of.get(role).copied().unwrap_or_default());
            let income = streams.map(|one| i128::from(one.income_rao.0));
            let result = streams.map(|one| one.price_result_rao);
            let gap = streams[1].result_rao() - streams[0].result_rao();
            vec![
                text(role),
                text(tao(income[0])),
                text(tao(income[1])),
                text(signed_tao(result[0])),
                text(signed_tao(result[1])),
                signed(gap as f64, signed_tao(gap)),
            ]
        })
        .collect();
    let header = ["role", "emission A", "B", "prices A", "B", "both, B − A"];
    table(&header, &rows, &[1, 2, 3, 4, 5])
}

fn subnets_table(a: &Dossier, b: &Dossier) -> Markup {
    let rows: Vec<Vec<Markup>> = pairs(a, b)
        .into_iter()
        .take(SUBNETS_SHOWN)
        .filter_map(|(of_a, of_b)| {
            let one = of_a.or(of_b)?;
            let told = |subnet: Option<&SubnetReport>, of: fn(&SubnetReport) -> String| {
                text(subnet.map_or_else(|| NONE.to_owned(), of))
            };
            let net = |subnet: Option<&SubnetReport>| subnet.map_or(0, |one| one.flow.net_rao);
            let gap = net(of_b) - net(of_a);
            Some(vec![
                text(super::charts::name(one)),
                told(of_a, |one| price(one.price_end)),
                told(of_b, |one| price(one.price_end)),
                told(of_a, |one| percent(one.flow.emission_share)),
                told(of_b, |one| percent(one.flow.emission_share)),
                signed(gap as f64, signed_tao(gap)),
            ])
        })
        .collect();
    let header = ["subnet", "price A", "B", "emission A", "B", "net flow, B − A"];
    table(&header, &rows, &[1, 2, 3, 4, 5])
}

/// A subnet in both runs, where it is there.
type Pair<'a> = (Option<&'a SubnetReport>, Option<&'a SubnetReport>);

/// The subnets of both, those whose emission share differs most first. A registration is the same if its netuid and block
/// are.
fn pairs<'a>(a: &'a Dossier, b: &'a Dossier) -> Vec<Pair<'a>> {
    let mut all: BTreeMap<SubnetKey, Pair<'_>> = BTreeMap::new();
    for subnet in &a.report.subnets {
        all.entry((subnet.netuid, subnet.registered_at)).or_default().0 = Some(subnet);
    }
    for subnet in &b.report.subnets {
        all.entry((subnet.netuid, subnet.registered_at)).or_default().1 = Some(subnet);
    }
    let share = |subnet: Option<&SubnetReport>| subnet.map_or(0.0, |one| one.flow.emission_share);
    let gap = |pair: &Pair<'_>| (share(pair.0) - share(pair.1)).abs();
    let mut pairs: Vec<Pair<'a>> = all.into_values().collect();
    pairs.sort_by(|one, other| gap(other).total_cmp(&gap(one)));
    pairs
}
