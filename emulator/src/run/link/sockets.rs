//! TCP as a run uses it: no waiting for more to send, and an end that is noticed when the other machine is gone.

use super::CONNECT_WAIT_MS_MAX;
use socket2::{SockRef, TcpKeepalive};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;
use tokio::net::TcpStream;

/// How long a connection may be quiet before the system asks whether the other machine is there.
const QUIET_S: u64 = 10;
/// How long the system waits between its questions.
const QUESTION_INTERVAL_S: u64 = 5;
/// Questions without an answer after which the connection has failed.
const QUESTIONS_MAX: u32 = 4;

/// Reaches whoever listens.
pub(super) async fn connect(address: &str) -> io::Result<TcpStream> {
    let wait = Duration::from_millis(CONNECT_WAIT_MS_MAX);
    let connected = tokio::time::timeout(wait, TcpStream::connect(address)).await;
    let late = || io::Error::new(io::ErrorKind::TimedOut, "nobody answers");
    tuned(connected.map_err(|_| late())??)
}

/// A socket for short questions and answers between machines.
pub(super) fn tuned(socket: TcpStream) -> io::Result<TcpStream> {
    socket.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new()
        .with_time(Duration::from_secs(QUIET_S))
        .with_interval(Duration::from_secs(QUESTION_INTERVAL_S))
        .with_retries(QUESTIONS_MAX);
    SockRef::from(&socket).set_tcp_keepalive(&keepalive)?;
    Ok(socket)
}

/// An address that was bound, as this machine reaches it.
pub(super) fn seen_here(address: &str) -> String {
    match address.parse::<SocketAddr>() {
        Ok(bound) if bound.ip().is_unspecified() => {
            let loopback = match bound.ip() {
                IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
                IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
            };
            SocketAddr::new(loopback, bound.port()).to_string()
        }
        _ => address.to_owned(),
    }
}

/// An address that was bound, as other machines are told it.
pub(super) fn seen_elsewhere(address: &str) -> String {
    match address.parse::<SocketAddr>() {
        Ok(bound) if bound.ip().is_unspecified() => format!("THIS-MACHINE:{}", bound.port()),
        _ => address.to_owned(),
    }
}
