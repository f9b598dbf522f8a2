//! `judge`: a sampler with a business around it. It measures with noise, works only while it has a permit, runs new
//! versions late, sets its take, lends stake to a child, and may move to a young subnet.
//!
//! The sampler inside it does all that a sampler does; what it says is let through, or not.

use super::{Alarm, PPM, Sampler, SamplerSettings, counts};
use crate::calendar::gap_ms;
use crate::entry::{admits, validators};
use crate::machine::{Context, Identity, Input, Machine, Output};
use crate::maths::normal_ppm;
use crate::registry::{InvalidSetting, ppm, within};
use crate::trade::{Desk, early_in_epoch_ms};
use protocol::balances::EXISTENTIAL_DEPOSIT;
use protocol::call::Call;
use protocol::children::CHILDREN_RATE_LIMIT;
use protocol::dice::{Key, account_of};
use protocol::envelope::{Body, Envelope};
use protocol::rejection::Outcome;
use protocol::staking::hotkey_value;
use protocol::state::{State, Subnet};
use protocol::units::{AccountId, BLOCK_MS, BLOCKS_PER_DAY, NetUid, Rao};
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;

/// Tags below are the sampler's.
const TAG_LOOK: u64 = 1 << 63;
/// How long a question waits until it is looked again whether it may be asked.
const POSTPONED_MS: u64 = 5 * BLOCK_MS;

const DRAW_GAP: u64 = 8 << 56;
const DRAW_MEASURE: u64 = 9 << 56;

/// Settings of `judge`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct JudgeSettings {
    /// How it asks, scores and sets weights.
    pub sampling: SamplerSettings,
    /// Standard deviation of a measured value around the answer's, in millionths of a perfect answer.
    pub noise_ppm: u32,
    /// Blocks between two looks at its business, at least; a look comes early in a tempo.
    pub interval_blocks: u64,
    /// TAO with which it buys stake, once, when it has no permit; nothing for never.
    pub permit_stake_rao: Rao,
    /// Blocks from a new version of the subnet's software until it runs it and can set weights again.
    pub adopts_after_blocks: u64,
    /// Its delegate take at its start, in millionths; absent for the one it has.
    pub take_ppm: Option<u32>,
    /// The take that it moves towards later, in millionths; absent for no other.
    pub take_target_ppm: Option<u32>,
    /// How far the take moves per look, in millionths.
    pub take_step_ppm: u32,
    /// Part of its stake weight that it lends the next validator of its group on the subnet, in millionths.
    pub children_ppm: u32,
    /// How far a buy may move the price, in millionths.
    pub slippage_ppm: u32,
    /// Whether it looks for a young subnet when it has no place or no permit.
    pub roams: bool,
    /// Blocks since its registration in which a subnet is young.
    pub young_blocks: u64,
    /// A young subnet with fewer validators that set weights than this wants it.
    pub validators_wanted: u32,
    /// Free TAO it never spends, in rao.
    pub reserve_rao: Rao,
    /// Whether the group begins without places.
    pub starts_outside: bool,
}

impl Default for JudgeSettings {
    fn default() -> Self {
        Self {
            sampling: SamplerSettings::default(),
            noise_ppm: 20_000,
            interval_blocks: 720,
            permit_stake_rao: Rao::ZERO,
            adopts_after_blocks: 1_800,
            take_ppm: None,
            take_target_ppm: None,
            take_step_ppm: 10_000,
            children_ppm: 0,
            slippage_ppm: 50_000,
            roams: false,
            young_blocks: 14 * BLOCKS_PER_DAY,
            validators_wanted: 4,
            reserve_rao: Rao(100_000_000),
            starts_outside: false,
        }
    }
}

