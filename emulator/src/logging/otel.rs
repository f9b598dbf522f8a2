//! Spans of a run for a collector of OpenTelemetry, over OTLP and HTTP. Only when a variable of OpenTelemetry's own
//! names a collector; otherwise nothing of it is started.
//!
//! What belongs here: which spans go where. What does not: where spans begin and end (`run::engine`).

use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SdkTracerProvider, Tracer};
use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_opentelemetry::OpenTelemetryLayer;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::registry::LookupSpan;

/// Sends spans in the background; what waits is sent when this goes.
#[derive(Debug)]
pub struct Spans(SdkTracerProvider);

/// Starts sending, if a collector is named; or says why that cannot be.
pub fn start(process: &str) -> (Option<Spans>, Option<String>) {
    if super::endpoint().is_none() {
        return (None, None);
    }
    let exporter = SpanExporter::builder().with_http().with_protocol(Protocol::HttpBinary).build();
    let exporter = match exporter {
        Ok(exporter) => exporter,
        Err(error) => return (None, Some(error.to_string())),
    };
    let resource = Resource::builder()
        .with_service_name("btemu")
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .with_attribute(KeyValue::new("service.instance.id", process.to_owned()))
        .build();
    let provider =
        SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build();
    (Some(Spans(provider)), None)
}

impl Spans {
    /// What listens to spans: our own down to `debug`, nobody else's.
    pub fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let tracer: Tracer = self.0.tracer("btemu");
        let own = Targets::new().with_target("btemu", LevelFilter::DEBUG);
        OpenTelemetryLayer::new(tracer).with_filter(own)
    }
}

impl Drop for Spans {
    fn drop(&mut self) {
        if let Err(error) = self.0.shutdown() {
            tracing::debug!(%error, "the last spans were not sent");
        }
    }
}
