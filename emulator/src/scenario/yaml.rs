//! YAML and JSON as trees. Bare words of YAML mean what its version 1.2 says (the core schema); what would mean one
//! thing to one reader and another to the next is refused.
//!
//! What belongs here: from a text to a tree, and back. What does not: what a tree says about a scenario (`document`).

use super::tree::{Entry, Fault, Kind, Node, Place, Quotes, Size};
use granit_parser::{Event, Marker, Parser, ScalarStyle};
use serde::de::IgnoredAny;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// Tables and lists within each other at most.
const DEPTH_MAX: usize = 64;
/// Values and letters that anchors may keep and aliases may repeat, all together.
const REPEATED_MAX: usize = 1 << 20;
/// What a JSON file may say beside what a scenario says: where editors find its schema.
pub const SCHEMA: &str = "$schema";

/// Reads YAML.
///
/// # Errors
/// The first thing that is wrong, with its place.
pub fn read(text: &str) -> Result<Node, Fault> {
    let mut growth = Growth::default();
    for next in Parser::new_from_str(text) {
        let (event, span) = next.map_err(|error| Fault {
            place: place(error.marker()),
            what: error.info().to_owned(),
            hint: None,
        })?;
        growth.take(event, place(&span.start))?;
    }
    let start = Place { line: 1, column: 1 };
    let root = growth.root.unwrap_or(Node { place: start, kind: Kind::Table(Vec::new()) });
    match root.kind {
        Kind::Table(_) => Ok(root),
        _ => Err(Fault {
            place: root.place,
            what: "it is no table of keys and values".to_owned(),
            hint: None,
        }),
    }
}

/// Reads JSON. It is YAML too; whatever else YAML allows is refused before.
///
/// # Errors
/// The first thing that is wrong, with its place.
pub fn read_json(text: &str) -> Result<Node, Fault> {
    serde_json::from_str::<IgnoredAny>(text).map_err(|error| {
        let told = error.to_string();
        let (what, _) = told.rsplit_once(" at line ").unwrap_or((&told, ""));
        let place = Place { line: error.line().max(1), column: error.column().max(1) };
        Fault { place, what: what.to_owned(), hint: None }
    })?;
    let mut root = read(&escaped(text))?;
    if let Kind::Table(entries) = &mut root.kind {
        entries.retain(|entry| entry.key != SCHEMA);
    }
    Ok(root)
}

/// JSON with escapes where its texts hold letters that YAML wants escaped.
fn escaped(text: &str) -> Cow<'_, str> {
    let is_taken = |letter: char| "\t\n\r".contains(letter) || is_printable(letter);
    if text.chars().all(is_taken) {
        return Cow::Borrowed(text);
    }
    let letters = text.chars().map(|letter| match is_taken(letter) {
        true => letter.to_string(),
        false => escape(letter),
    });
    Cow::Owned(letters.collect())
}

/// Whether a letter may stand in YAML as it is, and no reader takes it for the end of a line.
fn is_printable(letter: char) -> bool {
    matches!(
        letter,
        ' '..='~'
            | '\u{a0}'..='\u{2027}'
            | '\u{202a}'..='\u{fefe}'
            | '\u{ff00}'..='\u{fffd}'
            | '\u{10000}'..
    )
}

/// A letter by its number; those that want it have four digits of it.
fn escape(letter: char) -> String {
    format!("\\u{:04x}", u32::from(letter))
}

/// A table or list that is not complete yet.
#[derive(Debug)]
struct Open {
    place: Place,
    anchor: usize,
    inside: Inside,
}

#[derive(Debug)]
enum Inside {
    List(Vec<Node>),
    Table { entries: Vec<Entry>, names: BTreeSet<String>, key: Option<(String, Place)> },
}

/// A tree while it is read.
#[derive(Debug, Default)]
struct Growth {
    open: Vec<Open>,
    root: Option<Node>,
    anchors: BTreeMap<usize, Node>,
    repeated: usize,
}

