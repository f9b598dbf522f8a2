//! The languages of a scenario: TOML, YAML and JSON, told apart by how the name of a file ends.
//!
//! What belongs here: which language a file is in, and the same scenario in another one. What does not: what a file
//! says (`document`), and how it is read (`layers` asks `toml`, and `yaml` for both others).

use super::document::Document;
use super::yaml;
use std::path::Path;

/// What a scenario is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Whatever does not end otherwise.
    Toml,
    /// `.yaml`, `.yml`
    Yaml,
    /// `.json`
    Json,
}

impl Format {
    /// What a file of this name is written in.
    pub fn of(file: &Path) -> Self {
        let ending = file.extension().map(|ending| ending.to_string_lossy().to_lowercase());
        match ending.as_deref() {
            Some("yaml" | "yml") => Self::Yaml,
            Some("json") => Self::Json,
            _ => Self::Toml,
        }
    }

    /// A document in this language; nothing where a number in it is none, which TOML alone can say.
    pub fn written(self, document: &Document) -> Option<String> {
        const PLAIN: &str = "a document is plain data";
        if self == Self::Toml {
            return Some(toml::to_string(document).expect(PLAIN));
        }
        let text = serde_json::to_string_pretty(document).expect(PLAIN) + "\n";
        let tree = yaml::read_json(&text).ok()?;
        Some(if self == Self::Yaml { yaml::write(&tree) } else { text })
    }
}

#[cfg(test)]
mod tests;
