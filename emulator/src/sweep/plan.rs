//! A sweep made ready: every cell's scenario resolved and checked, every job known by its key, before the first runs.
//!
//! What belongs here: from a sweep file to its jobs. What does not: making them (`pool`, `broker`), and what comes of
//! them (`store`, `table`).

use super::document::{self, Axis, SweepFile};
use super::job::{JOB_FORMAT, Job, job_key};
use super::measures::{self, Measurable, Measure};
use crate::parallel::{cores, side_by_side};
use crate::run::engine::Checking;
use crate::scenario::error::ScenarioError;
use crate::scenario::packed::Packed;
use crate::scenario::{Overlay, Scenario, file_text, read_under};
use crate::version::BUILD;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use toml::Value;

/// Columns that every sweep has; no axis may be called like one.
pub const COLUMNS: [&str; 8] =
    ["job", "cell", "seed", "blocks", "scenario_hash", "tip_hash", "wall_seconds", "build"];

/// Jobs of a sweep: cells times seeds.
pub const JOBS_MAX: usize = 100_000;

/// A sweep, checked.
#[derive(Clone, Debug)]
pub struct Sweep {
    /// Its name.
    pub name: String,
    /// What it shows.
    pub description: String,
    /// What varies.
    pub axes: Vec<Axis>,
    /// Every combination of their values, the last axis varying fastest.
    pub cells: Vec<Cell>,
    /// What is measured.
    pub measures: Vec<Measure>,
    /// Every cell with every seed: cell by cell, seed by seed.
    pub jobs: Vec<Planned>,
    /// What should be looked at before the results are trusted.
    pub warnings: Vec<String>,
    source: Source,
}

/// A combination of values.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    /// A value of each axis.
    pub values: Vec<Value>,
    overlays: Vec<Overlay>,
}

/// A job that is not packed yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// Its cell, from 0.
    pub cell: usize,
    /// Of its draws.
    pub seed: u64,
    /// Blocks of the run.
    pub blocks: u64,
    /// The simulation hash.
    pub scenario_hash: String,
    /// What names its result.
    pub key: String,
}

/// Where scenarios come from: the file is read once, so that all jobs are of the same text.
#[derive(Clone, Debug)]
struct Source {
    path: PathBuf,
    text: String,
    checking: Checking,
}

