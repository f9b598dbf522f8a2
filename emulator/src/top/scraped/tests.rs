//! What is read of real metrics, and what is said where there are none.

use super::*;
use crate::metrics::tests::{empty, network};
use crate::metrics::{Metrics, Process, RunLabels, Server};
use actors::registry::Role;

fn labelled(run: &str) -> Metrics {
    let (scenario, run) = ("quick \"start\"".to_owned(), run.to_owned());
    Metrics::new(RunLabels { scenario, seed: 42, run, version: "0.1.0", commit: "" })
}

/// A run of three subnets after its hundredth block.
fn metrics() -> Metrics {
    let metrics = labelled("a");
    metrics.block(&empty(100), &network([64, 1, 3]));
    metrics.speed(12.5, 8.0);
    metrics.players(&[(Role::Owner, 3), (Role::Miner, 0)]);
    let process = |name: &str, players| Process {
        name: name.to_owned(),
        resident_bytes: 5 << 20,
        cpu_seconds: None,
        players,
        steps: 7,
    };
    metrics.processes([process("chain", 0), process("host-0", 3)]);
    metrics
}

fn near(one: f64, other: f64) -> bool {
    (one - other).abs() <= 1e-9 * other.abs()
}

#[test]
fn what_metrics_show_is_what_a_door_would_tell() {
    let Seen { scene, genesis, labels, counts } =
        seen(&metrics().text(), None).expect("it is a run").expect("it has a block");
    let told = Scene::of(&network([64, 1, 3]), None);
    assert_eq!((scene.height, genesis), (100, 0));
    assert_eq!(labels, "scenario quick \"start\", seed 42, run a");
    for (one, other) in [
        (scene.issuance, told.issuance),
        (scene.lock_cost, told.lock_cost),
        (scene.stake, told.stake),
    ] {
        assert!(near(one.0 as f64, other.0 as f64), "{scene:?} is not {told:?}");
    }
    assert_eq!(scene.subnets.len(), 3);
    for (one, other) in scene.subnets.iter().zip(&told.subnets) {
        assert_eq!((one.netuid, &one.name), (other.netuid, &other.name));
        assert_eq!((one.neurons, one.validators), (other.neurons, other.validators));
        for (one, other) in [
            (one.price, other.price),
            (one.moving_price, other.moving_price),
            (one.share, other.share),
            (one.flow, other.flow),
            (one.reserve, other.reserve),
        ] {
            assert!(near(one, other), "{scene:?} is not {told:?}");
        }
    }
    assert_eq!((counts.blocks_per_second, counts.restarts), (Some(12.5), None));
    let process = |name: &str, players| CountedProcess {
        name: name.to_owned(),
        rss_bytes: 5 << 20,
        players: Some(players),
        steps: Some(7),
    };
    assert_eq!(counts.processes, [process("chain", 0), process("host-0", 3)]);
    assert!(counts.lines.contains(&("players", "owner 3".to_owned())), "{counts:?}");
    assert!(counts.lines.contains(&("messages", "sent 0, delivered 0, dropped 0".to_owned())));
    assert!(counts.lines.iter().all(|(name, _)| *name != "alarms"), "nobody watches: {counts:?}");
}

#[test]
fn what_is_no_run_is_said() {
    let text = metrics().text();
    let without = |name: &str| {
        let lines = text.lines().filter(|line| !line.starts_with(name));
        lines.map(|line| format!("{line}\n")).collect::<String>()
    };
    let rows = [
        (String::new(), Err("no metrics of btemu are served there")),
        ("<html>no</html>\n".to_owned(), Err("no metrics of btemu are served there")),
        ("up 1\nx{y=\"z\" 7\nx{y=\"z}\n{} 7\n".to_owned(), Err("no metrics of btemu")),
        (labelled("a").text(), Ok(None::<Seen>)),
        (without("btemu_total_issuance_tao"), Err("btemu_total_issuance_tao is not served there")),
        (
            without("btemu_subnet_price_tao{netuid=\"3\""),
            Err("btemu_subnet_price_tao of subnet 3 is not served there"),
        ),
    ];
    for (text, expected) in rows {
        match (seen(&text, None), expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{text}"),
            (Err(what), Err(expected)) => assert!(what.contains(expected), "{what}"),
            (found, expected) => panic!("{found:?} instead of {expected:?} of {text}"),
        }
    }
}

