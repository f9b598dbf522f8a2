//! Tests of the accounts: each kind of event by hand, then runs in which every book must balance after every block.

use super::epoch::payments;
use super::window::Returns;
use super::*;
use crate::plan::{Plan, Seat};
use crate::progress::{Progress, Showing};
use crate::run::engine::Checking;
use crate::run::family::ChildLogs;
use crate::run::launcher::launch;
use crate::run::order::ChainOrder;
use crate::scenario::{Overrides, load};
use protocol::apply::apply;
use protocol::block::{BlockInput, Decided, Submitted, decide_block};
use protocol::call::{Call, Origin, Setting};
use protocol::dice::{Dice, Domain};
use protocol::frame::{Facts, Header};
use protocol::rejection::Outcome;
use protocol::state::{Account, Coldkey, Hotkey, HotkeyPool, Info, Params, RootClaimType, Subnet};
use protocol::units::{Hash32, PlayerId};
use std::path::{Path, PathBuf};
use storage::log::{Durability, EventLog, SledLog};
use storage::record::Genesis;
use storage::runfolder::RunFolder;

const ALICE: AccountId = AccountId([1; 32]);
const BOB: AccountId = AccountId([2; 32]);
const FIRST: AccountId = AccountId([11; 32]);
const SECOND: AccountId = AccountId([12; 32]);
const SUBNET: NetUid = NetUid(1);
const ONE: u128 = 1 << 64;

/// Root and two subnets of 1,000 TAO and 10,000 alpha; Alice owns two hotkeys and holds 100 alpha behind the first on
/// subnet 1, Bob holds 300 behind it.
fn network() -> State {
    let mut state = State::default();
    state.height = Height(100);
    state.global.total_issuance = Rao::whole(12_000);
    state.global.total_stake = Rao::whole(2_000);
    let root = Subnet { added: true, params: Params::root(), ..Subnet::default() };
    state.subnets.insert(NetUid::ROOT, root);
    for netuid in [1, 2] {
        let params = Params { subtoken_enabled: true, ..Params::default() };
        let info = Info { owner: Some(BOB), registered_at: 1, ..Info::default() };
        let mut subnet = Subnet { added: true, params, info, ..Subnet::default() };
        subnet.fast.pool.tao = Rao::whole(1_000).0;
        subnet.fast.pool.alpha = Alpha::whole(10_000).0;
        subnet.fast.pool.alpha_out = Alpha::whole(400).0;
        state.subnets.insert(NetUid(netuid), subnet);
    }
    let (mine, his) = (Alpha::whole(100).0, Alpha::whole(300).0);
    let shares = |alpha: u64| u128::from(alpha) << 64;
    let holders = [(ALICE, shares(mine)), (BOB, shares(his))].into();
    let alpha = Alpha(mine + his);
    let pool = HotkeyPool { alpha, shares: shares(mine + his), holders, ..HotkeyPool::default() };
    state.subnets.get_mut(&SUBNET).expect("made").pools.insert(FIRST, pool);
    for hotkey in [FIRST, SECOND] {
        state.hotkeys.insert(hotkey, Hotkey { owner: Some(ALICE), ..Hotkey::default() });
    }
    for coldkey in [ALICE, BOB] {
        let owned = if coldkey == ALICE { vec![FIRST, SECOND] } else { Vec::new() };
        let lists = Coldkey { owned, staking: vec![FIRST, SECOND], ..Coldkey::default() };
        state.coldkeys.insert(coldkey, lists);
        state.accounts.insert(coldkey, Account { free: Rao::whole(5_000), nonce: 0 });
    }
    state
}

fn frame(height: u64, decided: Decided) -> Frame {
    let none = Hash32::default();
    let header = Header {
        height: Height(height),
        parent: none,
        time_ms: 0,
        entropy: none,
        state_root: none,
        calls_root: none,
        events_root: none,
        facts_root: none,
    };
    let Decided { calls, refused, events, sealed, .. } = decided;
    Frame { header, calls, refused, events, sealed, facts: Facts::default() }
}

/// A chain without players, with its accounts.
struct World {
    state: State,
    accounts: Accounts,
}

impl World {
    fn new(state: State) -> Self {
        let accounts = Accounts::open(Watch::All, &state).measuring(state.height, &state);
        accounts.check(&state).expect("the opening balances");
        Self { state, accounts }
    }

    /// Decides a block of calls and folds it.
    fn block(&mut self, calls: impl IntoIterator<Item = (Origin, Call)>) -> Frame {
        let height = self.state.height.0 + 1;
        let calls = calls.into_iter().enumerate().map(|(sequence, (origin, call))| {
            let (player, sequence) = (PlayerId(1), sequence as u64);
            Submitted { due_ms: 0, player, sequence, origin, nonce: None, call }
        });
        let mut entropy = Hash32::default();
        entropy.0[..8].copy_from_slice(&height.to_be_bytes());
        let input = BlockInput {
            height: Height(height),
            time_ms: height * 12_000,
            entropy,
            calls: calls.collect(),
            surplus: Vec::new(),
            refused_kept_max: 100,
            beacon_round: None,
        };
        let before = self.state.clone();
        let decided = decide_block(&mut self.state, &input);
        let frame = frame(height, decided);
        self.accounts.block(&frame, &before, &self.state);
        let checked = self.accounts.check(&self.state);
        checked.unwrap_or_else(|what| panic!("block {height}: {what}\n{:#?}", frame.events));
        frame
    }

