//! Scenarios: from a file to everything that decides a simulation.

/// Amounts and durations as people write them.
pub mod amount;
/// Scenarios of attacks that ship.
mod attacks;
/// Sections and keys.
pub mod document;
/// What is wrong with one.
pub mod error;
/// What faults are called.
pub mod fault_name;
/// TOML, YAML and JSON.
pub mod format;
/// File, environment and `--set`, laid over each other.
pub mod layers;
/// Scenarios that need no other file.
pub mod packed;
/// Scenario files as JSON Schema.
pub mod schema;
/// Values with the places where they are written.
mod tree;
/// YAML and JSON.
mod yaml;

use crate::clock::Pace;
use crate::genesis;
use crate::genesis::amendment::{Amendment, Past};
use crate::metrics::order::{Accounting, Detail, NEURON_NETUIDS_MAX};
use crate::plan::Plan;
use crate::run::disturbance::Scheduled;
use crate::run::hosts::Dealing;
use crate::run::link::Address;
use crate::run::until::Condition;
use attacks::ATTACKS;
use document::{Document, DurabilityName, MetricsSection};
use error::ScenarioError;
use format::Format;
use layers::environment;
use protocol::state::State;
use protocol::units::NetUid;
use std::path::{Path, PathBuf};
use storage::log::Durability;

pub use layers::{Overlay, in_toml, parse};

/// What the command line lays over a scenario.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// `--set PATH=VALUE`, in order.
    pub set: Vec<(String, String)>,
    /// `--seed`.
    pub seed: Option<u64>,
    /// `--blocks`.
    pub blocks: Option<u64>,
    /// `--processes`.
    pub processes: Option<u32>,
    /// `--link`.
    pub link: Option<String>,
    /// `--await-hosts`.
    pub await_hosts: Option<u32>,
    /// `--pace`.
    pub pace: Option<String>,
}

impl Overrides {
    fn overlays(&self) -> Vec<Overlay> {
        let set = self.set.iter().map(|(path, value)| Overlay {
            path: path.clone(),
            text: value.clone(),
            origin: format!("--set {path}={value}"),
        });
        let option = |name: &str, path: &str, value: Option<String>| {
            let (path, name) = (path.to_owned(), name.to_owned());
            value.map(|text| Overlay { path, origin: format!("{name} {text}"), text })
        };
        let options = [
            option("--seed", "run.seed", self.seed.map(|seed| seed.to_string())),
            option("--blocks", "run.blocks", self.blocks.map(|blocks| blocks.to_string())),
            option("--processes", "run.processes", self.processes.map(|count| count.to_string())),
            option("--link", "run.link", self.link.as_ref().map(|link| format!("{link:?}"))),
            option("--await-hosts", "run.await_hosts", self.await_hosts.map(|n| n.to_string())),
            option("--pace", "run.pace", self.pace.as_ref().map(|pace| format!("{pace:?}"))),
        ];
        set.chain(options.into_iter().flatten()).collect()
    }
}

/// How a run is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogSettings {
    /// When the log is synced.
    pub durability: Durability,
    /// Blocks between snapshots; 0 for none but the last.
    pub snapshot_interval: u64,
    /// Bytes of blocks after which there is a snapshot earlier; 0 for no such bound.
    pub snapshot_bytes: u64,
    /// Blocks between checkpoints; 0 for none but the last.
    pub checkpoint_interval: u64,
}

/// A scenario, read and checked key by key.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    file: PathBuf,
    /// What was laid over the file.
    overlays: Vec<Overlay>,
    document: Document,
    pace: Pace,
    link: Address,
    until: Vec<Condition>,
}

/// Reads a scenario file under overrides and the environment.
///
/// # Errors
/// The file is missing, or something in it or over it is wrong.
pub fn load(path: &Path, overrides: &Overrides) -> Result<Scenario, ScenarioError> {
    read_under(path, &file_text(path)?, &overrides.overlays())
}

/// The text of a scenario file.
///
/// # Errors
/// It cannot be read.
pub fn file_text(path: &Path) -> Result<String, ScenarioError> {
    std::fs::read_to_string(path).map_err(|error| {
        let hint = "`btemu scenario list` names those that ship".to_owned();
        ScenarioError::new(
            format!("cannot read the scenario {}: {error}", path.display()),
            Some(hint),
        )
    })
}

