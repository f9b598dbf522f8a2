//! Damaged logs: each is found and located by every command, repaired, and goes on to the tip hash of the run that
//! nothing happened to. Portable files, full disks and folders that cannot be written are here too.

use crate::program::{Said, binary, command, folder, json, number, say, scenario, text};
use serde_json::Value;
use std::fs::{File, Permissions};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use storage::part::PART_MAGIC;

const BLOCKS: &str = "120";
/// Somebody who owns nothing.
const NOBODY: u32 = 65_534;

fn run(folder: &Path) -> Value {
    let quickstart = scenario("quickstart.toml");
    json(folder, &["run", &quickstart, "--blocks", BLOCKS, "--out", "run", "--json"])
}

/// Flips a bit in every copy of a block that the store holds: a page is written anew now and then.
fn damage_block(log: &Path, height: u64) {
    let needle = [&PART_MAGIC[..], &height.to_le_bytes()[..]].concat();
    let mut count = 0;
    for path in [log.join("db")].into_iter().chain(files(&log.join("blobs"))) {
        let bytes = std::fs::read(&path).expect("readable");
        let file = File::options().write(true).open(&path).expect("writable");
        for at in memchr::memmem::find_iter(&bytes, &needle) {
            let at = at + 60;
            file.write_all_at(&[bytes[at] ^ 4], at as u64).expect("writable");
            count += 1;
        }
    }
    assert!(count > 0, "block {height} was not found");
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = folder.read_dir() else { return Vec::new() };
    entries.map(|entry| entry.expect("readable").path()).collect()
}

fn assert_told(said: &Said, what: &str, place: &str) {
    assert_eq!(said.code, 1, "{what}: {said:?}");
    assert!(said.stderr.starts_with("error: "), "{what}: {said:?}");
    assert!(said.stderr.contains(place), "{what}: {said:?}");
    assert!(said.stderr.contains("hint: "), "{what}: {said:?}");
    assert!(!said.stderr.contains("panicked"), "{what}: {said:?}");
}

#[test]
fn a_damaged_block_is_named_by_every_command_and_repaired() {
    for was_read in [false, true] {
        let folder = folder();
        let ran = run(folder.path());
        if was_read {
            json(folder.path(), &["replay", "run", "--json"]);
        }
        damage_block(&folder.path().join("run/log"), 71);
        let commands: [&[&str]; 6] = [
            &["verify", "run"],
            &["replay", "run"],
            &["inspect", "run", "network"],
            &["log", "run"],
            &["log", "export", "run", "file"],
            &["run", "--resume", "run", "--blocks", "130"],
        ];
        // The store keeps blocks together on pages: what it cannot read begins with the first one of a page.
        let place = if was_read { "block " } else { "block 71" };
        for arguments in commands {
            let said = say(folder.path(), arguments);
            if !(was_read && arguments[0] == "inspect" && said.code == 0) {
                assert_told(&said, &arguments.join(" "), place);
                assert!(said.stderr.contains("`btemu repair"), "{said:?}");
            }
        }
        assert!(!folder.path().join("file").exists(), "half a file is of no use");
        let said = say(folder.path(), &["verify", "run", "--json"]);
        let verdict: Value = serde_json::from_str(&said.stdout).expect("one object");
        assert!(said.code == 1 && verdict["sound"] == false, "{said:?}");
        let block = number(&verdict, "damaged_block");
        assert!(block == 71 || was_read && block < 71, "{verdict}");
        assert!(text(&verdict, "damage").contains(&format!("block {block}")), "{verdict}");

        let repaired = json(folder.path(), &["repair", "run", "--out", "fixed", "--json"]);
        assert_eq!(number(&repaired, "blocks"), 70, "{repaired}");
        assert_eq!(number(&repaired, "damaged_block"), 71, "{repaired}");
        assert_eq!(number(&repaired, "lost_blocks"), 50, "{repaired}");
        let verified = json(folder.path(), &["verify", "fixed", "--json"]);
        assert_eq!(number(&verified, "blocks"), 70);
        let arguments = ["run", "--resume", "fixed", "--blocks", BLOCKS, "--json"];
        let resumed = json(folder.path(), &arguments);
        assert_eq!(text(&resumed, "tip_hash"), text(&ran, "tip_hash"));
    }
}

#[test]
fn a_lost_end_is_told_and_a_lost_beginning_is_the_end() {
    let folder = folder();
    run(folder.path());
    damage_block(&folder.path().join("run/log"), 120);
    assert_told(&say(folder.path(), &["replay", "run"]), "the last block", "block 120");
    let repaired = json(folder.path(), &["repair", "run", "--out", "fixed", "--json"]);
    assert_eq!(number(&repaired, "blocks"), 119);
    damage_block(&folder.path().join("run/log"), 0);
    assert_told(&say(folder.path(), &["replay", "run"]), "block 0", "block 0, its first one");
    let said = say(folder.path(), &["repair", "run", "--out", "none"]);
    assert_told(&said, "block 0", "block 0, the first one, is lost");
    assert!(!folder.path().join("none").exists());
}

