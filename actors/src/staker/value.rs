//! `value`: buys the subnet whose part of the emission is large for what all its alpha is worth, and sells the
//! holding of which the opposite is true.

use super::trader::{Rhythm, Trader, Turn, greatest, settings};
use super::{check_order, part, traded};
use crate::machine::{Context, Input, Machine};
use crate::registry::{InvalidSetting, within};
use protocol::state::{State, Subnet};
use protocol::units::{Alpha, NetUid, Rao};
use serde::{Deserialize, Serialize};

settings! {
    /// Settings of `value`.
    ValueSettings {
        interval_blocks = 3_600, slippage_ppm = 10_000;
        /// An order, in millionths of spendable TAO (in) or of the position (out).
        order_ppm: u32 = 200_000,
        /// A subnet is cheap when its share of the emission is so large for its share of the market, in millionths.
        cheap_ppm: u32 = 1_250_000,
        /// It is dear when that ratio is as low as this.
        dear_ppm: u32 = 800_000,
    }
}

impl ValueSettings {
    /// Checks the values.
    ///
    /// # Errors
    /// The first setting it could not act on.
    pub fn check(&self) -> Result<(), InvalidSetting> {
        self.terms().check()?;
        check_order(self.order_ppm)?;
        let cheap = u64::from(self.cheap_ppm).saturating_sub(1);
        within("dear_ppm", self.dear_ppm.into(), 0..=cheap, "less than cheap_ppm")
    }
}

/// A staker that compares what a subnet earns with what it costs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Value {
    settings: ValueSettings,
    trader: Trader,
}

impl Value {
    /// A staker that has not started.
    pub const fn new(settings: ValueSettings) -> Self {
        Self { settings, trader: Trader::new() }
    }

    fn look(&mut self, context: &mut Context<'_>) {
        let settings = &self.settings;
        let terms = settings.terms();
        let ratios = ratios(context.view.state());
        let of = |netuid: NetUid| ratios.iter().find(|(known, _)| *known == netuid);
        let holdings = terms.holdings(context);
        let dearest = holdings
            .iter()
            .filter_map(|holding| Some((holding, of(holding.netuid)?.1)))
            .min_by(|(_, a), (_, b)| a.total_cmp(b))
            .filter(|(_, ratio)| *ratio <= millionths(settings.dear_ppm));
        if let Some((holding, _)) = dearest {
            let amount = Alpha(part(holding.alpha.0, settings.order_ppm));
            self.trader.sell(holding, amount, &terms, context);
        }
        let its = |netuid: &NetUid| terms.netuids.is_empty() || terms.netuids.contains(netuid);
        let ours: Vec<(NetUid, f64)> =
            ratios.iter().copied().filter(|(netuid, _)| its(netuid)).collect();
        if let Some((netuid, ratio)) = greatest(&ours)
            && ratio >= millionths(settings.cheap_ppm)
        {
            let spendable = self.trader.spendable(&terms, context);
            let amount = Rao(part(spendable.0, settings.order_ppm));
            self.trader.buy(netuid, amount, &terms, context);
        }
    }
}

impl Machine for Value {
    fn step(&mut self, input: &Input<'_>, context: &mut Context<'_>) {
        match self.trader.turn(input, &self.settings.terms(), Rhythm::Random, context) {
            Turn::Wait => {}
            Turn::Look => self.look(context),
            Turn::Leave => self.trader.sell_all(&self.settings.terms(), context),
        }
    }
}

/// Of each subnet that trades: its share of the last block's emission over its share of all subnets' capitalisation.
/// None before there is any emission.
fn ratios(state: &State) -> Vec<(NetUid, f64)> {
    let rows: Vec<(NetUid, f64, f64)> = traded(state, &[])
        .map(|(netuid, subnet)| (netuid, subnet.fast.emission_share as f64, capitalisation(subnet)))
        .collect();
    let emission: f64 = rows.iter().map(|(_, share, _)| share).sum();
    let market: f64 = rows.iter().map(|(_, _, worth)| worth).sum();
    let ratio = |(netuid, share, worth): (NetUid, f64, f64)| {
        let some = emission > 0.0 && worth > 0.0;
        some.then(|| (netuid, (share / emission) / (worth / market)))
    };
    rows.into_iter().filter_map(ratio).collect()
}

/// What all alpha of a subnet would be worth at the spot price; in a unit of its own, for comparisons.
fn capitalisation(subnet: &Subnet) -> f64 {
    let pool = &subnet.fast.pool;
    (pool.alpha as f64 + pool.alpha_out as f64) * subnet.price() as f64
}

fn millionths(ppm: u32) -> f64 {
    f64::from(ppm) / 1_000_000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::BehaviourSettings;
    use crate::staker::market::{free, give, market_with_money, orders, set_flows, stage, staker};

    fn settings() -> ValueSettings {
        ValueSettings { interval_blocks: 5, ..ValueSettings::default() }
    }

    #[test]
    fn it_buys_what_earns_much_for_its_price_and_sells_what_earns_little() {
        let mut state = market_with_money();
        set_flows(&mut state, [10_000_000_000, 80_000_000_000, 20_000_000_000]);
        give(&mut state, 1, 50);
        give(&mut state, 3, 50);
        let mut stage = stage(state, staker(), BehaviourSettings::Value(settings()));
        stage.play(30);
        let ratios = ratios(&stage.state);
        assert!(ratios[1].1 > 1.25 && ratios[0].1 < ratios[2].1, "{ratios:?}");
        let kinds: Vec<(&str, u16)> = orders(&stage).into_keys().collect();
        assert_eq!(kinds, [("buy", 2), ("sell", 1)]);
        assert!(free(&stage) < Rao::whole(60));
        assert_eq!(stage.refusals(), [""; 0]);
    }

    #[test]
    fn it_keeps_still_where_everything_has_its_price() {
        let mut state = market_with_money();
        set_flows(&mut state, [10_000_000_000; 3]);
        give(&mut state, 1, 50);
        let mut stage = stage(state, staker(), BehaviourSettings::Value(settings()));
        stage.play(30);
        assert_eq!(stage.records, []);
    }
}
