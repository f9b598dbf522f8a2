//! Carving: finds the records of a log in the bytes of its store, without the store. Reads only, so it can be tried
//! on anything; keeps where each part is and not what it holds, so its memory is bounded by the number of blocks.
//!
//! What belongs here: finding sound parts and joining them into records that follow each other. What does not: what
//! the records hold (`record`, `fold`).

use crate::kept::{Kept, Lost};
use crate::part::{PART_BYTES_MAX, PART_HEAD_BYTES, PART_MAGIC, Part, RawRecord};
use memchr::memmem::Finder;
use protocol::units::{Hash32, Height};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// The store's main file, and the folder of pages that are files of their own.
pub const DB: &str = "db";
/// See [`DB`].
pub const BLOBS: &str = "blobs";

/// Different sound copies of one part that are looked at; equal copies, of which a store has many, count once.
pub const COPIES_MAX: usize = 8;

const WINDOW_BYTES: usize = 8 << 20;
const PART_WHOLE_BYTES_MAX: usize = PART_HEAD_BYTES + PART_BYTES_MAX;

/// Where the parts of a log are in the files of its store.
#[derive(Debug)]
pub struct Carved {
    files: Vec<PathBuf>,
    /// By height and number of the part.
    parts: BTreeMap<(Height, u8), Vec<Place>>,
}

/// Where a part is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    parts: u8,
    checksum: u32,
    file: usize,
    at: u64,
    bytes: usize,
}

