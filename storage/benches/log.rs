//! What a run's log costs, block by block: `cargo bench -p storage --bench log -- RUN`.
//!
//! Reads the log of a finished run and does to each block what writing and reading it does, one step after the other on
//! one thread; prints the mean and the median time of each step, and what the log's bytes are made of.

use protocol::apply::apply;
use protocol::event::Event;
use protocol::frame::{Frame, calls_root, events_root, facts_root};
use protocol::state::State;
use protocol::units::{Hash32, Height};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::hint::black_box;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use storage::columns;
use storage::log::{Durability, EventLog, SledLog};
use storage::record::{Genesis, pack_frame};

/// Kinds of rows shown.
const KINDS_SHOWN: usize = 14;

/// The part of a plan that is needed here.
#[derive(Clone, Serialize, Deserialize)]
struct Start {
    genesis: State,
}

#[derive(Default)]
struct Times(BTreeMap<&'static str, Vec<Duration>>);

impl Times {
    fn of<T>(&mut self, step: &'static str, work: impl FnOnce() -> T) -> T {
        let began = Instant::now();
        let value = black_box(work());
        self.0.entry(step).or_default().push(began.elapsed());
        value
    }

    fn print(mut self, steps: &[(&'static str, &str)]) {
        println!("{:36}{:>10}{:>10}   us a block", "", "mean", "median");
        for (step, what) in steps {
            let Some(times) = self.0.get_mut(step) else { continue };
            times.sort_unstable();
            let micros = |time: Duration| time.as_nanos() as f64 / 1e3;
            let mean = micros(times.iter().sum::<Duration>()) / times.len() as f64;
            println!("{what:36}{mean:>10.1}{:>10.1}", micros(times[times.len() / 2]));
        }
    }
}

const STEPS: &[(&str, &str)] = &[
    ("roots", "write: hash calls, events, facts"),
    ("pack", "write: encode, compress, hash"),
    ("append", "write: the same and store"),
    ("read", "read: unpack, decode"),
    ("hash", "read: hash calls, events, facts"),
    ("apply", "fold: apply events"),
    ("root", "both: state root"),
];

fn main() {
    // Cargo passes `--bench` itself, and runs every bench in `cargo test --benches` without arguments.
    let Some(run) = std::env::args().skip(1).find(|argument| !argument.starts_with("--")) else {
        println!("no run was named: cargo bench -p storage --bench log -- RUN");
        return;
    };
    let log = SledLog::open(&PathBuf::from(&run).join("log")).expect("the log opens");
    let genesis: Genesis<Start> = log.genesis().expect("block 0 is sound");
    let folder = tempfile::tempdir().expect("a folder can be made");
    let copy = folder.path().join("log");
    let mut copy = SledLog::create(&copy, &genesis, Durability::End).expect("a log can be made");
    let mut state = genesis.plan.genesis.clone();
    assert_eq!(state.root(), genesis.header.state_root, "the log has the newest kind of root");

    let mut times = Times::default();
    let mut sizes: BTreeMap<String, u64> = BTreeMap::new();
    let (mut packed, mut raw, mut blocks) = (0_u64, 0_u64, 0_u64);
    let mut previous = Hash32::default();
    let first = Height(log.genesis_height().0 + 1);
    for record in log.records(first, log.tip()) {
        let record = record.expect("the log is sound");
        packed += record.bytes().len() as u64;
        blocks += 1;
        let height = Height(first.0 + blocks - 1);
        let frame = times.of("read", || record.record().frame(height)).expect("it decodes");
        times.of("hash", || digests(&frame));
        times.of("apply", || {
            for event in &frame.events {
                apply(&mut state, event).expect("the log folds");
            }
            state.keep_sealed(&frame.events, &frame.sealed);
        });
        let root = times.of("root", || state.root());
        assert_eq!(root, frame.header.state_root, "block {height}");
        times.of("roots", || digests(&frame));
        (_, previous) = times.of("pack", || pack_frame(&frame, previous));
        times.of("append", || copy.append(&frame)).expect("it can be written");
        raw += columns::encode(&frame).len() as u64;
        measure(&frame, &mut sizes);
    }
    println!("{run}: {blocks} blocks");
    times.print(STEPS);
    let each = |bytes: u64| bytes as f64 / blocks as f64;
    println!();
    println!(
        "{:.0} bytes a block as stored ({:.0} before compression): {:.1} MB for 7,200 blocks",
        each(packed),
        each(raw),
        each(packed) * 7_200.0 / 1e6
    );
    println!("of which, each kind compressed by itself:");
    let mut kinds: Vec<_> = sizes.into_iter().collect();
    kinds.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
    for (kind, bytes) in kinds.iter().take(KINDS_SHOWN) {
        println!("{kind:36}{:>10.0}   bytes a block", each(*bytes));
    }
}

fn digests(frame: &Frame) -> [Hash32; 3] {
    let Frame { calls, refused, events, sealed, facts, .. } = frame;
    [calls_root(calls, refused), events_root(events, sealed), facts_root(facts)]
}

fn measure(frame: &Frame, sizes: &mut BTreeMap<String, u64>) {
    let mut add = |kind: &str, bytes: Vec<u8>| {
        let packed = zstd::bulk::compress(&bytes, 1).expect("memory takes it").len() as u64;
        *sizes.entry(kind.to_owned()).or_default() += packed;
    };
    add("calls", columns::encode(&frame.calls));
    add("off-chain facts", columns::encode(&frame.facts));
    add("sealed facts", columns::encode(&frame.sealed));
    let mut kinds: BTreeMap<&str, Vec<&Event>> = BTreeMap::new();
    for event in &frame.events {
        kinds.entry(event.kind()).or_default().push(event);
    }
    for (kind, events) in kinds {
        add(kind, columns::encode(&events));
    }
}
