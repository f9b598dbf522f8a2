//! `spammer`: sets random weights, and floods chain and subnet with calls and messages that mean nothing.

use super::{TAG_OWN, act_through, own_subnet, reweighed, settings};
use crate::commitment::Intent;
use crate::machine::{Context, Input, Machine};
use crate::registry::{InvalidSetting, within};
use crate::validator::{Sampler, SamplerSettings, others_that_mine};
use protocol::call::{Call, Setting};
use protocol::dice::Dice;
use protocol::envelope::Body;
use protocol::payload::COMMIT_BYTES_MAX;
use protocol::state::Subnet;
use protocol::units::{AccountId, BLOCK_MS, NetUid, Rao};
use protocol::weights::rested;
use serde::{Deserialize, Serialize};

/// Calls or messages per block at most.
const FLOOD_MAX: u64 = 1_000;
/// Kinds of calls that it makes in turn.
const KINDS: u64 = 11;

const DRAW_ROW: u64 = 17 << 56;
const DRAW_FLOOD: u64 = 18 << 56;

settings! {
    /// Settings of `spammer`.
    SpammerSettings {
        /// How it asks and when it sets weights.
        sampling: SamplerSettings = SamplerSettings::default(),
        /// Whether its weights are random.
        random_weights: bool = true,
        /// Invalid calls per block.
        calls_per_block: u32 = 10,
        /// Senseless messages per block.
        messages_per_block: u32 = 10,
    }
}

impl SpammerSettings {
    /// Checks the values.
    ///
    /// # Errors
    /// The first setting it could not act on.
    pub fn check(&self) -> Result<(), InvalidSetting> {
        self.sampling.check()?;
        within("calls_per_block", self.calls_per_block.into(), 0..=FLOOD_MAX, "at most 1000")?;
        within("messages_per_block", self.messages_per_block.into(), 0..=FLOOD_MAX, "at most 1000")
    }
}

/// A validator that floods.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spammer {
    settings: SpammerSettings,
    sampler: Sampler,
    /// Calls made so far.
    made: u64,
}

impl Spammer {
    /// A validator that has not started.
    pub fn new(settings: SpammerSettings) -> Self {
        let sampler = Sampler::new(settings.sampling.clone());
        Self { settings, sampler, made: 0 }
    }

    fn flood(&mut self, context: &mut Context<'_>) {
        let mut dice = context.dice(DRAW_FLOOD);
        if let Some((netuid, subnet)) = own_subnet(context) {
            for _ in 0..self.settings.calls_per_block {
                let (signer, call) = invalid(self.made % KINDS, netuid, subnet, context);
                context.submit(signer, call);
                self.made += 1;
            }
            self.flood_messages(netuid, subnet, &mut dice, context);
        }
        context.wake(context.now_ms.saturating_add(BLOCK_MS), TAG_OWN);
    }

    fn flood_messages(
        &self,
        netuid: NetUid,
        subnet: &Subnet,
        dice: &mut Dice,
        context: &mut Context<'_>,
    ) {
        let axons = context.directory.axons(netuid, &subnet.neurons.hotkeys);
        for number in 0..self.settings.messages_per_block {
            let place = dice.below(axons.len() as u64) as usize;
            let (task, digest) = (dice.next_u64(), dice.next_u64());
            let body = match number % 3 {
                // Of a subnet that is not there, an answer that nobody asked for, and a task that nobody needs.
                0 => Body::Query { netuid: NetUid(u16::MAX), task },
                1 => Body::Answer { netuid, task, value: u32::MAX, digest },
                _ => Body::Query { netuid, task },
            };
            if let Some(player) = axons.get(place).copied().flatten() {
                context.send(player, body);
            }
        }
    }
}

/// A call that the chain must refuse, of a kind, and who signs it.
fn invalid(kind: u64, netuid: NetUid, subnet: &Subnet, context: &Context<'_>) -> (AccountId, Call) {
    let (hotkey, coldkey) = (context.me.hotkey, context.me.coldkey);
    let version_key = subnet.params.weights_version_key;
    let weights = |dests: Vec<u16>, weights: Vec<u16>| {
        (hotkey, Call::SetWeights { netuid, dests, weights, version_key })
    };
    match kind {
        // A uid twice, one that is not there, lists of unequal length, more of them than there are neurons.
        0 => weights(vec![0, 0], vec![1, 1]),
        1 => weights(vec![u16::MAX], vec![1]),
        2 => weights(vec![0], vec![1, 2]),
        3 => weights(vec![0; subnet.neurons.len() + 1], vec![1; subnet.neurons.len() + 1]),
        4 => (
            hotkey,
            Call::RevealWeights {
                netuid,
                uids: vec![0],
                values: vec![1],
                salt: vec![0],
                version_key,
            },
        ),
        5 => (
            hotkey,
            Call::CommitTimelockedWeights {
                netuid,
                commit: vec![0; COMMIT_BYTES_MAX + 1],
                reveal_round: u64::MAX,
                commit_reveal_version: context.view.state().global.commit_reveal_version,
            },
        ),
        6 => (coldkey, Call::BurnedRegister { netuid, hotkey }),
        7 => (coldkey, Call::AddStake { hotkey, netuid, amount_staked: Rao(u64::MAX) }),
        8 => (coldkey, Call::SudoSet(Setting::Tempo { netuid, value: 1 })),
        9 => (coldkey, Call::StartCall { netuid }),
        // Too soon after its last row; where there is no such time, a uid twice again.
        _ if waits(subnet, context) => weights(vec![0], vec![1]),
        _ => weights(vec![0, 0], vec![1, 1]),
    }
}

