//! `btemu swarm`: a few seeds hold, a failure is told with everything that repeats it, and wrong usage is one sentence.

use crate::program::{folder, json, number, say};

#[test]
fn a_few_seeds_hold_with_and_without_processes() {
    let folder = folder();
    let swarm = ["swarm", "--seeds", "1..8", "--with-processes", "1", "--json"];
    let told = json(folder.path(), &swarm);
    assert_eq!(number(&told, "tried"), 9, "{told}");
    assert_eq!((number(&told, "passed"), told["failed"].as_array()), (9, Some(&vec![])), "{told}");
    let fired = told["faults"].as_object().expect("classes");
    assert!(fired.len() >= 6, "{told}");
    assert!(told["behaviours"].as_array().is_some_and(|played| played.len() >= 15), "{told}");
    assert!(!folder.path().join("swarm-failures").exists());
}

/// A subnet with a limit that its groups exceed is no scenario: whatever a trial finds wrong is told the same way.
#[test]
fn a_failure_is_told_with_its_command() {
    let folder = folder();
    let text = "[run]\nblocks = 9\n[rules]\nsubnet_limit = 1\n[[subnet]]\ncount = 2\n";
    std::fs::write(folder.path().join("two.toml"), text).expect("writable");
    let said = say(folder.path(), &["swarm", "--scenario", "two.toml", "--json"]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.stdout.contains("\"check\":\"scenarios_are_taken\""), "{said:?}");
    assert!(said.stderr.contains("btemu swarm --scenario two.toml"), "{said:?}");
}

#[test]
fn wrong_usage_is_one_sentence() {
    let folder = folder();
    let rows: &[(&[&str], &str)] = &[
        (&[], "--seeds"),
        (&["--seeds", "7"], "seeds are a range with both its ends"),
        (&["--seeds", "9..7"], "ends before it begins"),
        (&["--seeds", "1..2", "--blocks", "1"], "--blocks"),
        (&["--seeds", "1..2", "--jobs", "0"], "--jobs"),
        (&["--seeds", "1..2", "--scenario", "x.toml"], "--scenario"),
        (&["--scenario", "none.toml"], "cannot read the scenario none.toml"),
    ];
    for (arguments, word) in rows {
        let said = say(folder.path(), &[&["swarm"][..], arguments].concat());
        assert!(said.code == 2 && said.stderr.contains(word), "no {word:?} in {said:?}");
    }
}
