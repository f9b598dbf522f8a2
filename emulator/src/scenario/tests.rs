//! Scenarios: every wrong one has its sentence, and layers are as strict as the file.

use super::layers::{Overlay, resolve};
use super::*;

pub(super) const SMALL: &str = r#"
players = [
  { name = "owners", role = "owner", behaviour = "hold", stake_ppm = 100_000 },
  { name = "validators", role = "validator", behaviour = "sampler", count = 2 },
  { name = "miners", role = "miner", behaviour = "quality", count = 3 },
  { name = "movers", role = "staker", behaviour = "noise", count = 4, balance = "10 TAO" },
]
[scenario]
name = "small"
[run]
blocks = 50
[hyperparameters]
tempo = 9
[[subnet]]
count = 2
[[subnet]]
netuid = 9
"#;

pub(super) fn overlay(path: &str, text: &str) -> Overlay {
    let (path, text) = (path.to_owned(), text.to_owned());
    Overlay { origin: format!("--set {path}={text}"), path, text }
}

/// The scenario of a text, or the sentence that refuses it, with its hint.
fn check(text: &str, overlays: &[Overlay]) -> Result<Scenario, String> {
    check_file("x.toml", text, overlays)
}

/// The same of a file of any name.
pub(super) fn check_file(file: &str, text: &str, overlays: &[Overlay]) -> Result<Scenario, String> {
    let told = |error: ScenarioError| match error.hint() {
        Some(hint) => format!("{error} | {hint}"),
        None => error.to_string(),
    };
    let scenario = read(Path::new(file), text, overlays).map_err(told)?;
    scenario.plan().map_err(told)?;
    Ok(scenario)
}

fn hash(text: &str, overlays: &[Overlay]) -> String {
    let scenario = check(text, overlays).expect("it is valid");
    scenario.plan().expect("it was made before").simulation_hash().to_string()
}

#[test]
fn whatever_is_found_late_is_still_told_of_the_one_who_said_it() {
    let said = |overlays: &[Overlay]| check(SMALL, overlays).expect_err("it is wrong");
    for (path, text, expected) in [
        (
            "rules.kapa",
            "3",
            "--set rules.kapa=3: rules: unknown key \"kapa\" | did you mean \"kappa\" of [hyperparameters]?",
        ),
        (
            "rules.tempo",
            "3",
            "--set rules.tempo=3: rules: unknown key \"tempo\" | it is a key of [hyperparameters]",
        ),
        (
            "hyperparameters.stake_threshold",
            "3",
            "--set hyperparameters.stake_threshold=3: hyperparameters: unknown key \"stake_threshold\" | it is a key of [rules]",
        ),
        (
            "scenario.name",
            "a/b",
            "--set scenario.name=a/b: scenario.name: \"a/b\" cannot name a folder | use letters, digits, -, _ and .",
        ),
        (
            "players.movers.behaviour",
            "nosie",
            "--set players.movers.behaviour=nosie: players.movers.behaviour: ",
        ),
    ] {
        let told = said(&[overlay(path, text)]);
        assert!(told.starts_with(expected), "{told}");
    }
    // Whoever says something else is not blamed for the file.
    let wrong = SMALL.replace("tempo = 9", "tmepo = 9");
    let told = check(&wrong, &[overlay("hyperparameters.kappa", "3")]).expect_err("it is wrong");
    assert!(told.starts_with("x.toml: hyperparameters: unknown key \"tmepo\""), "{told}");
}

