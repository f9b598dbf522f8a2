//! `btemu diff`: the same history, the same up to an end, and where two part.

use crate::program::{Said, folder, json, number, say, scenario, text};
use serde_json::Value;
use std::path::Path;

const BLOCKS: &str = "40";

fn run(folder: &Path, scenario: &str, out: &str, arguments: &[&str]) -> Value {
    let all = ["run", scenario, "--processes", "0", "--out", out, "--json"];
    json(folder, &[&all, arguments].concat())
}

/// The scenario with a timeline entry.
fn changed(folder: &Path, name: &str, entry: &str) {
    let quickstart = std::fs::read_to_string(scenario("quickstart.toml")).expect("it ships");
    let text = format!("{quickstart}\n[[timeline]]\n{entry}\n");
    std::fs::write(folder.join(name), text).expect("it can be written");
}

/// Two runs that differ: exit code 1, one object.
fn differing(folder: &Path, arguments: &[&str]) -> Value {
    let said = say(folder, &[&["diff", "--json"], arguments].concat());
    assert_eq!((said.code, said.stderr.as_str()), (1, ""), "{said:?}");
    serde_json::from_str(&said.stdout).expect("one object")
}

fn human(folder: &Path, a: &str, b: &str) -> Said {
    say(folder, &["diff", a, b])
}

#[test]
fn two_runs_of_one_seed_are_identical_and_a_shorter_one_is_told() {
    let folder = folder();
    let quickstart = scenario("quickstart.toml");
    let ran = run(folder.path(), &quickstart, "a", &["--blocks", BLOCKS]);
    let arguments = ["run", &quickstart, "--blocks", BLOCKS, "--out", "b", "--processes", "1"];
    json(folder.path(), &[&arguments[..], &["--json"]].concat());
    let said = human(folder.path(), "a", "b");
    let expected = format!("identical: {BLOCKS} blocks, tip hash {}\n", text(&ran, "tip_hash"));
    assert_eq!((said.code, said.stdout, said.stderr), (0, expected, String::new()));
    let same = json(folder.path(), &["diff", "a", "b", "--json"]);
    assert_eq!((text(&same, "verdict"), &same["first_block"]), ("identical", &Value::Null));

    run(folder.path(), &quickstart, "short", &["--blocks", "15"]);
    let report = differing(folder.path(), &["short", "a"]);
    assert_eq!((text(&report, "verdict"), number(&report, "common_block")), ("prefix", 15));
    let said = human(folder.path(), "a", "short");
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.stdout.contains("identical up to block 15 (+15), where B ends; A goes on"));

    let said = human(folder.path(), "a", "a");
    assert!(said.code == 2 && said.stderr.contains("the same run folder"), "{said:?}");
}

