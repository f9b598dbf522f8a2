//! The stories of the scenarios that ship, at reduced size: directions and orders of magnitude, read from the log. Each run is
//! held against `tests/golden/stories.txt` as well (`UPDATE_EXPECT=1` writes it anew).

use crate::program::{folder, json, json_lines, number, root, scenario, text};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;

/// One story writes its line at a time.
static GOLDEN: Mutex<()> = Mutex::new(());

/// Runs a scenario in one process and holds its summary against the golden one of this story.
fn run(folder: &Path, story: &str, file: &str, blocks: u64, sets: &[&str]) -> Value {
    let (file, blocks) = (scenario(file), blocks.to_string());
    let mut arguments = vec!["run", &file, "--blocks", &blocks, "--processes", "0", "--json"];
    arguments.extend(["--out", story]);
    arguments.extend(sets.iter().flat_map(|set| ["--set", set]));
    let summary = json(folder, &arguments);
    assert_eq!(number(&summary, "crashes"), 0, "{summary}");
    let counts = ["blocks", "events", "extrinsics", "rejected"].map(|key| number(&summary, key));
    hold(story, &format!("{counts:?} {}", text(&summary, "tip_hash")));
    summary
}

fn hold(story: &str, found: &str) {
    let _one = GOLDEN.lock().expect("no story panics while it writes");
    let path = root().join("tests/golden/stories.txt");
    let held = std::fs::read_to_string(&path).unwrap_or_default();
    let mut lines: BTreeMap<&str, &str> =
        held.lines().filter_map(|line| line.split_once(": ")).collect();
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        lines.insert(story, found);
        let all: String = lines.iter().map(|(story, line)| format!("{story}: {line}\n")).collect();
        std::fs::write(&path, all).expect("it can be written");
        return;
    }
    assert_eq!(lines.get(story).copied(), Some(found), "{story}");
}

/// A subnet after a block.
fn subnet(folder: &Path, run: &str, at: u64, netuid: u64) -> Value {
    let at = format!("+{at}");
    let rows = json_lines(folder, &["inspect", run, "--at", &at, "subnets", "--json"]);
    let one = rows.into_iter().find(|row| number(row, "netuid") == netuid);
    one.unwrap_or_else(|| panic!("no subnet {netuid} at {at}"))
}

fn real(value: &Value, key: &str) -> f64 {
    value[key].as_f64().unwrap_or_else(|| panic!("no number {key} in {value}"))
}

/// What the report says of a subnet.
fn report(folder: &Path, run: &str, netuid: u64) -> Value {
    let netuid = netuid.to_string();
    json(folder, &["report", run, "--subnet", &netuid, "--json"])[0].clone()
}

#[test]
fn march_2026_has_the_articles_shares() {
    let folder = folder();
    run(folder.path(), "march", "march-2026.toml", 720, &[]);
    let expected = [(3, 0.3039), (4, 0.1039), (68, 0.0595), (81, 0.0480), (75, 0.0456)];
    let points = [1, 240, 480, 720];
    for (netuid, share) in expected {
        let shares =
            points.map(|at| real(&subnet(folder.path(), "march", at, netuid), "emission_share"));
        let mean = shares.iter().sum::<f64>() / points.len() as f64;
        assert!((mean - share).abs() < 0.0005, "SN{netuid}: {mean} is not {share}");
    }
    let network = json(folder.path(), &["report", "march", "--json"]);
    let network = &network["network"];
    assert!((real(network, "top10_emission_share") - 0.5789).abs() < 0.002, "{network}");
    // 0.5 TAO a block are about 3,600 a day.
    assert!((number(network, "emission_rao") as f64 / 360e9 - 1.0).abs() < 0.01, "{network}");
}

