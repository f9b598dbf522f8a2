//! `absentee`: an owner that started a subnet and left it alone. It sells its whole cut and does nothing else.

use super::estate::{Errand, Estate, Turn, own};
use crate::machine::{Context, Input, Machine};
use crate::registry::{InvalidSetting, ppm, within};
use protocol::units::BLOCKS_PER_DAY;
use serde::{Deserialize, Serialize};

/// Settings of `absentee`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AbsenteeSettings {
    /// Blocks between two sales, at least; a sale comes after an epoch.
    pub interval_blocks: u64,
    /// How far a sale may move the price, in millionths.
    pub slippage_ppm: u32,
}

impl Default for AbsenteeSettings {
    fn default() -> Self {
        Self { interval_blocks: BLOCKS_PER_DAY, slippage_ppm: 50_000 }
    }
}

impl AbsenteeSettings {
    /// Checks the values.
    ///
    /// # Errors
    /// The first setting it could not act on.
    pub fn check(&self) -> Result<(), InvalidSetting> {
        let year = 365 * BLOCKS_PER_DAY;
        within("interval_blocks", self.interval_blocks, 1..=year, "1 block to 1 year")?;
        ppm("slippage_ppm", self.slippage_ppm)
    }
}

/// An owner that sells its cut.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Absentee {
    settings: AbsenteeSettings,
    estate: Estate,
}

impl Absentee {
    /// An owner that has not started.
    pub const fn new(settings: AbsenteeSettings) -> Self {
        let estate = Estate::new(settings.slippage_ppm);
        Self { settings, estate }
    }
}

impl Machine for Absentee {
    fn step(&mut self, input: &Input<'_>, context: &mut Context<'_>) {
        if self.estate.turn(input, self.settings.interval_blocks, context) == Turn::Look {
            for netuid in own(context) {
                let alpha = self.estate.gained(netuid, context);
                self.estate.plan(Errand::Sell { netuid, alpha });
            }
            self.estate.run(context);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::owner::estate::tests::plot;
    use crate::registry::BehaviourSettings;
    use protocol::units::{Alpha, NetUid};

    #[test]
    fn it_sells_what_its_cut_brings_and_keeps_what_it_had() {
        let settings = AbsenteeSettings { interval_blocks: 10, ..AbsenteeSettings::default() };
        let mut plot = plot(BehaviourSettings::Absentee(settings));
        let held = |plot: &crate::owner::estate::tests::Plot| {
            plot.stage.state.stake(&plot.owner.hotkey, &plot.owner.coldkey, NetUid(1))
        };
        let before = held(&plot);
        plot.stage.play(9 * 11);
        assert!(plot.orders("remove_stake_limit").len() >= 4);
        // One epoch's cut may not be sold yet: eleven blocks of 0.18 alpha.
        let left = held(&plot).minus(before);
        assert!(held(&plot) >= before && left < Alpha::whole(3), "{left}");
        let own = plot.stage.records.iter().filter(|record| record.player == plot.owner.id);
        let mut names: Vec<&str> = own.map(|record| record.call.name()).collect();
        names.dedup();
        assert_eq!(names, ["start_call", "remove_stake_limit"]);
        assert_eq!(plot.stage.refusals(), [""; 0]);
    }
}
