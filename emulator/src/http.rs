//! How other programs are asked over HTTP: plainly, with a limit of time, and never elsewhere than at the address given.
//!
//! What belongs here: what all who ask have in common. What does not: what is asked, and what comes of an answer.

use std::time::Duration;
use ureq::Agent;

/// What asks. An answer of any status is an answer; one that takes longer is none.
pub fn agent(answer_ms_max: u64) -> Agent {
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .proxy(None)
        .user_agent(concat!("btemu/", env!("CARGO_PKG_VERSION")))
        .timeout_global(Some(Duration::from_millis(answer_ms_max)));
    Agent::new_with_config(config.build())
}
