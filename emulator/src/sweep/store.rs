//! Results on disk: a file per job, whole or not there; and folders for jobs under way, which go with their owner.
//!
//! What belongs here: names, atomic writing, reading back, tidying up. What does not: which jobs there are (`plan`).

use super::job::{JOB_FORMAT, JobResult};
use super::measures::Measure;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Where results are, below the folder of a sweep.
const RESULTS: &str = "results";
/// What the names of folders for jobs under way begin with.
const WORK: &str = "btemu-work-";
/// The file in such a folder that its owner has locked as long as it lives.
const LOCK: &str = "lock";

/// Results, or folders for jobs, cannot be kept.
#[derive(Debug, thiserror::Error)]
#[error("{} cannot be written: {source}", path.display())]
pub struct StoreError {
    path: PathBuf,
    source: io::Error,
}

impl StoreError {
    fn at(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self { path, source }
    }
}

/// The results of a sweep. Others may write into the same folder: of one key all write the same.
#[derive(Clone, Debug)]
pub struct Store {
    folder: PathBuf,
}

impl Store {
    /// The results below a folder, which is made if it is not there.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        let folder = folder.join(RESULTS);
        fs::create_dir_all(&folder).map_err(StoreError::at(&folder))?;
        Ok(Self { folder })
    }

    fn path(&self, key: &str) -> PathBuf {
        self.folder.join(format!("{key}.json"))
    }

    /// A result with these figures alone: a sweep has many results, and a run many figures.
    pub fn load_for(&self, key: &str, measures: &[Measure]) -> Option<JobResult> {
        let mut result = self.load(key)?;
        result.figures.retain(|name, _| measures.iter().any(|measure| measure.name == *name));
        Some(result)
    }

    /// A result that was kept; one that is torn or of another format counts as absent.
    pub fn load(&self, key: &str) -> Option<JobResult> {
        let path = self.path(key);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => {
                tracing::warn!(%error, "{} cannot be read; the job is made again", path.display());
                return None;
            }
        };
        let result = serde_json::from_slice::<JobResult>(&bytes).ok();
        let sound = result.filter(|result| result.key == key && result.format == JOB_FORMAT);
        if sound.is_none() {
            tracing::warn!("{} is no result; the job is made again", path.display());
        }
        sound
    }

    /// Keeps a result: whole or not at all, whenever the machine stops.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn keep(&self, result: &JobResult) -> Result<(), StoreError> {
        let path = self.path(&result.key);
        let text = serde_json::to_vec(result).expect("a result is plain data");
        // Others may gather what this user made, as with any file.
        let kept = tempfile::Builder::new()
            .prefix(".result-")
            .permissions(fs::Permissions::from_mode(0o644))
            .tempfile_in(&self.folder);
        let kept = kept.and_then(|mut file| {
            file.write_all(&text)?;
            file.as_file().sync_all()?;
            file.persist(&path).map_err(|error| error.error)
        });
        kept.map(drop).map_err(StoreError::at(&path))
    }
}

/// A folder for jobs under way. It goes when its owner ends; what an owner that was killed left behind goes when the
/// next one begins.
#[derive(Debug)]
pub struct Workshop {
    folder: tempfile::TempDir,
    /// Locked as long as the folder is in use.
    _lock: File,
}

impl Workshop {
    /// Makes one below a folder, and takes away those whose owners are gone.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn open(below: &Path) -> Result<Self, StoreError> {
        tidy(below);
        let folder = tempfile::Builder::new().prefix(WORK).tempdir_in(below);
        let folder = folder.map_err(StoreError::at(below))?;
        let path = folder.path().join(LOCK);
        // Locked before it has its name: nobody finds it unlocked while its owner lives.
        let unnamed = folder.path().join("unlocked");
        let locked = File::create(&unnamed).and_then(|file| {
            file.lock()?;
            fs::rename(&unnamed, &path)?;
            Ok(file)
        });
        let lock = locked.map_err(StoreError::at(&path))?;
        Ok(Self { folder, _lock: lock })
    }

    /// An empty folder of that name.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn room(&self, name: &str) -> Result<PathBuf, StoreError> {
        let path = self.folder.path().join(name);
        if path.exists() {
            fs::remove_dir_all(&path).map_err(StoreError::at(&path))?;
        }
        fs::create_dir(&path).map_err(StoreError::at(&path))?;
        Ok(path)
    }
}

