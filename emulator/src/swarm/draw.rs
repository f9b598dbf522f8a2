//! From a seed to a scenario: rules, parameters, subnets, a network, changes on the way, faults of every kind. The same
//! seed gives the same document on every machine; it is one that `btemu run` takes.
//!
//! What belongs here: what surrounds the players, and in which ranges. What does not: the players (`cast`), running the
//! scenario (`trial`).

use super::cast::{Neurons, cast, crowd};
use super::fate::Fate;
use crate::plan::Shape;
use crate::run::disturbance::{Disturbance, Layer};
use crate::scenario::amount::{AlphaAmount, Blocks, Tao};
use crate::scenario::document::{
    About, At, BeaconSection, Document, FaultEntry, Genesis, LimitSection, LogSection,
    NetworkSection, RuleSection, Run, SubnetEntry, TimelineEntry,
};
use crate::scenario::fault_name::FaultName;
use protocol::rules::{FeeSchedule, Mode, Profile, RuleVersion};
use protocol::units::UNITS_PER_TOKEN;
use strum::VariantArray;
use toml::{Table, Value};

/// Longest tempo that is drawn.
const TEMPO_MAX: u64 = 19;
/// Tempos that everybody has, after the last fault, to act again.
pub const HEALING_TEMPOS: u64 = 3;
/// Blocks beside those, in which calls and answers travel.
pub const HEALING_BLOCKS: u64 = 15;

/// Blocks in which things may go wrong, unless fewer are asked for.
const UNREST_BLOCKS_MIN: u64 = 25;
/// See [`UNREST_BLOCKS_MIN`].
const UNREST_BLOCKS_MAX: u64 = 90;
/// Blocks after the last fault: so many at the end of a run are without any.
pub const fn healing_blocks(tempo_max: u64) -> u64 {
    HEALING_TEMPOS * (tempo_max + 1) + HEALING_BLOCKS
}

/// Whether a scenario is for one process or for several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Everything in one process.
    OneProcess,
    /// A chain and two hosts, with real signals.
    Processes,
}

/// Draws a scenario; of so many blocks if that is said.
pub fn draw(seed: u64, blocks: Option<u64>, form: Form) -> Document {
    let mut fate = Fate::new(seed, "network");
    let tempo = fate.between(4, TEMPO_MAX);
    let healing = healing_blocks(tempo);
    let unrest = fate.between(UNREST_BLOCKS_MIN, UNREST_BLOCKS_MAX);
    let blocks = blocks.unwrap_or(healing + unrest);
    let unrest = blocks.saturating_sub(healing);
    let mut document = Document {
        scenario: About {
            name: format!("swarm-{seed}"),
            description: format!("Drawn by `btemu swarm --seeds {seed}..{seed}`"),
        },
        run: Run {
            seed: fate.below(1 << 48),
            blocks: Blocks(blocks),
            dealing: fate.below(4),
            ..run_of(form)
        },
        rules: rules(&mut Fate::new(seed, "rules")),
        genesis: genesis(&mut fate),
        hyperparameters: hyperparameters(&mut Fate::new(seed, "hyperparameters"), tempo),
        network: network(&mut fate),
        beacon: beacon(&mut fate),
        limits: limits(&mut fate),
        log: log(&mut fate),
        ..Document::default()
    };
    document.subnet = subnets(&mut Fate::new(seed, "subnets"), tempo);
    let netuids: Vec<u16> = (1..).zip(&document.subnet).map(|(netuid, _)| netuid).collect();
    let Neurons { groups, most } = cast(&mut Fate::new(seed, "cast"), &netuids, unrest);
    document.players = groups;
    let mut room = match fate.chance(2) {
        true => most + fate.below(8),
        false => 256,
    };
    let mut newcomers = Fate::new(seed, "crowd");
    if newcomers.chance(4) {
        document.players.push(crowd(&mut newcomers, &netuids));
        room = most;
        set(&mut document.hyperparameters, "immunity_period", 0);
        set(&mut document.hyperparameters, "min_burn", 1);
    }
    set(&mut document.hyperparameters, "max_allowed_uids", room.clamp(8, 256));
    document.timeline = timeline(&mut Fate::new(seed, "timeline"), &netuids, unrest);
    commit_reveal_version(&mut Fate::new(seed, "commit-reveal version"), &mut document, unrest);
    document.fault = faults(&mut Fate::new(seed, "faults"), &document, unrest);
    document.fault.extend(disturbances(&mut Fate::new(seed, "disturbances"), blocks, form));
    document
}

/// With processes a run is slow enough to be struck at about the right block, and a lost frame is soon missed.
fn run_of(form: Form) -> Run {
    match form {
        Form::OneProcess => Run { processes: 0, ..Run::default() },
        Form::Processes => Run {
            processes: 2,
            pace: "900x".to_owned(),
            host_silence_ms_max: 2_000,
            ..Run::default()
        },
    }
}

