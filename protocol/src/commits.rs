//! Weights committed by their hash and revealed later (30 §9.1–§9.5).
//!
//! What belongs here: when a commit may be made and opened. What does not: what weights may be set
//! (`weights`).

use crate::balances::require;
use crate::event::Event;
use crate::payload::{hash_of, write_length};
use crate::registration_math::epoch_index;
use crate::rejection::Rejection;
use crate::state::{Commit, State, Subnet, TimelockedCommit};
use crate::tx::Tx;
use crate::units::{AccountId, Hash32, NetUid};
use crate::weights::{Order, rested, store_weights};
use alloc::vec::Vec;

/// Commits of one hotkey that may wait on one mechanism.
pub const COMMITS_MAX: usize = 10;
/// Mechanisms are numbered apart from subnets by this stride.
const MECHANISM_STRIDE: u16 = 4_096;

/// What a reveal opens: the unscaled row, salted.
#[derive(Clone, Copy, Debug)]
pub struct Opening<'a> {
    /// The row, as it was committed.
    pub order: Order<'a>,
    /// What kept it from being guessed.
    pub salt: &'a [u16],
}

/// The hash that commits a hotkey to a row: BLAKE2b-256 of the SCALE encoding of account, storage
/// index, uids, values, salt and version key (30 §9.2).
pub fn commit_hash(hotkey: &AccountId, opening: &Opening<'_>) -> Hash32 {
    let Opening { order, salt } = *opening;
    let index = MECHANISM_STRIDE.saturating_mul(u16::from(order.mechanism));
    let mut bytes = Vec::with_capacity(64 + 2 * (order.dests.len() * 2 + salt.len()));
    bytes.extend_from_slice(&hotkey.0);
    bytes.extend_from_slice(&index.saturating_add(order.netuid.0).to_le_bytes());
    for list in [order.dests, order.weights, salt] {
        write_length(list.len(), &mut bytes);
        bytes.extend(list.iter().flat_map(|item| item.to_le_bytes()));
    }
    bytes.extend_from_slice(&order.version_key.to_le_bytes());
    hash_of(&bytes)
}

/// Where a commit stands at a block, by the present tempo (30 §9.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    /// It cannot be opened yet.
    TooEarly,
    /// It can be opened.
    Open,
    /// It can no longer be opened.
    Expired,
}

fn window(netuid: NetUid, subnet: &Subnet, block: u64, commit: &Commit) -> Window {
    let tempo = subnet.params.tempo;
    let due = epoch_index(netuid.0, tempo, commit.block);
    let due = due.saturating_add(subnet.params.reveal_period);
    match epoch_index(netuid.0, tempo, block).cmp(&due) {
        core::cmp::Ordering::Less => Window::TooEarly,
        core::cmp::Ordering::Equal => Window::Open,
        core::cmp::Ordering::Greater => Window::Expired,
    }
}

fn queue<'a>(subnet: &'a Subnet, mechanism: u8, hotkey: &AccountId) -> &'a [Commit] {
    subnet.commits.get(&(mechanism, *hotkey)).map_or(&[], Vec::as_slice)
}

/// Commits at the front of a queue that can no longer be opened.
fn expired(netuid: NetUid, subnet: &Subnet, block: u64, queue: &[Commit]) -> usize {
    queue
        .iter()
        .take_while(|commit| window(netuid, subnet, block, commit) == Window::Expired)
        .count()
}

/// Whether a netuid asks for commits; one without a subnet has its flag too.
fn enabled(state: &State, netuid: NetUid) -> bool {
    state.subnets.get(&netuid).is_none_or(|subnet| subnet.params.commit_reveal)
}

