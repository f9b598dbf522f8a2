//! Setting weights (30 §8).

use crate::Case;
use crate::network::{
    HOTKEY, NOWHERE, ONE, OTHER_HOTKEY, OWNER_HOTKEY, ROOT, STAKER, STRAY_HOTKEY, at, place,
    put_stake,
};
use protocol::call::{Call, Origin};
use protocol::event::{Event, Via};
use protocol::rejection::{Refusal, Rejection};
use protocol::tx::Tx;
use protocol::units::{AccountId, NetUid};

/// Gives hotkeys the next uids of a subnet.
pub fn register(case: &mut Case, netuid: NetUid, hotkeys: &[AccountId]) {
    for hotkey in hotkeys {
        let uid = case.state.subnets[&netuid].neurons.len();
        let uid = u16::try_from(uid).expect("few");
        let mut tx = Tx::new(&mut case.state);
        let (hotkey, via) = (*hotkey, Via::Burn);
        tx.emit(Event::NeuronPlaced { netuid, uid, hotkey, replaced: None, via });
    }
}

/// Says when each uid of ONE last set weights on a mechanism.
pub fn last_updates(case: &mut Case, mechanism: u8, blocks: Vec<u64>) {
    let mechanisms = &mut at(&mut case.state, ONE).mechanisms;
    mechanisms.resize(usize::from(mechanism) + 1, protocol::state::Mechanism::default());
    mechanisms[usize::from(mechanism)].last_update = blocks;
}

/// The order of checks is that of both calls; `order` makes one for a mechanism.
fn rows(case: &mut Case, mechanism: u8, order: impl Fn(NetUid, u8, &[u16], &[u16], u64) -> Call) {
    let three = [0, 0, 9];
    case.no("commit-reveal on no subnet", Rejection::CommitRevealEnabled, |case| {
        case.call = order(NOWHERE, 9, &three, &[1, 1], 1);
    });
    case.no("commit-reveal", Rejection::CommitRevealEnabled, |case| {
        case.call = order(ROOT, 9, &three, &[1, 1], 1);
    });
    case.no("root", Rejection::CanNotSetRootNetworkWeights, |case| {
        at(&mut case.state, ROOT).params.commit_reveal = false;
        at(&mut case.state, ONE).params.commit_reveal = false;
    });
    case.no("unequal lists", Rejection::WeightVecNotEqualSize, |case| {
        case.call = order(ONE, 9, &three, &[1, 1], 1);
    });
    if mechanism == 0 {
        let call = order(ONE, 0, &three, &[1, 1, 1], 1);
        case.call = call;
    } else {
        case.no("no such mechanism", Rejection::MechanismDoesNotExist, |case| {
            case.call = order(ONE, mechanism, &three, &[1, 1, 1], 1);
        });
        at(&mut case.state, ONE).params.mechanism_count = mechanism + 1;
    }
    case.no("more than neurons", Rejection::UidsLengthExceedUidsInSubNet, |case| {
        register(case, ONE, &[OWNER_HOTKEY, OTHER_HOTKEY]);
    });
    case.no("no uid", Rejection::HotKeyNotRegisteredInSubNet, |case| {
        register(case, ONE, &[STRAY_HOTKEY]);
    });
    register(case, ONE, &[HOTKEY]);
    at(&mut case.state, ONE).params.weights_version_key = 2;
}

fn rows_behind_the_threshold(
    case: &mut Case,
    mechanism: u8,
    order: impl Fn(NetUid, u8, &[u16], &[u16], u64) -> Call,
) {
    case.no("an old version", Rejection::IncorrectWeightVersionKey, |case| {
        put_stake(&mut case.state, place(HOTKEY, STAKER, ONE), 1);
    });
    case.no("too soon", Rejection::SettingWeightsTooFast, |case| {
        case.call = order(ONE, mechanism, &[0, 0, 9], &[1, 1, 1], 2);
        last_updates(case, mechanism, vec![901; 4]);
    });
    case.no("no permit", Rejection::NeuronNoValidatorPermit, |case| {
        at(&mut case.state, ONE).params.weights_set_rate_limit = 99;
    });
    case.no("one twice", Rejection::DuplicateUids, |case| {
        at(&mut case.state, ONE).neurons.validator_permit[3] = true;
        at(&mut case.state, ONE).params.min_allowed_weights = 4;
    });
    case.no("no such uid", Rejection::UidVecContainInvalidOne, |case| {
        case.call = order(ONE, mechanism, &[0, 1, 9], &[1, 1, 1], 2);
    });
    case.no("too few", Rejection::WeightVecLengthIsLow, |case| {
        case.call = order(ONE, mechanism, &[0, 1, 2], &[1, 1, 1], 2);
    });
    let (state, _) = case.yes("enough", |case| {
        at(&mut case.state, ONE).params.min_allowed_weights = 3;
        case.call = order(ONE, mechanism, &[2, 1, 0], &[1, 2, 0], 2);
    });
    let stored = &state.subnets[&ONE].mechanisms[usize::from(mechanism)];
    assert_eq!(stored.weights[3], [(2, 32_768), (1, 65_535), (0, 0)]);
    assert_eq!(stored.last_update[3], 1_000);
    case.yes("itself needs no permit", |case| {
        at(&mut case.state, ONE).neurons.validator_permit[3] = false;
        case.call = order(ONE, mechanism, &[3], &[1], 2);
    });
}

#[test]
fn set_weights() {
    let order = |netuid, _, dests: &[u16], weights: &[u16], version_key| Call::SetWeights {
        netuid,
        dests: dests.to_vec(),
        weights: weights.to_vec(),
        version_key,
    };
    let mut case = Case::new(order(NOWHERE, 0, &[], &[], 0));
    case.origin = Origin::Signed(HOTKEY);
    rows(&mut case, 0, order);
    case.refused("too little stake", Refusal::StakeAmountTooLow, |case| {
        case.state.global.stake_threshold = 1;
    });
    rows_behind_the_threshold(&mut case, 0, order);
}

#[test]
fn set_mechanism_weights() {
    let order =
        |netuid, mecid, dests: &[u16], weights: &[u16], version_key| Call::SetMechanismWeights {
            netuid,
            mecid,
            dests: dests.to_vec(),
            weights: weights.to_vec(),
            version_key,
        };
    let mut case = Case::new(order(NOWHERE, 1, &[], &[], 0));
    case.origin = Origin::Signed(HOTKEY);
    rows(&mut case, 1, order);
    // The check before inclusion is only that of plain weights.
    case.no("too little stake", Rejection::NotEnoughStakeToSetWeights, |case| {
        case.state.global.stake_threshold = 1;
    });
    rows_behind_the_threshold(&mut case, 1, order);
}
