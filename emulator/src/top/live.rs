//! A live run as a source of news: its door tells the state once, then every block as it is made, and how the run does.
//!
//! What belongs here: following a run to its end, also where its processes are started again. What does not: what is spoken
//! at the door (`run::door`), and what is kept and shown (`model`).

use super::model::News;
use super::scene::{Scene, Told};
use crate::names::Names;
use crate::run::death;
use crate::run::door::{Answer, Command, From, Request, Standing, knock};
use crate::run::wire::Wire;
use crate::run::wire_error::WireError;
use protocol::apply::apply;
use protocol::state::State;
use protocol::units::Height;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::thread;
use std::time::Duration;

/// How often a door that leads nowhere is tried while the run's launcher lives.
const RESTART_ATTEMPTS_MAX: u32 = 600;
/// The same where it does not, or is not known.
const ATTEMPTS_MAX: u32 = 20;
/// How long to wait between them.
const ATTEMPT_WAIT_MS: u64 = 100;
/// How often a run is asked how it does.
const STATUS_EVERY_MS: u64 = 1_000;
/// How long the answer may take: it waits for nothing but the door.
const STATUS_WAIT_MS_MAX: u64 = 5_000;

/// A live run at the block at which somebody came.
#[derive(Debug)]
pub struct Live {
    run: PathBuf,
    state: State,
    /// The genesis block.
    pub genesis: Height,
    /// The block at which somebody came.
    pub height: Height,
    /// What is shown of it.
    pub scene: Arc<Scene>,
}

impl Live {
    /// Asks at the door of a run for its state; nothing where nobody answers.
    ///
    /// # Errors
    /// Why the run does not answer as it should.
    pub async fn enter(run: &Path) -> Result<Option<Self>, String> {
        let Some(mut wire) = knock(run, Request::State).await else { return Ok(None) };
        match wire.receive::<Answer>().await {
            Ok(Answer::Standing(standing)) => {
                let Standing { genesis, state } = *standing;
                let state = storage::codec::decode::<State>(&state)
                    .ok()
                    .filter(|state| state.misfit().is_none())
                    .ok_or_else(|| "the run tells a state that is none".to_owned())?;
                let scene = Arc::new(Scene::of(&state, None));
                let (run, height) = (run.to_owned(), state.height);
                Ok(Some(Self { run, state, genesis, height, scene }))
            }
            Ok(Answer::Refused(why)) => Err(why),
            Ok(_) => Err("the run answers out of turn".to_owned()),
            Err(error @ (WireError::Garbled(_) | WireError::TooLong { .. })) => {
                Err(error.to_string())
            }
            Err(_) => Ok(None),
        }
    }

    /// Starts to follow. The threads end when nobody hears them any more, or with the run.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(self, news: SyncSender<News>) -> std::io::Result<()> {
        let (run, tell) = (self.run.clone(), news.clone());
        let builder = thread::Builder::new().name("top asks".to_owned());
        builder.spawn(move || in_runtime(&tell, ask(&run, &tell)))?;
        let builder = thread::Builder::new().name("top follows".to_owned());
        builder.spawn(move || in_runtime(&news, self.follow(&news)))?;
        Ok(())
    }

    /// Every block from here on.
    async fn follow(mut self, news: &SyncSender<News>) {
        let (mut names, mut launcher) = (None, None);
        let mut attempt = 0;
        let why = loop {
            attempt += 1;
            let from = From::Height(self.height.0 + 1);
            if let Some(wire) = knock(&self.run, Request::Follow { from }).await {
                let before = self.height;
                match self.follow_wire(wire, &mut names, &mut launcher, news).await {
                    Left::Over(why) => break why,
                    Left::Lost if self.height > before => attempt = 0,
                    Left::Lost => {}
                    Left::Unheard => return,
                }
            }
            let is_alive = launcher.is_some_and(death::is_alive);
            if attempt >= if is_alive { RESTART_ATTEMPTS_MAX } else { ATTEMPTS_MAX } {
                break format!("the run is out of reach since block {}", self.height);
            }
            tokio::time::sleep(Duration::from_millis(ATTEMPT_WAIT_MS)).await;
        };
        // Nobody is there to hear it once the view is closed.
        news.send(News::Over(why)).ok();
    }

    async fn follow_wire(
        &mut self,
        mut wire: Wire,
        names: &mut Option<Names>,
        launcher: &mut Option<u32>,
        news: &SyncSender<News>,
    ) -> Left {
        loop {
            match wire.receive::<Answer>().await {
                Ok(Answer::Following(following)) => {
                    *launcher = Some(following.launcher_pid);
                    names.get_or_insert(following.names);
                }
                Ok(Answer::Block(block)) => {
                    let height = block.header.height;
                    if height.0 != self.height.0 + 1 {
                        return Left::Over(format!("block {height} came out of turn"));
                    }
                    for event in &block.events {
                        if let Err(error) = apply(&mut self.state, event) {
                            return Left::Over(format!("block {height} does not fit: {error}"));
                        }
                    }
                    self.height = height;
                    self.scene = Arc::new(Scene::of(&self.state, Some(&self.scene)));
                    let names = names.get_or_insert_default();
                    block.events.iter().for_each(|event| names.follow(event));
                    let told = Told::of(height, &block.events, names);
                    let all =
                        [News::Scene(self.scene.clone()), News::Told(told), News::Tip(height.0)];
                    if all.into_iter().any(|one| news.send(one).is_err()) {
                        return Left::Unheard;
                    }
                }
                Ok(Answer::Over { tip }) => {
                    return Left::Over(format!("the run is over: it ended at block {tip}"));
                }
                Ok(Answer::Refused(why)) => return Left::Over(why),
                Ok(Answer::Status(_) | Answer::Standing(_)) => {
                    return Left::Over("the run answers out of turn".to_owned());
                }
                Err(error @ (WireError::Garbled(_) | WireError::TooLong { .. })) => {
                    return Left::Over(error.to_string());
                }
                Err(_) => return Left::Lost,
            }
        }
    }
}

/// How a live run was left.
enum Left {
    /// For good, and why.
    Over(String),
    /// The connection ended; the run may go on.
    Lost,
    /// Nobody hears the news any more.
    Unheard,
}

/// How the run does, again and again, until it is over or nobody hears it.
async fn ask(run: &Path, news: &SyncSender<News>) {
    let mut unanswered = 0;
    while unanswered < RESTART_ATTEMPTS_MAX {
        unanswered += 1;
        if let Some(mut wire) = knock(run, Request::Control(Command::Status)).await {
            let wait = Duration::from_millis(STATUS_WAIT_MS_MAX);
            let answer = tokio::time::timeout(wait, wire.receive::<Answer>()).await;
            if let Ok(Ok(Answer::Status(status))) = answer {
                unanswered = 0;
                if news.send(News::Status(status)).is_err() {
                    return;
                }
            }
        }
        tokio::time::sleep(Duration::from_millis(STATUS_EVERY_MS)).await;
    }
}

fn in_runtime(news: &SyncSender<News>, work: impl Future<Output = ()>) {
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(work),
        // Nobody is there to hear it once the view is closed.
        Err(error) => drop(news.send(News::Over(format!("the system gives no runtime: {error}")))),
    }
}
