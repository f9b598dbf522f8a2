//! What detectors of neurons share: who is at which uid, the rows that stand, who asked whom how often, and what the
//! validators of a subnet made of its miners in the last epochs.
//!
//! What belongs here: memory of what the log said. What does not: any judgement. An epoch is read from the rows that
//! stood before it, so rows are kept here as events set them: the state is that after the block.

use actors::machine::Directory;
use protocol::event::{EpochRun, Event};
use protocol::frame::Frame;
use protocol::state::{State, Subnet};
use protocol::units::{AccountId, Height, NetUid, PlayerId};
use std::collections::{BTreeMap, VecDeque};

/// Epochs of which a subnet's past is kept.
pub const EPOCHS_KEPT: usize = 8;

/// Parts of a row by uid; they sum to 1, or all are 0.
pub type Parts = Vec<f64>;

/// A row that stands.
#[derive(Clone, Debug, Default)]
pub struct Standing {
    /// Targets and weights.
    pub row: Vec<(u16, u16)>,
    /// The block that set it.
    pub at: u64,
}

/// What a player did between two epochs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Deeds {
    /// Queries it sent.
    pub asked: u64,
    /// Answers it received.
    pub answered: u64,
    /// Sum of the times that these took, in milliseconds.
    pub latency_ms: u64,
}

impl Deeds {
    fn since(self, before: Self) -> Self {
        Self {
            asked: self.asked.saturating_sub(before.asked),
            answered: self.answered.saturating_sub(before.answered),
            latency_ms: self.latency_ms.saturating_sub(before.latency_ms),
        }
    }
}

/// What is remembered of a neuron, by hotkey.
#[derive(Clone, Debug, Default)]
pub struct Neuron {
    /// All that its player did up to the last epoch.
    total: Deeds,
    /// What it did in each of the last epochs, the last one at the back.
    pub deeds: VecDeque<Deeds>,
    /// Whether it set a row in each of them.
    pub fresh: VecDeque<bool>,
    /// Epochs in a row with a permit, the last one included.
    pub permitted: u64,
    /// Rows it has set since it is watched.
    pub rows: u64,
}

impl Neuron {
    /// Whether its player asked nobody in the last epochs and set a row in one of them all the same.
    pub fn is_silent(&self, epochs: usize) -> bool {
        self.deeds.len() >= epochs
            && self.deeds.iter().rev().take(epochs).all(|deeds| deeds.asked == 0)
            && self.fresh.iter().rev().take(epochs).any(|fresh| *fresh)
    }
}

/// One epoch, as it is remembered.
#[derive(Clone, Debug, Default)]
pub struct Past {
    /// Its block.
    pub at: u64,
    /// The consensus, in parts.
    pub consensus: Parts,
    /// The mean of all rows by the stake behind them.
    pub mean: Parts,
    /// Each miner's median part in all rows, one validator one vote.
    pub median: Parts,
    /// The row of the validator with most stake, and who that is.
    pub biggest: Option<(AccountId, Parts)>,
}

/// A subnet under watch.
#[derive(Clone, Debug, Default)]
pub struct Ground {
    /// Hotkeys by uid.
    pub hotkeys: Vec<AccountId>,
    /// Rows that stand, by uid.
    pub rows: BTreeMap<u16, Standing>,
    /// Neurons by hotkey.
    pub neurons: BTreeMap<AccountId, Neuron>,
    /// The last epochs, the last one at the back.
    pub past: VecDeque<Past>,
    /// Uids that changed hands, as long as the epochs of then are remembered.
    pub taken: BTreeMap<u16, Taken>,
    /// By uid, incentive of the last epoch.
    pub incentive: Vec<u16>,
}

/// A uid that another hotkey got.
#[derive(Clone, Debug, Default)]
pub struct Taken {
    /// In which block.
    pub at: u64,
    /// What each row gave the one before, in parts of the row's best.
    pub before: BTreeMap<AccountId, f64>,
}

/// A row as an epoch read it.
#[derive(Clone, Debug)]
pub struct Judged {
    /// Whose row it is.
    pub uid: u16,
    /// Whose row it is.
    pub hotkey: AccountId,
    /// Its parts.
    pub parts: Parts,
    /// When it was set.
    pub at: u64,
}

/// An epoch to be judged.
#[derive(Debug)]
pub struct Epoch<'a> {
    /// The subnet.
    pub netuid: NetUid,
    /// The block.
    pub height: Height,
    /// Blocks since the epoch before; the tempo and one more where that was not seen.
    pub span: u64,
    /// What the chain computed.
    pub run: &'a EpochRun,
    /// The subnet after the block.
    pub subnet: &'a Subnet,
    /// Everything after the block.
    pub state: &'a State,
    /// What is remembered; this epoch is the last one of its past.
    pub ground: &'a Ground,
    /// The rows of those who had a permit before, by uid.
    pub rows: Vec<Judged>,
}