/// What cannot be deleted stays.
fn tidy(below: &Path) {
    let Ok(entries) = fs::read_dir(below) else { return };
    for entry in entries.flatten() {
        let is_one = entry.file_name().to_string_lossy().starts_with(WORK);
        let lock = is_one.then(|| File::open(entry.path().join(LOCK)).ok()).flatten();
        if lock.is_some_and(|lock| lock.try_lock().is_ok()) {
            fs::remove_dir_all(entry.path()).ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sweep::measures::Figures;
    use serde_json::Number;

    fn result(key: &str) -> JobResult {
        let ratio = Number::from_f64(0.1 + 0.2).expect("finite");
        let figures = [("a".to_owned(), Number::from(u64::MAX)), ("b".to_owned(), ratio)];
        JobResult {
            format: JOB_FORMAT,
            key: key.to_owned(),
            build: "btemu".to_owned(),
            scenario_hash: String::new(),
            seed: 7,
            blocks: 5,
            tip_hash: String::new(),
            state_root: String::new(),
            wall_seconds: 0.5,
            peak_rss_bytes: 1,
            figures: Figures::from(figures),
            arm: None,
        }
    }

    #[test]
    fn results_come_back_as_they_were_kept_and_torn_ones_do_not() {
        let folder = tempfile::tempdir().expect("writable");
        let store = Store::open(folder.path()).expect("writable");
        assert_eq!(store.load("k"), None);
        store.keep(&result("k")).expect("writable");
        store.keep(&result("k")).expect("twice is once");
        let loaded = store.load("k").expect("it was kept");
        assert_eq!(loaded, result("k"));
        assert_eq!(loaded.figures["a"].as_u64(), Some(u64::MAX));
        assert_eq!(loaded.figures["b"].as_f64(), Some(0.1 + 0.2));
        let file = store.path("k");
        let whole = fs::read(&file).expect("there");
        for length in [0, 1, whole.len() / 2, whole.len() - 1] {
            fs::write(&file, &whole[..length]).expect("writable");
            assert_eq!(store.load("k"), None, "{length}");
        }
        fs::write(store.path("other"), &whole).expect("writable");
        assert_eq!(store.load("other"), None, "it is that of another job");
        let kept = fs::read_dir(folder.path().join(RESULTS)).expect("there").count();
        assert_eq!(kept, 2, "nothing temporary is left");
    }

    #[test]
    fn what_dead_owners_left_is_taken_away_and_what_live_ones_use_is_not() {
        let below = tempfile::tempdir().expect("writable");
        let live = Workshop::open(below.path()).expect("writable");
        let room = live.room("job").expect("writable");
        let dead = below.path().join(format!("{WORK}dead"));
        fs::create_dir(&dead).expect("writable");
        fs::write(dead.join(LOCK), "").expect("writable");
        let stranger = below.path().join("stranger");
        fs::create_dir(&stranger).expect("writable");
        fs::write(stranger.join(LOCK), "").expect("writable");
        let second = Workshop::open(below.path()).expect("writable");
        assert!(room.exists() && stranger.exists() && !dead.exists());
        fs::write(room.join("old"), "").expect("writable");
        let again = live.room("job").expect("writable");
        assert_eq!(fs::read_dir(again).expect("there").count(), 0, "a room is empty");
        drop((live, second));
        let left = fs::read_dir(below.path()).expect("there").count();
        assert_eq!(left, 1, "the stranger alone");
    }
}
