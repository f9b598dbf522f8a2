//! `btemu log --follow`: a live run through its door.

use crate::interruption::{chain_of, children, kill};
use crate::program::{folder, json, json_lines, say, scenario, start, text, wait};
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

/// How long the program may take to get somewhere before a test gives up.
const PATIENCE: Duration = Duration::from_secs(60);

/// Starts a run of some seconds: 50 blocks a second.
fn start_run(folder: &Path, processes: &str, blocks: &str) -> Child {
    let quickstart = scenario("quickstart.toml");
    let arguments = ["run", &quickstart, "--blocks", blocks, "--out", "run", "--pace", "600x"];
    // Of a run that is killed its log holds what was synced.
    let further = ["--processes", processes, "--set", "log.sync_interval=7", "--json"];
    let run = start(folder, &[&arguments[..], &further].concat());
    let began = Instant::now();
    while std::fs::symlink_metadata(folder.join("run/door")).is_err() {
        assert!(began.elapsed() < PATIENCE, "the run has no door");
        std::thread::sleep(Duration::from_millis(10));
    }
    run
}

fn lines(text: &str) -> Vec<&str> {
    text.lines().collect()
}

#[test]
fn a_follower_sees_what_the_log_holds() {
    for processes in ["0", "2"] {
        let folder = folder();
        let run = start_run(folder.path(), processes, "150");
        let follow = |arguments: &[&str]| {
            start(folder.path(), &[&["log", "run", "--follow"], arguments].concat())
        };
        let from_the_start = follow(&["--from", "+1", "--json"]);
        let from_now = follow(&["--kind", "stake_added", "--kind", "block_opened"]);
        let calls = follow(&["--from", "+5", "--calls", "--to", "+20"]);
        let refused = say(folder.path(), &["log", "run"]);
        assert_eq!(refused.code, 1, "{refused:?}");
        assert!(refused.stderr.contains("btemu log RUN --follow"), "{refused:?}");
        let ran = wait(run);
        assert_eq!(ran.code, 0, "{ran:?}");
        let followed = [from_the_start, from_now, calls].map(wait);
        for said in &followed {
            assert_eq!(said.code, 0, "{said:?}");
            assert!(said.stderr.contains("following run from block"), "{said:?}");
        }
        let ends = followed.each_ref().map(|said| said.stderr.contains("the run is over"));
        assert_eq!(ends, [true, true, false]);
        let listed =
            |arguments: &[&str]| say(folder.path(), &[&["log", "run"], arguments].concat());
        assert_eq!(followed[0].stdout, listed(&["--json"]).stdout);
        let all = listed(&["--kind", "stake_added", "--kind", "block_opened"]).stdout;
        assert!(lines(&all).ends_with(&lines(&followed[1].stdout)), "{}", followed[1].stdout);
        assert!(followed[1].stdout.lines().count() > 10, "{}", followed[1].stdout);
        assert_eq!(followed[2].stdout, listed(&["--from", "+5", "--calls", "--to", "+20"]).stdout);

        assert!(std::fs::symlink_metadata(folder.path().join("run/door")).is_err());
        let over = say(folder.path(), &["log", "run", "--follow", "--json"]);
        assert_eq!((over.code, &over.stdout), (0, &followed[0].stdout));
        assert!(over.stderr.contains("the run is over: it ended at block 150"), "{over:?}");
    }
}

#[test]
fn followers_that_do_not_read_or_die_hold_up_nobody() {
    let folder = folder();
    let run = start_run(folder.path(), "0", "150");
    // It fills its pipe, then its socket, and stands still; nobody reads either until the run is over.
    let idle = start(folder.path(), &["log", "run", "--follow", "--from", "+1", "--json"]);
    let mut killed = start(folder.path(), &["log", "run", "--follow", "--from", "+1"]);
    let stdout = killed.stdout.take().expect("it is piped");
    let mut first = String::new();
    BufReader::new(stdout).read_line(&mut first).expect("it prints");
    assert!(first.starts_with("1  +00:00:12  block 1 began"), "{first}");
    killed.kill().expect("it runs");
    killed.wait().expect("it ends");
    let ran = wait(run);
    assert_eq!(ran.code, 0, "{ran:?}");
    let summary: serde_json::Value = serde_json::from_str(&ran.stdout).expect("a summary");
    let idle = wait(idle);
    assert_eq!(idle.code, 0, "{idle:?}");
    assert_eq!(idle.stdout, say(folder.path(), &["log", "run", "--json"]).stdout);
    let replayed = json(folder.path(), &["replay", "run", "--json"]);
    assert_eq!(text(&replayed, "tip_hash"), text(&summary, "tip_hash"));
}

