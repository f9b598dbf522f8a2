//! The files of a log are damaged: cut, flipped, zeroed, overwritten, deleted. Each copy is read in a child process
//! with little memory and a watchdog, because it is the store that is tried: a panic, an abort, a hang or a huge
//! allocation of it must be seen as what it is.

use crate::frames::{
    GENESIS, copy, dice, frames, frames_after, genesis, number, sound_blocks, write_log,
};
use nix::sys::resource::{Resource, setrlimit};
use protocol::units::Height;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;
use storage::carve::Carved;
use storage::log::{Durability, EventLog, LogError, SledLog};

/// How many copies are damaged per log; a night's worth is some thousands.
const DAMAGES: &str = "BTEMU_DAMAGES";
const DAMAGES_DEFAULT: u64 = 40;
/// Tells the child where the log is, and from which damage on.
const CHILD_FOLDER: &str = "BTEMU_DAMAGE_FOLDER";
const CHILD_FROM: &str = "BTEMU_DAMAGE_FROM";
const CHILD_MEMORY_BYTES: u64 = 1 << 30;
const PATIENCE: Duration = Duration::from_secs(60);

/// Blocks that were kept, and blocks that were written after that by a process that then died.
const KEPT: u64 = 26;
const WRITTEN: u64 = 5;

/// All files of a log, by name.
fn files(path: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path).expect("readable") {
        let path = entry.expect("readable").path();
        if path.is_dir() { files.extend(self::files(&path)) } else { files.push(path) }
    }
    files.sort();
    files
}

/// Where a file ends for those who overlook zeros.
fn used(file: &Path) -> u64 {
    let bytes = std::fs::read(file).expect("readable");
    bytes.iter().rposition(|byte| *byte != 0).map_or(0, |at| at as u64 + 1)
}

/// Does one of all possible damages, by seed. Says which.
fn damage(log: &Path, seed: u64) -> String {
    let roll = |what: &str, below: u64| dice(seed, what, 0) % below.max(1);
    let files = files(log);
    let path = match roll("file", 10) {
        0..7 => log.join("db"),
        _ => files[roll("which file", files.len() as u64) as usize].clone(),
    };
    let name = path.strip_prefix(log).expect("below it").display().to_string();
    let used = used(&path);
    let file = File::options().read(true).write(true).open(&path).expect("it is there");
    let at = roll("at", used);
    match roll("kind", 11) / 2 {
        0 | 1 => {
            let mut byte = [0];
            file.read_exact_at(&mut byte, at).expect("it is that long");
            byte[0] ^= 1 << roll("bit", 8);
            file.write_all_at(&byte, at).expect("writable");
            format!("{name}: a bit flipped at {at}")
        }
        2 => {
            // Most of all the last frames, byte by byte.
            let at = if roll("end", 2) == 0 { used - roll("back", used.min(20_000)) } else { at };
            file.set_len(at).expect("writable");
            format!("{name}: cut at {at}")
        }
        3 => {
            let page = [512, 4_096, 8_192, 65_536][roll("page", 4) as usize];
            let zeros = vec![0; page as usize];
            file.write_all_at(&zeros, at / page * page).expect("writable");
            format!("{name}: {page} bytes zeroed around {at}")
        }
        4 => {
            let mut noise = vec![0; 1 + roll("noise", 3_000) as usize];
            blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut noise);
            file.write_all_at(&noise, at).expect("writable");
            format!("{name}: {} bytes of noise at {at}", noise.len())
        }
        _ => {
            std::fs::remove_file(&path).expect("writable");
            format!("{name}: deleted")
        }
    }
}

/// Damages copies, one after the other, and tells what reading them gave.
fn child(folder: &Path) -> ! {
    let (from, to) = (number(CHILD_FROM).expect("the parent says it"), damages());
    setrlimit(Resource::RLIMIT_AS, CHILD_MEMORY_BYTES, CHILD_MEMORY_BYTES)
        .expect("less is allowed");
    let mut out = std::io::stdout().lock();
    for seed in from..to {
        let damaged = folder.join("damaged");
        std::fs::remove_dir_all(&damaged).ok();
        copy(&folder.join("log"), &damaged);
        let what = damage(&damaged, seed);
        writeln!(out, "begin {seed} {what}").expect("the parent listens");
        let answer = look(&damaged, what.starts_with("kept"));
        writeln!(out, "end {seed} {answer}").expect("the parent listens");
    }
    writeln!(out, "done").expect("the parent listens");
    std::process::exit(0);
}

