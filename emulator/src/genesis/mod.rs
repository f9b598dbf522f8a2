//! Genesis: from a checked scenario to the plan of a run: subnets, holdings, players.
//!
//! What belongs here: how a network is populated, and every assumption behind it. What does not: reading files
//! (`scenario`), and what happens afterwards.

/// What a fork changes.
pub mod amendment;
/// Simulated faults as a scenario writes them.
pub mod faults;
/// Snapshots from what a node says.
pub mod import;
/// JSON that says where it is wrong.
pub mod json;
/// Neurons, weights and holders of a subnet.
pub mod metagraph;
/// Holdings, neurons and balances.
mod populate;
/// Settings as a timeline writes them.
mod settings;
/// The real network as the explorer gives it.
pub mod snapshot;

pub use populate::nobodies;

use crate::likeness::{meant, nearest};
use crate::plan::{Limits, Network, Plan, TimelineCall};
use crate::scenario::amount::Tao;
use crate::scenario::document::{
    At, BeaconSection, Document, Group, LimitSection, NetworkSection, SubnetEntry, TimelineEntry,
    Where,
};
use crate::scenario::error::ScenarioError;
use crate::scenario::layers::readable;
use actors::registry::{BehaviourSettings, Role, Seats};
use metagraph::{Holder, Imported, Metagraph, Surroundings};
use populate::{Population, Seating};
use protocol::beacon::Beacon;
use protocol::call::{Call, Setting};
use protocol::pool::LIQUIDITY_SAFE_MIN;
use protocol::rules::{AccountOrder, FeeSchedule, Mode, Profile, RuleVersion, Rules};
use protocol::state::{Global, Params, State};
use protocol::symbols;
use protocol::units::{AccountId, Alpha, BLOCK_MS, Height, NetUid, Rao, UNITS_PER_TOKEN};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use settings::Wrong;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use storage::record::HEIGHT_MAX;
use toml::Table;

/// Global parameters that genesis computes and nobody sets.
const COMPUTED: &[&str] = &[
    "total_issuance",
    "total_stake",
    "block_emission",
    "block_author",
    "network_last_lock_block",
    "network_registration_start",
    "root_stakers",
    "root_walk",
    "entropies",
    "beacon",
];

/// Players of a run, at most.
pub const PLAYERS_MAX: u64 = 1_000_000;
/// Deviation of the logarithm of what members of a group have, in millionths, at most.
const SPREAD_PPM_MAX: u32 = 5_000_000;
/// A whole of parts in millionths.
const PPM_WHOLE: u64 = 1_000_000;
/// Draws of positions by all members of a group on all subnets, at most.
pub const DRAWS_MAX: u64 = 1 << 30;

/// One subnet at genesis.
#[derive(Clone, Debug)]
pub struct SubnetPlan {
    netuid: NetUid,
    name: String,
    symbol: String,
    params: Params,
    tao: u64,
    alpha_in: u64,
    alpha_out: u64,
    /// Its part of the flow averages, relative to the others'.
    flow_share: u64,
    /// I96F32 bits.
    moving_price: i128,
    registered_at: u64,
    blocks_since_last_step: u64,
    burn: u64,
    /// Hotkey and coldkey of its owner, if the snapshot names them.
    owner: Option<(AccountId, AccountId)>,
    /// Its neurons and holders, if a file names them.
    imported: Option<Imported>,
    /// The file that does.
    file: String,
    /// Neurons it has at least.
    neurons_min: u16,
}

/// A group with its behaviour's settings, read and checked.
#[derive(Clone, Debug)]
pub struct Cast<'a> {
    group: &'a Group,
    settings: BehaviourSettings,
}

