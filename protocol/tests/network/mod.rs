//! A small network for tests of the rules, and what every such test asks of a call. What belongs
//! here: set-up and helpers that more than one test file needs. What does not: expectations.
#![allow(dead_code, reason = "each test file uses its own part of the set-up")]

pub mod random;

use protocol::block::{BlockInput, Decided, Submitted, decide_block};
use protocol::call::{Call, Origin, Signed};
use protocol::decide;
use protocol::event::Event;
use protocol::fees::fee;
use protocol::ledger::{Position, increase_stake};
use protocol::rejection::Outcome;
use protocol::rules::{FeeSchedule, Mode};
use protocol::state::{Account, Coldkey, Hotkey, Info, Params, State, Subnet};
use protocol::tx::Tx;
use protocol::units::{AccountId, Alpha, BLOCK_MS, Hash32, Height, NetUid, PlayerId, Rao};

/// Owns the subnets.
pub const OWNER: AccountId = AccountId([1; 32]);
/// Stakes; owns [`HOTKEY`].
pub const STAKER: AccountId = AccountId([2; 32]);
/// Owns [`OTHER_HOTKEY`].
pub const OTHER: AccountId = AccountId([3; 32]);
/// Gets fees.
pub const AUTHOR: AccountId = AccountId([9; 32]);
pub const OWNER_HOTKEY: AccountId = AccountId([11; 32]);
pub const HOTKEY: AccountId = AccountId([12; 32]);
pub const OTHER_HOTKEY: AccountId = AccountId([13; 32]);
/// Nobody's.
pub const STRAY_HOTKEY: AccountId = AccountId([14; 32]);

pub const ROOT: NetUid = NetUid::ROOT;
pub const ONE: NetUid = NetUid(1);
pub const TWO: NetUid = NetUid(2);
/// Never registered.
pub const NOWHERE: NetUid = NetUid(9);

pub const TAO: u64 = 1_000_000_000;

/// Root and two started subnets of [`OWNER`]: ONE has 1000 TAO and 4000 alpha (price ¼), TWO has 1000
/// of each. Three coldkeys have 10,000 TAO and a hotkey each. Height 1000, no block author.
pub fn network() -> State {
    let mut state = State::default();
    state.height = Height(1_000);
    let root = Subnet { added: true, params: Params::root(), ..Subnet::default() };
    state.subnets.insert(ROOT, root);
    for (netuid, alpha) in [(ONE, 4_000), (TWO, 1_000)] {
        state.subnets.insert(netuid, subnet(1_000 * TAO, alpha * TAO));
    }
    let pairs = [(OWNER, OWNER_HOTKEY), (STAKER, HOTKEY), (OTHER, OTHER_HOTKEY)];
    for (coldkey, hotkey) in pairs {
        own(&mut state, coldkey, hotkey);
        state.accounts.insert(coldkey, Account { free: Rao::whole(10_000), nonce: 0 });
    }
    balance_books(&mut state);
    state
}

/// A started subnet of [`OWNER`] with a pool that was never traded on and no neurons.
pub fn subnet(tao: u64, alpha: u64) -> Subnet {
    let mut subnet = Subnet {
        added: true,
        params: Params { subtoken_enabled: true, ..Params::default() },
        info: Info {
            owner: Some(OWNER),
            owner_hotkey: Some(OWNER_HOTKEY),
            registered_at: 1,
            first_emission: Some(2),
            ..Info::default()
        },
        ..Subnet::default()
    };
    (subnet.fast.pool.tao, subnet.fast.pool.alpha) = (tao, alpha);
    subnet
}

pub fn own(state: &mut State, coldkey: AccountId, hotkey: AccountId) {
    state.hotkeys.insert(hotkey, Hotkey { owner: Some(coldkey), ..Hotkey::default() });
    let lists: &mut Coldkey = state.coldkeys.entry(coldkey).or_default();
    lists.owned.push(hotkey);
    lists.staking.push(hotkey);
}

/// Makes the counters what balances and pools say: after writes by hand.
pub fn balance_books(state: &mut State) {
    let free: u64 = state.accounts.values().map(|account| account.free.0).sum();
    let pools: u64 = state.networks().map(|(_, subnet)| subnet.fast.pool.tao).sum();
    state.global.total_issuance = Rao(free + pools);
    state.global.total_stake = Rao(pools);
}

