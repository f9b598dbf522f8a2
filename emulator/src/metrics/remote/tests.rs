//! Tests of remote write: a receiver of a few lines decodes what it is sent and answers as it is told.

use super::courier::{Courier, Waits};
use super::wire::{Point, TimeSeries, WriteRequest, unpacked};
use super::*;
use crate::metrics::tests::{empty, network};
use crate::metrics::{RemoteSamples, RunLabels};
use protocol::units::NetUid;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, sync_channel};

/// A request as it came.
struct Posted {
    head: String,
    request: WriteRequest,
}

fn read_request(stream: &mut TcpStream) -> Option<Posted> {
    let mut bytes = Vec::new();
    let mut some = [0; 4_096];
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        let read = stream.read(&mut some).ok().filter(|read| *read > 0)?;
        bytes.extend_from_slice(&some[..read]);
    };
    let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let length: usize = length.expect("it says how long it is").parse().expect("a number");
    let mut body = bytes.split_off(end);
    while body.len() < length {
        let read = stream.read(&mut some).ok().filter(|read| *read > 0)?;
        body.extend_from_slice(&some[..read]);
    }
    Some(Posted { head, request: unpacked(&body) })
}

/// A receiver that answers with these statuses in turn and then always with 204.
fn receiver(statuses: &'static [u16]) -> (String, Receiver<Posted>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let url = format!("http://{}/api/v1/write", listener.local_addr().expect("it is bound"));
    let (sender, requests) = sync_channel(1_000);
    std::thread::spawn(move || {
        let mut statuses = statuses.iter().copied();
        for stream in listener.incoming() {
            let mut stream = stream.expect("somebody comes");
            while let Some(posted) = read_request(&mut stream) {
                let status = statuses.next().unwrap_or(204);
                let words = if status < 300 { "" } else { "out of bounds\nand more" };
                let length = words.len();
                let answer =
                    format!("HTTP/1.1 {status} x\r\nContent-Length: {length}\r\n\r\n{words}");
                if sender.send(posted).is_err() || stream.write_all(answer.as_bytes()).is_err() {
                    return;
                }
            }
        }
    });
    (url, requests)
}

/// Short enough for a test, long enough to tell apart.
const WAITS: Waits =
    Waits { retry_ms_max: 200, retry_wait_ms: 5, away_try_ms: 20, room_wait_ms_max: 10 };

fn metrics() -> Metrics {
    Metrics::new(RunLabels {
        scenario: "quick \"start\"".to_owned(),
        seed: 42,
        run: "r".to_owned(),
        version: "0.1.0",
        commit: "0123456789",
    })
}

fn epoch(sent: u64) -> Epoch {
    Epoch { genesis: Height(100), unix_s: 1_750_000_000, sent: Height(sent) }
}

fn pushing(url: &str, every: u64, metrics: &Metrics, epoch: Epoch) -> RemoteWrite {
    let order = RemoteOrder { url: url.to_owned(), every };
    let courier = Courier::start(url, Patience::Endless, WAITS).expect("a thread");
    RemoteWrite::over(courier, &order, metrics.clone(), epoch)
}

/// A series as a text, without the labels of its run.
fn name(series: &TimeSeries) -> String {
    let of = |label: &Label| format!("{}={}", label.name, label.value);
    let own = series.labels.iter().filter(|it| !["run", "scenario", "seed"].contains(&&*it.name));
    own.map(of).collect::<Vec<_>>().join(",")
}

/// All points that came, by series.
fn points(requests: &Receiver<Posted>) -> BTreeMap<String, Vec<Point>> {
    let mut all: BTreeMap<String, Vec<Point>> = BTreeMap::new();
    for posted in requests.try_iter() {
        for series in &posted.request.timeseries {
            all.entry(name(series)).or_default().extend(&series.samples);
        }
    }
    all
}

