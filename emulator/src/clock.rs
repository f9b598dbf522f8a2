//! Wall time: how long things took, and the pace of a run. The only file that reads a clock.
//!
//! Nothing here reaches a machine or changes an outcome.

use protocol::units::BLOCK_MS;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
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
#[error("{text:?} is no pace: write max, realtime, or a factor such as 10x or 0.5x")]
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
}

/// How late a block may be and still be made up for by those after it. What is lost beyond is lost: a run that stood
/// still or was slow for a while goes on at its pace and does not race.
pub const PACE_DEBT_MS_MAX: u64 = 500;
/// The longest time between two blocks, however slow the pace: ten years.
const PACE_INTERVAL_S_MAX: f64 = 3.2e8;

/// Says when a block may begin. It decides nothing else.
#[derive(Clone, Copy, Debug)]
pub struct Pacer {
    stopwatch: Stopwatch,
    schedule: Schedule,
}

impl Pacer {
    /// The first block may begin at once.
    pub fn start() -> Self {
        Self { stopwatch: Stopwatch::start(), schedule: Schedule::default() }
    }

    /// How long to wait until the next block may begin at this pace.
    pub fn wait_for(&self, pace: Pace) -> Option<Duration> {
        self.schedule.wait_for(pace, self.stopwatch.started.elapsed())
    }

    /// A block begins.
    pub fn begin(&mut self, pace: Pace) {
        self.schedule.begin(pace, self.stopwatch.started.elapsed());
    }

    /// From here on the pace is this one; what was lost before is not made up for.
    pub fn go_on(&mut self, pace: Pace) {
        if self.wait_for(pace).is_none() {
            self.schedule = Schedule::default();
        }
    }
}

/// The rule of [`Pacer`], without its clock.
#[derive(Clone, Copy, Debug, Default)]
struct Schedule {
    /// When the last block should have begun.
    last: Option<Duration>,
}

impl Schedule {
    fn due(&self, pace: Pace) -> Option<Duration> {
        let Pace::Times(factor) = pace else { return None };
        let interval_s = (BLOCK_MS as f64 / 1_000.0 / factor).min(PACE_INTERVAL_S_MAX);
        Some(self.last? + Duration::from_secs_f64(interval_s))
    }

    fn wait_for(&self, pace: Pace, now: Duration) -> Option<Duration> {
        let left = self.due(pace)?.saturating_sub(now);
        (!left.is_zero()).then_some(left)
    }

    fn begin(&mut self, pace: Pace, now: Duration) {
        let oldest = now.saturating_sub(Duration::from_millis(PACE_DEBT_MS_MAX));
        self.last = Some(self.due(pace).map_or(now, |due| due.clamp(oldest, now)));
    }
}

/// How many blocks a second there were lately.
#[derive(Clone, Debug, Default)]
pub struct Speedometer {
    samples: VecDeque<(Instant, u64)>,
}

/// Samples a [`Speedometer`] looks back on.
const SPEED_SAMPLES_MAX: usize = 32;

impl Speedometer {
    /// Takes note of the height of a run.
    pub fn note(&mut self, height: u64) {
        if self.samples.len() == SPEED_SAMPLES_MAX {
            self.samples.pop_front();
        }
        self.samples.push_back((Instant::now(), height));
    }

    /// Forgets what was before a pause.
    pub fn reset(&mut self) {
        self.samples.clear();
    }

    /// Blocks a second between the first and the last note; 0 where there are no two.
    pub fn blocks_per_second(&self) -> f64 {
        let (Some(first), Some(last)) = (self.samples.front(), self.samples.back()) else {
            return 0.0;
        };
        let seconds = last.0.duration_since(first.0).as_secs_f64();
        let blocks = last.1.saturating_sub(first.1) as f64;
        if seconds > 0.0 { blocks / seconds } else { 0.0 }
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

    const MS: fn(u64) -> Duration = Duration::from_millis;

    #[test]
    fn a_block_begins_one_interval_after_the_one_before() {
        // 12 ms a block.
        let pace = Pace::Times(1_000.0);
        let mut schedule = Schedule::default();
        assert_eq!(schedule.wait_for(pace, MS(7)), None, "the first is at once");
        schedule.begin(pace, MS(7));
        assert_eq!(schedule.wait_for(pace, MS(7)), Some(MS(12)));
        assert_eq!(schedule.wait_for(Pace::Max, MS(7)), None);
        assert_eq!(schedule.wait_for(Pace::Times(500.0), MS(7)), Some(MS(24)), "changed meanwhile");
        schedule.begin(pace, MS(22));
        assert_eq!(schedule.wait_for(pace, MS(22)), Some(MS(9)), "3 ms late are made up for");
    }

    #[test]
    fn what_is_lost_beyond_the_debt_is_not_made_up_for() {
        let pace = Pace::Times(100.0);
        let mut schedule = Schedule::default();
        schedule.begin(pace, MS(0));
        schedule.begin(pace, MS(60_000));
        let mut now = MS(60_000);
        let mut hurried = 0;
        while schedule.wait_for(pace, now).is_none() {
            schedule.begin(pace, now);
            now += MS(1);
            hurried += 1;
        }
        assert_eq!(
            hurried,
            PACE_DEBT_MS_MAX / 120,
            "a block takes 120 ms, a minute is 500 of them"
        );
    }

    #[test]
    fn no_pace_is_too_slow_to_be_waited_for() {
        let mut schedule = Schedule::default();
        schedule.begin(Pace::Times(1e-300), MS(1));
        assert!(schedule.wait_for(Pace::Times(1e-300), MS(2)).is_some());
    }

    #[test]
    fn a_run_that_goes_on_owes_nothing() {
        let pace = Pace::Times(1e9);
        let mut pacer = Pacer::start();
        pacer.begin(pace);
        pacer.go_on(Pace::Times(1e-9));
        assert!(pacer.wait_for(Pace::Times(1e-9)).is_some(), "a slower pace holds at once");
        pacer.go_on(Pace::Max);
        assert_eq!(pacer.schedule.last, None);
    }

    #[test]
    fn speed_is_blocks_by_seconds_between_notes() {
        let mut speed = Speedometer::default();
        assert_eq!(speed.blocks_per_second(), 0.0);
        speed.note(5);
        assert_eq!(speed.blocks_per_second(), 0.0);
        for height in 6..200 {
            speed.note(height);
        }
        assert!(speed.blocks_per_second() > 0.0);
        assert_eq!(speed.samples.len(), SPEED_SAMPLES_MAX);
        speed.reset();
        assert_eq!(speed.blocks_per_second(), 0.0);
    }
}
