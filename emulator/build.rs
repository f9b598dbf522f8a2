//! Names the commit that the program is built from: `BTEMU_VERSION` is the version with the commit, `BTEMU_COMMIT` the commit
//! alone. Without git, and in a folder that is not the repository itself, the version stands alone, unless whoever
//! builds says the commit in the environment (`BTEMU_COMMIT`).
//!
//! It is asked again when the checked-out commit changes and when a file changes of which the program is made, for then it is
//! compiled anyway. Builds for development do not ask: they would be compiled anew after every commit, and say `dev`.

use std::path::Path;
use std::process::Command;

/// What the program is made of, from the root of the repository.
const SOURCES: [&str; 9] = [
    "Cargo.toml",
    "Cargo.lock",
    "actors",
    "configs",
    "docs/players.md",
    "docs/scenarios.md",
    "emulator",
    "protocol",
    "storage",
];
/// Where git says what is checked out, and that it is another commit now.
const HEADS: [&str; 2] = ["HEAD", "logs/HEAD"];
/// In place of the commit in builds for development.
const DEV: &str = "dev";
/// Digits of a commit: as many in each clone, however many commits it has.
const DIGITS: &str = "--short=10";

fn main() {
    let manifest = std::env::var("CARGO_MANIFEST_DIR").expect("cargo says where the crate is");
    let version = std::env::var("CARGO_PKG_VERSION").expect("cargo says which version it is");
    let root = Path::new(&manifest).parent().expect("the crate is in the repository");
    println!("cargo::rerun-if-env-changed=BTEMU_COMMIT");
    println!("cargo::rerun-if-changed=build.rs");
    let said = std::env::var("BTEMU_COMMIT").ok().filter(|said| !said.is_empty());
    let is_dev = std::env::var("PROFILE").is_ok_and(|profile| profile == "debug");
    let asked = || if is_dev { Some(DEV.to_owned()) } else { commit(root) };
    let commit = said.or_else(asked).unwrap_or_default();
    let told = if commit.is_empty() { version } else { format!("{version} ({commit})") };
    println!("cargo::rustc-env=BTEMU_COMMIT={commit}");
    println!("cargo::rustc-env=BTEMU_VERSION={told}");
}

/// The commit, marked where the sources are not as they are in it.
fn commit(root: &Path) -> Option<String> {
    let top = git(root, &["rev-parse", "--show-toplevel"])?;
    if Path::new(&top).canonicalize().ok()? != root.canonicalize().ok()? {
        return None;
    }
    for source in SOURCES {
        println!("cargo::rerun-if-changed={}", root.join(source).display());
    }
    for head in HEADS {
        let path = root.join(git(root, &["rev-parse", "--git-path", head])?);
        // A path that is not there would be asked for in every build.
        if path.exists() {
            println!("cargo::rerun-if-changed={}", path.display());
        }
    }
    let commit = git(root, &["rev-parse", DIGITS, "HEAD"])?;
    let changed = git(root, &[&["status", "--porcelain", "--"][..], &SOURCES].concat())?;
    Some(if changed.is_empty() { commit } else { format!("{commit}-dirty") })
}

fn git(root: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new("git")
        .args(arguments)
        .current_dir(root)
        .env_remove("GIT_DIR")
        .env_remove("GIT_WORK_TREE")
        .env_remove("GIT_INDEX_FILE")
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}
