//! `btemu scenario list | check | show`.

use super::run::scenario_failure;
use super::telling::thousands;
use super::{Failure, print, print_json};
use crate::run::totals::players_by_role;
use crate::scenario::{self, Overrides};
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
        /// The scenario file.
        file: PathBuf,
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Print a scenario fully resolved: a valid scenario with the same simulation hash.
    Show {
        /// The scenario file.
        file: PathBuf,
    },
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
    blocks: u64,
}

/// Lists, checks or shows.
pub fn run(arguments: &ScenarioArguments) -> Result<(), Failure> {
    match &arguments.command {
        ScenarioCommand::List { json } => list(*json),
        ScenarioCommand::Check { file, json } => check(file, *json),
        ScenarioCommand::Show { file } => {
            let scenario = scenario::load(file, &Overrides::default()).map_err(scenario_failure)?;
            print(&scenario.show().map_err(scenario_failure)?)
        }
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