#[test]
fn every_series_of_the_chain_arrives_at_its_simulated_time() {
    let (url, requests) = receiver(&[]);
    let metrics = metrics();
    metrics.speed(9.0, 9.0);
    let mut remote = pushing(&url, 5, &metrics, epoch(100));
    let state = network(1..=128);
    for height in 101..=107 {
        let frame = empty(height);
        metrics.block(&frame, &state);
        remote.block(&frame.header);
    }
    let fate = remote.finish();
    let posted: Vec<Posted> = requests.try_iter().collect();
    let times = |posted: &Posted| -> Vec<i64> {
        let series = posted.request.timeseries.iter();
        series.flat_map(|series| series.samples.iter().map(|it| it.timestamp_ms)).collect()
    };
    let mut count = 0;
    let mut seen: BTreeMap<(String, i64), f64> = BTreeMap::new();
    for one in &posted {
        for header in [
            "post /api/v1/write http/1.1",
            "content-encoding: snappy",
            "content-type: application/x-protobuf",
            "x-prometheus-remote-write-version: 0.1.0",
            "user-agent: btemu/",
        ] {
            assert!(one.head.contains(header), "{header} is not in {}", one.head);
        }
        assert!(times(one).len() <= BATCH_SAMPLES_MAX);
        count += times(one).len() as u64;
        for series in &one.request.timeseries {
            assert!(series.labels.is_sorted_by(|a, b| a.name < b.name), "{series:?}");
            assert!(series.labels.iter().all(|it| !it.name.is_empty() && !it.value.is_empty()));
            let point = series.samples[0];
            assert_eq!(seen.insert((name(series), point.timestamp_ms), point.value), None);
        }
    }
    // Blocks 105 and, because it is the last, 107: the genesis block is 100.
    let at = |height: i64| 1_750_000_000_000 + height * 12_000 + 500;
    let all: BTreeSet<i64> = posted.iter().flat_map(times).collect();
    assert_eq!(all, BTreeSet::from([at(105), at(107)]));
    assert_eq!((fate.samples.sent, fate.samples.lost, fate.waiting), (count, 0, 0));
    let shown: Vec<Sample> = metrics.samples().collect();
    let (engine, chain): (Vec<_>, Vec<_>) =
        shown.iter().partition(|it| ENGINE_FAMILIES.contains(&it.family));
    assert!(engine.len() >= 4, "speed, wall time, what was pushed: {engine:?}");
    assert_eq!(count, 2 * chain.len() as u64);
    assert!(count as usize > 2 * BATCH_SAMPLES_MAX, "{count} samples need several requests");
    for sample in chain {
        let series = TimeSeries { labels: labels(sample), samples: Vec::new() };
        assert_eq!(seen.get(&(name(&series), at(107))), Some(&sample.value), "{series:?}");
    }
}

#[test]
fn a_series_that_ends_is_said_to_end_once() {
    let (url, requests) = receiver(&[]);
    let metrics = metrics();
    let mut remote = pushing(&url, 1, &metrics, epoch(100));
    let mut state = network([1, 2]);
    for height in 101..=105 {
        if height == 103 {
            state.subnets.get_mut(&NetUid(1)).expect("it was made").added = false;
        }
        let frame = empty(height);
        metrics.block(&frame, &state);
        remote.block(&frame.header);
    }
    assert_eq!(remote.finish().samples.lost, 0);
    let points = points(&requests);
    let (mut ended, mut went_on) = (0, 0);
    for (series, points) in &points {
        let bits: Vec<bool> =
            points.iter().map(|it| it.value.to_bits() == 0x7ff0_0000_0000_0002).collect();
        if series.contains(",netuid=1") {
            assert_eq!(bits, [false, false, true], "{series}");
            ended += 1;
        } else {
            assert_eq!(bits, [false; 5], "{series}");
            went_on += 1;
        }
        assert!(points.is_sorted_by(|a, b| a.timestamp_ms < b.timestamp_ms), "{series}");
    }
    assert!(ended > 40 && went_on > 60, "{ended} series end, {went_on} do not");
}