impl Growth {
    fn take(&mut self, event: Event<'_>, place: Place) -> Result<(), Fault> {
        if let Some(tag) = event.tag() {
            let what = format!("the tag {} is not taken", tag.original());
            return Err(self.fault(place, what, Some("quotes make a text of anything")));
        }
        match event {
            Event::DocumentStart(_, version) => {
                if self.root.is_some() {
                    let what = "a second document begins here, but a file is one".to_owned();
                    return Err(self.fault(place, what, None));
                }
                if version.is_some_and(|version| (version.major, version.minor) != (1, 2)) {
                    let what = "this is read as YAML 1.2, not as another version".to_owned();
                    return Err(self.fault(place, what, Some("leave the line with %YAML out")));
                }
                Ok(())
            }
            Event::Scalar(text, style, anchor, _) => match self.wants_key() {
                true => self.take_key(&text, style, place),
                false => self.take_scalar(&text, style, anchor, place),
            },
            Event::Alias(anchor) => self.take_alias(anchor, place),
            Event::SequenceStart(_, anchor, _) => {
                self.begin(Open { place, anchor, inside: Inside::List(Vec::new()) })
            }
            Event::MappingStart(_, anchor, _) => {
                let (entries, names) = (Vec::new(), BTreeSet::new());
                let inside = Inside::Table { entries, names, key: None };
                self.begin(Open { place, anchor, inside })
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            _ => Ok(()),
        }
    }

    /// Whether the next value is the name of another.
    fn wants_key(&self) -> bool {
        let inside = self.open.last().map(|open| &open.inside);
        matches!(inside, Some(Inside::Table { key: None, .. }))
    }

    fn begin(&mut self, open: Open) -> Result<(), Fault> {
        if self.wants_key() {
            return Err(self.no_key(open.place));
        }
        if self.open.len() >= DEPTH_MAX {
            return Err(self.too_deep(open.place));
        }
        self.open.push(open);
        Ok(())
    }

    fn end(&mut self) -> Result<(), Fault> {
        let Open { place, anchor, inside } = self.open.pop().expect("what ends has begun");
        let kind = match inside {
            Inside::List(nodes) => Kind::List(nodes),
            Inside::Table { entries, .. } => Kind::Table(entries),
        };
        self.add(Node { place, kind }, anchor)
    }

    fn take_key(&mut self, text: &str, style: ScalarStyle, at: Place) -> Result<(), Fault> {
        let is_bare = style == ScalarStyle::Plain;
        if is_bare && ["", "~"].contains(&text) {
            return Err(self.no_key(at));
        }
        if is_bare && text == "<<" {
            let hint = "an alias stands for a whole value: key: *name";
            return Err(self.fault(at, "the merge key << is not taken".to_owned(), Some(hint)));
        }
        let Some(Open { inside: Inside::Table { names, key, .. }, .. }) = self.open.last_mut()
        else {
            return Ok(());
        };
        let is_new = names.insert(text.to_owned());
        *key = Some((text.to_owned(), at));
        match is_new {
            true => Ok(()),
            false => Err(self.fault(at, "the key is there twice".to_owned(), None)),
        }
    }

    fn take_scalar(
        &mut self,
        text: &str,
        style: ScalarStyle,
        anchor: usize,
        place: Place,
    ) -> Result<(), Fault> {
        if style != ScalarStyle::Plain {
            let kind = Kind::Text(text.to_owned(), Quotes::Some);
            return self.add(Node { place, kind }, anchor);
        }
        match bare(text) {
            Ok(Some(kind)) => self.add(Node { place, kind }, anchor),
            // A whole file may say nothing, as in TOML.
            Ok(None) if self.open.is_empty() => Ok(()),
            Ok(None) => {
                let hint = "leave the key out; a section without keys is {}";
                Err(self.fault(place, "there is no value".to_owned(), Some(hint)))
            }
            Err((what, hint)) => Err(self.fault(place, what, Some(&hint))),
        }
    }

    fn take_alias(&mut self, anchor: usize, place: Place) -> Result<(), Fault> {
        if self.wants_key() {
            return Err(self.no_key(place));
        }
        let Some(node) = self.anchors.get(&anchor) else {
            let what = "the alias is within what it stands for".to_owned();
            return Err(self.fault(place, what, None));
        };
        let Size { weight, depth } = node.size();
        let node = node.clone();
        if self.open.len() + depth > DEPTH_MAX {
            return Err(self.too_deep(place));
        }
        self.repeat(weight, place)?;
        self.add(node, 0)
    }

    /// A complete value takes its place.
    fn add(&mut self, node: Node, anchor: usize) -> Result<(), Fault> {
        if anchor != 0 {
            self.repeat(node.size().weight, node.place)?;
            self.anchors.insert(anchor, node.clone());
        }
        match self.open.last_mut().map(|open| &mut open.inside) {
            None => self.root = Some(node),
            Some(Inside::List(nodes)) => nodes.push(node),
            Some(Inside::Table { entries, key, .. }) => {
                let (key, place) = key.take().expect("a value of a table comes after its key");
                entries.push(Entry { key, place, node });
            }
        }
        Ok(())
    }

    fn repeat(&mut self, weight: usize, place: Place) -> Result<(), Fault> {
        self.repeated = self.repeated.saturating_add(weight);
        match self.repeated <= REPEATED_MAX {
            true => Ok(()),
            false => {
                let what = format!(
                    "anchors and aliases repeat more than {REPEATED_MAX} values and letters"
                );
                Err(self.fault(place, what, None))
            }
        }
    }

    fn too_deep(&self, place: Place) -> Fault {
        let what = format!("more than {DEPTH_MAX} tables and lists are within each other");
        Fault { place, what, hint: None }
    }

    fn no_key(&self, place: Place) -> Fault {
        self.fault(place, "a key is a text".to_owned(), Some("quotes make a text of anything"))
    }

    fn fault(&self, place: Place, what: String, hint: Option<&str>) -> Fault {
        let path = self.path();
        let path = if path.is_empty() { path } else { format!("{path}: ") };
        Fault { place, what: format!("{path}{what}"), hint: hint.map(str::to_owned) }
    }

    /// Where the next value would be: `players[3].count`.
    fn path(&self) -> String {
        let mut path = String::new();
        for open in &self.open {
            let written = match &open.inside {
                Inside::List(nodes) => write!(path, "[{}]", nodes.len()),
                Inside::Table { key: Some((key, _)), .. } => {
                    let dot = if path.is_empty() { "" } else { "." };
                    write!(path, "{dot}{key}")
                }
                Inside::Table { key: None, .. } => Ok(()),
            };
            written.expect("a text takes every letter");
        }
        path
    }
}

fn place(marker: &Marker) -> Place {
    Place { line: marker.line().max(1), column: marker.col() + 1 }
}

/// What a word without quotation marks is: the core schema of YAML 1.2. Nothing for null.
fn bare(text: &str) -> Result<Option<Kind>, (String, String)> {
    let kind = match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(None),
        "true" | "True" | "TRUE" => Kind::Flag(true),
        "false" | "False" | "FALSE" => Kind::Flag(false),
        ".nan" | ".NaN" | ".NAN" => return Err(no_number(text)),
        _ => match bare_number(text)? {
            Some(kind) => kind,
            None => Kind::Text(text.to_owned(), Quotes::None),
        },
    };
    Ok(Some(kind))
}

