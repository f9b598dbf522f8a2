//! What stakers with a budget share: what they may spend, how long they take to act on what they saw, the limit
//! prices of their orders, and how they leave for good.
//!
//! What belongs here: how a decision becomes orders. What does not: what a behaviour decides by.

use super::{
    DRAW_GAP, Holding, PPM, buy_allowed, check_interval, first_validator, holdings, part,
    sell_allowed, worth,
};
use crate::calendar::{block_ms, gap_ms};
use crate::machine::{Context, Input};
use crate::registry::{InvalidSetting, ppm, within};
use protocol::call::Call;
use protocol::ledger::{STAKE_MIN, pool_totals, simulate_buy};
use protocol::limits::{max_add, max_remove};
use protocol::shares::precision_holds;
use protocol::state::State;
use protocol::units::{AccountId, Alpha, BLOCK_MS, BLOCKS_PER_DAY, NetUid, Rao, UNITS_PER_TOKEN};
use serde::{Deserialize, Serialize};

/// A holding worth less is left alone and counts as none: its sale might not even pay its fee.
const CRUMB: Rao = Rao(100_000);
/// Blocks between two orders of who leaves, on average and at most.
const LEAVE_INTERVAL_BLOCKS: u64 = 25;

const TAG_LOOK: u64 = 0;
const TAG_LEAVE: u64 = 1;
const TAG_SUBMIT: u64 = 2;

/// Declares the settings of a behaviour: what all traders have, then its own, each with its default.
macro_rules! settings {
    ($(#[$doc:meta])* $name:ident {
        interval_blocks = $interval:expr, slippage_ppm = $slippage:expr;
        $($(#[$what:meta])* $field:ident: $kind:ty = $default:expr,)*
    }) => {
        $crate::settings::settings! {
            $(#[$doc])*
            $name {
                /// Blocks between two looks: on average, or exactly for a behaviour of regular rhythm.
                interval_blocks: u64 = $interval,
                /// Free TAO it never spends, in rao.
                reserve_rao: protocol::units::Rao = protocol::units::Rao(100_000_000),
                /// The part of its free TAO at its start that it ever puts at work, in millionths.
                budget_ppm: u32 = 1_000_000,
                /// Blocks after its start from which it sells what it holds and is done; 0 for never.
                horizon_blocks: u64 = 0,
                /// Blocks between what it saw and the orders that follow from it.
                delay_blocks: u64 = 0,
                /// How far the price may move against an order, in millionths of the price it saw.
                slippage_ppm: u32 = $slippage,
                /// Subnets it moves in; none means all that trade.
                netuids: Vec<protocol::units::NetUid> = Vec::new(),
                $($(#[$what])* $field: $kind = $default,)*
            }
        }

        impl $name {
            const fn terms(&self) -> $crate::staker::trader::Terms<'_> {
                $crate::staker::trader::Terms {
                    interval_blocks: self.interval_blocks,
                    reserve_rao: self.reserve_rao,
                    budget_ppm: self.budget_ppm,
                    horizon_blocks: self.horizon_blocks,
                    delay_blocks: self.delay_blocks,
                    slippage_ppm: self.slippage_ppm,
                    netuids: self.netuids.as_slice(),
                }
            }
        }
    };
}
pub(super) use settings;

/// The settings that all traders have.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms<'a> {
    pub interval_blocks: u64,
    pub reserve_rao: Rao,
    pub budget_ppm: u32,
    pub horizon_blocks: u64,
    pub delay_blocks: u64,
    pub slippage_ppm: u32,
    pub netuids: &'a [NetUid],
}

impl Terms<'_> {
    /// Checks the values.
    ///
    /// # Errors
    /// The first setting it could not act on.
    pub fn check(&self) -> Result<(), InvalidSetting> {
        check_interval(self.interval_blocks)?;
        ppm("budget_ppm", self.budget_ppm)?;
        check_blocks("horizon_blocks", self.horizon_blocks)?;
        within("delay_blocks", self.delay_blocks, 0..=BLOCKS_PER_DAY, "at most 7200 (a day)")?;
        let must = "100 (0.01 %) to 1000000 (any price)";
        within("slippage_ppm", self.slippage_ppm.into(), 100..=1_000_000, must)
    }

    /// What the staker holds where it moves and can sell.
    pub fn holdings(&self, context: &Context<'_>) -> Vec<Holding> {
        let mut holdings = holdings(context, self.netuids);
        holdings.retain(|holding| holding.worth >= CRUMB);
        holdings
    }

    /// Blocks between two looks of who leaves at random moments.
    pub fn leave_interval_blocks(&self) -> u64 {
        self.interval_blocks.min(LEAVE_INTERVAL_BLOCKS)
    }
}

/// Refuses a time of more than ten years.
pub(super) fn check_blocks(key: &'static str, blocks: u64) -> Result<(), InvalidSetting> {
    within(key, blocks, 0..=3_650 * BLOCKS_PER_DAY, "at most 26280000 (10 years)")
}

/// When a trader looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rhythm {
    /// At random moments, as far apart on average as its interval.
    Random,
    /// Once each interval, from a random moment on.
    Regular,
}

/// What a trader is to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Nothing.
    Wait,
    /// Look, and decide.
    Look,
    /// Go on leaving: its horizon is reached.
    Leave,
}

