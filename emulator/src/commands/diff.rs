//! `btemu diff`: two runs compared, for people and as JSON.

use super::reading::{Reading, log_failure, verify_hint};
use super::tables::numbers_table;
use super::{Failure, print, print_json};
use crate::diff::consequences::{
    Consequences, Point, SubnetConsequences, SubnetPoint, WealthPoint, blocks, consequences,
    samples,
};
use crate::diff::tree::{Difference, Differences, WHOLE, compare, compare_parts};
use crate::diff::{Part, Parting, SMALL_DIFFERENCES_MAX, STATE_DIFFERENCES_MAX, parting, plans};
use crate::fields::keyed;
use crate::names::{Names, TAO, tokens};
use crate::progress::{Progress, Showing};
use crate::report::page::Comparison;
use crate::run::difference::first_unlike;
use crate::run::public::PublicFrame;
use crate::telling::facts::{CallFact, Fact, call_facts, facts};
use crate::telling::lines::{call_line, clock, fact_line, value_text};
use protocol::frame::Frame;
use protocol::units::Height;
use serde::Serialize;
use serde_json::{Value, json};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use storage::log::EventLog;

/// Subnets whose course people see; JSON has more.
const SUBNETS_SHOWN: usize = 3;
/// Letters of a line or value that people see.
const LETTERS_SHOWN: usize = 320;

/// `btemu diff`
///
/// Finds the first block that differs, what differs in it (calls, events, off-chain facts, the state by subnet and
/// field), and what came of it: prices, emission shares, reserves and wealth by role at up to 13 blocks up to the
/// last one of both. Exit code 0: both runs are the same history; 1: they differ, or one goes on where the other
/// ends.
#[derive(Debug, clap::Args)]
pub struct DiffArguments {
    /// A run folder.
    #[arg(value_name = "RUN_A")]
    a: PathBuf,
    /// Another run folder.
    #[arg(value_name = "RUN_B")]
    b: PathBuf,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// How two runs compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Verdict {
    /// The same blocks.
    Identical,
    /// The same blocks up to the end of one.
    Prefix,
    /// The same blocks, decided from different plans: a difference that has not come to bear, such as a timeline
    /// entry of a later block.
    PlanOnly,
    /// A block differs.
    Different,
}

#[derive(Serialize)]
struct Report {
    verdict: Verdict,
    a: Side,
    b: Side,
    genesis_block: u64,
    /// The last block of both.
    common_block: u64,
    /// What the runs were decided from, where it is not the same.
    plan: Differences,
    /// The first block that differs.
    first_block: Option<u64>,
    /// In what it does.
    parts: Vec<Part>,
    /// Its first call that differs.
    call: Option<Unlike>,
    /// Its first event that differs.
    event: Option<Unlike>,
    /// Its off-chain facts that differ.
    facts: Option<Differences>,
    /// The first block after which the state differs.
    state_block: Option<u64>,
    /// In what the state differs then.
    state: Option<Differences>,
    /// What came of it.
    course: Option<Consequences>,
}

#[derive(Serialize)]
struct Side {
    run: String,
    scenario: String,
    seed: u64,
    scenario_hash: String,
    block: u64,
    tip_hash: String,
}

impl Side {
    fn of(path: &Path, reading: &Reading) -> Result<Self, Failure> {
        let tip = reading.log.header(reading.log.tip()).map_err(log_failure)?;
        Ok(Self {
            run: path.display().to_string(),
            scenario: reading.plan.name.clone(),
            seed: reading.plan.seed,
            scenario_hash: reading.genesis.parent.to_string(),
            block: tip.height.0,
            tip_hash: tip.hash().to_string(),
        })
    }
}

/// Two entries at one place of a list.
#[derive(Serialize)]
struct Unlike {
    /// The place, from 0.
    index: usize,
    /// What the first run has there; null past its end.
    a: Value,
    /// What the second run has there.
    b: Value,
    #[serde(skip)]
    lines: [String; 2],
    /// The fields that differ, where both are of one kind.
    fields: Differences,
}

