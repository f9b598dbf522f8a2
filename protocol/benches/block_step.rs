//! The block step at the size of the main network: 128 subnets of 256 neurons; 64 validators, the
//! same accounts on every subnet, each with root stake, a row of 100 weights and 11 holders; bonds
//! of a warm-up tempo.
//!
//! `cargo bench -p protocol` prints a row per part; compare rows of one run, not of two machines.
//! Rows over a tempo are the time of 361 blocks with the epochs of all subnets.

use core::hint::black_box;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use protocol::apply::apply;
use protocol::block::{BlockInput, Decided, decide_block, seal};
use protocol::frame::Facts;
use protocol::pool::{Fees, MAX_PRICE, MIN_PRICE, Pool};
use protocol::state::{
    Account, Coldkey, Fast, Global, Hotkey, HotkeyPool, Info, Mechanism, Neurons, Params, State,
    Subnet,
};
use protocol::taoflow::{ema_step, flow_shares};
use protocol::units::{AccountId, Alpha, Hash32, Height, NetUid, Rao};

const SUBNETS: u16 = 128;
const NEURONS: u16 = 256;
const VALIDATORS: u16 = 64;
const WEIGHTS: u16 = 100;
const NOMINATORS: u16 = 10;
/// Blocks from one epoch of a subnet to its next.
const TEMPO_BLOCKS: u64 = 361;

fn named(kind: &str, netuid: u16, number: u16) -> AccountId {
    let name = [netuid.to_le_bytes(), number.to_le_bytes()].concat();
    AccountId(protocol::canon::hash(kind, &name).0)
}

/// Validators are on every subnet, miners on one.
fn home(netuid: u16, uid: u16) -> u16 {
    if uid < VALIDATORS { 0 } else { netuid }
}

fn hotkey(netuid: u16, uid: u16) -> AccountId {
    named("hot", home(netuid, uid), uid)
}

fn coldkey(netuid: u16, uid: u16) -> AccountId {
    named("cold", home(netuid, uid), uid)
}

fn network() -> State {
    let mut state = State::default();
    state.height = Height(7_943_013);
    state.global = Global { total_issuance: Rao::whole(10_850_000), ..Global::mainnet() };
    let mut root = Subnet { added: true, params: Params::root(), ..Subnet::default() };
    for uid in 0..VALIDATORS {
        let pool = pool(0, uid, Rao::whole(90_000).0 / u64::from(uid + 1));
        root.fast.pool.tao += pool.alpha.0;
        root.pools.insert(hotkey(0, uid), pool);
    }
    state.subnets.insert(NetUid::ROOT, root);
    for netuid in 1..=SUBNETS {
        state.subnets.insert(NetUid(netuid), subnet(netuid));
        for uid in 0..NEURONS {
            settle(&mut state, hotkey(netuid, uid), coldkey(netuid, uid));
        }
    }
    state
}

fn settle(state: &mut State, hotkey: AccountId, coldkey: AccountId) {
    state.accounts.insert(coldkey, Account { free: Rao::whole(10), nonce: 0 });
    state.hotkeys.insert(hotkey, Hotkey { owner: Some(coldkey), ..Hotkey::default() });
    let lists = Coldkey { owned: vec![hotkey], staking: vec![hotkey], ..Coldkey::default() };
    state.coldkeys.insert(coldkey, lists);
}

/// A pool of a hotkey: validators have nominators beside the owner.
fn pool(netuid: u16, uid: u16, alpha: u64) -> HotkeyPool {
    let nominators = if uid < VALIDATORS { NOMINATORS } else { 0 };
    let share = (u128::from(alpha) << 64) / u128::from(nominators + 1);
    let mut holders = vec![(coldkey(netuid, uid), share)];
    holders.extend((0..nominators).map(|number| (named("nominator", uid, number), share)));
    let shares = share * u128::from(nominators + 1);
    HotkeyPool {
        alpha: Alpha(alpha),
        shares,
        holders: holders.into_iter().collect(),
        ..HotkeyPool::default()
    }
}

