//! What a fork changes: the scenario of a run and the same under assignments, compared key by key.
//!
//! What belongs here: which keys may change in the middle of a run, and what each change comes to: calls of root,
//! players with fresh machines, another seed, network or limits. What does not: making the run (`run`), and copying
//! the past (`commands::fork`). Nothing here reads a file: a log stands alone.

use super::{
    COMPUTED, Planned, casts, check_network, faults, fold_timeline, laid_over, planned_timeline,
};
use crate::plan::{Limits, Network, Plan, Recast, Terms, TimelineCall};
use crate::scenario::document::{Document, Group, SubnetEntry};
use crate::scenario::error::ScenarioError;
use actors::registry::BehaviourSettings;
use protocol::call::{Call, Origin, Setting, Signed};
use protocol::decide::execute;
use protocol::hyperparameters::change::netuid_of;
use protocol::rejection::{Outcome, Rejection};
use protocol::rules::Rules;
use protocol::state::{Global, Params, State};
use protocol::tx::Tx;
use protocol::units::{Alpha, Height, NetUid, PlayerId};
use serde::Serialize;
use std::collections::BTreeSet;
use toml::{Table, Value};

/// Blocks that a change may wait for the end of a freeze before an epoch; the longest tempo is not longer.
const FREEZE_WAIT_BLOCKS_MAX: u64 = 65_537;

/// Bits behind the point of a threshold of root claims.
const THRESHOLD_FRACTION_BITS: u32 = 32;

/// Where a run is left.
#[derive(Clone, Copy, Debug)]
pub struct Past<'a> {
    /// The plan of the run.
    pub plan: &'a Plan,
    /// The scenario that genesis was made from.
    pub genesis: &'a Document,
    /// The last block that is shared.
    pub at: Height,
    /// The state after it.
    pub state: &'a State,
}

/// What is different from the block after on.
#[derive(Clone, Debug)]
pub struct Amendment {
    /// What is decided otherwise.
    pub terms: Terms,
    /// All of it in words, a line each; empty if nothing changes.
    pub told: Vec<String>,
}

/// Takes settings away that a group's present behaviour does not know: those of the behaviour it had, which are
/// written out. A setting that both know stays.
pub fn forget_foreign_settings(group: &mut Group) {
    let Ok(known) = BehaviourSettings::defaults(group.role, &group.behaviour) else { return };
    let known = Table::try_from(&known).expect("settings are plain data");
    group.settings.retain(|key, _| known.contains_key(key));
}

/// Compares a run's scenario with what a fork wants.
///
/// # Errors
/// A value is wrong, or cannot change in the middle of a run; the sentence names its key.
pub fn amend(
    place: &str,
    before: &Document,
    after: &Document,
    past: &Past<'_>,
) -> Result<Amendment, ScenarioError> {
    let wrong = |what: String| ScenarioError::new(format!("{place}: {what}"), None);
    check_network(after).map_err(wrong)?;
    check_shared(before, after).map_err(|key| {
        let what =
            format!("{place}: {key}: it is of the past, which a fork shares with its parent");
        let hint = "a fork changes rules, parameters, players' behaviours, [network], [limits], \
                    [[fault]], later [[timeline]] entries and run.seed; run the scenario for the \
                    rest";
        ScenarioError::new(what, Some(hint.to_owned()))
    })?;
    let mut told = Vec::new();
    let (recast, leaving) = amend_players(place, before, after, past, &mut told)?;
    let mut calls = amend_rules(before, after, past);
    calls.extend(amend_parameters(place, before, after, past)?);
    let changes = schedule(past, calls).map_err(wrong)?;
    let timeline = amend_timeline(place, before, after, past, &changes)?;
    told.extend(tell_calls(&changes));
    let (seed, course) = (after.run.seed, past.plan.course(Height(past.at.0 + 1)));
    let (network, limits) = (Network::from(&after.network), Limits::from(&after.limits));
    let genesis = past.plan.genesis.height.0;
    let faults = faults::planned(place, after, genesis, course.seats())?;
    let parts = [
        (seed != course.seed(), "run.seed: other dice"),
        (network != *course.network(), "[network]: other conditions"),
        (limits != *course.limits(), "[limits]: other limits"),
        (before.timeline != after.timeline, "[[timeline]]: other entries to come"),
        (faults != course.faults(), "[[fault]]: other faults"),
    ];
    told.extend(parts.into_iter().filter(|(is, _)| *is).map(|(_, words)| words.to_owned()));
    let terms = Terms { seed, network, limits, changes, timeline, faults, recast, leaving };
    Ok(Amendment { terms, told })
}

