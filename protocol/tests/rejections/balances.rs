//! Transfers of free balance (30 §0.3), identities (30 §11.2), endpoints (30 §11.1).

use crate::Case;
use crate::network::{HOTKEY, NOWHERE, ONE, OTHER, OWNER, STAKER, STRAY_HOTKEY, at};
use crate::weights::register;
use protocol::call::{Call, Origin};
use protocol::rejection::{Refusal, Rejection};
use protocol::state::{ColdkeyIdentity, SubnetIdentity};
use protocol::units::{AccountId, Rao};

const NOBODY: AccountId = AccountId([99; 32]);

fn poor(case: &mut Case, free: u64) {
    case.state.accounts.get_mut(&STAKER).expect("it has some").free = Rao(free);
}

#[test]
fn transfer_allow_death() {
    let order = |dest, value| Call::TransferAllowDeath { dest, value: Rao(value) };
    let mut case = Case::new(order(NOBODY, 1_001));
    poor(&mut case, 1_000);
    case.no("more than there is", Rejection::FundsUnavailable, |_| {});
    case.no("too little for a new account", Rejection::BelowMinimum, |case| {
        case.call = order(NOBODY, 499);
    });
    let (state, _) = case.yes("a sender below the deposit is removed", |case| {
        case.call = order(NOBODY, 501);
    });
    assert_eq!((state.free(&STAKER), state.free(&NOBODY)), (Rao(0), Rao(501)));
    assert_eq!(state.leaks.dust, 499);
    let (state, _) = case.yes("any amount for one that exists", |case| case.call = order(OTHER, 1));
    assert_eq!(state.free(&STAKER), Rao(999));
    let (state, _) = case.yes("nothing", |case| case.call = order(NOBODY, 0));
    assert_eq!((state.free(&STAKER), state.free(&NOBODY)), (Rao(1_000), Rao(0)));
}

#[test]
fn transfer_keep_alive() {
    let order = |dest, value| Call::TransferKeepAlive { dest, value: Rao(value) };
    let mut case = Case::new(order(NOBODY, 1_001));
    poor(&mut case, 1_000);
    case.no("more than there is", Rejection::FundsUnavailable, |_| {});
    case.no("into the deposit", Rejection::NotExpendable, |case| case.call = order(NOBODY, 501));
    case.no("too little for a new account", Rejection::BelowMinimum, |case| {
        case.call = order(NOBODY, 499);
    });
    let (state, _) = case.yes("down to the deposit", |case| case.call = order(NOBODY, 500));
    assert_eq!((state.free(&STAKER), state.free(&NOBODY)), (Rao(500), Rao(500)));
}

#[test]
fn transfer_all() {
    let order = |dest, keep_alive| Call::TransferAll { dest, keep_alive };
    let mut case = Case::new(order(NOBODY, true));
    poor(&mut case, 999);
    case.no("too little for a new account", Rejection::BelowMinimum, |_| {});
    let (state, _) = case.yes("all above the deposit", |case| case.call = order(OTHER, true));
    assert_eq!((state.free(&STAKER), state.free(&OTHER)), (Rao(500), Rao(10_000_000_000_499)));
    let (state, _) = case.yes("all", |case| case.call = order(NOBODY, false));
    assert_eq!((state.free(&STAKER), state.free(&NOBODY)), (Rao(0), Rao(999)));
    assert_eq!(state.leaks.dust, 0);
}

#[test]
fn set_identity() {
    let order = |name: usize, image: usize| {
        let (name, image) = ("n".repeat(name), "i".repeat(image));
        Call::SetIdentity(Box::new(ColdkeyIdentity { name, image, ..ColdkeyIdentity::default() }))
    };
    let mut case = Case::new(order(257, 1_025));
    case.no("no neuron", Rejection::HotKeyNotRegisteredInNetwork, |_| {});
    case.no("too long a name", Rejection::InvalidIdentity, |case| register(case, ONE, &[HOTKEY]));
    case.no("too long an image", Rejection::InvalidIdentity, |case| case.call = order(256, 1_025));
    let (state, _) = case.yes("done", |case| case.call = order(256, 1_024));
    let identity = state.coldkeys[&STAKER].identity.as_ref().expect("set");
    assert_eq!((identity.name.len(), identity.image.len()), (256, 1_024));
}

#[test]
fn set_subnet_identity() {
    let order = |netuid, name: usize, url: usize| {
        let (subnet_name, subnet_url) = ("n".repeat(name), "u".repeat(url));
        let identity = SubnetIdentity { subnet_name, subnet_url, ..SubnetIdentity::default() };
        Call::SetSubnetIdentity { netuid, identity: Box::new(identity) }
    };
    let mut case = Case::new(order(ONE, 257, 1_025));
    case.no("not the owner", Rejection::NotSubnetOwner, |_| {});
    case.no("of no subnet", Rejection::NotSubnetOwner, |case| {
        case.origin = Origin::Signed(OWNER);
        case.call = order(NOWHERE, 257, 1_025);
    });
    case.no("too long a name", Rejection::InvalidIdentity, |case| {
        case.call = order(ONE, 257, 1_025);
    });
    case.no("too long a link", Rejection::InvalidIdentity, |case| {
        case.call = order(ONE, 256, 1_025);
    });
    let (state, _) = case.yes("done", |case| case.call = order(ONE, 3, 1_024));
    assert_eq!(state.subnet(ONE).expect("it is there").info.name, "nnn");
}

#[test]
fn serve_axon() {
    let order = |netuid, ip, port, ip_type| Call::ServeAxon {
        netuid,
        version: 1,
        ip,
        port,
        ip_type,
        protocol: 4,
        placeholder1: 0,
        placeholder2: 0,
    };
    let localhost = 0x7f00_0001;
    let mut case = Case::new(order(ONE, localhost, 0, 5));
    case.origin = Origin::Signed(STRAY_HOTKEY);
    case.refused("no uid anywhere", Refusal::HotkeyNotRegistered, |_| {});
    case.refused("neither 4 nor 6", Refusal::BadRequest, |case| {
        register(case, ONE, &[STRAY_HOTKEY]);
    });
    case.refused("localhost", Refusal::InvalidIpAddress, |case| {
        case.call = order(ONE, localhost, 0, 4);
    });
    for (ip, ip_type) in [(u128::from(u32::MAX), 4), (1, 6), (u128::MAX, 6)] {
        let refusal = Refusal::InvalidIpAddress;
        case.refused("no address", refusal, |case| case.call = order(ONE, ip, 0, ip_type));
    }
    case.refused("too soon", Refusal::ServingRateLimitExceeded, |case| {
        case.call = order(ONE, 1, 0, 4);
        let axon = protocol::state::Axon { block: 951, ..Default::default() };
        at(&mut case.state, ONE).axons.insert(STRAY_HOTKEY, axon);
    });
    case.refused("no port", Refusal::InvalidPort, |case| {
        at(&mut case.state, ONE).axons.entry(STRAY_HOTKEY).or_default().block = 950;
    });
    let (state, _) = case.yes("done", |case| case.call = order(ONE, 0, 1, 4));
    let axon = state.subnet(ONE).expect("it is there").axons[&STRAY_HOTKEY];
    assert_eq!((axon.block, axon.ip, axon.port), (1_000, 0, 1));
    case.yes("no limit", |case| {
        at(&mut case.state, ONE).axons.entry(STRAY_HOTKEY).or_default().block = 999;
        at(&mut case.state, ONE).params.serving_rate_limit = 0;
    });
}
