//! However the processes of a run are linked and whoever carries which player, the tip hash is the same; hosts from
//! outside come and go; strangers change nothing.

use crate::interruption::{children, is_alive, kill, wait_until};
use crate::program::{Said, command, folder, json, number, say, scenario, start, text, wait};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Stdio};
use std::thread::JoinHandle;

const BLOCKS: &str = "60";
/// Blocks of a run that is disturbed, and the pace that leaves time for it: 50 blocks a second.
const DISTURBED_BLOCKS: &str = "300";
const PACE: &str = "600x";
const TCP: &str = "tcp://127.0.0.1:0";
/// The wire's version, as a false host must know it to come in.
const WIRE_VERSION: u32 = 5;

fn run(folder: &Path, out: &str, arguments: &[&str]) -> Value {
    let quickstart = scenario("quickstart.toml");
    let all = [&["run", &quickstart, "--blocks", BLOCKS, "--json", "--out", out], arguments];
    json(folder, &all.concat())
}

/// The tip hash of the quickstart in one process.
pub fn alone(folder: &Path, blocks: &str) -> String {
    let quickstart = scenario("quickstart.toml");
    let run = ["run", &quickstart, "--blocks", blocks, "--json"];
    let alone = [&run[..], &["--out", "alone", "--processes", "0"]].concat();
    text(&json(folder, &alone), "tip_hash").to_owned()
}

#[test]
fn the_link_and_the_number_of_processes_change_no_hash() {
    let folder = folder();
    let alone = alone(folder.path(), BLOCKS);
    for (name, link) in [("unix", "unix"), ("tcp", TCP)] {
        for processes in ["0", "1", "2", "4", "8"] {
            let out = format!("{name}-{processes}");
            let run = run(folder.path(), &out, &["--processes", processes, "--link", link]);
            assert_eq!(text(&run, "tip_hash"), alone, "{link} with {processes} hosts");
            let hosts: u64 = processes.parse().expect("a number");
            assert_eq!(number(&run, "processes"), hosts + 1);
            assert_eq!((number(&run, "restarts"), number(&run, "peers_refused")), (0, 0));
        }
    }
}

#[test]
fn whichever_host_carries_a_player_the_hash_is_the_same() {
    let folder = folder();
    let alone = alone(folder.path(), BLOCKS);
    let mut dealings = Vec::new();
    for dealing in ["0", "1", "2", "3"] {
        let set = format!("run.dealing={dealing}");
        let run = run(folder.path(), dealing, &["--processes", "3", "--set", &set]);
        assert_eq!(text(&run, "tip_hash"), alone, "{set}");
        let reports = run["process_reports"].as_array().expect("one per process");
        let carried = |report: &Value| (number(report, "players"), number(report, "steps"));
        dealings.push(reports[1..].iter().map(carried).collect::<Vec<_>>());
    }
    let players: Vec<u64> =
        dealings.iter().map(|hosts| hosts.iter().map(|(players, _)| players).sum()).collect();
    assert!(players.iter().all(|count| *count == players[0]), "{dealings:?}");
    dealings.sort();
    dealings.dedup();
    assert_eq!(dealings.len(), 4, "they are dealt otherwise each time");
}

#[test]
fn a_larger_network_has_one_hash_over_every_link() {
    let folder = folder();
    let mainnet = scenario("mainnet.toml");
    let mut hashes = Vec::new();
    for (out, processes, link, dealing) in
        [("alone", "0", "unix", "0"), ("two", "2", "unix", "0"), ("four", "4", TCP, "5")]
    {
        let run = ["run", &mainnet, "--blocks", "24", "--json", "--out", out];
        let set = format!("run.dealing={dealing}");
        let manner = ["--processes", processes, "--link", link, "--set", &set];
        let summary = json(folder.path(), &[&run[..], &manner].concat());
        assert!(number(&summary["messages"], "delivered") > 1_000, "{summary}");
        hashes.push(text(&summary, "tip_hash").to_owned());
    }
    assert_eq!(hashes, [hashes[0].as_str(); 3]);
}

/// A run that waits for hosts from outside, and what it tells those who start them.
pub struct Waiting {
    pub run: Child,
    /// Arguments of `btemu` that join it.
    pub join: Vec<String>,
    pub token: String,
    rest: JoinHandle<String>,
}

impl Waiting {
    /// Starts it in `run` and waits for the command that it shows.
    pub fn start(folder: &Path, blocks: &str, arguments: &[&str]) -> Self {
        let quickstart = scenario("quickstart.toml");
        let all = ["run", &quickstart, "--out", "run", "--blocks", blocks, "--json"];
        Self::of(start(folder, &[&all, arguments].concat()))
    }

