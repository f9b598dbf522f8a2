//! The epoch as the text defines it, entry by entry and without any care for speed: the yardstick
//! for the one that runs. Only for tests.
//!
//! It shares no arithmetic with the module it checks. Where the text is silent (a list with one uid
//! twice) it settles what the module does.

use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;

use super::{EpochInput, EpochOutput, EpochRaw};

/// One.
const ONE: i64 = 1 << 32;

/// (column, raw value) pairs.
type Entries = Vec<(u16, i64)>;
type Rows = Vec<Entries>;

fn saturated(value: i128) -> i64 {
    i64::try_from(value).unwrap_or(if value < 0 { i64::MIN } else { i64::MAX })
}

fn mul(a: i64, b: i64) -> i64 {
    saturated((i128::from(a) * i128::from(b)) >> 32)
}

/// Truncated quotient; 0 when there is none or it does not fit.
pub(super) fn div(a: i64, b: i64) -> i64 {
    let quotient = (i128::from(a) << 32).checked_div(i128::from(b)).unwrap_or(0);
    i64::try_from(quotient).unwrap_or(0)
}

fn proportion(value: u16) -> i64 {
    div(i64::from(value) << 32, 65_535 << 32)
}

fn to_u16(value: i64) -> u16 {
    (mul(value, 65_535 << 32) >> 32).clamp(0, 65_535) as u16
}

fn sum(values: impl IntoIterator<Item = i64>) -> i64 {
    values.into_iter().fold(0, i64::wrapping_add)
}

/// `a / by`, but `a` itself when `by` is 0.
fn normalised(a: i64, by: i64) -> i64 {
    if by == 0 { a } else { div(a, by) }
}

fn normalise(values: &mut [i64]) {
    let total = sum(values.iter().copied());
    values.iter_mut().for_each(|value| *value = normalised(*value, total));
}

pub(super) fn inverse(raw: i64) -> i64 {
    saturated((1_i128 << 64) / i128::from(raw))
}

/// All 31 terms of the series, each floored twice.
pub(super) fn exp(x: i64) -> i64 {
    let x = x.clamp(-20 * ONE, 20 * ONE);
    match x {
        0 => return ONE,
        ONE => return 22_802_600 << 9,
        _ => {}
    }
    let y = i128::from(x.abs());
    let (mut term, mut total) = (y, y + i128::from(ONE));
    for k in 2..=31 {
        term = ((term * y) >> 32) / k;
        total += term;
    }
    if x > 0 { saturated(total) } else { inverse(saturated(total)) }
}

