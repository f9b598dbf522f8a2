//! Faults of a scenario below the simulation: processes are killed and stopped, frames lost, doubled and garbled, the log
//! fails; the run comes to the block of the quiet one, and its journal tells what struck.

use crate::links::alone;
use crate::program::{folder, json, number, say, scenario, text};
use std::path::Path;

const BLOCKS: &str = "120";

/// The quickstart with faults, slow enough to be struck where it should.
fn struck(folder: &Path, faults: &str) -> serde_json::Value {
    let quickstart = scenario("quickstart.toml");
    let faults = format!("fault=[{faults}]");
    json(
        folder,
        &[
            "run",
            &quickstart,
            "--blocks",
            BLOCKS,
            "--pace",
            "1200x",
            "--out",
            "struck",
            "--set",
            &faults,
            "--set",
            "run.host_silence_ms_max=1500",
            "--set",
            "log.checkpoint_interval=25",
            "--json",
        ],
    )
}

/// Every kind in two runs, each once, far enough from each other for the one before to be over.
#[test]
fn a_run_that_is_struck_comes_to_the_block_of_the_quiet_one() {
    let signals_and_log = [
        "kill-chain",
        "kill-host",
        "pause-chain",
        "pause-host",
        "torn-write",
        "full-disk",
        "failed-sync",
        "lost-caches",
        "damaged-caches",
    ];
    let frames = ["repeat", "slow", "garble", "cut", "oversize", "drop", "reorder"];
    for kinds in [&signals_and_log[..], &frames] {
        let folder = folder();
        let faults = kinds.iter().enumerate().map(|(at, kind)| {
            let block = 6 + 12 * at;
            format!("{{kind=\"{kind}\",at=\"+{block}\"}}")
        });
        let faults: Vec<String> = faults.collect();
        let run = struck(folder.path(), &faults.join(","));
        assert_eq!(text(&run, "tip_hash"), alone(folder.path(), BLOCKS), "{run}");
        for kind in kinds {
            assert_eq!(number(&run["disturbances"], kind), 1, "{kind}: {run}");
        }
        let quiet = ["repeat", "slow", "pause-chain", "pause-host"];
        let deadly = kinds.iter().filter(|kind| !quiet.contains(kind)).count() as u64;
        assert!(number(&run, "restarts") >= deadly, "{run}");
        let journal = std::fs::read_to_string(folder.path().join("struck/journal.jsonl"));
        let journal = journal.expect("a run has a journal");
        let told = journal.lines().filter(|line| line.contains("\"struck\"")).count();
        assert!(told >= kinds.len(), "{journal}");
        let verified = json(folder.path(), &["verify", "struck", "--re-execute", "--json"]);
        assert_eq!(verified["sound"], true, "{verified}");
    }
}

/// They end the run before a block is made, more often than a run may end without a fault before it is given up: two hosts
/// are struck at most four times, once from each side.
#[test]
fn faults_that_are_due_together_strike_one_after_the_other() {
    let folder = folder();
    let run = struck(folder.path(), &[r#"{kind="cut",at="+10"}"#; 28].join(","));
    assert_eq!(text(&run, "tip_hash"), alone(folder.path(), BLOCKS), "{run}");
    assert_eq!(number(&run["disturbances"], "cut"), 28, "{run}");
    assert!(number(&run, "restarts") >= 7, "{run}");
}

#[test]
fn with_one_process_there_is_nobody_to_strike() {
    let folder = folder();
    let quickstart = scenario("quickstart.toml");
    let set = "fault=[{kind=\"kill-host\",every=10}]";
    let run = ["run", &quickstart, "--blocks", "30", "--processes", "0", "--set", set, "--json"];
    let said = say(folder.path(), &run);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.stderr.contains("this run has one process"), "{said:?}");
}
