//! Names that were mistyped, and those that may have been meant.

/// How alike two names must be for one to be meant by the other, from 0 to 1.
const LIKENESS_MIN: f64 = 0.8;
/// As many known names are all told.
const NAMES_TOLD_MAX: usize = 24;
/// How many of more are told, those most like the name first.
const NAMES_TOLD: usize = 3;

/// The known name that a mistyped one is most like, or which there are.
pub fn meant(name: &str, known: &[&str]) -> String {
    let mut ranked: Vec<(f64, &str)> =
        known.iter().map(|one| (strsim::jaro_winkler(name, one), *one)).collect();
    ranked.sort_by(|(left, _), (right, _)| right.total_cmp(left));
    let told = |names: &[&str]| names.join(", ");
    match ranked.as_slice() {
        [(likeness, best), ..] if *likeness >= LIKENESS_MIN => format!("did you mean {best:?}?"),
        _ if known.len() <= NAMES_TOLD_MAX => format!("known are {}", told(known)),
        _ => {
            let first: Vec<&str> = ranked.iter().take(NAMES_TOLD).map(|(_, one)| *one).collect();
            format!("none of {} names is like it; nearest are {}", known.len(), told(&first))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_seen_and_another_word_is_not() {
        let known = ["kappa", "tempo", "weights_set_rate_limit", "flow-recycler"];
        for (typed, expected) in [
            ("kapa", "did you mean \"kappa\"?"),
            ("tmepo", "did you mean \"tempo\"?"),
            ("weight_set_rate_limit", "did you mean \"weights_set_rate_limit\"?"),
            ("foo", "known are kappa, tempo, weights_set_rate_limit, flow-recycler"),
        ] {
            assert_eq!(meant(typed, &known), expected);
        }
    }

    #[test]
    fn of_many_names_the_nearest_are_told() {
        let names: Vec<String> = (0..40).map(|number| format!("parameter_{number}")).collect();
        let known: Vec<&str> = names.iter().map(String::as_str).collect();
        let said = meant("zebra", &known);
        assert!(said.starts_with("none of 40 names is like it; nearest are parameter_"), "{said}");
        assert_eq!(said.matches(", ").count(), NAMES_TOLD - 1, "{said}");
    }
}
