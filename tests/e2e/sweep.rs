//! Sweeps on this machine: what they find is what runs find, whatever is killed on the way.

use crate::bad_input::check;
use crate::export::{skip, tool};
use crate::interruption::{children, is_alive, kill, wait_until};
use crate::program::{Said, folder, json, number, root, say, scenario, start, text, wait};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

/// Blocks of jobs that leave time to disturb them.
const LONG: &str = "4000";

/// A sweep file over the quickstart scenario: two values of loss, and whatever else.
pub fn sweep_file(folder: &Path, blocks: &str, seeds: &str, more: &str) -> String {
    let quickstart = scenario("quickstart.toml");
    let text = format!(
        "[sweep]\nscenario = {quickstart:?}\nblocks = {blocks}\nseeds = {seeds:?}\n\
         measures = [\"rejected\", \"messages_dropped\", \"mean.subnet.1.price\", \"role.validator.wealth_rao\"]\n\
         {more}[grid]\nnetwork.loss_ppm = [0, 200_000]\n"
    );
    fs::write(folder.join("sweep.toml"), text).expect("writable");
    "sweep.toml".to_owned()
}

/// The rows of a sweep's table by column; no field of these tests has a comma or quotes.
pub fn rows(folder: &Path, out: &str) -> Vec<BTreeMap<String, String>> {
    let text = fs::read_to_string(folder.join(out).join("sweep.csv")).expect("it was written");
    let mut lines = text.lines().map(|line| line.split(',').map(str::to_owned));
    let header: Vec<String> = lines.next().expect("a header").collect();
    lines.map(|line| header.iter().cloned().zip(line).collect()).collect()
}

/// The same without what is different each time.
pub fn figures(folder: &Path, out: &str) -> Vec<BTreeMap<String, String>> {
    let mut rows = rows(folder, out);
    for row in &mut rows {
        row.remove("wall_seconds").expect("it is a column");
    }
    rows
}

fn sweep(folder: &Path, file: &str, out: &str) -> Value {
    json(folder, &["sweep", file, "--out", out, "--json"])
}

fn results(folder: &Path, out: &str) -> BTreeSet<PathBuf> {
    let entries = fs::read_dir(folder.join(out).join("results")).into_iter().flatten();
    let paths = entries.map(|entry| entry.expect("readable").path());
    paths.filter(|path| path.extension().is_some_and(|end| end == "json")).collect()
}

fn said_json(said: &Said) -> Value {
    serde_json::from_str(&said.stdout).unwrap_or_else(|error| panic!("{error}: {said:?}"))
}

/// Whatever is in the folder beside results and tables.
fn left_over(folder: &Path, out: &str) -> Vec<String> {
    let entries = fs::read_dir(folder.join(out)).expect("it is there");
    let names = entries.map(|entry| entry.expect("readable").file_name().display().to_string());
    names.filter(|name| name != "results" && !name.starts_with("sweep.")).collect()
}

#[test]
fn a_job_is_the_run_of_its_settings() {
    let folder = folder();
    let file = sweep_file(folder.path(), "60", "7..8", "");
    let told = sweep(folder.path(), &file, "out");
    assert_eq!((number(&told, "made"), number(&told, "found")), (4, 0));
    let rows = rows(folder.path(), "out");
    assert_eq!(rows.len(), 4);
    let quickstart = scenario("quickstart.toml");
    for (at, row) in rows.iter().enumerate() {
        let set = format!("network.loss_ppm={}", row["network.loss_ppm"]);
        let (seed, out) = (&row["seed"], format!("run-{at}"));
        let arguments = ["run", &quickstart, "--blocks", "60", "--seed", seed, "--set", &set];
        let manner = ["--processes", "0", "--out", &out, "--json"];
        let run = json(folder.path(), &[&arguments[..], &manner].concat());
        assert_eq!(row["tip_hash"], text(&run, "tip_hash"), "{row:?}");
        assert_eq!(row["scenario_hash"], text(&run, "scenario_hash"), "{row:?}");
        assert_eq!(row["rejected"], number(&run, "rejected").to_string(), "{row:?}");
        let dropped = number(&run["messages"], "dropped");
        assert_eq!(row["messages_dropped"], dropped.to_string(), "{row:?}");
    }
    let losses: BTreeSet<&str> = rows.iter().map(|row| row["tip_hash"].as_str()).collect();
    assert_eq!(losses.len(), 4, "settings and seeds make a difference");
    let cells = told["cells"].as_array().expect("two cells");
    for (cell, loss) in cells.iter().zip([0, 200_000]) {
        assert_eq!(cell["settings"]["network.loss_ppm"], loss);
        let of = |row: &&BTreeMap<String, String>| row["network.loss_ppm"] == loss.to_string();
        let dropped = rows.iter().filter(of).map(|row| row["messages_dropped"].parse::<f64>());
        let dropped: Vec<f64> = dropped.map(|number| number.expect("a number")).collect();
        let mean = cell["measures"]["messages_dropped"]["mean"].as_f64().expect("a mean");
        assert!((mean - (dropped[0] + dropped[1]) / 2.0).abs() < 1e-9, "{cell}");
        assert_eq!(number(cell, "runs"), 2);
    }
    assert_eq!(left_over(folder.path(), "out"), [""; 0]);
}

