//! Wall time: how long things took, and the pace of a run. The only file that reads a clock.
//!
//! Nothing here reaches a machine or changes an outcome.

use protocol::units::BLOCK_MS;
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How fast simulated time passes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pace {
    /// As fast as the machine can.
    #[default]
    Max,
    /// So many simulated seconds per second of wall time; 1 is real time.
    Times(f64),
}

/// A text that is no pace.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no pace: write max, realtime or a factor such as 10x")]
pub struct InvalidPace {
    text: String,
}

impl std::str::FromStr for Pace {
    type Err = InvalidPace;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "max" => Ok(Self::Max),
            "realtime" => Ok(Self::Times(1.0)),
            _ => {
                let factor = text.strip_suffix('x').and_then(|number| number.parse::<f64>().ok());
                let factor = factor.filter(|factor| factor.is_finite() && *factor > 0.0);
                let invalid = || InvalidPace { text: text.to_owned() };
                factor.map(Self::Times).ok_or_else(invalid)
            }
        }
    }
}

impl std::fmt::Display for Pace {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Max => write!(to, "max"),
            Self::Times(1.0) => write!(to, "realtime"),
            Self::Times(factor) => write!(to, "{factor}x"),
        }
    }
}

/// Time since it was started.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch {
    started: Instant,
}

impl Stopwatch {
    /// Starts now.
    pub fn start() -> Self {
        Self { started: Instant::now() }
    }

    /// Seconds since the start.
    pub fn seconds(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }

    /// How long to wait until a block may begin at this pace, `blocks` blocks after the start.
    pub fn wait_for(&self, pace: Pace, blocks: u64) -> Option<Duration> {
        let Pace::Times(factor) = pace else { return None };
        let due = (blocks * BLOCK_MS) as f64 / 1_000.0 / factor;
        let left = due - self.seconds();
        (left > 0.0).then(|| Duration::from_secs_f64(left))
    }
}

/// Lets something happen at most once per interval.
#[derive(Clone, Copy, Debug)]
pub struct Throttle {
    last: Option<Instant>,
    interval: Duration,
}

impl Throttle {
    /// The first time is at once.
    pub const fn every(interval: Duration) -> Self {
        Self { last: None, interval }
    }

    /// Whether it is time again.
    pub fn is_due(&mut self) -> bool {
        let due = self.last.is_none_or(|last| last.elapsed() >= self.interval);
        if due {
            self.last = Some(Instant::now());
        }
        due
    }
}

/// Seconds since 1970-01-01T00:00:00Z, for the operations journal.
pub fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paces_read_as_they_are_written() {
        let rows = [
            ("max", Some(Pace::Max)),
            ("realtime", Some(Pace::Times(1.0))),
            ("1x", Some(Pace::Times(1.0))),
            ("0.5x", Some(Pace::Times(0.5))),
            ("10x", Some(Pace::Times(10.0))),
            ("10", None),
            ("-1x", None),
            ("0x", None),
            ("infx", None),
            ("", None),
        ];
        for (text, pace) in rows {
            assert_eq!(text.parse::<Pace>().ok(), pace, "{text:?}");
            if let Some(pace) = pace {
                assert_eq!(pace.to_string().parse(), Ok(pace), "{text:?}");
            }
        }
    }

    #[test]
    fn the_fastest_pace_never_waits() {
        assert_eq!(Stopwatch::start().wait_for(Pace::Max, 1_000_000), None);
        assert!(Stopwatch::start().wait_for(Pace::Times(1.0), 1_000_000).is_some());
    }
}
