//! Measures: figures of a run that sweeps compare. docs/sweeps.md says what each is.
//!
//! What belongs here: which figures there are, taking them, and reading their names. What does not: their means over
//! seeds (`statistics`) and how they are shown (`table`).

use crate::diff::consequences::{WealthPoint, evenly, subnets, wealth};
use crate::likeness::meant;
use crate::plan::Plan;
use crate::run::engine::Checking;
use crate::run::totals::{Totals, top_subnets};
use actors::registry::Role;
use protocol::state::State;
use protocol::units::{AccountId, Height, NetUid, Rao};
use serde_json::Number;
use std::collections::{BTreeMap, BTreeSet};

/// Part of the key of each result: another number and every job is made again.
pub const MEASURES_VERSION: u32 = 1;

/// Blocks that a mean over the run is taken of at most, evenly spaced, the last among them.
pub const MEAN_BLOCKS_MAX: u64 = 60;

/// Name of a mean over the run: this and the name of the figure.
const MEAN: &str = "mean.";
/// Coldkeys that are no player's.
const OTHERS: &str = "others";

/// Every figure of a run by the name of its measure.
pub type Figures = BTreeMap<String, Number>;

/// What a figure is measured in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Whole numbers of rao; shown to people in TAO.
    Rao,
    /// Things that were counted.
    Count,
    /// Of one.
    Share,
    /// TAO per alpha.
    Price,
}

impl Unit {
    /// As docs and tables write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rao => "rao",
            Self::Count => "count",
            Self::Share => "share",
            Self::Price => "TAO per alpha",
        }
    }

    /// Whether a single figure is a whole number; a mean over blocks never is.
    const fn is_whole(self) -> bool {
        matches!(self, Self::Rao | Self::Count)
    }
}

/// When a figure is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    /// Over all blocks; it has no mean.
    Counted,
    /// After the last block, and as a mean of blocks.
    Sampled,
}

/// Figures of the whole network.
const NETWORK: &[(&str, Unit, When, &str)] = &[
    ("events", Unit::Count, When::Counted, "events in the log"),
    ("extrinsics", Unit::Count, When::Counted, "calls decided"),
    ("rejected", Unit::Count, When::Counted, "calls that failed or were refused"),
    ("messages_sent", Unit::Count, When::Counted, "messages between players"),
    ("messages_delivered", Unit::Count, When::Counted, "of these arrived"),
    ("messages_dropped", Unit::Count, When::Counted, "of these lost"),
    ("crashes", Unit::Count, When::Counted, "players that crashed"),
    (VIOLATIONS, Unit::Count, When::Counted, "blocks after which an invariant did not hold"),
    ("total_issuance_rao", Unit::Rao, When::Sampled, "TAO in existence"),
    ("total_stake_rao", Unit::Rao, When::Sampled, "TAO in pools and on root"),
    ("top10_emission_share", Unit::Share, When::Sampled, "of the ten largest subnets together"),
];

/// Checking invariants takes time, so it is done only when somebody asks.
const VIOLATIONS: &str = "invariant_violations";

/// Figures of a subnet: `subnet.3.price`.
const SUBNET: &[(&str, Unit, &str)] = &[
    ("price", Unit::Price, "of the pool"),
    ("emission_share", Unit::Share, "of the block's TAO emission"),
    ("tao_reserve_rao", Unit::Rao, "TAO in the pool"),
];

/// Figures of a role or of a group: `role.validator.wealth_rao`, `players.miners.stake_rao`.
const WEALTH: &[(&str, Unit, &str)] = &[
    ("free_rao", Unit::Rao, "free TAO"),
    ("stake_rao", Unit::Rao, "stake at spot prices"),
    ("wealth_rao", Unit::Rao, "both together"),
];

/// One measure of a sweep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measure {
    /// Its name: a key of [`Figures`].
    pub name: String,
    /// What it is measured in.
    pub unit: Unit,
}

/// What scenarios of a sweep have that can be measured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Measurable {
    /// Groups of players.
    pub groups: BTreeSet<String>,
    /// Roles that somebody has.
    pub roles: BTreeSet<&'static str>,
    /// Subnets at genesis.
    pub netuids: BTreeSet<NetUid>,
}

impl Measurable {
    /// What a plan has.
    pub fn of(plan: &Plan) -> Self {
        let seats = || plan.players.iter();
        Self {
            groups: seats().map(|seat| seat.identity.group.clone()).collect(),
            roles: seats().map(|seat| seat.player.behaviour().role.name()).collect(),
            netuids: plan.genesis.networks().map(|(netuid, _)| netuid).collect(),
        }
    }

    /// Adds what another plan has.
    pub fn extend(&mut self, other: Self) {
        self.groups.extend(other.groups);
        self.roles.extend(other.roles);
        self.netuids.extend(other.netuids);
    }
}

