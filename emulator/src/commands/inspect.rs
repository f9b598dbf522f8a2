//! `btemu inspect`: the state at any block.

use super::account::{self, AccountArguments};
use super::params::{self, ParamsArguments};
use super::reading::{Reading, subnet};
use super::tables::numbers_table;
use super::{BlockArgument, Failure, print, print_json};
use crate::run::totals::{ratio, top_subnets};
use protocol::registration::lock_cost;
use protocol::rules::{FeeSchedule, Mode};
use protocol::state::{State, Subnet};
use protocol::units::{AccountId, Alpha, Height, NetUid, Rao};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// `btemu inspect`
#[derive(Debug, clap::Args)]
pub struct InspectArguments {
    /// The run folder.
    run: PathBuf,
    /// The block: a height, or +N counted from genesis [default: the last one].
    #[arg(long, value_name = "B", global = true)]
    at: Option<BlockArgument>,
    /// Print JSON.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// The whole network.
    Network,
    /// All subnets.
    Subnets,
    /// One subnet.
    Subnet {
        /// Its number.
        netuid: u16,
    },
    /// The neurons of a subnet.
    Neurons {
        /// The subnet's number.
        netuid: u16,
    },
    /// One neuron.
    Neuron {
        /// The subnet's number.
        netuid: u16,
        /// The neuron's slot.
        uid: u16,
    },
    /// An account: balance, hotkeys, and what its stake cost, earned and would bring now.
    ///
    /// Folds the whole log from genesis on: holdings of genesis count as bought at their value then. The numbers are
    /// defined in docs/accounting.md.
    Account(AccountArguments),
    /// The parameters of a subnet, or of the network.
    Params(ParamsArguments),
}

#[derive(Serialize)]
struct NetworkFacts {
    block: u64,
    total_issuance_rao: Rao,
    total_stake_rao: Rao,
    block_emission_rao: Rao,
    subnets: usize,
    subnet_limit: u16,
    lock_cost_rao: Rao,
    top10_emission_share: f64,
    extrinsics: u64,
    rejected: u64,
    accounts: usize,
    hotkeys: usize,
    rules: &'static str,
    mode: Mode,
    fees: FeeSchedule,
    leaked_rao: BTreeMap<&'static str, i64>,
}

#[derive(Serialize)]
struct SubnetFacts {
    block: u64,
    netuid: u16,
    name: String,
    symbol: String,
    owner: Option<AccountId>,
    owner_hotkey: Option<AccountId>,
    tempo: u16,
    tao_reserve_rao: Rao,
    alpha_in_rao: Alpha,
    alpha_out_rao: Alpha,
    price: f64,
    price_bits: u128,
    moving_price: f64,
    moving_price_bits: i128,
    tao_flow_rao: i64,
    ema_tao_flow: f64,
    ema_tao_flow_bits: i128,
    emission_share: f64,
    emission_share_bits: u128,
    tao_in_emission_rao: Rao,
    alpha_in_emission_rao: Alpha,
    alpha_out_emission_rao: Alpha,
    burn_rao: Rao,
    neurons: usize,
    validators: usize,
    registered_at: u64,
    immune: bool,
    first_emission_block: Option<u64>,
}

#[derive(Serialize)]
struct NeuronFacts {
    uid: usize,
    hotkey: AccountId,
    coldkey: Option<AccountId>,
    active: bool,
    validator_permit: bool,
    stake_rao: Alpha,
    consensus: u16,
    incentive: u16,
    dividends: u16,
    validator_trust: u16,
    emission_rao: Alpha,
    last_update: u64,
    block_at_registration: u64,
}

#[derive(Serialize)]
struct OneNeuron {
    block: u64,
    netuid: u16,
    #[serde(flatten)]
    neuron: NeuronFacts,
    /// (uid, weight of 65,535) on mechanism 0.
    weights: Vec<(u16, u16)>,
    /// (uid, bond of 65,535) on mechanism 0.
    bonds: Vec<(u16, u16)>,
    axon_port: Option<u16>,
}

/// Shows what was asked for.
pub fn run(arguments: &InspectArguments) -> Result<(), Failure> {
    let reading = Reading::open(&arguments.run)?;
    let at = reading.height(arguments.at)?;
    let json = arguments.json;
    if let What::Account(wanted) = &arguments.what {
        return account::show(&reading, at, wanted, json);
    }
    let folder = reading.state_at(at)?;
    let state = folder.state();
    match &arguments.what {
        What::Network => show(json, &network_facts(&reading, state, at)?),
        What::Subnets => show_subnets(json, state),
        What::Subnet { netuid } => {
            show(json, &subnet_facts(state, *netuid, subnet(state, *netuid)?))
        }
        What::Neurons { netuid } => show_neurons(json, state, *netuid, subnet(state, *netuid)?),
        What::Neuron { netuid, uid } => show(json, &one_neuron(state, *netuid, *uid)?),
        What::Account(_) => Ok(()),
        What::Params(wanted) => params::show(&reading, state, wanted, json),
    }
}

