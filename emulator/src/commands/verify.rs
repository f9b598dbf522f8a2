//! `btemu verify`: checks the hashes, frames and roots of a log; decides its calls again, and runs its players again.

use super::reading::{Reading, log_failure};
use super::{Failure, print, print_json};
use crate::progress::{Progress, Showing};
use crate::run::difference::Difference;
use crate::run::re_execution::ReExecution;
use crate::run::re_simulation::simulate_again;
use crate::version::BUILD;
use protocol::frame::Header;
use protocol::units::Height;
use serde::Serialize;
use std::path::PathBuf;
use storage::ahead::read_ahead_hashed;
use storage::fold::Folder;
use storage::log::EventLog;

/// `btemu verify`
#[derive(Debug, clap::Args)]
pub struct VerifyArguments {
    /// The run folder.
    run: PathBuf,
    /// Decide every call again, from block 0 of the log alone, and compare all that comes of it.
    #[arg(long)]
    re_execute: bool,
    /// Run all players again, from block 0 of the log alone, and compare every block.
    #[arg(long)]
    re_simulate: bool,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Verdict {
    run: String,
    build: String,
    sound: bool,
    /// The first block that is not sound.
    damaged_block: Option<u64>,
    damage: Option<String>,
    /// What is different in it, where it was made again.
    difference: Option<Difference>,
    genesis_block: u64,
    /// The last block whose hashes and roots hold.
    block: u64,
    blocks: u64,
    /// Blocks that came out as the log holds them when their calls were decided again; none if not asked for.
    re_executed_blocks: Option<u64>,
    /// The same when their players were run again.
    re_simulated_blocks: Option<u64>,
    scenario_hash: String,
    tip_hash: String,
    state_root: String,
}

/// The first block that is not sound, and why.
struct Damage {
    at: u64,
    sentence: String,
    difference: Option<Difference>,
}

impl Damage {
    fn at(at: Height, sentence: String) -> Self {
        Self { at: at.0, sentence, difference: None }
    }