/// What genesis was made from, and nothing can change later. Gives the key that differs.
fn check_shared(before: &Document, after: &Document) -> Result<(), String> {
    same("genesis", &before.genesis, &after.genesis)?;
    same("beacon", &before.beacon, &after.beacon)?;
    same("rules.profile", &before.rules.profile, &after.rules.profile)?;
    if after.subnet.len() < before.subnet.len() {
        return Err("subnet".to_owned());
    }
    for (index, (was, is)) in before.subnet.iter().zip(&after.subnet).enumerate() {
        let name = was.netuid.map_or_else(|| index.to_string(), |netuid| netuid.to_string());
        let bare =
            |entry: &SubnetEntry| SubnetEntry { hyperparameters: Table::new(), ..entry.clone() };
        same(&format!("subnet.{name}"), &bare(was), &bare(is))?;
    }
    for (was, is) in before.players.iter().zip(&after.players) {
        let bare = |group: &Group| Group {
            behaviour: String::new(),
            count: 0,
            settings: Table::new(),
            ..group.clone()
        };
        same(&format!("players.{}", was.name), &bare(was), &bare(is))?;
    }
    Ok(())
}

/// Whether two values are written alike; else the first key that is not.
fn same<T: Serialize>(path: &str, before: &T, after: &T) -> Result<(), String> {
    let written = |value: &T| Value::try_from(value).expect("a document is plain data");
    let (before, after) = (written(before), written(after));
    let (Value::Table(was), Value::Table(is)) = (&before, &after) else {
        return if before == after { Ok(()) } else { Err(path.to_owned()) };
    };
    let mut keys = was.keys().chain(is.keys());
    match keys.find(|key| was.get(*key) != is.get(*key)) {
        None => Ok(()),
        Some(key) => Err(format!("{path}.{key}")),
    }
}

/// Groups whose behaviour or settings differ, and players beyond a lower count.
fn amend_players(
    place: &str,
    before: &Document,
    after: &Document,
    past: &Past<'_>,
    told: &mut Vec<String>,
) -> Result<(Vec<Recast>, Vec<PlayerId>), ScenarioError> {
    let wrong = |group: &Group, what: &str| {
        ScenarioError::new(format!("{place}: players.{}{what}", group.name), None)
    };
    let (old, new) = (casts(place, before)?, casts(place, after)?);
    if new.len() < old.len() {
        let hint = "a group leaves with count = 0".to_owned();
        return Err(ScenarioError::new(
            format!("{place}: players: groups are missing"),
            Some(hint),
        ));
    }
    if let Some(cast) = new.get(old.len()) {
        let what = ": players with money cannot appear in the middle of a run";
        return Err(wrong(cast.group, what));
    }
    let (mut recast, mut leaving) = (Vec::new(), BTreeSet::new());
    let course = past.plan.course(Height(past.at.0 + 1));
    for (old, new) in old.into_iter().zip(new) {
        let (was, is) = (old.group, new.group);
        if is.count > was.count {
            let what = ".count: players with money cannot appear in the middle of a run";
            return Err(wrong(is, what));
        }
        let seats = course.seats().filter(|seat| seat.identity.group == is.name);
        let beyond = seats.filter(|seat| number_of(&seat.identity) >= u64::from(is.count));
        let beyond: Vec<PlayerId> = beyond.map(|seat| seat.identity.id).collect();
        if is.count < was.count {
            told.push(format!("players.{}: {} players leave", is.name, beyond.len()));
            leaving.extend(beyond);
        }
        if old.settings != new.settings {
            if old.settings.seats() != new.settings.seats() {
                let what = ".behaviour: the two do not have their places on the same subnets";
                return Err(wrong(is, what));
            }
            let behaviour = &is.behaviour;
            told.push(format!("players.{}: fresh machines of {behaviour:?}", is.name));
            recast.push(Recast { group: is.name.clone(), player: new.settings.build() });
        }
    }
    Ok((recast, leaving.into_iter().collect()))
}

