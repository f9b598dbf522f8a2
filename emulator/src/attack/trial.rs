//! Trials: a seed makes two runs of a scenario, one with the attack and one without, under each defence.
//!
//! What belongs here: from a command to the runs it needs, all checked before the first is made, and bringing the two
//! arms of a trial together. What does not: making a run (`sweep`), and what two arms say (`outcome`).

use super::adversary::Adversary;
use super::counterfactual::{attacks, honest};
use super::defence::Chosen;
use super::outcome::{Trial, trial};
use crate::arm::{Accomplices, Arm, ArmOrder};
use crate::parallel::{cores, side_by_side};
use crate::run::engine::Checking;
use crate::scenario::document::{Document, Group};
use crate::scenario::error::ScenarioError;
use crate::scenario::{Overlay, Scenario, file_text, read_under, shipped_text};
use crate::sweep::job::{JOB_FORMAT, Job, JobResult, job_key};
use crate::sweep::local::Work;
use crate::version::BUILD;
use actors::registry::BehaviourSettings;
use protocol::units::NetUid;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use toml::Value;

/// Runs of one command at most.
pub const RUNS_MAX: usize = 100_000;

/// What the command line asks for.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The attacks.
    pub adversaries: Vec<&'static Adversary>,
    /// Another scenario than the attack's own.
    pub scenario: Option<PathBuf>,
    /// Of the draws, each once.
    pub seeds: Vec<u64>,
    /// What is laid over each scenario.
    pub overlays: Vec<Overlay>,
    /// Values of defences to compare; the scenario as it is comes first.
    pub defences: Vec<Chosen>,
}

/// One attack under one defence.
#[derive(Clone, Debug)]
pub struct Cell {
    /// The attack.
    pub adversary: &'static Adversary,
    /// The defence; none for the scenario as it is.
    pub defence: Option<Chosen>,
    /// Where the scenario is.
    pub path: PathBuf,
    /// The scenario's name.
    pub scenario: String,
    /// Blocks of each run.
    pub blocks: u64,
    /// What is looked at.
    pub order: ArmOrder,
    text: String,
}

/// With the attack, or without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// With it.
    Attack,
    /// Without.
    Honest,
}

/// Everything that is to be run.
#[derive(Clone, Debug)]
pub struct Trials {
    /// Attack by attack, each as it is and under each defence.
    pub cells: Vec<Cell>,
    /// Of the draws.
    pub seeds: Vec<u64>,
    overlays: Vec<Overlay>,
}

