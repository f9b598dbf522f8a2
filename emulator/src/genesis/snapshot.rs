//! A snapshot of the real network as the explorer gives it: per subnet its names, reserves, price and owner.

use crate::scenario::ScenarioError;
use protocol::units::{AccountId, UNITS_PER_TOKEN};
use serde::Deserialize;
use std::collections::BTreeSet;
use std::path::Path;

/// The snapshot that ships: its file name, its block, and its text.
const SHIPPED: (&str, &str) = (
    "finney_subnets_taostats_2026-04-11.json",
    include_str!("../../../configs/data/finney_subnets_taostats_2026-04-11.json"),
);

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
    pub tau_in: f64,
    /// Alpha in the pool.
    pub alpha_in: f64,
    /// Alpha outside the pool.
    pub alpha_out: f64,
    /// The moving price.
    pub moving_price: Option<f64>,
    /// The price of a registration.
    pub reg_cost_tao: f64,
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

/// Where the text of a snapshot comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It is the one that ships.
    Shipped,
    /// A file of its own.
    File,
}

/// The text of a snapshot: beside the scenario, or the one that ships.
///
/// # Errors
/// It is missing.
pub fn text(place: &str, name: &str, folder: &Path) -> Result<(String, Origin), ScenarioError> {
    let path = folder.join(name);
    match std::fs::read_to_string(&path) {
        Ok(text) if text == SHIPPED.1 => Ok((text, Origin::Shipped)),
        Ok(text) => Ok((text, Origin::File)),
        Err(_) if Path::new(name).file_name().is_some_and(|file| file == SHIPPED.0) => {
            Ok((SHIPPED.1.to_owned(), Origin::Shipped))
        }
        Err(error) => {
            let what =
                format!("{place}: genesis.snapshot: cannot read {}: {error}", path.display());
            let hint = "the path is relative to the scenario file".to_owned();
            Err(ScenarioError::new(what, Some(hint)))
        }
    }
}

/// Reads and checks a snapshot: beside the scenario, or the one that ships.
///
/// # Errors
/// It is missing, is no snapshot, or holds impossible numbers.
pub fn read(place: &str, name: &str, folder: &Path) -> Result<Vec<Row>, ScenarioError> {
    let (text, _) = text(place, name, folder)?;
    let path = folder.join(name);
    let file = path.display();
    let mut reader = serde_json::Deserializer::from_str(&text);
    let rows: Vec<Row> = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        ScenarioError::new(format!("{file}: {}: {}", error.path(), error.inner()), None)
    })?;
    check(&rows).map_err(|what| ScenarioError::new(format!("{file}: {what}"), None))?;
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
            ("tau_in", row.tau_in),
            ("alpha_in", row.alpha_in),
            ("alpha_out", row.alpha_out),
            ("emission_tao_day", row.emission_tao_day),
            ("reg_cost_tao", row.reg_cost_tao),
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
        for (key, amount) in [("tau_in", row.tau_in), ("alpha_in", row.alpha_in)] {
            if amount <= 0.0 {
                return Err(format!(
                    "netuid {netuid}: {key} is {amount}, but a pool is never empty"
                ));
            }
        }
        if row.tempo == 0 {
            return Err(format!("netuid {netuid}: tempo is 0, so it would never have an epoch"));
        }
        let ratio = row.tau_in / row.alpha_in / row.price_tao;
        if !(1.0 / PRICE_RATIO_MAX..=PRICE_RATIO_MAX).contains(&ratio) {
            let price = row.tau_in / row.alpha_in;
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

/// Whole tokens as smallest units, to the nearest one.
pub fn units(tokens: f64) -> u64 {
    (tokens * UNITS_PER_TOKEN as f64).round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<serde_json::Value> {
        serde_json::from_str(SHIPPED.1).expect("it ships")
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
        let rows = read("x.toml", SHIPPED.0, Path::new("nowhere")).expect("it is");
        assert_eq!(rows.len(), 129);
        let tao: u64 = rows.iter().skip(1).map(|row| units(row.tau_in)).sum();
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
