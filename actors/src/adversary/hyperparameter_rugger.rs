//! `hyperparameter-rugger`: trims its subnet and fills it with own neurons, immortal or immune, that it alone weighs.
//!
//! Newcomers are immune for as long as spares none of those who were there. Its miners are straws: they belong to a second
//! coldkey, because the chain withholds what an owner's own hotkeys earn as miners.

use super::{
    Seeker, TAG_OWN, act_through, check_interval, check_members, hold_beside, is_message,
    own_subnet, reweighed, settings, spendable, time_to_look,
};
use crate::commitment::Intent;
use crate::machine::{Context, Identity, Input, Machine, Output};
use crate::owner::tuner::allowed;
use crate::owner::{Hold, HoldSettings};
use crate::registry::{InvalidSetting, within};
use crate::validator::{Sampler, SamplerSettings};
use protocol::balances::EXISTENTIAL_DEPOSIT;
use protocol::call::{Call, Setting};
use protocol::dice::{Key, account_of};
use protocol::state::Subnet;
use protocol::units::{AccountId, NetUid, Rao};
use serde::{Deserialize, Serialize};

const TAG_START: u64 = TAG_OWN | 1;

settings! {
    /// Settings of `hyperparameter-rugger`.
    HyperparameterRuggerSettings {
        /// How it starts its subnet.
        holding: HoldSettings = HoldSettings::default(),
        /// When its validator sets weights and how it commits them; it asks nobody.
        sampling: SamplerSettings = SamplerSettings::default(),
        /// Blocks from its start until it begins.
        from_blocks: u64 = 0,
        /// Blocks between two looks, on average.
        interval_blocks: u64 = 60,
        /// Blocks of immunity that it sets.
        immunity_blocks: u16 = u16::MAX,
        /// Uids that it trims the subnet to; the chain's least holds.
        uids: u16 = 64,
        /// Own hotkeys that nobody can take the place of.
        immortals: u16 = 10,
        /// Straw miners.
        straws: u32 = 32,
        /// The most it pays for a place, in rao.
        burn_max_rao: Rao = Rao::whole(1),
        /// Free TAO it never spends, in rao.
        reserve_rao: Rao = Rao(100_000_000),
    }
}

impl HyperparameterRuggerSettings {
    /// Checks the values.
    ///
    /// # Errors
    /// The first setting it could not act on.
    pub fn check(&self) -> Result<(), InvalidSetting> {
        self.holding.check()?;
        self.sampling.check()?;
        check_interval(self.interval_blocks)?;
        within("immortals", self.immortals.into(), 1..=10, "1 to 10")?;
        check_members("straws", self.straws)
    }

    /// The parameters it wants, in the order in which it sets them; the youngest neuron of somebody else has an age.
    fn wanted(
        &self,
        netuid: NetUid,
        subnet: &Subnet,
        youngest_blocks: u64,
    ) -> impl Iterator<Item = Setting> + use<> {
        let params = &subnet.params;
        let value = self.uids.max(params.min_allowed_uids);
        // Trimming first: who is immune stays, and later almost everybody is.
        let trim = (value < params.max_allowed_uids)
            .then_some(Setting::TrimToMaxAllowedUids { netuid, value });
        let value = self.immortals;
        let immortal = (value > params.immune_owner_uids_limit)
            .then_some(Setting::OwnerImmuneNeuronLimit { netuid, value });
        // As long as it can be without sparing those who are there.
        let value = self.immunity_blocks.min(u16::try_from(youngest_blocks).unwrap_or(u16::MAX));
        let immune =
            (value > params.immunity_period).then_some(Setting::ImmunityPeriod { netuid, value });
        [trim, immortal, immune].into_iter().flatten()
    }
}

/// An owner that turns on those in its subnet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HyperparameterRugger {
    settings: HyperparameterRuggerSettings,
    hold: Hold,
    sampler: Sampler,
    /// Height of its start.
    started: u64,
}

impl HyperparameterRugger {
    /// An owner that has not started.
    pub fn new(settings: HyperparameterRuggerSettings) -> Self {
        let hold = Hold::new(settings.holding.clone());
        let sampler = Sampler::new(settings.sampling.clone());
        Self { settings, hold, sampler, started: 0 }
    }

    fn begun(&self, context: &Context<'_>) -> bool {
        context.view.state().height.0 - self.started >= self.settings.from_blocks
    }

    fn look(&self, context: &mut Context<'_>) {
        let me = context.me;
        let subnet =
            own_subnet(context).filter(|(_, subnet)| subnet.info.owner == Some(me.coldkey));
        if let (Some((netuid, subnet)), true) = (subnet, self.begun(context)) {
            let mut wanted = self.settings.wanted(netuid, subnet, youngest_blocks(subnet, context));
            if let Some(setting) = wanted.find(|setting| allowed(setting, netuid, subnet, context))
            {
                context.submit(me.coldkey, Call::SudoSet(setting));
            }
            self.look_straws(netuid, subnet, context);
        }
    }

    /// One straw miner more, paid by the straw coldkey, which the owner pays.
    fn look_straws(&self, netuid: NetUid, subnet: &Subnet, context: &mut Context<'_>) {
        let (state, me) = (context.view.state(), context.me);
        let straw = straw_coldkey(me);
        let mut straws = straws(me, self.settings.straws);
        let Some(hotkey) = straws.find(|key| subnet.neurons.uid(key).is_none()) else { return };
        let burn_max = self.settings.burn_max_rao;
        let seeker = Seeker { hotkey, coldkey: straw, burn_max, reserve: Rao::ZERO };
        if let Some(call) = seeker.registers(netuid, context) {
            context.submit(straw, call);
            return;
        }
        // Enough for a place and what the burn may rise to meanwhile.
        let value = Rao(subnet.fast.burn.0.saturating_mul(2)).plus(EXISTENTIAL_DEPOSIT);
        let lacks = spendable(state, &straw, Rao::ZERO) < subnet.fast.burn.min(burn_max);
        if lacks && spendable(state, &me.coldkey, self.settings.reserve_rao) >= value {
            context.submit(me.coldkey, Call::TransferKeepAlive { dest: straw, value });
        }
    }
}

