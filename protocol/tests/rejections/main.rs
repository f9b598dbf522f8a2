//! One table per call: a row per reason for "no", in the chain's order of checks, then the rows that
//! are done. Each row differs from the one before by the one thing that gets the call further.
//!
//! Every row also shows that a call that is not done leaves nothing but nonce and fee, and that one
//! that is done loses no rao outside the ledgers and replays from its events.

#[path = "../network/mod.rs"]
mod network;

mod balances;
mod bounds;
mod children;
mod commits;
mod effects;
mod fees;
mod moves;
mod registrations;
mod root_claims;
mod settings;
mod stakes;
mod swaps;
mod sweep;
mod takes;
mod timelock;
mod trimming;
mod weights;

use network::{STAKER, execute, network, unexplained, untouched};
use protocol::apply::apply;
use protocol::call::{Call, Origin};
use protocol::event::Event;
use protocol::rejection::{Outcome, Refusal, Rejection};
use protocol::state::State;

/// A call on a state; rows change one or the other.
pub(crate) struct Case {
    pub(crate) state: State,
    pub(crate) origin: Origin,
    pub(crate) call: Call,
}

impl Case {
    /// A call of the staker's on the small network.
    pub fn new(call: Call) -> Self {
        Self { state: network(), origin: Origin::Signed(STAKER), call }
    }

    /// A row that fails.
    pub fn no(&mut self, row: &str, reason: Rejection, change: impl FnOnce(&mut Self)) {
        change(self);
        check(self, row, Outcome::Failed(reason));
    }

    /// A row that is not even included.
    pub fn refused(&mut self, row: &str, reason: Refusal, change: impl FnOnce(&mut Self)) {
        change(self);
        check(self, row, Outcome::Refused(reason));
    }

    /// A row that is done: the state after it and its events. The case itself stays as it is.
    pub fn yes(&mut self, row: &str, change: impl FnOnce(&mut Self)) -> (State, Vec<Event>) {
        change(self);
        check(self, row, Outcome::Ok)
    }
}

fn check(case: &mut Case, row: &str, expected: Outcome) -> (State, Vec<Event>) {
    case.state.forget_cached_hashes();
    case.state.forget_indexes();
    let mut state = case.state.clone();
    state.root();
    let (outcome, events) = execute(&mut state, case.origin, &case.call);
    assert_eq!(outcome, expected, "{}: {row}", case.call.name());
    let root = state.root();
    assert_eq!(root, state.root_from_scratch(), "{}: {row}: cached hashes", case.call.name());
    if outcome != Outcome::Ok {
        let mut left = untouched(case.state.clone(), case.origin, &case.call, outcome);
        assert_eq!(root, left.root(), "{}: {row} leaves a trace: {events:#?}", case.call.name());
    }
    assert_eq!(unexplained(&state), unexplained(&case.state), "{}: {row}", case.call.name());
    let mut folded = case.state.clone();
    for event in &events {
        apply(&mut folded, event).expect("what was decided fits");
    }
    assert_eq!(root, folded.root(), "{}: {row}: replay differs", case.call.name());
    (state, events)
}

/// Whether an event of that kind was emitted.
pub(crate) fn has(events: &[Event], kind: &str) -> bool {
    events.iter().any(|event| event.kind() == kind)
}
