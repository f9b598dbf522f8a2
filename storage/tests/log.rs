//! A log on disk: written, read back, damaged, forged.

use protocol::block::{BlockInput, Submitted, decide_block, seal};
use protocol::call::{Call, Origin};
use protocol::event::{Event, Sealed};
use protocol::frame::{Facts, Frame, Header, calls_root, events_root, facts_root};
use protocol::state::{Account, Mechanism, Params, State, Subnet};
use protocol::units::{AccountId, Alpha, Hash32, Height, NetUid, PlayerId, Rao};
use protocol::vault::Vault;
use std::path::Path;
use std::time::Duration;
use storage::ahead::BLOCKS_AHEAD_MAX;
use storage::cache::{Cache, CacheKind};
use storage::fold::{FoldError, Folder, ReadError, state_at, store_snapshot};
use storage::journal::Journal;
use storage::log::{Durability, EventLog, LogError, SledLog};
use storage::pursuit::{ROOTS_WAITING_MAX, pursue};
use storage::record::{Genesis, RecordError};
use storage::runfolder::{RunFolder, RunFolderError};

const GENESIS: u64 = 500;
const BLOCKS: u64 = 12;
const RICH: AccountId = AccountId([1; 32]);
const POOR: AccountId = AccountId([2; 32]);

/// Root, one subnet with a pool, and somebody rich.
fn genesis() -> State {
    let mut state = State::default();
    state.height = Height(GENESIS);
    let root = Subnet {
        added: true,
        params: Params::root(),
        mechanisms: vec![Mechanism::default()],
        ..Subnet::default()
    };
    let mut subnet = Subnet {
        added: true,
        params: Params { subtoken_enabled: true, commit_reveal: false, ..Params::default() },
        mechanisms: vec![Mechanism::default()],
        ..Subnet::default()
    };
    subnet.info.first_emission = Some(1);
    // The rich one may seal weights on a subnet of its own.
    let mut sealing = Subnet { added: true, ..Subnet::default() };
    sealing.mechanisms.push(Mechanism::default());
    let neurons = &mut sealing.neurons;
    neurons.uids.insert(RICH, 0);
    neurons.hotkeys.push(RICH);
    neurons.registered_at.push(1);
    neurons.active.push(true);
    neurons.emission.push(Alpha::ZERO);
    neurons.consensus.push(0);
    neurons.dividends.push(0);
    neurons.validator_trust.push(0);
    neurons.validator_permit.push(false);
    subnet.fast.pool.tao = Rao::whole(10_000).0;
    subnet.fast.pool.alpha = Alpha::whole(100_000).0;
    state.subnets.insert(NetUid::ROOT, root);
    state.subnets.insert(NetUid(1), subnet);
    state.subnets.insert(NetUid(2), sealing);
    state.accounts.insert(RICH, Account { free: Rao::whole(1_000), nonce: 0 });
    state.global.total_issuance = Rao::whole(11_000);
    state.global.total_stake = Rao::whole(10_000);
    state
}

fn genesis_header(state: &State) -> Header {
    Header {
        height: state.height,
        parent: Hash32([7; 32]),
        time_ms: 0,
        entropy: Hash32([8; 32]),
        state_root: state.clone().root(),
        calls_root: calls_root(&[], &[]),
        events_root: events_root(&[], &[]),
        facts_root: facts_root(&Facts::default()),
    }
}

/// What is sealed in the third block; nothing ever opens it.
const SEALED: [u8; 40] = [0xab; 40];

/// Blocks with a transfer each, and one sealed commit.
fn frames() -> Vec<Frame> {
    frames_of(BLOCKS)
}

