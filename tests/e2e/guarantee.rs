//! `btemu guarantee`: what it prints and writes, and what it refuses.

use crate::bad_input::check;
use crate::program::{folder, json, number, say};
use serde_json::Value;
use std::fs;
use std::path::Path;

/// Small enough for a test, with a cabal that gains and loses.
const SMALL: [&str; 9] = [
    "guarantee",
    "--honest-stake",
    "0.6,0.8",
    "--uids",
    "64",
    "--validators",
    "16",
    "--points",
    "11",
];

fn with<'a>(more: &[&'a str]) -> Vec<&'a str> {
    SMALL.iter().copied().chain(more.iter().copied()).collect()
}

fn figures(value: &Value) -> Vec<f64> {
    let list = value.as_array().unwrap_or_else(|| panic!("no list: {value}"));
    list.iter().map(|figure| figure.as_f64().expect("a number")).collect()
}

fn read(folder: &Path, file: &str) -> String {
    fs::read_to_string(folder.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

#[test]
fn the_object_holds_maps_contours_and_what_is_required() {
    let folder = folder();
    let told = json(folder.path(), &with(&["--json"]));
    assert_eq!(number(&told, "epochs"), 2 * 11 * 11);
    assert_eq!(number(&told["settings"], "kappa_u16"), 32_767);
    assert_eq!(figures(&told["honest_utility"]).len(), 11);
    let retentions = told["retentions"].as_array().expect("a list");
    assert_eq!(retentions.len(), 2);
    let mut before = 0.0;
    for (retention, stake) in retentions.iter().zip([0.6, 0.8]) {
        assert_eq!(retention["honest_stake"].as_f64(), Some(stake));
        let required = retention["required_honest_utility"].as_f64().expect("one suffices");
        assert!(required > before && required > stake - 0.05 && required < 1.0, "{required}");
        before = required;
        let rows = retention["honest_emission"].as_array().expect("a row per honest utility");
        let least = figures(&retention["least_honest_emission"]);
        assert_eq!((rows.len(), least.len()), (11, 11));
        for (number, (row, least)) in rows.iter().zip(&least).enumerate() {
            let row = figures(row);
            let smallest = row.iter().copied().fold(f64::INFINITY, f64::min);
            assert!((smallest - least).abs() < 1e-9, "{number}: {row:?} {least}");
            // From the required utility on nothing is lost.
            if number as f64 / 10.0 >= required {
                assert!(smallest >= stake - 1e-6, "{number}: {smallest}");
            }
        }
        let contour = retention["contour"].as_array().expect("lines");
        let places = contour.iter().flat_map(|line| line.as_array().expect("a line"));
        let rightmost = places.map(|place| figures(place)[0]).fold(0.0, f64::max);
        assert!((rightmost - required).abs() < 1e-9, "{rightmost} {required}");
    }
    assert_eq!(told, json(folder.path(), &with(&["--json", "--jobs", "1"])), "one thread");
}

#[test]
fn the_table_has_a_row_per_stake_and_no_line_that_is_talk() {
    let folder = folder();
    let said = say(folder.path(), &with(&["--samples", "2"]));
    assert_eq!(said.code, 0, "{said:?}");
    for words in ["honest stake", "required utility", "± 95 %", "least at 0.9"] {
        assert!(said.stdout.contains(words), "no {words:?} in {said:?}");
    }
    for stake in ["0.6", "0.8"] {
        let row = said.stdout.lines().find(|line| line.trim_start().starts_with(stake));
        let cells = row.unwrap_or_else(|| panic!("no {stake}: {said:?}")).split_whitespace();
        assert_eq!(cells.filter(|cell| cell.parse::<f64>().is_ok()).count(), 10, "{row:?}");
    }
    assert!(said.stderr.contains("484 epochs in "), "{said:?}");
}

#[test]
fn files_are_what_their_ends_say() {
    let folder = folder();
    for file in ["map.svg", "map.csv", "map.json"] {
        let said = say(folder.path(), &with(&["--out", file]));
        assert_eq!(said.code, 0, "{said:?}");
    }
    let svg = read(folder.path(), "map.svg");
    let document = roxmltree::Document::parse(&svg).expect("well-formed");
    let texts: Vec<&str> = document.descendants().filter_map(|node| node.text()).collect();
    let says = |words: &str| texts.iter().any(|text| text.contains(words));
    for words in ["Retention lines", "Honest self-weight", "Cabal's self-weight", "0.6", "0.8"] {
        assert!(says(words), "no {words:?} in {texts:?}");
    }
    let lines = document.descendants().filter(|node| node.has_tag_name("polyline")).count();
    assert!(lines >= 4, "two lines and two of the legend, not {lines}");
    let table = read(folder.path(), "map.csv");
    let header: Vec<&str> = table.lines().next().expect("a header").split(',').collect();
    assert_eq!(table.lines().count(), 1 + 2 * 11 * 11);
    let told: Value = serde_json::from_str(&read(folder.path(), "map.json")).expect("an object");
    assert_eq!(told, json(folder.path(), &with(&["--json"])));
    // The shares follow from the amounts beside them.
    for row in table.lines().skip(1) {
        let cell = |name: &str| {
            let at = header.iter().position(|column| *column == name).expect("a column");
            row.split(',').nth(at).expect("a cell").parse::<f64>().expect("a number")
        };
        let miners = cell("honest_server_rao") / cell("server_rao");
        let validators = cell("honest_validator_rao") / cell("validator_rao");
        let share = (miners + validators) / 2.0;
        assert!((cell("honest_emission") - share).abs() < 1e-9, "{row}");
    }
}

#[test]
fn copiers_and_epochs_are_told() {
    let folder = folder();
    let more = ["--epochs", "4", "--copiers", "0.25", "--reveal-epochs", "1", "--drift", "0.1"];
    let told = json(folder.path(), &with(&[&more[..], &["--json", "--measured", "mean"]].concat()));
    let retention = &told["retentions"][0];
    // Nine of 16 validators are honest.
    assert_eq!((number(retention, "honest_validators"), number(retention, "copiers")), (9, 2));
    assert!(retention["copier_yield"].as_f64().is_some_and(|found| found > 0.0), "{retention}");
    let said = say(folder.path(), &with(&more));
    assert!(said.stdout.contains("copiers' yield"), "{said:?}");
}

#[test]
fn wrong_arguments_are_named_before_any_work() {
    let folder = folder();
    let rows: &[(&[&str], &[&str])] = &[
        (&["--kappa", "1.5"], &["--kappa", "1.5", "decimal from 0 to 1"]),
        (&["--kappa", "-0.5"], &["-0"]),
        (&["--honest-stake", "0.6;0.7"], &["--honest-stake", "decimal"]),
        (&["--honest-stake", "1"], &["--honest-stake 1", "hint:", "below 1"]),
        (&["--weights-stddev", "11"], &["--weights-stddev", "from 0 to 10"]),
        (&["--samples", "0"], &["--samples", "1..=100"]),
        (&["--points", "1"], &["--points", "2..=501"]),
        (&["--uids", "64", "--validators", "63"], &["--validators 63", "hint:", "--uids"]),
        (&["--copiers", "0.2"], &["--epochs 1", "hint:", "--epochs 2"]),
        (&["--reveal-epochs", "2"], &["--reveal-epochs 2", "--copiers"]),
        (&["--measured", "first"], &["first", "last", "mean"]),
        (&["--out", "map.png"], &["map.png", "hint:", "FILE.svg"]),
        (&["--out", "map"], &["map", "FILE.csv"]),
    ];
    for (arguments, words) in rows {
        let arguments = [&["guarantee"], *arguments].concat();
        check(&say(folder.path(), &arguments), 2, words);
    }
    fs::write(folder.path().join("map.svg"), "mine").expect("writable");
    check(&say(folder.path(), &with(&["--out", "map.svg"])), 1, &["map.svg", "hint:"]);
    assert_eq!(read(folder.path(), "map.svg"), "mine");
    check(&say(folder.path(), &with(&["--out", "nowhere/map.svg"])), 1, &["nowhere/map.svg"]);
}