fn no_number(text: &str) -> (String, String) {
    (format!("{text} is no number that a scenario takes"), "quote a text".to_owned())
}

fn bare_number(text: &str) -> Result<Option<Kind>, (String, String)> {
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|one| one.is_ascii_digit());
    let too_large = || {
        let hint = "parameters take such a number as a text of digits".to_owned();
        (format!("{text} is beyond 2^63 - 1"), hint)
    };
    for (start, radix) in [("0x", 16), ("0o", 8)] {
        if let Some(digits) = text.strip_prefix(start)
            && !digits.is_empty()
            && digits.chars().all(|digit| digit.is_digit(radix))
        {
            let number = i64::from_str_radix(digits, radix).map_err(|_| too_large())?;
            return Ok(Some(Kind::Integer(number)));
        }
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if is_digits(unsigned) {
        if unsigned.len() > 1 && unsigned.starts_with('0') {
            let what = format!("{text} begins with 0, which some readers take for base 8");
            return Err((what, "leave the 0 out, or quote a text".to_owned()));
        }
        return text.parse().map(|number| Some(Kind::Integer(number))).map_err(|_| too_large());
    }
    if [".inf", ".Inf", ".INF"].contains(&unsigned) {
        return Err(no_number(text));
    }
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let (whole, part) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let is_mantissa = is_digits(&format!("{whole}{part}"));
    let is_exponent =
        exponent.is_none_or(|text| is_digits(text.strip_prefix(['-', '+']).unwrap_or(text)));
    match text.parse::<f64>() {
        Ok(number) if is_mantissa && is_exponent => match number.is_finite() {
            true => Ok(Some(Kind::Float(number))),
            false => Err(no_number(text)),
        },
        _ => Ok(None),
    }
}

