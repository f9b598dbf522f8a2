//! `childkey-abuser`: raises its childkey take, or moves its children, in the last blocks before an epoch.
//!
//! After the epoch the take is low again, so that who looks in between sees a fair one.

use super::{
    TAG_OWN, act_through, before_epoch_ms, check_members, first_index, member, own_subnet,
    settings, unrevised,
};
use crate::calendar::{block_ms, next_tick};
use crate::machine::{Context, Identity, Input, Machine};
use crate::registry::{InvalidSetting, ppm, within};
use crate::validator::judge::{lend, of_65535};
use crate::validator::{Sampler, SamplerSettings};
use protocol::call::Call;
use protocol::state::{State, Subnet};
use protocol::units::{BLOCK_MS, BLOCKS_PER_DAY, NetUid};
use serde::{Deserialize, Serialize};

const TAG_BEFORE: u64 = TAG_OWN;
const TAG_AFTER: u64 = TAG_OWN | 1;

settings! {
    /// Settings of `childkey-abuser`.
    ChildkeyAbuserSettings {
        /// How it asks, scores and sets weights.
        sampling: SamplerSettings = SamplerSettings::default(),
        /// First members of the group on the subnet that lend; the others take.
        lenders: u32 = 1,
        /// Members of the group on the subnet, lenders too.
        members: u32 = 2,
        /// Part of its stake weight that a lender lends, in millionths.
        lends_ppm: u32 = 1_000_000,
        /// Whether a lender moves what it lends to the next child before each epoch in which the chain lets it.
        moves_children: bool = false,
        /// Take of a child in the block of an epoch, in millionths; the chain's bound holds.
        take_high_ppm: u32 = 180_000,
        /// Its take at all other times, in millionths.
        take_low_ppm: u32 = 0,
        /// Blocks before an epoch in which it raises its take or moves children.
        lead_blocks: u64 = 1,
    }
}

impl ChildkeyAbuserSettings {
    /// Checks the values.
    ///
    /// # Errors
    /// The first setting it could not act on.
    pub fn check(&self) -> Result<(), InvalidSetting> {
        self.sampling.check()?;
        check_members("members", self.members)?;
        let most = u64::from(self.members).saturating_sub(1);
        within("lenders", self.lenders.into(), 0..=most, "fewer than members")?;
        ppm("lends_ppm", self.lends_ppm)?;
        ppm("take_high_ppm", self.take_high_ppm)?;
        let high = u64::from(self.take_high_ppm);
        within("take_low_ppm", self.take_low_ppm.into(), 0..=high, "at most take_high_ppm")?;
        within("lead_blocks", self.lead_blocks, 1..=BLOCKS_PER_DAY, "1 block to 1 day")
    }
}

/// A validator that abuses childkeys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChildkeyAbuser {
    settings: ChildkeyAbuserSettings,
    sampler: Sampler,
}

impl ChildkeyAbuser {
    /// A validator that has not started.
    pub fn new(settings: ChildkeyAbuserSettings) -> Self {
        let sampler = Sampler::new(settings.sampling.clone());
        Self { settings, sampler }
    }

    const fn lends(&self, me: &Identity) -> bool {
        me.index - first_index(me) < self.settings.lenders as u64
    }

    fn before(&self, context: &mut Context<'_>) {
        let subnet = own_subnet(context);
        if let Some((netuid, subnet)) = subnet {
            let call = if self.lends(context.me) {
                self.before_lend(netuid, subnet, context)
            } else {
                towards(netuid, subnet, self.settings.take_high_ppm, context)
            };
            if let Some(call) = call {
                context.submit(context.me.coldkey, call);
            }
        }
        self.wake_before(context);
        let next = subnet.and_then(|(netuid, subnet)| {
            next_tick(netuid, subnet.params.tempo, context.view.state().height.0)
        });
        if let Some(tick) = next {
            // The block of the epoch has then been decided.
            context.wake(block_ms(context, tick), TAG_AFTER);
        }
    }

    /// Lends, or lends the next member that takes instead.
    fn before_lend(&self, netuid: NetUid, subnet: &Subnet, context: &Context<'_>) -> Option<Call> {
        let me = context.me;
        let takers: Vec<Identity> = (self.settings.lenders..self.settings.members)
            .map(|number| member(me, number.into()))
            .filter(|who| subnet.neurons.uid(&who.hotkey).is_some())
            .collect();
        let links = subnet.links.get(&me.hotkey);
        let lent = |who: &Identity| {
            links.is_some_and(|links| links.children.iter().any(|(_, to)| *to == who.hotkey))
        };
        let next = match takers.iter().position(lent) {
            None => 0,
            Some(_) if !self.settings.moves_children => return None,
            Some(place) => (place + 1) % takers.len(),
        };
        let child = takers.get(next)?.hotkey;
        lend(netuid, subnet, child, self.settings.lends_ppm, context)
    }