fn set(table: &mut Table, key: &str, value: impl Into<WideValue>) {
    table.insert(key.to_owned(), value.into().0);
}

/// A value of a parameter; integers that TOML cannot hold are texts.
struct WideValue(Value);

impl From<u64> for WideValue {
    fn from(number: u64) -> Self {
        Self(match i64::try_from(number) {
            Ok(number) => Value::Integer(number),
            Err(_) => Value::String(number.to_string()),
        })
    }
}

impl From<bool> for WideValue {
    fn from(truth: bool) -> Self {
        Self(Value::Boolean(truth))
    }
}

fn rules(fate: &mut Fate) -> RuleSection {
    let mut parameters = Table::new();
    let threshold = if fate.chance(5) { 100_000_000_000 } else { 0 };
    set(&mut parameters, "stake_threshold", threshold);
    let rows = [
        ("subnet_limit", fate.between(6, 12)),
        ("network_rate_limit", fate.between(0, 40)),
        ("network_immunity_period", fate.between(0, 60)),
        ("network_min_lock_cost", fate.between(1, 100) * UNITS_PER_TOKEN),
        ("network_last_lock_cost", fate.between(1, 100) * UNITS_PER_TOKEN),
        ("network_lock_reduction_interval", fate.between(1, 200)),
        ("start_call_delay", fate.between(0, 20)),
        ("admin_freeze_window", fate.between(0, 5)),
        ("tx_delegate_take_rate_limit", fate.between(0, 60)),
        ("tx_childkey_take_rate_limit", fate.between(0, 60)),
        ("pending_childkey_cooldown", fate.between(0, 30)),
        ("owner_hyperparam_rate_limit", fate.between(0, 2)),
        ("root_claims_per_block", fate.between(0, 10)),
        ("min_activity_cutoff", fate.between(1, 60)),
        ("subnet_owner_cut", fate.between(0, 65_535)),
        ("childkey_burn", if fate.chance(5) { fate.between(1, u64::MAX) } else { 0 }),
        ("tx_rate_limit", fate.between(0, 30)),
    ];
    for (key, value) in rows {
        if fate.chance(2) {
            set(&mut parameters, key, value);
        }
    }
    RuleSection {
        version: *fate.of(&[RuleVersion::Taoflow, RuleVersion::Taoflow, RuleVersion::Price]),
        profile: *fate.of(&[Profile::Mainnet, Profile::Code]),
        mode: *fate.of(&[Mode::Reference, Mode::Sound]),
        fees: *fate.of(&[FeeSchedule::None, FeeSchedule::Reference]),
        parameters,
    }
}

fn genesis(fate: &mut Fate) -> Genesis {
    Genesis {
        height: if fate.chance(3) { fate.between(1, 8_000_000) } else { 0 },
        root_stake: Tao(fate.between(1_000, 100_000) * UNITS_PER_TOKEN),
        flow_ema_total: Tao(fate.between(1, 2 * UNITS_PER_TOKEN)),
        ..Genesis::default()
    }
}

fn hyperparameters(fate: &mut Fate, tempo: u64) -> Table {
    let mut table = Table::new();
    set(&mut table, "tempo", tempo);
    let rows = [
        ("kappa", fate.between(1, 65_535)),
        ("activity_cutoff", fate.between(5, 200)),
        ("max_allowed_validators", fate.between(1, 8)),
        ("min_allowed_weights", fate.between(0, 2)),
        ("immunity_period", fate.between(0, 60)),
        ("min_non_immune_uids", fate.between(0, 10)),
        ("immune_owner_uids_limit", fate.between(1, 10)),
        ("bonds_moving_average", fate.between(0, 1_000_000)),
        ("bonds_penalty", fate.between(0, 65_535)),
        ("weights_set_rate_limit", fate.between(0, tempo)),
        ("serving_rate_limit", fate.between(0, 20)),
        ("target_registrations_per_interval", fate.between(1, 4)),
        ("max_registrations_per_block", fate.between(1, 4)),
        ("adjustment_interval", fate.between(2, 40)),
        ("reveal_period", fate.between(1, 3)),
        ("ema_price_halving_blocks", fate.between(1, 1_000)),
        ("min_burn", fate.between(1, UNITS_PER_TOKEN / 2)),
    ];
    for (key, value) in rows {
        if fate.chance(2) {
            set(&mut table, key, value);
        }
    }
    if !table.contains_key("weights_set_rate_limit") {
        set(&mut table, "weights_set_rate_limit", 0);
    }
    for key in ["yuma3", "liquid_alpha", "bonds_reset", "recycle_withheld"] {
        set(&mut table, key, fate.chance(3));
    }
    table
}

