//! Committing and revealing weights (30 §9).

use crate::Case;
use crate::network::{HOTKEY, NOWHERE, ONE, OWNER_HOTKEY, STAKER, at, place, put_stake};
use crate::weights::{last_updates, register};
use protocol::call::{Call, Origin};
use protocol::commits::{COMMITS_MAX, Opening, commit_hash};
use protocol::rejection::{Refusal, Rejection};
use protocol::state::Commit;
use protocol::units::{Hash32, NetUid};
use protocol::weights::Order;

const UIDS: [u16; 2] = [0, 1];
const VALUES: [u16; 2] = [1, 2];
const SALT: [u16; 3] = [7, 8, 9];

fn hash_of(mechanism: u8, values: &[u16]) -> Hash32 {
    let order = Order { netuid: ONE, mechanism, dests: &UIDS, weights: values, version_key: 0 };
    commit_hash(&HOTKEY, &Opening { order, salt: &SALT })
}

fn reveal(netuid: NetUid, values: &[u16]) -> Call {
    let (uids, salt) = (UIDS.to_vec(), SALT.to_vec());
    Call::RevealWeights { netuid, uids, values: values.to_vec(), salt, version_key: 0 }
}

/// A commit to `values`, made `ago` blocks before the case's block.
fn waits(case: &mut Case, mechanism: u8, values: &[u16], ago: u64) {
    let block = case.state.height.0 - ago;
    let commit = Commit { hash: hash_of(mechanism, values), block, ..Commit::default() };
    at(&mut case.state, ONE).commits.entry((mechanism, HOTKEY)).or_default().push(commit);
}

fn committing(case: &mut Case, mechanism: u8) {
    case.no("no subnet", Rejection::MechanismDoesNotExist, |_| {});
    let commit_hash = hash_of(mechanism, &VALUES);
    case.call = match mechanism {
        0 => Call::CommitWeights { netuid: ONE, commit_hash },
        mecid => Call::CommitMechanismWeights { netuid: ONE, mecid, commit_hash },
    };
    if mechanism != 0 {
        case.no("no such mechanism", Rejection::MechanismDoesNotExist, |_| {});
        at(&mut case.state, ONE).params.mechanism_count = mechanism + 1;
    }
    at(&mut case.state, ONE).params.commit_reveal = false;
    case.no("weights are set here", Rejection::CommitRevealDisabled, |_| {});
    at(&mut case.state, ONE).params.commit_reveal = true;
    case.no("no uid", Rejection::HotKeyNotRegisteredInSubNet, |_| {});
    register(case, ONE, &[OWNER_HOTKEY, HOTKEY]);
    case.no("too soon", Rejection::CommittingWeightsTooFast, |case| {
        let height = case.state.height.0;
        last_updates(case, mechanism, vec![height - 1; 2]);
    });
    case.no("ten wait", Rejection::TooManyUnrevealedCommits, |case| {
        at(&mut case.state, ONE).params.weights_set_rate_limit = 0;
        (0..COMMITS_MAX).for_each(|_| waits(case, mechanism, &VALUES, 0));
    });
    let (state, _) = case.yes("one of them expired", |case| {
        let tempo = u64::from(at(&mut case.state, ONE).params.tempo);
        let queue = at(&mut case.state, ONE).commits.get_mut(&(mechanism, HOTKEY));
        queue.expect("ten wait")[0].block -= 2 * (tempo + 1);
    });
    let queue = &state.subnets[&ONE].commits[&(mechanism, HOTKEY)];
    assert_eq!((queue.len(), queue[9].block), (COMMITS_MAX, state.height.0));
    let mechanism = &state.subnets[&ONE].mechanisms[usize::from(mechanism)];
    assert_eq!(mechanism.last_update[1], state.height.0);
}

