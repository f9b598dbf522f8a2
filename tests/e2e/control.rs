//! `btemu ctl`: a live run that is paused, paced and stopped, to the same hash; and what it says it took.

use crate::interruption::{chain_of, children, is_alive, kill, resumed, straight, wait_until};
use crate::program::{Said, folder, json, number, say, scenario, start, text, wait};
use serde_json::Value;
use std::path::Path;
use std::process::Child;
use std::time::Duration;

const BLOCKS: &str = "400";

/// Starts a run of 50 blocks a second, whose door is open when this returns.
fn start_run(folder: &Path, processes: &str, more: &[&str]) -> Child {
    let quickstart = scenario("quickstart.toml");
    let run = ["run", &quickstart, "--blocks", BLOCKS, "--out", "run", "--processes", processes];
    let manner = ["--set", "log.checkpoint_interval=20", "--json"];
    let pace = ["--pace", "600x"];
    let pace = if more.contains(&"--pace") { &[][..] } else { &pace };
    let child = start(folder, &[&run[..], pace, &manner, more].concat());
    wait_until("its door", || folder.join("run/door").exists());
    child
}

/// Asks, which must succeed; how the run does then.
fn ctl(folder: &Path, command: &[&str]) -> Value {
    json(folder, &[&["ctl", "run"], command, &["--json"]].concat())
}

fn wait_for_block(folder: &Path, block: u64) {
    wait_until("a block", || number(&ctl(folder, &["status"]), "block") >= block);
}

fn summary(said: &Said) -> Value {
    assert_eq!(said.code, 0, "{said:?}");
    serde_json::from_str(&said.stdout).expect("a summary")
}

fn journal(folder: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(folder.join("run/journal.jsonl")).expect("it is kept");
    text.lines().map(|line| serde_json::from_str(line).expect("each line is an object")).collect()
}

fn steps(summary: &Value) -> u64 {
    let reports = summary["process_reports"].as_array().expect("a list");
    reports.iter().map(|report| number(report, "steps")).sum()
}

#[test]
fn a_paused_run_stands_at_a_block_border_and_goes_on_to_the_same_hash() {
    for processes in ["0", "2"] {
        let folder = folder();
        let run = start_run(folder.path(), processes, &[]);
        wait_for_block(folder.path(), 10);
        let paused = ctl(folder.path(), &["pause"]);
        assert_eq!(text(&paused, "state"), "paused", "{paused}");
        let block = number(&paused, "block");
        assert_eq!(number(&paused, "simulated_seconds"), 12 * block);
        assert_eq!(text(&ctl(folder.path(), &["pace", "max"]), "pace"), "max");
        std::thread::sleep(Duration::from_millis(300));
        let status = ctl(folder.path(), &["status"]);
        assert_eq!((text(&status, "state"), number(&status, "block")), ("paused", block));
        assert_eq!(status["blocks_per_second"], 0.0, "{status}");
        let names = status["processes"].as_array().expect("a list").iter().map(|row| {
            assert!(number(row, "rss_bytes") > 0 && is_alive(number(row, "pid") as u32), "{row}");
            text(row, "name")
        });
        let names: Vec<&str> = names.collect();
        let expected = match processes {
            "0" => vec!["chain"],
            _ => vec!["launcher", "chain", "host-0", "host-1"],
        };
        assert_eq!(names, expected);
        let shown = say(folder.path(), &["ctl", "run", "status"]);
        assert!(shown.stdout.contains("state      paused\n"), "{shown:?}");
        let listed = json(folder.path(), &["runs", "--folder", ".", "--json"]);
        assert_eq!((text(&listed, "state"), number(&listed, "blocks")), ("paused", block));
        assert_eq!(text(&ctl(folder.path(), &["resume"]), "state"), "running");
        let whole = summary(&wait(run));
        assert_eq!(text(&whole, "ended"), "complete");
        assert_eq!(text(&whole, "tip_hash"), straight(folder.path()));
        let asked: Vec<Value> = journal(folder.path())
            .into_iter()
            .filter(|line| line["kind"] == "controlled")
            .collect();
        assert_eq!(asked.len(), 3, "{asked:?}");
        assert_eq!((&asked[0]["motion"], number(&asked[0], "block")), (&"paused".into(), block));
    }
}

