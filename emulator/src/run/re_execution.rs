//! Deciding a log again: every call of every block, by the real rules, from block 0 alone.
//!
//! What belongs here: what a block's frame and the plan say of what the block was decided from. What does not: running
//! the players that made the calls (`engine`). A frame does not tell which calls waited for a later block, nor the
//! bodies of refused calls beyond those kept; refused calls change nothing, so all else follows from it.

use super::difference::{Difference, difference};
use crate::plan::{Course, Plan};
use protocol::block::{BlockInput, Submitted, decide_block, order_calls, seal};
use protocol::call::{Call, Origin};
use protocol::frame::{CallRecord, Frame, Header};
use protocol::rejection::{Outcome, Refusal};
use protocol::state::State;
use protocol::units::{Height, PlayerId};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A run decided again, as far as it has come.
#[derive(Debug)]
pub struct ReExecution<'a> {
    plan: &'a Plan,
    state: State,
    header: Header,
}

impl<'a> ReExecution<'a> {
    /// At genesis, with the header that the log has there.
    pub fn new(plan: &'a Plan, header: &Header) -> Self {
        Self { plan, state: plan.genesis.clone(), header: header.clone() }
    }

    /// Decides the next block from its calls alone and compares what comes out. After a difference it is of no more
    /// use.
    pub fn block(&mut self, held: &Frame) -> Option<Difference> {
        let height = Height(self.header.height.0 + 1);
        let course = self.plan.course(height);
        if held.header.height != height {
            return Some(Difference::of("the height", held.header.height, height));
        }
        if let Some(difference) = check_calls(&course, height, held) {
            return Some(difference);
        }
        let input = input_of(&course, held);
        // Rules that break down under a forged genesis are an answer like any other.
        let state = &mut self.state;
        let decided = catch_unwind(AssertUnwindSafe(|| decide_block(state, &input)));
        let Ok(mut decided) = decided else {
            return Some(Difference::of("the block", "a sound state", "a broken invariant"));
        };
        // What was only counted has no bodies to decide again; `check_calls` has seen to it.
        decided.refused.extend(held.refused.iter().cloned());
        let parent = self.header.hash();
        let mut header = seal(&mut self.state, parent, &input, &decided, &held.facts);
        take_kind_of_root(&self.state, &mut header, &held.header);
        let made = Frame {
            header,
            calls: decided.calls,
            refused: decided.refused,
            events: decided.events,
            sealed: decided.sealed,
            facts: held.facts.clone(),
        };
        let found = difference(held, &made);
        self.header = made.header;
        found
    }
}

/// Gives a block that a log of an older format holds the state root that it has there, if that is one of the state's by
/// an older kind: the same block otherwise has another hash, and so has every one behind it.
pub fn take_kind_of_root(state: &State, made: &mut Header, held: &Header) {
    let stated = held.state_root;
    if made.state_root != stated && state.older_roots().any(|root| root == stated) {
        made.state_root = stated;
    }
}

/// What a block was decided from, by its frame and the plan: the calls, the moment, the draws.
pub fn input_of(course: &Course<'_>, held: &Frame) -> BlockInput {
    let height = held.header.height;
    let (calls, surplus) = submitted(&held.calls);
    BlockInput {
        height,
        time_ms: course.block_ms(height),
        entropy: course.entropy(height),
        calls,
        surplus,
        refused_kept_max: course.limits().refused_kept_max as usize,
        beacon_round: course.beacon_round(height),
    }
}

/// Calls by their records, and those that found the pool full.
fn submitted(records: &[CallRecord]) -> (Vec<Submitted>, Vec<Submitted>) {
    let (full, decided): (Vec<_>, Vec<_>) = records.iter().partition(|record| is_surplus(record));
    let submitted = |record: &CallRecord| Submitted {
        due_ms: record.due_ms,
        player: record.player,
        sequence: record.sequence,
        origin: record.origin,
        nonce: None,
        call: record.call.clone(),
    };
    let all = |records: Vec<&CallRecord>| records.into_iter().map(submitted).collect();
    (all(decided), all(full))
}

