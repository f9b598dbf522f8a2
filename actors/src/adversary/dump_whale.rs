//! `dump-whale`: sells all it holds, or a part of all, in one block at any price.

use super::settings;
use crate::machine::{Context, Input, Machine};
use crate::registry::{InvalidSetting, within};
use crate::staker::holdings;
use crate::trade::{Desk, part};
use protocol::call::Call;
use protocol::units::{Alpha, BLOCK_MS, BLOCKS_PER_DAY, NetUid};
use serde::{Deserialize, Serialize};

/// Any price.
const ANY_PPM: u32 = 1_000_000;

settings! {
    /// Settings of `dump-whale`.
    DumpWhaleSettings {
        /// Blocks from its start until it sells.
        dump_after_blocks: u64 = BLOCKS_PER_DAY,
        /// Part of each holding that it sells, in millionths.
        dump_ppm: u32 = 1_000_000,
        /// Subnets on which it sells; none means all that trade but root.
        netuids: Vec<NetUid> = Vec::new(),
    }
}

impl DumpWhaleSettings {
    /// Checks the values.
    ///
    /// # Errors
    /// The first setting it could not act on.
    pub fn check(&self) -> Result<(), InvalidSetting> {
        within("dump_ppm", self.dump_ppm.into(), 1..=1_000_000, "1 to 1000000 (a whole)")
    }
}

/// A staker that dumps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DumpWhale {
    settings: DumpWhaleSettings,
}

impl DumpWhale {
    /// A staker that has not started.
    pub const fn new(settings: DumpWhaleSettings) -> Self {
        Self { settings }
    }

    fn dump(&self, context: &mut Context<'_>) {
        let (state, coldkey) = (context.view.state(), context.me.coldkey);
        for holding in holdings(context, &self.settings.netuids) {
            let (netuid, hotkey) = (holding.netuid, holding.hotkey);
            let call = if self.settings.dump_ppm == ANY_PPM {
                // All of it, what comes in before as well.
                Some(Call::RemoveStakeFullLimit { hotkey, netuid, limit_price: None })
            } else {
                let amount = Alpha(part(holding.alpha.0, self.settings.dump_ppm));
                let desk = Desk { netuid, hotkey, coldkey, slippage_ppm: ANY_PPM };
                desk.sell(state, amount).map(|order| order.call)
            };
            if let Some(call) = call {
                context.submit(coldkey, call);
            }
        }
    }
}

impl Machine for DumpWhale {
    fn step(&mut self, input: &Input<'_>, context: &mut Context<'_>) {
        match input {
            Input::Start => {
                let wait_ms = self.settings.dump_after_blocks.saturating_mul(BLOCK_MS);
                context.wake(context.now_ms.saturating_add(wait_ms), 0);
            }
            Input::Timer { .. } => self.dump(context),
            Input::Message(_) | Input::Receipt(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::BehaviourSettings;
    use crate::staker::market::{free, give, market, orders, position, stage, staker};
    use protocol::units::Rao;

    #[test]
    fn it_sells_at_once_and_the_price_falls() {
        for (dump_ppm, left, range) in [(1_000_000, 0, 2..3), (500_000, 50_000, 4..5)] {
            let mut state = market();
            give(&mut state, 1, 100_000);
            give(&mut state, 3, 10);
            let settings =
                DumpWhaleSettings { dump_after_blocks: 20, dump_ppm, netuids: vec![NetUid(1)] };
            let mut stage = stage(state, staker(), BehaviourSettings::DumpWhale(settings));
            let price = |stage: &crate::stage::Stage| stage.state.subnets[&NetUid(1)].price();
            stage.play(20);
            let before = price(&stage);
            assert!(stage.records.is_empty(), "it holds");
            stage.play(1);
            let after = price(&stage);
            assert!(range.contains(&(after * 10 / before)), "{before} {after}");
            stage.play(40);
            assert_eq!(orders(&stage).into_iter().collect::<Vec<_>>(), [(("sell", 1), 1)]);
            let kept = position(&stage, 1).0 / 1_000_000_000;
            assert!((left..=left + left / 100).contains(&kept), "with its dividends {kept}");
            assert!(position(&stage, 3) >= Alpha::whole(10), "not on other subnets");
            assert!(free(&stage) > Rao::whole(3_000));
            assert_eq!(stage.refusals(), [""; 0]);
        }
    }
}
