//! Exports: a run's log as time series and tables for other tools.
//!
//! What belongs here: folds of blocks into rows and samples, and the formats. What does not: the command line and the
//! reading of logs (`commands/export`). Every format is fed by one pass over the log, and none keeps what it has written:
//! rows go out in groups, samples wait in a temporary file.

mod csv;
mod fill;
mod jsonl;
mod openmetrics;
#[cfg(feature = "parquet")]
mod parquet;
mod rows;
mod tables;
mod target;
#[cfg(test)]
mod tests;

pub use fill::{RowWriter, Tables};
pub use openmetrics::OpenMetrics;
pub use tables::{Column, Kind, Presence, TABLES, Table, Value};
pub use target::{Kept, Output, Target};

use protocol::frame::{Frame, Header};
use protocol::state::State;
use protocol::units::Height;
use std::io;
use std::path::{Path, PathBuf};

/// A block and the state after it.
#[derive(Debug)]
pub struct Block<'a> {
    /// Its header.
    pub header: &'a Header,
    /// What it holds; nothing at genesis.
    pub frame: Option<Frame>,
    /// The state after it.
    pub state: &'a State,
    /// Whether the state is wanted, or only what happened.
    pub sampled: bool,
}

/// What takes blocks, in order, and writes them.
pub trait Sink {
    /// Takes a block.
    ///
    /// # Errors
    /// It cannot be written.
    fn block(&mut self, block: Block<'_>) -> Result<(), ExportError>;

    /// Writes what is left.
    ///
    /// # Errors
    /// It cannot be written.
    fn finish(self: Box<Self>) -> Result<Vec<Written>, ExportError>;
}

/// What was written of a table or of the metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// The table, or `metrics`.
    pub name: &'static str,
    /// Rows, or samples.
    pub rows: u64,
}

/// A format of tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableFormat {
    /// Comma-separated values, RFC 4180, with a header.
    Csv,
    /// One JSON object per line.
    Jsonl,
    /// Apache Parquet.
    #[cfg(feature = "parquet")]
    Parquet,
}

impl TableFormat {
    /// The end of a file's name.
    const fn extension(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Jsonl => "jsonl",
            #[cfg(feature = "parquet")]
            Self::Parquet => "parquet",
        }
    }

    /// Begins a table.
    ///
    /// # Errors
    /// Its file cannot be made.
    pub fn begin(
        self,
        target: &mut Target,
        table: &'static Table,
    ) -> Result<Box<dyn RowWriter>, ExportError> {
        let output = target.begin(&format!("{}.{}", table.name, self.extension()))?;
        Ok(match self {
            Self::Csv => Box::new(csv::Writer::begin(output, table)?),
            Self::Jsonl => Box::new(jsonl::Writer::begin(output, table)),
            #[cfg(feature = "parquet")]
            Self::Parquet => Box::new(parquet::Writer::begin(output, table)?),
        })
    }
}

/// Why an export fails.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The folder holds something.
    #[error("the folder {} is not empty", path.display())]
    InUse {
        /// Which.
        path: PathBuf,
    },
    /// There is a file.
    #[error("there is a file {} already", path.display())]
    Exists {
        /// Which.
        path: PathBuf,
    },
    /// A folder stands where one file was to be.
    #[error("{} is a folder, and this export is one file", path.display())]
    Folder {
        /// Which.
        path: PathBuf,
    },
    /// A file or folder cannot be made.
    #[error("{} cannot be made: {source}", path.display())]
    Unmakable {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file cannot be written.
    #[error("{} cannot be written: {source}", path.display())]
    Unwritable {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A number has more than 63 bits.
    #[error(
        "block {block}: {column} of the table {table} is beyond 2^63-1 and has no place in a column of 64 bits"
    )]
    TooLong {
        /// In which block.
        block: Height,
        /// Of which table.
        table: &'static str,
        /// Of which column.
        column: &'static str,
    },
}

impl ExportError {
    fn unwritable(path: &Path, source: impl Into<io::Error>) -> Self {
        Self::Unwritable { path: path.to_owned(), source: source.into() }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::InUse { .. } | Self::Exists { .. } | Self::Folder { .. } => {
                Some("choose another --out".to_owned())
            }
            Self::Unwritable { source, .. } if source.kind() == io::ErrorKind::StorageFull => {
                Some("the disk is full; fewer rows: --every, --from, --to, --table".to_owned())
            }
            Self::TooLong { .. } => {
                Some("leave the table out: --table names those wanted".to_owned())
            }
            Self::Unmakable { .. } | Self::Unwritable { .. } => None,
        }
    }

    /// Whether whoever reads the output has seen enough of it.
    pub fn is_reader_gone(&self) -> bool {
        matches!(self, Self::Unwritable { source, .. } if source.kind() == io::ErrorKind::BrokenPipe)
    }
}
