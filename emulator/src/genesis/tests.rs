//! Genesis: sums are the snapshot's to the last unit, and every invariant holds from the first block on.

use crate::plan::Plan;
use crate::scenario::{Overrides, load, read_under};
use actors::machine::Identity;
use protocol::balances::EXISTENTIAL_DEPOSIT;
use protocol::block::{BlockInput, decide_block};
use protocol::call::{Origin, Signed};
use protocol::decide::decide;
use protocol::event::Event;
use protocol::invariants::Checker;
use protocol::rules::{FeeSchedule, Mode, RuleVersion};
use protocol::state::State;
use protocol::tx::Tx;
use protocol::units::{AccountId, Alpha, Height, NetUid, Rao};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn configs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../configs")
}

fn plan(name: &str, set: &[(&str, &str)]) -> Plan {
    let set = set.iter().map(|(path, value)| ((*path).to_owned(), (*value).to_owned()));
    let overrides = Overrides { set: set.collect(), ..Overrides::default() };
    let scenario = load(&configs().join(name), &overrides).expect("what ships is valid");
    scenario.plan().expect("what ships is valid")
}

fn snapshot() -> Vec<serde_json::Value> {
    let path = configs().join("data/finney_subnets_taostats_2026-04-11.json");
    let text = std::fs::read_to_string(path).expect("it is part of the repository");
    serde_json::from_str(&text).expect("it is JSON")
}

/// Whole tokens of the snapshot, which has at most four decimals.
fn units(row: &serde_json::Value, key: &str) -> u64 {
    let text = row[key].to_string();
    let (whole, part) = text.split_once('.').unwrap_or((&text, "0"));
    let part: u64 = format!("{part:0<9}").parse().expect("digits");
    whole.parse::<u64>().expect("digits") * 1_000_000_000 + part
}

#[test]
fn every_invariant_holds_at_genesis_and_after_blocks() {
    for name in [
        "quickstart.toml",
        "mainnet.toml",
        "bench-mainnet-quarter.toml",
        "living-network.toml",
        "sn15-weights.toml",
    ] {
        let mut state = plan(name, &[]).genesis;
        let mut checker = Checker::new(&state);
        checker.check(&state).unwrap_or_else(|violation| panic!("{name}: {violation}"));
        let genesis = state.height.0;
        for block in 1..=12 {
            let input = BlockInput {
                height: Height(genesis + block),
                time_ms: block * 12_000,
                entropy: Default::default(),
                calls: Vec::new(),
                surplus: Vec::new(),
                refused_kept_max: 0,
                beacon_round: None,
            };
            decide_block(&mut state, &input);
            checker.check(&state).unwrap_or_else(|violation| panic!("{name}: {violation}"));
        }
    }
}

/// One owner of two subnets, customers on all, and players that begin without a place.
#[test]
fn a_living_network_has_everybody_in_place() {
    let plan = plan("living-network.toml", &[]);
    let of = |group: &str| -> Vec<&Identity> {
        let seats = plan.players.iter().map(|seat| &seat.identity);
        seats.filter(|who| who.group == group).collect()
    };
    let [owner] = of("conglomerate")[..] else { panic!("it is one player") };
    assert_eq!(owner.netuid, None);
    for netuid in [6, 7].map(NetUid) {
        let subnet = plan.genesis.subnet(netuid).expect("it was made");
        assert_eq!(subnet.info.owner, Some(owner.coldkey));
        assert_eq!(subnet.info.owner_hotkey, Some(owner.hotkey));
        assert!(subnet.neurons.uid(&owner.hotkey).is_some());
        let held = plan.genesis.stake(&owner.hotkey, &owner.coldkey, netuid);
        assert_eq!(held, Alpha::whole(5_000), "a tenth of what is outside the pool");
    }
    let customers = of("customers");
    assert_eq!(customers.len(), 8);
    for who in customers {
        let subnet = who.netuid.and_then(|netuid| plan.genesis.subnet(netuid));
        assert!(subnet.is_some_and(|subnet| subnet.neurons.uid(&who.hotkey).is_none()));
        assert_eq!(plan.genesis.free(&who.coldkey), Rao::whole(500));
    }
    for group in ["newcomers", "pioneers", "founders"] {
        assert!(of(group).iter().all(|who| who.netuid.is_none()), "{group}");
    }
    assert_eq!((of("newcomers").len(), of("workers").len()), (40, 64));
}

