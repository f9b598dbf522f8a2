//! Names that were mistyped, and those that may have been meant.

/// How alike two names must be for one to be meant by the other, from 0 to 1.
const LIKENESS_MIN: f64 = 0.8;
/// Letters of a name in which one that is missing, wrong or in another's place is a slip.
const SLIP_LETTERS_MIN: usize = 3;
/// As many known names are all told.
const NAMES_TOLD_MAX: usize = 24;
/// How many of more are told, those most like the name first.
const NAMES_TOLD: usize = 3;

/// The known name that a mistyped one is most like, if it is like it at all.
pub fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let best = ranked(name, known).into_iter().next();
    best.filter(|(likeness, _)| *likeness >= LIKENESS_MIN).map(|(_, best)| best)
}

/// What to tell whoever mistyped a name: the one it is most like, or which there are.
pub fn meant(name: &str, known: &[&str]) -> String {
    match nearest(name, known) {
        Some(best) => format!("did you mean {best:?}?"),
        None if known.len() <= NAMES_TOLD_MAX => format!("known are {}", known.join(", ")),
        None => {
            let first = ranked(name, known).into_iter().take(NAMES_TOLD).map(|(_, one)| one);
            let first = first.collect::<Vec<_>>().join(", ");
            format!("none of {} names is like it; nearest are {first}", known.len())
        }
    }
}

/// Known names, the one that a name is most like first.
fn ranked<'a>(name: &str, known: &[&'a str]) -> Vec<(f64, &'a str)> {
    // In a short name one slip makes all letters look out of place.
    let is_slip =
        |one: &str| one.len() >= SLIP_LETTERS_MIN && strsim::damerau_levenshtein(name, one) <= 1;
    let likeness = |one: &str| match is_slip(one) {
        true => strsim::jaro_winkler(name, one).max(LIKENESS_MIN),
        false => strsim::jaro_winkler(name, one),
    };
    let mut ranked: Vec<(f64, &str)> = known.iter().map(|one| (likeness(one), *one)).collect();
    ranked.sort_by(|(left, _), (right, _)| right.total_cmp(left));
    ranked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_seen_and_another_word_is_not() {
        let known = ["kappa", "tempo", "weights_set_rate_limit", "flow-recycler", "run", "at"];
        for (typed, expected) in [
            ("kapa", "did you mean \"kappa\"?"),
            ("tmepo", "did you mean \"tempo\"?"),
            ("weight_set_rate_limit", "did you mean \"weights_set_rate_limit\"?"),
            ("rnu", "did you mean \"run\"?"),
            ("foo", "known are kappa, tempo, weights_set_rate_limit, flow-recycler, run, at"),
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
