//! A job: one run of a sweep or of an attack, from a packed scenario to its figures, in a process of its own.
//!
//! What belongs here: what a job and its result are, and making it. What does not: who starts the process (`pool`), and
//! where results are kept (`store`).

use super::measures::{Figures, MEASURES_VERSION, Measuring};
use crate::arm::{Arm, ArmOrder, Watching};
use crate::clock::{Stopwatch, Throttle};
use crate::run::control::{Control, Wish};
use crate::run::death;
use crate::run::engine::{Checking, Engine, Happening, Manner, pick_up};
use crate::run::engine_error::EngineError;
use crate::run::hosts::Hosts;
use crate::scenario::error::ScenarioError;
use crate::scenario::packed::Packed;
use crate::version::BUILD;
use protocol::units::{Hash32, Height};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::time::Duration;
use storage::log::{Durability, LogError, SledLog};
use storage::record::Genesis;
use storage::runfolder::{RunFolder, RunFolderError};

/// Shape of jobs and results; another number and neither is understood.
pub const JOB_FORMAT: u32 = 1;

/// How often progress is told at most.
const PROGRESS_INTERVAL_MS: u64 = 500;

/// One run of a sweep. It needs no file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// See [`JOB_FORMAT`].
    pub format: u32,
    /// The build that planned it.
    pub build: String,
    /// What names its result.
    pub key: String,
    /// The simulation hash: whoever unpacks the scenario must come to the same.
    pub scenario_hash: String,
    /// Of its draws.
    pub seed: u64,
    /// Blocks of the run.
    pub blocks: u64,
    /// Whether invariants are checked.
    pub checking: Checking,
    /// The scenario.
    pub packed: Packed,
    /// What is looked at besides, in an arm of an attack.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arm: Option<ArmOrder>,
}

/// What came of a job. Of one key there is one result but for wall time, memory and build.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobResult {
    /// See [`JOB_FORMAT`].
    pub format: u32,
    /// The job's key.
    pub key: String,
    /// The build that made it.
    pub build: String,
    /// The simulation hash.
    pub scenario_hash: String,
    /// Of its draws.
    pub seed: u64,
    /// Blocks of the run.
    pub blocks: u64,
    /// The last block's hash.
    pub tip_hash: String,
    /// The state root after it.
    pub state_root: String,
    /// Wall time.
    pub wall_seconds: f64,
    /// Peak memory.
    pub peak_rss_bytes: u64,
    /// Every figure of the run, whatever the sweep asked for.
    pub figures: Figures,
    /// What an arm of an attack shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arm: Option<Box<Arm>>,
}

/// What names a result: a simulation, its length, and what is measured how.
pub fn job_key(
    simulation: Hash32,
    blocks: u64,
    checking: Checking,
    arm: Option<&ArmOrder>,
) -> String {
    let mut hasher = blake3::Hasher::new_derive_key("btemu sweep job 1");
    hasher.update(&simulation.0);
    hasher.update(&blocks.to_le_bytes());
    hasher.update(&MEASURES_VERSION.to_le_bytes());
    hasher.update(&[u8::from(checking == Checking::Invariants)]);
    if let Some(arm) = arm {
        let order = serde_json::to_vec(arm).expect("an order is plain data");
        hasher.update(&order);
    }
    hasher.finalize().to_hex().to_string()
}

/// Whether a text can be a key: it names files, and comes from other machines.
pub fn is_key(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|letter| letter.is_ascii_hexdigit())
}

/// What a pool tells a job's process on its standard input, as one line of JSON.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct JobOrder {
    /// What to do.
    pub job: Job,
    /// An empty folder to do it in.
    pub folder: PathBuf,
}

/// What a job's process tells on its standard output, a line of JSON each.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobReport {
    /// So many blocks are made.
    Progress {
        /// Since genesis.
        blocks: u64,
    },
    /// It is done.
    Done(Box<JobResult>),
    /// It cannot be done; it would end the same way again.
    Failed {
        /// Why.
        what: String,
    },
    /// This build comes to another simulation than the one that planned the job.
    Foreign {
        /// How that shows.
        what: String,
    },
}

