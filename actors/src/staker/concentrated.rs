//! `concentrated`: holds a few subnets in equal parts, and seldom thinks again which.

use super::trader::{Rhythm, Trader, Turn, check_blocks, settings};
use super::{part, traded};
use crate::machine::{Context, Input, Machine};
use crate::registry::{InvalidSetting, ppm, within};
use protocol::state::State;
use protocol::units::{Alpha, BLOCKS_PER_DAY, NetUid, Rao};
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;

settings! {
    /// Settings of `concentrated`.
    ConcentratedSettings {
        interval_blocks = 1_800, slippage_ppm = 10_000;
        /// Subnets it holds at most.
        subnets_max: u16 = 3,
        /// Blocks between two choices of them.
        review_blocks: u64 = 7 * BLOCKS_PER_DAY,
        /// How far a part may stray from an equal one before it acts, in millionths of an equal part.
        band_ppm: u32 = 250_000,
    }
}

impl ConcentratedSettings {
    /// Checks the values.
    ///
    /// # Errors
    /// The first setting it could not act on.
    pub fn check(&self) -> Result<(), InvalidSetting> {
        self.terms().check()?;
        within("subnets_max", self.subnets_max.into(), 1..=128, "1 to 128")?;
        check_blocks("review_blocks", self.review_blocks)?;
        ppm("band_ppm", self.band_ppm)
    }
}

/// A staker with few convictions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Concentrated {
    settings: ConcentratedSettings,
    trader: Trader,
    /// What it holds or is on its way to, ascending.
    picks: Vec<NetUid>,
    /// From which height on it chooses anew.
    review_at: u64,
}

impl Concentrated {
    /// A staker that has not started.
    pub const fn new(settings: ConcentratedSettings) -> Self {
        Self { settings, trader: Trader::new(), picks: Vec::new(), review_at: 0 }
    }

    fn look(&mut self, context: &mut Context<'_>) {
        let state = context.view.state();
        let height = state.height.0;
        let reviews = self.picks.is_empty() || height >= self.review_at;
        if reviews {
            let most = self.settings.subnets_max.into();
            self.picks = most_emission(state, &self.settings.netuids, most);
            self.review_at = height.saturating_add(self.settings.review_blocks);
        }
        let terms = self.settings.terms();
        let holdings = terms.holdings(context);
        let spendable = self.trader.spendable(&terms, context);
        let mut parts: Vec<(NetUid, u64)> = self.picks.iter().map(|netuid| (*netuid, 0)).collect();
        for holding in &holdings {
            match parts.iter_mut().find(|(netuid, _)| *netuid == holding.netuid) {
                Some((_, held)) => *held = held.saturating_add(holding.worth.0),
                None => self.trader.sell(holding, holding.alpha, &terms, context),
            }
        }
        let wealth = parts.iter().fold(spendable.0, |sum, (_, held)| sum.saturating_add(*held));
        let Some(equal) = wealth.checked_div(parts.len() as u64) else { return };
        let band = part(equal, self.settings.band_ppm);
        if reviews {
            let excess = |held: u64| held.saturating_sub(equal.saturating_add(band));
            for holding in &holdings {
                let held = parts.iter().find(|(netuid, _)| *netuid == holding.netuid);
                let Some((_, held)) = held.filter(|(_, held)| excess(*held) > 0) else { continue };
                // Down to an equal part, and from each validator alike.
                let alpha = u128::from(holding.alpha.0) * u128::from(held - equal);
                let amount = Alpha((alpha / u128::from(*held)) as u64);
                self.trader.sell(holding, amount, &terms, context);
            }
        }
        let missing = |held: u64| match equal.saturating_sub(held) {
            gap if gap > band => gap,
            _ => 0,
        };
        let wanted: u128 = parts.iter().map(|(_, held)| u128::from(missing(*held))).sum();
        for (netuid, held) in parts {
            let gap = missing(held);
            let fair = u128::from(spendable.0) * u128::from(gap);
            let Some(fair) = fair.checked_div(wanted) else { return };
            if gap > 0 {
                let amount = Rao(gap.min(u64::try_from(fair).unwrap_or(u64::MAX)));
                self.trader.buy(netuid, amount, &terms, context);
            }
        }
    }
}

impl Machine for Concentrated {
    fn step(&mut self, input: &Input<'_>, context: &mut Context<'_>) {
        match self.trader.turn(input, &self.settings.terms(), Rhythm::Random, context) {
            Turn::Wait => {}
            Turn::Look => self.look(context),
            Turn::Leave => self.trader.sell_all(&self.settings.terms(), context),
        }
    }
}

/// The subnets with the largest shares of the last block's emission, of the named ones or of all that trade; of equals
/// the lower netuid. Ascending by netuid.
fn most_emission(state: &State, netuids: &[NetUid], most: usize) -> Vec<NetUid> {
    let mut rated: Vec<(Reverse<u128>, NetUid)> = traded(state, netuids)
        .map(|(netuid, subnet)| (Reverse(subnet.fast.emission_share), netuid))
        .collect();
    rated.sort_unstable();
    rated.truncate(most);
    let mut picks: Vec<NetUid> = rated.into_iter().map(|(_, netuid)| netuid).collect();
    picks.sort_unstable();
    picks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::BehaviourSettings;
    use crate::stage::Stage;
    use crate::staker::market::{
        free, give, market_with_money, orders, position, set_flows, stage, staker,
    };

    fn settings() -> ConcentratedSettings {
        let defaults = ConcentratedSettings::default();
        ConcentratedSettings { interval_blocks: 5, subnets_max: 2, ..defaults }
    }

    fn worth_of(stage: &Stage, netuid: u16) -> u64 {
        super::super::worth(&stage.state.subnets[&NetUid(netuid)], position(stage, netuid)).0
    }

    #[test]
    fn it_goes_for_the_largest_emission_in_equal_parts_and_leaves_the_rest() {
        let mut state = market_with_money();
        set_flows(&mut state, [90_000_000_000, 10_000_000_000, 50_000_000_000]);
        give(&mut state, 2, 200);
        let mut stage = stage(state, staker(), BehaviourSettings::Concentrated(settings()));
        stage.play(60);
        assert_eq!(position(&stage, 2), Alpha::ZERO);
        let (first, second) = (worth_of(&stage, 1), worth_of(&stage, 3));
        assert!(first.abs_diff(second) < first / 4, "{first} and {second}");
        assert!(free(&stage) < Rao::whole(25) && first + second > 90_000_000_000);
        let placed = orders(&stage);
        stage.play(100);
        assert_eq!(orders(&stage), placed, "then it holds");
        assert_eq!(stage.refusals(), [""; 0]);
    }

    #[test]
    fn a_review_trims_what_has_outgrown_its_part() {
        let mut state = market_with_money();
        set_flows(&mut state, [90_000_000_000, 10_000_000_000, 50_000_000_000]);
        give(&mut state, 1, 3_000);
        let netuids = vec![NetUid(1), NetUid(2)];
        let settings = ConcentratedSettings { netuids, ..settings() };
        let mut stage = stage(state, staker(), BehaviourSettings::Concentrated(settings));
        stage.play(80);
        let (first, second) = (worth_of(&stage, 1), worth_of(&stage, 2));
        assert!(first.abs_diff(second) < first / 2, "{first} and {second}");
        assert_eq!(orders(&stage)[&("sell", 1)], 1, "once a review");
        assert_eq!(stage.refusals(), [""; 0]);
    }
}
