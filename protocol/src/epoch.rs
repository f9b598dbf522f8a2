//! An epoch of a subnet: the snapshot for `yuma`, and the payout of the drained pots (20 §9, §10.1).

use crate::commits::earliest_blocks;
use crate::event::{EpochPaid, EpochRun, Event, PotsDrained};
use crate::fixed::{I96F32, U96F32, add, checked_div, fx, int, mul, safe_div, sub};
use crate::fixed::{u16_fraction, u64_fraction};
use crate::ledger::Position;
use crate::registration::DELEGATE_TAKE_DEFAULT;
use crate::shares;
use crate::state::{Mechanism, Row, State, Subnet};
use crate::tx::Tx;
use crate::units::{AccountId, Alpha, NetUid};
use crate::weights::stake_weight;
use crate::yuma::{self, EpochInput, EpochOutput};
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec;
use alloc::vec::Vec;

/// The pots a subnet gave up.
#[derive(Clone, Copy, Debug)]
struct Pots {
    server: u64,
    validator: u64,
    root: u64,
    owner: u64,
}

/// Runs and pays the epochs of the drained subnets, one after the other in ascending netuid.
pub fn run_all(tx: &mut Tx<'_>, drained: &PotsDrained) {
    for (index, netuid) in drained.netuids.iter().enumerate() {
        let pots = Pots {
            server: drained.server[index].0,
            validator: drained.validator[index].0,
            root: drained.root[index].0,
            owner: drained.owner[index].0,
        };
        let Some(run) = run(tx.state(), *netuid, pots) else {
            continue;
        };
        // The payout reads nothing that the epoch changes, so the run need not be copied for it.
        let paid = pay(tx.state(), &run, pots);
        tx.emit(Event::EpochRun(Box::new(run)));
        if let Some(paid) = paid {
            tx.emit(Event::EpochPaid(Box::new(paid)));
        }
    }
}

/// Computes the epoch of a subnet from its state. Reads only.
fn run(state: &State, netuid: NetUid, pots: Pots) -> Option<EpochRun> {
    let subnet = state.subnet(netuid)?;
    let rao = pots.server.saturating_add(pots.validator).saturating_add(pots.root);
    let neurons = &subnet.neurons;
    let stake: Vec<i128> =
        neurons.hotkeys.iter().map(|hotkey| stake_weight(state, subnet, hotkey)).collect();
    let count = subnet.params.mechanism_count;
    let amounts = yuma::split_mechanisms(rao, count, subnet.params.mechanism_split.as_deref());
    let empty = Mechanism {
        weights: vec![Row::new(); neurons.len()],
        bonds: vec![Row::new(); neurons.len()],
        ..Mechanism::default()
    };
    let mut parts = Vec::with_capacity(amounts.len());
    for (number, amount) in (0u8..).zip(amounts) {
        let mechanism = subnet.mechanism(number).unwrap_or(&empty);
        let commits = earliest_blocks(state, netuid, number);
        let input = input(state, subnet, mechanism, &stake, &commits, amount);
        parts.push((amount, yuma::epoch(&input)));
    }
    let incentive = parts.iter().map(|(_, part)| part.incentive.clone()).collect();
    let bonds = parts.iter_mut().map(|(_, part)| core::mem::take(&mut part.bonds)).collect();
    let folded = match parts.as_mut_slice() {
        // One mechanism with a share of one is its own fold.
        [(amount, only)] if *amount == rao && rao > 0 => core::mem::take(only),
        _ => yuma::fold_mechanisms(rao, &parts),
    };
    Some(columns(netuid, folded, incentive, bonds))
}

fn input<'a>(
    state: &'a State,
    subnet: &'a Subnet,
    mechanism: &'a Mechanism,
    stake: &'a [i128],
    commits: &'a [Option<u64>],
    amount: u64,
) -> EpochInput<'a> {
    let (params, neurons) = (&subnet.params, &subnet.neurons);
    EpochInput {
        block: state.height.0,
        tempo: params.tempo,
        activity_cutoff: params.activity_cutoff,
        max_validators: params.max_allowed_validators,
        owner_uid: subnet.info.owner_hotkey.and_then(|hotkey| neurons.uid(&hotkey)),
        kappa: params.kappa,
        bonds_penalty: params.bonds_penalty,
        bonds_moving_average: params.bonds_moving_average,
        liquid_alpha: params.liquid_alpha,
        yuma3: params.yuma3,
        alpha_low: params.alpha_low,
        alpha_high: params.alpha_high,
        alpha_sigmoid_steepness: params.alpha_sigmoid_steepness,
        stake_threshold: state.global.stake_threshold,
        rao_emission: amount,
        commit_reveal: params.commit_reveal,
        stake,
        last_update: &mechanism.last_update,
        registered_at: &neurons.registered_at,
        validator_permit: &neurons.validator_permit,
        commit_block: commits,
        weights: &mechanism.weights,
        bonds: &mechanism.bonds,
    }
}