/// Computes an epoch and shows the raw values behind it.
pub(super) fn epoch(input: &EpochInput) -> (EpochOutput, EpochRaw) {
    let n = input.stake.len();
    let permit = |uid: usize| input.validator_permit.get(uid) == Some(&true);
    let updated = |uid: usize| input.last_update.get(uid).copied().unwrap_or(0);
    let cutoff = u64::from(input.activity_cutoff);
    let active: Vec<bool> =
        (0..n).map(|uid| updated(uid).saturating_add(cutoff) >= input.block).collect();

    let stake = shares(input);
    let new_permit = top(&stake, input.max_validators);
    let among = |uid: usize| if active[uid] && permit(uid) { stake[uid] } else { 0 };
    let mut active_stake: Vec<i64> = (0..n).map(among).collect();
    normalise(&mut active_stake);

    let weights: Rows = (0..n).map(|uid| weight_row(input, uid)).collect();
    let majority = proportion(input.kappa);
    let consensus: Vec<i64> =
        (0..n).map(|j| median(&weights, &active_stake, j as u16, majority)).collect();
    let limit = |j: u16| consensus[usize::from(j)];
    let clip_row = |row: &Entries| {
        let kept = row.iter().filter(|&&(j, weight)| weight <= limit(j) || limit(j) > 0);
        kept.map(|&(j, weight)| (j, weight.min(limit(j)))).collect::<Vec<_>>()
    };
    let clipped: Rows = weights.iter().map(clip_row).collect();
    let validator_trust: Vec<i64> =
        clipped.iter().map(|row| sum(row.iter().map(|entry| entry.1))).collect();
    let mut incentive = vec![0_i64; n];
    for (row, &stake) in clipped.iter().zip(&active_stake) {
        for &(j, weight) in row {
            let rank = &mut incentive[usize::from(j)];
            *rank = rank.wrapping_add(mul(stake, weight));
        }
    }
    normalise(&mut incentive);

    let targets = targets(&weights, &clipped, input.bonds_penalty);
    let alpha = alpha(input.bonds_moving_average);
    let (bonds, dividends) = if !input.yuma3 {
        legacy(targets, stored(input, i64::from), alpha, &active_stake, &incentive)
    } else {
        let old = stored(input, proportion);
        let bonds = if input.liquid_alpha && consensus.iter().any(|&value| value != 0) {
            liquid(input, &targets, &old, &consensus)
        } else {
            blend(&targets, &old, alpha)
        };
        let dividends = dividends(&bonds, &active_stake, &incentive);
        (bonds, dividends)
    };

    let [server, validator, combined] = emission(&stake, &active_stake, &incentive, &dividends);
    let amount = |share: &i64| {
        let product = (i128::from(*share) * i128::from(input.rao_emission)) >> 32;
        u64::try_from(product).unwrap_or(if product < 0 { 0 } else { u64::MAX })
    };
    let amounts = |shares: &[i64]| shares.iter().map(amount).collect();
    let cut = |values: &[i64]| values.iter().map(|&value| to_u16(value)).collect();
    let kept = |(row, &permit): (&Entries, &bool)| {
        let entries = row.iter().filter(|_| permit);
        entries.map(|&(j, value)| (j, to_u16(value))).collect()
    };
    let output = EpochOutput {
        active,
        stake_weight: cut(&stake),
        consensus: cut(&consensus),
        validator_trust: cut(&validator_trust),
        incentive: cut(&incentive),
        dividends: cut(&dividends),
        server_emission: amounts(&server),
        validator_emission: amounts(&validator),
        emission: amounts(&combined),
        stake: input.stake.iter().map(|stake| (stake >> 64).max(0) as u64).collect(),
        bonds: bonds.iter().zip(&new_permit).map(kept).collect(),
        new_validator_permit: new_permit,
    };
    let raw = EpochRaw {
        stake,
        active_stake,
        consensus,
        validator_trust,
        incentive,
        dividends,
        ema_bonds: bonds,
    };
    (output, raw)
}

fn shares(input: &EpochInput) -> Vec<i64> {
    let reaches = |stake: i128| (stake >> 64).max(0) as u64 >= input.stake_threshold;
    let counted = |&stake: &i128| if reaches(stake) { stake.max(0) } else { 0 };
    let counted: Vec<i128> = input.stake.iter().map(counted).collect();
    let total = counted.iter().fold(0_i128, |total, &stake| total.saturating_add(stake)) as u128;
    counted.iter().map(|&part| shares_part(part as u128, total)).collect()
}

/// One bit after the other. No part is above the total.
fn shares_part(part: u128, total: u128) -> i64 {
    if total == 0 {
        return 0;
    }
    let (mut share, mut rest) = ((part / total) as i64, part % total);
    for _ in 0..32 {
        share <<= 1;
        rest <<= 1;
        if rest >= total {
            rest -= total;
            share |= 1;
        }
    }
    share
}

fn top(shares: &[i64], count: u16) -> Vec<bool> {
    let above = |uid: usize| {
        let higher = |other: &usize| (shares[*other], *other) > (shares[uid], uid);
        (0..shares.len()).filter(higher).count()
    };
    (0..shares.len()).map(|uid| shares[uid] != 0 && above(uid) < usize::from(count)).collect()
}

fn weight_row(input: &EpochInput, uid: usize) -> Entries {
    if input.validator_permit.get(uid) != Some(&true) {
        return Vec::new();
    }
    let updated = input.last_update.get(uid).copied().unwrap_or(0);
    let committed = input.commit_block.get(uid).copied().flatten().unwrap_or(u64::MAX);
    let counts = |&&(j, _): &&(u16, u16)| {
        let j = usize::from(j);
        let registered = input.registered_at.get(j).copied().unwrap_or(0);
        j < input.stake.len()
            && (j != uid || input.owner_uid.map(usize::from) == Some(uid))
            && updated > registered
            && (!input.commit_reveal || committed >= registered)
    };
    let row = input.weights.get(uid).map_or(&[][..], Vec::as_slice);
    let total = sum(row.iter().filter(counts).map(|entry| i64::from(entry.1)));
    let kept = row.iter().filter(counts);
    kept.map(|&(j, value)| (j, normalised(i64::from(value), total))).collect()
}