#[test]
fn blocks_that_were_sent_before_are_not_sent_again() {
    let (url, requests) = receiver(&[]);
    let metrics = metrics();
    let mut remote = pushing(&url, 1, &metrics, epoch(103));
    for height in 101..=105 {
        let frame = empty(height);
        metrics.block(&frame, &network([1]));
        remote.block(&frame.header);
    }
    remote.finish();
    let heights = &points(&requests)["__name__=btemu_block_height"];
    let heights: Vec<f64> = heights.iter().map(|it| it.value).collect();
    assert_eq!(heights, [104.0, 105.0]);
}

/// Brings one sample after the other; gives what became of them.
fn bring(url: &str, count: u64) -> Fate {
    let courier = Courier::start(url, Patience::Endless, WAITS).expect("a thread");
    for value in 0..count {
        let point = Point { value: value as f64, timestamp_ms: 1 };
        let series = TimeSeries { labels: Vec::new(), samples: vec![point] };
        courier.send(Batch { request: WriteRequest { timeseries: vec![series] }, samples: 1 });
    }
    courier.finish()
}

fn values(requests: &Receiver<Posted>) -> Vec<f64> {
    let posted = requests.try_iter();
    posted.map(|posted| posted.request.timeseries[0].samples[0].value).collect()
}

#[test]
fn a_refusal_is_final_and_trouble_passes() {
    let (url, requests) = receiver(&[400, 503, 429, 204, 302]);
    let fate = bring(&url, 4);
    assert_eq!(fate.samples, RemoteSamples { sent: 2, lost: 2 });
    assert_eq!(fate.why.as_deref(), Some("it answers 400: out of bounds"));
    assert_eq!(values(&requests), [0.0, 1.0, 1.0, 1.0, 2.0, 3.0]);
}

#[test]
fn nobody_waits_for_a_receiver_that_is_away() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let url = format!("http://{}/write", listener.local_addr().expect("it is bound"));
    drop(listener);
    let fate = bring(&url, 2_000);
    assert_eq!(fate.samples, RemoteSamples { sent: 0, lost: 2_000 });
    assert!(fate.why.is_some_and(|why| !why.is_empty()));
}

/// A receiver that takes nothing for a while gets what comes after.
#[test]
fn a_receiver_that_comes_back_is_found() {
    static TROUBLE: [u16; 60] = [503; 60];
    let (url, requests) = receiver(&TROUBLE);
    let courier = Courier::start(&url, Patience::Brief, WAITS).expect("a thread");
    let mut sent = 0;
    // As many as it takes: how fast the receiver is tried is up to the machine.
    while courier.fate().samples.sent == 0 {
        let point = Point { value: sent as f64, timestamp_ms: 1 };
        let series = TimeSeries { labels: Vec::new(), samples: vec![point] };
        courier.send(Batch { request: WriteRequest { timeseries: vec![series] }, samples: 1 });
        sent += 1;
        assert!(sent < 1_000_000, "it never comes back");
    }
    let fate = courier.finish();
    assert_eq!(fate.samples.sent + fate.samples.lost, sent);
    assert!(fate.samples.lost > 0, "it was away");
    assert!(values(&requests).len() > 60);
}

#[test]
fn urls_that_cannot_be_pushed_to_are_told_apart() {
    let rows = [
        ("http://127.0.0.1:9090/api/v1/write", None),
        ("http://prometheus/api/v1/write?x=1", None),
        ("http://[::1]:9090/api/v1/push", None),
        ("https://prometheus/api/v1/write", Some("plain HTTP")),
        ("127.0.0.1:9090", Some("write")),
        ("/api/v1/write", Some("begins with http://")),
        ("http://127.0.0.1:9090", Some("where samples are taken")),
        ("http://127.0.0.1:9090/", Some("where samples are taken")),
        ("http://:9090/write", Some("as in http://127.0.0.1:9090/api/v1/write")),
        ("http://a b/write", Some("as in http://127.0.0.1:9090/api/v1/write")),
        ("", Some("as in http://127.0.0.1:9090/api/v1/write")),
    ];
    for (url, wrong) in rows {
        let checked = check_url(url);
        match wrong {
            None => assert_eq!(checked, Ok(()), "{url}"),
            Some(words) => {
                assert!(checked.as_ref().is_err_and(|it| it.contains(words)), "{url}: {checked:?}");
            }
        }
    }
}
