//! The tables of a page: subnets, people, trouble, what happened, terms, and where the run comes from.
//!
//! What belongs here: rows and their order. What does not: figures (`report`), pictures (`drawn`, `charts`).

use super::charts::name;
use super::drawn::{Lane, bar, lanes, tiny};
use super::figures::{percent, price, signed_percent, signed_tao, tao};
use crate::names::TAO;
use crate::page::{table, text};
use crate::report::SubnetReport;
use crate::report::dossier::{Dossier, Term};
use crate::report::network::RoleStreams;
use crate::telling::figures::thousands;
use crate::telling::lines::clock;
use maud::{Markup, html};
use protocol::units::{BLOCK_MS, Height};
use std::collections::BTreeMap;

/// Subnets that a page lists.
const SUBNETS_SHOWN: usize = 20;
/// Events that a page lists, the first so many.
const HAPPENINGS_SHOWN: usize = 40;
/// Parameters that a page lists.
const TERMS_SHOWN: usize = 60;
/// Accounts that a detector's row names.
const WHOM_SHOWN: usize = 4;
/// The position whose sale is quoted: the third that a report has, 1,000 TAO.
const EXIT_SHOWN: usize = 2;
const NONE: &str = "–";

/// What shaded times in charts are.
pub fn shading(dossier: &Dossier) -> Markup {
    html! {
        @if !dossier.trouble.faults.is_empty() {
            p.faint { "Shaded: blocks under a fault of the scenario. Across: blocks since genesis; 7,200 are a day." }
        } @else {
            p.faint { "Across: blocks since genesis; 7,200 are a day." }
        }
    }
}

/// The largest subnets.
pub fn subnets(dossier: &Dossier) -> Markup {
    let subnets = &dossier.report.subnets;
    let header = [
        "subnet",
        "price",
        "",
        "at last",
        "change",
        "emission",
        "net flow",
        "selling 1,000 TAO loses",
    ];
    let rows: Vec<Vec<Markup>> =
        subnets.iter().take(SUBNETS_SHOWN).map(|subnet| subnet_row(dossier, subnet)).collect();
    let hidden = subnets.len().saturating_sub(SUBNETS_SHOWN);
    html! {
        h3 { "Subnets" }
        (table(&header, &rows, &[1, 3, 4, 5, 6, 7]))
        @if hidden > 0 {
            p.faint { "and " (hidden) " more: " code { "btemu report RUN --all" } }
        }
    }
}

fn subnet_row(dossier: &Dossier, subnet: &SubnetReport) -> Vec<Markup> {
    let course = dossier.series.subnets.get(&(subnet.netuid, subnet.registered_at));
    let prices: Vec<f64> = course.into_iter().flatten().map(|point| point.price).collect();
    let change =
        if subnet.price_start > 0.0 { subnet.price_end / subnet.price_start - 1.0 } else { 0.0 };
    let emission = match subnet.dissolved_at {
        Some(block) => format!("gone at +{}", dossier.since(Height(block))),
        None => percent(subnet.flow.emission_share),
    };
    let exit = subnet.exits.get(EXIT_SHOWN).and_then(|exit| exit.slippage);
    vec![
        text(name(subnet)),
        text(price(subnet.price_start)),
        tiny(&prices),
        text(price(subnet.price_end)),
        signed(change, signed_percent(change)),
        text(emission),
        signed(subnet.flow.net_rao as f64, signed_tao(subnet.flow.net_rao)),
        text(exit.map_or_else(|| NONE.to_owned(), percent)),
    ]
}

/// In and out by role, over all subnets.
pub fn flows(dossier: &Dossier) -> Markup {
    let mut roles: BTreeMap<&str, (i128, i128)> = BTreeMap::new();
    for (role, flow) in dossier.report.subnets.iter().flat_map(|subnet| &subnet.flywheel.flows) {
        let sums = roles.entry(role).or_default();
        sums.0 += i128::from(flow.in_rao.0);
        sums.1 += i128::from(flow.out_rao.0);
    }
    let most = roles.values().map(|(into, out)| (into - out).unsigned_abs()).max().unwrap_or(0);
    let rows: Vec<Vec<Markup>> = roles
        .iter()
        .map(|(role, (into, out))| {
            let net = into - out;
            let part = if most > 0 { net as f64 / most as f64 } else { 0.0 };
            vec![
                text(role),
                text(tao(*into)),
                text(tao(*out)),
                signed(net as f64, signed_tao(net)),
                bar(part),
            ]
        })
        .collect();
    html! {
        h3 { "By the signer's role" }
        @if rows.is_empty() { p { "No TAO went into a pool or came out of one." } }
        @else { (table(&["role", "into pools", "out of them", "net", ""], &rows, &[1, 2, 3])) }
        p.faint { code { "others" } " are nobody's players, " code { "chain" } " what the chain does by itself." }
    }
}