    fn of(mut run: Child) -> Self {
        let mut stderr = BufReader::new(run.stderr.take().expect("it is piped"));
        let (mut line, mut before) = (String::new(), String::new());
        while !line.contains("btemu host --join") {
            before.push_str(&line);
            line.clear();
            let length = stderr.read_line(&mut line).expect("it writes text");
            assert!(length > 0, "the run ended: {before}");
        }
        let rest = std::thread::spawn(move || {
            let mut rest = String::new();
            stderr.read_to_string(&mut rest).expect("it writes text");
            rest
        });
        let mut words = line.split_whitespace();
        let token = words.next().and_then(|word| word.strip_prefix("BTEMU_TOKEN="));
        let token = token.expect("the token comes first").to_owned();
        assert_eq!(words.next(), Some("btemu"), "{line}");
        Self { run, join: words.map(str::to_owned).collect(), token, rest }
    }

    /// Starts a host as its user would, with more arguments.
    pub fn host(&self, folder: &Path, arguments: &[&str]) -> Child {
        host(folder, &self.join, &self.token, arguments)
    }

    /// The run's HOST:PORT.
    fn address(&self) -> &str {
        self.join[2].strip_prefix("tcp://").expect("it is TCP")
    }

    /// What the run said in the end.
    pub fn end(self) -> Said {
        let said = wait(self.run);
        Said { stderr: self.rest.join().expect("it only reads"), ..said }
    }
}

fn host(folder: &Path, join: &[String], token: &str, arguments: &[&str]) -> Child {
    let join: Vec<&str> =
        join.iter().map(String::as_str).chain(arguments.iter().copied()).collect();
    let mut host = command(folder, &join);
    host.env("BTEMU_TOKEN", token).stdout(Stdio::piped()).stderr(Stdio::piped());
    host.spawn().expect("the program starts")
}

/// The summary of a run that went well.
pub fn summary(said: &Said) -> Value {
    assert_eq!(said.code, 0, "{said:?}");
    serde_json::from_str(&said.stdout).expect("a summary")
}

#[test]
fn a_run_waits_for_its_hosts_from_outside_and_tells_how_they_join() {
    let folder = folder();
    let alone = alone(folder.path(), BLOCKS);
    let outside = ["--link", TCP, "--processes", "1", "--await-hosts", "2"];
    let run = Waiting::start(folder.path(), BLOCKS, &outside);
    let (token, hosts) =
        (run.token.clone(), [run.host(folder.path(), &[]), run.host(folder.path(), &[])]);
    let family = children(run.run.id());
    for pid in family {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        assert!(!String::from_utf8_lossy(&line).contains(&token), "everybody could read it");
    }
    let said = run.end();
    let summary = summary(&said);
    assert_eq!(text(&summary, "tip_hash"), alone);
    assert_eq!((number(&summary, "processes"), number(&summary, "restarts")), (4, 0));
    assert!(!said.stderr.contains(&token), "{said:?}");
    for host in hosts {
        let said = wait(host);
        assert_eq!((said.code, said.stderr.trim()), (0, "joined the run"), "{said:?}");
    }
    let reports = summary["process_reports"].as_array().expect("one per process");
    assert!(reports[1..].iter().all(|host| number(host, "steps") > 0), "{reports:?}");
    assert!(reports[1..].iter().all(|host| number(host, "peak_rss_bytes") > 0), "{reports:?}");
    let journal = std::fs::read(folder.path().join("run/journal.jsonl")).expect("it is kept");
    assert!(!String::from_utf8_lossy(&journal).contains(&token), "the journal holds the token");
}

#[test]
fn a_token_of_the_users_own_is_not_shown() {
    let folder = folder();
    std::fs::write(folder.path().join("token"), "a-token-of-my-own\n").expect("writable");
    let outside =
        ["--link", TCP, "--processes", "0", "--await-hosts", "1", "--token-file", "token"];
    let run = Waiting::start(folder.path(), BLOCKS, &outside);
    assert_eq!(run.token, "…");
    let join = run.join.clone();
    let file = ["--token-file", "token"];
    let host = host(folder.path(), &join, "another one that is not read", &file);
    let said = run.end();
    assert!(!said.stderr.contains("a-token-of-my-own"), "{said:?}");
    summary(&said);
    assert_eq!(wait(host).code, 0);
}

