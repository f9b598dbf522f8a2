//! The disturbed leg of a trial: a run that dies and goes on, again and again, until it has made its last block.
//!
//! What belongs here: one life after the other in this process: hosts on threads behind a relay where frames are to be
//! disturbed, a log that fails. What does not: real processes (`processes`).

use super::failure::{Failure, Or, said};
use super::leg::{begin, manner, same};
use super::readings::Reading;
use crate::run::control::{Control, Wish};
use crate::run::disturbance::{Disturbance, Layer, Strike, Struck};
use crate::run::engine::{Engine, Happening, Start, pick_up};
use crate::run::engine_error::EngineError;
use crate::run::failing_log::{FailingLog, Verdict, leave_behind};
use crate::run::greeting::{Awaited, greet};
use crate::run::host::{HostOrder, serve};
use crate::run::hosts::Hosts;
use crate::run::link::{Listener, Pass, Place};
use crate::run::relay::{Quiver, relay};
use crate::run::repair::repair;
use crate::scenario::Scenario;
use protocol::dice::{Dice, Domain};
use protocol::frame::Header;
use protocol::units::Height;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use storage::carve::DB;
use storage::fold::Folder;
use storage::log::{Durability, EventLog, SledLog};
use storage::runfolder::RunFolder;
use tokio::net::UnixListener;

/// Lives of a run at most: each strike ends one at most, and each is one more.
const LIVES_MAX: usize = 64;
/// Hosts behind the relay.
const HOSTS: u32 = 2;
/// How long a host may be silent: a lost frame is waited for that long.
const SILENCE_MS_MAX: u64 = 700;
/// How long hosts may take to join.
const JOIN_MS_MAX: u64 = 10_000;
/// Tells the draws of what is left behind from others of the same seed.
const LEFT_BEHIND: u64 = 0x4c45_4654;

/// A run to disturb.
#[derive(Clone, Debug)]
pub struct Lives<'a> {
    /// What it is.
    pub scenario: &'a Scenario,
    /// Where its folder is made.
    pub folder: PathBuf,
    /// What strikes it.
    pub strikes: Vec<Strike>,
    /// The last block of the same run undisturbed.
    pub straight: &'a Header,
}

/// Makes the run while it is disturbed, and compares. With `damage`, its log is damaged afterwards, repaired and resumed.
///
/// # Errors
/// The first check that does not hold.
pub fn disturbed(lives: &Lives<'_>, damage: Reading, struck: &mut Struck) -> Result<(), Failure> {
    let plan = lives.scenario.plan().or_fail("scenarios_are_taken")?;
    let (folder, log) = begin(plan, &lives.folder)?;
    drop(log);
    let mut body = Body {
        lives,
        folder,
        left: lives.strikes.clone(),
        quiver: Quiver::default(),
        repairs: 0,
        dice: Dice::new(lives.scenario.seed(), Domain::Study, LEFT_BEHIND, 0, 0),
    };
    let mut header = None;
    for _ in 0..LIVES_MAX {
        header = body.live(struck)?;
        if header.is_some() {
            break;
        }
    }
    let header = header.ok_or_else(|| {
        Failure::new("disturbed_runs_end", format!("{LIVES_MAX} lives brought no end"))
    })?;
    same("disturbed_comes_to_the_same", header.hash(), lives.straight.hash())?;
    if damage == Reading::Made {
        body.damage(struck)?;
    }
    Ok(())
}

/// A run between two lives.
struct Body<'a> {
    lives: &'a Lives<'a>,
    folder: RunFolder,
    /// Strikes that have not struck.
    left: Vec<Strike>,
    quiver: Quiver,
    repairs: u32,
    dice: Dice,
}

/// How a life ended.
enum End {
    Whole(Box<Header>),
    Dead,
}

