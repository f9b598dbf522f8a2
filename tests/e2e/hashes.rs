//! Same scenario, same seed: same tip hash, however many processes make it, stopped and resumed or not.

use crate::program::{folder, json, json_lines, number, say, scenario, text};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;

const BLOCKS: &str = "120";

fn run(folder: &Path, out: &str, arguments: &[&str]) -> Value {
    let quickstart = scenario("quickstart.toml");
    let mut all = vec!["run", &quickstart, "--json", "--out", out];
    if !arguments.contains(&"--blocks") {
        all.extend(["--blocks", BLOCKS]);
    }
    all.extend(arguments);
    json(folder, &all)
}

#[test]
fn the_number_of_processes_changes_no_hash_and_each_steps_its_share() {
    let folder = folder();
    let alone = run(folder.path(), "alone", &["--processes", "0", "--check-invariants"]);
    assert_eq!((number(&alone, "processes"), number(&alone, "invariant_violations")), (1, 0));
    assert!(number(&alone, "events") > 1_000, "{alone}");
    assert!(number(&alone["messages"], "delivered") > 0, "{alone}");
    for hosts in ["1", "2", "4"] {
        let spread = run(folder.path(), hosts, &["--processes", hosts]);
        for key in ["tip_hash", "state_root", "scenario_hash"] {
            assert_eq!(text(&spread, key), text(&alone, key), "{key} with {hosts} hosts");
        }
        for key in ["events", "extrinsics", "rejected"] {
            assert_eq!(number(&spread, key), number(&alone, key), "{key} with {hosts} hosts");
        }
        assert_eq!(spread["messages"], alone["messages"]);
        let processes = spread["process_reports"].as_array().expect("a report per process");
        let count: u64 = hosts.parse().expect("a number");
        assert_eq!((processes.len() as u64, number(&spread, "processes")), (count + 1, count + 1));
        assert_eq!(number(&processes[0], "steps"), 0, "the chain carries no players");
        let steps: Vec<u64> = processes[1..].iter().map(|host| number(host, "steps")).collect();
        let players: Vec<u64> = processes[1..].iter().map(|host| number(host, "players")).collect();
        let total: u64 = steps.iter().sum();
        let fair = total / count;
        assert!(steps.iter().all(|steps| *steps >= fair / 3 && *steps > 0), "{processes:?}");
        let (most, fewest) = (players.iter().max(), players.iter().min());
        assert!(most.zip(fewest).is_some_and(|(most, fewest)| most - fewest <= 1), "{players:?}");
    }
}

#[test]
fn a_run_that_stopped_half_way_goes_on_to_the_same_hash() {
    let folder = folder();
    let straight = run(folder.path(), "straight", &["--processes", "0"]);
    for (out, processes, intervals) in
        [("once", "0", "log.checkpoint_interval=0"), ("spread", "2", "log.checkpoint_interval=7")]
    {
        let set = ["--processes", processes, "--set", intervals];
        let half = run(folder.path(), out, &[&["--blocks", "53"], set.as_slice()].concat());
        assert_eq!(number(&half, "blocks"), 53);
        assert_ne!(text(&half, "tip_hash"), text(&straight, "tip_hash"));
        let whole = json(folder.path(), &["run", "--resume", out, "--blocks", BLOCKS, "--json"]);
        for key in ["tip_hash", "state_root"] {
            assert_eq!(text(&whole, key), text(&straight, key), "{key} of {out}");
        }
        for key in ["events", "extrinsics", "rejected"] {
            assert_eq!(number(&whole, key), number(&straight, key), "{key} of {out}");
        }
        assert_eq!(whole["messages"], straight["messages"], "{out}");
    }
}

/// Every behaviour that keeps books: spread over processes, stopped and resumed.
#[test]
fn a_network_that_lives_is_the_same_however_it_is_made() {
    let folder = folder();
    let living = scenario("living-network.toml");
    let run = |out: &str, blocks: &str, more: &[&str]| {
        let arguments = ["run", &living, "--json", "--out", out, "--blocks", blocks];
        json(folder.path(), &[&arguments[..], more].concat())
    };
    let alone = run("alone", "700", &["--processes", "0", "--check-invariants"]);
    assert_eq!(number(&alone, "invariant_violations"), 0);
    assert_eq!(number(&alone["players"], "customer"), 8);
    for call in ["transfer_keep_alive", "add_stake_limit", "remove_stake_limit", "burned_register"]
    {
        assert!(number(&alone["calls_done"], call) > 0, "{call}: {}", alone["calls_done"]);
    }
    let spread = run("spread", "700", &["--processes", "2"]);
    run("halves", "333", &["--processes", "2"]);
    let whole = json(folder.path(), &["run", "--resume", "halves", "--blocks", "700", "--json"]);
    for key in ["tip_hash", "state_root"] {
        assert_eq!(text(&spread, key), text(&alone, key), "{key}");
        assert_eq!(text(&whole, key), text(&alone, key), "{key} of the resumed");
    }
}

