//! `entrant`: somebody who wants a subnet and waits until one is worth its price to them.
//!
//! It looks at the lock cost now and then, registers when the cost is within what it would pay, starts the subnet as
//! soon as it may, and backs it with a part of what is left. When it loses the subnet, it looks again.

use crate::calendar::{block_ms, gap_ms};
use crate::machine::{Context, Input, Machine};
use crate::registry::{InvalidSetting, ppm, within};
use protocol::call::Call;
use protocol::ledger::STAKE_MIN;
use protocol::registration::{lock_cost, prune_candidate};
use protocol::rejection::Outcome;
use protocol::state::{State, SubnetIdentity};
use protocol::units::{BLOCK_MS, BLOCKS_PER_DAY, NetUid, Rao};
use serde::{Deserialize, Serialize};

/// Who looks at what a subnet brings, too.
pub mod prospector;

const PPM: u128 = 1_000_000;
const DRAW_GAP: u64 = 1 << 56;
const DRAW_PRICE: u64 = 2 << 56;
/// Blocks after which an order counts as lost.
const PATIENCE_BLOCKS: u64 = 20;

/// Settings of `entrant`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EntrantSettings {
    /// Mean blocks between two looks at the lock cost.
    pub interval_blocks: u64,
    /// The least and the most that an entrant of the group would pay for a subnet, in rao; each draws its own.
    pub price_min_rao: Rao,
    /// See `price_min_rao`.
    pub price_max_rao: Rao,
    /// Free TAO it never spends, in rao.
    pub reserve_rao: Rao,
    /// Part of its free TAO with which it buys its own alpha once trading is open, in millionths.
    pub backing_ppm: u32,
}

impl Default for EntrantSettings {
    fn default() -> Self {
        Self {
            interval_blocks: 300,
            price_min_rao: Rao::whole(1_000),
            price_max_rao: Rao::whole(3_000),
            reserve_rao: Rao(100_000_000),
            backing_ppm: 200_000,
        }
    }
}

impl EntrantSettings {
    /// Checks the values.
    ///
    /// # Errors
    /// The first setting it could not act on.
    pub fn check(&self) -> Result<(), InvalidSetting> {
        let year = 365 * BLOCKS_PER_DAY;
        within("interval_blocks", self.interval_blocks, 1..=year, "1 block to 1 year")?;
        let most = self.price_max_rao.0;
        within("price_min_rao", self.price_min_rao.0, 0..=most, "at most price_max_rao")?;
        ppm("backing_ppm", self.backing_ppm)
    }
}

/// An entrant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entrant {
    settings: EntrantSettings,
    /// What it would pay; drawn at its start.
    price: Rao,
    /// Until when it waits for what became of an order.
    open_until: u64,
    /// The subnet that it has backed, with its block of registration.
    backed: Option<(NetUid, u64)>,
}

impl Entrant {
    /// An entrant that has not looked yet.
    pub const fn new(settings: EntrantSettings) -> Self {
        Self { settings, price: Rao::ZERO, open_until: 0, backed: None }
    }

    fn look(&mut self, context: &mut Context<'_>) {
        let state = context.view.state();
        if self.open_until > state.height.0 {
            return;
        }
        let call = match own_subnet(state, context) {
            Some(netuid) => self.raise(state, context, netuid),
            None => self.enter(state, context),
        };
        if let Some(call) = call {
            self.open_until = state.height.0 + PATIENCE_BLOCKS;
            context.submit(context.me.coldkey, call);
        }
    }

    /// Registers when the price is right; asks public state first whether the chain would let it.
    fn enter(&self, state: &State, context: &Context<'_>) -> Option<Call> {
        let cost = open_cost(state)?;
        let spendable = state.free(&context.me.coldkey).minus(self.settings.reserve_rao);
        (cost <= self.price && cost <= spendable).then(|| registration(context))
    }

    /// Starts its subnet, then backs it, once.
    fn raise(&mut self, state: &State, context: &mut Context<'_>, netuid: NetUid) -> Option<Call> {
        let subnet = state.subnet(netuid)?;
        if subnet.info.first_emission.is_none() {
            let allowed_at = subnet.info.registered_at + state.global.start_call_delay;
            if allowed_at > state.height.0 + 1 {
                context.wake(block_ms(context, allowed_at - 1), 1);
                return None;
            }
            return Some(Call::StartCall { netuid });
        }
        let this_one = Some((netuid, subnet.info.registered_at));
        if self.backed == this_one {
            return None;
        }
        self.backed = this_one;
        let spendable = state.free(&context.me.coldkey).minus(self.settings.reserve_rao);
        let part = u128::from(spendable.0) * u128::from(self.settings.backing_ppm) / PPM;
        let amount_staked = Rao(part as u64);
        let hotkey = context.me.hotkey;
        let enough = amount_staked >= Rao(2 * STAKE_MIN.0);
        enough.then_some(Call::AddStake { hotkey, netuid, amount_staked })
    }
}

/// What a subnet costs in the next block; `None` if the chain would let nobody register one.
pub(crate) fn open_cost(state: &State) -> Option<Rao> {
    let global = &state.global;
    let next = state.height.0 + 1;
    let last = global.network_last_lock_block;
    let rested = last == 0 || next.saturating_sub(last) >= global.network_rate_limit;
    let room = !is_full(state) || prune_candidate(state).is_some();
    (rested && room).then(|| lock_cost(state))
}

/// Whether somebody has to go for another subnet.
pub(crate) fn is_full(state: &State) -> bool {
    let subnets = state.networks().filter(|(netuid, _)| !netuid.is_root()).count();
    subnets >= usize::from(state.global.subnet_limit)
}

