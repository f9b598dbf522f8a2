//! Pictures of a page: panels of curves with their keys, tiny courses, bars around nothing, and lanes of what happened when.
//!
//! What belongs here: how pictures stand on a page. What does not: what they show (the parts of the page), and how curves
//! are drawn (`chart`). What is no curve over blocks is drawn here by rectangles that stretch with their place.

use crate::chart::panel::Panel;
use crate::chart::{ChartError, Curve, hex};
use crate::page::drawing;
use maud::{Markup, html};

/// Width of what stretches, in units of its own.
const WIDTH: f64 = 1_000.0;
/// The least that is seen of a moment, in the same units.
const MOMENT: f64 = 3.0;
/// Points of a tiny course at most.
const TINY_POINTS_MAX: usize = 60;

/// A panel with what it shows above it, and the names of its curves below.
///
/// # Errors
/// It cannot be drawn.
pub fn panel(title: &str, unit: &str, panel: &Panel) -> Result<Markup, ChartError> {
    let panel = Panel { title: format!("{title}, {unit}"), ..panel.clone() };
    let svg = panel.svg()?;
    let keyed = panel.curves.iter().filter(|curve| !curve.label.is_empty());
    Ok(html! {
        figure.panel {
            figcaption { strong { (title) } " " span.faint { (unit) } }
            (drawing(&svg))
            p.keys { @for curve in keyed { (key(curve)) } }
        }
    })
}

fn key(curve: &Curve) -> Markup {
    html! { span.key { i style=(format!("background:{}", hex(curve.colour))) {} (curve.label) } }
}

/// A course without numbers, in a cell of a table.
pub fn tiny(values: &[f64]) -> Markup {
    let finite: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
    let step = finite.len().div_ceil(TINY_POINTS_MAX).max(1);
    let low = finite.iter().copied().fold(f64::INFINITY, f64::min);
    let high = finite.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let last = finite.len().saturating_sub(1).max(1) as f64;
    let points = finite
        .iter()
        .enumerate()
        .filter(|(at, _)| at.is_multiple_of(step) || *at + 1 == finite.len());
    let points = points.map(|(at, value)| {
        let up = if high > low { (value - low) / (high - low) } else { 0.5 };
        format!("{:.0},{:.1}", at as f64 / last * 100.0, 22.0 - up * 20.0)
    });
    let points: Vec<String> = points.collect();
    html! {
        svg.tiny viewBox="0 0 100 24" preserveAspectRatio="none" aria-hidden="true" {
            polyline points=(points.join(" ")) fill="none" {}
        }
    }
}

/// A bar from the middle to the left or to the right, in parts of the largest one.
pub fn bar(part: f64) -> Markup {
    let part = if part.is_finite() { part.clamp(-1.0, 1.0) } else { 0.0 };
    let (x, width) = (f64::min(50.0, 50.0 + part * 50.0), part.abs() * 50.0);
    let class = if part < 0.0 { "loss" } else { "gain" };
    html! {
        svg.bar viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true" {
            rect class=(class) x=(format!("{x:.2}")) y="0" width=(format!("{width:.2}")) height="10" {}
            rect.middle x="49.75" y="0" width="0.5" height="10" {}
        }
    }
}

/// Something that happened, once or several times.
#[derive(Clone, Debug)]
pub struct Lane {
    /// What.
    pub name: String,
    /// What is said beside the name.
    pub note: String,
    /// Of which sort it is: `fault`, `alarm` or `event`.
    pub sort: &'static str,
    /// When: first block, and the first block after it, counted since genesis.
    pub times: Vec<(u64, u64)>,
}

/// Lanes below each other, over so many blocks.
pub fn lanes(lanes: &[Lane], blocks: u64) -> Markup {
    let all = blocks.max(1) as f64;
    let place = |(from, to): &(u64, u64)| {
        let left = (*from as f64 / all * WIDTH).min(WIDTH - MOMENT);
        let width = (to.saturating_sub(*from) as f64 / all * WIDTH).max(MOMENT);
        (format!("{left:.1}"), format!("{:.1}", width.min(WIDTH - left)))
    };
    html! {
        div.lanes {
            @for lane in lanes {
                div.lane {
                    span { (lane.name) " " span.faint { (lane.note) } }
                    svg viewBox="0 0 1000 16" preserveAspectRatio="none" role="img" {
                        title { (lane.name) ": " (lane.note) }
                        rect.track x="0" y="7" width="1000" height="2" {}
                        @for (left, width) in lane.times.iter().map(place) {
                            rect class=(lane.sort) x=(left) y="0" width=(width) height="16" {}
                        }
                    }
                }
            }
            div.lane { span {} p.ends.faint { span { "genesis" } span { "+" (blocks) } } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_lie_on_their_side_and_never_beyond_it() {
        let drawn = |part| bar(part).into_string();
        assert!(drawn(0.5).contains("class=\"gain\" x=\"50.00\" y=\"0\" width=\"25.00\""));
        assert!(drawn(-0.5).contains("class=\"loss\" x=\"25.00\" y=\"0\" width=\"25.00\""));
        assert!(drawn(-7.0).contains("x=\"0.00\" y=\"0\" width=\"50.00\""));
        assert!(drawn(f64::NAN).contains("width=\"0.00\""));
    }

    #[test]
    fn tiny_courses_have_both_ends_and_few_points() {
        let many: Vec<f64> = (0..1_000).map(f64::from).collect();
        let drawn = tiny(&many).into_string();
        assert!(drawn.contains("points=\"0,22.0 ") && drawn.contains(" 100,2.0\""), "{drawn}");
        assert!(drawn.matches(',').count() <= TINY_POINTS_MAX + 1, "{drawn}");
        assert!(tiny(&[]).into_string().contains("points=\"\""));
        assert!(tiny(&[3.0, 3.0]).into_string().contains("points=\"0,12.0 100,12.0\""));
    }

    #[test]
    fn lanes_show_moments_and_stay_within_their_width() {
        let lane = |times: Vec<(u64, u64)>| Lane {
            name: "loss".to_owned(),
            note: "one".to_owned(),
            sort: "fault",
            times,
        };
        let drawn = lanes(&[lane(vec![(0, 50), (100, 101), (90, 500)])], 100).into_string();
        for place in [
            "x=\"0.0\" y=\"0\" width=\"500.0\"",
            "x=\"997.0\" y=\"0\" width=\"3.0\"",
            "x=\"900.0\" y=\"0\" width=\"100.0\"",
        ] {
            assert!(drawn.contains(place), "{place} in {drawn}");
        }
    }
}