/// Writes a tree as YAML that readers of any version take for the same.
pub fn write(root: &Node) -> String {
    let mut text = String::new();
    match &root.kind {
        Kind::Table(entries) if !entries.is_empty() => write_table(entries, 0, "", &mut text),
        _ => text = format!("{}\n", in_a_line(root)),
    }
    text
}

/// Keys below each other; the first stands behind what its line begins with.
fn write_table(entries: &[Entry], indent: usize, first: &str, to: &mut String) {
    for (at, Entry { key, node, .. }) in entries.iter().enumerate() {
        let start = if at == 0 && !first.is_empty() { first } else { &" ".repeat(indent) };
        to.push_str(&format!("{start}{}:", word(key)));
        match &node.kind {
            Kind::Table(entries) if !entries.is_empty() => {
                to.push('\n');
                write_table(entries, indent + 2, "", to);
            }
            Kind::List(nodes) if nodes.iter().any(is_table) => {
                to.push('\n');
                for node in nodes {
                    let dash = format!("{}- ", " ".repeat(indent + 2));
                    match &node.kind {
                        Kind::Table(entries) if !entries.is_empty() => {
                            write_table(entries, indent + 4, &dash, to);
                        }
                        _ => to.push_str(&format!("{dash}{}\n", in_a_line(node))),
                    }
                }
            }
            _ => to.push_str(&format!(" {}\n", in_a_line(node))),
        }
    }
}

fn is_table(node: &Node) -> bool {
    matches!(&node.kind, Kind::Table(entries) if !entries.is_empty())
}

fn in_a_line(node: &Node) -> String {
    match &node.kind {
        Kind::Text(text, _) => word(text),
        Kind::Integer(number) => number.to_string(),
        Kind::Float(number) if number.is_nan() => ".nan".to_owned(),
        Kind::Float(number) if number.is_infinite() => {
            if *number > 0.0 {
                ".inf".to_owned()
            } else {
                "-.inf".to_owned()
            }
        }
        Kind::Float(number) => format!("{number:?}"),
        Kind::Flag(flag) => flag.to_string(),
        Kind::List(nodes) => {
            format!("[{}]", nodes.iter().map(in_a_line).collect::<Vec<_>>().join(", "))
        }
        Kind::Table(entries) => {
            let entries = entries
                .iter()
                .map(|entry| format!("{}: {}", word(&entry.key), in_a_line(&entry.node)));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
        }
    }
}

/// A text, in quotation marks unless no reader could take it for something else.
fn word(text: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_".contains(letter);
    let begins = text.starts_with(|letter: char| letter.is_ascii_alphabetic());
    let reserved = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    if begins && text.chars().all(is_plain) && !reserved.contains(&&*text.to_lowercase()) {
        return text.to_owned();
    }
    let mut quoted = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            '\n' => quoted.push_str("\\n"),
            _ if is_printable(letter) => quoted.push(letter),
            _ => quoted.push_str(&escape(letter)),
        }
    }
    quoted + "\""
}