fn subnet(netuid: u16) -> Subnet {
    let mut fast =
        Fast { flow_average: Some((7_943_013, i128::from(netuid) << 80)), ..Fast::default() };
    fast.pool.tao = Rao::whole(15_000).0;
    fast.pool.alpha = Alpha::whole(1_500_000).0;
    fast.pool.alpha_out = Alpha::whole(2_000_000).0;
    fast.pool.fee_rate = 33;
    // The sum over all subnets is above one, so root sells.
    fast.moving_price = 1 << 26;
    let hotkeys: Vec<AccountId> = (0..NEURONS).map(|uid| hotkey(netuid, uid)).collect();
    let count = usize::from(NEURONS);
    let mut subnet = Subnet {
        added: true,
        fast,
        params: Params { commit_reveal: false, subtoken_enabled: true, ..Params::default() },
        info: Info {
            owner: Some(coldkey(netuid, 0)),
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
    subnet.mechanisms.push(Mechanism {
        incentive: vec![0; count],
        last_update: vec![7_943_000; count],
        weights: (0..NEURONS).map(weights).collect(),
        bonds: vec![vec![]; count],
    });
    for (uid, hotkey) in (0..NEURONS).zip(&hotkeys) {
        let alpha =
            if uid < VALIDATORS { 1_000_000 } else { 1_000 } * u64::from(uid + 1) * 1_000_000;
        subnet.pools.insert(*hotkey, pool(netuid, uid, alpha));
    }
    subnet
}

/// A validator's weights on 100 of the 192 miners; validators overlap and mostly agree.
fn weights(uid: u16) -> Vec<(u16, u16)> {
    if uid >= VALIDATORS {
        return vec![];
    }
    let miners = NEURONS - VALIDATORS;
    let first = uid % 8 * 11;
    let mut row: Vec<(u16, u16)> = (first..first + WEIGHTS)
        .map(|number| VALIDATORS + number % miners)
        .map(|miner| (miner, miner * 97 + uid % 5 + 1))
        .collect();
    row.sort_unstable();
    row
}

fn input(height: Height) -> BlockInput {
    BlockInput {
        height,
        time_ms: 0,
        entropy: Hash32::default(),
        calls: Vec::new(),
        surplus: Vec::new(),
        refused_kept_max: 0,
        beacon_round: None,
    }
}

fn decide_next(state: &mut State) -> (BlockInput, Decided) {
    let next = input(Height(state.height.0 + 1));
    let decided = decide_block(state, &next);
    (next, decided)
}

fn seal_next(state: &mut State) -> Hash32 {
    let (next, decided) = decide_next(state);
    seal(state, Hash32::default(), &next, &decided, &Facts::default()).hash()
}

/// A state after a tempo of blocks, and the same without any further epoch.
fn warmed_up() -> (State, State) {
    let mut state = network();
    for _ in 0..TEMPO_BLOCKS {
        decide_next(&mut state);
    }
    let mut quiet = state.clone();
    for subnet in quiet.subnets.values_mut() {
        subnet.params.tempo = 0;
    }
    state.root();
    quiet.root();
    (state, quiet)
}

fn block_step(criterion: &mut Criterion) {
    let (mut state, quiet) = warmed_up();
    let mut group = criterion.benchmark_group("block without a due epoch");
    let mut live = quiet.clone();
    group.bench_function("decide", |bencher| bencher.iter(|| decide_next(&mut live)));
    let mut live = quiet.clone();
    group.bench_function("decide and seal", |bencher| bencher.iter(|| seal_next(&mut live)));
    group.finish();

    let mut group = criterion.benchmark_group("blocks over a tempo, all epochs");
    group.throughput(Throughput::Elements(TEMPO_BLOCKS));
    let mut live = state.clone();
    group.bench_function("decide", |bencher| {
        bencher.iter(|| {
            for _ in 0..TEMPO_BLOCKS {
                black_box(decide_next(&mut live));
            }
        });
    });
    let mut live = state.clone();
    group.bench_function("decide and seal", |bencher| {
        bencher.iter(|| {
            for _ in 0..TEMPO_BLOCKS {
                black_box(seal_next(&mut live));
            }
        });
    });
    let (mut source, mut folded) = (state.clone(), state.clone());
    group.bench_function("decide, apply to a second state", |bencher| {
        bencher.iter(|| {
            for _ in 0..TEMPO_BLOCKS {
                let (_, decided) = decide_next(&mut source);
                decided.events.iter().for_each(|event| apply(&mut folded, event).expect("fits"));
            }
        });
    });
    group.finish();

    criterion.bench_function("state root from scratch", |bencher| {
        bencher.iter(|| {
            state.forget_cached_hashes();
            state.root()
        });
    });
}

fn taoflow(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("taoflow, 128 subnets");
    let averages: Vec<i128> = (1..=128).map(|n| (n * n * 7_919_i128) << 70).collect();
    for (name, exponent) in [("shares, power 1", 1 << 64), ("shares, power 1.5", 3 << 63)] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| flow_shares(black_box(&averages), 0, exponent));
        });
    }
    group.bench_function("averages", |bencher| {
        bencher.iter(|| -> Vec<i128> {
            let step = |average: &i128| ema_step(Some(*average), -5, 29_597_889_189_277);
            black_box(&averages).iter().map(step).collect()
        });
    });
    group.finish();
}

fn pool_operations(criterion: &mut Criterion) {
    let mut pool = Pool {
        tao: Rao::whole(15_000).0,
        alpha: Alpha::whole(1_500_000).0,
        fee_rate: 33,
        ..Pool::default()
    };
    pool.initialize();
    let amount = Rao::whole(1).0;
    let mut group = criterion.benchmark_group("pool");
    let mut bench = |name: &str, limit: u64, act: fn(&mut Pool, u64, u64)| {
        group.bench_function(name, |bencher| {
            bencher.iter_batched_ref(
                || pool,
                |pool| act(pool, black_box(amount), black_box(limit)),
                BatchSize::SmallInput,
            );
        });
    };
    bench("buy", MAX_PRICE, |pool, amount, limit| {
        let _ = black_box(pool.buy(amount, limit, Fees::Charged));
    });
    bench("sell", MIN_PRICE, |pool, amount, limit| {
        let _ = black_box(pool.sell(amount, limit, Fees::Charged));
    });
    bench("buy below a limit", 12_000_000, |pool, amount, limit| {
        let _ = black_box(pool.buy(amount, limit, Fees::Charged));
    });
    bench("liquidity adjustment", 100_000_000_000, |pool, tao, alpha| {
        pool.adjust_liquidity(tao, alpha);
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = block_step, taoflow, pool_operations
}
criterion_main!(benches);
