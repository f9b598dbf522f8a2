//! Which curves a page draws of a run: prices and emission, flows, concentration, wealth.
//!
//! What belongs here: choosing and scaling what is drawn. What does not: figures (`report`), and pictures (`drawn`).

use super::drawn::panel;
use crate::chart::panel::Panel;
use crate::chart::{ChartError, Curve, FAINT, ramp};
use crate::report::SubnetReport;
use crate::report::dossier::Dossier;
use crate::report::series::{NetworkPoint, SubnetPoint};
use maud::{Markup, html};
use protocol::units::{Rao, UNITS_PER_TOKEN};

/// Subnets that have a curve.
const SUBNETS_DRAWN: usize = 6;

/// Curves to be drawn, with their names.
type Named = Vec<(String, Vec<(u64, f64)>)>;

/// Prices, shares, emission and what a place costs.
///
/// # Errors
/// A chart cannot be drawn.
pub fn emission(dossier: &Dossier) -> Result<Markup, ChartError> {
    let largest = largest(dossier, |subnet| subnet.flow.emission_share);
    let changes = of_subnets(dossier, &largest, |point, first| {
        if first.price > 0.0 { (point.price / first.price - 1.0) * 100.0 } else { 0.0 }
    });
    let mut shares = of_subnets(dossier, &largest, |point, _| point.share * 100.0);
    // In a network that was made up nobody has any emission at genesis.
    let begun = with_emission(dossier).next().map_or(0, |point| point.block);
    shares.iter_mut().for_each(|(_, points)| points.retain(|(block, _)| *block >= begun));
    Ok(html! {
        div.panels {
            (over_time(dossier, "Price since genesis", "% change, six largest", &changes, &[0.0])?)
            (over_time(dossier, "Share of emission", "%, six largest", &shares, &[])?)
            (network(dossier, "TAO emission", "TAO since genesis", |point| tao(point.emission_rao))?)
            (network(dossier, "Lock cost", "TAO to register a subnet", |point| {
                tao(point.lock_cost_rao)
            })?)
        }
    })
}

/// Whose money goes in and out, and where.
///
/// # Errors
/// A chart cannot be drawn.
pub fn flows(dossier: &Dossier) -> Result<Markup, ChartError> {
    let roles: Named = dossier
        .series
        .flows
        .iter()
        .map(|(role, points)| {
            let points =
                points.iter().map(|(block, net)| (*block, *net as f64 / UNITS_PER_TOKEN as f64));
            ((*role).to_owned(), points.collect())
        })
        .collect();
    let moved = largest(dossier, |subnet| (subnet.flow.net_rao as f64).abs());
    let subnets =
        of_subnets(dossier, &moved, |point, _| point.net_rao as f64 / UNITS_PER_TOKEN as f64);
    Ok(html! {
        div.panels {
            (over_time(dossier, "Net flow by role", "TAO into pools since genesis", &roles, &[0.0])?)
            (over_time(dossier, "Net flow by subnet", "TAO, the six that moved most", &subnets, &[0.0])?)
        }
    })
}

/// How unequal emission is.
///
/// # Errors
/// A chart cannot be drawn.
pub fn concentration(dossier: &Dossier) -> Result<Markup, ChartError> {
    let points = || with_emission(dossier);
    let course = |name: &str, of: fn(&NetworkPoint) -> f64| {
        (name.to_owned(), points().map(|point| (point.block, of(point))).collect())
    };
    let indices: Named = vec![
        course("top ten", |point| point.top10),
        course("Gini", |point| point.gini),
        course("Herfindahl", |point| point.herfindahl),
    ];
    let first = points().next().map_or(0, |point| point.block);
    let last = dossier.blocks();
    let curve = |block: u64, number: usize, label: String| Curve {
        lines: vec![lorenz(dossier, block)],
        colour: ramp(number, 2),
        label,
    };
    let equal = Curve {
        lines: vec![vec![(0.0, 0.0), (100.0, 100.0)]],
        colour: FAINT,
        label: "all alike".to_owned(),
    };
    let lorenz = Panel {
        x: (0.0, 100.0),
        y_includes: vec![0.0, 100.0],
        curves: vec![
            equal,
            curve(first, 0, format!("block +{first}")),
            curve(last, 1, format!("block +{last}")),
        ],
        ..Panel::default()
    };
    Ok(html! {
        div.panels {
            (over_time(dossier, "Concentration of emission", "from 0 (alike) to 1", &indices, &[0.0, 1.0])?)
            (panel("Who gets emission", "% of it to the smallest % of subnets", &lorenz)?)
        }
    })
}

