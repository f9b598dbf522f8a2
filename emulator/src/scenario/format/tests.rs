//! Languages: the same scenario in each of them, and what is wrong in YAML and JSON.

use super::*;
use crate::scenario::tests::{MISTAKES, SMALL, check_file, overlay};
use crate::scenario::{Scenario, list, shipped_text};

const SMALL_YAML: &str = r#"
players:
  - { name: owners, role: owner, behaviour: hold, stake_ppm: 100000 }
  - { name: validators, role: validator, behaviour: sampler, count: 2 }
  - { name: miners, role: miner, behaviour: quality, count: 3 }
  - name: movers
    role: staker
    behaviour: noise
    count: 4
    balance: 10 TAO
scenario:
  name: small
run:
  blocks: 50
hyperparameters:
  tempo: 9
subnet:
- count: 2
- netuid: 9
"#;

const SMALL_JSON: &str = r#"{
	"$schema": "./scenario.schema.json",
	"players": [
		{"name": "owners", "role": "owner", "behaviour": "hold", "stake_ppm": 100000},
		{"name":"validators","role":"validator","behaviour":"sampler","count":2},
		{"name": "miners", "role": "miner", "behaviour": "quality", "count": 3},
		{"name": "movers", "role": "staker", "behaviour": "noise", "count": 4, "balance": "10 TAO"}
	],
	"scenario": {"name": "small"},
	"run": {"blocks": 50},
	"hyperparameters": {"tempo": 9},
	"subnet": [{"count": 2}, {"netuid": 9}]
}
"#;

fn hash(scenario: &Scenario) -> String {
    scenario.plan().expect("it is valid").simulation_hash().to_string()
}

#[test]
fn a_scenario_is_the_same_in_every_language() {
    let toml = check_file("x.toml", SMALL, &[]).expect("valid");
    let others = [("x.yaml", SMALL_YAML), ("X.YML", SMALL_YAML), ("x.json", SMALL_JSON)];
    for (file, text) in others {
        let other = check_file(file, text, &[]).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(other.document(), toml.document(), "{file}");
        assert_eq!(hash(&other), hash(&toml), "{file}");
        let longer = check_file(file, text, &[overlay("players.movers.count", "5")]);
        assert_eq!(longer.expect("valid").document().players[3].count, 5, "{file}");
        let wrong = check_file(file, text, &[overlay("subnet.9.tmepo", "5")]).expect_err(file);
        let expected = "--set subnet.9.tmepo=5: subnet.9: unknown key \"tmepo\"";
        assert!(wrong.starts_with(expected), "{file}: {wrong}");
    }
    for (file, text) in [
        ("x.yaml", ""),
        ("x.yaml", "# nothing\n"),
        ("x.yaml", "---\n"),
        ("x.yaml", "%YAML 1.2\n---\nnull"),
        ("x.json", "{}"),
        ("x.json", "{\"$schema\": \"a\"}"),
    ] {
        let nothing = crate::scenario::parse::<Document>(file, text);
        assert_eq!(nothing, Ok(Document::default()), "{text}");
    }
}

#[test]
fn what_ships_is_the_same_in_every_language() {
    for shipped in list() {
        let text = shipped_text(shipped.path).expect("listed");
        let toml = check_file(shipped.path, text, &[]).expect("what ships is valid");
        for (format, ending) in [(Format::Yaml, "yaml"), (Format::Json, "json")] {
            let file = shipped.path.replace(".toml", &format!(".{ending}"));
            let shown = toml.show(format).expect("known");
            let other = check_file(&file, &shown, &[]).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(other.document(), &toml.written_out().expect("known"), "{file}");
            assert_eq!(other.show(format), Ok(shown), "{file}");
            assert_eq!(hash(&other), hash(&toml), "{file}");
        }
    }
}

/// Texts that a reader of YAML might take for something else.
#[test]
fn what_is_written_is_read_again() {
    let texts = [
        "",
        " ",
        "a",
        "a b",
        "yes",
        "No",
        "null",
        "~",
        "true",
        "7",
        "-7",
        "1_000",
        "1e3",
        ".inf",
        "0x10",
        "a: b",
        "a #b",
        "#a",
        "- a",
        "[a]",
        "{a}",
        "&a",
        "*a",
        "!a",
        "%a",
        "@a",
        "`a`",
        "|",
        ">",
        "'a'",
        "\"a\"",
        "\\",
        "a\nb",
        "a\r\nb\n",
        "\ta",
        "é",
        "\u{85}",
        "\u{a0}",
        "\u{2028}",
        "\u{feff}",
        "\u{fffe}",
        "\u{7f}",
        "\u{0}",
        "🦀",
        "<<",
        "---",
        "...",
        "?",
        "1:2",
        "2026-01-01",
    ];
    for text in texts {
        let mut document = Document::default();
        document.scenario.description = text.to_owned();
        document.hyperparameters.insert(text.to_owned(), 7.into());
        for format in [Format::Toml, Format::Yaml, Format::Json] {
            let file = format!("x.{}", format!("{format:?}").to_lowercase());
            let written = format.written(&document).expect("all numbers are some");
            let read = crate::scenario::parse::<Document>(&file, &written);
            assert_eq!(read.as_ref(), Ok(&document), "{text:?} as {file}: {written}");
        }
    }
}