    /// A block of one signed call that must be done.
    fn call(&mut self, signer: AccountId, call: Call) {
        let frame = self.block([(Origin::Signed(signer), call)]);
        assert_eq!(frame.calls[0].outcome, Outcome::Ok, "{:?}", frame.calls[0]);
    }

    /// A block of facts that no call of the chain need have made.
    fn facts(&mut self, events: Vec<Event>) {
        let height = Height(self.state.height.0 + 1);
        let before = self.state.clone();
        let events = [vec![Event::BlockOpened { height }], events].concat();
        events.iter().for_each(|event| apply(&mut self.state, event).expect("they fit"));
        let decided = Decided { events, ..Decided::default() };
        self.accounts.block(&frame(height.0, decided), &before, &self.state);
        self.accounts.check(&self.state).expect("the books balance");
    }

    fn position(&self, coldkey: AccountId, netuid: NetUid, hotkey: AccountId) -> Position {
        let book = self.accounts.books().get(&coldkey);
        book.and_then(|book| book.positions.get(&(netuid, hotkey))).cloned().unwrap_or_default()
    }
}

#[test]
fn holdings_open_at_spot_value() {
    let world = World::new(network());
    let position = world.position(ALICE, SUBNET, FIRST);
    assert_eq!(position.alpha, Alpha::whole(100));
    // 0.1 TAO each, less what the price's 32 fraction bits lack.
    assert_eq!(position.cost, Rao(9_999_999_986));
    assert_eq!(position.opening, Amount { alpha: position.alpha, rao: position.cost });
}

#[test]
fn trades_pay_average_cost_and_realise_the_difference() {
    let mut world = World::new(network());
    let opening = world.position(ALICE, SUBNET, FIRST);
    let amount_staked = Rao::whole(10);
    world.call(ALICE, Call::AddStake { hotkey: FIRST, netuid: SUBNET, amount_staked });
    let bought = world.position(ALICE, SUBNET, FIRST);
    assert_eq!(bought.bought.rao, amount_staked);
    assert_eq!(bought.cost, opening.cost.plus(amount_staked));
    assert!(bought.bought.alpha > Alpha::whole(98) && bought.bought.alpha < Alpha::whole(100));
    assert!(bought.fee_tao > Rao::ZERO && bought.realised == 0);

    let free = world.state.free(&ALICE);
    let half = Alpha(bought.alpha.0 / 2);
    let sale = Call::RemoveStake { hotkey: FIRST, netuid: SUBNET, amount_unstaked: half };
    world.call(ALICE, sale);
    let sold = world.position(ALICE, SUBNET, FIRST);
    assert_eq!(sold.sold.alpha, half);
    assert_eq!(sold.sold.rao, world.state.free(&ALICE).minus(free));
    let cost = bought.cost.minus(sold.cost);
    assert!(cost.0.abs_diff(bought.cost.0 / 2) <= 1);
    assert_eq!(sold.realised, i128::from(sold.sold.rao.0) - i128::from(cost.0));
    assert!(sold.fee_alpha > Alpha::ZERO);
}

#[test]
fn stake_moved_to_an_own_hotkey_takes_its_cost_along() {
    let mut world = World::new(network());
    let opening = world.position(ALICE, SUBNET, FIRST);
    let order = Call::MoveStake {
        origin_hotkey: FIRST,
        destination_hotkey: SECOND,
        origin_netuid: SUBNET,
        destination_netuid: SUBNET,
        alpha_amount: Alpha::whole(25),
    };
    world.call(ALICE, order);
    let (left, moved) =
        (world.position(ALICE, SUBNET, FIRST), world.position(ALICE, SUBNET, SECOND));
    assert_eq!((left.realised, moved.realised), (0, 0));
    assert_eq!(moved.alpha, Alpha::whole(25));
    assert_eq!(left.cost.plus(moved.cost), opening.cost);
    assert_eq!(moved.cost, Rao(opening.cost.0 / 4));
}

#[test]
fn stake_given_away_leaves_and_arrives_at_its_value() {
    for destination_netuid in [SUBNET, NetUid(2)] {
        let mut world = World::new(network());
        let order = Call::TransferStake {
            destination_coldkey: BOB,
            hotkey: FIRST,
            origin_netuid: SUBNET,
            destination_netuid,
            alpha_amount: Alpha::whole(50),
        };
        world.call(ALICE, order);
        let giver = world.position(ALICE, SUBNET, FIRST);
        let receiver = world.position(BOB, destination_netuid, FIRST);
        assert_eq!(giver.given.alpha, Alpha::whole(50));
        assert_eq!((giver.sold, receiver.bought), (Amount::default(), Amount::default()));
        assert_eq!(receiver.received.rao, giver.given.rao, "{destination_netuid}");
        assert!(receiver.received.rao > Rao(4_900_000_000));
        let within = destination_netuid == SUBNET;
        assert_eq!(giver.fee_alpha == Alpha::ZERO, within);
        assert_eq!(receiver.received.alpha == giver.given.alpha, within);
    }
}