fn frames_of(blocks: u64) -> Vec<Frame> {
    let mut state = genesis();
    let mut parent = genesis_header(&state).hash();
    let mut frames = Vec::new();
    for block in 1..=blocks {
        let value = Rao::whole((block - 1) % BLOCKS + 1);
        let transfer = Call::TransferAllowDeath { dest: POOR, value };
        let commit = Call::CommitTimelockedWeights {
            netuid: NetUid(2),
            commit: SEALED.to_vec(),
            reveal_round: 9,
            commit_reveal_version: 4,
        };
        let calls = [transfer].into_iter().chain((block == 3).then_some(commit));
        let submitted = |(index, call): (u64, Call)| Submitted {
            due_ms: block * 12_000 - 1,
            player: PlayerId(9),
            sequence: 2 * block + index,
            origin: Origin::Signed(RICH),
            nonce: None,
            call,
        };
        let input = BlockInput {
            height: Height(GENESIS + block),
            time_ms: block * 12_000,
            entropy: Hash32([block as u8; 32]),
            calls: (0..).zip(calls).map(submitted).collect(),
            surplus: Vec::new(),
            refused_kept_max: 10,
            beacon_round: None,
        };
        let decided = decide_block(&mut state, &input);
        let facts = Facts::default();
        let header = seal(&mut state, parent, &input, &decided, &facts);
        parent = header.hash();
        frames.push(Frame {
            header,
            calls: decided.calls,
            refused: decided.refused,
            events: decided.events,
            sealed: decided.sealed,
            facts,
        });
    }
    frames
}

fn log_of(path: &Path, frames: &[Frame], durability: Durability) -> SledLog {
    let state = genesis();
    let header = genesis_header(&state);
    let genesis = Genesis { build: "test".to_owned(), header, plan: state };
    let mut log = SledLog::create(path, &genesis, durability).expect("the folder is new");
    for frame in frames {
        log.append(frame).expect("it follows");
    }
    log
}

fn fold(log: &SledLog) -> Result<Folder, ReadError> {
    let genesis = log.genesis::<State>()?;
    let mut folder = Folder::new(genesis.plan, &genesis.header)?;
    for frame in log.frames(Height(0), log.tip()) {
        folder.fold(&frame?)?;
    }
    Ok(folder)
}

#[test]
fn what_was_written_is_read_and_folds_to_the_same_root() {
    let frames = frames();
    for durability in [Durability::Block, Durability::Interval(5), Durability::End] {
        let folder = tempfile::tempdir().expect("writable");
        let path = folder.path().join("log");
        let mut log = log_of(&path, &frames, durability);
        log.sync().expect("the disk takes it");
        drop(log);
        let log = SledLog::open(&path).expect("it was closed");
        assert_eq!((log.genesis_height(), log.tip()), (Height(GENESIS), Height(GENESIS + BLOCKS)));
        let read: Result<Vec<Frame>, LogError> = log.frames(Height(0), log.tip()).collect();
        assert_eq!(read.expect("all are sound"), frames);
        let folder = fold(&log).expect("it folds");
        assert_eq!(folder.header(), &frames[frames.len() - 1].header);
        assert_eq!(folder.state().free(&POOR), Rao::whole((1..=BLOCKS).sum()));
        assert!(log.bytes() > 1_000, "{} bytes", log.bytes());
    }
}

#[test]
fn only_the_next_block_is_taken() {
    let folder = tempfile::tempdir().expect("writable");
    let frames = frames();
    let mut log = log_of(&folder.path().join("log"), &frames[..3], Durability::End);
    let mut orphan = frames[3].clone();
    orphan.header.parent = Hash32([0; 32]);
    for wrong in [&frames[2], &frames[4], &orphan] {
        assert!(matches!(log.append(wrong), Err(LogError::Gap { .. })), "{:?}", wrong.header);
    }
    log.append(&frames[3]).expect("it follows");
    assert_eq!(log.tip(), Height(GENESIS + 4));
}

#[test]
fn a_log_in_use_a_missing_and_an_existing_one_are_told() {
    let folder = tempfile::tempdir().expect("writable");
    let path = folder.path().join("log");
    assert!(matches!(SledLog::open(&path), Err(LogError::Missing { .. })));
    let log = log_of(&path, &[], Durability::End);
    let error = SledLog::open(&path).expect_err("it is open here");
    assert!(matches!(error, LogError::InUse { .. }), "{error}");
    assert!(error.to_string().contains("in use"), "{error}");
    drop(log);
    let state = genesis();
    let header = genesis_header(&state);
    let again = Genesis { build: String::new(), header, plan: state };
    let error = SledLog::create(&path, &again, Durability::End).expect_err("there is one");
    assert!(matches!(error, LogError::Exists { .. }), "{error}");
}

