//! What the fields of events and arguments of calls are measured in, and the keys they have in JSON.
//!
//! What belongs here: one table of units by kind and field, which tests hold against docs/events.md and docs/calls.md.
//! What does not: how values are shown to people (`telling::lines`).

use serde_json::{Map, Value, json};

/// What a number measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Rao.
    Tao,
    /// The smallest unit of a subnet's alpha; of TAO on root.
    Alpha,
    /// Raw bits of a fixed-point number, with so many of them behind the point.
    Fixed(i32),
    /// A number as it is.
    Plain,
}

/// Units of fields by name, wherever they occur; [`OF_KIND`] comes first.
const BY_NAME: &[(&str, Unit)] = &[
    ("alpha", Unit::Alpha),
    ("alpha_amount", Unit::Alpha),
    ("alpha_in", Unit::Alpha),
    ("alpha_last_epoch", Unit::Alpha),
    ("alpha_out", Unit::Alpha),
    ("amount", Unit::Tao),
    ("amount_staked", Unit::Tao),
    ("amount_unstaked", Unit::Alpha),
    ("block_emission", Unit::Tao),
    ("bought", Unit::Alpha),
    ("bought_with", Unit::Tao),
    ("burn", Unit::Tao),
    ("by", Unit::Tao),
    ("claim_rate", Unit::Fixed(32)),
    ("claim_rates", Unit::Fixed(32)),
    ("claimable", Unit::Alpha),
    ("claimed", Unit::Alpha),
    ("dividend_alpha", Unit::Alpha),
    ("dividend_root", Unit::Alpha),
    ("dust", Unit::Tao),
    ("emission", Unit::Alpha),
    ("excess", Unit::Tao),
    ("fee", Unit::Tao),
    ("flow_average", Unit::Fixed(64)),
    ("forfeited_claims", Unit::Alpha),
    ("forfeited_pots", Unit::Alpha),
    ("holder_shares", Unit::Fixed(64)),
    ("issued", Unit::Tao),
    ("limit", Unit::Tao),
    ("limit_price", Unit::Tao),
    ("locked", Unit::Tao),
    ("minted", Unit::Alpha),
    ("moving_price", Unit::Fixed(32)),
    ("owner", Unit::Alpha),
    ("owner_cut", Unit::Alpha),
    ("pool", Unit::Tao),
    ("pot", Unit::Tao),
    ("price", Unit::Tao),
    ("recycled", Unit::Alpha),
    ("refund", Unit::Tao),
    ("root", Unit::Alpha),
    ("root_proportion", Unit::Fixed(32)),
    ("scrap_alpha", Unit::Alpha),
    ("scrap_tao", Unit::Tao),
    ("server", Unit::Alpha),
    ("server_emission", Unit::Alpha),
    ("share", Unit::Fixed(64)),
    ("shares", Unit::Fixed(64)),
    ("sqrt_price", Unit::Fixed(64)),
    ("staked", Unit::Tao),
    ("swap_cost", Unit::Tao),
    ("tao", Unit::Tao),
    ("tao_in", Unit::Tao),
    ("total_stake", Unit::Tao),
    ("validator", Unit::Alpha),
    ("validator_emission", Unit::Alpha),
    ("volume", Unit::Tao),
    ("withheld", Unit::Alpha),
];

/// Units of fields of one kind of event or call.
const OF_KIND: &[(&str, &str, Unit)] = &[
    ("alpha_destroyed", "amount", Unit::Alpha),
    ("burn_alpha", "amount", Unit::Alpha),
    ("recycle_alpha", "amount", Unit::Alpha),
    ("stake_removed", "fee", Unit::Alpha),
    ("subnet_registered", "recycled", Unit::Tao),
    ("sudo_set_max_burn", "value", Unit::Tao),
    ("sudo_set_min_burn", "value", Unit::Tao),
    ("sudo_set_network_min_lock_cost", "value", Unit::Tao),
    ("sudo_set_rao_recycled", "value", Unit::Tao),
    ("sudo_set_root_claim_threshold", "value", Unit::Alpha),
    ("sudo_set_subnet_moving_alpha", "value", Unit::Fixed(32)),
    ("sudo_set_tao_flow_cutoff", "value", Unit::Fixed(64)),
    ("sudo_set_tao_flow_normalization_exponent", "value", Unit::Fixed(64)),
    ("sudo_set_total_issuance", "value", Unit::Tao),
    ("transfer_allow_death", "value", Unit::Tao),
    ("transfer_keep_alive", "value", Unit::Tao),
];

/// The unit of a field of an event or call.
pub fn unit(kind: &str, field: &str) -> Unit {
    let own = OF_KIND.iter().find(|(of, name, _)| *of == kind && *name == field);
    let own = own.map(|(_, _, unit)| *unit);
    let common = || BY_NAME.iter().find(|(name, _)| *name == field).map(|(_, unit)| *unit);
    own.or_else(common).unwrap_or(Unit::Plain)
}

