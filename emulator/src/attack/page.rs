//! What trials say, as one page with plots that needs nothing from elsewhere.
//!
//! What belongs here: the page. What does not: how a chart looks (`chart`), and what is said (`outcome`).

use super::outcome::{GroupOutcome, Outcome, Verdict};
use super::output::{
    Report, SCOREBOARD, scoreboard_row, tao, tao_ci, tell_attackers, tell_defence, tell_detection,
    tell_figure,
};
use super::trial::Cell;
use crate::chart::{Axis, Band, BarOf, Bars, Chart, ChartError, Curve, ramp};
use protocol::units::UNITS_PER_TOKEN;
use std::fmt::Write;

/// Groups that have a bar at most, those whose change is largest.
const BARS_MAX: usize = 12;
/// Part of the range of a chart that is left free above and below.
const MARGIN: f64 = 0.08;

const HEAD: &str = "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n";
const STYLE: &str = "<style>\n\
:root{color-scheme:light dark;--ink:#1f2328;--faint:#59636e;--ground:#fff;--line:#e4e7eb}\n\
@media (prefers-color-scheme:dark){:root{--ink:#e6edf3;--faint:#9198a1;--ground:#0d1117;--line:#2a313a}}\n\
body{font:16px/1.5 sans-serif;color:var(--ink);background:var(--ground);max-width:72rem;margin:2rem auto;padding:0 1rem}\n\
table{border-collapse:collapse;font-size:.9rem}th,td{text-align:left;padding:.25rem .75rem .25rem 0;border-bottom:1px solid var(--line)}\n\
td.number,th.number{text-align:right;font-variant-numeric:tabular-nums}p.faint{color:var(--faint)}\n\
svg{max-width:100%;height:auto}div.wide{overflow-x:auto}h2{margin-top:3rem}\n</style>\n";

