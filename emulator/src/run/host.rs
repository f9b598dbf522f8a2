//! A host process: an actix system full of players that does what the chain asks, until the chain stops or is gone.

use super::death;
use super::wire::{FromHost, Hello, ToHost, WIRE_VERSION, Welcome, Wire, WireError};
use actors::shell::ShellHost;
use protocol::view::View;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use tokio::net::UnixStream;

/// What the launcher tells a host on its standard input, as one line of JSON.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HostOrder {
    /// Where the chain listens.
    pub socket: PathBuf,
    /// Which run it joins.
    pub run: String,
    /// Which of the hosts it is, from 0.
    pub host: u32,
    /// Proof that it belongs to the run.
    pub token: String,
}

/// Why a host process ends badly.
#[derive(Debug, thiserror::Error)]
pub enum HostProcessError {
    /// The chain could not be reached.
    #[error("the chain at {} cannot be reached: {source}", socket.display())]
    Unreachable {
        /// Where it should listen.
        socket: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The connection broke.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// The chain does not want this host.
    #[error("the chain refused this host: {0}")]
    Refused(String),
    /// The chain said something that fits no step of the exchange.
    #[error("the chain spoke out of turn")]
    OutOfTurn,
    /// A player's actor is gone, or the view does not follow.
    #[error("{0}")]
    Players(String),
}

/// Runs a host process to its end.
///
/// # Errors
/// The chain is gone before it said stop, or the players cannot go on.
pub fn serve(order: &HostOrder) -> Result<(), HostProcessError> {
    actix::System::new().block_on(serve_until_stopped(order))
}

async fn serve_until_stopped(order: &HostOrder) -> Result<(), HostProcessError> {
    let socket = UnixStream::connect(&order.socket).await;
    let unreachable =
        |source| HostProcessError::Unreachable { socket: order.socket.clone(), source };
    let mut wire = Wire::new(socket.map_err(unreachable)?);
    let hello = Hello {
        version: WIRE_VERSION,
        run: order.run.clone(),
        host: order.host,
        token: order.token.clone(),
        pid: std::process::id(),
    };
    wire.send(&FromHost::Hello(hello)).await?;
    let mut host = match wire.receive().await? {
        ToHost::Welcome(welcome) => seated(*welcome),
        ToHost::Refused(why) => return Err(HostProcessError::Refused(why)),
        _ => return Err(HostProcessError::OutOfTurn),
    };
    wire.send(&FromHost::Ready(host.next_wake_ms())).await?;
    loop {
        let answer = match wire.receive().await? {
            ToHost::Welcome(welcome) => {
                host = seated(*welcome);
                FromHost::Ready(host.next_wake_ms())
            }
            ToHost::Block(events) => {
                if let Err(inconsistent) = host.fold(&events) {
                    return fail(&mut wire, inconsistent.to_string()).await;
                }
                continue;
            }
            ToHost::Slice { from_ms, until_ms, deliveries } => {
                match host.slice(from_ms, until_ms, deliveries).await {
                    Ok(done) => FromHost::Done(done),
                    Err(error) => return fail(&mut wire, error.to_string()).await,
                }
            }
            ToHost::Save => match host.checkpoint().await {
                Ok(seats) => FromHost::Seats(seats),
                Err(error) => return fail(&mut wire, error.to_string()).await,
            },
            ToHost::Stop => {
                tracing::info!("the chain says stop");
                return Ok(wire.send(&FromHost::Bye(death::peak_rss_bytes())).await?);
            }
            ToHost::Refused(_) => return Err(HostProcessError::OutOfTurn),
        };
        wire.send(&answer).await?;
    }
}

/// The players of a welcome on their seats.
fn seated(welcome: Welcome) -> ShellHost {
    tracing::info!(players = welcome.seats.len(), "seated");
    let directory = welcome.directory.into_iter().collect();
    let view = View::new(welcome.state);
    let mut host = ShellHost::new(welcome.seats, view, directory, welcome.seed);
    host.start();
    host
}

/// Tells the chain why before ending.
async fn fail(wire: &mut Wire, why: String) -> Result<(), HostProcessError> {
    wire.send(&FromHost::Failed(why.clone())).await?;
    Err(HostProcessError::Players(why))
}
