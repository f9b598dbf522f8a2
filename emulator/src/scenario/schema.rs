//! Scenario files as JSON Schema, for editors and other tools. Nothing is written down twice: keys and types come from the
//! types that files are read into, parameters from the rules, settings from the registry, meanings from the documents.
//!
//! What belongs here: how all that is written as JSON Schema. What does not: what a type is read from (`shape`), and
//! whatever no schema can see, such as sums and names that must be there (`genesis`).

/// What a type is read from.
mod shape;

use super::document::{Document, RuleSection, SubnetEntry};
use super::yaml::SCHEMA;
use crate::genesis::{Settable, global_parameters, hyperparameters, timeline_calls};
use actors::registry::{Behaviour, BehaviourSettings, Role, behaviours};
use protocol::hyperparameters::table::{RULES, Scope};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use shape::{Field, Keys, Shape, shape, shape_by};
use std::collections::BTreeMap;

/// Says what every key of a scenario means.
const SCENARIOS: &str = include_str!("../../../docs/scenarios.md");
/// Says what every setting of a behaviour means.
const PLAYERS: &str = include_str!("../../../docs/players.md");

/// A whole number or an amount, with its digits apart if wanted.
const DIGITS: &str = "[0-9_]*[0-9][0-9_]*";

/// The JSON Schema of a scenario file.
pub fn schema() -> Value {
    let Shape::Table(document) = shape::<Document>() else { panic!("a document is a table") };
    let defaults = serde_json::to_value(Document::default()).expect("a document is plain data");
    let mut properties = Map::new();
    for field in &document.fields {
        properties.insert(field.name.to_owned(), section(field, &defaults[field.name]));
    }
    let settings = behaviours().iter().map(|one| (definition(*one), settings(*one)));
    let mut whole = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A scenario of btemu",
        "$defs": settings.collect::<Map<String, Value>>(),
    });
    let table = object(properties, &document);
    for (key, value) in table.as_object().into_iter().flatten() {
        whole[key] = value.clone();
    }
    let schema = json!({ "type": "string", "description": "in JSON: where this schema is" });
    whole["patternProperties"] = json!({ format!("^\\{SCHEMA}$"): schema });
    whole
}

/// A section of a scenario, or the list of its entries.
fn section(field: &Field, defaults: &Value) -> Value {
    let is_list = matches!(field.shape, Shape::List(_));
    let heading = if is_list { format!("[[{}]]", field.name) } else { format!("[{}]", field.name) };
    let meanings = meanings(SCENARIOS, &heading);
    let keys = match &field.shape {
        Shape::Table(keys) => Some(keys),
        Shape::List(entry) => match &**entry {
            Shape::Table(keys) => Some(keys),
            _ => None,
        },
        _ => None,
    };
    // The keys of a table that takes parameters beside them: the rest of it is read by the rules.
    let open = |fields| Keys { fields, strict: true };
    let mut one = match (field.name, keys) {
        ("rules", None) => table(&open(rule_fields()), &meanings, defaults),
        ("subnet", None) => table(&open(subnet_fields()), &meanings, defaults),
        ("hyperparameters", None) => table(&open(Vec::new()), &meanings, defaults),
        (_, Some(keys)) => table(keys, &meanings, defaults),
        (name, None) => panic!("[{name}] is no table"),
    };
    match field.name {
        "rules" => add_parameters(&mut one, Scope::Network, &global_parameters(), true),
        "subnet" => add_parameters(&mut one, Scope::Subnet, &hyperparameters(), false),
        "hyperparameters" => add_parameters(&mut one, Scope::Subnet, &hyperparameters(), true),
        "timeline" => one["properties"]["call"]["enum"] = timeline_calls().into(),
        "players" => add_behaviours(&mut one),
        _ => {}
    }
    if is_list { json!({ "type": "array", "items": one }) } else { one }
}

/// A field of the type of a value.
fn field<T: DeserializeOwned>(name: &'static str, _: &T) -> Field {
    Field { name, shape: shape::<T>(), required: false }
}

fn rule_fields() -> Vec<Field> {
    let RuleSection { version, profile, mode, fees, parameters: _ } = RuleSection::default();
    vec![
        field("version", &version),
        field("profile", &profile),
        field("mode", &mode),
        field("fees", &fees),
    ]
}

