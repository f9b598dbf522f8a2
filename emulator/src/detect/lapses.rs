//! Validators whose rows are old in one way or another: `bonds-gamer`, `sleeper`, `outdated`.

use super::scene::{Epoch, Judged, Neuron, distance, median, whole};
use super::signals::Signals;
use super::{BONDS_GAMER, OUTDATED, SLEEPER};
use protocol::call::{Call, Origin};
use protocol::frame::Frame;
use protocol::rejection::{Outcome, Rejection};
use protocol::units::{AccountId, NetUid};
use std::collections::{BTreeMap, VecDeque};

/// Epochs over which lapses are counted.
const EPOCHS: usize = 4;
/// Part of its best weight up to which a weight is a hedge.
const HEDGE_MAX: f64 = 0.005;
/// How many times as much half of the validators must give, or nothing at all.
const HEDGE_FACTOR: f64 = 10.0;
/// Hedged targets that a row has at least.
const HEDGES_MIN: usize = 2;
/// Difference of a row from the others' below which nobody can tell how old it is.
const DISTANCE_MIN: f64 = 0.03;
/// Epochs by which a row must be late at least.
const LATE_MIN: usize = 2;
/// Uids that changed hands before a row that does not follow is said to be old.
const TAKEN_MIN: usize = 2;
/// How little a weight changes that still means the neuron before, in parts of it.
const SAME_PART: f64 = 0.03;
/// How much the others' weights must have changed meanwhile, in parts of it.
const CHANGED_PART: f64 = 0.1;

/// Lapses of one validator.
#[derive(Clone, Debug, Default)]
struct Lapses {
    /// Rows with an old version key since the last epoch.
    keys: u64,
    /// The same in the last epochs.
    keys_kept: VecDeque<u64>,
    /// How late its row was in the last epochs.
    late: VecDeque<f64>,
    /// The part of the uids that changed hands on which its row stayed as it was; in the last epochs.
    ghosts: VecDeque<f64>,
}

/// Lapses of all validators.
#[derive(Clone, Debug, Default)]
pub struct Lapsed {
    of: BTreeMap<(NetUid, AccountId), Lapses>,
}

impl Lapsed {
    /// Counts rows that were rejected for their version key.
    pub fn hear(&mut self, frame: &Frame) {
        for record in &frame.calls {
            if record.outcome != Outcome::Failed(Rejection::IncorrectWeightVersionKey) {
                continue;
            }
            let (netuid, Origin::Signed(hotkey)) = (row_netuid(&record.call), record.origin) else {
                continue;
            };
            if let Some(netuid) = netuid {
                let lapses = self.of.entry((netuid, hotkey)).or_default();
                lapses.keys = lapses.keys.saturating_add(1);
            }
        }
    }

    /// Judges the rows of an epoch.
    pub fn judge(&mut self, epoch: &Epoch<'_>, signals: &mut Signals) {
        let here = |hotkey: &AccountId| epoch.ground.neurons.contains_key(hotkey);
        self.of.retain(|(netuid, hotkey), _| *netuid != epoch.netuid || here(hotkey));
        let lags: Vec<Lag> = epoch.rows.iter().map(|row| Lag::of(epoch, row)).collect();
        for (place, row) in epoch.rows.iter().enumerate() {
            let Some(neuron) = epoch.ground.neurons.get(&row.hotkey) else { continue };
            let lapses = self.of.entry((epoch.netuid, row.hotkey)).or_default();
            let asks = neuron.deeds.iter().rev().take(EPOCHS).any(|deeds| deeds.asked > 0);
            let late = hedge(epoch, row).max(beyond_others(&lags, place));
            let late = if asks && epoch.is_renewed(row) { late } else { 0.0 };
            let late = mean_with(&mut lapses.late, late);
            signals.set(BONDS_GAMER, epoch.neuron(row.hotkey), late, epoch.height);
            lapses.ghosts.push_back(if asks { ghost(epoch, row) } else { 0.0 });
        }
        // Whoever sets nothing has no row, but may try.
        for ((netuid, hotkey), lapses) in &mut self.of {
            if *netuid != epoch.netuid {
                continue;
            }
            lapses.keys_kept.push_back(std::mem::take(&mut lapses.keys));
            keep(&mut lapses.keys_kept);
            keep(&mut lapses.ghosts);
            let keys: u64 = lapses.keys_kept.iter().sum();
            let ghosts = lapses.ghosts.iter().sum::<f64>() / EPOCHS as f64;
            let old = (keys as f64 / EPOCHS as f64).max(ghosts);
            signals.set(OUTDATED, epoch.neuron(*hotkey), old, epoch.height);
        }
        sleepers(epoch, signals);
    }

