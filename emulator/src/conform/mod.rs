//! The golden cases: files that say what the chain computed for given numbers, and the check that
//! this program computes the same.
//!
//! Here: finding and reading the files, choosing who checks a case, and comparing results. Each
//! family of cases has its own module. A case that nobody can check fails; nothing is skipped.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::Value;

pub mod amm;
pub mod chain;
pub mod emission;
pub mod epoch;
pub mod raw;
pub mod registry;
mod trace;

/// Differences of one case that are told; further ones are counted.
pub const TOLD_MAX: usize = 5;

/// What became of one case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseResult {
    /// The file.
    pub path: PathBuf,
    /// The `id` of the case or of its scenario, or the name of the file if it has none.
    pub name: String,
    /// Why it fails, a sentence each; empty if it passes.
    pub failures: Vec<String>,
}

impl CaseResult {
    /// Whether the case passes.
    pub fn passed(&self) -> bool {
        self.failures.is_empty()
    }
}

/// Why the cases could not be looked for.
#[derive(Debug, thiserror::Error)]
pub enum ConformError {
    /// A path could not be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The path.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file was named that is no case.
    #[error("{} is not a case: its name ends in neither .json nor .json.gz", path.display())]
    NotACase {
        /// The path.
        path: PathBuf,
    },
    /// A folder was named that holds no case.
    #[error("there is no case in {}", path.display())]
    NoCases {
        /// The path.
        path: PathBuf,
    },
}

/// Checks the named case files, and all those in the named folders and the folders in them, in the
/// order of the arguments and sorted by name within each.
///
/// # Errors
/// If a path cannot be read, a named file is no case, or a named folder holds none. A file in a
/// folder that cannot be read as a case is a failed case instead.
pub fn run_paths(paths: &[PathBuf]) -> Result<Vec<CaseResult>, ConformError> {
    let mut files = Vec::new();
    for path in paths {
        let found = files.len();
        let unreadable = |source| ConformError::Unreadable { path: path.clone(), source };
        if fs::metadata(path).map_err(unreadable)?.is_dir() {
            run_paths_collect(path, &mut files)?;
            if files.len() == found {
                return Err(ConformError::NoCases { path: path.clone() });
            }
        } else if is_case_name(path) {
            files.push(path.clone());
        } else {
            return Err(ConformError::NotACase { path: path.clone() });
        }
    }
    Ok(files.into_iter().map(run_file).collect())
}

/// Adds the cases below a folder, sorted.
fn run_paths_collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), ConformError> {
    let unreadable = |source| ConformError::Unreadable { path: folder.to_path_buf(), source };
    let entries = fs::read_dir(folder).map_err(unreadable)?;
    let paths: io::Result<Vec<PathBuf>> = entries.map(|entry| Ok(entry?.path())).collect();
    let mut paths = paths.map_err(unreadable)?;
    paths.sort();
    for path in paths {
        if path.is_dir() {
            run_paths_collect(&path, files)?;
        } else if is_case_name(&path) {
            files.push(path);
        }
    }
    Ok(())
}

/// The name of a case file without its ending.
fn case_stem(path: &Path) -> Option<&str> {
    let name = path.file_name().and_then(OsStr::to_str)?;
    name.strip_suffix(".json").or_else(|| name.strip_suffix(".json.gz"))
}

fn is_case_name(path: &Path) -> bool {
    case_stem(path).is_some()
}

fn run_file(path: PathBuf) -> CaseResult {
    let stem = case_stem(&path).unwrap_or_default().to_string();
    let (name, failures) = match read_case(&path) {
        Err(failure) => (stem, vec![failure]),
        Ok(case) => {
            let id = case.get("id").or_else(|| case.pointer("/scenario/id"));
            let name = id.and_then(Value::as_str).map_or(stem, str::to_string);
            (name, check(&case))
        }
    };
    CaseResult { path, name, failures }
}

/// Reads a case file, packed or not.
///
/// # Errors
/// A sentence that says what is wrong with the file.
pub fn read_case(path: &Path) -> Result<Value, String> {
    let unreadable = |error: io::Error| format!("cannot be read: {error}");
    let mut bytes = fs::read(path).map_err(unreadable)?;
    if path.extension() == Some(OsStr::new("gz")) {
        let mut plain = Vec::new();
        GzDecoder::new(bytes.as_slice())
            .read_to_end(&mut plain)
            .map_err(|error| format!("cannot be unpacked: {error}"))?;
        bytes = plain;
    }
    serde_json::from_slice(&bytes).map_err(|error| format!("is not valid JSON: {error}"))
}

