//! Copying records into a new run folder, as commands do it: with a bar, failures in the words of users, and a line in the
//! new folder's journal. The copy itself is `run::copying`.

use super::Failure;
use crate::progress::{Progress, Showing};
use crate::run::copying::{self, Checks, Copied, Place};
use crate::version::BUILD;
use protocol::units::Height;
use serde_json::{Value, json};
use std::fs::File;
use std::path::{Path, PathBuf};
use storage::journal::Journal;
use storage::part::RawRecord;
use storage::runfolder::RunFolder;

/// A bar that begins with the first block it hears of.
pub struct Bar {
    showing: Showing,
    progress: Option<Progress>,
}

impl Bar {
    /// None yet.
    pub const fn new(showing: Showing) -> Self {
        Self { showing, progress: None }
    }

    /// Shows a block's height.
    pub fn at(&mut self, height: Height) {
        let showing = self.showing;
        self.progress.get_or_insert_with(|| Progress::new(height.0, showing)).at(height.0);
    }

    /// Takes the bar away.
    pub fn finish(self) {
        if let Some(progress) = self.progress {
            progress.finish();
        }
    }
}

/// See [`copying::copy`].
pub fn copy(
    records: impl Iterator<Item = Result<RawRecord, String>>,
    place: Place<'_>,
    checks: Checks,
    showing: Showing,
) -> Result<Copied, Failure> {
    let mut bar = Bar::new(showing);
    let copied = copying::copy(records, place, checks, |height| bar.at(height));
    bar.finish();
    copied.map_err(|error| Failure::failed(&error, error.hint()))
}

/// Writes where a copy comes from into its journal.
pub fn journal(folder: &RunFolder, kind: &str, from: &str, fields: Value) -> Result<(), Failure> {
    let mut line = json!({
        "build": BUILD,
        "from": from,
        "unix_seconds": crate::clock::unix_seconds(),
    });
    if let (Value::Object(line), Value::Object(fields)) = (&mut line, fields) {
        line.extend(fields);
    }
    let written = Journal::open(&folder.path).and_then(|mut journal| journal.write(kind, line));
    let what = |error| format!("cannot write the journal of {}: {error}", folder.path.display());
    written.map_err(|error| Failure::failed(what(error), None))
}

/// A file to read records from.
pub fn open_file(path: &Path) -> Result<File, Failure> {
    let what = |error| format!("cannot read {}: {error}", path.display());
    File::open(path).map_err(|error| Failure::failed(what(error), None))
}

/// Where run folders are made unless `--out` names one.
pub fn runs() -> PathBuf {
    PathBuf::from(super::ordering::RUNS)
}
