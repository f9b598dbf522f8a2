//! Validators that favour some whatever these answer: `cabal`, `self-weighter`, `dictator`.

use super::scene::{Epoch, Judged, Parts, distance, likeness, median, medians, whole};
use super::signals::Signals;
use super::{CABAL, DICTATOR, SELF_WEIGHTER};
use protocol::units::{AccountId, NetUid};
use std::collections::{BTreeMap, VecDeque};

/// Epochs over which a favour must last: what all of them have in common counts.
const EPOCHS: usize = 4;
/// Part of a row from which on a difference is kept; what is less cannot make an alarm.
const PART_MIN: f32 = 0.01;
/// Likeness of a dictator's row to the consensus.
const LIKENESS_MIN: f64 = 0.9;
/// How much more of its row must stand than of the others'.
const LEAD_MIN: f64 = 0.05;
/// How much farther its row must be from the others' than these are from one another.
const APART_MIN: f64 = 0.1;
/// Share of stake below which nobody looks whether somebody dictates.
const STAKE_MIN: f64 = 0.25;

/// By how much a row is above what half of the validators give, by uid; small differences are missing.
type Excess = Vec<(u16, f32)>;

/// Excesses of the last epochs, by validator.
#[derive(Clone, Debug, Default)]
pub struct Favours {
    kept: BTreeMap<(NetUid, AccountId), VecDeque<Excess>>,
}

impl Favours {
    /// Judges the rows of an epoch.
    pub fn judge(&mut self, epoch: &Epoch<'_>, signals: &mut Signals) {
        self.keep(epoch);
        let lasting: Vec<(AccountId, Excess)> = epoch
            .rows
            .iter()
            .map(|row| (row.hotkey, self.lasting(epoch.netuid, row.hotkey)))
            .collect();
        for row in &epoch.rows {
            let is_renewed = epoch.is_renewed(row);
            let shared = if is_renewed { shared(row.hotkey, &lasting) } else { 0.0 };
            signals.set(CABAL, epoch.neuron(row.hotkey), shared, epoch.height);
            let own = own_part(epoch, row);
            signals.set(SELF_WEIGHTER, epoch.neuron(row.hotkey), own, epoch.height);
            let rule = rule(epoch, row);
            signals.set(DICTATOR, epoch.neuron(row.hotkey), rule, epoch.height);
        }
    }

    /// Forgets what was kept of a subnet.
    pub fn forget(&mut self, netuid: NetUid) {
        self.kept.retain(|(of, _), _| *of != netuid);
    }

    fn keep(&mut self, epoch: &Epoch<'_>) {
        let here = |(netuid, hotkey): &(NetUid, AccountId)| {
            *netuid != epoch.netuid || epoch.rows.iter().any(|row| row.hotkey == *hotkey)
        };
        self.kept.retain(|key, _| here(key));
        for row in &epoch.rows {
            let kept = self.kept.entry((epoch.netuid, row.hotkey)).or_default();
            kept.push_back(excess(&row.parts, &epoch.now().median));
            while kept.len() > EPOCHS {
                kept.pop_front();
            }
        }
    }

    /// What all of the last epochs have in common; nothing while there are too few.
    fn lasting(&self, netuid: NetUid, hotkey: AccountId) -> Excess {
        let Some(kept) = self.kept.get(&(netuid, hotkey)).filter(|kept| kept.len() == EPOCHS)
        else {
            return Excess::new();
        };
        let mut epochs = kept.iter();
        let first = epochs.next().cloned().unwrap_or_default();
        epochs.fold(first, |common, next| least(&common, next))
    }
}

fn excess(parts: &Parts, median: &Parts) -> Excess {
    let above = (0_u16..).zip(parts.iter().zip(median).map(|(part, half)| (part - half) as f32));
    above.filter(|(_, by)| *by >= PART_MIN).collect()
}

