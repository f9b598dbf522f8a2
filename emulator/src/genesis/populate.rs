//! Holdings, neurons and balances: who there is and what everybody has at genesis.
//!
//! Sums per subnet are the snapshot's, to the last unit; how they are spread is generated: within a subnet the k-th
//! validator of a group has a weight of 1/k, stakers hold equal parts on subnets they draw, and what no group claims
//! belongs to an account per subnet that stands for the public, behind the subnet's validators. What a metagraph names
//! is not spread: its neurons have what they have, and groups get their part of what stands behind them.

use super::metagraph::{Holder, Imported, Neuron, held_behind};
use super::{Cast, DRAWS_MAX, PLAYERS_MAX, SubnetPlan};
use crate::plan::Seat;
use crate::scenario::document::Group;
use actors::machine::Identity;
use actors::maths::lognormal;
use actors::registry::{Role, Seats};
use protocol::balances::EXISTENTIAL_DEPOSIT;
use protocol::dice::{Dice, Domain, Key, account_of, player_id};
use protocol::pool::Pool;
use protocol::state::{
    Account, Coldkey, FEE_RATE_DEFAULT, Fast, Hotkey, Info, Mechanism, Params, Row, State, Subnet,
};
use protocol::units::{AccountId, Alpha, BLOCK_MS, NetUid, Rao, UNITS_PER_TOKEN};
use std::cmp::Reverse;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

/// Take of every validator at genesis, of 65,535: the chain's default, 18 %.
const TAKE: u16 = 11_796;
/// Shares of a new share pool per unit of alpha, U64F64 bits.
const SHARE_BITS: u32 = 64;
/// Weight of the first validator of a group; the k-th has this divided by k.
const FIRST_WEIGHT: u64 = 1_000_000;
const PPM: u128 = 1_000_000;

/// Most that a spread makes of a part: beyond it is no part of anything.
const SPREAD_MAX: f64 = 1e6;

const DRAW_POSITIONS: u64 = 1;
const DRAW_DELEGATE: u64 = 2;
const DRAW_ROOT_DELEGATE: u64 = 3;
const DRAW_ARRIVAL: u64 = 4;
const DRAW_SPREAD: u64 = 5;

/// The groups' names of accounts that no player holds.
const PUBLIC: &str = "the public of a subnet";
const TREASURY: &str = "the rest of the world";
const AUTHOR: &str = "the block author";
/// Of neurons that nobody plays and no file names.
const BYSTANDERS: &str = "the bystanders of a subnet";

/// What a network is populated from.
#[derive(Debug)]
pub struct Population<'a> {
    /// Of all draws.
    pub seed: u64,
    /// The subnets, ascending.
    pub subnets: &'a [SubnetPlan],
    /// The groups, as the scenario lists them.
    pub casts: &'a [Cast<'a>],
    /// Stake on root, in rao.
    pub root_stake: u64,
    /// Those who are named as holding of it.
    pub root_holders: Vec<Holder>,
    /// All TAO there is, in rao.
    pub total_issuance: u64,
    /// Sum of the flow averages, in rao per block.
    pub flow_ema_total: u64,
}

impl Population<'_> {
    /// Whether there are not more players, or draws for them, than a run can have.
    ///
    /// # Errors
    /// How many there would be.
    pub fn check(&self) -> Result<(), String> {
        let mut players = 0u64;
        for cast in self.casts {
            let group = cast.group;
            let places = self.subnets.iter().filter(|plan| acts_on(cast, plan)).count() as u64;
            let seats = if cast.settings.has_places() { places } else { 1 };
            players = players.saturating_add(u64::from(group.count).saturating_mul(seats));
            let draws = u64::from(group.count)
                .saturating_mul(u64::from(group.positions))
                .saturating_mul(places);
            if group.role == Role::Staker && draws > DRAWS_MAX {
                let (name, positions) = (&group.name, group.positions);
                return Err(format!(
                    "players.{name}.positions: {positions} for each of {} stakers on {places} subnets \
                     are more draws than {DRAWS_MAX}",
                    group.count
                ));
            }
        }
        if players > PLAYERS_MAX {
            return Err(format!("players: there would be {players}, the most are {PLAYERS_MAX}"));
        }
        Ok(())
    }
}

/// A network being populated.
#[derive(Debug)]
pub struct Seating {
    /// The state so far.
    pub state: State,
    /// The players so far, in the order of groups, then of indices.
    pub players: Vec<Seat>,
    /// Validators by subnet, with their weights: whom others can be behind.
    delegates: BTreeMap<NetUid, Vec<(AccountId, u64)>>,
    /// By group and subnet: hotkey and coldkey of the members that have a neuron there, in their order.
    members: BTreeMap<(String, NetUid), Vec<(AccountId, AccountId)>>,
    /// Neurons of metagraphs that have a player.
    taken: BTreeSet<(NetUid, AccountId)>,
    /// By subnet: the weights of ranked miners in opening rows.
    ranked: BTreeMap<NetUid, BTreeMap<AccountId, u64>>,
    /// Of groups of stakers, by name: who drew a position on each subnet.
    positions: BTreeMap<String, BTreeMap<NetUid, Vec<u64>>>,
}

impl Seating {
    /// Populates a network.
    ///
    /// # Errors
    /// What is asked for does not fit: too many neurons, too little TAO.
    pub fn seat(state: State, population: &Population<'_>) -> Result<Self, String> {
        let mut seating = Self {
            state,
            players: Vec::new(),
            delegates: BTreeMap::new(),
            members: BTreeMap::new(),
            taken: BTreeSet::new(),
            ranked: BTreeMap::new(),
            positions: BTreeMap::new(),
        };
        seating.make_root();
        for subnet in population.subnets {
            seating.make_subnet(subnet)?;
        }
        for cast in population.casts {
            match (cast.settings.seats(), cast.group.role) {
                (Seats::Nowhere, _) | (_, Role::Staker) => seating.seat_roaming(population, cast),
                (Seats::AllSubnets, _) => seating.seat_owner_of_all(population, cast)?,
                (_, Role::Owner) => seating.seat_owners(population, cast)?,
                (_, Role::Customer) => seating.seat_customers(population, cast),
                (_, Role::Validator | Role::Miner) => seating.seat_neurons(population, cast)?,
            }
        }
        for subnet in population.subnets {
            seating.order_neurons(subnet);
            seating.fill(subnet);
            seating.deal_alpha(population, subnet)?;
            seating.permit(subnet.netuid);
        }
        seating.deal_root(population)?;
        seating.average_flows(population);
        seating.deal_tao(population)?;
        Ok(seating)
    }

