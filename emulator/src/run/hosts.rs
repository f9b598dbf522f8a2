//! The hosts as the engine sees them: actors in this process, or host processes behind sockets. Both give the
//! same answers, because a player sees only its inputs, the view and the directory.

use super::greeting::Guest;
use super::seats::{PackedSeats, unpacked};
use super::wire::{FromHost, ToHost, Welcome, Wire, encoded};
use super::wire_error::WireError;
use crate::plan::{Course, Plan};
use actors::host::{Delivery, Seated, SliceDone};
use actors::roster::Roster;
use actors::shell::{ShellError, ShellHost};
use protocol::apply::Inconsistent;
use protocol::event::Event;
use protocol::state::State;
use protocol::units::{AccountId, PlayerId};
use protocol::view::View;
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio_util::bytes::Bytes;

/// What went wrong with a host.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// A host process is gone or cannot be understood.
    #[error("host process {host}: {error}")]
    Wire {
        /// Which, from 0.
        host: usize,
        /// What happened.
        error: WireError,
    },
    /// A host process did not answer in time.
    #[error("host process {host} has not answered for {silence_ms} ms")]
    Silent {
        /// Which, from 0.
        host: usize,
        /// How long it was waited for.
        silence_ms: u64,
    },
    /// A host process gave up.
    #[error("host process {host} cannot go on: {why}")]
    Failed {
        /// Which, from 0.
        host: usize,
        /// Its reason.
        why: String,
    },
    /// A host process answered something else than it was asked.
    #[error("host process {host} answered out of turn")]
    OutOfTurn {
        /// Which, from 0.
        host: usize,
    },
    /// What a host packed cannot be read.
    #[error("the players of a host cannot be read: {0}")]
    Seats(#[from] storage::codec::CodecError),
    /// An actor of this process is gone.
    #[error(transparent)]
    Shell(#[from] ShellError),
    /// The players' view does not follow the chain.
    #[error("the players' view does not follow the chain: {0}")]
    View(#[from] Inconsistent),
}

impl HostError {
    /// Whether other processes may do better: players in this process would do the same again.
    pub const fn is_of_a_process(&self) -> bool {
        match self {
            Self::Wire { .. }
            | Self::Silent { .. }
            | Self::Failed { .. }
            | Self::OutOfTurn { .. }
            | Self::Seats(_) => true,
            Self::Shell(_) | Self::View(_) => false,
        }
    }
}

/// What a process did in a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct ProcessReport {
    /// `chain`, `host-0`, `host-1`, …
    pub name: String,
    /// Players it carried.
    pub players: u64,
    /// Inputs its players took since this process started; in a summary, over all that had its name.
    pub steps: u64,
    /// Its peak memory.
    pub peak_rss_bytes: u64,
}

/// All players of a run, wherever they are.
#[derive(Debug)]
pub enum Hosts {
    /// In this process.
    Local {
        /// The actors.
        host: Box<ShellHost>,
        /// How many.
        players: u64,
        /// Inputs they took.
        steps: u64,
        /// A slice they were asked for: from, until, deliveries.
        asked: Option<(u64, u64, Vec<Delivery>)>,
    },
    /// In processes of their own.
    Remote {
        /// One per process.
        hosts: Vec<RemoteHost>,
        /// Which of them carries a player.
        carrier: Carriers,
        /// How that was decided.
        dealing: Dealing,
    },
}

/// Which host carries which player; it decides who works, never what happens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dealing {
    /// In turn, in the plan's order, so that each gets its share of every group.
    #[default]
    InTurn,
    /// Each player to a host that is drawn from this number.
    Drawn(u64),
}

impl Dealing {
    fn host(self, player: PlayerId, at: usize, hosts: usize) -> usize {
        match self {
            Self::InTurn => at % hosts,
            Self::Drawn(number) => {
                let hash = blake3::hash(&[number.to_le_bytes(), player.0.to_le_bytes()].concat());
                let (head, _) = hash.as_bytes().split_first_chunk().expect("eight of 32 bytes");
                (u64::from_le_bytes(*head) % hosts as u64) as usize
            }
        }
    }
}

