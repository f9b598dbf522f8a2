//! A snapshot of the real network as the explorer gives it: per subnet its names, reserves, price and owner.

use super::json;
use super::metagraph::{self, Metagraph};
use crate::scenario::amount::{AlphaAmount, Tao};
use crate::scenario::document::Document;
use crate::scenario::error::ScenarioError;
use protocol::units::{AccountId, UNITS_PER_TOKEN};
use serde::de::Error;
use serde::{Deserialize, Deserializer};
use std::collections::BTreeSet;
use std::path::Path;

/// The data that ships, by file name.
const SHIPPED: [(&str, &str); 3] = [
    (
        "finney_subnets_taostats_2026-04-11.json",
        include_str!("../../../configs/data/finney_subnets_taostats_2026-04-11.json"),
    ),
    ("sn1_block6852690.json", include_str!("../../../configs/data/sn1_block6852690.json")),
    ("sn15_block4769998.json", include_str!("../../../configs/data/sn15_block4769998.json")),
];

/// Most TAO or alpha that can exist.
const SUPPLY_MAX: f64 = 21_000_000.0;

/// How far the price may be from the ratio of reserves before the numbers are called impossible.
const PRICE_RATIO_MAX: f64 = 2.0;

/// One row of a snapshot; amounts in whole tokens.
#[derive(Clone, Debug, Deserialize)]
pub struct Row {
    /// Which subnet; 0 is root.
    pub netuid: u16,
    /// Its name.
    pub name: String,
    /// Its token's symbol.
    pub symbol: String,
    /// The explorer's estimate of its daily emission: a relative share.
    pub emission_tao_day: f64,
    /// TAO per alpha as the explorer shows it.
    pub price_tao: f64,
    /// TAO in the pool.
    pub tau_in: Tokens,
    /// Alpha in the pool.
    pub alpha_in: Tokens,
    /// Alpha outside the pool.
    pub alpha_out: Tokens,
    /// The moving price.
    pub moving_price: Option<f64>,
    /// The price of a registration.
    pub reg_cost_tao: Tokens,
    /// Blocks a new neuron is safe.
    pub immunity_period: u16,
    /// Blocks between epochs.
    pub tempo: u16,
    /// When it was registered.
    pub registered_at_block: Option<u64>,
    /// The owner's hotkey.
    pub owner_hk: AccountId,
    /// The owner's coldkey.
    pub owner_ck: AccountId,
    /// Blocks since its last epoch.
    pub blocks_since_last_step: u64,
}

/// An amount: whole tokens as a number, rounded to the smallest unit, or exact as a text with its unit.
#[derive(Clone, Copy, Debug)]
pub struct Tokens {
    /// In whole tokens, to be checked.
    tokens: f64,
    /// In smallest units.
    pub units: u64,
}

impl<'de> Deserialize<'de> for Tokens {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let value = serde_json::Value::deserialize(from)?;
        let exact = |text: &str| {
            let tao = text.parse::<Tao>().map(|amount| amount.0);
            tao.or_else(|()| text.parse::<AlphaAmount>().map(|amount| amount.0)).ok()
        };
        let amount = match (value.as_f64(), value.as_str()) {
            // To the nearest unit; what is out of range is refused by what it is.
            (Some(tokens), _) => {
                Some(Self { tokens, units: (tokens * UNITS_PER_TOKEN as f64).round() as u64 })
            }
            (_, Some(text)) => exact(text)
                .map(|units| Self { tokens: units as f64 / UNITS_PER_TOKEN as f64, units }),
            _ => None,
        };
        amount.ok_or_else(|| {
            let what = "expected a number of tokens, or a text such as \"500 rao\"";
            D::Error::custom(format!("{value} is no amount, {what}"))
        })
    }
}

/// Where the text of a file comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It is one that ships.
    Shipped,
    /// A file of its own.
    File,
}

/// The files that a scenario names, each with its key.
pub fn files(document: &mut Document) -> Vec<(String, &mut String)> {
    let snapshot = document.genesis.snapshot.as_mut();
    let snapshot = snapshot.map(|name| ("genesis.snapshot".to_owned(), name));
    let metagraphs = document.subnet.iter_mut().filter_map(|entry| {
        let key = metagraph_key(entry.netuid);
        entry.metagraph.as_mut().map(|name| (key, name))
    });
    snapshot.into_iter().chain(metagraphs).collect()
}

/// The key of a subnet's metagraph, as errors name it.
pub fn metagraph_key(netuid: Option<u16>) -> String {
    netuid.map_or_else(|| "subnet.metagraph".to_owned(), |it| format!("subnet.{it}.metagraph"))
}

/// Whether a file of this name ships with every build.
pub fn ships(name: &str) -> bool {
    let file_name = Path::new(name).file_name();
    SHIPPED.iter().any(|(shipped, _)| file_name.is_some_and(|it| it == *shipped))
}

/// The text of a file that a scenario names: beside the scenario, or one that ships.
///
/// # Errors
/// It is missing.
pub fn text(
    place: &str,
    key: &str,
    name: &str,
    folder: &Path,
) -> Result<(String, Origin), ScenarioError> {
    let path = folder.join(name);
    let file_name = Path::new(name).file_name();
    let shipped = SHIPPED.iter().find(|(shipped, _)| file_name.is_some_and(|it| it == *shipped));
    match (std::fs::read_to_string(&path), shipped) {
        (Ok(text), Some((_, held))) if text == *held => Ok((text, Origin::Shipped)),
        (Ok(text), _) => Ok((text, Origin::File)),
        (Err(_), Some((_, held))) => Ok(((*held).to_owned(), Origin::Shipped)),
        (Err(error), None) => {
            let what = format!("{place}: {key}: cannot read {}: {error}", path.display());
            let hint = "the path is relative to the scenario file".to_owned();
            Err(ScenarioError::new(what, Some(hint)))
        }
    }
}

