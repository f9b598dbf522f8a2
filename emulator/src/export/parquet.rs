//! Tables as Apache Parquet: zstd, statistics, dictionaries where rows share texts. The only file that names the
//! `parquet` crate.
//!
//! Text of every kind is a UTF-8 string and not Parquet's JSON or decimal type: all readers agree on strings.

use super::ExportError;
use super::fill::RowWriter;
use super::tables::{Kind, Presence, Table, Value};
use super::target::{Output, Stream};
use ::parquet::basic::{
    Compression, LogicalType, Repetition, TimeUnit, Type as PhysicalType, ZstdLevel,
};
use ::parquet::data_type::{BoolType, ByteArray, ByteArrayType, DoubleType, Int64Type};
use ::parquet::errors::Result;
use ::parquet::file::properties::WriterProperties;
use ::parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use ::parquet::schema::types::{ColumnPath, Type};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// Rows of a row group: few enough to hold in memory, enough to compress well.
const ROWS_PER_GROUP: usize = 1 << 16;
/// Bytes of text after which a row group ends early.
const GROUP_TEXT_BYTES: usize = 32 << 20;
/// zstd's own default.
const ZSTD_LEVEL: i32 = 3;

/// Writes one table.
pub struct Writer {
    path: PathBuf,
    table: &'static Table,
    to: SerializedFileWriter<Stream>,
    columns: Vec<Pending>,
    rows: usize,
    text_bytes: usize,
}

/// Values of a row group to be; of a column that may lack values also which rows have one.
struct Pending {
    values: Values,
    levels: Option<Vec<i16>>,
}

enum Values {
    Integers(Vec<i64>),
    Floats(Vec<f64>),
    Flags(Vec<bool>),
    Texts(Vec<ByteArray>),
}

impl Writer {
    /// Writes what stands before the first row group.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn begin(output: Output, table: &'static Table) -> std::result::Result<Self, ExportError> {
        let Output { path, to } = output;
        let opened = schema(table)
            .and_then(|schema| SerializedFileWriter::new(to, schema, Arc::new(properties(table)?)));
        let to = opened.map_err(|error| ExportError::unwritable(&path, io::Error::other(error)))?;
        let columns = table.columns.iter().map(|column| Pending {
            values: match physical(column.kind) {
                PhysicalType::INT64 => Values::Integers(Vec::new()),
                PhysicalType::DOUBLE => Values::Floats(Vec::new()),
                PhysicalType::BOOLEAN => Values::Flags(Vec::new()),
                _ => Values::Texts(Vec::new()),
            },
            levels: (column.presence == Presence::Sometimes).then(Vec::new),
        });
        let columns = columns.collect();
        Ok(Self { path, table, to, columns, rows: 0, text_bytes: 0 })
    }

    /// Ends a row group.
    fn flush(&mut self) -> Result<()> {
        let mut group = self.to.next_row_group()?;
        let mut pending = self.columns.iter_mut();
        while let Some(column) = group.next_column()? {
            pending.next().expect("the schema has the table's columns").write(column)?;
        }
        group.close()?;
        (self.rows, self.text_bytes) = (0, 0);
        Ok(())
    }

    fn failed(&self, error: ::parquet::errors::ParquetError) -> ExportError {
        ExportError::unwritable(&self.path, io::Error::other(error))
    }
}

impl RowWriter for Writer {
    fn row(&mut self, values: &[Value]) -> std::result::Result<(), ExportError> {
        for ((pending, value), column) in
            self.columns.iter_mut().zip(values).zip(self.table.columns)
        {
            let text_bytes = pending.push(value);
            // The table checks its rows; a value of another kind would shift all that follow.
            let text_bytes = text_bytes.unwrap_or_else(|| panic!("{}: {value:?}", column.name));
            self.text_bytes += text_bytes;
        }
        self.rows += 1;
        if self.rows < ROWS_PER_GROUP && self.text_bytes < GROUP_TEXT_BYTES {
            return Ok(());
        }
        self.flush().map_err(|error| self.failed(error))
    }

