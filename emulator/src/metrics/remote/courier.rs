//! Bringing batches to a receiver, on a thread of its own behind a queue with a limit.
//!
//! What belongs here: posting, waiting, trying again, giving up. What does not: what is in a batch (`remote`, `wire`).
//!
//! A receiver that does not answer is tried again for a while; after that it counts as away, what comes for it is lost,
//! and only now and then a batch is tried. So nobody waits for it for ever, and it gets what comes after its return.

use super::wire::{WriteRequest, packed};
use crate::clock::{Stopwatch, Throttle};
use crate::http::agent;
use crate::metrics::{RemoteSamples, lock};
use std::io;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;
use ureq::Agent;
use ureq::http::Uri;

/// Batches that wait for the receiver.
pub const BATCHES_WAITING_MAX: usize = 64;
/// How long a receiver that does not answer is tried again, in milliseconds of wall time.
const RETRY_MS_MAX: u64 = 20_000;
/// The wait before the first further try; it doubles.
const RETRY_WAIT_MS: u64 = 50;
/// The longest wait between tries.
const RETRY_WAIT_MS_MAX: u64 = 2_000;
/// How often a receiver that is away is tried.
const AWAY_TRY_MS: u64 = 5_000;
/// How long a receiver may take to answer.
const ANSWER_MS_MAX: u64 = 10_000;
/// How long a live run waits for room in the queue.
const ROOM_WAIT_MS_MAX: u64 = 500;
/// How long it waits before it looks again.
const ROOM_LOOK_MS: u64 = 2;
/// Bytes of a receiver's own words that are read.
const WORDS_BYTES_MAX: u64 = 2_048;

/// How long to wait for what, in milliseconds of wall time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waits {
    /// A receiver that does not answer is tried again.
    pub retry_ms_max: u64,
    /// Before the first further try; it doubles.
    pub retry_wait_ms: u64,
    /// Between tries of a receiver that is away.
    pub away_try_ms: u64,
    /// A live run waits for room in the queue.
    pub room_wait_ms_max: u64,
}

impl Default for Waits {
    fn default() -> Self {
        Self {
            retry_ms_max: RETRY_MS_MAX,
            retry_wait_ms: RETRY_WAIT_MS,
            away_try_ms: AWAY_TRY_MS,
            room_wait_ms_max: ROOM_WAIT_MS_MAX,
        }
    }
}

/// Whether somebody may wait for room in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// A run: half a second, then the samples are lost.
    Brief,
    /// A reader of the past: as long as it takes.
    Endless,
}

/// What became of samples so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fate {
    /// Counts.
    pub samples: RemoteSamples,
    /// Why the first of those that are lost are.
    pub why: Option<String>,
    /// Batches in the queue and on their way.
    pub waiting: u64,
}

/// Some samples on their way.
#[derive(Debug)]
pub struct Batch {
    /// The samples.
    pub request: WriteRequest,
    /// How many.
    pub samples: u64,
}

/// The way to a receiver.
#[derive(Debug)]
pub struct Courier {
    queue: SyncSender<Batch>,
    thread: JoinHandle<()>,
    fate: Arc<Mutex<Fate>>,
    patience: Patience,
    waits: Waits,
}

/// Checks where samples shall go.
///
/// # Errors
/// What is wrong with it, and what to write.
pub fn check_url(text: &str) -> Result<(), String> {
    let example = "as in http://127.0.0.1:9090/api/v1/write";
    let uri: Uri = text.parse().map_err(|error| format!("{error}: write a URL {example}"))?;
    match uri.scheme_str() {
        Some("http") => {}
        Some("https") => {
            return Err(
                "this program speaks plain HTTP: put a proxy on this machine between, and \
                 write http://"
                    .to_owned(),
            );
        }
        _ => return Err(format!("a URL begins with http://, {example}")),
    }
    if uri.host().is_none_or(str::is_empty) {
        return Err(format!("a URL names a host, {example}"));
    }
    match uri.path() {
        "" | "/" => Err(format!("a URL names where samples are taken, {example}")),
        _ => Ok(()),
    }
}

