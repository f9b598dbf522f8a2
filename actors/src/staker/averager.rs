//! `averager`: puts in a fixed amount each time, whatever the price, until its budget is spent, and leaves in equal parts.

use super::traded;
use super::trader::{Rhythm, Trader, Turn, settings};
use crate::machine::{Context, Input, Machine};
use crate::registry::{InvalidSetting, within};
use protocol::ledger::STAKE_MIN;
use protocol::units::{Alpha, BLOCKS_PER_DAY, NetUid, Rao};
use serde::{Deserialize, Serialize};

settings! {
    /// Settings of `averager`.
    AveragerSettings {
        interval_blocks = BLOCKS_PER_DAY, slippage_ppm = 10_000;
        /// What it puts in each time, in rao.
        amount_rao: Rao = Rao(1_000_000_000),
        /// Equal parts in which it leaves, one each interval.
        exit_parts: u32 = 10,
    }
}

impl AveragerSettings {
    /// Checks the values.
    ///
    /// # Errors
    /// The first setting it could not act on.
    pub fn check(&self) -> Result<(), InvalidSetting> {
        self.terms().check()?;
        let must = "at least 4000000 (twice the smallest order)";
        within("amount_rao", self.amount_rao.0, 2 * STAKE_MIN.0..=u64::MAX, must)?;
        within("exit_parts", self.exit_parts.into(), 1..=10_000, "1 to 10000")
    }
}

/// A staker with a standing order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Averager {
    settings: AveragerSettings,
    trader: Trader,
    /// Where the last amount went; the next goes to the next of its subnets.
    last: Option<NetUid>,
    /// Parts sold so far.
    sold: u32,
}

impl Averager {
    /// A staker that has not started.
    pub const fn new(settings: AveragerSettings) -> Self {
        Self { settings, trader: Trader::new(), last: None, sold: 0 }
    }

    fn look(&mut self, context: &mut Context<'_>) {
        let terms = self.settings.terms();
        let amount = self.settings.amount_rao;
        if self.trader.spendable(&terms, context) < amount {
            return;
        }
        let netuids: Vec<NetUid> =
            traded(context.view.state(), terms.netuids).map(|(netuid, _)| netuid).collect();
        let next = netuids.iter().find(|netuid| Some(**netuid) > self.last).or(netuids.first());
        if let Some(netuid) = next {
            self.last = Some(*netuid);
            self.trader.buy(*netuid, amount, &terms, context);
        }
    }

    /// Of so many parts that are left, one; the last is all there is, as often as it takes.
    fn leave(&mut self, context: &mut Context<'_>) {
        let terms = self.settings.terms();
        let left = self.settings.exit_parts.saturating_sub(self.sold).max(1);
        for holding in terms.holdings(context) {
            let amount = Alpha(holding.alpha.0 / u64::from(left));
            self.trader.sell(&holding, amount, &terms, context);
        }
        self.sold = self.sold.saturating_add(1);
    }
}

impl Machine for Averager {
    fn step(&mut self, input: &Input<'_>, context: &mut Context<'_>) {
        match self.trader.turn(input, &self.settings.terms(), Rhythm::Regular, context) {
            Turn::Wait => {}
            Turn::Look => self.look(context),
            Turn::Leave => self.leave(context),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::BehaviourSettings;
    use crate::staker::market::{market_with_money, orders, position, stage, staker};
    use protocol::call::Call;

    #[test]
    fn amounts_go_round_its_subnets_and_leave_in_equal_parts() {
        let settings = AveragerSettings {
            interval_blocks: 5,
            amount_rao: Rao::whole(4),
            netuids: vec![NetUid(3), NetUid(1)],
            horizon_blocks: 52,
            exit_parts: 4,
            ..AveragerSettings::default()
        };
        let mut stage = stage(market_with_money(), staker(), BehaviourSettings::Averager(settings));
        stage.play(51);
        let bought = orders(&stage);
        let expected = [(("buy", 1), 5), (("buy", 3), 5)];
        assert_eq!(bought, expected.into());
        stage.play(30);
        let sold: Vec<u64> = stage
            .records
            .iter()
            .filter_map(|record| match record.call {
                Call::RemoveStakeLimit { netuid: NetUid(1), amount_unstaked, .. } => {
                    Some(amount_unstaked.0 / 1_000_000_000)
                }
                _ => None,
            })
            .collect();
        assert!(sold.len() == 3 && sold.iter().all(|part| part.abs_diff(sold[0]) <= 3), "{sold:?}");
        assert_eq!(position(&stage, 1), Alpha::ZERO);
        assert_eq!(orders(&stage)[&("sell", 3)], 4);
        assert_eq!(stage.refusals(), [""; 0]);
    }
}
