//! `btemu scenario list | check | show | schema | import`.

use super::ordering::scenario_failure;
use super::{Failure, print, print_json};
use crate::genesis::json;
use crate::genesis::metagraph::Metagraph;
use crate::genesis::{import, snapshot};
use crate::run::totals::players_by_role;
use crate::scenario::format::Format;
use crate::scenario::{self, Overrides};
use crate::telling::figures::thousands;
use comfy_table::Table;
use comfy_table::presets::NOTHING;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// `btemu scenario`
#[derive(Debug, clap::Args)]
pub struct ScenarioArguments {
    #[command(subcommand)]
    command: ScenarioCommand,
}

#[derive(Debug, clap::Subcommand)]
enum ScenarioCommand {
    /// The scenarios that ship.
    List {
        /// Print one JSON object per scenario.
        #[arg(long)]
        json: bool,
    },
    /// Check a scenario, down to its genesis.
    Check {
        /// The scenario file: TOML, or YAML or JSON by its name (.yaml, .yml, .json).
        file: PathBuf,
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Print a scenario fully resolved: a valid scenario with the same simulation hash.
    Show {
        /// The scenario file.
        file: PathBuf,
        /// What to print it in.
        #[arg(long, value_enum, default_value_t = Format::Toml)]
        format: Format,
    },
    /// Print the JSON Schema of scenario files, for editors that complete and check (docs/scenarios.md).
    Schema,
    /// Make a snapshot of metagraphs as a node or the Bittensor SDK tells them (docs/snapshots.md).
    Import(ImportArguments),
}

/// `btemu scenario import`
#[derive(Debug, clap::Args)]
struct ImportArguments {
    /// Metagraphs: JSON of `get_metagraph` or `get_selective_mechagraph`, one subnet each.
    #[arg(required = true)]
    metagraphs: Vec<PathBuf>,
    /// Weights of the one metagraph: CSV with validator_uid, miner_uid, weight.
    #[arg(long, value_name = "FILE")]
    weights: Option<PathBuf>,
    /// Holders of the one metagraph's alpha: CSV with hotkey, coldkey, stake_rao.
    #[arg(long, value_name = "FILE")]
    holders: Option<PathBuf>,
    /// The snapshot to write.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Imported {
    snapshot: String,
    /// The block to begin at: that of the latest metagraph.
    height: u64,
    subnets: Vec<ImportedSubnet>,
}

#[derive(Serialize)]
struct ImportedSubnet {
    netuid: u16,
    block: u64,
    neurons: usize,
    validators: usize,
    rows_of_weights: usize,
    holders: usize,
}

#[derive(Serialize)]
struct Listed {
    name: String,
    path: String,
    description: String,
}

#[derive(Serialize)]
struct Checked {
    scenario: String,
    valid: bool,
    scenario_hash: String,
    genesis_block: u64,
    subnets: usize,
    players: BTreeMap<String, u64>,
    /// Entries of `[[fault]]`.
    faults: usize,
    blocks: u64,
}

/// Lists, checks or shows.
pub fn run(arguments: &ScenarioArguments) -> Result<(), Failure> {
    match &arguments.command {
        ScenarioCommand::List { json } => list(*json),
        ScenarioCommand::Check { file, json } => check(file, *json),
        ScenarioCommand::Show { file, format } => {
            let scenario = scenario::load(file, &Overrides::default()).map_err(scenario_failure)?;
            print(&scenario.show(*format).map_err(scenario_failure)?)
        }
        ScenarioCommand::Schema => {
            let text = serde_json::to_string_pretty(&scenario::schema::schema());
            let text = text.map_err(|error| Failure::failed(error, None))?;
            print(&format!("{text}\n"))
        }
        ScenarioCommand::Import(arguments) => import(arguments),
    }
}

fn import(arguments: &ImportArguments) -> Result<(), Failure> {
    let ImportArguments { metagraphs, weights, holders, out, json } = arguments;
    if metagraphs.len() > 1 && (weights.is_some() || holders.is_some()) {
        let what = "--weights and --holders belong to one metagraph, but there are several";
        let hint = "import each alone, and name it in a [[subnet]] as its metagraph";
        return Err(Failure::usage(what, Some(hint.to_owned())));
    }
    let failed = |error: &dyn std::fmt::Display| Failure::failed(error, None);
    let mut dumps = Vec::new();
    for file in metagraphs {
        let text = std::fs::read_to_string(file)
            .map_err(|error| failed(&format!("cannot read {}: {error}", file.display())))?;
        dumps.push(json::read(file, &text).map_err(|error| failed(&error))?);
    }
    let weights = weights.as_deref().map(import::weights).transpose();
    let holders = holders.as_deref().map(import::holders).transpose();
    let weights = weights.map_err(|error| failed(&error))?;
    let holders = holders.map_err(|error| failed(&error))?.unwrap_or_default();
    let named = metagraphs.iter().map(|file| file.display().to_string()).collect::<Vec<_>>();
    let named = named.join(", ");
    let rows = import::snapshot(&dumps, weights, holders)
        .map_err(|error| failed(&format!("{named}: {error}")))?;
    let text = import::written(&rows);
    let found = snapshot::sound(out, &text).map_err(|error| failed(&error))?;
    std::fs::write(out, &text)
        .map_err(|error| failed(&format!("cannot write {}: {error}", out.display())))?;
    let subnets: Vec<ImportedSubnet> = found.iter().filter(|it| it.netuid != 0).map(told).collect();
    let height = subnets.iter().map(|subnet| subnet.block).max().unwrap_or(0);
    let imported = Imported { snapshot: out.display().to_string(), height, subnets };
    if *json {
        return print_json(&imported);
    }
    for subnet in &imported.subnets {
        print(&format!(
            "subnet {} of block {}: {} neurons, {} of them validators; rows of weights: {}; holders: {}\n",
            subnet.netuid,
            thousands(subnet.block),
            thousands(subnet.neurons as u64),
            thousands(subnet.validators as u64),
            subnet.rows_of_weights,
            subnet.holders,
        ))?;
    }
    print(&format!("[genesis]\nsnapshot = {:?}\nheight = {height}\n", imported.snapshot))
}

fn told(metagraph: &Metagraph) -> ImportedSubnet {
    let validators = metagraph.neurons.iter().filter(|neuron| neuron.validator_permit);
    ImportedSubnet {
        netuid: metagraph.netuid,
        block: metagraph.block.unwrap_or(0),
        neurons: metagraph.neurons.len(),
        validators: validators.count(),
        rows_of_weights: metagraph.weights.as_ref().map_or(0, Vec::len),
        holders: metagraph.holders.len(),
    }
}

fn list(json: bool) -> Result<(), Failure> {
    let listed = scenario::list().into_iter().map(|shipped| Listed {
        name: shipped.name.to_string(),
        path: shipped.path.to_string(),
        description: shipped.description.to_string(),
    });
    if json {
        return listed.into_iter().try_for_each(|shipped| print_json(&shipped));
    }
    let mut table = Table::new();
    table.load_preset(NOTHING).set_header(["scenario", "file", "what it shows"]);
    for shipped in listed {
        table.add_row([shipped.name, shipped.path, shipped.description]);
    }
    print(&format!("{table}\n"))
}

fn check(file: &std::path::Path, json: bool) -> Result<(), Failure> {
    let scenario = scenario::load(file, &Overrides::default()).map_err(scenario_failure)?;
    let plan = scenario.plan().map_err(scenario_failure)?;
    let checked = Checked {
        scenario: plan.name.clone(),
        valid: true,
        scenario_hash: plan.simulation_hash().to_string(),
        genesis_block: plan.genesis.height.0,
        subnets: plan.genesis.networks().filter(|(netuid, _)| !netuid.is_root()).count(),
        players: players_by_role(&plan),
        faults: plan.faults.len(),
        blocks: scenario.blocks(),
    };
    if json {
        return print_json(&checked);
    }
    print(&format!(
        "{} is valid: {} subnets, {} players, {} blocks from block {}\nscenario hash {}\n",
        file.display(),
        checked.subnets,
        thousands(plan.players.len() as u64),
        thousands(checked.blocks),
        checked.genesis_block,
        checked.scenario_hash
    ))
}
