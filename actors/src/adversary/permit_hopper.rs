//! `permit-hopper`: moves its stake behind the hotkey of its group whose turn it is, just before each epoch.
//!
//! The turns are the same for all members, so each has the stake of all in turn, and the others keep what they earned
//! before.

use super::{TAG_OWN, act_through, before_epoch_ms, check_members, member, settings, unrevised};
use crate::calendar::next_tick;
use crate::machine::{Context, Input, Machine};
use crate::registry::{InvalidSetting, within};
use crate::validator::{Sampler, SamplerSettings};
use protocol::call::Call;
use protocol::registration_math::epoch_index;
use protocol::units::{AccountId, Alpha, BLOCK_MS, BLOCKS_PER_DAY, NetUid};
use serde::{Deserialize, Serialize};

settings! {
    /// Settings of `permit-hopper`.
    PermitHopperSettings {
        /// How it asks, scores and sets weights.
        sampling: SamplerSettings = SamplerSettings::default(),
        /// Members of the group on the subnet whose hotkeys take turns.
        members: u32 = 3,
        /// Epochs that the stake of all stays behind one of them.
        stay_epochs: u32 = 1,
        /// Blocks between moving its stake and the epoch.
        lead_blocks: u64 = 1,
    }
}

impl PermitHopperSettings {
    /// Checks the values.
    ///
    /// # Errors
    /// The first setting it could not act on.
    pub fn check(&self) -> Result<(), InvalidSetting> {
        self.sampling.check()?;
        check_members("members", self.members)?;
        within("stay_epochs", self.stay_epochs.into(), 1..=1_000, "1 to 1000")?;
        within("lead_blocks", self.lead_blocks, 1..=BLOCKS_PER_DAY, "1 block to 1 day")
    }
}

/// A validator whose stake hops.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PermitHopper {
    settings: PermitHopperSettings,
    sampler: Sampler,
}

impl PermitHopper {
    /// A validator that has not started.
    pub fn new(settings: PermitHopperSettings) -> Self {
        let sampler = Sampler::new(settings.sampling.clone());
        Self { settings, sampler }
    }

    /// Moves what it has behind the others behind the one whose turn it is.
    fn hop(&self, netuid: NetUid, context: &mut Context<'_>) {
        let (state, me) = (context.view.state(), context.me);
        let Some(subnet) = state.subnet(netuid) else { return };
        let tempo = subnet.params.tempo;
        let Some(tick) = next_tick(netuid, tempo, state.height.0) else { return };
        let members: Vec<AccountId> =
            (0..u64::from(self.settings.members)).map(|number| member(me, number).hotkey).collect();
        let mut placed = members.clone();
        placed.retain(|hotkey| subnet.neurons.uid(hotkey).is_some());
        let turn = epoch_index(netuid.0, tempo, tick) / u64::from(self.settings.stay_epochs);
        let place = turn.checked_rem(placed.len() as u64).map(|place| place as usize);
        let Some(&destination_hotkey) = place.and_then(|place| placed.get(place)) else { return };
        for origin_hotkey in members.into_iter().filter(|hotkey| *hotkey != destination_hotkey) {
            let alpha_amount = state.stake(&origin_hotkey, &me.coldkey, netuid);
            if alpha_amount > Alpha::ZERO {
                context.submit(
                    me.coldkey,
                    Call::MoveStake {
                        origin_hotkey,
                        destination_hotkey,
                        origin_netuid: netuid,
                        destination_netuid: netuid,
                        alpha_amount,
                    },
                );
            }
        }
    }

    fn wake_hop(&self, context: &mut Context<'_>) {
        let lead = self.settings.lead_blocks;
        let next = context.me.netuid.and_then(|netuid| before_epoch_ms(context, netuid, lead));
        // Without epochs it looks again in a day.
        let later_ms = context.now_ms.saturating_add(BLOCKS_PER_DAY * BLOCK_MS);
        context.wake(next.unwrap_or(later_ms), TAG_OWN);
    }
}

