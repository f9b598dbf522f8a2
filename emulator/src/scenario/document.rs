//! A scenario as it is written: sections and keys, with their defaults. docs/scenarios.md says what each means.
//!
//! What belongs here: the shape. What does not: layering (`layers`), and what it is made into (`genesis`).

use super::amount::{AlphaAmount, Blocks, Tao};
use super::fault_name::FaultName;
use crate::plan::Shape;
use crate::run::patience::{CHAIN_SILENCE_MS_MAX, HOST_JOIN_MS_MAX, HOST_SILENCE_MS_MAX};
use actors::registry::Role;
use protocol::rules::{FeeSchedule, Mode, Profile, RuleVersion};
use serde::{Deserialize, Deserializer, Serialize};
use toml::Table;

/// A whole scenario.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Document {
    /// What it is called.
    pub scenario: About,
    /// How long and how it is run.
    pub run: Run,
    /// Which rules and global parameters hold.
    pub rules: RuleSection,
    /// Where the network starts.
    pub genesis: Genesis,
    /// Hyperparameters of every subnet.
    pub hyperparameters: Table,
    /// How messages travel.
    pub network: NetworkSection,
    /// The randomness beacon.
    pub beacon: BeaconSection,
    /// Limits of a block.
    pub limits: LimitSection,
    /// The log.
    pub log: LogSection,
    /// Prometheus.
    pub metrics: MetricsSection,
    /// Subnets: those of a generated network, or changes to those of a snapshot.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub subnet: Vec<SubnetEntry>,
    /// Groups of players.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub players: Vec<Group>,
    /// Changes at a block.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub timeline: Vec<TimelineEntry>,
    /// Faults: simulated ones, and those below the simulation.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fault: Vec<FaultEntry>,
}

/// `[scenario]`; in no hash.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct About {
    pub name: String,
    pub description: String,
}

/// `[run]`; of it only the seed is in a hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Run {
    pub seed: u64,
    pub blocks: Blocks,
    #[serde(deserialize_with = "one_or_many", skip_serializing_if = "Vec::is_empty")]
    pub until: Vec<String>,
    pub processes: u32,
    pub link: String,
    pub await_hosts: u32,
    pub dealing: u64,
    pub pace: String,
    pub host_join_ms_max: u64,
    pub host_silence_ms_max: u64,
    pub chain_silence_ms_max: u64,
}

impl Default for Run {
    fn default() -> Self {
        Self {
            seed: 1,
            blocks: Blocks(360),
            until: Vec::new(),
            processes: 2,
            link: "unix".to_owned(),
            await_hosts: 0,
            dealing: 0,
            pace: "max".to_owned(),
            host_join_ms_max: HOST_JOIN_MS_MAX,
            host_silence_ms_max: HOST_SILENCE_MS_MAX,
            chain_silence_ms_max: CHAIN_SILENCE_MS_MAX,
        }
    }
}

/// A text, or a list of texts.
fn one_or_many<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "expected a text or a list of texts")]
    enum OneOrMany {
        One(String),
        Many(Vec<String>),
    }
    Ok(match OneOrMany::deserialize(from)? {
        OneOrMany::One(text) => vec![text],
        OneOrMany::Many(texts) => texts,
    })
}

/// `[rules]`: version, profile, mode and fees, and any global parameter by the chain's name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RuleSection {
    pub version: RuleVersion,
    pub profile: Profile,
    pub mode: Mode,
    pub fees: FeeSchedule,
    #[serde(flatten)]
    pub parameters: Table,
}

/// Where the relative flow averages of subnets come from that name none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FlowShares {
    /// The snapshot's estimate of each subnet's emission, or 1 in a generated network.
    #[default]
    Snapshot,
    /// [`EQUAL_FLOW_SHARE`] for each.
    Equal,
}

impl FlowShares {
    /// A subnet's relative flow average, by what is estimated of it.
    pub const fn of(self, estimate: u64) -> u64 {
        match self {
            Self::Snapshot => estimate,
            Self::Equal => EQUAL_FLOW_SHARE,
        }
    }
}

/// What each subnet's relative flow average is where all are equal.
const EQUAL_FLOW_SHARE: u64 = 10_000;

/// `[genesis]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Genesis {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<String>,
    pub height: u64,
    pub time: String,
    pub total_issuance: Tao,
    pub flow_ema_total: Tao,
    pub flow_shares: FlowShares,
    pub root_stake: Tao,
    pub neurons_min: u16,
}

impl Default for Genesis {
    fn default() -> Self {
        Self {
            snapshot: None,
            height: 0,
            time: "2026-01-01T00:00:00Z".to_owned(),
            total_issuance: Tao(1_000_000_000_000_000),
            flow_ema_total: Tao(500_000_000),
            flow_shares: FlowShares::default(),
            root_stake: Tao(100_000_000_000_000),
            neurons_min: 0,
        }
    }
}

