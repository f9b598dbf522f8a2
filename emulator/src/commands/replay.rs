//! `btemu replay`: folds a log back into the protocol state, and shows the past to Prometheus as it goes.

use super::metrics_options::{DetailOptions, PushOptions, address};
use super::reading::{Reading, read_failure, verify_hint};
use super::telling::tell_summary;
use super::{BlockArgument, Failure, print, print_json};
use crate::clock::{Pace, Pacer, Stopwatch};
use crate::metrics::remote::{Epoch, Fate, Patience, RemoteWrite};
use crate::metrics::{Metrics, Server};
use crate::progress::{Progress, Showing};
use crate::run::death;
use crate::run::signals::Asked;
use crate::run::totals::{Account, Summary, Totals};
use crate::telling::tell_talk;
use protocol::frame::Frame;
use protocol::state::State;
use std::path::PathBuf;
use storage::fold::Folder;
use storage::log::EventLog;
use storage::pursuit::pursue;

/// `btemu replay`
#[derive(Debug, clap::Args)]
pub struct ReplayArguments {
    /// The run folder.
    run: PathBuf,
    /// The last block to fold: a height, or +N counted from genesis.
    #[arg(long, value_name = "B")]
    to: Option<BlockArgument>,
    /// Fold every block from genesis on, as every replay does.
    #[arg(long)]
    from_genesis: bool,
    /// Serve the metrics of the past at this address while it is folded.
    #[arg(long, value_name = "ADDR", value_parser = address)]
    metrics: Option<String>,
    /// How fast simulated time passes: max, realtime, or a factor such as 10x or 0.5x.
    #[arg(long, value_name = "PACE", default_value_t = Pace::Max)]
    pace: Pace,
    /// Go on serving the last block until asked to end by Ctrl-C: at full speed most runs are over before a scrape.
    #[arg(long, requires = "metrics")]
    hold: bool,
    #[command(flatten)]
    push: PushOptions,
    #[command(flatten)]
    detail: DetailOptions,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Folds every block from genesis on and checks every frame hash and state root.
pub fn run(arguments: &ReplayArguments) -> Result<(), Failure> {
    let stopwatch = Stopwatch::start();
    let mut reading = Reading::open(&arguments.run)?;
    let to = reading.height(arguments.to)?;
    let failed = |error| Failure::failed(error, verify_hint());
    let mut exhibition = Exhibition::open(arguments, &reading)?;
    let mut folder = Folder::new(reading.plan.take_genesis(), &reading.genesis).map_err(failed)?;
    let mut totals = Totals::default();
    let showing = Showing::unless_json(arguments.json);
    let progress = Progress::counting(reading.genesis.height.0, to.0, showing);
    let mut pacer = Pacer::start();
    let pursued = pursue(&mut folder, &reading.log, to, |frame, after| {
        while let Some(wait) = pacer.wait_for(arguments.pace) {
            std::thread::sleep(wait);
        }
        pacer.begin(arguments.pace);
        totals.add(frame);
        if let Some(exhibition) = &mut exhibition {
            exhibition.block(frame, after);
        }
        progress.at(frame.header.height.0);
    });
    let pushed = exhibition.as_mut().map(Exhibition::finish);
    pursued.map_err(read_failure)?;
    progress.finish();
    let account = Account {
        run: arguments.run.display().to_string(),
        plan: &reading.plan,
        simulation: reading.genesis.parent,
        header: folder.header(),
        state: folder.state(),
        totals: &totals,
    };
    let mut summary = Summary::new(&account);
    summary.wall_seconds = stopwatch.seconds();
    summary.blocks_per_second = summary.blocks as f64 / summary.wall_seconds.max(1e-9);
    summary.log_bytes = reading.log.bytes();
    summary.peak_rss_bytes = death::peak_rss_bytes();
    if arguments.json {
        print_json(&summary)?;
    } else {
        print(&tell_summary(&summary))?;
        print("every frame hash and every state root holds\n")?;
    }
    if let (Some(Some(fate)), Some(url)) = (pushed, &arguments.push.remote_write) {
        told(&fate, url)?;
    }
    if arguments.hold { hold() } else { Ok(()) }
}

/// The past on show.
struct Exhibition {
    metrics: Metrics,
    /// Answers until it is dropped.
    _server: Option<Server>,
    remote: Option<RemoteWrite>,
}

impl Exhibition {
    /// Opens what was asked for; nothing if nothing was.
    fn open(arguments: &ReplayArguments, reading: &Reading) -> Result<Option<Self>, Failure> {
        let remote = arguments.push.order();
        let is_seen = arguments.metrics.is_some() || remote.is_some();
        arguments.detail.check_seen(is_seen)?;
        if !is_seen {
            return Ok(None);
        }
        let detail = arguments.detail.over_held(reading)?;
        let metrics = detail.metrics(&reading.plan, &reading.name(), &reading.plan.genesis);
        let serve = |address: &String| Server::start(address, metrics.clone());
        let server = arguments.metrics.as_ref().map(serve).transpose();
        let server = server.map_err(|error| Failure::failed(&error, error.hint()))?;
        if let Some(server) = &server {
            tell_talk(&format!("metrics at http://{}/metrics\n", server.address()));
        }
        let genesis = reading.genesis.height;
        let epoch = Epoch { genesis, unix_s: reading.plan.genesis_unix_s, sent: genesis };
        let start = |order| RemoteWrite::start(&order, metrics.clone(), epoch, Patience::Endless);
        let remote = remote.map(start).transpose();
        let remote = remote
            .map_err(|error| Failure::failed(format!("samples cannot be pushed: {error}"), None))?;
        Ok(Some(Self { metrics, _server: server, remote }))
    }

    fn block(&mut self, frame: &Frame, after: &State) {
        self.metrics.block(frame, after);
        if let Some(remote) = &mut self.remote {
            remote.block(&frame.header);
        }
    }

    /// Waits until all samples are where they go; says what became of them.
    fn finish(&mut self) -> Option<Fate> {
        self.remote.take().map(RemoteWrite::finish)
    }
}

/// Says what became of samples; a reader of the past who loses some has failed.
fn told(fate: &Fate, url: &str) -> Result<(), Failure> {
    let (sent, lost) = (fate.samples.sent, fate.samples.lost);
    if lost == 0 {
        tell_talk(&format!("{sent} samples were taken by {url}\n"));
        return Ok(());
    }
    let why = fate.why.clone().unwrap_or_default();
    let what = format!("{lost} of {} samples were not taken by {url}: {why}", sent + lost);
    let hint = "is it there, does it take remote write, and does it take samples of that time? \
                docs/metrics.md says what Prometheus needs";
    Err(Failure::failed(what, Some(hint.to_owned())))
}

/// Waits for Ctrl-C.
fn hold() -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::failed(error, None))?;
    runtime.block_on(async {
        let asked = Asked::listen();
        let mut asked = asked.map_err(|error| Failure::failed(&error, error.hint.clone()))?;
        tell_talk("serving the last block; Ctrl-C ends\n");
        asked.next().await;
        Ok(())
    })
}
