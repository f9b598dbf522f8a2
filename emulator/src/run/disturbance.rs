//! Faults below the simulation: what strikes processes, the bytes between them, and the log, and at which block. None
//! of it is in a hash; whoever carries a run strikes, and a run that goes on afterwards comes to the same blocks.
//!
//! What belongs here: which there are and when each is due. What does not: how one is written in a scenario
//! (`genesis::faults`), striking (`relay` for the wire, `failing_log` for the log, `launcher` for processes).

use protocol::dice::{Dice, Domain};
use protocol::units::Height;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// Strikes of one run at most.
pub const STRIKES_MAX: usize = 1_024;

/// What a strike is aimed at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Layer {
    /// Processes as a whole.
    Process,
    /// Frames between the processes.
    Wire,
    /// The log and the caches beside it.
    Storage,
}

/// What may happen below the simulation. New ones are appended.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, strum::VariantArray,
)]
#[serde(rename_all = "kebab-case")]
pub enum Disturbance {
    /// The chain is killed.
    KillChain,
    /// A host is killed.
    KillHost,
    /// The chain stands still for a while.
    PauseChain,
    /// A host stands still for a while.
    PauseHost,
    /// A frame is lost.
    Drop,
    /// A frame comes twice.
    Repeat,
    /// A frame is overtaken by the next one.
    Reorder,
    /// A connection ends.
    Cut,
    /// A byte of a frame is another one.
    Garble,
    /// A frame announces more bytes than any may have.
    Oversize,
    /// A frame takes longer.
    Slow,
    /// The chain dies while a block is written, and only a part of it is there.
    TornWrite,
    /// A block is not written: there is no room.
    FullDisk,
    /// A block is written, but the disk does not say so.
    FailedSync,
    /// The chain is killed, and snapshots and checkpoints are gone.
    LostCaches,
    /// The chain is killed, and bytes of snapshots and checkpoints are others.
    DamagedCaches,
}

impl Disturbance {
    /// As scenarios and reports call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::KillChain => "kill-chain",
            Self::KillHost => "kill-host",
            Self::PauseChain => "pause-chain",
            Self::PauseHost => "pause-host",
            Self::Drop => "drop",
            Self::Repeat => "repeat",
            Self::Reorder => "reorder",
            Self::Cut => "cut",
            Self::Garble => "garble",
            Self::Oversize => "oversize",
            Self::Slow => "slow",
            Self::TornWrite => "torn-write",
            Self::FullDisk => "full-disk",
            Self::FailedSync => "failed-sync",
            Self::LostCaches => "lost-caches",
            Self::DamagedCaches => "damaged-caches",
        }
    }

    /// What it is aimed at.
    pub const fn layer(self) -> Layer {
        match self {
            Self::KillChain | Self::KillHost | Self::PauseChain | Self::PauseHost => Layer::Process,
            Self::Drop
            | Self::Repeat
            | Self::Reorder
            | Self::Cut
            | Self::Garble
            | Self::Oversize
            | Self::Slow => Layer::Wire,
            Self::TornWrite
            | Self::FullDisk
            | Self::FailedSync
            | Self::LostCaches
            | Self::DamagedCaches => Layer::Storage,
        }
    }

    /// Whether it lasts a number of milliseconds.
    pub const fn lasts(self) -> bool {
        matches!(self, Self::PauseChain | Self::PauseHost | Self::Slow)
    }
}

impl fmt::Display for Disturbance {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(self.name())
    }
}

/// A disturbance of a scenario: what, when, how often.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scheduled {
    /// What happens.
    pub what: Disturbance,
    /// Milliseconds of wall time that it lasts; 0 for those that last no time.
    pub ms: u64,
    /// When: at this block, or in each period from it on.
    pub from: Height,
    /// Blocks of a period, in each of which it strikes once at a drawn block; none if it strikes once.
    pub every: Option<u64>,
    /// The first block at which it no longer strikes.
    pub until: Option<Height>,
}

/// One moment at which something happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Strike {
    /// While this block is made or kept, or as soon after as whoever strikes hears of it.
    pub at: Height,
    /// What happens.
    pub what: Disturbance,
    /// Milliseconds of wall time that it lasts.
    pub ms: u64,
}

/// Every strike up to a block, ascending; draws come from the seed and the place among those scheduled. Beyond
/// [`STRIKES_MAX`] there are none.
pub fn strikes(scheduled: &[Scheduled], seed: u64, last: Height) -> Vec<Strike> {
    let mut strikes = Vec::new();
    for (place, one) in (0..).zip(scheduled) {
        let end = one.until.map_or(last.0, |until| last.0.min(until.0.saturating_sub(1)));
        let Some(every) = one.every else {
            if one.from <= last {
                strikes.push(Strike { at: one.from, what: one.what, ms: one.ms });
            }
            continue;
        };
        let periods = (one.from.0..=end).step_by(usize::try_from(every).unwrap_or(usize::MAX));
        for begin in periods.take(STRIKES_MAX) {
            let mut dice = Dice::new(seed, Domain::Study, place, begin, STRIKE_DRAW);
            let at = Height(begin.saturating_add(dice.below(every)));
            if at.0 <= end {
                strikes.push(Strike { at, what: one.what, ms: one.ms });
            }
        }
    }
    strikes.sort_by_key(|strike| (strike.at, strike.what));
    strikes.truncate(STRIKES_MAX);
    strikes
}

/// Tells these draws from those of studies.
const STRIKE_DRAW: u64 = 0x5354_524b;

/// How often each kind struck.
pub type Struck = BTreeMap<Disturbance, u64>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_drawn_strikes_once_in_each_period_and_what_has_a_block_at_it() {
        let drawn = Scheduled {
            what: Disturbance::Cut,
            ms: 0,
            from: Height(11),
            every: Some(10),
            until: Some(Height(41)),
        };
        let fixed = Scheduled { what: Disturbance::Drop, from: Height(7), every: None, ..drawn };
        for seed in 0..50 {
            let all = strikes(&[drawn, fixed], seed, Height(1_000));
            assert_eq!(all, strikes(&[drawn, fixed], seed, Height(1_000)), "seed {seed}");
            assert_eq!(all[0], Strike { at: Height(7), what: Disturbance::Drop, ms: 0 });
            let periods: Vec<u64> = all[1..].iter().map(|strike| (strike.at.0 - 11) / 10).collect();
            assert_eq!(periods, [0, 1, 2], "seed {seed}");
            assert!(strikes(&[drawn, fixed], seed, Height(6)).is_empty());
        }
        assert_ne!(strikes(&[drawn], 1, Height(99)), strikes(&[drawn], 2, Height(99)));
    }

    #[test]
    fn names_are_those_of_scenarios() {
        use strum::VariantArray;
        for what in Disturbance::VARIANTS {
            let written = serde_json::to_value(what).expect("plain data");
            assert_eq!(written, what.name());
        }
    }
}
