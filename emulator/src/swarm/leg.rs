//! What all legs of a trial have in common: how each begins, how it is made, and the hash it must come to.

use super::failure::{Failure, Or};
use crate::plan::Plan;
use crate::run::engine::{Checking, Manner};
use crate::scenario::Scenario;
use crate::version::BUILD;
use protocol::units::{Hash32, Height};
use std::path::Path;
use storage::log::{Durability, SledLog};
use storage::record::Genesis;
use storage::runfolder::RunFolder;

/// How both legs are made.
pub fn manner(scenario: &Scenario, until: Height) -> Manner {
    let log = scenario.log();
    Manner {
        until,
        conditions: Vec::new(),
        snapshot_interval: log.snapshot_interval,
        snapshot_bytes: 0,
        checkpoint_interval: log.checkpoint_interval,
        checking: Checking::Invariants,
    }
}

/// Writes block 0 of a plan into a new run folder.
///
/// # Errors
/// It cannot be written.
pub fn begin(mut plan: Plan, path: &Path) -> Result<(RunFolder, SledLog), Failure> {
    let folder = RunFolder::create_at(path).or_fail("folders_are_made")?;
    let root = plan.genesis.root();
    let header = plan.genesis_header_by(root);
    let genesis = Genesis { build: BUILD.to_owned(), header, plan };
    let log = SledLog::create(&folder.log_dir(), &genesis, Durability::End);
    Ok((folder, log.or_fail("logs_are_made")?))
}

/// Checks that two tip hashes are one.
///
/// # Errors
/// They are not.
pub fn same(check: &str, found: Hash32, expected: Hash32) -> Result<(), Failure> {
    match found == expected {
        true => Ok(()),
        false => Err(Failure::new(check, format!("its tip hash is {found}, not {expected}"))),
    }
}
