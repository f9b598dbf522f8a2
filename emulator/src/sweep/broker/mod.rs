//! Jobs and results over a NATS server with JetStream: a work queue of jobs, a stream of results.
//!
//! What belongs here: names, the connection, what is said and how it is signed. What does not: who asks (`sweeper`) and
//! who works (`worker`).

/// Puts jobs into the queue and gathers results.
pub mod sweeper;
/// Takes jobs out of the queue.
pub mod worker;

use super::job::{JOB_FORMAT, Job, JobResult};
use super::measures::MEASURES_VERSION;
use crate::clock::Stopwatch;
use crate::version::BUILD;
use ::async_nats::connection::State;
use ::async_nats::jetstream::stream::{
    Config, DiscardPolicy, RetentionPolicy, Stream as NatsStream,
};
use ::async_nats::jetstream::{self, Context};
use ::async_nats::{Client, ConnectOptions};
use protocol::rules::PROTOCOL_VERSION;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How long a server may be away before a sweep or a worker gives up.
pub const AWAY_MS_MAX: u64 = 60_000;
/// Between two tries to reach it.
const RETRY_MS: u64 = 500;
/// How long it may take to answer when somebody connects.
const CONNECT_MS_MAX: u64 = 5_000;
/// How long the server keeps results.
const RESULT_DAYS: u64 = 7;

/// The stream of jobs.
const JOBS: &str = "BTEMU_SWEEP_JOBS";
/// The stream of results.
const RESULTS: &str = "BTEMU_SWEEP_RESULTS";

/// A server, and what those must know who work together over it.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// `nats://HOST:PORT`.
    pub url: &'a str,
    /// None is a token, too: that of everybody.
    pub token: Option<&'a str>,
}

/// What does not work with a broker.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// Nobody is there, or it does not let us in.
    #[error("the NATS server {url} cannot be reached: {why}")]
    Unreachable {
        /// Where.
        url: String,
        /// What the library says.
        why: String,
    },
    /// It has no JetStream, or does not allow what is asked of it.
    #[error("the NATS server {url} does not keep jobs and results: {why}")]
    NoJetStream {
        /// Where.
        url: String,
        /// What it says.
        why: String,
    },
    /// It went away and did not come back.
    #[error("the NATS server {url} has been away for {} seconds: {why}", AWAY_MS_MAX / 1_000)]
    Away {
        /// Where.
        url: String,
        /// What failed last.
        why: String,
    },
    /// A job does not fit into a message.
    #[error("{name} has {bytes} bytes, the NATS server {url} takes {max}")]
    TooLarge {
        /// Which job.
        name: String,
        /// How long it is.
        bytes: usize,
        /// How long it may be.
        max: usize,
        /// Where.
        url: String,
    },
    /// Something of ours failed.
    #[error("{0}")]
    Own(String),
}

impl BrokerError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Unreachable { .. } => "start one with `nats-server -js`",
            Self::NoJetStream { .. } => "start it with JetStream: `nats-server -js`",
            Self::Away { .. } => "the same command goes on once it is back",
            Self::TooLarge { .. } => "raise max_payload in the server's configuration",
            Self::Own(_) => return None,
        };
        Some(hint.to_owned())
    }
}

/// A connection, with its streams.
#[derive(Clone, Debug)]
struct Broker {
    url: String,
    client: Client,
    context: Context,
    /// Part of each subject: those with one build and one token have one queue.
    queue: String,
    signing: Signing,
}

impl Broker {
    /// Connects, and makes the streams that are not there.
    async fn connect(place: Place<'_>) -> Result<Self, BrokerError> {
        let url = place.url.to_owned();
        let wait = Duration::from_millis(CONNECT_MS_MAX);
        let options = ConnectOptions::new().name("btemu").connection_timeout(wait);
        let client = options.connect(place.url).await.map_err(|error| {
            BrokerError::Unreachable { url: url.clone(), why: error.to_string() }
        })?;
        let context = jetstream::new(client.clone());
        let signing = Signing::new(place.token);
        let broker = Self { url, client, context, queue: signing.queue(), signing };
        broker
            .streams()
            .await
            .map_err(|why| BrokerError::NoJetStream { url: broker.url.clone(), why })?;
        Ok(broker)
    }

    /// The streams of jobs and results; one that a server lost is made again.
    async fn streams(&self) -> Result<(NatsStream, NatsStream), String> {
        let jobs = Config {
            name: JOBS.to_owned(),
            description: Some("jobs of btemu sweeps".to_owned()),
            subjects: vec!["btemu.sweep.jobs.*.*".to_owned()],
            retention: RetentionPolicy::WorkQueue,
            // A job is in the queue once, however often it is sent.
            max_messages_per_subject: 1,
            discard: DiscardPolicy::New,
            discard_new_per_subject: true,
            ..Config::default()
        };
        let results = Config {
            name: RESULTS.to_owned(),
            description: Some("results of btemu sweeps".to_owned()),
            subjects: vec!["btemu.sweep.results.*.*".to_owned()],
            max_messages_per_subject: 1,
            max_age: Duration::from_secs(RESULT_DAYS * 86_400),
            ..Config::default()
        };
        let jobs = self.context.get_or_create_stream(jobs).await;
        let results = self.context.get_or_create_stream(results).await;
        Ok((jobs.map_err(|error| error.to_string())?, results.map_err(|error| error.to_string())?))
    }

    fn job_subject(&self, key: &str) -> String {
        format!("btemu.sweep.jobs.{}.{key}", self.queue)
    }

    fn result_subject(&self, key: &str) -> String {
        format!("btemu.sweep.results.{}.{key}", self.queue)
    }

