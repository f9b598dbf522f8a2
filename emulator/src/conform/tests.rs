//! The golden cases pass, and nothing passes by accident.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::*;

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/epoch").join(name)
}

#[test]
fn every_golden_epoch_is_reproduced() {
    let results = run_paths(&[golden("")]).unwrap();
    let failed: Vec<_> = results.iter().filter(|result| !result.passed()).collect();
    assert!(failed.is_empty(), "{failed:#?}");

    let epochs = |result: &CaseResult| {
        let case = read_case(&result.path).unwrap();
        case.get("epochs").map_or(1, |epochs| epochs.as_array().unwrap().len())
    };
    let epochs: usize = results.iter().map(epochs).sum();
    assert!(results.len() >= 146 && epochs > 250, "{} cases, {epochs} epochs", results.len());
}

#[test]
fn every_golden_emission_is_reproduced() {
    check_all("emission", 87);
}

#[test]
fn every_golden_pool_is_reproduced() {
    check_all("amm", 43);
}

#[test]
fn every_golden_registry_is_reproduced() {
    check_all("registry", 23);
}

/// All cases of a folder pass, and there are at least so many.
fn check_all(folder: &str, cases_min: usize) {
    let results = run_paths(&[golden("..").join(folder)]).unwrap();
    let failed: Vec<_> = results.iter().filter(|result| !result.passed()).collect();
    assert!(failed.is_empty(), "{} of {}: {failed:#?}", failed.len(), results.len());
    assert!(results.len() >= cases_min, "{} cases", results.len());
}

#[test]
fn every_golden_chain_is_reproduced() {
    check_all("chain", 20);
}

#[test]
fn every_golden_random_run_is_reproduced() {
    check_all("random", 30);
}

#[test]
fn every_golden_large_run_is_reproduced() {
    check_all("scale", 1);
}

/// Folders of golden cases.
const FOLDERS: [&str; 7] = ["amm", "chain", "emission", "epoch", "random", "registry", "scale"];

#[test]
fn one_flipped_digit_fails_a_case_of_any_folder() {
    let mut folders = fs::read_dir(golden(".."))
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.file_type().unwrap().is_dir())
        .map(|entry| entry.file_name().into_string().unwrap())
        // Golden logs are not the chain's cases.
        .filter(|folder| folder != "log")
        .collect::<Vec<_>>();
    folders.sort();
    assert_eq!(folders, FOLDERS);

    for folder in FOLDERS {
        for result in run_paths(&[golden("..").join(folder)]).unwrap() {
            let case = read_case(&result.path).unwrap();
            let count = digits_of(&mut case.clone()).len();
            assert!(count > 0, "{folder} {} expects no number", result.name);
            for index in [0, count / 2, count - 1] {
                let mut wrong = case.clone();
                flip_digit(digits_of(&mut wrong).swap_remove(index));
                assert_ne!(check(&wrong), [""; 0], "{folder} {}, number {index}", result.name);
            }
        }
    }
}

/// All numbers that a case expects, also those written as strings.
fn digits_of(case: &mut Value) -> Vec<&mut Value> {
    fn collect<'a>(value: &'a mut Value, into: &mut Vec<&'a mut Value>) {
        match value {
            Value::Object(fields) => fields.values_mut().for_each(|field| collect(field, into)),
            Value::Array(items) => items.iter_mut().for_each(|item| collect(item, into)),
            Value::String(text) if !text.ends_with(|last: char| last.is_ascii_digit()) => {}
            Value::String(_) | Value::Number(_) => into.push(value),
            Value::Bool(_) | Value::Null => {}
        }
    }
    let mut found = Vec::new();
    for (key, value) in case.as_object_mut().unwrap() {
        match key.as_str() {
            "expected" => collect(value, &mut found),
            "epochs" => value
                .as_array_mut()
                .unwrap()
                .iter_mut()
                .for_each(|epoch| collect(&mut epoch["expected"], &mut found)),
            _ => {}
        }
    }
    found
}

