//! What trials say, as one page with plots that needs nothing from elsewhere.
//!
//! What belongs here: the page. What does not: its frame (`crate::page`), how a chart looks (`chart`), and what is said
//! (`outcome`).

use super::outcome::{GroupOutcome, Outcome, Verdict};
use super::output::{
    Report, SCOREBOARD, scoreboard_row, tao, tao_ci, tell_attackers, tell_defence, tell_detection,
    tell_figure,
};
use super::trial::Cell;
use crate::chart::{Axis, Band, BarOf, Bars, Chart, ChartError, Curve, ramp};
use crate::page::{drawing, table, text};
use maud::{Markup, html};
use protocol::units::UNITS_PER_TOKEN;

/// Groups that have a bar at most, those whose change is largest.
const BARS_MAX: usize = 12;
/// Part of the range of a chart that is left free above and below.
const MARGIN: f64 = 0.08;

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
    let sections = report.cells.iter().map(|(cell, outcome)| section(cell, outcome.as_ref()));
    let sections: Vec<Markup> = sections.collect::<Result<_, _>>()?;
    let body = html! {
        h1 { (title) }
        p.faint {
            "Each seed is run twice, with the attack and with the same players honest. Differences are of these pairs; \
             intervals hold 95 % (Student's t over seeds). Amounts are TAO."
        }
        @if report.cells.len() > 1 { (scoreboard(report)) }
        @for section in &sections { (section) }
    };
    Ok(crate::page::page(&title, "", &body))
}

fn scoreboard(report: &Report) -> Markup {
    let cells = report.cells.iter();
    let rows = cells.map(|(cell, outcome)| scoreboard_row(cell, outcome.as_ref()));
    let rows: Vec<Vec<Markup>> = rows.map(|row| row.iter().map(text).collect()).collect();
    table(SCOREBOARD.header, &rows, SCOREBOARD.numbers)
}

fn section(cell: &Cell, outcome: Option<&Outcome>) -> Result<Markup, ChartError> {
    let adversary = cell.adversary;
    let heading = format!("{}, {}", adversary.name, tell_defence(cell));
    let Some(outcome) = outcome else {
        return Ok(html! { h2 { (heading) } p { "No trial was made." } });
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
    let facts: Vec<Vec<Markup>> =
        facts.into_iter().map(|(name, fact)| vec![text(name), text(fact)]).collect();
    let (course, bars) = (course(cell, outcome)?, bars(outcome)?);
    Ok(html! {
        h2 { (heading) }
        p { (about) }
        (table(&[], &facts, &[]))
        (drawing(&course))
        (drawing(&bars))
    })
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
}
