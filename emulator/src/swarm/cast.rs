//! The players of a drawn scenario: an honest core on every subnet, and beside it groups of any behaviour that the
//! registry knows, with settings that the behaviour takes.
//!
//! What belongs here: who plays, how many, with what. What does not: what surrounds them (`draw`).

use super::fate::Fate;
use crate::scenario::amount::{Blocks, Tao};
use crate::scenario::document::{Group, Where};
use actors::registry::{Behaviour, BehaviourSettings, Role, Seats, behaviours};
use protocol::units::UNITS_PER_TOKEN;
use toml::{Table, Value};

/// The group of honest validators on every subnet.
pub const VALIDATORS: &str = "validators";
/// The group of honest miners on every subnet.
pub const MINERS: &str = "miners";

/// Words that settings choose from, by key. Whatever is not here keeps its default.
const WORDS: &[(&str, &[&str])] = &[
    ("commit", &["timelocked", "hash"]),
    ("copies", &["consensus", "validator", "blend"]),
    ("taste", &["inverse", "worst", "honest"]),
];

/// The groups, and how many neurons a subnet has at most at genesis.
#[derive(Clone, Debug)]
pub struct Neurons {
    /// The groups.
    pub groups: Vec<Group>,
    /// Neurons of a subnet at most, owner included.
    pub most: u64,
}

/// Draws who plays on these subnets.
pub fn cast(fate: &mut Fate, netuids: &[u16], unrest: u64) -> Neurons {
    let mut groups = Vec::new();
    owners(fate, netuids, &mut groups);
    let validators = fate.part_of(1, 4);
    groups.push(Group {
        count: validators,
        stake_ppm: 200_000,
        root_stake_ppm: 100_000,
        ..group(VALIDATORS, of(Role::Validator, "sampler"), fate, netuids)
    });
    let miners = fate.part_of(2, 5);
    groups
        .push(Group { count: miners, ..group(MINERS, of(Role::Miner, "quality"), fate, netuids) });
    for (role, most) in [(Role::Validator, 3), (Role::Miner, 3), (Role::Staker, 5)] {
        for number in 0..fate.below(most) {
            let name = format!("{}-{number}", role.name());
            let drawn = drawn_group(fate, &name, role, netuids, unrest);
            groups.push(drawn);
        }
    }
    if fate.chance(2) {
        let drawn = drawn_group(fate, "customer", Role::Customer, netuids, unrest);
        groups.push(drawn);
    }
    if fate.chance(2) {
        let wanderers = behaviours().iter().filter(|it| it.role == Role::Owner && is_outside(it));
        let wanderers: Vec<&Behaviour> = wanderers.collect();
        let wanderer = *fate.of(&wanderers);
        let mut outside = group("newcomers", wanderer, fate, netuids);
        outside.count = fate.part_of(1, 3);
        outside.balance = Tao(fate.between(20, 500) * UNITS_PER_TOKEN);
        groups.push(outside);
    }
    let seated = groups.iter().filter(|group| is_seated(group));
    let most = 1 + seated.map(|group| u64::from(group.count)).sum::<u64>();
    Neurons { groups, most }
}

/// Miners that come from outside and take whatever place is to be had, as often as they lose one: on full subnets each
/// of them replaces somebody.
pub fn crowd(fate: &mut Fate, netuids: &[u16]) -> Group {
    let mut crowd = group("crowd", of(Role::Miner, "worker"), fate, netuids);
    crowd.count = fate.part_of(3, 9);
    crowd.balance = Tao(500 * UNITS_PER_TOKEN);
    let truths = ["starts_outside", "roams"].map(|key| (key, Value::Boolean(true)));
    // It looks often, works for next to nothing and hopes for ten years.
    let numbers = [("interval_blocks", 3), ("cost_rao", 1), ("horizon_days", 3_650)];
    let numbers = numbers.map(|(key, number)| (key, Value::Integer(number)));
    crowd.settings = truths.into_iter().chain(numbers).map(|(k, v)| (k.to_owned(), v)).collect();
    crowd
}

/// Whether each of a group's players has a neuron on a subnet at genesis.
fn is_seated(group: &Group) -> bool {
    let role = matches!(group.role, Role::Validator | Role::Miner);
    let defaults = BehaviourSettings::defaults(group.role, &group.behaviour);
    let read = defaults.ok().and_then(|it| it.read(Value::Table(group.settings.clone())).ok());
    role && read.is_some_and(|settings| settings.seats() == Seats::EachSubnet)
}

fn of(role: Role, name: &str) -> &'static Behaviour {
    let found = behaviours().iter().find(|it| it.role == role && it.name == name);
    found.expect("the core of every scenario is in the registry")
}

fn is_outside(behaviour: &Behaviour) -> bool {
    let defaults = BehaviourSettings::defaults(behaviour.role, behaviour.name);
    defaults.is_ok_and(|settings| settings.seats() == Seats::Nowhere)
}

/// An owner for each subnet; now and then one for several.
fn owners(fate: &mut Fate, netuids: &[u16], groups: &mut Vec<Group>) {
    let mut left = netuids;
    if netuids.len() > 1 && fate.chance(4) {
        let (several, others) = netuids.split_at(2);
        let house = group("house", of(Role::Owner, "multi"), fate, several);
        groups.push(Group { stake_ppm: fate.part(150_000), ..house });
        left = others;
    }
    let seated = |it: &&Behaviour| it.role == Role::Owner && it.name != "multi" && !is_outside(it);
    let owners: Vec<&Behaviour> = behaviours().iter().filter(seated).collect();
    for netuid in left {
        let behaviour = *fate.of(&owners);
        let owner = group(&format!("owner-{netuid}"), behaviour, fate, &[*netuid]);
        groups.push(Group { stake_ppm: fate.part(150_000), ..owner });
    }
}