/// An order with its limit price, in rao per whole alpha.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Order {
    Buy { hotkey: AccountId, netuid: NetUid, amount: Rao, limit: Rao },
    Sell { hotkey: AccountId, netuid: NetUid, amount: Alpha, limit: Rao },
}

/// A staker's orders, and what it must remember to keep to its terms.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Trader {
    /// Height of its start.
    started: u64,
    /// Free TAO outside its budget.
    floor: Rao,
    /// Orders without a receipt.
    open: u32,
    /// Orders decided but not yet submitted.
    waiting: Vec<Order>,
}

impl Trader {
    /// One that has not started.
    pub const fn new() -> Self {
        Self { started: 0, floor: Rao::ZERO, open: 0, waiting: Vec::new() }
    }

    /// Keeps the rhythm, submits what has waited long enough, and says what to do. While orders of the last look
    /// wait or are open the staker sits one look out, because what it sees does not show them yet.
    pub fn turn(
        &mut self,
        input: &Input<'_>,
        terms: &Terms<'_>,
        rhythm: Rhythm,
        context: &mut Context<'_>,
    ) -> Turn {
        match input {
            Input::Start => self.turn_start(terms, rhythm, context),
            Input::Timer { tag: TAG_SUBMIT } => {
                for order in std::mem::take(&mut self.waiting) {
                    self.submit(order, terms, context);
                }
            }
            Input::Timer { tag } => return self.turn_look(*tag, terms, rhythm, context),
            Input::Receipt(_) => self.open = self.open.saturating_sub(1),
            Input::Message(_) => {}
        }
        Turn::Wait
    }

    fn turn_start(&mut self, terms: &Terms<'_>, rhythm: Rhythm, context: &mut Context<'_>) {
        let state = context.view.state();
        self.started = state.height.0;
        let free = state.free(&context.me.coldkey);
        self.floor = free.minus(Rao(part(free.0, terms.budget_ppm)));
        let mut dice = context.dice(DRAW_GAP);
        let mut gap = || gap_ms(&mut dice, terms.interval_blocks);
        let wait_ms = match rhythm {
            // What is left of a gap that began before the start is as long as the shorter of two.
            Rhythm::Random => gap().min(gap()),
            Rhythm::Regular => dice.below(terms.interval_blocks.saturating_mul(BLOCK_MS)),
        };
        context.wake(context.now_ms.saturating_add(wait_ms), TAG_LOOK);
        if let Some(height) = self.leaves_at(terms) {
            let moment_ms = dice.below(BLOCK_MS);
            context.wake(block_ms(context, height).saturating_add(moment_ms), TAG_LEAVE);
        }
    }

    fn turn_look(
        &mut self,
        tag: u64,
        terms: &Terms<'_>,
        rhythm: Rhythm,
        context: &mut Context<'_>,
    ) -> Turn {
        let leaves = tag == TAG_LEAVE;
        let over = self.leaves_at(terms).is_some_and(|end| context.view.state().height.0 >= end);
        if over && !leaves {
            return Turn::Wait;
        }
        let idle = std::mem::take(&mut self.open) == 0 && self.waiting.is_empty();
        if leaves && idle && terms.holdings(context).is_empty() {
            // It is done for good: no timer follows.
            return Turn::Wait;
        }
        let wait_ms = match rhythm {
            Rhythm::Random => {
                let leave = terms.leave_interval_blocks();
                let interval = if leaves { leave } else { terms.interval_blocks };
                gap_ms(&mut context.dice(DRAW_GAP), interval)
            }
            Rhythm::Regular => terms.interval_blocks.saturating_mul(BLOCK_MS),
        };
        context.wake(context.now_ms.saturating_add(wait_ms), tag);
        match (idle, leaves) {
            (false, _) => Turn::Wait,
            (true, false) => Turn::Look,
            (true, true) => Turn::Leave,
        }
    }

