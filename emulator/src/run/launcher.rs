//! The launcher: starts the chain and the hosts as processes of this same program, shows progress, stops them on
//! request, and leaves none behind.

use super::chain::{ChainOrder, Report, drive, run_name};
use super::death;
use super::host::HostOrder;
use super::totals::Summary;
use crate::clock::Throttle;
use crate::progress::Progress;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::signal::unix::{SignalKind, signal};

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

/// Makes a run and waits for its end.
///
/// # Errors
/// What the user should know, with a hint.
pub fn launch(
    order: ChainOrder,
    logs: &ChildLogs,
    progress: &Progress,
) -> Result<Summary, LaunchError> {
    let folder = tempfile_folder().map_err(|error| system_error("a folder for sockets", &error))?;
    let order = ChainOrder { socket: folder.path().join("chain"), token: token(), ..order };
    if order.hosts == 0 {
        return actix::System::new().block_on(launch_inside(order, progress));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| system_error("a runtime", &error))?;
    runtime.block_on(launch_processes(&order, logs, progress))
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

async fn launch_inside(order: ChainOrder, progress: &Progress) -> Result<Summary, LaunchError> {
    let stop = Arc::new(AtomicBool::new(false));
    let asked = stop.clone();
    actix::spawn(async move {
        wait_for_signal().await;
        asked.store(true, Ordering::Relaxed);
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

/// Waits until the user or the system asks for the end.
async fn wait_for_signal() {
    let terminate = signal(SignalKind::terminate());
    match terminate {
        Ok(mut terminate) => {
            tokio::select! {
                _ = terminate.recv() => {}
                result = tokio::signal::ctrl_c() => forget_unheard(result),
            }
        }
        Err(_) => forget_unheard(tokio::signal::ctrl_c().await),
    }
}

fn forget_unheard(result: io::Result<()>) {
    if let Err(error) = result {
        tracing::warn!(%error, "Ctrl-C cannot be heard");
    }
}

/// The processes of a run; those still running when it is dropped are killed.
struct Family {
    chain: Child,
    chain_stdin: Option<ChildStdin>,
    hosts: Vec<Child>,
}

async fn launch_processes(
    order: &ChainOrder,
    logs: &ChildLogs,
    progress: &Progress,
) -> Result<Summary, LaunchError> {
    let program = std::env::current_exe().map_err(|error| system_error("processes", &error))?;
    let start = |name: String, order: String| start(&program, name, logs, order);
    let order_text = serde_json::to_string(order).expect("an order is plain data");
    let (mut chain, stdin) = start("chain".to_owned(), order_text)
        .await
        .map_err(|error| system_error("the chain", &error))?;
    let stdout = chain.stdout.take().expect("it was asked to be piped");
    let mut reports = BufReader::new(stdout).lines();
    let mut family = Family { chain, chain_stdin: Some(stdin), hosts: Vec::new() };
    let mut host_stdins = Vec::new();
    let mut began = false;
    let mut ended: Option<Result<Summary, LaunchError>> = None;
    let mut signal = std::pin::pin!(wait_for_signal());
    let mut stopping = false;
    loop {
        let line = tokio::select! {
            line = reports.next_line() => line,
            () = &mut signal, if !stopping => {
                stopping = true;
                if let Some(stdin) = &mut family.chain_stdin {
                    let told = stdin.write_all(b"stop\n").await;
                    forget_unheard(told);
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
                    let (child, stdin) = start(format!("host-{host}"), text)
                        .await
                        .map_err(|error| system_error("a host", &error))?;
                    family.hosts.push(child);
                    host_stdins.push(stdin);
                }
            }
            Report::Started { .. } => began = true,
            Report::Progress { .. } => {}
            Report::Done(summary) => {
                ended = Some(Ok(*summary));
                break;
            }
            Report::Failed { what, hint } => {
                ended = Some(Err(LaunchError { what, hint, began }));
                break;
            }
        }
    }
    progress.finish();
    let status = family.end(ended.as_ref().is_some_and(Result::is_ok)).await;
    drop(host_stdins);
    let gone = || {
        let what = format!("the chain process ended without a word ({status})");
        let hint = began.then(|| format!("`btemu run --resume {}` goes on", run_name(order)));
        Err(LaunchError { what, hint, began })
    };
    let mut summary = ended.unwrap_or_else(gone)?;
    summary.peak_rss_bytes += death::peak_rss_bytes();
    Ok(summary)
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
            let (what, hint) = (error.to_string(), error.hint());
            let failed = Report::Failed { what: what.clone(), hint: hint.clone() };
            (failed, Err(LaunchError { what, hint, began: true }))
        }
    };
    tell(&report, &mut quiet);
    result
}
