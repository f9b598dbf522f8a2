//! `btemu export`: time series and tables of a run for other tools.

use super::metrics_options::DetailOptions;
use super::reading::{Reading, log_failure, read_failure, verify_hint};
use super::{BlockArgument, Failure, print, print_json};
use crate::export::{
    Block, ExportError, Kept, OpenMetrics, Sink, TABLES, Table, TableFormat, Tables, Target,
    Written,
};
use crate::progress::{Progress, Showing};
use crate::run::signals::end_with;
use clap::ValueEnum;
use comfy_table::Table as Shown;
use comfy_table::presets::NOTHING;
use protocol::units::Height;
use serde::Serialize;
use std::path::{Path, PathBuf};
use storage::ahead::read_ahead;
use storage::fold::Folder;
use storage::pursuit::pursue;

/// Blocks between samples for Prometheus: a minute, well within what it looks back for a value.
const METRICS_EVERY: u64 = 5;
/// Blocks between states in tables: twenty minutes.
const TABLES_EVERY: u64 = 100;

/// `btemu export`
#[derive(Debug, clap::Args)]
pub struct ExportArguments {
    /// The run folder.
    run: PathBuf,
    /// What to write: openmetrics is one file of samples with simulated timestamps, the others are tables.
    #[arg(long, value_enum)]
    format: Format,
    /// Where: a new or empty folder for tables, a new file for openmetrics; `-` is standard output, for one file.
    #[arg(long, value_name = "PATH")]
    out: PathBuf,
    /// Blocks between samples of the state; the last block is always one [default: 5 for openmetrics, 100 for tables].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    every: Option<u64>,
    /// The first block: a height, or +N counted from genesis.
    #[arg(long, value_name = "B")]
    from: Option<BlockArgument>,
    /// The last block.
    #[arg(long, value_name = "B")]
    to: Option<BlockArgument>,
    /// Only this table: blocks, calls, events, subnets or neurons; may be given several times.
    #[arg(long = "table", value_name = "NAME")]
    tables: Vec<String>,
    #[command(flatten)]
    detail: DetailOptions,
    /// Print one JSON object about what was written.
    #[arg(long)]
    json: bool,
}

/// What other tools read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Samples for Prometheus.
    Openmetrics,
    /// Typed columns.
    Parquet,
    /// Comma-separated values.
    Csv,
    /// One JSON object per line.
    Jsonl,
}

#[derive(Serialize)]
struct Export {
    run: String,
    format: &'static str,
    first_block: u64,
    last_block: u64,
    every_blocks: u64,
    files: Vec<ExportedFile>,
}

#[derive(Serialize)]
struct ExportedFile {
    name: &'static str,
    path: String,
    rows: u64,
    bytes: u64,
}

/// The blocks of an export.
#[derive(Clone, Copy, Debug)]
struct Span {
    genesis: Height,
    from: Height,
    to: Height,
    every: u64,
}

impl Format {
    const fn name(self) -> &'static str {
        match self {
            Self::Openmetrics => "openmetrics",
            Self::Parquet => "parquet",
            Self::Csv => "csv",
            Self::Jsonl => "jsonl",
        }
    }

    /// The format of tables; none for samples.
    fn tables(self) -> Result<Option<TableFormat>, Failure> {
        match self {
            Self::Openmetrics => Ok(None),
            Self::Csv => Ok(Some(TableFormat::Csv)),
            Self::Jsonl => Ok(Some(TableFormat::Jsonl)),
            #[cfg(feature = "parquet")]
            Self::Parquet => Ok(Some(TableFormat::Parquet)),
            #[cfg(not(feature = "parquet"))]
            Self::Parquet => {
                let what = "this build has no Parquet; build with --features parquet";
                let hint = "cargo build --release --features emulator/parquet; or --format csv";
                Err(Failure::usage(what, Some(hint.to_owned())))
            }
        }
    }
}

/// Writes what was asked for in one pass over the log.
pub fn run(arguments: &ExportArguments) -> Result<(), Failure> {
    let format = arguments.format.tables()?;
    let tables = wanted_tables(arguments, format)?;
    let is_standard_output = arguments.out == Path::new("-");
    if is_standard_output && arguments.json {
        let what = "--out - and --json both write to standard output";
        return Err(Failure::usage(what, None));
    }
    let reading = Reading::open(&arguments.run)?;
    let span = span(arguments, format, &reading)?;
    let mut target = match format {
        _ if is_standard_output => Target::standard_output(),
        Some(_) => Target::folder(&arguments.out).map_err(failed)?,
        None => Target::file(&arguments.out).map_err(failed)?,
    };
    // Whoever reads standard output has what came so far.
    let begun = target.begun();
    let heeding = end_with(move || {
        let _left = begun.clear();
        eprintln!("error: the export was stopped before it was whole; nothing of it is left");
        std::process::exit(1);
    });
    let _heeding = heeding.map_err(|error| Failure::failed(error, None))?;
    let sink: Box<dyn Sink> = match format {
        Some(format) => {
            let begin = |table| Ok((table, format.begin(&mut target, table)?));
            let writers = tables.into_iter().map(begin).collect::<Result<_, _>>();
            Box::new(Tables::new(&reading.plan, writers.map_err(failed)?))
        }
        None => Box::new(metrics(arguments, &reading, span, &mut target)?),
    };
    let written = fold(arguments, &reading, span, sink)?;
    let kept = target.keep().map_err(failed)?;
    if is_standard_output {
        return Ok(());
    }
    tell(arguments, span, &written, &kept)
}

