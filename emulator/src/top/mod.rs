//! `btemu top`: a run in a terminal, live or over.
//!
//! What belongs here: what is shown, what keys do, and how it looks. What does not: opening runs and telling failures
//! (`commands::top`).
//!
//! ```text
//! scraped (metrics) ─┐
//! finished (a log) ──┤                          keys ──┐
//! live (a door) ─────┴─ news ─▶ model ◀────────────────┘
//!        ▲                        │ └─▶ draw ─▶ terminal
//!        └──────── a wish ────────┘
//! ```
//! The model is all there is to see; drawing reads it and nothing else, so the same model looks the same anywhere.

/// How a model looks.
pub mod draw;
/// A finished run as a source of news.
pub mod finished;
/// A live run as a source of news.
pub mod live;
/// What is known and what is wanted.
pub mod model;
/// What of a state is shown.
pub mod scene;
/// A run elsewhere as a source of news.
pub mod scraped;
/// The terminal: keys in, pictures out.
pub mod terminal;
#[cfg(test)]
mod tests;