/// Reads and checks a snapshot: its rows, and what they tell of neurons and holders.
///
/// # Errors
/// It is missing, is no snapshot, or holds impossible numbers.
pub fn read(
    place: &str,
    name: &str,
    folder: &Path,
) -> Result<(Vec<Row>, Vec<Metagraph>), ScenarioError> {
    let (text, _) = text(place, "genesis.snapshot", name, folder)?;
    let path = folder.join(name);
    let rows = checked(&path, &text)?;
    Ok((rows, metagraph::parsed(&path, &text)?))
}

/// Checks the text of a snapshot; gives what it tells of neurons and holders.
///
/// # Errors
/// It is no snapshot, or holds impossible numbers.
pub fn sound(file: &Path, text: &str) -> Result<Vec<Metagraph>, ScenarioError> {
    checked(file, text)?;
    metagraph::parsed(file, text)
}

fn checked(file: &Path, text: &str) -> Result<Vec<Row>, ScenarioError> {
    let rows: Vec<Row> = json::read(file, text)?;
    let wrong = |what| ScenarioError::new(format!("{}: {what}", file.display()), None);
    check(&rows).map_err(wrong)?;
    Ok(rows)
}

fn check(rows: &[Row]) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    for row in rows {
        let netuid = row.netuid;
        if !seen.insert(netuid) {
            return Err(format!("netuid {netuid} occurs twice"));
        }
        let amounts = [
            ("tau_in", row.tau_in.tokens),
            ("alpha_in", row.alpha_in.tokens),
            ("alpha_out", row.alpha_out.tokens),
            ("emission_tao_day", row.emission_tao_day),
            ("reg_cost_tao", row.reg_cost_tao.tokens),
            ("moving_price", row.moving_price.unwrap_or(0.0)),
        ];
        for (key, amount) in amounts {
            if !(0.0..=SUPPLY_MAX).contains(&amount) {
                return Err(format!("netuid {netuid}: {key} is {amount}, which cannot be"));
            }
        }
        if netuid == 0 {
            continue;
        }
        for (key, amount) in [("tau_in", row.tau_in.tokens), ("alpha_in", row.alpha_in.tokens)] {
            if amount <= 0.0 {
                return Err(format!(
                    "netuid {netuid}: {key} is {amount}, but a pool is never empty"
                ));
            }
        }
        if row.tempo == 0 {
            return Err(format!("netuid {netuid}: tempo is 0, so it would never have an epoch"));
        }
        let ratio = row.tau_in.tokens / row.alpha_in.tokens / row.price_tao;
        if !(1.0 / PRICE_RATIO_MAX..=PRICE_RATIO_MAX).contains(&ratio) {
            let price = row.tau_in.tokens / row.alpha_in.tokens;
            let stated = row.price_tao;
            return Err(format!(
                "netuid {netuid}: price_tao is {stated}, but the reserves say {price:.9}"
            ));
        }
    }
    if !seen.contains(&0) || seen.len() < 2 {
        return Err("it must hold root (netuid 0) and at least one subnet".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<serde_json::Value> {
        serde_json::from_str(SHIPPED[0].1).expect("it ships")
    }

    fn told(rows: &[serde_json::Value]) -> String {
        let folder = tempfile::tempdir().expect("writable");
        let text = serde_json::to_string(rows).expect("JSON");
        std::fs::write(folder.path().join("s.json"), text).expect("writable");
        let error = read("x.toml", "s.json", folder.path()).expect_err("it is wrong").to_string();
        error.replace(&folder.path().display().to_string(), "")
    }

    #[test]
    fn the_snapshot_that_ships_is_sound() {
        let (rows, _) = read("x.toml", SHIPPED[0].0, Path::new("nowhere")).expect("it is");
        assert_eq!(rows.len(), 129);
        let tao: u64 = rows.iter().skip(1).map(|row| row.tau_in.units).sum();
        assert_eq!(tao / UNITS_PER_TOKEN, 2_004_565);
    }

    #[test]
    fn impossible_numbers_are_named() {
        let changes: &[(&str, serde_json::Value, &str)] = &[
            ("tau_in", 0.0.into(), "/s.json: netuid 1: tau_in is 0, but a pool is never empty"),
            ("alpha_in", (-1.0).into(), "/s.json: netuid 1: alpha_in is -1, which cannot be"),
            ("alpha_out", 3e7.into(), "/s.json: netuid 1: alpha_out is 30000000, which cannot be"),
            ("tempo", 0.into(), "/s.json: netuid 1: tempo is 0, so it would never have an epoch"),
            (
                "price_tao",
                7.0.into(),
                "/s.json: netuid 1: price_tao is 7, but the reserves say 0.011117606",
            ),
            ("netuid", 2.into(), "/s.json: netuid 2 occurs twice"),
            (
                "owner_ck",
                "nobody".into(),
                "/s.json: [1].owner_ck: \"nobody\" does not have the expected length",
            ),
            ("tempo", "soon".into(), "/s.json: [1].tempo: invalid type: string \"soon\""),
        ];
        for (key, value, expected) in changes {
            let mut rows = rows();
            rows[1][*key] = value.clone();
            let told = told(&rows);
            assert!(told.starts_with(expected), "{told}");
        }
        assert!(told(&rows()[1..]).contains("it must hold root"), "{}", told(&rows()[1..]));
    }
}