#[test]
fn alpha_given_up_is_a_loss_of_its_cost() {
    for call in [
        Call::RecycleAlpha { hotkey: FIRST, amount: Alpha::whole(40), netuid: SUBNET },
        Call::BurnAlpha { hotkey: FIRST, amount: Alpha::whole(40), netuid: SUBNET },
    ] {
        let mut world = World::new(network());
        let opening = world.position(ALICE, SUBNET, FIRST);
        world.call(ALICE, call);
        let position = world.position(ALICE, SUBNET, FIRST);
        assert_eq!(position.given_up, Alpha::whole(40));
        assert_eq!(position.realised, -i128::from(opening.cost.0 * 2 / 5));
    }
}

#[test]
fn a_dissolved_subnet_ends_positions_for_their_part_of_the_pot() {
    let mut world = World::new(network());
    let free = [ALICE, BOB].map(|coldkey| world.state.free(&coldkey));
    let frame = world.block([(Origin::Root, Call::RootDissolveNetwork { netuid: SUBNET })]);
    assert_eq!(frame.calls[0].outcome, Outcome::Ok);
    for (coldkey, free, part) in [(ALICE, free[0], 250), (BOB, free[1], 750)] {
        let position = world.position(coldkey, SUBNET, FIRST);
        let payout = world.state.free(&coldkey).minus(free);
        assert_eq!(payout, Rao::whole(part));
        assert_eq!(position.dissolved.rao, payout);
        assert_eq!((position.alpha, position.cost), (Alpha::ZERO, Rao::ZERO));
        let opening = position.opening.rao;
        assert_eq!(position.realised, i128::from(payout.0) - i128::from(opening.0));
    }
}

#[test]
fn root_dividends_are_income_when_claimed() {
    let mut world = World::new(network());
    let amount_staked = Rao::whole(1_000);
    world.call(BOB, Call::AddStake { hotkey: FIRST, netuid: NetUid::ROOT, amount_staked });
    assert_eq!(world.position(BOB, NetUid::ROOT, FIRST).cost, amount_staked);
    let owe = |world: &mut World| {
        let rates = world.state.hotkeys.get_mut(&FIRST).expect("made");
        let rate = rates.root_claimable.get_or_insert_default().entry(SUBNET).or_default();
        // 0.02 alpha per TAO.
        *rate += (1 << 32) / 50;
        world.state.forget_cached_hashes();
    };
    owe(&mut world);
    world.call(BOB, Call::ClaimRoot { subnets: [SUBNET].into() });
    let root = world.position(BOB, NetUid::ROOT, FIRST);
    let income = root.income[&Source::RootSwapped];
    assert!(income.rao > Rao(1_900_000_000) && income.rao < Rao::whole(2), "{income:?}");
    assert_eq!(income.alpha.0, income.rao.0);
    assert_eq!(root.cost, amount_staked.plus(income.rao));
    let book = &world.accounts.books()[&BOB];
    assert_eq!(book.root_sold[&SUBNET].rao, income.rao);

    let new_root_claim_type = RootClaimType::Keep;
    world.call(BOB, Call::SetRootClaimType { new_root_claim_type });
    owe(&mut world);
    let before = world.position(BOB, SUBNET, FIRST);
    world.call(BOB, Call::ClaimRoot { subnets: [SUBNET].into() });
    let after = world.position(BOB, SUBNET, FIRST);
    let income = after.income[&Source::RootKept];
    assert_eq!(income.alpha, after.alpha.minus(before.alpha));
    assert_eq!(income.rao, value(income.alpha, price(&world.state, SUBNET)));
}

#[test]
fn fees_are_booked_to_their_payer() {
    let mut world = World::new(network());
    let amount = Rao(1_234_567);
    world.facts(vec![
        Event::BalanceWithdrawn { account: ALICE, amount },
        Event::FeePaid { payer: ALICE, amount },
    ]);
    assert_eq!(world.accounts.books()[&ALICE].fees, amount);
}

/// A payout of 10 owner cut, 20 incentive to Alice, and 100 dividends of which 18 are take.
fn payout() -> (State, EpochRun, EpochPaid) {
    let mut state = network();
    let subnet = state.subnets.get_mut(&SUBNET).expect("made");
    subnet.info.owner_hotkey = Some(FIRST);
    subnet.neurons.hotkeys = vec![FIRST, SECOND];
    subnet.neurons.uids = [(FIRST, 0), (SECOND, 1)].into();
    let run = EpochRun {
        netuid: SUBNET,
        // The owner's own hotkey gets no incentive.
        server_emission: vec![Alpha(7), Alpha(20)],
        ..EpochRun::default()
    };
    let pool = &state.subnets[&SUBNET].pools[&FIRST];
    let by = |alpha: u64| u128::from(alpha) << 64;
    let paid = EpochPaid {
        netuid: SUBNET,
        hotkeys: vec![FIRST, SECOND],
        alpha: vec![Alpha(110), Alpha(20)],
        shares: vec![pool.shares + by(28), by(20)],
        holder_of: vec![0, 0, 1],
        holders: vec![ALICE, BOB, ALICE],
        holder_shares: vec![pool.holders[&ALICE] + by(18), pool.holders[&BOB] + by(10), by(20)],
        dividend_hotkeys: vec![FIRST],
        dividend_alpha: vec![Alpha(82)],
        dividend_root: vec![Alpha(0)],
        alpha_last_epoch: vec![None],
        claim_hotkeys: vec![FIRST],
        claim_rates: vec![0],
        owner_cut: Alpha(10),
        withheld: Alpha(7),
        ..EpochPaid::default()
    };
    (state, run, paid)
}

