//! The door of a live run: where other programs of the same user ask it something. sled lets one process have a log
//! open, so whoever wants to see a run while it goes on asks the chain.
//!
//! What belongs here: the words spoken at the door, and how they are answered. What does not: what is made of the
//! answers (`commands`). The engine never waits for anybody at the door: it says how far it is, and everything else is
//! done on a thread of the door's own, which reads blocks from the log at each follower's pace. So no queue is needed
//! and nothing is missed; a follower that does not read holds up nobody but itself. What is asked of the run waits in
//! `control`, where the engine looks at every block border.

use super::control::{Control, Ended, Motion};
use super::public::PublicFrame;
use super::status::{About, Board, ProcessRow, Status};
use super::wire::Wire;
use super::wire_error::WireError;
use crate::clock::Pace;
use crate::names::Names;
use crate::plan::Plan;
use protocol::event::Event;
use protocol::frame::Frame;
use protocol::units::Height;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::io;
use std::os::unix::net::UnixListener as StdListener;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use storage::cache::Cache;
use storage::codec::encode;
use storage::fold::{ReadError, state_beside};
use storage::log::LogReader;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

/// The link in a run folder that leads to the run's door while the run is live.
pub const DOOR: &str = "door";
/// Version of the words below.
pub const DOOR_VERSION: u32 = 3;
/// How many may follow a run at a time.
pub const FOLLOWERS_MAX: usize = 16;
/// How many may ask for something else at a time.
pub const CONTROLLERS_MAX: usize = 16;
/// How many are told the state at a time; each has one of its own in memory meanwhile, and further ones wait.
pub const STATES_TOLD_MAX: usize = 1;
/// How many may stand at the door, those that have not said yet what they want among them; others wait outside.
pub const VISITORS_MAX: usize = 64;
/// Changes of names that are kept one by one, for followers of the past; older ones are in the first names.
pub const NAME_CHANGES_MAX: usize = 4_096;
/// How long what somebody at the door wants may be, in bytes; nobody there says anything longer later.
pub const KNOCK_BYTES_MAX: usize = 4_096;
/// How long somebody at the door may take to say what it wants.
pub const KNOCK_WAIT_MS_MAX: u64 = 5_000;
/// How long a run that is over waits for its followers; they find the rest in the log.
pub const FAREWELL_WAIT_MS_MAX: u64 = 500;

/// The first message of whoever comes to the door.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Knock {
    /// Its [`DOOR_VERSION`].
    pub version: u32,
    /// What it wants.
    pub request: Request,
}

/// What can be asked of a live run.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Request {
    /// Every block, as it is made. Answered by [`Answer::Following`], blocks, and [`Answer::Over`].
    Follow {
        /// The first one.
        from: From,
    },
    /// To go on otherwise, or nothing but how it does. Answered by [`Answer::Status`] once that is in force.
    Control(Command),
    /// The state after the last block. Answered by [`Answer::Standing`].
    State,
}

/// What a live run can be told.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Command {
    /// Say how it does.
    Status,
    /// Stand at the next block border.
    Pause,
    /// Go on.
    Resume,
    /// Let simulated time pass so fast.
    Pace(Pace),
    /// End at the next block border.
    Stop,
}

/// Where a follower begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum From {
    /// After the last block there is.
    Now,
    /// At a height.
    Height(u64),
    /// So many blocks after genesis.
    Since(u64),
}

/// What a live run answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Answer {
    /// No, and why.
    Refused(String),
    /// The follower's blocks come now.
    Following(Box<Following>),
    /// A block.
    Block(Box<PublicFrame>),
    /// The run is over.
    Over {
        /// Its last block.
        tip: Height,
    },
    /// How the run does.
    Status(Box<Status>),
    /// Where it stands.
    Standing(Box<Standing>),
}

/// The state of a live run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// The genesis block.
    pub genesis: Height,
    /// The state after the last block, encoded. What is sealed is in no state.
    #[serde(with = "serde_bytes")]
    pub state: Vec<u8>,
}

/// What a follower is told first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Following {
    /// The genesis block.
    pub genesis: Height,
    /// The first block that will come.
    pub first: Height,
    /// The last block there is.
    pub tip: Height,
    /// The run's launcher: while it lives, a run whose chain is lost goes on.
    pub launcher_pid: u32,
    /// The names in use before the first block that comes; after a resumption, those at its start for older blocks.
    pub names: Names,
}