    fn make_root(&mut self) {
        let root = Subnet {
            added: true,
            params: Params::root(),
            mechanisms: vec![Mechanism::default()],
            ..Subnet::default()
        };
        self.state.subnets.insert(NetUid::ROOT, root);
    }

    fn make_subnet(&mut self, plan: &SubnetPlan) -> Result<(), String> {
        let height = self.state.height.0;
        let step = height.saturating_sub(plan.blocks_since_last_step);
        let pool = Pool {
            tao: plan.tao,
            alpha: plan.alpha_in,
            fee_rate: FEE_RATE_DEFAULT,
            ..Pool::default()
        };
        let subnet = Subnet {
            added: true,
            params: plan.params.clone(),
            fast: Fast {
                pool,
                moving_price: plan.moving_price,
                step_base: step,
                last_step: step,
                burn: Rao(plan.burn),
                difficulty: plan.params.max_difficulty,
                last_adjustment: height,
                ..Fast::default()
            },
            info: Info {
                name: plan.name.clone(),
                symbol: plan.symbol.clone(),
                owner: plan.owner.map(|(_, coldkey)| coldkey),
                owner_hotkey: plan.owner.map(|(hotkey, _)| hotkey),
                registered_at: plan.registered_at,
                first_emission: Some(plan.registered_at + 1),
                locked: Rao::ZERO,
                identity: None,
            },
            mechanisms: vec![Mechanism::default()],
            ..Subnet::default()
        };
        self.state.subnets.insert(plan.netuid, subnet);
        let claim = |seating: &mut Self, hotkey: AccountId, coldkey: AccountId, who: &str| {
            seating.claim_hotkey(hotkey, coldkey).map_err(|other| {
                let netuid = plan.netuid;
                format!("subnet {netuid}: {who}: {hotkey} is a hotkey of {coldkey} here, elsewhere of {other}")
            })
        };
        if let Some((hotkey, coldkey)) = plan.owner {
            claim(self, hotkey, coldkey, "its owner")?;
        }
        match &plan.imported {
            Some(imported) if !imported.neurons.is_empty() => {
                for neuron in &imported.neurons {
                    let who = format!("uid {} of {}", neuron.uid, plan.file);
                    claim(self, neuron.hotkey, neuron.owner(), &who)?;
                    self.set_take(neuron, &who)?;
                    self.enter_named(plan.netuid, neuron, imported);
                }
                let mut validators: Vec<&Neuron> = imported.validators().collect();
                validators.sort_by_key(|neuron| Reverse(neuron.alpha_stake));
                let weighted = validators.into_iter().map(behind).collect();
                self.delegates.insert(plan.netuid, weighted);
            }
            _ => {
                if let Some((hotkey, _)) = plan.owner {
                    self.enter_neuron(plan.netuid, hotkey);
                }
            }
        }
        Ok(())
    }

    /// Enters a hotkey that a file names. Where it is another coldkey's already it gives that.
    fn claim_hotkey(&mut self, hotkey: AccountId, coldkey: AccountId) -> Result<(), AccountId> {
        let owner = self.state.hotkeys.get(&hotkey).and_then(|entry| entry.owner);
        match owner.filter(|owner| *owner != coldkey) {
            Some(other) => Err(other),
            None => {
                self.enter_hotkey(hotkey, coldkey);
                Ok(())
            }
        }
    }

    fn set_take(&mut self, neuron: &Neuron, who: &str) -> Result<(), String> {
        let Some(take) = neuron.take else { return Ok(()) };
        let entry = self.state.hotkeys.get_mut(&neuron.hotkey).expect("it was entered");
        match entry.take.filter(|held| *held != TAKE && *held != take) {
            Some(held) => Err(format!("{who}: take is {take}, on another subnet {held}")),
            None => {
                entry.take = Some(take);
                Ok(())
            }
        }
    }

    fn seat_owners(&mut self, population: &Population<'_>, cast: &Cast<'_>) -> Result<(), String> {
        for plan in population.subnets.iter().filter(|plan| acts_on(cast, plan)) {
            let mut who = identity(cast.group, index_on(plan.netuid, 0), Some(plan.netuid));
            match plan.owner {
                Some((hotkey, coldkey)) => (who.hotkey, who.coldkey) = (hotkey, coldkey),
                None => {
                    self.check_room(cast, plan)?;
                    self.enter_hotkey(who.hotkey, who.coldkey);
                    self.enter_neuron(plan.netuid, who.hotkey);
                    let info = &mut self.subnet(plan.netuid).info;
                    (info.owner, info.owner_hotkey) = (Some(who.coldkey), Some(who.hotkey));
                }
            }
            self.take_seat(population, cast, who);
        }
        Ok(())
    }

    /// Whether a subnet has a uid left for a member of a group.
    fn check_room(&mut self, cast: &Cast<'_>, plan: &SubnetPlan) -> Result<(), String> {
        let most = usize::from(plan.params.max_allowed_uids);
        if self.subnet(plan.netuid).neurons.len() >= most {
            return Err(format!(
                "players.{}.count: subnet {} would have more than its {most} uids \
                 (max_allowed_uids)",
                cast.group.name, plan.netuid
            ));
        }
        Ok(())
    }