#[test]
fn an_epoch_pays_directly_and_by_the_rise_of_pools() {
    let (state, run, paid) = payout();
    let direct = payments(&state, Some(&run), &paid);
    let expected = [
        ((FIRST, ALICE), vec![(Source::Take, Alpha(18))]),
        ((FIRST, BOB), vec![(Source::OwnerCut, Alpha(10))]),
        ((SECOND, ALICE), vec![(Source::Incentive, Alpha(20))]),
    ];
    assert_eq!(direct, expected.into());

    let mut world = World::new(state);
    world.facts(vec![Event::EpochRun(Box::new(epoch_run(&run))), Event::EpochPaid(Box::new(paid))]);
    let income = |coldkey, hotkey| {
        let position = world.position(coldkey, SUBNET, hotkey);
        let parts = position.income.iter().map(|(source, amount)| (*source, amount.alpha.0));
        (parts.collect::<Vec<_>>(), position.rounding)
    };
    // 82 over 100 and 300 alpha: 20.5 and 61.5, floored.
    let alice = vec![(Source::Take, 18), (Source::Dividends, 20)];
    assert_eq!(income(ALICE, FIRST), (alice, 0));
    let bob = vec![(Source::OwnerCut, 10), (Source::Dividends, 61)];
    assert_eq!(income(BOB, FIRST), (bob, 0));
    assert_eq!(income(ALICE, SECOND), (vec![(Source::Incentive, 20)], 0));
}

/// The epoch with the columns that the state takes over.
fn epoch_run(run: &EpochRun) -> EpochRun {
    EpochRun {
        active: vec![true; 2],
        emission: vec![Alpha(0); 2],
        consensus: vec![0; 2],
        dividends: vec![0; 2],
        validator_trust: vec![0; 2],
        validator_permit: vec![true; 2],
        stake_weight: vec![0; 2],
        ..run.clone()
    }
}

#[test]
fn a_first_holder_finds_what_an_empty_pool_held() {
    let mut state = network();
    let pool = HotkeyPool { alpha: Alpha(4), ..HotkeyPool::default() };
    state.subnets.get_mut(&SUBNET).expect("made").pools.insert(SECOND, pool);
    let mut world = World::new(state);
    let (hotkey, coldkey, netuid) = (SECOND, BOB, SUBNET);
    world.facts(vec![
        Event::ShareChanged { netuid, hotkey, coldkey, alpha: 4, shares: 4 * ONE, share: 4 * ONE },
        Event::StakeAdded { coldkey, hotkey, netuid, tao: Rao(1), alpha: Alpha(4), fee: Rao(0) },
    ]);
    let position = world.position(BOB, SUBNET, SECOND);
    assert_eq!((position.alpha, position.rounding), (Alpha(8), 4));
}

#[test]
fn a_quote_is_what_the_sale_then_brings() {
    for (alpha, refusal) in [(Alpha::whole(60), None), (Alpha::whole(100), None)] {
        let mut world = World::new(network());
        let held = world.state.stake(&FIRST, &ALICE, SUBNET);
        let quoted = quote(world.state.subnet(SUBNET).expect("made"), held, alpha);
        assert_eq!(quoted.refusal, refusal);
        let free = world.state.free(&ALICE);
        let sale = Call::RemoveStake { hotkey: FIRST, netuid: SUBNET, amount_unstaked: alpha };
        let before = world.state.clone();
        world.call(ALICE, sale);
        // The block step injects a little before the call.
        let moved = before.subnets[&SUBNET].fast.pool != world.state.subnets[&SUBNET].fast.pool;
        assert!(moved);
        assert_eq!(world.state.free(&ALICE).minus(free), quoted.proceeds);
        let slippage = quoted.slippage.expect("there is a spot value");
        assert!(slippage > 0.005 && slippage < 0.02, "{slippage}");
    }
    let state = network();
    let subnet = state.subnet(SUBNET).expect("made");
    let rows = [
        (Alpha(0), Some("AmountTooLow")),
        (Alpha(1_000), Some("AmountTooLow")),
        (Alpha::whole(101), Some("NotEnoughStakeToWithdraw")),
        (Alpha(u64::MAX), Some("NotEnoughStakeToWithdraw")),
        (Alpha::whole(100), None),
    ];
    for (alpha, refusal) in rows {
        assert_eq!(quote(subnet, Alpha::whole(100), alpha).refusal, refusal, "{alpha}");
    }
    let root = state.subnet(NetUid::ROOT).expect("made");
    let quoted = quote(root, Alpha::whole(5), Alpha::whole(5));
    assert_eq!((quoted.proceeds, quoted.slippage), (Rao::whole(5), Some(0.0)));
}

#[test]
fn sizes_are_parts_or_amounts() {
    let rows = [
        ("25%", Some((Size::Part(250_000), 25))),
        ("12.5%", Some((Size::Part(125_000), 12))),
        ("100%", Some((Size::Part(1_000_000), 100))),
        ("7 rao", Some((Size::Alpha(Alpha(7)), 7))),
        ("1.5 alpha", Some((Size::Alpha(Alpha(1_500_000_000)), 1_500_000_000))),
        ("0%", None),
        ("101%", None),
        ("-5%", None),
        ("1 TAO", None),
        ("0 alpha", None),
        ("100", None),
        ("", None),
    ];
    for (text, expected) in rows {
        let size = text.parse::<Size>().ok();
        assert_eq!(size, expected.map(|(size, _)| size), "{text:?}");
        if let Some((size, alpha)) = expected {
            assert_eq!(size.of(Alpha(100)), Alpha(alpha), "{text}");
            assert_eq!(size.to_string().parse(), Ok(size), "{text}");
        }
    }
}

