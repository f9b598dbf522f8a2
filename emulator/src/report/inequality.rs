//! How unequal numbers are.

/// Sum of the squares of shares: 1 where one has all, 1/n where n have the same; 0 without numbers.
pub fn herfindahl(amounts: &[f64]) -> f64 {
    let sum: f64 = amounts.iter().sum();
    if sum <= 0.0 {
        return 0.0;
    }
    amounts.iter().map(|amount| (amount / sum) * (amount / sum)).sum()
}

/// Gini coefficient: 0 where all have the same, towards 1 where one has all; 0 without numbers.
pub fn gini(amounts: &[f64]) -> f64 {
    let mut sorted = amounts.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (count, sum) = (sorted.len() as f64, sorted.iter().sum::<f64>());
    if sum <= 0.0 {
        return 0.0;
    }
    let ranked: f64 = (1..).zip(&sorted).map(|(rank, amount)| f64::from(rank) * amount).sum();
    (2.0 * ranked / (count * sum) - (count + 1.0) / count).max(0.0)
}

/// The sum of the largest so many, of one.
pub fn top_share(amounts: &[f64], count: usize) -> f64 {
    let mut sorted = amounts.to_vec();
    sorted.sort_by(|a, b| b.total_cmp(a));
    let sum: f64 = sorted.iter().sum();
    if sum <= 0.0 { 0.0 } else { sorted.iter().take(count).sum::<f64>() / sum }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_and_single_owners_are_the_ends() {
        let (equal, one) = ([2.0; 4], [0.0, 0.0, 0.0, 8.0]);
        assert_eq!((herfindahl(&equal), gini(&equal)), (0.25, 0.0));
        assert_eq!((herfindahl(&one), gini(&one)), (1.0, 0.75));
        assert_eq!(
            (top_share(&equal, 1), top_share(&one, 1), top_share(&one, 9)),
            (0.25, 1.0, 1.0)
        );
        let (none, zero) = ([], [0.0, 0.0]);
        assert_eq!((herfindahl(&none), gini(&none), top_share(&none, 3)), (0.0, 0.0, 0.0));
        assert_eq!((herfindahl(&zero), gini(&zero), top_share(&zero, 3)), (0.0, 0.0, 0.0));
    }

    #[test]
    fn a_known_distribution() {
        // 1, 2, 3, 4: the mean difference of all pairs over twice the mean.
        let some = [4.0, 1.0, 3.0, 2.0];
        assert!((gini(&some) - 0.25).abs() < 1e-12);
        assert!((herfindahl(&some) - 0.3).abs() < 1e-12);
        assert!((top_share(&some, 2) - 0.7).abs() < 1e-12);
    }
}
