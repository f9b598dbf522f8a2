//! Decides one call: admission, then the family that owns its rule.

use crate::balances::{require, transfer};
use crate::call::{Call, Origin, Signed};
use crate::event::Event;
use crate::rejection::{Outcome, Refusal, Rejection};
use crate::staking::{self, Position};
use crate::state::{Axon, State};
use crate::tx::Tx;
use crate::units::AccountId;
use crate::weights::Order;
use crate::{dissolution, hyperparameters, registration, serving, weights};

/// Admits a call, decides it, and says what became of it. A failed call leaves its nonce; a refused
/// one leaves nothing.
pub fn execute(tx: &mut Tx<'_>, signed: &Signed<&Call>) -> Outcome {
    if let Err(refusal) = admit(tx.state(), signed) {
        return Outcome::Refused(refusal);
    }
    if let Origin::Signed(signer) = signed.origin {
        tx.emit(Event::CallIncluded { signer, nonce: signed.nonce });
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
    match signed.call {
        Call::SetWeights { netuid, .. } => {
            let threshold = i128::from(state.global.stake_threshold) << 64;
            let subnet = state.subnets.get(netuid);
            let stake = subnet.map_or(0, |s| weights::stake_weight(state, s, &signer));
            admit_if(stake >= threshold, Refusal::StakeAmountTooLow)
        }
        Call::BurnedRegister { netuid, .. } => {
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

fn admit_if(holds: bool, otherwise: Refusal) -> Result<(), Refusal> {
    if holds { Ok(()) } else { Err(otherwise) }
}

/// Decides a call; its only effect is what it emits.
///
/// # Errors
/// Why the answer is no.
pub fn decide(tx: &mut Tx<'_>, signed: &Signed<&Call>) -> Result<(), Rejection> {
    match signed.call {
        Call::TransferAllowDeath { dest, value } => {
            transfer(tx, signer(signed.origin)?, *dest, *value)
        }
        Call::RegisterNetwork { hotkey } => {
            registration::register_network(tx, signer(signed.origin)?, *hotkey)
        }
        Call::StartCall { netuid } => registration::start_call(tx, signer(signed.origin)?, *netuid),
        Call::BurnedRegister { netuid, hotkey } => {
            registration::burned_register(tx, signer(signed.origin)?, *netuid, *hotkey)
        }
        Call::RootRegister { hotkey } => {
            registration::root_register(tx, signer(signed.origin)?, *hotkey)
        }
        Call::AddStake { hotkey, netuid, amount_staked } => {
            let coldkey = signer(signed.origin)?;
            let position = Position { hotkey: *hotkey, coldkey, netuid: *netuid };
            staking::add_stake(tx, position, *amount_staked)
        }
        Call::RemoveStake { hotkey, netuid, amount_unstaked } => {
            let coldkey = signer(signed.origin)?;
            let position = Position { hotkey: *hotkey, coldkey, netuid: *netuid };
            staking::remove_stake(tx, position, *amount_unstaked)
        }
        Call::SetWeights { netuid, dests, weights, version_key } => {
            let order =
                Order { netuid: *netuid, mechanism: 0, dests, weights, version_key: *version_key };
            weights::set_weights(tx, signer(signed.origin)?, &order)
        }
        Call::ServeAxon { netuid, .. } => {
            let axon = axon_of(signed.call).unwrap_or_default();
            serving::serve_axon(tx, signer(signed.origin)?, *netuid, axon)
        }
        Call::SudoSet(setting) => {
            require(signed.origin == Origin::Root, Rejection::BadOrigin)?;
            hyperparameters::set(tx, setting)
        }
        Call::RootDissolveNetwork { netuid } => {
            require(signed.origin == Origin::Root, Rejection::BadOrigin)?;
            dissolution::root_dissolve_network(tx, *netuid)
        }
        Call::SwitchRules { rules } => {
            require(signed.origin == Origin::Root, Rejection::BadOrigin)?;
            tx.emit(Event::RulesSwitched { rules: *rules });
            Ok(())
        }
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