#[test]
fn a_job_of_a_snapshot_is_the_run_of_its_settings() {
    let folder = folder();
    let mainnet = scenario("mainnet.toml");
    let file = format!("[sweep]\nscenario = {mainnet:?}\nblocks = 3\nseeds = [5]\n");
    fs::write(folder.path().join("sweep.toml"), file).expect("writable");
    sweep(folder.path(), "sweep.toml", "out");
    let run = ["run", &mainnet, "--blocks", "3", "--seed", "5", "--processes", "0", "--json"];
    let run = json(folder.path(), &run);
    assert_eq!(rows(folder.path(), "out")[0]["tip_hash"], text(&run, "tip_hash"));
}

#[test]
fn what_is_done_stays_done() {
    let folder = folder();
    let file = sweep_file(folder.path(), "30", "1..3", "");
    let first = sweep(folder.path(), &file, "out");
    let table = rows(folder.path(), "out");
    let again = sweep(folder.path(), &file, "out");
    assert_eq!((number(&again, "made"), number(&again, "found")), (0, 6));
    assert_eq!(again["cells"], first["cells"]);
    assert_eq!(rows(folder.path(), "out"), table);
    // A change of the file makes what is new; another measure makes nothing.
    let file = sweep_file(folder.path(), "30", "2..5", "");
    let changed = fs::read_to_string(folder.path().join(&file)).expect("there");
    let changed = changed.replace("\"rejected\", ", "\"events\", ");
    fs::write(folder.path().join(&file), changed).expect("writable");
    let more = sweep(folder.path(), &file, "out");
    assert_eq!((number(&more, "made"), number(&more, "found")), (4, 4));
    assert!(rows(folder.path(), "out").iter().all(|row| row["events"] != "0"));
    // A torn result is made again.
    let is_of_it = |path: &PathBuf| {
        let text = fs::read_to_string(path).expect("readable");
        number(&serde_json::from_str(&text).expect("a result"), "seed") > 1
    };
    let torn = results(folder.path(), "out").into_iter().find(is_of_it).expect("there are eight");
    let whole = fs::read(&torn).expect("readable");
    fs::write(&torn, &whole[..whole.len() / 2]).expect("writable");
    let told = sweep(folder.path(), &file, "out");
    assert_eq!((number(&told, "made"), number(&told, "found")), (1, 7));
}

/// Starts a sweep of long jobs, two at once.
fn start_long(folder: &Path) -> Child {
    let file = sweep_file(folder, LONG, "1..3", "");
    start(folder, &["sweep", &file, "--out", "out", "--jobs", "2", "--json"])
}

/// The table of the sweep of long jobs, undisturbed.
fn undisturbed(folder: &Path) -> Vec<BTreeMap<String, String>> {
    sweep(folder, "sweep.toml", "straight");
    figures(folder, "straight")
}

#[test]
fn a_job_whose_process_is_killed_is_made_again() {
    let folder = folder();
    let run = start_long(folder.path());
    let pid = run.id();
    wait_until("a job", || !children(pid).is_empty());
    std::thread::sleep(std::time::Duration::from_millis(300));
    let victims = children(pid);
    for victim in &victims {
        // One may have ended by itself.
        Command::new("kill")
            .args(["-KILL", &victim.to_string()])
            .output()
            .expect("there is a kill");
    }
    let said = wait(run);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.stderr.contains("it is started again"), "{said:?}");
    assert!(said.stderr.contains("seed 1"), "the job is named: {said:?}");
    let told = said_json(&said);
    assert_eq!((number(&told, "made"), number(&told, "failed")), (6, 0));
    assert_eq!(figures(folder.path(), "out"), undisturbed(folder.path()));
    assert_eq!(left_over(folder.path(), "out"), [""; 0]);
}

