//! The headline figures of a run, by themselves and beside those of another.
//!
//! What belongs here: which they are, and how amounts are told on pages. What does not: where they stand (`mod`,
//! `versus`).

use crate::names::TAO;
use crate::report::dossier::Dossier;
use crate::telling::figures::thousands;
use protocol::units::UNITS_PER_TOKEN;

/// A figure.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// What it is.
    pub name: &'static str,
    /// How much.
    pub value: Value,
    /// What else is worth knowing of it.
    pub note: String,
}

/// A number that knows its unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    /// So many.
    Count(u64),
    /// TAO, in rao.
    Tao(i128),
    /// A part of one.
    Share(f64),
    /// An index without a unit.
    Index(f64),
}

impl Value {
    /// As people read it.
    pub fn told(self) -> String {
        match self {
            Self::Count(count) => thousands(count),
            Self::Tao(rao) => tao(rao),
            Self::Share(share) => percent(share),
            Self::Index(index) => format!("{index:.3}"),
        }
    }

    /// How much more this is, with its sign; shares in points of a percent.
    pub fn beyond(self, other: Self) -> String {
        match (self, other) {
            (Self::Count(one), Self::Count(other)) => {
                let sign = if one < other { '−' } else { '+' };
                match one.abs_diff(other) {
                    0 => SAME.to_owned(),
                    gap => format!("{sign}{}", thousands(gap)),
                }
            }
            (Self::Tao(one), Self::Tao(other)) if one == other => SAME.to_owned(),
            (Self::Tao(one), Self::Tao(other)) => signed_tao(one - other),
            (Self::Share(one), Self::Share(other)) if one == other => SAME.to_owned(),
            (Self::Share(one), Self::Share(other)) => {
                let gap = format!("{:+.2}", (one - other) * 100.0);
                if is_zero(&gap) { NEARLY.to_owned() } else { format!("{} points", sign_of(gap)) }
            }
            (Self::Index(one), Self::Index(other)) if one == other => SAME.to_owned(),
            (Self::Index(one), Self::Index(other)) => {
                let gap = format!("{:+.3}", one - other);
                if is_zero(&gap) { NEARLY.to_owned() } else { sign_of(gap) }
            }
            _ => SAME.to_owned(),
        }
    }
}

/// What stands for no difference.
const SAME: &str = "=";
/// What stands for one that no digit shows.
const NEARLY: &str = "≈";

/// The headline figures, the most telling first.
pub fn figures(dossier: &Dossier) -> Vec<Figure> {
    let Dossier { report, series, totals, trouble, .. } = dossier;
    let network = &report.network;
    let figure = |name, value, note: String| Figure { name, value, note };
    let part = |of: u64, all: u64| if all == 0 { 0.0 } else { of as f64 / all as f64 };
    let net: i128 = series.flows.values().filter_map(|one| one.last()).map(|(_, net)| *net).sum();
    let (in_rao, out_rao) = report.subnets.iter().fold((0, 0), |(into, out), subnet| {
        (into + i128::from(subnet.flow.in_rao.0), out + i128::from(subnet.flow.out_rao.0))
    });
    let lock = |at: Option<&crate::report::series::NetworkPoint>| {
        at.map_or(0, |point| i128::from(point.lock_cost_rao.0))
    };
    let (lock_first, lock_last) = (lock(series.network.first()), lock(series.network.last()));
    let times = trouble.faults.len() as u64;
    vec![
        figure(
            "TAO emission",
            Value::Tao(i128::from(network.emission_rao.0)),
            format!("of {} in existence", tao(i128::from(network.total_issuance_rao.0))),
        ),
        figure(
            "subnets at last",
            Value::Count(network.subnets_end),
            format!(
                "{} at first, {} came, {} went",
                network.subnets_start,
                network.registered.len(),
                network.dissolved.len()
            ),
        ),
        figure(
            "net flow into pools",
            Value::Tao(net),
            format!("{} in, {} out", tao(in_rao), tao(out_rao)),
        ),
        figure(
            "top ten's share",
            Value::Share(network.top10_emission_share),
            "of the last block's emission".to_owned(),
        ),
        figure(
            "Gini",
            Value::Index(network.gini),
            format!("of emission; Herfindahl {:.3}", network.herfindahl),
        ),
        figure("lock cost", Value::Tao(lock_last), format!("{} at first", tao(lock_first))),
        figure(
            "alarms",
            Value::Count(trouble.alarms()),
            format!("of {} of {} detectors", trouble.detectors.len(), trouble.detectors_all),
        ),
        figure("times of faults", Value::Count(times), fault_kinds(dossier)),
        figure(
            "calls decided",
            Value::Count(totals.extrinsics),
            format!("{} failed or refused", percent(part(totals.rejected, totals.extrinsics))),
        ),
        figure(
            "messages",
            Value::Count(totals.messages.sent),
            format!("{} lost", percent(part(totals.messages.dropped, totals.messages.sent))),
        ),
    ]
}

