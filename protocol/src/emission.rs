//! What one subnet gets in one block: the terms of the pool injection, the split of new alpha into pending
//! accumulators, the root proportion, and the moving price.
//!
//! Not here: the shares (`taoflow`), the pool (`pool`), and the order of the block. Fixed-point values are raw bits.

use crate::fixed::{
    I96F32, U96F32, add, cast, checked_div, fx, int, mul, safe_div, sub, u16_fraction, u64_fraction,
};
use crate::issuance::block_emission;

/// One half as raw U96F32.
const HALF_RAW: u128 = 1 << 31;

/// What one block does to one subnet's pool; all raw U96F32, TAO in rao, alpha in alpha-rao.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// TAO injected into the pool.
    pub tao_in: u128,
    /// Alpha injected into the pool.
    pub alpha_in: u128,
    /// Alpha minted for the participants.
    pub alpha_out: u128,
    /// TAO that the alpha cap kept out of the pool; it buys alpha instead.
    pub excess_tao: u128,
}

/// Terms of the injection for one subnet. The pool gets TAO and alpha in the ratio of its price, as long as that alpha
/// is within both emission curves; beyond, alpha stops at the lower curve and the TAO left over is excess. Amounts
/// are floored to 2^-32 rao, and excess keeps that rest.
///
/// Mirrors: `get_subnet_terms`.
pub fn terms(
    tao_emission_raw: u128,
    price_raw: u128,
    alpha_issuance: u64,
    total_issuance: u64,
) -> Terms {
    let tao_emission = U96F32::from_bits(tao_emission_raw);
    let price = U96F32::from_bits(price_raw);
    let alpha_emission = block_emission(alpha_issuance);
    let alpha_max: U96F32 = fx(alpha_emission.min(block_emission(total_issuance)));

    let alpha_wanted = safe_div(tao_emission, price);
    let (alpha_in, tao_in) = if alpha_wanted > alpha_max {
        (alpha_max, mul(alpha_max, price))
    } else {
        (alpha_wanted, tao_emission)
    };
    Terms {
        tao_in: tao_in.to_bits(),
        alpha_in: alpha_in.to_bits(),
        alpha_out: fx::<U96F32>(alpha_emission).to_bits(),
        excess_tao: sub(tao_emission, tao_in).to_bits(),
    }
}

/// Whole alpha-rao that one block adds to a subnet's accumulators. Each is floored on its own: the sum of the last
/// four may fall short of `minted` by up to 4, which stays in circulation without an owner.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Accrual {
    /// Alpha added to circulation.
    pub minted: u64,
    /// For the subnet owner.
    pub owner_cut: u64,
    /// For the miners.
    pub server: u64,
    /// For the validators, root's part already taken off.
    pub validator: u64,
    /// For the root stakers if root selling is on, else recycled.
    pub root: u64,
}

/// Splits `alpha_out_raw` (raw U96F32): the owner's cut (of 65,535) first, then half to the miners, the rest to the
/// validators less root's proportion (raw U96F32) of one half.
///
/// Mirrors: `emit_to_subnets`. `root_proportion_raw` must be read after `minted` has been added to the issuance.
pub fn accrue(alpha_out_raw: u128, owner_cut: u16, root_proportion_raw: u128) -> Accrual {
    let half = U96F32::from_bits(HALF_RAW);
    let alpha_out = U96F32::from_bits(alpha_out_raw);
    let cut = mul(alpha_out, u16_fraction(owner_cut));
    let rest = sub(alpha_out, cut);
    let root = mul(mul(U96F32::from_bits(root_proportion_raw), rest), half);
    let server = mul(rest, half);
    let validator = sub(sub(rest, server), root);
    Accrual {
        minted: int(alpha_out),
        owner_cut: int(cut),
        server: int(server),
        validator: int(validator),
        root: int(root),
    }
}

/// Weight of root's TAO among root TAO and the subnet's alpha (raw U96F32, truncated): w·R / (w·R + alpha), w being
/// `tao_weight` of 2^64 - 1; 0 if both are 0.
///
/// Mirrors: `root_proportion`.
pub fn root_proportion(root_tao: u64, tao_weight: u64, alpha_issuance: u64) -> u128 {
    let weighted: U96F32 = mul(fx(root_tao), u64_fraction(tao_weight));
    checked_div(weighted, add(weighted, fx(alpha_issuance))).unwrap_or_default().to_bits()
}

