//! `sandwicher`: buys early and sells late in the block in which it expects a regular large buyer.
//!
//! No player sees a call before it is decided, and stake bought in a block cannot leave its position in that block. So
//! this one predicts its victims from the flow of past blocks, and sells from a stock that it holds behind a second
//! hotkey. The two change places with each trade.

use super::{check_interval, settings, spendable};
use crate::calendar::block_ms;
use crate::machine::{Context, Input, Machine};
use crate::registry::{InvalidSetting, ppm, within};
use crate::trade::Desk;
use protocol::call::Call;
use protocol::ledger::simulate_buy;
use protocol::state::Subnet;
use protocol::units::{AccountId, Alpha, BLOCK_MS, NetUid, Rao};
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::collections::VecDeque;

const TAG_WATCH: u64 = 0;
const TAG_SELL: u64 = 1;
/// Large buys it remembers.
const SEEN_MAX: usize = 64;

settings! {
    /// Settings of `sandwicher`.
    SandwicherSettings {
        /// The subnet it watches.
        netuid: NetUid = NetUid(1),
        /// Net TAO that flows in within a block from which on it takes the buy for a large one, in rao.
        victim_rao: Rao = Rao::whole(50),
        /// What it buys around a victim, and holds as its stock, in rao.
        amount_rao: Rao = Rao::whole(100),
        /// Blocks between two buys of one victim, at most.
        period_blocks_max: u64 = 7_200,
        /// Milliseconds after the last block at which its sale goes out.
        sell_after_ms: u64 = 10_000,
        /// How far an order of its own may move the price, in millionths; for a sale it counts from what the buy made it.
        slippage_ppm: u32 = 100_000,
        /// Free TAO it never spends, in rao.
        reserve_rao: Rao = Rao(100_000_000),
    }
}

impl SandwicherSettings {
    /// Checks the values.
    ///
    /// # Errors
    /// The first setting it could not act on.
    pub fn check(&self) -> Result<(), InvalidSetting> {
        check_interval(self.period_blocks_max)?;
        within("sell_after_ms", self.sell_after_ms, 1..=BLOCK_MS - 1, "1 to 11999")?;
        ppm("slippage_ppm", self.slippage_ppm)
    }
}

/// A staker that sandwiches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sandwicher {
    settings: SandwicherSettings,
    /// Blocks with a large net buy of others and what flowed in, ascending.
    seen: VecDeque<(u64, Rao)>,
    /// The hotkeys of its two positions; stock behind the first.
    desks: Option<(AccountId, AccountId)>,
    /// What it bought in the block to come, and where it sells as much.
    open: Option<(AccountId, Alpha)>,
    /// The block whose flow is its own.
    traded: u64,
}

impl Sandwicher {
    /// A staker that has not started.
    pub const fn new(settings: SandwicherSettings) -> Self {
        Self { settings, seen: VecDeque::new(), desks: None, open: None, traded: 0 }
    }

    /// Looks at the last block, and acts if a victim is due in the next one.
    fn watch(&mut self, context: &mut Context<'_>) {
        let state = context.view.state();
        let height = state.height.0;
        context.wake(block_ms(context, height + 1), TAG_WATCH);
        let netuid = self.settings.netuid;
        let Some(subnet) = state.subnet(netuid) else { return };
        let due = self.due(height + 1);
        self.note(height, subnet);
        if self.desks.is_none() {
            self.watch_stock(netuid, subnet, context);
        } else if due {
            self.watch_buy(subnet, context);
        }
    }

    /// Remembers a large net inflow; that of a block in which it traded as well, for its own two orders even out.
    fn note(&mut self, height: u64, subnet: &Subnet) {
        let inflow = u64::try_from(subnet.fast.flow).unwrap_or(0);
        let stocks = self.traded == height;
        if Rao(inflow) >= self.settings.victim_rao && !stocks {
            self.seen.push_back((height, Rao(inflow)));
        }
        let oldest = height.saturating_sub(3 * self.settings.period_blocks_max);
        while self.seen.front().is_some_and(|(seen, _)| *seen < oldest)
            || self.seen.len() > SEEN_MAX
        {
            self.seen.pop_front();
        }
    }

