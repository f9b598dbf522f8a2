//! `btemu attack`: attacks against their honest counterparts.
//!
//! What belongs here: what users type and read. What does not: the trials and what they say (`attack`, docs/attacks.md).

use super::ordering::scenario_failure;
use super::{Failure, print, print_json};
use crate::arm::FIGURES;
use crate::attack::adversary::Adversary;
use crate::attack::catalogue::{ADVERSARIES, find};
use crate::attack::defence::{self, Chosen, DEFENCES};
use crate::attack::output::{self, Report};
use crate::attack::page;
use crate::attack::trial::{Pairs, Trials, Wanted};
use crate::export::{ExportError, Target};
use crate::likeness::meant;
use crate::logging::LogFormat;
use crate::parallel::cores;
use crate::progress::Showing;
use crate::run::signals::Asked;
use crate::scenario::Overlay;
use crate::sweep::bar::Bar;
use crate::sweep::local::{self, Made};
use crate::sweep::pool::Pool;
use crate::telling::tell_talk;
use serde::Serialize;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// What names all attacks.
const ALL: &str = "all";
/// What lists them.
const LIST: &str = "list";
/// Seeds of one command at most.
const SEEDS_MAX: u64 = 1_000;

/// `btemu attack`
#[derive(Debug, clap::Args)]
pub struct AttackArguments {
    /// The attack, `all` of them, or `list` to name them and the defences.
    name: String,
    /// Another scenario than the attack's own; it has a group with the attack's behaviour.
    #[arg(long, value_name = "FILE")]
    scenario: Option<PathBuf>,
    /// So many seeds from 1 on, or all from A to B.
    #[arg(long, value_name = "N|A..B", default_value = "5")]
    seeds: Seeds,
    /// Blocks of each run [default: the scenario's].
    #[arg(long, value_name = "N")]
    blocks: Option<u64>,
    /// Set a value of the scenario, in both runs of each seed.
    #[arg(long = "set", value_name = "PATH=VALUE")]
    set: Vec<String>,
    /// Compare the scenario as it is with these values of a defence; `list` names them.
    #[arg(long = "defence", value_name = "D=V,V…")]
    defences: Vec<String>,
    /// Runs at once, a process each [default: the machine's cores].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: Option<u16>,
    /// Write attack.json and attack.html there; what is there of these names is replaced.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Seeds of a command, both ends among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seeds {
    first: u64,
    last: u64,
}

impl FromStr for Seeds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let seeds = match text.split_once("..") {
            Some((first, last)) => first.parse().ok().zip(last.parse().ok()),
            None => text.parse().ok().map(|count| (1, count)),
        };
        let (first, last): (u64, u64) = seeds.ok_or_else(|| {
            "seeds are a number of them, or a range with both its ends, as in 1..8".to_owned()
        })?;
        match last.checked_sub(first) {
            Some(more) if more < SEEDS_MAX => Ok(Self { first, last }),
            Some(_) => Err(format!("they are more than {SEEDS_MAX}")),
            None => Err(format!("{text} are none")),
        }
    }
}

/// Lists attacks, or makes the trials of some and tells what they say.
pub fn run(arguments: &AttackArguments, log_format: LogFormat) -> Result<(), Failure> {
    if arguments.name == LIST {
        return list(arguments.json);
    }
    let showing = Showing::unless_json(arguments.json);
    let trials = load(arguments)?;
    let out = arguments.out.as_deref().map(Files::begin).transpose()?;
    let bar = Bar::new(trials.count() as u64, trials.blocks_total(), showing);
    let made = make(arguments, &trials, &bar, log_format.name());
    bar.finish();
    let (pairs, made) = made?;
    let report = Report::new(&trials, &pairs);
    if arguments.json {
        print_json(&report.told)?;
    } else {
        print(&output::tell(&report))?;
    }
    if let Some(files) = out {
        files.write(&report)?;
    }
    told(&made, trials.count())
}

/// Whether all runs were made.
fn told(made: &Made, of: usize) -> Result<(), Failure> {
    match made.failed.first() {
        Some((_, why)) => {
            let what = format!("{} of {of} runs failed: {why}", made.failed.len());
            Err(Failure::failed(what, None))
        }
        None if made.is_stopped => {
            let missing = of as u64 - made.done;
            let what = format!("stopped: {missing} of {of} runs are not made");
            Err(Failure::failed(what, Some("what is told is of those that are".to_owned())))
        }
        None => Ok(()),
    }
}

/// The trials that are asked for, checked.
fn load(arguments: &AttackArguments) -> Result<Trials, Failure> {
    let adversaries: Vec<&'static Adversary> = match arguments.name.as_str() {
        ALL => ADVERSARIES.iter().collect(),
        name => vec![find(name).ok_or_else(|| unknown(name))?],
    };
    if adversaries.len() > 1 && arguments.scenario.is_some() {
        let hint = "without --scenario each attack has its own".to_owned();
        return Err(Failure::usage("--scenario goes with one attack", Some(hint)));
    }
    let mut defences: Vec<Chosen> = Vec::new();
    for text in &arguments.defences {
        let chosen =
            defence::read(text).map_err(|(what, hint)| Failure::usage(what, Some(hint)))?;
        for one in chosen {
            if !defences.contains(&one) {
                defences.push(one);
            }
        }
    }
    let mut overlays = Vec::new();
    for assignment in &arguments.set {
        let (path, value) = assignment.split_once('=').ok_or_else(|| {
            let hint = "write --set run.blocks=100".to_owned();
            Failure::usage(format!("--set {assignment}: there is no = in it"), Some(hint))
        })?;
        let origin = format!("--set {assignment}");
        overlays.push(Overlay { path: path.trim().to_owned(), text: value.to_owned(), origin });
    }
    if let Some(blocks) = arguments.blocks {
        let origin = format!("--blocks {blocks}");
        overlays.push(Overlay { path: "run.blocks".to_owned(), text: blocks.to_string(), origin });
    }
    let wanted = Wanted {
        adversaries,
        scenario: arguments.scenario.clone(),
        seeds: (arguments.seeds.first..=arguments.seeds.last).collect(),
        overlays,
        defences,
    };
    Trials::load(wanted).map_err(scenario_failure)
}