    /// Forgets what was kept of a subnet.
    pub fn forget(&mut self, netuid: NetUid) {
        self.of.retain(|(of, _), _| *of != netuid);
    }
}

/// The subnet that a row is for, of the calls that carry one.
fn row_netuid(call: &Call) -> Option<NetUid> {
    match call {
        Call::SetWeights { netuid, .. }
        | Call::SetMechanismWeights { netuid, .. }
        | Call::RevealWeights { netuid, .. }
        | Call::RevealMechanismWeights { netuid, .. } => Some(*netuid),
        _ => None,
    }
}

fn keep<T>(kept: &mut VecDeque<T>) {
    while kept.len() > EPOCHS {
        kept.pop_front();
    }
}

/// Adds a value and gives the mean of the last ones; epochs that were not seen count as 0.
fn mean_with(kept: &mut VecDeque<f64>, value: f64) -> f64 {
    kept.push_back(value);
    keep(kept);
    kept.iter().sum::<f64>() / EPOCHS as f64
}

/// The part of a row's targets that have next to nothing from it, one as much as the other, though half of the
/// validators give them much more, or nothing.
fn hedge(epoch: &Epoch<'_>, row: &Judged) -> f64 {
    let best = row.parts.iter().copied().fold(0.0, f64::max);
    let targets = row.parts.iter().filter(|part| **part > 0.0).count();
    let pairs = row.parts.iter().zip(&epoch.now().median);
    let hedged = pairs.filter(|(part, half)| {
        let is_tiny = **part > 0.0 && **part <= best * HEDGE_MAX;
        is_tiny && (**half <= 0.0 || **half >= **part * HEDGE_FACTOR)
    });
    let mut equal: BTreeMap<u64, usize> = BTreeMap::new();
    for (part, _) in hedged {
        *equal.entry(part.to_bits()).or_default() += 1;
    }
    let most = equal.into_values().max().unwrap_or(0);
    if most < HEDGES_MIN { 0.0 } else { most as f64 / targets as f64 }
}

/// How far a row is from what half of the validators made of the miners.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Lag {
    /// From what they make of them now.
    now: f64,
    /// From what they made of them some epochs ago, where it is nearest to that; at most as far as from now.
    then: f64,
}

impl Lag {
    /// Only miners that the row names are compared: whoever has not heard of a newcomer gives it nothing and is not late,
    /// whoever hedges gives something to everybody.
    fn of(epoch: &Epoch<'_>, row: &Judged) -> Self {
        let from = |median: &[f64]| {
            let named = median.iter().zip(&row.parts);
            let named = named.map(|(half, own)| if *own > 0.0 { *half } else { 0.0 });
            distance(&row.parts, &whole(named.collect()))
        };
        let now = from(&epoch.now().median);
        let before = epoch.ground.past.iter().rev().skip(LATE_MIN);
        let then = before.map(|past| from(&past.median)).fold(now, f64::min);
        Self { now, then }
    }

    /// How much nearer it is to then, in parts of its distance from now.
    fn delay(self) -> f64 {
        if self.now < DISTANCE_MIN { 0.0 } else { (self.now - self.then) / self.now }
    }
}

