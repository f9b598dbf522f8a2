//! The shell: one actix actor per player, and a host that waits for them.
//!
//! The only file that names actix, and the only one that awaits. It knows no behaviour and adds no order:
//! a player steps through `Seated::step_inputs` here as in the pure host, so both give the same results.

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::Host;
    use crate::registry::BehaviourSettings;
    use crate::stage::{ProbeSettings, genesis, greeting, identity, subnet_of};
    use protocol::envelope::Envelope;
    use protocol::units::NetUid;

    const SEED: u64 = 7;

    /// Validators, miners and a player that crashes.
    fn seats() -> (Vec<Seated>, View, Directory) {
        let validators = vec![BehaviourSettings::Sampler(Default::default()); 3];
        let miners = vec![BehaviourSettings::Quality(Default::default()); 5];
        let (state, mut seats) = subnet_of(&validators, &miners);
        let wake = crate::machine::Output::Wake { at_ms: 7_000, tag: 1 };
        let on_start = vec![wake];
        let script = ProbeSettings { on_start, panics_on: Some(1), ..ProbeSettings::default() };
        let who = identity("probes", 0, None);
        seats.push(Seated::new(who, BehaviourSettings::Probe(script).build()));
        let mut directory = Directory::default();
        for seated in &seats {
            directory.enter(seated.identity().hotkey, seated.identity().id);
        }
        (seats, View::new(state), directory)
    }

    /// What the hub would bring to the next slice.
    fn carry(done: &SliceDone, until_ms: u64) -> Vec<Delivery> {
        let outgoing = done.outgoing.iter();
        let envelopes = outgoing.map(|sent| Envelope {
            due_ms: until_ms + 10,
            sender: sent.sender,
            sequence: sent.sequence,
            receiver: sent.receiver,
            sent_ms: sent.sent_ms,
            body: sent.body.clone(),
        });
        envelopes.map(Delivery::Message).collect()
    }

    #[actix::test]
    async fn actors_give_what_the_pure_host_gives() {
        let (seats, view, directory) = seats();
        let mut host = Host::new(seats.clone(), view.clone(), directory.clone(), SEED);
        let mut shell = ShellHost::new(seats, view, directory, SEED);
        host.start();
        shell.start();
        let (mut inbox, mut sent, mut crashes) = (Vec::new(), 0, 0);
        for slice in 0..200 {
            let (from_ms, until_ms) = (slice * 1_000, slice * 1_000 + 1_000);
            let pure = host.slice(from_ms, until_ms, inbox.clone());
            let carried = shell.slice(from_ms, until_ms, inbox).await.expect("all answer");
            assert_eq!(carried, pure, "slice {slice}");
            inbox = carry(&pure, until_ms);
            sent += pure.outgoing.len();
            crashes += pure.crashes.len();
        }
        assert_eq!(shell.checkpoint().await, Ok(host.checkpoint()));
        assert_eq!(crashes, 1);
        assert!(sent > 20, "{sent} messages were sent");
    }

    #[actix::test]
    async fn actors_go_on_from_a_checkpoint() {
        let (seats, view, directory) = seats();
        let mut host = Host::new(seats, view.clone(), directory.clone(), SEED);
        host.start();
        host.slice(0, 1_000, Vec::new());
        let mut shell = ShellHost::restore(host.checkpoint(), view, directory, SEED);
        shell.start();
        assert_eq!(shell.next_wake_ms(), host.next_wake_ms());
        for slice in 1..40 {
            let (from_ms, until_ms) = (slice * 1_000, slice * 1_000 + 1_000);
            let carried = shell.slice(from_ms, until_ms, Vec::new()).await;
            assert_eq!(carried, Ok(host.slice(from_ms, until_ms, Vec::new())));
        }
    }

    #[actix::test]
    async fn between_slices_nobody_else_holds_the_view() {
        let (seats, view, directory) = seats();
        let mut shell = ShellHost::new(seats, view, directory, SEED);
        shell.start();
        for slice in 0..5 {
            let done = shell.slice(slice * 1_000, slice * 1_000 + 1_000, Vec::new()).await;
            assert!(done.is_ok());
            assert!(Arc::get_mut(&mut shell.view).is_some(), "a fold would copy the view");
        }
    }

    #[actix::test]
    async fn a_dead_actor_ends_the_host() {
        struct Stop;
        impl Message for Stop {
            type Result = ();
        }
        impl Handler<Stop> for Shell {
            type Result = ();
            fn handle(&mut self, _: Stop, context: &mut Self::Context) {
                actix::ActorContext::stop(context);
            }
        }
        let who = identity("probes", 0, Some(NetUid(1)));
        let player = who.id;
        let settings = BehaviourSettings::Probe(ProbeSettings::default());
        let seats = [Seated::new(who, settings.build())];
        let mut shell = ShellHost::new(seats, View::new(genesis(1)), Directory::default(), SEED);
        assert_eq!(shell.seats[&player].send(Stop).await, Ok(()));
        let inbox = vec![Delivery::Message(greeting(500, 1, 0, player))];
        let gone = Err(ShellError::MailboxClosed { player });
        assert_eq!(shell.slice(0, 1_000, inbox).await, gone);
        assert_eq!(shell.checkpoint().await, Err(ShellError::MailboxClosed { player }));
    }
}