/// An owner of several takes the place of those whom the snapshot names.
#[test]
fn an_owner_of_several_takes_over_what_the_snapshot_names() {
    let path = configs().join("bench-mainnet.toml");
    let text = std::fs::read_to_string(path).expect("it ships");
    let taken = r#"behaviour = "multi"
subnets = [3, 39, 81]"#;
    let text = text.replacen(r#"behaviour = "hold""#, taken, 1);
    let scenario = read_under(&configs().join("taken.toml"), &text, &[]).expect("it reads");
    let plan = scenario.plan().expect("it is a plan");
    let mut owners = plan.players.iter().filter(|seat| seat.player.behaviour().name == "multi");
    let owner = &owners.next().expect("there is one").identity;
    let before = self::plan("bench-mainnet.toml", &[]).genesis;
    for netuid in [3, 39, 81].map(NetUid) {
        let (old, new) = (&before.subnets[&netuid].info, &plan.genesis.subnets[&netuid].info);
        assert_eq!(new.owner, Some(owner.coldkey));
        assert_eq!(new.owner_hotkey, old.owner_hotkey, "the neuron stays");
        let hotkey = new.owner_hotkey.expect("it has one");
        assert_eq!(plan.genesis.owner(&hotkey), Some(owner.coldkey));
        assert!(plan.genesis.stake(&hotkey, &owner.coldkey, netuid) > Alpha::ZERO);
    }
    let state = plan.genesis;
    Checker::new(&state).check(&state).expect("the books are in order");
}

#[test]
fn places_that_nobody_can_have_are_refused() {
    let rows = [
        ("players.conglomerate.count", "2", "count: a subnet has one owner"),
        (
            "players.builders.subnets",
            "[1, 6]",
            "subnets: subnet 6 has an owner already, of players.builders",
        ),
        (
            "players.customers.stake_ppm",
            "1000",
            "stake_ppm: customers pay in TAO and hold no alpha",
        ),
        ("players.newcomers.stake_ppm", "1000", "stake_ppm: who has no subnet yet starts without"),
    ];
    for (path, value, expected) in rows {
        let set = vec![(path.to_owned(), value.to_owned())];
        let overrides = Overrides { set, ..Overrides::default() };
        let scenario = load(&configs().join("living-network.toml"), &overrides);
        let said = match scenario.and_then(|scenario| scenario.plan()) {
            Ok(_) => panic!("{path} = {value} passes"),
            Err(error) => error.to_string(),
        };
        assert!(said.contains(expected), "{path} = {value}: {said}");
    }
}

#[test]
fn the_snapshot_is_kept_to_the_last_unit() {
    let plan = plan("mainnet.toml", &[]);
    let state = &plan.genesis;
    let rows = snapshot();
    assert_eq!(rows.len(), 129);
    let flow_sum: f64 = rows.iter().filter_map(|row| row["emission_tao_day"].as_f64()).sum();
    let mut pools = 0;
    for row in &rows {
        let netuid = NetUid(row["netuid"].as_u64().expect("a number") as u16);
        let subnet = state.subnet(netuid).expect("it was made");
        let held: u64 = subnet.pools.values().map(|pool| pool.alpha.0).sum();
        assert_eq!(held, units(row, "alpha_out"), "holdings of {netuid}");
        assert_eq!(subnet.fast.pool.alpha_out, held, "{netuid}");
        pools += subnet.fast.pool.tao;
        if netuid.is_root() {
            continue;
        }
        assert_eq!(subnet.fast.pool.tao, units(row, "tau_in"), "{netuid}");
        assert_eq!(subnet.fast.pool.alpha, units(row, "alpha_in"), "{netuid}");
        assert_eq!(subnet.info.name, row["name"].as_str().expect("a text"));
        assert_eq!(u64::from(subnet.params.tempo), row["tempo"].as_u64().expect("a number"));
        assert_eq!(Some(subnet.info.registered_at), row["registered_at_block"].as_u64());
        let owner = subnet.info.owner.expect("it has one").to_ss58();
        assert_eq!(owner, row["owner_ck"].as_str().expect("a text"));
        let moving = subnet.fast.moving_price as f64 / f64::powi(2.0, 32);
        let stated = row["moving_price"].as_f64().unwrap_or(0.0);
        assert!((moving - stated).abs() < 1e-9, "{netuid}: {moving} against {stated}");
        let (block, average) = subnet.fast.flow_average.expect("it starts with one");
        let share = row["emission_tao_day"].as_f64().expect("a number") / flow_sum;
        let average = average as f64 / f64::powi(2.0, 64);
        assert_eq!(block, state.height.0);
        assert!((average - share * 0.5e9).abs() < 1.0, "{netuid}: {average}");
    }
    assert_eq!(pools, state.global.total_stake.0);
    let free: u64 = state.accounts.values().map(|account| account.free.0).sum();
    assert_eq!(pools + free, state.global.total_issuance.0);
    assert_eq!(state.global.total_issuance.0, 10_850_000_000_000_000);
    assert_eq!(state.leaks.issuance(), 0);
    let author = state.global.block_author.expect("fees go somewhere");
    assert_eq!(state.free(&author), EXISTENTIAL_DEPOSIT);
}

#[test]
fn players_have_places_of_their_own() {
    let plan = plan("mainnet.toml", &[]);
    let ids: BTreeSet<_> = plan.players.iter().map(|seat| seat.identity.id).collect();
    assert_eq!(ids.len(), plan.players.len());
    let validators = plan.players.iter().filter(|seat| seat.identity.group == "validators");
    for seat in validators {
        let netuid = seat.identity.netuid.expect("a validator acts on one subnet");
        let neurons = &plan.genesis.subnet(netuid).expect("it was made").neurons;
        let uid = neurons.uid(&seat.identity.hotkey).expect("it is registered");
        assert!(neurons.validator_permit[usize::from(uid)], "{netuid} {uid}");
        let alpha = plan.genesis.hotkey_alpha(&seat.identity.hotkey, netuid);
        let all = plan.genesis.subnet(netuid).expect("it was made").fast.pool.alpha_out;
        assert_eq!(alpha.0 > 0, all > 0, "{netuid} {uid}: {alpha} of {all}");
    }
}

/// A subnet with three real neurons at genesis, and whoever a scenario adds.
struct Small {
    metagraph: serde_json::Value,
    scenario: String,
}

fn key(number: u8) -> AccountId {
    AccountId([number; 32])
}

impl Small {
    fn new() -> Self {
        let neuron = |uid: u16, hot: u8, cold: u8| {
            serde_json::json!({
                "uid": uid, "hotkey": key(hot).to_ss58(), "coldkey": key(cold).to_ss58(),
                "last_update": 900 + uid, "block_at_registration": 100 + uid,
            })
        };
        let mut neurons = [neuron(0, 1, 11), neuron(1, 2, 12), neuron(2, 3, 13), neuron(3, 4, 13)];
        for (uid, stake, tao) in [(0, 500, 7_000), (1, 300, 1_000)] {
            neurons[uid]["alpha_stake"] = (stake * 1_000_000_000_u64).into();
            neurons[uid]["tao_stake"] = (tao * 1_000_000_000_u64).into();
            neurons[uid]["validator_permit"] = true.into();
            neurons[uid]["active"] = true.into();
            neurons[uid]["dividends"] = (40_000 - uid * 20_000).into();
        }
        neurons[2]["alpha_stake"] = 20_000_000_000_u64.into();
        neurons[2]["incentive"] = 40_000.into();
        neurons[3]["incentive"] = 20_000.into();
        let metagraph = serde_json::json!({
            "netuid": 1, "block": 1_000, "max_uids": 16, "owner_hk": key(3).to_ss58(), "owner_ck": key(13).to_ss58(),
            "neurons": neurons,
            "holders": [
                { "hotkey": key(1).to_ss58(), "coldkey": key(21).to_ss58(), "stake": 100_000_000_000_u64 },
                { "hotkey": key(9).to_ss58(), "coldkey": key(21).to_ss58(), "stake": 1_000_000_000_u64 },
            ],
        });
        let scenario = r#"
            [genesis]
            height = 1_000
            root_stake = "10000 TAO"
            [[subnet]]
            netuid = 1
            metagraph = "m.json"
            alpha_out = "1000 alpha"
            neurons_min = 9
            [[players]]
            name = "validators"
            role = "validator"
            behaviour = "sampler"
            takes = "neurons"
            stake_ppm = 50_000
            [[players]]
            name = "miners"
            role = "miner"
            behaviour = "quality"
            takes = "neurons"
            count = 5
            balance = "3 TAO"
            [[players]]
            name = "stakers"
            role = "staker"
            behaviour = "index"
            count = 2
            stake_ppm = 500_000
            root_stake_ppm = 100_000
        "#;
        Self { metagraph, scenario: scenario.to_owned() }
    }

    fn plan(&self) -> Result<Plan, String> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let write = |name: &str, text: &str| {
            std::fs::write(folder.path().join(name), text).expect("it can be written");
        };
        write("m.json", &self.metagraph.to_string());
        write("s.toml", &self.scenario);
        let scenario = load(&folder.path().join("s.toml"), &Overrides::default());
        let plan = scenario.and_then(|scenario| scenario.plan());
        plan.map_err(|error| {
            error.to_string().replace(&format!("{}/", folder.path().display()), "")
        })
    }

    fn state(&self) -> State {
        let state = self.plan().expect("it is sound").genesis;
        Checker::new(&state).check(&state).expect("the books are in order");
        state
    }
}

