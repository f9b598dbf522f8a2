//! The same metric has the same value at the same block: scraped live, pushed live, exported, replayed and pushed,
//! replayed and scraped.

use crate::export::ENGINE;
use crate::metrics::{free_address, get, value};
use crate::program::{folder, json, say, scenario, start, wait};
use prost::Message;
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

#[derive(Clone, PartialEq, Message)]
struct WriteRequest {
    #[prost(message, repeated, tag = "1")]
    timeseries: Vec<TimeSeries>,
}

#[derive(Clone, PartialEq, Message)]
struct TimeSeries {
    #[prost(message, repeated, tag = "1")]
    labels: Vec<Label>,
    #[prost(message, repeated, tag = "2")]
    samples: Vec<Sample>,
}

#[derive(Clone, PartialEq, Message)]
struct Label {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    value: String,
}

#[derive(Clone, PartialEq, Message)]
struct Sample {
    #[prost(double, tag = "1")]
    value: f64,
    #[prost(int64, tag = "2")]
    timestamp: i64,
}

/// A series: its name, then its labels that are not empty, ascending.
type Series = (String, Vec<(String, String)>);

/// Values by milliseconds of simulated time and by series. The end of a series is a NaN.
type Points = BTreeMap<i64, BTreeMap<Series, f64>>;

fn series(name: &str, labels: impl IntoIterator<Item = (String, String)>) -> Series {
    let mut labels: Vec<_> = labels.into_iter().filter(|(_, value)| !value.is_empty()).collect();
    labels.sort();
    (name.to_owned(), labels)
}

/// A receiver of remote write: where it listens, and what it was sent.
fn receiver() -> (String, Arc<Mutex<Points>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let url = format!("http://{}/api/v1/write", listener.local_addr().expect("it is bound"));
    let points = Arc::<Mutex<Points>>::default();
    let received = Arc::clone(&points);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            receive(&mut stream.expect("somebody comes"), &received);
        }
    });
    (url, points)
}

fn receive(stream: &mut TcpStream, points: &Mutex<Points>) {
    let mut bytes = Vec::new();
    let mut some = vec![0; 1 << 16];
    loop {
        let head = bytes.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4);
        let length = head.and_then(|head| {
            let text = String::from_utf8_lossy(&bytes[..head]).to_lowercase();
            let line = text.lines().find_map(|line| line.strip_prefix("content-length: "))?;
            line.parse::<usize>().ok()
        });
        if let (Some(head), Some(length)) = (head, length)
            && bytes.len() >= head + length
        {
            let rest = bytes.split_off(head + length);
            take(&bytes[head..], &mut points.lock().expect("no panic"));
            bytes = rest;
            stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").expect("it reads");
            continue;
        }
        match stream.read(&mut some) {
            Ok(read) if read > 0 => bytes.extend_from_slice(&some[..read]),
            _ => return,
        }
    }
}

fn take(body: &[u8], points: &mut Points) {
    let bytes = snap::raw::Decoder::new().decompress_vec(body).expect("it is snappy");
    let request = WriteRequest::decode(&bytes[..]).expect("it is a request");
    for TimeSeries { labels, samples } in request.timeseries {
        let name = labels.iter().find(|label| label.name == "__name__").expect("it has a name");
        let own = labels.iter().filter(|label| label.name != "__name__");
        let series = series(&name.value, own.map(|it| (it.name.clone(), it.value.clone())));
        for Sample { value, timestamp } in samples {
            let of_block = points.entry(timestamp).or_default();
            assert_eq!(of_block.insert(series.clone(), value), None, "{series:?} came twice");
        }
    }
}

/// A line of a text format: series, value, and the rest. Values of labels hold no braces and no escapes here.
fn read_line(line: &str) -> (Series, f64, Option<&str>) {
    let (name, rest) = line.split_once('{').expect("every series has labels");
    let (labels, rest) = rest.split_once("} ").expect("labels are closed");
    let labels = labels.split("\",").map(|label| {
        let (name, value) = label.split_once("=\"").expect("a label is name=\"value\"");
        (name.to_owned(), value.trim_end_matches('"').to_owned())
    });
    let (value, time) = rest.split_once(' ').map_or((rest, None), |(v, time)| (v, Some(time)));
    (series(name, labels), value.parse().expect("a number"), time)
}

fn is_of_the_chain(line: &&str) -> bool {
    !line.starts_with('#') && !ENGINE.iter().any(|engine| line.starts_with(engine))
}

fn scraped(page: &str) -> BTreeMap<Series, f64> {
    page.lines().filter(is_of_the_chain).map(read_line).map(|(it, value, _)| (it, value)).collect()
}

fn exported(text: &str) -> Points {
    let mut points = Points::new();
    for line in text.lines().filter(is_of_the_chain) {
        let (series, value, time) = read_line(line);
        let time = time.expect("an exported value has a time");
        let (seconds, part) = time.split_once('.').unwrap_or((time, "0"));
        let ms = format!("{part:0<3}").parse::<i64>().expect("digits");
        let time_ms = seconds.parse::<i64>().expect("digits") * 1_000 + ms;
        points.entry(time_ms).or_default().insert(series, value);
    }
    points
}

