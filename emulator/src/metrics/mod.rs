//! Prometheus metrics: a fold of the blocks, and what the shell knows about its processes.
//!
//! What belongs here: the numbers kept and how they become series. What does not: names and units (`table`), the
//! network (`server`). Families are built from the numbers at every scrape, so a dissolved subnet leaves nothing
//! behind and all series of a scrape are of one block. Label vectors of the `prometheus` crate are not used: they
//! know a series only by a hash in which ("1", "12") and ("11", "2") are the same.

mod server;
pub mod table;
#[cfg(test)]
mod tests;

pub use server::{ServeError, Server};

use crate::detect::Detectors;
use crate::plan::Plan;
use crate::run::totals::roles;
use actors::registry::Role;
use prometheus::core::{Collector, Desc};
use prometheus::proto::{Counter, Gauge, LabelPair, Metric, MetricFamily};
use prometheus::{Registry, TextEncoder};
use protocol::event::Event;
use protocol::frame::{Frame, Messages};
use protocol::registration::lock_cost;
use protocol::rejection::Outcome;
use protocol::state::{Leaks, State, Subnet};
use protocol::units::{NetUid, UNITS_PER_TOKEN};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use table::{Family, Kind};

/// Which run the series belong to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunLabels {
    /// The scenario's name.
    pub scenario: String,
    /// Of all draws.
    pub seed: u64,
    /// The run's name.
    pub run: String,
    /// The program's version; a label of `btemu_build_info` alone.
    pub version: &'static str,
}

/// The metrics of one run. Clones share their numbers.
#[derive(Clone, Debug)]
pub struct Metrics {
    readings: Arc<Mutex<Readings>>,
    detectors: Watch,
    registry: Registry,
}

/// The detectors, if somebody watches. They are no readings: a scrape copies those.
type Watch = Arc<Mutex<Option<Detectors>>>;

impl Metrics {
    /// No blocks yet: nothing but the build and zero totals.
    pub fn new(run: RunLabels) -> Self {
        let readings = Arc::new(Mutex::new(Readings::default()));
        let detectors = Watch::default();
        let registry = Registry::new();
        let collector = RunCollector::new(&run, Arc::clone(&readings), Arc::clone(&detectors));
        registry.register(Box::new(collector)).expect("it is the registry's only collector");
        Self { readings, detectors, registry }
    }

    /// Those of a run by its plan and its folder, whose name is a label: players are known, blocks are not.
    pub fn of(plan: &Plan, run: &Path) -> Self {
        let metrics = Self::new(RunLabels {
            scenario: plan.name.clone(),
            seed: plan.last_course().seed(),
            run: run.file_name().map_or_else(String::new, |name| name.display().to_string()),
            version: env!("CARGO_PKG_VERSION"),
        });
        let mut by_role: BTreeMap<Role, u64> = Role::ALL.iter().map(|role| (*role, 0)).collect();
        for role in roles(plan).into_values() {
            *by_role.entry(role).or_insert(0) += 1;
        }
        metrics.players(&by_role.into_iter().collect::<Vec<_>>());
        metrics
    }

    /// Lets detectors fold the same blocks from here on.
    pub fn watching(self, detectors: Detectors) -> Self {
        *lock(&self.detectors) = Some(detectors);
        self
    }

    /// Folds a block, in order, with the state after it.
    pub fn block(&self, frame: &Frame, state: &State) {
        lock(&self.readings).block(frame, state);
        self.watch(frame, state);
    }

    /// Counts what a block held, where nobody asks for gauges after it.
    pub fn count(&self, frame: &Frame, state: &State) {
        lock(&self.readings).block_totals(frame);
        self.watch(frame, state);
    }

    fn watch(&self, frame: &Frame, state: &State) {
        if let Some(detectors) = lock(&self.detectors).as_mut() {
            detectors.fold(frame, state);
        }
    }

    /// How fast blocks are made, and for how long so far, in wall time.
    pub fn speed(&self, blocks_per_second: f64, wall_seconds: f64) {
        lock(&self.readings).speed = Some(Speed { blocks_per_second, wall_seconds });
    }

