//! Scenarios as TOML, YAML and JSON: the same run from each, wherever a scenario is taken.

use crate::bad_input::check;
use crate::program::{folder, json, number, root, say, scenario, text};
use serde_json::Value;
use std::fs;
use std::path::Path;

/// The quickstart in YAML, as docs/scenarios.md has it.
fn quickstart_yaml() -> String {
    let page = fs::read_to_string(root().join("docs/scenarios.md")).expect("it is there");
    let (_, block) = page.split_once("```yaml\n").expect("the page has a scenario in YAML");
    block.split_once("```").expect("the block ends").0.to_owned()
}

/// The quickstart in each language, in a folder.
fn write_all(folder: &Path) -> [&'static str; 3] {
    let toml = scenario("quickstart.toml");
    fs::copy(&toml, folder.join("a.toml")).expect("writable");
    fs::write(folder.join("a.yaml"), quickstart_yaml()).expect("writable");
    let shown = say(folder, &["scenario", "show", "a.yaml", "--format", "json"]);
    assert_eq!(shown.code, 0, "{shown:?}");
    fs::write(folder.join("a.json"), shown.stdout).expect("writable");
    ["a.toml", "a.yaml", "a.json"]
}

/// All that decides, and what came of it.
fn outcome(ran: &Value) -> [&str; 4] {
    ["scenario", "scenario_hash", "tip_hash", "state_root"].map(|key| text(ran, key))
}

#[test]
fn the_quickstart_is_the_same_run_in_every_language() {
    let folder = folder();
    let files = write_all(folder.path());
    let ran = files.map(|file| {
        let arguments =
            ["run", file, "--blocks", "60", "--set", "players.movers.count=5", "--json"];
        json(folder.path(), &arguments)
    });
    assert_eq!(number(&ran[0], "blocks"), 60);
    for other in &ran[1..] {
        assert_eq!(outcome(other), outcome(&ran[0]));
    }
    for file in files {
        let checked = json(folder.path(), &["scenario", "check", file, "--json"]);
        assert_eq!(checked["valid"], true, "{file}");
        for format in ["toml", "yaml", "json"] {
            let shown = say(folder.path(), &["scenario", "show", file, "--format", format]);
            assert_eq!(shown.code, 0, "{shown:?}");
            fs::write(folder.path().join(format!("shown.{format}")), shown.stdout)
                .expect("writable");
            let again = format!("shown.{format}");
            let again = json(folder.path(), &["scenario", "check", &again, "--json"]);
            assert_eq!(again["scenario_hash"], checked["scenario_hash"], "{file} as {format}");
        }
    }
    for file in ["again.yaml", "again.json"] {
        let run = text(&ran[0], "run");
        json(folder.path(), &["reproduce", run, "--scenario", file, "--json"]);
        let again = json(folder.path(), &["run", file, "--blocks", "60", "--json"]);
        assert_eq!(outcome(&again), outcome(&ran[0]), "{file}");
    }
}

#[test]
fn whoever_takes_a_scenario_takes_all_languages() {
    let folder = folder();
    write_all(folder.path());
    let write = |name: &str, text: String| {
        fs::write(folder.path().join(name), text).expect("writable");
    };
    // A sweep may be YAML too.
    write(
        "sweep.yaml",
        "sweep: { scenario: a.json, blocks: 5, seeds: 1..2 }\ngrid:\n  network.loss_ppm: [0, 5]\n"
            .into(),
    );
    let swept = json(folder.path(), &["sweep", "sweep.yaml", "--out", "swept", "--json"]);
    let rows = fs::read_to_string(folder.path().join("swept/sweep.csv")).expect("it was written");
    assert_eq!(rows.lines().count(), 5, "{swept}");
    let copier = scenario("attacks/weight-copier.toml");
    for (format, file) in [("yaml", "copier.yml"), ("json", "copier.json")] {
        let shown = say(folder.path(), &["scenario", "show", &copier, "--format", format]);
        write(file, shown.stdout);
    }
    let found = [copier.as_str(), "copier.yml", "copier.json"].map(|file| {
        let arguments = [
            "attack",
            "weight-copier",
            "--scenario",
            file,
            "--seeds",
            "1",
            "--blocks",
            "60",
            "--json",
        ];
        let mut found = json(folder.path(), &arguments);
        found["cells"][0].take()["profit"].take()
    });
    assert!(found[0].is_object() && found.iter().all(|one| *one == found[0]), "{found:?}");
    for file in ["a.yaml", "a.json"] {
        let tried = json(folder.path(), &["swarm", "--scenario", file, "--json"]);
        assert_eq!(number(&tried, "tried"), 1, "{tried}");
    }
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    let folder = folder();
    let write = |name: &str, text: &str| {
        fs::write(folder.path().join(name), text).expect("writable");
    };
    let rows: &[(&str, &str, &[&str])] = &[
        ("a.yaml", "run:\n  blokcs: 5\n", &["a.yaml:2:3: run.blokcs", "did you mean \"blocks\"?"]),
        ("a.yaml", "run:\n  blocks: 5\n\tseed: 1\n", &["a.yaml:2:11:", "found a tab"]),
        ("a.yaml", "run: {}\nrun: {}\n", &["a.yaml:2:1: run: the key is there twice"]),
        ("a.yml", "run:\n  blocks: many\n", &["a.yml:2:11: run.blocks", "\"many\""]),
        ("a.json", "{\"run\": {\n  \"blokcs\": 5}}", &["a.json:2:3: run.blokcs", "\"blocks\""]),
        ("a.json", "{\"run\": {\"blocks\": 5,}}", &["a.json:1:22:"]),
        ("a.json", "run:\n  blocks: 5\n", &["a.json:1:1:"]),
        ("a.toml", "run:\n  blocks: 5\n", &["a.toml:1:"]),
    ];
    for (file, text, words) in rows {
        write(file, text);
        for command in [&["run", file][..], &["scenario", "check", file]] {
            check(&say(folder.path(), command), 2, words);
        }
    }
    assert!(!folder.path().join("runs").exists());
}
