//! `sybil`: serves one answer at all uids of its group, retakes lost places and registers more to keep the burn up.

use super::{Seeker, TAG_OWN, check_interval, homeless, member, settings, spendable, time_to_look};
use crate::machine::{Context, Identity, Input, Machine, Output};
use crate::maths::normal_ppm;
use crate::miner::{PERFECT_PPM, Quality, QualitySettings, content_digest};
use crate::registry::{InvalidSetting, within};
use protocol::call::Call;
use protocol::dice::{Dice, Domain};
use protocol::envelope::Body;
use protocol::state::Subnet;
use protocol::units::{AccountId, NetUid, Rao};
use serde::{Deserialize, Serialize};

const DRAW_ANSWER: u64 = 19 << 56;
/// Further hotkeys of one coldkey at most.
const FURTHER_MAX: u64 = 256;

settings! {
    /// Settings of `sybil`.
    SybilSettings {
        /// How good the one answer is, and how long the work on it takes.
        answers: QualitySettings = QualitySettings::default(),
        /// The subnet of a group that begins without places.
        netuid: NetUid = NetUid(1),
        /// Blocks between two looks whether it has its place, on average.
        interval_blocks: u64 = 60,
        /// Further hotkeys that its first member registers when an interval has fewer registrations than its target.
        further_hotkeys: u32 = 0,
        /// The most it pays for a place, in rao.
        burn_max_rao: Rao = Rao::whole(1),
        /// Free TAO it never spends, in rao.
        reserve_rao: Rao = Rao(100_000_000),
        /// Whether the group begins without places: then all are registered by the first member's coldkey, which gets
        /// the money of all.
        starts_outside: bool = false,
    }
}

impl SybilSettings {
    /// Checks the values.
    ///
    /// # Errors
    /// The first setting it could not act on.
    pub fn check(&self) -> Result<(), InvalidSetting> {
        self.answers.check()?;
        check_interval(self.interval_blocks)?;
        within("further_hotkeys", self.further_hotkeys.into(), 0..=FURTHER_MAX, "at most 256")
    }
}

/// One of many that are one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sybil {
    settings: SybilSettings,
    /// The answers of the group's first member on the subnet.
    answers: Quality,
}

impl Sybil {
    /// A miner that has not started.
    pub fn new(settings: SybilSettings) -> Self {
        let answers = Quality::new(settings.answers.clone());
        Self { settings, answers }
    }

    /// Lets the one miner behind all of them take an input, and says its answer as this one's.
    fn answer(&mut self, input: &Input<'_>, context: &mut Context<'_>) {
        let head = member(context.me, 0);
        let said = context.inside(&head, |inner| self.answers.step(input, inner));
        for output in said {
            context.outputs.push(match output {
                Output::Send { to, body: Body::Answer { netuid, task, .. } } => {
                    let body = self.answer_shared(netuid, task, &head, context);
                    Output::Send { to, body }
                }
                other => other,
            });
        }
    }

    /// The answer that all give to a task.
    fn answer_shared(
        &self,
        netuid: NetUid,
        task: u64,
        head: &Identity,
        context: &Context<'_>,
    ) -> Body {
        let (seed, noise_ppm) = (context.seed, self.settings.answers.noise_ppm);
        let mut dice = Dice::new(seed, Domain::Player, head.id.0, task, DRAW_ANSWER);
        let value = normal_ppm(&mut dice, self.answers.quality_ppm(), noise_ppm, PERFECT_PPM);
        Body::Answer { netuid, task, value, digest: content_digest(&head.hotkey, task, value) }
    }

    fn look(&self, context: &mut Context<'_>) {
        let (state, me) = (context.view.state(), context.me);
        let netuid = me.netuid.unwrap_or(self.settings.netuid);
        let head = member(me, 0);
        if let Some(subnet) = state.subnet(netuid) {
            let own = me.hotkey;
            if subnet.neurons.uid(&own).is_none() {
                // Its own coldkey's if it began with a place.
                let coldkey = state.owner(&own).unwrap_or(head.coldkey);
                self.look_register(netuid, own, coldkey, context);
            } else if me.index == head.index && low(subnet) {
                let further = homeless(me, subnet, 1, self.settings.further_hotkeys.into());
                if let Some(hotkey) = further {
                    self.look_register(netuid, hotkey, me.coldkey, context);
                }
            }
        }
    }

    fn look_register(
        &self,
        netuid: NetUid,
        hotkey: AccountId,
        coldkey: AccountId,
        context: &mut Context<'_>,
    ) {
        let (burn_max, reserve) = (self.settings.burn_max_rao, self.settings.reserve_rao);
        let seeker = Seeker { hotkey, coldkey, burn_max, reserve };
        if let Some(call) = seeker.registers(netuid, context) {
            context.submit(coldkey, call);
        }
    }

    fn enter(&self, context: &mut Context<'_>) {
        let head = member(context.me, 0);
        let pools = self.settings.starts_outside && context.me.index != head.index;
        if pools && spendable(context.view.state(), &context.me.coldkey, Rao::ZERO) > Rao::ZERO {
            let dest = head.coldkey;
            context.submit(context.me.coldkey, Call::TransferAll { dest, keep_alive: true });
        }
    }
}

/// Whether the burn would fall if nobody else came: fewer registrations than the target.
const fn low(subnet: &Subnet) -> bool {
    subnet.fast.registrations_this_interval < subnet.params.target_registrations_per_interval
}