    /// The log's size on disk.
    pub fn log_bytes(&self, bytes: u64) {
        lock(&self.readings).log_bytes = Some(bytes);
    }

    /// How many players have each role; replaces what was said before.
    pub fn players(&self, by_role: &[(Role, u64)]) {
        lock(&self.readings).players = by_role.iter().copied().collect();
    }

    /// The processes of the run as (name, resident bytes, players, steps so far); replaces what was said before.
    pub fn processes(&self, rows: &[(String, u64, u64, u64)]) {
        let processes = rows.iter().map(|(name, resident_bytes, players, steps)| {
            let (resident_bytes, players, steps) = (*resident_bytes, *players, *steps);
            (name.clone(), Process { resident_bytes, players, steps })
        });
        lock(&self.readings).processes = processes.collect();
    }

    /// One value of each series, as a scrape would have them now.
    pub fn samples(&self) -> impl Iterator<Item = Sample> {
        let families = self.registry.gather().into_iter();
        families.flat_map(|shown| {
            let known = table::FAMILIES.iter().find(|family| family.name == shown.name());
            let family = known.copied().expect("only families of the table are collected");
            let metrics = shown.get_metric().iter().map(|metric| Sample::of(family, metric));
            metrics.collect::<Vec<_>>()
        })
    }

    /// All series in Prometheus' text format 0.0.4.
    pub fn text(&self) -> String {
        let families = self.registry.gather();
        TextEncoder::new().encode_to_string(&families).expect("a string takes all, none is empty")
    }
}

/// One value of a series.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// What it is of.
    pub family: &'static Family,
    /// Names and values of all labels, those of the run among them.
    pub labels: Vec<(String, String)>,
    /// The value, in the family's unit.
    pub value: f64,
}

impl Sample {
    fn of(family: &'static Family, metric: &Metric) -> Self {
        let labels = metric.get_label().iter();
        let labels = labels.map(|label| (label.name().to_owned(), label.value().to_owned()));
        let value = match family.kind {
            Kind::Gauge => metric.get_gauge().get_value(),
            Kind::Counter => metric.get_counter().get_value(),
        };
        Self { family, labels: labels.collect(), value }
    }
}

/// A panic elsewhere leaves numbers of one block or the next, and both may be shown.
fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The last word on everything, in the units of the state: a block only copies numbers.
#[derive(Clone, Debug, Default)]
struct Readings {
    chain: Option<Chain>,
    subnets: BTreeMap<NetUid, SubnetReading>,
    /// By call, outcome and reason.
    calls: BTreeMap<(&'static str, &'static str, &'static str), u64>,
    events: BTreeMap<&'static str, u64>,
    messages: Messages,
    crashes: u64,
    speed: Option<Speed>,
    log_bytes: Option<u64>,
    players: BTreeMap<Role, u64>,
    processes: BTreeMap<String, Process>,
}

#[derive(Clone, Copy, Debug)]
struct Chain {
    height: u64,
    time_ms: u64,
    issuance_rao: u64,
    stake_rao: u64,
    root_stake_rao: u64,
    subnet_limit: u16,
    lock_cost_rao: u64,
    leaks: Leaks,
}

#[derive(Clone, Debug, Default)]
struct SubnetReading {
    name: String,
    symbol: String,
    /// U96F32 bits.
    price: u128,
    /// U96F32 bits.
    moving_price: u128,
    tao_rao: u64,
    alpha_in: u64,
    alpha_out: u64,
    stake: u64,
    /// U64F64 bits.
    emission_share: u128,
    /// I64F64 bits of rao per block.
    flow_average: i128,
    neurons: u64,
}

#[derive(Clone, Copy, Debug)]
struct Speed {
    blocks_per_second: f64,
    wall_seconds: f64,
}

#[derive(Clone, Copy, Debug)]
struct Process {
    resident_bytes: u64,
    players: u64,
    steps: u64,
}

impl Readings {
    fn block(&mut self, frame: &Frame, state: &State) {
        self.block_subnets(frame, state);
        self.block_totals(frame);
        let root = state.subnet(NetUid::ROOT);
        self.chain = Some(Chain {
            height: frame.header.height.0,
            time_ms: frame.header.time_ms,
            issuance_rao: state.global.total_issuance.0,
            stake_rao: state.global.total_stake.0,
            root_stake_rao: root.map_or(0, |root| root.fast.pool.tao),
            subnet_limit: state.global.subnet_limit,
            lock_cost_rao: lock_cost(state).0,
            leaks: state.leaks,
        });
    }

