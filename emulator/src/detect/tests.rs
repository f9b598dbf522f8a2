//! Each detector over a small run with its adversary, where it points at the attacker, and over the same run with the
//! attacker honest, where it is silent.
//!
//! What belongs here: rows of [`ATTACKS`] and the network they change. What does not: how good detectors are over many
//! seeds (docs/detectors.md).

use super::{Alarm, DETECTORS, Detectors, Subject};
use crate::plan::Plan;
use crate::run::chain::{ChainOrder, drive};
use crate::run::control::Control;
use crate::scenario::{Overrides, load};
use protocol::apply::apply;
use protocol::units::Height;
use std::collections::BTreeSet;
use storage::log::{Durability, EventLog, SledLog};
use storage::record::Genesis;
use storage::runfolder::RunFolder;

/// A run in which an adversary shows.
struct Attack {
    /// The detector, and the adversary's behaviour unless `attacker` has another.
    name: &'static str,
    /// Blocks of the run.
    blocks: u64,
    /// Keys of the network that differ, as TOML tables.
    network: &'static str,
    /// The group `attackers` without its name.
    attacker: &'static str,
    /// The same when it is honest.
    honest: &'static str,
}

/// The network of all rows: four validators and eight miners on a subnet with an epoch every 30 blocks.
const NETWORK: &str = r#"
[scenario]
name = "detect"
description = "one attack on a small subnet"
[rules]
stake_threshold = 0
[hyperparameters]
tempo = 29
weights_set_rate_limit = 0
max_allowed_uids = 32
[[players]]
name = "owners"
role = "owner"
behaviour = "hold"
[[players]]
name = "validators"
role = "validator"
behaviour = "sampler"
count = 5
stake_ppm = 400_000
ranks = [1]
settings = { commit = "COMMIT" }
[[players]]
name = "miners"
role = "miner"
behaviour = "quality"
count = 8
"#;

const SAMPLER: &str = r#"role = "validator"
behaviour = "sampler"
stake_ppm = 100_000"#;

const ATTACKS: &[Attack] = &[
    Attack {
        name: "weight-copier",
        blocks: 300,
        network: "",
        attacker: "role = \"validator\"\nbehaviour = \"weight-copier\"\nstake_ppm = 100_000",
        honest: SAMPLER,
    },
    Attack {
        name: "stale-copier",
        blocks: 420,
        network: "[[subnet]]\ncommit_reveal = true",
        attacker: "role = \"validator\"\nbehaviour = \"stale-copier\"\nstake_ppm = 100_000",
        honest: SAMPLER,
    },
];

/// Whose keys count as the attacker's.
const ATTACKERS: &str = "attackers";

/// Makes a run and folds it.
fn watched(attack: &Attack, group: &str, seed: u64) -> (Plan, Detectors) {
    let folder = tempfile::tempdir().expect("writable");
    let commit = if attack.network.contains("hashed") { "hash" } else { "timelocked" };
    let mut text = NETWORK.replace("COMMIT", commit);
    let subnet = if attack.network.contains("[[subnet]]") { "" } else { "[[subnet]]" };
    text.push_str(&format!(
        "{subnet}\n{}\n[[players]]\nname = \"{ATTACKERS}\"\n{group}\n",
        attack.network
    ));
    let path = folder.path().join("attack.toml");
    std::fs::write(&path, text).expect("writable");
    let overrides =
        Overrides { seed: Some(seed), blocks: Some(attack.blocks), ..Overrides::default() };
    let scenario =
        load(&path, &overrides).unwrap_or_else(|error| panic!("{}: {error}", attack.name));
    let plan = scenario.plan().unwrap_or_else(|error| panic!("{}: {error}", attack.name));
    let run = RunFolder::create_at(&folder.path().join("run")).expect("writable");
    let genesis =
        Genesis { build: "test".to_owned(), header: plan.genesis_header(), plan: plan.clone() };
    drop(SledLog::create(&run.log_dir(), &genesis, Durability::End).expect("writable"));
    let order = ChainOrder::inside(run.path.clone(), Height(attack.blocks));
    let control = Control::new(order.wish());
    actix::System::new().block_on(drive(&order, control, |_| ())).expect("it runs");
    let log = SledLog::open(&run.log_dir()).expect("the run is over");
    let mut detectors = Detectors::of(&plan);
    let mut state = plan.genesis.clone();
    for frame in log.frames(Height(1), log.tip()) {
        let frame = frame.expect("it is sound");
        for event in &frame.events {
            apply(&mut state, event).expect("it fits");
        }
        detectors.fold(&frame, &state);
    }
    (plan, detectors)
}

/// Whether an alarm points at a player of the attackers' group, or at the one subnet there is.
fn points(plan: &Plan, alarm: &Alarm) -> bool {
    let attackers = plan.players.iter().filter(|seat| seat.identity.group == ATTACKERS);
    let keys: BTreeSet<_> =
        attackers.flat_map(|seat| [seat.identity.coldkey, seat.identity.hotkey]).collect();
    match alarm.subject {
        Subject::Neuron { hotkey, .. } => keys.contains(&hotkey),
        Subject::Coldkey(coldkey) => keys.contains(&coldkey),
        Subject::Subnet(_) => true,
    }
}

fn check(attack: &Attack) {
    for seed in [1, 2] {
        let (plan, attacked) = watched(attack, attack.attacker, seed);
        let of = |detectors: &Detectors| -> Vec<Alarm> {
            let alarms = detectors.alarms().iter().filter(|alarm| alarm.detector == attack.name);
            alarms.copied().collect()
        };
        let signals: Vec<_> = attacked.signals().collect();
        let (right, wrong): (Vec<_>, Vec<_>) =
            of(&attacked).into_iter().partition(|alarm| points(&plan, alarm));
        assert!(!right.is_empty(), "{}, seed {seed}: not seen in {signals:?}", attack.name);
        assert!(wrong.is_empty(), "{}, seed {seed}: {wrong:?}", attack.name);
        let (_, honest) = watched(attack, attack.honest, seed);
        assert_eq!(of(&honest), [], "{}, seed {seed}: it was honest", attack.name);
    }
}

#[test]
fn every_attack_is_shown_by_its_detector() {
    ATTACKS.iter().for_each(check);
}

#[test]
fn detectors_are_named_once_and_have_thresholds() {
    let names: BTreeSet<&str> = DETECTORS.iter().map(|row| row.name).collect();
    assert_eq!(names.len(), DETECTORS.len());
    for row in DETECTORS {
        assert!(row.threshold > 0.0 && !row.unit.is_empty(), "{}", row.name);
        assert!(!row.observable.is_empty() && !row.observable.ends_with('.'), "{}", row.name);
    }
}
