//! Scenarios: arbitrary text, and those that ship with their tokens changed, doubled and moved, in every language; and
//! what is laid over them by `--set`. Each becomes a plan or one sentence.

use super::damage::damage;
use super::trial::{Choices, Tally, Target, try_inputs};
use crate::scenario::document::Document;
use crate::scenario::error::ScenarioError;
use crate::scenario::format::Format;
use crate::scenario::{Overrides, parse, read_forked, read_shown, read_under};
use std::path::Path;
use std::sync::LazyLock;

const INPUTS: u64 = 2_500;

/// Small ones, so that a plan takes milliseconds.
const TEXTS: [&str; 5] = [
    include_str!("../../../configs/quickstart.toml"),
    include_str!("../../../configs/chaos-network.toml"),
    include_str!("../../../configs/living-network.toml"),
    include_str!("../../../configs/registration-race.toml"),
    include_str!("../../../tests/golden/log/scenario.toml"),
];

/// Values that somebody may write.
const VALUES: [&str; 44] = [
    "0",
    "1",
    "-1",
    "7",
    "255",
    "256",
    "65535",
    "65536",
    "1000000",
    "1000001",
    "4000000000",
    "4294967295",
    "4294967296",
    "9223372036854775807",
    "-9223372036854775808",
    "18446744073709551615",
    "99999999999999999999999",
    "\"18446744073709551615\"",
    "\"18446744073709551616\"",
    "0.5",
    "1e300",
    "nan",
    "-inf",
    "true",
    "false",
    "\"\"",
    "\"all\"",
    "\"1 TAO\"",
    "\"18446744073.709551615 TAO\"",
    "\"0.0000000001 TAO\"",
    "\"7 rao\"",
    "\"1 alpha\"",
    "\"1 TAO 1\"",
    "\"+18446744073709551615\"",
    "\"99999999999999d\"",
    "\"é\"",
    "\"\\u0000\"",
    "[]",
    "[1, 65535]",
    "[[[[1]]]]",
    "{}",
    "{ a = { b = { c = 1 } } }",
    "1979-05-27T07:32:00Z",
    "\"block\"",
];

/// Values that only YAML has.
const YAML_VALUES: [&str; 24] = [
    "~",
    "yes",
    "007",
    "0x1f",
    "1_000",
    ".inf",
    "-.5e-3",
    "'it''s'",
    "!!str 7",
    "! a",
    "&a 7",
    "*a",
    "&a [*a]",
    "[&b 1, *b, *b]",
    "{<<: *a}",
    "{? [1] : 2}",
    "|\n  a\n b",
    ">-\n\n  a",
    "a: b",
    "# a",
    "\t1",
    "- 1",
    "\n---\na: 1",
    "\"\\ud834\\udd1e\\ud834\"",
];

/// Keys that somebody may set, and some that nobody should.
const PATHS: [&str; 34] = [
    "run.seed",
    "run.blocks",
    "run.processes",
    "run.pace",
    "scenario.name",
    "genesis.height",
    "genesis.time",
    "genesis.total_issuance",
    "genesis.flow_ema_total",
    "genesis.root_stake",
    "genesis.snapshot",
    "network.slice_ms",
    "network.latency_ms_max",
    "network.loss_ppm",
    "beacon.period_ms",
    "beacon.first_round",
    "limits.extrinsics_per_block_max",
    "log.sync_interval",
    "rules.subnet_limit",
    "rules.version",
    "hyperparameters.tempo",
    "hyperparameters.max_allowed_uids",
    "hyperparameters.min_burn",
    "players.validators.count",
    "players.miners.count",
    "subnet.1.tao_reserve",
    "subnet.65535.tempo",
    "timeline[0].at",
    "fault[0].at",
    "fault[0].for",
    "fault[0].ppm",
    "fault[1].every",
    "players[4000000000].count",
    "a[-1].b",
];

/// A text cut where values, keys and marks begin and end.
fn tokens(text: &str) -> Vec<&str> {
    let is_mark = |letter: char| " \n=[]{},.:\"".contains(letter);
    text.split_inclusive(is_mark)
        .flat_map(|token| match token.char_indices().last() {
            Some((at, mark)) if is_mark(mark) => vec![&token[..at], &token[at..]],
            _ => vec![token],
        })
        .filter(|token| !token.is_empty())
        .collect()
}

