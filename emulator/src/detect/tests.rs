//! Each detector over a small run with its adversary, where it points at the attacker, and over the same run with the
//! attacker honest, where it is silent.
//!
//! What belongs here: rows of [`ATTACKS`] and the network they change. What does not: how good detectors are over many
//! seeds (docs/detectors.md).

use super::{Alarm, DETECTORS, Detectors, Subject};
use crate::plan::Plan;
use crate::run::chain::drive;
use crate::run::control::Control;
use crate::run::order::ChainOrder;
use crate::scenario::{Overrides, load};
use protocol::apply::apply;
use protocol::units::{Height, NetUid};
use std::collections::BTreeSet;
use storage::log::{Durability, EventLog, SledLog};
use storage::record::Genesis;
use storage::runfolder::RunFolder;

/// A run in which an adversary shows.
struct Attack {
    /// The detector, and the adversary.
    name: &'static str,
    /// Blocks of the run.
    blocks: u64,
    /// What differs of the network: further tables, and the first subnet's if it is no plain one.
    network: &'static str,
    /// The group `attackers` without its name.
    attacker: &'static str,
    /// The same when it is honest.
    honest: &'static str,
    /// Whether it owns the first subnet.
    owner: Owner,
}

/// Who owns the first subnet.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Owner {
    /// A group that holds.
    Other,
    /// The attackers.
    Attacker,
}

/// The network of all rows: five validators and eight miners on a subnet with an epoch every 30 blocks.
const NETWORK: &str = r#"
[scenario]
name = "detect"
description = "one attack on a small subnet"
[rules]
stake_threshold = 0
tx_childkey_take_rate_limit = 0
pending_childkey_cooldown = 0
subnet_limit = 3
network_rate_limit = 20
network_immunity_period = 100
network_min_lock_cost = "100 TAO"
network_last_lock_cost = "100 TAO"
network_lock_reduction_interval = 100
[hyperparameters]
tempo = 29
weights_set_rate_limit = 0
min_burn = "0.01 TAO"
ema_price_halving_blocks = 1
[[players]]
name = "validators"
role = "validator"
behaviour = "sampler"
ranks = [1]
count = 5
stake_ppm = 550_000
settings = { commit = "COMMIT" }
[[players]]
name = "miners"
role = "miner"
behaviour = "quality"
count = 8
"#;

const HOLD: &str = "[[players]]\nname = \"owners\"\nrole = \"owner\"\nbehaviour = \"hold\"\n";

/// Miners that come from outside, one about every 30 blocks, and get the places of others.
const NEWCOMERS: &str = r#"
[[subnet]]
max_allowed_uids = 18
immunity_period = 60
registration_allowed = true
adjustment_interval = 30
max_registrations_per_block = 3
target_registrations_per_interval = 3
[[players]]
name = "newcomers"
role = "miner"
behaviour = "worker"
count = 16
balance = "20 TAO"
arrives = [90, 500]
settings = { interval_blocks = 30, starts_outside = true, roams = true, cost_rao = 1_000_000 }
"#;

const SEALED: &str = "[[subnet]]\ncommit_reveal = true\n";

const SAMPLER: &str = r#"role = "validator"
behaviour = "sampler"
ranks = [1]
stake_ppm = 100_000"#;

const HASHED: &str = r#"role = "validator"
behaviour = "sampler"
ranks = [1]
stake_ppm = 100_000
settings = { commit = "hash" }"#;

const TWO_SAMPLERS: &str = r#"role = "validator"
behaviour = "sampler"
ranks = [1]
stake_ppm = 150_000
count = 2"#;

const WHALE: &str = r#"role = "staker"
behaviour = "dump-whale"
stake_ppm = 250_000
balance = "5000 TAO"
settings = { dump_after_blocks = 10_000_000 }"#;

