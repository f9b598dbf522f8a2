//! `index`: keeps a share of its wealth on root.

use super::{Orders, check_orders, holdings, largest, part};
use crate::machine::{Context, Input, Machine};
use crate::registry::{InvalidSetting, ppm};
use protocol::units::{Alpha, BLOCKS_PER_DAY, NetUid, Rao};
use serde::{Deserialize, Serialize};

/// Settings of `index`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct IndexSettings {
    /// Mean blocks between two looks.
    pub interval_blocks: u64,
    /// An order at most, in millionths of spendable TAO (in) or of the position (out).
    pub order_ppm: u32,
    /// Free TAO it never spends, in rao.
    pub reserve_rao: Rao,
    /// Root's share of free TAO and root stake that it aims at, in millionths.
    pub target_ppm: u32,
    /// How far the share may stray before it acts, in millionths of wealth.
    pub band_ppm: u32,
}

impl Default for IndexSettings {
    fn default() -> Self {
        Self {
            interval_blocks: BLOCKS_PER_DAY,
            order_ppm: 200_000,
            reserve_rao: Rao(100_000_000),
            target_ppm: 800_000,
            band_ppm: 20_000,
        }
    }
}

impl IndexSettings {
    /// Checks the values.
    ///
    /// # Errors
    /// The first setting it could not act on.
    pub fn check(&self) -> Result<(), InvalidSetting> {
        check_orders(self.interval_blocks, self.order_ppm)?;
        ppm("target_ppm", self.target_ppm)?;
        ppm("band_ppm", self.band_ppm)
    }
}

/// A staker that keeps a share of its wealth on root.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Index {
    settings: IndexSettings,
    orders: Orders,
}

impl Index {
    /// A staker that has not started.
    pub const fn new(settings: IndexSettings) -> Self {
        let orders = Orders { open: 0 };
        Self { settings, orders }
    }

    fn trade(&mut self, context: &mut Context<'_>) {
        let settings = &self.settings;
        let free = context.view.state().free(&context.me.coldkey);
        let holdings = holdings(context, &[NetUid::ROOT]);
        let held = holdings.iter().fold(Rao::ZERO, |sum, holding| sum.plus(holding.worth));
        let wealth = free.plus(held);
        let target = part(wealth.0, settings.target_ppm);
        let band = part(wealth.0, settings.band_ppm);
        if target > held.0.saturating_add(band) {
            let spendable = free.minus(settings.reserve_rao);
            let most = part(spendable.0, settings.order_ppm);
            let amount = Rao(most.min(target - held.0));
            self.orders.buy(NetUid::ROOT, amount, context);
        } else if held.0 > target.saturating_add(band) {
            let Some(largest) = largest(&holdings) else {
                return;
            };
            // On root alpha and rao are one to one.
            let most = part(largest.alpha.0, settings.order_ppm);
            let amount = Alpha(most.min(held.0 - target));
            self.orders.sell(largest, amount, context);
        }
    }
}

impl Machine for Index {
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
    use crate::stage::{fund, identity, stake};
    use crate::staker::market::{held, market, stage};

    const INTERVAL: u64 = 5;

    #[test]
    fn the_index_tops_up_and_trims_to_its_share() {
        let first = identity("validators", 1, None).hotkey;
        let settings = IndexSettings { interval_blocks: INTERVAL, ..IndexSettings::default() };
        for (free, on_root, call) in [(100, 0, "add_stake"), (10, 90, "remove_stake")] {
            let who = identity("stakers", 0, None);
            let mut state = market();
            fund(&mut state, &who, Rao::whole(free));
            if on_root > 0 {
                stake(&mut state, &who, first, NetUid::ROOT, Alpha::whole(on_root));
            }
            let mut stage = stage(state, who.clone(), BehaviourSettings::Index(settings.clone()));
            stage.play(200);
            let root = held(&stage, &who, NetUid::ROOT).0;
            let share_ppm = root / ((free + on_root) * 1_000);
            assert!((779_000..=821_000).contains(&share_ppm), "{call}: {share_ppm}");
            assert_eq!(stage.count(call), stage.records.len(), "nothing but {call}");
            assert_eq!(stage.refusals(), [""; 0]);
        }
    }
}
