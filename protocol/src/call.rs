//! Calls: orders to the chain, named and argued as the chain's own (30 §17).
//!
//! Append variants only: their position is part of every log.

use crate::rules::Rules;
use crate::units::{AccountId, Alpha, NetUid, Rao};
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};
use strum::IntoStaticStr;

/// A call with its arguments.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, IntoStaticStr)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
#[allow(missing_docs, reason = "arguments have the chain's names; 30 §17 says what they are")]
pub enum Call {
    /// Moves free balance; the sender may be reaped.
    TransferAllowDeath { dest: AccountId, value: Rao },
    /// Creates a subnet.
    RegisterNetwork { hotkey: AccountId },
    /// Starts emission and trading of a subnet; owner only.
    StartCall { netuid: NetUid },
    /// Registers a neuron at the burn price.
    BurnedRegister { netuid: NetUid, hotkey: AccountId },
    /// Joins root.
    RootRegister { hotkey: AccountId },
    /// Buys alpha and stakes it behind a hotkey.
    AddStake { hotkey: AccountId, netuid: NetUid, amount_staked: Rao },
    /// Sells staked alpha for free balance.
    RemoveStake { hotkey: AccountId, netuid: NetUid, amount_unstaked: Alpha },
    /// Sets the signer's weight row on mechanism 0.
    SetWeights { netuid: NetUid, dests: Vec<u16>, weights: Vec<u16>, version_key: u64 },
    /// Publishes an endpoint.
    ServeAxon {
        netuid: NetUid,
        version: u32,
        ip: u128,
        port: u16,
        ip_type: u8,
        protocol: u8,
        placeholder1: u8,
        placeholder2: u8,
    },
    /// Root: sets a parameter of the network or of a subnet.
    SudoSet(Setting),
    /// Root: dissolves a subnet.
    RootDissolveNetwork { netuid: NetUid },
    /// Root: switches the rules; not a call of the chain, its counterpart is a runtime upgrade.
    SwitchRules { rules: Rules },
}

/// A parameter that a root call sets, with its new value; named as the chain's `sudo_set_…`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, IntoStaticStr)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case", prefix = "sudo_set_")]
#[allow(missing_docs, reason = "the names are the chain's; 30 §12 says what they are")]
pub enum Setting {
    Tempo { netuid: NetUid, value: u16 },
    Kappa { netuid: NetUid, value: u16 },
    MaxAllowedValidators { netuid: NetUid, value: u16 },
    WeightsSetRateLimit { netuid: NetUid, value: u64 },
    SubtokenEnabled { netuid: NetUid, value: bool },
    NetworkRegistrationAllowed { netuid: NetUid, value: bool },
    SubnetLimit { value: u16 },
    SubnetOwnerCut { value: u16 },
    StakeThreshold { value: u64 },
    NetworkRateLimit { value: u64 },
    NetworkMinLockCost { value: Rao },
    NetworkImmunityPeriod { value: u64 },
}

/// Who orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The sudo key: timeline entries.
    Root,
    /// A coldkey or hotkey.
    Signed(AccountId),
}

/// An order with its origin and the signer's nonce.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signed<T> {
    /// Who signed.
    pub origin: Origin,
    /// The signer's count of calls included before; 0 for root.
    pub nonce: u32,
    /// What is ordered.
    pub call: T,
}

impl Call {
    /// The chain's name of the call.
    pub fn name(&self) -> &'static str {
        match self {
            Self::SudoSet(setting) => setting.into(),
            other => other.into(),
        }
    }
}
