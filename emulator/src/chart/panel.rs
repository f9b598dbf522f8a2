//! Small charts for a page that says beside them what they show: curves over blocks, with times that stand out.
//!
//! What belongs here: how such a chart looks. What does not: charts that stand alone, with title, names and legend in the
//! picture (the parent). A panel is seen at half a page and on a phone: few lines, few numbers, and text that a style
//! sheet can make larger than it is.

use super::{
    Area, ChartError, Curve, DrawError, FAINT_INK, GRID, GROUND, SCALE, SMALL, dressed, text,
};
use plotters::prelude::*;

/// Width and height, in pixels.
const SIZE: (u32, u32) = (480, 250);
/// Room at the left for numbers, and below; that for text on a phone is larger.
const ROOM: (i32, i32) = (58, 30);
/// How much of its colour a time that stands out has.
const SPAN_OPACITY: f64 = 0.16;
/// Part of the range of a chart that is left free above and below.
const MARGIN: f64 = 0.06;
/// Grounds of what stands out.
const SPAN: RGBColor = RGBColor(0xd2, 0x78, 0x14);

/// A small chart.
#[derive(Clone, Debug, Default)]
pub struct Panel {
    /// What it shows, for those who cannot see it.
    pub title: String,
    /// From and to, to the right.
    pub x: (f64, f64),
    /// Values that are in sight whatever the curves are; none is fine.
    pub y_includes: Vec<f64>,
    /// Times that stand out, from and to.
    pub spans: Vec<(f64, f64)>,
    /// What is drawn, in order.
    pub curves: Vec<Curve>,
}

impl Panel {
    /// Draws it.
    ///
    /// # Errors
    /// A range is empty, or a value is no number.
    pub fn svg(&self) -> Result<String, ChartError> {
        let (low, high) = self.range()?;
        if !(self.x.0 < self.x.1 && self.x.0.is_finite() && self.x.1.is_finite()) {
            return Err(ChartError(format!("{}: from {} to {}", self.title, self.x.0, self.x.1)));
        }
        let canvas = (SIZE.0 * SCALE as u32, SIZE.1 * SCALE as u32);
        let mut text = String::new();
        {
            let area = SVGBackend::with_string(&mut text, canvas).into_drawing_area();
            let drawn = self.draw(&area, (low, high));
            drawn.map_err(|error| ChartError(error.to_string()))?;
            area.present().map_err(|error| ChartError(error.to_string()))?;
        }
        Ok(dressed(&text, canvas, SIZE, &self.title))
    }

    /// What the values lie between, with room around them.
    fn range(&self) -> Result<(f64, f64), ChartError> {
        let points = self.curves.iter().flat_map(|curve| curve.lines.iter().flatten());
        let values = points.map(|(_, y)| *y).chain(self.y_includes.iter().copied());
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values {
            if !value.is_finite() {
                return Err(ChartError(format!("{}: {value} is no number", self.title)));
            }
            (low, high) = (low.min(value), high.max(value));
        }
        if low > high {
            return Ok((0.0, 1.0));
        }
        // Where nothing changes there is a line in the middle.
        let span = high - low;
        let room = if span > 0.0 { span * MARGIN } else { f64::max(low.abs() * MARGIN, 1e-9) };
        Ok((low - room, high + room))
    }

    fn draw(&self, area: &Area<'_>, (low, high): (f64, f64)) -> Result<(), DrawError> {
        area.fill(&GROUND)?;
        let mut chart = ChartBuilder::on(area)
            .margin_top(10 * SCALE)
            .margin_right(18 * SCALE)
            .x_label_area_size(ROOM.1 * SCALE)
            .y_label_area_size(ROOM.0 * SCALE)
            .build_cartesian_2d(self.x.0..self.x.1, low..high)?;
        let thin = |colour: RGBColor| colour.stroke_width(SCALE as u32);
        for (from, to) in &self.spans {
            let (from, to) = (from.max(self.x.0), to.min(self.x.1));
            let corners = [(from, low), (to, high)];
            chart.draw_series([Rectangle::new(corners, SPAN.mix(SPAN_OPACITY).filled())])?;
        }
        let step = (high - low) / 4.0;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(thin(GRID))
            .axis_style(thin(GRID))
            .set_all_tick_mark_size(3 * SCALE)
            .x_labels(5)
            .y_labels(5)
            .x_label_formatter(&|value| short(*value, 1.0))
            .y_label_formatter(&|value| short(*value, step))
            .label_style(text(SMALL, FAINT_INK))
            .draw()?;
        for curve in &self.curves {
            let style = curve.colour.stroke_width(2 * SCALE as u32);
            for line in &curve.lines {
                chart.draw_series(LineSeries::new(line.iter().copied(), style))?;
            }
        }
        Ok(())
    }
}

