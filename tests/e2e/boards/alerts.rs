//! Alerts as Grafana's own alerting reads them, against the rules that Prometheus reads: none is missing, none is another.
//! That Grafana takes the file is not tried anywhere; its shape is that of Grafana's documentation, with nothing else in it.

use super::{list, word};
use crate::export::{skip, tool};
use crate::program::{folder, root};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use tests::prometheus::Prometheus;

/// Grafana's rules are judged every so often at most often, and in whole multiples of it.
const INTERVAL: &str = "10s";
const UID_LENGTH_MAX: usize = 40;

fn shipped(path: &str) -> String {
    fs::read_to_string(root().join("grafana").join(path)).expect("it ships")
}

/// The groups that Grafana reads.
fn groups() -> Vec<Value> {
    let text = shipped("provisioning/alerting/btemu.json");
    let file: Value = serde_json::from_str(&text).expect("it is JSON");
    has_only(&file, &["apiVersion", "groups"]);
    assert_eq!(file["apiVersion"], 1);
    list(&file["groups"]).to_vec()
}

fn rules() -> Vec<Value> {
    groups().iter().flat_map(|group| list(&group["rules"]).to_vec()).collect()
}

/// All these keys and no other.
fn has_only(value: &Value, keys: &[&str]) {
    let there: BTreeSet<&str> =
        value.as_object().expect("an object").keys().map(String::as_str).collect();
    assert_eq!(there, keys.iter().copied().collect(), "{value}");
}

/// The expression that a rule asks of Prometheus.
fn expression(rule: &Value) -> &str {
    word(&rule["data"][0]["model"]["expr"])
}

/// A text as Prometheus has it: both call what they show by other names.
fn as_prometheus(text: &Value) -> String {
    word(text).replace("{{ .Labels.", "{{ $labels.").replace(".Values.query.Value", "$value")
}

#[test]
fn grafana_reads_every_alert_and_nothing_that_it_does_not_know() {
    let mut uids = BTreeSet::new();
    for group in groups() {
        has_only(&group, &["orgId", "name", "folder", "interval", "rules"]);
        assert_eq!((&group["orgId"], &group["interval"]), (&json!(1), &json!(INTERVAL)));
        assert!(word(&group["name"]).starts_with("btemu-"), "{}", group["name"]);
        // The boards' folder is made by the boards.
        assert_eq!(group["folder"], "btemu alerts");
        for rule in list(&group["rules"]) {
            check_rule(rule);
            let uid = word(&rule["uid"]);
            let is_plain = |letter: char| letter.is_ascii_lowercase() || letter == '-';
            assert!(uid.len() <= UID_LENGTH_MAX && uid.chars().all(is_plain), "{uid}");
            assert!(uids.insert(uid.to_owned()), "two alerts have the uid {uid}");
        }
    }
}

fn check_rule(rule: &Value) {
    has_only(
        rule,
        &[
            "uid",
            "title",
            "condition",
            "data",
            "for",
            "noDataState",
            "execErrState",
            "missing_series_evals_to_resolve",
            "labels",
            "annotations",
            "isPaused",
        ],
    );
    let title = word(&rule["title"]);
    assert_eq!((&rule["noDataState"], &rule["execErrState"]), (&json!("OK"), &json!("Error")));
    assert_eq!(
        (&rule["isPaused"], &rule["missing_series_evals_to_resolve"]),
        (&json!(false), &json!(1))
    );
    has_only(&rule["annotations"], &["summary", "description"]);
    has_only(&rule["labels"], &["severity"]);
    // A dollar sign is a variable of Grafana's environment, here or there.
    for text in [
        &rule["annotations"]["summary"],
        &rule["annotations"]["description"],
        &rule["labels"]["severity"],
    ] {
        assert!(!word(text).contains('$'), "{title}: {text}");
    }

    // What is asked, whether there is an answer, and that there is one.
    let steps = list(&rule["data"]);
    let names: Vec<&str> = steps.iter().map(|step| word(&step["refId"])).collect();
    assert_eq!(names, ["query", "is_there", "fires"], "{title}");
    assert_eq!(rule["condition"], "fires", "{title}");
    let source = shipped("provisioning/datasources/prometheus.yml");
    for step in steps {
        has_only(step, &["refId", "relativeTimeRange", "datasourceUid", "model"]);
        let model = &step["model"];
        assert_eq!(
            (&model["refId"], &model["datasource"]["uid"]),
            (&step["refId"], &step["datasourceUid"])
        );
        has_only(&step["relativeTimeRange"], &["from", "to"]);
    }
    let [query, is_there, fires] = [0, 1, 2].map(|place| &steps[place]["model"]);
    has_only(query, &["refId", "datasource", "expr", "instant", "range"]);
    assert_eq!((&query["instant"], &query["range"]), (&json!(true), &json!(false)));
    assert_eq!(steps[0]["relativeTimeRange"], json!({ "from": 600, "to": 0 }));
    let uid = format!("    uid: {}\n", word(&steps[0]["datasourceUid"]));
    assert!(source.contains(&uid) && query["datasource"]["type"] == "prometheus", "{title}");
    let of_grafana = json!({ "type": "__expr__", "uid": "__expr__" });
    assert!(is_there["datasource"] == of_grafana && fires["datasource"] == of_grafana, "{title}");
    has_only(is_there, &["refId", "datasource", "type", "expression"]);
    assert_eq!(is_there["type"], "math");
    assert_eq!(is_there["expression"], "is_number($query) || is_nan($query) || is_inf($query)");
    has_only(fires, &["refId", "datasource", "type", "expression", "conditions"]);
    assert_eq!((&fires["type"], &fires["expression"]), (&json!("threshold"), &json!("is_there")));
    let above = json!([{ "evaluator": { "type": "gt", "params": [0] } }]);
    assert_eq!(fires["conditions"], above, "{title}");
}

