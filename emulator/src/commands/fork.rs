//! `btemu fork`: a new run that shares the past of another and goes on from a block, under changes.
//!
//! What belongs here: copying the past, and starting the rest as `run` does. What does not: which changes there can be
//! (`genesis::amendment`), and crossing from one stretch to the next (`run::engine`).

use super::metrics_options::{DetailOptions, PushOptions, address_or_off};
use super::ordering::{
    RUNS, RunArguments, check_room, order, overrides, scenario_failure, token, write_genesis,
};
use super::reading::{Reading, log_failure};
use super::run::{begin, tell};
use super::{BlockArgument, Failure};
use crate::logging::LogFormat;
use crate::plan::{Fork, Plan};
use crate::progress::{Progress, Showing};
use crate::run::order::ChainOrder;
use crate::scenario::format::Format;
use crate::scenario::{self, Overrides};
use crate::telling::tell_talk;
use protocol::frame::Header;
use protocol::state::State;
use protocol::units::Height;
use std::path::{Path, PathBuf};
use storage::cache::CacheKind;
use storage::fold::store_snapshot;
use storage::log::EventLog;
use storage::runfolder::RunFolder;

/// `btemu fork`
#[derive(Debug, clap::Args)]
pub struct ForkArguments {
    /// The folder of the run to leave.
    run: PathBuf,
    /// The last block that both share: a height, or +N counted from genesis.
    #[arg(long, value_name = "B")]
    at: BlockArgument,
    /// Where to make the run folder [default: runs/SCENARIO-SEED-N].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Change a value of the scenario from there on, for instance rules.version=price,
    /// hyperparameters.tempo=99 or players.miners.settings.mean_ppm=1.
    #[arg(long = "set", value_name = "PATH=VALUE")]
    set: Vec<String>,
    /// Blocks of the whole run, the shared ones too [default: as many as the run that is left].
    #[arg(long, value_name = "N")]
    blocks: Option<u64>,
    /// Host processes; 0 runs everything in this process [default: the scenario's].
    #[arg(long, value_name = "N")]
    processes: Option<u32>,
    /// How fast simulated time passes: max, realtime, or a factor such as 10x or 0.5x [default: the scenario's].
    #[arg(long, value_name = "PACE")]
    pace: Option<String>,
    /// Serve Prometheus metrics at this address, or `off` [default: the scenario's].
    #[arg(long, value_name = "ADDR|off", value_parser = address_or_off)]
    metrics: Option<String>,
    #[command(flatten)]
    push: PushOptions,
    #[command(flatten)]
    detail: DetailOptions,
    /// Fork even if the disk seems too small.
    #[arg(long)]
    force: bool,
    /// Check every invariant after each block.
    #[arg(long)]
    check_invariants: bool,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Forks, goes on, and prints the summary.
pub fn run(arguments: &ForkArguments, log_format: LogFormat) -> Result<(), Failure> {
    let parent = Reading::open(&arguments.run)?;
    let at = parent.height(Some(arguments.at))?;
    let launching = launching(arguments, &parent)?;
    let shared = parent.state_at(at)?;
    let (plan, told) =
        forked_plan(arguments, &launching, &parent, shared.header(), shared.state())?;
    let scenario = scenario::read_shown(plan.last_course().scenario(), &Overrides::default());
    let scenario = scenario.map_err(scenario_failure)?;
    let genesis = plan.genesis.height;
    if genesis.0.saturating_add(scenario.blocks()) < at.0 {
        let (blocks, shared) = (scenario.blocks(), at.0 - genesis.0);
        let what = format!("{blocks} blocks in all are fewer than the {shared} that are shared");
        let hint = "`--blocks` counts the whole run, the shared blocks too".to_owned();
        return Err(Failure::usage(what, Some(hint)));
    }
    let token = token(&launching, &scenario)?;
    let folder = match &arguments.out {
        Some(folder) => RunFolder::create_at(folder),
        None => RunFolder::create(Path::new(RUNS), scenario.name(), scenario.seed()),
    };
    let folder = folder.map_err(|error| Failure::failed(&error, error.hint()))?;
    let order = order(&launching, &scenario, token, &folder, (genesis, at)).and_then(|order| {
        check_room(&launching, &plan, &order, scenario.blocks())?;
        Ok(order)
    });
    let order = match order {
        Ok(order) => order,
        Err(failure) => {
            folder.discard();
            return Err(failure);
        }
    };
    let past = Past { parent: &parent, header: shared.header(), state: shared.state() };
    let written = copy(arguments, &past, &folder, plan, order);
    drop((shared, parent));
    if !arguments.json {
        for line in told {
            tell_talk(&format!("{line}\n"));
        }
    }
    let summary = begin(&launching, folder, written, log_format)?;
    tell(&launching, &summary)
}

/// The rest of the run as `btemu run` would be asked for it.
fn launching(arguments: &ForkArguments, parent: &Reading) -> Result<RunArguments, Failure> {
    let of_parent = parent.plan.last_course();
    let asked = scenario::read_shown(of_parent.scenario(), &Overrides::default());
    let asked = asked.map_err(scenario_failure)?.blocks();
    let have = parent.log.tip().0 - parent.genesis.height.0;
    let by_set = arguments.set.iter().any(|set| set.trim_start().starts_with("run.blocks"));
    let blocks = arguments.blocks.or((!by_set).then_some(asked.max(have)));
    Ok(RunArguments {
        scenario: None,
        resume: None,
        out: arguments.out.clone(),
        seed: None,
        seeds: None,
        blocks,
        processes: arguments.processes,
        link: None,
        await_hosts: None,
        token_file: None,
        pace: arguments.pace.clone(),
        set: arguments.set.clone(),
        metrics: arguments.metrics.clone(),
        push: arguments.push.clone(),
        detail: arguments.detail.clone(),
        force: arguments.force,
        check_invariants: arguments.check_invariants,
        json: arguments.json,
    })
}

/// The parent's plan with one more fork, and what changes, in words.
fn forked_plan(
    arguments: &ForkArguments,
    launching: &RunArguments,
    parent: &Reading,
    header: &Header,
    state: &State,
) -> Result<(Plan, Vec<String>), Failure> {
    let at = header.height;
    let mut plan = parent.plan.clone();
    // What the parent became after the block is not shared.
    plan.forks.retain(|fork| fork.at <= at);
    let text = plan.last_course().scenario().to_owned();
    let before = scenario::read_shown(&text, &Overrides::default()).map_err(scenario_failure)?;
    let after = scenario::read_forked(&text, &overrides(launching)?).map_err(scenario_failure)?;
    let amendment = after.amendment(&before, &plan, state).map_err(scenario_failure)?;
    let scenario = after.show(Format::Toml).map_err(scenario_failure)?;
    let mut told = amendment.told;
    if told.is_empty() && !arguments.set.is_empty() {
        told.push("the assignments change nothing that decides the run".to_owned());
    }
    plan.forks.push(Fork {
        parent: arguments.run.display().to_string(),
        build: parent.build.clone(),
        at,
        block_hash: header.hash(),
        set: arguments.set.clone(),
        scenario,
        terms: amendment.terms,
    });
    Ok((plan, told))
}

/// What is shared: the run, its last shared block and the state after it.
struct Past<'a> {
    parent: &'a Reading,
    header: &'a Header,
    state: &'a State,
}