/// Makes the plan of a scenario.
///
/// # Errors
/// What it asks for does not fit together, or its snapshot is wrong.
pub fn plan(
    place: &str,
    document: &Document,
    folder: &Path,
    scenario: String,
) -> Result<Plan, ScenarioError> {
    let wrong = |what: String| ScenarioError::new(format!("{place}: {what}"), None);
    check_heights(document).map_err(wrong)?;
    check_network(document).map_err(wrong)?;
    let casts = casts(place, document)?;
    let mut state = State::default();
    state.rules = rules(document);
    state.global = global(place, document)?;
    state.global.beacon = beacon(document);
    let rows = match &document.genesis.snapshot {
        Some(name) => Some(snapshot::read(place, name, folder)?),
        None => None,
    };
    let height = document.genesis.height;
    if let Some((_, metagraphs)) = rows.as_ref().filter(|_| height == 0) {
        let what = format!("{place}: genesis.height: a snapshot needs the block it was taken at");
        let block = metagraphs.iter().filter_map(|metagraph| metagraph.block).max();
        let hint = block.map(|block| format!("its metagraph is of block {block}"));
        return Err(ScenarioError::new(what, hint));
    }
    state.height = Height(height);
    let mut metagraphs = Metagraphs::read(place, document, folder)?;
    let (mut subnets, root_stake) = match rows {
        Some((rows, beside)) => {
            metagraphs.add(document.genesis.snapshot.as_deref(), folder, beside);
            snapshot_subnets(place, document, &rows, &metagraphs)?
        }
        None => {
            let counts = document.subnet.iter().map(|entry| entry.count.unwrap_or(1));
            check_count(counts.map(usize::from).sum(), state.global.subnet_limit).map_err(wrong)?;
            let subnets = generated_subnets(place, document, height, &metagraphs)?;
            (subnets, document.genesis.root_stake.0)
        }
    };
    let take_max = state.global.delegate_take_max;
    check_neurons_min(&subnets).map_err(wrong)?;
    for subnet in &mut subnets {
        metagraphs.fit(subnet, height, take_max)?;
    }
    check_count(subnets.len(), state.global.subnet_limit).map_err(wrong)?;
    check_pools(&subnets).map_err(wrong)?;
    let population = Population {
        seed: document.run.seed,
        subnets: &subnets,
        casts: &casts,
        root_stake,
        root_holders: metagraphs.root_holders(root_stake, take_max, height)?,
        total_issuance: document.genesis.total_issuance.0,
        flow_ema_total: document.genesis.flow_ema_total.0,
    };
    population.check().map_err(wrong)?;
    let seating = Seating::seat(state, &population).map_err(wrong)?;
    let timeline = timeline(place, document, height)?;
    let faults = faults::planned(place, document, height, seating.players.iter())?;
    faults::scheduled(place, document, height)?;
    Ok(Plan {
        name: document.scenario.name.clone(),
        description: document.scenario.description.clone(),
        scenario,
        seed: document.run.seed,
        genesis_unix_s: calendar(place, document)?,
        network: Network::from(&document.network),
        limits: Limits::from(&document.limits),
        timeline,
        faults,
        players: seating.players,
        genesis: seating.state,
        forks: Vec::new(),
    })
}

impl From<&NetworkSection> for Network {
    fn from(section: &NetworkSection) -> Self {
        Self {
            slice_ms: section.slice_ms,
            latency_ms_min: section.latency_ms_min,
            latency_ms_max: section.latency_ms_max,
            loss_ppm: section.loss_ppm,
            duplication_ppm: section.duplication_ppm,
        }
    }
}

impl From<&LimitSection> for Limits {
    fn from(section: &LimitSection) -> Self {
        Self {
            extrinsics_per_block_max: section.extrinsics_per_block_max,
            pool_max: section.pool_max,
            refused_kept_max: section.refused_kept_max,
        }
    }
}

/// Writes every default out that depends on other keys: settings of behaviours.
///
/// # Errors
/// A behaviour or setting is unknown.
pub fn write_out(place: &str, document: &mut Document) -> Result<(), ScenarioError> {
    let settings: Vec<Table> = casts(place, document)?
        .into_iter()
        .map(|cast| Table::try_from(&cast.settings).expect("settings are plain data"))
        .collect();
    for (group, settings) in document.players.iter_mut().zip(settings) {
        group.settings = settings;
    }
    Ok(())
}

/// The metagraphs that a scenario names or its snapshot holds, by netuid, each with its file.
#[derive(Debug, Default)]
struct Metagraphs(BTreeMap<u16, (String, Metagraph)>);

impl Metagraphs {
    /// Reads those of files of their own.
    fn read(place: &str, document: &Document, folder: &Path) -> Result<Self, ScenarioError> {
        let mut metagraphs = Self::default();
        for entry in &document.subnet {
            let Some(name) = &entry.metagraph else { continue };
            let key = snapshot::metagraph_key(entry.netuid);
            let wrong = |what: String| ScenarioError::new(format!("{place}: {key}: {what}"), None);
            let netuid = entry.netuid.ok_or_else(|| {
                wrong("an entry with a metagraph has the netuid of that".to_owned())
            })?;
            let (text, _) = snapshot::text(place, &key, name, folder)?;
            let path = folder.join(name);
            let file = path.display().to_string();
            let found = metagraph::parsed(&path, &text)?;
            let found = found.into_iter().find(|metagraph| metagraph.netuid == netuid);
            let found = found.filter(Metagraph::has_people).ok_or_else(|| {
                wrong(format!("{file} has no neurons or holders of netuid {netuid}"))
            })?;
            metagraphs.0.insert(netuid, (file, found));
        }
        Ok(metagraphs)
    }

    /// Adds those that a snapshot holds itself, where there is none of a file of its own.
    fn add(&mut self, snapshot: Option<&str>, folder: &Path, beside: Vec<Metagraph>) {
        let file = folder.join(snapshot.unwrap_or_default()).display().to_string();
        for metagraph in beside {
            self.0.entry(metagraph.netuid).or_insert_with(|| (file.clone(), metagraph));
        }
    }

