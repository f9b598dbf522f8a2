//! A subnet's metagraph: who its neurons are, what is behind them, their weights and bonds, and the
//! subnet's parameters.
//!
//! What belongs here: its shape, what must hold in it, and its ages at another block. What does not: making one from what
//! a node says (`import`), and seating its neurons (`populate`).

use super::json;
use crate::scenario::error::ScenarioError;
use protocol::issuance::SUPPLY_MAX_RAO;
use protocol::state::{Params, Row};
use protocol::units::{AccountId, Rao};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// One neuron; of ratios 65,535 is a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Neuron {
    /// Its number.
    pub uid: u16,
    /// Its hotkey.
    pub hotkey: AccountId,
    /// The owner of the hotkey; absent for the hotkey itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coldkey: Option<AccountId>,
    /// Alpha behind the hotkey, in rao; absent for what `holders` have there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alpha_stake: Option<u64>,
    /// TAO behind the hotkey on root, in rao.
    #[serde(default, skip_serializing_if = "is_default")]
    pub tao_stake: u64,
    /// Delegate take; absent for the chain's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub take: Option<u16>,
    /// Set weights lately, as of the last epoch.
    #[serde(default, skip_serializing_if = "is_default")]
    pub active: bool,
    /// May set weights.
    #[serde(default, skip_serializing_if = "is_default")]
    pub validator_permit: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    pub incentive: u16,
    #[serde(default, skip_serializing_if = "is_default")]
    pub dividends: u16,
    #[serde(default, skip_serializing_if = "is_default")]
    pub consensus: u16,
    #[serde(default, skip_serializing_if = "is_default")]
    pub validator_trust: u16,
    /// Alpha of the last epoch, in rao.
    #[serde(default, skip_serializing_if = "is_default")]
    pub emission: u64,
    /// Block of the last weights; absent for that of genesis.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_update: Option<u64>,
    /// Block of its registration; absent for one just beyond immunity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block_at_registration: Option<u64>,
}

impl Neuron {
    /// Who owns the hotkey.
    pub fn owner(&self) -> AccountId {
        self.coldkey.unwrap_or(self.hotkey)
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// What one coldkey holds behind one hotkey.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Holder {
    /// Behind whom.
    pub hotkey: AccountId,
    /// Whose it is.
    pub coldkey: AccountId,
    /// Alpha, or TAO on root, in rao.
    pub stake: u64,
}

/// A uid with its row of uids and weights, or bonds.
pub type UidRow = (u16, Row);

/// What an object of a snapshot, or a file of its own, says of a subnet's metagraph. Other keys are ignored.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Metagraph {
    pub netuid: u16,
    /// The block it is of; absent for that of genesis.
    #[serde(default)]
    pub block: Option<u64>,
    /// Its owner's hotkey, where no snapshot says whose it is.
    #[serde(default)]
    pub owner_hk: Option<AccountId>,
    /// Its owner's coldkey.
    #[serde(default)]
    pub owner_ck: Option<AccountId>,
    #[serde(default)]
    pub neurons: Vec<Neuron>,
    /// Rows by the uid that set them; absent for rows in proportion to the incentives.
    #[serde(default)]
    pub weights: Option<Vec<UidRow>>,
    /// Rows by the uid that holds them.
    #[serde(default)]
    pub bonds: Vec<UidRow>,
    #[serde(default)]
    pub holders: Vec<Holder>,
    /// They stand beside the other keys.
    #[serde(skip)]
    pub hyperparameters: Hyperparameters,
}

/// Defines the hyperparameters that a metagraph tells, each under its name there, and which parameter it is.
macro_rules! hyperparameters {
    ($($name:ident: $type:ty => $field:ident = $make:expr,)*) => {
        /// A subnet's parameters under the names that a metagraph gives them; absent ones stay what they are.
        #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        pub struct Hyperparameters {
            $(
                #[serde(default, skip_serializing_if = "Option::is_none")]
                pub $name: Option<$type>,
            )*
        }

        impl Hyperparameters {
            /// Names in a metagraph, and the chain's.
            pub const NAMES: &[(&str, &str)] = &[$((stringify!($name), stringify!($field)),)*];

            /// Lays them over others.
            pub fn over(&self, mut params: Params) -> Params {
                $(
                    if let Some(value) = self.$name {
                        params.$field = $make(value);
                    }
                )*
                params
            }
        }
    };
}