/// What a door is opened with.
#[derive(Debug)]
pub struct Opening {
    /// The run folder.
    pub run: PathBuf,
    /// Where to listen; a short path.
    pub socket: PathBuf,
    /// The last block of the log.
    pub tip: Height,
    /// The names in use.
    pub names: Names,
    /// Reads the log.
    pub reader: LogReader,
    /// The run's snapshots.
    pub cache: Cache,
    /// Where the run is going, and what it was started for.
    pub control: Control,
    /// What is told of the run.
    pub about: About,
}

/// An open door; it closes when it is dropped.
#[derive(Debug)]
pub struct Door {
    link: PathBuf,
    socket: PathBuf,
    room: Arc<Room>,
    thread: Option<JoinHandle<()>>,
}

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Progress {
    /// The last block of the log.
    tip: Height,
    /// The last block that was made, which may be one that the log held already.
    made: Height,
    is_over: bool,
}

/// What everybody at the door is served from.
#[derive(Debug)]
struct Room {
    genesis: Height,
    launcher_pid: u32,
    progress: watch::Sender<Progress>,
    /// Whether the run is over, for those who need not wake at every block.
    over: watch::Sender<bool>,
    names: Mutex<NameBook>,
    reader: LogReader,
    cache: Cache,
    control: Control,
    board: Mutex<Board>,
    /// Room for so many more of each kind.
    followers: Semaphore,
    controllers: Semaphore,
    states: Semaphore,
}

/// The names at the start and what changed them since.
#[derive(Debug)]
struct NameBook {
    first: Names,
    changes: VecDeque<(Height, Event)>,
}

impl NameBook {
    /// The names before a block.
    fn before(&self, height: Height) -> Names {
        let mut names = self.first.clone();
        let changes = self.changes.iter().take_while(|(at, _)| *at < height);
        changes.for_each(|(_, event)| names.follow(event));
        names
    }

    /// Keeps a change; the oldest of too many is no longer told apart.
    fn note(&mut self, height: Height, event: Event) {
        if self.changes.len() >= NAME_CHANGES_MAX
            && let Some((_, oldest)) = self.changes.pop_front()
        {
            self.first.follow(&oldest);
        }
        self.changes.push_back((height, event));
    }
}

impl Door {
    /// Opens the door of a run and leads to it from the run folder.
    ///
    /// # Errors
    /// The socket, the link or the thread cannot be made.
    pub fn open(opening: Opening) -> io::Result<Self> {
        let Opening { run, socket, tip, names, reader, cache, control, about } = opening;
        let listener = StdListener::bind(&socket)?;
        listener.set_nonblocking(true)?;
        let link = run.join(DOOR);
        forget(&link)?;
        std::os::unix::fs::symlink(&socket, &link)?;
        let (progress, _) = watch::channel(Progress { tip, made: tip, is_over: false });
        let (over, _) = watch::channel(false);
        let names = Mutex::new(NameBook { first: names, changes: VecDeque::new() });
        let room = Arc::new(Room {
            genesis: about.genesis,
            launcher_pid: about.launcher_pid,
            progress,
            over,
            names,
            reader,
            cache,
            control,
            board: Mutex::new(Board::new(about)),
            followers: Semaphore::new(FOLLOWERS_MAX),
            controllers: Semaphore::new(CONTROLLERS_MAX),
            states: Semaphore::new(STATES_TOLD_MAX),
        });
        let serving = room.clone();
        let builder = std::thread::Builder::new().name("door".to_owned());
        let thread = builder.spawn(move || serve(listener, &serving))?;
        Ok(Self { link, socket, room, thread: Some(thread) })
    }

    /// Says that a block was appended.
    pub fn publish(&self, frame: &Frame) {
        let height = frame.header.height;
        for event in frame.events.iter().filter(|event| Names::is_changed_by(event)) {
            let mut names = self.room.names.lock().unwrap_or_else(PoisonError::into_inner);
            names.note(height, event.clone());
        }
        self.room.progress.send_modify(|progress| {
            progress.made = height;
            progress.tip = progress.tip.max(height);
        });
    }

    /// Says what the processes do, for whoever asks.
    pub fn note(&self, height: Height, processes: Vec<ProcessRow>) {
        self.room.progress.send_modify(|progress| progress.made = height);
        self.room.board().note(height, processes);
    }

    /// Says that the run goes on otherwise from here.
    pub fn turn(&self) {
        self.room.board().turn();
    }
}