/// Compares, and prints what was found.
pub fn run(arguments: &DiffArguments) -> Result<(), Failure> {
    let [a, b] = [&arguments.a, &arguments.b];
    if let (Ok(one), Ok(other)) = (a.canonicalize(), b.canonicalize())
        && one == other
    {
        let hint = "give two run folders; `btemu runs` lists them".to_owned();
        let what = format!("{} and {} are the same run folder", a.display(), b.display());
        return Err(Failure::usage(what, Some(hint)));
    }
    let readings = [Reading::open(a)?, Reading::open(b)?];
    let report = report(arguments, &readings)?;
    if arguments.json {
        print_json(&report)?;
    } else {
        print(&told(&report, &readings)?)?;
    }
    match report.verdict {
        Verdict::Identical => Ok(()),
        Verdict::Prefix | Verdict::PlanOnly | Verdict::Different => Err(Failure::told()),
    }
}

fn report(arguments: &DiffArguments, readings: &[Reading; 2]) -> Result<Report, Failure> {
    let showing = Showing::unless_json(arguments.json);
    let (mut report, found) = parted([&arguments.a, &arguments.b], readings, showing)?;
    if let Some(at) = found.and_then(|found| found.state_block) {
        let last = Height(report.common_block);
        let progress = Progress::counting(report.genesis_block, last.0, showing);
        report_state(&mut report, readings, at, last, &progress)?;
        progress.finish();
    }
    Ok(report)
}

/// Where two runs part and what differs there, without what came of it.
fn parted(
    paths: [&Path; 2],
    readings: &[Reading; 2],
    showing: Showing,
) -> Result<(Report, Option<Parting>), Failure> {
    let [a, b] = readings;
    let (genesis, other) = (a.genesis.height, b.genesis.height);
    if genesis != other {
        let what = format!(
            "the runs cannot be compared block by block: {} begins at block {genesis}, {} at block \
             {other}",
            paths[0].display(),
            paths[1].display()
        );
        let hint = "runs of one scenario, or of scenarios with the same genesis block, can be";
        return Err(Failure::failed(what, Some(hint.to_owned())));
    }
    let last = a.log.tip().min(b.log.tip());
    let progress = Progress::counting(genesis.0, last.0, showing);
    let found = parting(&a.log, &b.log, |height| progress.at(height.0)).map_err(log_failure)?;
    progress.finish();
    let verdict = match &found {
        Some(_) => Verdict::Different,
        None if a.log.tip() != b.log.tip() => Verdict::Prefix,
        None if a.genesis.hash() != b.genesis.hash() => Verdict::PlanOnly,
        None => Verdict::Identical,
    };
    let mut report = Report {
        verdict,
        a: Side::of(paths[0], a)?,
        b: Side::of(paths[1], b)?,
        genesis_block: genesis.0,
        common_block: last.0,
        plan: match a.genesis.parent == b.genesis.parent {
            true => Differences::default(),
            false => plans(&a.plan, &b.plan),
        },
        first_block: None,
        parts: Vec::new(),
        call: None,
        event: None,
        facts: None,
        state_block: None,
        state: None,
        course: None,
    };
    if let Some(found) = &found {
        report_block(&mut report, readings, found)?;
    }
    Ok((report, found))
}

/// Where two runs part, as a page tells it.
pub(super) fn comparison(
    paths: [&Path; 2],
    readings: &[Reading; 2],
    showing: Showing,
) -> Result<Comparison, Failure> {
    let (report, _) = parted(paths, readings, showing)?;
    let names = Names::new(&readings[0].plan, &readings[0].plan.genesis);
    let blocks = report.common_block - report.genesis_block;
    let verdict = match report.verdict {
        Verdict::Identical => format!("Both are the same history of {blocks} blocks."),
        Verdict::Prefix => {
            let (short, long) = shorter(&report);
            format!("They are the same up to block +{blocks}, where {short} ends; {long} goes on.")
        }
        Verdict::PlanOnly => format!("No block differs up to block +{blocks}."),
        Verdict::Different => {
            let since = report.first_block.map_or(0, |block| block - report.genesis_block);
            let parts: Vec<&str> = report.parts.iter().map(|part| part.name()).collect();
            format!("They part at block +{since}, in {}.", parts.join(", "))
        }
    };
    let there =
        [("first call that differs", &report.call), ("first event that differs", &report.event)];
    let there = there.into_iter().filter_map(|(what, unlike)| {
        let [a, b] = &unlike.as_ref()?.lines;
        Some([what.to_owned(), cut(a), cut(b)])
    });
    Ok(Comparison {
        verdict,
        there: there.collect(),
        plan: rows(&report.plan, &names),
        plan_more: report.plan.more(),
    })
}

/// Which run ends first, and which goes on.
const fn shorter(report: &Report) -> (&'static str, &'static str) {
    if report.a.block < report.b.block { ("A", "B") } else { ("B", "A") }
}

