//! Links: how the bytes of a message get from one process of a run to another.
//!
//! What belongs here: where the processes meet, and one connection as whoever sends and receives sees it, whatever
//! carries it. What does not: what is said (`wire`), and who is let in (`greeting`).

/// Messages in a stream of bytes.
mod frames;
/// A broker.
#[cfg(feature = "broker")]
mod nats;
/// Unix sockets and TCP.
mod sockets;

use super::wire_error::WireError;
use frames::Frames;
pub use frames::HEAD_BYTES;
#[cfg(test)]
pub use frames::framed;
use futures_util::{SinkExt, StreamExt};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio_util::bytes::Bytes;
use tokio_util::codec::Framed;

/// How long it may take to reach the other end's machine, or the broker.
pub const CONNECT_WAIT_MS_MAX: u64 = 5_000;

/// How the processes of a run are linked, as users write it: `unix`, `tcp://HOST:PORT` or `nats://HOST:PORT`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Address {
    /// Sockets in a private folder of this machine.
    #[default]
    Unix,
    /// The chain listens at HOST:PORT; port 0 takes a free one.
    Tcp(String),
    /// All meet at the broker at HOST:PORT.
    Nats(String),
}

/// A text that is no address of a link.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no link: write unix, tcp://HOST:PORT or nats://HOST:PORT")]
pub struct InvalidAddress {
    text: String,
}

impl FromStr for Address {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let of = |scheme: &str| text.strip_prefix(scheme).filter(|rest| is_host_and_port(rest));
        match (text, of("tcp://"), of("nats://")) {
            ("unix", ..) => Ok(Self::Unix),
            (_, Some(address), _) => Ok(Self::Tcp(address.to_owned())),
            (_, _, Some(server)) => Ok(Self::Nats(server.to_owned())),
            _ => Err(InvalidAddress { text: text.to_owned() }),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix => write!(to, "unix"),
            Self::Tcp(address) => write!(to, "tcp://{address}"),
            Self::Nats(server) => write!(to, "nats://{server}"),
        }
    }
}

impl From<Address> for String {
    fn from(address: Address) -> Self {
        address.to_string()
    }
}

impl TryFrom<String> for Address {
    type Error = InvalidAddress;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

/// Whether a text is HOST:PORT, where an IPv6 address stands in brackets.
pub fn is_host_and_port(text: &str) -> bool {
    let is_host = |host: &str| {
        let inner = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let name = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
        match inner {
            Some(inner) => inner.parse::<std::net::Ipv6Addr>().is_ok(),
            None => !host.is_empty() && host.chars().all(name),
        }
    };
    text.rsplit_once(':').is_some_and(|(host, port)| is_host(host) && port.parse::<u16>().is_ok())
}

impl Address {
    /// Whether this build can speak over it; if not, why.
    ///
    /// # Errors
    /// It needs a feature that this build is without: the sentence, and what to do about it.
    pub fn check_build(&self) -> Result<(), (String, String)> {
        if cfg!(feature = "broker") || !matches!(self, Self::Nats(_)) {
            return Ok(());
        }
        let what = format!("{self}: this build has no NATS; build with --features broker");
        let hint = "cargo build --release --features emulator/broker; or --link tcp://HOST:PORT";
        Err((what, hint.to_owned()))
    }

    /// Where exactly the processes meet, with a path for a socket if they need one.
    pub fn place(&self, socket: &Path) -> Place {
        match self {
            Self::Unix => Place::Unix(socket.to_owned()),
            Self::Tcp(address) => Place::Tcp(address.clone()),
            Self::Nats(server) => Place::Nats(server.clone()),
        }
    }
}

/// Where exactly the processes of a run meet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// A socket in the file system.
    Unix(PathBuf),
    /// HOST:PORT of the chain.
    Tcp(String),
    /// HOST:PORT of a broker.
    Nats(String),
}

impl fmt::Display for Place {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(socket) => write!(to, "{}", socket.display()),
            Self::Tcp(address) => write!(to, "tcp://{address}"),
            Self::Nats(server) => write!(to, "nats://{server}"),
        }
    }
}

impl Place {
    /// The same place as a process of this machine calls it: who listens at every address is reached at loopback.
    pub fn seen_here(&self) -> Self {
        match self {
            Self::Tcp(address) => Self::Tcp(sockets::seen_here(address)),
            other => other.clone(),
        }
    }

    /// The same place as other machines may call it. Who listens at every address has no name of its own.
    pub fn seen_elsewhere(&self) -> Self {
        match self {
            Self::Tcp(address) => Self::Tcp(sockets::seen_elsewhere(address)),
            other => other.clone(),
        }
    }
}

/// What both ends know before they meet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pass {
    /// The run.
    pub run: String,
    /// What proves that one belongs to it.
    pub token: String,
}

/// Where the chain waits for connections.
#[derive(Debug)]
pub struct Listener {
    place: Place,
    kind: ListenerKind,
}

#[derive(Debug)]
enum ListenerKind {
    Unix(UnixListener),
    Tcp(TcpListener),
    #[cfg(feature = "broker")]
    Nats(Box<nats::Knocks>),
}