impl Room {
    fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn status(&self) -> Status {
        let Progress { made, is_over, .. } = *self.progress.borrow();
        self.board().status(&self.control, made, is_over)
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.room.progress.send_modify(|progress| progress.is_over = true);
        self.room.over.send_replace(true);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::warn!("the door's thread panicked");
        }
        let ours = std::fs::read_link(&self.link).is_ok_and(|target| target == self.socket);
        let gone = if ours { forget(&self.link) } else { Ok(()) };
        if let Err(error) = gone.and_then(|()| forget(&self.socket)) {
            tracing::debug!(%error, "the door leaves something behind");
        }
    }
}

/// Asks at a run's door; nobody answers at that of a run that is over.
pub async fn knock(run: &Path, request: Request) -> Option<Wire> {
    let door = std::fs::read_link(run.join(DOOR)).ok()?;
    let mut wire = Wire::new(UnixStream::connect(&door).await.ok()?);
    let knock = Knock { version: DOOR_VERSION, request };
    wire.send(&knock).await.is_ok().then_some(wire)
}

/// Takes a file away if it is there.
fn forget(path: &Path) -> io::Result<()> {
    std::fs::remove_file(path).or_else(|error| match error.kind() {
        io::ErrorKind::NotFound => Ok(()),
        _ => Err(error),
    })
}

fn serve(listener: StdListener, room: &Arc<Room>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let served = runtime.and_then(|runtime| runtime.block_on(serve_all(listener, room)));
    if let Err(error) = served {
        tracing::warn!(%error, "the run cannot be followed any more");
    }
}

async fn serve_all(listener: StdListener, room: &Arc<Room>) -> io::Result<()> {
    let listener = UnixListener::from_std(listener)?;
    let mut over = room.over.subscribe();
    let mut visitors = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept(), if visitors.len() < VISITORS_MAX => {
                let (socket, _) = accepted?;
                visitors.spawn(answer(socket, room.clone()));
            }
            Some(_) = visitors.join_next() => {}
            _ = over.wait_for(|over| *over) => break,
        }
    }
    let rest = async { while visitors.join_next().await.is_some() {} };
    let wait = Duration::from_millis(FAREWELL_WAIT_MS_MAX);
    if tokio::time::timeout(wait, rest).await.is_err() {
        tracing::debug!("a follower is behind; it finds the rest in the log");
    }
    Ok(())
}

/// Answers one that came to the door; refused when too many want the same already.
async fn answer(socket: UnixStream, room: Arc<Room>) {
    let mut wire = Wire::new(socket);
    wire.limit(KNOCK_BYTES_MAX);
    let wait = Duration::from_millis(KNOCK_WAIT_MS_MAX);
    let Ok(knocked) = tokio::time::timeout(wait, wire.receive::<Knock>()).await else { return };
    let answered = match knocked {
        Err(WireError::Garbled(_)) => refuse(&mut wire, OTHER_VERSION.to_owned()).await,
        Err(error) => Err(error),
        Ok(knock) if knock.version != DOOR_VERSION => {
            refuse(&mut wire, OTHER_VERSION.to_owned()).await
        }
        Ok(Knock { request: Request::Follow { from }, .. }) => match room.followers.try_acquire() {
            Ok(_place) => follow(&mut wire, &room, from).await,
            Err(_) => {
                refuse(&mut wire, format!("{FOLLOWERS_MAX} others follow this run already")).await
            }
        },
        Ok(Knock { request: Request::State, .. }) => match room.controllers.try_acquire() {
            Ok(_place) => tell_state(&mut wire, &room).await,
            Err(_) => refuse(&mut wire, too_many()).await,
        },
        Ok(Knock { request: Request::Control(command), .. }) => {
            match room.controllers.try_acquire() {
                Ok(_place) => obey(&mut wire, &room, command).await,
                Err(_) => refuse(&mut wire, too_many()).await,
            }
        }
    };
    if let Err(error) = answered {
        tracing::debug!(%error, "a visitor is gone");
    }
}