/// What was pushed, without what only says that a series ended.
fn pushed(points: &Mutex<Points>) -> Points {
    let mut points = points.lock().expect("no panic").clone();
    points.values_mut().for_each(|of_block| of_block.retain(|_, value| !value.is_nan()));
    points
}

fn same(name: &str, one: &Points, other: &Points) {
    assert_eq!(
        one.keys().collect::<Vec<_>>(),
        other.keys().collect::<Vec<_>>(),
        "{name}: the times"
    );
    for (time_ms, of_block) in one {
        let other = &other[time_ms];
        for (series, value) in of_block {
            assert_eq!(Some(value), other.get(series), "{name} at {time_ms}: {series:?}");
        }
        assert_eq!(of_block.len(), other.len(), "{name} at {time_ms}: series");
    }
}

/// Scrapes until somebody answers with what is wanted.
fn scrape(address: std::net::SocketAddr, wanted: impl Fn(f64) -> bool) -> String {
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(120) {
        if let Some(page) = get(address)
            && value(&page, "btemu_block_height").is_some_and(&wanted)
        {
            return page;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("nobody answers on {address} with what is wanted");
}

fn interrupt(child: &Child) {
    let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(killed.is_ok_and(|status| status.success()));
}

#[test]
fn a_metric_has_the_same_value_at_the_same_block_wherever_it_is_read() {
    let folder = folder();
    let (url, live) = receiver();
    let address = free_address();
    let (text, quickstart) = (address.to_string(), scenario("quickstart.toml"));
    let mut arguments = vec!["run", &quickstart, "--blocks", "60", "--out", "run"];
    arguments.extend(["--processes", "2", "--pace", "120x", "--metrics", &text]);
    arguments.extend(["--remote-write", &url, "--every", "1"]);
    arguments.extend(["--set", "metrics.neuron_netuids=[1, 2]", "--accounts", "--json"]);
    let run = start(folder.path(), &arguments);
    let mut pages: Vec<String> = Vec::new();
    let mut seen = 3.0;
    while pages.len() < 3 {
        let page = scrape(address, |height| height > seen);
        seen = value(&page, "btemu_block_height").expect("it was looked at");
        pages.push(page);
    }
    let said = wait(run);
    assert_eq!(said.code, 0, "{said:?}");
    let live = pushed(&live);
    assert_eq!(live.len(), 60, "every block was pushed");

    for page in &pages {
        let seen = scraped(page);
        let height = value(page, "btemu_block_height");
        let at = live.values().find(|of_block| {
            let mut heights = of_block.iter().filter(|((name, _), _)| name == "btemu_block_height");
            heights.next().map(|(_, value)| *value) == height
        });
        let at = at.unwrap_or_else(|| panic!("block {height:?} was not pushed"));
        assert_eq!(at, &seen, "live, block {height:?}");
        assert!(seen.len() > 400, "only {} series", seen.len());
        for name in ["btemu_neuron_stake_alpha", "btemu_player_wealth_tao", "btemu_role_neurons"] {
            assert!(seen.keys().any(|(known, _)| known == name), "no {name}");
        }
    }

    let export = ["export", "run", "--format", "openmetrics", "--out", "all.txt", "--every", "1"];
    json(folder.path(), &[&export[..], &["--accounts", "--json"]].concat());
    let text = fs::read_to_string(folder.path().join("all.txt")).expect("it was written");
    same("exported", &live, &exported(&text));

    let (url, again) = receiver();
    let address = free_address();
    let text = address.to_string();
    let mut arguments = vec!["replay", "run", "--metrics", &text, "--hold", "--accounts", "--json"];
    arguments.extend(["--remote-write", &url, "--every", "1"]);
    let mut replay = start(folder.path(), &arguments);
    let last = live.values().next_back().expect("there are blocks");
    let height = last.iter().find(|((name, _), _)| name == "btemu_block_height");
    let height = *height.expect("it is pushed").1;
    let page = scrape(address, |at| at == height);
    assert_eq!(last, &scraped(&page), "replayed and scraped");
    let stderr = replay.stderr.take().expect("it was asked for");
    let mut lines = BufReader::new(stderr).lines().map(|line| line.expect("it writes text"));
    let told: Vec<String> =
        lines.by_ref().take_while(|line| !line.starts_with("serving the last block")).collect();
    assert!(told.iter().any(|line| line.contains("samples were taken by")), "{told:?}");
    assert_eq!(last, &scraped(&scrape(address, |at| at == height)), "replayed, held and scraped");
    interrupt(&replay);
    let said = wait(replay);
    assert!(said.code == 0 && said.stdout.contains("\"tip_hash\""), "{said:?}");
    same("replayed and pushed", &live, &pushed(&again));
}

/// A fork pushes what it makes itself, in as much detail as a run does; the times of what it shares are its parent's.
#[test]
fn a_fork_pushes_what_comes_behind_the_shared_blocks() {
    let folder = folder();
    let quickstart = scenario("quickstart.toml");
    let usual = ["--processes", "0", "--json"];
    let run = ["run", &quickstart, "--blocks", "20", "--out", "run"];
    json(folder.path(), &[&run[..], &usual].concat());
    let (url, live) = receiver();
    let fork = ["fork", "run", "--at", "+12", "--set", "rules.version=price", "--out", "fork"];
    let detail = ["--remote-write", &url, "--every", "1", "--neurons", "2", "--accounts"];
    json(folder.path(), &[&fork[..], &detail, &usual].concat());
    let live = pushed(&live);
    let heights = live.values().map(|of_block| {
        let mut heights = of_block.iter().filter(|((name, _), _)| name == "btemu_block_height");
        *heights.next().expect("it is pushed").1
    });
    let own: Vec<f64> = (13..=20).map(f64::from).collect();
    assert_eq!(heights.collect::<Vec<_>>(), own);
    let export = ["export", "fork", "--format", "openmetrics", "--out", "all.txt", "--every", "1"];
    let more = ["--from", "+13", "--neurons", "2", "--accounts", "--json"];
    json(folder.path(), &[&export[..], &more].concat());
    let text = fs::read_to_string(folder.path().join("all.txt")).expect("it was written");
    assert!(
        text.contains("btemu_neuron_info{netuid=\"2\"") && text.contains("btemu_player_wealth_tao")
    );
    same("exported", &live, &exported(&text));
    let refused = ["fork", "run", "--at", "+12", "--out", "silent", "--neurons", "1"];
    let said = say(folder.path(), &refused);
    assert!(said.code == 2 && said.stderr.contains("none are served or pushed"), "{said:?}");
    assert!(!folder.path().join("silent").exists(), "nothing is left behind");
}

#[test]
fn a_replay_at_a_pace_ends_by_itself_and_shows_the_past_on_its_way() {
    let folder = folder();
    let quickstart = scenario("quickstart.toml");
    let arguments =
        ["run", &quickstart, "--blocks", "30", "--out", "run", "--processes", "0", "--json"];
    json(folder.path(), &arguments);
    let address = free_address();
    let text = address.to_string();
    let arguments = ["replay", "run", "--metrics", &text, "--pace", "60x", "--neurons", "1"];
    let replay = start(folder.path(), &arguments);
    let first = value(&scrape(address, |_| true), "btemu_block_height").expect("there is one");
    let page = scrape(address, |height| height > first);
    assert!(page.lines().any(|line| line.starts_with("btemu_neuron_info{netuid=\"1\"")), "{page}");
    let said = wait(replay);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.stdout.contains("every frame hash and every state root holds"), "{said:?}");
    assert!(said.stderr.contains(&format!("metrics at http://{address}/metrics")), "{said:?}");
}

#[test]
fn what_cannot_be_pushed_or_shown_is_said_in_one_sentence() {
    let folder = folder();
    let quickstart = scenario("quickstart.toml");
    let nine: Vec<String> = (1..=9).map(|number| format!("--neurons={number}")).collect();
    let nine: Vec<&str> = nine.iter().map(String::as_str).collect();
    let rows: [(&[&str], &str); 9] = [
        (&["--remote-write", "https://host/write"], "plain HTTP"),
        (&["--remote-write", "127.0.0.1:9090"], "http://127.0.0.1:9090/api/v1/write"),
        (&["--remote-write", "http://127.0.0.1:9090"], "where samples are taken"),
        (&["--every", "3"], "--remote-write"),
        (&["--remote-write", "http://h/w", "--every", "0"], "--every"),
        (&["--neurons", "1"], "none are served or pushed"),
        (&["--accounts", "--metrics", "off"], "none are served or pushed"),
        (&nine, "9 subnets are more than 8"),
        (&["--set", "metrics.neuron_netuids=[1,2,3,4,5,6,7,8,9]"], "metrics.neuron_netuids"),
    ];
    for (arguments, words) in rows {
        let arguments = [&["run", &quickstart, "--out", "run"], arguments].concat();
        let said = say(folder.path(), &arguments);
        assert_eq!(said.code, 2, "{arguments:?}: {said:?}");
        assert!(said.stderr.contains(words), "{arguments:?}: {said:?}");
        assert!(!folder.path().join("run").exists(), "{arguments:?} leaves nothing behind");
    }
    let arguments = ["run", &quickstart, "--blocks", "3", "--out", "run", "--processes", "0"];
    assert_eq!(say(folder.path(), &arguments).code, 0);
    for (argument, words) in [("--hold", "--metrics"), ("--accounts", "none are served or pushed")]
    {
        let said = say(folder.path(), &["replay", "run", argument]);
        assert!(said.code == 2 && said.stderr.contains(words), "{said:?}");
    }
}
