//! Validators that ask nobody and set what others made: `weight-copier` and `stale-copier`.
//!
//! A row alone says little, because honest rows are alike too; that its owner asked no miner says the rest.

use super::scene::{EPOCHS_KEPT, Epoch, Parts, Past, add, likeness, whole};
use super::signals::Signals;
use super::{STALE_COPIER, WEIGHT_COPIER};
use protocol::units::AccountId;

/// Epochs without a query before a validator is one that asks nobody; more where rows are seldom.
const SILENT_EPOCHS: u64 = 3;

/// Judges the rows of an epoch.
pub fn judge(epoch: &Epoch<'_>, signals: &mut Signals) {
    let seldom = epoch.subnet.params.weights_set_rate_limit / epoch.span.max(1);
    let silence = SILENT_EPOCHS.max(seldom.saturating_add(1)).min(EPOCHS_KEPT as u64) as usize;
    for row in &epoch.rows {
        let neuron = epoch.ground.neurons.get(&row.hotkey);
        // Who has most of the stake is copied by the consensus, not the other way round.
        let rules = Epoch::share(&epoch.run.stake_weight, row.uid) >= 0.5;
        let is_silent = !rules && neuron.is_some_and(|neuron| neuron.is_silent(silence));
        let (copied, stale) = match is_silent {
            true => (copied(epoch, row.hotkey, &row.parts), stale(epoch, &row.parts)),
            false => (0.0, 0.0),
        };
        let subject = epoch.neuron(row.hotkey);
        signals.set(WEIGHT_COPIER, subject, copied, epoch.height);
        let stale = if epoch.subnet.params.commit_reveal { stale } else { 0.0 };
        signals.set(STALE_COPIER, subject, stale, epoch.height);
    }
}

/// The epochs before this one: what could be copied when the row was made.
fn before<'a>(epoch: &'a Epoch<'_>) -> impl DoubleEndedIterator<Item = &'a Past> {
    let past = &epoch.ground.past;
    past.iter().take(past.len().saturating_sub(1))
}

/// The greatest likeness to a consensus of before, to the mean of some of them, or to the biggest validator's row.
fn copied(epoch: &Epoch<'_>, hotkey: AccountId, parts: &Parts) -> f64 {
    let single = before(epoch).map(|past| likeness(parts, &past.consensus));
    let mut sum = vec![0.0; parts.len()];
    let blends = before(epoch).rev().map(|past| {
        add(&mut sum, &past.consensus, 1.0);
        likeness(parts, &whole(sum.clone()))
    });
    let biggest = epoch.ground.past.iter().filter_map(|past| past.biggest.as_ref());
    let rows = biggest.filter(|(other, _)| *other != hotkey).map(|(_, row)| likeness(parts, row));
    single.chain(blends).chain(rows).fold(0.0, f64::max)
}

/// The greatest likeness to a mean of all rows that stood before.
fn stale(epoch: &Epoch<'_>, parts: &Parts) -> f64 {
    before(epoch).map(|past| likeness(parts, &past.mean)).fold(0.0, f64::max)
}
