//! Stopping and dying: the log stays whole, nobody is left behind, the run goes on to the same hash.

use crate::program::{Said, folder, json, number, say, scenario, start, text, wait};
use std::path::Path;
use std::process::{Child, Command};
use std::sync::mpsc::{RecvTimeoutError, channel};
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

pub fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "waited too long for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Processes below a process, as the system lists them.
pub fn children(parent: u32) -> Vec<u32> {
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

pub fn is_alive(pid: u32) -> bool {
    parent_of(pid).is_some()
}

pub fn kill(signal: &str, pid: u32) {
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

/// Starts a run of two hosts that leaves time to disturb it and does not go far back after that.
fn start_disturbed(folder: &Path, set: &[&str]) -> Child {
    let quickstart = scenario("quickstart.toml");
    let run = ["run", &quickstart, "--blocks", BLOCKS, "--out", "run", "--processes", "2"];
    let manner = ["--pace", "600x", "--set", "log.checkpoint_interval=20", "--json"];
    let mut all = [&run[..], &manner].concat();
    all.extend(set.iter().flat_map(|set| ["--set", set]));
    start(folder, &all)
}

/// What became of a run that was disturbed, which must have ended as if it had not been; how often it was restarted.
fn healed(folder: &Path, run: Child) -> u64 {
    let said = wait(run);
    assert_eq!(said.code, 0, "{said:?}");
    let summary: serde_json::Value = serde_json::from_str(&said.stdout).expect("a summary");
    assert_eq!(text(&summary, "tip_hash"), straight(folder), "{summary}");
    assert_eq!(number(&summary, "blocks").to_string(), BLOCKS);
    let restarts = number(&summary, "restarts");
    let told = said.stderr.matches("restart ").count() as u64;
    assert_eq!(told, restarts, "each is told with its reason: {said:?}");
    assert!(!said.stderr.contains("cannot be followed"), "its door opens again: {said:?}");
    let journal = std::fs::read_to_string(folder.join("run/journal.jsonl")).expect("it is kept");
    assert_eq!(journal.matches("\"restarted\"").count() as u64, restarts, "{journal}");
    json(folder, &["verify", "run", "--re-execute", "--re-simulate", "--json"]);
    restarts
}

#[test]
fn a_run_whose_processes_are_killed_heals_itself() {
    let folder = folder();
    let run = start_disturbed(folder.path(), &[]);
    let pid = run.id();
    let mut seen = Vec::new();
    let kills = 4;
    for kill_number in 0..kills {
        wait_until("all processes", || children(pid).len() == 3);
        std::thread::sleep(Duration::from_micros(dice(3, "moment", kill_number) % 900_000));
        let family = children(pid);
        seen.extend(family.iter().copied());
        // The chain, then hosts, then whoever it is.
        let victim = match kill_number {
            0 => chain_of(&family),
            _ => family.get((dice(3, "victim", kill_number) % 3) as usize).copied(),
        };
        let Some(victim) = victim else { continue };
        kill("-KILL", victim);
        wait_until("the others to end", || family.iter().all(|pid| !is_alive(*pid)));
    }
    let restarts = healed(folder.path(), run);
    assert!((1..=kills).contains(&restarts), "{restarts}");
    assert!(seen.iter().all(|pid| !is_alive(*pid)), "somebody was left behind");
}

#[test]
fn a_host_that_stands_still_is_replaced() {
    let folder = folder();
    let run = start_disturbed(folder.path(), &["run.host_silence_ms_max=400"]);
    let pid = run.id();
    wait_until("all processes", || children(pid).len() == 3);
    std::thread::sleep(Duration::from_millis(700));
    let family = children(pid);
    let chain = chain_of(&family);
    let host = family.iter().find(|pid| Some(**pid) != chain).copied().expect("two of them");
    kill("-STOP", host);
    assert!(healed(folder.path(), run) >= 1);
    assert!(family.iter().all(|pid| !is_alive(*pid)), "somebody was left behind");
}

#[test]
fn a_run_that_gets_nowhere_is_given_up_and_can_be_resumed() {
    let folder = folder();
    let quickstart = scenario("quickstart.toml");
    let run = ["run", &quickstart, "--blocks", BLOCKS, "--out", "run", "--processes", "2"];
    let run = start(folder.path(), &[&run[..], &["--pace", "1x", "--json"]].concat());
    let pid = run.id();
    let (sender, ended) = channel();
    std::thread::spawn(move || sender.send(wait(run)));
    let mut seen = Vec::new();
    let said = loop {
        match ended.recv_timeout(Duration::from_millis(50)) {
            Ok(said) => break said,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => panic!("the run cannot be waited for"),
        }
        let family = children(pid);
        if family.len() == 3 {
            let victim = family.iter().max().copied().expect("three processes");
            // It may be gone with the others already.
            let killed = Command::new("kill").args(["-KILL", &victim.to_string()]).output();
            assert!(killed.is_ok(), "there is a kill");
            seen.extend(family);
        }
    };
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.stderr.contains("restarts brought no further block"), "{said:?}");
    assert!(said.stderr.contains("hint: `btemu run --resume"), "{said:?}");
    assert!(seen.len() > 3 * 3, "it was tried again and again");
    assert!(seen.iter().all(|pid| !is_alive(*pid)), "somebody was left behind");
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

/// How many runs are killed; a night's worth is some thousands.
const KILLS: &str = "BTEMU_KILLS";
const KILLS_DEFAULT: u64 = 24;
/// Blocks of a run that is killed again and again.
const KILLED_BLOCKS: &str = "240";
/// Often enough that some are hit while they are written.
const OFTEN: [&str; 6] = [
    "--set",
    "log.durability=block",
    "--set",
    "log.checkpoint_interval=3",
    "--set",
    "log.snapshot_interval=4",
];

fn dice(seed: u64, what: &str, number: u64) -> u64 {
    let hash = blake3::hash(format!("{seed} {what} {number}").as_bytes());
    u64::from_le_bytes(hash.as_bytes()[..8].try_into().expect("eight of 32 bytes"))
}

/// The chain process of a run, if it has one of its own.
fn chain_of(family: &[u32]) -> Option<u32> {
    let is_chain = |pid: &&u32| {
        let command = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        command.split(|byte| *byte == 0).nth(1) == Some(b"chain")
    };
    family.iter().find(is_chain).copied()
}

/// Whom to kill.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Victim {
    /// The launcher, with whom all end.
    Launcher,
    /// The chain process, if there is one; the run then heals itself.
    Chain,
}

/// Kills a run, or its chain process, after so much time. Whether it was hit, and what the run said if it ended by
/// itself.
fn kill_after(run: Child, micros: u64, victim: Victim) -> (bool, Option<Said>) {
    let pid = run.id();
    let (sender, ended) = channel();
    std::thread::spawn(move || sender.send(wait(run)));
    match ended.recv_timeout(Duration::from_micros(micros)) {
        Ok(said) => return (false, Some(said)),
        Err(RecvTimeoutError::Timeout) => {}
        Err(RecvTimeoutError::Disconnected) => panic!("the run cannot be waited for"),
    }
    let family = children(pid);
    let chain = chain_of(&family).filter(|_| victim == Victim::Chain);
    let target = chain.unwrap_or(pid).to_string();
    // It may have ended by itself just now.
    Command::new("kill").args(["-KILL", &target]).output().expect("there is a kill");
    let said = ended.recv_timeout(PATIENCE).expect("whoever is killed ends, or heals");
    wait_until("the processes to end", || family.iter().all(|pid| !is_alive(*pid)));
    (true, chain.map(|_| said))
}

#[test]
fn a_run_killed_again_and_again_ends_with_the_tip_hash_of_the_straight_run() {
    let setting = |name: &str| std::env::var(name).ok()?.parse::<u64>().ok();
    let (seed, kills) = (setting("SEED").unwrap_or(11), setting(KILLS).unwrap_or(KILLS_DEFAULT));
    let quickstart = scenario("quickstart.toml");
    let fresh = [&["run", &quickstart, "--blocks", KILLED_BLOCKS][..], &OFTEN].concat();
    let base = folder();
    let straight = [&fresh[..], &["--out", "straight", "--processes", "0", "--json"]].concat();
    let straight = json(base.path(), &straight);
    let resume = ["run", "--resume", "run", "--blocks", KILLED_BLOCKS];
    let mut folder = folder();
    let (mut killed, mut lives, mut last, mut finished) = (0, 0, 0, 0);
    for life in 0.. {
        if killed >= kills {
            break;
        }
        let processes = ["0", "1", "2"][(dice(seed, "processes", life) % 3) as usize];
        let log = folder.path().join("run/log/db");
        let micros = dice(seed, "moment", life) % if lives == 0 { 400_000 } else { 900_000 };
        let arguments = match log.exists() {
            true => resume.to_vec(),
            false => {
                std::fs::remove_dir_all(folder.path().join("run")).ok();
                [&fresh[..], &["--out", "run"]].concat()
            }
        };
        let arguments = [&arguments[..], &["--processes", processes, "--json"]].concat();
        let run = start(folder.path(), &arguments);
        lives += 1;
        let what = format!("SEED={seed}, life {life}, {processes} hosts, {micros} us");
        let victim = match dice(seed, "victim", life) % 2 {
            0 => Victim::Chain,
            _ => Victim::Launcher,
        };
        let (hit, said) = kill_after(run, micros, victim);
        killed += u64::from(hit);
        if let Some(said) = said {
            assert_eq!(said.code, 0, "{what}: {said:?}");
            let whole: serde_json::Value = serde_json::from_str(&said.stdout).expect("a summary");
            assert_eq!(text(&whole, "tip_hash"), text(&straight, "tip_hash"), "{what}");
            (lives, last, finished) = (0, 0, finished + 1);
            folder = crate::program::folder();
            continue;
        }
        let said = say(folder.path(), &["verify", "run", "--json"]);
        if said.code == 0 {
            let verdict: serde_json::Value = serde_json::from_str(&said.stdout).expect("a verdict");
            let blocks = number(&verdict, "blocks");
            assert!(blocks >= last, "{what}: {last} blocks were durable, {blocks} are there");
            last = blocks;
        } else {
            // Killed before its first block was kept: nothing was ever promised.
            assert!(last == 0, "{what}: {said:?}");
            let never = ["no log", "no run", "never began"];
            assert!(never.iter().any(|never| said.stderr.contains(never)), "{what}: {said:?}");
            folder = crate::program::folder();
            lives = 0;
        }
    }
    if lives > 0 {
        let whole = json(folder.path(), &[&resume[..], &["--json"]].concat());
        assert_eq!(text(&whole, "tip_hash"), text(&straight, "tip_hash"), "SEED={seed}, the last");
        finished += 1;
    }
    assert!(finished > 0, "SEED={seed}: {killed} kills and no run that ended");
}