    /// Blocks since its start.
    pub fn age(&self, context: &Context<'_>) -> u64 {
        context.view.state().height.0.saturating_sub(self.started)
    }

    /// The block from which it leaves, if it ever does.
    fn leaves_at(&self, terms: &Terms<'_>) -> Option<u64> {
        (terms.horizon_blocks > 0).then(|| self.started.saturating_add(terms.horizon_blocks))
    }

    /// Free TAO beyond its reserve and beyond what its budget leaves alone.
    pub fn spendable(&self, terms: &Terms<'_>, context: &Context<'_>) -> Rao {
        let free = context.view.state().free(&context.me.coldkey);
        free.minus(terms.reserve_rao.max(self.floor))
    }

    /// Orders a buy behind the subnet's first validator, at the price it sees and its slippage.
    pub fn buy(
        &mut self,
        netuid: NetUid,
        amount: Rao,
        terms: &Terms<'_>,
        context: &mut Context<'_>,
    ) {
        let state = context.view.state();
        let Some(subnet) = state.subnet(netuid) else { return };
        if let Some(hotkey) = first_validator(state, netuid, subnet) {
            let limit = price_above(subnet.price(), terms.slippage_ppm);
            self.buy_behind(hotkey, netuid, Capped { amount, limit }, terms, context);
        }
    }

    /// Orders a buy behind a hotkey.
    pub fn buy_behind(
        &mut self,
        hotkey: AccountId,
        netuid: NetUid,
        Capped { amount, limit }: Capped<Rao>,
        terms: &Terms<'_>,
        context: &mut Context<'_>,
    ) {
        self.place(Order::Buy { hotkey, netuid, amount, limit }, terms, context);
    }

    /// Orders a sale of part of a holding, at the price it sees and its slippage.
    pub fn sell(
        &mut self,
        holding: &Holding,
        amount: Alpha,
        terms: &Terms<'_>,
        context: &mut Context<'_>,
    ) {
        if let Some(subnet) = context.view.state().subnet(holding.netuid) {
            let limit = price_below(subnet.price(), terms.slippage_ppm);
            self.sell_at(holding, Capped { amount, limit }, terms, context);
        }
    }

    /// Orders a sale of part of a holding.
    pub fn sell_at(
        &mut self,
        holding: &Holding,
        Capped { amount, limit }: Capped<Alpha>,
        terms: &Terms<'_>,
        context: &mut Context<'_>,
    ) {
        let Holding { hotkey, netuid, .. } = *holding;
        self.place(Order::Sell { hotkey, netuid, amount, limit }, terms, context);
    }

    /// Orders the sale of everything it holds.
    pub fn sell_all(&mut self, terms: &Terms<'_>, context: &mut Context<'_>) {
        for holding in terms.holdings(context) {
            self.sell(&holding, holding.alpha, terms, context);
        }
    }

    /// Submits an order now, or after the staker's delay together with the others of the same look.
    fn place(&mut self, order: Order, terms: &Terms<'_>, context: &mut Context<'_>) {
        if terms.delay_blocks == 0 {
            self.submit(order, terms, context);
            return;
        }
        if self.waiting.is_empty() {
            let delay_ms = terms.delay_blocks.saturating_mul(BLOCK_MS);
            context.wake(context.now_ms.saturating_add(delay_ms), TAG_SUBMIT);
        }
        self.waiting.push(order);
    }

