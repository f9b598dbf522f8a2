//! Registration of subnets and neurons, root membership, start call (30 §3–§7).

use crate::balances::{credit, leak, require, withdraw};
use crate::dissolution;
use crate::event::{Cause, Event, SubnetRegistered, Via};
use crate::identities;
use crate::ledger::{self, Terms};
use crate::pool::{Fees, MAX_PRICE, Swap};
use crate::registration_math::{self, Lock, Neurons, PruneSubnet};
use crate::rejection::Rejection;
use crate::rules::Mode;
use crate::state::{Leak, State, Subnet, SubnetIdentity};
use crate::tx::Tx;
use crate::units::{AccountId, Alpha, Hash32, NetUid, Rao};
use crate::{symbols, work};
use alloc::boxed::Box;
use alloc::vec::Vec;

/// Delegate take of a hotkey that becomes a delegate, of 65,535.
pub const DELEGATE_TAKE_DEFAULT: u16 = 11_796;

/// Gives a hotkey its owner unless it has one.
pub fn ensure_account(tx: &mut Tx<'_>, coldkey: AccountId, hotkey: AccountId) {
    if tx.state().owner(&hotkey).is_none() {
        tx.emit(Event::HotkeyAssociated { hotkey, coldkey });
    }
}

/// What registering a subnet costs in the next block, in rao (30 §4.2).
pub fn lock_cost(state: &State) -> Rao {
    let global = &state.global;
    Rao(registration_math::lock_cost(&Lock {
        last_cost: global.network_last_lock_cost.0,
        last_block: global.network_last_lock_block,
        block: state.height.0,
        reduction_interval: global.network_lock_reduction_interval,
        cost_min: global.network_min_lock_cost.0,
        block_emission: crate::issuance::block_emission(global.total_issuance.0),
    }))
}

/// The subnet that would make room for a new one.
pub fn prune_candidate(state: &State) -> Option<NetUid> {
    let subnets: Vec<PruneSubnet> = state
        .networks()
        .map(|(netuid, subnet)| PruneSubnet {
            netuid: netuid.0,
            registered_at: subnet.info.registered_at,
            moving_price_raw: i128::try_from(subnet.moving_price()).unwrap_or(i128::MAX),
        })
        .collect();
    let period = state.global.network_immunity_period;
    registration_math::prune_subnet(&subnets, state.height.0, period).map(NetUid)
}

/// `register_network` and `register_network_with_identity` (30 §4.1).
///
/// # Errors
/// The first check that fails, in the chain's order; an identity is looked at last.
pub fn register_network(
    tx: &mut Tx<'_>,
    coldkey: AccountId,
    hotkey: AccountId,
    identity: Option<&SubnetIdentity>,
) -> Result<(), Rejection> {
    let state = tx.state();
    let owner = state.owner(&hotkey);
    require(owner.is_none_or(|owner| owner == coldkey), Rejection::NonAssociatedColdKey)?;
    let (block, global) = (state.height.0, &state.global);
    let open = block >= global.network_registration_start;
    require(open, Rejection::SubNetRegistrationDisabled)?;
    let last = global.network_last_lock_block;
    let rested = last == 0 || block.saturating_sub(last) >= global.network_rate_limit;
    require(rested, Rejection::NetworkTxRateLimitExceeded)?;
    let subnets = state.networks().filter(|(netuid, _)| !netuid.is_root()).count();
    let full = subnets >= usize::from(global.subnet_limit);
    let victim = if full { prune_candidate(state) } else { None };
    require(!full || victim.is_some(), Rejection::SubnetLimitReached)?;
    let cost = lock_cost(state);
    require(state.free(&coldkey) >= cost, Rejection::CannotAffordLockCost)?;

    let paid = withdraw(tx, coldkey, cost)?;
    if let Some(victim) = victim {
        dissolution::dissolve(tx, victim, Cause::Prune);
    }
    let netuid = victim.unwrap_or_else(|| register_network_netuid(tx.state()));
    let least = tx.state().global.network_min_lock_cost;
    // The reference fills the pool with the minimum even when less was paid.
    let pool = match tx.state().rules.mode {
        Mode::Reference => least,
        Mode::Sound => least.min(paid),
    };
    let recycled = paid.minus(pool);
    let symbol = symbols::choose(tx.state(), netuid.0);
    tx.emit(Event::SubnetRegistered(Box::new(SubnetRegistered {
        netuid,
        owner: coldkey,
        owner_hotkey: hotkey,
        symbol,
        locked: paid,
        pool: pool.0,
        recycled,
    })));
    leak(tx, Leak::LockShortfall, -i128::from(pool.minus(paid).0));
    ensure_account(tx, coldkey, hotkey);
    tx.emit(Event::NeuronPlaced { netuid, uid: 0, hotkey, replaced: None, via: Via::Founder });
    match identity {
        Some(identity) => identities::say_what_a_subnet_is(tx, netuid, identity),
        None => Ok(()),
    }
}

