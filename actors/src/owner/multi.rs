//! `multi`: one owner of several subnets. It runs them as a builder does, from one purse, until it leaves: then it sells
//! everything it has on all of them, in parts.

use super::estate::{Behind, Errand, Estate, Turn, blocks_between, held, own};
use crate::machine::{Context, Input, Machine};
use crate::registry::{InvalidSetting, ppm, within};
use crate::trade::part;
use protocol::units::{Alpha, BLOCKS_PER_DAY, Rao};
use serde::{Deserialize, Serialize};

/// Settings of `multi`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MultiSettings {
    /// Blocks between two looks, at least; a look comes after an epoch of its first subnet.
    pub interval_blocks: u64,
    /// Part of what came in with which it buys its own alpha, in equal parts on all its subnets, in millionths.
    pub buyback_ppm: u32,
    /// Part of its cuts that it sells, in millionths.
    pub salary_ppm: u32,
    /// How far an order may move the price, in millionths.
    pub slippage_ppm: u32,
    /// Blocks from its start until it leaves; absent for never.
    pub exit_from_blocks: Option<u64>,
    /// Looks over which it sells everything, when it leaves.
    pub exit_parts: u32,
}

impl Default for MultiSettings {
    fn default() -> Self {
        Self {
            interval_blocks: 720,
            buyback_ppm: 500_000,
            salary_ppm: 300_000,
            slippage_ppm: 100_000,
            exit_from_blocks: None,
            exit_parts: 4,
        }
    }
}

impl MultiSettings {
    /// Checks the values.
    ///
    /// # Errors
    /// The first setting it could not act on.
    pub fn check(&self) -> Result<(), InvalidSetting> {
        let year = 365 * BLOCKS_PER_DAY;
        within("interval_blocks", self.interval_blocks, 1..=year, "1 block to 1 year")?;
        ppm("buyback_ppm", self.buyback_ppm)?;
        ppm("salary_ppm", self.salary_ppm)?;
        ppm("slippage_ppm", self.slippage_ppm)?;
        within("exit_parts", self.exit_parts.into(), 1..=10_000, "1 to 10000")
    }
}

/// An owner of several subnets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Multi {
    settings: MultiSettings,
    estate: Estate,
    started_ms: u64,
    /// TAO set aside for its own alpha.
    fund: Rao,
    /// Parts of its exit that it has sold.
    parts_sold: u32,
}

impl Multi {
    /// An owner that has not started.
    pub const fn new(settings: MultiSettings) -> Self {
        let estate = Estate::new(settings.slippage_ppm);
        Self { settings, estate, started_ms: 0, fund: Rao::ZERO, parts_sold: 0 }
    }

    fn look(&mut self, context: &mut Context<'_>) {
        let age = blocks_between(self.started_ms, context.now_ms);
        if self.settings.exit_from_blocks.is_some_and(|from| age >= from) {
            self.look_leave(context);
        } else {
            self.look_build(context);
        }
        self.estate.run(context);
    }

    fn look_build(&mut self, context: &Context<'_>) {
        let share = part(self.estate.income(context).0, self.settings.buyback_ppm);
        self.fund = self.fund.plus(self.estate.unspent()).plus(Rao(share));
        let netuids = own(context);
        for netuid in &netuids {
            let gained = self.estate.gained(*netuid, context);
            let alpha = Alpha(part(gained.0, self.settings.salary_ppm));
            self.estate.plan(Errand::Sell { netuid: *netuid, alpha });
        }
        let each = Rao(self.fund.0.checked_div(netuids.len() as u64).unwrap_or(0));
        for netuid in netuids {
            if let Some(hotkey) = Behind::Owner.hotkey(netuid, context) {
                self.fund = self.fund.minus(each);
                self.estate.plan(Errand::Buy { netuid, hotkey, rao: each });
            }
        }
    }

    /// Of what is left it sells an equal part at each look; at the last one and after it all there is.
    fn look_leave(&mut self, context: &Context<'_>) {
        let left = self.settings.exit_parts.saturating_sub(self.parts_sold).max(1);
        self.parts_sold = self.parts_sold.saturating_add(1);
        for netuid in own(context) {
            let alpha = Alpha(held(netuid, context).0 / u64::from(left));
            self.estate.plan(Errand::Sell { netuid, alpha });
        }
    }
}

impl Machine for Multi {
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
    use crate::host::Seated;
    use crate::registry::BehaviourSettings;
    use crate::stage::{Stage, enter, fund, genesis, identity};
    use protocol::units::NetUid;

    /// Three subnets of one owner, with a thousand alpha on each.
    fn stage(settings: MultiSettings) -> Stage {
        let who = identity("owners", 0, None);
        let mut state = genesis(3);
        fund(&mut state, &who, Rao::whole(10));
        fund(&mut state, &identity(Stage::BANK, 0, None), Rao::whole(10_000));
        for netuid in (1..=3).map(NetUid) {
            enter(&mut state, &who, netuid, Alpha::whole(1_000), false);
            let subnet = state.subnets.get_mut(&netuid).expect("it was made");
            subnet.info.owner = Some(who.coldkey);
            subnet.info.owner_hotkey = Some(who.hotkey);
            if netuid == NetUid(2) {
                subnet.info.first_emission = None;
                subnet.params.subtoken_enabled = false;
            }
        }
        let player = BehaviourSettings::Multi(settings).build();
        Stage::new(state, vec![Seated::new(who, player)], 1)
    }

    fn held(stage: &Stage) -> Vec<u64> {
        let who = identity("owners", 0, None);
        let held = |netuid| stage.state.stake(&who.hotkey, &who.coldkey, NetUid(netuid)).0;
        (1..=3).map(|netuid| held(netuid) / 1_000_000_000).collect()
    }

    #[test]
    fn it_starts_all_its_subnets_and_leaves_all_of_them_in_parts() {
        let settings = MultiSettings {
            interval_blocks: 10,
            salary_ppm: 0,
            slippage_ppm: 300_000,
            exit_from_blocks: Some(30),
            exit_parts: 2,
            ..MultiSettings::default()
        };
        let mut stage = stage(settings);
        stage.play(30);
        assert_eq!(stage.count("start_call"), 1);
        assert!(held(&stage).iter().all(|alpha| *alpha >= 1_000), "{:?}", held(&stage));
        stage.play(6);
        let halves = held(&stage);
        assert!(halves.iter().all(|alpha| (490..560).contains(alpha)), "{halves:?}");
        stage.play(44);
        assert!(held(&stage).iter().all(|alpha| *alpha < 40), "{:?}", held(&stage));
        assert_eq!(stage.refusals(), [""; 0]);
    }

    #[test]
    fn what_comes_in_is_spread_over_its_subnets() {
        let settings = MultiSettings { interval_blocks: 10, ..MultiSettings::default() };
        let mut stage = stage(settings);
        stage.play(12);
        let who = identity("owners", 0, None);
        stage.pay(who.coldkey, Rao::whole(60));
        stage.play(33);
        let amount = |record: &protocol::frame::CallRecord| match record.call {
            protocol::call::Call::AddStakeLimit { netuid, amount_staked, .. } => {
                Some((netuid.0, amount_staked.0))
            }
            _ => None,
        };
        let bought: Vec<(u16, u64)> = stage.records.iter().filter_map(amount).collect();
        assert_eq!(bought, [(1, 10_000_000_000), (2, 10_000_000_000), (3, 10_000_000_000)]);
        assert_eq!(stage.refusals(), [""; 0]);
    }
}
