//! `noise`: follows nothing.

use super::{DRAW_ORDER, Orders, check_orders, holdings, part, traded};
use crate::machine::{Context, Input, Machine};
use crate::registry::{InvalidSetting, ppm};
use protocol::units::{Alpha, BLOCKS_PER_DAY, NetUid, Rao};
use serde::{Deserialize, Serialize};

/// Settings of `noise`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NoiseSettings {
    /// Mean blocks between two orders.
    pub interval_blocks: u64,
    /// An order at most, in millionths of spendable TAO (in) or of the position (out); drawn uniformly.
    pub order_ppm: u32,
    /// Free TAO it never spends, in rao.
    pub reserve_rao: Rao,
    /// Subnets it moves in; none means all that trade.
    pub netuids: Vec<NetUid>,
    /// Chance that an order goes in and not out, in millionths.
    pub in_ppm: u32,
}

impl Default for NoiseSettings {
    fn default() -> Self {
        Self {
            interval_blocks: BLOCKS_PER_DAY,
            order_ppm: 100_000,
            reserve_rao: Rao(100_000_000),
            netuids: Vec::new(),
            in_ppm: 500_000,
        }
    }
}

impl NoiseSettings {
    /// Checks the values.
    ///
    /// # Errors
    /// The first setting it could not act on.
    pub fn check(&self) -> Result<(), InvalidSetting> {
        check_orders(self.interval_blocks, self.order_ppm)?;
        ppm("in_ppm", self.in_ppm)
    }
}

/// A staker that follows nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Noise {
    settings: NoiseSettings,
    orders: Orders,
}

impl Noise {
    /// A staker that has not started.
    pub const fn new(settings: NoiseSettings) -> Self {
        let orders = Orders { open: 0 };
        Self { settings, orders }
    }

    fn trade(&mut self, context: &mut Context<'_>) {
        let mut dice = context.dice(DRAW_ORDER);
        let goes_in = dice.chance_ppm(self.settings.in_ppm);
        let order_ppm = dice.between(1, self.settings.order_ppm.into()) as u32;
        let holdings = holdings(context, &self.settings.netuids);
        if goes_in || holdings.is_empty() {
            let state = context.view.state();
            let subnets: Vec<NetUid> =
                traded(state, &self.settings.netuids).map(|(netuid, _)| netuid).collect();
            let Some(netuid) = subnets.get(dice.below(subnets.len() as u64) as usize) else {
                return;
            };
            let free = state.free(&context.me.coldkey);
            let spendable = free.minus(self.settings.reserve_rao);
            let amount = Rao(part(spendable.0, order_ppm));
            self.orders.buy(*netuid, amount, context);
        } else {
            let holding = &holdings[dice.below(holdings.len() as u64) as usize];
            let amount = Alpha(part(holding.alpha.0, order_ppm));
            self.orders.sell(holding, amount, context);
        }
    }
}

impl Machine for Noise {
    fn step(&mut self, input: &Input<'_>, context: &mut Context<'_>) {
        if self.orders.turn(input, self.settings.interval_blocks, context) {
            self.trade(context);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::BehaviourSettings;
    use crate::stage::{fund, identity};
    use crate::staker::market::{market, stage};

    const INTERVAL: u64 = 5;

    #[test]
    fn noise_moves_both_ways_and_keeps_its_reserve() {
        let who = identity("stakers", 0, None);
        let mut state = market();
        fund(&mut state, &who, Rao::whole(100));
        let reserve_rao = Rao::whole(50);
        let settings =
            NoiseSettings { interval_blocks: INTERVAL, reserve_rao, ..NoiseSettings::default() };
        let mut stage = stage(state, who.clone(), BehaviourSettings::Noise(settings));
        let mut least = Rao::whole(100);
        for _ in 0..600 {
            stage.play(1);
            least = least.min(stage.state.free(&who.coldkey));
        }
        let (bought, sold) = (stage.count("add_stake"), stage.count("remove_stake"));
        assert!(bought > 40 && sold > 40, "{bought} in, {sold} out");
        assert!(least >= reserve_rao && least < Rao::whole(90), "{least}");
        assert_eq!(stage.refusals(), [""; 0]);
    }
}
