//! The consensus guarantee of Yuma, by Monte Carlo: which honest utility lets honest stake keep its share, whatever a
//! cabal does. docs/guarantee.md is the model in words.
//!
//! What belongs here: the settings of a study, and its work on all cores. What does not: the epoch itself
//! (`protocol::yuma`), and what users type and read (`commands/guarantee`).

/// Noise, stakes and quality, drawn.
mod chance;
/// What a map says: worst cases, required utility, contours.
pub mod map;
/// Two camps on a subnet, and what an epoch gives them.
pub mod model;
/// A study as JSON, CSV and a plot.
pub mod output;
/// Decimal settings.
mod setting;
#[cfg(test)]
mod tests;

pub use setting::Millionths;

use crate::parallel::side_by_side;
use crate::sweep::statistics::Estimate;
use chance::Sample;
use map::{Map, Required};
use model::{Camps, Outcome, Rules, Trial};
use std::convert::Infallible;

/// Honest stake shares of a study unless others are asked for.
pub const HONEST_STAKES: [u32; 11] = [
    510_000, 550_000, 600_000, 650_000, 700_000, 750_000, 800_000, 850_000, 900_000, 950_000,
    990_000,
];
/// Standard deviation of validators' stakes, of a mean of 1.
pub const STAKE_STDDEV: Millionths = Millionths(300_000);

/// Which of the epochs of a point is its result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Measured {
    /// The last one.
    Last,
    /// The mean of all of them.
    Mean,
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Stake shares of the honest camp; each is a map of its own.
    pub honest_stakes: Vec<Millionths>,
    /// UIDs of the subnet.
    pub uids: u16,
    /// Those of them that are validators; the others are miners.
    pub validators: u16,
    /// Standard deviation of a validator's weights around their mean, of a mean of 1.
    pub weights_stddev: Millionths,
    /// κ.
    pub kappa: Millionths,
    /// β.
    pub bonds_penalty: Millionths,
    /// ξ.
    pub validator_share: Millionths,
    /// Values of either self-weight, from 0 to 1.
    pub points: u16,
    /// Networks drawn.
    pub samples: u16,
    /// What they are drawn from.
    pub seed: u64,
    /// Epochs at each point; bonds go on, weights are drawn anew.
    pub epochs: u16,
    /// Which of them counts.
    pub measured: Measured,
    /// Part of the honest camp's stake and validators that copies the consensus.
    pub copiers: Millionths,
    /// Epochs before a weight that was committed is revealed; how much later copiers see the consensus.
    pub reveal_epochs: u16,
    /// Standard deviation of the step of a miner's quality from epoch to epoch.
    pub drift: Millionths,
}

/// Settings under which there is nothing to compute, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct Unsound {
    /// What is wrong, beginning with the option.
    pub what: String,
    /// What to do.
    pub hint: String,
}

impl Settings {
    /// Whether every camp has somebody, and copiers something to copy.
    ///
    /// # Errors
    /// The first option that is out of place.
    pub fn check(&self) -> Result<(), Unsound> {
        let unsound = |what: String, hint: &str| Err(Unsound { what, hint: hint.to_owned() });
        if self.validators + 2 > self.uids {
            return unsound(
                format!(
                    "--validators {}: {} UIDs leave fewer than two miners",
                    self.validators, self.uids
                ),
                "either camp needs a miner: fewer --validators, or more --uids",
            );
        }
        for (index, share) in self.honest_stakes.iter().enumerate() {
            if share.is_none() || share.is_whole() {
                return unsound(
                    format!("--honest-stake {share}: a camp has no stake"),
                    "a share above 0 and below 1",
                );
            }
            if self.honest_stakes[..index].contains(share) {
                return unsound(format!("--honest-stake {share} is given twice"), "name it once");
            }
            if !self.copiers.is_none() && Camps::honest_of(self.validators, *share) < 2 {
                return unsound(
                    format!(
                        "--copiers {}: an honest stake of {share} has one validator",
                        self.copiers
                    ),
                    "whoever copies needs somebody who does not: more --validators",
                );
            }
        }
        if self.copiers.is_whole() {
            return unsound(
                "--copiers 1: nobody is left to copy from".to_owned(),
                "a share below 1",
            );
        }
        let unseen = self.reveal_epochs.saturating_add(1);
        if !self.copiers.is_none() && self.epochs <= unseen {
            return unsound(
                format!(
                    "--epochs {}: with --reveal-epochs {} copiers see no consensus before epoch {}",
                    self.epochs,
                    self.reveal_epochs,
                    unseen + 1
                ),
                &format!("--epochs {} or more", unseen + 1),
            );
        }
        if self.copiers.is_none() && self.reveal_epochs > 0 {
            return unsound(
                format!("--reveal-epochs {} delays nobody", self.reveal_epochs),
                "it is about copiers: give --copiers a share",
            );
        }
        Ok(())
    }