fn unknown(name: &str) -> Failure {
    let names = ADVERSARIES.iter().map(|adversary| adversary.name);
    let names: Vec<&str> = names.chain([ALL, LIST]).collect();
    Failure::usage(format!("there is no attack {name:?}"), Some(meant(name, &names)))
}

/// Makes all runs, each in a process and a folder of its own that go with it.
fn make(
    arguments: &AttackArguments,
    trials: &Trials,
    bar: &Bar,
    log_format: &'static str,
) -> Result<(Pairs, Made), Failure> {
    let failed = |what: String| Failure::failed(what, None);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| failed(format!("cannot make a runtime: {error}")))?;
    let below = tempfile::tempdir();
    let below = below.map_err(|error| failed(format!("cannot make a folder: {error}")))?;
    let mut pairs = Pairs::default();
    let made = runtime.block_on(async {
        let mut asked = Asked::listen().map_err(|error| failed(error.to_string()))?;
        let pool = Pool::open(below.path(), log_format);
        let pool = pool.map_err(|error| failed(error.to_string()))?;
        let at_once = arguments.jobs.map_or_else(cores, usize::from);
        let keep = |number, result| pairs.take(trials, number, result);
        let numbers = (0..trials.count()).collect();
        let made = local::make(trials, numbers, &pool, at_once, keep, bar, &mut asked).await;
        made.map_err(failed)
    })?;
    Ok((pairs, made))
}

/// Files that a command writes.
#[derive(Debug)]
struct Files {
    json: Target,
    page: Target,
}

impl Files {
    /// What cannot be written is told before the work, not after it.
    fn begin(folder: &Path) -> Result<Self, Failure> {
        let unmakable =
            |error| Failure::failed(format!("cannot make {}: {error}", folder.display()), None);
        std::fs::create_dir_all(folder).map_err(unmakable)?;
        let target = |name: &str| Target::replacing(&folder.join(name)).map_err(export_failure);
        Ok(Self { json: target("attack.json")?, page: target("attack.html")? })
    }

    fn write(self, report: &Report) -> Result<(), Failure> {
        let json = serde_json::to_string(&report.told).expect("a report is plain data");
        let page = page::page(report).map_err(|error| Failure::failed(error, None))?;
        keep(self.json, &format!("{json}\n"))?;
        keep(self.page, &page)
    }
}

fn keep(mut target: Target, text: &str) -> Result<(), Failure> {
    let mut output = target.begin("").map_err(export_failure)?;
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

#[derive(Serialize)]
struct List {
    attacks: Vec<ListedAttack>,
    defences: Vec<ListedDefence>,
    figures: Vec<ListedFigure>,
}

#[derive(Serialize)]
struct ListedFigure {
    name: &'static str,
    unit: &'static str,
    about: &'static str,
}

#[derive(Serialize)]
struct ListedAttack {
    name: &'static str,
    role: &'static str,
    behaviour: &'static str,
    counterpart: &'static str,
    victims: &'static str,
    scenario: String,
    figure: &'static str,
}

#[derive(Serialize)]
struct ListedDefence {
    name: &'static str,
    values: &'static str,
    about: &'static str,
}

fn list(json: bool) -> Result<(), Failure> {
    if json {
        let attacks = ADVERSARIES.iter().map(|one| ListedAttack {
            name: one.name,
            role: one.role.name(),
            behaviour: one.behaviour,
            counterpart: one.counterpart,
            victims: one.victims,
            scenario: one.scenario(),
            figure: one.figure,
        });
        let defences = DEFENCES.iter().map(|one| ListedDefence {
            name: one.name,
            values: one.values,
            about: one.about,
        });
        let figures = FIGURES.iter().map(|one| ListedFigure {
            name: one.name,
            unit: one.unit,
            about: one.about,
        });
        return print_json(&List {
            attacks: attacks.collect(),
            defences: defences.collect(),
            figures: figures.collect(),
        });
    }
    print(&output::tell_list())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_a_number_or_a_range() {
        let rows = [
            ("5", Some((1, 5))),
            ("1", Some((1, 1))),
            ("3..8", Some((3, 8))),
            ("7..7", Some((7, 7))),
            ("1..1000", Some((1, 1_000))),
            ("0", None),
            ("8..3", None),
            ("1..1001", None),
            ("1..", None),
            ("five", None),
            ("-1", None),
        ];
        for (text, expected) in rows {
            let seeds = text.parse::<Seeds>().ok();
            assert_eq!(seeds.map(|seeds| (seeds.first, seeds.last)), expected, "{text:?}");
        }
    }
}
