//! Golden cases through the command: all pass, and a copy with one flipped digit fails, for each folder.

use crate::program::{folder, json, root, say};
use std::io::Read;
use std::path::{Path, PathBuf};

fn golden() -> PathBuf {
    root().join("tests/golden")
}

fn folders() -> Vec<PathBuf> {
    let entries = golden().read_dir().expect("the golden cases are committed");
    let paths = entries.map(|entry| entry.expect("readable").path());
    // Golden logs are not the chain's cases.
    let cases = paths.filter(|path| path.is_dir() && !path.ends_with("log"));
    let mut folders: Vec<PathBuf> = cases.collect();
    folders.sort();
    folders
}

#[test]
fn every_golden_case_passes() {
    let here = folder();
    let said = say(here.path(), &["conform", &golden().display().to_string()]);
    let last = said.stdout.lines().last().unwrap_or_default().to_owned();
    assert_eq!(said.code, 0, "{}", said.stdout);
    let passed = last.strip_suffix(" passed, 0 failed").and_then(|count| count.parse::<u64>().ok());
    assert!(passed.is_some_and(|count| count > 150), "{last}");
}

/// Changes the last digit of the first number after `"expected"`.
fn flipped(text: &str) -> Option<String> {
    let from = text.find("\"expected\"")?;
    let bytes = text.as_bytes();
    let is_number = |at: usize| {
        bytes[at].is_ascii_digit()
            && matches!(bytes[at - 1], b' ' | b':' | b'[' | b',' | b'"' | b'\n')
    };
    let start = (from + 1..bytes.len()).find(|at| is_number(*at))?;
    let end = (start..bytes.len()).find(|at| !bytes[*at].is_ascii_digit()).unwrap_or(bytes.len());
    let digit = if bytes[end - 1] == b'9' { b'8' } else { bytes[end - 1] + 1 };
    let mut changed = bytes.to_vec();
    changed[end - 1] = digit;
    String::from_utf8(changed).ok()
}

/// A case as text, packed or not.
fn read(path: &Path) -> Option<String> {
    let bytes = std::fs::read(path).ok()?;
    let mut text = String::new();
    match path.extension()?.to_str()? {
        "json" => text = String::from_utf8(bytes).ok()?,
        "gz" => {
            flate2::read::GzDecoder::new(bytes.as_slice()).read_to_string(&mut text).ok()?;
        }
        _ => return None,
    }
    Some(text)
}

/// The first case of a folder or below it that is as wanted.
fn first_case(folder: &Path, wanted: fn(&str) -> bool) -> Option<(PathBuf, String)> {
    let mut paths: Vec<PathBuf> =
        folder.read_dir().ok()?.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    paths.into_iter().find_map(|path| {
        if path.is_dir() {
            return first_case(&path, wanted);
        }
        let text = read(&path).filter(|text| wanted(text))?;
        Some((path, text))
    })
}

#[test]
fn one_flipped_digit_fails_in_each_folder() {
    let folders = folders();
    assert!(folders.len() >= 3, "{folders:?}");
    for golden in folders {
        let (path, text) = first_case(&golden, |text| flipped(text).is_some())
            .unwrap_or_else(|| panic!("no case in {golden:?}"));
        let here = folder();
        let copy = here.path().join("case.json");
        std::fs::write(&copy, &text).expect("the copy can be written");
        let sound = say(here.path(), &["conform", "case.json"]);
        assert_eq!(sound.code, 0, "{path:?}: {sound:?}");
        std::fs::write(&copy, flipped(&text).expect("it has a number")).expect("it was writable");
        let wrong = say(here.path(), &["conform", "case.json"]);
        assert_eq!(wrong.code, 1, "{path:?}: {wrong:?}");
        assert!(wrong.stdout.ends_with("0 passed, 1 failed\n"), "{path:?}: {}", wrong.stdout);
    }
}

#[test]
fn the_calculator_takes_a_case_and_gives_what_is_expected() {
    let case = |text: &str| serde_json::from_str::<serde_json::Value>(text).ok();
    let single = |text: &str| {
        serde_json::from_str::<serde_json::Value>(text).is_ok_and(|case| case["kind"] == "single")
    };
    let (path, text) = first_case(&golden().join("epoch"), single).expect("there are epoch cases");
    let here = folder();
    let case = case(&text).expect("a case is JSON");
    let computed = json(here.path(), &["epoch", &path.display().to_string()]);
    let expected = case["expected"].as_object().expect("a single epoch");
    for (key, value) in expected {
        if computed.get(key).is_some() {
            assert_eq!(&computed[key], value, "{key}");
        }
    }
    assert!(expected.keys().any(|key| computed.get(key).is_some()), "{computed}");
}
