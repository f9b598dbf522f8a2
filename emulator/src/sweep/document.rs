//! A sweep as it is written: sections and keys. docs/sweeps.md says what each means.
//!
//! What belongs here: the shape, and what can be told from the file alone. What does not: scenarios (`plan`).

use crate::scenario::amount::ends;
use crate::scenario::error::ScenarioError;
use crate::scenario::parse;
use serde::Deserialize;
use std::collections::BTreeSet;
use toml::{Table, Value};

/// Cells of a sweep.
pub const CELLS_MAX: usize = 10_000;
/// Seeds of a sweep.
pub const SEEDS_MAX: usize = 10_000;

/// A whole sweep.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    sweep: About,
    #[serde(default)]
    set: Table,
    #[serde(default)]
    grid: Table,
    #[serde(default)]
    together: Vec<Together>,
}

/// `[sweep]`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct About {
    #[serde(default)]
    name: String,
    #[serde(default)]
    description: String,
    scenario: String,
    blocks: Option<Value>,
    seeds: Seeds,
    #[serde(default)]
    measures: Vec<String>,
}

/// A list, or a range: `"1..20"`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged, expecting = "expected a list of seeds, or a range such as \"1..20\"")]
enum Seeds {
    List(Vec<u64>),
    Range(String),
}

/// `[[together]]`: settings that vary together.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Together {
    name: String,
    cells: Vec<Named>,
}

/// One of the values of a `[[together]]`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    name: String,
    #[serde(default)]
    set: Table,
}

/// One value laid over the scenario.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    /// A path as `--set` takes it.
    pub path: String,
    /// Its value.
    pub value: Value,
    /// The key of the sweep file it comes from.
    pub key: String,
}

/// What a sweep file says, taken apart.
#[derive(Clone, Debug, PartialEq)]
pub struct SweepFile {
    /// What it is called.
    pub name: String,
    /// What it shows.
    pub description: String,
    /// The scenario, relative to the sweep file.
    pub scenario: String,
    /// Of the draws; each once.
    pub seeds: Vec<u64>,
    /// As written; none for the defaults.
    pub measures: Vec<String>,
    /// Settings of every cell.
    pub common: Vec<Setting>,
    /// What varies, in the order of its columns: the first varies slowest.
    pub axes: Vec<Axis>,
}

/// What varies.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    /// The name of its column: a path, or that of a `[[together]]`.
    pub name: String,
    /// Its values.
    pub points: Vec<Point>,
}

/// A value of an axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// As its column shows it.
    pub value: Value,
    /// What it sets.
    pub settings: Vec<Setting>,
}

/// Reads a sweep file.
///
/// # Errors
/// The first thing that is wrong, with its place.
pub fn read(file: &str, text: &str) -> Result<SweepFile, ScenarioError> {
    let Document { sweep, set, grid, together } = parse(file, text)?;
    let wrong = |key: &str, what: String, hint: Option<&str>| {
        ScenarioError::new(format!("{file}: {key}: {what}"), hint.map(str::to_owned))
    };
    let mut common = Vec::new();
    if let Some(blocks) = sweep.blocks {
        let (path, key) = ("run.blocks".to_owned(), "sweep.blocks".to_owned());
        common.push(Setting { path, value: blocks, key });
    }
    common.extend(settings("set", &set));
    let mut axes = Vec::new();
    for Together { name, cells } in together {
        let key = format!("together.{name}");
        let names: BTreeSet<&str> = cells.iter().map(|cell| cell.name.as_str()).collect();
        if name.is_empty() || names.contains("") {
            return Err(wrong("together", "a name is empty".to_owned(), None));
        }
        if names.len() < cells.len() {
            return Err(wrong(&key, "two cells have one name".to_owned(), None));
        }
        let points = cells.into_iter().map(|cell| Point {
            settings: settings(&format!("{key}.{}", cell.name), &cell.set),
            value: Value::String(cell.name),
        });
        axes.push(Axis { name, points: points.collect() });
    }
    for Setting { path, value, key } in settings("grid", &grid) {
        let Value::Array(values) = value else {
            let hint = "the same in every cell: [set]";
            return Err(wrong(&key, "a list of values is wanted".to_owned(), Some(hint)));
        };
        let points = values.into_iter().map(|value| Point {
            settings: vec![Setting { path: path.clone(), value: value.clone(), key: key.clone() }],
            value,
        });
        let points = points.collect();
        axes.push(Axis { name: path, points });
    }
    check_axes(file, &common, &axes)?;
    let seeds = seeds(&sweep.seeds).map_err(|what| wrong("sweep.seeds", what, None))?;
    let mut measures = BTreeSet::new();
    if let Some(twice) = sweep.measures.iter().find(|measure| !measures.insert(*measure)) {
        return Err(wrong("sweep.measures", format!("{twice:?} is there twice"), None));
    }
    Ok(SweepFile {
        name: sweep.name,
        description: sweep.description,
        scenario: sweep.scenario,
        seeds,
        measures: sweep.measures,
        common,
        axes,
    })
}