const NETUID: NetUid = NetUid(1);

/// Whoever holds it, each neuron has the stake that its metagraph says, and all of it is there.
#[test]
fn a_metagraph_is_kept_to_the_last_unit() {
    let state = Small::new().state();
    let stakes = |netuid| [1, 2, 3, 4, 9].map(|hot| state.hotkey_alpha(&key(hot), netuid));
    assert_eq!(stakes(NETUID), [500, 300, 20, 0, 1].map(Alpha::whole));
    let subnet = &state.subnets[&NETUID];
    assert_eq!(subnet.fast.pool.alpha_out, Alpha::whole(1_000).0);
    let held: u64 = subnet.pools.values().map(|pool| pool.alpha.0).sum();
    assert_eq!(held, Alpha::whole(1_000).0, "what is beyond is behind no neuron");
    assert_eq!(state.stake(&key(1), &key(21), NETUID), Alpha::whole(100), "a named holder");
    assert_eq!(state.stake(&key(3), &key(13), NETUID), Alpha::whole(20), "a miner's own");
    assert_eq!(state.stake(&key(1), &key(11), NETUID), Alpha::whole(50), "its player's part");
    // Of root the metagraph tells 8,000 TAO; the validators are the only ones on it.
    let on_root = stakes(NetUid::ROOT);
    assert_eq!(on_root[..2].iter().map(|stake| stake.0).sum::<u64>(), Alpha::whole(8_000).0);
    assert_eq!(on_root[0], Alpha::whole(7_000));
    assert_eq!(state.subnets[&NetUid::ROOT].fast.pool.alpha_out, Alpha::whole(10_000).0);
    let neurons = &subnet.neurons;
    assert_eq!(neurons.len(), 9, "four of the metagraph, five that fill");
    assert_eq!(neurons.registered_at[..4], [100, 101, 102, 103]);
    let mechanism = &subnet.mechanisms[0];
    assert_eq!(mechanism.last_update[..4], [900, 901, 902, 903]);
    assert_eq!(mechanism.incentive[..5], [0, 0, 40_000, 20_000, 0]);
    assert_eq!(mechanism.weights[0], [(2, 65_535), (3, 32_767)], "as the incentives are");
    assert_eq!(mechanism.weights[1], mechanism.weights[0]);
    assert!(mechanism.weights[2..].iter().all(Vec::is_empty));
    assert_eq!(neurons.validator_permit[..4], [true, true, false, false]);
    assert_eq!(subnet.info.owner_hotkey, Some(key(3)));
    assert_eq!(subnet.params.max_allowed_uids, 16);
}

