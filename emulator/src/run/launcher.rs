//! The launcher: starts the chain and the hosts as processes of this same program, shows progress, stops them on
//! request, and leaves none behind.

use super::chain::{Outlook, Report, drive};
use super::chain_process::SILENCE_PARTS;
use super::control::{Control, Wish};
use super::death;
use super::disturbance::Strike;
use super::door::DOOR;
use super::effort::EffortBook;
use super::family::{ChildLogs, Ended, Family, start};
use super::host::HostOrder;
use super::invitation::{TokenKnown, invitation};
use super::launch_error::{LaunchError, resume_hint, system_error};
use super::link::{Address, Place};
use super::order::{ChainOrder, run_id, run_name};
use super::secret;
use super::signals::{Asked, heed_signals};
use super::striker::Striker;
use super::totals::Summary;
use crate::clock::Stopwatch;
use crate::logging;
use crate::progress::Progress;
use protocol::units::Height;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::ChildStdout;

/// How long the chain may take to say why it fails, after a host gave up.
const WORD_WAIT_MS_MAX: u64 = 1_000;
/// How long the launcher waits for each of the last words of a chain that is gone.
const REST_WAIT_MS_MAX: u64 = 200;

/// What happened to a run, for its operations journal.
#[derive(Clone, Debug)]
pub enum Happened {
    /// Its processes are started again.
    Restarted(Restart),
    /// Something below the simulation struck.
    Struck(Strike),
    /// Somebody asked it to go on otherwise.
    Controlled {
        /// What is in force.
        wish: Wish,
        /// From this block on.
        block: u64,
    },
}

/// Makes a run and waits for its end; `told` hears of every restart and of what was asked at its door. Without a token
/// of its own the run gets one.
///
/// # Errors
/// What the user should know, with a hint.
pub fn launch(
    order: ChainOrder,
    logs: &ChildLogs,
    progress: &Progress,
    told: impl FnMut(&Happened),
) -> Result<Summary, LaunchError> {
    logging::at_run(&run_id(&order));
    let folder = tempfile_folder().map_err(|error| system_error("a folder for sockets", &error))?;
    let is_known = !order.token.is_empty();
    let token = match is_known {
        true => order.token,
        false => secret::token().map_err(|error| system_error("a token", &error))?,
    };
    let order = ChainOrder { socket: folder.path().join("chain"), token, ..order };
    let mut efforts = EffortBook::open(&order.run);
    if !order.has_hosts() {
        let inside = launch_inside(order, progress, told, &mut efforts);
        return actix::System::new().block_on(inside);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| system_error("a runtime", &error))?;
    let token = if is_known { TokenKnown::Already } else { TokenKnown::FromTheCommand };
    runtime.block_on(launch_processes(order, token, logs, progress, told, &mut efforts))
}

/// A short private folder: paths of sockets have little room.
fn tempfile_folder() -> io::Result<tempfile::TempDir> {
    let folder = tempfile::Builder::new().prefix("btemu-").tempdir()?;
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o700))?;
    Ok(folder)
}

async fn launch_inside(
    order: ChainOrder,
    progress: &Progress,
    mut told: impl FnMut(&Happened),
    efforts: &mut EffortBook,
) -> Result<Summary, LaunchError> {
    let order = ChainOrder { restarts: efforts.restarts(), ..order };
    let control = Control::new(order.wish());
    let _heeding = heed_signals(control.clone(), run_name(&order))?;
    efforts.begin_attempt();
    let (mut began, mut first) = (false, true);
    let done = drive(&order, control, |report| {
        began |= matches!(report, Report::Started { .. });
        progress.show(&report);
        match report {
            Report::Progress { processes, .. } => efforts.heard(processes, 0),
            Report::Standing { wish, height } if !std::mem::take(&mut first) => {
                told(&Happened::Controlled { wish, block: height });
            }
            _ => {}
        }
    });
    let done = done.await;
    progress.finish();
    match done {
        Ok(summary) => Ok(whole(summary, efforts, 0)),
        Err(error) => {
            efforts.write();
            Err(LaunchError { what: error.to_string(), hint: error.hint(), began })
        }
    }
}

