//! Links over a NATS server. The server carries messages of a limited size from whoever publishes to whoever has
//! subscribed, in order, and forgets those that nobody takes. What it does not do is done here: messages are cut into
//! chunks, chunks are numbered so that a lost or repeated one is seen, no more are under way than the other end has
//! room for, and both ends beat so that one that is gone is missed.
//!
//! Subjects hold a part that is derived from the token: whoever has no token knows no subject of the run. Whoever may
//! read every subject of the server can read the run; the server must be trusted.
//!
//! The client lives on a thread of its own, because a host that computes for long must go on beating.

/// Messages cut into chunks.
mod chunks;

use super::{CONNECT_WAIT_MS_MAX, Pass};
use crate::run::secret;
use crate::run::wire_error::{MESSAGE_BYTES_MAX, WireError};
use ::async_nats::{Client, ConnectOptions, Subscriber};
use chunks::{HEAD_BYTES, Head, Inbound, Kind, Outbound};
use futures_util::StreamExt;
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::bytes::Bytes;

/// Largest chunk, where the server would take larger ones.
const CHUNK_BYTES_MAX: usize = 256 << 10;
/// Smallest payload a server must take for a run to be carried by it.
const PAYLOAD_BYTES_MIN: usize = 256;
/// Chunks under way in one direction that the other end has not taken yet.
const CHUNKS_UNTAKEN_MAX: u64 = 64;
/// Chunks taken after which the other end is told at the latest; it hears it with every answer too.
const CHUNKS_UNTOLD_MAX: u64 = CHUNKS_UNTAKEN_MAX / 4;
/// Messages of a subscription that the client holds: the chunks under way, and beats and tellings between them.
const SUBSCRIPTION_MESSAGES_MAX: usize = 1_024;
/// Messages on their way to the client's connection.
const CLIENT_MESSAGES_MAX: usize = 32;
/// How often each end says that it is there.
const BEAT_MS: u64 = 1_000;
/// Beats without a sign of the other end after which it counts as gone.
const BEATS_MISSED_MAX: u64 = 10;
/// How often a host knocks until it is heard.
const KNOCK_INTERVAL_MS: u64 = 250;
/// How often it does so before it gives up.
const KNOCKS_MAX: u64 = 20;
/// Knocks that are remembered, to know a repeated one.
const KNOCKS_REMEMBERED_MAX: usize = 4_096;

/// Random bytes in the name of a connection.
const NAME_BYTES: usize = 16;

/// A connection to a server, on a thread of its own; it ends with its last owner.
#[derive(Debug)]
struct Broker {
    client: Client,
    handle: Handle,
    _stop: oneshot::Sender<()>,
}