/// All scores of a column including the missing zeros, in ascending order.
fn median(weights: &Rows, active_stake: &[i64], column: u16, majority: i64) -> i64 {
    let total = sum(active_stake.iter().copied());
    let mut votes = Vec::new();
    for (row, &stake) in weights.iter().zip(active_stake).filter(|(_, stake)| **stake > 0) {
        let support = normalised(stake, total);
        let given = row.iter().filter(|&&(j, weight)| j == column && weight > 0);
        let given: Vec<i64> = given.map(|entry| entry.1).collect();
        votes.extend(given.iter().map(|&weight| (weight, support)));
        // A row that names the uid more than once votes as often, and against itself for zero.
        let missing = support.wrapping_mul(1 - given.len() as i64);
        votes.push((0, missing));
    }
    let supports = active_stake.iter().filter(|&&stake| stake > 0);
    let minority = sum(supports.map(|&stake| normalised(stake, total))) - majority;
    votes.sort_by_key(|vote| vote.0);
    let zeros = votes.iter().filter(|vote| vote.0 == 0).map(|vote| vote.1);
    let mut below = sum(zeros);
    let positive = || votes.iter().filter(|vote| vote.0 > 0);
    let voters = active_stake.iter().filter(|&&stake| stake > 0).count();
    if positive().count() < voters && below > minority {
        return 0;
    }
    for &(score, support) in positive() {
        below = below.wrapping_add(support);
        if below > minority {
            return score;
        }
    }
    positive().next_back().map_or(0, |vote| vote.0)
}

fn targets(weights: &Rows, clipped: &Rows, penalty: u16) -> Rows {
    match penalty {
        0 => return weights.clone(),
        u16::MAX => return clipped.clone(),
        _ => {}
    }
    let penalty = proportion(penalty);
    let between = |(weights, clipped): (&Entries, &Entries)| {
        let mut limits: BTreeMap<u16, i64> = clipped.iter().copied().collect();
        let mut row = Vec::new();
        for &(j, weight) in weights {
            let clipped = limits.remove(&j).unwrap_or(0);
            let value = weight.saturating_add(mul(penalty, clipped - weight));
            row.extend((value > 0).then_some((j, value)));
        }
        row.sort_by_key(|entry| entry.0);
        row
    };
    weights.iter().zip(clipped).map(between).collect()
}

fn alpha(moving_average: u64) -> i64 {
    let average = i128::from(moving_average.min(i64::MAX as u64)) << 64;
    ONE.saturating_sub(saturated((average / 1_000_000) >> 32))
}

fn stored(input: &EpochInput, read: impl Fn(u16) -> i64) -> Rows {
    let n = input.stake.len();
    let last_epoch = input.block.saturating_sub(u64::from(input.tempo));
    let counts = |j: usize| j < n && last_epoch > input.registered_at.get(j).copied().unwrap_or(0);
    let mut rows = vec![Vec::new(); n];
    for (row, stored) in rows.iter_mut().zip(input.bonds) {
        let kept = stored.iter().filter(|&&(j, _)| counts(usize::from(j)));
        row.extend(kept.map(|&(j, value)| (j, read(value))));
    }
    rows
}

/// Divides each entry by a fold over its column.
fn divide_columns(rows: &mut Rows, fold: impl Fn(i64, i64) -> i64) {
    let mut columns: BTreeMap<u16, i64> = BTreeMap::new();
    for &(j, value) in rows.iter().flatten() {
        let column = columns.entry(j).or_default();
        *column = fold(*column, value);
    }
    for (j, value) in rows.iter_mut().flatten() {
        *value = normalised(*value, columns[j]);
    }
}

fn blend(new: &Rows, old: &Rows, alpha: i64) -> Rows {
    let keep = ONE.saturating_sub(alpha);
    let blend_row = |(new, old): (&Entries, &Entries)| {
        let mut cells: BTreeMap<u16, i64> = BTreeMap::new();
        for (part, entries) in [(alpha, new), (keep, old)] {
            for &(j, value) in entries {
                let cell = cells.entry(j).or_default();
                *cell = cell.saturating_add(mul(part, value));
            }
        }
        cells.into_iter().filter(|&(_, value)| value > 0).collect()
    };
    new.iter().zip(old).map(blend_row).collect()
}

