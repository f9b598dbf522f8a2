//! One event as one line: as people read it, or as a JSON object.

use super::{LogFormat, block, process, run};
use serde::Serialize;
use serde_json::{Map, Value};
use std::fmt;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::{Format, Writer};
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// Writes events; after what an event says comes where the process is.
#[derive(Clone, Copy, Debug)]
pub struct Lines(pub LogFormat);

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        match self.0 {
            LogFormat::Text => {
                let mut line = String::new();
                let format = Format::default().with_ansi(writer.has_ansi_escapes());
                format.format_event(context, Writer::new(&mut line), event)?;
                write!(writer, "{}", line.trim_end())?;
                for (name, place) in [("process", process()), ("run", run())] {
                    if let Some(place) = place {
                        write!(writer, " {name}={place}")?;
                    }
                }
                if let Some(block) = block() {
                    write!(writer, " block={block}")?;
                }
                writeln!(writer)
            }
            LogFormat::Json => writeln!(writer, "{}", object(event)?),
        }
    }
}

/// A line as an object: what one looks for first comes first.
#[derive(Debug, Serialize)]
struct Object<'a> {
    timestamp: String,
    level: &'a str,
    target: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    process: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    block: Option<u64>,
    fields: Map<String, Value>,
}

fn object(event: &Event<'_>) -> Result<String, fmt::Error> {
    let mut timestamp = String::new();
    tracing_subscriber::fmt::time().format_time(&mut Writer::new(&mut timestamp))?;
    let mut fields = Fields::default();
    event.record(&mut fields);
    let object = Object {
        timestamp,
        level: event.metadata().level().as_str(),
        target: event.metadata().target(),
        process: process(),
        run: run(),
        block: block(),
        fields: fields.0,
    };
    serde_json::to_string(&object).map_err(|_| fmt::Error)
}

/// An event's own fields, the message among them.
#[derive(Debug, Default)]
struct Fields(Map<String, Value>);

impl Fields {
    fn put(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value);
    }
}
