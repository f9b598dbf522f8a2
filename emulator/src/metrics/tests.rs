//! Tests of the metrics: which series there are, what they say, and that they arrive over HTTP.

use super::*;
use protocol::block::{BlockInput, Decided, Submitted, decide_block};
use protocol::call::{Call, Origin};
use protocol::frame::{CallRecord, Facts, Header, RefusedCount};
use protocol::rejection::{Refusal, Rejection};
use protocol::state::{Account, Hotkey, Info, Mechanism, Params};
use protocol::units::{AccountId, Alpha, Hash32, Height, PlayerId, Rao};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use table::{FAMILIES, RUN_LABELS, Unit};

const HOTKEY: AccountId = AccountId([1; 32]);
const COLDKEY: AccountId = AccountId([2; 32]);

fn metrics() -> Metrics {
    Metrics::new(RunLabels {
        scenario: "quick \"start\"".to_owned(),
        seed: 42,
        run: "20260411-a".to_owned(),
        version: "0.1.0",
    })
}

/// Root and started subnets of these netuids, with pools of 1,000 TAO and 10,000 alpha.
fn network(netuids: impl IntoIterator<Item = u16>) -> State {
    let mut state = State::default();
    state.height = Height(100);
    state.global.total_issuance = Rao(1_000_000_500_000_000);
    let mut root = Subnet { added: true, params: Params::root(), ..Subnet::default() };
    root.fast.pool.tao = Rao::whole(77).0;
    state.global.total_stake = Rao::whole(77);
    state.subnets.insert(NetUid::ROOT, root);
    for netuid in netuids {
        let mut subnet = Subnet {
            added: true,
            params: Params {
                tempo: 5,
                commit_reveal: false,
                weights_set_rate_limit: 0,
                subtoken_enabled: true,
                ..Params::default()
            },
            info: Info {
                name: format!("subnet {netuid}"),
                symbol: "τ".to_owned(),
                first_emission: Some(1),
                ..Info::default()
            },
            mechanisms: vec![Mechanism::default()],
            ..Subnet::default()
        };
        subnet.fast.pool.tao = Rao::whole(1_000).0;
        subnet.fast.pool.alpha = Alpha::whole(10_000).0;
        subnet.fast.pool.fee_rate = 33;
        subnet.fast.moving_price = (1 << 32) / 8;
        state.global.total_stake = state.global.total_stake.plus(Rao::whole(1_000));
        state.subnets.insert(NetUid(netuid), subnet);
    }
    state
}

fn frame(height: u64, decided: Decided, facts: Facts) -> Frame {
    let none = Hash32::default();
    let header = Header {
        height: Height(height),
        parent: none,
        time_ms: height * 12_000 + 500,
        entropy: none,
        state_root: none,
        calls_root: none,
        events_root: none,
        facts_root: none,
    };
    let Decided { calls, refused, events, sealed, .. } = decided;
    Frame { header, calls, refused, events, sealed, facts }
}

fn empty(height: u64) -> Frame {
    frame(height, Decided::default(), Facts::default())
}

fn call(call: Call, outcome: Outcome) -> CallRecord {
    let origin = Origin::Signed(COLDKEY);
    CallRecord { player: PlayerId(1), sequence: 0, due_ms: 0, origin, nonce: 0, call, outcome }
}

fn buy(tokens: u64) -> Call {
    Call::AddStake { hotkey: HOTKEY, netuid: NetUid(1), amount_staked: Rao::whole(tokens) }
}