impl Listener {
    /// Listens at exactly the place that is named, and nowhere else.
    ///
    /// # Errors
    /// The place is taken or not this machine's, or the broker is not there.
    pub async fn open(place: &Place, pass: &Pass) -> Result<Self, WireError> {
        let (place, kind) = match place {
            Place::Unix(socket) => (place.clone(), ListenerKind::Unix(UnixListener::bind(socket)?)),
            Place::Tcp(address) => {
                let listener = TcpListener::bind(address.as_str()).await?;
                let bound = listener.local_addr()?;
                (Place::Tcp(bound.to_string()), ListenerKind::Tcp(listener))
            }
            Place::Nats(server) => (place.clone(), open_nats(server, pass).await?),
        };
        Ok(Self { place, kind })
    }

    /// Where it listens; a port that was left to the system is named.
    pub const fn place(&self) -> &Place {
        &self.place
    }

    /// Waits for the next one to come, of whom nothing is known.
    ///
    /// # Errors
    /// This one did not come in; of the others nothing is said, unless the broker is gone.
    pub async fn accept(&mut self) -> Result<Link, WireError> {
        match &mut self.kind {
            ListenerKind::Unix(listener) => Ok(Link::from(listener.accept().await?.0)),
            ListenerKind::Tcp(listener) => {
                let (socket, peer) = listener.accept().await?;
                tracing::debug!(%peer, "somebody comes");
                Ok(Link::from(sockets::tuned(socket)?))
            }
            #[cfg(feature = "broker")]
            ListenerKind::Nats(knocks) => Ok(Link::Nats(knocks.accept().await?)),
        }
    }
}

#[cfg(feature = "broker")]
async fn open_nats(server: &str, pass: &Pass) -> Result<ListenerKind, WireError> {
    Ok(ListenerKind::Nats(Box::new(nats::Knocks::open(server, pass).await?)))
}

#[cfg(not(feature = "broker"))]
async fn open_nats(server: &str, _: &Pass) -> Result<ListenerKind, WireError> {
    Err(without_broker(server))
}

#[cfg(not(feature = "broker"))]
fn without_broker(server: &str) -> WireError {
    let refused = Address::Nats(server.to_owned()).check_build();
    WireError::Broker(refused.err().map_or_else(String::new, |(what, _)| what))
}

/// One end of a connection.
#[derive(Debug)]
pub enum Link {
    /// Over a socket in the file system.
    Unix(Framed<UnixStream, Frames>),
    /// Over TCP.
    Tcp(Framed<TcpStream, Frames>),
    /// Over a broker.
    #[cfg(feature = "broker")]
    Nats(nats::Channel),
}

impl From<UnixStream> for Link {
    fn from(socket: UnixStream) -> Self {
        Self::Unix(Framed::new(socket, Frames::default()))
    }
}

impl From<TcpStream> for Link {
    fn from(socket: TcpStream) -> Self {
        Self::Tcp(Framed::new(socket, Frames::default()))
    }
}

impl Link {
    /// Reaches whoever listens at a place.
    ///
    /// # Errors
    /// Nobody listens there, or nobody answers in time.
    pub async fn connect(place: &Place, pass: &Pass) -> Result<Self, WireError> {
        match place {
            Place::Unix(socket) => Ok(Self::from(UnixStream::connect(socket).await?)),
            Place::Tcp(address) => Ok(Self::from(sockets::connect(address).await?)),
            Place::Nats(server) => connect_nats(server, pass).await,
        }
    }

    /// From now on longer messages are refused.
    pub fn limit(&mut self, bytes_max: usize) {
        match self {
            Self::Unix(framed) => framed.codec_mut().limit(bytes_max),
            Self::Tcp(framed) => framed.codec_mut().limit(bytes_max),
            #[cfg(feature = "broker")]
            Self::Nats(channel) => channel.limit(bytes_max),
        }
    }

    /// Sends a message.
    ///
    /// # Errors
    /// The connection failed, or the message is too long.
    pub async fn send(&mut self, message: Bytes) -> Result<(), WireError> {
        match self {
            Self::Unix(framed) => framed.send(message).await,
            Self::Tcp(framed) => framed.send(message).await,
            #[cfg(feature = "broker")]
            Self::Nats(channel) => channel.send(message).await,
        }
    }

    /// Waits for the next message. Nothing is lost if the caller stops waiting.
    ///
    /// # Errors
    /// The connection failed or was closed, or what came is no message.
    pub async fn receive(&mut self) -> Result<Bytes, WireError> {
        let next = match self {
            Self::Unix(framed) => framed.next().await,
            Self::Tcp(framed) => framed.next().await,
            #[cfg(feature = "broker")]
            Self::Nats(channel) => channel.next().await,
        };
        next.ok_or(WireError::Closed)?
    }

    /// Ends the connection when everything is on its way.
    ///
    /// # Errors
    /// The connection failed before.
    pub async fn close(self) -> Result<(), WireError> {
        match self {
            Self::Unix(mut framed) => framed.close().await,
            Self::Tcp(mut framed) => framed.close().await,
            #[cfg(feature = "broker")]
            Self::Nats(channel) => channel.close().await,
        }
    }
}

#[cfg(feature = "broker")]
async fn connect_nats(server: &str, pass: &Pass) -> Result<Link, WireError> {
    Ok(Link::Nats(nats::knock(server, pass).await?))
}

#[cfg(not(feature = "broker"))]
async fn connect_nats(server: &str, _: &Pass) -> Result<Link, WireError> {
    Err(without_broker(server))
}

#[cfg(test)]
mod tests;