/// `[network]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NetworkSection {
    pub slice_ms: u64,
    pub latency_ms_min: u64,
    pub latency_ms_max: u64,
    pub loss_ppm: u32,
    pub duplication_ppm: u32,
}

impl Default for NetworkSection {
    fn default() -> Self {
        Self {
            slice_ms: 1_000,
            latency_ms_min: 20,
            latency_ms_max: 300,
            loss_ppm: 0,
            duplication_ppm: 0,
        }
    }
}

/// `[beacon]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BeaconSection {
    pub period_ms: u64,
    pub first_round: u64,
}

impl Default for BeaconSection {
    fn default() -> Self {
        Self { period_ms: 3_000, first_round: 1 }
    }
}

/// `[limits]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitSection {
    pub extrinsics_per_block_max: u32,
    pub pool_max: u32,
    pub refused_kept_max: u32,
}

impl Default for LimitSection {
    fn default() -> Self {
        Self { extrinsics_per_block_max: 1_000, pool_max: 8_192, refused_kept_max: 64 }
    }
}

/// When the log is synced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DurabilityName {
    Block,
    #[default]
    Interval,
    End,
}

/// `[log]`; in no hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogSection {
    pub durability: DurabilityName,
    pub sync_interval: Blocks,
    pub snapshot_interval: Blocks,
    pub snapshot_bytes: u64,
    pub checkpoint_interval: Blocks,
}

impl Default for LogSection {
    fn default() -> Self {
        Self {
            durability: DurabilityName::default(),
            sync_interval: Blocks(100),
            snapshot_interval: Blocks(600),
            snapshot_bytes: 32 << 20,
            checkpoint_interval: Blocks(720),
        }
    }
}

/// `[metrics]`; in no hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MetricsSection {
    pub address: String,
    pub neuron_netuids: Vec<u16>,
    pub accounts: bool,
}

impl Default for MetricsSection {
    fn default() -> Self {
        Self { address: "off".to_owned(), neuron_netuids: Vec::new(), accounts: false }
    }
}

/// `[[subnet]]`: one subnet, or `count` alike ones. Any hyperparameter may stand beside these keys.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SubnetEntry {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub netuid: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub symbol: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tao_reserve: Option<Tao>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alpha_in: Option<AlphaAmount>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alpha_out: Option<AlphaAmount>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flow_share: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metagraph: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub neurons_min: Option<u16>,
    #[serde(flatten)]
    pub hyperparameters: Table,
}

/// Where a group acts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "expected \"all\" or a list of netuids")]
pub enum Where {
    /// `"all"`.
    Word(AllWord),
    /// Some.
    These(Vec<u16>),
}

/// The word `all`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AllWord {
    #[default]
    All,
}

impl Default for Where {
    fn default() -> Self {
        Self::Word(AllWord::All)
    }
}

impl Where {
    /// Whether it holds a subnet.
    pub fn has(&self, netuid: u16) -> bool {
        match self {
            Self::Word(AllWord::All) => true,
            Self::These(netuids) => netuids.contains(&netuid),
        }
    }
}

/// What there is already that a group's members take over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Takes {
    /// Neurons of a metagraph, with their keys and what they have.
    Neurons,
}

/// `[[players]]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    pub name: String,
    pub role: Role,
    pub behaviour: String,
    #[serde(default = "one")]
    pub count: u32,
    #[serde(default)]
    pub subnets: Where,
    #[serde(default)]
    pub balance: Tao,
    #[serde(default)]
    pub stake_ppm: u32,
    #[serde(default)]
    pub root_stake_ppm: u32,
    #[serde(default = "three")]
    pub positions: u16,
    #[serde(default)]
    pub spread_ppm: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub takes: Option<Takes>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ranks: Vec<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arrives: Option<[Blocks; 2]>,
    #[serde(default)]
    pub settings: Table,
}

const fn one() -> u32 {
    1
}

const fn three() -> u16 {
    3
}

/// `[[timeline]]`: a root call at a block.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimelineEntry {
    pub at: At,
    pub call: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub netuid: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<toml::Value>,
}

/// A height, or `"+N"` counted from genesis.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "expected a height, or \"+N\" counted from genesis")]
pub enum At {
    /// A height.
    Height(u64),
    /// `"+N"`.
    Text(String),
}

/// `[[fault]]`: a simulated fault, which is part of the simulation hash, or one below the simulation, which is not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultEntry {
    pub kind: FaultName,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<At>,
    #[serde(rename = "for", default, skip_serializing_if = "Option::is_none")]
    pub lasts: Option<Blocks>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<Blocks>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<At>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ppm: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shape: Option<Shape>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<Role>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub netuids: Vec<u16>,
}
