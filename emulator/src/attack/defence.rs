//! Defences: named switches of a scenario, so that an attack can be compared under each of their values.
//!
//! What belongs here: what each value sets, and doing so everywhere in a scenario, entries of single subnets and the
//! players that must follow the protocol included. What does not: what comes of it (`outcome`).

use crate::likeness::meant;
use crate::scenario::Scenario;
use crate::scenario::document::{Document, Group};
use crate::scenario::error::ScenarioError;
use actors::registry::Role;
use protocol::rules::RuleVersion;
use toml::Value;

/// The largest value of a hyperparameter that is a share.
const WHOLE: f64 = 65_535.0;
/// Blocks that a defence takes at most: hyperparameters of blocks are 16 bits wide.
const BLOCKS_MAX: u64 = 65_535;

/// A switch.
#[derive(Clone, Copy, Debug)]
pub struct Defence {
    /// Its name.
    pub name: &'static str,
    /// The values it takes, in words.
    pub values: &'static str,
    /// What it is.
    pub about: &'static str,
    read: fn(&str) -> Option<Vec<Edit>>,
}

/// One thing that a value sets.
#[derive(Clone, Debug, PartialEq)]
enum Edit {
    /// A hyperparameter of all subnets.
    Hyperparameter(&'static str, Value),
    /// A parameter of the network.
    Rule(&'static str, Value),
    /// The rules in force.
    Version(RuleVersion),
    /// How validators commit.
    Commit(&'static str),
}

/// A defence with one of its values.
#[derive(Clone, Debug, PartialEq)]
pub struct Chosen {
    /// The defence's name.
    pub name: &'static str,
    /// Its value as typed.
    pub value: String,
    edits: Vec<Edit>,
}

/// All defences.
pub const DEFENCES: &[Defence] = &[
    Defence {
        name: "commit-reveal",
        values: "off, hash, timelocked",
        about: "whether weights are committed before they are seen, and how",
        read: |value| match value {
            "off" => Some(vec![flag("commit_reveal", false)]),
            "hash" => Some(vec![flag("commit_reveal", true), Edit::Commit("hash")]),
            "timelocked" => Some(vec![flag("commit_reveal", true), Edit::Commit("timelocked")]),
            _ => None,
        },
    },
    Defence {
        name: "reveal-period",
        values: "1 to 100 epochs",
        about: "commit-reveal on, rows opened so many epochs after their commit",
        read: |value| {
            let epochs = whole(value, 1, 100)?;
            Some(vec![flag("commit_reveal", true), number("reveal_period", epochs)])
        },
    },
    Defence {
        name: "yuma",
        values: "legacy, yuma3, liquid-alpha",
        about: "which bonds an epoch computes; liquid-alpha is yuma3 with averages that follow consensus",
        read: |value| {
            let (yuma3, liquid) = match value {
                "legacy" => (false, false),
                "yuma3" => (true, false),
                "liquid-alpha" => (true, true),
                _ => return None,
            };
            Some(vec![flag("yuma3", yuma3), flag("liquid_alpha", liquid)])
        },
    },
    Defence {
        name: "kappa",
        values: "a share, 0 to 1",
        about: "the part of the stake that carries a weight",
        read: |value| Some(vec![number("kappa", share(value)?)]),
    },
    Defence {
        name: "bonds-penalty",
        values: "a share, 0 to 1",
        about: "how far bonds follow clipped weights instead of those that were set",
        read: |value| Some(vec![number("bonds_penalty", share(value)?)]),
    },
    Defence {
        name: "rules",
        values: "price, taoflow",
        about: "what subnets' shares of emission follow",
        read: |value| match value {
            "price" => Some(vec![Edit::Version(RuleVersion::Price)]),
            "taoflow" => Some(vec![Edit::Version(RuleVersion::Taoflow)]),
            _ => None,
        },
    },
    Defence {
        name: "immunity",
        values: "blocks, up to 65535",
        about: "for how long a new neuron is spared",
        read: |value| Some(vec![number("immunity_period", whole(value, 0, BLOCKS_MAX)?)]),
    },
    Defence {
        name: "network-immunity",
        values: "blocks",
        about: "for how long a new subnet is spared",
        read: |value| {
            let blocks = whole(value, 0, i64::MAX.unsigned_abs())?;
            Some(vec![Edit::Rule("network_immunity_period", Value::Integer(blocks))])
        },
    },
    Defence {
        name: "weights-rate-limit",
        values: "blocks, up to 65535",
        about: "between two rows of a validator, at least",
        read: |value| Some(vec![number("weights_set_rate_limit", whole(value, 0, BLOCKS_MAX)?)]),
    },
];

const fn flag(name: &'static str, value: bool) -> Edit {
    Edit::Hyperparameter(name, Value::Boolean(value))
}

const fn number(name: &'static str, value: i64) -> Edit {
    Edit::Hyperparameter(name, Value::Integer(value))
}

fn whole(text: &str, least: u64, most: u64) -> Option<i64> {
    let number: u64 = text.parse().ok()?;
    let number = (least..=most).contains(&number).then_some(number)?;
    i64::try_from(number).ok()
}

/// A share of one as parts of 65,535, rounded down.
fn share(text: &str) -> Option<i64> {
    let share: f64 = text.parse().ok()?;
    (0.0..=1.0).contains(&share).then(|| (share * WHOLE).floor() as i64)
}

/// Reads `NAME=V,V…`.
///
/// # Errors
/// There is no such defence, or it does not take such a value: a sentence, and what may have been meant.
pub fn read(text: &str) -> Result<Vec<Chosen>, (String, String)> {
    let (name, values) = text.split_once('=').ok_or_else(|| {
        let hint = "write --defence commit-reveal=off,hash".to_owned();
        (format!("--defence {text}: there is no = in it"), hint)
    })?;
    let defence = DEFENCES.iter().find(|defence| defence.name == name.trim()).ok_or_else(|| {
        let names: Vec<&str> = DEFENCES.iter().map(|defence| defence.name).collect();
        (format!("--defence {text}: there is no defence {name:?}"), meant(name, &names))
    })?;
    let chosen = values.split(',').map(str::trim).map(|value| {
        let edits = (defence.read)(value).ok_or_else(|| {
            let what = format!("--defence {text}: {value:?} is no value of {}", defence.name);
            (what, format!("it takes {}", defence.values))
        })?;
        Ok(Chosen { name: defence.name, value: value.to_owned(), edits })
    });
    chosen.collect()
}

impl Chosen {
    /// What it sets, as paths of `--set`.
    pub fn sets(&self) -> Vec<String> {
        self.edits.iter().map(Edit::tell).collect()
    }

    /// The scenario under it.
    ///
    /// # Errors
    /// A behaviour or setting of the scenario is unknown.
    pub fn apply(&self, scenario: &Scenario) -> Result<Scenario, ScenarioError> {
        scenario.revised(|document| {
            self.edits.iter().for_each(|edit| edit.apply(document));
            Ok(())
        })
    }
}

impl Edit {
    fn tell(&self) -> String {
        match self {
            Self::Hyperparameter(name, value) => format!("hyperparameters.{name}={value}"),
            Self::Rule(name, value) => format!("rules.{name}={value}"),
            Self::Version(version) => format!("rules.version={}", version.name()),
            Self::Commit(kind) => format!("players.*.commit={kind:?}"),
        }
    }

    fn apply(&self, document: &mut Document) {
        match self {
            Self::Hyperparameter(name, value) => {
                // What a single subnet says goes before what all say.
                for subnet in &mut document.subnet {
                    subnet.hyperparameters.remove(*name);
                }
                document.hyperparameters.insert((*name).to_owned(), value.clone());
            }
            Self::Rule(name, value) => {
                document.rules.parameters.insert((*name).to_owned(), value.clone());
            }
            Self::Version(version) => document.rules.version = *version,
            Self::Commit(kind) => {
                document.players.iter_mut().for_each(|group| commit(group, kind));
            }
        }
    }
}

/// Lets whoever sets weights commit that way.
fn commit(group: &mut Group, kind: &str) {
    let value = Value::String(kind.to_owned());
    let settings = &mut group.settings;
    if let Some(sampling) = settings.get_mut("sampling").and_then(Value::as_table_mut) {
        sampling.insert("commit".to_owned(), value);
    } else if group.role == Role::Validator && settings.contains_key("commit") {
        settings.insert("commit".to_owned(), value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{read_under, shipped_text};
    use std::path::Path;

    #[test]
    fn values_are_read_and_wrong_ones_say_what_is_meant() {
        type Row = (&'static str, Result<&'static str, (&'static str, &'static str)>);
        let rows: &[Row] = &[
            ("commit-reveal=off", Ok("hyperparameters.commit_reveal=false")),
            ("commit-reveal=hash", Ok("players.*.commit=\"hash\"")),
            ("reveal-period=3", Ok("hyperparameters.reveal_period=3")),
            ("yuma=liquid-alpha", Ok("hyperparameters.liquid_alpha=true")),
            ("kappa=0.5", Ok("hyperparameters.kappa=32767")),
            ("bonds-penalty=1", Ok("hyperparameters.bonds_penalty=65535")),
            ("rules=price", Ok("rules.version=price")),
            ("immunity=0", Ok("hyperparameters.immunity_period=0")),
            ("network-immunity=5", Ok("rules.network_immunity_period=5")),
            ("weights-rate-limit=100", Ok("hyperparameters.weights_set_rate_limit=100")),
            ("comit-reveal=off", Err(("no defence", "\"commit-reveal\""))),
            ("commit-reveal", Err(("no = in it", "write --defence"))),
            ("commit-reveal=on", Err(("no value", "off, hash, timelocked"))),
            ("kappa=1.5", Err(("no value", "0 to 1"))),
            ("kappa=nan", Err(("no value", "0 to 1"))),
            ("reveal-period=0", Err(("no value", "1 to 100"))),
            ("immunity=70000", Err(("no value", "65535"))),
        ];
        for (text, expected) in rows {
            match (read(text), expected) {
                (Ok(chosen), Ok(set)) => {
                    assert!(chosen[0].sets().iter().any(|told| told == set), "{text}: {chosen:?}");
                }
                (Err((what, hint)), Err((sentence, remedy))) => {
                    assert!(what.contains(sentence), "{text}: {what}");
                    assert!(hint.contains(remedy), "{text}: {hint}");
                }
                (read, _) => panic!("{text}: {read:?}"),
            }
        }
        assert_eq!(read("rules=price, taoflow").expect("both").len(), 2);
    }

    #[test]
    fn a_defence_reaches_single_subnets_and_players() {
        let text = shipped_text("configs/attacks/weight-copier.toml").expect("it ships");
        let text = text.replacen("[[subnet]]", "[[subnet]]\ncommit_reveal = false", 1);
        let scenario = read_under(Path::new("x.toml"), &text, &[]).expect("valid");
        let chosen = read("commit-reveal=hash").expect("it is one").remove(0);
        let defended = chosen.apply(&scenario).expect("valid");
        let plan = defended.plan().expect("valid");
        let mut networks = plan.genesis.networks().filter(|(netuid, _)| !netuid.is_root());
        assert!(networks.all(|(_, subnet)| subnet.params.commit_reveal));
        let document = defended.written_out().expect("valid");
        for group in document.players.iter().filter(|group| group.role == Role::Validator) {
            let sampling = group.settings.get("sampling").and_then(Value::as_table);
            let commit = sampling.unwrap_or(&group.settings).get("commit");
            assert_eq!(commit.and_then(Value::as_str), Some("hash"), "{}", group.name);
        }
    }
}
