//! Faults as a scenario writes them, checked: simulated ones are made into those of a plan, those below the simulation
//! into strikes that no plan knows of.
//!
//! What belongs here: which keys a kind takes, their ranges, and that a fault is about somebody. What does not: what
//! a fault does to a message (`run::faults`) or to a process (`run::disturbance`).

use super::height_of;
use crate::likeness::meant;
use crate::plan::{Fault, FaultKind, Seat, Shape, Times, Whom};
use crate::run::disturbance::{Disturbance, Scheduled};
use crate::scenario::document::{At, Document, FaultEntry};
use crate::scenario::error::ScenarioError;
use crate::scenario::fault_name::FaultName;
use protocol::units::{Height, NetUid};
use std::collections::BTreeSet;
use storage::record::HEIGHT_MAX;

/// Faults of a scenario.
pub const FAULTS_MAX: usize = 256;
/// Longest addition of a delay in milliseconds: what is under way is kept in memory.
const DELAY_MS_MAX: u64 = 3_600_000;
/// Blocks that a clog lasts at most, an hour: what waits is kept in memory.
const CLOG_BLOCKS_MAX: u64 = 300;
/// Longest pause of a process or a frame in milliseconds of wall time.
const PAUSE_MS_MAX: u64 = 60_000;
/// A pause, unless the scenario says how long.
const PAUSE_MS: u64 = 500;
/// A whole in millionths.
const PPM_WHOLE: u32 = 1_000_000;

/// Why an entry is wrong: the key and a sentence, and what may have been meant.
type Wrong = (String, Option<String>);

fn wrong<T>(what: impl Into<String>) -> Result<T, Wrong> {
    Err((what.into(), None))
}

/// The faults of a scenario that begins at `genesis` with these players.
///
/// # Errors
/// An entry has keys that its kind does not take, a value out of range, or strikes nobody.
pub fn planned<'a>(
    place: &str,
    document: &Document,
    genesis: u64,
    seats: impl Iterator<Item = &'a Seat>,
) -> Result<Vec<Fault>, ScenarioError> {
    if document.fault.is_empty() {
        return Ok(Vec::new());
    }
    if document.fault.len() > FAULTS_MAX {
        let what = format!("{place}: fault: {} faults are more than {FAULTS_MAX}", {
            document.fault.len()
        });
        return Err(ScenarioError::new(what, None));
    }
    let seats: Vec<&Seat> = seats.collect();
    let mut faults: Vec<Fault> = Vec::new();
    for (index, entry) in document.fault.iter().enumerate() {
        if let FaultName::Below(_) = entry.kind {
            continue;
        }
        let fault = planned_one(entry, genesis, &seats, &faults);
        faults.push(fault.map_err(|wrong| at_entry(place, index, wrong))?);
    }
    Ok(faults)
}

fn at_entry(place: &str, index: usize, (what, hint): Wrong) -> ScenarioError {
    ScenarioError::new(format!("{place}: fault[{index}]{what}"), hint)
}

/// The faults below the simulation of a scenario that begins at `genesis`.
///
/// # Errors
/// An entry has keys that its kind does not take, or a value out of range.
pub fn scheduled(
    place: &str,
    document: &Document,
    genesis: u64,
) -> Result<Vec<Scheduled>, ScenarioError> {
    let mut scheduled = Vec::new();
    for (index, entry) in document.fault.iter().enumerate() {
        if let FaultName::Below(what) = entry.kind {
            let one = scheduled_one(entry, what, genesis);
            scheduled.push(one.map_err(|wrong| at_entry(place, index, wrong))?);
        }
    }
    Ok(scheduled)
}

