//! A sweep's jobs on this machine: so many at once, each result kept as soon as it is there.

use super::bar::Bar;
use super::plan::{Planned, Sweep};
use super::pool::{Outcome, Pool};
use super::store::Store;
use crate::run::signals::Asked;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

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

/// Makes jobs, given with their numbers; the first request to stop lets those under way end, the second does not.
///
/// # Errors
/// A result cannot be kept.
pub async fn make(
    sweep: &Sweep,
    jobs: Vec<(usize, &Planned)>,
    pool: &Pool,
    at_once: usize,
    store: &Store,
    bar: &Bar,
    asked: &mut Asked,
) -> Result<Made, String> {
    let mut made = Made::default();
    let mut waiting = jobs.into_iter();
    let mut under_way = FuturesUnordered::new();
    loop {
        while !made.is_stopped && under_way.len() < at_once {
            let Some((number, planned)) = waiting.next() else { break };
            let job = sweep.pack(planned).map_err(|error| error.to_string())?;
            let watcher = bar.job(name(sweep, number), planned.blocks);
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
                        store.keep(&result).map_err(|error| error.to_string())?;
                        made.done += 1;
                    }
                    Outcome::Failed(why) | Outcome::Foreign(why) => {
                        bar.say(&format!("{} failed: {why}", name(sweep, number)));
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

/// A job as messages name it.
pub fn name(sweep: &Sweep, number: usize) -> String {
    let job = &sweep.jobs[number];
    let cell = sweep.tell_cell(job.cell);
    let comma = if cell.is_empty() { "" } else { ", " };
    format!("job {} ({cell}{comma}seed {})", number + 1, job.seed)
}
