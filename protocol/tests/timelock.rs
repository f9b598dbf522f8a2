//! What becomes of sealed weights, block by block: opened in order, kept for a late pulse, dropped, lost.

mod network;

use network::{
    HOTKEY, ONE, OTHER, OTHER_HOTKEY, OWNER, OWNER_HOTKEY, STAKER, STRAY_HOTKEY, TAO, at, place,
    put_stake,
};
use protocol::beacon::Beacon;
use protocol::call::{Call, Origin, Setting};
use protocol::commits::earliest_blocks;
use protocol::event::{DropReason, Event};
use protocol::invariants::Checker;
use protocol::payload::Payload;
use protocol::rejection::{Outcome, Rejection};
use protocol::state::State;
use protocol::tx::Tx;
use protocol::units::{AccountId, Hash32, NetUid};
use protocol::view::View;

const TEMPO: u16 = 9;
const PERIOD: u64 = TEMPO as u64 + 1;

/// Subnet ONE asks for commits and has three validators and a stranger; four pulses a block.
struct Play {
    state: State,
    view: View,
    checker: Checker,
}

/// A round whose pulse is stored already.
const SOON: u64 = 1;

impl Play {
    fn new() -> Self {
        let mut state = network::network();
        network::own(&mut state, OWNER, STRAY_HOTKEY);
        let (period_ms, first_round) = (3_000, 1);
        state.global.beacon = Beacon { period_ms, first_round, oldest: SOON, last: SOON };
        state.global.admin_freeze_window = 2;
        let subnet = at(&mut state, ONE);
        subnet.params.tempo = TEMPO;
        subnet.params.weights_set_rate_limit = 0;
        let mut tx = Tx::new(&mut state);
        let hotkeys = [OWNER_HOTKEY, HOTKEY, OTHER_HOTKEY, STRAY_HOTKEY];
        for (uid, hotkey) in (0..).zip(hotkeys) {
            let via = protocol::event::Via::Burn;
            tx.emit(Event::NeuronPlaced { netuid: ONE, uid, hotkey, replaced: None, via });
        }
        let pairs = [(OWNER_HOTKEY, OWNER), (HOTKEY, STAKER), (OTHER_HOTKEY, OTHER)];
        for (hotkey, coldkey) in pairs {
            put_stake(&mut state, place(hotkey, coldkey, ONE), 10 * TAO);
        }
        at(&mut state, ONE).neurons.validator_permit = vec![true, true, true, false];
        // To the first block of an epoch: index 101 begins at block 1008.
        let mut play =
            Self { view: View::new(state.clone()), checker: Checker::new(&state), state };
        play.until(1_007);
        play
    }

    fn block(&mut self, calls: &[(Origin, Call)]) -> Vec<Event> {
        let decided = network::block(&mut self.state, calls, Hash32::default());
        for record in &decided.calls {
            assert_eq!(record.outcome, Outcome::Ok, "{:?}", record.call);
        }
        self.view.fold(&decided.events).expect("what was decided fits");
        self.checker.check(&self.state).expect("every invariant");
        assert!(self.view.state().vault().is_empty());
        let mut seen = self.view.state().clone();
        assert_eq!(seen.root(), self.state.root(), "the vault is in no root");
        decided.events
    }

    fn until(&mut self, height: u64) -> Vec<Event> {
        let mut events = Vec::new();
        while self.state.height.0 < height {
            events.extend(self.block(&[]));
        }
        events
    }

    fn row(&self, uid: usize) -> &[(u16, u16)] {
        &self.state.subnets[&ONE].mechanisms[0].weights[uid]
    }

    fn waiting(&self) -> usize {
        self.state.subnets[&ONE].timelocked.values().map(Vec::len).sum()
    }
}

fn seal(hotkey: Option<AccountId>, values: &[u16], nonce: u8) -> Vec<u8> {
    let uids = (0..).take(values.len()).collect();
    Payload { hotkey, uids, values: values.to_vec(), version_key: 0 }.seal(&[nonce; 32])
}

fn commit(who: AccountId, commit: Vec<u8>, reveal_round: u64) -> (Origin, Call) {
    let (netuid, commit_reveal_version) = (ONE, 4);
    let call = Call::CommitTimelockedMechanismWeights {
        netuid,
        mecid: 0,
        commit,
        reveal_round,
        commit_reveal_version,
    };
    (Origin::Signed(who), call)
}