/// What roles and behaviours earned.
pub fn people(dossier: &Dossier) -> Markup {
    let network = &dossier.report.network;
    let roles = network.roles.iter().map(|(role, streams)| ((*role).to_owned(), None, *streams));
    let mut behaviours: Vec<_> = network
        .behaviours
        .iter()
        .map(|one| (format!("{} {}", one.role, one.behaviour), Some(one.players), one.streams))
        .collect();
    behaviours.sort_by_key(|(_, _, streams)| std::cmp::Reverse(streams.result_rao()));
    html! {
        h3 { "Roles" }
        (streams_table("role", roles.collect()))
        h3 { "Behaviours, winners first" }
        (streams_table("behaviour", behaviours))
        p.faint {
            "Emission income counts at its value when it came; the result of prices is what prices made of what was held, \
             realised and not, fees included. Values are spot values: a nearly empty pool pays less."
        }
    }
}

fn streams_table(what: &str, rows: Vec<(String, Option<u64>, RoleStreams)>) -> Markup {
    let most = rows.iter().map(|row| row.2.result_rao().unsigned_abs()).max().unwrap_or(0);
    let cells: Vec<Vec<Markup>> = rows
        .into_iter()
        .map(|(name, players, streams)| {
            let result = streams.result_rao();
            let part = if most > 0 { result as f64 / most as f64 } else { 0.0 };
            let name = match players {
                Some(players) => html! { (name) " " span.faint { "× " (thousands(players)) } },
                None => text(name),
            };
            vec![
                name,
                text(tao(i128::from(streams.income_rao.0))),
                signed(streams.price_result_rao as f64, signed_tao(streams.price_result_rao)),
                signed(result as f64, signed_tao(result)),
                bar(part),
                text(tao(i128::from(streams.wealth_start_rao.0))),
                text(tao(i128::from(streams.wealth_end_rao.0))),
            ]
        })
        .collect();
    let header =
        [what, "emission income", "result of prices", "both", "", "wealth at first", "at last"];
    table(&header, &cells, &[1, 2, 3, 5, 6])
}

/// Alarms and faults: when, and at whom they point.
pub fn trouble(dossier: &Dossier) -> Markup {
    let trouble = &dossier.trouble;
    let mut all: Vec<Lane> = Vec::new();
    let mut faults: BTreeMap<&str, Vec<(u64, u64)>> = BTreeMap::new();
    for (kind, from, to) in &trouble.faults {
        faults.entry(kind).or_default().push((dossier.since(*from), dossier.since(*to)));
    }
    for (kind, times) in faults {
        let plural = if times.len() == 1 { "" } else { "s" };
        let note = format!("fault, {} time{plural}", times.len());
        all.push(Lane { name: kind.to_owned(), note, sort: "fault", times });
    }
    for one in &trouble.detectors {
        let moments = one.blocks.iter().map(|block| dossier.since(*block));
        all.push(Lane {
            name: one.name.to_owned(),
            note: format!(
                "{} alarm{}",
                thousands(one.alarms),
                if one.alarms == 1 { "" } else { "s" }
            ),
            sort: "alarm",
            times: moments.map(|block| (block, block + 1)).collect(),
        });
    }
    let rows: Vec<Vec<Markup>> = trouble
        .detectors
        .iter()
        .map(|one| {
            let whom: Vec<&str> = one.whom.iter().take(WHOM_SHOWN).map(String::as_str).collect();
            let more = one.whom.len().saturating_sub(WHOM_SHOWN);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            let first = one.blocks.first().map_or(0, |block| dossier.since(*block));
            vec![
                text(one.name),
                text(thousands(one.alarms)),
                text(format!("+{first}")),
                text(whom.join(", ") + &more),
                html! { span.faint { (one.observable) } },
            ]
        })
        .collect();
    html! {
        @if all.is_empty() {
            p {
                "No fault of the scenario came into force, and none of the " (trouble.detectors_all)
                " detectors raised an alarm."
            }
        } @else { (lanes(&all, dossier.blocks())) }
        @if !rows.is_empty() {
            h3 { "Alarms" }
            (table(&["detector", "alarms", "first", "points at", "looks at"], &rows, &[1, 2]))
            p.faint {
                "An alarm is what a detector makes of the log, not a verdict: honest players set some off, too."
            }
        }
        @if !trouble.struck.is_empty() {
            h3 { "Below the simulation" }
            ul { @for (what, count) in &trouble.struck { li { (what) ": " (thousands(*count)) } } }
            p.faint { "None of it changed a block." }
        }
    }
}