    /// One owner of all the group's subnets. Where the snapshot names one it takes its place, with its hotkey.
    fn seat_owner_of_all(
        &mut self,
        population: &Population<'_>,
        cast: &Cast<'_>,
    ) -> Result<(), String> {
        let (name, who) = (&cast.group.name, identity(cast.group, 0, None));
        for plan in population.subnets.iter().filter(|plan| acts_on(cast, plan)) {
            let rival = population.casts.iter().find(|other| {
                let owner = other.group.role == Role::Owner;
                let owns = owner && other.settings.seats() != Seats::Nowhere;
                owns && other.group.name != *name && acts_on(other, plan)
            });
            if let Some(rival) = rival {
                return Err(format!(
                    "players.{name}.subnets: subnet {} has an owner already, of players.{}",
                    plan.netuid, rival.group.name
                ));
            }
            let hotkey = match plan.owner {
                Some((hotkey, coldkey)) => {
                    self.leave_hotkey(hotkey, coldkey);
                    self.enter_hotkey(hotkey, who.coldkey);
                    hotkey
                }
                None => {
                    self.enter_hotkey(who.hotkey, who.coldkey);
                    self.enter_neuron(plan.netuid, who.hotkey);
                    who.hotkey
                }
            };
            let info = &mut self.subnet(plan.netuid).info;
            (info.owner, info.owner_hotkey) = (Some(who.coldkey), Some(hotkey));
        }
        self.take_seat(population, cast, who);
        Ok(())
    }

    /// Takes a hotkey from the coldkey that it was entered with.
    fn leave_hotkey(&mut self, hotkey: AccountId, coldkey: AccountId) {
        self.state.hotkeys.remove(&hotkey);
        if let Some(entry) = self.state.coldkeys.get_mut(&coldkey) {
            entry.owned.retain(|owned| *owned != hotkey);
            if *entry == Coldkey::default() {
                self.state.coldkeys.remove(&coldkey);
            }
        }
    }

    fn seat_customers(&mut self, population: &Population<'_>, cast: &Cast<'_>) {
        for plan in population.subnets.iter().filter(|plan| acts_on(cast, plan)) {
            for number in 0..u64::from(cast.group.count) {
                let index = index_on(plan.netuid, number);
                self.take_seat(population, cast, identity(cast.group, index, Some(plan.netuid)));
            }
        }
    }

    fn seat_neurons(&mut self, population: &Population<'_>, cast: &Cast<'_>) -> Result<(), String> {
        for plan in population.subnets.iter().filter(|plan| acts_on(cast, plan)) {
            if let Some(imported) = plan.imported.as_ref().filter(|_| cast.group.takes.is_some()) {
                self.seat_taken(population, cast, plan, imported);
                continue;
            }
            for number in 0..u64::from(cast.group.count) {
                let who = identity(cast.group, index_on(plan.netuid, number), Some(plan.netuid));
                self.check_room(cast, plan)?;
                self.enter_hotkey(who.hotkey, who.coldkey);
                self.enter_neuron(plan.netuid, who.hotkey);
                if cast.group.role == Role::Validator {
                    let weight = rank_weight(cast.group, number, FIRST_WEIGHT / (number + 1));
                    self.delegates.entry(plan.netuid).or_default().push((who.hotkey, weight));
                } else if !cast.group.ranks.is_empty() {
                    let weight = rank_weight(cast.group, number, 1);
                    self.ranked.entry(plan.netuid).or_default().insert(who.hotkey, weight);
                }
                self.join(cast, plan.netuid, &who);
                self.take_seat(population, cast, who);
            }
        }
        Ok(())
    }

    /// Players for neurons of a metagraph that have none: validators for those with a permit, by dividends, miners for
    /// the others, by incentive; of equals who has more alpha, then the lower uid. The owner's neuron is its own.
    fn seat_taken(
        &mut self,
        population: &Population<'_>,
        cast: &Cast<'_>,
        plan: &SubnetPlan,
        imported: &Imported,
    ) {
        let owner = self.subnet(plan.netuid).info.owner_hotkey;
        let validates = cast.group.role == Role::Validator;
        let earned = |neuron: &Neuron| if validates { neuron.dividends } else { neuron.incentive };
        let mut free: Vec<&Neuron> = imported
            .neurons
            .iter()
            .filter(|neuron| neuron.validator_permit == validates)
            .filter(|neuron| {
                Some(neuron.hotkey) != owner && !self.taken.contains(&(plan.netuid, neuron.hotkey))
            })
            .collect();
        free.sort_by_key(|neuron| {
            (Reverse((neuron.active, earned(neuron), neuron.alpha_stake)), neuron.uid)
        });
        for (number, neuron) in (0..u64::from(cast.group.count)).zip(free) {
            let mut who = identity(cast.group, index_on(plan.netuid, number), Some(plan.netuid));
            (who.hotkey, who.coldkey) = (neuron.hotkey, neuron.owner());
            self.taken.insert((plan.netuid, neuron.hotkey));
            self.join(cast, plan.netuid, &who);
            self.take_seat(population, cast, who);
        }
    }

    fn join(&mut self, cast: &Cast<'_>, netuid: NetUid, who: &Identity) {
        let members = self.members.entry((cast.group.name.clone(), netuid)).or_default();
        members.push((who.hotkey, who.coldkey));
    }

    fn seat_roaming(&mut self, population: &Population<'_>, cast: &Cast<'_>) {
        for index in 0..u64::from(cast.group.count) {
            self.take_seat(population, cast, identity(cast.group, index, None));
        }
    }

    fn take_seat(&mut self, population: &Population<'_>, cast: &Cast<'_>, identity: Identity) {
        let balance = Rao(match cast.group.spread_ppm {
            0 => cast.group.balance.0,
            _ => weight_of(population, cast, &identity.coldkey, cast.group.balance.0),
        });
        if balance > Rao::ZERO {
            let account = self.state.accounts.entry(identity.coldkey).or_default();
            account.free = account.free.plus(balance);
        }
        let arrives_ms = cast.group.arrives.map(|[first, last]| {
            let (seed, id) = (population.seed, identity.id.0);
            let mut moment = Dice::new(seed, Domain::Genesis, id, 0, DRAW_ARRIVAL);
            moment.between(first.0 * BLOCK_MS, last.0 * BLOCK_MS)
        });
        self.players.push(Seat { identity, player: cast.settings.clone().build(), arrives_ms });
    }