/// What the phase says, in short.
fn told(events: &[Event]) -> Vec<String> {
    let told = events.iter().filter_map(|event| match event {
        Event::WeightsSet { uid, last_update, .. } => Some(format!("set {uid} {last_update:?}")),
        Event::TimelockedWeightsRevealed { place, .. } => Some(format!("revealed {place}")),
        Event::TimelockedCommitDropped { place, reason, .. } => {
            Some(format!("dropped {place} {reason:?}"))
        }
        Event::TimelockedCommitsExpired { epoch, commits, .. } => {
            Some(format!("expired {commits} of {epoch}"))
        }
        _ => None,
    });
    told.collect()
}

#[test]
fn rows_are_opened_in_order_in_the_first_block_of_their_epoch() {
    let mut play = Play::new();
    play.block(&[
        commit(HOTKEY, seal(Some(HOTKEY), &[1, 2], 1), SOON),
        commit(OTHER_HOTKEY, seal(None, &[5, 5], 2), SOON),
        commit(HOTKEY, seal(Some(HOTKEY), &[2, 1], 3), SOON),
        commit(OWNER_HOTKEY, seal(Some(HOTKEY), &[7, 7], 4), SOON),
        commit(OWNER_HOTKEY, vec![4, 4], SOON),
        commit(STRAY_HOTKEY, seal(Some(STRAY_HOTKEY), &[7, 7], 5), SOON),
    ]);
    assert_eq!((play.state.height.0, play.state.vault().len()), (1_008, 6));
    assert_eq!(told(&play.until(1_017)), [""; 0]);
    let events = play.block(&[]);
    let no_permit = DropReason::Rejected(Rejection::NeuronNoValidatorPermit);
    let expected = [
        "set 1 None".to_owned(),
        "revealed 0".to_owned(),
        "set 2 None".to_owned(),
        "revealed 0".to_owned(),
        "set 1 None".to_owned(),
        "revealed 0".to_owned(),
        format!("dropped 0 {:?}", DropReason::OtherHotkey),
        format!("dropped 0 {:?}", DropReason::Unreadable),
        format!("dropped 0 {no_permit:?}"),
    ];
    assert_eq!(told(&events), expected);
    assert_eq!(play.row(1), [(0, 65_535), (1, 32_768)]);
    assert_eq!(play.row(2), [(0, 65_535), (1, 65_535)]);
    assert_eq!((play.waiting(), play.state.vault().len()), (0, 0));
}

#[test]
fn a_late_pulse_opens_what_was_kept_and_a_missing_one_loses_it() {
    let mut play = Play::new();
    let round_at = |block: u64| play.state.global.beacon.round_at(12_000 * block).expect("it runs");
    // Stored in block 1020 and seen by the phase of 1021; the other only after the epoch is over.
    let (late, never) = (round_at(1_019), round_at(1_040));
    play.block(&[
        commit(HOTKEY, seal(Some(HOTKEY), &[1, 2], 1), never),
        commit(OTHER_HOTKEY, seal(Some(OTHER_HOTKEY), &[1, 2], 2), late),
        commit(HOTKEY, seal(Some(HOTKEY), &[2, 1], 3), late),
    ]);
    assert_eq!(told(&play.until(1_020)), [""; 0]);
    let events = play.block(&[]);
    assert_eq!(told(&events), ["set 2 None", "revealed 1", "set 1 None", "revealed 1"]);
    assert_eq!((play.waiting(), play.state.vault().len()), (1, 1));
    assert_eq!(told(&play.until(1_027)), [""; 0]);
    let events = play.block(&[]);
    assert_eq!(told(&events), ["expired 1 of 101"]);
    assert_eq!((play.waiting(), play.state.vault().len()), (0, 0));
}

#[test]
fn a_commit_in_the_block_of_an_epoch_opens_an_epoch_later() {
    let mut play = Play::new();
    play.until(1_016);
    // Block 1017 is the last of its index and runs the epoch.
    play.block(&[commit(HOTKEY, seal(Some(HOTKEY), &[1, 2], 1), SOON)]);
    let queues = &play.state.subnets[&ONE].timelocked;
    assert_eq!(queues.keys().copied().collect::<Vec<_>>(), [(0, 102)]);
    assert_eq!(told(&play.until(1_027)), [""; 0]);
    assert_eq!(told(&play.block(&[])), ["set 1 None", "revealed 0"]);
}

