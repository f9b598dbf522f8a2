//! Remote write: metrics that are pushed to a receiver, at simulated times.
//!
//! What belongs here: which samples are sent when, and that a series which ends is said to end. What does not: bytes
//! (`wire`), bringing them (`courier`), values (`metrics`). Only what follows from the chain is sent: what is of the
//! process and of wall time has no simulated time.

mod courier;
mod wire;

pub use courier::{Fate, Patience, check_url};

use super::table::ENGINE_FAMILIES;
use super::{Metrics, Sample};
use courier::{Batch, Courier, Waits};
use protocol::frame::Header;
use protocol::units::Height;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::io;
use wire::{Label, Point, STALE, TimeSeries, WriteRequest};

/// Blocks between samples unless others are asked for: a minute, well within what Prometheus looks back for a value.
pub const EVERY: u64 = 5;

/// Samples of a batch; a receiver must have the whole of it in memory.
const BATCH_SAMPLES_MAX: usize = 5_000;

/// The name of the queue before the receiver, as metrics have it.
const QUEUE: &str = "remote_write";

/// Where metrics are pushed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoteOrder {
    /// The receiver.
    pub url: String,
    /// Blocks between samples, counted from genesis.
    pub every: u64,
}

/// When a run's blocks are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Epoch {
    /// The genesis block.
    pub genesis: Height,
    /// Its calendar time, in seconds since 1970-01-01T00:00:00Z.
    pub unix_s: i64,
    /// The last block that was sent before, by another process; it and all before are not sent again.
    pub sent: Height,
}

/// See the file.
#[derive(Debug)]
pub struct RemoteWrite {
    metrics: Metrics,
    every: u64,
    epoch: Epoch,
    courier: Courier,
    /// Series that have not ended.
    alive: BTreeSet<Vec<Label>>,
    /// The last block, in simulated milliseconds since genesis, if it was not sent.
    unsent_ms: Option<u64>,
}

impl RemoteWrite {
    /// Begins to push metrics.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(
        order: &RemoteOrder,
        metrics: Metrics,
        epoch: Epoch,
        patience: Patience,
    ) -> io::Result<Self> {
        let courier = Courier::start(&order.url, patience, Waits::default())?;
        Ok(Self::over(courier, order, metrics, epoch))
    }

    fn over(courier: Courier, order: &RemoteOrder, metrics: Metrics, epoch: Epoch) -> Self {
        let (every, alive) = (order.every.max(1), BTreeSet::new());
        Self { metrics, every, epoch, courier, alive, unsent_ms: None }
    }

    /// A block was folded into the metrics.
    pub fn block(&mut self, header: &Header) {
        if header.height <= self.epoch.sent {
            return;
        }
        self.unsent_ms = Some(header.time_ms);
        let blocks = header.height.0.saturating_sub(self.epoch.genesis.0);
        if blocks.is_multiple_of(self.every) {
            self.push();
        }
    }

    /// Sends the last block if it was not, and waits until everything was brought or is lost.
    pub fn finish(mut self) -> Fate {
        self.push();
        let fate = self.courier.finish();
        self.metrics.remote(fate.samples);
        self.metrics.queue(QUEUE, fate.waiting);
        fate
    }

    /// Sends the metrics as they are.
    fn push(&mut self) {
        let Some(time_ms) = self.unsent_ms.take() else { return };
        let timestamp_ms = self.epoch.unix_s.saturating_mul(1_000).saturating_add_unsigned(time_ms);
        let point = |value| Point { value, timestamp_ms };
        let mut series = Vec::new();
        let mut alive = BTreeSet::new();
        for sample in self.metrics.samples().filter(|it| !ENGINE_FAMILIES.contains(&it.family)) {
            let labels = labels(&sample);
            let samples = vec![point(sample.value)];
            series.push(TimeSeries { labels: labels.clone(), samples });
            alive.insert(labels);
        }
        let ended = self.alive.difference(&alive);
        series.extend(
            ended.map(|labels| TimeSeries { labels: labels.clone(), samples: vec![point(STALE)] }),
        );
        self.alive = alive;
        let mut series = series.into_iter();
        loop {
            let timeseries: Vec<TimeSeries> = series.by_ref().take(BATCH_SAMPLES_MAX).collect();
            if timeseries.is_empty() {
                break;
            }
            let samples = timeseries.len() as u64;
            self.courier.send(Batch { request: WriteRequest { timeseries }, samples });
        }
        let Fate { samples, waiting, .. } = self.courier.fate();
        self.metrics.remote(samples);
        self.metrics.queue(QUEUE, waiting);
    }
}

/// The labels of a sample as they are sent: with the metric's name, ascending, without those that are empty.
fn labels(sample: &Sample) -> Vec<Label> {
    let label = |name: &str, value: &str| Label { name: name.to_owned(), value: value.to_owned() };
    let own = sample.labels.iter().filter(|(_, value)| !value.is_empty());
    let own = own.map(|(name, value)| label(name, value));
    let mut labels: Vec<Label> = own.collect();
    labels.push(label("__name__", sample.family.name));
    labels.sort();
    labels
}

#[cfg(test)]
mod tests;