    fn enter_hotkey(&mut self, hotkey: AccountId, coldkey: AccountId) {
        let entry = Hotkey { owner: Some(coldkey), take: Some(TAKE), ..Hotkey::default() };
        if let Entry::Vacant(place) = self.state.hotkeys.entry(hotkey) {
            place.insert(entry);
            self.state.coldkeys.entry(coldkey).or_default().owned.push(hotkey);
        }
    }

    /// A neuron of a metagraph, in the order of uids.
    fn enter_named(&mut self, netuid: NetUid, neuron: &Neuron, imported: &Imported) {
        self.enter_neuron(netuid, neuron.hotkey);
        let subnet = self.subnet(netuid);
        let uid = usize::from(neuron.uid);
        let neurons = &mut subnet.neurons;
        neurons.registered_at[uid] = neuron.block_at_registration.unwrap_or_default();
        neurons.active[uid] = neuron.active;
        neurons.emission[uid] = Alpha(neuron.emission);
        neurons.consensus[uid] = neuron.consensus;
        neurons.dividends[uid] = neuron.dividends;
        neurons.validator_trust[uid] = neuron.validator_trust;
        neurons.validator_permit[uid] = neuron.validator_permit;
        let mechanism = &mut subnet.mechanisms[0];
        mechanism.incentive[uid] = neuron.incentive;
        mechanism.last_update[uid] = neuron.last_update.unwrap_or_default();
        let row = |rows: &BTreeMap<u16, Row>| rows.get(&neuron.uid).cloned().unwrap_or_default();
        mechanism.weights[uid] = imported.weights.as_ref().map(row).unwrap_or_default();
        mechanism.bonds[uid] = row(&imported.bonds);
    }

    /// Neurons that nobody plays, behind all others, until there are as many as wanted.
    fn fill(&mut self, plan: &SubnetPlan) {
        let netuid = plan.netuid;
        let from = self.subnet(netuid).neurons.len() as u64;
        for number in from..u64::from(plan.neurons_min) {
            let key = |key| account_of(BYSTANDERS, index_on(netuid, number), key, 0);
            self.enter_hotkey(key(Key::Hot), key(Key::Cold));
            self.enter_neuron(netuid, key(Key::Hot));
        }
    }

    fn enter_neuron(&mut self, netuid: NetUid, hotkey: AccountId) {
        let height = self.state.height.0;
        let subnet = self.subnet(netuid);
        // Old enough that nobody is pruned or safe because of a date that is not known.
        let registered_at = height.saturating_sub(u64::from(subnet.params.immunity_period) + 1);
        let neurons = &mut subnet.neurons;
        let uid = u16::try_from(neurons.len()).expect("max_allowed_uids is a u16");
        neurons.uids.insert(hotkey, uid);
        neurons.hotkeys.push(hotkey);
        neurons.registered_at.push(registered_at);
        neurons.active.push(true);
        neurons.emission.push(Alpha::ZERO);
        neurons.consensus.push(0);
        neurons.dividends.push(0);
        neurons.validator_trust.push(0);
        neurons.validator_permit.push(false);
        neurons.stake_weight.push(0);
        let mechanism = &mut subnet.mechanisms[0];
        mechanism.incentive.push(0);
        mechanism.last_update.push(height);
        mechanism.weights.push(Vec::new());
        mechanism.bonds.push(Vec::new());
    }

    /// Opening weights. A metagraph's are what it says; if it says none, its active validators start with a row in
    /// proportion to the incentives. Elsewhere every validator starts with weights on every neuron that is neither
    /// a validator nor the owner: equal ones, or in proportion to the miners' ranks.
    fn order_neurons(&mut self, plan: &SubnetPlan) {
        let netuid = plan.netuid;
        let validators: Vec<AccountId> =
            self.delegates.get(&netuid).into_iter().flatten().map(|(hotkey, _)| *hotkey).collect();
        let ranked = self.ranked.get(&netuid).cloned();
        let subnet = self.subnet(netuid);
        let owner = subnet.info.owner_hotkey;
        let uid = |hotkey: &AccountId| subnet.neurons.uid(hotkey);
        let mut setters: Vec<u16> = validators.iter().filter_map(uid).collect();
        let owner = owner.as_ref().and_then(uid);
        let named = plan.imported.as_ref().map_or(0, |imported| imported.neurons.len()) as u16;
        let incentives = &subnet.mechanisms[0].incentive;
        let weighted: Vec<(u16, u64)> = if incentives.iter().any(|incentive| *incentive > 0) {
            (0..).zip(incentives.iter().map(|incentive| u64::from(*incentive))).collect()
        } else {
            let hotkeys = &subnet.neurons.hotkeys;
            let weigh = |uid: &u16| {
                let rank = |ranked: &BTreeMap<AccountId, u64>| {
                    ranked.get(&hotkeys[usize::from(*uid)]).copied()
                };
                ranked.as_ref().and_then(rank).unwrap_or(1)
            };
            (0..hotkeys.len() as u16)
                .filter(|uid| Some(*uid) != owner && !setters.contains(uid))
                .map(|uid| (uid, weigh(&uid)))
                .collect()
        };
        let row = upscaled(&weighted);
        if let Some(imported) = &plan.imported {
            let told = imported.weights.is_some();
            setters
                .retain(|uid| *uid >= named || !told && imported.neurons[usize::from(*uid)].active);
        }
        for setter in setters {
            subnet.mechanisms[0].weights[usize::from(setter)].clone_from(&row);
        }
    }

