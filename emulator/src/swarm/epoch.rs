//! One drawn epoch per seed, by itself: what no invariant of a state can tell, because the state after an epoch does not
//! hold what went into it.
//!
//! What belongs here: drawing the input, and what its output must be. What does not: Yuma (`protocol::yuma`).

use super::failure::Failure;
use super::fate::Fate;
use protocol::yuma::{EpochInput, epoch};

/// A whole in parts of 65,535.
const WHOLE: f64 = 65_535.0;
/// A whole of stake.
const STAKE_BITS: u32 = 64;

/// Draws an epoch and checks that each validator's trust is what consensus leaves of its row.
///
/// # Errors
/// A validator is trusted for more.
pub fn attempt(seed: u64) -> Result<(), Failure> {
    let mut fate = Fate::new(seed, "epoch");
    let validators = fate.between(2, 8) as usize;
    let miners = fate.between(2, 16) as usize;
    let count = validators + miners;
    let stake: Vec<i128> =
        (0..count)
            .map(|uid| {
                if uid < validators { i128::from(fate.between(1, 10_000)) << STAKE_BITS } else { 0 }
            })
            .collect();
    let weights: Vec<Vec<(u16, u16)>> = (0..count)
        .map(|uid| if uid < validators { row(&mut fate, validators, count) } else { Vec::new() })
        .collect();
    let permits: Vec<bool> = (0..count).map(|uid| uid < validators).collect();
    let (numbers, none) = (vec![5_u64; count], vec![0_u64; count]);
    let output = epoch(&EpochInput {
        block: 10,
        tempo: 360,
        activity_cutoff: 5_000,
        max_validators: validators as u16,
        owner_uid: None,
        kappa: fate.part_of(1, 65_535) as u16,
        bonds_penalty: fate.part_of(0, 65_535) as u16,
        bonds_moving_average: 900_000,
        liquid_alpha: fate.chance(2),
        yuma3: fate.chance(2),
        alpha_low: 45_875,
        alpha_high: 58_982,
        alpha_sigmoid_steepness: 1_000,
        stake_threshold: 0,
        rao_emission: 1_000_000_000,
        commit_reveal: false,
        stake: &stake,
        last_update: &numbers,
        registered_at: &none,
        validator_permit: &permits,
        commit_block: &vec![None; count],
        weights: &weights,
        bonds: &vec![Vec::new(); count],
    });
    for (uid, row) in weights.iter().enumerate().take(validators) {
        let sum: f64 = row.iter().map(|(_, weight)| f64::from(*weight)).sum();
        let left = row.iter().map(|(to, weight)| {
            let said = f64::from(*weight) / sum * WHOLE;
            // Consensus is rounded down to parts of 65,535.
            said.min(f64::from(output.consensus[usize::from(*to)]) + 1.0)
        });
        let most = left.sum::<f64>() + 1.0;
        let trust = f64::from(output.validator_trust[uid]);
        if trust > most {
            let what = format!(
                "validator {uid} of {validators} is trusted for {trust} of 65535, consensus leaves {most:.1}"
            );
            return Err(Failure::new("validators_trust_what_was_clipped", what));
        }
    }
    Ok(())
}

/// A row on some of the miners.
fn row(fate: &mut Fate, validators: usize, count: usize) -> Vec<(u16, u16)> {
    let mut row = Vec::new();
    for uid in validators..count {
        if row.is_empty() || fate.chance(2) {
            row.push((uid as u16, fate.part_of(1, 65_535) as u16));
        }
    }
    row
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sound_epochs_hold() {
        for seed in 0..500 {
            assert_eq!(attempt(seed), Ok(()), "seed {seed}");
        }
    }
}
