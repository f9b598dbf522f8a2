//! Weights that are sealed until they count: the same run however it is made, and consensus one period later.

use crate::program::{folder, json, json_lines, number, say, scenario, text};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

const BLOCKS: &str = "110";
/// Blocks from epoch to epoch of the quickstart.
const PERIOD: u64 = 20;
const SEALED: [&str; 2] = ["--set", "hyperparameters.commit_reveal=true"];
const HASHED: [&str; 4] = [
    "--set",
    "hyperparameters.commit_reveal=true",
    "--set",
    "players.validators.settings.commit=\"hash\"",
];

fn run(folder: &Path, out: &str, blocks: &str, arguments: &[&str]) -> Value {
    let quickstart = scenario("quickstart.toml");
    let all = ["run", &quickstart, "--json", "--out", out, "--blocks", blocks];
    json(folder, &[&all, arguments].concat())
}

/// How often facts of a kind came.
fn count(folder: &Path, out: &str, kind: &str) -> usize {
    json_lines(folder, &["log", out, "--kind", kind, "--json"]).len()
}

/// By subnet, the first epoch whose consensus tells one miner from another: the opening weights do not.
fn first_distinction(folder: &Path, out: &str) -> BTreeMap<u64, u64> {
    let mut epochs: BTreeMap<(u64, u64), Vec<u64>> = BTreeMap::new();
    for neuron in json_lines(folder, &["log", out, "--kind", "epoch_run", "--json"]) {
        let consensus = number(&neuron, "consensus");
        if consensus > 0 {
            let epoch = (number(&neuron, "netuid"), number(&neuron, "block"));
            epochs.entry(epoch).or_default().push(consensus);
        }
    }
    let mut first = BTreeMap::new();
    for ((netuid, block), consensus) in epochs {
        let (least, most) = (consensus.iter().min(), consensus.iter().max());
        // One rounding apart is no distinction.
        if most.zip(least).is_some_and(|(most, least)| most - least > 1) {
            first.entry(netuid).or_insert(block);
        }
    }
    first
}

#[test]
fn consensus_forms_one_period_later_and_no_other_way() {
    let folder = folder();
    let alone = ["--processes", "0", "--check-invariants"];
    for (out, settings) in [("direct", &[][..]), ("timelocked", &SEALED[..]), ("hash", &HASHED[..])]
    {
        let made = run(folder.path(), out, BLOCKS, &[&alone, settings].concat());
        assert_eq!(number(&made, "invariant_violations"), 0, "{out}");
        assert_eq!(number(&made, "rejected"), 0, "{out}");
    }
    let direct = first_distinction(folder.path(), "direct");
    assert_eq!(direct.len(), 3, "{direct:?}");
    for out in ["timelocked", "hash"] {
        let later: BTreeMap<u64, u64> =
            direct.iter().map(|(netuid, block)| (*netuid, block + PERIOD)).collect();
        assert_eq!(first_distinction(folder.path(), out), later, "{out}");
    }
    for (out, kind, comes) in [
        ("direct", "timelocked_weights_committed", false),
        ("direct", "beacon_rounds_stored", true),
        ("timelocked", "timelocked_weights_committed", true),
        ("timelocked", "timelocked_weights_revealed", true),
        ("timelocked", "timelocked_commit_dropped", false),
        ("timelocked", "timelocked_commits_expired", false),
        ("timelocked", "weights_revealed", false),
        ("hash", "weights_committed", true),
        ("hash", "weights_revealed", true),
        ("hash", "timelocked_weights_committed", false),
    ] {
        assert_eq!(count(folder.path(), out, kind) > 0, comes, "{out}: {kind}");
    }
    // What is sealed is told by hash and length alone.
    let committed = ["log", "timelocked", "--kind", "timelocked_weights_committed", "--json"];
    let committed = json_lines(folder.path(), &committed);
    let sealed =
        json_lines(folder.path(), &["log", "timelocked", "--kind", "commit_payload", "--json"]);
    assert_eq!(sealed.len(), committed.len());
    for (sealed, committed) in sealed.iter().zip(&committed) {
        let fields: Vec<&String> = sealed.as_object().expect("an object").keys().collect();
        assert_eq!(fields, ["block", "commit", "kind", "payload_bytes", "time_ms"]);
        assert_eq!(sealed["commit"], committed["hash"]);
        assert!(number(sealed, "payload_bytes") > 32 + 32);
    }
    let said = say(folder.path(), &["verify", "timelocked"]);
    assert_eq!(said.code, 0, "{said:?}");
}

#[test]
fn sealed_weights_make_the_same_run_however_it_is_made() {
    let folder = folder();
    for (name, settings) in [("timelocked", &SEALED[..]), ("hash", &HASHED[..])] {
        let out = |how: &str| format!("{name}-{how}");
        let alone = [&["--processes", "0"], settings].concat();
        let straight = run(folder.path(), &out("straight"), BLOCKS, &alone);
        let spread = [&["--processes", "2"], settings].concat();
        let spread = run(folder.path(), &out("spread"), BLOCKS, &spread);
        assert_eq!(text(&spread, "tip_hash"), text(&straight, "tip_hash"), "{name}");
        // Stopped while rows wait: block 50 is in the middle of an epoch. With a snapshot of the block, with an
        // older one, with none at all.
        for (how, snapshots, processes) in
            [("exact", "50", "0"), ("older", "21", "2"), ("bare", "0", "0")]
        {
            let intervals = format!("log.snapshot_interval={snapshots}");
            let half = [
                "--processes",
                processes,
                "--set",
                "log.checkpoint_interval=25",
                "--set",
                &intervals,
            ];
            run(folder.path(), &out(how), "50", &[&half, settings].concat());
            if how != "exact" {
                let cache = folder.path().join(out(how)).join("cache");
                let snapshots = std::fs::read_dir(&cache).expect("there is a cache");
                for file in snapshots.map(|file| file.expect("readable").path()) {
                    let name = file.file_name().map(|name| name.to_string_lossy().into_owned());
                    let name = name.unwrap_or_default();
                    let last = name.starts_with("snapshot") && name.contains("50");
                    if last || how == "bare" {
                        std::fs::remove_file(file).expect("caches may be deleted at any time");
                    }
                }
            }
            let resume = ["run", "--resume", &out(how), "--blocks", BLOCKS, "--json"];
            let whole = json(folder.path(), &resume);
            for key in ["tip_hash", "state_root"] {
                assert_eq!(text(&whole, key), text(&straight, key), "{key} of {name}, {how}");
            }
            assert_eq!(number(&whole, "events"), number(&straight, "events"), "{name}, {how}");
        }
    }
}
