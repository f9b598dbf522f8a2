//! Frames that follow each other and mean nothing: noise of many lengths, drawn from the height alone, so that a
//! child process and its parent know the same ones without telling each other.

use protocol::event::Sealed;
use protocol::frame::{Facts, Frame, Header};
use protocol::units::{Hash32, Height};
use std::path::Path;
use storage::log::{Durability, EventLog, LogError, SledLog};
use storage::record::Genesis;

/// The first block; not 0, so that nobody confuses a height with a place.
pub const GENESIS: u64 = 4_700;

/// A number from a seed and two coordinates.
pub fn dice(seed: u64, domain: &str, number: u64) -> u64 {
    let hash = blake3::hash(format!("{seed} {domain} {number}").as_bytes());
    u64::from_le_bytes(hash.as_bytes()[..8].try_into().expect("eight of 32 bytes"))
}

/// A number that whoever starts the tests gives.
pub fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// Some noise of a seed.
fn noise(seed: &str, length: usize) -> Vec<u8> {
    let mut noise = vec![0; length];
    blake3::Hasher::new().update(seed.as_bytes()).finalize_xof().fill(&mut noise);
    noise
}

pub fn genesis() -> Genesis<Vec<u8>> {
    Genesis {
        build: "test".to_owned(),
        header: header(GENESIS, Hash32([7; 32])),
        plan: noise("plan", 9_000),
    }
}

fn header(height: u64, parent: Hash32) -> Header {
    let zero = Hash32::default();
    Header {
        height: Height(height),
        parent,
        time_ms: (height - GENESIS) * 12_000,
        entropy: Hash32([height as u8; 32]),
        state_root: zero,
        calls_root: zero,
        events_root: zero,
        facts_root: zero,
    }
}

/// The block after one with that hash: most are short, some take pages of their own, a few several parts.
fn frame(height: u64, parent: Hash32) -> Frame {
    let roll = dice(1, "length", height);
    let length = match roll % 64 {
        0 => 1_200_000 + roll % 500_000,
        1..8 => roll % 60_000,
        _ => roll % 3_000,
    };
    let payload = noise(&format!("frame {height}"), length as usize);
    Frame {
        header: header(height, parent),
        calls: Vec::new(),
        refused: Vec::new(),
        events: Vec::new(),
        sealed: vec![Sealed::CommitPayload { commit: Hash32([1; 32]), payload }],
        facts: Facts::default(),
    }
}

/// All blocks, one after the other, from the first on.
pub fn frames() -> impl Iterator<Item = Frame> + use<> {
    let mut parent = genesis().header.hash();
    (GENESIS + 1..).map(move |height| {
        let frame = frame(height, parent);
        parent = frame.header.hash();
        frame
    })
}

/// The blocks after a log's tip.
pub fn frames_after(log: &SledLog) -> impl Iterator<Item = Frame> + use<> {
    frames().skip((log.tip().0 - GENESIS) as usize)
}

/// How many blocks after block 0 the log holds, each of which must be the one that belongs there.
pub fn sound_blocks(path: &Path) -> Result<u64, LogError> {
    let log = SledLog::open(path)?;
    let plan = log.genesis::<Vec<u8>>()?.plan;
    assert_eq!(plan, genesis().plan);
    let mut count = 0;
    for (read, expected) in log.frames(Height(0), log.tip()).zip(frames()) {
        assert!(read? == expected, "block {} is another", expected.header.height);
        count += 1;
    }
    assert_eq!(count, log.tip().0 - GENESIS);
    Ok(count)
}

/// A log of so many blocks, closed.
pub fn write_log(path: &Path, blocks: usize) {
    let mut log = SledLog::create(path, &genesis(), Durability::End).expect("the folder is new");
    for frame in frames().take(blocks) {
        log.append(&frame).expect("it follows");
    }
    log.sync().expect("the disk takes it");
}

/// Copies a folder with everything in it.
pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("writable");
    for entry in std::fs::read_dir(from).expect("readable") {
        let entry = entry.expect("readable");
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy(&path, &target);
        } else {
            std::fs::copy(&path, &target).expect("writable");
        }
    }
}
