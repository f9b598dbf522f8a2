//! Drawn scenarios are the same on every machine and are scenarios; planted bugs are found.

use super::draw::Form;
use super::*;
use crate::scenario::{Overrides, read_shown};

#[test]
fn a_seed_draws_one_scenario_and_every_scenario_is_taken() {
    let mut hashes = BTreeSet::new();
    for seed in 0..60 {
        for form in [Form::OneProcess, Form::Processes] {
            let text = scenario_of(seed, None, form);
            assert_eq!(text, scenario_of(seed, None, form), "seed {seed}");
            let scenario = read_shown(&text, &Overrides::default());
            let scenario = scenario.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
            let plan = scenario.plan().unwrap_or_else(|error| panic!("seed {seed}: {error}"));
            hashes.insert(plan.simulation_hash());
        }
    }
    // What strikes below is in no hash, so both forms of a seed are one simulation.
    assert_eq!(hashes.len(), 60);
    let short = read_shown(&scenario_of(1, Some(60), Form::OneProcess), &Overrides::default());
    assert_eq!(short.map(|scenario| scenario.blocks()), Ok(60));
}

/// Seeds in which a planted bug must be found.
#[cfg(feature = "planted")]
const PLANTED_SEEDS: u64 = 40;

/// One process for all: the switch is process-wide, so this is one test.
#[cfg(feature = "planted")]
#[test]
fn each_planted_bug_is_found_by_a_check() {
    let mut rows = Vec::new();
    for name in crate::planted::names() {
        assert!(crate::planted::plant(Some(name)), "{name}");
        let found = (1..=PLANTED_SEEDS).find_map(|seed| {
            let text = scenario_of(seed, None, Form::OneProcess);
            let tried = try_one(&text, Readings::of(seed), &mut Seen::default());
            tried.err().map(|failure| (seed, failure))
        });
        rows.push((name, found));
    }
    crate::planted::plant(None);
    println!("| planted | found by | at seed |\n|---|---|---|");
    for (name, found) in &rows {
        match found {
            Some((seed, failure)) => println!("| `{name}` | `{}` | {seed} |", failure.check),
            None => println!("| `{name}` | – | – |"),
        }
    }
    let missed: Vec<&str> =
        rows.iter().filter(|(_, found)| found.is_none()).map(|(name, _)| *name).collect();
    assert!(missed.is_empty(), "no check finds {missed:?} within {PLANTED_SEEDS} seeds");
}
