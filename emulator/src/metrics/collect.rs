//! The one collector: builds every family from a copy of what is known.
//!
//! What belongs here: which series there are, and their values in base units. What does not: keeping numbers
//! (`readings`, `shell`), the crate's types (`page`).

use super::counts::{ALPHA_TO, SubnetCounts, VIA};
use super::neurons::{NeuronRole, NeuronRow, part};
use super::page::{Page, pair};
use super::readings::{CAUSES, Chain, Readings};
use super::shell::Shell;
use super::subnets::SubnetReading;
use super::timings::{Phase, Timed, Timings};
use super::{Fold, People, RunLabels, lock, table};
use crate::report::{exits, gini, herfindahl};
use prometheus::core::{Collector, Desc};
use prometheus::proto::{LabelPair, MetricFamily};
use protocol::units::{NetUid, Rao, UNITS_PER_TOKEN};
use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use table::Family;

/// Positions whose sale is quoted, and how the label names them.
const EXITS: [(Rao, &str); 3] =
    [(Rao::whole(10), "10"), (Rao::whole(100), "100"), (Rao::whole(1_000), "1000")];

/// See the file.
pub struct RunCollector {
    version: &'static str,
    commit: &'static str,
    run: Vec<LabelPair>,
    descriptions: Vec<Desc>,
    fold: Arc<Mutex<Fold>>,
    shell: Arc<Mutex<Shell>>,
    timings: Timings,
}

impl RunCollector {
    /// Of a run, reading these.
    pub fn new(
        run: &RunLabels,
        fold: Arc<Mutex<Fold>>,
        shell: Arc<Mutex<Shell>>,
        timings: Timings,
    ) -> Self {
        let values = [run.scenario.clone(), run.seed.to_string(), run.run.clone()];
        let run_labels: HashMap<String, String> =
            table::RUN_LABELS.map(str::to_owned).into_iter().zip(values.clone()).collect();
        let describe = |family: &&Family| {
            let labels = family.labels.iter().copied().map(str::to_owned).collect();
            let (name, help) = (family.name.to_owned(), family.help.to_owned());
            Desc::new(name, help, labels, run_labels.clone()).expect("the table is tested")
        };
        let labels = table::RUN_LABELS.iter().zip(&values);
        Self {
            version: run.version,
            commit: run.commit,
            run: labels.map(|(name, value)| pair(name, value)).collect(),
            descriptions: table::FAMILIES.iter().map(describe).collect(),
            fold,
            shell,
            timings,
        }
    }
}

impl Collector for RunCollector {
    fn desc(&self) -> Vec<&Desc> {
        self.descriptions.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        // Copies of one moment, so that all is of one block and none waits for a scrape to be written.
        let (readings, signals, purses) = {
            let fold = lock(&self.fold);
            let signals = fold.detectors.as_ref().map(|detectors| detectors.summary());
            let purses = fold.people.as_ref().map(People::purses).cloned();
            (fold.readings.clone(), signals, purses)
        };
        let shell = lock(&self.shell).clone();
        let mut page = Page::new(&self.run);
        page.add(table::BUILD_INFO, &[self.version, self.commit], 1.0);
        if let Some(chain) = &readings.chain {
            collect_chain(&mut page, chain, &readings);
            for (netuid, subnet) in &readings.subnets.readings {
                let counts = readings.counts.of(*netuid);
                collect_subnet(&mut page, *netuid, subnet, &counts, chain);
            }
        }
        collect_totals(&mut page, &readings);
        for ((role, behaviour), purse) in purses.iter().flatten() {
            let class = [*role, *behaviour];
            page.add(table::PLAYER_INCOME, &class, tokens(purse.income_rao));
            page.add(table::PLAYER_PRICE_RESULT, &class, signed(purse.price_result_rao as f64));
            for (form, rao) in [("free", purse.free_rao), ("stake", purse.stake_rao)] {
                page.add(table::PLAYER_WEALTH, &[role, behaviour, form], tokens(rao));
            }
        }
        for (detector, alarms, strongest) in signals.into_iter().flatten() {
            page.add(table::DETECTOR_ALARMS, &[detector.name], alarms as f64);
            page.add(table::DETECTOR_SIGNAL, &[detector.name], strongest);
        }
        collect_shell(&mut page, &shell);
        if let Some(timed) = self.timings.read() {
            collect_timings(&mut page, &timed);
        }
        page.families()
    }
}