    /// A subnet's parameters, if its metagraph tells some.
    fn over(&self, netuid: u16, params: Params) -> Params {
        match self.0.get(&netuid) {
            Some((_, metagraph)) => metagraph.hyperparameters.over(params),
            None => params,
        }
    }

    /// Gives a subnet its neurons and holders.
    fn fit(&self, plan: &mut SubnetPlan, height: u64, take_max: u16) -> Result<(), ScenarioError> {
        let found = self.0.get(&plan.netuid.0).filter(|(_, metagraph)| metagraph.has_people());
        let Some((file, metagraph)) = found else { return Ok(()) };
        let around = Surroundings {
            height,
            stake: plan.alpha_out,
            uids_max: plan.params.max_allowed_uids,
            take_max,
            immunity_period: plan.params.immunity_period,
        };
        let imported = metagraph.fit(around).map_err(|what| {
            ScenarioError::new(format!("{file}: netuid {}: {what}", plan.netuid), None)
        })?;
        plan.imported = Some(imported);
        plan.owner = plan.owner.or(metagraph.owner_hk.zip(metagraph.owner_ck));
        plan.file.clone_from(file);
        Ok(())
    }

    /// Those who are named as holding stake on root.
    fn root_holders(
        &self,
        root_stake: u64,
        take_max: u16,
        height: u64,
    ) -> Result<Vec<Holder>, ScenarioError> {
        let Some((file, root)) = self.0.get(&NetUid::ROOT.0) else { return Ok(Vec::new()) };
        let around =
            Surroundings { height, stake: root_stake, uids_max: 0, take_max, immunity_period: 0 };
        let root = root.fit(around);
        let root =
            root.map_err(|what| ScenarioError::new(format!("{file}: netuid 0: {what}"), None))?;
        Ok(root.holders)
    }
}

/// No more neurons from the start than there are uids.
fn check_neurons_min(subnets: &[SubnetPlan]) -> Result<(), String> {
    let crowded = subnets.iter().find(|plan| plan.neurons_min > plan.params.max_allowed_uids);
    crowded.map_or(Ok(()), |plan| {
        let SubnetPlan { netuid, neurons_min, params, .. } = plan;
        let most = params.max_allowed_uids;
        Err(format!(
            "neurons_min: {neurons_min}, but subnet {netuid} has {most} uids (max_allowed_uids)"
        ))
    })
}

/// The rules in force from genesis on.
fn rules(document: &Document) -> Rules {
    let section = &document.rules;
    Rules {
        version: section.version,
        mode: section.mode,
        fees: section.fees,
        account_order: AccountOrder::Bytes,
    }
}

/// The beacon before its first pulse is stored.
fn beacon(document: &Document) -> Beacon {
    let BeaconSection { period_ms, first_round } = document.beacon;
    match period_ms {
        0 => Beacon::default(),
        _ => Beacon { period_ms, first_round, ..Beacon::default() },
    }
}

/// No block beyond the last one that a log can hold.
fn check_heights(document: &Document) -> Result<(), String> {
    let (height, blocks) = (document.genesis.height, document.run.blocks.0);
    if height > HEIGHT_MAX {
        return Err(format!("genesis.height: {height} is beyond the last block, {HEIGHT_MAX}"));
    }
    if blocks > HEIGHT_MAX - height {
        return Err(format!("run.blocks: {blocks} blocks go beyond the last one, {HEIGHT_MAX}"));
    }
    Ok(())
}

fn check_count(count: usize, limit: u16) -> Result<(), String> {
    if count > usize::from(limit) {
        return Err(format!("rules.subnet_limit: {count} subnets, but the limit is {limit}"));
    }
    Ok(())
}

fn check_network(document: &Document) -> Result<(), String> {
    let network = &document.network;
    if network.slice_ms == 0 || !BLOCK_MS.is_multiple_of(network.slice_ms) {
        let slice = network.slice_ms;
        return Err(format!("network.slice_ms: {slice} does not divide a block's {BLOCK_MS} ms"));
    }
    if network.latency_ms_min > network.latency_ms_max {
        let (min, max) = (network.latency_ms_min, network.latency_ms_max);
        return Err(format!("network.latency_ms_min: {min} is more than latency_ms_max, {max}"));
    }
    for (key, value) in
        [("loss_ppm", network.loss_ppm), ("duplication_ppm", network.duplication_ppm)]
    {
        if value > 1_000_000 {
            return Err(format!("network.{key}: {value} is more than a whole, 1000000"));
        }
    }
    if document.beacon.first_round == 0 {
        return Err("beacon.first_round: rounds are counted from 1".to_owned());
    }
    if document.limits.extrinsics_per_block_max == 0 {
        return Err("limits.extrinsics_per_block_max: 0 would let no call through".to_owned());
    }
    let players: u64 = document.players.iter().map(|group| u64::from(group.count)).sum();
    if u64::from(document.run.processes) > players.max(64) {
        let processes = document.run.processes;
        return Err(format!("run.processes: {processes} host processes have no players to share"));
    }
    Ok(())
}

