//! Subnet owners. `hold`: starts its subnet as soon as it may, and does nothing else.

use crate::calendar::block_ms;
use crate::machine::{Context, Input, Machine};
use crate::registry::{InvalidSetting, within};
use protocol::call::Call;
use protocol::rejection::Outcome;
use protocol::units::{BLOCK_MS, BLOCKS_PER_DAY};
use serde::{Deserialize, Serialize};

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
        Self {
            retry_blocks: 360,
            attempts_max: 10,
        }
    }
}

impl HoldSettings {
    /// Checks the values.
    ///
    /// # Errors
    /// The first setting it could not act on.
    pub fn check(&self) -> Result<(), InvalidSetting> {
        let year = 365 * BLOCKS_PER_DAY;
        within(
            "retry_blocks",
            self.retry_blocks,
            1..=year,
            "1 block to 1 year",
        )
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
        Self {
            settings,
            attempts: 0,
        }
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
