//! Orders with a limit price, as those players give them who do not want to pay any price: what the chain would take
//! of them now.
//!
//! What belongs here: one buy, one sale, what alpha is worth, and behind whom to stake. What does not: when and how much somebody trades.

use crate::calendar::{block_ms, next_tick};
use crate::machine::Context;
use protocol::call::Call;
use protocol::dice::Dice;
use protocol::ledger::{STAKE_MIN, simulate_buy, simulate_sell};
use protocol::limits::{max_add, max_remove};
use protocol::state::{State, Subnet};
use protocol::units::{AccountId, Alpha, BLOCK_MS, NetUid, Rao, UNITS_PER_TOKEN};
use std::cmp::Reverse;

const PPM: u64 = 1_000_000;

/// A place to trade at, and how far from the spot price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Desk {
    /// The subnet.
    pub netuid: NetUid,
    /// Behind whom.
    pub hotkey: AccountId,
    /// The coldkey.
    pub coldkey: AccountId,
    /// How far the price may move against the order, in millionths of the spot price.
    pub slippage_ppm: u32,
}

/// An order that the chain would take now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// The order.
    pub call: Call,
    /// What it costs or brings at most, in rao.
    pub rao: Rao,
}

impl Desk {
    /// Buys for up to `amount`, as far as the limit price lets it; none if the chain would refuse it.
    pub fn buy(&self, state: &State, amount: Rao) -> Option<Order> {
        let Self { netuid, hotkey, .. } = *self;
        let subnet = state.subnet(netuid).filter(|subnet| subnet.params.subtoken_enabled)?;
        state.owner(&hotkey)?;
        let limit_price = Rao(price(subnet, PPM + u64::from(self.slippage_ppm)).saturating_add(1));
        let most = max_add(state, netuid, limit_price.0).ok()?;
        let smallest = simulate_buy(subnet, STAKE_MIN.0).ok()?;
        let amount_staked = Rao(amount.0.min(most)).min(state.free(&self.coldkey));
        let bought = simulate_buy(subnet, amount_staked.0).ok()?;
        let payable = subnet.params.mechanism != 1 || bought.paid_out < subnet.fast.pool.alpha;
        let allowed = amount_staked >= STAKE_MIN.plus(Rao(smallest.fee))
            && bought.paid_in >= STAKE_MIN.0
            && bought.paid_out > 0
            && payable;
        let call =
            Call::AddStakeLimit { hotkey, netuid, amount_staked, limit_price, allow_partial: true };
        allowed.then_some(Order { call, rao: amount_staked })
    }

    /// Sells up to `amount` of what is held, as far as the limit price lets it; none if the chain would refuse it.
    pub fn sell(&self, state: &State, amount: Alpha) -> Option<Order> {
        let Self { netuid, hotkey, .. } = *self;
        let subnet = state.subnet(netuid).filter(|subnet| subnet.params.subtoken_enabled)?;
        let kept_ppm = PPM.saturating_sub(u64::from(self.slippage_ppm));
        let limit_price = Rao(price(subnet, kept_ppm).max(1));
        let most = max_remove(state, netuid, limit_price.0).ok()?;
        let amount_unstaked = Alpha(amount.0.min(most)).min(self.held(state));
        let sold = simulate_sell(subnet, amount_unstaked.0).ok()?;
        let payable = subnet.params.mechanism != 1 || sold.paid_out < subnet.fast.pool.tao;
        let allowed = payable && sold.paid_out >= STAKE_MIN.0;
        let call = Call::RemoveStakeLimit {
            hotkey,
            netuid,
            amount_unstaked,
            limit_price,
            allow_partial: true,
        };
        allowed.then_some(Order { call, rao: Rao(sold.paid_out) })
    }

    /// What the coldkey holds behind the hotkey.
    pub fn held(&self, state: &State) -> Alpha {
        state.stake(&self.hotkey, &self.coldkey, self.netuid)
    }
}

/// Rao for a whole alpha, as parts in a million of the spot price.
fn price(subnet: &Subnet, ppm: u64) -> u64 {
    let whole = subnet.price().saturating_mul(u128::from(UNITS_PER_TOKEN)) >> 32;
    u64::try_from(whole.saturating_mul(u128::from(ppm)) / u128::from(PPM)).unwrap_or(u64::MAX)
}

/// Alpha at the spot price, rounded down.
pub fn worth(subnet: &Subnet, alpha: Alpha) -> Rao {
    let rao = u128::from(alpha.0).saturating_mul(subnet.price()) >> 32;
    Rao(u64::try_from(rao).unwrap_or(u64::MAX))
}

/// The hotkeys of a subnet that may set weights, by uid.
pub fn permitted(subnet: &Subnet) -> impl Iterator<Item = &AccountId> {
    let neurons = subnet.neurons.hotkeys.iter().zip(&subnet.neurons.validator_permit);
    neurons.filter(|(_, permit)| **permit).map(|(hotkey, _)| hotkey)
}

