//! Stakers: they move TAO into subnets and out of them. `index` keeps a share of its wealth on root, `momentum`
//! follows the price, `noise` follows nothing.
//!
//! Each acts at random moments, never twice in a block, and checks in public state what the chain will check,
//! so that an order fails only when another one came first.

use crate::calendar::gap_ms;
use crate::machine::{Context, Input, Machine};
use crate::registry::{InvalidSetting, ppm, within};
use protocol::call::Call;
use protocol::ledger::{STAKE_MIN, simulate_buy, simulate_sell};
use protocol::state::{State, Subnet};
use protocol::units::{AccountId, Alpha, BLOCKS_PER_DAY, NetUid, Rao};
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;

const PPM: u128 = 1_000_000;

const DRAW_GAP: u64 = 1 << 56;
const DRAW_ORDER: u64 = 2 << 56;

/// Settings of `index`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct IndexSettings {
    /// Mean blocks between two looks.
    pub interval_blocks: u64,
    /// An order at most, in millionths of spendable TAO (in) or of the position (out).
    pub order_ppm: u32,
    /// Free TAO it never spends, in rao.
    pub reserve_rao: Rao,
    /// Root's share of free TAO and root stake that it aims at, in millionths.
    pub target_ppm: u32,
    /// How far the share may stray before it acts, in millionths of wealth.
    pub band_ppm: u32,
}

impl Default for IndexSettings {
    fn default() -> Self {
        Self {
            interval_blocks: BLOCKS_PER_DAY,
            order_ppm: 200_000,
            reserve_rao: Rao(100_000_000),
            target_ppm: 800_000,
            band_ppm: 20_000,
        }
    }
}

impl IndexSettings {
    /// Checks the values.
    ///
    /// # Errors
    /// The first setting it could not act on.
    pub fn check(&self) -> Result<(), InvalidSetting> {
        check_orders(self.interval_blocks, self.order_ppm)?;
        ppm("target_ppm", self.target_ppm)?;
        ppm("band_ppm", self.band_ppm)
    }
}

/// Settings of `momentum`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MomentumSettings {
    /// Mean blocks between two looks.
    pub interval_blocks: u64,
    /// An order, in millionths of spendable TAO (in) or of the position (out).
    pub order_ppm: u32,
    /// Free TAO it never spends, in rao.
    pub reserve_rao: Rao,
    /// Subnets it follows; none means all that trade.
    pub netuids: Vec<NetUid>,
}

impl Default for MomentumSettings {
    fn default() -> Self {
        Self {
            interval_blocks: 1_800,
            order_ppm: 100_000,
            reserve_rao: Rao(100_000_000),
            netuids: Vec::new(),
        }
    }
}

impl MomentumSettings {
    /// Checks the values.
    ///
    /// # Errors
    /// The first setting it could not act on.
    pub fn check(&self) -> Result<(), InvalidSetting> {
        check_orders(self.interval_blocks, self.order_ppm)
    }
}

/// Settings of `noise`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NoiseSettings {
    /// Mean blocks between two orders.
    pub interval_blocks: u64,
    /// An order at most, in millionths of spendable TAO (in) or of the position (out); drawn uniformly.
    pub order_ppm: u32,
    /// Free TAO it never spends, in rao.
    pub reserve_rao: Rao,
    /// Subnets it moves in; none means all that trade.
    pub netuids: Vec<NetUid>,
    /// Chance that an order goes in and not out, in millionths.
    pub in_ppm: u32,
}

impl Default for NoiseSettings {
    fn default() -> Self {
        Self {
            interval_blocks: BLOCKS_PER_DAY,
            order_ppm: 100_000,
            reserve_rao: Rao(100_000_000),
            netuids: Vec::new(),
            in_ppm: 500_000,
        }
    }
}

impl NoiseSettings {
    /// Checks the values.
    ///
    /// # Errors
    /// The first setting it could not act on.
    pub fn check(&self) -> Result<(), InvalidSetting> {
        check_orders(self.interval_blocks, self.order_ppm)?;
        ppm("in_ppm", self.in_ppm)
    }
}

fn check_orders(interval_blocks: u64, order_ppm: u32) -> Result<(), InvalidSetting> {
    let year = 365 * BLOCKS_PER_DAY;
    within("interval_blocks", interval_blocks, 1..=year, "1 block to 1 year")?;
    within("order_ppm", order_ppm.into(), 1..=1_000_000, "1 to 1000000 (a whole)")
}

/// A staker that keeps a share of its wealth on root.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Index {
    settings: IndexSettings,
    orders: Orders,
}

