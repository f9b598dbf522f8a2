//! Who is let in: the chain waits for its hosts, and everybody else is refused with a reason. Until then one who comes
//! may send one small message within a short time, and no one holds up another.
//!
//! What belongs here: the first message of each connection. What does not: what is done with those let in (`hosts`).

use super::link::{Link, Listener, Pass, Place};
use super::secret;
use super::wire::{FromHost, GREETING_BYTES_MAX, Hello};
use super::wire::{ToHost, WIRE_VERSION, Wire};
use super::wire_error::{MESSAGE_BYTES_MAX, WireError};
use crate::version::BUILD;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use std::collections::BTreeMap;
use std::time::Duration;

/// How long one who comes may take to greet, and to hear a refusal.
pub const GREETING_WAIT_MS_MAX: u64 = 5_000;
/// How many may be about to greet at a time; others wait outside.
pub const GREETINGS_MAX: usize = 64;
/// Wait after nobody could be let in at all, as when the system has no sockets left.
const ACCEPT_PAUSE_MS: u64 = 100;

/// Whom the chain waits for.
#[derive(Clone, Debug)]
pub struct Awaited {
    /// What they must know.
    pub pass: Pass,
    /// Hosts of the launcher, which know their places.
    pub own: u32,
    /// Hosts from outside, which take the places after those.
    pub outside: u32,
    /// How long it waits for all of them.
    pub wait_ms_max: u64,
}

/// One who was let in.
#[derive(Debug)]
pub struct Guest {
    /// The connection.
    pub wire: Wire,
    /// Its process id; 0 if it is one of another machine, perhaps.
    pub pid: u32,
}

/// Some did not come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "only {own} of {own_awaited} host processes and {outside} of {outside_awaited} hosts from outside joined \
     within {wait_ms_max} ms"
)]
pub struct Missing {
    /// Hosts of the launcher that came.
    pub own: u32,
    /// How many should have.
    pub own_awaited: u32,
    /// Hosts from outside that came.
    pub outside: u32,
    /// How many should have.
    pub outside_awaited: u32,
    /// How long they were waited for.
    pub wait_ms_max: u64,
}

impl Missing {
    /// Whether only those are missing that nobody here can start.
    pub const fn is_of_outside(&self) -> bool {
        self.own == self.own_awaited
    }
}

