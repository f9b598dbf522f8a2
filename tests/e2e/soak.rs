//! A long run takes no more memory than a short one.
//!
//! `BTEMU_SOAK_BLOCKS=200000` makes a night of it; unless it is set, the run is short and the bound follows the log.

use crate::interruption::wait_until;
use crate::program::{folder, json, number, scenario, start, text, wait};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// How many blocks the run has.
const SOAK_BLOCKS: &str = "BTEMU_SOAK_BLOCKS";
const SOAK_BLOCKS_DEFAULT: u64 = 6_000;
/// What the store of the log may hold in memory: `CACHE_BYTES` of `storage/src/log.rs`.
const STORE_CACHE_BYTES: u64 = 64 << 20;
/// What a process may take more or less by chance.
const CHANCE_BYTES: u64 = 8 << 20;

/// A run that stands at a block: the memory of each process, and the size of its log.
#[derive(Debug)]
struct Measured {
    rss_bytes: BTreeMap<String, u64>,
    log_bytes: u64,
}

/// Lets a run go on to a block and measures it there.
fn measure(folder: &Path, block: u64) -> Measured {
    let ctl = |command: &str| json(folder, &["ctl", "run", command, "--json"]);
    let mut last = 0;
    while last < block {
        let before = last;
        wait_until("a further block", || {
            last = number(&ctl("status"), "block");
            last > before
        });
    }
    let paused = ctl("pause");
    assert_eq!(text(&paused, "state"), "paused", "{paused}");
    let row = |row: &Value| (text(row, "name").to_owned(), number(row, "rss_bytes"));
    let rss_bytes = paused["processes"].as_array().expect("a list").iter().map(row).collect();
    let log_bytes = size(&folder.join("run/log"));
    ctl("resume");
    Measured { rss_bytes, log_bytes }
}

fn size(path: &Path) -> u64 {
    let entries = path.read_dir().expect("it is a folder").map(|entry| entry.expect("readable"));
    let sizes = entries.map(|entry| match entry.file_type().expect("readable").is_dir() {
        true => size(&entry.path()),
        // A file of the store may be gone by now.
        false => entry.metadata().map_or(0, |metadata| metadata.len()),
    });
    sizes.sum()
}

#[test]
fn memory_does_not_grow_with_the_length_of_a_run() {
    let blocks = std::env::var(SOAK_BLOCKS).ok().and_then(|blocks| blocks.parse::<u64>().ok());
    let blocks = blocks.unwrap_or(SOAK_BLOCKS_DEFAULT);
    let folder = folder();
    let quickstart = scenario("quickstart.toml");
    let length = blocks.to_string();
    let run = ["run", &quickstart, "--blocks", &length, "--out", "run", "--processes", "2"];
    let run = start(folder.path(), &[&run[..], &["--json"]].concat());
    wait_until("its door", || folder.path().join("run/door").exists());
    let third = measure(folder.path(), blocks / 3);
    let end = measure(folder.path(), blocks * 19 / 20);
    let said = wait(run);
    assert_eq!(said.code, 0, "{said:?}");
    let told = format!("{third:?} {end:?}");
    assert_eq!(third.rss_bytes.len(), 4, "launcher, chain and two hosts: {told}");
    // Until the store's cache is full it holds what was written; from then on nothing may grow at all.
    let written = 2 * end.log_bytes.saturating_sub(third.log_bytes);
    let is_full = third.log_bytes > 2 * STORE_CACHE_BYTES;
    let cache = if is_full { 0 } else { written.min(STORE_CACHE_BYTES) };
    for (name, before) in &third.rss_bytes {
        let after = end.rss_bytes.get(name).copied().unwrap_or_default();
        assert!(*before > 0 && after > 0, "{name}: {told}");
        let allowed = before + CHANCE_BYTES + if name == "chain" { cache } else { 0 };
        assert!(after <= allowed, "{name} grew from {before} to {after} bytes: {told}");
    }
}