fn collect_chain(page: &mut Page<'_>, chain: &Chain, readings: &Readings) {
    let subnets = &readings.subnets.readings;
    let mut shares: Vec<u128> = subnets.values().map(|subnet| subnet.emission_share).collect();
    shares.sort_unstable_by_key(|share| Reverse(*share));
    let top_ten = shares.iter().take(10).copied().fold(0, u128::saturating_add);
    let shares: Vec<f64> = shares.into_iter().map(of_64_bits).collect();
    page.add(table::BLOCK_HEIGHT, &[], chain.height as f64);
    page.add(table::SIMULATED, &[], chain.time_ms as f64 / 1_000.0);
    page.add(table::TOTAL_ISSUANCE, &[], tokens(chain.issuance_rao));
    page.add(table::BLOCK_EMISSION, &[], tokens(chain.block_emission_rao()));
    page.add(table::HALVINGS, &[], f64::from(chain.halvings()));
    page.add(table::TOTAL_STAKE, &[], tokens(chain.stake_rao));
    page.add(table::ROOT_STAKE, &[], tokens(chain.root_stake_rao));
    for (ledger, rao) in chain.leaks.named() {
        page.add(table::LEAKED, &[ledger], signed(rao as f64));
    }
    page.add(table::TOP_TEN, &[], of_64_bits(top_ten));
    page.add(table::EMISSION_HERFINDAHL, &[], herfindahl(&shares));
    page.add(table::EMISSION_GINI, &[], gini(&shares));
    page.add(table::SUBNETS, &[], subnets.len() as f64);
    page.add(table::SUBNET_LIMIT, &[], f64::from(chain.subnet_limit));
    page.add(table::LOCK_COST, &[], tokens(chain.lock_cost_rao));
    page.add(table::RULES_INFO, &[chain.rules.name()], 1.0);
}

fn collect_subnet(
    page: &mut Page<'_>,
    netuid: NetUid,
    subnet: &SubnetReading,
    counts: &SubnetCounts,
    chain: &Chain,
) {
    let id = netuid.to_string();
    let id = id.as_str();
    page.add(table::SUBNET_INFO, &[id, &subnet.name, &subnet.symbol], 1.0);
    page.add(table::SUBNET_REGISTERED, &[id], subnet.registered_at as f64);
    let prunable = subnet.registered_at.saturating_add(chain.immunity_period);
    page.add(table::SUBNET_IMMUNE, &[id], prunable.saturating_sub(chain.height) as f64);
    page.add(table::SUBNET_PRICE, &[id], of_32_bits(subnet.price));
    page.add(table::SUBNET_MOVING_PRICE, &[id], of_32_bits(subnet.moving_price));
    page.add(table::SUBNET_TAO_RESERVE, &[id], tokens(subnet.pool.tao));
    page.add(table::SUBNET_ALPHA_IN, &[id], tokens(subnet.pool.alpha));
    page.add(table::SUBNET_ALPHA_OUT, &[id], tokens(subnet.pool.alpha_out));
    page.add(table::SUBNET_STAKE, &[id], tokens(subnet.stake.total));
    let quoted = exits(&subnet.market(), &EXITS.map(|(size, _)| size));
    for (exit, (_, size)) in quoted.iter().zip(EXITS) {
        if let Some(slippage) = exit.slippage {
            page.add(table::SUBNET_SLIPPAGE, &[id, size], slippage);
        }
    }
    page.add(table::SUBNET_EMISSION_SHARE, &[id], of_64_bits(subnet.emission_share));
    page.add(table::SUBNET_ROOT_PROPORTION, &[id], of_32_bits(subnet.root_proportion));
    page.add(table::SUBNET_FLOW_AVERAGE, &[id], signed(subnet.flow_average as f64 / TWO_TO_64));
    page.add(table::SUBNET_NEURONS, &[id], subnet.neurons as f64);
    page.add(table::SUBNET_NEURON_LIMIT, &[id], f64::from(subnet.neuron_limit));
    page.add(table::SUBNET_BURN, &[id], tokens(subnet.burn_rao));
    page.add(table::SUBNET_BURNED, &[id], tokens(subnet.burned_rao));
    page.add(table::SUBNET_COMMITS_WAITING, &[id], subnet.commits_waiting as f64);
    page.add(table::SUBNET_OWNER_STAKE, &[id], tokens(subnet.stake.owner));
    collect_staff(page, id, subnet);
    collect_counts(page, id, counts);
    for (uid, row) in subnet.rows.iter().enumerate() {
        collect_neuron(page, id, &uid.to_string(), row, chain.height);
    }
}

