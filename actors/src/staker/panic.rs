//! `panic`: holds, until a price has fallen too far from its recent peak; then it sells and stays away for a while.

use super::trader::{Rhythm, Trader, Turn, check_blocks, settings};
use super::{DRAW_ORDER, Holding, PPM, check_order, part, traded};
use crate::machine::{Context, Input, Machine};
use crate::registry::{InvalidSetting, ppm, within};
use protocol::state::Subnet;
use protocol::units::{Alpha, BLOCKS_PER_DAY, NetUid, Rao};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Spans into which the memory of a price is divided: a peak is forgotten an eighth of the memory late at most.
const SPANS: u64 = 8;

settings! {
    /// Settings of `panic`.
    PanicSettings {
        interval_blocks = 300, slippage_ppm = 100_000;
        /// A buy, in millionths of spendable TAO.
        order_ppm: u32 = 100_000,
        /// The fall from the peak that it cannot bear, in millionths of the peak.
        drawdown_ppm: u32 = 200_000,
        /// Blocks for which it remembers a peak.
        memory_blocks: u64 = 7 * BLOCKS_PER_DAY,
        /// How much of the position it then sells, in millionths.
        sell_ppm: u32 = 1_000_000,
        /// Blocks for which it then stays away from the subnet.
        cooldown_blocks: u64 = 14 * BLOCKS_PER_DAY,
    }
}

impl PanicSettings {
    /// Checks the values.
    ///
    /// # Errors
    /// The first setting it could not act on.
    pub fn check(&self) -> Result<(), InvalidSetting> {
        self.terms().check()?;
        check_order(self.order_ppm)?;
        within("drawdown_ppm", self.drawdown_ppm.into(), 1..=1_000_000, "1 to 1000000 (a whole)")?;
        let year = 365 * BLOCKS_PER_DAY;
        within("memory_blocks", self.memory_blocks, SPANS..=year, "8 blocks to 1 year")?;
        ppm("sell_ppm", self.sell_ppm)?;
        check_blocks("cooldown_blocks", self.cooldown_blocks)
    }
}

/// A fright: the staker sells down to `keep`, until it was there once, and does not come back before `until`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Fright {
    keep: Option<Alpha>,
    until: u64,
}

/// What it remembers of a subnet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Memory {
    /// The highest price (U96F32 bits) of each span, by the span's number, ascending.
    peaks: Vec<(u64, u128)>,
    fright: Option<Fright>,
}

impl Memory {
    /// Takes a price in and gives the highest of those remembered.
    fn peak(&mut self, height: u64, memory_blocks: u64, price: u128) -> u128 {
        let span = height / (memory_blocks / SPANS).max(1);
        self.peaks.retain(|(known, _)| known + SPANS >= span);
        match self.peaks.last_mut() {
            Some((last, peak)) if *last == span => *peak = price.max(*peak),
            _ => self.peaks.push((span, price)),
        }
        self.peaks.iter().map(|(_, peak)| *peak).max().unwrap_or(price)
    }

    /// How much the staker wants to keep on a subnet that frightens it; `None` where it is calm. Only a fall of what it
    /// holds frightens it.
    fn feel(
        &mut self,
        settings: &PanicSettings,
        subnet: &Subnet,
        held: &[&Holding],
        height: u64,
    ) -> Option<Alpha> {
        let alpha = held.iter().fold(Alpha::ZERO, |sum, holding| sum.plus(holding.alpha));
        if let Some(fright) = &mut self.fright {
            if height < fright.until {
                fright.keep = fright.keep.filter(|keep| alpha > *keep);
                return Some(fright.keep.unwrap_or(alpha));
            }
            *self = Self::default();
        }
        let peak = self.peak(height, settings.memory_blocks, subnet.price());
        let fall = peak.saturating_mul(u128::from(settings.drawdown_ppm)) / PPM;
        if held.is_empty() || subnet.price() > peak - fall {
            return None;
        }
        let keep = alpha.minus(Alpha(part(alpha.0, settings.sell_ppm)));
        let until = height.saturating_add(settings.cooldown_blocks);
        self.fright = Some(Fright { keep: Some(keep), until });
        Some(keep)
    }
}

/// A staker that does not sleep well.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Panic {
    settings: PanicSettings,
    trader: Trader,
    memories: BTreeMap<NetUid, Memory>,
}

impl Panic {
    /// A staker that has not started.
    pub const fn new(settings: PanicSettings) -> Self {
        Self { settings, trader: Trader::new(), memories: BTreeMap::new() }
    }

