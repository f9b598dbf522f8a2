//! Snapshots from what a node says of subnets: the answer to `get_metagraph`, as the chain or the Bittensor SDK writes it.
//!
//! What belongs here: reading such dumps and tables of weights and holders, and writing the objects of a snapshot. What does
//! not: whether what they say can be (`metagraph`).

use super::metagraph::{Holder, Hyperparameters, Neuron, UidRow};
use protocol::units::AccountId;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::Path;

/// A whole of ratios of 16 bits.
const WHOLE_16: f64 = u16::MAX as f64;
/// A whole of ratios of 64 bits, to a float's precision.
const WHOLE_64: f64 = u64::MAX as f64;
/// Hyperparameters that the SDK gives as parts of a whole of 16 bits.
const RATIOS_16: &[&str] = &["kappa", "min_allowed_weights", "alpha_high", "alpha_low"];
/// Hyperparameters that the SDK gives as parts of a whole of 64 bits.
const RATIOS_64: &[&str] =
    &["min_difficulty", "max_difficulty", "adjustment_alpha", "bonds_moving_avg"];
/// Blocks of a day, to make an emission per block one per day.
const BLOCKS_PER_DAY: f64 = 7_200.0;
/// Bits behind the point of a moving price.
const PRICE_FRACTION: f64 = 4_294_967_296.0;

/// What is wrong with a dump or a table: a sentence that names the place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unusable(String);

fn unusable<T>(what: impl Into<String>) -> Result<T, Unusable> {
    Err(Unusable(what.into()))
}

/// Makes a snapshot of dumps: root's object and one per dump. With weights or holders there is one dump.
///
/// # Errors
/// Something is missing or is not what it should be.
pub fn snapshot(
    dumps: &[Value],
    weights: Option<Vec<UidRow>>,
    holders: Vec<Holder>,
) -> Result<Vec<Value>, Unusable> {
    let mut rows = Vec::new();
    let mut behind: BTreeMap<AccountId, u64> = BTreeMap::new();
    for dump in dumps {
        let dump = dump.get("metagraph").unwrap_or(dump);
        let Value::Object(fields) = dump else {
            return unusable("a metagraph is an object");
        };
        let subnet = Dump { fields };
        let neurons = subnet.neurons()?;
        for neuron in &neurons {
            let held = behind.entry(neuron.hotkey).or_default();
            *held = neuron.tao_stake.max(*held);
        }
        rows.push(subnet.row(&neurons)?);
    }
    if let [Value::Object(row)] = &mut rows[..] {
        if let Some(weights) = weights {
            row.insert("weights".to_owned(), json!(weights));
        }
        if !holders.is_empty() {
            row.insert("holders".to_owned(), json!(holders));
        }
    }
    let first = rows.first().ok_or_else(|| Unusable("there is no metagraph".to_owned()))?;
    let staked: u64 = behind.values().fold(0, |sum, stake| sum.saturating_add(*stake));
    let root = json!({
        "netuid": 0, "name": "root", "symbol": "Τ", "emission_tao_day": 0.0, "price_tao": 1.0,
        "tau_in": rao(staked), "alpha_in": rao(0), "alpha_out": rao(staked), "moving_price": null,
        "reg_cost_tao": rao(0), "immunity_period": 4096, "tempo": 100, "registered_at_block": null,
        "blocks_since_last_step": 0, "owner_hk": first["owner_hk"], "owner_ck": first["owner_ck"],
    });
    rows.insert(0, root);
    Ok(rows)
}

/// The text of a snapshot: an object per line, neurons and rows of weights on lines of their own.
pub fn written(rows: &[Value]) -> String {
    let object = |row: &Value| {
        let fields = row.as_object().into_iter().flatten();
        let fields = fields.map(|(key, value)| match value {
            Value::Array(entries) => {
                let entries: Vec<String> = entries.iter().map(Value::to_string).collect();
                format!("\n\"{key}\":[\n{}\n]", entries.join(",\n"))
            }
            other => format!("\"{key}\":{other}"),
        });
        format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
    };
    let objects: Vec<String> = rows.iter().map(object).collect();
    format!("[\n{}\n]\n", objects.join(",\n"))
}

