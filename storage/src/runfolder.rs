//! Run folders: `runs/<scenario>-<seed>-<n>` with a log, caches and a journal; `runs/latest` leads to the newest.

use crate::cache::Cache;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

const LOG: &str = "log";
const CACHE: &str = "cache";
const LATEST: &str = "latest";
const RUNS_MAX: u32 = 1_000_000;

/// What went wrong with a run folder.
#[derive(Debug, thiserror::Error)]
pub enum RunFolderError {
    /// There is none.
    #[error("there is no run folder {}", path.display())]
    Missing {
        /// Where.
        path: PathBuf,
    },
    /// It is a folder, but not of a run.
    #[error("{} is not a run folder: it holds no log", path.display())]
    NoRun {
        /// Where.
        path: PathBuf,
    },
    /// It is in use for something.
    #[error("the folder {} is not empty", path.display())]
    InUse {
        /// Where.
        path: PathBuf,
    },
    /// It cannot be made.
    #[error("the folder {} cannot be made: {source}", path.display())]
    Unmakable {
        /// Where.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

impl RunFolderError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Missing { .. } | Self::NoRun { .. } => {
                Some("`btemu runs` lists the run folders".to_owned())
            }
            Self::InUse { .. } => Some("choose another --out, or go on with --resume".to_owned()),
            Self::Unmakable { .. } => None,
        }
    }
}

/// The folder of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunFolder {
    /// Where it is.
    pub path: PathBuf,
}

impl RunFolder {
    /// Makes the next folder for a scenario and seed, and leads `latest` to it.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn create(base: &Path, scenario: &str, seed: u64) -> Result<Self, RunFolderError> {
        let unmakable = |path: &Path| {
            let path = path.to_owned();
            move |source| RunFolderError::Unmakable { path, source }
        };
        fs::create_dir_all(base).map_err(unmakable(base))?;
        for number in 1..=RUNS_MAX {
            let name = format!("{scenario}-{seed}-{number}");
            let path = base.join(&name);
            match fs::create_dir(&path) {
                Ok(()) => {
                    lead_latest(base, &name).map_err(unmakable(&base.join(LATEST)))?;
                    return Ok(Self { path });
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(unmakable(&path)(error)),
            }
        }
        Err(RunFolderError::InUse { path: base.to_owned() })
    }

    /// Makes a folder at a given place.
    ///
    /// # Errors
    /// There is something already, or it cannot be made.
    pub fn create_at(path: &Path) -> Result<Self, RunFolderError> {
        let unmakable = |source| RunFolderError::Unmakable { path: path.to_owned(), source };
        if path.exists() {
            let mut entries = fs::read_dir(path).map_err(unmakable)?;
            if entries.next().is_some() {
                return Err(RunFolderError::InUse { path: path.to_owned() });
            }
        }
        fs::create_dir_all(path).map_err(unmakable)?;
        Ok(Self { path: path.to_owned() })
    }

    /// The folder of a run that was made before.
    ///
    /// # Errors
    /// There is none.
    pub fn open(path: &Path) -> Result<Self, RunFolderError> {
        if !path.is_dir() {
            return Err(RunFolderError::Missing { path: path.to_owned() });
        }
        if !path.join(LOG).is_dir() {
            return Err(RunFolderError::NoRun { path: path.to_owned() });
        }
        Ok(Self { path: path.to_owned() })
    }

    /// Where its log is.
    pub fn log_dir(&self) -> PathBuf {
        self.path.join(LOG)
    }

    /// Where its caches are, once there are any.
    pub fn cache_dir(&self) -> PathBuf {
        self.path.join(CACHE)
    }

    /// Its caches.
    pub fn cache(&self) -> Cache {
        Cache::new(self.cache_dir())
    }

    /// Takes away a run that never began; what cannot be deleted stays.
    pub fn discard(self) {
        fs::remove_dir_all(&self.path).ok();
        if let Some(base) = self.path.parent() {
            let latest = base.join(LATEST);
            if fs::read_link(&latest)
                .is_ok_and(|target| Some(target.as_os_str()) == self.path.file_name())
            {
                fs::remove_file(latest).ok();
            }
        }
    }

    /// The run folders below a folder, by name.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn list(base: &Path) -> io::Result<Vec<PathBuf>> {
        let mut paths = Vec::new();
        for entry in base.read_dir()? {
            let path = entry?.path();
            if !path.is_symlink() && path.join(LOG).is_dir() {
                paths.push(path);
            }
        }
        paths.sort();
        Ok(paths)
    }
}

/// Replaces the link in one step; whoever follows it always finds a run.
fn lead_latest(base: &Path, name: &str) -> io::Result<()> {
    let fresh = base.join(format!(".{LATEST}-{}", std::process::id()));
    fs::remove_file(&fresh).or_else(|error| match error.kind() {
        io::ErrorKind::NotFound => Ok(()),
        _ => Err(error),
    })?;
    std::os::unix::fs::symlink(name, &fresh)?;
    fs::rename(fresh, base.join(LATEST))
}