#[test]
fn yields_are_annualised() {
    let rows = [
        // (average, earned, blocks) and (simple, compounded)
        ((1_000, 10, 2_628_000), Some((0.01, 0.01))),
        ((1_000, 10, 1_314_000), Some((0.02, 0.0201))),
        ((1_000_000, 100, 7_200), Some((0.0365, 0.037_172))),
        ((1_000, 0, 7_200), Some((0.0, 0.0))),
        ((0, 10, 7_200), None),
        ((1_000, 10, 0), None),
    ];
    for ((average, earned, blocks), expected) in rows {
        let (average, earned) = (Rao(average), Rao(earned));
        let one = Yield { average, earned, income: Rao::ZERO, blocks };
        let Returns { simple, compounded } = one.returns();
        assert_eq!(simple.is_some() && compounded.is_some(), expected.is_some(), "{one:?}");
        if let (Some(simple), Some(compounded), Some(expected)) = (simple, compounded, expected) {
            assert!((simple - expected.0).abs() < 1e-9, "{one:?}: {simple}");
            assert!((compounded - expected.1).abs() < 1e-6, "{one:?}: {compounded}");
        }
    }
}

fn configs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../configs")
}

fn plan(set: &[(&str, &str)]) -> Plan {
    let set = set.iter().map(|(path, value)| ((*path).to_owned(), (*value).to_owned()));
    let overrides = Overrides { set: set.collect(), ..Overrides::default() };
    let scenario = load(&configs().join("quickstart.toml"), &overrides).expect("it ships");
    scenario.plan().expect("it ships")
}

/// How often a block changed each pool: share changes, and in epochs the payments and the rise.
fn changes(before: &State, frame: &Frame) -> BTreeMap<Place, i128> {
    let mut changes: BTreeMap<Place, i128> = BTreeMap::new();
    let mut run = None;
    for event in &frame.events {
        match event {
            Event::ShareChanged { netuid, hotkey, .. } => {
                *changes.entry((*netuid, *hotkey)).or_default() += 1;
            }
            Event::EpochRun(columns) => run = Some(&**columns),
            Event::EpochPaid(paid) => {
                let place = |hotkey: &AccountId| (paid.netuid, *hotkey);
                let rises = paid.hotkeys.iter().map(place).map(|place| (place, 1));
                let payments = payments(before, run, paid);
                let payments = payments.iter().map(|((h, _), parts)| (place(h), parts.len()));
                for (place, count) in rises.chain(payments) {
                    *changes.entry(place).or_default() += i128::try_from(count).expect("small");
                }
            }
            _ => {}
        }
    }
    changes
}

/// Sums over all holders of what they earned on a subnet so far, by source.
fn earned(accounts: &Accounts, netuid: NetUid) -> BTreeMap<Source, i128> {
    let mut sums = BTreeMap::new();
    for book in accounts.books().values() {
        for (_, position) in book.positions.iter().filter(|((of, _), _)| *of == netuid) {
            for (source, amount) in &position.income {
                *sums.entry(*source).or_default() += i128::from(amount.alpha.0);
            }
        }
    }
    sums
}

/// What must hold of a block: the books balance, rounding is bounded, and what the holders of each subnet earned is
/// what its epoch paid. Returns how many epochs were checked.
fn check_block(before: (&Accounts, &State), after: (&Accounts, &State), frame: &Frame) -> u32 {
    let height = frame.header.height;
    after.0.check(after.1).unwrap_or_else(|what| panic!("block {height}: {what}"));
    let changes = changes(before.1, frame);
    for (coldkey, book) in after.0.books() {
        for (place, position) in &book.positions {
            let was = before.0.books().get(coldkey).and_then(|book| book.positions.get(place));
            let moved = position.rounding - was.map_or(0, |position| position.rounding);
            let bound = changes.get(place).copied().unwrap_or(0);
            assert!(moved.abs() <= bound, "block {height}: {coldkey} on {place:?}: {moved} units");
        }
    }
    let mut run = None;
    let mut epochs = 0;
    for event in &frame.events {
        match event {
            Event::EpochRun(columns) => run = Some(columns),
            Event::EpochPaid(paid) => {
                check_epoch(before, after, frame, run.expect("an epoch runs first"), paid);
                epochs += 1;
            }
            _ => {}
        }
    }
    epochs
}

