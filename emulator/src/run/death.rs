//! What processes owe the system: to end with the one that started them, and to say what memory they took.

use nix::sys::prctl;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::io::Read;

/// Ends this process when its parent is gone: the system kills it on Linux, and the end of its standard input,
/// which only the parent holds, ends it everywhere.
pub fn follow_parent() {
    if let Err(error) = prctl::set_pdeathsig(Signal::SIGKILL) {
        tracing::debug!(%error, "the system will not end this process with its parent");
    }
}

/// Reads the rest of standard input on a thread of its own: calls `line` for each line, and ends the process when
/// the parent is gone.
pub fn watch_stdin(mut line: impl FnMut(&str) + Send + 'static) {
    std::thread::spawn(move || {
        let (mut text, mut byte) = (Vec::new(), [0]);
        let mut stdin = std::io::stdin();
        while stdin.read(&mut byte).is_ok_and(|count| count == 1) {
            if byte[0] == b'\n' {
                line(String::from_utf8_lossy(&text).trim());
                text.clear();
            } else {
                text.push(byte[0]);
            }
        }
        std::process::exit(1);
    });
}

/// Resident memory of a process of this machine; 0 where the system does not tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// As it is.
    pub now_bytes: u64,
    /// As it was when it was most.
    pub peak_bytes: u64,
}

impl Memory {
    /// The memory of a process.
    pub fn of(pid: u32) -> Self {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let bytes = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let kibibytes =
                line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
            kibibytes.unwrap_or(0) * 1_024
        };
        Self { now_bytes: bytes("VmRSS:"), peak_bytes: bytes("VmHWM:") }
    }
}

/// Processor time is told in parts of a second of this size; Linux promises it to programs.
const TICKS_PER_SECOND: f64 = 100.0;

/// Processor time that a process of this machine has taken, its threads together; nothing where the system does not tell.
pub fn cpu_seconds(pid: u32) -> Option<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name may hold anything; after it comes the state.
    let (_, rest) = stat.rsplit_once(')')?;
    let ticks = |place| rest.split_whitespace().nth(place)?.parse::<u64>().ok();
    let (user, system) = (ticks(11)?, ticks(12)?);
    Some(user.saturating_add(system) as f64 / TICKS_PER_SECOND)
}

/// Whether a process of this machine is there and has not ended.
pub fn is_alive(pid: u32) -> bool {
    let Ok(pid) = i32::try_from(pid) else { return false };
    if kill(Pid::from_raw(pid), None).is_err() {
        return false;
    }
    // One that ended stays in the list until its parent asks for it.
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().next());
    state != Some("Z")
}

/// Peak resident memory of this process so far.
pub fn peak_rss_bytes() -> u64 {
    let kibibytes = getrusage(UsageWho::RUSAGE_SELF).map_or(0, |usage| usage.max_rss());
    u64::try_from(kibibytes).unwrap_or(0) * 1_024
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn a_process_is_alive_until_it_ends_not_until_it_is_asked_for() {
        assert!(is_alive(std::process::id()));
        assert!(Memory::of(std::process::id()).peak_bytes >= 1 << 20);
        let mut child = Command::new("true").spawn().expect("there is a `true`");
        let ended = (0..1_000).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(10));
            !is_alive(child.id())
        });
        assert!(ended, "nobody has asked for it yet");
        child.wait().expect("it can be waited for");
        assert!(!is_alive(child.id()));
        assert!(!is_alive(u32::MAX));
    }

    #[test]
    fn processor_time_grows_with_work() {
        let before = cpu_seconds(std::process::id()).expect("the system tells");
        let mut number = 1_u64;
        let grew = (0..10_000).any(|_| {
            number = (0..1_000_000).fold(number, |n, k| n.wrapping_mul(6_364_136).wrapping_add(k));
            cpu_seconds(std::process::id()).is_some_and(|now| now > before)
        });
        assert!(grew, "{number}");
        assert_eq!(cpu_seconds(u32::MAX), None);
    }
}
