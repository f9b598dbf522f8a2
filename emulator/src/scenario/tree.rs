//! What a YAML or JSON file says, value by value, with the place where each is written.
//!
//! What belongs here: the tree, what it is as TOML, and finding a place in it again. What does not: how it is read
//! from a text (`yaml`), and what a scenario may hold (`document`).

use serde_path_to_error::{Path, Segment};
use std::fmt;

/// Where something is written: line and column, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The column, in letters.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{}:{}", self.line, self.column)
    }
}

/// A text that is no tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where.
    pub place: Place,
    /// What, with the path of the value if it is about one.
    pub what: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// A value and where it begins.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Where its first letter is.
    pub place: Place,
    /// What it is.
    pub kind: Kind,
}

/// What a value is: whatever TOML can say, and nothing else.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// Of letters.
    Text(String, Quotes),
    /// Of digits.
    Integer(i64),
    /// With a point or an exponent.
    Float(f64),
    /// True or false.
    Flag(bool),
    /// In order.
    List(Vec<Node>),
    /// By name, each once, in the order in which they are written.
    Table(Vec<Entry>),
}

/// Whether a text has quotation marks around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quotes {
    /// It has, or is a block of lines.
    Some,
    /// It is bare, so that it might have been meant as something else.
    None,
}

/// A value of a table.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Its name.
    pub key: String,
    /// Where its name is written.
    pub place: Place,
    /// What it is.
    pub node: Node,
}

/// What is at the end of a path.
#[derive(Clone, Copy, Debug)]
pub struct Found<'a> {
    /// Where its name is written, or the value itself in a list.
    pub name: Place,
    /// The value.
    pub node: &'a Node,
}

impl Node {
    /// The same as a value of TOML.
    pub fn value(&self) -> toml::Value {
        match &self.kind {
            Kind::Text(text, _) => toml::Value::String(text.clone()),
            Kind::Integer(number) => toml::Value::Integer(*number),
            Kind::Float(number) => toml::Value::Float(*number),
            Kind::Flag(flag) => toml::Value::Boolean(*flag),
            Kind::List(nodes) => nodes.iter().map(Self::value).collect::<Vec<_>>().into(),
            Kind::Table(entries) => {
                let entries = entries.iter().map(|entry| (entry.key.clone(), entry.node.value()));
                toml::Value::Table(entries.collect())
            }
        }
    }

    /// Follows a path as far as it is written.
    pub fn find(&self, path: &Path) -> Found<'_> {
        let mut found = Found { name: self.place, node: self };
        for segment in path {
            let next = match (segment, &found.node.kind) {
                (Segment::Seq { index }, Kind::List(nodes)) => {
                    nodes.get(*index).map(|node| Found { name: node.place, node })
                }
                (Segment::Map { key }, Kind::Table(entries)) => entries
                    .iter()
                    .find(|entry| entry.key == *key)
                    .map(|entry| Found { name: entry.place, node: &entry.node }),
                _ => None,
            };
            match next {
                Some(next) => found = next,
                None => break,
            }
        }
        found
    }

    /// What may have been meant by a bare text where a text is not wanted.
    pub fn meant(&self) -> Option<String> {
        let Kind::Text(text, Quotes::None) = &self.kind else { return None };
        let digits = text.replace('_', "");
        let is_number = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
        if is_number && digits.len() < text.len() {
            return Some(format!("numbers of YAML have no _ in them: {digits}"));
        }
        let is_word = ["yes", "no", "on", "off", "y", "n"].contains(&&*text.to_lowercase());
        is_word.then(|| format!("flags of YAML are true and false; {text} is a text"))
    }

    /// How much it takes, in values and letters, and how many tables and lists are within each other.
    pub fn size(&self) -> Size {
        let within = |sizes: &mut dyn Iterator<Item = Size>| {
            sizes.fold(Size { weight: 1, depth: 1 }, |sum, one| Size {
                weight: sum.weight + one.weight,
                depth: sum.depth.max(one.depth + 1),
            })
        };
        match &self.kind {
            Kind::Text(text, _) => Size { weight: 1 + text.len(), depth: 0 },
            Kind::Integer(_) | Kind::Float(_) | Kind::Flag(_) => Size { weight: 1, depth: 0 },
            Kind::List(nodes) => within(&mut nodes.iter().map(Self::size)),
            Kind::Table(entries) => within(&mut entries.iter().map(|entry| {
                let Size { weight, depth } = entry.node.size();
                Size { weight: weight + entry.key.len(), depth }
            })),
        }
    }
}

/// How large a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Values and letters.
    pub weight: usize,
    /// Tables and lists within each other.
    pub depth: usize,
}
