//! Facts and calls as lines for people: amounts in TAO and alpha, subnets and accounts by name.
//!
//! What belongs here: a sentence for what people look for, one uniform form for everything else. What does not: how
//! facts are found (`facts`), what their numbers measure (`fields`).

use super::facts::{CallFact, Fact};
use crate::fields::{Unit, integer, ratio, unit};
use crate::names::{Names, TAO, tokens};
use crate::progress::days_and_time;
use protocol::units::NetUid;
use serde_json::{Map, Value};

/// Entries of a list that are shown.
const LIST_SHOWN_MAX: usize = 8;
/// Letters of a hash that are shown.
const HASH_LETTERS: usize = 8;
/// Letters of a hash.
const HASH_LENGTH: usize = 64;

/// Simulated time since genesis: `+12:20:00`, from a day on `+1d 12:20:00`.
pub fn clock(time_ms: u64) -> String {
    let (days, time) = days_and_time(time_ms);
    if days == 0 { format!("+{time}") } else { format!("+{days}d {time}") }
}

/// What a fact says.
pub fn fact_line(names: &Names, fact: &Fact) -> String {
    let told = Told { names, kind: fact.kind, fields: &fact.fields };
    told.sentence().unwrap_or_else(|| told.plain_sentence())
}

/// What a call ordered, and what became of it.
pub fn call_line(names: &Names, call: &CallFact) -> String {
    let Some(name) = call.name else {
        let count = call.fields.get("count").and_then(Value::as_u64).unwrap_or(0);
        return format!(
            "refused {count} more calls of {}: {} ({})",
            names.player(call.player),
            call.reason,
            plain(&call.sentence)
        );
    };
    let told = Told { names, kind: name, fields: &call.arguments };
    let signer = call.fields.get("signer").and_then(Value::as_str).unwrap_or_default();
    let signer = names.account_text(signer);
    let order = format!("{:<7} {name} by {signer}{}", call.outcome, told.list(": "));
    match call.reason {
        "" => order,
        reason => format!("{order}; {reason} ({})", plain(&call.sentence)),
    }
}

/// A sentence within another.
fn plain(sentence: &str) -> String {
    let mut letters = sentence.trim_end_matches('.').chars();
    let first = letters.next().map(|first| first.to_lowercase().to_string()).unwrap_or_default();
    format!("{first}{}", letters.as_str())
}

/// A value for people; alpha as that of the subnet, if one is given.
pub fn value_text(names: &Names, netuid: Option<NetUid>, of: Unit, value: &Value) -> String {
    let mut fields = Map::new();
    if let Some(netuid) = netuid {
        fields.insert("netuid".to_owned(), Value::from(netuid.0));
    }
    let told = Told { names, kind: "", fields: &fields };
    match value {
        Value::Number(_) => told.measured(of, value),
        other => told.shown("", other),
    }
}

/// Something with fields, to be told.
struct Told<'a> {
    names: &'a Names,
    kind: &'a str,
    fields: &'a Map<String, Value>,
}