/// One JSON object, or its fields a line each.
fn show<T: Serialize>(json: bool, facts: &T) -> Result<(), Failure> {
    if json {
        return print_json(facts);
    }
    let value = serde_json::to_value(facts);
    let value =
        value.map_err(|error| Failure::failed(format!("cannot be shown: {error}"), None))?;
    let fields = value.as_object().cloned().unwrap_or_default();
    let label = |name: &str| name.strip_suffix("_rao").unwrap_or(name).to_owned();
    let width = fields.keys().map(|name| label(name).len()).max().unwrap_or(0);
    let lines = fields
        .iter()
        .map(|(name, value)| format!("{:<width$}  {}\n", label(name), plain(name, value)));
    print(&lines.collect::<String>())
}

/// A value for people: amounts in whole tokens, texts without quotes.
fn plain(name: &str, value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::String(text) => text.clone(),
        Value::Number(number) if name.ends_with("_rao") => match number.as_i64() {
            Some(rao) => tokens(name, rao),
            None => number.to_string(),
        },
        Value::Object(parts) => {
            let parts = parts.iter().filter(|(_, value)| value.as_i64() != Some(0));
            let parts: Vec<String> =
                parts.map(|(part, value)| format!("{part} {}", plain(name, value))).collect();
            if parts.is_empty() { "none".to_owned() } else { parts.join(", ") }
        }
        other => other.to_string(),
    }
}

/// An amount in whole tokens with its unit, exact.
fn tokens(name: &str, rao: i64) -> String {
    let sign = if rao < 0 { "-" } else { "" };
    let amount = Rao(rao.unsigned_abs());
    let text = match name.starts_with("alpha") {
        true => Alpha(amount.0).to_string(),
        false => amount.to_string(),
    };
    format!("{sign}{text}")
}

fn network_facts(reading: &Reading, state: &State, at: Height) -> Result<NetworkFacts, Failure> {
    let totals = reading.totals_at(at)?;
    Ok(NetworkFacts {
        block: state.height.0,
        total_issuance_rao: state.global.total_issuance,
        total_stake_rao: state.global.total_stake,
        block_emission_rao: state.global.block_emission,
        subnets: state.networks().filter(|(netuid, _)| !netuid.is_root()).count(),
        subnet_limit: state.global.subnet_limit,
        lock_cost_rao: lock_cost(state),
        top10_emission_share: top_subnets(state).iter().map(|one| one.emission_share).sum(),
        extrinsics: totals.extrinsics,
        rejected: totals.rejected,
        accounts: state.accounts.len(),
        hotkeys: state.hotkeys.len(),
        rules: state.rules.version.name(),
        mode: state.rules.mode,
        fees: state.rules.fees,
        leaked_rao: state.leaks.named().collect(),
    })
}

fn subnet_facts(state: &State, netuid: u16, subnet: &Subnet) -> SubnetFacts {
    let (fast, info) = (&subnet.fast, &subnet.info);
    let flow_average = fast.flow_average.map_or(0, |(_, average)| average);
    let immune_until = info.registered_at.saturating_add(state.global.network_immunity_period);
    SubnetFacts {
        block: state.height.0,
        netuid,
        name: info.name.clone(),
        symbol: info.symbol.clone(),
        owner: info.owner,
        owner_hotkey: info.owner_hotkey,
        tempo: subnet.params.tempo,
        tao_reserve_rao: Rao(fast.pool.tao),
        alpha_in_rao: Alpha(fast.pool.alpha),
        alpha_out_rao: Alpha(fast.pool.alpha_out),
        price: ratio(subnet.price(), 32),
        price_bits: subnet.price(),
        moving_price: ratio(subnet.moving_price(), 32),
        moving_price_bits: fast.moving_price,
        tao_flow_rao: fast.flow,
        ema_tao_flow: signed_ratio(flow_average, 64),
        ema_tao_flow_bits: flow_average,
        emission_share: ratio(fast.emission_share, 64),
        emission_share_bits: fast.emission_share,
        tao_in_emission_rao: fast.tao_in_emission,
        alpha_in_emission_rao: fast.alpha_in_emission,
        alpha_out_emission_rao: fast.alpha_out_emission,
        burn_rao: fast.burn,
        neurons: subnet.neurons.len(),
        validators: subnet.neurons.validator_permit.iter().filter(|permit| **permit).count(),
        registered_at: info.registered_at,
        immune: state.height.0 < immune_until,
        first_emission_block: info.first_emission,
    }
}

