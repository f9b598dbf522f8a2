//! What needs no server: subjects and names. Links over a real server are in `tests/e2e/broker.rs`.

use super::*;

fn pass(run: &str, token: &str) -> Pass {
    Pass { run: run.to_owned(), token: token.to_owned() }
}

#[test]
fn subjects_differ_by_run_and_by_token_and_tell_neither() {
    let prefixes = [
        prefix(&pass("run", "a token of letters")),
        prefix(&pass("run", "another token of letters")),
        prefix(&pass("other", "a token of letters")),
    ];
    let distinct: BTreeSet<&String> = prefixes.iter().collect();
    assert_eq!(distinct.len(), 3);
    for prefix in &prefixes {
        assert!(!prefix.contains("token") && prefix.len() < 64, "{prefix}");
        let is_plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '.';
        assert!(prefix.chars().all(is_plain), "{prefix}");
    }
}

#[test]
fn a_knock_names_nothing_but_a_connection() {
    let name = secret::random::<NAME_BYTES>().unwrap();
    assert!(is_name(&name));
    for text in ["", ">", "*", "a.b", &name[1..], &name.to_uppercase(), &format!("{name}.up")] {
        assert!(!is_name(text), "{text}");
    }
}