#[test]
fn a_host_from_outside_that_dies_is_replaced_and_the_other_joins_again() {
    let folder = folder();
    let alone = alone(folder.path(), DISTURBED_BLOCKS);
    let outside = ["--link", TCP, "--processes", "1", "--await-hosts", "2", "--pace", PACE];
    let checkpoints = ["--set", "log.checkpoint_interval=20"];
    let run =
        Waiting::start(folder.path(), DISTURBED_BLOCKS, &[&outside[..], &checkpoints].concat());
    let stays = run.host(folder.path(), &[]);
    let dies = run.host(folder.path(), &[]);
    wait_until("a checkpoint", || has_checkpoint(folder.path()));
    kill("-KILL", dies.id());
    wait(dies);
    let comes = run.host(folder.path(), &[]);
    let family = children(run.run.id());
    let said = run.end();
    let summary = summary(&said);
    assert_eq!(text(&summary, "tip_hash"), alone);
    let restarts = number(&summary, "restarts");
    assert!((1..=3).contains(&restarts), "{summary}");
    assert_eq!(said.stderr.matches("restart ").count() as u64, restarts, "{said:?}");
    assert!(said.stderr.contains("host process "), "the reason is told: {said:?}");
    let stayed = wait(stays);
    assert_eq!(stayed.code, 0, "{stayed:?}");
    assert!(stayed.stderr.matches("joined the run").count() > 1, "{stayed:?}");
    assert_eq!(wait(comes).code, 0);
    assert!(family.iter().all(|pid| !is_alive(*pid)), "somebody was left behind");
}

pub fn has_checkpoint(folder: &Path) -> bool {
    let cache = folder.join("run/cache").read_dir();
    cache.is_ok_and(|files| {
        files.flatten().any(|file| file.file_name().to_string_lossy().contains("checkpoint"))
    })
}

#[test]
fn hosts_that_do_not_come_end_the_run_clearly_and_it_can_be_resumed() {
    let folder = folder();
    let outside = ["--link", TCP, "--processes", "1", "--await-hosts", "1"];
    let soon = ["--set", "run.host_join_ms_max=700", "--pace", PACE];
    let checkpoints = ["--set", "log.checkpoint_interval=20"];
    let arguments = [&outside[..], &soon, &checkpoints].concat();
    let said = Waiting::start(folder.path(), DISTURBED_BLOCKS, &arguments).end();
    assert_eq!(said.code, 1, "{said:?}");
    let missing = "only 1 of 1 host processes and 0 of 1 hosts from outside joined within 700 ms";
    assert!(said.stderr.contains(missing), "{said:?}");
    assert!(!folder.path().join("run").exists(), "it never began");

    let longer = ["--set", "run.host_join_ms_max=5000", "--pace", PACE];
    let arguments = [&outside[..], &longer, &checkpoints].concat();
    let run = Waiting::start(folder.path(), DISTURBED_BLOCKS, &arguments);
    let host = run.host(folder.path(), &["--wait-seconds", "1"]);
    wait_until("a checkpoint", || has_checkpoint(folder.path()));
    kill("-KILL", host.id());
    wait(host);
    let said = run.end();
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.stderr.contains("0 of 1 hosts from outside joined"), "{said:?}");
    assert!(said.stderr.contains("btemu run --resume"), "{said:?}");
    let resume = ["run", "--resume", "run", "--blocks", DISTURBED_BLOCKS, "--json"];
    let inside = ["--link", "unix", "--await-hosts", "0", "--pace", "max"];
    let resumed = json(folder.path(), &[&resume[..], &inside].concat());
    assert_eq!(text(&resumed, "tip_hash"), alone(folder.path(), DISTURBED_BLOCKS));
}

#[test]
fn a_host_whose_run_is_gone_ends_by_itself() {
    let folder = folder();
    let outside = ["--link", TCP, "--processes", "0", "--await-hosts", "1", "--pace", "60x"];
    let soon = ["--set", "log.checkpoint_interval=1"];
    let mut run = Waiting::start(folder.path(), DISTURBED_BLOCKS, &[&outside[..], &soon].concat());
    let host = run.host(folder.path(), &["--wait-seconds", "1"]);
    wait_until("a checkpoint", || has_checkpoint(folder.path()));
    run.run.kill().expect("it is ours");
    run.end();
    let said = wait(host);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.stderr.contains("error: the run was not to be joined for 1000 ms"), "{said:?}");
}

