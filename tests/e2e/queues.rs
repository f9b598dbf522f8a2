//! Queues have limits, and docs/queues.md names them.

use crate::layering::{code, is_test_file, sources};
use crate::program::root;
use std::collections::BTreeSet;

/// What opens a queue of the size in its brackets.
const OPENINGS: &[&str] = &[
    "sync_channel(",
    "mpsc::channel(",
    "broadcast::channel(",
    "Semaphore::new(",
    "set_mailbox_capacity(",
    ".backlog(",
    ".max_connections(",
];

/// Every line of code that counts, with its file.
fn lines() -> Vec<(String, String)> {
    let mut all = Vec::new();
    for folder in ["protocol", "storage", "actors", "emulator"] {
        for path in sources(&root().join(folder).join("src")) {
            if is_test_file(&path) {
                continue;
            }
            let text = std::fs::read_to_string(&path).expect("readable");
            let file = path.display().to_string();
            all.extend(code(&text).iter().map(|line| (file.clone(), (*line).to_owned())));
        }
    }
    assert!(all.len() > 10_000, "only {} lines were found", all.len());
    all
}

/// Whether a line opens a channel that takes whatever comes. A `oneshot` takes one thing.
fn is_unlimited(line: &str) -> bool {
    let line = line.replace("oneshot::channel", "");
    let has_no_size = line.contains("channel::<") && line.contains(">()");
    let is_called_so = ["unbounded_channel", "unbounded(", "unbounded::<"];
    let is_called_so = is_called_so.iter().any(|name| line.contains(name));
    is_called_so || line.contains("channel()") || has_no_size
}

#[test]
fn lines_that_open_an_unlimited_channel_are_known() {
    let rows = [
        ("let (a, b) = channel();", true),
        ("let (a, b) = mpsc::channel();", true),
        ("let (a, b) = std::sync::mpsc::channel::<u8>();", true),
        ("let (a, b) = unbounded_channel();", true),
        ("let (a, b) = crossbeam::unbounded();", true),
        ("let (a, b) = oneshot::channel();", false),
        ("let (a, b) = oneshot::channel::<()>();", false),
        ("let (a, b) = sync_channel(BLOCKS_AHEAD_MAX);", false),
        ("let (a, b) = mpsc::channel::<u8>(ORDERS_MAX);", false),
        ("let (a, b) = watch::channel(first);", false),
    ];
    for (line, unlimited) in rows {
        assert_eq!(is_unlimited(line), unlimited, "{line}");
    }
}

#[test]
fn no_channel_is_without_a_limit() {
    let unlimited: Vec<_> = lines().into_iter().filter(|(_, line)| is_unlimited(line)).collect();
    assert_eq!(unlimited, [], "give it a limit with a name");
}

/// Names in capitals in a text.
fn limits(text: &str) -> BTreeSet<String> {
    let is_part =
        |letter: char| letter.is_ascii_uppercase() || letter == '_' || letter.is_ascii_digit();
    let words = text.split(|letter: char| !is_part(letter));
    words.filter(|word| word.len() > 3 && word.contains('_')).map(str::to_owned).collect()
}

#[test]
fn the_table_of_queues_names_limits_that_exist() {
    let page = std::fs::read_to_string(root().join("docs/queues.md")).expect("it is there");
    let named = limits(&page);
    assert!(named.len() > 12, "{named:?}");
    let lines = lines();
    for limit in &named {
        let declared = format!("const {limit}: ");
        assert!(lines.iter().any(|(_, line)| line.contains(&declared)), "{limit} is nowhere");
    }
    let keys = page
        .split('`')
        .filter_map(|word| word.split_once('.'))
        .filter(|(section, key)| ["run", "network"].contains(section) && key.ends_with("_max"));
    let scenarios = std::fs::read_to_string(root().join("docs/scenarios.md")).expect("it is there");
    let mut count = 0;
    for (_, key) in keys {
        assert!(scenarios.contains(&format!("| `{key}` |")), "{key} is no key of a scenario");
        count += 1;
    }
    assert!(count >= 5, "{count} keys are named");
}

#[test]
fn every_queue_is_in_the_table() {
    let page = std::fs::read_to_string(root().join("docs/queues.md")).expect("it is there");
    let named = limits(&page);
    let mut found = BTreeSet::new();
    for (file, line) in lines() {
        for opening in OPENINGS {
            let Some((_, rest)) = line.split_once(opening) else { continue };
            let argument = rest.split([')', ',']).next().unwrap_or_default().trim();
            // Room for one answer is a limit that needs no name.
            if ["0", "1"].contains(&argument) {
                continue;
            }
            let limit = limits(argument).into_iter().next();
            let limit = limit.unwrap_or_else(|| panic!("{file}: a queue without a name: {line}"));
            assert!(named.contains(&limit), "{file}: {limit} is not in docs/queues.md");
            found.insert(limit);
        }
    }
    assert!(found.len() >= 6, "{found:?}");
}
