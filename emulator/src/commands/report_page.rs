//! `btemu report --out`: gathering what a page tells, and writing it.
//!
//! What belongs here: one fold of a run into everything its page needs. What does not: what the figures are (`report`), and
//! how the page looks (`report::page`).

use super::detect::tell_subject;
use super::diff::comparison;
use super::params::differing;
use super::reading::Reading;
use super::report_fold::fold;
use super::{BlockArgument, Failure};
use crate::detect::Detectors;
use crate::export::{ExportError, Output, Target};
use crate::names::Names;
use crate::plan::Plan;
use crate::progress::Showing;
use crate::report::Gathered;
use crate::report::dossier::{DetectorSeen, Dossier, Origin, Trouble};
use crate::report::happenings::Happenings;
use crate::report::page::page;
use crate::report::series::Series;
use crate::reproduction::{self, Start, own_files, started_with};
use crate::run::calendar;
use crate::run::totals::{Totals, players_by_role};
use crate::telling::tell_talk;
use protocol::frame::Header;
use protocol::rules::Mode;
use protocol::state::State;
use protocol::units::Height;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use storage::journal::Journal;
use storage::log::EventLog;

/// Alarms of a detector that are drawn.
const ALARMS_DRAWN: usize = 2_000;
/// Times of a fault that are drawn.
const TIMES_DRAWN: usize = 2_000;

/// Writes the page of a run, with another one beside it if there is one.
pub fn write(
    run: &Path,
    vs: Option<&Path>,
    at: Option<BlockArgument>,
    out: &Path,
) -> Result<(), Failure> {
    if let Some(vs) = vs
        && let (Ok(one), Ok(other)) = (run.canonicalize(), vs.canonicalize())
        && one == other
    {
        let what = format!("{} and {} are the same run folder", run.display(), vs.display());
        let hint = "give another run with --vs; `btemu runs` lists them".to_owned();
        return Err(Failure::usage(what, Some(hint)));
    }
    let reading = Reading::open(run)?;
    // What cannot be written is told before the work, not after it.
    let mut target = Target::replacing(out).map_err(export_failure)?;
    let output = target.begin("").map_err(export_failure)?;
    let text = match vs {
        None => {
            let dossier = dossier(run, &reading, reading.height(at)?)?;
            page(&dossier, None)
        }
        Some(vs) => {
            let readings = [reading, Reading::open(vs)?];
            let how = comparison([run, vs], &readings, Showing::Bar)?;
            let [a, b] = &readings;
            let last = a.log.tip().min(b.log.tip());
            let at = |reading: &Reading| match at {
                None => Ok(last),
                some => reading.height(some),
            };
            let (one, other) = (dossier(run, a, at(a)?)?, dossier(vs, b, at(b)?)?);
            page(&one, Some((&other, &how)))
        }
    };
    let text = text.map_err(|error| Failure::failed(error, None))?;
    keep(target, output, &text)
}

fn keep(target: Target, mut output: Output, text: &str) -> Result<(), Failure> {
    let written = output.to.write_all(text.as_bytes()).and_then(|()| output.to.flush());
    let path = output.path.display().to_string();
    written.map_err(|error| Failure::failed(format!("{path} cannot be written: {error}"), None))?;
    for kept in target.keep().map_err(export_failure)? {
        tell_talk(&format!("wrote {}\n", kept.path.display()));
    }
    Ok(())
}

fn export_failure(error: ExportError) -> Failure {
    let hint = error.hint();
    Failure::failed(error, hint)
}

/// Everything that a page tells of a run up to a block.
fn dossier(run: &Path, reading: &Reading, at: Height) -> Result<Dossier, Failure> {
    let plan = &reading.plan;
    let mut series = Series::new(&plan.genesis, at, &Gathered::new(plan));
    let mut happenings = Happenings::new(plan);
    let mut totals = Totals::default();
    let mut detectors = Detectors::of(plan);
    let (report, folder) = fold(reading, at, Showing::Bar, |frame, after, gathered| {
        series.look(after, gathered);
        happenings.hear(frame);
        totals.add(frame);
        detectors.fold(frame, after);
    })?;
    let journal = Journal::read(&reading.folder.path).unwrap_or_default();
    let trouble = trouble(plan, at, &detectors, &happenings.names, &journal);
    Ok(Dossier {
        run: run.display().to_string(),
        report,
        series,
        happenings,
        totals,
        trouble,
        terms: differing(reading, folder.state()),
        origin: origin(reading, folder.header(), folder.state(), &journal),
    })
}

fn trouble(
    plan: &Plan,
    at: Height,
    detectors: &Detectors,
    names: &Names,
    journal: &[Value],
) -> Trouble {
    let summary = detectors.summary();
    let seen = |(row, alarms, _): &(&'static crate::detect::Row, u64, f64)| {
        let own = detectors.alarms().iter().filter(|alarm| alarm.detector == row.name);
        let mut whom: Vec<String> = Vec::new();
        for alarm in own.clone() {
            let name = tell_subject(alarm.subject, names);
            if !whom.contains(&name) {
                whom.push(name);
            }
        }
        DetectorSeen {
            name: row.name,
            observable: row.observable,
            alarms: *alarms,
            blocks: own.map(|alarm| alarm.height).take(ALARMS_DRAWN).collect(),
            whom,
        }
    };
    let mut loud: Vec<DetectorSeen> =
        summary.iter().filter(|(_, alarms, _)| *alarms > 0).map(seen).collect();
    loud.sort_by_key(|one| (std::cmp::Reverse(one.alarms), one.name));
    let times = calendar::times(plan, at, TIMES_DRAWN);
    Trouble {
        detectors: loud,
        detectors_all: summary.len(),
        faults: times.into_iter().map(|(kind, it)| (kind, it.first, it.end)).collect(),
        struck: struck(journal),
    }
}

/// What the operations journal says of restarts and of what struck below the simulation.
fn struck(journal: &[Value]) -> Vec<(String, u64)> {
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for line in journal {
        let what = match line["kind"].as_str() {
            Some("restarted") => "processes started again".to_owned(),
            Some("struck") => match &line["what"] {
                Value::String(what) => what.replace('-', " "),
                other => other.to_string(),
            },
            _ => continue,
        };
        *counts.entry(what).or_default() += 1;
    }
    counts.into_iter().collect()
}

fn origin(reading: &Reading, header: &Header, state: &State, journal: &[Value]) -> Origin {
    let plan = &reading.plan;
    let mode = match state.rules.mode {
        Mode::Reference => "as the chain has them",
        Mode::Sound => "sound",
    };
    let time = jiff::Timestamp::from_second(plan.genesis_unix_s);
    Origin {
        scenario: plan.name.clone(),
        description: plan.description.clone(),
        document: plan.scenario.clone(),
        seed: plan.last_course().seed(),
        rules: format!("{}, {mode}", state.rules.version.name()),
        build: reading.build.clone(),
        genesis_time: time.map_or_else(|_| "an unknown time".to_owned(), |time| time.to_string()),
        players: players_by_role(plan).into_iter().collect(),
        simulation_hash: reading.genesis.parent.to_string(),
        tip_hash: header.hash().to_string(),
        state_root: header.state_root.to_string(),
        forks: plan.course(header.height).forks().len(),
        commands: reproduction::commands(plan, Start::Scenario("scenario.toml"), header.height),
        files: own_files(&plan.scenario),
        started_with: started_with(journal),
    }
}
