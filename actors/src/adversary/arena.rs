//! A subnet under attack, for the tests of adversaries: four validators, of which the first attack, and four miners of
//! known quality. The same with samplers in their place is what it would have been.

use crate::commitment::CommitKind;
use crate::host::Seated;
use crate::machine::Identity;
use crate::miner::{QualitySettings, StepQuality};
use crate::registry::BehaviourSettings;
use crate::stage::{Stage, TEMPO, enter, fund, identity, subnet_of};
use crate::validator::SamplerSettings;
use protocol::envelope::Body;
use protocol::rejection::Outcome;
use protocol::state::State;
use protocol::units::{AccountId, Alpha, NetUid, Rao};

pub const EPOCH: u64 = TEMPO as u64 + 1;
/// The first block with an epoch.
pub const TICK: u64 = 8;
pub const NETUID: NetUid = NetUid(1);
/// Validators; miners have the uids from here on, the best first.
pub const VALIDATORS: usize = 4;
const QUALITIES: [u32; 4] = [900_000, 600_000, 300_000, 100_000];

/// A miner of a quality, without chance.
pub fn miner(mean_ppm: u32, step_quality: Option<StepQuality>) -> QualitySettings {
    QualitySettings { mean_ppm, spread_ppm: 0, noise_ppm: 0, step_quality, ..Default::default() }
}

/// Who asks, scores and sets weights.
pub fn honest() -> BehaviourSettings {
    BehaviourSettings::Sampler(SamplerSettings::default())
}

/// The same with rows committed by hash.
pub fn hashed() -> BehaviourSettings {
    BehaviourSettings::Sampler(SamplerSettings { commit: CommitKind::Hash, ..Default::default() })
}

/// The subnet with some attackers; the others are honest.
pub fn arena(attackers: &[BehaviourSettings], change: impl FnOnce(&mut State)) -> Stage {
    arena_of(attackers, None, change)
}

/// The same without attackers: as many samplers in their place.
pub fn control(attackers: usize, change: impl FnOnce(&mut State)) -> Stage {
    arena(&vec![honest(); attackers], change)
}

/// The subnet, on which the best miner's quality changes.
pub fn arena_of(
    attackers: &[BehaviourSettings],
    best_steps: Option<StepQuality>,
    change: impl FnOnce(&mut State),
) -> Stage {
    let miners: Vec<BehaviourSettings> = (0..)
        .zip(QUALITIES)
        .map(|(place, mean)| miner(mean, best_steps.filter(|_| place == 0)))
        .map(BehaviourSettings::Quality)
        .collect();
    arena_with(attackers, &miners, change)
}

/// The subnet with other miners.
pub fn arena_with(
    attackers: &[BehaviourSettings],
    miners: &[BehaviourSettings],
    change: impl FnOnce(&mut State),
) -> Stage {
    let mut validators = attackers.to_vec();
    validators.resize(VALIDATORS, honest());
    let (mut state, seats) = subnet_of(&validators, miners);
    state.subnets.get_mut(&NETUID).expect("it was made").fast.alpha_out_emission = Alpha::whole(1);
    change(&mut state);
    Stage::new(state, seats, 1)
}

/// The subnet with an owner that is no validator's group and has a hundred alpha and some TAO.
pub fn arena_with_owner(
    owner: BehaviourSettings,
    tokens: u64,
    change: impl FnOnce(&mut State),
) -> Stage {
    let miners: Vec<BehaviourSettings> =
        QUALITIES.into_iter().map(|mean| BehaviourSettings::Quality(miner(mean, None))).collect();
    let (mut state, mut seats) = subnet_of(&vec![honest(); VALIDATORS], &miners);
    let who = identity("owners", 0, Some(NETUID));
    enter(&mut state, &who, NETUID, Alpha::whole(100), true);
    fund(&mut state, &who, Rao::whole(tokens));
    state.coldkeys.entry(who.coldkey).or_default().owned.push(who.hotkey);
    let subnet = state.subnets.get_mut(&NETUID).expect("it was made");
    subnet.fast.alpha_out_emission = Alpha::whole(1);
    subnet.info.owner = Some(who.coldkey);
    subnet.info.owner_hotkey = Some(who.hotkey);
    change(&mut state);
    seats.push(Seated::new(who, owner.build()));
    Stage::new(state, seats, 1)
}

/// Asks for commits, on a chain with a beacon.
pub fn seal(state: &mut State) {
    let beacon = &mut state.global.beacon;
    (beacon.period_ms, beacon.first_round) = (3_000, 1);
    state.subnets.get_mut(&NETUID).expect("it was made").params.commit_reveal = true;
}