impl Epoch<'_> {
    /// A neuron as a subject.
    pub fn neuron(&self, hotkey: AccountId) -> super::Subject {
        super::Subject::Neuron { netuid: self.netuid, hotkey }
    }

    /// This epoch.
    pub fn now(&self) -> &Past {
        self.ground.past.back().expect("the epoch that is judged was remembered before")
    }

    /// Whether a row was set within the last two usual periods: one that is not renewed says little of its owner today.
    pub fn is_renewed(&self, row: &Judged) -> bool {
        let period = self.span.max(self.subnet.params.weights_set_rate_limit);
        row.at.saturating_add(period.saturating_mul(2)) >= self.height.0
    }

    /// A share of 65,535 of a column by uid.
    pub fn share(column: &[u16], uid: u16) -> f64 {
        column.get(usize::from(uid)).map_or(0.0, |part| f64::from(*part) / 65_535.0)
    }
}

/// Everything that is remembered of all subnets.
#[derive(Clone, Debug, Default)]
pub struct Scene {
    book: Directory,
    deeds: BTreeMap<PlayerId, Deeds>,
    grounds: BTreeMap<NetUid, Ground>,
    /// Subnets whose neurons changed in the block; true where uids have moved.
    changed: BTreeMap<NetUid, Moved>,
}

/// What a block did to the uids of a subnet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Moved {
    /// Some have another hotkey.
    Hotkeys,
    /// Some are gone, and others took their numbers.
    Uids,
}

impl Scene {
    /// Begins with what stands at genesis.
    pub fn new(genesis: &State, book: Directory) -> Self {
        let mut scene = Self { book, ..Self::default() };
        for (netuid, subnet) in genesis.networks().filter(|(netuid, _)| !netuid.is_root()) {
            let mut ground = Ground::default();
            ground.copy_hotkeys(subnet);
            ground.copy_rows(subnet);
            scene.grounds.insert(netuid, ground);
        }
        scene
    }

    /// What is remembered of a subnet.
    pub fn ground(&self, netuid: NetUid) -> Option<&Ground> {
        self.grounds.get(&netuid)
    }

    /// Counts what was said off the chain before the block.
    pub fn hear(&mut self, frame: &Frame) {
        let facts = &frame.facts;
        for (index, player) in facts.players.iter().enumerate() {
            let of = |column: &[u32]| column.get(index).map_or(0, |count| u64::from(*count));
            let deeds = self.deeds.entry(*player).or_default();
            deeds.asked = deeds.asked.saturating_add(of(&facts.queries_sent));
            deeds.answered = deeds.answered.saturating_add(of(&facts.answers_received));
            let latency_ms = facts.latency_ms.get(index).copied().unwrap_or(0);
            deeds.latency_ms = deeds.latency_ms.saturating_add(latency_ms);
        }
    }