#[test]
fn commit_weights() {
    let call = Call::CommitWeights { netuid: NOWHERE, commit_hash: Hash32::default() };
    let mut case = Case::new(call);
    case.origin = Origin::Signed(HOTKEY);
    case.refused("too little stake", Refusal::StakeAmountTooLow, |case| {
        case.state.global.stake_threshold = 1;
    });
    case.state.global.stake_threshold = 0;
    committing(&mut case, 0);
}

#[test]
fn commit_mechanism_weights() {
    let commit_hash = Hash32::default();
    let mut case =
        Case::new(Call::CommitMechanismWeights { netuid: NOWHERE, mecid: 1, commit_hash });
    case.origin = Origin::Signed(HOTKEY);
    committing(&mut case, 1);
}

/// What is checked before a plain reveal is included.
#[test]
fn reveals_of_nothing_are_not_included() {
    let mut case = Case::new(reveal(ONE, &VALUES));
    case.origin = Origin::Signed(HOTKEY);
    case.refused("too little stake", Refusal::StakeAmountTooLow, |case| {
        case.state.global.stake_threshold = 1;
    });
    case.state.global.stake_threshold = 0;
    case.refused("nobody committed", Refusal::CommitNotFound, |_| {});
    case.refused("too early", Refusal::CommitBlockNotInRevealRange, |case| {
        waits(case, 0, &VALUES, 0);
    });
}

#[test]
fn reveal_mechanism_weights() {
    let mecid = 0;
    let order = |values: &[u16]| {
        let (uids, salt) = (UIDS.to_vec(), SALT.to_vec());
        let values = values.to_vec();
        Call::RevealMechanismWeights { netuid: ONE, mecid, uids, values, salt, version_key: 0 }
    };
    let mut case = Case::new(order(&VALUES));
    case.origin = Origin::Signed(HOTKEY);
    let period = u64::from(at(&mut case.state, ONE).params.tempo) + 1;
    at(&mut case.state, ONE).params.commit_reveal = false;
    case.no("weights are set here", Rejection::CommitRevealDisabled, |_| {});
    at(&mut case.state, ONE).params.commit_reveal = true;
    case.no("nothing waits", Rejection::NoWeightsCommitFound, |_| {});
    case.no("only another's row, expired", Rejection::NoWeightsCommitFound, |case| {
        waits(case, mecid, &[9, 9], 2 * period);
    });
    case.no("too late", Rejection::ExpiredWeightCommit, |case| {
        waits(case, mecid, &VALUES, 2 * period);
    });
    case.no("too late, another waits", Rejection::ExpiredWeightCommit, |case| {
        waits(case, mecid, &[3, 3], period);
    });
    case.no("another row", Rejection::InvalidRevealCommitHashNotMatch, |case| {
        case.call = order(&[5, 5]);
    });
    case.no("too early", Rejection::RevealTooEarly, |case| {
        waits(case, mecid, &[5, 5], 0);
    });
    case.no("no uid", Rejection::HotKeyNotRegisteredInSubNet, |case| {
        case.call = order(&[3, 3]);
        register(case, ONE, &[OWNER_HOTKEY, STAKER]);
    });
    register(&mut case, ONE, &[HOTKEY]);
    case.no("no permit", Rejection::NeuronNoValidatorPermit, |_| {});
    let (state, _) = case.yes("in its epoch", |case| {
        put_stake(&mut case.state, place(HOTKEY, STAKER, ONE), 1);
        at(&mut case.state, ONE).neurons.validator_permit[2] = true;
    });
    // Those before it went too; what came after waits. The row counts as set when it was committed.
    let subnet = &state.subnets[&ONE];
    let queue = &subnet.commits[&(mecid, HOTKEY)];
    assert_eq!(queue.iter().map(|commit| commit.hash).collect::<Vec<_>>(), [hash_of(0, &[5, 5])]);
    assert_eq!(subnet.mechanisms[0].weights[2], [(0, 65_535), (1, 65_535)]);
    assert_ne!(subnet.mechanisms[0].last_update[2], 0);
}
