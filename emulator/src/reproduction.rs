//! How a run is made again: the commands, from its scenario or from its own block 0, and through its forks.
//!
//! What belongs here: the one rule behind `btemu reproduce` and the page of a report. What does not: how they show it.

use crate::genesis::snapshot::{files, ships};
use crate::plan::Plan;
use crate::scenario::document::Document;
use protocol::units::Height;
use serde_json::Value;

/// The folder that the last command makes.
pub const AGAIN: &str = "again";

/// What the first command begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start<'a> {
    /// This file, which holds the scenario in full.
    Scenario(&'a str),
    /// Block 0 of the run in this folder. It needs neither the scenario nor the files that the scenario names.
    Run(&'a str),
}

/// A stretch of a run: from where it left another, or genesis, to the next such point.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Stretch {
    /// The last block before it, counted from genesis.
    from: u64,
    /// What is assigned there.
    set: Vec<String>,
}

/// The commands that make a run again up to a block: from its start, then through its forks.
pub fn commands(plan: &Plan, start: Start<'_>, until: Height) -> Vec<String> {
    let genesis = plan.genesis.height;
    let since = |height: Height| height.0.saturating_sub(genesis.0);
    let first = Stretch { from: 0, set: freed(&plan.scenario) };
    // Whoever leaves the run at genesis has the forks that follow genesis at once.
    let is_inherited = |at: Height| matches!(start, Start::Run(_)) && at == genesis;
    let forks = plan.course(until).forks().iter().filter(|fork| !is_inherited(fork.at));
    let forks = forks.map(|fork| Stretch {
        from: since(fork.at),
        set: [&fork.set[..], &freed(&fork.scenario)].concat(),
    });
    let stretches: Vec<Stretch> = std::iter::once(first).chain(forks).collect();
    chained(start, &stretches, since(until))
}

/// A command for each stretch of a run of so many blocks.
fn chained(start: Start<'_>, stretches: &[Stretch], blocks: u64) -> Vec<String> {
    let last = stretches.len() - 1;
    let out = |number: usize| match number == last {
        true => AGAIN.to_owned(),
        false => format!("{AGAIN}-{number}"),
    };
    let commands = stretches.iter().enumerate().map(|(number, stretch)| {
        let beginning = match (number, start) {
            (0, Start::Scenario(file)) => format!("run {}", quoted(file)),
            (0, Start::Run(run)) => format!("fork {} --at +0", quoted(run)),
            _ => format!("fork {} --at +{}", out(number - 1), stretch.from),
        };
        let set = stretch.set.iter().map(|one| format!(" --set {}", quoted(one)));
        let set: String = set.collect();
        let end = stretches.get(number + 1).map_or(blocks, |next| next.from);
        format!("btemu {beginning}{set} --blocks {end} --out {}", out(number))
    });
    commands.collect()
}

/// Assignments that free a run made again from what would hold it up or end it early, and is in no hash: conditions
/// (its length is known), a pace, hosts from outside, an address for metrics that may be taken.
fn freed(scenario: &str) -> Vec<String> {
    let Ok(document) = toml::from_str::<Document>(scenario) else { return Vec::new() };
    let Document { run, metrics, .. } = &document;
    let rows = [
        (!run.until.is_empty(), "run.until=[]"),
        (run.pace != "max", "run.pace=max"),
        (run.await_hosts > 0, "run.await_hosts=0"),
        (run.link != "unix", "run.link=unix"),
        (metrics.address != "off", "metrics.address=off"),
    ];
    rows.into_iter().filter(|(held, _)| *held).map(|(_, free)| free.to_owned()).collect()
}

/// Files that a scenario names and that do not ship with the program.
pub fn own_files(scenario: &str) -> Vec<String> {
    let Ok(mut document) = toml::from_str::<Document>(scenario) else { return Vec::new() };
    let named = files(&mut document).into_iter().map(|(_, name)| name.clone());
    named.filter(|name| !ships(name)).collect()
}

/// The command line that a run was started with, if its operations journal is there.
pub fn started_with(journal: &[Value]) -> Option<String> {
    let started = journal.iter().find(|line| line["kind"] == "started")?;
    let words = started["command"].as_array()?.iter().skip(1).filter_map(Value::as_str);
    let words: Vec<String> = words.map(quoted).collect();
    Some(format!("btemu {}", words.join(" ")))
}

/// A word as a shell takes it.
pub fn quoted(word: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "._-=/:+,%".contains(letter);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stretch(from: u64, set: &[&str]) -> Stretch {
        Stretch { from, set: set.iter().map(|one| (*one).to_owned()).collect() }
    }

    #[test]
    fn a_run_is_made_again_from_its_start_and_through_its_forks() {
        let scenario = Start::Scenario("scenario.toml");
        assert_eq!(
            chained(scenario, &[Stretch::default()], 360),
            ["btemu run scenario.toml --blocks 360 --out again"]
        );
        assert_eq!(
            chained(Start::Run("my runs/7"), &[Stretch::default()], 360),
            ["btemu fork 'my runs/7' --at +0 --blocks 360 --out again"]
        );
        let stretches = [
            stretch(0, &["run.until=[]"]),
            stretch(100, &["rules.version=price", "players.movers.settings={ a = 1 }"]),
            stretch(200, &[]),
        ];
        assert_eq!(
            chained(scenario, &stretches, 360),
            [
                "btemu run scenario.toml --set 'run.until=[]' --blocks 100 --out again-0",
                "btemu fork again-0 --at +100 --set rules.version=price \
                 --set 'players.movers.settings={ a = 1 }' --blocks 200 --out again-1",
                "btemu fork again-1 --at +200 --blocks 360 --out again",
            ]
        );
    }

    #[test]
    fn what_would_hold_a_run_up_is_set_aside() {
        let held = "[run]\nuntil = \"subnets > 5\"\npace = \"10x\"\nlink = \"tcp://127.0.0.1:7\"\n\
                    await_hosts = 1\n[metrics]\naddress = \"127.0.0.1:9464\"\n";
        let free = [
            "run.until=[]",
            "run.pace=max",
            "run.await_hosts=0",
            "run.link=unix",
            "metrics.address=off",
        ];
        assert_eq!(freed(held), free);
        assert_eq!(freed("[run]\nblocks = 7\n"), [""; 0]);
    }

    #[test]
    fn words_are_quoted_where_a_shell_would_take_them_apart() {
        assert_eq!(quoted("run.seed=7"), "run.seed=7");
        assert_eq!(quoted("name=it's $HOME"), r"'name=it'\''s $HOME'");
        assert_eq!(quoted(""), "''");
    }
}
