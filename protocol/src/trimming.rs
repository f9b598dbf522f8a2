//! Trimming: a subnet's owner lowers the number of uids, and the neurons that earn least go (30 §7.4).

use crate::balances::require;
use crate::event::Event;
use crate::registration::immortal_uids;
use crate::rejection::Rejection;
use crate::state::{State, Subnet};
use crate::tx::Tx;
use crate::units::{AccountId, NetUid};
use alloc::vec::Vec;
use core::cmp::Reverse;

/// Percent of the uids left from which on the protected ones are too many.
const IMMUNE_PERCENT_MAX: u64 = 80;

/// `sudo_trim_to_max_allowed_uids`: sets the number of uids and removes the neurons beyond it.
///
/// Those that earned least in the last epoch go first, of equals the one with the highest uid; the
/// owner's and immune ones stay. Those left keep their order and take the uids from 0 on.
///
/// # Errors
/// `SubnetNotExists`, `InvalidValue`, `TrimmingWouldExceedMaxImmunePercentage`.
///
/// Mirrors: `trim_to_max_allowed_uids`.
pub fn trim(tx: &mut Tx<'_>, netuid: NetUid, max_n: u16) -> Result<(), Rejection> {
    let state = tx.state();
    let subnet = state.subnet(netuid).ok_or(Rejection::SubnetNotExists)?;
    let (least, most) = (subnet.params.min_allowed_uids, subnet.params.max_allowed_uids);
    require(max_n >= least, Rejection::InvalidValue)?;
    require(max_n <= most, Rejection::InvalidValue)?;
    let surplus = subnet.neurons.len().saturating_sub(usize::from(max_n));
    let protected = protected(state, subnet);
    let few = surplus == 0 || percent(protected.len(), max_n) < IMMUNE_PERCENT_MAX;
    require(few, Rejection::TrimmingWouldExceedMaxImmunePercentage)?;

    let removed = trim_removed(subnet, surplus, &protected);
    tx.emit(Event::NeuronsTrimmed { netuid, max_n, removed });
    Ok(())
}

/// The part of a whole in percent, floored, a hundred at most.
fn percent(part: usize, whole: u16) -> u64 {
    let whole = u64::from(whole).max(1);
    100 * (part as u64).min(whole) / whole
}

/// Uids that no trimming removes, ascending.
fn protected(state: &State, subnet: &Subnet) -> Vec<u16> {
    let immortal = immortal_uids(state, subnet);
    let period = u64::from(subnet.params.immunity_period);
    let immune = |at: u64| state.height.0.saturating_sub(at) < period;
    let uids = (0..=u16::MAX).zip(&subnet.neurons.registered_at);
    let uids = uids.filter(|(uid, at)| immortal.contains(uid) || immune(**at));
    uids.map(|(uid, _)| uid).collect()
}

/// Who goes, ascending by uid.
fn trim_removed(subnet: &Subnet, surplus: usize, protected: &[u16]) -> Vec<(u16, AccountId)> {
    let neurons = &subnet.neurons;
    let mut exposed: Vec<u16> =
        (0..=u16::MAX).take(neurons.len()).filter(|uid| !protected.contains(uid)).collect();
    exposed.sort_by_key(|uid| (neurons.emission[usize::from(*uid)], Reverse(*uid)));
    exposed.truncate(surplus);
    exposed.sort_unstable();
    exposed.into_iter().map(|uid| (uid, neurons.hotkeys[usize::from(uid)])).collect()
}
