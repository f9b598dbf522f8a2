//! From the words of `btemu run` to what a chain is told, and what stands before it: the room on the disk, and block 0.

use super::Failure;
use super::metrics_options::{DetailOptions, PushOptions, address_or_off};
use super::telling::tell_estimate;
use crate::metrics::order::MetricsOrder;
use crate::plan::Plan;
use crate::run::control::Motion;
use crate::run::disturbance::{Strike, strikes};
use crate::run::engine::Checking;
use crate::run::estimate::{Intervals, estimate, free_bytes};
use crate::run::order::ChainOrder;
use crate::run::secret;
use crate::scenario::amount::ends;
use crate::scenario::error::ScenarioError;
use crate::scenario::{Overrides, Scenario};
use crate::telling::figures::tell_bytes;
use crate::telling::tell_talk;
use crate::version::BUILD;
use protocol::units::Height;
use serde::{Deserialize, Serialize};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use storage::log::{Durability, SledLog};
use storage::record::Genesis;
use storage::runfolder::RunFolder;

/// Seeds of one command at most.
const SEEDS_MAX: u64 = 1_000;

/// Where run folders are made unless `--out` names one.
pub const RUNS: &str = "runs";

/// `btemu run`
#[derive(Clone, Debug, Serialize, Deserialize, clap::Args)]
pub struct RunArguments {
    /// The scenario file.
    #[arg(required_unless_present = "resume", conflicts_with = "resume")]
    pub(super) scenario: Option<PathBuf>,
    /// Go on with the run in this folder.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["out", "seed", "set"])]
    pub(super) resume: Option<PathBuf>,
    /// Where to make the run folder [default: runs/SCENARIO-SEED-N].
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,
    /// Seed of all draws [default: the scenario's].
    #[arg(long, value_name = "N")]
    pub(super) seed: Option<u64>,
    /// One run after the other with each of these seeds, both ends among them; --out names the folder of all.
    #[arg(long, value_name = "A..B", conflicts_with_all = ["seed", "resume"])]
    pub(super) seeds: Option<SeedRange>,
    /// Blocks of the whole run [default: the scenario's].
    #[arg(long, value_name = "N")]
    pub(super) blocks: Option<u64>,
    /// Host processes; 0 runs everything in this process [default: the scenario's].
    #[arg(long, value_name = "N")]
    pub(super) processes: Option<u32>,
    /// How processes are linked: unix, tcp://HOST:PORT (port 0 takes a free one), nats://HOST:PORT [default: the scenario's].
    #[arg(long, value_name = "LINK")]
    pub(super) link: Option<String>,
    /// Hosts that come from other machines with `btemu host`, beside those of --processes [default: the scenario's].
    #[arg(long, value_name = "N")]
    pub(super) await_hosts: Option<u32>,
    /// A file with the token that hosts must know; else it is in BTEMU_TOKEN, else the run makes one up.
    #[arg(long, value_name = "FILE")]
    pub(super) token_file: Option<PathBuf>,
    /// How fast simulated time passes: max, realtime, or a factor such as 10x or 0.5x [default: the scenario's].
    #[arg(long, value_name = "PACE")]
    pub(super) pace: Option<String>,
    /// Set a value of the scenario, for instance run.blocks=100 or players.validators.count=8.
    #[arg(long = "set", value_name = "PATH=VALUE")]
    pub(super) set: Vec<String>,
    /// Serve Prometheus metrics at this address, or `off` [default: the scenario's].
    #[arg(long, value_name = "ADDR|off", value_parser = address_or_off)]
    pub(super) metrics: Option<String>,
    #[command(flatten)]
    #[serde(default)]
    pub(super) push: PushOptions,
    #[command(flatten)]
    #[serde(default)]
    pub(super) detail: DetailOptions,
    /// Run even if the disk seems too small.
    #[arg(long)]
    pub(super) force: bool,
    /// Check every invariant after each block.
    #[arg(long)]
    pub(super) check_invariants: bool,
    /// Print one JSON object.
    #[arg(long)]
    pub(super) json: bool,
}

/// The seeds of runs that are made one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeedRange {
    pub(super) first: u64,
    pub(super) last: u64,
}

impl FromStr for SeedRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (first, last) = ends(text)
            .ok_or_else(|| "seeds are a range with both its ends, as in 1..8".to_owned())?;
        match last.checked_sub(first) {
            Some(more) if more < SEEDS_MAX => Ok(Self { first, last }),
            Some(_) => Err(format!("they are more than {SEEDS_MAX}; a sweep makes as many")),
            None => Err(format!("{text} ends before it begins")),
        }
    }
}

/// What the command line lays over a scenario.
pub(super) fn overrides(arguments: &RunArguments) -> Result<Overrides, Failure> {
    let set = arguments.set.iter().map(|assignment| match assignment.split_once('=') {
        Some((path, value)) => Ok((path.trim().to_owned(), value.to_owned())),
        None => {
            let hint = "write --set run.blocks=100".to_owned();
            let what = format!("--set {assignment}: there is no = in it");
            Err(Failure::usage(what, Some(hint)))
        }
    });
    Ok(Overrides {
        set: set.collect::<Result<_, _>>()?,
        seed: arguments.seed,
        blocks: arguments.blocks,
        processes: arguments.processes,
        link: arguments.link.clone(),
        await_hosts: arguments.await_hosts,
        pace: arguments.pace.clone(),
    })
}

/// The token that the user chose, if any; what else must hold before processes are linked.
pub(super) fn token(
    arguments: &RunArguments,
    scenario: &Scenario,
) -> Result<Option<String>, Failure> {
    let built = scenario.link().check_build();
    built.map_err(|(what, hint)| Failure::usage(what, Some(hint)))?;
    chosen_token(arguments.token_file.as_deref())
}