fn subnet_fields() -> Vec<Field> {
    let SubnetEntry {
        netuid,
        count,
        name,
        symbol,
        tao_reserve,
        alpha_in,
        alpha_out,
        flow_share,
        metagraph,
        neurons_min,
        hyperparameters: _,
    } = SubnetEntry::default();
    vec![
        field("netuid", &netuid),
        field("count", &count),
        field("name", &name),
        field("symbol", &symbol),
        field("tao_reserve", &tao_reserve),
        field("alpha_in", &alpha_in),
        field("alpha_out", &alpha_out),
        field("flow_share", &flow_share),
        field("metagraph", &metagraph),
        field("neurons_min", &neurons_min),
    ]
}

/// Parameters beside the keys of a section, with their defaults where the section is where they have them.
fn add_parameters(section: &mut Value, scope: Scope, settable: &[Settable], has_defaults: bool) {
    for Settable { name, value, bounds } in settable {
        let mut one = match bounds {
            None => json!({ "type": "boolean" }),
            Some((min, max)) => json!({ "anyOf": [
                { "type": "integer", "minimum": min, "maximum": max },
                amount("TAO"),
                { "type": "string", "pattern": "^[0-9]{19,20}$" },
            ] }),
        };
        let rule = RULES.iter().find(|rule| rule.scope == scope && rule.name == *name);
        if let Some(rule) = rule {
            let parts = [("", rule.used_for), ("unit: ", rule.unit), ("bounds: ", rule.bounds)];
            let told = parts.iter().filter(|(_, words)| !words.is_empty());
            let told: Vec<String> = told.map(|(what, words)| format!("{what}{words}")).collect();
            one["description"] = told.join("; ").into();
        }
        if has_defaults && (value.is_boolean() || value.as_i64().is_some()) {
            one["default"] = value.clone();
        }
        section["properties"][name] = one;
    }
}

/// Which behaviours a role has, and which settings a behaviour has.
fn add_behaviours(group: &mut Value) {
    let of_role = |role: Role| behaviours().iter().filter(move |one| one.role == role);
    let mut conditions = Vec::new();
    for role in Role::ALL.iter().copied() {
        let names: Vec<&str> = of_role(role).map(|one| one.name).collect();
        conditions.push(json!({
            "if": { "properties": { "role": { "const": role.name() } }, "required": ["role"] },
            "then": { "properties": { "behaviour": { "enum": names } } },
        }));
        for one in of_role(role) {
            let named =
                json!({ "role": { "const": role.name() }, "behaviour": { "const": one.name } });
            let reference = format!("#/$defs/{}", definition(*one));
            conditions.push(json!({
                "if": { "properties": named, "required": ["role", "behaviour"] },
                "then": { "properties": { "settings": { "$ref": reference } } },
            }));
        }
    }
    group["allOf"] = conditions.into();
}

fn definition(behaviour: Behaviour) -> String {
    format!("{}-{}", behaviour.role.name(), behaviour.name)
}

/// The settings of a behaviour.
fn settings(behaviour: Behaviour) -> Value {
    let Behaviour { role, name, what } = behaviour;
    let defaults = BehaviourSettings::defaults(role, name).expect("the registry has it");
    let Shape::Table(keys) = shape_by(&|asker| defaults.read(asker).map(|_| ())) else {
        panic!("the settings of {name} are no table")
    };
    let meanings = meanings(PLAYERS, &format!("{} `{name}`", role.name()));
    let values = serde_json::to_value(&defaults).expect("settings are plain data");
    let mut table = table(&keys, &meanings, &values);
    table["description"] = what.into();
    table
}

/// A table with what its keys mean and what they are by default.
fn table(keys: &Keys, meanings: &BTreeMap<String, String>, defaults: &Value) -> Value {
    let properties = keys.fields.iter().map(|field| {
        let mut one = written(&field.shape);
        if let Some(meaning) = meanings.get(field.name) {
            one["description"] = meaning.clone().into();
        }
        match defaults.get(field.name) {
            None | Some(Value::Null) => {}
            Some(value) => one["default"] = value.clone(),
        }
        (field.name.to_owned(), one)
    });
    object(properties.collect(), keys)
}

