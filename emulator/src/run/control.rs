//! What is asked of a run while it goes on: pace, pause, an early end. Whoever asks (the door, a signal, the launcher)
//! gets a number; the engine looks at the last wish at every block border and says which number it has obeyed.
//!
//! What belongs here: the wish and its numbers. What does not: who asks (`door`, `launcher`), what a border is
//! (`engine`). Nothing here changes an outcome: wishes decide only when a block may begin, and after which the run ends.

use crate::clock::Pace;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tokio::sync::watch;

/// Whether blocks are made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Motion {
    /// They are, at the run's pace.
    #[default]
    Running,
    /// The run stands at a block border.
    Paused,
}

/// Why a run ended as it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// It made its last block.
    Complete,
    /// Ctrl-C, or the system's request to end.
    Interrupted,
    /// `btemu ctl RUN stop`.
    Stopped,
    /// A condition of `run.until` holds.
    Condition,
}

impl Ended {
    /// As JSON has it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Interrupted => "interrupted",
            Self::Stopped => "stopped",
            Self::Condition => "condition",
        }
    }

    /// The same in words, after "the run".
    pub const fn words(self) -> &'static str {
        match self {
            Self::Complete => "made its last block",
            Self::Interrupted => "was interrupted",
            Self::Stopped => "was stopped by `btemu ctl`",
            Self::Condition => "met a condition of run.until",
        }
    }
}

/// How a run should go on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Wish {
    /// How fast simulated time passes.
    pub pace: Pace,
    /// Whether blocks are made.
    pub motion: Motion,
    /// Whether it should end at the next block border, and why.
    pub ending: Option<Ended>,
}

/// A wish and how many were uttered before it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Numbered {
    /// Its number; 0 is what the run began with.
    pub number: u64,
    /// The wish.
    pub wish: Wish,
}

/// The wishes of a run; clones are the same.
#[derive(Clone, Debug)]
pub struct Control {
    wished: Arc<watch::Sender<Numbered>>,
    /// The last wish that is in force.
    obeyed: Arc<watch::Sender<Numbered>>,
}

impl Control {
    /// A run begins with this.
    pub fn new(wish: Wish) -> Self {
        let first = Numbered { number: 0, wish };
        let sender = || Arc::new(watch::channel(first).0);
        Self { wished: sender(), obeyed: sender() }
    }

    /// Asks for something else; gives the number to wait for.
    pub fn ask(&self, change: impl FnOnce(&mut Wish)) -> u64 {
        let mut number = 0;
        self.wished.send_modify(|wished| {
            change(&mut wished.wish);
            wished.number += 1;
            number = wished.number;
        });
        number
    }

    /// Asks the run to end at the next block border; the first reason stands.
    pub fn end(&self, why: Ended) -> u64 {
        self.ask(|wish| wish.ending = wish.ending.or(Some(why)))
    }

    /// What is wished for, and when that changes.
    pub fn wishes(&self) -> watch::Receiver<Numbered> {
        self.wished.subscribe()
    }

    /// The engine's word that a wish is in force.
    pub fn obey(&self, wish: Numbered) {
        self.obeyed.send_replace(wish);
    }

    /// The wish in force.
    pub fn in_force(&self) -> Wish {
        self.obeyed.borrow().wish
    }

    /// Waits until the wish of a number, or a later one, is in force.
    pub async fn obeyed(&self, number: u64) {
        let mut obeyed = self.obeyed.subscribe();
        // The sender lives as long as `self`.
        obeyed.wait_for(|obeyed| obeyed.number >= number).await.ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_is_in_force_once_it_is_obeyed() {
        let control = Control::new(Wish::default());
        let first = control.ask(|wish| wish.motion = Motion::Paused);
        let second = control.ask(|wish| wish.pace = Pace::Times(10.0));
        assert!(second > first);
        assert_eq!(control.in_force(), Wish::default(), "nobody obeyed yet");
        control.obey(*control.wishes().borrow());
        let both = Wish { pace: Pace::Times(10.0), motion: Motion::Paused, ending: None };
        assert_eq!(control.in_force(), both);
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("plain");
        runtime.block_on(async {
            control.obeyed(first).await;
            control.obeyed(second).await;
        });
    }

    #[test]
    fn the_first_reason_to_end_stands() {
        let control = Control::new(Wish::default());
        control.end(Ended::Stopped);
        control.end(Ended::Interrupted);
        assert_eq!(control.wishes().borrow().wish.ending, Some(Ended::Stopped));
    }
}