#[test]
fn a_job_that_never_ends_well_fails_alone_and_is_tried_again_by_the_next_sweep() {
    let folder = folder();
    let file = sweep_file(folder.path(), LONG, "1..1", "");
    let run = start(folder.path(), &["sweep", &file, "--out", "out", "--jobs", "1", "--json"]);
    let pid = run.id();
    let mut killed = BTreeSet::new();
    // Three processes of the first job; the second job is left alone.
    wait_until("three processes", || {
        for victim in children(pid) {
            if killed.len() < 3 && killed.insert(victim) {
                kill("-KILL", victim);
            }
        }
        killed.len() == 3
    });
    let said = wait(run);
    assert_eq!(said.code, 1, "{said:?}");
    let told = said_json(&said);
    assert_eq!((number(&told, "made"), number(&told, "failed")), (1, 1), "{told}");
    let failure = &told["failures"][0];
    assert_eq!((number(failure, "job"), number(failure, "seed")), (1, 1));
    assert!(text(failure, "why").contains("it was tried 3 times"), "{failure}");
    assert!(said.stderr.contains("error: 1 of 2 jobs failed"), "{said:?}");
    assert!(said.stderr.contains("hint: `btemu sweep sweep.toml --out out` goes on"), "{said:?}");
    let again = sweep(folder.path(), &file, "out");
    assert_eq!((number(&again, "made"), number(&again, "found")), (1, 1));
}

#[test]
fn a_killed_sweep_leaves_nobody_behind_and_goes_on() {
    let folder = folder();
    let run = start_long(folder.path());
    let pid = run.id();
    wait_until("a result", || !results(folder.path(), "out").is_empty());
    wait_until("a job", || !children(pid).is_empty());
    let family = children(pid);
    kill("-KILL", pid);
    wait(run);
    wait_until("the jobs to end", || family.iter().all(|pid| !is_alive(*pid)));
    let found = results(folder.path(), "out").len() as u64;
    assert!((1..6).contains(&found), "{found}");
    let told = sweep(folder.path(), "sweep.toml", "out");
    assert_eq!((number(&told, "found"), number(&told, "made")), (found, 6 - found));
    assert_eq!(figures(folder.path(), "out"), undisturbed(folder.path()));
    assert_eq!(left_over(folder.path(), "out"), [""; 0], "what was killed is cleared away");
}

#[test]
fn an_interrupt_lets_jobs_end_and_a_second_one_does_not() {
    for interrupts in [1, 2] {
        let folder = folder();
        let run = start_long(folder.path());
        let pid = run.id();
        wait_until("jobs", || children(pid).len() == 2);
        let family = children(pid);
        for _ in 0..interrupts {
            kill("-INT", pid);
            std::thread::sleep(std::time::Duration::from_millis(300));
        }
        let said = wait(run);
        assert_eq!(said.code, 1, "{said:?}");
        assert!(family.iter().all(|pid| !is_alive(*pid)), "somebody was left behind");
        let told = said_json(&said);
        let made = number(&told, "made");
        assert_eq!(number(&told, "missing"), 6 - made, "{told}");
        assert!(if interrupts == 1 { made >= 2 } else { made < 6 }, "{told}");
        let missing = format!("stopped: {} of 6 jobs are not made", 6 - made);
        assert!(said.stderr.contains(&missing), "{said:?}");
        let told = sweep(folder.path(), "sweep.toml", "out");
        assert_eq!((number(&told, "found"), number(&told, "made")), (made, 6 - made));
        assert_eq!(left_over(folder.path(), "out"), [""; 0]);
    }
}

#[test]
fn shards_are_gathered_from_one_folder_or_from_many() {
    let folder = folder();
    let file = sweep_file(folder.path(), "30", "1..4", "");
    let whole = sweep(folder.path(), &file, "whole");
    let shard = |number: u32, out: &str| {
        let shard = format!("{number}/3");
        let arguments = ["sweep", &file, "--shard", &shard, "--out", out, "--json"];
        json(folder.path(), &arguments)
    };
    let counts = [1, 2, 3].map(|part| number(&shard(part, "one"), "made"));
    assert_eq!(counts, [3, 3, 2]);
    assert_eq!(left_over(folder.path(), "one"), [""; 0]);
    assert!(!folder.path().join("one/sweep.csv").exists(), "a shard writes no tables");
    for part in [1, 2, 3] {
        let out = format!("part-{part}");
        shard(part, &out);
        for result in results(folder.path(), &out) {
            let merged = folder.path().join("merged/results");
            fs::create_dir_all(&merged).expect("writable");
            fs::copy(&result, merged.join(result.file_name().expect("a file"))).expect("writable");
        }
    }
    for out in ["one", "merged"] {
        let told = sweep(folder.path(), &file, out);
        assert_eq!((number(&told, "found"), number(&told, "made")), (8, 0), "{out}");
        assert_eq!(told["cells"], whole["cells"], "{out}");
        assert_eq!(figures(folder.path(), out), figures(folder.path(), "whole"), "{out}");
    }
}

