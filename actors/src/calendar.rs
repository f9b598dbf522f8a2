//! When a player acts: blocks, epochs and random gaps in simulated time.
//!
//! Genesis is at time 0 and each block follows `BLOCK_MS` later, so the clock and the view's height
//! tell the time of every block.

use crate::machine::Context;
use protocol::dice::Dice;
use protocol::registration_math::blocks_until_epoch;
use protocol::units::{BLOCK_MS, NetUid};

/// The time of a block, in simulated milliseconds; of a block already decided, the time of the last one.
pub fn block_ms(context: &Context<'_>, height: u64) -> u64 {
    let last_ms = context.now_ms - context.now_ms % BLOCK_MS;
    let ahead = height.saturating_sub(context.view.state().height.0);
    last_ms.saturating_add(ahead.saturating_mul(BLOCK_MS))
}

/// The first block after `after` in which the subnet's epoch runs; `None` when its tempo is 0.
pub fn next_tick(netuid: NetUid, tempo: u16, after: u64) -> Option<u64> {
    let first = after.saturating_add(1);
    first.checked_add(blocks_until_epoch(netuid.0, tempo, first))
}

/// A time at least one block from now, `interval_blocks` blocks ahead on average: uniform between 1 and
/// twice the interval less 1, at a random moment of the block.
pub fn gap_ms(dice: &mut Dice, interval_blocks: u64) -> u64 {
    let longest = interval_blocks.max(1).saturating_mul(2).saturating_sub(1);
    let blocks = dice.between(1, longest);
    blocks.saturating_mul(BLOCK_MS).saturating_add(dice.below(BLOCK_MS))
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::dice::Domain;

    #[test]
    fn ticks_of_the_spec() {
        let rows = [(0, 352), (351, 352), (352, 713), (713, 1_074)];
        for (after, tick) in rows {
            assert_eq!(next_tick(NetUid(7), 360, after), Some(tick), "after {after}");
        }
        assert_eq!(next_tick(NetUid(7), 0, 5), None);
    }

    #[test]
    fn gaps_average_the_interval() {
        let gap = |n| gap_ms(&mut Dice::new(1, Domain::Player, 9, 0, n), 50);
        let mean = (0..4_000).map(gap).sum::<u64>() / 4_000;
        assert!((49 * BLOCK_MS..52 * BLOCK_MS).contains(&mean), "{mean}");
        assert!((0..100).all(|n| gap(n) >= BLOCK_MS));
    }
}