/// A text with a few lines changed; a mark stands between keys and values.
fn changed(text: &str, mark: char, values: &[&str], choices: &mut Choices<'_>) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for _ in 0..=choices.below(3) {
        let (at, other) = (choices.below(lines.len()), choices.below(lines.len()));
        match choices.below(8) {
            0 => drop(lines.remove(at)),
            1 => lines.insert(at, lines[other].clone()),
            2 => lines.swap(at, other),
            3 | 4 => {
                if let Some((key, _)) = lines[at].split_once(mark) {
                    lines[at] = format!("{key}{mark} {}", choices.of(values));
                }
            }
            _ => {
                let mut tokens: Vec<String> =
                    tokens(&lines[at]).into_iter().map(str::to_owned).collect();
                let numbers = |token: &String| token.bytes().all(|byte| byte.is_ascii_digit());
                let places: Vec<usize> =
                    (0..tokens.len()).filter(|place| numbers(&tokens[*place])).collect();
                let place = match places.is_empty() {
                    true => choices.below(tokens.len()),
                    false => *choices.of(&places),
                };
                if let Some(token) = tokens.get_mut(place) {
                    (*choices.of(values)).clone_into(token);
                }
                lines[at] = tokens.concat();
            }
        }
    }
    lines.join("\n")
}

fn try_scenario(choices: &mut Choices<'_>, tally: &Tally) {
    tally.count("tried");
    let text = *choices.of(&TEXTS);
    let mut overrides = Overrides::default();
    let text = match choices.below(8) {
        0 => String::from_utf8_lossy(choices.rest()).into_owned(),
        1 => {
            let mut bytes = text.as_bytes().to_vec();
            damage(&mut bytes, text.as_bytes(), choices);
            String::from_utf8_lossy(&bytes).into_owned()
        }
        2 | 3 => {
            for _ in 0..=choices.below(2) {
                let (path, value) = (choices.of(&PATHS), choices.of(&VALUES));
                overrides.set.push(((*path).to_owned(), (*value).to_owned()));
            }
            text.to_owned()
        }
        _ => changed(text, '=', &VALUES, choices),
    };
    let read = match choices.below(4) {
        0 => read_forked(&text, &overrides),
        _ => read_shown(&text, &overrides),
    };
    let planned = read.and_then(|scenario| {
        tally.count("a scenario");
        scenario.log();
        scenario.plan()
    });
    match planned {
        Ok(plan) => {
            assert_eq!(plan.genesis.misfit(), None);
            plan.genesis_header();
            tally.count("a plan");
        }
        Err(error) => told(&error),
    }
}

/// One clear sentence.
fn told(error: &ScenarioError) {
    let text = error.to_string();
    assert!(!text.is_empty() && text.len() < 10_000, "{} letters", text.len());
}

#[test]
fn any_scenario_is_a_plan_or_a_sentence() {
    let tally = Tally::default();
    try_inputs!("any_scenario_is_a_plan_or_a_sentence", INPUTS, |choices| {
        try_scenario(choices, &tally)
    });
    tally.wants(&[("a scenario", 100), ("a plan", 50)]);
}

/// What ships, in the languages that it does not ship in.
static OTHERS: LazyLock<Vec<(&str, String)>> = LazyLock::new(|| {
    let written = |text: &str, format: Format| {
        let document = parse::<Document>("x.toml", text).expect("what ships is valid");
        format.written(&document).expect("its numbers are some")
    };
    let both = |text: &&'static str| {
        [("x.yaml", written(text, Format::Yaml)), ("x.json", written(text, Format::Json))]
    };
    TEXTS.iter().flat_map(both).collect()
});