impl Sweep {
    /// Reads a sweep file, and resolves and checks everything that its jobs are decided from; `told` hears how many
    /// of how many jobs are known.
    ///
    /// # Errors
    /// The first thing that is wrong, with file and key.
    pub fn load(path: &Path, told: impl Fn(usize, usize) + Sync) -> Result<Self, ScenarioError> {
        let file = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|error| {
            ScenarioError::new(format!("cannot read the sweep {file}: {error}"), None)
        })?;
        let SweepFile { name, description, scenario, seeds, measures, common, axes } =
            document::read(&file, &text)?;
        let stem = path.file_stem().map_or_else(String::new, |stem| stem.display().to_string());
        let name = if name.is_empty() { stem } else { name };
        let cells = cells(&file, &common, &axes);
        if cells.len().saturating_mul(seeds.len()) > JOBS_MAX {
            let what = format!("{file}: its cells times seeds are more than {JOBS_MAX} jobs");
            return Err(ScenarioError::new(what, None));
        }
        let path = path.parent().unwrap_or(Path::new(".")).join(scenario);
        let text = file_text(&path).map_err(|error| {
            let hint = "the path is relative to the sweep file".to_owned();
            ScenarioError::new(format!("{file}: sweep.scenario: {error}"), Some(hint))
        })?;
        let source = Source { path, text, checking: measures::checking(&measures) };
        let count = cells.len() * seeds.len();
        let known = AtomicUsize::new(0);
        let plan = |cell: usize, seed: u64| {
            let planned = source.plan(cell, &cells[cell], seed);
            told(known.fetch_add(1, Ordering::Relaxed) + 1, count);
            planned.map_err(|error| {
                // What a setting of the sweep is about says so itself.
                let (text, cell) = (error.to_string(), tell_cell(&axes, &cells[cell]));
                let what = match text.starts_with(&file) || cell.is_empty() {
                    true => text,
                    false => format!("{file}: where {cell}: {text}"),
                };
                ScenarioError::new(what, error.hint())
            })
        };
        // One seed of every cell comes first: whatever is wrong is most often wrong with all seeds.
        let first = side_by_side(cores(), cells.len(), |cell| plan(cell, seeds[0]))?;
        let mut measurable = Measurable::default();
        let mut firsts = Vec::with_capacity(cells.len());
        let mut disturbed = 0;
        for (planned, own, disturbances) in first {
            measurable.extend(own);
            firsts.push(planned);
            disturbed += usize::from(disturbances > 0);
        }
        let (measures, mut warnings) = read_measures(&file, measures, &measurable)?;
        if disturbed > 0 {
            warnings.push(format!(
                "{file}: {disturbed} of its cells have faults below the simulation; a sweep leaves those out, and \
                 no result depends on them"
            ));
        }
        check_columns(&file, &axes, &measures)?;
        let others = seeds.len() - 1;
        let rest = side_by_side(cores(), cells.len() * others, |at| {
            plan(at / others, seeds[1 + at % others]).map(|(planned, ..)| planned)
        })?;
        let mut rest = rest.into_iter();
        let mut jobs = Vec::with_capacity(count);
        for first in firsts {
            jobs.push(first);
            jobs.extend(rest.by_ref().take(others));
        }
        let sweep = Self { name, description, axes, cells, measures, jobs, warnings, source };
        sweep.check_keys(&file)?;
        Ok(sweep)
    }

    /// Two jobs of one key are the same simulation: what varies is not simulated.
    fn check_keys(&self, file: &str) -> Result<(), ScenarioError> {
        let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
        for job in &self.jobs {
            let Some(other) = seen.insert(&job.key, job.cell) else { continue };
            let (one, two) = (self.tell_cell(other), self.tell_cell(job.cell));
            let what = format!("{file}: the cells ({one}) and ({two}) simulate the same");
            let hint = "process counts, pace, log and metrics change nothing that is simulated; \
                        nor does a value that is there twice";
            return Err(ScenarioError::new(what, Some(hint.to_owned())));
        }
        Ok(())
    }

    /// A cell for people: `rules.version = "price", network.loss_ppm = 0`.
    pub fn tell_cell(&self, cell: usize) -> String {
        tell_cell(&self.axes, &self.cells[cell])
    }

    /// Packs a job.
    ///
    /// # Errors
    /// Its snapshot cannot be read any more.
    pub fn pack(&self, planned: &Planned) -> Result<Job, ScenarioError> {
        let scenario = self.source.scenario(&self.cells[planned.cell], planned.seed)?;
        let packed: Packed = scenario.pack()?;
        Ok(Job {
            format: JOB_FORMAT,
            build: BUILD.to_owned(),
            key: planned.key.clone(),
            scenario_hash: planned.scenario_hash.clone(),
            seed: planned.seed,
            blocks: planned.blocks,
            checking: self.source.checking,
            packed,
            arm: None,
        })
    }
}

impl Source {
    fn scenario(&self, cell: &Cell, seed: u64) -> Result<Scenario, ScenarioError> {
        let seed = Overlay {
            path: "run.seed".to_owned(),
            text: seed.to_string(),
            origin: "sweep.seeds".to_owned(),
        };
        let overlays = [&cell.overlays[..], &[seed]].concat();
        read_under(&self.path, &self.text, &overlays)
    }

    /// The job, what can be measured of it, and how many faults below the simulation its scenario has.
    fn plan(
        &self,
        number: usize,
        cell: &Cell,
        seed: u64,
    ) -> Result<(Planned, Measurable, usize), ScenarioError> {
        let scenario = self.scenario(cell, seed)?;
        if let Some(condition) = scenario.until().first() {
            let what = format!("run.until = {condition:?}: a sweep makes all blocks of every run");
            return Err(ScenarioError::new(what, None));
        }
        let plan = scenario.plan()?;
        let (hash, blocks) = (plan.simulation_hash(), scenario.blocks());
        if blocks == 0 {
            return Err(ScenarioError::new("a run of no blocks".to_owned(), None));
        }
        let planned = Planned {
            cell: number,
            seed,
            blocks,
            scenario_hash: hash.to_string(),
            key: job_key(hash, blocks, self.checking, None),
        };
        Ok((planned, Measurable::of(&plan), scenario.disturbances()?.len()))
    }
}