/// Every rule, written back as the files of Prometheus have it, is what they have.
#[test]
fn grafana_and_prometheus_have_the_same_alerts() {
    let squeezed = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let files: Vec<String> = shipped("prometheus.yml")
        .lines()
        .filter_map(|line| {
            line.trim().strip_prefix("- rules/").map(|name| shipped(&format!("rules/{name}")))
        })
        .collect();
    assert_eq!(files.len(), root().join("grafana/rules").read_dir().expect("it ships").count() / 2);
    let alerts: Vec<String> = files
        .iter()
        .flat_map(|text| text.split("      - alert: ").skip(1))
        .map(|block| squeezed(&block.replace(">-\n", "\n")))
        .collect();
    assert!(alerts.len() > 30, "the rules were not found: {alerts:?}");
    let read: Vec<String> = rules()
        .iter()
        .map(|rule| {
            let text = |key: &str| json!(as_prometheus(&rule["annotations"][key])).to_string();
            let wait = match word(&rule["for"]) {
                "0s" => String::new(),
                wait => format!("for: {wait} "),
            };
            squeezed(&format!(
                "{} expr: {} {wait}labels: severity: {} annotations: summary: {} description: {}",
                word(&rule["title"]),
                expression(rule),
                word(&rule["labels"]["severity"]),
                text("summary"),
                text("description"),
            ))
        })
        .collect();
    assert_eq!(read, alerts);
}

/// The same, by what a real Prometheus understands of its files.
#[test]
fn prometheus_understands_its_alerts_as_grafana_is_told_them() {
    let Some(program) = tool("tools/usr/bin/prometheus", "prometheus") else {
        return skip("alerts as Prometheus understands them: there is no prometheus");
    };
    let folder = folder();
    let rules_folder = root().join("grafana/rules");
    let config =
        shipped("prometheus.yml").replace("rules/", &format!("{}/", rules_folder.display()));
    let config = config.split("scrape_configs:").next().expect("something").to_owned();
    let path = folder.path().join("prometheus.yml");
    fs::write(&path, config).expect("writable");
    let prometheus = Prometheus::start(&program, &path, &folder.path().join("data"));
    let answer = prometheus.data("/api/v1/rules?type=alert").expect("it answers");
    let understood: Vec<Value> = list(&answer["groups"])
        .iter()
        .flat_map(|group| list(&group["rules"]))
        .map(|rule| {
            json!([
                rule["name"],
                plain(word(&rule["query"])),
                rule["duration"],
                rule["labels"],
                rule["annotations"]
            ])
        })
        .collect();
    let told: Vec<Value> = rules()
        .iter()
        .map(|rule| {
            let asked =
                prometheus.formatted(expression(rule)).unwrap_or_else(|error| panic!("{error}"));
            let texts =
                ["summary", "description"].map(|key| as_prometheus(&rule["annotations"][key]));
            let texts = json!({ "summary": texts[0], "description": texts[1] });
            json!([
                rule["title"],
                plain(&asked),
                seconds(word(&rule["for"])),
                rule["labels"],
                texts
            ])
        })
        .collect();
    assert_eq!(told, understood);
}

/// A query without room between its words; Prometheus breaks lines here and not there.
fn plain(query: &str) -> String {
    query.split_whitespace().collect()
}

fn seconds(wait: &str) -> u64 {
    let (number, unit) = wait.split_at(wait.len() - 1);
    let number: u64 = number.parse().unwrap_or_else(|error| panic!("{wait}: {error}"));
    match unit {
        "s" => number,
        "m" => number * 60,
        other => panic!("{wait}: {other} is no unit of these rules"),
    }
}

#[test]
fn grafana_finds_the_alerts() {
    let compose = shipped("compose.yml");
    let provisioning =
        compose.lines().filter_map(|line| line.trim().strip_prefix("GF_PATHS_PROVISIONING: "));
    let inside: Vec<&str> = provisioning.collect();
    assert_eq!(inside.len(), 1, "{compose}");
    // The folder with all that is in it; Grafana looks for `alerting` there.
    assert!(compose.contains(&format!("- ./provisioning:{}:ro\n", inside[0])), "{compose}");
    let alerting = root().join("grafana/provisioning/alerting").read_dir().expect("it ships");
    // Another kind of file there stops Grafana.
    let names: Vec<_> = alerting.map(|entry| entry.expect("readable").file_name()).collect();
    assert_eq!(names, ["btemu.json"]);
}