/// One host process.
#[derive(Debug)]
pub struct RemoteHost {
    wire: Wire,
    pid: u32,
    next_wake_ms: Option<u64>,
    players: u64,
    steps: u64,
    silence_ms_max: u64,
    /// Whether an answer about the slice is still to come.
    is_asked: bool,
}

/// The address book of a plan.
pub fn directory(plan: &Plan) -> Vec<(AccountId, PlayerId)> {
    let seats = plan.players.iter();
    seats.map(|seat| (seat.identity.hotkey, seat.identity.id)).collect()
}

impl Hosts {
    /// Seats all players in this process; call within a running actix system.
    pub fn local(course: &Course<'_>, seats: Vec<Seated>, state: State) -> Self {
        let players = seats.len() as u64;
        let directory = directory(course.plan()).into_iter().collect();
        let mut host = ShellHost::new(seats, View::new(state), directory, course.seed());
        host.start();
        Self::Local { host: Box::new(host), players, steps: 0, asked: None }
    }

    /// Deals the seats out to host processes.
    ///
    /// # Errors
    /// A host is gone.
    pub async fn remote(
        course: &Course<'_>,
        seats: Vec<Seated>,
        state: &State,
        guests: Vec<Guest>,
        silence_ms_max: u64,
        dealing: Dealing,
    ) -> Result<Self, HostError> {
        let hosts = guests.into_iter().map(|Guest { wire, pid }| RemoteHost {
            wire,
            pid,
            next_wake_ms: None,
            players: 0,
            steps: 0,
            silence_ms_max,
            is_asked: false,
        });
        let mut hosts: Vec<RemoteHost> = hosts.collect();
        let carrier = deal(course, seats, state, &mut hosts, dealing).await?;
        Ok(Self::Remote { hosts, carrier, dealing })
    }

    /// Takes all players from their seats and seats these ones, wherever the players were; nothing else changes.
    ///
    /// # Errors
    /// A host is gone.
    pub async fn reseat(
        &mut self,
        course: &Course<'_>,
        seats: Vec<Seated>,
        state: &State,
    ) -> Result<(), HostError> {
        match self {
            Self::Local { steps, .. } => {
                let before = *steps;
                *self = Self::local(course, seats, state.clone());
                if let Self::Local { steps, .. } = self {
                    *steps = before;
                }
            }
            Self::Remote { hosts, carrier, dealing } => {
                *carrier = deal(course, seats, state, hosts, *dealing).await?;
            }
        }
        Ok(())
    }

    /// When the earliest timer of all players is due.
    pub fn next_wake_ms(&self) -> Option<u64> {
        match self {
            Self::Local { host, .. } => host.next_wake_ms(),
            Self::Remote { hosts, .. } => hosts.iter().filter_map(|host| host.next_wake_ms).min(),
        }
    }

