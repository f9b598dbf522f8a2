//! Swaps of hotkeys and coldkeys, and what an announced swap keeps a coldkey from (30 §14.1, §15).

use crate::network::{
    HOTKEY, NOWHERE, ONE, OTHER, OTHER_HOTKEY, OWNER, OWNER_HOTKEY, ROOT, STAKER, STRAY_HOTKEY,
    TAO, TWO, at, place, put_stake,
};
use crate::weights::register;
use crate::{Case, has};
use protocol::call::{Call, Origin};
use protocol::key_swaps::coldkey_hash;
use protocol::rejection::Rejection;
use protocol::state::{Axon, Commit, PendingChildren, State};
use protocol::tx::Tx;
use protocol::units::{AccountId, Alpha, Hash32, Height, NetUid, Rao};

const NOBODY: AccountId = AccountId([99; 32]);

fn swap(hotkey: AccountId, new_hotkey: AccountId, netuid: Option<NetUid>) -> Call {
    Call::SwapHotkey { hotkey, new_hotkey, netuid }
}

fn free(case: &mut Case, coldkey: AccountId, free: u64) {
    case.state.accounts.entry(coldkey).or_default().free = Rao(free);
}

/// Stake of three on three subnets, relations, commits: something of everything that follows a hotkey.
fn furnish(case: &mut Case) {
    register(case, ONE, &[OWNER_HOTKEY, HOTKEY]);
    for (coldkey, netuid, alpha) in [(STAKER, ONE, 700), (OTHER, ONE, 300), (OTHER, ROOT, 50)] {
        put_stake(&mut case.state, place(HOTKEY, coldkey, netuid), alpha);
    }
    put_stake(&mut case.state, place(OTHER_HOTKEY, OTHER, ONE), 10);
    case.state.root_claimed.insert((HOTKEY, OTHER), [(ONE, 5)].into());
    let subnet = at(&mut case.state, ONE);
    subnet.info.owner_hotkey = Some(HOTKEY);
    subnet.axons.insert(HOTKEY, Axon { port: 9, ..Axon::default() });
    subnet.commits.insert((0, HOTKEY), vec![Commit { block: 3, ..Commit::default() }]);
    subnet.last_dividends.insert(HOTKEY, (Some(Alpha(8)), Some(Alpha(9))));
    subnet.links.entry(HOTKEY).or_default().children = vec![(4, OTHER_HOTKEY)];
    subnet.links.entry(OTHER_HOTKEY).or_default().parents = vec![(4, HOTKEY)];
    let children = vec![(1, HOTKEY), (2, OTHER_HOTKEY)];
    let pending = PendingChildren { children, apply_block: 2_000 };
    subnet.pending_children.insert(OWNER_HOTKEY, pending);
    let entry = case.state.hotkeys.get_mut(&HOTKEY).expect("owned");
    (entry.take, entry.take_changed_at) = (Some(7), 11);
    entry.root_claimable = Some([(ONE, 1 << 32), (TWO, 2 << 32)].into());
    let lists = case.state.coldkeys.entry(OTHER).or_default();
    lists.auto_stake.insert(ONE, HOTKEY);
}

/// What everybody has: free TAO, and the value of all positions.
fn wealth(state: &State) -> (u64, u64) {
    let free = state.accounts.values().map(|account| account.free.0).sum();
    let pools = state.networks().flat_map(|(_, subnet)| subnet.pools.values());
    let held = |pool: &protocol::state::HotkeyPool| {
        pool.holders.keys().map(|coldkey| pool.value(coldkey).0).sum::<u64>()
    };
    (free, pools.map(held).sum())
}

fn rows_of_both(case: &mut Case, netuid: Option<NetUid>) {
    case.no("another's hotkey", Rejection::NonAssociatedColdKey, |_| {});
    case.no("for itself", Rejection::NewHotKeyIsSameWithOld, |case| {
        case.call = swap(HOTKEY, HOTKEY, netuid);
    });
    case.no("too soon", Rejection::HotKeySetTxRateLimitExceeded, |case| {
        case.call = swap(HOTKEY, OTHER_HOTKEY, netuid);
        case.state.coldkeys.entry(STAKER).or_default().last_tx_block = case.state.height.0 - 1_000;
    });
    case.no("a new one with a uid", Rejection::HotKeyAlreadyRegisteredInSubNet, |case| {
        case.state.coldkeys.entry(STAKER).or_default().last_tx_block -= 1;
        register(case, TWO, &[OTHER_HOTKEY]);
    });
}

