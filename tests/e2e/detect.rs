//! Detectors as users meet them: `btemu detect`, their metrics, and the alert rules that Prometheus reads.
//!
//! What belongs here: what the program says and what `promtool` says. What does not: what each detector sees
//! (`emulator/src/detect/tests.rs`).

use crate::export::{skip, tool};
use crate::program::{folder, json, root, say, scenario, text};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

/// A subnet whose only staker sells all it has at once.
const DUMP: &str = r#"
[scenario]
name = "dump"
description = "a whale leaves"
[run]
seed = 1
blocks = 60
[rules]
stake_threshold = 0
[hyperparameters]
tempo = 19
weights_set_rate_limit = 0
[[subnet]]
[[players]]
name = "owners"
role = "owner"
behaviour = "hold"
[[players]]
name = "validators"
role = "validator"
behaviour = "sampler"
stake_ppm = 300_000
[[players]]
name = "whales"
role = "staker"
behaviour = "dump-whale"
stake_ppm = 400_000
settings = { dump_after_blocks = 30 }
"#;

fn dump(folder: &Path) {
    fs::write(folder.join("dump.toml"), DUMP).expect("writable");
    let arguments = ["run", "dump.toml", "--out", "run", "--processes", "0", "--json"];
    json(folder, &arguments);
}

#[test]
fn a_run_tells_its_alarms_and_at_whom_they_point() {
    let folder = folder();
    dump(folder.path());
    let told = json(folder.path(), &["detect", "run", "--json"]);
    let alarms = told["alarms"].as_array().expect("a list");
    assert_eq!(alarms.len(), 1, "{told}");
    assert_eq!(alarms[0]["detector"], "dump-whale");
    assert_eq!(alarms[0]["subject"]["kind"], "coldkey");
    assert_eq!(alarms[0]["subject"]["group"], "whales");
    let block = alarms[0]["block"].as_u64().expect("a height");
    assert!((30..40).contains(&block), "{told}");
    let detectors = told["detectors"].as_array().expect("a list");
    assert!(detectors.len() >= 26, "{told}");

    let early = format!("+{}", block - 1);
    let before = json(folder.path(), &["detect", "run", "--at", &early, "--json"]);
    assert_eq!(before["alarms"], Value::Array(Vec::new()));
    let one = json(folder.path(), &["detect", "run", "--detector", "cabal", "--json"]);
    assert_eq!(
        (&one["alarms"], &one["detectors"][0]["name"]),
        (&Value::Array(vec![]), &"cabal".into())
    );

    let said = say(folder.path(), &["detect", "run"]);
    assert!(said.stdout.contains("dump-whale") && said.stdout.contains("whales-0"), "{said:?}");
    let said = say(folder.path(), &["detect", "run", "--detector", "kabal"]);
    assert_eq!(said.code, 2, "{said:?}");
    assert!(said.stderr.contains("\"kabal\"") && said.stderr.contains("\"cabal\""), "{said:?}");
}

#[test]
fn alarms_are_metrics_with_simulated_times() {
    let folder = folder();
    dump(folder.path());
    let arguments = ["export", "run", "--format", "openmetrics", "--out", "metrics.txt", "--json"];
    json(folder.path(), &arguments);
    let text = fs::read_to_string(folder.path().join("metrics.txt")).expect("it was written");
    let of = |family: &str| -> Vec<f64> {
        let lines = text
            .lines()
            .filter(|line| line.starts_with(family) && line.contains("detector=\"dump-whale\""));
        let values = lines.filter_map(|line| line.rsplit(' ').nth(1)?.parse().ok());
        values.collect()
    };
    let alarms = of("btemu_detector_alarms_total{");
    assert_eq!((alarms.first(), alarms.last()), (Some(&0.0), Some(&1.0)), "{alarms:?}");
    let signals = of("btemu_detector_signal_ratio{");
    assert!(signals.first() == Some(&0.0) && signals.last() > Some(&1.0), "{signals:?}");

    // What came before the first block that is exported is remembered all the same.
    let arguments =
        ["export", "run", "--format", "openmetrics", "--out", "late.txt", "--from", "50", "--json"];
    json(folder.path(), &arguments);
    let late = fs::read_to_string(folder.path().join("late.txt")).expect("it was written");
    for line in late.lines().filter(|line| line.starts_with("btemu_detector_")) {
        assert!(text.contains(line), "{line}");
    }
}