impl Measure {
    /// Whether it is a mean over blocks.
    fn is_mean(&self) -> bool {
        self.name.starts_with(MEAN)
    }

    /// Whether each of its figures is a whole number.
    pub fn is_whole(&self) -> bool {
        self.unit.is_whole() && !self.is_mean()
    }

    /// Reads a measure's name.
    ///
    /// # Errors
    /// There is none of this name: a sentence, and what may have been meant.
    pub fn read(text: &str, measurable: &Measurable) -> Result<Self, (String, String)> {
        let (figure, mean) = match text.strip_prefix(MEAN) {
            Some(figure) => (figure, true),
            None => (text, false),
        };
        let unknown = |known: &[&str], given: &str| {
            (format!("there is no measure {text:?}"), meant(given, known))
        };
        let of = |rows: &[(&str, Unit, &str)], key: &str| {
            let keys: Vec<&str> = rows.iter().map(|(name, ..)| *name).collect();
            let row = rows.iter().find(|(name, ..)| *name == key);
            row.map(|(_, unit, _)| *unit).ok_or_else(|| unknown(&keys, key))
        };
        let parts: Vec<&str> = figure.split('.').collect();
        let unit = match parts.as_slice() {
            ["subnet", netuid, key] => {
                let number = netuid.parse::<u16>().ok();
                let number = number.filter(|number| *number > 0 && number.to_string() == *netuid);
                number.ok_or_else(|| {
                    let hint = "write for instance subnet.3.price".to_owned();
                    (format!("{netuid:?} in {text:?} is no netuid of a subnet"), hint)
                })?;
                of(SUBNET, key)?
            }
            ["role", role, key] => {
                let mut roles: Vec<&str> = Role::ALL.iter().map(|role| role.name()).collect();
                roles.push(OTHERS);
                if !roles.contains(role) {
                    return Err((
                        format!("there is no role {role:?}, of which {text:?} is"),
                        meant(role, &roles),
                    ));
                }
                of(WEALTH, key)?
            }
            ["players", group, key] => {
                let groups: Vec<&str> = measurable.groups.iter().map(String::as_str).collect();
                if !groups.contains(group) {
                    return Err((
                        format!("there is no group {group:?}, of which {text:?} is"),
                        meant(group, &groups),
                    ));
                }
                of(WEALTH, key)?
            }
            _ => {
                let names: Vec<&str> = NETWORK.iter().map(|(name, ..)| *name).collect();
                let row = NETWORK.iter().find(|(name, ..)| *name == figure);
                let (_, unit, when, _) = row.ok_or_else(|| unknown(&names, figure))?;
                if mean && *when == When::Counted {
                    let what = format!("{figure:?} is counted over all blocks and has no mean");
                    return Err((what, format!("write {figure:?}")));
                }
                *unit
            }
        };
        Ok(Self { name: text.to_owned(), unit })
    }

    /// The subnet it is of, if it is of one.
    pub fn netuid(&self) -> Option<NetUid> {
        let figure = self.name.strip_prefix(MEAN).unwrap_or(&self.name);
        let (netuid, _) = figure.strip_prefix("subnet.")?.split_once('.')?;
        netuid.parse().ok().map(NetUid)
    }
}

/// What is measured unless a sweep says otherwise.
pub fn defaults(measurable: &Measurable) -> Vec<String> {
    let roles = measurable.roles.iter().map(|role| format!("role.{role}.wealth_rao"));
    let network = ["total_issuance_rao", "top10_emission_share", "rejected"];
    roles.chain(network.map(str::to_owned)).collect()
}

/// Whether measures want invariants to be checked.
pub fn checking(measures: &[String]) -> Checking {
    match measures.iter().any(|measure| measure == VIOLATIONS) {
        true => Checking::Invariants,
        false => Checking::Trusting,
    }
}

/// Takes the figures of a run while it is made.
#[derive(Debug)]
pub struct Measuring {
    /// Of each coldkey the group and role.
    owners: BTreeMap<AccountId, (String, &'static str)>,
    groups: BTreeSet<String>,
    /// Blocks that means are taken of, descending.
    due: Vec<Height>,
    sums: BTreeMap<String, (f64, u64)>,
}

impl Measuring {
    /// Begins before the first block.
    pub fn begin(plan: &Plan, until: Height) -> Self {
        let owners = plan.players.iter().map(|seat| {
            let role = seat.player.behaviour().role.name();
            (seat.identity.coldkey, (seat.identity.group.clone(), role))
        });
        let mut due = evenly(plan.genesis.height, until, MEAN_BLOCKS_MAX);
        due.remove(0);
        due.reverse();
        Self {
            owners: owners.collect(),
            groups: Measurable::of(plan).groups,
            due,
            sums: BTreeMap::new(),
        }
    }