fn fault_kinds(dossier: &Dossier) -> String {
    let mut kinds: Vec<&str> = dossier.trouble.faults.iter().map(|(kind, ..)| *kind).collect();
    kinds.sort_unstable();
    kinds.dedup();
    match kinds.len() {
        0 => "the scenario has none".to_owned(),
        1 => "of one kind".to_owned(),
        count => format!("of {count} kinds"),
    }
}

/// An amount of rao in TAO, in as many digits as matter.
pub fn tao(rao: i128) -> String {
    let tao = rao as f64 / UNITS_PER_TOKEN as f64;
    let size = tao.abs();
    let digits = match size {
        0.0 => 0,
        speck if speck < 0.000_01 => 9,
        tiny if tiny < 0.01 => 6,
        small if small < 10.0 => 3,
        middling if middling < 1_000.0 => 1,
        _ => 0,
    };
    let text = format!("{size:.digits$}");
    let (whole, part) = text.split_once('.').unwrap_or((&text, ""));
    let whole = whole.parse().map_or_else(|_| whole.to_owned(), thousands);
    let point = if part.is_empty() { "" } else { "." };
    let sign = if rao < 0 { "−" } else { "" };
    format!("{sign}{whole}{point}{part} {TAO}")
}

/// The same with its sign.
pub fn signed_tao(rao: i128) -> String {
    if rao > 0 { format!("+{}", tao(rao)) } else { tao(rao) }
}

/// A part of one in percent.
pub fn percent(part: f64) -> String {
    sign_of(format!("{:.2} %", part * 100.0))
}

/// A change in percent, with its sign.
pub fn signed_percent(part: f64) -> String {
    sign_of(format!("{:+.1} %", part * 100.0))
}

/// A price: six digits behind the point, more where it is tiny.
pub fn price(price: f64) -> String {
    if price != 0.0 && price.abs() < 0.000_1 {
        format!("{price:.9}")
    } else {
        format!("{price:.6}")
    }
}

/// Whether no digit of a number is more than 0.
fn is_zero(text: &str) -> bool {
    !text.chars().any(|letter| ('1'..='9').contains(&letter))
}

/// With a minus as long as a plus.
fn sign_of(text: String) -> String {
    text.replace('-', "−")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_have_the_digits_that_matter() {
        let rows = [
            (0, "0 τ"),
            (1_234, "0.000001234 τ"),
            (1_234_000, "0.001234 τ"),
            (1_500_000_000, "1.500 τ"),
            (-12_340_000_000, "−12.3 τ"),
            (1_234_567_000_000_000, "1,234,567 τ"),
        ];
        for (rao, expected) in rows {
            assert_eq!(tao(rao), expected);
        }
        assert_eq!(signed_tao(1_500_000_000), "+1.500 τ");
        assert_eq!(signed_tao(-1_500_000_000), "−1.500 τ");
        assert_eq!((price(0.25), price(0.000_000_5)), ("0.250000".into(), "0.000000500".into()));
    }

    #[test]
    fn differences_have_a_sign_or_are_none() {
        let rows = [
            (Value::Count(7), Value::Count(1_007), "−1,000"),
            (Value::Count(7), Value::Count(7), "="),
            (Value::Tao(3_000_000_000), Value::Tao(1_000_000_000), "+2.000 τ"),
            (Value::Share(0.25), Value::Share(0.5), "−25.00 points"),
            (Value::Index(0.5), Value::Index(0.25), "+0.250"),
            (Value::Index(0.5), Value::Index(0.500_01), "≈"),
            (Value::Share(0.5), Value::Share(0.500_01), "≈"),
        ];
        for (one, other, expected) in rows {
            assert_eq!(one.beyond(other), expected, "{one:?} {other:?}");
        }
    }
}