/// Writes the page.
///
/// # Errors
/// A chart cannot be drawn.
pub fn page(report: &Report) -> Result<String, ChartError> {
    let names: Vec<&str> = report.cells.iter().map(|(cell, _)| cell.adversary.name).collect();
    let title = match names.as_slice() {
        [first, rest @ ..] if rest.iter().all(|name| name == first) => format!("Attack: {first}"),
        _ => "Attacks: the scoreboard".to_owned(),
    };
    let mut text =
        format!("{HEAD}<title>{title}</title>\n{STYLE}</head>\n<body>\n<h1>{title}</h1>\n");
    text.push_str(
        "<p class=\"faint\">Each seed is run twice, with the attack and with the same players honest. \
         Differences are of these pairs; intervals hold 95 % (Student's t over seeds). Amounts are TAO.</p>\n",
    );
    if report.cells.len() > 1 {
        text.push_str(&scoreboard(report));
    }
    for (cell, outcome) in &report.cells {
        section(&mut text, cell, outcome.as_ref())?;
    }
    text.push_str("</body>\n</html>\n");
    Ok(text)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn row(text: &mut String, cells: &[String], tag: &str, numbers: &[usize]) {
    text.push_str("<tr>");
    for (at, cell) in cells.iter().enumerate() {
        let class = if numbers.contains(&at) { " class=\"number\"" } else { "" };
        put(text, format_args!("<{tag}{class}>{}</{tag}>", escaped(cell)));
    }
    text.push_str("</tr>\n");
}

fn put(text: &mut String, what: std::fmt::Arguments<'_>) {
    text.write_fmt(what).expect("a text takes it");
}

fn scoreboard(report: &Report) -> String {
    let numbers = SCOREBOARD.numbers;
    let mut text = "<div class=\"wide\"><table>\n".to_owned();
    let header: Vec<String> = SCOREBOARD.header.iter().map(|name| (*name).to_owned()).collect();
    row(&mut text, &header, "th", numbers);
    for (cell, outcome) in &report.cells {
        row(&mut text, &scoreboard_row(cell, outcome.as_ref()), "td", numbers);
    }
    text.push_str("</table></div>\n");
    text
}

fn section(text: &mut String, cell: &Cell, outcome: Option<&Outcome>) -> Result<(), ChartError> {
    let adversary = cell.adversary;
    let heading = format!("{}, {}", adversary.name, tell_defence(cell));
    put(text, format_args!("<h2>{}</h2>\n", escaped(&heading)));
    let Some(outcome) = outcome else {
        text.push_str("<p>No trial was made.</p>\n");
        return Ok(());
    };
    let about = format!(
        "{} against {}, {} ({} blocks), {} seeds. Attackers: {}.",
        adversary.behaviour,
        adversary.counterpart,
        cell.path.display(),
        cell.blocks,
        outcome.trials.len(),
        tell_attackers(cell),
    );
    put(text, format_args!("<p>{}</p>\n", escaped(&about)));
    let mut facts = vec![
        ("verdict", outcome.verdict().pays().to_owned()),
        ("profit", tao_ci(&outcome.profit)),
        ("realisable profit", tao_ci(&outcome.realisable)),
        ("paid in", format!("{} of {} seeds", outcome.paid, outcome.trials.len())),
        ("who pays, by design", adversary.victims.to_owned()),
    ];
    if let Some(defence) = &cell.defence {
        facts.push(("sets", defence.sets().join(", ")));
    }
    if let Some(figure) = outcome.figures.get(adversary.figure) {
        facts.push(("it shows in", tell_figure(adversary.figure, figure)));
    }
    facts.push(("detector", tell_detection(cell, outcome)));
    text.push_str("<table>\n");
    for (name, fact) in facts {
        row(text, &[name.to_owned(), fact], "td", &[]);
    }
    text.push_str("</table>\n");
    text.push_str(&course(cell, outcome)?);
    text.push_str(&bars(outcome)?);
    Ok(())
}

/// What the attack had gained over time.
fn course(cell: &Cell, outcome: &Outcome) -> Result<String, ChartError> {
    let scale = |rao: f64| rao / UNITS_PER_TOKEN as f64;
    let points: Vec<(f64, f64, f64, f64)> = outcome
        .course
        .iter()
        .map(|(block, one)| {
            let half = one.ci95.unwrap_or(0.0);
            (*block as f64, scale(one.mean - half), scale(one.mean), scale(one.mean + half))
        })
        .collect();
    let low = points.iter().map(|point| point.1).fold(0.0, f64::min);
    let high = points.iter().map(|point| point.3).fold(0.0, f64::max);
    // Where nothing differs there is a line of nothing, and room around it.
    let (low, high) = if low < high { (low, high) } else { (-1.0, 1.0) };
    let margin = (high - low) * MARGIN;
    let colour = ramp(0, 2);
    let title = format!("{}: what the attack had gained", cell.adversary.name);
    let chart = Chart {
        title,
        subtitle: format!("mean over {} seeds, with its 95 % interval", outcome.trials.len()),
        note:
            "Free TAO and stake at spot prices of the attackers, less the same without the attack."
                .to_owned(),
        x: Axis {
            title: "Blocks since genesis".to_owned(),
            range: (0.0, cell.blocks as f64),
            decimals: 0,
        },
        y: Axis {
            title: "TAO".to_owned(),
            range: (low - margin, high + margin),
            decimals: digits(high - low),
        },
        bands: vec![Band {
            points: points.iter().map(|(x, low, _, high)| (*x, *low, *high)).collect(),
            colour,
        }],
        curves: vec![Curve {
            lines: vec![points.iter().map(|(x, _, mean, _)| (*x, *mean)).collect()],
            colour,
            label: "mean".to_owned(),
        }],
        legend: "Difference".to_owned(),
    };
    chart.svg()
}

/// Digits behind the point with which tenths of a range can be told apart.
fn digits(range: f64) -> usize {
    let needed = 1.0 - range.log10();
    needed.ceil().clamp(0.0, 9.0) as usize
}

/// What the attack changed for others.
fn bars(outcome: &Outcome) -> Result<String, ChartError> {
    let mut groups: Vec<&GroupOutcome> = outcome.groups.iter().collect();
    groups.sort_by(|one, other| other.change.mean.abs().total_cmp(&one.change.mean.abs()));
    let bars = groups.iter().take(BARS_MAX).map(|group| BarOf {
        label: group.group.clone(),
        value: group.change.mean,
        half: group.change.ci95,
        note: format!("{} TAO, {}", tao(group.change.mean), Verdict::of(&group.change).fares()),
    });
    let more = groups.len().saturating_sub(BARS_MAX);
    let further = if more == 0 { String::new() } else { format!("; {more} more groups have less") };
    Bars {
        title: "What it changed for others".to_owned(),
        subtitle: format!("wealth at the end, with the attack less without{further}"),
        bars: bars.collect(),
    }
    .svg()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_tell_their_tenths_apart() {
        for (range, expected) in [(1_000.0, 0), (50.0, 0), (5.0, 1), (0.5, 2), (1e-6, 7), (0.0, 9)]
        {
            assert_eq!(digits(range), expected, "{range}");
        }
    }

    #[test]
    fn text_is_escaped() {
        assert_eq!(escaped("a<b>&\"c\""), "a&lt;b&gt;&amp;&quot;c&quot;");
    }
}
