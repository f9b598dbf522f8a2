//! One arm of a trial: what is looked at in a run, with or without the attack.
//!
//! What belongs here: a fold of the run's blocks into what two arms are compared by. What does not: the comparison
//! (`attack::outcome`), making the run (`sweep::job`), and what shows an attack (`detect`).

use crate::accounting::{Accounts, Source, Watch, quote};
use crate::detect::{Detectors, Subject};
use crate::diff::consequences::{evenly, wealth};
use crate::plan::Plan;
use crate::run::totals::ratio;
use protocol::apply::apply;
use protocol::dice::{Key, account_of};
use protocol::event::{EpochPaid, EpochRun, Event};
use protocol::frame::{Frame, Header, Projection};
use protocol::registration::lock_cost;
use protocol::rejection::Outcome;
use protocol::state::{State, Subnet};
use protocol::units::{AccountId, Alpha, Height, NetUid, PlayerId, Rao};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Blocks at which wealth is taken, evenly spaced, the last among them; genesis is a further one.
pub const SAMPLES_MAX: u64 = 60;
/// Who is nobody's player.
pub const OTHERS: &str = "everybody else";
/// The members that a group has on one subnet are numbered in these bits of their index.
const NUMBER_BITS: u64 = 0xFFFF;

/// What is to be looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArmOrder {
    /// The groups that attack, or would.
    pub attackers: Vec<String>,
    /// Others of whom the first members on each subnet belong to them.
    pub accomplices: Vec<Accomplices>,
    /// The subnets it is about; none means all.
    pub netuids: Vec<NetUid>,
    /// The detector that should show it.
    pub detector: String,
}

/// Members of another group that are in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accomplices {
    /// The group.
    pub group: String,
    /// The first so many on each subnet.
    pub members: u64,
}

/// What a figure of an arm is.
#[derive(Clone, Copy, Debug)]
pub struct Figure {
    /// Its name.
    pub name: &'static str,
    /// What it is measured in.
    pub unit: &'static str,
    /// What it is.
    pub about: &'static str,
}

const fn figure(name: &'static str, unit: &'static str, about: &'static str) -> Figure {
    Figure { name, unit, about }
}

/// Figures of an arm, of the attackers unless they say otherwise.
pub const FIGURES: &[Figure] = &[
    figure("queries", "count", "questions they asked"),
    figure("calls_refused", "count", "calls of theirs that failed or were refused"),
    figure("commits_not_revealed", "count", "rows they committed by hash less those they revealed"),
    figure("permit_flips", "count", "permits they got or lost at epochs"),
    figure("trust", "share", "mean trust in those of them with a permit, over epochs"),
    figure("dividend_share", "share", "their part of the validators' emission"),
    figure("incentive_share", "share", "their part of the miners' emission"),
    figure("dividend_yield", "share", "take and dividends over their mean stake"),
    figure("take_rao", "rao", "what they kept of dividends behind them, at its value then"),
    figure("stake_share", "share", "their part of the stake on its subnets, at the end"),
    figure("uids", "count", "places they have on its subnets, at the end"),
    figure("bought_rao", "rao", "TAO they bought stake with"),
    figure("sold_rao", "rao", "TAO they got for stake"),
    figure(
        "validators",
        "count",
        "neurons with a permit on its subnets that are not theirs, at the end",
    ),
    figure("price", "TAO per alpha", "mean price of its subnets"),
    figure("emission_share", "share", "mean share of emission of its subnets together"),
    figure("burn_rao", "rao", "mean burn for a place on its subnets"),
    figure("withheld_alpha_rao", "alpha units", "owners' incentive on its subnets that nobody got"),
    figure("lock_cost_rao", "rao", "mean lock cost of a subnet"),
    figure("registered_by_others", "count", "subnets that others registered"),
    figure("subnets_dissolved", "count", "subnets that were dissolved"),
];

/// What came of an arm.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Arm {
    /// A print of each block, of all that its header says but the block before: equal ones are equal blocks.
    pub prints: Vec<u64>,
    /// Blocks since genesis at which wealth was taken.
    pub sampled: Vec<u64>,
    /// What the attackers had at these: free TAO and stake at spot prices.
    pub wealth_rao: Vec<u64>,
    /// The same with stake at what selling all of it would bring.
    pub realisable_rao: Vec<u64>,
    /// What each other group had at the end, and who is nobody's player.
    pub groups: Vec<GroupWealth>,
    /// The attackers' emission income by source, at its value when received.
    pub income_rao: BTreeMap<String, u64>,
    /// See [`FIGURES`]; one that has no value is not there.
    pub figures: BTreeMap<String, f64>,
    /// Blocks between two epochs of the first of its subnets.
    pub epoch_blocks: u64,
    /// What the detector said.
    pub alarms: Vec<ArmAlarm>,
}

