//! A study for other programs and for the eye: JSON, a row per point as CSV, retention lines as a plot.

use super::map::{Line, Map};
use super::model::{BONDS_MOVING_AVERAGE, EMISSION};
use super::{Measured, Millionths, Retention, STAKE_STDDEV, Settings, Study};
use crate::chart::{Axis, Chart, ChartError, Curve, ramp};
use serde::Serialize;
use std::fmt::Write;

/// Digits after the point of a share: one more than 32 fraction bits have.
const DIGITS: f64 = 1e10;

/// A study as JSON.
#[derive(Debug, Serialize)]
pub struct Told<'a> {
    settings: ToldSettings<'a>,
    epochs: u64,
    honest_utility: Vec<f64>,
    cabal_weight: Vec<f64>,
    retentions: Vec<ToldRetention>,
}

#[derive(Debug, Serialize)]
struct ToldSettings<'a> {
    honest_stakes: &'a [Millionths],
    uids: u16,
    validators: u16,
    stake_stddev: Millionths,
    weights_stddev: Millionths,
    kappa: Millionths,
    kappa_u16: u16,
    bonds_penalty: Millionths,
    bonds_penalty_u16: u16,
    bonds_moving_average_ppm: u64,
    validator_share: Millionths,
    points: u16,
    samples: u16,
    seed: u64,
    epochs: u16,
    measured: Measured,
    copiers: Millionths,
    reveal_epochs: u16,
    drift: Millionths,
    emission_rao: u64,
}

#[derive(Debug, Serialize)]
struct ToldRetention {
    honest_stake: Millionths,
    honest_validators: usize,
    copiers: usize,
    cabal_validators: usize,
    honest_miners: usize,
    cabal_miners: usize,
    required_honest_utility: Option<f64>,
    required_honest_utility_ci95: Option<f64>,
    required_honest_utility_by_sample: Vec<Option<f64>>,
    worst_cabal_weight: Option<f64>,
    copier_yield: Option<f64>,
    contour: Vec<Line>,
    least_honest_emission: Vec<f64>,
    honest_emission: Vec<Vec<f64>>,
}

impl<'a> Told<'a> {
    /// Everything but the engine's amounts, which are in the CSV.
    pub fn new(settings: &'a Settings, study: &Study) -> Self {
        let weights = study.retentions.first().map_or_else(Vec::new, |one| one.emission.weights());
        Self {
            settings: ToldSettings {
                honest_stakes: &settings.honest_stakes,
                uids: settings.uids,
                validators: settings.validators,
                stake_stddev: STAKE_STDDEV,
                weights_stddev: settings.weights_stddev,
                kappa: settings.kappa,
                kappa_u16: settings.kappa.as_u16(),
                bonds_penalty: settings.bonds_penalty,
                bonds_penalty_u16: settings.bonds_penalty.as_u16(),
                bonds_moving_average_ppm: BONDS_MOVING_AVERAGE,
                validator_share: settings.validator_share,
                points: settings.points,
                samples: settings.samples,
                seed: settings.seed,
                epochs: settings.epochs,
                measured: settings.measured,
                copiers: settings.copiers,
                reveal_epochs: settings.reveal_epochs,
                drift: settings.drift,
                emission_rao: EMISSION,
            },
            epochs: settings.epochs_total(),
            honest_utility: weights.clone(),
            cabal_weight: weights,
            retentions: study.retentions.iter().map(ToldRetention::new).collect(),
        }
    }
}

impl ToldRetention {
    fn new(retention: &Retention) -> Self {
        let camps = &retention.camps;
        let required = retention.required();
        let emission = &retention.emission;
        let all = |values: &[f64]| values.iter().copied().map(rounded).collect::<Vec<f64>>();
        let by_sample = retention.required_by_sample.iter();
        let rounded_line =
            |line: Line| line.into_iter().map(|(h, c)| (rounded(h), rounded(c))).collect();
        Self {
            honest_stake: retention.honest_stake,
            honest_validators: camps.evaluators + camps.copiers,
            copiers: camps.copiers,
            cabal_validators: camps.cabal_validators,
            honest_miners: camps.honest_miners,
            cabal_miners: camps.cabal_miners,
            required_honest_utility: required.map(|estimate| rounded(estimate.mean)),
            required_honest_utility_ci95: required.and_then(|one| one.ci95).map(rounded),
            required_honest_utility_by_sample: by_sample
                .map(|required| required.honest_utility.map(rounded))
                .collect(),
            worst_cabal_weight: retention.worst_cabal_weight().map(rounded),
            copier_yield: retention.copier_yield().map(rounded),
            contour: contour(retention).into_iter().map(rounded_line).collect(),
            least_honest_emission: all(&least(emission)),
            honest_emission: emission.rows().map(all).collect(),
        }
    }
}