fn register_network_netuid(state: &State) -> NetUid {
    let free = (1..u16::MAX).map(NetUid).find(|netuid| state.subnet(*netuid).is_none());
    free.expect("the subnet limit is below the number of netuids")
}

/// `start_call` (30 §4.6).
///
/// # Errors
/// The first check that fails, in the chain's order.
pub fn start_call(tx: &mut Tx<'_>, signer: AccountId, netuid: NetUid) -> Result<(), Rejection> {
    let state = tx.state();
    let subnet = state.subnet(netuid).ok_or(Rejection::SubnetNotExists)?;
    require(subnet.info.owner == Some(signer), Rejection::BadOrigin)?;
    let fresh = subnet.info.first_emission.is_none();
    require(fresh, Rejection::FirstEmissionBlockNumberAlreadySet)?;
    let due = subnet.info.registered_at.saturating_add(state.global.start_call_delay);
    let block = state.height.0;
    require(block >= due, Rejection::NeedWaitingMoreBlocksToStarCall)?;

    tx.emit(Event::SubnetStarted { netuid, first_emission: block + 1 });
    Ok(())
}

/// `burned_register` (30 §6.1).
///
/// # Errors
/// The first check that fails, in the chain's order.
pub fn burned_register(
    tx: &mut Tx<'_>,
    coldkey: AccountId,
    netuid: NetUid,
    hotkey: AccountId,
) -> Result<(), Rejection> {
    require(!netuid.is_root(), Rejection::RegistrationNotPermittedOnRootSubnet)?;
    let state = tx.state();
    let subnet = state.subnet(netuid).ok_or(Rejection::SubnetNotExists)?;
    require(subnet.params.registration_allowed, Rejection::SubNetRegistrationDisabled)?;
    registration_limits(subnet)?;
    let taken = subnet.neurons.uid(&hotkey).is_some();
    require(!taken, Rejection::HotKeyAlreadyRegisteredInSubNet)?;
    let burn = subnet.fast.burn;
    require(state.free(&coldkey) >= burn, Rejection::NotEnoughBalanceToStake)?;
    let owner = state.owner(&hotkey);
    require(owner.is_none_or(|owner| owner == coldkey), Rejection::NonAssociatedColdKey)?;
    let (uid, replaced) = free_uid(state, subnet)?;

    ensure_account(tx, coldkey, hotkey);
    let paid = withdraw(tx, coldkey, burn)?;
    let terms = Terms { limit: MAX_PRICE, fees: Fees::Charged };
    let swap = ledger::buy(tx, netuid, paid, terms)?;
    burned_register_rest(tx, coldkey, paid, &swap);
    tx.emit(Event::AlphaDestroyed { netuid, amount: Alpha(swap.paid_out) });
    tx.emit(Event::NeuronPlaced { netuid, uid, hotkey, replaced, via: Via::Burn });
    tx.emit(Event::RegistrationCounted { netuid, via: Via::Burn, price: burn });
    Ok(())
}