/// Why nobody can be waited for any more.
#[derive(Debug, thiserror::Error)]
pub enum GreetError {
    /// Some did not come in time.
    #[error(transparent)]
    Missing(#[from] Missing),
    /// Nobody can come any more.
    #[error("hosts cannot join at {place} any more: {error}")]
    Gone {
        /// Where they were awaited.
        place: Place,
        /// Why.
        error: WireError,
    },
}

/// What one who came said first.
enum Knocked {
    Greeting(Box<(Wire, Hello)>),
    Refused(String),
}

/// Waits until every host has joined; `refused` hears of everybody else, with the reason.
///
/// # Errors
/// Some did not come in time, or nobody can come any more.
pub async fn greet(
    awaited: &Awaited,
    mut listener: Listener,
    refused: &mut impl FnMut(&str),
) -> Result<Vec<Guest>, GreetError> {
    let mut hall = Hall { awaited, guests: BTreeMap::new() };
    let wait = Duration::from_millis(awaited.wait_ms_max);
    let all = async {
        let mut knocking = FuturesUnordered::new();
        let mut leaving = FuturesUnordered::new();
        while !hall.is_complete() {
            tokio::select! {
                accepted = listener.accept(), if knocking.len() < GREETINGS_MAX => match accepted {
                    Ok(link) => knocking.push(hear(link)),
                    Err(WireError::Io(error)) => {
                        tracing::warn!(%error, "somebody could not come in");
                        tokio::time::sleep(Duration::from_millis(ACCEPT_PAUSE_MS)).await;
                    }
                    Err(error) => {
                        return Err(GreetError::Gone { place: listener.place().clone(), error });
                    }
                },
                Some(knocked) = knocking.next() => match knocked {
                    Knocked::Refused(why) => refused(&why),
                    Knocked::Greeting(greeting) => {
                        let (wire, hello) = *greeting;
                        if let Some((wire, why)) = hall.let_in(wire, &hello) {
                            refused(why);
                            leaving.push(send_away(wire, why.to_owned()));
                        }
                    }
                },
                Some(()) = leaving.next() => {}
            }
        }
        // Those who are still told why do not hold up the run for long.
        while leaving.next().await.is_some() {}
        Ok(())
    };
    let waited = tokio::time::timeout(wait, all).await;
    match waited {
        Ok(joined) => joined?,
        Err(_) => return Err(GreetError::Missing(hall.missing())),
    }
    Ok(hall.guests.into_values().collect())
}

/// Hears what one who came says first, and sends it away if that is no greeting.
async fn hear(link: Link) -> Knocked {
    let mut wire = Wire::new(link);
    wire.limit(GREETING_BYTES_MAX);
    let wait = Duration::from_millis(GREETING_WAIT_MS_MAX);
    let heard = tokio::time::timeout(wait, wire.receive::<FromHost>()).await;
    let why = match heard {
        Ok(Ok(FromHost::Hello(hello))) => return Knocked::Greeting(Box::new((wire, hello))),
        Ok(Ok(_)) => "it does not greet".to_owned(),
        Ok(Err(WireError::Garbled(_) | WireError::Damaged | WireError::Missed { .. })) => {
            format!("its greeting is not one of wire version {WIRE_VERSION}")
        }
        Ok(Err(WireError::TooLong { bytes_max })) => {
            format!("its greeting is longer than {bytes_max} bytes")
        }
        Ok(Err(error)) => return Knocked::Refused(format!("it did not greet: {error}")),
        Err(_) => format!("it did not greet within {GREETING_WAIT_MS_MAX} ms"),
    };
    send_away(wire, why.clone()).await;
    Knocked::Refused(why)
}

/// Tells one why it is refused.
async fn send_away(mut wire: Wire, why: String) {
    let telling = async {
        wire.send(&ToHost::Refused(why)).await?;
        wire.close().await
    };
    let wait = Duration::from_millis(GREETING_WAIT_MS_MAX);
    if let Ok(Err(error)) = tokio::time::timeout(wait, telling).await {
        tracing::debug!(%error, "who was refused is gone");
    }
}

/// Those who came.
struct Hall<'a> {
    awaited: &'a Awaited,
    /// By place.
    guests: BTreeMap<u32, Guest>,
}

impl Hall<'_> {
    const fn places(&self) -> u32 {
        self.awaited.own.saturating_add(self.awaited.outside)
    }

    fn is_complete(&self) -> bool {
        self.guests.len() as u64 == u64::from(self.places())
    }

    fn missing(&self) -> Missing {
        let count = |from: u32, to: u32| self.guests.range(from..to).count() as u32;
        let Awaited { own, outside, wait_ms_max, .. } = *self.awaited;
        Missing {
            own: count(0, own),
            own_awaited: own,
            outside: count(own, self.places()),
            outside_awaited: outside,
            wait_ms_max,
        }
    }

    /// Gives a place to one who greets, or gives it back with the reason why not. One without the token hears nothing
    /// about the run.
    fn let_in(&mut self, mut wire: Wire, hello: &Hello) -> Option<(Wire, &'static str)> {
        let Awaited { pass, own, .. } = self.awaited;
        let free = (*own..self.places()).find(|place| !self.guests.contains_key(place));
        let place = hello.host.or(free);
        let is_taken = place.is_some_and(|place| self.guests.contains_key(&place));
        let is_foreign = hello.host.is_some_and(|host| host >= *own);
        let mut refusals = [
            (hello.version != WIRE_VERSION, "it speaks another version of the wire"),
            (hello.build != BUILD, "it is another build of btemu"),
            (!secret::are_equal(&hello.token, &pass.token), "its token is wrong"),
            (hello.run != pass.run, "it belongs to another run"),
            (is_foreign || place.is_none(), "it is one too many"),
            (is_taken, "its place is taken"),
        ]
        .into_iter();
        if let Some((_, why)) = refusals.find(|(refused, _)| *refused) {
            return Some((wire, why));
        }
        wire.limit(MESSAGE_BYTES_MAX);
        let pid = hello.host.map_or(0, |_| hello.pid);
        let place = place.expect("one without a place was refused");
        tracing::info!(host = place, pid = hello.pid, "a host joined");
        self.guests.insert(place, Guest { wire, pid });
        None
    }
}

#[cfg(test)]
mod tests;
