//! Setting weights (30 §8) and the stake that counts for it.

use crate::balances::require;
use crate::event::Event;
use crate::rejection::Rejection;
use crate::state::{State, Subnet};
use crate::tx::Tx;
use crate::units::{AccountId, NetUid};
use crate::yuma;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;

/// A weight row as its setter orders it.
#[derive(Clone, Copy, Debug)]
pub struct Order<'a> {
    /// On which subnet.
    pub netuid: NetUid,
    /// For which mechanism.
    pub mechanism: u8,
    /// Target uids.
    pub dests: &'a [u16],
    /// Their weights, any scale.
    pub weights: &'a [u16],
    /// The setter's software version.
    pub version_key: u64,
}

/// `set_weights` (30 §8.2).
///
/// # Errors
/// The first check that fails, in the chain's order.
pub fn set_weights(tx: &mut Tx<'_>, hotkey: AccountId, order: &Order<'_>) -> Result<(), Rejection> {
    // A netuid without a subnet has its flag too.
    let subnet = tx.state().subnets.get(&order.netuid);
    let commit_reveal = subnet.is_none_or(|subnet| subnet.params.commit_reveal);
    require(!commit_reveal, Rejection::CommitRevealEnabled)?;
    store_weights(tx, hotkey, order)
}

/// Stores a row after the checks that direct and revealed weights share (30 §8.2 from the second on).
///
/// # Errors
/// The first check that fails, in the chain's order.
pub fn store_weights(
    tx: &mut Tx<'_>,
    hotkey: AccountId,
    order: &Order<'_>,
) -> Result<(), Rejection> {
    let Order { netuid, mechanism, dests, weights, version_key } = *order;
    require(!netuid.is_root(), Rejection::CanNotSetRootNetworkWeights)?;
    require(dests.len() == weights.len(), Rejection::WeightVecNotEqualSize)?;
    let state = tx.state();
    let subnet = state.subnet(netuid).ok_or(Rejection::MechanismDoesNotExist)?;
    let known = mechanism < subnet.params.mechanism_count;
    require(known, Rejection::MechanismDoesNotExist)?;
    let (params, neurons) = (&subnet.params, &subnet.neurons);
    let count = neurons.len();
    require(dests.len() <= count, Rejection::UidsLengthExceedUidsInSubNet)?;
    let uid = neurons.uid(&hotkey).ok_or(Rejection::HotKeyNotRegisteredInSubNet)?;
    let stake = stake_weight(state, subnet, &hotkey);
    let enough = stake >= i128::from(state.global.stake_threshold) << 64;
    require(enough, Rejection::NotEnoughStakeToSetWeights)?;
    let version = params.weights_version_key;
    let current = version == 0 || version_key >= version;
    require(current, Rejection::IncorrectWeightVersionKey)?;
    let block = state.height.0;
    let direct = !params.commit_reveal;
    require(!direct || rested(subnet, mechanism, uid, block), Rejection::SettingWeightsTooFast)?;
    let itself = matches!(dests, [only] if *only == uid);
    let permit = neurons.validator_permit[usize::from(uid)];
    require(itself || permit, Rejection::NeuronNoValidatorPermit)?;
    let distinct: BTreeSet<u16> = dests.iter().copied().collect();
    require(distinct.len() == dests.len(), Rejection::DuplicateUids)?;
    let exist = dests.iter().all(|dest| usize::from(*dest) < count);
    require(exist, Rejection::UidVecContainInvalidOne)?;
    let least = count.min(usize::from(params.min_allowed_weights));
    require(itself || dests.len() >= least, Rejection::WeightVecLengthIsLow)?;

    let row: Vec<(u16, u16)> = dests.iter().copied().zip(yuma::max_upscale(weights)).collect();
    let last_update = direct.then_some(block);
    tx.emit(Event::WeightsSet { netuid, mechanism, uid, row, last_update });
    Ok(())
}

/// Whether the rate limit lets a uid set or commit weights.
pub fn rested(subnet: &Subnet, mechanism: u8, uid: u16, block: u64) -> bool {
    let last = subnet
        .mechanism(mechanism)
        .and_then(|mechanism| mechanism.last_update.get(usize::from(uid)).copied())
        .unwrap_or(0);
    last == 0 || block.saturating_sub(last) >= subnet.params.weights_set_rate_limit
}

/// The stake of a hotkey as consensus counts it, I64F64 bits: inherited alpha of the subnet plus
/// inherited root TAO at the TAO weight (10 §4).
pub fn stake_weight(state: &State, subnet: &Subnet, hotkey: &AccountId) -> i128 {
    let root = state.subnets.get(&NetUid::ROOT);
    let alpha = inherited(subnet, subnet, hotkey);
    let tao = root.map_or(0, |root| inherited(subnet, root, hotkey));
    yuma::combined_stake(alpha, tao, state.global.tao_weight)
}

/// Stake held on `on` by a hotkey, less what it gives to children, plus what parents give, by the
/// links of `links_of`.
fn inherited(links_of: &Subnet, on: &Subnet, hotkey: &AccountId) -> u64 {
    let held = |hotkey: &AccountId| on.pools.get(hotkey).map_or(0, |pool| pool.alpha.0);
    let Some(links) = links_of.links.get(hotkey) else {
        return held(hotkey);
    };
    let children: Vec<u64> = links.children.iter().map(|(proportion, _)| *proportion).collect();
    let parents: Vec<(u64, u64)> =
        links.parents.iter().map(|(proportion, parent)| (*proportion, held(parent))).collect();
    yuma::inherited_stake(held(hotkey), &children, &parents)
}