fn check_epoch(
    before: (&Accounts, &State),
    after: (&Accounts, &State),
    frame: &Frame,
    run: &EpochRun,
    paid: &EpochPaid,
) {
    let netuid = paid.netuid;
    let place = format!("block {}, subnet {netuid}", frame.header.height);
    let (was, is) = (earned(before.0, netuid), earned(after.0, netuid));
    let of = |sums: &BTreeMap<Source, i128>, source| sums.get(&source).copied().unwrap_or(0);
    let earned = |source| of(&is, source) - of(&was, source);
    let wide = |alpha: &[Alpha]| alpha.iter().map(|alpha| i128::from(alpha.0)).sum::<i128>();

    // What is paid directly is exact.
    assert_eq!(earned(Source::OwnerCut), wide(&[paid.owner_cut]), "{place}");
    let direct = payments(before.1, Some(run), paid);
    let direct = direct.values().flatten();
    let kept: i128 = direct
        .filter(|(source, _)| *source == Source::RootKept)
        .map(|(_, alpha)| i128::from(alpha.0))
        .sum();
    let subnet = before.1.subnet(netuid).expect("it had an epoch");
    let owner = subnet.info.owner.and_then(|owner| before.1.coldkeys.get(&owner));
    let withheld = |hotkey: &AccountId| {
        subnet.info.owner_hotkey == Some(*hotkey) || owner.is_some_and(|o| o.owned.contains(hotkey))
    };
    let miners = subnet.neurons.hotkeys.iter().zip(&run.server_emission);
    let incentives: Vec<Alpha> = miners.filter(|(h, _)| !withheld(h)).map(|(_, a)| *a).collect();
    assert_eq!(earned(Source::Incentive), wide(&incentives), "{place}");

    // Takes are by each delegate's rate, up to the floors of both parts.
    let mut expected = 0.0;
    for (index, hotkey) in paid.dividend_hotkeys.iter().enumerate() {
        let take = before.1.hotkeys.get(hotkey).and_then(|entry| entry.take).unwrap_or(11_796);
        let rate = f64::from(take) / 65_535.0;
        let rest = paid.dividend_alpha[index].0 + paid.dividend_root[index].0;
        expected += rest as f64 * rate / (1.0 - rate);
    }
    let hotkeys = paid.dividend_hotkeys.len() as f64;
    let difference = (earned(Source::Take) as f64 - expected).abs();
    assert!(difference <= 3.0 * hotkeys + 1.0, "{place}: takes differ by {difference}");

    // Dividends are the rise of the pools, less the floors of each holder's value.
    let pools = &before.1.subnets[&netuid].pools;
    let holders = |hotkey: &AccountId| pools.get(hotkey).map_or(0, |pool| pool.holders.len());
    let holders: usize = paid.hotkeys.iter().map(holders).sum::<usize>() + paid.holders.len();
    let lost = wide(&paid.dividend_alpha) - earned(Source::Dividends);
    let bound = i128::try_from(holders).expect("small");
    assert!(lost.abs() <= bound, "{place}: {lost} of the dividends, {holders} holders");

    // And all of it together is what the pools gained.
    let sources = [Source::OwnerCut, Source::Incentive, Source::Take, Source::Dividends];
    let all: i128 = sources.into_iter().map(earned).sum::<i128>() + kept;
    let gained = wide(&paid.alpha);
    assert!((gained - all).abs() <= bound, "{place}: {all} of {gained}, {holders} holders");
}

/// Makes a run with its players in this process, and gives its log.
fn simulated(folder: &Path, plan: &Plan, blocks: u64) -> SledLog {
    let run = RunFolder::create_at(&folder.join("run")).expect("it is new");
    let header = plan.genesis_header();
    let genesis = Genesis { build: String::new(), header, plan: plan.clone() };
    let log = SledLog::create(&run.log_dir(), &genesis, Durability::End);
    drop(log.expect("it can be written"));
    let until = Height(plan.genesis.height.0 + blocks);
    let inside = ChainOrder::inside(run.path.clone(), until);
    let order = ChainOrder { checking: Checking::Invariants, ..inside };
    let progress = Progress::new(order.until.0, Showing::Nothing);
    launch(order, &ChildLogs { format: "text" }, &progress, |_| {}).expect("it runs");
    SledLog::open(&run.log_dir()).expect("it is there")
}

#[test]
fn holders_of_a_run_earn_what_its_epochs_paid() {
    let folder = tempfile::tempdir().expect("a folder");
    let plan = plan(&[]);
    let log = simulated(folder.path(), &plan, 90);
    let genesis = plan.genesis.height;
    let (mut before, mut after) = (plan.genesis.clone(), plan.genesis.clone());
    let from = Height(genesis.0 + 30);
    let mut all = Accounts::open(Watch::All, &before).measuring(from, &before);
    let someone = plan.players.iter().map(|seat| seat.identity.coldkey);
    let mut ones: Vec<(AccountId, Accounts)> = someone
        .map(|one| (one, Accounts::open(Watch::One(one), &before).measuring(from, &before)))
        .collect();
    let mut epochs = 0;
    for frame in log.frames(Height(genesis.0 + 1), log.tip()) {
        let frame = frame.expect("it is sound");
        frame.events.iter().for_each(|event| apply(&mut after, event).expect("it fits"));
        let then = all.clone();
        all.block(&frame, &before, &after);
        ones.iter_mut().for_each(|(_, one)| one.block(&frame, &before, &after));
        epochs += check_block((&then, &before), (&all, &after), &frame);
        frame.events.iter().for_each(|event| apply(&mut before, event).expect("it fits"));
    }
    assert!(epochs >= 12, "{epochs} epochs");
    // One coldkey's book is the same whether or not others are kept.
    for (coldkey, one) in &ones {
        assert_eq!(one.books().get(coldkey), all.books().get(coldkey), "{coldkey}");
        for netuid in after.networks().map(|(netuid, _)| netuid) {
            let of = |accounts: &Accounts| {
                let window = accounts.window().expect("it was asked for");
                window.earned(accounts.books(), &after, *coldkey, netuid)
            };
            assert_eq!(of(one), of(&all), "{coldkey} on {netuid}");
        }
    }
    for source in [Source::OwnerCut, Source::Incentive, Source::Take, Source::Dividends] {
        let sum: i128 = [1, 2, 3].iter().map(|n| earned(&all, NetUid(*n))[&source]).sum();
        assert!(sum > 0, "{}", source.name());
    }
}

