//! What somebody sees who looks for a place on a subnet: whether it would be let in, and what a place is worth there.
//!
//! What belongs here: readings of public state. What does not: who goes where, and when.

use crate::trade::worth;
use crate::validator::validates;
use protocol::registration::{immortal_uids, interval_open};
use protocol::registration_math::{Neurons, prune_neuron};
use protocol::state::{State, Subnet};
use protocol::units::{AccountId, Alpha, BLOCKS_PER_DAY, NetUid, Rao};

/// Whether a burned registration of this hotkey would find a place in the next block, whoever pays the burn.
pub fn admits(state: &State, netuid: NetUid, hotkey: &AccountId, coldkey: AccountId) -> bool {
    let Some(subnet) = state.subnet(netuid).filter(|_| !netuid.is_root()) else { return false };
    let stranger = subnet.neurons.uid(hotkey).is_none();
    let own = state.owner(hotkey).is_none_or(|owner| owner == coldkey);
    stranger && own && subnet.params.registration_allowed && interval_open(subnet) && {
        let most = usize::from(subnet.params.max_allowed_uids);
        subnet.neurons.len() < most || most > 0 && leaver(state, subnet).is_some()
    }
}

/// The uid that would have to leave for a newcomer of the next block, if all are taken.
pub fn leaver(state: &State, subnet: &Subnet) -> Option<u16> {
    let emission: Vec<u64> = subnet.neurons.emission.iter().map(|alpha| alpha.0).collect();
    prune_neuron(&Neurons {
        emission: &emission,
        registered_at: &subnet.neurons.registered_at,
        immortal: &immortal_uids(state, subnet),
        block: state.height.0 + 1,
        immunity_period: u64::from(subnet.params.immunity_period),
        non_immune_min: subnet.params.min_non_immune_uids,
    })
}

/// Neurons that act as validators: they may set weights and have done so. Miners have permits too.
pub fn validators(subnet: &Subnet) -> usize {
    (0_u16..).take(subnet.neurons.len()).filter(|uid| validates(subnet, *uid)).count()
}

/// What one more miner would earn per day if all miners earned the same: half of what the subnet mints for its
/// participants after the owner's cut, at the spot price, in rao.
pub fn miner_day_rao(state: &State, subnet: &Subnet) -> Rao {
    let miners = subnet.neurons.len().saturating_sub(validators(subnet)) as u128 + 1;
    let kept = u128::from(u16::MAX - state.global.subnet_owner_cut);
    let minted = u128::from(subnet.fast.alpha_out_emission.0) * u128::from(BLOCKS_PER_DAY);
    let each = minted * kept / u128::from(u16::MAX) / 2 / miners;
    worth(subnet, Alpha(u64::try_from(each).unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stage::{enter, genesis, identity};
    use protocol::decide::decide;

    const NETUID: NetUid = NetUid(1);

    /// A subnet with a validator and a miner, both immune, and room for one more.
    fn state() -> State {
        let mut state = genesis(1);
        for index in 0..2 {
            let who = identity("neurons", index, Some(NETUID));
            enter(&mut state, &who, NETUID, Alpha::whole(10), index == 0);
        }
        let subnet = state.subnets.get_mut(&NETUID).expect("it was made");
        subnet.params.max_allowed_uids = 3;
        // Both may set weights, and one does.
        subnet.neurons.validator_permit.fill(true);
        subnet.mechanisms[0].weights[0] = vec![(1, 1)];
        subnet.fast.alpha_out_emission = Alpha::whole(1);
        state
    }

    #[test]
    fn it_says_what_the_chain_says() {
        type Change = fn(&mut Subnet);
        let rows: [(&str, Change, bool); 6] = [
            ("room", |_| {}, true),
            ("closed", |subnet| subnet.params.registration_allowed = false, false),
            ("interval full", |subnet| subnet.fast.registrations_this_interval = 3, false),
            ("full of immune ones", |subnet| subnet.params.max_allowed_uids = 2, true),
            (
                "full of others, too few to take one",
                |subnet| {
                    subnet.params.max_allowed_uids = 2;
                    subnet.params.immunity_period = 0;
                },
                false,
            ),
            (
                "full of others",
                |subnet| {
                    subnet.params.max_allowed_uids = 2;
                    subnet.params.immunity_period = 0;
                    subnet.params.min_non_immune_uids = 0;
                },
                true,
            ),
        ];
        let who = identity("newcomers", 0, None);
        for (what, change, expected) in rows {
            let mut state = state();
            crate::stage::fund(&mut state, &who, Rao::whole(10));
            change(state.subnets.get_mut(&NETUID).expect("it was made"));
            assert_eq!(admits(&state, NETUID, &who.hotkey, who.coldkey), expected, "{what}");
            let call = protocol::call::Call::BurnedRegister { netuid: NETUID, hotkey: who.hotkey };
            let origin = protocol::call::Origin::Signed(who.coldkey);
            let mut tx = protocol::tx::Tx::new(&mut state);
            let done = decide(&mut tx, &protocol::call::Signed { origin, nonce: 0, call: &call });
            assert_eq!(done.is_ok(), expected, "{what}: {done:?}");
        }
    }

    #[test]
    fn a_place_is_worth_its_part_of_half_the_emission() {
        let state = state();
        // 7,200 alpha a day less 18 % and half of the rest, for two miners, at a tenth of a TAO.
        let rao = miner_day_rao(&state, &state.subnets[&NETUID]).0;
        assert!(rao.abs_diff(147_600_000_000) < 1_000_000, "{rao}");
    }
}