/// What differs in the first block that does.
fn report_block(
    report: &mut Report,
    readings: &[Reading; 2],
    found: &Parting,
) -> Result<(), Failure> {
    report.first_block = Some(found.block.0);
    report.parts.clone_from(&found.parts);
    report.state_block = found.state_block.map(|block| block.0);
    if found.block.0 == report.genesis_block {
        return Ok(());
    }
    let frame = |reading: &Reading| reading.log.frame(found.block).map_err(log_failure);
    let [a, b] = [frame(&readings[0])?, frame(&readings[1])?];
    if found.parts.contains(&Part::Facts) {
        report.facts = Some(crate::diff::facts(&a, &b));
    }
    let names = |reading: &Reading| -> Result<Names, Failure> {
        let before = reading.state_at(Height(found.block.0 - 1))?;
        Ok(Names::new(&reading.plan, before.state()))
    };
    let names = [names(&readings[0])?, names(&readings[1])?];
    report.call = unlike_call(&a, &b, &names);
    report.event = unlike_event(&a, &b, &names);
    Ok(())
}

fn unlike_call(a: &Frame, b: &Frame, names: &[Names; 2]) -> Option<Unlike> {
    let index = first_unlike(&a.calls, &b.calls)?;
    let fields = match (a.calls.get(index), b.calls.get(index)) {
        (Some(a), Some(b)) => compare_parts(a, b, SMALL_DIFFERENCES_MAX),
        _ => Differences::default(),
    };
    let side = |frame: &Frame| call_facts(&PublicFrame::new(frame.clone())).into_iter().nth(index);
    let sides =
        [side(a).filter(|one| one.name.is_some()), side(b).filter(|one| one.name.is_some())];
    let lines = [0, 1].map(|of| {
        sides[of].as_ref().map_or_else(|| NOTHING.to_owned(), |call| call_line(&names[of], call))
    });
    let [a, b] = sides.map(|call| call.map_or(Value::Null, call_object));
    Some(Unlike { index, a, b, lines, fields })
}

/// What stands for the entry of a list that has ended.
const NOTHING: &str = "nothing";

fn call_object(call: CallFact) -> Value {
    let arguments = keyed(call.name.unwrap_or_default(), call.arguments);
    let mut object = call.fields;
    object.insert("call".to_owned(), json!(call.name));
    object.insert("outcome".to_owned(), json!(call.outcome));
    object.insert("reason".to_owned(), json!(call.reason));
    object.insert("arguments".to_owned(), Value::Object(arguments));
    Value::Object(object)
}

/// The first event that differs; of columnar ones the first fact.
fn unlike_event(a: &Frame, b: &Frame, names: &[Names; 2]) -> Option<Unlike> {
    let index = first_unlike(&a.events, &b.events)?;
    let side = |frame: &Frame| frame.events.get(index).map(facts).unwrap_or_default();
    let (one, other) = (side(a), side(b));
    let is_one_kind = one.first().map(|fact| fact.kind) == other.first().map(|fact| fact.kind);
    let fact = if is_one_kind { first_unlike(&one, &other).unwrap_or(0) } else { 0 };
    let sides = [one.into_iter().nth(fact), other.into_iter().nth(fact)];
    let fields = match &sides {
        [Some(a), Some(b)] if is_one_kind => {
            compare_parts(&a.fields, &b.fields, SMALL_DIFFERENCES_MAX)
        }
        _ => Differences::default(),
    };
    let lines = [0, 1].map(|of| {
        sides[of].as_ref().map_or_else(|| NOTHING.to_owned(), |fact| fact_line(&names[of], fact))
    });
    let [a, b] = sides.map(|fact| fact.map_or(Value::Null, fact_object));
    Some(Unlike { index, a, b, lines, fields })
}

fn fact_object(fact: Fact) -> Value {
    let mut object = keyed(fact.kind, fact.fields);
    object.insert("kind".to_owned(), json!(fact.kind));
    Value::Object(object)
}

