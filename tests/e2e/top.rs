//! `btemu top` in a real terminal: what it shows, what keys do, and how it leaves.
//!
//! tmux is the terminal (`.ci/run` installs it where it may); elsewhere a test says what it skipped.

use crate::bad_input::check;
use crate::export::skip;
use crate::interruption::{children, is_alive, kill, wait_until};
use crate::metrics::{free_address, get};
use crate::program::{binary, folder, json, json_lines, number, say, scenario, start, wait};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// How long the program may take to show something before a test gives up.
const PATIENCE: Duration = Duration::from_secs(60);
/// What the shell says when the view is left: its exit code, and how the terminal is set.
const LEFT: &str = "left with";

/// A terminal of 120 columns and 40 rows in which `btemu top` runs, below a shell that tells how it was left.
struct Screen {
    socket: String,
}

impl Screen {
    /// Nothing where there is no tmux.
    fn open(folder: &Path, name: &str) -> Option<Self> {
        Self::open_at(folder, name, "run")
    }

    /// The same of a run elsewhere.
    fn open_at(folder: &Path, name: &str, run: &str) -> Option<Self> {
        Command::new("tmux").arg("-V").output().ok().filter(|output| output.status.success())?;
        let socket = format!("btemu-{}-{name}", std::process::id());
        let program = binary();
        let shell = format!(
            "cd {} && {} top {run}; echo {LEFT} $?; stty -a | tr ' ;' '\\n\\n' | grep -x -e '-*icanon' -e '-*echo'; cat",
            folder.display(),
            program.display()
        );
        let screen = Self { socket };
        let size = ["-x", "120", "-y", "40"];
        screen.tmux(&[&["-f", "/dev/null", "new-session", "-d"], &size[..], &[&shell]].concat());
        Some(screen)
    }