/// No pool so thin that sales could leave the range of prices.
fn check_pools(subnets: &[SubnetPlan]) -> Result<(), String> {
    let thin = subnets.iter().find(|subnet| {
        let liquidity = (u128::from(subnet.tao) * u128::from(subnet.alpha_in)).isqrt();
        liquidity < u128::from(LIQUIDITY_SAFE_MIN)
    });
    match thin {
        None => Ok(()),
        Some(subnet) => Err(format!(
            "subnet.{}: a pool of {} and {} is too thin; the geometric mean of the two must be at \
             least {} whole tokens",
            subnet.netuid,
            Rao(subnet.tao),
            Alpha(subnet.alpha_in),
            LIQUIDITY_SAFE_MIN as f64 / UNITS_PER_TOKEN as f64,
        )),
    }
}

fn calendar(place: &str, document: &Document) -> Result<i64, ScenarioError> {
    let time = &document.genesis.time;
    time.parse::<jiff::Timestamp>().map(|time| time.as_second()).map_err(|_| {
        let hint = "write for instance 2026-04-11T00:00:00Z".to_owned();
        ScenarioError::new(format!("{place}: genesis.time: {time:?} is no moment"), Some(hint))
    })
}

/// Reads every group's settings over its behaviour's defaults.
fn casts<'a>(place: &str, document: &'a Document) -> Result<Vec<Cast<'a>>, ScenarioError> {
    let mut names = BTreeSet::new();
    let mut casts = Vec::new();
    for group in &document.players {
        let name = &group.name;
        let at =
            |what: String, hint| ScenarioError::new(format!("{place}: players.{name}{what}"), hint);
        if !names.insert(name) {
            return Err(at(": there are two groups of this name".to_owned(), None));
        }
        if name.is_empty() || name.contains(['.', ' ']) {
            return Err(at(": a name has letters, no dots and no spaces".to_owned(), None));
        }
        let defaults = BehaviourSettings::defaults(group.role, &group.behaviour);
        let defaults = defaults.map_err(|error| {
            let known: Vec<&str> = error.known.split(", ").collect();
            at(format!(".behaviour: {error}"), Some(meant(&group.behaviour, &known)))
        })?;
        let settings = defaults.read(toml::Value::Table(group.settings.clone()));
        let settings = settings.map_err(|error| {
            let (sentence, hint) = readable(error.message());
            at(format!(".settings: {sentence}"), hint)
        })?;
        settings.check().map_err(|error| at(format!(".settings.{error}"), None))?;
        for (key, ppm) in [("stake_ppm", group.stake_ppm), ("root_stake_ppm", group.root_stake_ppm)]
        {
            if ppm > 1_000_000 {
                return Err(at(format!(".{key}: {ppm} is more than a whole, 1000000"), None));
            }
        }
        if group.spread_ppm > SPREAD_PPM_MAX {
            let spread = group.spread_ppm;
            return Err(at(format!(".spread_ppm: {spread} is more than {SPREAD_PPM_MAX}"), None));
        }
        if group.takes.is_some() && !matches!(group.role, Role::Validator | Role::Miner) {
            let what = ".takes: only validators and miners have neurons to take over".to_owned();
            return Err(at(what, None));
        }
        if !group.ranks.is_empty() && !matches!(group.role, Role::Validator | Role::Miner) {
            let what = ".ranks: only validators and miners are ranked".to_owned();
            return Err(at(what, None));
        }
        if group.ranks.contains(&0) {
            return Err(at(".ranks: a weight of 0 is no rank".to_owned(), None));
        }
        if let Some([first, last]) = group.arrives {
            let wrong =
                |what: &str| at(format!(".arrives: [{}, {}]: {what}", first.0, last.0), None);
            if first > last {
                return Err(wrong("the last arrival is before the first"));
            }
            if last.0 > HEIGHT_MAX - document.genesis.height.min(HEIGHT_MAX) {
                return Err(wrong(&format!("beyond the last block, {HEIGHT_MAX}")));
            }
        }
        let nowhere = settings.seats() == Seats::Nowhere;
        if nowhere && (group.takes.is_some() || !group.ranks.is_empty()) {
            let key = if group.takes.is_some() { "takes" } else { "ranks" };
            return Err(at(format!(".{key}: who has no place yet has none to take"), None));
        }
        if group.role == Role::Owner && !nowhere && group.count != 1 {
            return Err(at(".count: a subnet has one owner".to_owned(), None));
        }
        if group.role != Role::Staker && nowhere && group.stake_ppm != 0 {
            let what = ".stake_ppm: who has no subnet yet starts without its alpha";
            return Err(at(what.to_owned(), None));
        }
        if group.role == Role::Customer && group.stake_ppm != 0 {
            let what = ".stake_ppm: customers pay in TAO and hold no alpha";
            return Err(at(what.to_owned(), None));
        }
        casts.push(Cast { group, settings });
    }
    check_parts(document).map_err(|what| ScenarioError::new(format!("{place}: {what}"), None))?;
    for Cast { group, settings } in &casts {
        if let Some((key, name)) = settings.known_group()
            && !casts.iter().any(|other| other.group.name == name)
        {
            let known: Vec<&str> = casts.iter().map(|cast| cast.group.name.as_str()).collect();
            let at = format!("{place}: players.{}.settings.{key}", group.name);
            let what = format!("{at}: there is no group {name:?}");
            return Err(ScenarioError::new(what, Some(meant(name, &known))));
        }
    }
    Ok(casts)
}