/// A subnet as a node tells it: scalars, and a column per fact about neurons.
struct Dump<'a> {
    fields: &'a Map<String, Value>,
}

impl Dump<'_> {
    fn get(&self, key: &str) -> Result<&Value, Unusable> {
        let value = self.fields.get(key).filter(|value| !value.is_null());
        value.ok_or_else(|| Unusable(format!("{key} is missing")))
    }

    fn whole(&self, key: &str) -> Result<u64, Unusable> {
        whole(key, self.get(key)?)
    }

    fn text(&self, key: &str) -> Result<&str, Unusable> {
        let value = self.get(key)?;
        value.as_str().ok_or_else(|| Unusable(format!("{key} is {value}, not a text")))
    }

    /// A column with one entry per uid.
    fn column(&self, key: &str, count: usize) -> Result<&[Value], Unusable> {
        let value = self.get(key)?;
        let Some(column) = value.as_array() else {
            return unusable(format!("{key} is not a list"));
        };
        if column.len() != count {
            let length = column.len();
            return unusable(format!("{key} has {length} entries, hotkeys has {count}"));
        }
        Ok(column)
    }

    fn neurons(&self) -> Result<Vec<Neuron>, Unusable> {
        let Some(hotkeys) = self.get("hotkeys")?.as_array() else {
            return unusable("hotkeys is not a list");
        };
        let count = hotkeys.len();
        let column = |key: &str| self.column(key, count);
        let coldkeys = column("coldkeys")?;
        let (alpha, tao) = (column("alpha_stake")?, column("tao_stake")?);
        let (active, permits) = (column("active")?, column("validator_permit")?);
        let (incentives, dividends) = (column("incentives")?, column("dividends")?);
        let (consensus, emission) = (column("consensus")?, column("emission")?);
        let (updated, registered) = (column("last_update")?, column("block_at_registration")?);
        // Older nodes tell it, newer ones do not.
        let trust = match self.fields.get("validator_trust") {
            Some(_) => Some(column("validator_trust")?),
            None => None,
        };
        let mut neurons = Vec::with_capacity(count);
        for at in 0..count {
            let name = |key: &str| format!("{key}[{at}]");
            let Ok(uid) = u16::try_from(at) else {
                return unusable(format!("{count} hotkeys are more than there can be uids"));
            };
            neurons.push(Neuron {
                uid,
                hotkey: account(&name("hotkeys"), &hotkeys[at])?,
                coldkey: Some(account(&name("coldkeys"), &coldkeys[at])?),
                alpha_stake: Some(whole(&name("alpha_stake"), &alpha[at])?),
                tao_stake: whole(&name("tao_stake"), &tao[at])?,
                take: None,
                active: truth(&name("active"), &active[at])?,
                validator_permit: truth(&name("validator_permit"), &permits[at])?,
                incentive: ratio(&name("incentives"), &incentives[at])?,
                dividends: ratio(&name("dividends"), &dividends[at])?,
                consensus: ratio(&name("consensus"), &consensus[at])?,
                validator_trust: match trust {
                    Some(trust) => ratio(&name("validator_trust"), &trust[at])?,
                    None => 0,
                },
                emission: whole(&name("emission"), &emission[at])?,
                last_update: Some(whole(&name("last_update"), &updated[at])?),
                block_at_registration: Some(whole(
                    &name("block_at_registration"),
                    &registered[at],
                )?),
            });
        }
        Ok(neurons)
    }

    fn row(&self, neurons: &[Neuron]) -> Result<Value, Unusable> {
        let (tao, alpha) = (self.whole("tao_in")?, self.whole("alpha_in")?);
        if tao == 0 || alpha == 0 {
            return unusable("tao_in and alpha_in are above 0: a pool is never empty");
        }
        let mut row = json!({
            "netuid": self.whole("netuid")?,
            "block": self.whole("block")?,
            "name": self.text("name")?,
            "symbol": self.text("symbol")?,
            "emission_tao_day": self.whole("tao_in_emission")? as f64 / 1e9 * BLOCKS_PER_DAY,
            "price_tao": tao as f64 / alpha as f64,
            "tau_in": rao(tao),
            "alpha_in": rao(alpha),
            "alpha_out": rao(self.whole("alpha_out")?),
            "moving_price": self.moving_price()?,
            "reg_cost_tao": rao(self.whole("burn")?),
            "immunity_period": self.whole("immunity_period")?,
            "tempo": self.whole("tempo")?,
            "registered_at_block": self.whole("network_registered_at")?,
            "blocks_since_last_step": self.whole("blocks_since_last_step")?,
            "owner_hk": self.text("owner_hotkey")?,
            "owner_ck": self.text("owner_coldkey")?,
        });
        let fields = row.as_object_mut().expect("it is an object");
        for (key, _) in Hyperparameters::NAMES {
            if let Some(value) = self.fields.get(*key).filter(|value| !value.is_null()) {
                fields.insert((*key).to_owned(), self.hyperparameter(key, value)?);
            }
        }
        fields.insert("neurons".to_owned(), json!(neurons));
        Ok(row)
    }

    fn hyperparameter(&self, key: &str, value: &Value) -> Result<Value, Unusable> {
        if value.is_f64() {
            if RATIOS_16.contains(&key) {
                return Ok(json!(ratio(key, value)?));
            }
            if RATIOS_64.contains(&key) {
                return Ok(json!(part(key, value, WHOLE_64)? as u64));
            }
        }
        if value.is_boolean() { Ok(value.clone()) } else { Ok(json!(whole(key, value)?)) }
    }

    /// As a number, or as the bits of a number with 32 behind the point.
    fn moving_price(&self) -> Result<f64, Unusable> {
        let value = self.get("moving_price")?;
        let bits = value.get("bits").and_then(Value::as_u64);
        let price = bits.map(|bits| bits as f64 / PRICE_FRACTION).or_else(|| value.as_f64());
        price.ok_or_else(|| Unusable(format!("moving_price is {value}, no price")))
    }
}