fn signed_ratio(bits: i128, fraction_bits: i32) -> f64 {
    bits as f64 / 2f64.powi(fraction_bits)
}

fn show_subnets(json: bool, state: &State) -> Result<(), Failure> {
    let rows = state.networks().map(|(netuid, subnet)| subnet_facts(state, netuid.0, subnet));
    if json {
        return rows.into_iter().try_for_each(|row| print_json(&row));
    }
    let header = ["netuid", "subnet", "price", "TAO reserve", "share %", "flow", "neurons"];
    let mut table = numbers_table(&header, &[0, 2, 3, 4, 5, 6]);
    for row in rows {
        table.add_row([
            row.netuid.to_string(),
            format!("{} {}", row.symbol, row.name),
            format!("{:.6}", row.price),
            format!("{:.1}", row.tao_reserve_rao.0 as f64 / 1e9),
            format!("{:.3}", row.emission_share * 100.0),
            format!("{:.6}", row.ema_tao_flow / 1e9),
            row.neurons.to_string(),
        ]);
    }
    print(&format!("block {}; flow: average net TAO per block\n{table}\n", state.height))
}

fn neuron_facts(state: &State, netuid: NetUid, subnet: &Subnet, uid: usize) -> NeuronFacts {
    let neurons = &subnet.neurons;
    let hotkey = neurons.hotkeys[uid];
    let mechanism = subnet.mechanism(0);
    let of_mechanism = |pick: fn(&protocol::state::Mechanism) -> &Vec<u16>| {
        mechanism.and_then(|mechanism| pick(mechanism).get(uid)).copied().unwrap_or(0)
    };
    let last_update = mechanism.and_then(|mechanism| mechanism.last_update.get(uid)).copied();
    let column = |column: &[u16]| column.get(uid).copied().unwrap_or(0);
    NeuronFacts {
        uid,
        hotkey,
        coldkey: state.owner(&hotkey),
        active: neurons.active.get(uid).copied().unwrap_or(false),
        validator_permit: neurons.validator_permit.get(uid).copied().unwrap_or(false),
        stake_rao: state.hotkey_alpha(&hotkey, netuid),
        consensus: column(&neurons.consensus),
        incentive: of_mechanism(|mechanism| &mechanism.incentive),
        dividends: column(&neurons.dividends),
        validator_trust: column(&neurons.validator_trust),
        emission_rao: neurons.emission.get(uid).copied().unwrap_or_default(),
        last_update: last_update.unwrap_or(0),
        block_at_registration: neurons.registered_at.get(uid).copied().unwrap_or(0),
    }
}

fn show_neurons(json: bool, state: &State, netuid: u16, subnet: &Subnet) -> Result<(), Failure> {
    let rows =
        (0..subnet.neurons.len()).map(|uid| neuron_facts(state, NetUid(netuid), subnet, uid));
    if json {
        return rows.into_iter().try_for_each(|row| print_json(&row));
    }
    let header = [
        "uid",
        "hotkey",
        "permit",
        "stake",
        "incentive",
        "dividends",
        "trust",
        "emission",
        "updated",
    ];
    let mut table = numbers_table(&header, &[0, 3, 4, 5, 6, 7, 8]);
    for row in rows {
        table.add_row([
            row.uid.to_string(),
            row.hotkey.to_ss58(),
            if row.validator_permit { "yes" } else { "" }.to_owned(),
            row.stake_rao.to_string(),
            row.incentive.to_string(),
            row.dividends.to_string(),
            row.validator_trust.to_string(),
            row.emission_rao.to_string(),
            row.last_update.to_string(),
        ]);
    }
    print(&format!("{} at block {}\n{table}\n", subnet.info.name, state.height))
}

fn one_neuron(state: &State, netuid: u16, uid: u16) -> Result<OneNeuron, Failure> {
    let subnet = subnet(state, netuid)?;
    let at = usize::from(uid);
    if at >= subnet.neurons.len() {
        let count = subnet.neurons.len();
        let what = format!("subnet {netuid} has no uid {uid}: it has {count} neurons");
        return Err(Failure::failed(what, None));
    }
    let neuron = neuron_facts(state, NetUid(netuid), subnet, at);
    let row = |pick: fn(&protocol::state::Mechanism) -> &Vec<protocol::state::Row>| {
        subnet.mechanism(0).and_then(|mechanism| pick(mechanism).get(at)).cloned()
    };
    let axon = subnet.axons.get(&neuron.hotkey);
    Ok(OneNeuron {
        block: state.height.0,
        netuid,
        weights: row(|mechanism| &mechanism.weights).unwrap_or_default(),
        bonds: row(|mechanism| &mechanism.bonds).unwrap_or_default(),
        axon_port: axon.map(|axon| axon.port),
        neuron,
    })
}
