//! From a file to a checked document: a strict parse of the file alone, then defaults, file, environment and `--set`
//! laid over each other by the `config` crate, then a strict parse of the whole. The crate alone would turn `1.7`
//! into 2 without a word. It is handed TOML, whatever the file is written in.

use super::document::Document;
use super::error::ScenarioError;
use super::format::Format;
use super::tree::{Fault, Found, Node};
use super::yaml;
use crate::likeness::meant;
use config::{Config, FileFormat, Value, ValueKind};
use serde::de::DeserializeOwned;
use std::borrow::Cow;
use std::path::Path;
use toml::Table;

/// Environment variables that begin with this are laid over the file: `BTEMU__RUN__BLOCKS`.
pub const ENVIRONMENT: &str = "BTEMU__";

/// How sentences about keys that nobody knows begin.
const UNKNOWN_KEY: &str = "unknown key ";

/// Letters of a path at most.
const PATH_LETTERS_MAX: usize = 200;
/// Places of a list that a path may name: a list is made as long as the place that is named.
const PLACES_MAX: usize = 4_096;

/// One value laid over the file, and where it comes from, as its user wrote it.
#[derive(Clone, Debug, PartialEq)]
pub struct Overlay {
    /// `run.blocks`, `players.NAME.count`, `subnet.NETUID.tempo`.
    pub path: String,
    /// Its value as typed.
    pub text: String,
    /// `--set run.blocks=7` or `BTEMU__RUN__BLOCKS=7`.
    pub origin: String,
}

/// The overlays of the environment, by name.
pub fn environment() -> Vec<Overlay> {
    let mut overlays: Vec<Overlay> = std::env::vars()
        .filter_map(|(name, text)| {
            let path = name.strip_prefix(ENVIRONMENT)?;
            let path = path.to_lowercase().replace("__", ".");
            Some(Overlay { path, origin: format!("{name}={text}"), text })
        })
        .collect();
    overlays.sort_by(|left, right| left.path.cmp(&right.path));
    overlays
}

/// Parses a file strictly, lays everything over it, and parses the whole strictly.
///
/// # Errors
/// The first thing that is wrong, with its place.
pub fn resolve(file: &str, text: &str, overlays: &[Overlay]) -> Result<Document, ScenarioError> {
    let alone: Document = parse(file, text)?;
    let defaults = toml::to_string(&Document::default()).expect("defaults are plain data");
    let mut builder = Config::builder()
        .add_source(config::File::from_str(&defaults, FileFormat::Toml))
        .add_source(config::File::from_str(&in_toml(file, text)?, FileFormat::Toml));
    let mut extra_subnets = alone.subnet.len();
    let mut netuids: Vec<Option<u16>> = alone.subnet.iter().map(|entry| entry.netuid).collect();
    for overlay in overlays {
        let failed =
            |what: String, hint| ScenarioError::new(format!("{}: {what}", overlay.origin), hint);
        let path = address(&overlay.path, &alone, &mut netuids)
            .map_err(|(what, hint)| failed(what, hint))?;
        if netuids.len() > extra_subnets {
            let netuid = netuids.last().copied().flatten().unwrap_or(0);
            builder = builder
                .set_override(format!("subnet[{extra_subnets}].netuid"), i64::from(netuid))
                .map_err(|error| failed(error.to_string(), None))?;
            extra_subnets = netuids.len();
        }
        builder = builder
            .set_override(&path, value_of(&overlay.text))
            .map_err(|error| failed(format!("{} is no path: {error}", overlay.path), None))?;
    }
    let merged: toml::Value = builder
        .build()
        .and_then(Config::try_deserialize)
        .map_err(|error| ScenarioError::new(format!("{file}: {error}"), None))?;
    serde_path_to_error::deserialize(merged).map_err(|error| {
        let path = error.path().to_string();
        let (sentence, hint) = readable(error.inner().message());
        let origin =
            overlays.iter().rev().find(|overlay| is_about(&overlay.path, &path, &sentence));
        let place = origin.map_or_else(|| file.to_owned(), |overlay| overlay.origin.clone());
        ScenarioError::new(format!("{place}: {}{sentence}", before(&path)), hint)
    })
}

