//! Two blocks of one height compared: the first thing in which they differ, in words.
//!
//! What belongs here: naming a difference. What does not: making the blocks (`engine`, `re_execution`).

use protocol::frame::{CallRecord, Frame, Header};
use serde::Serialize;
use std::fmt::{self, Debug, Display};

/// Longest value that is told, in letters; of a longer one its beginning.
const VALUE_LETTERS_MAX: usize = 200;

/// What a value is told as where there is none.
const NOTHING: &str = "nothing";

/// The first difference between a block of the log and the same block made again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Where in the block, as in `event 3 (StakeAdded), paid`.
    pub part: String,
    /// What the log holds there.
    pub held: String,
    /// What comes out.
    pub made: String,
}

impl Display for Difference {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{}: the log holds {}, it comes out as {}", self.part, self.held, self.made)
    }
}

impl Difference {
    /// A difference in one named value.
    pub fn of(part: impl Into<String>, held: impl Display, made: impl Display) -> Self {
        Self { part: part.into(), held: shortened(&held), made: shortened(&made) }
    }
}

/// The first difference between a block that a log holds and the same block made again: what the block was decided
/// from before what came of it, the roots last.
pub fn difference(held: &Frame, made: &Frame) -> Option<Difference> {
    if held == made {
        return None;
    }
    let lists = || {
        in_calls(&held.calls, &made.calls)
            .or_else(|| in_list("refused calls counted, row", &held.refused, &made.refused))
            .or_else(|| in_list("event", &held.events, &made.events))
            .or_else(|| in_list("sealed fact", &held.sealed, &made.sealed))
            .or_else(|| in_value("off-chain facts", &held.facts, &made.facts))
    };
    let moment = in_moment(&held.header, &made.header);
    moment.or_else(lists).or_else(|| in_roots(&held.header, &made.header))
}

fn in_moment(held: &Header, made: &Header) -> Option<Difference> {
    let rows = [
        ("the height", held.height.to_string(), made.height.to_string()),
        ("the hash of the block before", held.parent.to_string(), made.parent.to_string()),
        ("the simulated time", held.time_ms.to_string(), made.time_ms.to_string()),
        ("the entropy", held.entropy.to_string(), made.entropy.to_string()),
    ];
    first_of(rows)
}

fn in_roots(held: &Header, made: &Header) -> Option<Difference> {
    let rows = [
        ("the root of calls", held.calls_root.to_string(), made.calls_root.to_string()),
        ("the root of events", held.events_root.to_string(), made.events_root.to_string()),
        ("the root of off-chain facts", held.facts_root.to_string(), made.facts_root.to_string()),
        ("the state root", held.state_root.to_string(), made.state_root.to_string()),
    ];
    first_of(rows)
}

fn first_of<const N: usize>(rows: [(&str, String, String); N]) -> Option<Difference> {
    let mut rows = rows.into_iter();
    let row = rows.find(|(_, held, made)| held != made);
    row.map(|(part, held, made)| Difference::of(part, held, made))
}

/// The first difference between two blocks' calls; each is told by its name and who submitted it.
pub fn in_calls(held: &[CallRecord], made: &[CallRecord]) -> Option<Difference> {
    let named = |record: &CallRecord| {
        format!("{} of player {}, number {}", record.call.name(), record.player, record.sequence)
    };
    let at = first_unlike(held, made)?;
    match (held.get(at), made.get(at)) {
        (Some(held), Some(made)) if named(held) == named(made) => {
            in_value(&format!("call {at} ({})", named(held)), held, made)
        }
        (held, made) => {
            let told = |record: Option<&CallRecord>| record.map_or(NOTHING.to_owned(), named);
            Some(Difference::of(format!("call {at}"), told(held), told(made)))
        }
    }
}

/// The first difference between two lists.
pub fn in_list<T: Debug + PartialEq>(name: &str, held: &[T], made: &[T]) -> Option<Difference> {
    let at = first_unlike(held, made)?;
    match (held.get(at), made.get(at)) {
        (Some(held), Some(made)) => in_value(&format!("{name} {at}"), held, made),
        (held, made) => {
            let told =
                |value: Option<&T>| value.map_or(NOTHING.to_owned(), |value| format!("{value:?}"));
            Some(Difference::of(format!("{name} {at}"), told(held), told(made)))
        }
    }
}

/// The place of the first entry that two lists do not share; the end of the shorter one if there is no other.
pub fn first_unlike<T: PartialEq>(a: &[T], b: &[T]) -> Option<usize> {
    let unlike = a.iter().zip(b).position(|(one, other)| one != other);
    unlike.or_else(|| (a.len() != b.len()).then(|| a.len().min(b.len())))
}

