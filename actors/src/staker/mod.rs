//! Stakers: they move TAO into subnets and out of them. One file per behaviour; here is what all of them share:
//! their rhythm, their orders, their holdings, and whom they stake behind.
//!
//! Each acts at random moments, never twice in a block, and checks in public state what the chain will check,
//! so that an order fails only when another one came first.

/// Chases the validators' dividends.
mod apy;
/// Puts in a fixed amount each time.
mod averager;
/// Holds a few subnets.
mod concentrated;
/// Follows the flow of TAO.
mod flow;
/// Keeps a share on root.
mod index;
/// Large and patient.
mod institution;
/// Follows the price.
mod momentum;
/// Follows nothing.
mod noise;
/// Sells when the price falls.
mod panic;
/// Buys what is cheap for what it earns.
mod value;

/// What stakers with a budget share: a horizon, a delay, limit prices.
mod trader;

/// A market for the tests of stakers.
#[cfg(test)]
pub(crate) mod market;

pub use apy::{Apy, ApySettings};
pub use averager::{Averager, AveragerSettings};
pub use concentrated::{Concentrated, ConcentratedSettings};
pub use flow::{Flow, FlowSettings};
pub use index::{Index, IndexSettings};
pub use institution::{Institution, InstitutionSettings};
pub use momentum::{Momentum, MomentumSettings};
pub use noise::{Noise, NoiseSettings};
pub use panic::{Panic, PanicSettings};
pub use value::{Value, ValueSettings};

use crate::calendar::gap_ms;
use crate::machine::{Context, Input};
use crate::registry::{InvalidSetting, check_interval, within};
use crate::trade::{most_staked, part, permitted, worth};
use protocol::call::Call;
use protocol::ledger::{STAKE_MIN, simulate_buy, simulate_sell};
use protocol::state::{State, Subnet};
use protocol::units::{AccountId, Alpha, NetUid, Rao};
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;

const PPM: u128 = 1_000_000;

const DRAW_GAP: u64 = 1 << 56;
const DRAW_ORDER: u64 = 2 << 56;

fn check_orders(interval_blocks: u64, order_ppm: u32) -> Result<(), InvalidSetting> {
    check_interval(interval_blocks)?;
    check_order(order_ppm)
}

fn check_order(order_ppm: u32) -> Result<(), InvalidSetting> {
    within("order_ppm", order_ppm.into(), 1..=1_000_000, "1 to 1000000 (a whole)")
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
pub(crate) struct Holding {
    pub netuid: NetUid,
    pub hotkey: AccountId,
    pub alpha: Alpha,
    /// At the spot price, rounded down.
    pub worth: Rao,
}

/// The player's holdings that can be sold, on the named subnets or on all but root.
pub(crate) fn holdings(context: &Context<'_>, netuids: &[NetUid]) -> Vec<Holding> {
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

/// The hotkey to stake behind: of those that may set weights the one with most stake, else of all neurons, else
/// of all that hold stake there; of equals the lowest account. It has an owner, or the order would fail.
pub(crate) fn first_validator(state: &State, netuid: NetUid, subnet: &Subnet) -> Option<AccountId> {
    most_staked(state, netuid, permitted(subnet))
        .or_else(|| most_staked(state, netuid, subnet.neurons.hotkeys.iter()))
        .or_else(|| most_staked(state, netuid, subnet.pools.keys()))
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

#[cfg(test)]
mod tests {
    use super::market::market;
    use super::*;
    use crate::stage::identity;

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