/// Puts stake behind a hotkey by hand; on root the TAO behind it too.
pub fn put_stake(state: &mut State, position: Position, alpha: u64) {
    let mut tx = Tx::new(state);
    increase_stake(&mut tx, position, Alpha(alpha));
    let fast = &mut at(state, position.netuid).fast;
    fast.pool.alpha_out += alpha;
    if position.netuid.is_root() {
        fast.pool.tao += alpha;
        state.global.total_issuance.0 += alpha;
        state.global.total_stake.0 += alpha;
    }
}

pub fn place(hotkey: AccountId, coldkey: AccountId, netuid: NetUid) -> Position {
    Position { hotkey, coldkey, netuid }
}

pub fn at(state: &mut State, netuid: NetUid) -> &mut Subnet {
    state.subnets.get_mut(&netuid).expect("a subnet of the set-up")
}

/// Carries out one call on a state, between blocks.
pub fn execute(state: &mut State, origin: Origin, call: &Call) -> (Outcome, Vec<Event>) {
    let mut tx = Tx::new(state);
    let outcome = execute_in(&mut tx, origin, call);
    (outcome, tx.finish().0)
}

pub fn execute_in(tx: &mut Tx<'_>, origin: Origin, call: &Call) -> Outcome {
    let nonce = match origin {
        Origin::Signed(signer) => tx.state().nonce(&signer),
        Origin::Root => 0,
    };
    decide::execute(tx, &Signed { origin, nonce, call })
}

/// Carries out one call; if watched, a call that is not done must leave no trace.
pub fn execute_watched(tx: &mut Tx<'_>, origin: Origin, call: &Call, watched: bool) -> Outcome {
    let before = watched.then(|| tx.state().clone());
    let outcome = execute_in(tx, origin, call);
    if let Some(before) = before
        && outcome != Outcome::Ok
    {
        let mut left = untouched(before, origin, call, outcome);
        let root = tx.state().root_from_scratch();
        assert_eq!(root, left.root(), "{call:?} was {outcome:?} and left a trace");
    }
    outcome
}

/// What a call that is not done leaves of a state: nonce and fee if it was included, else nothing.
pub fn untouched(mut state: State, origin: Origin, call: &Call, outcome: Outcome) -> State {
    state.forget_cached_hashes();
    let Origin::Signed(signer) = origin else { return state };
    if matches!(outcome, Outcome::Refused(_)) {
        return state;
    }
    let amount = match state.rules.fees {
        FeeSchedule::None => None,
        FeeSchedule::Reference => fee(call),
    };
    let amount = amount.unwrap_or(Rao::ZERO);
    let account = state.accounts.entry(signer).or_default();
    account.nonce += 1;
    account.free = account.free.minus(amount);
    match (state.global.block_author, state.rules.mode) {
        _ if amount == Rao::ZERO => {}
        (Some(author), _) => {
            let author = state.accounts.entry(author).or_default();
            author.free = author.free.plus(amount);
        }
        (None, Mode::Reference) => state.leaks.fees += i64::try_from(amount.0).expect("small"),
        (None, Mode::Sound) => {
            state.global.total_issuance = state.global.total_issuance.minus(amount);
        }
    }
    state
}

/// Issuance that neither balances, pools nor ledgers explain.
pub fn unexplained(state: &State) -> i128 {
    let free: i128 = state.accounts.values().map(|account| i128::from(account.free.0)).sum();
    let pools: i128 = state.networks().map(|(_, subnet)| i128::from(subnet.fast.pool.tao)).sum();
    i128::from(state.global.total_issuance.0) - free - pools - state.leaks.issuance()
}

/// Decides the next block with these calls.
pub fn block(state: &mut State, calls: &[(Origin, Call)], entropy: Hash32) -> Decided {
    let submitted = |(sequence, (origin, call)): (u64, &(Origin, Call))| Submitted {
        due_ms: 0,
        player: PlayerId(1),
        sequence,
        origin: *origin,
        nonce: None,
        call: call.clone(),
    };
    let height = Height(state.height.0 + 1);
    let input = BlockInput {
        height,
        time_ms: height.0 * 12_000,
        entropy,
        calls: (0..).zip(calls).map(submitted).collect(),
        surplus: Vec::new(),
        refused_kept_max: 100,
        beacon_round: state.global.beacon.round_at(BLOCK_MS * (height.0 - 1)),
    };
    decide_block(state, &input)
}