/// Groups claim no more than there is: of the alpha of any subnet, and of the stake on root.
fn check_parts(document: &Document) -> Result<(), String> {
    let too_much = |key: &str, at: &str, sum: u64| {
        Err(format!("players: {key} of all groups is {sum}{at}, more than a whole"))
    };
    let sum = |groups: &mut dyn Iterator<Item = u32>| groups.map(u64::from).sum::<u64>();
    let on_root = sum(&mut document.players.iter().map(|group| group.root_stake_ppm));
    if on_root > PPM_WHOLE {
        return too_much("root_stake_ppm", "", on_root);
    }
    // A subnet that no group names is like any other of those.
    let unnamed = Where::default();
    let lists = document.players.iter().map(|group| &group.subnets).chain([&unnamed]);
    let named: BTreeSet<Option<u16>> = lists
        .flat_map(|list| match list {
            Where::Word(_) => vec![None],
            Where::These(netuids) => netuids.iter().copied().map(Some).collect(),
        })
        .collect();
    for netuid in named {
        let groups = document.players.iter().filter(|group| match netuid {
            Some(netuid) => group.subnets.has(netuid),
            None => matches!(group.subnets, Where::Word(_)),
        });
        let sum = sum(&mut groups.map(|group| group.stake_ppm));
        if sum > PPM_WHOLE {
            let at = netuid.map_or_else(String::new, |netuid| format!(" on subnet {netuid}"));
            return too_much("stake_ppm", &at, sum);
        }
    }
    Ok(())
}

fn global(place: &str, document: &Document) -> Result<Global, ScenarioError> {
    let base = match document.rules.profile {
        Profile::Mainnet => Global::mainnet(),
        Profile::Code => Global::default(),
    };
    if let Some(key) = COMPUTED.iter().find(|key| document.rules.parameters.contains_key(**key)) {
        let what = format!("{place}: rules.{key}: genesis computes it, it cannot be set");
        return Err(ScenarioError::new(what, None));
    }
    laid_over(place, "rules", &base, &document.rules.parameters)
}

/// A value of the protocol with some of its fields replaced, checked key by key.
fn laid_over<T: Serialize + DeserializeOwned>(
    place: &str,
    section: &str,
    base: &T,
    table: &Table,
) -> Result<T, ScenarioError> {
    let fields = serde_json::to_value(base).ok().and_then(|value| match value {
        Value::Object(fields) => Some(fields),
        _ => None,
    });
    let mut fields = fields.expect("parameters are a struct");
    for (key, value) in table {
        let Some(field) = fields.get_mut(key) else {
            let known: Vec<&str> = fields.keys().map(String::as_str).collect();
            let what = format!("{place}: {section}: unknown key {key:?}");
            return Err(ScenarioError::new(what, Some(laid_over_meant(section, key, &known))));
        };
        *field = laid_over_value(field, value).ok_or_else(|| {
            let expected = match field {
                Value::Bool(_) => "true or false",
                Value::Number(_) => "an integer, as a text if above 2^63 - 1, or an amount of TAO",
                _ => "another type",
            };
            let what =
                format!("{place}: {section}.{key}: {value} is not what it takes, {expected}");
            ScenarioError::new(what, None)
        })?;
    }
    let text = Value::Object(fields).to_string();
    let mut reader = serde_json::Deserializer::from_str(&text);
    serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let sentence = error.inner().to_string();
        let sentence =
            sentence.rsplit_once(" at line ").map_or(sentence.as_str(), |(said, _)| said);
        ScenarioError::new(format!("{place}: {section}.{}: {sentence}", error.path()), None)
    })
}

/// A parameter that a scenario may set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settable {
    /// Its name.
    pub name: String,
    /// What it is unless a scenario says otherwise.
    pub value: Value,
    /// The least and the greatest whole number that it takes, as far as TOML holds them; none of a flag.
    pub bounds: Option<(i64, i64)>,
}

/// What may have been meant by a key that a section does not have: one of the other section of parameters, if that has
/// it or one more like it.
fn laid_over_meant(section: &str, key: &str, known: &[&str]) -> String {
    let (other, names) = match section {
        "rules" => ("hyperparameters", fields_of(&started())),
        _ => ("rules", fields_of(&Global::mainnet())),
    };
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    match nearest(key, &names) {
        Some(name) if name == key => format!("it is a key of [{other}]"),
        Some(name) if nearest(key, known).is_none() => {
            format!("did you mean {name:?} of [{other}]?")
        }
        _ => meant(key, known),
    }
}

