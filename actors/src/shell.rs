//! The shell: one actix actor per player, and a host that waits for them.
//!
//! The only file that names actix, and the only one that awaits. It knows no behaviour and adds no order:
//! a player steps through [`Seated::step_inputs`] here as in the pure host, so both give the same results.

use crate::host::{Agenda, Delivery, HostCheckpoint, Phase, Seated, SliceDone, World};
use crate::machine::Directory;
use actix::{Actor, Addr, Context, Handler, MailboxError, Message, MessageResult};
use protocol::apply::Inconsistent;
use protocol::event::Event;
use protocol::units::PlayerId;
use protocol::view::View;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Messages that may wait for one player: a step, or a question for its checkpoint, never both.
const MAILBOX_MESSAGES_MAX: usize = 2;

/// Why a host of actors must end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShellError {
    /// A player's actor is gone, though its machine's panics are caught.
    #[error("the actor of player {player} does not answer")]
    MailboxClosed {
        /// Whose actor.
        player: PlayerId,
    },
}

/// The one actor that carries any machine.
#[derive(Debug)]
pub struct Shell {
    seated: Seated,
}

impl Actor for Shell {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.set_mailbox_capacity(MAILBOX_MESSAGES_MAX);
    }
}

/// A slice of one player: its deliveries and what it may see.
#[derive(Debug, Message)]
#[rtype(result = "SliceDone")]
pub struct Step {
    /// Messages and receipts for this player.
    pub deliveries: Vec<Delivery>,
    /// The chain's public state.
    pub view: Arc<View>,
    /// The network's address book.
    pub directory: Arc<Directory>,
    /// The run's seed.
    pub seed: u64,
    /// Where the slice begins, in simulated milliseconds.
    pub from_ms: u64,
    /// Where it ends; not part of it.
    pub until_ms: u64,
}

impl Handler<Step> for Shell {
    type Result = MessageResult<Step>;

    fn handle(&mut self, step: Step, _: &mut Self::Context) -> Self::Result {
        let world = World {
            view: &step.view,
            directory: &step.directory,
            seed: step.seed,
            from_ms: step.from_ms,
            until_ms: step.until_ms,
        };
        MessageResult(self.seated.step_inputs(step.deliveries, &world))
    }
}

/// Asks a player's actor for its seat.
#[derive(Debug, Message)]
#[rtype(result = "Seated")]
pub struct Save;

impl Handler<Save> for Shell {
    type Result = MessageResult<Save>;

    fn handle(&mut self, _: Save, _: &mut Self::Context) -> Self::Result {
        MessageResult(self.seated.clone())
    }
}

/// [`crate::host::Host`] with its machines in actors of the current arbiter.
#[derive(Debug)]
pub struct ShellHost {
    seats: BTreeMap<PlayerId, Addr<Shell>>,
    entering: Vec<PlayerId>,
    agenda: Agenda,
    view: Arc<View>,
    directory: Arc<Directory>,
    seed: u64,
}

impl ShellHost {
    /// Starts one actor per player on the current arbiter; call within a running system.
    pub fn new(
        seats: impl IntoIterator<Item = Seated>,
        view: View,
        directory: Directory,
        seed: u64,
    ) -> Self {
        let mut host = Self {
            seats: BTreeMap::new(),
            entering: Vec::new(),
            agenda: Agenda::default(),
            view: Arc::new(view),
            directory: Arc::new(directory),
            seed,
        };
        for seated in seats {
            let player = seated.identity().id;
            host.agenda.note(player, seated.next_wake_ms());
            if seated.phase() == Phase::Entering {
                host.entering.push(player);
            }
            host.seats.insert(player, Shell { seated }.start());
        }
        host
    }

    /// A host as it was, with the view of the same moment.
    pub fn restore(
        checkpoint: HostCheckpoint,
        view: View,
        directory: Directory,
        seed: u64,
    ) -> Self {
        Self::new(checkpoint.seats, view, directory, seed)
    }

    /// Lets every player that has not started enter with the first slice.
    pub fn start(&mut self) {
        for player in self.entering.drain(..) {
            self.agenda.note(player, Some(0));
        }
    }

    /// As [`crate::host::Host::slice`].
    ///
    /// # Errors
    /// An actor is gone; the host must end.
    pub async fn slice(
        &mut self,
        from_ms: u64,
        until_ms: u64,
        deliveries: Vec<Delivery>,
    ) -> Result<SliceDone, ShellError> {
        let mut asked = Vec::new();
        for (player, deliveries) in self.agenda.called(until_ms, deliveries) {
            let Some(seat) = self.seats.get(&player) else {
                tracing::warn!(%player, "a delivery for a player of another host");
                continue;
            };
            let step = Step {
                deliveries,
                view: Arc::clone(&self.view),
                directory: Arc::clone(&self.directory),
                seed: self.seed,
                from_ms,
                until_ms,
            };
            // Asking all before waiting for any lets the actors run while the rest is handed out.
            asked.push((player, seat.send(step)));
        }
        let mut done = SliceDone::default();
        for (player, answer) in asked {
            let part = answer.await.map_err(|error| closed(player, error))?;
            self.agenda.note(player, part.next_wake_ms);
            done.merge(part);
        }
        done.sort();
        done.next_wake_ms = self.agenda.first_ms();
        Ok(done)
    }

    /// Folds a block's public events into the view. Between slices nobody else holds it, so nothing is copied.
    ///
    /// # Errors
    /// An event that does not fit; the host must end.
    pub fn fold(&mut self, events: &[Event]) -> Result<(), Inconsistent> {
        Arc::make_mut(&mut self.view).fold(events)
    }

    /// The chain's public state as the players see it.
    pub fn view(&self) -> &View {
        &self.view
    }

    /// When the earliest timer is due.
    pub fn next_wake_ms(&self) -> Option<u64> {
        self.agenda.first_ms()
    }

    /// All seats, to go on from later.
    ///
    /// # Errors
    /// An actor is gone; the host must end.
    pub async fn checkpoint(&self) -> Result<HostCheckpoint, ShellError> {
        let mut seats = Vec::with_capacity(self.seats.len());
        for (player, seat) in &self.seats {
            let seated = seat.send(Save).await;
            seats.push(seated.map_err(|error| closed(*player, error))?);
        }
        Ok(HostCheckpoint { seats })
    }
}

/// Nothing here sets a timeout, so whatever the mailbox says, the actor is gone.
fn closed(player: PlayerId, _: MailboxError) -> ShellError {
    ShellError::MailboxClosed { player }
}
