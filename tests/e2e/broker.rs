//! Runs over a real NATS server: the same tip hash as anywhere, whatever the server does meanwhile. Where there is no
//! server, or the build is without the feature, the tests say that they are skipped.

use crate::interruption::{chain_of, children, kill, wait_until};
use crate::links::{Waiting, alone, has_checkpoint, summary};
use crate::program::{folder, json, number, say, scenario, start, text, wait};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;
use tests::broker::Broker;

const BLOCKS: &str = "60";
const DISTURBED_BLOCKS: &str = "300";

/// A server with more lines of configuration, if runs can be carried by one here.
fn broker(lines: &str) -> Option<Broker> {
    let folder = folder();
    let said = say(folder.path(), &["host", "--join", "nats://127.0.0.1:1", "--run", "run"]);
    if said.stderr.contains("this build has no NATS") {
        eprintln!(
            "skipped: this build has no NATS (cargo test --workspace --features emulator/broker)"
        );
        return None;
    }
    Broker::start_with(lines)
}

fn arguments<'a>(quickstart: &'a str, blocks: &'a str, url: &'a str) -> Vec<&'a str> {
    vec!["run", quickstart, "--blocks", blocks, "--json", "--link", url]
}

#[test]
fn a_build_without_the_feature_says_so_and_one_without_a_server_too() {
    let folder = folder();
    let quickstart = scenario("quickstart.toml");
    let said = say(folder.path(), &arguments(&quickstart, BLOCKS, "nats://127.0.0.1:1"));
    assert!(said.stderr.contains("hint: "), "{said:?}");
    match said.stderr.contains("this build has no NATS; build with --features broker") {
        true => assert_eq!(said.code, 2, "{said:?}"),
        false => {
            assert_eq!(said.code, 1, "{said:?}");
            assert!(
                said.stderr.contains("no NATS server answers at nats://127.0.0.1:1"),
                "{said:?}"
            );
        }
    }
    let runs = folder.path().join("runs").read_dir();
    assert!(!runs.is_ok_and(|mut runs| runs.next().is_some()), "nothing is left behind");
}

fn check_hashes(folder: &Path, url: &str) {
    let quickstart = scenario("quickstart.toml");
    let alone = alone(folder, BLOCKS);
    for processes in ["1", "2", "4"] {
        let run = arguments(&quickstart, BLOCKS, url);
        let manner = ["--processes", processes, "--out", processes];
        let summary = json(folder, &[&run[..], &manner].concat());
        assert_eq!(text(&summary, "tip_hash"), alone, "{processes} hosts");
        assert_eq!(number(&summary, "restarts"), 0, "{summary}");
    }
}

#[test]
fn a_run_over_a_broker_has_the_same_hash() {
    let Some(broker) = broker("") else { return };
    check_hashes(folder().path(), &broker.url());
}

#[test]
fn messages_longer_than_the_brokers_payloads_arrive_in_parts() {
    // A welcome of the quickstart has a hundred times as many bytes: more parts than may be under way at a time.
    let Some(broker) = broker("max_payload: 512") else { return };
    check_hashes(folder().path(), &broker.url());
}

#[test]
fn a_broker_that_takes_too_little_is_refused() {
    let Some(broker) = broker("max_payload: 100") else { return };
    let folder = folder();
    let quickstart = scenario("quickstart.toml");
    let said = say(folder.path(), &arguments(&quickstart, BLOCKS, &broker.url()));
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.stderr.contains("takes payloads of 100 bytes at most"), "{said:?}");
}

/// A run over a broker that leaves time to disturb it.
fn start_slow(folder: &Path, url: &str) -> std::process::Child {
    let quickstart = scenario("quickstart.toml");
    let run = arguments(&quickstart, DISTURBED_BLOCKS, url);
    let slow = ["--out", "run", "--pace", "600x", "--set", "log.checkpoint_interval=20"];
    start(folder, &[&run[..], &slow].concat())
}

#[test]
fn a_run_goes_on_when_its_broker_is_started_again() {
    let Some(mut broker) = broker("") else { return };
    let folder = folder();
    let run = start_slow(folder.path(), &broker.url());
    wait_until("a checkpoint", || has_checkpoint(folder.path()));
    broker.restart();
    let said = wait(run);
    assert_eq!(
        text(&summary(&said), "tip_hash"),
        alone(folder.path(), DISTURBED_BLOCKS),
        "{said:?}"
    );
}

#[test]
fn a_broker_that_stands_still_for_a_while_costs_time_alone() {
    let Some(broker) = broker("") else { return };
    let folder = folder();
    let run = start_slow(folder.path(), &broker.url());
    wait_until("a checkpoint", || has_checkpoint(folder.path()));
    let pid = broker.pid().expect("it runs");
    kill("-STOP", pid);
    std::thread::sleep(Duration::from_secs(2));
    kill("-CONT", pid);
    let summary = summary(&wait(run));
    assert_eq!(text(&summary, "tip_hash"), alone(folder.path(), DISTURBED_BLOCKS));
    assert_eq!(number(&summary, "restarts"), 0, "{summary}");
}