hyperparameters! {
    rho: u16 => rho = u16::from,
    kappa: u16 => kappa = u16::from,
    min_allowed_weights: u16 => min_allowed_weights = u16::from,
    weights_version: u64 => weights_version_key = u64::from,
    weights_rate_limit: u64 => weights_set_rate_limit = u64::from,
    activity_cutoff: u16 => activity_cutoff = u16::from,
    max_validators: u16 => max_allowed_validators = u16::from,
    max_uids: u16 => max_allowed_uids = u16::from,
    registration_allowed: bool => registration_allowed = bool::from,
    pow_registration_allowed: bool => pow_registration_allowed = bool::from,
    min_difficulty: u64 => min_difficulty = u64::from,
    max_difficulty: u64 => max_difficulty = u64::from,
    min_burn: u64 => min_burn = Rao,
    max_burn: u64 => max_burn = Rao,
    adjustment_alpha: u64 => adjustment_alpha = u64::from,
    adjustment_interval: u16 => adjustment_interval = u16::from,
    target_regs_per_interval: u16 => target_registrations_per_interval = u16::from,
    max_regs_per_block: u16 => max_registrations_per_block = u16::from,
    serving_rate_limit: u64 => serving_rate_limit = u64::from,
    commit_reveal_weights_enabled: bool => commit_reveal = bool::from,
    commit_reveal_period: u64 => reveal_period = u64::from,
    liquid_alpha_enabled: bool => liquid_alpha = bool::from,
    alpha_high: u16 => alpha_high = u16::from,
    alpha_low: u16 => alpha_low = u16::from,
    bonds_moving_avg: u64 => bonds_moving_average = u64::from,
}

/// A metagraph whose heights are those of a network at genesis, checked against it.
#[derive(Clone, Debug, Default)]
pub struct Imported {
    /// By uid.
    pub neurons: Vec<Neuron>,
    /// Rows by uid; none for rows in proportion to the incentives.
    pub weights: Option<BTreeMap<u16, Row>>,
    /// Rows by uid.
    pub bonds: BTreeMap<u16, Row>,
    /// Holdings, each pair of keys once.
    pub holders: Vec<Holder>,
    /// Whether it is of the block of genesis: only then its TAO on root is what there is.
    pub same_block: bool,
}

/// What a metagraph must fit into.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings {
    /// The block of genesis.
    pub height: u64,
    /// Alpha outside the pool, or TAO on root.
    pub stake: u64,
    /// Most neurons.
    pub uids_max: u16,
    /// Highest delegate take.
    pub take_max: u16,
    /// Blocks for which a neuron is immune.
    pub immunity_period: u16,
}

/// Reads what a text says of metagraphs: a list of objects, or one.
///
/// # Errors
/// It is none, or a metagraph contradicts itself.
pub fn parsed(file: &Path, text: &str) -> Result<Vec<Metagraph>, ScenarioError> {
    let mut metagraphs: Vec<Metagraph> = objects(file, text)?;
    let parameters: Vec<Hyperparameters> = objects(file, text)?;
    for (metagraph, parameters) in metagraphs.iter_mut().zip(parameters) {
        metagraph.hyperparameters = parameters;
        check(metagraph).map_err(|what| {
            let netuid = metagraph.netuid;
            ScenarioError::new(format!("{}: netuid {netuid}: {what}", file.display()), None)
        })?;
    }
    Ok(metagraphs)
}

/// The objects of a list, or the one there is.
fn objects<T: DeserializeOwned>(file: &Path, text: &str) -> Result<Vec<T>, ScenarioError> {
    if text.trim_start().starts_with('[') {
        json::read(file, text)
    } else {
        Ok(vec![json::read(file, text)?])
    }
}

impl Metagraph {
    /// Whether it says who is there or who holds what.
    pub fn has_people(&self) -> bool {
        !self.neurons.is_empty() || !self.holders.is_empty()
    }

