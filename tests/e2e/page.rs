//! `btemu report --out`: a page that holds what the report says, needs nothing from elsewhere, makes its run again, and looks
//! right in a browser.
//!
//! Chromium is asked where it is there (`.ci/run` installs it where it may); elsewhere a test says what it skipped.

use crate::bad_input::check;
use crate::export::{skip, tool};
use crate::program::{binary, folder, json, number, say, scenario, text};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Width of a phone and of a desktop, in pixels.
const WIDTHS: [u32; 2] = [390, 1_280];

fn run(folder: &Path, name: &str, out: &str, more: &[&str]) -> Value {
    let scenario = scenario(name);
    let arguments = ["run", &scenario, "--processes", "0", "--out", out, "--json"];
    json(folder, &[&arguments[..], more].concat())
}

fn page(folder: &Path, arguments: &[&str]) -> String {
    let said = say(folder, &[&["report"], arguments, &["--out", "page.html"]].concat());
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.stdout.is_empty() && said.stderr.contains("wrote page.html"), "{said:?}");
    fs::read_to_string(folder.join("page.html")).expect("it is there")
}

/// The text of the element with an id.
fn element(page: &str, id: &str) -> String {
    let (_, after) = page.split_once(&format!("id=\"{id}\">")).expect("it has such a part");
    let (text, _) = after.split_once("</pre>").expect("it ends");
    let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"");
    text.replace("&amp;", "&")
}

#[test]
fn a_page_holds_what_the_report_says_and_needs_nothing_from_elsewhere() {
    let folder = folder();
    let ran = run(folder.path(), "kitchen-sink.toml", "run", &[]);
    let page = page(folder.path(), &["run"]);
    let outside = ["src=", "url(", "@import", "<script", "http:", "https:", "<link"];
    // The name of a language is an address that nobody goes to.
    let named = page.replace("xmlns=\"http://www.w3.org/2000/svg\"", "");
    let found: Vec<&&str> = outside.iter().filter(|word| named.contains(**word)).collect();
    assert!(found.is_empty(), "{found:?}");
    for target in page.split("href=\"").skip(1) {
        let (target, _) = target.split_once('"').expect("it ends");
        let id = target.strip_prefix('#').unwrap_or_else(|| panic!("{target} is elsewhere"));
        assert!(page.contains(&format!("id=\"{id}\"")), "{id}");
    }
    for hash in ["scenario_hash", "tip_hash", "state_root"] {
        assert!(page.contains(text(&ran, hash)), "{hash}");
    }
    let panels = page.split("<figure class=\"panel\">").skip(1);
    let drawn: Vec<usize> = panels.map(|panel| panel.matches("<polyline").count()).collect();
    assert!(drawn.len() >= 10 && drawn.iter().all(|lines| *lines > 0), "{drawn:?}");
    let report = json(folder.path(), &["report", "run", "--json"]);
    for subnet in report["subnets"].as_array().expect("a list") {
        let name = format!("SN{} {}", number(subnet, "netuid"), text(subnet, "name"));
        assert!(page.contains(&format!("<td>{name}</td>")), "{name}");
    }
    let behaviours = report["network"]["behaviours"].as_array().expect("a list");
    for one in behaviours {
        assert!(page.contains(&format!("{} {} <", text(one, "role"), text(one, "behaviour"))));
    }
    let dissolved = report["network"]["dissolved"].as_array().expect("a list").len();
    assert!(
        dissolved > 0
            && page.contains(&format!("subnet dissolved <span class=\"faint\">{dissolved}"))
    );
    let detected = json(folder.path(), &["detect", "run", "--json"]);
    let detectors = detected["detectors"].as_array().expect("a list");
    let loud = detectors.iter().filter(|one| number(one, "alarms") > 0);
    let loud: Vec<&str> = loud.map(|one| text(one, "name")).collect();
    assert!(!loud.is_empty() && loud.iter().all(|name| page.contains(&format!("<td>{name}</td>"))));
    // A second time there is the same page in the place of the first.
    assert_eq!(self::page(folder.path(), &["run"]), page);
}