#[test]
fn players_take_over_neurons_with_their_keys() {
    let plan = Small::new().plan().expect("it is sound");
    let of = |group: &str| -> Vec<(u64, AccountId, AccountId)> {
        let seats = plan.players.iter().map(|seat| &seat.identity);
        let seats = seats.filter(|who| who.group == group);
        seats.map(|who| (who.index & 0xffff, who.hotkey, who.coldkey)).collect()
    };
    // One validator, with most dividends; the miners are all but the owner's neuron.
    assert_eq!(of("validators"), [(0, key(1), key(11))]);
    assert_eq!(of("miners"), [(0, key(4), key(13))]);
    assert_eq!(plan.genesis.free(&key(13)), Rao::whole(3));
    let mut other = Small::new();
    let more = "name = \"more\"\nrole = \"validator\"\nbehaviour = \"judge\"\ntakes = \"neurons\"\ncount = 4\n";
    other.scenario += &format!("\n[[players]]\n{more}");
    let plan = other.plan().expect("it is sound");
    let ids: BTreeSet<_> = plan.players.iter().map(|seat| seat.identity.id).collect();
    assert_eq!(ids.len(), plan.players.len());
    let mut judges = plan.players.iter().filter(|seat| seat.identity.group == "more");
    assert_eq!(judges.next().map(|seat| seat.identity.hotkey), Some(key(2)), "what is left");
    assert!(judges.next().is_none());
}

