//! Tests of the metrics: which series there are, what they say, and that they arrive over HTTP.

use super::collect::tokens;
use super::table::{FAMILIES, RUN_LABELS, Scale, Unit};
use super::timings::BOUNDS_SECONDS;
use super::*;
use crate::clock::Stopwatch;
use crate::progress::{Progress, Showing};
use crate::run::family::ChildLogs;
use crate::run::launcher::launch;
use crate::run::order::ChainOrder;
use crate::scenario::{self, Overrides};
use protocol::block::{BlockInput, Decided, Submitted, decide_block};
use protocol::call::{Call, Origin};
use protocol::event::{EmissionAccrued, EmissionInjected, Event, Via};
use protocol::frame::{CallRecord, Facts, Header, Messages, RefusedCount};
use protocol::rejection::{Outcome, Refusal, Rejection};
use protocol::state::{Account, Hotkey, HotkeyPool, Info, Mechanism, Params, Subnet};
use protocol::units::{AccountId, Alpha, Hash32, Height, PlayerId, Rao};
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use storage::fold::Folder;
use storage::log::{Durability, EventLog, SledLog};
use storage::pursuit::pursue;
use storage::record::Genesis;
use storage::runfolder::RunFolder;

const HOTKEY: AccountId = AccountId([1; 32]);
const COLDKEY: AccountId = AccountId([2; 32]);

fn metrics() -> Metrics {
    Metrics::new(RunLabels {
        scenario: "quick \"start\"".to_owned(),
        seed: 42,
        run: "20260411-a".to_owned(),
        version: "0.1.0",
        commit: "0123456789",
    })
}

