//! How a live run does, as `btemu ctl` shows it.
//!
//! What belongs here: the figures and where they are gathered. What does not: who asks for them (`door`).

use super::control::{Control, Motion, Wish};
use super::death::Memory;
use super::hosts::ProcessReport;
use crate::clock::{Pace, Speedometer};
use protocol::units::{BLOCK_MS, Height};
use serde::{Deserialize, Serialize};

/// What a run is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It makes blocks.
    Running,
    /// It stands at a block border until it is asked to go on.
    Paused,
    /// It was asked to end, and closes its log.
    Ending,
    /// It is over.
    Over,
}

impl State {
    /// Its word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Ending => "ending",
            Self::Over => "over",
        }
    }
}

/// A process of a live run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessRow {
    /// `launcher`, `chain`, `host-0`, `host-1`, …
    pub name: String,
    /// What the system calls it.
    pub pid: u32,
    /// Players it carries.
    pub players: u64,
    /// Inputs its players took since it was started.
    pub steps: u64,
    /// Its memory now.
    pub rss_bytes: u64,
    /// The same when it was most.
    pub peak_rss_bytes: u64,
}

impl ProcessRow {
    /// A process of this machine and what it has done.
    pub fn of(pid: u32, report: ProcessReport) -> Self {
        let ProcessReport { name, players, steps, peak_rss_bytes } = report;
        let Memory { now_bytes, peak_bytes } = Memory::of(pid);
        let peak_rss_bytes = peak_rss_bytes.max(peak_bytes);
        Self { name, pid, players, steps, rss_bytes: now_bytes, peak_rss_bytes }
    }

    /// What it has done.
    pub fn report(&self) -> ProcessReport {
        let Self { name, players, steps, peak_rss_bytes, .. } = self;
        let (players, steps, peak_rss_bytes) = (*players, *steps, *peak_rss_bytes);
        ProcessReport { name: name.clone(), players, steps, peak_rss_bytes }
    }
}

/// How a live run does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// The run folder, as the run was started with it.
    pub run: String,
    /// What it is doing.
    pub state: State,
    /// The last block.
    pub block: u64,
    /// The genesis block.
    pub genesis_block: u64,
    /// Where it ends.
    pub until_block: u64,
    /// Simulated seconds since genesis.
    pub simulated_seconds: u64,
    /// Blocks by second of wall time lately; 0 while it is paused.
    pub blocks_per_second: f64,
    /// How fast simulated time may pass.
    pub pace: String,
    /// How often its processes were started again.
    pub restarts: u64,
    /// The launcher, the chain, the hosts; the first two are one without hosts.
    pub processes: Vec<ProcessRow>,
}

/// What of a status does not change while a chain process lives.
#[derive(Clone, Debug)]
pub struct About {
    /// The run folder.
    pub run: String,
    /// The genesis block.
    pub genesis: Height,
    /// Where it ends.
    pub until: Height,
    /// Who starts its processes again.
    pub launcher_pid: u32,
    /// How often its processes were started again before.
    pub restarts: u64,
}

/// Where the figures of a status are gathered.
#[derive(Debug)]
pub struct Board {
    about: About,
    speed: Speedometer,
    processes: Vec<ProcessRow>,
}

impl Board {
    /// Nothing is known yet.
    pub fn new(about: About) -> Self {
        Self { about, speed: Speedometer::default(), processes: Vec::new() }
    }

    /// So far the run is, and these are its processes.
    pub fn note(&mut self, height: Height, processes: Vec<ProcessRow>) {
        self.processes = processes;
        self.speed.note(height.0);
    }

    /// The run goes on otherwise than before: its speed says nothing any more.
    pub fn turn(&mut self) {
        self.speed.reset();
    }

    /// How the run does after the block `block`.
    pub fn status(&self, control: &Control, block: Height, is_over: bool) -> Status {
        let Wish { pace, motion, ending } = control.in_force();
        let About { run, genesis, until, restarts, .. } = &self.about;
        let state = match (is_over, ending, motion) {
            (true, ..) => State::Over,
            (_, Some(_), _) => State::Ending,
            (_, None, Motion::Paused) => State::Paused,
            (_, None, Motion::Running) => State::Running,
        };
        Status {
            run: run.clone(),
            state,
            block: block.0,
            genesis_block: genesis.0,
            until_block: until.0,
            simulated_seconds: block.0.saturating_sub(genesis.0) * BLOCK_MS / 1_000,
            blocks_per_second: match state {
                State::Running => self.speed.blocks_per_second(),
                State::Paused | State::Ending | State::Over => 0.0,
            },
            pace: Pace::to_string(&pace),
            restarts: *restarts,
            processes: self.processes.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::control::Ended;

    #[test]
    fn a_status_says_what_is_in_force_not_what_was_asked() {
        let about = About {
            run: "runs/x".to_owned(),
            genesis: Height(100),
            until: Height(200),
            launcher_pid: 7,
            restarts: 3,
        };
        let mut board = Board::new(about);
        board.note(Height(110), Vec::new());
        let control = Control::new(Wish::default());
        let state = |board: &Board, is_over| board.status(&control, Height(110), is_over).state;
        control.ask(|wish| wish.motion = Motion::Paused);
        assert_eq!(state(&board, false), State::Running);
        control.obey(*control.wishes().borrow());
        assert_eq!(state(&board, false), State::Paused);
        control.end(Ended::Stopped);
        control.obey(*control.wishes().borrow());
        assert_eq!(state(&board, false), State::Ending);
        assert_eq!(state(&board, true), State::Over);
        let status = board.status(&control, Height(111), false);
        assert_eq!((status.block, status.simulated_seconds, status.restarts), (111, 132, 3));
    }
}
