//! `treasurer`: an owner that plays its own token: it buys alpha for a time, holds a treasury and its cut, and then
//! sells in parts. Allowed by every rule; what it does wrong is that others pay for it.

use super::estate::{Behind, Errand, Estate, Turn, blocks_between, held, own};
use crate::machine::{Context, Input, Machine};
use crate::registry::{InvalidSetting, ppm, within};
use crate::trade::part;
use protocol::units::{Alpha, BLOCKS_PER_DAY, NetUid, Rao};
use serde::{Deserialize, Serialize};

/// Settings of `treasurer`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TreasurerSettings {
    /// Blocks between two orders, at least; an order comes after an epoch.
    pub interval_blocks: u64,
    /// TAO that it spends on its own alpha, in rao.
    pub pump_rao: Rao,
    /// Blocks from its start until it begins to buy.
    pub pump_from_blocks: u64,
    /// Blocks over which it buys, evenly.
    pub pump_blocks: u64,
    /// Free TAO it never spends, in rao.
    pub treasury_rao: Rao,
    /// Blocks from its start until it begins to sell; absent for never.
    pub dump_from_blocks: Option<u64>,
    /// Part of its alpha that it sells per order, in millionths.
    pub dump_ppm: u32,
    /// How far an order may move the price, in millionths.
    pub slippage_ppm: u32,
}

impl Default for TreasurerSettings {
    fn default() -> Self {
        Self {
            interval_blocks: 720,
            pump_rao: Rao::whole(1_000),
            pump_from_blocks: 0,
            pump_blocks: 7 * BLOCKS_PER_DAY,
            treasury_rao: Rao::whole(10),
            dump_from_blocks: Some(14 * BLOCKS_PER_DAY),
            dump_ppm: 100_000,
            slippage_ppm: 100_000,
        }
    }
}

impl TreasurerSettings {
    /// Checks the values.
    ///
    /// # Errors
    /// The first setting it could not act on.
    pub fn check(&self) -> Result<(), InvalidSetting> {
        let year = 365 * BLOCKS_PER_DAY;
        within("interval_blocks", self.interval_blocks, 1..=year, "1 block to 1 year")?;
        within("pump_blocks", self.pump_blocks, 1..=u64::MAX, "1 block or more")?;
        ppm("dump_ppm", self.dump_ppm)?;
        ppm("slippage_ppm", self.slippage_ppm)
    }
}

/// An owner that buys its own alpha and sells it later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Treasurer {
    settings: TreasurerSettings,
    estate: Estate,
    started_ms: u64,
    /// TAO given to orders that buy.
    spent: Rao,
}

impl Treasurer {
    /// An owner that has not started.
    pub const fn new(settings: TreasurerSettings) -> Self {
        let estate = Estate::new(settings.slippage_ppm);
        Self { settings, estate, started_ms: 0, spent: Rao::ZERO }
    }

    fn look(&mut self, context: &mut Context<'_>) {
        self.spent = self.spent.minus(self.estate.unspent());
        let age = blocks_between(self.started_ms, context.now_ms);
        let dumps = self.settings.dump_from_blocks.is_some_and(|from| age >= from);
        for netuid in own(context) {
            let errand = if dumps {
                let alpha = Alpha(part(held(netuid, context).0, self.settings.dump_ppm));
                Some(Errand::Sell { netuid, alpha })
            } else {
                self.look_pump(age, netuid, context)
            };
            errand.into_iter().for_each(|errand| self.estate.plan(errand));
        }
        self.estate.run(context);
    }

    /// Brings what it has spent up to what it should have spent by now.
    fn look_pump(&mut self, age: u64, netuid: NetUid, context: &Context<'_>) -> Option<Errand> {
        let Self { settings, .. } = self;
        let elapsed = age.saturating_sub(settings.pump_from_blocks).min(settings.pump_blocks);
        let due = u128::from(settings.pump_rao.0) * u128::from(elapsed);
        let due = Rao((due / u128::from(settings.pump_blocks.max(1))) as u64);
        let free = context.view.state().free(&context.me.coldkey);
        let rao = due.minus(self.spent).min(free.minus(settings.treasury_rao));
        let hotkey = Behind::Owner.hotkey(netuid, context)?;
        self.spent = self.spent.plus(rao);
        (rao > Rao::ZERO).then_some(Errand::Buy { netuid, hotkey, rao })
    }
}

impl Machine for Treasurer {
    fn step(&mut self, input: &Input<'_>, context: &mut Context<'_>) {
        if matches!(input, Input::Start) {
            self.started_ms = context.now_ms;
        }
        if self.estate.turn(input, self.settings.interval_blocks, context) == Turn::Look {
            self.look(context);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::owner::estate::tests::plot;
    use crate::registry::BehaviourSettings;

    #[test]
    fn it_pumps_evenly_keeps_its_treasury_and_then_dumps_in_parts() {
        let settings = TreasurerSettings {
            interval_blocks: 10,
            pump_rao: Rao::whole(400),
            pump_blocks: 44,
            treasury_rao: Rao::whole(700),
            dump_from_blocks: Some(88),
            dump_ppm: 500_000,
            ..TreasurerSettings::default()
        };
        let mut plot = plot(BehaviourSettings::Treasurer(settings));
        let price = |stage: &crate::stage::Stage| stage.state.subnets[&NetUid(1)].price();
        let before = price(&plot.stage);
        plot.stage.play(80);
        let bought = plot.orders("add_stake_limit");
        assert!(bought.len() >= 3, "{bought:?}");
        assert_eq!(bought.iter().sum::<u64>(), 300_000_000_000, "1,000 less its treasury");
        assert!(plot.orders("remove_stake_limit").is_empty());
        let pumped = price(&plot.stage);
        plot.stage.play(60);
        assert!(plot.orders("remove_stake_limit").len() >= 3);
        assert_eq!(plot.orders("add_stake_limit"), bought, "and buys no more");
        let dumped = price(&plot.stage);
        assert!(before < pumped && dumped < pumped, "{before} {pumped} {dumped}");
        assert_eq!(plot.stage.refusals(), [""; 0]);
    }
}
