//! Jobs on this machine: so many at once, each result handed over as soon as it is there.

use super::bar::Bar;
use super::job::{Job, JobResult};
use super::plan::Sweep;
use super::pool::{Outcome, Pool};
use crate::run::signals::Asked;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

/// Jobs by their numbers.
pub trait Work {
    /// Packs one.
    ///
    /// # Errors
    /// What it is made of cannot be read any more.
    fn job(&self, number: usize) -> Result<Job, String>;

    /// As messages name it.
    fn name(&self, number: usize) -> String;

    /// Blocks of its run.
    fn blocks(&self, number: usize) -> u64;
}

impl Work for Sweep {
    fn job(&self, number: usize) -> Result<Job, String> {
        self.pack(&self.jobs[number]).map_err(|error| error.to_string())
    }

    fn name(&self, number: usize) -> String {
        let job = &self.jobs[number];
        let cell = self.tell_cell(job.cell);
        let comma = if cell.is_empty() { "" } else { ", " };
        format!("job {} ({cell}{comma}seed {})", number + 1, job.seed)
    }

    fn blocks(&self, number: usize) -> u64 {
        self.jobs[number].blocks
    }
}

/// What came of a set of jobs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Made {
    /// Jobs that were done.
    pub done: u64,
    /// Jobs that cannot be done, by their number from 0, and why.
    pub failed: Vec<(usize, String)>,
    /// Whether somebody asked to stop before all were made.
    pub is_stopped: bool,
}

/// Makes jobs, given by their numbers; the first request to stop lets those under way end, the second does not.
///
/// # Errors
/// A result cannot be kept.
pub async fn make(
    work: &impl Work,
    numbers: Vec<usize>,
    pool: &Pool,
    at_once: usize,
    mut keep: impl FnMut(usize, JobResult) -> Result<(), String>,
    bar: &Bar,
    asked: &mut Asked,
) -> Result<Made, String> {
    let mut made = Made::default();
    let mut waiting = numbers.into_iter();
    let mut under_way = FuturesUnordered::new();
    loop {
        while !made.is_stopped && under_way.len() < at_once {
            let Some(number) = waiting.next() else { break };
            let job = work.job(number)?;
            let watcher = bar.job(work.name(number), work.blocks(number));
            under_way.push(async move {
                let outcome = pool.make(job, &watcher).await;
                watcher.end();
                (number, outcome)
            });
        }
        if under_way.is_empty() {
            return Ok(made);
        }
        tokio::select! {
            Some((number, outcome)) = under_way.next() => {
                match outcome {
                    Outcome::Done(result) => {
                        keep(number, *result)?;
                        made.done += 1;
                    }
                    Outcome::Failed(why) | Outcome::Foreign(why) => {
                        bar.say(&format!("{} failed: {why}", work.name(number)));
                        made.failed.push((number, why));
                    }
                }
                bar.done(made.done);
            }
            () = asked.next() => {
                made.is_stopped = true;
                if asked.count > 1 {
                    return Ok(made);
                }
                let jobs = under_way.len();
                bar.say(&format!("{jobs} jobs under way are still made; Ctrl-C again stops at once"));
            }
        }
    }
}
