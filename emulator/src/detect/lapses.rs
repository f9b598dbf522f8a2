//! Validators whose rows are old in one way or another: `bonds-gamer`, `sleeper`, `outdated`.

use super::scene::{Epoch, Judged, Neuron, likeness};
use super::signals::Signals;
use super::{BONDS_GAMER, OUTDATED, SLEEPER};
use protocol::call::Call;
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

/// Lapses of one validator.
#[derive(Clone, Debug, Default)]
struct Lapses {
    /// Rows with an old version key since the last epoch.
    keys: u64,
    /// The same in the last epochs.
    keys_kept: VecDeque<u64>,
    /// How late its row was in the last epochs.
    late: VecDeque<f64>,
    /// How far its row was from the others' on uids that changed hands, beyond what it was on the others.
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
            let (netuid, protocol::call::Origin::Signed(hotkey)) =
                (row_netuid(&record.call), record.origin)
            else {
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
        for row in &epoch.rows {
            let Some(neuron) = epoch.ground.neurons.get(&row.hotkey) else { continue };
            let lapses = self.of.entry((epoch.netuid, row.hotkey)).or_default();
            let asks = neuron.deeds.iter().rev().take(EPOCHS).any(|deeds| deeds.asked > 0);
            let late = if asks { hedge(epoch, row).max(late(epoch, row)) } else { 0.0 };
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

/// The part of a row's targets that have next to nothing from it, though half of the validators give them much more,
/// or nothing.
fn hedge(epoch: &Epoch<'_>, row: &Judged) -> f64 {
    let best = row.parts.iter().copied().fold(0.0, f64::max);
    let targets = row.parts.iter().filter(|part| **part > 0.0).count();
    let pairs = row.parts.iter().zip(&epoch.now().median);
    let hedged = pairs.filter(|(part, half)| {
        let is_tiny = **part > 0.0 && **part <= best * HEDGE_MAX;
        is_tiny && (**half <= 0.0 || **half >= **part * HEDGE_FACTOR)
    });
    let hedged = hedged.count();
    if hedged < HEDGES_MIN { 0.0 } else { hedged as f64 / targets as f64 }
}

/// How much nearer a row is to what validators made of the miners some epochs ago than to what they make of them now,
/// in parts of its distance from now.
fn late(epoch: &Epoch<'_>, row: &Judged) -> f64 {
    let now = 1.0 - likeness(&row.parts, &epoch.now().median);
    if now < DISTANCE_MIN {
        return 0.0;
    }
    let before = epoch.ground.past.iter().rev().skip(LATE_MIN);
    let distances = before.map(|past| 1.0 - likeness(&row.parts, &past.median));
    let nearest = distances.fold(now, f64::min);
    (now - nearest) / now
}

/// How far a row is from the others' on uids that changed hands, in parts of what the others give them, less the same
/// on all other uids.
fn ghost(epoch: &Epoch<'_>, row: &Judged) -> f64 {
    let (mut taken, mut settled) = ((0_usize, 0.0, 0.0), (0_usize, 0.0, 0.0));
    let since = epoch.ground.past.front().map_or(0, |past| past.at);
    for (uid, (part, half)) in (0_u16..).zip(row.parts.iter().zip(&epoch.now().median)) {
        if *part <= 0.0 && *half <= 0.0 {
            continue;
        }
        let placed = epoch.ground.placed.get(&uid).copied();
        // One that came after the row was set is in nobody's row.
        if placed.is_some_and(|placed| placed >= row.at) {
            continue;
        }
        let of = if placed.is_some_and(|at| at >= since) { &mut taken } else { &mut settled };
        of.0 += 1;
        of.1 += (part - half).abs();
        of.2 += part.max(*half);
    }
    let strangeness = |(_, difference, whole): (usize, f64, f64)| match whole > 0.0 {
        true => difference / whole,
        false => 0.0,
    };
    if taken.0 < TAKEN_MIN {
        return 0.0;
    }
    (strangeness(taken) - strangeness(settled)).max(0.0)
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
