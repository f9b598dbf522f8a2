//! Snapshots: damaged files, and files whose checksum is made right again. What is loaded is a value like any other or
//! nothing at all; a state that has the root of its block can be folded on.

use crate::damage::damage;
use crate::golden::Golden;
use crate::memory::most_held;
use crate::trial::{Choices, Tally, Target, try_inputs};
use protocol::frame::Frame;
use protocol::state::State;
use protocol::units::{Hash32, Height};
use protocol::vault::Vault;
use std::path::{Path, PathBuf};
use storage::cache::{Cache, CacheKind};
use storage::codec::{VALUE_BYTES_MAX, encode};
use storage::fold::{Folder, store_snapshot};

const INPUTS: u64 = 3_000;
/// Blocks before the snapshot.
const BLOCKS: usize = 120;
/// Length of a file's head: its magic, the height, the block's hash, the body's hash.
const HEAD_BYTES: usize = 8 + 8 + 32 + 32;
/// What loading may hold beyond the room that a text may announce, in bytes.
const HELD_MAX: usize = VALUE_BYTES_MAX + (256 << 20);

/// A snapshot, and where a damaged one is put.
struct Shelf {
    cache: Cache,
    path: PathBuf,
    height: Height,
    block: Hash32,
    /// The file.
    bytes: Vec<u8>,
    /// What it holds, unpacked.
    raw: Vec<u8>,
    next: Frame,
}

impl Shelf {
    fn new(folder: &Path) -> Self {
        let log = Golden::read(4);
        let mut folder_of_log = Folder::new(log.state.clone(), &log.header).expect("it is sound");
        for frame in &log.frames[..BLOCKS] {
            folder_of_log.fold(frame).expect("it is sound");
        }
        let (state, block) = (folder_of_log.state(), folder_of_log.header().hash());
        let cache = Cache::new(folder.to_owned());
        store_snapshot(&cache, state, block).expect("the folder is writable");
        let path = std::fs::read_dir(folder).expect("readable").next().expect("it was stored");
        let path = path.expect("readable").path();
        let bytes = std::fs::read(&path).expect("readable");
        let raw = encode(&(state, state.vault()));
        let next = log.frames[BLOCKS].clone();
        Self { cache, path, height: state.height, block, bytes, raw, next }
    }

    /// The file of a body, with its checksum made right.
    fn sealed(&self, body: &[u8]) -> Vec<u8> {
        let mut bytes = self.bytes[..HEAD_BYTES - 32].to_vec();
        bytes.extend(blake3::hash(body).as_bytes());
        bytes.extend(body);
        bytes
    }

    fn load(&self, bytes: &[u8]) -> Option<(State, Vault)> {
        std::fs::write(&self.path, bytes).expect("the folder is writable");
        self.cache.load(CacheKind::Snapshot, self.height, self.block)
    }
}

fn try_snapshot(shelf: &Shelf, choices: &mut Choices<'_>, tally: &Tally) {
    tally.count("tried");
    let bytes = match choices.below(8) {
        0 => {
            let mut bytes = shelf.bytes.clone();
            damage(&mut bytes, &shelf.raw, choices);
            bytes
        }
        1 => {
            let mut body = shelf.bytes[HEAD_BYTES..].to_vec();
            damage(&mut body, &shelf.raw, choices);
            shelf.sealed(&body)
        }
        _ => {
            let mut raw = shelf.raw.clone();
            damage(&mut raw, &shelf.raw, choices);
            shelf.sealed(&zstd::bulk::compress(&raw, 1).expect("memory takes it"))
        }
    };
    let (loaded, held) = most_held(|| shelf.load(&bytes));
    assert!(held <= HELD_MAX, "{held} bytes");
    let Some((mut state, vault)) = loaded else { return tally.count("nothing") };
    tally.count("a state");
    if state.misfit().is_some() {
        return tally.count("a misfit");
    }
    let _ = (vault.covers(&state), vault.is_sound());
    let root = state.root();
    // What is not covered by the root may differ; whoever goes on from there gets an answer all the same.
    let mut frame = shelf.next.clone();
    let header = protocol::frame::Header { state_root: root, ..frame.header.clone() };
    let header = protocol::frame::Header { height: shelf.height, ..header };
    frame.header.parent = header.hash();
    let folded = Folder::at(state, header).fold(&frame);
    tally.count(if folded.is_ok() { "folded on" } else { "not folded on" });
}

#[test]
fn any_snapshot_is_loaded_or_passed_over() {
    let folder = tempfile::tempdir().expect("writable");
    let shelf = Shelf::new(folder.path());
    assert!(shelf.load(&shelf.bytes).is_some(), "it is sound");
    let tally = Tally::default();
    try_inputs!("any_snapshot_is_loaded_or_passed_over", INPUTS, |choices| {
        try_snapshot(&shelf, choices, &tally)
    });
    tally.wants(&[
        ("nothing", 200),
        ("a state", 100),
        ("folded on", 5),
        ("not folded on", 50),
        ("a misfit", 1),
    ]);
}