/// Root and started subnets of these netuids, with pools of 1,000 TAO and 10,000 alpha.
pub fn network(netuids: impl IntoIterator<Item = u16>) -> State {
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

pub fn empty(height: u64) -> Frame {
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
        let kind = kind.filter(|(of, _)| *of == name).map(|(_, kind)| kind);
        let ends: &[&str] = match kind {
            Some("gauge" | "counter") => &[""],
            Some("histogram") => &["_bucket", "_sum", "_count"],
            other => panic!("{name} is {other:?}"),
        };
        let mut count = 0;
        while let Some(line) = lines.next_if(|line| !line.starts_with('#')) {
            let (series, value) = line.rsplit_once(' ').expect("a sample has a value");
            let rest = series.strip_prefix(name).expect("samples stand below their family");
            let labels = &rest[rest.find('{').expect("every series has labels")..];
            let end = rest.strip_suffix(labels).expect("it was found there");
            assert!(ends.contains(&end), "{series}");
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
        let is_plain = |letter: char| letter.is_ascii_lowercase() || letter == '_';
        assert!(!name.is_empty() && name.chars().all(is_plain), "{text}");
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
    // The bound of a bucket comes last.
    let names = names.strip_suffix(&["le"]).unwrap_or(&names);
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

/// Processes with some numbers.
fn processes(names: &[&str]) -> Vec<Process> {
    let rows = (1..).zip(names).map(|(number, name)| Process {
        name: (*name).to_owned(),
        resident_bytes: number,
        cpu_seconds: Some(number as f64 / 2.0),
        players: number * 10,
        steps: number * 100,
    });
    rows.collect()
}

/// Without the histograms of this process, which are there from the beginning.
fn plain(text: &str) -> usize {
    let timed = ["btemu_block_phase_seconds", "btemu_log_sync_seconds"];
    samples(text).keys().filter(|series| !timed.iter().any(|name| series.starts_with(name))).count()
}

#[test]
fn a_small_network_has_these_series_and_no_others() {
    let metrics = metrics();
    let text = metrics.text();
    assert_eq!(plain(&text), 9, "the build, eight totals: {text}");
    assert_eq!(samples(&text).len() - plain(&text), 8 * (BOUNDS_SECONDS.len() + 3));

    metrics.block(&empty(100), &network([1, 2, 64]));
    metrics.players(&[(Role::Miner, 30), (Role::Validator, 5)]);
    metrics.speed(250.5, 2.0);
    metrics.log_bytes(4_096);
    metrics.processes(processes(&["chain", "host-1"]));
    let text = metrics.text();
    let mut subnet_series = 0;
    for family in FAMILIES.iter().filter(|family| family.labels.first() == Some(&"netuid")) {
        let (times, scale) = family.bound();
        let expected = match family.name {
            "btemu_subnet_agreement_ratio" => 0,
            // The pool of 1,000 TAO pays for a sale of any of these sizes.
            _ if scale == Scale::Subnets => 3 * times as usize,
            _ => 0,
        };
        assert_eq!(count(&text, family.name), expected, "{}", family.name);
        subnet_series += expected;
    }
    assert_eq!(subnet_series, 3 * (40 + 5 * 2 + 2 * 3 + 6));
    assert_eq!(count(&text, "btemu_leaked_tao"), 13);
    // Fourteen of the chain, its ledgers, two roles, speed and wall time, the log, four of two
    // processes.
    assert_eq!(plain(&text), 9 + 14 + 13 + subnet_series + 2 + 2 + 1 + 8);
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
        ("btemu_build_info{version=\"0.1.0\",commit=\"0123456789\"}", 1.0),
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

/// A neuron per uid, each with stake behind it.
fn staff(subnet: &mut Subnet, uids: u16) {
    for uid in 0..uids {
        let hotkey = AccountId([uid as u8; 32]);
        subnet.neurons.hotkeys.push(hotkey);
        let pool = HotkeyPool { alpha: Alpha::whole(1 + u64::from(uid)), ..HotkeyPool::default() };
        subnet.pools.insert(hotkey, pool);
    }
    subnet.mechanisms[0].last_update = (0..u64::from(uids)).collect();
}

/// Run together, (1, 12) and (11, 2) are the same, and so are (1, 112) and (11, 12).
#[test]
fn every_series_is_exported_once() {
    let mut state = network(1..=128);
    for netuid in [1, 11, 12] {
        staff(state.subnets.get_mut(&NetUid(netuid)).expect("it was made"), 128);
    }
    for (netuid, name) in [(1, "12"), (11, "2")] {
        let subnet = state.subnets.get_mut(&NetUid(netuid)).expect("it was made");
        subnet.info.name = name.to_owned();
    }
    let metrics = metrics().naming([1, 11, 12].map(NetUid));
    metrics.block(&empty(1_000), &state);
    let text = metrics.text();
    for family in FAMILIES.iter().filter(|family| family.labels.first() == Some(&"netuid")) {
        let (times, scale) = family.bound();
        let expected = match scale {
            _ if family.name == "btemu_subnet_agreement_ratio" => 0,
            Scale::NamedNeurons => 3 * 128,
            _ => 128 * times as usize,
        };
        assert_eq!(count(&text, family.name), expected, "{}", family.name);
    }
    for netuid_and_name in ["netuid=\"1\",name=\"12\"", "netuid=\"11\",name=\"2\""] {
        let series = format!("btemu_subnet_info{{{netuid_and_name},symbol=\"τ\"}}");
        assert_eq!(value(&text, &series), Some(1.0));
    }
    for (netuid, uid) in [(1, 12), (11, 2), (1, 112), (11, 12), (12, 1)] {
        let labels = format!("{{netuid=\"{netuid}\",uid=\"{uid}\"}}");
        let stake = value(&text, &format!("btemu_neuron_stake_alpha{labels}"));
        assert_eq!(stake, Some(f64::from(uid + 1)), "{labels}");
        let age = value(&text, &format!("btemu_neuron_update_age_blocks{labels}"));
        assert_eq!(age, Some(f64::from(1_000 - uid)), "{labels}");
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
    metrics.processes(processes(&["x", "chain"]));
    metrics.processes(processes(&["chain"]));
    metrics.players(&[(Role::Owner, 1)]);
    metrics.players(&[(Role::Miner, 2)]);
    metrics.queue("calls", 7);
    metrics.queue("calls", 3);
    metrics.making(Making {
        restarts: 2,
        struck: [("cut", 1), ("drop", 0)].into(),
        checked: 9,
        violated: 1,
    });
    metrics.remote(RemoteSamples { sent: 80, lost: 4 });
    for _ in 0..3 {
        metrics.timings().phase(Phase::Seal, Stopwatch::start());
    }
    let text = metrics.text();
    let rows = [
        ("btemu_process_resident_memory_bytes{process=\"chain\"}", Some(1.0)),
        ("btemu_process_cpu_seconds_total{process=\"chain\"}", Some(0.5)),
        ("btemu_process_players{process=\"chain\"}", Some(10.0)),
        ("btemu_process_steps_total{process=\"chain\"}", Some(100.0)),
        ("btemu_process_steps_total{process=\"x\"}", None),
        ("btemu_players{role=\"miner\"}", Some(2.0)),
        ("btemu_players{role=\"owner\"}", None),
        ("btemu_queue_depth{queue=\"calls\"}", Some(3.0)),
        ("btemu_restarts_total", Some(2.0)),
        ("btemu_disturbances_total{kind=\"cut\"}", Some(1.0)),
        ("btemu_disturbances_total{kind=\"drop\"}", Some(0.0)),
        ("btemu_invariants_checked_total", Some(9.0)),
        ("btemu_invariants_violated_total", Some(1.0)),
        ("btemu_remote_write_samples_total{fate=\"lost\"}", Some(4.0)),
        ("btemu_block_phase_seconds_count{phase=\"seal\"}", Some(3.0)),
        ("btemu_block_phase_seconds_count{phase=\"wait\"}", Some(0.0)),
        ("btemu_log_sync_seconds_count", Some(0.0)),
    ];
    for (series, expected) in rows {
        assert_eq!(value(&text, series), expected, "{series}");
    }
}

/// Events of one subnet, and what they come to; a number that has another subnet begins anew.
#[test]
fn totals_of_a_subnet_are_those_of_its_events() {
    let metrics = metrics();
    let mut state = network([1, 2]);
    state.subnets.get_mut(&NetUid(1)).expect("it was made").info.owner = Some(COLDKEY);
    let (netuid, one) = (NetUid(1), Alpha::whole(1));
    let stake_added = |coldkey, tokens| Event::StakeAdded {
        coldkey,
        hotkey: HOTKEY,
        netuid,
        tao: Rao::whole(tokens),
        alpha: one,
        fee: Rao::ZERO,
    };
    let stake_removed = |coldkey, tokens| Event::StakeRemoved {
        coldkey,
        hotkey: HOTKEY,
        netuid,
        tao: Rao::whole(tokens),
        alpha: Alpha::whole(2 * tokens),
        fee: Alpha::ZERO,
    };
    let placed =
        |replaced, via| Event::NeuronPlaced { netuid, uid: 0, hotkey: HOTKEY, replaced, via };
    let events = vec![
        Event::FlowRecorded { netuid, by: 3_000_000_000 },
        Event::FlowRecorded { netuid, by: -1_000_000_000 },
        stake_added(COLDKEY, 5),
        stake_added(HOTKEY, 6),
        stake_removed(COLDKEY, 2),
        stake_removed(HOTKEY, 1),
        Event::EmissionInjected(Box::new(EmissionInjected {
            netuids: vec![NetUid(2), netuid],
            tao_in: vec![Rao::whole(9), Rao::whole(4)],
            bought_with: vec![Rao::ZERO, Rao::whole(3)],
            alpha_in: vec![one, Alpha::whole(7)],
            ..EmissionInjected::default()
        })),
        Event::EmissionAccrued(Box::new(EmissionAccrued {
            netuids: vec![netuid],
            owner: vec![Alpha::whole(1)],
            server: vec![Alpha::whole(2)],
            validator: vec![Alpha::whole(3)],
            root: vec![Alpha::whole(4)],
            recycled: vec![Alpha::whole(5)],
            ..EmissionAccrued::default()
        })),
        placed(None, Via::Founder),
        placed(Some(COLDKEY), Via::Burn),
        placed(None, Via::Burn),
        Event::NeuronsTrimmed { netuid, max_n: 1, removed: vec![(0, HOTKEY), (1, COLDKEY)] },
        Event::TimelockedCommitsExpired { netuid, mechanism: 0, epoch: 1, commits: 3 },
        Event::WeightsRevealed {
            hotkey: HOTKEY,
            netuid,
            mechanism: 0,
            hash: Hash32::default(),
            removed: 3,
        },
    ];
    let decided = Decided { events, ..Decided::default() };
    metrics.block(&frame(101, decided, Facts::default()), &state);
    let rows = [
        ("flow_in_tao_total", "", 3.0),
        ("flow_out_tao_total", "", 1.0),
        ("bought_tao_total", "", 11.0),
        ("sold_tao_total", "", 3.0),
        ("owner_bought_tao_total", "", 5.0),
        ("owner_sold_alpha_total", "", 4.0),
        ("emission_tao_total", ",use=\"pool\"", 4.0),
        ("emission_tao_total", ",use=\"buy\"", 3.0),
        ("emission_alpha_total", ",to=\"pool\"", 7.0),
        ("emission_alpha_total", ",to=\"owner\"", 1.0),
        ("emission_alpha_total", ",to=\"miner\"", 2.0),
        ("emission_alpha_total", ",to=\"validator\"", 3.0),
        ("emission_alpha_total", ",to=\"root\"", 4.0),
        ("emission_alpha_total", ",to=\"recycled\"", 5.0),
        ("neurons_registered_total", ",via=\"founder\"", 1.0),
        ("neurons_registered_total", ",via=\"burn\"", 2.0),
        ("neurons_registered_total", ",via=\"work\"", 0.0),
        ("neurons_pruned_total", "", 3.0),
        ("weight_reveals_total", "", 1.0),
        ("weight_commits_lost_total", "", 5.0),
    ];
    let text = metrics.text();
    for (name, label, expected) in rows {
        let series = format!("btemu_subnet_{name}{{netuid=\"1\"{label}}}");
        assert_eq!(value(&text, &series), Some(expected), "{series}");
    }
    assert_eq!(value(&text, "btemu_emission_tao_total"), Some(16.0));

    let gone = protocol::event::SubnetDissolved { netuid, ..Default::default() };
    let events = vec![
        Event::SubnetDissolved(Box::new(gone)),
        Event::FlowRecorded { netuid, by: 500_000_000 },
    ];
    let decided = Decided { events, ..Decided::default() };
    metrics.block(&frame(102, decided, Facts::default()), &state);
    let text = metrics.text();
    for (series, expected) in [
        ("btemu_subnet_flow_in_tao_total{netuid=\"1\"}", 0.5),
        ("btemu_subnet_sold_tao_total{netuid=\"1\"}", 0.0),
        ("btemu_subnets_dissolved_total{cause=\"prune\"}", 1.0),
        ("btemu_subnets_dissolved_total{cause=\"root\"}", 0.0),
        ("btemu_emission_tao_total", 16.0),
    ] {
        assert_eq!(value(&text, series), Some(expected), "{series}");
    }
}

/// Two validators, one of them asleep, and three miners.
#[test]
fn neurons_are_summed_by_role() {
    let metrics = metrics().naming([NetUid(1)]);
    let mut state = network([1]);
    let subnet = state.subnets.get_mut(&NetUid(1)).expect("it was made");
    staff(subnet, 5);
    let neurons = &mut subnet.neurons;
    neurons.validator_permit = vec![true, true, false, false, false];
    neurons.active = vec![true, false, false, false, false];
    neurons.validator_trust = vec![u16::MAX / 5, u16::MAX, 0, 0, 0];
    neurons.stake_weight = vec![100, 200, 0, 0, 0];
    neurons.consensus = vec![0, 0, u16::MAX / 3, 0, 0];
    neurons.dividends = vec![10, 30, 0, 0, 0];
    neurons.emission = [5, 6, 7, 0, 1].map(Alpha::whole).to_vec();
    subnet.mechanisms[0].incentive = vec![0, 0, 30_000, 0, 10_000];
    subnet.mechanisms[0].bonds = vec![vec![(2, 30), (4, 0)], vec![(2, 60), (4, 10)]];
    subnet.info.owner = Some(COLDKEY);
    let pool = subnet.pools.get_mut(&AccountId([3; 32])).expect("it was made");
    *pool = HotkeyPool {
        shares: 4 << 64,
        holders: [(COLDKEY, 1 << 64), (HOTKEY, 3 << 64)].into(),
        ..pool.clone()
    };
    metrics.block(&empty(1_000), &state);
    let text = metrics.text();
    let rows = [
        ("btemu_role_neurons{netuid=\"1\",role=\"validator\"}", 2.0),
        ("btemu_role_neurons{netuid=\"1\",role=\"miner\"}", 3.0),
        ("btemu_role_stake_alpha{netuid=\"1\",role=\"validator\"}", 3.0),
        ("btemu_role_stake_alpha{netuid=\"1\",role=\"miner\"}", 12.0),
        ("btemu_role_emission_alpha{netuid=\"1\",role=\"validator\"}", 11.0),
        ("btemu_role_emission_alpha{netuid=\"1\",role=\"miner\"}", 8.0),
        ("btemu_role_trust_ratio{netuid=\"1\",role=\"validator\"}", 0.6),
        ("btemu_role_trust_ratio{netuid=\"1\",role=\"miner\"}", 1.0 / 9.0),
        ("btemu_subnet_validators_permitted{netuid=\"1\"}", 2.0),
        ("btemu_subnet_validators_active{netuid=\"1\"}", 1.0),
        ("btemu_subnet_agreement_ratio{netuid=\"1\"}", 0.2),
        ("btemu_subnet_incentive_herfindahl_ratio{netuid=\"1\"}", 0.625),
        // 0, 1 and 3 of 4: twice 2·1 + 3·3, over 3·4, less 4/3.
        ("btemu_subnet_incentive_gini_ratio{netuid=\"1\"}", 0.5),
        ("btemu_subnet_dividends_herfindahl_ratio{netuid=\"1\"}", 0.625),
        ("btemu_subnet_dividends_gini_ratio{netuid=\"1\"}", 0.25),
        ("btemu_subnet_consensus_neurons{netuid=\"1\"}", 1.0),
        ("btemu_subnet_bonds{netuid=\"1\"}", 3.0),
        ("btemu_subnet_bonds_top_share_ratio{netuid=\"1\"}", 0.7),
        ("btemu_subnet_owner_stake_alpha{netuid=\"1\"}", 1.0),
        ("btemu_neuron_incentive_ratio{netuid=\"1\",uid=\"2\"}", 30_000.0 / 65_535.0),
        ("btemu_neuron_dividends_ratio{netuid=\"1\",uid=\"1\"}", 30.0 / 65_535.0),
        ("btemu_neuron_consensus_ratio{netuid=\"1\",uid=\"2\"}", 1.0 / 3.0),
        ("btemu_neuron_validator_trust_ratio{netuid=\"1\",uid=\"0\"}", 0.2),
        ("btemu_neuron_emission_alpha{netuid=\"1\",uid=\"4\"}", 1.0),
    ];
    for (series, expected) in rows {
        let value = value(&text, series).unwrap_or_else(|| panic!("no {series}"));
        assert!((value - expected).abs() < 1e-9, "{series}: {value}, not {expected}");
    }
    let hotkey = AccountId([1; 32]);
    let info = format!(
        "btemu_neuron_info{{netuid=\"1\",uid=\"1\",role=\"validator\",hotkey=\"{hotkey}\"}}"
    );
    assert_eq!(value(&text, &info), Some(1.0));
}

/// The depth of a pool as `btemu report` tells it, and what only a deeper pool pays.
#[test]
fn exits_are_those_of_the_report() {
    let metrics = metrics();
    let mut state = network([1, 2]);
    state.subnets.get_mut(&NetUid(2)).expect("it was made").params.mechanism = 0;
    metrics.block(&empty(100), &state);
    let text = metrics.text();
    let exit = |netuid, size| {
        let labels = format!("{{netuid=\"{netuid}\",size_tao=\"{size}\"}}");
        value(&text, &format!("btemu_subnet_exit_slippage_ratio{labels}"))
    };
    let subnet = state.subnet(NetUid(1)).expect("it was made");
    for (size, tokens) in [("10", 10), ("100", 100), ("1000", 1_000)] {
        let reported = crate::report::exits(subnet, &[Rao::whole(tokens)])[0].slippage;
        assert_eq!(exit(1, size), reported, "{size}");
        assert_eq!(exit(2, size), Some(0.0), "a stable pool gives one for one");
    }
    // A tenth of the pool's worth: 1/11 by the product rule, and the fee.
    let tenth = exit(1, "100").expect("it can be sold");
    assert!((tenth - 1.0 / 11.0).abs() < 0.001, "{tenth}");
}

#[test]
fn halvings_follow_the_issuance() {
    let rows = [
        (0, 0.0, 1.0),
        (10_499_999_999_999_999, 0.0, 1.0),
        (10_500_000_000_000_000, 1.0, 0.5),
        (15_750_000_000_000_000, 2.0, 0.25),
        (20_999_999_960_884_452, 29.0, 1e-9),
        (20_999_999_980_442_226, 30.0, 0.0),
        (21_000_000_000_000_000, 30.0, 0.0),
    ];
    let mut state = network([1]);
    for (issuance, halvings, emission) in rows {
        state.global.total_issuance = Rao(issuance);
        let metrics = metrics();
        metrics.block(&empty(100), &state);
        let text = metrics.text();
        assert_eq!(value(&text, "btemu_halvings"), Some(halvings), "{issuance}");
        assert_eq!(value(&text, "btemu_block_emission_tao"), Some(emission), "{issuance}");
    }
}

/// Makes a run with its players in this process, and shows each of its blocks.
fn play(scenario: &str, blocks: u64, mut show: impl FnMut(&Plan, &Frame, &State)) -> Plan {
    let folder = tempfile::tempdir().expect("a folder");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../configs").join(scenario);
    let plan = scenario::load(&path, &Overrides::default()).expect("it ships").plan();
    let plan = plan.expect("it fits together");
    let run = RunFolder::create_at(&folder.path().join("run")).expect("it is new");
    let header = plan.genesis_header();
    let genesis = Genesis { build: String::new(), header: header.clone(), plan: plan.clone() };
    let log = SledLog::create(&run.log_dir(), &genesis, Durability::End);
    drop(log.expect("it can be written"));
    let until = Height(plan.genesis.height.0 + blocks);
    let order = ChainOrder::inside(run.path.clone(), until);
    let progress = Progress::new(until.0, Showing::Nothing);
    launch(order, &ChildLogs { format: "text" }, &progress, |_| {}).expect("it runs");
    let log = SledLog::open(&run.log_dir()).expect("it is there");
    let mut folder = Folder::new(plan.genesis.clone(), &header).expect("it is its genesis");
    pursue(&mut folder, &log, log.tip(), |frame, after| show(&plan, frame, after)).expect("sound");
    plan
}

/// Which events change what is known in one place; real players say whether it knows them all.
#[test]
fn gauges_are_of_the_block_alone() {
    for (scenario, blocks) in [("quickstart.toml", 120), ("kitchen-sink.toml", 60)] {
        let mut metrics = None;
        let mut seen = BTreeSet::new();
        let name = Path::new("run");
        play(scenario, blocks, |plan, frame, after| {
            let named = || [1, 2].map(NetUid);
            let metrics = metrics.get_or_insert_with(|| Metrics::of(plan, name).naming(named()));
            let fresh = Metrics::of(plan, name).naming(named());
            metrics.block(frame, after);
            fresh.block(frame, after);
            check_same_gauges(metrics, &fresh);
            seen.extend(frame.events.iter().map(Event::kind));
        });
        for kind in ["epoch_run", "stake_added", "weights_set"] {
            assert!(seen.contains(kind), "{scenario} has no {kind}: {seen:?}");
        }
        let metrics = metrics.expect("there are blocks");
        check_bounds(&metrics);
        let gauge = |name: &str| {
            let samples = metrics.samples().filter(|it| it.family.name == name);
            samples.map(|it| it.value).fold(0.0, f64::max)
        };
        for name in [
            "btemu_subnet_agreement_ratio",
            "btemu_subnet_incentive_gini_ratio",
            "btemu_subnet_bonds",
            "btemu_role_stake_alpha",
            "btemu_neuron_dividends_ratio",
            "btemu_subnet_emission_alpha_total",
            "btemu_subnet_epochs_total",
        ] {
            assert!(gauge(name) > 0.0, "{scenario}: nothing of {name}");
        }
    }
}

/// No family has more series than the page says.
fn check_bounds(metrics: &Metrics) {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    metrics.samples().for_each(|it| *counts.entry(it.family.name).or_insert(0) += 1);
    let of = |name: &str| counts.get(name).copied().unwrap_or(0);
    let (subnets, neurons) = (of("btemu_subnet_info"), of("btemu_neuron_info"));
    for family in FAMILIES {
        let (times, scale) = family.bound();
        let most = match scale {
            Scale::Fixed => times,
            Scale::Subnets => times * subnets,
            Scale::NamedNeurons => times * neurons,
            Scale::Events => Event::kinds().len() as u64,
            Scale::Detectors => crate::detect::DETECTORS.len() as u64,
            Scale::Outcomes | Scale::Faults | Scale::Behaviours | Scale::Processes => continue,
        };
        assert!(of(family.name) <= most, "{}: {} of {most}", family.name, of(family.name));
    }
}

/// What the books say of everybody is what `accounting` says, added up; income only grows.
#[test]
fn revenue_and_wealth_are_those_of_the_books() {
    use crate::accounting::{Accounts, Watch, price, value};
    use protocol::apply::apply;
    use protocol::frame::Projection;
    let mut metrics: Option<Metrics> = None;
    let mut books: Option<(Accounts, State)> = None;
    let mut income = Vec::new();
    let mut compared = 0;
    play("quickstart.toml", 120, |plan, frame, after| {
        let metrics = metrics.get_or_insert_with(|| {
            let people = People::open(plan, &plan.genesis);
            Metrics::of(plan, Path::new("run")).accounting(people)
        });
        let (accounts, before) = books.get_or_insert_with(|| {
            (Accounts::open(Watch::All, &plan.genesis), plan.genesis.clone())
        });
        metrics.block(frame, after);
        accounts.block(frame, before, after);
        frame.events.iter().for_each(|event| apply(before, event).expect("it fits"));
        if !(frame.header.height.0 - plan.genesis.height.0).is_multiple_of(people::PEOPLE_EVERY) {
            return;
        }
        let sum = |name: &str, form: &str| -> f64 {
            let samples = metrics.samples().filter(|it| it.family.name == name);
            let wanted = samples
                .filter(|it| form.is_empty() || it.labels.iter().any(|(_, value)| value == form));
            wanted.map(|it| it.value).sum()
        };
        let positions = || accounts.books().values().flat_map(|book| &book.positions);
        let worth = |netuid, alpha| value(alpha, price(after, netuid)).0 as f64;
        let earned: u64 =
            positions().flat_map(|(_, it)| it.income.values()).map(|it| it.rao.0).sum();
        let result: f64 = positions()
            .map(|((netuid, _), it)| {
                it.realised as f64 + worth(*netuid, it.alpha) - it.cost.0 as f64
            })
            .sum();
        let free: u64 = after.accounts.values().map(|account| account.free.0).sum();
        let rows = [
            (sum("btemu_player_income_tao_total", ""), earned as f64),
            (sum("btemu_player_price_result_tao", ""), result),
            (sum("btemu_player_wealth_tao", "free"), free as f64),
        ];
        for (shown, rao) in rows {
            assert!((shown - rao / 1e9).abs() < 1e-6, "{shown} is not {rao}");
        }
        income.push(sum("btemu_player_income_tao_total", ""));
        compared += 1;
    });
    assert_eq!(compared, 12);
    assert!(income.is_sorted() && income.last() > income.first(), "{income:?}");
    let roles: BTreeSet<String> = metrics
        .expect("there are blocks")
        .samples()
        .filter(|it| it.family.name == "btemu_player_wealth_tao")
        .map(|it| it.labels[0].1.clone())
        .collect();
    assert!(
        ["owner", "validator", "miner", "staker", "others"]
            .iter()
            .all(|role| roles.contains(*role))
    );
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
        let (times, _) = family.bound();
        assert!(times > 0, "{name} has series");
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
            let (times, scale) = family.bound();
            let bound = match scale {
                Scale::Fixed => times.to_string(),
                scale if times == 1 => scale.letter().to_owned(),
                scale => format!("{times} {}", scale.letter()),
            };
            format!("| `{name}` | {kind} | {unit} | {labels} | {} | {bound} |", family.help)
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
