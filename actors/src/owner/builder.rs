//! `builder`: an owner with a product. What customers pay it buys its own alpha with, in part; it lives on a part of
//! its cut.

use super::estate::{Behind, Errand, Estate, Turn, own};
use crate::machine::{Context, Input, Machine};
use crate::registry::{InvalidSetting, ppm, within};
use crate::trade::part;
use protocol::units::{Alpha, BLOCKS_PER_DAY, Rao};
use serde::{Deserialize, Serialize};

/// Settings of `builder`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BuilderSettings {
    /// Blocks between two looks at what came in, at least; a look comes after an epoch.
    pub interval_blocks: u64,
    /// Part of what came in with which it buys its own alpha, in millionths.
    pub buyback_ppm: u32,
    /// Part of its cut that it sells, in millionths.
    pub salary_ppm: u32,
    /// How far an order may move the price, in millionths.
    pub slippage_ppm: u32,
    /// Behind whom it buys.
    pub behind: Behind,
}

impl Default for BuilderSettings {
    fn default() -> Self {
        Self {
            interval_blocks: BLOCKS_PER_DAY,
            buyback_ppm: 500_000,
            salary_ppm: 300_000,
            slippage_ppm: 20_000,
            behind: Behind::Owner,
        }
    }
}

impl BuilderSettings {
    /// Checks the values.
    ///
    /// # Errors
    /// The first setting it could not act on.
    pub fn check(&self) -> Result<(), InvalidSetting> {
        let year = 365 * BLOCKS_PER_DAY;
        within("interval_blocks", self.interval_blocks, 1..=year, "1 block to 1 year")?;
        ppm("buyback_ppm", self.buyback_ppm)?;
        ppm("salary_ppm", self.salary_ppm)?;
        ppm("slippage_ppm", self.slippage_ppm)
    }
}

/// An owner with a product.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Builder {
    settings: BuilderSettings,
    estate: Estate,
    /// TAO set aside for its own alpha.
    fund: Rao,
}

impl Builder {
    /// An owner that has not started.
    pub const fn new(settings: BuilderSettings) -> Self {
        let estate = Estate::new(settings.slippage_ppm);
        Self { settings, estate, fund: Rao::ZERO }
    }

    fn look(&mut self, context: &mut Context<'_>) {
        let share = part(self.estate.income(context).0, self.settings.buyback_ppm);
        self.fund = self.fund.plus(self.estate.unspent()).plus(Rao(share));
        if let [netuid] = own(context)[..] {
            let gained = self.estate.gained(netuid, context);
            let alpha = Alpha(part(gained.0, self.settings.salary_ppm));
            // The sale comes first: what was bought in a block cannot leave in it.
            self.estate.plan(Errand::Sell { netuid, alpha });
            if let Some(hotkey) = self.settings.behind.hotkey(netuid, context) {
                let rao = std::mem::take(&mut self.fund);
                self.estate.plan(Errand::Buy { netuid, hotkey, rao });
            }
        }
        self.estate.run(context);
    }
}

impl Machine for Builder {
    fn step(&mut self, input: &Input<'_>, context: &mut Context<'_>) {
        if self.estate.turn(input, self.settings.interval_blocks, context) == Turn::Look {
            self.look(context);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::owner::estate::tests::{Plot, plot};
    use crate::registry::BehaviourSettings;
    use protocol::units::NetUid;

    fn settings() -> BuilderSettings {
        BuilderSettings { interval_blocks: 20, slippage_ppm: 100_000, ..Default::default() }
    }

    #[test]
    fn it_starts_its_subnet_and_buys_with_a_part_of_what_comes_in() {
        let mut plot = plot(BehaviourSettings::Builder(settings()));
        let before = plot.stage.state.free(&plot.owner.coldkey);
        plot.stage.play(12);
        assert_eq!(plot.stage.count("start_call"), 1);
        plot.stage.pay(plot.owner.coldkey, Rao::whole(100));
        plot.stage.play(44);
        assert_eq!(plot.stage.refusals(), [""; 0]);
        let bought = plot.orders("add_stake_limit");
        assert_eq!(bought, [50_000_000_000], "half of what came in, once");
        let free = plot.stage.state.free(&plot.owner.coldkey);
        assert!(free > before.plus(Rao::whole(50)), "it keeps the rest, and its salary");
        let Plot { stage, owner } = &plot;
        let held = stage.state.stake(&owner.hotkey, &owner.coldkey, NetUid(1));
        assert!(held > Alpha::whole(400), "{held}");
    }

    #[test]
    fn it_sells_its_salary_of_the_cut_and_nothing_of_what_it_bought() {
        let mut plot = plot(BehaviourSettings::Builder(settings()));
        plot.stage.play(12);
        plot.stage.pay(plot.owner.coldkey, Rao::whole(100));
        plot.stage.play(66);
        let sold = plot.orders("remove_stake_limit");
        // Of 18 % of an alpha per block, for three epochs before the first look and two from each to the next.
        let expected = [29, 22, 22].map(|blocks| blocks * 180_000_000 * 3 / 10);
        let near = |(sold, expected): (&u64, &u64)| sold.abs_diff(*expected) < expected / 1_000;
        assert_eq!(sold.len(), 3, "{sold:?}");
        assert!(sold.iter().zip(&expected).all(near), "{sold:?} {expected:?}");
        assert_eq!(plot.stage.refusals(), [""; 0]);
    }

    #[test]
    fn it_can_buy_behind_the_first_validator() {
        let behind = Behind::Validator;
        let settings = BuilderSettings { behind, ..settings() };
        let mut plot = plot(BehaviourSettings::Builder(settings));
        plot.stage.play(12);
        plot.stage.pay(plot.owner.coldkey, Rao::whole(100));
        plot.stage.play(44);
        let validator = crate::stage::identity("validators", 0, None).hotkey;
        let held = plot.stage.state.stake(&validator, &plot.owner.coldkey, NetUid(1));
        assert!(held > Alpha::whole(400), "{held}");
    }
}
