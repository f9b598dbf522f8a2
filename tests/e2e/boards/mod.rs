//! Grafana's boards and alerts, as far as they can be tried without Grafana: what they say of themselves (`rules`, `alerts`),
//! and what a real Prometheus answers to each query (`answers`). How Grafana draws them is not tried anywhere.

/// Alerts, as Grafana and as Prometheus read them.
mod alerts;
/// Every query, against a live run and a day that is over.
mod answers;
/// What every board must have, and what others' programs say to the files.
mod rules;

use crate::program::root;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;

/// A board by the name of its file.
pub struct Board {
    pub name: String,
    pub json: Value,
}

/// Who asks: a column of a table has its own name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Asked {
    pub board: String,
    pub panel: String,
    pub part: String,
    pub expression: String,
    /// Asked once, at the end of the time shown.
    pub instant: bool,
}

/// All boards, in the order of their names.
pub fn boards() -> Vec<Board> {
    let entries = root().join("grafana/dashboards").read_dir().expect("boards ship");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("readable").path()).collect();
    paths.sort();
    let boards = paths.into_iter().map(|path| {
        let text = fs::read_to_string(&path).expect("readable");
        let json = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path:?}: {error}"));
        Board { name: path.file_stem().expect("a name").display().to_string(), json }
    });
    boards.collect()
}

impl Board {
    /// All panels, headings of rows left out.
    pub fn panels(&self) -> Vec<&Value> {
        let panels = list(&self.json["panels"]).iter();
        panels.filter(|panel| panel["type"] != "row").collect()
    }

    /// Variables by name.
    pub fn variables(&self) -> BTreeMap<&str, &Value> {
        let variables = list(&self.json["templating"]["list"]).iter();
        variables.map(|variable| (word(&variable["name"]), variable)).collect()
    }

    /// Queries of annotations.
    pub fn annotations(&self) -> Vec<Asked> {
        let annotations = list(&self.json["annotations"]["list"]).iter();
        annotations
            .map(|annotation| Asked {
                board: self.name.clone(),
                panel: "annotation".to_owned(),
                part: word(&annotation["name"]).to_owned(),
                expression: word(&annotation["target"]["expr"]).to_owned(),
                instant: false,
            })
            .collect()
    }

    /// Queries of all panels.
    pub fn queries(&self) -> Vec<Asked> {
        self.panels().into_iter().flat_map(|panel| self.queries_of(panel)).collect()
    }

    fn queries_of(&self, panel: &Value) -> Vec<Asked> {
        let Some(targets) = panel["targets"].as_array() else { return Vec::new() };
        let headings = panel["transformations"].as_array().and_then(|transformations| {
            let organise = transformations.iter().find(|one| one["id"] == "organize")?;
            organise["options"]["renameByName"].as_object()
        });
        let asked = targets.iter().map(|target| {
            let letter = word(&target["refId"]);
            let heading = headings.and_then(|names| names.get(&format!("Value #{letter}")));
            let legend = word(&target["legendFormat"]);
            Asked {
                board: self.name.clone(),
                panel: word(&panel["title"]).to_owned(),
                part: heading.map_or(legend, word).to_owned(),
                expression: word(&target["expr"]).to_owned(),
                instant: target["instant"] == true,
            }
        });
        asked.collect()
    }
}

/// A list of a board.
pub fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap_or_else(|| panic!("no list: {value}"))
}

/// A text of a board.
pub fn word(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}"))
}
