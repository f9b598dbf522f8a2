//! Stopping and dying: the log stays whole, nobody is left behind, the run goes on to the same hash.

use crate::program::{folder, json, number, say, scenario, start, text, wait};
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

/// How long the program may take to get somewhere before a test gives up.
const PATIENCE: Duration = Duration::from_secs(60);

const BLOCKS: &str = "400";

/// Starts a run at a pace that leaves time to disturb it: 20 blocks a second.
fn start_slow(folder: &Path, processes: &str) -> Child {
    let quickstart = scenario("quickstart.toml");
    start(
        folder,
        &[
            "run",
            &quickstart,
            "--blocks",
            BLOCKS,
            "--out",
            "run",
            "--processes",
            processes,
            "--pace",
            "240x",
            "--json",
        ],
    )
}

fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "waited too long for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Processes below a process, as the system lists them.
fn children(parent: u32) -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").expect("Linux");
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| parent_of(*pid) == Some(parent)).collect()
}

fn parent_of(pid: u32) -> Option<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let rest = stat.rsplit_once(')')?.1;
    let mut fields = rest.split_whitespace();
    let state = fields.next()?;
    (state != "Z").then(|| fields.next()?.parse().ok()).flatten()
}

fn is_alive(pid: u32) -> bool {
    parent_of(pid).is_some()
}

fn kill(signal: &str, pid: u32) {
    let status = Command::new("kill").args([signal, &pid.to_string()]).status();
    assert!(status.is_ok_and(|status| status.success()), "kill {signal} {pid}");
}

/// The tip hash of the whole run, undisturbed.
fn straight(folder: &Path) -> String {
    let quickstart = scenario("quickstart.toml");
    let arguments =
        ["run", &quickstart, "--blocks", BLOCKS, "--out", "straight", "--processes", "0", "--json"];
    text(&json(folder, &arguments), "tip_hash").to_owned()
}

fn resumed(folder: &Path) -> String {
    let arguments = ["run", "--resume", "run", "--blocks", BLOCKS, "--pace", "max", "--json"];
    let whole = json(folder, &arguments);
    assert_eq!(number(&whole, "blocks").to_string(), BLOCKS);
    text(&whole, "tip_hash").to_owned()
}

#[test]
fn an_interrupt_ends_the_run_at_a_block_border() {
    for processes in ["0", "2"] {
        let folder = folder();
        let run = start_slow(folder.path(), processes);
        let ready = folder.path().join("run/log");
        let pid = run.id();
        let count = if processes == "0" { 0 } else { 3 };
        wait_until("the run to begin", || ready.exists() && children(pid).len() == count);
        std::thread::sleep(Duration::from_millis(1_500));
        let family = children(pid);
        kill("-INT", pid);
        let said = wait(run);
        assert_eq!(said.code, 0, "{said:?}");
        let summary: serde_json::Value = serde_json::from_str(&said.stdout).expect("a summary");
        assert!(number(&summary, "blocks") < 400, "{summary}");
        assert!(family.iter().all(|pid| !is_alive(*pid)), "somebody was left behind");
        let replayed = json(folder.path(), &["replay", "run", "--json"]);
        assert_eq!(text(&replayed, "tip_hash"), text(&summary, "tip_hash"));
        assert_eq!(resumed(folder.path()), straight(folder.path()));
    }
}

#[test]
fn a_killed_launcher_takes_its_processes_along_and_the_run_goes_on() {
    let folder = folder();
    let run = start_slow(folder.path(), "2");
    let pid = run.id();
    wait_until("all processes", || children(pid).len() == 3);
    std::thread::sleep(Duration::from_millis(1_500));
    let family = children(pid);
    kill("-KILL", pid);
    wait(run);
    wait_until("the processes to end", || family.iter().all(|pid| !is_alive(*pid)));
    let verified = json(folder.path(), &["verify", "run", "--json"]);
    assert_eq!(verified["sound"], true);
    assert_eq!(resumed(folder.path()), straight(folder.path()));
}

#[test]
fn a_killed_host_ends_the_run_with_a_hint_and_the_run_goes_on() {
    let folder = folder();
    let run = start_slow(folder.path(), "2");
    let pid = run.id();
    wait_until("all processes", || children(pid).len() == 3);
    std::thread::sleep(Duration::from_millis(1_500));
    let family = children(pid);
    let host = family.iter().max().copied().expect("three processes");
    kill("-KILL", host);
    let said = wait(run);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.stderr.contains("host process"), "{said:?}");
    assert!(said.stderr.contains("hint: `btemu run --resume"), "{said:?}");
    assert!(family.iter().all(|pid| !is_alive(*pid)), "somebody was left behind");
    assert_eq!(resumed(folder.path()), straight(folder.path()));
}

#[test]
fn a_log_that_is_being_written_is_refused_to_readers() {
    let folder = folder();
    let run = start_slow(folder.path(), "0");
    wait_until("the log", || folder.path().join("run/log").exists());
    std::thread::sleep(Duration::from_millis(500));
    let said = say(folder.path(), &["replay", "run"]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.stderr.contains("in use"), "{said:?}");
    kill("-INT", run.id());
    wait(run);
    json(folder.path(), &["replay", "run", "--json"]);
}