    /// Whether three large buys of about the same amount came as far apart as the last of them is from a block.
    fn due(&self, next: u64) -> bool {
        let periods = 1..=self.settings.period_blocks_max;
        let bought = |block: Option<u64>, amount: Rao| {
            let place = self.seen.binary_search_by_key(&block?, |(known, _)| *known).ok()?;
            Some(alike(self.seen[place].1, amount))
        };
        self.seen.iter().any(|(last, amount)| {
            let period = next - last;
            let before = |times: u64| last.checked_sub(period.checked_mul(times)?);
            periods.contains(&period)
                && (1..=2).all(|times| bought(before(times), *amount) == Some(true))
        })
    }

    /// Buys its stock behind one of the two validators with most stake.
    fn watch_stock(&mut self, netuid: NetUid, subnet: &Subnet, context: &mut Context<'_>) {
        let state = context.view.state();
        let mut keys: Vec<&AccountId> =
            subnet.neurons.hotkeys.iter().filter(|key| state.owner(key).is_some()).collect();
        keys.sort_by_key(|key| (Reverse(state.hotkey_alpha(key, netuid)), **key));
        let [first, second, ..] = keys[..] else { return };
        if let Some(call) = self.buy(*first, context) {
            self.desks = Some((*first, *second));
            self.traded = state.height.0 + 1;
            context.submit(context.me.coldkey, call);
        }
    }

    fn buy(&self, hotkey: AccountId, context: &Context<'_>) -> Option<Call> {
        let state = context.view.state();
        let free = spendable(state, &context.me.coldkey, self.settings.reserve_rao);
        let order = self.desk(hotkey, context).buy(state, self.settings.amount_rao.min(free));
        order.map(|order| order.call)
    }

    const fn desk(&self, hotkey: AccountId, context: &Context<'_>) -> Desk {
        let SandwicherSettings { netuid, slippage_ppm, .. } = self.settings;
        Desk { netuid, hotkey, coldkey: context.me.coldkey, slippage_ppm }
    }

    /// Buys before the victim does, if its stock is as large as what it buys.
    fn watch_buy(&mut self, subnet: &Subnet, context: &mut Context<'_>) {
        let Some((stock, other)) = self.desks else { return };
        let Some(call) = self.buy(other, context) else { return };
        let Call::AddStakeLimit { amount_staked, .. } = call else { return };
        let Ok(bought) = simulate_buy(subnet, amount_staked.0) else { return };
        let held = self.desk(stock, context).held(context.view.state());
        context.submit(context.me.coldkey, call);
        self.open = Some((stock, Alpha(bought.paid_out).min(held)));
        self.desks = Some((other, stock));
        let last_ms = context.now_ms - context.now_ms % BLOCK_MS;
        context.wake(last_ms + self.settings.sell_after_ms, TAG_SELL);
    }

    /// Sells as much as it bought, after the victim. What the price is then it does not see: it takes any that is not far
    /// below the last block's.
    fn sell(&mut self, context: &mut Context<'_>) {
        let Some((hotkey, alpha)) = self.open.take() else { return };
        if let Some(order) = self.desk(hotkey, context).sell(context.view.state(), alpha) {
            context.submit(context.me.coldkey, order.call);
        }
    }
}

/// Whether two amounts are within a quarter of the larger.
fn alike(one: Rao, other: Rao) -> bool {
    one.0.abs_diff(other.0) <= one.max(other).0 / 4
}