    fn block_subnets(&mut self, frame: &Frame, state: &State) {
        let restaked = restaked(&frame.events);
        self.subnets.retain(|netuid, _| state.subnet(*netuid).is_some());
        for (netuid, subnet) in state.networks().filter(|(netuid, _)| !netuid.is_root()) {
            let known = self.subnets.contains_key(&netuid);
            let reading = self.subnets.entry(netuid).or_default();
            reading.copy(subnet);
            if !known || restaked.contains(&netuid) {
                let alpha = subnet.pools.values().map(|pool| pool.alpha.0);
                reading.stake = alpha.fold(0, u64::saturating_add);
            }
        }
    }

    fn block_totals(&mut self, frame: &Frame) {
        for record in &frame.calls {
            let key = (record.call.name(), outcome(record.outcome), record.outcome.reason());
            *self.calls.entry(key).or_insert(0) += 1;
        }
        for refused in &frame.refused {
            let all = Outcome::Refused(refused.reason);
            let key = ("unknown", outcome(all), all.reason());
            *self.calls.entry(key).or_insert(0) += u64::from(refused.count);
        }
        for event in &frame.events {
            *self.events.entry(event.kind()).or_insert(0) += 1;
        }
        let Messages { sent, delivered, dropped } = frame.facts.messages;
        // A log can say anything; a total that leaves its range stays at its end.
        let total = &mut self.messages;
        total.sent = total.sent.saturating_add(sent);
        total.delivered = total.delivered.saturating_add(delivered);
        total.dropped = total.dropped.saturating_add(dropped);
        self.crashes += frame.facts.crashes.len() as u64;
    }
}

impl SubnetReading {
    /// Takes over all but the stake, which is a sum over hotkeys.
    fn copy(&mut self, subnet: &Subnet) {
        // Names change hardly ever, and a comparison allocates nothing.
        if self.name != subnet.info.name || self.symbol != subnet.info.symbol {
            self.name.clone_from(&subnet.info.name);
            self.symbol.clone_from(&subnet.info.symbol);
        }
        let fast = &subnet.fast;
        self.price = subnet.price();
        self.moving_price = subnet.moving_price();
        self.tao_rao = fast.pool.tao;
        self.alpha_in = fast.pool.alpha;
        self.alpha_out = fast.pool.alpha_out;
        self.emission_share = if subnet.emits() { fast.emission_share } else { 0 };
        self.flow_average = fast.flow_average.map_or(0, |(_, average)| average);
        self.neurons = subnet.neurons.len() as u64;
    }
}

/// The subnets on which a block may have moved stake; few, so that few sums are made again.
fn restaked(events: &[Event]) -> BTreeSet<NetUid> {
    let netuids = events.iter().filter_map(|event| match event {
        Event::ShareChanged { netuid, .. } => Some(*netuid),
        Event::SubnetDissolved(facts) => Some(facts.netuid),
        Event::SubnetRegistered(facts) => Some(facts.netuid),
        Event::EpochPaid(columns) => Some(columns.netuid),
        _ => None,
    });
    netuids.collect()
}

const fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Ok => "accepted",
        Outcome::Failed(_) => "rejected",
        Outcome::Refused(_) => "refused",
    }
}

/// The one collector: builds every family from a copy of the readings.
struct RunCollector {
    version: &'static str,
    run: Vec<LabelPair>,
    descriptions: Vec<Desc>,
    readings: Arc<Mutex<Readings>>,
    detectors: Watch,
}

