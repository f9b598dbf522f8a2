//! What strangers cannot guess: the token of a run, and names of connections. From the system, not from a seed: nothing here
//! reaches the simulation.

use std::fmt::Write;
use std::io::{self, Read};

/// Environment variable with the token of a run.
pub const TOKEN_VARIABLE: &str = "BTEMU_TOKEN";
/// Letters a token must have; fewer can be tried out by whoever reaches the chain.
pub const TOKEN_LETTERS_MIN: usize = 16;
/// Letters a token may have: it must fit into a greeting.
pub const TOKEN_LETTERS_MAX: usize = 512;

/// Random bytes of a token.
const TOKEN_BYTES: usize = 32;
/// A token for one run.
///
/// # Errors
/// The system gives no random bytes.
pub fn token() -> io::Result<String> {
    random::<TOKEN_BYTES>()
}

/// Whether two secrets are equal; how long it takes says nothing about where they differ.
pub fn are_equal(one: &str, other: &str) -> bool {
    // Hashes compare in constant time.
    blake3::hash(one.as_bytes()) == blake3::hash(other.as_bytes())
}

/// A token that somebody chose, without the space around it.
///
/// # Errors
/// It is too short, too long, or cannot be typed.
pub fn chosen_token(text: &str) -> Result<String, String> {
    let token = text.trim();
    match token.len() {
        length if length < TOKEN_LETTERS_MIN => {
            Err(format!("a token has {TOKEN_LETTERS_MIN} letters at least, this one has {length}"))
        }
        length if length > TOKEN_LETTERS_MAX => {
            Err(format!("a token has {TOKEN_LETTERS_MAX} letters at most, this one has {length}"))
        }
        _ if token.bytes().all(|byte| byte.is_ascii_graphic()) => Ok(token.to_owned()),
        _ => Err("a token is one word of ASCII letters, digits and signs".to_owned()),
    }
}

/// So many random bytes in hex.
///
/// # Errors
/// The system gives no random bytes.
pub fn random<const BYTES: usize>() -> io::Result<String> {
    let mut bytes = [0; BYTES];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a text grows");
        text
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_secrets_are_equal() {
        let (one, other) = (token().expect("a system"), token().expect("a system"));
        assert_ne!(one, other);
        assert!(!are_equal(&one, &other) && are_equal(&one, &one.clone()));
        assert_eq!((one.len(), random::<3>().expect("a system").len()), (64, 6));
    }

    #[test]
    fn a_chosen_token_must_be_worth_something() {
        let rows = [
            ("short", Err("16 letters at least")),
            ("two words of letters", Err("one word")),
            ("0123456789abcdef", Ok("0123456789abcdef")),
            ("0123456789abcdef\n", Ok("0123456789abcdef")),
        ];
        for (text, expected) in rows {
            match (chosen_token(text), expected) {
                (Ok(token), Ok(expected)) => assert_eq!(token, expected),
                (Err(told), Err(expected)) => assert!(told.contains(expected), "{told}"),
                (told, _) => panic!("{text:?}: {told:?}"),
            }
        }
        assert!(chosen_token(&"x".repeat(TOKEN_LETTERS_MAX + 1)).is_err());
    }
}