/// An alarm of the detector that should show the attack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArmAlarm {
    /// After so many blocks since genesis.
    pub block: u64,
    /// Whom it names.
    pub at: Aim,
}

/// Whom an alarm names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Aim {
    /// An attacker's coldkey, one of its hotkeys, or a subnet that the attack is about.
    Attacker,
    /// Somebody else.
    Another,
}

/// What a group had at the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupWealth {
    /// The group.
    pub group: String,
    /// Its role; none of who is nobody's player.
    pub role: Option<String>,
    /// Free TAO and stake at spot prices.
    pub wealth_rao: u64,
    /// The same with stake at what selling all of it would bring.
    pub realisable_rao: u64,
}

/// Whom a coldkey belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Side {
    Attacker,
    Group(usize),
    Other,
}

/// Who is who in a run.
#[derive(Debug)]
struct People {
    sides: BTreeMap<AccountId, Side>,
    /// Groups that are not all attackers, as the scenario lists them.
    groups: Vec<(String, &'static str)>,
    /// The attackers themselves.
    players: BTreeSet<PlayerId>,
    netuids: BTreeSet<NetUid>,
}

impl People {
    fn new(plan: &Plan, order: &ArmOrder) -> Self {
        let mut people = Self {
            sides: BTreeMap::new(),
            groups: Vec::new(),
            players: BTreeSet::new(),
            netuids: order.netuids.iter().copied().collect(),
        };
        for seat in &plan.players {
            let identity = &seat.identity;
            let number = identity.index & NUMBER_BITS;
            let in_it =
                |other: &&Accomplices| other.group == identity.group && number < other.members;
            let is_accomplice = order.accomplices.iter().find(in_it).is_some();
            let side = if is_accomplice || order.attackers.contains(&identity.group) {
                people.players.insert(identity.id);
                Side::Attacker
            } else {
                let role = seat.player.behaviour().role.name();
                let known = people.groups.iter().position(|(group, _)| *group == identity.group);
                Side::Group(known.unwrap_or_else(|| {
                    people.groups.push((identity.group.clone(), role));
                    people.groups.len() - 1
                }))
            };
            people.sides.insert(identity.coldkey, side);
            // A player may act through a second coldkey.
            let second = account_of(&identity.group, identity.index, Key::Cold, 1);
            people.sides.insert(second, side);
        }
        if people.netuids.is_empty() {
            let networks = plan.genesis.networks().filter(|(netuid, _)| !netuid.is_root());
            people.netuids = networks.map(|(netuid, _)| netuid).collect();
        }
        people
    }

    fn side(&self, coldkey: &AccountId) -> Side {
        self.sides.get(coldkey).copied().unwrap_or(Side::Other)
    }

    fn attacks(&self, coldkey: &AccountId) -> bool {
        self.side(coldkey) == Side::Attacker
    }

    /// Whether a hotkey is an attacker's.
    fn has(&self, state: &State, hotkey: &AccountId) -> bool {
        state.owner(hotkey).is_some_and(|coldkey| self.attacks(&coldkey))
    }

    /// Those of its subnets that there are.
    fn subnets<'a>(&'a self, state: &'a State) -> impl Iterator<Item = (NetUid, &'a Subnet)> {
        self.netuids.iter().filter_map(|netuid| Some((*netuid, state.subnet(*netuid)?)))
    }
}

/// Sums and counts of an arm.
#[derive(Debug, Default)]
struct Counts {
    queries: u64,
    refused: u64,
    commits: i64,
    permit_flips: u64,
    trust: f64,
    trusted: u64,
    dividends: (u128, u128),
    incentive: (u128, u128),
    bought: Rao,
    sold: Rao,
    withheld: u128,
    registered_by_others: u64,
    dissolved: u64,
    stake_sum: f64,
    price_sum: f64,
    emission_sum: f64,
    burn_sum: f64,
    lock_sum: f64,
    samples: u64,
}

