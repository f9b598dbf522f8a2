//! `dereg-sniper`: sells a subnet's alpha until its moving price is the lowest, then registers one in its slot.
//!
//! The chain removes the subnet with the lowest moving price for a new one when all slots are taken.

use super::{check_interval, settings, spendable, time_to_look};
use crate::entrant::{is_full, open_cost, registration};
use crate::machine::{Context, Input, Machine};
use crate::registry::{InvalidSetting, ppm};
use crate::staker::holdings;
use crate::trade::{Desk, part};
use protocol::registration::prune_candidate;
use protocol::state::State;
use protocol::units::{Alpha, NetUid, Rao};
use serde::{Deserialize, Serialize};

settings! {
    /// Settings of `dereg-sniper`.
    DeregSniperSettings {
        /// The subnet it wants to be removed; absent for the one with the lowest moving price of those that it holds.
        victim: Option<NetUid> = None,
        /// Blocks between two looks, on average.
        interval_blocks: u64 = 60,
        /// Part of its holding that it sells per look, in millionths.
        sell_ppm: u32 = 250_000,
        /// How far a sale may move the price, in millionths.
        slippage_ppm: u32 = 500_000,
        /// The most it pays for the slot, in rao.
        price_max_rao: Rao = Rao::whole(3_000),
        /// Free TAO it never spends, in rao.
        reserve_rao: Rao = Rao(100_000_000),
    }
}

impl DeregSniperSettings {
    /// Checks the values.
    ///
    /// # Errors
    /// The first setting it could not act on.
    pub fn check(&self) -> Result<(), InvalidSetting> {
        check_interval(self.interval_blocks)?;
        ppm("sell_ppm", self.sell_ppm)?;
        ppm("slippage_ppm", self.slippage_ppm)
    }
}

/// Somebody who has a subnet removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeregSniper {
    settings: DeregSniperSettings,
    /// The victim and its block of registration, once it is chosen.
    victim: Option<(NetUid, u64)>,
}

impl DeregSniper {
    /// One that has not started.
    pub const fn new(settings: DeregSniperSettings) -> Self {
        Self { settings, victim: None }
    }

    fn look(&mut self, context: &mut Context<'_>) {
        let state = context.view.state();
        if self.victim.is_none() {
            let chosen = self.settings.victim.or_else(|| lowest_held(context));
            self.victim = chosen.and_then(|netuid| known(state, netuid));
        }
        let Some((netuid, _)) = self.victim else { return };
        if known(state, netuid) != self.victim {
            // It is gone: it is done.
            return;
        }
        if is_full(state) && prune_candidate(state) == Some(netuid) {
            self.look_register(context);
        } else {
            self.look_push(netuid, context);
        }
    }

    fn look_register(&self, context: &mut Context<'_>) {
        let (state, coldkey) = (context.view.state(), context.me.coldkey);
        let most = self.settings.price_max_rao;
        let most = most.min(spendable(state, &coldkey, self.settings.reserve_rao));
        if open_cost(state).is_some_and(|cost| cost <= most) {
            let call = registration(context);
            context.submit(coldkey, call);
        }
    }

    /// Sells into the victim: its moving price follows.
    fn look_push(&self, netuid: NetUid, context: &mut Context<'_>) {
        let (state, coldkey) = (context.view.state(), context.me.coldkey);
        let slippage_ppm = self.settings.slippage_ppm;
        for holding in holdings(context, &[netuid]) {
            let desk = Desk { netuid, hotkey: holding.hotkey, coldkey, slippage_ppm };
            let amount = Alpha(part(holding.alpha.0, self.settings.sell_ppm));
            if let Some(order) = desk.sell(state, amount) {
                context.submit(coldkey, order.call);
            }
        }
    }
}

/// A subnet as itself, not as another that has its netuid later.
fn known(state: &State, netuid: NetUid) -> Option<(NetUid, u64)> {
    state.subnet(netuid).map(|subnet| (netuid, subnet.info.registered_at))
}

