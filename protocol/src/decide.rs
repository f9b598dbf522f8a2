//! Decides one call: admission, then the family that owns its rule.

use crate::balances::{
    EXISTENTIAL_DEPOSIT, Ending, credit, lose, require, transfer, transfer_all, transfer_keep_alive,
};
use crate::batches::Reveals;
use crate::call::{Call, Origin, Signed};
use crate::commits::{Opening, commit_hash};
use crate::event::Event;
use crate::fees::fee;
use crate::key_swaps::HotkeySwap;
use crate::ledger::Position;
use crate::payload::COMMIT_BYTES_MAX;
use crate::registration::Proof;
use crate::rejection::{Outcome, Refusal, Rejection};
use crate::rules::FeeSchedule;
use crate::staking::{self, Filling, Limit, Move, Purpose};
use crate::state::{Axon, Leak, State};
use crate::timelock::{CRV3_VERSION, Sealing};
use crate::tx::Tx;
use crate::units::{AccountId, NetUid, Rao};
use crate::weights::Order;
use crate::{
    batches, children, commits, delegation, dissolution, hyperparameters, identities, key_swaps,
    registration, root_claims, serving, timelock, weights,
};
use alloc::vec::Vec;

/// Admits a call, decides it, and says what became of it. A failed call leaves its nonce; a refused
/// one leaves nothing.
pub fn execute(tx: &mut Tx<'_>, signed: &Signed<&Call>) -> Outcome {
    if let Err(refusal) = admit(tx.state(), signed) {
        return Outcome::Refused(refusal);
    }
    if let Origin::Signed(signer) = signed.origin {
        tx.emit(Event::CallIncluded { signer, nonce: signed.nonce });
        if let Some(amount) = fee_of(tx.state(), signed.call) {
            pay_fee(tx, signer, amount);
        }
    }
    match tx.attempt(|tx| decide(tx, signed)) {
        Ok(()) => Outcome::Ok,
        Err(rejection) => Outcome::Failed(rejection),
    }
}

/// The checks before inclusion (30 §14.1).
///
/// # Errors
/// Why the call is not included.
pub fn admit(state: &State, signed: &Signed<&Call>) -> Result<(), Refusal> {
    let Origin::Signed(signer) = signed.origin else {
        return Ok(());
    };
    match signed.nonce.cmp(&state.nonce(&signer)) {
        core::cmp::Ordering::Less => return Err(Refusal::Stale),
        core::cmp::Ordering::Greater => return Err(Refusal::Future),
        core::cmp::Ordering::Equal => {}
    }
    if let Some(amount) = fee_of(state, signed.call) {
        // Exact, and the account stays alive.
        let needed = amount.plus(EXISTENTIAL_DEPOSIT);
        admit_if(state.free(&signer) >= needed, Refusal::Payment)?;
    }
    match signed.call {
        Call::AddStakeBurn { netuid, .. } => {
            let owner = state.subnet(*netuid).and_then(|subnet| subnet.info.owner);
            admit_if(owner == Some(signer), Refusal::BadSigner)
        }
        Call::SetWeights { netuid, .. } | Call::CommitWeights { netuid, .. } => {
            admit_stake(state, &signer, *netuid)
        }
        Call::RevealWeights { netuid, .. } => {
            admit_stake(state, &signer, *netuid)?;
            let hash = opening_of(signed.call).map(|opening| commit_hash(&signer, &opening));
            match commits::reveal_expected(state, *netuid, hash.unwrap_or_default()) {
                Err(commits::Unknown) => Err(Refusal::CommitNotFound),
                Ok(open) => admit_if(open, Refusal::CommitBlockNotInRevealRange),
            }
        }
        Call::CommitTimelockedWeights { netuid, commit, reveal_round, .. } => {
            admit_size(commit)?;
            admit_stake(state, &signer, *netuid)?;
            let coming = *reveal_round >= state.global.beacon.last;
            admit_if(coming, Refusal::InvalidRevealRound)
        }
        Call::CommitTimelockedMechanismWeights { commit, .. }
        | Call::CommitCrv3MechanismWeights { commit, .. } => admit_size(commit),
        Call::BatchRevealWeights { netuid, .. } => {
            admit_stake(state, &signer, *netuid)?;
            let openings = reveals_of(signed.call).and_then(|reveals| reveals.openings());
            let openings = openings.ok_or(Refusal::InputLengthsUnequal)?;
            let hashes = openings.iter().map(|opening| commit_hash(&signer, opening));
            let found: Result<Vec<bool>, commits::Unknown> =
                hashes.map(|hash| commits::reveal_expected(state, *netuid, hash)).collect();
            let found = found.map_err(|commits::Unknown| Refusal::CommitNotFound)?;
            let open = found.iter().all(|open| *open);
            admit_if(open, Refusal::CommitBlockNotInRevealRange)
        }
        Call::BurnedRegister { netuid, .. } | Call::Register { netuid, .. } => {
            let open = state.subnet(*netuid).is_none_or(registration::interval_open);
            admit_if(open, Refusal::RateLimitExceeded)
        }
        Call::RegisterNetwork { .. } => {
            let last = state.global.network_last_lock_block;
            let since = state.height.0.saturating_sub(last);
            let rested = last == 0 || since >= state.global.network_rate_limit;
            admit_if(rested, Refusal::RateLimitExceeded)
        }
        Call::ServeAxon { netuid, .. } => axon_of(signed.call)
            .map_or(Ok(()), |axon| serving::admit(state, &signer, *netuid, &axon)),
        _ => Ok(()),
    }
}

