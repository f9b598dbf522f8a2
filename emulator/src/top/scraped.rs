//! A run elsewhere as a source of news: its metrics are asked for again and again, by the address at which it serves them.
//!
//! What belongs here: asking, reading what is answered, and saying when nobody answers any more. What does not: which
//! series there are (`metrics::table`), and what is kept and shown (`model`).
//!
//! The door of a run tells its whole state and takes orders; it stays in the run's folder, where the system says who may
//! come. Metrics are served to anybody already, and no series decides anything.

use super::model::{CountedProcess, Counts, News};
use super::scene::{Scene, SubnetRow, name};
use crate::http::agent;
use crate::metrics::table::{self, Family};
use protocol::units::{BLOCK_MS, Rao, UNITS_PER_TOKEN};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::thread;
use std::time::Duration;
use ureq::Agent;
use ureq::http::Uri;

/// How often metrics are asked for.
const SCRAPE_EVERY_MS: u64 = 1_000;
/// How long an answer may take.
const ANSWER_MS_MAX: u64 = 5_000;
/// Bytes of an answer: a large network with every neuron named has some megabytes.
const ANSWER_BYTES_MAX: u64 = 64 << 20;
/// Askings in vain after which a run counts as gone.
const ATTEMPTS_MAX: u32 = 10;

/// What is asked: where metrics are served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address(String);

impl Address {
    /// The address that an argument is: `HOST:PORT`, or a URL. Nothing where it looks like none.
    ///
    /// # Errors
    /// What is wrong with one that looks like one.
    pub fn of(text: &str) -> Option<Result<Self, String>> {
        if let Some((scheme, _)) = text.split_once("://") {
            let uri: Uri = match text.parse() {
                Ok(uri) => uri,
                Err(error) => return Some(Err(format!("{text}: {error}"))),
            };
            if scheme != "http" {
                return Some(Err(format!("{text}: metrics are served as plain http://")));
            }
            let path = if matches!(uri.path(), "" | "/") { "/metrics" } else { "" };
            return Some(Ok(Self(format!("{}{path}", text.trim_end_matches('/')))));
        }
        let (host, port) = text.rsplit_once(':')?;
        let is_host = !host.is_empty() && !host.contains('/');
        if !is_host || port.is_empty() || !port.bytes().all(|digit| digit.is_ascii_digit()) {
            return None;
        }
        match port.parse::<u16>() {
            Ok(1..) => Some(Ok(Self(format!("http://{text}/metrics")))),
            _ => Some(Err(format!("{text}: {port} is no port"))),
        }
    }
}

/// A run that is seen by its metrics.
#[derive(Debug)]
pub struct Scraped {
    agent: Agent,
    address: Address,
    labels: String,
    /// What it is called.
    pub name: String,
    /// Its genesis block.
    pub genesis: u64,
    /// What is shown of it.
    pub scene: Arc<Scene>,
    /// What it counts.
    pub counts: Counts,
}

impl Scraped {
    /// Asks for the first time.
    ///
    /// # Errors
    /// Nobody answers, or not with the metrics of a run.
    pub fn enter(address: Address) -> Result<Self, String> {
        let agent = agent(ANSWER_MS_MAX);
        let mut attempt = 1;
        let Seen { scene, genesis, labels, counts } = loop {
            let text = ask(&agent, &address)?;
            match seen(&text, None).map_err(|what| format!("{}: {what}", address.0))? {
                Some(seen) => break seen,
                None if attempt < ATTEMPTS_MAX => attempt += 1,
                None => return Err(format!("{}: the run has no block yet", address.0)),
            }
            thread::sleep(Duration::from_millis(SCRAPE_EVERY_MS));
        };
        let name = format!("{} ({labels})", address.0);
        Ok(Self { agent, address, labels, name, genesis, scene: Arc::new(scene), counts })
    }

    /// Starts to ask again and again. The thread ends when nobody hears it any more, or with the run.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(self, news: SyncSender<News>) -> std::io::Result<()> {
        let builder = thread::Builder::new().name("top scrapes".to_owned());
        builder.spawn(move || {
            let why = self.follow(&news);
            // Nobody is there to hear it once the view is closed.
            news.send(News::Over(why)).ok();
        })?;
        Ok(())
    }

    /// Why there is nothing more to follow.
    fn follow(mut self, news: &SyncSender<News>) -> String {
        let mut in_vain = 0;
        loop {
            thread::sleep(Duration::from_millis(SCRAPE_EVERY_MS));
            let text = match ask(&self.agent, &self.address) {
                Ok(text) => text,
                Err(_) if in_vain + 1 < ATTEMPTS_MAX => {
                    in_vain += 1;
                    continue;
                }
                Err(why) => return format!("after block {}: {why}", self.scene.height),
            };
            in_vain = 0;
            let seen = match seen(&text, Some(&self.scene)) {
                Ok(Some(seen)) => seen,
                Ok(None) => continue,
                Err(what) => return what,
            };
            let is_other = seen.labels != self.labels
                || seen.genesis != self.genesis
                || seen.scene.height < self.scene.height;
            if is_other {
                let height = self.scene.height;
                return format!("after block {height}: another run is served there now");
            }
            self.scene = Arc::new(seen.scene);
            let height = self.scene.height;
            let all = [
                News::Scene(self.scene.clone()),
                News::Tip(height),
                News::Counts(Box::new(seen.counts)),
            ];
            if all.into_iter().any(|one| news.send(one).is_err()) {
                return "nobody looks".to_owned();
            }
        }
    }
}

