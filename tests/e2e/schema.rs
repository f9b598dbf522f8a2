//! `btemu scenario schema`: what the parser takes the schema takes, and what it refuses the schema refuses, as far as a schema can.

use crate::program::{folder, root, say};
use jsonschema::Validator;
use serde_json::Value;
use std::fs;
use std::path::PathBuf;

fn schema() -> Value {
    let folder = folder();
    let said = say(folder.path(), &["scenario", "schema"]);
    assert_eq!(said.code, 0, "{said:?}");
    serde_json::from_str(&said.stdout).expect("it prints one object")
}

fn validator() -> Validator {
    jsonschema::draft202012::new(&schema()).expect("it is a schema")
}

/// A scenario as a tool for JSON sees it.
fn instance(text: &str) -> Value {
    let table: toml::Table = text.parse().unwrap_or_else(|error| panic!("{error}: {text}"));
    serde_json::to_value(table).expect("TOML of scenarios is JSON too")
}

/// Every scenario that ships.
fn shipped() -> Vec<PathBuf> {
    let configs = root().join("configs");
    let folders = [configs.clone(), configs.join("attacks")];
    let files = folders.iter().flat_map(|folder| folder.read_dir().expect("it ships"));
    let files = files.map(|entry| entry.expect("readable").path());
    files.filter(|path| path.extension().is_some_and(|extension| extension == "toml")).collect()
}

#[test]
fn it_is_a_schema_of_its_draft() {
    let schema = schema();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    let meta = jsonschema::draft202012::meta::validate(&schema);
    assert!(meta.is_ok(), "{:?}", meta.err());
}

#[test]
fn it_takes_every_scenario_that_ships_as_written_and_in_full() {
    let validator = validator();
    let folder = folder();
    let shipped = shipped();
    assert!(shipped.len() > 40, "{shipped:?}");
    for path in shipped {
        let name = path.display().to_string();
        let written = fs::read_to_string(&path).expect("it ships");
        let shown = say(folder.path(), &["scenario", "show", &name]);
        assert_eq!(shown.code, 0, "{shown:?}");
        for text in [written, shown.stdout] {
            let instance = instance(&text);
            let errors: Vec<String> = validator
                .iter_errors(&instance)
                .map(|error| format!("{}: {error}", error.instance_path()))
                .collect();
            assert_eq!(errors, [""; 0], "{name}");
        }
    }
}

const SMALL: &str = r#"
players = [
  { name = "owners", role = "owner", behaviour = "hold", stake_ppm = 100_000 },
  { name = "validators", role = "validator", behaviour = "sampler", count = 2 },
  { name = "movers", role = "staker", behaviour = "noise", count = 4, balance = "10 TAO" },
]
[scenario]
name = "small"
[run]
blocks = 50
[rules]
subnet_limit = 9
[hyperparameters]
tempo = 9
[[subnet]]
netuid = 9
tao_reserve = "10000 TAO"
[[timeline]]
at = "+5"
call = "sudo_set_tempo"
netuid = 9
value = 8
[[fault]]
kind = "loss"
at = 5
for = "1h"
ppm = 1
"#;

/// Who refuses what takes the place of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refused {
    /// The parser and the schema.
    Both,
    /// The parser alone: no schema can see it, or it would be as long as the program.
    TheParser,
    /// Nobody.
    Nobody,
}

