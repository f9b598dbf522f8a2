//! What trials say, as JSON and as tables for people. docs/attacks.md defines every figure.
//!
//! What belongs here: shapes and words. What does not: the comparison (`outcome`), and plots (`page`).

use super::catalogue::ADVERSARIES;
use super::defence::DEFENCES;
use super::outcome::{Detection, FigureOutcome, Outcome, Trial, Verdict};
use super::trial::{Cell, Pairs, Trials};
use crate::arm::FIGURES;
use crate::sweep::statistics::Estimate;
use crate::version::BUILD;
use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, Table};
use protocol::units::UNITS_PER_TOKEN;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write;

/// Everything that a command found.
#[derive(Debug)]
pub struct Report {
    /// As JSON.
    pub told: Told,
    /// Each attack under each defence, with what its trials say; none where no trial was made.
    pub cells: Vec<(Cell, Option<Outcome>)>,
}

/// A report as JSON.
#[derive(Debug, Serialize)]
pub struct Told {
    build: &'static str,
    seeds: Vec<u64>,
    cells: Vec<ToldCell>,
}

#[derive(Debug, Serialize)]
struct ToldCell {
    attack: &'static str,
    role: &'static str,
    behaviour: &'static str,
    counterpart: &'static str,
    scenario: String,
    defence: Option<ToldDefence>,
    blocks: u64,
    attackers: Vec<String>,
    netuids: Vec<u16>,
    seeds: usize,
    verdict: Option<&'static str>,
    verdict_realisable: Option<&'static str>,
    #[serde(flatten)]
    outcome: Option<ToldOutcome>,
}

#[derive(Debug, Serialize)]
struct ToldDefence {
    name: &'static str,
    value: String,
    sets: Vec<String>,
}

#[derive(Debug, Serialize)]
struct ToldOutcome {
    epoch_blocks: u64,
    first_difference_block: Option<u64>,
    honest_wealth: InRao,
    profit: InRao,
    profit_share: Option<f64>,
    profit_realisable: InRao,
    seeds_paid: usize,
    victims_loss: Option<InRao>,
    groups: Vec<ToldGroup>,
    income: BTreeMap<String, InRao>,
    figure: &'static str,
    figures: BTreeMap<String, ToldFigure>,
    detection: ToldDetection,
    trials: Vec<ToldTrial>,
    course: Vec<ToldPoint>,
}

/// A mean over seeds, rounded to the nearest rao.
#[derive(Clone, Copy, Debug, Serialize)]
struct InRao {
    n: u64,
    mean_rao: i64,
    ci95_rao: Option<i64>,
    min_rao: i64,
    max_rao: i64,
}

#[derive(Debug, Serialize)]
struct ToldGroup {
    group: String,
    role: Option<String>,
    change: InRao,
    change_realisable: InRao,
    verdict: &'static str,
}

#[derive(Debug, Serialize)]
struct ToldFigure {
    unit: &'static str,
    attack: Option<Estimate>,
    honest: Option<Estimate>,
    difference: Option<Estimate>,
}

#[derive(Debug, Serialize)]
struct ToldDetection {
    detector: String,
    seeds_detected: usize,
    of: usize,
    epochs: Option<Estimate>,
    false_alarms_honest: u64,
    false_alarms_attack: u64,
    false_alarms_honest_per_1000_blocks: f64,
    false_alarms_attack_per_1000_blocks: f64,
}

#[derive(Debug, Serialize)]
struct ToldTrial {
    seed: u64,
    first_difference_block: Option<u64>,
    honest_wealth_rao: i64,
    profit_rao: i64,
    profit_realisable_rao: i64,
    epochs_to_detection: Option<f64>,
    false_alarms_honest: u64,
    false_alarms_attack: u64,
}

#[derive(Debug, Serialize)]
struct ToldPoint {
    block: u64,
    mean_rao: i64,
    ci95_rao: Option<i64>,
}

impl InRao {
    fn of(estimate: &Estimate) -> Self {
        Self {
            n: estimate.n,
            mean_rao: whole(estimate.mean),
            ci95_rao: estimate.ci95.map(whole),
            min_rao: whole(estimate.min),
            max_rao: whole(estimate.max),
        }
    }
}

/// Differences of amounts lie far within 63 bits.
fn whole(rao: f64) -> i64 {
    rao.round() as i64
}

