//! Two runs compared: where they part, what differs there, and what came of it.
//!
//! What belongs here: finding the first block that differs and what differs in it. What does not: how it is shown
//! (`commands::diff`).
//!
//! Every block names the hash of the one before. So where two runs were decided from the same plan, once one block
//! differs all later ones do, and the first is found by bisection. Where the plans differ no two hashes are equal;
//! then what the headers say of their own blocks is compared one by one, and the state's first difference is
//! bisected.

/// What became of the difference.
pub mod consequences;
/// States compared field by field.
pub mod tree;

use crate::plan::Plan;
use protocol::call::Call;
use protocol::frame::{Frame, Header};
use protocol::units::Height;
use serde::Serialize;
use std::collections::BTreeMap;
use storage::log::{EventLog, LogError, SledLog};
use tree::{Difference, Differences, compare_parts};

/// Differences that are shown of plans, calls, events and off-chain facts.
pub const SMALL_DIFFERENCES_MAX: usize = 8;
/// Differences of players that are looked at for the same one, newest first.
const PLAYER_KINDS_SOUGHT: usize = 64;
/// Differences of the state that are shown.
pub const STATE_DIFFERENCES_MAX: usize = 20;

/// A part of a block that its header covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Its simulated time.
    Time,
    /// The chain's draw.
    Entropy,
    /// Calls with outcomes.
    Calls,
    /// Events, public and sealed.
    Events,
    /// Off-chain facts.
    Facts,
    /// The state after it.
    State,
}

impl Part {
    /// As people read it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Time => "time",
            Self::Entropy => "entropy",
            Self::Calls => "calls",
            Self::Events => "events",
            Self::Facts => "off-chain facts",
            Self::State => "state",
        }
    }
}

/// Where two runs part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parting {
    /// The first block that differs.
    pub block: Height,
    /// In what.
    pub parts: Vec<Part>,
    /// The first block after which the state differs, if it does up to the last block of both.
    pub state_block: Option<Height>,
}

/// What two headers of one height do not share, but for the block before.
pub fn parts(a: &Header, b: &Header) -> Vec<Part> {
    let same = [
        (Part::Time, a.time_ms == b.time_ms),
        (Part::Entropy, a.entropy == b.entropy),
        (Part::Calls, a.calls_root == b.calls_root),
        (Part::Events, a.events_root == b.events_root),
        (Part::Facts, a.facts_root == b.facts_root),
        (Part::State, a.state_root == b.state_root),
    ];
    same.into_iter().filter(|(_, same)| !same).map(|(part, _)| part).collect()
}

/// Finds where two runs that start at the same height part, up to the last block of both; nowhere if they do not.
///
/// # Errors
/// A log cannot be read.
pub fn parting(
    a: &SledLog,
    b: &SledLog,
    mut watch: impl FnMut(Height),
) -> Result<Option<Parting>, LogError> {
    let (genesis, last) = (a.genesis_height(), a.tip().min(b.tip()));
    let states_differ = |at: Height| Ok(a.header(at)?.state_root != b.header(at)?.state_root);
    let hashes_differ = |at: Height| Ok(a.header(at)?.hash() != b.header(at)?.hash());
    let block = if hashes_differ(genesis)? {
        let mut found = None;
        for height in (genesis.0..=last.0).map(Height) {
            watch(height);
            if !parts(&a.header(height)?, &b.header(height)?).is_empty() {
                found = Some(height);
                break;
            }
        }
        found
    } else {
        bisect(genesis, last, hashes_differ)?
    };
    let Some(block) = block else { return Ok(None) };
    let parts = parts(&a.header(block)?, &b.header(block)?);
    let state_block = match parts.contains(&Part::State) {
        true => Some(block),
        false => bisect(block, last, states_differ)?,
    };
    Ok(Some(Parting { block, parts, state_block }))
}

