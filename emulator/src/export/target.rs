//! Where an export goes: a folder of files, one file, or standard output. Files have the end `.part` until all of
//! them are whole; an export that fails, or is asked to end, leaves nothing behind.

use super::ExportError;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Where an export goes.
#[derive(Debug)]
pub struct Target {
    path: PathBuf,
    shape: Shape,
    begun: Begun,
}

/// What was begun and is not kept yet. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Begun(Arc<Mutex<Leftovers>>);

/// What an export leaves behind that is not whole.
#[derive(Debug, Default)]
pub struct Leftovers {
    parts: Vec<Part>,
    /// A folder that this export made.
    folder: Option<PathBuf>,
}

impl Begun {
    /// Takes everything away that is not kept. Nothing is begun while what this gives lives.
    pub fn clear(&self) -> MutexGuard<'_, Leftovers> {
        let mut left = self.lock();
        for part in left.parts.drain(..) {
            // What cannot be deleted stays.
            fs::remove_file(&part.temporary).ok();
        }
        if let Some(folder) = left.folder.take() {
            fs::remove_dir(folder).ok();
        }
        left
    }

    fn lock(&self) -> MutexGuard<'_, Leftovers> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Folder,
    File,
    StandardOutput,
}

#[derive(Debug)]
struct Part {
    temporary: PathBuf,
    path: PathBuf,
}

/// A file being written. Its path is the one it will have, for messages.
#[derive(Debug)]
pub struct Output {
    /// Where.
    pub path: PathBuf,
    /// To be written.
    pub to: Stream,
}

/// What takes bytes.
#[derive(Debug)]
pub enum Stream {
    /// A file.
    File(File),
    /// Standard output.
    StandardOutput(io::Stdout),
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::File(file) => file.write(bytes),
            Self::StandardOutput(stdout) => stdout.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::File(file) => file.flush(),
            Self::StandardOutput(stdout) => stdout.flush(),
        }
    }
}

/// A file that is whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Where.
    pub path: PathBuf,
    /// How long.
    pub bytes: u64,
}

impl Target {
    fn new(path: &Path, shape: Shape) -> Self {
        Self { path: path.to_owned(), shape, begun: Begun::default() }
    }

    /// What is begun and not kept, to be taken away by whoever is asked to end the program.
    pub fn begun(&self) -> Begun {
        self.begun.clone()
    }

    /// A folder, made if it is not there.
    ///
    /// # Errors
    /// It holds something, or cannot be made.
    pub fn folder(path: &Path) -> Result<Self, ExportError> {
        let unmakable = |source| ExportError::Unmakable { path: path.to_owned(), source };
        let target = Self::new(path, Shape::Folder);
        if path.is_dir() {
            if fs::read_dir(path).map_err(unmakable)?.next().is_some() {
                return Err(ExportError::InUse { path: path.to_owned() });
            }
        } else if path.exists() {
            return Err(ExportError::Exists { path: path.to_owned() });
        } else {
            fs::create_dir_all(path).map_err(unmakable)?;
            target.begun.lock().folder = Some(path.to_owned());
        }
        Ok(target)
    }

    /// One file; the folder around it must be there.
    ///
    /// # Errors
    /// There is one that is not empty, or a folder.
    pub fn file(path: &Path) -> Result<Self, ExportError> {
        if path.is_dir() {
            return Err(ExportError::Folder { path: path.to_owned() });
        }
        if fs::metadata(path).is_ok_and(|file| file.len() > 0) {
            return Err(ExportError::Exists { path: path.to_owned() });
        }
        Ok(Self::new(path, Shape::File))
    }

    /// One file that takes the place of what is there.
    ///
    /// # Errors
    /// A folder is there, or what a killed export left cannot be deleted.
    pub fn replacing(path: &Path) -> Result<Self, ExportError> {
        if path.is_dir() {
            return Err(ExportError::Folder { path: path.to_owned() });
        }
        match fs::remove_file(temporary(path)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(ExportError::Unmakable { path: path.to_owned(), source: error })
            }
            _ => Ok(Self::new(path, Shape::File)),
        }
    }

    /// Standard output, for one file.
    pub fn standard_output() -> Self {
        Self::new(Path::new("standard output"), Shape::StandardOutput)
    }

    /// Where temporary files have the same disk to themselves.
    pub fn workspace(&self) -> PathBuf {
        match self.shape {
            Shape::Folder => self.path.clone(),
            Shape::File => match self.path.parent() {
                Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
                _ => PathBuf::from("."),
            },
            Shape::StandardOutput => std::env::temp_dir(),
        }
    }

    /// Begins a file of that name; what is no folder has the name it was given.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn begin(&mut self, name: &str) -> Result<Output, ExportError> {
        let path = match self.shape {
            Shape::Folder => self.path.join(name),
            Shape::File => self.path.clone(),
            Shape::StandardOutput => {
                let to = Stream::StandardOutput(io::stdout());
                return Ok(Output { path: self.path.clone(), to });
            }
        };
        let temporary = temporary(&path);
        let unmakable = |source| ExportError::Unmakable { path: path.clone(), source };
        let mut begun = self.begun.lock();
        let file = File::create_new(&temporary).map_err(unmakable)?;
        begun.parts.push(Part { temporary, path: path.clone() });
        drop(begun);
        Ok(Output { path, to: Stream::File(file) })
    }

    /// Gives all files their names; nothing is left to be written.
    ///
    /// # Errors
    /// One cannot be renamed.
    pub fn keep(self) -> Result<Vec<Kept>, ExportError> {
        let mut begun = self.begun.lock();
        let mut kept = Vec::new();
        while let Some(Part { temporary, path }) = begun.parts.first() {
            let renamed = fs::rename(temporary, path).and_then(|()| fs::metadata(path));
            let file = renamed.map_err(|source| ExportError::unwritable(path, source))?;
            kept.push(Kept { path: path.clone(), bytes: file.len() });
            begun.parts.remove(0);
        }
        begun.folder = None;
        drop(begun);
        Ok(kept)
    }
}

/// The name of a file that is not whole yet.
fn temporary(path: &Path) -> PathBuf {
    let mut temporary = path.to_owned().into_os_string();
    temporary.push(".part");
    PathBuf::from(temporary)
}

/// What was not kept goes.
impl Drop for Target {
    fn drop(&mut self) {
        drop(self.begun.clear());
    }
}
