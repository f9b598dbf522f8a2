//! Exports: what other tools read is what the run holds, and they do read it.
//!
//! DuckDB with pandas and promtool are asked where they are there (`.ci/run` fetches them below the build folder);
//! elsewhere a test says what it skipped.

use crate::bad_input::check;
use crate::interruption::{kill, wait_until};
use crate::metrics::{free_address, get, value};
use crate::program::{
    binary, folder, json, json_lines, number, root, say, scenario, start, text, wait,
};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

const TABLES: [&str; 5] = ["blocks", "calls", "events", "subnets", "neurons"];

/// Metrics of the process and of wall time.
pub const ENGINE: [&str; 11] = [
    "btemu_build_",
    "btemu_speed_",
    "btemu_wall_",
    "btemu_log_",
    "btemu_process_",
    "btemu_block_phase_",
    "btemu_queue_",
    "btemu_disturbances_",
    "btemu_restarts_",
    "btemu_invariants_",
    "btemu_remote_write_",
];

fn run(folder: &Path, blocks: &str) -> Value {
    let quickstart = scenario("quickstart.toml");
    let arguments =
        ["run", &quickstart, "--blocks", blocks, "--out", "run", "--processes", "0", "--json"];
    json(folder, &arguments)
}

fn export(folder: &Path, format: &str, out: &str, more: &[&str]) -> Value {
    let arguments = [&["export", "run", "--format", format, "--out", out, "--json"], more].concat();
    json(folder, &arguments)
}

fn rows(folder: &Path, table: &str) -> Vec<Value> {
    let text = fs::read_to_string(folder.join(table).with_extension("jsonl")).expect("exported");
    text.lines().map(|line| serde_json::from_str(line).expect("an object")).collect()
}

/// A tool that `.ci/run` put below the build folder, or that the machine has.
pub fn tool(below: &str, name: &str) -> Option<PathBuf> {
    let profile = binary().parent().map(Path::to_path_buf)?;
    let fetched = profile.parent()?.join(below);
    let works = |program: &Path| {
        Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success())
    };
    [fetched, PathBuf::from(name)].into_iter().find(|program| works(program))
}

/// Tells people what was not tested; `println!` of a test that passes is not shown.
pub fn skip(what: &str) {
    writeln!(std::io::stderr(), "skipped: {what}").expect("standard error takes a line");
}

/// What a row says as `btemu log --json` says it, but for the names that amounts have in columns.
fn told(row: &Value) -> Map<String, Value> {
    let mut told = match &row["fields"] {
        Value::String(fields) => serde_json::from_str(fields).expect("JSON as text"),
        _ => Map::new(),
    };
    let shared = ["netuid", "uid", "hotkey", "coldkey"];
    let named = shared.iter().map(|name| (*name, *name));
    let amounts = [("tao_rao", "tao_rao"), ("alpha_rao", "alpha_rao")];
    let fees = [("fee_tao_rao", "fee_rao"), ("fee_alpha_rao", "fee_rao")];
    for (column, name) in named.chain(amounts).chain(fees).chain([("account", "account")]) {
        if !row[column].is_null() {
            told.insert(name.to_owned(), row[column].clone());
        }
    }
    told
}

/// The same of a line of `btemu log --json`.
fn logged(line: &Value) -> Map<String, Value> {
    let mut line = line.as_object().expect("an object").clone();
    let kind = line.remove("kind").expect("every line has a kind");
    line.remove("block");
    line.remove("time_ms");
    for (name, column, of) in [
        ("amount_rao", "alpha_rao", Some("alpha_destroyed")),
        ("amount_rao", "tao_rao", None),
        ("by_rao", "tao_rao", Some("flow_recorded")),
        ("dust_rao", "tao_rao", Some("account_reaped")),
        ("payer", "account", None),
        ("signer", "account", None),
    ] {
        if of.is_none_or(|of| kind == of)
            && let Some(value) = line.remove(name)
        {
            line.insert(column.to_owned(), value);
        }
    }
    let shared = ["netuid", "uid", "tao_rao", "alpha_rao", "fee_rao"];
    line.retain(|name, value| !shared.contains(&name.as_str()) || !value.is_null());
    line
}