/// What a call costs under the rules in force; `None` for nothing.
fn fee_of(state: &State, call: &Call) -> Option<Rao> {
    match state.rules.fees {
        FeeSchedule::None => None,
        FeeSchedule::Reference => fee(call),
    }
}

/// Takes the fee, whatever becomes of the call; without a block author it is lost, in `sound` mode
/// recycled.
fn pay_fee(tx: &mut Tx<'_>, payer: AccountId, amount: Rao) {
    tx.emit(Event::BalanceWithdrawn { account: payer, amount });
    match tx.state().global.block_author {
        Some(author) => credit(tx, author, amount),
        None => lose(tx, Leak::Fees, amount),
    }
    tx.emit(Event::FeePaid { payer, amount });
}

/// The stake that weights need (30 §14.1, code 1).
fn admit_stake(state: &State, hotkey: &AccountId, netuid: NetUid) -> Result<(), Refusal> {
    let threshold = i128::from(state.global.stake_threshold) << 64;
    let subnet = state.subnets.get(&netuid);
    let stake = subnet.map_or(0, |subnet| weights::stake_weight(state, subnet, hotkey));
    admit_if(stake >= threshold, Refusal::StakeAmountTooLow)
}

/// A longer commit is no extrinsic at all.
fn admit_size(commit: &[u8]) -> Result<(), Refusal> {
    admit_if(commit.len() <= COMMIT_BYTES_MAX, Refusal::BadRequest)
}

fn admit_if(holds: bool, otherwise: Refusal) -> Result<(), Refusal> {
    if holds { Ok(()) } else { Err(otherwise) }
}

