//! Events and calls as facts, one line each: columnar events are taken apart, sealed payloads show their hash only.

use crate::run::public::{PublicFrame, Seal};
use protocol::call::{Call, Origin};
use protocol::event::{Event, Sealed};
use protocol::rejection::Outcome;
use protocol::units::PlayerId;
use serde_json::{Map, Value, json};

/// One fact of a block.
#[derive(Clone, Debug, PartialEq)]
pub struct Fact {
    /// The kind of its event.
    pub kind: &'static str,
    /// Everything it says, by name.
    pub fields: Map<String, Value>,
}

/// Columns of a payout, by what one entry of them is.
const PAYOUT_COLUMNS: &[(&str, &[(&str, &str)])] = &[
    ("hotkeys", &[("hotkeys", "hotkey"), ("alpha", "alpha"), ("shares", "shares")]),
    (
        "holders",
        &[("holders", "coldkey"), ("holder_of", "hotkey"), ("holder_shares", "holder_shares")],
    ),
    (
        "dividend_hotkeys",
        &[
            ("dividend_hotkeys", "hotkey"),
            ("dividend_alpha", "dividend_alpha"),
            ("dividend_root", "dividend_root"),
            ("alpha_last_epoch", "alpha_last_epoch"),
        ],
    ),
    ("claim_hotkeys", &[("claim_hotkeys", "hotkey"), ("claim_rates", "claim_rate")]),
];

/// The facts of a public event.
pub fn facts(event: &Event) -> Vec<Fact> {
    let kind = event.kind();
    let rows = match serde_json::to_value(event) {
        Ok(Value::Object(tagged)) => match tagged.into_iter().next() {
            Some((_, Value::Object(fields))) => facts_rows(event, fields),
            _ => vec![Map::new()],
        },
        _ => vec![Map::new()],
    };
    rows.into_iter().map(|fields| Fact { kind, fields }).collect()
}

/// What may be told of a sealed fact: its hash, and how long it is.
pub fn sealed_fact(seal: &Seal) -> Fact {
    let mut fields = Map::new();
    fields.insert("commit".to_owned(), json!(seal.hash));
    fields.insert("payload_bytes".to_owned(), json!(seal.bytes));
    Fact { kind: Sealed::kinds()[0], fields }
}

/// A call with what became of it, or calls that were only counted.
#[derive(Clone, Debug, PartialEq)]
pub struct CallFact {
    /// Who submitted it.
    pub player: PlayerId,
    /// The call's name; none where calls were only counted.
    pub name: Option<&'static str>,
    /// `ok`, `failed` or `refused`.
    pub outcome: &'static str,
    /// Why not; empty if it was done.
    pub reason: &'static str,
    /// The reason as a sentence; empty if it was done.
    pub sentence: String,
    /// Who submitted it, whose signature it bears, and its numbers.
    pub fields: Map<String, Value>,
    /// What it ordered.
    pub arguments: Map<String, Value>,
}

/// The calls of a block, then those that were only counted.
pub fn call_facts(frame: &PublicFrame) -> Vec<CallFact> {
    let calls = (0u32..).zip(&frame.calls).map(|(place, record)| {
        let mut arguments = arguments(&record.call);
        if let Some((_, seal)) = frame.call_seals.iter().find(|(of, _)| *of == place) {
            arguments.remove("commit");
            arguments.insert("commit_hash".to_owned(), json!(seal.hash));
            arguments.insert("commit_bytes".to_owned(), json!(seal.bytes));
        }
        let mut fields = Map::new();
        fields.insert("player".to_owned(), json!(record.player.to_string()));
        fields.insert("sequence".to_owned(), json!(record.sequence));
        fields.insert("due_ms".to_owned(), json!(record.due_ms));
        let signer = match record.origin {
            Origin::Root => Value::from("root"),
            Origin::Signed(account) => json!(account),
        };
        fields.insert("signer".to_owned(), signer);
        fields.insert("nonce".to_owned(), json!(record.nonce));
        CallFact {
            player: record.player,
            name: Some(record.call.name()),
            outcome: record.outcome.class(),
            reason: record.outcome.reason(),
            sentence: match record.outcome {
                Outcome::Ok => String::new(),
                Outcome::Failed(rejection) => rejection.to_string(),
                Outcome::Refused(refusal) => refusal.to_string(),
            },
            fields,
            arguments,
        }
    });
    let counted = frame.refused.iter().map(|refused| {
        let mut fields = Map::new();
        fields.insert("player".to_owned(), json!(refused.player.to_string()));
        fields.insert("count".to_owned(), json!(refused.count));
        CallFact {
            player: refused.player,
            name: None,
            outcome: Outcome::Refused(refused.reason).class(),
            reason: refused.reason.name(),
            sentence: refused.reason.to_string(),
            fields,
            arguments: Map::new(),
        }
    });
    calls.chain(counted).collect()
}