fn columns(
    netuid: NetUid,
    folded: EpochOutput,
    incentive: Vec<Vec<u16>>,
    bonds: Vec<Vec<Row>>,
) -> EpochRun {
    let alpha = |amounts: Vec<u64>| amounts.into_iter().map(Alpha).collect();
    EpochRun {
        netuid,
        active: folded.active,
        emission: alpha(folded.emission),
        consensus: folded.consensus,
        dividends: folded.dividends,
        validator_trust: folded.validator_trust,
        validator_permit: folded.new_validator_permit,
        stake_weight: folded.stake_weight,
        server_emission: alpha(folded.server_emission),
        validator_emission: alpha(folded.validator_emission),
        incentive,
        bonds,
    }
}

/// Computes the payout of a subnet's pots. Reads only.
fn pay(state: &State, run: &EpochRun, pots: Pots) -> Option<EpochPaid> {
    let subnet = state.subnet(run.netuid)?;
    let (order, neurons) = (state.rules.account_order, &subnet.neurons);
    let mut uids: Vec<usize> = neurons.uids.values().map(|uid| usize::from(*uid)).collect();
    uids.sort_by_cached_key(|uid| order.key(neurons.hotkeys[*uid]));

    let mut desk = Desk::new(state, run.netuid, subnet);
    let incentive: u64 =
        run.server_emission.iter().fold(0, |sum, alpha| sum.saturating_add(alpha.0));
    let validator =
        if incentive == 0 { pots.validator.saturating_add(pots.server) } else { pots.validator };
    let dividends = pay_shares(&mut desk, run, &uids);
    let payments = pay_amounts(&desk, dividends, validator, pots.root);

    pay_owner(&mut desk, pots.owner);
    pay_incentives(&mut desk, run, &uids);
    pay_dividends(&mut desk, &payments);
    Some(desk.finish())
}

/// Dividends by hotkey in ascending order, split among parents: weights of the payout (20 §9.1).
fn pay_shares(desk: &mut Desk<'_>, run: &EpochRun, uids: &[usize]) -> Vec<(AccountId, U96F32)> {
    let mut dividends: Vec<(AccountId, U96F32)> = Vec::with_capacity(uids.len());
    for uid in uids {
        let hotkey = desk.subnet.neurons.hotkeys[*uid];
        let amount = run.validator_emission[*uid].0;
        match desk.subnet.links.get(&hotkey) {
            Some(links) if !links.parents.is_empty() => {
                let (parts, burned) = pay_shares_parents(desk.state, desk.subnet, hotkey, amount);
                desk.recycled = desk.recycled.saturating_add(burned);
                dividends.extend(parts.into_iter().map(|(hotkey, amount)| (hotkey, fx(amount))));
            }
            _ => dividends.push((hotkey, fx(amount))),
        }
    }
    let order = desk.state.rules.account_order;
    dividends.sort_by_cached_key(|(hotkey, _)| order.key(*hotkey));
    dividends.dedup_by(|(hotkey, amount), (kept, sum)| {
        let same = hotkey == kept;
        if same {
            *sum = add(*sum, *amount);
        }
        same
    });
    dividends
}