/// A path as it stands before a sentence; nothing for the whole.
fn before(path: &str) -> String {
    if path == "." { String::new() } else { format!("{path}: ") }
}

/// Parses a file strictly, in the language that its name tells.
///
/// # Errors
/// The first thing that is wrong, with its line and column, and what may have been meant.
pub fn parse<T: DeserializeOwned>(file: &str, text: &str) -> Result<T, ScenarioError> {
    match tree(file, text)? {
        Some(tree) => parse_tree(file, &tree),
        None => parse_toml(file, text),
    }
}

/// What a file says, in TOML.
///
/// # Errors
/// It is neither YAML nor JSON, but its name says so.
pub fn in_toml<'a>(file: &str, text: &'a str) -> Result<Cow<'a, str>, ScenarioError> {
    let Some(tree) = tree(file, text)? else { return Ok(Cow::Borrowed(text)) };
    Ok(Cow::Owned(toml::to_string(&tree.value()).expect("a tree holds what TOML can say")))
}

/// The tree of a file that is not TOML.
fn tree(file: &str, text: &str) -> Result<Option<Node>, ScenarioError> {
    let read = match Format::of(Path::new(file)) {
        Format::Toml => return Ok(None),
        Format::Yaml => yaml::read(text),
        Format::Json => yaml::read_json(text),
    };
    read.map(Some).map_err(|Fault { place, what, hint }| {
        ScenarioError::new(format!("{file}:{place}: {what}"), hint)
    })
}

fn parse_tree<T: DeserializeOwned>(file: &str, tree: &Node) -> Result<T, ScenarioError> {
    serde_path_to_error::deserialize(tree.value()).map_err(|error| {
        let error: serde_path_to_error::Error<toml::de::Error> = error;
        let (sentence, hint) = readable(error.inner().message());
        let Found { name, node } = tree.find(error.path());
        let place = if sentence.starts_with(UNKNOWN_KEY) { name } else { node.place };
        let path = before(&error.path().to_string());
        let hint = hint.or_else(|| node.meant());
        ScenarioError::new(format!("{file}:{place}: {path}{sentence}"), hint)
    })
}

fn parse_toml<T: DeserializeOwned>(file: &str, text: &str) -> Result<T, ScenarioError> {
    toml::from_str(text).map_err(|error| {
        let place = error.span().map(|span| line_and_column(text, span.start));
        let place = place.map_or_else(String::new, |(line, column)| format!(":{line}:{column}"));
        let key = error.span().and_then(|span| key_before(text, span.start));
        let key = key.map_or_else(String::new, |key| format!("{key}: "));
        let (sentence, hint) = readable(error.message());
        ScenarioError::new(format!("{file}{place}: {key}{sentence}"), hint)
    })
}

/// Whether an overlay is what an error of the merged parse is about.
fn is_about(overlay: &str, path: &str, sentence: &str) -> bool {
    let last = overlay.rsplit('.').next().unwrap_or_default();
    path == overlay
        || overlay.starts_with(&format!("{path}."))
        || path.ends_with(&format!(".{last}"))
        || sentence.contains(&format!("{last:?}"))
}

/// An error found after both parses, at the overlay that it is about if it is about one: what was laid over a file is no
/// fault of the file.
pub fn traced(file: &str, overlays: &[Overlay], error: ScenarioError) -> ScenarioError {
    let what = error.to_string();
    let rest = what.strip_prefix(file).and_then(|rest| rest.strip_prefix(": "));
    let Some((path, sentence)) = rest.and_then(|rest| rest.split_once(": ")) else {
        return error;
    };
    let is_about = |overlay: &&Overlay| {
        let (before, last) = overlay.path.rsplit_once('.').unwrap_or(("", &overlay.path));
        let first = before.split('.').next().unwrap_or_default();
        path == overlay.path
            || path.starts_with(first) && path.ends_with(&format!(".{last}"))
            || path == before && sentence.contains(&format!("{last:?}"))
    };
    match overlays.iter().rev().find(is_about) {
        Some(overlay) => {
            ScenarioError::new(format!("{}: {path}: {sentence}", overlay.origin), error.hint())
        }
        None => error,
    }
}

