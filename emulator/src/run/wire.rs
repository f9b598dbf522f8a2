//! What the processes of a run say to each other, as bincode.
//!
//! What belongs here: the words between chain and hosts, and how they become bytes. What does not: when they are said,
//! and what carries the bytes (`link`).

use super::link::{Link, Pass, Place};
use super::seats::PackedSeats;
use super::wire_error::WireError;
use actors::host::{Delivery, Seated, SliceDone};
use protocol::event::Event;
use protocol::state::State;
use protocol::units::{AccountId, PlayerId};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio_util::bytes::Bytes;

/// Longest message of one that has not been let in.
pub const GREETING_BYTES_MAX: usize = 4_096;

/// Version of the words below; both ends must speak the same.
pub const WIRE_VERSION: u32 = 5;

/// The first message of a host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// Its [`WIRE_VERSION`].
    pub version: u32,
    /// Its build: another one may have other players.
    pub build: String,
    /// Which run it wants to join.
    pub run: String,
    /// Which of the launcher's hosts it is, from 0; none if it comes from outside and takes any place.
    pub host: Option<u32>,
    /// What it was told to prove that it belongs here.
    pub token: String,
    /// Its process id, to ask the system for its memory if it is one of this machine.
    pub pid: u32,
}

/// Everything a host starts from.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Welcome {
    /// The run's seed.
    pub seed: u64,
    /// Its players.
    pub seats: Vec<Seated>,
    /// The public state of the last block.
    pub state: State,
    /// The network's address book.
    pub directory: Vec<(AccountId, PlayerId)>,
}

/// What the chain says to a host.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum ToHost {
    /// The greeting was accepted; later again when a fork deals the seats anew. Answered by [`FromHost::Ready`].
    Welcome(Box<Welcome>),
    /// The greeting was refused.
    Refused(String),
    /// The public events of a block. No answer.
    Block(Vec<Event>),
    /// Step the players. Answered by [`FromHost::Done`].
    Slice {
        /// Where the slice begins.
        from_ms: u64,
        /// Where it ends.
        until_ms: u64,
        /// What reaches this host's players.
        deliveries: Vec<Delivery>,
    },
    /// Hand over all seats. Answered by [`FromHost::Seats`].
    Save,
    /// The run is over. Answered by [`FromHost::Bye`].
    Stop,
}

/// What a host says to the chain.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum FromHost {
    /// The greeting.
    Hello(Hello),
    /// The players are seated; when the earliest timer is due.
    Ready(Option<u64>),
    /// What came of a slice.
    Done(SliceDone),
    /// All seats.
    Seats(PackedSeats),
    /// It cannot go on, and why.
    Failed(String),
    /// It ends; its peak memory in bytes.
    Bye(u64),
}

/// One end of a connection.
#[derive(Debug)]
pub struct Wire {
    link: Link,
}

impl Wire {
    /// Speaks over a link, or over a socket.
    pub fn new(link: impl Into<Link>) -> Self {
        Self { link: link.into() }
    }

    /// Reaches whoever listens at a place.
    ///
    /// # Errors
    /// Nobody listens there, or nobody answers in time.
    pub async fn connect(place: &Place, pass: &Pass) -> Result<Self, WireError> {
        Ok(Self::new(Link::connect(place, pass).await?))
    }

    /// From now on longer messages are refused.
    pub fn limit(&mut self, bytes_max: usize) {
        self.link.limit(bytes_max);
    }

    /// Sends a message.
    ///
    /// # Errors
    /// The connection failed.
    pub async fn send<T: Serialize>(&mut self, message: &T) -> Result<(), WireError> {
        self.send_encoded(encoded(message)).await
    }

    /// Sends a message that was encoded before, for several receivers.
    ///
    /// # Errors
    /// The connection failed.
    pub async fn send_encoded(&mut self, message: Bytes) -> Result<(), WireError> {
        self.link.send(message).await
    }

    /// Waits for the next message. Nothing is lost if the caller stops waiting.
    ///
    /// # Errors
    /// The connection failed or was closed, or the bytes are no message.
    pub async fn receive<T: DeserializeOwned>(&mut self) -> Result<T, WireError> {
        Ok(storage::codec::decode(&self.link.receive().await?)?)
    }

    /// Ends the connection when everything is on its way.
    ///
    /// # Errors
    /// The connection failed before.
    pub async fn close(self) -> Result<(), WireError> {
        self.link.close().await
    }
}

/// A message as bytes.
pub fn encoded<T: Serialize>(message: &T) -> Bytes {
    Bytes::from(storage::codec::encode(message))
}