/// Samples by series, as a reader that believes nothing has them.
fn samples(text: &str) -> BTreeMap<String, f64> {
    let mut samples = BTreeMap::new();
    let mut families = BTreeSet::new();
    let mut lines = text.lines().peekable();
    assert!(text.is_empty() || text.ends_with('\n'), "the last line has an end");
    while let Some(line) = lines.next() {
        let (name, help) = line
            .strip_prefix("# HELP ")
            .and_then(|rest| rest.split_once(' '))
            .unwrap_or_else(|| panic!("a family begins with its help, not {line:?}"));
        assert!(!help.is_empty() && families.insert(name), "{name} comes once, with help");
        let kind = lines.next().and_then(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
        assert!(matches!(kind, Some((of, "gauge" | "counter")) if of == name), "{kind:?}");
        let mut count = 0;
        while let Some(line) = lines.next_if(|line| !line.starts_with('#')) {
            let (series, value) = line.rsplit_once(' ').expect("a sample has a value");
            let labels = series.strip_prefix(name).expect("samples stand below their family");
            check_labels(labels);
            let value: f64 = value.parse().expect("a value is a number");
            assert!(value.is_finite(), "{line}");
            assert_eq!(samples.insert(series.to_owned(), value), None, "{series} comes once");
            count += 1;
        }
        assert!(count > 0, "{name} has samples");
    }
    samples
}

/// `{a="x",b="y"}`, with every quote, backslash and line end of a value escaped.
fn check_labels(text: &str) {
    let mut rest = text.strip_prefix('{').expect("every series has labels");
    let mut names = Vec::new();
    loop {
        let (name, after) = rest.split_once("=\"").expect("a label is name=\"value\"");
        assert!(!name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase()), "{text}");
        names.push(name);
        let mut escaped = false;
        let end = after.char_indices().find(|(_, c)| {
            assert!(!escaped || matches!(c, '\\' | '"' | 'n'), "a strange escape in {text}");
            let closes = *c == '"' && !escaped;
            escaped = *c == '\\' && !escaped;
            closes
        });
        let (end, _) = end.expect("a value has an end");
        rest = &after[end + 1..];
        match rest.strip_prefix(',') {
            Some(next) => rest = next,
            None => break,
        }
    }
    assert_eq!(rest, "}", "{text}");
    assert!(names.ends_with(&RUN_LABELS), "{names:?}");
}

/// The value of a series by its name and own labels.
fn value(text: &str, series: &str) -> Option<f64> {
    let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
    let own = labels.strip_suffix('}').expect("labels are closed");
    let comma = if own.is_empty() { "" } else { "," };
    let run = "scenario=\"quick \\\"start\\\"\",seed=\"42\",run=\"20260411-a\"";
    samples(text).get(&format!("{name}{{{own}{comma}{run}}}")).copied()
}

fn count(text: &str, name: &str) -> usize {
    samples(text).keys().filter(|series| series.split('{').next() == Some(name)).count()
}

#[test]
fn a_small_network_has_these_series_and_no_others() {
    let metrics = metrics();
    let without_blocks = samples(&metrics.text());
    assert_eq!(without_blocks.len(), 5, "the build and four totals: {without_blocks:?}");

    metrics.block(&empty(100), &network([1, 2, 64]));
    metrics.players(&[(Role::Miner, 30), (Role::Validator, 5)]);
    metrics.speed(250.5, 2.0);
    metrics.log_bytes(4_096);
    metrics.processes(&[("chain".to_owned(), 10, 0, 0), ("host-1".to_owned(), 20, 35, 9)]);
    let text = metrics.text();
    let per_subnet = FAMILIES.iter().filter(|family| family.labels.first() == Some(&"netuid"));
    let mut subnet_series = 0;
    for family in per_subnet {
        assert_eq!(count(&text, family.name), 3, "{}", family.name);
        subnet_series += 3;
    }
    assert_eq!(subnet_series, 30);
    assert_eq!(count(&text, "btemu_leaked_tao"), 13);
    // Nine of the chain and its ledgers, two roles, speed and wall time, the log, three of two
    // processes.
    assert_eq!(samples(&text).len(), 5 + 9 + 13 + subnet_series + 2 + 2 + 1 + 6);
}