impl Broker {
    async fn connect(server: &str) -> Result<Arc<Self>, WireError> {
        let url = format!("nats://{server}");
        let (ready, connected) = oneshot::channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let connecting = url.clone();
        let thread = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = match runtime {
                Ok(runtime) => runtime,
                Err(error) => return drop(ready.send(Err(WireError::Io(error)))),
            };
            runtime.block_on(async {
                let options = ConnectOptions::new()
                    .name("btemu")
                    .ignore_discovered_servers()
                    .connection_timeout(Duration::from_millis(CONNECT_WAIT_MS_MAX))
                    .subscription_capacity(SUBSCRIPTION_MESSAGES_MAX)
                    .client_capacity(CLIENT_MESSAGES_MAX)
                    .event_callback(|event| async move {
                        tracing::debug!(%event, "the broker's client says");
                    });
                let client = options.connect(&connecting).await;
                let client = client.map_err(|error| WireError::Broker(error.to_string()));
                if ready.send(client.map(|client| (client, Handle::current()))).is_ok() {
                    // An error is how it hears that nobody is left.
                    stopped.await.ok();
                }
            });
        };
        std::thread::Builder::new().name("broker".to_owned()).spawn(thread)?;
        let connected = connected.await.map_err(|_| WireError::Closed)?;
        let (client, handle) = connected.map_err(|error| match error {
            WireError::Broker(why) => {
                WireError::Broker(format!("no NATS server answers at {url}: {why}"))
            }
            other => other,
        })?;
        let payload_bytes_max = client.max_payload();
        if payload_bytes_max < PAYLOAD_BYTES_MIN {
            let what = format!(
                "the NATS server at {url} takes payloads of {payload_bytes_max} bytes at most, a \
                 run needs {PAYLOAD_BYTES_MIN}"
            );
            return Err(WireError::Broker(what));
        }
        Ok(Arc::new(Self { client, handle, _stop: stop }))
    }

    async fn subscribe(&self, subject: String) -> Result<Subscriber, WireError> {
        let subscribed = self.client.subscribe(subject).await.map_err(failed);
        self.client.flush().await.map_err(failed)?;
        subscribed
    }

    /// One end of a connection whose other end has the subjects the other way round.
    async fn channel(self: &Arc<Self>, from: String, to: String) -> Result<Channel, WireError> {
        let frames = self.subscribe(from).await?;
        let (outgoing, orders) = mpsc::channel(1);
        // One more for the reason why it ends.
        let (arrived, incoming) = mpsc::channel(CHUNKS_UNTAKEN_MAX as usize + 1);
        let limit = Arc::new(AtomicUsize::new(MESSAGE_BYTES_MAX));
        let taken = Arc::new(Notify::new());
        let pump = Pump {
            client: self.client.clone(),
            to,
            frames,
            orders,
            arrived: arrived.clone(),
            limit: limit.clone(),
            taken: taken.clone(),
            outbound: Outbound::default(),
            sent_taken: 0,
            inbound: Inbound::default(),
            ends: VecDeque::new(),
            told: 0,
            quiet_beats: 0,
        };
        self.handle.spawn(async move {
            if let Err(error) = pump.run().await {
                tracing::debug!(%error, "a connection over the broker ends");
                // Nobody wants to know any more if it cannot be handed over.
                arrived.try_send(Err(error)).ok();
            }
        });
        Ok(Channel { outgoing, incoming, limit, taken, _broker: self.clone() })
    }
}

fn failed(error: impl std::fmt::Display) -> WireError {
    WireError::Broker(format!("the NATS server does not take part any more: {error}"))
}

/// Chunks are lost, repeated or made up.
fn broken(what: impl std::fmt::Display) -> WireError {
    WireError::Broker(format!("the chunks that come over the NATS server do not fit: {what}"))
}

fn quiet() -> WireError {
    let ms = BEATS_MISSED_MAX * BEAT_MS;
    WireError::Broker(format!("nothing has come over the NATS server for {ms} ms"))
}

/// The subjects of a run begin so: nobody without the token can say it.
fn prefix(pass: &Pass) -> String {
    let run = blake3::hash(pass.run.as_bytes()).to_hex();
    let key = blake3::derive_key("btemu 2026 subjects of a run", pass.token.as_bytes());
    let secret = blake3::keyed_hash(&key, pass.run.as_bytes()).to_hex();
    format!("btemu.{}.{}", &run[..16], &secret[..32])
}

/// Where the chain hears of hosts.
#[derive(Debug)]
pub struct Knocks {
    broker: Arc<Broker>,
    prefix: String,
    knocks: Subscriber,
    remembered: BTreeSet<String>,
}

impl Knocks {
    /// Listens at a server.
    ///
    /// # Errors
    /// The server is not there, or takes too small payloads.
    pub async fn open(server: &str, pass: &Pass) -> Result<Self, WireError> {
        let broker = Broker::connect(server).await?;
        let prefix = prefix(pass);
        let knocks = broker.subscribe(format!("{prefix}.knock")).await?;
        Ok(Self { broker, prefix, knocks, remembered: BTreeSet::new() })
    }

    /// Waits for the next host. Nobody is lost if the caller stops waiting.
    ///
    /// # Errors
    /// The server is gone.
    pub async fn accept(&mut self) -> Result<Channel, WireError> {
        loop {
            let knock = self.knocks.next().await.ok_or(WireError::Closed)?;
            let name = std::str::from_utf8(&knock.payload).unwrap_or_default();
            if !is_name(name) {
                tracing::warn!("a knock at the broker is none");
                continue;
            }
            if self.remembered.len() >= KNOCKS_REMEMBERED_MAX {
                self.remembered.clear();
            }
            if self.remembered.contains(name) {
                continue;
            }
            let (up, down) = subjects(&self.prefix, name);
            let channel = self.broker.channel(up, down).await?;
            // Only now: if the caller stopped waiting before, the host knocks again and must be heard.
            self.remembered.insert(name.to_owned());
            return Ok(channel);
        }
    }
}