/// Adds one to the last digit, nine becoming nought.
fn flip_digit(value: &mut Value) {
    let flipped = |digits: &str| {
        let (rest, last) = digits.split_at(digits.len() - 1);
        format!("{rest}{}", (last.parse::<u8>().unwrap() + 1) % 10)
    };
    *value = match &*value {
        Value::String(digits) => Value::String(flipped(digits)),
        number => serde_json::from_str(&flipped(&number.to_string())).unwrap(),
    };
}

/// A small case that passes.
fn case() -> Value {
    let case = read_case(&golden("tiny-002.json.gz")).unwrap();
    assert_eq!(check(&case), [""; 0]);
    case
}

/// A small sequence that passes.
fn sequence() -> Value {
    let case = read_case(&golden("seq-001.json.gz")).unwrap();
    assert_eq!(check(&case), [""; 0]);
    case
}

fn changed(mut case: Value, pointer: &str, value: Value) -> Value {
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    match case.pointer_mut(parent).unwrap() {
        Value::Object(fields) => drop(fields.insert(key.to_string(), value)),
        Value::Array(items) => items[key.parse::<usize>().unwrap()] = value,
        other => panic!("{other} has no parts"),
    }
    case
}

fn without(mut case: Value, parent: &str, key: &str) -> Value {
    case.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(key).unwrap();
    case
}

#[test]
fn one_wrong_thing_fails_a_case() {
    let unpermitted = json!([[0, 1]]);
    let rows = [
        (
            changed(case(), "/expected/dividends/5", json!(10_210)),
            "expected.dividends[5]: expected 10210, found 10219",
        ),
        (
            changed(case(), "/expected/bonds/6/2/1", json!(49_465)),
            "expected.bonds[6][2][1]: expected 49465, found 49464",
        ),
        (
            changed(case(), "/expected/bonds/0", unpermitted),
            "expected.bonds[0]: expected 1 values, found 0",
        ),
        (
            changed(case(), "/expected/active/0", json!(1)),
            "expected.active[0]: expected 1, found true",
        ),
        (
            changed(case(), "/expected/incentive/0", json!(16_610.0)),
            "expected.incentive[0]: expected 16610.0, found 16610",
        ),
        (
            changed(case(), "/raw_i32f32/dividends/6", json!(1_063_648_819)),
            "raw_i32f32.dividends[6]: expected 1063648819, found 1063648818",
        ),
        (changed(case(), "/expected/trust", json!([])), "expected.trust: unknown key"),
        (changed(case(), "/raw_i32f32/rank", json!([])), "raw_i32f32.rank: unknown key"),
        (changed(case(), "/expected", json!({})), "expected: the case expects nothing"),
        (without(case(), "", "expected"), "expected: the case expects nothing"),
        (changed(case(), "/group", json!("huge")), "group: unknown group \"huge\""),
        (without(case(), "", "group"), "group: the case has none"),
        (changed(case(), "/kind", json!("double")), "kind: unknown kind \"double\""),
        (without(case(), "", "kind"), "group: unknown group \"tiny\""),
        (
            changed(sequence(), "/epochs/3/expected/active/5", json!(false)),
            "epochs[3].expected.active[5]: expected false, found true",
        ),
        (
            changed(sequence(), "/epochs/3/expected", json!({})),
            "epochs[3].expected: the case expects nothing",
        ),
        (
            changed(sequence(), "/epochs", json!([])),
            "epochs: a case of kind \"sequence\" has at least one",
        ),
        (
            changed(sequence(), "/expected", json!({})),
            "expected: a case of kind \"sequence\" has none",
        ),
        (json!({ "group": "shares" }), "expected: the case expects nothing"),
        (json!({ "id": "x" }), "the case has neither a kind nor a group"),
        (json!([]), "the case is not a JSON object"),
    ];
    for (case, failure) in rows {
        assert_eq!(check(&case), [failure]);
    }
    let zeros: Vec<_> = (0..7).map(|_| 1).collect();
    let wrong = changed(case(), "/expected/emission", json!(zeros));
    assert_eq!(check(&wrong).len(), 7);
}

