//! Logs that were changed by somebody who knows how to chain hashes: each of the three ways to verify finds what the
//! one before cannot.

use super::{Verdict, VerifyArguments, verdict};
use crate::plan::Plan;
use crate::run::chain::drive;
use crate::run::control::Control;
use crate::run::order::ChainOrder;
use crate::run::re_execution::input_of;
use crate::scenario::{Overrides, load};
use protocol::apply::apply;
use protocol::block::{decide_block, seal};
use protocol::call::Call;
use protocol::event::Event;
use protocol::frame::{CallRecord, Frame, calls_root, events_root};
use protocol::rejection::Outcome;
use protocol::units::{Height, Rao};
use std::path::Path;
use storage::log::{Durability, EventLog, SledLog};
use storage::record::Genesis;
use storage::runfolder::RunFolder;

/// Makes a run folder with a log of nothing but a plan.
fn begin(path: &Path, plan: &Plan) -> (RunFolder, SledLog) {
    let folder = RunFolder::create_at(path).expect("writable");
    let (build, plan) = ("test".to_owned(), plan.clone());
    let genesis = Genesis { build, header: plan.genesis_header(), plan };
    let log = SledLog::create(&folder.log_dir(), &genesis, Durability::End).expect("writable");
    (folder, log)
}

/// A run of a scenario that ships, and its blocks.
fn ran(path: &Path, name: &str, set: &[(&str, &str)], blocks: u64) -> (Plan, Vec<Frame>) {
    let scenario = Path::new(env!("CARGO_MANIFEST_DIR")).join("../configs").join(name);
    let set = set.iter().map(|(path, value)| ((*path).to_owned(), (*value).to_owned()));
    let scenario = load(&scenario, &Overrides { set: set.collect(), ..Overrides::default() });
    let plan = scenario.expect("what ships is valid").plan().expect("what ships is valid");
    let (folder, log) = begin(path, &plan);
    drop(log);
    let until = Height(plan.genesis.height.0 + blocks);
    let order = ChainOrder::inside(folder.path.clone(), until);
    let control = Control::new(order.wish());
    actix::System::new().block_on(drive(&order, control, |_| ())).expect("it runs");
    let log = SledLog::open(&folder.log_dir()).expect("the run is over");
    let frames: Result<Vec<Frame>, _> = log.frames(Height(0), log.tip()).collect();
    (plan, frames.expect("all are sound"))
}

fn checked(path: &Path, re_execute: bool, re_simulate: bool) -> Verdict {
    let run = path.to_owned();
    let arguments = VerifyArguments { run, re_execute, re_simulate, json: true };
    verdict(&arguments).unwrap_or_else(|failure| panic!("{failure}"))
}

/// Makes every hash and root anew, so that changed events fold.
fn rechained(plan: &Plan, mut frames: Vec<Frame>) -> Vec<Frame> {
    let (mut state, mut parent) = (plan.genesis.clone(), plan.genesis_header().hash());
    for frame in &mut frames {
        for event in &frame.events {
            apply(&mut state, event).expect("it fits");
        }
        state.keep_sealed(&frame.events, &frame.sealed);
        let header = &mut frame.header;
        header.parent = parent;
        header.calls_root = calls_root(&frame.calls, &frame.refused);
        header.events_root = events_root(&frame.events, &frame.sealed);
        header.state_root = state.root();
        parent = header.hash();
    }
    frames
}

/// Decides every block anew, so that changed calls come to what they would have.
fn decided_again(plan: &Plan, frames: Vec<Frame>) -> Vec<Frame> {
    let (mut state, mut parent) = (plan.genesis.clone(), plan.genesis_header().hash());
    let frames = frames.into_iter().map(|frame| {
        let input = input_of(&plan.course(frame.header.height), &frame);
        let decided = decide_block(&mut state, &input);
        let header = seal(&mut state, parent, &input, &decided, &frame.facts);
        parent = header.hash();
        Frame {
            header,
            calls: decided.calls,
            refused: decided.refused,
            events: decided.events,
            sealed: decided.sealed,
            facts: frame.facts,
        }
    });
    frames.collect()
}

fn log_of(path: &Path, plan: &Plan, frames: &[Frame]) {
    let (_, mut log) = begin(path, plan);
    for frame in frames {
        log.append(frame).expect("it follows");
    }
}

/// The first frame with something to change, and the change made.
fn change<T>(frames: &mut [Frame], what: impl Fn(&mut Frame) -> Option<T>) -> u64 {
    let changed = frames.iter_mut().skip(5).find_map(|frame| {
        let height = frame.header.height.0;
        what(frame).map(|_| height)
    });
    changed.expect("it happens in the run")
}

fn staked(record: &mut CallRecord) -> Option<&mut Rao> {
    match &mut record.call {
        Call::AddStake { amount_staked, .. } if record.outcome == Outcome::Ok => {
            Some(amount_staked)
        }
        _ => None,
    }
}

