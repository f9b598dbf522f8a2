//! Bugs of the shell planted for tests, beside those of the rules (`protocol::planted`): a check of the swarm must find
//! each. Compiled in under the feature `planted`, and off until one is planted.

use std::sync::atomic::{AtomicU8, Ordering};

/// A bug that can be planted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Bug {
    /// A message now and then vanishes uncounted.
    LostMessage = 1,
    /// A call now and then reaches the chain twice.
    DoubledCall = 2,
    /// A run that goes on from a checkpoint has forgotten the messages under way.
    ForgetfulCheckpoint = 3,
    /// A run that goes on from a checkpoint has forgotten a player.
    MissingPlayer = 4,
    /// Simulated faults do not end.
    UnhealedFault = 5,
}

/// Every bug, by the name it is planted under.
const ALL: &[(&str, Bug)] = &[
    ("lost-message", Bug::LostMessage),
    ("doubled-call", Bug::DoubledCall),
    ("forgetful-checkpoint", Bug::ForgetfulCheckpoint),
    ("missing-player", Bug::MissingPlayer),
    ("unhealed-fault", Bug::UnhealedFault),
];

static PLANTED: AtomicU8 = AtomicU8::new(0);

/// Names of all bugs, those of the rules first.
pub fn names() -> impl Iterator<Item = &'static str> {
    let rules = protocol::planted::Bug::ALL.iter().map(|(name, _)| *name);
    rules.chain(ALL.iter().map(|(name, _)| *name))
}

/// Plants the bug of a name, in place of any other; none removes it. Gives whether there is such a bug.
pub fn plant(name: Option<&str>) -> bool {
    let rules = protocol::planted::Bug::ALL;
    let rule = rules.iter().find(|(known, _)| Some(*known) == name).map(|(_, bug)| *bug);
    let own = ALL.iter().find(|(known, _)| Some(*known) == name).map(|(_, bug)| *bug);
    protocol::planted::plant(rule);
    PLANTED.store(own.map_or(0, |bug| bug as u8), Ordering::SeqCst);
    name.is_none() || rule.is_some() || own.is_some()
}

/// Whether this bug is planted.
pub fn active(bug: Bug) -> bool {
    PLANTED.load(Ordering::Relaxed) == bug as u8
}
