//! `flow-recycler`: moves one capital in and out of a subnet again and again, out when the flow average turns down.

use super::{check_interval, settings, spendable, time_to_look};
use crate::machine::{Context, Input, Machine};
use crate::registry::{InvalidSetting, ppm, within};
use crate::staker::first_validator;
use crate::trade::Desk;
use protocol::rejection::Outcome;
use protocol::state::Subnet;
use protocol::units::{AccountId, BLOCKS_PER_DAY, NetUid, Rao};
use serde::{Deserialize, Serialize};

settings! {
    /// Settings of `flow-recycler`.
    FlowRecyclerSettings {
        /// The subnet it moves in and out of.
        netuid: NetUid = NetUid(1),
        /// What it moves, in rao, as far as it has it.
        amount_rao: Rao = Rao::whole(1_000),
        /// Blocks between two looks, on average.
        interval_blocks: u64 = 60,
        /// Blocks it stays in at most.
        in_blocks: u64 = BLOCKS_PER_DAY,
        /// Blocks it stays out.
        out_blocks: u64 = BLOCKS_PER_DAY,
        /// How far the flow average falls from its highest before it leaves, in millionths of that.
        fall_ppm: u32 = 10_000,
        /// How far an order may move the price, in millionths.
        slippage_ppm: u32 = 100_000,
        /// Free TAO it never spends, in rao.
        reserve_rao: Rao = Rao(100_000_000),
    }
}

impl FlowRecyclerSettings {
    /// Checks the values.
    ///
    /// # Errors
    /// The first setting it could not act on.
    pub fn check(&self) -> Result<(), InvalidSetting> {
        check_interval(self.interval_blocks)?;
        let year = 365 * BLOCKS_PER_DAY;
        within("in_blocks", self.in_blocks, 1..=year, "1 block to 1 year")?;
        within("out_blocks", self.out_blocks, 1..=year, "1 block to 1 year")?;
        ppm("fall_ppm", self.fall_ppm)?;
        ppm("slippage_ppm", self.slippage_ppm)
    }
}

/// Where its capital is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Capital {
    Out {
        since: u64,
    },
    In {
        since: u64,
        hotkey: AccountId,
        /// The highest flow average seen since, I64F64 bits.
        highest: i128,
    },
}

/// A staker that goes in circles.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlowRecycler {
    settings: FlowRecyclerSettings,
    /// Absent until it was in for the first time.
    capital: Option<Capital>,
    /// The state its capital is in if the order under way is done.
    open: Option<Capital>,
}

impl FlowRecycler {
    /// A staker that has not started.
    pub const fn new(settings: FlowRecyclerSettings) -> Self {
        Self { settings, capital: None, open: None }
    }

    fn look(&mut self, context: &mut Context<'_>) {
        let state = context.view.state();
        let Some(subnet) = state.subnet(self.settings.netuid) else { return };
        let height = state.height.0;
        match &mut self.capital {
            None => self.look_enter(subnet, height, context),
            Some(Capital::Out { since }) => {
                if height - *since >= self.settings.out_blocks {
                    self.look_enter(subnet, height, context);
                }
            }
            Some(Capital::In { since, hotkey, highest }) => {
                let average = average(subnet);
                *highest = average.max(*highest);
                let fall = highest.abs() / 1_000_000 * i128::from(self.settings.fall_ppm);
                let turned = average < *highest - fall;
                let (over, hotkey) = (height - *since >= self.settings.in_blocks, *hotkey);
                if turned || over {
                    self.look_leave(hotkey, height, context);
                }
            }
        }
    }

    fn look_enter(&mut self, subnet: &Subnet, height: u64, context: &mut Context<'_>) {
        let state = context.view.state();
        let free = spendable(state, &context.me.coldkey, self.settings.reserve_rao);
        let amount = self.settings.amount_rao.min(free);
        if let Some(hotkey) = first_validator(state, self.settings.netuid, subnet)
            && let Some(order) = self.desk(hotkey, context).buy(state, amount)
        {
            context.submit(context.me.coldkey, order.call);
            let highest = average(subnet);
            self.open = Some(Capital::In { since: height, hotkey, highest });
        }
    }

