//! TAO shares of the subnets: the flow average, the shares it gives, and the older shares by moving price.
//!
//! Not here: which subnets are eligible, and what happens to their TAO (`emission`). Averages are raw I64F64, shares
//! raw U64F64; slices are in ascending netuid, because the sums are taken in that order.

use alloc::vec::Vec;

use crate::fixed::{
    I32F32, I64F64, U64F64, U96F32, add, cast, checked_div, exp_each, fx, ln_each, mul, safe_div,
    sqrt_bisect, sub, u64_fraction,
};

/// Upper bound of the scaled flows, and the stand-in for a power that overflows: 2^31 - 1.
const POWER_MAX: u32 = (1 << 31) - 1;
/// Powers computed side by side.
const POWERS: usize = 8;

/// One step of the average of net TAO flow (raw I64F64 rao): (1 - a) * previous + a * flow, with a =
/// `smoothing_factor` / (2^63 - 1). A missing average counts as 0. One step per evaluated block, however many
/// blocks passed. Products floor, so a negative average creeps to one unit below zero and stays there.
///
/// Mirrors: `get_ema_flow`.
pub fn ema_step(previous_raw: Option<i128>, flow: i64, smoothing_factor: u64) -> i128 {
    let factor = safe_div::<I64F64>(fx(smoothing_factor), fx(i64::MAX));
    let previous = I64F64::from_bits(previous_raw.unwrap_or(0));
    let kept = mul(sub(fx(1_u8), factor), previous);
    add(kept, mul(factor, fx(flow))).to_bits()
}

/// The average at or below which a subnet gets nothing (raw I64F64): the lowest average if that is negative, but
/// never below `cutoff`. 0 without subnets.
///
/// Mirrors: `get_lower_limit`.
pub fn lower_limit(emas: &[i128], cutoff: i128) -> i128 {
    emas.iter().min().map_or(0, |&lowest| cutoff.max(lowest.min(0)))
}

/// Share of TAO emission per subnet (raw U64F64) from the flow averages: offset by the lower limit, scaled, raised to
/// `exponent_raw` (raw U64F64) through a fixed-point logarithm and exponential, and divided by their sum. Truncated;
/// the rest of the emission is never minted. The sum is near one, not one; all zero when no flow is above the limit.
///
/// Mirrors: `get_shares_flow`, with its quirks: even the first power is approximate, a scaled flow of 1 or 2 units of
/// 2^-32 counts as 0 and one of 3 units as 2^31 - 1.
pub fn flow_shares(emas: &[i128], cutoff_raw: i128, exponent_raw: u128) -> Vec<u128> {
    let mut flows = flow_shares_offset(emas, lower_limit(emas, cutoff_raw));
    let zero = U64F64::from_bits(0);

    let largest = flows.iter().copied().max().unwrap_or(zero);
    let scale = safe_div(fx(1_u8), largest);
    scale_by(&mut flows, scale);

    let largest = flows.iter().copied().max().unwrap_or(zero);
    let ceiling = mul(fx(flows.len() as u64), mul(largest, largest));
    let precision = u64_fraction::<U64F64>(u64::from(POWER_MAX));
    if ceiling < precision {
        return flows.iter().map(|flow| flow.to_bits()).collect();
    }
    let tolerance = safe_div(fx(1_u8), fx(1000_u16));
    let gain = sqrt_bisect(safe_div(fx(POWER_MAX), ceiling), tolerance);
    scale_by(&mut flows, gain);

    let exponent: I32F32 = cast(U64F64::from_bits(exponent_raw));
    let (groups, rest) = flows.as_chunks_mut::<POWERS>();
    groups.iter_mut().for_each(|group| *group = powers(*group, exponent));
    for flow in rest {
        [*flow] = powers([*flow], exponent);
    }
    let sum: U64F64 = flows.iter().sum();
    flows.iter().map(|&flow| nonzero_share(flow, sum)).collect()
}

fn flow_shares_offset(emas: &[i128], limit: i128) -> Vec<U64F64> {
    let limit = I64F64::from_bits(limit);
    let above = |&ema: &i128| {
        let ema = I64F64::from_bits(ema);
        if ema > limit { cast(sub(ema, limit)) } else { U64F64::from_bits(0) }
    };
    emas.iter().map(above).collect()
}

fn scale_by(flows: &mut [U64F64], scale: U64F64) {
    for flow in flows {
        if flow.to_bits() != 0 {
            *flow = mul(scale, *flow);
        }
    }
}

fn nonzero_share(part: U64F64, sum: U64F64) -> u128 {
    if part.to_bits() == 0 { 0 } else { safe_div(part, sum).to_bits() }
}

