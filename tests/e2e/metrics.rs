//! Metrics over HTTP while a run is made.

use crate::program::{folder, scenario, start, wait};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

/// An address that nobody listens on.
pub fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    listener.local_addr().expect("it is bound")
}

/// The page of metrics, if somebody answers.
pub fn get(address: SocketAddr) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    head.starts_with("HTTP/1.1 200").then(|| body.to_owned())
}

/// Number of samples of each metric.
fn samples(text: &str) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for line in text.lines().filter(|line| line.starts_with("btemu_")) {
        let name = line.split(['{', ' ']).next().unwrap_or_default();
        *counts.entry(name.to_owned()).or_insert(0) += 1;
    }
    counts
}

/// The first sample of a metric.
pub fn value(text: &str, name: &str) -> Option<f64> {
    let line = text
        .lines()
        .find(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' '])))?;
    line.rsplit(' ').next()?.parse().ok()
}

#[test]
fn a_run_serves_its_metrics_and_they_move() {
    for processes in ["0", "2"] {
        let folder = folder();
        let address = free_address();
        let text = address.to_string();
        let quickstart = scenario("quickstart.toml");
        let arguments = [
            "run",
            &quickstart,
            "--blocks",
            "400",
            "--pace",
            "240x",
            "--processes",
            processes,
            "--metrics",
            &text,
            "--json",
        ];
        let run = start(folder.path(), &arguments);
        let began = Instant::now();
        let mut seen: Vec<(f64, String)> = Vec::new();
        while seen.len() < 2 && began.elapsed() < Duration::from_secs(60) {
            if let Some(body) = get(address) {
                let height = value(&body, "btemu_block_height").unwrap_or(0.0);
                if height > seen.last().map_or(2.0, |(height, _)| *height) {
                    seen.push((height, body));
                }
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let killed = Command::new("kill").args(["-INT", &run.id().to_string()]).status();
        assert!(killed.is_ok_and(|status| status.success()));
        assert_eq!(wait(run).code, 0);
        assert_eq!(seen.len(), 2, "the height moved");
        let counts = samples(&seen[1].1);
        let subnets = counts["btemu_subnet_price_tao"];
        assert!(subnets >= 2, "{counts:?}");
        for name in [
            "btemu_subnet_tao_reserve_tao",
            "btemu_subnet_emission_share_ratio",
            "btemu_subnet_neurons",
        ] {
            assert_eq!(counts.get(name), Some(&subnets), "{name}: {counts:?}");
        }
        let total = value(&seen[1].1, "btemu_total_issuance_tao");
        assert!(total.is_some_and(|total| total > 0.0), "{total:?}");
    }
}