/// The number of a player among those of its group in the same place.
const fn number_of(identity: &actors::machine::Identity) -> u64 {
    match identity.netuid {
        Some(_) => identity.index & 0xffff,
        None => identity.index,
    }
}

/// The rules in force after the block, with what earlier forks at the same block have ordered.
fn rules_now(past: &Past<'_>) -> Rules {
    let course = past.plan.course(Height(past.at.0 + 1));
    let changes = course.forks().iter().flat_map(|fork| &fork.terms.changes);
    changes.filter(|change| change.height > past.at).fold(past.state.rules, |rules, change| {
        match &change.call {
            Call::SwitchRules { rules } => *rules,
            _ => rules,
        }
    })
}

fn amend_rules(before: &Document, after: &Document, past: &Past<'_>) -> Vec<Call> {
    let (was, is) = (&before.rules, &after.rules);
    let now = rules_now(past);
    let rules = Rules {
        version: if was.version == is.version { now.version } else { is.version },
        mode: if was.mode == is.mode { now.mode } else { is.mode },
        fees: if was.fees == is.fees { now.fees } else { is.fees },
        ..now
    };
    if rules == now { Vec::new() } else { vec![Call::SwitchRules { rules }] }
}

/// A value under the old scenario, under the new one, and as it stands after the block.
struct Change<'a, T> {
    before: &'a T,
    after: &'a T,
    now: &'a T,
}

impl<T> Change<'_, T> {
    /// The new value of a field, if the scenarios differ in it and it is not in force already.
    fn of<V: PartialEq>(&self, field: impl Fn(&T) -> V) -> Option<V> {
        let after = field(self.after);
        (field(self.before) != after && field(self.now) != after).then_some(after)
    }
}