impl Index {
    /// A staker that has not started.
    pub const fn new(settings: IndexSettings) -> Self {
        let orders = Orders { open: 0 };
        Self { settings, orders }
    }

    fn trade(&mut self, context: &mut Context<'_>) {
        let settings = &self.settings;
        let free = context.view.state().free(&context.me.coldkey);
        let holdings = holdings(context, &[NetUid::ROOT]);
        let held = holdings.iter().fold(Rao::ZERO, |sum, holding| sum.plus(holding.worth));
        let wealth = free.plus(held);
        let target = part(wealth.0, settings.target_ppm);
        let band = part(wealth.0, settings.band_ppm);
        if target > held.0.saturating_add(band) {
            let spendable = free.minus(settings.reserve_rao);
            let most = part(spendable.0, settings.order_ppm);
            let amount = Rao(most.min(target - held.0));
            self.orders.buy(NetUid::ROOT, amount, context);
        } else if held.0 > target.saturating_add(band) {
            let Some(largest) = largest(&holdings) else {
                return;
            };
            // On root alpha and rao are one to one.
            let most = part(largest.alpha.0, settings.order_ppm);
            let amount = Alpha(most.min(held.0 - target));
            self.orders.sell(largest, amount, context);
        }
    }
}

impl Machine for Index {
    fn step(&mut self, input: &Input<'_>, context: &mut Context<'_>) {
        if self.orders.turn(input, self.settings.interval_blocks, context) {
            self.trade(context);
        }
    }
}

/// A staker that follows the price.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Momentum {
    settings: MomentumSettings,
    orders: Orders,
}

impl Momentum {
    /// A staker that has not started.
    pub const fn new(settings: MomentumSettings) -> Self {
        let orders = Orders { open: 0 };
        Self { settings, orders }
    }

    fn trade(&mut self, context: &mut Context<'_>) {
        let state = context.view.state();
        let strengths: Vec<(NetUid, f64)> = traded(state, &self.settings.netuids)
            .filter_map(|(netuid, subnet)| Some((netuid, strength(subnet)?)))
            .collect();
        let of = |netuid: NetUid| strengths.iter().find(|(known, _)| *known == netuid);
        // Of equals the lower netuid is the best and the higher one the weakest.
        let best = strengths
            .iter()
            .max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0)))
            .map(|(netuid, _)| *netuid);
        let holdings = holdings(context, &self.settings.netuids);
        let weakest = holdings
            .iter()
            .filter_map(|holding| Some((holding, of(holding.netuid)?)))
            .filter(|(holding, _)| Some(holding.netuid) != best)
            .min_by(|(_, a), (_, b)| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0)))
            .map(|(holding, _)| holding);
        if let Some(holding) = weakest {
            let amount = Alpha(part(holding.alpha.0, self.settings.order_ppm));
            self.orders.sell(holding, amount, context);
        }
        if let Some(netuid) = best {
            let free = state.free(&context.me.coldkey);
            let spendable = free.minus(self.settings.reserve_rao);
            let amount = Rao(part(spendable.0, self.settings.order_ppm));
            self.orders.buy(netuid, amount, context);
        }
    }
}

impl Machine for Momentum {
    fn step(&mut self, input: &Input<'_>, context: &mut Context<'_>) {
        if self.orders.turn(input, self.settings.interval_blocks, context) {
            self.trade(context);
        }
    }
}

/// A staker that follows nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Noise {
    settings: NoiseSettings,
    orders: Orders,
}

impl Noise {
    /// A staker that has not started.
    pub const fn new(settings: NoiseSettings) -> Self {
        let orders = Orders { open: 0 };
        Self { settings, orders }
    }

    fn trade(&mut self, context: &mut Context<'_>) {
        let mut dice = context.dice(DRAW_ORDER);
        let goes_in = dice.chance_ppm(self.settings.in_ppm);
        let order_ppm = dice.between(1, self.settings.order_ppm.into()) as u32;
        let holdings = holdings(context, &self.settings.netuids);
        if goes_in || holdings.is_empty() {
            let state = context.view.state();
            let subnets: Vec<NetUid> =
                traded(state, &self.settings.netuids).map(|(netuid, _)| netuid).collect();
            let Some(netuid) = subnets.get(dice.below(subnets.len() as u64) as usize) else {
                return;
            };
            let free = state.free(&context.me.coldkey);
            let spendable = free.minus(self.settings.reserve_rao);
            let amount = Rao(part(spendable.0, order_ppm));
            self.orders.buy(*netuid, amount, context);
        } else {
            let holding = &holdings[dice.below(holdings.len() as u64) as usize];
            let amount = Alpha(part(holding.alpha.0, order_ppm));
            self.orders.sell(holding, amount, context);
        }
    }
}

