//! Sealing weights until a round of the beacon, and batches of weights (30 §8.4, §9.5, §9.6).

use crate::Case;
use crate::network::{HOTKEY, NOWHERE, ONE, OWNER_HOTKEY, STAKER, TWO, at, place, put_stake};
use crate::weights::{last_updates, register};
use protocol::beacon::Beacon;
use protocol::call::{Call, Origin, Setting};
use protocol::commits::{COMMITS_MAX, Opening, commit_hash};
use protocol::event::Event;
use protocol::payload::{COMMIT_BYTES_MAX, hash_of};
use protocol::rejection::{Refusal, Rejection};
use protocol::state::{Commit, TimelockedCommit};
use protocol::timelock::commit_epoch;
use protocol::units::{Hash32, NetUid};
use protocol::weights::Order;

const BYTES: [u8; 3] = [1, 2, 3];

/// A timelocked commit waits under the epoch of the case's block.
fn waits(case: &mut Case, mechanism: u8) {
    let block = case.state.height.0;
    let subnet = at(&mut case.state, ONE);
    let epoch = commit_epoch(ONE, subnet.params.tempo, block);
    let commit =
        TimelockedCommit { hash: Hash32([7; 32]), hotkey: HOTKEY, block, ..Default::default() };
    subnet.timelocked.entry((mechanism, epoch)).or_default().push(commit);
}

/// The checks that all three calls share; `order` makes one of a version.
fn committing(case: &mut Case, mechanism: u8, order: impl Fn(NetUid, u16) -> Call) {
    case.call = order(NOWHERE, 9);
    case.no("no subnet", Rejection::MechanismDoesNotExist, |_| {});
    case.call = order(ONE, 9);
    if mechanism != 0 {
        case.no("no such mechanism", Rejection::MechanismDoesNotExist, |_| {});
        at(&mut case.state, ONE).params.mechanism_count = mechanism + 1;
    }
    at(&mut case.state, ONE).params.commit_reveal = false;
    case.no("weights are set here", Rejection::CommitRevealDisabled, |_| {});
    at(&mut case.state, ONE).params.commit_reveal = true;
    case.no("another version", Rejection::IncorrectCommitRevealVersion, |case| {
        case.state.global.commit_reveal_version = 5;
    });
    case.no("no uid", Rejection::HotKeyNotRegisteredInSubNet, |case| {
        case.state.global.commit_reveal_version = 4;
        case.call = order(ONE, 4);
    });
    register(case, ONE, &[OWNER_HOTKEY, HOTKEY]);
    case.no("too soon", Rejection::CommittingWeightsTooFast, |case| {
        let height = case.state.height.0;
        last_updates(case, mechanism, vec![height - 1; 2]);
    });
    case.no("ten wait", Rejection::TooManyUnrevealedCommits, |case| {
        at(&mut case.state, ONE).params.weights_set_rate_limit = 0;
        (0..COMMITS_MAX).for_each(|_| waits(case, mechanism));
    });
    let (state, events) = case.yes("another epoch", |case| case.state.height.0 += 361);
    let subnet = &state.subnets[&ONE];
    let epoch = commit_epoch(ONE, subnet.params.tempo, state.height.0);
    let queue = &subnet.timelocked[&(mechanism, epoch)];
    let (hash, block) = (hash_of(&BYTES), state.height.0);
    assert_eq!(*queue, [TimelockedCommit { hash, hotkey: HOTKEY, block, round: 40 }]);
    assert_eq!(subnet.mechanisms[usize::from(mechanism)].last_update[1], block);
    let told = format!("{events:?}");
    assert!(!told.contains("[1, 2, 3]"), "the bytes are nobody's business: {told}");
}

fn timelocked(netuid: NetUid, commit: &[u8], commit_reveal_version: u16) -> Call {
    let (commit, reveal_round) = (commit.to_vec(), 40);
    Call::CommitTimelockedWeights { netuid, commit, reveal_round, commit_reveal_version }
}

