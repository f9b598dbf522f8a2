//! What is sealed reaches no host before its round: every byte that a real run sends to a host process, and every
//! view of a run in one process.

use super::chain::drive;
use super::control::{Control, Wish};
use super::engine::{Checking, Engine, Happening, Manner, Tick, pick_up};
use super::host::{HostOrder, serve};
use super::hosts::Hosts;
use super::link::{Pass, Place};
use super::order::ChainOrder;
use super::wire::{ToHost, encoded};
use crate::scenario::{Overrides, load};
use protocol::event::{Event, Sealed};
use protocol::frame::Frame;
use protocol::payload::Payload;
use protocol::state::State;
use protocol::units::{Hash32, Height};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::thread;
use storage::log::{Durability, EventLog, SledLog};
use storage::record::Genesis;
use storage::runfolder::RunFolder;

const BLOCKS: u64 = 100;
/// Where a run is stopped and taken up again: in the middle of an epoch, while rows wait.
const STOP: u64 = 50;

/// A run folder with a log of nothing but genesis: the quickstart with weights sealed.
fn run_folder(path: &Path) -> RunFolder {
    let scenario = Path::new(env!("CARGO_MANIFEST_DIR")).join("../configs/quickstart.toml");
    let set = vec![("hyperparameters.commit_reveal".to_owned(), "true".to_owned())];
    let scenario = load(&scenario, &Overrides { set, ..Overrides::default() });
    let plan = scenario.expect("what ships is valid").plan().expect("what ships is valid");
    let folder = RunFolder::create_at(path).expect("writable");
    let genesis = Genesis { build: "test".to_owned(), header: plan.genesis_header(), plan };
    SledLog::create(&folder.log_dir(), &genesis, Durability::End).expect("writable");
    folder
}

fn frames(folder: &RunFolder) -> Vec<Frame> {
    let log = SledLog::open(&folder.log_dir()).expect("the run is over");
    let frames: Result<Vec<Frame>, _> = log.frames(Height(1), log.tip()).collect();
    frames.expect("all are sound")
}

fn holds(bytes: &[u8], part: &[u8]) -> bool {
    place(bytes, part).is_some()
}

fn place(bytes: &[u8], part: &[u8]) -> Option<usize> {
    let mut from = 0;
    while let Some(next) = bytes[from..].iter().position(|byte| *byte == part[0]) {
        if bytes[from + next..].starts_with(part) {
            return Some(from + next);
        }
        from += next + 1;
    }
    None
}

/// A sealed row in every form it could be told in.
struct Secret {
    /// The commit without its nonce.
    sealed: Vec<u8>,
    /// The weights alone.
    values: Vec<u8>,
    /// As events and states write it.
    row: Vec<u8>,
}

fn secret(payload: &[u8]) -> Secret {
    let row = Payload::open(payload).expect("players seal legible rows");
    // Fewer bytes could be met by chance.
    assert!(row.values.len() >= 4, "{row:?}");
    let scaled = protocol::yuma::max_upscale(&row.values);
    let pairs: Vec<(u16, u16)> = row.uids.iter().copied().zip(scaled).collect();
    Secret {
        sealed: row.seal(&[]),
        values: row.values.iter().flat_map(|value| value.to_le_bytes()).collect(),
        row: storage::codec::encode(&pairs),
    }
}

fn secrets(frames: &[Frame]) -> BTreeMap<Hash32, Secret> {
    let sealed = frames.iter().flat_map(|frame| &frame.sealed);
    sealed.map(|Sealed::CommitPayload { commit, payload }| (*commit, secret(payload))).collect()
}

/// The rows a block opened: the hash of the commit, and the row as an event writes it.
fn opened(frame: &Frame) -> Vec<(Hash32, Vec<u8>)> {
    let pairs = frame.events.windows(2);
    let opened = pairs.filter_map(|pair| match (&pair[0], &pair[1]) {
        (Event::WeightsSet { row, .. }, Event::TimelockedWeightsRevealed { hash, .. }) => {
            Some((*hash, storage::codec::encode(row)))
        }
        _ => None,
    });
    opened.collect()
}

/// Listens in the chain's place and passes everything on; gives what went to the host and what came from it.
fn tap(front: &Path, chain: PathBuf) -> thread::JoinHandle<(Vec<u8>, Vec<u8>)> {
    let listener = UnixListener::bind(front).expect("a free path");
    thread::spawn(move || {
        let (host, _) = listener.accept().expect("the host comes");
        let chain = loop {
            match UnixStream::connect(&chain) {
                Ok(chain) => break chain,
                Err(_) => thread::yield_now(),
            }
        };
        let (to_host, from_host) = (chain.try_clone(), host.try_clone());
        let pass = |mut from: UnixStream, mut to: UnixStream| {
            let (mut all, mut buffer) = (Vec::new(), vec![0; 1 << 16]);
            loop {
                match from.read(&mut buffer) {
                    Ok(0) | Err(_) => break,
                    Ok(length) => {
                        all.extend_from_slice(&buffer[..length]);
                        if to.write_all(&buffer[..length]).is_err() {
                            break;
                        }
                    }
                }
            }
            // The other end may be gone already.
            to.shutdown(std::net::Shutdown::Write).ok();
            all
        };
        let from_host = from_host.expect("a socket can be shared");
        let back = thread::spawn(move || pass(from_host, chain));
        let sent = pass(to_host.expect("a socket can be shared"), host);
        (sent, back.join().expect("it only copies"))
    })
}