/// Of two lists in ascending order what both have, the lesser of each.
fn least(one: &[(u16, f32)], other: &[(u16, f32)]) -> Excess {
    let both = one.iter().filter_map(|(uid, by)| {
        let place = other.binary_search_by_key(uid, |(uid, _)| *uid).ok()?;
        Some((*uid, by.min(other[place].1)))
    });
    both.collect()
}

/// The most that a validator favours together with one other.
fn shared(hotkey: AccountId, lasting: &[(AccountId, Excess)]) -> f64 {
    let Some((_, own)) = lasting.iter().find(|(of, _)| *of == hotkey) else { return 0.0 };
    let others = lasting.iter().filter(|(of, _)| *of != hotkey);
    let common = others.map(|(_, other)| least(own, other).iter().map(|(_, by)| *by).sum::<f32>());
    f64::from(common.fold(0.0, f32::max))
}

/// The part of a row on hotkeys of its own coldkey. A subnet's owner may weigh its own hotkey, so that is another
/// detector's.
fn own_part(epoch: &Epoch<'_>, row: &Judged) -> f64 {
    let coldkey = epoch.state.owner(&row.hotkey);
    if coldkey.is_none() || coldkey == epoch.subnet.info.owner {
        return 0.0;
    }
    let parts = epoch.ground.hotkeys.iter().zip(&row.parts).filter(|(_, part)| **part > 0.0);
    parts.filter(|(hotkey, _)| epoch.state.owner(hotkey) == coldkey).map(|(_, part)| *part).sum()
}

/// The share of stake of a validator whose row is the consensus, while more of the others' rows is clipped, though they agree
/// with one another: who has most of the stake is clipped least anyway.
fn rule(epoch: &Epoch<'_>, row: &Judged) -> f64 {
    let stake = Epoch::share(&epoch.run.stake_weight, row.uid);
    let is_consensus = likeness(&row.parts, &epoch.now().consensus) >= LIKENESS_MIN;
    if stake < STAKE_MIN || !is_consensus || apart(epoch, row) < APART_MIN {
        return 0.0;
    }
    let trust = |uid| Epoch::share(&epoch.run.validator_trust, uid);
    let others = epoch.rows.iter().filter(|other| other.uid != row.uid);
    let mut others: Vec<f64> = others.map(|other| trust(other.uid)).collect();
    let leads = !others.is_empty() && trust(row.uid) - median(&mut others) >= LEAD_MIN;
    if leads { stake } else { 0.0 }
}

/// How much farther a row is from what half of the others give than these usually are from each other. One other alone
/// agrees with nobody.
fn apart(epoch: &Epoch<'_>, row: &Judged) -> f64 {
    let from_rest = |one: &Judged, without: u16| {
        let rest = epoch.rows.iter().filter(|rest| rest.uid != one.uid && rest.uid != without);
        distance(&one.parts, &whole(medians(rest, one.parts.len())))
    };
    let others = epoch.rows.iter().filter(|other| other.uid != row.uid);
    let mut usual: Vec<f64> = others.map(|other| from_rest(other, row.uid)).collect();
    if usual.len() < 2 {
        return 0.0;
    }
    from_rest(row, row.uid) - median(&mut usual)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lasts_is_the_least_and_what_is_shared_is_the_most_with_one_other() {
        let one = vec![(1, 0.5), (4, 0.2)];
        assert_eq!(least(&one, &[(0, 0.9), (4, 0.3)]), [(4, 0.2)]);
        let keys = [1, 2, 3].map(|n| AccountId([n; 32]));
        let lasting = vec![(keys[0], one), (keys[1], vec![(4, 0.1)]), (keys[2], vec![(1, 0.25)])];
        assert_eq!(shared(keys[0], &lasting), 0.25);
        assert!((shared(keys[1], &lasting) - 0.1).abs() < 1e-6);
        assert_eq!(shared(AccountId::ZERO, &lasting), 0.0);
    }
}