    /// Sees the state after a block.
    pub fn block(&mut self, state: &State) {
        if self.due.last() != Some(&state.height) {
            return;
        }
        self.due.pop();
        for (name, figure) in self.sampled(state) {
            if let Some(value) = figure.as_f64() {
                let (sum, count) = self.sums.entry(name).or_default();
                *sum += value;
                *count += 1;
            }
        }
    }

    /// The figures after the last block; violations only where they were looked for.
    pub fn end(self, state: &State, totals: &Totals, violations: Option<u64>) -> Figures {
        let mut figures = self.sampled(state);
        for (name, (sum, count)) in &self.sums {
            put_ratio(&mut figures, format!("{MEAN}{name}"), *sum / *count as f64);
        }
        let messages = totals.messages;
        let counted = [
            ("events", Some(totals.events)),
            ("extrinsics", Some(totals.extrinsics)),
            ("rejected", Some(totals.rejected)),
            ("messages_sent", Some(messages.sent)),
            ("messages_delivered", Some(messages.delivered)),
            ("messages_dropped", Some(messages.dropped)),
            ("crashes", Some(totals.crashes)),
            (VIOLATIONS, violations),
        ];
        for (name, count) in counted {
            if let Some(count) = count {
                figures.insert(name.to_owned(), Number::from(count));
            }
        }
        figures
    }