/// A hotkey's dividend over its parents and itself, and what the childkey burn destroys.
fn pay_shares_parents(
    state: &State,
    subnet: &Subnet,
    hotkey: AccountId,
    dividend: u64,
) -> (Vec<(AccountId, u64)>, u64) {
    let weight: U96F32 = u64_fraction(state.global.tao_weight);
    let held = |hotkey: &AccountId| {
        let alpha = subnet.pools.get(hotkey).map_or(0, |pool| pool.alpha.0);
        let tao = state.hotkey_alpha(hotkey, NetUid::ROOT).0;
        (fx::<U96F32>(alpha), fx::<U96F32>(tao))
    };
    let Some(links) = subnet.links.get(&hotkey) else {
        return (vec![(hotkey, dividend)], 0);
    };
    let (alpha, tao) = held(&hotkey);
    let given = links
        .children
        .iter()
        .fold(fx::<U96F32>(0_u8), |sum, (proportion, _)| add(sum, u64_fraction(*proportion)));
    let kept = sub(fx(1_u8), given);
    let own = int(add(mul(alpha, kept), mul(mul(tao, kept), weight)));
    let mut total: U96F32 = fx(own);
    let mut contributions = Vec::with_capacity(links.parents.len());
    for (proportion, parent) in &links.parents {
        let (alpha, tao) = held(parent);
        let part: U96F32 = u64_fraction(*proportion);
        let contribution = add(mul(alpha, part), mul(mul(tao, part), weight));
        total = add(total, contribution);
        contributions.push((*parent, contribution));
    }
    let value: U96F32 = fx(dividend);
    let take: U96F32 = u16_fraction(links.take);
    let burn: U96F32 = u64_fraction(state.global.childkey_burn);
    let (mut rest, mut takes, mut burned) = (value, fx::<U96F32>(0_u8), 0u64);
    let mut parts = Vec::with_capacity(contributions.len() + 1);
    for (parent, contribution) in contributions {
        let mut amount = mul(value, safe_div(contribution, total));
        rest = sub(rest, amount);
        if state.owner(&parent) != state.owner(&hotkey) {
            let (burns, taken) = (mul(burn, amount), mul(take, amount));
            amount = sub(sub(amount, burns), taken);
            takes = add(takes, taken);
            burned = burned.saturating_add(int(burns));
        }
        parts.push((parent, int(amount)));
    }
    parts.push((hotkey, int(add(rest, takes))));
    (parts, burned)
}

/// What a hotkey's dividends pay: from the validators' pot and from root's.
struct Payment {
    hotkey: AccountId,
    coldkey: AccountId,
    take: U96F32,
    root_stake: u64,
    claim_rate: i128,
    alpha: U96F32,
    root: U96F32,
}

/// Splits dividends by what backs each hotkey and scales them to the pots (20 §9 steps 4–6).
fn pay_amounts(
    desk: &Desk<'_>,
    dividends: Vec<(AccountId, U96F32)>,
    validator: u64,
    root: u64,
) -> Vec<Payment> {
    let weight: U96F32 = u64_fraction(desk.state.global.tao_weight);
    let zero: U96F32 = fx(0_u8);
    let (mut alpha_sum, mut root_sum) = (zero, zero);
    let mut payments = Vec::with_capacity(dividends.len());
    for (hotkey, dividend) in dividends {
        let alpha = desk.subnet.pools.get(&hotkey).map_or(0, |pool| pool.alpha.0);
        let root_stake = desk.state.hotkey_alpha(&hotkey, NetUid::ROOT).0;
        let backed_by_root: U96F32 = mul(fx(root_stake), weight);
        let all = add(fx(alpha), backed_by_root);
        let root = mul(dividend, checked_div(backed_by_root, all).unwrap_or(zero));
        let alpha = sub(dividend, root);
        root_sum = add(root_sum, root);
        alpha_sum = add(alpha_sum, alpha);
        let entry = desk.state.hotkeys.get(&hotkey);
        let take = entry.and_then(|entry| entry.take).unwrap_or(DELEGATE_TAKE_DEFAULT);
        payments.push(Payment {
            hotkey,
            coldkey: entry.and_then(|entry| entry.owner).unwrap_or(AccountId::ZERO),
            take: u16_fraction(take),
            root_stake,
            claim_rate: entry.and_then(|entry| entry.claim_rate(desk.netuid)).unwrap_or(0),
            alpha,
            root,
        });
    }
    for payment in &mut payments {
        let part = |of: U96F32, sum| checked_div(of, sum).unwrap_or(zero);
        payment.root = mul(fx(root), part(payment.root, root_sum));
        payment.alpha = mul(fx(validator), part(payment.alpha, alpha_sum));
    }
    payments
}

fn pay_owner(desk: &mut Desk<'_>, amount: u64) {
    let info = &desk.subnet.info;
    if let (Some(owner), Some(hotkey)) = (info.owner, info.owner_hotkey) {
        desk.stake(hotkey, owner, amount);
        desk.paid.owner_cut = Alpha(amount);
    }
}

/// Uids whose incentive is withheld: those of every hotkey of the owner's (20 §9 step 7).
pub fn withheld_uids(state: &State, subnet: &Subnet) -> BTreeSet<u16> {
    let info = &subnet.info;
    let owned = info.owner.and_then(|owner| state.coldkeys.get(&owner));
    let owned = owned.map_or(&[][..], |coldkey| &coldkey.owned);
    let hotkeys = owned.iter().chain(&info.owner_hotkey);
    hotkeys.filter_map(|hotkey| subnet.neurons.uid(hotkey)).collect()
}