    /// Follows an event; an epoch is remembered, and given to be judged.
    pub fn follow<'a>(
        &'a mut self,
        event: &'a Event,
        height: Height,
        state: &'a State,
    ) -> Option<Epoch<'a>> {
        match event {
            Event::WeightsSet { netuid, mechanism: 0, uid, row, .. } => {
                let ground = self.grounds.entry(*netuid).or_default();
                ground.rows.insert(*uid, Standing { row: row.clone(), at: height.0 });
                if let Some(hotkey) = ground.hotkeys.get(usize::from(*uid)) {
                    let neuron = ground.neurons.entry(*hotkey).or_default();
                    neuron.rows = neuron.rows.saturating_add(1);
                }
            }
            Event::NeuronPlaced { netuid, uid, replaced, .. } => {
                let ground = self.grounds.entry(*netuid).or_default();
                ground.rows.remove(uid);
                if let Some(gone) = replaced {
                    ground.neurons.remove(gone);
                    let taken = Taken { at: height.0, before: ground.given(*uid) };
                    ground.taken.insert(*uid, taken);
                }
                self.change(*netuid, Moved::Hotkeys);
            }
            Event::NeuronsTrimmed { netuid, .. } => self.change(*netuid, Moved::Uids),
            Event::HotkeyMoved(facts) => self.change(facts.netuid, Moved::Hotkeys),
            Event::SubnetRegistered(facts) => {
                self.grounds.insert(facts.netuid, Ground::default());
                self.change(facts.netuid, Moved::Uids);
            }
            Event::SubnetDissolved(facts) => {
                self.grounds.remove(&facts.netuid);
                self.changed.remove(&facts.netuid);
            }
            Event::EpochRun(run) if !run.netuid.is_root() => {
                return self.epoch(run, height, state);
            }
            _ => {}
        }
        None
    }

    /// Ends a block: uids are those of the state after it.
    pub fn settle(&mut self, state: &State) {
        for (netuid, moved) in std::mem::take(&mut self.changed) {
            let Some(subnet) = state.subnet(netuid) else { continue };
            let ground = self.grounds.entry(netuid).or_default();
            ground.copy_hotkeys(subnet);
            if moved == Moved::Uids {
                ground.copy_rows(subnet);
                ground.taken.clear();
                ground.past.clear();
                ground.incentive.clear();
            }
        }
    }

    fn change(&mut self, netuid: NetUid, moved: Moved) {
        let now = self.changed.entry(netuid).or_insert(moved);
        *now = (*now).max(moved);
    }

    fn epoch<'a>(
        &'a mut self,
        run: &'a EpochRun,
        height: Height,
        state: &'a State,
    ) -> Option<Epoch<'a>> {
        let subnet = state.subnet(run.netuid)?;
        let ground = self.grounds.entry(run.netuid).or_default();
        let before = ground.past.back().map(|past| past.at);
        let span =
            before.map_or(u64::from(subnet.params.tempo) + 1, |at| height.0.saturating_sub(at));
        ground.remember(&self.deeds, &self.book, run, height.0.saturating_sub(span));
        let rows = ground.judged();
        let past = Past::of(run, &rows, height.0);
        ground.past.push_back(past);
        trim(&mut ground.past);
        let oldest = ground.past.front().map_or(0, |past| past.at);
        ground.taken.retain(|_, taken| taken.at >= oldest);
        ground.incentive = run.incentive.first().cloned().unwrap_or_default();
        Some(Epoch {
            netuid: run.netuid,
            height,
            span,
            run,
            subnet,
            state,
            ground: &self.grounds[&run.netuid],
            rows,
        })
    }
}

impl Ground {
    fn copy_hotkeys(&mut self, subnet: &Subnet) {
        self.hotkeys.clone_from(&subnet.neurons.hotkeys);
        let uids = &subnet.neurons.uids;
        self.neurons.retain(|hotkey, _| uids.contains_key(hotkey));
    }

    fn copy_rows(&mut self, subnet: &Subnet) {
        let stored = subnet.mechanism(0);
        let rows = stored.into_iter().flat_map(|mechanism| (0_u16..).zip(&mechanism.weights));
        let set_at = |uid: u16| {
            let updates = stored.map_or(&[][..], |mechanism| &mechanism.last_update);
            updates.get(usize::from(uid)).copied().unwrap_or(0)
        };
        let rows = rows.filter(|(_, row)| !row.is_empty());
        self.rows =
            rows.map(|(uid, row)| (uid, Standing { row: row.clone(), at: set_at(uid) })).collect();
    }

    /// Ends an epoch in the memory of each neuron.
    fn remember(
        &mut self,
        deeds: &BTreeMap<PlayerId, Deeds>,
        book: &Directory,
        run: &EpochRun,
        since: u64,
    ) {
        for (uid, hotkey) in (0_u16..).zip(&self.hotkeys) {
            let neuron = self.neurons.entry(*hotkey).or_default();
            let player = book.player(hotkey);
            let total = player.and_then(|player| deeds.get(&player)).copied().unwrap_or_default();
            neuron.deeds.push_back(total.since(neuron.total));
            neuron.total = total;
            let fresh = self.rows.get(&uid).is_some_and(|standing| standing.at > since);
            neuron.fresh.push_back(fresh);
            trim(&mut neuron.deeds);
            trim(&mut neuron.fresh);
            let permit = run.validator_permit.get(usize::from(uid)) == Some(&true);
            neuron.permitted = if permit { neuron.permitted.saturating_add(1) } else { 0 };
        }
    }

    /// What each row that stands gives a uid, in parts of the row's best.
    fn given(&self, uid: u16) -> BTreeMap<AccountId, f64> {
        let of = |(by, standing): (&u16, &Standing)| {
            let hotkey = *self.hotkeys.get(usize::from(*by))?;
            let best = standing.row.iter().map(|(_, weight)| *weight).max().unwrap_or(0);
            let own = standing.row.iter().find(|(to, _)| *to == uid).map_or(0, |(_, own)| *own);
            Some((hotkey, f64::from(own) / f64::from(best.max(1))))
        };
        self.rows.iter().filter_map(of).collect()
    }

