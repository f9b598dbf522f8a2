//! A log that tells how long it takes until what was written is on disk.
//!
//! What belongs here: timing another log. What does not: writing. Syncs are its own, when they are due by the durability
//! asked for: those within the log beneath could not be told from its writes.

use crate::clock::Stopwatch;
use crate::metrics::Timings;
use protocol::frame::{Frame, Header};
use protocol::units::Height;
use storage::log::{Durability, EventLog, LogError};

/// See the file.
#[derive(Debug)]
pub struct MeteredLog {
    inner: Box<dyn EventLog + Send>,
    durability: Durability,
    /// Blocks since the last sync.
    unsynced: u64,
    timings: Timings,
}

impl MeteredLog {
    /// Over a log that syncs nothing by itself.
    pub fn new(inner: Box<dyn EventLog + Send>, durability: Durability, timings: Timings) -> Self {
        Self { inner, durability, unsynced: 0, timings }
    }
}

impl EventLog for MeteredLog {
    fn append(&mut self, frame: &Frame) -> Result<(), LogError> {
        self.inner.append(frame)?;
        self.unsynced += 1;
        if self.durability.is_due(self.unsynced) { self.sync() } else { Ok(()) }
    }

    fn tip(&self) -> Height {
        self.inner.tip()
    }

    fn genesis_height(&self) -> Height {
        self.inner.genesis_height()
    }

    fn frame(&self, at: Height) -> Result<Frame, LogError> {
        self.inner.frame(at)
    }

    fn header(&self, at: Height) -> Result<Header, LogError> {
        self.inner.header(at)
    }

    fn sync(&mut self) -> Result<(), LogError> {
        let began = Stopwatch::start();
        self.inner.sync()?;
        self.unsynced = 0;
        self.timings.sync(began);
        Ok(())
    }

    fn bytes(&self) -> u64 {
        self.inner.bytes()
    }

    fn packed_bytes(&self) -> u64 {
        self.inner.packed_bytes()
    }
}