    /// Fits it into a network.
    ///
    /// # Errors
    /// What does not fit.
    pub fn fit(&self, around: Surroundings) -> Result<Imported, String> {
        let count = self.neurons.len();
        if count > usize::from(around.uids_max) {
            let most = around.uids_max;
            return Err(format!("{count} neurons, but at most {most} uids (max_uids)"));
        }
        let held = held_behind(&self.holders);
        let of_neurons = self.neurons.iter().map(|neuron| {
            let named = held.get(&neuron.hotkey).copied().unwrap_or(0);
            neuron.alpha_stake.unwrap_or(named)
        });
        let neurons: BTreeSet<AccountId> =
            self.neurons.iter().map(|neuron| neuron.hotkey).collect();
        let others = held.iter().filter(|(hotkey, _)| !neurons.contains(hotkey));
        let sum = of_neurons.chain(others.map(|(_, stake)| *stake)).map(u128::from).sum::<u128>();
        if sum > u128::from(around.stake) {
            let there = around.stake;
            return Err(format!("its neurons and holders have {sum} rao, but there are {there}"));
        }
        let block = self.block.unwrap_or(around.height);
        let mut imported = Imported {
            neurons: self.neurons.clone(),
            weights: self.weights.clone().map(|rows| rows.into_iter().collect()),
            bonds: self.bonds.iter().cloned().collect(),
            holders: self.holders.clone(),
            same_block: block == around.height,
        };
        imported.neurons.sort_by_key(|neuron| neuron.uid);
        for neuron in &mut imported.neurons {
            let uid = neuron.uid;
            let named = held.get(&neuron.hotkey).copied().unwrap_or(0);
            neuron.alpha_stake = Some(neuron.alpha_stake.unwrap_or(named));
            if let Some(take) = neuron.take.filter(|take| *take > around.take_max) {
                let most = around.take_max;
                return Err(format!("uid {uid}: take is {take}, above the highest, {most}"));
            }
            let unknown = around.height.saturating_sub(u64::from(around.immunity_period) + 1);
            let shift = |key: &str, at: Option<u64>| {
                match at {
                None => Ok(None),
                Some(at) if at > block => {
                    Err(format!("uid {uid}: {key} is {at}, after its block, {block}"))
                }
                Some(at) => around.height.checked_sub(block - at).map(Some).ok_or_else(|| {
                    let (age, height) = (block - at, around.height);
                    format!("uid {uid}: {key} is {age} blocks ago, before block 0 of a network at {height}")
                }),
            }
            };
            let registered = shift("block_at_registration", neuron.block_at_registration)?;
            let registered = registered.unwrap_or(unknown);
            let updated = shift("last_update", neuron.last_update)?.unwrap_or(around.height);
            neuron.block_at_registration = Some(registered);
            neuron.last_update = Some(updated);
        }
        Ok(imported)
    }
}

/// Stake that holders have behind each hotkey.
pub fn held_behind(holders: &[Holder]) -> BTreeMap<AccountId, u64> {
    let mut held: BTreeMap<AccountId, u64> = BTreeMap::new();
    for holder in holders {
        let entry = held.entry(holder.hotkey).or_default();
        *entry = entry.saturating_add(holder.stake);
    }
    held
}