fn powers<const N: usize>(bases: [U64F64; N], exponent: I32F32) -> [U64F64; N] {
    let logarithms = ln_each(bases.map(cast));
    let exponents = logarithms.map(|logarithm| mul(exponent, logarithm.unwrap_or_default()));
    let mut results = exp_each(exponents).into_iter();
    logarithms.map(|logarithm| {
        let result = results.next().flatten().unwrap_or_else(|| fx(POWER_MAX));
        logarithm.map_or(U64F64::from_bits(0), |_| cast(result))
    })
}

/// Share of TAO emission per subnet (raw U64F64) in proportion to its moving price (raw U96F32), truncated. All zero
/// when the prices are.
///
/// Mirrors: `get_shares_price_ema`, in force before November 2025.
pub fn price_shares(moving_prices_u96f32: &[u128]) -> Vec<u128> {
    let prices: Vec<U64F64> =
        moving_prices_u96f32.iter().map(|&raw| cast(U96F32::from_bits(raw))).collect();
    let sum = prices.iter().fold(U64F64::from_bits(0), |sum, &price| add(sum, price));
    prices.iter().map(|&price| checked_div(price, sum).unwrap_or_default().to_bits()).collect()
}

/// A subnet's part (raw U96F32 rao) of the `block_emission` rao, floored.
///
/// Mirrors: `get_subnet_block_emissions`.
pub fn tao_emission(block_emission: u64, share_raw: u128) -> u128 {
    let emission: U96F32 = cast(mul::<U64F64>(fx(block_emission), U64F64::from_bits(share_raw)));
    emission.to_bits()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    const P1: u128 = 1 << 64;
    const P2: u128 = 2 << 64;
    const SMOOTHING: u64 = 29_597_889_189_277;

    fn check_shares(flows: &[i64], exponent: u128, expected: &[u128]) {
        let emas: Vec<i128> = flows.iter().map(|&z| i128::from(z) << 64).collect();
        assert_eq!(
            flow_shares(&emas, 0, exponent),
            expected,
            "{flows:?} to the power of raw {exponent}"
        );
    }

    #[test]
    fn shares_of_the_spec() {
        check_shares(
            &[2, 3, 5],
            P1,
            &[3689348856309305774, 5534023272915448844, 9223371944484796997],
        );
        check_shares(
            &[2, 3, 5],
            P2,
            &[1952625613669198264, 4382911628159849619, 12111206831880503732],
        );
        check_shares(&[1, 1], P1, &[9223372036854775808; 2]);
        check_shares(&[1, 1], P2, &[9223372036854775808; 2]);
        check_shares(&[1, 2], P1, &[6148914841635506689, 12297829232074044926]);
        check_shares(
            &[1_000_000_000, 5_000_000_000, 10_000_000_000],
            P1,
            &[1152921504626555764, 5764607602866197502, 11529214966216798349],
        );
        check_shares(&[7; 128], P1, &[144115188075855872; 128]);
        check_shares(&[0, 0], P1, &[0, 0]);
        check_shares(&[0, -5], P2, &[0, 0]);
        check_shares(&[], P1, &[]);
    }

    #[test]
    fn tiny_flows_vanish_or_explode() {
        let rows = [(0_u128, 0_u128), (1, 0), (2, 0), (3, 2147483647 << 64), (4, 1 << 34)];
        for (v32, expected) in rows {
            let [power] = powers([U64F64::from_bits(v32 << 32)], fx(1_u8));
            assert_eq!(power.to_bits(), expected, "raw {v32}");
        }
    }

    #[test]
    fn averages_of_the_spec() {
        let rows = [
            (None, 100_000_000, 5919577837855400000000),
            (Some(5919577837855400000000), 0, 5919558841873432445031),
            (Some(-1 << 64), -3, -18446862465266308724),
            (Some(-1), 0, -1),
        ];
        for (previous, flow, expected) in rows {
            assert_eq!(ema_step(previous, flow, SMOOTHING), expected, "{previous:?} and {flow}");
        }
    }

    #[test]
    fn limit_is_the_lowest_negative_average_within_the_cutoff() {
        let rows = [
            (vec![], -9, 0),
            (vec![3, 5], 0, 0),
            (vec![-3, 5], 0, 0),
            (vec![-3, 5], -9, -3),
            (vec![-30, 5], -9, -9),
            (vec![3], 4, 4),
        ];
        for (emas, cutoff, expected) in rows {
            assert_eq!(lower_limit(&emas, cutoff), expected, "{emas:?} {cutoff}");
        }
    }

    #[test]
    fn price_shares_are_proportional() {
        assert_eq!(price_shares(&[1 << 32, 3 << 32]), [1 << 62, 3 << 62]);
        assert_eq!(price_shares(&[0, 0]), [0, 0]);
    }

    #[test]
    fn emission_of_a_share() {
        // 200,000,002.2534 rao
        let raw = tao_emission(1_000_000_000, 3_689_348_856_309_305_774);
        assert_eq!((raw >> 32, ((raw & 0xffff_ffff) * 10_000) >> 32), (200_000_002, 2533));
    }
}
