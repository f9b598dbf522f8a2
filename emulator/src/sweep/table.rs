//! What the results of a sweep are together: a row per job for other tools, and per cell the mean of each measure.
//!
//! What belongs here: columns, rows, summaries. What does not: how formats write them (`export`).

use super::job::JobResult;
use super::measures::{Figures, Measure, Unit};
use super::plan::Sweep;
use super::statistics::Estimate;
use crate::export::{Column, ExportError, Kept, Kind, Presence, Table, TableFormat, Target, Value};
use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, Table as TextTable};
use protocol::units::UNITS_PER_TOKEN;
use serde::Serialize;
use serde_json::Map;
use std::fmt::Write;
use std::path::Path;

/// Name of the table and of its files.
const NAME: &str = "sweep";

/// The results that are there, by the numbers of their jobs from 0.
pub type Results = Vec<(usize, JobResult)>;

/// The formats that this build writes.
fn formats() -> Vec<(TableFormat, &'static str)> {
    vec![
        (TableFormat::Csv, "csv"),
        #[cfg(feature = "parquet")]
        (TableFormat::Parquet, "parquet"),
    ]
}

/// Writes a row per result, in the place of what was there.
///
/// # Errors
/// A file cannot be written.
pub fn write(sweep: &Sweep, results: &Results, folder: &Path) -> Result<Vec<Kept>, ExportError> {
    let table = table(sweep);
    let mut kept = Vec::new();
    for (format, extension) in formats() {
        let mut target = Target::replacing(&folder.join(format!("{NAME}.{extension}")))?;
        let mut writer = format.begin(&mut target, table)?;
        for (number, result) in results {
            writer.row(&row(sweep, *number, result))?;
        }
        writer.finish()?;
        kept.extend(target.keep()?);
    }
    Ok(kept)
}

/// The table's description. Exports know theirs when they are built; this one lasts as long as the program, too.
fn table(sweep: &Sweep) -> &'static Table {
    let column = |name: &str, kind: Kind, presence: Presence| Column {
        name: name.to_owned().leak(),
        kind,
        presence,
        about: "",
    };
    let always = Presence::Always;
    let mut columns =
        vec![column("job", Kind::Integer, always), column("cell", Kind::Integer, always)];
    for (at, axis) in sweep.axes.iter().enumerate() {
        columns.push(column(&axis.name, axis_kind(sweep, at), always));
    }
    for (name, kind) in [
        ("seed", Kind::Integer),
        ("blocks", Kind::Integer),
        ("scenario_hash", Kind::Hash),
        ("tip_hash", Kind::Hash),
    ] {
        columns.push(column(name, kind, always));
    }
    for measure in &sweep.measures {
        let kind = if measure.is_whole() { Kind::Integer } else { Kind::Float };
        columns.push(column(&measure.name, kind, Presence::Sometimes));
    }
    columns.push(column("wall_seconds", Kind::Float, always));
    columns.push(column("build", Kind::Word, always));
    Box::leak(Box::new(Table { name: NAME, about: "", columns: columns.leak() }))
}

/// What all values of an axis are.
fn axis_kind(sweep: &Sweep, at: usize) -> Kind {
    let values = || sweep.cells.iter().map(|cell| &cell.values[at]);
    if values().all(toml::Value::is_integer) {
        Kind::Integer
    } else if values().all(|value| value.is_integer() || value.is_float()) {
        Kind::Float
    } else if values().all(toml::Value::is_bool) {
        Kind::Flag
    } else {
        Kind::Word
    }
}

fn row(sweep: &Sweep, number: usize, result: &JobResult) -> Vec<Value> {
    let job = &sweep.jobs[number];
    let mut row = vec![Value::from(number + 1), Value::from(job.cell + 1)];
    for (at, value) in sweep.cells[job.cell].values.iter().enumerate() {
        row.push(match (axis_kind(sweep, at), value) {
            (Kind::Integer, toml::Value::Integer(number)) => Value::Integer(*number),
            (Kind::Float, toml::Value::Integer(number)) => Value::Float(*number as f64),
            (Kind::Float, toml::Value::Float(number)) => Value::Float(*number),
            (Kind::Flag, toml::Value::Boolean(flag)) => Value::Flag(*flag),
            (_, value) => Value::Text(tell_value(value)),
        });
    }
    row.extend([
        Value::from(result.seed),
        Value::from(result.blocks),
        Value::Text(result.scenario_hash.clone()),
        Value::Text(result.tip_hash.clone()),
    ]);
    for measure in &sweep.measures {
        let figure = result.figures.get(&measure.name);
        row.push(match measure.is_whole() {
            true => Value::from(figure.and_then(serde_json::Number::as_u64)),
            false => Value::from(figure.and_then(serde_json::Number::as_f64)),
        });
    }
    row.extend([Value::Float(result.wall_seconds), Value::Text(result.build.clone())]);
    row
}