    /// Deals all alpha outside the pool: what a metagraph names, then every group its part, the public the rest, to the
    /// last unit.
    fn deal_alpha(&mut self, population: &Population<'_>, plan: &SubnetPlan) -> Result<(), String> {
        let netuid = plan.netuid;
        let mut left = self.deal_named(plan);
        for cast in population.casts {
            let group = cast.group;
            let part = part_of(plan.alpha_out, group.stake_ppm).min(left.sum());
            if part == 0 || !acts_on(cast, plan) {
                continue;
            }
            let weighted = match group.role {
                Role::Owner => self.owner_weight(plan),
                Role::Validator => self.validator_weights(population, cast, plan),
                Role::Miner => alike((population, cast), &self.neurons_of(cast, plan)),
                Role::Staker => {
                    let holders = self.stakers_on(population, cast, plan);
                    alike((population, cast), &holders)
                }
                // The scenario's reader refuses a part for those who hold nothing.
                Role::Customer => Vec::new(),
            };
            if weighted.is_empty() {
                continue;
            }
            for (holder, alpha) in split(part, &weighted) {
                self.deal_to(netuid, &mut left, holder, alpha);
            }
        }
        let public = account_of(PUBLIC, u64::from(netuid.0), Key::Cold, 0);
        for (hotkey, alpha) in left.behind {
            self.stake(netuid, hotkey, public, alpha);
        }
        if left.free == 0 {
            return Ok(());
        }
        if plan.imported.is_some() {
            self.stake_apart(netuid, public, left.free);
            return Ok(());
        }
        let mut delegates = self.delegates.get(&netuid).cloned().unwrap_or_default();
        if delegates.is_empty() {
            let owner = self.subnet(netuid).info.owner_hotkey;
            delegates = owner.map(|hotkey| (hotkey, 1)).into_iter().collect();
        }
        if delegates.is_empty() {
            return Err(format!(
                "subnet.{netuid}: nobody can hold its alpha_out: add a group of owners or validators"
            ));
        }
        for (hotkey, alpha) in split(left.free, &delegates) {
            self.stake(netuid, hotkey, public, alpha);
        }
        Ok(())
    }

    /// Deals what a metagraph names: holders theirs, neurons without a permit what is behind them beyond that, which is
    /// their own. What is left behind validators is anybody's.
    fn deal_named(&mut self, plan: &SubnetPlan) -> Left {
        let mut left = Left { free: plan.alpha_out, behind: BTreeMap::new() };
        let Some(imported) = &plan.imported else { return left };
        self.deal_holders(plan.netuid, &imported.holders, &mut left);
        let held = held_behind(&imported.holders);
        for neuron in &imported.neurons {
            let named = held.get(&neuron.hotkey).copied().unwrap_or(0);
            let rest = neuron.alpha_stake.map_or(0, |stake| stake - named);
            left.free -= rest;
            if neuron.validator_permit {
                left.behind.insert(neuron.hotkey, rest);
            } else {
                left.behind.insert(neuron.hotkey, 0);
                let owner = self.state.owner(&neuron.hotkey).unwrap_or_else(|| neuron.owner());
                self.stake(plan.netuid, neuron.hotkey, owner, rest);
            }
        }
        left
    }

    fn deal_holders(&mut self, netuid: NetUid, holders: &[Holder], left: &mut Left) {
        for Holder { hotkey, coldkey, stake } in holders {
            if *stake > 0 {
                // Whose hotkey it is that is no neuron, nobody says.
                self.enter_hotkey(*hotkey, *hotkey);
                self.stake(netuid, *hotkey, *coldkey, *stake);
                left.free -= stake;
            }
        }
    }

    /// Deals a part where a holder wants it: behind a neuron of a metagraph as far as there is something left behind it,
    /// then behind those with most left, at last behind a hotkey of the public that is no neuron.
    fn deal_to(
        &mut self,
        netuid: NetUid,
        left: &mut Left,
        (hotkey, coldkey): (AccountId, AccountId),
        alpha: u64,
    ) {
        let mut due = alpha;
        let named = left.behind.contains_key(&hotkey);
        if !named {
            let here = due.min(left.free);
            left.free -= here;
            due -= here;
            self.stake(netuid, hotkey, coldkey, here);
        }
        let mut wanted = named.then_some(hotkey);
        while due > 0 {
            let rooms = || left.behind.iter().filter(|(_, room)| **room > 0);
            let most = || rooms().max_by_key(|(hotkey, room)| (**room, Reverse(**hotkey)));
            let Some(behind) = wanted.take().or_else(|| most().map(|(hotkey, _)| *hotkey)) else {
                break;
            };
            let room = left.behind.get_mut(&behind).expect("it is one of them");
            let here = due.min(*room);
            *room -= here;
            due -= here;
            self.stake(netuid, behind, coldkey, here);
        }
        if due > 0 {
            left.free -= due;
            self.stake_apart(netuid, coldkey, due);
        }
    }

    /// Stake behind a hotkey that is the public's and no neuron.
    fn stake_apart(&mut self, netuid: NetUid, coldkey: AccountId, alpha: u64) {
        let key = |key| account_of(PUBLIC, u64::from(netuid.0), key, 0);
        self.enter_hotkey(key(Key::Hot), key(Key::Cold));
        self.stake(netuid, key(Key::Hot), coldkey, alpha);
    }

    fn owner_weight(&mut self, plan: &SubnetPlan) -> Vec<((AccountId, AccountId), u64)> {
        let info = &self.subnet(plan.netuid).info;
        let owner = info.owner_hotkey.zip(info.owner);
        owner.map(|owner| (owner, 1)).into_iter().collect()
    }

    /// Members of a group of validators by rank; those that took neurons of a metagraph by what is behind them.
    fn validator_weights(
        &self,
        population: &Population<'_>,
        cast: &Cast<'_>,
        plan: &SubnetPlan,
    ) -> Vec<((AccountId, AccountId), u64)> {
        let named: BTreeMap<AccountId, u64> =
            plan.imported.iter().flat_map(|it| it.validators()).map(behind).collect();
        let weigh = |(rank, member): (u64, (AccountId, AccountId))| {
            let of_rank = || rank_weight(cast.group, rank, FIRST_WEIGHT / (rank + 1));
            let weight = named.get(&member.0).copied().unwrap_or_else(of_rank);
            (member, weight_of(population, cast, &member.1, weight))
        };
        (0..).zip(self.neurons_of(cast, plan)).map(weigh).collect()
    }

    /// (hotkey, coldkey) of a group's neurons on a subnet.
    fn neurons_of(&self, cast: &Cast<'_>, plan: &SubnetPlan) -> Vec<(AccountId, AccountId)> {
        self.members.get(&(cast.group.name.clone(), plan.netuid)).cloned().unwrap_or_default()
    }

