//! Hostile input: scenarios, messages between processes, knocks at the door, and logs that fold although nobody
//! decided them. Whatever comes, the answer is a value or one clear sentence; never a panic, never an endless loop.
//!
//! `INPUTS=1000000 cargo test -p emulator hostile::scenarios` tries more than the few that a plain run does, and
//! `SEED=7` tries one again. storage/tests/hostile says how a target is looked at with `cargo bolero test`.

#[path = "../../../storage/tests/hostile/damage.rs"]
mod damage;
#[path = "../../../storage/tests/hostile/golden.rs"]
mod golden;
#[path = "../../../storage/tests/hostile/history.rs"]
mod history;
mod readers;
mod scenarios;
#[path = "../../../storage/tests/hostile/trial.rs"]
mod trial;
mod wires;
