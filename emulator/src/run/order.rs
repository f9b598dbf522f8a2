//! What the launcher tells a chain process. With no host processes it tells itself.

use super::control::Motion;
use super::disturbance::Strike;
use super::engine::Checking;
use super::hosts::Dealing;
use super::link::{Address, Pass};
#[cfg(test)]
use super::patience::{CHAIN_SILENCE_MS_MAX, HOST_JOIN_MS_MAX, HOST_SILENCE_MS_MAX};
use super::until::Condition;
use crate::clock::Pace;
use crate::metrics::order::MetricsOrder;
use protocol::units::Height;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use storage::log::Durability;

/// What the launcher tells the chain on its standard input, as one line of JSON.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ChainOrder {
    /// The run folder.
    pub run: PathBuf,
    /// Where a Unix socket for hosts would be. Beside it is the run's door.
    pub socket: PathBuf,
    /// How hosts are linked; unused without any.
    pub link: Address,
    /// Host processes that the launcher starts.
    pub hosts: u32,
    /// Hosts that come from outside. With none of either the players sit in this process.
    pub outside: u32,
    /// How long hosts may take to join, in milliseconds of wall time.
    pub host_join_ms_max: u64,
    /// Which host carries which player.
    pub dealing: Dealing,
    /// What hosts must know.
    pub token: String,
    /// How long a host may be silent, in milliseconds of wall time.
    pub host_silence_ms_max: u64,
    /// How long the chain may be silent towards the launcher; it says that it lives several times as often.
    pub chain_silence_ms_max: u64,
    /// The last block.
    pub until: Height,
    /// Conditions of which any ends the run earlier.
    pub conditions: Vec<Condition>,
    /// When the log is synced.
    pub durability: Durability,
    /// Blocks between snapshots.
    pub snapshot_interval: u64,
    /// Bytes of blocks after which there is a snapshot earlier.
    pub snapshot_bytes: u64,
    /// Blocks between checkpoints.
    pub checkpoint_interval: u64,
    /// How fast simulated time passes.
    pub pace: Pace,
    /// Whether the run goes on at once, or stands where it is.
    pub motion: Motion,
    /// The launcher, which is this process if there are no hosts.
    pub launcher_pid: u32,
    /// How often the processes were started again before.
    pub restarts: u64,
    /// What is shown to Prometheus, and where.
    #[serde(default)]
    pub metrics: MetricsOrder,
    /// Whether invariants are checked.
    pub checking: Checking,
    /// What strikes below the simulation and has not yet.
    #[serde(default)]
    pub strikes: Vec<Strike>,
    /// The same with what has.
    #[serde(default)]
    pub schedule: Vec<Strike>,
}

impl ChainOrder {
    /// Whether the players sit in host processes.
    pub const fn has_hosts(&self) -> bool {
        self.hosts > 0 || self.outside > 0
    }

    /// What hosts must know: the token, and by which name they know the run.
    pub fn pass(&self) -> Pass {
        Pass { run: run_id(self), token: self.token.clone() }
    }
}

#[cfg(test)]
impl ChainOrder {
    /// A run within this process, as quick as can be and without caches but the last. Its door is beside the folder.
    pub fn inside(run: PathBuf, until: Height) -> Self {
        Self {
            socket: run.with_file_name("chain"),
            run,
            link: Address::Unix,
            hosts: 0,
            outside: 0,
            host_join_ms_max: HOST_JOIN_MS_MAX,
            dealing: Dealing::InTurn,
            token: String::new(),
            host_silence_ms_max: HOST_SILENCE_MS_MAX,
            chain_silence_ms_max: CHAIN_SILENCE_MS_MAX,
            until,
            conditions: Vec::new(),
            durability: Durability::End,
            snapshot_interval: 0,
            snapshot_bytes: 0,
            checkpoint_interval: 0,
            pace: Pace::Max,
            motion: Motion::Running,
            launcher_pid: std::process::id(),
            restarts: 0,
            metrics: MetricsOrder::default(),
            checking: Checking::Trusting,
            strikes: Vec::new(),
            schedule: Vec::new(),
        }
    }
}

/// The name of a run for people: its folder as they named it.
pub fn run_name(order: &ChainOrder) -> String {
    order.run.display().to_string()
}

/// The name by which hosts know a run, wherever they are: that of its folder.
pub fn run_id(order: &ChainOrder) -> String {
    let path = order.run.canonicalize();
    let name = path.ok().and_then(|path| Some(path.file_name()?.to_string_lossy().into_owned()));
    name.unwrap_or_else(|| run_name(order))
}
