//! How long things took in wall time: the phases of a block and the waits for the disk, counted by size.
//!
//! What belongs here: a histogram, and a handle through which the engine and the log tell. What does not: a clock
//! (`clock`), and who is timed. A handle that nobody reads keeps nothing.

use super::lock;
use crate::clock::Stopwatch;
use prometheus::proto::{Bucket, Histogram};
use std::sync::{Arc, Mutex};

/// Upper bounds of the sizes that durations are counted by, in seconds.
pub const BOUNDS_SECONDS: [f64; 14] =
    [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];

/// A part of the work on a block. Parts of neighbouring blocks overlap: players go on while the books are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The players act up to the block.
    Slices,
    /// Calls and epochs are decided.
    Decide,
    /// The players hear of the block.
    Publish,
    /// The engine waits for the books of the block before.
    Wait,
    /// Roots and hashes.
    Seal,
    /// Into the log; a sync that is due is part of it.
    Append,
    /// Totals, invariants and metrics.
    Count,
}

impl Phase {
    /// All, in the order of a block.
    pub const ALL: [Self; 7] = [
        Self::Slices,
        Self::Decide,
        Self::Publish,
        Self::Wait,
        Self::Seal,
        Self::Append,
        Self::Count,
    ];

    /// As the label has it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Slices => "slices",
            Self::Decide => "decide",
            Self::Publish => "publish",
            Self::Wait => "wait",
            Self::Seal => "seal",
            Self::Append => "append",
            Self::Count => "count",
        }
    }
}

/// Durations counted by size.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Durations {
    /// By the smallest bound that is not below; those beyond every bound are in `count` alone.
    within: [u64; BOUNDS_SECONDS.len()],
    count: u64,
    sum_seconds: f64,
}

impl Durations {
    /// Counts one.
    pub fn note(&mut self, seconds: f64) {
        if let Some(place) = BOUNDS_SECONDS.iter().position(|bound| seconds <= *bound) {
            self.within[place] += 1;
        }
        self.count += 1;
        self.sum_seconds += seconds;
    }

    /// As Prometheus has them: every bound counts what is below it too.
    pub fn shown(&self) -> Histogram {
        let mut below = 0;
        let buckets = BOUNDS_SECONDS.iter().zip(self.within).map(|(bound, count)| {
            below += count;
            let mut bucket = Bucket::default();
            bucket.set_upper_bound(*bound);
            bucket.set_cumulative_count(below);
            bucket
        });
        let mut shown = Histogram::default();
        shown.set_bucket(buckets.collect());
        shown.set_sample_count(self.count);
        shown.set_sample_sum(self.sum_seconds);
        shown
    }
}

/// What was timed so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Timed {
    /// By phase, in their order.
    pub phases: [Durations; Phase::ALL.len()],
    /// Waits until the log was on disk.
    pub syncs: Durations,
}

/// A handle for whoever has something to tell; clones tell the same. The default is read by nobody.
#[derive(Clone, Debug, Default)]
pub struct Timings(Option<Arc<Mutex<Timed>>>);

impl Timings {
    /// One that is read.
    pub fn kept() -> Self {
        Self(Some(Arc::default()))
    }

    /// What was told so far; nothing where nobody reads.
    pub fn read(&self) -> Option<Timed> {
        self.0.as_ref().map(|timed| *lock(timed))
    }

    /// A phase took as long as the watch says.
    pub fn phase(&self, phase: Phase, began: Stopwatch) {
        if let Some(timed) = &self.0 {
            lock(timed).phases[phase as usize].note(began.seconds());
        }
    }

    /// Does a phase and tells how long it took.
    pub fn during<T>(&self, phase: Phase, work: impl FnOnce() -> T) -> T {
        let began = Stopwatch::start();
        let done = work();
        self.phase(phase, began);
        done
    }

    /// The log was waited for as long as the watch says.
    pub fn sync(&self, began: Stopwatch) {
        if let Some(timed) = &self.0 {
            lock(timed).syncs.note(began.seconds());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_counted_at_its_bound_and_at_all_above() {
        let mut durations = Durations::default();
        [0.0, 0.0001, 0.00011, 0.7, 5.0, 9.0].into_iter().for_each(|one| durations.note(one));
        let shown = durations.shown();
        let counts: Vec<u64> =
            shown.get_bucket().iter().map(|bucket| bucket.cumulative_count()).collect();
        assert_eq!(counts, [2, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 4, 5]);
        assert_eq!(shown.get_sample_count(), 6);
        assert!((shown.get_sample_sum() - 14.70021).abs() < 1e-9);
        assert!(BOUNDS_SECONDS.is_sorted());
    }

    #[test]
    fn phases_stand_in_the_order_of_their_list() {
        for (place, phase) in Phase::ALL.into_iter().enumerate() {
            assert_eq!(phase as usize, place, "{}", phase.name());
        }
        let (heard, deaf) = (Timings::kept(), Timings::default());
        for timings in [&heard, &deaf] {
            assert_eq!(timings.during(Phase::Seal, || 7), 7);
            timings.clone().sync(Stopwatch::start());
        }
        let timed = heard.read().expect("it is kept");
        assert_eq!(timed.phases[Phase::Seal as usize].count, 1);
        assert_eq!((timed.phases[Phase::Wait as usize].count, timed.syncs.count), (0, 1));
        assert!(deaf.read().is_none());
    }
}