/// A genesis of several megabytes is cut into parts and put together again.
#[test]
fn a_large_genesis_is_kept_in_parts() {
    let folder = tempfile::tempdir().expect("writable");
    let path = folder.path().join("log");
    let mut noise = blake3::Hasher::new().update(b"noise").finalize_xof();
    let mut plan = vec![0u8; 5 << 20];
    noise.fill(&mut plan);
    let header = genesis_header(&genesis());
    let genesis = Genesis { build: "test".to_owned(), header, plan };
    drop(SledLog::create(&path, &genesis, Durability::End).expect("the folder is new"));
    let log = SledLog::open(&path).expect("it was closed");
    let read = log.genesis::<Vec<u8>>().expect("it is sound");
    assert_eq!(read.plan, genesis.plan);
}

/// Chains all hashes anew after a change, as a forger would.
fn rechained(mut frames: Vec<Frame>, from: usize) -> Vec<Frame> {
    for at in from..frames.len() {
        if at > 0 {
            frames[at].header.parent = frames[at - 1].header.hash();
        }
        frames[at].header.events_root = events_root(&frames[at].events, &frames[at].sealed);
    }
    frames
}

#[test]
fn one_rao_more_in_one_event_fails_at_its_block_by_the_state_root() {
    for at in [0, 4, BLOCKS as usize - 1] {
        let folder = tempfile::tempdir().expect("writable");
        let mut frames = frames();
        let credited = frames[at].events.iter_mut().find_map(|event| match event {
            Event::BalanceCredited { amount, .. } => Some(amount),
            _ => None,
        });
        credited.expect("every block has a transfer").0 += 1;
        let forged = rechained(frames, at);
        let log = log_of(&folder.path().join("log"), &forged, Durability::End);
        match fold(&log) {
            Err(ReadError::Fold(FoldError::Hash { height, what, .. })) => {
                assert_eq!((height.0, what), (GENESIS + 1 + at as u64, "the state root"));
            }
            other => panic!("{other:?}"),
        }
    }
}

/// Follows a log on two threads; tells which blocks were shown.
fn pursued(log: &SledLog, to: Height) -> (Result<Folder, ReadError>, Vec<Height>) {
    pursued_at(log, to, |_| ())
}

/// The same with a pause before some blocks.
fn pursued_at(
    log: &SledLog,
    to: Height,
    pause: impl Fn(Height),
) -> (Result<Folder, ReadError>, Vec<Height>) {
    let mut shown = Vec::new();
    let mut pursue_all = || {
        let genesis = log.genesis::<State>()?;
        let mut folder = Folder::new(genesis.plan, &genesis.header)?;
        pursue(&mut folder, log, to, |frame, state| {
            assert_eq!(frame.header.height, state.height);
            pause(state.height);
            shown.push(state.height);
        })?;
        Ok(folder)
    };
    let folder = pursue_all();
    (folder, shown)
}

#[test]
fn neither_thread_waits_for_ever_for_the_other() {
    let folder = tempfile::tempdir().expect("writable");
    // More than may wait between them, several times over.
    let frames = frames_of(5 * (BLOCKS_AHEAD_MAX + ROOTS_WAITING_MAX) as u64);
    let tip = frames[frames.len() - 1].header.clone();
    let log = log_of(&folder.path().join("log"), &frames, Durability::End);
    let pause = |millis| std::thread::sleep(Duration::from_millis(millis));
    // Whoever follows is quick, slow throughout, or slow at first.
    let manners: [&dyn Fn(Height); 3] = [&|_| (), &|_| pause(1), &|at| match at.0 - GENESIS {
        1 | 100 => pause(50),
        _ => (),
    }];
    for manner in manners {
        let (folder, shown) = pursued_at(&log, tip.height, manner);
        assert_eq!((folder.expect("it folds").header(), shown.len()), (&tip, frames.len()));
    }
    // It stops at a root that is wrong, however much has been read by then.
    let mut frames = frames;
    frames[200].header.state_root = Hash32([9; 32]);
    let forged = rechained(frames, 200);
    let log = log_of(&folder.path().join("forged"), &forged, Durability::End);
    match pursued(&log, log.tip()).0 {
        Err(ReadError::Fold(FoldError::Hash { height, what: "the state root", .. })) => {
            assert_eq!(height, forged[200].header.height);
        }
        other => panic!("{:?}", other.map(|folder| folder.header().height)),
    }
}

