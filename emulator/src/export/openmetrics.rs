//! Metrics as OpenMetrics text with simulated timestamps: what a scraper would have seen, for backfilling.
//!
//! The samples are those of `metrics`, folded from the same blocks by the same code; what is of the process and of wall
//! time is left out. OpenMetrics wants all points of a series together, while blocks give one point of every series, so
//! points wait in a temporary file, in chunks by series.

use super::target::{Output, Target};
use super::{Block, ExportError, Sink, Written};
use crate::metrics::table::{ENGINE_FAMILIES, FAMILIES, Family, Kind, Unit};
use crate::metrics::{Metrics, Sample};
use crate::plan::Plan;
use protocol::frame::Frame;
use protocol::state::State;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};

/// Points of a series kept in memory before they go to the temporary file.
const CHUNK_BYTES: usize = 4 << 10;

/// Writes the metrics of a run.
pub struct OpenMetrics {
    metrics: Metrics,
    genesis_ms: i64,
    output: Output,
    points: File,
    points_bytes: u64,
    /// By the family's place in the table, then by labels.
    series: BTreeMap<(usize, String), Series>,
    samples: u64,
}

/// The points of a series as lines of value and time: those written, as places in the temporary file, and the rest.
#[derive(Default)]
struct Series {
    chunks: Vec<(u64, usize)>,
    rest: String,
}

impl OpenMetrics {
    /// Begins the file with metrics that know no block yet.
    ///
    /// # Errors
    /// It cannot be made, nor the temporary one beside it.
    pub fn begin(target: &mut Target, plan: &Plan, metrics: Metrics) -> Result<Self, ExportError> {
        let workspace = target.workspace();
        let output = target.begin("metrics.txt")?;
        let unmakable = |source| ExportError::Unmakable { path: workspace.clone(), source };
        let points = tempfile::tempfile_in(&workspace).map_err(unmakable)?;
        Ok(Self {
            metrics,
            genesis_ms: plan.genesis_unix_s.saturating_mul(1_000),
            output,
            points,
            points_bytes: 0,
            series: BTreeMap::new(),
            samples: 0,
        })
    }

    /// Counts a block before the first one that is exported, with the state after it: totals count from genesis.
    pub fn count(&self, frame: &Frame, after: &State) {
        self.metrics.count(frame, after);
    }

    fn sample(&mut self, time_ms: u64) -> io::Result<()> {
        let time = seconds(self.genesis_ms.saturating_add_unsigned(time_ms));
        for Sample { family, labels, value } in self.metrics.samples() {
            if ENGINE_FAMILIES.contains(&family) {
                continue;
            }
            let place = FAMILIES.iter().position(|known| *known == family);
            let place = place.expect("samples are of families of the table");
            let series = self.series.entry((place, written(&labels))).or_default();
            // A text takes every line.
            let _ = writeln!(series.rest, "{value} {time}");
            self.samples += 1;
            if series.rest.len() >= CHUNK_BYTES {
                self.points.write_all(series.rest.as_bytes())?;
                series.chunks.push((self.points_bytes, series.rest.len()));
                self.points_bytes += series.rest.len() as u64;
                series.rest.clear();
            }
        }
        Ok(())
    }

    fn write(mut self) -> io::Result<u64> {
        let mut to = BufWriter::new(&mut self.output.to);
        let mut last = None;
        let mut chunk = String::new();
        for ((place, labels), series) in &self.series {
            let family = FAMILIES[*place];
            if last != Some(*place) {
                to.write_all(head(family).as_bytes())?;
                last = Some(*place);
            }
            for (from, bytes) in &series.chunks {
                self.points.seek(SeekFrom::Start(*from))?;
                chunk.clear();
                (&self.points).take(*bytes as u64).read_to_string(&mut chunk)?;
                write_points(&mut to, family, labels, &chunk)?;
            }
            write_points(&mut to, family, labels, &series.rest)?;
        }
        to.write_all(b"# EOF\n")?;
        to.flush()?;
        Ok(self.samples)
    }
}

impl Sink for OpenMetrics {
    fn block(&mut self, block: Block<'_>) -> Result<(), ExportError> {
        // Nothing has been counted at genesis; the first scrape of a run sees its first block.
        let Some(frame) = block.frame else { return Ok(()) };
        self.metrics.block(&frame, block.state);
        if !block.sampled {
            return Ok(());
        }
        let sampled = self.sample(block.header.time_ms);
        sampled.map_err(|source| ExportError::unwritable(&self.output.path, source))
    }

    fn finish(self: Box<Self>) -> Result<Vec<Written>, ExportError> {
        let path = self.output.path.clone();
        let rows = self.write().map_err(|source| ExportError::unwritable(&path, source))?;
        Ok(vec![Written { name: "metrics", rows }])
    }
}

/// OpenMetrics names a counter without `_total` and an info without `_info`; samples keep the whole name.
fn head(family: &Family) -> String {
    let (kind, suffix) = match (family.kind, family.unit) {
        (_, Unit::Info) => ("info", "_info"),
        (Kind::Gauge, _) => ("gauge", ""),
        (Kind::Counter, _) => ("counter", "_total"),
        (Kind::Histogram, _) => ("histogram", ""),
    };
    let name = family.name.strip_suffix(suffix).unwrap_or(family.name);
    let mut head = format!("# TYPE {name} {kind}\n");
    if !matches!(family.unit, Unit::Info | Unit::Count) {
        head.push_str(&format!("# UNIT {name} {}\n", family.unit.name()));
    }
    head.push_str(&format!("# HELP {name} {}\n", escaped(family.help)));
    head
}

fn write_points(
    to: &mut impl Write,
    family: &Family,
    labels: &str,
    points: &str,
) -> io::Result<()> {
    points.lines().try_for_each(|point| writeln!(to, "{}{labels} {point}", family.name))
}

fn written(labels: &[(String, String)]) -> String {
    let labels = labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value)));
    format!("{{{}}}", labels.collect::<Vec<_>>().join(","))
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// Milliseconds as seconds, exact.
fn seconds(ms: i64) -> String {
    let (sign, ms) = (if ms < 0 { "-" } else { "" }, ms.unsigned_abs());
    match ms % 1_000 {
        0 => format!("{sign}{}", ms / 1_000),
        part => format!("{sign}{}.{part:03}", ms / 1_000),
    }
}