/// What is written in the place of something of [`SMALL`].
pub(super) const MISTAKES: &[(&str, &str)] = &[
    ("name = \"small\"", "nmae = \"small\""),
    ("[run]", "[rnu]"),
    ("blocks = 50", "blocks = -50"),
    ("blocks = 50", "blocks = 0.5"),
    ("blocks = 50", "blocks = \"50\""),
    ("blocks = 50", "seed = -1"),
    ("blocks = 50", "pace = \"quick\""),
    ("name = \"small\"", "name = \"a/b\""),
    ("name = \"small\"", "name = 7"),
    ("[scenario]", "[scenario"),
    ("count = 4", "count = -4"),
    ("count = 4", "cuont = 4"),
    ("count = 4", "arrives = 4"),
    ("count = 4", "arrives = [0]"),
    ("count = 4", "arrives = [0, \"ten days\"]"),
    ("count = 4", "arrives = [5, 4]"),
    ("count = 4", "arrives = [0, 400_000_000_000_000]"),
    ("count = 4", "stake_ppm = 1_000_001"),
    ("count = 4", "stake_ppm = 950_000"),
    ("count = 3", "count = 300"),
    ("\"10 TAO\"", "\"10 tao\""),
    ("\"10 TAO\"", "10"),
    ("\"10 TAO\"", "\"10000000 TAO\""),
    ("name = \"movers\"", "name = \"miners\""),
    ("name = \"movers\"", "name = \"a.b\""),
    ("role = \"staker\"", "role = \"trader\""),
    ("behaviour = \"noise\"", "behaviour = \"nosie\""),
    ("balance = \"10 TAO\"", "settings = { in_pmm = 1 }"),
    ("balance = \"10 TAO\"", "settings = { in_ppm = 1_000_001 }"),
    ("balance = \"10 TAO\"", "settings = { in_ppm = \"half\" }"),
    ("balance = \"10 TAO\"", "subnets = \"some\""),
    ("tempo = 9", "tmepo = 9"),
    ("tempo = 9", "tempo = 70_000"),
    ("tempo = 9", "tempo = 0"),
    ("tempo = 9", "tempo = \"9\""),
    ("tempo = 9", "min_burn = \"0.5 alpha\""),
    ("netuid = 9", "netuid = 9\n[[subnet]]\nnetuid = 9"),
    ("netuid = 9", "netuid = 0"),
    ("netuid = 9", "netuid = 9\ncount = 2"),
    ("netuid = 9", "netuid = 9\ntao_reserve = \"0 TAO\""),
    ("netuid = 9", "netuid = 9\ntao_reserve = \"4 rao\"\nalpha_in = \"1 alpha\""),
    ("count = 2\n[[subnet]]\nnetuid = 9", "count = 200"),
    ("[run]", "[rules]\nsubnet_limti = 9\n[run]"),
    ("[run]", "[rules]\ntotal_issuance = 9\n[run]"),
    ("[run]", "[rules]\nsubnet_limit = 2\n[run]"),
    ("[run]", "[network]\nlatency_ms_min = 500\n[run]"),
    ("[run]", "[network]\nslice_ms = 7\n[run]"),
    ("[run]", "[network]\nloss_ppm = 1_000_001\n[run]"),
    ("[run]", "[genesis]\nsnapshot = \"nowhere.json\"\nheight = 5\n[run]"),
    ("[run]", "[genesis]\ntime = \"yesterday\"\n[run]"),
    ("[run]", "[genesis]\ntotal_issuance = \"5 TAO\"\n[run]"),
    ("[run]", "[[timeline]]\nat = \"+0\"\ncall = \"switch_rules\"\nvalue = \"price\"\n[run]"),
    ("[run]", "[[timeline]]\nat = 5\ncall = \"sudo_set_tepmo\"\n[run]"),
    ("[run]", "[[timeline]]\nat = 5\ncall = \"sudo_set_tempo\"\nnetuid = 1\n[run]"),
    ("[run]", "[[timeline]]\nat = 5\ncall = \"sudo_set_tempo\"\nvalue = 1\n[run]"),
    ("[run]", "[[timeline]]\nat = 5\ncall = \"sudo_set_tempo\"\nnetuid = 1\nvalue = -1\n[run]"),
    ("[run]", "[beacon]\nfirst_round = 0\n[run]"),
    ("[run]", "[rules]\nbeacon = 3\n[run]"),
    ("count = 2 }", "count = 2, settings = { commit = \"sealed\" } }"),
    (
        "\"sampler\", count = 2 }",
        "\"cabal\", count = 2, settings = { miners_group = \"minres\" } }",
    ),
    ("[run]", "[[fault]]\nkind = \"losss\"\nat = 5\nfor = 5\nppm = 1\n[run]"),
    ("[run]", "[[fault]]\nkind = \"loss\"\nat = 5\nppm = 1\n[run]"),
    ("[run]", "[[fault]]\nkind = \"kill-host\"\nat = 5\nfor = 5\n[run]"),
    ("[run]", "[[fault]]\nkind = \"garble\"\nat = 5\nms = 9\n[run]"),
    ("[run]", "[[fault]]\nkind = \"pause-chain\"\nat = 5\nms = 60_001\n[run]"),
    ("[run]", "[[fault]]\nkind = \"slow\"\nat = 5\nms = 0\n[run]"),
    ("[run]", "[[fault]]\nkind = \"cut\"\n[run]"),
    ("[run]", "[[fault]]\nkind = \"torn-write\"\nat = 5\ngroups = [\"miners\"]\n[run]"),
    ("[run]", "[[fault]]\nkind = \"loss\"\nat = 5\nfor = 0\nppm = 1\n[run]"),
    ("[run]", "[[fault]]\nkind = \"loss\"\nat = 5\nfor = \"5x\"\nppm = 1\n[run]"),
    ("[run]", "[[fault]]\nkind = \"loss\"\nat = \"+0\"\nfor = 5\nppm = 1\n[run]"),
    ("[run]", "[[fault]]\nkind = \"loss\"\nfor = 5\nppm = 1\n[run]"),
    ("[run]", "[[fault]]\nkind = \"loss\"\nat = 5\nfor = 5\n[run]"),
    ("[run]", "[[fault]]\nkind = \"loss\"\nat = 5\nfor = 5\nppm = 1_000_001\n[run]"),
    ("[run]", "[[fault]]\nkind = \"loss\"\nat = 5\nfor = 5\nppm = 1\nms = 9\n[run]"),
    ("[run]", "[[fault]]\nkind = \"loss\"\nat = 5\nfor = 281_474_976_710_656\nppm = 1\n[run]"),
    ("[run]", "[[fault]]\nkind = \"loss\"\nat = 5\nfro = 5\nppm = 1\n[run]"),
    ("[run]", "[[fault]]\nkind = \"delay\"\nat = 5\nfor = 5\n[run]"),
    ("[run]", "[[fault]]\nkind = \"delay\"\nat = 5\nfor = 5\nms = 0\n[run]"),
    ("[run]", "[[fault]]\nkind = \"delay\"\nat = 5\nfor = 5\nms = 3_600_001\n[run]"),
    ("[run]", "[[fault]]\nkind = \"clog\"\nat = 5\nfor = \"2h\"\nppm = 1\n[run]"),
    ("[run]", "[[fault]]\nkind = \"partition\"\nat = 5\nfor = 5\n[run]"),
    ("[run]", "[[fault]]\nkind = \"partition\"\nat = 5\nfor = 5\nshape = \"thirds\"\n[run]"),
    (
        "[run]",
        "[[fault]]\nkind = \"partition\"\nat = 5\nfor = 5\nshape = \"halves\"\nppm = 1\n[run]",
    ),
    ("[run]", "[[fault]]\nkind = \"offline\"\nat = 5\nfor = 5\nshape = \"halves\"\n[run]"),
    ("[run]", "[[fault]]\nkind = \"offline\"\nat = 5\nfor = 5\ngroups = [\"minres\"]\n[run]"),
    ("[run]", "[[fault]]\nkind = \"offline\"\nat = 5\nfor = 5\nroles = [\"seller\"]\n[run]"),
    ("[run]", "[[fault]]\nkind = \"offline\"\nat = 5\nfor = 5\nnetuids = [7]\n[run]"),
    (
        "[run]",
        "[[fault]]\nkind = \"offline\"\nat = 5\nfor = 5\nroles = [\"owner\"]\ngroups = [\"miners\"]\n[run]",
    ),
    (
        "[run]",
        "[[fault]]\nkind = \"partition\"\nat = 5\nfor = 5\nshape = \"halves\"\nroles = [\"owner\", \"validator\", \"miner\", \"staker\"]\n[run]",
    ),
    ("[run]", "[[fault]]\nkind = \"offline\"\nevery = 4\nfor = 5\n[run]"),
    ("[run]", "[[fault]]\nkind = \"offline\"\nat = 5\nfor = 5\nuntil = 9\n[run]"),
    ("[run]", "[[fault]]\nkind = \"offline\"\nat = 5\nevery = 9\nfor = 5\nuntil = 5\n[run]"),
    (
        "[run]",
        "[[fault]]\nkind = \"offline\"\nat = 5\nfor = 5\n[[fault]]\nkind = \"offline\"\nat = \"+5\"\nfor = 5\n[run]",
    ),
];

