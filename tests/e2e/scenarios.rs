//! Scenario commands, the shipped scenarios, and the main job at a small size.

use crate::program::{folder, json, json_lines, number, root, say, scenario, text};

#[test]
fn every_shipped_scenario_is_listed_and_valid() {
    let folder = folder();
    let listed = json_lines(folder.path(), &["scenario", "list", "--json"]);
    let files_of = |below: &str| {
        let entries = root().join("configs").join(below).read_dir().expect("scenarios ship");
        let names = entries.map(|entry| entry.expect("readable").file_name().display().to_string());
        let names: Vec<String> = names.filter(|name| name.ends_with(".toml")).collect();
        names.into_iter().map(|name| format!("{below}{name}")).collect::<Vec<String>>()
    };
    let mut files = [files_of(""), files_of("attacks/")].concat();
    files.sort();
    let mut paths: Vec<String> = listed.iter().map(|row| text(row, "path").to_owned()).collect();
    paths.sort();
    let expected: Vec<String> = files.iter().map(|file| format!("configs/{file}")).collect();
    assert_eq!(paths, expected);
    for file in files {
        let checked = json(folder.path(), &["scenario", "check", &scenario(&file), "--json"]);
        assert_eq!(checked["valid"], true, "{file}");
        assert!(number(&checked, "subnets") > 0, "{file}");
    }
}

#[test]
fn a_shown_scenario_has_the_same_simulation_hash() {
    for file in ["quickstart.toml", "mainnet.toml"] {
        let folder = folder();
        let shown = say(folder.path(), &["scenario", "show", &scenario(file)]);
        assert_eq!(shown.code, 0, "{shown:?}");
        // The snapshot that ships is found wherever the scenario is.
        let elsewhere = folder.path().join("shown.toml");
        std::fs::write(&elsewhere, &shown.stdout).expect("writable");
        let hash = |path: &str| {
            let checked = json(folder.path(), &["scenario", "check", path, "--json"]);
            text(&checked, "scenario_hash").to_owned()
        };
        let (again, first) = (hash("shown.toml"), hash(&scenario(file)));
        assert_eq!(again, first, "{file}");
    }
}

#[test]
fn the_quickstart_is_short() {
    let text = std::fs::read_to_string(scenario("quickstart.toml")).expect("it ships");
    assert!(text.lines().count() <= 25, "{} lines", text.lines().count());
}

#[test]
fn the_real_snapshot_runs_with_every_invariant_and_replays() {
    let folder = folder();
    let arguments = [
        "run",
        &scenario("mainnet.toml"),
        "--blocks",
        "40",
        "--out",
        "run",
        "--check-invariants",
        "--json",
    ];
    let ran = json(folder.path(), &arguments);
    assert_eq!(number(&ran, "genesis_block"), 7_943_013);
    assert_eq!(number(&ran, "block"), 7_943_053);
    assert_eq!(number(&ran, "invariant_violations"), 0);
    assert_eq!(number(&ran, "processes"), 3);
    for role in ["owner", "validator", "miner", "staker"] {
        assert!(number(&ran["players"], role) >= 128, "{role}: {}", ran["players"]);
    }
    let top = ran["top_subnets"].as_array().expect("ten subnets");
    assert_eq!(top.len(), 10);
    let shares: Vec<f64> = top.iter().filter_map(|one| one["emission_share"].as_f64()).collect();
    assert!(shares.windows(2).all(|pair| pair[0] >= pair[1]), "{shares:?}");
    let sum = ran["top10_emission_share"].as_f64().unwrap_or(0.0);
    assert!((0.2..0.9).contains(&sum), "{sum}");
    let replayed = json(folder.path(), &["replay", "run", "--json"]);
    assert_eq!(text(&replayed, "tip_hash"), text(&ran, "tip_hash"));
    let subnets = json_lines(folder.path(), &["inspect", "run", "--at", "+0", "--json", "subnets"]);
    assert_eq!(subnets.len(), 129, "128 subnets and root");
    let human = say(folder.path(), &["inspect", "run", "network"]);
    assert_eq!(human.code, 0, "{human:?}");
}

#[test]
fn completions_name_the_commands() {
    let folder = folder();
    for shell in ["bash", "zsh", "fish"] {
        let said = say(folder.path(), &["completions", shell]);
        assert_eq!(said.code, 0, "{said:?}");
        for name in ["replay", "reproduce"] {
            assert!(said.stdout.contains(name), "{shell}: {name}");
        }
    }
}

/// Facts of a kind, in order.
fn facts(folder: &std::path::Path, kind: &str) -> Vec<serde_json::Value> {
    let log = json_lines(folder, &["log", "run", "--kind", kind, "--json"]);
    log.into_iter().filter(|line| line.get("kind").is_some_and(|told| told == kind)).collect()
}

#[test]
fn in_the_race_each_newcomer_prunes_a_subnet_and_doubles_the_cost() {
    let folder = folder();
    let race = scenario("registration-race.toml");
    let ran = json(
        folder.path(),
        &["run", &race, "--blocks", "400", "--out", "run", "--check-invariants", "--json"],
    );
    assert_eq!(number(&ran, "invariant_violations"), 0);
    let registered = facts(folder.path(), "subnet_registered");
    let dissolved = facts(folder.path(), "subnet_dissolved");
    let pruned: Vec<&serde_json::Value> =
        dissolved.iter().filter(|fact| fact["cause"] == "prune").collect();
    assert_eq!((registered.len(), pruned.len()), (2, 2), "{registered:?}");
    for (new, old) in registered.iter().zip(&pruned) {
        assert_eq!((&new["netuid"], &new["block"]), (&old["netuid"], &old["block"]));
        assert!(new["block"].is_u64(), "{new}");
    }
    let locked = |fact: &serde_json::Value| fact["locked_rao"].as_u64().unwrap_or(0);
    assert_eq!(locked(&registered[0]), 1_000_000_000_000);
    assert!(locked(&registered[1]) > 1_700_000_000_000, "{registered:?}");
    let network = json(folder.path(), &["inspect", "run", "network", "--json"]);
    assert_eq!(number(&network, "subnets"), 128);
    assert!(number(&network, "lock_cost_rao") > 2 * 1_700_000_000_000);
}

#[test]
fn after_the_expansion_newcomers_take_free_slots() {
    let folder = folder();
    let expansion = scenario("expansion-256.toml");
    let short = std::fs::read_to_string(&expansion).expect("it ships");
    let short = short.replace("at = \"+3600\"", "at = \"+100\"").replace(
        "snapshot = \"data/",
        &format!("snapshot = \"{}/", root().join("configs/data").display()),
    );
    std::fs::write(folder.path().join("short.toml"), short).expect("writable");
    let arguments = ["run", "short.toml", "--blocks", "300", "--out", "run", "--json"];
    json(folder.path(), &arguments);
    let netuids = |kind| -> Vec<u64> {
        let facts = facts(folder.path(), kind);
        let whole =
            facts.iter().filter(|fact| kind == "subnet_registered" || fact["pot_rao"].is_u64());
        whole.filter_map(|fact| fact["netuid"].as_u64()).collect()
    };
    let (registered, dissolved) = (netuids("subnet_registered"), netuids("subnet_dissolved"));
    assert_eq!(registered.len(), 2, "one before, one after: {registered:?}");
    assert_eq!((registered[0], registered[1]), (dissolved[0], 129));
    assert_eq!(dissolved.len(), 1);
}