/// Passes on what is asked, and answers once it is in force or the run is over.
async fn obey(wire: &mut Wire, room: &Room, command: Command) -> Result<(), WireError> {
    let control = &room.control;
    let number = match command {
        Command::Status => None,
        Command::Pause => Some(control.ask(|wish| wish.motion = Motion::Paused)),
        Command::Resume => Some(control.ask(|wish| wish.motion = Motion::Running)),
        Command::Pace(pace) => Some(control.ask(|wish| wish.pace = pace)),
        Command::Stop => Some(control.end(Ended::Stopped)),
    };
    if let Some(number) = number {
        let mut over = room.over.subscribe();
        let over = async { drop(over.wait_for(|over| *over).await) };
        tokio::select! {
            () = control.obeyed(number) => {}
            () = over => {}
            // Whoever asked says nothing more: this is its end. What it asked for holds.
            _ = wire.receive::<Request>() => return Ok(()),
        }
    }
    wire.send(&Answer::Status(Box::new(room.status()))).await
}

fn too_many() -> String {
    format!("{CONTROLLERS_MAX} others wait for this run's answer already")
}

/// Tells the state after the last block: folded from the newest snapshot on, beside whoever makes the run.
async fn tell_state(wire: &mut Wire, room: &Arc<Room>) -> Result<(), WireError> {
    let Ok(_turn) = room.states.acquire().await else { return Ok(()) };
    let reading = room.clone();
    let read = tokio::task::spawn_blocking(move || {
        let Room { reader, cache, progress, genesis, .. } = &*reading;
        let tip = progress.borrow().tip;
        let start = || {
            let genesis = reader.genesis::<Plan>()?;
            Ok((genesis.plan.genesis, genesis.header))
        };
        let folder = state_beside(reader, cache, start, tip)?;
        Ok::<_, ReadError>(Standing { genesis: *genesis, state: encode(folder.state()) })
    });
    match read.await {
        Ok(Ok(standing)) => wire.send(&Answer::Standing(Box::new(standing))).await,
        Ok(Err(error)) => refuse(wire, error.to_string()).await,
        Err(error) => refuse(wire, format!("the state cannot be told: {error}")).await,
    }
}

const OTHER_VERSION: &str = "the run was started by another build of btemu";

async fn refuse(wire: &mut Wire, why: String) -> Result<(), WireError> {
    wire.send(&Answer::Refused(why)).await
}

async fn follow(wire: &mut Wire, room: &Room, from: From) -> Result<(), WireError> {
    let mut progress = room.progress.subscribe();
    let tip = progress.borrow().tip;
    let first = match from {
        From::Now => Height(tip.0 + 1),
        From::Height(height) => Height(height.max(room.genesis.0 + 1)),
        From::Since(blocks) => Height(room.genesis.0.saturating_add(blocks.max(1))),
    };
    let names = room.names.lock().unwrap_or_else(PoisonError::into_inner).before(first);
    let (genesis, launcher_pid) = (room.genesis, room.launcher_pid);
    let following = Following { genesis, first, tip, launcher_pid, names };
    wire.send(&Answer::Following(Box::new(following))).await?;
    let mut next = first;
    loop {
        let Progress { tip, is_over, .. } = *progress.borrow_and_update();
        while next <= tip {
            let frame = match room.reader.frame(next) {
                Ok(frame) => frame,
                Err(error) => return refuse(wire, error.to_string()).await,
            };
            wire.send(&Answer::Block(Box::new(PublicFrame::new(frame)))).await?;
            next = Height(next.0 + 1);
        }
        if is_over {
            return wire.send(&Answer::Over { tip }).await;
        }
        tokio::select! {
            changed = progress.changed() => if changed.is_err() { return Ok(()) },
            // A follower says nothing more: this is its end.
            _ = wire.receive::<Request>() => return Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::units::NetUid;

    fn renamed(number: usize) -> Event {
        Event::SymbolUpdated { netuid: NetUid(1), symbol: number.to_string() }
    }

    #[test]
    fn the_oldest_of_too_many_names_is_shown_as_if_it_had_always_been() {
        let mut book = NameBook { first: Names::default(), changes: VecDeque::new() };
        for number in 0..NAME_CHANGES_MAX + 10 {
            book.note(Height(number as u64), renamed(number));
        }
        assert_eq!(book.changes.len(), NAME_CHANGES_MAX);
        let symbol =
            |height: usize| book.before(Height(height as u64)).symbol(Some(NetUid(1))).to_owned();
        assert_eq!(symbol(0), "9", "ten were folded into the first names");
        assert_eq!(symbol(11), "10");
        assert_eq!(symbol(NAME_CHANGES_MAX), (NAME_CHANGES_MAX - 1).to_string());
    }
}
