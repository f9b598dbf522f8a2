//! Sweeps over a broker: workers come and go, the server goes and comes back, and the table is the same.
//!
//! Needs a build with the feature `broker`, and `nats-server` (`.ci/run` fetches it below the build folder); elsewhere a
//! test says that it is skipped.

use crate::bad_input::check;
use crate::export::skip;
use crate::interruption::{children, kill, wait_until};
use crate::program::{folder, json, number, say, scenario, start, wait};
use crate::sweep::{figures, sweep_file};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Child;
use tests::broker::Broker;

/// Blocks of jobs that leave time to disturb them.
const LONG: &str = "4000";

fn has_broker(folder: &Path) -> bool {
    !say(folder, &["worker", "--join", "nats://127.0.0.1:1"]).stderr.contains("has no broker")
}

/// A server, where this build and this machine have what it takes.
fn broker(folder: &Path) -> Option<Broker> {
    if !has_broker(folder) {
        skip("sweeps over a broker: this build is without it (--features emulator/broker)");
        return None;
    }
    let broker = Broker::start();
    if broker.is_none() {
        skip("sweeps over a broker: there is no nats-server");
    }
    broker
}

/// A worker that ends with its test.
struct Worker(Option<Child>);

impl Worker {
    fn start(folder: &Path, url: &str, more: &[&str]) -> Self {
        let arguments = [&["worker", "--join", url, "--jobs", "1"], more].concat();
        Self(Some(start(folder, &arguments)))
    }

    fn pid(&self) -> u32 {
        self.0.as_ref().expect("it was not ended").id()
    }

    fn is_at_work(&self) -> bool {
        !children(self.pid()).is_empty()
    }

    /// Ends it as its user would; what it said on standard error.
    fn stop(mut self) -> String {
        let child = self.0.take().expect("it was not ended");
        kill("-INT", child.id());
        let said = wait(child);
        assert_eq!(said.code, 0, "{said:?}");
        said.stderr
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            child.kill().ok();
            child.wait().ok();
        }
    }
}

fn start_sweep(folder: &Path, url: &str, more: &[&str]) -> Child {
    let sweep = ["sweep", "sweep.toml", "--out", "out", "--json", "--link", url];
    start(folder, &[&sweep[..], more].concat())
}

/// A sweep that must have ended well, with the figures that one without a broker has.
fn ended(folder: &Path, sweep: Child) -> Value {
    let said = wait(sweep);
    assert_eq!(said.code, 0, "{said:?}");
    json(folder, &["sweep", "sweep.toml", "--out", "straight", "--json"]);
    let straight: Vec<BTreeMap<String, String>> = figures(folder, "straight");
    assert_eq!(figures(folder, "out"), straight);
    serde_json::from_str(&said.stdout).expect("one object")
}

#[test]
fn a_job_of_a_killed_worker_is_made_by_another() {
    let folder = folder();
    let Some(broker) = broker(folder.path()) else { return };
    sweep_file(folder.path(), LONG, "1..3", "");
    let doomed = Worker::start(folder.path(), &broker.url(), &[]);
    let sweep = start_sweep(folder.path(), &broker.url(), &[]);
    wait_until("the worker to begin", || doomed.is_at_work());
    kill("-KILL", doomed.pid());
    let other = Worker::start(folder.path(), &broker.url(), &[]);
    let third = Worker::start(folder.path(), &broker.url(), &[]);
    let told = ended(folder.path(), sweep);
    assert_eq!((number(&told, "made"), number(&told, "failed")), (6, 0));
    other.stop();
    third.stop();
}

#[test]
fn a_broker_that_goes_and_comes_back_changes_nothing() {
    let folder = folder();
    let Some(mut broker) = broker(folder.path()) else { return };
    sweep_file(folder.path(), LONG, "1..3", "");
    let worker = Worker::start(folder.path(), &broker.url(), &[]);
    let sweep = start_sweep(folder.path(), &broker.url(), &[]);
    wait_until("the worker to begin", || worker.is_at_work());
    broker.restart();
    let results = folder.path().join("out/results");
    let count = || fs::read_dir(&results).map_or(0, Iterator::count);
    wait_until("a result", || count() > 0);
    broker.restart();
    let told = ended(folder.path(), sweep);
    assert_eq!((number(&told, "made"), number(&told, "failed")), (6, 0));
    worker.stop();
}