    /// Asks every player that has something to do in a slice to do it; [`Hosts::hear`] waits for what comes of it.
    ///
    /// # Errors
    /// A host is gone or silent.
    pub async fn ask(
        &mut self,
        from_ms: u64,
        until_ms: u64,
        deliveries: Vec<Delivery>,
    ) -> Result<(), HostError> {
        match self {
            Self::Local { asked, .. } => *asked = Some((from_ms, until_ms, deliveries)),
            Self::Remote { hosts, carrier, .. } => {
                let mut dealt: Vec<Vec<Delivery>> = vec![Vec::new(); hosts.len()];
                for delivery in deliveries {
                    if let Some(host) = carrier.of(&delivery.receiver()) {
                        dealt[host].push(delivery);
                    }
                }
                for (host, deliveries) in dealt.into_iter().enumerate() {
                    let remote = &mut hosts[host];
                    let wakes = remote.next_wake_ms.is_some_and(|wake_ms| wake_ms < until_ms);
                    remote.is_asked = !deliveries.is_empty() || wakes;
                    if remote.is_asked {
                        let slice = ToHost::Slice { from_ms, until_ms, deliveries };
                        remote.say(host, encoded(&slice)).await?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Hears what came of a slice, host by host; the parts together are the whole.
    ///
    /// # Errors
    /// A host is gone, silent or failed.
    pub async fn hear(&mut self, mut said: impl FnMut(SliceDone)) -> Result<(), HostError> {
        match self {
            Self::Local { host, steps, asked, .. } => {
                let Some((from_ms, until_ms, deliveries)) = asked.take() else { return Ok(()) };
                let done = host.slice(from_ms, until_ms, deliveries).await?;
                *steps += done.steps;
                said(done);
            }
            Self::Remote { hosts, .. } => {
                for (host, remote) in hosts.iter_mut().enumerate() {
                    if !std::mem::take(&mut remote.is_asked) {
                        continue;
                    }
                    match remote.answer(host).await? {
                        FromHost::Done(part) => {
                            remote.next_wake_ms = part.next_wake_ms;
                            remote.steps += part.steps;
                            said(part);
                        }
                        other => return Err(out_of_turn(host, other)),
                    }
                }
            }
        }
        Ok(())
    }

    /// Shows the players a block's public events.
    ///
    /// # Errors
    /// A host is gone, or a view does not follow.
    pub async fn publish(&mut self, events: &[Event]) -> Result<(), HostError> {
        match self {
            Self::Local { host, .. } => Ok(host.fold(events)?),
            Self::Remote { hosts, .. } => {
                let message = encoded(&ToHost::Block(events.to_vec()));
                for (host, remote) in hosts.iter_mut().enumerate() {
                    remote.say(host, message.clone()).await?;
                }
                Ok(())
            }
        }
    }

    /// All seats, packed by each host for itself and by all at the same time.
    ///
    /// # Errors
    /// A host is gone.
    pub async fn checkpoint(&mut self) -> Result<Vec<PackedSeats>, HostError> {
        match self {
            Self::Local { host, .. } => Ok(vec![PackedSeats::of(host).await?]),
            Self::Remote { hosts, .. } => {
                let save = encoded(&ToHost::Save);
                for (host, remote) in hosts.iter_mut().enumerate() {
                    remote.say(host, save.clone()).await?;
                }
                let mut parts = Vec::with_capacity(hosts.len());
                for (host, remote) in hosts.iter_mut().enumerate() {
                    match remote.answer(host).await? {
                        FromHost::Seats(part) => parts.push(part),
                        other => return Err(out_of_turn(host, other)),
                    }
                }
                Ok(parts)
            }
        }
    }

    /// All seats, ascending by player.
    ///
    /// # Errors
    /// A host is gone, or its seats cannot be read.
    pub async fn seats(&mut self) -> Result<Vec<Seated>, HostError> {
        Ok(unpacked(&self.checkpoint().await?)?)
    }

    /// Players and steps of every host so far; memory is told when they stop.
    pub fn reports(&self) -> Vec<ProcessReport> {
        match self {
            Self::Local { .. } => Vec::new(),
            Self::Remote { hosts, .. } => {
                let reports = hosts.iter().enumerate().map(|(host, remote)| ProcessReport {
                    name: format!("host-{host}"),
                    players: remote.players,
                    steps: remote.steps,
                    peak_rss_bytes: 0,
                });
                reports.collect()
            }
        }
    }

    /// Process ids of the host processes, in the order of their reports.
    pub fn pids(&self) -> Vec<u32> {
        match self {
            Self::Local { .. } => Vec::new(),
            Self::Remote { hosts, .. } => hosts.iter().map(|host| host.pid).collect(),
        }
    }

    /// Players and steps in this process itself.
    pub const fn own(&self) -> (u64, u64) {
        match self {
            Self::Local { players, steps, .. } => (*players, *steps),
            Self::Remote { .. } => (0, 0),
        }
    }

    /// Ends the host processes and hears what they used.
    ///
    /// # Errors
    /// A host is gone.
    pub async fn stop(&mut self) -> Result<Vec<ProcessReport>, HostError> {
        let mut reports = self.reports();
        if let Self::Remote { hosts, .. } = self {
            for (host, remote) in hosts.iter_mut().enumerate() {
                remote.say(host, encoded(&ToHost::Stop)).await?;
                match remote.answer(host).await? {
                    FromHost::Bye(peak_rss_bytes) => reports[host].peak_rss_bytes = peak_rss_bytes,
                    other => return Err(out_of_turn(host, other)),
                }
            }
        }
        Ok(reports)
    }
}

/// Welcomes host processes with their seats, and tells which of them carries a player.
async fn deal(
    course: &Course<'_>,
    seats: Vec<Seated>,
    state: &State,
    hosts: &mut [RemoteHost],
    dealing: Dealing,
) -> Result<Carriers, HostError> {
    let plan = course.plan();
    let order: BTreeMap<PlayerId, usize> =
        plan.players.iter().enumerate().map(|(at, seat)| (seat.identity.id, at)).collect();
    let mut dealt: Vec<Vec<Seated>> = vec![Vec::new(); hosts.len()];
    let mut carrier = Vec::new();
    for seated in seats {
        let player = seated.identity().id;
        let host = order.get(&player).map_or(0, |at| dealing.host(player, *at, hosts.len()));
        carrier.push((player, host));
        dealt[host].push(seated);
    }
    let directory = directory(plan);
    for (host, (remote, seats)) in hosts.iter_mut().zip(dealt).enumerate() {
        remote.players = seats.len() as u64;
        let (state, directory) = (state.clone(), directory.clone());
        let welcome = Welcome { seed: course.seed(), seats, state, directory };
        remote.say(host, encoded(&ToHost::Welcome(Box::new(welcome)))).await?;
    }
    for (host, remote) in hosts.iter_mut().enumerate() {
        match remote.answer(host).await? {
            FromHost::Ready(next_wake_ms) => remote.next_wake_ms = next_wake_ms,
            other => return Err(out_of_turn(host, other)),
        }
    }
    Ok(Carriers::new(carrier))
}

/// Which host carries each player.
#[derive(Debug)]
pub struct Carriers {
    players: Roster<PlayerId>,
    hosts: Vec<usize>,
}

impl Carriers {
    fn new(mut carried: Vec<(PlayerId, usize)>) -> Self {
        carried.sort();
        let players = carried.iter().map(|(player, _)| *player).collect();
        Self { players, hosts: carried.into_iter().map(|(_, host)| host).collect() }
    }

    fn of(&self, player: &PlayerId) -> Option<usize> {
        self.players.place(player).map(|place| self.hosts[place])
    }
}

impl RemoteHost {
    /// Sends a message; one that does not read any more is as silent as one that does not answer.
    async fn say(&mut self, host: usize, message: Bytes) -> Result<(), HostError> {
        let silence_ms = self.silence_ms_max;
        let wait = Duration::from_millis(silence_ms);
        let sent = tokio::time::timeout(wait, self.wire.send_encoded(message)).await;
        let sent = sent.map_err(|_| HostError::Silent { host, silence_ms })?;
        sent.map_err(|error| HostError::Wire { host, error })
    }

    async fn answer(&mut self, host: usize) -> Result<FromHost, HostError> {
        let silence_ms = self.silence_ms_max;
        let wait = Duration::from_millis(silence_ms);
        let answer = tokio::time::timeout(wait, self.wire.receive()).await;
        let answer = answer.map_err(|_| HostError::Silent { host, silence_ms })?;
        match answer.map_err(|error| HostError::Wire { host, error })? {
            FromHost::Failed(why) => Err(HostError::Failed { host, why }),
            other => Ok(other),
        }
    }
}

fn out_of_turn(host: usize, _: FromHost) -> HostError {
    HostError::OutOfTurn { host }
}