    fn finish(mut self: Box<Self>) -> std::result::Result<(), ExportError> {
        let rest = if self.rows > 0 { self.flush() } else { Ok(()) };
        let finished = rest.and_then(|()| self.to.finish().map(drop));
        finished.map_err(|error| self.failed(error))
    }
}

impl Pending {
    /// Takes a value and tells its bytes of text; `None` for one of another kind.
    fn push(&mut self, value: &Value) -> Option<usize> {
        if let Some(levels) = &mut self.levels {
            levels.push(i16::from(*value != Value::Null));
            if *value == Value::Null {
                return Some(0);
            }
        }
        match (&mut self.values, value) {
            (Values::Integers(values), Value::Integer(number) | Value::Time(number)) => {
                values.push(*number);
                Some(0)
            }
            (Values::Floats(values), Value::Float(number)) => {
                values.push(*number);
                Some(0)
            }
            (Values::Flags(values), Value::Flag(flag)) => {
                values.push(*flag);
                Some(0)
            }
            (Values::Texts(values), Value::Word(text)) => {
                values.push(ByteArray::from(*text));
                Some(text.len())
            }
            (Values::Texts(values), Value::Text(text)) => {
                values.push(ByteArray::from(text.as_str()));
                Some(text.len())
            }
            _ => None,
        }
    }

    fn write(&mut self, mut to: SerializedColumnWriter<'_>) -> Result<()> {
        let levels = self.levels.as_deref();
        match &mut self.values {
            Values::Integers(values) => {
                to.typed::<Int64Type>().write_batch(values, levels, None)?;
                values.clear();
            }
            Values::Floats(values) => {
                to.typed::<DoubleType>().write_batch(values, levels, None)?;
                values.clear();
            }
            Values::Flags(values) => {
                to.typed::<BoolType>().write_batch(values, levels, None)?;
                values.clear();
            }
            Values::Texts(values) => {
                to.typed::<ByteArrayType>().write_batch(values, levels, None)?;
                values.clear();
            }
        }
        if let Some(levels) = &mut self.levels {
            levels.clear();
        }
        to.close()
    }
}

const fn physical(kind: Kind) -> PhysicalType {
    match kind {
        Kind::Integer | Kind::Time => PhysicalType::INT64,
        Kind::Float => PhysicalType::DOUBLE,
        Kind::Flag => PhysicalType::BOOLEAN,
        Kind::Word | Kind::Account | Kind::Hash | Kind::Decimal | Kind::Json => {
            PhysicalType::BYTE_ARRAY
        }
    }
}

fn logical(kind: Kind) -> Option<LogicalType> {
    match kind {
        Kind::Integer | Kind::Float | Kind::Flag => None,
        Kind::Time => Some(LogicalType::timestamp(true, TimeUnit::MILLIS)),
        Kind::Word | Kind::Account | Kind::Hash | Kind::Decimal | Kind::Json => {
            Some(LogicalType::String)
        }
    }
}

fn schema(table: &Table) -> Result<Arc<Type>> {
    let columns = table.columns.iter().map(|column| {
        let repetition = match column.presence {
            Presence::Always => Repetition::REQUIRED,
            Presence::Sometimes => Repetition::OPTIONAL,
        };
        Type::primitive_type_builder(column.name, physical(column.kind))
            .with_repetition(repetition)
            .with_logical_type(logical(column.kind))
            .build()
            .map(Arc::new)
    });
    let columns = columns.collect::<Result<Vec<_>>>()?;
    Type::group_type_builder(table.name).with_fields(columns).build().map(Arc::new)
}

fn properties(table: &Table) -> Result<WriterProperties> {
    let mut properties = WriterProperties::builder()
        .set_created_by(concat!("btemu ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL)?));
    for column in table.columns {
        let shared = match column.kind {
            Kind::Word | Kind::Account | Kind::Integer | Kind::Time => true,
            Kind::Hash | Kind::Decimal | Kind::Json | Kind::Float | Kind::Flag => false,
        };
        let path = ColumnPath::from(column.name);
        properties = properties.set_column_dictionary_enabled(path, shared);
    }
    Ok(properties.build())
}