    fn tmux(&self, arguments: &[&str]) -> String {
        let output = Command::new("tmux")
            .args(["-u", "-L", &self.socket])
            .args(arguments)
            .env("LC_ALL", "C.UTF-8")
            .env("TERM", "xterm-256color")
            .env("SHELL", "/bin/sh")
            .output()
            .expect("it starts");
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn press(&self, keys: &[&str]) {
        self.tmux(&[&["send-keys"], keys].concat());
    }

    /// What is to be seen, once it is as it should be.
    fn wait_for(&self, what: &str, holds: impl Fn(&str) -> bool) -> String {
        let began = Instant::now();
        loop {
            let seen = self.tmux(&["capture-pane", "-p"]);
            if holds(&seen) {
                return seen;
            }
            assert!(began.elapsed() < PATIENCE, "waited too long for {what}:\n{seen}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn wait_for_text(&self, text: &str) -> String {
        self.wait_for(text, |seen| seen.contains(text))
    }

    /// It was left well, and the terminal is as it was.
    fn wait_until_left(&self) {
        let seen =
            self.wait_for("the end", |seen| seen.contains("icanon") && seen.contains("echo"));
        for line in ["left with 0", "icanon", "echo"] {
            assert!(seen.lines().any(|one| one == line), "no {line:?} in\n{seen}");
        }
        assert!(!seen.contains("subnets"), "the view is gone:\n{seen}");
    }

    /// The process of the view.
    fn pid(&self) -> u32 {
        let shell = self.tmux(&["display-message", "-p", "#{pane_pid}"]);
        let shell = shell.trim().parse().expect("a number");
        *children(shell).first().expect("it runs")
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // The server of this test alone.
        Command::new("tmux").args(["-L", &self.socket, "kill-server"]).output().ok();
    }
}

fn run(folder: &Path, blocks: &str) {
    let quickstart = scenario("quickstart.toml");
    let arguments =
        ["run", &quickstart, "--blocks", blocks, "--processes", "0", "--out", "run", "--json"];
    json(folder, &arguments);
}

/// The price of a subnet as the table shows it.
fn price(folder: &Path, at: &str, netuid: u64) -> String {
    let subnets = json_lines(folder, &["inspect", "run", "--at", at, "subnets", "--json"]);
    let row = subnets.iter().find(|row| number(row, "netuid") == netuid).expect("it is there");
    format!("{:.5}", row["price"].as_f64().expect("a number"))
}

/// The row of a subnet in the table.
fn row(seen: &str, netuid: u64) -> String {
    let own = |line: &&str| {
        let mut words = line.split_whitespace();
        words.next().is_some_and(|word| word.starts_with('│'))
            && words.next() == Some(netuid.to_string().as_str())
    };
    seen.lines().find(own).unwrap_or_else(|| panic!("no subnet {netuid} in\n{seen}")).to_owned()
}

#[test]
fn a_finished_run_is_seen_at_any_block() {
    let folder = folder();
    run(folder.path(), "300");
    // While it is looked at the log is open to nobody else.
    let places: [(&[&str], &str); 5] = [
        (&["Home"], "+0"),
        (&["g", "+", "1", "0", "0", "Enter"], "+100"),
        (&["Left"], "+99"),
        (&["PageDown"], "+109"),
        (&["End", "Left", "Left"], "+298"),
    ];
    let prices = places.map(|(_, at)| [1, 2, 3].map(|netuid| price(folder.path(), at, netuid)));
    let kinds = ["--kind", "stake_added", "--kind", "stake_removed"];
    let listed = say(folder.path(), &[&["log", "run", "--to", "+298"], &kinds[..]].concat());
    let last = listed.stdout.lines().last().expect("somebody staked");
    let told = last.splitn(3, "  ").nth(2).expect("a sentence");
    let told: String = told.chars().take(60).collect();
    let Some(screen) = Screen::open(folder.path(), "finished") else {
        return skip("top on a finished run: there is no tmux");
    };
    // A terminal shows a picture line by line.
    let texts = ["block 300 (+300)", "btemu top run", "finished", "3 subnets", "q leave"];
    let seen = screen.wait_for("a picture", |seen| texts.iter().all(|text| seen.contains(text)));
    assert!(seen.contains("emission 1.000 τ/block"), "{seen}");
    for ((keys, at), prices) in places.iter().zip(&prices) {
        screen.press(keys);
        let seen = screen.wait_for_text(&format!("block {} ({at})", &at[1..]));
        for (netuid, price) in (1..).zip(prices) {
            assert!(row(&seen, netuid).contains(price), "SN{netuid} at {at}: {price} in\n{seen}");
        }
    }
    // What happened is told as `btemu log` tells it.
    screen.wait_for_text(&told);
    screen.press(&["e"]);
    screen.wait_for_text("all events");
    screen.press(&["g", "9", "9", "9", "Enter"]);
    screen.wait_for_text("block 999 is not there: 0 to 300 can be looked at");
    screen.press(&["n"]);
    let seen = screen.wait_for_text("id ▲");
    let place = |netuid| seen.find(&row(&seen, netuid)).expect("it is there");
    assert!(place(1) < place(2) && place(2) < place(3), "{seen}");
    screen.press(&["n"]);
    let seen = screen.wait_for_text("id ▼");
    let place = |netuid| seen.find(&row(&seen, netuid)).expect("it is there");
    assert!(place(1) > place(2) && place(2) > place(3), "{seen}");
    screen.press(&["?"]);
    screen.wait_for_text("a block back or on");
    screen.press(&["Escape"]);
    screen.wait_for("the help's end", |seen| !seen.contains("a block back or on"));
    screen.tmux(&["resize-window", "-x", "60", "-y", "15"]);
    screen.wait_for("a narrow picture", |seen| {
        seen.contains("3 subnets") && !seen.contains("all events")
    });
    screen.tmux(&["resize-window", "-x", "30", "-y", "8"]);
    screen.wait_for_text("are needed");
    screen.tmux(&["resize-window", "-x", "120", "-y", "40"]);
    screen.wait_for_text("all events");
    screen.press(&["q"]);
    screen.wait_until_left();
}

#[test]
fn a_live_run_is_gone_along_with_to_its_end() {
    let folder = folder();
    let quickstart = scenario("quickstart.toml");
    let arguments = ["run", &quickstart, "--blocks", "400", "--out", "run", "--pace", "400x"];
    let live = start(folder.path(), &[&arguments[..], &["--processes", "2", "--json"]].concat());
    wait_until("the door", || std::fs::symlink_metadata(folder.path().join("run/door")).is_ok());
    let Some(screen) = Screen::open(folder.path(), "live") else {
        wait(live);
        return skip("top on a live run: there is no tmux");
    };
    let seen = screen.wait_for("its processes", |seen| {
        seen.contains("running") && seen.contains("host-1") && seen.contains("speed")
    });
    assert!(seen.contains("launcher") && seen.contains("chain"), "{seen}");
    let height = |seen: &str| -> u64 {
        let (_, after) = seen.split_once("block ").expect("a height");
        after.split_whitespace().next().expect("a word").parse().expect("a number")
    };
    let before = height(&seen);
    let later = screen.wait_for("blocks that come", |seen| height(seen) > before + 20);
    assert!(later.contains("staked") || later.contains("weights"), "events are told:\n{later}");
    screen.press(&["Left"]);
    let back = height(&screen.wait_for_text("looking back"));
    screen.wait_for("a view that stays", |seen| {
        let (_, tip) = seen.split_once("┤ ").expect("an end");
        let tip: u64 = tip.split_whitespace().next().expect("a word").parse().expect("a number");
        height(seen) == back && tip > back + 20
    });
    screen.press(&["End"]);
    screen
        .wait_for("the newest block", |seen| seen.contains("running") && height(seen) > back + 20);
    let ran = wait(live);
    assert_eq!(ran.code, 0, "{ran:?}");
    let seen = screen.wait_for_text("the run is over: it ended at block 400");
    assert!(seen.contains("ended") && height(&seen) == 400, "{seen}");
    for netuid in 1..=3 {
        let price = price(folder.path(), "+400", netuid);
        assert!(row(&seen, netuid).contains(&price), "SN{netuid}: {price} in\n{seen}");
    }
    screen.press(&["C-c"]);
    screen.wait_until_left();
}

#[test]
fn a_run_elsewhere_is_seen_by_its_metrics_until_it_is_gone() {
    let folder = folder();
    let quickstart = scenario("quickstart.toml");
    let address = free_address().to_string();
    let arguments = ["run", &quickstart, "--blocks", "4000", "--out", "run", "--pace", "1200x"];
    let more = ["--processes", "1", "--metrics", &address, "--json"];
    let live = start(folder.path(), &[&arguments[..], &more].concat());
    wait_until("metrics", || get(address.parse().expect("right")).is_some());
    let Some(screen) = Screen::open_at(folder.path(), "elsewhere", &address) else {
        say(folder.path(), &["ctl", "run", "stop"]);
        wait(live);
        return skip("top by metrics: there is no tmux");
    };
    let texts = [
        address.as_str(),
        "seed 7",
        "live",
        "speed",
        "3 subnets",
        "emission 1.000 τ/block",
        "host-0",
        "tell no events",
        "validator 9",
        "q leave",
    ];
    let seen = screen.wait_for("a picture", |seen| texts.iter().all(|text| seen.contains(text)));
    assert!(!seen.contains("pace"), "metrics do not tell it:\n{seen}");
    let height = |seen: &str| -> u64 {
        let (_, after) = seen.split_once("block ").expect("a height");
        after.split_whitespace().next().expect("a word").parse().expect("a number")
    };
    let before = height(&seen);
    screen.wait_for("blocks that come", |seen| height(seen) > before + 100);
    let stopped = say(folder.path(), &["ctl", "run", "stop"]);
    assert_eq!((stopped.code, wait(live).code), (0, 0), "{stopped:?}");
    let seen = screen.wait_for_text("does not answer");
    assert!(seen.contains("ended") && !seen.contains("speed"), "{seen}");
    let last = height(&seen);
    for netuid in 1..=3 {
        let price = price(folder.path(), &last.to_string(), netuid);
        assert!(row(&seen, netuid).contains(&price), "SN{netuid}: {price} in\n{seen}");
    }
    screen.press(&["q"]);
    screen.wait_until_left();
}

#[test]
fn an_address_without_a_run_is_one_clear_error() {
    let folder = folder();
    let address = free_address().to_string();
    let said = |run: &str, name: &str, text: &str| {
        let Some(screen) = Screen::open_at(folder.path(), name, run) else {
            return skip("top and strange addresses: there is no tmux");
        };
        let seen = screen.wait_for_text("left with");
        assert!(seen.contains(text) && !seen.contains("panicked"), "no {text:?} in\n{seen}");
    };
    said(&address, "nobody", "does not answer");
    said("https://127.0.0.1:9", "https", "plain http://");
    said("127.0.0.1:99999", "port", "99999 is no port");
    let server = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let strange = server.local_addr().expect("it is bound").to_string();
    // Somebody else who serves metrics, and then somebody who serves none.
    let serving = std::thread::spawn(move || {
        for answer in [
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nup 1\n",
            "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        ] {
            let Ok((mut stream, _)) = server.accept() else { return };
            let mut asked = [0; 1_024];
            assert!(stream.read(&mut asked).expect("it asks") > 0);
            stream.write_all(answer.as_bytes()).expect("it listens");
        }
    });
    said(&strange, "strange", "no metrics of btemu");
    said(&format!("http://{strange}/elsewhere"), "none", "answers 404");
    let said = say(folder.path(), &["top", &address]);
    check(&said, 2, &["top draws on a terminal", "hint: "]);
    drop(serving);
}

#[test]
fn the_system_ends_the_view_and_the_terminal_is_as_it_was() {
    let folder = folder();
    run(folder.path(), "20");
    let Some(screen) = Screen::open(folder.path(), "ended") else {
        return skip("top and signals: there is no tmux");
    };
    screen.wait_for_text("finished");
    let pid = screen.pid();
    kill("-TERM", pid);
    screen.wait_until_left();
    assert!(!is_alive(pid));
}

#[test]
fn without_a_terminal_or_a_run_there_is_one_clear_error() {
    let folder = folder();
    run(folder.path(), "5");
    let said = say(folder.path(), &["top", "run"]);
    check(&said, 2, &["top draws on a terminal", "hint: ", "btemu report run"]);
    assert!(said.stdout.is_empty(), "{said:?}");
}