#[test]
fn the_books_of_the_store_can_be_lost() {
    let folder = folder();
    let ran = run(folder.path());
    json(folder.path(), &["replay", "run", "--json"]);
    let log = folder.path().join("run/log");
    let snapshot =
        files(&log).into_iter().find(|path| path.display().to_string().contains("snap."));
    let snapshot = snapshot.expect("the store has one");
    std::fs::write(&snapshot, b"no snapshot").expect("writable");
    assert_told(&say(folder.path(), &["replay", "run"]), "snap", "no block is lost");
    let repaired = json(folder.path(), &["repair", "run", "--out", "fixed", "--json"]);
    assert_eq!(text(&repaired, "tip_hash"), text(&ran, "tip_hash"));
    assert_eq!((&repaired["sound"], number(&repaired, "lost_blocks")), (&Value::Bool(false), 0));
    assert_eq!(repaired["damaged_block"], Value::Null);
    for lost in [snapshot, log.join("conf"), log.join("kept")] {
        std::fs::remove_file(&lost).expect("it is there");
        let replayed = json(folder.path(), &["replay", "run", "--json"]);
        assert_eq!(text(&replayed, "tip_hash"), text(&ran, "tip_hash"), "{}", lost.display());
    }
    let sound = say(folder.path(), &["repair", "run", "--out", "copy"]);
    assert!(sound.code == 0 && sound.stdout.contains("the log is sound"), "{sound:?}");
    std::fs::remove_file(log.join("db")).expect("it is there");
    assert_told(&say(folder.path(), &["replay", "run"]), "db", "block 0");
}

/// The log replays to the same hash from the store, from a portable file, and live.
#[test]
fn a_portable_file_is_the_whole_log() {
    let folder = folder();
    let ran = run(folder.path());
    let exported = json(folder.path(), &["log", "export", "run", "run.btlog", "--json"]);
    let file = folder.path().join("run.btlog");
    let bytes = std::fs::read(&file).expect("it was made");
    assert_eq!(number(&exported, "bytes"), bytes.len() as u64);
    let imported = json(folder.path(), &["log", "import", "run.btlog", "--out", "in", "--json"]);
    let replayed = json(folder.path(), &["replay", "in", "--json"]);
    for told in [&exported, &imported, &replayed] {
        assert_eq!(text(told, "tip_hash"), text(&ran, "tip_hash"));
    }
    for key in ["state_root", "scenario_hash"] {
        assert_eq!(text(&replayed, key), text(&ran, key));
    }
    let from_store = json(folder.path(), &["replay", "run", "--json"]);
    assert_eq!(from_store["messages"], replayed["messages"]);
    json(folder.path(), &["log", "export", "in", "again.btlog", "--json"]);
    assert_eq!(std::fs::read(folder.path().join("again.btlog")).expect("it was made"), bytes);
    let said = say(folder.path(), &["log", "export", "in", "again.btlog"]);
    assert_told(&said, "a file is not overwritten", "again.btlog");
    let piped = command(folder.path(), &["log", "export", "run", "-"]).output().expect("it starts");
    assert_eq!(piped.stdout, bytes);
    let mut import = command(folder.path(), &["log", "import", "-", "--json"]);
    import.stdin(Stdio::from(File::open(&file).expect("it was made")));
    let said = import.output().expect("it starts");
    let told: Value = serde_json::from_slice(&said.stdout).expect("one object");
    assert_eq!(text(&told, "run"), "runs/quickstart-7-1");
    let resumed = ["run", "--resume", "in", "--blocks", "130", "--json"];
    let resumed = json(folder.path(), &resumed);
    let straight = ["run", "--resume", "run", "--blocks", "130", "--json"];
    let straight = json(folder.path(), &straight);
    assert_eq!(text(&resumed, "tip_hash"), text(&straight, "tip_hash"));
}

#[test]
fn a_damaged_portable_file_imports_nothing_unless_its_good_part_is_asked_for() {
    let folder = folder();
    run(folder.path());
    json(folder.path(), &["log", "export", "run", "run.btlog", "--json"]);
    let bytes = std::fs::read(folder.path().join("run.btlog")).expect("it was made");
    let mut flipped = bytes.clone();
    let middle = bytes.len() * 3 / 4;
    flipped[middle] ^= 1;
    let mut longer = bytes.clone();
    longer.push(0);
    let last = bytes.len() - 1;
    let rows: [(&str, &[u8], &str); 6] = [
        ("cut in a block", &bytes[..middle], "cut off at byte"),
        ("without its end", &bytes[..bytes.len() - 48], "cut off at byte"),
        ("one byte short", &bytes[..last], "cut off at byte"),
        ("flipped", &flipped, "block "),
        ("longer", &longer, "follows its end"),
        ("nothing", &[], "cut off at byte 0"),
    ];
    for (what, bytes, place) in rows {
        std::fs::write(folder.path().join("bad"), bytes).expect("writable");
        let said = say(folder.path(), &["log", "import", "bad", "--out", "none"]);
        assert!(said.code == 1 && said.stderr.contains(place), "{what}: {said:?}");
        assert!(said.stderr.contains("bad: "), "{what}: {said:?}");
        assert!(!folder.path().join("none").exists(), "{what}");
    }
    std::fs::write(folder.path().join("bad"), &flipped).expect("writable");
    let repaired = json(folder.path(), &["repair", "bad", "--out", "fixed", "--json"]);
    let blocks = number(&repaired, "blocks");
    assert!((1..120).contains(&blocks), "{repaired}");
    assert_eq!(number(&repaired, "damaged_block"), blocks + 1);
    let verified = json(folder.path(), &["verify", "fixed", "--json"]);
    assert_eq!(number(&verified, "blocks"), blocks);
    std::fs::write(folder.path().join("bad"), "a text").expect("writable");
    let said = say(folder.path(), &["repair", "bad", "--out", "none"]);
    assert!(said.code == 1 && said.stderr.contains("bad: "), "{said:?}");
}