/// Where a miner's incentive is staked: on its own hotkey, or on the destination its coldkey chose.
pub fn incentive_position(state: &State, netuid: NetUid, miner: AccountId) -> Position {
    let coldkey = state.owner(&miner).unwrap_or(AccountId::ZERO);
    let own = state.coldkeys.get(&coldkey);
    let destination = own.and_then(|own| own.auto_stake.get(&netuid)).copied();
    Position { hotkey: destination.unwrap_or(miner), coldkey, netuid }
}

/// Pays miners. Owner keys get nothing: their part is recycled or left unowned.
fn pay_incentives(desk: &mut Desk<'_>, run: &EpochRun, uids: &[usize]) {
    let withheld = withheld_uids(desk.state, desk.subnet);
    for uid in uids {
        let amount = run.server_emission[*uid].0;
        if amount == 0 {
            continue;
        }
        let is_owners = u16::try_from(*uid).is_ok_and(|uid| withheld.contains(&uid));
        if is_owners && desk.subnet.params.recycle_withheld {
            desk.recycled = desk.recycled.saturating_add(amount);
        } else if is_owners {
            desk.paid.withheld = desk.paid.withheld.plus(Alpha(amount));
        } else {
            let miner = desk.subnet.neurons.hotkeys[*uid];
            let Position { hotkey, coldkey, .. } =
                incentive_position(desk.state, desk.netuid, miner);
            desk.stake(hotkey, coldkey, amount);
        }
    }
}

/// Pays validators and their nominators, first in alpha, then root's part as claimable alpha.
fn pay_dividends(desk: &mut Desk<'_>, payments: &[Payment]) {
    for payment in payments {
        let Payment { hotkey, coldkey, .. } = *payment;
        let take = mul(payment.take, payment.alpha);
        let rest = int(sub(payment.alpha, take));
        desk.stake(hotkey, coldkey, int(take));
        let total = desk.raise(hotkey, rest);
        desk.paid.dividend_hotkeys.push(hotkey);
        desk.paid.dividend_alpha.push(Alpha(rest));
        desk.paid.alpha_last_epoch.push((total != 0).then_some(Alpha(total)));
    }
    for payment in payments {
        let take = mul(payment.take, payment.root);
        let rest = int(sub(payment.root, take));
        desk.stake(payment.hotkey, payment.coldkey, int(take));
        desk.credit_root(payment, rest);
        desk.paid.dividend_root.push(Alpha(rest));
    }
}

/// Where a payout is worked out: pools as they become, without touching the state.
struct Desk<'a> {
    state: &'a State,
    netuid: NetUid,
    subnet: &'a Subnet,
    pools: Vec<(AccountId, Till)>,
    index: BTreeMap<AccountId, usize>,
    listed: BTreeSet<(AccountId, AccountId)>,
    recycled: u64,
    paid: EpochPaid,
}

/// A pool as it becomes.
struct Till {
    before: u64,
    alpha: u64,
    shares: u128,
    /// Holders paid in person; the owner, rarely more.
    holders: Vec<(AccountId, u128)>,
}

impl<'a> Desk<'a> {
    fn new(state: &'a State, netuid: NetUid, subnet: &'a Subnet) -> Self {
        Self {
            state,
            netuid,
            subnet,
            pools: Vec::new(),
            index: BTreeMap::new(),
            listed: BTreeSet::new(),
            recycled: 0,
            paid: EpochPaid { netuid, ..EpochPaid::default() },
        }
    }

    fn till(&mut self, hotkey: AccountId) -> &mut Till {
        let subnet = self.subnet;
        let pools = &mut self.pools;
        let index = *self.index.entry(hotkey).or_insert_with(|| {
            let pool = subnet.pools.get(&hotkey);
            let (alpha, shares) = pool.map_or((0, 0), |pool| (pool.alpha.0, pool.shares));
            pools.push((hotkey, Till { before: alpha, alpha, shares, holders: Vec::new() }));
            pools.len() - 1
        });
        &mut self.pools[index].1
    }

    /// Stakes alpha for one holder (20 §12.3); nothing for zero.
    fn stake(&mut self, hotkey: AccountId, coldkey: AccountId, amount: u64) {
        if amount == 0 {
            return;
        }
        let lists = self.state.coldkeys.get(&coldkey);
        let known = lists.is_some_and(|lists| lists.staking.contains(&hotkey));
        if !known && self.listed.insert((coldkey, hotkey)) {
            self.paid.listed.push((coldkey, hotkey));
        }
        let pools = &self.subnet.pools;
        let till = self.till(hotkey);
        let position = till.holders.iter().position(|(holder, _)| *holder == coldkey);
        let position = position.unwrap_or_else(|| {
            let held = pools.get(&hotkey).and_then(|pool| pool.holders.get(&coldkey));
            till.holders.push((coldkey, held.copied().unwrap_or(0)));
            till.holders.len() - 1
        });
        let share = &mut till.holders[position].1;
        let by = i64::try_from(amount).unwrap_or(i64::MAX);
        let changed = shares::change(till.alpha, till.shares, *share, by);
        (till.alpha, till.shares, *share) = (changed.total, changed.shares, changed.share);
    }