#[test]
fn a_run_that_is_stopped_ends_at_a_block_border_and_can_be_resumed() {
    for (processes, first) in [("0", "status"), ("2", "status"), ("2", "pause")] {
        let folder = folder();
        let run = start_run(folder.path(), processes, &[]);
        wait_for_block(folder.path(), 10);
        let family = children(run.id());
        ctl(folder.path(), &[first]);
        let stopped = say(folder.path(), &["ctl", "run", "stop"]);
        assert_eq!(stopped.code, 0, "{stopped:?}");
        // Whoever waited for it may read the log at once.
        let replayed = json(folder.path(), &["replay", "run", "--json"]);
        let part = summary(&wait(run));
        assert_eq!(text(&part, "ended"), "stopped");
        assert!(number(&part, "blocks") < 400, "{part}");
        assert_eq!(text(&replayed, "tip_hash"), text(&part, "tip_hash"));
        assert!(stopped.stdout.contains(&format!("at block {}", number(&part, "block"))));
        let last = journal(folder.path()).pop().expect("it ended");
        assert_eq!((&last["kind"], &last["reason"]), (&"ended".into(), &"stopped".into()));
        assert!(family.iter().all(|pid| !is_alive(*pid)), "somebody was left behind");
        assert_eq!(resumed(folder.path()), straight(folder.path()));
    }
}

#[test]
fn what_was_asked_survives_a_restart_of_the_chain() {
    let folder = folder();
    let run = start_run(folder.path(), "1", &["--set", "log.durability=block"]);
    wait_for_block(folder.path(), 30);
    ctl(folder.path(), &["pace", "700x"]);
    let block = number(&ctl(folder.path(), &["pause"]), "block");
    kill("-KILL", chain_of(&children(run.id())).expect("it has a chain"));
    // The next chain makes the blocks again that the log holds, and stands where the run stood.
    wait_until("the run to stand again", || {
        let status = ctl(folder.path(), &["status"]);
        assert_eq!((text(&status, "state"), text(&status, "pace")), ("paused", "700x"));
        number(&status, "restarts") == 1 && number(&status, "block") == block
    });
    ctl(folder.path(), &["resume"]);
    let whole = summary(&wait(run));
    assert_eq!(number(&whole, "restarts"), 1);
    assert_eq!(text(&whole, "tip_hash"), straight(folder.path()));
}

#[test]
fn a_run_that_waits_for_its_pace_hears_at_once() {
    for processes in ["0", "1"] {
        let folder = folder();
        // A block in three hours: whatever is done here is done while it waits for the second one.
        let run = start_run(folder.path(), processes, &["--pace", "0.001x"]);
        let status = ctl(folder.path(), &["pace", "0.002x"]);
        assert_eq!((text(&status, "pace"), text(&status, "state")), ("0.002x", "running"));
        assert!(number(&status, "block") <= 1, "{status}");
        ctl(folder.path(), &["pace", "max"]);
        assert_eq!(text(&summary(&wait(run)), "tip_hash"), straight(folder.path()));
    }
}

#[test]
fn a_paused_run_is_not_silent() {
    let folder = folder();
    let run = start_run(folder.path(), "1", &["--set", "run.chain_silence_ms_max=2000"]);
    ctl(folder.path(), &["pause"]);
    std::thread::sleep(Duration::from_millis(5_000));
    ctl(folder.path(), &["resume"]);
    let whole = summary(&wait(run));
    assert_eq!((number(&whole, "restarts"), number(&whole, "attempts")), (0, 1));
    assert_eq!(text(&whole, "tip_hash"), straight(folder.path()));
}