impl Machine for Noise {
    fn step(&mut self, input: &Input<'_>, context: &mut Context<'_>) {
        if self.orders.turn(input, self.settings.interval_blocks, context) {
            self.trade(context);
        }
    }
}

/// A staker's rhythm and its orders under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Orders {
    /// Orders without a receipt.
    open: u32,
}

impl Orders {
    /// Keeps the rhythm and says whether it is this staker's turn. While an order of the last turn is open it
    /// sits one turn out, because what it sees does not show that order yet.
    fn turn(&mut self, input: &Input<'_>, interval_blocks: u64, context: &mut Context<'_>) -> bool {
        match input {
            Input::Start | Input::Timer { .. } => {
                let mut dice = context.dice(DRAW_GAP);
                let mut wait_ms = gap_ms(&mut dice, interval_blocks);
                if matches!(input, Input::Start) {
                    // What is left of a gap that began before the start is as long as the shorter of two.
                    wait_ms = wait_ms.min(gap_ms(&mut dice, interval_blocks));
                }
                context.wake(context.now_ms.saturating_add(wait_ms), 0);
                let free = std::mem::take(&mut self.open) == 0;
                free && !matches!(input, Input::Start)
            }
            Input::Receipt(_) => {
                self.open = self.open.saturating_sub(1);
                false
            }
            Input::Message(_) => false,
        }
    }

    /// Buys behind the subnet's first validator, if the chain would let it.
    fn buy(&mut self, netuid: NetUid, amount: Rao, context: &mut Context<'_>) {
        let state = context.view.state();
        let Some(subnet) = state.subnet(netuid) else {
            return;
        };
        let Some(hotkey) = first_validator(state, netuid, subnet) else {
            return;
        };
        if !buy_allowed(subnet, amount) {
            return;
        }
        let amount_staked = amount;
        let call = Call::AddStake { hotkey, netuid, amount_staked };
        context.submit(context.me.coldkey, call);
        self.open += 1;
    }

    /// Sells part of a holding, or all of it when too little would be left, if the chain would let it.
    fn sell(&mut self, holding: &Holding, amount: Alpha, context: &mut Context<'_>) {
        let Holding { netuid, hotkey, alpha, .. } = *holding;
        let Some(subnet) = context.view.state().subnet(netuid) else {
            return;
        };
        let rest = alpha.minus(amount);
        let amount_unstaked = if worth(subnet, rest) < STAKE_MIN { alpha } else { amount };
        if !sell_allowed(subnet, amount_unstaked, alpha) {
            return;
        }
        let call = Call::RemoveStake { hotkey, netuid, amount_unstaked };
        context.submit(context.me.coldkey, call);
        self.open += 1;
    }
}

/// What a coldkey holds behind one hotkey on one subnet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Holding {
    netuid: NetUid,
    hotkey: AccountId,
    alpha: Alpha,
    /// At the spot price, rounded down.
    worth: Rao,
}

/// The player's holdings that can be sold, on the named subnets or on all but root.
fn holdings(context: &Context<'_>, netuids: &[NetUid]) -> Vec<Holding> {
    let state = context.view.state();
    let coldkey = context.me.coldkey;
    let Some(entry) = state.coldkeys.get(&coldkey) else {
        return Vec::new();
    };
    let mut hotkeys = entry.staking.clone();
    hotkeys.sort();
    hotkeys.dedup();
    let mut holdings = Vec::new();
    for (netuid, subnet) in traded(state, netuids) {
        for hotkey in &hotkeys {
            let alpha = state.stake(hotkey, &coldkey, netuid);
            if alpha > Alpha::ZERO {
                let (hotkey, worth) = (*hotkey, worth(subnet, alpha));
                holdings.push(Holding { netuid, hotkey, alpha, worth });
            }
        }
    }
    holdings
}

/// The most valuable holding; of equals the first.
fn largest(holdings: &[Holding]) -> Option<&Holding> {
    holdings.iter().min_by_key(|holding| Reverse(holding.worth))
}

/// The subnets that trade, ascending: of the named ones, or of all but root.
fn traded<'a>(
    state: &'a State,
    netuids: &'a [NetUid],
) -> impl Iterator<Item = (NetUid, &'a Subnet)> {
    let named = move |netuid: NetUid| {
        if netuids.is_empty() { !netuid.is_root() } else { netuids.contains(&netuid) }
    };
    state
        .networks()
        .filter(move |(netuid, subnet)| named(*netuid) && subnet.params.subtoken_enabled)
}

