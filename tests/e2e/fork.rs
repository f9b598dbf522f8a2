//! Forks: what is shared is shared to the last byte, what is changed changes what comes after, and the log of a fork
//! needs nothing but itself.

use crate::program::{folder, json, json_lines, number, say, scenario, text};
use serde_json::Value;
use std::path::Path;

const BLOCKS: &str = "100";
const AT: &str = "+53";

fn run(folder: &Path, out: &str, more: &[&str]) -> Value {
    let quickstart = scenario("quickstart.toml");
    let arguments = ["run", &quickstart, "--out", out, "--json"];
    let usual = [["--processes", "0"], ["--blocks", BLOCKS]];
    json(folder, &with_usual(&[&arguments, more].concat(), &usual))
}

fn fork(folder: &Path, of: &str, out: &str, more: &[&str]) -> Value {
    let arguments = ["fork", of, "--at", AT, "--out", out, "--json"];
    json(folder, &with_usual(&[&arguments, more].concat(), &[["--processes", "0"]]))
}

/// Arguments with the usual options, where none of them is given otherwise.
fn with_usual<'a>(arguments: &[&'a str], usual: &[[&'a str; 2]]) -> Vec<&'a str> {
    let missing = usual.iter().filter(|[option, _]| !arguments.contains(option));
    arguments.iter().copied().chain(missing.flatten().copied()).collect()
}

fn verified(folder: &Path, run: &str) -> Value {
    json(folder, &["verify", run, "--re-execute", "--re-simulate", "--json"])
}

fn events(folder: &Path, run: &str, from: &str, to: &str) -> Vec<Value> {
    json_lines(folder, &["log", run, "--from", from, "--to", to, "--json"])
}

#[test]
fn a_fork_without_changes_is_the_straight_run() {
    let folder = folder();
    let folder = folder.path();
    let straight = run(folder, "straight", &["--set", "log.checkpoint_interval=20"]);
    let forked = fork(folder, "straight", "fork", &[]);
    for key in ["tip_hash", "state_root", "scenario_hash"] {
        assert_eq!(text(&forked, key), text(&straight, key), "{key}");
    }
    for key in ["blocks", "events", "extrinsics", "rejected"] {
        assert_eq!(number(&forked, key), number(&straight, key), "{key}");
    }
    assert_eq!(forked["messages"], straight["messages"]);
    assert!(straight.get("forked_from").is_none(), "{straight}");
    let from = &forked["forked_from"];
    assert_eq!((text(from, "run"), number(from, "block")), ("straight", 53));
    let shared = json(folder, &["replay", "straight", "--to", AT, "--json"]);
    assert_eq!(text(from, "block_hash"), text(&shared, "tip_hash"));
    assert_eq!(events(folder, "fork", "0", "+100"), events(folder, "straight", "0", "+100"));
    // It stands alone: without its parent, without any cache, over several processes.
    std::fs::remove_dir_all(folder.join("straight/cache")).expect("there is a cache");
    let half = ["--blocks", "70", "--processes", "2"];
    let again = fork(folder, "straight", "again", &half);
    assert_eq!(number(&again, "blocks"), 70);
    std::fs::remove_dir_all(folder.join("straight")).expect("it is finished");
    std::fs::remove_dir_all(folder.join("again/cache")).expect("there is a cache");
    let whole = json(folder, &["run", "--resume", "again", "--blocks", BLOCKS, "--json"]);
    assert_eq!(text(&whole, "tip_hash"), text(&straight, "tip_hash"));
    let verdict = verified(folder, "again");
    assert_eq!(
        (number(&verdict, "re_executed_blocks"), verdict["sound"].clone()),
        (100, true.into())
    );
    assert_eq!(number(&verdict, "re_simulated_blocks"), 100);
}

/// Rules, parameters, players, network and dice, all at once.
const CHANGES: [&str; 14] = [
    "--set",
    "rules.version=price",
    "--set",
    "hyperparameters.kappa=40000",
    "--set",
    "subnet.2.tempo=9",
    "--set",
    "players.movers.settings.interval_blocks=5",
    "--set",
    "players.miners.count=4",
    "--set",
    "network.loss_ppm=300000",
    "--set",
    "run.seed=9",
];

#[test]
fn a_changed_fork_shares_the_past_and_is_the_same_however_it_is_made() {
    let folder = folder();
    let folder = folder.path();
    let straight = run(folder, "straight", &[]);
    let forked =
        fork(folder, "straight", "fork", &[&CHANGES[..], &["--check-invariants"]].concat());
    assert_ne!(text(&forked, "tip_hash"), text(&straight, "tip_hash"));
    assert_eq!(text(&forked, "scenario_hash"), text(&straight, "scenario_hash"));
    assert_eq!((text(&forked, "rules"), number(&forked, "seed")), ("price", 9));
    assert_eq!(number(&forked["players"], "miner"), 12);
    let set = forked["forked_from"]["set"].as_array().map(Vec::len);
    assert_eq!(set, Some(CHANGES.len() / 2));
    assert_eq!(events(folder, "fork", "0", AT), events(folder, "straight", "0", AT));
    let (mine, other) =
        (events(folder, "fork", "+54", "+54"), events(folder, "straight", "+54", "+54"));
    assert_ne!(mine, other);
    for (netuid, kappa, tempo) in [("1", 40_000, 19), ("2", 40_000, 9)] {
        let arguments = ["inspect", "fork", "--json", "params", netuid];
        let parameters = json_lines(folder, &arguments);
        let of = |name: &str| {
            let row = parameters.iter().find(|row| row["parameter"] == name);
            row.and_then(|row| row["value"].as_u64())
        };
        assert_eq!((of("kappa"), of("tempo")), (Some(kappa), Some(tempo)), "subnet {netuid}");
    }
    // Over two processes, stopped on the way, and picked up without any cache.
    let spread = [&CHANGES[..], &["--processes", "2", "--blocks", "60"]].concat();
    fork(folder, "straight", "spread", &spread);
    for (caches, blocks) in [("kept", "80"), ("gone", BLOCKS)] {
        if caches == "gone" {
            std::fs::remove_dir_all(folder.join("spread/cache")).expect("there is a cache");
        }
        let resumed = json(folder, &["run", "--resume", "spread", "--blocks", blocks, "--json"]);
        if blocks == BLOCKS {
            assert_eq!(text(&resumed, "tip_hash"), text(&forked, "tip_hash"), "caches {caches}");
        }
    }
    let replayed = json(folder, &["replay", "spread", "--json"]);
    assert_eq!(replayed["forked_from"]["run"], "straight");
    let verdict = verified(folder, "spread");
    assert_eq!(text(&verdict, "tip_hash"), text(&forked, "tip_hash"));
}

#[test]
fn a_fork_of_a_fork_keeps_what_was_changed_before() {
    let folder = folder();
    let folder = folder.path();
    run(folder, "straight", &["--blocks", "60"]);
    let first =
        fork(folder, "straight", "first", &["--set", "rules.version=price", "--blocks", BLOCKS]);
    let later = ["--at", "+70", "--processes", "0", "--json"];
    let plain = [&["fork", "first", "--out", "plain"], &later[..]].concat();
    assert_eq!(text(&json(folder, &plain), "tip_hash"), text(&first, "tip_hash"));
    let set = ["--set", "players.movers.behaviour=momentum"];
    let other = json(folder, &[&["fork", "first", "--out", "other"], &later[..], &set].concat());
    assert_ne!(text(&other, "tip_hash"), text(&first, "tip_hash"));
    assert_eq!(text(&other, "rules"), "price");
    verified(folder, "other");
    // Left before its own fork, the first is the straight run.
    let early = ["fork", "first", "--at", "+40", "--out", "early", "--blocks", "60", "--json"];
    let straight = json(folder, &["replay", "straight", "--json"]);
    assert_eq!(text(&json(folder, &early), "tip_hash"), text(&straight, "tip_hash"));
    let rows = json_lines(folder, &["runs", "--folder", ".", "--json"]);
    let parents: Vec<(&str, &Value)> =
        rows.iter().map(|row| (text(row, "run"), &row["forked_from"]["run"])).collect();
    let parent = |run: &str| parents.iter().find(|(name, _)| name.ends_with(run)).map(|row| row.1);
    assert_eq!(parent("other"), Some(&Value::from("first")));
    assert_eq!(parent("straight"), Some(&Value::Null));
    let said = say(folder, &["replay", "other"]);
    assert!(said.stdout.contains("fork of      first at block 70, players.movers"), "{said:?}");
}

#[test]
fn timelines_can_change_behind_the_fork_and_not_before() {
    let folder = folder();
    let folder = folder.path();
    let timeline = |first: &str, second: &str| {
        format!(
            "timeline=[{{ at = \"+30\", call = \"sudo_set_kappa\", netuid = 1, value = {first} }}, \
             {{ at = \"+80\", call = \"switch_rules\", value = \"{second}\" }}]"
        )
    };
    run(folder, "straight", &["--set", &timeline("11", "price")]);
    let switched = |run: &str| {
        let rows = json_lines(folder, &["log", run, "--from", "+54", "--json"]);
        let switches = rows.iter().filter(|row| row["kind"] == "rules_switched");
        switches.map(|row| number(row, "block")).collect::<Vec<_>>()
    };
    assert_eq!(switched("straight"), [80]);
    fork(folder, "straight", "moved", &["--set", "timeline[1].at=\"+90\""]);
    assert_eq!(switched("moved"), [90]);
    fork(folder, "straight", "other", &["--set", "rules.fees=reference"]);
    assert_eq!(switched("other"), [54, 80]);
    verified(folder, "other");
    let past = timeline("12", "price");
    let arguments = ["fork", "straight", "--at", AT, "--out", "past", "--set", &past];
    let said = say(folder, &arguments);
    assert_eq!(said.code, 2, "{said:?}");
    assert!(said.stderr.contains("entries up to block 53 are the past"), "{said:?}");
    assert!(!folder.join("past").exists(), "nothing is left behind");
}

#[test]
fn what_cannot_change_in_the_middle_of_a_run_is_named() {
    let folder = folder();
    let folder = folder.path();
    run(folder, "straight", &["--blocks", "60"]);
    let past = "it is of the past, which a fork shares with its parent";
    let rows: &[(&[&str], i32, &str)] = &[
        (&["genesis.height=5"], 2, &format!("genesis.height: {past}")),
        (&["beacon.period_ms=1"], 2, &format!("beacon.period_ms: {past}")),
        (&["rules.profile=code"], 2, &format!("rules.profile: {past}")),
        (&["subnet[0].tao_reserve=5 TAO"], 2, &format!("tao_reserve: {past}")),
        (&["subnet.1.name=other"], 2, &format!("subnet.1.name: {past}")),
        (&["players.movers.balance=5 TAO"], 2, &format!("players.movers.balance: {past}")),
        (&["players.miners.count=7"], 2, "players.miners.count: players with money cannot appear"),
        (&["subnet.9.tempo=5"], 2, "subnet.9: there is no such subnet at block 53"),
        (&["rules.tao_weight=5"], 2, "rules.tao_weight: no call of the chain sets it"),
        (&["rules.total_issuance=5"], 2, "rules.total_issuance: genesis computes it"),
        (&["hyperparameters.min_burn=2 TAO"], 2, "sudo_set_min_burn of subnet 3: ValueNotInBounds"),
        (&["players.movers.settings.interval_blocks=0"], 2, "interval_blocks is 0"),
        (&["network.slice_ms=7"], 2, "network.slice_ms: 7 does not divide"),
        (&["players.nobody.count=1"], 2, "there is no group \"nobody\""),
        (&["run.blocks=40"], 2, "40 blocks in all are fewer than the 53 that are shared"),
    ];
    for (sets, code, expected) in rows {
        let mut arguments = vec!["fork", "straight", "--at", AT, "--out", "fork"];
        arguments.extend(sets.iter().flat_map(|set| ["--set", set]));
        let said = say(folder, &arguments);
        assert_eq!(said.code, *code, "{sets:?}: {said:?}");
        assert!(said.stderr.contains(expected), "{sets:?}: {said:?}");
        assert!(!folder.join("fork").exists(), "{sets:?}: nothing is left behind");
    }
    let said = say(folder, &["fork", "straight", "--at", "+61", "--out", "fork"]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.stderr.contains("block 61 is not in the run"), "{said:?}");
}

/// A subnet is closed for changes before each epoch; a change waits for its end.
#[test]
fn a_change_waits_where_a_subnet_is_closed_before_its_epoch() {
    let folder = folder();
    let folder = folder.path();
    run(folder, "straight", &["--set", "rules.admin_freeze_window=10"]);
    let said = say(
        folder,
        &[
            "fork",
            "straight",
            "--at",
            AT,
            "--out",
            "fork",
            "--processes",
            "0",
            "--set",
            "hyperparameters.tempo=30",
        ],
    );
    assert_eq!(said.code, 0, "{said:?}");
    let told: Vec<&str> =
        said.stderr.lines().filter(|line| line.contains("sudo_set_tempo")).collect();
    assert!(told.len() > 1, "the subnets' epochs are apart: {said:?}");
    for netuid in ["1", "2", "3"] {
        let rows = json_lines(folder, &["inspect", "fork", "--json", "params", netuid]);
        let tempo = rows.iter().find(|row| row["parameter"] == "tempo");
        assert_eq!(tempo.map(|row| number(row, "value")), Some(30), "subnet {netuid}");
    }
    verified(folder, "fork");
}