#[test]
fn swap_hotkey_everywhere() {
    let mut case = Case::new(swap(OTHER_HOTKEY, HOTKEY, None));
    case.state.height = Height(2_000);
    rows_of_both(&mut case, None);
    case.no("too poor", Rejection::NotEnoughBalanceToPaySwapHotKey, |case| {
        case.call = swap(HOTKEY, STRAY_HOTKEY, None);
        free(case, STAKER, 99_999_999);
    });
    case.no("its own child", Rejection::InvalidChild, |case| {
        free(case, STAKER, 100_000_000);
        furnish(case);
        let subnet = at(&mut case.state, ONE);
        subnet.links.entry(HOTKEY).or_default().children = vec![(4, STRAY_HOTKEY)];
        subnet.links.entry(STRAY_HOTKEY).or_default().parents = vec![(4, HOTKEY)];
        subnet.links.remove(&OTHER_HOTKEY);
    });
    let links = &mut at(&mut case.state, ONE).links;
    links.clear();
    furnish_again(&mut case);
    let before = wealth(&case.state);
    let (state, events) = case.yes("done", |_| {});
    // Within the deposit of the price, a payer pays less.
    let paid = 100_000_000 - 500;
    assert_eq!(wealth(&state), (before.0 - paid, before.1));
    assert_eq!(case.state.global.total_issuance.0 - state.global.total_issuance.0, paid);
    assert_eq!((state.owner(&HOTKEY), state.owner(&STRAY_HOTKEY)), (None, Some(STAKER)));
    let entry = &state.hotkeys[&STRAY_HOTKEY];
    assert_eq!((entry.take, entry.take_changed_at), (Some(7), 11));
    assert_eq!(entry.root_claimable, Some([(ONE, 1 << 32), (TWO, 2 << 32)].into()));
    assert_eq!(entry.not_member, [ROOT, TWO].into(), "known as no member where it is none");
    assert!(!state.hotkeys.contains_key(&HOTKEY), "nothing is left to say of it");
    let keys = &state.coldkeys[&STAKER];
    assert_eq!((&keys.owned, keys.last_tx_block), (&vec![STRAY_HOTKEY], 2_000));
    assert_eq!(state.coldkeys[&OTHER].staking, [OTHER_HOTKEY, STRAY_HOTKEY]);
    everything_moved(&state);
    assert!(has(&events, "hotkey_moved") && has(&events, "staking_hotkey_replaced"));
    assert_eq!(state.stake(&STRAY_HOTKEY, &OTHER, ROOT), Alpha(50));
    case.yes("one that is another's is taken over", |case| {
        case.call = swap(HOTKEY, OTHER_HOTKEY, None);
        at(&mut case.state, TWO).neurons = protocol::state::Neurons::default();
        at(&mut case.state, ONE).links.clear();
        free(case, STAKER, TAO);
    });
}

fn furnish_again(case: &mut Case) {
    let subnet = at(&mut case.state, ONE);
    subnet.links.entry(HOTKEY).or_default().children = vec![(4, OTHER_HOTKEY)];
    subnet.links.entry(OTHER_HOTKEY).or_default().parents = vec![(4, HOTKEY)];
}

