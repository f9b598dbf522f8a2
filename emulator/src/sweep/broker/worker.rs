//! A worker: takes jobs out of the queue, makes them in a pool of processes, and acknowledges each once the server has
//! its result.

use super::{Broker, BrokerError, Patience, Place, RETRY_MS, Verdict};
use crate::run::signals::Asked;
use crate::sweep::job::Job;
use crate::sweep::pool::{Outcome, Pool, Watcher};
use ::async_nats::jetstream::consumer::AckPolicy;
use ::async_nats::jetstream::consumer::pull::Config as PullConfig;
use ::async_nats::jetstream::{AckKind, Message};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::time::Duration;

/// How long a job of a worker that says nothing stays its own.
const ACK_WAIT_MS: u64 = 15_000;
/// Between two times that a worker says that it is still at it.
const PROGRESS_MS: u64 = ACK_WAIT_MS / 3;
/// How long one request for a job waits.
const JOB_WAIT_MS: u64 = 5_000;
/// Jobs that all workers of a queue have at once.
const UNDER_WAY_MAX: i64 = 10_000;
/// How often a job is handed out before it has failed.
const DELIVERIES_MAX: i64 = 10;
/// How long a job is left alone by the worker that comes to another simulation.
const FOREIGN_WAIT_MS: u64 = 30_000;

/// How a worker works.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The server.
    pub url: String,
    /// What sweeps must know.
    pub token: Option<String>,
    /// Jobs at once.
    pub at_once: usize,
    /// How processes of jobs write their logs.
    pub log_format: &'static str,
}

/// The name under which the server hands out the jobs of a queue.
pub(super) fn consumer_name(queue: &str) -> String {
    format!("btemu-{queue}")
}

/// Makes jobs until it is asked to stop: the first request lets those under way end, the second gives them back.
///
/// # Errors
/// The server is not there, or went away and did not come back.
pub async fn serve(settings: &Settings, asked: &mut Asked) -> Result<(), BrokerError> {
    let place = Place { url: &settings.url, token: settings.token.as_deref() };
    let broker = Broker::connect(place).await?;
    let pool = Pool::open(&std::env::temp_dir(), settings.log_format);
    let pool = pool.map_err(|error| BrokerError::Own(error.to_string()))?;
    let url = &settings.url;
    crate::telling::tell_talk(&format!("takes jobs from {url}, {} at once\n", settings.at_once));
    let mut patience = Patience::default();
    let mut under_way = FuturesUnordered::new();
    let mut held: BTreeMap<u64, Message> = BTreeMap::new();
    let mut asking = None;
    let (mut number, mut is_stopping, mut wait) = (0, false, Duration::ZERO);
    loop {
        if is_stopping && under_way.is_empty() {
            return Ok(());
        }
        if !is_stopping && under_way.len() < settings.at_once && asking.is_none() {
            asking = Some(Box::pin(ask(&broker, wait)));
        }
        tokio::select! {
            answer = answer(&mut asking) => {
                asking = None;
                wait = Duration::ZERO;
                match answer {
                    Ok(Some(message)) => {
                        patience.restore();
                        number += 1;
                        held.insert(number, message.clone());
                        under_way.push(work(&broker, &pool, number, message));
                    }
                    Ok(None) => patience.restore(),
                    Err(why) => {
                        tracing::debug!(why, "the broker does not answer");
                        broker.check_patience(&mut patience, &why)?;
                        wait = Duration::from_millis(RETRY_MS);
                    }
                }
            },
            Some(done) = under_way.next() => {
                held.remove(&done);
            }
            () = asked.next() => {
                // A job that comes just now is handed to another when its time is over.
                (is_stopping, asking) = (true, None);
                if asked.count > 1 {
                    give_back(&broker, held).await;
                    return Ok(());
                }
                let count = under_way.len();
                let line = format!("{count} jobs under way are still made; Ctrl-C again stops at once\n");
                crate::telling::tell_talk(&line);
            }
        }
    }
}

/// Asks for one job, after a while; none may come in time.
async fn ask(broker: &Broker, wait: Duration) -> Result<Option<Message>, String> {
    tokio::time::sleep(wait).await;
    let (jobs, _) = broker.streams().await?;
    let name = consumer_name(&broker.queue);
    let config = PullConfig {
        durable_name: Some(name.clone()),
        ack_policy: AckPolicy::Explicit,
        ack_wait: Duration::from_millis(ACK_WAIT_MS),
        max_ack_pending: UNDER_WAY_MAX,
        filter_subject: broker.job_subject("*"),
        ..PullConfig::default()
    };
    let consumer = jobs.get_or_create_consumer(&name, config).await;
    let consumer = consumer.map_err(|error| error.to_string())?;
    let wait = Duration::from_millis(JOB_WAIT_MS);
    let batch = consumer.batch().max_messages(1).expires(wait).messages().await;
    let message = batch.map_err(|error| error.to_string())?.next().await;
    match message.transpose().map_err(|error| error.to_string())? {
        None if !broker.is_connected() => Err("the connection is lost".to_owned()),
        message => Ok(message),
    }
}