#[test]
fn at_another_block_ages_are_kept_and_root_is_shared_alike() {
    let mut small = Small::new();
    small.scenario = small.scenario.replace("height = 1_000", "height = 5_000");
    let state = small.state();
    let subnet = &state.subnets[&NETUID];
    assert_eq!(subnet.neurons.registered_at[..4], [4_100, 4_101, 4_102, 4_103]);
    assert_eq!(subnet.mechanisms[0].last_update[..4], [4_900, 4_901, 4_902, 4_903]);
    assert_eq!(state.hotkey_alpha(&key(1), NETUID), Alpha::whole(500));
    let on_root = [1, 2].map(|hot| state.hotkey_alpha(&key(hot), NetUid::ROOT).0);
    assert_eq!(on_root.iter().sum::<u64>(), Alpha::whole(10_000).0, "there is no other subnet");
    // The public's 9,000 TAO are shared as 7 to 1, the stakers' thousand as they choose.
    assert!((7_875..=8_875).contains(&(on_root[0] / 1_000_000_000)), "{on_root:?}");
}

/// Rows that a metagraph has are its rows, and no others.
#[test]
fn named_weights_and_bonds_are_taken_as_they_are() {
    let mut small = Small::new();
    small.metagraph["weights"] = serde_json::json!([[1, [[3, 65_535], [2, 9]]]]);
    small.metagraph["bonds"] = serde_json::json!([[0, [[2, 77]]]]);
    let mechanism = &small.state().subnets[&NETUID].mechanisms[0];
    assert_eq!(mechanism.weights[1], [(3, 65_535), (2, 9)]);
    assert!(mechanism.weights[0].is_empty());
    assert_eq!(mechanism.bonds[0], [(2, 77)]);
}

/// A group's ranks are what its members are worth: as holders, and as miners in the rows of others.
#[test]
fn ranks_weigh_members() {
    let set = [
        ("players.validators.ranks", "[4, 1]"),
        ("players.miners.ranks", "[10, 5, 1]"),
        ("players.miners.stake_ppm", "100_000"),
    ];
    let plan = plan("quickstart.toml", &set);
    let state = &plan.genesis;
    Checker::new(state).check(state).expect("the books are in order");
    let of = |group: &'static str| {
        let seats = plan.players.iter().map(|seat| &seat.identity);
        seats.filter(move |who| who.group == group && who.netuid == Some(NETUID))
    };
    let own = |who: &Identity| state.stake(&who.hotkey, &who.coldkey, NETUID).0;
    let validators: Vec<u64> = of("validators").map(own).collect();
    assert!(validators[0].abs_diff(4 * validators[1]) <= 8, "{validators:?}");
    let miners: Vec<u64> = of("miners").map(own).collect();
    assert!(miners[0].abs_diff(2 * miners[1]) <= 16, "{miners:?}");
    assert_eq!(miners[2], miners[3], "the last rank holds for all that follow");
    let row = &state.subnets[&NETUID].mechanisms[0].weights[1];
    let weights: Vec<u16> = row.iter().map(|(_, weight)| *weight).collect();
    assert_eq!(weights[..4], [65_535, 32_767, 6_553, 6_553]);
}

