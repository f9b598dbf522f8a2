//! Events that fit no state: each was once a panic, and is an answer now. A log can say anything.

#[path = "network/mod.rs"]
mod network;

use network::{HOTKEY, ONE, STAKER, at, network};
use protocol::apply::apply;
use protocol::event::{EpochRun, Event, PoolSwapped, Via};
use protocol::state::State;
use protocol::units::{AccountId, Height, Rao};

type Prepare = fn(&mut State);

fn told(prepare: Prepare, events: &[Event]) -> &'static str {
    let mut state = network();
    prepare(&mut state);
    let (last, before) = events.split_last().expect("there is one");
    for event in before {
        apply(&mut state, event).expect("it fits");
    }
    let told = apply(&mut state, last).map_or_else(|error| error.what, |()| "it fits");
    state.root();
    told
}

fn swapped(volume: u64) -> Event {
    Event::PoolSwapped(Box::new(PoolSwapped {
        netuid: ONE,
        tao: 0,
        alpha_in: 0,
        alpha_out: 0,
        total_stake: 0,
        volume,
        initialized: true,
        sqrt_price: 0,
        liquidity: 0,
        position_liquidity: 0,
        net_liquidity: 0,
    }))
}

fn weights(mechanism: u8, uid: u16) -> Event {
    Event::WeightsSet { netuid: ONE, mechanism, uid, row: vec![(7, 7)], last_update: Some(3) }
}

fn placed(uid: u16, number: u16) -> Event {
    let mut hotkey = [0x77; 32];
    hotkey[..2].copy_from_slice(&number.to_le_bytes());
    let (hotkey, replaced) = (AccountId(hotkey), None);
    Event::NeuronPlaced { netuid: ONE, uid, hotkey, replaced, via: Via::Burn }
}

#[test]
fn an_event_that_would_leave_every_range_is_refused() {
    let nothing: Prepare = |_| {};
    let opened = |height| vec![Event::BlockOpened { height: Height(height) }];
    let epoch = EpochRun {
        netuid: ONE,
        incentive: vec![vec![]; 256],
        bonds: vec![vec![]; 256],
        ..EpochRun::default()
    };
    let rows: [(Prepare, Vec<Event>, &str); 10] = [
        (
            |state| state.height = Height(u64::MAX),
            opened(0),
            "the height does not follow the last block's",
        ),
        (
            |state| state.accounts.entry(STAKER).or_default().nonce = u32::MAX,
            vec![Event::CallIncluded { signer: STAKER, nonce: u32::MAX }],
            "the nonce has no next one",
        ),
        (
            |state| state.global.root_stakers = u64::MAX,
            vec![Event::RootStakerIndexed { coldkey: STAKER, index: u64::MAX }],
            "the index is not the next",
        ),
        (
            |state| state.global.root_stakers = u64::MAX,
            vec![Event::RootStakersSearched { last: None, indexed: vec![STAKER] }],
            "root stakers",
        ),
        (|state| at(state, ONE).fast.volume = u128::MAX, vec![swapped(1)], "the volume"),
        (nothing, vec![weights(0, 0)], "no such uid"),
        // A matrix for every number of a byte is one more than can be counted.
        (nothing, vec![placed(0, 0), weights(255, 0)], "no such mechanism"),
        (nothing, vec![placed(0, 0), weights(254, 0)], "it fits"),
        (nothing, vec![Event::EpochRun(Box::new(epoch))], "there are more mechanisms than can be"),
        (
            |state| {
                for uid in 0..u16::MAX {
                    apply(state, &placed(uid, uid)).expect("it is the next");
                }
            },
            vec![placed(u16::MAX, u16::MAX)],
            "the uid is not the next",
        ),
    ];
    for (prepare, events, what) in rows {
        assert_eq!(told(prepare, &events), what, "{:?}", events.last());
    }
}

/// Counters of registrations stay at their end, as on the chain.
#[test]
fn registrations_are_counted_up_to_the_end_of_the_counter() {
    for via in [Via::Burn, Via::Work] {
        let counted = Event::RegistrationCounted { netuid: ONE, via, price: Rao(1) };
        let full: Prepare = |state| {
            let fast = &mut at(state, ONE).fast;
            fast.burn_registrations_this_interval = u16::MAX;
            fast.pow_registrations_this_interval = u16::MAX;
            fast.registrations_this_interval = u16::MAX;
        };
        assert_eq!(told(full, &[counted]), "it fits");
    }
}

/// The list of a hotkey's uid is no part of the root, so a snapshot may hold another.
#[test]
fn a_uid_beyond_the_neurons_is_refused() {
    let moved = protocol::event::HotkeyMoved {
        netuid: ONE,
        old_hotkey: HOTKEY,
        new_hotkey: AccountId([0x55; 32]),
        uid: Some(900),
        ..Default::default()
    };
    let prepare: Prepare = |state| {
        at(state, ONE).neurons.uids.insert(HOTKEY, 900);
    };
    assert_eq!(told(prepare, &[Event::HotkeyMoved(Box::new(moved))]), "no such uid");
}