/// Reads the text of a scenario file under the environment and whatever else is laid over it.
///
/// # Errors
/// Something in it or over it is wrong.
pub fn read_under(
    path: &Path,
    text: &str,
    overlays: &[Overlay],
) -> Result<Scenario, ScenarioError> {
    read(path, text, &[&environment()[..], overlays].concat())
}

/// Variables of the environment that are laid over every scenario file now, by name.
pub fn variables() -> Vec<String> {
    let names = environment().into_iter().filter_map(|overlay| {
        let (name, _) = overlay.origin.split_once('=')?;
        Some(name.to_owned())
    });
    names.collect()
}

/// Reads a scenario that a log holds, as a fork of the run changes it; the environment does not. A group whose
/// behaviour changes keeps the settings that both behaviours know.
///
/// # Errors
/// Something over it is wrong.
pub fn read_forked(text: &str, overrides: &Overrides) -> Result<Scenario, ScenarioError> {
    let held = read_shown(text, &Overrides::default())?;
    let behaviours = |(path, _): &&(String, String)| {
        path.starts_with("players.") && path.ends_with(".behaviour")
    };
    let set = overrides.set.iter().filter(behaviours).cloned().collect();
    let behaving = layers::resolve(
        &held.place(),
        text,
        &Overrides { set, ..Overrides::default() }.overlays(),
    )?;
    let mut document = held.document;
    for (group, behaving) in document.players.iter_mut().zip(behaving.players) {
        if group.behaviour != behaving.behaviour {
            group.behaviour = behaving.behaviour;
            genesis::amendment::forget_foreign_settings(group);
        }
    }
    let text = toml::to_string(&document).expect("a document is plain data");
    read_shown(&text, overrides)
}

/// Reads a scenario that a log holds; the environment does not change it.
///
/// # Errors
/// Something over it is wrong.
pub fn read_shown(text: &str, overrides: &Overrides) -> Result<Scenario, ScenarioError> {
    read(Path::new("the scenario in the log"), text, &overrides.overlays())
}

fn read(path: &Path, text: &str, overlays: &[Overlay]) -> Result<Scenario, ScenarioError> {
    let file = path.display().to_string();
    let read = read_whole(path, text, overlays);
    read.map_err(|error| layers::traced(&file, overlays, error))
}

fn read_whole(path: &Path, text: &str, overlays: &[Overlay]) -> Result<Scenario, ScenarioError> {
    let file = path.display().to_string();
    let mut document = layers::resolve(&file, text, overlays)?;
    if document.scenario.name.is_empty() {
        let stem = path.file_stem().map_or_else(String::new, |stem| stem.display().to_string());
        document.scenario.name = stem;
    }
    let run = &document.run;
    let wrong = |key: &str, error: &dyn std::fmt::Display| {
        ScenarioError::new(format!("{file}: run.{key}: {error}"), None)
    };
    let pace = run.pace.parse().map_err(|error| wrong("pace", &error))?;
    let link = run.link.parse().map_err(|error| wrong("link", &error))?;
    let until = run.until.iter().map(|text| text.parse::<Condition>());
    let until = until.collect::<Result<_, _>>().map_err(|error| wrong("until", &error))?;
    if run.await_hosts > 0 && link == Address::Unix {
        let what =
            format!("{file}: run.await_hosts: no host from outside can come over run.link unix");
        let hint = "--link tcp://HOST:PORT, with an address of this machine that others reach";
        return Err(ScenarioError::new(what, Some(hint.to_owned())));
    }
    let named = document.metrics.neuron_netuids.len();
    if named > NEURON_NETUIDS_MAX {
        let what = format!(
            "{file}: metrics.neuron_netuids: {named} subnets are more than {NEURON_NETUIDS_MAX}"
        );
        let hint = "a neuron is eight series; `btemu export` writes all neurons as a table";
        return Err(ScenarioError::new(what, Some(hint.to_owned())));
    }
    let name = &document.scenario.name;
    if !is_folder_name(name) {
        let what = format!("{file}: scenario.name: {name:?} cannot name a folder");
        let hint = "use letters, digits, -, _ and .".to_owned();
        return Err(ScenarioError::new(what, Some(hint)));
    }
    let (file, overlays) = (path.to_owned(), overlays.to_vec());
    Ok(Scenario { file, overlays, document, pace, link, until })
}

/// Whether a run folder can have this name and lie where it should.
pub fn is_folder_name(name: &str) -> bool {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    name.chars().all(plain) && !name.starts_with('.')
}

