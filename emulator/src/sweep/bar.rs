//! The progress bar of a sweep, on standard error; silent where that is no terminal.

use super::pool::Watcher;
use crate::progress::Showing;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::cell::Cell;

/// Shows how far a sweep is: jobs, and blocks of all of them for the time that is left.
#[derive(Clone, Debug)]
pub struct Bar {
    bar: ProgressBar,
    jobs: u64,
}

impl Bar {
    /// A bar over jobs that have so many blocks together.
    pub fn new(jobs: u64, blocks: u64, showing: Showing) -> Self {
        let target = match showing {
            Showing::Bar => ProgressDrawTarget::stderr(),
            Showing::Nothing => ProgressDrawTarget::hidden(),
        };
        let bar = ProgressBar::with_draw_target(Some(blocks), target);
        let style = "{msg} {wide_bar} {per_sec} ETA {eta}";
        bar.set_style(ProgressStyle::with_template(style).expect("the template is well-formed"));
        let bar = Self { bar, jobs };
        bar.done(0);
        bar
    }

    /// So many jobs are done.
    pub fn done(&self, jobs: u64) {
        self.bar.set_message(format!("{jobs} of {} jobs", self.jobs));
    }

    /// So many of so many jobs are checked, before any is made.
    pub fn checks(&self, known: usize, of: usize) {
        self.bar.set_length(of as u64);
        self.bar.set_position(known as u64);
        self.bar.set_message("checking");
    }

    /// Says something that should be seen, above the bar where there is one.
    pub fn say(&self, line: &str) {
        if self.bar.is_hidden() {
            tracing::warn!("{line}");
        } else {
            self.bar.println(line);
        }
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }

    /// What watches one job of so many blocks.
    pub fn job(&self, name: String, blocks: u64) -> JobWatcher {
        JobWatcher { bar: self.clone(), name, blocks, shown: Cell::new(0) }
    }
}

/// One job's part of the bar.
#[derive(Debug)]
pub struct JobWatcher {
    bar: Bar,
    name: String,
    blocks: u64,
    shown: Cell<u64>,
}

impl JobWatcher {
    /// It is over, done or not.
    pub fn end(&self) {
        self.blocks(self.blocks);
    }
}

impl Watcher for JobWatcher {
    fn blocks(&self, blocks: u64) {
        let before = self.shown.replace(blocks);
        self.bar.bar.inc(blocks.saturating_sub(before));
        self.bar.bar.dec(before.saturating_sub(blocks));
    }

    fn restarts(&self, why: &str) {
        self.bar.say(&format!("{}: {why}; it is started again", self.name));
    }
}