#[test]
fn a_killed_sweep_finds_what_workers_made_meanwhile_over_the_broker() {
    let folder = folder();
    let Some(broker) = broker(folder.path()) else { return };
    sweep_file(folder.path(), "30", "1..3", "");
    let sweep = start_sweep(folder.path(), &broker.url(), &[]);
    let worker = Worker::start(folder.path(), &broker.url(), &[]);
    let results = folder.path().join("out/results");
    wait_until("a result", || {
        fs::read_dir(&results).is_ok_and(|mut entries| entries.next().is_some())
    });
    kill("-KILL", sweep.id());
    wait(sweep);
    // The folder is lost, the broker is not.
    fs::remove_dir_all(folder.path().join("out")).expect("it is there");
    let told = ended(folder.path(), start_sweep(folder.path(), &broker.url(), &[]));
    assert_eq!((number(&told, "found"), number(&told, "made")), (0, 6));
    worker.stop();
    // Nobody works any more, and nobody has to.
    fs::remove_dir_all(folder.path().join("out")).expect("it is there");
    let told = ended(folder.path(), start_sweep(folder.path(), &broker.url(), &[]));
    assert_eq!(number(&told, "made"), 6);
}

#[test]
fn workers_with_another_token_are_no_workers_of_a_sweep_over_a_broker() {
    let folder = folder();
    let Some(broker) = broker(folder.path()) else { return };
    sweep_file(folder.path(), "30", "1..2", "");
    let url = broker.url();
    let strangers: Vec<Worker> = [&["--token", "other"][..], &[]]
        .into_iter()
        .map(|token| Worker::start(folder.path(), &url, token))
        .collect();
    let sweep = start_sweep(folder.path(), &url, &["--token", "secret"]);
    let results = folder.path().join("out/results");
    wait_until("the sweep to begin", || results.exists());
    // A sweep of the strangers' own shows that they do work.
    for (out, token) in [("other", &["--token", "other"][..]), ("open", &[])] {
        let arguments = ["sweep", "sweep.toml", "--out", out, "--json", "--link", &url];
        let told = json(folder.path(), &[&arguments[..], token].concat());
        assert_eq!(number(&told, "made"), 4, "{out}");
    }
    let count = fs::read_dir(&results).expect("it is there").count();
    assert_eq!(count, 0, "nobody who knows the secret has worked yet");
    let worker = Worker::start(folder.path(), &url, &["--token", "secret"]);
    ended(folder.path(), sweep);
    worker.stop();
    for stranger in strangers {
        stranger.stop();
    }
}

#[test]
fn a_job_that_no_broker_message_holds_is_refused() {
    let folder = folder();
    let Some(broker) = broker(folder.path()) else { return };
    let mainnet = fs::read_to_string(scenario("mainnet.toml")).expect("it ships");
    let shipped = "data/finney_subnets_taostats_2026-04-11.json";
    assert!(mainnet.contains(shipped), "the snapshot is where it was");
    let snapshot = fs::read_to_string(scenario(shipped)).expect("it ships");
    let padded = format!("{}{snapshot}", " ".repeat(1 << 20));
    fs::write(folder.path().join("large.json"), padded).expect("writable");
    fs::write(folder.path().join("large.toml"), mainnet.replace(shipped, "large.json"))
        .expect("writable");
    let text = "[sweep]\nscenario = \"large.toml\"\nseeds = [1]\nblocks = 2\n";
    fs::write(folder.path().join("sweep.toml"), text).expect("writable");
    let said = wait(start_sweep(folder.path(), &broker.url(), &[]));
    check(&said, 1, &["job 1", "bytes", "hint: raise max_payload"]);
}

#[test]
fn a_broker_that_is_not_there_is_told() {
    let folder = folder();
    sweep_file(folder.path(), "5", "1..1", "");
    let nowhere = "nats://127.0.0.1:1";
    let (code, words): (i32, &[&str]) = match has_broker(folder.path()) {
        true => (1, &[nowhere, "cannot be reached", "hint: start one with `nats-server -js`"]),
        false => (2, &["this build has no broker", "--features emulator/broker"]),
    };
    let sweep = ["sweep", "sweep.toml", "--out", "out", "--link", nowhere];
    for arguments in [&sweep[..], &["worker", "--join", nowhere]] {
        check(&say(folder.path(), arguments), code, words);
    }
}