impl Machine for Sandwicher {
    fn step(&mut self, input: &Input<'_>, context: &mut Context<'_>) {
        match input {
            Input::Start | Input::Timer { tag: TAG_WATCH } => self.watch(context),
            Input::Timer { .. } => self.sell(context),
            Input::Message(_) | Input::Receipt(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::Seated;
    use crate::registry::BehaviourSettings;
    use crate::stage::{Stage, fund, identity};
    use crate::staker::AveragerSettings;
    use crate::staker::market::market;
    use protocol::call::Call;
    use protocol::rejection::Outcome;

    /// A victim that puts 200 TAO in every 20 blocks, beside a sandwicher or nobody.
    fn stage(sandwichers: u64) -> Stage {
        let mut state = market();
        let mut seats = Vec::new();
        for index in 0..sandwichers {
            let who = identity("sandwichers", index, None);
            fund(&mut state, &who, Rao::whole(1_000));
            let settings = SandwicherSettings { amount_rao: Rao::whole(300), ..Default::default() };
            seats.push(Seated::new(who, BehaviourSettings::Sandwicher(settings).build()));
        }
        let victim = identity("victims", 0, None);
        fund(&mut state, &victim, Rao::whole(3_000));
        let settings = AveragerSettings {
            interval_blocks: 20,
            amount_rao: Rao::whole(200),
            slippage_ppm: 1_000_000,
            netuids: vec![NetUid(1)],
            ..Default::default()
        };
        seats.push(Seated::new(victim, BehaviourSettings::Averager(settings).build()));
        Stage::new(state, seats, 1)
    }

    /// Orders of each block in the order of decision: whose, and whether a buy.
    fn blocks(stage: &Stage) -> Vec<Vec<(&'static str, bool)>> {
        let me = identity("sandwichers", 0, None).id;
        let mut blocks: Vec<(u64, Vec<(&'static str, bool)>)> = Vec::new();
        for record in &stage.records {
            assert_eq!(record.outcome, Outcome::Ok, "{:?}", record.call);
            let height = record.due_ms / BLOCK_MS;
            let name = if record.player == me { "me" } else { "victim" };
            let order = (name, matches!(record.call, Call::AddStakeLimit { .. }));
            match blocks.last_mut().filter(|(known, _)| *known == height) {
                Some((_, orders)) => orders.push(order),
                None => blocks.push((height, vec![order])),
            }
        }
        blocks.into_iter().map(|(_, orders)| orders).collect()
    }

    fn held(stage: &Stage, group: &str) -> u64 {
        let who = identity(group, 0, None);
        let hotkeys = (0..2).map(|index| identity("validators", index, None).hotkey);
        hotkeys.map(|hotkey| stage.state.stake(&hotkey, &who.coldkey, NetUid(1)).0).sum()
    }

    #[test]
    fn from_the_fourth_buy_on_the_victim_buys_between_its_two_orders() {
        let (mut stage, mut honest) = (self::stage(1), self::stage(0));
        stage.play(200);
        honest.play(200);
        let blocks = blocks(&stage);
        let triplet = [("me", true), ("victim", true), ("me", false)];
        let sandwiched = blocks.iter().filter(|orders| **orders == triplet).count();
        assert!(sandwiched >= 5, "{blocks:?}");
        let alone = blocks.iter().filter(|orders| **orders == [("victim", true)]).count();
        assert_eq!(alone, 3, "three buys tell the period");
        let (victim, without) = (held(&stage, "victims"), held(&honest, "victims"));
        assert!(victim < without * 99 / 100, "{victim} of {without}: its slippage");
    }

    #[test]
    fn prices_of_irregular_buys_tell_it_nothing() {
        let mut sandwicher = Sandwicher::new(SandwicherSettings::default());
        let mut seen = |buys: &[(u64, u64)]| {
            sandwicher.seen =
                buys.iter().map(|(block, tokens)| (*block, Rao::whole(*tokens))).collect();
            (0..200).filter(|block| *block > 60 && sandwicher.due(*block)).collect::<Vec<u64>>()
        };
        assert_eq!(seen(&[(10, 100), (30, 110), (50, 90)]), [70]);
        assert_eq!(seen(&[(10, 100), (50, 90)]), [0; 0], "one missed");
        assert_eq!(seen(&[(10, 100), (30, 500), (50, 90)]), [0; 0], "another one's");
        assert_eq!(seen(&[(10, 100), (30, 100), (45, 100), (50, 100)]), [70]);
    }
}
