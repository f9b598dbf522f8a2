//! `btemu attack`: both arms of a trial are what they should be, and attacks pay or not where theory says so.

use crate::bad_input::check;
use crate::program::{folder, json, number, root, say, text};
use serde_json::Value;
use std::fs;
use std::path::Path;

/// One cell of what a command found.
fn cell(found: &Value, at: usize) -> &Value {
    &found["cells"][at]
}

fn attack(folder: &Path, arguments: &[&str]) -> Value {
    json(folder, &[&["attack"], arguments, &["--json"]].concat())
}

/// A figure's mean in one arm.
fn mean(cell: &Value, figure: &str, arm: &str) -> f64 {
    let mean = &cell["figures"][figure][arm]["mean"];
    mean.as_f64().unwrap_or_else(|| panic!("no {figure} of {arm}: {cell}"))
}

fn profit(cell: &Value) -> i64 {
    cell["profit"]["mean_rao"].as_i64().unwrap_or_else(|| panic!("no profit: {cell}"))
}

#[test]
fn all_attacks_are_listed_run_and_told() {
    let folder = folder();
    let listed = json(folder.path(), &["attack", "list", "--json"]);
    let attacks = listed["attacks"].as_array().expect("attacks");
    assert_eq!(attacks.len(), 26, "the adversaries of docs/players.md, and pump and treasury");
    let page = fs::read_to_string(root().join("docs/attacks.md")).expect("it is there");
    for list in ["attacks", "defences", "figures"] {
        for one in listed[list].as_array().expect("a list") {
            let name = text(one, "name");
            assert!(page.contains(&format!("`{name}`")), "docs/attacks.md does not name {name}");
        }
    }
    let arguments = ["all", "--seeds", "1", "--blocks", "60", "--out", "out"];
    let found = attack(folder.path(), &arguments);
    let cells = found["cells"].as_array().expect("cells");
    assert_eq!(cells.len(), attacks.len());
    for (cell, listed) in cells.iter().zip(attacks) {
        assert_eq!(text(cell, "attack"), text(listed, "name"));
        assert_eq!(number(cell, "seeds"), 1, "{cell}");
        let course = cell["course"].as_array().expect("a course");
        let last = course.last().expect("points");
        assert_eq!((course.len(), number(last, "block")), (61, 60));
        assert_eq!(last["mean_rao"], cell["profit"]["mean_rao"], "{cell}");
        assert_eq!(course[0]["mean_rao"], 0, "both begin with the same");
        let groups = cell["groups"].as_array().expect("groups");
        assert_eq!(text(groups.last().expect("others"), "group"), "everybody else");
        assert!(cell["detection"]["of"] == 1 && cell["verdict"].is_string(), "{cell}");
    }
    let written = fs::read_to_string(folder.path().join("out/attack.json")).expect("it is there");
    let written: Value = serde_json::from_str(&written).expect("an object");
    assert_eq!(written, found);
    let page = fs::read_to_string(folder.path().join("out/attack.html")).expect("it is there");
    assert_eq!(page.matches("<svg ").count(), 2 * attacks.len());
    let outside = ["src=", "href=", "url(", "@import", "<script"];
    assert!(outside.iter().all(|word| !page.contains(word)), "it needs nothing from elsewhere");
}

/// The two arms are those of two runs, and agree until the first block that `diff` finds.
#[test]
fn arms_are_runs_that_agree_until_the_first_different_act() {
    let folder = folder();
    let scenario = root().join("configs/attacks/dump-whale.toml").display().to_string();
    let set = "players.whale.settings.dump_after_blocks=100";
    let found =
        attack(folder.path(), &["dump-whale", "--seeds", "3..3", "--blocks", "120", "--set", set]);
    let arm = |out: &str, more: &[&str]| {
        let arguments = ["run", &scenario, "--seed", "3", "--blocks", "120", "--processes", "0"];
        json(folder.path(), &[&arguments[..], &["--out", out, "--json"], more].concat())
    };
    arm("attack", &["--set", set]);
    arm("honest", &["--set", "players.whale.settings.dump_after_blocks=1000000000000"]);
    let parted = say(folder.path(), &["diff", "attack", "honest", "--json"]);
    assert_eq!(parted.code, 1, "they differ: {parted:?}");
    let parted: Value = serde_json::from_str(&parted.stdout).expect("an object");
    let block = number(&parted, "first_block");
    assert_eq!(number(cell(&found, 0), "first_difference_block"), block);
    assert!((100..=103).contains(&block), "it acts when it sells: {block}");
    // Before it sells nothing differs, and the course says so.
    for point in cell(&found, 0)["course"].as_array().expect("a course") {
        assert_eq!(number(point, "block") < block, point["mean_rao"] == 0, "{point}");
    }
}