/// The names of a value's fields.
fn fields_of<T: Serialize>(value: &T) -> Vec<String> {
    let value = serde_json::to_value(value).expect("parameters are plain data");
    value.as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect()
}

/// Hyperparameters that a scenario may set, with what they are in a generated network.
pub fn hyperparameters() -> Vec<Settable> {
    settable(&started(), &[])
}

/// Global parameters that a scenario may set, with what they are on the main network.
pub fn global_parameters() -> Vec<Settable> {
    settable(&Global::mainnet(), COMPUTED)
}

/// The fields of a value of the protocol that may be laid over; their bounds are found by trying.
fn settable<T: Serialize + DeserializeOwned>(base: &T, computed: &[&str]) -> Vec<Settable> {
    let fields = serde_json::to_value(base).expect("parameters are plain data");
    let fields = fields.as_object().into_iter().flatten();
    let fields = fields.filter(|(name, _)| !computed.contains(&name.as_str()));
    let settable = fields.filter_map(|(name, value)| {
        let takes = |number: &i64| {
            let table = Table::from_iter([(name.clone(), toml::Value::Integer(*number))]);
            laid_over("", "", base, &table).is_ok()
        };
        let bounds = match value {
            Value::Bool(_) => None,
            Value::Number(_) => {
                let greatest = [63, 32, 31, 16, 15, 8, 7].map(|bits| i64::MAX >> (63 - bits));
                let least = [63, 31, 15, 7].map(|bits| i64::MIN >> (63 - bits));
                let greatest = greatest.into_iter().find(takes)?;
                Some((least.into_iter().find(takes).unwrap_or(0), greatest))
            }
            _ => return None,
        };
        Some(Settable { name: name.clone(), value: value.clone(), bounds })
    });
    settable.collect()
}

fn laid_over_value(field: &Value, value: &toml::Value) -> Option<Value> {
    match (field, value) {
        (Value::Bool(_), toml::Value::Boolean(truth)) => Some(Value::Bool(*truth)),
        (Value::Number(_), toml::Value::Integer(number)) => Some(Value::from(*number)),
        (Value::Number(_), toml::Value::String(text)) => {
            let plain = text.bytes().all(|digit| digit.is_ascii_digit());
            if plain && text.parse::<u64>().is_ok_and(|number| number > i64::MAX as u64) {
                return serde_json::from_str(text).ok();
            }
            let quoted = toml::Value::String(text.clone());
            quoted.try_into::<Tao>().ok().map(|amount| Value::from(amount.0))
        }
        _ => None,
    }
}

fn params(
    place: &str,
    document: &Document,
    base: &Params,
    entry: Option<&SubnetEntry>,
) -> Result<Params, ScenarioError> {
    let all = laid_over(place, "hyperparameters", base, &document.hyperparameters)?;
    match entry {
        None => Ok(all),
        Some(entry) => {
            let section = entry
                .netuid
                .map_or_else(|| "subnet".to_owned(), |netuid| format!("subnet.{netuid}"));
            laid_over(place, &section, &all, &entry.hyperparameters)
        }
    }
}

/// Parameters of a started subnet unless the scenario says otherwise; weights are set directly, so that they count
/// from the first epoch on.
fn started() -> Params {
    Params { commit_reveal: false, subtoken_enabled: true, ..Params::default() }
}

