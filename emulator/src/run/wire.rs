//! What the processes of a run say to each other, and how it travels: length-prefixed bincode over a socket.
//!
//! What belongs here: the words between chain and hosts, framing, the greeting. What does not: when they are said.

use actors::host::{Delivery, HostCheckpoint, Seated, SliceDone};
use futures_util::{SinkExt, StreamExt};
use protocol::event::Event;
use protocol::state::State;
use protocol::units::{AccountId, PlayerId};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::io;
use tokio::net::UnixStream;
use tokio_util::bytes::Bytes;
use tokio_util::codec::{Framed, LengthDelimitedCodec};

/// Longest message: a state of the whole network with all its seats is some tens of megabytes.
pub const MESSAGE_BYTES_MAX: usize = 1 << 30;

/// Version of the words below; both ends must speak the same.
pub const WIRE_VERSION: u32 = 2;

/// The first message of a host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// Its [`WIRE_VERSION`].
    pub version: u32,
    /// Which run it wants to join.
    pub run: String,
    /// Which of the hosts it is, from 0.
    pub host: u32,
    /// What it was told to prove that it belongs here.
    pub token: String,
    /// Its process id, to ask the system for its memory.
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
    Seats(HostCheckpoint),
    /// It cannot go on, and why.
    Failed(String),
    /// It ends; its peak memory in bytes.
    Bye(u64),
}

/// What went wrong between two processes.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// The socket failed.
    #[error("the connection failed: {0}")]
    Io(#[from] io::Error),
    /// The other end is gone.
    #[error("the connection was closed by the other end")]
    Closed,
    /// The bytes are no message.
    #[error("a message could not be read: {0}")]
    Garbled(#[from] storage::codec::CodecError),
}

/// One end of a connection.
#[derive(Debug)]
pub struct Wire {
    framed: Framed<UnixStream, LengthDelimitedCodec>,
}

impl Wire {
    /// Speaks over a socket.
    pub fn new(socket: UnixStream) -> Self {
        let mut codec = LengthDelimitedCodec::builder();
        let codec = codec.max_frame_length(MESSAGE_BYTES_MAX).little_endian().new_codec();
        Self { framed: Framed::new(socket, codec) }
    }

    /// Sends a message.
    ///
    /// # Errors
    /// The socket failed.
    pub async fn send<T: Serialize>(&mut self, message: &T) -> Result<(), WireError> {
        self.send_encoded(encoded(message)).await
    }

    /// Sends a message that was encoded before, for several receivers.
    ///
    /// # Errors
    /// The socket failed.
    pub async fn send_encoded(&mut self, message: Bytes) -> Result<(), WireError> {
        Ok(self.framed.send(message).await?)
    }

    /// Waits for the next message.
    ///
    /// # Errors
    /// The socket failed or was closed, or the bytes are no message.
    pub async fn receive<T: DeserializeOwned>(&mut self) -> Result<T, WireError> {
        let bytes = self.framed.next().await.ok_or(WireError::Closed)??;
        Ok(storage::codec::decode(&bytes)?)
    }
}

/// A message as bytes.
pub fn encoded<T: Serialize>(message: &T) -> Bytes {
    Bytes::from(storage::codec::encode(message))
}