/// Makes the blocks up to a height with one host process; gives what went to it and what came from it.
fn tapped_run(folder: &RunFolder, until: u64) -> (Vec<u8>, Vec<u8>) {
    let place_of = tempfile::tempdir().expect("writable");
    let (front, chain) = (place_of.path().join("front"), place_of.path().join("chain"));
    let tapped = tap(&front, chain.clone());
    let order = ChainOrder {
        socket: chain,
        hosts: 1,
        token: "t".to_owned(),
        checking: Checking::Invariants,
        ..ChainOrder::inside(folder.path.clone(), Height(until))
    };
    let Pass { run, token } = order.pass();
    let host_order = HostOrder { place: Place::Unix(front), run, host: Some(0), token };
    let host = thread::spawn(move || serve(&host_order));
    let summary = actix::System::new()
        .block_on(drive(&order, Control::new(order.wish()), |_| {}))
        .expect("it runs");
    assert_eq!((summary.block, summary.invariant_violations), (until, 0));
    host.join().expect("no panic").expect("the chain said stop");
    tapped.join().expect("no panic")
}

#[test]
fn no_byte_to_a_host_process_tells_a_row_before_its_round() {
    let place_of = tempfile::tempdir().expect("writable");
    let folder = run_folder(&place_of.path().join("run"));
    let (mut sent, mut received) = tapped_run(&folder, STOP);
    // The second host is welcomed with a state in which rows wait.
    let (more_sent, more_received) = tapped_run(&folder, BLOCKS);
    sent.extend(more_sent);
    received.extend(more_received);

    let frames = frames(&folder);
    let secrets = secrets(&frames);
    assert!(secrets.len() > 20, "{} rows were sealed", secrets.len());
    for (hash, secret) in &secrets {
        assert!(holds(&received, &secret.sealed), "{hash}: the host has sealed it itself");
        assert!(!holds(&sent, &secret.sealed), "{hash}: the sealed bytes went to a host");
        assert!(!holds(&sent, &secret.values), "{hash}: the sealed row went to a host");
    }
    let (mut told, mut rows) = (BTreeSet::new(), 0);
    for frame in &frames {
        let message = encoded(&ToHost::Block(frame.events.clone()));
        let at = place(&sent, &message).expect("every block is told");
        for (hash, row) in opened(frame) {
            assert_eq!(row, secrets[&hash].row);
            // Two may have sealed the same row.
            if told.insert(row.clone()) {
                assert!(!holds(&sent[..at], &row), "{hash}: its row was told early");
                assert!(holds(&sent[at..], &row), "{hash}: its row is public now");
                rows += 1;
            }
        }
    }
    assert!(rows > 12, "{rows} rows were opened");
}

#[test]
fn no_view_in_one_process_tells_a_row_before_its_round() {
    let place_of = tempfile::tempdir().expect("writable");
    let folder = run_folder(&place_of.path().join("run"));
    let (mut waiting, mut told) = (BTreeMap::new(), BTreeSet::new());
    let (mut rows, mut waited) = (0, 0);
    for until in [STOP, BLOCKS] {
        let held = local_run(&folder, until, |tick| {
            let Happening::Block(frame) = tick.what else { return };
            for Sealed::CommitPayload { commit, payload } in &frame.sealed {
                waiting.insert(*commit, secret(payload));
            }
            for (hash, row) in opened(frame) {
                waiting.remove(&hash).expect("it was sealed");
                rows += usize::from(holds(&view(tick.hosts), &row));
                told.insert(row);
            }
            let seen = view(tick.hosts);
            for (hash, secret) in &waiting {
                assert!(!holds(&seen, &secret.values), "{hash}: its weights are in a view");
                let early = !told.contains(&secret.row) && holds(&seen, &secret.row);
                assert!(!early, "{hash}: its row is in a view");
            }
            waited = waited.max(waiting.len());
        });
        assert_eq!(held, (waiting.len(), 0), "the chain has what waits, a view nothing");
        assert!(held.0 > 0, "something waits at block {until}");
    }
    assert!(rows > 12 && waited > 3, "{rows} opened, {waited} waited");
}

/// Makes the blocks up to a height in this process; gives what chain and view hold of sealed bytes then.
fn local_run(folder: &RunFolder, until: u64, watch: impl FnMut(Tick<'_>)) -> (usize, usize) {
    let log = SledLog::open(&folder.log_dir()).expect("it was closed");
    let mut start = pick_up(log, folder.cache()).expect("there is a log");
    let manner = Manner {
        until: Height(until),
        conditions: Vec::new(),
        snapshot_interval: 7,
        snapshot_bytes: 0,
        checkpoint_interval: 7,
        checking: Checking::Trusting,
    };
    actix::System::new().block_on(async {
        let seats = std::mem::take(&mut start.seats);
        let hosts = Hosts::local(&start.course(), seats, start.state.clone());
        let mut engine = Engine::new(start, hosts, None, Control::new(Wish::default()));
        engine.run(&manner, watch).await.expect("it runs");
        (engine.state().vault().len(), view_state(engine.hosts()).vault().len())
    })
}

fn view_state(hosts: &Hosts) -> &State {
    match hosts {
        Hosts::Local { host, .. } => host.view().state(),
        Hosts::Remote { .. } => panic!("the players are in this process"),
    }
}

/// All that a player sees of the chain, with what is in no serialised state.
fn view(hosts: &Hosts) -> Vec<u8> {
    let state = view_state(hosts);
    assert!(state.vault().is_empty());
    storage::codec::encode(state)
}
