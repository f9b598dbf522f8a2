//! Charts of lines and of bars as SVG: readable on light and dark ground, without fonts of their own, scripts or anything to fetch.
//!
//! What belongs here: how a chart looks. What does not: what it shows.

/// Small charts for pages.
pub mod panel;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// Width and height, in pixels.
const SIZE: (u32, u32) = (860, 760);
/// The library places points on whole numbers: so many of them are a pixel.
const SCALE: i32 = 10;
/// Colours of light ground. The style sheet knows elements by them, so no two are equal.
const GROUND: RGBColor = RGBColor(0xff, 0xff, 0xff);
const INK: RGBColor = RGBColor(0x1f, 0x23, 0x28);
const FAINT_INK: RGBColor = RGBColor(0x59, 0x63, 0x6e);
const GRID: RGBColor = RGBColor(0xe4, 0xe7, 0xeb);
/// What they become on dark ground.
const DARK: [(RGBColor, &str); 4] =
    [(GROUND, "#0d1117"), (INK, "#e6edf3"), (FAINT_INK, "#9198a1"), (GRID, "#2a313a")];
/// A colour, as charts take it.
pub type Colour = RGBColor;
/// The colour of what is only there to compare with: it is seen on either ground.
pub const FAINT: Colour = RGBColor(0x84, 0x8d, 0x97);
const FONT: &str = "sans-serif";
/// Sizes of text, in pixels.
const TITLE: i32 = 22;
const TEXT: i32 = 15;
const SMALL: i32 = 13;
/// Room around the curves, in pixels: titles above, the legend at the right, axes below and at the left.
const ROOM: Room = Room { top: 84, right: 112, bottom: 96, left: 76 };
/// Height of a line of the legend, in pixels.
const LEGEND_LINE: i32 = 21;
/// How much of its colour a band has.
const BAND_OPACITY: f64 = 0.2;
/// The library writes sizes of text divided by this.
const TEXT_FACTOR: f64 = 1.24;

struct Room {
    top: i32,
    right: i32,
    bottom: i32,
    left: i32,
}

/// A chart.
#[derive(Clone, Debug)]
pub struct Chart {
    /// What it shows.
    pub title: String,
    /// Of what.
    pub subtitle: String,
    /// How it is read, below.
    pub note: String,
    /// To the right.
    pub x: Axis,
    /// Upwards.
    pub y: Axis,
    /// Areas behind the curves.
    pub bands: Vec<Band>,
    /// What is drawn, in order.
    pub curves: Vec<Curve>,
    /// What the names of curves are.
    pub legend: String,
}

/// An axis.
#[derive(Clone, Debug)]
pub struct Axis {
    /// What it measures.
    pub title: String,
    /// From and to.
    pub range: (f64, f64),
    /// Digits behind the point of its numbers.
    pub decimals: usize,
}

/// An area between two lines.
#[derive(Clone, Debug)]
pub struct Band {
    /// (x, lowest y, highest y), from left to right.
    pub points: Vec<(f64, f64, f64)>,
    /// Its colour, of which it has a fifth.
    pub colour: RGBColor,
}

/// A curve of one or more lines.
#[derive(Clone, Debug)]
pub struct Curve {
    /// Its lines, by (x, y).
    pub lines: Vec<Vec<(f64, f64)>>,
    /// Its colour: one that is seen on either ground.
    pub colour: RGBColor,
    /// Its name.
    pub label: String,
}

/// Bars from a line of nothing to the left and to the right, each with its interval.
#[derive(Clone, Debug)]
pub struct Bars {
    /// What they show.
    pub title: String,
    /// Of what, and in which unit.
    pub subtitle: String,
    /// From above down.
    pub bars: Vec<BarOf>,
}