fn scheduled_one(entry: &FaultEntry, what: Disturbance, genesis: u64) -> Result<Scheduled, Wrong> {
    let name = what.name();
    let FaultEntry { lasts, ppm, ms, shape, groups, roles, netuids, .. } = entry;
    let foreign = [
        ("for", lasts.is_some()),
        ("ppm", ppm.is_some()),
        ("shape", shape.is_some()),
        ("groups", !groups.is_empty()),
        ("roles", !roles.is_empty()),
        ("netuids", !netuids.is_empty()),
        ("ms", ms.is_some() && !what.lasts()),
    ];
    if let Some((key, _)) = foreign.iter().find(|(_, is_there)| *is_there) {
        return wrong(format!(".{key}: {name} strikes below the simulation and takes no {key}"));
    }
    let ms = match *ms {
        _ if !what.lasts() => 0,
        None => PAUSE_MS,
        Some(0) => return wrong(format!(".ms: {name} of 0 ms is none")),
        Some(ms) if ms > PAUSE_MS_MAX => {
            return wrong(format!(".ms: {ms} is more than a minute, {PAUSE_MS_MAX}"));
        }
        Some(ms) => ms,
    };
    let Times { from, every, until, .. } = moments_of(entry, genesis, 1)?;
    Ok(Scheduled { what, ms, from, every, until })
}

fn planned_one(
    entry: &FaultEntry,
    genesis: u64,
    seats: &[&Seat],
    before: &[Fault],
) -> Result<Fault, Wrong> {
    let kind = kind_of(entry)?;
    let times = times_of(entry, genesis)?;
    let whom = whom_of(entry, kind, seats)?;
    let fault = Fault { kind, times, whom };
    match before.iter().position(|other| *other == fault) {
        Some(other) => wrong(format!(": it is fault[{other}] once more")),
        None => Ok(fault),
    }
}

fn kind_of(entry: &FaultEntry) -> Result<FaultKind, Wrong> {
    let FaultEntry { kind, ppm, ms, shape, .. } = entry;
    let name = kind.name();
    if ms.is_some() && *kind != FaultName::Delay {
        return wrong(format!(".ms: only a delay has milliseconds, this is {name}"));
    }
    if shape.is_some() && *kind != FaultName::Partition {
        return wrong(format!(".shape: only a partition has a shape, this is {name}"));
    }
    if ppm.is_some() && *kind == FaultName::Partition {
        return wrong(".ppm: a partition has a shape, not a part");
    }
    if let Some(ppm) = ppm.filter(|ppm| *ppm > PPM_WHOLE) {
        return wrong(format!(".ppm: {ppm} is more than a whole, {PPM_WHOLE}"));
    }
    let part = || match ppm {
        Some(ppm) => Ok(*ppm),
        None => wrong(format!(".ppm: {name} needs a part, in millionths")),
    };
    Ok(match kind {
        FaultName::Loss => FaultKind::Loss { ppm: part()? },
        FaultName::Corruption => FaultKind::Corruption { ppm: part()? },
        FaultName::Duplication => FaultKind::Duplication { ppm: part()? },
        FaultName::Clog => FaultKind::Clog { ppm: part()? },
        FaultName::Offline => FaultKind::Offline { ppm: ppm.unwrap_or(PPM_WHOLE) },
        FaultName::Delay => match *ms {
            None => return wrong(".ms: a delay needs its longest addition, in milliseconds"),
            Some(0) => return wrong(".ms: a delay of 0 ms delays nothing"),
            Some(ms) if ms > DELAY_MS_MAX => {
                return wrong(format!(".ms: {ms} is more than an hour, {DELAY_MS_MAX}"));
            }
            Some(ms_max) => FaultKind::Delay { ppm: ppm.unwrap_or(PPM_WHOLE), ms_max },
        },
        FaultName::Partition => match *shape {
            None => {
                let hint = "write halves, isolate, bridge or one-way".to_owned();
                return Err((".shape: a partition needs a shape".to_owned(), Some(hint)));
            }
            Some(shape) => FaultKind::Partition { shape },
        },
        FaultName::Below(_) => return wrong(format!(".kind: {name} is not simulated")),
    })
}

