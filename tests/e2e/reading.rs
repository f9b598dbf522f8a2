//! Replay, verify, inspect and log of finished runs.

use crate::program::{folder, json, json_lines, number, say, scenario, text};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;

fn run(folder: &Path, blocks: &str) -> Value {
    let quickstart = scenario("quickstart.toml");
    let arguments = ["run", &quickstart, "--blocks", blocks, "--out", "run", "--json"];
    json(folder, &arguments)
}

#[test]
fn replay_and_verify_agree_with_the_run() {
    let folder = folder();
    let ran = run(folder.path(), "100");
    let replayed = json(folder.path(), &["replay", "run", "--json"]);
    let keys = ["tip_hash", "state_root", "scenario_hash", "rules", "scenario"];
    for key in keys {
        assert_eq!(text(&replayed, key), text(&ran, key), "{key}");
    }
    for key in ["block", "blocks", "genesis_block", "events", "extrinsics", "rejected", "seed"] {
        assert_eq!(number(&replayed, key), number(&ran, key), "{key}");
    }
    assert_eq!(replayed["messages"], ran["messages"]);
    assert_eq!(replayed["players"], ran["players"]);
    let verified = json(folder.path(), &["verify", "run", "--json"]);
    assert_eq!(verified["sound"], true);
    assert_eq!(text(&verified, "tip_hash"), text(&ran, "tip_hash"));
    let part = json(folder.path(), &["replay", "run", "--to", "+40", "--json"]);
    assert_eq!(number(&part, "blocks"), 40);
    let whole = json(folder.path(), &["replay", "run", "--from-genesis", "--json"]);
    assert_eq!(text(&whole, "tip_hash"), text(&ran, "tip_hash"), "every replay begins there");
    let human = say(folder.path(), &["replay", "run"]);
    assert!(human.stdout.contains(text(&ran, "tip_hash")), "{human:?}");
}

#[test]
fn the_state_of_any_block_can_be_inspected_and_caches_change_nothing() {
    let folder = folder();
    let ran = run(folder.path(), "100");
    let questions: [&[&str]; 7] = [
        &["network"],
        &["subnets"],
        &["subnet", "1"],
        &["neurons", "1"],
        &["neuron", "1", "0"],
        &["params", "1"],
        &["subnet", "0"],
    ];
    let ask = |at: &str, question: &[&str]| {
        let arguments = [&["inspect", "run", "--at", at, "--json"], question].concat();
        json_lines(folder.path(), &arguments)
    };
    let asked: Vec<Vec<Value>> = ["+0", "+57", "+100"]
        .iter()
        .flat_map(|at| questions.iter().map(|question| ask(at, question)))
        .collect();
    std::fs::remove_dir_all(folder.path().join("run/cache")).expect("there is a cache");
    let again: Vec<Vec<Value>> = ["+0", "+57", "+100"]
        .iter()
        .flat_map(|at| questions.iter().map(|question| ask(at, question)))
        .collect();
    assert_eq!(again, asked);
    let network = &ask("+100", &["network"])[0];
    assert_eq!(number(network, "block"), number(&ran, "block"));
    assert_eq!(number(network, "extrinsics"), number(&ran, "extrinsics"));
    let (early, late) = (&ask("+0", &["subnet", "1"])[0], &ask("+100", &["subnet", "1"])[0]);
    assert!(number(late, "tao_reserve_rao") > number(early, "tao_reserve_rao"));
    let subnet_keys = [
        "netuid",
        "name",
        "symbol",
        "owner",
        "tempo",
        "tao_reserve_rao",
        "alpha_in_rao",
        "alpha_out_rao",
        "price",
        "moving_price",
        "tao_flow_rao",
        "ema_tao_flow",
        "emission_share",
        "tao_in_emission_rao",
        "alpha_out_emission_rao",
        "burn_rao",
        "neurons",
        "validators",
        "registered_at",
        "immune",
        "first_emission_block",
    ];
    for key in subnet_keys {
        assert!(late.get(key).is_some(), "{key} in {late}");
    }
    let neuron_keys = [
        "uid",
        "hotkey",
        "coldkey",
        "active",
        "validator_permit",
        "stake_rao",
        "consensus",
        "incentive",
        "dividends",
        "validator_trust",
        "emission_rao",
        "last_update",
        "block_at_registration",
    ];
    let neurons = ask("+100", &["neurons", "1"]);
    for key in neuron_keys {
        assert!(neurons.iter().all(|neuron| neuron.get(key).is_some()), "{key}");
    }
    let coldkey = text(&neurons[0], "coldkey").to_owned();
    let account = &ask("+100", &["account", &coldkey])[0];
    assert_eq!(text(account, "account"), coldkey);
}

