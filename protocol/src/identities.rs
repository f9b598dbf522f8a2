//! Who coldkeys and subnets say they are (30 §11.2): texts with a longest length each, read by people
//! and by nothing else.

use crate::balances::require;
use crate::event::Event;
use crate::rejection::Rejection;
use crate::state::{ColdkeyIdentity, SubnetIdentity};
use crate::tx::Tx;
use crate::units::{AccountId, NetUid};
use alloc::boxed::Box;

/// Bytes of a name, a handle or a link that is short.
const SHORT_BYTES_MAX: usize = 256;
/// Bytes of a longer text.
const LONG_BYTES_MAX: usize = 1_024;

/// `set_identity`.
///
/// # Errors
/// `HotKeyNotRegisteredInNetwork` unless a hotkey of the coldkey has a uid somewhere,
/// `InvalidIdentity`.
pub fn set_identity(
    tx: &mut Tx<'_>,
    coldkey: AccountId,
    identity: &ColdkeyIdentity,
) -> Result<(), Rejection> {
    let state = tx.state();
    let owned = state.coldkeys.get(&coldkey).map_or(&[][..], |lists| &lists.owned);
    let somewhere = |hotkey: &AccountId| {
        state.networks().any(|(_, subnet)| subnet.neurons.uid(hotkey).is_some())
    };
    let registered = owned.iter().any(somewhere);
    require(registered, Rejection::HotKeyNotRegisteredInNetwork)?;
    let short = [&identity.name, &identity.url, &identity.github_repo, &identity.discord];
    let long = [&identity.image, &identity.description, &identity.additional];
    let fits = short.iter().all(|text| text.len() <= SHORT_BYTES_MAX)
        && long.iter().all(|text| text.len() <= LONG_BYTES_MAX);
    require(fits, Rejection::InvalidIdentity)?;

    let identity = Box::new(identity.clone());
    tx.emit(Event::ColdkeyIdentitySet { coldkey, identity });
    Ok(())
}

/// `set_subnet_identity`.
///
/// # Errors
/// `NotSubnetOwner`, also where there is no subnet; `InvalidIdentity`.
pub fn set_subnet_identity(
    tx: &mut Tx<'_>,
    signer: AccountId,
    netuid: NetUid,
    identity: &SubnetIdentity,
) -> Result<(), Rejection> {
    let owner = tx.state().subnet(netuid).and_then(|subnet| subnet.info.owner);
    require(owner == Some(signer), Rejection::NotSubnetOwner)?;
    say_what_a_subnet_is(tx, netuid, identity)
}

/// Stores a subnet's identity.
///
/// # Errors
/// `InvalidIdentity`.
pub(crate) fn say_what_a_subnet_is(
    tx: &mut Tx<'_>,
    netuid: NetUid,
    identity: &SubnetIdentity,
) -> Result<(), Rejection> {
    let short = [&identity.subnet_name, &identity.discord];
    let long = [
        &identity.github_repo,
        &identity.subnet_contact,
        &identity.subnet_url,
        &identity.description,
        &identity.logo_url,
        &identity.additional,
    ];
    let fits = short.iter().all(|text| text.len() <= SHORT_BYTES_MAX)
        && long.iter().all(|text| text.len() <= LONG_BYTES_MAX);
    require(fits, Rejection::InvalidIdentity)?;

    let identity = Box::new(identity.clone());
    tx.emit(Event::SubnetIdentitySet { netuid, identity });
    Ok(())
}
