//! What every board must have, what the files are made from, and what others' programs say to them: node with Grafana's
//! published types, and promtool. Where one is not there (`.ci/run` fetches them below the build folder), that is said.

use super::{Board, boards, list, word};
use crate::export::{skip, tool};
use crate::program::root;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

/// Units that boards use; another one is a slip of the pen or wants to be known here.
const UNITS: [&str; 12] = [
    "currency:τ",
    "currency:α",
    "percentunit",
    "short",
    "locale",
    "s",
    "dtdurations",
    "bytes",
    "suffix: /s",
    "suffix: ×",
    "suffix: blocks",
    "none",
];

const NAMES: [&str; 8] =
    ["chaos", "competition", "consensus", "emulator", "network", "pools", "stakers", "subnet"];

/// A program of this repository's grafana folder.
fn says(program: &Path, folder: &str, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new(program).args(arguments).current_dir(root().join(folder)).output();
    let output = output.map_err(|error| error.to_string())?;
    let said = String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into();
    if output.status.success() { Ok(said) } else { Err(said) }
}

#[test]
fn boards_are_what_their_tables_say() {
    let Some(python) = tool("python/bin/python", "python3") else {
        return skip("the generator of boards: there is no python3");
    };
    says(&python, ".", &["grafana/make.py", "--check"]).unwrap_or_else(|said| panic!("{said}"));
}

#[test]
fn every_board_has_what_a_reader_needs() {
    let boards = boards();
    let names: Vec<&str> = boards.iter().map(|board| board.name.as_str()).collect();
    assert_eq!(names, NAMES);
    for board in &boards {
        check_board(board);
        let mut ids = BTreeSet::new();
        for panel in list(&board.json["panels"]) {
            let id = panel["id"].as_u64().expect("a number");
            assert!(ids.insert(id), "{}: two panels have the number {id}", board.name);
        }
        check_places(board);
        for panel in board.panels() {
            check_panel(board, panel);
        }
        // What the board answers comes first, in numbers.
        let first = board.panels().into_iter().take(4);
        assert!(first.into_iter().all(|panel| panel["type"] == "stat"), "{}", board.name);
    }
    let titles: BTreeSet<&str> = boards.iter().map(|board| word(&board.json["title"])).collect();
    assert_eq!(titles.len(), boards.len());
}

fn check_board(board: &Board) {
    let (name, json) = (&board.name, &board.json);
    assert_eq!(word(&json["uid"]), format!("btemu-{name}"));
    assert!(json["id"].is_null(), "{name}");
    assert_eq!(json["schemaVersion"], 42, "{name}");
    assert!(word(&json["description"]).len() > 20, "{name}");
    let link = &json["links"][0];
    assert!(link["includeVars"] == true && link["keepTime"] == true, "{name}: {link}");
    let variables = board.variables();
    for needed in ["datasource", "run"] {
        assert!(variables.contains_key(needed), "{name} has no variable {needed}");
    }
    assert!(!list(&json["annotations"]["list"]).is_empty(), "{name} has no annotations");
    for (variable, value) in &variables {
        assert!(word(&value["description"]).len() > 10, "{name}: {variable}");
        let used = format!("${variable}");
        let asked = board.queries().iter().any(|asked| asked.expression.contains(&used));
        assert!(asked || *variable == "datasource", "{name}: nobody asks for {used}");
    }
}

/// No panel lies on another or leaves the board.
fn check_places(board: &Board) {
    let mut taken: BTreeMap<(u64, u64), &str> = BTreeMap::new();
    for panel in list(&board.json["panels"]) {
        let number = |key: &str| panel["gridPos"][key].as_u64().expect("a number");
        let (x, y, w, h) = (number("x"), number("y"), number("w"), number("h"));
        let title = word(&panel["title"]);
        assert!(x + w <= 24 && h > 0, "{}: {title}", board.name);
        for (column, line) in (x..x + w).flat_map(|x| (y..y + h).map(move |y| (x, y))) {
            let before = taken.insert((column, line), title);
            assert_eq!(before, None, "{}: {title} lies on it", board.name);
        }
    }
}

fn check_panel(board: &Board, panel: &Value) {
    let of = format!("{}: {}", board.name, word(&panel["title"]));
    assert!(word(&panel["description"]).len() > 5, "{of} says nothing");
    if panel["type"] == "text" {
        return;
    }
    let defaults = &panel["fieldConfig"]["defaults"];
    let mut units = vec![word(&defaults["unit"])];
    for one in list(&panel["fieldConfig"]["overrides"]) {
        let properties = list(&one["properties"]).iter();
        let unit = properties.filter(|property| property["id"] == "unit");
        units.extend(unit.map(|property| word(&property["value"])));
    }
    for unit in units {
        assert!(UNITS.contains(&unit), "{of}: {unit:?}");
    }
    let steps = list(&defaults["thresholds"]["steps"]);
    let values: Vec<Option<f64>> = steps.iter().map(|step| step["value"].as_f64()).collect();
    assert_eq!(values.first(), Some(&None), "{of}: the first threshold is for all below");
    assert!(values.windows(2).all(|pair| pair[0] < pair[1]), "{of}: {values:?}");
    assert_eq!(word(&panel["datasource"]["uid"]), "${datasource}", "{of}");
    for asked in board.queries_of(panel) {
        check_expression(&of, &asked.expression);
    }
}