/// Prometheus reads the rules, and each does what its test says.
#[test]
fn every_detector_has_an_alert_rule_that_works() {
    let folder = folder();
    dump(folder.path());
    let rules = root().join("grafana/rules");
    let text = fs::read_to_string(rules.join("detectors.yml")).expect("it ships");
    let tests = fs::read_to_string(rules.join("detectors.test.yml")).expect("it ships");
    let told = json(folder.path(), &["detect", "run", "--json"]);
    for detector in told["detectors"].as_array().expect("a list") {
        let name = detector["name"].as_str().expect("a name");
        let series = format!("btemu_detector_signal_ratio{{detector=\"{name}\"}} >= 1");
        assert!(text.contains(&series), "{name} has no rule");
        assert!(tests.contains(&format!("  - name: {name}\n")), "{name} has no test of its rule");
    }
    let Some(promtool) = tool("tools/usr/bin/promtool", "promtool") else {
        return skip("alert rules: there is no promtool");
    };
    for arguments in [["check", "rules", "detectors.yml"], ["test", "rules", "detectors.test.yml"]]
    {
        let output = Command::new(&promtool).args(arguments).current_dir(&rules).output();
        let output = output.expect("it starts");
        let said = [&output.stdout[..], &output.stderr[..]].concat();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&said));
    }
}

/// Runs a scenario that ships and holds its alarms against what its groups are: every attacker is told by its own
/// detector, and honest ones are named by as many pairs of detector and subject as are listed, not by more.
fn check_labels(file: &str, unseen: &[&str], wrong_max: usize) {
    let folder = folder();
    let file = scenario(file);
    json(folder.path(), &["run", &file, "--out", "run", "--processes", "0", "--json"]);
    let told = json(folder.path(), &["detect", "run", "--json"]);
    let detectors = told["detectors"].as_array().expect("a list");
    let names: BTreeSet<&str> = detectors.iter().map(|row| text(row, "name")).collect();
    let scenario = fs::read_to_string(&file).expect("it ships");
    let scenario: toml::Table = toml::from_str(&scenario).expect("it is valid");
    let groups = scenario["players"].as_array().expect("a list");
    let word = |group: &toml::Value, key| group[key].as_str().expect("a word").to_owned();
    let attackers: Vec<(String, String, Vec<i64>)> = groups
        .iter()
        .map(|group| {
            let owns = word(group, "role") == "owner";
            let owned = group.get("subnets").and_then(toml::Value::as_array).filter(|_| owns);
            let owned = owned.into_iter().flatten().filter_map(toml::Value::as_integer);
            (word(group, "name"), word(group, "behaviour"), owned.collect())
        })
        .filter(|(_, behaviour, _)| names.contains(behaviour.as_str()))
        .collect();
    assert!(!attackers.is_empty(), "{file} has no attackers");
    let mut seen = BTreeSet::new();
    let mut wrong = BTreeSet::new();
    for alarm in told["alarms"].as_array().expect("a list") {
        let (detector, subject) = (text(alarm, "detector"), &alarm["subject"]);
        let is_it = |(name, _, owned): &&(String, String, Vec<i64>)| match text(subject, "kind") {
            "subnet" => subject["netuid"].as_i64().is_some_and(|netuid| owned.contains(&netuid)),
            _ => subject["group"].as_str() == Some(name),
        };
        match attackers.iter().find(is_it) {
            Some((name, behaviour, _)) if behaviour == detector => {
                seen.insert(name.as_str());
            }
            Some(_) => {}
            None => {
                wrong.insert(format!("{detector}: {subject}"));
            }
        }
    }
    let missed: Vec<&str> = attackers.iter().map(|(name, _, _)| name.as_str()).collect();
    let missed: Vec<&str> = missed.into_iter().filter(|name| !seen.contains(name)).collect();
    assert_eq!(missed, unseen, "{file}: attackers that nobody told");
    assert!(wrong.len() <= wrong_max, "{file}: honest, but named: {wrong:#?}");
}

/// For an hour its network copies two messages of five, which looks like a `staller` to whoever only counts answers.
#[test]
fn the_showcase_raises_the_alarms_that_its_labels_say() {
    check_labels("showcase.toml", &[], 0);
}

#[test]
fn the_kitchen_sink_names_whom_it_should() {
    check_labels("kitchen-sink.toml", &[], 0);
}