#[test]
fn the_flywheel_turns_with_a_buyback_and_less_without() {
    let folder = folder();
    let spike = [
        "players.spike.settings.enter_after_blocks=200",
        "players.spike.settings.enter_blocks=300",
        "players.users.settings.interval_blocks=100",
        "players.makers.settings.interval_blocks=200",
    ];
    run(folder.path(), "with", "chutes-flywheel.toml", 800, &spike);
    let without = [&spike[..], &["players.makers.settings.buyback_ppm=0"]].concat();
    run(folder.path(), "without", "chutes-flywheel.toml", 800, &without);
    let price = |run, at| real(&subnet(folder.path(), run, at, 64), "price");
    let (before, peak) = (price("with", 190), price("with", 520));
    assert!((0.21..0.225).contains(&before), "{before}");
    assert!(peak > 1.015 * before && (0.22..0.24).contains(&peak), "{before} to {peak}");
    let share = |at| real(&subnet(folder.path(), "with", at, 64), "emission_share");
    assert!(share(800) > 1.02 * share(190), "inflow brings emission");
    let (with, without) = (report(folder.path(), "with", 64), report(folder.path(), "without", 64));
    let revenue = |report: &Value| number(&report["product"], "revenue_rao");
    assert!(revenue(&with) > 1_000_000_000 && revenue(&without) > 1_000_000_000, "{with}");
    let bought = |report: &Value| number(&report["team"], "bought_rao");
    assert!(bought(&with) > 1_000_000_000 && bought(&without) == 0, "{with} {without}");
    assert!(number(&with["flow"], "in_rao") > number(&without["flow"], "in_rao"));
}

#[test]
fn the_spiral_ends_emission_and_takes_holders_along() {
    let folder = folder();
    let sets = [
        "genesis.flow_ema_total=\"0.01 TAO\"",
        "players.fund.settings.horizon_blocks=1000",
        "players.fund.settings.exit_blocks=2000",
    ];
    run(folder.path(), "spiral", "death-spiral.toml", 5_000, &sets);
    let at = |block| subnet(folder.path(), "spiral", block, 1);
    let (before, after) = (at(1_000), at(5_000));
    assert!(real(&before, "emission_share") > 0.05, "{before}");
    assert_eq!(real(&after, "emission_share"), 0.0, "{after}");
    assert!(real(&after, "price") < 0.6 * real(&before, "price"), "{before} {after}");
    let report = report(folder.path(), "spiral", 1);
    let stakers = &report["flywheel"]["flows"]["staker"];
    assert!(number(stakers, "out_rao") > 5 * number(stakers, "in_rao"), "{report}");
    // Not only the fund left.
    let sales = json_lines(
        folder.path(),
        &["log", "spiral", "--kind", "stake_removed", "--netuid", "1", "--json"],
    );
    let mut sellers: Vec<&str> = sales.iter().map(|sale| text(sale, "coldkey")).collect();
    sellers.sort_unstable();
    sellers.dedup();
    assert!(sellers.len() > 30, "{} sold", sellers.len());
    let until = "run.until=\"subnet.1.emission_share == 0\"";
    let file = scenario("death-spiral.toml");
    let mut arguments =
        vec!["run", &file, "--blocks", "5000", "--processes", "0", "--json", "--out", "stop"];
    arguments.extend(sets.iter().chain([&until]).flat_map(|set| ["--set", *set]));
    let stopped = json(folder.path(), &arguments);
    let block = number(&stopped, "blocks");
    assert!(text(&stopped, "ended") == "condition" && (1_000..5_000).contains(&block), "{stopped}");
    assert!(real(&at(block - 1), "emission_share") > 0.0, "block {block} is the first without");
}

#[test]
fn the_treasury_pays_where_emission_follows_the_price() {
    let folder = folder();
    let sets = [
        "genesis.flow_ema_total=\"0.02 TAO\"",
        "players.treasurer.settings.pump_blocks=4000",
        "players.treasurer.settings.dump_from_blocks=7000",
        "players.treasurer.settings.dump_ppm=150000",
    ];
    let price = [&sets[..], &["rules.version=price"]].concat();
    run(folder.path(), "price", "price-era-loophole.toml", 14_000, &price);
    run(folder.path(), "taoflow", "price-era-loophole.toml", 14_000, &sets);
    let told = |run, at: &str| {
        let arguments = ["report", run, "--at", at, "--subnet", "1", "--json"];
        json(folder.path(), &arguments)[0].clone()
    };
    let share = |run| real(&told(run, "+14000")["flow"], "emission_share");
    assert!(
        share("price") > 0.15 && share("taoflow") < 0.05,
        "{} {}",
        share("price"),
        share("taoflow")
    );
    // What it is paid for while it sells.
    let emission = |run, at| number(&told(run, at)["flow"], "emission_rao");
    let since = |run| emission(run, "+14000") - emission(run, "+12500");
    assert!(since("price") > 2 * since("taoflow"), "{} {}", since("price"), since("taoflow"));
    let team = |run| told(run, "+14000")["team"].clone();
    for run in ["price", "taoflow"] {
        assert!((3_400..=3_500).contains(&(number(&team(run), "bought_rao") / 1_000_000_000)));
        assert!(number(&team(run), "sold_alpha_rao") > number(&team(run), "cut_alpha_rao"));
    }
}

