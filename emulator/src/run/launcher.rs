//! The launcher: starts the chain and the hosts as processes of this same program, shows progress, stops them on
//! request, and leaves none behind.

use super::chain::{ChainOrder, Outlook, Report, drive, run_name};
use super::death;
use super::door::DOOR;
use super::family::{ChildLogs, Ended, Family, start};
use super::host::HostOrder;
use super::invitation::{TokenKnown, invitation};
use super::link::{Address, Place};
use super::secret;
use super::totals::Summary;
use crate::clock::Throttle;
use crate::progress::Progress;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::ChildStdout;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// How long the chain may take to say why it fails, after a host gave up.
const WORD_WAIT_MS_MAX: u64 = 1_000;

/// Why a run ends badly, told to its user.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct LaunchError {
    /// What happened.
    pub what: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// Whether the players had taken their seats; if not, the run never began.
    pub began: bool,
}

/// Makes a run and waits for its end; `told` hears of every restart. Without a token of its own the run gets one.
///
/// # Errors
/// What the user should know, with a hint.
pub fn launch(
    order: ChainOrder,
    logs: &ChildLogs,
    progress: &Progress,
    told: impl FnMut(&Restart),
) -> Result<Summary, LaunchError> {
    let folder = tempfile_folder().map_err(|error| system_error("a folder for sockets", &error))?;
    let is_known = !order.token.is_empty();
    let token = match is_known {
        true => order.token,
        false => secret::token().map_err(|error| system_error("a token", &error))?,
    };
    let order = ChainOrder { socket: folder.path().join("chain"), token, ..order };
    if !order.has_hosts() {
        return actix::System::new().block_on(launch_inside(order, progress));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| system_error("a runtime", &error))?;
    let token = if is_known { TokenKnown::Already } else { TokenKnown::FromTheCommand };
    runtime.block_on(launch_processes(order, token, logs, progress, told))
}

/// A short private folder: paths of sockets have little room.
fn tempfile_folder() -> io::Result<tempfile::TempDir> {
    let folder = tempfile::Builder::new().prefix("btemu-").tempdir()?;
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o700))?;
    Ok(folder)
}

fn system_error(what: &str, error: &io::Error) -> LaunchError {
    LaunchError { what: format!("cannot make {what}: {error}"), hint: None, began: false }
}

fn resume_hint(run: &str) -> String {
    format!("`btemu run --resume {run}` goes on")
}

async fn launch_inside(order: ChainOrder, progress: &Progress) -> Result<Summary, LaunchError> {
    let stop = Arc::new(AtomicBool::new(false));
    let (asked, mut signals) = (stop.clone(), Asked { signals: signals()?, count: 0 });
    let run = run_name(&order);
    actix::spawn(async move {
        signals.next().await;
        asked.store(true, Ordering::Relaxed);
        signals.next().await;
        eprintln!("error: stopped at once\n\nhint: {}", resume_hint(&run));
        std::process::exit(1);
    });
    let mut began = false;
    let done = drive(&order, stop, |report| {
        began |= matches!(report, Report::Started { .. });
        progress.show(&report);
    });
    let done = done.await;
    progress.finish();
    done.map_err(|error| LaunchError { what: error.to_string(), hint: error.hint(), began })
}

fn forget_unheard(result: io::Result<()>) {
    if let Err(error) = result {
        tracing::warn!(%error, "the chain cannot be told to stop");
    }
}

/// Makes a run with processes. When one of them is lost all are ended and started again, and the run goes on from
/// its newest checkpoint: blocks that the log holds already are made again and compared.
async fn launch_processes(
    mut order: ChainOrder,
    token: TokenKnown,
    logs: &ChildLogs,
    progress: &Progress,
    mut told: impl FnMut(&Restart),
) -> Result<Summary, LaunchError> {
    let program = std::env::current_exe().map_err(|error| system_error("processes", &error))?;
    let mut asked = Asked { signals: signals()?, count: 0 };
    let mut supervision = Supervision::default();
    loop {
        // A socket of its own: the file of one that was killed stays.
        order.socket = order.socket.with_file_name(format!("chain-{}", supervision.restarts));
        // Of a chain that was killed: its door stays as well, and nobody stands behind it.
        std::fs::remove_file(order.socket.with_file_name(DOOR)).ok();
        let attempt = attempt(&program, &order, token, logs, progress, &mut asked).await;
        supervision.began |= attempt.began;
        supervision.refused += attempt.refused;
        // Hosts from outside find the run again where it was.
        if let Some(Place::Tcp(address)) = attempt.place {
            order.link = Address::Tcp(address);
        }
        let why = match attempt.end {
            End::Done(mut summary) => {
                summary.restarts = supervision.restarts;
                summary.peers_refused = supervision.refused;
                summary.peak_rss_bytes += death::peak_rss_bytes();
                progress.finish();
                return Ok(*summary);
            }
            End::Final { what, hint } => {
                progress.finish();
                return Err(LaunchError { what, hint, began: supervision.began });
            }
            End::Missing { what, hint } if !supervision.began => {
                progress.finish();
                return Err(LaunchError { what, hint, began: false });
            }
            End::Missing { what, .. } => what,
            End::Lost(why) => why,
        };
        let wait = supervision.after(attempt.block, asked.count > 0);
        let Some(wait_ms) = wait else {
            progress.finish();
            let what = match asked.count {
                0 => format!("{why}; {RESTARTS_IDLE_MAX} restarts brought no further block"),
                _ => why,
            };
            let hint = resume_hint(&run_name(&order));
            let began = supervision.began;
            return Err(LaunchError { what, hint: began.then_some(hint), began });
        };
        let restarts = supervision.restarts;
        progress.show(&Report::Restarting { why: why.clone(), restarts });
        told(&Restart { why, restarts, block: attempt.block });
        tokio::time::sleep(Duration::from_millis(wait_ms)).await;
    }
}