fn legacy(
    mut bought: Rows,
    mut old: Rows,
    alpha: i64,
    active_stake: &[i64],
    incentive: &[i64],
) -> (Rows, Vec<i64>) {
    divide_columns(&mut old, i64::wrapping_add);
    for (row, &stake) in bought.iter_mut().zip(active_stake) {
        row.iter_mut().for_each(|entry| entry.1 = mul(entry.1, stake));
    }
    divide_columns(&mut bought, i64::wrapping_add);
    let mut bonds = blend(&bought, &old, alpha);
    divide_columns(&mut bonds, i64::wrapping_add);
    let part = |&(j, bond): &(u16, i64)| mul(incentive[usize::from(j)], bond);
    let mut dividends: Vec<i64> = bonds.iter().map(|row| sum(row.iter().map(part))).collect();
    normalise(&mut dividends);
    divide_columns(&mut bonds, i64::max);
    (bonds, dividends)
}

fn dividends(bonds: &Rows, active_stake: &[i64], incentive: &[i64]) -> Vec<i64> {
    let mut shares = bonds.clone();
    divide_columns(&mut shares, i64::wrapping_add);
    let part = |&(j, share): &(u16, i64)| mul(share, incentive[usize::from(j)]);
    let earned = |(row, &stake): (&Entries, &i64)| {
        let product = i128::from(sum(row.iter().map(part))) * i128::from(stake);
        i64::try_from(product >> 32).unwrap_or(0)
    };
    let mut dividends: Vec<i64> = shares.iter().zip(active_stake).map(earned).collect();
    normalise(&mut dividends);
    dividends
}

/// For each entry its value and what the pass over ascending columns sees of it.
fn seen(row: &[(u16, i64)]) -> Vec<(u16, i64, i64)> {
    let mut next = 0;
    let mut entries = Vec::new();
    for &(j, value) in row {
        let passes = u32::from(j) >= next;
        entries.push((j, value, if passes { value } else { 0 }));
        next = next.max(u32::from(j) + 1);
    }
    entries
}

fn liquid(input: &EpochInput, targets: &Rows, old: &Rows, consensus: &[i64]) -> Rows {
    let (low, high) = (proportion(input.alpha_low), proportion(input.alpha_high));
    let slope = (i64::from(input.alpha_sigmoid_steepness) << 32) / -100;
    let speed = |distance: i64| {
        let power = exp(mul(slope, distance - ONE / 2));
        let logistic = inverse(ONE.saturating_add(power));
        low.saturating_add(mul(logistic, high - low)).min(high).max(low)
    };
    let liquid_row = |(targets, old): (&Entries, &Entries)| {
        let old: BTreeMap<u16, (i64, i64)> =
            seen(old).into_iter().map(|(j, bond, seen)| (j, (bond, seen))).collect();
        let mut row = Vec::new();
        for (j, target, seen_target) in seen(targets) {
            let (bond, seen_bond) = old.get(&j).copied().unwrap_or_default();
            let distance = if seen_target >= seen_bond {
                seen_target - consensus[usize::from(j)]
            } else {
                seen_bond - seen_target
            };
            let alpha = speed(distance.clamp(0, ONE));
            let kept = mul(ONE.saturating_sub(alpha), bond);
            let level = kept.saturating_add(mul(alpha, target).max(0)).min(ONE);
            row.extend((level > 0).then_some((j, level)));
        }
        row
    };
    targets.iter().zip(old).map(liquid_row).collect()
}

/// Shares of the emission: as miners, as validators, as both.
fn emission(
    stake: &[i64],
    active_stake: &[i64],
    incentive: &[i64],
    dividends: &[i64],
) -> [Vec<i64>; 3] {
    let both: Vec<i64> =
        incentive.iter().zip(dividends).map(|(i, d)| i.saturating_add(*d)).collect();
    let total = sum(both.iter().copied());
    if total != 0 {
        let of_total = |values: &[i64]| values.iter().map(|&v| div(v, total)).collect();
        return [of_total(incentive), of_total(dividends), of_total(&both)];
    }
    let staked = sum(active_stake.iter().copied()) != 0;
    let fallback = if staked { active_stake } else { stake };
    [incentive.to_vec(), fallback.to_vec(), fallback.to_vec()]
}
