//! The progress bar of a run, on standard error; silent where that is no terminal.

use crate::clock::Pace;
use crate::run::chain::Report;
use crate::run::control::{Motion, Wish};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use protocol::units::BLOCK_MS;
use std::cell::Cell;
use std::fmt::Write;

/// Shows how far a run is.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    genesis: Cell<u64>,
}

/// Whether progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Showing {
    /// On a terminal.
    Bar,
    /// Never.
    Nothing,
}

impl Showing {
    /// Beside what people read; not beside JSON.
    pub const fn unless_json(json: bool) -> Self {
        if json { Self::Nothing } else { Self::Bar }
    }
}

impl Progress {
    /// A bar that runs to the last block, given as a height.
    pub fn new(until: u64, showing: Showing) -> Self {
        let target = match showing {
            Showing::Bar => ProgressDrawTarget::stderr(),
            Showing::Nothing => ProgressDrawTarget::hidden(),
        };
        Self::on(until, target)
    }

    fn on(until: u64, target: ProgressDrawTarget) -> Self {
        let style = "block {height} of {last} {wide_bar} {simulated} {speed} {msg}ETA {eta}";
        let bar = ProgressBar::with_draw_target(Some(1), target);
        let simulated = |state: &ProgressState, to: &mut dyn Write| {
            let written = write!(to, "{}", simulated_time(state.pos()));
            debug_assert!(written.is_ok(), "a line of a progress bar is never full");
        };
        let style = ProgressStyle::with_template(style)
            .expect("the template is well-formed")
            .with_key("simulated", simulated)
            .with_key("speed", |state: &ProgressState, to: &mut dyn Write| {
                let written = write!(to, "{:.1} blocks/s", state.per_sec());
                debug_assert!(written.is_ok(), "a line of a progress bar is never full");
            })
            .with_key("height", |_: &ProgressState, _: &mut dyn Write| {})
            .with_key("last", move |_: &ProgressState, to: &mut dyn Write| {
                let written = write!(to, "{until}");
                debug_assert!(written.is_ok(), "a line of a progress bar is never full");
            });
        bar.set_style(style);
        bar.set_length(until);
        Self { bar, genesis: Cell::new(0) }
    }

    /// A bar over the blocks of a log, from genesis to the last one.
    pub fn counting(genesis: u64, until: u64, showing: Showing) -> Self {
        let progress = Self::new(until, showing);
        progress.begin(genesis, genesis);
        progress
    }

    /// Shows a block's height.
    pub fn at(&self, height: u64) {
        self.bar.set_position(height.saturating_sub(self.genesis.get()));
    }

    fn begin(&self, genesis: u64, from: u64) {
        self.genesis.set(genesis);
        let last = self.bar.length().unwrap_or(0);
        self.restyle(genesis);
        self.bar.set_length(last.saturating_sub(genesis));
        self.bar.set_position(from - genesis);
        self.bar.reset_eta();
    }

    /// Takes note of what the chain reports.
    pub fn show(&self, report: &Report) {
        match report {
            Report::Listening { metrics: Some(address), .. } => {
                self.bar.println(format!("metrics at http://{address}/metrics"));
            }
            Report::Started { genesis, from, .. } => self.begin(*genesis, *from),
            Report::Progress { height, .. } => self.at(*height),
            Report::Standing { wish, height } => {
                self.bar.set_message(standing(wish));
                self.at(*height);
            }
            Report::Restarting { why, restarts } => {
                self.warn(&format!("restart {restarts}: {why}"))
            }
            Report::Refused { why, count } => {
                self.warn(&format!(
                    "refused one who is no host of this run ({count} so far): {why}"
                ));
            }
            Report::Listening { metrics: None, .. }
            | Report::Struck(_)
            | Report::Alive
            | Report::Done(_)
            | Report::Failed { .. } => {}
        }
    }

    /// Seen where there is no bar too: a run that heals itself should not do so unseen.
    fn warn(&self, line: &str) {
        if self.bar.is_hidden() { tracing::warn!("{line}") } else { self.bar.println(line) }
    }

