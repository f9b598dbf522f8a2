//! Every query of every panel, variable and annotation, asked of a real Prometheus that holds a day of simulated time
//! (`configs/showcase.toml`, in which everything moves) and scrapes a live run. Each must have an answer, and one that
//! moves; the exceptions stand below with their reasons, and an exception that is none fails too.
//!
//! `PREVIEW=1 cargo test -p tests --test e2e boards` also draws docs/images.

use super::{Asked, Board, boards, word};
use crate::export::{skip, tool};
use crate::metrics::{free_address, get};
use crate::program::{folder, json, number, root, scenario, start, wait};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tests::prometheus::{Prometheus, Series};

/// Genesis of a scenario that names no calendar, in seconds since 1970, and a day later.
const DAY: (f64, f64) = (1_767_225_600.0, 1_767_312_000.0);
const DAY_STEP_S: u32 = 600;

/// The live run is scraped each second and asked for once it has been for so long.
const LIVE_SECONDS: u64 = 45;
const LIVE_STEP_S: u32 = 1;

/// Boards and panels about the process that makes a run: a past run, exported from its log, says nothing of it.
const LIVE_BOARD: &str = "emulator";
const LIVE_PANELS: [(&str, &str); 4] = [
    ("chaos", "Below the simulation"),
    ("chaos", "Restarts"),
    ("chaos", "Invariants"),
    ("chaos", "Invariants violated"),
];

/// Who need not move, as (board, panel, part), with the reason. An empty part is all of the panel.
const CONSTANT: [(&str, &str, &str, &str); 7] = [
    ("chaos", "Alarms", "", "the attackers of one kind are told at once, and nobody else is"),
    ("chaos", "Invariants violated", "", "it would be a bug of the emulator"),
    ("chaos", "Invariants", "violated", "it would be a bug of the emulator"),
    ("chaos", "Players crashed", "", "it would be a bug of a player"),
    ("network", "Players", "", "the scenario says how many there are"),
    ("stakers", "Players", "", "the scenario says how many there are"),
    ("emulator", "Players", "", "the scenario says how many each process carries"),
];

/// Who moves too seldom for the time of a test, with the reason.
const SELDOM: [(&str, &str, &str); 1] =
    [("emulator", "Log", "the store's file grows in large pieces")];

/// What is asked, and of what time.
struct Source<'a> {
    prometheus: &'a Prometheus,
    run: &'a str,
    time: (f64, f64),
    step_s: u32,
    scrape_s: u32,
}

impl Source<'_> {
    /// A query with every variable put in, as Grafana does it.
    fn filled(&self, board: &Board, expression: &str) -> String {
        let range_s = self.time.1 - self.time.0;
        let rate_s = (4 * self.scrape_s).max(self.step_s + self.scrape_s);
        let mut values = vec![
            ("$__rate_interval", format!("{rate_s}s")),
            ("$__interval", format!("{}s", self.step_s)),
            ("$__range", format!("{range_s:.0}s")),
        ];
        let variables = board.variables();
        for (name, variable) in &variables {
            let value = match *name {
                "datasource" => continue,
                "run" => self.run.to_owned(),
                "window" => word(&variable["current"]["value"]).to_owned(),
                // All of them: by the pattern that the variable has for that, or one after the other.
                _ if variable["multi"] == true => match variable["allValue"].as_str() {
                    Some(all) => all.to_owned(),
                    None => format!("({})", self.offered(board, name).join("|")),
                },
                _ => "1".to_owned(),
            };
            values.push((name, value));
        }
        let mut filled = expression.to_owned();
        for (name, value) in values {
            let name = if name.starts_with('$') { name.to_owned() } else { format!("${name}") };
            filled = filled.replace(&name, &value);
        }
        assert!(!filled.contains('$'), "{}: nobody fills {filled}", board.name);
        filled
    }

    /// The values that a variable offers, as Grafana asks for them.
    fn offered(&self, board: &Board, name: &str) -> Vec<String> {
        let query = word(&board.variables()[name]["query"]["query"]).replace("$run", self.run);
        let inside = query.strip_prefix("label_values(").and_then(|rest| rest.strip_suffix(')'));
        let (selector, label) =
            inside.and_then(|rest| rest.rsplit_once(", ")).expect("label_values(selector, label)");
        assert_eq!(label, name, "{}", board.name);
        let values = self.prometheus.label_values(label, selector, self.time);
        values.unwrap_or_else(|error| panic!("{}: {name}: {error}", board.name))
    }

    fn ask(&self, board: &Board, asked: &Asked) -> Result<Vec<Series>, String> {
        let filled = self.filled(board, &asked.expression);
        let answered = self.prometheus.range(&filled, self.time, self.step_s);
        answered.map_err(|error| format!("{error}\n  {filled}"))
    }

    /// What is wrong with the answer to a query, if anything.
    fn fault(&self, board: &Board, asked: &Asked) -> Option<&'static str> {
        let series = match self.ask(board, asked) {
            Err(error) => panic!("{}: {}: {error}", asked.board, asked.panel),
            Ok(series) => series,
        };
        let moves = |one: &Series| one.points.iter().any(|(_, value)| *value != one.points[0].1);
        // A mark comes and goes, and it is one each time.
        let steps = ((self.time.1 - self.time.0) / f64::from(self.step_s)) as usize;
        let comes = |one: &Series| asked.panel == "annotation" && one.points.len() * 2 < steps;
        let at_the_end = |one: &Series| {
            let last = one.points.last().expect("a series has points").0;
            last + 2.5 * f64::from(self.step_s) > self.time.1
        };
        match series.is_empty() {
            true => Some("has no answer"),
            false if asked.instant && !series.iter().any(at_the_end) => Some("has none at the end"),
            false if !series.iter().any(|one| moves(one) || comes(one)) => Some("never moves"),
            false => None,
        }
    }
}

