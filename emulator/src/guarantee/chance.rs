//! What a sample draws: stakes of validators, noise of weights, quality of miners. It is known by seed and number, and
//! says nothing of camps: whoever is honest at one stake and not at another has the same noise at both.

use super::{STAKE_STDDEV, Settings};
use actors::maths::normal;
use protocol::dice::{Dice, Domain};

/// Whose draws they are: a validator's weights, by its number …
const WEIGHTS: u64 = 0;
/// … the stakes of all …
const STAKES: u64 = 1 << 32;
/// … or the quality of all miners.
const QUALITY: u64 = 2 << 32;

/// One network, drawn.
#[derive(Clone, Debug)]
pub struct Sample {
    /// Stake of each validator, of a mean of 1; not below 0.
    pub stakes: Vec<f64>,
    /// By epoch, what each validator sees in each miner, row by row, of a mean of 1; not below 0.
    pub seen: Vec<Vec<f64>>,
}

impl Sample {
    /// Draws the sample of that number.
    pub fn draw(settings: &Settings, number: u16) -> Self {
        let dice = |who: u64, epoch: u16| {
            Dice::new(settings.seed, Domain::Study, who, u64::from(epoch), u64::from(number))
        };
        let (uids, validators) = (settings.uids, settings.validators);
        let miners = usize::from(uids - validators);
        let mut of_stake = dice(STAKES, 0);
        let stakes =
            (0..validators).map(|_| around_one(&mut of_stake, STAKE_STDDEV.as_f64())).collect();
        let mut quality = vec![1.0; miners];
        let mut seen = Vec::new();
        for epoch in 0..settings.epochs {
            if epoch > 0 && !settings.drift.is_none() {
                let mut of_quality = dice(QUALITY, epoch);
                for quality in &mut quality {
                    let step = settings.drift.as_f64() * normal(&mut of_quality);
                    *quality = f64::max(*quality + step, 0.0);
                }
            }
            let mut matrix = Vec::with_capacity(miners * usize::from(validators));
            for validator in 0..validators {
                let mut of_weights = dice(WEIGHTS + u64::from(validator), epoch);
                let deviation = settings.weights_stddev.as_f64();
                let noisy = |&quality: &f64| quality * around_one(&mut of_weights, deviation);
                matrix.extend(quality.iter().map(noisy));
            }
            seen.push(matrix);
        }
        Self { stakes, seen }
    }
}

/// A normal draw of mean 1, not below 0. Without deviation nothing is drawn.
fn around_one(dice: &mut Dice, deviation: f64) -> f64 {
    if deviation == 0.0 { 1.0 } else { f64::max(1.0 + deviation * normal(dice), 0.0) }
}
