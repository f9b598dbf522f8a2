//! Which program this is: the version, and the commit it was built from as far as the build knew it (`build.rs` of this crate).
//!
//! What belongs here: the words. What does not: who is compared by them, and what comes of it (`run::greeting`, `sweep`,
//! `commands::reproduce`). No hash depends on them: block 0 names its build beside its header.

/// The version, and the commit where it is known: `0.1.0 (d5cd6ab1f0)`, with `-dirty` where sources were changed.
pub const VERSION: &str = env!("BTEMU_VERSION");

/// The commit alone; empty where it is not known.
pub const COMMIT: &str = env!("BTEMU_COMMIT");

/// The build, as logs, hosts and results of jobs name it: another one may have other players, or decide otherwise.
pub const BUILD: &str = concat!("btemu ", env!("BTEMU_VERSION"));