#[test]
fn caches_that_are_due_at_the_last_block_are_stored_once() {
    let folder = folder();
    let dues = ["--set", "log.checkpoint_interval=20", "--set", "log.snapshot_interval=20"];
    let arguments = ["run", &scenario("quickstart.toml"), "--blocks", "40", "--out", "run"];
    for processes in ["0", "2"] {
        let manner = ["--processes", processes, "--json"];
        let said = say(folder.path(), &[&arguments[..], &manner, &dues].concat());
        assert_eq!(said.code, 0, "{said:?}");
        assert!(!said.stderr.contains("cannot be written"), "{said:?}");
        let cache = folder.path().join("run/cache");
        let files = cache.read_dir().expect("there are caches").flatten();
        let names: Vec<String> =
            files.map(|file| file.file_name().to_string_lossy().into_owned()).collect();
        for kind in ["checkpoint-", "snapshot-", "totals-"] {
            let stored = names.iter().filter(|name| name.starts_with(kind)).count();
            assert_eq!(stored, 2, "{kind} of {names:?}");
        }
        assert!(names.iter().all(|name| name.ends_with(".bin")), "{names:?}");
        std::fs::remove_dir_all(folder.path().join("run")).expect("it is ours");
    }
}

#[test]
fn without_any_cache_a_run_goes_on_from_genesis_to_the_same_hash() {
    let folder = folder();
    let straight = run(folder.path(), "straight", &["--processes", "0"]);
    run(folder.path(), "half", &["--processes", "0", "--blocks", "31"]);
    let cache = folder.path().join("half/cache");
    assert!(cache.read_dir().is_ok_and(|mut files| files.next().is_some()), "there is a cache");
    std::fs::remove_dir_all(cache).expect("caches may be deleted at any time");
    let whole = json(folder.path(), &["run", "--resume", "half", "--blocks", BLOCKS, "--json"]);
    assert_eq!(text(&whole, "tip_hash"), text(&straight, "tip_hash"));
}

#[test]
fn another_seed_gives_another_hash_and_names_change_none() {
    let folder = folder();
    let hash = |out: &str, arguments: &[&str]| {
        let arguments = [&["--processes", "0", "--blocks", "20"], arguments].concat();
        let summary = run(folder.path(), out, &arguments);
        text(&summary, "tip_hash").to_owned()
    };
    let one = hash("one", &[]);
    assert_eq!(hash("two", &[]), one);
    assert_ne!(hash("seed", &["--seed", "99"]), one);
    assert_eq!(hash("name", &["--set", "scenario.name=other"]), one);
    assert_ne!(hash("latency", &["--set", "network.latency_ms_max=901"]), one);
}

/// The folder of `runs/latest` is the newest one.
#[test]
fn run_folders_are_numbered_and_the_newest_is_linked() {
    let folder = folder();
    let quickstart = scenario("quickstart.toml");
    let run = || json(folder.path(), &["run", &quickstart, "--blocks", "3", "--json"]);
    let (first, second) = (run(), run());
    assert_ne!(text(&first, "run"), text(&second, "run"));
    let latest = folder.path().join("runs/latest");
    let latest = latest.canonicalize().expect("the link leads somewhere");
    let newest = folder.path().join(text(&second, "run")).canonicalize();
    assert_eq!(Some(latest), newest.ok());
    let listed = json_lines(folder.path(), &["runs", "--json"]);
    let runs: Vec<&str> = listed.iter().map(|run| text(run, "run")).collect();
    assert_eq!(runs, [text(&first, "run"), text(&second, "run")]);
}

/// Each rule of `[rules]` makes another world, the same one however it is made; `sound` leaks nothing.
#[test]
fn modes_fees_and_versions_are_worlds_of_their_own() {
    let folder = folder();
    let mut hashes = BTreeSet::new();
    for (name, rules) in [
        ("plain", [].as_slice()),
        ("price", &["rules.version=\"price\""]),
        ("fees", &["rules.fees=\"reference\""]),
        ("sound", &["rules.mode=\"sound\"", "rules.fees=\"reference\""]),
    ] {
        let set: Vec<&str> = rules.iter().flat_map(|rule| ["--set", rule]).collect();
        let alone = ["--processes", "0", "--check-invariants"];
        let alone = run(folder.path(), name, &[alone.as_slice(), &set].concat());
        let spread = format!("{name}-spread");
        let spread = run(folder.path(), &spread, &[&["--processes", "2"], set.as_slice()].concat());
        assert_eq!(text(&alone, "tip_hash"), text(&spread, "tip_hash"), "{name}");
        assert_eq!(number(&alone, "invariant_violations"), 0, "{name}");
        assert!(hashes.insert(text(&alone, "tip_hash").to_owned()), "{name} is no other world");

        let network = json(folder.path(), &["inspect", name, "network", "--json"]);
        let leaked = network["leaked_rao"].as_object().expect("a ledger each");
        let still = leaked.values().all(|ledger| *ledger == 0);
        assert_eq!(still, name == "sound", "{name}: {leaked:?}");
        let fees =
            if rules.iter().any(|rule| rule.contains("fees")) { "reference" } else { "none" };
        assert_eq!(text(&network, "fees"), fees);
        let paid = json_lines(folder.path(), &["log", name, "--kind", "fee_paid", "--json"]);
        assert_eq!(paid.is_empty(), fees == "none", "{name}");
    }
}
