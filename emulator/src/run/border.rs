//! Where a run stands between two blocks: who is to be heard, and when the next block may begin.
//!
//! What belongs here: the order in which wishes, the end and the pace are looked at. What does not: making blocks
//! (`engine`), the wishes themselves (`control`), time (`clock`). No outcome depends on it.

use super::control::{Control, Ended, Motion, Numbered, Wish};
use crate::clock::Pacer;
use protocol::units::Height;
use std::time::Duration;
use tokio::sync::watch;

/// What comes at a block border.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Next {
    /// The next block.
    Block,
    /// Nothing before so long, or before another wish; without a time, before another wish.
    Wait(Option<Duration>),
    /// A wish that is in force from here on.
    Told(Numbered),
    /// The end.
    End(Ended),
}

/// The borders of a run.
#[derive(Debug)]
pub struct Border {
    wishes: watch::Receiver<Numbered>,
    told: Option<Numbered>,
    pacer: Pacer,
    /// Up to here blocks are made again, which nobody waits for: neither pace nor a pause from before this start holds.
    held: Height,
}

impl Border {
    /// The borders of a run whose log holds blocks up to `held` already.
    pub fn new(control: &Control, held: Height) -> Self {
        Self { wishes: control.wishes(), told: None, pacer: Pacer::start(), held }
    }

    /// What comes after a block, in a run up to `until`. A wish is told once, before it is followed.
    pub fn next(&mut self, height: Height, until: Height) -> Next {
        let wished = *self.wishes.borrow_and_update();
        let Wish { pace, motion, ending } = wished.wish;
        let is_again = height < self.held;
        if self.told != Some(wished) {
            self.told = Some(wished);
            self.pacer.go_on(pace);
            return Next::Told(wished);
        }
        if height >= until {
            return Next::End(Ended::Complete);
        }
        if let Some(ended) = ending {
            return Next::End(ended);
        }
        if motion == Motion::Paused && !(is_again && wished.number == 0) {
            return Next::Wait(None);
        }
        if is_again {
            return Next::Block;
        }
        match self.pacer.wait_for(pace) {
            Some(wait) => Next::Wait(Some(wait)),
            None => {
                self.pacer.begin(pace);
                Next::Block
            }
        }
    }

    /// Waits so long, or until something else is wished for.
    pub async fn wait(&mut self, wait: Option<Duration>) {
        let asked = self.wishes.changed();
        // Whoever makes the run holds the other end, so nothing but a wish or the end of the time ends this.
        match wait {
            None => drop(asked.await),
            Some(wait) => drop(tokio::time::timeout(wait, asked).await),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Pace;

    const UNTIL: Height = Height(100);
    const SLOW: Pace = Pace::Times(1e-6);

    fn paused(wish: &mut Wish) {
        wish.motion = Motion::Paused;
    }

    fn is_told(next: Next) -> bool {
        matches!(next, Next::Told(_))
    }

    #[test]
    fn a_wish_is_told_once_and_then_followed() {
        let control = Control::new(Wish::default());
        let mut border = Border::new(&control, Height(0));
        assert!(is_told(border.next(Height(1), UNTIL)), "what it begins with");
        assert_eq!(border.next(Height(1), UNTIL), Next::Block);
        control.ask(paused);
        assert!(is_told(border.next(Height(2), UNTIL)));
        assert_eq!(border.next(Height(2), UNTIL), Next::Wait(None));
        control.ask(|wish| wish.motion = Motion::Running);
        assert!(is_told(border.next(Height(2), UNTIL)));
        assert_eq!(border.next(Height(2), UNTIL), Next::Block);
        assert_eq!(border.next(UNTIL, UNTIL), Next::End(Ended::Complete));
    }

    #[test]
    fn a_paused_or_slow_run_can_be_ended() {
        for wish in [
            Wish { motion: Motion::Paused, ..Wish::default() },
            Wish { pace: SLOW, ..Wish::default() },
        ] {
            let control = Control::new(wish);
            let mut border = Border::new(&control, Height(0));
            assert!(is_told(border.next(Height(1), UNTIL)));
            border.pacer.begin(wish.pace);
            assert!(matches!(border.next(Height(1), UNTIL), Next::Wait(_)));
            control.end(Ended::Stopped);
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
            // It was asked already, so however long it would have waited, this ends.
            runtime.expect("plain").block_on(border.wait(None));
            assert!(is_told(border.next(Height(1), UNTIL)));
            assert_eq!(border.next(Height(1), UNTIL), Next::End(Ended::Stopped));
        }
    }

    #[test]
    fn blocks_made_again_wait_only_for_what_is_asked_meanwhile() {
        let wish = Wish { pace: SLOW, motion: Motion::Paused, ending: None };
        let control = Control::new(wish);
        let mut border = Border::new(&control, Height(50));
        assert!(is_told(border.next(Height(40), UNTIL)));
        assert_eq!(border.next(Height(49), UNTIL), Next::Block, "the log holds block 50");
        assert_eq!(border.next(Height(50), UNTIL), Next::Wait(None), "where it was paused before");
        control.ask(paused);
        assert!(is_told(border.next(Height(45), UNTIL)));
        assert_eq!(border.next(Height(45), UNTIL), Next::Wait(None), "asked now, it stands now");
    }
}
