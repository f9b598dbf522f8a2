//! `btemu verify`: checks the hashes, frames and roots of a log.

use super::reading::{Reading, log_failure};
use super::{Failure, print, print_json};
use crate::progress::{Progress, Showing};
use protocol::units::Height;
use serde::Serialize;
use std::path::PathBuf;
use storage::fold::Folder;
use storage::log::EventLog;

/// `btemu verify`
#[derive(Debug, clap::Args)]
pub struct VerifyArguments {
    /// The run folder.
    run: PathBuf,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Verdict {
    run: String,
    build: String,
    sound: bool,
    /// The first block that is not sound.
    damaged_block: Option<u64>,
    damage: Option<String>,
    genesis_block: u64,
    /// The last sound block.
    block: u64,
    blocks: u64,
    scenario_hash: String,
    tip_hash: String,
    state_root: String,
}

/// Checks every block from genesis on; fails at the first that is not sound.
pub fn run(arguments: &VerifyArguments) -> Result<(), Failure> {
    let reading =
        Reading::open(&arguments.run).or_else(|failure| unreadable(arguments, failure))?;
    let genesis = reading.genesis.height;
    let tip = reading.log.tip();
    let damaged = |at: Height, error: String| (at.0, error);
    let mut damage = None;
    let simulation = reading.plan.simulation_hash();
    if simulation != reading.genesis.parent {
        let sentence = format!(
            "block {genesis}: the plan has the simulation hash {simulation}, the header says {}",
            reading.genesis.parent
        );
        damage = Some(damaged(genesis, sentence));
    }
    let folder = Folder::new(reading.plan.genesis.clone(), &reading.genesis);
    let mut folder = folder.map_err(|error| Failure::failed(error, None))?;
    let showing = if arguments.json { Showing::Nothing } else { Showing::Bar };
    let progress = Progress::counting(genesis.0, tip.0, showing);
    let first = Height(genesis.0 + 1);
    for frame in reading.log.frames(first, tip) {
        if damage.is_some() {
            break;
        }
        let at = Height(folder.header().height.0 + 1);
        let folded = frame
            .map_err(|error| log_failure(error).to_string())
            .and_then(|frame| folder.fold(&frame).map_err(|error| error.to_string()));
        damage = folded.err().map(|error| damaged(at, error));
        progress.at(at.0);
    }
    let next = Height(tip.0 + 1);
    let damage = damage.or_else(|| reading.cut_off().map(|sentence| damaged(next, sentence)));
    progress.finish();
    let header = folder.header();
    let verdict = Verdict {
        run: arguments.run.display().to_string(),
        build: reading.build.clone(),
        sound: damage.is_none(),
        damaged_block: damage.as_ref().map(|(at, _)| *at),
        damage: damage.as_ref().map(|(_, sentence)| sentence.clone()),
        genesis_block: genesis.0,
        block: header.height.0,
        blocks: header.height.0 - genesis.0,
        scenario_hash: reading.genesis.parent.to_string(),
        tip_hash: header.hash().to_string(),
        state_root: header.state_root.to_string(),
    };
    if arguments.json {
        print_json(&verdict)?;
    } else if verdict.sound {
        print(&format!(
            "{} blocks are sound: every frame, block hash and state root holds\ntip hash    {}\n\
             state root  {}\n",
            verdict.blocks, verdict.tip_hash, verdict.state_root
        ))?;
    }
    match damage {
        None => Ok(()),
        Some((_, sentence)) => {
            let hint = format!(
                "blocks {genesis} to {} are sound; `btemu repair RUN --out DIR` keeps them",
                header.height
            );
            Err(Failure::failed(sentence, Some(hint)))
        }
    }
}

/// A log that does not even open is told in the same words.
fn unreadable(arguments: &VerifyArguments, failure: Failure) -> Result<Reading, Failure> {
    if let (Some(damage), true) = (failure.damage(), arguments.json) {
        print_json(&serde_json::json!({
            "run": arguments.run.display().to_string(),
            "sound": false,
            "damaged_block": damage.block,
            "damage": failure.to_string(),
        }))?;
    }
    Err(failure)
}