impl JudgeSettings {
    /// Checks the values.
    ///
    /// # Errors
    /// The first setting it could not act on.
    pub fn check(&self) -> Result<(), InvalidSetting> {
        let year = 365 * BLOCKS_PER_DAY;
        self.sampling.check()?;
        ppm("noise_ppm", self.noise_ppm)?;
        within("interval_blocks", self.interval_blocks, 1..=year, "1 block to 1 year")?;
        ppm("take_ppm", self.take_ppm.unwrap_or(0))?;
        ppm("take_target_ppm", self.take_target_ppm.unwrap_or(0))?;
        within("take_step_ppm", self.take_step_ppm.into(), 1..=PPM, "1 to 1000000 (a whole)")?;
        ppm("children_ppm", self.children_ppm)?;
        ppm("slippage_ppm", self.slippage_ppm)
    }
}

/// An order without a receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Open {
    /// One that settles itself in public state.
    Order,
    /// A registration.
    Entry(NetUid),
}

/// A validator with a business.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judge {
    settings: JudgeSettings,
    sampler: Sampler,
    home: Option<NetUid>,
    /// The version of the subnet's software that it runs.
    version: u64,
    /// A newer one that it has seen, and when.
    newer: Option<(u64, u64)>,
    /// Whether it has bought stake since it last had a permit.
    bought: bool,
    /// Whether its take has been what it was to be at its start.
    take_begun: bool,
    open: Option<Open>,
}

impl Judge {
    /// A validator that has not started.
    pub fn new(settings: JudgeSettings) -> Self {
        let sampler = Sampler::new(settings.sampling.clone());
        Self {
            settings,
            sampler,
            home: None,
            version: 0,
            newer: None,
            bought: false,
            take_begun: false,
            open: None,
        }
    }

    /// Where it has its place.
    pub const fn home(&self) -> Option<NetUid> {
        self.home
    }

    fn settle_in(&mut self, home: Option<NetUid>, context: &mut Context<'_>) {
        let state = context.view.state();
        let subnet = home.and_then(|home| state.subnet(home));
        self.home = home;
        self.version = subnet.map_or(0, |subnet| subnet.params.weights_version_key);
        (self.newer, self.bought) = (None, false);
        self.sampler = Sampler::new(self.settings.sampling.clone());
        if home.is_some() {
            self.sample(&Input::Start, context);
        }
    }

    /// Lets the sampler take an input as if its place were the judge's, and lets through what the judge can stand for.
    fn sample(&mut self, input: &Input<'_>, context: &mut Context<'_>) {
        let moved;
        let me = if self.home == context.me.netuid {
            context.me
        } else {
            moved = Identity { netuid: self.home, ..context.me.clone() };
            &moved
        };
        let said = context.inside(me, |inner| self.sampler.step(input, inner));
        let required = self.required_version(context);
        self.adopt(required, context.now_ms);
        for output in said {
            if self.stands_for(&output, required) {
                context.outputs.push(output);
            }
        }
    }

    fn required_version(&self, context: &Context<'_>) -> u64 {
        let subnet = self.home.and_then(|home| context.view.state().subnet(home));
        subnet.map_or(0, |subnet| subnet.params.weights_version_key)
    }

    fn adopt(&mut self, required: u64, now_ms: u64) {
        if required <= self.version {
            self.newer = None;
            return;
        }
        let since_ms = match self.newer {
            Some((known, since_ms)) if known == required => since_ms,
            _ => now_ms,
        };
        self.newer = Some((required, since_ms));
        let wait_ms = self.settings.adopts_after_blocks.saturating_mul(BLOCK_MS);
        if now_ms - since_ms >= wait_ms {
            (self.version, self.newer) = (required, None);
        }
    }

    /// Whether the software it runs can say this: no weights for a version that it does not have, and no opening of a
    /// row of a version that is over.
    fn stands_for(&self, output: &Output, required: u64) -> bool {
        match output {
            Output::Submit { call: Call::RevealWeights { version_key, .. }, .. } => {
                *version_key >= required
            }
            Output::Submit { .. } => self.version >= required,
            Output::Send { .. } | Output::Wake { .. } => true,
        }
    }