/// The path of the config crate for one of ours: groups by name, subnets by netuid.
fn address(
    path: &str,
    alone: &Document,
    netuids: &mut Vec<Option<u16>>,
) -> Result<String, (String, Option<String>)> {
    if path.len() > PATH_LETTERS_MAX {
        return Err((format!("a path has at most {PATH_LETTERS_MAX} letters"), None));
    }
    let mut places = path.split('[').skip(1).filter_map(|rest| rest.split_once(']'));
    if let Some((place, _)) = places.find(|(place, _)| {
        place.parse().is_ok_and(|place: i128| place.unsigned_abs() >= PLACES_MAX as u128)
    }) {
        return Err((format!("no list has a place {place}"), None));
    }
    let parts: Vec<&str> = path.splitn(3, '.').collect();
    match parts.as_slice() {
        ["players", name, key] => {
            let at = alone.players.iter().position(|group| group.name == *name);
            let names: Vec<&str> = alone.players.iter().map(|group| group.name.as_str()).collect();
            let unknown = || {
                (
                    format!("there is no group {name:?}"),
                    Some(format!("the groups are {}", names.join(", "))),
                )
            };
            at.map(|at| format!("players[{at}].{key}")).ok_or_else(unknown)
        }
        ["subnet", netuid, key] => {
            let netuid: u16 =
                netuid.parse().map_err(|_| (format!("{netuid:?} is no netuid"), None))?;
            let at = netuids.iter().position(|known| *known == Some(netuid));
            let at = at.unwrap_or_else(|| {
                netuids.push(Some(netuid));
                netuids.len() - 1
            });
            Ok(format!("subnet[{at}].{key}"))
        }
        _ if path.is_empty() => Err(("there is no path before the =".to_owned(), None)),
        _ => Ok(path.to_owned()),
    }
}

/// A value as typed: TOML if it is, else a bare text.
fn value_of(text: &str) -> Value {
    let parsed = format!("value = {text}").parse::<Table>().ok();
    let value = parsed.and_then(|mut table| table.remove("value"));
    config_value(value.unwrap_or_else(|| toml::Value::String(text.to_owned())))
}

fn config_value(value: toml::Value) -> Value {
    let kind = match value {
        toml::Value::String(text) => ValueKind::String(text),
        toml::Value::Integer(number) => ValueKind::I64(number),
        toml::Value::Float(number) => ValueKind::Float(number),
        toml::Value::Boolean(truth) => ValueKind::Boolean(truth),
        toml::Value::Datetime(moment) => ValueKind::String(moment.to_string()),
        toml::Value::Array(values) => {
            ValueKind::Array(values.into_iter().map(config_value).collect())
        }
        toml::Value::Table(table) => ValueKind::Table(
            table.into_iter().map(|(key, value)| (key, config_value(value))).collect(),
        ),
    };
    Value::new(None, kind)
}

/// A parser's message as a sentence of ours, with a hint where a key was mistyped.
pub fn readable(message: &str) -> (String, Option<String>) {
    let message = message.trim();
    let Some(rest) = message.strip_prefix("unknown field `") else {
        return (message.replace('\n', " "), None);
    };
    let Some((key, rest)) = rest.split_once('`') else {
        return (message.to_owned(), None);
    };
    let known: Vec<&str> = rest.split('`').skip(1).step_by(2).collect();
    (format!("{UNKNOWN_KEY}{key:?}"), Some(meant(key, &known)))
}

/// The key whose value begins at a place, if one does.
fn key_before(text: &str, at: usize) -> Option<&str> {
    let line = text.get(..at)?.rsplit('\n').next()?;
    let key = line.trim_end().strip_suffix('=')?.trim_end();
    let start = key.rfind([' ', '{', ',', '\t']).map_or(0, |before| before + 1);
    Some(&key[start..]).filter(|key| !key.is_empty())
}

fn line_and_column(text: &str, at: usize) -> (usize, usize) {
    let before = &text[..at.min(text.len())];
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |rest| rest.chars().count()) + 1;
    (line, column)
}