/// Decides a call; its only effect is what it emits.
///
/// # Errors
/// Why the answer is no.
pub fn decide(tx: &mut Tx<'_>, signed: &Signed<&Call>) -> Result<(), Rejection> {
    if let Origin::Signed(signer) = signed.origin {
        let about_swaps = matches!(
            signed.call,
            Call::AnnounceColdkeySwap { .. }
                | Call::SwapColdkeyAnnounced { .. }
                | Call::DisputeColdkeySwap
        );
        key_swaps::guard(tx.state(), &signer, about_swaps)?;
    }
    match signed.call {
        Call::TransferAllowDeath { dest, value } => {
            transfer(tx, signer(signed.origin)?, *dest, *value)
        }
        Call::RegisterNetwork { hotkey } => {
            registration::register_network(tx, signer(signed.origin)?, *hotkey, None)
        }
        Call::StartCall { netuid } => registration::start_call(tx, signer(signed.origin)?, *netuid),
        Call::BurnedRegister { netuid, hotkey } => {
            registration::burned_register(tx, signer(signed.origin)?, *netuid, *hotkey)
        }
        Call::RootRegister { hotkey } => {
            registration::root_register(tx, signer(signed.origin)?, *hotkey)
        }
        Call::AddStake { .. }
        | Call::AddStakeLimit { .. }
        | Call::RemoveStake { .. }
        | Call::RemoveStakeLimit { .. }
        | Call::RemoveStakeFullLimit { .. }
        | Call::UnstakeAll { .. }
        | Call::UnstakeAllAlpha { .. }
        | Call::RecycleAlpha { .. }
        | Call::BurnAlpha { .. }
        | Call::AddStakeBurn { .. } => decide_stake(tx, signer(signed.origin)?, signed.call),
        Call::MoveStake { .. }
        | Call::SwapStake { .. }
        | Call::SwapStakeLimit { .. }
        | Call::TransferStake { .. } => decide_move(tx, signer(signed.origin)?, signed.call),
        Call::SetWeights { netuid, dests, weights, version_key } => {
            let order =
                Order { netuid: *netuid, mechanism: 0, dests, weights, version_key: *version_key };
            weights::set_weights(tx, signer(signed.origin)?, &order)
        }
        Call::ServeAxon { netuid, .. } => {
            let axon = axon_of(signed.call).unwrap_or_default();
            serving::serve_axon(tx, signer(signed.origin)?, *netuid, axon)
        }
        Call::SetMechanismWeights { netuid, mecid, dests, weights, version_key } => {
            let (netuid, mechanism, version_key) = (*netuid, *mecid, *version_key);
            let order = Order { netuid, mechanism, dests, weights, version_key };
            weights::set_weights(tx, signer(signed.origin)?, &order)
        }
        Call::CommitWeights { netuid, commit_hash } => {
            commits::commit_weights(tx, signer(signed.origin)?, *netuid, 0, *commit_hash)
        }
        Call::CommitMechanismWeights { netuid, mecid, commit_hash } => {
            commits::commit_weights(tx, signer(signed.origin)?, *netuid, *mecid, *commit_hash)
        }
        Call::RevealWeights { .. } | Call::RevealMechanismWeights { .. } => {
            let opening = opening_of(signed.call).ok_or(Rejection::BadOrigin)?;
            commits::reveal_weights(tx, signer(signed.origin)?, &opening)
        }
        Call::TryAssociateHotkey { hotkey } => {
            registration::ensure_account(tx, signer(signed.origin)?, *hotkey);
            Ok(())
        }
        Call::IncreaseTake { hotkey, take } => {
            delegation::increase_take(tx, signer(signed.origin)?, *hotkey, *take)
        }
        Call::DecreaseTake { hotkey, take } => {
            delegation::decrease_take(tx, signer(signed.origin)?, *hotkey, *take)
        }
        Call::SetColdkeyAutoStakeHotkey { netuid, hotkey } => {
            delegation::set_auto_stake(tx, signer(signed.origin)?, *netuid, *hotkey)
        }
        Call::SetChildkeyTake { hotkey, netuid, take } => {
            children::set_childkey_take(tx, signer(signed.origin)?, *hotkey, *netuid, *take)
        }
        Call::SetChildren { hotkey, netuid, children } => {
            children::set_children(tx, signer(signed.origin)?, *hotkey, *netuid, children)
        }
        Call::ClaimRoot { subnets } => root_claims::claim_root(tx, signer(signed.origin)?, subnets),
        Call::SetRootClaimType { new_root_claim_type } => {
            let coldkey = signer(signed.origin)?;
            root_claims::set_root_claim_type(tx, coldkey, new_root_claim_type)
        }
        Call::SudoSet(setting) => hyperparameters::set(tx, signed.origin, setting),
        Call::RootDissolveNetwork { netuid } => {
            require(signed.origin == Origin::Root, Rejection::BadOrigin)?;
            dissolution::root_dissolve_network(tx, *netuid)
        }
        Call::TransferKeepAlive { dest, value } => {
            transfer_keep_alive(tx, signer(signed.origin)?, *dest, *value)
        }
        Call::TransferAll { dest, keep_alive } => {
            let ending = if *keep_alive { Ending::KeptAlive } else { Ending::Reaped };
            transfer_all(tx, signer(signed.origin)?, *dest, ending)
        }
        Call::RegisterNetworkWithIdentity { hotkey, identity } => {
            let coldkey = signer(signed.origin)?;
            registration::register_network(tx, coldkey, *hotkey, identity.as_deref())
        }
        Call::Register { netuid, block_number, nonce, work, hotkey, coldkey } => {
            let proof = Proof {
                netuid: *netuid,
                block: *block_number,
                nonce: *nonce,
                work: *work,
                hotkey: *hotkey,
                coldkey: *coldkey,
            };
            registration::register(tx, signer(signed.origin)?, &proof)
        }
        Call::SetIdentity(identity) => {
            identities::set_identity(tx, signer(signed.origin)?, identity)
        }
        Call::SetSubnetIdentity { netuid, identity } => {
            identities::set_subnet_identity(tx, signer(signed.origin)?, *netuid, identity)
        }
        Call::DissolveNetwork { netuid, .. } => {
            require(signed.origin == Origin::Root, Rejection::BadOrigin)?;
            dissolution::root_dissolve_network(tx, *netuid)
        }
        Call::SwapHotkey { hotkey, new_hotkey, netuid } => {
            let coldkey = signer(signed.origin)?;
            let order = HotkeySwap { coldkey, old: *hotkey, new: *new_hotkey, netuid: *netuid };
            key_swaps::swap_hotkey(tx, &order)
        }
        Call::AnnounceColdkeySwap { new_coldkey_hash } => {
            key_swaps::announce(tx, signer(signed.origin)?, *new_coldkey_hash)
        }
        Call::SwapColdkeyAnnounced { new_coldkey } => {
            key_swaps::swap_announced(tx, signer(signed.origin)?, *new_coldkey)
        }
        Call::DisputeColdkeySwap => key_swaps::dispute(tx, signer(signed.origin)?),
        Call::ResetColdkeySwap { coldkey } => {
            require(signed.origin == Origin::Root, Rejection::BadOrigin)?;
            key_swaps::reset(tx, *coldkey);
            Ok(())
        }
        Call::SwapColdkey { old_coldkey, new_coldkey, swap_cost } => {
            require(signed.origin == Origin::Root, Rejection::BadOrigin)?;
            key_swaps::swap_by_root(tx, *old_coldkey, *new_coldkey, *swap_cost)
        }
        Call::SwitchRules { rules } => {
            require(signed.origin == Origin::Root, Rejection::BadOrigin)?;
            tx.emit(Event::RulesSwitched { rules: *rules });
            Ok(())
        }
        Call::CommitTimelockedWeights { .. }
        | Call::CommitTimelockedMechanismWeights { .. }
        | Call::CommitCrv3MechanismWeights { .. } => {
            let sealing = sealing_of(signed.call).ok_or(Rejection::BadOrigin)?;
            timelock::commit_timelocked_weights(tx, signer(signed.origin)?, &sealing)
        }
        Call::BatchSetWeights { netuids, weights, version_keys } => {
            let hotkey = signer(signed.origin)?;
            batches::batch_set_weights(tx, hotkey, netuids, weights, version_keys)
        }
        Call::BatchCommitWeights { netuids, commit_hashes } => {
            batches::batch_commit_weights(tx, signer(signed.origin)?, netuids, commit_hashes)
        }
        Call::BatchRevealWeights { .. } => {
            let reveals = reveals_of(signed.call).ok_or(Rejection::BadOrigin)?;
            batches::batch_reveal_weights(tx, signer(signed.origin)?, &reveals)
        }
    }
}

