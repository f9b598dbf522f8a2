//! What a trimming leaves of a subnet's neurons: the columns without those removed, and rows that name
//! the new uids.

use super::{Fit, existing};
use crate::state::{Row, State};
use crate::units::{AccountId, NetUid};
use alloc::vec::Vec;

/// Takes neurons off a subnet and closes the gaps.
///
/// # Errors
/// A neuron to remove is not there, or the number left is more than `max_n`.
pub(super) fn trim(
    state: &mut State,
    netuid: NetUid,
    max_n: u16,
    removed: &[(u16, AccountId)],
) -> Fit<()> {
    let subnet = existing(state, netuid)?;
    let holds = |(uid, hotkey): &(u16, AccountId)| {
        subnet.neurons.hotkeys.get(usize::from(*uid)) == Some(hotkey)
    };
    if !removed.iter().all(holds) || !removed.is_sorted_by(|one, next| one.0 < next.0) {
        return Err("a removed neuron does not hold its uid, or not in order");
    }
    if subnet.neurons.len() > usize::from(max_n) + removed.len() {
        return Err("more neurons are left than there may be");
    }
    state.params_mut(netuid).max_allowed_uids = max_n;
    if removed.is_empty() {
        return Ok(());
    }
    trim_columns(state, netuid, removed);
    for (_, hotkey) in removed {
        state.drop_axon(netuid, *hotkey);
    }
    let dividends = state.last_dividends_mut(netuid);
    for (_, hotkey) in removed {
        if let Some((alpha, _)) = dividends.get_mut(hotkey) {
            *alpha = None;
        }
    }
    dividends.retain(|_, (alpha, root)| alpha.is_some() || root.is_some());
    Ok(())
}

fn trim_columns(state: &mut State, netuid: NetUid, removed: &[(u16, AccountId)]) {
    let count = state.subnets[&netuid].params.mechanism_count;
    let (neurons, mechanisms) = state.neurons_mut(netuid);
    let gone = |uid: u16| removed.binary_search_by_key(&uid, |(removed, _)| *removed).is_ok();
    let mut next = 0;
    // By old uid: the new one of those that stay.
    let renumbered: Vec<Option<u16>> = (0..=u16::MAX)
        .take(neurons.len())
        .map(|uid| {
            (!gone(uid)).then(|| {
                next += 1;
                next - 1
            })
        })
        .collect();
    keep(&mut neurons.hotkeys, &renumbered);
    keep(&mut neurons.registered_at, &renumbered);
    keep(&mut neurons.active, &renumbered);
    keep(&mut neurons.emission, &renumbered);
    keep(&mut neurons.consensus, &renumbered);
    keep(&mut neurons.dividends, &renumbered);
    keep(&mut neurons.validator_trust, &renumbered);
    keep(&mut neurons.validator_permit, &renumbered);
    keep(&mut neurons.stake_weight, &renumbered);
    neurons.uids = neurons.hotkeys.iter().copied().zip(0..=u16::MAX).collect();
    mechanisms.resize_with(usize::from(count), Default::default);
    for mechanism in mechanisms {
        keep(&mut mechanism.incentive, &renumbered);
        keep(&mut mechanism.last_update, &renumbered);
        keep(&mut mechanism.weights, &renumbered);
        keep(&mut mechanism.bonds, &renumbered);
        for row in mechanism.weights.iter_mut().chain(&mut mechanism.bonds) {
            renumber(row, &renumbered);
        }
    }
}

/// Entries of those that stay. A column that was shorter than the neurons are many is padded, as on the
/// chain.
fn keep<T: Clone + Default>(column: &mut Vec<T>, renumbered: &[Option<u16>]) {
    let old = core::mem::take(column).into_iter().chain(core::iter::repeat(T::default()));
    let stay = renumbered.iter().zip(old).filter(|(uid, _)| uid.is_some());
    column.extend(stay.map(|(_, entry)| entry));
}

/// Entries towards those that stay, under their new uids.
fn renumber(row: &mut Row, renumbered: &[Option<u16>]) {
    row.retain_mut(|(target, _)| match renumbered.get(usize::from(*target)) {
        Some(Some(uid)) => {
            *target = *uid;
            true
        }
        _ => false,
    });
}
