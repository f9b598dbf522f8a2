//! The accounts of a coldkey: their keys, their sums, and what is refused.

use crate::program::{folder, json, json_lines, number, say, scenario, text};
use serde_json::Value;
use std::path::Path;

fn run(folder: &Path, blocks: &str) -> Value {
    let quickstart = scenario("quickstart.toml");
    let arguments =
        ["run", &quickstart, "--blocks", blocks, "--processes", "0", "--out", "run", "--json"];
    json(folder, &arguments)
}

fn account(folder: &Path, arguments: &[&str]) -> Value {
    json(folder, &[&["inspect", "run", "--json", "account"], arguments].concat())
}

fn list<'a>(value: &'a Value, key: &str) -> &'a Vec<Value> {
    value[key].as_array().unwrap_or_else(|| panic!("no list {key} in {value}"))
}

/// An amount that may be below zero.
fn signed(value: &Value, key: &str) -> i64 {
    value[key].as_i64().unwrap_or_else(|| panic!("no number {key} in {value}"))
}

/// A coldkey that traded.
fn trader(folder: &Path) -> String {
    let sales = json_lines(folder, &["log", "run", "--kind", "stake_removed", "--json"]);
    text(&sales[0], "coldkey").to_owned()
}

#[test]
fn a_traders_account_has_its_history_and_its_way_out() {
    let folder = folder();
    run(folder.path(), "120");
    let trader = trader(folder.path());
    let facts = account(folder.path(), &[&trader]);
    assert_eq!(text(&facts, "account"), trader);
    assert_eq!((number(&facts, "block"), number(&facts, "genesis_block")), (120, 0));
    assert_eq!(facts["window"], serde_json::json!({"from": 0, "blocks": 120}));
    let keys = ["free_rao", "nonce", "owned_hotkeys", "staking_hotkeys", "uids", "stakes"];
    for key in keys.into_iter().chain(["worth_rao", "root_claimable"]) {
        assert!(facts.get(key).is_some(), "{key} in {facts}");
    }
    let positions = list(&facts, "positions");
    let (mut sold, mut bought) = (0, 0);
    for position in positions {
        let unrealised = number(position, "value_rao") as i64;
        let unrealised = unrealised - number(position, "cost_basis_rao") as i64;
        assert_eq!(signed(position, "unrealised_rao"), unrealised, "{position}");
        let part = |name: &str, key: &str| number(&position[name], key) as i64;
        let alpha = |name| part(name, "alpha_rao");
        let income = number(position, "income_alpha_rao") as i64;
        let came = alpha("opening") + alpha("bought") + alpha("received") + alpha("moved_in");
        let left = alpha("sold") + alpha("given") + alpha("moved_out") + alpha("dissolved");
        let left = left + number(position, "given_up_alpha_rao") as i64;
        let held = came + income - left + signed(position, "rounding_alpha_rao");
        assert_eq!(number(position, "alpha_rao") as i64, held, "{position}");
        let sources = position["income"].as_object().expect("by source");
        assert_eq!(sources.len(), 6);
        let sum: u64 = sources.values().map(|part| number(part, "value_rao")).sum();
        assert_eq!(number(position, "income_rao"), sum);
        sold += alpha("sold");
        bought += alpha("bought");
    }
    assert!(sold > 0 && bought > 0, "{facts}");
    let stakes: u64 = list(&facts, "stakes").iter().map(|one| number(one, "alpha_rao")).sum();
    let held: u64 = positions.iter().map(|one| number(one, "alpha_rao")).sum();
    assert_eq!(stakes, held);
    let totals = &facts["totals"];
    for (total, key) in [("value_rao", "value_rao"), ("cost_basis_rao", "cost_basis_rao")] {
        let sum: u64 = list(&facts, "subnets").iter().map(|one| number(one, key)).sum();
        assert_eq!(number(totals, total), sum, "{total}");
    }
    let keys = ["realised_rao", "unrealised_rao", "income_rao", "transaction_fees_rao"];
    for key in keys.into_iter().chain(["apr_simple", "apy_compounded", "exit_proceeds_rao"]) {
        assert!(totals[key].is_number(), "{key} in {totals}");
    }
    let human = say(folder.path(), &["inspect", "run", "account", &trader]);
    for word in [trader.as_str(), "unrealised", "dividends", "APY", "slippage", "leaving all"] {
        assert!(human.stdout.contains(word), "{word:?} in {human:?}");
    }
}

#[test]
fn leaving_costs_more_the_more_leaves() {
    let folder = folder();
    run(folder.path(), "60");
    let trader = trader(folder.path());
    let facts = account(folder.path(), &[&trader]);
    let held = list(&facts, "subnets").iter().filter(|one| number(one, "alpha_rao") > 0);
    for subnet in held {
        let exits = list(subnet, "exits");
        let sizes: Vec<&str> = exits.iter().map(|exit| text(exit, "size")).collect();
        assert_eq!(sizes, ["25%", "50%", "100%"]);
        let slippage = exits.iter().map(|exit| exit["slippage"].as_f64().expect("a ratio"));
        assert!(slippage.collect::<Vec<_>>().is_sorted(), "{subnet}");
        let whole = &exits[2];
        assert_eq!(number(whole, "alpha_rao"), number(subnet, "alpha_rao"));
        assert!(number(whole, "proceeds_rao") < number(whole, "spot_value_rao"));
    }
    let asked = ["--at", "+50", "--window", "20", "--size", "10%", "--size", "1000000 alpha"];
    let facts = account(folder.path(), &[&[trader.as_str()], &asked[..]].concat());
    assert_eq!(number(&facts, "block"), 50);
    assert_eq!(facts["window"], serde_json::json!({"from": 30, "blocks": 20}));
    let held = list(&facts, "subnets").iter().filter(|one| number(one, "alpha_rao") > 0);
    for subnet in held {
        let exits = list(subnet, "exits");
        assert_eq!((exits.len(), text(&exits[0], "size")), (2, "10%"));
        assert_eq!(text(&exits[1], "refusal"), "NotEnoughStakeToWithdraw");
    }
}

#[test]
fn what_is_no_account_size_or_window_is_refused_with_one_sentence() {
    let folder = folder();
    run(folder.path(), "3");
    let nobody = "5C4hrfjw9DjXZTzV3MwzrrAr9P1MJhSrvWGWqi1eSuyUpnhM";
    let rows: &[(&[&str], i32, &str)] = &[
        (&[nobody], 1, nobody),
        (&["5nonsense"], 2, "5nonsense"),
        (&[nobody, "--size", "100"], 2, "a size is"),
        (&[nobody, "--size", "0%"], 2, "a size is"),
        (&[nobody, "--size", "5 TAO"], 2, "a size is"),
        (&[nobody, "--window", "0"], 2, "--window"),
        (&[nobody, "--at", "+9"], 1, "block 9"),
    ];
    for (arguments, code, word) in rows {
        let all = [&["inspect", "run", "account"], *arguments].concat();
        let said = say(folder.path(), &all);
        assert_eq!(said.code, *code, "{said:?}");
        let errors = said.stderr.lines().filter(|line| line.starts_with("error:")).count();
        assert!(errors == 1 && said.stderr.contains(word), "{word:?} in {said:?}");
        assert!(said.stdout.is_empty(), "{said:?}");
    }
}