    /// (validator's hotkey, coldkey) of a group's members that drew a position on a subnet.
    fn stakers_on(
        &mut self,
        population: &Population<'_>,
        cast: &Cast<'_>,
        plan: &SubnetPlan,
    ) -> Vec<(AccountId, AccountId)> {
        let name = &cast.group.name;
        if !self.positions.contains_key(name) {
            let drawn = self.draw_positions(population, cast);
            self.positions.insert(name.clone(), drawn);
        }
        let Some(delegates) = self.delegates.get(&plan.netuid) else { return Vec::new() };
        let drawn = self.positions.get(name).and_then(|drawn| drawn.get(&plan.netuid));
        let holder = |index: &u64| {
            let id = player_id(name, *index);
            let draw = DRAW_DELEGATE | (u64::from(plan.netuid.0) << 8);
            let mut choice = Dice::new(population.seed, Domain::Genesis, id.0, 0, draw);
            let delegate = choice.below(delegates.len() as u64) as usize;
            (delegates[delegate].0, account_of(name, *index, Key::Cold, 0))
        };
        drawn.into_iter().flatten().map(holder).collect()
    }

    /// Which members of a group drew a position on each subnet, by index.
    fn draw_positions(
        &self,
        population: &Population<'_>,
        cast: &Cast<'_>,
    ) -> BTreeMap<NetUid, Vec<u64>> {
        let mut drawn: BTreeMap<NetUid, Vec<u64>> = BTreeMap::new();
        let subnets = population.subnets.iter();
        let subnets: Vec<NetUid> = subnets
            .filter(|plan| acts_on(cast, plan) && self.delegates.contains_key(&plan.netuid))
            .map(|plan| plan.netuid)
            .collect();
        if subnets.is_empty() {
            return drawn;
        }
        for index in 0..u64::from(cast.group.count) {
            let id = player_id(&cast.group.name, index);
            let mut dice = Dice::new(population.seed, Domain::Genesis, id.0, 0, DRAW_POSITIONS);
            for _ in 0..cast.group.positions {
                let members = drawn.entry(subnets[dice.below(subnets.len() as u64) as usize]);
                let members = members.or_default();
                // Who draws a subnet twice holds one position there.
                if members.last() != Some(&index) {
                    members.push(index);
                }
            }
        }
        drawn
    }

    /// Deals the stake on root: what is named, groups' parts behind drawn validators, the rest the public's, spread over
    /// all subnets alike. The first validators of the first subnets get root's uids.
    fn deal_root(&mut self, population: &Population<'_>) -> Result<(), String> {
        let root = NetUid::ROOT;
        let mut left = Left { free: population.root_stake, behind: BTreeMap::new() };
        self.deal_holders(root, &population.root_holders, &mut left);
        self.name_root(population, &mut left)?;
        if population.root_stake == 0 {
            return Ok(());
        }
        let delegates: Vec<AccountId> =
            self.delegates.values().flatten().map(|(hotkey, _)| *hotkey).collect();
        if delegates.is_empty() {
            return Err(
                "genesis.root_stake: nobody can hold it: add a group of validators".to_owned()
            );
        }
        for cast in population.casts.iter().filter(|cast| cast.group.root_stake_ppm > 0) {
            let part = part_of(population.root_stake, cast.group.root_stake_ppm).min(left.sum());
            let members = self.members(cast);
            let holders: Vec<(AccountId, AccountId)> = members
                .into_iter()
                .map(|who| {
                    let (seed, id) = (population.seed, who.id.0);
                    let mut choice = Dice::new(seed, Domain::Genesis, id, 0, DRAW_ROOT_DELEGATE);
                    let drawn = delegates[choice.below(delegates.len() as u64) as usize];
                    let own = cast.group.role == Role::Validator;
                    (if own { who.hotkey } else { drawn }, who.coldkey)
                })
                .collect();
            let weighted = alike((population, cast), &holders);
            if weighted.is_empty() {
                continue;
            }
            for (holder, stake) in split(part, &weighted) {
                self.deal_to(root, &mut left, holder, stake);
            }
        }
        let public = account_of(PUBLIC, u64::from(root.0), Key::Cold, 0);
        for (hotkey, stake) in std::mem::take(&mut left.behind) {
            self.stake(root, hotkey, public, stake);
        }
        let mut places = self.delegates.clone();
        for plan in population.subnets {
            let Some(imported) = &plan.imported else { continue };
            if imported.same_block && imported.names_root() {
                places.remove(&plan.netuid);
            } else if imported.names_root() {
                // Of another block it tells how they share, not how much they have.
                let weighted = imported.validators().map(|it| (it.hotkey, it.tao_stake));
                places.insert(plan.netuid, weighted.collect());
            }
        }
        let shares: Vec<(NetUid, u64)> = places.keys().map(|netuid| (*netuid, 1)).collect();
        if shares.is_empty() && left.free > 0 {
            self.stake_apart(root, public, left.free);
        }
        for (netuid, part) in split(left.free, &shares) {
            let public = account_of(PUBLIC, u64::from(netuid.0), Key::Cold, 0);
            for (hotkey, alpha) in split(part, &places[&netuid]) {
                self.stake(root, hotkey, public, alpha);
            }
        }
        let uids = usize::from(self.subnet(root).params.max_allowed_uids);
        let firsts: Vec<AccountId> =
            self.delegates.values().filter_map(|row| row.first()).map(|(key, _)| *key).collect();
        for hotkey in firsts.into_iter().take(uids) {
            if self.subnet(root).neurons.uid(&hotkey).is_none() {
                self.enter_neuron(root, hotkey);
            }
        }
        let pool = &mut self.subnet(root).fast.pool;
        pool.tao = pool.alpha_out;
        self.index_root_stakers();
        Ok(())
    }