#[test]
fn it_refuses_what_the_parser_refuses_as_far_as_it_can() {
    use Refused::{Both, Nobody, TheParser};
    let rows = [
        ("[run]", "[run]", Nobody),
        // Keys.
        ("name = \"small\"", "nmae = \"small\"", Both),
        ("[scenario]", "[rnu]\n[scenario]", Both),
        ("blocks = 50", "blokcs = 50", Both),
        ("subnet_limit", "subnet_limti", Both),
        ("subnet_limit = 9", "total_issuance = 9", Both),
        ("subnet_limit = 9", "beacon = 9", Both),
        ("tempo = 9", "tmepo = 9", Both),
        ("netuid = 9\ntao", "netuid = 9\ntmepo = 9\ntao", Both),
        ("netuid = 9\ntao", "netuid = 9\nmechanism_split = [1]\ntao", Both),
        ("count = 4", "cuont = 4", Both),
        ("count = 4", "settings = { in_pmm = 1 }", Both),
        ("count = 4", "settings = { in_ppm = 1 }", Nobody),
        ("value = 8", "vaule = 8", Both),
        ("\nppm = 1", "\npmm = 1", Both),
        // Keys that have to be there.
        ("role = \"staker\", ", "", Both),
        ("behaviour = \"noise\", ", "", Both),
        ("call = \"sudo_set_tempo\"", "", Both),
        ("at = \"+5\"", "", Both),
        ("kind = \"loss\"", "", Both),
        // Types.
        ("name = \"small\"", "name = 7", Both),
        ("blocks = 50", "blocks = 0.5", Both),
        ("blocks = 50", "seed = \"1\"", Both),
        ("blocks = 50", "until = 7", Both),
        ("blocks = 50", "until = [\"subnets > 7\"]", Nobody),
        ("blocks = 50", "until = \"subnets > 7\"", Nobody),
        ("tempo = 9", "tempo = 9.5", Both),
        // JSON has one kind of number: 9.0 is whole.
        ("tempo = 9", "tempo = 9.0", TheParser),
        ("tempo = 9", "tempo = \"9\"", Both),
        ("tempo = 9", "yuma3 = 1", Both),
        ("tempo = 9", "yuma3 = true", Nobody),
        ("count = 4", "subnets = \"some\"", Both),
        ("count = 4", "subnets = [9]", Nobody),
        ("count = 4", "arrives = 4", Both),
        ("count = 4", "arrives = [0]", Both),
        ("count = 4", "arrives = [0, 1, 2]", Both),
        ("count = 4", "arrives = [0, \"10d\"]", Nobody),
        ("count = 4", "settings = { in_ppm = \"half\" }", Both),
        ("at = 5", "at = \"5\"", Both),
        // Units.
        ("\"10 TAO\"", "10", Both),
        ("\"10 TAO\"", "\"10\"", Both),
        ("\"10 TAO\"", "\"10 tao\"", Both),
        ("\"10 TAO\"", "\"10 alpha\"", Both),
        ("\"10 TAO\"", "\"1.0000000001 TAO\"", Both),
        ("\"10 TAO\"", "\"1.5 rao\"", Both),
        ("\"10 TAO\"", "\"1_000.5 TAO\"", Nobody),
        ("\"10 TAO\"", "\"1_000 rao\"", Nobody),
        ("tao_reserve = \"10000 TAO\"", "alpha_in = \"5 TAO\"", Both),
        ("tao_reserve = \"10000 TAO\"", "alpha_in = \"5000 alpha\"", Nobody),
        ("tempo = 9", "min_burn = \"0.5 alpha\"", Both),
        ("tempo = 9", "min_burn = \"0.5 TAO\"", Nobody),
        ("blocks = 50", "blocks = \"50\"", Both),
        ("blocks = 50", "blocks = \"2w\"", Both),
        ("blocks = 50", "blocks = \"2h\"", Nobody),
        ("\"1h\"", "\"5x\"", Both),
        // Ranges of types.
        ("blocks = 50", "blocks = -50", Both),
        ("count = 4", "count = -4", Both),
        ("tempo = 9", "tempo = 70_000", Both),
        ("tempo = 9", "alpha_sigmoid_steepness = -32_769", Both),
        ("tempo = 9", "adjustment_alpha = \"18446744073709551615\"", Nobody),
        ("netuid = 9\ntao", "netuid = 70_000\ntao", Both),
        // Words.
        ("role = \"staker\"", "role = \"trader\"", Both),
        ("behaviour = \"noise\"", "behaviour = \"nosie\"", Both),
        ("behaviour = \"noise\"", "behaviour = \"sampler\"", Both),
        ("kind = \"loss\"", "kind = \"losss\"", Both),
        ("sudo_set_tempo", "sudo_set_tepmo", Both),
        ("subnet_limit = 9", "version = \"prices\"", Both),
        // What only a reader of the whole can see.
        ("stake_ppm = 100_000", "stake_ppm = 1_000_001", TheParser),
        ("name = \"movers\"", "name = \"owners\"", TheParser),
        ("tempo = 9", "tempo = 0", TheParser),
        ("blocks = 50", "pace = \"quick\"", TheParser),
        ("value = 8", "value = -1", TheParser),
        ("for = \"1h\"", "", TheParser),
    ];
    let validator = validator();
    let folder = folder();
    for (from, to, expected) in rows {
        assert!(SMALL.contains(from), "{from}");
        let text = SMALL.replacen(from, to, 1);
        fs::write(folder.path().join("x.toml"), &text).expect("writable");
        let said = say(folder.path(), &["scenario", "check", "x.toml"]);
        let refused = (said.code != 0, !validator.is_valid(&instance(&text)));
        let refused = match refused {
            (true, true) => Both,
            (true, false) => TheParser,
            (false, false) => Nobody,
            (false, true) => panic!("the schema alone refuses {to:?}"),
        };
        assert_eq!(refused, expected, "{to:?}: {said:?}");
    }
}
