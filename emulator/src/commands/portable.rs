//! `btemu log export` and `btemu log import`: the whole log of a run as one file that does not depend on the store.

use super::copying::{copy, journal, open_file, runs};
use super::reading::{Reading, log_failure};
use super::{Failure, print, print_json};
use crate::progress::{Progress, Showing};
use crate::run::copying::{Checks, Copied, Place};
use serde::Serialize;
use serde_json::json;
use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use storage::log::EventLog;
use storage::portable::{Reader, Writer};

const BUFFER_BYTES: usize = 1 << 20;
/// The name of standard input and output.
const STANDARD: &str = "-";

/// The whole log as one file.
#[derive(Debug, clap::Subcommand)]
pub enum PortableCommand {
    /// Write the whole log as one portable file.
    Export {
        /// The run folder.
        run: PathBuf,
        /// The file to make, or - for standard output.
        file: PathBuf,
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Make a run folder of a portable file.
    Import {
        /// The file, or - for standard input.
        file: PathBuf,
        /// Where to make the run folder [default: runs/SCENARIO-SEED-N].
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
        /// Check the chain of hashes alone, and fold no block.
        #[arg(long)]
        hashes_only: bool,
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Serialize)]
struct Told {
    run: String,
    file: String,
    genesis_block: u64,
    block: u64,
    blocks: u64,
    tip_hash: String,
    /// Length of the file.
    bytes: Option<u64>,
    /// What the log takes on disk.
    log_bytes: u64,
}

/// Writes or reads a portable file.
pub fn run(command: &PortableCommand) -> Result<(), Failure> {
    match command {
        PortableCommand::Export { run, file, json } => export(run, file, *json),
        PortableCommand::Import { file, out, hashes_only, json } => {
            let checks = if *hashes_only { Checks::Hashes } else { Checks::Folds };
            import(file, out.as_deref(), checks, *json)
        }
    }
}

fn export(run: &Path, path: &Path, json: bool) -> Result<(), Failure> {
    let reading = Reading::open(run)?;
    let showing = Showing::unless_json(json);
    if path == Path::new(STANDARD) {
        if json {
            let what = "--json prints on standard output, where the log goes";
            return Err(Failure::usage(what, Some("name a file".to_owned())));
        }
        return export_to(&reading, std::io::stdout().lock(), path, showing).map(drop);
    }
    let file = File::create_new(path).map_err(|error| unwritable(path, &error))?;
    let synced = export_to(&reading, &file, path, showing).and_then(|told| {
        file.sync_all().map_err(|error| unwritable(path, &error))?;
        Ok(told)
    });
    match synced {
        Ok(told) if json => print_json(&told),
        Ok(told) => print(&tell(&told)),
        Err(failure) => {
            // Half a file is of no use; if it cannot be deleted either, its missing end says so.
            std::fs::remove_file(path).ok();
            Err(failure)
        }
    }
}

fn export_to(
    reading: &Reading,
    to: impl Write,
    path: &Path,
    showing: Showing,
) -> Result<Told, Failure> {
    let (genesis, tip) = (reading.genesis.height, reading.log.tip());
    let progress = Progress::counting(genesis.0, tip.0, showing);
    let mut writer = Writer::new(BufWriter::with_capacity(BUFFER_BYTES, to));
    let mut last = None;
    for (height, raw) in (genesis.0..).zip(reading.log.records(genesis, tip)) {
        let raw = raw.map_err(log_failure)?;
        writer.write(&raw).map_err(|error| unwritable(path, &error))?;
        progress.at(height);
        last = Some(raw);
    }
    let last = last.ok_or_else(|| Failure::failed("the log is empty", None))?;
    let header = last.record().header().map_err(|error| Failure::failed(error, None))?;
    let (bytes, _) = writer.finish().map_err(|error| unwritable(path, &error))?;
    progress.finish();
    Ok(Told {
        run: reading.folder.path.display().to_string(),
        file: path.display().to_string(),
        genesis_block: genesis.0,
        block: tip.0,
        blocks: tip.0 - genesis.0,
        tip_hash: header.hash().to_string(),
        bytes: Some(bytes),
        log_bytes: reading.log.bytes(),
    })
}

fn unwritable(path: &Path, error: &std::io::Error) -> Failure {
    let hint = match error.kind() {
        std::io::ErrorKind::AlreadyExists => Some("delete it, or choose another name".to_owned()),
        _ => None,
    };
    Failure::failed(format!("cannot write {}: {error}", path.display()), hint)
}

fn import(path: &Path, out: Option<&Path>, checks: Checks, json: bool) -> Result<(), Failure> {
    let showing = Showing::unless_json(json);
    let copied = if path == Path::new(STANDARD) {
        import_from(std::io::stdin().lock(), path, out, checks, showing)?
    } else {
        import_from(open_file(path)?, path, out, checks, showing)?
    };
    let (genesis, tip) = (copied.genesis.0, copied.tip.height.0);
    let told = Told {
        run: copied.folder.path.display().to_string(),
        file: path.display().to_string(),
        genesis_block: genesis,
        block: tip,
        blocks: tip - genesis,
        tip_hash: copied.tip.hash().to_string(),
        bytes: std::fs::metadata(path).ok().map(|file| file.len()),
        log_bytes: copied.log_bytes,
    };
    journal(&copied.folder, "imported", &told.file, json!({ "block": tip }))?;
    if json { print_json(&told) } else { print(&tell(&told)) }
}

fn import_from(
    from: impl Read,
    path: &Path,
    out: Option<&Path>,
    checks: Checks,
    showing: Showing,
) -> Result<Copied, Failure> {
    let reader = Reader::new(BufReader::with_capacity(BUFFER_BYTES, from));
    let records = reader.map(|read| read.map_err(|error| error.to_string()));
    let base = runs();
    let place = out.map_or(Place::Numbered(&base), Place::At);
    let copied = copy(records, place, checks, showing);
    let hint = || {
        let file = path.display();
        Some(format!("nothing was imported; `btemu repair {file} --out DIR` keeps what is sound"))
    };
    let copied = copied.map_err(|failure| failure.about(&path.display().to_string()))?;
    match copied.stopped {
        None => Ok(copied),
        Some((_, what)) => {
            copied.folder.discard();
            Err(Failure::failed(format!("{}: {what}", path.display()), hint()))
        }
    }
}

fn tell(told: &Told) -> String {
    let bytes = told.bytes.map_or_else(String::new, |bytes| format!(", {bytes} bytes"));
    format!(
        "{} blocks after block {}{bytes}\ntip hash    {}\nfile        {}\nrun folder  {}\n",
        told.blocks, told.genesis_block, told.tip_hash, told.file, told.run
    )
}
