//! `btemu repair`: the longest good prefix of a run as a new run. Works on the bytes of the store and never opens
//! it before they are copied: the store itself would take what follows damage for rubbish, and overwrite it.

use super::copying::{Checks, Copied, Place, copy, journal, open_file};
use super::reading::{ended_at, log_failure};
use super::{Failure, print, print_json};
use crate::progress::Showing;
use protocol::units::Height;
use serde::Serialize;
use serde_json::json;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use storage::cache::CacheKind;
use storage::carve::Carved;
use storage::kept::{Kept, Lost};
use storage::log::{Held, SledLog};
use storage::portable::Reader;
use storage::runfolder::RunFolder;

/// `btemu repair`
#[derive(Debug, clap::Args)]
pub struct RepairArguments {
    /// The run folder, or a file that `btemu log export` made.
    run: PathBuf,
    /// Where to make the new run folder.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// What a repair found, and made.
#[derive(Debug, Serialize)]
pub struct Repaired {
    run: String,
    out: String,
    /// Whether nothing was wrong.
    sound: bool,
    /// The first block that is lost.
    damaged_block: Option<u64>,
    damage: Option<String>,
    genesis_block: u64,
    /// The last block of the new run.
    block: u64,
    blocks: u64,
    /// Blocks that are known to have been there and are not in the new run.
    lost_blocks: u64,
    tip_hash: String,
}

/// Repairs a run folder without a word.
///
/// # Errors
/// Nothing can be had from it, or the new folder cannot be made.
pub fn repaired_run(run: &Path, out: &Path) -> Result<Repaired, Failure> {
    let arguments = RepairArguments { run: run.to_owned(), out: out.to_owned(), json: true };
    repair_folder(&arguments, Showing::Nothing).map(|(_, repaired)| repaired)
}

/// Writes every block before the damage into a new run folder, each of them checked.
pub fn run(arguments: &RepairArguments) -> Result<(), Failure> {
    let showing = Showing::unless_json(arguments.json);
    let (copied, repaired) = match arguments.run.is_file() {
        true => repair_file(arguments, showing)?,
        false => repair_folder(arguments, showing)?,
    };
    let told = json!({
        "block": repaired.block,
        "damaged_block": repaired.damaged_block,
        "damage": repaired.damage,
        "lost_blocks": repaired.lost_blocks,
    });
    journal(&copied.folder, "repaired", &repaired.run, told)?;
    if arguments.json {
        return print_json(&repaired);
    }
    let out = &repaired.out;
    let what = match &repaired.damage {
        None => "the log is sound, and was copied".to_owned(),
        Some(damage) => damage.clone(),
    };
    let lost = match repaired.lost_blocks {
        0 => String::new(),
        lost => format!(", {lost} that were there once are lost"),
    };
    print(&format!(
        "{what}\n{} blocks after block {} are kept{lost}\ntip hash    {}\nrun folder  {out}\n\
         next        btemu run --resume {out}\n",
        repaired.blocks, repaired.genesis_block, repaired.tip_hash
    ))
}

fn repair_file(
    arguments: &RepairArguments,
    showing: Showing,
) -> Result<(Copied, Repaired), Failure> {
    let path = &arguments.run;
    let file = open_file(path)?;
    let mut wrong = None;
    let records = Reader::new(BufReader::new(file)).map_while(|read| match read {
        Ok(raw) => Some(Ok(raw)),
        Err(error) => {
            wrong = Some(error.to_string());
            None
        }
    });
    let copied = copy(records, Place::At(&arguments.out), Checks::Folds, showing);
    let copied = match (copied, wrong) {
        (Ok(copied), None) => copied,
        (Ok(mut copied), Some(wrong)) => {
            let next = Height(copied.tip.height.0 + 1);
            copied.stopped.get_or_insert((next, format!("{}: {wrong}", path.display())));
            copied
        }
        (Err(_), Some(wrong)) => {
            return Err(Failure::failed(format!("{}: {wrong}", path.display()), None));
        }
        (Err(failure), None) => return Err(failure),
    };
    let repaired = repaired(arguments, &copied, 0);
    Ok((copied, repaired))
}

fn repair_folder(
    arguments: &RepairArguments,
    showing: Showing,
) -> Result<(Copied, Repaired), Failure> {
    let folder = RunFolder::open(&arguments.run);
    let folder = folder.map_err(|error| Failure::failed(&error, error.hint()))?;
    let path = folder.log_dir();
    let held = Held::hold(&path).map_err(log_failure)?;
    let carved = Carved::scan(&path).map_err(|error| {
        Failure::failed(format!("cannot read {}: {error}", path.display()), None)
    })?;
    let kept = Kept::read(&path);
    if let Lost::Genesis(height) = carved.lost(kept) {
        let what = format!("{}: block {height}, the first one, is lost", path.display());
        let hint = "without it the others say nothing; run the scenario again".to_owned();
        return Err(Failure::failed(what, Some(hint)));
    }
    let records = carved.records().map(Ok);
    let mut copied = copy(records, Place::At(&arguments.out), Checks::Folds, showing)?;
    drop(held);
    let tip = copied.tip.height;
    let was_there =
        kept.map_or(tip, |kept| kept.height).max(Height(ended_at(&folder).unwrap_or(0)));
    let was_there = was_there.max(carved.last().unwrap_or(tip));
    if copied.stopped.is_none() && was_there > tip {
        let next = Height(tip.0 + 1);
        let what = format!("block {next} of the log {}: its bytes are damaged", path.display());
        copied.stopped = Some((next, what));
    }
    copy_caches(&folder, &copied);
    let mut repaired = repaired(arguments, &copied, was_there.0.saturating_sub(tip.0));
    if repaired.sound
        && let Err(error) = SledLog::open(&path)
    {
        repaired.sound = false;
        repaired.damage = Some(error.to_string());
    }
    Ok((copied, repaired))
}

/// Caches save time and hold no truth: those that cannot be copied are made again.
fn copy_caches(from: &RunFolder, copied: &Copied) {
    for kind in [CacheKind::Snapshot, CacheKind::Checkpoint, CacheKind::Totals] {
        from.cache().copy_to(&copied.folder.cache(), kind, copied.tip.height);
    }
}

fn repaired(arguments: &RepairArguments, copied: &Copied, lost_blocks: u64) -> Repaired {
    let shown = |path: &Path| path.display().to_string();
    let (genesis, tip) = (copied.genesis.0, copied.tip.height.0);
    Repaired {
        run: shown(&arguments.run),
        out: shown(&copied.folder.path),
        sound: copied.stopped.is_none(),
        damaged_block: copied.stopped.as_ref().map(|(height, _)| height.0),
        damage: copied.stopped.as_ref().map(|(_, what)| what.clone()),
        genesis_block: genesis,
        block: tip,
        blocks: tip - genesis,
        lost_blocks,
        tip_hash: copied.tip.hash().to_string(),
    }
}