fn wanted_tables(
    arguments: &ExportArguments,
    format: Option<TableFormat>,
) -> Result<Vec<&'static Table>, Failure> {
    if format.is_none() && !arguments.tables.is_empty() {
        return Err(Failure::usage("--table: openmetrics has no tables", None));
    }
    for name in &arguments.tables {
        if !TABLES.iter().any(|table| table.name == name) {
            let names: Vec<&str> = TABLES.iter().map(|table| table.name).collect();
            let hint = format!("the tables are {}", names.join(", "));
            return Err(Failure::usage(
                format!("--table {name}: there is no such table"),
                Some(hint),
            ));
        }
    }
    let is_wanted = |table: &&&'static Table| {
        arguments.tables.is_empty() || arguments.tables.iter().any(|name| name == table.name)
    };
    let tables: Vec<&Table> = TABLES.iter().filter(is_wanted).copied().collect();
    let one_file = format.is_none() || tables.len() == 1;
    if arguments.out == Path::new("-") && !one_file {
        let hint = "name one with --table, or give --out a folder".to_owned();
        return Err(Failure::usage("standard output takes one table", Some(hint)));
    }
    Ok(tables)
}

fn span(
    arguments: &ExportArguments,
    format: Option<TableFormat>,
    reading: &Reading,
) -> Result<Span, Failure> {
    let genesis = reading.genesis.height;
    let from = match arguments.from {
        Some(from) => reading.height(Some(from))?,
        None => genesis,
    };
    let to = reading.height(arguments.to)?;
    if from > to {
        return Err(Failure::usage(format!("--from {from} is after --to {to}"), None));
    }
    let usual = if format.is_some() { TABLES_EVERY } else { METRICS_EVERY };
    Ok(Span { genesis, from, to, every: arguments.every.unwrap_or(usual) })
}

impl Span {
    /// Whether the state after a block is wanted.
    fn samples(self, height: Height) -> bool {
        height == self.to || (height.0 - self.genesis.0).is_multiple_of(self.every)
    }
}

/// The metrics, with the blocks before the first counted.
fn metrics(
    arguments: &ExportArguments,
    reading: &Reading,
    span: Span,
    target: &mut Target,
) -> Result<OpenMetrics, Failure> {
    let detail = arguments.detail.over_held(reading)?;
    let metrics = detail.metrics(&reading.plan, &reading.name(), &reading.plan.genesis);
    let metrics = OpenMetrics::begin(target, &reading.plan, metrics).map_err(failed)?;
    if span.from <= Height(span.genesis.0 + 1) {
        return Ok(metrics);
    }
    // Detectors remember what was before, so its states are wanted too.
    let unfolded = |error| Failure::failed(error, verify_hint());
    let genesis = reading.plan.genesis.clone();
    let mut folder = Folder::new(genesis, &reading.genesis).map_err(unfolded)?;
    let counted = pursue(&mut folder, &reading.log, Height(span.from.0 - 1), |frame, after| {
        metrics.count(frame, after);
    });
    counted.map_err(read_failure)?;
    Ok(metrics)
}

fn fold(
    arguments: &ExportArguments,
    reading: &Reading,
    span: Span,
    mut sink: Box<dyn Sink>,
) -> Result<Vec<Written>, Failure> {
    let before = Height(span.from.0.saturating_sub(1).max(span.genesis.0));
    let mut folder = reading.state_at(before)?;
    let showing = Showing::unless_json(arguments.json);
    let progress = Progress::counting(before.0, span.to.0, showing);
    if span.from == span.genesis {
        let (header, state) = (folder.header(), folder.state());
        let sampled = span.samples(span.genesis);
        sink.block(Block { header, frame: None, state, sampled }).map_err(failed)?;
    }
    read_ahead(&reading.log, Height(before.0 + 1), span.to, |blocks| {
        for block in blocks {
            let frame = block.map_err(log_failure)?;
            let folded = folder.fold_stored(&frame);
            folded.map_err(|error| Failure::failed(error, verify_hint()))?;
            let (header, state) = (folder.header(), folder.state());
            let sampled = span.samples(header.height);
            sink.block(Block { header, frame: Some(frame), state, sampled }).map_err(failed)?;
            progress.at(header.height.0);
        }
        Ok::<(), Failure>(())
    })?;
    progress.finish();
    sink.finish().map_err(failed)
}

fn tell(
    arguments: &ExportArguments,
    span: Span,
    written: &[Written],
    kept: &[Kept],
) -> Result<(), Failure> {
    let files = written.iter().zip(kept).map(|(written, kept)| ExportedFile {
        name: written.name,
        path: kept.path.display().to_string(),
        rows: written.rows,
        bytes: kept.bytes,
    });
    let export = Export {
        run: arguments.run.display().to_string(),
        format: arguments.format.name(),
        first_block: span.from.0,
        last_block: span.to.0,
        every_blocks: span.every,
        files: files.collect(),
    };
    if arguments.json {
        return print_json(&export);
    }
    let mut shown = Shown::new();
    shown.load_preset(NOTHING).set_header(["file", "rows", "bytes"]);
    for file in &export.files {
        shown.add_row([file.path.clone(), file.rows.to_string(), file.bytes.to_string()]);
    }
    print(&format!("{shown}\n"))
}

fn failed(error: ExportError) -> Failure {
    if error.is_reader_gone() {
        // Whoever reads has seen enough (`| head`).
        std::process::exit(0);
    }
    let hint = error.hint();
    Failure::failed(error, hint)
}
