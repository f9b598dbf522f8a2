//! The shell: one actix actor per player, and a host that waits for them.
//!
//! The only file that names actix, and the only one that awaits. It knows no behaviour and adds no order:
//! a player steps through `Seated::step_inputs` here as in the pure host, so both give the same results.

use crate::host::{
    Agenda, Delivery, HostCheckpoint, Phase, Seated, SliceDone, World, seats_in_order,
};
use crate::machine::Directory;
use crate::roster::Roster;
use actix::{Actor, Addr, Context, Handler, MailboxError, Message};
use protocol::apply::Inconsistent;
use protocol::event::Event;
use protocol::units::{Height, PlayerId};
use protocol::view::View;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

/// Messages that may wait for one player: a step, or somebody who looks at it, never both.
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

/// A slice of one player: its deliveries and what it may see. Whoever drops it undone says so.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Step {
    seat: usize,
    player: PlayerId,
    deliveries: Vec<Delivery>,
    /// Gone when the step is done.
    slice: Option<Arc<Slice>>,
}

/// A slice of simulated time in work: what all its players see and what they say.
#[derive(Debug)]
struct Slice {
    view: Arc<View>,
    directory: Arc<Directory>,
    seed: u64,
    from_ms: u64,
    until_ms: u64,
    said: Mutex<Said>,
}

/// What was said in a slice so far.
#[derive(Debug, Default)]
struct Said {
    done: SliceDone,
    /// Each seat's earliest timer.
    wakes_ms: Vec<(usize, Option<u64>)>,
    /// Players that are still to answer.
    open: usize,
    /// A player that will not.
    lost: Option<PlayerId>,
    /// Whom to wake when all have answered.
    waiting: Option<Waker>,
}

impl Slice {
    fn said(&self) -> MutexGuard<'_, Said> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until every player has answered, and takes what they said.
    async fn all_said(&self) -> Said {
        poll_fn(|context| {
            let mut said = self.said();
            if said.open == 0 {
                return Poll::Ready(std::mem::take(&mut *said));
            }
            said.waiting = Some(context.waker().clone());
            Poll::Pending
        })
        .await
    }
}

impl Said {
    fn answered(&mut self) {
        self.open -= 1;
        if self.open == 0
            && let Some(waiting) = self.waiting.take()
        {
            waiting.wake();
        }
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        if let Some(slice) = self.slice.take() {
            let mut said = slice.said();
            said.lost = Some(self.player);
            said.answered();
        }
    }
}

impl Handler<Step> for Shell {
    type Result = ();

    fn handle(&mut self, mut step: Step, _: &mut Self::Context) {
        let Some(slice) = step.slice.take() else { return };
        let world = World {
            view: &slice.view,
            directory: &slice.directory,
            seed: slice.seed,
            from_ms: slice.from_ms,
            until_ms: slice.until_ms,
        };
        let mut said = slice.said();
        let deliveries = std::mem::take(&mut step.deliveries);
        self.seated.step_inputs(deliveries, &world, &mut said.done);
        said.wakes_ms.push((step.seat, self.seated.next_wake_ms()));
        said.answered();
    }
}

/// Somebody who looks at seats, one after the other.
pub type Look = Arc<Mutex<dyn FnMut(&Seated) + Send>>;

/// Shows a player's seat to somebody.
#[derive(Message)]
#[rtype(result = "()")]
struct Show(Look);

impl Handler<Show> for Shell {
    type Result = ();

    fn handle(&mut self, Show(look): Show, _: &mut Self::Context) {
        (look.lock().unwrap_or_else(PoisonError::into_inner))(&self.seated);
    }
}

/// [`crate::host::Host`] with its machines in actors of the current arbiter.
#[derive(Debug)]
pub struct ShellHost {
    players: Roster<PlayerId>,
    /// In the order of the players.
    seats: Vec<Addr<Shell>>,
    entering: Vec<usize>,
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
        let seats = seats_in_order(seats);
        let mut agenda = Agenda::new(seats.len());
        let mut entering = Vec::new();
        for (seat, seated) in seats.iter().enumerate() {
            agenda.note(seat, seated.next_wake_ms());
            if seated.phase() == Phase::Entering {
                entering.push(seat);
            }
        }
        Self {
            players: seats.iter().map(|seated| seated.identity().id).collect(),
            seats: seats.into_iter().map(|seated| Shell { seated }.start()).collect(),
            entering,
            agenda,
            view: Arc::new(view),
            directory: Arc::new(directory),
            seed,
        }
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

    /// The block that the players know last.
    pub fn height(&self) -> Height {
        self.view.state().height
    }

    /// Lets every player that has not started enter with the first slice.
    pub fn start(&mut self) {
        for seat in self.entering.drain(..) {
            self.agenda.note(seat, Some(0));
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
        let called = self.agenda.called(&self.players, until_ms, deliveries);
        let said = Said { open: called.len(), ..Said::default() };
        let slice = Arc::new(Slice {
            view: Arc::clone(&self.view),
            directory: Arc::clone(&self.directory),
            seed: self.seed,
            from_ms,
            until_ms,
            said: Mutex::new(said),
        });
        // Asking all before waiting for any lets the actors run one after the other.
        for (seat, deliveries) in called {
            let player = self.players.keys()[seat];
            let step = Step { seat, player, deliveries, slice: Some(Arc::clone(&slice)) };
            // A mailbox that does not take the step drops it, and the step says so.
            self.seats[seat].do_send(step);
        }
        let Said { mut done, wakes_ms, lost, .. } = slice.all_said().await;
        if let Some(player) = lost {
            return Err(ShellError::MailboxClosed { player });
        }
        for (seat, wake_ms) in wakes_ms {
            self.agenda.note(seat, wake_ms);
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

    /// Shows all seats to somebody, ascending by player; nothing is copied.
    ///
    /// # Errors
    /// An actor is gone; the host must end.
    pub async fn show(&self, look: &Look) -> Result<(), ShellError> {
        for (player, seat) in self.players.keys().iter().zip(&self.seats) {
            let shown = seat.send(Show(Arc::clone(look))).await;
            shown.map_err(|error| closed(*player, error))?;
        }
        Ok(())
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
        let entry = |seated: &Seated| (seated.identity().hotkey, seated.identity().id);
        let directory: Directory = seats.iter().map(entry).collect();
        (seats, View::new(state), directory)
    }

    /// All seats of a host, as they are shown.
    async fn shown(shell: &ShellHost) -> Result<Vec<Seated>, ShellError> {
        let all = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&all);
        let look: Look = Arc::new(Mutex::new(move |seated: &Seated| {
            seen.lock().expect("nobody panics").push(seated.clone());
        }));
        shell.show(&look).await?;
        let mut all = all.lock().expect("nobody panics");
        Ok(std::mem::take(&mut *all))
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
        assert_eq!(shown(&shell).await, Ok(host.checkpoint().seats));
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
        assert_eq!(shell.seats[0].send(Stop).await, Ok(()));
        let inbox = vec![Delivery::Message(greeting(500, 1, 0, player))];
        let gone = Err(ShellError::MailboxClosed { player });
        assert_eq!(shell.slice(0, 1_000, inbox).await, gone);
        assert_eq!(shown(&shell).await, Err(ShellError::MailboxClosed { player }));
    }
}