/// Whether what was knocked with can name a connection: others could lead to other subjects.
fn is_name(text: &str) -> bool {
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    text.len() == 2 * NAME_BYTES && text.bytes().all(is_digit)
}

/// From a host and to it.
fn subjects(prefix: &str, name: &str) -> (String, String) {
    (format!("{prefix}.{name}.up"), format!("{prefix}.{name}.down"))
}

/// Knocks at a server until the chain of the run hears it.
///
/// # Errors
/// The server is not there, or nobody with this run and this token answers.
pub async fn knock(server: &str, pass: &Pass) -> Result<Channel, WireError> {
    let broker = Broker::connect(server).await?;
    let prefix = prefix(pass);
    let name = secret::random::<NAME_BYTES>()?;
    let (up, down) = subjects(&prefix, &name);
    // The chain answers a knock with a beat at once, which is the first thing that comes here.
    let mut answers = broker.subscribe(down.clone()).await?;
    let channel = broker.channel(down, up).await?;
    for _ in 0..KNOCKS_MAX {
        let sent = broker.client.publish(format!("{prefix}.knock"), name.clone().into());
        sent.await.map_err(failed)?;
        let wait = Duration::from_millis(KNOCK_INTERVAL_MS);
        if let Ok(Some(_)) = timeout(wait, answers.next()).await {
            return Ok(channel);
        }
    }
    Err(WireError::Broker(format!(
        "no chain of the run {} with this token answers at nats://{server}",
        pass.run
    )))
}

/// One end of a connection.
#[derive(Debug)]
pub struct Channel {
    outgoing: mpsc::Sender<Order>,
    incoming: mpsc::Receiver<Result<Bytes, WireError>>,
    limit: Arc<AtomicUsize>,
    taken: Arc<Notify>,
    _broker: Arc<Broker>,
}

/// What the owner of a channel wants of it.
#[derive(Debug)]
enum Order {
    Send(Bytes),
    /// Answered when everything is on its way.
    Close(oneshot::Sender<()>),
}

impl Channel {
    /// From now on longer messages are refused.
    pub fn limit(&mut self, bytes_max: usize) {
        self.limit.store(bytes_max.min(MESSAGE_BYTES_MAX), Ordering::Relaxed);
    }

    /// Sends a message; waits while the other end has no room.
    ///
    /// # Errors
    /// The connection has ended, and why.
    pub async fn send(&mut self, message: Bytes) -> Result<(), WireError> {
        if message.len() > MESSAGE_BYTES_MAX {
            return Err(WireError::TooLong { bytes_max: MESSAGE_BYTES_MAX });
        }
        if self.outgoing.send(Order::Send(message)).await.is_ok() {
            return Ok(());
        }
        // What came before the end is of no use to one that cannot answer.
        loop {
            match self.incoming.recv().await {
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error),
                None => return Err(WireError::Closed),
            }
        }
    }

    /// The next message; none after the end.
    pub async fn next(&mut self) -> Option<Result<Bytes, WireError>> {
        let next = self.incoming.recv().await;
        self.taken.notify_one();
        next
    }

    /// Ends the connection when everything is on its way.
    ///
    /// # Errors
    /// It has ended before.
    pub async fn close(self) -> Result<(), WireError> {
        let (done, closed) = oneshot::channel();
        self.outgoing.send(Order::Close(done)).await.map_err(|_| WireError::Closed)?;
        closed.await.map_err(|_| WireError::Closed)
    }
}