impl Told<'_> {
    /// A field's value for people; `?` where there is none.
    fn of(&self, field: &str) -> String {
        self.fields.get(field).map_or_else(|| "?".to_owned(), |value| self.shown(field, value))
    }

    fn has(&self, field: &str) -> bool {
        self.fields.get(field).is_some_and(|value| !value.is_null())
    }

    fn count(&self, field: &str) -> usize {
        self.fields.get(field).and_then(Value::as_array).map_or(0, Vec::len)
    }

    /// Text for a field if it is there.
    fn if_any(&self, before: &str, field: &str) -> String {
        if self.has(field) { format!("{before}{}", self.of(field)) } else { String::new() }
    }

    fn netuid(&self) -> Option<NetUid> {
        let own = ["netuid", "origin_netuid"].iter().find_map(|field| self.fields.get(*field));
        own.and_then(Value::as_u64).and_then(|netuid| u16::try_from(netuid).ok()).map(NetUid)
    }

    /// The sentence of a kind that has one.
    fn sentence(&self) -> Option<String> {
        let of = |field: &str| self.of(field);
        let text = match self.kind {
            "block_opened" => format!("block {} began", of("height")),
            "call_included" => format!("call {} of {} was included", of("nonce"), of("signer")),
            "parameter_set" => self.parameter(),
            "balance_withdrawn" => format!("{} left {}", of("amount"), of("account")),
            "balance_credited" => format!("{} came to {}", of("amount"), of("account")),
            "account_reaped" => {
                format!("{} was removed with {} of dust", of("account"), of("dust"))
            }
            "issuance_recycled" => format!("{} left the issuance", of("amount")),
            "leak_booked" => format!("{} booked as leak {}", of("amount"), of("leak")),
            "fee_paid" => format!("fee of {} paid by {}", of("amount"), of("payer")),
            "stake_added" => format!(
                "staked {} → {} on {} by {} via {}, fee {}",
                of("tao"),
                of("alpha"),
                of("netuid"),
                of("coldkey"),
                of("hotkey"),
                of("fee")
            ),
            "stake_removed" => format!(
                "unstaked {} → {} on {} by {} via {}, fee {}",
                of("alpha"),
                of("tao"),
                of("netuid"),
                of("coldkey"),
                of("hotkey"),
                of("fee")
            ),
            "stake_moved" => format!(
                "moved stake worth {} from {} via {} to {} via {} by {}",
                of("tao"),
                of("origin_netuid"),
                of("origin_hotkey"),
                of("destination_netuid"),
                of("destination_hotkey"),
                of("coldkey")
            ),
            "stake_swapped" => format!(
                "moved stake worth {} from {} to {} by {} via {}",
                of("tao"),
                of("origin_netuid"),
                of("destination_netuid"),
                of("coldkey"),
                of("hotkey")
            ),
            "stake_transferred" => format!(
                "gave stake worth {} on {} to {} on {} by {} via {}",
                of("tao"),
                of("origin_netuid"),
                of("destination_coldkey"),
                of("destination_netuid"),
                of("origin_coldkey"),
                of("hotkey")
            ),
            "alpha_recycled" | "alpha_burned" => format!(
                "{} {} on {} by {} via {}",
                self.kind.trim_start_matches("alpha_"),
                of("alpha"),
                of("netuid"),
                of("coldkey"),
                of("hotkey")
            ),
            "add_stake_burned" => format!(
                "bought and burned {} for {} on {} via {}",
                of("alpha"),
                of("amount"),
                of("netuid"),
                of("hotkey")
            ),
            "root_dividends_claimed" => format!(
                "claimed {} of root dividends on {} by {} via {}{}",
                of("alpha"),
                of("netuid"),
                of("coldkey"),
                of("hotkey"),
                self.if_any(", sold for ", "tao")
            ),
            "root_claimed" => format!("root dividends asked for by {}", of("coldkey")),
            "subnet_registered" => format!(
                "{} registered by {} with {}: locked {}, recycled {}, pool {}",
                of("netuid"),
                of("owner"),
                of("owner_hotkey"),
                of("locked"),
                of("recycled"),
                of("pool")
            ),
            "subnet_dissolved" if self.has("coldkey") => format!(
                "{} for {} of dissolved {} to {} via {}",
                of("tao"),
                of("alpha"),
                of("netuid"),
                of("coldkey"),
                of("hotkey")
            ),
            "subnet_dissolved" => format!(
                "{} dissolved ({}): pot {}, refund {}",
                of("netuid"),
                of("cause"),
                of("pot"),
                of("refund")
            ),
            "subnet_started" => {
                format!(
                    "{} started, first emission at block {}",
                    of("netuid"),
                    of("first_emission")
                )
            }
            "neuron_placed" => format!(
                "{} took uid {} on {} by {}{}",
                of("hotkey"),
                of("uid"),
                of("netuid"),
                of("via"),
                self.if_any(", in place of ", "replaced")
            ),
            "registration_counted" => {
                format!("registration on {} by {} at {}", of("netuid"), of("via"), of("price"))
            }
            "weights_set" => format!(
                "weights on {} by uid {}: {} targets, mechanism {}",
                of("netuid"),
                of("uid"),
                self.count("row"),
                of("mechanism")
            ),
            "weights_committed" | "timelocked_weights_committed" => format!(
                "weights committed on {} by {} (uid {}), mechanism {}{}",
                of("netuid"),
                of("hotkey"),
                of("uid"),
                of("mechanism"),
                self.if_any(", to open in round ", "reveal_round")
            ),
            "weights_revealed" | "timelocked_weights_revealed" => format!(
                "weights revealed on {} by {}, mechanism {}, hash {}",
                of("netuid"),
                of("hotkey"),
                of("mechanism"),
                of("hash")
            ),
            "axon_served" => format!("endpoint of {} on {}", of("hotkey"), of("netuid")),
            "emission_shared" => format!(
                "{} has share {} of {}, flow average {}",
                of("netuid"),
                of("share"),
                of("block_emission"),
                self.flow()
            ),
            "hotkey_swapped" => format!(
                "{} took the place of {} {} by {}",
                of("new_hotkey"),
                of("old_hotkey"),
                if self.has("netuid") {
                    format!("on {}", of("netuid"))
                } else {
                    "everywhere".into()
                },
                of("coldkey")
            ),
            "delegate_take_changed" => format!(
                "delegate take of {} set to {} of 65535 by {}",
                of("hotkey"),
                of("take"),
                of("coldkey")
            ),
            _ => return None,
        };
        Some(text)
    }

    /// The form of all other kinds: the kind, the subnet, then all fields.
    fn plain_sentence(&self) -> String {
        let Some(netuid) = self.fields.get("netuid").filter(|netuid| !netuid.is_null()) else {
            return format!("{}{}", self.kind, self.list(": "));
        };
        let mut fields = self.fields.clone();
        fields.remove("netuid");
        let shown =
            fields.iter().map(|(name, value)| format!("{name} {}", self.shown(name, value)));
        let shown: Vec<String> = shown.collect();
        let before = if shown.is_empty() { "" } else { ": " };
        let subnet = self.shown("netuid", netuid);
        format!("{} on {subnet}{before}{}", self.kind, shown.join(", "))
    }

    /// A parameter's new value has the unit of the call that sets it.
    fn parameter(&self) -> String {
        let name = self.fields.get("name").and_then(Value::as_str).unwrap_or("?");
        let setter = format!("sudo_set_{name}");
        let told = Told { names: self.names, kind: &setter, fields: self.fields };
        let place = if self.has("netuid") { self.of("netuid") } else { "the network".to_owned() };
        format!("{name} of {place} set to {}", told.of("value"))
    }

    /// The flow average counts rao per block.
    fn flow(&self) -> String {
        let rao = self.fields.get("flow_average").and_then(|bits| ratio(bits, 64));
        rao.map_or_else(|| "?".to_owned(), |rao| format!("{:.6} {TAO}", rao / 1e9))
    }

    /// All fields, after what introduces them.
    fn list(&self, before: &str) -> String {
        let shown =
            self.fields.iter().map(|(name, value)| format!("{name} {}", self.shown(name, value)));
        let shown: Vec<String> = shown.collect();
        if shown.is_empty() { String::new() } else { format!("{before}{}", shown.join(", ")) }
    }

    fn shown(&self, field: &str, value: &Value) -> String {
        match value {
            Value::Null => "none".to_owned(),
            Value::Bool(true) => "yes".to_owned(),
            Value::Bool(false) => "no".to_owned(),
            Value::String(text) if text.len() == HASH_LENGTH && text.is_ascii() => {
                format!("{}…", &text[..HASH_LETTERS])
            }
            Value::String(text) => self.names.account_text(text),
            Value::Number(_) => self.shown_number(field, value),
            Value::Array(values) => {
                let shown = values.iter().take(LIST_SHOWN_MAX);
                let mut shown: Vec<String> = shown.map(|one| self.shown(field, one)).collect();
                if values.len() > LIST_SHOWN_MAX {
                    shown.push(format!("… {} in all", values.len()));
                }
                format!("[{}]", shown.join(", "))
            }
            Value::Object(fields) => {
                let told = Told { names: self.names, kind: self.kind, fields };
                format!("({})", told.list(""))
            }
        }
    }

    fn shown_number(&self, field: &str, value: &Value) -> String {
        let is_subnet = field.ends_with("netuid") || field.ends_with("netuids");
        let netuid = value.as_u64().and_then(|netuid| u16::try_from(netuid).ok());
        match netuid.filter(|_| is_subnet) {
            Some(netuid) => self.names.subnet(NetUid(netuid)),
            None => self.measured(unit(self.kind, field), value),
        }
    }

    fn measured(&self, of: Unit, value: &Value) -> String {
        let amount = || integer(value).map_or_else(|| value.to_string(), tokens);
        match of {
            Unit::Tao => format!("{} {TAO}", amount()),
            Unit::Alpha => format!("{} {}", amount(), self.names.symbol(self.netuid())),
            Unit::Fixed(bits) => {
                ratio(value, bits).map_or_else(|| value.to_string(), |ratio| format!("{ratio:.9}"))
            }
            Unit::Plain => value.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::event::Event;
    use protocol::units::{AccountId, PlayerId};
    use serde_json::json;

    const AMOUNT: u64 = 1_500_000_000;

    /// A value of a type as docs/events.md writes it; a column gives what one entry holds.
    fn example(of: &str) -> Value {
        let of = of.trim_start_matches("Vec<").trim_start_matches("Option<");
        match of.trim_end_matches('>') {
            "Rao" | "Alpha" => json!(AMOUNT),
            "AccountId" => json!(AccountId([7; 32])),
            "NetUid" => json!(3),
            "Hash32" => json!("ab".repeat(32)),
            "bool" => json!(true),
            "String" | "Parameter" | "Leak" | "Via" | "Cause" => json!("text"),
            of if of.starts_with('u') || of.starts_with('i') => json!(1),
            _ => json!([[1, 2]]),
        }
    }

    #[test]
    fn every_kind_has_a_readable_line() {
        let page = include_str!("../../../docs/events.md");
        let names = Names::default();
        for kind in Event::kinds().iter().copied() {
            let row = page.lines().find(|row| row.starts_with(&format!("| `{kind}` |")));
            let cell =
                row.and_then(|row| row.split(" | ").nth(2)).expect("the page has every kind");
            let mut fields = Map::new();
            for field in cell.split('`').filter_map(|field| field.split_once(": ")) {
                let name = if field.0 == "netuids" { "netuid" } else { field.0 };
                fields.insert(name.to_owned(), example(field.1));
            }
            let line = fact_line(&names, &Fact { kind, fields });
            assert!(!line.is_empty() && !line.contains('?'), "{kind}: {line}");
            assert!(!line.contains(&AMOUNT.to_string()), "{kind}: {line}");
            assert!(!line.contains(&AccountId([7; 32]).to_ss58()), "{kind}: {line}");
            assert!(!line.contains('\n'), "{kind}: {line}");
        }
    }

    #[test]
    fn sentences_name_amounts_subnets_and_accounts() {
        let names = Names::default();
        let (coldkey, hotkey) = (AccountId([1; 32]), AccountId([2; 32]));
        let fields = json!({"coldkey": coldkey, "hotkey": hotkey, "netuid": 3,
                            "tao": 12_500_000_000u64, "alpha": 377_100_000_000u64, "fee": 6_000});
        let Value::Object(fields) = fields else { panic!("it is an object") };
        let line = fact_line(&names, &Fact { kind: "stake_added", fields: fields.clone() });
        let expected = format!(
            "staked 12.5 τ → 377.1 α on SN3 by {} via {}, fee 0.000006 τ",
            names.account(&coldkey),
            names.account(&hotkey)
        );
        assert_eq!(line, expected);
        let line = fact_line(&names, &Fact { kind: "stake_removed", fields });
        assert!(line.ends_with("fee 0.000006 α"), "{line}");
        let Value::Object(fields) = json!({"netuid": 1, "name": "min_burn", "value": 5_000_000})
        else {
            panic!("it is an object")
        };
        let line = fact_line(&names, &Fact { kind: "parameter_set", fields });
        assert_eq!(line, "min_burn of SN1 set to 0.005 τ");
    }

    #[test]
    fn a_failed_call_says_why() {
        let Value::Object(arguments) = json!({"netuid": 1, "amount_staked": 2_000_000_000u64})
        else {
            panic!("it is an object")
        };
        let Value::Object(fields) = json!({"signer": "root"}) else { panic!("it is an object") };
        let call = CallFact {
            player: PlayerId(1),
            name: Some("add_stake"),
            outcome: "failed",
            reason: "SlippageTooHigh",
            sentence: "The price limit would be passed.".to_owned(),
            fields,
            arguments,
        };
        let line = call_line(&Names::default(), &call);
        assert!(line.starts_with("failed  add_stake by root: "), "{line}");
        assert!(line.contains("netuid SN1") && line.contains("amount_staked 2 τ"), "{line}");
        assert!(line.ends_with("SlippageTooHigh (the price limit would be passed)"), "{line}");
    }

    #[test]
    fn the_clock_counts_days() {
        let rows = [(0, "+00:00:00"), (44_400_000, "+12:20:00"), (90_061_000, "+1d 01:01:01")];
        for (time_ms, text) in rows {
            assert_eq!(clock(time_ms), text);
        }
    }
}