#[test]
fn a_timeline_entry_parts_two_runs_at_its_block_in_its_field() {
    let folder = folder();
    let quickstart = scenario("quickstart.toml");
    run(folder.path(), &quickstart, "a", &["--blocks", BLOCKS]);
    let entry = "at = \"+21\"\ncall = \"sudo_set_immunity_period\"\nnetuid = 2\nvalue = 7";
    changed(folder.path(), "changed.toml", entry);
    run(folder.path(), "changed.toml", "b", &["--blocks", BLOCKS]);
    let report = differing(folder.path(), &["a", "b"]);
    assert_eq!(text(&report, "verdict"), "different");
    assert_eq!((number(&report, "first_block"), number(&report, "state_block")), (21, 21));
    assert_eq!(report["parts"], serde_json::json!(["calls", "events", "state"]));
    assert_eq!(text(&report["plan"]["shown"][0], "what"), "timeline");
    let expected = serde_json::json!({
        "count": 1,
        "shown": [{"subnet": 2, "what": "parameter", "field": "immunity_period", "a": 5000, "b": 7}],
    });
    assert_eq!(report["state"], expected);
    assert_eq!(text(&report["call"]["b"], "call"), "sudo_set_immunity_period");
    let points = report["course"]["subnets"][0]["points"].as_array().expect("a list");
    let blocks: Vec<u64> = points.iter().map(|point| number(point, "block")).collect();
    assert_eq!((blocks.len(), blocks.first(), blocks.last()), (13, Some(&21), Some(&40)));
    let roles: Vec<&str> = report["course"]["wealth"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|role| text(role, "role"))
        .collect();
    assert_eq!(roles, ["owner", "validator", "miner", "staker", "customer", "others"]);
    let said = human(folder.path(), "a", "b");
    for words in [
        "first difference at block 21 (+21, +00:04:12): calls, events, state",
        "state after block 21: 1 difference\n",
        "subnet 2 parameter immunity_period",
        "timeline block 21 sudo_set_immunity_period",
        "no price, emission share, reserve or wealth differs",
    ] {
        assert!(said.stdout.contains(words), "{words} in {}", said.stdout);
    }

    let entry = "at = \"+300\"\ncall = \"sudo_set_immunity_period\"\nnetuid = 2\nvalue = 7";
    changed(folder.path(), "later.toml", entry);
    run(folder.path(), "later.toml", "later", &["--blocks", BLOCKS]);
    let report = differing(folder.path(), &["a", "later"]);
    assert_eq!((text(&report, "verdict"), &report["first_block"]), ("plan_only", &Value::Null));
}

#[test]
fn stake_that_moves_prices_is_told_over_time() {
    let folder = folder();
    let quickstart = scenario("quickstart.toml");
    run(folder.path(), &quickstart, "a", &["--blocks", BLOCKS]);
    let more = ["--blocks", BLOCKS, "--set", "players.movers.settings.interval_blocks=5"];
    run(folder.path(), &quickstart, "b", &more);
    let report = differing(folder.path(), &["a", "b"]);
    let last = |side: &str| {
        let points = report["course"]["subnets"][0]["points"].as_array().expect("a list");
        points.last().expect("one")[side].clone()
    };
    let (a, b) = (last("a"), last("b"));
    assert_ne!(a["price"], b["price"]);
    assert_ne!(number(&a, "tao_reserve_rao"), number(&b, "tao_reserve_rao"));
    let netuid = number(&report["course"]["subnets"][0], "netuid").to_string();
    let inspected = json(folder.path(), &["inspect", "b", "subnet", &netuid, "--json"]);
    assert_eq!(inspected["price"], b["price"]);
    assert_eq!(inspected["tao_reserve_rao"], b["tao_reserve_rao"]);
    let said = human(folder.path(), "a", "b").stdout;
    for words in ["over time, wealth by role", "wealth by role at the last block", "over time, SN"]
    {
        assert!(said.contains(words), "{words} in {said}");
    }
    let differences = report["state"]["shown"].as_array().expect("a list");
    assert!(!differences.is_empty());
    assert!(number(&report["state"], "count") >= differences.len() as u64);
}

#[test]
fn another_seed_differs_from_genesis_on_and_other_heights_cannot_be_compared() {
    let folder = folder();
    let quickstart = scenario("quickstart.toml");
    run(folder.path(), &quickstart, "a", &["--blocks", "12"]);
    run(folder.path(), &quickstart, "b", &["--blocks", "12", "--seed", "8"]);
    let report = differing(folder.path(), &["a", "b"]);
    assert_eq!(number(&report, "first_block"), 0);
    assert_eq!(text(&report["plan"]["shown"][0], "what"), "seed");
    let said = human(folder.path(), "a", "b");
    assert!(said.stdout.contains("first difference at block 0 (genesis)"), "{}", said.stdout);

    let set = ["--blocks", "3", "--set", "genesis.height=100"];
    run(folder.path(), &quickstart, "high", &set);
    let said = human(folder.path(), "a", "high");
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.stderr.contains("cannot be compared block by block"), "{said:?}");
}
