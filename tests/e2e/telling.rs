//! What processes tell about themselves on standard error.

use crate::program::{command, folder, scenario};
use serde_json::Value;
use std::collections::BTreeSet;

#[test]
fn each_process_names_itself_in_its_log_lines() {
    let folder = folder();
    let quickstart = scenario("quickstart.toml");
    let arguments = ["run", &quickstart, "--blocks", "5", "--log-format", "json", "--json"];
    let output = command(folder.path(), &arguments).env("RUST_LOG", "info").output();
    let output = output.expect("it starts");
    assert!(output.status.success());
    let text = String::from_utf8(output.stderr).expect("text");
    let lines = text.lines().filter(|line| line.starts_with('{'));
    let lines: Vec<Value> =
        lines.map(|line| serde_json::from_str(line).expect("each line is one object")).collect();
    let names: BTreeSet<&str> =
        lines.iter().filter_map(|line| line["span"]["process"].as_str()).collect();
    assert_eq!(names, BTreeSet::from(["btemu", "chain", "host-0", "host-1"]), "{text}");
    serde_json::from_slice::<Value>(&output.stdout).expect("standard output is one object");
}