#[test]
fn values_are_in_base_units() {
    let metrics = metrics();
    let mut state = network([1, 2]);
    state.global.total_stake = Rao(1_500_000_000);
    state.leaks.root_shortfall = -2_500_000_000;
    let subnet = state.subnets.get_mut(&NetUid(2)).expect("it was made");
    subnet.fast.emission_share = 1 << 62;
    subnet.fast.flow_average = Some((99, -(3_i128 << 64) * 500_000_000));
    subnet.fast.pool.alpha_out = Alpha::whole(123).0;
    subnet.neurons.hotkeys = vec![HOTKEY, COLDKEY];
    metrics.block(&empty(100), &state);
    let text = metrics.text();
    let rows = [
        ("btemu_build_info{version=\"0.1.0\"}", 1.0),
        ("btemu_block_height", 100.0),
        ("btemu_simulated_seconds", 1_200.5),
        ("btemu_total_issuance_tao", 1_000_000.5),
        ("btemu_total_stake_tao", 1.5),
        ("btemu_root_stake_tao", 77.0),
        ("btemu_leaked_tao{ledger=\"opening\"}", 0.0),
        ("btemu_leaked_tao{ledger=\"root_shortfall\"}", -2.5),
        ("btemu_subnets", 2.0),
        ("btemu_subnet_limit", 128.0),
        ("btemu_lock_cost_tao", 1_000.0),
        ("btemu_emission_top10_share_ratio", 0.25),
        ("btemu_subnet_info{netuid=\"2\",name=\"subnet 2\",symbol=\"τ\"}", 1.0),
        ("btemu_subnet_moving_price_tao{netuid=\"2\"}", 0.125),
        ("btemu_subnet_tao_reserve_tao{netuid=\"2\"}", 1_000.0),
        ("btemu_subnet_alpha_in_pool_alpha{netuid=\"2\"}", 10_000.0),
        ("btemu_subnet_alpha_outstanding_alpha{netuid=\"2\"}", 123.0),
        ("btemu_subnet_emission_share_ratio{netuid=\"1\"}", 0.0),
        ("btemu_subnet_emission_share_ratio{netuid=\"2\"}", 0.25),
        ("btemu_subnet_flow_average_tao{netuid=\"1\"}", 0.0),
        ("btemu_subnet_flow_average_tao{netuid=\"2\"}", -1.5),
        ("btemu_subnet_neurons{netuid=\"1\"}", 0.0),
        ("btemu_subnet_neurons{netuid=\"2\"}", 2.0),
    ];
    for (series, expected) in rows {
        assert_eq!(value(&text, series), Some(expected), "{series}");
    }
    let price = value(&text, "btemu_subnet_price_tao{netuid=\"2\"}");
    assert!(price.is_some_and(|price| (price - 0.1).abs() < 1e-9), "{price:?}");

    state.subnets.get_mut(&NetUid(2)).expect("it was made").info.first_emission = None;
    metrics.block(&empty(101), &state);
    let share = value(&metrics.text(), "btemu_subnet_emission_share_ratio{netuid=\"2\"}");
    assert_eq!(share, Some(0.0), "a subnet that does not take part has no share");
}

#[test]
fn the_top_ten_are_the_ten_largest() {
    let metrics = metrics();
    let mut state = network(1..=12);
    for (netuid, subnet) in &mut state.subnets {
        subnet.fast.emission_share = u128::from(netuid.0) << 57;
    }
    metrics.block(&empty(100), &state);
    let top_ten = value(&metrics.text(), "btemu_emission_top10_share_ratio");
    assert_eq!(top_ten, Some((3..=12).sum::<u16>().into()).map(|sum: f64| sum / 128.0));
}

#[test]
fn a_dissolved_subnet_leaves_no_series() {
    let metrics = metrics();
    let mut state = network([1, 2]);
    metrics.block(&empty(100), &state);
    assert_eq!(count(&metrics.text(), "btemu_subnet_price_tao"), 2);
    // What a dissolution leaves behind is an entry that does not exist as a network.
    state.subnets.get_mut(&NetUid(1)).expect("it was made").added = false;
    metrics.block(&empty(101), &state);
    let text = metrics.text();
    assert!(!text.contains("netuid=\"1\""), "{text}");
    assert_eq!(count(&text, "btemu_subnet_price_tao"), 1);
    assert_eq!(value(&text, "btemu_subnets"), Some(1.0));
}

#[test]
fn subnets_never_share_a_series() {
    let metrics = metrics();
    let mut state = network(1..=128);
    // Run together, netuid and name of these two are the same.
    for (netuid, name) in [(1, "12"), (11, "2")] {
        let subnet = state.subnets.get_mut(&NetUid(netuid)).expect("it was made");
        subnet.info.name = name.to_owned();
    }
    metrics.block(&empty(100), &state);
    let text = metrics.text();
    for family in FAMILIES.iter().filter(|family| family.labels.first() == Some(&"netuid")) {
        assert_eq!(count(&text, family.name), 128, "{}", family.name);
    }
    for netuid_and_name in ["netuid=\"1\",name=\"12\"", "netuid=\"11\",name=\"2\""] {
        let series = format!("btemu_subnet_info{{{netuid_and_name},symbol=\"τ\"}}");
        assert_eq!(value(&text, &series), Some(1.0));
    }
}

