//! Metagraphs: imported, kept at genesis uid by uid, and played.

use crate::program::{folder, json, json_lines, number, root, say, scenario, text};
use serde_json::{Value, json};
use std::path::Path;

/// The block of SN1's metagraph, and that of the scenario's genesis.
const SN1: (u64, u64) = (6_852_690, 7_943_013);

/// What ships of SN1: its object in the file.
fn sn1() -> Value {
    let text = std::fs::read_to_string(root().join("configs/data/sn1_block6852690.json"));
    let rows: Vec<Value> = serde_json::from_str(&text.expect("it ships")).expect("it is JSON");
    rows.into_iter().find(|row| row["netuid"] == 1).expect("it has SN1")
}

/// A key of a neuron that a file may leave out where it is nothing.
fn given(neuron: &Value, key: &str) -> u64 {
    neuron.get(key).map_or(0, |value| value.as_u64().expect("an integer"))
}

#[test]
fn the_neurons_of_sn1_are_at_genesis_as_they_were() {
    let folder = folder();
    let mainnet = scenario("mainnet.toml");
    let ran = json(folder.path(), &["run", &mainnet, "--blocks", "2", "--out", "run", "--json"]);
    assert_eq!(number(&ran, "genesis_block"), SN1.1);
    let shown =
        json_lines(folder.path(), &["inspect", "run", "--at", "+0", "neurons", "1", "--json"]);
    let data = sn1();
    let neurons = data["neurons"].as_array().expect("a list");
    assert_eq!((neurons.len(), shown.len()), (1_024, 1_024));
    for (neuron, shown) in neurons.iter().zip(&shown) {
        let uid = number(neuron, "uid");
        assert_eq!(number(shown, "uid"), uid);
        for key in ["hotkey", "coldkey"] {
            assert_eq!(text(shown, key), text(neuron, key), "{key} of {uid}");
        }
        for (told, key) in [
            ("stake_rao", "alpha_stake"),
            ("incentive", "incentive"),
            ("dividends", "dividends"),
            ("consensus", "consensus"),
            ("emission_rao", "emission"),
        ] {
            assert_eq!(number(shown, told), given(neuron, key), "{key} of {uid}");
        }
        for key in ["active", "validator_permit"] {
            let told = neuron.get(key).is_some_and(|value| value == true);
            assert_eq!(shown[key], told, "{key} of {uid}");
        }
        for key in ["last_update", "block_at_registration"] {
            let (then, now) = (number(neuron, key), number(shown, key));
            assert_eq!(SN1.0 - then, SN1.1 - now, "the age of {key} of {uid}");
        }
    }
    // What is told of the chain at that block: its u16 columns, and its permits.
    let sum = |key: &str| shown.iter().map(|row| number(row, key)).sum::<u64>();
    assert_eq!((sum("incentive"), sum("dividends")), (65_535, 65_529));
    assert_eq!(sum("stake_rao"), 752_363_410_573_525);
    let count = |key: &str| shown.iter().filter(|row| row[key] == true).count();
    assert_eq!((count("validator_permit"), count("active")), (12, 10));
    // The sums are those of April.
    let subnet = json(folder.path(), &["inspect", "run", "--at", "+0", "subnet", "1", "--json"]);
    assert_eq!(number(&subnet, "alpha_out_rao"), 2_070_591_399_700_000);
}

/// What a node would answer of a subnet with some of SN1's real keys: four validators and eight miners.
fn dump(folder: &Path) {
    let data = sn1();
    let neurons = data["neurons"].as_array().expect("a list");
    let permitted = |neuron: &&Value| neuron.get("active").is_some_and(|active| active == true);
    let validators = neurons.iter().filter(permitted).take(4);
    let miners = neurons.iter().filter(|neuron| !permitted(neuron)).take(8);
    let chosen: Vec<&Value> = validators.chain(miners).collect();
    let column = |make: &dyn Fn(usize) -> Value| (0..chosen.len()).map(make).collect::<Vec<_>>();
    let is_validator = |uid: usize| uid < 4;
    let of = |key: &'static str| column(&|uid| chosen[uid][key].clone());
    let metagraph = json!({
        "netuid": 3, "name": "mine", "symbol": "γ", "block": 500_000, "network_registered_at": 10,
        "owner_hotkey": chosen[11]["hotkey"], "owner_coldkey": chosen[11]["coldkey"],
        "tempo": 19, "blocks_since_last_step": 3, "immunity_period": 100, "burn": 500_000,
        "alpha_in": 3_000_000_000_000_000_u64, "alpha_out": 2_000_000_000_000_000_u64,
        "tao_in": 30_000_000_000_123_u64, "tao_in_emission": 100_000_000, "moving_price": 0.0101,
        "kappa": 0.5, "max_validators": 4, "max_uids": 16, "activity_cutoff": 5_000,
        "weights_rate_limit": 0, "weights_version": 0, "min_allowed_weights": 1,
        "commit_reveal_weights_enabled": false, "bonds_moving_avg": 900_000,
        "hotkeys": of("hotkey"), "coldkeys": of("coldkey"),
        "active": column(&|uid| is_validator(uid).into()),
        "validator_permit": column(&|uid| is_validator(uid).into()),
        "alpha_stake": column(&|uid| if is_validator(uid) { 400_000_000_000_000_u64 >> uid } else { 7 }.into()),
        "tao_stake": column(&|uid| if is_validator(uid) { 90_000_000_000_000_u64 } else { 0 }.into()),
        "dividends": column(&|uid| if is_validator(uid) { 0.25.into() } else { 0.0.into() }),
        "incentives": column(&|uid| if uid == 5 { 1.0.into() } else { 0.0.into() }),
        "consensus": column(&|_| 0.0.into()), "emission": column(&|_| 0.into()),
        "last_update": column(&|uid| (499_900 + uid).into()),
        "block_at_registration": column(&|uid| (1_000 + uid).into()),
    });
    let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).expect("writable");
    write("dump.json", &json!({ "metagraph": metagraph }).to_string());
    write("weights.csv", "validator_uid,miner_uid,weight\n0,4,0.75\n0,5,0.25\n1,5,1.0\n");
    let (hotkey, coldkey) = (text(chosen[0], "hotkey"), text(chosen[9], "coldkey"));
    write("holders.csv", &format!("hotkey,coldkey,stake_rao\n{hotkey},{coldkey},1234567\n"));
    let players = r#"
        [genesis]
        snapshot = "mine.json"
        height = 500_000
        [rules]
        stake_threshold = 0
        [[players]]
        name = "owner"
        role = "owner"
        behaviour = "hold"
        [[players]]
        name = "validators"
        role = "validator"
        behaviour = "sampler"
        takes = "neurons"
        count = 3
        [[players]]
        name = "miners"
        role = "miner"
        behaviour = "worker"
        takes = "neurons"
        count = 5
    "#;
    write("mine.toml", players);
}