fn rao(units: u64) -> String {
    format!("{units} rao")
}

fn whole(name: &str, value: &Value) -> Result<u64, Unusable> {
    let number = value.as_u64();
    number.ok_or_else(|| {
        Unusable(format!("{name} is {value}, not a whole number (amounts are in rao)"))
    })
}

fn truth(name: &str, value: &Value) -> Result<bool, Unusable> {
    value.as_bool().ok_or_else(|| Unusable(format!("{name} is {value}, not true or false")))
}

fn account(name: &str, value: &Value) -> Result<AccountId, Unusable> {
    let account = value.as_str().and_then(|text| text.parse().ok());
    account.ok_or_else(|| Unusable(format!("{name} is {value}, no address")))
}

/// A ratio as the chain has it, a whole number of 65,535, or as the SDK has it, a part of one.
fn ratio(name: &str, value: &Value) -> Result<u16, Unusable> {
    if value.is_f64() {
        return Ok(part(name, value, WHOLE_16)? as u16);
    }
    let raw = value.as_u64().and_then(|raw| u16::try_from(raw).ok());
    raw.ok_or_else(|| Unusable(format!("{name} is {value}, no ratio of 65535")))
}

/// A part of one as a part of a whole, to the nearest.
fn part(name: &str, value: &Value, of: f64) -> Result<f64, Unusable> {
    let part = value.as_f64().filter(|part| (0.0..=1.0).contains(part));
    let part = part.ok_or_else(|| Unusable(format!("{name} is {value}, no part of a whole")))?;
    Ok((part * of).round())
}

