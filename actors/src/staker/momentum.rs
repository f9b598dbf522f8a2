//! `momentum`: follows the price.

use super::{Orders, check_orders, holdings, part, traded};
use crate::machine::{Context, Input, Machine};
use crate::registry::InvalidSetting;
use protocol::state::Subnet;
use protocol::units::{Alpha, NetUid, Rao};
use serde::{Deserialize, Serialize};

/// Settings of `momentum`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MomentumSettings {
    /// Mean blocks between two looks.
    pub interval_blocks: u64,
    /// An order, in millionths of spendable TAO (in) or of the position (out).
    pub order_ppm: u32,
    /// Free TAO it never spends, in rao.
    pub reserve_rao: Rao,
    /// Subnets it follows; none means all that trade.
    pub netuids: Vec<NetUid>,
}

impl Default for MomentumSettings {
    fn default() -> Self {
        Self {
            interval_blocks: 1_800,
            order_ppm: 100_000,
            reserve_rao: Rao(100_000_000),
            netuids: Vec::new(),
        }
    }
}

impl MomentumSettings {
    /// Checks the values.
    ///
    /// # Errors
    /// The first setting it could not act on.
    pub fn check(&self) -> Result<(), InvalidSetting> {
        check_orders(self.interval_blocks, self.order_ppm)
    }
}

/// A staker that follows the price.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Momentum {
    settings: MomentumSettings,
    orders: Orders,
}

impl Momentum {
    /// A staker that has not started.
    pub const fn new(settings: MomentumSettings) -> Self {
        let orders = Orders { open: 0 };
        Self { settings, orders }
    }

    fn trade(&mut self, context: &mut Context<'_>) {
        let state = context.view.state();
        let strengths: Vec<(NetUid, f64)> = traded(state, &self.settings.netuids)
            .filter_map(|(netuid, subnet)| Some((netuid, strength(subnet)?)))
            .collect();
        let of = |netuid: NetUid| strengths.iter().find(|(known, _)| *known == netuid);
        // Of equals the lower netuid is the best and the higher one the weakest.
        let best = strengths
            .iter()
            .max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0)))
            .map(|(netuid, _)| *netuid);
        let holdings = holdings(context, &self.settings.netuids);
        let weakest = holdings
            .iter()
            .filter_map(|holding| Some((holding, of(holding.netuid)?)))
            .filter(|(holding, _)| Some(holding.netuid) != best)
            .min_by(|(_, a), (_, b)| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0)))
            .map(|(holding, _)| holding);
        if let Some(holding) = weakest {
            let amount = Alpha(part(holding.alpha.0, self.settings.order_ppm));
            self.orders.sell(holding, amount, context);
        }
        if let Some(netuid) = best {
            let free = state.free(&context.me.coldkey);
            let spendable = free.minus(self.settings.reserve_rao);
            let amount = Rao(part(spendable.0, self.settings.order_ppm));
            self.orders.buy(netuid, amount, context);
        }
    }
}

impl Machine for Momentum {
    fn step(&mut self, input: &Input<'_>, context: &mut Context<'_>) {
        if self.orders.turn(input, self.settings.interval_blocks, context) {
            self.trade(context);
        }
    }
}

/// Price over moving price; `None` while there is no moving price.
fn strength(subnet: &Subnet) -> Option<f64> {
    let moving = subnet.moving_price();
    (moving > 0).then(|| subnet.price() as f64 / moving as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::BehaviourSettings;
    use crate::stage::{fund, identity, stake};
    use crate::staker::market::{held, market, stage};
    use protocol::call::Call;
    use std::collections::BTreeSet;

    const INTERVAL: u64 = 5;

    #[test]
    fn momentum_buys_the_strongest_and_sells_its_weakest() {
        let who = identity("stakers", 0, None);
        let mut state = market();
        fund(&mut state, &who, Rao::whole(100));
        for (netuid, moving) in [(1, 11), (2, 8), (3, 10)] {
            let subnet = state.subnets.get_mut(&NetUid(netuid)).expect("it was made");
            subnet.fast.moving_price = (1 << 32) * moving / 100;
        }
        let first = identity("validators", 1, None).hotkey;
        for netuid in [1, 3] {
            stake(&mut state, &who, first, NetUid(netuid), Alpha::whole(50));
        }
        let settings = MomentumSettings { interval_blocks: INTERVAL, ..Default::default() };
        let mut stage = stage(state, who.clone(), BehaviourSettings::Momentum(settings));
        stage.play(12);
        // Dividends grow every holding, so the orders say more than the balances.
        let orders: BTreeSet<(&str, NetUid)> = stage
            .records
            .iter()
            .map(|record| match record.call {
                Call::AddStake { netuid, .. } | Call::RemoveStake { netuid, .. } => {
                    (record.call.name(), netuid)
                }
                ref other => panic!("{other:?} is no order of a staker"),
            })
            .collect();
        assert_eq!(orders, [("add_stake", NetUid(2)), ("remove_stake", NetUid(1))].into());
        assert!(held(&stage, &who, NetUid(1)) < Alpha::whole(50));
        assert!(held(&stage, &who, NetUid(2)) > Alpha::ZERO);
        assert_eq!(stage.refusals(), [""; 0]);
    }
}
