//! How somebody comes to a majority: it buys stake behind its own hotkey until it has a part of all stake weight on a subnet.
//!
//! What belongs here: how much is held and the next order. What does not: what a majority is used for.

use super::{check_interval, own_subnet, settings, spendable};
use crate::machine::Context;
use crate::registry::{InvalidSetting, ppm, within};
use crate::trade::{Desk, part};
use protocol::call::Call;
use protocol::state::Subnet;
use protocol::units::{BLOCK_MS, NetUid, Rao};
use protocol::weights::stake_weight;

settings! {
    /// How a majority is bought.
    MajoritySettings {
        /// Part of all stake weight on the subnet that it wants, in millionths.
        share_ppm: u32 = 510_000,
        /// Part of its spendable TAO that an order is of, in millionths.
        order_ppm: u32 = 200_000,
        /// Blocks between two orders.
        interval_blocks: u64 = 100,
        /// How far an order may move the price, in millionths.
        slippage_ppm: u32 = 50_000,
        /// Free TAO it never spends, in rao.
        reserve_rao: Rao = Rao(100_000_000),
    }
}

impl MajoritySettings {
    /// Checks the values.
    ///
    /// # Errors
    /// The first setting nobody could act on.
    pub fn check(&self) -> Result<(), InvalidSetting> {
        ppm("share_ppm", self.share_ppm)?;
        check_interval(self.interval_blocks)?;
        within("order_ppm", self.order_ppm.into(), 1..=1_000_000, "1 to 1000000 (a whole)")?;
        ppm("slippage_ppm", self.slippage_ppm)
    }

    /// Whether the player has what it wants.
    pub fn held(&self, subnet: &Subnet, context: &Context<'_>) -> bool {
        share_ppm(subnet, context) >= u128::from(self.share_ppm)
    }

    /// Submits the next order on the way there, and wakes the player for the one after.
    pub fn pursue(&self, tag: u64, context: &mut Context<'_>) {
        let call = own_subnet(context)
            .and_then(|(netuid, subnet)| self.pursue_order(netuid, subnet, context));
        if let Some(call) = call {
            context.submit(context.me.coldkey, call);
        }
        let wait_ms = self.interval_blocks.saturating_mul(BLOCK_MS);
        context.wake(context.now_ms.saturating_add(wait_ms), tag);
    }

    /// An order, if the player can pay for one that the chain would fill.
    fn pursue_order(&self, netuid: NetUid, subnet: &Subnet, context: &Context<'_>) -> Option<Call> {
        let (state, me) = (context.view.state(), context.me);
        let (hotkey, coldkey, slippage_ppm) = (me.hotkey, me.coldkey, self.slippage_ppm);
        let free = spendable(state, &coldkey, self.reserve_rao);
        let amount = Rao(part(free.0, self.order_ppm));
        let desk = Desk { netuid, hotkey, coldkey, slippage_ppm };
        let wants = !self.held(subnet, context);
        wants.then(|| desk.buy(state, amount)).flatten().map(|order| order.call)
    }
}

/// The player's part of the stake weight of all neurons of a subnet, in millionths and rounded down.
fn share_ppm(subnet: &Subnet, context: &Context<'_>) -> u128 {
    let state = context.view.state();
    let of = |hotkey| u128::try_from(stake_weight(state, subnet, hotkey) >> 64).unwrap_or(0);
    let all: u128 = subnet.neurons.hotkeys.iter().map(of).sum();
    of(&context.me.hotkey) * 1_000_000 / all.max(1)
}
