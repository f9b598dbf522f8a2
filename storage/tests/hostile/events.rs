//! Histories that hang together by every hash and that nobody decided: folding one ends with a state or with the event
//! that does not fit.

use crate::golden::Golden;
use crate::history::{Past, fold};
use crate::memory::most_held;
use crate::trial::{Choices, Tally, Target, try_inputs};
use protocol::state::State;
use storage::codec::{decode, encode};
use storage::fold::FoldError;

const INPUTS: u64 = 6_000;
/// One history in so many is looked at closely.
const CLOSELY: usize = 16;
/// What folding a history of the small log may hold, in bytes.
const HELD_MAX: usize = 256 << 20;

fn try_history(past: &Past, choices: &mut Choices<'_>, tally: &Tally) {
    tally.count("tried");
    let closely = choices.below(CLOSELY) == 0;
    let (mut folder, frames) = past.history(choices);
    for frame in frames {
        match fold(&mut folder, frame) {
            Ok(_) => tally.count("a block"),
            Err(FoldError::Event { error, .. }) => {
                assert!(!error.what.is_empty());
                return tally.count("refused by the state");
            }
            Err(other) => panic!("every hash was made right, but {other}"),
        }
    }
    tally.count("a history");
    if closely {
        tally.count("looked at closely");
        let mut again: State = decode(&encode(folder.state())).expect("it was written");
        assert_eq!(again.root(), folder.header().state_root, "a snapshot brings another state");
        let root = folder.state().root_from_scratch();
        assert_eq!(root, folder.header().state_root, "a kept hash is stale");
    }
}

#[test]
fn any_history_is_folded_or_refused() {
    let past = Past::of(Golden::read(4));
    let tally = Tally::default();
    try_inputs!("any_history_is_folded_or_refused", INPUTS, |choices| {
        let ((), held) = most_held(|| try_history(&past, choices, &tally));
        assert!(held <= HELD_MAX, "{held} bytes");
    });
    tally.wants(&[("a history", 200), ("refused by the state", 200), ("looked at closely", 5)]);
}
