//! `btemu reproduce`: what it prints makes the same run again, from wherever the run comes.

use crate::bad_input::check;
use crate::program::{binary, command, folder, json, number, root, said, say, scenario, text};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::Command;

const USUAL: [&str; 3] = ["--processes", "0", "--json"];

/// A run under a variable of the environment.
fn run_under(folder: &Path, variable: (&str, &str), arguments: &[&str]) -> Value {
    let mut command = command(folder, &[&["run"], arguments, &USUAL].concat());
    let said = said(command.env(variable.0, variable.1).output().expect("the program starts"));
    assert_eq!(said.code, 0, "{said:?}");
    serde_json::from_str(&said.stdout).expect("it prints an object")
}

fn run(folder: &Path, arguments: &[&str]) -> Value {
    json(folder, &[&["run"], arguments, &USUAL].concat())
}

/// Does what is printed, in one shell with a variable in its environment, and gives the tip hash of what comes of it.
fn made_again(folder: &Path, told: &Value, variable: (&str, &str)) -> String {
    let commands = told["commands"].as_array().expect("a list");
    let script: Vec<String> = commands
        .iter()
        .map(|command| {
            let command = command.as_str().expect("a text");
            match command.strip_prefix("btemu ") {
                Some(rest) => format!("{} {rest}", binary().display()),
                None => command.to_owned(),
            }
        })
        .collect();
    let mut shell = Command::new("sh");
    shell.args(["-ec", &script.join("\n")]).current_dir(folder).env(variable.0, variable.1);
    let output = shell.output().expect("there is a shell");
    assert!(output.status.success(), "{script:#?}: {output:?}");
    let replayed = json(folder, &["replay", "again", "--json"]);
    fs::remove_dir_all(folder.join("again")).expect("it is finished");
    text(&replayed, "tip_hash").to_owned()
}

/// Nothing that a scenario reads.
const NOTHING: (&str, &str) = ("BTEMU_NOTHING", "1");

fn told(folder: &Path, run: &str, more: &[&str]) -> Value {
    json(folder, &[&["reproduce", run, "--json"], more].concat())
}

#[test]
fn a_run_is_made_again_wherever_its_values_came_from() {
    let folder = folder();
    let folder = folder.path();
    let quickstart = scenario("quickstart.toml");
    let arguments = [
        &quickstart,
        "--blocks",
        "40",
        "--seed",
        "9",
        "--set",
        "players.movers.count=7",
        "--out",
        "run",
    ];
    let ran = run_under(folder, ("BTEMU__NETWORK__LOSS_PPM", "250000"), &arguments);
    let plain = run(folder, &[&arguments[..8], &["plain"]].concat());
    assert_ne!(text(&plain, "tip_hash"), text(&ran, "tip_hash"), "the environment decides");
    let told = told(folder, "run", &[]);
    for key in ["tip_hash", "state_root", "scenario_hash", "scenario"] {
        assert_eq!(text(&told, key), text(&ran, key), "{key}");
    }
    for key in ["seed", "block", "blocks", "genesis_block"] {
        assert_eq!(number(&told, key), number(&ran, key), "{key}");
    }
    let version = say(folder, &["--version"]).stdout.trim().to_owned();
    assert_eq!(text(&told, "this_build"), version);
    assert_eq!(told["builds"], Value::from(vec![version.clone()]));
    assert_eq!((&told["same_build"], &told["same_genesis"]), (&true.into(), &true.into()));
    assert!(text(&told, "started_with").starts_with("btemu run /"), "{told}");
    assert_eq!(made_again(folder, &told, NOTHING), text(&ran, "tip_hash"));
    // People read the same.
    let said = say(folder, &["reproduce", "run"]);
    assert_eq!(said.code, 0, "{said:?}");
    let build = format!("{version}, the same");
    for part in [text(&ran, "tip_hash"), &build, "(seed 9)", "+40"] {
        assert!(said.stdout.contains(part), "{part}: {said:?}");
    }
    for command in told["commands"].as_array().expect("a list") {
        let command = command.as_str().expect("a text");
        assert!(said.stdout.lines().any(|line| line == command), "{command}: {said:?}");
    }
}

#[test]
fn the_environment_of_whoever_makes_a_run_again_changes_nothing() {
    let folder = folder();
    let folder = folder.path();
    let ran = run(folder, &[&scenario("quickstart.toml"), "--blocks", "12", "--out", "run"]);
    let variable = ("BTEMU__RUN__SEED", "99");
    let mut asked = command(folder, &["reproduce", "run", "--json"]);
    let said = said(asked.env(variable.0, variable.1).output().expect("the program starts"));
    let told: Value = serde_json::from_str(&said.stdout).expect("it prints an object");
    assert_eq!(told["commands"][0], "unset BTEMU__RUN__SEED");
    assert_eq!(made_again(folder, &told, variable), text(&ran, "tip_hash"));
}