fn times_of(entry: &FaultEntry, genesis: u64) -> Result<Times, Wrong> {
    let Some(blocks) = entry.lasts.map(|lasts| lasts.0) else {
        let hint = "for = 50 lasts 50 blocks, for = \"1h\" an hour".to_owned();
        return Err((format!(".for: {} needs how long it lasts", entry.kind.name()), Some(hint)));
    };
    if blocks == 0 {
        return wrong(".for: a fault of 0 blocks is none");
    }
    if entry.kind == FaultName::Clog && blocks > CLOG_BLOCKS_MAX {
        return wrong(format!(
            ".for: {blocks} blocks are more than a clog lasts, {CLOG_BLOCKS_MAX}"
        ));
    }
    moments_of(entry, genesis, blocks)
}

/// When it strikes, each time for so many blocks.
fn moments_of(entry: &FaultEntry, genesis: u64, blocks: u64) -> Result<Times, Wrong> {
    let height = |key: &str, at: &At| {
        height_of(at, genesis).map_err(|what| (format!(".{key}: {what}"), None))
    };
    let every = entry.every.map(|every| every.0);
    let from = match (&entry.at, every) {
        (Some(at), _) => height("at", at)?,
        (None, Some(_)) => Height(genesis + 1),
        (None, None) => {
            let hint = "at = \"+100\" strikes once, every = \"1d\" at drawn moments".to_owned();
            return Err((": it has no time".to_owned(), Some(hint)));
        }
    };
    if from.0 > HEIGHT_MAX || blocks > HEIGHT_MAX - from.0 {
        return wrong(format!(".for: it goes beyond the last block, {HEIGHT_MAX}"));
    }
    if let Some(every) = every {
        if every < blocks {
            return wrong(format!(".every: {every} blocks are fewer than it lasts, {blocks}"));
        }
        if every > HEIGHT_MAX - from.0 {
            return wrong(format!(".every: {every} blocks go beyond the last one, {HEIGHT_MAX}"));
        }
    }
    let until = match &entry.until {
        None => None,
        Some(_) if every.is_none() => {
            return wrong(".until: it ends a fault that is drawn (every); `for` ends this one");
        }
        Some(until) => Some(height("until", until)?),
    };
    if let Some(until) = until.filter(|until| *until <= from) {
        return wrong(format!(".until: block {until} is not behind block {from}, where it begins"));
    }
    Ok(Times { from, blocks, every, until })
}

fn whom_of(entry: &FaultEntry, kind: FaultKind, seats: &[&Seat]) -> Result<Whom, Wrong> {
    let groups: BTreeSet<&str> = seats.iter().map(|seat| seat.identity.group.as_str()).collect();
    if let Some(group) = entry.groups.iter().find(|group| !groups.contains(group.as_str())) {
        let known: Vec<&str> = groups.into_iter().collect();
        let what = format!(".groups: there is nobody in a group {group:?}");
        return Err((what, Some(meant(group, &known))));
    }
    let homes: BTreeSet<u16> =
        seats.iter().filter_map(|seat| seat.identity.netuid).map(|netuid| netuid.0).collect();
    if let Some(netuid) = entry.netuids.iter().find(|netuid| !homes.contains(netuid)) {
        return wrong(format!(".netuids: nobody is on subnet {netuid} at genesis"));
    }
    let whom = Whom {
        groups: entry.groups.clone(),
        roles: entry.roles.clone(),
        netuids: entry.netuids.iter().copied().map(NetUid).collect(),
    };
    let named = seats.iter().filter(|seat| whom.names(seat)).count();
    if named == 0 {
        return wrong(": nobody is in its groups, of its roles and on its netuids at once");
    }
    let FaultKind::Partition { shape } = kind else { return Ok(whom) };
    let sides = matches!(shape, Shape::Halves | Shape::OneWay);
    if sides && !whom.is_everybody() && named == seats.len() {
        return wrong(": a partition needs somebody on the other side, it names everybody");
    }
    let needed = if shape == Shape::Bridge { 3 } else { 2 };
    if seats.len() < needed {
        return wrong(format!(": such a partition needs {needed} players"));
    }
    Ok(whom)
}