/// One bar.
#[derive(Clone, Debug)]
pub struct BarOf {
    /// Whose it is.
    pub label: String,
    /// How long it is.
    pub value: f64,
    /// Half the width of its interval, if it has one.
    pub half: Option<f64>,
    /// What is written beside it.
    pub note: String,
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type DrawError = DrawingAreaErrorKind<std::io::Error>;

/// A chart cannot be drawn.
#[derive(Debug, thiserror::Error)]
#[error("the chart cannot be drawn: {0}")]
pub struct ChartError(String);

/// The colour of one of so many curves in an order, from blue to orange by way of violet and red; all have a contrast of
/// at least 3 to either ground.
pub fn ramp(number: usize, count: usize) -> RGBColor {
    const STOPS: [(f64, f64, f64); 5] = [
        (38.0, 128.0, 217.0),
        (122.0, 102.0, 222.0),
        (190.0, 80.0, 180.0),
        (222.0, 76.0, 92.0),
        (205.0, 112.0, 10.0),
    ];
    let place = if count > 1 { number as f64 / (count - 1) as f64 } else { 0.0 };
    let place = place.clamp(0.0, 1.0) * (STOPS.len() - 1) as f64;
    let lower = (place.floor() as usize).min(STOPS.len() - 2);
    let part = place - lower as f64;
    let (low, high) = (STOPS[lower], STOPS[lower + 1]);
    let mix = |low: f64, high: f64| (low + (high - low) * part).round() as u8;
    RGBColor(mix(low.0, high.0), mix(low.1, high.1), mix(low.2, high.2))
}

impl Chart {
    /// Draws it.
    ///
    /// # Errors
    /// A range is empty or no number.
    pub fn svg(&self) -> Result<String, ChartError> {
        for Axis { title, range, .. } in [&self.x, &self.y] {
            if !(range.0 < range.1 && range.0.is_finite() && range.1.is_finite()) {
                return Err(ChartError(format!("{title}: from {} to {}", range.0, range.1)));
            }
        }
        let mut text = String::new();
        let canvas = (SIZE.0 * SCALE as u32, SIZE.1 * SCALE as u32);
        {
            let area = SVGBackend::with_string(&mut text, canvas).into_drawing_area();
            self.draw(&area).map_err(|error| ChartError(error.to_string()))?;
            area.present().map_err(|error| ChartError(error.to_string()))?;
        }
        Ok(dressed(&text, canvas, SIZE, &self.title))
    }

    fn draw(&self, area: &Area<'_>) -> Result<(), DrawError> {
        area.fill(&GROUND)?;
        let left = Pos::new(HPos::Left, VPos::Top);
        area.draw_text(&self.title, &text(TITLE, INK).pos(left), at(ROOM.left, 20))?;
        area.draw_text(&self.subtitle, &text(SMALL, FAINT_INK).pos(left), at(ROOM.left, 53))?;
        let foot = SIZE.1 as i32 - 26;
        area.draw_text(&self.note, &text(SMALL, FAINT_INK).pos(left), at(ROOM.left, foot))?;
        let mut chart = ChartBuilder::on(area)
            .margin_top(ROOM.top * SCALE)
            .margin_right(ROOM.right * SCALE)
            .margin_bottom(36 * SCALE)
            .margin_left(12 * SCALE)
            .x_label_area_size((ROOM.bottom - 36) * SCALE)
            .y_label_area_size((ROOM.left - 12) * SCALE)
            .build_cartesian_2d(self.x.range.0..self.x.range.1, self.y.range.0..self.y.range.1)?;
        let thin = |colour: RGBColor| colour.stroke_width(SCALE as u32);
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(thin(GRID))
            .axis_style(thin(FAINT_INK))
            .set_all_tick_mark_size(5 * SCALE)
            .x_labels(11)
            .y_labels(11)
            .x_label_formatter(&|value| format!("{value:.*}", self.x.decimals))
            .y_label_formatter(&|value| format!("{value:.*}", self.y.decimals))
            .label_style(text(SMALL, FAINT_INK))
            .axis_desc_style(text(TEXT, INK))
            .x_desc(&self.x.title)
            .y_desc(&self.y.title)
            .draw()?;
        for Band { points, colour } in &self.bands {
            let lower = points.iter().map(|(x, low, _)| (*x, *low));
            let upper = points.iter().rev().map(|(x, _, high)| (*x, *high));
            let border: Vec<(f64, f64)> = lower.chain(upper).collect();
            chart.draw_series([Polygon::new(border, colour.mix(BAND_OPACITY).filled())])?;
        }
        for curve in &self.curves {
            let style = curve.colour.stroke_width(2 * SCALE as u32);
            for line in &curve.lines {
                chart.draw_series(LineSeries::new(line.iter().copied(), style))?;
            }
        }
        let places: Vec<Vec<(i32, i32)>> = self
            .curves
            .iter()
            .map(|curve| curve.lines.iter().flatten().map(|at| chart.backend_coord(at)).collect())
            .collect();
        self.draw_labels(area, &places)?;
        self.draw_legend(area)
    }

