//! The randomness beacon as the chain stores it (30 §9.7): its calendar, and which of its pulses are kept.
//!
//! What belongs here: rounds and their times. What does not: what a pulse opens (`timelock`).
//! A pulse has no content: that it is stored says that its round may be opened.

use crate::canon::canon_struct;
use crate::event::Event;
use crate::tx::Tx;
use serde::{Deserialize, Serialize};

/// Rounds kept at most.
pub const ROUNDS_KEPT_MAX: u64 = 216_000;

/// The beacon's calendar and the pulses stored; the default is a network without a beacon.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Beacon {
    /// Simulated milliseconds between rounds; 0 for no beacon.
    pub period_ms: u64,
    /// The round published at simulated time 0.
    pub first_round: u64,
    /// The oldest round kept, 0 before the first.
    pub oldest: u64,
    /// The last round stored, 0 before the first.
    pub last: u64,
}
canon_struct!(Beacon { 1: period_ms, 2: first_round, 3: oldest, 4: last });

impl Beacon {
    /// The last round published at a simulated time; `None` without a beacon.
    pub fn round_at(&self, time_ms: u64) -> Option<u64> {
        let rounds = time_ms.checked_div(self.period_ms)?;
        Some(self.first_round.saturating_add(rounds))
    }

    /// Whether the pulse of a round is stored.
    pub fn holds(&self, round: u64) -> bool {
        self.last != 0 && (self.oldest..=self.last).contains(&round)
    }
}

/// Stores the pulses up to a round, unless they are there, and forgets those too old to be kept. The
/// first pulse ever stored has none before it.
pub fn store(tx: &mut Tx<'_>, last: u64) {
    let beacon = tx.state().global.beacon;
    if last <= beacon.last {
        return;
    }
    let oldest = if beacon.last == 0 { last } else { beacon.oldest };
    let oldest = oldest.max(last.saturating_sub(ROUNDS_KEPT_MAX - 1));
    tx.emit(Event::BeaconRoundsStored { oldest, last });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::State;

    #[test]
    fn rounds_have_their_times() {
        let beacon = Beacon { period_ms: 3_000, first_round: 7, ..Beacon::default() };
        for (time_ms, round) in [(0, 7), (2_999, 7), (3_000, 8), (12_000, 11)] {
            assert_eq!(beacon.round_at(time_ms), Some(round), "{time_ms}");
        }
        assert_eq!(Beacon::default().round_at(9_000), None);
    }

    #[test]
    fn pulses_are_stored_in_order_and_the_oldest_forgotten() {
        let mut state = State::default();
        let kept = ROUNDS_KEPT_MAX;
        let rows = [(4, 4, 4), (8, 4, 8), (8, 4, 8), (5, 4, 8), (kept + 3, 4, kept + 3)];
        let rows = rows.into_iter().chain([(kept + 7, 8, kept + 7)]);
        assert!(!state.global.beacon.holds(0), "no pulse is stored");
        for (stored, oldest, last) in rows {
            store(&mut Tx::new(&mut state), stored);
            let beacon = state.global.beacon;
            assert_eq!((beacon.oldest, beacon.last), (oldest, last), "up to {stored}");
            assert_eq!([oldest, last].map(|round| beacon.holds(round)), [true; 2]);
            assert_eq!([oldest - 1, last + 1].map(|round| beacon.holds(round)), [false; 2]);
        }
    }
}