#[test]
fn every_mistake_in_a_file_has_its_sentence() {
    let told = MISTAKES.iter().map(|(from, to)| {
        assert!(SMALL.contains(from), "{from}");
        let error = check(&SMALL.replacen(from, to, 1), &[]).expect_err(to);
        format!("{}\n    {error}", to.replace('\n', " "))
    });
    let told: Vec<String> = told.collect();
    expect_test::expect_file!["wrong.txt"].assert_eq(&(told.join("\n") + "\n"));
}

#[test]
fn every_mistake_over_a_file_has_its_sentence() {
    let rows = [
        ("run.blocks", "1.7"),
        ("run.blocks", "\"7\""),
        ("run.blocks", "-7"),
        ("run.blokcs", "7"),
        ("rnu.blocks", "7"),
        ("players.nobody.count", "7"),
        ("players.miners.count", "7.0"),
        ("players.miners.cuont", "7"),
        ("players.movers.settings.in_ppm", "-1"),
        ("subnet.9.tempo", "fast"),
        ("subnet.9.tmepo", "7"),
        ("subnet.nine.tempo", "7"),
        ("hyperparameters.tempo", "1.5"),
        ("", "7"),
    ];
    let told = rows.map(|(path, text)| {
        let error = check(SMALL, &[overlay(path, text)]).expect_err(path);
        format!("{path} = {text}\n    {error}")
    });
    expect_test::expect_file!["wrong_over.txt"].assert_eq(&(told.join("\n") + "\n"));
}

