//! What miners do instead of their work: `sybil`, `answer-copier`, `staller`.

use super::scene::{Deeds, EPOCHS_KEPT, Epoch};
use super::signals::{Signals, Subject};
use super::{ANSWER_COPIER, STALLER, SYBIL};
use protocol::frame::Frame;
use protocol::units::{AccountId, NetUid};
use std::collections::{BTreeMap, BTreeSet};

/// Epochs over which a miner's questions are counted.
const EPOCHS: usize = 4;
/// Rows in which miners must have equal weights; chance makes two of one now and then.
const ROWS_MIN: usize = 2;

/// Who answers for whom.
#[derive(Clone, Debug, Default)]
pub struct Answers {
    /// Subnets on which several miners gave one answer to one task, and the block in which that was last seen.
    identical: BTreeMap<NetUid, u64>,
    /// Whom the last epoch of a subnet was said to be about.
    named: BTreeMap<NetUid, BTreeSet<Subject>>,
}

impl Answers {
    /// Notes identical answers.
    pub fn hear(&mut self, frame: &Frame) {
        for (netuid, _, count) in &frame.facts.identical_answers {
            if *count > 1 {
                self.identical.insert(NetUid(*netuid), frame.header.height.0);
            }
        }
    }

    /// Judges an epoch.
    pub fn judge(&mut self, epoch: &Epoch<'_>, signals: &mut Signals) {
        let mut found = owners(epoch);
        for (hotkey, size) in self.twins(epoch) {
            found.insert(epoch.neuron(hotkey), size as f64);
        }
        let before = self.named.insert(epoch.netuid, found.keys().copied().collect());
        for gone in before.unwrap_or_default().iter().filter(|one| !found.contains_key(one)) {
            signals.set(SYBIL, *gone, 0.0, epoch.height);
        }
        for (subject, value) in found {
            signals.set(SYBIL, subject, value, epoch.height);
        }
        for (uid, hotkey) in (0_u16..).zip(&epoch.ground.hotkeys) {
            let value = questions(epoch, uid, hotkey);
            signals.set(ANSWER_COPIER, epoch.neuron(*hotkey), value, epoch.height);
        }
        let subject = Subject::Subnet(epoch.netuid);
        signals.set(STALLER, subject, surplus(epoch), epoch.height);
    }

    /// Forgets what was kept of a subnet.
    pub fn forget(&mut self, netuid: NetUid) {
        self.identical.remove(&netuid);
        self.named.remove(&netuid);
    }

    /// Miners to whom every row gives the same as to others, and how many they are: they answer alike. Equal best ones
    /// may just be perfect, so there it must also have been seen that answers were identical.
    fn twins(&self, epoch: &Epoch<'_>) -> Vec<(AccountId, usize)> {
        let seen = self.identical.get(&epoch.netuid).copied();
        let oldest = epoch.ground.past.front().map_or(0, |past| past.at);
        let is_seen = seen.is_some_and(|at| at >= oldest);
        let mut alike: BTreeMap<Vec<u64>, Vec<AccountId>> = BTreeMap::new();
        for (uid, hotkey) in epoch.ground.hotkeys.iter().enumerate() {
            let asks = epoch.ground.neurons.get(hotkey).is_some_and(|neuron| {
                neuron.deeds.iter().any(|deeds| deeds.asked > 0) || neuron.permitted > 0
            });
            let given: Vec<f64> =
                epoch.rows.iter().map(|row| row.parts.get(uid).copied().unwrap_or(0.0)).collect();
            let rows = given.iter().filter(|part| **part > 0.0).count();
            if asks || rows < ROWS_MIN {
                continue;
            }
            let best = |row: &[f64]| row.iter().copied().fold(0.0, f64::max);
            let bests =
                epoch.rows.iter().zip(&given).filter(|(row, part)| best(&row.parts) <= **part);
            if bests.count() * 2 >= rows && !is_seen {
                continue;
            }
            alike
                .entry(given.iter().map(|part| part.to_bits()).collect())
                .or_default()
                .push(*hotkey);
        }
        let sets = alike.into_values().filter(|set| set.len() > 1);
        sets.flat_map(|set| set.clone().into_iter().map(move |one| (one, set.len()))).collect()
    }
}

/// Coldkeys with several uids, without the subnet's owner.
fn owners(epoch: &Epoch<'_>) -> BTreeMap<Subject, f64> {
    let mut counts: BTreeMap<AccountId, u64> = BTreeMap::new();
    for coldkey in epoch.ground.hotkeys.iter().filter_map(|hotkey| epoch.state.owner(hotkey)) {
        *counts.entry(coldkey).or_default() += 1;
    }
    let owner = epoch.subnet.info.owner;
    let several = counts.into_iter().filter(|(one, count)| *count > 1 && Some(*one) != owner);
    several.map(|(coldkey, count)| (Subject::Coldkey(coldkey), count as f64)).collect()
}

/// Queries per epoch of a neuron that earns as a miner and sets no rows.
fn questions(epoch: &Epoch<'_>, uid: u16, hotkey: &AccountId) -> f64 {
    let Some(neuron) = epoch.ground.neurons.get(hotkey) else { return 0.0 };
    let incentive = epoch.run.incentive.first().and_then(|parts| parts.get(usize::from(uid)));
    if epoch.ground.rows.contains_key(&uid) || incentive.is_none_or(|part| *part == 0) {
        return 0.0;
    }
    let asked: u64 = neuron.deeds.iter().rev().take(EPOCHS).map(|deeds| deeds.asked).sum();
    asked as f64 / EPOCHS as f64
}

/// Answers that the validators of a subnet received beyond one per query, in parts of their queries.
fn surplus(epoch: &Epoch<'_>) -> f64 {
    let neurons = epoch.rows.iter().filter_map(|row| epoch.ground.neurons.get(&row.hotkey));
    let mut sum = Deeds::default();
    for deeds in neurons.flat_map(|neuron| neuron.deeds.iter().rev().take(EPOCHS)) {
        sum.asked = sum.asked.saturating_add(deeds.asked);
        sum.answered = sum.answered.saturating_add(deeds.answered);
    }
    if sum.asked == 0 {
        return 0.0;
    }
    sum.answered.saturating_sub(sum.asked) as f64 / sum.asked as f64
}

const _: () = assert!(EPOCHS <= EPOCHS_KEPT);
