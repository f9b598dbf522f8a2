//! Histories that never were: blocks of a sound log with events changed, moved, doubled, left out or borrowed, and
//! every hash made right again, so that nothing but the state can tell.

use super::damage::EXTREMES;
use super::golden::Golden;
use super::trial::Choices;
use protocol::event::Event;
use protocol::frame::{Frame, Header, calls_root, events_root, facts_root};
use protocol::units::Height;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Number, Value};
use std::collections::BTreeMap;
use storage::fold::{FoldError, Folder};

/// Blocks between kept states of the log.
const STEP: usize = 10;
/// Changes of one block.
const CHANGES_MAX: usize = 3;
/// Blocks of a history behind the one it begins with.
const BLOCKS_MAX: usize = 4;
/// Places of a value that are looked through for one to change; a column has thousands.
const PLACES_MAX: usize = 4_096;

/// A sound log, with its state every few blocks.
#[derive(Debug)]
pub struct Past {
    log: Golden,
    /// After block 0, `STEP`, 2·`STEP`, …
    folders: Vec<Folder>,
    /// Every event of the log, so that one of each kind can be found.
    kinds: Vec<Vec<(usize, usize)>>,
    /// Accounts and hashes that occur, as JSON writes them.
    accounts: Vec<Value>,
}

impl Past {
    /// Folds a golden log.
    pub fn of(log: Golden) -> Self {
        let mut folder = Folder::new(log.state.clone(), &log.header).expect("it is sound");
        let mut folders = vec![folder.clone()];
        let mut kinds: BTreeMap<&str, Vec<(usize, usize)>> = BTreeMap::new();
        for (at, frame) in log.frames.iter().enumerate() {
            folder.fold(frame).expect("it is sound");
            if (at + 1) % STEP == 0 {
                folders.push(folder.clone());
            }
            for (index, event) in frame.events.iter().enumerate() {
                kinds.entry(event.kind()).or_default().push((at, index));
            }
        }
        let kinds = kinds.into_values().collect();
        let json = |account| serde_json::to_value(account).expect("an account is plain");
        let state = folder.state();
        let keys = state.hotkeys.keys().chain(state.coldkeys.keys()).chain(state.accounts.keys());
        let accounts = keys.map(json).collect();
        Self { log, folders, kinds, accounts }
    }

    /// The state and header from which a history of choices goes on, and its blocks.
    pub fn history(&self, choices: &mut Choices<'_>) -> (Folder, Vec<Frame>) {
        let at = choices.below(self.folders.len() - 1);
        let first = at * STEP;
        let mut folder = self.folders[at].clone();
        let sound = choices.below(STEP);
        for frame in &self.log.frames[first..first + sound] {
            folder.fold(frame).expect("it is sound");
        }
        let first = first + sound;
        let last = (first + 1 + choices.below(BLOCKS_MAX)).min(self.log.frames.len());
        let mut frames = self.log.frames[first..last].to_vec();
        for _ in 0..=choices.below(CHANGES_MAX) {
            let at = choices.below(frames.len());
            self.change(&mut frames[at], choices);
        }
        (folder, frames)
    }

    /// An event of the log; each kind as often as any other.
    fn event(&self, choices: &mut Choices<'_>) -> Event {
        let kind = &self.kinds[choices.below(self.kinds.len())];
        let (at, index) = *choices.of(kind);
        self.log.frames[at].events[index].clone()
    }

    fn change(&self, frame: &mut Frame, choices: &mut Choices<'_>) {
        match choices.below(16) {
            0 => return frame.facts = self.changed(&frame.facts, choices),
            1 => return frame.header.time_ms = *choices.of(&EXTREMES),
            2 if !frame.calls.is_empty() => {
                let at = choices.below(frame.calls.len());
                return frame.calls[at] = self.changed(&frame.calls[at], choices);
            }
            _ => {}
        }
        self.change_events(&mut frame.events, choices);
    }

    fn change_events(&self, events: &mut Vec<Event>, choices: &mut Choices<'_>) {
        let at = choices.below(events.len());
        if events.is_empty() {
            events.push(self.event(choices));
            return;
        }
        match choices.below(12) {
            0 => drop(events.remove(at)),
            1 => events.insert(at, events[at].clone()),
            2 => {
                let other = choices.below(events.len());
                events.swap(at, other);
            }
            3 => events.truncate(at),
            4 | 5 => events.insert(at, self.event(choices)),
            6 | 7 => {
                let event = self.changed(&self.event(choices), choices);
                events.insert(at, event);
            }
            8 => {
                // Often enough to fill what counts in few bits.
                let event = self.event(choices);
                let times = 1 << choices.below(10);
                events.splice(at..at, std::iter::repeat_n(event, times));
            }
            _ => events[at] = self.changed(&events[at], choices),
        }
    }