#[test]
fn many_may_speak_to_a_run_at_once() {
    let folder = folder();
    let run = start_run(folder.path(), "1", &[]);
    let commands = [&["pause"][..], &["status"], &["resume"], &["pace", "500x"], &["status"]];
    let asking: Vec<Child> = (0..10)
        .map(|number| {
            let command = commands[number % commands.len()];
            start(folder.path(), &[&["ctl", "run"], command, &["--json"]].concat())
        })
        .collect();
    for said in asking.into_iter().map(wait) {
        let status = summary(&said);
        assert!(["running", "paused"].contains(&text(&status, "state")), "{status}");
    }
    ctl(folder.path(), &["pace", "max"]);
    ctl(folder.path(), &["resume"]);
    assert_eq!(text(&summary(&wait(run)), "tip_hash"), straight(folder.path()));
}

#[test]
fn a_run_that_is_not_live_is_said_to_be() {
    let folder = folder();
    let not_live = |command: &[&str]| {
        let said = say(folder.path(), &[&["ctl", "run"], command].concat());
        assert_eq!(said.code, 1, "{said:?}");
        assert!(said.stderr.contains("error: the run run is not live"), "{said:?}");
        assert!(said.stderr.contains("hint: `btemu run --resume run`"), "{said:?}");
    };
    let run = start_run(folder.path(), "0", &[]);
    kill("-KILL", run.id());
    wait(run);
    // It leaves a door behind which nobody is.
    not_live(&["status"]);
    resumed(folder.path());
    for command in [&["status"][..], &["pause"], &["resume"], &["pace", "max"], &["stop"]] {
        not_live(command);
    }
    let rows: [(&[&str], i32, &str); 3] = [
        (&["ctl", "nothing", "status"], 1, "there is no run folder nothing"),
        (&["ctl", "run", "pace", "fast"], 2, "is no pace"),
        (&["ctl", "run", "halt"], 2, "halt"),
    ];
    for (arguments, code, what) in rows {
        let said = say(folder.path(), arguments);
        assert_eq!(said.code, code, "{said:?}");
        assert!(said.stderr.contains(what), "{said:?}");
    }
}

#[test]
fn a_summary_counts_over_all_attempts_and_resumptions() {
    let folder = folder();
    let run = start_run(folder.path(), "2", &[]);
    wait_for_block(folder.path(), 100);
    // A run that stands has told all it did.
    ctl(folder.path(), &["pause"]);
    kill("-KILL", chain_of(&children(run.id())).expect("it has a chain"));
    wait_until("the next chain", || number(&ctl(folder.path(), &["status"]), "restarts") == 1);
    ctl(folder.path(), &["resume"]);
    wait_for_block(folder.path(), 130);
    ctl(folder.path(), &["stop"]);
    let first = summary(&wait(run));
    assert_eq!((number(&first, "attempts"), number(&first, "restarts")), (2, 1), "{first}");
    let resume = ["run", "--resume", "run", "--blocks", BLOCKS, "--pace", "max", "--json"];
    let whole = json(folder.path(), &[&resume[..], &["--processes", "1"]].concat());
    assert_eq!((number(&whole, "attempts"), number(&whole, "restarts")), (3, 1), "{whole}");
    assert!(whole["wall_seconds"].as_f64() > first["wall_seconds"].as_f64(), "{whole}");
    assert!(number(&whole, "peak_rss_bytes") >= number(&first, "peak_rss_bytes"), "{whole}");
    let quickstart = scenario("quickstart.toml");
    let undisturbed =
        ["run", &quickstart, "--blocks", BLOCKS, "--out", "straight", "--processes", "1", "--json"];
    let undisturbed = json(folder.path(), &undisturbed);
    for key in ["tip_hash", "messages", "events", "extrinsics", "calls_done", "players"] {
        assert_eq!(whole[key], undisturbed[key], "{key}");
    }
    // Blocks that were made twice cost their steps twice.
    assert!(steps(&whole) >= steps(&undisturbed), "{whole} {undisturbed}");
    assert!(steps(&whole) > steps(&first) && steps(&first) > 0, "{whole}");
    let names = whole["process_reports"].as_array().expect("a list").iter();
    let names: Vec<&str> = names.map(|report| text(report, "name")).collect();
    assert_eq!(names, ["chain", "host-0", "host-1"], "those of every attempt");
    assert_eq!(number(&whole, "processes"), 2, "those that made the last blocks");
}
