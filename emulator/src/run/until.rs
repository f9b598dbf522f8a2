//! Conditions that end a run: `run.until = "subnet.3.emission_share < 0.001"`.
//!
//! What belongs here: reading one, and whether a state meets it. What does not: when it is asked (`engine`). They are in
//! no hash: like the number of blocks they say how far a run goes, not what happens in it.

use crate::likeness::meant;
use crate::run::totals::{ratio, top_subnets};
use crate::scenario::amount::Tao;
use protocol::registration::lock_cost;
use protocol::state::State;
use protocol::units::NetUid;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// Comparisons as they are written; those that begin with another come before it.
const SIGNS: [(&str, Sign); 6] = [
    ("<=", Sign::AtMost),
    (">=", Sign::AtLeast),
    ("==", Sign::Equal),
    ("!=", Sign::Other),
    ("<", Sign::Below),
    (">", Sign::Above),
];

/// Figures of the network.
const NETWORK: [(&str, Figure); 6] = [
    ("subnets", Figure::Subnets),
    ("subnets_registered_at", Figure::RegisteredAt),
    ("lock_cost_rao", Figure::LockCost),
    ("total_issuance_rao", Figure::TotalIssuance),
    ("total_stake_rao", Figure::TotalStake),
    ("top10_emission_share", Figure::Top10),
];

/// Figures of a subnet, after `subnet.N.`.
const SUBNET: [(&str, SubnetFigure); 6] = [
    ("exists", SubnetFigure::Exists),
    ("price", SubnetFigure::Price),
    ("moving_price", SubnetFigure::MovingPrice),
    ("emission_share", SubnetFigure::EmissionShare),
    ("tao_reserve_rao", SubnetFigure::TaoReserve),
    ("neurons", SubnetFigure::Neurons),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sign {
    AtMost,
    AtLeast,
    Equal,
    Other,
    Below,
    Above,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Figure {
    Subnets,
    RegisteredAt,
    LockCost,
    TotalIssuance,
    TotalStake,
    Top10,
    Of(NetUid, SubnetFigure),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SubnetFigure {
    Exists,
    Price,
    MovingPrice,
    EmissionShare,
    TaoReserve,
    Neurons,
}

/// A condition: a figure of the state, a comparison, a number.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    figure: Figure,
    sign: Sign,
    value: f64,
    text: String,
}

impl Condition {
    /// Whether it holds after a block. Of a subnet that is not there only `exists` can hold.
    pub fn holds(&self, state: &State) -> bool {
        let Some(figure) = self.figure.of(state) else { return false };
        match self.sign {
            Sign::AtMost => figure <= self.value,
            Sign::AtLeast => figure >= self.value,
            Sign::Equal => figure == self.value,
            Sign::Other => figure != self.value,
            Sign::Below => figure < self.value,
            Sign::Above => figure > self.value,
        }
    }
}

impl Figure {
    fn of(self, state: &State) -> Option<f64> {
        let networks = || state.networks().filter(|(netuid, _)| !netuid.is_root());
        Some(match self {
            Self::Subnets => networks().count() as f64,
            Self::RegisteredAt => {
                networks().map(|(_, subnet)| subnet.info.registered_at).max().unwrap_or(0) as f64
            }
            Self::LockCost => lock_cost(state).0 as f64,
            Self::TotalIssuance => state.global.total_issuance.0 as f64,
            Self::TotalStake => state.global.total_stake.0 as f64,
            Self::Top10 => top_subnets(state).iter().map(|one| one.emission_share).sum(),
            Self::Of(netuid, figure) => {
                let subnet = state.subnet(netuid);
                if figure == SubnetFigure::Exists {
                    return Some(f64::from(u8::from(subnet.is_some())));
                }
                let subnet = subnet?;
                match figure {
                    SubnetFigure::Exists => 1.0,
                    SubnetFigure::Price => ratio(subnet.price(), 32),
                    SubnetFigure::MovingPrice => subnet.moving_price() as f64 / f64::powi(2.0, 32),
                    SubnetFigure::EmissionShare => ratio(subnet.fast.emission_share, 64),
                    SubnetFigure::TaoReserve => subnet.fast.pool.tao as f64,
                    SubnetFigure::Neurons => subnet.neurons.len() as f64,
                }
            }
        })
    }
}

impl FromStr for Figure {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let unknown = |given: &str, names: &[&str]| {
            format!("there is no figure {name:?}; {}", meant(given, names))
        };
        let Some(rest) = name.strip_prefix("subnet.") else {
            let found = NETWORK.iter().find(|(known, _)| *known == name);
            let mut names: Vec<&str> = NETWORK.iter().map(|(known, _)| *known).collect();
            names.push("subnet.N.price");
            return found.map(|(_, figure)| *figure).ok_or_else(|| unknown(name, &names));
        };
        let (netuid, key) = rest.split_once('.').unwrap_or((rest, ""));
        let number = netuid.parse::<u16>().ok().filter(|number| *number > 0);
        let number =
            number.ok_or_else(|| format!("{netuid:?} in {name:?} is no netuid of a subnet"))?;
        let names: Vec<&str> = SUBNET.iter().map(|(known, _)| *known).collect();
        let found = SUBNET.iter().find(|(known, _)| *known == key);
        let figure = found.map(|(_, figure)| *figure).ok_or_else(|| unknown(key, &names))?;
        Ok(Self::Of(NetUid(number), figure))
    }
}

impl FromStr for Condition {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = text.char_indices().find_map(|(at, _)| {
            let sign = SIGNS.iter().find(|(sign, _)| text[at..].starts_with(sign))?;
            Some((text[..at].trim(), sign.1, text[at + sign.0.len()..].trim()))
        });
        let (name, sign, value) = found.ok_or_else(|| {
            format!("{text:?} compares nothing; write for instance \"subnet.3.price < 0.01\"")
        })?;
        let figure: Figure = name.parse()?;
        let amount = || {
            let tao = toml::Value::String(value.to_owned()).try_into::<Tao>().ok();
            tao.filter(|_| name.ends_with("_rao")).map(|tao| tao.0 as f64)
        };
        let number = value.parse::<f64>().ok().filter(|number| number.is_finite()).or_else(amount);
        let value = number.ok_or_else(|| format!("{value:?} in {text:?} is no number"))?;
        Ok(Self { figure, sign, value, text: text.trim().to_owned() })
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text.fmt(to)
    }
}