/// Orders on one position or behind one hotkey.
fn decide_stake(tx: &mut Tx<'_>, coldkey: AccountId, call: &Call) -> Result<(), Rejection> {
    let at = |hotkey: &AccountId, netuid: &NetUid| Position {
        hotkey: *hotkey,
        coldkey,
        netuid: *netuid,
    };
    match call {
        Call::AddStake { hotkey, netuid, amount_staked } => {
            staking::add_stake(tx, at(hotkey, netuid), *amount_staked).map(drop)
        }
        Call::AddStakeLimit { hotkey, netuid, amount_staked, limit_price, allow_partial } => {
            let limit = limit(*limit_price, *allow_partial);
            staking::add_stake_limit(tx, at(hotkey, netuid), *amount_staked, limit).map(drop)
        }
        Call::RemoveStake { hotkey, netuid, amount_unstaked } => {
            staking::remove_stake(tx, at(hotkey, netuid), *amount_unstaked)
        }
        Call::RemoveStakeLimit { hotkey, netuid, amount_unstaked, limit_price, allow_partial } => {
            let limit = limit(*limit_price, *allow_partial);
            staking::remove_stake_limit(tx, at(hotkey, netuid), *amount_unstaked, limit)
        }
        Call::RemoveStakeFullLimit { hotkey, netuid, limit_price } => {
            staking::remove_stake_full_limit(tx, at(hotkey, netuid), *limit_price)
        }
        Call::UnstakeAll { hotkey } => staking::unstake_all(tx, coldkey, *hotkey),
        Call::UnstakeAllAlpha { hotkey } => staking::unstake_all_alpha(tx, coldkey, *hotkey),
        Call::RecycleAlpha { hotkey, amount, netuid } => {
            staking::recycle_alpha(tx, at(hotkey, netuid), *amount)
        }
        Call::BurnAlpha { hotkey, amount, netuid } => {
            staking::burn_alpha(tx, at(hotkey, netuid), *amount)
        }
        Call::AddStakeBurn { hotkey, netuid, amount, limit } => {
            staking::add_stake_burn(tx, at(hotkey, netuid), *amount, *limit)
        }
        _ => Err(Rejection::BadOrigin),
    }
}