/// The sentence without the place, which is another in each language.
fn said(file: &str, error: &str) -> String {
    let rest = error.strip_prefix(file).unwrap_or_else(|| panic!("{error}"));
    rest.trim_start_matches(|letter: char| letter == ':' || letter.is_ascii_digit())
        .trim_start()
        .to_owned()
}

#[test]
fn mistakes_are_told_alike_in_every_language() {
    let mut compared = 0;
    for (from, to) in MISTAKES {
        let text = SMALL.replacen(from, to, 1);
        let toml = check_file("x.toml", &text, &[]).expect_err(to);
        let Ok(table) = text.parse::<toml::Table>() else { continue };
        let json = serde_json::to_string_pretty(&table).expect("a table is JSON");
        let yaml = yaml::write(&yaml::read_json(&json).expect("it was just written"));
        for (file, text) in [("x.json", &json), ("x.yaml", &yaml)] {
            let other = check_file(file, text, &[]).expect_err(to);
            let (toml, other) = (said("x.toml", &toml), said(file, &other));
            assert!(other.ends_with(&toml), "{to}\n{toml}\n{other}");
            compared += 1;
        }
    }
    assert!(compared >= 2 * (MISTAKES.len() - 3), "{compared}");
}

#[test]
fn every_mistake_in_yaml_has_its_sentence() {
    let rows = [
        ("  name: small", "  nmae: small"),
        ("  name: small", "  name: 7"),
        ("  name: small", "  name: [small"),
        ("  name: small", "  name: \"small"),
        ("  name: small", "\tname: small"),
        ("  name: small", " name: small\n  seed: 1"),
        ("  name: small", "  name:"),
        ("  name: small", "  name: ~"),
        ("  name: small", "  name: a: b"),
        ("  name: small", "  name: !!str 7"),
        ("  name: small", "  name: !secret a"),
        ("  name: small", "  name: *nobody"),
        ("  name: small", "  name: &a [*a]"),
        ("  name: small", "  ? [name, description]\n  : small"),
        ("  name: small", "  ? *a\n  : small"),
        ("  name: small", "  : small"),
        ("  name: small", "  ~: small"),
        ("  name: small", "  name: small\n  name: other"),
        ("  name: small", "  name: small\n  \"name\": small"),
        ("scenario:\n", "rnu:\n  blocks: 5\nscenario:\n"),
        ("scenario:\n", "run: {}\nscenario:\n"),
        ("scenario:\n", "log:\nscenario:\n"),
        ("scenario:\n", "metrics: { accounts: yes }\nscenario:\n"),
        ("scenario:\n", "metrics: { neuron_netuids: [1, x] }\nscenario:\n"),
        ("scenario:\n", "network: &a { loss_ppm: 5 }\nlimits: *a\nscenario:\n"),
        ("scenario:\n", "network: &a { loss_ppm: 5 }\nbeacon: { <<: *a }\nscenario:\n"),
        ("scenario:\n", "- 7\nscenario:\n"),
        ("blocks: 50", "blocks: 1e3"),
        ("blocks: 50", "blocks: 0.5"),
        ("blocks: 50", "blocks: .inf"),
        ("blocks: 50", "blocks: 1_000"),
        ("blocks: 50", "blocks: 0050"),
        ("blocks: 50", "blocks: 9223372036854775808"),
        ("blocks: 50", "blocks: 0x8000000000000000"),
        ("blocks: 50", "blocks: 1e999"),
        ("blocks: 50", "blocks: -50"),
        ("blocks: 50", "blocks: \"50\""),
        ("blocks: 50", "seed: 1_000"),
        ("blocks: 50", "seed: 18446744073709551615"),
        ("tempo: 9", "tempo: 1_000"),
        ("tempo: 9", "tempo: 1e1"),
        ("balance: 10 TAO", "balance: 10"),
        ("balance: 10 TAO", "settings: { in_pmm: 1 }"),
        ("    count: 4", "    cuont: 4"),
        ("    count: 4", "    arrives: [0, soon]"),
        ("    role: staker\n", ""),
        ("    role: staker\n", "    role: trader\n"),
        ("- netuid: 9", "- netuid: 9\n---\nrun: {}"),
        ("- netuid: 9", "- netuid: 9\n...\nrun: {}"),
        ("\nplayers:", "%YAML 1.1\n---\nplayers:"),
        (SMALL_YAML, "[1, 2]"),
        (SMALL_YAML, "scenario"),
        (SMALL_YAML, "a: b: c"),
        (SMALL_YAML, "run: \u{7}"),
    ];
    let told = rows.map(|(from, to)| {
        assert!(SMALL_YAML.contains(from), "{from}");
        let error = check_file("x.yaml", &SMALL_YAML.replacen(from, to, 1), &[]).expect_err(to);
        format!("{}\n    {error}", to.escape_debug())
    });
    expect_test::expect_file!["wrong_yaml.txt"].assert_eq(&(told.join("\n") + "\n"));
}

