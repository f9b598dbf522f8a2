//! Tables as comma-separated values (RFC 4180) with a header. No value is an empty field.

use super::ExportError;
use super::fill::RowWriter;
use super::rows::Moment;
use super::tables::{Table, Value};
use super::target::{Output, Stream};
use std::io;
use std::path::{Path, PathBuf};

/// Writes one table.
pub struct Writer {
    path: PathBuf,
    to: ::csv::Writer<Stream>,
}

impl Writer {
    /// Writes the header.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn begin(output: Output, table: &Table) -> Result<Self, ExportError> {
        let mut writer = Self { path: output.path, to: ::csv::Writer::from_writer(output.to) };
        let header = table.columns.iter().map(|column| column.name);
        let written = writer.to.write_record(header);
        written.map_err(|error| unwritable(&writer.path, error))?;
        Ok(writer)
    }

    fn write(&mut self, values: &[Value]) -> ::csv::Result<()> {
        for value in values {
            match value {
                Value::Null => self.to.write_field("")?,
                Value::Integer(number) => self.to.write_field(number.to_string())?,
                Value::Float(number) => self.to.write_field(number.to_string())?,
                Value::Flag(flag) => self.to.write_field(if *flag { "true" } else { "false" })?,
                Value::Word(word) => self.to.write_field(word)?,
                Value::Text(text) => self.to.write_field(text)?,
                Value::Time(ms) => self.to.write_field(Moment(*ms).to_string())?,
            }
        }
        self.to.write_record(None::<&[u8]>)
    }
}

impl RowWriter for Writer {
    fn row(&mut self, values: &[Value]) -> Result<(), ExportError> {
        self.write(values).map_err(|error| unwritable(&self.path, error))
    }

    fn finish(mut self: Box<Self>) -> Result<(), ExportError> {
        self.to.flush().map_err(|error| ExportError::unwritable(&self.path, error))
    }
}

/// The system's own word, where there is one.
fn unwritable(path: &Path, error: ::csv::Error) -> ExportError {
    let source = match error.into_kind() {
        ::csv::ErrorKind::Io(source) => source,
        other => io::Error::other(format!("{other:?}")),
    };
    ExportError::unwritable(path, source)
}
