//! Logs of every format there ever was: they replay, and say the same, forever.

use crate::program::{folder, json, json_lines, number, root, say, text};
use serde_json::Value;
use std::path::Path;

/// What the run of `tests/golden/log/scenario.toml` came to by its log's format: tip hash and state root. In formats
/// 3 and 4 the root is of another kind each, which the block hash covers.
const CAME_TO: [(&str, &str); 4] = [
    (
        "6b3b0eb52907f0c29a7ccd30c948b482eeb2cea281be7218b670c463886085fe",
        "9145c87ee699b456fcb7505a0e1478dade316a8399b3fa8a97761dc9ca5b6a79",
    ),
    (
        "6b3b0eb52907f0c29a7ccd30c948b482eeb2cea281be7218b670c463886085fe",
        "9145c87ee699b456fcb7505a0e1478dade316a8399b3fa8a97761dc9ca5b6a79",
    ),
    (
        "d0c06f802f8782e6ce91a38f1d2c6acb104eaa9bf8c6c37de8d6cf3bad5fa9fb",
        "00eb9b57660cff1a7f0f93588bedea237b7b7e27eac3b107c996d70610f15dcb",
    ),
    (
        "09ddb407ca93c5ad454368fbca0d3a4e12c0dc6e424862fa7508214483a22c90",
        "7b871d796373fb789c7711e9975ce1881761b1d143ddfad63cbb6963d69312f8",
    ),
];
const EVENTS: u64 = 2_043;
const BLOCKS: u64 = 150;

/// The newest format; every one up to it has a golden log.
const FORMAT: u16 = 4;

fn golden(format: u16) -> String {
    root().join(format!("tests/golden/log/format-{format}.log")).display().to_string()
}

fn import(folder: &Path, format: u16) -> String {
    let run = format!("format-{format}");
    let said = say(folder, &["log", "import", &golden(format), "--out", &run]);
    assert_eq!(said.code, 0, "{said:?}");
    run
}

#[test]
fn a_log_of_every_format_replays_and_lists_the_same_events() {
    let folder = folder();
    let folder = folder.path();
    let mut listed = Vec::new();
    for (format, (tip_hash, state_root)) in (1..=FORMAT).zip(CAME_TO) {
        let run = import(folder, format);
        let replayed = json(folder, &["replay", &run, "--json"]);
        assert_eq!(text(&replayed, "tip_hash"), tip_hash, "format {format}");
        assert_eq!(text(&replayed, "state_root"), state_root, "format {format}");
        assert_eq!(number(&replayed, "events"), EVENTS, "format {format}");
        let verified = json(folder, &["verify", &run, "--json"]);
        assert_eq!(verified["sound"], true, "{verified}");
        listed.push(json_lines(folder, &["log", &run, "--json"]));
    }
    assert!(listed[0].len() as u64 > EVENTS, "columns are taken apart");
    assert!(listed[0] == listed[1], "the same run was written in both");
    // That of format 3 is of a later build, whose payouts do not name hotkeys whose rate they leave as it is.
    let others = |lines: &[Value]| {
        let lines = lines.iter().filter(|line| line["kind"] != "epoch_paid");
        lines.cloned().collect::<Vec<_>>()
    };
    assert!(others(&listed[1]).len() > 1_000, "payouts are the smaller part");
    assert!(others(&listed[1]) == others(&listed[2]), "a later build lists the same events");
    assert!(listed[2] == listed[3], "only the kind of root differs");
    for format in 3..=FORMAT {
        let run = format!("format-{format}");
        let verified = json(folder, &["verify", &run, "--re-execute", "--json"]);
        assert_eq!(verified["sound"], true, "its calls are decided alike: {verified}");
        assert_eq!(number(&verified, "re_executed_blocks"), BLOCKS);
    }
}