#[test]
fn what_a_log_holds_comes_out_again() {
    type Row<'a> = (&'a str, &'a [(&'a str, &'a str)], u64);
    let rows: [Row<'_>; 5] = [
        ("quickstart.toml", &[("hyperparameters.commit_reveal", "true")], 90),
        // Calls wait, find the pool full, and are counted beyond the kept.
        (
            "quickstart.toml",
            &[
                ("limits.extrinsics_per_block_max", "1"),
                ("limits.pool_max", "1"),
                ("limits.refused_kept_max", "1"),
                ("players.movers.settings.interval_blocks", "2"),
            ],
            60,
        ),
        ("registration-race.toml", &[], 60),
        ("living-network.toml", &[], 130),
        ("mainnet.toml", &[], 12),
    ];
    for (name, set, blocks) in rows {
        let folder = tempfile::tempdir().expect("writable");
        let path = folder.path().join("run");
        let (_, frames) = ran(&path, name, set, blocks);
        if blocks == 60 && !set.is_empty() {
            assert!(frames.iter().any(|frame| !frame.refused.is_empty()), "none were counted");
        }
        let verdict = checked(&path, true, true);
        assert!(verdict.sound, "{name}: {verdict:?}");
        let again = (verdict.re_executed_blocks, verdict.re_simulated_blocks);
        assert_eq!(again, (Some(blocks), Some(blocks)), "{name}");
    }
}

#[test]
fn a_changed_event_is_found_when_calls_are_decided_again() {
    let folder = tempfile::tempdir().expect("writable");
    let (plan, mut frames) = ran(&folder.path().join("run"), "quickstart.toml", &[], 60);
    let at = change(&mut frames, |frame| {
        frame.events.iter_mut().find_map(|event| match event {
            Event::BalanceCredited { amount, .. } => {
                amount.0 += 1;
                Some(())
            }
            _ => None,
        })
    });
    let forged = folder.path().join("forged");
    log_of(&forged, &plan, &rechained(&plan, frames));
    assert!(checked(&forged, false, false).sound, "its hashes are chained anew");
    for (re_execute, re_simulate) in [(true, false), (false, true), (true, true)] {
        let verdict = checked(&forged, re_execute, re_simulate);
        assert_eq!((verdict.sound, verdict.damaged_block), (false, Some(at)), "{verdict:?}");
        let part = verdict.difference.expect("it is told").part;
        assert!(part.contains("(BalanceCredited), amount"), "{part}");
        assert_eq!(verdict.re_executed_blocks, re_execute.then_some(at - 1));
        assert_eq!(verdict.re_simulated_blocks, re_simulate.then_some(at - 1));
    }
}

#[test]
fn a_call_that_no_player_made_is_found_when_players_are_run_again() {
    let folder = tempfile::tempdir().expect("writable");
    let (plan, mut frames) = ran(&folder.path().join("run"), "quickstart.toml", &[], 60);
    let at = change(&mut frames, |frame| {
        frame.calls.iter_mut().find_map(staked).map(|amount| amount.0 -= 1)
    });
    let forged = folder.path().join("forged");
    log_of(&forged, &plan, &decided_again(&plan, frames));
    let verdict = checked(&forged, true, false);
    assert!(verdict.sound, "the rules decide it so: {verdict:?}");
    let verdict = checked(&forged, true, true);
    assert_eq!((verdict.sound, verdict.damaged_block), (false, Some(at)), "{verdict:?}");
    let difference = verdict.difference.expect("it is told");
    assert!(
        difference.part.contains("add_stake") && difference.part.contains("amount"),
        "{difference}"
    );
}

#[test]
fn calls_that_the_plan_or_the_order_forbids_are_found_without_the_players() {
    type Forge = fn(&mut Frame) -> Option<()>;
    let forgeries: [(Forge, &str); 4] = [
        (
            |frame| {
                let mut record = frame.calls.first()?.clone();
                record.player = protocol::units::PlayerId::CHAIN;
                record.origin = protocol::call::Origin::Root;
                frame.calls.insert(0, record);
                Some(())
            },
            "root call 0",
        ),
        (
            |frame| {
                frame.calls.get_mut(1)?;
                frame.calls.swap(0, 1);
                Some(())
            },
            "call 0",
        ),
        (
            |frame| {
                frame.calls.first_mut()?.due_ms += 12_000;
                Some(())
            },
            "due_ms",
        ),
        (
            |frame| {
                frame.refused.push(protocol::frame::RefusedCount {
                    player: protocol::units::PlayerId(5),
                    reason: protocol::rejection::Refusal::PoolFull,
                    count: 3,
                });
                Some(())
            },
            "the number of refused calls kept",
        ),
    ];
    let folder = tempfile::tempdir().expect("writable");
    let (plan, frames) = ran(&folder.path().join("run"), "quickstart.toml", &[], 60);
    for (index, (forge, expected)) in forgeries.iter().enumerate() {
        let mut frames = frames.clone();
        let at = change(&mut frames, forge);
        let forged = folder.path().join(index.to_string());
        log_of(&forged, &plan, &rechained(&plan, frames));
        let verdict = checked(&forged, true, false);
        assert_eq!(verdict.damaged_block, Some(at), "{expected}: {verdict:?}");
        let part = verdict.difference.expect("it is told").part;
        assert!(part.contains(expected), "{part}");
    }
}