/// Texts without quotes, all else as TOML.
fn tell_value(value: &toml::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// What the results of one cell say.
#[derive(Clone, Debug, Serialize)]
pub struct CellSummary {
    /// Its number, from 1.
    pub cell: usize,
    /// A value of each axis.
    pub settings: Map<String, serde_json::Value>,
    /// Runs that are done.
    pub runs: u64,
    /// Each measure; null where no run has a figure.
    pub measures: Map<String, serde_json::Value>,
    #[serde(skip)]
    estimates: Vec<Option<Estimate>>,
}

/// Sums results up, cell by cell.
pub fn summarize(sweep: &Sweep, results: &Results) -> Vec<CellSummary> {
    let mut figures: Vec<Vec<&Figures>> = vec![Vec::new(); sweep.cells.len()];
    for (number, result) in results {
        figures[sweep.jobs[*number].cell].push(&result.figures);
    }
    let cells = sweep.cells.iter().zip(figures).enumerate().map(|(at, (cell, figures))| {
        let estimate = |measure: &Measure| {
            let figures = figures.iter().filter_map(|one| one.get(&measure.name)?.as_f64());
            Estimate::of(&figures.collect::<Vec<f64>>())
        };
        let estimates: Vec<Option<Estimate>> = sweep.measures.iter().map(estimate).collect();
        let settings = sweep.axes.iter().zip(&cell.values);
        let named = sweep.measures.iter().zip(&estimates);
        CellSummary {
            cell: at + 1,
            settings: settings.map(|(axis, value)| (axis.name.clone(), json(value))).collect(),
            runs: figures.len() as u64,
            measures: named.map(|(measure, one)| (measure.name.clone(), json(one))).collect(),
            estimates,
        }
    });
    cells.collect()
}

fn json(value: &impl Serialize) -> serde_json::Value {
    serde_json::to_value(value).expect("values and estimates are plain data")
}

/// Summaries for people: a table per measure.
pub fn tell(sweep: &Sweep, cells: &[CellSummary]) -> String {
    let mut text = String::new();
    for (at, measure) in sweep.measures.iter().enumerate() {
        let (unit, scale, digits) = shown(measure.unit);
        let mut table = TextTable::new();
        let axes = sweep.axes.iter().map(|axis| axis.name.as_str());
        table.load_preset(NOTHING);
        table.set_header(["cell"].into_iter().chain(axes).chain(["runs", "mean", "± 95 %"]));
        for (cell, summary) in sweep.cells.iter().zip(cells) {
            let mut row = vec![summary.cell.to_string()];
            row.extend(cell.values.iter().map(tell_value));
            let estimate = summary.estimates[at];
            let number = |number: f64| format!("{:.digits$}", number * scale);
            row.push(estimate.map_or(0, |estimate| estimate.n).to_string());
            row.push(estimate.map_or_else(|| "–".to_owned(), |one| number(one.mean)));
            let half = estimate.and_then(|estimate| estimate.ci95);
            row.push(half.map_or_else(|| "–".to_owned(), number));
            table.add_row(row);
        }
        let numbers = sweep.axes.len() + 1;
        for column in table.column_iter_mut().skip(numbers) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        writeln!(text, "{} ({unit})\n{table}\n", measure.name).expect("a text takes every line");
    }
    text
}

/// How people read a unit: its name, what a figure is multiplied with, digits behind the point.
const fn shown(unit: Unit) -> (&'static str, f64, usize) {
    match unit {
        Unit::Rao => ("TAO", 1.0 / UNITS_PER_TOKEN as f64, 4),
        Unit::Count => (unit.name(), 1.0, 1),
        Unit::Share => ("%", 100.0, 4),
        Unit::Price => (unit.name(), 1.0, 8),
    }
}