/// A change that no call of the chain can make: its key.
struct Unsettable(&'static str);

fn amend_parameters(
    place: &str,
    before: &Document,
    after: &Document,
    past: &Past<'_>,
) -> Result<Vec<Call>, ScenarioError> {
    let unsettable = |section: &str, Unsettable(key): Unsettable| {
        let what = format!(
            "{place}: {section}.{key}: no call of the chain sets it, so it cannot change in the \
             middle of a run"
        );
        ScenarioError::new(what, None)
    };
    let parameters = |document: &Document| -> Result<Global, ScenarioError> {
        if let Some(key) = COMPUTED.iter().find(|key| document.rules.parameters.contains_key(**key))
        {
            let what = format!("{place}: rules.{key}: genesis computes it, it cannot be set");
            return Err(ScenarioError::new(what, None));
        }
        laid_over(place, "rules", &past.state.global, &document.rules.parameters)
    };
    let (was, is) = (parameters(before)?, parameters(after)?);
    let change = Change { before: &was, after: &is, now: &past.state.global };
    let mut settings = of_network(&change).map_err(|error| unsettable("rules", error))?;
    let places = Places::new(past.genesis);
    for entry in places.added(after) {
        check_added(place, entry, past)?;
    }
    let networks = past.state.networks().filter(|(netuid, _)| !netuid.is_root());
    for (netuid, subnet) in networks {
        let section = format!("subnet.{netuid}");
        let laid = |document: &Document| -> Result<Params, ScenarioError> {
            let table = places.hyperparameters(document, netuid.0);
            laid_over(place, &section, &subnet.params, &table)
        };
        let (was, is) = (laid(before)?, laid(after)?);
        let change = Change { before: &was, after: &is, now: &subnet.params };
        let error = |error| unsettable(&section, error);
        settings.extend(of_subnet(netuid, &change).map_err(error)?);
    }
    Ok(settings.into_iter().map(Call::SudoSet).collect())
}

/// An entry that a fork added changes parameters of a subnet there is, and nothing else.
fn check_added(place: &str, entry: &SubnetEntry, past: &Past<'_>) -> Result<(), ScenarioError> {
    let wrong = |what: String| ScenarioError::new(format!("{place}: {what}"), None);
    let at = past.at;
    let netuid = entry.netuid.ok_or_else(|| wrong("subnet: an entry without netuid".to_owned()))?;
    let there = netuid != 0 && past.state.subnet(NetUid(netuid)).is_some();
    if !there {
        return Err(wrong(format!("subnet.{netuid}: there is no such subnet at block {at}")));
    }
    let bare = SubnetEntry { netuid: Some(netuid), ..SubnetEntry::default() };
    let fixed = SubnetEntry { hyperparameters: Table::new(), ..entry.clone() };
    same(&format!("subnet.{netuid}"), &bare, &fixed).map_err(|key| {
        wrong(format!("{key}: it is of the past, which a fork shares with its parent"))
    })
}

/// Which subnets each entry of a scenario stands for.
struct Places {
    /// Those of the entries that genesis was made from; entries that forks added name their netuid.
    of_genesis: Vec<Vec<u16>>,
}

impl Places {
    /// Numbers subnets as genesis does: entries without a netuid take the lowest ones that are free.
    fn new(genesis: &Document) -> Self {
        let mut taken: BTreeSet<u16> =
            genesis.subnet.iter().filter_map(|entry| entry.netuid).collect();
        let places = genesis.subnet.iter().map(|entry| {
            if let Some(netuid) = entry.netuid {
                return vec![netuid];
            }
            let free = (1..=u16::MAX).filter(|netuid| !taken.contains(netuid));
            let netuids: Vec<u16> = free.take(usize::from(entry.count.unwrap_or(1))).collect();
            taken.extend(&netuids);
            netuids
        });
        Self { of_genesis: places.collect() }
    }

    /// Entries that a fork added, with what they are about.
    fn added<'a>(&self, document: &'a Document) -> impl Iterator<Item = &'a SubnetEntry> {
        document.subnet.iter().skip(self.of_genesis.len())
    }

    /// All that a scenario writes of a subnet's hyperparameters.
    fn hyperparameters(&self, document: &Document, netuid: u16) -> Table {
        let mut table = document.hyperparameters.clone();
        for (index, entry) in document.subnet.iter().enumerate() {
            let about = match self.of_genesis.get(index) {
                Some(netuids) => netuids.contains(&netuid),
                None => entry.netuid == Some(netuid),
            };
            if about {
                table.extend(entry.hyperparameters.clone());
            }
        }
        table
    }
}

macro_rules! settings {
    ($change:ident, $($field:ident => $variant:ident $($key:ident)?;)*) => {
        [$(
            $change.of(|values| values.$field).map(|value| Setting::$variant { $($key,)? value }),
        )*]
        .into_iter()
        .flatten()
    };
}

