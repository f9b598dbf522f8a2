//! A million absurd calls: sensible ones with bytes turned over, as a damaged or hostile sender would have them.
//! Those that still can be read are decided; nothing panics, and one that is not done leaves no trace.
//!
//! `SEED=7 cargo test -p storage --test fuzz` plays one seed again; `CALLS=…` makes it longer or shorter.

#[path = "../../protocol/tests/network/mod.rs"]
mod network;

use network::{execute_watched, random};
use protocol::block;
use protocol::call::Call;
use protocol::dice::{Dice, Domain};
use protocol::state::State;
use protocol::tx::Tx;
use protocol::units::Height;
use std::collections::BTreeMap;
use storage::codec::{decode, encode};

/// Calls decided in a plain test run, over all seeds.
const CALLS: u64 = 1_000_000;
const SEEDS: u64 = 50;
const CALLS_PER_BLOCK: u64 = 40;
/// One call in so many is watched for traces.
const WATCHED: u64 = 400;

/// Turns some bytes of a call over: single bits, whole bytes, runs of the extremes.
fn damaged(call: &Call, dice: &mut Dice) -> Option<Call> {
    let mut bytes = encode(call);
    for _ in 0..1 + dice.below(3) {
        let at = usize::try_from(dice.below(bytes.len() as u64)).expect("short");
        match dice.below(5) {
            0 => bytes[at] ^= 1 << dice.below(8),
            1 => bytes[at] = u8::try_from(dice.below(256)).expect("a byte"),
            2 => bytes[at..].iter_mut().take(16).for_each(|byte| *byte = 0xff),
            3 => bytes[at..].iter_mut().take(16).for_each(|byte| *byte = 0),
            // Integers are short when small: a longer one moves what follows.
            _ => bytes.insert(at, [0xfb, 0xfc, 0xfd, 0xfe, 0xff][at % 5]),
        }
    }
    decode::<Call>(&bytes).ok()
}

/// A state, and what became of the calls on it.
struct Play {
    seed: u64,
    state: State,
    outcomes: BTreeMap<&'static str, u64>,
    unread: u64,
}

impl Play {
    fn block(&mut self) -> u64 {
        let height = Height(self.state.height.0 + 1);
        random::loosen(&mut self.state);
        let mut dice = Dice::new(self.seed, Domain::Player, 1, height.0, 0);
        let entropy = protocol::canon::hash("entropy", &height.0.to_le_bytes());
        let mut tx = Tx::in_block(&mut self.state, entropy);
        block::open(&mut tx, height);
        let mut done = 0;
        while done < CALLS_PER_BLOCK {
            let (origin, call) = random::call(tx.state(), &mut dice);
            let call = match dice.below(4) {
                0 => call,
                _ => match damaged(&call, &mut dice) {
                    Some(call) => call,
                    None => {
                        self.unread += 1;
                        continue;
                    }
                },
            };
            let watched = dice.below(WATCHED) == 0;
            let outcome = execute_watched(&mut tx, origin, &call, watched);
            *self.outcomes.entry(outcome.class()).or_default() += 1;
            done += 1;
        }
        block::close(&mut tx);
        done
    }
}

/// Says which seed and block it was when a panic passes.
struct Told(u64, u64);

impl Drop for Told {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("replay with SEED={} (block {})", self.0, self.1);
        }
    }
}

fn play(seed: u64, calls: u64) -> Play {
    let state = random::genesis(seed);
    let mut play = Play { seed, state, outcomes: BTreeMap::new(), unread: 0 };
    let mut done = 0;
    while done < calls {
        let _told = Told(seed, play.state.height.0 + 1);
        done += play.block();
    }
    play
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

#[test]
fn absurd_calls_never_panic_and_leave_nothing_when_refused() {
    let calls = number("CALLS").unwrap_or(CALLS);
    let (seeds, each) = match number("SEED") {
        Some(seed) => (vec![seed], calls),
        None => ((0..SEEDS).collect(), calls / SEEDS),
    };
    let plays: Vec<Play> = std::thread::scope(|scope| {
        let (even, odd): (Vec<u64>, Vec<u64>) = seeds.into_iter().partition(|seed| seed % 2 == 0);
        let threads = [even, odd].map(|seeds| {
            let played = move || seeds.into_iter().map(|seed| play(seed, each)).collect::<Vec<_>>();
            scope.spawn(played)
        });
        let played = threads.into_iter().map(|thread| thread.join().expect("a seed failed"));
        played.flatten().collect()
    });
    let mut outcomes: BTreeMap<&str, u64> = BTreeMap::new();
    for play in &plays {
        for (class, count) in &play.outcomes {
            *outcomes.entry(class).or_default() += count;
        }
    }
    let unread: u64 = plays.iter().map(|play| play.unread).sum();
    println!("{outcomes:?}, {unread} could not be read");
    for class in ["ok", "failed", "refused"] {
        let count = outcomes.get(class).copied().unwrap_or(0);
        assert!(count > calls / 200, "only {count} were {class}: {outcomes:?}");
    }
    assert!(unread > calls / 200, "{unread} could not be read");
}
