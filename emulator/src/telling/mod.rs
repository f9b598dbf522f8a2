//! Telling people: events and calls as facts and as lines, figures in words, and what is said beside the data.
//!
//! What belongs here: whatever commands, pages, exports and the terminal tell alike. What does not: what one command alone
//! tells (`commands`), and names (`names`).

/// Events and calls as facts: columns taken apart.
pub mod facts;
/// Numbers as people read them.
pub mod figures;
/// Facts and calls as lines for people.
pub mod lines;

use std::io::Write;

/// Says something on standard error; a run does not fail because nobody listens there.
pub fn tell_talk(text: &str) {
    if let Err(error) = std::io::stderr().lock().write_all(text.as_bytes()) {
        tracing::debug!(%error, "standard error is closed");
    }
}