    /// Hears an answer as it measures it.
    fn measure(&mut self, envelope: &Envelope, context: &mut Context<'_>) {
        let Body::Answer { netuid, task, value, digest } = envelope.body else { return };
        // Player ids are hashes: what is left of them still tells the answers of a block apart.
        let mut dice = context.dice(DRAW_MEASURE | (envelope.sender.0 >> 8));
        let value = normal_ppm(&mut dice, value, self.settings.noise_ppm, PPM as u32);
        let body = Body::Answer { netuid, task, value, digest };
        let heard = Envelope { body, ..envelope.clone() };
        self.sample(&Input::Message(&heard), context);
    }

    fn subnet<'a>(&self, context: &Context<'a>) -> Option<(NetUid, &'a Subnet)> {
        let home = self.home?;
        context.view.state().subnet(home).map(|subnet| (home, subnet))
    }

    fn has_permit(&self, context: &Context<'_>) -> bool {
        self.subnet(context).is_some_and(|(_, subnet)| permitted(subnet, &context.me.hotkey))
    }

    /// Whether its weights would count: without a permit, or with too little stake, an answer is worth nothing to it.
    fn may_ask(&self, context: &Context<'_>) -> bool {
        self.subnet(context).is_some_and(|(_, subnet)| counts(subnet, context))
    }

    fn wake_look(&self, context: &mut Context<'_>) {
        let interval = self.settings.interval_blocks;
        let mut dice = context.dice(DRAW_GAP);
        let at_ms = match self.home {
            Some(home) => early_in_epoch_ms(context, home, interval, &mut dice),
            None => context.now_ms.saturating_add(gap_ms(&mut dice, interval)),
        };
        context.wake(at_ms, TAG_LOOK);
    }

    /// Minds its business: one order at a time, the most urgent first.
    fn look(&mut self, context: &mut Context<'_>) {
        self.open = None;
        let hotkey = context.me.hotkey;
        let placed =
            self.subnet(context).filter(|(_, subnet)| subnet.neurons.uid(&hotkey).is_some());
        if self.has_permit(context) {
            self.bought = false;
        }
        let order = match placed {
            Some((netuid, subnet)) => self
                .look_take(context)
                .or_else(|| self.look_permit(netuid, context))
                .or_else(|| self.look_children(netuid, subnet, context)),
            None => None,
        };
        let stays = placed.is_some() && (self.has_permit(context) || order.is_some());
        let entry = (self.settings.roams && !stays).then(|| self.look_around(context)).flatten();
        if let Some(call) = order {
            context.submit(context.me.coldkey, call);
            self.open = Some(Open::Order);
        } else if let Some(netuid) = entry {
            context.submit(context.me.coldkey, Call::BurnedRegister { netuid, hotkey });
            self.open = Some(Open::Entry(netuid));
        }
        self.wake_look(context);
    }

    /// Its take as it was to be at the start, then a step towards its target.
    fn look_take(&mut self, context: &Context<'_>) -> Option<Call> {
        let state = context.view.state();
        let now = state.hotkeys.get(&context.me.hotkey)?.take?;
        if !self.take_begun {
            match self.settings.take_ppm.map(|take| take_within(state, take)) {
                Some(take) if take != now => return take_towards(state, context.me.hotkey, take),
                Some(_) | None => self.take_begun = true,
            }
        }
        let target = take_within(state, self.settings.take_target_ppm?);
        let step = of_65535(self.settings.take_step_ppm).max(1);
        let next = if target > now {
            target.min(now.saturating_add(step))
        } else {
            target.max(now.saturating_sub(step))
        };
        (next != now).then(|| take_towards(state, context.me.hotkey, next)).flatten()
    }

    /// Stake for a permit, once.
    fn look_permit(&mut self, netuid: NetUid, context: &Context<'_>) -> Option<Call> {
        let (wanted, state) = (self.settings.permit_stake_rao, context.view.state());
        if wanted == Rao::ZERO || self.bought || self.has_permit(context) {
            return None;
        }
        let spendable = self.spendable(state, context);
        let (hotkey, coldkey) = (context.me.hotkey, context.me.coldkey);
        let desk = Desk { netuid, hotkey, coldkey, slippage_ppm: self.settings.slippage_ppm };
        let order = (spendable >= wanted).then(|| desk.buy(state, wanted)).flatten()?;
        self.bought = true;
        Some(order.call)
    }

    /// A child, if it lends stake and has none yet: the next validator of its group, which has no earlier one as its own.
    fn look_children(
        &self,
        netuid: NetUid,
        subnet: &Subnet,
        context: &Context<'_>,
    ) -> Option<Call> {
        let child = account_of(&context.me.group, context.me.index + 1, Key::Hot, 0);
        let lends = self.settings.children_ppm > 0;
        let call = lends.then(|| lend(netuid, subnet, child, self.settings.children_ppm, context));
        call.flatten()
    }

    /// The young subnet with fewest validators that lets it in and whose place and stake it can pay; of equals the lowest.
    fn look_around(&self, context: &Context<'_>) -> Option<NetUid> {
        let (state, me) = (context.view.state(), context.me);
        let spendable = self.spendable(state, context);
        let young = |subnet: &Subnet| {
            let age = state.height.0.saturating_sub(subnet.info.registered_at);
            age <= self.settings.young_blocks
        };
        let wanted = state.networks().filter(|(netuid, subnet)| {
            let cost = subnet.fast.burn.plus(self.settings.permit_stake_rao);
            subnet.emits()
                && young(subnet)
                && validators(subnet) < self.settings.validators_wanted as usize
                && cost <= spendable
                && admits(state, *netuid, &me.hotkey, me.coldkey)
        });
        let fewest = wanted.max_by_key(|(netuid, subnet)| Reverse((validators(subnet), *netuid)));
        fewest.map(|(netuid, _)| netuid)
    }

    fn spendable(&self, state: &State, context: &Context<'_>) -> Rao {
        let kept = self.settings.reserve_rao.plus(EXISTENTIAL_DEPOSIT);
        state.free(&context.me.coldkey).minus(kept)
    }

    fn settle(&mut self, outcome: Outcome, context: &mut Context<'_>) {
        // Receipts of weights come too; they change nothing here.
        if let Some(Open::Entry(netuid)) = self.open {
            let subnet = context.view.state().subnet(netuid);
            let there =
                subnet.is_some_and(|subnet| subnet.neurons.uid(&context.me.hotkey).is_some());
            if outcome == Outcome::Ok && there {
                self.open = None;
                self.settle_in(Some(netuid), context);
            }
        }
    }
}