    /// What metagraphs of the block of genesis have behind their neurons on root is there. Where two tell of one
    /// hotkey the larger counts: a metagraph counts what parents lend on its subnet.
    fn name_root(&self, population: &Population<'_>, left: &mut Left) -> Result<(), String> {
        let held = held_behind(&population.root_holders);
        let imported = population.subnets.iter().filter_map(|plan| plan.imported.as_ref());
        for neuron in imported.filter(|it| it.same_block).flat_map(|it| &it.neurons) {
            if neuron.tao_stake > 0 {
                let named = held.get(&neuron.hotkey).copied().unwrap_or(0);
                let rest = neuron.tao_stake.saturating_sub(named);
                let entry = left.behind.entry(neuron.hotkey).or_default();
                *entry = rest.max(*entry);
            }
        }
        let sum: u128 = left.behind.values().map(|stake| u128::from(*stake)).sum();
        let free = u64::try_from(sum).ok().and_then(|sum| left.free.checked_sub(sum));
        left.free = free.ok_or_else(|| {
            format!(
                "genesis: tao_stake of all neurons is {} TAO, more than the {} TAO that root has left",
                sum / u128::from(UNITS_PER_TOKEN),
                left.free / UNITS_PER_TOKEN
            )
        })?;
        Ok(())
    }

    fn members(&self, cast: &Cast<'_>) -> Vec<Identity> {
        let seats = self.players.iter().map(|seat| &seat.identity);
        seats.filter(|who| who.group == cast.group.name).cloned().collect()
    }

    fn index_root_stakers(&mut self) {
        let root = self.state.subnets.get(&NetUid::ROOT).expect("it was made first");
        let mut holders: Vec<AccountId> =
            root.pools.values().flat_map(|pool| pool.holders.keys().copied()).collect();
        holders.sort();
        holders.dedup();
        for (index, coldkey) in (0..).zip(&holders) {
            self.state.coldkeys.entry(*coldkey).or_default().root_index = Some(index);
        }
        self.state.global.root_stakers = holders.len() as u64;
    }

    /// Gives stake: one share per unit of alpha, as the first holder of a share pool gets them.
    fn stake(&mut self, netuid: NetUid, hotkey: AccountId, coldkey: AccountId, alpha: u64) {
        if alpha == 0 {
            return;
        }
        let subnet = self.subnet(netuid);
        let shares = u128::from(alpha) << SHARE_BITS;
        let pool = subnet.pools.entry(hotkey).or_default();
        pool.alpha = pool.alpha.plus(Alpha(alpha));
        pool.shares += shares;
        *pool.holders.entry(coldkey).or_default() += shares;
        subnet.fast.pool.alpha_out += alpha;
        let staking = &mut self.state.coldkeys.entry(coldkey).or_default().staking;
        if !staking.contains(&hotkey) {
            staking.push(hotkey);
        }
    }

    /// The validators may set weights, as far as the subnet allows.
    fn permit(&mut self, netuid: NetUid) {
        let delegates = self.delegates.get(&netuid).cloned().unwrap_or_default();
        let subnet = self.subnet(netuid);
        let most = usize::from(subnet.params.max_allowed_validators);
        let permits = &mut subnet.neurons.validator_permit;
        let mut there = permits.iter().filter(|permit| **permit).count();
        for uid in delegates.iter().filter_map(|(hotkey, _)| subnet.neurons.uids.get(hotkey)) {
            let permit = &mut permits[usize::from(*uid)];
            if !*permit && there < most {
                (*permit, there) = (true, there + 1);
            }
        }
    }

    /// The flow average of a subnet is its relative share of the stated sum.
    fn average_flows(&mut self, population: &Population<'_>) {
        let sum: u128 = population.subnets.iter().map(|plan| u128::from(plan.flow_share)).sum();
        let height = self.state.height.0;
        for plan in population.subnets {
            let total = u128::from(population.flow_ema_total);
            // A whole share of all TAO there can be, 2^55 rao, times 2^64 fits into 127 bits.
            let bits = match sum {
                0 => 0,
                _ => (total << 64) / sum * u128::from(plan.flow_share),
            };
            let bits = i128::try_from(bits).unwrap_or(i128::MAX);
            self.subnet(plan.netuid).fast.flow_average = Some((height, bits));
        }
    }

    /// What is in no pool and in no player's hands is the rest of the world's, but for the deposit
    /// that keeps the block author's account alive.
    fn deal_tao(&mut self, population: &Population<'_>) -> Result<(), String> {
        let pools: u128 =
            self.state.subnets.values().map(|subnet| u128::from(subnet.fast.pool.tao)).sum();
        let free: u128 =
            self.state.accounts.values().map(|account| u128::from(account.free.0)).sum();
        let rest = u128::from(population.total_issuance).checked_sub(pools + free);
        let rest = rest.and_then(|rest| u64::try_from(rest).ok()).ok_or_else(|| {
            format!(
                "genesis.total_issuance: pools hold {} TAO and players {} TAO, more than all there is",
                pools / 1_000_000_000,
                free / 1_000_000_000
            )
        })?;
        // The account exists from the start, or the first small fees would be lost as dust.
        let author = account_of(AUTHOR, 0, Key::Cold, 0);
        let deposit = rest.min(EXISTENTIAL_DEPOSIT.0);
        if deposit > 0 {
            self.state.accounts.insert(author, Account { free: Rao(deposit), nonce: 0 });
        }
        let rest = rest - deposit;
        self.state.global.block_author = Some(author);
        if rest > 0 {
            let treasury = account_of(TREASURY, 0, Key::Cold, 0);
            self.state.accounts.insert(treasury, Account { free: Rao(rest), nonce: 0 });
        }
        self.state.global.total_issuance = Rao(population.total_issuance);
        self.state.global.total_stake = Rao(u64::try_from(pools).expect("part of the issuance"));
        Ok(())
    }

    fn subnet(&mut self, netuid: NetUid) -> &mut Subnet {
        self.state.subnets.get_mut(&netuid).expect("it was made before")
    }
}

/// The accounts that no player holds, by what they stand for; those of the public by subnet.
pub fn nobodies(netuids: impl Iterator<Item = NetUid>) -> Vec<(AccountId, &'static str)> {
    let publics =
        netuids.map(|netuid| (account_of(PUBLIC, u64::from(netuid.0), Key::Cold, 0), PUBLIC));
    let others = [TREASURY, AUTHOR].map(|name| (account_of(name, 0, Key::Cold, 0), name));
    publics.chain(others).collect()
}

/// The index of a player that has a place of its own on each subnet.
const fn index_on(netuid: NetUid, number: u64) -> u64 {
    ((netuid.0 as u64) << 16) | number
}