impl RunCollector {
    fn new(run: &RunLabels, readings: Arc<Mutex<Readings>>, detectors: Watch) -> Self {
        let values = [run.scenario.clone(), run.seed.to_string(), run.run.clone()];
        let run_labels: HashMap<String, String> =
            table::RUN_LABELS.map(str::to_owned).into_iter().zip(values.clone()).collect();
        let describe = |family: &&Family| {
            let labels = family.labels.iter().copied().map(str::to_owned).collect();
            let (name, help) = (family.name.to_owned(), family.help.to_owned());
            Desc::new(name, help, labels, run_labels.clone()).expect("the table is tested")
        };
        Self {
            version: run.version,
            run: table::RUN_LABELS
                .iter()
                .zip(&values)
                .map(|(name, value)| pair(name, value))
                .collect(),
            descriptions: table::FAMILIES.iter().map(describe).collect(),
            readings,
            detectors,
        }
    }
}

impl Collector for RunCollector {
    fn desc(&self) -> Vec<&Desc> {
        self.descriptions.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        // A copy, so that a block never waits for a scrape to be written.
        let readings = lock(&self.readings).clone();
        let mut page = Page { run: &self.run, metrics: BTreeMap::new() };
        page.add(table::BUILD_INFO, &[self.version], 1.0);
        if let Some(chain) = &readings.chain {
            collect_chain(&mut page, chain, &readings.subnets);
        }
        for (netuid, subnet) in &readings.subnets {
            collect_subnet(&mut page, &netuid.to_string(), subnet);
        }
        collect_totals(&mut page, &readings);
        collect_shell(&mut page, &readings);
        if let Some(detectors) = lock(&self.detectors).as_ref() {
            for (detector, alarms, strongest) in detectors.summary() {
                page.add(table::DETECTOR_ALARMS, &[detector.name], alarms as f64);
                page.add(table::DETECTOR_SIGNAL, &[detector.name], strongest);
            }
        }
        page.families()
    }
}

fn collect_chain(page: &mut Page<'_>, chain: &Chain, subnets: &BTreeMap<NetUid, SubnetReading>) {
    let mut shares: Vec<u128> = subnets.values().map(|subnet| subnet.emission_share).collect();
    shares.sort_unstable_by_key(|share| Reverse(*share));
    let top_ten = shares.iter().take(10).copied().fold(0, u128::saturating_add);
    page.add(table::BLOCK_HEIGHT, &[], chain.height as f64);
    page.add(table::SIMULATED, &[], chain.time_ms as f64 / 1_000.0);
    page.add(table::TOTAL_ISSUANCE, &[], tokens(chain.issuance_rao));
    page.add(table::TOTAL_STAKE, &[], tokens(chain.stake_rao));
    page.add(table::ROOT_STAKE, &[], tokens(chain.root_stake_rao));
    for (ledger, rao) in chain.leaks.named() {
        page.add(table::LEAKED, &[ledger], rao as f64 / UNITS_PER_TOKEN as f64);
    }
    page.add(table::TOP_TEN, &[], of_64_bits(top_ten));
    page.add(table::SUBNETS, &[], subnets.len() as f64);
    page.add(table::SUBNET_LIMIT, &[], f64::from(chain.subnet_limit));
    page.add(table::LOCK_COST, &[], tokens(chain.lock_cost_rao));
}

fn collect_subnet(page: &mut Page<'_>, netuid: &str, subnet: &SubnetReading) {
    page.add(table::SUBNET_INFO, &[netuid, &subnet.name, &subnet.symbol], 1.0);
    page.add(table::SUBNET_PRICE, &[netuid], of_32_bits(subnet.price));
    page.add(table::SUBNET_MOVING_PRICE, &[netuid], of_32_bits(subnet.moving_price));
    page.add(table::SUBNET_TAO_RESERVE, &[netuid], tokens(subnet.tao_rao));
    page.add(table::SUBNET_ALPHA_IN, &[netuid], tokens(subnet.alpha_in));
    page.add(table::SUBNET_ALPHA_OUT, &[netuid], tokens(subnet.alpha_out));
    page.add(table::SUBNET_STAKE, &[netuid], tokens(subnet.stake));
    page.add(table::SUBNET_EMISSION_SHARE, &[netuid], of_64_bits(subnet.emission_share));
    let flow_rao = subnet.flow_average as f64 / TWO_TO_64;
    page.add(table::SUBNET_FLOW_AVERAGE, &[netuid], flow_rao / UNITS_PER_TOKEN as f64);
    page.add(table::SUBNET_NEURONS, &[netuid], subnet.neurons as f64);
}