/// Where processes listen for TCP, as the system lists it: address and port in hex.
fn listening(pids: &[u32]) -> Vec<String> {
    let links = pids.iter().filter_map(|pid| std::fs::read_dir(format!("/proc/{pid}/fd")).ok());
    let links = links.flatten().filter_map(|link| std::fs::read_link(link.ok()?.path()).ok());
    let open: Vec<String> = links.map(|link| link.display().to_string()).collect();
    let mut found = Vec::new();
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        let text = std::fs::read_to_string(table).unwrap_or_default();
        for line in text.lines().skip(1) {
            // Number, local address, remote address, state (0A listens), six more, inode.
            let words: Vec<&str> = line.split_whitespace().collect();
            let (Some(address), Some(&"0A"), Some(inode)) =
                (words.get(1), words.get(3), words.get(9))
            else {
                continue;
            };
            if open.contains(&format!("socket:[{inode}]")) {
                found.push((*address).to_owned());
            }
        }
    }
    found
}

#[test]
fn nothing_listens_but_where_it_was_told() {
    let folder = folder();
    let quickstart = scenario("quickstart.toml");
    let run =
        ["run", &quickstart, "--blocks", DISTURBED_BLOCKS, "--out", "alone", "--pace", "240x"];
    let mut run = start(folder.path(), &run);
    wait_until("all processes", || children(run.id()).len() == 3);
    let family = [&[run.id()], &children(run.id())[..]].concat();
    assert_eq!(listening(&family), [""; 0]);
    run.kill().expect("it is ours");
    wait(run);

    let outside = ["--link", TCP, "--processes", "1", "--await-hosts", "1"];
    let mut run = Waiting::start(folder.path(), BLOCKS, &outside);
    let family = [&[run.run.id()], &children(run.run.id())[..]].concat();
    let port: u16 =
        run.address().rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port");
    assert_eq!(listening(&family), [format!("0100007F:{port:04X}")], "loopback and no other");
    run.run.kill().expect("it is ours");
    run.end();
}

/// A message as it goes over the wire: length, number, checksum of number and message, then its bytes.
fn framed(number: u32, length: u32, message: &[u8]) -> Vec<u8> {
    let checksum = crc32fast::hash(&[&number.to_le_bytes()[..], message].concat());
    let head = [length, number, checksum].map(u32::to_le_bytes);
    [&head.concat()[..], message].concat()
}

/// A program that speaks the wire and means no good.
struct FalseHost(TcpStream);

impl FalseHost {
    fn new(address: &str) -> Self {
        Self(TcpStream::connect(address).expect("the chain listens"))
    }

    /// Comes in with the right token, and waits until it is welcomed.
    fn welcomed(run: &Waiting) -> Self {
        let mut host = Self::new(run.address());
        let (name, nowhere) = ("run", None::<u32>);
        let said = say(Path::new("."), &["--version"]);
        let build = said.stdout.trim();
        let hello = (0_u32, (WIRE_VERSION, build, name, nowhere, run.token.as_str(), 1_u32));
        host.send(&storage::codec::encode(&hello));
        let mut head = [0; 16];
        host.0.read_exact(&mut head).expect("the chain answers");
        assert_eq!(head[12..], [0; 4], "it is a welcome");
        host
    }

    fn send(&mut self, message: &[u8]) {
        let length = u32::try_from(message.len()).expect("it is short");
        self.raw(&framed(0, length, message));
    }

    fn raw(&mut self, bytes: &[u8]) {
        // The chain may have had enough already.
        self.0.write_all(bytes).ok();
    }
}

#[test]
fn a_host_that_sends_garbage_after_its_greeting_is_counted_and_replaced() {
    let ready_now = storage::codec::encode(&(1_u32, None::<u64>));
    let seats = storage::codec::encode(&(3_u32, Vec::<u8>::new()));
    // Its greeting was message 0.
    let announced = |length: u32, message: &[u8]| framed(1, length, message);
    let mut garbled = framed(1, seats.len() as u32, &seats);
    *garbled.last_mut().expect("it has bytes") ^= 1;
    let longest = 1_u32 << 30;
    for (bytes, reason) in [
        (announced(7, b"garbage"), "a message could not be read"),
        (announced(longest + 1, b"x"), "a message of more than 1073741824 bytes was refused"),
        (announced(u32::MAX, b""), "a message of more than 1073741824 bytes was refused"),
        (announced(seats.len() as u32, &seats), "answered out of turn"),
        (garbled, "a message was damaged on its way"),
        (framed(3, 7, b"garbage"), "message 3 came where message 1 should have"),
        // Of an answer that is announced and does not come the chain hears nothing at all.
        (announced(longest, &ready_now), "has not answered for 1500 ms"),
    ] {
        let folder = folder();
        let outside = ["--link", TCP, "--processes", "1", "--await-hosts", "1"];
        let silence = ["--set", "run.host_silence_ms_max=1500"];
        let run = Waiting::start(folder.path(), BLOCKS, &[&outside[..], &silence].concat());
        let mut false_host = FalseHost::welcomed(&run);
        false_host.raw(&bytes);
        // Its connection ends before the chain waits for others.
        let mut left = Vec::new();
        false_host.0.read_to_end(&mut left).ok();
        let host = run.host(folder.path(), &[]);
        let said = run.end();
        let summary = summary(&said);
        assert_eq!(text(&summary, "tip_hash"), alone(folder.path(), BLOCKS), "{reason}");
        assert_eq!(number(&summary, "restarts"), 1, "{said:?}");
        assert!(
            said.stderr.contains("restart 1: host process 1") && said.stderr.contains(reason),
            "{reason}: {said:?}"
        );
        assert_eq!(wait(host).code, 0);
    }
}