/// The call that registers a subnet named after the player.
pub(crate) fn registration(context: &Context<'_>) -> Call {
    let hotkey = context.me.hotkey;
    let subnet_name = format!("{}-{}", context.me.group, context.me.index);
    let identity = SubnetIdentity { subnet_name, ..SubnetIdentity::default() };
    let identity = Some(Box::new(identity));
    Call::RegisterNetworkWithIdentity { hotkey, identity }
}

fn own_subnet(state: &State, context: &Context<'_>) -> Option<NetUid> {
    let mut subnets = state.networks();
    let mine = subnets.find(|(_, subnet)| subnet.info.owner == Some(context.me.coldkey));
    mine.map(|(netuid, _)| netuid)
}

impl Machine for Entrant {
    fn step(&mut self, input: &Input<'_>, context: &mut Context<'_>) {
        match input {
            Input::Start => {
                let (least, most) = (self.settings.price_min_rao.0, self.settings.price_max_rao.0);
                self.price = Rao(context.dice(DRAW_PRICE).between(least, most));
                let gap_ms = gap_ms(&mut context.dice(DRAW_GAP), self.settings.interval_blocks);
                context.wake(context.now_ms.saturating_add(gap_ms), 0);
            }
            Input::Timer { tag: 0 } => {
                self.look(context);
                let gap_ms = gap_ms(&mut context.dice(DRAW_GAP), self.settings.interval_blocks);
                context.wake(context.now_ms.saturating_add(gap_ms), 0);
            }
            Input::Timer { .. } => self.look(context),
            Input::Receipt(receipt) => {
                self.open_until = 0;
                if receipt.outcome == Outcome::Ok {
                    // What follows is due at once: a start after a registration, backing after a start.
                    context.wake(context.now_ms.saturating_add(BLOCK_MS), 1);
                }
            }
            Input::Message(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::Seated;
    use crate::registry::BehaviourSettings;
    use crate::stage::{Stage, genesis, identity};
    use protocol::state::Account;
    use protocol::units::Alpha;

    /// Two subnets are all there may be; entrants pay 1,000 to 1,200 TAO and have 5,000 each.
    fn stage(entrants: u64, settings: EntrantSettings) -> Stage {
        let mut state = genesis(2);
        state.global.subnet_limit = 2;
        state.global.network_rate_limit = 10;
        state.global.network_immunity_period = 0;
        state.global.network_last_lock_cost = Rao::whole(1_000);
        state.global.network_lock_reduction_interval = 100;
        let seats: Vec<Seated> = (0..entrants)
            .map(|index| {
                let who = identity("entrants", index, None);
                let free = Rao::whole(5_000);
                state.accounts.insert(who.coldkey, Account { free, nonce: 0 });
                Seated::new(who, BehaviourSettings::Entrant(settings.clone()).build())
            })
            .collect();
        Stage::new(state, seats, 5)
    }

    fn eager() -> EntrantSettings {
        let interval_blocks = 4;
        EntrantSettings { interval_blocks, ..EntrantSettings::default() }
    }

    #[test]
    fn it_registers_starts_and_backs_its_subnet_and_then_holds() {
        let settings = EntrantSettings { price_min_rao: Rao::whole(1_000), ..eager() };
        let mut stage = stage(1, settings);
        stage.play(60);
        let who = identity("entrants", 0, None);
        let mine = |(_, subnet): &(NetUid, &protocol::state::Subnet)| {
            subnet.info.owner == Some(who.coldkey)
        };
        let (netuid, subnet) = stage.state.networks().find(mine).expect("it has one");
        assert_eq!(subnet.info.name, "entrants-0");
        assert!(subnet.info.first_emission.is_some());
        assert!(stage.state.stake(&who.hotkey, &who.coldkey, netuid) > Alpha::ZERO);
        let names: Vec<&str> = stage.records.iter().map(|record| record.call.name()).collect();
        assert_eq!(names, ["register_network_with_identity", "start_call", "add_stake"]);
        assert_eq!(stage.state.networks().count(), 3, "one of the two made room");
    }

    #[test]
    fn it_waits_while_a_subnet_is_too_dear_or_none_can_make_room() {
        let cheap =
            EntrantSettings { price_max_rao: Rao::whole(999), price_min_rao: Rao(0), ..eager() };
        let mut dear = stage(3, cheap);
        dear.play(40);
        let mut immune = stage(3, eager());
        immune.state.global.network_immunity_period = 1_000;
        let mut immune = Stage::new(immune.state, immune_seats(), 5);
        immune.play(40);
        assert_eq!((dear.records.len(), immune.records.len()), (0, 0));
    }

    fn immune_seats() -> Vec<Seated> {
        let build = || BehaviourSettings::Entrant(eager()).build();
        (0..3).map(|index| Seated::new(identity("entrants", index, None), build())).collect()
    }

    #[test]
    fn several_compete_and_who_is_pruned_looks_again() {
        let settings = EntrantSettings { backing_ppm: 0, ..eager() };
        let mut stage = stage(4, settings);
        stage.play(400);
        let count = |name: &str| {
            let done = stage.records.iter().filter(|record| record.outcome == Outcome::Ok);
            done.filter(|record| record.call.name() == name).count()
        };
        let registered = count("register_network_with_identity");
        assert!(registered > 4, "only {registered}");
        assert!(count("start_call") >= registered - 1);
        assert_eq!(stage.state.networks().count(), 3);
    }
}