impl Body<'_> {
    /// One life, from the newest checkpoint on. Gives the last header if it was the last one.
    fn live(&mut self, struck: &mut Struck) -> Result<Option<Header>, Failure> {
        let verdict = Verdict::default();
        let log = self.log()?;
        let start = pick_up(log, self.folder.cache()).or_fail("runs_go_on")?;
        let end = self.life(start, &verdict);
        for strike in self.quiver.take_fired() {
            *struck.entry(strike.what).or_insert(0) += 1;
        }
        match end? {
            End::Whole(header) => Ok(Some(*header)),
            End::Dead => {
                if let Some(dead) = verdict.get() {
                    *struck.entry(dead.strike.what).or_insert(0) += 1;
                    let at = self.left.iter().position(|strike| *strike == dead.strike);
                    self.left.remove(at.expect("only what is left can strike"));
                    let left = leave_behind(&self.folder, dead, &mut self.dice);
                    left.or_fail("folders_are_made")?;
                }
                Ok(None)
            }
        }
    }

    /// The log, of a run that was repaired if the store does not open.
    fn log(&mut self) -> Result<SledLog, Failure> {
        let path = self.folder.log_dir();
        let log = match SledLog::open(&path) {
            Err(error) if error.is_damage() => {
                self.repair()?;
                SledLog::open(&self.folder.log_dir())
            }
            opened => opened,
        };
        Ok(log.or_fail("logs_open_again")?.with_durability(Durability::End))
    }

    /// From here on the run is the longest good prefix of what it was.
    fn repair(&mut self) -> Result<(), Failure> {
        self.repairs += 1;
        let mut to = self.lives.folder.clone().into_os_string();
        to.push(format!("-{}", self.repairs));
        let to = PathBuf::from(to);
        repair(&self.folder.path, &to, |_| ()).or_fail("damaged_logs_are_repaired")?;
        self.folder = RunFolder { path: to };
        Ok(())
    }

    fn has_hosts(&self) -> bool {
        let strikes = self.lives.strikes.iter();
        let mut strikes = strikes;
        strikes.any(|it| it.what.layer() == Layer::Wire || it.what == Disturbance::KillHost)
    }

    fn life(&mut self, mut start: Start, verdict: &Verdict) -> Result<End, Failure> {
        let scenario = self.lives.scenario;
        let genesis = start.plan.genesis.height;
        let until = Height(genesis.0 + scenario.blocks());
        let manner = manner(scenario, until);
        let strikes = self.left.iter().filter(|it| kills_chain(it.what)).copied().collect();
        let durability = scenario.log().durability;
        let path = self.folder.log_dir();
        let mut arrows = Vec::new();
        self.left.retain(|strike| {
            let is_mine = kills_chain(strike.what);
            if !is_mine {
                arrows.push(*strike);
            }
            is_mine
        });
        let (quiver, has_hosts) = (self.quiver.clone(), self.has_hosts());
        // What its life does not come to is for the next one.
        let mut unused = arrows.clone();
        let mut threads = Vec::new();
        let lived = actix::System::new().block_on(async {
            let seats = std::mem::take(&mut start.seats);
            let hosts = match has_hosts {
                false => Hosts::local(&start.course(), seats, start.state.clone()),
                true => {
                    let (guests, joined) = invite(&self.lives.folder, &quiver).await?;
                    threads = joined;
                    let (silence, dealing) = (SILENCE_MS_MAX, scenario.dealing());
                    let course = start.course();
                    let dealt =
                        Hosts::remote(&course, seats, &start.state, guests, silence, dealing);
                    match dealt.await {
                        Ok(hosts) => hosts,
                        Err(error) if error.is_of_a_process() => return Ok(End::Dead),
                        Err(error) => return Err(Failure::new("runs_go_on", error)),
                    }
                }
            };
            let from = start.header.height;
            let mut arm = |height: Height| {
                unused.retain(|strike| {
                    let is_due = strike.at <= Height(height.0 + 1);
                    if is_due {
                        quiver.arm(*strike);
                    }
                    !is_due
                });
            };
            arm(from);
            let engine = Engine::new(start, hosts, None, Control::new(Wish::default()));
            let mut engine = engine.over(|log| {
                Box::new(FailingLog::new(log, path, durability, strikes, verdict.clone()))
            });
            let made = engine.run(&manner, |tick| {
                if let Happening::Block(frame) = tick.what {
                    arm(frame.header.height);
                }
            });
            match made.await {
                Ok(_) => {
                    if let Some(violation) = engine.violation() {
                        return Err(Failure::new(violation.name, &violation.detail));
                    }
                    Ok(End::Whole(Box::new(engine.header().clone())))
                }
                Err(EngineError::Log(_)) if verdict.get().is_some() => Ok(End::Dead),
                Err(EngineError::Host(error)) if error.is_of_a_process() => Ok(End::Dead),
                Err(error @ EngineError::Diverged { .. }) => {
                    Err(Failure::new("disturbed_comes_to_the_same", error))
                }
                Err(error) => Err(Failure::new("runs_go_on", error)),
            }
        });
        self.left.extend(unused);
        for thread in threads {
            thread.join().map_err(|panic| Failure::new("nothing_panics", said(panic.as_ref())))?;
        }
        lived
    }

    /// Changes bytes of the store of a run that is over. It must be found out, and what was before must be kept.
    fn damage(&mut self, struck: &mut Struck) -> Result<(), Failure> {
        let path = self.folder.log_dir().join(DB);
        let tip = self.lives.straight;
        let mut bytes = std::fs::read(&path).or_fail("folders_are_made")?;
        let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        // The first half holds block 0, without which nothing can be had.
        let at = self.dice.between(end as u64 / 2, end as u64 - 1) as usize;
        match self.dice.below(3) {
            0 => bytes[at] ^= 1 << self.dice.below(8),
            1 => bytes[at..].fill(0),
            _ => bytes.truncate(at),
        }
        std::fs::write(&path, bytes).or_fail("folders_are_made")?;
        match sound_tip(&self.folder) {
            Ok(header) => return same("damage_is_found", header.hash(), tip.hash()),
            Err(failure) if failure.check == "damage_is_found" => return Err(failure),
            Err(_) => {}
        }
        self.repair()?;
        for _ in 0..LIVES_MAX {
            if let Some(header) = self.live(struck)? {
                return same("repaired_comes_to_the_same", header.hash(), tip.hash());
            }
        }
        Err(Failure::new("disturbed_runs_end", "a repaired run does not end"))
    }
}

