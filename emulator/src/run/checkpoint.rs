//! What a run goes on from.

use super::hub::HubMemory;
use super::seats::PackedSeats;
use super::totals::Totals;
use serde::{Deserialize, Serialize};

/// Everything outside the log that a run needs to go on from a block; where a fork follows the block, as it was
/// before the fork changed anything.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The hub's memory.
    pub hub: HubMemory,
    /// The players, as their hosts packed them.
    pub hosts: Vec<PackedSeats>,
    /// Counts so far.
    pub totals: Totals,
}