#[test]
fn every_query_has_an_answer_that_moves() {
    let Some(program) = tool("tools/usr/bin/prometheus", "prometheus") else {
        return skip("queries of boards: there is no prometheus");
    };
    let Some(promtool) = tool("tools/usr/bin/promtool", "promtool") else {
        return skip("queries of boards: there is no promtool");
    };
    let folder = folder();
    past_day(folder.path(), &promtool);
    let address = free_address();
    let config = configuration(folder.path(), address);
    let prometheus = Prometheus::start(&program, &config, &folder.path().join("data"));
    let live = begin_live(folder.path(), address, &prometheus);
    let began = now_s();

    let boards = boards();
    let source = |run, time, step_s, scrape_s| Source {
        prometheus: &prometheus,
        run,
        time,
        step_s,
        scrape_s,
    };
    let day = source("showcase", DAY, DAY_STEP_S, 60);
    check_that_faults_are_seen(&day, &boards[0]);
    let mut faults = BTreeSet::new();
    for board in boards.iter().filter(|board| board.name != LIVE_BOARD) {
        check(&mut faults, &day, board, |asked| !is_live(asked));
        check_variables(&day, board);
    }
    let wanted = std::env::var_os("PREVIEW").is_some();
    let began =
        wait_for_scrapes(began, address, if wanted { 4 * LIVE_SECONDS } else { LIVE_SECONDS });
    let now = source("live", (began, now_s()), LIVE_STEP_S, 1);
    for board in &boards {
        check(&mut faults, &now, board, is_live);
        if board.name == LIVE_BOARD {
            check_variables(&now, board);
        }
    }
    check_rules(&prometheus);
    check_written(&prometheus);
    draw(folder.path(), &day, &now, wanted);
    stop(live);

    let excused: BTreeSet<(String, String, String)> = faults
        .iter()
        .filter(|(asked, fault)| *fault == "never moves" && excuse(asked).is_some())
        .map(|(asked, _)| (asked.board.clone(), asked.panel.clone(), asked.part.clone()))
        .collect();
    let left: Vec<String> = faults
        .iter()
        .filter(|(asked, fault)| !(*fault == "never moves" && excuse(asked).is_some()))
        .map(|(asked, fault)| {
            format!(
                "{}: {} ({}) {fault}: {}",
                asked.board, asked.panel, asked.part, asked.expression
            )
        })
        .collect();
    assert!(left.is_empty(), "{}", left.join("\n"));
    for (board, panel, part, reason) in CONSTANT {
        let used = excused.iter().any(|(of, title, name)| {
            of == board && title == panel && (part.is_empty() || name == part)
        });
        assert!(used, "{board}: {panel} moves, though it is said that {reason}");
    }
}

