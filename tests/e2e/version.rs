//! Which program this is: version and commit, the same wherever it is said.

use crate::metrics::{free_address, get};
use crate::program::{folder, json, root, say, scenario, start, text, wait};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The version in all manifests.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What git says, without the settings of whoever runs the tests.
fn git(folder: &Path, arguments: &[&str]) -> Option<String> {
    let identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"];
    let mut command = Command::new("git");
    command.args(identity).args(arguments).current_dir(folder);
    command.env_remove("GIT_DIR").env_remove("GIT_WORK_TREE");
    let output = command.output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).expect("git writes text").trim().to_owned())
}

#[test]
fn the_build_is_named_alike_everywhere() {
    let folder = folder();
    let said = say(folder.path(), &["--version"]);
    let version = said.stdout.trim();
    let rest = version.strip_prefix(&format!("btemu {VERSION}")).expect("it says its version");
    let commit = rest.strip_prefix(" (").and_then(|rest| rest.strip_suffix(')')).unwrap_or("");
    assert!(rest.is_empty() || !commit.is_empty(), "{version}");
    let plain = commit.trim_end_matches("-dirty");
    if !["", "dev"].contains(&plain) && git(&root(), &["rev-parse", "--show-toplevel"]).is_some() {
        let known = git(&root(), &["cat-file", "-t", plain]);
        assert_eq!(
            known.as_deref(),
            Some("commit"),
            "{version} names no commit of this repository"
        );
    }
    let address = free_address();
    let quickstart = scenario("quickstart.toml");
    let listen = address.to_string();
    let arguments = ["run", &quickstart, "--blocks", "4000", "--pace", "600x", "--out", "run"];
    let live = start(folder.path(), &[&arguments[..], &["--metrics", &listen, "--json"]].concat());
    let mut page = None;
    crate::interruption::wait_until("metrics", || {
        page = get(address);
        page.is_some()
    });
    let info = format!("btemu_build_info{{version=\"{VERSION}\",commit=\"{commit}\"");
    let page = page.expect("it was waited for");
    assert!(page.contains(&info), "no {info} in {page}");
    say(folder.path(), &["ctl", "run", "stop"]);
    assert_eq!(wait(live).code, 0);
    let told = json(folder.path(), &["reproduce", "run", "--json"]);
    assert_eq!(text(&told, "this_build"), version);
    assert_eq!(told["builds"][0], version);
}

/// What the build script says in a copy of the repository's outline.
struct Script {
    program: PathBuf,
    root: PathBuf,
    profile: &'static str,
}

impl Script {
    fn says(&self, commit: &str) -> String {
        let output = Command::new(&self.program)
            .current_dir(self.root.join("emulator"))
            .env("CARGO_MANIFEST_DIR", self.root.join("emulator"))
            .env("CARGO_PKG_VERSION", "1.2.3")
            .env("BTEMU_COMMIT", commit)
            .env("PROFILE", self.profile)
            .output()
            .expect("it runs");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).expect("text")
    }

    fn version(&self, commit: &str) -> String {
        let said = self.says(commit);
        let line =
            said.lines().find_map(|line| line.strip_prefix("cargo::rustc-env=BTEMU_VERSION="));
        line.unwrap_or_else(|| panic!("{said}")).to_owned()
    }
}

#[test]
fn the_commit_is_that_of_the_sources_and_of_nothing_else() {
    let folder = folder();
    let program = folder.path().join("script");
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let source = root().join("emulator/build.rs");
    let compiled = Command::new(rustc)
        .args(["--edition", "2024", "-o"])
        .args([&program, &source])
        .output()
        .expect("whoever builds tests has rustc");
    assert!(compiled.status.success(), "{compiled:?}");
    let outer = folder.path().join("outer");
    let mut script = Script { program, root: outer.join("btemu"), profile: "release" };
    fs::create_dir_all(script.root.join("emulator/src")).expect("writable");
    fs::write(script.root.join("emulator/src/main.rs"), "fn main() {}").expect("writable");
    assert_eq!(script.version(""), "1.2.3", "without git");
    assert_eq!(script.version("abc"), "1.2.3 (abc)", "whoever builds says it");
    if git(folder.path(), &["--version"]).is_none() {
        return crate::export::skip("commits in the build: there is no git");
    }
    let commit_all = |at: &Path| {
        git(at, &["add", "."]).expect("it adds");
        git(at, &["commit", "--quiet", "-m", "a"]).expect("it commits");
        git(at, &["rev-parse", "--short=10", "HEAD"]).expect("there is one")
    };
    git(&outer, &["init", "--quiet"]).expect("it makes a repository");
    commit_all(&outer);
    assert_eq!(script.version(""), "1.2.3", "somebody else's repository around it");
    git(&script.root, &["init", "--quiet"]).expect("it makes a repository");
    assert_eq!(script.version(""), "1.2.3", "no commit yet");
    let first = commit_all(&script.root);
    assert_eq!(first.len(), 10);
    assert_eq!(script.version(""), format!("1.2.3 ({first})"));
    fs::write(script.root.join("notes.md"), "not of the program").expect("writable");
    assert_eq!(script.version(""), format!("1.2.3 ({first})"));
    fs::write(script.root.join("emulator/src/new.rs"), "").expect("writable");
    assert_eq!(script.version(""), format!("1.2.3 ({first}-dirty)"));
    let second = commit_all(&script.root);
    assert_ne!(first, second);
    assert_eq!(script.version(""), format!("1.2.3 ({second})"));
    // It is asked again where the commit changes, and not because of a path that is not there.
    let said = script.says("");
    let watched = said.lines().filter_map(|line| line.strip_prefix("cargo::rerun-if-changed="));
    let heads: Vec<&str> = watched.filter(|path| path.contains(".git")).collect();
    assert_eq!(heads.len(), 2, "{said}");
    assert!(heads.iter().all(|path| Path::new(path).exists()), "{said}");
    // For development every commit would be another build.
    script.profile = "debug";
    assert_eq!(script.version(""), "1.2.3 (dev)");
    assert_eq!(script.version("abc"), "1.2.3 (abc)");
    assert!(!script.says("").contains(".git"), "it is not asked again");
}