/// Players of the quickstart as a pool of keys for random orders.
struct Crowd {
    people: Vec<(AccountId, AccountId)>,
}

impl Crowd {
    fn order(&self, dice: &mut Dice) -> (Origin, Call) {
        let someone = |dice: &mut Dice| {
            let index = dice.below(self.people.len() as u64);
            self.people[usize::try_from(index).expect("small")]
        };
        let subnet = |dice: &mut Dice| NetUid(u16::try_from(dice.below(5)).expect("small"));
        let (coldkey, own) = someone(dice);
        let hotkey = if dice.below(3) == 0 { own } else { someone(dice).1 };
        let netuid = subnet(dice);
        let tao = Rao(1 << (20 + dice.below(16)));
        let alpha = Alpha(1 << (20 + dice.below(24)));
        let limit_price = Rao(50_000_000 + dice.below(100_000_000));
        let allow_partial = dice.below(2) == 0;
        let origin = Origin::Signed(coldkey);
        let call = match dice.below(26) {
            0..=4 => Call::AddStake { hotkey, netuid, amount_staked: tao },
            5 => Call::AddStake { hotkey, netuid: NetUid::ROOT, amount_staked: tao },
            6 => Call::AddStakeLimit {
                hotkey,
                netuid,
                amount_staked: tao,
                limit_price,
                allow_partial,
            },
            7 | 8 => Call::RemoveStake { hotkey, netuid, amount_unstaked: alpha },
            9 => {
                let amount_unstaked = alpha;
                Call::RemoveStakeLimit {
                    hotkey,
                    netuid,
                    amount_unstaked,
                    limit_price,
                    allow_partial,
                }
            }
            10 => Call::RemoveStakeFullLimit { hotkey, netuid, limit_price: None },
            11 => Call::UnstakeAll { hotkey },
            12 => Call::UnstakeAllAlpha { hotkey },
            13..=15 => Call::MoveStake {
                origin_hotkey: hotkey,
                destination_hotkey: someone(dice).1,
                origin_netuid: netuid,
                destination_netuid: if dice.below(2) == 0 { netuid } else { subnet(dice) },
                alpha_amount: alpha,
            },
            16 => Call::SwapStake {
                hotkey,
                origin_netuid: netuid,
                destination_netuid: subnet(dice),
                alpha_amount: alpha,
            },
            17 | 18 => Call::TransferStake {
                destination_coldkey: someone(dice).0,
                hotkey,
                origin_netuid: netuid,
                destination_netuid: if dice.below(2) == 0 { netuid } else { subnet(dice) },
                alpha_amount: alpha,
            },
            19 => Call::RecycleAlpha { hotkey, amount: alpha, netuid },
            20 => Call::BurnAlpha { hotkey, amount: alpha, netuid },
            21 => Call::AddStakeBurn { hotkey, netuid, amount: tao, limit: None },
            22 => Call::SetColdkeyAutoStakeHotkey { netuid, hotkey },
            23 => Call::ClaimRoot { subnets: [netuid, NetUid(1)].into() },
            24 => {
                let kinds = [RootClaimType::Swap, RootClaimType::Keep];
                let kind = usize::try_from(dice.below(2)).expect("small");
                Call::SetRootClaimType { new_root_claim_type: kinds[kind].clone() }
            }
            _ => Call::SetChildren { hotkey: own, netuid, children: vec![(u64::MAX / 3, hotkey)] },
        };
        (origin, call)
    }
}

/// Every validator sets weights on the miners of its subnet; half of the miners have their incentives staked behind
/// somebody else's hotkey.
fn opening_calls(seats: &[Seat], state: &State) -> Vec<(Origin, Call)> {
    let group = |name: &'static str| {
        let identities = seats.iter().map(|seat| &seat.identity);
        identities.filter(move |one| one.group == name).filter_map(|one| Some((one, one.netuid?)))
    };
    let miners: Vec<_> = group("miners").collect();
    let weights = group("validators").map(|(validator, netuid)| {
        let subnet = state.subnet(netuid).expect("it was made");
        let own = miners.iter().filter(|(_, of)| *of == netuid);
        let dests: Vec<u16> = own.filter_map(|(one, _)| subnet.neurons.uid(&one.hotkey)).collect();
        let weights = (1..).take(dests.len()).collect();
        let call = Call::SetWeights { netuid, dests, weights, version_key: 0 };
        (Origin::Signed(validator.hotkey), call)
    });
    let pairs = miners.iter().zip(miners.iter().skip(1)).step_by(2);
    let redirected = pairs.filter(|(miner, other)| miner.1 == other.1).map(|(miner, other)| {
        let call = Call::SetColdkeyAutoStakeHotkey { netuid: miner.1, hotkey: other.0.hotkey };
        (Origin::Signed(miner.0.coldkey), call)
    });
    weights.chain(redirected).collect()
}

