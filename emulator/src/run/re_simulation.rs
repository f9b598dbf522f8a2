//! Running a log's players again: the whole run from block 0 alone, in this process, each block compared with the one
//! held. Nothing is written.

use super::control::{Control, Wish};
use super::difference::Difference;
use super::engine::{Engine, begin_anew};
use super::engine_error::EngineError;
use super::hosts::Hosts;
use protocol::units::Height;
use storage::cache::Cache;
use storage::log::SledLog;

/// Makes every block up to one again. Gives the first that is different, and how.
///
/// # Errors
/// The log cannot be read, or an actor is gone.
pub fn simulate_again(
    log: SledLog,
    cache: Cache,
    until: Height,
    watch: impl FnMut(Height),
) -> Result<Option<(Height, Difference)>, EngineError> {
    let mut start = begin_anew(log, cache)?;
    actix::System::new().block_on(async {
        let seats = std::mem::take(&mut start.seats);
        let hosts = Hosts::local(&start.course(), seats, start.state.clone());
        let mut engine = Engine::new(start, hosts, None, Control::new(Wish::default()));
        engine.simulate_again(until, watch).await
    })
}