/// Looks at a run while it is made.
#[derive(Debug)]
pub struct Watching {
    people: People,
    accounts: Accounts,
    detectors: Detectors,
    detector: String,
    /// Alarms of all detectors that were looked at.
    alarms_seen: usize,
    /// The state before the next block.
    before: State,
    genesis: Height,
    /// Blocks at which wealth is taken, descending.
    due: Vec<Height>,
    counts: Counts,
    arm: Arm,
}

impl Watching {
    /// Begins before the first block.
    pub fn begin(plan: &Plan, order: &ArmOrder, until: Height) -> Self {
        let genesis = &plan.genesis;
        let people = People::new(plan, order);
        let tempo = people.subnets(genesis).next().map_or(0, |(_, subnet)| subnet.params.tempo);
        let mut due = evenly(genesis.height, until, SAMPLES_MAX);
        due.remove(0);
        due.reverse();
        let mut watching = Self {
            accounts: Accounts::open(Watch::All, genesis),
            detectors: Detectors::of(plan),
            detector: order.detector.clone(),
            alarms_seen: 0,
            before: genesis.clone(),
            genesis: genesis.height,
            due,
            counts: Counts::default(),
            arm: Arm { epoch_blocks: u64::from(tempo) + 1, ..Arm::default() },
            people,
        };
        watching.sample(genesis);
        watching
    }

    /// Sees a block and the state after it.
    pub fn block(&mut self, frame: &Frame, after: &State) {
        self.accounts.block(frame, &self.before, after);
        self.arm.prints.push(print(&frame.header));
        self.detectors.fold(frame, after);
        self.alarms(after);
        self.calls(frame);
        self.events(frame);
        if self.due.last() == Some(&frame.header.height) {
            self.due.pop();
            self.sample(after);
        }
        for event in &frame.events {
            apply(&mut self.before, event).expect("it fitted the same state a moment ago");
        }
    }

    fn alarms(&mut self, after: &State) {
        let alarms = self.detectors.alarms();
        let new = alarms.iter().skip(self.alarms_seen).filter(|it| it.detector == self.detector);
        for alarm in new {
            let is_attacker = match &alarm.subject {
                Subject::Coldkey(coldkey) => self.people.attacks(coldkey),
                // Who was pruned in this block has no owner any more.
                Subject::Neuron { hotkey, .. } => {
                    self.people.has(after, hotkey) || self.people.has(&self.before, hotkey)
                }
                Subject::Subnet(netuid) => self.people.netuids.contains(netuid),
            };
            self.arm.alarms.push(ArmAlarm {
                block: alarm.height.0 - self.genesis.0,
                at: if is_attacker { Aim::Attacker } else { Aim::Another },
            });
        }
        self.alarms_seen = alarms.len();
    }

    fn calls(&mut self, frame: &Frame) {
        let own = frame.calls.iter().filter(|call| self.people.players.contains(&call.player));
        for call in own {
            match (&call.outcome, call.call.name()) {
                (Outcome::Ok, "commit_weights") => self.counts.commits += 1,
                (Outcome::Ok, "reveal_weights") => self.counts.commits -= 1,
                (Outcome::Ok, _) => {}
                (_, _) => self.counts.refused += 1,
            }
        }
        let own = frame.refused.iter().filter(|one| self.people.players.contains(&one.player));
        self.counts.refused += own.map(|one| u64::from(one.count)).sum::<u64>();
        for (player, queries) in frame.facts.players.iter().zip(&frame.facts.queries_sent) {
            if self.people.players.contains(player) {
                self.counts.queries += u64::from(*queries);
            }
        }
    }

    fn events(&mut self, frame: &Frame) {
        let mut signer = None;
        for event in &frame.events {
            match event {
                Event::CallIncluded { signer: by, .. } => signer = Some(*by),
                Event::EpochRun(run) => self.epoch(run),
                Event::EpochPaid(paid) => self.paid(paid),
                Event::StakeAdded { coldkey, tao, .. } if self.people.attacks(coldkey) => {
                    self.counts.bought = self.counts.bought.plus(*tao);
                }
                Event::StakeRemoved { coldkey, tao, .. } if self.people.attacks(coldkey) => {
                    self.counts.sold = self.counts.sold.plus(*tao);
                }
                Event::SubnetRegistered(_) => {
                    let own = signer.is_some_and(|signer| self.people.attacks(&signer));
                    self.counts.registered_by_others += u64::from(!own);
                }
                Event::SubnetDissolved(_) => self.counts.dissolved += 1,
                _ => {}
            }
        }
    }