/// Tables within tables are paths: `a.b = 1` and `"a.b" = 1` say the same.
fn settings(place: &str, table: &Table) -> Vec<Setting> {
    let mut found = Vec::new();
    for (name, value) in table {
        settings_add(place, name, value, &mut found);
    }
    found
}

fn settings_add(place: &str, path: &str, value: &Value, found: &mut Vec<Setting>) {
    match value {
        Value::Table(table) if !table.is_empty() => {
            for (name, value) in table {
                settings_add(place, &format!("{path}.{name}"), value, found);
            }
        }
        value => found.push(Setting {
            path: path.to_owned(),
            value: value.clone(),
            key: format!("{place}.{path}"),
        }),
    }
}

/// Every path is set by one key, and every axis has values.
fn check_axes(file: &str, common: &[Setting], axes: &[Axis]) -> Result<(), ScenarioError> {
    let wrong = |what: String| ScenarioError::new(format!("{file}: {what}"), None);
    let mut setters: Vec<(&str, &str, Option<usize>)> =
        common.iter().map(|setting| (setting.path.as_str(), setting.key.as_str(), None)).collect();
    let mut cells: usize = 1;
    let mut names = BTreeSet::new();
    for (at, axis) in axes.iter().enumerate() {
        let name = &axis.name;
        if axis.points.is_empty() {
            return Err(wrong(format!("{name}: it has no values")));
        }
        if !names.insert(name) {
            return Err(wrong(format!("{name}: it is there twice")));
        }
        cells = cells.saturating_mul(axis.points.len());
        let settings = axis.points.iter().flat_map(|point| &point.settings);
        setters.extend(
            settings.map(|setting| (setting.path.as_str(), setting.key.as_str(), Some(at))),
        );
    }
    for (path, key, axis) in &setters {
        if *path == "run.seed" {
            let what = format!("{file}: {key}: every cell has the same seeds");
            let hint = "sweep.seeds names them".to_owned();
            return Err(ScenarioError::new(what, Some(hint)));
        }
        let other = setters.iter().find(|(other, other_key, other_axis)| {
            path == other && (axis != other_axis || (axis.is_none() && key != other_key))
        });
        if let Some((_, other, _)) = other {
            return Err(wrong(format!("{key} and {other} set the same value")));
        }
    }
    if cells > CELLS_MAX {
        return Err(wrong(format!("its cells are more than {CELLS_MAX}")));
    }
    Ok(())
}

