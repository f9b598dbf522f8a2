//! How a validator keeps its row to itself until it counts: sealed until a round of the beacon, or committed
//! by its hash and revealed in time.
//!
//! What belongs here: the calls, and when they are due. What does not: which row (`validator`), what the chain
//! does with them (`protocol`).

use crate::calendar::{block_ms, next_tick};
use crate::machine::Context;
use protocol::call::Call;
use protocol::commits::{self, COMMITS_MAX, Opening, Window, commit_hash};
use protocol::payload::Payload;
use protocol::registration_math::{epoch_index, first_block_of_epoch};
use protocol::state::Subnet;
use protocol::timelock::{self, commit_epoch};
use protocol::units::{Hash32, NetUid};
use protocol::weights::Order;
use serde::{Deserialize, Serialize};

const DRAW_NONCE: u64 = 4 << 56;
const DRAW_SALT: u64 = 5 << 56;
/// Numbers of a salt, as the chain's own client draws them.
const SALT_LENGTH: usize = 8;
/// Blocks into the epoch of its reveal from which a sealed row may be opened: room for blocks that come early.
const ROUND_LEAD_BLOCKS: u64 = 3;

/// How rows are committed where the chain asks for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CommitKind {
    /// Sealed until a round of the beacon; the chain opens it.
    #[default]
    Timelocked,
    /// By its hash; the validator opens it.
    Hash,
}

/// A row to be set: uids, their weights, the version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// On which subnet.
    pub netuid: NetUid,
    /// Target uids.
    pub uids: Vec<u16>,
    /// Their weights.
    pub values: Vec<u16>,
    /// The setter's software version.
    pub version_key: u64,
}

/// A row committed by its hash, to be revealed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Committed {
    intent: Intent,
    salt: Vec<u16>,
    hash: Hash32,
}

/// The sealed row, for the round that its client convention asks for: the last one published before the third
/// block after the predicted first one of its reveal (30 §9.7). `None` without a beacon, or while ten wait.
pub fn timelocked(intent: Intent, subnet: &Subnet, context: &Context<'_>) -> Option<Call> {
    let Intent { netuid, uids, values, version_key } = intent;
    let (state, me) = (context.view.state(), context.me.hotkey);
    let (params, next) = (&subnet.params, state.height.0 + 1);
    let epoch = commit_epoch(netuid, params.tempo, next);
    if timelock::waiting(subnet, 0, epoch, &me) >= COMMITS_MAX {
        return None;
    }
    let opened = epoch.saturating_add(params.reveal_period);
    let first = first_block_of_epoch(netuid.0, params.tempo, opened);
    let target_ms = block_ms(context, first.saturating_add(ROUND_LEAD_BLOCKS));
    let reveal_round = state.global.beacon.round_at(target_ms)?.saturating_sub(1).max(1);
    let nonce: [u8; 32] = context.dice(DRAW_NONCE).next_bytes();
    let commit = Payload { hotkey: Some(me), uids, values, version_key }.seal(&nonce);
    let commit_reveal_version = state.global.commit_reveal_version;
    Some(Call::CommitTimelockedWeights { netuid, commit, reveal_round, commit_reveal_version })
}

impl Committed {
    /// A row with a salt of its own; `None` while ten wait.
    pub fn new(intent: Intent, context: &Context<'_>) -> Option<Self> {
        let (state, me) = (context.view.state(), context.me.hotkey);
        if commits::waiting(state, intent.netuid, 0, &me) >= COMMITS_MAX {
            return None;
        }
        let mut dice = context.dice(DRAW_SALT);
        let salt: Vec<u16> = (0..SALT_LENGTH).map(|_| dice.next_u64() as u16).collect();
        let Intent { netuid, ref uids, ref values, version_key } = intent;
        let order = Order { netuid, mechanism: 0, dests: uids, weights: values, version_key };
        let hash = commit_hash(&me, &Opening { order, salt: &salt });
        Some(Self { intent, salt, hash })
    }

    /// The call that commits to it.
    pub const fn commit(&self) -> Call {
        Call::CommitWeights { netuid: self.intent.netuid, commit_hash: self.hash }
    }

    /// The call that reveals it.
    pub fn reveal(&self) -> Call {
        let Intent { netuid, uids, values, version_key } = self.intent.clone();
        Call::RevealWeights { netuid, uids, values, salt: self.salt.clone(), version_key }
    }

    /// Where it stands on the chain; `None` when the chain does not know it.
    pub fn standing(&self, context: &Context<'_>) -> Option<Window> {
        commits::standing(context.view.state(), self.intent.netuid, self.hash)
    }
}

/// When a commit of the next block can be revealed: the first block of its epoch has then been decided.
pub fn reveal_ms(netuid: NetUid, subnet: &Subnet, context: &Context<'_>) -> u64 {
    let (params, next) = (&subnet.params, context.view.state().height.0 + 1);
    let epoch = epoch_index(netuid.0, params.tempo, next).saturating_add(params.reveal_period);
    block_ms(context, first_block_of_epoch(netuid.0, params.tempo, epoch))
}

/// When a commit that came too early is looked at again: at the beginning of the next epoch.
pub fn later_ms(netuid: NetUid, subnet: &Subnet, context: &Context<'_>) -> Option<u64> {
    let tick = next_tick(netuid, subnet.params.tempo, context.view.state().height.0)?;
    Some(block_ms(context, tick + 1))
}