/// What the operations journal keeps of a restart.
#[derive(Clone, Debug)]
pub struct Restart {
    /// What happened.
    pub why: String,
    /// How often it has happened in this run.
    pub restarts: u64,
    /// The last block that was told of, if any was.
    pub block: Option<u64>,
}

/// Restarts one after the other that bring no block, until a run is given up.
const RESTARTS_IDLE_MAX: u32 = 5;
/// Wait before a restart; it doubles with each that brings no block.
const BACKOFF_MS: u64 = 100;

/// How often a run was started again, and whether that helped.
#[derive(Debug, Default)]
struct Supervision {
    restarts: u64,
    idle: u32,
    best: Option<u64>,
    began: bool,
    /// Strangers that came.
    refused: u64,
}

impl Supervision {
    /// Counts a lost process; how long to wait before the next start, unless it is time to give up.
    fn after(&mut self, block: Option<u64>, is_stopping: bool) -> Option<u64> {
        if block > self.best {
            (self.best, self.idle) = (block, 0);
        } else {
            self.idle += 1;
        }
        if is_stopping || self.idle > RESTARTS_IDLE_MAX {
            return None;
        }
        self.restarts += 1;
        Some(BACKOFF_MS << self.idle)
    }
}

/// Requests to end, by Ctrl-C or the system.
struct Asked {
    signals: (Signal, Signal),
    count: u32,
}

impl Asked {
    /// Waits for the next request.
    async fn next(&mut self) {
        let (interrupt, terminate) = &mut self.signals;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        self.count += 1;
    }
}

fn signals() -> Result<(Signal, Signal), LaunchError> {
    let listen = |kind| signal(kind).map_err(|error| system_error("a way to hear signals", &error));
    Ok((listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?))
}

/// What became of one set of processes.
struct Attempt {
    began: bool,
    /// The last block it told of.
    block: Option<u64>,
    /// Where its hosts were awaited.
    place: Option<Place>,
    /// Strangers that came.
    refused: u64,
    end: End,
}

enum End {
    /// The run is over.
    Done(Box<Summary>),
    /// It would end the same way again.
    Final { what: String, hint: Option<String> },
    /// Something outside is not there.
    Missing { what: String, hint: Option<String> },
    /// A process was lost.
    Lost(String),
}

impl End {
    /// As a chain that failed says it.
    fn of(what: String, hint: Option<String>, outlook: Outlook) -> Self {
        match outlook {
            Outlook::Again => Self::Lost(what),
            Outlook::AgainOnceBegun => Self::Missing { what, hint },
            Outlook::Final => Self::Final { what, hint },
        }
    }
}

/// Why the chain fails, if it says so within a short time.
async fn last_word(reports: &mut Lines<BufReader<ChildStdout>>) -> Option<End> {
    let word = async {
        while let Ok(Some(line)) = reports.next_line().await {
            let report = serde_json::from_str::<Report>(&line);
            if let Ok(Report::Failed { what, hint, outlook }) = report {
                return Some(End::of(what, hint, outlook));
            }
        }
        None
    };
    tokio::time::timeout(Duration::from_millis(WORD_WAIT_MS_MAX), word).await.ok().flatten()
}

