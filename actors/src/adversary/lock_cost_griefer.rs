//! `lock-cost-griefer`: registers subnets that it never starts, only to make the next one dear for others.
//!
//! Each registration doubles the cost of the next, which then falls over weeks.

use super::{check_interval, settings, spendable, time_to_look};
use crate::entrant::{open_cost, registration};
use crate::machine::{Context, Input, Machine};
use crate::registry::InvalidSetting;
use protocol::units::Rao;
use serde::{Deserialize, Serialize};

settings! {
    /// Settings of `lock-cost-griefer`.
    LockCostGrieferSettings {
        /// Blocks between two looks at the lock cost, on average.
        interval_blocks: u64 = 60,
        /// The most it pays for a subnet, in rao.
        price_max_rao: Rao = Rao::whole(3_000),
        /// Subnets it registers at most.
        subnets_max: u32 = 100,
        /// Free TAO it never spends, in rao.
        reserve_rao: Rao = Rao(100_000_000),
    }
}

impl LockCostGrieferSettings {
    /// Checks the values.
    ///
    /// # Errors
    /// The first setting it could not act on.
    pub fn check(&self) -> Result<(), InvalidSetting> {
        check_interval(self.interval_blocks)
    }
}

/// Somebody who keeps subnets dear.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockCostGriefer {
    settings: LockCostGrieferSettings,
    /// Registrations it ordered.
    ordered: u32,
}

impl LockCostGriefer {
    /// One that has not started.
    pub const fn new(settings: LockCostGrieferSettings) -> Self {
        Self { settings, ordered: 0 }
    }

    fn look(&mut self, context: &mut Context<'_>) {
        let (state, coldkey) = (context.view.state(), context.me.coldkey);
        let most = self.settings.price_max_rao;
        let most = most.min(spendable(state, &coldkey, self.settings.reserve_rao));
        let wanted = self.ordered < self.settings.subnets_max;
        if wanted && open_cost(state).is_some_and(|cost| cost <= most) {
            self.ordered += 1;
            let call = registration(context);
            context.submit(coldkey, call);
        }
    }
}

impl Machine for LockCostGriefer {
    fn step(&mut self, input: &Input<'_>, context: &mut Context<'_>) {
        if time_to_look(input, 0, self.settings.interval_blocks, context) {
            self.look(context);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entrant::EntrantSettings;
    use crate::host::Seated;
    use crate::registry::BehaviourSettings;
    use crate::stage::{Stage, fund, genesis, identity};
    use protocol::registration::lock_cost;

    /// An entrant who would pay 1,500 TAO, beside a griefer or nobody, where the cost falls by a thousand in a hundred
    /// blocks.
    fn stage(griefers: u64) -> Stage {
        let mut state = genesis(1);
        state.global.network_rate_limit = 10;
        state.global.network_last_lock_cost = Rao::whole(1_000);
        state.global.network_last_lock_block = 1;
        state.global.network_lock_reduction_interval = 100;
        let price = Rao::whole(1_500);
        let mut seats = Vec::new();
        for index in 0..griefers {
            let who = identity("griefers", index, None);
            fund(&mut state, &who, Rao::whole(20_000));
            let settings = LockCostGrieferSettings { interval_blocks: 1, ..Default::default() };
            seats.push(Seated::new(who, BehaviourSettings::LockCostGriefer(settings).build()));
        }
        let who = identity("entrants", 0, None);
        fund(&mut state, &who, Rao::whole(5_000));
        let settings = EntrantSettings {
            interval_blocks: 4,
            price_min_rao: price,
            price_max_rao: price,
            ..Default::default()
        };
        seats.push(Seated::new(who, BehaviourSettings::Entrant(settings).build()));
        Stage::new(state, seats, 1)
    }

    #[test]
    fn the_cost_stays_high_and_nobody_else_can_pay_it() {
        let (mut griefed, mut honest) = (stage(1), stage(0));
        let mut lowest = Rao(u64::MAX);
        for _ in 0..150 {
            griefed.play(1);
            honest.play(1);
            lowest = lowest.min(lock_cost(&griefed.state));
        }
        let registered = |stage: &Stage, group: &str| {
            let who = identity(group, 0, None).coldkey;
            stage.state.networks().filter(|(_, subnet)| subnet.info.owner == Some(who)).count()
        };
        assert_eq!(registered(&honest, "entrants"), 1);
        assert_eq!(registered(&griefed, "entrants"), 0);
        assert!(registered(&griefed, "griefers") >= 2);
        assert!(lowest > Rao::whole(1_500), "never as low as the entrant's price: {lowest}");
        assert_eq!(griefed.count("start_call"), 0, "it starts none of them");
        let least = LockCostGrieferSettings::default().price_max_rao;
        assert!(lock_cost(&griefed.state) > least, "in the end it is too dear for itself");
    }
}