impl Courier {
    /// Begins to bring batches to a URL.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(url: &str, patience: Patience, waits: Waits) -> io::Result<Self> {
        let fate = Arc::<Mutex<Fate>>::default();
        let (queue, batches) = sync_channel(BATCHES_WAITING_MAX);
        let mut route = Route::new(url, Arc::clone(&fate), waits);
        let thread = std::thread::Builder::new().name("remote-write".to_owned());
        let thread = thread.spawn(move || route.serve(&batches))?;
        Ok(Self { queue, thread, fate, patience, waits })
    }

    /// Hands a batch over. It may get lost.
    pub fn send(&self, batch: Batch) {
        let samples = batch.samples;
        lock(&self.fate).waiting += 1;
        let is_taken = match self.patience {
            Patience::Endless => self.queue.send(batch).is_ok(),
            Patience::Brief => self.send_soon(batch),
        };
        if !is_taken {
            let mut fate = lock(&self.fate);
            fate.waiting -= 1;
            fate.samples.lost += samples;
            fate.why.get_or_insert_with(|| "it takes samples slower than they come".to_owned());
        }
    }

    fn send_soon(&self, mut batch: Batch) -> bool {
        let waited = Stopwatch::start();
        loop {
            match self.queue.try_send(batch) {
                Ok(()) => return true,
                Err(TrySendError::Full(back))
                    if waited.seconds() * 1_000.0 < self.waits.room_wait_ms_max as f64 =>
                {
                    batch = back;
                    std::thread::sleep(Duration::from_millis(ROOM_LOOK_MS));
                }
                Err(_) => return false,
            }
        }
    }

    /// What became of samples so far.
    pub fn fate(&self) -> Fate {
        lock(&self.fate).clone()
    }

    /// Waits until every batch was brought or is lost.
    pub fn finish(self) -> Fate {
        let Self { queue, thread, fate, .. } = self;
        drop(queue);
        // A panic of the thread was told by it; what it had is neither sent nor lost.
        let _ = thread.join();
        lock(&fate).clone()
    }
}

/// Why a batch was not taken.
enum Trouble {
    /// It may be taken later.
    Passing(String),
    /// It never will be.
    Lasting(String),
}

/// The thread's side.
struct Route {
    agent: Agent,
    url: String,
    fate: Arc<Mutex<Fate>>,
    waits: Waits,
    /// Tries of a receiver that is away; nothing while it is not.
    away: Option<Throttle>,
}

impl Route {
    fn new(url: &str, fate: Arc<Mutex<Fate>>, waits: Waits) -> Self {
        let agent = agent(ANSWER_MS_MAX);
        Self { agent, url: url.to_owned(), fate, waits, away: None }
    }

    fn serve(&mut self, batches: &Receiver<Batch>) {
        for batch in batches {
            let lost = self.bring(&packed(&batch.request)).err();
            let mut fate = lock(&self.fate);
            fate.waiting -= 1;
            match lost {
                None => fate.samples.sent += batch.samples,
                Some(why) => {
                    fate.samples.lost += batch.samples;
                    if fate.why.is_none() {
                        let url = &self.url;
                        tracing::warn!(
                            url,
                            why,
                            "samples are lost: the receiver does not take them"
                        );
                        fate.why = Some(why);
                    }
                }
            }
        }
    }

    /// Brings a body, or says why it is lost.
    fn bring(&mut self, body: &[u8]) -> Result<(), String> {
        if let Some(away) = &mut self.away
            && !away.is_due()
        {
            return Err("it is away".to_owned());
        }
        let tried = Stopwatch::start();
        let Waits { retry_ms_max, retry_wait_ms, away_try_ms, .. } = self.waits;
        let mut wait_ms = retry_wait_ms;
        loop {
            let why = match self.post(body) {
                Ok(()) => {
                    if self.away.take().is_some() {
                        tracing::info!(url = self.url, "the receiver is back");
                    }
                    return Ok(());
                }
                Err(Trouble::Lasting(why)) => return Err(why),
                Err(Trouble::Passing(why)) => why,
            };
            if self.away.is_some() {
                return Err(why);
            }
            if tried.seconds() * 1_000.0 >= retry_ms_max as f64 {
                let mut away = Throttle::every(Duration::from_millis(away_try_ms));
                away.is_due();
                self.away = Some(away);
                return Err(why);
            }
            if wait_ms == retry_wait_ms {
                let seconds = retry_ms_max / 1_000;
                tracing::warn!(
                    url = self.url,
                    why,
                    "the receiver of samples does not answer; it is tried for {seconds} s"
                );
            }
            std::thread::sleep(Duration::from_millis(wait_ms));
            wait_ms = (wait_ms * 2).min(RETRY_WAIT_MS_MAX);
        }
    }

    fn post(&self, body: &[u8]) -> Result<(), Trouble> {
        let posted = self
            .agent
            .post(&self.url)
            .header("Content-Encoding", "snappy")
            .header("Content-Type", "application/x-protobuf")
            .header("X-Prometheus-Remote-Write-Version", "0.1.0")
            .send(body);
        let mut answer = posted.map_err(|error| Trouble::Passing(error.to_string()))?;
        let status = answer.status().as_u16();
        // An answer is read to its end, or the connection cannot be used again.
        let words = answer.body_mut().with_config().limit(WORDS_BYTES_MAX).read_to_string();
        let words = words.unwrap_or_default();
        let words = words.lines().next().unwrap_or_default().trim();
        match status {
            200..=299 => Ok(()),
            429 | 500..=599 => Err(Trouble::Passing(format!("it answers {status}: {words}"))),
            _ => Err(Trouble::Lasting(format!("it answers {status}: {words}"))),
        }
    }
}
