//! Indexes derived from the state: in no hash and in no snapshot, built when first asked for, kept
//! while the state changes. What belongs here: orders and look-ups that the state's own maps do not
//! have. What does not: anything that cannot be rebuilt from the state.

use crate::state::State;
use crate::units::{AccountId, NetUid};
use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use blake2::Digest as _;
use core::ops::Bound;

type Blake2b128 = blake2::Blake2b<blake2::digest::consts::U16>;

/// An account where the chain's storage keeps it.
pub(crate) type Place = ([u8; 16], AccountId);

/// Where the chain's storage keeps an account's entry: by its BLAKE2b-128 digest, then by itself.
/// Results depend on it where the chain walks a map of accounts (30 §0.4).
pub(crate) fn storage_order(account: &AccountId) -> Place {
    (Blake2b128::digest(account.0).into(), *account)
}

/// A share entry where the chain's storage keeps it; netuids are compared by their little-endian
/// bytes, hence swapped.
type HolderPlace = (Place, Place, u16);

fn holder_place(hotkey: &AccountId, coldkey: &AccountId, netuid: NetUid) -> HolderPlace {
    (storage_order(hotkey), storage_order(coldkey), netuid.0.swap_bytes())
}

/// The indexes; `None` until asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Index {
    holders: Option<BTreeSet<HolderPlace>>,
    root_stakers: Option<Vec<AccountId>>,
}

impl Index {
    pub fn forget_holders(&mut self) {
        self.holders = None;
    }

    pub fn forget_root_stakers(&mut self) {
        self.root_stakers = None;
    }

    /// Notes that a share entry came or went.
    pub fn note_holder(
        &mut self,
        hotkey: &AccountId,
        coldkey: &AccountId,
        netuid: NetUid,
        is: bool,
    ) {
        if let Some(holders) = &mut self.holders {
            let place = holder_place(hotkey, coldkey, netuid);
            if is {
                holders.insert(place);
            } else {
                holders.remove(&place);
            }
        }
    }

    pub fn note_root_staker(&mut self, coldkey: AccountId) {
        if let Some(stakers) = &mut self.root_stakers {
            stakers.push(coldkey);
        }
    }
}

/// A share entry: hotkey, coldkey, subnet.
pub(crate) type Entry = (AccountId, AccountId, NetUid);

impl State {
    /// The next `count` share entries of all subnets behind `after`, in the chain's storage order.
    pub(crate) fn holders_after(&mut self, after: Option<Entry>, count: usize) -> Vec<Entry> {
        let subnets = &self.subnets;
        let holders = self.index.holders.get_or_insert_with(|| {
            let mut places = BTreeSet::new();
            for (netuid, subnet) in subnets {
                for (hotkey, pool) in &subnet.pools {
                    let holders = pool.holders.keys();
                    places.extend(holders.map(|coldkey| holder_place(hotkey, coldkey, *netuid)));
                }
            }
            places
        });
        let from = match after {
            Some((hotkey, coldkey, netuid)) => {
                Bound::Excluded(holder_place(&hotkey, &coldkey, netuid))
            }
            None => Bound::Unbounded,
        };
        let next = holders.range((from, Bound::Unbounded)).take(count);
        next.map(|((_, hotkey), (_, coldkey), netuid)| {
            (*hotkey, *coldkey, NetUid(netuid.swap_bytes()))
        })
        .collect()
    }

    /// The root staker of an index.
    pub(crate) fn root_staker(&mut self, index: u64) -> Option<AccountId> {
        let coldkeys = &self.coldkeys;
        let stakers = self.index.root_stakers.get_or_insert_with(|| {
            let mut indexed: Vec<(u64, AccountId)> = coldkeys
                .iter()
                .filter_map(|(coldkey, entry)| entry.root_index.map(|index| (index, *coldkey)))
                .collect();
            indexed.sort_unstable();
            indexed.into_iter().map(|(_, coldkey)| coldkey).collect()
        });
        stakers.get(usize::try_from(index).ok()?).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::writes::ShareWrite;
    use crate::state::{Coldkey, HotkeyPool, Subnet};

    fn account(number: u8) -> AccountId {
        AccountId([number; 32])
    }

    fn network() -> State {
        let mut state = State::default();
        for netuid in [0u16, 1, 256] {
            let mut subnet = Subnet { added: true, ..Subnet::default() };
            for hotkey in 0..5u8 {
                let holders = (0..3u8).map(|coldkey| (account(100 + coldkey), 1)).collect();
                let pool = HotkeyPool { holders, ..HotkeyPool::default() };
                subnet.pools.insert(account(hotkey), pool);
            }
            state.subnets.insert(NetUid(netuid), subnet);
        }
        state
    }

    #[test]
    fn a_walk_visits_each_entry_once_and_sees_changes_behind_it() {
        let mut state = network();
        let mut all = Vec::new();
        loop {
            let next = state.holders_after(all.last().copied(), 7);
            let full = next.len() == 7;
            all.extend(next);
            if !full {
                break;
            }
        }
        assert_eq!(all.len(), 45);
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), 45);
        let sorted = all.windows(2).all(|pair| {
            let place = |entry: &Entry| holder_place(&entry.0, &entry.1, entry.2);
            place(&pair[0]) < place(&pair[1])
        });
        assert!(sorted);
        // Netuid 256 is (0, 1) in little-endian bytes, so it comes before 1, which is (1, 0).
        assert_eq!([all[0].2, all[1].2, all[2].2], [NetUid(0), NetUid(256), NetUid(1)]);

        let (hotkey, coldkey, netuid) = all[20];
        let set = |state: &mut State, share: u128| {
            let change = ShareWrite { hotkey, coldkey, alpha: 0, shares: 1, share };
            state.change_share(netuid, &change).expect("the subnet is there");
        };
        set(&mut state, 0);
        assert_eq!(state.holders_after(Some(all[19]), 1), [all[21]]);
        set(&mut state, 5);
        assert_eq!(state.holders_after(Some(all[19]), 1), [all[20]]);
        state.forget_indexes();
        assert_eq!(state.holders_after(None, 100), all);
    }

    #[test]
    fn root_stakers_are_found_by_index() {
        let mut state = network();
        for (index, number) in [(1u64, 4u8), (0, 9)] {
            let entry = Coldkey { root_index: Some(index), ..Coldkey::default() };
            state.coldkeys.insert(account(number), entry);
        }
        state.global.root_stakers = 2;
        assert_eq!(state.root_staker(0), Some(account(9)));
        state.index_root_staker(account(7), 2);
        assert_eq!(state.root_staker(2), Some(account(7)));
        assert_eq!(state.root_staker(3), None);
    }
}
