//! `apy`: chases the validator whose stakers earned most, by how much the alpha behind a share of its stake grew.
//!
//! That growth is what a staker gets: after the validator's take, without regard to the price.

use super::trader::{Capped, Rhythm, Trader, Turn, price_above, settings};
use super::{check_order, part, traded};
use crate::machine::{Context, Input, Machine};
use crate::registry::{InvalidSetting, ppm, within};
use protocol::state::{HotkeyPool, State, Subnet};
use protocol::units::{AccountId, Alpha, BLOCKS_PER_DAY, NetUid, Rao};
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::collections::BTreeMap;

settings! {
    /// Settings of `apy`.
    ApySettings {
        interval_blocks = 1_800, slippage_ppm = 10_000;
        /// An order, in millionths of spendable TAO (in) or of the position (out).
        order_ppm: u32 = 200_000,
        /// Blocks over which a validator's dividends are measured.
        window_blocks: u64 = BLOCKS_PER_DAY,
        /// Validators it follows on each subnet: those with most stake.
        validators_max: u16 = 3,
        /// How much less than the best a holding may earn before it is sold, in millionths of the best.
        edge_ppm: u32 = 250_000,
    }
}

impl ApySettings {
    /// Checks the values.
    ///
    /// # Errors
    /// The first setting it could not act on.
    pub fn check(&self) -> Result<(), InvalidSetting> {
        self.terms().check()?;
        check_order(self.order_ppm)?;
        let month = 30 * BLOCKS_PER_DAY;
        within("window_blocks", self.window_blocks, 1..=month, "1 block to 30 days")?;
        within("validators_max", self.validators_max.into(), 1..=64, "1 to 64")?;
        ppm("edge_ppm", self.edge_ppm)
    }
}

/// What it knows of a validator on a subnet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Record {
    /// Height of the last note.
    height: u64,
    /// Alpha behind a share then, in parts of 10¹².
    per_share: u64,
    /// What a day brought over the last whole window, in parts of 10¹² of the stake.
    daily: Option<u64>,
}

/// A staker that goes after dividends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Apy {
    settings: ApySettings,
    trader: Trader,
    records: BTreeMap<(NetUid, AccountId), Record>,
}

impl Apy {
    /// A staker that has not started.
    pub const fn new(settings: ApySettings) -> Self {
        Self { settings, trader: Trader::new(), records: BTreeMap::new() }
    }

    fn look(&mut self, context: &mut Context<'_>) {
        self.look_note(context);
        let terms = self.settings.terms();
        let daily = |record: &Record| record.daily.filter(|daily| *daily > 0);
        // Of equals the lower netuid, then the lower account.
        let best = self
            .records
            .iter()
            .filter_map(|(place, record)| Some((*place, daily(record)?)))
            .min_by_key(|(place, daily)| (Reverse(*daily), *place));
        let Some(((netuid, hotkey), best)) = best else { return };
        let enough = best - part(best, self.settings.edge_ppm);
        let holdings = terms.holdings(context);
        let worst = holdings
            .iter()
            .filter_map(|holding| {
                let record = self.records.get(&(holding.netuid, holding.hotkey))?;
                Some((holding, record.daily?))
            })
            .filter(|(_, daily)| *daily < enough)
            .min_by_key(|(_, daily)| *daily);
        if let Some((holding, _)) = worst {
            let amount = Alpha(part(holding.alpha.0, self.settings.order_ppm));
            self.trader.sell(holding, amount, &terms, context);
        }
        if let Some(subnet) = context.view.state().subnet(netuid) {
            let spendable = self.trader.spendable(&terms, context);
            let amount = Rao(part(spendable.0, self.settings.order_ppm));
            let limit = price_above(subnet.price(), terms.slippage_ppm);
            self.trader.buy_behind(hotkey, netuid, Capped { amount, limit }, &terms, context);
        }
    }

    /// Notes the validators it follows and those it is behind, and forgets the others. A validator is measured once a
    /// window; in between it counts as at the last measure.
    fn look_note(&mut self, context: &Context<'_>) {
        let state = context.view.state();
        let terms = self.settings.terms();
        let mut followed: Vec<(NetUid, AccountId)> = traded(state, terms.netuids)
            .flat_map(|(netuid, subnet)| {
                let most = self.settings.validators_max.into();
                let first = first_validators(state, netuid, subnet, most);
                first.into_iter().map(move |hotkey| (netuid, hotkey))
            })
            .collect();
        let holdings = terms.holdings(context);
        followed.extend(holdings.iter().map(|holding| (holding.netuid, holding.hotkey)));
        let mut known = std::mem::take(&mut self.records);
        for place in followed {
            let (netuid, hotkey) = place;
            let pool = state.subnet(netuid).and_then(|subnet| subnet.pools.get(&hotkey));
            let Some(per_share) = pool.and_then(per_share) else { continue };
            let height = state.height.0;
            let record = match known.remove(&place) {
                Some(old) if height.saturating_sub(old.height) < self.settings.window_blocks => old,
                Some(old) => {
                    let blocks = height.saturating_sub(old.height);
                    let daily = Some(daily_growth(old.per_share, per_share, blocks));
                    Record { height, per_share, daily }
                }
                None => Record { height, per_share, daily: None },
            };
            self.records.entry(place).or_insert(record);
        }
    }
}

