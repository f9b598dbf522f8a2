//! Subnet owners. `hold`: starts its subnet as soon as it may, and does nothing else. The others are below.

use crate::calendar::block_ms;
use crate::machine::{Context, Input, Machine};
use crate::registry::{InvalidSetting, within};
use protocol::call::Call;
use protocol::rejection::Outcome;
use protocol::units::{BLOCK_MS, BLOCKS_PER_DAY};
use serde::{Deserialize, Serialize};

/// Who sells its cut and does nothing else.
pub mod absentee;
/// Who has a product and buys its own alpha with what it earns.
pub mod builder;
/// What owners share that trade their own alpha.
pub mod estate;
/// Who owns several subnets.
pub mod multi;
/// Who buys its own alpha and sells it later.
pub mod treasurer;
/// Who turns its subnet's parameters.
pub mod tuner;

/// Settings of `hold`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HoldSettings {
    /// Blocks until it tries again, or looks again whether its subnet exists.
    pub retry_blocks: u64,
    /// Start calls it makes at most.
    pub attempts_max: u32,
}

impl Default for HoldSettings {
    fn default() -> Self {
        Self { retry_blocks: 360, attempts_max: 10 }
    }
}

impl HoldSettings {
    /// Checks the values.
    ///
    /// # Errors
    /// The first setting it could not act on.
    pub fn check(&self) -> Result<(), InvalidSetting> {
        let year = 365 * BLOCKS_PER_DAY;
        within("retry_blocks", self.retry_blocks, 1..=year, "1 block to 1 year")
    }
}

/// An owner that starts its subnet and holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    settings: HoldSettings,
    attempts: u32,
}

impl Hold {
    /// An owner that has not started.
    pub const fn new(settings: HoldSettings) -> Self {
        Self { settings, attempts: 0 }
    }

    fn start_subnet(&mut self, context: &mut Context<'_>) {
        let Some(netuid) = context.me.netuid else {
            return;
        };
        let state = context.view.state();
        let Some(subnet) = state.subnet(netuid) else {
            self.retry(context);
            return;
        };
        let mine = subnet.info.owner == Some(context.me.coldkey);
        if !mine
            || subnet.info.first_emission.is_some()
            || self.attempts >= self.settings.attempts_max
        {
            return;
        }
        // What is submitted now is decided in the next block at the earliest.
        let allowed_at = subnet.info.registered_at + state.global.start_call_delay;
        if allowed_at > state.height.0 + 1 {
            context.wake(block_ms(context, allowed_at - 1), 0);
            return;
        }
        self.attempts += 1;
        context.submit(context.me.coldkey, Call::StartCall { netuid });
    }

    fn retry(&self, context: &mut Context<'_>) {
        let wait_ms = self.settings.retry_blocks.saturating_mul(BLOCK_MS);
        context.wake(context.now_ms.saturating_add(wait_ms), 0);
    }
}

impl Machine for Hold {
    fn step(&mut self, input: &Input<'_>, context: &mut Context<'_>) {
        match input {
            Input::Start | Input::Timer { .. } => self.start_subnet(context),
            Input::Receipt(receipt) if receipt.outcome != Outcome::Ok => self.retry(context),
            Input::Receipt(_) | Input::Message(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::{Delivery, Host, Seated};
    use crate::machine::{Directory, Receipt};
    use crate::registry::BehaviourSettings;
    use crate::stage::{Stage, genesis, identity};
    use protocol::rejection::Rejection;
    use protocol::state::State;
    use protocol::units::{Height, NetUid};
    use protocol::view::View;

    fn unstarted(delay: u64) -> (State, Vec<Seated>) {
        let who = identity("owners", 0, Some(NetUid(1)));
        let mut state = genesis(1);
        state.global.start_call_delay = delay;
        let subnet = state.subnets.get_mut(&NetUid(1)).expect("it was made");
        subnet.info.owner = Some(who.coldkey);
        subnet.info.first_emission = None;
        subnet.params.subtoken_enabled = false;
        let settings = HoldSettings::default();
        (state, vec![Seated::new(who, BehaviourSettings::Hold(settings).build())])
    }

    #[test]
    fn it_starts_its_subnet_in_the_first_block_that_allows_it() {
        for (delay, started_in) in [(0, 1), (1, 1), (2, 2), (7, 7)] {
            let (state, seats) = unstarted(delay);
            let mut stage = Stage::new(state, seats, 1);
            stage.play(20);
            let subnet = stage.state.subnet(NetUid(1)).expect("it was made");
            assert_eq!(subnet.info.first_emission, Some(started_in + 1), "delay {delay}");
            assert_eq!((stage.records.len(), stage.refusals()), (1, vec![]));
        }
    }

    #[test]
    fn it_tries_again_a_limited_number_of_times() {
        let (state, seats) = unstarted(0);
        let player = seats[0].identity().id;
        let mut host = Host::new(seats, View::new(state), Directory::default(), 1);
        host.start();
        let (mut calls, mut inbox) = (0, Vec::new());
        while let Some(wake_ms) = host.next_wake_ms().or((!inbox.is_empty()).then_some(0)) {
            let from_ms = wake_ms - wake_ms % 1_000;
            let done = host.slice(from_ms, from_ms + 1_000, std::mem::take(&mut inbox));
            calls += done.calls.len();
            let outcome = Outcome::Failed(Rejection::BadOrigin);
            inbox.extend(done.calls.iter().map(|call| {
                let (sequence, height) = (call.sequence, Height(1));
                Delivery::Receipt(Receipt { player, sequence, height, outcome })
            }));
        }
        assert_eq!(calls, 10);
    }

    #[test]
    fn it_leaves_started_and_foreign_subnets_alone() {
        let (mut state, seats) = unstarted(0);
        state.subnets.get_mut(&NetUid(1)).expect("it was made").info.owner = None;
        let mut foreign = Stage::new(state, seats, 1);
        foreign.play(5);
        let (mut state, seats) = unstarted(0);
        state.subnets.get_mut(&NetUid(1)).expect("it was made").info.first_emission = Some(1);
        let mut started = Stage::new(state, seats, 1);
        started.play(5);
        assert_eq!((foreign.records.len(), started.records.len()), (0, 0));
    }
}