fn object(properties: Map<String, Value>, keys: &Keys) -> Value {
    let required: Vec<&str> =
        keys.fields.iter().filter(|field| field.required).map(|field| field.name).collect();
    let mut object = json!({
        "type": "object",
        "properties": properties,
        "additionalProperties": !keys.strict,
    });
    if !required.is_empty() {
        object["required"] = required.into();
    }
    object
}

fn written(shape: &Shape) -> Value {
    match shape {
        Shape::Flag => json!({ "type": "boolean" }),
        Shape::Integer(min, max) => integer(*min, *max),
        Shape::Text => json!({ "type": "string" }),
        Shape::Words(words) => json!({ "enum": words }),
        Shape::List(one) => json!({ "type": "array", "items": written(one) }),
        Shape::Row(one, count) => {
            json!({ "type": "array", "items": written(one), "minItems": count, "maxItems": count })
        }
        Shape::Table(keys) => table(keys, &BTreeMap::new(), &Value::Null),
        Shape::Map => json!({ "type": "object" }),
        Shape::Said(words) => said(words),
    }
}

/// A whole number, as far as TOML holds one.
fn integer(min: i128, max: u128) -> Value {
    let min = i64::try_from(min).unwrap_or(i64::MIN);
    let max = i64::try_from(max).unwrap_or(i64::MAX);
    json!({ "type": "integer", "minimum": min, "maximum": max })
}

/// What a reader of its own takes, by its own words.
fn said(words: &str) -> Value {
    let unit = ["TAO", "alpha"].into_iter().find(|unit| words.contains(unit));
    match (words, unit) {
        (_, Some(unit)) => amount(unit),
        ("a number of blocks, or a duration such as \"2h\"", _) => json!({ "anyOf": [
            integer(0, u64::MAX.into()),
            { "type": "string", "pattern": format!("^{DIGITS}[smhd]$") },
        ] }),
        ("expected \"all\" or a list of netuids", _) => json!({ "anyOf": [
            { "const": "all" },
            { "type": "array", "items": integer(0, u16::MAX.into()) },
        ] }),
        ("expected a height, or \"+N\" counted from genesis", _) => json!({ "anyOf": [
            integer(0, u64::MAX.into()),
            { "type": "string", "pattern": "^\\+[0-9]+$" },
        ] }),
        ("expected a text or a list of texts", _) => json!({ "anyOf": [
            { "type": "string" },
            { "type": "array", "items": { "type": "string" } },
        ] }),
        ("any valid TOML value", _) => json!({}),
        _ => panic!("nobody has said what {words:?} is as JSON Schema"),
    }
}

/// An amount with its unit.
fn amount(unit: &str) -> Value {
    let pattern = format!("^\\s*(?:{DIGITS}\\s+rao|{DIGITS}(?:\\.[0-9_]{{0,9}})?\\s+{unit})\\s*$");
    json!({ "type": "string", "pattern": pattern })
}

/// What the keys of a document's section mean: the last cell of their rows.
fn meanings(page: &str, heading: &str) -> BTreeMap<String, String> {
    let lines = page.lines().skip_while(|line| line.strip_prefix("## ") != Some(heading)).skip(1);
    let rows = lines.take_while(|line| !line.starts_with("## ")).filter_map(|line| {
        let (key, _) = line.strip_prefix("| `")?.split_once('`')?;
        let meaning = line.trim_end_matches('|').rsplit(" | ").next()?;
        Some((key.to_owned(), plain(meaning.trim().trim_end_matches('○').trim_end())))
    });
    rows.collect()
}