impl Machine for PermitHopper {
    fn step(&mut self, input: &Input<'_>, context: &mut Context<'_>) {
        if matches!(input, Input::Timer { tag: TAG_OWN }) {
            if let Some(netuid) = context.me.netuid {
                self.hop(netuid, context);
            }
            return self.wake_hop(context);
        }
        act_through(&mut self.sampler, input, context, &mut unrevised, |_| true);
        if matches!(input, Input::Start) {
            self.wake_hop(context);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adversary::arena::{EPOCH, NETUID, TICK, arena, calls, control, dividends};
    use crate::registry::BehaviourSettings;
    use crate::stage::{Stage, identity};
    use protocol::state::State;

    fn hoppers(stay_epochs: u32) -> Vec<BehaviourSettings> {
        let settings = PermitHopperSettings { stay_epochs, ..Default::default() };
        vec![BehaviourSettings::PermitHopper(settings); 3]
    }

    /// Two may be validators at a time.
    fn few(state: &mut State) {
        state.subnets.get_mut(&NETUID).expect("it was made").params.max_allowed_validators = 2;
    }

    fn behind(stage: &Stage) -> Vec<u64> {
        let alpha = |number| {
            let hotkey = identity("validators", number, None).hotkey;
            stage.state.hotkey_alpha(&hotkey, NETUID).0 / 1_000_000_000
        };
        (0..3).map(alpha).collect()
    }

    #[test]
    fn stake_moves_in_the_block_before_the_epoch_and_permits_with_it() {
        let mut stage = arena(&hoppers(1), few);
        let mut honest = control(3, few);
        stage.play(TICK - 2);
        honest.play(TICK - 2);
        assert_eq!(stage.state.root(), honest.state.root());
        let mut seats = Vec::new();
        let mut flips = 0;
        let permits = |stage: &Stage| stage.state.subnets[&NETUID].neurons.validator_permit.clone();
        let mut before = permits(&stage);
        stage.play(1);
        for _ in 0..6 {
            let behind = behind(&stage);
            let most = (0..3).max_by_key(|place| behind[*place]).expect("three");
            assert!(behind[most] > 20 * behind.iter().sum::<u64>() / 21, "{behind:?}");
            seats.push(most);
            stage.play(1);
            let now = permits(&stage);
            flips += now.iter().zip(&before).filter(|(now, before)| now != before).count();
            before = now;
            stage.play(EPOCH - 1);
        }
        assert!(seats.windows(2).all(|pair| pair[1] == (pair[0] + 1) % 3), "{seats:?}");
        assert!(flips >= 8, "{flips} permits flipped in six epochs");
        assert!(calls(&stage, 0, "move_stake") >= 6);
        assert_eq!(stage.refusals(), [""; 0]);
    }

    #[test]
    fn who_has_no_place_has_no_turn() {
        let settings = PermitHopperSettings { members: 9, ..Default::default() };
        let hoppers = vec![BehaviourSettings::PermitHopper(settings); 2];
        let mut stage = arena(&hoppers, few);
        stage.play(6 * EPOCH);
        assert!(calls(&stage, 0, "move_stake") >= 4);
        assert_eq!(stage.refusals(), [""; 0]);
    }

    /// A permit follows the stake of the epoch before: who moves each time never has both.
    #[test]
    fn it_earns_only_where_it_stays() {
        let earned = |mut stage: Stage| -> u64 {
            stage.play(2 * EPOCH);
            let epoch = |stage: &mut Stage| {
                stage.play(EPOCH);
                (0..3).map(|uid| u64::from(dividends(stage, uid))).sum::<u64>()
            };
            (0..12).map(|_| epoch(&mut stage)).sum()
        };
        let each = earned(arena(&hoppers(1), few));
        let second = earned(arena(&hoppers(2), few));
        let never = earned(control(3, few));
        assert_eq!(each, 0);
        assert!(second > 0 && second < never, "{second} of {never}");
    }
}