/// Runs the quickstart where no file may be longer: a limit refuses as a full disk does.
fn run_limited(folder: &Path, bytes: u64, out: &str, processes: &str) -> Said {
    let limited = r#"trap "" XFSZ; ulimit -f "$1"; shift; exec "$@""#;
    let quickstart = scenario("quickstart.toml");
    let output = Command::new("sh")
        // A shell counts the length of files in blocks of 512 bytes.
        .args(["-c", limited, "sh", &(bytes / 512).to_string()])
        .arg(binary())
        .args(["run", &quickstart, "--blocks", "9000", "--out", out, "--processes", processes])
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .expect("a shell starts");
    Said {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

#[test]
fn a_full_disk_ends_a_run_with_a_hint_and_the_run_goes_on() {
    let folder = folder();
    // The store makes its file longer by 8 MiB at a time.
    let said = run_limited(folder.path(), (8 << 20) + 500_000, "run", "0");
    assert_told(&said, "full", "cannot be written");
    assert!(said.stderr.contains("is the disk full?"), "{said:?}");
    let verified = json(folder.path(), &["verify", "run", "--json"]);
    let blocks = (number(&verified, "blocks") + 50).to_string();
    assert!(number(&verified, "blocks") > 100, "{verified}");
    let resumed = ["run", "--resume", "run", "--blocks", &blocks, "--json"];
    let resumed = json(folder.path(), &resumed);
    let quickstart = scenario("quickstart.toml");
    let straight = ["run", &quickstart, "--blocks", &blocks, "--out", "straight", "--json"];
    let straight = json(folder.path(), &straight);
    assert_eq!(text(&resumed, "tip_hash"), text(&straight, "tip_hash"));
}

#[test]
fn a_disk_without_room_for_a_log_is_told_at_once() {
    let folder = folder();
    for (out, processes) in [("one", "0"), ("many", "2")] {
        let said = run_limited(folder.path(), 1 << 20, out, processes);
        assert_told(&said, out, "is there room on the disk?");
    }
    let said = run_limited(folder.path(), 512, "none", "0");
    assert!(said.code == 1 && said.stderr.starts_with("error: "), "{said:?}");
    assert!(!said.stderr.contains("panicked"), "{said:?}");
}

fn allow(path: &Path, mode: u32) {
    std::fs::set_permissions(path, Permissions::from_mode(mode)).expect("it is ours");
}

/// Root writes everywhere, so somebody else reads where the tests run as root.
#[test]
fn a_folder_that_cannot_be_written_is_told_and_can_be_repaired_elsewhere() {
    let folder = folder();
    let ran = run(folder.path());
    let log = folder.path().join("run/log");
    let elsewhere = folder.path().join("elsewhere");
    std::fs::create_dir(&elsewhere).expect("writable");
    let program = folder.path().join("btemu");
    std::fs::copy(binary(), &program).expect("it can be read");
    for path in files(&log).into_iter().filter(|path| path.is_file()) {
        allow(&path, 0o444);
    }
    for path in [log.join("blobs"), log.clone(), folder.path().join("run")] {
        allow(&path, 0o555);
    }
    allow(&elsewhere, 0o777);
    allow(folder.path(), 0o755);
    let is_root = std::fs::metadata(folder.path()).expect("readable").uid() == 0;
    let ask = |arguments: &[&str]| {
        let mut command = Command::new(&program);
        command.args(arguments).current_dir(folder.path()).stdin(Stdio::null());
        if is_root {
            command.uid(NOBODY).gid(NOBODY);
        }
        let output = command.output().expect("anyone may start it");
        Said {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    };
    for arguments in [&["replay", "run"][..], &["verify", "run"], &["run", "--resume", "run"]] {
        let said = ask(arguments);
        assert_told(&said, &arguments.join(" "), "cannot be opened: Permission denied");
    }
    let said = ask(&["repair", "run", "--out", "elsewhere/copy", "--json"]);
    assert_eq!(said.code, 0, "{said:?}");
    let repaired: Value = serde_json::from_str(&said.stdout).expect("one object");
    assert_eq!(text(&repaired, "tip_hash"), text(&ran, "tip_hash"));
    for path in [folder.path().join("run"), log.clone(), log.join("blobs")] {
        allow(&path, 0o755);
    }
}