/// Writes block 0 and copies the shared blocks as they are; the newest caches come along.
fn copy(
    arguments: &ForkArguments,
    past: &Past<'_>,
    folder: &RunFolder,
    plan: Plan,
    order: ChainOrder,
) -> Result<ChainOrder, Failure> {
    let (genesis, at) = (plan.genesis.height, past.header.height);
    let mut log = write_genesis(folder, plan, storage::log::Durability::End)?;
    let showing = Showing::unless_json(arguments.json);
    let progress = Progress::counting(genesis.0, at.0, showing);
    for record in past.parent.log.records(Height(genesis.0 + 1), at) {
        let record = record.map_err(log_failure)?;
        log.append_record(&record.record()).map_err(log_failure)?;
        progress.at(log.tip().0);
    }
    log.sync().map_err(log_failure)?;
    progress.finish();
    let (from, to) = (past.parent.folder.cache(), folder.cache());
    from.copy_to(&to, CacheKind::Snapshot, at);
    from.copy_to(&to, CacheKind::Checkpoint, at);
    from.copy_to(&to, CacheKind::Totals, at);
    if at > genesis
        && let Err(error) = store_snapshot(&to, past.state, past.header.hash())
    {
        tracing::warn!(%error, "no snapshot at block {at}");
    }
    Ok(order)
}
