//! Log lines on standard error, and spans for a collector of OpenTelemetry where somebody wants them.
//!
//! What belongs here: which lines are written, how, and where a process is (its name, its run, its last block), which
//! every line says whatever thread it comes from. What does not: what is worth a line.

/// How a line looks.
mod lines;
/// Spans for a collector.
#[cfg(feature = "otel")]
mod otel;

use clap::ValueEnum;
use lines::Lines;
use protocol::units::Height;
use std::io::IsTerminal;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

/// What is logged unless RUST_LOG says otherwise. What the store says of damage is told in our own words.
const LOG_DEFAULT: &str = "warn,sled=off";
/// Where spans go: variables of OpenTelemetry's own, either of which turns them on.
const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"];

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}

impl LogFormat {
    /// The word on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
        }
    }
}

/// Where this process is.
static PROCESS: OnceLock<String> = OnceLock::new();
static RUN: OnceLock<String> = OnceLock::new();
static BLOCK: AtomicU64 = AtomicU64::new(NO_BLOCK);
const NO_BLOCK: u64 = u64::MAX;

/// Says which run this process makes; the first word holds.
pub fn at_run(name: &str) {
    RUN.get_or_init(|| name.to_owned());
}

/// Says which block was made or heard of last.
pub fn at_block(height: Height) {
    BLOCK.store(height.0, Ordering::Relaxed);
}

/// The run that this process makes.
pub fn run() -> Option<&'static str> {
    RUN.get().map(String::as_str)
}

/// The variable that names a collector, if one does.
fn endpoint() -> Option<&'static str> {
    ENDPOINTS.into_iter().find(|name| std::env::var_os(name).is_some())
}

fn process() -> Option<&'static str> {
    PROCESS.get().map(String::as_str)
}

fn block() -> Option<u64> {
    Some(BLOCK.load(Ordering::Relaxed)).filter(|block| *block != NO_BLOCK)
}

/// What must be kept until the process ends.
#[derive(Debug)]
#[must_use = "spans that wait are sent when it goes"]
pub struct Logging {
    #[cfg(feature = "otel")]
    _spans: Option<otel::Spans>,
}

/// Starts logging to standard error under a process's name.
pub fn start(format: LogFormat, process: &str) -> Logging {
    PROCESS.get_or_init(|| process.to_owned());
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(LOG_DEFAULT));
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .event_format(Lines(format))
        .with_filter(filter);
    #[cfg(feature = "otel")]
    {
        let (spans, problem) = otel::start(process);
        let layer = spans.as_ref().map(otel::Spans::layer);
        tracing_subscriber::registry().with(lines).with(layer).init();
        if let Some(problem) = problem {
            tracing::warn!(problem, "no spans are sent");
        }
        Logging { _spans: spans }
    }
    #[cfg(not(feature = "otel"))]
    {
        tracing_subscriber::registry().with(lines).init();
        if let Some(variable) = endpoint() {
            tracing::info!(variable, "this build sends no spans; build with --features otel");
        }
        Logging {}
    }
}