#[test]
fn commit_timelocked_weights() {
    let mut case = Case::new(timelocked(NOWHERE, &[0; COMMIT_BYTES_MAX + 1], 4));
    case.origin = Origin::Signed(HOTKEY);
    case.state.global.stake_threshold = 1;
    case.state.global.beacon = Beacon { oldest: 1, last: 41, ..Beacon::default() };
    case.refused("too long", Refusal::BadRequest, |_| {});
    case.refused("too little stake", Refusal::StakeAmountTooLow, |case| {
        case.call = timelocked(NOWHERE, &[0; COMMIT_BYTES_MAX], 4);
    });
    case.refused("a round gone by", Refusal::InvalidRevealRound, |case| {
        case.state.global.stake_threshold = 0;
    });
    case.state.global.beacon.last = 40;
    committing(&mut case, 0, |netuid, version| timelocked(netuid, &BYTES, version));
    case.state.height.0 += 361;
    case.origin = Origin::Root;
    case.no("not signed", Rejection::BadOrigin, |_| {});
}

#[test]
fn commit_timelocked_mechanism_weights() {
    let order = |commit: &[u8], netuid, commit_reveal_version| {
        let (commit, reveal_round) = (commit.to_vec(), 40);
        Call::CommitTimelockedMechanismWeights {
            netuid,
            mecid: 1,
            commit,
            reveal_round,
            commit_reveal_version,
        }
    };
    let mut case = Case::new(order(&[0; COMMIT_BYTES_MAX + 1], NOWHERE, 4));
    case.origin = Origin::Signed(HOTKEY);
    case.refused("too long", Refusal::BadRequest, |_| {});
    // Neither stake nor round is checked before this one is included.
    case.state.global.stake_threshold = 1;
    case.state.global.beacon = Beacon { oldest: 1, last: 41, ..Beacon::default() };
    committing(&mut case, 1, |netuid, version| order(&BYTES, netuid, version));
}

/// Its version is 4, whatever the network asks for.
#[test]
fn commit_crv3_mechanism_weights() {
    let order = |commit: &[u8], netuid| {
        let (commit, reveal_round) = (commit.to_vec(), 40);
        Call::CommitCrv3MechanismWeights { netuid, mecid: 1, commit, reveal_round }
    };
    let mut case = Case::new(order(&[0; COMMIT_BYTES_MAX + 1], NOWHERE));
    case.origin = Origin::Signed(HOTKEY);
    case.refused("too long", Refusal::BadRequest, |_| {});
    committing(&mut case, 1, |netuid, _| order(&BYTES, netuid));
}

#[test]
fn sudo_set_commit_reveal_version() {
    let mut case = Case::new(Call::SudoSet(Setting::CommitRevealVersion { value: 5 }));
    case.no("not root", Rejection::BadOrigin, |_| {});
    let (state, _) = case.yes("root", |case| case.origin = Origin::Root);
    assert_eq!(state.global.commit_reveal_version, 5);
}

fn told(events: &[Event]) -> Vec<(NetUid, Rejection)> {
    let failed = events.iter().filter_map(|event| match event {
        Event::BatchWeightItemFailed { netuid, reason, .. } => Some((*netuid, *reason)),
        _ => None,
    });
    failed.collect()
}

fn kinds(events: &[Event]) -> Vec<&'static str> {
    events.iter().map(Event::kind).collect()
}