fn network(fate: &mut Fate) -> NetworkSection {
    let shortest = fate.between(1, 500);
    NetworkSection {
        slice_ms: *fate.of(&[250, 500, 1_000, 2_000, 3_000]),
        latency_ms_min: shortest,
        latency_ms_max: shortest + fate.between(0, 3_000),
        loss_ppm: if fate.chance(2) { fate.part(300_000) } else { 0 },
        duplication_ppm: if fate.chance(3) { fate.part(500_000) } else { 0 },
    }
}

fn beacon(fate: &mut Fate) -> BeaconSection {
    BeaconSection {
        period_ms: *fate.of(&[3_000, 3_000, 1_000, 12_000]),
        first_round: fate.between(1, 1_000),
    }
}

fn limits(fate: &mut Fate) -> LimitSection {
    let narrow = fate.chance(5);
    LimitSection {
        extrinsics_per_block_max: if narrow { fate.part_of(5, 40) } else { 1_000 },
        pool_max: if narrow { fate.part_of(5, 100) } else { 8_192 },
        refused_kept_max: fate.part_of(0, 64),
    }
}

fn log(fate: &mut Fate) -> LogSection {
    LogSection {
        sync_interval: Blocks(fate.between(1, 30)),
        snapshot_interval: Blocks(fate.between(0, 30)),
        checkpoint_interval: Blocks(fate.between(0, 30)),
        ..LogSection::default()
    }
}

fn subnets(fate: &mut Fate, tempo: u64) -> Vec<SubnetEntry> {
    let one = |fate: &mut Fate| {
        let mut hyperparameters = Table::new();
        set(&mut hyperparameters, "commit_reveal", fate.chance(3));
        if fate.chance(3) {
            set(&mut hyperparameters, "tempo", fate.between(3, tempo));
        }
        for key in ["yuma3", "liquid_alpha"] {
            if fate.chance(4) {
                set(&mut hyperparameters, key, fate.chance(2));
            }
        }
        SubnetEntry {
            tao_reserve: Some(Tao(fate.between(50, 20_000) * UNITS_PER_TOKEN)),
            alpha_in: Some(AlphaAmount(fate.between(1_000, 100_000) * UNITS_PER_TOKEN)),
            alpha_out: Some(AlphaAmount(fate.between(1_000, 100_000) * UNITS_PER_TOKEN)),
            flow_share: Some(fate.part_of(0, 100)),
            hyperparameters,
            ..SubnetEntry::default()
        }
    };
    (0..fate.between(1, 4)).map(|_| one(fate)).collect()
}

fn since_genesis(blocks: u64) -> At {
    At::Text(format!("+{blocks}"))
}

/// Changes by root within the unrest.
fn timeline(fate: &mut Fate, netuids: &[u16], unrest: u64) -> Vec<TimelineEntry> {
    let mut entries: Vec<TimelineEntry> = Vec::new();
    if unrest == 0 {
        return entries;
    }
    for _ in 0..fate.below(5) {
        let of_subnet = |call: &str, value: Value| (call.to_owned(), true, Some(value));
        let number = |number: u64| WideValue::from(number).0;
        let truth = Value::Boolean;
        let (call, is_of_subnet, value) = match fate.below(16) {
            0 => of_subnet("sudo_set_kappa", number(fate.between(1, 65_535))),
            1 => of_subnet("sudo_set_max_allowed_validators", number(fate.between(1, 8))),
            2 => of_subnet("sudo_set_immunity_period", number(fate.between(0, 60))),
            3 => of_subnet("sudo_set_commit_reveal_weights_enabled", truth(fate.chance(2))),
            4 => of_subnet("sudo_set_yuma3_enabled", truth(fate.chance(2))),
            5 => of_subnet("sudo_set_liquid_alpha_enabled", truth(fate.chance(2))),
            6 => of_subnet("sudo_set_bonds_penalty", number(fate.between(0, 65_535))),
            7 => of_subnet("sudo_set_tempo", number(fate.between(3, TEMPO_MAX))),
            8 => of_subnet("sudo_set_mechanism_count", number(fate.between(1, 2))),
            9 => of_subnet("sudo_set_network_registration_allowed", truth(fate.chance(2))),
            10 => of_subnet("sudo_set_subtoken_enabled", truth(fate.chance(2))),
            11 => of_subnet("set_fee_rate", number(fate.between(0, 10_000))),
            12 => {
                let cut = number(fate.between(0, 65_535));
                ("sudo_set_subnet_owner_cut".to_owned(), false, Some(cut))
            }
            13 => ("root_dissolve_network".to_owned(), true, None),
            14 => {
                let version = Value::String((*fate.of(&["price", "taoflow"])).to_owned());
                ("switch_rules".to_owned(), false, Some(version))
            }
            _ => {
                let mut change = Table::new();
                let mode = *fate.of(&["reference", "sound"]);
                let version = *fate.of(&["price", "taoflow"]);
                change.insert("mode".to_owned(), Value::String(mode.to_owned()));
                change.insert("version".to_owned(), Value::String(version.to_owned()));
                ("switch_rules".to_owned(), false, Some(Value::Table(change)))
            }
        };
        let netuid = is_of_subnet.then(|| *fate.of(netuids));
        entries.push(TimelineEntry {
            at: since_genesis(fate.between(1, unrest)),
            call,
            netuid,
            value,
        });
    }
    entries
}