#[test]
fn what_is_laid_over_arrives() {
    let overlays = [
        overlay("run.blocks", "\"2h\""),
        overlay("players.miners.count", "5"),
        overlay("players.movers.settings.in_ppm", "900000"),
        overlay("subnet.9.tempo", "30"),
        overlay("rules.subnet_limit", "4"),
        overlay("hyperparameters.min_burn", "\"0.25 TAO\""),
        overlay("scenario.name", "other"),
    ];
    let scenario = check(SMALL, &overlays).expect("all are right");
    assert_eq!((scenario.blocks(), scenario.name()), (600, "other"));
    let plan = scenario.plan().expect("it was made before");
    let miners = plan.players.iter().filter(|seat| seat.identity.group == "miners").count();
    assert_eq!(miners, 15);
    let subnet = |netuid| plan.genesis.subnet(protocol::units::NetUid(netuid)).expect("there");
    assert_eq!((subnet(9).params.tempo, subnet(1).params.tempo), (30, 9));
    assert_eq!(subnet(1).params.min_burn.0, 250_000_000);
    assert_eq!(plan.genesis.global.subnet_limit, 4);
}

#[test]
fn later_layers_win() {
    let environment =
        Overlay { origin: "BTEMU__RUN__BLOCKS=3".to_owned(), ..overlay("run.blocks", "3") };
    let blocks = |overlays: &[Overlay]| check(SMALL, overlays).expect("right").blocks();
    assert_eq!(blocks(&[]), 50);
    assert_eq!(blocks(std::slice::from_ref(&environment)), 3);
    assert_eq!(blocks(&[environment, overlay("run.blocks", "4")]), 4);
    let options = Overrides { blocks: Some(5), ..Overrides::default() }.overlays();
    assert_eq!(blocks(&[vec![overlay("run.blocks", "4")], options].concat()), 5);
}