/// Reads a table of weights with the columns `validator_uid`, `miner_uid`, `weight`. Whole numbers are weights as the chain
/// stores them; if any has a point they are parts, and of each row the largest becomes 65,535.
///
/// # Errors
/// A line is not what it should be.
pub fn weights(file: &Path) -> Result<Vec<UidRow>, Unusable> {
    let lines = table(file, &["validator_uid", "miner_uid", "weight"])?;
    let place =
        |line: u64, what: &str| Unusable(format!("{}: line {line}: {what}", file.display()));
    let parts = lines.iter().any(|(_, fields)| fields[2].contains(['.', 'e', 'E']));
    let mut rows: BTreeMap<u16, Vec<(u16, f64)>> = BTreeMap::new();
    for (line, fields) in &lines {
        let uid = |at: usize| {
            fields[at]
                .parse::<u16>()
                .map_err(|_| place(*line, &format!("{:?} is no uid", fields[at])))
        };
        let most = if parts { 1.0 } else { WHOLE_16 };
        let weight = fields[2].parse::<f64>().ok().filter(|weight| (0.0..=most).contains(weight));
        let weight =
            weight.ok_or_else(|| place(*line, &format!("{:?} is no weight", fields[2])))?;
        rows.entry(uid(0)?).or_default().push((uid(1)?, weight));
    }
    let scaled = rows.into_iter().map(|(uid, row)| {
        let most = row.iter().map(|(_, weight)| *weight).fold(0.0, f64::max);
        let scale = if parts && most > 0.0 { WHOLE_16 / most } else { 1.0 };
        (uid, row.into_iter().map(|(uid, weight)| (uid, (weight * scale).round() as u16)).collect())
    });
    Ok(scaled.collect())
}

/// Reads a table of holders with the columns `hotkey`, `coldkey`, `stake_rao`.
///
/// # Errors
/// A line is not what it should be.
pub fn holders(file: &Path) -> Result<Vec<Holder>, Unusable> {
    let lines = table(file, &["hotkey", "coldkey", "stake_rao"])?;
    let place =
        |line: u64, what: String| Unusable(format!("{}: line {line}: {what}", file.display()));
    let read = |(line, fields): (u64, Vec<String>)| {
        let key = |at: usize| {
            fields[at].parse().map_err(|_| place(line, format!("{:?} is no address", fields[at])))
        };
        let stake = fields[2].parse();
        let stake =
            stake.map_err(|_| place(line, format!("{:?} is no amount in rao", fields[2])))?;
        Ok(Holder { hotkey: key(0)?, coldkey: key(1)?, stake })
    };
    lines.into_iter().map(read).collect()
}