/// A query without an answer, one whose answer was over long ago, and one that never moves do not pass.
fn check_that_faults_are_seen(source: &Source<'_>, board: &Board) {
    let asked = |expression: &str, instant| Asked {
        board: board.name.clone(),
        panel: "none".to_owned(),
        part: String::new(),
        expression: expression.to_owned(),
        instant,
    };
    let early = "btemu_block_height{run=~\"$run\"} < 1000";
    for (expression, instant, fault) in [
        ("btemu_nothing{run=~\"$run\"}", false, Some("has no answer")),
        ("btemu_block_height{run=~\"$run\"} / 0", false, Some("has no answer")),
        (early, true, Some("has none at the end")),
        (early, false, None),
        ("btemu_players{run=~\"$run\"}", false, Some("never moves")),
        ("btemu_block_height{run=~\"$run\"}", true, None),
    ] {
        assert_eq!(source.fault(board, &asked(expression, instant)), fault, "{expression}");
    }
}

fn check(
    faults: &mut BTreeSet<(Asked, &'static str)>,
    source: &Source<'_>,
    board: &Board,
    of: impl Fn(&Asked) -> bool,
) {
    let asked = [board.queries(), board.annotations()].concat();
    for asked in asked.into_iter().filter(of) {
        if let Some(fault) = source.fault(board, &asked) {
            faults.insert((asked, fault));
        }
    }
}

/// A variable offers something to choose from.
fn check_variables(source: &Source<'_>, board: &Board) {
    let mut queries = 0;
    for (name, variable) in board.variables() {
        if variable["type"] != "query" {
            continue;
        }
        let values = source.offered(board, name);
        let least = if name == "run" { 1 } else { 2 };
        assert!(values.len() >= least, "{}: {name} offers {values:?}", board.name);
        queries += 1;
    }
    assert!(queries > 0, "{} has no variable that asks", board.name);
}

fn is_live(asked: &Asked) -> bool {
    let panel = (asked.board.as_str(), asked.panel.as_str());
    // Of a run without faults below the simulation nothing is ever started again.
    let restarts = asked.panel == "annotation" && asked.part == "Restarts";
    asked.board == LIVE_BOARD || LIVE_PANELS.contains(&panel) || restarts
}

fn excuse(asked: &Asked) -> Option<&'static str> {
    let seldom =
        SELDOM.iter().find(|(board, panel, _)| asked.board == *board && asked.panel == *panel);
    if let Some((.., reason)) = seldom {
        return Some(reason);
    }
    let found = CONSTANT.iter().find(|(board, panel, part, _)| {
        asked.board == *board && asked.panel == *panel && (part.is_empty() || asked.part == *part)
    });
    found.map(|(.., reason)| *reason)
}