#[test]
fn what_is_shown_is_the_same_simulation() {
    let shown = check(SMALL, &[]).expect("right").show(Format::Toml).expect("known");
    assert_eq!(hash(&shown, &[]), hash(SMALL, &[]));
    let again = check(&shown, &[]).expect("right").show(Format::Toml).expect("known");
    assert_eq!(again, shown);
    for shipped in list() {
        let text = shipped_text(shipped.path).expect("listed");
        let scenario = read(Path::new(shipped.path), text, &[]).expect("what ships is valid");
        let shown = scenario.show(Format::Toml).expect("known");
        assert_eq!(hash(&shown, &[]), hash(text, &[]), "{}", shipped.path);
    }
}

#[test]
fn only_what_decides_is_in_the_hash() {
    let plain = hash(SMALL, &[]);
    for (path, value) in [
        ("scenario.name", "other"),
        ("scenario.description", "other"),
        ("run.blocks", "7"),
        ("run.processes", "5"),
        ("run.link", "tcp://127.0.0.1:0"),
        ("run.dealing", "5"),
        ("run.host_join_ms_max", "5"),
        ("run.pace", "realtime"),
        ("log.durability", "block"),
        ("metrics.address", "127.0.0.1:1"),
    ] {
        assert_eq!(hash(SMALL, &[overlay(path, value)]), plain, "{path}");
    }
    for (path, value) in [
        ("run.seed", "8"),
        ("network.loss_ppm", "8"),
        ("limits.pool_max", "8"),
        ("beacon.period_ms", "8"),
        ("beacon.first_round", "8"),
        ("rules.version", "price"),
        ("rules.stake_threshold", "8"),
        ("hyperparameters.kappa", "8"),
        ("players.miners.settings.noise_ppm", "8"),
        ("subnet.9.tao_reserve", "\"8 TAO\""),
        ("fault", "[{ kind = \"offline\", at = 5, for = 5 }]"),
    ] {
        assert_ne!(hash(SMALL, &[overlay(path, value)]), plain, "{path}");
    }
}

/// docs/scenarios.md names every key of every section, and no others.
#[test]
fn every_key_is_documented() {
    let text =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/scenarios.md"));
    let text = text.expect("it is part of the repository");
    let shown = check(SMALL, &[]).expect("right").show(Format::Toml).expect("known");
    let table: toml::Table = shown.parse().expect("it is TOML");
    for (section, value) in &table {
        let keys: Vec<String> = match value {
            toml::Value::Table(table) => table.keys().cloned().collect(),
            toml::Value::Array(rows) => rows
                .iter()
                .filter_map(toml::Value::as_table)
                .flat_map(|row| row.keys().cloned())
                .collect(),
            _ => Vec::new(),
        };
        assert!(text.contains(&format!("[{section}]")), "[{section}] is not in docs/scenarios.md");
        for key in keys.iter().filter(|key| *key != "tempo" || section != "hyperparameters") {
            assert!(text.contains(&format!("| `{key}` |")), "{section}.{key} is not documented");
        }
    }
    let optional = [
        "snapshot",
        "netuid",
        "count",
        "symbol",
        "tao_reserve",
        "alpha_in",
        "alpha_out",
        "flow_share",
        "arrives",
        "at",
        "call",
        "value",
        "kind",
        "for",
        "every",
        "until",
        "ppm",
        "ms",
        "shape",
        "groups",
        "roles",
        "netuids",
    ];
    for key in optional {
        assert!(text.contains(&format!("| `{key}` |")), "{key} is not documented");
    }
}

