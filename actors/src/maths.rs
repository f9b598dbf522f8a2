//! The only transcendental functions a player may use: `libm`'s, pinned, because a platform's own differ
//! in the last digits and would make two machines disagree about a run.
//!
//! Elsewhere players use + − × ÷ √ and whole numbers.

use protocol::dice::Dice;

/// A draw from the normal distribution with mean 0 and deviation 1 (Box and Muller).
pub fn normal(dice: &mut Dice) -> f64 {
    let radius = (-2.0 * libm::log(unit(dice))).sqrt();
    radius * libm::cos(2.0 * std::f64::consts::PI * unit(dice))
}

/// `mean` plus a normal draw of the given deviation, rounded to the nearest integer and kept within
/// `0..=most`; halves away from zero.
pub fn normal_ppm(dice: &mut Dice, mean: u32, deviation: u32, most: u32) -> u32 {
    let drawn = f64::from(mean) + f64::from(deviation) * normal(dice);
    // A cast of a float saturates, so a far draw ends at 0 or at the edge of u32.
    (libm::round(drawn) as u32).min(most)
}

/// A draw from the lognormal distribution with mean 1, whose logarithm has the given deviation.
pub fn lognormal(dice: &mut Dice, deviation: f64) -> f64 {
    libm::exp(deviation * normal(dice) - deviation * deviation / 2.0)
}

/// Uniform above 0 and at most 1, in steps of 2⁻⁵³.
fn unit(dice: &mut Dice) -> f64 {
    ((dice.next_u64() >> 11) + 1) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::dice::Domain;

    #[test]
    fn normal_draws_are_golden_and_have_their_moments() {
        let draw = |n| normal(&mut Dice::new(1, Domain::Player, 2, 3, n));
        // Bits, because a last digit that differs is exactly what must not happen.
        let golden: Vec<u64> = (0..3).map(|n| draw(n).to_bits()).collect();
        assert_eq!(
            golden,
            [13_823_839_571_059_764_120, 13_833_994_766_836_876_191, 4_611_629_415_914_014_278]
        );
        let draws: Vec<f64> = (0..20_000).map(draw).collect();
        let mean = draws.iter().sum::<f64>() / 20_000.0;
        let variance = draws.iter().map(|draw| draw * draw).sum::<f64>() / 20_000.0;
        assert!(mean.abs() < 0.02 && (0.97..1.03).contains(&variance), "{mean} {variance}");
    }

    #[test]
    fn lognormal_draws_have_mean_one_and_their_deviation() {
        let draws: Vec<f64> = (0..20_000)
            .map(|n| lognormal(&mut Dice::new(1, Domain::Player, 2, 3, n), 0.5))
            .collect();
        let mean = draws.iter().sum::<f64>() / 20_000.0;
        let logs: Vec<f64> = draws.iter().map(|draw| libm::log(*draw) + 0.125).collect();
        let variance = logs.iter().map(|log| log * log).sum::<f64>() / 20_000.0;
        assert!(
            (0.98..1.02).contains(&mean) && (0.24..0.26).contains(&variance),
            "{mean} {variance}"
        );
        assert_eq!(lognormal(&mut Dice::new(1, Domain::Player, 2, 3, 4), 0.0), 1.0);
    }

    #[test]
    fn draws_stay_within_their_bounds() {
        let mut dice = Dice::new(1, Domain::Player, 2, 3, 4);
        for _ in 0..1_000 {
            assert!(normal_ppm(&mut dice, 500_000, 1_000_000, 1_000_000) <= 1_000_000);
        }
        assert_eq!(normal_ppm(&mut dice, 7, 0, 1_000_000), 7);
    }
}