/// What goes on behind a channel, on the client's thread.
struct Pump {
    client: Client,
    to: String,
    frames: Subscriber,
    orders: mpsc::Receiver<Order>,
    arrived: mpsc::Sender<Result<Bytes, WireError>>,
    limit: Arc<AtomicUsize>,
    taken: Arc<Notify>,
    outbound: Outbound,
    /// Chunks sent that take no room at the other end any more.
    sent_taken: u64,
    inbound: Inbound,
    /// The number of the last chunk of each message that the owner has not taken yet.
    ends: VecDeque<u64>,
    /// Chunks taken, as the other end was told last.
    told: u64,
    quiet_beats: u64,
}

impl Pump {
    async fn run(mut self) -> Result<(), WireError> {
        self.tell(Kind::Beat, &[]).await?;
        let mut beats = interval(Duration::from_millis(BEAT_MS));
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let taken = self.taken.clone();
        loop {
            let has_room = self.outbound.sent - self.sent_taken < CHUNKS_UNTAKEN_MAX;
            let is_sending = self.outbound.is_busy();
            tokio::select! {
                frame = self.frames.next() => {
                    let frame = frame.ok_or_else(|| failed("the subscription ended"))?;
                    self.quiet_beats = 0;
                    self.take(&frame.payload)?;
                }
                order = self.orders.recv(), if !is_sending => match order {
                    Some(Order::Send(message)) => self.outbound.begin(message),
                    Some(Order::Close(done)) => {
                        self.tell(Kind::Close, &[]).await?;
                        self.client.flush().await.map_err(failed)?;
                        // Whoever asked may have stopped waiting.
                        done.send(()).ok();
                        return Ok(());
                    }
                    None => return self.tell(Kind::Close, &[]).await,
                },
                () = std::future::ready(()), if is_sending && has_room => self.send_chunk().await?,
                () = taken.notified() => {
                    if self.chunks_taken() - self.told >= CHUNKS_UNTOLD_MAX {
                        self.tell(Kind::Beat, &[]).await?;
                    }
                }
                _ = beats.tick() => {
                    self.quiet_beats += 1;
                    if self.quiet_beats > BEATS_MISSED_MAX {
                        return Err(quiet());
                    }
                    self.tell(Kind::Beat, &[]).await?;
                }
            }
        }
    }

    /// Sends the next chunk of the message that is being sent.
    async fn send_chunk(&mut self) -> Result<(), WireError> {
        // Asked each time: a server that was started again may take less than before.
        let room = self.client.max_payload().saturating_sub(HEAD_BYTES).clamp(1, CHUNK_BYTES_MAX);
        match self.outbound.next(room) {
            Some((kind, chunk)) => self.tell(kind, &chunk).await,
            None => Ok(()),
        }
    }

    async fn tell(&mut self, kind: Kind, chunk: &[u8]) -> Result<(), WireError> {
        self.told = self.chunks_taken();
        let head = Head { kind, number: self.outbound.sent, taken: self.told };
        // The client takes nothing while it has no connection.
        let published = self.client.publish(self.to.clone(), head.framed(chunk));
        let wait = Duration::from_millis(BEATS_MISSED_MAX * BEAT_MS);
        timeout(wait, published).await.map_err(|_| quiet())?.map_err(failed)
    }

    /// Chunks received that take no room here any more: all before the first message that the owner has not taken.
    fn chunks_taken(&mut self) -> u64 {
        let untaken = self.arrived.max_capacity() - self.arrived.capacity();
        while self.ends.len() > untaken {
            self.ends.pop_front();
        }
        self.ends.front().map_or(self.inbound.received, |end| end - 1)
    }

    fn take(&mut self, frame: &[u8]) -> Result<(), WireError> {
        let (head, chunk) = Head::read(frame).ok_or_else(|| broken("one cannot be read"))?;
        let sent = self.outbound.sent;
        if !(self.sent_taken..=sent).contains(&head.taken) {
            return Err(broken(format!("{} of {sent} are said to be taken", head.taken)));
        }
        self.sent_taken = head.taken;
        let bytes_max = self.limit.load(Ordering::Relaxed);
        if let Some(message) = self.inbound.take(head, chunk, bytes_max)? {
            self.ends.push_back(self.inbound.received);
            let full = |_| broken("more came than there is room for");
            self.arrived.try_send(Ok(message)).map_err(full)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