/// A group of any behaviour of a role.
fn drawn_group(fate: &mut Fate, name: &str, role: Role, netuids: &[u16], unrest: u64) -> Group {
    let known: Vec<&Behaviour> = behaviours().iter().filter(|it| it.role == role).collect();
    let behaviour = *fate.of(&known);
    let mut drawn = group(name, behaviour, fate, netuids);
    drawn.count = fate.part_of(1, 4);
    let holds = match role {
        Role::Staker => true,
        Role::Validator | Role::Miner => is_seated(&drawn),
        Role::Owner | Role::Customer => false,
    };
    if holds {
        drawn.stake_ppm = fate.part(80_000);
    }
    if role == Role::Staker {
        drawn.root_stake_ppm = fate.part_of(0, 50_000);
    }
    if fate.chance(4) && unrest > 0 {
        let first = fate.below(unrest);
        drawn.arrives = Some([Blocks(first), Blocks(fate.between(first, unrest))]);
    }
    if fate.chance(3) {
        drawn.spread_ppm = fate.part_of(0, 2_000_000);
    }
    drawn
}

fn group(name: &str, behaviour: &Behaviour, fate: &mut Fate, netuids: &[u16]) -> Group {
    Group {
        name: name.to_owned(),
        role: behaviour.role,
        behaviour: behaviour.name.to_owned(),
        count: 1,
        subnets: Where::These(netuids.to_vec()),
        balance: Tao(fate.between(1, 300) * UNITS_PER_TOKEN),
        stake_ppm: 0,
        root_stake_ppm: 0,
        positions: 3,
        spread_ppm: 0,
        takes: None,
        ranks: Vec::new(),
        arrives: None,
        settings: match name {
            // The core acts by its defaults, so that it is known what it should do.
            VALIDATORS | MINERS => Table::new(),
            _ => settings(fate, behaviour, netuids),
        },
    }
}

/// Settings of a behaviour: its defaults with some of them changed, each change one that the behaviour takes.
fn settings(fate: &mut Fate, behaviour: &Behaviour, netuids: &[u16]) -> Table {
    let defaults = BehaviourSettings::defaults(behaviour.role, behaviour.name);
    let defaults = defaults.expect("it is in the registry");
    let mut table = Table::try_from(&defaults).expect("settings are plain data");
    let mut paths = Vec::new();
    leaves(&table, &mut Vec::new(), &mut paths);
    for path in paths {
        let Some(before) = at(&mut table, &path).cloned() else { continue };
        let Some(after) = changed(fate, path.last().map_or("", String::as_str), &before, netuids)
        else {
            continue;
        };
        *at(&mut table, &path).expect("it was there") = after;
        let read = defaults.read(Value::Table(table.clone()));
        if !read.is_ok_and(|settings| settings.check().is_ok()) {
            *at(&mut table, &path).expect("it was there") = before;
        }
    }
    table
}

fn leaves(table: &Table, above: &mut Vec<String>, paths: &mut Vec<Vec<String>>) {
    for (key, value) in table {
        above.push(key.clone());
        match value {
            Value::Table(below) => leaves(below, above, paths),
            _ => paths.push(above.clone()),
        }
        above.pop();
    }
}

fn at<'a>(table: &'a mut Table, path: &[String]) -> Option<&'a mut Value> {
    let (first, rest) = path.split_first()?;
    let value = table.get_mut(first)?;
    match (rest, value) {
        ([], value) => Some(value),
        (rest, Value::Table(below)) => at(below, rest),
        _ => None,
    }
}

/// What a setting becomes, if it is changed at all. Times are cut to the length of such a run.
fn changed(fate: &mut Fate, key: &str, before: &Value, netuids: &[u16]) -> Option<Value> {
    let integer = |number: u64| Some(Value::Integer(number as i64));
    match (key, before) {
        ("interval_blocks", _) => integer(fate.between(2, 25)),
        ("netuid", _) => integer(u64::from(*fate.of(netuids))),
        ("netuids", _) if fate.chance(2) => {
            Some(Value::Array(vec![Value::Integer(i64::from(*fate.of(netuids)))]))
        }
        ("miners_group", _) => Some(Value::String(MINERS.to_owned())),
        (_, Value::String(_)) => {
            let (_, words) = WORDS.iter().find(|(known, _)| *known == key)?;
            Some(Value::String((*fate.of(words)).to_owned()))
        }
        (_, Value::Boolean(before)) => fate.chance(4).then_some(Value::Boolean(!before)),
        (_, Value::Integer(before)) => {
            let before = u64::try_from(*before).unwrap_or(0);
            if key.ends_with("_blocks") && before > 30 {
                return integer(fate.between(1, 60));
            }
            if !fate.chance(4) {
                return None;
            }
            if key.ends_with("_ppm") {
                return integer(fate.between(0, 1_000_000));
            }
            let after = match fate.below(4) {
                0 => 0,
                1 => 1,
                2 => before / 2,
                _ => before.saturating_mul(2).min(i64::MAX as u64),
            };
            integer(after)
        }
        _ => None,
    }
}
