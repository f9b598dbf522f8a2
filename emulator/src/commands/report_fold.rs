//! From a run to its report.

use super::Failure;
use super::reading::{Reading, read_failure, verify_hint};
use crate::accounting::{Accounts, Watch};
use crate::progress::{Progress, Showing};
use crate::report::{Gathered, Report};
use protocol::apply::apply;
use protocol::frame::Frame;
use protocol::frame::Projection;
use protocol::state::State;
use protocol::units::Height;
use storage::fold::Folder;
use storage::pursuit::pursue;

/// The report of a run up to a block, and the run folded that far; whoever watches sees each block with the state after it
/// and what was gathered, that block included.
pub(super) fn fold(
    reading: &Reading,
    at: Height,
    showing: Showing,
    mut watch: impl FnMut(&Frame, &State, &Gathered),
) -> Result<(Report, Folder), Failure> {
    let failed = |error| Failure::failed(error, verify_hint());
    // One state runs a block behind the other.
    let mut before = reading.plan.genesis.clone();
    let mut folder = Folder::new(before.clone(), &reading.genesis).map_err(failed)?;
    let mut accounts = Accounts::open(Watch::All, &before);
    let mut gathered = Gathered::new(&reading.plan);
    let progress = Progress::counting(reading.genesis.height.0, at.0, showing);
    let pursued = pursue(&mut folder, &reading.log, at, |frame, after| {
        let parts: [&mut dyn Projection; 2] = [&mut accounts, &mut gathered];
        for part in parts {
            part.block(frame, &before, after);
        }
        watch(frame, after, &gathered);
        for event in &frame.events {
            apply(&mut before, event).expect("it fitted the same state a moment ago");
        }
        progress.at(frame.header.height.0);
    });
    pursued.map_err(read_failure)?;
    progress.finish();
    if let Err(what) = accounts.check(folder.state()) {
        tracing::warn!(what, "the books do not balance");
    }
    let report = Report::new(&reading.plan, &gathered, &accounts, folder.state());
    Ok((report, folder))
}