/// A number of an axis in few letters, told apart from the next one, which is so far away: `1.2k`, `0.05`, `3M`.
pub fn short(value: f64, step: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let largest = value.abs().max(step.abs());
    let (unit, name) = match largest {
        huge if huge >= 1e9 => (1e9, "G"),
        large if large >= 1e6 => (1e6, "M"),
        middling if middling >= 1e4 => (1e3, "k"),
        _ => (1.0, ""),
    };
    let needed = (-(step / unit).abs().max(1e-12).log10()).ceil().clamp(0.0, 9.0) as usize;
    let text = format!("{:.needed$}", value / unit);
    let text = match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.'),
        false => text.as_str(),
    };
    let text = if text == "-0" { "0" } else { text };
    format!("{text}{name}")
}

#[cfg(test)]
mod tests {
    use super::super::ramp;
    use super::*;

    fn panel(lines: Vec<Vec<(f64, f64)>>) -> Panel {
        Panel {
            title: "Price & share".to_owned(),
            x: (0.0, 7_200.0),
            curves: vec![Curve { lines, colour: ramp(0, 2), label: "one".to_owned() }],
            ..Panel::default()
        }
    }

    #[test]
    fn curves_and_times_that_stand_out_are_drawn() {
        let mut one = panel(vec![vec![(0.0, 1.0), (7_200.0, 2.0)]]);
        let lines = |svg: &str| svg.matches("<polyline").count();
        let plain = one.svg().expect("it can be drawn");
        let RGBColor(red, green, blue) = ramp(0, 2);
        assert_eq!(
            plain.matches(&format!("stroke=\"#{red:02X}{green:02X}{blue:02X}\"")).count(),
            1
        );
        assert!(plain.contains("<title>Price &amp; share</title>"), "{plain}");
        assert!(plain.starts_with("<svg width=\"480\" height=\"250\" viewBox=\"0 0 4800 2500\""));
        one.spans = vec![(100.0, 200.0), (7_000.0, 9_000.0)];
        let marked = one.svg().expect("it can be drawn");
        assert_eq!(marked.matches("#D27814").count(), 2, "{marked}");
        assert_eq!(lines(&marked), lines(&plain));
    }

    #[test]
    fn what_has_no_range_is_a_line_and_what_is_no_number_is_refused() {
        for points in [vec![], vec![(0.0, 3.0), (9.0, 3.0)], vec![(5.0, 0.0)]] {
            assert!(panel(vec![points]).svg().is_ok());
        }
        let error = panel(vec![vec![(0.0, f64::NAN)]]).svg().expect_err("no number").to_string();
        assert!(error.contains("Price & share"), "{error}");
        let empty = Panel { x: (5.0, 5.0), ..panel(Vec::new()) };
        assert!(empty.svg().is_err());
    }

    #[test]
    fn numbers_of_axes_are_short_and_told_apart() {
        let rows = [
            (0.0, 1.0, "0"),
            (0.0, 50_000.0, "0"),
            (7_200.0, 1.0, "7200"),
            (14_400.0, 1_000.0, "14k"),
            (14_500.0, 500.0, "14.5k"),
            (0.05, 0.01, "0.05"),
            (0.1, 0.05, "0.1"),
            (-0.000_01, 0.1, "0"),
            (10_850_000.0, 1_000.0, "10.85M"),
            (-250.0, 50.0, "-250"),
        ];
        for (value, step, expected) in rows {
            assert_eq!(short(value, step), expected, "{value} by {step}");
        }
    }
}