/// The reference pays the fee to nobody (quirk Q9), and what was not filled is lost with it. In `sound`
/// mode they go to the block author and back to the payer.
fn burned_register_rest(tx: &mut Tx<'_>, coldkey: AccountId, paid: Rao, swap: &Swap) {
    let rest = paid.minus(Rao(swap.paid_in));
    match tx.state().rules.mode {
        Mode::Reference => leak(tx, Leak::RegistrationFees, i128::from(rest.0)),
        Mode::Sound => {
            ledger::pay_author(tx, Rao(swap.fee));
            credit(tx, coldkey, rest.minus(Rao(swap.fee)));
        }
    }
}

/// A registration by proof of work.
#[derive(Clone, Copy, Debug)]
pub struct Proof {
    /// The subnet.
    pub netuid: NetUid,
    /// The block whose hash the work builds upon.
    pub block: u64,
    /// What was tried.
    pub nonce: u64,
    /// Its seal.
    pub work: Hash32,
    /// The new neuron.
    pub hotkey: AccountId,
    /// Who owns it.
    pub coldkey: AccountId,
}

/// Blocks, the present one included, that a proof of work may build upon.
const WORK_BLOCKS: u64 = 3;

/// `register` (30 §6.2). A block's hash is its entropy; that of the present block reads as zeros, as
/// on the chain. A proof may be used again: the chain does not prevent it.
///
/// # Errors
/// The first check that fails, in the chain's order.
pub fn register(tx: &mut Tx<'_>, signer: AccountId, proof: &Proof) -> Result<(), Rejection> {
    let Proof { netuid, hotkey, coldkey, .. } = *proof;
    require(signer == hotkey, Rejection::TransactorAccountShouldBeHotKey)?;
    require(!netuid.is_root(), Rejection::RegistrationNotPermittedOnRootSubnet)?;
    let state = tx.state();
    let subnet = state.subnet(netuid).ok_or(Rejection::SubnetNotExists)?;
    let open = subnet.params.pow_registration_allowed;
    require(open, Rejection::SubNetRegistrationDisabled)?;
    registration_limits(subnet)?;
    let taken = subnet.neurons.uid(&hotkey).is_some();
    require(!taken, Rejection::HotKeyAlreadyRegisteredInSubNet)?;
    let age = state.height.0.checked_sub(proof.block);
    let age = age.filter(|age| *age < WORK_BLOCKS).ok_or(Rejection::InvalidWorkBlock)?;
    let hard = work::meets(&proof.work, subnet.fast.difficulty);
    require(hard, Rejection::InvalidDifficulty)?;
    let hash = work_hash(state, age);
    let sealed = work::seal(&hash, &hotkey, proof.nonce) == proof.work;
    require(sealed, Rejection::InvalidSeal)?;
    let owner = state.owner(&hotkey);
    require(owner.is_none_or(|owner| owner == coldkey), Rejection::NonAssociatedColdKey)?;
    let (uid, replaced) = free_uid(state, subnet)?;

    ensure_account(tx, coldkey, hotkey);
    tx.emit(Event::NeuronPlaced { netuid, uid, hotkey, replaced, via: Via::Work });
    tx.emit(Event::RegistrationCounted { netuid, via: Via::Work, price: Rao::ZERO });
    Ok(())
}

/// What proofs of work build upon: the hash of a block, by its age. Zeros for the present block and
/// for those before genesis.
pub fn work_hash(state: &State, age: u64) -> Hash32 {
    let known = usize::try_from(age).ok().filter(|age| *age != 0);
    known.and_then(|age| state.global.entropies.get(age)).copied().unwrap_or_default()
}

fn registration_limits(subnet: &Subnet) -> Result<(), Rejection> {
    let (fast, params) = (&subnet.fast, &subnet.params);
    let block_open = fast.registrations_this_block < params.max_registrations_per_block;
    require(block_open, Rejection::TooManyRegistrationsThisBlock)?;
    require(interval_open(subnet), Rejection::TooManyRegistrationsThisInterval)
}

/// Whether the interval has registrations left: three times the target.
pub fn interval_open(subnet: &Subnet) -> bool {
    let most = subnet.params.target_registrations_per_interval.saturating_mul(3);
    subnet.fast.registrations_this_interval < most
}