fn of_network(change: &Change<'_, Global>) -> Result<Vec<Setting>, Unsettable> {
    // All of them, so that a new parameter is not forgotten here; those that genesis computes are refused before.
    let Global {
        total_issuance: _,
        total_stake: _,
        block_emission: _,
        block_author: _,
        tao_weight: _,
        childkey_burn: _,
        subnet_owner_cut: _,
        flow_smoothing: _,
        flow_cutoff: _,
        flow_exponent: _,
        moving_alpha: _,
        stake_threshold: _,
        subnet_limit: _,
        network_min_lock_cost: _,
        network_last_lock_cost: _,
        network_last_lock_block: _,
        network_lock_reduction_interval: _,
        network_rate_limit: _,
        network_registration_start: _,
        network_immunity_period: _,
        start_call_delay: _,
        admin_freeze_window: _,
        delegate_take_max: _,
        root_stakers: _,
        root_claims_per_block: _,
        delegate_take_min: _,
        tx_delegate_take_rate_limit: _,
        childkey_take_max: _,
        childkey_take_min: _,
        tx_childkey_take_rate_limit: _,
        pending_childkey_cooldown: _,
        nominator_min_required_stake: _,
        max_mechanism_count: _,
        owner_hyperparam_rate_limit: _,
        root_walk: _,
        entropies: _,
        tx_rate_limit: _,
        coldkey_swap_announcement_delay: _,
        coldkey_swap_reannouncement_delay: _,
        commit_reveal_version: _,
        beacon: _,
        min_activity_cutoff: _,
        weights_version_key_rate_limit: _,
        dissolve_network_schedule_duration: _,
    } = change.after;
    let stuck = [
        ("tao_weight", change.of(|values| values.tao_weight).is_some()),
        ("network_last_lock_cost", change.of(|values| values.network_last_lock_cost).is_some()),
        ("min_activity_cutoff", change.of(|values| values.min_activity_cutoff).is_some()),
        (
            "weights_version_key_rate_limit",
            change.of(|values| values.weights_version_key_rate_limit).is_some(),
        ),
    ];
    if let Some((key, _)) = stuck.into_iter().find(|(_, changed)| *changed) {
        return Err(Unsettable(key));
    }
    let settings = settings! { change,
        // It opens what a freeze closes.
        admin_freeze_window => AdminFreezeWindow;
        childkey_burn => CkBurn;
        subnet_owner_cut => SubnetOwnerCut;
        flow_smoothing => TaoFlowSmoothingFactor;
        flow_cutoff => TaoFlowCutoff;
        flow_exponent => TaoFlowNormalizationExponent;
        moving_alpha => SubnetMovingAlpha;
        stake_threshold => StakeThreshold;
        subnet_limit => SubnetLimit;
        network_min_lock_cost => NetworkMinLockCost;
        network_lock_reduction_interval => LockReductionInterval;
        network_rate_limit => NetworkRateLimit;
        network_immunity_period => NetworkImmunityPeriod;
        start_call_delay => StartCallDelay;
        delegate_take_max => DefaultTake;
        root_claims_per_block => NumRootClaims;
        delegate_take_min => MinDelegateTake;
        tx_delegate_take_rate_limit => TxDelegateTakeRateLimit;
        childkey_take_max => MaxChildkeyTake;
        childkey_take_min => MinChildkeyTake;
        tx_childkey_take_rate_limit => TxChildkeyTakeRateLimit;
        pending_childkey_cooldown => PendingChildkeyCooldown;
        nominator_min_required_stake => NominatorMinRequiredStake;
        max_mechanism_count => MaxMechanismCount;
        owner_hyperparam_rate_limit => OwnerHparamRateLimit;
        tx_rate_limit => TxRateLimit;
        coldkey_swap_announcement_delay => ColdkeySwapAnnouncementDelay;
        coldkey_swap_reannouncement_delay => ColdkeySwapReannouncementDelay;
        commit_reveal_version => CommitRevealVersion;
        dissolve_network_schedule_duration => DissolveNetworkScheduleDuration;
    };
    Ok(settings.collect())
}