/// Blocks since the registration of the youngest neuron that is none of the player's.
fn youngest_blocks(subnet: &Subnet, context: &Context<'_>) -> u64 {
    let (state, me) = (context.view.state(), context.me);
    let own = [Some(me.coldkey), Some(straw_coldkey(me))];
    let neurons = subnet.neurons.hotkeys.iter().zip(&subnet.neurons.registered_at);
    let others = neurons.filter(|(hotkey, _)| !own.contains(&state.owner(hotkey)));
    let youngest = others.map(|(_, at)| *at).max().unwrap_or(0);
    state.height.0.saturating_sub(youngest)
}

/// The coldkey that its straw miners belong to: the chain withholds what the owner's own hotkeys earn as miners.
fn straw_coldkey(me: &Identity) -> AccountId {
    account_of(&me.group, me.index, Key::Cold, 1)
}

fn straws(me: &Identity, count: u32) -> impl Iterator<Item = AccountId> {
    (1..=u64::from(count)).map(|number| account_of(&me.group, me.index, Key::Hot, number))
}

impl Machine for HyperparameterRugger {
    fn step(&mut self, input: &Input<'_>, context: &mut Context<'_>) {
        match input {
            Input::Timer { tag: TAG_OWN } => {
                time_to_look(input, TAG_OWN, self.settings.interval_blocks, context);
                return self.look(context);
            }
            Input::Timer { tag: TAG_START } | Input::Receipt(_) => {
                return hold_beside(&mut self.hold, input, TAG_START, context);
            }
            Input::Start => {
                self.started = context.view.state().height.0;
                hold_beside(&mut self.hold, input, TAG_START, context);
                time_to_look(input, TAG_OWN, self.settings.interval_blocks, context);
            }
            _ => {}
        }
        let (begun, count) = (self.begun(context), self.settings.straws);
        let mut favour = |honest: Intent, subnet: &Subnet, context: &Context<'_>| {
            let own = straws(context.me, count).filter_map(|key| subnet.neurons.uid(&key));
            let parts: Vec<(u16, u64)> = own.map(|uid| (uid, 1)).collect();
            begun.then(|| reweighed(honest, parts)).flatten()
        };
        let says = |said: &Output| !is_message(said);
        act_through(&mut self.sampler, input, context, &mut favour, says);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adversary::arena::{EPOCH, NETUID, arena_with_owner, calls_of, incentive};
    use crate::entry::validators;
    use crate::registry::BehaviourSettings;
    use crate::stage::{Stage, identity};
    use protocol::state::State;

    fn rugger() -> BehaviourSettings {
        BehaviourSettings::HyperparameterRugger(HyperparameterRuggerSettings {
            from_blocks: 3 * EPOCH,
            interval_blocks: 2,
            uids: 6,
            immortals: 3,
            straws: 4,
            ..Default::default()
        })
    }

    /// Nine uids, nobody immune, trimming down to four allowed, entry cheap and fast.
    fn open(state: &mut State) {
        state.height.0 = 10_000;
        state.global.admin_freeze_window = 1;
        let subnet = state.subnets.get_mut(&NETUID).expect("it was made");
        let params = &mut subnet.params;
        (params.max_allowed_uids, params.min_allowed_uids) = (9, 4);
        (params.immunity_period, params.min_non_immune_uids) = (5, 0);
        (params.adjustment_interval, params.target_registrations_per_interval) = (5, 3);
        subnet.fast.burn = Rao(1_000_000);
        subnet.fast.last_adjustment = 10_000;
        subnet.mechanisms[0].last_update.fill(9_990);
    }

    #[test]
    fn validators_are_evicted_and_its_straws_have_what_miners_earn() {
        let mut stage = arena_with_owner(rugger(), 200, open);
        let mut honest =
            arena_with_owner(BehaviourSettings::Hold(HoldSettings::default()), 200, open);
        stage.play(3 * EPOCH - 2);
        honest.play(3 * EPOCH - 2);
        assert_eq!(validators(&stage.state.subnets[&NETUID]), 4);
        stage.play(20 * EPOCH);
        honest.play(20 * EPOCH);
        let owner = identity("owners", 0, Some(NETUID));
        let params = &stage.state.subnets[&NETUID].params;
        assert_eq!(params.max_allowed_uids, 6);
        assert!(params.immunity_period > 5_000, "{}", params.immunity_period);
        assert_eq!(params.immune_owner_uids_limit, 3);
        let count = |stage: &Stage| validators(&stage.state.subnets[&NETUID]);
        assert!(count(&stage) < count(&honest), "{} of {}", count(&stage), count(&honest));
        let subnet = &stage.state.subnets[&NETUID];
        let straws: Vec<u16> =
            straws(&owner, 4).filter_map(|key| subnet.neurons.uid(&key)).collect();
        assert_eq!(straws.len(), 4, "all have a place");
        assert!(subnet.neurons.uid(&owner.hotkey).is_some(), "and so has its validator");
        let earned: u64 =
            straws.iter().map(|uid| u64::from(incentive(&stage, usize::from(*uid)))).sum();
        assert!(earned > 30_000, "of 65,535: {earned}");
        assert!(calls_of(&stage, &owner, "set_weights") >= 5);
    }
}