    /// Sells all it has; what a limit leaves goes with the next look.
    fn look_leave(&mut self, hotkey: AccountId, height: u64, context: &mut Context<'_>) {
        let state = context.view.state();
        let desk = self.desk(hotkey, context);
        match desk.sell(state, desk.held(state)) {
            Some(order) => {
                context.submit(context.me.coldkey, order.call);
                self.open = None;
            }
            // Nothing is left that the chain would take.
            None => self.capital = Some(Capital::Out { since: height }),
        }
    }

    const fn desk(&self, hotkey: AccountId, context: &Context<'_>) -> Desk {
        let FlowRecyclerSettings { netuid, slippage_ppm, .. } = self.settings;
        Desk { netuid, hotkey, coldkey: context.me.coldkey, slippage_ppm }
    }
}

/// The subnet's flow average, I64F64 bits; nothing before the first.
fn average(subnet: &Subnet) -> i128 {
    subnet.fast.flow_average.map_or(0, |(_, average)| average)
}

impl Machine for FlowRecycler {
    fn step(&mut self, input: &Input<'_>, context: &mut Context<'_>) {
        match input {
            Input::Start | Input::Timer { .. } => {
                if time_to_look(input, 0, self.settings.interval_blocks, context) {
                    self.look(context);
                }
            }
            Input::Receipt(receipt) => {
                if let (Some(next), Outcome::Ok) = (self.open.take(), receipt.outcome) {
                    self.capital = Some(next);
                }
            }
            Input::Message(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::BehaviourSettings;
    use crate::staker::market::{market_with_money, orders, position, stage, staker};
    use protocol::units::Alpha;

    #[test]
    fn its_capital_goes_round_and_the_flow_average_with_it() {
        let settings = FlowRecyclerSettings {
            netuid: NetUid(2),
            amount_rao: Rao::whole(90),
            interval_blocks: 3,
            in_blocks: 20,
            out_blocks: 30,
            ..Default::default()
        };
        let player = BehaviourSettings::FlowRecycler(settings);
        let mut state = market_with_money();
        // A fast average: a tenth of it is the last block's flow.
        state.global.flow_smoothing = (i64::MAX / 10) as u64;
        let mut stage = stage(state, staker(), player);
        let (mut highest, mut lowest, mut ins) = (0, 0, 0);
        let mut was_in = false;
        for _ in 0..200 {
            stage.play(1);
            let flow = average(&stage.state.subnets[&NetUid(2)]);
            (highest, lowest) = (flow.max(highest), flow.min(lowest));
            let is_in = position(&stage, 2) > Alpha::ZERO;
            ins += u32::from(is_in && !was_in);
            was_in = is_in;
        }
        assert!(highest > 1 << 64 && lowest < -(1 << 64), "{highest} {lowest}");
        let orders = orders(&stage);
        let (bought, sold) = (orders[&("buy", 2)], orders[&("sell", 2)]);
        assert!(ins >= 3 && bought == ins as usize && sold + 1 >= bought, "{bought} {sold} {ins}");
        assert_eq!(stage.refusals(), [""; 0]);
    }

    #[test]
    fn while_its_flow_stands_it_stays_until_its_time_is_over() {
        let settings = FlowRecyclerSettings {
            amount_rao: Rao::whole(50),
            interval_blocks: 3,
            in_blocks: 100,
            fall_ppm: 1_000_000,
            ..Default::default()
        };
        let player = BehaviourSettings::FlowRecycler(settings);
        let mut stage = stage(market_with_money(), staker(), player);
        stage.play(90);
        assert_eq!(orders(&stage).into_iter().collect::<Vec<_>>(), [(("buy", 1), 1)]);
        stage.play(40);
        assert_eq!(position(&stage, 1), Alpha::ZERO);
    }
}
