//! The disk is full. A limit on the length of files gives the same refusals without a disk of one's own: the child
//! writes until it is told no, says what it was told, and ends.

use crate::frames::{GENESIS, dice, frames_after, genesis, number, sound_blocks};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;
use storage::log::{Durability, EventLog, SledLog};

const CHILD_FOLDER: &str = "BTEMU_FULL_FOLDER";
const TEST: &str = "full::a_full_disk_is_told_and_costs_nothing_that_was_kept";
const PATIENCE: Duration = Duration::from_secs(60);
/// A shell counts the length of files in blocks.
const ULIMIT_BYTES: u64 = 512;

fn child(folder: &Path) -> ! {
    let path = folder.join("log");
    let mut out = std::io::stdout().lock();
    let made = SledLog::create(&path, &genesis(), Durability::Block);
    let mut log = match made {
        Ok(log) => log,
        Err(error) => {
            writeln!(out, "refused {error}").expect("the parent listens");
            std::process::exit(0);
        }
    };
    for frame in frames_after(&log) {
        match log.append(&frame) {
            Ok(()) => writeln!(out, "kept {}", log.kept().0).expect("the parent listens"),
            Err(error) => {
                let hint = error.hint().unwrap_or_default();
                writeln!(out, "refused {error}; {hint}").expect("the parent listens");
                break;
            }
        }
    }
    // Also closing it must come to an end.
    drop(log);
    writeln!(out, "closed").expect("the parent listens");
    std::process::exit(0);
}

#[test]
fn a_full_disk_is_told_and_costs_nothing_that_was_kept() {
    if let Some(folder) = std::env::var_os(CHILD_FOLDER) {
        child(Path::new(&folder));
    }
    let seed = number("SEED").unwrap_or(4);
    for round in 0..4 {
        let folder = tempfile::tempdir().expect("writable");
        let limit = 300_000 + dice(seed, "limit", round) % (24 << 20);
        let this = std::env::current_exe().expect("this test has a path");
        let mut command = Command::new("sh");
        command
            .args(["-c", r#"trap "" XFSZ; ulimit -f "$1"; shift; exec "$@""#, "sh"])
            .arg((limit / ULIMIT_BYTES).to_string())
            .arg(this)
            .args(["--exact", TEST, "--nocapture"])
            .env(CHILD_FOLDER, folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let child = command.spawn().expect("a shell starts");
        let pid = child.id();
        let (sender, ended) = std::sync::mpsc::channel();
        std::thread::spawn(move || sender.send(child.wait_with_output()));
        let output = ended.recv_timeout(PATIENCE).unwrap_or_else(|_| {
            Command::new("kill").args(["-KILL", &pid.to_string()]).status().expect("it is ours");
            panic!("SEED={seed}, {limit} bytes: it hangs");
        });
        let output = output.expect("it is ours");
        let said = String::from_utf8_lossy(&output.stdout);
        let what = format!(
            "SEED={seed}, {limit} bytes: {said}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        assert!(output.status.success(), "{what}");
        let refused = said.lines().find_map(|line| line.strip_prefix("refused "));
        assert!(refused.is_some_and(|told| told.contains("cannot be")), "{what}");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{what}");
        let kept = said.lines().filter_map(|line| line.strip_prefix("kept ")?.parse().ok());
        let kept: u64 = kept.max().unwrap_or(0);
        if kept > 0 {
            let found = sound_blocks(&folder.path().join("log"));
            let found = GENESIS + found.unwrap_or_else(|error| panic!("{what}: {error}"));
            assert!(found >= kept, "{what}: {found}");
        }
    }
}
