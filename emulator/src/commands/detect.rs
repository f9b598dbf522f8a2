//! `btemu detect`: which detectors a run set off, when, and at whom they point.
//!
//! What belongs here: folding a run through the detectors, and showing it as text or JSON. What does not: what they look
//! at (`detect`, docs/detectors.md). Only the names beside the alarms are the plan's.

use super::reading::{Reading, read_failure, verify_hint};
use super::tables::numbers_table;
use super::{BlockArgument, Failure, print, print_json};
use crate::detect::{Alarm, DETECTORS, Detectors, Row, Signal, Subject};
use crate::likeness::meant;
use crate::names::Names;
use crate::plan::Plan;
use crate::progress::{Progress, Showing};
use protocol::units::{AccountId, Height};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;
use storage::fold::Folder;
use storage::pursuit::pursue;

/// Alarms that the table shows unless all are asked for.
const ALARMS_SHOWN: usize = 50;

/// `btemu detect`
#[derive(Debug, clap::Args)]
pub struct DetectArguments {
    /// The run folder.
    run: PathBuf,
    /// Only this detector, for instance cabal; may be given several times.
    #[arg(long, value_name = "NAME")]
    detector: Vec<String>,
    /// The last block looked at: a height, or +N counted from genesis [default: the last].
    #[arg(long, value_name = "B")]
    at: Option<BlockArgument>,
    /// Show every alarm, not only the first.
    #[arg(long)]
    all: bool,
    /// Print one JSON object, with every alarm.
    #[arg(long)]
    json: bool,
}

/// What a run set off.
#[derive(Debug, Serialize)]
struct Detected {
    run: String,
    genesis_block: u64,
    block: u64,
    detectors: Vec<DetectorSeen>,
    alarms: Vec<AlarmSeen>,
}

/// One detector over the run.
#[derive(Debug, Serialize)]
struct DetectorSeen {
    name: &'static str,
    observable: &'static str,
    threshold: f64,
    unit: &'static str,
    /// All alarms, also those that are not listed.
    alarms: u64,
    /// What it sees after the last block, by subject.
    signals: Vec<SignalSeen>,
}

/// A subject in words.
#[derive(Clone, Debug, Serialize)]
struct SubjectSeen {
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    netuid: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hotkey: Option<AccountId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    coldkey: Option<AccountId>,
    /// The group of the player that has the key, if the plan knows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<String>,
}

#[derive(Debug, Serialize)]
struct SignalSeen {
    subject: SubjectSeen,
    value: f64,
}

#[derive(Debug, Serialize)]
struct AlarmSeen {
    block: u64,
    detector: &'static str,
    subject: SubjectSeen,
}

/// Folds the run and shows its alarms.
pub fn run(arguments: &DetectArguments) -> Result<(), Failure> {
    let rows = chosen(&arguments.detector)?;
    let reading = Reading::open(&arguments.run)?;
    let at = reading.height(arguments.at)?;
    let (detectors, names) = fold(&reading, at, Showing::unless_json(arguments.json))?;
    let is_chosen = |alarm: &&Alarm| rows.iter().any(|row| row.name == alarm.detector);
    let alarms: Vec<Alarm> = detectors.alarms().iter().filter(is_chosen).copied().collect();
    if !arguments.json {
        return print(&tell(&rows, &detectors, &alarms, &names, arguments.all));
    }
    let groups = groups(&reading.plan);
    let seen = |subject| SubjectSeen::of(subject, &groups);
    let signals: Vec<Signal> = detectors.signals().collect();
    let of = |row: &Row| {
        let own = signals.iter().filter(|signal| signal.detector.name == row.name);
        own.map(|signal| SignalSeen { subject: seen(signal.subject), value: signal.value })
            .collect()
    };
    print_json(&Detected {
        run: arguments.run.display().to_string(),
        genesis_block: reading.genesis.height.0,
        block: at.0,
        detectors: summary(&rows, &detectors)
            .map(|(row, alarms, _)| DetectorSeen {
                name: row.name,
                observable: row.observable,
                threshold: row.threshold,
                unit: row.unit,
                alarms,
                signals: of(row),
            })
            .collect(),
        alarms: alarms
            .iter()
            .map(|alarm| AlarmSeen {
                block: alarm.height.0,
                detector: alarm.detector,
                subject: seen(alarm.subject),
            })
            .collect(),
    })
}