/// What differs in the state, and what came of it; each log is folded once, both at a time.
fn report_state(
    report: &mut Report,
    readings: &[Reading; 2],
    at: Height,
    last: Height,
    progress: &Progress,
) -> Result<(), Failure> {
    let [a, b] = readings;
    let (folder_a, folder_b) = (a.state_at(at)?, b.state_at(at)?);
    report.state = Some(compare(folder_a.state(), folder_b.state(), STATE_DIFFERENCES_MAX));
    let sampled = blocks(at, last);
    let (samples_a, samples_b) = std::thread::scope(|scope| {
        let other = scope.spawn(|| samples(&b.log, &b.plan, folder_b, &sampled, |_| {}));
        let one = samples(&a.log, &a.plan, folder_a, &sampled, |height| progress.at(height.0));
        (one, other.join().expect("folding a log does not panic"))
    });
    let failed = |error| Failure::failed(error, verify_hint());
    let (samples_a, samples_b) = (samples_a.map_err(failed)?, samples_b.map_err(failed)?);
    report.course = Some(consequences(&sampled, &samples_a, &samples_b));
    Ok(())
}

/// The report for people.
fn told(report: &Report, readings: &[Reading; 2]) -> Result<String, Failure> {
    let genesis = report.genesis_block;
    let blocks = report.common_block - genesis;
    if report.verdict == Verdict::Identical {
        return Ok(format!("identical: {blocks} blocks, tip hash {}\n", report.a.tip_hash));
    }
    let mut text = String::new();
    for (name, side) in [("A", &report.a), ("B", &report.b)] {
        line(
            &mut text,
            &format!(
                "{name}  {}  {} (seed {}), blocks {genesis} to {}, tip hash {}",
                side.run, side.scenario, side.seed, side.block, side.tip_hash
            ),
        );
    }
    let names = Names::new(&readings[0].plan, &readings[0].plan.genesis);
    if report.plan.count > 0 {
        text.push_str("\ndecided from different plans\n");
        text.push_str(&differences(&report.plan, &names));
    }
    text.push('\n');
    match report.verdict {
        Verdict::Prefix => {
            let (short, long) = shorter(report);
            line(
                &mut text,
                &format!(
                    "identical up to block {} (+{blocks}), where {short} ends; {long} goes on",
                    report.common_block
                ),
            );
        }
        Verdict::PlanOnly => line(
            &mut text,
            &format!("no block differs up to block {} (+{blocks})", report.common_block),
        ),
        Verdict::Identical | Verdict::Different => {}
    }
    if let Some(block) = report.first_block {
        told_block(&mut text, report, block, &names);
    }
    if let Some(state) = &report.state {
        let block = report.state_block.unwrap_or_default();
        let of = names_at(&readings[0], Height(block))?;
        let plural = if state.count == 1 { "" } else { "s" };
        let heading = format!("\nstate after block {block}: {} difference{plural}", state.count);
        line(&mut text, &heading);
        text.push_str(&differences(state, &of));
    }
    if let Some(course) = &report.course {
        let of = names_at(&readings[0], Height(report.common_block))?;
        told_course(&mut text, course, &of);
    }
    Ok(text)
}

fn names_at(reading: &Reading, at: Height) -> Result<Names, Failure> {
    Ok(Names::new(&reading.plan, reading.state_at(at)?.state()))
}

fn told_block(text: &mut String, report: &Report, block: u64, names: &Names) {
    let since = block - report.genesis_block;
    let time = clock(since * protocol::units::BLOCK_MS);
    let parts: Vec<&str> = report.parts.iter().map(|part| part.name()).collect();
    let place = if since == 0 { "genesis".to_owned() } else { format!("+{since}, {time}") };
    let parts = parts.join(", ");
    line(text, &format!("first difference at block {block} ({place}): {parts}"));
    for (what, unlike) in [("call", &report.call), ("event", &report.event)] {
        let Some(unlike) = unlike else { continue };
        line(text, &format!("  first {what} that differs: number {}", unlike.index));
        for (name, told) in ["A", "B"].iter().zip(&unlike.lines) {
            line(text, &format!("    {name}  {}", cut(told)));
        }
        if unlike.lines[0] == unlike.lines[1] {
            text.push_str(&differences(&unlike.fields, names));
        }
    }
    if let Some(facts) = &report.facts {
        line(text, "  off-chain facts that differ");
        text.push_str(&differences(facts, names));
    }
    match report.state_block {
        Some(state) if state != block => {
            line(text, &format!("  the state differs first after block {state}"));
        }
        None => line(text, "  the state is the same at the last block of both"),
        Some(_) => {}
    }
}

/// A table of differences, and how many more there are.
fn differences(found: &Differences, names: &Names) -> String {
    let mut table = numbers_table(&["  what", "A", "B"], &[]);
    for [what, a, b] in rows(found, names) {
        table.add_row([format!("  {what}"), a, b]);
    }
    let mut text = format!("{}\n", table.trim_fmt());
    if found.more() > 0 {
        line(&mut text, &format!("  … and {} more", found.more()));
    }
    text
}

