//! Transaction fees (20 §19): who cannot pay is refused, a failed call is charged, some are free.

use crate::Case;
use crate::network::{AUTHOR, HOTKEY, ONE, STAKER, STRAY_HOTKEY, TAO, execute};
use protocol::balances::EXISTENTIAL_DEPOSIT;
use protocol::call::{Call, Origin};
use protocol::fees::fee;
use protocol::rejection::{Outcome, Refusal, Rejection};
use protocol::rules::{FeeSchedule, Mode};
use protocol::state::Account;
use protocol::units::Rao;

fn case(call: Call) -> Case {
    let mut case = Case::new(call);
    case.state.rules.fees = FeeSchedule::Reference;
    case.state.global.block_author = Some(AUTHOR);
    case
}

#[test]
fn a_call_is_charged_whether_or_not_it_is_done() {
    let order = |hotkey| Call::AddStake { hotkey, netuid: ONE, amount_staked: Rao(TAO) };
    let mut case = case(order(STRAY_HOTKEY));
    let price = fee(&case.call).expect("not free");
    let least = price.plus(EXISTENTIAL_DEPOSIT);
    case.refused("a rao short", Refusal::Payment, |case| {
        let free = least.minus(Rao(1));
        case.state.accounts.insert(STAKER, Account { free, nonce: 0 });
    });
    case.no("charged, then too poor", Rejection::NotEnoughBalanceToStake, |case| {
        case.state.accounts.insert(STAKER, Account { free: least, nonce: 0 });
    });
    case.no("charged, then a hotkey of nobody", Rejection::HotKeyAccountNotExists, |case| {
        let free = Rao(TAO).plus(price);
        case.state.accounts.insert(STAKER, Account { free, nonce: 0 });
    });
    let (state, _) = case.yes("charged, then done", |case| case.call = order(HOTKEY));
    assert_eq!(state.free(&STAKER), EXISTENTIAL_DEPOSIT);
    assert!(state.free(&AUTHOR) > price, "the fee and that of the swap");
}

#[test]
fn some_calls_are_free() {
    let mut case = case(Call::IncreaseTake { hotkey: HOTKEY, take: 1 });
    let (state, _) = case.yes("from an account with nothing", |case| {
        case.state.accounts.remove(&STAKER);
    });
    assert_eq!(state.accounts.len(), case.state.accounts.len() + 1, "it has a nonce now");
    case.no("a free call that fails", Rejection::HotKeyAccountNotExists, |case| {
        case.call = Call::DecreaseTake { hotkey: STRAY_HOTKEY, take: 1 };
    });
    case.yes("root pays nothing", |case| {
        case.origin = Origin::Root;
        case.call = Call::RootDissolveNetwork { netuid: ONE };
    });
}

#[test]
fn without_an_author_a_fee_is_lost_or_recycled() {
    let call = Call::UnstakeAll { hotkey: STRAY_HOTKEY };
    let price = fee(&call).expect("not free");
    for (mode, lost, recycled) in [(Mode::Reference, price, 0), (Mode::Sound, Rao(0), price.0)] {
        let mut state = case(call.clone()).state;
        state.global.block_author = None;
        state.rules.mode = mode;
        let issued = state.global.total_issuance;
        let (outcome, _) = execute(&mut state, Origin::Signed(STAKER), &call);
        assert_eq!(outcome, Outcome::Failed(Rejection::HotKeyAccountNotExists));
        assert_eq!(state.leaks.fees.cast_unsigned(), lost.0);
        assert_eq!(state.global.total_issuance.0, issued.0 - recycled);
    }
}
