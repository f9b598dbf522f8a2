//! A host process: an actix system full of players that does what the chain asks, until the chain stops or is gone.

use super::death;
use super::link::{Pass, Place};
use super::seats::PackedSeats;
use super::wire::{FromHost, Hello, ToHost, WIRE_VERSION, Welcome, Wire};
use super::wire_error::WireError;
use crate::clock::Stopwatch;
use crate::logging;
use crate::version::BUILD;
use actors::shell::ShellHost;
use protocol::view::View;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Wait before a host from outside tries again to join; it doubles up to the longest.
const REJOIN_WAIT_MS: u64 = 200;
/// The longest of these waits.
const REJOIN_WAIT_MS_MAX: u64 = 3_200;

/// What a host is told: by the launcher on its standard input, as one line of JSON, or on the command line.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HostOrder {
    /// Where the chain is.
    pub place: Place,
    /// Which run it joins.
    pub run: String,
    /// Which of the launcher's hosts it is, from 0; none if it comes from outside.
    pub host: Option<u32>,
    /// Proof that it belongs to the run.
    pub token: String,
}

/// Why a host process ends badly.
#[derive(Debug, thiserror::Error)]
pub enum HostProcessError {
    /// The chain could not be reached.
    #[error("the chain at {place} cannot be reached: {error}")]
    Unreachable {
        /// Where it should be.
        place: Place,
        /// Why.
        error: WireError,
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
    /// It tried long enough.
    #[error("the run was not to be joined for {wait_ms_max} ms: {last}")]
    GivenUp {
        /// How long it tried.
        wait_ms_max: u64,
        /// What happened last.
        last: Box<HostProcessError>,
    },
}

/// Runs a host process to its end.
///
/// # Errors
/// The chain is gone before it said stop, or the players cannot go on.
pub fn serve(order: &HostOrder) -> Result<(), HostProcessError> {
    actix::System::new().block_on(serve_until_stopped(order, || {}))
}

/// Runs a host from outside to the end of its run: while the run is restarted it tries to join again. `told` hears of
/// each loss and of each time that it took its seat.
///
/// # Errors
/// It is refused, or could not join for so long.
pub fn serve_from_outside(
    order: &HostOrder,
    wait_ms_max: u64,
    mut told: impl FnMut(&str),
) -> Result<(), HostProcessError> {
    actix::System::new().block_on(async {
        let mut lost = Stopwatch::start();
        let mut wait_ms = REJOIN_WAIT_MS;
        loop {
            let mut joined = false;
            let served = serve_until_stopped(order, || {
                joined = true;
                told("joined the run");
            });
            let last = match served.await {
                Ok(()) => return Ok(()),
                Err(refused @ HostProcessError::Refused(_)) => return Err(refused),
                Err(error) => error,
            };
            if joined {
                (lost, wait_ms) = (Stopwatch::start(), REJOIN_WAIT_MS);
            }
            if lost.seconds() * 1_000.0 + wait_ms as f64 > wait_ms_max as f64 {
                let last = Box::new(last);
                return Err(HostProcessError::GivenUp { wait_ms_max, last });
            }
            if joined || wait_ms == REJOIN_WAIT_MS {
                told(&format!("{last}; trying to join for {wait_ms_max} ms"));
            }
            tokio::time::sleep(Duration::from_millis(wait_ms)).await;
            wait_ms = (2 * wait_ms).min(REJOIN_WAIT_MS_MAX);
        }
    })
}

async fn serve_until_stopped(
    order: &HostOrder,
    mut joined: impl FnMut(),
) -> Result<(), HostProcessError> {
    logging::at_run(&order.run);
    let pass = Pass { run: order.run.clone(), token: order.token.clone() };
    let wire = Wire::connect(&order.place, &pass).await;
    let unreachable = |error| HostProcessError::Unreachable { place: order.place.clone(), error };
    let mut wire = wire.map_err(unreachable)?;
    let hello = Hello {
        version: WIRE_VERSION,
        build: BUILD.to_owned(),
        run: order.run.clone(),
        host: order.host,
        token: order.token.clone(),
        pid: std::process::id(),
    };
    wire.send(&FromHost::Hello(hello)).await?;
    let mut host = match wire.receive().await? {
        ToHost::Welcome(welcome) => {
            joined();
            seated(*welcome)
        }
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
                    return fail(wire, inconsistent.to_string()).await;
                }
                logging::at_block(host.height());
                continue;
            }
            ToHost::Slice { from_ms, until_ms, deliveries } => {
                match host.slice(from_ms, until_ms, deliveries).await {
                    Ok(done) => FromHost::Done(done),
                    Err(error) => return fail(wire, error.to_string()).await,
                }
            }
            ToHost::Save => match PackedSeats::of(&host).await {
                Ok(seats) => FromHost::Seats(seats),
                Err(error) => return fail(wire, error.to_string()).await,
            },
            ToHost::Stop => {
                tracing::info!("the chain says stop");
                wire.send(&FromHost::Bye(death::peak_rss_bytes())).await?;
                return Ok(wire.close().await?);
            }
            ToHost::Refused(_) => return Err(HostProcessError::OutOfTurn),
        };
        wire.send(&answer).await?;
    }
}

/// The players of a welcome on their seats.
fn seated(welcome: Welcome) -> ShellHost {
    logging::at_block(welcome.state.height);
    tracing::info!(players = welcome.seats.len(), "seated");
    let directory = welcome.directory.into_iter().collect();
    let view = View::new(welcome.state);
    let mut host = ShellHost::new(welcome.seats, view, directory, welcome.seed);
    host.start();
    host
}

/// Tells the chain why before ending.
async fn fail(mut wire: Wire, why: String) -> Result<(), HostProcessError> {
    wire.send(&FromHost::Failed(why.clone())).await?;
    wire.close().await?;
    Err(HostProcessError::Players(why))
}