/// The one with most stake on a subnet; of equals the lowest account. It has an owner: behind others nobody can stake.
pub fn most_staked<'a>(
    state: &State,
    netuid: NetUid,
    hotkeys: impl Iterator<Item = &'a AccountId>,
) -> Option<AccountId> {
    hotkeys
        .filter(|hotkey| state.owner(hotkey).is_some())
        .min_by_key(|hotkey| (Reverse(state.hotkey_alpha(hotkey, netuid)), **hotkey))
        .copied()
}

/// A share of an amount, rounded down.
pub fn part(amount: u64, share_ppm: u32) -> u64 {
    let product = u128::from(amount) * u128::from(share_ppm) / u128::from(PPM);
    u64::try_from(product).unwrap_or(u64::MAX)
}

/// The time of the block after the first epoch that is at least `blocks` ahead: what the epoch paid is seen there, and
/// the next one is as far away as can be. Without epochs, `blocks` ahead.
pub fn after_epoch_ms(context: &Context<'_>, netuid: NetUid, blocks: u64) -> u64 {
    let state = context.view.state();
    let from = state.height.0.saturating_add(blocks);
    let tempo = state.subnet(netuid).map_or(0, |subnet| subnet.params.tempo);
    let at = match next_tick(netuid, tempo, from.saturating_sub(1)) {
        Some(tick) => block_ms(context, tick).saturating_add(BLOCK_MS),
        None => block_ms(context, from),
    };
    at.max(context.now_ms.saturating_add(BLOCK_MS))
}

/// As [`after_epoch_ms`], at a drawn moment of the first half of the tempo that follows: those of whom there are many on
/// a subnet do not all trade in one block.
pub fn early_in_epoch_ms(
    context: &Context<'_>,
    netuid: NetUid,
    blocks: u64,
    dice: &mut Dice,
) -> u64 {
    let tempo = context.view.state().subnet(netuid).map_or(0, |subnet| subnet.params.tempo);
    let later_ms = dice.below(u64::from(tempo / 2) * BLOCK_MS);
    after_epoch_ms(context, netuid, blocks).saturating_add(later_ms)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stage::{enter, fund, genesis, identity};

    /// One subnet at a tenth of a TAO for an alpha; who trades has 50 TAO and 500 alpha.
    fn desk(slippage_ppm: u32) -> (State, Desk) {
        let netuid = NetUid(1);
        let who = identity("traders", 0, Some(netuid));
        let mut state = genesis(1);
        enter(&mut state, &who, netuid, Alpha::whole(500), true);
        fund(&mut state, &who, Rao::whole(50));
        let desk = Desk { netuid, hotkey: who.hotkey, coldkey: who.coldkey, slippage_ppm };
        (state, desk)
    }

    #[test]
    fn a_buy_ends_at_the_limit_price_or_at_what_there_is() {
        // A hundredth more takes 10,000 × (√1.01 − 1) TAO and a fee of a twentieth of a hundredth.
        let rows = [
            (10_000, Rao::whole(10), 10_000_000_000),
            (10_000, Rao::whole(80), 49_900_000_000),
            (1_000_000, Rao::whole(80), 50_000_000_000),
        ];
        for (slippage_ppm, amount, expected) in rows {
            let (state, desk) = desk(slippage_ppm);
            let rao = desk.buy(&state, amount).expect("it is enough").rao.0;
            assert!(rao.abs_diff(expected) < 3_000_000, "{slippage_ppm} {amount}: {rao}");
        }
        let (state, desk) = desk(10_000);
        assert_eq!(desk.buy(&state, Rao(2_000_000)), None, "the fee comes on top of the least");
    }

    #[test]
    fn a_sale_ends_at_the_limit_price_or_at_what_is_held() {
        let sold = |slippage_ppm, amount| {
            let (state, desk) = desk(slippage_ppm);
            match desk.sell(&state, amount).map(|order| order.call) {
                Some(Call::RemoveStakeLimit { amount_unstaked, limit_price, .. }) => {
                    Some((amount_unstaked, limit_price))
                }
                other => panic!("{other:?}"),
            }
        };
        let whole = Alpha::whole(500);
        for amount in [whole, Alpha::whole(900)] {
            assert_eq!(sold(100_000, amount), Some((whole, Rao(89_999_999))));
        }
        let (part, limit) = sold(1_000, whole).expect("it was one");
        assert!(part < Alpha::whole(51) && part > Alpha::whole(49), "{part}");
        assert_eq!(limit, Rao(99_899_999));
        let (state, desk) = desk(1_000);
        assert_eq!(desk.sell(&state, Alpha(10)), None);
    }
}
