//! What processes tell about themselves on standard error.

use crate::program::{command, folder, scenario};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

#[test]
fn each_line_says_where_its_process_is() {
    let folder = folder();
    let quickstart = scenario("quickstart.toml");
    let arguments =
        ["run", &quickstart, "--blocks", "5", "--log-format", "json", "--json", "--out", "told"];
    let output = command(folder.path(), &arguments).env("RUST_LOG", "info").output();
    let output = output.expect("it starts");
    assert!(output.status.success());
    let text = String::from_utf8(output.stderr).expect("text");
    let lines = text.lines().filter(|line| line.starts_with('{'));
    let lines: Vec<Value> =
        lines.map(|line| serde_json::from_str(line).expect("each line is one object")).collect();
    let names: BTreeSet<&str> = lines.iter().filter_map(|line| line["process"].as_str()).collect();
    assert_eq!(names, BTreeSet::from(["btemu", "chain", "host-0", "host-1"]), "{text}");
    let of = |name: &str, message: &str| {
        let mut own = lines.iter().filter(|line| line["process"] == name);
        own.find(|line| line["fields"]["message"] == message).unwrap_or_else(|| panic!("{text}"))
    };
    let over = of("chain", "the run is over");
    assert_eq!((&over["run"], &over["block"]), (&json!("told"), &json!(5)), "{over}");
    assert_eq!(
        (&over["level"], &over["fields"]["height"]),
        (&json!("INFO"), &json!("5")),
        "{over}"
    );
    // A host has heard of the last block or of the one before when it is stopped.
    for host in ["host-0", "host-1"] {
        let stop = of(host, "the chain says stop");
        assert_eq!(stop["run"], "told", "{stop}");
        assert!((4..=5).contains(&stop["block"].as_u64().expect("a block")), "{stop}");
    }
    serde_json::from_slice::<Value>(&output.stdout).expect("standard output is one object");
}

#[test]
fn lines_for_people_end_with_the_same() {
    let folder = folder();
    let quickstart = scenario("quickstart.toml");
    let arguments = ["run", &quickstart, "--blocks", "5", "--processes", "0", "--out", "told"];
    let output = command(folder.path(), &arguments).env("RUST_LOG", "info").output();
    let text = String::from_utf8(output.expect("it starts").stderr).expect("text");
    let over = text.lines().find(|line| line.contains("the run is over"));
    let over = over.unwrap_or_else(|| panic!("{text}"));
    assert!(over.ends_with("process=btemu run=told block=5"), "{over}");
}

/// A request: its path and its body.
type Request = (String, Vec<u8>);

/// A collector that takes one request after the other, and keeps them.
struct Collector {
    address: String,
    heard: JoinHandle<Vec<Request>>,
    over: Arc<AtomicBool>,
}

fn collector() -> Collector {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let over = Arc::new(AtomicBool::new(false));
    let is_over = Arc::clone(&over);
    let heard = thread::spawn(move || {
        let mut heard = Vec::new();
        for stream in listener.incoming() {
            if is_over.load(Ordering::SeqCst) {
                break;
            }
            let mut reader = BufReader::new(stream.expect("a connection"));
            while let Some(request) = request(&mut reader) {
                heard.push(request);
                let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
                reader.get_mut().write_all(answer).expect("it listens");
            }
        }
        heard
    });
    Collector { address: address.to_string(), heard, over }
}

fn request(reader: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
    let path = line.split(' ').nth(1)?.to_owned();
    let mut length = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        if header.trim().is_empty() {
            break;
        }
        if let Some((name, value)) = header.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((path, body))
}

#[test]
fn otel_spans_of_blocks_reach_a_collector() {
    let folder = folder();
    let quickstart = scenario("quickstart.toml");
    let arguments = ["run", &quickstart, "--blocks", "5", "--processes", "0", "--out", "told"];
    let Collector { address, heard, over } = collector();
    let output = command(folder.path(), &arguments)
        .env("RUST_LOG", "info")
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{address}"))
        .output();
    let output = output.expect("it starts");
    assert!(output.status.success(), "{output:?}");
    over.store(true, Ordering::SeqCst);
    TcpStream::connect(&address).expect("the collector is there");
    let heard = heard.join().expect("the collector ends");
    let text = String::from_utf8_lossy(&output.stderr);
    if text.contains("this build sends no spans; build with --features otel") {
        assert!(heard.is_empty());
        eprintln!("skipped: this build sends no spans");
        return;
    }
    assert!(!heard.is_empty(), "{text}");
    let holds = |body: &[u8], word: &str| body.windows(word.len()).any(|at| at == word.as_bytes());
    for (path, _) in &heard {
        assert_eq!(path, "/v1/traces");
    }
    for word in ["btemu", "block", "height", "told", "players", "decide", "keep"] {
        assert!(heard.iter().any(|(_, body)| holds(body, word)), "no {word}");
    }
}