    /// Every figure that one state tells.
    fn sampled(&self, state: &State) -> Figures {
        let mut figures = Figures::new();
        let mut rao = |name: String, amount: Rao| {
            figures.insert(name, Number::from(amount.0));
        };
        rao("total_issuance_rao".to_owned(), state.global.total_issuance);
        rao("total_stake_rao".to_owned(), state.global.total_stake);
        let mut roles: BTreeMap<&str, WealthPoint> = BTreeMap::new();
        let mut groups: BTreeMap<&str, WealthPoint> =
            self.groups.iter().map(|group| (group.as_str(), WealthPoint::default())).collect();
        for name in Role::ALL.iter().map(|role| role.name()).chain([OTHERS]) {
            roles.insert(name, WealthPoint::default());
        }
        let owned = wealth(state, |account| {
            self.owners.get(account).map(|(group, role)| (group.as_str(), *role))
        });
        for (owner, point) in owned {
            let (group, role) = owner.unzip();
            let role = roles.entry(role.unwrap_or(OTHERS)).or_default();
            for sum in group.and_then(|group| groups.get_mut(group)).into_iter().chain([role]) {
                sum.free_rao = sum.free_rao.plus(point.free_rao);
                sum.stake_rao = sum.stake_rao.plus(point.stake_rao);
            }
        }
        let classes = roles.into_iter().map(|(name, point)| ("role", name, point));
        let groups = groups.into_iter().map(|(name, point)| ("players", name, point));
        for (class, name, point) in classes.chain(groups) {
            rao(format!("{class}.{name}.free_rao"), point.free_rao);
            rao(format!("{class}.{name}.stake_rao"), point.stake_rao);
            rao(format!("{class}.{name}.wealth_rao"), point.sum());
        }
        let subnets = subnets(state);
        for (netuid, point) in &subnets {
            rao(format!("subnet.{netuid}.tao_reserve_rao"), point.tao_reserve_rao);
        }
        for (netuid, point) in subnets {
            put_ratio(&mut figures, format!("subnet.{netuid}.price"), point.price);
            let share = point.emission_share;
            put_ratio(&mut figures, format!("subnet.{netuid}.emission_share"), share);
        }
        let top10 = top_subnets(state).iter().map(|one| one.emission_share).sum();
        put_ratio(&mut figures, "top10_emission_share".to_owned(), top10);
        figures
    }
}

/// Ratios of states are finite; one that is not would be no figure.
fn put_ratio(figures: &mut Figures, name: String, ratio: f64) {
    if let Some(number) = Number::from_f64(ratio) {
        figures.insert(name, number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{self, Overrides};
    use std::path::Path;

    fn plan() -> Plan {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../configs/quickstart.toml");
        let scenario = scenario::load(&file, &Overrides::default()).expect("it ships");
        scenario.plan().expect("it ships")
    }

    #[test]
    fn names_of_measures_are_read_and_wrong_ones_say_what_is_meant() {
        let measurable = Measurable::of(&plan());
        type Read = Result<Unit, (&'static str, &'static str)>;
        let rows: &[(&str, Read)] = &[
            ("rejected", Ok(Unit::Count)),
            ("mean.top10_emission_share", Ok(Unit::Share)),
            ("subnet.2.price", Ok(Unit::Price)),
            ("mean.subnet.2.tao_reserve_rao", Ok(Unit::Rao)),
            ("role.others.free_rao", Ok(Unit::Rao)),
            ("players.movers.wealth_rao", Ok(Unit::Rao)),
            ("rejcted", Err(("no measure", "\"rejected\""))),
            ("mean.rejected", Err(("no mean", "write \"rejected\""))),
            ("subnet.0.price", Err(("no netuid", "subnet.3.price"))),
            ("subnet.x.price", Err(("no netuid", "subnet.3.price"))),
            ("subnet.2.prize", Err(("no measure", "\"price\""))),
            ("role.validators.wealth_rao", Err(("no role", "\"validator\""))),
            ("players.mover.wealth_rao", Err(("no group", "\"movers\""))),
            ("role.miner.wealth", Err(("no measure", "\"wealth_rao\""))),
            ("", Err(("no measure", "known are"))),
        ];
        for (name, expected) in rows {
            match (Measure::read(name, &measurable), expected) {
                (Ok(measure), Ok(unit)) => assert_eq!(measure.unit, *unit, "{name}"),
                (Err((what, hint)), Err((sentence, meant))) => {
                    assert!(what.contains(sentence), "{name}: {what}");
                    assert!(hint.contains(meant), "{name}: {hint}");
                }
                (read, _) => panic!("{name}: {read:?}"),
            }
        }
    }

    #[test]
    fn every_figure_is_a_measure_and_every_measure_a_figure() {
        let plan = plan();
        let measurable = Measurable::of(&plan);
        let mut measuring = Measuring::begin(&plan, Height(1));
        let mut state = plan.genesis.clone();
        state.height = Height(1);
        measuring.block(&state);
        let figures = measuring.end(&state, &Totals::default(), Some(0));
        for (name, figure) in &figures {
            let measure = Measure::read(name, &measurable).unwrap_or_else(|no| panic!("{no:?}"));
            assert_eq!(measure.is_whole(), figure.as_u64().is_some(), "{name}");
        }
        let network = NETWORK.iter().map(|(name, _, when, _)| ((*name).to_owned(), *when));
        let subnet = SUBNET.iter().map(|(name, ..)| (format!("subnet.3.{name}"), When::Sampled));
        let wealth = WEALTH.iter().flat_map(|(name, ..)| {
            ["role.owner", "role.others", "players.miners"]
                .map(|class| (format!("{class}.{name}"), When::Sampled))
        });
        for (name, when) in network.chain(subnet).chain(wealth) {
            assert!(figures.contains_key(&name), "{name}");
            let has_mean = figures.contains_key(&format!("{MEAN}{name}"));
            assert_eq!(has_mean, when == When::Sampled, "{name}");
        }
    }

    #[test]
    fn wealth_of_roles_and_of_groups_is_the_same_wealth() {
        let plan = plan();
        let figures = Measuring::begin(&plan, Height(1)).sampled(&plan.genesis);
        let rao = |name: &str| figures[name].as_u64().expect("an amount");
        for (role, group) in
            [("owner", "owners"), ("validator", "validators"), ("staker", "movers")]
        {
            let both = ["free_rao", "stake_rao", "wealth_rao"].map(|key| {
                (rao(&format!("role.{role}.{key}")), rao(&format!("players.{group}.{key}")))
            });
            assert!(both.iter().all(|(role, group)| role == group), "{role}: {both:?}");
            assert_eq!(both[0].0 + both[1].0, both[2].0, "{role}");
            assert!(both[2].0 > 0, "{role}");
        }
    }

    #[test]
    fn a_mean_is_that_of_evenly_spaced_blocks() {
        let plan = plan();
        let mut measuring = Measuring::begin(&plan, Height(120));
        let mut state = plan.genesis.clone();
        for height in 1..=120 {
            state.height = Height(height);
            state.global.total_issuance = Rao(height);
            measuring.block(&state);
        }
        let figures = measuring.end(&state, &Totals::default(), None);
        // 2, 4 … 120.
        assert_eq!(figures["mean.total_issuance_rao"].as_f64(), Some(61.0));
        assert_eq!(figures["total_issuance_rao"].as_u64(), Some(120));
        assert!(!figures.contains_key(VIOLATIONS), "nobody looked");
    }

    #[test]
    fn the_page_names_every_measure_with_its_unit() {
        let page = include_str!("../../../docs/sweeps.md");
        let network = NETWORK.iter().map(|(name, unit, _, about)| (name, unit, about));
        let subnet = SUBNET.iter().map(|(name, unit, about)| (name, unit, about));
        let wealth = WEALTH.iter().map(|(name, unit, about)| (name, unit, about));
        for (name, unit, about) in network.chain(subnet).chain(wealth) {
            let mut rows = page.lines().filter(|row| row.starts_with("| `"));
            let row = rows.find(|row| row.contains(&format!("{name}` |")));
            let row = row.unwrap_or_else(|| panic!("{name} is not on the page"));
            assert!(row.contains(&format!("| {} |", unit.name())), "{row}");
            assert!(row.contains(about), "{row}");
        }
    }
}
