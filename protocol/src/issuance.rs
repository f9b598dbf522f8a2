//! How much is minted per block at a given issuance. The same curve serves TAO and every subnet's alpha.
//!
//! Not here: where the emission goes (`taoflow`, `emission`).

/// The cap of every currency: 21 million whole units, in rao.
pub const SUPPLY_MAX_RAO: u64 = 21_000_000_000_000_000;
/// What is minted per block before the first halving, in rao.
pub const BLOCK_EMISSION_RAO: u64 = 1_000_000_000;

/// Rao minted in one block when `issuance` rao exist; 0 from the cap on.
///
/// The k-th halving happens at the first issuance that leaves at most 1/2^k of the cap unminted, so k is the whole
/// part of log2(cap / unminted). Halved rao are floored; nobody gets the rest.
///
/// Mirrors: `get_block_emission_for_issuance`, which takes a fixed-point logarithm; equal on every issuance tested.
pub fn block_emission(issuance: u64) -> u64 {
    let unminted = SUPPLY_MAX_RAO.saturating_sub(issuance);
    let halvings = SUPPLY_MAX_RAO.checked_div(unminted).map_or(u64::BITS - 1, u64::ilog2);
    BLOCK_EMISSION_RAO >> halvings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixed::{I96F32, checked_div, fx, int, mul, safe_div, sub};
    use proptest::prelude::*;
    use substrate_fixed::transcendental::log2;

    #[test]
    fn values_of_the_spec() {
        let rows = [
            (0, 1_000_000_000),
            (10_499_999_999_999_999, 1_000_000_000),
            (10_500_000_000_000_000, 500_000_000),
            (15_750_000_000_000_000, 250_000_000),
            (18_375_000_000_000_000, 125_000_000),
            (19_687_500_000_000_000, 62_500_000),
            (20_343_750_000_000_000, 31_250_000),
            (20_979_492_187_500_000, 976_562),
            (20_999_999_960_884_451, 3),
            (20_999_999_960_884_452, 1),
            (20_999_999_980_442_225, 1),
            (20_999_999_980_442_226, 0),
            (20_999_999_999_999_999, 0),
            (21_000_000_000_000_000, 0),
            (u64::MAX, 0),
        ];
        for (issuance, emission) in rows {
            assert_eq!(block_emission(issuance), emission, "{issuance}");
        }
    }

    /// The curve as the chain computes it.
    fn slow(issuance: u64) -> u64 {
        if issuance >= SUPPLY_MAX_RAO {
            return 0;
        }
        let cap = mul::<I96F32>(fx(2_u8), fx(SUPPLY_MAX_RAO / 2));
        let minted = checked_div(fx(issuance), cap).expect("the cap is not 0");
        let inverse = checked_div(fx(1_u8), sub(fx(1_u8), minted)).expect("below the cap");
        let halvings = log2::<I96F32, I96F32>(inverse).expect("at least 1").to_num::<u32>();
        let divisor = (0..halvings).fold(fx::<I96F32>(1_u8), |d, _| mul(d, fx(2_u8)));
        int(mul(safe_div(fx(1_u8), divisor), fx(BLOCK_EMISSION_RAO)))
    }

    proptest! {
        #[test]
        fn closed_form_equals_the_fixed_point_form(issuance in 0..=SUPPLY_MAX_RAO) {
            prop_assert_eq!(block_emission(issuance), slow(issuance));
        }

        #[test]
        fn closed_form_equals_the_fixed_point_form_around_halvings(k in 1_u32..32, offset in 0_u64..6000) {
            let issuance = SUPPLY_MAX_RAO - (SUPPLY_MAX_RAO >> k) + offset - 3000;
            prop_assert_eq!(block_emission(issuance), slow(issuance));
        }
    }
}
