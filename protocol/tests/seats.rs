//! The bound on permits, where the number of validators is lowered in the block of an epoch.

mod network;

use network::{ONE, at, network, own};
use protocol::event::{Event, Via};
use protocol::invariants::Checker;
use protocol::state::State;
use protocol::tx::Tx;
use protocol::units::{AccountId, Height};

/// Gives the first so many neurons of the subnet permits, in the next block.
fn permit(state: &mut State, count: usize, allowed: u16) {
    state.height = Height(state.height.0 + 1);
    let subnet = at(state, ONE);
    let permits = subnet.neurons.validator_permit.iter_mut().enumerate();
    permits.for_each(|(uid, permit)| *permit = uid < count);
    subnet.params.max_allowed_validators = allowed;
}

#[test]
fn permits_given_before_the_number_was_lowered_may_stay_and_no_others_come() {
    let mut state = network();
    for number in 0..6 {
        let hotkey = AccountId([50 + number; 32]);
        own(&mut state, hotkey, hotkey);
        let (netuid, uid, via) = (ONE, u16::from(number), Via::Burn);
        Tx::new(&mut state).emit(Event::NeuronPlaced { netuid, uid, hotkey, replaced: None, via });
    }
    at(&mut state, ONE).params.max_allowed_validators = 4;
    let mut checker = Checker::new(&state);
    // An epoch gave four, then a call lowered the number; they stay until the next epoch.
    for count in [4, 4, 3] {
        permit(&mut state, count, 3);
        checker.check(&state).unwrap_or_else(|violation| panic!("{count}: {violation}"));
    }
    permit(&mut state, 4, 3);
    let violation = checker.check(&state).expect_err("there is one too many");
    assert!(violation.to_string().contains("subnet 1: 4 permits, 3 allowed"), "{violation}");
}
