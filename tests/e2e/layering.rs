//! Which crate and which file may name what. The rules are those of ARCHITECTURE.md.

use crate::program::root;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Workspace crates that a crate may depend on.
const CRATES: &[(&str, &[&str])] = &[
    ("protocol", &[]),
    ("storage", &["protocol"]),
    ("actors", &["protocol"]),
    ("emulator", &["protocol", "storage", "actors"]),
];

/// Outside crates that only one workspace crate may depend on.
const OWNED: &[(&str, &str)] = &[
    ("sled", "storage"),
    ("bincode", "storage"),
    ("zstd", "storage"),
    ("clap", "emulator"),
    ("tokio", "emulator"),
    ("prometheus", "emulator"),
    ("prost", "emulator"),
    ("snap", "emulator"),
    ("ureq", "emulator"),
    ("actix-web", "emulator"),
    ("csv", "emulator"),
    ("plotters", "emulator"),
    ("maud", "emulator"),
    ("ratatui", "emulator"),
    ("parquet", "emulator"),
    ("async-nats", "emulator"),
    ("opentelemetry-otlp", "emulator"),
    ("tikv-jemallocator", "emulator"),
    ("socket2", "emulator"),
    ("granit-parser", "emulator"),
    ("libm", "actors"),
];

/// Words that only the named files may contain, by crate.
const WORDS: &[(&str, &str, &[&str])] = &[
    ("storage", "sled::", &["src/log.rs"]),
    ("storage", "bincode::", &["src/codec.rs"]),
    ("storage", "rmp_serde::", &["src/codec.rs"]),
    ("actors", "actix::", &["src/shell.rs"]),
    ("actors", "libm::", &["src/maths.rs"]),
    ("emulator", "::parquet::", &["src/export/parquet.rs"]),
    (
        "emulator",
        "::async_nats::",
        &[
            "src/run/link/nats.rs",
            "src/sweep/broker/mod.rs",
            "src/sweep/broker/sweeper.rs",
            "src/sweep/broker/worker.rs",
        ],
    ),
    ("emulator", "socket2::", &["src/run/link/sockets.rs"]),
    ("emulator", "::csv::", &["src/export/csv.rs", "src/genesis/import.rs"]),
    ("emulator", "plotters::", &["src/chart.rs", "src/chart/panel.rs"]),
    ("emulator", "ratatui::", &["src/top/draw.rs", "src/top/terminal.rs"]),
    ("emulator", "opentelemetry::", &["src/logging/otel.rs"]),
    // Commands are the top; the terminal still reaches up to how a run is opened.
    ("emulator", "commands::", &["src/main.rs", "src/top/finished.rs"]),
    ("emulator", "granit_parser::", &["src/scenario/yaml.rs"]),
    ("emulator", "prost::", &["src/metrics/remote/wire.rs"]),
    ("emulator", "snap::", &["src/metrics/remote/wire.rs"]),
    ("emulator", "ureq::", &["src/http.rs", "src/metrics/remote/courier.rs", "src/top/scraped.rs"]),
    ("emulator", "Instant::now", &["src/clock.rs"]),
    ("emulator", "SystemTime", &["src/clock.rs"]),
    ("actors", "Instant", &[]),
    ("actors", "SystemTime", &[]),
    ("protocol", "std::", &[]),
    ("protocol", "HashMap", &[]),
    ("protocol", "HashSet", &[]),
    ("actors", "HashMap", &[]),
    ("actors", "HashSet", &[]),
    // A player sees what its context shows and nothing else: no files, no other players' memory, nothing sealed.
    ("actors", "std::fs", &[]),
    ("actors", "std::io", &[]),
    ("actors", "std::env", &[]),
    ("actors", "std::net", &[]),
    ("actors", "std::process", &[]),
    ("actors", "static mut", &[]),
    ("actors", "thread_local", &[]),
    ("actors", "OnceLock", &[]),
    ("actors", "LazyLock", &[]),
    ("actors", "RefCell", &[]),
    ("actors", "Atomic", &[]),
    ("actors", "Mutex", &["src/machine.rs", "src/shell.rs"]),
    ("actors", "vault", &[]),
    ("actors", "Sealed", &[]),
    // The canonical encoder must name floats to refuse them.
    ("protocol", "f64", &["src/canon.rs"]),
    ("protocol", "f32", &["src/canon.rs"]),
];

/// Modules of the emulator that may not name others: what is below knows nothing of who uses it.
const BELOW: &[(&str, &[&str])] = &[
    ("run", &["commands", "swarm", "sweep", "attack", "top", "report"]),
    ("swarm", &["commands"]),
    ("attack", &["commands"]),
    ("sweep", &["attack", "swarm"]),
    ("arm", &["attack", "sweep", "commands"]),
];

/// Words that no file may contain.
const NOWHERE: &[&str] = &["#[ignore", "should_panic", "todo!(", "unimplemented!(", "dbg!("];

fn manifest(name: &str) -> toml::Table {
    let path = root().join(name).join("Cargo.toml");
    let text = std::fs::read_to_string(&path).expect("every crate has a manifest");
    text.parse().expect("a manifest is TOML")
}