fn ask(agent: &Agent, address: &Address) -> Result<String, String> {
    let url = &address.0;
    let asked = agent.get(url).call();
    let mut answer = asked.map_err(|error| format!("{url} does not answer: {error}"))?;
    let status = answer.status().as_u16();
    if status != 200 {
        return Err(format!("{url} answers {status}, and no metrics"));
    }
    let body = answer.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_string();
    body.map_err(|error| format!("{url} breaks off: {error}"))
}

/// What an answer shows.
#[derive(Clone, Debug, PartialEq)]
struct Seen {
    scene: Scene,
    genesis: u64,
    /// Which run it is of.
    labels: String,
    counts: Counts,
}

/// What an answer shows; nothing before the first block.
///
/// # Errors
/// It is not of a run, or of one whose metrics are others.
fn seen(text: &str, before: Option<&Scene>) -> Result<Option<Seen>, String> {
    let page = Page::of(text);
    if page.series(table::BUILD_INFO).is_empty() {
        return Err("no metrics of btemu are served there".to_owned());
    }
    let Some(height) = page.one(table::BLOCK_HEIGHT) else { return Ok(None) };
    let needed = |family: &Family| {
        page.one(family).ok_or_else(|| format!("{} is not served there", family.name))
    };
    let tao =
        |family: &Family| needed(family).map(|tao| Rao((tao * UNITS_PER_TOKEN as f64) as u64));
    let height = height as u64;
    let since = (needed(table::SIMULATED)? * 1_000.0 / BLOCK_MS as f64).round() as u64;
    let scene = Scene {
        height,
        issuance: tao(table::TOTAL_ISSUANCE)?,
        block_emission: tao(table::BLOCK_EMISSION)?,
        lock_cost: tao(table::LOCK_COST)?,
        stake: tao(table::TOTAL_STAKE)?,
        subnets: subnets(&page, before)?,
    };
    let genesis = height.saturating_sub(since);
    Ok(Some(Seen { scene, genesis, labels: page.run_labels(), counts: counts(&page) }))
}

/// Every subnet, by number. A subnet is one of which there are all series.
fn subnets(page: &Page<'_>, before: Option<&Scene>) -> Result<Vec<SubnetRow>, String> {
    let by_netuid = |family: &Family| {
        let series = page.series(family).iter();
        let values = series.filter_map(|one| Some((one.label("netuid")?.parse().ok()?, one.value)));
        values.collect::<BTreeMap<u16, f64>>()
    };
    let families = [
        table::SUBNET_PRICE,
        table::SUBNET_MOVING_PRICE,
        table::SUBNET_EMISSION_SHARE,
        table::SUBNET_FLOW_AVERAGE,
        table::SUBNET_TAO_RESERVE,
        table::SUBNET_NEURONS,
        table::SUBNET_VALIDATORS,
    ];
    let values = families.map(by_netuid);
    let mut rows = Vec::new();
    for info in page.series(table::SUBNET_INFO) {
        let Some(netuid) = info.label("netuid").and_then(|text| text.parse().ok()) else {
            continue;
        };
        if netuid == 0 {
            continue;
        }
        let mut found = [0.0; 7];
        for ((found, values), family) in found.iter_mut().zip(&values).zip(families) {
            *found = *values
                .get(&netuid)
                .ok_or_else(|| format!("{} of subnet {netuid} is not served there", family.name))?;
        }
        let [price, moving_price, share, flow, reserve, neurons, validators] = found;
        let label = |label| info.label(label).unwrap_or_default();
        let name = name(netuid, label("symbol"), label("name"), before);
        let (neurons, validators) = (neurons as u16, validators as u16);
        rows.push(SubnetRow {
            netuid,
            name,
            price,
            moving_price,
            share,
            flow,
            reserve,
            neurons,
            validators,
        });
    }
    rows.sort_by_key(|row| row.netuid);
    Ok(rows)
}