    fn epoch(&mut self, run: &EpochRun) {
        let Some(subnet) = self.before.subnet(run.netuid) else { return };
        if !self.people.netuids.contains(&run.netuid) {
            return;
        }
        let counts = &mut self.counts;
        for (uid, hotkey) in subnet.neurons.hotkeys.iter().enumerate() {
            let of = |column: &[Alpha]| column.get(uid).map_or(0, |alpha| u128::from(alpha.0));
            let (dividends, incentive) = (of(&run.validator_emission), of(&run.server_emission));
            counts.dividends.1 += dividends;
            counts.incentive.1 += incentive;
            if !self.people.has(&self.before, hotkey) {
                continue;
            }
            counts.dividends.0 += dividends;
            counts.incentive.0 += incentive;
            let has_permit = run.validator_permit.get(uid).copied().unwrap_or(false);
            let had_permit = subnet.neurons.validator_permit.get(uid).copied().unwrap_or(false);
            counts.permit_flips += u64::from(has_permit != had_permit);
            if had_permit {
                let trust = run.validator_trust.get(uid).copied().unwrap_or(0);
                counts.trust += f64::from(trust) / f64::from(u16::MAX);
                counts.trusted += 1;
            }
        }
    }

    fn paid(&mut self, paid: &EpochPaid) {
        if self.people.netuids.contains(&paid.netuid) {
            let nobodys = paid.withheld.plus(paid.recycled);
            self.counts.withheld += u128::from(nobodys.0);
        }
    }

    /// Takes what everybody has, and what prices are.
    fn sample(&mut self, state: &State) {
        let owned = wealth(state, |coldkey| self.people.side(coldkey));
        let own = owned.get(&Side::Attacker).copied().unwrap_or_default();
        self.arm.sampled.push(state.height.0 - self.genesis.0);
        self.arm.wealth_rao.push(own.sum().0);
        let proceeds = self.proceeds(state).get(&Side::Attacker).copied().unwrap_or_default();
        self.arm.realisable_rao.push(own.free_rao.plus(proceeds).0);
        let counts = &mut self.counts;
        let subnets: Vec<&Subnet> = self.people.subnets(state).map(|(_, subnet)| subnet).collect();
        let mean = |value: fn(&Subnet) -> f64| {
            subnets.iter().map(|subnet| value(subnet)).sum::<f64>() / subnets.len().max(1) as f64
        };
        counts.samples += 1;
        counts.stake_sum += own.stake_rao.0 as f64;
        counts.price_sum += mean(|subnet| ratio(subnet.price(), 32));
        counts.burn_sum += mean(|subnet| subnet.fast.burn.0 as f64);
        let shares = subnets.iter().map(|subnet| ratio(subnet.fast.emission_share, 64));
        counts.emission_sum += shares.sum::<f64>();
        counts.lock_sum += lock_cost(state).0 as f64;
    }

    /// What everybody but the attackers has.
    fn groups(&self, state: &State) -> Vec<GroupWealth> {
        let owned = wealth(state, |coldkey| self.people.side(coldkey));
        let proceeds = self.proceeds(state);
        let of = |side: Side, group: &str, role: Option<&str>| {
            let point = owned.get(&side).copied().unwrap_or_default();
            let sold = proceeds.get(&side).copied().unwrap_or_default();
            GroupWealth {
                group: group.to_owned(),
                role: role.map(str::to_owned),
                wealth_rao: point.sum().0,
                realisable_rao: point.free_rao.plus(sold).0,
            }
        };
        let groups = self.people.groups.iter().enumerate();
        let groups = groups.map(|(at, (group, role))| of(Side::Group(at), group, Some(role)));
        groups.chain([of(Side::Other, OTHERS, None)]).collect()
    }

    /// What the stake of each side would bring if all of it was sold, one order on each subnet, each side by itself.
    fn proceeds(&self, state: &State) -> BTreeMap<Side, Rao> {
        let mut proceeds: BTreeMap<Side, Rao> = BTreeMap::new();
        for (_, subnet) in state.networks() {
            for (side, held) in self.held(subnet) {
                let sum = proceeds.entry(side).or_default();
                *sum = sum.plus(quote(subnet, held, held).proceeds);
            }
        }
        proceeds
    }