#[test]
fn a_follower_of_a_run_that_is_killed_gets_all_the_log_holds() {
    let folder = folder();
    let run = start_run(folder.path(), "1", "100000");
    let mut follower = start(folder.path(), &["log", "run", "--follow", "--from", "+1", "--json"]);
    let mut reader = BufReader::new(follower.stdout.take().expect("it is piped"));
    let mut followed = String::new();
    while !followed.contains("\"block\":20,") {
        assert!(reader.read_line(&mut followed).expect("it prints") > 0, "it ended early");
    }
    let status = Command::new("kill").args(["-KILL", &run.id().to_string()]).status();
    assert!(status.is_ok_and(|status| status.success()));
    wait(run);
    reader.read_to_string(&mut followed).expect("it prints");
    let said = wait(follower);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.stderr.contains("the run is over"), "{said:?}");
    let listed = say(folder.path(), &["log", "run", "--json"]);
    // What a killed run had not written to disk was shown all the same; resumed, it is made again as it was.
    assert!(followed.starts_with(&listed.stdout) && !listed.stdout.is_empty());
    assert_eq!(followed != listed.stdout, said.stderr.contains("makes them again"), "{said:?}");
    let blocks = followed.lines().filter(|line| line.contains("\"kind\":\"block_opened\"")).count();
    let arguments = ["run", "--resume", "run", "--pace", "max", "--json"];
    json(folder.path(), &[&arguments[..], &["--blocks", &blocks.to_string()]].concat());
    assert_eq!(followed, say(folder.path(), &["log", "run", "--json"]).stdout);
}

#[test]
fn a_follower_stays_with_a_run_whose_chain_is_killed() {
    let folder = folder();
    let run = start_run(folder.path(), "1", "250");
    let mut follower = start(folder.path(), &["log", "run", "--follow", "--from", "+1", "--json"]);
    let mut reader = BufReader::new(follower.stdout.take().expect("it is piped"));
    let mut followed = String::new();
    while !followed.contains("\"block\":20,") {
        assert!(reader.read_line(&mut followed).expect("it prints") > 0, "it ended early");
    }
    kill("-KILL", chain_of(&children(run.id())).expect("it has a chain"));
    reader.read_to_string(&mut followed).expect("it prints");
    let said = wait(follower);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.stderr.contains("the run is over: it ended at block 250"), "{said:?}");
    let ran = wait(run);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stdout.contains("\"restarts\":1"), "{ran:?}");
    // What it had seen before the chain was lost comes no second time.
    assert_eq!(followed, say(folder.path(), &["log", "run", "--json"]).stdout);
}

#[test]
fn sealed_rows_are_followed_by_their_hash() {
    let folder = folder();
    let quickstart = scenario("quickstart.toml");
    let sealed = "hyperparameters.commit_reveal=true";
    let arguments = ["run", &quickstart, "--blocks", "60", "--out", "run", "--processes", "0"];
    json(folder.path(), &[&arguments[..], &["--set", sealed, "--json"]].concat());
    let calls = json_lines(folder.path(), &["log", "run", "--calls", "--json"]);
    let commits = calls.iter().filter(|call| !call["arguments"]["commit_hash"].is_null());
    let mut count = 0;
    for call in commits {
        assert!(call["arguments"].get("commit").is_none(), "{call}");
        assert!(
            call["arguments"]["commit_bytes"].as_u64().is_some_and(|bytes| bytes > 0),
            "{call}"
        );
        count += 1;
    }
    assert!(count > 0, "nothing was sealed");
}
