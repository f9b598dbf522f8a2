//! The door of a live run: where other programs of the same user ask it something. sled lets one process have a log
//! open, so whoever wants to see a run while it goes on asks the chain.
//!
//! What belongs here: the words spoken at the door, and how they are answered. What does not: what is made of the
//! answers (`commands`). The engine never waits for anybody at the door: it says how far it is, and everything else is
//! done on a thread of the door's own, which reads blocks from the log at each follower's pace. So no queue is needed
//! and nothing is missed; a follower that does not read holds up nobody but itself.

use super::public::PublicFrame;
use super::wire::{Wire, WireError};
use crate::names::Names;
use protocol::event::Event;
use protocol::frame::Frame;
use protocol::units::Height;
use serde::{Deserialize, Serialize};
use std::io;
use std::os::unix::net::UnixListener as StdListener;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use storage::log::LogReader;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// The link in a run folder that leads to the run's door while the run is live.
pub const DOOR: &str = "door";
/// Version of the words below.
pub const DOOR_VERSION: u32 = 1;
/// How many may follow a run at a time.
pub const FOLLOWERS_MAX: usize = 16;
/// How long somebody at the door may take to say what it wants.
pub const KNOCK_WAIT_MS_MAX: u64 = 5_000;
/// How long a run that is over waits for its followers; they find the rest in the log.
pub const FAREWELL_WAIT_MS_MAX: u64 = 500;

/// The first message of whoever comes to the door.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Knock {
    /// Its [`DOOR_VERSION`].
    pub version: u32,
    /// What it wants.
    pub request: Request,
}

/// What can be asked of a live run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// Every block, as it is made. Answered by [`Answer::Following`], blocks, and [`Answer::Over`].
    Follow {
        /// The first one.
        from: From,
    },
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
    /// The genesis block.
    pub genesis: Height,
    /// The last block of the log.
    pub tip: Height,
    /// The names in use.
    pub names: Names,
    /// Reads the log.
    pub reader: LogReader,
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
    tip: Height,
    is_over: bool,
}

/// What everybody at the door is served from.
#[derive(Debug)]
struct Room {
    genesis: Height,
    progress: watch::Sender<Progress>,
    names: Mutex<NameBook>,
    reader: LogReader,
}

/// The names at the start and what changed them since.
#[derive(Debug)]
struct NameBook {
    first: Names,
    changes: Vec<(Height, Event)>,
}

impl NameBook {
    /// The names before a block.
    fn before(&self, height: Height) -> Names {
        let mut names = self.first.clone();
        let changes = self.changes.iter().take_while(|(at, _)| *at < height);
        changes.for_each(|(_, event)| names.follow(event));
        names
    }
}

impl Door {
    /// Opens the door of a run and leads to it from the run folder.
    ///
    /// # Errors
    /// The socket, the link or the thread cannot be made.
    pub fn open(opening: Opening) -> io::Result<Self> {
        let Opening { run, socket, genesis, tip, names, reader } = opening;
        let listener = StdListener::bind(&socket)?;
        listener.set_nonblocking(true)?;
        let link = run.join(DOOR);
        forget(&link)?;
        std::os::unix::fs::symlink(&socket, &link)?;
        let (progress, _) = watch::channel(Progress { tip, is_over: false });
        let names = Mutex::new(NameBook { first: names, changes: Vec::new() });
        let room = Arc::new(Room { genesis, progress, names, reader });
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
            names.changes.push((height, event.clone()));
        }
        self.room.progress.send_modify(|progress| progress.tip = progress.tip.max(height));
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.room.progress.send_modify(|progress| progress.is_over = true);
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
    let mut progress = room.progress.subscribe();
    let mut followers = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let (socket, _) = accepted?;
                let room = (followers.len() < FOLLOWERS_MAX).then(|| room.clone());
                followers.spawn(answer(socket, room));
            }
            Some(_) = followers.join_next() => {}
            _ = progress.wait_for(|progress| progress.is_over) => break,
        }
    }
    let rest = async { while followers.join_next().await.is_some() {} };
    let wait = Duration::from_millis(FAREWELL_WAIT_MS_MAX);
    if tokio::time::timeout(wait, rest).await.is_err() {
        tracing::debug!("a follower is behind; it finds the rest in the log");
    }
    Ok(())
}

/// Answers one that came to the door; there is no room when too many are there already.
async fn answer(socket: UnixStream, room: Option<Arc<Room>>) {
    let mut wire = Wire::new(socket);
    let wait = Duration::from_millis(KNOCK_WAIT_MS_MAX);
    let Ok(knocked) = tokio::time::timeout(wait, wire.receive::<Knock>()).await else { return };
    let answered = match (knocked, room) {
        (Err(WireError::Garbled(_)), _) => refuse(&mut wire, OTHER_VERSION.to_owned()).await,
        (Err(error), _) => Err(error),
        (Ok(knock), _) if knock.version != DOOR_VERSION => {
            refuse(&mut wire, OTHER_VERSION.to_owned()).await
        }
        (Ok(_), None) => {
            refuse(&mut wire, format!("{FOLLOWERS_MAX} others follow this run already")).await
        }
        (Ok(Knock { request: Request::Follow { from }, .. }), Some(room)) => {
            follow(&mut wire, &room, from).await
        }
    };
    if let Err(error) = answered {
        tracing::debug!(%error, "a follower is gone");
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
    let following = Following { genesis: room.genesis, first, tip, names };
    wire.send(&Answer::Following(Box::new(following))).await?;
    let mut next = first;
    loop {
        let Progress { tip, is_over } = *progress.borrow_and_update();
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