    /// Raises the whole pool; all holders gain pro rata. Returns the pool's alpha.
    fn raise(&mut self, hotkey: AccountId, amount: u64) -> u64 {
        let till = self.till(hotkey);
        till.alpha = till.alpha.saturating_add(amount);
        till.alpha
    }

    /// Credits root dividends as claimable alpha (20 §10.1).
    fn credit_root(&mut self, payment: &Payment, amount: u64) {
        if amount > payment.root_stake {
            self.stake(payment.hotkey, payment.coldkey, amount);
            return;
        }
        let entry = self.state.hotkeys.get(&payment.hotkey);
        if amount == 0 && entry.is_some_and(|entry| entry.claim_rate(self.netuid).is_some()) {
            // The chain writes the rate it has.
            return;
        }
        let by: I96F32 = checked_div(fx(amount), fx(payment.root_stake)).unwrap_or(fx(0_u8));
        let rate = add(I96F32::from_bits(payment.claim_rate), by);
        self.paid.claim_hotkeys.push(payment.hotkey);
        self.paid.claim_rates.push(rate.to_bits());
        self.paid.claimable = self.paid.claimable.plus(Alpha(amount));
    }

    fn finish(mut self) -> EpochPaid {
        self.paid.recycled = Alpha(self.recycled);
        let changed = self.pools.into_iter();
        let changed =
            changed.filter(|(_, till)| till.alpha != till.before || !till.holders.is_empty());
        for (number, (hotkey, mut till)) in (0u32..).zip(changed) {
            till.holders.sort_unstable();
            self.paid.hotkeys.push(hotkey);
            self.paid.alpha.push(Alpha(till.alpha.saturating_sub(till.before)));
            self.paid.shares.push(till.shares);
            for (coldkey, share) in till.holders {
                self.paid.holder_of.push(number);
                self.paid.holders.push(coldkey);
                self.paid.holder_shares.push(share);
            }
        }
        self.paid
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::HotkeyPool;

    /// The distribution of 20 §22.9, which the reference's own test has with these sums.
    #[test]
    fn dividends_are_split_by_what_backs_a_hotkey() {
        let (first, second) = (AccountId([1; 32]), AccountId([2; 32]));
        let staked = |held: [(AccountId, u64); 2]| {
            let pool = |alpha| HotkeyPool { alpha: Alpha(alpha), ..HotkeyPool::default() };
            let pools = held.into_iter().map(|(hotkey, alpha)| (hotkey, pool(alpha)));
            Subnet { added: true, pools: pools.collect(), ..Subnet::default() }
        };
        let mut state = State::default();
        // 0.18 of 2⁶⁴−1.
        state.global.tao_weight = 3_320_413_933_267_719_290;
        let root = staked([(first, 2_342_352), (second, 859_273)]);
        state.subnets.insert(NetUid::ROOT, root);
        state.subnets.insert(NetUid(1), staked([(first, 4_859_302), (second, 23_423)]));

        let weight: U96F32 = u64_fraction(state.global.tao_weight);
        assert_eq!(weight.to_bits(), 773_094_113);
        let subnet = state.subnet(NetUid(1)).expect("it was made");
        let desk = Desk::new(&state, NetUid(1), subnet);
        let dividends = vec![(first, fx(77_783_738_u64)), (second, fx(19_283_940_u64))];
        let payments = pay_amounts(&desk, dividends, 183_123_567_452, 837_120_949_872);
        let paid: Vec<(AccountId, u64, u64)> = payments
            .iter()
            .map(|payment| (payment.hotkey, int(payment.alpha), int(payment.root)))
            .collect();
        let expected =
            [(first, 176_856_534_496, 226_443_796_624), (second, 6_267_032_912, 610_677_153_052)];
        assert_eq!(paid, expected);
        // What the ratios of 32 bits and the floors leave stays outside the pool, nobody's.
        let (alpha, root): (u64, u64) = (paid[0].1 + paid[1].1, paid[0].2 + paid[1].2);
        assert_eq!((183_123_567_452 - alpha, 837_120_949_872 - root), (44, 196));
    }
}
