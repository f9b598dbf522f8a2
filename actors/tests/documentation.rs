//! `docs/players.md` says of every behaviour what the registry says.

use actors::registry::{BehaviourSettings, behaviours};
use std::collections::BTreeMap;

const PLAYERS: &str = include_str!("../../docs/players.md");

/// A behaviour's part of the page, by its heading.
fn section(role: &str, name: &str) -> &'static str {
    let heading = format!("\n## {role} `{name}`\n");
    let (_, after) = PLAYERS.split_once(&heading).unwrap_or_else(|| panic!("no {heading:?}"));
    after.split("\n## ").next().expect("a split has a first part")
}

/// Setting → default, as the table of a section has them; every cell of every row is filled.
fn table(section: &'static str) -> BTreeMap<&'static str, &'static str> {
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.map(|row| {
        let cells: Vec<&str> = row.trim_end_matches('|').split('|').map(str::trim).collect();
        let [setting, kind, unit, default, allowed, meaning] = cells[..] else {
            panic!("six cells, not {cells:?}");
        };
        assert!(![kind, unit, allowed, meaning].contains(&""), "an empty cell in {cells:?}");
        (setting.trim_end_matches('`'), default)
    })
    .collect()
}

#[test]
fn every_behaviour_and_setting_is_written_down_with_its_default() {
    for known in behaviours() {
        let section = section(known.role.name(), known.name);
        assert!(section.starts_with(&format!("\n{}\n", known.what)), "{section}");
        let defaults = BehaviourSettings::defaults(known.role, known.name).expect("is known");
        let settings = serde_json::to_value(defaults).expect("settings serialise");
        let settings = settings.as_object().expect("settings are a table").clone();
        let table = table(section);
        let written: BTreeMap<String, String> = settings
            .into_iter()
            .map(|(key, value)| match value {
                serde_json::Value::Null => (key, "absent".to_owned()),
                value => (key, format!("`{value}`")),
            })
            .collect();
        let table: BTreeMap<String, String> =
            table.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        assert_eq!(table, written, "{} {}", known.role.name(), known.name);
    }
}

#[test]
fn no_behaviour_is_written_down_that_is_not_there() {
    let headings = PLAYERS.lines().filter(|line| line.starts_with("## ") && line.ends_with('`'));
    assert_eq!(headings.count(), behaviours().len());
}

/// Every adversary says in one line what it does wrong, and has a behaviour of that name.
#[test]
fn the_first_line_of_an_adversary_says_what_it_does_wrong() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/adversary");
    // What several share.
    let shared = ["mod.rs", "majority.rs", "arena.rs"];
    let mut count = 0;
    for entry in folder.read_dir().expect("there is one") {
        let path = entry.expect("readable").path();
        let file = path.file_name().and_then(|name| name.to_str()).expect("a name").to_owned();
        if shared.contains(&file.as_str()) {
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("readable");
        let name = file.trim_end_matches(".rs").replace('_', "-");
        let first = text.lines().next().expect("not empty");
        let sentence = first.strip_prefix(&format!("//! `{name}`: ")).unwrap_or_default();
        assert!(sentence.ends_with('.') && sentence.len() > 40, "{file}: {first}");
        assert!(behaviours().iter().any(|known| known.name == name), "{name}");
        count += 1;
    }
    assert!(count >= 25, "only {count} were found");
}
