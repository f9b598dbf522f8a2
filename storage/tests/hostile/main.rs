//! Hostile bytes: whatever is in a log, a portable file or a cache, reading it ends with a value or a typed error;
//! never with a panic, without end, or with memory that nobody stated.
//!
//! `INPUTS=1000000 cargo test -p storage --test hostile records` tries more than the few that a plain run does, and
//! `SEED=7` tries one again. `cargo bolero test -p storage records::any_record_is_read_or_refused` looks for inputs
//! that reach new code, for those who have cargo-bolero; what it finds belongs into `__fuzz__/*/corpus`, from where
//! every run replays it first. Findings that can be said in words are tests of their own, beside the target.

mod caches;
mod damage;
mod events;
mod golden;
mod history;
mod loose;
mod memory;
mod portable;
mod records;
mod trial;
