//! Batches of weights (30 §8.4, §9.5): several rows or commits in one call.
//!
//! What belongs here: what becomes of a batch when some of it fails. What does not: the rules of its items
//! (`weights`, `commits`).

use crate::balances::require;
use crate::commits::{self, Opening};
use crate::event::Event;
use crate::rejection::Rejection;
use crate::tx::Tx;
use crate::units::{AccountId, Hash32, NetUid};
use crate::weights::{self, Order};
use alloc::vec::Vec;

/// `batch_set_weights`: each row stands or falls by itself.
///
/// # Errors
/// `InputLengthsUnequal`; rows that fail are told as facts.
pub fn batch_set_weights(
    tx: &mut Tx<'_>,
    hotkey: AccountId,
    netuids: &[NetUid],
    rows: &[Vec<(u16, u16)>],
    version_keys: &[u64],
) -> Result<(), Rejection> {
    let equal = netuids.len() == rows.len() && netuids.len() == version_keys.len();
    require(equal, Rejection::InputLengthsUnequal)?;

    let items = rows.iter().zip(version_keys);
    each(tx, hotkey, netuids, items, |tx, netuid, (row, version_key)| {
        let (dests, weights): (Vec<u16>, Vec<u16>) = row.iter().copied().unzip();
        let (dests, weights, version_key) = (&dests[..], &weights[..], *version_key);
        let order = Order { netuid, mechanism: 0, dests, weights, version_key };
        weights::set_weights(tx, hotkey, &order)
    });
    Ok(())
}

/// `batch_commit_weights`: each commit stands or falls by itself.
///
/// # Errors
/// `InputLengthsUnequal`; commits that fail are told as facts.
pub fn batch_commit_weights(
    tx: &mut Tx<'_>,
    hotkey: AccountId,
    netuids: &[NetUid],
    hashes: &[Hash32],
) -> Result<(), Rejection> {
    require(netuids.len() == hashes.len(), Rejection::InputLengthsUnequal)?;

    each(tx, hotkey, netuids, hashes.iter(), |tx, netuid, hash| {
        commits::commit_weights(tx, hotkey, netuid, 0, *hash)
    });
    Ok(())
}

/// Carries out the items of a batch; what failed is told after all of them.
fn each<T>(
    tx: &mut Tx<'_>,
    hotkey: AccountId,
    netuids: &[NetUid],
    items: impl Iterator<Item = T>,
    item: impl Fn(&mut Tx<'_>, NetUid, T) -> Result<(), Rejection>,
) {
    let mut failed = Vec::new();
    for (netuid, content) in netuids.iter().zip(items) {
        if let Err(reason) = tx.attempt(|tx| item(tx, *netuid, content)) {
            failed.push((*netuid, reason));
        }
    }
    if !failed.is_empty() {
        tx.emit(Event::BatchCompletedWithErrors { hotkey });
    }
    for (netuid, reason) in failed {
        tx.emit(Event::BatchWeightItemFailed { hotkey, netuid, reason });
    }
    tx.emit(Event::BatchWeightsCompleted { hotkey, netuids: netuids.to_vec() });
}

/// The lists of a `batch_reveal_weights`.
#[derive(Clone, Copy, Debug)]
pub struct Reveals<'a> {
    /// On which subnet.
    pub netuid: NetUid,
    /// Target uids of each row.
    pub uids: &'a [Vec<u16>],
    /// Weights of each row.
    pub values: &'a [Vec<u16>],
    /// What kept each from being guessed.
    pub salts: &'a [Vec<u16>],
    /// The setter's software version, for each row.
    pub version_keys: &'a [u64],
}

impl<'a> Reveals<'a> {
    /// What is opened, one by one; `None` when the lists differ in length.
    pub fn openings(&self) -> Option<Vec<Opening<'a>>> {
        let Self { netuid, uids, values, salts, version_keys } = *self;
        let lengths = [values.len(), salts.len(), version_keys.len()];
        if lengths.iter().any(|length| *length != uids.len()) {
            return None;
        }
        let opening = |at: usize| {
            let (dests, weights, version_key) = (&uids[at][..], &values[at][..], version_keys[at]);
            let order = Order { netuid, mechanism: 0, dests, weights, version_key };
            Opening { order, salt: &salts[at] }
        };
        Some((0..uids.len()).map(opening).collect())
    }
}

/// `batch_reveal_weights`: all of it or nothing.
///
/// # Errors
/// `InputLengthsUnequal`, then as [`commits::reveal_weights`] for each row.
pub fn batch_reveal_weights(
    tx: &mut Tx<'_>,
    hotkey: AccountId,
    reveals: &Reveals<'_>,
) -> Result<(), Rejection> {
    let openings = reveals.openings().ok_or(Rejection::InputLengthsUnequal)?;
    commits::reveal_batch(tx, hotkey, reveals.netuid, &openings)
}