/// A run of the format before goes on from its first block on, and its log then holds both kinds of roots.
#[test]
fn a_run_of_the_format_before_is_resumed() {
    let folder = folder();
    let folder = folder.path();
    let run = import(folder, FORMAT - 1);
    let blocks = (BLOCKS + 20).to_string();
    let ran = json(folder, &["run", "--resume", &run, "--blocks", &blocks, "--json"]);
    assert_eq!(number(&ran, "blocks"), BLOCKS + 20);
    let verified = json(folder, &["verify", &run, "--re-execute", "--re-simulate", "--json"]);
    assert_eq!(verified["sound"], true, "{verified}");
    assert_eq!(number(&verified, "re_executed_blocks"), BLOCKS + 20);
    assert_eq!(number(&verified, "re_simulated_blocks"), BLOCKS + 20);
}

/// The bytes of a record's head that name its format, and its checksum.
const FORMAT_AT: std::ops::Range<usize> = 4..6;
const CHECKSUM_AT: std::ops::Range<usize> = 96..100;

#[test]
fn a_log_of_a_newer_format_is_refused_with_both_numbers_named() {
    let folder = folder();
    let mut bytes = std::fs::read(golden(FORMAT)).expect("it is there");
    assert_eq!(bytes[FORMAT_AT], FORMAT.to_le_bytes(), "the newest format is {FORMAT}");
    bytes[FORMAT_AT].copy_from_slice(&99_u16.to_le_bytes());
    let checksum = crc32fast::hash(&bytes[..CHECKSUM_AT.start]);
    bytes[CHECKSUM_AT].copy_from_slice(&checksum.to_le_bytes());
    let file = folder.path().join("newer.log");
    std::fs::write(&file, &bytes).expect("writable");
    let file = file.display().to_string();
    let said = say(folder.path(), &["log", "import", &file, "--out", "run"]);
    assert_eq!(said.code, 1, "{said:?}");
    let told = format!("format 99, this build reads formats 1 to {FORMAT}");
    assert!(said.stderr.contains(&told), "{said:?}");
    assert!(!folder.path().join("run").exists(), "nothing is left of it");
}

/// The state after any block is the same from snapshots, from others after their deletion, and from genesis.
#[test]
fn any_block_is_reached_with_and_without_snapshots() {
    let folder = folder();
    let folder = folder.path();
    let scenario = root().join("tests/golden/log/scenario.toml").display().to_string();
    let set = "log.snapshot_interval=20";
    let run = ["run", &scenario, "--out", "run", "--processes", "0", "--set", set, "--json"];
    let ran = json(folder, &run);
    assert_eq!(text(&ran, "tip_hash"), CAME_TO[3].0, "the golden logs are of this run");
    let cache = folder.join("run/cache");
    let snapshots = || {
        let files = std::fs::read_dir(&cache).expect("there is one").filter_map(Result::ok);
        let names = files.map(|file| file.file_name().to_string_lossy().into_owned());
        names.filter(|name| name.starts_with("snapshot-")).collect::<Vec<_>>()
    };
    assert_eq!(snapshots().len(), 8, "{:?}", snapshots());
    let blocks = ["+0", "+1", "+19", "+20", "+77", "+149", "+150"];
    let all = || {
        let seen = blocks.iter().map(|block| {
            json_lines(folder, &["inspect", "run", "--at", block, "subnets", "--json"])
        });
        seen.collect::<Vec<_>>()
    };
    let first = all();
    for (at, name) in snapshots().into_iter().enumerate() {
        if at % 2 == 0 {
            std::fs::remove_file(cache.join(name)).expect("it is there");
        }
    }
    assert_eq!(all(), first, "with some");
    std::fs::remove_dir_all(&cache).expect("it is there");
    assert_eq!(all(), first, "with none");
}

#[test]
fn a_run_that_the_disk_cannot_hold_is_refused() {
    let folder = folder();
    let scenario = root().join("configs/mainnet.toml").display().to_string();
    let years = ["run", &scenario, "--blocks", "900000000000", "--out", "run"];
    let said = say(folder.path(), &years);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.stderr.contains("free, the run takes about"), "{said:?}");
    assert!(said.stderr.contains("hint: "), "{said:?}");
    assert!(!folder.path().join("run").exists(), "nothing is left of it");
}