#[test]
fn tables_hold_what_log_and_inspect_say() {
    let folder = folder();
    let ran = run(folder.path(), "70");
    let written = export(folder.path(), "jsonl", "out", &["--every", "20"]);
    let out = folder.path().join("out");
    let tables: BTreeMap<&str, Vec<Value>> =
        TABLES.iter().map(|table| (*table, rows(&out, table))).collect();
    for file in written["files"].as_array().expect("a list") {
        assert_eq!(number(file, "rows"), tables[text(file, "name")].len() as u64);
        let bytes =
            fs::metadata(folder.path().join(text(file, "path"))).expect("it is there").len();
        assert_eq!(number(file, "bytes"), bytes);
    }

    let lines = json_lines(folder.path(), &["log", "run", "--json"]);
    assert_eq!(tables["events"].len(), lines.len());
    for (row, line) in tables["events"].iter().zip(&lines) {
        assert_eq!((&row["block"], &row["kind"]), (&line["block"], &line["kind"]));
        assert_eq!(told(row), logged(line), "{row}");
    }

    let last = tables["blocks"].last().expect("a row");
    assert_eq!(tables["blocks"].len(), 71);
    assert_eq!(text(last, "hash"), text(&ran, "tip_hash"));
    assert_eq!(text(last, "state_root"), text(&ran, "state_root"));
    assert_eq!(text(&tables["blocks"][0], "parent"), text(&ran, "scenario_hash"));
    assert_eq!(text(last, "time"), "2026-01-01T00:14:00.000Z");
    let sum = |column: &str| tables["blocks"].iter().map(|row| number(row, column)).sum::<u64>();
    for count in ["sent", "delivered", "dropped"] {
        let column = format!("messages_{count}");
        assert_eq!(sum(&column), number(&ran["messages"], count), "{column}");
    }
    assert_eq!(sum("events") + sum("sealed"), number(&ran, "events"));
    assert_eq!(sum("calls_failed") + sum("calls_refused"), number(&ran, "rejected"));
    assert_eq!(tables["calls"].len() as u64, number(&ran, "extrinsics"));
    assert!(tables["calls"].iter().any(|row| text(row, "call") == "set_weights"));

    let blocks: BTreeSet<u64> = tables["subnets"].iter().map(|row| number(row, "block")).collect();
    assert_eq!(Vec::from_iter(blocks), [0, 20, 40, 60, 70]);
    for at in [0, 40, 70] {
        let height = at.to_string();
        let asked = ["inspect", "run", "--at", &height, "--json", "subnets"];
        let inspected = json_lines(folder.path(), &asked);
        let rows = tables["subnets"].iter().filter(|row| number(row, "block") == at);
        let rows: Vec<&Value> = rows.collect();
        assert_eq!(rows.len(), inspected.len(), "at {at}");
        for (row, inspected) in rows.iter().zip(&inspected) {
            let shared = is_contained(row, inspected);
            assert!(shared >= 25, "only {shared} columns are shared");
        }
    }
    let epochs: BTreeSet<(u64, u64)> =
        tables["neurons"].iter().map(|row| (number(row, "block"), number(row, "netuid"))).collect();
    assert!(epochs.len() >= 6, "{epochs:?}");
    for (block, netuid) in epochs {
        let (at, netuid_text) = (block.to_string(), netuid.to_string());
        let asked = ["inspect", "run", "--at", &at, "--json", "neurons", &netuid_text];
        let inspected = json_lines(folder.path(), &asked);
        let of = |row: &&Value| (number(row, "block"), number(row, "netuid")) == (block, netuid);
        let rows: Vec<&Value> = tables["neurons"].iter().filter(of).collect();
        assert_eq!(rows.len(), inspected.len(), "subnet {netuid} at {block}");
        for (row, inspected) in rows.iter().zip(&inspected) {
            assert_eq!(is_contained(row, inspected), 13);
        }
    }
}

/// Columns that an inspection has too: equal, bits as text. How many they are.
fn is_contained(row: &Value, inspected: &Value) -> usize {
    let row = row.as_object().expect("an object");
    let shared = row.iter().filter_map(|(name, value)| Some((name, value, inspected.get(name)?)));
    let mut count = 0;
    for (name, value, inspected) in shared {
        match (value, inspected) {
            (Value::String(bits), Value::Number(number)) => assert_eq!(*bits, number.to_string()),
            (Value::Number(one), Value::Number(other)) => {
                assert_eq!(one.as_f64(), other.as_f64(), "{name}");
            }
            _ => assert_eq!(value, inspected, "{name}"),
        }
        count += 1;
    }
    count
}