/// The order that makes a hotkey the only child of the player's, with a part of its stake weight, when the chain would
/// take it and nothing like it is in force or on its way.
pub(crate) fn lend(
    netuid: NetUid,
    subnet: &Subnet,
    child: AccountId,
    share_ppm: u32,
    context: &Context<'_>,
) -> Option<Call> {
    let (state, hotkey) = (context.view.state(), context.me.hotkey);
    let share = u128::from(share_ppm) * u128::from(u64::MAX) / u128::from(PPM);
    let links = subnet.links.get(&hotkey);
    let last = links.map_or(0, |links| links.children_set_at);
    let rested = last == 0 || state.height.0 + 1 - last >= CHILDREN_RATE_LIMIT;
    let lent = links.is_some_and(|links| links.children.iter().any(|(_, to)| *to == child));
    let raises = links.is_some_and(|links| links.parents.iter().any(|(_, by)| *by == child));
    let backed = subnet.info.owner_hotkey == Some(hotkey)
        || hotkey_value(state, &hotkey) >= state.global.stake_threshold;
    let due = rested
        && backed
        && !lent
        && !raises
        && !subnet.pending_children.contains_key(&hotkey)
        && subnet.neurons.uid(&child).is_some();
    let children = vec![(u64::try_from(share).unwrap_or(u64::MAX), child)];
    due.then_some(Call::SetChildren { hotkey, netuid, children })
}

/// Whether a hotkey may set weights.
pub(crate) fn permitted(subnet: &Subnet, hotkey: &AccountId) -> bool {
    let uid = subnet.neurons.uid(hotkey).map(usize::from);
    uid.is_some_and(|uid| subnet.neurons.validator_permit.get(uid) == Some(&true))
}