/// The arguments of a call by name. A call without names for them has one, `value`.
fn arguments(call: &Call) -> Map<String, Value> {
    let value = match call {
        Call::SudoSet(setting) => serde_json::to_value(setting),
        other => serde_json::to_value(other),
    };
    let Ok(Value::Object(tagged)) = value else { return Map::new() };
    match tagged.into_iter().next() {
        Some((_, Value::Object(fields))) => fields,
        Some((_, value)) => [("value".to_owned(), value)].into_iter().collect(),
        None => Map::new(),
    }
}

fn facts_rows(event: &Event, fields: Map<String, Value>) -> Vec<Map<String, Value>> {
    match event {
        Event::EpochRun(epoch) => facts_neurons(&fields, epoch.active.len()),
        Event::EpochPaid(_) => facts_payout(fields),
        Event::SubnetDissolved(_) => facts_settlement(fields),
        Event::RootClaimedSet { .. } => vec![fields],
        Event::BatchWeightsCompleted { netuids, .. } if netuids.is_empty() => vec![fields],
        _ => match fields.get("netuids").and_then(Value::as_array).map(Vec::len) {
            Some(count) => facts_subnets(&fields, count),
            None => vec![fields],
        },
    }
}

/// One fact per subnet; values of the whole block stay with each.
fn facts_subnets(fields: &Map<String, Value>, count: usize) -> Vec<Map<String, Value>> {
    let row = |at: usize| {
        let entries = fields.iter().map(|(name, value)| match value {
            Value::Array(column) if column.len() == count => {
                let name = if name == "netuids" { "netuid" } else { name };
                (name.to_owned(), column[at].clone())
            }
            other => (name.clone(), other.clone()),
        });
        entries.collect()
    };
    (0..count).map(row).collect()
}

/// One fact per neuron; incentive and bonds have one entry per mechanism.
fn facts_neurons(fields: &Map<String, Value>, count: usize) -> Vec<Map<String, Value>> {
    let row = |uid: usize| {
        let mut row = Map::new();
        row.insert("netuid".to_owned(), fields.get("netuid").cloned().unwrap_or_default());
        row.insert("uid".to_owned(), json!(uid));
        for (name, value) in fields {
            let Value::Array(column) = value else { continue };
            let entry = if matches!(name.as_str(), "incentive" | "bonds") {
                let mechanisms = column.iter().map(|one| one.get(uid).cloned().unwrap_or_default());
                Value::Array(mechanisms.collect())
            } else if column.len() == count {
                column[uid].clone()
            } else {
                continue;
            };
            row.insert(name.clone(), entry);
        }
        row
    };
    (0..count).map(row).collect()
}

/// What a settlement says of each holder, by its column.
const SETTLEMENT_COLUMNS: &[(&str, &str)] =
    &[("hotkeys", "hotkey"), ("coldkeys", "coldkey"), ("alpha", "alpha"), ("tao", "tao")];

/// One fact of the whole, then one per holder.
fn facts_settlement(mut fields: Map<String, Value>) -> Vec<Map<String, Value>> {
    let columns: Vec<(&str, Vec<Value>)> = SETTLEMENT_COLUMNS
        .iter()
        .map(|(column, name)| match fields.remove(*column) {
            Some(Value::Array(values)) => (*name, values),
            _ => (*name, Vec::new()),
        })
        .collect();
    let netuid = fields.get("netuid").cloned().unwrap_or_default();
    let count = columns.first().map_or(0, |(_, values)| values.len());
    let row = |at: usize| {
        let mut row = Map::new();
        row.insert("netuid".to_owned(), netuid.clone());
        for (name, values) in &columns {
            row.insert((*name).to_owned(), values.get(at).cloned().unwrap_or_default());
        }
        row
    };
    let holders: Vec<Map<String, Value>> = (0..count).map(row).collect();
    std::iter::once(fields).chain(holders).collect()
}