impl Trials {
    /// Resolves and checks everything.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn load(wanted: Wanted) -> Result<Self, ScenarioError> {
        let Wanted { adversaries, scenario, seeds, overlays, defences } = wanted;
        let count = adversaries.len() * (1 + defences.len()) * seeds.len() * 2;
        if count > RUNS_MAX {
            let what = format!("{count} runs are more than the {RUNS_MAX} of one command");
            return Err(ScenarioError::new(what, Some("take fewer --seeds".to_owned())));
        }
        let mut cells = Vec::new();
        for adversary in adversaries {
            let (path, text) = source(adversary, scenario.as_deref())?;
            for defence in std::iter::once(None).chain(defences.iter().cloned().map(Some)) {
                cells.push(Cell {
                    adversary,
                    defence,
                    path: path.clone(),
                    scenario: String::new(),
                    blocks: 0,
                    order: ArmOrder {
                        attackers: Vec::new(),
                        accomplices: Vec::new(),
                        netuids: Vec::new(),
                        detector: String::new(),
                    },
                    text: text.clone(),
                });
            }
        }
        let mut trials = Self { cells, seeds, overlays };
        // One seed of every cell: whatever is wrong is most often wrong with all seeds.
        let seed = trials.seeds[0];
        let looked = side_by_side(cores(), trials.cells.len(), |cell| {
            trials.look(&trials.cells[cell], seed)
        })?;
        for (cell, (name, blocks, order)) in trials.cells.iter_mut().zip(looked) {
            (cell.scenario, cell.blocks, cell.order) = (name, blocks, order);
        }
        Ok(trials)
    }

    /// A cell's name, length and order, both arms of one seed planned.
    fn look(&self, cell: &Cell, seed: u64) -> Result<(String, u64, ArmOrder), ScenarioError> {
        let attack = self.scenario(cell, seed, Side::Attack)?;
        let place = cell.path.display();
        if let Some(condition) = attack.until().first() {
            let what = format!("{place}: run.until = {condition:?}: both arms make all blocks");
            return Err(ScenarioError::new(what, None));
        }
        if attack.blocks() == 0 {
            return Err(ScenarioError::new(format!("{place}: a run of no blocks"), None));
        }
        let order = order(&attack.written_out()?, cell.adversary, &place.to_string())?;
        attack.plan()?;
        self.scenario(cell, seed, Side::Honest)?.plan()?;
        Ok((attack.name().to_owned(), attack.blocks(), order))
    }

    /// One arm's scenario.
    fn scenario(&self, cell: &Cell, seed: u64, side: Side) -> Result<Scenario, ScenarioError> {
        let seed = Overlay {
            path: "run.seed".to_owned(),
            text: seed.to_string(),
            origin: "--seeds".to_owned(),
        };
        let overlays = [&self.overlays[..], &[seed]].concat();
        let scenario = read_under(&cell.path, &cell.text, &overlays)?;
        let scenario = match &cell.defence {
            Some(defence) => defence.apply(&scenario)?,
            None => scenario,
        };
        match side {
            Side::Attack => Ok(scenario),
            Side::Honest => honest(&scenario, cell.adversary),
        }
    }

    /// All runs: cell by cell, seed by seed, the attack before the other arm.
    pub fn count(&self) -> usize {
        self.cells.len() * self.seeds.len() * 2
    }

    /// Blocks of all runs.
    pub fn blocks_total(&self) -> u64 {
        let blocks: u64 = self.cells.iter().map(|cell| cell.blocks).sum();
        blocks * self.seeds.len() as u64 * 2
    }

    /// A run by its number.
    fn place(&self, number: usize) -> (usize, usize, Side) {
        let side = if number.is_multiple_of(2) { Side::Attack } else { Side::Honest };
        let trial = number / 2;
        (trial / self.seeds.len(), trial % self.seeds.len(), side)
    }
}

impl Work for Trials {
    fn job(&self, number: usize) -> Result<Job, String> {
        let (cell, seed, side) = self.place(number);
        let (cell, seed) = (&self.cells[cell], self.seeds[seed]);
        let packed = self.scenario(cell, seed, side).and_then(|scenario| {
            let simulation = scenario.plan()?.simulation_hash();
            Ok((simulation, scenario.pack()?))
        });
        let (simulation, packed) = packed.map_err(|error| error.to_string())?;
        let checking = Checking::Trusting;
        let arm = Some(cell.order.clone());
        Ok(Job {
            format: JOB_FORMAT,
            build: BUILD.to_owned(),
            key: job_key(simulation, cell.blocks, checking, arm.as_ref()),
            scenario_hash: simulation.to_string(),
            seed,
            blocks: cell.blocks,
            checking,
            packed,
            arm,
        })
    }

    fn name(&self, number: usize) -> String {
        let (cell, seed, side) = self.place(number);
        let (cell, seed) = (&self.cells[cell], self.seeds[seed]);
        let defence = cell
            .defence
            .as_ref()
            .map_or_else(String::new, |defence| format!(", {}={}", defence.name, defence.value));
        let arm = match side {
            Side::Attack => "attack",
            Side::Honest => "honest",
        };
        format!("{} ({arm}{defence}, seed {seed})", cell.adversary.name)
    }

    fn blocks(&self, number: usize) -> u64 {
        self.cells[self.place(number).0].blocks
    }
}

