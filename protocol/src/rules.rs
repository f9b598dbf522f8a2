//! Rule versions, modes and parameter profiles: data in the state, not `if`s all over.

use crate::canon::{Canon, canon_struct};
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// Version of the protocol as this build decides it; part of the simulation hash.
pub const PROTOCOL_VERSION: u32 = 3;

macro_rules! canon_enum {
    ($($type:ty),*) => {$(
        impl Canon for $type {
            fn canon(&self, out: &mut Vec<u8>) {
                out.push(*self as u8);
            }
        }
    )*};
}
canon_enum!(RuleVersion, Mode, AccountOrder, FeeSchedule);

/// What emission shares follow. Both averages keep running under both versions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum RuleVersion {
    /// Since November 2025: the average of net staking flow (20 §4.4).
    #[default]
    Taoflow = 0,
    /// Before: the moving price (20 §4.5).
    Price = 1,
}

/// Whether the reference's leaks are reproduced or mended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Mode {
    /// Quirks and leaks of the chain, counted in ledgers.
    #[default]
    Reference = 0,
    /// Without the leaks.
    Sound = 1,
}

/// What "ascending account" means where the specification names an order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum AccountOrder {
    /// Byte by byte, as on a network.
    #[default]
    Bytes = 0,
    /// As 256-bit little-endian numbers, as the golden cases are written.
    NumericLe = 1,
}

/// What a call costs its signer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum FeeSchedule {
    /// Nothing.
    #[default]
    None = 0,
    /// The reference's weights and lengths, partly estimated (20 §19, 30 §14.3).
    Reference = 1,
}

/// Parameter values to start from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Profile {
    /// The values in force on the main network at the reference date.
    #[default]
    Mainnet,
    /// The compiled defaults of the reference runtime.
    Code,
}

/// The rules in force; a timeline can switch them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rules {
    /// What emission shares follow.
    pub version: RuleVersion,
    /// Leaks reproduced or mended.
    pub mode: Mode,
    /// The order of accounts.
    pub account_order: AccountOrder,
    /// Transaction fees.
    pub fees: FeeSchedule,
}
canon_struct!(Rules { 1: version, 2: mode, 3: account_order, 4: fees });

impl RuleVersion {
    /// The name as scenarios and summaries write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Taoflow => "taoflow",
            Self::Price => "price",
        }
    }
}

impl AccountOrder {
    /// The sort key of an account under this order: compare the results byte by byte.
    pub fn key(self, account: crate::units::AccountId) -> [u8; 32] {
        let mut bytes = account.0;
        if self == Self::NumericLe {
            bytes.reverse();
        }
        bytes
    }
}
