//! Starting the program and reading what it says.

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

/// The root of the repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("it is a member").to_path_buf()
}

/// The binary beside this test's own.
pub fn binary() -> PathBuf {
    let test = std::env::current_exe().expect("this test has a path");
    let profile = test.parent().and_then(Path::parent).expect("target/<profile>/deps/<test>");
    let binary = profile.join("btemu");
    assert!(
        binary.exists(),
        "{} is missing: run `cargo test --workspace`, which builds it",
        binary.display()
    );
    binary
}

/// What a command said.
#[derive(Debug)]
pub struct Said {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

/// The program with arguments, in a working folder of its own; scenarios are found by absolute path.
pub fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(binary());
    command.args(arguments).current_dir(folder).env_remove("RUST_LOG").stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("BTEMU__") {
            command.env_remove(name);
        }
    }
    command
}

/// Runs the program to its end.
pub fn say(folder: &Path, arguments: &[&str]) -> Said {
    let output = command(folder, arguments).output().expect("the program starts");
    said(output)
}

/// What a program that is over said.
pub fn said(output: Output) -> Said {
    Said {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).expect("it writes text"),
        stderr: String::from_utf8(output.stderr).expect("it writes text"),
    }
}

/// Runs the program, which must succeed, and reads its one JSON object.
pub fn json(folder: &Path, arguments: &[&str]) -> Value {
    let said = say(folder, arguments);
    assert_eq!(said.code, 0, "{arguments:?}: {said:?}");
    serde_json::from_str(&said.stdout).unwrap_or_else(|error| panic!("{error}: {said:?}"))
}

/// Runs the program, which must succeed, and reads its JSON lines.
pub fn json_lines(folder: &Path, arguments: &[&str]) -> Vec<Value> {
    let said = say(folder, arguments);
    assert_eq!(said.code, 0, "{arguments:?}: {said:?}");
    let lines = said.stdout.lines();
    lines.map(|line| serde_json::from_str(line).expect("each line is an object")).collect()
}

/// Starts the program without waiting for it.
pub fn start(folder: &Path, arguments: &[&str]) -> Child {
    let mut command = command(folder, arguments);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("the program starts")
}

/// Waits for a program that was started.
pub fn wait(child: Child) -> Said {
    said(child.wait_with_output().expect("it can be waited for"))
}

/// A folder for one test.
pub fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder can be made")
}

/// A scenario that ships, by absolute path.
pub fn scenario(name: &str) -> String {
    root().join("configs").join(name).display().to_string()
}

/// A string field of a JSON object.
pub fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_else(|| panic!("no text {key} in {value}"))
}

/// A number field of a JSON object.
pub fn number(value: &Value, key: &str) -> u64 {
    value[key].as_u64().unwrap_or_else(|| panic!("no number {key} in {value}"))
}