fn snapshot_subnets(
    place: &str,
    document: &Document,
    rows: &[snapshot::Row],
    metagraphs: &Metagraphs,
) -> Result<(Vec<SubnetPlan>, u64), ScenarioError> {
    let wrong = |what: String| ScenarioError::new(format!("{place}: {what}"), None);
    let mut entries: BTreeMap<u16, &SubnetEntry> = BTreeMap::new();
    for entry in &document.subnet {
        let netuid = entry.netuid.filter(|_| entry.count.is_none());
        let netuid = netuid.ok_or_else(|| {
            wrong(
                "subnet: with a snapshot, an entry names one netuid of it and no count".to_owned(),
            )
        })?;
        if !rows.iter().any(|row| row.netuid == netuid && netuid != 0) {
            return Err(wrong(format!("subnet.{netuid}: the snapshot has no such subnet")));
        }
        if entries.insert(netuid, entry).is_some() {
            return Err(wrong(format!("subnet.{netuid}: netuid {netuid} occurs twice")));
        }
    }
    let mut subnets = Vec::new();
    let mut root_stake = 0;
    let height = document.genesis.height;
    for row in rows {
        if row.netuid == 0 {
            root_stake = row.alpha_out.units;
            continue;
        }
        let registered_at = row.registered_at_block.unwrap_or(0);
        if registered_at.max(row.blocks_since_last_step) > height {
            let netuid = row.netuid;
            return Err(wrong(format!("genesis.height: subnet {netuid} is younger than {height}")));
        }
        let entry = entries.get(&row.netuid).copied();
        let of = |pick: fn(&SubnetEntry) -> Option<u64>, otherwise: u64| {
            entry.and_then(pick).unwrap_or(otherwise)
        };
        let base = Params { tempo: row.tempo, immunity_period: row.immunity_period, ..started() };
        let base = metagraphs.over(row.netuid, base);
        let text = |pick: fn(&SubnetEntry) -> Option<String>, otherwise: &str| {
            entry.and_then(pick).unwrap_or_else(|| otherwise.to_owned())
        };
        let price = row.moving_price.unwrap_or(0.0);
        subnets.push(SubnetPlan {
            netuid: NetUid(row.netuid),
            name: text(|entry| entry.name.clone(), &row.name),
            symbol: text(|entry| entry.symbol.clone(), &row.symbol),
            params: params(place, document, &base, entry)?,
            tao: of(|entry| entry.tao_reserve.map(|tao| tao.0), row.tau_in.units),
            alpha_in: of(|entry| entry.alpha_in.map(|alpha| alpha.0), row.alpha_in.units),
            alpha_out: of(|entry| entry.alpha_out.map(|alpha| alpha.0), row.alpha_out.units),
            // Four decimals are all the explorer gives.
            flow_share: of(
                |entry| entry.flow_share.map(u64::from),
                document.genesis.flow_shares.of((row.emission_tao_day * 1e4).round() as u64),
            ),
            moving_price: (price * (1u64 << 32) as f64) as i128,
            registered_at,
            blocks_since_last_step: row.blocks_since_last_step,
            burn: row.reg_cost_tao.units,
            owner: Some((row.owner_hk, row.owner_ck)),
            imported: None,
            file: String::new(),
            neurons_min: entry
                .and_then(|entry| entry.neurons_min)
                .unwrap_or(document.genesis.neurons_min),
        });
    }
    subnets.sort_by_key(|subnet| subnet.netuid);
    Ok((subnets, root_stake))
}

fn generated_subnets(
    place: &str,
    document: &Document,
    height: u64,
    metagraphs: &Metagraphs,
) -> Result<Vec<SubnetPlan>, ScenarioError> {
    let wrong = |what: String| ScenarioError::new(format!("{place}: {what}"), None);
    let mut taken = BTreeSet::new();
    for netuid in document.subnet.iter().filter_map(|entry| entry.netuid) {
        if netuid == 0 {
            return Err(wrong("subnet.0: root is always there".to_owned()));
        }
        if !taken.insert(netuid) {
            return Err(wrong(format!("subnet.{netuid}: netuid {netuid} occurs twice")));
        }
    }
    let mut subnets = Vec::new();
    // Below it every netuid is taken.
    let mut first_free = 1;
    for entry in &document.subnet {
        let count = entry.count.unwrap_or(1);
        if entry.netuid.is_some() && entry.count.is_some() {
            return Err(wrong("subnet: an entry has a netuid or a count, not both".to_owned()));
        }
        let base = entry.netuid.map_or_else(started, |it| metagraphs.over(it, started()));
        let params = params(place, document, &base, Some(entry))?;
        if params.tempo == 0 {
            let of_entry = entry.hyperparameters.contains_key("tempo");
            let section = match entry.netuid.filter(|_| of_entry) {
                Some(netuid) => format!("subnet.{netuid}."),
                None if of_entry => "subnet.".to_owned(),
                None => String::new(),
            };
            let what = "hyperparameters.tempo: a tempo of 0 would never have an epoch";
            return Err(wrong(format!("{section}{what}")));
        }
        for _ in 0..count {
            let free = || (first_free..=u16::MAX).find(|netuid| !taken.contains(netuid));
            let netuid = entry.netuid.or_else(free);
            let netuid = netuid.ok_or_else(|| wrong("subnet: no netuid is left".to_owned()))?;
            if entry.netuid.is_none() {
                first_free = netuid;
            }
            taken.insert(netuid);
            let symbol = symbols::table().nth(usize::from(netuid)).map(String::from);
            let tao = entry.tao_reserve.map_or(10_000_000_000_000, |tao| tao.0);
            let alpha_in = entry.alpha_in.map_or(100_000_000_000_000, |alpha| alpha.0);
            if tao == 0 || alpha_in == 0 {
                return Err(wrong(format!("subnet.{netuid}: a pool is never empty")));
            }
            subnets.push(SubnetPlan {
                netuid: NetUid(netuid),
                name: entry.name.clone().unwrap_or_else(|| format!("subnet-{netuid}")),
                symbol: entry.symbol.clone().or(symbol).unwrap_or_default(),
                params: params.clone(),
                tao,
                alpha_in,
                alpha_out: entry.alpha_out.map_or(50_000_000_000_000, |alpha| alpha.0),
                flow_share: entry.flow_share.map_or(document.genesis.flow_shares.of(1), u64::from),
                moving_price: ((u128::from(tao) << 32) / u128::from(alpha_in)) as i128,
                registered_at: height,
                blocks_since_last_step: 0,
                burn: params.min_burn.0,
                owner: None,
                imported: None,
                file: String::new(),
                neurons_min: entry.neurons_min.unwrap_or(document.genesis.neurons_min),
            });
        }
    }
    if subnets.is_empty() {
        let hint = "name a genesis.snapshot, or write [[subnet]] entries".to_owned();
        return Err(ScenarioError::new(format!("{place}: subnet: there are none"), Some(hint)));
    }
    subnets.sort_by_key(|subnet| subnet.netuid);
    Ok(subnets)
}