    /// The rows of those who had a permit before the epoch, or have it now.
    fn judged(&self) -> Vec<Judged> {
        let count = self.hotkeys.len();
        let rows = self.rows.iter().filter_map(|(uid, standing)| {
            let hotkey = *self.hotkeys.get(usize::from(*uid))?;
            let permitted = self.neurons.get(&hotkey).is_some_and(|neuron| neuron.permitted > 0);
            let parts = parts(&standing.row, count);
            let counts = permitted && parts.iter().any(|part| *part > 0.0);
            counts.then_some(Judged { uid: *uid, hotkey, parts, at: standing.at })
        });
        rows.collect()
    }
}

impl Past {
    fn of(run: &EpochRun, rows: &[Judged], at: u64) -> Self {
        let count = run.consensus.len();
        let stake = |row: &Judged| Epoch::share(&run.stake_weight, row.uid);
        let mut mean = vec![0.0; count];
        for row in rows {
            add(&mut mean, &row.parts, stake(row));
        }
        let biggest = rows.iter().max_by(|a, b| stake(a).total_cmp(&stake(b)));
        let consensus: Vec<f64> = run.consensus.iter().map(|part| f64::from(*part)).collect();
        Self {
            at,
            consensus: whole(consensus),
            mean: whole(mean),
            median: medians(rows.iter(), count),
            biggest: biggest.map(|row| (row.hotkey, row.parts.clone())),
        }
    }
}

/// Keeps the last [`EPOCHS_KEPT`] entries.
pub fn trim<T>(kept: &mut VecDeque<T>) {
    while kept.len() > EPOCHS_KEPT {
        kept.pop_front();
    }
}

/// A stored row in parts.
pub fn parts(row: &[(u16, u16)], count: usize) -> Parts {
    let mut parts = vec![0.0; count];
    for (uid, weight) in row {
        if let Some(part) = parts.get_mut(usize::from(*uid)) {
            *part += f64::from(*weight);
        }
    }
    whole(parts)
}

/// The same in parts of the sum.
pub fn whole(mut parts: Parts) -> Parts {
    let sum: f64 = parts.iter().sum();
    if sum > 0.0 {
        parts.iter_mut().for_each(|part| *part /= sum);
    }
    parts
}

/// Adds a multiple of other parts.
pub fn add(sum: &mut Parts, parts: &[f64], times: f64) {
    sum.iter_mut().zip(parts).for_each(|(sum, part)| *sum += part * times);
}

/// What two rows have in common: from 0 for nothing to 1 for all.
pub fn likeness(one: &[f64], other: &[f64]) -> f64 {
    one.iter().zip(other).map(|(a, b)| a.min(*b)).sum()
}

/// How far two rows are from each other: what they do not have in common.
pub fn distance(one: &[f64], other: &[f64]) -> f64 {
    1.0 - likeness(one, other)
}

/// By uid, the part that at least half of the rows give.
pub fn medians<'a>(rows: impl Iterator<Item = &'a Judged> + Clone, count: usize) -> Parts {
    let mut column = Vec::new();
    let medians = (0..count).map(|uid| {
        column.clear();
        column.extend(rows.clone().map(|row| row.parts.get(uid).copied().unwrap_or(0.0)));
        median(&mut column)
    });
    medians.collect()
}

/// The middle one; of an even number the lower of the two.
pub fn median(values: &mut [f64]) -> f64 {
    if values.is_empty() {
        return 0.0;
    }
    let middle = (values.len() - 1) / 2;
    *values.select_nth_unstable_by(middle, f64::total_cmp).1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_become_parts_and_are_alike_by_what_they_share() {
        let one = parts(&[(0, 3), (2, 1), (9, 5)], 3);
        assert_eq!(one, [0.75, 0.0, 0.25]);
        assert_eq!(parts(&[], 2), [0.0, 0.0]);
        assert_eq!(likeness(&one, &[0.25, 0.5, 0.25]), 0.5);
        assert_eq!(likeness(&one, &one), 1.0);
    }

    #[test]
    fn the_lower_middle_is_the_median() {
        let rows: [(&mut [f64], f64); 4] = [
            (&mut [], 0.0),
            (&mut [3.0], 3.0),
            (&mut [5.0, 1.0], 1.0),
            (&mut [5.0, 1.0, 2.0], 2.0),
        ];
        for (values, expected) in rows {
            assert_eq!(median(values), expected);
        }
    }
}
