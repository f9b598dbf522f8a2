//! The operations journal: what happened to a run, not in it. Lines of JSON; in no hash.

use serde_json::{Map, Value};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

/// The journal's file in a run folder.
pub const JOURNAL: &str = "journal.jsonl";

/// A journal, open for writing.
#[derive(Debug)]
pub struct Journal {
    file: File,
}

impl Journal {
    /// Opens the journal of a run folder, making it if there is none.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn open(run: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(run.join(JOURNAL))?;
        Ok(Self { file })
    }

    /// Writes a line: its kind, then the fields of an object.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&mut self, kind: &str, fields: Value) -> io::Result<()> {
        let mut line = Map::new();
        line.insert("kind".to_owned(), Value::String(kind.to_owned()));
        if let Value::Object(fields) = fields {
            line.extend(fields);
        }
        self.file.write_all(format!("{}\n", Value::Object(line)).as_bytes())
    }

    /// The lines of a run folder's journal. A line that was cut off is left out.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn read(run: &Path) -> io::Result<Vec<Value>> {
        let text = std::fs::read_to_string(run.join(JOURNAL))?;
        Ok(text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
    }
}
