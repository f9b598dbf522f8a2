//! Weights sealed until a beacon's round, and opened by the chain itself (30 §9.6).
//!
//! What belongs here: when such a commit may be made, and what the block step does with those that wait.
//! What does not: the bytes (`payload`), what weights may be set (`weights`).

use crate::balances::require;
use crate::commits::COMMITS_MAX;
use crate::event::{DropReason, Event, Sealed};
use crate::payload::{Payload, hash_of};
use crate::registration_math::{blocks_until_epoch, epoch_index};
use crate::rejection::Rejection;
use crate::state::{Subnet, TimelockedCommit};
use crate::tx::Tx;
use crate::units::{AccountId, NetUid};
use crate::weights::{Order, rested, store_weights};

/// The version that `commit_crv3_mechanism_weights` stands for.
pub const CRV3_VERSION: u16 = 4;

/// A sealed row as its setter orders it.
#[derive(Clone, Copy, Debug)]
pub struct Sealing<'a> {
    /// On which subnet.
    pub netuid: NetUid,
    /// For which mechanism.
    pub mechanism: u8,
    /// The sealed bytes.
    pub commit: &'a [u8],
    /// The beacon's round that opens them.
    pub reveal_round: u64,
    /// The version of the client's sealing.
    pub version: u16,
}

/// Under which epoch a commit of that block waits: unlike one by hash, a commit in the block of an epoch
/// belongs to the next.
pub fn commit_epoch(netuid: NetUid, tempo: u16, block: u64) -> u64 {
    let tick = blocks_until_epoch(netuid.0, tempo, block) == 0;
    epoch_index(netuid.0, tempo, block).saturating_add(u64::from(tick))
}

/// How many sealed rows of a hotkey wait under an epoch.
pub fn waiting(subnet: &Subnet, mechanism: u8, epoch: u64, hotkey: &AccountId) -> usize {
    let queue = subnet.timelocked.get(&(mechanism, epoch)).into_iter().flatten();
    queue.filter(|commit| commit.hotkey == *hotkey).count()
}

/// `commit_timelocked_weights`, `commit_timelocked_mechanism_weights` and
/// `commit_crv3_mechanism_weights`.
///
/// # Errors
/// The first check that fails, in the chain's order.
pub fn commit_timelocked_weights(
    tx: &mut Tx<'_>,
    hotkey: AccountId,
    sealing: &Sealing<'_>,
) -> Result<(), Rejection> {
    let Sealing { netuid, mechanism, commit, reveal_round, version } = *sealing;
    let state = tx.state();
    let subnet = state.subnet(netuid).ok_or(Rejection::MechanismDoesNotExist)?;
    let params = &subnet.params;
    require(mechanism < params.mechanism_count, Rejection::MechanismDoesNotExist)?;
    require(params.commit_reveal, Rejection::CommitRevealDisabled)?;
    let current = version == state.global.commit_reveal_version;
    require(current, Rejection::IncorrectCommitRevealVersion)?;
    let uid = subnet.neurons.uid(&hotkey).ok_or(Rejection::HotKeyNotRegisteredInSubNet)?;
    let block = state.height.0;
    require(rested(subnet, mechanism, uid, block), Rejection::CommittingWeightsTooFast)?;
    let epoch = commit_epoch(netuid, params.tempo, block);
    let own = waiting(subnet, mechanism, epoch, &hotkey);
    require(own < COMMITS_MAX, Rejection::TooManyUnrevealedCommits)?;

    let hash = hash_of(commit);
    tx.seal(Sealed::CommitPayload { commit: hash, payload: commit.to_vec() });
    tx.emit(Event::TimelockedWeightsCommitted {
        hotkey,
        netuid,
        mechanism,
        uid,
        hash,
        epoch,
        reveal_round,
    });
    Ok(())
}

/// The phase: opens what is due and whose round is stored, on every subnet but root.
pub fn reveal_due(tx: &mut Tx<'_>) {
    let waiting = tx.state().networks().filter(|(netuid, subnet)| {
        // Root's are never opened, and never expire.
        !netuid.is_root() && !subnet.timelocked.is_empty()
    });
    let waiting: alloc::vec::Vec<NetUid> = waiting.map(|(netuid, _)| netuid).collect();
    for netuid in waiting {
        reveal_due_subnet(tx, netuid);
    }
}