/// `commit_weights` and `commit_mechanism_weights` (30 §9.3).
///
/// # Errors
/// The first check that fails, in the chain's order.
pub fn commit_weights(
    tx: &mut Tx<'_>,
    hotkey: AccountId,
    netuid: NetUid,
    mechanism: u8,
    hash: Hash32,
) -> Result<(), Rejection> {
    let state = tx.state();
    let subnet = state.subnet(netuid).ok_or(Rejection::MechanismDoesNotExist)?;
    let known = mechanism < subnet.params.mechanism_count;
    require(known, Rejection::MechanismDoesNotExist)?;
    require(enabled(state, netuid), Rejection::CommitRevealDisabled)?;
    let uid = subnet.neurons.uid(&hotkey).ok_or(Rejection::HotKeyNotRegisteredInSubNet)?;
    let block = state.height.0;
    require(rested(subnet, mechanism, uid, block), Rejection::CommittingWeightsTooFast)?;
    let queue = queue(subnet, mechanism, &hotkey);
    let dropped = expired(netuid, subnet, block, queue);
    require(queue.len() - dropped < COMMITS_MAX, Rejection::TooManyUnrevealedCommits)?;

    let tempo = u64::from(subnet.params.tempo);
    let due = epoch_index(netuid.0, subnet.params.tempo, block);
    let due = due.saturating_add(subnet.params.reveal_period);
    let first = due.saturating_mul(tempo + 1).saturating_sub(u64::from(netuid.0) + 1);
    let commit = Commit { hash, block, first_reveal: first, last_reveal: first + tempo };
    let dropped = dropped as u32;
    tx.emit(Event::WeightsCommitted { hotkey, netuid, mechanism, uid, commit, dropped });
    Ok(())
}

/// `reveal_weights` and `reveal_mechanism_weights` (30 §9.5): opens a commit, and drops those before it.
///
/// # Errors
/// The first check that fails, in the chain's order.
pub fn reveal_weights(
    tx: &mut Tx<'_>,
    hotkey: AccountId,
    opening: &Opening<'_>,
) -> Result<(), Rejection> {
    let Order { netuid, mechanism, .. } = opening.order;
    let state = tx.state();
    require(enabled(state, netuid), Rejection::CommitRevealDisabled)?;
    let subnet = state.subnet(netuid).ok_or(Rejection::NoWeightsCommitFound)?;
    let queue = queue(subnet, mechanism, &hotkey);
    require(!queue.is_empty(), Rejection::NoWeightsCommitFound)?;
    let hash = commit_hash(&hotkey, opening);
    let block = state.height.0;
    let (gone, waiting) = queue.split_at(expired(netuid, subnet, block, queue));
    let too_late = gone.iter().any(|commit| commit.hash == hash);
    require(!too_late || waiting.iter().any(|commit| commit.hash == hash), {
        Rejection::ExpiredWeightCommit
    })?;
    require(!waiting.is_empty(), Rejection::NoWeightsCommitFound)?;
    let found = waiting.iter().position(|commit| commit.hash == hash);
    let found = found.ok_or(Rejection::InvalidRevealCommitHashNotMatch)?;
    let open = window(netuid, subnet, block, &waiting[found]) == Window::Open;
    require(open, Rejection::RevealTooEarly)?;
    let removed = (gone.len() + found + 1) as u32;

    store_weights(tx, hotkey, &opening.order)?;
    tx.emit(Event::WeightsRevealed { hotkey, netuid, mechanism, hash, removed });
    Ok(())
}

