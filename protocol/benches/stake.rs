//! Stake orders on a network of 128 subnets, 256 hotkeys each, 10 holders each, through
//! `decide::execute` with its savepoint and undo list.
//!
//! `cargo bench -p protocol --bench stake`; compare rows of one run, not of two machines.

use criterion::{Criterion, criterion_group, criterion_main};
use protocol::call::{Call, Origin, Signed};
use protocol::decide;
use protocol::rejection::Outcome;
use protocol::state::{Account, Coldkey, Global, Hotkey, HotkeyPool, Info, Params, State, Subnet};
use protocol::tx::Tx;
use protocol::units::{AccountId, Alpha, Height, NetUid, Rao};

const SUBNETS: u16 = 128;
const HOTKEYS: u16 = 256;
const HOLDERS: u16 = 10;
/// Each holder's stake in the smallest unit.
const STAKE: u64 = 100_000_000_000;

fn hotkey(number: u16) -> AccountId {
    AccountId(protocol::canon::hash("hot", &number.to_le_bytes()).0)
}

fn coldkey(number: u16) -> AccountId {
    AccountId(protocol::canon::hash("cold", &number.to_le_bytes()).0)
}

/// Every hotkey has its holders on every subnet: holder `k` of hotkey `h` is coldkey `10 h + k`.
fn network() -> State {
    let mut state = State::default();
    state.height = Height(7_943_013);
    let author = Some(AccountId([9; 32]));
    state.global = Global {
        total_issuance: Rao::whole(10_850_000),
        total_stake: Rao::whole(5_000_000),
        block_author: author,
        ..Global::mainnet()
    };
    for number in 0..HOTKEYS {
        let owner = Some(coldkey(number * HOLDERS));
        state.hotkeys.insert(hotkey(number), Hotkey { owner, ..Hotkey::default() });
        for holder in number * HOLDERS..(number + 1) * HOLDERS {
            let free = Rao::whole(1_000_000);
            state.accounts.insert(coldkey(holder), Account { free, nonce: 0 });
            let lists = Coldkey { staking: vec![hotkey(number)], ..Coldkey::default() };
            state.coldkeys.insert(coldkey(holder), lists);
        }
    }
    for netuid in 0..=SUBNETS {
        state.subnets.insert(NetUid(netuid), subnet(netuid));
    }
    state
}

fn subnet(netuid: u16) -> Subnet {
    let params = if netuid == 0 { Params::root() } else { Params::default() };
    let mut subnet = Subnet {
        added: true,
        params: Params { subtoken_enabled: true, ..params },
        info: Info { first_emission: Some(1), ..Info::default() },
        ..Subnet::default()
    };
    let pool = &mut subnet.fast.pool;
    (pool.tao, pool.alpha) = (Rao::whole(15_000).0, Alpha::whole(1_500_000).0);
    for number in 0..HOTKEYS {
        let holders: Vec<u16> = (number * HOLDERS..(number + 1) * HOLDERS).collect();
        let alpha = STAKE * u64::from(HOLDERS);
        subnet.fast.pool.alpha_out += alpha;
        let pool = HotkeyPool {
            alpha: Alpha(alpha),
            shares: u128::from(alpha) << 64,
            holders: holders.iter().map(|k| (coldkey(*k), u128::from(STAKE) << 64)).collect(),
            ..HotkeyPool::default()
        };
        subnet.pools.insert(hotkey(number), pool);
    }
    subnet
}

/// Which hotkey, holder and subnet is next: all over the state, so that caches do not flatter.
struct Turn(u32);

impl Turn {
    fn next(&mut self) -> (AccountId, AccountId, NetUid) {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let number = (self.0 >> 8) as u16 % HOTKEYS;
        let holder = number * HOLDERS + (self.0 >> 20) as u16 % HOLDERS;
        let netuid = 1 + (self.0 >> 16) as u16 % SUBNETS;
        (hotkey(number), coldkey(holder), NetUid(netuid))
    }
}

/// Orders enough to hide the set-up of a transaction, as a block has.
const BLOCK: usize = 64;

fn bench(
    criterion: &mut Criterion,
    name: &str,
    state: &State,
    order: impl Fn(AccountId, NetUid) -> Call,
) {
    let mut live = state.clone();
    let mut turn = Turn(1);
    criterion.bench_function(name, |bencher| {
        bencher.iter_custom(|count| {
            let mut spent = core::time::Duration::ZERO;
            let mut left = usize::try_from(count).expect("small");
            while left > 0 {
                let orders: Vec<(AccountId, Call)> = (0..left.min(BLOCK))
                    .map(|_| {
                        let (hotkey, coldkey, netuid) = turn.next();
                        (coldkey, order(hotkey, netuid))
                    })
                    .collect();
                left -= orders.len();
                live.stake_markers.clear();
                let from = std::time::Instant::now();
                let mut tx = Tx::new(&mut live);
                for (coldkey, call) in &orders {
                    let nonce = tx.state().nonce(coldkey);
                    let signed = Signed { origin: Origin::Signed(*coldkey), nonce, call };
                    let outcome = decide::execute(&mut tx, &signed);
                    assert_eq!(outcome, Outcome::Ok, "{call:?}");
                }
                let events = tx.finish();
                spent += from.elapsed();
                drop(events);
            }
            spent
        });
    });
}

fn stake(criterion: &mut Criterion) {
    let state = network();
    bench(criterion, "add_stake", &state, |hotkey, netuid| Call::AddStake {
        hotkey,
        netuid,
        amount_staked: Rao(10_000_000),
    });
    bench(criterion, "add_stake_limit", &state, |hotkey, netuid| Call::AddStakeLimit {
        hotkey,
        netuid,
        amount_staked: Rao(10_000_000),
        limit_price: Rao(1_000_000_000),
        allow_partial: true,
    });
    bench(criterion, "remove_stake", &state, |hotkey, netuid| Call::RemoveStake {
        hotkey,
        netuid,
        amount_unstaked: Alpha(400_000_000),
    });
    // From odd to even subnets: what came in this block may not leave in it.
    bench(criterion, "move_stake across subnets", &state, |hotkey, netuid| Call::MoveStake {
        origin_hotkey: hotkey,
        destination_hotkey: hotkey,
        origin_netuid: NetUid((netuid.0 - 1) / 2 * 2 + 1),
        destination_netuid: NetUid((netuid.0 - 1) / 2 * 2 + 2),
        alpha_amount: Alpha(400_000_000),
    });
    bench(criterion, "add_stake to root", &state, |hotkey, _| Call::AddStake {
        hotkey,
        netuid: NetUid::ROOT,
        amount_staked: Rao(10_000_000),
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = stake
}
criterion_main!(benches);