/// Whether the rate limit would refuse the player's row in the next block.
fn waits(subnet: &Subnet, context: &Context<'_>) -> bool {
    let next = context.view.state().height.0 + 1;
    subnet.neurons.uid(&context.me.hotkey).is_some_and(|uid| !rested(subnet, 0, uid, next))
}

/// A row of random weights on all other neurons that mine.
fn random(honest: Intent, subnet: &Subnet, context: &Context<'_>) -> Option<Intent> {
    let mut dice = context.dice(DRAW_ROW);
    let miners = others_that_mine(honest.netuid, subnet, context);
    let parts = miners.into_iter().map(|uid| (uid, dice.below(u64::from(u16::MAX)))).collect();
    reweighed(honest, parts)
}

impl Machine for Spammer {
    fn step(&mut self, input: &Input<'_>, context: &mut Context<'_>) {
        let Self { settings, sampler, .. } = self;
        let mut revise = |honest: Intent, subnet: &Subnet, context: &Context<'_>| {
            if settings.random_weights { random(honest, subnet, context) } else { Some(honest) }
        };
        if !matches!(input, Input::Timer { tag: TAG_OWN }) {
            act_through(sampler, input, context, &mut revise, |_| true);
        }
        if matches!(input, Input::Start | Input::Timer { tag: TAG_OWN }) {
            self.flood(context);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adversary::arena::{EPOCH, NETUID, arena, control, incentive, row, sent, trust};
    use crate::registry::BehaviourSettings;
    use protocol::state::State;
    use std::collections::BTreeSet;

    fn spammer(settings: SpammerSettings) -> BehaviourSettings {
        BehaviourSettings::Spammer(settings)
    }

    #[test]
    fn all_its_calls_are_refused_and_the_others_go_on_as_before() {
        let flood = SpammerSettings { random_weights: false, ..Default::default() };
        let limit = |state: &mut State| {
            let subnet = state.subnets.get_mut(&NETUID).expect("it was made");
            subnet.params.weights_set_rate_limit = 5;
        };
        let mut stage = arena(&[spammer(flood)], limit);
        let mut honest = control(1, limit);
        stage.play(4 * EPOCH);
        honest.play(4 * EPOCH);
        let refused = stage.refusals();
        assert_eq!(refused.len() as u64, 10 * 4 * EPOCH);
        let reasons: BTreeSet<&String> = refused.iter().collect();
        assert_eq!(reasons.len(), 11, "{reasons:?}");
        let of = |stage: &crate::stage::Stage| {
            let subnet = &stage.state.subnets[&NETUID];
            (subnet.neurons.clone(), subnet.mechanisms.clone())
        };
        assert_eq!(of(&stage), of(&honest), "weights, bonds and pay are what they were");
    }

    #[test]
    fn its_messages_mean_nothing_to_anybody() {
        let messages = SpammerSettings {
            random_weights: false,
            calls_per_block: 0,
            messages_per_block: 30,
            ..Default::default()
        };
        let mut stage = arena(&[spammer(messages)], |_| {});
        let mut honest = control(1, |_| {});
        stage.play(4 * EPOCH);
        honest.play(4 * EPOCH);
        assert!(sent(&stage, 0) as u64 >= 30 * 4 * EPOCH);
        assert!(stage.done.iter().all(|done| done.crashes.is_empty()));
        for uid in 4..8 {
            assert!(incentive(&stage, uid).abs_diff(incentive(&honest, uid)) < 400, "{uid}");
        }
    }

    #[test]
    fn random_weights_cost_it_its_trust() {
        let random =
            SpammerSettings { calls_per_block: 0, messages_per_block: 0, ..Default::default() };
        let mut stage = arena(&[spammer(random)], |_| {});
        stage.play(6 * EPOCH);
        assert!(row(&stage, 0) != row(&stage, 1) && trust(&stage, 0) < 60_000);
        assert!(trust(&stage, 1) > 64_000);
        assert_eq!(stage.refusals(), [""; 0]);
    }
}
