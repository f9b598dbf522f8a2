//! What people are told who start hosts on other machines: the command, word by word. It goes to standard error and
//! nowhere else, for it may hold the token.

use super::link::Place;
use super::order::{ChainOrder, run_id};
use super::secret::TOKEN_VARIABLE;

/// How people who start hosts elsewhere know the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKnown {
    /// They chose it.
    Already,
    /// It stands in the command that they are shown.
    FromTheCommand,
}

/// The command that joins a run from another machine, if the run waits for any.
pub fn invitation(order: &ChainOrder, place: &Place, token: TokenKnown) -> Option<String> {
    let count = order.outside;
    let hosts = match count {
        0 => return None,
        1 => "1 host".to_owned(),
        _ => format!("{count} hosts"),
    };
    // In the environment, because every user of a machine sees the arguments of its processes.
    let known = match token {
        TokenKnown::Already => format!("{TOKEN_VARIABLE}=…"),
        TokenKnown::FromTheCommand => format!("{TOKEN_VARIABLE}={}", order.token),
    };
    let (place, run) = (place.seen_elsewhere(), word(&run_id(order)));
    let wait_s = order.host_join_ms_max.div_ceil(1_000);
    Some(format!(
        "waiting up to {wait_s} s for {hosts} from outside:\n  {known} btemu host --join {place} --run {run}"
    ))
}

/// A text as one word of a shell's command.
fn word(text: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.,/:=@%+".contains(letter);
    match !text.is_empty() && text.chars().all(is_plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', "'\\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::units::Height;
    use std::path::PathBuf;

    #[test]
    fn the_command_can_be_typed_as_it_is_shown() {
        let order = |outside, run: &str| ChainOrder {
            outside,
            token: "secret".to_owned(),
            ..ChainOrder::inside(PathBuf::from(run), Height(9))
        };
        let place = Place::Tcp("0.0.0.0:7000".to_owned());
        assert_eq!(invitation(&order(0, "a"), &place, TokenKnown::Already), None);
        let told = invitation(&order(1, "a"), &place, TokenKnown::FromTheCommand);
        assert_eq!(
            told.as_deref(),
            Some(
                "waiting up to 300 s for 1 host from outside:\n  BTEMU_TOKEN=secret btemu host \
                 --join tcp://THIS-MACHINE:7000 --run a"
            )
        );
        let told =
            invitation(&order(2, "it's"), &place, TokenKnown::Already).expect("two are awaited");
        assert!(told.ends_with(r"--run 'it'\''s'") && !told.contains("secret"), "{told}");
    }
}