    /// Names on the curves themselves, each where it is farthest from other curves and other names.
    fn draw_labels(&self, area: &Area<'_>, places: &[Vec<(i32, i32)>]) -> Result<(), DrawError> {
        let mut taken: Vec<(i32, i32)> = Vec::new();
        let middle = Pos::new(HPos::Center, VPos::Center);
        for (number, curve) in self.curves.iter().enumerate() {
            let others = places.iter().enumerate().filter(|(other, _)| *other != number);
            let others: Vec<(i32, i32)> =
                others.flat_map(|(_, line)| line.iter().copied()).collect();
            let free = |&place: &(i32, i32)| {
                let curves = others.iter().map(|other| distance(place, *other)).min();
                // Names are large: they keep away from each other more than from lines.
                let names = taken.iter().map(|other| distance(place, *other) / 3).min();
                let border = label_border(place);
                curves.unwrap_or(i64::MAX).min(names.unwrap_or(i64::MAX)).min(border)
            };
            let Some(&place) = places[number].iter().max_by_key(|place| free(place)) else {
                continue;
            };
            taken.push(place);
            let half = (label_width(&curve.label, SMALL) * SCALE / 2, 9 * SCALE);
            let corners =
                [(place.0 - half.0, place.1 - half.1), (place.0 + half.0, place.1 + half.1)];
            area.draw(&Rectangle::new(corners, GROUND.filled()))?;
            area.draw_text(&curve.label, &text(SMALL, curve.colour).pos(middle), place)?;
        }
        Ok(())
    }

    fn draw_legend(&self, area: &Area<'_>) -> Result<(), DrawError> {
        let x = SIZE.0 as i32 - ROOM.right + 18;
        let left = Pos::new(HPos::Left, VPos::Center);
        area.draw_text(&self.legend, &text(SMALL, FAINT_INK).pos(left), at(x, ROOM.top + 8))?;
        for (line, curve) in (1..).zip(&self.curves) {
            let y = ROOM.top + 8 + line * LEGEND_LINE;
            let style = curve.colour.stroke_width(2 * SCALE as u32);
            area.draw(&PathElement::new([at(x, y), at(x + 22, y)], style))?;
            area.draw_text(&curve.label, &text(SMALL, INK).pos(left), at(x + 30, y))?;
        }
        Ok(())
    }
}

/// Height of a bar with the room around it, in pixels.
const BAR_LINE: i32 = 34;
/// Above the first bar, in pixels.
const BARS_TOP: i32 = 88;
/// From the left to the bars, and from them to the right, in pixels.
const BARS_SIDES: (i32, i32) = (230, 250);

impl Bars {
    /// Draws them; the colours of loss and gain differ, and so do their sides.
    ///
    /// # Errors
    /// A value is no number.
    pub fn svg(&self) -> Result<String, ChartError> {
        let end = |bar: &BarOf| bar.value.abs() + bar.half.unwrap_or(0.0);
        let most = self.bars.iter().map(end).fold(0.0, f64::max);
        if !self.bars.iter().all(|bar| end(bar).is_finite()) {
            return Err(ChartError(format!("{}: a bar is no number", self.title)));
        }
        let height = BARS_TOP + BAR_LINE * self.bars.len() as i32 + 16;
        let size = (SIZE.0, height as u32);
        let canvas = (size.0 * SCALE as u32, size.1 * SCALE as u32);
        let mut text = String::new();
        {
            let area = SVGBackend::with_string(&mut text, canvas).into_drawing_area();
            self.draw(&area, most).map_err(|error| ChartError(error.to_string()))?;
            area.present().map_err(|error| ChartError(error.to_string()))?;
        }
        Ok(dressed(&text, canvas, size, &self.title))
    }

