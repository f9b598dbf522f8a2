//! A live run on show: its metrics, served and pushed, and what the chain process tells them.
//!
//! What belongs here: who hears what of a run under way. What does not: what metrics are and how they get anywhere
//! (`metrics`), measuring processes (`status`, `death`).

use super::death;
use super::disturbance::Strike;
use super::engine::{Start, Tick};
use super::order::ChainOrder;
use super::status::ProcessRow;
use crate::clock::Stopwatch;
use crate::metrics::remote::{Epoch, Fate, Patience, RemoteWrite};
use crate::metrics::{Making, Metrics, Process, ServeError, Server};
use protocol::frame::Header;
use protocol::units::Height;
use std::collections::BTreeMap;
use storage::log::EventLog;

/// See the file.
#[derive(Debug)]
pub struct Exhibit {
    metrics: Metrics,
    server: Option<Server>,
    remote: Option<(String, RemoteWrite)>,
    /// What strikes below the simulation, from genesis on.
    schedule: Vec<Strike>,
    restarts: u64,
    running: Stopwatch,
}

impl Exhibit {
    /// Opens what a run was asked to show; nothing if that is nothing.
    ///
    /// # Errors
    /// Metrics cannot be served or pushed.
    pub fn open(order: &ChainOrder, start: &Start) -> Result<Option<Self>, ServeError> {
        if !order.metrics.is_wanted() {
            return Ok(None);
        }
        let metrics = order.metrics.detail.metrics(&start.plan, &order.run, &start.state);
        let serve = |address: &String| Server::start(address, metrics.clone());
        let server = order.metrics.address.as_ref().map(serve).transpose()?;
        let epoch = Epoch {
            genesis: start.plan.genesis.height,
            unix_s: start.plan.genesis_unix_s,
            // Blocks that are made again were sent by the process that made them first.
            sent: start.log.tip(),
        };
        let remote = order.metrics.remote.as_ref().map(|remote| {
            let started = RemoteWrite::start(remote, metrics.clone(), epoch, Patience::Brief);
            let url = remote.url.clone();
            match started {
                Ok(started) => Ok((url, started)),
                Err(source) => Err(ServeError::Push { url, source }),
            }
        });
        Ok(Some(Self {
            metrics,
            server,
            remote: remote.transpose()?,
            schedule: order.schedule.clone(),
            restarts: order.restarts,
            running: Stopwatch::start(),
        }))
    }

    /// Where metrics are served.
    pub fn address(&self) -> Option<String> {
        self.server.as_ref().map(|server| server.address().to_string())
    }

    /// The metrics, for whoever folds blocks.
    pub fn metrics(&self) -> Metrics {
        self.metrics.clone()
    }

    /// The players are seated: speed counts from here.
    pub fn begin(&mut self) {
        self.running = Stopwatch::start();
    }

    /// A block is in the log and in the metrics.
    pub fn block(&mut self, header: &Header) {
        if let Some((_, remote)) = &mut self.remote {
            remote.block(header);
        }
    }

    /// Now and then: how the run does.
    pub fn look(&self, tick: &Tick<'_>, rows: &[ProcessRow]) {
        let seconds = self.running.seconds();
        let metrics = &self.metrics;
        metrics.speed(tick.blocks_made as f64 / seconds.max(1e-9), seconds);
        metrics.log_bytes(tick.log.bytes());
        metrics.processes(rows.iter().map(measured));
        let (messages, calls) = tick.hub.under_way();
        metrics.queue("messages", messages);
        metrics.queue("calls", calls);
        metrics.queue("caches", tick.caches);
        metrics.making(Making {
            restarts: self.restarts,
            struck: self.struck(tick.height),
            checked: tick.checked,
            violated: tick.violations,
        });
    }

    /// Waits until all samples are where they go, and stops serving.
    pub fn finish(self) {
        let Some((url, remote)) = self.remote else { return };
        let Fate { samples, why, .. } = remote.finish();
        if samples.lost > 0 {
            let why = why.unwrap_or_default();
            tracing::warn!(
                url,
                lost = samples.lost,
                sent = samples.sent,
                why,
                "samples are lost; `btemu replay RUN --remote-write URL` sends the whole run again"
            );
        }
    }

    /// Strikes that were due up to a block; kinds that are still to come are there with 0.
    fn struck(&self, tip: Height) -> BTreeMap<&'static str, u64> {
        let mut kinds = BTreeMap::new();
        for strike in &self.schedule {
            *kinds.entry(strike.what.name()).or_insert(0) += u64::from(strike.at <= tip);
        }
        kinds
    }
}

fn measured(row: &ProcessRow) -> Process {
    Process {
        name: row.name.clone(),
        resident_bytes: row.rss_bytes,
        cpu_seconds: death::cpu_seconds(row.pid),
        players: row.players,
        steps: row.steps,
    }
}
