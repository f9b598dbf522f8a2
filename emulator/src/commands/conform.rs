//! `btemu conform` and `btemu epoch`.

use super::{Failure, print, print_json};
use crate::conform::epoch::epoch_calculator;
use crate::conform::{CaseResult, TOLD_MAX, read_case, run_paths};
use serde::Serialize;
use std::path::PathBuf;

/// `btemu conform`
#[derive(Debug, clap::Args)]
pub struct ConformArguments {
    /// Case files, or folders of them.
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// `btemu epoch`
#[derive(Debug, clap::Args)]
pub struct EpochArguments {
    /// A case file, or its bare `input`.
    case: PathBuf,
}

#[derive(Serialize)]
struct Told<'a> {
    passed: usize,
    failed: usize,
    failures: Vec<ToldFailure<'a>>,
}

#[derive(Serialize)]
struct ToldFailure<'a> {
    file: String,
    case: &'a str,
    /// The first few.
    reasons: &'a [String],
    /// All there are.
    differences: usize,
}

/// Runs golden cases; fails if any fails.
pub fn run(arguments: &ConformArguments) -> Result<(), Failure> {
    let results = run_paths(&arguments.paths);
    let results = results.map_err(|error| Failure::failed(error, None))?;
    let failing: Vec<&CaseResult> = results.iter().filter(|result| !result.passed()).collect();
    let (passed, failed) = (results.len() - failing.len(), failing.len());
    if arguments.json {
        let failures = failing.iter().map(|result| ToldFailure {
            file: result.path.display().to_string(),
            case: &result.name,
            reasons: told(result),
            differences: result.failures.len(),
        });
        print_json(&Told { passed, failed, failures: failures.collect() })?;
    } else {
        for result in &failing {
            print(&format!("{} ({}) fails\n", result.path.display(), result.name))?;
            for reason in told(result) {
                print(&format!("  {reason}\n"))?;
            }
            if let Some(more) = result.failures.len().checked_sub(TOLD_MAX).filter(|n| *n > 0) {
                print(&format!("  and {more} more differences\n"))?;
            }
        }
        print(&format!("{passed} passed, {failed} failed\n"))?;
    }
    if failed == 0 {
        return Ok(());
    }
    Err(Failure::failed(format!("{failed} golden cases fail"), None))
}

fn told(result: &CaseResult) -> &[String] {
    &result.failures[..result.failures.len().min(TOLD_MAX)]
}

/// Computes one epoch.
pub fn epoch(arguments: &EpochArguments) -> Result<(), Failure> {
    let place = arguments.case.display();
    let hint = || Some("tests/golden/epoch holds cases to start from".to_owned());
    let case = read_case(&arguments.case)
        .map_err(|error| Failure::failed(format!("{place} {error}"), hint()))?;
    let output = epoch_calculator(&case)
        .map_err(|error| Failure::failed(format!("{place}: {error}"), hint()))?;
    print_json(&output)
}