/// What became of the calls, and on how many subnets there was income of each source.
fn random_run(seed: u64, outcomes: &mut BTreeMap<&'static str, u32>) -> u32 {
    let plan = plan(&[]);
    let mut state = plan.genesis;
    state.global.root_claims_per_block = 2;
    state.global.pending_childkey_cooldown = 3;
    state.global.subnet_limit = 3;
    state.global.network_immunity_period = 0;
    state.global.nominator_min_required_stake = 900_000;
    for subnet in state.subnets.values_mut() {
        // Prices that add up to more than one, so that root may sell.
        subnet.fast.moving_price = 1 << 32;
        subnet.params.root_claimable_threshold = 1 << 32;
    }
    state.forget_cached_hashes();
    let opening = opening_calls(&plan.players, &state);
    let people = plan.players.iter().map(|seat| (seat.identity.coldkey, seat.identity.hotkey));
    let crowd = Crowd { people: people.collect() };
    for (coldkey, _) in &crowd.people {
        state.accounts.entry(*coldkey).or_default().free = Rao::whole(2_000);
    }
    state.forget_cached_hashes();
    let mut world = World::new(state);
    let mut epochs = 0;
    for block in 0..120 {
        let mut dice = Dice::new(seed, Domain::Player, 0, block, 0);
        let mut calls: Vec<_> = (0..dice.below(12)).map(|_| crowd.order(&mut dice)).collect();
        if block == 1 {
            calls.extend(opening.iter().cloned());
        }
        if block == 70 {
            let hotkey = AccountId([99; 32]);
            calls.push((Origin::Signed(crowd.people[0].0), Call::RegisterNetwork { hotkey }));
        }
        if block == 95 {
            calls.push((Origin::Root, Call::RootDissolveNetwork { netuid: NetUid(2) }));
        }
        if block == 50 {
            let setting = Setting::NominatorMinRequiredStake { value: 50_000_000 };
            calls.push((Origin::Root, Call::SudoSet(setting)));
        }
        let (then, before) = (world.accounts.clone(), world.state.clone());
        let frame = world.block(calls);
        for record in &frame.calls {
            let name = match record.outcome {
                Outcome::Ok => record.call.name(),
                other => other.reason(),
            };
            *outcomes.entry(name).or_default() += 1;
        }
        epochs += check_block((&then, &before), (&world.accounts, &world.state), &frame);
    }
    for netuid in 0..4 {
        for (source, alpha) in earned(&world.accounts, NetUid(netuid)) {
            *outcomes.entry(source.name()).or_default() += u32::from(alpha > 0);
        }
    }
    epochs
}

#[test]
fn books_balance_under_random_orders_of_every_kind() {
    let mut outcomes = BTreeMap::new();
    if let Some(seed) = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()) {
        random_run(seed, &mut outcomes);
        return;
    }
    let epochs: u32 = (1..=4).map(|seed| random_run(seed, &mut outcomes)).sum();
    assert!(epochs >= 40, "{epochs} epochs");
    let sources = Source::ALL.map(Source::name);
    let calls = [
        "add_stake",
        "add_stake_limit",
        "remove_stake",
        "unstake_all",
        "unstake_all_alpha",
        "move_stake",
        "swap_stake",
        "transfer_stake",
        "recycle_alpha",
        "burn_alpha",
        "claim_root",
        "set_root_claim_type",
        "set_children",
        "set_coldkey_auto_stake_hotkey",
        "set_weights",
        "root_dissolve_network",
    ];
    for name in calls.iter().chain(&sources) {
        assert!(outcomes.get(name) > Some(&0), "{name} never came: {outcomes:?}");
    }
}

#[test]
fn a_swapped_hotkey_takes_cost_along() {
    let mut world = World::new(network());
    let opening = world.position(ALICE, SUBNET, FIRST);
    let his = world.position(BOB, SUBNET, FIRST);
    let new = AccountId([33; 32]);
    world.call(ALICE, Call::SwapHotkey { hotkey: FIRST, new_hotkey: new, netuid: None });
    let (left, came) = (world.position(ALICE, SUBNET, FIRST), world.position(ALICE, SUBNET, new));
    assert_eq!((left.alpha, left.cost, left.realised), (Alpha::ZERO, Rao::ZERO, 0));
    assert_eq!((came.alpha, came.cost, came.realised), (opening.alpha, opening.cost, 0));
    assert_eq!(world.position(BOB, SUBNET, new).cost, his.cost);
}

#[test]
fn a_swapped_coldkey_gives_its_positions_at_their_value() {
    let mut world = World::new(network());
    // A price that has moved, so that cost and value differ.
    let amount_staked = Rao::whole(500);
    world.call(BOB, Call::AddStake { hotkey: FIRST, netuid: SUBNET, amount_staked });
    let opening = world.position(ALICE, SUBNET, FIRST);
    let new_coldkey = AccountId([44; 32]);
    let call = Call::SwapColdkey { old_coldkey: ALICE, new_coldkey, swap_cost: Rao::ZERO };
    let frame = world.block([(Origin::Root, call)]);
    assert_eq!(frame.calls[0].outcome, Outcome::Ok);
    let old = world.position(ALICE, SUBNET, FIRST);
    let new = world.position(new_coldkey, SUBNET, FIRST);
    assert_eq!((old.alpha, new.alpha), (Alpha::ZERO, opening.alpha));
    assert_eq!((new.cost, new.received.rao), (old.given.rao, old.given.rao));
    assert!(old.given.rao > opening.cost, "the price had risen");
}