fn dependencies(name: &str) -> BTreeSet<String> {
    let manifest = manifest(name);
    let table = manifest.get("dependencies").and_then(toml::Value::as_table);
    table.map(|table| table.keys().cloned().collect()).unwrap_or_default()
}

/// The Rust files of a folder.
pub fn sources(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = folder.read_dir() else { return Vec::new() };
    let mut files = Vec::new();
    for path in entries.map(|entry| entry.expect("readable").path()) {
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// The lines that count: neither comments nor tests.
pub fn code(text: &str) -> Vec<&str> {
    let lines: Vec<&str> = text.lines().collect();
    // Tests come last; one that is only named, as in `mod tests;`, hides nothing below it.
    let is_named = |at: usize| lines.get(at + 1).is_some_and(|next| next.trim_end().ends_with(';'));
    let is_test = |at: usize| lines[at].trim() == "#[cfg(test)]" && !is_named(at);
    let end = (0..lines.len()).find(|at| is_test(*at)).unwrap_or(lines.len());
    let code = lines[..end].iter().filter(|line| !line.trim_start().starts_with("//"));
    code.copied().collect()
}

#[test]
fn crates_depend_only_on_those_below_them() {
    let names: BTreeSet<&str> = CRATES.iter().map(|(name, _)| *name).collect();
    for (name, allowed) in CRATES {
        let found = dependencies(name);
        let inside: BTreeSet<&str> =
            found.iter().map(String::as_str).filter(|one| names.contains(one)).collect();
        let allowed: BTreeSet<&str> = allowed.iter().copied().collect();
        assert_eq!(inside, allowed, "{name}");
    }
}

#[test]
fn outside_crates_stay_with_their_owner() {
    for (outside, owner) in OWNED {
        for (name, _) in CRATES {
            let has = dependencies(name).contains(*outside);
            assert_eq!(has, name == owner, "{outside} in {name}");
        }
    }
}

#[test]
fn words_stay_in_their_files() {
    for (name, word, allowed) in WORDS {
        let folder = root().join(name);
        let mut found_in = BTreeSet::new();
        for path in sources(&folder.join("src")) {
            let text = std::fs::read_to_string(&path).expect("readable");
            if is_test_file(&path) || !code(&text).iter().any(|line| names(line, word)) {
                continue;
            }
            let file = path.strip_prefix(&folder).expect("below it").display().to_string();
            assert!(allowed.contains(&file.as_str()), "{name}/{file} names {word}");
            found_in.insert(file);
        }
        let expected: BTreeSet<String> = allowed.iter().map(|file| (*file).to_owned()).collect();
        assert_eq!(found_in, expected, "who names {word}");
    }
}

/// Whether a line holds a word that is not part of a longer one.
fn names(line: &str, word: &str) -> bool {
    let is_part =
        |letter: Option<char>| letter.is_some_and(|one| one.is_alphanumeric() || one == '_');
    line.match_indices(word).any(|(at, _)| {
        let (before, after) = (&line[..at], &line[at + word.len()..]);
        let open = word.ends_with(':');
        !is_part(before.chars().next_back()) && (open || !is_part(after.chars().next()))
    })
}

/// Whether a file holds tests alone.
pub fn is_test_file(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name == "tests.rs" || name == "stage.rs")
}

#[test]
fn modules_know_nothing_of_those_above_them() {
    let folder = root().join("emulator/src");
    for (module, above) in BELOW {
        let files =
            [vec![folder.join(format!("{module}.rs"))], sources(&folder.join(module))].concat();
        let files: Vec<PathBuf> = files.into_iter().filter(|path| path.is_file()).collect();
        assert!(!files.is_empty(), "there is no module {module}");
        for path in files.iter().filter(|path| !is_test_file(path)) {
            let text = std::fs::read_to_string(path).expect("readable");
            for name in *above {
                let word = format!("crate::{name}::");
                let named = code(&text).into_iter().find(|line| line.contains(&word));
                assert_eq!(named, None, "{} names what is above it", path.display());
            }
        }
    }
}

#[test]
fn every_file_says_what_belongs_in_it_and_no_test_is_switched_off() {
    let this = Path::new(file!()).file_name().expect("a file");
    let mut count = 0;
    for folder in ["protocol", "storage", "actors", "emulator", "tests"] {
        for path in sources(&root().join(folder)) {
            if path.components().any(|part| part.as_os_str() == "target") {
                continue;
            }
            let text = std::fs::read_to_string(&path).expect("readable");
            assert!(text.starts_with("//!"), "{} does not begin with //!", path.display());
            if path.file_name() != Some(this) {
                let word = NOWHERE.iter().find(|word| text.contains(**word));
                assert_eq!(word, None, "{}", path.display());
            }
            count += 1;
        }
    }
    assert!(count > 60, "only {count} files were found");
}

#[test]
fn unwrap_is_for_tests() {
    for folder in ["protocol", "storage", "actors", "emulator"] {
        for path in sources(&root().join(folder).join("src")) {
            let text = std::fs::read_to_string(&path).expect("readable");
            let unwraps = code(&text).into_iter().filter(|line| line.contains(".unwrap()"));
            if !is_test_file(&path) {
                assert_eq!(unwraps.collect::<Vec<_>>(), [""; 0], "{}", path.display());
            }
        }
    }
}