    /// Submits an order if the chain would fill at least a part of it; else the staker thinks no more of it.
    fn submit(&mut self, order: Order, terms: &Terms<'_>, context: &mut Context<'_>) {
        let state = context.view.state();
        let call = match order {
            Order::Buy { hotkey, netuid, amount, limit } => {
                let amount_staked = amount.min(self.spendable(terms, context));
                let order = Capped { amount: amount_staked, limit };
                buy_fills(state, hotkey, netuid, order).then_some(Call::AddStakeLimit {
                    hotkey,
                    netuid,
                    amount_staked,
                    limit_price: limit,
                    allow_partial: true,
                })
            }
            Order::Sell { hotkey, netuid, amount, limit } => {
                let held = state.stake(&hotkey, &context.me.coldkey, netuid);
                sale(state, netuid, Capped { amount, limit }, held).map(|sale| match sale {
                    Sale::All => {
                        Call::RemoveStakeFullLimit { hotkey, netuid, limit_price: Some(limit) }
                    }
                    Sale::Part(amount_unstaked) => Call::RemoveStakeLimit {
                        hotkey,
                        netuid,
                        amount_unstaked,
                        limit_price: limit,
                        allow_partial: true,
                    },
                })
            }
        };
        if let Some(call) = call {
            context.submit(context.me.coldkey, call);
            self.open += 1;
        }
    }
}

/// An amount, and the price beyond which nothing of it is to be filled, in rao per whole alpha.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Capped<T> {
    pub amount: T,
    pub limit: Rao,
}

/// Whether the chain would fill a part of a buy that is worth its while (20 §14.2).
fn buy_fills(state: &State, hotkey: AccountId, netuid: NetUid, order: Capped<Rao>) -> bool {
    let Some(subnet) = state.subnet(netuid) else { return false };
    let Ok(most) = max_add(state, netuid, order.limit.0) else { return false };
    let filled = order.amount.min(Rao(most));
    let precise = simulate_buy(subnet, filled.0).is_ok_and(|bought| {
        let (total, shares) = pool_totals(subnet, &hotkey);
        precision_holds(total.0, shares, bought.paid_out)
    });
    state.owner(&hotkey).is_some() && buy_allowed(subnet, filled) && precise
}

/// How much of a holding is offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sale {
    /// Whatever it has become when the chain decides: dividends may come in before.
    All,
    Part(Alpha),
}

/// How much the staker should offer of a holding so that the chain fills a part of it that is worth its while:
/// all of it when too little would be left. `None` when it would fill nothing.
fn sale(state: &State, netuid: NetUid, order: Capped<Alpha>, held: Alpha) -> Option<Sale> {
    let subnet = state.subnet(netuid)?;
    let rest = held.minus(order.amount);
    let amount = if worth(subnet, rest) < STAKE_MIN { held } else { order.amount };
    let most = Alpha(max_remove(state, netuid, order.limit.0).ok()?);
    let filled = amount.min(most);
    let fills = amount > Alpha::ZERO
        && sell_allowed(subnet, amount, held)
        && (filled == amount || sell_allowed(subnet, filled, held));
    // All is filled whole or not at all, so the limit must leave room for what may come in before.
    let room = held.0.saturating_add(held.0 / 10);
    let sale = if amount == held && most.0 >= room { Sale::All } else { Sale::Part(amount) };
    fills.then_some(sale)
}

/// A price (U96F32 bits) and a margin above it, in rao per whole alpha, rounded up.
pub(super) fn price_above(price: u128, margin_ppm: u32) -> Rao {
    let raised = price.saturating_mul(u128::from(UNITS_PER_TOKEN)).div_ceil(1 << 32);
    let raised = raised.saturating_mul(PPM + u128::from(margin_ppm)).div_ceil(PPM);
    Rao(u64::try_from(raised).unwrap_or(u64::MAX))
}

/// A price (U96F32 bits) less a margin, in rao per whole alpha, rounded down.
pub(super) fn price_below(price: u128, margin_ppm: u32) -> Rao {
    let price = price.saturating_mul(u128::from(UNITS_PER_TOKEN)) >> 32;
    let lowered = price.saturating_mul(PPM.saturating_sub(u128::from(margin_ppm))) / PPM;
    Rao(u64::try_from(lowered).unwrap_or(u64::MAX))
}

