//! A trial with real processes: the launcher, a chain and two hosts of this same program, real signals, frames disturbed
//! on real sockets. It must come to the block that the same scenario comes to undisturbed in one process.
//!
//! What belongs here: running the program and comparing. What does not: what strikes (`run::striker`).

use super::failure::{Failure, Or, said};
use super::trial::{Seen, straight};
use crate::run::totals::Summary;
use crate::scenario::{Overrides, read_shown};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::{Command, Stdio};

/// Makes the trial within a folder that is empty.
///
/// # Errors
/// The first check that does not hold.
pub fn attempt(text: &str, folder: &Path, seen: &mut Seen) -> Result<(), Failure> {
    let tried = catch_unwind(AssertUnwindSafe(|| attempt_both(text, folder, seen)));
    tried.unwrap_or_else(|panic| Err(Failure::new("nothing_panics", said(panic.as_ref()))))
}

fn attempt_both(text: &str, folder: &Path, seen: &mut Seen) -> Result<(), Failure> {
    let scenario = read_shown(text, &Overrides::default()).or_fail("scenarios_are_taken")?;
    let straight = straight(&scenario, &folder.join("straight"), seen)?;
    let file = folder.join("scenario.toml");
    std::fs::write(&file, text).or_fail("folders_are_made")?;
    let program = std::env::current_exe().or_fail("folders_are_made")?;
    let made = Command::new(program)
        .arg("run")
        .arg(&file)
        .arg("--out")
        .arg(folder.join("disturbed"))
        .args(["--check-invariants", "--force", "--json"])
        .stdin(Stdio::null())
        .output();
    let made = made.or_fail("folders_are_made")?;
    if !made.status.success() {
        let words = String::from_utf8_lossy(&made.stderr).trim().replace('\n', " | ");
        return Err(Failure::new("disturbed_runs_end", format!("{}: {words}", made.status)));
    }
    let summary = serde_json::from_slice::<Summary>(&made.stdout).or_fail("disturbed_runs_end")?;
    seen.struck(&summary.disturbances);
    let tip = straight.header.hash().to_string();
    match summary.tip_hash == tip {
        true => Ok(()),
        false => {
            let what = format!("its tip hash is {}, not {tip}", summary.tip_hash);
            Err(Failure::new("disturbed_comes_to_the_same", what))
        }
    }
}
