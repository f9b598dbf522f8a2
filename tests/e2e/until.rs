//! How far a run goes, and with which seeds: `run.until`, `--seeds`.

use crate::program::{folder, json, json_lines, number, say, scenario, text};
use serde_json::Value;
use std::path::Path;

const UNTIL: &str = r#"run.until=["subnets == 9", "subnet.1.price > 0.101"]"#;

fn run(folder: &Path, out: &str, more: &[&str]) -> Value {
    let quickstart = scenario("quickstart.toml");
    json(folder, &[&["run", &quickstart, "--out", out, "--json"], more].concat())
}

#[test]
fn a_condition_ends_a_run_at_the_same_block_however_it_is_made() {
    let folder = folder();
    let inside = run(folder.path(), "inside", &["--processes", "0", "--set", UNTIL]);
    let (ended, blocks) = (text(&inside, "ended"), number(&inside, "blocks"));
    assert_eq!((ended, text(&inside, "condition")), ("condition", "subnet.1.price > 0.101"));
    assert!((1..360).contains(&blocks), "{blocks}");
    let apart = run(folder.path(), "apart", &["--processes", "2", "--set", UNTIL]);
    assert_eq!(text(&apart, "tip_hash"), text(&inside, "tip_hash"));
    let price = |at: u64| {
        let at = format!("+{at}");
        let rows =
            json_lines(folder.path(), &["inspect", "inside", "--at", &at, "subnets", "--json"]);
        let one = rows.iter().find(|row| number(row, "netuid") == 1).expect("it is there");
        one["price"].as_f64().expect("a number")
    };
    assert!(
        price(blocks) > 0.101 && price(blocks - 1) <= 0.101,
        "the first such block is the last"
    );
    let again = json(folder.path(), &["run", "--resume", "inside", "--json"]);
    assert_eq!(text(&again, "tip_hash"), text(&inside, "tip_hash"), "it holds still");
    assert_eq!(text(&again, "ended"), "condition");
    let whole = run(folder.path(), "whole", &["--processes", "0"]);
    assert_eq!((text(&whole, "ended"), number(&whole, "blocks")), ("complete", 360));
    assert_eq!(text(&whole, "scenario_hash"), text(&inside, "scenario_hash"), "it is in no hash");
}

#[test]
fn a_strange_condition_is_refused_with_its_place() {
    let folder = folder();
    let quickstart = scenario("quickstart.toml");
    let set = "run.until=\"subnet.1.prise < 1\"";
    let said = say(folder.path(), &["run", &quickstart, "--set", set]);
    assert_eq!(said.code, 2, "{said:?}");
    for words in ["run.until: there is no figure \"subnet.1.prise\"", "did you mean \"price\"?"] {
        assert!(said.stderr.contains(words), "{words} in {}", said.stderr);
    }
}

#[test]
fn several_seeds_are_run_one_after_the_other() {
    let folder = folder();
    let quickstart = scenario("quickstart.toml");
    let several = ["--seeds", "3..4", "--blocks", "40", "--processes", "0", "--out", "all"];
    let arguments = [&["run", &quickstart, "--json"], &several[..]].concat();
    let rows = json_lines(folder.path(), &arguments);
    let seeds: Vec<u64> = rows.iter().map(|row| number(row, "seed")).collect();
    assert_eq!(seeds, [3, 4]);
    let alone = ["--seed", "4", "--blocks", "40", "--processes", "0"];
    assert_eq!(text(&rows[1], "tip_hash"), text(&run(folder.path(), "four", &alone), "tip_hash"));
    assert_ne!(text(&rows[0], "tip_hash"), text(&rows[1], "tip_hash"));
    assert_eq!(json(folder.path(), &["replay", "all/seed-3", "--json"])["seed"], 3);
    for (seeds, words) in
        [("4..3", "ends before it begins"), ("4", "as in 1..8"), ("0..5000", "more than")]
    {
        let said = say(folder.path(), &["run", &quickstart, "--seeds", seeds]);
        assert!(said.code == 2 && said.stderr.contains(words), "{seeds}: {said:?}");
    }
}