impl Scenario {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.document.scenario.name
    }

    /// Of all draws.
    pub const fn seed(&self) -> u64 {
        self.document.run.seed
    }

    /// Blocks of the whole run.
    pub const fn blocks(&self) -> u64 {
        self.document.run.blocks.0
    }

    /// Conditions of which any ends the run earlier.
    pub fn until(&self) -> &[Condition] {
        &self.until
    }

    /// How long a host process may be silent, in milliseconds of wall time.
    pub const fn host_silence_ms_max(&self) -> u64 {
        self.document.run.host_silence_ms_max
    }

    /// How long the chain process may be silent, in milliseconds of wall time.
    pub const fn chain_silence_ms_max(&self) -> u64 {
        self.document.run.chain_silence_ms_max
    }

    /// Host processes.
    pub const fn processes(&self) -> u32 {
        self.document.run.processes
    }

    /// How its processes are linked.
    pub const fn link(&self) -> &Address {
        &self.link
    }

    /// Hosts that come from outside.
    pub const fn await_hosts(&self) -> u32 {
        self.document.run.await_hosts
    }

    /// How long hosts may take to join, in milliseconds of wall time.
    pub const fn host_join_ms_max(&self) -> u64 {
        self.document.run.host_join_ms_max
    }

    /// Which host carries which player.
    pub const fn dealing(&self) -> Dealing {
        match self.document.run.dealing {
            0 => Dealing::InTurn,
            number => Dealing::Drawn(number),
        }
    }

    /// How fast simulated time passes.
    pub const fn pace(&self) -> Pace {
        self.pace
    }

    /// How the run is logged.
    pub fn log(&self) -> LogSettings {
        let log = &self.document.log;
        let interval = u32::try_from(log.sync_interval.0).unwrap_or(u32::MAX).max(1);
        LogSettings {
            durability: match log.durability {
                DurabilityName::Block => Durability::Block,
                DurabilityName::Interval => Durability::Interval(interval),
                DurabilityName::End => Durability::End,
            },
            snapshot_interval: log.snapshot_interval.0,
            snapshot_bytes: log.snapshot_bytes,
            checkpoint_interval: log.checkpoint_interval.0,
        }
    }

    /// Where metrics are served.
    pub fn metrics(&self) -> Option<String> {
        let address = &self.document.metrics.address;
        (address != "off").then(|| address.clone())
    }

    /// What is in metrics beside what always is.
    pub fn metrics_detail(&self) -> Detail {
        let MetricsSection { neuron_netuids, accounts, .. } = &self.document.metrics;
        Detail {
            neurons: neuron_netuids.iter().copied().map(NetUid).collect(),
            accounts: if *accounts { Accounting::On } else { Accounting::Off },
        }
    }

    /// The scenario in full, every default written out; loading it gives the same simulation hash.
    ///
    /// # Errors
    /// A behaviour or setting is unknown, or a number is none and the language has no word for it.
    pub fn show(&self, format: Format) -> Result<String, ScenarioError> {
        format.written(&self.written_out()?).ok_or_else(|| {
            let what = format!(
                "{}: nan and inf, which stand in it, can be said in TOML alone",
                self.place()
            );
            ScenarioError::new(what, None)
        })
    }

    /// Everything that decides the simulation, genesis included.
    ///
    /// # Errors
    /// What the scenario asks for does not fit together, or its snapshot is wrong.
    pub fn plan(&self) -> Result<Plan, ScenarioError> {
        let folder = self.file.parent().unwrap_or(Path::new("."));
        let scenario = self.show(Format::Toml)?;
        self.traced(genesis::plan(&self.place(), &self.document, folder, scenario))
    }

    /// The same with every default of a behaviour written out, and with whatever else is changed in it.
    ///
    /// # Errors
    /// A behaviour or setting is unknown, or what the change says.
    pub fn revised(
        &self,
        change: impl FnOnce(&mut Document) -> Result<(), ScenarioError>,
    ) -> Result<Self, ScenarioError> {
        let mut document = self.document.clone();
        self.traced(genesis::write_out(&self.place(), &mut document))?;
        change(&mut document)?;
        Ok(Self { document, ..self.clone() })
    }

    /// Everything it says, every default of a behaviour written out.
    ///
    /// # Errors
    /// A behaviour or setting is unknown.
    pub fn written_out(&self) -> Result<Document, ScenarioError> {
        self.revised(|_| Ok(())).map(|scenario| scenario.document)
    }

    /// Faults below the simulation.
    ///
    /// # Errors
    /// An entry has keys that its kind does not take, or a value out of range.
    pub fn disturbances(&self) -> Result<Vec<Scheduled>, ScenarioError> {
        let height = self.document.genesis.height;
        self.traced(genesis::faults::scheduled(&self.place(), &self.document, height))
    }

    /// The document as it is merged.
    pub const fn document(&self) -> &Document {
        &self.document
    }

    /// What changes from one scenario of a run to this one, where the run is left after a block.
    ///
    /// # Errors
    /// A value is wrong, or cannot change in the middle of a run.
    pub fn amendment(
        &self,
        before: &Self,
        plan: &Plan,
        state: &State,
    ) -> Result<Amendment, ScenarioError> {
        let genesis = read_shown(&plan.scenario, &Overrides::default())?;
        let past = Past { plan, genesis: &genesis.document, at: state.height, state };
        let amended =
            genesis::amendment::amend(&self.place(), &before.document, &self.document, &past);
        self.traced(amended)
    }

    fn traced<T>(&self, result: Result<T, ScenarioError>) -> Result<T, ScenarioError> {
        result.map_err(|error| layers::traced(&self.place(), &self.overlays, error))
    }

    fn place(&self) -> String {
        self.file.display().to_string()
    }
}

