//! The sweep's side of a broker: jobs go into the queue, results come out of their stream.
//!
//! The server may go away and come back, with or without what it kept: jobs without a result are sent again now and
//! then, and the queue takes each but once.

use super::{Broker, BrokerError, Patience, Place, Verdict};
use crate::clock::Throttle;
use crate::run::signals::Asked;
use crate::sweep::bar::Bar;
use crate::sweep::local::{Made, Work};
use crate::sweep::plan::{Planned, Sweep};
use crate::sweep::store::Store;
use ::async_nats::jetstream::consumer::pull::Config as PullConfig;
use ::async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy};
use ::async_nats::jetstream::{self, Message};
use futures_util::StreamExt;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// Jobs of a sweep that wait in the queue at most.
const QUEUED_MAX: usize = 1_000;
/// Results that are fetched at once.
const RESULTS_AT_ONCE: usize = 256;
/// How long one request for results waits.
const RESULT_WAIT_MS: u64 = 2_000;
/// Between two times that jobs without a result are sent again.
const AGAIN_MS: u64 = 30_000;
/// Between two times that it is told that nobody works.
const LONELY_MS: u64 = 20_000;

/// Has jobs made by workers; the first request to stop ends the waiting, and leaves the jobs in the queue.
///
/// # Errors
/// The server is not there or went away, or a result cannot be kept.
pub async fn make(
    place: Place<'_>,
    sweep: &Sweep,
    jobs: Vec<(usize, &Planned)>,
    store: &Store,
    bar: &Bar,
    asked: &mut Asked,
) -> Result<Made, BrokerError> {
    let broker = Broker::connect(place).await?;
    let mut gathering = Gathering {
        open: jobs.iter().map(|(number, job)| (job.key.clone(), *number)).collect(),
        waiting: jobs.into_iter().map(|(number, _)| number).collect(),
        queued: BTreeMap::new(),
        seen: 0,
        fresh: None,
        made: Made::default(),
        patience: Patience::default(),
        again: Throttle::every(Duration::from_millis(AGAIN_MS)),
        lonely: Throttle::every(Duration::from_millis(LONELY_MS)),
        broker,
        sweep,
        store,
        bar,
    };
    // Both are due at once the first time; nothing is to be said yet.
    gathering.again.is_due();
    gathering.lonely.is_due();
    tokio::select! {
        ended = gathering.gather() => ended?,
        () = asked.next() => gathering.made.is_stopped = true,
    }
    Ok(gathering.made)
}

struct Gathering<'a> {
    broker: Broker,
    sweep: &'a Sweep,
    store: &'a Store,
    bar: &'a Bar,
    /// Jobs without a result, by key.
    open: BTreeMap<String, usize>,
    /// Those that were not sent yet.
    waiting: VecDeque<usize>,
    /// Those that were, by key.
    queued: BTreeMap<String, usize>,
    /// The last message of the stream of results that was seen.
    seen: u64,
    /// The stream's last message before anything was sent: failures up to there are of an earlier time.
    fresh: Option<u64>,
    made: Made,
    patience: Patience,
    again: Throttle,
    lonely: Throttle,
}