/// How much later one row is than the others usually are: who asks few miners looks late now and then, and so do all. A
/// late row is also farther from now than others are, and as near to then as they are to now: else it is a poor one.
fn beyond_others(lags: &[Lag], place: usize) -> f64 {
    let mut others = lags.to_vec();
    let own = others.swap_remove(place);
    let usual = median(&mut others.iter().map(|lag| lag.now).collect::<Vec<_>>());
    if own.now <= usual || own.then > usual.max(DISTANCE_MIN) {
        return 0.0;
    }
    let delay = median(&mut others.iter().map(|lag| lag.delay()).collect::<Vec<_>>());
    (own.delay() - delay).max(0.0)
}

/// Of the uids that changed hands, and that the others weigh otherwise than before, the part on which a row stayed as it
/// was: it means who is gone.
fn ghost(epoch: &Epoch<'_>, row: &Judged) -> f64 {
    let (mut stayed, mut all) = (0_usize, 0_usize);
    for (uid, taken) in &epoch.ground.taken {
        // One that was set soon after may not know yet.
        let Some(before) = taken.before.get(&row.hotkey).filter(|part| **part > 0.0) else {
            continue;
        };
        if row.at <= taken.at.saturating_add(epoch.span) {
            continue;
        }
        let own = relative(row, *uid);
        let others = epoch.rows.iter().filter(|other| other.uid != row.uid);
        let mut others: Vec<f64> = others.map(|other| relative(other, *uid)).collect();
        if (median(&mut others) - before).abs() <= before * CHANGED_PART {
            continue;
        }
        all += 1;
        if (own - before).abs() <= before * SAME_PART {
            stayed += 1;
        }
    }
    if all < TAKEN_MIN { 0.0 } else { stayed as f64 / all as f64 }
}

/// What a row gives a uid, in parts of its best.
fn relative(row: &Judged, uid: u16) -> f64 {
    let best = row.parts.iter().copied().fold(0.0, f64::max);
    let own = row.parts.get(usize::from(uid)).copied().unwrap_or(0.0);
    if best > 0.0 { own / best } else { 0.0 }
}

/// Validators with a permit that set rows before and do so no longer.
fn sleepers(epoch: &Epoch<'_>, signals: &mut Signals) {
    let updates = epoch.subnet.mechanism(0).map_or(&[][..], |mechanism| &mechanism.last_update);
    for (uid, hotkey) in (0_u16..).zip(&epoch.ground.hotkeys) {
        let Some(neuron) = epoch.ground.neurons.get(hotkey) else { continue };
        let updated = updates.get(usize::from(uid)).copied().unwrap_or(0);
        let value = sleep(epoch, neuron, updated);
        signals.set(SLEEPER, epoch.neuron(*hotkey), value, epoch.height);
    }
}

/// Usual periods since the last row, counted while it has its permit.
fn sleep(epoch: &Epoch<'_>, neuron: &Neuron, updated: u64) -> f64 {
    if neuron.rows == 0 || neuron.permitted == 0 {
        return 0.0;
    }
    let period = epoch.span.max(epoch.subnet.params.weights_set_rate_limit).max(1);
    let since = epoch.height.0.saturating_sub(updated);
    let awake = neuron.permitted.saturating_mul(epoch.span);
    since.min(awake) as f64 / period as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn late_is_who_is_as_near_to_then_as_others_are_to_now() {
        let rows = [
            ((0.4, 0.02), 0.95),
            // Too near to now to tell.
            ((0.02, 0.0), 0.0),
            // Far from both.
            ((0.4, 0.1), 0.0),
            // No farther from now than others.
            ((0.05, 0.01), 0.0),
        ];
        let others = [(0.05, 0.05), (0.06, 0.06), (0.04, 0.04)];
        for (own, expected) in rows {
            let all = [own].into_iter().chain(others);
            let lags: Vec<Lag> = all.map(|(now, then)| Lag { now, then }).collect();
            assert!((beyond_others(&lags, 0) - expected).abs() < 1e-9, "{own:?}");
        }
    }
}