/// What each role has, against genesis.
///
/// # Errors
/// A chart cannot be drawn.
pub fn wealth(dossier: &Dossier) -> Result<Markup, ChartError> {
    let courses: Named = dossier
        .series
        .wealth
        .iter()
        .map(|(role, points)| {
            // A role that is not there yet has nothing.
            let absent = points.first().filter(|(block, _)| *block > 0).map(|_| (0, 0.0));
            let points = points.iter().map(|(block, owned)| (*block, tao(*owned)));
            ((*role).to_owned(), absent.into_iter().chain(points).collect())
        })
        .collect();
    let against = |of: fn(f64, f64) -> f64| -> Named {
        let began = |points: &[(u64, f64)]| points.first().map_or(0.0, |(_, first)| *first);
        let courses = courses.iter().map(|(role, points)| {
            let first = began(points);
            (
                role.clone(),
                points.iter().map(|(block, owned)| (*block, of(*owned, first))).collect(),
            )
        });
        courses.collect()
    };
    let beyond = against(|owned, first| owned - first);
    let mut relative =
        against(|owned, first| if first > 0.0 { (owned / first - 1.0) * 100.0 } else { f64::NAN });
    relative.retain(|(_, points)| points.iter().all(|(_, value)| value.is_finite()));
    Ok(html! {
        div.panels {
            (over_time(dossier, "Wealth by role", "TAO beyond genesis, stake at spot prices", &beyond, &[0.0])?)
            (over_time(dossier, "Wealth by role", "% beyond genesis, of those who had any", &relative, &[0.0])?)
        }
    })
}

/// One curve of the network.
fn network(
    dossier: &Dossier,
    title: &str,
    unit: &str,
    of: impl Fn(&NetworkPoint) -> f64,
) -> Result<Markup, ChartError> {
    let points = dossier.series.network.iter().map(|point| (point.block, of(point)));
    over_time(dossier, title, unit, &[(String::new(), points.collect())], &[])
}

/// Curves over blocks since genesis; the times of faults stand out.
fn over_time(
    dossier: &Dossier,
    title: &str,
    unit: &str,
    curves: &[(String, Vec<(u64, f64)>)],
    y_includes: &[f64],
) -> Result<Markup, ChartError> {
    let faults = dossier.trouble.faults.iter();
    let spans = faults
        .map(|(_, from, to)| (dossier.since(*from) as f64, dossier.since(*to) as f64))
        .collect();
    panel(title, unit, &Panel { spans, ..drawn(curves, dossier.blocks(), y_includes) })
}

/// Curves of so many blocks, with a colour each.
pub fn drawn(curves: &[(String, Vec<(u64, f64)>)], blocks: u64, y_includes: &[f64]) -> Panel {
    let count = curves.len();
    let curves = curves.iter().enumerate().map(|(number, (label, points))| Curve {
        lines: vec![points.iter().map(|(block, value)| (*block as f64, *value)).collect()],
        colour: ramp(number, count),
        label: label.clone(),
    });
    Panel {
        x: (0.0, blocks.max(1) as f64),
        y_includes: y_includes.to_vec(),
        curves: curves.collect(),
        ..Panel::default()
    }
}

/// The subnets of which there is most.
fn largest(dossier: &Dossier, of: impl Fn(&SubnetReport) -> f64) -> Vec<&SubnetReport> {
    let mut subnets: Vec<&SubnetReport> = dossier.report.subnets.iter().collect();
    subnets.sort_by(|one, other| of(other).total_cmp(&of(one)));
    subnets.truncate(SUBNETS_DRAWN);
    subnets.sort_by_key(|subnet| subnet.netuid);
    subnets
}

/// A curve per subnet, of its points and the first of them.
fn of_subnets(
    dossier: &Dossier,
    subnets: &[&SubnetReport],
    of: impl Fn(&SubnetPoint, &SubnetPoint) -> f64,
) -> Named {
    let curves = subnets.iter().filter_map(|subnet| {
        let points = dossier.series.subnets.get(&(subnet.netuid, subnet.registered_at))?;
        let first = points.first()?;
        let points = points.iter().map(|point| (point.block, of(point, first)));
        Some((name(subnet), points.collect()))
    });
    curves.collect()
}

/// What a subnet is called where there is little room.
pub fn name(subnet: &SubnetReport) -> String {
    match subnet.name.is_empty() {
        true => format!("SN{}", subnet.netuid),
        false => format!("SN{} {}", subnet.netuid, subnet.name),
    }
}

/// The points after which somebody had emission: in a network that was made up nobody has any at genesis.
fn with_emission(dossier: &Dossier) -> impl Iterator<Item = &NetworkPoint> {
    dossier.series.network.iter().filter(|point| point.top10 > 0.0)
}

/// Emission of the smallest subnets together, both in percent, after a block.
fn lorenz(dossier: &Dossier, block: u64) -> Vec<(f64, f64)> {
    let subnets = dossier.series.subnets.values();
    let at = |points: &Vec<SubnetPoint>| points.iter().find(|point| point.block == block).copied();
    let mut shares: Vec<f64> = subnets.filter_map(|points| Some(at(points)?.share)).collect();
    shares.sort_by(f64::total_cmp);
    let (count, all) = (shares.len().max(1) as f64, shares.iter().sum::<f64>());
    let mut sum = 0.0;
    let mut curve = vec![(0.0, 0.0)];
    for (number, share) in (1..).zip(&shares) {
        sum += share;
        let part = if all > 0.0 { sum / all } else { 0.0 };
        curve.push((f64::from(number) / count * 100.0, part * 100.0));
    }
    curve
}

fn tao(amount: Rao) -> f64 {
    amount.0 as f64 / UNITS_PER_TOKEN as f64
}
