//! The launcher: starts the chain and the hosts as processes of this same program, shows progress, stops them on
//! request, and leaves none behind.

use super::chain::{ChainOrder, Outlook, Report, drive, run_name};
use super::death;
use super::door::DOOR;
use super::host::HostOrder;
use super::totals::Summary;
use crate::clock::Throttle;
use crate::progress::Progress;
use futures_util::future::select_all;
use std::collections::BTreeSet;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// How long processes may take to end after their work is done.
const END_WAIT_MS_MAX: u64 = 20_000;

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

/// How child processes write their logs.
#[derive(Clone, Debug)]
pub struct ChildLogs {
    /// The value of `--log-format`.
    pub format: &'static str,
}

/// Makes a run and waits for its end; `told` hears of every restart.
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
    let order = ChainOrder { socket: folder.path().join("chain"), token: token(), ..order };
    if order.hosts == 0 {
        return actix::System::new().block_on(launch_inside(order, progress));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| system_error("a runtime", &error))?;
    runtime.block_on(launch_processes(&order, logs, progress, told))
}

/// A short private folder: paths of sockets have little room.
fn tempfile_folder() -> io::Result<tempfile::TempDir> {
    let folder = tempfile::Builder::new().prefix("btemu-").tempdir()?;
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o700))?;
    Ok(folder)
}

/// Proof that a host was started by this launcher; not a secret worth more than the folder it guards.
fn token() -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&std::process::id().to_le_bytes());
    hasher.update(&crate::clock::unix_seconds().to_le_bytes());
    let random = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), 0u8);
    hasher.update(&random.to_le_bytes());
    hasher.finalize().to_hex().to_string()
}

fn system_error(what: &str, error: &io::Error) -> LaunchError {
    LaunchError { what: format!("cannot make {what}: {error}"), hint: None, began: false }
}

fn resume_hint(run: &str) -> String {
    format!("`btemu run --resume {run}` goes on")
}