#[test]
fn both_halvings_come_when_half_is_issued() {
    let folder = folder();
    let sets = ["genesis.total_issuance=\"10499400 TAO\"", "subnet.1.alpha_out=\"7498600 alpha\""];
    run(folder.path(), "halving", "halving.toml", 1_200, &sets);
    let issued = |at: u64| {
        let at = format!("+{at}");
        let network =
            json(folder.path(), &["inspect", "halving", "--at", &at, "network", "--json"]);
        number(&network, "total_issuance_rao")
    };
    // What a block issues, in thousandths of a TAO: the last rao of it are rounded away.
    let emission = |at| (issued(at) - issued(at - 100)) / 99_999_000;
    assert_eq!((emission(500), emission(1_200)), (1_000, 500));
    let alpha = |at, netuid| {
        number(&subnet(folder.path(), "halving", at, netuid), "alpha_out_emission_rao")
    };
    assert_eq!((alpha(500, 1), alpha(1_200, 1)), (1_000_000_000, 500_000_000));
    assert_eq!(alpha(1_200, 2), 1_000_000_000, "only of the subnet that is old enough");
}

#[test]
fn one_large_subnet_draws_those_who_look_at_emission() {
    let folder = folder();
    run(folder.path(), "templar", "templar.toml", 2_000, &[]);
    let share = |at| real(&subnet(folder.path(), "templar", at, 1), "emission_share");
    assert!((share(1) - 1.0 / 3.0).abs() < 0.002, "{}", share(1));
    assert!(share(2_000) > share(1), "{}", share(2_000));
    let one = report(folder.path(), "templar", 1);
    assert_eq!(number(&one["flow"], "emission_rank"), 1);
    let all = json(folder.path(), &["report", "templar", "--json"]);
    let flows = all["subnets"].as_array().expect("a list");
    let net = |subnet: &Value| subnet["flow"]["net_rao"].as_i64().expect("a number");
    let most = flows.iter().map(net).max();
    assert_eq!(most, Some(net(&one)), "nobody has a larger inflow");
}

#[test]
fn an_owner_of_three_leaves_and_emission_leaves_with_it() {
    let folder = folder();
    let sets = [
        "genesis.flow_ema_total=\"0.02 TAO\"",
        "players.house.settings.exit_from_blocks=700",
        "players.house.settings.exit_parts=3",
    ];
    run(folder.path(), "house", "multi-owner.toml", 4_000, &sets);
    let sum = |at| -> f64 {
        (1..=3)
            .map(|netuid| real(&subnet(folder.path(), "house", at, netuid), "emission_share"))
            .sum()
    };
    let (first, last) = (sum(1), sum(4_000));
    assert!((0.23..0.24).contains(&first) && last < 0.5 * first, "{first} to {last}");
    let reports: Vec<Value> =
        (1..=3).map(|netuid| report(folder.path(), "house", netuid)).collect();
    let owners: Vec<&Value> = reports.iter().map(|one| &one["team"]["owner"]).collect();
    assert!(owners.iter().all(|owner| *owner == owners[0]), "one coldkey");
    for one in &reports {
        assert_eq!(real(&one["team"], "kept"), 0.0, "{one}");
        assert!(real(one, "price_end") < 0.9 * real(one, "price_start"), "{one}");
    }
}

#[test]
fn a_whale_pays_for_its_size_on_both_ways() {
    let folder = folder();
    let sets = [
        "players.whale.settings.enter_blocks=200",
        "players.whale.settings.horizon_blocks=300",
        "players.whale.settings.exit_blocks=200",
        "players.whale.settings.interval_blocks=4",
        "players.whale.settings.participation_ppm=50000",
        "players.whale.settings.slippage_ppm=100000",
    ];
    run(folder.path(), "whale", "whale.toml", 600, &sets);
    let price = |at, netuid| real(&subnet(folder.path(), "whale", at, netuid), "price");
    for netuid in [4, 64, 120] {
        let (before, held, after) = (price(1, netuid), price(290, netuid), price(600, netuid));
        assert!(held > 1.15 * before, "SN{netuid}: {before} to {held}");
        assert!(after < 0.95 * held, "SN{netuid}: {held} to {after}");
    }
    let buys = json_lines(folder.path(), &["log", "whale", "--kind", "stake_added", "--json"]);
    let mut paid: BTreeMap<&str, u64> = BTreeMap::new();
    buys.iter()
        .for_each(|buy| *paid.entry(text(buy, "coldkey")).or_default() += number(buy, "tao_rao"));
    let (whale, paid) = paid.into_iter().max_by_key(|(_, tao)| *tao).expect("somebody bought");
    assert!(paid > 300_000 * 1_000_000_000, "{paid}");
    let sales = json_lines(
        folder.path(),
        &["log", "whale", "--kind", "stake_removed", "--account", whale, "--json"],
    );
    let got: u64 = sales.iter().map(|sale| number(sale, "tao_rao")).sum();
    assert!(got > paid / 2 && got < paid, "{got} of {paid}");
}