/// A part of the run has the same rows as the whole, and its totals count from genesis.
#[test]
fn a_part_of_a_run_is_a_part_of_its_export() {
    let folder = folder();
    run(folder.path(), "60");
    let to_output = |more: &[&str]| {
        let arguments = [&["export", "run", "--out", "-"], more].concat();
        let said = say(folder.path(), &arguments);
        assert_eq!((said.code, said.stderr.as_str()), (0, ""), "{arguments:?}");
        said.stdout
    };
    for table in TABLES {
        let whole = ["--format", "jsonl", "--every", "7", "--table", table];
        let part = [&whole[..], &["--from", "+21", "--to", "+42"]].concat();
        let within = |line: &&str| {
            let row: Value = serde_json::from_str(line).expect("an object");
            (21..=42).contains(&number(&row, "block"))
        };
        let expected: Vec<String> =
            to_output(&whole).lines().filter(within).map(str::to_owned).collect();
        assert!(!expected.is_empty(), "{table}");
        assert!(to_output(&part).lines().eq(expected), "{table}");
    }
    let whole = to_output(&["--format", "openmetrics", "--every", "10"]);
    let part = to_output(&["--format", "openmetrics", "--every", "10", "--from", "+31"]);
    let late = |line: &&str| {
        let seconds = line.rsplit(' ').next().and_then(|time| time.parse::<u64>().ok());
        line.starts_with('#') || seconds.is_some_and(|time| time >= 1_767_225_600 + 31 * 12)
    };
    assert!(whole.lines().filter(late).eq(part.lines()));
    assert!(part.ends_with("# EOF\n") && part.lines().count() > 100);
}

/// What Prometheus was served while the run was made stands in the export of its log.
#[test]
fn openmetrics_says_what_was_scraped() {
    let folder = folder();
    let address = free_address();
    let (listen, quickstart) = (address.to_string(), scenario("quickstart.toml"));
    let arguments = [
        "run",
        &quickstart,
        "--blocks",
        "400",
        "--out",
        "run",
        "--pace",
        "480x",
        "--processes",
        "0",
        "--metrics",
        &listen,
        "--json",
    ];
    let live = start(folder.path(), &arguments);
    let began = Instant::now();
    let mut scraped = None;
    while scraped.is_none() && began.elapsed() < Duration::from_secs(60) {
        let page = get(address);
        scraped = page.filter(|page| value(page, "btemu_block_height") >= Some(25.0));
        std::thread::sleep(Duration::from_millis(20));
    }
    let killed = Command::new("kill").args(["-INT", &live.id().to_string()]).status();
    assert!(killed.is_ok_and(|status| status.success()));
    assert_eq!(wait(live).code, 0);
    let scraped = scraped.expect("it came to block 25");

    export(folder.path(), "openmetrics", "metrics.txt", &["--every", "1"]);
    let exported = fs::read_to_string(folder.path().join("metrics.txt")).expect("exported");
    let mut points: BTreeMap<(&str, &str), f64> = BTreeMap::new();
    let mut times: BTreeMap<&str, &str> = BTreeMap::new();
    for line in exported.lines().filter(|line| !line.starts_with('#')) {
        let (sample, time) = line.rsplit_once(' ').expect("a time");
        let (series, value) = sample.rsplit_once(' ').expect("a value");
        points.insert((series, time), value.parse().expect("a number"));
        if series.starts_with("btemu_block_height{") {
            times.insert(value, time);
        }
    }
    let height = value(&scraped, "btemu_block_height").expect("a height").to_string();
    let time = times[height.as_str()];
    let chain = |line: &&str| {
        !line.starts_with('#') && !ENGINE.iter().any(|engine| line.starts_with(engine))
    };
    let mut seen = BTreeMap::new();
    for line in scraped.lines().filter(chain) {
        let (series, value) = line.rsplit_once(' ').expect("a value");
        seen.insert((series, time), value.parse::<f64>().expect("a number"));
    }
    points.retain(|(_, at), _| *at == time);
    assert_eq!(points, seen);
    assert!(seen.len() > 60, "only {} series", seen.len());
}

