//! Two states compared, field by field, in the words of those who read them.
//!
//! What belongs here: the walk over both states and what its findings are called. What does not: which block's states
//! are compared (`mod`), how findings are shown (`commands::diff`).

use crate::fields::Unit;
use protocol::state::{HotkeyPool, Mechanism, State, Subnet};
use protocol::units::{AccountId, NetUid};
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

/// The field of a value that has no parts.
pub const WHOLE: &str = "value";

/// A value that two states do not share.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// The subnet it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subnet: Option<NetUid>,
    /// What it belongs to there: `neuron 12`, `stake`, `account`; empty for the subnet or network itself.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub what: String,
    /// The accounts that tell it from others of its sort.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub accounts: Vec<AccountId>,
    /// Its name, with the unit of an amount at its end.
    pub field: String,
    /// One state's value; null if it has none.
    pub a: Value,
    /// The other's.
    pub b: Value,
    /// What the values measure.
    #[serde(skip)]
    pub unit: Unit,
}

/// The first differences of two states, and how many more there are.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Differences {
    /// The first ones.
    pub shown: Vec<Difference>,
    /// All there are, those shown included.
    pub count: u64,
    #[serde(skip)]
    limit: usize,
}

/// Fields of the state under the names that `inspect` shows, with what they measure.
const FIELDS: &[(&str, &str, Unit)] = &[
    ("alpha", "alpha_rao", Unit::Alpha),
    ("alpha_in_emission", "alpha_in_emission_rao", Unit::Alpha),
    ("alpha_last_epoch", "alpha_last_epoch_rao", Unit::Alpha),
    ("alpha_out_emission", "alpha_out_emission_rao", Unit::Alpha),
    ("block_emission", "block_emission_rao", Unit::Tao),
    ("burn", "burn_rao", Unit::Tao),
    ("claimable_root_alpha", "claimable_root_alpha_rao", Unit::Alpha),
    ("emission", "emission_rao", Unit::Alpha),
    ("emission_share", "emission_share_bits", Unit::Fixed(64)),
    ("excess_tao_emission", "excess_tao_emission_rao", Unit::Tao),
    ("flow", "tao_flow_rao", Unit::Tao),
    ("flow_average", "ema_tao_flow_bits", Unit::Plain),
    ("free", "free_rao", Unit::Tao),
    ("locked", "locked_rao", Unit::Tao),
    ("max_burn", "max_burn_rao", Unit::Tao),
    ("min_burn", "min_burn_rao", Unit::Tao),
    ("moving_price", "moving_price_bits", Unit::Fixed(32)),
    ("network_last_lock_cost", "network_last_lock_cost_rao", Unit::Tao),
    ("network_min_lock_cost", "network_min_lock_cost_rao", Unit::Tao),
    ("pending_owner", "pending_owner_rao", Unit::Alpha),
    ("pending_root", "pending_root_rao", Unit::Alpha),
    ("pending_server", "pending_server_rao", Unit::Alpha),
    ("pending_validator", "pending_validator_rao", Unit::Alpha),
    ("pool.alpha", "alpha_in_rao", Unit::Alpha),
    ("pool.alpha_out", "alpha_out_rao", Unit::Alpha),
    ("pool.scrap_alpha", "pool_scrap_alpha_rao", Unit::Alpha),
    ("pool.scrap_tao", "pool_scrap_tao_rao", Unit::Tao),
    ("pool.sqrt_price", "sqrt_price_bits", Unit::Fixed(64)),
    ("pool.tao", "tao_reserve_rao", Unit::Tao),
    ("recycled_for_registration", "recycled_for_registration_rao", Unit::Tao),
    ("root_proportion", "root_proportion_bits", Unit::Fixed(32)),
    ("shares", "shares_bits", Unit::Fixed(64)),
    ("tao_in_emission", "tao_in_emission_rao", Unit::Tao),
    ("total_issuance", "total_issuance_rao", Unit::Tao),
    ("total_stake", "total_stake_rao", Unit::Tao),
    ("volume", "volume_rao", Unit::Tao),
];