/// Price over moving price; `None` while there is no moving price.
fn strength(subnet: &Subnet) -> Option<f64> {
    let moving = subnet.moving_price();
    (moving > 0).then(|| subnet.price() as f64 / moving as f64)
}

/// The hotkey to stake behind: of those that may set weights the one with most stake, else of all neurons, else
/// of all that hold stake there; of equals the lowest account. It has an owner, or the order would fail.
fn first_validator(state: &State, netuid: NetUid, subnet: &Subnet) -> Option<AccountId> {
    let neurons = &subnet.neurons;
    let permitted = neurons.hotkeys.iter().zip(&neurons.validator_permit);
    let validators = permitted.filter(|(_, permit)| **permit).map(|(hotkey, _)| hotkey);
    let first = |hotkeys: &mut dyn Iterator<Item = &AccountId>| {
        hotkeys
            .filter(|hotkey| state.owner(hotkey).is_some())
            .min_by_key(|hotkey| (Reverse(state.hotkey_alpha(hotkey, netuid)), **hotkey))
            .copied()
    };
    first(&mut { validators })
        .or_else(|| first(&mut neurons.hotkeys.iter()))
        .or_else(|| first(&mut subnet.pools.keys()))
}

/// Whether the pool would take this much TAO (20 §14.2, checks 2, 3 and 7 to 9).
fn buy_allowed(subnet: &Subnet, amount: Rao) -> bool {
    let buy = |amount: Rao| simulate_buy(subnet, amount.0);
    let (Ok(smallest), Ok(bought)) = (buy(STAKE_MIN), buy(amount)) else {
        return false;
    };
    let payable = subnet.params.mechanism != 1 || bought.paid_out <= subnet.fast.pool.alpha;
    subnet.params.subtoken_enabled
        && amount >= STAKE_MIN.plus(Rao(smallest.fee))
        && Rao(bought.paid_in) >= STAKE_MIN
        && bought.paid_out > 0
        && payable
}

/// Whether the pool would take this much alpha of a holding (20 §14.2, checks 3 to 5).
fn sell_allowed(subnet: &Subnet, amount: Alpha, held: Alpha) -> bool {
    let Ok(sold) = simulate_sell(subnet, amount.0) else {
        return false;
    };
    let payable = subnet.params.mechanism != 1 || sold.paid_out <= subnet.fast.pool.tao;
    subnet.params.subtoken_enabled
        && sold.paid_out > 0
        && (amount == held || Rao(sold.paid_out) >= STAKE_MIN)
        && payable
}

/// Alpha at the spot price, rounded down.
fn worth(subnet: &Subnet, alpha: Alpha) -> Rao {
    let rao = u128::from(alpha.0).saturating_mul(subnet.price()) >> 32;
    Rao(u64::try_from(rao).unwrap_or(u64::MAX))
}