fn tell_cell(axes: &[Axis], cell: &Cell) -> String {
    let parts =
        axes.iter().zip(&cell.values).map(|(axis, value)| format!("{} = {value}", axis.name));
    parts.collect::<Vec<_>>().join(", ")
}

/// Every combination of the axes' values.
fn cells(file: &str, common: &[document::Setting], axes: &[Axis]) -> Vec<Cell> {
    let overlay = |setting: &document::Setting| {
        let text = setting.value.to_string();
        let origin = format!("{file}: {} = {text}", setting.key);
        Overlay { path: setting.path.clone(), text, origin }
    };
    let first = Cell { values: Vec::new(), overlays: common.iter().map(overlay).collect() };
    axes.iter().fold(vec![first], |cells, axis| {
        let cells = cells.iter().flat_map(|cell| {
            axis.points.iter().map(move |point| {
                let mut cell = cell.clone();
                cell.values.push(point.value.clone());
                cell.overlays.extend(point.settings.iter().map(overlay));
                cell
            })
        });
        cells.collect()
    })
}

/// No column of the results is there twice.
fn check_columns(file: &str, axes: &[Axis], measures: &[Measure]) -> Result<(), ScenarioError> {
    let measures = measures.iter().map(|measure| measure.name.as_str());
    let names: Vec<&str> = measures.chain(COLUMNS).collect();
    let own = axes.iter().find(|axis| names.contains(&axis.name.as_str()));
    own.map_or(Ok(()), |axis| {
        let what =
            format!("{file}: together.{}: the results have a column of that name", axis.name);
        Err(ScenarioError::new(what, Some("give it another name".to_owned())))
    })
}

fn read_measures(
    file: &str,
    names: Vec<String>,
    measurable: &Measurable,
) -> Result<(Vec<Measure>, Vec<String>), ScenarioError> {
    let names = if names.is_empty() { measures::defaults(measurable) } else { names };
    let mut warnings = Vec::new();
    let mut measures = Vec::with_capacity(names.len());
    for name in &names {
        let measure = Measure::read(name, measurable).map_err(|(what, hint)| {
            ScenarioError::new(format!("{file}: sweep.measures: {what}"), Some(hint))
        })?;
        // Subnets come and go, so this may be right.
        if let Some(netuid) = measure.netuid().filter(|id| !measurable.netuids.contains(id)) {
            warnings.push(format!(
                "{file}: sweep.measures: {name:?}: no cell has a subnet {netuid} at genesis"
            ));
        }
        measures.push(measure);
    }
    Ok((measures, warnings))
}

/// One part of a sweep: of so many parts this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// Which, from 1.
    pub number: usize,
    /// Of how many.
    pub of: usize,
}

impl Shard {
    /// Whether a job, by its number from 0, is in it.
    pub const fn has(&self, job: usize) -> bool {
        job % self.of == self.number - 1
    }
}

impl std::str::FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once('/');
        let parts = parts.and_then(|(number, of)| {
            Some(Self { number: number.parse().ok()?, of: of.parse().ok()? })
        });
        let sound = parts.filter(|shard| shard.number >= 1 && shard.number <= shard.of);
        sound.ok_or_else(|| "a shard is I/N, from 1/N to N/N".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_job_is_in_one_shard() {
        let shards: Vec<Shard> =
            ["1/3", "2/3", "3/3"].iter().map(|text| text.parse().expect("a shard")).collect();
        for job in 0..10 {
            assert_eq!(shards.iter().filter(|shard| shard.has(job)).count(), 1, "{job}");
        }
        for text in ["0/3", "4/3", "1/0", "0/0", "1", "a/b", "-1/3", ""] {
            assert!(text.parse::<Shard>().is_err(), "{text:?}");
        }
    }
}
