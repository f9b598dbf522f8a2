//! Decimal settings: exact numbers of millionths, so that a share of UIDs or of stake is one whole number everywhere.

use std::fmt;
use std::str::FromStr;

/// One.
const ONE: u32 = 1_000_000;

/// A number of millionths: what users write as a decimal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Millionths(pub u32);

impl Millionths {
    /// Whether it is zero.
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }

    /// Whether it is one.
    pub const fn is_whole(self) -> bool {
        self.0 == ONE
    }

    /// The nearest float.
    pub fn as_f64(self) -> f64 {
        f64::from(self.0) / f64::from(ONE)
    }

    /// This part of a whole number, floored: the rest stays with the other part.
    pub fn of(self, whole: u64) -> u64 {
        let part = u128::from(whole) * u128::from(self.0) / u128::from(ONE);
        u64::try_from(part).unwrap_or(u64::MAX)
    }

    /// In 1/65535 as the chain stores proportions, floored; a half is 32767, the chain's default κ.
    pub fn as_u16(self) -> u16 {
        u16::try_from(self.of(u64::from(u16::MAX))).unwrap_or(u16::MAX)
    }

    /// Reads a share: a decimal from 0 to 1.
    ///
    /// # Errors
    /// It is none.
    pub fn share(text: &str) -> Result<Self, String> {
        text.parse().ok().filter(|share| *share <= Self(ONE)).ok_or_else(|| {
            "a share is a decimal from 0 to 1, with at most six digits after the point".to_owned()
        })
    }

    /// Reads a standard deviation: a decimal from 0 to 10.
    ///
    /// # Errors
    /// It is none.
    pub fn deviation(text: &str) -> Result<Self, String> {
        text.parse().ok().filter(|deviation| *deviation <= Self(10 * ONE)).ok_or_else(|| {
            "a standard deviation is a decimal from 0 to 10, with at most six digits after the point"
                .to_owned()
        })
    }
}

impl FromStr for Millionths {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (whole, part) = text.split_once('.').unwrap_or((text, ""));
        let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if !is_digits(whole) || !is_digits(part) || whole.len() + part.len() == 0 || part.len() > 6
        {
            return Err(());
        }
        let number = |text: &str| if text.is_empty() { Ok(0) } else { text.parse::<u32>() };
        let whole = number(whole).ok().and_then(|whole| whole.checked_mul(ONE)).ok_or(())?;
        let part = number(&format!("{part:0<6}")).map_err(|_| ())?;
        whole.checked_add(part).map(Self).ok_or(())
    }
}

impl fmt::Display for Millionths {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{}", self.as_f64())
    }
}

impl serde::Serialize for Millionths {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_f64(self.as_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_read_exactly() {
        let rows = [
            ("0", Some(0)),
            ("1", Some(1_000_000)),
            ("1.0", Some(1_000_000)),
            ("0.51", Some(510_000)),
            (".6", Some(600_000)),
            ("0.123456", Some(123_456)),
            ("0.1234567", None),
            ("1.000001", None),
            ("-0.5", None),
            ("+0.5", None),
            ("0,5", None),
            ("1e-1", None),
            ("NaN", None),
            (".", None),
            ("", None),
            ("99999999999", None),
        ];
        for (text, share) in rows {
            assert_eq!(Millionths::share(text).ok().map(|share| share.0), share, "{text:?}");
        }
        assert_eq!(Millionths::deviation("1.5"), Ok(Millionths(1_500_000)));
        assert!(
            Millionths::deviation("10.1").is_err() && Millionths::deviation("4294.967296").is_err()
        );
    }

    #[test]
    fn parts_are_floored() {
        let rows = [(500_000, 32_767), (1_000_000, 65_535), (0, 0), (400_000, 26_214)];
        for (share, proportion) in rows {
            assert_eq!(Millionths(share).as_u16(), proportion, "{share}");
        }
        // 0.7 · 448 is 313.6, and 0.6 · 64 is 38.4.
        assert_eq!((Millionths(700_000).of(448), Millionths(600_000).of(64)), (313, 38));
        assert_eq!(Millionths(510_000).to_string(), "0.51");
    }
}