/// The guarantee of Yuma's consensus, in a whole network: a minority of 40 % keeps its share of the stake only where the
/// honest majority gives its miners much.
#[test]
fn a_cabal_loses_stake_share_at_high_honest_utility_and_gains_it_at_low() {
    let folder = folder();
    let share = |set: &[&str]| {
        let arguments = ["cabal", "--seeds", "2", "--blocks", "1200"];
        let found = attack(folder.path(), &[&arguments[..], set].concat());
        let cell = cell(&found, 0).clone();
        (mean(&cell, "stake_share", "attack"), mean(&cell, "stake_share", "honest"), cell)
    };
    let (high, honest, cell) = share(&[]);
    assert!(high < honest, "{high} against {honest}");
    assert!(profit(&cell) < 0, "the honest give its miners nothing: {cell}");
    assert_eq!(text(&cell, "verdict"), "does not pay");
    // Four accomplices as good as four others: the honest give them half.
    let (low, honest, cell) = share(&[
        "--set",
        "players.accomplices.settings.mean_ppm=700000",
        "--set",
        "players.miners.count=4",
    ]);
    assert!(low > honest, "{low} against {honest}");
    assert!(profit(&cell) > 0, "{cell}");
    let incentive = |arm| mean(&cell, "incentive_share", arm);
    assert!(incentive("attack") > incentive("honest"), "{cell}");
}

/// While miners change, what is copied under commit-reveal is old.
#[test]
fn commit_reveal_lowers_what_a_copier_gains_while_miners_change() {
    let folder = folder();
    let arguments = ["weight-copier", "--seeds", "2", "--blocks", "1600"];
    let defences = ["--defence", "commit-reveal=timelocked", "--defence", "reveal-period=4"];
    let found = attack(folder.path(), &[&arguments[..], &defences].concat());
    let gains: Vec<f64> = (0..3)
        .map(|at| {
            let cell = cell(&found, at);
            mean(cell, "dividend_yield", "attack") - mean(cell, "dividend_yield", "honest")
        })
        .collect();
    assert_eq!(cell(&found, 0)["defence"], Value::Null);
    assert_eq!(text(&cell(&found, 2)["defence"], "value"), "4");
    assert!(gains[1] < gains[0], "sealed rows make it worse off: {gains:?}");
    assert!(gains[2] < gains[0], "and rows sealed for longer, too: {gains:?}");
    assert_eq!(mean(cell(&found, 0), "queries", "attack"), 0.0);
    assert!(mean(cell(&found, 0), "queries", "honest") > 0.0);
}

/// What selling all of it brings in the end, and the emission while it sells: a high price was paid for by emission once.
#[test]
fn a_treasury_pays_when_emission_follows_the_price_and_not_when_it_follows_flow() {
    let folder = folder();
    let arguments = ["pump-and-treasury", "--seeds", "2", "--defence", "rules=price"];
    let found = attack(folder.path(), &arguments);
    let realisable = |at: usize| {
        let mean = &cell(&found, at)["profit_realisable"]["mean_rao"];
        mean.as_i64().unwrap_or_else(|| panic!("{found}"))
    };
    let (taoflow, price) = (realisable(0), realisable(1));
    assert!(price > 0 && taoflow < 0, "{price} by price, {taoflow} by flow");
    let shares = [0, 1].map(|at| mean(cell(&found, at), "emission_share", "attack"));
    assert!(shares[1] > 1.3 * shares[0], "sales are outflow, which ends the emission: {shares:?}");
}

#[test]
fn people_read_what_it_gained_and_who_paid() {
    let folder = folder();
    let arguments = ["attack", "dump-whale", "--seeds", "2", "--blocks", "1300"];
    let said = say(folder.path(), &arguments);
    assert_eq!(said.code, 0, "{said:?}");
    for word in ["instead of", "block 1201", "profit", "does not pay", "whale", "change for others"]
    {
        assert!(said.stdout.contains(word), "no {word:?} in {said:?}");
    }
    let said = say(folder.path(), &["attack", "list"]);
    for word in ["weight-copier", "commit-reveal", "off, hash, timelocked", "dividend_yield"] {
        assert!(said.stdout.contains(word), "no {word:?} in {said:?}");
    }
}

#[test]
fn wrong_usage_is_one_sentence_with_its_remedy() {
    let folder = folder();
    let quickstart = root().join("configs/quickstart.toml").display().to_string();
    let rows: &[(&[&str], &[&str])] = &[
        (&["cable"], &["no attack \"cable\"", "\"cabal\""]),
        (&["cabal", "--defence", "kapa=0.5"], &["no defence \"kapa\"", "\"kappa\""]),
        (&["cabal", "--defence", "kappa=2"], &["no value of kappa", "0 to 1"]),
        (&["cabal", "--set", "players.cabals.count=2"], &["--set players.cabals.count=2", "cabal"]),
        (&["cabal", "--set", "run.blocks"], &["no = in it", "run.blocks=100"]),
        (&["cabal", "--blocks", "0"], &["no blocks"]),
        (&["cabal", "--scenario", &quickstart], &["no group", "\"cabal\"", "without --scenario"]),
        (&["cabal", "--scenario", "nowhere.toml"], &["nowhere.toml"]),
        (&["all", "--scenario", &quickstart], &["goes with one attack"]),
    ];
    for (arguments, words) in rows {
        let said = say(folder.path(), &[&["attack"], *arguments].concat());
        check(&said, 2, words);
    }
    for seeds in ["0", "8..3", "x"] {
        let said = say(folder.path(), &["attack", "cabal", "--seeds", seeds]);
        assert_eq!(said.code, 2, "{said:?}");
    }
}
