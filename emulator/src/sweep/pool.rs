//! Processes that make jobs on this machine: one each, started again when lost, never outliving their parent.
//!
//! What belongs here: one job's process from start to end. What does not: which jobs, how many at once, and where
//! results go (`local`, `broker`).

use super::job::{Job, JobOrder, JobReport, JobResult, is_key};
use super::store::{StoreError, Workshop};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::Command;

/// Processes that are started for one job at most.
pub const ATTEMPTS_MAX: u32 = 3;

/// How a job ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It is done.
    Done(Box<JobResult>),
    /// It cannot be done, and why.
    Failed(String),
    /// Another build planned it, and how that shows.
    Foreign(String),
}

/// What hears of a job under way.
pub trait Watcher {
    /// So many blocks are made since genesis; 0 when it begins anew.
    fn blocks(&self, blocks: u64);

    /// Its process was lost and is started again.
    fn restarts(&self, why: &str);
}

/// Starts this program for jobs.
#[derive(Debug)]
pub struct Pool {
    program: PathBuf,
    workshop: Workshop,
    log_format: &'static str,
}

impl Pool {
    /// A pool with a folder for its jobs.
    ///
    /// # Errors
    /// The folder cannot be made, or this program is not found.
    pub fn open(below: &Path, log_format: &'static str) -> Result<Self, StoreError> {
        let workshop = Workshop::open(below)?;
        // Where the system does not tell, the name is looked for as a shell does.
        let program = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("btemu"));
        Ok(Self { program, workshop, log_format })
    }

    /// Makes a job. Dropped before its end it takes the process along.
    pub async fn make(&self, job: Job, watcher: &impl Watcher) -> Outcome {
        if !is_key(&job.key) {
            return Outcome::Failed(format!("{:?} is no key of a job", job.key));
        }
        let mut last = String::new();
        for attempt in 1..=ATTEMPTS_MAX {
            if attempt > 1 {
                watcher.restarts(&last);
                watcher.blocks(0);
            }
            match self.attempt(&job, watcher).await {
                Ok(outcome) => return outcome,
                Err(why) => last = why,
            }
        }
        Outcome::Failed(format!("{last}; it was tried {ATTEMPTS_MAX} times"))
    }

    /// One process; an error is one that may not come again.
    async fn attempt(&self, job: &Job, watcher: &impl Watcher) -> Result<Outcome, String> {
        let folder = self.workshop.room(&job.key);
        let folder = folder.map_err(|error| error.to_string())?;
        let outcome = self.attempt_in(&folder, job, watcher).await;
        // What cannot be deleted goes with the workshop.
        std::fs::remove_dir_all(&folder).ok();
        outcome
    }

    async fn attempt_in(
        &self,
        folder: &Path,
        job: &Job,
        watcher: &impl Watcher,
    ) -> Result<Outcome, String> {
        let name = format!("job-{}", job.key.get(..8).unwrap_or(&job.key));
        let mut command = Command::new(&self.program);
        command
            .args(["job", "--name", &name, "--log-format", self.log_format])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // Ctrl-C is for the one who started it; its end ends this one.
            .process_group(0)
            .kill_on_drop(true);
        let unstartable = |error: io::Error| format!("its process cannot be started: {error}");
        let mut child = command.spawn().map_err(unstartable)?;
        let mut stdin = child.stdin.take().expect("it was asked to be piped");
        let stdout = child.stdout.take().expect("it was asked to be piped");
        let order = JobOrder { job: job.clone(), folder: folder.to_owned() };
        let order = serde_json::to_string(&order).expect("an order is plain data");
        // One that does not even take its order is told of by its end.
        let sent = stdin.write_all(format!("{order}\n").as_bytes()).await;
        let sent = match sent {
            Ok(()) => stdin.flush().await,
            Err(error) => Err(error),
        };
        if let Err(error) = sent {
            tracing::debug!(%error, "a job's process does not take its order");
        }
        let mut lines = BufReader::new(stdout).lines();
        let mut outcome = None;
        while let Ok(Some(line)) = lines.next_line().await {
            match serde_json::from_str(&line) {
                Ok(JobReport::Progress { blocks }) => watcher.blocks(blocks),
                Ok(JobReport::Done(result)) => outcome = Some(Outcome::Done(result)),
                Ok(JobReport::Failed { what }) => outcome = Some(Outcome::Failed(what)),
                Ok(JobReport::Foreign { what }) => outcome = Some(Outcome::Foreign(what)),
                Err(error) => tracing::warn!(%error, "a job said something that is no report"),
            }
        }
        // It holds the pipe until now: its end would end the process.
        drop(stdin);
        let status = child.wait().await;
        match (outcome, status) {
            (Some(Outcome::Done(result)), _) if result.key != job.key => {
                Err("its process made another job".to_owned())
            }
            (Some(outcome), _) => Ok(outcome),
            (None, Ok(status)) => Err(format!("its process ended without a result ({status})")),
            (None, Err(error)) => Err(format!("its process cannot be watched: {error}")),
        }
    }
}