/// The answer to what was asked; none comes where nothing was.
async fn answer<T, F: Future<Output = T> + Unpin>(asking: &mut Option<F>) -> T {
    match asking {
        Some(asking) => asking.await,
        None => std::future::pending().await,
    }
}

/// Makes one job, and says what came of it; gives the number under which the worker holds it.
async fn work(broker: &Broker, pool: &Pool, number: u64, message: Message) -> u64 {
    let answer = work_on(broker, pool, &message).await;
    let answered = match answer {
        // The server confirms it, so that a job that is done is not handed out again.
        AckKind::Ack => message.double_ack().await,
        other => message.ack_with(other).await,
    };
    if let Err(error) = answered {
        tracing::warn!(%error, "a job may be handed out again");
    }
    number
}

async fn work_on(broker: &Broker, pool: &Pool, message: &Message) -> AckKind {
    let subject = message.subject.as_str();
    let job = broker.signing.open::<Job>(&message.payload);
    let Some(job) = job.filter(|job| broker.job_subject(&job.key) == subject) else {
        tracing::warn!(
            subject,
            "a job was not signed with the token; it is taken out of the queue"
        );
        return AckKind::Term;
    };
    if matches!(broker.verdict(&job.key).await, Some(Verdict::Done(_))) {
        return AckKind::Ack;
    }
    let key = job.key.clone();
    let deliveries = message.info().map_or(1, |info| info.delivered);
    let outcome = if deliveries > DELIVERIES_MAX {
        Outcome::Failed(format!("{DELIVERIES_MAX} workers were lost over it, or gave it back"))
    } else {
        tokio::select! {
            outcome = pool.make(job, &Teller) => outcome,
            never = say_at_it(message) => match never {},
        }
    };
    let verdict = match outcome {
        Outcome::Done(result) => Verdict::Done(result),
        Outcome::Failed(why) => {
            tracing::warn!(key, why, "a job failed");
            Verdict::Failed { key: key.clone(), why }
        }
        Outcome::Foreign(what) => {
            tracing::warn!(key, what, "a job is left for others");
            return AckKind::Nak(Some(Duration::from_millis(FOREIGN_WAIT_MS)));
        }
    };
    tokio::select! {
        told = tell(broker, &key, &verdict) => match told {
            Ok(()) => AckKind::Ack,
            Err(error) => {
                tracing::warn!(key, %error, "a result cannot be told");
                AckKind::Nak(None)
            }
        },
        never = say_at_it(message) => match never {},
    }
}

/// Keeps a job from being handed to another.
async fn say_at_it(message: &Message) -> Infallible {
    loop {
        tokio::time::sleep(Duration::from_millis(PROGRESS_MS)).await;
        if let Err(error) = message.ack_with(AckKind::Progress).await {
            tracing::debug!(%error, "the broker does not listen");
        }
    }
}

/// Tells what came of a job; the server confirms that it has it.
async fn tell(broker: &Broker, key: &str, verdict: &Verdict) -> Result<(), BrokerError> {
    let mut message = broker.signing.seal(verdict);
    let max = broker.client.max_payload();
    if message.len() > max {
        let why = format!("its result has {} bytes, the server takes {max}", message.len());
        message = broker.signing.seal(&Verdict::Failed { key: key.to_owned(), why });
    }
    let mut patience = Patience::default();
    loop {
        let sent = broker.context.publish(broker.result_subject(key), message.clone().into()).await;
        let why = match sent {
            Ok(confirmed) => match confirmed.await {
                Ok(_) => return Ok(()),
                Err(error) => error.to_string(),
            },
            Err(error) => error.to_string(),
        };
        broker.wait_for_it(&mut patience, &why).await?;
    }
}

/// Jobs that are not made any more are free for others at once.
async fn give_back(broker: &Broker, held: BTreeMap<u64, Message>) {
    for message in held.values() {
        if let Err(error) = message.ack_with(AckKind::Nak(None)).await {
            tracing::debug!(%error, "a job is handed out again when its time is over");
        }
    }
    if let Err(error) = broker.client.flush().await {
        tracing::debug!(%error, "jobs are handed out again when their time is over");
    }
}

/// A worker shows no progress; what goes wrong is told.
struct Teller;

impl Watcher for Teller {
    fn blocks(&self, _: u64) {}

    fn restarts(&self, why: &str) {
        tracing::warn!(why, "the process of a job is started again");
    }
}