#[test]
fn a_fork_of_a_fork_is_made_again_from_its_scenario_alone() {
    let folder = folder();
    let folder = folder.path();
    run(folder, &[&scenario("quickstart.toml"), "--blocks", "30", "--out", "first"]);
    let second = ["fork", "first", "--at", "+20", "--set", "rules.version=price", "--blocks", "40"];
    json(folder, &[&second[..], &["--out", "second"], &USUAL].concat());
    let third = [
        "fork",
        "second",
        "--at",
        "+33",
        "--set",
        "players.movers.settings={ interval_blocks = 5 }",
        "--set",
        "run.until=\"subnets > 900\"",
    ];
    let forked = json(folder, &[&third[..], &["--out", "third"], &USUAL].concat());
    let told = told(folder, "third", &[]);
    assert_eq!(text(&told, "tip_hash"), text(&forked, "tip_hash"));
    for run in ["first", "second"] {
        fs::remove_dir_all(folder.join(run)).expect("it is finished");
    }
    assert_eq!(made_again(folder, &told, NOTHING), text(&forked, "tip_hash"));
}

/// The commands count blocks: a condition has nothing left to say, and a pace would only take time.
#[test]
fn a_run_that_ended_by_a_condition_at_a_pace_is_made_again() {
    let folder = folder();
    let folder = folder.path();
    let quickstart = scenario("quickstart.toml");
    let until = ["--set", "run.until=\"subnets > 0\"", "--pace", "2400x", "--out", "run"];
    let ended = run(folder, &[&[quickstart.as_str()], &until[..]].concat());
    assert_eq!((text(&ended, "ended"), number(&ended, "blocks")), ("condition", 1));
    let told = told(folder, "run", &[]);
    let last = told["commands"][1].as_str().expect("a text");
    assert_eq!(
        last,
        "btemu run again.toml --set 'run.until=[]' --set run.pace=max --blocks 1 --out again"
    );
    assert_eq!(made_again(folder, &told, NOTHING), text(&ended, "tip_hash"));
}

/// A file of one's own is not in the log, but what came of it at genesis is.
#[test]
fn a_run_whose_files_are_gone_is_made_again_from_its_block_0() {
    let folder = folder();
    let folder = folder.path();
    let shipped = "data/sn15_block4769998.json";
    let own = fs::read_to_string(scenario("sn15-weights.toml")).expect("it ships");
    assert!(own.contains(shipped), "it names its file");
    fs::create_dir(folder.join("elsewhere")).expect("writable");
    let away = |name: &str| folder.join("elsewhere").join(name);
    fs::write(away("own.toml"), own.replace(shipped, "own.json")).expect("writable");
    fs::copy(root().join("configs").join(shipped), away("own.json")).expect("it ships");
    let ran = run(folder, &["elsewhere/own.toml", "--blocks", "5", "--out", "run"]);
    let there = told(folder, "run", &["--scenario", "elsewhere/full.toml"]);
    assert_eq!(there["files"], Value::from(vec!["own.json"]));
    assert_eq!(made_again(folder, &there, NOTHING), text(&ran, "tip_hash"));
    fs::remove_dir_all(folder.join("elsewhere")).expect("writable");
    let gone = told(folder, "run", &[]);
    assert_eq!(
        gone["commands"],
        Value::from(vec!["btemu fork run --at +0 --blocks 5 --out again"])
    );
    assert_eq!(made_again(folder, &gone, NOTHING), text(&ran, "tip_hash"));
    let said = say(folder, &["reproduce", "run"]);
    assert!(said.stdout.contains("own.json"), "it says why: {said:?}");
}

#[test]
fn a_scenario_is_written_where_nothing_else_is_lost() {
    let folder = folder();
    let folder = folder.path();
    run(folder, &[&scenario("quickstart.toml"), "--blocks", "3", "--out", "run"]);
    let write = ["reproduce", "run", "--scenario", "mine.toml"];
    for _ in 0..2 {
        let said = say(folder, &write);
        assert!(said.code == 0 && said.stdout.contains("btemu run mine.toml"), "{said:?}");
    }
    let checked = json(folder, &["scenario", "check", "mine.toml", "--json"]);
    let told = told(folder, "run", &[]);
    assert_eq!(text(&checked, "scenario_hash"), text(&told, "scenario_hash"));
    assert!(!folder.join("again.toml").exists(), "only the commands write it");
    fs::write(folder.join("mine.toml"), "[run]\n").expect("writable");
    check(&say(folder, &write), 1, &["mine.toml is there already", "hint: name a file"]);
    assert_eq!(fs::read_to_string(folder.join("mine.toml")).expect("it is there"), "[run]\n");
    check(&say(folder, &["reproduce", "nowhere"]), 1, &["there is no run folder nowhere"]);
}
