//! Tables as JSON lines: one object per row with every column, in order; no value is null.

use super::ExportError;
use super::fill::RowWriter;
use super::rows::Moment;
use super::tables::{Column, Table, Value};
use super::target::{Output, Stream};
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

/// Writes one table.
pub struct Writer {
    path: PathBuf,
    to: BufWriter<Stream>,
    columns: &'static [Column],
}

impl Writer {
    /// There is no header.
    pub fn begin(output: Output, table: &'static Table) -> Self {
        Self { path: output.path, to: BufWriter::new(output.to), columns: table.columns }
    }

    fn write(&mut self, values: &[Value]) -> io::Result<()> {
        let mut before = '{';
        for (column, value) in self.columns.iter().zip(values) {
            write!(self.to, "{before}\"{}\":", column.name)?;
            before = ',';
            match value {
                Value::Null => self.to.write_all(b"null")?,
                Value::Integer(number) => write!(self.to, "{number}")?,
                Value::Float(number) => serde_json::to_writer(&mut self.to, number)?,
                Value::Flag(flag) => write!(self.to, "{flag}")?,
                Value::Word(word) => serde_json::to_writer(&mut self.to, word)?,
                Value::Text(text) => serde_json::to_writer(&mut self.to, text)?,
                Value::Time(ms) => write!(self.to, "\"{}\"", Moment(*ms))?,
            }
        }
        self.to.write_all(b"}\n")
    }
}

impl RowWriter for Writer {
    fn row(&mut self, values: &[Value]) -> Result<(), ExportError> {
        self.write(values).map_err(|error| ExportError::unwritable(&self.path, error))
    }

    fn finish(mut self: Box<Self>) -> Result<(), ExportError> {
        self.to.flush().map_err(|error| ExportError::unwritable(&self.path, error))
    }
}