    fn between(at: Height, way: &str, difference: Difference) -> Self {
        let sentence = format!("block {at} comes out otherwise when {way}: {difference}");
        Self { at: at.0, sentence, difference: Some(difference) }
    }
}

/// What was checked, and what came of it.
struct Checked {
    damage: Option<Damage>,
    header: Header,
    re_executed: Option<u64>,
    re_simulated: Option<u64>,
}

/// Checks every block from genesis on; fails at the first that is not sound.
pub fn run(arguments: &VerifyArguments) -> Result<(), Failure> {
    let verdict = verdict(arguments)?;
    if arguments.json {
        print_json(&verdict)?;
    } else if verdict.sound {
        print(&told(&verdict))?;
    }
    let (Some(damage), Some(block)) = (&verdict.damage, verdict.damaged_block) else {
        return Ok(());
    };
    let genesis = verdict.genesis_block;
    let mut hint = match block.checked_sub(1).filter(|last| *last >= genesis) {
        Some(last) => format!("blocks {genesis} to {last} are sound"),
        None => "no block is sound".to_owned(),
    };
    if verdict.difference.is_none() {
        hint.push_str("; `btemu repair RUN --out DIR` keeps them");
    }
    if verdict.difference.is_some() && verdict.build != BUILD {
        let build = &verdict.build;
        hint.push_str(&format!("; {build} made the log, {BUILD} may decide otherwise"));
    }
    Err(Failure::failed(damage, Some(hint)))
}

fn verdict(arguments: &VerifyArguments) -> Result<Verdict, Failure> {
    let reading =
        Reading::open(&arguments.run).or_else(|failure| unreadable(arguments, failure))?;
    let (genesis, build) = (reading.genesis.clone(), reading.build.clone());
    let mut checked = check_blocks(arguments, &reading)?;
    if arguments.re_simulate {
        check_players(arguments, reading, &mut checked)?;
    }
    let Checked { damage, header, re_executed, re_simulated } = checked;
    let (damaged_block, damage, difference) = match damage {
        None => (None, None, None),
        Some(Damage { at, sentence, difference }) => (Some(at), Some(sentence), difference),
    };
    Ok(Verdict {
        run: arguments.run.display().to_string(),
        build,
        sound: damage.is_none(),
        damaged_block,
        damage,
        difference,
        genesis_block: genesis.height.0,
        block: header.height.0,
        blocks: header.height.0 - genesis.height.0,
        re_executed_blocks: re_executed,
        re_simulated_blocks: re_simulated,
        scenario_hash: genesis.parent.to_string(),
        tip_hash: header.hash().to_string(),
        state_root: header.state_root.to_string(),
    })
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

fn told(verdict: &Verdict) -> String {
    let mut text = format!(
        "{} blocks are sound: every frame, block hash and state root holds\n",
        verdict.blocks
    );
    if let Some(blocks) = verdict.re_executed_blocks {
        text.push_str(&format!(
            "{blocks} blocks re-executed: every call comes to what it came to\n"
        ));
    }
    if let Some(blocks) = verdict.re_simulated_blocks {
        text.push_str(&format!("{blocks} blocks re-simulated: the players do what they did\n"));
    }
    let (tip, root) = (&verdict.tip_hash, &verdict.state_root);
    text.push_str(&format!("tip hash    {tip}\nstate root  {root}\n"));
    text
}

/// Folds the log, and decides its calls again where that is asked for, up to the first block that is not sound.
fn check_blocks(arguments: &VerifyArguments, reading: &Reading) -> Result<Checked, Failure> {
    let (genesis, tip) = (reading.genesis.height, reading.log.tip());
    let mut damage = check_genesis(reading);
    let folder = Folder::new(reading.plan.genesis.clone(), &reading.genesis);
    let mut folder = folder.map_err(|error| Failure::failed(error, None))?;
    let again = || ReExecution::new(&reading.plan, &reading.genesis);
    let mut again = arguments.re_execute.then(again);
    let progress = progress(arguments, genesis, tip);
    let (mut re_executed, mut found) = (0, None);
    read_ahead_hashed(&reading.log, Height(genesis.0 + 1), tip, |blocks| {
        for block in blocks {
            if damage.is_some() {
                break;
            }
            let at = Height(folder.header().height.0 + 1);
            let folded = block.map_err(|error| log_failure(error).to_string());
            let folded = folded.and_then(|(frame, digests)| {
                let folded = folder.fold_with(&frame, &digests);
                folded.map(|()| frame).map_err(|error| error.to_string())
            });
            match folded {
                Err(sentence) => damage = Some(Damage::at(at, sentence)),
                Ok(frame) => {
                    damage = check_fork(reading, folder.header());
                    match again.as_mut().and_then(|again| again.block(&frame)) {
                        // The rest of the log is folded all the same.
                        Some(difference) => {
                            let way = "its calls are decided again";
                            found = Some(Damage::between(at, way, difference));
                            again = None;
                        }
                        None => re_executed += u64::from(again.is_some()),
                    }
                }
            }
            progress.at(at.0);
        }
    });
    progress.finish();
    let next = Height(tip.0 + 1);
    let damage = damage.or_else(|| reading.cut_off().map(|sentence| Damage::at(next, sentence)));
    Ok(Checked {
        damage: earlier(found, damage),
        header: folder.header().clone(),
        re_executed: arguments.re_execute.then_some(re_executed),
        re_simulated: None,
    })
}

/// Runs the players again, as far as the log holds sound blocks.
fn check_players(
    arguments: &VerifyArguments,
    reading: Reading,
    checked: &mut Checked,
) -> Result<(), Failure> {
    let (genesis, until) = (reading.genesis.height, checked.header.height);
    let progress = progress(arguments, genesis, until);
    let Reading { folder, log, plan, .. } = reading;
    drop(plan);
    let mut made = 0;
    let again = simulate_again(log, folder.cache(), until, |height| {
        made += 1;
        progress.at(height.0);
    });
    progress.finish();
    let again = again.map_err(|error| Failure::failed(&error, error.hint()))?;
    checked.re_simulated = Some(made);
    let found =
        again.map(|(at, difference)| Damage::between(at, "its players are run again", difference));
    checked.damage = earlier(checked.damage.take(), found);
    Ok(())
}

/// Of two findings the one of the earlier block; of one block the first.
fn earlier(first: Option<Damage>, second: Option<Damage>) -> Option<Damage> {
    match (first, second) {
        (Some(first), Some(second)) if second.at < first.at => Some(second),
        (first, second) => first.or(second),
    }
}

/// Block 0: its plan is what its header says.
fn check_genesis(reading: &Reading) -> Option<Damage> {
    let height = reading.genesis.height;
    let mut header = reading.plan.genesis_header();
    if header.parent != reading.genesis.parent {
        let mut older = reading.plan.older_genesis_headers();
        let Some(older) = older.find(|older| older.parent == reading.genesis.parent) else {
            let (simulation, stated) = (header.parent, reading.genesis.parent);
            let sentence = format!(
                "block {height}: the plan has the simulation hash {simulation}, the header says {stated}"
            );
            return Some(Damage::at(height, sentence));
        };
        header = older;
    }
    if header != reading.genesis {
        let sentence = format!("block {height}: the header is not that of its plan");
        return Some(Damage::at(height, sentence));
    }
    let ats: Vec<Height> = reading.plan.forks.iter().map(|fork| fork.at).collect();
    if !ats.is_sorted() || ats.first().is_some_and(|at| *at < height) {
        let sentence = format!("block {height}: the forks of the plan are not in order");
        return Some(Damage::at(height, sentence));
    }
    check_fork(reading, &reading.genesis)
}

/// A block where the run left another is the one it left.
fn check_fork(reading: &Reading, header: &Header) -> Option<Damage> {
    let (at, hash) = (header.height, header.hash());
    let fork = reading.plan.forks_at(at).find(|fork| fork.block_hash != hash)?;
    let (parent, named) = (&fork.parent, fork.block_hash);
    let sentence = format!("block {at}: it is {hash}, but {parent} was left at {named}");
    Some(Damage::at(at, sentence))
}

fn progress(arguments: &VerifyArguments, genesis: Height, until: Height) -> Progress {
    let showing = Showing::unless_json(arguments.json);
    Progress::counting(genesis.0, until.0, showing)
}

#[cfg(test)]
mod tests;
