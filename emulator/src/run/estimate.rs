//! What a run will take, before it begins: disk and time, from its plan. An estimate: the figures per subnet, row and
//! message are those of the runs of docs/performance.md, and players differ.

use crate::plan::Plan;
use crate::run::books::{CHECKPOINTS_MAX, SNAPSHOTS_MAX};
use actors::registry::Role;
use nix::sys::statvfs::statvfs;
use protocol::units::{BLOCKS_PER_DAY, NetUid};
use std::path::Path;
use storage::codec::encode;

/// Bytes of a block in which nothing happens on no subnet.
const BLOCK_BYTES: f64 = 2_200.0;
/// Bytes that each subnet adds to each block: flow, share, price, injections.
const SUBNET_BYTES: f64 = 65.0;
/// Bytes that each uid adds to an epoch of its subnet.
const EPOCH_UID_BYTES: f64 = 130.0;
/// Bytes of what a validator does towards an epoch: queries, answers, its row.
const ROW_BYTES: f64 = 800.0;
/// Bytes of an order.
const ORDER_BYTES: f64 = 400.0;
/// What the store takes of the disk for each byte of blocks.
const STORE_FACTOR: f64 = 2.1;
/// What a packed state takes of a plain one.
const SNAPSHOT_FACTOR: f64 = 0.65;
/// What a player takes in a checkpoint, with its messages and calls on their way.
const CHECKPOINT_PLAYER_BYTES: f64 = 1_100.0;

/// Milliseconds of a block by what it holds, one process, on the machine of docs/performance.md.
const BLOCK_MS: f64 = 0.15;
const SUBNET_MS: f64 = 0.004;
const MESSAGE_MS: f64 = 0.008;
const EPOCH_UID_MS: f64 = 0.004;
/// Messages of a validator towards an epoch: queries and answers.
const MESSAGES_PER_EPOCH: f64 = 32.0;

/// What a run will take.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// Blocks it is made for.
    pub blocks: u64,
    /// Bytes of the log on disk.
    pub log_bytes: u64,
    /// Bytes of snapshots and checkpoints.
    pub cache_bytes: u64,
    /// Wall time in seconds, as fast as possible.
    pub seconds: f64,
}

/// How the caches of a run are made.
#[derive(Clone, Copy, Debug)]
pub struct Intervals {
    /// Blocks between snapshots; 0 for the last alone.
    pub snapshot: u64,
    /// Blocks between checkpoints; 0 for the last alone.
    pub checkpoint: u64,
}

/// What so many blocks of a plan will take.
pub fn estimate(plan: &Plan, blocks: u64, intervals: Intervals) -> Estimate {
    let subnets =
        plan.genesis.subnets.iter().filter(|(id, subnet)| **id != NetUid::ROOT && subnet.added);
    let (mut count, mut epoch_uids, mut epochs) = (0.0, 0.0, 0.0);
    for (_, subnet) in subnets {
        let period = f64::from(subnet.params.tempo) + 1.0;
        count += 1.0;
        epoch_uids += subnet.neurons.hotkeys.len() as f64 / period;
        epochs += 1.0 / period;
    }
    let of_role = |role: Role| {
        plan.players.iter().filter(|seat| seat.player.behaviour().role == role).count() as f64
    };
    let rows = if count > 0.0 { of_role(Role::Validator) * epochs / count } else { 0.0 };
    let orders = of_role(Role::Staker) / BLOCKS_PER_DAY as f64;
    let block_bytes = BLOCK_BYTES
        + count * SUBNET_BYTES
        + epoch_uids * EPOCH_UID_BYTES
        + rows * ROW_BYTES
        + orders * ORDER_BYTES;
    let block_ms = BLOCK_MS
        + count * SUBNET_MS
        + epoch_uids * EPOCH_UID_MS
        + rows * MESSAGES_PER_EPOCH * MESSAGE_MS;
    let kept = |interval: u64, most: usize| {
        let made = blocks.checked_div(interval).unwrap_or(0) + 1;
        made.min(most as u64) as f64
    };
    let state_bytes = encode(&plan.genesis).len() as f64;
    let snapshots = kept(intervals.snapshot, SNAPSHOTS_MAX) * state_bytes * SNAPSHOT_FACTOR;
    let players = plan.players.len() as f64 * CHECKPOINT_PLAYER_BYTES;
    let checkpoints = kept(intervals.checkpoint, CHECKPOINTS_MAX) * players;
    let blocks_f64 = blocks as f64;
    Estimate {
        blocks,
        log_bytes: (state_bytes + blocks_f64 * block_bytes * STORE_FACTOR) as u64,
        cache_bytes: (snapshots + checkpoints) as u64,
        seconds: blocks_f64 * block_ms / 1_000.0,
    }
}

impl Estimate {
    /// Bytes of everything.
    pub const fn bytes(&self) -> u64 {
        self.log_bytes.saturating_add(self.cache_bytes)
    }
}

/// Free bytes of the disk that holds a path, or the nearest folder above it; none if the system does not say.
pub fn free_bytes(path: &Path) -> Option<u64> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    let existing = path.ancestors().find(|folder| folder.exists()).unwrap_or(Path::new("."));
    let existing = if existing.as_os_str().is_empty() { Path::new(".") } else { existing };
    let disk = statvfs(existing).ok()?;
    Some(disk.blocks_available() as u64 * disk.fragment_size() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Overrides, load};

    fn estimate_of(name: &str, blocks: u64, snapshot: u64) -> Estimate {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../configs").join(name);
        let scenario = load(&path, &Overrides::default()).expect("what ships is valid");
        let plan = scenario.plan().expect("what ships is valid");
        estimate(&plan, blocks, Intervals { snapshot, checkpoint: 720 })
    }

    #[test]
    fn a_longer_and_a_larger_run_take_more() {
        let small = estimate_of("quickstart.toml", 720, 720);
        let long = estimate_of("quickstart.toml", 7_200, 720);
        let large = estimate_of("mainnet.toml", 720, 720);
        let rare = estimate_of("mainnet.toml", 7_200, 0);
        assert!(small.bytes() < long.bytes() && small.seconds < long.seconds);
        assert!(small.bytes() < large.bytes() && small.seconds < large.seconds);
        assert!(rare.cache_bytes < estimate_of("mainnet.toml", 7_200, 720).cache_bytes);
        assert!((10..100).contains(&(large.log_bytes >> 20)), "{large:?}");
    }

    #[test]
    fn the_disk_of_a_folder_to_be_made_is_that_of_the_one_above() {
        let here = free_bytes(Path::new(".")).expect("the system says");
        let below = free_bytes(Path::new("no/such/folder")).expect("the system says");
        assert!(here > 0 && below > 0);
    }
}