/// A summary with what the run took over all attempts.
fn whole(summary: Summary, efforts: &mut EffortBook, launcher_rss_bytes: u64) -> Summary {
    efforts.heard(summary.process_reports.clone(), launcher_rss_bytes);
    efforts.write();
    let effort = efforts.whole();
    Summary {
        attempts: effort.attempts,
        restarts: effort.restarts,
        wall_seconds: effort.wall_seconds,
        peak_rss_bytes: effort.peak_rss_bytes,
        process_reports: effort.processes,
        ..summary
    }
}

fn forget_unheard(result: io::Result<()>) {
    if let Err(error) = result {
        tracing::warn!(%error, "the chain cannot be told to stop");
    }
}

/// Makes a run with processes. When one of them is lost all are ended and started again, and the run goes on from
/// its newest checkpoint: blocks that the log holds already are made again and compared.
async fn launch_processes(
    mut order: ChainOrder,
    token: TokenKnown,
    logs: &ChildLogs,
    progress: &Progress,
    mut told: impl FnMut(&Happened),
    efforts: &mut EffortBook,
) -> Result<Summary, LaunchError> {
    let program = std::env::current_exe().map_err(|error| system_error("processes", &error))?;
    let mut asked = Asked::listen()?;
    let mut supervision = Supervision::default();
    let mut striker = Striker::new(std::mem::take(&mut order.strikes));
    let mut wish = order.wish();
    let mut making = None;
    loop {
        // A socket of its own: the file of one that was killed stays.
        order.socket = order.socket.with_file_name(format!("chain-{}", supervision.restarts));
        // What was asked of the processes that were lost holds for those that come.
        (order.pace, order.motion) = (wish.pace, wish.motion);
        order.restarts = efforts.restarts();
        order.strikes = striker.left();
        // Of a chain that was killed: its door stays as well, and nobody stands behind it.
        std::fs::remove_file(order.socket.with_file_name(DOOR)).ok();
        efforts.begin_attempt();
        let mut first = true;
        let heard = |report: &Report| {
            progress.show(report);
            match report {
                Report::Started { from, .. } => {
                    making.get_or_insert((Stopwatch::start(), *from));
                }
                Report::Progress { processes, .. } => {
                    efforts.heard(processes.clone(), death::peak_rss_bytes());
                }
                Report::Standing { wish: stands, height } => {
                    wish = *stands;
                    if !std::mem::take(&mut first) {
                        told(&Happened::Controlled { wish, block: *height });
                    }
                }
                Report::Struck(strike) => told(&Happened::Struck(*strike)),
                _ => {}
            }
        };
        let talk = |text: &str| progress.talk(text);
        let struck_before = striker.struck();
        let watch = Watch { asked: &mut asked, striker: &mut striker };
        let attempt = attempt(&program, &order, token, logs, talk, heard, watch).await;
        supervision.began |= attempt.began;
        supervision.refused += attempt.refused;
        // Hosts from outside find the run again where it was.
        if let Some(Place::Tcp(address)) = attempt.place {
            order.link = Address::Tcp(address);
        }
        let why = match attempt.end {
            End::Done(mut summary) => {
                summary.invariant_violations += supervision.violations;
                summary.peers_refused = supervision.refused;
                summary.disturbances = striker.struck();
                if let Some((stopwatch, from)) = making.filter(|_| supervision.restarts > 0) {
                    let blocks = summary.block.saturating_sub(from) as f64;
                    summary.blocks_per_second = blocks / stopwatch.seconds().max(1e-9);
                }
                progress.finish();
                return Ok(whole(*summary, efforts, death::peak_rss_bytes()));
            }
            End::Final { what, hint } => {
                efforts.write();
                progress.finish();
                return Err(LaunchError { what, hint, began: supervision.began });
            }
            End::Missing { what, hint } if !supervision.began => {
                efforts.write();
                progress.finish();
                return Err(LaunchError { what, hint, began: false });
            }
            End::Missing { what, .. } => what,
            End::Lost(why) => why,
        };
        supervision.violations += attempt.violations;
        let is_ending = asked.count > 0 || wish.ending.is_some();
        let wait = match striker.struck() == struck_before {
            true => supervision.after(attempt.block, is_ending),
            // Whoever is struck on purpose has not failed; and there are only so many faults.
            false => supervision.after_a_strike(attempt.block, is_ending),
        };
        let Some(wait_ms) = wait else {
            efforts.write();
            progress.finish();
            let what = match is_ending {
                false => format!("{why}; {RESTARTS_IDLE_MAX} restarts brought no further block"),
                true => why,
            };
            let hint = resume_hint(&run_name(&order));
            let began = supervision.began;
            return Err(LaunchError { what, hint: began.then_some(hint), began });
        };
        efforts.restart();
        let restarts = supervision.restarts;
        progress.show(&Report::Restarting { why: why.clone(), restarts });
        told(&Happened::Restarted(Restart { why, restarts, block: attempt.block }));
        tokio::time::sleep(Duration::from_millis(wait_ms)).await;
    }
}

