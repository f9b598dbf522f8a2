//! Wrong input: one clear sentence that names the place, exit code 1 or 2, nothing half-written left behind.

use crate::program::{Said, command, folder, json, say, scenario};
use std::net::TcpListener;
use std::path::Path;

/// The quickstart scenario with one text replaced.
fn changed(folder: &Path, from: &str, to: &str) -> String {
    let text = std::fs::read_to_string(scenario("quickstart.toml")).expect("it ships");
    assert!(text.contains(from), "the quickstart scenario has no {from:?}");
    std::fs::write(folder.join("changed.toml"), text.replacen(from, to, 1)).expect("writable");
    "changed.toml".to_owned()
}

/// One error sentence with the given words and exit code, and no trace of a panic.
pub fn check(said: &Said, code: i32, words: &[&str]) {
    assert_eq!(said.code, code, "{said:?}");
    let errors = said.stderr.lines().filter(|line| line.starts_with("error:")).count();
    assert_eq!(errors, 1, "{said:?}");
    assert!(!said.stderr.contains("panicked"), "{said:?}");
    for word in words {
        assert!(said.stderr.contains(word), "no {word:?} in {said:?}");
    }
}

fn is_empty(folder: &Path) -> bool {
    !folder.join("runs").read_dir().is_ok_and(|mut entries| entries.next().is_some())
}

#[test]
fn a_wrong_scenario_is_refused_before_anything_is_written() {
    let rows: &[(&str, &str, &[&str])] = &[
        ("[run]", "[run]\nsead = 1", &["changed.toml", "sead", "seed"]),
        ("[run]", "[runn]", &["changed.toml", "runn"]),
        ("\nblocks = ", "\nblocks = -", &["changed.toml", "blocks"]),
        ("\nblocks = ", "\nblocks = 0.5 # ", &["changed.toml", "blocks"]),
        ("\nblocks = ", "\nblocks = \"many\" # ", &["changed.toml", "blocks"]),
        ("[run]", "[run", &["changed.toml"]),
    ];
    for (from, to, words) in rows {
        let folder = folder();
        let file = changed(folder.path(), from, to);
        check(&say(folder.path(), &["run", &file]), 2, words);
        check(&say(folder.path(), &["scenario", "check", &file]), 2, words);
        assert!(is_empty(folder.path()), "{to}");
    }
}

#[test]
fn a_wrong_override_is_refused_like_a_wrong_file() {
    let quickstart = scenario("quickstart.toml");
    let rows: &[(&[&str], &[&str])] = &[
        (&["--set", "run.blocks=1.7"], &["run.blocks"]),
        (&["--set", "run.blocks=\"7\""], &["run.blocks"]),
        (&["--set", "run.blocks=-7"], &["run.blocks"]),
        (&["--set", "run.blokcs=7"], &["blokcs", "blocks"]),
        (&["--set", "players.nobody.count=7"], &["nobody"]),
        (&["--set", "run.blocks"], &["--set run.blocks"]),
        (&["--set", "network.latency_ms_min=9000000"], &["latency_ms_m"]),
        (&["--pace", "fast"], &["fast"]),
    ];
    for (arguments, words) in rows {
        let folder = folder();
        let all = [&["run", quickstart.as_str()], *arguments].concat();
        check(&say(folder.path(), &all), 2, words);
        assert!(is_empty(folder.path()), "{arguments:?}");
    }
}

#[test]
fn the_environment_is_as_strict_as_the_file() {
    let quickstart = scenario("quickstart.toml");
    for (name, value, word) in [
        ("BTEMU__RUN__BLOCKS", "1.7", "run.blocks"),
        ("BTEMU__RUN__BLOCKS", "lots", "run.blocks"),
        ("BTEMU__RUN__BLOKCS", "7", "blokcs"),
    ] {
        let folder = folder();
        let output = command(folder.path(), &["run", &quickstart]).env(name, value).output();
        let output = output.expect("the program starts");
        let stderr = String::from_utf8(output.stderr).expect("text");
        let said = Said {
            code: output.status.code().unwrap_or(-1),
            stdout: String::new(),
            stderr: stderr.to_lowercase(),
        };
        check(&said, 2, &[word]);
        assert!(is_empty(folder.path()), "{name}={value}");
    }
    let folder = folder();
    let arguments = ["run", &quickstart, "--json", "--processes", "0"];
    let output = command(folder.path(), &arguments).env("BTEMU__RUN__BLOCKS", "3").output();
    let output = output.expect("the program starts");
    let summary: serde_json::Value = serde_json::from_slice(&output.stdout).expect("a summary");
    assert_eq!(summary["blocks"], 3);
}

#[test]
fn a_missing_scenario_is_named() {
    let folder = folder();
    for arguments in [
        ["run", "nowhere.toml"].as_slice(),
        &["scenario", "check", "nowhere.toml"],
        &["scenario", "show", "nowhere.toml"],
    ] {
        check(&say(folder.path(), arguments), 2, &["nowhere.toml"]);
    }
    assert!(is_empty(folder.path()));
}