/// Subnets that came and went, rules and parameters that changed.
pub fn happenings(dossier: &Dossier) -> Markup {
    let happenings = &dossier.happenings;
    let all: usize = happenings.counts.values().sum();
    let rows: Vec<Vec<Markup>> = happenings
        .kept
        .iter()
        .take(HAPPENINGS_SHOWN)
        .map(|one| {
            let since = dossier.since(one.block);
            vec![text(format!("+{since}")), text(clock(since * BLOCK_MS)), text(&one.line)]
        })
        .collect();
    let kinds: Vec<Lane> = happenings
        .counts
        .iter()
        .map(|(kind, count)| {
            let blocks = happenings.kept.iter().filter(|one| one.kind == *kind);
            Lane {
                name: kind.replace('_', " "),
                note: thousands(*count as u64),
                sort: "event",
                times: blocks
                    .map(|one| (dossier.since(one.block), dossier.since(one.block) + 1))
                    .collect(),
            }
        })
        .collect();
    let hidden = all.saturating_sub(rows.len());
    html! {
        @if rows.is_empty() { p { "No subnet came or went, and no rule or parameter changed." } }
        @else {
            (lanes(&kinds, dossier.blocks()))
            details {
                summary { "The first " (rows.len()) ", one by one" }
                (table(&["block", "time", "what"], &rows, &[0]))
                @if hidden > 0 {
                    p.faint { "and " (thousands(hidden as u64)) " more: " code { "btemu log RUN --kind …" } }
                }
            }
        }
    }
}

/// Rules, and parameters whose value is not the default.
pub fn terms(dossier: &Dossier) -> Markup {
    let row = |term: &Term| {
        vec![
            text(term.parameter),
            text(&term.value),
            text(&term.default),
            text(if term.unit == "rao" { TAO } else { term.unit }),
            text(&term.scope),
        ]
    };
    let rows: Vec<Vec<Markup>> = dossier.terms.iter().take(TERMS_SHOWN).map(row).collect();
    let hidden = dossier.terms.len().saturating_sub(TERMS_SHOWN);
    html! {
        p { "Rules: " strong { (dossier.origin.rules) } ". After the last block, what is not as by default:" }
        @if rows.is_empty() { p { "Every parameter has its default." } }
        @else { (table(&["parameter", "value", "default", "unit", "where"], &rows, &[1, 2])) }
        @if hidden > 0 {
            p.faint { "and " (hidden) " more: " code { "btemu inspect RUN params N" } }
        }
    }
}

/// Hashes, and the commands that make the same run again.
pub fn origin(dossier: &Dossier) -> Markup {
    let origin = &dossier.origin;
    let started = origin.started_with.clone().unwrap_or_else(|| "not known".to_owned());
    let facts = [
        ("run", dossier.run.clone()),
        ("started with", started),
        ("made by", origin.build.clone()),
        ("simulation hash", origin.simulation_hash.clone()),
        ("last block", format!("{} (+{})", dossier.report.network.block, dossier.blocks())),
        ("tip hash", origin.tip_hash.clone()),
        ("state root", origin.state_root.clone()),
    ];
    let rows: Vec<Vec<Markup>> =
        facts.iter().map(|(name, fact)| vec![text(name), html! { code { (fact) } }]).collect();
    html! {
        (table(&[], &rows, &[]))
        p {
            "The same scenario and seed make the same blocks, whatever the machine and the number of processes. Keep the \
             scenario below as " code { "scenario.toml" } " and, with the build named above:"
        }
        pre id="commands" { @for command in &origin.commands { (command) "\n" } }
        p { "It ends with the tip hash above." }
        @if !origin.files.is_empty() {
            p {
                "It names files that do not ship with the program and have to lie beside it: "
                @for (number, file) in origin.files.iter().enumerate() {
                    @if number > 0 { ", " }
                    code { (file) }
                }
                "."
            }
        }
        details {
            summary { "The scenario in full" }
            pre id="scenario" { (origin.document) }
        }
    }
}

/// Text in the colour of its sign.
pub fn signed(value: f64, told: String) -> Markup {
    let class = match value {
        gain if gain > 0.0 => Some("gain"),
        loss if loss < 0.0 => Some("loss"),
        _ => None,
    };
    html! { span class=[class] { (told) } }
}
