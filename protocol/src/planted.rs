//! Bugs planted for tests: each must be found by an invariant or a golden case.
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