/// The detectors asked for; all if none is named.
fn chosen(asked: &[String]) -> Result<Vec<&'static Row>, Failure> {
    let known: Vec<&str> = DETECTORS.iter().map(|row| row.name).collect();
    if let Some(name) = asked.iter().find(|name| !known.contains(&name.as_str())) {
        let hint = Some(meant(name, &known));
        return Err(Failure::usage(format!("there is no detector {name:?}"), hint));
    }
    let is_asked = |row: &&&'static Row| asked.is_empty() || asked.iter().any(|it| it == row.name);
    Ok(DETECTORS.iter().filter(is_asked).copied().collect())
}

fn fold(reading: &Reading, at: Height, showing: Showing) -> Result<(Detectors, Names), Failure> {
    let failed = |error| Failure::failed(error, verify_hint());
    let genesis = reading.plan.genesis.clone();
    let mut detectors = Detectors::of(&reading.plan);
    let mut names = Names::new(&reading.plan, &genesis);
    let mut folder = Folder::new(genesis, &reading.genesis).map_err(failed)?;
    let progress = Progress::counting(reading.genesis.height.0, at.0, showing);
    let pursued = pursue(&mut folder, &reading.log, at, |frame, after| {
        detectors.fold(frame, after);
        frame.events.iter().for_each(|event| names.follow(event));
        progress.at(frame.header.height.0);
    });
    pursued.map_err(read_failure)?;
    progress.finish();
    Ok((detectors, names))
}

/// The chosen detectors with their alarms and their strongest signals.
fn summary(
    rows: &[&'static Row],
    detectors: &Detectors,
) -> impl Iterator<Item = (&'static Row, u64, f64)> {
    let all = detectors.summary().into_iter();
    all.filter(|(row, _, _)| rows.iter().any(|chosen| chosen.name == row.name))
}

/// Groups of the plan's accounts.
fn groups(plan: &Plan) -> BTreeMap<AccountId, String> {
    let seats = plan.players.iter().map(|seat| &seat.identity);
    let keys = seats.flat_map(|who| [(who.hotkey, &who.group), (who.coldkey, &who.group)]);
    keys.map(|(key, group)| (key, group.clone())).collect()
}

impl SubjectSeen {
    fn of(subject: Subject, groups: &BTreeMap<AccountId, String>) -> Self {
        let group = |key: &AccountId| groups.get(key).cloned();
        match subject {
            Subject::Neuron { netuid, hotkey } => Self {
                kind: "neuron",
                netuid: Some(netuid.0),
                hotkey: Some(hotkey),
                coldkey: None,
                group: group(&hotkey),
            },
            Subject::Coldkey(coldkey) => Self {
                kind: "coldkey",
                netuid: None,
                hotkey: None,
                coldkey: Some(coldkey),
                group: group(&coldkey),
            },
            Subject::Subnet(netuid) => Self {
                kind: "subnet",
                netuid: Some(netuid.0),
                hotkey: None,
                coldkey: None,
                group: None,
            },
        }
    }
}

fn tell(
    rows: &[&'static Row],
    detectors: &Detectors,
    alarms: &[Alarm],
    names: &Names,
    all: bool,
) -> String {
    let mut text = String::new();
    let loud = || summary(rows, detectors).filter(|(_, alarms, _)| *alarms > 0);
    if loud().next().is_none() {
        let count = rows.len();
        return format!("none of {count} detectors raised an alarm\n");
    }
    let mut table = numbers_table(&["detector", "alarms", "strongest now"], &[1, 2]);
    for (row, alarms, strongest) in loud() {
        let strongest = format!("{strongest:.2} of its threshold");
        table.add_row([row.name.to_owned(), alarms.to_string(), strongest]);
    }
    writeln!(text, "{table}\n").expect("a text takes every line");
    let shown = if all { alarms.len() } else { ALARMS_SHOWN.min(alarms.len()) };
    let mut table = numbers_table(&["block", "detector", "points at"], &[0]);
    for alarm in &alarms[..shown] {
        table.add_row([
            alarm.height.to_string(),
            alarm.detector.to_owned(),
            tell_subject(alarm.subject, names),
        ]);
    }
    writeln!(text, "{table}").expect("a text takes every line");
    let hidden = alarms.len() - shown;
    if hidden > 0 {
        writeln!(text, "and {hidden} more (--all)").expect("a text takes every line");
    }
    text
}

/// Whom a signal is about, in words.
pub fn tell_subject(subject: Subject, names: &Names) -> String {
    match subject {
        Subject::Neuron { netuid, hotkey } => {
            format!("{} on {}", names.account(&hotkey), names.subnet(netuid))
        }
        Subject::Coldkey(coldkey) => names.account(&coldkey),
        Subject::Subnet(netuid) => names.subnet(netuid),
    }
}