async fn launch_inside(order: ChainOrder, progress: &Progress) -> Result<Summary, LaunchError> {
    let stop = Arc::new(AtomicBool::new(false));
    let (asked, mut signals) = (stop.clone(), Asked::listen()?);
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

/// The processes of a run; those still running when it is dropped are killed.
struct Family {
    chain: Child,
    chain_stdin: Option<ChildStdin>,
    hosts: Vec<Child>,
    /// Hosts that ended as they should.
    over: BTreeSet<usize>,
}

/// Makes a run with processes. When one of them is lost all are ended and started again, and the run goes on from
/// its newest checkpoint: blocks that the log holds already are made again and compared.
async fn launch_processes(
    order: &ChainOrder,
    logs: &ChildLogs,
    progress: &Progress,
    mut told: impl FnMut(&Restart),
) -> Result<Summary, LaunchError> {
    let program = std::env::current_exe().map_err(|error| system_error("processes", &error))?;
    let mut asked = Asked::listen()?;
    let mut supervision = Supervision::default();
    loop {
        let order = ChainOrder {
            // A socket of its own: the file of one that was killed stays.
            socket: order.socket.with_file_name(format!("chain-{}", supervision.restarts)),
            ..order.clone()
        };
        // Of a chain that was killed: its door stays as well, and nobody stands behind it.
        std::fs::remove_file(order.socket.with_file_name(DOOR)).ok();
        let attempt = attempt(&program, &order, logs, progress, &mut asked).await;
        supervision.began |= attempt.began;
        let why = match attempt.end {
            End::Done(mut summary) => {
                summary.restarts = supervision.restarts;
                summary.peak_rss_bytes += death::peak_rss_bytes();
                progress.finish();
                return Ok(*summary);
            }
            End::Final { what, hint } => {
                progress.finish();
                return Err(LaunchError { what, hint, began: supervision.began });
            }
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
pub struct Asked {
    signals: (Signal, Signal),
    /// How many there were.
    pub count: u32,
}

impl Asked {
    /// From now on they are heard, and end nothing by themselves.
    ///
    /// # Errors
    /// The system does not let it.
    pub fn listen() -> Result<Self, LaunchError> {
        Ok(Self { signals: signals()?, count: 0 })
    }

    /// Waits for the next request.
    pub async fn next(&mut self) {
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
    end: End,
}

enum End {
    /// The run is over.
    Done(Box<Summary>),
    /// It would end the same way again.
    Final { what: String, hint: Option<String> },
    /// A process was lost.
    Lost(String),
}

async fn attempt(
    program: &Path,
    order: &ChainOrder,
    logs: &ChildLogs,
    progress: &Progress,
    asked: &mut Asked,
) -> Attempt {
    let mut attempt = Attempt { began: false, block: None, end: End::Lost(String::new()) };
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
    let mut family =
        Family { chain, chain_stdin: Some(stdin), hosts: Vec::new(), over: BTreeSet::new() };
    let mut host_stdins = Vec::new();
    let mut end = None;
    while end.is_none() {
        let line = tokio::select! {
            line = reports.next_line() => line,
            // The chain learns of it when it next asks the host, which at a slow pace is long after.
            why = family.host_lost() => {
                end = Some(End::Lost(why));
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
            Report::Listening { .. } => {
                for host in 0..order.hosts {
                    let host_order = HostOrder {
                        socket: order.socket.clone(),
                        run: run_name(order),
                        host,
                        token: order.token.clone(),
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
            }
            Report::Started { from, .. } => {
                attempt.began = true;
                attempt.block = Some(from);
            }
            Report::Progress { height } => attempt.block = Some(height),
            Report::Restarting { .. } => {}
            Report::Done(summary) => end = Some(End::Done(summary)),
            Report::Failed { what, outlook: Outlook::Again, .. } => end = Some(End::Lost(what)),
            Report::Failed { what, hint, outlook: Outlook::Final } => {
                end = Some(End::Final { what, hint });
            }
        }
    }
    let status = family.end(matches!(end, Some(End::Done(_)))).await;
    drop(host_stdins);
    let gone = || End::Lost(format!("the chain process ended without a word ({status})"));
    attempt.end = end.unwrap_or_else(gone);
    attempt
}

/// Starts this program in another role and hands it its order.
async fn start(
    program: &Path,
    name: String,
    logs: &ChildLogs,
    order: String,
) -> io::Result<(Child, ChildStdin)> {
    let role = if name == "chain" { "chain" } else { "host" };
    let mut command = Command::new(program);
    command
        .args([role, "--name", &name, "--log-format", logs.format])
        .stdin(Stdio::piped())
        .stdout(if role == "chain" { Stdio::piped() } else { Stdio::null() })
        .process_group(0)
        .kill_on_drop(true);
    let mut child = command.spawn()?;
    tracing::info!(process = name, pid = child.id(), "started");
    let mut stdin = child.stdin.take().expect("it was asked to be piped");
    stdin.write_all(format!("{order}\n").as_bytes()).await?;
    stdin.flush().await?;
    Ok((child, stdin))
}

impl Family {
    /// Waits until a host process ends otherwise than it should, and tells how.
    async fn host_lost(&mut self) -> String {
        loop {
            let over = &self.over;
            let waits = self.hosts.iter_mut().enumerate().filter(|(host, _)| !over.contains(host));
            let waits =
                waits.map(|(host, child)| Box::pin(async move { (host, child.wait().await) }));
            let waits: Vec<_> = waits.collect();
            if waits.is_empty() {
                return std::future::pending().await;
            }
            let ((host, ended), ..) = select_all(waits).await;
            match ended {
                Ok(status) if status.success() => self.over.insert(host),
                Ok(status) => return format!("host process {host} ended ({status})"),
                Err(error) => return format!("host process {host} cannot be watched: {error}"),
            };
        }
    }

    /// Ends every process at once.
    async fn kill(&mut self) {
        for child in std::iter::once(&mut self.chain).chain(&mut self.hosts) {
            if let Err(error) = child.kill().await {
                tracing::warn!(%error, "a process could not be ended");
            }
        }
    }

    /// Waits for every process to end by itself if the run went well; kills what is left.
    async fn end(&mut self, well: bool) -> String {
        let wait_ms = if well { END_WAIT_MS_MAX } else { END_WAIT_MS_MAX / 10 };
        let wait = Duration::from_millis(wait_ms);
        let mut status = "killed".to_owned();
        if let Ok(Ok(ended)) = tokio::time::timeout(wait, self.chain.wait()).await {
            status = ended.to_string();
        }
        self.chain_stdin = None;
        for child in std::iter::once(&mut self.chain).chain(&mut self.hosts) {
            if tokio::time::timeout(wait, child.wait()).await.is_ok() {
                continue;
            }
            if let Err(error) = child.kill().await {
                tracing::warn!(%error, "a process could not be ended");
            }
        }
        status
    }
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
