//! The block step at the size of the main network: 128 subnets, 256 neurons each, 16 validators.
//!
//! `cargo bench -p protocol` prints a row per part; compare rows of one run, not of two machines.

use criterion::{Criterion, criterion_group, criterion_main};
use protocol::apply::apply;
use protocol::block::{BlockInput, decide_block, seal};
use protocol::frame::Facts;
use protocol::state::{
    Account, Coldkey, Fast, Global, Hotkey, HotkeyPool, Info, Mechanism, Neurons, Params, State,
    Subnet,
};
use protocol::units::{AccountId, Alpha, Hash32, Height, NetUid, Rao};

const SUBNETS: u16 = 128;
const NEURONS: u16 = 256;
const VALIDATORS: u16 = 16;

fn account(netuid: u16, uid: u16, kind: u8) -> AccountId {
    let name = [netuid.to_le_bytes(), uid.to_le_bytes()].concat();
    AccountId(protocol::canon::hash(if kind == 0 { "hot" } else { "cold" }, &name).0)
}

fn network() -> State {
    let mut state = State::default();
    state.height = Height(7_943_013);
    state.global = Global { total_issuance: Rao::whole(10_850_000), ..Global::mainnet() };
    let root = Subnet { added: true, params: Params::root(), ..Subnet::default() };
    state.subnets.insert(NetUid::ROOT, root);
    for netuid in 1..=SUBNETS {
        state.subnets.insert(NetUid(netuid), subnet(netuid));
        for uid in 0..NEURONS {
            let (hotkey, coldkey) = (account(netuid, uid, 0), account(netuid, uid, 1));
            state.accounts.insert(coldkey, Account { free: Rao::whole(10), nonce: 0 });
            state.hotkeys.insert(hotkey, Hotkey { owner: Some(coldkey), ..Hotkey::default() });
            let lists =
                Coldkey { owned: vec![hotkey], staking: vec![hotkey], ..Coldkey::default() };
            state.coldkeys.insert(coldkey, lists);
        }
    }
    state
}

fn subnet(netuid: u16) -> Subnet {
    let mut fast =
        Fast { flow_average: Some((7_943_013, i128::from(netuid) << 80)), ..Fast::default() };
    fast.pool.tao = Rao::whole(15_000).0;
    fast.pool.alpha = Alpha::whole(1_500_000).0;
    fast.pool.alpha_out = Alpha::whole(2_000_000).0;
    fast.pool.fee_rate = 33;
    fast.moving_price = 1 << 25;
    let hotkeys: Vec<AccountId> = (0..NEURONS).map(|uid| account(netuid, uid, 0)).collect();
    let count = usize::from(NEURONS);
    let mut subnet = Subnet {
        added: true,
        fast,
        params: Params { commit_reveal: false, subtoken_enabled: true, ..Params::default() },
        info: Info {
            owner: Some(account(netuid, 0, 1)),
            owner_hotkey: Some(hotkeys[0]),
            first_emission: Some(1),
            ..Info::default()
        },
        neurons: Neurons {
            uids: hotkeys.iter().copied().zip(0..).collect(),
            hotkeys: hotkeys.clone(),
            registered_at: vec![1; count],
            active: vec![true; count],
            emission: vec![Alpha(0); count],
            consensus: vec![0; count],
            dividends: vec![0; count],
            validator_trust: vec![0; count],
            validator_permit: (0..NEURONS).map(|uid| uid < VALIDATORS).collect(),
            stake_weight: vec![0; count],
        },
        ..Subnet::default()
    };
    let row: Vec<(u16, u16)> = (VALIDATORS..NEURONS).map(|uid| (uid, uid * 97 + 1)).collect();
    subnet.mechanisms.push(Mechanism {
        incentive: vec![0; count],
        last_update: vec![7_943_000; count],
        weights: (0..NEURONS)
            .map(|uid| if uid < VALIDATORS { row.clone() } else { vec![] })
            .collect(),
        bonds: vec![vec![]; count],
    });
    for (uid, hotkey) in (0..NEURONS).zip(&hotkeys) {
        let alpha =
            if uid < VALIDATORS { 1_000_000 } else { 1_000 } * u64::from(uid + 1) * 1_000_000;
        let shares = u128::from(alpha) << 64;
        let holders = [(account(netuid, uid, 1), shares)].into();
        let pool = HotkeyPool { alpha: Alpha(alpha), shares, holders, ..HotkeyPool::default() };
        subnet.pools.insert(*hotkey, pool);
    }
    subnet
}

fn input(height: Height) -> BlockInput {
    BlockInput {
        height,
        time_ms: 0,
        entropy: Hash32::default(),
        calls: Vec::new(),
        surplus: Vec::new(),
        refused_kept_max: 0,
    }
}

fn block_step(criterion: &mut Criterion) {
    let mut state = network();
    state.root();
    for _ in 0..361 {
        let next = input(Height(state.height.0 + 1));
        decide_block(&mut state, &next);
    }
    state.root();
    let mut live = state.clone();
    criterion.bench_function("block: decide, seal", |bencher| {
        bencher.iter(|| {
            let next = input(Height(live.height.0 + 1));
            let decided = decide_block(&mut live, &next);
            seal(&mut live, Hash32::default(), &next, &decided, &Facts::default())
        });
    });
    let mut live = state.clone();
    criterion.bench_function("block: decide", |bencher| {
        bencher.iter(|| {
            let next = input(Height(live.height.0 + 1));
            decide_block(&mut live, &next)
        });
    });
    let mut folded = state.clone();
    let mut source = state.clone();
    criterion.bench_function("block: decide, apply to a second state", |bencher| {
        bencher.iter(|| {
            let next = input(Height(source.height.0 + 1));
            let decided = decide_block(&mut source, &next);
            decided.events.iter().for_each(|event| apply(&mut folded, event).expect("fits"));
        });
    });
    criterion.bench_function("state root from scratch", |bencher| {
        bencher.iter(|| {
            state.forget_cached_hashes();
            state.root()
        });
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = block_step
}
criterion_main!(benches);