    /// An event (or a call, or facts) with some of its fields changed; the same where the changes leave none.
    fn changed<T>(&self, event: &T, choices: &mut Choices<'_>) -> T
    where
        T: Clone + Serialize + DeserializeOwned,
    {
        let mut value = serde_json::to_value(event).expect("it is plain data");
        for _ in 0..=choices.below(CHANGES_MAX) {
            let places = places(&value).min(PLACES_MAX);
            let at = choices.below(places);
            self.change_value(place(&mut value, at), choices);
        }
        serde_json::from_value(value).unwrap_or_else(|_| event.clone())
    }

    fn change_value(&self, value: &mut Value, choices: &mut Choices<'_>) {
        match value {
            Value::Bool(truth) => *truth = !*truth,
            Value::Number(number) => *number = changed_number(number, choices),
            Value::String(_) if !self.accounts.is_empty() => {
                *value = choices.of(&self.accounts).clone();
            }
            Value::Array(column) => match choices.below(5) {
                0 => drop(column.pop()),
                1 => column.clear(),
                2 => column.reverse(),
                3 => column.extend(column.first().cloned()),
                _ => {
                    let longest = column.len() << choices.below(8);
                    let cycle = column.clone();
                    column.extend(cycle.into_iter().cycle().take(longest.min(PLACES_MAX)));
                }
            },
            Value::Null => *value = Value::from(choices.number()),
            Value::String(_) | Value::Object(_) => *value = Value::Null,
        }
    }
}

/// Another number: one beside it, or one at an end of what numbers can be.
fn changed_number(number: &Number, choices: &mut Choices<'_>) -> Number {
    let text = match choices.below(16) {
        0 => number.as_i128().map_or(0, |number| number.saturating_add(1)).to_string(),
        1 => number.as_i128().map_or(0, |number| number.saturating_sub(1)).to_string(),
        2 => number.as_i128().map_or(0, i128::wrapping_neg).to_string(),
        3 => u128::MAX.to_string(),
        4 => i128::MAX.to_string(),
        5 => i128::MIN.to_string(),
        6 => i64::MIN.to_string(),
        7 => i64::MAX.to_string(),
        8 => u64::MAX.to_string(),
        9 => u32::MAX.to_string(),
        10 => u16::MAX.to_string(),
        11 => u8::MAX.to_string(),
        12 => choices.byte().to_string(),
        13 => choices.number().to_string(),
        14 => choices.of(&EXTREMES).to_string(),
        _ => "0".to_owned(),
    };
    text.parse().unwrap_or_else(|_| number.clone())
}

/// Values within a value, itself included.
fn places(value: &Value) -> usize {
    1 + match value {
        Value::Array(column) => column.iter().map(places).sum(),
        Value::Object(fields) => fields.values().map(places).sum(),
        _ => 0,
    }
}

/// The value at a place, counted from the outside in.
fn place(value: &mut Value, mut at: usize) -> &mut Value {
    if at == 0 {
        return value;
    }
    at -= 1;
    let parts: Vec<&mut Value> = match value {
        Value::Array(column) => column.iter_mut().collect(),
        Value::Object(fields) => fields.values_mut().collect(),
        _ => unreachable!("it has no parts"),
    };
    for part in parts {
        let held = places(part);
        if at < held {
            return place(part, at);
        }
        at -= held;
    }
    unreachable!("there are not so many places")
}

/// Makes everything that a header covers right, but for the state root: that only folding tells.
pub fn sealed(mut frame: Frame, previous: &Header) -> Frame {
    let header = &mut frame.header;
    header.height = Height(previous.height.0.saturating_add(1));
    header.parent = previous.hash();
    header.calls_root = calls_root(&frame.calls, &frame.refused);
    header.events_root = events_root(&frame.events, &frame.sealed);
    header.facts_root = facts_root(&frame.facts);
    frame
}

/// Folds a block whatever it says: its hashes are made right, that of the state too. Gives the block as it must be.
///
/// # Errors
/// One of its events does not fit.
pub fn fold(folder: &mut Folder, frame: Frame) -> Result<Frame, FoldError> {
    let mut frame = sealed(frame, folder.header());
    let before = folder.clone();
    match folder.fold(&frame) {
        Ok(()) => Ok(frame),
        Err(FoldError::Hash { what: "the state root", found, .. }) => {
            frame.header.state_root = found;
            *folder = before;
            folder.fold(&frame).map(|()| frame)
        }
        Err(error) => Err(error),
    }
}
