//! What attackers are where they are honest: the same group, with its honest counterpart's behaviour and the same
//! settings where both have them. Names, counts, places and holdings stay, so ids, accounts and dice do.
//!
//! What belongs here: a function per kind of counterpart, of groups with every setting written out. What does not: which
//! attack has which (`catalogue`).

use super::adversary::Adversary;
use crate::scenario::Scenario;
use crate::scenario::document::Group;
use crate::scenario::error::ScenarioError;
use toml::{Table, Value};

/// Blocks after which an honest whale sells: later than any run ends.
const NEVER: i64 = 1_000_000_000_000;
/// How often an honest newcomer looks for a place, at least: attackers look far more often than a worker does.
const NEWCOMER_INTERVAL: i64 = 60;
/// What an honest newcomer's work costs a day, in rao: little, so that it comes as soon as there is something to earn.
const NEWCOMER_COST: i64 = 1_000_000;

/// A whole, in millionths.
const PPM_WHOLE: u128 = 1_000_000;

/// The scenario with all groups honest that make an attack.
///
/// # Errors
/// A behaviour or setting is unknown.
pub fn honest(scenario: &Scenario, adversary: &Adversary) -> Result<Scenario, ScenarioError> {
    scenario.revised(|document| {
        let attackers = document.players.iter_mut().filter(|group| attacks(group, adversary));
        attackers.for_each(adversary.reform);
        Ok(())
    })
}

/// Whether a group makes an attack.
pub fn attacks(group: &Group, adversary: &Adversary) -> bool {
    group.role == adversary.role && group.behaviour == adversary.behaviour
}

/// Becomes another behaviour with these settings.
fn recast(group: &mut Group, behaviour: &str, settings: Table) {
    behaviour.clone_into(&mut group.behaviour);
    group.settings = settings;
}

/// The settings that an adversary keeps of another behaviour.
fn nested(group: &Group, key: &str) -> Table {
    group.settings.get(key).and_then(Value::as_table).cloned().unwrap_or_default()
}

/// Those of a group's settings that have one of these names.
fn shared(group: &Group, keys: &[&str]) -> Table {
    let own = group.settings.iter().filter(|(key, _)| keys.contains(&key.as_str()));
    own.map(|(key, value)| (key.clone(), value.clone())).collect()
}

fn set(settings: &mut Table, key: &str, value: impl Into<Value>) {
    settings.insert(key.to_owned(), value.into());
}

/// A validator that asks, scores and sets weights as it would.
pub fn sampler(group: &mut Group) {
    let settings = nested(group, "sampling");
    recast(group, "sampler", settings);
}

/// A miner with answers of its own.
pub fn quality(group: &mut Group) {
    let settings = nested(group, "answers");
    recast(group, "quality", settings);
}

/// A newcomer that works for what it gets, where it finds a place.
pub fn worker(group: &mut Group) {
    let shared_answers = ["mean_ppm", "spread_ppm", "noise_ppm", "work_ms_min", "work_ms_max"];
    let mut settings = nested(group, "answers");
    settings.retain(|key, _| shared_answers.contains(&key));
    settings.extend(shared(group, &["reserve_rao"]));
    set(&mut settings, "starts_outside", true);
    set(&mut settings, "roams", true);
    set(&mut settings, "interval_blocks", NEWCOMER_INTERVAL);
    set(&mut settings, "cost_rao", NEWCOMER_COST);
    recast(group, "worker", settings);
}

/// One place for each, with answers of its own.
pub fn single_miner(group: &mut Group) {
    match group.settings.get("starts_outside").and_then(Value::as_bool) {
        Some(true) => worker(group),
        _ => quality(group),
    }
}

/// An owner that holds.
pub fn hold(group: &mut Group) {
    let settings = nested(group, "holding");
    recast(group, "hold", settings);
}

/// Somebody who would have a subnet for nothing.
pub fn poor_entrant(group: &mut Group) {
    let mut settings = shared(group, &["interval_blocks", "reserve_rao"]);
    set(&mut settings, "price_min_rao", 0);
    set(&mut settings, "price_max_rao", 0);
    recast(group, "entrant", settings);
}

/// Somebody who puts the same money on the same subnet and stays.
pub fn concentrated(group: &mut Group) {
    let mut settings = shared(group, &["interval_blocks", "reserve_rao", "slippage_ppm"]);
    let netuid = group.settings.get("netuid").cloned().unwrap_or(Value::Integer(1));
    set(&mut settings, "netuids", vec![netuid]);
    set(&mut settings, "subnets_max", 1);
    recast(group, "concentrated", settings);
}

/// Somebody who holds what there is and never sells.
pub fn patient_whale(group: &mut Group) {
    let mut settings = shared(group, &["dump_ppm", "netuids"]);
    set(&mut settings, "dump_after_blocks", NEVER);
    recast(group, "dump-whale", settings);
}

/// Somebody who buys the same stock once, and holds it.
pub fn stockholder(group: &mut Group) {
    let mut settings = shared(group, &["reserve_rao", "slippage_ppm", "amount_rao"]);
    let number = |key: &str| group.settings.get(key).and_then(Value::as_integer).unwrap_or(0);
    let (amount, balance) = (u128::from(number("amount_rao").unsigned_abs()), group.balance.0);
    // A budget for one purchase, rounded up, and not for two.
    let budget = (amount * PPM_WHOLE).div_ceil(u128::from(balance).max(1)).min(PPM_WHOLE);
    let netuid = group.settings.get("netuid").cloned().unwrap_or(Value::Integer(1));
    set(&mut settings, "netuids", vec![netuid]);
    set(&mut settings, "interval_blocks", 1);
    set(&mut settings, "budget_ppm", i64::try_from(budget).expect("at most a whole"));
    recast(group, "averager", settings);
}

/// The same validators with a take of nothing and children that stay.
pub fn modest_child(group: &mut Group) {
    set(&mut group.settings, "take_high_ppm", 0);
    set(&mut group.settings, "take_low_ppm", 0);
    set(&mut group.settings, "moves_children", false);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attack::catalogue::ADVERSARIES;
    use crate::scenario::{read_under, shipped_text};
    use std::path::Path;

    #[test]
    fn every_attack_has_an_honest_twin_with_the_same_people_and_money() {
        for adversary in ADVERSARIES {
            let path = adversary.scenario();
            let text = shipped_text(&path).expect("it ships");
            let attack = read_under(Path::new(&path), text, &[]).expect("valid");
            let honest = honest(&attack, adversary).expect("it has a counterpart");
            let groups = honest.written_out().expect("valid").players;
            if adversary.counterpart != "itself, never selling"
                && !adversary.counterpart.starts_with("itself")
            {
                assert!(!groups.iter().any(|group| attacks(group, adversary)), "{path}");
            }
            let (mut one, mut other) =
                (attack.plan().expect("valid"), honest.plan().expect("valid"));
            assert_ne!(one.simulation_hash(), other.simulation_hash(), "{path}");
            let roots = (one.genesis.root(), other.genesis.root());
            assert_eq!(roots.0, roots.1, "{path}: genesis is the same");
            let who = |plan: &crate::plan::Plan| -> Vec<_> {
                plan.players.iter().map(|seat| seat.identity.clone()).collect()
            };
            assert_eq!(who(&one), who(&other), "{path}: everybody is who they were");
        }
    }
}