/// Compares two states; keeps the first differences up to a number, in the order of network, subnets, accounts.
pub fn compare(a: &State, b: &State, limit: usize) -> Differences {
    let mut found = Differences { limit, ..Differences::default() };
    let network = Place::default();
    found.parts(&network, &a.rules, &b.rules);
    found.parts(&network, &a.global, &b.global);
    found.parts(&network.of("leak"), &a.leaks, &b.leaks);
    let netuids: BTreeSet<NetUid> = a.subnets.keys().chain(b.subnets.keys()).copied().collect();
    for netuid in netuids {
        let place = Place { subnet: Some(netuid), ..Place::default() };
        match (a.subnets.get(&netuid), b.subnets.get(&netuid)) {
            (Some(a), Some(b)) => found.subnet(&place, a, b),
            (a, b) => found.note(&place, "exists", json!(a.is_some()), json!(b.is_some())),
        }
    }
    found.by_account(&network.of("account"), &a.accounts, &b.accounts);
    found.by_account(&network.of("hotkey"), &a.hotkeys, &b.hotkeys);
    found.by_account(&network.of("coldkey"), &a.coldkeys, &b.coldkeys);
    let keys: BTreeSet<_> = a.root_claimed.keys().chain(b.root_claimed.keys()).collect();
    let none = BTreeMap::new();
    for key in keys {
        let claimed = [a, b].map(|state| state.root_claimed.get(key).unwrap_or(&none));
        found.by_key(claimed[0], claimed[1], |netuid| Place {
            subnet: Some(*netuid),
            ..network.of("root claimed").at(&[key.0, key.1])
        });
    }
    found.parts(&network.of("stake_markers"), &a.stake_markers, &b.stake_markers);
    found
}

/// Compares two values of one shape by their fields.
pub fn compare_parts<T: Serialize + PartialEq>(a: &T, b: &T, limit: usize) -> Differences {
    let mut found = Differences { limit, ..Differences::default() };
    found.parts(&Place::default(), a, b);
    found
}

/// Where in the state something is.
#[derive(Clone, Debug, Default)]
struct Place {
    subnet: Option<NetUid>,
    what: String,
    accounts: Vec<AccountId>,
}

impl Place {
    fn of(&self, what: impl Into<String>) -> Self {
        Self { what: what.into(), ..self.clone() }
    }

    fn at(&self, accounts: &[AccountId]) -> Self {
        Self { accounts: accounts.to_vec(), ..self.clone() }
    }
}

impl Differences {
    /// Differences beyond those shown.
    pub fn more(&self) -> u64 {
        self.count - self.shown.len() as u64
    }

    fn note(&mut self, place: &Place, field: &str, a: Value, b: Value) {
        self.count += 1;
        if self.shown.len() >= self.limit {
            return;
        }
        let known = FIELDS.iter().find(|(path, ..)| *path == field);
        let (field, unit) = known.map_or((field, Unit::Plain), |(_, name, unit)| (*name, *unit));
        let Place { subnet, what, accounts } = place.clone();
        let field = field.to_owned();
        self.shown.push(Difference { subnet, what, accounts, field, a, b, unit });
    }

    /// Two values of one shape, by their fields.
    fn parts<T: Serialize + PartialEq>(&mut self, place: &Place, a: &T, b: &T) {
        if a != b {
            self.walk(place, "", value_of(a), value_of(b));
        }
    }

    fn walk(&mut self, place: &Place, path: &str, a: Value, b: Value) {
        if a == b {
            return;
        }
        match (a, b) {
            (Value::Object(a), Value::Object(b)) => {
                for (name, a, b) in aligned(a, b) {
                    let path = if path.is_empty() { name } else { format!("{path}.{name}") };
                    self.walk(place, &path, a, b);
                }
            }
            (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
                for (index, (a, b)) in a.into_iter().zip(b).enumerate() {
                    self.walk(place, &format!("{path}[{index}]"), a, b);
                }
            }
            (a, b) if path.is_empty() => self.note(place, WHOLE, a, b),
            (a, b) => self.note(place, path, a, b),
        }
    }