/// On ONE everything that was HOTKEY's is STRAY_HOTKEY's.
fn everything_moved(state: &State) {
    let subnet = state.subnet(ONE).expect("it is there");
    assert_eq!([subnet.neurons.uid(&STRAY_HOTKEY), subnet.neurons.uid(&HOTKEY)], [Some(1), None]);
    assert_eq!(subnet.info.owner_hotkey, Some(STRAY_HOTKEY));
    assert_eq!(subnet.axons.keys().collect::<Vec<_>>(), [&STRAY_HOTKEY]);
    assert_eq!(subnet.commits.keys().collect::<Vec<_>>(), [&(0, STRAY_HOTKEY)]);
    assert!(!subnet.pools.contains_key(&HOTKEY));
    assert_eq!(state.stake(&STRAY_HOTKEY, &STAKER, ONE), Alpha(700));
    assert_eq!(state.stake(&STRAY_HOTKEY, &OTHER, ONE), Alpha(300));
    let claimed = [STAKER, OTHER].map(|coldkey| state.claimed(&STRAY_HOTKEY, &coldkey, ONE));
    assert_eq!(claimed, [Some(0), Some(5)]);
    assert!(state.root_claimed.keys().all(|(hotkey, _)| *hotkey != HOTKEY));
    assert_eq!(subnet.last_dividends[&STRAY_HOTKEY], (Some(Alpha(8)), None));
    assert_eq!(subnet.last_dividends[&HOTKEY], (None, Some(Alpha(9))), "root's part stays");
    assert_eq!(subnet.links[&STRAY_HOTKEY].children, [(4, OTHER_HOTKEY)]);
    assert_eq!(subnet.links[&OTHER_HOTKEY].parents, [(4, STRAY_HOTKEY)]);
    assert!(!subnet.links.contains_key(&HOTKEY));
    let pending = &subnet.pending_children[&OWNER_HOTKEY].children;
    assert_eq!(*pending, [(2, OTHER_HOTKEY), (1, STRAY_HOTKEY)], "it comes last now");
    assert_eq!(state.coldkeys[&OTHER].auto_stake[&ONE], STRAY_HOTKEY);
}

#[test]
fn swap_hotkey_on_one_subnet() {
    let mut case = Case::new(swap(OTHER_HOTKEY, HOTKEY, Some(ONE)));
    case.state.height = Height(36_000);
    rows_of_both(&mut case, Some(ONE));
    let never = Rejection::HotKeySwapOnSubnetIntervalNotPassed;
    case.no("never before, but too early in the chain's life", never, |case| {
        case.call = swap(HOTKEY, STRAY_HOTKEY, Some(ONE));
    });
    case.no("known as no member", Rejection::HotKeyAlreadyRegisteredInSubNet, |case| {
        case.state.height = Height(36_001);
        case.state.hotkeys.entry(STRAY_HOTKEY).or_default().not_member.insert(ONE);
        free(case, STAKER, 999_999);
    });
    case.no("too poor", Rejection::NotEnoughBalanceToPaySwapHotKey, |case| {
        case.state.hotkeys.remove(&STRAY_HOTKEY);
    });
    furnish(&mut case);
    let (state, events) = case.yes("done", |case| free(case, STAKER, TAO));
    assert_eq!(state.free(&STAKER), Rao(999_000_000));
    assert_eq!([state.owner(&HOTKEY), state.owner(&STRAY_HOTKEY)], [Some(STAKER); 2]);
    assert_eq!(state.hotkeys[&HOTKEY].take, Some(7));
    assert_eq!(state.hotkeys[&STRAY_HOTKEY].take, None);
    let claimable = &state.hotkeys[&STRAY_HOTKEY].root_claimable;
    assert_eq!(*claimable, Some([(ONE, 1 << 32), (TWO, 2 << 32)].into()), "all of them (sic)");
    assert_eq!(state.hotkeys[&HOTKEY].root_claimable, None);
    assert_eq!(state.stake(&HOTKEY, &OTHER, ROOT), Alpha(50), "root stake stays");
    assert_eq!(state.coldkeys[&STAKER].hotkey_swaps, [(ONE, 36_001)].into());
    assert_eq!(state.coldkeys[&STAKER].owned, [HOTKEY, STRAY_HOTKEY]);
    assert!(!has(&events, "staking_hotkey_replaced"));
    everything_moved(&state);
    case.no("again too soon", never, |case| {
        case.state.coldkeys.entry(STAKER).or_default().hotkey_swaps.insert(ONE, 1);
    });
    case.yes("on another subnet", |case| case.call = swap(HOTKEY, STRAY_HOTKEY, Some(TWO)));
    case.yes("where there is none", |case| case.call = swap(HOTKEY, STRAY_HOTKEY, Some(NOWHERE)));
}

