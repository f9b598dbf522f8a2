//! What is moved just before an epoch and back after it: `permit-hopper`, `childkey-abuser`.

use super::scene::{EPOCHS_KEPT, Epoch, trim};
use super::signals::{Signals, Subject};
use super::{CHILDKEY_ABUSER, PERMIT_HOPPER};
use protocol::event::Event;
use protocol::state::State;
use protocol::units::{AccountId, NetUid};
use std::collections::{BTreeMap, VecDeque};

/// Part of the blocks from one epoch to the next that counts as just before it, or just after it.
const NEAR_PART: u64 = 20;
/// The same in blocks, at least.
const NEAR_MIN: u64 = 3;
/// Part of the pool's TAO from which on moved stake is worth a look: one in so many.
const MOVED_PART: u64 = 1_000;

/// Deeds near epochs, of one account on one subnet.
#[derive(Clone, Debug, Default)]
struct Near {
    /// Blocks of deeds since the last epoch.
    at: Vec<u64>,
    /// Of these and of deeds just after an epoch, how many were near one; in the last epochs.
    counts: VecDeque<u64>,
    /// Deeds just after the last epoch.
    after: u64,
}

/// Stake, takes and children that change around epochs.
#[derive(Clone, Debug, Default)]
pub struct Moves {
    /// Stake moved from one hotkey to another, by coldkey.
    hops: BTreeMap<(NetUid, AccountId), Near>,
    /// Takes and children, by hotkey.
    takes: BTreeMap<(NetUid, AccountId), Near>,
    /// Childkey takes as they were last set.
    take: BTreeMap<(NetUid, AccountId), u16>,
}

impl Moves {
    /// Follows an event of a block; `epoch_at` is the block of a subnet's last epoch.
    pub fn follow(
        &mut self,
        event: &Event,
        height: u64,
        state: &State,
        epoch_at: impl Fn(NetUid) -> Option<u64>,
    ) {
        match event {
            Event::StakeMoved {
                coldkey,
                origin_hotkey,
                origin_netuid,
                destination_hotkey,
                destination_netuid,
                tao,
            } if origin_netuid == destination_netuid && origin_hotkey != destination_hotkey => {
                let pool = state.subnet(*origin_netuid).map_or(0, |subnet| subnet.fast.pool.tao);
                if tao.0 >= pool / MOVED_PART {
                    let near = self.hops.entry((*origin_netuid, *coldkey)).or_default();
                    near.note(height);
                }
            }
            Event::ChildrenScheduled { hotkey, netuid, .. } => {
                self.takes.entry((*netuid, *hotkey)).or_default().note(height);
            }
            Event::ChildkeyTakeSet { hotkey, netuid, take } => {
                let key = (*netuid, *hotkey);
                let before = self.take.insert(key, *take).unwrap_or(0);
                let near = self.takes.entry(key).or_default();
                if *take > before {
                    near.note(height);
                } else if epoch_at(*netuid).is_some_and(|at| height.saturating_sub(at) <= NEAR_MIN)
                {
                    near.after = near.after.saturating_add(1);
                }
            }
            _ => {}
        }
    }

    /// Judges an epoch.
    pub fn judge(&mut self, epoch: &Epoch<'_>, signals: &mut Signals) {
        let of_epoch = |key: &(NetUid, AccountId)| key.0 == epoch.netuid;
        for (key, near) in self.hops.iter_mut().filter(|(key, _)| of_epoch(key)) {
            let count = near.close(epoch).min(1);
            near.keep(count);
            let value = near.sum() as f64;
            signals.set(PERMIT_HOPPER, Subject::Coldkey(key.1), value, epoch.height);
        }
        for (key, near) in self.takes.iter_mut().filter(|(key, _)| of_epoch(key)) {
            let count = near.close(epoch);
            near.keep(count);
            let value = near.sum() as f64;
            signals.set(CHILDKEY_ABUSER, epoch.neuron(key.1), value, epoch.height);
        }
        self.hops.retain(|_, near| near.is_alive());
        self.takes.retain(|_, near| near.is_alive());
    }

    /// Forgets what was kept of a subnet.
    pub fn forget(&mut self, netuid: NetUid) {
        self.hops.retain(|(of, _), _| *of != netuid);
        self.takes.retain(|(of, _), _| *of != netuid);
        self.take.retain(|(of, _), _| *of != netuid);
    }
}

impl Near {
    /// One deed per block counts, so that a block of many is one.
    fn note(&mut self, height: u64) {
        if self.at.last() != Some(&height) {
            self.at.push(height);
        }
    }

    /// Deeds just before the epoch, and just after the one before.
    fn close(&mut self, epoch: &Epoch<'_>) -> u64 {
        let near = (epoch.span / NEAR_PART).max(NEAR_MIN);
        let from = epoch.height.0.saturating_sub(near);
        // What is done in the block of an epoch comes after it.
        let before = self.at.drain(..).filter(|at| *at >= from && *at < epoch.height.0).count();
        std::mem::take(&mut self.after).saturating_add(before as u64)
    }

    fn keep(&mut self, count: u64) {
        self.counts.push_back(count);
        trim(&mut self.counts);
    }

    fn sum(&self) -> u64 {
        self.counts.iter().sum()
    }

    fn is_alive(&self) -> bool {
        self.counts.len() < EPOCHS_KEPT || self.sum() > 0 || !self.at.is_empty()
    }
}