/// Opens several commits of mechanism 0, each by itself: those before it stay. All of it or nothing.
///
/// # Errors
/// The first check that fails, in the chain's order.
pub fn reveal_batch(
    tx: &mut Tx<'_>,
    hotkey: AccountId,
    netuid: NetUid,
    openings: &[Opening<'_>],
) -> Result<(), Rejection> {
    let state = tx.state();
    require(enabled(state, netuid), Rejection::CommitRevealDisabled)?;
    let subnet = state.subnet(netuid).ok_or(Rejection::NoWeightsCommitFound)?;
    let queue = queue(subnet, 0, &hotkey);
    require(!queue.is_empty(), Rejection::NoWeightsCommitFound)?;
    let block = state.height.0;
    let (gone, waiting) = queue.split_at(expired(netuid, subnet, block, queue));
    let hashes: Vec<Hash32> =
        openings.iter().map(|opening| commit_hash(&hotkey, opening)).collect();
    for hash in &hashes {
        let found = waiting.iter().find(|commit| commit.hash == *hash);
        let too_late = found.is_none() && gone.iter().any(|commit| commit.hash == *hash);
        require(!too_late, Rejection::ExpiredWeightCommit)?;
        let found = found.ok_or(Rejection::InvalidRevealCommitHashNotMatch)?;
        let open = window(netuid, subnet, block, found) == Window::Open;
        require(open, Rejection::RevealTooEarly)?;
    }
    let expired = gone.len() as u32;
    let mut left: Vec<Hash32> = waiting.iter().map(|commit| commit.hash).collect();

    for (opening, hash) in openings.iter().zip(&hashes) {
        let place = left.iter().position(|waiting| waiting == hash);
        left.remove(place.ok_or(Rejection::InvalidRevealCommitHashNotMatch)?);
        store_weights(tx, hotkey, &opening.order)?;
    }
    tx.emit(Event::WeightsBatchRevealed { hotkey, netuid, hashes, expired });
    Ok(())
}

/// Whether a row's commit is known, from anybody, and may be opened now: what is checked before a
/// reveal is included (30 §14.1).
pub fn reveal_expected(state: &State, netuid: NetUid, hash: Hash32) -> Result<bool, Unknown> {
    Ok(standing(state, netuid, hash).ok_or(Unknown)? == Window::Open)
}

/// Where a commit stands that somebody made on mechanism 0; `None` if nobody did.
pub fn standing(state: &State, netuid: NetUid, hash: Hash32) -> Option<Window> {
    let subnet = state.subnet(netuid)?;
    let mut commits = subnet.commits.iter().filter(|((mechanism, _), _)| *mechanism == 0);
    let found = commits.find_map(|(_, queue)| queue.iter().find(|commit| commit.hash == hash))?;
    Some(window(netuid, subnet, state.height.0, found))
}

/// How many commits of a hotkey wait that can still be opened.
pub fn waiting(state: &State, netuid: NetUid, mechanism: u8, hotkey: &AccountId) -> usize {
    let Some(subnet) = state.subnet(netuid) else { return 0 };
    let queue = queue(subnet, mechanism, hotkey);
    queue.len() - expired(netuid, subnet, state.height.0, queue)
}

/// Nobody committed to that hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unknown;

/// Block of each uid's earliest commit that can still be opened, by hash or by time (10 §6.1).
pub fn earliest_blocks(state: &State, netuid: NetUid, mechanism: u8) -> Vec<Option<u64>> {
    let Some(subnet) = state.subnet(netuid) else { return Vec::new() };
    let mut blocks = alloc::vec![None; subnet.neurons.len()];
    let low = (mechanism, AccountId([0; 32]));
    let high = (mechanism, AccountId([0xff; 32]));
    for ((_, hotkey), queue) in subnet.commits.range(low..=high) {
        let dropped = expired(netuid, subnet, state.height.0, queue);
        if let (Some(uid), Some(commit)) = (subnet.neurons.uid(hotkey), queue.get(dropped)) {
            blocks[usize::from(uid)] = Some(commit.block);
        }
    }
    for (_, queue) in subnet.timelocked.range((mechanism, 0)..=(mechanism, u64::MAX)) {
        for TimelockedCommit { hotkey, block, .. } in queue {
            let commit = Commit { block: *block, ..Commit::default() };
            let past = window(netuid, subnet, state.height.0, &commit) == Window::Expired;
            if let (Some(uid), false) = (subnet.neurons.uid(hotkey), past) {
                let earliest = &mut blocks[usize::from(uid)];
                *earliest = Some(earliest.map_or(*block, |known: u64| known.min(*block)));
            }
        }
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_of_the_spec() {
        let mut who = [0; 32];
        who.iter_mut().zip(0..).for_each(|(byte, number)| *byte = number);
        let rows = [
            (0, "04fcadfee826ab9f390de4d9990cbc1c1b64df9c3d86c96d615e305cf9e471d7"),
            (1, "17dbf342db3a9e6fe6e4f1ab738dcd028ea032d1c562d980e9dcdb59e08edd12"),
        ];
        for (mechanism, expected) in rows {
            let (netuid, version_key) = (NetUid(7), 3);
            let (dests, weights) = (&[0, 1, 5][..], &[65_535, 100, 0][..]);
            let order = Order { netuid, mechanism, dests, weights, version_key };
            let hash = commit_hash(&AccountId(who), &Opening { order, salt: &[11, 22, 33, 44] });
            assert_eq!(Ok(hash), expected.parse(), "mechanism {mechanism}");
        }
    }

    #[test]
    fn windows_of_the_spec() {
        let mut subnet = Subnet { added: true, ..Subnet::default() };
        subnet.params.tempo = 360;
        // Committed at, first and last block of the window.
        for (at, first, last) in [(500, 714, 1_074), (713, 714, 1_074), (714, 1_075, 1_435)] {
            let commit = Commit { block: at, ..Commit::default() };
            let window = |block| window(NetUid(7), &subnet, block, &commit);
            assert_eq!(window(first - 1), Window::TooEarly, "{at}");
            assert_eq!([window(first), window(last)], [Window::Open; 2], "{at}");
            assert_eq!(window(last + 1), Window::Expired, "{at}");
        }
    }
}