#[test]
fn calls_events_and_messages_add_up() {
    let metrics = metrics();
    let state = network([1]);
    let calls = vec![
        call(buy(1), Outcome::Ok),
        call(buy(1), Outcome::Ok),
        call(buy(1), Outcome::Failed(Rejection::AmountTooLow)),
        call(Call::StartCall { netuid: NetUid(1) }, Outcome::Refused(Refusal::Stale)),
    ];
    let refused = vec![
        RefusedCount { player: PlayerId(1), reason: Refusal::PoolFull, count: 7 },
        RefusedCount { player: PlayerId(2), reason: Refusal::PoolFull, count: 2 },
    ];
    let events = vec![Event::BlockOpened { height: Height(1) }, Event::StakeMarkersCleared];
    let decided = Decided { calls, refused, events, ..Decided::default() };
    let facts = Facts {
        messages: Messages { sent: 9, delivered: 6, dropped: 3 },
        crashes: vec![PlayerId(5)],
        ..Facts::default()
    };
    let frame = frame(101, decided, facts);
    metrics.block(&frame, &state);
    metrics.clone().block(&frame, &state);
    let text = metrics.text();
    let rows = [
        ("btemu_calls_total{call=\"add_stake\",outcome=\"accepted\",reason=\"\"}", 4.0),
        ("btemu_calls_total{call=\"add_stake\",outcome=\"rejected\",reason=\"AmountTooLow\"}", 2.0),
        ("btemu_calls_total{call=\"start_call\",outcome=\"refused\",reason=\"Stale\"}", 2.0),
        ("btemu_calls_total{call=\"unknown\",outcome=\"refused\",reason=\"PoolFull\"}", 18.0),
        ("btemu_events_total{event=\"block_opened\"}", 2.0),
        ("btemu_events_total{event=\"stake_markers_cleared\"}", 2.0),
        ("btemu_messages_sent_total", 18.0),
        ("btemu_messages_delivered_total", 12.0),
        ("btemu_messages_dropped_total", 6.0),
        ("btemu_players_crashed_total", 2.0),
    ];
    for (series, expected) in rows {
        assert_eq!(value(&text, series), Some(expected), "{series}");
    }
    assert_eq!(count(&text, "btemu_calls_total"), 4);
}

#[test]
fn what_the_shell_says_replaces_what_it_said() {
    let metrics = metrics();
    metrics.processes(&[("chain".to_owned(), 1, 2, 3), ("host-1".to_owned(), 4, 5, 6)]);
    metrics.processes(&[("chain".to_owned(), 7, 8, 9)]);
    metrics.players(&[(Role::Owner, 1)]);
    metrics.players(&[(Role::Miner, 2)]);
    let text = metrics.text();
    let rows = [
        ("btemu_process_resident_memory_bytes{process=\"chain\"}", Some(7.0)),
        ("btemu_process_players{process=\"chain\"}", Some(8.0)),
        ("btemu_process_steps_total{process=\"chain\"}", Some(9.0)),
        ("btemu_process_steps_total{process=\"host-1\"}", None),
        ("btemu_players{role=\"miner\"}", Some(2.0)),
        ("btemu_players{role=\"owner\"}", None),
    ];
    for (series, expected) in rows {
        assert_eq!(value(&text, series), expected, "{series}");
    }
}

/// Which events move stake is known in one place; played blocks say whether it knows them all.
#[test]
fn stake_follows_every_block() {
    let metrics = metrics();
    let mut state = network([1, 2]);
    state.accounts.insert(COLDKEY, Account { free: Rao::whole(1_000), nonce: 0 });
    state.hotkeys.insert(HOTKEY, Hotkey { owner: Some(COLDKEY), ..Hotkey::default() });
    let subnet = state.subnets.get_mut(&NetUid(1)).expect("it was made");
    subnet.info.owner = Some(COLDKEY);
    subnet.info.owner_hotkey = Some(HOTKEY);
    subnet.params.min_burn = Rao(500_000);
    let mut seen = BTreeSet::new();
    for block in 1..=24 {
        let order = match block {
            1 => Some(Call::BurnedRegister { netuid: NetUid(1), hotkey: HOTKEY }),
            2 | 9 => Some(buy(100)),
            4 => Some(Call::SetWeights {
                netuid: NetUid(1),
                dests: vec![0],
                weights: vec![1],
                version_key: 0,
            }),
            15 => Some(Call::RemoveStake {
                hotkey: HOTKEY,
                netuid: NetUid(1),
                amount_unstaked: Alpha::whole(50),
            }),
            20 => Some(Call::RootDissolveNetwork { netuid: NetUid(1) }),
            _ => None,
        };
        let calls = order.into_iter().map(|call| Submitted {
            due_ms: 0,
            player: PlayerId(1),
            sequence: block,
            origin: match call {
                Call::RootDissolveNetwork { .. } => Origin::Root,
                Call::SetWeights { .. } => Origin::Signed(HOTKEY),
                _ => Origin::Signed(COLDKEY),
            },
            nonce: None,
            call,
        });
        let input = BlockInput {
            height: Height(100 + block),
            time_ms: 12_000 * block,
            entropy: Hash32::default(),
            calls: calls.collect(),
            surplus: Vec::new(),
            refused_kept_max: 10,
            beacon_round: None,
        };
        let decided = decide_block(&mut state, &input);
        for record in &decided.calls {
            assert_eq!(record.outcome, Outcome::Ok, "{:?} in block {block}", record.call);
        }
        metrics.block(&frame(100 + block, decided, Facts::default()), &state);
        let text = metrics.text();
        for (netuid, subnet) in state.networks().filter(|(netuid, _)| !netuid.is_root()) {
            let staked: u64 = subnet.pools.values().map(|pool| pool.alpha.0).sum();
            let series = format!("btemu_subnet_total_stake_alpha{{netuid=\"{netuid}\"}}");
            assert_eq!(value(&text, &series), Some(tokens(staked)), "{series}, block {block}");
            seen.insert((netuid, staked));
        }
    }
    assert!(seen.len() > 6, "orders and payouts move it: {seen:?}");
}