/// JSON is YAML and means the same as either, and what is taken is taken again as it is written.
fn try_language(choices: &mut Choices<'_>, tally: &Tally) {
    tally.count("tried");
    let (file, text) = choices.of(&OTHERS);
    let only_yaml = if *file == "x.yaml" { &YAML_VALUES[..] } else { &[] };
    let values = [&VALUES[..], only_yaml].concat();
    let text = match choices.below(8) {
        0 => String::from_utf8_lossy(choices.rest()).into_owned(),
        1 => {
            let mut bytes = text.as_bytes().to_vec();
            damage(&mut bytes, text.as_bytes(), choices);
            String::from_utf8_lossy(&bytes).into_owned()
        }
        _ => changed(text, ':', &values, choices),
    };
    let document = match parse::<Document>(file, &text) {
        Ok(document) => document,
        Err(error) => return told(&error),
    };
    tally.count(file);
    let same = |file: &str, text: &str| {
        let again = parse::<Document>(file, text).unwrap_or_else(|error| panic!("{error}: {text}"));
        // As a text, for a float that is no number is not the same as itself.
        assert_eq!(Format::Toml.written(&again), Format::Toml.written(&document), "{text}");
    };
    // YAML wants some letters escaped that JSON does not.
    if *file == "x.json" && !text.contains(|letter: char| letter.is_control() && letter != '\n') {
        same("x.yaml", &text);
    }
    for (file, format) in [("x.yaml", Format::Yaml), ("x.json", Format::Json)] {
        same(file, &format.written(&document).expect("neither language has nan or inf"));
    }
    match read_under(Path::new(file), &text, &[]).and_then(|scenario| scenario.plan()) {
        Ok(plan) => {
            assert_eq!(plan.genesis.misfit(), None);
            tally.count("a plan");
        }
        Err(error) => told(&error),
    }
}

#[test]
fn any_scenario_in_another_language_is_a_plan_or_a_sentence() {
    let tally = Tally::default();
    try_inputs!("any_scenario_in_another_language_is_a_plan_or_a_sentence", INPUTS, |choices| {
        try_language(choices, &tally)
    });
    tally.wants(&[("x.yaml", 20), ("x.json", 20), ("a plan", 25)]);
}

/// What each of these asks for would take all memory, or all time.
#[test]
fn what_is_too_much_is_refused_by_name() {
    let rows = [
        ("players.miners.count", "4000000000", "players: "),
        ("players.miners.count", "4294967295", "players: "),
        ("genesis.height", "9223372036854775807", "genesis.height: "),
        ("run.blocks", "9223372036854775807", "run.blocks: "),
        ("players[4000000000].count", "1", "players[4000000000].count"),
        ("timeline[99999].at", "1", "timeline[99999].at"),
    ];
    for (path, value, expected) in rows {
        let set = vec![(path.to_owned(), value.to_owned())];
        let read = read_shown(TEXTS[0], &Overrides { set, ..Overrides::default() });
        let told = read.and_then(|scenario| scenario.plan()).map(|_| "a plan");
        let told = told.expect_err(path).to_string();
        assert!(told.contains(expected), "{told}");
    }
}

/// Parsers that call themselves for each level have an end of the stack.
#[test]
fn deep_nesting_is_refused() {
    let deep = 100_000;
    let rows = [
        format!("a = {}", "[".repeat(deep)),
        format!("a = {}1{}", "[".repeat(deep), "]".repeat(deep)),
        format!("a = {}", "{ b = ".repeat(deep)),
        format!("{}b = 1", "a.".repeat(deep)),
        format!("[{}b]", "a.".repeat(deep)),
        format!("[[{}b]]", "a.".repeat(deep)),
    ];
    for text in rows {
        let told = read_shown(&text, &Overrides::default()).expect_err("it is no scenario");
        assert!(!told.to_string().is_empty());
    }
    let rows = [
        ("x.yaml", format!("a: {}", "[".repeat(deep))),
        ("x.yaml", format!("a: {}1{}", "[".repeat(deep), "]".repeat(deep))),
        ("x.yaml", format!("a: {}", "{ b: ".repeat(deep))),
        ("x.yaml", format!("a:\n{}1", "- ".repeat(deep))),
        ("x.yaml", format!("{}1", "? ".repeat(deep))),
        ("x.yaml", (0..2_000).map(|level| format!("{}a:\n", " ".repeat(level))).collect()),
        ("x.json", format!("{{\"a\": {}", "[".repeat(deep))),
        ("x.json", format!("{{\"a\": {}{}}}", "[".repeat(deep), "]".repeat(deep))),
        ("x.json", format!("{}1{}", "{\"a\":".repeat(deep), "}".repeat(deep))),
    ];
    for (file, text) in rows {
        let told = parse::<Document>(file, &text).expect_err("it is no scenario");
        assert!(told.to_string().starts_with(&format!("{file}:")), "{told}");
    }
    for (path, value) in [("a", "[".repeat(deep)), ("a.".repeat(deep).as_str(), "1".to_owned())] {
        let set = vec![(path.to_owned(), value)];
        let read = read_shown(TEXTS[0], &Overrides { set, ..Overrides::default() });
        assert!(read.is_err());
    }
}