#[test]
fn metagraphs_that_do_not_fit_are_refused() {
    type Change = fn(&mut Small);
    let rows: &[(Change, &str)] = &[
        (
            |small| small.scenario = small.scenario.replace("1000 alpha", "800 alpha"),
            "m.json: netuid 1: its neurons and holders have 821000000000 rao, but there are 800000000000",
        ),
        (
            |small| small.scenario = small.scenario.replace("10000 TAO", "7000 TAO"),
            "s.toml: genesis: tao_stake of all neurons is 8000 TAO, more than the 7000 TAO that root has left",
        ),
        (
            |small| small.metagraph["netuid"] = 2.into(),
            "s.toml: subnet.1.metagraph: m.json has no neurons or holders of netuid 1",
        ),
        (
            |small| small.scenario = small.scenario.replace("netuid = 1", "count = 1"),
            "s.toml: subnet.metagraph: an entry with a metagraph has the netuid of that",
        ),
        (
            |small| small.scenario = small.scenario.replace("m.json", "n.json"),
            "s.toml: subnet.1.metagraph: cannot read n.json: No such file",
        ),
        (
            |small| small.metagraph["owner_ck"] = key(99).to_ss58().into(),
            "s.toml: subnet 1: uid 2 of m.json: ",
        ),
        (
            |small| small.scenario = small.scenario.replace("neurons_min = 9", "neurons_min = 17"),
            "s.toml: neurons_min: 17, but subnet 1 has 16 uids (max_allowed_uids)",
        ),
        (
            |small| small.metagraph["max_uids"] = 3.into(),
            "s.toml: neurons_min: 9, but subnet 1 has 3 uids",
        ),
        (
            |small| {
                small.scenario = small.scenario.replacen("takes = \"neurons\"", "count = 13", 1)
            },
            "s.toml: players.validators.count: subnet 1 would have more than its 16 uids",
        ),
        (
            |small| {
                small.scenario =
                    small.scenario.replace("\"index\"", "\"index\"\ntakes = \"neurons\"")
            },
            "s.toml: players.stakers.takes: only validators and miners have neurons to take over",
        ),
        (
            |small| small.scenario = small.scenario.replace("\"index\"", "\"index\"\nranks = [1]"),
            "s.toml: players.stakers.ranks: only validators and miners are ranked",
        ),
        (
            |small| {
                small.scenario =
                    small.scenario.replace("\"sampler\"", "\"sampler\"\nranks = [1, 0]")
            },
            "s.toml: players.validators.ranks: a weight of 0 is no rank",
        ),
    ];
    for (change, expected) in rows {
        let mut small = Small::new();
        change(&mut small);
        let told = small.plan().err().unwrap_or_else(|| panic!("it passes: {expected}"));
        assert!(told.starts_with(expected), "{told}");
    }
}

/// A group's behaviour or size changes nobody else's id, keys or holdings' order.
#[test]
fn ids_come_from_group_and_index_alone() {
    let (one, more) = (
        plan("quickstart.toml", &[]),
        plan("quickstart.toml", &[("players.miners.count", "9"), ("run.seed", "99")]),
    );
    let known: BTreeSet<_> = more.players.iter().map(|seat| seat.identity.clone().id).collect();
    assert!(one.players.iter().all(|seat| known.contains(&seat.identity.id)));
    assert!(known.len() > one.players.len());
}