fn rounded(value: f64) -> f64 {
    (value * DIGITS).round() / DIGITS
}

fn least(map: &Map) -> Vec<f64> {
    map.weights().into_iter().map(|honest| map.least(honest)).collect()
}

fn contour(retention: &Retention) -> Vec<Line> {
    retention.emission.contour(retention.honest_stake)
}

/// A row per honest stake, sample and point, with the engine's amounts as they are.
pub fn csv(settings: &Settings, study: &Study) -> String {
    let mut text = "honest_stake,sample,honest_utility,cabal_weight,honest_emission,\
        honest_server_rao,server_rao,honest_validator_rao,validator_rao,copiers_validator_rao\n"
        .to_owned();
    let points = usize::from(settings.points);
    for retention in &study.retentions {
        for (number, sample) in retention.samples.iter().enumerate() {
            for (at, outcome) in sample.iter().enumerate() {
                let weight = |number: usize| retention.emission.weight(number);
                let amounts = outcome.amounts;
                writeln!(
                    text,
                    "{},{number},{},{},{},{},{},{},{},{}",
                    retention.honest_stake,
                    rounded(weight(at / points)),
                    rounded(weight(at % points)),
                    rounded(outcome.honest_emission),
                    amounts.honest_server,
                    amounts.server,
                    amounts.honest_validator,
                    amounts.validator,
                    amounts.copiers_validator,
                )
                .expect("a text takes every line");
            }
        }
    }
    text
}

/// Retention lines: right of and below its line an honest stake grows.
///
/// # Errors
/// The plot cannot be drawn.
pub fn svg(settings: &Settings, study: &Study) -> Result<String, ChartError> {
    let count = study.retentions.len();
    let curves = study.retentions.iter().enumerate().map(|(number, retention)| Curve {
        lines: contour(retention),
        colour: ramp(number, count),
        label: format!("{}", retention.honest_stake),
    });
    let mut subtitle = format!(
        "σ {}, κ {}, β {}, ξ {}; {} UIDs, {} validators; samples {}, seed {}",
        settings.weights_stddev,
        settings.kappa,
        settings.bonds_penalty,
        settings.validator_share,
        settings.uids,
        settings.validators,
        settings.samples,
        settings.seed
    );
    if settings.epochs > 1 {
        let measured = match settings.measured {
            Measured::Last => "the last",
            Measured::Mean => "the mean",
        };
        write!(subtitle, "; {measured} of {} epochs", settings.epochs).expect("a text takes it");
    }
    if !settings.copiers.is_none() {
        let (copiers, delay) = (settings.copiers, settings.reveal_epochs);
        write!(subtitle, "; {copiers} of the honest copy, reveal after {delay}")
            .expect("a text takes it");
    }
    if !settings.drift.is_none() {
        write!(subtitle, "; drift {}", settings.drift).expect("a text takes it");
    }
    let lost = study.retentions.iter().filter(|one| contour(one).is_empty());
    let lost: Vec<String> = lost.map(|one| one.honest_stake.to_string()).collect();
    let note = match lost.is_empty() {
        true => {
            "Right of and below its line an honest stake grows; elsewhere it shrinks.".to_owned()
        }
        false => format!(
            "Right of and below its line an honest stake grows; elsewhere it shrinks. No line: {}.",
            lost.join(", ")
        ),
    };
    Chart {
        title: "Retention lines: honest emission = honest stake".to_owned(),
        subtitle,
        note,
        x: Axis {
            title: "Honest self-weight, the honest utility".to_owned(),
            range: (0.0, 1.0),
            decimals: 1,
        },
        y: Axis { title: "Cabal's self-weight".to_owned(), range: (0.0, 1.0), decimals: 1 },
        bands: Vec::new(),
        curves: curves.collect(),
        legend: "Honest stake".to_owned(),
    }
    .svg()
}