impl Gathering<'_> {
    async fn gather(&mut self) -> Result<(), BrokerError> {
        while !self.open.is_empty() {
            match self.round().await {
                Ok(()) if self.broker.is_connected() => self.patience.restore(),
                Ok(()) => {
                    let why = "the connection is lost";
                    self.broker.wait_for_it(&mut self.patience, why).await?;
                }
                Err(Trouble::Server(why)) => {
                    tracing::debug!(why, "the broker does not answer");
                    self.broker.wait_for_it(&mut self.patience, &why).await?;
                }
                Err(Trouble::Own(error)) => return Err(error),
            }
        }
        Ok(())
    }

    /// Takes the results that came, sends what there is room for, waits for more results.
    async fn round(&mut self) -> Result<(), Trouble> {
        let (jobs, mut results) = self.broker.streams().await?;
        let last = results.info().await.map_err(server)?.state.last_sequence;
        if last < self.seen {
            // Another server, or one that lost what it kept.
            (self.seen, self.fresh) = (0, Some(0));
        }
        self.fresh.get_or_insert(last);
        if last > self.seen {
            return self.fetch(&results, Fetching::There { last }).await;
        }
        self.send().await?;
        self.tell_lonely(&jobs).await;
        self.fetch(&results, Fetching::Next).await
    }

    /// Takes results behind the last one seen.
    async fn fetch(
        &mut self,
        results: &jetstream::stream::Stream,
        fetching: Fetching,
    ) -> Result<(), Trouble> {
        let consumer = results.create_consumer(PullConfig {
            deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: self.seen + 1 },
            ack_policy: AckPolicy::None,
            filter_subject: self.broker.result_subject("*"),
            inactive_threshold: Duration::from_millis(5 * RESULT_WAIT_MS),
            ..PullConfig::default()
        });
        let consumer = consumer.await.map_err(server)?;
        let messages = match fetching {
            Fetching::There { .. } => {
                consumer.fetch().max_messages(RESULTS_AT_ONCE).messages().await
            }
            Fetching::Next => {
                let wait = Duration::from_millis(RESULT_WAIT_MS);
                consumer.batch().max_messages(1).expires(wait).messages().await
            }
        };
        let mut messages = messages.map_err(server)?;
        let mut count = 0;
        while let Some(message) = messages.next().await {
            let message = message.map_err(server)?;
            count += 1;
            self.take(&message)?;
        }
        if let Fetching::There { last } = fetching
            && count < RESULTS_AT_ONCE
        {
            // Those that did not come are of other queues.
            self.seen = self.seen.max(last);
        }
        Ok(())
    }

    fn take(&mut self, message: &Message) -> Result<(), Trouble> {
        let sequence = message.info().map(|info| info.stream_sequence);
        let sequence = sequence.map_err(server)?;
        self.seen = self.seen.max(sequence);
        let Some(verdict) = self.broker.signing.open::<Verdict>(&message.payload) else {
            tracing::warn!(subject = %message.subject, "a result was not signed with the token");
            return Ok(());
        };
        let key = verdict.key().to_owned();
        let Some(number) = self.open.get(&key).copied() else { return Ok(()) };
        let blocks = self.sweep.jobs[number].blocks;
        match verdict {
            Verdict::Done(result) => {
                let kept = self.store.keep(&result);
                kept.map_err(|error| Trouble::Own(BrokerError::Own(error.to_string())))?;
                self.made.done += 1;
            }
            Verdict::Failed { why, .. } => {
                if self.fresh.is_none_or(|fresh| sequence <= fresh) {
                    return Ok(());
                }
                self.bar.say(&format!("{} failed: {why}", self.sweep.name(number)));
                self.made.failed.push((number, why));
            }
        }
        self.open.remove(&key);
        self.queued.remove(&key);
        self.bar.job(key, blocks).end();
        self.bar.done(self.made.done);
        Ok(())
    }

    /// Sends jobs while there is room; now and then also those again that have no result.
    async fn send(&mut self) -> Result<(), Trouble> {
        if self.again.is_due() {
            let queued: Vec<usize> = self.queued.values().copied().collect();
            for number in queued {
                self.send_one(number).await?;
            }
        }
        while self.queued.len() < QUEUED_MAX {
            let Some(number) = self.waiting.front().copied() else { break };
            let key = &self.sweep.jobs[number].key;
            // Its result may have come from an earlier sweep.
            if self.open.contains_key(key) {
                self.send_one(number).await?;
                self.queued.insert(key.clone(), number);
            }
            self.waiting.pop_front();
        }
        Ok(())
    }

    async fn send_one(&self, number: usize) -> Result<(), Trouble> {
        let planned = &self.sweep.jobs[number];
        let job = self.sweep.pack(planned);
        let job = job.map_err(|error| Trouble::Own(BrokerError::Own(error.to_string())))?;
        let message = self.broker.signing.seal(&job);
        let (bytes, max) = (message.len(), self.broker.client.max_payload());
        if bytes > max {
            let (name, url) = (self.sweep.name(number), self.broker.url.clone());
            return Err(Trouble::Own(BrokerError::TooLarge { name, bytes, max, url }));
        }
        let subject = self.broker.job_subject(&job.key);
        let sent = self.broker.context.publish(subject, message.into()).await;
        match sent.map_err(server)?.await {
            Ok(_) => Ok(()),
            Err(error) if is_queued_already(&error) => Ok(()),
            Err(error) => Err(server(error)),
        }
    }

    /// A sweep that nobody works for would wait without a word.
    async fn tell_lonely(&mut self, jobs: &jetstream::stream::Stream) {
        if !self.lonely.is_due() {
            return;
        }
        let info = jobs.consumer_info(super::worker::consumer_name(&self.broker.queue)).await;
        let works = info.is_ok_and(|info| info.num_waiting > 0 || info.num_ack_pending > 0);
        if !works {
            self.bar.say(&format!(
                "{} jobs wait, and no worker of this build and token has joined {}",
                self.open.len(),
                self.broker.url
            ));
        }
    }
}

/// The queue holds it from an earlier time.
fn is_queued_already(error: &jetstream::context::PublishError) -> bool {
    let text = error.to_string();
    std::error::Error::source(error)
        .map_or(text, ToString::to_string)
        .contains("maximum messages per subject exceeded")
}

/// Which results are asked for.
#[derive(Clone, Copy)]
enum Fetching {
    /// Those that are there, up to a message of the stream.
    There {
        /// Which.
        last: u64,
    },
    /// The next one, for a while.
    Next,
}

/// Why a round ends.
enum Trouble {
    /// The server does not answer, or not as it should; it may later.
    Server(String),
    /// Trying again would not help.
    Own(BrokerError),
}

impl From<String> for Trouble {
    fn from(why: String) -> Self {
        Self::Server(why)
    }
}

fn server(error: impl ToString) -> Trouble {
    Trouble::Server(error.to_string())
}
