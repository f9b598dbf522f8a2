//! The chain as a process of its own: requests on standard input, reports on standard output.
//!
//! What belongs here: how it speaks with its launcher. What does not: what it does (`chain`), and what the launcher makes
//! of it (`launcher`).

use super::chain::{Report, drive};
use super::control::{Control, Ended};
use super::death;
use super::launch_error::{LaunchError, system_error};
use super::order::ChainOrder;
use crate::clock::Throttle;
use std::io;
use std::time::Duration;

/// The longest time after which the chain says again that it lives.
const HEARTBEAT_MS_MAX: u64 = 1_000;
/// Parts of the time that the chain may be silent; it says that it lives in each.
pub const SILENCE_PARTS: u64 = 4;

/// The chain process: reads its order, drives the run, reports on standard output.
///
/// # Errors
/// The run ended badly; it was reported already.
pub fn chain_process(order: &ChainOrder) -> Result<(), LaunchError> {
    let control = Control::new(order.wish());
    let asked = control.clone();
    death::watch_stdin(move |line| {
        if line == "stop" {
            asked.end(Ended::Interrupted);
        }
    });
    start_heartbeat(order.chain_silence_ms_max)?;
    let mut quiet = Throttle::every(Duration::from_secs(5));
    let tell = |report: &Report, quiet: &mut Throttle| {
        if tell_launcher(report).is_err() && quiet.is_due() {
            tracing::warn!("the launcher does not listen");
        }
    };
    let done =
        actix::System::new().block_on(drive(order, control, |report| tell(&report, &mut quiet)));
    let (report, result) = match done {
        Ok(summary) => (Report::Done(Box::new(summary)), Ok(())),
        Err(error) => {
            let (what, hint, outlook) = (error.to_string(), error.hint(), error.outlook(order));
            let failed = Report::Failed { what: what.clone(), hint: hint.clone(), outlook };
            (failed, Err(LaunchError { what, hint, began: true }))
        }
    };
    tell(&report, &mut quiet);
    result
}

/// A line of JSON on standard output. It waits while the pipe is full.
fn tell_launcher(report: &Report) -> io::Result<()> {
    let line = serde_json::to_string(report).expect("a report is plain data");
    let mut stdout = io::stdout().lock();
    io::Write::write_all(&mut stdout, format!("{line}\n").as_bytes())?;
    io::Write::flush(&mut stdout)
}

/// Says again and again that this process lives, however long a block, a checkpoint or a pause takes. On a thread of
/// its own, it stops when the process is stopped, which is what the launcher listens for; a host that does not answer
/// is the chain's to notice.
fn start_heartbeat(silence_ms_max: u64) -> Result<(), LaunchError> {
    let interval_ms = (silence_ms_max / SILENCE_PARTS).clamp(1, HEARTBEAT_MS_MAX);
    let thread = std::thread::Builder::new().name("heartbeat".to_owned());
    let beat = move || {
        while tell_launcher(&Report::Alive).is_ok() {
            std::thread::sleep(Duration::from_millis(interval_ms));
        }
    };
    thread.spawn(beat).map(drop).map_err(|error| system_error("a thread", &error))
}