impl Serialize for Condition {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Condition {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Overrides, load};
    use std::path::Path;

    fn genesis() -> State {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../configs/quickstart.toml");
        let scenario = load(&file, &Overrides::default()).expect("it ships");
        scenario.plan().expect("it ships").genesis
    }

    #[test]
    fn conditions_hold_or_not_as_the_state_says() {
        let state = genesis();
        let rows = [
            ("subnets == 3", true),
            ("subnets<3", false),
            ("subnet.1.price >= 0.0999", true),
            ("subnet.1.price > 0.1", false),
            ("subnet.1.moving_price != 0.2", true),
            ("subnet.1.tao_reserve_rao == 10000 TAO", true),
            ("subnet.1.tao_reserve_rao <= 9999999999999", false),
            ("subnet.3.neurons == 10", true),
            ("subnet.3.exists == 0", false),
            ("subnet.9.exists == 0", true),
            ("subnet.9.price < 1", false),
            ("top10_emission_share > 1", false),
            ("total_issuance_rao == 1000000 TAO", true),
            ("total_stake_rao > 0", true),
            ("lock_cost_rao > 0.000000001 TAO", true),
            ("subnets_registered_at == 0", true),
        ];
        for (text, expected) in rows {
            let condition: Condition = text.parse().unwrap_or_else(|no| panic!("{no}"));
            assert_eq!((condition.holds(&state), condition.to_string().as_str()), (expected, text));
            let written = serde_json::to_string(&condition).expect("it is a text");
            assert_eq!(serde_json::from_str::<Condition>(&written).expect("it is"), condition);
        }
    }

    #[test]
    fn what_is_no_condition_says_why() {
        let rows = [
            ("subnet.1.price", "compares nothing"),
            ("", "compares nothing"),
            ("subnet.1.prize < 1", "did you mean \"price\""),
            ("subnet.0.price < 1", "is no netuid"),
            ("subnet < 1", "no figure"),
            ("subnetz < 1", "\"subnets\""),
            ("subnets < many", "is no number"),
            ("subnets < 3 TAO", "is no number"),
            ("subnets < inf", "is no number"),
            ("subnets =< 3", "no figure"),
        ];
        for (text, expected) in rows {
            let error = text.parse::<Condition>().expect_err(text);
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
