//! `flow`: follows the average flow of TAO into subnets, the one by which the chain deals its emission.

use super::trader::{Rhythm, Trader, Turn, greatest, settings};
use super::{check_order, part, traded};
use crate::machine::{Context, Input, Machine};
use crate::registry::InvalidSetting;
use protocol::state::Subnet;
use protocol::units::{Alpha, NetUid, Rao};
use serde::{Deserialize, Serialize};

settings! {
    /// Settings of `flow`.
    FlowSettings {
        interval_blocks = 1_800, slippage_ppm = 10_000;
        /// An order, in millionths of spendable TAO (in) or of the position (out).
        order_ppm: u32 = 100_000,
    }
}

impl FlowSettings {
    /// Checks the values.
    ///
    /// # Errors
    /// The first setting it could not act on.
    pub fn check(&self) -> Result<(), InvalidSetting> {
        self.terms().check()?;
        check_order(self.order_ppm)
    }
}

/// A staker that goes where others' TAO goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flow {
    settings: FlowSettings,
    trader: Trader,
}

impl Flow {
    /// A staker that has not started.
    pub const fn new(settings: FlowSettings) -> Self {
        Self { settings, trader: Trader::new() }
    }

    fn look(&mut self, context: &mut Context<'_>) {
        let settings = &self.settings;
        let terms = settings.terms();
        let flows: Vec<(NetUid, f64)> = traded(context.view.state(), terms.netuids)
            .filter_map(|(netuid, subnet)| Some((netuid, relative_flow(subnet)?)))
            .collect();
        let of = |netuid: NetUid| flows.iter().find(|(known, _)| *known == netuid);
        let holdings = terms.holdings(context);
        let weakest = holdings
            .iter()
            .filter_map(|holding| Some((holding, of(holding.netuid)?.1)))
            .min_by(|(_, a), (_, b)| a.total_cmp(b))
            .filter(|(_, flow)| *flow < 0.0);
        if let Some((holding, _)) = weakest {
            let amount = Alpha(part(holding.alpha.0, settings.order_ppm));
            self.trader.sell(holding, amount, &terms, context);
        }
        if let Some((netuid, flow)) = greatest(&flows)
            && flow > 0.0
        {
            let spendable = self.trader.spendable(&terms, context);
            let amount = Rao(part(spendable.0, settings.order_ppm));
            self.trader.buy(netuid, amount, &terms, context);
        }
    }
}

impl Machine for Flow {
    fn step(&mut self, input: &Input<'_>, context: &mut Context<'_>) {
        match self.trader.turn(input, &self.settings.terms(), Rhythm::Random, context) {
            Turn::Wait => {}
            Turn::Look => self.look(context),
            Turn::Leave => self.trader.sell_all(&self.settings.terms(), context),
        }
    }
}

/// The flow average over the TAO in the pool; `None` while there is no average. In a unit of its own, for comparisons.
fn relative_flow(subnet: &Subnet) -> Option<f64> {
    let (_, average) = subnet.fast.flow_average?;
    let tao = subnet.fast.pool.tao;
    (tao > 0).then(|| average as f64 / tao as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::BehaviourSettings;
    use crate::staker::market::{
        give, market_with_money, orders, position, set_flows, stage, staker,
    };

    #[test]
    fn it_buys_what_gains_most_and_sells_what_loses() {
        let settings = FlowSettings { interval_blocks: 5, ..FlowSettings::default() };
        let mut state = market_with_money();
        set_flows(&mut state, [-40_000_000_000, 10_000_000_000, 90_000_000_000]);
        give(&mut state, 1, 50);
        give(&mut state, 2, 50);
        let mut stage = stage(state, staker(), BehaviourSettings::Flow(settings));
        stage.play(30);
        let kinds: Vec<(&str, u16)> = orders(&stage).into_keys().collect();
        assert_eq!(kinds, [("buy", 3), ("sell", 1)]);
        assert!(position(&stage, 1) < Alpha::whole(45) && position(&stage, 2) >= Alpha::whole(50));
        assert_eq!(stage.refusals(), [""; 0]);
    }

    #[test]
    fn it_does_nothing_where_nothing_flows_in() {
        let settings = FlowSettings { interval_blocks: 5, ..FlowSettings::default() };
        let mut state = market_with_money();
        set_flows(&mut state, [-10_000_000_000; 3]);
        let mut stage = stage(state, staker(), BehaviourSettings::Flow(settings));
        stage.play(30);
        assert_eq!(stage.records, []);
    }
}