fn limit(price: Rao, allow_partial: bool) -> Limit {
    Limit { price, filling: Filling::allowing_partial(allow_partial) }
}

/// Orders from one position to another.
fn decide_move(tx: &mut Tx<'_>, coldkey: AccountId, call: &Call) -> Result<(), Rejection> {
    let at = |hotkey: AccountId, coldkey, netuid| Position { hotkey, coldkey, netuid };
    match *call {
        Call::MoveStake {
            origin_hotkey,
            destination_hotkey,
            origin_netuid,
            destination_netuid,
            alpha_amount,
        } => {
            let order = Move {
                from: at(origin_hotkey, coldkey, origin_netuid),
                to: at(destination_hotkey, coldkey, destination_netuid),
                amount: alpha_amount,
                limit: None,
                purpose: Purpose::Rearrange,
            };
            staking::move_stake(tx, &order)
        }
        Call::SwapStake { hotkey, origin_netuid, destination_netuid, alpha_amount } => {
            let order = Move {
                from: at(hotkey, coldkey, origin_netuid),
                to: at(hotkey, coldkey, destination_netuid),
                amount: alpha_amount,
                limit: None,
                purpose: Purpose::Rearrange,
            };
            staking::swap_stake(tx, &order)
        }
        Call::SwapStakeLimit {
            hotkey,
            origin_netuid,
            destination_netuid,
            alpha_amount,
            limit_price,
            allow_partial,
        } => {
            let order = Move {
                from: at(hotkey, coldkey, origin_netuid),
                to: at(hotkey, coldkey, destination_netuid),
                amount: alpha_amount,
                limit: Some(limit(limit_price, allow_partial)),
                purpose: Purpose::Rearrange,
            };
            staking::swap_stake(tx, &order)
        }
        Call::TransferStake {
            destination_coldkey,
            hotkey,
            origin_netuid,
            destination_netuid,
            alpha_amount,
        } => {
            let order = Move {
                from: at(hotkey, coldkey, origin_netuid),
                to: at(hotkey, destination_coldkey, destination_netuid),
                amount: alpha_amount,
                limit: None,
                purpose: Purpose::Transfer,
            };
            staking::transfer_stake(tx, &order)
        }
        _ => Err(Rejection::BadOrigin),
    }
}