#[test]
fn what_cannot_be_exported_is_said_in_one_sentence() {
    let folder = folder();
    run(folder.path(), "3");
    fs::create_dir(folder.path().join("full")).expect("it can be made");
    fs::write(folder.path().join("full/file"), "something").expect("it can be written");
    let rows: [(&[&str], i32, &str); 10] = [
        (&["--format", "csv", "--out", "full"], 1, "the folder full is not empty"),
        (&["--format", "csv", "--out", "full/file"], 1, "there is a file full/file already"),
        (&["--format", "openmetrics", "--out", "full/file"], 1, "there is a file full/file"),
        (&["--format", "openmetrics", "--out", "full"], 1, "full is a folder"),
        (&["--format", "openmetrics", "--out", "no/file"], 1, "no/file cannot be made"),
        (&["--format", "csv", "--out", "-"], 2, "standard output takes one table"),
        (&["--format", "csv", "--out", "x", "--table", "call"], 2, "there is no such table"),
        (&["--format", "openmetrics", "--out", "x", "--table", "calls"], 2, "has no tables"),
        (&["--format", "csv", "--out", "x", "--from", "+3", "--to", "+2"], 2, "--from 3 is after"),
        (&["--format", "csv", "--out", "x", "--to", "+4"], 1, "block 4 is not in the run"),
    ];
    for (arguments, code, sentence) in rows {
        let said = say(folder.path(), &[&["export", "run"], arguments].concat());
        assert_eq!((said.code, said.stdout.as_str()), (code, ""), "{arguments:?}: {said:?}");
        let first = said.stderr.lines().next().unwrap_or_default();
        assert!(first.starts_with("error: ") && first.contains(sentence), "{said:?}");
        assert!(!folder.path().join("x").exists(), "{arguments:?}");
    }
}

/// What is there below the folder of a test beside the run.
fn left(folder: &Path) -> Vec<String> {
    let entries = folder.read_dir().expect("readable").map(|entry| entry.expect("readable"));
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|name| name != "run").collect()
}

#[test]
fn an_export_that_is_stopped_leaves_nothing_behind() {
    let folder = folder();
    run(folder.path(), "3000");
    let made = |name: &str| folder.path().join(name);
    fs::create_dir(made("there")).expect("writable");
    for (format, out, part, signal) in [
        ("openmetrics", "a.om", "a.om.part", "-INT"),
        ("csv", "tables", "tables/neurons.csv.part", "-TERM"),
        ("jsonl", "there", "there/neurons.jsonl.part", "-INT"),
    ] {
        let arguments = ["export", "run", "--format", format, "--out", out, "--every", "1"];
        let export = start(folder.path(), &arguments);
        wait_until("a part", || made(part).metadata().is_ok_and(|part| part.len() > 0));
        kill(signal, export.id());
        let said = wait(export);
        check(&said, 1, &["stopped before it was whole"]);
        assert_eq!(left(folder.path()), ["there"], "{format}");
        assert!(made("there").read_dir().expect("readable").next().is_none(), "{format}");
    }
    let exported = export(folder.path(), "csv", "there", &[]);
    assert_eq!(exported["files"].as_array().map(Vec::len), Some(5));
}

/// Whether this build writes Parquet; what it says where it does not.
fn has_parquet(folder: &Path) -> bool {
    let said = say(folder, &["export", "run", "--format", "parquet", "--out", "probe"]);
    if said.code == 0 {
        return true;
    }
    assert_eq!(said.code, 2, "{said:?}");
    assert!(said.stderr.contains("this build has no Parquet"), "{said:?}");
    assert!(said.stderr.contains("--features"), "{said:?}");
    assert!(!folder.join("probe").exists());
    false
}