#[test]
fn lines_of_the_text_format_are_read() {
    let rows = [
        ("a 1", Some(("a", vec![], 1.0))),
        ("a{} 1 1395066363000", Some(("a", vec![], 1.0))),
        ("a{b=\"c\"} -1.5e3", Some(("a", vec![("b", "c")], -1_500.0))),
        ("a{b=\"c\",d=\"e\",} +Inf", Some(("a", vec![("b", "c"), ("d", "e")], f64::INFINITY))),
        ("a{b=\"}{,\\\"\\\\\\n\"} 0", Some(("a", vec![("b", "}{,\"\\\n")], 0.0))),
        ("a{b=\"c\"}", None),
        ("a{b=\"c} 1", None),
        ("a{b} 1", None),
        ("a x", None),
        ("", None),
    ];
    for (line, expected) in rows {
        let found = series(line).map(|(name, series)| {
            let labels = series.labels.into_iter().collect::<Vec<_>>();
            (name, labels, series.value)
        });
        let expected = expected.map(|(name, labels, value)| {
            let own = |(one, other): &(&str, &str)| ((*one).to_owned(), (*other).to_owned());
            (name, labels.iter().map(own).collect::<Vec<_>>(), value)
        });
        assert_eq!(found, expected, "{line}");
    }
}

#[test]
fn addresses_are_told_from_folders() {
    let address = |text: &str| Some(Ok(Address(text.to_owned())));
    for (text, expected) in [
        ("127.0.0.1:9464", address("http://127.0.0.1:9464/metrics")),
        ("[::1]:9464", address("http://[::1]:9464/metrics")),
        ("lab.example:80", address("http://lab.example:80/metrics")),
        ("http://lab.example", address("http://lab.example/metrics")),
        ("http://lab.example:1/", address("http://lab.example:1/metrics")),
        ("http://lab.example:1/a/metrics", address("http://lab.example:1/a/metrics")),
        ("runs/latest", None),
        ("run", None),
        ("runs/a:7", None),
        ("a:b", None),
        (":7", None),
    ] {
        assert_eq!(Address::of(text), expected, "{text}");
    }
    for text in ["https://lab.example", "lab.example:0", "lab.example:70000", "http://", "x://a"] {
        assert!(matches!(Address::of(text), Some(Err(_))), "{text}");
    }
}

/// News until it is over, and why it is.
fn heard(scraped: Scraped, then: impl FnOnce()) -> (Vec<u64>, String) {
    let (tell, news) = std::sync::mpsc::sync_channel(64);
    scraped.start(tell).expect("a thread");
    let (mut heights, mut then) = (Vec::new(), Some(then));
    for one in news {
        match one {
            News::Scene(scene) => {
                heights.push(scene.height);
                if let Some(then) = then.take() {
                    then();
                }
            }
            News::Over(why) => return (heights, why),
            _ => {}
        }
    }
    panic!("it never ended: {heights:?}")
}

#[test]
fn a_run_is_followed_until_it_is_gone_or_another_one() {
    let metrics = metrics();
    let server = Server::start("127.0.0.1:0", metrics.clone()).expect("a port is free");
    let address = server.address();
    let enter =
        || Scraped::enter(Address::of(&address.to_string()).expect("it is one").expect("right"));
    let scraped = enter().expect("it is served");
    assert_eq!(scraped.scene.height, 100);
    assert!(scraped.name.contains("seed 42"), "{}", scraped.name);
    metrics.block(&empty(107), &network([1]));
    let another = labelled("b");
    another.block(&empty(200), &network([1]));
    let mut second = None;
    let (heights, why) = heard(scraped, || {
        drop(server);
        second =
            Some(Server::start(&address.to_string(), another).expect("the port is free again"));
    });
    assert_eq!(heights, [107]);
    assert_eq!(why, "after block 107: another run is served there now");
    let scraped = enter().expect("it is served");
    let (_, why) = heard(scraped, || drop(second));
    assert!(why.starts_with("after block 200: http://127.0.0.1:"), "{why}");
    let gone = enter().expect_err("nobody is there");
    assert!(gone.contains("does not answer"), "{gone}");
}