impl Report {
    /// What the trials say that were made.
    pub fn new(trials: &Trials, pairs: &Pairs) -> Self {
        let outcome = |cell: usize| {
            let own = pairs.done.range((cell, 0)..(cell + 1, 0));
            Outcome::of(own.map(|(_, trial)| trial.clone()).collect())
        };
        let cells: Vec<(Cell, Option<Outcome>)> = trials
            .cells
            .iter()
            .enumerate()
            .map(|(number, cell)| (cell.clone(), outcome(number)))
            .collect();
        let told = Told {
            build: BUILD,
            seeds: trials.seeds.clone(),
            cells: cells
                .iter()
                .map(|(cell, outcome)| ToldCell::new(cell, outcome.as_ref()))
                .collect(),
        };
        Self { told, cells }
    }
}

impl ToldCell {
    fn new(cell: &Cell, outcome: Option<&Outcome>) -> Self {
        let adversary = cell.adversary;
        Self {
            attack: adversary.name,
            role: adversary.role.name(),
            behaviour: adversary.behaviour,
            counterpart: adversary.counterpart,
            scenario: cell.path.display().to_string(),
            defence: cell.defence.as_ref().map(|defence| ToldDefence {
                name: defence.name,
                value: defence.value.clone(),
                sets: defence.sets(),
            }),
            blocks: cell.blocks,
            attackers: cell.order.attackers.clone(),
            netuids: cell.order.netuids.iter().map(|netuid| netuid.0).collect(),
            seeds: outcome.map_or(0, |outcome| outcome.trials.len()),
            verdict: outcome.map(|outcome| outcome.verdict().pays()),
            verdict_realisable: outcome.map(|outcome| Verdict::of(&outcome.realisable).pays()),
            outcome: outcome.map(|outcome| ToldOutcome::new(cell, outcome)),
        }
    }
}

impl ToldOutcome {
    fn new(cell: &Cell, outcome: &Outcome) -> Self {
        let groups = outcome.groups.iter().map(|group| ToldGroup {
            group: group.group.clone(),
            role: group.role.clone(),
            change: InRao::of(&group.change),
            change_realisable: InRao::of(&group.realisable),
            verdict: Verdict::of(&group.change).fares(),
        });
        let figure = |(name, outcome): (&String, &FigureOutcome)| {
            let FigureOutcome { attack, honest, difference } = *outcome;
            (name.clone(), ToldFigure { unit: unit(name), attack, honest, difference })
        };
        let point = |(block, estimate): &(u64, Estimate)| ToldPoint {
            block: *block,
            mean_rao: whole(estimate.mean),
            ci95_rao: estimate.ci95.map(whole),
        };
        Self {
            epoch_blocks: outcome.trials.first().map_or(0, |trial| trial.epoch_blocks),
            first_difference_block: outcome.parted_at,
            honest_wealth: InRao::of(&outcome.wealth),
            profit: InRao::of(&outcome.profit),
            profit_share: outcome.profit_share(),
            profit_realisable: InRao::of(&outcome.realisable),
            seeds_paid: outcome.paid,
            victims_loss: outcome.loss.as_ref().map(InRao::of),
            groups: groups.collect(),
            income: outcome
                .income
                .iter()
                .map(|(name, one)| (name.clone(), InRao::of(one)))
                .collect(),
            figure: cell.adversary.figure,
            figures: outcome.figures.iter().map(figure).collect(),
            detection: ToldDetection::new(cell, outcome),
            trials: outcome.trials.iter().map(ToldTrial::new).collect(),
            course: outcome.course.iter().map(point).collect(),
        }
    }
}

impl ToldDetection {
    fn new(cell: &Cell, outcome: &Outcome) -> Self {
        let sum = |count: fn(&Detection) -> u64| {
            outcome.trials.iter().map(|trial| count(&trial.detection)).sum()
        };
        let [honest, attack] = outcome.false_alarms;
        Self {
            detector: cell.order.detector.clone(),
            seeds_detected: outcome.detected,
            of: outcome.trials.len(),
            epochs: outcome.epochs,
            false_alarms_honest: sum(|detection| detection.false_honest),
            false_alarms_attack: sum(|detection| detection.false_attack),
            false_alarms_honest_per_1000_blocks: honest,
            false_alarms_attack_per_1000_blocks: attack,
        }
    }
}

impl ToldTrial {
    fn new(trial: &Trial) -> Self {
        Self {
            seed: trial.seed,
            first_difference_block: trial.parted_at,
            honest_wealth_rao: whole(trial.wealth),
            profit_rao: whole(trial.profit),
            profit_realisable_rao: whole(trial.realisable),
            epochs_to_detection: trial.detection.epochs,
            false_alarms_honest: trial.detection.false_honest,
            false_alarms_attack: trial.detection.false_attack,
        }
    }
}

fn unit(figure: &str) -> &'static str {
    FIGURES.iter().find(|known| known.name == figure).map_or("", |known| known.unit)
}