#[test]
fn duckdb_and_pandas_read_every_format() {
    let folder = folder();
    let ran = run(folder.path(), "70");
    let mut formats = vec!["csv", "jsonl"];
    if has_parquet(folder.path()) {
        formats.push("parquet");
    } else {
        skip(
            "Parquet: this build is without it (cargo test --workspace --features emulator/parquet)",
        );
    }
    let Some(python) = tool("python/bin/python", "python3") else {
        return skip("DuckDB and pandas: there is no python3");
    };
    let imports = ["-c", "import duckdb, pandas, pyarrow"];
    if !Command::new(&python).args(imports).output().is_ok_and(|output| output.status.success()) {
        return skip("DuckDB and pandas: python3 has no duckdb, pandas and pyarrow");
    }
    export(folder.path(), "jsonl", "expected", &["--every", "20"]);
    let tables: BTreeMap<&str, Vec<Value>> =
        TABLES.iter().map(|table| (*table, rows(&folder.path().join("expected"), table))).collect();
    for format in formats {
        export(folder.path(), format, format, &["--every", "20"]);
        let output = Command::new(&python)
            .arg(root().join("tests/e2e/read_export.py"))
            .args([folder.path().join(format), PathBuf::from(format)])
            .arg(root().join("docs/export.md"))
            .output()
            .expect("it starts");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{format}: {errors}");
        let found: Value = serde_json::from_slice(&output.stdout).expect("it prints an object");
        for (table, rows) in &tables {
            assert_eq!(number(&found["rows"], table), rows.len() as u64, "{format}: {table}");
        }
        assert_eq!(number(&found, "blocks_apart_s"), 70 * 12);
        assert_eq!(number(&found, "opened"), number(&ran, "blocks"));
        let last = tables["blocks"].last().expect("a row");
        assert_eq!(number(&found, "issuance_rao"), number(last, "total_issuance_rao"));
        let reserves = tables["subnets"].iter().map(|row| number(row, "tao_reserve_rao"));
        assert_eq!(number(&found, "reserves_rao"), reserves.sum::<u64>(), "{format}");
        assert_eq!(found["joined"], joined(&tables["events"]), "{format}");
        assert_eq!(found["paid"], paid(&tables["neurons"]), "{format}");
        let outcomes = found["outcomes"].as_object().expect("counts").values();
        let calls: u64 = outcomes.filter_map(Value::as_u64).sum();
        assert_eq!(calls, number(&ran, "extrinsics"), "{format}");
    }
}

/// By subnet: stake orders that were filled and what they paid.
fn joined(events: &[Value]) -> Value {
    let mut sums: BTreeMap<u64, (u64, u64)> = BTreeMap::new();
    for event in events.iter().filter(|event| event["kind"] == "stake_added") {
        let sum = sums.entry(number(event, "netuid")).or_default();
        *sum = (sum.0 + 1, sum.1 + number(event, "tao_rao"));
    }
    assert!(sums.len() > 1, "stake came to several subnets");
    sums.into_iter().map(|(netuid, (count, tao))| Value::from(vec![netuid, count, tao])).collect()
}

/// By subnet: epochs and what they gave neurons.
fn paid(neurons: &[Value]) -> Value {
    let mut sums: BTreeMap<u64, (BTreeSet<u64>, u64)> = BTreeMap::new();
    for neuron in neurons {
        let sum = sums.entry(number(neuron, "netuid")).or_default();
        sum.0.insert(number(neuron, "block"));
        sum.1 += number(neuron, "emission_rao");
    }
    let rows = sums.into_iter();
    rows.map(|(netuid, (blocks, sum))| Value::from(vec![netuid, blocks.len() as u64, sum]))
        .collect()
}

/// Prometheus' own reader takes the file, and so does the reference reader of OpenMetrics.
#[test]
fn prometheus_takes_the_samples() {
    let folder = folder();
    run(folder.path(), "70");
    let written = export(folder.path(), "openmetrics", "metrics.txt", &["--every", "1"]);
    let samples = number(&written["files"][0], "rows");
    match tool("tools/usr/bin/promtool", "promtool") {
        None => skip("backfilling: there is no promtool"),
        Some(promtool) => {
            let arguments = ["tsdb", "create-blocks-from", "openmetrics", "metrics.txt", "data"];
            let output = Command::new(promtool).args(arguments).current_dir(folder.path()).output();
            let output = output.expect("it starts");
            let (out, errors) =
                (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
            assert!(output.status.success(), "{errors}");
            // A block of data per two hours, each with a row: times, duration, samples, …
            let row = out.lines().nth(1).unwrap_or_default();
            let stored = row.split_whitespace().nth(4).and_then(|count| count.parse::<u64>().ok());
            assert_eq!(stored, Some(samples), "{out}");
        }
    }
    let reader = "import sys; from prometheus_client.openmetrics.parser import *; \
                  families = text_string_to_metric_families(open(sys.argv[1]).read()); \
                  print(sum(len(family.samples) for family in families))";
    let Some(python) = tool("python/bin/python", "python3") else {
        return skip("the reference reader of OpenMetrics: there is no python3");
    };
    let output = Command::new(python)
        .args(["-c", reader, "metrics.txt"])
        .current_dir(folder.path())
        .output()
        .expect("it starts");
    let errors = String::from_utf8_lossy(&output.stderr);
    if errors.contains("No module named") {
        return skip("the reference reader of OpenMetrics: python3 has no prometheus_client");
    }
    assert!(output.status.success(), "{errors}");
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), samples.to_string());
}