    fn subnet(&mut self, place: &Place, a: &Subnet, b: &Subnet) {
        self.one(place, "added", &a.added, &b.added);
        self.parts(place, &a.fast, &b.fast);
        self.parts(&place.of("parameter"), &a.params, &b.params);
        self.parts(place, &a.info, &b.info);
        self.neurons(place, a, b);
        for number in 0..a.mechanisms.len().max(b.mechanisms.len()) {
            let default = Mechanism::default();
            let one = a.mechanisms.get(number).unwrap_or(&default);
            let other = b.mechanisms.get(number).unwrap_or(&default);
            if one != other {
                self.mechanism(place, number, one, other);
            }
        }
        self.pools(place, &a.pools, &b.pools);
        self.by_account(&place.of("dividends"), &a.last_dividends, &b.last_dividends);
        self.by_account(&place.of("axon"), &a.axons, &b.axons);
        self.by_account(&place.of("links"), &a.links, &b.links);
        self.by_account(&place.of("pending children"), &a.pending_children, &b.pending_children);
        self.by_key(&a.stamps, &b.stamps, |stamp| {
            place.of(format!("last {}", value_of(stamp).to_string().replace('"', "")))
        });
        self.by_key(&a.commits, &b.commits, |(mechanism, hotkey)| {
            place.of(format!("commits on mechanism {mechanism}")).at(&[*hotkey])
        });
        self.by_key(&a.timelocked, &b.timelocked, |(mechanism, epoch)| {
            place.of(format!("timelocked commits on mechanism {mechanism} of epoch {epoch}"))
        });
    }

    /// Columns by uid.
    fn neurons(&mut self, place: &Place, a: &Subnet, b: &Subnet) {
        if a.neurons == b.neurons {
            return;
        }
        self.one(place, "neurons", &a.neurons.len(), &b.neurons.len());
        let columns = |subnet: &Subnet| match value_of(&subnet.neurons) {
            Value::Object(mut columns) => {
                // Which uid a hotkey has is what the column of hotkeys says.
                columns.remove("uids");
                columns
            }
            _ => Map::new(),
        };
        let (a, b) = (columns(a), columns(b));
        let uids = [&a, &b].into_iter().flat_map(|one| one.values());
        let uids = uids.filter_map(Value::as_array).map(Vec::len).max().unwrap_or(0);
        for uid in 0..uids {
            let place = place.of(format!("neuron {uid}"));
            for (name, column) in &a {
                let one = column.get(uid).unwrap_or(&Value::Null);
                let other = b.get(name).and_then(|column| column.get(uid)).unwrap_or(&Value::Null);
                if one != other {
                    let name = if name == "hotkeys" { "hotkey" } else { name };
                    self.note(&place, name, one.clone(), other.clone());
                }
            }
        }
    }

    fn mechanism(&mut self, place: &Place, number: usize, a: &Mechanism, b: &Mechanism) {
        let place_of = |uid: usize| match number {
            0 => place.of(format!("neuron {uid}")),
            _ => place.of(format!("mechanism {number} neuron {uid}")),
        };
        self.column(&place_of, "incentive", &a.incentive, &b.incentive);
        self.column(&place_of, "last_update", &a.last_update, &b.last_update);
        self.column(&place_of, "weights", &a.weights, &b.weights);
        self.column(&place_of, "bonds", &a.bonds, &b.bonds);
    }

    fn column<T: Serialize + PartialEq>(
        &mut self,
        place: &dyn Fn(usize) -> Place,
        field: &str,
        a: &[T],
        b: &[T],
    ) {
        for uid in 0..a.len().max(b.len()) {
            let (one, other) = (a.get(uid), b.get(uid));
            if one != other {
                self.note(&place(uid), field, value_of(&one), value_of(&other));
            }
        }
    }