#[test]
fn rows_are_opened_after_commits_are_switched_off_and_then_count_as_set() {
    let mut play = Play::new();
    play.block(&[
        commit(HOTKEY, seal(Some(HOTKEY), &[1, 2], 1), SOON),
        commit(OTHER_HOTKEY, seal(Some(OTHER_HOTKEY), &[1, 2], 2), SOON),
    ]);
    let subnet = at(&mut play.state, ONE);
    subnet.params.commit_reveal = false;
    subnet.params.weights_set_rate_limit = 11;
    subnet.mechanisms[0].last_update[2] = 1_000;
    play.state.forget_cached_hashes();
    play.view = View::new(play.state.clone());
    play.until(1_017);
    let too_fast = DropReason::Rejected(Rejection::SettingWeightsTooFast);
    let expected =
        [format!("dropped 0 {too_fast:?}"), "set 2 Some(1018)".to_owned(), "revealed 0".to_owned()];
    assert_eq!(told(&play.block(&[])), expected);
}

#[test]
fn what_is_erased_takes_its_sealed_rows_along() {
    type Erase = fn(NetUid) -> Call;
    let erase: [(&str, Erase); 2] = [
        ("the subnet", |netuid| Call::RootDissolveNetwork { netuid }),
        ("the mechanism", |netuid| Call::SudoSet(Setting::MechanismCount { netuid, value: 1 })),
    ];
    for (what, erase) in erase {
        let mut play = Play::new();
        let params = &mut at(&mut play.state, ONE).params;
        (params.mechanism_count, params.max_allowed_uids) = (2, 100);
        play.state.forget_cached_hashes();
        play.view = View::new(play.state.clone());
        let sealed = Call::CommitCrv3MechanismWeights {
            netuid: ONE,
            mecid: 1,
            commit: seal(Some(HOTKEY), &[1, 2], 1),
            reveal_round: SOON,
        };
        let sealed = (Origin::Signed(HOTKEY), sealed);
        play.block(std::slice::from_ref(&sealed));
        assert_eq!(play.state.vault().len(), 1, "{what}");
        // Even what is sealed in the same block.
        play.block(&[sealed, (Origin::Root, erase(ONE))]);
        assert_eq!(play.state.vault().len(), 0, "{what}");
        let left = play.state.subnets[&ONE].timelocked.len();
        assert_eq!(left, 0, "{what}");
    }
}

/// 10 §6.1: the earliest commit of either kind, unless it can no longer be opened.
#[test]
fn the_column_mask_sees_both_kinds_of_commits() {
    let mut play = Play::new();
    let hash = Hash32([9; 32]);
    let by_hash = |who| {
        let call = Call::CommitMechanismWeights { netuid: ONE, mecid: 0, commit_hash: hash };
        (Origin::Signed(who), call)
    };
    let never = u64::MAX;
    play.block(&[commit(HOTKEY, seal(None, &[1], 1), never), by_hash(OTHER_HOTKEY)]);
    play.block(&[by_hash(HOTKEY), commit(OTHER_HOTKEY, seal(None, &[1], 2), never)]);
    play.block(&[commit(HOTKEY, seal(None, &[1], 3), never)]);
    let both = [None, Some(1_008), Some(1_008), None];
    assert_eq!(earliest_blocks(&play.state, ONE, 0), both);
    assert_eq!(earliest_blocks(&play.state, ONE, 1), [None; 4]);
    play.until(1_008 + 2 * PERIOD - 1);
    assert_eq!(earliest_blocks(&play.state, ONE, 0), both, "they can be opened until here");
    play.until(1_008 + 2 * PERIOD);
    assert_eq!(earliest_blocks(&play.state, ONE, 0), [None; 4]);
}

#[test]
fn pulses_come_before_calls_and_open_from_the_next_block_on() {
    let mut play = Play::new();
    let before = play.state.global.beacon.last;
    let events = play.block(&[]);
    let stored = Event::BeaconRoundsStored { oldest: SOON, last: before + 4 };
    assert!(events.contains(&stored), "{events:?}");
    // Published a block before this one.
    let published = play.state.global.beacon.round_at(12_000 * 1_007);
    assert_eq!(published, Some(play.state.global.beacon.last));
    // A round gone by in this very block is refused.
    let call = |reveal_round| {
        let call = Call::CommitTimelockedWeights {
            netuid: ONE,
            commit: vec![1],
            reveal_round,
            commit_reveal_version: 4,
        };
        vec![(Origin::Signed(HOTKEY), call)]
    };
    let last = play.state.global.beacon.last + 4;
    let refused = network::block(&mut play.state.clone(), &call(last - 1), Hash32::default());
    let refusal = protocol::rejection::Refusal::InvalidRevealRound;
    assert_eq!(refused.outcomes, [Outcome::Refused(refusal)]);
    let taken = network::block(&mut play.state.clone(), &call(last), Hash32::default());
    assert_eq!(taken.outcomes, [Outcome::Ok]);
}