#[test]
fn strangers_are_refused_and_counted_and_do_not_disturb_the_run() {
    let folder = folder();
    let outside = ["--link", TCP, "--processes", "1", "--await-hosts", "1"];
    let run = Waiting::start(folder.path(), BLOCKS, &outside);
    let silent = FalseHost::new(run.address());
    FalseHost::new(run.address()).raw(b"GET / HTTP/1.1\r\n\r\n");
    FalseHost::new(run.address()).send(b"garbage");
    let mut other = run.join.clone();
    *other.last_mut().expect("--run ID") = "another".to_owned();
    for (join, token, why) in [
        (&run.join, "0123456789abcdef", "its token is wrong"),
        (&other, run.token.as_str(), "it belongs to another run"),
    ] {
        let said = wait(host(folder.path(), join, token, &[]));
        assert_eq!(said.code, 1, "{said:?}");
        assert!(said.stderr.contains(&format!("the chain refused this host: {why}")), "{said:?}");
    }
    let host = run.host(folder.path(), &[]);
    let said = run.end();
    let summary = summary(&said);
    assert_eq!(text(&summary, "tip_hash"), alone(folder.path(), BLOCKS));
    assert_eq!((number(&summary, "restarts"), number(&summary, "peers_refused")), (0, 4));
    assert!(said.stderr.contains("refused one who is no host of this run (4 so far)"), "{said:?}");
    assert_eq!(wait(host).code, 0);
    drop(silent);
}

#[test]
fn wrong_links_and_tokens_are_refused_before_anything_is_written() {
    let folder = folder();
    let quickstart = scenario("quickstart.toml");
    std::fs::write(folder.path().join("short"), "short").expect("writable");
    let rows: &[(&[&str], i32, &[&str])] = &[
        (
            &["--link", "udp://127.0.0.1:1"],
            2,
            &["run.link", "udp://127.0.0.1:1", "tcp://HOST:PORT"],
        ),
        (&["--set", "run.link=tcp://nowhere"], 2, &["run.link", "tcp://nowhere"]),
        (&["--await-hosts", "1"], 2, &["run.await_hosts", "unix", "hint: --link tcp://"]),
        (&["--token-file", "short"], 2, &["short: a token has 16 letters at least", "hint: "]),
        (&["--token-file", "none"], 2, &["cannot read the token in none"]),
        // An address that is kept for documentation: no machine has it.
        (
            &["--link", "tcp://192.0.2.1:7000"],
            1,
            &["cannot listen for hosts at tcp://192.0.2.1:7000", "hint: "],
        ),
    ];
    for (arguments, code, words) in rows {
        let said =
            say(folder.path(), &[&["run", &quickstart, "--out", "run"][..], arguments].concat());
        assert_eq!(said.code, *code, "{said:?}");
        for word in *words {
            assert!(said.stderr.contains(word), "no {word:?} in {said:?}");
        }
        assert!(!folder.path().join("run").exists(), "{arguments:?}");
    }
    let rows: &[(&[&str], &str)] = &[
        (&[], "--join"),
        (&["--join", "tcp://127.0.0.1:1"], "--run"),
        (&["--join", "unix", "--run", "run"], "joined over TCP or NATS"),
        (&["--join", "127.0.0.1:1", "--run", "run"], "--join: "),
        (&["--join", "tcp://127.0.0.1:1", "--run", "run"], "the token is missing"),
        (
            &["--join", "tcp://127.0.0.1:1", "--run", "run", "--token", "short"],
            "16 letters at least",
        ),
    ];
    for (arguments, word) in rows {
        let said = say(folder.path(), &[&["host"][..], arguments].concat());
        assert!(said.code == 2 && said.stderr.contains(word), "no {word:?} in {said:?}");
    }
}