    /// Stake by hotkey and holder: alpha where it differs, shares where only they do.
    fn pools(
        &mut self,
        place: &Place,
        a: &BTreeMap<AccountId, HotkeyPool>,
        b: &BTreeMap<AccountId, HotkeyPool>,
    ) {
        let none = HotkeyPool::default();
        let hotkeys: BTreeSet<&AccountId> = a.keys().chain(b.keys()).collect();
        for hotkey in hotkeys {
            let (a, b) = (a.get(hotkey).unwrap_or(&none), b.get(hotkey).unwrap_or(&none));
            if a == b {
                continue;
            }
            let whole = place.of("stake behind").at(&[*hotkey]);
            self.one(&whole, "alpha", &a.alpha, &b.alpha);
            self.one(&whole, "shares", &a.shares, &b.shares);
            self.one(&whole, "alpha_last_epoch", &a.alpha_last_epoch, &b.alpha_last_epoch);
            let holders: BTreeSet<&AccountId> = a.holders.keys().chain(b.holders.keys()).collect();
            for coldkey in holders {
                let place = place.of("stake").at(&[*hotkey, *coldkey]);
                let (alpha_a, alpha_b) = (a.value(coldkey), b.value(coldkey));
                if alpha_a != alpha_b {
                    self.one(&place, "alpha", &alpha_a, &alpha_b);
                } else {
                    let share = |pool: &HotkeyPool| pool.holders.get(coldkey).copied();
                    self.one(&place, "shares", &share(a), &share(b));
                }
            }
        }
    }

    fn one<T: Serialize + PartialEq>(&mut self, place: &Place, field: &str, a: &T, b: &T) {
        if a != b {
            self.note(place, field, value_of(a), value_of(b));
        }
    }

    fn by_account<T: Serialize + PartialEq>(
        &mut self,
        place: &Place,
        a: &BTreeMap<AccountId, T>,
        b: &BTreeMap<AccountId, T>,
    ) {
        self.by_key(a, b, |account| place.at(&[*account]));
    }

    /// Entries by key; one that only one side has differs as a whole.
    fn by_key<K: Ord + Debug, T: Serialize + PartialEq>(
        &mut self,
        a: &BTreeMap<K, T>,
        b: &BTreeMap<K, T>,
        place: impl Fn(&K) -> Place,
    ) {
        let keys: BTreeSet<&K> = a.keys().chain(b.keys()).collect();
        for key in keys {
            match (a.get(key), b.get(key)) {
                (Some(a), Some(b)) if a == b => {}
                (Some(a), Some(b)) => self.walk(&place(key), "", value_of(a), value_of(b)),
                (a, b) => self.walk(&place(key), "", value_of(&a), value_of(&b)),
            }
        }
    }
}

/// A value as a tree of named values. What has no such form is compared as its text; nothing of a state is so.
fn value_of<T: Serialize>(value: &T) -> Value {
    serde_json::to_value(value).unwrap_or_else(|error| Value::String(error.to_string()))
}

