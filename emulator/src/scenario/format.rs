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

    /// A document in this language.
    pub fn written(self, document: &Document) -> String {
        const PLAIN: &str = "a document is plain data";
        match self {
            Self::Toml => toml::to_string(document).expect(PLAIN),
            Self::Json => serde_json::to_string_pretty(document).expect(PLAIN) + "\n",
            Self::Yaml => {
                let text = serde_json::to_string(document).expect(PLAIN);
                yaml::write(&yaml::read_json(&text).expect(PLAIN))
            }
        }
    }
}

#[cfg(test)]
mod tests;