    fn after(&self, context: &mut Context<'_>) {
        let call =
            own_subnet(context).filter(|_| !self.lends(context.me)).and_then(|(netuid, subnet)| {
                towards(netuid, subnet, self.settings.take_low_ppm, context)
            });
        if let Some(call) = call {
            context.submit(context.me.coldkey, call);
        }
    }

    fn wake_before(&self, context: &mut Context<'_>) {
        let lead = self.settings.lead_blocks;
        let next = context.me.netuid.and_then(|netuid| before_epoch_ms(context, netuid, lead));
        let later_ms = context.now_ms.saturating_add(BLOCKS_PER_DAY * BLOCK_MS);
        context.wake(next.unwrap_or(later_ms), TAG_BEFORE);
    }
}

/// The order that gives the player's childkey a take, when the chain would take it in the next block.
fn towards(netuid: NetUid, subnet: &Subnet, ppm: u32, context: &Context<'_>) -> Option<Call> {
    let (state, hotkey) = (context.view.state(), context.me.hotkey);
    let take = of_65535(ppm).min(state.global.childkey_take_max);
    let links = subnet.links.get(&hotkey);
    let (now, last) = links.map_or((0, 0), |links| (links.take, links.take_set_at));
    let due = take < now || take > now && rested(state, last);
    due.then_some(Call::SetChildkeyTake { hotkey, netuid, take })
}

const fn rested(state: &State, last: u64) -> bool {
    let since = (state.height.0 + 1).saturating_sub(last);
    last == 0 || since >= state.global.tx_childkey_take_rate_limit
}

impl Machine for ChildkeyAbuser {
    fn step(&mut self, input: &Input<'_>, context: &mut Context<'_>) {
        match input {
            Input::Timer { tag: TAG_BEFORE } => self.before(context),
            Input::Timer { tag: TAG_AFTER } => self.after(context),
            _ => act_through(&mut self.sampler, input, context, &mut unrevised, |_| true),
        }
        if matches!(input, Input::Start) {
            self.wake_before(context);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adversary::arena::{EPOCH, NETUID, arena, calls, gains};
    use crate::registry::BehaviourSettings;
    use crate::stage::identity;

    fn abusers(settings: &ChildkeyAbuserSettings, count: usize) -> Vec<BehaviourSettings> {
        vec![BehaviourSettings::ChildkeyAbuser(settings.clone()); count]
    }

    fn free_of_pauses(state: &mut State) {
        state.global.tx_childkey_take_rate_limit = 0;
        state.global.pending_childkey_cooldown = 0;
    }

    #[test]
    fn its_take_is_high_in_the_block_of_the_epoch_alone_and_the_parent_pays() {
        let high = ChildkeyAbuserSettings::default();
        let fair = ChildkeyAbuserSettings { take_high_ppm: 0, ..high.clone() };
        let mut stage = arena(&abusers(&high, 2), free_of_pauses);
        let mut honest = arena(&abusers(&fair, 2), free_of_pauses);
        stage.play(10 * EPOCH);
        honest.play(10 * EPOCH);
        assert_eq!(calls(&stage, 0, "set_children"), 1);
        assert!(calls(&stage, 1, "set_childkey_take") >= 16, "up and down each epoch");
        assert_eq!(calls(&honest, 1, "set_childkey_take"), 0);
        let child = identity("validators", 1, None).hotkey;
        assert_eq!(stage.state.subnets[&NETUID].links[&child].take, 0, "after an epoch");
        assert!(gains(&stage, 0) < gains(&honest, 0) * 95 / 100, "the parent's net yield");
        assert!(gains(&stage, 1) > gains(&honest, 1));
        assert_eq!(stage.refusals(), [""; 0]);
    }

    #[test]
    fn a_pause_of_the_chain_leaves_it_one_rise() {
        let mut stage = arena(&abusers(&ChildkeyAbuserSettings::default(), 2), |state| {
            state.global.pending_childkey_cooldown = 0;
        });
        stage.play(10 * EPOCH);
        assert_eq!(calls(&stage, 1, "set_childkey_take"), 2, "up once, down once");
        assert_eq!(stage.refusals(), [""; 0]);
    }

    #[test]
    fn children_move_as_often_as_the_chain_lets_them() {
        let settings = ChildkeyAbuserSettings {
            members: 3,
            moves_children: true,
            take_high_ppm: 0,
            ..Default::default()
        };
        let mut stage = arena(&abusers(&settings, 3), free_of_pauses);
        let mut children = Vec::new();
        for _ in 0..45 {
            stage.play(EPOCH);
            let who = identity("validators", 0, None).hotkey;
            let links = stage.state.subnets[&NETUID].links.get(&who);
            children.extend(links.and_then(|links| links.children.first()).map(|(_, to)| *to));
        }
        children.dedup();
        let [one, two] = [1, 2].map(|number| identity("validators", number, None).hotkey);
        assert_eq!(children, [one, two, one, two], "every 150 blocks");
        assert_eq!(stage.refusals(), [""; 0]);
    }
}
