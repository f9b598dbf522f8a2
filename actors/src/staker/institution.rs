//! `institution`: builds a large position over a long time in orders that hardly move the price, waits while the price
//! is far from its average, and leaves the same way.

use super::trader::{
    Capped, Rhythm, Trader, Turn, check_blocks, price_above, price_below, settings,
};
use super::{Holding, first_validator, part, traded};
use crate::machine::{Context, Input, Machine};
use crate::registry::{InvalidSetting, within};
use protocol::state::Subnet;
use protocol::units::{Alpha, BLOCKS_PER_DAY, NetUid, Rao};
use serde::{Deserialize, Serialize};

settings! {
    /// Settings of `institution`.
    InstitutionSettings {
        interval_blocks = 50, slippage_ppm = 5_000;
        /// The position it wants on each of its subnets, in rao at the spot price.
        target_rao: Rao = Rao(1_000_000_000_000),
        /// An order at most, in millionths of the pool's TAO.
        participation_ppm: u32 = 2_000,
        /// Blocks after its start before it begins.
        enter_after_blocks: u64 = 0,
        /// Blocks over which it enters, evenly.
        enter_blocks: u64 = 7 * BLOCKS_PER_DAY,
        /// Blocks over which it leaves, evenly, once its horizon is reached.
        exit_blocks: u64 = 7 * BLOCKS_PER_DAY,
        /// How far above the moving price it still buys, and below it still sells, in millionths of the moving price.
        premium_ppm: u32 = 100_000,
    }
}

impl InstitutionSettings {
    /// Checks the values.
    ///
    /// # Errors
    /// The first setting it could not act on.
    pub fn check(&self) -> Result<(), InvalidSetting> {
        self.terms().check()?;
        let must = "1 to 1000000 (all of the pool)";
        within("participation_ppm", self.participation_ppm.into(), 1..=1_000_000, must)?;
        check_blocks("enter_after_blocks", self.enter_after_blocks)?;
        check_blocks("enter_blocks", self.enter_blocks)?;
        check_blocks("exit_blocks", self.exit_blocks)
    }
}

/// A staker that is in no hurry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Institution {
    settings: InstitutionSettings,
    trader: Trader,
}

impl Institution {
    /// A staker that has not started.
    pub const fn new(settings: InstitutionSettings) -> Self {
        Self { settings, trader: Trader::new() }
    }

    /// Buys what its position is behind its plan; afterwards it only holds.
    fn look(&mut self, context: &mut Context<'_>) {
        let settings = &self.settings;
        let Some(since) = self.trader.age(context).checked_sub(settings.enter_after_blocks) else {
            return;
        };
        if since > settings.enter_blocks {
            return;
        }
        let terms = settings.terms();
        let planned = planned(settings.target_rao, since, settings.enter_blocks);
        let state = context.view.state();
        let holdings = terms.holdings(context);
        let mut left = self.trader.spendable(&terms, context);
        for (netuid, subnet) in traded(state, terms.netuids) {
            let amount =
                planned.minus(held(&holdings, netuid)).min(self.participation(subnet)).min(left);
            let Some(hotkey) = first_validator(state, netuid, subnet) else { continue };
            if amount > Rao::ZERO {
                left = left.minus(amount);
                let limit = self.highest_price(subnet);
                let order = Capped { amount, limit };
                self.trader.buy_behind(hotkey, netuid, order, &terms, context);
            }
        }
    }

    /// Sells an even part of what is left; when its time is over, as much as its participation allows, at any premium.
    fn leave(&mut self, context: &mut Context<'_>) {
        let settings = &self.settings;
        let terms = settings.terms();
        let since = self.trader.age(context).saturating_sub(settings.horizon_blocks);
        let blocks_left = settings.exit_blocks.saturating_sub(since);
        let orders_left = (blocks_left / terms.leave_interval_blocks()).max(1);
        for holding in terms.holdings(context) {
            let Some(subnet) = context.view.state().subnet(holding.netuid) else { continue };
            let even = Alpha(holding.alpha.0.div_ceil(orders_left));
            let amount = even.min(alpha_worth(&holding, self.participation(subnet)));
            let limit = match blocks_left {
                0 => price_below(subnet.price(), terms.slippage_ppm),
                _ => self.lowest_price(subnet),
            };
            self.trader.sell_at(&holding, Capped { amount, limit }, &terms, context);
        }
    }

    /// The largest order on a subnet; where there is no pool, any.
    fn participation(&self, subnet: &Subnet) -> Rao {
        match subnet.params.mechanism {
            1 => Rao(part(subnet.fast.pool.tao, self.settings.participation_ppm)),
            _ => Rao(u64::MAX),
        }
    }

    fn highest_price(&self, subnet: &Subnet) -> Rao {
        let seen = price_above(subnet.price(), self.settings.slippage_ppm);
        match subnet.moving_price() {
            0 => seen,
            moving => seen.min(price_above(moving, self.settings.premium_ppm)),
        }
    }