/// Fields of two objects side by side; an absent one is null.
fn aligned(mut a: Map<String, Value>, mut b: Map<String, Value>) -> Vec<(String, Value, Value)> {
    let names: BTreeSet<String> = a.keys().chain(b.keys()).cloned().collect();
    let side = |of: &mut Map<String, Value>, name: &str| of.remove(name).unwrap_or_default();
    let rows = names.into_iter().map(|name| {
        let (one, other) = (side(&mut a, &name), side(&mut b, &name));
        (name, one, other)
    });
    rows.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::state::{Account, Neurons};
    use protocol::units::{Alpha, Rao};

    /// A state, and the same after a change; the differences by name.
    fn told(change: impl FnOnce(&mut State)) -> Vec<String> {
        let mut state = State::default();
        let mut subnet = Subnet { added: true, ..Subnet::default() };
        let account = AccountId([1; 32]);
        subnet.neurons = Neurons {
            hotkeys: vec![account],
            registered_at: vec![0],
            active: vec![true],
            emission: vec![Alpha(0)],
            consensus: vec![5],
            dividends: vec![0],
            validator_trust: vec![0],
            validator_permit: vec![false],
            stake_weight: vec![0],
            uids: [(account, 0)].into(),
        };
        subnet.mechanisms = vec![Mechanism { weights: vec![vec![(0, 1)]], ..Mechanism::default() }];
        let holders = [(account, 1u128 << 64)].into();
        let pool = HotkeyPool { alpha: Alpha(9), shares: 1 << 64, holders, ..Default::default() };
        subnet.pools.insert(account, pool);
        state.subnets.insert(NetUid(3), subnet);
        state.root_claimed.insert((account, account), [(NetUid(3), 3)].into());
        state.accounts.insert(account, Account { free: Rao(7), nonce: 0 });
        let mut changed = state.clone();
        change(&mut changed);
        assert_eq!(compare(&state, &state, 20), Differences { limit: 20, ..Default::default() });
        let found = compare(&state, &changed, 20);
        assert_eq!(found.count, found.shown.len() as u64);
        let told = found.shown.into_iter().map(|one| {
            let subnet = one.subnet.map_or_else(String::new, |netuid| format!("subnet {netuid} "));
            let accounts = one.accounts.len();
            format!("{subnet}{} ×{accounts} {} {}→{}", one.what, one.field, one.a, one.b)
        });
        told.collect()
    }

    fn subnet(state: &mut State) -> &mut Subnet {
        state.subnets.get_mut(&NetUid(3)).expect("it was put there")
    }

    #[test]
    fn differences_are_named_as_users_name_things() {
        let account = AccountId([1; 32]);
        assert_eq!(
            told(|state| subnet(state).fast.pool.tao = 5),
            ["subnet 3  ×0 tao_reserve_rao 0→5"]
        );
        assert_eq!(
            told(|state| subnet(state).params.tempo = 19),
            ["subnet 3 parameter ×0 tempo 360→19"]
        );
        assert_eq!(
            told(|state| subnet(state).neurons.consensus[0] = 6),
            ["subnet 3 neuron 0 ×0 consensus 5→6"]
        );
        assert_eq!(
            told(|state| subnet(state).mechanisms[0].weights[0] = vec![(0, 2)]),
            ["subnet 3 neuron 0 ×0 weights [[0,1]]→[[0,2]]"]
        );
        assert_eq!(
            told(|state| subnet(state).pools.get_mut(&account).expect("there").alpha = Alpha(12)),
            ["subnet 3 stake behind ×1 alpha_rao 9→12", "subnet 3 stake ×2 alpha_rao 9→12",]
        );
        assert_eq!(
            told(|state| {
                state.root_claimed.clear();
            }),
            ["subnet 3 root claimed ×2 value 3→null"]
        );
        assert_eq!(
            told(|state| state.accounts.get_mut(&account).expect("there").free = Rao(8)),
            ["account ×1 free_rao 7→8"]
        );
        assert_eq!(told(|state| state.global.subnet_limit = 256), [" ×0 subnet_limit 128→256"]);
        assert_eq!(
            told(|state| {
                state.subnets.insert(NetUid(4), Subnet::default());
            }),
            ["subnet 4  ×0 exists false→true"]
        );
    }

    #[test]
    fn differences_beyond_the_limit_are_counted() {
        let state = State::default();
        let mut other = State::default();
        for number in 0..30 {
            other.accounts.insert(AccountId([number; 32]), Account::default());
        }
        let found = compare(&state, &other, 20);
        assert_eq!((found.shown.len(), found.count, found.more()), (20, 30, 10));
    }
}