#[test]
fn a_wrong_sweep_is_refused_before_anything_is_made() {
    let quickstart = scenario("quickstart.toml");
    let head = format!("[sweep]\nscenario = {quickstart:?}\nseeds = [1]\nblocks = 5\n");
    let with = |more: &str| format!("{head}{more}");
    let rows: &[(String, &[&str])] = &[
        (with("sead = 1"), &["s.toml:5:1", "unknown key \"sead\"", "did you mean \"seeds\"?"]),
        (head.replace("quickstart", "slowstart"), &["sweep.scenario", "slowstart", "relative"]),
        (
            with("[grid]\nnetwork.loss_ppn = [0]"),
            &["s.toml: grid.network.loss_ppn = 0", "unknown key \"loss_ppn\"", "\"loss_ppm\""],
        ),
        (
            with("[grid]\nnetwork.loss_ppm = [0, -7]"),
            &["s.toml: grid.network.loss_ppm = -7", "network.loss_ppm"],
        ),
        (
            with("[grid]\nplayers.mover.count = [2]"),
            &["s.toml: grid.players.mover.count = 2", "\"mover\"", "movers"],
        ),
        (
            with("[grid]\nhyperparameters.tempo = [19, 0]"),
            &["s.toml: grid.hyperparameters.tempo = 0: hyperparameters.tempo: "],
        ),
        (with("[set]\nrun.blocks = 6"), &["set.run.blocks", "sweep.blocks"]),
        (with("[grid]\nrun.seed = [1, 2]"), &["grid.run.seed", "sweep.seeds"]),
        (with("[grid]\nrun.processes = [1, 2]"), &["simulate the same", "run.processes = 2"]),
        (with("measures = [\"prize\"]"), &["sweep.measures", "no measure \"prize\"", "hint: "]),
        (with("measures = [\"players.move.free_rao\"]"), &["group \"move\"", "\"movers\""]),
        (
            with("[[together]]\nname = \"seed\"\ncells = [{ name = \"a\" }]"),
            &["together.seed", "column of that name"],
        ),
        (head.replace("blocks = 5", "blocks = \"long\""), &["s.toml: sweep.blocks", "long"]),
        (head.replace("blocks = 5", "blocks = 0"), &["no blocks"]),
    ];
    let folder = folder();
    for (text, words) in rows {
        fs::write(folder.path().join("s.toml"), text).expect("writable");
        check(&say(folder.path(), &["sweep", "s.toml", "--out", "out"]), 2, words);
        assert!(!folder.path().join("out").exists(), "{text}");
    }
    let usage: &[(&[&str], &[&str])] = &[
        (&["sweep", "nowhere.toml", "--out", "out"], &["nowhere.toml"]),
        (&["sweep", "s.toml"], &["--out"]),
        (&["sweep", "s.toml", "--out", "out", "--jobs", "0"], &["--jobs"]),
        (&["sweep", "s.toml", "--out", "out", "--shard", "4/3"], &["--shard", "1/N"]),
        (&["sweep", "s.toml", "--out", "out", "--link", "127.0.0.1"], &["nats://HOST:PORT"]),
        (&["sweep", "s.toml", "--out", "out", "--token", "t"], &["--link"]),
        (&["worker"], &["--join"]),
        (&["job", "--name", "x"], &["no order"]),
    ];
    for (arguments, words) in usage {
        check(&say(folder.path(), arguments), 2, words);
    }
}