/// The greatest of some subnets; of equals the lower netuid.
pub(super) fn greatest(rated: &[(NetUid, f64)]) -> Option<(NetUid, f64)> {
    rated.iter().copied().max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::BehaviourSettings;
    use crate::staker::AveragerSettings;
    use crate::staker::market::{
        free, market_with_money, orders, position, stage, stage_with_whale, staker, whale_buys,
    };

    /// A tenth of its money into subnet 1, every fifth block.
    fn averager() -> AveragerSettings {
        AveragerSettings {
            interval_blocks: 5,
            amount_rao: Rao::whole(10),
            netuids: vec![NetUid(1)],
            ..AveragerSettings::default()
        }
    }

    #[test]
    fn prices_have_a_margin_and_a_rounding() {
        let tenth = (1_u128 << 32) / 10;
        let rows = [
            (1 << 32, 10_000, 1_010_000_000, 990_000_000),
            (tenth, 10_000, 101_000_000, 98_999_999),
            (tenth, 1_000_000, 200_000_000, 0),
            (0, 10_000, 0, 0),
        ];
        for (price, margin, above, below) in rows {
            assert_eq!(price_above(price, margin), Rao(above), "{price} and {margin}");
            assert_eq!(price_below(price, margin), Rao(below), "{price} less {margin}");
        }
    }

    #[test]
    fn a_budget_and_a_reserve_bound_what_is_spent() {
        for (budget_ppm, reserve, left) in [(300_000, 0, 70), (1_000_000, 40, 40), (0, 0, 100)] {
            let reserve_rao = Rao::whole(reserve);
            let settings = AveragerSettings { budget_ppm, reserve_rao, ..averager() };
            let settings = BehaviourSettings::Averager(settings);
            let mut stage = stage(market_with_money(), staker(), settings);
            stage.play(80);
            assert_eq!(free(&stage), Rao::whole(left), "{budget_ppm}, {reserve}");
            assert_eq!(stage.refusals(), [""; 0]);
        }
    }

    #[test]
    fn an_order_too_large_for_its_slippage_is_filled_in_part() {
        let whole = AveragerSettings { amount_rao: Rao::whole(100), ..averager() };
        // Half a per cent of the pool's TAO moves the price by one per cent.
        for (slippage_ppm, least, most) in [(10_000, 49, 50), (2_000, 10, 11), (1_000_000, 99, 100)]
        {
            let reserve_rao = Rao::ZERO;
            let settings = AveragerSettings { slippage_ppm, reserve_rao, ..whole.clone() };
            let settings = BehaviourSettings::Averager(settings);
            let mut stage = stage(market_with_money(), staker(), settings);
            stage.play(8);
            assert_eq!(orders(&stage), [(("buy", 1), 1)].into());
            let paid = Rao::whole(100).minus(free(&stage));
            assert!(
                paid >= Rao::whole(least) && paid <= Rao::whole(most),
                "{slippage_ppm}: {paid}"
            );
            assert_eq!(stage.refusals(), [""; 0]);
        }
    }

    #[test]
    fn who_reacts_late_has_the_price_it_saw_and_gives_up_when_that_is_gone() {
        let settings = |delay_blocks| {
            let settings = AveragerSettings { delay_blocks, interval_blocks: 50, ..averager() };
            BehaviourSettings::Averager(settings)
        };
        let first_order = |stage: &crate::stage::Stage| {
            let place = stage.done.iter().position(|done| !done.calls.is_empty());
            place.expect("it ordered") / 12
        };
        let mut prompt = stage(market_with_money(), staker(), settings(0));
        let mut late = stage(market_with_money(), staker(), settings(7));
        prompt.play(60);
        late.play(60);
        assert_eq!(first_order(&late), first_order(&prompt) + 7);
        assert_eq!((prompt.refusals(), late.refusals()), (vec![], vec![]));
        // Between the look and the order somebody raises the price by more than the slippage.
        let seen = first_order(&prompt) as u64;
        let rise = vec![(seen + 3, whale_buys(1, 200))];
        let mut stage = stage_with_whale(market_with_money(), settings(7), rise);
        stage.play(seen + 20);
        assert_eq!((orders(&stage).len(), stage.count("add_stake")), (0, 1));
        assert_eq!(stage.refusals(), [""; 0]);
    }

    #[test]
    fn at_its_horizon_a_trader_sells_everything_and_is_done() {
        // Whatever the block: in that of an epoch dividends come in before its order is decided.
        for horizon_blocks in 30..41 {
            let settings = AveragerSettings { horizon_blocks, exit_parts: 1, ..averager() };
            let mut stage =
                stage(market_with_money(), staker(), BehaviourSettings::Averager(settings));
            stage.play(horizon_blocks - 1);
            assert!(position(&stage, 1) > Alpha::whole(300));
            stage.play(60);
            assert_eq!(position(&stage, 1), Alpha::ZERO);
            assert!(free(&stage) > Rao::whole(99), "the price is what it was, but for fees");
            assert_eq!(stage.hosts[0].next_wake_ms(), None, "nothing is left to do");
            assert_eq!(stage.refusals(), [""; 0]);
        }
    }
}