#[test]
fn batch_set_weights() {
    let order = |netuids: &[NetUid], keys: &[u64]| Call::BatchSetWeights {
        netuids: netuids.to_vec(),
        weights: vec![vec![(1, 1)]; netuids.len()],
        version_keys: keys.to_vec(),
    };
    let mut case = Case::new(order(&[ONE, TWO], &[0]));
    case.origin = Origin::Signed(HOTKEY);
    // The threshold is a matter of each item.
    case.state.global.stake_threshold = 1;
    case.no("unequal lists", Rejection::InputLengthsUnequal, |_| {});
    case.call = order(&[ONE, NOWHERE, ONE], &[0; 3]);
    at(&mut case.state, ONE).params.commit_reveal = false;
    register(&mut case, ONE, &[OWNER_HOTKEY, HOTKEY]);
    put_stake(&mut case.state, place(HOTKEY, STAKER, ONE), 1);
    let (state, events) = case.yes("the second and third fail", |case| {
        let subnet = at(&mut case.state, ONE);
        subnet.mechanisms[0].last_update = vec![1; 2];
    });
    let expected =
        [(NOWHERE, Rejection::CommitRevealEnabled), (ONE, Rejection::SettingWeightsTooFast)];
    assert_eq!(told(&events), expected);
    let expected = [
        "call_included",
        "weights_set",
        "batch_completed_with_errors",
        "batch_weight_item_failed",
        "batch_weight_item_failed",
        "batch_weights_completed",
    ];
    assert_eq!(kinds(&events), expected);
    assert_eq!(state.subnets[&ONE].mechanisms[0].weights[1], [(1, 65_535)]);
    let (_, events) = case.yes("none at all", |case| case.call = order(&[], &[]));
    assert_eq!(kinds(&events), ["call_included", "batch_weights_completed"]);
}

#[test]
fn batch_commit_weights() {
    let hash = Hash32([3; 32]);
    let order = |netuids: &[NetUid], hashes| Call::BatchCommitWeights {
        netuids: netuids.to_vec(),
        commit_hashes: vec![hash; hashes],
    };
    let mut case = Case::new(order(&[ONE], 2));
    case.origin = Origin::Signed(HOTKEY);
    case.state.global.stake_threshold = 1;
    case.no("unequal lists", Rejection::InputLengthsUnequal, |_| {});
    case.call = order(&[TWO, ONE], 2);
    let (state, events) = case.yes("only one has a place for it", |case| {
        register(case, ONE, &[OWNER_HOTKEY, HOTKEY]);
        at(&mut case.state, ONE).params.weights_set_rate_limit = 0;
    });
    assert_eq!(told(&events), [(TWO, Rejection::HotKeyNotRegisteredInSubNet)]);
    let queue = &state.subnets[&ONE].commits[&(0, HOTKEY)];
    assert_eq!((queue.len(), queue[0].hash), (1, hash));
    case.yes("whoever orders it", |case| case.call = order(&[TWO], 1));
}

const SALT: [u16; 2] = [7, 8];

fn hash_of_row(value: u16) -> Hash32 {
    let (dests, weights) = (&[0, 1][..], &[1, value][..]);
    let order = Order { netuid: ONE, mechanism: 0, dests, weights, version_key: 0 };
    commit_hash(&HOTKEY, &Opening { order, salt: &SALT })
}

fn reveal_batch(netuid: NetUid, values: &[u16]) -> Call {
    Call::BatchRevealWeights {
        netuid,
        uids_list: vec![vec![0, 1]; values.len()],
        values_list: values.iter().map(|value| vec![1, *value]).collect(),
        salts_list: vec![SALT.to_vec(); values.len()],
        version_keys: vec![0; values.len()],
    }
}

/// A commit by hash, made `ago` blocks before the case's block.
fn hash_waits(case: &mut Case, value: u16, ago: u64) {
    let block = case.state.height.0 - ago;
    let commit = Commit { hash: hash_of_row(value), block, ..Commit::default() };
    at(&mut case.state, ONE).commits.entry((0, HOTKEY)).or_default().push(commit);
}

