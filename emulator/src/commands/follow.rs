//! `btemu log --follow`: a live run's blocks from its door, then what is left from its log.

use super::listing::{Listing, LogArguments, list};
use super::reading::{Reading, log_failure};
use super::{BlockArgument, Failure};
use crate::run::death;
use crate::run::door::{Answer, From, Request, knock};
use crate::run::wire::Wire;
use crate::run::wire_error::WireError;
use crate::telling::tell_talk;
use protocol::units::Height;
use std::time::Duration;
use storage::log::{LogError, SledLog};
use storage::runfolder::RunFolder;

/// How often the door and the log are tried before a run counts as out of reach: one that just began has no door
/// yet, one that just ended still has its log open.
const ATTEMPTS_MAX: u32 = 20;
/// The same while the run's launcher lives, which starts a chain that was lost again.
const RESTART_ATTEMPTS_MAX: u32 = 600;
/// How long to wait between them.
const ATTEMPT_WAIT_MS: u64 = 100;

/// How a live run was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Left {
    /// All that was wanted came.
    Whole,
    /// The connection ended before this block; before any if there is none. Whoever makes the run starts its
    /// processes again while this launcher lives.
    Before { next: Option<Height>, launcher_pid: Option<u32> },
}

/// Lists a live run's blocks as they are made; those of a run that is over at once.
pub fn follow(arguments: &LogArguments, listing: &mut Listing<'_>) -> Result<(), Failure> {
    let folder = RunFolder::open(arguments.folder());
    let folder = folder.map_err(|error| Failure::failed(&error, error.hint()))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::failed(error, None))?;
    let (mut from, mut launcher) = (None, None);
    let mut attempt = 0;
    loop {
        attempt += 1;
        let request = Request::Follow { from: begin(arguments, from) };
        if let Some(wire) = runtime.block_on(knock(&folder.path, request)) {
            match runtime.block_on(follow_live(arguments, wire, listing))? {
                Left::Whole => {
                    listing.tell_if_nothing();
                    return Ok(());
                }
                Left::Before { next, launcher_pid } => {
                    if next > from {
                        attempt = 0;
                    }
                    (from, launcher) = (next.or(from), launcher_pid.or(launcher));
                }
            }
        }
        // Nobody should open the log of a run whose next chain is about to.
        if launcher.is_some_and(death::is_alive) && attempt < RESTART_ATTEMPTS_MAX {
            std::thread::sleep(Duration::from_millis(ATTEMPT_WAIT_MS));
            continue;
        }
        match SledLog::open(&folder.log_dir()) {
            Ok(log) => {
                drop(log);
                return follow_finished(arguments, from, listing);
            }
            Err(LogError::InUse { .. }) if attempt < ATTEMPTS_MAX => {
                std::thread::sleep(Duration::from_millis(ATTEMPT_WAIT_MS));
            }
            Err(LogError::InUse { .. }) => break,
            Err(error) => return Err(log_failure(error)),
        }
    }
    let run = arguments.folder().display();
    let what = format!("the run {run} is in use by another process that cannot be followed");
    let hint = "a run can be followed while `btemu run` makes it; other commands take a moment";
    Err(Failure::failed(what, Some(hint.to_owned())))
}

fn follow_finished(
    arguments: &LogArguments,
    from: Option<Height>,
    listing: &mut Listing<'_>,
) -> Result<(), Failure> {
    let reading = Reading::open(arguments.folder())?;
    list(arguments, &reading, from, listing)?;
    listing.tell_if_nothing();
    let tip = storage::log::EventLog::tip(&reading.log);
    tell_talk(&format!("the run is over: it ended at block {tip}\n"));
    if let Some(shown) = from.map(|next| next.0 - 1).filter(|shown| *shown > tip.0) {
        let first = tip.0 + 1;
        tell_talk(&format!(
            "it died before blocks {first} to {shown} were on disk; `btemu run --resume` makes them again\n"
        ));
    }
    Ok(())
}

/// Where to begin: where the run was left before, where the user says, or now.
fn begin(arguments: &LogArguments, left: Option<Height>) -> From {
    match (left, arguments.from) {
        (Some(next), _) => From::Height(next.0),
        (None, None) => From::Now,
        (None, Some(BlockArgument::Height(height))) => From::Height(height),
        (None, Some(BlockArgument::Since(blocks))) => From::Since(blocks),
    }
}

async fn follow_live(
    arguments: &LogArguments,
    mut wire: Wire,
    listing: &mut Listing<'_>,
) -> Result<Left, Failure> {
    let (mut next, mut launcher_pid) = (None, None);
    let mut to = None;
    loop {
        match wire.receive::<Answer>().await {
            Ok(Answer::Following(following)) => {
                let genesis = following.genesis.0;
                let first = following.first;
                (next, launcher_pid) = (Some(first), Some(following.launcher_pid));
                to = arguments.to.map(|to| Height(to.height(genesis)));
                if let Some(to) = to.filter(|to| first > *to) {
                    return Err(Failure::usage(format!("block {first} is after --to {to}"), None));
                }
                if !arguments.json && listing.names.is_none() {
                    listing.names = Some(following.names);
                }
                let run = arguments.folder().display();
                tell_talk(&format!("following {run} from block {first} on\n"));
            }
            Ok(Answer::Block(frame)) => {
                listing.block(&frame)?;
                let height = frame.header.height;
                next = Some(Height(height.0 + 1));
                if to.is_some_and(|to| height >= to) {
                    return Ok(Left::Whole);
                }
            }
            Ok(Answer::Over { tip }) => {
                tell_talk(&format!("the run is over: it ended at block {tip}\n"));
                return Ok(Left::Whole);
            }
            Ok(Answer::Refused(why)) => return Err(Failure::failed(why, None)),
            Ok(Answer::Status(_) | Answer::Standing(_)) => {
                return Err(Failure::failed("the run answers out of turn", None));
            }
            Err(error @ (WireError::Garbled(_) | WireError::TooLong { .. })) => {
                return Err(Failure::failed(error, None));
            }
            // Nothing is lost: what the run made until its end is in its log.
            Err(_) => return Ok(Left::Before { next, launcher_pid }),
        }
    }
}
