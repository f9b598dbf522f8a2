//! Compares a dump of the whole chain with the expected one, and names each difference by what it is
//! about: subnet, uid, hotkey, account; then the field.

use super::compare;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// A list of rows whose first columns say what the others are about.
struct Table {
    list: &'static str,
    keys: &'static [&'static str],
    columns: &'static [&'static str],
}

const TABLES: &[Table] = &[
    Table { list: "balances", keys: &["account"], columns: &["balance"] },
    Table {
        list: "stakes",
        keys: &["hotkey", "coldkey", "subnet"],
        columns: &["share_u64f64", "value"],
    },
    Table {
        list: "hotkey_totals",
        keys: &["hotkey", "subnet"],
        columns: &["alpha", "shares_u64f64"],
    },
    Table { list: "root_claimable_i96f32", keys: &["hotkey"], columns: &["root_claimable_i96f32"] },
    Table {
        list: "root_claimed",
        keys: &["subnet", "hotkey", "coldkey"],
        columns: &["root_claimed"],
    },
    Table { list: "child_keys", keys: &["subnet", "hotkey"], columns: &["child_keys"] },
    Table { list: "parent_keys", keys: &["subnet", "hotkey"], columns: &["parent_keys"] },
    Table { list: "delegates", keys: &["hotkey"], columns: &["take"] },
];

const SUBNET_TABLES: &[Table] = &[
    Table { list: "alpha_dividends", keys: &["hotkey"], columns: &["alpha_dividends"] },
    Table { list: "root_alpha_dividends", keys: &["hotkey"], columns: &["root_alpha_dividends"] },
];

/// Compares one entry of a trace; `at` names the block.
pub fn compare_trace(at: &str, expected: &Value, found: &Value, failures: &mut Vec<String>) {
    if expected == found {
        return;
    }
    let (Value::Object(expected), Value::Object(found)) = (expected, found) else {
        return compare(at, expected, found, failures);
    };
    compare_fields(at, expected, found, TABLES, failures, |key, expected, found, failures| {
        if key != "subnets" {
            return false;
        }
        compare_subnets(at, expected, found, failures);
        true
    });
}

/// Compares every expected field: tables by their keys, the others as they are, unless `own` has done it.
fn compare_fields(
    at: &str,
    expected: &Map<String, Value>,
    found: &Map<String, Value>,
    tables: &[Table],
    failures: &mut Vec<String>,
    own: impl Fn(&str, &Value, &Value, &mut Vec<String>) -> bool,
) {
    for (key, expected) in expected {
        let Some(found) = found.get(key) else {
            failures.push(format!("{at}, {key}: unknown key"));
            continue;
        };
        if expected == found || own(key, expected, found, failures) {
            continue;
        }
        let table = tables.iter().find(|table| table.list == key);
        match table.and_then(|table| Some((table, rows(table, expected)?, rows(table, found)?))) {
            Some((table, expected, found)) => {
                compare_rows(at, table, &expected, &found, failures);
            }
            None => compare(&format!("{at}, {key}"), expected, found, failures),
        }
    }
}

fn compare_subnets(at: &str, expected: &Value, found: &Value, failures: &mut Vec<String>) {
    let (Value::Object(expected), Value::Object(found)) = (expected, found) else {
        return compare(&format!("{at}, subnets"), expected, found, failures);
    };
    let netuids: BTreeSet<&String> = expected.keys().chain(found.keys()).collect();
    for netuid in netuids {
        let at = format!("{at}, subnet {netuid}");
        match (expected.get(netuid), found.get(netuid)) {
            (Some(Value::Object(expected)), Some(Value::Object(found))) => {
                let own = |key: &str, expected: &Value, found: &Value, failures: &mut Vec<_>| {
                    key == "neurons" && compare_neurons(&at, expected, found, failures)
                };
                compare_fields(&at, expected, found, SUBNET_TABLES, failures, own);
            }
            (Some(_), None) => failures.push(format!("{at}: expected, not found")),
            (None, Some(_)) => failures.push(format!("{at}: not expected, found")),
            (Some(expected), Some(found)) => compare(&at, expected, found, failures),
            (None, None) => {}
        }
    }
}

/// Compares columns uid by uid; whether it could.
fn compare_neurons(at: &str, expected: &Value, found: &Value, failures: &mut Vec<String>) -> bool {
    let (Value::Object(expected), Value::Object(found)) = (expected, found) else {
        return false;
    };
    for (column, expected) in expected {
        let Some(found) = found.get(column) else {
            failures.push(format!("{at}, neurons, {column}: unknown key"));
            continue;
        };
        match (expected, found) {
            (Value::Array(expected), Value::Array(found)) if expected.len() == found.len() => {
                for (uid, (expected, found)) in expected.iter().zip(found).enumerate() {
                    compare(&format!("{at}, uid {uid}, {column}"), expected, found, failures);
                }
            }
            _ => compare(&format!("{at}, neurons, {column}"), expected, found, failures),
        }
    }
    true
}