#[test]
fn announce_coldkey_swap() {
    let order = || Call::AnnounceColdkeySwap { new_coldkey_hash: coldkey_hash(&NOBODY) };
    let mut case = Case::new(order());
    case.no("too poor", Rejection::NotEnoughBalanceToPaySwapColdKey, |case| {
        free(case, STAKER, 99_999_999);
    });
    case.no("into the deposit", Rejection::NotEnoughBalanceToPaySwapColdKey, |case| {
        free(case, STAKER, 100_000_499);
    });
    let (state, _) = case.yes("done", |case| free(case, STAKER, 100_000_500));
    assert_eq!(state.free(&STAKER), Rao(500));
    let announced = state.coldkeys[&STAKER].swap_announcement.expect("announced");
    assert_eq!((announced.hash, announced.executable_at), (coldkey_hash(&NOBODY), 37_000));
    case.state = state;
    case.no("again too soon", Rejection::ColdkeySwapReannouncedTooEarly, |case| {
        case.state.height = Height(37_000 + 7_199);
    });
    let (state, _) = case.yes("again, for nothing", |case| case.state.height.0 += 1);
    assert_eq!(state.free(&STAKER), Rao(500));
    let announced = state.coldkeys[&STAKER].swap_announcement.expect("announced");
    assert_eq!(announced.executable_at, 37_000 + 7_200 + 36_000);
}

fn announced(case: &mut Case, executable_at: u64, of: &AccountId) {
    let hash = coldkey_hash(of);
    let announcement = protocol::state::SwapAnnouncement { hash, executable_at };
    case.state.coldkeys.entry(STAKER).or_default().swap_announcement = Some(announcement);
}

#[test]
fn swap_coldkey_announced() {
    let order = |new_coldkey| Call::SwapColdkeyAnnounced { new_coldkey };
    let mut case = Case::new(order(OTHER));
    case.no("not announced", Rejection::ColdkeySwapAnnouncementNotFound, |_| {});
    case.no("another", Rejection::AnnouncedColdkeyHashDoesNotMatch, |case| {
        announced(case, 1_001, &STRAY_HOTKEY);
    });
    case.no("a block too soon", Rejection::ColdkeySwapTooEarly, |case| {
        announced(case, 1_001, &OTHER);
    });
    case.no("one in use", Rejection::ColdKeyAlreadyAssociated, |case| {
        announced(case, 1_000, &OTHER);
    });
    case.no("a hotkey", Rejection::NewColdKeyIsHotkey, |case| {
        case.call = order(OTHER_HOTKEY);
        announced(case, 1_000, &OTHER_HOTKEY);
    });
    furnish(&mut case);
    put_stake(&mut case.state, place(HOTKEY, STAKER, ROOT), 40);
    at(&mut case.state, ONE).info.owner = Some(STAKER);
    case.state.root_claimed.insert((HOTKEY, STAKER), [(ONE, 6)].into());
    let lists = case.state.coldkeys.entry(STAKER).or_default();
    lists.auto_stake.insert(ONE, OTHER_HOTKEY);
    let before = wealth(&case.state);
    let (state, _) = case.yes("done", |case| {
        case.call = order(NOBODY);
        announced(case, 1_000, &NOBODY);
    });
    assert_eq!(wealth(&state), before);
    assert_eq!((state.free(&STAKER), state.free(&NOBODY)), (Rao(0), Rao::whole(10_000)));
    assert_eq!(state.stake(&HOTKEY, &NOBODY, ONE), Alpha(700));
    assert_eq!(state.stake(&HOTKEY, &NOBODY, ROOT), Alpha(40));
    assert_eq!(state.stake(&HOTKEY, &STAKER, ONE), Alpha(0));
    let subnet = state.subnet(ONE).expect("it is there");
    assert_eq!((subnet.info.owner, state.owner(&HOTKEY)), (Some(NOBODY), Some(NOBODY)));
    assert_eq!(state.claimed(&HOTKEY, &NOBODY, ONE), Some(6));
    assert_eq!(state.claimed(&HOTKEY, &STAKER, ONE), None);
    let (old, new) = (&state.coldkeys[&STAKER], &state.coldkeys[&NOBODY]);
    assert_eq!((old.owned.len(), old.staking.len(), old.auto_stake.len()), (0, 0, 0));
    assert_eq!((&new.owned, &new.staking), (&vec![HOTKEY], &vec![HOTKEY]));
    assert_eq!((new.auto_stake[&ONE], new.last_tx_block), (OTHER_HOTKEY, 1_000));
    assert_eq!((old.swap_announcement, new.root_index), (None, Some(0)));
}

