//! What making a run took, over every attempt: processes, steps, wall time, memory, restarts.
//!
//! What belongs here: adding attempts up, and keeping the sum beside the log. What does not: counts of what the run
//! holds (`totals`). It is kept in a small file of the run folder, written anew every second, so that a run whose
//! launcher is killed loses no more than that; it is in no hash, and a run without it goes on as one that took nothing.

use super::hosts::ProcessReport;
use crate::clock::{Stopwatch, Throttle};
use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The file in a run folder.
pub const EFFORT: &str = "effort.json";
/// How often it is written at most.
const WRITE_INTERVAL_MS: u64 = 1_000;

/// What making a run took.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Effort {
    /// How often the run was started: by its user, and again after a process was lost.
    pub attempts: u64,
    /// How often because a process was lost.
    pub restarts: u64,
    /// Wall time of all launchers.
    pub wall_seconds: f64,
    /// Memory of all processes together, in the attempt in which it was most.
    pub peak_rss_bytes: u64,
    /// Steps of each process over all attempts, its highest memory, and the players it carried last.
    pub processes: Vec<ProcessReport>,
}

impl Effort {
    /// What was kept in a run folder; nothing where that cannot be read.
    pub fn read(run: &Path) -> Self {
        let text = fs::read_to_string(run.join(EFFORT)).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// Keeps it in a run folder, whole or not at all.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn write(&self, run: &Path) -> io::Result<()> {
        let text = serde_json::to_string(self).map_err(io::Error::other)?;
        let beside = run.join(format!("{EFFORT}.new"));
        fs::write(&beside, text)?;
        fs::rename(beside, run.join(EFFORT))
    }

    /// Adds what the processes of one attempt took; `others_rss_bytes` is what was beside them.
    fn add(&mut self, processes: &[ProcessReport], others_rss_bytes: u64) {
        let together: u64 = processes.iter().map(|process| process.peak_rss_bytes).sum();
        self.peak_rss_bytes = self.peak_rss_bytes.max(together + others_rss_bytes);
        for process in processes {
            match self.processes.iter_mut().find(|kept| kept.name == process.name) {
                None => self.processes.push(process.clone()),
                Some(kept) => {
                    kept.players = process.players;
                    kept.steps += process.steps;
                    kept.peak_rss_bytes = kept.peak_rss_bytes.max(process.peak_rss_bytes);
                }
            }
        }
    }
}

/// The book a launcher keeps.
#[derive(Debug)]
pub struct EffortBook {
    run: PathBuf,
    /// Without the attempt under way, and without this launcher's wall time.
    before: Effort,
    /// What the processes under way have told last.
    under_way: Vec<ProcessReport>,
    others_rss_bytes: u64,
    stopwatch: Stopwatch,
    throttle: Throttle,
}

impl EffortBook {
    /// Goes on with what earlier launchers of this run kept.
    pub fn open(run: &Path) -> Self {
        Self {
            run: run.to_owned(),
            before: Effort::read(run),
            under_way: Vec::new(),
            others_rss_bytes: 0,
            stopwatch: Stopwatch::start(),
            throttle: Throttle::every(Duration::from_millis(WRITE_INTERVAL_MS)),
        }
    }

    /// An attempt begins.
    pub fn begin_attempt(&mut self) {
        self.settle();
        self.before.attempts += 1;
    }

    /// An attempt was lost, and another one will be made.
    pub fn restart(&mut self) {
        self.settle();
        self.before.restarts += 1;
        self.write();
    }

    /// What the processes under way took so far, and the memory of what is beside them.
    pub fn heard(&mut self, processes: Vec<ProcessReport>, others_rss_bytes: u64) {
        (self.under_way, self.others_rss_bytes) = (processes, others_rss_bytes);
        if self.throttle.is_due() {
            self.write();
        }
    }

    /// Restarts over all launchers.
    pub const fn restarts(&self) -> u64 {
        self.before.restarts
    }

    /// Everything so far.
    pub fn whole(&self) -> Effort {
        let mut whole = self.before.clone();
        whole.add(&self.under_way, self.others_rss_bytes);
        whole.wall_seconds += self.stopwatch.seconds();
        whole
    }

    /// Keeps everything so far; a run does not end because that fails.
    pub fn write(&self) {
        if let Err(error) = self.whole().write(&self.run) {
            tracing::warn!(%error, "what the run took cannot be kept");
        }
    }

    fn settle(&mut self) {
        let processes = std::mem::take(&mut self.under_way);
        self.before.add(&processes, std::mem::take(&mut self.others_rss_bytes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(name: &str, steps: u64, peak_rss_bytes: u64) -> ProcessReport {
        ProcessReport { name: name.to_owned(), players: 3, steps, peak_rss_bytes }
    }

    #[test]
    fn attempts_of_all_launchers_add_up() {
        let folder = tempfile::tempdir().expect("writable");
        let mut first = EffortBook::open(folder.path());
        first.begin_attempt();
        first.heard(vec![report("chain", 0, 50), report("host-0", 7, 30)], 10);
        first.heard(vec![report("chain", 0, 50), report("host-0", 8, 31)], 10);
        first.restart();
        first.begin_attempt();
        first.heard(vec![report("chain", 0, 60), report("host-0", 5, 10)], 10);
        // Killed: what was written last is what the next one finds.
        first.write();
        let mut second = EffortBook::open(folder.path());
        second.begin_attempt();
        second
            .heard(vec![report("chain", 0, 1), report("host-0", 2, 1), report("host-1", 4, 1)], 1);
        let whole = second.whole();
        assert!(whole.wall_seconds > 0.0);
        let expected = Effort {
            attempts: 3,
            restarts: 1,
            wall_seconds: whole.wall_seconds,
            peak_rss_bytes: 50 + 31 + 10,
            processes: vec![
                report("chain", 0, 60),
                report("host-0", 15, 31),
                report("host-1", 4, 1),
            ],
        };
        assert_eq!(whole, expected);
    }

    #[test]
    fn a_file_that_cannot_be_read_counts_as_none() {
        let folder = tempfile::tempdir().expect("writable");
        assert_eq!(Effort::read(folder.path()), Effort::default());
        fs::write(folder.path().join(EFFORT), "{\"attempts\": 3").expect("writable");
        assert_eq!(Effort::read(folder.path()), Effort::default());
    }
}
