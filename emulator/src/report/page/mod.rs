//! What a run says, as one page that needs nothing from elsewhere.
//!
//! What belongs here: the parts of the page and their order. What does not: the figures (`report`), which curves are drawn
//! (`charts`), how pictures look (`drawn`), another run beside this one (`versus`), and the frame (`crate::page`).

/// Which curves are drawn.
mod charts;
/// Pictures.
mod drawn;
/// Headline figures.
mod figures;
/// Tables: subnets, people, trouble, terms.
mod tables;
/// Another run beside this one.
mod versus;

pub use versus::Comparison;

use super::dossier::Dossier;
use crate::chart::ChartError;
use crate::progress::simulated_time;
use crate::telling::figures::thousands;
use figures::{Figure, figures};
use maud::{Markup, html};

/// What this page adds to the style of all.
const STYLE: &str = "
header p{max-width:60rem}
nav{display:flex;flex-wrap:wrap;gap:.25rem 1rem;margin:1rem 0 2rem;border-block:1px solid var(--line);padding:.5rem 0;
font-size:.9rem}
nav a,p a{color:var(--mark)}
h2{border-bottom:1px solid var(--line);padding-bottom:.25rem;scroll-margin-top:1rem}
.badges{display:flex;flex-wrap:wrap;gap:.4rem;list-style:none;padding:0;margin:1rem 0}
.badges li{background:var(--raised);border:1px solid var(--line);border-radius:1rem;padding:.1rem .7rem;font-size:.85rem}
.tiles{display:grid;grid-template-columns:repeat(auto-fill,minmax(13rem,1fr));gap:.75rem;margin:1rem 0}
.tile{background:var(--raised);border:1px solid var(--line);border-radius:.5rem;padding:.75rem 1rem}
.tile b{display:block;font-size:1.5rem;line-height:1.3;font-variant-numeric:tabular-nums}
.tile span{display:block;font-size:.85rem}
.panels{margin:1rem 0;display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,26rem),1fr));gap:1rem 1.5rem}
.panel{margin:0;min-width:0;max-width:44rem}.panel svg{width:100%;display:block}
.keys{display:flex;flex-wrap:wrap;gap:.1rem 1rem;margin:.25rem 0 0;font-size:.85rem;min-height:1em}
.key i{display:inline-block;width:1rem;height:.25rem;border-radius:.1rem;margin-right:.35rem;vertical-align:middle}
svg.tiny{width:7rem;height:1.5rem;vertical-align:middle}
svg.tiny polyline{stroke:var(--mark);stroke-width:1.5;vector-effect:non-scaling-stroke}
svg.bar{width:8rem;height:.8rem;vertical-align:middle}
svg.bar .gain{fill:var(--gain)}svg.bar .loss{fill:var(--loss)}svg.bar .middle{fill:var(--faint)}
.lanes{display:grid;gap:.35rem;margin:1rem 0}
.lane{display:grid;grid-template-columns:17rem 1fr;gap:.1rem 1rem;align-items:center;font-size:.9rem}
.lane svg{width:100%;height:1rem;display:block}
.lane .track{fill:var(--line)}.lane .fault{fill:#d27814}.lane .alarm{fill:var(--loss)}.lane .event{fill:var(--mark)}
.ends{display:flex;justify-content:space-between;margin:0}
code,pre{font:.85em/1.45 ui-monospace,monospace;background:var(--raised);border-radius:.25rem}
code{padding:.1em .3em;overflow-wrap:anywhere}pre{padding:.75rem 1rem;overflow-x:auto;border:1px solid var(--line)}
details{margin:1rem 0}summary{cursor:pointer}
td:first-child{min-width:6.5rem}
@media (max-width:40rem){
body{margin:1rem auto}h1{font-size:1.6rem}h2{margin-top:2rem}
.tiles{grid-template-columns:1fr 1fr;gap:.5rem}.tile{padding:.5rem .6rem}.tile b{font-size:1.15rem}
.lane{grid-template-columns:1fr}
.panel svg text{font-size:170px}
}
@media print{nav{display:none}.panel,.tile{break-inside:avoid}}
";

/// Writes the page of a run, with another one beside it if there is one.
///
/// # Errors
/// A chart cannot be drawn.
pub fn page(
    dossier: &Dossier,
    other: Option<(&Dossier, &Comparison)>,
) -> Result<String, ChartError> {
    let origin = &dossier.origin;
    let title = match other {
        None => origin.scenario.clone(),
        Some((other, _)) => format!("{} and {}", dossier.run, other.run),
    };
    let compared = other.map(|(other, how)| versus::section(dossier, other, how)).transpose()?;
    let figures = figures(dossier);
    let charts = Charts {
        emission: charts::emission(dossier)?,
        flows: charts::flows(dossier)?,
        concentration: charts::concentration(dossier)?,
        wealth: charts::wealth(dossier)?,
    };
    let body = html! {
        (head(dossier, &title, compared.is_some()))
        @if let Some(compared) = &compared {
            section id="compared" { h2 { "Two runs" } (compared) }
        }
        section id="overview" {
            h2 { "Overview" @if compared.is_some() { span.faint { " of " (dossier.run) } } }
            (tiles(&figures))
        }
        section id="emission" {
            h2 { "Prices and emission" }
            (charts.emission)
            (tables::shading(dossier))
            (tables::subnets(dossier))
        }
        section id="flows" { h2 { "Flows" } (charts.flows) (tables::flows(dossier)) }
        section id="concentration" { h2 { "Concentration" } (charts.concentration) }
        section id="people" { h2 { "Winners and losers" } (charts.wealth) (tables::people(dossier)) }
        section id="trouble" { h2 { "Attacks and faults" } (tables::trouble(dossier)) }
        section id="events" { h2 { "What happened" } (tables::happenings(dossier)) }
        section id="parameters" { h2 { "Parameters" } (tables::terms(dossier)) }
        section id="origin" { h2 { "Hashes, and how to make it again" } (tables::origin(dossier)) }
    };
    Ok(crate::page::page(&title, STYLE, &body))
}

/// The pictures of a page; each may fail, so they are drawn first.
struct Charts {
    emission: Markup,
    flows: Markup,
    concentration: Markup,
    wealth: Markup,
}

/// Where the parts of a page are.
const PARTS: [(&str, &str); 9] = [
    ("overview", "Overview"),
    ("emission", "Prices and emission"),
    ("flows", "Flows"),
    ("concentration", "Concentration"),
    ("people", "Winners and losers"),
    ("trouble", "Attacks and faults"),
    ("events", "What happened"),
    ("parameters", "Parameters"),
    ("origin", "Hashes, and how to make it again"),
];

fn head(dossier: &Dossier, title: &str, is_compared: bool) -> Markup {
    let origin = &dossier.origin;
    let blocks = dossier.blocks();
    let players = origin.players.iter().filter(|(_, count)| *count > 0);
    let players: Vec<String> =
        players.map(|(role, count)| format!("{} {role}s", thousands(*count))).collect();
    html! {
        header {
            h1 { (title) }
            p { (origin.description) }
            ul.badges {
                li { "seed " (origin.seed) }
                li { "rules " (origin.rules) }
                li { (thousands(blocks)) " blocks, " (simulated_time(blocks)) }
                li { "from " (origin.genesis_time) }
                @for one in &players { li { (one) } }
                @if origin.forks > 0 { li { "a fork" } }
                li { "tip " code { (origin.tip_hash.chars().take(12).collect::<String>()) } }
            }
            nav {
                @if is_compared { a href="#compared" { "Two runs" } }
                @for (id, name) in PARTS { a href={ "#" (id) } { (name) } }
            }
        }
    }
}

fn tiles(figures: &[Figure]) -> Markup {
    html! {
        div.tiles {
            @for figure in figures {
                div.tile {
                    span.faint { (figure.name) }
                    b { (figure.value.told()) }
                    span.faint { (figure.note) }
                }
            }
        }
    }
}
