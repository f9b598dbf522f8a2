//! A finished run as a source of news: one thread reads the log from its beginning and tells every state on the way, another
//! one answers wishes at once, through the run's snapshots.
//!
//! What belongs here: reading. What does not: which of it is kept and shown (`model`).

use super::model::{News, Wish};
use super::scene::{Scene, Told};
use crate::commands::reading::Reading;
use crate::names::Names;
use protocol::units::Height;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender};
use std::thread;
use storage::fold::Folder;
use storage::log::EventLog;
use storage::pursuit::pursue;

/// Blocks before the one wished for whose events are told at most.
const TOLD_BEFORE: u64 = 200;
/// Lines of what players did that are enough.
const DEEDS_TOLD: usize = 40;
/// News of the log's reading come once in so many blocks.
const READ_EVERY: u64 = 50;

/// Starts both threads. They end when nobody hears them any more; what they cannot read they tell.
///
/// # Errors
/// The system gives no thread.
pub fn start(
    reading: Arc<Reading>,
    names: Names,
    wishes: Receiver<Wish>,
    news: SyncSender<News>,
) -> std::io::Result<()> {
    let (whole, tell) = (reading.clone(), news.clone());
    let builder = thread::Builder::new().name("top reads".to_owned());
    builder.spawn(move || {
        if let Err(what) = read(&whole, &tell) {
            // Nobody is there to hear it once the view is closed.
            tell.send(News::Trouble(what)).ok();
        }
    })?;
    let builder = thread::Builder::new().name("top looks".to_owned());
    builder.spawn(move || look(&reading, &names, &wishes, &news))?;
    Ok(())
}

/// Every state from genesis on.
fn read(reading: &Reading, news: &SyncSender<News>) -> Result<(), String> {
    let (genesis, tip) = (reading.genesis.height, reading.log.tip());
    let mut folder = Folder::new(reading.plan.genesis.clone(), &reading.genesis)
        .map_err(|error| error.to_string())?;
    let mut scene = Arc::new(Scene::of(folder.state(), None));
    if news.send(News::Scene(scene.clone())).is_err() {
        return Ok(());
    }
    let mut is_heard = true;
    let pursued = pursue(&mut folder, &reading.log, tip, |frame, after| {
        if !is_heard {
            return;
        }
        let height = frame.header.height;
        scene = Arc::new(Scene::of(after, Some(&scene)));
        is_heard = news.send(News::Scene(scene.clone())).is_ok();
        if (height.0 - genesis.0).is_multiple_of(READ_EVERY) || height == tip {
            is_heard &= news.send(News::Read(height.0)).is_ok();
        }
    });
    pursued.map_err(|error| error.to_string())
}

/// Answers wishes: only the newest counts.
fn look(reading: &Reading, names: &Names, wishes: &Receiver<Wish>, news: &SyncSender<News>) {
    let mut next = None;
    while let Some(wish) = next.take().or_else(|| wishes.recv().ok()) {
        let newest = || wishes.try_iter().last();
        match answer(reading, names, newest().unwrap_or(wish), news, newest) {
            Ok(newer) => next = newer,
            Err(what) => {
                if news.send(News::Trouble(what)).is_err() {
                    return;
                }
            }
        }
    }
}

/// The state first, then what happened, the newest block first; given up for a newer wish.
fn answer(
    reading: &Reading,
    names: &Names,
    wish: Wish,
    news: &SyncSender<News>,
    newer: impl Fn() -> Option<Wish>,
) -> Result<Option<Wish>, String> {
    let height = Height(wish.height);
    if wish.with_scene {
        let folder = reading.state_at(height).map_err(|failure| failure.to_string())?;
        if news.send(News::Scene(Arc::new(Scene::of(folder.state(), None)))).is_err() {
            return Ok(None);
        }
    }
    let first = reading.genesis.height.0 + 1;
    let mut deeds = 0;
    for height in (first.max(height.0.saturating_sub(TOLD_BEFORE))..=height.0).rev() {
        if let Some(newer) = newer() {
            return Ok(Some(newer));
        }
        let frame = reading.log.frame(Height(height)).map_err(|error| error.to_string())?;
        let told = Told::of(frame.header.height, &frame.events, names);
        deeds += told.lines.iter().filter(|line| line.is_deed).count();
        if news.send(News::Told(told)).is_err() || deeds >= DEEDS_TOLD {
            return Ok(None);
        }
    }
    Ok(None)
}