/// Differences in words: what they are about, and both sides.
fn rows(found: &Differences, names: &Names) -> Vec<[String; 3]> {
    let row = |one: &Difference| {
        let value = |value: &Value| cut(&value_text(names, one.subnet, one.unit, value));
        [place(one, names), value(&one.a), value(&one.b)]
    };
    found.shown.iter().map(row).collect()
}

/// What a difference is about.
fn place(one: &Difference, names: &Names) -> String {
    let mut words = Vec::new();
    words.extend(one.subnet.map(|netuid| match netuid.is_root() {
        true => "root".to_owned(),
        false => format!("subnet {netuid}"),
    }));
    words.push(one.what.clone());
    let accounts: Vec<String> = one.accounts.iter().map(|one| names.account(one)).collect();
    words.push(accounts.join(" / "));
    // What is compared as one value has no field's name.
    words.extend((one.field != WHOLE).then(|| one.field.clone()));
    words.retain(|word| !word.is_empty());
    words.join(" ")
}

fn told_course(text: &mut String, course: &Consequences, names: &Names) {
    let differs =
        |points: &&SubnetConsequences| points.points.iter().any(|point| point.a != point.b);
    let subnets: Vec<&SubnetConsequences> = course.subnets.iter().filter(differs).collect();
    if subnets.is_empty() && course.wealth.iter().all(|role| role.points.iter().all(is_even)) {
        line(text, "\nno price, emission share, reserve or wealth differs at the blocks looked at");
        return;
    }
    let header = ["  block", "price A", "price B", "share % A", "share % B", "TAO A", "TAO B"];
    for subnet in subnets.into_iter().take(SUBNETS_SHOWN) {
        let mut table = numbers_table(&header, &[0, 1, 2, 3, 4, 5, 6]);
        for Point { block, a, b } in &subnet.points {
            let both = |show: fn(&SubnetPoint) -> String| {
                [a, b].map(|side| side.as_ref().map_or_else(|| "–".to_owned(), show))
            };
            let mut row = vec![format!("  {block}")];
            row.extend(both(|point| format!("{:.6}", point.price)));
            row.extend(both(|point| format!("{:.3}", point.emission_share * 100.0)));
            row.extend(both(|point| format!("{:.3}", point.tao_reserve_rao.0 as f64 / 1e9)));
            table.add_row(row);
        }
        let name = names.subnet(subnet.netuid);
        line(text, &format!("\nover time, {name}: price, emission share, TAO reserve"));
        line(text, &table.trim_fmt());
    }
    let mut header = vec!["  block"];
    header.extend(course.wealth.iter().map(|role| role.role));
    let columns: Vec<usize> = (0..header.len()).collect();
    let mut table = numbers_table(&header, &columns);
    let first = course.wealth.first().map_or(&[][..], |role| &role.points[..]);
    for (at, point) in first.iter().enumerate() {
        let mut row = vec![format!("  {}", point.block)];
        row.extend(course.wealth.iter().map(|role| gain(&role.points[at])));
        table.add_row(row);
    }
    line(text, "\nover time, wealth by role (free TAO and stake at spot prices), B less A");
    line(text, &table.trim_fmt());
    let header = ["  role", "A", "B", "B − A"];
    let mut table = numbers_table(&header, &[1, 2, 3]);
    for role in &course.wealth {
        let Some(point) = role.points.last() else { continue };
        let [a, b] = [point.a, point.b].map(|one| format!("{} {TAO}", tokens(wealth(one))));
        table.add_row([format!("  {}", role.role), a, b, gain(point)]);
    }
    line(text, "\nwealth by role at the last block of both");
    line(text, &table.trim_fmt());
}

fn wealth(point: Option<WealthPoint>) -> i128 {
    point.map_or(0, |one| i128::from(one.sum().0))
}

fn is_even(point: &Point<WealthPoint>) -> bool {
    point.a == point.b
}

/// What the second run's have beyond the first's.
fn gain(point: &Point<WealthPoint>) -> String {
    format!("{} {TAO}", tokens(wealth(point.b) - wealth(point.a)))
}

/// A line that is not too long to read.
fn cut(line: &str) -> String {
    match line.char_indices().nth(LETTERS_SHOWN) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

fn line(text: &mut String, line: &str) {
    writeln!(text, "{line}").expect("a text takes every line");
}