    fn lowest_price(&self, subnet: &Subnet) -> Rao {
        let seen = price_below(subnet.price(), self.settings.slippage_ppm);
        seen.max(price_below(subnet.moving_price(), self.settings.premium_ppm))
    }
}

impl Machine for Institution {
    fn step(&mut self, input: &Input<'_>, context: &mut Context<'_>) {
        match self.trader.turn(input, &self.settings.terms(), Rhythm::Random, context) {
            Turn::Wait => {}
            Turn::Look => self.look(context),
            Turn::Leave => self.leave(context),
        }
    }
}

/// The even part of a target that so many of all blocks come to, rounded down; all of it when there are none.
fn planned(target: Rao, since: u64, blocks: u64) -> Rao {
    let product = u128::from(target.0) * u128::from(since);
    Rao(product.checked_div(u128::from(blocks)).map_or(target.0, |rao| rao as u64)).min(target)
}

/// What is held on a subnet, at the spot price.
fn held(holdings: &[Holding], netuid: NetUid) -> Rao {
    let there = holdings.iter().filter(|holding| holding.netuid == netuid);
    there.fold(Rao::ZERO, |sum, holding| sum.plus(holding.worth))
}

/// As much of a holding as is worth an amount, rounded down; all of it at most.
fn alpha_worth(holding: &Holding, amount: Rao) -> Alpha {
    let alpha = u128::from(holding.alpha.0) * u128::from(amount.0.min(holding.worth.0));
    Alpha(alpha.checked_div(u128::from(holding.worth.0)).map_or(0, |alpha| alpha as u64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::BehaviourSettings;
    use crate::stage::{Stage, fund};
    use crate::staker::market::{
        market, orders, position, stage, stage_with_whale, staker, whale_buys,
    };
    use protocol::call::Call;
    use protocol::state::State;

    fn settings() -> InstitutionSettings {
        InstitutionSettings {
            interval_blocks: 4,
            netuids: vec![NetUid(1)],
            target_rao: Rao::whole(300),
            enter_after_blocks: 20,
            enter_blocks: 100,
            horizon_blocks: 200,
            exit_blocks: 100,
            ..InstitutionSettings::default()
        }
    }

    fn rich() -> State {
        let mut state = market();
        fund(&mut state, &staker(), Rao::whole(1_000));
        state
    }

    fn worth_of(stage: &Stage) -> u64 {
        let subnet = &stage.state.subnets[&NetUid(1)];
        super::super::worth(subnet, position(stage, 1)).0 / 1_000_000_000
    }

    #[test]
    fn it_enters_holds_and_leaves_evenly_in_small_orders() {
        let mut stage = stage(rich(), staker(), BehaviourSettings::Institution(settings()));
        let mut course = Vec::new();
        for _ in 0..8 {
            stage.play(40);
            course.push(worth_of(&stage));
        }
        let expected = [60_u64, 180, 290, 290, 290, 180, 60, 0];
        for (worth, expected) in course.iter().zip(expected) {
            assert!(worth.abs_diff(expected) <= 40, "{course:?}");
        }
        assert_eq!(position(&stage, 1), Alpha::ZERO);
        assert_eq!(stage.hosts[0].next_wake_ms(), None);
        for record in &stage.records {
            let (amount, most) = match record.call {
                Call::AddStakeLimit { amount_staked, .. } => (amount_staked.0, 21_000_000_000),
                Call::RemoveStakeLimit { amount_unstaked, .. } => {
                    (amount_unstaked.0, 215_000_000_000)
                }
                // The last little rest.
                Call::RemoveStakeFullLimit { .. } => continue,
                ref other => panic!("{other:?} is no order of a trader"),
            };
            assert!(amount <= most, "{amount} is more than its part of the pool");
        }
        assert_eq!(stage.refusals(), [""; 0]);
    }

    #[test]
    fn it_waits_while_the_price_is_far_above_its_average() {
        let calls = vec![(5, whale_buys(1, 1_000))];
        for (premium_ppm, buys) in [(100_000, false), (400_000, true)] {
            let settings = InstitutionSettings { premium_ppm, ..settings() };
            let settings = BehaviourSettings::Institution(settings);
            let mut stage = stage_with_whale(rich(), settings, calls.clone());
            stage.play(100);
            assert_eq!(orders(&stage).contains_key(&("buy", 1)), buys);
            assert_eq!(stage.refusals(), [""; 0]);
        }
    }

    #[test]
    fn plans_are_even_and_end_at_the_target() {
        let rows = [(0, 10, 0), (1, 10, 100), (9, 10, 900), (10, 10, 1_000), (11, 10, 1_000)];
        for (since, blocks, rao) in rows {
            assert_eq!(planned(Rao(1_000), since, blocks), Rao(rao), "{since} of {blocks}");
        }
        assert_eq!(planned(Rao(1_000), 0, 0), Rao(1_000));
    }
}