/// Fields as `--json` writes them: an amount's key ends in `_rao`, a fixed-point number has its bits beside it under
/// a key that ends in `_bits`.
pub fn keyed(kind: &str, fields: Map<String, Value>) -> Map<String, Value> {
    let mut keyed = Map::new();
    for (name, value) in fields {
        match unit(kind, &name) {
            Unit::Tao | Unit::Alpha if is_numeric(&value) => {
                keyed.insert(format!("{name}_rao"), value);
            }
            Unit::Fixed(fraction_bits) if is_numeric(&value) => {
                keyed.insert(name.clone(), ratios(&value, fraction_bits));
                keyed.insert(format!("{name}_bits"), value);
            }
            _ => {
                keyed.insert(name, value);
            }
        }
    }
    keyed
}

/// Whether a value is a number, or a list of numbers. An absent number counts as one, so that its key stays.
fn is_numeric(value: &Value) -> bool {
    match value {
        Value::Array(values) => values.iter().all(is_numeric),
        Value::Number(_) | Value::Null => true,
        _ => false,
    }
}

fn ratios(value: &Value, fraction_bits: i32) -> Value {
    match value {
        Value::Array(values) => values.iter().map(|one| ratios(one, fraction_bits)).collect(),
        other => ratio(other, fraction_bits).map_or(Value::Null, |ratio| json!(ratio)),
    }
}

/// A fixed-point number as a float, for people.
pub fn ratio(bits: &Value, fraction_bits: i32) -> Option<f64> {
    let bits: f64 = bits.as_number()?.as_str().parse().ok()?;
    Some(bits / 2f64.powi(fraction_bits))
}

/// An integer of any width.
pub fn integer(value: &Value) -> Option<i128> {
    value.as_number()?.as_str().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// (kind, field, type) of every row of a page's tables, the fields in the column of that number.
    fn fields_of(page: &str, column: usize) -> Vec<(String, String, String)> {
        let mut found = Vec::new();
        for row in page.lines().filter(|row| row.starts_with("| `")) {
            let cells: Vec<&str> = row.trim_matches('|').split(" | ").collect();
            let Some(cell) = cells.get(column) else { continue };
            let kind = cells[0].trim().trim_matches('`').to_owned();
            for field in cell.split(['`', ',']) {
                if let Some((name, of)) = field.trim().split_once(": ") {
                    found.push((kind.clone(), name.to_owned(), of.to_owned()));
                }
            }
        }
        found
    }

    #[test]
    fn amounts_of_events_have_the_units_of_their_types() {
        let fields = fields_of(include_str!("../../docs/events.md"), 2);
        assert!(fields.len() > 150, "only {} fields were found", fields.len());
        // Columns by the names of their entries.
        let entries = [("claim_rates", "claim_rate")];
        for (kind, field, of) in fields {
            let found = unit(&kind, &field);
            let expected = match of.as_str() {
                of if of.contains("Rao") => Unit::Tao,
                of if of.contains("Alpha") => Unit::Alpha,
                // Changes, raw bits and counters say what they are in words alone.
                of if of.contains("64") || of.contains("128") => continue,
                // Texts and accounts are shown as such, whatever the name.
                of if of.contains("AccountId") => continue,
                _ => Unit::Plain,
            };
            assert_eq!(found, expected, "{kind} {field}: {of}");
        }
        for (column, entry) in entries {
            assert_eq!(unit("epoch_paid", column), unit("epoch_paid", entry));
        }
    }

    #[test]
    fn amounts_of_calls_have_the_units_of_their_parameters() {
        let fields = fields_of(include_str!("../../docs/calls.md"), 2);
        let rows = include_str!("../../docs/calls.md");
        let built = |kind: &str| {
            let row = rows.lines().find(|row| row.starts_with(&format!("| `{kind}` |")));
            row.is_some_and(|row| row.contains("| built |"))
        };
        let mut seen = 0;
        for (kind, field, of) in fields.iter().filter(|(kind, ..)| built(kind)) {
            let setting = kind.contains("set_") && !["hotkey", "netuid"].contains(&field.as_str());
            let field = if setting && unit(kind, field) == Unit::Plain { "value" } else { field };
            let found = unit(kind, field);
            let expected = match of.trim_end_matches('?') {
                "tao" => Unit::Tao,
                "alpha" => Unit::Alpha,
                _ => continue,
            };
            assert_eq!(found, expected, "{kind} {field}: {of}");
            seen += 1;
        }
        assert!(seen > 15, "only {seen} amounts were found");
    }

    #[test]
    fn keys_tell_units() {
        let fields = json!({"tao": 5, "fee": 6, "owner": "5F…", "share": 1u128 << 63, "uid": 3,
                            "alpha": [1, null], "moving_price": [1u64 << 31]});
        let Value::Object(fields) = fields else { panic!("it is an object") };
        let keyed = Value::Object(keyed("stake_added", fields));
        let expected = json!({"tao_rao": 5, "fee_rao": 6, "owner": "5F…", "share": 0.5,
                              "share_bits": 1u128 << 63, "uid": 3, "alpha_rao": [1, null],
                              "moving_price": [0.5], "moving_price_bits": [1u64 << 31]});
        assert_eq!(keyed, expected);
    }
}