/// The same stage with another state; what is under way is lost.
pub fn change(stage: Stage, change: impl FnOnce(&mut State)) -> Stage {
    let mut state = stage.state.clone();
    change(&mut state);
    state.forget_indexes();
    let seats = stage.hosts[0].checkpoint().seats;
    let mut after = Stage::new(state, seats, 1);
    after.now_ms = stage.now_ms;
    after
}

/// Gives a uid to somebody whom nobody knows.
pub fn swap_in(state: &mut State, uid: u16) {
    let height = state.height.0;
    let neurons = &mut state.subnets.get_mut(&NETUID).expect("it was made").neurons;
    let (place, hotkey) = (usize::from(uid), AccountId([0xAB; 32]));
    let old = std::mem::replace(&mut neurons.hotkeys[place], hotkey);
    neurons.uids.remove(&old);
    neurons.uids.insert(hotkey, uid);
    neurons.registered_at[place] = height;
}

/// A validator by its uid.
pub fn who(uid: usize) -> Identity {
    identity("validators", uid as u64, Some(NETUID))
}

/// A miner by its place among the miners.
pub fn whose(place: usize) -> Identity {
    identity("miners", place as u64, Some(NETUID))
}

/// Messages that a validator sent.
pub fn sent(stage: &Stage, uid: usize) -> usize {
    stage
        .done
        .iter()
        .flat_map(|done| &done.outgoing)
        .filter(|sent| sent.sender == who(uid).id)
        .count()
}

/// Queries that a validator sent.
pub fn queries(stage: &Stage, uid: usize) -> usize {
    queries_of(stage, &who(uid))
}

/// Queries that a player sent.
pub fn queries_of(stage: &Stage, who: &Identity) -> usize {
    let sent = stage.done.iter().flat_map(|done| &done.outgoing);
    sent.filter(|sent| sent.sender == who.id && matches!(sent.body, Body::Query { .. })).count()
}

/// Calls of a validator that were done, of a name.
pub fn calls(stage: &Stage, uid: usize, name: &str) -> usize {
    calls_of(stage, &who(uid), name)
}

/// Calls of a player that were done, of a name.
pub fn calls_of(stage: &Stage, who: &Identity, name: &str) -> usize {
    let done = stage.records.iter().filter(|record| record.outcome == Outcome::Ok);
    done.filter(|record| record.player == who.id && record.call.name() == name).count()
}

/// A validator's calls that were not done, in words.
pub fn refusals_of(stage: &Stage, uid: usize) -> Vec<String> {
    refusals_by(stage, &who(uid))
}

/// A player's calls that were not done, in words.
pub fn refusals_by(stage: &Stage, who: &Identity) -> Vec<String> {
    let own = stage.records.iter().filter(|record| record.player == who.id);
    own.filter(|record| record.outcome != Outcome::Ok)
        .map(|record| format!("{} {}", record.call.name(), record.outcome.reason()))
        .collect()
}

/// The row of a uid.
pub fn row(stage: &Stage, uid: usize) -> Vec<(u16, u16)> {
    stage.state.subnets[&NETUID].mechanisms[0].weights[uid].clone()
}

/// The part of a uid's row that goes to another, in millionths.
pub fn part_of_row(stage: &Stage, uid: usize, target: usize) -> u64 {
    let row = row(stage, uid);
    let sum: u64 = row.iter().map(|(_, weight)| u64::from(*weight)).sum();
    let part = row.iter().find(|(known, _)| usize::from(*known) == target);
    part.map_or(0, |(_, weight)| u64::from(*weight)) * 1_000_000 / sum.max(1)
}

/// Trust in a validator at the last epoch, of 65,535.
pub fn trust(stage: &Stage, uid: usize) -> u16 {
    stage.state.subnets[&NETUID].neurons.validator_trust[uid]
}

/// Dividends of a uid at the last epoch, of 65,535.
pub fn dividends(stage: &Stage, uid: usize) -> u16 {
    stage.state.subnets[&NETUID].neurons.dividends[uid]
}

/// Incentive of a uid at the last epoch, of 65,535.
pub fn incentive(stage: &Stage, uid: usize) -> u16 {
    stage.state.subnets[&NETUID].mechanisms[0].incentive[uid]
}

/// The bond of a uid on another, of 65,535.
pub fn bond(stage: &Stage, uid: usize, target: usize) -> u16 {
    let row = &stage.state.subnets[&NETUID].mechanisms[0].bonds[uid];
    let bond = row.iter().find(|(known, _)| usize::from(*known) == target);
    bond.map_or(0, |(_, bond)| *bond)
}

/// What a validator has behind its hotkey beyond the thousand alpha it began with, in the smallest unit.
pub fn gains(stage: &Stage, uid: usize) -> u64 {
    stage.state.hotkey_alpha(&who(uid).hotkey, NETUID).minus(Alpha::whole(1_000)).0
}