fn collect_staff(page: &mut Page<'_>, id: &str, subnet: &SubnetReading) {
    let staff = &subnet.staff;
    page.add(table::SUBNET_VALIDATORS, &[id], staff.count[0] as f64);
    page.add(table::SUBNET_VALIDATORS_ACTIVE, &[id], staff.active as f64);
    if let Some(agreement) = staff.agreement {
        page.add(table::SUBNET_AGREEMENT, &[id], agreement);
    }
    page.add(table::SUBNET_INCENTIVE_HERFINDAHL, &[id], staff.incentive_herfindahl);
    page.add(table::SUBNET_INCENTIVE_GINI, &[id], staff.incentive_gini);
    page.add(table::SUBNET_DIVIDENDS_HERFINDAHL, &[id], staff.dividends_herfindahl);
    page.add(table::SUBNET_DIVIDENDS_GINI, &[id], staff.dividends_gini);
    page.add(table::SUBNET_CONSENSUS, &[id], staff.weighted as f64);
    page.add(table::SUBNET_BONDS, &[id], staff.bonds as f64);
    page.add(table::SUBNET_BONDS_TOP, &[id], staff.bonds_top);
    for (place, role) in NeuronRole::ALL.into_iter().enumerate() {
        let labels = [id, role.name()];
        page.add(table::ROLE_NEURONS, &labels, staff.count[place] as f64);
        page.add(table::ROLE_STAKE, &labels, tokens(subnet.stake.by_role[place]));
        page.add(table::ROLE_EMISSION, &labels, tokens(staff.emission[place]));
        page.add(table::ROLE_TRUST, &labels, staff.trust[place]);
    }
}

fn collect_counts(page: &mut Page<'_>, id: &str, counts: &SubnetCounts) {
    let tao = [
        (table::SUBNET_FLOW_IN, counts.flow_in),
        (table::SUBNET_FLOW_OUT, counts.flow_out),
        (table::SUBNET_BOUGHT, counts.bought),
        (table::SUBNET_SOLD, counts.sold),
        (table::SUBNET_OWNER_CUT, counts.owner_cut),
        (table::SUBNET_OWNER_SOLD, counts.owner_sold),
        (table::SUBNET_OWNER_BOUGHT, counts.owner_bought),
    ];
    for (family, amount) in tao {
        page.add(family, &[id], tokens(amount));
    }
    page.add(table::SUBNET_EMISSION_TAO, &[id, "pool"], tokens(counts.emission_pool));
    page.add(table::SUBNET_EMISSION_TAO, &[id, "buy"], tokens(counts.emission_buy));
    for (to, amount) in ALPHA_TO.into_iter().zip(counts.alpha) {
        page.add(table::SUBNET_EMISSION_ALPHA, &[id, to], tokens(amount));
    }
    for (via, count) in VIA.into_iter().zip(counts.registered) {
        page.add(table::SUBNET_NEURONS_REGISTERED, &[id, via], count as f64);
    }
    let numbers = [
        (table::SUBNET_NEURONS_PRUNED, counts.pruned),
        (table::SUBNET_EPOCHS, counts.epochs),
        (table::SUBNET_WEIGHTS_SET, counts.weights_set),
        (table::SUBNET_COMMITS, counts.commits),
        (table::SUBNET_REVEALS, counts.reveals),
        (table::SUBNET_COMMITS_LOST, counts.commits_lost),
    ];
    for (family, count) in numbers {
        page.add(family, &[id], count as f64);
    }
}