/// What a reveal opens.
fn opening_of(call: &Call) -> Option<Opening<'_>> {
    let (netuid, mechanism, uids, values, salt, version_key) = match call {
        Call::RevealWeights { netuid, uids, values, salt, version_key } => {
            (netuid, 0, uids, values, salt, version_key)
        }
        Call::RevealMechanismWeights { netuid, mecid, uids, values, salt, version_key } => {
            (netuid, *mecid, uids, values, salt, version_key)
        }
        _ => return None,
    };
    let (netuid, version_key) = (*netuid, *version_key);
    let order = Order { netuid, mechanism, dests: uids, weights: values, version_key };
    Some(Opening { order, salt })
}

/// What a timelocked commit seals.
fn sealing_of(call: &Call) -> Option<Sealing<'_>> {
    let (netuid, mechanism, commit, reveal_round, version) = match call {
        Call::CommitTimelockedWeights { netuid, commit, reveal_round, commit_reveal_version } => {
            (netuid, 0, commit, reveal_round, *commit_reveal_version)
        }
        Call::CommitTimelockedMechanismWeights {
            netuid,
            mecid,
            commit,
            reveal_round,
            commit_reveal_version,
        } => (netuid, *mecid, commit, reveal_round, *commit_reveal_version),
        Call::CommitCrv3MechanismWeights { netuid, mecid, commit, reveal_round } => {
            (netuid, *mecid, commit, reveal_round, CRV3_VERSION)
        }
        _ => return None,
    };
    let (netuid, reveal_round) = (*netuid, *reveal_round);
    Some(Sealing { netuid, mechanism, commit, reveal_round, version })
}

/// What a batch of reveals opens.
fn reveals_of(call: &Call) -> Option<Reveals<'_>> {
    match call {
        Call::BatchRevealWeights { netuid, uids_list, values_list, salts_list, version_keys } => {
            Some(Reveals {
                netuid: *netuid,
                uids: uids_list,
                values: values_list,
                salts: salts_list,
                version_keys,
            })
        }
        _ => None,
    }
}

fn signer(origin: Origin) -> Result<AccountId, Rejection> {
    match origin {
        Origin::Signed(account) => Ok(account),
        Origin::Root => Err(Rejection::BadOrigin),
    }
}

/// The record a `serve_axon` call describes; its block is not known yet.
fn axon_of(call: &Call) -> Option<Axon> {
    match *call {
        Call::ServeAxon {
            version,
            ip,
            port,
            ip_type,
            protocol,
            placeholder1,
            placeholder2,
            ..
        } => Some(Axon {
            block: 0,
            version,
            ip,
            port,
            ip_type,
            protocol,
            placeholder1,
            placeholder2,
        }),
        _ => None,
    }
}
