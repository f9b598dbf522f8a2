//! The writing process is killed at a random moment. The child is this test binary again, which appends and tells on
//! its standard output what it appended and what it knows to be kept; the parent kills it, and looks.

use crate::frames::{GENESIS, dice, frames_after, genesis, number, sound_blocks};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;
use storage::log::{Durability, EventLog, LogError, SledLog};

/// Tells the child where it writes, and how.
const CHILD_FOLDER: &str = "BTEMU_KILL_FOLDER";
const CHILD_DURABILITY: &str = "BTEMU_KILL_DURABILITY";
/// How many children are killed; a night's worth is some thousands.
const KILLS: &str = "BTEMU_KILLS";
const KILLS_DEFAULT: u64 = 36;
const SEED: &str = "SEED";

const MODES: [Durability; 3] = [Durability::Block, Durability::Interval(7), Durability::End];

/// A child's life in a folder: goes on with the log, or makes it, until it is killed.
fn child(folder: &Path) -> ! {
    let mode: usize = number(CHILD_DURABILITY).expect("the parent says it") as usize;
    let path = folder.join("log");
    let mut out = std::io::stdout().lock();
    let log = if path.exists() {
        SledLog::open(&path).map(|log| log.with_durability(MODES[mode]))
    } else {
        SledLog::create(&path, &genesis(), MODES[mode])
    };
    let mut log = log.expect("what is there was read by the parent before");
    writeln!(out, "kept {}", log.kept().0).expect("the parent listens");
    for frame in frames_after(&log).take(2_000) {
        log.append(&frame).expect("the disk takes it");
        writeln!(out, "appended {}\nkept {}", log.tip().0, log.kept().0)
            .expect("the parent listens");
    }
    std::process::abort();
}

#[test]
fn a_writer_killed_at_any_moment_leaves_an_exact_prefix() {
    if let Some(folder) = std::env::var_os(CHILD_FOLDER) {
        child(Path::new(&folder));
    }
    let seed = number(SEED).unwrap_or(5);
    let kills = number(KILLS).unwrap_or(KILLS_DEFAULT);
    for (mode, _) in MODES.iter().enumerate() {
        let mut folder = tempfile::tempdir().expect("writable");
        let (mut told, mut lives) = (Told::default(), 0);
        for kill in (0..kills).filter(|kill| *kill % 3 == mode as u64) {
            let what = format!("SEED={seed} {kill}, {:?}", MODES[mode]);
            let found =
                life_and_death(folder.path(), mode, &mut told, dice(seed, "death", kill), &what);
            lives += 1;
            // A new log now and then, so that the first moments of one are hit as well.
            if found == 0 || found > 1_500 || dice(seed, "new", kill).is_multiple_of(4) {
                folder = tempfile::tempdir().expect("writable");
                told = Told::default();
            }
        }
        assert!(lives > 0);
    }
}

/// What children said before they died.
#[derive(Debug, Default)]
struct Told {
    appended: u64,
    kept: u64,
}

fn life_and_death(folder: &Path, mode: usize, told: &mut Told, moment: u64, what: &str) -> u64 {
    let (mut child, lines) = spawn(folder, mode);
    // Dies after so many of its lines, and then so many microseconds.
    let lines_heard = (moment % 97) * (moment / 97 % 5);
    let mut listen = |line: String| match line.split_once(' ') {
        Some(("appended", height)) => told.appended = height.parse().expect("a height"),
        Some(("kept", height)) => told.kept = height.parse().expect("a height"),
        _ => {}
    };
    for line in lines.iter().take(lines_heard as usize) {
        listen(line);
    }
    let micros = moment / 997 % 20_000;
    let until = std::time::Instant::now() + Duration::from_micros(micros);
    while let Ok(line) =
        lines.recv_timeout(until.saturating_duration_since(std::time::Instant::now()))
    {
        listen(line);
    }
    child.kill().expect("it lives");
    let status = child.wait().expect("it is ours");
    assert_eq!(status.signal(), Some(9), "{what}: it ended by itself");
    lines.iter().for_each(&mut listen);
    let found = match sound_blocks(&folder.join("log")) {
        Ok(blocks) => GENESIS + blocks,
        // Nothing was ever promised of it.
        Err(LogError::Missing { .. } | LogError::Empty { .. }) if told.kept == 0 => return 0,
        Err(error) => panic!("{what}: {error}"),
    };
    assert!(found >= told.kept, "{what}: {told:?}, but {found} are there");
    assert!(found <= told.appended.max(GENESIS) + 1, "{what}: {told:?}, but {found} are there");
    told.appended = found;
    found - GENESIS
}

/// A child and its lines.
fn spawn(folder: &Path, mode: usize) -> (Child, Receiver<String>) {
    let mut command = Command::new(std::env::current_exe().expect("this test has a path"));
    command
        .args([
            "--exact",
            "kill::a_writer_killed_at_any_moment_leaves_an_exact_prefix",
            "--nocapture",
        ])
        .env(CHILD_FOLDER, folder)
        .env(CHILD_DURABILITY, mode.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    let mut child = command.spawn().expect("this test starts");
    let stdout = child.stdout.take().expect("it is piped");
    let (sender, lines) = channel();
    std::thread::spawn(move || {
        let lines = BufReader::new(stdout).lines().map_while(Result::ok);
        lines.map_while(|line| sender.send(line).ok()).for_each(drop);
    });
    (child, lines)
}