const fn is_surplus(record: &CallRecord) -> bool {
    matches!(record.outcome, Outcome::Refused(Refusal::PoolFull))
}

/// What a block's calls must be, whatever they come to: root's are the plan's, players' are signed, in order, in time
/// and within the limits, and refused ones are counted only when there are too many to keep.
fn check_calls(course: &Course<'_>, height: Height, held: &Frame) -> Option<Difference> {
    let by_root = |record: &&CallRecord| record.player == PlayerId::CHAIN;
    let planned: Vec<Submitted> = course.root_calls(height).collect();
    let (roots, _) = submitted(&held.calls.iter().take_while(by_root).cloned().collect::<Vec<_>>());
    if roots != planned {
        let at = roots.iter().zip(&planned).take_while(|(held, planned)| held == planned).count();
        let told =
            |calls: &[Submitted]| calls.get(at).map_or("none".to_owned(), |call| shown(&call.call));
        return Some(Difference::of(format!("root call {at}"), told(&roots), told(&planned)));
    }
    let players = &held.calls[roots.len()..];
    let named = |at: usize| {
        let record: &CallRecord = &players[at];
        format!("call {} ({})", roots.len() + at, record.call.name())
    };
    let signed = |record: &CallRecord| {
        record.player != PlayerId::CHAIN && matches!(record.origin, Origin::Signed(_))
    };
    if let Some(at) = players.iter().position(|record| !signed(record)) {
        return Some(Difference::of(named(at), "a call of root", "a call that a player signs"));
    }
    let time_ms = course.block_ms(height);
    if let Some(at) = players.iter().position(|record| record.due_ms >= time_ms) {
        let part = format!("{}, due_ms", named(at));
        return Some(Difference::of(part, players[at].due_ms, format!("less than {time_ms}")));
    }
    check_order(players)
        .map(|at| Difference::of(named(at), "it here", "it at another place"))
        .or_else(|| check_counts(course, held, players))
}

/// The first of players' calls that is not where the order of inclusion has it.
fn check_order(players: &[CallRecord]) -> Option<usize> {
    let (calls, surplus) = submitted(players);
    let held: Vec<Submitted> = calls.into_iter().chain(surplus).collect();
    let mut sorted = held.clone();
    sorted.sort_by_key(|call| (call.due_ms, call.player, call.sequence));
    order_calls(&mut sorted);
    let key = |call: &Submitted| (call.due_ms, call.player, call.sequence);
    let twice = || sorted.windows(2).any(|pair| key(&pair[0]) == key(&pair[1])).then_some(0);
    let apart = players
        .iter()
        .zip(&sorted)
        .position(|(record, call)| (record.due_ms, record.player, record.sequence) != key(call));
    apart.or_else(twice)
}

fn check_counts(course: &Course<'_>, held: &Frame, players: &[CallRecord]) -> Option<Difference> {
    let limits = course.limits();
    let decided = players.iter().filter(|record| !is_surplus(record)).count() as u64;
    let block_max = u64::from(limits.extrinsics_per_block_max);
    if decided > block_max {
        return Some(Difference::of(
            "the number of calls",
            decided,
            format!("at most {block_max}"),
        ));
    }
    let refused = |record: &&CallRecord| matches!(record.outcome, Outcome::Refused(_));
    let kept = held.calls.iter().filter(refused).count() as u64;
    let kept_max = u64::from(limits.refused_kept_max);
    if kept > kept_max || (kept < kept_max && !held.refused.is_empty()) {
        let made = if kept > kept_max { "at most" } else { "as nothing is counted beyond," };
        let made = format!("{made} {kept_max}");
        return Some(Difference::of("the number of refused calls kept", kept, made));
    }
    let ascending = held
        .refused
        .windows(2)
        .all(|pair| (pair[0].player, pair[0].reason) < (pair[1].player, pair[1].reason));
    let some = held.refused.iter().all(|row| row.count > 0);
    let wrong = !ascending || !some;
    wrong.then(|| Difference::of("refused calls counted", "rows out of order", "ascending rows"))
}

fn shown(call: &Call) -> String {
    format!("{call:?}")
}