/// Who arrives later changes the simulation; who does not is what it was, written or not.
#[test]
fn arrivals_are_drawn_within_their_range() {
    let arriving = |range: &str| {
        let group = format!("count = 4, arrives = {range}");
        check(&SMALL.replacen("count = 4", &group, 1), &[]).expect(range)
    };
    let moments = |scenario: &Scenario| {
        let plan = scenario.plan().expect("it was made before");
        let movers = plan.players.into_iter().filter(|seat| seat.identity.group == "movers");
        movers.map(|seat| seat.arrives_ms).collect::<Vec<_>>()
    };
    assert_eq!(moments(&check(SMALL, &[]).expect("right")), [None; 4]);
    let drawn = moments(&arriving("[10, \"1h\"]"));
    assert!(drawn.iter().all(|at| at.is_some_and(|at| (120_000..=3_600_000).contains(&at))));
    assert!(drawn.windows(2).any(|pair| pair[0] != pair[1]), "{drawn:?}");
    assert_eq!(moments(&arriving("[7, 7]")), [Some(84_000); 4]);
    let shown = arriving("[10, \"1h\"]").show(Format::Toml).expect("known");
    assert_eq!(moments(&check(&shown, &[]).expect("right")), drawn);
    let hashes = ["[10, 300]", "[10, 301]"].map(|range| {
        let group = format!("count = 4, arrives = {range}");
        hash(&SMALL.replacen("count = 4", &group, 1), &[])
    });
    assert!(hashes[0] != hashes[1] && !hashes.contains(&hash(SMALL, &[])));
}

/// Every key of a fault is shown and decides; a part that stands for the whole may be written or not.
#[test]
fn faults_are_part_of_what_is_simulated() {
    let with = |faults: &str| format!("{SMALL}{faults}");
    let offline = "[[fault]]\nkind = \"offline\"\nat = \"+5\"\nfor = \"1h\"\n";
    let drawn = "[[fault]]\nkind = \"delay\"\nms = 900\nevery = \"2h\"\nfor = 10\nuntil = \"+900\"\n\
                 groups = [\"miners\"]\nroles = [\"miner\"]\nnetuids = [9]\n";
    let partition = "[[fault]]\nkind = \"partition\"\nshape = \"one-way\"\nat = 7\nfor = 3\n";
    let text = with(&[offline, drawn, partition].concat());
    let plan = check(&text, &[]).expect("right").plan().expect("it was made before");
    let times = plan.faults.iter().map(|fault| fault.times);
    let told = times.map(|it| (it.from.0, it.blocks, it.every, it.until.map(|it| it.0)));
    assert_eq!(
        told.collect::<Vec<_>>(),
        [(5, 300, None, None), (1, 10, Some(600), Some(900)), (7, 3, None, None)]
    );
    let shown = check(&text, &[]).expect("right").show(Format::Toml).expect("known");
    assert_eq!(hash(&shown, &[]), hash(&text, &[]));
    // What strikes below the simulation is in no hash, wherever it stands.
    let below = "[[fault]]\nkind = \"kill-host\"\nevery = 50\n";
    assert_eq!(hash(&with(&[below, offline, drawn, partition].concat()), &[]), hash(&text, &[]));
    let mut hashes = vec![hash(SMALL, &[]), hash(&text, &[])];
    for (path, value) in [
        ("fault[0].kind", "\"offline\""),
        ("fault[0].at", "6"),
        ("fault[0].for", "301"),
        ("fault[0].ppm", "999_999"),
        ("fault[1].ms", "901"),
        ("fault[1].every", "601"),
        ("fault[1].until", "901"),
        ("fault[1].netuids", "[1]"),
        ("fault[1].groups", "[]"),
        ("fault[1].roles", "[]"),
        ("fault[2].shape", "\"bridge\""),
    ] {
        let other = hash(&text, &[overlay(path, value)]);
        assert_eq!(hashes.contains(&other), path == "fault[0].kind", "{path}");
        hashes.push(other);
    }
    assert_eq!(hash(&text, &[overlay("fault[0].ppm", "1_000_000")]), hashes[1]);
    assert_eq!(hash(&text, &[overlay("fault[0].at", "5")]), hashes[1]);
    assert_eq!(hash(&text, &[overlay("fault", "[]")]), hashes[0], "without them it is as before");
}

#[test]
fn a_file_without_a_name_is_called_like_the_file() {
    let text = SMALL.replace("name = \"small\"", "description = \"\"");
    assert_eq!(check(&text, &[]).expect("right").name(), "x");
    assert!(resolve("x.toml", SMALL, &[]).is_ok());
}