/// What is counted beside a state; of what is not served there is no line.
fn counts(page: &Page<'_>) -> Counts {
    let whole = |value: f64| value as u64;
    let of_process = |family: &Family, name: &str| {
        let mut own = page.series(family).iter().filter(|one| one.label("process") == Some(name));
        own.next().map(|one| whole(one.value))
    };
    let processes = page.series(table::PROCESS_MEMORY).iter().filter_map(|one| {
        let name = one.label("process")?;
        Some(CountedProcess {
            name: name.to_owned(),
            rss_bytes: whole(one.value),
            players: of_process(table::PROCESS_PLAYERS, name),
            steps: of_process(table::PROCESS_STEPS, name),
        })
    });
    let mut lines = Vec::new();
    let mut add = |name: &'static str, told: Option<String>| {
        lines.extend(told.map(|told| (name, told)));
    };
    add("alarms", page.sums(table::DETECTOR_ALARMS, "detector"));
    add("faults in force", page.sums(table::FAULTS_ACTIVE, "kind"));
    add("calls", page.sums(table::CALLS, "outcome"));
    add("players", page.sums(table::PLAYERS, "role"));
    let messages = [
        ("sent", table::MESSAGES_SENT),
        ("delivered", table::MESSAGES_DELIVERED),
        ("dropped", table::MESSAGES_DROPPED),
    ];
    let told = messages.map(|(name, family)| Some((name, whole(page.one(family)?))));
    add("messages", told.into_iter().collect::<Option<Vec<_>>>().map(list));
    let violated = page.one(table::INVARIANTS_VIOLATED).map(whole).filter(|blocks| *blocks > 0);
    add("invariants", violated.map(|blocks| format!("violated after {blocks} blocks")));
    Counts {
        blocks_per_second: page.one(table::SPEED),
        restarts: page.one(table::RESTARTS).map(whole),
        processes: processes.collect(),
        lines,
    }
}

fn list<'a>(told: impl IntoIterator<Item = (&'a str, u64)>) -> String {
    let mut text = String::new();
    for (name, count) in told {
        let comma = if text.is_empty() { "" } else { ", " };
        write!(text, "{comma}{name} {count}").expect("a text takes every letter");
    }
    text
}

/// Series by family, as the text format of Prometheus has them.
#[derive(Debug, Default)]
struct Page<'a>(BTreeMap<&'a str, Vec<Series>>);

#[derive(Debug)]
struct Series {
    labels: BTreeMap<String, String>,
    value: f64,
}

impl Series {
    fn label(&self, name: &str) -> Option<&str> {
        self.labels.get(name).map(String::as_str)
    }
}

impl<'a> Page<'a> {
    /// Whatever a text says; lines that say nothing are passed over.
    fn of(text: &'a str) -> Self {
        let mut page = Self::default();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            if let Some((name, series)) = series(line) {
                page.0.entry(name).or_default().push(series);
            }
        }
        page
    }

    fn series(&self, family: &Family) -> &[Series] {
        self.0.get(family.name).map_or(&[], Vec::as_slice)
    }

    /// The value of the only series of a family.
    fn one(&self, family: &Family) -> Option<f64> {
        self.series(family).first().map(|one| one.value)
    }

    /// What a family counts by a label, without zeros; nothing where it is not served.
    fn sums(&self, family: &Family, label: &str) -> Option<String> {
        let series = self.series(family);
        let mut sums = BTreeMap::<&str, u64>::new();
        for one in series {
            *sums.entry(one.label(label)?).or_default() += one.value as u64;
        }
        sums.retain(|_, sum| *sum > 0);
        match (series.is_empty(), sums.is_empty()) {
            (true, _) => None,
            (false, true) => Some("none".to_owned()),
            (false, false) => Some(list(sums)),
        }
    }

    /// Which run it is of: the labels that every series has.
    fn run_labels(&self) -> String {
        let any = self.series(table::BLOCK_HEIGHT).first();
        let told = table::RUN_LABELS.iter().filter_map(|name| {
            let value = any?.label(name)?;
            Some(format!("{name} {value}"))
        });
        told.collect::<Vec<_>>().join(", ")
    }
}

/// A line such as `name{label="value"} 7`.
fn series(line: &str) -> Option<(&str, Series)> {
    let end = line.find(['{', ' '])?;
    let (name, mut rest) = line.split_at(end);
    let mut labels = BTreeMap::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        loop {
            rest = rest.trim_start_matches([',', ' ']);
            if let Some(after) = rest.strip_prefix('}') {
                rest = after;
                break;
            }
            let (label, after) = rest.split_once("=\"")?;
            let (value, after) = quoted(after)?;
            labels.insert(label.trim().to_owned(), value);
            rest = after;
        }
    }
    let value = rest.split_whitespace().next()?.parse().ok()?;
    Some((name, Series { labels, value }))
}

/// The value of a label up to its closing mark, and what follows it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => value.push(match letters.next()?.1 {
                'n' => '\n',
                other => other,
            }),
            _ => value.push(letter),
        }
    }
    None
}

#[cfg(test)]
mod tests;