    fn look(&mut self, context: &mut Context<'_>) {
        let state = context.view.state();
        let terms = self.settings.terms();
        let holdings = terms.holdings(context);
        let mut calm = Vec::new();
        for (netuid, subnet) in traded(state, terms.netuids) {
            let held: Vec<&Holding> =
                holdings.iter().filter(|holding| holding.netuid == netuid).collect();
            let memory = self.memories.entry(netuid).or_default();
            match memory.feel(&self.settings, subnet, &held, state.height.0) {
                None => calm.push(netuid),
                Some(keep) => {
                    let mut left = keep;
                    for holding in held {
                        let stays = left.min(holding.alpha);
                        left = left.minus(stays);
                        let amount = holding.alpha.minus(stays);
                        if amount > Alpha::ZERO {
                            self.trader.sell(holding, amount, &terms, context);
                        }
                    }
                }
            }
        }
        self.memories.retain(|netuid, _| state.subnet(*netuid).is_some());
        let drawn = context.dice(DRAW_ORDER).below(calm.len() as u64) as usize;
        if let Some(netuid) = calm.get(drawn) {
            let spendable = self.trader.spendable(&terms, context);
            let amount = Rao(part(spendable.0, self.settings.order_ppm));
            self.trader.buy(*netuid, amount, &terms, context);
        }
    }
}

impl Machine for Panic {
    fn step(&mut self, input: &Input<'_>, context: &mut Context<'_>) {
        match self.trader.turn(input, &self.settings.terms(), Rhythm::Random, context) {
            Turn::Wait => {}
            Turn::Look => self.look(context),
            Turn::Leave => self.trader.sell_all(&self.settings.terms(), context),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::BehaviourSettings;
    use crate::staker::market::{
        give, market_with_money, orders, position, stage_with_whale, whale_buys, whale_sells,
        whale_sells_some,
    };

    fn settings() -> PanicSettings {
        PanicSettings {
            interval_blocks: 4,
            netuids: vec![NetUid(1)],
            drawdown_ppm: 150_000,
            memory_blocks: 80,
            cooldown_blocks: 60,
            ..PanicSettings::default()
        }
    }

    #[test]
    fn a_fall_makes_it_sell_stay_away_and_come_back() {
        // The price rises by a fifth and falls back.
        let calls = vec![(10, whale_buys(1, 1_000)), (30, whale_sells(1))];
        let mut state = market_with_money();
        give(&mut state, 1, 50);
        let mut stage = stage_with_whale(state, BehaviourSettings::Panic(settings()), calls);
        stage.play(30);
        assert!(position(&stage, 1) > Alpha::whole(400), "it buys while it is calm");
        assert_eq!(orders(&stage).get(&("sell", 1)), None);
        stage.play(20);
        assert_eq!(position(&stage, 1), Alpha::ZERO);
        let bought = orders(&stage)[&("buy", 1)];
        stage.play(38);
        assert_eq!(orders(&stage)[&("buy", 1)], bought, "it stays away");
        stage.play(25);
        assert!(position(&stage, 1) > Alpha::whole(100), "it is back");
        assert_eq!(stage.refusals(), [""; 0]);
    }

    #[test]
    fn it_sells_a_part_if_that_calms_it() {
        let calls = vec![(2, whale_buys(1, 1_000)), (30, whale_sells(1))];
        let mut state = market_with_money();
        give(&mut state, 1, 100);
        let settings = PanicSettings { sell_ppm: 400_000, budget_ppm: 0, ..settings() };
        let mut stage = stage_with_whale(state, BehaviourSettings::Panic(settings), calls);
        stage.play(60);
        let left = position(&stage, 1).0 / 1_000_000_000;
        assert!((60..64).contains(&left), "{left}");
        // Dividends do not count as what it still wants to sell.
        assert!(orders(&stage)[&("sell", 1)] <= 2);
        assert_eq!(stage.refusals(), [""; 0]);
    }

    #[test]
    fn a_fall_slower_than_its_memory_does_not_frighten_it() {
        for (memory_blocks, frightened) in [(400, true), (16, false)] {
            let steps = (0..10).map(|step| (40 + 20 * step, whale_sells_some(1, 900)));
            let calls = [(2, whale_buys(1, 1_000))].into_iter().chain(steps).collect();
            let mut state = market_with_money();
            give(&mut state, 1, 100);
            let settings =
                PanicSettings { memory_blocks, budget_ppm: 0, drawdown_ppm: 100_000, ..settings() };
            let mut stage = stage_with_whale(state, BehaviourSettings::Panic(settings), calls);
            stage.play(260);
            assert_eq!(!orders(&stage).is_empty(), frightened, "{memory_blocks}");
            assert_eq!(stage.refusals(), [""; 0]);
        }
    }

    #[test]
    fn a_peak_is_remembered_for_its_time() {
        let mut memory = Memory::default();
        for (height, price, peak) in
            [(0, 50, 50), (9, 90, 90), (40, 60, 90), (88, 60, 90), (100, 60, 60), (300, 10, 10)]
        {
            assert_eq!(memory.peak(height, 80, price), peak, "at {height}");
        }
    }
}