/// What people read: one attack with all it says, several as a row each.
pub fn tell(report: &Report) -> String {
    let mut text = String::new();
    let is_single = report.cells.iter().all(|(cell, _)| cell.defence.is_none());
    if let [(cell, Some(outcome))] = report.cells.as_slice()
        && is_single
    {
        text.push_str(&tell_one(cell, outcome));
        return text;
    }
    text.push_str(&format!("{}\n", scoreboard(report)));
    text
}

/// The columns of a row per attack and defence.
#[derive(Clone, Copy, Debug)]
pub struct Columns {
    /// Their names.
    pub header: &'static [&'static str],
    /// Those that hold numbers.
    pub numbers: &'static [usize],
}

/// See [`scoreboard_row`].
pub const SCOREBOARD: Columns = Columns {
    header: &[
        "attack",
        "defence",
        "seeds",
        "profit (TAO)",
        "± 95 %",
        "% of wealth",
        "realisable",
        "paid in",
        "victims' loss",
        "worst off",
        "seen in",
        "epochs",
        "false/1,000",
        "verdict",
    ],
    numbers: &[2, 3, 4, 5, 6, 7, 8, 10, 11, 12],
};

/// A row per attack and defence.
fn scoreboard(report: &Report) -> Table {
    let mut table = Table::new();
    table.load_preset(NOTHING).set_header(SCOREBOARD.header.to_vec());
    for (cell, outcome) in &report.cells {
        table.add_row(scoreboard_row(cell, outcome.as_ref()));
    }
    for column in SCOREBOARD.numbers {
        if let Some(column) = table.column_mut(*column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// What one attack under one defence came to; see [`SCOREBOARD`].
pub fn scoreboard_row(cell: &Cell, outcome: Option<&Outcome>) -> Vec<String> {
    let defence = tell_defence(cell);
    let name = cell.adversary.name.to_owned();
    let Some(outcome) = outcome else {
        return vec![name, defence, "0".to_owned()];
    };
    let share = outcome.profit_share();
    vec![
        name,
        defence,
        outcome.trials.len().to_string(),
        tao(outcome.profit.mean),
        outcome.profit.ci95.map_or_else(none, tao),
        share.map_or_else(none, |share| format!("{:.3}", share * 100.0)),
        tao(outcome.realisable.mean),
        format!("{}/{}", outcome.paid, outcome.trials.len()),
        outcome.loss.map_or_else(none, |loss| tao(loss.mean)),
        outcome.worst_off().map_or_else(none, |group| group.group.clone()),
        format!("{}/{}", outcome.detected, outcome.trials.len()),
        outcome.epochs.map_or_else(none, |epochs| format!("{:.1}", epochs.mean)),
        format!("{:.3}", false_alarms(outcome)),
        outcome.verdict().pays().to_owned(),
    ]
}

/// False alarms per thousand blocks of both arms together.
fn false_alarms(outcome: &Outcome) -> f64 {
    outcome.false_alarms.iter().sum::<f64>() / 2.0
}

/// What the detector said, in words.
pub fn tell_detection(cell: &Cell, outcome: &Outcome) -> String {
    let epochs = outcome.epochs.map_or_else(String::new, |epochs| match epochs.ci95 {
        Some(half) => format!(", after {:.1} ± {half:.1} epochs", epochs.mean),
        None => format!(", after {:.1} epochs", epochs.mean),
    });
    let [honest, attack] = outcome.false_alarms;
    format!(
        "{} in {} of {} seeds{epochs}; false alarms per 1,000 blocks: {honest:.3} without the attack, \
         {attack:.3} at others with it",
        cell.order.detector,
        outcome.detected,
        outcome.trials.len(),
    )
}

fn none() -> String {
    "–".to_owned()
}

/// The defence of a cell.
pub fn tell_defence(cell: &Cell) -> String {
    let told = cell.defence.as_ref().map(|one| format!("{}={}", one.name, one.value));
    told.unwrap_or_else(|| "as it is".to_owned())
}

/// An amount in TAO, to the sixth decimal where it is small.
pub fn tao(rao: f64) -> String {
    let tao = rao / UNITS_PER_TOKEN as f64;
    match tao.abs() {
        small if small < 1.0 => format!("{tao:.6}"),
        middling if middling < 1_000.0 => format!("{tao:.4}"),
        _ => format!("{tao:.1}"),
    }
}

/// A mean with its interval, in TAO.
pub fn tao_ci(estimate: &Estimate) -> String {
    match estimate.ci95 {
        Some(half) => format!("{} ± {}", tao(estimate.mean), tao(half)),
        None => tao(estimate.mean),
    }
}

fn tell_one(cell: &Cell, outcome: &Outcome) -> String {
    let mut text = String::new();
    let adversary = cell.adversary;
    let mut line = |name: &str, value: String| {
        writeln!(text, "{name:<13}{value}").expect("a text takes every line");
    };
    line(
        "attack",
        format!("{} ({} {})", adversary.name, adversary.role.name(), adversary.behaviour),
    );
    line("instead of", adversary.counterpart.to_owned());
    line("scenario", format!("{}, {} blocks", cell.path.display(), cell.blocks));
    line("attackers", tell_attackers(cell));
    line("seeds", outcome.trials.len().to_string());
    let parted = outcome.parted_at;
    line("first act", parted.map_or_else(|| "none differs".to_owned(), |at| format!("block {at}")));
    let share = outcome.profit_share();
    let share = share.map_or_else(String::new, |share| {
        format!(" ({:+.3} % of what they would have)", share * 100.0)
    });
    line("profit", format!("{} TAO{share}", tao_ci(&outcome.profit)));
    let realisable = Verdict::of(&outcome.realisable).pays();
    line("realisable", format!("{} TAO ({realisable})", tao_ci(&outcome.realisable)));
    line("paid in", format!("{} of {} seeds", outcome.paid, outcome.trials.len()));
    line("verdict", outcome.verdict().pays().to_owned());
    if let Some(figure) = outcome.figures.get(adversary.figure) {
        line("it shows in", tell_figure(adversary.figure, figure));
    }
    line("detector", tell_detection(cell, outcome));
    text.push_str("\nchange for others (TAO)\n");
    let mut table = Table::new();
    table.load_preset(NOTHING).set_header([
        "group",
        "role",
        "mean",
        "± 95 %",
        "realisable",
        "verdict",
    ]);
    for group in &outcome.groups {
        table.add_row([
            group.group.clone(),
            group.role.clone().unwrap_or_else(none),
            tao(group.change.mean),
            group.change.ci95.map_or_else(none, tao),
            tao(group.realisable.mean),
            Verdict::of(&group.change).fares().to_owned(),
        ]);
    }
    for column in [2, 3, 4] {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    writeln!(text, "{table}").expect("a text takes every line");
    let earned = outcome.income.iter().filter(|(_, one)| Verdict::of(one) != Verdict::Same);
    let earned: Vec<String> =
        earned.map(|(source, one)| format!("{source} {}", tao_ci(one))).collect();
    if !earned.is_empty() {
        writeln!(text, "\nchange of their income (TAO): {}", earned.join(", "))
            .expect("a text takes every line");
    }
    text
}

/// The groups that attack, with those of others that belong to them.
pub fn tell_attackers(cell: &Cell) -> String {
    let order = &cell.order;
    let with =
        order.accomplices.iter().map(|one| format!("{} (the first {})", one.group, one.members));
    order.attackers.iter().cloned().chain(with).collect::<Vec<_>>().join(", ")
}

/// A figure of both arms.
pub fn tell_figure(name: &str, figure: &FigureOutcome) -> String {
    let unit = unit(name);
    let number = |estimate: Option<Estimate>| match (estimate, unit) {
        (None, _) => none(),
        (Some(one), "rao") => format!("{} TAO", tao(one.mean)),
        (Some(one), "share") => format!("{:.3} %", one.mean * 100.0),
        (Some(one), "count") => format!("{:.1}", one.mean),
        (Some(one), "alpha units") => format!("{} alpha", tao(one.mean)),
        (Some(one), _) => format!("{:.6} {unit}", one.mean),
    };
    format!("{name}: {} against {}", number(figure.attack), number(figure.honest))
}

/// The attacks and the defences there are.
pub fn tell_list() -> String {
    let mut text = "attacks: `btemu attack NAME`\n".to_owned();
    let mut table = Table::new();
    table.load_preset(NOTHING).set_header(["name", "role", "instead of", "who pays, by design"]);
    for one in ADVERSARIES {
        table.add_row([one.name, one.role.name(), one.counterpart, one.victims]);
    }
    writeln!(text, "{table}\n\ndefences: `--defence NAME=VALUE,…`").expect("a text takes it");
    let mut table = Table::new();
    table.load_preset(NOTHING).set_header(["name", "values", "what"]);
    for one in DEFENCES {
        table.add_row([one.name, one.values, one.about]);
    }
    writeln!(text, "{table}\n\nfigures: what `--json` and the page tell of both runs")
        .expect("a text takes it");
    let mut table = Table::new();
    table.load_preset(NOTHING).set_header(["name", "unit", "what"]);
    for one in FIGURES {
        table.add_row([one.name, one.unit, one.about]);
    }
    writeln!(text, "{table}").expect("a text takes it");
    text
}
