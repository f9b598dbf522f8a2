//! `btemu report`: its figures against each other and against the state of the run.

use crate::program::{folder, json, json_lines, number, say, scenario};
use serde_json::Value;
use std::path::Path;

fn run(folder: &Path, blocks: &str) {
    let quickstart = scenario("quickstart.toml");
    let arguments =
        ["run", &quickstart, "--blocks", blocks, "--processes", "0", "--out", "run", "--json"];
    json(folder, &arguments);
}

fn signed(value: &Value, key: &str) -> i128 {
    let number = value[key].as_i64().unwrap_or_else(|| panic!("no number {key} in {value}"));
    i128::from(number)
}

#[test]
fn flows_and_streams_add_up_to_what_the_state_says() {
    let folder = folder();
    run(folder.path(), "720");
    let report = json(folder.path(), &["report", "run", "--json"]);
    let states =
        |at: &str| json_lines(folder.path(), &["inspect", "run", "--at", at, "subnets", "--json"]);
    let (first, last) = (states("+0"), states("+720"));
    let subnets = report["subnets"].as_array().expect("a list");
    assert_eq!(subnets.len(), 3);
    let mut emission = 0;
    for (rank, subnet) in (1..).zip(subnets) {
        let netuid = number(subnet, "netuid");
        let tao = |states: &[Value]| {
            let row =
                states.iter().find(|row| number(row, "netuid") == netuid).expect("it is there");
            number(row, "tao_reserve_rao") as i128
        };
        let flow = &subnet["flow"];
        assert_eq!(number(flow, "emission_rank"), rank);
        let net = number(flow, "in_rao") as i128 - number(flow, "out_rao") as i128;
        assert_eq!(signed(flow, "net_rao"), net);
        assert!(number(flow, "in_rao") > 0 && number(flow, "out_rao") > 0, "{flow}");
        let injected = number(flow, "emission_rao") as i128;
        let rise = tao(&last) - tao(&first) - net - injected;
        // Swap fees of sales stay in the pool as alpha; those of buys go to the block's author.
        assert!(rise.abs() < injected / 100, "pool of {netuid}: {rise} rao beside {flow}");
        emission += number(flow, "emission_rao");
        let flows = subnet["flywheel"]["flows"].as_object().expect("by role");
        let sum = |key: &str| flows.values().map(|flow| number(flow, key)).sum::<u64>();
        assert_eq!(
            (sum("in_rao"), sum("out_rao")),
            (number(flow, "in_rao"), number(flow, "out_rao"))
        );
        let product = &subnet["product"];
        assert!(number(product, "queries") >= number(product, "answers"), "{product}");
        assert!(number(product, "answers") > 0 && number(product, "validators_active") == 3);
        let losses: Vec<f64> = subnet["exits"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|exit| exit["slippage"].as_f64().expect("a deep pool"))
            .collect();
        assert!(losses.len() == 4 && losses.is_sorted() && losses[0] > 0.0, "{losses:?}");
    }
    let network = &report["network"];
    assert_eq!(number(network, "emission_rao"), emission);
    for (role, streams) in network["roles"].as_object().expect("by role") {
        let change =
            number(streams, "wealth_end_rao") as i128 - number(streams, "wealth_start_rao") as i128;
        let streams = number(streams, "income_rao") as i128 + signed(streams, "price_result_rao");
        // Values are rounded down, position by position. Nobody's accounts also get the fees of others.
        if role != "others" {
            assert!((change - streams).abs() < 10_000, "{role}: {change} is not {streams}");
        }
    }
}

#[test]
fn one_subnet_is_told_with_all_figures_and_a_strange_one_is_refused() {
    let folder = folder();
    run(folder.path(), "60");
    let told = say(folder.path(), &["report", "run", "--subnet", "2"]);
    assert_eq!(told.code, 0, "{told:?}");
    for word in ["product", "flow", "emission", "team", "flywheel", "exit        10000.000"] {
        assert!(told.stdout.contains(word), "{word} in {}", told.stdout);
    }
    let one = json(folder.path(), &["report", "run", "--subnet", "2", "--json"]);
    assert_eq!(one.as_array().map(Vec::len), Some(1));
    let all = say(folder.path(), &["report", "run", "--at", "+30"]);
    assert!(all.stdout.starts_with("blocks          30,"), "{all:?}");
    let strange = say(folder.path(), &["report", "run", "--subnet", "9"]);
    assert_eq!(strange.code, 2, "{strange:?}");
    assert!(strange.stderr.contains("the run has no subnet 9"), "{strange:?}");
}
