//! Snapshots, checkpoints and counts: files beside the log that save time and hold no truth. A damaged one, one of
//! another build or of another history counts as absent; all may be deleted at any time.

use crate::codec::{Pieces, decode, encode_into};
use protocol::units::{Hash32, Height};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Seek, Write};
use std::path::PathBuf;

const MAGIC: &[u8; 8] = b"BTECACH3";
const HEAD_BYTES: usize = 8 + 8 + 32 + 32;
const ZSTD_LEVEL: i32 = 1;
const RAW_BYTES_MAX: u64 = 1 << 30;
/// Bytes handed to the packer at a time.
const WRITTEN_BYTES: usize = 1 << 16;

/// What is cached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheKind {
    /// The state.
    Snapshot,
    /// Everything else a run needs to go on.
    Checkpoint,
    /// What was counted since genesis.
    Totals,
}

impl CacheKind {
    const fn prefix(self) -> &'static str {
        match self {
            Self::Snapshot => "snapshot-",
            Self::Checkpoint => "checkpoint-",
            Self::Totals => "totals-",
        }
    }
}

/// A cache could not be written.
#[derive(Debug, thiserror::Error)]
#[error("{} cannot be written: {source}", path.display())]
pub struct CacheError {
    path: PathBuf,
    source: io::Error,
}

/// What is behind a file's head, hashed as it is written.
struct Body {
    file: BufWriter<File>,
    hasher: blake3::Hasher,
}

impl Write for Body {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.file.write(bytes)?;
        self.hasher.update(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// The caches of a run.
#[derive(Clone, Debug)]
pub struct Cache {
    folder: PathBuf,
}

impl Cache {
    /// Caches in a folder, which is made when the first one is stored.
    pub const fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Stores a value for a block, known by its hash; complete or not at all.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn store<T: Serialize>(
        &self,
        kind: CacheKind,
        height: Height,
        block: Hash32,
        value: &T,
    ) -> Result<(), CacheError> {
        self.store_with(kind, height, block, |body| encode_into(value, body))
    }

    /// Stores a value that was encoded before.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn store_pieces(
        &self,
        kind: CacheKind,
        height: Height,
        block: Hash32,
        value: Pieces,
    ) -> Result<(), CacheError> {
        self.store_with(kind, height, block, |body| value.write_to(body))
    }

    fn store_with(
        &self,
        kind: CacheKind,
        height: Height,
        block: Hash32,
        write: impl FnOnce(&mut BufWriter<zstd::Encoder<'_, Body>>) -> io::Result<()>,
    ) -> Result<(), CacheError> {
        let path = self.path(kind, height);
        let unfinished = path.with_extension("tmp");
        let write_all = || {
            fs::create_dir_all(&self.folder)?;
            let mut file = BufWriter::new(File::create(&unfinished)?);
            file.write_all(&[0; HEAD_BYTES])?;
            let body = Body { file, hasher: blake3::Hasher::new() };
            let packer = zstd::Encoder::new(body, ZSTD_LEVEL)?;
            let mut body = BufWriter::with_capacity(WRITTEN_BYTES, packer);
            write(&mut body)?;
            let packer = body.into_inner().map_err(io::IntoInnerError::into_error)?;
            let Body { file, hasher } = packer.finish()?;
            let mut file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
            let mut head = Vec::with_capacity(HEAD_BYTES);
            head.extend_from_slice(MAGIC);
            head.extend_from_slice(&height.0.to_le_bytes());
            head.extend_from_slice(&block.0);
            head.extend_from_slice(hasher.finalize().as_bytes());
            file.rewind()?;
            file.write_all(&head)?;
            fs::rename(&unfinished, &path)
        };
        write_all().map_err(|source| CacheError { path: path.clone(), source })
    }

    /// The value stored for a block, if there is a sound one.
    pub fn load<T: DeserializeOwned>(
        &self,
        kind: CacheKind,
        height: Height,
        block: Hash32,
    ) -> Option<T> {
        let bytes = fs::read(self.path(kind, height)).ok()?;
        let (head, body) = bytes.split_at_checked(HEAD_BYTES)?;
        let known = head[..8] == *MAGIC
            && head[8..16] == height.0.to_le_bytes()
            && head[16..48] == block.0
            && head[48..] == *blake3::hash(body).as_bytes();
        if !known {
            return None;
        }
        let mut raw = Vec::new();
        let unpacker = zstd::Decoder::new(body).ok()?;
        let read = unpacker.take(RAW_BYTES_MAX + 1).read_to_end(&mut raw).ok()?;
        (read as u64 <= RAW_BYTES_MAX).then(|| decode(&raw).ok()).flatten()
    }

    /// The blocks for which there is a file, ascending.
    pub fn heights(&self, kind: CacheKind) -> Vec<Height> {
        let Ok(entries) = self.folder.read_dir() else { return Vec::new() };
        let mut heights: Vec<Height> = entries
            .filter_map(|entry| {
                let name = entry.ok()?.file_name();
                let name = name.to_str()?.strip_prefix(kind.prefix())?;
                name.strip_suffix(".bin")?.parse().ok().map(Height)
            })
            .collect();
        heights.sort();
        heights
    }

    /// Deletes surplus files, the ones that are missed least: the older blocks are, the further apart they stand.
    pub fn thin(&self, kind: CacheKind, keep: usize) {
        let mut heights = self.heights(kind);
        while heights.len() > keep {
            let height = heights.remove(thin_next(&heights));
            // A file that stays costs room and nothing else.
            fs::remove_file(self.path(kind, height)).ok();
        }
    }

    /// Copies the files up to a block into another folder; those that cannot be copied are left out.
    pub fn copy_to(&self, other: &Self, kind: CacheKind, to: Height) {
        let heights = self.heights(kind).into_iter().filter(|height| *height <= to);
        if fs::create_dir_all(&other.folder).is_ok() {
            for height in heights {
                fs::copy(self.path(kind, height), other.path(kind, height)).ok();
            }
        }
    }

    fn path(&self, kind: CacheKind, height: Height) -> PathBuf {
        self.folder.join(format!("{}{}.bin", kind.prefix(), height))
    }
}

/// The place of the file to give up: the one that leaves the smallest gap for its age. Never the newest; the oldest
/// if there is no other.
fn thin_next(heights: &[Height]) -> usize {
    let newest = heights.last().map_or(0, |height| height.0);
    let inner = 1..heights.len().saturating_sub(1);
    // Gaps by age as fractions, compared across: a/b < c/d if a·d < c·b.
    let cost = |at: usize| {
        let gap = heights[at + 1].0 - heights[at - 1].0;
        (u128::from(gap), u128::from(newest - heights[at].0))
    };
    let cheaper = |one: &usize, other: &usize| {
        let ((gap, age), (other_gap, other_age)) = (cost(*one), cost(*other));
        (gap * other_age).cmp(&(other_gap * age))
    };
    inner.min_by(cheaper).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_older_files_are_the_further_apart_they_stand() {
        let mut heights: Vec<Height> = Vec::new();
        for height in 1..=1_000 {
            heights.push(Height(height));
            while heights.len() > 12 {
                heights.remove(thin_next(&heights));
            }
        }
        assert_eq!((heights[0], heights[11]), (Height(1), Height(1_000)), "both ends stay");
        let gaps: Vec<u64> = heights.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
        assert!(gaps.windows(2).all(|pair| pair[0] >= pair[1]), "{gaps:?}");
        assert!(gaps[0] > 100 * gaps[10], "{gaps:?}");
        assert_eq!(thin_next(&[Height(1), Height(2)]), 0, "the newest stays");
    }
}
