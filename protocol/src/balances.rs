//! Free balances: withdrawals that keep an account alive, credits, transfers (30 §0.3).

use crate::event::Event;
use crate::rejection::Rejection;
use crate::rules::Mode;
use crate::state::Leak;
use crate::tx::Tx;
use crate::units::{AccountId, Rao};

/// An account below this is removed, and what it held vanishes.
pub const EXISTENTIAL_DEPOSIT: Rao = Rao(500);

/// Turns a condition into a rejection.
pub fn require(holds: bool, otherwise: Rejection) -> Result<(), Rejection> {
    if holds { Ok(()) } else { Err(otherwise) }
}

/// Withdraws up to `amount`, leaving the existential deposit; returns what was withdrawn, which is
/// less when the payer is within the deposit of the amount.
///
/// # Errors
/// `ZeroBalanceAfterWithdrawn` when nothing can be withdrawn.
///
/// Mirrors: `remove_balance_from_coldkey_account`.
pub fn withdraw(tx: &mut Tx<'_>, account: AccountId, amount: Rao) -> Result<Rao, Rejection> {
    if amount == Rao::ZERO {
        return Ok(Rao::ZERO);
    }
    let available = tx.state().free(&account).minus(EXISTENTIAL_DEPOSIT);
    let amount = amount.min(available);
    require(amount != Rao::ZERO, Rejection::ZeroBalanceAfterWithdrawn)?;
    tx.emit(Event::BalanceWithdrawn { account, amount });
    Ok(amount)
}

/// Credits an account. An amount below the existential deposit vanishes when the account does not
/// exist; it is booked as dust.
pub fn credit(tx: &mut Tx<'_>, account: AccountId, amount: Rao) {
    if amount == Rao::ZERO {
        return;
    }
    #[cfg(feature = "planted")]
    let amount = match crate::planted::active(crate::planted::Bug::DroppedRao) {
        true => Rao(amount.0 - 1),
        false => amount,
    };
    if tx.state().free(&account) == Rao::ZERO && amount < EXISTENTIAL_DEPOSIT {
        lose(tx, Leak::Dust, amount);
    } else {
        tx.emit(Event::BalanceCredited { account, amount });
    }
}

/// Books a leak; nothing for zero.
pub fn leak(tx: &mut Tx<'_>, leak: Leak, amount: i128) {
    let amount = i64::try_from(amount).expect("supplies are far below 2⁶³ rao");
    if amount != 0 {
        tx.emit(Event::LeakBooked { leak, amount });
    }
}

/// TAO that the reference loses without its issuance noticing: booked there; in `sound` mode it leaves
/// the issuance too.
pub fn lose(tx: &mut Tx<'_>, name: Leak, amount: Rao) {
    match tx.state().rules.mode {
        Mode::Reference => leak(tx, name, i128::from(amount.0)),
        Mode::Sound if amount != Rao::ZERO => tx.emit(Event::IssuanceRecycled { amount }),
        Mode::Sound => {}
    }
}

/// `transfer_keep_alive`: the sender keeps the existential deposit.
///
/// # Errors
/// `FundsUnavailable`, `NotExpendable`, `BelowMinimum`.
pub fn transfer_keep_alive(
    tx: &mut Tx<'_>,
    from: AccountId,
    dest: AccountId,
    value: Rao,
) -> Result<(), Rejection> {
    let free = tx.state().free(&from);
    require(free >= value, Rejection::FundsUnavailable)?;
    let stays = value == Rao::ZERO || free.minus(value) >= EXISTENTIAL_DEPOSIT;
    require(stays, Rejection::NotExpendable)?;
    transfer(tx, from, dest, value)
}

/// `transfer_all`: everything, or everything above the existential deposit.
///
/// # Errors
/// `BelowMinimum`.
pub fn transfer_all(
    tx: &mut Tx<'_>,
    from: AccountId,
    dest: AccountId,
    ending: Ending,
) -> Result<(), Rejection> {
    let free = tx.state().free(&from);
    let value = match ending {
        Ending::KeptAlive => free.minus(EXISTENTIAL_DEPOSIT),
        Ending::Reaped => free,
    };
    transfer(tx, from, dest, value)
}

/// What becomes of an account that gives everything away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It keeps the existential deposit.
    KeptAlive,
    /// It is removed.
    Reaped,
}

/// `transfer_allow_death`: the sender is removed when less than the existential deposit remains.
///
/// # Errors
/// `FundsUnavailable`, `BelowMinimum`.
pub fn transfer(
    tx: &mut Tx<'_>,
    from: AccountId,
    dest: AccountId,
    value: Rao,
) -> Result<(), Rejection> {
    let free = tx.state().free(&from);
    require(free >= value, Rejection::FundsUnavailable)?;
    if value == Rao::ZERO || from == dest {
        return Ok(());
    }
    let exists = tx.state().free(&dest) != Rao::ZERO;
    require(exists || value >= EXISTENTIAL_DEPOSIT, Rejection::BelowMinimum)?;

    tx.emit(Event::BalanceWithdrawn { account: from, amount: value });
    tx.emit(Event::BalanceCredited { account: dest, amount: value });
    let rest = free.minus(value);
    if rest != Rao::ZERO && rest < EXISTENTIAL_DEPOSIT {
        tx.emit(Event::AccountReaped { account: from, dust: rest });
        lose(tx, Leak::Dust, rest);
    }
    Ok(())
}