#[test]
fn what_a_sweep_leaves_out_is_told_and_has_no_figures() {
    let folder = folder();
    let quickstart = fs::read_to_string(scenario("quickstart.toml")).expect("readable");
    let struck = format!("{quickstart}\n[[fault]]\nkind = \"kill-chain\"\nat = 3\n");
    fs::write(folder.path().join("struck.toml"), struck).expect("writable");
    let file = "[sweep]\nscenario = \"struck.toml\"\nseeds = [1, 2]\nblocks = 5\n\
         measures = [\"subnet.9.price\", \"invariant_violations\"]\n";
    fs::write(folder.path().join("s.toml"), file).expect("writable");
    let said = say(folder.path(), &["sweep", "s.toml", "--out", "out", "--json"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.stderr.contains("no cell has a subnet 9"), "{said:?}");
    assert!(said.stderr.contains("1 of its cells have faults below the simulation"), "{said:?}");
    let measures = &said_json(&said)["cells"][0]["measures"];
    assert_eq!(measures["subnet.9.price"], Value::Null);
    assert_eq!(measures["invariant_violations"]["max"], 0.0);
    for row in rows(folder.path(), "out") {
        assert_eq!(
            (row["subnet.9.price"].as_str(), row["invariant_violations"].as_str()),
            ("", "0")
        );
    }
}

#[test]
fn the_sweeps_that_ship_say_something() {
    let folder = folder();
    let file = |name: &str| root().join("configs/sweeps").join(name).display().to_string();
    let told = sweep(folder.path(), &file("kappa-commit-reveal.toml"), "kappa");
    let mean =
        |cell: &Value, measure: &str| cell["measures"][measure]["mean"].as_f64().expect("a mean");
    let cells = told["cells"].as_array().expect("six cells");
    assert_eq!((cells.len(), number(&told, "made")), (6, 24));
    for cell in cells {
        let (good, poor) = ("players.good.wealth_rao", "players.poor.wealth_rao");
        assert!(mean(cell, good) > mean(cell, poor), "{cell}");
    }
    let said = say(folder.path(), &["sweep", &file("markets.toml"), "--out", "markets"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.stdout.contains("4 cells, 16 jobs: 16 made now"), "{said:?}");
    assert!(said.stdout.contains("players.movers.wealth_rao (TAO)"), "{said:?}");
    let shipped = fs::read_dir(root().join("configs/sweeps")).expect("there");
    let sweeps = shipped.filter(|entry| {
        let path = entry.as_ref().expect("readable").path();
        fs::read_to_string(path).expect("readable").contains("[sweep]")
    });
    assert_eq!(sweeps.count(), 3, "each is run here");
    // This one at a size that tests can bear.
    let years = fs::read_to_string(file("index-vs-alpha.toml")).expect("it ships");
    let small = years
        .replace("blocks = \"30d\"", "blocks = 200")
        .replace("\"1..8\"", "\"1..2\"")
        .replace("../index-vs-alpha.toml", &scenario("index-vs-alpha.toml"));
    fs::write(folder.path().join("years.toml"), &small).expect("it can be written");
    let said = say(folder.path(), &["sweep", "years.toml", "--out", "years"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.stdout.contains("2 cells, 4 jobs: 4 made now"), "{said:?}");
    assert!(said.stdout.contains("players.believers.wealth_rao (TAO)"), "{said:?}");
}

#[test]
fn a_sweep_is_exported_as_parquet_where_the_build_has_it() {
    let folder = folder();
    let file = sweep_file(folder.path(), "20", "1..2", "");
    let told = sweep(folder.path(), &file, "out");
    let files = told["files"].as_array().map_or(0, Vec::len);
    if !folder.path().join("out/sweep.parquet").exists() {
        assert_eq!(files, 1, "{told}");
        return skip("Parquet of sweeps: this build is without it");
    }
    assert_eq!(files, 2, "{told}");
    let works = |python: &Path| {
        let imports = Command::new(python).args(["-c", "import duckdb"]).output();
        imports.is_ok_and(|said| said.status.success())
    };
    let Some(python) = tool("python/bin/python", "python3").filter(|python| works(python)) else {
        return skip("Parquet of sweeps: python3 has no duckdb");
    };
    let script = "import duckdb; print(duckdb.sql('''select string_agg(concat_ws(' ', job, cell, \
                  \"network.loss_ppm\", seed, tip_hash, rejected, \"role.validator.wealth_rao\"), ',' \
                  order by job) from 'out/sweep.parquet' where typeof(rejected) = 'BIGINT' and \
                  typeof(\"mean.subnet.1.price\") = 'DOUBLE' ''').fetchall()[0][0])";
    let said = Command::new(python).args(["-c", script]).current_dir(folder.path()).output();
    let said = said.expect("it starts");
    let read = String::from_utf8_lossy(&said.stdout).trim().to_owned();
    let columns = [
        "job",
        "cell",
        "network.loss_ppm",
        "seed",
        "tip_hash",
        "rejected",
        "role.validator.wealth_rao",
    ];
    let rows = rows(folder.path(), "out");
    let expected = rows.iter().map(|row| columns.map(|column| row[column].as_str()).join(" "));
    assert_eq!(read, expected.collect::<Vec<_>>().join(","), "{said:?}");
}