/// Reads a damaged log, and checks the answer: every kept block, or a damage that is named.
fn look(damaged: &Path, without_mark: bool) -> String {
    let read = match sound_blocks(damaged) {
        Ok(blocks) => {
            let least = if without_mark { 1 } else { KEPT };
            assert!(blocks >= least, "only {blocks} blocks are there, and nobody says so");
            return format!("sound {blocks}");
        }
        Err(LogError::Missing { .. }) => return "missing".to_owned(),
        Err(error) => error,
    };
    assert!(read.is_damage(), "{read}");
    assert!(read.hint().is_some(), "{read}");
    let text = read.to_string();
    if let Some(Height(block)) = read.damaged_block() {
        assert!((GENESIS..=GENESIS + KEPT + WRITTEN).contains(&block), "{text}");
        assert!(text.contains(&format!("block {block}")), "{text}");
    }
    let carved = Carved::scan(damaged).expect("it can be read");
    let mut blocks = None;
    for (at, raw) in carved.records().enumerate() {
        match at {
            0 => {
                let plan = raw.record().genesis::<Vec<u8>>().expect("it is one").plan;
                assert!(plan == genesis().plan, "block 0 is another");
            }
            _ => {
                let expected = frames().nth(at - 1).expect("they never end");
                let frame = raw.record().frame(expected.header.height).expect("it is one");
                assert!(frame == expected, "block {} is another", expected.header.height);
            }
        }
        blocks = Some(at as u64);
    }
    if let Some(Height(block)) = read.damaged_block() {
        let carved = blocks.map_or(GENESIS, |blocks| GENESIS + blocks + 1);
        assert!(carved >= block, "{text}, but only blocks before {carved} can be carved");
    }
    format!("damaged {text}")
}

fn damages() -> u64 {
    number(DAMAGES).unwrap_or(DAMAGES_DEFAULT)
}

#[test]
fn damage_to_a_closed_log_is_found_and_located() {
    let folder = tempfile::tempdir().expect("writable");
    let path = folder.path().join("log");
    if std::env::var_os(CHILD_FOLDER).is_none() {
        write_log(&path, KEPT as usize);
        drop(SledLog::open(&path).expect("it was closed"));
    }
    campaign(folder.path(), "damage::damage_to_a_closed_log_is_found_and_located");
}

#[test]
fn damage_to_the_log_of_a_killed_process_is_found_and_located() {
    let folder = tempfile::tempdir().expect("writable");
    let path = folder.path().join("log");
    if std::env::var_os(CHILD_FOLDER).is_none() {
        let killed = folder.path().join("killed");
        write_log(&killed, 8);
        let log = SledLog::open(&killed).expect("it was closed");
        let mut log = log.with_durability(Durability::End);
        for frame in frames_after(&log).take((KEPT + WRITTEN - 8) as usize) {
            log.append(&frame).expect("it follows");
            if log.tip().0 == GENESIS + KEPT {
                log.sync().expect("the disk takes it");
            }
        }
        // What a process leaves that dies now is what its files hold now.
        copy(&killed, &path);
    }
    campaign(folder.path(), "damage::damage_to_the_log_of_a_killed_process_is_found_and_located");
}

fn campaign(folder: &Path, test: &str) {
    if let Some(folder) = std::env::var_os(CHILD_FOLDER) {
        child(Path::new(&folder));
    }
    let mut command = Command::new(std::env::current_exe().expect("this test has a path"));
    command
        .args(["--exact", test, "--nocapture"])
        .env(CHILD_FOLDER, folder)
        .env(CHILD_FROM, "0")
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    let mut child = command.spawn().expect("this test starts");
    let stdout = child.stdout.take().expect("it is piped");
    let (sender, lines) = channel();
    std::thread::spawn(move || {
        let lines = BufReader::new(stdout).lines().map_while(Result::ok);
        lines.map_while(|line| sender.send(line).ok()).for_each(drop);
    });
    let (mut last, mut answers) = (String::new(), Vec::new());
    loop {
        match lines.recv_timeout(PATIENCE) {
            Ok(line) if line == "done" => break,
            Ok(line) => {
                if let Some(answer) = line.strip_prefix("end ") {
                    let answer = answer.split_once(' ').expect("a number first").1;
                    answers.push(answer.to_owned());
                    if std::env::var_os("BTEMU_DAMAGES_TOLD").is_some() {
                        println!("{last}\n  {answer}");
                    }
                }
                last = line;
            }
            Err(RecvTimeoutError::Timeout) => {
                child.kill().expect("it lives");
                panic!("it hangs after: {last}");
            }
            Err(RecvTimeoutError::Disconnected) => panic!("it ended after: {last}"),
        }
    }
    assert!(child.wait().expect("it is ours").success());
    let count = |what: &str| answers.iter().filter(|answer| answer.starts_with(what)).count();
    assert_eq!(answers.len() as u64, damages());
    assert!(count("damaged") > answers.len() / 4, "{answers:#?}");
    assert!(count("sound") > 0, "{answers:#?}");
}