#[test]
fn an_imported_metagraph_is_played_and_holds_against_its_log() {
    let folder = folder();
    dump(folder.path());
    let import = ["scenario", "import", "dump.json", "--weights", "weights.csv"];
    let rest = ["--holders", "holders.csv", "--out", "mine.json", "--json"];
    let imported = json(folder.path(), &[&import[..], &rest[..]].concat());
    let expected = json!({ "netuid": 3, "block": 500_000, "neurons": 12, "validators": 4,
                           "rows_of_weights": 2, "holders": 1 });
    assert_eq!(imported["subnets"], json!([expected]));
    assert_eq!(number(&imported, "height"), 500_000);
    let run =
        ["run", "mine.toml", "--blocks", "130", "--out", "run", "--check-invariants", "--json"];
    let ran = json(folder.path(), &run);
    assert_eq!((number(&ran, "invariant_violations"), number(&ran, "crashes")), (0, 0));
    assert_eq!(
        ran["players"],
        json!({ "owner": 1, "validator": 3, "miner": 5, "staker": 0, "customer": 0 })
    );
    let neurons =
        |at| json_lines(folder.path(), &["inspect", "run", "--at", at, "neurons", "3", "--json"]);
    let (before, after) = (neurons("+0"), neurons("+130"));
    assert_eq!(number(&before[2], "stake_rao"), 100_000_000_000_000);
    assert_eq!(number(&before[5], "incentive"), 65_535);
    let subnet = json(folder.path(), &["inspect", "run", "--at", "+0", "subnet", "3", "--json"]);
    assert_eq!(number(&subnet, "tao_reserve_rao"), 30_000_000_000_123, "exact");
    assert_eq!(number(&subnet, "tempo"), 19);
    // Three validators are played and set weights; the fourth stays what it is.
    for row in &after[..3] {
        assert!(number(row, "last_update") > 500_000, "{row}");
    }
    assert_eq!(number(&after[3], "last_update"), 499_903);
    let earning = after.iter().filter(|row| number(row, "incentive") > 0).count();
    assert!(earning >= 4, "those that answer: {after:?}");
    let replayed = json(folder.path(), &["replay", "run", "--json"]);
    assert_eq!(text(&replayed, "tip_hash"), text(&ran, "tip_hash"));
    let verify = ["verify", "run", "--re-execute", "--re-simulate"];
    let verified = say(folder.path(), &verify);
    assert_eq!(verified.code, 0, "{verified:?}");
}

#[test]
fn what_cannot_be_imported_has_its_sentence() {
    let folder = folder();
    dump(folder.path());
    let path = folder.path().join("broken.json");
    std::fs::write(&path, r#"{ "netuid": 1, "hotkeys": ["x"] }"#).expect("writable");
    let rows: &[(&[&str], i32, &str)] = &[
        (&["nowhere.json"], 1, "cannot read nowhere.json: No such file"),
        (&["broken.json"], 1, "broken.json: coldkeys is missing"),
        (&["weights.csv"], 1, "weights.csv: "),
        (&["dump.json", "--weights", "nowhere.csv"], 1, "nowhere.csv: "),
        (
            &["dump.json", "--weights", "holders.csv"],
            1,
            "holders.csv: there is no column validator_uid",
        ),
        (
            &["dump.json", "dump.json", "--weights", "weights.csv"],
            2,
            "--weights and --holders belong to one metagraph, but there are several",
        ),
        (&["dump.json", "dump.json"], 1, "out.json: netuid 3 occurs twice"),
    ];
    for (arguments, code, expected) in rows {
        let all = [&["scenario", "import"][..], arguments, &["--out", "out.json"]].concat();
        let said = say(folder.path(), &all);
        assert_eq!(said.code, *code, "{said:?}");
        assert!(said.stderr.contains(expected), "{expected}: {said:?}");
        assert!(!folder.path().join("out.json").exists(), "nothing is written");
    }
}