/// Checks one case; what is returned are the reasons why it fails.
pub fn check(case: &Value) -> Vec<String> {
    let Some(fields) = case.as_object() else {
        return vec!["the case is not a JSON object".to_string()];
    };
    let word = |name| match fields.get(name) {
        None => Ok(None),
        Some(Value::String(word)) => Ok(Some(word.as_str())),
        Some(other) => Err(vec![format!("{name}: expected a word, found {other}")]),
    };
    let (kind, group) = match (word("kind"), word("group")) {
        (Ok(kind), Ok(group)) => (kind, group),
        (Err(failures), _) | (_, Err(failures)) => return failures,
    };
    match (kind, group) {
        (None, None) if fields.contains_key("scenario") => {
            match fields.keys().find(|key| !["scenario", "expected"].contains(&key.as_str())) {
                Some(key) => vec![format!("{key}: unknown key")],
                None => chain::check(case),
            }
        }
        (Some("single" | "sequence"), _) => epoch::check(case),
        (Some(kind), _) => vec![format!("kind: unknown kind {kind:?}")],
        (None, None) => vec!["the case has neither a kind nor a group".to_string()],
        (None, Some(_)) if is_empty(fields.get("expected")) => {
            vec!["expected: the case expects nothing".to_string()]
        }
        (None, Some("shares" | "ema" | "block_emission" | "moving_price" | "terms")) => {
            emission::check(case)
        }
        (None, Some("directed" | "fees" | "limits" | "random")) => amm::check(case),
        (
            None,
            Some(
                "lock_cost" | "lock_timeline" | "burn_adjust" | "prune_neuron" | "prune_subnet"
                | "epoch_schedule",
            ),
        ) => registry::check(case),
        (None, Some(group)) => vec![format!("group: unknown group {group:?}")],
    }
}

/// Whether an `expected` says nothing.
fn is_empty(expected: Option<&Value>) -> bool {
    match expected {
        Some(Value::Object(fields)) => fields.is_empty(),
        Some(Value::Array(items)) => items.is_empty(),
        Some(Value::Null) | None => true,
        Some(_) => false,
    }
}

/// A case of numbers: one input, one answer.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case<Input> {
    #[serde(rename = "id")]
    _id: Option<IgnoredAny>,
    #[serde(rename = "note")]
    _note: Option<IgnoredAny>,
    #[serde(rename = "group")]
    _group: String,
    input: Input,
    expected: Value,
}

/// Checks a case whose answer `compute` gives for its input.
fn check_computed<Input: DeserializeOwned>(
    case: &Value,
    compute: impl FnOnce(&Input) -> Value,
) -> Vec<String> {
    let case: Case<Input> = match parse(case) {
        Ok(case) => case,
        Err(failure) => return vec![failure],
    };
    let mut failures = Vec::new();
    compare("expected", &case.expected, &compute(&case.input), &mut failures);
    failures
}

/// Reads a value; the error names the place in it.
fn parse<T: DeserializeOwned>(value: &Value) -> Result<T, String> {
    // Read from text: a `Value` keeps wide integers as text and can only say "invalid number".
    let text = value.to_string();
    let mut reader = serde_json::Deserializer::from_str(&text);
    serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        let sentence = error.inner().to_string();
        // The line and column are those of the text above, not of the file.
        let sentence =
            sentence.rsplit_once(" at line ").map_or(sentence.as_str(), |(said, _)| said);
        match path.as_str() {
            "." => sentence.to_owned(),
            _ => format!("{path}: {sentence}"),
        }
    })
}

/// Compares every part of `expected` with what was computed, and adds a sentence for each
/// difference. `at` names the place. A key that was not computed is a difference; one that is not
/// expected is not.
pub fn compare(at: &str, expected: &Value, computed: &Value, failures: &mut Vec<String>) {
    if expected == computed {
        return;
    }
    match (expected, computed) {
        (Value::Object(expected), Value::Object(computed)) => {
            for (key, expected) in expected {
                match computed.get(key) {
                    Some(computed) => {
                        compare(&format!("{at}.{key}"), expected, computed, failures);
                    }
                    None => failures.push(format!("{at}.{key}: unknown key")),
                }
            }
        }
        (Value::Array(expected), Value::Array(computed)) if expected.len() == computed.len() => {
            for (index, (expected, computed)) in expected.iter().zip(computed).enumerate() {
                compare(&format!("{at}[{index}]"), expected, computed, failures);
            }
        }
        (Value::Array(expected), Value::Array(computed)) => {
            let (expected, computed) = (expected.len(), computed.len());
            failures.push(format!("{at}: expected {expected} values, found {computed}"));
        }
        _ => failures.push(format!("{at}: expected {expected}, found {computed}")),
    }
}

#[cfg(test)]
mod tests;