/// What the operations journal keeps of a restart.
#[derive(Clone, Debug)]
pub struct Restart {
    /// What happened.
    pub why: String,
    /// How often it has happened since the run was started or resumed.
    pub restarts: u64,
    /// The last block that was told of, if any was.
    pub block: Option<u64>,
}

/// Restarts one after the other that bring no block, until a run is given up.
const RESTARTS_IDLE_MAX: u32 = 5;
/// Wait before a restart; it doubles with each that brings no block.
const BACKOFF_MS: u64 = 100;

/// How often a run was started again, and whether that helped.
#[derive(Debug, Default)]
struct Supervision {
    restarts: u64,
    idle: u32,
    best: Option<u64>,
    began: bool,
    /// Blocks of lost attempts after which an invariant did not hold; one that is made again counts again.
    violations: u64,
    /// Strangers that came.
    refused: u64,
}

impl Supervision {
    /// Counts a lost process; how long to wait before the next start, unless it is time to give up.
    fn after(&mut self, block: Option<u64>, is_stopping: bool) -> Option<u64> {
        if block > self.best {
            (self.best, self.idle) = (block, 0);
        } else {
            self.idle += 1;
        }
        if is_stopping || self.idle > RESTARTS_IDLE_MAX {
            return None;
        }
        self.restarts += 1;
        Some(BACKOFF_MS << self.idle)
    }

    /// The same where a fault of the scenario struck: this time brought no block because it was not let.
    fn after_a_strike(&mut self, block: Option<u64>, is_stopping: bool) -> Option<u64> {
        self.idle = 0;
        self.after(block, is_stopping)
    }
}

/// What became of one set of processes.
struct Attempt {
    began: bool,
    /// The last block it told of.
    block: Option<u64>,
    /// Blocks after which an invariant did not hold.
    violations: u64,
    /// Where its hosts were awaited.
    place: Option<Place>,
    /// Strangers that came.
    refused: u64,
    end: End,
}

enum End {
    /// The run is over.
    Done(Box<Summary>),
    /// It would end the same way again.
    Final { what: String, hint: Option<String> },
    /// Something outside is not there.
    Missing { what: String, hint: Option<String> },
    /// A process was lost.
    Lost(String),
}

impl End {
    /// As a chain that failed says it.
    fn of(what: String, hint: Option<String>, outlook: Outlook) -> Self {
        match outlook {
            Outlook::Again => Self::Lost(what),
            Outlook::AgainOnceBegun => Self::Missing { what, hint },
            Outlook::Final => Self::Final { what, hint },
        }
    }
}