/// One fact per hotkey paid, per holder, per dividend, per claimable rate; then what is left.
fn facts_payout(mut fields: Map<String, Value>) -> Vec<Map<String, Value>> {
    let netuid = fields.get("netuid").cloned().unwrap_or_default();
    let hotkeys = fields.get("hotkeys").cloned().unwrap_or_default();
    let mut rows = Vec::new();
    for (_, columns) in PAYOUT_COLUMNS {
        let taken: Vec<(&str, &str, Value)> = columns
            .iter()
            .map(|(column, name)| (*column, *name, fields.remove(*column).unwrap_or_default()))
            .collect();
        let count = taken.first().and_then(|(_, _, column)| column.as_array()).map_or(0, Vec::len);
        for at in 0..count {
            let mut row = Map::new();
            row.insert("netuid".to_owned(), netuid.clone());
            for (column, name, values) in &taken {
                let mut value = values.get(at).cloned().unwrap_or_default();
                if *column == "holder_of" {
                    let index = value.as_u64().and_then(|index| usize::try_from(index).ok());
                    value = index.and_then(|index| hotkeys.get(index)).cloned().unwrap_or_default();
                }
                row.insert((*name).to_owned(), value);
            }
            rows.push(row);
        }
    }
    if fields.get("listed").and_then(Value::as_array).is_some_and(Vec::is_empty) {
        fields.remove("listed");
    }
    rows.push(fields);
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::event::{Cause, EmissionShared, EpochPaid, EpochRun, SubnetDissolved};
    use protocol::units::{AccountId, Alpha, Hash32, Height, NetUid, Rao};

    fn told(event: &Event) -> Vec<String> {
        let facts = facts(event).into_iter();
        facts.map(|fact| format!("{} {}", fact.kind, Value::Object(fact.fields))).collect()
    }

    #[test]
    fn a_plain_event_is_one_fact() {
        let rows = told(&Event::BlockOpened { height: Height(7) });
        assert_eq!(rows, [r#"block_opened {"height":7}"#]);
        assert_eq!(told(&Event::StakeMarkersCleared), ["stake_markers_cleared {}"]);
    }

    #[test]
    fn columns_are_taken_apart_and_large_numbers_stay_whole() {
        let rows = told(&Event::EmissionShared(Box::new(EmissionShared {
            block_emission: Rao(5),
            netuids: vec![NetUid(1), NetUid(9)],
            flow_average: vec![-(1 << 70), 2],
            share: vec![u128::MAX, 4],
        })));
        assert_eq!(rows.len(), 2);
        assert!(rows[0].contains("\"netuid\":1"), "{}", rows[0]);
        assert!(rows[0].contains("\"flow_average\":-1180591620717411303424"), "{}", rows[0]);
        assert!(rows[0].contains("340282366920938463463374607431768211455"), "{}", rows[0]);
        assert!(rows[1].contains("\"block_emission\":5"), "{}", rows[1]);
    }

    #[test]
    fn a_batch_is_one_fact_per_subnet_and_one_of_none_is_told_too() {
        let hotkey = AccountId([1; 32]);
        for (netuids, count) in [(vec![], 1), (vec![NetUid(1)], 1), (vec![NetUid(1); 3], 3)] {
            let rows = told(&Event::BatchWeightsCompleted { hotkey, netuids });
            assert_eq!(rows.len(), count);
            assert!(rows.iter().all(|row| row.contains(&hotkey.to_ss58())), "{rows:?}");
        }
    }

    #[test]
    fn an_epoch_is_one_fact_per_neuron_and_a_payout_one_per_receiver() {
        let epoch = EpochRun {
            netuid: NetUid(3),
            active: vec![true, false],
            consensus: vec![1, 2],
            incentive: vec![vec![5, 6]],
            bonds: vec![vec![vec![], vec![(0, 9)]]],
            ..EpochRun::default()
        };
        let rows = told(&Event::EpochRun(Box::new(epoch)));
        assert_eq!(rows.len(), 2);
        assert!(
            rows[1].contains("\"uid\":1") && rows[1].contains("\"consensus\":2"),
            "{}",
            rows[1]
        );
        assert!(rows[1].contains("\"incentive\":[6]"), "{}", rows[1]);
        let (hotkey, coldkey) = (AccountId([1; 32]), AccountId([2; 32]));
        let paid = EpochPaid {
            netuid: NetUid(3),
            hotkeys: vec![hotkey],
            alpha: vec![Alpha(7)],
            shares: vec![8],
            holder_of: vec![0],
            holders: vec![coldkey],
            holder_shares: vec![8],
            ..EpochPaid::default()
        };
        let rows = told(&Event::EpochPaid(Box::new(paid)));
        assert_eq!(rows.len(), 3);
        assert!(rows[1].contains(&hotkey.to_ss58()) && rows[1].contains(&coldkey.to_ss58()));
    }

    #[test]
    fn a_settlement_is_one_fact_and_one_per_holder() {
        let (hotkey, coldkey) = (AccountId([1; 32]), AccountId([2; 32]));
        let rows = told(&Event::SubnetDissolved(Box::new(SubnetDissolved {
            netuid: NetUid(3),
            cause: Cause::Prune,
            pot: Rao(9),
            hotkeys: vec![hotkey, coldkey],
            coldkeys: vec![coldkey, coldkey],
            alpha: vec![Alpha(1), Alpha(2)],
            tao: vec![Rao(3), Rao(6)],
            ..SubnetDissolved::default()
        })));
        assert_eq!(rows.len(), 3);
        assert!(rows[0].contains(r#""cause":"prune""#) && rows[0].contains(r#""pot":9"#));
        assert!(!rows[0].contains("hotkeys"), "{}", rows[0]);
        assert!(rows[2].contains(r#""netuid":3"#) && rows[2].contains(r#""tao":6"#), "{}", rows[2]);
    }

    #[test]
    fn a_sealed_payload_is_not_told() {
        let fact = sealed_fact(&Seal { hash: Hash32([1; 32]), bytes: 40 });
        assert_eq!((fact.kind, &fact.fields["payload_bytes"]), ("commit_payload", &json!(40)));
        assert_eq!(fact.fields.len(), 2);
    }
}