async fn attempt(
    program: &Path,
    order: &ChainOrder,
    token: TokenKnown,
    logs: &ChildLogs,
    progress: &Progress,
    asked: &mut Asked,
) -> Attempt {
    let end = End::Lost(String::new());
    let mut attempt = Attempt { began: false, block: None, place: None, refused: 0, end };
    let order_text = serde_json::to_string(order).expect("an order is plain data");
    let (mut chain, stdin) = match start(program, "chain".to_owned(), logs, order_text).await {
        Ok(started) => started,
        Err(error) => {
            attempt.end = End::Lost(format!("the chain process cannot be started: {error}"));
            return attempt;
        }
    };
    let stdout = chain.stdout.take().expect("it was asked to be piped");
    let mut reports = BufReader::new(stdout).lines();
    let mut family = Family::new(chain, stdin);
    let mut host_stdins = Vec::new();
    let mut end = None;
    while end.is_none() {
        let line = tokio::select! {
            line = reports.next_line() => line,
            // The chain learns of it when it next asks the host, which at a slow pace is long after.
            (why, how) = family.host_lost() => {
                let told = match how {
                    Ended::ByForce => None,
                    // It may have ended because the chain did, which then says why.
                    Ended::ByItself => last_word(&mut reports).await,
                };
                end = Some(told.unwrap_or(End::Lost(why)));
                continue;
            }
            () = asked.next() => {
                if asked.count > 1 {
                    let what = "stopped at once".to_owned();
                    let hint = resume_hint(&run_name(order));
                    family.kill().await;
                    end = Some(End::Final { what, hint: attempt.began.then_some(hint) });
                } else if let Some(stdin) = &mut family.chain_stdin {
                    forget_unheard(stdin.write_all(b"stop\n").await);
                }
                continue;
            }
        };
        let Ok(Some(line)) = line else { break };
        let Ok(report) = serde_json::from_str::<Report>(&line) else {
            tracing::warn!(line, "the chain said something that is no report");
            continue;
        };
        progress.show(&report);
        match report {
            Report::Listening { hosts: None, .. } => {}
            Report::Listening { hosts: Some(place), .. } => {
                if let Some(text) = invitation(order, &place, token) {
                    progress.talk(&text);
                }
                let pass = order.pass();
                for host in 0..order.hosts {
                    let host_order = HostOrder {
                        place: place.seen_here(),
                        run: pass.run.clone(),
                        host: Some(host),
                        token: pass.token.clone(),
                    };
                    let text = serde_json::to_string(&host_order).expect("plain data");
                    match start(program, format!("host-{host}"), logs, text).await {
                        Ok((child, stdin)) => {
                            family.hosts.push(child);
                            host_stdins.push(stdin);
                        }
                        Err(error) => {
                            let why = format!("host process {host} cannot be started: {error}");
                            end = Some(End::Lost(why));
                        }
                    }
                }
                attempt.place = Some(place);
            }
            Report::Refused { count, .. } => attempt.refused = count,
            Report::Started { from, .. } => {
                attempt.began = true;
                attempt.block = Some(from);
            }
            Report::Progress { height } => attempt.block = Some(height),
            Report::Restarting { .. } => {}
            Report::Done(summary) => end = Some(End::Done(summary)),
            Report::Failed { what, hint, outlook } => end = Some(End::of(what, hint, outlook)),
        }
    }
    let status = family.end(matches!(end, Some(End::Done(_)))).await;
    drop(host_stdins);
    let gone = || End::Lost(format!("the chain process ended without a word ({status})"));
    attempt.end = end.unwrap_or_else(gone);
    attempt
}

/// The chain process: reads its order, drives the run, reports on standard output.
///
/// # Errors
/// The run ended badly; it was reported already.
pub fn chain_process(order: &ChainOrder) -> Result<(), LaunchError> {
    let stop = Arc::new(AtomicBool::new(false));
    let asked = stop.clone();
    death::watch_stdin(move |line| {
        if line == "stop" {
            asked.store(true, Ordering::Relaxed);
        }
    });
    let mut quiet = Throttle::every(Duration::from_secs(5));
    let tell = |report: &Report, quiet: &mut Throttle| {
        let line = serde_json::to_string(report).expect("a report is plain data");
        let mut stdout = io::stdout().lock();
        let told = io::Write::write_all(&mut stdout, format!("{line}\n").as_bytes());
        if told.and_then(|()| io::Write::flush(&mut stdout)).is_err() && quiet.is_due() {
            tracing::warn!("the launcher does not listen");
        }
    };
    let done =
        actix::System::new().block_on(drive(order, stop, |report| tell(&report, &mut quiet)));
    let (report, result) = match done {
        Ok(summary) => (Report::Done(Box::new(summary)), Ok(())),
        Err(error) => {
            let (what, hint, outlook) = (error.to_string(), error.hint(), error.outlook());
            let failed = Report::Failed { what: what.clone(), hint: hint.clone(), outlook };
            (failed, Err(LaunchError { what, hint, began: true }))
        }
    };
    tell(&report, &mut quiet);
    result
}
