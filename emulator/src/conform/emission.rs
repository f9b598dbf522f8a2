//! Cases of emission: shares from flow averages, the averages, the issuance curve, moving prices, and
//! the terms of the pool injection.

use protocol::issuance::{SUPPLY_MAX_RAO, block_emission};
use protocol::pool::Pool;
use protocol::{emission, taoflow};
use serde::Deserialize;
use serde_json::{Value, json};

use super::check_computed;
use super::raw::Raw;

/// Checks one case; what is returned are the reasons why it fails.
pub fn check(case: &Value) -> Vec<String> {
    match case.get("group").and_then(Value::as_str) {
        Some("shares") => check_computed(case, shares),
        Some("ema") => check_computed(case, ema),
        Some("block_emission") => check_computed(case, curve),
        Some("moving_price") => check_computed(case, moving_price),
        Some("terms") => check_computed(case, terms),
        group => vec![format!("group: unknown group {group:?}")],
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Shares {
    ema_flows_i64f64: Vec<Raw<i128>>,
    tao_flow_cutoff_i64f64: Raw<i128>,
    flow_norm_exponent_u64f64: Raw<u128>,
    block_emission_rao: u64,
}

fn shares(input: &Shares) -> Value {
    let averages: Vec<i128> = input.ema_flows_i64f64.iter().map(|average| average.0).collect();
    let cutoff = input.tao_flow_cutoff_i64f64.0;
    let shares = taoflow::flow_shares(&averages, cutoff, input.flow_norm_exponent_u64f64.0);
    let emission = |&share: &u128| Raw(taoflow::tao_emission(input.block_emission_rao, share));
    json!({
        "lower_limit_i64f64": Raw(taoflow::lower_limit(&averages, cutoff)),
        "tao_emission_u96f32": shares.iter().map(emission).collect::<Vec<_>>(),
        "shares_u64f64": shares.into_iter().map(Raw).collect::<Vec<_>>(),
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ema {
    smoothing_factor: u64,
    /// Block, rao in, rao out.
    steps_block_inflow_outflow: Vec<(u64, u64, u64)>,
}

/// The average is stepped once per block in which it is read; flow gathers until then.
fn ema(input: &Ema) -> Value {
    let (mut last, mut flow) = ((0, None), 0_i64);
    let mut averages = Vec::with_capacity(input.steps_block_inflow_outflow.len());
    for &(block, inflow, outflow) in &input.steps_block_inflow_outflow {
        flow = flow.saturating_add(inflow.cast_signed()).saturating_sub(outflow.cast_signed());
        if last.0 != block {
            let average = taoflow::ema_step(last.1, flow, input.smoothing_factor);
            last = (block, Some(average));
            flow = 0;
        }
        averages.push(Raw(last.1.unwrap_or(0)));
    }
    json!({ "ema_i64f64": averages })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Curve {
    #[serde(default)]
    issuance: Vec<u64>,
}

/// A case gives issuances, or nothing and expects every step of the curve.
fn curve(input: &Curve) -> Value {
    let emission: Vec<u64> = input.issuance.iter().map(|&rao| block_emission(rao)).collect();
    if emission.is_empty() {
        return json!({ "switches": curve_switches() });
    }
    json!({ "emission": emission })
}

/// The first issuance of each emission after the first, with the emission before and from it on,
/// found by bisection: the curve never rises.
fn curve_switches() -> Vec<(u64, u64, u64)> {
    let mut switches = Vec::new();
    let mut start = 0;
    while block_emission(start) != block_emission(SUPPLY_MAX_RAO) {
        let before = block_emission(start);
        let (mut same, mut other) = (start, SUPPLY_MAX_RAO);
        while other - same > 1 {
            let middle = same.midpoint(other);
            *(if block_emission(middle) == before { &mut same } else { &mut other }) = middle;
        }
        switches.push((other, before, block_emission(other)));
        start = other;
    }
    switches
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MovingPrice {
    subnet_moving_alpha_i96f32: Raw<i128>,
    ema_price_halving_blocks: u64,
    start_call_block: u64,
    /// Block, square-root price.
    steps: Vec<(u64, Raw<u128>)>,
}

fn moving_price(input: &MovingPrice) -> Value {
    let first_emission_block = input.start_call_block.saturating_add(1);
    let mut moving = 0;
    let mut step = |&(block, Raw(sqrt_price)): &(u64, Raw<u128>)| {
        let price = price_at(sqrt_price);
        moving = emission::moving_price_step(
            moving,
            price,
            input.subnet_moving_alpha_i96f32.0,
            block,
            first_emission_block,
            input.ema_price_halving_blocks,
        );
        (Raw(price), Raw(moving))
    };
    json!({ "steps": input.steps.iter().map(&mut step).collect::<Vec<_>>() })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Terms {
    total_issuance: u64,
    subnets: Vec<TermsSubnet>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TermsSubnet {
    netuid: u16,
    alpha_in: u64,
    alpha_out: u64,
    sqrt_price_u64f64: Raw<u128>,
    tao_emission_u96f32: Raw<u128>,
}

fn terms(input: &Terms) -> Value {
    let of_subnet = |subnet: &TermsSubnet| {
        let terms = emission::terms(
            subnet.tao_emission_u96f32.0,
            price_at(subnet.sqrt_price_u64f64.0),
            subnet.alpha_in.saturating_add(subnet.alpha_out),
            input.total_issuance,
        );
        json!({
            "netuid": subnet.netuid,
            "tao_in_u96f32": Raw(terms.tao_in),
            "alpha_in_u96f32": Raw(terms.alpha_in),
            "alpha_out_u96f32": Raw(terms.alpha_out),
            "excess_tao_u96f32": Raw(terms.excess_tao),
        })
    };
    json!({ "subnets": input.subnets.iter().map(of_subnet).collect::<Vec<_>>() })
}

/// The price (raw U96F32) of a pool that trades at a square-root price.
fn price_at(sqrt_price: u128) -> u128 {
    Pool { initialized: true, sqrt_price, ..Pool::default() }.price()
}
