//! The processes of a run as the launcher holds them: started with their orders, watched, and ended together.

use super::secret::TOKEN_VARIABLE;
use futures_util::future::select_all;
use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, ChildStdin, Command};

/// How long processes may take to end after their work is done.
const END_WAIT_MS_MAX: u64 = 20_000;

/// How the allocator does best in child processes, where the system's C library is GNU's: large pages, which make a
/// tenth of a run's time; one arena for all threads, because what one allocates another frees; and large pieces that are
/// used again instead of being given back to the system, which clears every page that it hands out. Whoever sets
/// the variable is heeded instead.
const ALLOCATOR: (&str, &str) = (
    "GLIBC_TUNABLES",
    "glibc.malloc.hugetlb=1:glibc.malloc.arena_max=1:\
     glibc.malloc.mmap_threshold=536870912:glibc.malloc.trim_threshold=268435456",
);

/// How child processes write their logs.
#[derive(Clone, Debug)]
pub struct ChildLogs {
    /// The value of `--log-format`.
    pub format: &'static str,
}

/// The processes of a run; those still running when it is dropped are killed.
#[derive(Debug)]
pub struct Family {
    chain: Child,
    /// Where the chain hears what is asked of it.
    pub chain_stdin: Option<ChildStdin>,
    /// The hosts, in the order of their places.
    pub hosts: Vec<Child>,
    /// Hosts that ended as they should.
    over: BTreeSet<usize>,
}

/// How a host process ended that should not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It was killed.
    ByForce,
    /// It gave up.
    ByItself,
}

/// Starts this program in another role and hands it its order.
pub async fn start(
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
        // The order brings it.
        .env_remove(TOKEN_VARIABLE)
        .process_group(0)
        .kill_on_drop(true);
    let (variable, value) = ALLOCATOR;
    if std::env::var_os(variable).is_none() {
        command.env(variable, value);
    }
    let mut child = command.spawn()?;
    tracing::info!(process = name, pid = child.id(), "started");
    let mut stdin = child.stdin.take().expect("it was asked to be piped");
    stdin.write_all(format!("{order}\n").as_bytes()).await?;
    stdin.flush().await?;
    Ok((child, stdin))
}

impl Family {
    /// A chain that has no hosts yet.
    pub const fn new(chain: Child, stdin: ChildStdin) -> Self {
        Self { chain, chain_stdin: Some(stdin), hosts: Vec::new(), over: BTreeSet::new() }
    }

    /// The chain's process id, while it runs.
    pub fn chain_pid(&self) -> Option<u32> {
        self.chain.id()
    }

    /// The process id of one of the hosts, which are counted round, while it runs.
    pub fn host_pid(&self, number: u64) -> Option<u32> {
        let hosts = self.hosts.len() as u64;
        let at = number.checked_rem(hosts)?;
        self.hosts.get(usize::try_from(at).ok()?)?.id()
    }

    /// Waits until a host process ends otherwise than it should, and tells how.
    pub async fn host_lost(&mut self) -> (String, Ended) {
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
                Ok(status) => {
                    let how =
                        if status.code().is_some() { Ended::ByItself } else { Ended::ByForce };
                    return (format!("host process {host} ended ({status})"), how);
                }
                Err(error) => {
                    return (
                        format!("host process {host} cannot be watched: {error}"),
                        Ended::ByForce,
                    );
                }
            };
        }
    }

    /// Ends every process at once.
    pub async fn kill(&mut self) {
        for child in std::iter::once(&mut self.chain).chain(&mut self.hosts) {
            if let Err(error) = child.kill().await {
                tracing::warn!(%error, "a process could not be ended");
            }
        }
    }

    /// Waits for every process to end by itself if the run went well; kills what is left.
    pub async fn end(&mut self, well: bool) -> String {
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