fn collect_totals(page: &mut Page<'_>, readings: &Readings) {
    for ((call, outcome, reason), count) in &readings.calls {
        page.add(table::CALLS, &[call, outcome, reason], *count as f64);
    }
    for (event, count) in &readings.events {
        page.add(table::EVENTS, &[event], *count as f64);
    }
    page.add(table::MESSAGES_SENT, &[], readings.messages.sent as f64);
    page.add(table::MESSAGES_DELIVERED, &[], readings.messages.delivered as f64);
    page.add(table::MESSAGES_DROPPED, &[], readings.messages.dropped as f64);
    page.add(table::PLAYERS_CRASHED, &[], readings.crashes as f64);
}

fn collect_shell(page: &mut Page<'_>, readings: &Readings) {
    if let Some(speed) = readings.speed {
        page.add(table::SPEED, &[], speed.blocks_per_second);
        page.add(table::WALL, &[], speed.wall_seconds);
    }
    if let Some(bytes) = readings.log_bytes {
        page.add(table::LOG, &[], bytes as f64);
    }
    for (role, count) in &readings.players {
        page.add(table::PLAYERS, &[role.name()], *count as f64);
    }
    for (name, process) in &readings.processes {
        page.add(table::PROCESS_MEMORY, &[name], process.resident_bytes as f64);
        page.add(table::PROCESS_PLAYERS, &[name], process.players as f64);
        page.add(table::PROCESS_STEPS, &[name], process.steps as f64);
    }
}

const TWO_TO_64: f64 = 18_446_744_073_709_551_616.0;

/// Whole tokens of an amount in smallest units.
fn tokens(amount: u64) -> f64 {
    amount as f64 / UNITS_PER_TOKEN as f64
}

/// The value of fixed-point bits with 32 of them below the point.
fn of_32_bits(bits: u128) -> f64 {
    bits as f64 / 4_294_967_296.0
}

/// The value of fixed-point bits with 64 of them below the point.
fn of_64_bits(bits: u128) -> f64 {
    bits as f64 / TWO_TO_64
}

/// A scrape in the making.
struct Page<'a> {
    run: &'a [LabelPair],
    metrics: BTreeMap<&'static str, (&'static Family, Vec<Metric>)>,
}

impl Page<'_> {
    /// Adds a series; values are those of the family's own labels, in their order.
    fn add(&mut self, family: &'static Family, values: &[&str], value: f64) {
        debug_assert_eq!(family.labels.len(), values.len(), "labels of {}", family.name);
        let own = family.labels.iter().zip(values).map(|(name, value)| pair(name, value));
        let mut metric = Metric::from_label(own.chain(self.run.iter().cloned()).collect());
        match family.kind {
            Kind::Gauge => {
                let mut gauge = Gauge::default();
                gauge.set_value(value);
                metric.set_gauge(gauge);
            }
            Kind::Counter => {
                let mut counter = Counter::default();
                counter.set_value(value);
                metric.set_counter(counter);
            }
        }
        self.metrics.entry(family.name).or_insert((family, Vec::new())).1.push(metric);
    }

    fn families(self) -> Vec<MetricFamily> {
        let families = self.metrics.into_values().map(|(family, metrics)| {
            let mut shown = MetricFamily::default();
            shown.set_name(family.name.to_owned());
            shown.set_help(family.help.to_owned());
            shown.set_field_type(family.kind.metric_type());
            shown.set_metric(metrics);
            shown
        });
        families.collect()
    }
}

fn pair(name: &str, value: &str) -> LabelPair {
    let mut pair = LabelPair::default();
    pair.set_name(name.to_owned());
    pair.set_value(value.to_owned());
    pair
}