/// What roles earn is what their behaviours earn.
#[test]
fn behaviours_add_up_to_their_roles() {
    let folder = folder();
    run(folder.path(), "kitchen-sink.toml", "run", &["--blocks", "600"]);
    let report = json(folder.path(), &["report", "run", "--json"]);
    let network = &report["network"];
    let behaviours = network["behaviours"].as_array().expect("a list");
    for (role, streams) in network["roles"].as_object().expect("by role") {
        if role == "others" {
            continue;
        }
        let own = || behaviours.iter().filter(|one| text(one, "role") == role);
        for key in ["income_rao", "price_result_rao", "wealth_start_rao", "wealth_end_rao"] {
            let sum: i64 = own().map(|one| one[key].as_i64().expect("a number")).sum();
            assert_eq!(Some(sum), streams[key].as_i64(), "{key} of {role}");
        }
        assert!(own().all(|one| number(one, "players") > 0), "{role}");
    }
}

/// Does what a page says: its scenario, its commands. Gives the tip hash of what comes of it.
fn made_again(page: &str) -> String {
    let away = folder();
    fs::write(away.path().join("scenario.toml"), element(page, "scenario")).expect("writable");
    let commands = element(page, "commands");
    for command in commands.lines() {
        let command = command.replacen("btemu", &binary().display().to_string(), 1);
        let output = Command::new("sh").args(["-c", &command]).current_dir(away.path()).output();
        let output = output.expect("there is a shell");
        assert!(output.status.success(), "{command}: {output:?}");
    }
    text(&json(away.path(), &["replay", "again", "--json"]), "tip_hash").to_owned()
}

#[test]
fn the_commands_of_a_page_make_the_same_run() {
    let folder = folder();
    let more = ["--blocks", "40", "--seed", "9", "--set", "players.movers.count=7"];
    let ran = run(folder.path(), "quickstart.toml", "run", &more);
    let whole = page(folder.path(), &["run"]);
    assert!(whole.contains(text(&ran, "tip_hash")));
    assert_eq!(made_again(&whole), text(&ran, "tip_hash"));
    let part = page(folder.path(), &["run", "--at", "+25"]);
    let replayed = json(folder.path(), &["replay", "run", "--to", "+25", "--json"]);
    assert_eq!(made_again(&part), text(&replayed, "tip_hash"));
    let fork = [
        "fork",
        "run",
        "--at",
        "+30",
        "--set",
        "rules.version=price",
        "--set",
        "network.loss_ppm=500000",
        "--blocks",
        "50",
        "--out",
        "fork",
        "--json",
    ];
    let forked = json(folder.path(), &fork);
    assert_eq!(made_again(&page(folder.path(), &["fork"])), text(&forked, "tip_hash"));
    let before = page(folder.path(), &["fork", "--at", "+20"]);
    let replayed = json(folder.path(), &["replay", "run", "--to", "+20", "--json"]);
    assert_eq!(made_again(&before), text(&replayed, "tip_hash"), "before it left the other");
}