impl Machine for Sybil {
    fn step(&mut self, input: &Input<'_>, context: &mut Context<'_>) {
        if time_to_look(input, TAG_OWN, self.settings.interval_blocks, context) {
            return self.look(context);
        }
        self.answer(input, context);
        if matches!(input, Input::Start) {
            self.enter(context);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adversary::arena::{
        EPOCH, NETUID, arena_with, honest, incentive, miner, swap_in, whose,
    };
    use crate::host::Seated;
    use crate::registry::BehaviourSettings;
    use crate::stage::{Stage, fund, identity, subnet_of};
    use protocol::state::State;
    use std::collections::{BTreeMap, BTreeSet};

    /// Who answered a task, and the different answers: value and digest.
    type Answers = (BTreeSet<u64>, BTreeSet<(u32, u64)>);

    fn answers_by_task(stage: &Stage) -> BTreeMap<u64, Answers> {
        let mut answers: BTreeMap<u64, Answers> = BTreeMap::new();
        for sent in stage.done.iter().flat_map(|done| &done.outgoing) {
            if let Body::Answer { task, value, digest, .. } = sent.body {
                let (who, what) = answers.entry(task).or_default();
                who.insert(sent.sender.0);
                what.insert((value, digest));
            }
        }
        answers
    }

    #[test]
    fn many_give_one_answer_and_earn_for_many() {
        let answers_of = QualitySettings { spread_ppm: 0, ..QualitySettings::default() };
        let sybil = SybilSettings { answers: answers_of.clone(), ..Default::default() };
        let sybils = vec![BehaviourSettings::Sybil(sybil); 4];
        let mut stage = arena_with(&[], &sybils, |_| {});
        let others = vec![BehaviourSettings::Quality(answers_of); 4];
        let mut plain = arena_with(&[], &others, |_| {});
        stage.play(5 * EPOCH);
        plain.play(5 * EPOCH);
        let (same, different) = (answers_by_task(&stage), answers_by_task(&plain));
        assert!(same.len() >= 12);
        assert!(same.values().all(|(_, what)| what.len() == 1), "{same:?}");
        assert!(same.values().filter(|(who, _)| who.len() == 4).count() >= 10, "{same:?}");
        assert!(different.values().any(|(_, what)| what.len() == 4));
        let values: BTreeSet<u32> =
            same.values().flat_map(|(_, what)| what.iter().map(|(value, _)| *value)).collect();
        assert!(values.len() > 5, "one answer to each task, not to all of them: {values:?}");
        assert!((4..8).all(|uid| incentive(&stage, uid).abs_diff(16_383) < 10));
        assert_eq!(stage.refusals(), [""; 0]);
    }

    /// Five places, of which four are taken, and registrations whenever one is left.
    fn tight(state: &mut State) {
        let subnet = state.subnets.get_mut(&NETUID).expect("it was made");
        subnet.fast.burn = Rao(2_000_000);
        subnet.params.min_burn = Rao(1_000_000);
        subnet.params.adjustment_interval = 10;
        subnet.params.adjustment_alpha = 0;
        subnet.params.target_registrations_per_interval = 2;
        subnet.params.max_allowed_uids = 12;
        subnet.params.immunity_period = 20;
        subnet.params.min_non_immune_uids = 0;
    }

    #[test]
    fn one_coldkey_hoards_the_places_and_the_burn_does_not_fall() {
        let settings = SybilSettings {
            answers: miner(500_000, None),
            interval_blocks: 3,
            further_hotkeys: 12,
            starts_outside: true,
            ..Default::default()
        };
        let build = |sybils: u64| {
            let miners = [BehaviourSettings::Quality(miner(800_000, None))];
            let (mut state, mut seats) = subnet_of(&vec![honest(); 2], &miners);
            tight(&mut state);
            for index in 0..sybils {
                let who = identity("sybils", index, None);
                fund(&mut state, &who, Rao::whole(2));
                let player = BehaviourSettings::Sybil(settings.clone()).build();
                seats.push(Seated::new(who, player));
            }
            Stage::new(state, seats, 1)
        };
        let (mut stage, mut plain) = (build(3), build(0));
        stage.play(150);
        plain.play(150);
        let head = identity("sybils", 0, None).coldkey;
        let subnet = &stage.state.subnets[&NETUID];
        let owned =
            subnet.neurons.hotkeys.iter().filter(|key| stage.state.owner(key) == Some(head));
        assert!(owned.count() >= 8, "of twelve uids one coldkey has most");
        let burn = |stage: &Stage| stage.state.subnets[&NETUID].fast.burn;
        assert!(burn(&stage) >= Rao(1_900_000), "{}", burn(&stage));
        assert_eq!(burn(&plain), Rao(1_000_000), "without it the burn falls to its lowest");
        assert_eq!(stage.count("transfer_all"), 2);
    }

    #[test]
    fn a_lost_place_is_taken_back() {
        let settings = SybilSettings { interval_blocks: 2, ..Default::default() };
        let mut stage = arena_with(&[], &[BehaviourSettings::Sybil(settings)], |state| {
            fund(state, &whose(0), Rao::whole(5));
            swap_in(state, 4);
        });
        let has =
            |stage: &Stage| stage.state.subnets[&NETUID].neurons.uid(&whose(0).hotkey).is_some();
        assert!(!has(&stage));
        stage.play(20);
        assert!(has(&stage));
        assert_eq!((stage.count("burned_register"), stage.refusals()), (1, vec![]));
    }
}