    fn held(&self, subnet: &Subnet) -> BTreeMap<Side, Alpha> {
        let mut held: BTreeMap<Side, Alpha> = BTreeMap::new();
        for pool in subnet.pools.values() {
            for coldkey in pool.holders.keys() {
                let sum = held.entry(self.people.side(coldkey)).or_default();
                *sum = sum.plus(pool.value(coldkey));
            }
        }
        held
    }

    /// What came of it, after the last block.
    pub fn end(mut self, state: &State) -> Arm {
        let mut income: BTreeMap<Source, u64> = BTreeMap::new();
        let books = self.accounts.books().iter();
        for (_, book) in books.filter(|(coldkey, _)| self.people.attacks(coldkey)) {
            for position in book.positions.values() {
                for source in Source::ALL {
                    let earned = position.income.get(&source).copied().unwrap_or_default();
                    *income.entry(source).or_default() += earned.rao.0;
                }
            }
        }
        self.arm.figures = self.figures(state, &income);
        self.arm.groups = self.groups(state);
        let named = income.into_iter().map(|(source, rao)| (source.name().to_owned(), rao));
        self.arm.income_rao = named.collect();
        self.arm
    }

    fn figures(&self, state: &State, income: &BTreeMap<Source, u64>) -> BTreeMap<String, f64> {
        let counts = &self.counts;
        let of = |source: Source| income.get(&source).copied().unwrap_or(0) as f64;
        let part = |(own, all): (u128, u128)| (all > 0).then(|| own as f64 / all as f64);
        let mean = |sum: f64| sum / counts.samples.max(1) as f64;
        let stake = mean(counts.stake_sum);
        let (mut uids, mut validators) = (0u64, 0u64);
        let (mut held, mut staked) = (0u128, 0u128);
        for (_, subnet) in self.people.subnets(state) {
            for (uid, hotkey) in subnet.neurons.hotkeys.iter().enumerate() {
                let own = self.people.has(state, hotkey);
                uids += u64::from(own);
                let permit = subnet.neurons.validator_permit.get(uid).copied().unwrap_or(false);
                validators += u64::from(permit && !own);
            }
            let own = self.held(subnet).get(&Side::Attacker).copied().unwrap_or_default();
            held += u128::from(own.0);
            staked += subnet.pools.values().map(|pool| u128::from(pool.alpha.0)).sum::<u128>();
        }
        let values = [
            ("queries", Some(counts.queries as f64)),
            ("calls_refused", Some(counts.refused as f64)),
            ("commits_not_revealed", Some(counts.commits as f64)),
            ("permit_flips", Some(counts.permit_flips as f64)),
            ("trust", (counts.trusted > 0).then(|| counts.trust / counts.trusted as f64)),
            ("dividend_share", part(counts.dividends)),
            ("incentive_share", part(counts.incentive)),
            (
                "dividend_yield",
                (stake > 0.0).then(|| (of(Source::Take) + of(Source::Dividends)) / stake),
            ),
            ("take_rao", Some(of(Source::Take))),
            ("stake_share", part((held, staked))),
            ("uids", Some(uids as f64)),
            ("bought_rao", Some(counts.bought.0 as f64)),
            ("sold_rao", Some(counts.sold.0 as f64)),
            ("validators", Some(validators as f64)),
            ("price", Some(mean(counts.price_sum))),
            ("emission_share", Some(mean(counts.emission_sum))),
            ("burn_rao", Some(mean(counts.burn_sum))),
            ("withheld_alpha_rao", Some(counts.withheld as f64)),
            ("lock_cost_rao", Some(mean(counts.lock_sum))),
            ("registered_by_others", Some(counts.registered_by_others as f64)),
            ("subnets_dissolved", Some(counts.dissolved as f64)),
        ];
        let told = values.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
        told.collect()
    }
}

/// A block's print: all that its header says but the block before.
fn print(header: &Header) -> u64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&header.height.0.to_le_bytes());
    hasher.update(&header.time_ms.to_le_bytes());
    let roots = [
        header.entropy,
        header.state_root,
        header.calls_root,
        header.events_root,
        header.facts_root,
    ];
    roots.iter().for_each(|root| {
        hasher.update(&root.0);
    });
    let digest = hasher.finalize();
    let first = digest.as_bytes().first_chunk().expect("a hash has 32 bytes");
    u64::from_le_bytes(*first)
}
