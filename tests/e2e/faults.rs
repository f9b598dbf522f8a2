//! Simulated faults: they change results, the same way however the run is made, and when they are over everyone acts
//! again.

use crate::program::{folder, json, json_lines, number, say, scenario, text};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The last block that `configs/chaos-network.toml` makes under a fault.
const HEALED: u64 = 2_099;
/// Blocks from one epoch to the next.
const TEMPO_BLOCKS: u64 = 50;

fn run(folder: &Path, out: &str, more: &[&str]) -> Value {
    let file = scenario("chaos-network.toml");
    json(folder, &[&["run", &file, "--out", out, "--json"], more].concat())
}

fn dropped(folder: &Path, run: &str, to: u64) -> u64 {
    let to = format!("+{to}");
    let summary = json(folder, &["replay", run, "--to", &to, "--json"]);
    number(&summary["messages"], "dropped")
}

/// The blocks in which each validator, by netuid and uid, set weights; nobody enters or leaves.
fn weights_set(
    folder: &Path,
    run: &str,
    from: u64,
    to: u64,
) -> BTreeMap<(u64, u64), BTreeSet<u64>> {
    let (from, to) = (format!("+{from}"), format!("+{to}"));
    let kind = ["--kind", "weights_set", "--json"];
    let arguments = ["log", run, "--from", &from, "--to", &to];
    let mut blocks: BTreeMap<(u64, u64), BTreeSet<u64>> = BTreeMap::new();
    for row in json_lines(folder, &[&arguments[..], &kind].concat()) {
        let who = (number(&row, "netuid"), number(&row, "uid"));
        blocks.entry(who).or_default().insert(number(&row, "block"));
    }
    blocks
}

#[test]
fn a_chaotic_run_is_the_same_however_it_is_made() {
    let folder = folder();
    let folder = folder.path();
    let straight = run(folder, "straight", &["--processes", "0", "--check-invariants"]);
    assert_eq!(number(&straight, "invariant_violations"), 0, "{straight}");
    assert_eq!(number(&straight, "crashes"), 0, "{straight}");
    // Ten that are fixed, and two that are drawn: the moment of the third period is after its end.
    assert_eq!(number(&straight, "faults"), 12, "{straight}");
    // Over two hosts, stopped in the middle of a partition, picked up with and without caches.
    run(folder, "spread", &["--processes", "2", "--blocks", "1000"]);
    json(folder, &["run", "--resume", "spread", "--blocks", "1900", "--json"]);
    std::fs::remove_dir_all(folder.join("spread/cache")).expect("there is a cache");
    let spread = json(folder, &["run", "--resume", "spread", "--blocks", "3600", "--json"]);
    for key in ["tip_hash", "state_root", "scenario_hash"] {
        assert_eq!(text(&spread, key), text(&straight, key), "{key}");
    }
    assert_eq!(spread["messages"], straight["messages"]);
    let verdict = json(folder, &["verify", "spread", "--re-execute", "--re-simulate", "--json"]);
    assert_eq!(verdict["sound"], true, "{verdict}");
    assert_eq!(number(&verdict, "re_simulated_blocks"), 3_600);
    let replayed = json(folder, &["replay", "spread", "--json"]);
    for key in ["tip_hash", "faults", "messages", "events"] {
        assert_eq!(replayed[key], straight[key], "{key}");
    }
}

#[test]
fn messages_are_lost_while_faults_last_and_everyone_acts_when_they_are_over() {
    let folder = folder();
    let folder = folder.path();
    let chaos = run(folder, "chaos", &["--processes", "0"]);
    let lost = |to| dropped(folder, "chaos", to);
    // Before the first, loss, corruption, delay and duplication, a clog, a partition, and when all is over.
    assert_eq!(lost(99), 0);
    let (loss, corruption, partition) = (lost(399), lost(449), (lost(899), lost(1_199)));
    assert!(loss > 100, "{loss}");
    assert!(corruption > loss, "{loss} {corruption}");
    assert!(partition.1 > partition.0 + 50, "{partition:?}");
    let total = number(&chaos["messages"], "dropped");
    assert_eq!(lost(HEALED + 1), total, "nothing is lost any more");

    let healed = weights_set(folder, "chaos", HEALED + 1, HEALED + TEMPO_BLOCKS);
    assert_eq!(healed.len(), 12, "within a tempo every validator sets weights: {healed:?}");
    let away = weights_set(folder, "chaos", 1_860, 2_049);
    let back = weights_set(folder, "chaos", 2_050, 2_050);
    let absent = healed.keys().filter(|who| !away.contains_key(who));
    let offline: BTreeSet<&(u64, u64)> = absent.collect();
    assert!((2..=10).contains(&offline.len()), "half of them, drawn: {offline:?}");
    assert!(
        offline.iter().all(|who| back.contains_key(who)),
        "their calls arrive when they are back: {offline:?}, {back:?}"
    );
}

#[test]
fn until_a_fault_strikes_a_run_is_the_one_without() {
    let folder = folder();
    let folder = folder.path();
    let short = ["--processes", "0", "--blocks", "250"];
    let chaos = run(folder, "chaos", &short);
    let calm = run(folder, "calm", &[&short[..], &["--set", "fault=[]"]].concat());
    assert_ne!(text(&calm, "scenario_hash"), text(&chaos, "scenario_hash"));
    assert_eq!((number(&chaos, "faults"), number(&calm, "faults")), (1, 0));
    assert_eq!(number(&calm["messages"], "dropped"), 0);
    let events = |run, to| json_lines(folder, &["log", run, "--to", to, "--json"]);
    assert_eq!(events("calm", "+99"), events("chaos", "+99"));
    assert_ne!(events("calm", "+250"), events("chaos", "+250"));
    // A fork heals what its parent suffers, and the other way round.
    let fork = |of, set, out| {
        let arguments = ["fork", of, "--at", "+150", "--set", set, "--out", out];
        json(folder, &[&arguments[..], &["--processes", "0", "--json"]].concat())
    };
    let healed = fork("chaos", "fault=[]", "healed");
    assert_eq!(number(&healed, "faults"), 1, "it struck before");
    assert_eq!(number(&healed["messages"], "dropped"), dropped(folder, "chaos", 150));
    let struck =
        fork("calm", "fault=[{ kind = \"loss\", at = 151, for = 50, ppm = 400_000 }]", "struck");
    assert_eq!(number(&struck, "faults"), 1);
    let (before, after) = (dropped(folder, "struck", 150), dropped(folder, "struck", 250));
    assert!(before == 0 && after > 20, "{before} {after}");
    for run in ["healed", "struck"] {
        let verdict = json(folder, &["verify", run, "--re-execute", "--re-simulate", "--json"]);
        assert_eq!(verdict["sound"], true, "{verdict}");
    }
    let endless = "fault=[{ kind = \"loss\", at = 151, ppm = 1 }]";
    let said = say(folder, &["fork", "calm", "--at", "+150", "--set", endless]);
    let names = said.stderr.contains("fault[0].for: loss needs how long it lasts");
    assert!(said.code == 2 && names, "{said:?}");
}
