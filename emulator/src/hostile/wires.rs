//! Messages between processes, and knocks at the door of a live run: whatever comes over a socket is a message, or the
//! connection ends with an error; a frame of an impossible length is refused before there is room for it.

use super::damage::{EXTREMES, damage};
use super::golden::Golden;
use super::trial::{Choices, Tally, Target, try_inputs};
use crate::names::Names;
use crate::plan::Plan;
use crate::run::control::{Control, Wish};
use crate::run::door::{Answer, Command, DOOR, DOOR_VERSION, Door, From, Knock, Opening, Request};
use crate::run::link::{HEAD_BYTES, framed};
use crate::run::status::About;
use crate::run::wire::{FromHost, Hello, ToHost, WIRE_VERSION, Welcome, Wire, encoded};
use crate::run::wire_error::{MESSAGE_BYTES_MAX, WireError};
use crate::version::BUILD;
use actors::host::{Seated, SliceDone};
use protocol::units::Height;
use std::io::Write;
use std::os::unix::net::UnixStream as StdStream;
use storage::log::{Durability, EventLog, SledLog};
use storage::part::RawRecord;
use tokio::net::UnixStream;

const INPUTS: u64 = 12_000;
const KNOCKS: u64 = 2_000;

fn golden_plan() -> (Golden, Plan) {
    let golden = Golden::read(4);
    let record = RawRecord::new(golden.records[0].clone()).expect("it is sound");
    let plan = record.record().genesis::<Plan>().expect("it is sound").plan;
    (golden, plan)
}

/// Messages of every kind, as they are sent.
fn messages() -> Vec<Vec<u8>> {
    let (golden, plan) = golden_plan();
    let seats: Vec<Seated> = plan
        .players
        .iter()
        .map(|seat| Seated::new(seat.identity.clone(), seat.player.clone()))
        .collect();
    let welcome = Welcome {
        seed: 7,
        seats: seats.clone(),
        state: golden.state.clone(),
        directory: plan.players.iter().map(|s| (s.identity.hotkey, s.identity.id)).collect(),
    };
    let hello = Hello {
        version: WIRE_VERSION,
        build: BUILD.to_owned(),
        run: "run".to_owned(),
        host: Some(1),
        token: "token".to_owned(),
        pid: 77,
    };
    let events = golden.frames[20].events.clone();
    let slice = ToHost::Slice { from_ms: 0, until_ms: 1_000, deliveries: Vec::new() };
    let to = [
        ToHost::Welcome(Box::new(welcome)),
        ToHost::Refused("why".to_owned()),
        ToHost::Block(events),
        slice,
        ToHost::Save,
        ToHost::Stop,
    ];
    let done = SliceDone { next_wake_ms: Some(7), steps: 9, ..SliceDone::default() };
    let from = [
        FromHost::Hello(hello),
        FromHost::Ready(Some(7)),
        FromHost::Done(done),
        FromHost::Seats(seats.iter().collect()),
        FromHost::Failed("why".to_owned()),
        FromHost::Bye(9),
    ];
    let to = to.iter().map(encoded);
    to.chain(from.iter().map(encoded)).map(|message| message.to_vec()).collect()
}

/// A message behind its head, or behind one with another length or number.
fn headed(number: u32, message: &[u8], choices: &mut Choices<'_>) -> Vec<u8> {
    let length = match choices.below(4) {
        0 => *choices.of(&EXTREMES) as u32,
        _ => message.len() as u32,
    };
    let number = if choices.below(16) == 0 { choices.number() as u32 } else { number };
    let mut bytes = framed(number, length, message);
    if choices.below(16) == 0 {
        let at = choices.below(HEAD_BYTES);
        bytes[at] ^= 1;
    }
    bytes
}

async fn received(bytes: Vec<u8>, choices: &mut Choices<'_>, tally: &Tally) {
    let (ours, theirs) = UnixStream::pair().expect("there are sockets");
    let mut wire = Wire::new(theirs);
    let mut ours = ours.into_std().expect("it is a socket");
    ours.set_nonblocking(false).expect("it is a socket");
    // A socket takes some thousand bytes before anybody reads; the rest comes from a thread.
    let sent = std::thread::spawn(move || drop(ours.write_all(&bytes)));
    loop {
        let error = match choices.below(2) {
            0 => wire.receive::<ToHost>().await.map(drop),
            _ => wire.receive::<FromHost>().await.map(drop),
        };
        match error {
            Ok(()) => tally.count("a message"),
            Err(WireError::Garbled(_)) => tally.count("garbled"),
            Err(WireError::Closed) => break tally.count("closed"),
            Err(WireError::TooLong { .. }) => break tally.count("too long"),
            Err(WireError::Damaged) => break tally.count("damaged"),
            Err(WireError::Missed { .. }) => break tally.count("out of turn"),
            Err(WireError::Io(error)) => {
                assert!(!error.to_string().is_empty());
                break tally.count("broken");
            }
            Err(other) => panic!("a socket knows no {other}"),
        }
    }
    drop(wire);
    sent.join().expect("it only writes");
}