/// The token in a file, or else in the environment.
pub(super) fn chosen_token(file: Option<&Path>) -> Result<Option<String>, Failure> {
    let (place, text) = match file {
        Some(file) => {
            let text = std::fs::read_to_string(file).map_err(|error| {
                Failure::usage(
                    format!("cannot read the token in {}: {error}", file.display()),
                    None,
                )
            })?;
            (file.display().to_string(), text)
        }
        None => match std::env::var(secret::TOKEN_VARIABLE) {
            Ok(text) => (secret::TOKEN_VARIABLE.to_owned(), text),
            Err(std::env::VarError::NotPresent) => return Ok(None),
            Err(error) => {
                return Err(Failure::usage(format!("{}: {error}", secret::TOKEN_VARIABLE), None));
            }
        },
    };
    let token = secret::chosen_token(&text).map_err(|error| {
        let hint = "for instance: openssl rand -hex 32".to_owned();
        Failure::usage(format!("{place}: {error}"), Some(hint))
    })?;
    Ok(Some(token))
}

/// Tells what the run will take, and refuses one that the disk cannot hold.
pub(super) fn check_room(
    arguments: &RunArguments,
    plan: &Plan,
    order: &ChainOrder,
    blocks: u64,
) -> Result<(), Failure> {
    let intervals =
        Intervals { snapshot: order.snapshot_interval, checkpoint: order.checkpoint_interval };
    let estimate = estimate(plan, blocks, intervals);
    let free = free_bytes(&order.run);
    if std::io::stderr().is_terminal() {
        tell_talk(&tell_estimate(&estimate, free));
    }
    match free {
        Some(free) if free < estimate.bytes() && !arguments.force => {
            let needed = tell_bytes(estimate.bytes());
            let what = format!(
                "the disk of {} has {} free, the run takes about {needed}",
                order.run.display(),
                tell_bytes(free)
            );
            let hint = "choose another disk with --out, fewer --blocks, fewer snapshots with \
                        --set log.snapshot_interval=0, or go on all the same with --force";
            Err(Failure::failed(what, Some(hint.to_owned())))
        }
        _ => Ok(()),
    }
}

/// Makes the log of a run folder, with its block 0.
pub(super) fn write_genesis(
    folder: &RunFolder,
    mut plan: Plan,
    durability: Durability,
) -> Result<SledLog, Failure> {
    let root = plan.genesis.root();
    let header = plan.genesis_header_by(root);
    let genesis = Genesis { build: BUILD.to_owned(), header, plan };
    let log = SledLog::create(&folder.log_dir(), &genesis, durability);
    log.map_err(|error| Failure::failed(&error, error.hint()))
}

/// What the chain is told to do.
pub(super) fn order(
    arguments: &RunArguments,
    scenario: &Scenario,
    token: Option<String>,
    folder: &RunFolder,
    course: (Height, Height),
) -> Result<ChainOrder, Failure> {
    let (genesis, tip) = course;
    let until = Height(genesis.0.saturating_add(scenario.blocks()));
    let schedule = schedule(scenario, tip, until)?;
    let strikes = schedule.iter().filter(|strike| strike.at > tip).copied().collect();
    let log = scenario.log();
    let address = match arguments.metrics.as_deref() {
        Some("off") => None,
        Some(address) => Some(address.to_owned()),
        None => scenario.metrics(),
    };
    let metrics = MetricsOrder {
        address,
        remote: arguments.push.order(),
        detail: arguments.detail.over(scenario)?,
    };
    arguments.detail.check_seen(metrics.is_wanted())?;
    Ok(ChainOrder {
        run: folder.path.clone(),
        socket: PathBuf::new(),
        link: scenario.link().clone(),
        hosts: scenario.processes(),
        outside: scenario.await_hosts(),
        host_join_ms_max: scenario.host_join_ms_max(),
        dealing: scenario.dealing(),
        token: token.unwrap_or_default(),
        host_silence_ms_max: scenario.host_silence_ms_max(),
        chain_silence_ms_max: scenario.chain_silence_ms_max(),
        until,
        conditions: scenario.until().to_vec(),
        durability: log.durability,
        snapshot_interval: log.snapshot_interval,
        snapshot_bytes: log.snapshot_bytes,
        checkpoint_interval: log.checkpoint_interval,
        pace: scenario.pace(),
        motion: Motion::Running,
        launcher_pid: std::process::id(),
        restarts: 0,
        metrics,
        checking: match arguments.check_invariants {
            true => Checking::Invariants,
            false => Checking::Trusting,
        },
        strikes,
        schedule,
    })
}

/// What strikes below the simulation, from genesis on; only processes can be struck.
fn schedule(scenario: &Scenario, tip: Height, until: Height) -> Result<Vec<Strike>, Failure> {
    let scheduled = scenario.disturbances().map_err(scenario_failure)?;
    let strikes = strikes(&scheduled, scenario.seed(), until);
    let left = strikes.iter().filter(|strike| strike.at > tip).count();
    if scenario.processes() > 0 {
        return Ok(strikes);
    }
    if left > 0 {
        tell_talk(&format!(
            "{left} faults strike processes, what is between them, or the log of one that is started again; \
             this run has one process, and is spared them\n",
        ));
    }
    Ok(Vec::new())
}

/// An invalid scenario is wrong usage.
pub fn scenario_failure(error: ScenarioError) -> Failure {
    let hint = error.hint();
    Failure::usage(error, hint)
}