const OUTSIDER: &str = r#"role = "miner"
behaviour = "worker"
balance = "10 TAO"
settings = { interval_blocks = 30, starts_outside = true, roams = true }"#;

const STALLER: &str = r#"role = "miner"
behaviour = "staller"
subnets = [1]
count = 2
settings = { members = 2, answers = { mean_ppm = 200_000 } }"#;

const WEAK: &str = r#"role = "miner"
behaviour = "quality"
subnets = [1]
count = 2
settings = { mean_ppm = 200_000 }"#;

/// Two subnets, on the first of which the network copies messages.
const COPIED_ON_ONE: &str = r#"
[[subnet]]
[[subnet]]
[[fault]]
kind = "duplication"
at = "+10"
for = 180
ppm = 400_000
netuids = [1]
"#;

const ATTACKS: &[Attack] = &[
    Attack {
        name: "weight-copier",
        blocks: 300,
        network: "",
        attacker: r#"role = "validator"
behaviour = "weight-copier"
ranks = [1]
stake_ppm = 100_000"#,
        honest: SAMPLER,
        owner: Owner::Other,
    },
    Attack {
        name: "stale-copier",
        blocks: 420,
        network: SEALED,
        attacker: r#"role = "validator"
behaviour = "stale-copier"
ranks = [1]
stake_ppm = 100_000"#,
        honest: SAMPLER,
        owner: Owner::Other,
    },
    Attack {
        name: "commit-withholder",
        blocks: 420,
        network: SEALED,
        attacker: r#"role = "validator"
behaviour = "commit-withholder"
ranks = [1]
stake_ppm = 100_000"#,
        honest: HASHED,
        owner: Owner::Other,
    },
    Attack {
        name: "bad-revealer",
        blocks: 420,
        network: SEALED,
        attacker: r#"role = "validator"
behaviour = "bad-revealer"
ranks = [1]
stake_ppm = 100_000"#,
        honest: HASHED,
        owner: Owner::Other,
    },
    Attack {
        name: "cabal",
        blocks: 300,
        network: "",
        attacker: r#"role = "validator"
behaviour = "cabal"
ranks = [1]
stake_ppm = 150_000
count = 2
settings = { self_weight_ppm = 700_000 }"#,
        honest: TWO_SAMPLERS,
        owner: Owner::Other,
    },
    Attack {
        name: "self-weighter",
        blocks: 300,
        network: "",
        attacker: r#"role = "validator"
behaviour = "self-weighter"
ranks = [1]
stake_ppm = 100_000
balance = "10 TAO""#,
        honest: SAMPLER,
        owner: Owner::Other,
    },
    Attack {
        name: "bonds-gamer",
        blocks: 600,
        network: NEWCOMERS,
        attacker: r#"role = "validator"
behaviour = "bonds-gamer"
ranks = [1]
stake_ppm = 100_000"#,
        honest: SAMPLER,
        owner: Owner::Other,
    },
    Attack {
        name: "permit-hopper",
        blocks: 300,
        network: "",
        attacker: r#"role = "validator"
behaviour = "permit-hopper"
ranks = [1]
stake_ppm = 150_000
count = 2
settings = { members = 2 }"#,
        honest: TWO_SAMPLERS,
        owner: Owner::Other,
    },
    Attack {
        name: "spammer",
        blocks: 200,
        network: "",
        attacker: r#"role = "validator"
behaviour = "spammer"
ranks = [1]
stake_ppm = 100_000"#,
        honest: SAMPLER,
        owner: Owner::Other,
    },
    Attack {
        name: "sleeper",
        blocks: 420,
        network: "",
        attacker: r#"role = "validator"
behaviour = "sleeper"
ranks = [1]
stake_ppm = 100_000
settings = { sleep_from_blocks = 150 }"#,
        honest: SAMPLER,
        owner: Owner::Other,
    },
    Attack {
        name: "outdated",
        blocks: 300,
        network: r#"[[timeline]]
at = "+90"
call = "sudo_set_weights_version_key"
netuid = 1
value = 5
"#,
        attacker: r#"role = "validator"
behaviour = "outdated"
ranks = [1]
stake_ppm = 100_000"#,
        honest: SAMPLER,
        owner: Owner::Other,
    },
    Attack {
        name: "outdated",
        blocks: 600,
        network: NEWCOMERS,
        attacker: r#"role = "validator"
behaviour = "outdated"
ranks = [1]
stake_ppm = 100_000
settings = { old_version = false }"#,
        honest: SAMPLER,
        owner: Owner::Other,
    },
    Attack {
        name: "childkey-abuser",
        blocks: 300,
        network: "",
        attacker: r#"role = "validator"
behaviour = "childkey-abuser"
ranks = [1]
stake_ppm = 150_000
count = 2"#,
        honest: r#"role = "validator"
behaviour = "childkey-abuser"
ranks = [1]
stake_ppm = 150_000
count = 2
settings = { take_high_ppm = 0 }"#,
        owner: Owner::Other,
    },
    Attack {
        name: "dictator",
        blocks: 420,
        network: "",
        attacker: r#"role = "validator"
behaviour = "dictator"
ranks = [1]
stake_ppm = 100_000
balance = "20000 TAO"
settings = { majority = { interval_blocks = 10 } }"#,
        honest: r#"role = "validator"
behaviour = "sampler"
ranks = [1]
stake_ppm = 100_000
balance = "20000 TAO""#,
        owner: Owner::Other,
    },
    Attack {
        name: "sybil",
        blocks: 200,
        network: "",
        attacker: r#"role = "miner"
behaviour = "sybil"
count = 4"#,
        honest: r#"role = "miner"
behaviour = "quality"
count = 4"#,
        owner: Owner::Other,
    },
    Attack {
        name: "answer-copier",
        blocks: 200,
        network: "",
        attacker: r#"role = "miner"
behaviour = "answer-copier"
count = 2"#,
        honest: r#"role = "miner"
behaviour = "quality"
count = 2"#,
        owner: Owner::Other,
    },
    Attack {
        name: "vacancy-sniper",
        blocks: 600,
        network: r#"[[subnet]]
commit_reveal = true
max_allowed_uids = 14
immunity_period = 60
adjustment_interval = 60
"#,
        attacker: r#"role = "miner"
behaviour = "vacancy-sniper"
balance = "10 TAO""#,
        honest: OUTSIDER,
        owner: Owner::Other,
    },
    Attack {
        name: "staller",
        blocks: 200,
        network: "",
        attacker: STALLER,
        honest: WEAK,
        owner: Owner::Other,
    },
    // The same where the network copies two messages of five, everywhere or on the attacked subnet alone.
    Attack {
        name: "staller",
        blocks: 200,
        network: "[network]\nduplication_ppm = 400_000\nloss_ppm = 50_000\n",
        attacker: STALLER,
        honest: WEAK,
        owner: Owner::Other,
    },
    Attack {
        name: "staller",
        blocks: 200,
        network: COPIED_ON_ONE,
        attacker: STALLER,
        honest: WEAK,
        owner: Owner::Other,
    },
    Attack {
        name: "registration-bot",
        blocks: 300,
        network: r#"[[subnet]]
adjustment_interval = 60
"#,
        attacker: r#"role = "miner"
behaviour = "registration-bot"
balance = "50 TAO""#,
        honest: OUTSIDER,
        owner: Owner::Other,
    },
    Attack {
        name: "hyperparameter-rugger",
        blocks: 600,
        network: r#"[[subnet]]
adjustment_interval = 30
"#,
        attacker: r#"role = "owner"
behaviour = "hyperparameter-rugger"
balance = "50 TAO"
stake_ppm = 400_000
settings = { interval_blocks = 10 }"#,
        honest: r#"role = "owner"
behaviour = "hold"
balance = "50 TAO"
stake_ppm = 400_000"#,
        owner: Owner::Attacker,
    },
    Attack {
        name: "miner-burner",
        blocks: 420,
        network: "",
        attacker: r#"role = "owner"
behaviour = "miner-burner"
balance = "5000 TAO"
stake_ppm = 400_000
settings = { majority = { interval_blocks = 10 } }"#,
        honest: r#"role = "owner"
behaviour = "hold"
balance = "5000 TAO"
stake_ppm = 400_000"#,
        owner: Owner::Attacker,
    },
    Attack {
        name: "treasurer",
        blocks: 420,
        network: "",
        attacker: r#"role = "owner"
behaviour = "treasurer"
balance = "2000 TAO"
settings = { interval_blocks = 30, pump_blocks = 360, dump_from_blocks = 390 }"#,
        honest: r#"role = "owner"
behaviour = "hold"
balance = "2000 TAO""#,
        owner: Owner::Attacker,
    },
    Attack {
        name: "lock-cost-griefer",
        blocks: 800,
        network: "",
        attacker: r#"role = "owner"
behaviour = "lock-cost-griefer"
balance = "5000 TAO""#,
        honest: r#"role = "owner"
behaviour = "entrant"
balance = "5000 TAO"
settings = { price_min_rao = 0, price_max_rao = 0 }"#,
        owner: Owner::Other,
    },
    Attack {
        name: "flow-recycler",
        blocks: 600,
        network: "",
        attacker: r#"role = "staker"
behaviour = "flow-recycler"
balance = "2000 TAO"
settings = { amount_rao = 300_000_000_000, interval_blocks = 5, in_blocks = 60, out_blocks = 60 }"#,
        honest: r#"role = "staker"
behaviour = "concentrated"
balance = "2000 TAO""#,
        owner: Owner::Other,
    },
    Attack {
        name: "sandwicher",
        blocks: 400,
        network: r#"[[players]]
name = "victims"
role = "staker"
behaviour = "averager"
balance = "5000 TAO"
settings = { interval_blocks = 30, amount_rao = 100_000_000_000, slippage_ppm = 1_000_000 }
"#,
        attacker: r#"role = "staker"
behaviour = "sandwicher"
balance = "1000 TAO""#,
        honest: WHALE,
        owner: Owner::Other,
    },
    Attack {
        name: "dump-whale",
        blocks: 200,
        network: "",
        attacker: r#"role = "staker"
behaviour = "dump-whale"
stake_ppm = 250_000
settings = { dump_after_blocks = 100 }"#,
        honest: WHALE,
        owner: Owner::Other,
    },
    Attack {
        name: "dereg-sniper",
        blocks: 600,
        network: r#"[[subnet]]
count = 3
"#,
        attacker: r#"role = "staker"
behaviour = "dereg-sniper"
stake_ppm = 250_000
balance = "5000 TAO"
settings = { interval_blocks = 10, victim = 3 }"#,
        honest: WHALE,
        owner: Owner::Other,
    },
    Attack {
        name: "weight-copier",
        blocks: 300,
        network: "",
        attacker: r#"role = "validator"
behaviour = "weight-copier"
ranks = [1]
stake_ppm = 100_000
settings = { copies = "blend" }"#,
        honest: SAMPLER,
        owner: Owner::Other,
    },
    Attack {
        name: "commit-withholder",
        blocks: 500,
        network: SEALED,
        attacker: r#"role = "validator"
behaviour = "commit-withholder"
ranks = [1]
stake_ppm = 100_000
settings = { reveals = "when_it_pays" }"#,
        honest: HASHED,
        owner: Owner::Other,
    },
    Attack {
        name: "bad-revealer",
        blocks: 300,
        network: SEALED,
        attacker: r#"role = "validator"
behaviour = "bad-revealer"
ranks = [1]
stake_ppm = 100_000
settings = { fault = "late" }"#,
        honest: HASHED,
        owner: Owner::Other,
    },
    Attack {
        name: "self-weighter",
        blocks: 300,
        network: "",
        attacker: r#"role = "validator"
behaviour = "self-weighter"
ranks = [1]
stake_ppm = 100_000
settings = { favours = "own" }"#,
        honest: SAMPLER,
        owner: Owner::Other,
    },
];

