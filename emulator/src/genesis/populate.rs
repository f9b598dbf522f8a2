//! Holdings, neurons and balances: who there is and what everybody has at genesis.
//!
//! Sums per subnet are the snapshot's, to the last unit; how they are spread is generated: within a subnet the k-th
//! validator of a group has a weight of 1/k, stakers hold equal parts on subnets they draw, and what no group claims
//! belongs to an account per subnet that stands for the public, behind the subnet's validators.

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
    Account, Coldkey, FEE_RATE_DEFAULT, Fast, Hotkey, Info, Mechanism, Params, State, Subnet,
};
use protocol::units::{AccountId, Alpha, BLOCK_MS, NetUid, Rao};
use std::collections::BTreeMap;

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
            positions: BTreeMap::new(),
        };
        seating.make_root();
        for subnet in population.subnets {
            seating.make_subnet(subnet);
        }
        for cast in population.casts {
            match (cast.settings.seats(), cast.group.role) {
                (Seats::Nowhere, _) | (_, Role::Staker) => seating.seat_roaming(population, cast),
                (Seats::AllSubnets, _) => seating.seat_owner_of_all(population, cast)?,
                (_, Role::Owner) => seating.seat_owners(population, cast),
                (_, Role::Customer) => seating.seat_customers(population, cast),
                (_, Role::Validator | Role::Miner) => seating.seat_neurons(population, cast)?,
            }
        }
        for subnet in population.subnets {
            seating.order_neurons(subnet.netuid);
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

    fn make_subnet(&mut self, plan: &SubnetPlan) {
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
        if let Some((hotkey, coldkey)) = plan.owner {
            self.enter_hotkey(hotkey, coldkey);
            self.enter_neuron(plan.netuid, hotkey);
        }
    }

    fn seat_owners(&mut self, population: &Population<'_>, cast: &Cast<'_>) {
        for plan in population.subnets.iter().filter(|plan| acts_on(cast, plan)) {
            let mut who = identity(cast.group, index_on(plan.netuid, 0), Some(plan.netuid));
            match plan.owner {
                Some((hotkey, coldkey)) => (who.hotkey, who.coldkey) = (hotkey, coldkey),
                None => {
                    self.enter_hotkey(who.hotkey, who.coldkey);
                    self.enter_neuron(plan.netuid, who.hotkey);
                    let info = &mut self.subnet(plan.netuid).info;
                    (info.owner, info.owner_hotkey) = (Some(who.coldkey), Some(who.hotkey));
                }
            }
            self.take_seat(population, cast, who);
        }
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
            for number in 0..u64::from(cast.group.count) {
                let who = identity(cast.group, index_on(plan.netuid, number), Some(plan.netuid));
                let most = usize::from(plan.params.max_allowed_uids);
                if self.subnet(plan.netuid).neurons.len() >= most {
                    return Err(format!(
                        "players.{}.count: subnet {} would have more than its {most} uids \
                         (max_allowed_uids)",
                        cast.group.name, plan.netuid
                    ));
                }
                self.enter_hotkey(who.hotkey, who.coldkey);
                self.enter_neuron(plan.netuid, who.hotkey);
                if cast.group.role == Role::Validator {
                    let weight = FIRST_WEIGHT / (number + 1);
                    self.delegates.entry(plan.netuid).or_default().push((who.hotkey, weight));
                }
                self.take_seat(population, cast, who);
            }
        }
        Ok(())
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
        if self.state.hotkeys.insert(hotkey, entry).is_none() {
            self.state.coldkeys.entry(coldkey).or_default().owned.push(hotkey);
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

    /// Every validator starts with equal weights on every neuron that is neither a validator nor the owner.
    fn order_neurons(&mut self, netuid: NetUid) {
        let validators: Vec<AccountId> =
            self.delegates.get(&netuid).into_iter().flatten().map(|(hotkey, _)| *hotkey).collect();
        let subnet = self.subnet(netuid);
        let owner = subnet.info.owner_hotkey;
        let uid = |hotkey: &AccountId| subnet.neurons.uid(hotkey);
        let setters: Vec<u16> = validators.iter().filter_map(uid).collect();
        let owner = owner.as_ref().and_then(uid);
        let count = subnet.neurons.len() as u16;
        let row: Vec<(u16, u16)> = (0..count)
            .filter(|uid| Some(*uid) != owner && !setters.contains(uid))
            .map(|uid| (uid, u16::MAX))
            .collect();
        for setter in setters {
            subnet.mechanisms[0].weights[usize::from(setter)].clone_from(&row);
        }
    }

    /// Deals all alpha outside the pool: every group its part, the public the rest, to the last unit.
    fn deal_alpha(&mut self, population: &Population<'_>, plan: &SubnetPlan) -> Result<(), String> {
        let netuid = plan.netuid;
        let mut left = plan.alpha_out;
        for cast in population.casts {
            let group = cast.group;
            let part = part_of(plan.alpha_out, group.stake_ppm).min(left);
            if part == 0 || !acts_on(cast, plan) {
                continue;
            }
            let dealt = match group.role {
                Role::Owner => self.deal_owner(cast, plan, part),
                Role::Validator => self.deal_validators(population, cast, plan, part),
                Role::Miner => {
                    self.deal_alike((population, cast), &self.neurons_of(cast, plan), netuid, part)
                }
                Role::Staker => {
                    let holders = self.stakers_on(population, cast, plan);
                    self.deal_alike((population, cast), &holders, netuid, part)
                }
                // The scenario's reader refuses a part for those who hold nothing.
                Role::Customer => 0,
            };
            left -= dealt;
        }
        if left == 0 {
            return Ok(());
        }
        let public = account_of(PUBLIC, u64::from(netuid.0), Key::Cold, 0);
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
        for (hotkey, alpha) in split(left, &delegates) {
            self.stake(netuid, hotkey, public, alpha);
        }
        Ok(())
    }

    fn deal_owner(&mut self, cast: &Cast<'_>, plan: &SubnetPlan, part: u64) -> u64 {
        let info = &self.subnet(plan.netuid).info;
        let (Some(hotkey), Some(coldkey)) = (info.owner_hotkey, info.owner) else { return 0 };
        debug_assert_eq!(cast.group.role, Role::Owner);
        self.stake(plan.netuid, hotkey, coldkey, part);
        part
    }

    fn deal_validators(
        &mut self,
        population: &Population<'_>,
        cast: &Cast<'_>,
        plan: &SubnetPlan,
        part: u64,
    ) -> u64 {
        let members = self.neurons_of(cast, plan);
        let weights = (1..).map(|rank| FIRST_WEIGHT / rank);
        let weighted: Vec<_> = members
            .into_iter()
            .zip(weights)
            .map(|(member, weight)| (member, weight_of(population, cast, &member.1, weight)))
            .collect();
        if weighted.is_empty() {
            return 0;
        }
        for ((hotkey, coldkey), alpha) in split(part, &weighted) {
            self.stake(plan.netuid, hotkey, coldkey, alpha);
        }
        part
    }

    fn deal_alike(
        &mut self,
        (population, cast): (&Population<'_>, &Cast<'_>),
        holders: &[(AccountId, AccountId)],
        netuid: NetUid,
        part: u64,
    ) -> u64 {
        let weigh = |(_, coldkey): &(AccountId, AccountId)| {
            weight_of(
                population,
                cast,
                coldkey,
                if cast.group.spread_ppm == 0 { 1 } else { FIRST_WEIGHT },
            )
        };
        let weighted: Vec<_> = holders.iter().map(|holder| (*holder, weigh(holder))).collect();
        if weighted.is_empty() {
            return 0;
        }
        for ((hotkey, coldkey), alpha) in split(part, &weighted) {
            self.stake(netuid, hotkey, coldkey, alpha);
        }
        part
    }

    /// (hotkey, coldkey) of a group's neurons on a subnet.
    fn neurons_of(&self, cast: &Cast<'_>, plan: &SubnetPlan) -> Vec<(AccountId, AccountId)> {
        let numbers = 0..u64::from(cast.group.count);
        let members =
            numbers.map(|number| identity(cast.group, index_on(plan.netuid, number), None));
        members.map(|who| (who.hotkey, who.coldkey)).collect()
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

    /// Deals the stake on root: groups' parts behind drawn validators, the rest the public's, spread over all
    /// subnets alike. The first validators of the first subnets get root's uids.
    fn deal_root(&mut self, population: &Population<'_>) -> Result<(), String> {
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
        let root = NetUid::ROOT;
        let mut left = population.root_stake;
        for cast in population.casts.iter().filter(|cast| cast.group.root_stake_ppm > 0) {
            let part = part_of(population.root_stake, cast.group.root_stake_ppm).min(left);
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
            left -= self.deal_alike((population, cast), &holders, root, part);
        }
        let places: Vec<(NetUid, u64)> = self.delegates.keys().map(|netuid| (*netuid, 1)).collect();
        for (netuid, part) in split(left, &places) {
            let public = account_of(PUBLIC, u64::from(netuid.0), Key::Cold, 0);
            for (hotkey, alpha) in split(part, &self.delegates[&netuid].clone()) {
                self.stake(root, hotkey, public, alpha);
            }
        }
        let uids = usize::from(self.subnet(root).params.max_allowed_uids);
        let firsts: Vec<AccountId> =
            self.delegates.values().filter_map(|row| row.first()).map(|(key, _)| *key).collect();
        for hotkey in firsts.into_iter().take(uids) {
            self.enter_neuron(root, hotkey);
        }
        let pool = &mut self.subnet(root).fast.pool;
        pool.tao = pool.alpha_out;
        self.index_root_stakers();
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
        for (hotkey, _) in delegates.iter().take(most) {
            if let Some(uid) = subnet.neurons.uid(hotkey) {
                subnet.neurons.validator_permit[usize::from(uid)] = true;
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
    Identity {
        id: player_id(&group.name, index),
        group: group.name.clone(),
        index,
        coldkey: account_of(&group.name, index, Key::Cold, 0),
        hotkey: account_of(&group.name, index, Key::Hot, 0),
        netuid,
    }
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
    use super::split;

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
}