fn collect_neuron(page: &mut Page<'_>, id: &str, uid: &str, row: &NeuronRow, height: u64) {
    let hotkey = row.hotkey.to_string();
    page.add(table::NEURON_INFO, &[id, uid, row.role.name(), &hotkey], 1.0);
    let age = height.saturating_sub(row.updated_at);
    let values = [
        (table::NEURON_STAKE, tokens(row.stake)),
        (table::NEURON_INCENTIVE, row.incentive),
        (table::NEURON_DIVIDENDS, part(row.dividends)),
        (table::NEURON_CONSENSUS, part(row.consensus)),
        (table::NEURON_VALIDATOR_TRUST, part(row.validator_trust)),
        (table::NEURON_EMISSION, tokens(row.emission)),
        (table::NEURON_UPDATE_AGE, age as f64),
    ];
    for (family, value) in values {
        page.add(family, &[id, uid], value);
    }
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
    page.add(table::EMISSION, &[], tokens(readings.emission_rao));
    page.add(table::SUBNETS_REGISTERED, &[], readings.registered as f64);
    for (cause, count) in CAUSES.into_iter().zip(readings.dissolved) {
        page.add(table::SUBNETS_DISSOLVED, &[cause], count as f64);
    }
    for (kind, count) in &readings.faults.begun {
        page.add(table::FAULTS, &[kind], *count as f64);
    }
    for (kind, count) in &readings.faults.active {
        page.add(table::FAULTS_ACTIVE, &[kind], *count as f64);
    }
}

fn collect_shell(page: &mut Page<'_>, shell: &Shell) {
    if let Some(speed) = shell.speed {
        page.add(table::SPEED, &[], speed.blocks_per_second);
        page.add(table::WALL, &[], speed.wall_seconds);
    }
    if let Some(bytes) = shell.log_bytes {
        page.add(table::LOG, &[], bytes as f64);
    }
    for (role, count) in &shell.players {
        page.add(table::PLAYERS, &[role.name()], *count as f64);
    }
    for (name, process) in &shell.processes {
        page.add(table::PROCESS_MEMORY, &[name], process.resident_bytes as f64);
        if let Some(seconds) = process.cpu_seconds {
            page.add(table::PROCESS_CPU, &[name], seconds);
        }
        page.add(table::PROCESS_PLAYERS, &[name], process.players as f64);
        page.add(table::PROCESS_STEPS, &[name], process.steps as f64);
    }
    for (queue, depth) in &shell.queues {
        page.add(table::QUEUE, &[queue], *depth as f64);
    }
    if let Some(making) = &shell.making {
        page.add(table::RESTARTS, &[], making.restarts as f64);
        page.add(table::INVARIANTS_CHECKED, &[], making.checked as f64);
        page.add(table::INVARIANTS_VIOLATED, &[], making.violated as f64);
        for (kind, count) in &making.struck {
            page.add(table::STRUCK, &[kind], *count as f64);
        }
    }
    if let Some(remote) = shell.remote {
        page.add(table::REMOTE_SAMPLES, &["sent"], remote.sent as f64);
        page.add(table::REMOTE_SAMPLES, &["lost"], remote.lost as f64);
    }
}

fn collect_timings(page: &mut Page<'_>, timed: &Timed) {
    for (phase, durations) in Phase::ALL.into_iter().zip(&timed.phases) {
        page.add_durations(table::BLOCK_PHASE, &[phase.name()], durations);
    }
    page.add_durations(table::LOG_SYNC, &[], &timed.syncs);
}

const TWO_TO_64: f64 = 18_446_744_073_709_551_616.0;

/// Whole tokens of an amount in smallest units.
pub fn tokens(amount: u64) -> f64 {
    amount as f64 / UNITS_PER_TOKEN as f64
}

/// The same of an amount that may be below 0.
fn signed(amount: f64) -> f64 {
    amount / UNITS_PER_TOKEN as f64
}

/// The value of fixed-point bits with 32 of them below the point.
fn of_32_bits(bits: u128) -> f64 {
    bits as f64 / 4_294_967_296.0
}

/// The value of fixed-point bits with 64 of them below the point.
fn of_64_bits(bits: u128) -> f64 {
    bits as f64 / TWO_TO_64
}
