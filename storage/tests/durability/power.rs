//! The power is cut. What the disk surely holds is what the files held when they were synced last; of what was
//! written after that it holds any pages and any new files, or none. So a copy is taken at each sync, another one
//! some blocks later, and the disk after the cut is drawn from the two, page by page.

use crate::frames::{GENESIS, dice, frames, genesis, number, sound_blocks};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use storage::log::{Durability, EventLog, SledLog};

/// How many cuts.
const CUTS: &str = "BTEMU_CUTS";
const CUTS_DEFAULT: u64 = 24;
const PAGE_BYTES: usize = 4_096;
const INTERVAL_BLOCKS: u32 = 5;

/// The files of a folder, by name.
type Disk = BTreeMap<PathBuf, Vec<u8>>;

fn disk(path: &Path, below: &Path, disk: &mut Disk) {
    for entry in std::fs::read_dir(below).expect("readable") {
        let entry = entry.expect("readable").path();
        if entry.is_dir() {
            self::disk(path, &entry, disk);
        } else {
            let name = entry.strip_prefix(path).expect("below it").to_owned();
            disk.insert(name, std::fs::read(&entry).expect("readable"));
        }
    }
}

fn now(path: &Path) -> Disk {
    let mut now = Disk::new();
    disk(path, path, &mut now);
    now
}

/// What a disk holds after a cut: any mixture.
fn after_cut(surely: &Disk, perhaps: &Disk, seed: u64) -> Disk {
    let mut rolls = 0;
    let mut roll = |below: u64| {
        rolls += 1;
        dice(seed, "cut", rolls) % below
    };
    // Some cuts keep nearly everything, some nearly nothing.
    let kept = [1, 8, 15][roll(3) as usize];
    let mut disk = surely.clone();
    for (name, new) in perhaps {
        let old = surely.get(name).cloned().unwrap_or_default();
        if !surely.contains_key(name) && roll(16) >= kept {
            continue;
        }
        let length = if roll(16) < kept { new.len() } else { old.len().min(new.len()) };
        let mut bytes = old.clone();
        bytes.resize(length, 0);
        for (at, page) in new[..length].chunks(PAGE_BYTES).enumerate() {
            let place = at * PAGE_BYTES..at * PAGE_BYTES + page.len();
            if bytes[place.clone()] != *page && roll(16) < kept {
                bytes[place].copy_from_slice(page);
            }
        }
        disk.insert(name.clone(), bytes);
    }
    disk
}

fn restore(disk: &Disk, path: &Path) {
    std::fs::create_dir_all(path.join("blobs")).expect("writable");
    for (name, bytes) in disk {
        std::fs::write(path.join(name), bytes).expect("writable");
    }
}

#[test]
fn what_was_synced_outlives_a_power_cut() {
    let seed = number("SEED").unwrap_or(3);
    let cuts = number(CUTS).unwrap_or(CUTS_DEFAULT);
    let modes = [Durability::Block, Durability::Interval(INTERVAL_BLOCKS), Durability::End];
    let mut more_than_promised = 0;
    for cut in 0..cuts {
        let durability = modes[(cut % 3) as usize];
        let folder = tempfile::tempdir().expect("writable");
        let path = folder.path().join("log");
        let blocks = 1 + dice(seed, "blocks", cut) % 120;
        let mut log = SledLog::create(&path, &genesis(), durability).expect("the folder is new");
        let mut surely = now(&path);
        let mut kept = log.kept();
        for frame in frames().take(blocks as usize) {
            log.append(&frame).expect("it follows");
            if log.kept() > kept {
                kept = log.kept();
                surely = now(&path);
            }
        }
        let due = match durability {
            Durability::Block => blocks,
            Durability::Interval(interval) => blocks / u64::from(interval) * u64::from(interval),
            Durability::End => 0,
        };
        assert_eq!(kept.0, GENESIS + due, "{durability:?} promises so much");
        // One more block is on its way to the disk when the power is cut.
        let next = frames().nth(blocks as usize).expect("they never end");
        log.append(&next).expect("it follows");
        let mut perhaps = now(&path);
        if log.kept() > kept {
            // Cut in the midst of the sync of that block: what tells that it was synced is written after that.
            perhaps.remove(Path::new("kept"));
        }
        let after = after_cut(&surely, &perhaps, dice(seed, "after", cut));
        let restored = folder.path().join("restored");
        restore(&after, &restored);
        match sound_blocks(&restored) {
            Ok(found) => {
                assert!(found >= due, "SEED={seed}, cut {cut}: {found} of {due} blocks");
                more_than_promised += u64::from(found > due);
            }
            Err(error) => panic!("SEED={seed}, cut {cut}, {durability:?}, {blocks}: {error}"),
        }
    }
    assert!(more_than_promised < cuts, "the cuts cut nothing");
}
