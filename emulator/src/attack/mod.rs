//! Attacks, measured: every adversary against the same scenario with its players honest, on the same seeds.
//!
//! What belongs here: which attacks and defences there are, the two arms of a trial, and what they say together. What
//! does not: what an adversary does (`actors`), what is looked at in a run (`arm`), what shows it (`detect`), making
//! runs (`sweep`). docs/attacks.md defines every figure.

/// What makes an attack.
pub mod adversary;
/// Which attacks there are.
pub mod catalogue;
/// The same scenario without its attackers.
pub mod counterfactual;
/// Which defences can be compared.
pub mod defence;
/// What two arms say, and what all seeds say.
pub mod outcome;
/// Summaries as JSON and as tables.
pub mod output;
/// Summaries as a page.
pub mod page;
/// From a command to the runs it needs.
pub mod trial;