#[test]
fn the_log_lists_events_and_filters_them() {
    let folder = folder();
    run(folder.path(), "60");
    let log = |arguments: &[&str]| {
        let arguments = [&["log", "run", "--json"], arguments].concat();
        json_lines(folder.path(), &arguments)
    };
    let all = log(&[]);
    let kinds: BTreeSet<&str> = all.iter().map(|line| text(line, "kind")).collect();
    for kind in ["block_opened", "emission_shared", "prices_averaged", "epoch_paid", "stake_added"]
    {
        assert!(kinds.contains(kind), "{kind} in {kinds:?}");
    }
    let opened = log(&["--kind", "block_opened", "--from", "+10", "--to", "+19"]);
    let heights: Vec<u64> = opened.iter().map(|line| number(line, "height")).collect();
    assert_eq!(heights.len(), 10);
    assert!(heights.windows(2).all(|pair| pair[1] == pair[0] + 1));
    let shares = log(&["--kind", "emission_shared", "--netuid", "2"]);
    assert!(!shares.is_empty() && shares.iter().all(|line| number(line, "netuid") == 2));
    let staked = log(&["--kind", "stake_added"]);
    let staker = text(&staked[0], "coldkey").to_owned();
    let his = log(&["--account", &staker]);
    assert!(!his.is_empty() && his.len() < all.len());
    let lines = say(folder.path(), &["log", "run", "--kind", "stake_added"]);
    assert_eq!(lines.stdout.lines().count(), staked.len());
    let wrong = say(folder.path(), &["log", "run", "--kind", "stake_aded"]);
    assert!(wrong.code == 2 && wrong.stderr.contains("did you mean \"stake_added\""), "{wrong:?}");
    let wrong = say(folder.path(), &["log", "run", "--from", "+9", "--to", "+8"]);
    assert!(wrong.code == 2 && wrong.stderr.contains("--from"), "{wrong:?}");
}

/// Parameters change in the block a timeline says, and what differs from the default is marked.
#[test]
fn parameters_are_told_with_what_a_timeline_made_of_them() {
    let folder = folder();
    let quickstart = std::fs::read_to_string(scenario("quickstart.toml")).expect("it ships");
    let timeline = [
        ("sudo_set_immunity_period", "netuid = 1\nvalue = 7"),
        ("sudo_set_subnet_limit", "value = 256"),
        ("sudo_trim_to_max_allowed_uids", "netuid = 1\nvalue = 200"),
    ];
    let entries = timeline
        .map(|(call, rest)| format!("\n[[timeline]]\nat = \"+5\"\ncall = \"{call}\"\n{rest}\n"));
    let path = folder.path().join("changing.toml");
    std::fs::write(&path, quickstart + &entries.concat()).expect("it can be written");
    json(folder.path(), &["run", "changing.toml", "--blocks", "8", "--out", "run", "--json"]);
    let ask = |at: &str, which: &str, parameter: &str| {
        let asked = ["inspect", "run", "--at", at, "--json", "params", which];
        let mut lines = json_lines(folder.path(), &asked).into_iter();
        lines.find(|line| line["parameter"] == parameter).expect("every parameter has a line")
    };
    let period = [ask("+4", "1", "immunity_period"), ask("+5", "1", "immunity_period")];
    assert_eq!([number(&period[0], "value"), number(&period[0], "default")], [5_000, 5_000]);
    assert_eq!([number(&period[1], "value"), number(&period[1], "default")], [7, 5_000]);
    assert_eq!([&period[0]["differs"], &period[1]["differs"]], [false, true]);
    assert_eq!(text(&period[1], "set_by"), "owner, root");
    assert_eq!(number(&ask("+5", "1", "max_allowed_uids"), "value"), 200);
    assert_eq!(number(&ask("+4", "--global", "subnet_limit"), "value"), 128);
    assert_eq!(number(&ask("+5", "--global", "subnet_limit"), "value"), 256);
    let told = say(folder.path(), &["inspect", "run", "params", "1"]).stdout;
    let marked = |name: &str| {
        let line = told.lines().find(|line| line.contains(&format!(" {name} ")));
        line.expect("every parameter has a line").trim_start().starts_with('*')
    };
    assert!(marked("immunity_period") && marked("max_allowed_uids"), "{told}");
    assert!(!marked("kappa") && !marked("rho"), "{told}");
    let told = say(folder.path(), &["inspect", "run", "params", "--global"]).stdout;
    assert!(told.contains("subnet_limit") && !told.contains("kappa"), "{told}");
    let wrong = say(folder.path(), &["inspect", "run", "params"]);
    assert_eq!(wrong.code, 2, "{wrong:?}");
    let wrong = say(folder.path(), &["inspect", "run", "params", "77"]);
    assert!(wrong.code == 1 && wrong.stderr.contains("there is no subnet 77"), "{wrong:?}");
}
