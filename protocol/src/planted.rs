//! Bugs planted for tests: each must be found by an invariant, a golden case, or a check of the swarm.
//!
//! Compiled in under the test-only feature `planted`, and off until a test plants one.

use core::sync::atomic::{AtomicU8, Ordering};

/// A bug that can be planted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Bug {
    /// The chain counts one rao more than it injects.
    EmissionPlusOneRao = 1,
    /// The epoch does not clip weights above consensus.
    MissedClip = 2,
    /// A share change is applied twice.
    DoubleApply = 3,
    /// What a failed call had changed stays.
    ForgetfulUndo = 4,
    /// Writes to accounts do not reach the kept hashes.
    StaleRoot = 5,
    /// A holder's part of a share pool is rounded up.
    ShareRoundedUp = 6,
    /// Who takes a uid gets weights, bonds and incentive of who had it.
    InheritedUid = 7,
    /// Sealed rows are opened an epoch early.
    EarlyReveal = 8,
    /// Calls of one class are decided from the last to the first.
    CallsReversed = 9,
    /// One rao of each credit is dropped.
    DroppedRao = 10,
    /// The nonce of a signer stands still.
    NonceStandsStill = 11,
}

impl Bug {
    /// Every bug, by the name it is planted under.
    pub const ALL: &'static [(&'static str, Self)] = &[
        ("emission-off-by-one", Self::EmissionPlusOneRao),
        ("missed-clip", Self::MissedClip),
        ("double-apply", Self::DoubleApply),
        ("forgetful-undo", Self::ForgetfulUndo),
        ("stale-root", Self::StaleRoot),
        ("share-rounded-up", Self::ShareRoundedUp),
        ("inherited-uid", Self::InheritedUid),
        ("early-reveal", Self::EarlyReveal),
        ("calls-reversed", Self::CallsReversed),
        ("dropped-rao", Self::DroppedRao),
        ("nonce-stands-still", Self::NonceStandsStill),
    ];
}

static PLANTED: AtomicU8 = AtomicU8::new(0);

/// Plants a bug, or removes it.
pub fn plant(bug: Option<Bug>) {
    PLANTED.store(bug.map_or(0, |bug| bug as u8), Ordering::SeqCst);
}

/// Whether this bug is planted.
pub fn active(bug: Bug) -> bool {
    PLANTED.load(Ordering::Relaxed) == bug as u8
}