#[test]
fn a_host_that_takes_nothing_from_the_broker_is_replaced() {
    let Some(broker) = broker("") else { return };
    let folder = folder();
    let quickstart = scenario("quickstart.toml");
    let url = broker.url();
    let run = arguments(&quickstart, DISTURBED_BLOCKS, &url);
    let slow = ["--out", "run", "--pace", "600x", "--set", "log.checkpoint_interval=20"];
    let soon = ["--set", "run.host_silence_ms_max=1500"];
    let run = start(folder.path(), &[&run[..], &slow, &soon].concat());
    wait_until("a checkpoint", || has_checkpoint(folder.path()));
    let family = children(run.id());
    let chain = chain_of(&family);
    let host = family.iter().find(|pid| Some(**pid) != chain).expect("two of them");
    kill("-STOP", *host);
    let said = wait(run);
    let summary = summary(&said);
    assert_eq!(text(&summary, "tip_hash"), alone(folder.path(), DISTURBED_BLOCKS));
    assert_eq!(number(&summary, "restarts"), 1, "{said:?}");
    assert!(said.stderr.contains("has not answered for 1500 ms"), "{said:?}");
}

/// A peer of the broker who may read every subject: it repeats the first chunk of a message to a host once the run is
/// on its way.
fn repeat_a_chunk(url: &str) -> std::thread::JoinHandle<()> {
    let address = url.strip_prefix("nats://").expect("it is a broker");
    let mut socket = TcpStream::connect(address).expect("it listens");
    socket
        .write_all(b"CONNECT {\"verbose\":false}\r\nSUB btemu.> 1\r\nPING\r\n")
        .expect("it reads");
    let mut lines = BufReader::new(socket.try_clone().expect("a socket can be shared"));
    let mut line = String::new();
    while line.trim() != "PONG" {
        line.clear();
        lines.read_line(&mut line).expect("it answers");
    }
    std::thread::spawn(move || {
        let mut chunks = 0;
        loop {
            line.clear();
            // MSG subject subscription length
            let length = lines.read_line(&mut line).expect("it is text");
            assert!(length > 0, "the broker is gone");
            let words: Vec<&str> = line.split_whitespace().collect();
            let ["MSG", subject, _, length] = words[..] else { continue };
            let mut payload = vec![0; length.parse::<usize>().expect("a number") + 2];
            lines.read_exact(&mut payload).expect("all of it");
            let is_last_chunk = payload[0] == 1;
            chunks += u64::from(is_last_chunk && subject.ends_with(".down"));
            if chunks == 100 {
                let head = format!("PUB {subject} {length}\r\n");
                socket.write_all(&[head.as_bytes(), &payload].concat()).expect("it reads");
                return;
            }
        }
    })
}

#[test]
fn a_message_that_comes_twice_is_seen_and_costs_a_restart() {
    let Some(broker) = broker("") else { return };
    let folder = folder();
    let repeating = repeat_a_chunk(&broker.url());
    let run = start_slow(folder.path(), &broker.url());
    let said = wait(run);
    repeating.join().expect("it has repeated one");
    let summary = summary(&said);
    assert_eq!(text(&summary, "tip_hash"), alone(folder.path(), DISTURBED_BLOCKS));
    assert_eq!(number(&summary, "restarts"), 1, "{said:?}");
    // A word that comes twice is out of its turn; of what was taken, the numbers do not fit.
    let seen = ["came where ", "do not fit"].iter().any(|what| said.stderr.contains(what));
    assert!(seen, "the host says what it saw: {said:?}");
}

#[test]
fn a_run_whose_broker_is_gone_ends_clearly_and_can_be_resumed() {
    let Some(mut broker) = broker("") else { return };
    let folder = folder();
    let run = start_slow(folder.path(), &broker.url());
    wait_until("a checkpoint", || has_checkpoint(folder.path()));
    broker.stop();
    let said = wait(run);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.stderr.contains("no NATS server answers"), "{said:?}");
    assert!(said.stderr.contains("hint: `btemu run --resume"), "{said:?}");
    let resume = ["run", "--resume", "run", "--blocks", DISTURBED_BLOCKS, "--json"];
    let resumed =
        json(folder.path(), &[&resume[..], &["--link", "unix", "--pace", "max"]].concat());
    assert_eq!(text(&resumed, "tip_hash"), alone(folder.path(), DISTURBED_BLOCKS));
}

#[test]
fn hosts_from_outside_join_over_a_broker_and_nobody_without_the_token() {
    let Some(broker) = broker("") else { return };
    let folder = folder();
    let url = broker.url();
    let outside = ["--link", &url, "--processes", "1", "--await-hosts", "1"];
    let run = Waiting::start(folder.path(), BLOCKS, &outside);
    assert_eq!(run.join[2], url);
    let join: Vec<&str> = run.join.iter().map(String::as_str).collect();
    let wrong = ["--token", "0123456789abcdef", "--wait-seconds", "0"];
    let said = say(folder.path(), &[&join[..], &wrong].concat());
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.stderr.contains("no chain of the run run with this token answers"), "{said:?}");
    let host = run.host(folder.path(), &[]);
    let said = run.end();
    assert_eq!(text(&summary(&said), "tip_hash"), alone(folder.path(), BLOCKS));
    assert_eq!(wait(host).code, 0);
}