#[test]
fn swap_coldkey() {
    let order = |swap_cost| Call::SwapColdkey {
        old_coldkey: STAKER,
        new_coldkey: OTHER,
        swap_cost: Rao(swap_cost),
    };
    let mut case = Case::new(order(10_001 * TAO));
    case.no("not root", Rejection::BadOrigin, |_| {});
    case.no("too dear", Rejection::NotEnoughBalanceToPaySwapColdKey, |case| {
        case.origin = Origin::Root;
    });
    case.no("one in use", Rejection::ColdKeyAlreadyAssociated, |case| case.call = order(TAO));
    let (state, _) = case.yes("done", |case| {
        announced(case, 9_999, &HOTKEY);
        case.state.coldkeys.entry(STAKER).or_default().swap_disputed_at = Some(5);
        let lists = case.state.coldkeys.entry(OTHER).or_default();
        (lists.owned, lists.staking) = (vec![], vec![]);
        case.state.hotkeys.remove(&OTHER_HOTKEY);
    });
    assert_eq!(state.free(&OTHER), Rao::whole(19_999));
    let old = &state.coldkeys[&STAKER];
    assert_eq!((old.swap_announcement, old.swap_disputed_at), (None, None));
    let (state, _) = case.yes("one that stakes nothing, for itself", |case| {
        case.state.coldkeys.entry(NOBODY).or_default().auto_stake.insert(ONE, HOTKEY);
        let (old_coldkey, new_coldkey, swap_cost) = (NOBODY, NOBODY, Rao::ZERO);
        case.call = Call::SwapColdkey { old_coldkey, new_coldkey, swap_cost };
    });
    assert_eq!(state.coldkeys[&NOBODY].auto_stake, [(ONE, HOTKEY)].into());
}

#[test]
fn dispute_and_reset() {
    let mut case = Case::new(Call::DisputeColdkeySwap);
    case.no("not announced", Rejection::ColdkeySwapAnnouncementNotFound, |_| {});
    let (state, _) = case.yes("done", |case| announced(case, 9_999, &NOBODY));
    assert_eq!(state.coldkeys[&STAKER].swap_disputed_at, Some(1_000));
    case.state = state;
    case.no("again: frozen", Rejection::ColdkeySwapDisputed, |_| {});
    // The guard hides what the call itself would say.
    let again = protocol::key_swaps::dispute(&mut Tx::new(&mut case.state), STAKER);
    assert_eq!(again, Err(Rejection::ColdkeySwapAlreadyDisputed));
    case.no("not root", Rejection::BadOrigin, |case| {
        case.call = Call::ResetColdkeySwap { coldkey: STAKER };
        case.origin = Origin::Signed(OTHER);
    });
    let (state, _) = case.yes("reset", |case| case.origin = Origin::Root);
    let keys = &state.coldkeys[&STAKER];
    assert_eq!((keys.swap_announcement, keys.swap_disputed_at), (None, None));
    let (_, events) = case.yes("nothing to reset", |case| {
        case.call = Call::ResetColdkeySwap { coldkey: OWNER };
    });
    assert_eq!(events, []);
}

#[test]
fn an_announced_swap_holds_its_coldkey_back() {
    let pay = || Call::TransferAllowDeath { dest: OTHER, value: Rao(1) };
    let mut case = Case::new(pay());
    case.yes("before", |_| {});
    case.no("announced", Rejection::ColdkeySwapAnnounced, |case| announced(case, 9_999, &NOBODY));
    case.no("whatever it is", Rejection::ColdkeySwapAnnounced, |case| {
        case.call = swap(HOTKEY, STRAY_HOTKEY, None);
    });
    case.yes("a dispute", |case| case.call = Call::DisputeColdkeySwap);
    case.no("disputed", Rejection::ColdkeySwapDisputed, |case| {
        case.state.coldkeys.entry(STAKER).or_default().swap_disputed_at = Some(7);
    });
    case.no("not even a swap", Rejection::ColdkeySwapDisputed, |case| {
        case.call = Call::SwapColdkeyAnnounced { new_coldkey: NOBODY };
    });
    case.yes("others are free", |case| {
        case.call = pay();
        case.origin = Origin::Signed(OTHER);
    });
    assert_eq!(coldkey_hash(&AccountId([0; 32])), {
        let text = "89eb0d6a8a691dae2cd15ed0369931ce0a949ecafa5c3f93f8121833646e15c3";
        text.parse::<Hash32>().expect("a hash")
    });
}