/// A text without its links.
fn plain(mut text: &str) -> String {
    let mut plain = String::new();
    while let Some((before, after)) = text.split_once("](") {
        let (head, label) = before.rsplit_once('[').unwrap_or(("", before));
        plain.push_str(head);
        plain.push_str(label);
        text = after.split_once(')').map_or("", |(_, rest)| rest);
    }
    plain + text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every key that a schema names, by its path, with what it says of it.
    fn properties(schema: &Value) -> BTreeMap<String, &Value> {
        let mut found = BTreeMap::new();
        let sections = schema["properties"].as_object().expect("sections");
        for (name, section) in sections {
            let table = if section["type"] == "array" { &section["items"] } else { section };
            for (key, one) in table["properties"].as_object().expect("keys") {
                found.insert(format!("{name}.{key}"), one);
            }
        }
        for (name, table) in schema["$defs"].as_object().expect("settings") {
            for (key, one) in table["properties"].as_object().expect("keys") {
                found.insert(format!("{name}.{key}"), one);
            }
        }
        found
    }

    /// Nothing is required but what a file cannot do without, and nothing is let through that the parser refuses.
    #[test]
    fn every_table_is_strict() {
        let schema = schema();
        let tables = |value: &Value| value["additionalProperties"] == false;
        assert!(tables(&schema));
        for (name, section) in schema["properties"].as_object().expect("sections") {
            let table = if section["type"] == "array" { &section["items"] } else { section };
            assert!(tables(table), "[{name}]");
        }
        for (name, settings) in schema["$defs"].as_object().expect("settings") {
            assert!(tables(settings), "{name}");
        }
        let required = |section: &str| &schema["properties"][section]["items"]["required"];
        assert_eq!(required("players"), &json!(["name", "role", "behaviour"]));
        assert_eq!(required("timeline"), &json!(["at", "call"]));
        assert_eq!(required("fault"), &json!(["kind"]));
        assert_eq!(schema["properties"]["run"].get("required"), None);
    }

    #[test]
    fn every_key_says_what_it_means() {
        let schema = schema();
        let all = properties(&schema);
        assert!(all.len() > 400, "only {} keys", all.len());
        let silent: Vec<&String> = all
            .iter()
            .filter(|(_, one)| one.get("description").is_none())
            .map(|(key, _)| key)
            .collect();
        // Constants of the chain that nothing but its code sets.
        assert_eq!(silent, [""; 0]);
    }

    #[test]
    fn keys_have_the_types_bounds_and_defaults_of_what_reads_them() {
        let schema = schema();
        let all = properties(&schema);
        let whole =
            |min: i64, max: i64| json!({ "type": "integer", "minimum": min, "maximum": max });
        let rows = [
            ("run.seed", whole(0, i64::MAX), json!(1)),
            ("run.processes", whole(0, 4_294_967_295), json!(2)),
            ("network.loss_ppm", whole(0, 4_294_967_295), json!(0)),
            ("metrics.accounts", json!({ "type": "boolean" }), json!(false)),
            ("rules.version", json!({ "enum": ["taoflow", "price"] }), json!("taoflow")),
            ("staker-noise.in_ppm", whole(0, 4_294_967_295), json!(500_000)),
        ];
        for (key, shape, default) in rows {
            let mut one = all[key].clone();
            let table = one.as_object_mut().expect("a schema");
            assert!(table.remove("description").is_some(), "{key}");
            assert_eq!(table.remove("default"), Some(default), "{key}");
            assert_eq!(one, shape, "{key}");
        }
        for (key, bounds) in [
            ("hyperparameters.tempo", whole(0, 65_535)),
            ("subnet.tempo", whole(0, 65_535)),
            ("hyperparameters.alpha_sigmoid_steepness", whole(-32_768, 32_767)),
            ("hyperparameters.mechanism_count", whole(0, 255)),
            ("rules.subnet_limit", whole(0, 65_535)),
            ("rules.tao_weight", whole(0, i64::MAX)),
        ] {
            assert_eq!(all[key]["anyOf"][0], bounds, "{key}");
        }
        assert_eq!(all["hyperparameters.tempo"]["default"], 360);
        assert_eq!(all["subnet.tempo"].get("default"), None, "it has what [hyperparameters] says");
        assert!(!all.contains_key("rules.total_issuance"), "genesis computes it");
        assert!(
            !all.contains_key("rules.parameters") && !all.contains_key("subnet.hyperparameters")
        );
    }

    #[test]
    fn meanings_are_the_documents() {
        let run = meanings(SCENARIOS, "[run]");
        assert_eq!(run["seed"], "of all draws");
        assert!(run["link"].contains("see runbook.md") && !run["link"].contains('○'), "{run:?}");
        assert_eq!(
            meanings(PLAYERS, "staker `noise`")["in_ppm"],
            "chance that an order goes in and not out"
        );
        assert_eq!(plain("see [this](a.md) and [that](b.md#c)."), "see this and that.");
    }
}
