//! Players that come and go: the same run however it is made, nobody before his time, everybody out at his horizon.

use crate::program::{folder, json, json_lines, number, text};
use protocol::dice::{Key, account_of};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

const BLOCKS: &str = "150";

/// Each kind of staker, quick enough to live its life in half an hour; `late` arrives in blocks 40 to 60.
const SCENARIO: &str = r#"
[scenario]
name = "population"
[run]
seed = 11
[rules]
stake_threshold = 0
[hyperparameters]
tempo = 9
[[subnet]]
count = 3
[[players]]
name = "owners"
role = "owner"
behaviour = "hold"
stake_ppm = 180_000
[[players]]
name = "validators"
role = "validator"
behaviour = "sampler"
count = 2
stake_ppm = 300_000
[[players]]
name = "miners"
role = "miner"
behaviour = "quality"
count = 3
[[players]]
name = "late"
role = "staker"
behaviour = "noise"
count = 6
balance = "300 TAO"
arrives = [40, "12m"]
settings = { interval_blocks = 6 }
[[players]]
name = "concentrated"
role = "staker"
behaviour = "concentrated"
count = 4
balance = "200 TAO"
settings = { interval_blocks = 8, subnets_max = 2, review_blocks = 40, delay_blocks = 3, horizon_blocks = 100 }
[[players]]
name = "value"
role = "staker"
behaviour = "value"
count = 4
balance = "200 TAO"
stake_ppm = 20_000
settings = { interval_blocks = 8, cheap_ppm = 1_010_000, dear_ppm = 990_000, horizon_blocks = 100 }
[[players]]
name = "flow"
role = "staker"
behaviour = "flow"
count = 4
balance = "200 TAO"
settings = { interval_blocks = 8, horizon_blocks = 100 }
[[players]]
name = "apy"
role = "staker"
behaviour = "apy"
count = 4
balance = "200 TAO"
settings = { interval_blocks = 6, window_blocks = 20, horizon_blocks = 100 }
[[players]]
name = "panic"
role = "staker"
behaviour = "panic"
count = 4
balance = "200 TAO"
stake_ppm = 20_000
settings = { interval_blocks = 5, drawdown_ppm = 5_000, memory_blocks = 40, cooldown_blocks = 30, horizon_blocks = 100 }
[[players]]
name = "averager"
role = "staker"
behaviour = "averager"
count = 4
balance = "200 TAO"
settings = { interval_blocks = 5, budget_ppm = 500_000, amount_rao = 9_000_000_000, exit_parts = 4, horizon_blocks = 100 }
[[players]]
name = "institution"
role = "staker"
behaviour = "institution"
count = 1
balance = "2000 TAO"
settings = { interval_blocks = 3, target_rao = 300_000_000_000, enter_blocks = 60, exit_blocks = 30, horizon_blocks = 100 }
"#;

/// The groups that leave at their horizon.
const LEAVING: [&str; 6] = ["concentrated", "value", "flow", "apy", "averager", "institution"];

fn run(folder: &Path, out: &str, blocks: &str, processes: &str) -> Value {
    std::fs::write(folder.join("population.toml"), SCENARIO).expect("writable");
    let manner = ["--blocks", blocks, "--processes", processes, "--out", out, "--json"];
    let more = ["--set", "log.checkpoint_interval=10", "--check-invariants"];
    json(folder, &[&["run", "population.toml"][..], &manner, &more].concat())
}

/// The blocks in which stake of each group of stakers moved.
fn blocks_of_orders(folder: &Path, out: &str) -> BTreeMap<&'static str, BTreeSet<u64>> {
    let groups = LEAVING.into_iter().chain(["late", "panic"]);
    let coldkeys: BTreeMap<String, &str> = groups
        .flat_map(|group| (0..6).map(move |index| (group, index)))
        .map(|(group, index)| (account_of(group, index, Key::Cold, 0).to_ss58(), group))
        .collect();
    let mut blocks: BTreeMap<&str, BTreeSet<u64>> = BTreeMap::new();
    let kinds = ["--kind", "stake_added", "--kind", "stake_removed"];
    for event in json_lines(folder, &[&["log", out, "--json"][..], &kinds].concat()) {
        if let Some(group) = coldkeys.get(text(&event, "coldkey")) {
            blocks.entry(*group).or_default().insert(number(&event, "block"));
        }
    }
    blocks
}

#[test]
fn who_comes_and_goes_does_so_the_same_way_however_the_run_is_made() {
    let folder = folder();
    let alone = run(folder.path(), "alone", BLOCKS, "0");
    assert_eq!(number(&alone, "invariant_violations"), 0);
    for processes in ["1", "3"] {
        let spread = run(folder.path(), processes, BLOCKS, processes);
        assert_eq!(text(&spread, "tip_hash"), text(&alone, "tip_hash"), "{processes} hosts");
    }
    // The checkpoint is of a block when some have arrived and some have not.
    let half = run(folder.path(), "half", "50", "2");
    assert_ne!(text(&half, "tip_hash"), text(&alone, "tip_hash"));
    let whole = json(folder.path(), &["run", "--resume", "half", "--blocks", BLOCKS, "--json"]);
    assert_eq!(text(&whole, "tip_hash"), text(&alone, "tip_hash"));
}

#[test]
fn nobody_acts_before_it_arrives_or_after_it_has_left() {
    let folder = folder();
    let made = run(folder.path(), "run", BLOCKS, "0");
    let blocks = blocks_of_orders(folder.path(), "run");
    let late = &blocks["late"];
    assert!(late.first().is_some_and(|first| (41..60).contains(first)), "{late:?}");
    assert!(late.len() > 20, "{late:?}");
    for group in LEAVING {
        let (first, last) = (blocks[group].first(), blocks[group].last());
        assert!(first.is_some_and(|first| *first < 50), "{group}: {first:?}");
        assert!(last.is_some_and(|last| (100..170).contains(last)), "{group}: {last:?}");
    }
    // So many in so few pools: some find that another order has moved the price past their limit.
    let refused = made["calls_rejected"].as_object().expect("a table of reasons");
    let price = ["PriceLimitExceeded", "SlippageTooHigh", "ZeroMaxStakeAmount"];
    assert!(refused.keys().all(|reason| price.contains(&reason.as_str())), "{refused:?}");
    assert!(number(&made, "rejected") * 5 < number(&made, "extrinsics"), "{refused:?}");
}