#[test]
fn two_threads_come_to_what_one_comes_to() {
    let folder = tempfile::tempdir().expect("writable");
    let frames = frames();
    let log = log_of(&folder.path().join("log"), &frames, Durability::End);
    for blocks in [0, 1, 7, BLOCKS] {
        let (folder, shown) = pursued(&log, Height(GENESIS + blocks));
        let mut folder = folder.expect("it folds");
        assert_eq!(shown.len() as u64, blocks);
        // Whoever goes on alone has the hashes that the other thread kept.
        for frame in &frames[blocks as usize..] {
            folder.fold(frame).expect("it follows");
        }
        assert_eq!(folder.header(), &frames[frames.len() - 1].header);
        let mut state = folder.into_state();
        let root = state.root();
        state.forget_cached_hashes();
        assert_eq!(state.root(), root);
    }
}

#[test]
fn two_threads_tell_of_the_first_block_that_is_wrong() {
    let folder = tempfile::tempdir().expect("writable");
    for (name, at) in [("first", 0), ("middle", 5), ("last", BLOCKS as usize - 1)] {
        let mut frames = frames();
        let credited = frames[at].events.iter_mut().find_map(|event| match event {
            Event::BalanceCredited { amount, .. } => Some(amount),
            _ => None,
        });
        credited.expect("every block has a transfer").0 += 1;
        if let Some(next) = frames.get_mut(at + 1) {
            // Behind a wrong root: an event that fits no state at all.
            next.events.push(Event::BalanceWithdrawn { account: POOR, amount: Rao::whole(9_999) });
        }
        let forged = rechained(frames, at);
        let log = log_of(&folder.path().join(name), &forged, Durability::End);
        match pursued(&log, log.tip()).0 {
            Err(ReadError::Fold(FoldError::Hash { height, what, .. })) => {
                assert_eq!((height.0, what), (GENESIS + 1 + at as u64, "the state root"));
            }
            other => panic!("{other:?}"),
        }
    }
    let mut frames = frames();
    frames[4].events.push(Event::BalanceWithdrawn { account: POOR, amount: Rao::whole(9_999) });
    let log = log_of(&folder.path().join("event"), &rechained(frames, 4), Durability::End);
    match pursued(&log, log.tip()).0 {
        Err(ReadError::Fold(FoldError::Event { height, .. })) => assert_eq!(height.0, GENESIS + 5),
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_other_forgery_fails_at_its_block() {
    type Forge = fn(&mut Frame);
    let forgeries: &[(Forge, &str)] = &[
        (|frame| frame.header.events_root = Hash32([0; 32]), "the root of events"),
        (|frame| frame.calls[0].nonce += 1, "the root of calls"),
        (|frame| frame.facts.messages.sent += 1, "the root of off-chain facts"),
        (|frame| frame.header.parent = Hash32([0; 32]), "the hash of the block before"),
        (|frame| frame.header.state_root = Hash32([0; 32]), "the state root"),
    ];
    for (forge, expected) in forgeries {
        let state = genesis();
        let header = genesis_header(&state);
        let mut folder = Folder::new(state, &header).expect("it is its own");
        let mut frames = frames();
        forge(&mut frames[2]);
        let error = frames.iter().find_map(|frame| folder.fold(frame).err());
        match error {
            Some(FoldError::Hash { height, what, .. }) => {
                assert_eq!((height.0, what), (GENESIS + 3, *expected));
            }
            other => panic!("{expected}: {other:?}"),
        }
    }
    let state = genesis();
    let header = Header { state_root: Hash32([0; 32]), ..genesis_header(&state) };
    assert!(Folder::new(state, &header).is_err());
}

#[test]
fn caches_change_no_answer_and_bad_ones_count_as_absent() {
    let folder = tempfile::tempdir().expect("writable");
    let frames = frames();
    let log = log_of(&folder.path().join("log"), &frames, Durability::End);
    let cache = Cache::new(folder.path().join("cache"));
    let genesis = || Ok((genesis(), genesis_header(&genesis())));
    let at = Height(GENESIS + 9);
    let answer = |cache: &Cache| {
        let folder = state_at(&log, cache, genesis, at).expect("it folds");
        let mut state = folder.into_state();
        state.forget_cached_hashes();
        state.root()
    };
    let without = answer(&cache);
    assert_eq!(without, frames[8].header.state_root);
    let middle = Height(GENESIS + 5);
    let header = frames[4].header.clone();
    let state = state_at(&log, &cache, genesis, middle).expect("it folds").into_state();
    store_snapshot(&cache, &state, header.hash()).expect("writable");
    assert_eq!(cache.heights(CacheKind::Snapshot), [middle]);
    assert_eq!(answer(&cache), without);
    let mut wrong = state.clone();
    wrong.height = Height(GENESIS + 4);
    cache
        .store(CacheKind::Snapshot, middle, header.hash(), &(&wrong, state.vault()))
        .expect("writable");
    assert_eq!(answer(&cache), without, "another state under the same block");
    let mut rich = state.clone();
    rich.accounts.entry(AccountId([9; 32])).or_default().free = Rao(7);
    rich.forget_cached_hashes();
    cache
        .store(CacheKind::Snapshot, middle, header.hash(), &(&rich, state.vault()))
        .expect("writable");
    assert_eq!(answer(&cache), without, "a sound file of a state that nobody decided");
    store_snapshot(&cache, &state, Hash32([3; 32])).expect("writable");
    assert!(cache.load::<(State, Vault)>(CacheKind::Snapshot, middle, header.hash()).is_none());
    assert_eq!(answer(&cache), without, "a snapshot of another history");
    let file = folder.path().join("cache").join(format!("snapshot-{middle}.bin"));
    for bytes in [vec![], vec![0; 10], vec![0xff; 4_000]] {
        std::fs::write(&file, bytes).expect("writable");
        assert_eq!(answer(&cache), without, "a damaged file");
    }
    for height in 0..5 {
        cache.store(CacheKind::Checkpoint, Height(height), without, &height).expect("writable");
    }
    cache.thin(CacheKind::Checkpoint, 2);
    assert_eq!(cache.heights(CacheKind::Checkpoint), [Height(0), Height(4)]);
    assert_eq!(cache.load::<u64>(CacheKind::Checkpoint, Height(4), without), Some(4));
}

/// The vault is beside the state, never in it, and a snapshot without all of it is none.
#[test]
fn sealed_bytes_come_back_from_snapshots_and_from_frames_alike() {
    let folder = tempfile::tempdir().expect("writable");
    let frames = frames();
    let log = log_of(&folder.path().join("log"), &frames, Durability::End);
    let cache = Cache::new(folder.path().join("cache"));
    let genesis = || Ok((genesis(), genesis_header(&genesis())));
    let at = |height| {
        let folded = state_at(&log, &cache, genesis, Height(GENESIS + height)).expect("it folds");
        folded.into_state()
    };
    assert!(at(2).vault().is_empty());
    let state = at(5);
    let hash = protocol::payload::hash_of(&SEALED);
    assert_eq!(state.vault().get(&hash), Some(&SEALED[..]), "from frames");
    let bytes = storage::codec::encode(&state);
    assert!(!bytes.windows(SEALED.len()).any(|window| window == SEALED), "a state has no vault");
    let (middle, block) = (Height(GENESIS + 5), frames[4].header.hash());
    let other = |bytes: &[u8]| {
        let mut other = state.clone();
        let payload = bytes.to_vec();
        drop(other.take_vault());
        other.keep_sealed(&[], &[Sealed::CommitPayload { commit: hash, payload }]);
        other.take_vault()
    };
    for (vault, what) in [(Vault::default(), "none"), (other(&[1]), "forged")] {
        cache.store(CacheKind::Snapshot, middle, block, &(&state, vault)).expect("writable");
        assert_eq!(at(6).vault(), state.vault(), "{what}: the snapshot counts as absent");
    }
    store_snapshot(&cache, &state, block).expect("writable");
    assert_eq!(at(5).vault(), state.vault(), "from a snapshot");
    assert_eq!(at(BLOCKS).vault(), state.vault(), "and from there on");
}

#[test]
fn a_damaged_block_is_named_and_the_rest_is_still_read() {
    use storage::record::{Record, pack_frame};
    let frames = frames();
    let (record, _) = pack_frame(&frames[2], Hash32([0; 32]));
    assert!(Record::read(&record).is_ok());
    for at in 0..record.len() {
        let mut damaged = record.clone();
        damaged[at] ^= 0x10;
        let read = Record::read(&damaged).and_then(|read| read.frame(Height(GENESIS + 3)));
        assert!(read.is_err(), "byte {at}");
    }
    for length in 0..record.len() {
        assert!(Record::read(&record[..length]).is_err(), "{length} bytes");
    }
    let misplaced = Record::read(&record).and_then(|r| r.frame(Height(GENESIS + 4)));
    assert_eq!(misplaced.err(), Some(RecordError::Misplaced));
}

#[test]
fn run_folders_are_numbered_linked_and_discarded() {
    let base = tempfile::tempdir().expect("writable");
    let runs = base.path().join("runs");
    let first = RunFolder::create(&runs, "demo", 7).expect("writable");
    let second = RunFolder::create(&runs, "demo", 7).expect("writable");
    assert!(first.path.ends_with("demo-7-1") && second.path.ends_with("demo-7-2"));
    let latest = || std::fs::read_link(runs.join("latest")).ok();
    assert_eq!(latest(), Some("demo-7-2".into()));
    assert!(matches!(RunFolder::open(&second.path), Err(RunFolderError::NoRun { .. })));
    second.discard();
    assert_eq!(latest(), None);
    std::fs::create_dir(first.log_dir()).expect("writable");
    assert_eq!(RunFolder::list(&runs).expect("readable"), std::slice::from_ref(&first.path));
    assert_eq!(RunFolder::open(&first.path).expect("it is one"), first);
    assert!(matches!(RunFolder::open(&runs.join("no")), Err(RunFolderError::Missing { .. })));
    let taken = RunFolder::create_at(&first.path);
    assert!(matches!(taken, Err(RunFolderError::InUse { .. })));
    assert!(RunFolder::create_at(&base.path().join("new")).is_ok());
}

#[test]
fn a_torn_line_of_the_journal_is_left_out() {
    let folder = tempfile::tempdir().expect("writable");
    let mut journal = Journal::open(folder.path()).expect("writable");
    journal.write("started", serde_json::json!({"hosts": 2})).expect("writable");
    drop(journal);
    let mut journal = Journal::open(folder.path()).expect("writable");
    journal.write("ended", serde_json::json!({"block": 7})).expect("writable");
    let path = folder.path().join(storage::journal::JOURNAL);
    let text = std::fs::read_to_string(&path).expect("readable");
    std::fs::write(&path, format!("{text}{{\"kind\": \"sta")).expect("writable");
    let lines = Journal::read(folder.path()).expect("readable");
    let kinds: Vec<&str> = lines.iter().filter_map(|line| line["kind"].as_str()).collect();
    assert_eq!(kinds, ["started", "ended"]);
    assert_eq!((&lines[0]["hosts"], &lines[1]["block"]), (&2.into(), &7.into()));
}