/// Every selector names the run, and every time is one of Grafana's or the reader's.
fn check_expression(of: &str, expression: &str) {
    for (place, _) in expression.match_indices("btemu_") {
        let rest = &expression[place..];
        let name = rest.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
        let name = name.into_iter().next().unwrap_or_default();
        let selects = rest[name.len()..].starts_with("{run=~\"$run\"");
        assert!(selects, "{of}: {name} does not name the run");
    }
    for (place, _) in expression.match_indices('[') {
        let until = expression[place..].find(']').expect("it ends");
        let time = &expression[place + 1..place + until];
        let known = ["$window", "$__range", "$__rate_interval"];
        assert!(known.contains(&time), "{of}: [{time}]");
    }
    let opened = expression.matches('(').count();
    assert_eq!(opened, expression.matches(')').count(), "{of}: {expression}");
}

#[test]
fn boards_and_rules_use_metrics_that_are_documented() {
    let page = fs::read_to_string(root().join("docs/metrics.md")).expect("it ships");
    let rows = page.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| `")?.split('|');
        Some((cells.next()?.trim().trim_end_matches('`'), cells.next()?.trim()))
    });
    let mut known: BTreeSet<String> = BTreeSet::new();
    for (name, kind) in rows {
        known.insert(name.to_owned());
        if kind == "histogram" {
            known.extend(["_bucket", "_sum", "_count"].map(|part| format!("{name}{part}")));
        }
    }
    assert!(known.len() > 30, "the table was not found: {known:?}");
    let rules = |name: &str| {
        let path = root().join("grafana/rules").join(name);
        let text = fs::read_to_string(path).expect("rules ship");
        let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
        let asks = lines.filter(|line| !line.contains("record:") && !line.contains("description:"));
        asks.collect::<Vec<_>>().join("\n")
    };
    let mut texts = vec![("rules".to_owned(), rules("health.yml"))];
    texts.push(("detectors".to_owned(), rules("detectors.yml")));
    for board in boards() {
        let asked = [board.queries(), board.annotations()].concat();
        let variables = board.variables().into_values().map(|one| one["query"].to_string());
        let all = asked.into_iter().map(|asked| asked.expression).chain(variables);
        texts.push((board.name.clone(), all.collect::<Vec<_>>().join("\n")));
    }
    for (of, text) in texts {
        let words = text.split(|letter: char| {
            !letter.is_ascii_alphanumeric() && letter != '_' && letter != ':'
        });
        let metrics: BTreeSet<&str> = words
            .filter(|word| word.starts_with("btemu_") && !word.contains("btemu_pace"))
            .collect();
        assert!(!metrics.is_empty(), "{of} names no metric");
        for metric in metrics {
            assert!(known.contains(metric), "{of} uses {metric}, which docs/metrics.md has not");
        }
    }
}

#[test]
fn grafana_publishes_types_that_the_boards_have() {
    let Some(node) = tool("tools/usr/bin/node", "node") else {
        return skip("types of boards: there is no node");
    };
    let Some(schema) = schema() else {
        return skip("types of boards: there is no @grafana/schema below the build folder");
    };
    let said = says(&node, ".", &["grafana/schema/check.mjs", &schema]);
    let said = said.unwrap_or_else(|said| panic!("{said}"));
    assert!(said.starts_with("8 boards") && said.contains("broken ones were refused"), "{said}");
}

/// Where `.ci/run` installs Grafana's types.
fn schema() -> Option<String> {
    let build = crate::program::binary();
    let folder = build.parent()?.parent()?.join("schema");
    let found = folder.join("node_modules/@grafana/schema").is_dir();
    found.then(|| folder.display().to_string())
}

#[test]
fn prometheus_takes_configuration_and_rules() {
    let Some(promtool) = tool("tools/usr/bin/promtool", "promtool") else {
        return skip("configuration and rules: there is no promtool");
    };
    let check = |folder: &str, arguments: &[&str]| {
        says(&promtool, folder, arguments).unwrap_or_else(|said| panic!("{arguments:?}: {said}"))
    };
    check("grafana", &["check", "config", "prometheus.yml"]);
    let said = check("grafana/rules", &["check", "rules", "health.yml"]);
    assert!(said.contains("16 rules found"), "{said}");
    check("grafana/rules", &["test", "rules", "health.test.yml"]);

    // Each alert is tried: one that fires, and one time at which it does not.
    let rules = fs::read_to_string(root().join("grafana/rules/health.yml")).expect("it ships");
    let tests = fs::read_to_string(root().join("grafana/rules/health.test.yml")).expect("it ships");
    for alert in rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")) {
        let name = format!("alertname: {alert},");
        let tests = tests.replace(&format!("alertname: {alert}\n"), &format!("{name}\n"));
        let named = tests.match_indices(&name);
        let tried: Vec<bool> = named
            .map(|(place, _)| {
                let rest = &tests[place..];
                let end = rest[9..].find("alertname:").map_or(rest.len(), |end| end + 9);
                rest[..end].contains("exp_labels")
            })
            .collect();
        assert!(tried.contains(&true), "{alert} never fires in health.test.yml");
        assert!(tried.contains(&false), "{alert} always fires in health.test.yml");
    }
}