fn reveal_due_subnet(tx: &mut Tx<'_>, netuid: NetUid) {
    let state = tx.state();
    let Some(subnet) = state.subnet(netuid) else { return };
    let (count, period) = (subnet.params.mechanism_count, subnet.params.reveal_period);
    let now = epoch_index(netuid.0, subnet.params.tempo, state.height.0);
    #[cfg(feature = "planted")]
    let early = u64::from(crate::planted::active(crate::planted::Bug::EarlyReveal));
    #[cfg(feature = "planted")]
    let period = period.saturating_sub(early);
    let due = now.saturating_sub(period);
    for mechanism in 0..count {
        reveal_due_expire(tx, netuid, mechanism, due);
        if now < period {
            return;
        }
        reveal_due_queue(tx, netuid, mechanism, due);
    }
}

/// Queues of epochs before the one that is due are lost.
fn reveal_due_expire(tx: &mut Tx<'_>, netuid: NetUid, mechanism: u8, due: u64) {
    while let Some((epoch, commits)) = tx.state().subnet(netuid).and_then(|subnet| {
        let mut queues = subnet.timelocked.range((mechanism, 0)..(mechanism, due));
        queues.next().map(|((_, epoch), queue)| (*epoch, queue.len()))
    }) {
        let commits = u32::try_from(commits).unwrap_or(u32::MAX);
        tx.emit(Event::TimelockedCommitsExpired { netuid, mechanism, epoch, commits });
    }
}

/// Opens a queue in its order. What its round is missing for stays, before what comes after it.
fn reveal_due_queue(tx: &mut Tx<'_>, netuid: NetUid, mechanism: u8, epoch: u64) {
    let queues = tx.state().subnet(netuid).map(|subnet| &subnet.timelocked);
    let queue = queues.and_then(|queues| queues.get(&(mechanism, epoch))).cloned();
    let mut place = 0;
    for commit in queue.into_iter().flatten() {
        if !tx.state().global.beacon.holds(commit.round) {
            place += 1;
            continue;
        }
        let TimelockedCommit { hotkey, hash, .. } = commit;
        let event = match reveal_due_row(tx, netuid, mechanism, &commit) {
            Ok(()) => {
                Event::TimelockedWeightsRevealed { hotkey, netuid, mechanism, hash, epoch, place }
            }
            Err(reason) => Event::TimelockedCommitDropped {
                hotkey,
                netuid,
                mechanism,
                hash,
                epoch,
                place,
                reason,
            },
        };
        tx.emit(event);
    }
}

/// Sets the row behind a commit on behalf of who made it.
fn reveal_due_row(
    tx: &mut Tx<'_>,
    netuid: NetUid,
    mechanism: u8,
    commit: &TimelockedCommit,
) -> Result<(), DropReason> {
    let bytes = tx.state().vault().get(&commit.hash);
    let bytes =
        bytes.expect("the vault holds what queues name: State::keep_sealed after each block");
    let payload = Payload::open(bytes).ok_or(DropReason::Unreadable)?;
    let own = payload.hotkey.is_none_or(|hotkey| hotkey == commit.hotkey);
    if !own {
        return Err(DropReason::OtherHotkey);
    }
    let Payload { uids, values, version_key, .. } = &payload;
    let version_key = *version_key;
    let order = Order { netuid, mechanism, dests: uids, weights: values, version_key };
    store_weights(tx, commit.hotkey, &order).map_err(DropReason::Rejected)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_in_the_block_of_an_epoch_belongs_to_the_next() {
        // Index and ticks of the spec: 352 and 713 are ticks, 714 has index 2.
        for (block, epoch) in [(351, 0), (352, 1), (353, 1), (712, 1), (713, 2), (714, 2)] {
            assert_eq!(commit_epoch(NetUid(7), 360, block), epoch, "{block}");
        }
        // Without epochs each block is one of its own.
        assert_eq!(commit_epoch(NetUid(7), 0, 5), 13);
    }
}