impl Machine for Apy {
    fn step(&mut self, input: &Input<'_>, context: &mut Context<'_>) {
        match self.trader.turn(input, &self.settings.terms(), Rhythm::Random, context) {
            Turn::Wait => {}
            Turn::Look => self.look(context),
            Turn::Leave => self.trader.sell_all(&self.settings.terms(), context),
        }
    }
}

/// The validators with most stake, of those that may set weights; of equals the lower account.
fn first_validators(state: &State, netuid: NetUid, subnet: &Subnet, most: usize) -> Vec<AccountId> {
    let neurons = &subnet.neurons;
    let permitted = neurons.hotkeys.iter().zip(&neurons.validator_permit);
    let mut validators: Vec<AccountId> = permitted
        .filter(|(hotkey, permit)| **permit && state.owner(hotkey).is_some())
        .map(|(hotkey, _)| *hotkey)
        .collect();
    let rank = |hotkey: &AccountId| (Reverse(state.hotkey_alpha(hotkey, netuid)), *hotkey);
    validators.sort_unstable_by_key(rank);
    validators.truncate(most);
    validators
}

/// Alpha behind a share, in parts of 10¹² (a share starts as one unit of alpha).
fn per_share(pool: &HotkeyPool) -> Option<u64> {
    const TWO_TO_64: f64 = 18_446_744_073_709_551_616.0;
    let shares = pool.shares as f64 / TWO_TO_64;
    (shares > 0.0).then(|| (pool.alpha.0 as f64 / shares * 1e12) as u64)
}

/// Growth from one value to another over some blocks, per day, in parts of 10¹²; rounded down, a loss is 0.
fn daily_growth(from: u64, to: u64, blocks: u64) -> u64 {
    let grown = u128::from(to.saturating_sub(from)) * 1_000_000_000_000;
    let whole = u128::from(from.max(1)) * u128::from(blocks.max(1));
    u64::try_from(grown.saturating_mul(u128::from(BLOCKS_PER_DAY)) / whole).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::Seated;
    use crate::machine::Identity;
    use crate::registry::BehaviourSettings;
    use crate::stage::{Stage, enter, fund, genesis, identity, stake};
    use crate::staker::market::{market_with_money, staker};
    use protocol::call::Call;

    /// Two subnets with one validator each; that of subnet 1 has eight times the stake for the same dividends.
    fn stage(settings: ApySettings) -> (Stage, Identity, Identity) {
        let mut state = genesis(2);
        let lazy = identity("validators", 0, None);
        let busy = identity("validators", 1, None);
        enter(&mut state, &lazy, NetUid(1), Alpha::whole(8_000), true);
        enter(&mut state, &busy, NetUid(2), Alpha::whole(1_000), true);
        fund(&mut state, &staker(), Rao::whole(100));
        stake(&mut state, &staker(), lazy.hotkey, NetUid(1), Alpha::whole(100));
        let player = BehaviourSettings::Apy(settings).build();
        (Stage::new(state, vec![Seated::new(staker(), player)], 1), lazy, busy)
    }

    #[test]
    fn it_goes_from_who_earns_little_to_who_earns_most() {
        let settings =
            ApySettings { interval_blocks: 4, window_blocks: 30, ..ApySettings::default() };
        let (mut stage, lazy, busy) = stage(settings);
        stage.play(28);
        assert_eq!(stage.records, [], "it has not measured anything yet");
        stage.play(60);
        assert!(stage.count("add_stake_limit") > 2 && stage.count("remove_stake_limit") > 2);
        for record in &stage.records {
            match record.call {
                Call::AddStakeLimit { hotkey, netuid, .. } => {
                    assert_eq!((hotkey, netuid), (busy.hotkey, NetUid(2)));
                }
                Call::RemoveStakeLimit { hotkey, netuid, .. } => {
                    assert_eq!((hotkey, netuid), (lazy.hotkey, NetUid(1)));
                }
                ref other => panic!("{other:?} is no order of a trader"),
            }
        }
        assert_eq!(stage.refusals(), [""; 0]);
    }

    #[test]
    fn growth_is_per_day_and_alpha_behind_a_share_is_exact_enough() {
        let rows = [
            (1_000, 1_001, 7_200, 1_000_000_000),
            (1_000, 1_001, 3_600, 2_000_000_000),
            (1_000, 999, 7_200, 0),
            (0, 0, 0, 0),
        ];
        for (from, to, blocks, daily) in rows {
            assert_eq!(daily_growth(from, to, blocks), daily, "{from} to {to} in {blocks}");
        }
        let state = market_with_money();
        let pools = &state.subnets[&NetUid(1)].pools;
        assert!(pools.values().all(|pool| per_share(pool) == Some(1_000_000_000_000)));
        assert_eq!(per_share(&HotkeyPool::default()), None);
    }
}