#[test]
fn names_follow_their_rules() {
    let mut names = BTreeSet::new();
    for family in FAMILIES {
        let name = family.name;
        assert!(names.insert(name), "{name} comes twice");
        let stem = name.strip_prefix("btemu_").expect("all begin with btemu_");
        assert!(stem.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'));
        let counted = stem.strip_suffix("_total");
        assert_eq!(counted.is_some(), family.kind == Kind::Counter, "{name}");
        let stem = counted.unwrap_or(stem);
        let says_unit = stem.ends_with(&format!("_{}", family.unit.name()));
        assert_eq!(says_unit, family.unit != Unit::Count, "{name} in {}", family.unit.name());
        for label in family.labels {
            assert!(!RUN_LABELS.contains(label), "{name} has {label} of its own");
        }
        assert!(!family.help.is_empty() && !family.help.ends_with('.'), "{name}");
    }
}

/// The rows of the page are made from the table; this prints them when they differ.
#[test]
fn the_page_shows_the_table() {
    let page = include_str!("../../../docs/metrics.md");
    let rows: Vec<&str> = page.lines().filter(|line| line.starts_with("| `btemu_")).collect();
    let table: Vec<String> = FAMILIES
        .iter()
        .map(|family| {
            let labels: Vec<String> =
                family.labels.iter().map(|label| format!("`{label}`")).collect();
            let labels = if labels.is_empty() { "–".to_owned() } else { labels.join(", ") };
            let (name, kind, unit) = (family.name, family.kind.name(), family.unit.name());
            format!("| `{name}` | {kind} | {unit} | {labels} | {} |", family.help)
        })
        .collect();
    assert_eq!(rows, table, "docs/metrics.md should have these rows:\n{}", table.join("\n"));
    for label in RUN_LABELS {
        assert!(page.contains(&format!("`{label}`")), "{label} is not on the page");
    }
}

fn get(address: SocketAddr, path: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).expect("it listens");
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers in text");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    (head.to_owned(), body.to_owned())
}

#[test]
fn the_server_answers_until_it_is_dropped() {
    let metrics = metrics();
    let server = Server::start("127.0.0.1:0", metrics.clone()).expect("a port is free");
    let address = server.address();
    metrics.block(&empty(100), &network([1]));
    let (head, body) = get(address, "/metrics");
    assert!(head.starts_with("HTTP/1.1 200 OK"), "{head}");
    assert!(head.to_lowercase().contains("content-type: text/plain; version=0.0.4"), "{head}");
    assert_eq!(body, metrics.text());
    assert_eq!(value(&body, "btemu_block_height"), Some(100.0));

    metrics.block(&empty(101), &network([1]));
    assert_eq!(value(&get(address, "/metrics").1, "btemu_block_height"), Some(101.0));
    let (head, body) = get(address, "/healthz");
    assert!(head.starts_with("HTTP/1.1 200 OK") && body == "ok\n", "{head}\n{body}");
    assert!(get(address, "/").0.starts_with("HTTP/1.1 404"));

    drop(server);
    assert!(TcpStream::connect(address).is_err(), "nothing listens any more");
}

#[test]
fn a_taken_port_and_a_strange_address_are_named() {
    let first = Server::start("127.0.0.1:0", metrics()).expect("a port is free");
    let taken = first.address().to_string();
    let error: ServeError = Server::start(&taken, metrics()).expect_err("the port is taken");
    assert_eq!(
        error.to_string(),
        format!("metrics cannot be served on {taken}: something else listens there")
    );
    assert!(error.hint().is_some_and(|hint| hint.contains("--metrics off")));

    let error = Server::start("nowhere", metrics()).expect_err("no address");
    assert!(error.to_string().starts_with("metrics cannot be served on nowhere: "), "{error}");
    assert!(error.hint().is_some_and(|hint| hint.contains("127.0.0.1:9464")));
}