    fn is_connected(&self) -> bool {
        self.client.connection_state() == State::Connected
    }

    /// What was said of a job, if the server has it.
    async fn verdict(&self, key: &str) -> Option<Verdict> {
        let results = self.context.get_stream_no_info(RESULTS).await.ok()?;
        let message = results.get_last_raw_message_by_subject(&self.result_subject(key)).await;
        self.signing.open(&message.ok()?.payload)
    }

    /// Waits for a server that is away; not for ever.
    async fn wait_for_it(&self, patience: &mut Patience, why: &str) -> Result<(), BrokerError> {
        self.check_patience(patience, why)?;
        tokio::time::sleep(Duration::from_millis(RETRY_MS)).await;
        Ok(())
    }

    /// Takes note that it does not answer.
    fn check_patience(&self, patience: &mut Patience, why: &str) -> Result<(), BrokerError> {
        match patience.is_over() {
            true => Err(BrokerError::Away { url: self.url.clone(), why: why.to_owned() }),
            false => Ok(()),
        }
    }
}

/// How long a server has been away.
#[derive(Debug, Default)]
struct Patience {
    since: Option<Stopwatch>,
}

impl Patience {
    /// It is there.
    const fn restore(&mut self) {
        self.since = None;
    }

    /// It is not; whether that has been so for too long.
    fn is_over(&mut self) -> bool {
        let since = self.since.get_or_insert_with(Stopwatch::start);
        since.seconds() * 1_000.0 > AWAY_MS_MAX as f64
    }
}

/// What a worker says of a job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Verdict {
    /// It is done.
    Done(Box<JobResult>),
    /// It cannot be done.
    Failed {
        /// Which.
        key: String,
        /// Why.
        why: String,
    },
}

impl Verdict {
    fn key(&self) -> &str {
        match self {
            Self::Done(result) => &result.key,
            Self::Failed { key, .. } => key,
        }
    }
}

/// What messages are: a signature of one kind does not hold for another.
trait Said: Serialize + DeserializeOwned {
    const KIND: &'static str;
}

impl Said for Job {
    const KIND: &'static str = "job";
}

impl Said for Verdict {
    const KIND: &'static str = "result";
}

/// Keyed hashes of messages: only who knows the token can make them.
#[derive(Clone)]
struct Signing {
    key: [u8; blake3::KEY_LEN],
}

/// The key is not shown.
impl std::fmt::Debug for Signing {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        to.write_str("Signing")
    }
}

impl Signing {
    fn new(token: Option<&str>) -> Self {
        let token = token.unwrap_or_default();
        Self { key: blake3::derive_key("btemu sweep signature 1", token.as_bytes()) }
    }

    /// A name for those who know the token and are of this build, from which the token cannot be told.
    fn queue(&self) -> String {
        let hash = blake3::keyed_hash(&self.key, format!("queue {}", build_id()).as_bytes());
        hash.to_hex()[..16].to_owned()
    }

    fn hash(&self, kind: &str, body: &[u8]) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(kind.as_bytes());
        hasher.update(&[0]);
        hasher.update(body);
        hasher.finalize()
    }

    /// A message: its keyed hash, a line's end, JSON.
    fn seal<T: Said>(&self, said: &T) -> Vec<u8> {
        let body = serde_json::to_vec(said).expect("what is said is plain data");
        let mut message = self.hash(T::KIND, &body).to_hex().as_bytes().to_vec();
        message.push(b'\n');
        message.extend(body);
        message
    }

    /// What a message says, if who wrote it knows the token.
    fn open<T: Said>(&self, message: &[u8]) -> Option<T> {
        let (hash, body) = message.split_at_checked(2 * blake3::OUT_LEN)?;
        let body = body.strip_prefix(b"\n")?;
        let hash = blake3::Hash::from_hex(hash).ok()?;
        // Compares in constant time.
        (hash == self.hash(T::KIND, body)).then(|| serde_json::from_slice(body).ok())?
    }
}

/// Builds whose jobs are exchanged: those of one name.
fn build_id() -> String {
    format!("{BUILD} protocol {PROTOCOL_VERSION} job {JOB_FORMAT} measures {MEASURES_VERSION}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed() -> Verdict {
        Verdict::Failed { key: "k".to_owned(), why: "no".to_owned() }
    }

    #[test]
    fn a_message_is_opened_by_who_knows_the_token_and_by_nobody_else() {
        let signing = Signing::new(Some("secret"));
        let message = signing.seal(&failed());
        assert_eq!(signing.open::<Verdict>(&message), Some(failed()));
        assert_eq!(signing.open::<Job>(&message), None, "it is of another kind");
        for other in [None, Some(""), Some("Secret")] {
            assert_eq!(Signing::new(other).open::<Verdict>(&message), None, "{other:?}");
        }
        for at in 0..message.len() {
            let mut changed = message.clone();
            changed[at] ^= 1;
            assert_eq!(signing.open::<Verdict>(&changed), None, "byte {at}");
            assert_eq!(signing.open::<Verdict>(&message[..at]), None, "cut at {at}");
        }
        assert_eq!(signing.open::<Verdict>(b""), None);
    }

    #[test]
    fn tokens_and_builds_have_queues_of_their_own() {
        let queue = |token| Signing::new(token).queue();
        assert_eq!(queue(Some("a")), queue(Some("a")));
        assert_ne!(queue(Some("a")), queue(Some("b")));
        assert_ne!(queue(Some("a")), queue(None));
        assert!(queue(None).chars().all(|letter| letter.is_ascii_alphanumeric()));
    }
}
