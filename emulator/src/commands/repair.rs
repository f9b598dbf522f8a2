//! `btemu repair`: the longest good prefix of a run folder (`run::repair`), or of a portable file, as a new run.

use super::copying::{Bar, copy, journal, open_file};
use super::reading::log_failure;
use super::{Failure, print, print_json};
use crate::progress::Showing;
use crate::run::copying::{Checks, Copied, Place};
use crate::run::repair::{Repair, RepairError, repair};
use protocol::units::Height;
use serde::Serialize;
use serde_json::json;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use storage::portable::Reader;

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
struct Repaired {
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
    let damage = copied.stopped.as_ref().map(|(_, what)| what.clone());
    let repaired = repaired_of(arguments, &copied, damage, 0);
    Ok((copied, repaired))
}

fn repair_folder(
    arguments: &RepairArguments,
    showing: Showing,
) -> Result<(Copied, Repaired), Failure> {
    let mut bar = Bar::new(showing);
    let repaired = repair(&arguments.run, &arguments.out, |height| bar.at(height));
    bar.finish();
    let Repair { copied, damage, lost_blocks } = repaired.map_err(|error| match error {
        RepairError::Log(error) => log_failure(error),
        other => Failure::failed(&other, other.hint()),
    })?;
    let repaired = repaired_of(arguments, &copied, damage, lost_blocks);
    Ok((copied, repaired))
}

fn repaired_of(
    arguments: &RepairArguments,
    copied: &Copied,
    damage: Option<String>,
    lost_blocks: u64,
) -> Repaired {
    let shown = |path: &Path| path.display().to_string();
    let (genesis, tip) = (copied.genesis.0, copied.tip.height.0);
    Repaired {
        run: shown(&arguments.run),
        out: shown(&copied.folder.path),
        sound: damage.is_none(),
        damaged_block: copied.stopped.as_ref().map(|(height, _)| height.0),
        damage,
        genesis_block: genesis,
        block: tip,
        blocks: tip - genesis,
        lost_blocks,
        tip_hash: copied.tip.hash().to_string(),
    }
}