/// The first height that differs, if the last one does; what differs once is taken to differ from there on.
///
/// # Errors
/// Whatever the question's are.
fn bisect<E>(
    first: Height,
    last: Height,
    differs: impl Fn(Height) -> Result<bool, E>,
) -> Result<Option<Height>, E> {
    if !differs(last)? {
        return Ok(None);
    }
    let (mut low, mut high) = (first.0, last.0);
    while low < high {
        let middle = low + (high - low) / 2;
        if differs(Height(middle))? {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    Ok(Some(Height(low)))
}

/// What two runs were decided from, where it is not the same.
pub fn plans(a: &Plan, b: &Plan) -> Differences {
    let mut found = Differences::default();
    let small = SMALL_DIFFERENCES_MAX;
    found.take("seed", compare_parts(&a.seed, &b.seed, small), small);
    found.take("network", compare_parts(&a.network, &b.network, small), small);
    found.take("limits", compare_parts(&a.limits, &b.limits, small), small);
    found.take("faults", compare_parts(&a.faults, &b.faults, small), small);
    found.take("timeline", compare_parts(&timeline(a), &timeline(b), small), small);
    found.take("players", compare_parts(&a.players.len(), &b.players.len(), small), small);
    for (group, one, count) in player_groups(a, b) {
        found.count += 1;
        if found.shown.len() < small {
            let what = format!("{count} players of {group}");
            found.shown.push(Difference { what, ..one });
        }
    }
    found
}

/// How players differ, by group: what several share is told once.
fn player_groups<'a>(a: &'a Plan, b: &Plan) -> Vec<(&'a str, Difference, u64)> {
    let mut groups: Vec<(&str, Difference, u64)> = Vec::new();
    for (one, other) in a.players.iter().zip(&b.players) {
        let identity = compare_parts(&Told(&one.identity), &Told(&other.identity), usize::MAX);
        let machine = compare_parts(&Told(&one.player), &Told(&other.player), usize::MAX);
        for found in identity.shown.into_iter().chain(machine.shown) {
            let group = one.identity.group.as_str();
            let known = groups.iter_mut().rev().take(PLAYER_KINDS_SOUGHT);
            match known.into_iter().find(|(of, kind, _)| *of == group && *kind == found) {
                Some((_, _, count)) => *count += 1,
                None => groups.push((group, found, 1)),
            }
        }
    }
    groups
}

/// The entries of a plan's timeline, by block and call.
fn timeline(plan: &Plan) -> BTreeMap<String, Vec<&Call>> {
    let mut entries: BTreeMap<String, Vec<&Call>> = BTreeMap::new();
    for entry in &plan.timeline {
        let name = format!("block {} {}", entry.height, entry.call.name());
        entries.entry(name).or_default().push(&entry.call);
    }
    entries
}

/// A value that is compared by its serialised form.
#[derive(Serialize)]
#[serde(transparent)]
struct Told<'a, T>(&'a T);

impl<T: Serialize> PartialEq for Told<'_, T> {
    fn eq(&self, other: &Self) -> bool {
        storage::codec::encode(self.0) == storage::codec::encode(other.0)
    }
}

/// Off-chain facts of a block that differ.
pub fn facts(a: &Frame, b: &Frame) -> Differences {
    compare_parts(&a.facts, &b.facts, SMALL_DIFFERENCES_MAX)
}

impl Differences {
    /// Takes over another comparison's findings as those of a part of that name.
    fn take(&mut self, what: &str, found: Self, limit: usize) {
        self.count += found.count;
        for one in found.shown {
            if self.shown.len() < limit {
                self.shown.push(Difference { what: what.to_owned(), ..one });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bisection_finds_the_first_that_differs() {
        for (first, last, from) in [(10, 20, 10), (10, 20, 15), (10, 20, 20), (10, 10, 10)] {
            let found = bisect(Height(first), Height(last), |at| Ok::<_, ()>(at.0 >= from));
            assert_eq!(found, Ok(Some(Height(from))));
        }
        assert_eq!(bisect(Height(1), Height(9), |_| Ok::<_, ()>(false)), Ok(None));
    }
}
