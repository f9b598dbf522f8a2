//! Numbers as people read them: in groups, with units, rounded to what matters.
//!
//! What does not belong here: amounts of TAO and alpha (`names`).

/// A duration in its largest unit: `20 min`.
pub fn tell_duration(seconds: f64) -> String {
    match seconds {
        short if short < 90.0 => format!("{:.0} s", short.max(1.0)),
        medium if medium < 5_400.0 => format!("{:.0} min", medium / 60.0),
        long => format!("{:.1} h", long / 3_600.0),
    }
}

/// A number of bytes with three digits or so: `1.2 MB`.
pub fn tell_bytes(bytes: u64) -> String {
    let units = ["B", "kB", "MB", "GB", "TB"];
    let mut size = bytes as f64;
    let mut unit = 0;
    while size >= 999.5 && unit + 1 < units.len() {
        size /= 1_000.0;
        unit += 1;
    }
    let digits = usize::from(unit > 0 && size < 9.95);
    format!("{size:.digits$} {}", units[unit])
}

/// A number with thin groups of three: `1,234,567`.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{tell_bytes, tell_duration, thousands};

    #[test]
    fn sizes_and_times_are_rounded_to_what_matters() {
        let rows = [(0, "0 B"), (999, "999 B"), (1_200, "1.2 kB"), (999_600, "1.0 MB")];
        for (bytes, text) in rows.into_iter().chain([(12_345_678_901, "12 GB")]) {
            assert_eq!(tell_bytes(bytes), text);
        }
        let rows = [(0.2, "1 s"), (60.0, "60 s"), (600.0, "10 min"), (9_000.0, "2.5 h")];
        for (seconds, text) in rows {
            assert_eq!(tell_duration(seconds), text);
        }
    }

    #[test]
    fn numbers_are_grouped() {
        let rows = [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")];
        for (number, text) in rows {
            assert_eq!(thousands(number), text);
        }
    }
}