fn check(metagraph: &Metagraph) -> Result<(), String> {
    let Metagraph { neurons, holders, .. } = metagraph;
    if metagraph.netuid == 0 && !neurons.is_empty() {
        return Err("root's neurons follow from its stake: it has holders only".to_owned());
    }
    let mut uids = BTreeSet::new();
    let mut hotkeys = BTreeMap::new();
    for neuron in neurons {
        let uid = neuron.uid;
        if !uids.insert(uid) {
            return Err(format!("uid {uid} occurs twice"));
        }
        if let Some(other) = hotkeys.insert(neuron.hotkey, uid) {
            let hotkey = neuron.hotkey;
            return Err(format!("uid {uid}: hotkey {hotkey} is that of uid {other} already"));
        }
        let amounts = [
            ("alpha_stake", neuron.alpha_stake.unwrap_or(0)),
            ("tao_stake", neuron.tao_stake),
            ("emission", neuron.emission),
        ];
        for (key, amount) in amounts {
            if amount > SUPPLY_MAX_RAO {
                return Err(format!("uid {uid}: {key} is {amount} rao, which cannot be"));
            }
        }
    }
    if let Some(missing) = (0..uids.len()).find(|uid| !uids.contains(&(*uid as u16))) {
        return Err(format!("uid {missing} is missing; uids go from 0 without a gap"));
    }
    let rows = metagraph.weights.iter().flatten().map(|row| ("weights", row));
    let rows = rows.chain(metagraph.bonds.iter().map(|row| ("bonds", row)));
    let mut setters = BTreeSet::new();
    for (key, (uid, row)) in rows {
        if !uids.contains(uid) {
            return Err(format!("{key}: uid {uid} is no neuron"));
        }
        if !setters.insert((key, uid)) {
            return Err(format!("{key}: uid {uid} has two rows"));
        }
        let mut targets = BTreeSet::new();
        for (target, _) in row {
            if !uids.contains(target) {
                return Err(format!("{key}: uid {uid}: uid {target} is no neuron"));
            }
            if !targets.insert(target) {
                return Err(format!("{key}: uid {uid}: uid {target} occurs twice"));
            }
        }
    }
    let mut pairs = BTreeSet::new();
    for Holder { hotkey, coldkey, stake } in holders {
        if *stake > SUPPLY_MAX_RAO {
            return Err(format!("holders: {coldkey} on {hotkey}: {stake} rao, which cannot be"));
        }
        if !pairs.insert((hotkey, coldkey)) {
            return Err(format!("holders: {coldkey} on {hotkey} occurs twice"));
        }
    }
    let held = held_behind(holders);
    for Neuron { uid, hotkey, alpha_stake, .. } in neurons {
        let named = held.get(hotkey).copied().unwrap_or(0);
        if let Some(stake) = alpha_stake.filter(|stake| named > *stake) {
            return Err(format!(
                "uid {uid}: its holders have {named} rao, more than its alpha_stake, {stake}"
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn key(number: u8) -> String {
        AccountId([number; 32]).to_ss58()
    }

    fn small() -> Value {
        json!({
            "netuid": 7, "block": 1_000, "kappa": 30_000, "max_uids": 3,
            "neurons": [
                { "uid": 0, "hotkey": key(1), "coldkey": key(11), "alpha_stake": 500, "take": 900,
                  "active": true, "validator_permit": true, "dividends": 65_535,
                  "last_update": 990, "block_at_registration": 10 },
                { "uid": 1, "hotkey": key(2), "alpha_stake": 20, "incentive": 40_000, "last_update": 900 },
                { "uid": 2, "hotkey": key(3), "coldkey": key(11), "incentive": 25_535 },
            ],
            "weights": [[0, [[1, 65_535], [2, 30_000]]]],
            "bonds": [[0, [[1, 9], [2, 5]]]],
            "holders": [
                { "hotkey": key(1), "coldkey": key(12), "stake": 300 },
                { "hotkey": key(3), "coldkey": key(11), "stake": 40 },
                { "hotkey": key(4), "coldkey": key(12), "stake": 50 },
            ],
        })
    }

    fn read(value: &Value) -> Result<Metagraph, String> {
        let read = parsed(Path::new("m.json"), &value.to_string());
        read.map(|mut found| found.remove(0)).map_err(|error| error.to_string())
    }

    const AROUND: Surroundings = Surroundings {
        height: 1_500,
        stake: 610,
        uids_max: 3,
        take_max: 11_796,
        immunity_period: 9,
    };

    #[test]
    fn ages_are_kept_at_another_block() {
        let found = read(&small()).expect("it is sound");
        let imported = found.fit(AROUND).expect("it fits");
        let dates = |uid: usize| {
            let neuron = &imported.neurons[uid];
            (neuron.block_at_registration, neuron.last_update)
        };
        assert_eq!(dates(0), (Some(510), Some(1_490)));
        assert_eq!(dates(1), (Some(1_490), Some(1_400)), "just beyond immunity");
        assert_eq!(dates(2), (Some(1_490), Some(1_500)), "nothing is known");
        assert_eq!(imported.neurons[2].alpha_stake, Some(40), "what its holders have");
        assert_eq!(imported.neurons[1].owner(), imported.neurons[1].hotkey);
        assert!(!imported.same_block);
        let here = found.fit(Surroundings { height: 1_000, ..AROUND }).expect("it fits");
        assert!(here.same_block);
        let params = found.hyperparameters.over(Params::default());
        assert_eq!((params.kappa, params.max_allowed_uids), (30_000, 3));
        assert_eq!(params.rho, Params::default().rho);
    }

    #[test]
    fn what_contradicts_itself_is_named() {
        let at = "m.json: netuid 7: ";
        let rows = [
            ("/neurons/1/uid", json!(0), format!("{at}uid 0 occurs twice")),
            (
                "/neurons/2/uid",
                json!(3),
                format!("{at}uid 2 is missing; uids go from 0 without a gap"),
            ),
            (
                "/neurons/1/hotkey",
                json!(key(1)),
                format!("{at}uid 1: hotkey {} is that of uid 0 already", key(1)),
            ),
            (
                "/neurons/0/alpha_stake",
                json!(299),
                format!("{at}uid 0: its holders have 300 rao, more than its alpha_stake, 299"),
            ),
            (
                "/neurons/0/alpha_stake",
                json!(u64::MAX),
                format!("{at}uid 0: alpha_stake is {} rao, which cannot be", u64::MAX),
            ),
            ("/weights/0/0", json!(5), format!("{at}weights: uid 5 is no neuron")),
            ("/weights/0/1/0/0", json!(3), format!("{at}weights: uid 0: uid 3 is no neuron")),
            ("/weights/0/1/0/0", json!(2), format!("{at}weights: uid 0: uid 2 occurs twice")),
            (
                "/weights",
                json!([[0, [[1, 1]]], [0, [[2, 1]]]]),
                format!("{at}weights: uid 0 has two rows"),
            ),
            ("/bonds/0/1/1/0", json!(1), format!("{at}bonds: uid 0: uid 1 occurs twice")),
            (
                "/holders/2",
                json!({ "hotkey": key(1), "coldkey": key(12), "stake": 1 }),
                format!("{at}holders: {} on {} occurs twice", key(12), key(1)),
            ),
            (
                "/holders/2/stake",
                json!(u64::MAX),
                format!(
                    "{at}holders: {} on {}: {} rao, which cannot be",
                    key(12),
                    key(4),
                    u64::MAX
                ),
            ),
            (
                "/netuid",
                json!(0),
                "m.json: netuid 0: root's neurons follow from its stake: it has holders only"
                    .to_owned(),
            ),
            (
                "/neurons/0/take",
                json!(70_000),
                "m.json: neurons[0].take: invalid value: integer `70000`, expected u16".to_owned(),
            ),
            (
                "/neurons/0/active",
                json!("yes"),
                "m.json: neurons[0].active: invalid type: string \"yes\", expected a boolean"
                    .to_owned(),
            ),
            ("/kappa", json!(0.5), "m.json: kappa: invalid type: floating point `0.5`".to_owned()),
            ("/weights/0", json!([0]), "m.json: weights[0]: invalid length 1".to_owned()),
        ];
        for (pointer, value, expected) in rows {
            let mut changed = small();
            *changed.pointer_mut(pointer).expect("it is there") = value;
            let told = read(&changed).expect_err(pointer);
            assert!(told.starts_with(&expected), "{pointer}: {told}");
        }
        let mut mistyped = small();
        mistyped["neurons"][0]["alpha_steak"] = json!(5);
        let told = read(&mistyped).expect_err("it is no key");
        let expected =
            "m.json: neurons[0].alpha_steak: unknown field `alpha_steak`, expected one of";
        assert!(told.starts_with(expected), "{told}");
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let rows = [
            (Surroundings { uids_max: 2, ..AROUND }, "3 neurons, but at most 2 uids (max_uids)"),
            (
                Surroundings { stake: 609, ..AROUND },
                "its neurons and holders have 610 rao, but there are 609",
            ),
            (
                Surroundings { take_max: 899, ..AROUND },
                "uid 0: take is 900, above the highest, 899",
            ),
            (
                Surroundings { height: 500, ..AROUND },
                "uid 0: block_at_registration is 990 blocks ago, before block 0 of a network at 500",
            ),
        ];
        let found = read(&small()).expect("it is sound");
        assert!(found.fit(AROUND).is_ok(), "what is behind it fits to the last unit");
        for (around, expected) in rows {
            assert_eq!(found.fit(around).expect_err(expected), expected);
        }
        let mut late = small();
        late["neurons"][1]["last_update"] = json!(1_001);
        let told = read(&late).expect("it is sound").fit(AROUND).expect_err("it is later");
        assert_eq!(told, "uid 1: last_update is 1001, after its block, 1000");
    }

    /// docs/snapshots.md names every key, and its example is one.
    #[test]
    fn the_page_tells_what_is_read() {
        let page = include_str!("../../../docs/snapshots.md");
        let (_, example) = page.split_once("```json\n").expect("there is one");
        let (example, _) = example.split_once("```").expect("it ends");
        let found = parsed(Path::new("m.json"), example).expect("it is sound").remove(0);
        assert_eq!((found.neurons.len(), found.holders.len()), (2, 1));
        let around = Surroundings { stake: 500_000_000_000, uids_max: 256, ..AROUND };
        assert!(found.fit(around).is_ok());
        let full = Neuron {
            uid: 1,
            coldkey: Some(AccountId([1; 32])),
            alpha_stake: Some(1),
            tao_stake: 1,
            take: Some(1),
            active: true,
            validator_permit: true,
            incentive: 1,
            dividends: 1,
            consensus: 1,
            validator_trust: 1,
            emission: 1,
            last_update: Some(1),
            block_at_registration: Some(1),
            ..found.neurons[0].clone()
        };
        let full = serde_json::to_value(full).expect("it is plain data");
        let keys = full.as_object().expect("it is a struct").keys().map(String::as_str);
        let parameters = Hyperparameters::NAMES.iter().map(|(name, _)| *name);
        let mut count = 0;
        for key in keys.chain(parameters).chain(["block", "neurons", "weights", "bonds", "holders"])
        {
            assert!(page.contains(&format!("`{key}`")), "{key} is not documented");
            count += 1;
        }
        assert_eq!(count, 15 + 25 + 5);
    }
}