/// The value of each timeline call, as a scenario writes it.
const TIMELINE: &[(&str, &str)] = &[
    ("sudo_set_tempo", "netuid = 1\nvalue = 30"),
    ("sudo_set_kappa", "netuid = 1\nvalue = 30000"),
    ("sudo_set_max_allowed_validators", "netuid = 1\nvalue = 8"),
    ("sudo_set_weights_set_rate_limit", "netuid = 1\nvalue = 3"),
    ("sudo_set_subtoken_enabled", "netuid = 1\nvalue = true"),
    ("sudo_set_network_registration_allowed", "netuid = 1\nvalue = false"),
    ("sudo_set_subnet_limit", "value = 256"),
    ("sudo_set_subnet_owner_cut", "value = 6000"),
    ("sudo_set_stake_threshold", "value = 7"),
    ("sudo_set_network_rate_limit", "value = 8"),
    ("sudo_set_network_min_lock_cost", "value = \"9 TAO\""),
    ("sudo_set_network_immunity_period", "value = 10"),
    ("sudo_set_recycle_or_burn", "netuid = 1\nvalue = \"recycle\""),
    ("sudo_set_toggle_transfer", "netuid = 1\nvalue = false"),
    ("sudo_set_mechanism_count", "netuid = 1\nvalue = 1"),
    ("sudo_set_mechanism_emission_split", "netuid = 1\nvalue = [65535]"),
    ("sudo_set_root_claim_threshold", "netuid = 1\nvalue = \"0.001 alpha\""),
    ("sudo_set_num_root_claims", "value = 50"),
    ("sudo_set_nominator_min_required_stake", "value = 1000000"),
    ("sudo_set_ck_burn", "value = \"18446744073709551615\""),
    ("sudo_set_tao_flow_cutoff", "value = -5"),
    ("sudo_set_tao_flow_normalization_exponent", "value = \"36893488147419103232\""),
    ("sudo_set_tao_flow_smoothing_factor", "value = 126847427788335"),
    ("sudo_set_default_take", "value = 9000"),
    ("sudo_set_min_delegate_take", "value = 1"),
    ("sudo_set_tx_delegate_take_rate_limit", "value = 2"),
    ("sudo_set_tx_childkey_take_rate_limit", "value = 3"),
    ("sudo_set_min_childkey_take", "value = 4"),
    ("sudo_set_max_childkey_take", "value = 5"),
    ("set_pending_childkey_cooldown", "value = 6"),
    ("sudo_set_subnet_moving_alpha", "value = 2147483648"),
    ("sudo_set_ema_price_halving_period", "netuid = 1\nvalue = 100"),
    ("set_fee_rate", "netuid = 1\nvalue = 40"),
    ("sudo_set_serving_rate_limit", "netuid = 1\nvalue = 1"),
    ("sudo_set_min_difficulty", "netuid = 1\nvalue = \"18446744073709551614\""),
    ("sudo_set_max_difficulty", "netuid = 1\nvalue = 3"),
    ("sudo_set_weights_version_key", "netuid = 1\nvalue = 4"),
    ("sudo_set_adjustment_interval", "netuid = 1\nvalue = 5"),
    ("sudo_set_adjustment_alpha", "netuid = 1\nvalue = \"9223372036854775808\""),
    ("sudo_set_immunity_period", "netuid = 1\nvalue = 7"),
    ("sudo_set_min_allowed_weights", "netuid = 1\nvalue = 8"),
    ("sudo_set_max_allowed_uids", "netuid = 1\nvalue = 200"),
    ("sudo_set_min_allowed_uids", "netuid = 1\nvalue = 1"),
    ("sudo_trim_to_max_allowed_uids", "netuid = 1\nvalue = 100"),
    ("sudo_set_rho", "netuid = 1\nvalue = 9"),
    ("sudo_set_activity_cutoff", "netuid = 1\nvalue = 400"),
    ("sudo_set_network_pow_registration_allowed", "netuid = 1\nvalue = false"),
    ("sudo_set_target_registrations_per_interval", "netuid = 1\nvalue = 10"),
    ("sudo_set_min_burn", "netuid = 1\nvalue = \"0.5 TAO\""),
    ("sudo_set_max_burn", "netuid = 1\nvalue = \"5 TAO\""),
    ("sudo_set_difficulty", "netuid = 1\nvalue = 11"),
    ("sudo_set_bonds_moving_average", "netuid = 1\nvalue = 12"),
    ("sudo_set_bonds_penalty", "netuid = 1\nvalue = 13"),
    ("sudo_set_max_registrations_per_block", "netuid = 1\nvalue = 14"),
    ("sudo_set_rao_recycled", "netuid = 1\nvalue = \"15 rao\""),
    ("sudo_set_commit_reveal_weights_enabled", "netuid = 1\nvalue = true"),
    ("sudo_set_commit_reveal_weights_interval", "netuid = 1\nvalue = 16"),
    ("sudo_set_liquid_alpha_enabled", "netuid = 1\nvalue = true"),
    ("sudo_set_alpha_values", "netuid = 1\nvalue = [20000, 60000]"),
    ("sudo_set_alpha_sigmoid_steepness", "netuid = 1\nvalue = -17"),
    ("sudo_set_yuma3_enabled", "netuid = 1\nvalue = true"),
    ("sudo_set_bonds_reset_enabled", "netuid = 1\nvalue = true"),
    ("sudo_set_owner_immune_neuron_limit", "netuid = 1\nvalue = 2"),
    ("sudo_set_min_non_immune_uids", "netuid = 1\nvalue = 18"),
    (
        "sudo_set_sn_owner_hotkey",
        "netuid = 1\nvalue = \"5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY\"",
    ),
    (
        "sudo_set_subnet_owner_hotkey",
        "netuid = 2\nvalue = \"5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY\"",
    ),
    ("update_symbol", "netuid = 1\nvalue = \"ω\""),
    ("sudo_set_total_issuance", "value = \"1000001 TAO\""),
    ("sudo_set_lock_reduction_interval", "value = 19"),
    ("sudo_set_dissolve_network_schedule_duration", "value = 20"),
    ("sudo_set_admin_freeze_window", "value = 11"),
    ("sudo_set_owner_hparam_rate_limit", "value = 3"),
    ("sudo_set_start_call_delay", "value = 21"),
    ("sudo_set_tx_rate_limit", "value = 22"),
    ("sudo_set_coldkey_swap_announcement_delay", "value = 23"),
    ("sudo_set_coldkey_swap_reannouncement_delay", "value = 24"),
    ("sudo_set_max_mechanism_count", "value = 16"),
    ("root_dissolve_network", "netuid = 3"),
    ("switch_rules", "value = \"price\""),
    ("switch_rules", "value = { mode = \"sound\", fees = \"reference\" }"),
    ("sudo_set_commit_reveal_version", "value = 5"),
];