#[test]
fn two_runs_stand_side_by_side_with_their_differences() {
    let folder = folder();
    run(folder.path(), "chaos-network.toml", "chaos", &["--blocks", "900"]);
    run(folder.path(), "chaos-network.toml", "calm", &["--blocks", "950", "--set", "fault=[]"]);
    let both = page(folder.path(), &["chaos", "--vs", "calm"]);
    for part in [
        "<strong>A</strong> is <code>chaos</code>",
        "<strong>B</strong> is <code>calm</code>",
        "They part at block +100, in off-chain facts.",
        "Decided from different plans",
        // Both up to the last block of both.
        "900 blocks",
    ] {
        assert!(both.contains(part), "{part}");
    }
    assert!(!both.contains("950 blocks"), "both up to the last block of both");
    let row = |name: &str| {
        let (_, row) = both.split_once(&format!("<td>{name}</td>")).expect("such a figure");
        let (row, _) = row.split_once("</tr>").expect("it ends");
        let cells = row.split("<td class=\"number\">").skip(1);
        let cells = cells.map(|cell| cell.split('<').next().unwrap_or_default().to_owned());
        cells.collect::<Vec<_>>()
    };
    let faults = row("times of faults");
    assert_eq!((faults[1].as_str(), faults[2].as_str()), ("0", format!("−{}", faults[0]).as_str()));
    assert_ne!(faults[0], "0");
    let messages: Vec<i64> = row("messages")
        .iter()
        .map(|cell| cell.replace(',', "").replace('−', "-").parse().expect("a number"))
        .collect();
    assert_eq!(messages[1] - messages[0], messages[2], "{messages:?}");
    assert_ne!(messages[2], 0, "a network that loses messages carries others");
}

#[test]
fn what_no_page_can_be_made_of_is_refused() {
    let folder = folder();
    run(folder.path(), "quickstart.toml", "run", &["--blocks", "5"]);
    fs::create_dir(folder.path().join("there")).expect("writable");
    let rows: [(&[&str], i32, &str); 6] = [
        (&["report", "run", "--out", "x.html", "--vs", "run"], 2, "are the same run folder"),
        (&["report", "run", "--vs", "run"], 2, "--out"),
        (&["report", "run", "--out", "x.html", "--json"], 2, "cannot be used with"),
        (&["report", "run", "--out", "there"], 1, "there"),
        (&["report", "run", "--out", "no/where.html"], 1, "no/where.html"),
        (
            &["report", "run", "--out", "x.html", "--vs", "nowhere"],
            1,
            "there is no run folder nowhere",
        ),
    ];
    for (arguments, code, words) in rows {
        let said = say(folder.path(), arguments);
        check(&said, code, &[words]);
        assert!(!folder.path().join("x.html").exists(), "{arguments:?} leaves something behind");
    }
}

fn chromium() -> Option<PathBuf> {
    tool("tools/usr/bin/chromium", "chromium")
}

/// A page in the browser, without a network: what it says on standard output and on standard error.
fn browse(chromium: &Path, folder: &Path, file: &str, more: &[&str]) -> (String, String) {
    let profile = folder.join(format!("profile-{}", file.replace('.', "-")));
    let page = format!("file://{}", folder.join(file).display());
    let output = Command::new(chromium)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
        .args(["--enable-logging=stderr", "--hide-scrollbars"])
        .arg(format!("--user-data-dir={}", profile.display()))
        .args(more)
        .arg(page)
        .output()
        .expect("it starts");
    assert!(output.status.success(), "{output:?}");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (text(output.stdout), text(output.stderr))
}

/// A page within another one that measures it at a width: a window cannot be as narrow as a phone.
fn measuring(page: &str, width: u32) -> String {
    let escaped = page.replace('&', "&amp;").replace('"', "&quot;");
    format!(
        r#"<!doctype html><meta charset="utf-8"><body style="margin:0">
<iframe id="page" style="border:0;width:{width}px;height:900px" srcdoc="{escaped}"></iframe>
<script>
addEventListener("load", () => {{
  const page = document.getElementById("page").contentDocument, root = page.documentElement;
  const box = (one) => one.getBoundingClientRect();
  const scrolls = (one) => one.closest("div.wide, pre, details:not([open])");
  const beyond = [...page.body.querySelectorAll("*")].filter(
    (one) => box(one).width > 0 && box(one).right > root.clientWidth + 1 && !scrolls(one));
  const panels = [...page.querySelectorAll("figure.panel > svg")];
  const lines = panels.map((one) => Math.max(0, ...[...one.querySelectorAll("polyline")].map((it) => box(it).width)));
  const letters = panels.flatMap((one) => [...one.querySelectorAll("text")].map((it) => box(it).height));
  const told = {{
    width: root.clientWidth, scroll_width: root.scrollWidth, panels: panels.length,
    panel_width: Math.min(...panels.map((one) => box(one).width)),
    panel_height: Math.min(...panels.map((one) => box(one).height)),
    columns: new Set(panels.map((one) => Math.round(box(one).left))).size,
    line_width: Math.min(...lines), letters: Math.min(...letters),
    beyond: beyond.map((one) => one.tagName + " " + one.textContent.slice(0, 40)),
  }};
  document.body.innerHTML = "<pre id=told></pre>";
  document.getElementById("told").textContent = JSON.stringify(told);
}});
</script>"#
    )
}