/// The lines of a table, each with its number and the fields of the wanted columns.
fn table(file: &Path, columns: &[&str]) -> Result<Vec<(u64, Vec<String>)>, Unusable> {
    let broken = |error: ::csv::Error| Unusable(format!("{}: {error}", file.display()));
    let mut reader = ::csv::Reader::from_path(file).map_err(broken)?;
    let header = reader.headers().map_err(broken)?.clone();
    let place = |column: &&str| {
        let at = header.iter().position(|name| name.trim() == *column);
        at.ok_or_else(|| Unusable(format!("{}: there is no column {column}", file.display())))
    };
    let places = columns.iter().map(place).collect::<Result<Vec<usize>, _>>()?;
    let mut lines = Vec::new();
    for record in reader.records() {
        let record = record.map_err(broken)?;
        let line = record.position().map_or(0, ::csv::Position::line);
        let fields = places.iter().map(|at| record[*at].trim().to_owned()).collect();
        lines.push((line, fields));
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::genesis::{metagraph, snapshot as file};

    fn key(number: u8) -> String {
        AccountId([number; 32]).to_ss58()
    }

    /// What a node answers of a subnet with two neurons.
    fn dump() -> Value {
        json!({
            "netuid": 5, "name": "five", "symbol": "ε", "identity": null, "block": 900_000,
            "network_registered_at": 100, "owner_hotkey": key(1), "owner_coldkey": key(9),
            "tempo": 360, "last_step": 899_900, "blocks_since_last_step": 100,
            "alpha_in": 2_316_467_425_363_653_u64, "alpha_out": 924_521_643_526_855_u64,
            "tao_in": 22_079_400_556_774_u64, "tao_in_emission": 10_000_000,
            "moving_price": { "bits": 40_869_489 }, "burn": 500_000, "immunity_period": 7_200,
            "kappa": 32_767, "min_allowed_weights": 1, "max_validators": 128, "max_uids": 1_024,
            "registration_allowed": true, "adjustment_alpha": 17_893_341_751_498_265_066_u64,
            "bonds_moving_avg": 900_000, "axons": [{}, {}],
            "hotkeys": [key(1), key(2)], "coldkeys": [key(9), key(8)],
            "active": [true, false], "validator_permit": [true, false],
            "last_update": [899_990, 5], "emission": [7, 8], "dividends": [65_535, 0],
            "incentives": [0, 65_535], "consensus": [0, 32_768], "trust": [0, 1],
            "block_at_registration": [200, 300], "alpha_stake": [1_000, 20], "tao_stake": [50, 0],
        })
    }

    fn read(rows: &[Value]) -> metagraph::Metagraph {
        let text = written(rows);
        let mut found = file::sound(Path::new("s.json"), &text).expect("it is a snapshot");
        assert_eq!(found.len(), 2, "root and the subnet");
        found.remove(1)
    }

    #[test]
    fn a_node_and_the_sdk_tell_the_same() {
        let raw = json!({ "source_call": "any", "metagraph": dump() });
        let of_chain = snapshot(&[raw], None, Vec::new()).expect("it is sound");
        let mut sdk = dump();
        for (key, whole) in
            [("dividends", WHOLE_16), ("incentives", WHOLE_16), ("consensus", WHOLE_16)]
        {
            for value in sdk[key].as_array_mut().expect("a column") {
                *value = json!(value.as_f64().expect("a number") / whole);
            }
        }
        for (key, whole) in
            [("kappa", WHOLE_16), ("min_allowed_weights", WHOLE_16), ("bonds_moving_avg", WHOLE_64)]
        {
            sdk[key] = json!(sdk[key].as_f64().expect("a number") / whole);
        }
        sdk["moving_price"] = json!(40_869_489.0 / PRICE_FRACTION);
        let of_sdk = snapshot(&[sdk], None, Vec::new()).expect("it is sound");
        assert_eq!(of_chain, of_sdk);
        let found = read(&of_chain);
        assert_eq!((found.netuid, found.block), (5, Some(900_000)));
        let [validator, miner] = &found.neurons[..] else { panic!("two neurons") };
        assert_eq!((validator.alpha_stake, validator.tao_stake), (Some(1_000), 50));
        assert!(validator.active && validator.validator_permit && !miner.validator_permit);
        assert_eq!((miner.incentive, miner.consensus, miner.emission), (65_535, 32_768, 8));
        assert_eq!((miner.last_update, miner.block_at_registration), (Some(5), Some(300)));
        assert_eq!(miner.coldkey.map(|it| it.to_ss58()), Some(key(8)));
        assert_eq!(found.hyperparameters.bonds_moving_avg, Some(900_000));
        assert_eq!(found.hyperparameters.adjustment_alpha, Some(17_893_341_751_498_265_066));
        assert_eq!(of_chain[1]["tau_in"], "22079400556774 rao", "exact");
        assert_eq!(of_chain[0]["alpha_out"], "50 rao", "what is behind its neurons on root");
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        let rows = [
            ("hotkeys", Value::Null, "hotkeys is missing"),
            ("hotkeys", json!("all"), "hotkeys is not a list"),
            ("coldkeys", json!([key(9)]), "coldkeys has 1 entries, hotkeys has 2"),
            ("coldkeys", json!([key(9), "nobody"]), "coldkeys[1] is \"nobody\", no address"),
            (
                "alpha_stake",
                json!([1.5, 2]),
                "alpha_stake[0] is 1.5, not a whole number (amounts are in rao)",
            ),
            ("incentives", json!([0, 65_536]), "incentives[1] is 65536, no ratio of 65535"),
            ("incentives", json!([0, 1.5]), "incentives[1] is 1.5, no part of a whole"),
            ("active", json!([1, false]), "active[0] is 1, not true or false"),
            ("tao_in", json!(0), "tao_in and alpha_in are above 0: a pool is never empty"),
            ("moving_price", json!("high"), "moving_price is \"high\", no price"),
            ("name", json!(5), "name is 5, not a text"),
            ("kappa", json!(1.25), "kappa is 1.25, no part of a whole"),
        ];
        for (key, value, expected) in rows {
            let mut changed = dump();
            changed[key] = value;
            let told = snapshot(&[changed], None, Vec::new()).expect_err(expected);
            assert_eq!(told.to_string(), expected);
        }
        let told = snapshot(&[json!([])], None, Vec::new()).expect_err("it is a list");
        assert_eq!(told.to_string(), "a metagraph is an object");
    }

    #[test]
    fn tables_become_rows_and_holders() {
        let folder = tempfile::tempdir().expect("writable");
        let path = folder.path().join("t.csv");
        let said = |text: &str| {
            std::fs::write(&path, text).expect("writable");
            let told =
                |error: Unusable| error.to_string().replace(&path.display().to_string(), "t.csv");
            weights(&path).map_err(told)
        };
        let header = "validator_uid,miner_uid,weight\n";
        // Of parts the largest of a row becomes 65,535; whole numbers stay what they are.
        let rows = said(&format!("{header}3,1,0.5\n3,2,0.25\n0,1,0.125\n")).expect("a table");
        assert_eq!(rows, [(0, vec![(1, 65_535)]), (3, vec![(1, 65_535), (2, 32_768)])]);
        let rows = said(&format!("{header}3,1,500\n3,2,7\n")).expect("a table");
        assert_eq!(rows, [(3, vec![(1, 500), (2, 7)])]);
        let wrong = [
            ("validator_uid,weight\n3,1\n".to_owned(), "t.csv: there is no column miner_uid"),
            (format!("{header}3,1,1.5\n"), "t.csv: line 2: \"1.5\" is no weight"),
            (format!("{header}3,1,1\n3,-1,1\n"), "t.csv: line 3: \"-1\" is no uid"),
        ];
        for (text, expected) in wrong {
            assert_eq!(said(&text).expect_err(expected), expected);
        }
        let text = format!("hotkey,coldkey,stake_rao\n{},{},12\n", key(1), key(7));
        std::fs::write(&path, text).expect("writable");
        let found = holders(&path).expect("a table");
        let rows = snapshot(&[dump()], Some(vec![(0, vec![(1, 9)])]), found).expect("it is sound");
        let metagraph = read(&rows);
        assert_eq!(metagraph.weights, Some(vec![(0, vec![(1, 9)])]));
        assert_eq!(metagraph.holders.len(), 1);
        assert_eq!(
            (metagraph.holders[0].coldkey.to_ss58(), metagraph.holders[0].stake),
            (key(7), 12)
        );
        std::fs::write(&path, "hotkey,coldkey,stake_rao\nx,y,12\n").expect("writable");
        let told = holders(&path).expect_err("no addresses").to_string();
        assert!(told.ends_with("line 2: \"x\" is no address"), "{told}");
    }
}