impl Carved {
    /// Looks through the files of a store, as far as they are there.
    ///
    /// # Errors
    /// They cannot be read.
    pub fn scan(path: &Path) -> io::Result<Self> {
        let mut files = Vec::new();
        match path.join(BLOBS).read_dir() {
            Ok(entries) => {
                let blobs = entries.map(|entry| Ok(entry?.path()));
                files.extend(blobs.collect::<io::Result<Vec<_>>>()?);
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        files.sort();
        let store = path.join(DB);
        if store.try_exists()? {
            files.push(store);
        }
        let mut parts: BTreeMap<(Height, u8), Vec<Place>> = BTreeMap::new();
        for (file, path) in files.iter().enumerate() {
            scan_file(File::open(path)?, |at, part, whole| {
                let checksum = &whole[PART_HEAD_BYTES - 4..PART_HEAD_BYTES];
                let checksum = u32::from_le_bytes(checksum.try_into().expect("four bytes"));
                let bytes = whole.len();
                let place = Place { parts: part.parts, checksum, file, at, bytes };
                let places = parts.entry((part.height, part.part)).or_default();
                let is_known = |known: &Place| (known.checksum, known.bytes) == (checksum, bytes);
                if places.len() < COPIES_MAX && !places.iter().any(is_known) {
                    places.push(place);
                }
            })?;
        }
        Ok(Self { files, parts })
    }

    /// The first block found.
    pub fn genesis(&self) -> Option<Height> {
        self.parts.keys().next().map(|(height, _)| *height)
    }

    /// What is missing of the blocks that were kept, or of those before the last one found.
    pub fn lost(&self, kept: Option<Kept>) -> Lost {
        let (Some(found), Some((last, _))) = (self.genesis(), self.parts.keys().next_back()) else {
            return Lost::Genesis(kept.map_or(Height(0), |kept| kept.genesis));
        };
        let genesis = kept.map_or(found, |kept| kept.genesis);
        let last = kept.map_or(*last, |kept| kept.height.max(*last));
        match (genesis.0..=last.0).map(Height).find(|height| !self.is_whole(*height)) {
            Some(height) if height == genesis => Lost::Genesis(height),
            // What was never kept may be torn at its end, as after a crash.
            Some(height) if kept.is_some_and(|kept| kept.height < height) => Lost::Nothing,
            Some(height) => Lost::From(height),
            None => Lost::Nothing,
        }
    }

    /// The last block of which a part was found.
    pub fn last(&self) -> Option<Height> {
        self.parts.keys().next_back().map(|(height, _)| *height)
    }

    fn is_whole(&self, height: Height) -> bool {
        let Some(first) = self.parts.get(&(height, 0)) else { return false };
        let mut counts = first.iter().map(|place| place.parts);
        counts.any(|parts| (1..parts).all(|part| self.parts.contains_key(&(height, part))))
    }

    /// The records from the first on that follow each other, as far as that goes. Where two follow, the one counts
    /// that has a successor itself.
    pub fn records(&self) -> impl Iterator<Item = RawRecord> + '_ {
        let mut next = self.genesis().map(|genesis| (genesis, None));
        std::iter::from_fn(move || {
            let (height, previous) = next?;
            let mut followers = self.followers(height, previous);
            if followers.len() > 1 {
                let after = Height(height.0 + 1);
                let goes_on =
                    |one: &RawRecord| !self.followers(after, Some(one.record().hash)).is_empty();
                let at = followers.iter().position(goes_on).unwrap_or(0);
                followers.swap(0, at);
            }
            let record = followers.into_iter().next();
            next = record.as_ref().map(|one| (Height(height.0 + 1), Some(one.record().hash)));
            record
        })
    }

    /// The sound records of a block that name that frame hash as the one before; block 0 names none.
    fn followers(&self, height: Height, previous: Option<Hash32>) -> Vec<RawRecord> {
        let firsts = self.parts.get(&(height, 0)).map_or(&[][..], Vec::as_slice);
        let mut followers: Vec<RawRecord> = Vec::new();
        for first in firsts {
            // A record of several parts of which there are several copies: only those of one age belong together.
            for age in 0..COPIES_MAX {
                let Some(bytes) = self.joined(height, first, age) else { continue };
                let Ok(raw) = RawRecord::new(bytes) else { continue };
                let record = raw.record();
                let follows = match previous {
                    None => record.is_genesis(),
                    Some(previous) => !record.is_genesis() && record.previous == previous,
                };
                if record.height == height && follows {
                    followers.push(raw);
                    break;
                }
            }
        }
        followers
    }

    fn joined(&self, height: Height, first: &Place, age: usize) -> Option<Vec<u8>> {
        let mut bytes = self.read(first)?;
        for part in 1..first.parts {
            let places = self.parts.get(&(height, part))?;
            bytes.extend(self.read(places.get(age.min(places.len() - 1))?)?);
        }
        let is_new = age == 0
            || (1..first.parts).any(|part| {
                self.parts.get(&(height, part)).is_some_and(|places| places.len() > age)
            });
        is_new.then_some(bytes)
    }

    fn read(&self, place: &Place) -> Option<Vec<u8>> {
        let mut bytes = vec![0; place.bytes];
        File::open(&self.files[place.file]).ok()?.read_exact_at(&mut bytes, place.at).ok()?;
        Some(Part::read(&bytes).ok()?.bytes.to_vec())
    }
}

/// Tells each sound part of a file: where it is, what it says, and its bytes with the head.
fn scan_file(mut file: impl Read, mut found: impl FnMut(u64, Part<'_>, &[u8])) -> io::Result<()> {
    let magic = Finder::new(&PART_MAGIC);
    let mut window = Vec::with_capacity(WINDOW_BYTES);
    let mut window_at = 0;
    loop {
        let room = (WINDOW_BYTES - window.len()) as u64;
        let is_last = (file.by_ref().take(room).read_to_end(&mut window)? as u64) < room;
        // What begins in the last bytes of a window may go on in the next one.
        let end = if is_last { window.len() } else { window.len() - PART_WHOLE_BYTES_MAX };
        let mut at = 0;
        while let Some(next) = magic.find(&window[at..]).map(|next| at + next) {
            if next >= end {
                break;
            }
            at = match Part::read_front(&window[next..]) {
                Ok((part, rest)) => {
                    let whole = &window[next..window.len() - rest.len()];
                    found(window_at + next as u64, part, whole);
                    next + whole.len()
                }
                Err(_) => next + 1,
            };
        }
        if is_last {
            return Ok(());
        }
        let done = at.max(end);
        window.drain(..done);
        window_at += done as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The head of a part and what it holds, as the store keeps it.
    fn part(height: u64, length: usize) -> Vec<u8> {
        crate::part::part_of(Height(height), 0, 1, &vec![height as u8; length])
    }

    #[test]
    fn parts_are_found_wherever_they_lie_and_damaged_ones_are_not() {
        let mut bytes = b"BTLPBTLP".to_vec();
        let mut expected = Vec::new();
        // Lengths that put parts across the borders of windows.
        for height in 0..40 {
            bytes.extend(std::iter::repeat_n(0, (height as usize * 7919) % 5_000));
            let part = part(height, (height as usize * 104_729) % PART_BYTES_MAX);
            match height % 10 {
                3 => bytes.extend_from_slice(&part[..part.len() / 2]),
                _ => {
                    expected.push((bytes.len() as u64, height, part.len()));
                    bytes.extend_from_slice(&part);
                }
            }
        }
        let mut cut = part(99, 500);
        cut[200] ^= 1;
        bytes.extend(cut);
        let mut found = Vec::new();
        let scanned = scan_file(&bytes[..], |at, part, whole| {
            found.push((at, part.height.0, whole.len()));
        });
        assert!(scanned.is_ok());
        assert!(bytes.len() > 2 * WINDOW_BYTES, "{} bytes", bytes.len());
        assert_eq!(found, expected);
    }
}