/// What the checks below look for is found where it is.
fn finds_what_is_wrong(chromium: &Path, folder: &Path) {
    let wrong = "<!doctype html><body><p style='width:900px'>wide</p><div class='wide' style='overflow:auto'>\
        <p style='width:900px'>scrolls</p></div><script>console.error('complaint')</script>";
    fs::write(folder.join("wrong.html"), wrong).expect("writable");
    let (_, said) = browse(chromium, folder, "wrong.html", &["--dump-dom"]);
    assert!(said.contains("CONSOLE") && said.contains("complaint"), "{said}");
    fs::write(folder.join("measured.html"), measuring(wrong, 390)).expect("writable");
    let (dom, _) = browse(chromium, folder, "measured.html", &["--dump-dom"]);
    let told: Value = serde_json::from_str(&element(&dom, "told")).expect("it measures");
    assert_eq!(told["beyond"].as_array().map(Vec::len), Some(1), "{told}");
    assert!(told["scroll_width"].as_u64() > told["width"].as_u64(), "{told}");
}

#[test]
fn a_page_looks_right_in_a_browser_on_a_phone_and_on_a_desktop() {
    let Some(chromium) = chromium() else {
        return skip("pages in a browser: there is no chromium");
    };
    let folder = folder();
    finds_what_is_wrong(&chromium, folder.path());
    run(folder.path(), "kitchen-sink.toml", "run", &[]);
    run(folder.path(), "kitchen-sink.toml", "other", &["--set", "network.loss_ppm=300000"]);
    for (arguments, panels_min) in [(&["run"][..], 10), (&["run", "--vs", "other"][..], 16)] {
        let page = page(folder.path(), arguments);
        let (dom, said) = browse(&chromium, folder.path(), "page.html", &["--dump-dom"]);
        assert!(dom.contains("id=\"origin\""), "{dom}");
        let complaints: Vec<&str> = said.lines().filter(|line| line.contains("CONSOLE")).collect();
        assert!(complaints.is_empty(), "{complaints:?}");
        for width in WIDTHS {
            let file = format!("at-{width}.html");
            fs::write(folder.path().join(&file), measuring(&page, width)).expect("writable");
            let size = format!("--window-size={},1000", width.max(600));
            let (dom, said) = browse(&chromium, folder.path(), &file, &["--dump-dom", &size]);
            assert!(!said.contains("CONSOLE"), "{said}");
            let told: Value = serde_json::from_str(&element(&dom, "told")).expect("it measures");
            let of = |key: &str| told[key].as_f64().unwrap_or_else(|| panic!("no {key} in {told}"));
            assert_eq!((of("width"), of("scroll_width")), (f64::from(width), f64::from(width)));
            assert_eq!(told["beyond"].as_array().map(Vec::len), Some(0), "at {width}: {told}");
            assert!(of("panels") >= f64::from(panels_min), "at {width}: {told}");
            let (least, columns) = if width < 600 { (340.0, 1.0) } else { (450.0, 2.0) };
            assert!(of("panel_width") >= least && of("panel_height") >= 150.0, "{told}");
            assert_eq!(of("columns"), columns, "at {width}: {told}");
            assert!(of("line_width") > least / 2.0, "curves go over their panels: {told}");
            assert!(of("letters") >= 9.0, "letters can be read: {told}");
        }
    }
}