#[test]
fn every_mistake_in_json_has_its_sentence() {
    let rows = [
        ("{\"name\": \"small\"}", "{\"nmae\": \"small\"}"),
        ("{\"name\": \"small\"}", "{\"name\": 7}"),
        ("{\"name\": \"small\"}", "{\"name\": null}"),
        ("{\"name\": \"small\"}", "{name: \"small\"}"),
        ("{\"name\": \"small\"}", "{'name': 'small'}"),
        ("{\"name\": \"small\"}", "{\"name\": \"small\",}"),
        ("{\"name\": \"small\"}", "{\"name\": \"small\", \"name\": \"other\"}"),
        ("{\"name\": \"small\"}", "{\"name\": \"\\ud800\"}"),
        ("{\"name\": \"small\"}", "{\"name\": &a \"small\"}"),
        ("\"scenario\": {", "// a comment\n\"scenario\": {"),
        ("\"scenario\": {", "# a comment\n\"scenario\": {"),
        ("\"run\": {\"blocks\": 50},", "\"rnu\": {\"blocks\": 50},"),
        ("\"blocks\": 50", "\"blocks\": 1e3"),
        ("\"blocks\": 50", "\"blocks\": 0050"),
        ("\"blocks\": 50", "\"seed\": 18446744073709551615"),
        ("\"blocks\": 50", "\"$schema\": \"a\""),
        ("\"tempo\": 9", "\"tmepo\": 9"),
        ("\"10 TAO\"", "10"),
        ("\"10 TAO\"", "\"10 tao\""),
        ("}\n", "}\n{}\n"),
        (SMALL_JSON, "[]"),
        (SMALL_JSON, "7"),
        (SMALL_JSON, ""),
        (SMALL_JSON, "{\"run\": {"),
        (SMALL_JSON, "\u{feff}{}"),
    ];
    let told = rows.map(|(from, to)| {
        assert!(SMALL_JSON.contains(from), "{from}");
        let at = SMALL_JSON.rfind(from).expect("it was found");
        let text = [&SMALL_JSON[..at], to, &SMALL_JSON[at + from.len()..]].concat();
        let error = check_file("x.json", &text, &[]).expect_err(to);
        format!("{}\n    {error}", to.escape_debug())
    });
    expect_test::expect_file!["wrong_json.txt"].assert_eq(&(told.join("\n") + "\n"));
}

/// What a few letters of an alias stand for would fill any memory.
#[test]
fn aliases_stand_for_little() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..40 {
        let list = vec![format!("*a{}", level - 1); 8].join(", ");
        bomb += &format!("a{level}: &a{level} [{list}]\n");
    }
    let letters = "x".repeat(1_000);
    let long = format!("a: &a {letters}\nb: [{}]\n", vec!["*a"; 5_000].join(", "));
    let mut deep = "a0: &a0 [[[[[[[[[[[[[[[[[[[[[x]]]]]]]]]]]]]]]]]]]]]\n".to_owned();
    for level in 1..10 {
        deep += &format!("a{level}: &a{level} [[[[[[[[[*a{}]]]]]]]]]\n", level - 1);
    }
    for (text, expected) in [
        (bomb, "anchors and aliases repeat more than 1048576 values and letters"),
        (long, "anchors and aliases repeat more than 1048576 values and letters"),
        (deep, "more than 64 tables and lists are within each other"),
    ] {
        let error = check_file("x.yaml", &text, &[]).expect_err(expected);
        assert!(error.contains(expected), "{error}");
    }
    let shared = SMALL_YAML.replace("hyperparameters:\n", "hyperparameters: &all\n");
    let shared =
        shared.replace("- netuid: 9", "- { netuid: 9, tempo: &tempo 7, immunity_period: *tempo }");
    let read = check_file("x.yaml", &shared, &[]).unwrap_or_else(|error| panic!("{error}"));
    let parameters = &read.document().subnet[1].hyperparameters;
    assert_eq!(parameters["tempo"], parameters["immunity_period"]);
}