/// A table's rows by their keys; `None` when they do not have its columns, or not one row a key.
fn rows<'a>(table: &Table, value: &'a Value) -> Option<BTreeMap<Vec<u64>, &'a [Value]>> {
    let width = table.keys.len() + table.columns.len();
    let list = value.as_array()?;
    let mut rows = BTreeMap::new();
    for row in list {
        let row = row.as_array().filter(|row| row.len() == width)?;
        let (keys, columns) = row.split_at(table.keys.len());
        let keys: Option<Vec<u64>> = keys.iter().map(Value::as_u64).collect();
        rows.insert(keys?, columns);
    }
    (rows.len() == list.len()).then_some(rows)
}

fn compare_rows(
    at: &str,
    table: &Table,
    expected: &BTreeMap<Vec<u64>, &[Value]>,
    found: &BTreeMap<Vec<u64>, &[Value]>,
    failures: &mut Vec<String>,
) {
    let before = failures.len();
    let keys: BTreeSet<&Vec<u64>> = expected.keys().chain(found.keys()).collect();
    for key in keys {
        let names = table.keys.iter().zip(key);
        let names: String = names.map(|(name, number)| format!(", {name} {number}")).collect();
        let at = format!("{at}{names}");
        let told = |values: &[Value]| Value::Array(values.to_vec());
        match (expected.get(key), found.get(key)) {
            (Some(expected), Some(found)) => {
                for (column, (expected, found)) in
                    table.columns.iter().zip(expected.iter().zip(*found))
                {
                    compare(&format!("{at}, {column}"), expected, found, failures);
                }
            }
            (Some(expected), None) => {
                let list = table.list;
                failures.push(format!("{at}, {list}: expected {}, found none", told(expected)));
            }
            (None, Some(found)) => {
                let list = table.list;
                failures.push(format!("{at}, {list}: expected none, found {}", told(found)));
            }
            (None, None) => {}
        }
    }
    if failures.len() == before {
        failures.push(format!("{at}, {}: the same rows in another order", table.list));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(expected: &Value, found: &Value, sentences: &[&str]) {
        let mut failures = Vec::new();
        compare_trace("block 9", expected, found, &mut failures);
        assert_eq!(failures, sentences);
    }

    #[test]
    fn each_difference_is_told_by_what_it_is_about() {
        let expected = json!({
            "total_stake": 1,
            "balances": [[1, 5], [2, 6]],
            "stakes": [[7, 1, 3, "9", 9]],
            "subnets": {"3": {"tao_in": 4, "alpha_dividends": [[7, 1]],
                "neurons": {"active": [true, false]}}},
        });
        check(&expected, &expected, &[]);
        let mut found = expected.clone();
        found["total_stake"] = json!(2);
        found["balances"][1][1] = json!(7);
        found["stakes"][0][4] = json!(8);
        found["subnets"]["3"]["tao_in"] = json!(5);
        found["subnets"]["3"]["alpha_dividends"][0][1] = json!(2);
        found["subnets"]["3"]["neurons"]["active"][1] = json!(true);
        let sentences = [
            "block 9, account 2, balance: expected 6, found 7",
            "block 9, hotkey 7, coldkey 1, subnet 3, value: expected 9, found 8",
            "block 9, subnet 3, hotkey 7, alpha_dividends: expected 1, found 2",
            "block 9, subnet 3, uid 1, active: expected false, found true",
            "block 9, subnet 3, tao_in: expected 4, found 5",
            "block 9, total_stake: expected 1, found 2",
        ];
        check(&expected, &found, &sentences);
    }

    #[test]
    fn rows_and_subnets_that_are_missing_or_too_many_are_told() {
        let expected = json!({"balances": [[1, 5]], "subnets": {"1": {}}, "kind": "full"});
        let found = json!({"balances": [[2, 5]], "subnets": {"2": {}}});
        let sentences = [
            "block 9, account 1, balances: expected [5], found none",
            "block 9, account 2, balances: expected none, found [5]",
            "block 9, kind: unknown key",
            "block 9, subnet 1: expected, not found",
            "block 9, subnet 2: not expected, found",
        ];
        check(&expected, &found, &sentences);
        let swapped = json!({"balances": [[2, 5], [1, 6]]});
        let sentence = "block 9, balances: the same rows in another order";
        check(&json!({"balances": [[1, 6], [2, 5]]}), &swapped, &[sentence]);
    }
}