fn of_subnet(netuid: NetUid, change: &Change<'_, Params>) -> Result<Vec<Setting>, Unsettable> {
    // All of them, so that a new parameter is not forgotten here.
    let Params {
        tempo: _,
        kappa: _,
        rho: _,
        activity_cutoff: _,
        max_allowed_validators: _,
        max_allowed_uids: _,
        min_allowed_uids: _,
        min_allowed_weights: _,
        immunity_period: _,
        min_non_immune_uids: _,
        immune_owner_uids_limit: _,
        bonds_moving_average: _,
        bonds_penalty: _,
        bonds_reset: _,
        yuma3: _,
        liquid_alpha: _,
        alpha_low: _,
        alpha_high: _,
        alpha_sigmoid_steepness: _,
        commit_reveal: _,
        reveal_period: _,
        weights_set_rate_limit: _,
        weights_version_key: _,
        serving_rate_limit: _,
        registration_allowed: _,
        pow_registration_allowed: _,
        target_registrations_per_interval: _,
        max_registrations_per_block: _,
        adjustment_interval: _,
        adjustment_alpha: _,
        min_burn: _,
        max_burn: _,
        min_difficulty: _,
        max_difficulty: _,
        subtoken_enabled: _,
        transfer_toggle: _,
        recycle_withheld: _,
        ema_price_halving_blocks: _,
        root_claimable_threshold: _,
        mechanism: _,
        mechanism_count: _,
        mechanism_split: _,
    } = change.after;
    if change.of(|values| values.mechanism).is_some() {
        return Err(Unsettable("mechanism"));
    }
    let settings = settings! { change,
        tempo => Tempo netuid;
        kappa => Kappa netuid;
        rho => Rho netuid;
        activity_cutoff => ActivityCutoff netuid;
        max_allowed_validators => MaxAllowedValidators netuid;
        max_allowed_uids => MaxAllowedUids netuid;
        min_allowed_uids => MinAllowedUids netuid;
        min_allowed_weights => MinAllowedWeights netuid;
        immunity_period => ImmunityPeriod netuid;
        min_non_immune_uids => MinNonImmuneUids netuid;
        immune_owner_uids_limit => OwnerImmuneNeuronLimit netuid;
        bonds_moving_average => BondsMovingAverage netuid;
        bonds_penalty => BondsPenalty netuid;
        bonds_reset => BondsResetEnabled netuid;
        yuma3 => Yuma3Enabled netuid;
        liquid_alpha => LiquidAlphaEnabled netuid;
        alpha_sigmoid_steepness => AlphaSigmoidSteepness netuid;
        commit_reveal => CommitRevealWeightsEnabled netuid;
        reveal_period => CommitRevealWeightsInterval netuid;
        weights_set_rate_limit => WeightsSetRateLimit netuid;
        weights_version_key => WeightsVersionKey netuid;
        serving_rate_limit => ServingRateLimit netuid;
        registration_allowed => NetworkRegistrationAllowed netuid;
        pow_registration_allowed => NetworkPowRegistrationAllowed netuid;
        target_registrations_per_interval => TargetRegistrationsPerInterval netuid;
        max_registrations_per_block => MaxRegistrationsPerBlock netuid;
        adjustment_interval => AdjustmentInterval netuid;
        adjustment_alpha => AdjustmentAlpha netuid;
        min_burn => MinBurn netuid;
        max_burn => MaxBurn netuid;
        min_difficulty => MinDifficulty netuid;
        max_difficulty => MaxDifficulty netuid;
        subtoken_enabled => SubtokenEnabled netuid;
        transfer_toggle => ToggleTransfer netuid;
        recycle_withheld => RecycleOrBurn netuid;
        ema_price_halving_blocks => EmaPriceHalvingPeriod netuid;
        mechanism_count => MechanismCount netuid;
    };
    let mut settings: Vec<Setting> = settings.collect();
    if let Some((low, high)) = change.of(|values| (values.alpha_low, values.alpha_high)) {
        settings.push(Setting::AlphaValues { netuid, low, high });
    }
    if let Some(value) = change.of(|values| values.mechanism_split.clone()) {
        settings.push(Setting::MechanismEmissionSplit { netuid, value });
    }
    if let Some(bits) = change.of(|values| values.root_claimable_threshold) {
        let whole = u64::try_from(bits >> THRESHOLD_FRACTION_BITS).ok();
        let whole = whole.filter(|whole| i128::from(*whole) << THRESHOLD_FRACTION_BITS == bits);
        let value = Alpha(whole.ok_or(Unsettable("root_claimable_threshold"))?);
        settings.push(Setting::RootClaimThreshold { netuid, value });
    }
    Ok(settings)
}

