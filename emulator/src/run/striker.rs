//! Striking: what the launcher does to the processes of its run when something below the simulation is due. Signals are
//! real; frames are struck by a relay, the log by the chain itself.
//!
//! What belongs here: which strikes are left, and signals. What does not: when one is due by the scenario
//! (`disturbance`), bytes (`relay`, `failing_log`), what follows (`launcher`).

use super::disturbance::{Disturbance, Layer, Strike, Struck};
use super::family::Family;
use super::link::Place;
use super::relay::{Quiver, relay};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use protocol::units::Height;
use std::path::Path;
use std::time::Duration;
use tokio::net::UnixListener;
use tokio::task::JoinHandle;

/// What is still to strike a run, and what has.
#[derive(Debug, Default)]
pub struct Striker {
    left: Vec<Strike>,
    /// Whether any of them, from the beginning on, is for a frame: one may wait for it while processes come and go.
    strikes_frames: bool,
    quiver: Quiver,
    struck: Struck,
}

impl Striker {
    /// With everything still to come.
    pub fn new(left: Vec<Strike>) -> Self {
        let strikes_frames = left.iter().any(|strike| strike.what.layer() == Layer::Wire);
        Self { left, strikes_frames, quiver: Quiver::default(), struck: Struck::new() }
    }

    /// What has not struck yet and is not on its way, for the chain to know.
    pub fn left(&self) -> Vec<Strike> {
        self.left.clone()
    }

    /// Whether frames will be struck, so that hosts must reach the chain through a relay.
    pub const fn strikes_frames(&self) -> bool {
        self.strikes_frames
    }

    /// A relay between a socket of its own and the chain.
    ///
    /// # Errors
    /// The socket cannot be made.
    pub fn relay(
        &self,
        socket: &Path,
        onward: Place,
    ) -> std::io::Result<(Place, JoinHandle<std::io::Result<()>>)> {
        let listener = UnixListener::bind(socket)?;
        let relaying = tokio::spawn(relay(listener, onward, self.quiver.clone()));
        Ok((Place::Unix(socket.to_owned()), relaying))
    }

    /// Strikes with everything that is due when a block was made; gives what struck since it was asked last.
    pub fn strike(&mut self, family: &Family, made: u64) -> Vec<Strike> {
        let next = Height(made.saturating_add(1));
        let (due, left) = std::mem::take(&mut self.left).into_iter().partition(|strike| {
            strike.at <= next && matches!(strike.what.layer(), Layer::Process | Layer::Wire)
        });
        self.left = left;
        let due: Vec<Strike> = due;
        let mut struck = Vec::new();
        for strike in due {
            if strike.what.layer() == Layer::Wire {
                self.quiver.arm(strike);
            } else if signal(family, strike) {
                struck.push(strike);
            } else {
                self.left.push(strike);
            }
        }
        struck.extend(self.quiver.take_fired());
        for strike in &struck {
            self.count(strike.what);
        }
        struck
    }

    /// The frames that were struck since this was asked last.
    pub fn take_fired(&mut self) -> Vec<Strike> {
        let fired = self.quiver.take_fired();
        for strike in &fired {
            self.count(strike.what);
        }
        fired
    }

    /// The chain says that its log was struck.
    pub fn chain_struck(&mut self, strike: Strike) {
        if let Some(at) = self.left.iter().position(|left| *left == strike) {
            self.left.remove(at);
            self.count(strike.what);
        }
    }

    fn count(&mut self, what: Disturbance) {
        *self.struck.entry(what).or_insert(0) += 1;
    }

    /// How often each kind struck.
    pub fn struck(&self) -> Struck {
        self.struck.clone()
    }
}

/// Sends the signals of a strike; whether there was somebody to get them.
fn signal(family: &Family, strike: Strike) -> bool {
    let whom = match strike.what {
        Disturbance::KillChain | Disturbance::PauseChain => family.chain_pid(),
        _ => family.host_pid(strike.at.0),
    };
    let Some(pid) = whom.and_then(|pid| i32::try_from(pid).ok()).map(Pid::from_raw) else {
        return false;
    };
    let first = match strike.what {
        Disturbance::KillChain | Disturbance::KillHost => Signal::SIGKILL,
        _ => Signal::SIGSTOP,
    };
    let sent = kill(pid, first).is_ok();
    if sent && first == Signal::SIGSTOP {
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(strike.ms)).await;
            if let Err(error) = kill(pid, Signal::SIGCONT) {
                tracing::debug!(%error, "who stood still is gone");
            }
        });
    }
    sent
}