    /// Says something to whoever started the run, bar or not; it is in no log.
    pub fn talk(&self, text: &str) {
        match self.bar.is_hidden() {
            true => crate::telling::tell_talk(&format!("{text}\n")),
            false => self.bar.println(text),
        }
    }

    /// Heights are the chain's own; the bar counts blocks from genesis.
    fn restyle(&self, genesis: u64) {
        let height = move |state: &ProgressState, to: &mut dyn Write| {
            let written = write!(to, "{}", genesis + state.pos());
            debug_assert!(written.is_ok(), "a line of a progress bar is never full");
        };
        self.bar.set_style(self.bar.style().with_key("height", height));
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// How a run stands, where it is not simply as fast as it can.
fn standing(wish: &Wish) -> String {
    match wish {
        Wish { ending: Some(_), .. } => "ending ".to_owned(),
        Wish { motion: Motion::Paused, .. } => "paused ".to_owned(),
        Wish { pace: Pace::Max, .. } => String::new(),
        Wish { pace, .. } => format!("at {pace} "),
    }
}

/// Simulated time since genesis after so many blocks: `2d 03:04:12`.
pub fn simulated_time(blocks: u64) -> String {
    let (days, time) = days_and_time(blocks * BLOCK_MS);
    format!("{days}d {time}")
}

/// Simulated milliseconds as whole days and the time of day: `03:04:12`.
pub fn days_and_time(ms: u64) -> (u64, String) {
    let seconds = ms / 1_000;
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    (days, format!("{:02}:{:02}:{:02}", rest / 3_600, rest / 60 % 60, rest % 60))
}

#[cfg(test)]
mod tests {
    use super::*;
    use indicatif::TermLike;
    use std::io;
    use std::sync::{Arc, Mutex};

    /// A terminal that remembers all that was ever written on it.
    #[derive(Clone, Debug, Default)]
    struct Paper(Arc<Mutex<String>>);

    impl Paper {
        fn add(&self, text: &str) -> io::Result<()> {
            self.0.lock().expect("one thread writes").push_str(text);
            Ok(())
        }

        fn says(&self, text: &str) -> bool {
            self.0.lock().expect("one thread writes").contains(text)
        }
    }

    impl TermLike for Paper {
        fn width(&self) -> u16 {
            120
        }
        fn move_cursor_up(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_down(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_right(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_left(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn write_line(&self, line: &str) -> io::Result<()> {
            self.add(line).and_then(|()| self.add("\n"))
        }
        fn write_str(&self, text: &str) -> io::Result<()> {
            self.add(text)
        }
        fn clear_line(&self) -> io::Result<()> {
            Ok(())
        }
        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn the_line_shows_block_time_speed_and_how_the_run_stands() {
        let paper = Paper::default();
        let target = ProgressDrawTarget::term_like_with_hz(Box::new(paper.clone()), 255);
        let progress = Progress::on(1_100, target);
        let standing = |wish: Wish, height| progress.show(&Report::Standing { wish, height });
        let paced = Wish { pace: Pace::Times(10.0), ..Wish::default() };
        progress.show(&Report::Started {
            players: Default::default(),
            genesis: 1_000,
            from: 1_000,
        });
        standing(paced, 1_000);
        progress.show(&Report::Progress { height: 1_012, processes: Vec::new(), violations: 0 });
        progress.bar.tick();
        for part in ["block 1012 of 1100", "0d 00:02:24", " blocks/s at 10x ETA "] {
            assert!(paper.says(part), "{part:?} is not in {paper:?}");
        }
        standing(Wish { motion: Motion::Paused, ..paced }, 1_012);
        progress.bar.tick();
        assert!(paper.says(" blocks/s paused ETA "), "{paper:?}");
        progress.show(&Report::Restarting { why: "it was lost".to_owned(), restarts: 2 });
        assert!(paper.says("restart 2: it was lost"), "{paper:?}");
    }

    #[test]
    fn simulated_time_counts_days() {
        let rows = [(0, "0d 00:00:00"), (5, "0d 00:01:00"), (7_200, "1d 00:00:00")];
        for (blocks, text) in rows {
            assert_eq!(simulated_time(blocks), text);
        }
        assert_eq!(simulated_time(7_200 * 2 + 301), "2d 01:00:12");
    }
}