    /// Epochs of the engine in all.
    pub fn epochs_total(&self) -> u64 {
        let points = u64::from(self.points) * u64::from(self.points);
        points * self.honest_stakes.len() as u64 * u64::from(self.samples) * u64::from(self.epochs)
    }
}

/// What a study found.
#[derive(Clone, Debug)]
pub struct Study {
    /// By honest stake, in the order they were asked for.
    pub retentions: Vec<Retention>,
}

/// What it found for one honest stake.
#[derive(Clone, Debug)]
pub struct Retention {
    /// The share.
    pub honest_stake: Millionths,
    /// Who is in which camp.
    pub camps: Camps,
    /// Every point of every sample; the honest self-weight varies slowest.
    pub samples: Vec<Vec<Outcome>>,
    /// Honest emission, the mean of the samples.
    pub emission: Map,
    /// What each sample requires.
    pub required_by_sample: Vec<Required>,
}

impl Retention {
    fn new(settings: &Settings, honest_stake: Millionths, samples: Vec<Vec<Outcome>>) -> Self {
        let map_of = |sample: &Vec<Outcome>| {
            let values = sample.iter().map(|outcome| outcome.honest_emission).collect();
            Map::new(settings.points, values)
        };
        let maps: Vec<Map> = samples.iter().map(map_of).collect();
        Self {
            honest_stake,
            camps: Camps::new(settings, honest_stake),
            emission: Map::mean(&maps),
            required_by_sample: maps.iter().map(|map| map.required(honest_stake)).collect(),
            samples,
        }
    }

    /// The honest utility from which on honest stake is kept, whatever the cabal: the mean of the samples and how sure
    /// it is. None if there is a sample in which no utility suffices.
    pub fn required(&self) -> Option<Estimate> {
        let figures: Option<Vec<f64>> =
            self.required_by_sample.iter().map(|required| required.honest_utility).collect();
        Estimate::of(&figures?)
    }

    /// The cabal's self-weight that requires most, the mean of the samples; none where nothing is lost.
    pub fn worst_cabal_weight(&self) -> Option<f64> {
        let weights: Option<Vec<f64>> =
            self.required_by_sample.iter().map(|required| required.cabal_weight).collect();
        Estimate::of(&weights?).map(|estimate| estimate.mean)
    }

    /// What copiers earn per stake, of what honest validators who evaluate earn per stake: the mean of all points and
    /// samples. None without copiers.
    pub fn copier_yield(&self) -> Option<f64> {
        let yields: Vec<f64> =
            self.samples.iter().flatten().filter_map(|outcome| outcome.copier_yield).collect();
        Estimate::of(&yields).map(|estimate| estimate.mean)
    }
}

/// Computes every point on so many threads. `progress` hears of epochs done. The result depends on neither.
pub fn study(settings: &Settings, threads: usize, progress: impl Fn(u64) + Sync) -> Study {
    let points = usize::from(settings.points);
    let rules = Rules::new(settings);
    let shares = &settings.honest_stakes;
    let mut outcomes = vec![Vec::new(); shares.len()];
    for number in 0..settings.samples {
        // All points and stakes share the noise of a sample: they differ in nothing but what is compared.
        let sample = Sample::draw(settings, number);
        let trials: Vec<Trial> =
            shares.iter().map(|&share| Trial::new(settings, &rules, &sample, share)).collect();
        let row = |at: usize| {
            let (trial, honest) = (&trials[at / points], at % points);
            let row = trial.row(honest);
            progress(points as u64 * u64::from(settings.epochs));
            Ok::<Vec<Outcome>, Infallible>(row)
        };
        let Ok(rows) = side_by_side(threads, shares.len() * points, row);
        let mut rows = rows.into_iter();
        for outcomes in &mut outcomes {
            outcomes.push(rows.by_ref().take(points).flatten().collect());
        }
    }
    let pairs = shares.iter().zip(outcomes);
    let retention = |(&share, samples)| Retention::new(settings, share, samples);
    Study { retentions: pairs.map(retention).collect() }
}
