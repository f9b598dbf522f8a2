//! What miners do instead of their work: `sybil`, `answer-copier`, `staller`.

use super::scene::{Deeds, EPOCHS_KEPT, Epoch, trim};
use super::signals::{Signals, Subject};
use super::{ANSWER_COPIER, STALLER, SYBIL};
use protocol::frame::{Facts, Frame};
use protocol::units::{AccountId, NetUid};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Epochs over which a miner's questions are counted, and a subnet's answers.
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
    /// What the whole network said so far.
    said: Said,
    /// The same as it was when a subnet began and in its last epochs, the last one at the back.
    said_before: BTreeMap<NetUid, VecDeque<Said>>,
}

/// Messages of everybody. A copy that the network makes arrives without having been sent.
#[derive(Clone, Copy, Debug, Default)]
struct Said {
    sent: u64,
    /// Those that came to their end: delivered or lost.
    ended: u64,
    queries: u64,
    answers: u64,
}

impl Said {
    fn add(&mut self, facts: &Facts) {
        let sum = |column: &[u32]| column.iter().map(|count| u64::from(*count)).sum::<u64>();
        let messages = &facts.messages;
        self.sent = self.sent.saturating_add(messages.sent);
        let ended = messages.delivered.saturating_add(messages.dropped);
        self.ended = self.ended.saturating_add(ended);
        self.queries = self.queries.saturating_add(sum(&facts.queries_sent));
        self.answers = self.answers.saturating_add(sum(&facts.answers_received));
    }

    const fn since(self, before: Self) -> Self {
        Self {
            sent: self.sent.saturating_sub(before.sent),
            ended: self.ended.saturating_sub(before.ended),
            queries: self.queries.saturating_sub(before.queries),
            answers: self.answers.saturating_sub(before.answers),
        }
    }
}

impl Answers {
    /// Notes identical answers, and how much was said.
    pub fn hear(&mut self, frame: &Frame) {
        self.said.add(&frame.facts);
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
        let before =
            self.said_before.entry(epoch.netuid).or_insert_with(|| [Said::default()].into());
        let first = before.iter().rev().take(EPOCHS).next_back().copied().unwrap_or_default();
        before.push_back(self.said);
        trim(before);
        let subject = Subject::Subnet(epoch.netuid);
        let value = surplus(epoch, self.said.since(first));
        signals.set(STALLER, subject, value, epoch.height);
    }

    /// A subnet begins: what was said before is not of its epochs.
    pub fn begin(&mut self, netuid: NetUid) {
        self.said_before.insert(netuid, [self.said].into());
    }

    /// Forgets what was kept of a subnet.
    pub fn forget(&mut self, netuid: NetUid) {
        self.identical.remove(&netuid);
        self.named.remove(&netuid);
        self.said_before.remove(&netuid);
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

/// Answers that the validators of a subnet received beyond one per query and beyond what the network's own copies
/// explain, in parts of their queries. `of_all` is what everybody said in the same epochs.
fn surplus(epoch: &Epoch<'_>, of_all: Said) -> f64 {
    let neurons = epoch.rows.iter().filter_map(|row| epoch.ground.neurons.get(&row.hotkey));
    let mut own = Deeds::default();
    for deeds in neurons.flat_map(|neuron| neuron.deeds.iter().rev().take(EPOCHS)) {
        own.asked = own.asked.saturating_add(deeds.asked);
        own.answered = own.answered.saturating_add(deeds.answered);
    }
    if own.asked == 0 {
        return 0.0;
    }
    let beyond = own.answered as f64 - own.asked as f64;
    (beyond - surplus_copies(own, of_all)).max(0.0) / own.asked as f64
}

/// Answers beyond one per query that the network's copies may have made on a subnet: a copy of a query is answered
/// once more, and a copy of an answer is one. Nobody says where the copies were. So a subnet is given all of
/// them but those that show elsewhere, and elsewhere no more are taken for copies than if all messages had been
/// copied equally often: a flood there excuses nothing here, and leaves nothing unexcused.
fn surplus_copies(own: Deeds, of_all: Said) -> f64 {
    let copies = of_all.ended.saturating_sub(of_all.sent) as f64;
    let per_message = copies / (of_all.sent as f64).max(1.0);
    let queries = of_all.queries.saturating_sub(own.asked) as f64;
    let answers = of_all.answers.saturating_sub(own.answered) as f64;
    let usual = queries * ((1.0 + per_message).powi(2) - 1.0);
    let elsewhere = (answers - queries).clamp(0.0, usual);
    (copies - elsewhere).max(0.0)
}

const _: () = assert!(0 < EPOCHS && EPOCHS <= EPOCHS_KEPT);