/// The uid for a newcomer, and who must leave it (30 §7.1).
fn free_uid(state: &State, subnet: &Subnet) -> Result<(u16, Option<AccountId>), Rejection> {
    let neurons = &subnet.neurons;
    let most = usize::from(subnet.params.max_allowed_uids);
    require(most != 0, Rejection::NoNeuronIdAvailable)?;
    if neurons.len() < most {
        let uid = u16::try_from(neurons.len()).map_err(|_| Rejection::NoNeuronIdAvailable)?;
        return Ok((uid, None));
    }
    let emission: Vec<u64> = neurons.emission.iter().map(|alpha| alpha.0).collect();
    let uid = registration_math::prune_neuron(&Neurons {
        emission: &emission,
        registered_at: &neurons.registered_at,
        immortal: &immortal_uids(state, subnet),
        block: state.height.0,
        immunity_period: u64::from(subnet.params.immunity_period),
        non_immune_min: subnet.params.min_non_immune_uids,
    });
    let uid = uid.ok_or(Rejection::NoNeuronIdAvailable)?;
    Ok((uid, Some(neurons.hotkeys[usize::from(uid)])))
}

/// The owner's uids that nobody takes (30 §7.1).
pub fn immortal_uids(state: &State, subnet: &Subnet) -> Vec<u16> {
    let neurons = &subnet.neurons;
    let owned = subnet.info.owner.and_then(|owner| state.coldkeys.get(&owner));
    let owned: Vec<(u64, u16)> = owned
        .into_iter()
        .flat_map(|coldkey| &coldkey.owned)
        .filter_map(|hotkey| neurons.uid(hotkey))
        .map(|uid| (neurons.registered_at[usize::from(uid)], uid))
        .collect();
    let owner_uid = subnet.info.owner_hotkey.and_then(|hotkey| neurons.uid(&hotkey));
    let limit = subnet.params.immune_owner_uids_limit;
    registration_math::immortal_uids(&owned, owner_uid, limit)
}

/// `root_register` (30 §3.2). Ownership of the hotkey is not checked, as on the chain.
///
/// # Errors
/// The first check that fails, in the chain's order.
pub fn root_register(
    tx: &mut Tx<'_>,
    coldkey: AccountId,
    hotkey: AccountId,
) -> Result<(), Rejection> {
    let netuid = NetUid::ROOT;
    let state = tx.state();
    let root = state.subnet(netuid).ok_or(Rejection::RootNetworkDoesNotExist)?;
    registration_limits(root)?;
    let taken = root.neurons.uid(&hotkey).is_some();
    require(!taken, Rejection::HotKeyAlreadyRegisteredInSubNet)?;
    let neurons = &root.neurons;
    let (uid, replaced) = if neurons.len() < usize::from(root.params.max_allowed_uids) {
        let uid = u16::try_from(neurons.len()).map_err(|_| Rejection::NoNeuronIdAvailable)?;
        (uid, None)
    } else {
        let stake = |hotkey: &AccountId| state.hotkey_alpha(hotkey, netuid);
        let members = (0..=u16::MAX).zip(&neurons.hotkeys);
        let lowest = members.min_by_key(|(uid, member)| (stake(member), *uid));
        let (uid, member) = lowest.ok_or(Rejection::NoNeuronIdAvailable)?;
        require(stake(member) < stake(&hotkey), Rejection::StakeTooLowForRoot)?;
        (uid, Some(*member))
    };
    let is_delegate = state.hotkeys.get(&hotkey).is_some_and(|entry| entry.take.is_some());

    ensure_account(tx, coldkey, hotkey);
    tx.emit(Event::NeuronPlaced { netuid, uid, hotkey, replaced, via: Via::Root });
    if !is_delegate {
        tx.emit(Event::DelegateTakeSet { hotkey, take: DELEGATE_TAKE_DEFAULT });
    }
    tx.emit(Event::RegistrationCounted { netuid, via: Via::Root, price: Rao::ZERO });
    Ok(())
}
