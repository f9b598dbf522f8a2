//! Mean and confidence of a measure over the seeds of a cell: numbers in, numbers out.

use serde::Serialize;

/// What the runs of a cell say of one measure.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Estimate {
    /// Runs that have a figure.
    pub n: u64,
    /// Their mean.
    pub mean: f64,
    /// Half the width of the 95 % confidence interval of the mean (Student's t); none of fewer than two runs.
    pub ci95: Option<f64>,
    /// Standard deviation of a single run (n − 1); none of fewer than two runs.
    pub standard_deviation: Option<f64>,
    /// The smallest.
    pub min: f64,
    /// The largest.
    pub max: f64,
}

impl Estimate {
    /// Of figures; none of no figures.
    pub fn of(figures: &[f64]) -> Option<Self> {
        let n = figures.len() as f64;
        if figures.is_empty() {
            return None;
        }
        let mean = figures.iter().sum::<f64>() / n;
        // Two passes: a difference of large squares would lose what matters.
        let squares: f64 = figures.iter().map(|figure| (figure - mean).powi(2)).sum();
        let several = figures.len() > 1;
        let deviation = several.then(|| (squares / (n - 1.0)).sqrt());
        let freedom = figures.len() as u64 - 1;
        Some(Self {
            n: figures.len() as u64,
            mean,
            ci95: deviation.map(|deviation| t_95(freedom) * deviation / n.sqrt()),
            standard_deviation: deviation,
            min: figures.iter().copied().fold(f64::INFINITY, f64::min),
            max: figures.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        })
    }
}

/// The 0.975 quantile of Student's t by degrees of freedom, 1 to 30.
const T_95: [f64; 30] = [
    12.706_205, 4.302_653, 3.182_446, 2.776_445, 2.570_582, 2.446_912, 2.364_624, 2.306_004,
    2.262_157, 2.228_139, 2.200_985, 2.178_813, 2.160_369, 2.144_787, 2.131_450, 2.119_905,
    2.109_816, 2.100_922, 2.093_024, 2.085_963, 2.079_614, 2.073_873, 2.068_658, 2.063_899,
    2.059_539, 2.055_529, 2.051_831, 2.048_407, 2.045_230, 2.042_272,
];

/// The 0.975 quantile of the normal distribution.
const Z_95: f64 = 1.959_963_985;

/// The 0.975 quantile of Student's t, right to 5 digits: a table, beyond it the expansion of Cornish and Fisher.
fn t_95(freedom: u64) -> f64 {
    let row = usize::try_from(freedom).ok().and_then(|freedom| freedom.checked_sub(1));
    if let Some(quantile) = row.and_then(|row| T_95.get(row)) {
        return *quantile;
    }
    let (z, v) = (Z_95, freedom as f64);
    let first = (z.powi(3) + z) / (4.0 * v);
    let second = (5.0 * z.powi(5) + 16.0 * z.powi(3) + 3.0 * z) / (96.0 * v.powi(2));
    let third =
        (3.0 * z.powi(7) + 19.0 * z.powi(5) + 17.0 * z.powi(3) - 15.0 * z) / (384.0 * v.powi(3));
    z + first + second + third
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_published_tables() {
        // NIST/SEMATECH e-Handbook, 1.3.6.7.2, and R's qt(0.975, v).
        let rows = [
            (1, 12.706),
            (2, 4.303),
            (5, 2.571),
            (10, 2.228),
            (29, 2.045),
            (30, 2.042),
            (31, 2.040),
            (40, 2.021),
            (60, 2.000),
            (100, 1.984),
            (1_000, 1.962),
            (1_000_000, 1.960),
        ];
        for (freedom, quantile) in rows {
            assert!((t_95(freedom) - quantile).abs() < 6e-4, "{freedom}: {}", t_95(freedom));
        }
    }

    #[test]
    fn the_table_holds_the_quantiles_that_the_density_gives() {
        for freedom in (1..=30).chain([31, 35, 50, 200]) {
            let within = probability_within(t_95(freedom), freedom as f64);
            assert!((within - 0.95).abs() < 2e-6, "{freedom}: {within}");
        }
    }

    /// The probability of |T| < t, by Simpson's rule over the density, which is scaled by its own integral: with
    /// t = √v·tan(θ) the density is cos(θ)^(v−1).
    fn probability_within(t: f64, v: f64) -> f64 {
        let integral = |to: f64| {
            let steps = 20_000;
            let width = to / f64::from(steps);
            let at = |step: i32| (f64::from(step) * width).cos().max(0.0).powf(v - 1.0);
            let inner: f64 =
                (1..steps).map(|step| at(step) * if step % 2 == 1 { 4.0 } else { 2.0 }).sum();
            (at(0) + inner + at(steps)) * width / 3.0
        };
        integral((t / v.sqrt()).atan()) / integral(std::f64::consts::FRAC_PI_2)
    }

    #[test]
    fn estimates_are_those_of_the_textbook() {
        assert_eq!(Estimate::of(&[]), None);
        let one = Estimate::of(&[3.0]).expect("one");
        assert_eq!((one.n, one.mean, one.ci95, one.standard_deviation), (1, 3.0, None, None));
        let estimate = Estimate::of(&[4.0, 6.0, 8.0]).expect("three");
        assert_eq!((estimate.n, estimate.mean, estimate.min, estimate.max), (3, 6.0, 4.0, 8.0));
        assert_eq!(estimate.standard_deviation, Some(2.0));
        let half = estimate.ci95.expect("three");
        assert!((half - 4.302_653 * 2.0 / 3f64.sqrt()).abs() < 1e-9, "{half}");
        let same = Estimate::of(&[1e16, 1e16]).expect("two");
        assert_eq!((same.mean, same.ci95), (1e16, Some(0.0)));
    }
}