/// The moving price (raw I96F32) after one more block. The spot price (raw U96F32) counts with at most 1, and with a
/// weight that starts at 0 and reaches half of `moving_alpha_raw` (raw I96F32) after `halving_blocks` blocks.
///
/// Mirrors: `update_moving_price`.
pub fn moving_price_step(
    moving_raw_i96f32: i128,
    price_raw_u96f32: u128,
    moving_alpha_raw: i128,
    block: u64,
    first_emission_block: u64,
    halving_blocks: u64,
) -> i128 {
    let started = first_emission_block.saturating_sub(1);
    let elapsed: U96F32 = fx(block.saturating_sub(started));
    let ramp = safe_div(elapsed, add(elapsed, fx(halving_blocks)));
    let alpha = mul(cast(I96F32::from_bits(moving_alpha_raw)), ramp);

    let one: U96F32 = fx(1_u8);
    let price = U96F32::from_bits(price_raw_u96f32).min(one);
    let moving: U96F32 = cast(I96F32::from_bits(moving_raw_i96f32));
    let next = add(mul(alpha, price), mul(sub(one, alpha), moving));
    cast::<I96F32>(next).to_bits()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::taoflow::tao_emission;

    const ONE: u128 = 1 << 32;

    #[test]
    fn accrual_of_the_spec() {
        let out = 1_000_000_000 * ONE;
        let root =
            root_proportion(6_000_000_000_000_000, 971_718_665_099_567_868, 3_000_000_000_000_000);
        assert_eq!(root, 409_363_683);
        let rows = [
            ((11_796, root), [179_995_422, 410_002_288, 370_923_982, 39_078_306]),
            ((11_796, 0), [179_995_422, 410_002_288, 410_002_288, 0]),
            ((0, ONE / 4), [0, 500_000_000, 375_000_000, 125_000_000]),
            ((u16::MAX, ONE / 4), [1_000_000_000, 0, 0, 0]),
        ];
        for ((cut, root), [owner_cut, server, validator, root_alpha]) in rows {
            let expected =
                Accrual { minted: 1_000_000_000, owner_cut, server, validator, root: root_alpha };
            assert_eq!(accrue(out, cut, root), expected, "cut {cut}, root {root}");
        }
    }

    #[test]
    fn root_proportion_edges() {
        assert_eq!(root_proportion(0, u64::MAX, 0), 0);
        assert_eq!(root_proportion(1_000_000_000, u64::MAX, 3_000_000_000), ONE / 4);
        // 0.18e12 / (0.18e12 + 1e11)
        let raw = root_proportion(1_000_000_000_000, 3_320_413_933_267_719_290, 100_000_000_000);
        assert_eq!(raw * 1_000_000 / ONE, 642_857);
    }

    #[test]
    fn terms_of_the_spec() {
        let subsidised = tao_emission(1_000_000_000, 3_689_348_856_309_305_774);
        let price = (3 * ONE) / 100;
        let rows = [
            // (tao emission, price, alpha issuance) -> whole (tao in, alpha in, alpha out, excess)
            ((subsidised, price, 0), [29_999_999, 1_000_000_000, 1_000_000_000, 170_000_002]),
            ((500_000 * ONE, ONE, 0), [500_000, 500_000, 1_000_000_000, 0]),
            ((666_667 * ONE, 2 * ONE, 0), [666_667, 333_333, 1_000_000_000, 0]),
            ((100_000_000 * ONE, ONE, 0), [100_000_000, 100_000_000, 1_000_000_000, 0]),
            (
                (10_000_000_000 * ONE, ONE, 0),
                [1_000_000_000, 1_000_000_000, 1_000_000_000, 9_000_000_000],
            ),
            ((500 * ONE, ONE, 21_000_000_000_000_000), [0, 0, 0, 500]),
            ((500 * ONE, 0, 0), [500, 0, 1_000_000_000, 0]),
            ((0, ONE, 0), [0, 0, 1_000_000_000, 0]),
        ];
        for ((tao, price, alpha_issuance), expected) in rows {
            let t = terms(tao, price, alpha_issuance, 0);
            let whole = [t.tao_in, t.alpha_in, t.alpha_out, t.excess_tao].map(|raw| raw >> 32);
            assert_eq!(whole, expected, "{tao} at {price}, {alpha_issuance} issued");
        }
    }

    #[test]
    fn moving_price_of_the_spec() {
        let tenth = (ONE / 10) as i128;
        let mut moving = 0;
        for _ in 0..14 {
            moving = moving_price_step(moving, ONE, tenth, 201_600, 1, 201_600);
        }
        assert_eq!((moving * 10_000) >> 32, 5123);

        let half = (ONE / 2) as i128;
        let rows = [(11, 0), (144_000_001, 499)];
        for (block, thousandths) in rows {
            let moving = moving_price_step(0, ONE, half, block, 1, 201_600);
            assert_eq!((moving * 1000) >> 32, thousandths, "block {block}");
        }
        // The spot price counts with at most one.
        let capped = moving_price_step(0, ONE, half, 1000, 1, 100);
        assert_eq!(moving_price_step(0, 7 * ONE, half, 1000, 1, 100), capped);
    }
}
