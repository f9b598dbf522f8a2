//! `btemu top`: a run in a terminal.
//!
//! What belongs here: opening a run, live or finished, and telling what is wrong. What does not: what is shown and what keys
//! do (`top`).

use super::Failure;
use super::reading::{Reading, log_failure};
use crate::names::Names;
use crate::top::finished;
use crate::top::live::Live;
use crate::top::model::{Life, Model, News, Wish};
use crate::top::scene::Scene;
use crate::top::scraped::{Address, Scraped};
use crate::top::terminal::{self, NEWS_WAITING_MAX, WISHES_WAITING_MAX};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;
use storage::log::{EventLog, LogError, SledLog};
use storage::runfolder::RunFolder;

/// How often the door and the log are tried before a run counts as out of reach: one that just began has no door yet, one
/// that just ended still has its log open.
const ATTEMPTS_MAX: u32 = 30;
/// How long to wait between them.
const ATTEMPT_WAIT_MS: u64 = 100;

/// `btemu top`
///
/// Shows the network, its subnets, the price of one of them and what happens. Along with a live run, whose processes it
/// shows too; of a finished run at any block: arrows, page keys, Home and End, or g and a height. ? shows the keys.
/// Of a run elsewhere what its metrics say (`btemu run --metrics ADDR`).
#[derive(Debug, clap::Args)]
pub struct TopArguments {
    /// The run folder; or where a run elsewhere serves its metrics: HOST:PORT or http://HOST:PORT.
    #[arg(value_name = "RUN|ADDR")]
    run: PathBuf,
}

/// A run that is open for looking at.
struct Opened {
    model: Model,
    news: Receiver<News>,
    /// Where wishes go; nowhere of a live run.
    wishes: Option<SyncSender<Wish>>,
}

/// Opens the run and shows it until the user has seen enough.
pub fn run(arguments: &TopArguments) -> Result<(), Failure> {
    if !std::io::stdin().is_terminal() || !std::io::stdout().is_terminal() {
        let run = arguments.run.display();
        let hint = match address(&arguments.run) {
            Some(_) => "`curl` tells the same metrics as text".to_owned(),
            None => format!(
                "`btemu ctl {run} status` and `btemu report {run}` tell as text how a run does"
            ),
        };
        return Err(Failure::usage("top draws on a terminal, and there is none here", Some(hint)));
    }
    let Opened { model, news, wishes } = match address(&arguments.run) {
        Some(address) => open_scraped(address)?,
        None => {
            let folder = RunFolder::open(&arguments.run);
            let folder = folder.map_err(|error| Failure::failed(&error, error.hint()))?;
            open(&arguments.run, &folder)?
        }
    };
    let shown = terminal::show(model, &news, wishes.as_ref());
    shown.map_err(|error| Failure::failed(format!("the terminal fails: {error}"), None))
}

/// Where a run elsewhere serves its metrics, if that is what is named: whatever is there as a folder is one.
fn address(run: &Path) -> Option<Result<Address, String>> {
    if run.exists() { None } else { run.to_str().and_then(Address::of) }
}

fn open_scraped(address: Result<Address, String>) -> Result<Opened, Failure> {
    let address = address.map_err(|what| {
        let hint = "HOST:PORT or http://HOST:PORT, as in 127.0.0.1:9464; or a run folder";
        Failure::usage(what, Some(hint.to_owned()))
    })?;
    let scraped = Scraped::enter(address).map_err(|what| {
        let hint = "a run serves its metrics with `btemu run … --metrics HOST:PORT`, to other machines with an \
                    address of its own that they reach";
        Failure::failed(what, Some(hint.to_owned()))
    })?;
    let (genesis, height) = (scraped.genesis, scraped.scene.height);
    let mut model =
        Model::new(scraped.name.clone(), Life::Live, genesis, height, scraped.scene.clone());
    model.counts = Some(scraped.counts.clone());
    let (tell, news) = sync_channel(NEWS_WAITING_MAX);
    scraped.start(tell).map_err(|error| Failure::failed(error, None))?;
    Ok(Opened { model, news, wishes: None })
}

/// A live run by its door, another one by its log.
fn open(run: &Path, folder: &RunFolder) -> Result<Opened, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::failed(error, None))?;
    for _ in 0..ATTEMPTS_MAX {
        let entered = runtime.block_on(Live::enter(&folder.path));
        if let Some(live) = entered.map_err(|why| Failure::failed(why, None))? {
            return open_live(run, live);
        }
        match SledLog::open(&folder.log_dir()) {
            Ok(log) => {
                drop(log);
                return open_finished(run);
            }
            Err(LogError::InUse { .. }) => {
                std::thread::sleep(Duration::from_millis(ATTEMPT_WAIT_MS));
            }
            Err(error) => return Err(log_failure(error)),
        }
    }
    let what = format!("the run {} is in use by another process that tells nothing", run.display());
    let hint = "a run can be watched while `btemu run` makes it; other commands take a moment";
    Err(Failure::failed(what, Some(hint.to_owned())))
}

fn open_live(run: &Path, live: Live) -> Result<Opened, Failure> {
    let name = run.display().to_string();
    let (genesis, height) = (live.genesis.0, live.height.0);
    let model = Model::new(name, Life::Live, genesis, height, live.scene.clone());
    let (tell, news) = sync_channel(NEWS_WAITING_MAX);
    live.start(tell).map_err(|error| Failure::failed(error, None))?;
    Ok(Opened { model, news, wishes: None })
}

fn open_finished(run: &Path) -> Result<Opened, Failure> {
    let reading = Reading::open(run)?;
    let tip = reading.log.tip();
    let folder = reading.state_at(tip)?;
    let names = Names::new(&reading.plan, folder.state());
    let scene = Arc::new(Scene::of(folder.state(), None));
    let genesis = reading.genesis.height.0;
    let model = Model::new(run.display().to_string(), Life::Finished, genesis, tip.0, scene);
    let (tell, news) = sync_channel(NEWS_WAITING_MAX);
    let (wishes, wished) = sync_channel(WISHES_WAITING_MAX);
    let started = finished::start(Arc::new(reading), names, wished, tell);
    started.map_err(|error| Failure::failed(error, None))?;
    // What happened in the last blocks is told at once.
    if let Some(wish) = model.wish() {
        wishes.send(wish).ok();
    }
    Ok(Opened { model, news, wishes: Some(wishes) })
}