fn timeline(
    place: &str,
    document: &Document,
    genesis: u64,
) -> Result<Vec<TimelineCall>, ScenarioError> {
    Ok(fold_timeline(rules(document), planned_timeline(place, document, genesis)?))
}

/// The entries of a timeline by height, those of one height as they are written.
fn planned_timeline(
    place: &str,
    document: &Document,
    genesis: u64,
) -> Result<Vec<(Height, Planned)>, ScenarioError> {
    let mut calls = Vec::new();
    for (index, entry) in document.timeline.iter().enumerate() {
        let at = |what: String, hint| {
            ScenarioError::new(format!("{place}: timeline[{index}]{what}"), hint)
        };
        let height = height_of(&entry.at, genesis);
        let height = height.map_err(|what| at(format!(".at: {what}"), None))?;
        let call = timeline_call(entry).map_err(|(what, hint)| at(what, hint))?;
        calls.push((height, call));
    }
    calls.sort_by_key(|(height, _)| *height);
    Ok(calls)
}

/// A height as a scenario writes it, behind genesis.
fn height_of(at: &At, genesis: u64) -> Result<Height, String> {
    let height = match at {
        At::Height(height) => Some(*height),
        At::Text(text) => {
            let blocks = text.strip_prefix('+').and_then(|blocks| blocks.parse::<u64>().ok());
            blocks.and_then(|blocks| genesis.checked_add(blocks))
        }
    };
    height
        .filter(|height| *height > genesis)
        .map(Height)
        .ok_or_else(|| format!("it must be a height above {genesis}, or \"+N\" with N above 0"))
}

/// The calls of a timeline, from the rules in force before it on.
fn fold_timeline(
    mut rules: Rules,
    planned: impl IntoIterator<Item = (Height, Planned)>,
) -> Vec<TimelineCall> {
    let calls = planned.into_iter().map(|(height, call)| {
        let call = match call {
            Planned::Call(call) => call,
            Planned::Switch(switch) => {
                rules = switch.over(rules);
                Call::SwitchRules { rules }
            }
        };
        TimelineCall { height, call }
    });
    calls.collect()
}

/// A timeline's call, before the rules that earlier switches left are known.
#[derive(Clone, Debug, PartialEq)]
enum Planned {
    Call(Call),
    Switch(Switch),
}

/// What a `switch_rules` changes: a version by its name, or a table; what it does not name stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged, expecting = "expected a version, or a table of version, mode and fees")]
enum Switch {
    Version(RuleVersion),
    Some(SwitchTable),
}

/// The table of a `switch_rules`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct SwitchTable {
    version: Option<RuleVersion>,
    mode: Option<Mode>,
    fees: Option<FeeSchedule>,
}

impl Switch {
    fn over(self, rules: Rules) -> Rules {
        match self {
            Self::Version(version) => Rules { version, ..rules },
            Self::Some(table) => Rules {
                version: table.version.unwrap_or(rules.version),
                mode: table.mode.unwrap_or(rules.mode),
                fees: table.fees.unwrap_or(rules.fees),
                ..rules
            },
        }
    }
}

/// The root calls a timeline may hold: every setting, and those that are none.
pub fn timeline_calls() -> Vec<&'static str> {
    let others = [settings::OWNER_HOTKEY_TOO, "root_dissolve_network", "switch_rules"];
    Setting::names().chain(others).collect()
}

fn timeline_call(entry: &TimelineEntry) -> Result<Planned, Wrong> {
    match entry.call.as_str() {
        "root_dissolve_network" => {
            let netuid = settings::netuid_of(entry)?;
            Ok(Planned::Call(Call::RootDissolveNetwork { netuid }))
        }
        "switch_rules" => Ok(Planned::Switch(settings::value_of(entry)?)),
        other => match settings::setting(entry)? {
            Some(setting) => Ok(Planned::Call(Call::SudoSet(setting))),
            None => {
                let what = format!(".call: {other:?} is no root call of a timeline");
                Err((what, Some(meant(other, &timeline_calls()))))
            }
        },
    }
}

#[cfg(test)]
mod tests;