/// A day that is over, exported from its log and loaded as grafana/README.md says.
fn past_day(folder: &Path, promtool: &Path) {
    let showcase = scenario("showcase.toml");
    let run = ["run", &showcase, "--out", "showcase", "--processes", "0", "--json"];
    let ran = json(folder, &run);
    assert_eq!(number(&ran, "blocks"), 7_200, "{ran}");
    let export =
        ["export", "showcase", "--format", "openmetrics", "--out", "showcase.txt", "--json"];
    json(folder, &export);
    let arguments = [
        "tsdb",
        "create-blocks-from",
        "openmetrics",
        "--max-block-duration=744h",
        "showcase.txt",
        "data",
    ];
    let output = Command::new(promtool).args(arguments).current_dir(folder).output();
    let output = output.expect("it starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// The configuration that ships, with the live run's address and faster scrapes.
fn configuration(folder: &Path, address: SocketAddr) -> std::path::PathBuf {
    let shipped = fs::read_to_string(root().join("grafana/prometheus.yml")).expect("it ships");
    let mut adapted = shipped.replace("127.0.0.1:9464", &address.to_string());
    for (from, to) in [
        ("scrape_interval: 5s".to_owned(), "scrape_interval: 1s\n  scrape_timeout: 1s".to_owned()),
        ("evaluation_interval: 5s".to_owned(), "evaluation_interval: 1s".to_owned()),
        ("rules/".to_owned(), format!("{}/", root().join("grafana/rules").display())),
    ] {
        assert!(adapted.contains(&from), "grafana/prometheus.yml has no {from}");
        adapted = adapted.replace(&from, &to);
    }
    let path = folder.join("prometheus.yml");
    fs::write(&path, adapted).expect("writable");
    path
}

/// A run that is struck below the simulation, checks its invariants, serves its metrics and sends them too.
fn begin_live(folder: &Path, address: SocketAddr, prometheus: &Prometheus) -> Child {
    let showcase = scenario("showcase.toml");
    let address = address.to_string();
    let receiver = format!("{}/api/v1/write", prometheus.url());
    let faults = "fault=[{kind=\"kill-host\",at=\"+120\"},{kind=\"garble\",at=\"+220\"}]";
    let arguments = [
        "run",
        &showcase,
        "--out",
        "live",
        "--processes",
        "2",
        "--pace",
        "120x",
        "--blocks",
        "7000",
        "--check-invariants",
        "--metrics",
        &address,
        "--remote-write",
        &receiver,
        "--set",
        faults,
        "--set",
        "log.sync_interval=20",
        "--set",
        "log.checkpoint_interval=60",
        "--json",
    ];
    start(folder, &arguments)
}

/// When the first page could be had; returns once that is long enough ago.
fn wait_for_scrapes(began: f64, address: SocketAddr, seconds: u64) -> f64 {
    let patience = Instant::now();
    while get(address).is_none() {
        assert!(patience.elapsed() < Duration::from_secs(120), "the live run serves no metrics");
        std::thread::sleep(Duration::from_millis(100));
    }
    let until = began + seconds as f64;
    while now_s() < until {
        std::thread::sleep(Duration::from_millis(200));
    }
    began
}

fn now_s() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs_f64()
}

/// Recorded rules have values, and no rule fails to be evaluated.
fn check_rules(prometheus: &Prometheus) {
    let rules = prometheus.data("/api/v1/rules").expect("it answers");
    let groups = rules["groups"].as_array().expect("groups");
    assert_eq!(groups.len(), 3, "{rules}");
    for rule in groups.iter().flat_map(|group| group["rules"].as_array().expect("rules")) {
        assert_eq!(rule["health"], "ok", "{rule}");
        if rule["type"] == "recording" {
            let name = word(&rule["name"]);
            let now = now_s();
            let series = prometheus.range(name, (now - 30.0, now), 1).expect("it is a query");
            assert!(!series.is_empty(), "{name} was recorded without a value");
        }
    }
}

/// Samples that the live run sent are there at their simulated time.
fn check_written(prometheus: &Prometheus) {
    let height = "btemu_block_height{run=\"live\", job=\"\"}";
    let series = prometheus.range(height, DAY, 60).expect("it is a query");
    let points: Vec<(f64, f64)> = series.into_iter().flat_map(|one| one.points).collect();
    assert!(points.len() > 3, "nothing came by remote write: {points:?}");
    for (at, height) in points {
        let block = (at - DAY.0) / 12.0;
        assert!(height <= block && height + 35.0 > block, "block {height} at {at}");
    }
}

/// Pictures of what was asked, where there is a library to draw them: two, or all if docs/images is to be made.
fn draw(folder: &Path, day: &Source<'_>, live: &Source<'_>, all: bool) {
    let python = tool("python/bin/python", "python3").filter(|python| {
        let import = Command::new(python).args(["-c", "import matplotlib"]).output();
        import.is_ok_and(|output| output.status.success())
    });
    let Some(python) = python else {
        return skip("pictures of boards: python3 has no matplotlib");
    };
    let out = if all { root().join("docs/images") } else { folder.join("images") };
    let names = boards().into_iter().map(|board| board.name);
    let names = names.filter(|name| all || name == LIVE_BOARD || name == "network");
    for name in names {
        let source = if name == LIVE_BOARD { live } else { day };
        let (begin, end) = source.time;
        let time = |at: f64| format!("@{at}");
        let step = if name == LIVE_BOARD { 1 } else { 300 };
        let output = Command::new(&python)
            .arg(root().join("grafana/preview.py"))
            .args(["--url", &source.prometheus.url(), "--run", source.run, "--board", &name])
            .args(["--from", &time(begin), "--to", &time(end), "--step", &step.to_string()])
            .args(["--set", "subnet.netuid=2", "--out"])
            .arg(&out)
            .output()
            .expect("it starts");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{name}: {errors}");
        let picture = fs::metadata(out.join(format!("{name}.png"))).expect("it was drawn");
        assert!((20_000..500_000).contains(&picture.len()), "{name}: {} bytes", picture.len());
    }
}

fn stop(live: Child) {
    let killed = Command::new("kill").args(["-INT", &live.id().to_string()]).status();
    assert!(killed.is_ok_and(|status| status.success()));
    let said = wait(live);
    assert_eq!(said.code, 0, "{said:?}");
    let told: Value = serde_json::from_str(&said.stdout).expect("an object");
    assert!(number(&told, "restarts") >= 1, "it was struck: {told}");
}
