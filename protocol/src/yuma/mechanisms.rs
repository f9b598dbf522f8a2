//! Several mechanisms of one subnet: dividing its emission among them and folding their results.

use alloc::vec;
use alloc::vec::Vec;

use super::{EpochOutput, Row};

/// Divides an amount over `count` mechanisms (0 counts as 1): by the split in 1/65535, or evenly.
/// Each part is floored; the first mechanism takes what remains.
///
/// Mirrors: `split_emissions`.
pub fn split_mechanisms(rao: u64, count: u8, split: Option<&[u16]>) -> Vec<u64> {
    let count = count.max(1);
    let part = |mechanism: u8| match split {
        None => rao / u64::from(count),
        Some(split) => {
            let share = split.get(usize::from(mechanism)).copied().unwrap_or(0);
            let part = u128::from(rao) * u128::from(share) / 65_535;
            u64::try_from(part).unwrap_or(u64::MAX)
        }
    };
    let mut parts: Vec<u64> = (0..count).map(part).collect();
    let given = parts.iter().fold(0, |sum: u64, &part| sum.saturating_add(part));
    if let Some(first) = parts.first_mut() {
        *first = first.saturating_add(rao.saturating_sub(given));
    }
    parts
}

/// Folds the epochs of a subnet's mechanisms, each with the amount it was given, into the values
/// kept per subnet: amounts and stake are added; `active` and permits hold if they hold anywhere;
/// proportions, and the already paid `emission`, are weighted by the mechanism's part of `rao`
/// (64 fraction bits, truncated), flooring after each mechanism; `incentive` is the weighted value
/// of the first mechanism only. Bonds live per mechanism: the rows of the fold are empty.
///
/// Mirrors: `epoch_with_mechanisms`.
pub fn fold_mechanisms(rao: u64, parts: &[(u64, EpochOutput)]) -> EpochOutput {
    let n = parts.iter().map(|(_, part)| part.stake.len()).max().unwrap_or(0);
    let mut fold = EpochOutput {
        active: vec![false; n],
        stake_weight: vec![0; n],
        consensus: vec![0; n],
        validator_trust: vec![0; n],
        incentive: vec![0; n],
        dividends: vec![0; n],
        server_emission: vec![0; n],
        validator_emission: vec![0; n],
        emission: vec![0; n],
        new_validator_permit: vec![false; n],
        stake: vec![0; n],
        bonds: vec![Row::new(); n],
    };
    for (mechanism, (amount, part)) in parts.iter().enumerate() {
        let weight = match (rao, mechanism) {
            (0, 0) => 1 << 64,
            (0, _) => 0,
            _ => (u128::from(*amount) << 64) / u128::from(rao),
        };
        fold_or(&mut fold.active, &part.active);
        fold_or(&mut fold.new_validator_permit, &part.new_validator_permit);
        fold_sum(&mut fold.server_emission, &part.server_emission);
        fold_sum(&mut fold.validator_emission, &part.validator_emission);
        fold_sum(&mut fold.stake, &part.stake);
        fold_weighted(&mut fold.emission, &part.emission, weight);
        fold_weighted(&mut fold.stake_weight, &part.stake_weight, weight);
        fold_weighted(&mut fold.consensus, &part.consensus, weight);
        fold_weighted(&mut fold.validator_trust, &part.validator_trust, weight);
        fold_weighted(&mut fold.dividends, &part.dividends, weight);
        if mechanism == 0 {
            fold_weighted(&mut fold.incentive, &part.incentive, weight);
        }
    }
    fold
}

fn fold_or(fold: &mut [bool], part: &[bool]) {
    for (fold, &part) in fold.iter_mut().zip(part) {
        *fold |= part;
    }
}

fn fold_sum(fold: &mut [u64], part: &[u64]) {
    for (fold, &part) in fold.iter_mut().zip(part) {
        *fold = fold.saturating_add(part);
    }
}

/// Adds `part` times a weight of 64 fraction bits, floored to the integer, saturating.
fn fold_weighted<T: Copy + Into<u64> + TryFrom<u64> + Largest>(
    fold: &mut [T],
    part: &[T],
    weight: u128,
) {
    for (fold, &part) in fold.iter_mut().zip(part) {
        let weighted = u128::from(part.into()).saturating_mul(weight);
        let sum = (u128::from((*fold).into()) << 64).saturating_add(weighted);
        *fold = T::try_from((sum >> 64) as u64).unwrap_or(T::LARGEST);
    }
}

/// The bound at which a folded value saturates.
trait Largest {
    const LARGEST: Self;
}

impl Largest for u16 {
    const LARGEST: Self = Self::MAX;
}

impl Largest for u64 {
    const LARGEST: Self = Self::MAX;
}