/// Why the chain fails, if it says so within a short time; and what it says before that struck it.
async fn last_word(
    reports: &mut Lines<BufReader<ChildStdout>>,
    mut struck: impl FnMut(Strike),
) -> Option<End> {
    let word = async {
        while let Ok(Some(line)) = reports.next_line().await {
            match serde_json::from_str::<Report>(&line) {
                Ok(Report::Failed { what, hint, outlook }) => {
                    return Some(End::of(what, hint, outlook));
                }
                Ok(Report::Struck(strike)) => struck(strike),
                _ => {}
            }
        }
        None
    };
    tokio::time::timeout(Duration::from_millis(WORD_WAIT_MS_MAX), word).await.ok().flatten()
}

/// What an attempt hears beside its chain: requests to end; and what it does to its processes.
struct Watch<'a> {
    asked: &'a mut Asked,
    striker: &'a mut Striker,
}

async fn attempt(
    program: &Path,
    order: &ChainOrder,
    token: TokenKnown,
    logs: &ChildLogs,
    talk: impl Fn(&str),
    mut heard: impl FnMut(&Report),
    watch: Watch<'_>,
) -> Attempt {
    let Watch { asked, striker } = watch;
    let end = End::Lost(String::new());
    let mut attempt =
        Attempt { began: false, block: None, violations: 0, place: None, refused: 0, end };
    let order_text = serde_json::to_string(order).expect("an order is plain data");
    let (mut chain, stdin) = match start(program, "chain".to_owned(), logs, order_text).await {
        Ok(started) => started,
        Err(error) => {
            attempt.end = End::Lost(format!("the chain process cannot be started: {error}"));
            return attempt;
        }
    };
    let stdout = chain.stdout.take().expect("it was asked to be piped");
    let mut reports = BufReader::new(stdout).lines();
    let mut family = Family::new(chain, stdin);
    let mut host_stdins = Vec::new();
    let mut relaying = None;
    let mut end = None;
    // In parts: of a time in which this process itself stood still only one part is over, and what the chain said
    // meanwhile is heard in the next.
    let silence = Duration::from_millis(order.chain_silence_ms_max.div_ceil(SILENCE_PARTS));
    let mut silent = std::pin::pin!(tokio::time::sleep(silence));
    let mut silent_parts = 0;
    while end.is_none() {
        let line = tokio::select! {
            biased;
            line = reports.next_line() => {
                silent.set(tokio::time::sleep(silence));
                silent_parts = 0;
                line
            }
            () = &mut silent => {
                silent.set(tokio::time::sleep(silence));
                silent_parts += 1;
                if silent_parts == SILENCE_PARTS {
                    let silence_ms = order.chain_silence_ms_max;
                    let why = format!("the chain process has said nothing for {silence_ms} ms");
                    end = Some(End::Lost(why));
                    family.kill().await;
                }
                continue;
            }
            // The chain learns of it when it next asks the host, which at a slow pace is long after.
            (why, how) = family.host_lost() => {
                let told = match how {
                    Ended::ByForce => None,
                    // It may have ended because the chain did, which then says why.
                    Ended::ByItself => {
                        let struck = |strike| {
                            heard(&Report::Struck(strike));
                            striker.chain_struck(strike);
                        };
                        last_word(&mut reports, struck).await
                    }
                };
                end = Some(told.unwrap_or(End::Lost(why)));
                continue;
            }
            () = asked.next() => {
                if asked.count > 1 {
                    let what = "stopped at once".to_owned();
                    let hint = resume_hint(&run_name(order));
                    family.kill().await;
                    end = Some(End::Final { what, hint: attempt.began.then_some(hint) });
                } else if let Some(stdin) = &mut family.chain_stdin {
                    forget_unheard(stdin.write_all(b"stop\n").await);
                }
                continue;
            }
        };
        let Ok(Some(line)) = line else { break };
        let Ok(report) = serde_json::from_str::<Report>(&line) else {
            tracing::warn!(line, "the chain said something that is no report");
            continue;
        };
        heard(&report);
        match report {
            Report::Listening { hosts: None, .. } => {}
            Report::Listening { hosts: Some(place), .. } => {
                if let Some(text) = invitation(order, &place, token) {
                    talk(&text);
                }
                let pass = order.pass();
                let mut reached = place.seen_here();
                if striker.strikes_frames() {
                    let socket = order.socket.with_extension("relay");
                    match striker.relay(&socket, reached.clone()) {
                        Ok((relay, task)) => (reached, relaying) = (relay, Some(task)),
                        Err(error) => {
                            let what = format!("frames cannot be struck: {error}");
                            end = Some(End::Final { what, hint: None });
                        }
                    }
                }
                for host in 0..order.hosts {
                    let host_order = HostOrder {
                        place: reached.clone(),
                        run: pass.run.clone(),
                        host: Some(host),
                        token: pass.token.clone(),
                    };
                    let text = serde_json::to_string(&host_order).expect("plain data");
                    match start(program, format!("host-{host}"), logs, text).await {
                        Ok((child, stdin)) => {
                            family.hosts.push(child);
                            host_stdins.push(stdin);
                        }
                        Err(error) => {
                            let why = format!("host process {host} cannot be started: {error}");
                            end = Some(End::Lost(why));
                        }
                    }
                }
                attempt.place = Some(place);
            }
            Report::Refused { count, .. } => attempt.refused = count,
            Report::Started { from, .. } => {
                attempt.began = true;
                attempt.block = Some(from);
                for strike in striker.strike(&family, from) {
                    heard(&Report::Struck(strike));
                }
            }
            Report::Struck(strike) => striker.chain_struck(strike),
            Report::Progress { height, violations, .. } => {
                logging::at_block(Height(height));
                (attempt.block, attempt.violations) = (Some(height), violations);
                for strike in striker.strike(&family, height) {
                    heard(&Report::Struck(strike));
                }
            }
            Report::Alive | Report::Standing { .. } | Report::Restarting { .. } => {}
            Report::Done(summary) => end = Some(End::Done(summary)),
            Report::Failed { what, hint, outlook } => end = Some(End::of(what, hint, outlook)),
        }
    }
    let status = family.end(matches!(end, Some(End::Done(_)))).await;
    if let Some(task) = relaying {
        task.abort();
    }
    for strike in striker.take_fired() {
        heard(&Report::Struck(strike));
    }
    drop(host_stdins);
    // What a lost chain had said and nobody had heard: whoever asked at its door was answered only after that.
    let rest_wait = Duration::from_millis(REST_WAIT_MS_MAX);
    while let Ok(Ok(Some(line))) = tokio::time::timeout(rest_wait, reports.next_line()).await {
        match serde_json::from_str::<Report>(&line) {
            Ok(report @ (Report::Standing { .. } | Report::Progress { .. })) => heard(&report),
            Ok(report @ Report::Struck(strike)) => {
                heard(&report);
                striker.chain_struck(strike);
            }
            _ => {}
        }
    }
    let gone = || End::Lost(format!("the chain process ended without a word ({status})"));
    attempt.end = end.unwrap_or_else(gone);
    attempt
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_gets_no_further_by_itself_is_given_up() {
        let mut supervision = Supervision::default();
        assert!(supervision.after(Some(7), false).is_some());
        for _ in 0..RESTARTS_IDLE_MAX {
            assert!(supervision.after(Some(7), false).is_some());
        }
        assert_eq!(supervision.after(Some(7), false), None);
        assert_eq!(supervision.restarts, u64::from(RESTARTS_IDLE_MAX) + 1);
    }

    #[test]
    fn a_run_that_is_struck_again_and_again_is_not() {
        let mut supervision = Supervision::default();
        for _ in 0..10 * RESTARTS_IDLE_MAX {
            let wait = supervision.after_a_strike(Some(7), false);
            assert!(wait.is_some_and(|wait| wait <= 2 * BACKOFF_MS), "{wait:?}");
        }
        assert_eq!(supervision.after_a_strike(Some(7), true), None, "unless it is to end");
    }
}