    fn draw(&self, area: &Area<'_>, most: f64) -> Result<(), DrawError> {
        area.fill(&GROUND)?;
        let top = Pos::new(HPos::Left, VPos::Top);
        area.draw_text(&self.title, &text(TITLE, INK).pos(top), at(20, 16))?;
        area.draw_text(&self.subtitle, &text(SMALL, FAINT_INK).pos(top), at(20, 49))?;
        let width = SIZE.0 as i32 - BARS_SIDES.0 - BARS_SIDES.1;
        let middle = BARS_SIDES.0 + width / 2;
        let reach = f64::from(width / 2);
        let x = |value: f64| {
            let part = if most > 0.0 { value / most } else { 0.0 };
            middle * SCALE + (part * reach * f64::from(SCALE)).round() as i32
        };
        for (line, bar) in (0..).zip(&self.bars) {
            let y = BARS_TOP + line * BAR_LINE;
            let (above, below) = ((y + 6) * SCALE, (y + BAR_LINE - 8) * SCALE);
            let centre = (above + below) / 2;
            let colour = ramp(if bar.value < 0.0 { 3 } else { 0 }, 5);
            let corners = [(x(bar.value.min(0.0)), above), (x(bar.value.max(0.0)), below)];
            area.draw(&Rectangle::new(corners, colour.filled()))?;
            if let Some(half) = bar.half {
                let ends = [(x(bar.value - half), centre), (x(bar.value + half), centre)];
                area.draw(&PathElement::new(ends, INK.stroke_width(SCALE as u32)))?;
            }
            let right = Pos::new(HPos::Right, VPos::Center);
            let place = ((BARS_SIDES.0 - 14) * SCALE, centre);
            area.draw_text(&bar.label, &text(TEXT, INK).pos(right), place)?;
            let left = Pos::new(HPos::Left, VPos::Center);
            let place = ((SIZE.0 as i32 - BARS_SIDES.1 + 14) * SCALE, centre);
            area.draw_text(&bar.note, &text(SMALL, FAINT_INK).pos(left), place)?;
        }
        let foot = BARS_TOP + BAR_LINE * self.bars.len() as i32;
        let axis = [at(middle, BARS_TOP), at(middle, foot)];
        area.draw(&PathElement::new(axis, FAINT_INK.stroke_width(SCALE as u32)))
    }
}

/// A place in pixels.
const fn at(x: i32, y: i32) -> (i32, i32) {
    (x * SCALE, y * SCALE)
}

fn text(size: i32, colour: RGBColor) -> TextStyle<'static> {
    let size = f64::from(size * SCALE) * TEXT_FACTOR;
    (FONT, size).into_font().color(&colour)
}

/// About the width of a name, in pixels.
fn label_width(text: &str, size: i32) -> i32 {
    text.chars().count() as i32 * size * 6 / 10 + 8
}

/// The square of the distance.
fn distance(one: (i32, i32), other: (i32, i32)) -> i64 {
    i64::from(one.0 - other.0).pow(2) + i64::from(one.1 - other.1).pow(2)
}

/// The square of the distance to the border of the curves' area.
fn label_border(place: (i32, i32)) -> i64 {
    let (right, bottom) = at(SIZE.0 as i32 - ROOM.right, SIZE.1 as i32 - ROOM.bottom);
    let (left, top) = at(ROOM.left, ROOM.top);
    let gaps = [place.0 - left, right - place.0, place.1 - top, bottom - place.1];
    gaps.map(|gap| i64::from(gap.max(0)).pow(2)).into_iter().min().unwrap_or(0)
}

/// A colour as style sheets write it.
pub fn hex(colour: Colour) -> String {
    format!("#{:02X}{:02X}{:02X}", colour.0, colour.1, colour.2)
}