fn seeds(seeds: &Seeds) -> Result<Vec<u64>, String> {
    let (list, first, last) = match seeds {
        Seeds::List(list) => (list.clone(), 1, 0),
        Seeds::Range(text) => {
            let (first, last) = ends(text)
                .ok_or_else(|| format!("{text:?} is no range: write \"1..20\" for 1 to 20"))?;
            if first > last {
                return Err(format!("{text:?} ends before it begins"));
            }
            (Vec::new(), first, last)
        }
    };
    let many = list.len() > SEEDS_MAX || (last > first && last - first >= SEEDS_MAX as u64);
    if many {
        return Err(format!("they are more than {SEEDS_MAX}"));
    }
    let list: Vec<u64> = list.into_iter().chain(first..=last).collect();
    if list.is_empty() {
        return Err("there are none".to_owned());
    }
    let mut seen = BTreeSet::new();
    for seed in &list {
        if i64::try_from(*seed).is_err() {
            return Err(format!("{seed} is beyond 2^63-1"));
        }
        if !seen.insert(seed) {
            return Err(format!("{seed} is there twice"));
        }
    }
    Ok(list)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "[sweep]\nscenario = \"x.toml\"\nseeds = \"1..3\"\n";

    fn told(text: &str) -> String {
        let error = read("s.toml", text).expect_err("it is wrong");
        let hint = error.hint().map_or_else(String::new, |hint| format!(" | {hint}"));
        format!("{error}{hint}")
    }

    #[test]
    fn paths_may_be_quoted_or_not() {
        let quoted = format!("{HEAD}[grid]\n\"a.b.c\" = [1, 2]\n[set]\n\"d.e\" = 5\n");
        let plain = format!("{HEAD}[grid]\na.b.c = [1, 2]\n[set]\nd.e = 5\n");
        let quoted = read("s.toml", &quoted).expect("it is right");
        assert_eq!(Ok(quoted.clone()), read("s.toml", &plain));
        assert_eq!(quoted.seeds, [1, 2, 3]);
        assert_eq!(quoted.common[0].path, "d.e");
        let (axis, set) = (&quoted.axes[0], &quoted.axes[0].points[1].settings[0]);
        assert_eq!((axis.name.as_str(), set.path.as_str()), ("a.b.c", "a.b.c"));
        assert_eq!((&set.value, set.key.as_str()), (&Value::Integer(2), "grid.a.b.c"));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        let with = |more: &str| format!("{HEAD}{more}");
        let rows = [
            (with("sed = 1"), "s.toml:4:1: unknown key \"sed\" | did you mean \"seeds\"?"),
            (with("[gird]\n"), "s.toml:4:2: unknown key \"gird\" | did you mean \"grid\"?"),
            (with("[grid]\na = 1"), "s.toml: grid.a: a list of values is wanted | the same in"),
            (with("[grid]\na = []"), "s.toml: a: it has no values"),
            (with("[grid]\na = [1]\n[set]\na = 2"), "s.toml: set.a and grid.a set the same value"),
            (with("blocks = 5\n[set]\nrun.blocks = 6"), "sweep.blocks and set.run.blocks set"),
            (with("[grid]\nrun.seed = [1]"), "grid.run.seed: every cell has the same seeds | "),
            (with("measures = [\"a\", \"a\"]"), "sweep.measures: \"a\" is there twice"),
            (
                with("[[together]]\nname = \"m\"\ncells = [{name=\"a\"}, {name=\"a\"}]"),
                "s.toml: together.m: two cells have one name",
            ),
            (
                with("[[together]]\nname=\"m\"\ncells=[{name=\"a\",set={b=1}}]\n[grid]\nb=[1]"),
                "together.m.a.b and grid.b set the same value",
            ),
            (HEAD.replace("1..3", "3..1"), "sweep.seeds: \"3..1\" ends before it begins"),
            (HEAD.replace("1..3", "1-3"), "sweep.seeds: \"1-3\" is no range: write"),
            (HEAD.replace("1..3", "1..10001"), "sweep.seeds: they are more than 10000"),
            (HEAD.replace("\"1..3\"", "[]"), "sweep.seeds: there are none"),
            (HEAD.replace("\"1..3\"", "[4, 4]"), "sweep.seeds: 4 is there twice"),
            (HEAD.replace("\"1..3\"", "true"), "expected a list of seeds, or a range"),
            (
                HEAD.replace("scenario", "scene"),
                "unknown key \"scene\" | did you mean \"scenario\"",
            ),
            ("[sweep]\nseeds = [1]".to_owned(), "missing field `scenario`"),
            (String::new(), "missing field `sweep`"),
        ];
        for (text, expected) in rows {
            let told = told(&text);
            assert!(told.contains(expected), "{text}\n{told}\n{expected}");
        }
        let many = (0..101).map(|number| number.to_string()).collect::<Vec<_>>().join(",");
        let text = with(&format!("[grid]\na = [{many}]\nb = [{many}]"));
        assert!(told(&text).contains("more than 10000"));
    }
}