/// The last header of a log that is sound from end to end. An error is damage that was found.
fn sound_tip(folder: &RunFolder) -> Result<Header, Failure> {
    let log = SledLog::open(&folder.log_dir()).or_fail("found")?;
    let genesis = log.genesis::<crate::plan::Plan>().or_fail("found")?;
    let folded = Folder::new(genesis.plan.genesis.clone(), &genesis.header);
    let mut folded = folded.or_fail("found")?;
    for frame in log.frames(Height(genesis.header.height.0 + 1), log.tip()) {
        folded.fold(&frame.or_fail("found")?).or_fail("found")?;
    }
    Ok(folded.header().clone())
}

/// What ends the chain's life when its log is asked for a block.
fn kills_chain(what: Disturbance) -> bool {
    what.layer() == Layer::Storage || what == Disturbance::KillChain
}

/// Hosts on threads of this process, behind a relay.
async fn invite(
    beside: &Path,
    quiver: &Quiver,
) -> Result<(Vec<crate::run::greeting::Guest>, Vec<JoinHandle<()>>), Failure> {
    let sockets = tempfile::Builder::new().prefix("btemu-").tempdir();
    let sockets = sockets.or_fail("folders_are_made")?;
    let run = beside.file_name().map_or_else(String::new, |it| it.display().to_string());
    let pass = Pass { run, token: "within one process".to_owned() };
    let place = Place::Unix(sockets.path().join("chain"));
    let listener = Listener::open(&place, &pass).await.or_fail("folders_are_made")?;
    let front = sockets.path().join("relay");
    let between = UnixListener::bind(&front).or_fail("folders_are_made")?;
    tokio::spawn(relay(between, place, quiver.clone()));
    let hosts = (0..HOSTS).map(|host| {
        let order = HostOrder {
            place: Place::Unix(front.clone()),
            run: pass.run.clone(),
            host: Some(host),
            token: pass.token.clone(),
        };
        std::thread::spawn(move || {
            if let Err(error) = serve(&order) {
                tracing::debug!(host, %error, "a host on a thread ended");
            }
        })
    });
    let threads = hosts.collect();
    let awaited = Awaited { pass: pass.clone(), own: HOSTS, outside: 0, wait_ms_max: JOIN_MS_MAX };
    let guests = greet(&awaited, listener, &mut |_| {}).await.or_fail("hosts_join")?;
    Ok((guests, threads))
}