#[test]
fn the_index_stays_on_root_and_the_others_in_alpha() {
    let folder = folder();
    let sets = [
        "players.indexers.settings.interval_blocks=100",
        "players.believers.settings.interval_blocks=100",
    ];
    run(folder.path(), "index", "index-vs-alpha.toml", 1_500, &sets);
    let buys = json_lines(folder.path(), &["log", "index", "--kind", "stake_added", "--json"]);
    let on_root = |buy: &&Value| number(buy, "netuid") == 0;
    let root: u64 = buys.iter().filter(on_root).map(|buy| number(buy, "tao_rao")).sum();
    assert!(root > 15_000 * 1_000_000_000, "20 indexers with 1,000 TAO each: {root}");
    let mut held: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    for buy in buys.iter().filter(|buy| !on_root(buy)) {
        held.entry(text(buy, "coldkey")).or_default().push(number(buy, "netuid"));
    }
    assert!(held.len() >= 20, "{} bought alpha", held.len());
}

#[test]
fn the_kitchen_sink_has_a_bit_of_everything() {
    let folder = folder();
    let summary = run(folder.path(), "sink", "kitchen-sink.toml", 900, &[]);
    let done = summary["calls_done"].as_object().expect("by name");
    for call in [
        "add_stake",
        "add_stake_limit",
        "burned_register",
        "commit_timelocked_weights",
        "register_network_with_identity",
        "remove_stake_limit",
        "set_weights",
        "transfer_keep_alive",
    ] {
        assert!(done.contains_key(call), "{call} in {done:?}");
    }
    assert!(number(&summary, "rejected") * 20 < number(&summary, "extrinsics"), "{summary}");
}

/// What Yuma makes of a real matrix. Expected: the stake-weighted mean of the rows, cut off at their stake-weighted median,
/// worked out by itself from the table that the rows were published in.
#[test]
fn real_weights_bring_the_incentives_that_their_median_allows() {
    let folder = folder();
    run(folder.path(), "weights", "sn15-weights.toml", 400, &[]);
    let rows = json_lines(folder.path(), &["inspect", "weights", "neurons", "15", "--json"]);
    assert_eq!(rows.len(), 256);
    let expected = [(126, 522_066), (244, 188_128), (116, 73_237), (201, 58_259), (153, 44_714)];
    for (uid, ppm) in expected {
        let found = number(&rows[uid], "incentive") as f64 / 65_535.0;
        assert!((found - f64::from(ppm) / 1e6).abs() < 0.001, "{uid}: {found}");
    }
    let earning = rows.iter().filter(|row| number(row, "incentive") > 0).count();
    assert!((24..=30).contains(&earning), "{earning}");
    let validators = rows.iter().filter(|row| number(row, "dividends") > 0).count();
    assert_eq!(validators, 11, "those with a permit");
}

#[test]
fn chaos_is_healed() {
    let folder = folder();
    let summary = run(folder.path(), "chaos", "chaos-network.toml", 3_600, &[]);
    assert!(number(&summary, "faults") > 10, "{summary}");
    let messages = &summary["messages"];
    let (sent, dropped) = (number(messages, "sent"), number(messages, "dropped"));
    // Of 3,600 blocks 1,450 are made under a fixed fault that loses messages, of some or of all.
    assert!(dropped > sent / 50 && dropped < sent / 4, "{messages}");
    let calm = run(folder.path(), "calm", "chaos-network.toml", 3_600, &["fault=[]"]);
    assert_eq!((number(&calm, "faults"), number(&calm["messages"], "dropped")), (0, 0), "{calm}");
    // Validators go on with what they believed, so weights are set all the same.
    let set = |summary: &Value| number(&summary["calls_done"], "set_weights");
    assert!(set(&summary) > set(&calm) * 9 / 10, "{} of {}", set(&summary), set(&calm));
}