/// Puts changes into the first block that takes them: the one after the fork, or, where a subnet is closed before
/// its epoch, the first after that. Those that need others come after them.
fn schedule(past: &Past<'_>, calls: Vec<Call>) -> Result<Vec<TimelineCall>, String> {
    let mut trial = past.state.clone();
    let (mut waiting, mut planned) = (calls, Vec::new());
    for blocks in 1..=FREEZE_WAIT_BLOCKS_MAX {
        if waiting.is_empty() {
            break;
        }
        let height = Height(past.at.0 + blocks);
        trial.height = height;
        let mut before = usize::MAX;
        while waiting.len() < before {
            before = waiting.len();
            waiting.retain(|call| {
                let taken = outcome(&mut trial, call) == Outcome::Ok;
                if taken {
                    planned.push(TimelineCall { height, call: call.clone() });
                }
                !taken
            });
        }
        let closed = Outcome::Failed(Rejection::AdminActionProhibitedDuringWeightsWindow);
        let refused = waiting.iter().map(|call| (call, outcome(&mut trial, call)));
        if let Some((call, outcome)) = refused.into_iter().find(|(_, outcome)| *outcome != closed) {
            return Err(format!("the chain refuses {}: {}", told(call), outcome.reason()));
        }
    }
    match waiting.first() {
        None => Ok(planned),
        Some(call) => Err(format!(
            "{} finds its subnet closed before every epoch; rules.admin_freeze_window opens it",
            told(call)
        )),
    }
}

fn outcome(trial: &mut State, call: &Call) -> Outcome {
    execute(&mut Tx::new(trial), &Signed { origin: Origin::Root, nonce: 0, call })
}

/// A call by its name and its subnet.
fn told(call: &Call) -> String {
    match call {
        Call::SudoSet(setting) => match netuid_of(setting) {
            Some(netuid) => format!("{} of subnet {netuid}", call.name()),
            None => call.name().to_owned(),
        },
        _ => call.name().to_owned(),
    }
}

/// The changes in words, equal ones of several subnets together.
fn tell_calls(changes: &[TimelineCall]) -> Vec<String> {
    let mut rows: Vec<(Height, &str, Vec<NetUid>)> = Vec::new();
    for change in changes {
        let name = change.call.name();
        let netuid = match &change.call {
            Call::SudoSet(setting) => netuid_of(setting),
            _ => None,
        };
        let same = |row: &&mut (Height, &str, Vec<NetUid>)| row.0 == change.height && row.1 == name;
        match (rows.iter_mut().find(same), netuid) {
            (Some(row), Some(netuid)) => row.2.push(netuid),
            _ => rows.push((change.height, name, netuid.into_iter().collect())),
        }
    }
    let lines = rows.into_iter().map(|(height, name, netuids)| match netuids.as_slice() {
        [] => format!("block {height}: {name}"),
        [netuid] => format!("block {height}: {name} of subnet {netuid}"),
        several => format!("block {height}: {name} of {} subnets", several.len()),
    });
    lines.collect()
}

/// The timeline that is still to come; what it says of the blocks until the fork must stay.
fn amend_timeline(
    place: &str,
    before: &Document,
    after: &Document,
    past: &Past<'_>,
    changes: &[TimelineCall],
) -> Result<Vec<TimelineCall>, ScenarioError> {
    let genesis = past.plan.genesis.height.0;
    let (was, is) =
        (planned_timeline(place, before, genesis)?, planned_timeline(place, after, genesis)?);
    let happened = |planned: &[(Height, Planned)]| -> Vec<(Height, Planned)> {
        planned.iter().filter(|(height, _)| *height <= past.at).cloned().collect()
    };
    if happened(&was) != happened(&is) {
        let at = past.at;
        let what = format!("{place}: timeline: entries up to block {at} are the past of this fork");
        let hint = format!("what changes has to lie behind block {at}");
        return Err(ScenarioError::new(what, Some(hint)));
    }
    let rules = changes.iter().fold(rules_now(past), |rules, change| match &change.call {
        Call::SwitchRules { rules } => *rules,
        _ => rules,
    });
    let coming = is.into_iter().filter(|(height, _)| *height > past.at);
    Ok(fold_timeline(rules, coming))
}