/// A share of an amount, rounded down.
fn part(amount: u64, share_ppm: u32) -> u64 {
    let product = u128::from(amount) * u128::from(share_ppm) / PPM;
    u64::try_from(product).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::Seated;
    use crate::machine::Identity;
    use crate::registry::BehaviourSettings;
    use crate::stage::{Stage, enter, fund, genesis, identity, stake};
    use std::collections::BTreeSet;

    const INTERVAL: u64 = 5;

    /// Three subnets and root with two validators each, of which the second has more stake.
    fn market() -> State {
        let mut state = genesis(3);
        for netuid in (0..=3).map(NetUid) {
            for (index, tokens) in [(0, 100), (1, 200)] {
                let who = identity("validators", index, None);
                enter(&mut state, &who, netuid, Alpha::whole(tokens), true);
            }
        }
        state
    }

    fn stage(state: State, who: Identity, settings: BehaviourSettings) -> Stage {
        Stage::new(state, vec![Seated::new(who, settings.build())], 1)
    }

    fn held(stage: &Stage, who: &Identity, netuid: NetUid) -> Alpha {
        let hotkey = identity("validators", 1, None).hotkey;
        stage.state.stake(&hotkey, &who.coldkey, netuid)
    }

    #[test]
    fn the_index_tops_up_and_trims_to_its_share() {
        let first = identity("validators", 1, None).hotkey;
        let settings = IndexSettings { interval_blocks: INTERVAL, ..IndexSettings::default() };
        for (free, on_root, call) in [(100, 0, "add_stake"), (10, 90, "remove_stake")] {
            let who = identity("stakers", 0, None);
            let mut state = market();
            fund(&mut state, &who, Rao::whole(free));
            if on_root > 0 {
                stake(&mut state, &who, first, NetUid::ROOT, Alpha::whole(on_root));
            }
            let mut stage = stage(state, who.clone(), BehaviourSettings::Index(settings.clone()));
            stage.play(200);
            let root = held(&stage, &who, NetUid::ROOT).0;
            let share_ppm = root / ((free + on_root) * 1_000);
            assert!((779_000..=821_000).contains(&share_ppm), "{call}: {share_ppm}");
            assert_eq!(stage.count(call), stage.records.len(), "nothing but {call}");
            assert_eq!(stage.refusals(), [""; 0]);
        }
    }

    #[test]
    fn momentum_buys_the_strongest_and_sells_its_weakest() {
        let who = identity("stakers", 0, None);
        let mut state = market();
        fund(&mut state, &who, Rao::whole(100));
        for (netuid, moving) in [(1, 11), (2, 8), (3, 10)] {
            let subnet = state.subnets.get_mut(&NetUid(netuid)).expect("it was made");
            subnet.fast.moving_price = (1 << 32) * moving / 100;
        }
        let first = identity("validators", 1, None).hotkey;
        for netuid in [1, 3] {
            stake(&mut state, &who, first, NetUid(netuid), Alpha::whole(50));
        }
        let settings = MomentumSettings { interval_blocks: INTERVAL, ..Default::default() };
        let mut stage = stage(state, who.clone(), BehaviourSettings::Momentum(settings));
        stage.play(12);
        // Dividends grow every holding, so the orders say more than the balances.
        let orders: BTreeSet<(&str, NetUid)> = stage
            .records
            .iter()
            .map(|record| match record.call {
                Call::AddStake { netuid, .. } | Call::RemoveStake { netuid, .. } => {
                    (record.call.name(), netuid)
                }
                ref other => panic!("{other:?} is no order of a staker"),
            })
            .collect();
        assert_eq!(orders, [("add_stake", NetUid(2)), ("remove_stake", NetUid(1))].into());
        assert!(held(&stage, &who, NetUid(1)) < Alpha::whole(50));
        assert!(held(&stage, &who, NetUid(2)) > Alpha::ZERO);
        assert_eq!(stage.refusals(), [""; 0]);
    }

    #[test]
    fn noise_moves_both_ways_and_keeps_its_reserve() {
        let who = identity("stakers", 0, None);
        let mut state = market();
        fund(&mut state, &who, Rao::whole(100));
        let reserve_rao = Rao::whole(50);
        let settings =
            NoiseSettings { interval_blocks: INTERVAL, reserve_rao, ..NoiseSettings::default() };
        let mut stage = stage(state, who.clone(), BehaviourSettings::Noise(settings));
        let mut least = Rao::whole(100);
        for _ in 0..600 {
            stage.play(1);
            least = least.min(stage.state.free(&who.coldkey));
        }
        let (bought, sold) = (stage.count("add_stake"), stage.count("remove_stake"));
        assert!(bought > 40 && sold > 40, "{bought} in, {sold} out");
        assert!(least >= reserve_rao && least < Rao::whole(90), "{least}");
        assert_eq!(stage.refusals(), [""; 0]);
    }

    #[test]
    fn a_rest_too_small_to_sell_goes_with_the_order() {
        let state = market();
        let subnet = &state.subnets[&NetUid(1)];
        assert_eq!(worth(subnet, Alpha(19_000_000)), Rao(1_899_999));
        assert!(sell_allowed(subnet, Alpha(19_000_000), Alpha(19_000_000)));
        assert!(!sell_allowed(subnet, Alpha(19_000_000), Alpha(90_000_000)));
        assert!(!sell_allowed(subnet, Alpha::ZERO, Alpha::ZERO));
        assert!(!buy_allowed(subnet, Rao(2_000_000)) && buy_allowed(subnet, Rao(2_001_100)));
    }

    #[test]
    fn stake_goes_behind_the_validator_with_most() {
        let mut state = market();
        let hotkey = |index| Some(identity("validators", index, None).hotkey);
        let first = |state: &State| first_validator(state, NetUid(1), &state.subnets[&NetUid(1)]);
        assert_eq!(first(&state), hotkey(1));
        let subnet = state.subnets.get_mut(&NetUid(1)).expect("it was made");
        subnet.neurons.validator_permit[1] = false;
        assert_eq!(first(&state), hotkey(0));
        state.subnets.get_mut(&NetUid(1)).expect("it was made").neurons = Default::default();
        assert_eq!(first(&state), hotkey(1), "whoever holds stake");
        state.hotkeys.clear();
        assert_eq!(first(&state), None);
    }
}