/// Why a job cannot be done.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// Its scenario is none.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    /// Another build planned it.
    #[error("the job was planned by another build: {what}")]
    Foreign {
        /// How that shows.
        what: String,
    },
    /// Its folder cannot be made.
    #[error(transparent)]
    Folder(#[from] RunFolderError),
    /// Its log cannot be written.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The run ended badly.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// Makes a job in an empty folder; `told` hears how many blocks are made.
///
/// # Errors
/// See [`JobError`].
pub fn make(job: &Job, folder: &Path, mut told: impl FnMut(u64)) -> Result<JobResult, JobError> {
    let stopwatch = Stopwatch::start();
    if job.format != JOB_FORMAT {
        let what = format!("its format is {}, this build's is {JOB_FORMAT}", job.format);
        return Err(JobError::Foreign { what });
    }
    let mut plan = job.packed.unpack(folder)?.plan()?;
    let simulation = plan.simulation_hash();
    if simulation.to_string() != job.scenario_hash
        || job.key != job_key(simulation, job.blocks, job.checking, job.arm.as_ref())
    {
        let what = format!(
            "{} comes to the simulation {}, this build ({BUILD}) to {simulation}",
            job.build, job.scenario_hash
        );
        return Err(JobError::Foreign { what });
    }
    let genesis_height = plan.genesis.height;
    let until = Height(genesis_height.0.saturating_add(job.blocks));
    let mut measuring = Measuring::begin(&plan, until);
    let mut watching = job.arm.as_ref().map(|order| Watching::begin(&plan, order, until));
    let run = RunFolder::create_at(&folder.join("run"))?;
    let root = plan.genesis.root();
    let header = plan.genesis_header_by(root);
    let genesis = Genesis { build: BUILD.to_owned(), header, plan };
    let log = SledLog::create(&run.log_dir(), &genesis, Durability::End)?;
    drop(genesis);
    let mut start = pick_up(log, run.cache())?;
    let manner = Manner {
        until,
        conditions: Vec::new(),
        snapshot_interval: 0,
        snapshot_bytes: 0,
        checkpoint_interval: 0,
        checking: job.checking,
    };
    let mut throttle = Throttle::every(Duration::from_millis(PROGRESS_INTERVAL_MS));
    actix::System::new().block_on(async {
        let seats = std::mem::take(&mut start.seats);
        let hosts = Hosts::local(&start.course(), seats, start.state.clone());
        let mut engine = Engine::new(start, hosts, None, Control::new(Wish::default()));
        let made = engine.run(&manner, |tick| {
            if let Happening::Block(frame) = tick.what {
                measuring.block(tick.state);
                if let Some(watching) = &mut watching {
                    watching.block(frame, tick.state);
                }
                if throttle.is_due() {
                    told(tick.height.0 - genesis_height.0);
                }
            }
        });
        made.await?;
        let violations = (job.checking == Checking::Invariants).then(|| engine.violations());
        let header = engine.header();
        Ok(JobResult {
            format: JOB_FORMAT,
            key: job.key.clone(),
            build: BUILD.to_owned(),
            scenario_hash: job.scenario_hash.clone(),
            seed: job.seed,
            blocks: job.blocks,
            tip_hash: header.hash().to_string(),
            state_root: header.state_root.to_string(),
            wall_seconds: stopwatch.seconds(),
            peak_rss_bytes: death::peak_rss_bytes(),
            figures: measuring.end(engine.state(), engine.totals(), violations),
            arm: watching.map(|watching| Box::new(watching.end(engine.state()))),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_tell_what_is_simulated_and_are_keys() {
        let key = |seed: u8, blocks, checking| job_key(Hash32([seed; 32]), blocks, checking, None);
        let one = key(1, 5, Checking::Trusting);
        assert_eq!(one, key(1, 5, Checking::Trusting));
        for other in [
            key(2, 5, Checking::Trusting),
            key(1, 6, Checking::Trusting),
            key(1, 5, Checking::Invariants),
        ] {
            assert!(is_key(&other));
            assert_ne!(one, other);
        }
        let order = |attackers: &[&str]| ArmOrder {
            attackers: attackers.iter().map(|group| (*group).to_owned()).collect(),
            accomplices: Vec::new(),
            netuids: Vec::new(),
            detector: String::new(),
        };
        let arm = |attackers: &[&str]| {
            job_key(Hash32([1; 32]), 5, Checking::Trusting, Some(&order(attackers)))
        };
        assert_ne!(one, arm(&["a"]), "an arm is looked at otherwise");
        assert_ne!(arm(&["a"]), arm(&["b"]));
        let long = "a".repeat(65);
        let outside = format!("/tmp/{}", "a".repeat(59));
        for text in ["", "..", "/tmp", &one[1..], &long, &outside] {
            assert!(!is_key(text), "{text:?}");
        }
    }
}