#[test]
fn every_timeline_call_is_taken_decided_and_documented() {
    let known: BTreeSet<&str> = super::timeline_calls().into_iter().collect();
    assert_eq!(TIMELINE.iter().map(|(call, _)| *call).collect::<BTreeSet<_>>(), known);
    let page = include_str!("../../../docs/scenarios.md");
    let parameters = include_str!("../../../docs/parameters.md");
    let mut text = std::fs::read_to_string(configs().join("quickstart.toml")).expect("it ships");
    for (call, rest) in TIMELINE {
        let told = page.contains(&format!("`{call}`")) || parameters.contains(&format!("`{call}`"));
        assert!(told, "neither docs/scenarios.md nor docs/parameters.md says {call}");
        text += &format!("\n[[timeline]]\nat = \"+1\"\ncall = \"{call}\"\n{rest}\n");
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("timeline.toml");
    std::fs::write(&path, text).expect("it can be written");
    let scenario = load(&path, &Overrides::default()).expect("every entry is valid");
    let plan = scenario.plan().expect("every entry is valid");
    assert_eq!(plan.timeline.len(), TIMELINE.len());
    let mut state = plan.genesis;
    let mut tx = Tx::new(&mut state);
    tx.emit(Event::BlockOpened { height: Height(1) });
    for planned in &plan.timeline {
        let signed = Signed { origin: Origin::Root, nonce: 0, call: &planned.call };
        assert_eq!(decide(&mut tx, &signed), Ok(()), "{}", planned.call.name());
    }
    let params = &tx.state().subnets[&NetUid(1)].params;
    assert_eq!((params.alpha_low, params.alpha_high), (20_000, 60_000));
    assert_eq!((params.alpha_sigmoid_steepness, params.min_burn), (-17, Rao(500_000_000)));
    // A switch keeps what it does not name.
    let rules = tx.state().rules;
    assert_eq!(rules.version, RuleVersion::Price);
    assert_eq!((rules.mode, rules.fees), (Mode::Sound, FeeSchedule::Reference));
}
