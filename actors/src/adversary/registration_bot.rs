//! `registration-bot`: fires several registrations at once in the first block of every registration interval.
//!
//! Each is for another of its hotkeys; a block lets few through, and what becomes of the others does not matter to it.

use super::{TAG_OWN, check_members, hotkey_of, settings, spendable};
use crate::calendar::block_ms;
use crate::machine::{Context, Input, Machine};
use crate::miner::{Quality, QualitySettings};
use crate::registry::{InvalidSetting, within};
use protocol::call::Call;
use protocol::state::Subnet;
use protocol::units::{AccountId, NetUid, Rao};
use serde::{Deserialize, Serialize};

settings! {
    /// Settings of `registration-bot`.
    RegistrationBotSettings {
        /// How it answers at its first hotkey, once that has a place.
        answers: QualitySettings = QualitySettings::default(),
        /// The subnet it fires at.
        netuid: NetUid = NetUid(1),
        /// Registrations it fires per interval.
        shots: u32 = 4,
        /// Hotkeys it has, its first one too.
        hotkeys: u32 = 16,
        /// The most it pays for a place, in rao.
        burn_max_rao: Rao = Rao::whole(1),
        /// Free TAO it never spends, in rao.
        reserve_rao: Rao = Rao(100_000_000),
    }
}

impl RegistrationBotSettings {
    /// Checks the values.
    ///
    /// # Errors
    /// The first setting it could not act on.
    pub fn check(&self) -> Result<(), InvalidSetting> {
        self.answers.check()?;
        within("shots", self.shots.into(), 1..=64, "1 to 64")?;
        check_members("hotkeys", self.hotkeys)
    }
}

/// A miner that is always first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegistrationBot {
    settings: RegistrationBotSettings,
    answers: Quality,
}

impl RegistrationBot {
    /// A miner that has not started.
    pub fn new(settings: RegistrationBotSettings) -> Self {
        let answers = Quality::new(settings.answers.clone());
        Self { settings, answers }
    }

    /// Fires if the next block begins an interval, and waits for the one after.
    fn aim(&self, context: &mut Context<'_>) {
        let state = context.view.state();
        let next = state.height.0 + 1;
        let subnet = state.subnet(self.settings.netuid);
        let due = subnet.map_or(next + 1, begins);
        if let Some(subnet) = subnet
            && due <= next
        {
            self.fire(subnet, context);
        }
        let interval = subnet.map_or(0, |subnet| u64::from(subnet.params.adjustment_interval));
        let after = if due <= next { next + interval.max(1) } else { due };
        // What is submitted after the block before is decided in it.
        context.wake(block_ms(context, after - 1), TAG_OWN);
    }

    fn fire(&self, subnet: &Subnet, context: &mut Context<'_>) {
        let (state, me, netuid) = (context.view.state(), context.me, self.settings.netuid);
        let most = self.settings.burn_max_rao;
        let most = most.min(spendable(state, &me.coldkey, self.settings.reserve_rao));
        if subnet.fast.burn > most || !subnet.params.registration_allowed {
            return;
        }
        let keys = (0..u64::from(self.settings.hotkeys)).map(|number| hotkey_of(me, number));
        let homeless = keys.filter(|key| subnet.neurons.uid(key).is_none());
        let shots: Vec<AccountId> = homeless.take(self.settings.shots as usize).collect();
        for hotkey in shots {
            context.submit(me.coldkey, Call::BurnedRegister { netuid, hotkey });
        }
    }
}

/// The block in which the subnet's next registration interval begins.
const fn begins(subnet: &Subnet) -> u64 {
    let interval = subnet.params.adjustment_interval as u64;
    subnet.fast.last_adjustment.saturating_add(interval)
}

impl Machine for RegistrationBot {
    fn step(&mut self, input: &Input<'_>, context: &mut Context<'_>) {
        if matches!(input, Input::Timer { tag: TAG_OWN }) {
            return self.aim(context);
        }
        self.answers.step(input, context);
        if matches!(input, Input::Start) {
            self.aim(context);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adversary::arena::{EPOCH, NETUID, honest, miner, refusals_by};
    use crate::host::Seated;
    use crate::miner::worker::WorkerSettings;
    use crate::registry::BehaviourSettings;
    use crate::stage::{Stage, fund, identity, subnet_of};
    use protocol::units::BLOCK_MS;

    const INTERVAL: u16 = 20;

    /// A subnet with room, one registration per block and three per interval, and somebody who wants in.
    fn stage(newcomer: BehaviourSettings) -> Stage {
        let miners = [BehaviourSettings::Quality(miner(800_000, None))];
        let (mut state, mut seats) = subnet_of(&vec![honest(); 2], &miners);
        let subnet = state.subnets.get_mut(&NETUID).expect("it was made");
        subnet.params.adjustment_interval = INTERVAL;
        subnet.params.adjustment_alpha = 0;
        subnet.fast.burn = Rao(1_000_000);
        subnet.fast.alpha_out_emission = protocol::units::Alpha::whole(1);
        let who = identity("newcomers", 0, None);
        fund(&mut state, &who, Rao::whole(50));
        seats.push(Seated::new(who, newcomer.build()));
        Stage::new(state, seats, 1)
    }

    #[test]
    fn it_fires_in_the_first_block_of_each_interval_and_most_of_it_fails() {
        let settings =
            RegistrationBotSettings { burn_max_rao: Rao::whole(5), ..Default::default() };
        let mut stage = stage(BehaviourSettings::RegistrationBot(settings));
        stage.play(10 * u64::from(INTERVAL));
        let me = identity("newcomers", 0, None);
        let fired = stage.records.iter().filter(|record| record.player == me.id);
        let blocks: Vec<u64> = fired.map(|record| record.due_ms / BLOCK_MS + 1).collect();
        assert!(blocks.len() >= 32, "{blocks:?}");
        assert!(blocks.iter().all(|block| block % u64::from(INTERVAL) == 0), "{blocks:?}");
        let refused = refusals_by(&stage, &me);
        assert!(refused.len() * 4 >= blocks.len() * 3 - 4, "{} of {}", refused.len(), blocks.len());
        let expected = "burned_register TooManyRegistrationsThisBlock";
        assert!(refused.iter().all(|said| said == expected), "{refused:?}");
        assert!(stage.count("burned_register") >= 8, "one per interval gets through");
    }

    #[test]
    fn who_wants_one_place_takes_it_once() {
        let settings = WorkerSettings {
            roams: true,
            starts_outside: true,
            interval_blocks: 3,
            horizon_days: 1_000,
            cost_rao: Rao(1_000),
            ..Default::default()
        };
        let mut honest = stage(BehaviourSettings::Worker(settings));
        honest.play(10 * EPOCH);
        let me = identity("newcomers", 0, None);
        assert_eq!(honest.count("burned_register"), 1);
        assert_eq!(refusals_by(&honest, &me), [""; 0]);
    }
}