/// What is checked before a batch of reveals is included leaves these for the call itself: nothing to
/// open, or one row twice, and what §8.2 asks of each.
#[test]
fn batch_reveal_weights() {
    let mut case = Case::new(reveal_batch(ONE, &[2, 3]));
    case.origin = Origin::Signed(HOTKEY);
    let period = u64::from(at(&mut case.state, ONE).params.tempo) + 1;
    case.refused("too little stake", Refusal::StakeAmountTooLow, |case| {
        case.state.global.stake_threshold = 1;
        if let Call::BatchRevealWeights { version_keys, .. } = &mut case.call {
            version_keys.push(1);
        }
    });
    case.refused("unequal lists", Refusal::InputLengthsUnequal, |case| {
        case.state.global.stake_threshold = 0;
    });
    case.refused("one is unknown", Refusal::CommitNotFound, |case| {
        case.call = reveal_batch(ONE, &[2, 3]);
        hash_waits(case, 3, 0);
    });
    case.refused("one is too early", Refusal::CommitBlockNotInRevealRange, |case| {
        hash_waits(case, 2, period);
    });
    at(&mut case.state, ONE).commits.clear();
    case.call = reveal_batch(ONE, &[]);
    at(&mut case.state, ONE).params.commit_reveal = false;
    case.no("weights are set here", Rejection::CommitRevealDisabled, |_| {});
    at(&mut case.state, ONE).params.commit_reveal = true;
    case.no("nothing waits", Rejection::NoWeightsCommitFound, |_| {});
    hash_waits(&mut case, 9, 2 * period);
    hash_waits(&mut case, 2, period);
    hash_waits(&mut case, 4, period);
    hash_waits(&mut case, 3, period);
    hash_waits(&mut case, 5, 0);
    case.call = reveal_batch(ONE, &[3, 2]);
    register(&mut case, ONE, &[OWNER_HOTKEY, STAKER]);
    case.no("no uid", Rejection::HotKeyNotRegisteredInSubNet, |_| {});
    register(&mut case, ONE, &[HOTKEY]);
    case.no("no permit", Rejection::NeuronNoValidatorPermit, |_| {});
    case.no("one twice", Rejection::InvalidRevealCommitHashNotMatch, |case| {
        put_stake(&mut case.state, place(HOTKEY, STAKER, ONE), 1);
        at(&mut case.state, ONE).neurons.validator_permit[2] = true;
        case.call = reveal_batch(ONE, &[3, 3]);
    });
    let (state, events) = case.yes("each by itself", |case| {
        case.call = reveal_batch(ONE, &[3, 2]);
    });
    // The expired one went, those opened went, what stood between stays.
    let queue = state.subnets[&ONE].commits[&(0, HOTKEY)].iter();
    assert_eq!(queue.map(|commit| commit.hash).collect::<Vec<_>>(), [4, 5].map(hash_of_row));
    let expected = ["call_included", "weights_set", "weights_set", "weights_batch_revealed"];
    assert_eq!(kinds(&events), expected);
    // The last one holds: [1, 2] at full scale.
    assert_eq!(state.subnets[&ONE].mechanisms[0].weights[2], [(0, 32_768), (1, 65_535)]);
    let (state, _) = case.yes("an empty batch drops what expired", |case| {
        case.call = reveal_batch(ONE, &[]);
    });
    assert_eq!(state.subnets[&ONE].commits[&(0, HOTKEY)].len(), 4);
}

/// The checks of the call itself, behind those that keep it from being included.
#[test]
fn batch_reveals_are_checked_again_when_they_are_decided() {
    use protocol::batches::{Reveals, batch_reveal_weights};
    use protocol::tx::Tx;
    let mut case = Case::new(reveal_batch(ONE, &[2]));
    let period = u64::from(at(&mut case.state, ONE).params.tempo) + 1;
    hash_waits(&mut case, 2, 2 * period);
    hash_waits(&mut case, 3, 0);
    let rows: [(&[u16], usize, Rejection); 4] = [
        (&[2], 2, Rejection::InputLengthsUnequal),
        (&[2], 1, Rejection::ExpiredWeightCommit),
        (&[9], 1, Rejection::InvalidRevealCommitHashNotMatch),
        (&[3], 1, Rejection::RevealTooEarly),
    ];
    for (values, salts, reason) in rows {
        let values: Vec<Vec<u16>> = values.iter().map(|value| vec![1, *value]).collect();
        let salts = vec![SALT.to_vec(); salts];
        let reveals = Reveals {
            netuid: ONE,
            uids: &[vec![0, 1]],
            values: &values,
            salts: &salts,
            version_keys: &[0],
        };
        let mut tx = Tx::new(&mut case.state);
        assert_eq!(batch_reveal_weights(&mut tx, HOTKEY, &reveals), Err(reason));
        assert!(tx.finish().0.is_empty());
    }
}