/// The version that sealed rows must name: another one from genesis on, and another one on the way, which those that
/// are on their way to the chain do not name.
fn commit_reveal_version(fate: &mut Fate, document: &mut Document, unrest: u64) {
    let version = |fate: &mut Fate| fate.between(0, u16::MAX.into());
    if fate.chance(3) {
        set(&mut document.rules.parameters, "commit_reveal_version", version(fate));
    }
    if unrest > 0 && fate.chance(3) {
        document.timeline.push(TimelineEntry {
            at: since_genesis(fate.between(1, unrest)),
            call: "sudo_set_commit_reveal_version".to_owned(),
            netuid: None,
            value: Some(WideValue::from(version(fate)).0),
        });
    }
}

/// Simulated faults, all of them over when the unrest is.
fn faults(fate: &mut Fate, document: &Document, unrest: u64) -> Vec<FaultEntry> {
    let mut faults: Vec<FaultEntry> = Vec::new();
    if unrest < 2 {
        return faults;
    }
    let groups: Vec<&str> = document.players.iter().map(|group| group.name.as_str()).collect();
    for _ in 0..fate.below(4) {
        let kind = *fate.of(&[
            FaultName::Loss,
            FaultName::Corruption,
            FaultName::Duplication,
            FaultName::Delay,
            FaultName::Clog,
            FaultName::Partition,
            FaultName::Partition,
            FaultName::Offline,
        ]);
        let lasts = fate.between(1, (unrest / 2).max(1));
        let ppm = match kind {
            FaultName::Partition => None,
            FaultName::Clog => Some(fate.part(20_000)),
            FaultName::Duplication => Some(fate.part(500_000)),
            _ => Some(fate.part(300_000)),
        };
        let mut fault = FaultEntry {
            at: Some(since_genesis(fate.between(1, unrest - lasts))),
            every: None,
            until: None,
            ppm,
            ms: (kind == FaultName::Delay).then(|| fate.between(1, 40_000)),
            shape: (kind == FaultName::Partition)
                .then(|| *fate.of(&[Shape::Halves, Shape::Isolate, Shape::Bridge, Shape::OneWay])),
            lasts: Some(Blocks(lasts)),
            groups: Vec::new(),
            roles: Vec::new(),
            netuids: Vec::new(),
            kind,
        };
        if fate.chance(4) {
            fault.at = None;
            fault.every = Some(Blocks(lasts + fate.below(unrest)));
            fault.until = Some(since_genesis(unrest));
        }
        if fate.chance(3) {
            fault.groups.push((*fate.of(&groups)).to_owned());
        }
        if !faults.contains(&fault) {
            faults.push(fault);
        }
    }
    faults
}

/// Milliseconds of wall time that something stands still at most.
const PAUSE_MS_MAX: u64 = 200;

/// What strikes below the simulation, at any block.
fn disturbances(fate: &mut Fate, blocks: u64, form: Form) -> Vec<FaultEntry> {
    // Signals are for real processes; in one process nobody can be paused from outside.
    let can = |what: &&Disturbance| match form {
        Form::Processes => true,
        Form::OneProcess => !matches!(what, Disturbance::PauseChain | Disturbance::PauseHost),
    };
    let all: Vec<Disturbance> = Disturbance::VARIANTS.iter().filter(can).copied().collect();
    let mut faults: Vec<FaultEntry> = Vec::new();
    for _ in 0..fate.between(1, 4) {
        let what = *fate.of(&all);
        let kind = FaultName::Below(what);
        let slow = what.layer() == Layer::Process || what == Disturbance::Slow;
        faults.push(FaultEntry {
            kind,
            at: Some(since_genesis(fate.between(1, blocks.max(1)))),
            lasts: None,
            every: None,
            until: None,
            ppm: None,
            ms: (slow && what.lasts()).then(|| fate.between(1, PAUSE_MS_MAX)),
            shape: None,
            groups: Vec::new(),
            roles: Vec::new(),
            netuids: Vec::new(),
        });
    }
    faults
}