/// The document with its size in pixels, a title for those who cannot see it, and the colours of dark ground.
fn dressed(text: &str, canvas: (u32, u32), pixels: (u32, u32), title: &str) -> String {
    let rules = DARK.iter().map(|(light, dark)| {
        let light = hex(*light);
        format!("[fill=\"{light}\"]{{fill:{dark}}}[stroke=\"{light}\"]{{stroke:{dark}}}")
    });
    let style = format!(
        "<title>{}</title>\n<style>polyline{{stroke-linejoin:round;stroke-linecap:round}}\n\
         @media (prefers-color-scheme:dark){{{}}}</style>\n",
        title.replace('&', "&amp;").replace('<', "&lt;"),
        rules.collect::<String>()
    );
    let size = |(width, height): (u32, u32)| format!("width=\"{width}\" height=\"{height}\"");
    let text = text.replacen(&size(canvas), &size(pixels), 1);
    match text.split_once(">\n") {
        Some((open, rest)) => format!("{open}>\n{style}{rest}"),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(range: (f64, f64)) -> Chart {
        let axis = |title: &str| Axis { title: title.to_owned(), range, decimals: 1 };
        let curve = |number: usize, lines: Vec<Vec<(f64, f64)>>| Curve {
            lines,
            colour: ramp(number, 2),
            label: format!("curve {number}"),
        };
        Chart {
            title: "Ends & <means>".to_owned(),
            subtitle: "of 2".to_owned(),
            note: "read it".to_owned(),
            x: axis("to the right"),
            y: axis("up"),
            bands: vec![Band {
                points: vec![(0.0, 0.1, 0.2), (1.0, 0.3, 0.9)],
                colour: RGBColor(1, 2, 3),
            }],
            curves: vec![
                curve(0, vec![vec![(0.0, 0.0), (0.5, 0.25), (1.0, 1.0)]]),
                curve(1, vec![vec![(0.2, 0.9), (0.5, 0.5)], vec![(0.6, 0.5), (0.9, 0.1)]]),
            ],
            legend: "names".to_owned(),
        }
    }

    #[test]
    fn every_part_is_drawn_and_what_is_text_is_escaped() {
        let svg = chart((0.0, 1.0)).svg().expect("it can be drawn");
        let parts =
            ["of 2", "read it", "to the right", "up", "names", "Ends &amp; &lt;means&gt;", "0.5"];
        for part in parts {
            assert!(svg.contains(part), "no {part:?}");
        }
        // Each curve has a name on it and one in the legend.
        for name in ["curve 0", "curve 1"] {
            assert_eq!(svg.matches(name).count(), 2, "{name}");
        }
        let lines = |number: usize| {
            let RGBColor(red, green, blue) = ramp(number, 2);
            svg.matches(&format!("stroke=\"#{red:02X}{green:02X}{blue:02X}\"")).count()
        };
        assert_eq!((lines(0), lines(1)), (2, 3), "lines and the legend's");
        let band = svg.lines().find(|line| line.contains("fill=\"#010203\"")).expect("a band");
        assert!(band.starts_with("<polygon opacity=\"0.2\""), "{band}");
        assert!(svg.starts_with("<svg width=\"860\" height=\"760\" viewBox=\"0 0 8600 7600\""));
    }

    #[test]
    fn dark_ground_has_colours_for_all_that_is_no_curve() {
        let mut dark = chart((0.0, 1.0));
        dark.curves.clear();
        dark.bands.clear();
        let svg = dark.svg().expect("it can be drawn");
        let colours = svg.split(['"']).filter(|part| part.starts_with('#') && part.len() == 7);
        for colour in colours {
            assert!(svg.contains(&format!("[fill=\"{colour}\"]{{fill:#")), "{colour}");
        }
    }

    #[test]
    fn colours_stand_out_from_either_ground() {
        let luminance = |colour: RGBColor| {
            let part = |part: u8| {
                let part = f64::from(part) / 255.0;
                if part <= 0.040_45 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
            };
            0.2126 * part(colour.0) + 0.7152 * part(colour.1) + 0.0722 * part(colour.2)
        };
        let contrast = |one: RGBColor, other: RGBColor| {
            let (one, other) = (luminance(one), luminance(other));
            (one.max(other) + 0.05) / (one.min(other) + 0.05)
        };
        for count in [1, 2, 5, 11, 100] {
            for colour in (0..count).map(|number| ramp(number, count)) {
                let (light, dark) =
                    (contrast(colour, GROUND), contrast(colour, RGBColor(0x0d, 0x11, 0x17)));
                assert!(light >= 3.0 && dark >= 3.0, "{colour:?}: {light}, {dark}");
            }
        }
    }

    #[test]
    fn bars_lie_left_and_right_of_nothing_with_their_intervals() {
        let bar = |value, half| BarOf {
            label: format!("of {value}"),
            value,
            half,
            note: "beside".to_owned(),
        };
        let bars = |bars: Vec<BarOf>| Bars {
            title: "Bars".to_owned(),
            subtitle: "of two".to_owned(),
            bars,
        };
        let svg = bars(vec![bar(-2.0, Some(1.0)), bar(1.0, None)]).svg().expect("drawn");
        for part in ["Bars", "of two", "of -2", "of 1", "beside", "prefers-color-scheme:dark"] {
            assert!(svg.contains(part), "no {part:?}");
        }
        for colour in [ramp(0, 5), ramp(3, 5)] {
            assert_eq!(svg.matches(&format!("fill=\"{}\"", hex(colour))).count(), 1);
        }
        assert!(svg.starts_with("<svg width=\"860\""), "{svg}");
        assert!(bars(Vec::new()).svg().is_ok(), "none is a chart, too");
        assert!(bars(vec![bar(f64::NAN, None)]).svg().is_err());
    }

    #[test]
    fn a_range_without_room_is_refused() {
        for range in [(1.0, 1.0), (1.0, 0.0), (0.0, f64::NAN), (0.0, f64::INFINITY)] {
            let error = chart(range).svg().expect_err("nothing can be drawn").to_string();
            assert!(error.contains("to the right"), "{error}");
        }
    }
}