#[test]
fn any_message_is_read_or_refused() {
    let messages = messages();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("there are sockets");
    let tally = Tally::default();
    try_inputs!("any_message_is_read_or_refused", INPUTS, |choices| {
        tally.count("tried");
        let mut bytes = Vec::new();
        for number in 0..=choices.below(2) as u32 {
            let mut message = choices.of(&messages).clone();
            if choices.below(4) != 0 {
                damage(&mut message, &messages[0], choices);
            }
            bytes.extend(headed(number, &message, choices));
        }
        runtime.block_on(received(bytes, choices, &tally));
    });
    tally.wants(&[
        ("a message", 100),
        ("garbled", 100),
        ("closed", 100),
        ("too long", 50),
        ("broken", 50),
    ]);
}

/// The door of a run over the golden log.
fn door(folder: &std::path::Path) -> (Door, Height) {
    let (golden, plan) = golden_plan();
    let records = golden.records.iter().map(|bytes| RawRecord::new(bytes.clone()));
    let records: Vec<RawRecord> = records.map(|raw| raw.expect("it is sound")).collect();
    let path = folder.join("log");
    let mut log = SledLog::create_copy(&path, &records[0], Durability::End).expect("it is new");
    for raw in &records[1..] {
        log.append_record(&raw.record()).expect("it follows");
    }
    let tip = log.tip();
    let opening = Opening {
        run: folder.to_owned(),
        socket: folder.join("socket"),
        tip,
        names: Names::new(&plan, &plan.genesis),
        reader: log.reader(),
        cache: storage::cache::Cache::new(folder.join("cache")),
        control: Control::new(Wish::default()),
        about: About {
            run: folder.display().to_string(),
            genesis: plan.genesis.height,
            until: tip,
            launcher_pid: std::process::id(),
            restarts: 0,
        },
    };
    (Door::open(opening).expect("there are sockets"), tip)
}

/// What the door says first, and the next thing after that.
async fn answered(bytes: &[u8], folder: &std::path::Path) -> Option<Answer> {
    let mut socket = StdStream::connect(folder.join(DOOR)).expect("the door is open");
    socket.write_all(bytes).ok()?;
    socket.set_nonblocking(true).ok()?;
    socket.shutdown(std::net::Shutdown::Write).ok()?;
    let mut wire = Wire::new(UnixStream::from_std(socket).ok()?);
    wire.receive::<Answer>().await.ok()
}

#[test]
fn any_knock_is_answered() {
    let folder = tempfile::tempdir().expect("writable");
    let (door, tip) = door(folder.path());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("there are sockets");
    let tally = Tally::default();
    try_inputs!("any_knock_is_answered", KNOCKS, |choices| {
        tally.count("tried");
        let from = match choices.below(3) {
            0 => From::Now,
            1 => From::Height(*choices.of(&EXTREMES)),
            _ => From::Since(*choices.of(&EXTREMES)),
        };
        let request = match choices.below(4) {
            // Nobody makes this run, so whatever else is asked is never in force.
            0 => Request::Control(Command::Status),
            1 => Request::State,
            _ => Request::Follow { from },
        };
        let version = if choices.below(8) == 0 { choices.number() as u32 } else { DOOR_VERSION };
        let sound = encoded(&Knock { version, request }).to_vec();
        let mut knock = sound.clone();
        if choices.below(2) == 0 {
            damage(&mut knock, &sound, choices);
        }
        let length = match choices.below(8) {
            0 => *choices.of(&EXTREMES) as u32,
            _ => knock.len() as u32,
        };
        let bytes = framed(0, length, &knock);
        let is_whole = length as usize == knock.len();
        match runtime.block_on(answered(&bytes, folder.path())) {
            Some(Answer::Following(following)) => {
                assert_eq!(following.tip, tip);
                assert!(following.first > following.genesis || following.first == Height(u64::MAX));
                tally.count("followed");
            }
            Some(Answer::Refused(why)) => {
                assert!(!why.is_empty());
                tally.count("refused");
            }
            Some(Answer::Status(status)) => {
                assert_eq!((status.block, status.processes.len()), (tip.0, 0));
                tally.count("status");
            }
            Some(Answer::Standing(standing)) => {
                let state = storage::codec::decode::<protocol::state::State>(&standing.state);
                assert_eq!(state.expect("a state").height, tip);
                tally.count("state");
            }
            Some(other) => panic!("the first answer is {other:?}"),
            None => {
                // A damaged knock may ask for what has no answer because nobody makes this run.
                let asks = storage::codec::decode::<Knock>(&knock).map(|knock| knock.request);
                let waits =
                    matches!(asks, Ok(Request::Control(command)) if command != Command::Status);
                assert!(!is_whole || waits, "a whole message has an answer, whatever it says");
                tally.count("no answer");
            }
        }
    });
    tally.wants(&[
        ("followed", 200),
        ("status", 100),
        ("state", 100),
        ("refused", 100),
        ("no answer", 10),
    ]);
    drop(door);
}

/// Nobody gets room for a message that is longer than any.
#[test]
fn a_frame_beyond_the_limit_is_refused_at_its_head() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let told = runtime.expect("there are sockets").block_on(async {
        let (ours, theirs) = UnixStream::pair().expect("there are sockets");
        let length = u32::try_from(MESSAGE_BYTES_MAX + 1).expect("it is below four gigabytes");
        ours.try_write(&framed(0, length, b"")).expect("there is room");
        Wire::new(theirs).receive::<ToHost>().await.map(drop)
    });
    assert!(matches!(told, Err(WireError::TooLong { .. })), "{told:?}");
}
