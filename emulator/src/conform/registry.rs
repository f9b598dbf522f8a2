//! Cases of registration: the lock of a new subnet, burn and difficulty, who makes room, and the epoch
//! calendar.

use protocol::issuance::block_emission;
use protocol::registration_math::{
    Adjustment, Bounds, Demand, Lock, Neurons, PruneSubnet, adjusted, adjustment,
    blocks_until_epoch, effective_interval, immortal_uids, lock_cost, prune_neuron, prune_subnet,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::check_computed;
use super::raw::Raw;

/// Checks one case; what is returned are the reasons why it fails.
pub fn check(case: &Value) -> Vec<String> {
    match case.get("group").and_then(Value::as_str) {
        Some("lock_cost") => {
            check_computed(case, |input: &Cases<_>| json!({ "cases": input.each(lock) }))
        }
        Some("lock_timeline") => check_computed(case, lock_timeline),
        Some("burn_adjust") => {
            check_computed(case, |input: &Cases<_>| json!({ "cases": input.each(adjust) }))
        }
        Some("prune_neuron") => {
            check_computed(case, |input: &Cases<_>| json!({ "uid": input.each(neuron) }))
        }
        Some("prune_subnet") => {
            check_computed(case, |input: &Cases<_>| json!({ "netuid": input.each(subnet) }))
        }
        Some("epoch_schedule") => {
            check_computed(case, |input: &Cases<_>| json!({ "blocks": input.each(schedule) }))
        }
        group => vec![format!("group: unknown group {group:?}")],
    }
}

/// An input that is a list of questions of one kind.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cases<Question> {
    cases: Vec<Question>,
}

impl<Question> Cases<Question> {
    fn each<Answer>(&self, answer: impl Fn(&Question) -> Answer) -> Vec<Answer> {
        self.cases.iter().map(answer).collect()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LockCost {
    block: u64,
    last_lock: u64,
    last_lock_block: u64,
    lock_reduction_interval: u64,
    min_lock: u64,
    total_issuance: u64,
}

fn lock(input: &LockCost) -> Value {
    let block_emission = block_emission(input.total_issuance);
    let cost = lock_cost(&Lock {
        last_cost: input.last_lock,
        last_block: input.last_lock_block,
        block: input.block,
        reduction_interval: input.lock_reduction_interval,
        cost_min: input.min_lock,
        block_emission,
    });
    let interval = effective_interval(input.lock_reduction_interval, block_emission);
    json!({ "lock_cost": cost, "effective_interval": interval })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LockTimeline {
    initial_last_lock: u64,
    lock_reduction_interval: u64,
    min_lock: u64,
    total_issuance: u64,
    /// Block, and whether a subnet is registered there at the cost just read.
    steps: Vec<(u64, bool)>,
}

fn lock_timeline(input: &LockTimeline) -> Value {
    let mut lock = Lock {
        last_cost: input.initial_last_lock,
        last_block: 0,
        block: 0,
        reduction_interval: input.lock_reduction_interval,
        cost_min: input.min_lock,
        block_emission: block_emission(input.total_issuance),
    };
    let mut costs = Vec::with_capacity(input.steps.len());
    for &(block, registers) in &input.steps {
        lock.block = block;
        let cost = lock_cost(&lock);
        costs.push(cost);
        if registers {
            (lock.last_cost, lock.last_block) = (cost, block);
        }
    }
    json!({ "cost": costs })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Interval {
    block: u64,
    last_adjustment_block: u64,
    interval: u64,
    adjustment_alpha: u64,
    target: u16,
    regs: u16,
    burn_regs: u16,
    pow_regs: u16,
    burn: u64,
    min_burn: u64,
    max_burn: u64,
    difficulty: u64,
    min_difficulty: u64,
    max_difficulty: u64,
}

/// The counter of the block is cleared in every block, the others when the interval is over.
fn adjust(input: &Interval) -> Value {
    if input.block.saturating_sub(input.last_adjustment_block) < input.interval {
        return json!({
            "burn": input.burn,
            "difficulty": input.difficulty,
            "last_adjustment_block": input.last_adjustment_block,
            "regs_this_interval": input.regs,
            "regs_this_block": 0,
        });
    }
    let demand = Demand { registrations: input.regs, target: input.target };
    let (by_work, by_burn) = (input.pow_regs, input.burn_regs);
    let change = adjustment(demand, by_work, by_burn);
    let (mut burn, mut difficulty) = (input.burn, input.difficulty);
    if matches!(change, Adjustment::Burn | Adjustment::Both) {
        let bounds = Bounds { min: input.min_burn, max: input.max_burn };
        burn = adjusted(burn, bounds, input.adjustment_alpha, demand);
    }
    if matches!(change, Adjustment::Difficulty | Adjustment::Both) {
        let bounds = Bounds { min: input.min_difficulty, max: input.max_difficulty };
        difficulty = adjusted(difficulty, bounds, input.adjustment_alpha, demand);
    }
    json!({
        "burn": burn,
        "difficulty": difficulty,
        "last_adjustment_block": input.block,
        "regs_this_interval": 0,
        "regs_this_block": 0,
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Crowd {
    n: u16,
    block: u64,
    immunity_period: u64,
    min_non_immune_uids: u16,
    immune_owner_uids_limit: u16,
    owner_hotkey_uid: Option<u16>,
    uids_owned_by_subnet_owner_coldkey: Vec<u16>,
    emission: Vec<u64>,
    registered_at: Vec<u64>,
}

fn neuron(input: &Crowd) -> Option<u16> {
    let registered_at = |uid: u16| input.registered_at.get(usize::from(uid)).copied().unwrap_or(0);
    let owned = input.uids_owned_by_subnet_owner_coldkey.iter();
    let owned: Vec<(u64, u16)> = owned.map(|&uid| (registered_at(uid), uid)).collect();
    prune_neuron(&Neurons {
        emission: &input.emission,
        registered_at: &(0..input.n).map(registered_at).collect::<Vec<_>>(),
        immortal: &immortal_uids(&owned, input.owner_hotkey_uid, input.immune_owner_uids_limit),
        block: input.block,
        immunity_period: input.immunity_period,
        non_immune_min: input.min_non_immune_uids,
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Subnets {
    block: u64,
    network_immunity_period: u64,
    /// Netuid, block of registration, moving price.
    subnets: Vec<(u16, u64, Raw<i128>)>,
}

fn subnet(input: &Subnets) -> Option<u16> {
    let of_subnet = |&(netuid, registered_at, Raw(moving_price_raw)): &(u16, u64, Raw<i128>)| {
        PruneSubnet { netuid, registered_at, moving_price_raw }
    };
    let subnets: Vec<PruneSubnet> = input.subnets.iter().map(of_subnet).collect();
    prune_subnet(&subnets, input.block, input.network_immunity_period)
}

/// The question is netuid, tempo and block.
fn schedule(&(netuid, tempo, block): &(u16, u16, u64)) -> u64 {
    blocks_until_epoch(netuid, tempo, block)
}