#[test]
fn inputs_are_refused_by_name() {
    let rows = [
        (without(case(), "/input", "kappa"), "input: missing field `kappa`"),
        (without(case(), "/input", "owner_uid"), "input: missing field `owner_uid`"),
        (
            changed(case(), "/input/kappa", json!(65_536)),
            "input.kappa: invalid value: integer `65536`, expected u16",
        ),
        (
            changed(case(), "/input/stake/3", json!(-1)),
            "input.stake[3]: invalid value: integer `-1`, expected u64",
        ),
        (
            changed(case(), "/input/block", json!(1.5)),
            "input.block: invalid type: floating point `1.5`, expected u64",
        ),
        (
            changed(case(), "/input/yuma3", json!("yes")),
            "input.yuma3: invalid type: string \"yes\", expected a boolean",
        ),
        (changed(case(), "/input/n", json!(8)), "input.stake: expected 8 values (n), found 7"),
        (
            changed(sequence(), "/epochs/2/stake", json!([1])),
            "epochs[2].stake: expected 32 values (n), found 1",
        ),
    ];
    for (case, error) in rows {
        assert_eq!(epoch::epoch_calculator(&case), Err(error.to_string()));
        assert_eq!(check(&case), [error]);
    }
    let unknown = changed(case(), "/input/rho", json!(10));
    let error = epoch::epoch_calculator(&unknown).unwrap_err();
    assert!(error.starts_with("input.rho: unknown field `rho`, expected one of"), "{error}");
    let bare = without(case()["input"].clone(), "", "kappa");
    assert_eq!(epoch::epoch_calculator(&bare).unwrap_err(), "missing field `kappa`");
}

#[test]
fn the_calculator_gives_what_a_case_expects() {
    let (case, sequence) = (case(), sequence());
    assert_eq!(epoch::epoch_calculator(&case).as_ref(), Ok(&case["expected"]));
    assert_eq!(epoch::epoch_calculator(&case["input"]).as_ref(), Ok(&case["expected"]));
    let epochs = sequence["epochs"].as_array().unwrap();
    let expected = epochs.iter().map(|epoch| epoch["expected"].clone()).collect();
    assert_eq!(epoch::epoch_calculator(&sequence), Ok(Value::Array(expected)));
}

#[test]
fn folders_are_walked_in_order_and_bad_files_fail() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    };
    let notes = write("README.md", b"not a case");
    write("b/good.json", case().to_string().as_bytes());
    let flipped = changed(case(), "/expected/stake/6", json!(3_405_330_603_971_u64));
    write("b/flipped.json", flipped.to_string().as_bytes());
    write("a.json", b"{");
    write("c.json.gz", b"not packed");

    let results = run_paths(&[folder.path().to_path_buf()]).unwrap();
    let told: Vec<_> = results.iter().map(|case| (&*case.name, case.failures.join("; "))).collect();
    let expected = [
        ("a", "is not valid JSON: EOF while parsing an object at line 1 column 1".to_string()),
        ("tiny-002", "expected.stake[6]: expected 3405330603971, found 3405330603970".to_string()),
        ("tiny-002", String::new()),
        ("c", "cannot be unpacked: invalid gzip header".to_string()),
    ];
    assert_eq!(told, expected);

    let empty = write("empty/README.md", b"").parent().unwrap().to_path_buf();
    let missing = folder.path().join("missing");
    let errors = [notes, empty, missing].map(|path| run_paths(&[path]).unwrap_err());
    assert!(matches!(errors[0], ConformError::NotACase { .. }), "{}", errors[0]);
    assert!(matches!(errors[1], ConformError::NoCases { .. }), "{}", errors[1]);
    assert!(matches!(errors[2], ConformError::Unreadable { .. }), "{}", errors[2]);
}