fn identity(group: &Group, index: u64, netuid: Option<NetUid>) -> Identity {
    Identity::new(&group.name, index, netuid)
}

fn acts_on(cast: &Cast<'_>, plan: &SubnetPlan) -> bool {
    cast.group.subnets.has(plan.netuid.0)
}

/// A member's weight under its group's spread: the same wherever it holds something.
fn weight_of(
    population: &Population<'_>,
    cast: &Cast<'_>,
    coldkey: &AccountId,
    weight: u64,
) -> u64 {
    if cast.group.spread_ppm == 0 {
        return weight;
    }
    let [a, b, c, d, e, f, g, h, ..] = coldkey.0;
    let member = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
    let mut dice = Dice::new(population.seed, Domain::Genesis, member, 0, DRAW_SPREAD);
    let deviation = f64::from(cast.group.spread_ppm) / PPM as f64;
    let drawn = lognormal(&mut dice, deviation).min(SPREAD_MAX);
    // A cast of a float saturates; weights are far from there.
    ((weight as f64 * drawn) as u64).max(1)
}

/// What is left to deal of a subnet's alpha, or of root's TAO.
#[derive(Debug)]
struct Left {
    /// Behind nobody yet.
    free: u64,
    /// Behind neurons that a metagraph names, as far as it names no holder.
    behind: BTreeMap<AccountId, u64>,
}

impl Left {
    fn sum(&self) -> u64 {
        self.free + self.behind.values().sum::<u64>()
    }
}

impl Imported {
    /// Neurons that may set weights.
    fn validators(&self) -> impl Iterator<Item = &Neuron> {
        self.neurons.iter().filter(|neuron| neuron.validator_permit)
    }

    /// Whether it says what is behind its validators on root.
    fn names_root(&self) -> bool {
        self.validators().any(|neuron| neuron.tao_stake > 0)
    }
}

/// A neuron's hotkey with the alpha behind it, as a weight.
fn behind(neuron: &Neuron) -> (AccountId, u64) {
    (neuron.hotkey, neuron.alpha_stake.unwrap_or(0).max(1))
}

/// The weight of a group's member: of its ranks, of which the last holds for all that follow, else another.
fn rank_weight(group: &Group, number: u64, otherwise: u64) -> u64 {
    let at = usize::try_from(number).unwrap_or(usize::MAX);
    let rank = group.ranks.get(at).or_else(|| group.ranks.last());
    rank.map_or(otherwise, |rank| u64::from(*rank))
}

/// Holders of a group with their weights: equal ones, or as its ranks and its spread have it.
fn alike(
    (population, cast): (&Population<'_>, &Cast<'_>),
    holders: &[(AccountId, AccountId)],
) -> Vec<((AccountId, AccountId), u64)> {
    let even = if cast.group.spread_ppm == 0 { 1 } else { FIRST_WEIGHT };
    let weigh = |(number, holder): (u64, &(AccountId, AccountId))| {
        let weight = rank_weight(cast.group, number, even);
        (*holder, weight_of(population, cast, &holder.1, weight))
    };
    (0..).zip(holders).map(weigh).collect()
}

/// A row of weights in proportion to others, the largest 65,535, rounded down; what is nothing then is left out.
fn upscaled(weighted: &[(u16, u64)]) -> Row {
    let most = weighted.iter().map(|(_, weight)| *weight).max().unwrap_or(0).max(1);
    let scaled = weighted.iter().map(|(uid, weight)| {
        let scaled = u128::from(*weight) * u128::from(u16::MAX) / u128::from(most);
        (*uid, u16::try_from(scaled).expect("no weight is above the most"))
    });
    scaled.filter(|(_, weight)| *weight > 0).collect()
}

/// A part of a whole, rounded down.
fn part_of(whole: u64, ppm: u32) -> u64 {
    (u128::from(whole) * u128::from(ppm) / PPM) as u64
}

/// Splits an amount by weights, rounded down; the first takes what rounding leaves. The parts sum to the whole.
fn split<T: Copy>(whole: u64, weighted: &[(T, u64)]) -> Vec<(T, u64)> {
    let sum: u128 = weighted.iter().map(|(_, weight)| u128::from(*weight)).sum();
    let mut parts: Vec<(T, u64)> = weighted
        .iter()
        .map(|(who, weight)| {
            let part = (u128::from(whole) * u128::from(*weight)).checked_div(sum).unwrap_or(0);
            (*who, part as u64)
        })
        .collect();
    let dealt: u64 = parts.iter().map(|(_, part)| part).sum();
    if let Some((_, first)) = parts.first_mut() {
        *first += whole - dealt;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::{split, upscaled};

    #[test]
    fn parts_sum_to_the_whole() {
        let rows: &[(u64, &[u64], &[u64])] = &[
            (10, &[1, 1, 1], &[4, 3, 3]),
            (10, &[3, 1], &[8, 2]),
            (0, &[5, 5], &[0, 0]),
            (7, &[0, 0], &[7, 0]),
            (u64::MAX, &[1, 1], &[u64::MAX / 2 + 1, u64::MAX / 2]),
        ];
        for (whole, weights, expected) in rows {
            let weighted: Vec<((), u64)> = weights.iter().map(|weight| ((), *weight)).collect();
            let parts: Vec<u64> = split(*whole, &weighted).into_iter().map(|part| part.1).collect();
            assert_eq!(parts, *expected);
            assert_eq!(parts.iter().sum::<u64>(), *whole);
        }
    }

    #[test]
    fn a_row_has_its_largest_weight_at_the_most() {
        type Weighted = &'static [(u16, u64)];
        let rows: &[(Weighted, &[(u16, u16)])] = &[
            (&[(1, 1), (4, 1)], &[(1, 65_535), (4, 65_535)]),
            (&[(1, 2), (4, 1), (5, 0)], &[(1, 65_535), (4, 32_767)]),
            (&[(1, u64::MAX), (4, 1)], &[(1, 65_535)]),
            (&[(1, 0)], &[]),
            (&[], &[]),
        ];
        for (weighted, expected) in rows {
            assert_eq!(upscaled(weighted), *expected);
        }
    }
}