/// A scenario that ships.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shipped {
    /// Its name.
    pub name: String,
    /// Where it is in the repository.
    pub path: &'static str,
    /// What it shows.
    pub description: String,
}

const SHIPPED: &[(&str, &str)] = &[
    ("configs/quickstart.toml", include_str!("../../../configs/quickstart.toml")),
    ("configs/chaos-network.toml", include_str!("../../../configs/chaos-network.toml")),
    ("configs/kitchen-sink.toml", include_str!("../../../configs/kitchen-sink.toml")),
    ("configs/showcase.toml", include_str!("../../../configs/showcase.toml")),
    ("configs/sn15-weights.toml", include_str!("../../../configs/sn15-weights.toml")),
    ("configs/mainnet.toml", include_str!("../../../configs/mainnet.toml")),
    ("configs/march-2026.toml", include_str!("../../../configs/march-2026.toml")),
    ("configs/chutes-flywheel.toml", include_str!("../../../configs/chutes-flywheel.toml")),
    ("configs/death-spiral.toml", include_str!("../../../configs/death-spiral.toml")),
    ("configs/price-era-loophole.toml", include_str!("../../../configs/price-era-loophole.toml")),
    ("configs/index-vs-alpha.toml", include_str!("../../../configs/index-vs-alpha.toml")),
    ("configs/halving.toml", include_str!("../../../configs/halving.toml")),
    ("configs/registration-race.toml", include_str!("../../../configs/registration-race.toml")),
    ("configs/expansion-256.toml", include_str!("../../../configs/expansion-256.toml")),
    ("configs/templar.toml", include_str!("../../../configs/templar.toml")),
    ("configs/multi-owner.toml", include_str!("../../../configs/multi-owner.toml")),
    ("configs/whale.toml", include_str!("../../../configs/whale.toml")),
    ("configs/market.toml", include_str!("../../../configs/market.toml")),
    ("configs/living-network.toml", include_str!("../../../configs/living-network.toml")),
    (
        "configs/bench-mainnet-quarter.toml",
        include_str!("../../../configs/bench-mainnet-quarter.toml"),
    ),
    ("configs/bench-idle.toml", include_str!("../../../configs/bench-idle.toml")),
    ("configs/bench-mainnet.toml", include_str!("../../../configs/bench-mainnet.toml")),
];

/// The text of a scenario that ships, by where it is in the repository.
pub fn shipped_text(path: &str) -> Option<&'static str> {
    let all = SHIPPED.iter().chain(ATTACKS);
    all.copied().find(|(shipped, _)| *shipped == path).map(|(_, text)| text)
}

/// The scenarios that ship, smallest first, then those of attacks.
pub fn list() -> Vec<Shipped> {
    let shipped = SHIPPED.iter().chain(ATTACKS).map(|(path, text)| {
        let scenario = read(Path::new(path), text, &[]).expect("what ships is valid: tested");
        let about = scenario.document.scenario;
        Shipped { name: about.name, path, description: about.description }
    });
    shipped.collect()
}

#[cfg(test)]
mod tests;