/// Of all runs.
const SEED: u64 = 1;
/// Whose keys count as the attacker's.
const ATTACKERS: &str = "attackers";

/// Makes a run and folds it.
fn watched(attack: &Attack, group: &str) -> (Plan, Detectors) {
    let folder = tempfile::tempdir().expect("writable");
    let commit = if attack.honest == HASHED { "hash" } else { "timelocked" };
    let subnet = if attack.network.contains("[[subnet]]") { "" } else { "[[subnet]]\n" };
    let owner = if attack.owner == Owner::Other { HOLD } else { "" };
    let attackers = format!("[[players]]\nname = \"{ATTACKERS}\"\n{group}\n");
    let network = NETWORK.replace("COMMIT", commit);
    let text = [&network, owner, &attackers, attack.network, subnet].concat();
    let path = folder.path().join("attack.toml");
    std::fs::write(&path, text).expect("writable");
    let overrides =
        Overrides { seed: Some(SEED), blocks: Some(attack.blocks), ..Overrides::default() };
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

/// Whether an alarm points at a player of the attackers' group, or at the first subnet.
fn points(plan: &Plan, alarm: &Alarm) -> bool {
    let attackers = plan.players.iter().filter(|seat| seat.identity.group == ATTACKERS);
    let keys: BTreeSet<_> =
        attackers.flat_map(|seat| [seat.identity.coldkey, seat.identity.hotkey]).collect();
    match alarm.subject {
        Subject::Neuron { hotkey, .. } => keys.contains(&hotkey),
        Subject::Coldkey(coldkey) => keys.contains(&coldkey),
        Subject::Subnet(netuid) => netuid == NetUid(1),
    }
}

fn check(attack: &Attack) {
    let (plan, attacked) = watched(attack, attack.attacker);
    let of = |detectors: &Detectors| -> Vec<Alarm> {
        let alarms = detectors.alarms().iter().filter(|alarm| alarm.detector == attack.name);
        alarms.copied().collect()
    };
    let (right, wrong): (Vec<_>, Vec<_>) =
        of(&attacked).into_iter().partition(|alarm| points(&plan, alarm));
    let signals: Vec<_> = attacked.signals().collect();
    assert!(!right.is_empty(), "{}: not seen in {signals:?}", attack.name);
    assert!(wrong.is_empty(), "{}: {wrong:?}", attack.name);
    let (_, honest) = watched(attack, attack.honest);
    assert_eq!(of(&honest), [], "{}: it was honest", attack.name);
}

/// Checks the attacks of those who have a role.
fn check_role(role: &str) {
    let role = format!("role = \"{role}\"");
    ATTACKS.iter().filter(|attack| attack.attacker.starts_with(&role)).for_each(check);
}

#[test]
fn validators_are_shown_by_their_detectors_and_honest_ones_are_not() {
    check_role("validator");
}

#[test]
fn miners_are_shown_by_their_detectors_and_honest_ones_are_not() {
    check_role("miner");
}

#[test]
fn owners_are_shown_by_their_detectors_and_honest_ones_are_not() {
    check_role("owner");
}

#[test]
fn stakers_are_shown_by_their_detectors_and_honest_ones_are_not() {
    check_role("staker");
}

#[test]
fn every_detector_has_an_attack() {
    let shown: BTreeSet<&str> = ATTACKS.iter().map(|attack| attack.name).collect();
    let all: BTreeSet<&str> = DETECTORS.iter().map(|row| row.name).collect();
    assert_eq!(shown, all);
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