/// Millionths as parts of 65,535, rounded down.
pub(crate) fn of_65535(share_ppm: u32) -> u16 {
    let part = u64::from(share_ppm) * u64::from(u16::MAX) / PPM;
    u16::try_from(part).unwrap_or(u16::MAX)
}

/// A take as the chain lets it be.
fn take_within(state: &State, take_ppm: u32) -> u16 {
    let global = &state.global;
    of_65535(take_ppm).min(global.delegate_take_max).max(global.delegate_take_min)
}

/// The order that changes a take, when the chain would take it in the next block.
fn take_towards(state: &State, hotkey: AccountId, take: u16) -> Option<Call> {
    let entry = state.hotkeys.get(&hotkey)?;
    let limit = state.global.tx_delegate_take_rate_limit;
    let since = (state.height.0 + 1).saturating_sub(entry.take_changed_at);
    let rested = limit == 0 || entry.take_changed_at == 0 || since > limit;
    match entry.take {
        Some(now) if take < now => Some(Call::DecreaseTake { hotkey, take }),
        Some(now) if take > now && rested && take <= state.global.delegate_take_max => {
            Some(Call::IncreaseTake { hotkey, take })
        }
        _ => None,
    }
}

impl Machine for Judge {
    fn step(&mut self, input: &Input<'_>, context: &mut Context<'_>) {
        match input {
            Input::Start => {
                self.settle_in(context.me.netuid, context);
                self.wake_look(context);
            }
            Input::Timer { tag: TAG_LOOK } => self.look(context),
            Input::Timer { tag } => {
                let asks = tag & 3 == Alarm::Ask as u64 && tag >> 2 == self.sampler.tick;
                if asks && !self.may_ask(context) {
                    context.wake(context.now_ms + POSTPONED_MS, *tag);
                } else {
                    self.sample(input, context);
                }
            }
            Input::Message(envelope) => self.measure(envelope, context),
            Input::Receipt(receipt) => self.settle(receipt.outcome, context),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::Seated;
    use crate::miner::QualitySettings;
    use crate::registry::{BehaviourSettings, Player};
    use crate::stage::{Stage, TEMPO, enter, fund, genesis, identity, subnet_of};
    use protocol::units::Alpha;

    const EPOCH: u64 = TEMPO as u64 + 1;
    const NETUID: NetUid = NetUid(1);

    fn settings() -> JudgeSettings {
        JudgeSettings { noise_ppm: 0, interval_blocks: 10, ..JudgeSettings::default() }
    }

    fn miners() -> Vec<BehaviourSettings> {
        let miner = |mean_ppm| {
            let settings =
                QualitySettings { mean_ppm, spread_ppm: 0, noise_ppm: 0, ..Default::default() };
            BehaviourSettings::Quality(settings)
        };
        vec![miner(900_000), miner(450_000)]
    }

    /// Three judges of these settings, with 1,000 alpha and 100 TAO each, and two miners.
    fn stage(settings: &JudgeSettings, change: impl Fn(&mut State)) -> Stage {
        let judges = vec![BehaviourSettings::Judge(settings.clone()); 3];
        let (mut state, seats) = subnet_of(&judges, &miners());
        for index in 0..3 {
            fund(&mut state, &identity("validators", index, None), Rao::whole(100));
        }
        change(&mut state);
        Stage::new(state, seats, 1)
    }

    fn subnet(state: &mut State) -> &mut Subnet {
        state.subnets.get_mut(&NETUID).expect("it was made")
    }

    fn permits(stage: &Stage) -> Vec<bool> {
        stage.state.subnets[&NETUID].neurons.validator_permit[..3].to_vec()
    }

    fn rows(stage: &Stage) -> Vec<Vec<(u16, u16)>> {
        stage.state.subnets[&NETUID].mechanisms[0].weights[..3].to_vec()
    }

    /// Messages that a judge sent since a slice.
    fn asked(stage: &Stage, index: u64, since: usize) -> usize {
        let who = identity("validators", index, None);
        let sent = stage.done[since..].iter().flat_map(|done| &done.outgoing);
        sent.filter(|sent| sent.sender == who.id).count()
    }

    #[test]
    fn without_noise_it_does_what_a_sampler_does_and_noise_scatters_its_scores() {
        let mut exact = stage(&settings(), |_| {});
        exact.play(5 * EPOCH);
        assert_eq!(rows(&exact), vec![vec![(3, 65_535), (4, 32_767)]; 3]);
        assert_eq!(exact.refusals(), [""; 0]);
        let mut vague = stage(&JudgeSettings { noise_ppm: 100_000, ..settings() }, |_| {});
        vague.play(5 * EPOCH);
        let rows = rows(&vague);
        assert!(rows[0] != rows[1] && rows[1] != rows[2], "{rows:?}");
        assert!(rows.iter().all(|row| row.len() == 2 && row[0].1 > row[1].1), "{rows:?}");
    }

    /// The third has less stake than the others, and two may be validators.
    fn two_places(state: &mut State) {
        let who = identity("validators", 2, None);
        crate::stage::stake(
            state,
            &identity("validators", 0, None),
            identity("validators", 0, None).hotkey,
            NETUID,
            Alpha::whole(50),
        );
        crate::stage::stake(
            state,
            &identity("validators", 1, None),
            identity("validators", 1, None).hotkey,
            NETUID,
            Alpha::whole(100),
        );
        assert!(state.hotkey_alpha(&who.hotkey, NETUID) == Alpha::whole(1_000));
        subnet(state).params.max_allowed_validators = 2;
    }

    #[test]
    fn one_that_loses_its_permit_asks_no_more() {
        let mut stage = stage(&settings(), two_places);
        stage.play(2 * EPOCH);
        assert_eq!(permits(&stage), [true, true, false]);
        let since = stage.done.len();
        stage.play(4 * EPOCH);
        assert_eq!(asked(&stage, 2, since), 0);
        assert!(asked(&stage, 0, since) > 0);
        assert_eq!(stage.refusals(), [""; 0]);
    }

    #[test]
    fn one_that_can_afford_it_buys_its_permit_back_once_and_asks_again() {
        // Twenty TAO are worth 200 alpha.
        let permit_stake_rao = Rao::whole(20);
        let rich = JudgeSettings { permit_stake_rao, ..settings() };
        let mut stage = stage(&rich, |state| {
            two_places(state);
            fund(state, &identity("validators", 0, None), Rao::whole(1));
        });
        stage.play(6 * EPOCH);
        assert_eq!(permits(&stage), [false, true, true], "the weakest of them is poor");
        let since = stage.done.len();
        stage.play(2 * EPOCH);
        assert_eq!(stage.count("add_stake_limit"), 1);
        assert!(asked(&stage, 2, since) > 0);
        assert_eq!(asked(&stage, 0, since), 0);
        assert_eq!(stage.refusals(), [""; 0]);
    }

    #[test]
    fn a_new_version_keeps_it_silent_until_it_runs_it() {
        let late = JudgeSettings { adopts_after_blocks: 4 * EPOCH, ..settings() };
        let mut before = stage(&late, |_| {});
        before.play(3 * EPOCH);
        let mut state = before.state.clone();
        subnet(&mut state).params.weights_version_key = 7;
        let mut after = Stage::new(state, before.hosts[0].checkpoint().seats, 1);
        after.now_ms = before.now_ms;
        after.play(3 * EPOCH);
        assert_eq!((after.count("set_weights"), after.refusals()), (0, vec![]));
        assert!(asked(&after, 0, 0) > 0, "it goes on asking");
        after.play(3 * EPOCH);
        assert!(after.count("set_weights") >= 3);
        assert_eq!(after.refusals(), [""; 0]);
    }

    #[test]
    fn it_sets_its_take_moves_it_to_its_target_and_lends_stake_to_the_next() {
        let generous = JudgeSettings {
            take_ppm: Some(100_000),
            take_target_ppm: Some(125_000),
            children_ppm: 300_000,
            ..settings()
        };
        let mut stage = stage(&generous, |state| {
            state.global.tx_delegate_take_rate_limit = 0;
            state.global.pending_childkey_cooldown = 0;
        });
        stage.play(12 * EPOCH);
        for index in 0..3 {
            let who = identity("validators", index, None);
            assert_eq!(stage.state.hotkeys[&who.hotkey].take, Some(of_65535(125_000)));
        }
        // From a tenth in steps of a hundredth: two whole ones and a half.
        assert_eq!((stage.count("decrease_take"), stage.count("increase_take")), (3, 9));
        assert_eq!(stage.count("set_children"), 2, "the last has nobody after it");
        let links = &stage.state.subnets[&NETUID].links;
        let first = &links[&identity("validators", 0, None).hotkey];
        let share = (u128::from(u64::MAX) * 3 / 10) as u64;
        assert_eq!(first.children, [(share, identity("validators", 1, None).hotkey)]);
        assert_eq!(stage.refusals(), [""; 0]);
    }

    #[test]
    fn a_rise_of_the_take_waits_for_the_chains_limit() {
        let rising =
            JudgeSettings { take_ppm: Some(50_000), take_target_ppm: Some(70_000), ..settings() };
        let mut stage = stage(&rising, |state| state.global.tx_delegate_take_rate_limit = 60);
        stage.play(6 * EPOCH);
        assert_eq!((stage.count("decrease_take"), stage.count("increase_take")), (3, 0));
        stage.play(8 * EPOCH);
        assert!(stage.count("increase_take") > 0);
        assert_eq!(stage.refusals(), [""; 0]);
    }

    #[test]
    fn one_without_a_place_goes_where_validators_are_few_on_a_young_subnet() {
        let roaming = JudgeSettings {
            roams: true,
            starts_outside: true,
            permit_stake_rao: Rao::whole(20),
            young_blocks: 1_000,
            validators_wanted: 2,
            ..settings()
        };
        let mut state = genesis(3);
        let mut seats = Vec::new();
        for (index, (netuid, settings)) in
            (0..).zip([1, 1, 2].map(NetUid).into_iter().zip(miners().into_iter().cycle()))
        {
            let who = identity("miners", index, Some(netuid));
            enter(&mut state, &who, netuid, Alpha::ZERO, true);
            if netuid == NETUID {
                let uid = subnet(&mut state).neurons.len() - 1;
                subnet(&mut state).mechanisms[0].weights[uid] = vec![(0, 1)];
            }
            seats.push(Seated::new(who, settings.build()));
        }
        // The first has validators enough, the third is old.
        let height = 10_000;
        state.height.0 = height;
        for (netuid, age) in [(1, 10), (2, 10), (3, 5_000)] {
            let subnet = state.subnets.get_mut(&NetUid(netuid)).expect("it was made");
            subnet.info.registered_at = height - age;
        }
        let poor = JudgeSettings { reserve_rao: Rao::whole(90), ..roaming.clone() };
        for (index, settings) in (0..).zip([roaming, poor]) {
            let who = identity("judges", index, None);
            fund(&mut state, &who, Rao::whole(100));
            seats.push(Seated::new(who, BehaviourSettings::Judge(settings).build()));
        }
        let mut stage = Stage::new(state, seats, 1);
        stage.play(8 * EPOCH);
        let home = |index| match stage.player(identity("judges", index, None).id) {
            Player::Judge(judge) => judge.home(),
            other => panic!("{other:?} is no judge"),
        };
        assert_eq!((home(0), home(1)), (Some(NetUid(2)), None));
        let who = identity("judges", 0, None);
        let there = &stage.state.subnets[&NetUid(2)];
        let uid = usize::from(there.neurons.uid(&who.hotkey).expect("it is there"));
        assert!(there.neurons.validator_permit[uid]);
        assert_eq!(there.mechanisms[0].weights[uid], [(0, 65_535)]);
        assert_eq!(stage.refusals(), [""; 0]);
    }
}
