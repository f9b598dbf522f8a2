//! What is written from the table of detectors: the alert rules, their tests for `promtool`, the table of the page.
//!
//! `UPDATE_EXPECT=1 cargo test -p emulator detect::pages` writes them anew.

use super::{DETECTORS, Row};
use std::fmt::Write;
use std::path::PathBuf;

const HEAD: &str =
    "# Written from the table of detectors (emulator/src/detect/mod.rs) by a test; do not edit.\n";

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").join(name)
}

/// `weight-copier` as `BtemuWeightCopier`.
fn alert_name(row: &Row) -> String {
    let words = row.name.split('-').map(|word| {
        let (first, rest) = word.split_at(1);
        first.to_uppercase() + rest
    });
    "Btemu".to_owned() + &words.collect::<String>()
}

/// What everybody reads who gets the alert.
fn summary(row: &Row) -> String {
    format!("{} in {{{{ $labels.run }}}}", row.name)
}

fn description(row: &Row) -> String {
    format!("{}. Who it is: btemu detect RUN --detector {}", row.observable, row.name)
}

fn rules() -> String {
    let mut text = HEAD.to_owned();
    text.push_str(
        "# An alarm that is over before the next scrape still fires: its counter has grown.\n",
    );
    text.push_str("groups:\n  - name: btemu-detectors\n    rules:\n");
    for row in DETECTORS {
        let of = format!("{{detector=\"{}\"}}", row.name);
        let (name, summary, description) = (alert_name(row), summary(row), description(row));
        let rule = format!(
            "      - alert: {name}
        expr: >-
          btemu_detector_signal_ratio{of} >= 1
          or increase(btemu_detector_alarms_total{of}[5m]) > 0
        labels:
          severity: warning
        annotations:
          summary: {summary:?}
          description: {description:?}
"
        );
        text.push_str(&rule);
    }
    text
}

/// For each rule: a signal below its threshold, one above it for two minutes, and an alarm that no scrape saw.
fn rule_tests() -> String {
    let mut text = HEAD.to_owned();
    text.push_str("rule_files:\n  - detectors.yml\nevaluation_interval: 1m\ntests:\n");
    for row in DETECTORS {
        let labels = format!("detector=\"{}\", run=\"a\"", row.name);
        let (name, summary, description) = (alert_name(row), summary(row), description(row));
        let summary = summary.replace("{{ $labels.run }}", "a");
        let fires = |minute: u32| {
            format!(
                "      - alertname: {name}
        eval_time: {minute}m
        exp_alerts:
          - exp_labels: {{ severity: warning, detector: {}, run: a }}
            exp_annotations:
              summary: {summary:?}
              description: {description:?}
",
                row.name
            )
        };
        let silent = |minute: u32| {
            format!(
                "      - alertname: {name}\n        eval_time: {minute}m\n        exp_alerts: []\n"
            )
        };
        write!(
            text,
            "  - name: {}
    interval: 1m
    input_series:
      - series: 'btemu_detector_signal_ratio{{{labels}}}'
        values: '0 0.99 1 1.5 0.2x30'
      - series: 'btemu_detector_alarms_total{{{labels}}}'
        values: '0 0 1 1 1x10 2x20'
    alert_rule_test:
{}{}{}{}{}{}",
            row.name,
            silent(1),
            fires(2),
            fires(3),
            silent(12),
            fires(16),
            silent(25),
        )
        .expect("a text takes it");
    }
    text
}

fn check(name: &str, text: &str) {
    let path = path(name);
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(&path, text).expect("writable");
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = written.lines().zip(text.lines()).find(|(written, text)| written != text);
    assert!(
        written == text,
        "{name} is out of date, first at {differs:?}; UPDATE_EXPECT=1 writes it anew"
    );
}

#[test]
fn the_rules_are_those_of_the_table() {
    check("grafana/rules/detectors.yml", &rules());
    check("grafana/rules/detectors.test.yml", &rule_tests());
}

#[test]
fn the_page_shows_the_table() {
    let page = std::fs::read_to_string(path("docs/detectors.md")).expect("it is there");
    let rows: Vec<String> = DETECTORS
        .iter()
        .map(|row| {
            let Row { name, observable, threshold, unit } = row;
            format!("| `{name}` | {observable} | {threshold} {unit} |")
        })
        .collect();
    let start = "| detector | what it looks at | alarm from |\n|---|---|---|\n";
    let table = page.split_once(start).expect("it has the table").1;
    let written: Vec<&str> = table.lines().take_while(|line| line.starts_with('|')).collect();
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        let (old, new) = (written.join("\n"), rows.join("\n"));
        std::fs::write(path("docs/detectors.md"), page.replace(&old, &new)).expect("writable");
        return;
    }
    assert_eq!(written, rows, "docs/detectors.md; UPDATE_EXPECT=1 writes the table anew");
}
