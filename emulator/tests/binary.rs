//! The binary itself: cargo builds it for this test, and the end-to-end tests find it beside theirs.

use std::process::Command;

#[test]
fn it_names_itself_and_its_commands() {
    let told = |argument: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_btemu")).arg(argument).output();
        let output = output.expect("the binary starts");
        assert!(output.status.success(), "{argument}: {output:?}");
        String::from_utf8(output.stdout).expect("it writes text")
    };
    let version = told("--version");
    assert!(version.starts_with(concat!("btemu ", env!("CARGO_PKG_VERSION"))), "{version}");
    let help = told("--help");
    let commands =
        ["run", "replay", "verify", "inspect", "log", "export", "conform", "epoch", "scenario"];
    for command in commands {
        assert!(help.lines().any(|line| line.trim_start().starts_with(command)), "{command}");
    }
    assert!(!help.contains("chain process"), "the roles of child processes are not for people");
}