/// Where a scenario comes from, and its text.
fn source(adversary: &Adversary, other: Option<&Path>) -> Result<(PathBuf, String), ScenarioError> {
    match other {
        Some(path) => Ok((path.to_owned(), file_text(path)?)),
        None => {
            let path = adversary.scenario();
            let text = shipped_text(&path).expect("every attack ships: tested");
            Ok((PathBuf::from(path), text.to_owned()))
        }
    }
}

/// What is looked at: who attacks, with whom, and where.
fn order(
    document: &Document,
    adversary: &Adversary,
    place: &str,
) -> Result<ArmOrder, ScenarioError> {
    let groups: Vec<&Group> =
        document.players.iter().filter(|group| attacks(group, adversary)).collect();
    if groups.is_empty() {
        let (role, behaviour) = (adversary.role.name(), adversary.behaviour);
        let what = format!("{place}: no group of players is a {role} with behaviour {behaviour:?}");
        let hint = format!("`btemu attack {}` without --scenario has its own", adversary.name);
        return Err(ScenarioError::new(what, Some(hint)));
    }
    let mut netuids: Vec<NetUid> = groups.iter().flat_map(|group| targets(group)).collect();
    netuids.sort_unstable();
    netuids.dedup();
    Ok(ArmOrder {
        attackers: groups.iter().map(|group| group.name.clone()).collect(),
        accomplices: groups.iter().filter_map(|group| accomplices(group)).collect(),
        netuids,
        // Detectors have the names of behaviours.
        detector: adversary.behaviour.to_owned(),
    })
}

/// The subnets that a group's attack is about, where its settings or its places say some.
fn targets(group: &Group) -> Vec<NetUid> {
    use crate::scenario::document::Where;
    let netuid = |value: &Value| value.as_integer().and_then(|id| u16::try_from(id).ok());
    let one = |key: &str| group.settings.get(key).and_then(netuid);
    let named = one("netuid").or_else(|| one("victim"));
    let listed = group.settings.get("netuids").and_then(Value::as_array);
    let listed: Vec<u16> = listed.into_iter().flatten().filter_map(netuid).collect();
    let places = match &group.subnets {
        Where::These(netuids) => netuids.clone(),
        Where::Word(_) => Vec::new(),
    };
    let named: Vec<u16> = named.into_iter().collect();
    let first = [places, named, listed].into_iter().find(|some| !some.is_empty());
    first.unwrap_or_default().into_iter().map(NetUid).collect()
}

/// The members of another group that a group works for.
fn accomplices(group: &Group) -> Option<Accomplices> {
    let settings = BehaviourSettings::defaults(group.role, &group.behaviour).ok()?;
    let settings = settings.read(group.settings.clone()).ok()?;
    let (_, other) = settings.known_group()?;
    let members = group.settings.get("miners").and_then(Value::as_integer);
    let members = members.and_then(|members| u64::try_from(members).ok());
    Some(Accomplices { group: other.to_owned(), members: members.unwrap_or(1) })
}

/// Brings arms together as they come: a trial is known when both are there.
#[derive(Debug, Default)]
pub struct Pairs {
    waiting: BTreeMap<usize, Arm>,
    /// By cell and seed, both counted from 0.
    pub done: BTreeMap<(usize, usize), Trial>,
}

impl Pairs {
    /// Takes a result.
    ///
    /// # Errors
    /// It is none of an arm.
    pub fn take(
        &mut self,
        trials: &Trials,
        number: usize,
        result: JobResult,
    ) -> Result<(), String> {
        let arm = result.arm.ok_or_else(|| "the result of a run has no arm".to_owned())?;
        let (cell, seed, side) = trials.place(number);
        let Some(other) = self.waiting.remove(&(number ^ 1)) else {
            self.waiting.insert(number, *arm);
            return Ok(());
        };
        let (attack, honest) = match side {
            Side::Attack => (*arm, other),
            Side::Honest => (other, *arm),
        };
        self.done.insert((cell, seed), trial(trials.seeds[seed], &attack, &honest));
        Ok(())
    }
}