#[test]
fn a_folder_in_use_is_not_touched() {
    let folder = folder();
    let quickstart = scenario("quickstart.toml");
    std::fs::create_dir(folder.path().join("out")).expect("writable");
    std::fs::write(folder.path().join("out/mine.txt"), "precious").expect("writable");
    check(&say(folder.path(), &["run", &quickstart, "--out", "out"]), 1, &["out"]);
    let kept = std::fs::read_to_string(folder.path().join("out/mine.txt"));
    assert_eq!(kept.ok().as_deref(), Some("precious"));
    let entries = folder.path().join("out").read_dir().expect("there").count();
    assert_eq!(entries, 1, "nothing was added");
}

#[test]
fn a_taken_port_is_named_and_nothing_is_left() {
    let folder = folder();
    let quickstart = scenario("quickstart.toml");
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = taken.local_addr().expect("bound").to_string();
    for processes in ["0", "2"] {
        let arguments = ["run", &quickstart, "--metrics", &address, "--processes", processes];
        check(&say(folder.path(), &arguments), 1, &[&address]);
        assert!(is_empty(folder.path()), "a run folder was left with {processes} hosts");
    }
    for nowhere in ["somewhere", "127.0.0.1", "127.0.0.1:99999", ":9464"] {
        let arguments = ["run", &quickstart, "--metrics", nowhere];
        check(&say(folder.path(), &arguments), 2, &[nowhere]);
    }
}

#[test]
fn what_is_no_run_is_named() {
    let folder = folder();
    std::fs::create_dir(folder.path().join("empty")).expect("writable");
    for command in ["replay", "verify", "log"] {
        check(&say(folder.path(), &[command, "nowhere"]), 1, &["nowhere"]);
        check(&say(folder.path(), &[command, "empty"]), 1, &["empty"]);
    }
    check(&say(folder.path(), &["run", "--resume", "nowhere"]), 1, &["nowhere"]);
}

#[test]
fn a_block_a_subnet_or_a_neuron_that_is_not_there_is_named() {
    let folder = folder();
    let quickstart = scenario("quickstart.toml");
    let arguments = ["run", &quickstart, "--blocks", "5", "--out", "run", "--json"];
    json(folder.path(), &arguments);
    let rows: &[(&[&str], i32, &[&str])] = &[
        (&["inspect", "run", "--at", "+6", "network"], 1, &["6", "+N"]),
        (&["inspect", "run", "--at", "six", "network"], 2, &["--at"]),
        (&["inspect", "run", "subnet", "999"], 1, &["999"]),
        (&["inspect", "run", "neuron", "1", "999"], 1, &["999"]),
        (&["inspect", "run", "account", "5Grw"], 2, &["5Grw"]),
        (&["replay", "run", "--to", "+77"], 1, &["77"]),
        (&["log", "run", "--from", "+77"], 1, &["77"]),
        (&["run", "--resume", "run", "--blocks", "2"], 1, &["5", "2"]),
    ];
    for (arguments, code, words) in rows {
        check(&say(folder.path(), arguments), *code, words);
    }
}

#[test]
fn a_truncated_or_foreign_log_is_refused_without_a_panic() {
    let folder = folder();
    let quickstart = scenario("quickstart.toml");
    let arguments = ["run", &quickstart, "--blocks", "30", "--out", "run", "--json"];
    json(folder.path(), &arguments);
    let log = folder.path().join("run/log");
    let largest = |folder: &Path| {
        let entries =
            folder.read_dir().expect("there").map(|entry| entry.expect("readable").path());
        let files = entries.filter(|path| path.is_file());
        files.max_by_key(|path| path.metadata().map_or(0, |meta| meta.len())).expect("a file")
    };
    let file = largest(&log);
    let whole = std::fs::read(&file).expect("readable");
    // sled makes its file longer than what it holds.
    let used = whole.iter().rposition(|byte| *byte != 0).expect("it holds something");
    for keep in [0, 1, 100, used / 3, used / 2, used - 100] {
        std::fs::remove_dir_all(folder.path().join("run/cache")).ok();
        std::fs::write(&file, &whole[..keep]).expect("writable");
        let said = say(folder.path(), &["verify", "run"]);
        check(&said, 1, &["run"]);
    }
    let noise: Vec<u8> = (0..whole.len()).map(|at| (at * 7 + at / 256) as u8).collect();
    std::fs::write(&file, noise).expect("writable");
    check(&say(folder.path(), &["replay", "run"]), 1, &["run"]);
}

#[test]
fn golden_cases_that_are_none_are_named() {
    let folder = folder();
    std::fs::write(folder.path().join("torn.json"), "{\"kind\": ").expect("writable");
    std::fs::write(folder.path().join("notes.txt"), "hello").expect("writable");
    std::fs::create_dir(folder.path().join("empty")).expect("writable");
    check(&say(folder.path(), &["conform", "nowhere"]), 1, &["nowhere"]);
    check(&say(folder.path(), &["conform", "notes.txt"]), 1, &["notes.txt"]);
    check(&say(folder.path(), &["conform", "empty"]), 1, &["empty"]);
    check(&say(folder.path(), &["conform", "torn.json"]), 1, &["1 golden case"]);
    check(&say(folder.path(), &["epoch", "torn.json"]), 1, &["torn.json"]);
    check(&say(folder.path(), &["epoch", "nowhere.json"]), 1, &["nowhere.json"]);
}