/// The first difference between two values of one type, found in how they are shown: the line, and the names of
/// what it stands in.
fn in_value<T: Debug + PartialEq>(name: &str, held: &T, made: &T) -> Option<Difference> {
    if held == made {
        return None;
    }
    let (held, made) = (format!("{held:#?}"), format!("{made:#?}"));
    let mut path: Vec<(usize, &str)> = Vec::new();
    for (left, right) in held.lines().zip(made.lines()) {
        let depth = left.len() - left.trim_start().len();
        path.retain(|(outer, _)| *outer < depth);
        if left != right {
            let (field, left) = field_of(left);
            let (other, right) = field_of(right);
            let same = field == other;
            let field = field.filter(|_| same);
            let within = path.iter().filter_map(|(_, opened)| name_of(opened));
            let place: Vec<&str> = within.chain(field).collect();
            let part = match place.split_first() {
                None => name.to_owned(),
                Some((first, [])) => format!("{name} ({first})"),
                Some((first, rest)) => format!("{name} ({first}), {}", rest.join(".")),
            };
            return Some(Difference::of(part, left, right));
        }
        if left.ends_with(['{', '(', '[']) {
            path.push((depth, left.trim()));
        }
    }
    // One is the beginning of the other, or both look alike: tell them whole.
    Some(Difference::of(name, held, made))
}

/// The field of a shown line, if it names one, and its value.
fn field_of(line: &str) -> (Option<&str>, &str) {
    let line = line.trim().trim_end_matches(',');
    match line.split_once(": ") {
        Some((field, value))
            if field.bytes().all(|letter| letter.is_ascii_alphanumeric() || letter == b'_') =>
        {
            (Some(field), value)
        }
        _ => (None, line),
    }
}

/// The name of what a shown line opens: that of a field before that of a type; none for wrappers of one value.
fn name_of(opened: &str) -> Option<&str> {
    let opened = opened.trim_end_matches(['{', '(', '[']).trim_end();
    let name = match opened.split_once(": ") {
        Some((field, _)) => field,
        None => opened.trim_end_matches(':'),
    };
    Some(name).filter(|name| !name.is_empty() && *name != "Some")
}

fn shortened(value: &impl Display) -> String {
    let value = value.to_string();
    match value.char_indices().nth(VALUE_LETTERS_MAX) {
        None => value,
        Some((end, _)) => format!("{}…", &value[..end]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::call::{Call, Origin};
    use protocol::event::Event;
    use protocol::frame::Facts;
    use protocol::rejection::{Outcome, Rejection};
    use protocol::units::{AccountId, Hash32, Height, NetUid, PlayerId, Rao};

    fn frame() -> Frame {
        let header = Header {
            height: Height(5),
            parent: Hash32([1; 32]),
            time_ms: 60_000,
            entropy: Hash32([2; 32]),
            state_root: Hash32([3; 32]),
            calls_root: Hash32([4; 32]),
            events_root: Hash32([5; 32]),
            facts_root: Hash32([6; 32]),
        };
        let call = CallRecord {
            player: PlayerId(9),
            sequence: 4,
            due_ms: 1,
            origin: Origin::Signed(AccountId([7; 32])),
            nonce: 0,
            call: Call::StartCall { netuid: NetUid(1) },
            outcome: Outcome::Ok,
        };
        let credited = Event::BalanceCredited { account: AccountId([8; 32]), amount: Rao(5) };
        Frame {
            header,
            calls: vec![call],
            refused: Vec::new(),
            events: vec![Event::StakeMarkersCleared, credited],
            sealed: Vec::new(),
            facts: Facts::default(),
        }
    }

    #[test]
    fn the_first_difference_is_named_with_both_values() {
        type Change = fn(&mut Frame);
        let rows: &[(Change, &str)] = &[
            (
                |frame| frame.header.time_ms = 7,
                "the simulated time: the log holds 60000, it comes out as 7",
            ),
            (
                |frame| frame.calls[0].outcome = Outcome::Failed(Rejection::SubnetNotExists),
                "call 0 (start_call of player",
            ),
            (|frame| frame.calls.clear(), "call 0: the log holds start_call of player"),
            (
                |frame| {
                    let Event::BalanceCredited { amount, .. } = &mut frame.events[1] else {
                        panic!("it is one");
                    };
                    amount.0 = 6;
                },
                "event 1 (BalanceCredited), amount",
            ),
            (|frame| frame.events.truncate(1), "event 1: the log holds BalanceCredited"),
            (|frame| frame.facts.messages.sent = 3, "off-chain facts (Facts), messages.sent"),
            (|frame| frame.header.state_root = Hash32([0; 32]), "the state root: the log holds"),
        ];
        let held = frame();
        assert_eq!(difference(&held, &held), None);
        for (change, expected) in rows {
            let mut made = held.clone();
            change(&mut made);
            let told = difference(&held, &made).expect("they differ").to_string();
            assert!(told.starts_with(expected), "{told}");
        }
    }

    #[test]
    fn lists_differ_first_at_an_entry_or_at_an_end() {
        let rows: [(&[u8], &[u8], Option<usize>); 5] = [
            (&[1, 2], &[1, 2], None),
            (&[1, 2], &[1, 3], Some(1)),
            (&[1, 2], &[1], Some(1)),
            (&[], &[1], Some(0)),
            (&[], &[], None),
        ];
        for (a, b, place) in rows {
            assert_eq!(first_unlike(a, b), place, "{a:?} {b:?}");
        }
    }
}