/// Of the subnets that the player holds something on, the one with the lowest moving price; of equals the lowest.
fn lowest_held(context: &Context<'_>) -> Option<NetUid> {
    let state = context.view.state();
    let price = |netuid: NetUid| state.subnet(netuid).map(|subnet| subnet.moving_price());
    let held = holdings(context, &[]).into_iter().map(|holding| holding.netuid);
    held.min_by_key(|netuid| (price(*netuid), *netuid))
}

impl Machine for DeregSniper {
    fn step(&mut self, input: &Input<'_>, context: &mut Context<'_>) {
        if time_to_look(input, 0, self.settings.interval_blocks, context) {
            self.look(context);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adversary::DumpWhaleSettings;
    use crate::registry::BehaviourSettings;
    use crate::stage::{Stage, fund, identity, stake};
    use crate::staker::market::{market, stage};
    use protocol::state::State;

    /// Three subnets are all there may be. The second has the lowest moving price; the sniper holds much of the third.
    fn state() -> State {
        let who = identity("snipers", 0, None);
        let mut state = market();
        state.height.0 = 1_000;
        state.global.subnet_limit = 3;
        state.global.network_rate_limit = 1;
        state.global.network_immunity_period = 0;
        state.global.network_last_lock_block = 500;
        // The moving price is near the spot price after few blocks.
        state.global.moving_alpha = 1 << 31;
        for netuid in (1..=3).map(NetUid) {
            let subnet = state.subnets.get_mut(&netuid).expect("it was made");
            subnet.fast.moving_price = if netuid == NetUid(2) { 1 << 28 } else { 1 << 29 };
            subnet.params.ema_price_halving_blocks = 1;
            subnet.info.registered_at = 100;
        }
        let validator = identity("validators", 1, None).hotkey;
        stake(&mut state, &who, validator, NetUid(3), Alpha::whole(60_000));
        fund(&mut state, &who, Rao::whole(3_000));
        state
    }

    fn sniped(settings: DeregSniperSettings) -> Stage {
        let who = identity("snipers", 0, None);
        stage(state(), who, BehaviourSettings::DeregSniper(settings))
    }

    #[test]
    fn its_victim_falls_to_the_last_rank_and_is_removed_for_its_own_subnet() {
        let settings = DeregSniperSettings {
            interval_blocks: 2,
            victim: Some(NetUid(3)),
            ..Default::default()
        };
        let mut stage = sniped(settings);
        assert_ne!(prune_candidate(&stage.state), Some(NetUid(3)));
        let who = identity("snipers", 0, None);
        let owner =
            |stage: &Stage| stage.state.subnet(NetUid(3)).and_then(|subnet| subnet.info.owner);
        let mut blocks = 0;
        while owner(&stage) != Some(who.coldkey) {
            stage.play(1);
            blocks += 1;
            assert!(blocks < 300, "it takes too long");
        }
        assert!(stage.count("remove_stake_limit") >= 1, "it sold into the victim before");
        // Had it only held, another would have gone.
        let holds = DumpWhaleSettings { dump_after_blocks: 10_000, ..Default::default() };
        let mut held =
            crate::staker::market::stage(state(), who.clone(), BehaviourSettings::DumpWhale(holds));
        held.play(blocks);
        assert_ne!(prune_candidate(&held.state), Some(NetUid(3)));
        assert_eq!(stage.count("register_network_with_identity"), 1);
        assert_eq!(stage.state.networks().count(), 4, "one came, one went");
        stage.play(30);
        assert_eq!(stage.count("register_network_with_identity"), 1, "then it is done");
    }

    #[test]
    fn where_there_is_room_or_no_money_nobody_is_removed() {
        let eager = DeregSniperSettings { interval_blocks: 2, ..Default::default() };
        let poor = DeregSniperSettings { price_max_rao: Rao::whole(10), ..eager.clone() };
        let mut room = state();
        room.global.subnet_limit = 4;
        let who = identity("snipers", 0, None);
        let room = stage(room, who, BehaviourSettings::DeregSniper(eager));
        for (mut stage, least) in [(sniped(poor), 1), (room, 5)] {
            stage.play(60);
            assert_eq!(stage.count("register_network_with_identity"), 0);
            assert!(stage.count("remove_stake_limit") >= least, "it sells what it holds");
        }
    }
}
