//! The rules of the emulated network, and the words everyone else uses for them.
//!
//! Pure: no I/O, no clock, no threads, no floats, no hash maps. The order below is the order to read.
#![no_std]

extern crate alloc;

/// Rule versions, modes, parameter profiles.
pub mod rules;
/// Units and identifiers.
pub mod units;

/// Orders to the chain.
pub mod call;
/// Facts in the past tense.
pub mod event;
/// Reasons for a "no".
pub mod rejection;

/// Where events change the state.
pub mod apply;
/// What must always hold.
pub mod invariants;
/// The state seen through `emit`.
pub mod tx;

/// Free balances.
pub mod balances;
/// Several rows or commits in one call.
pub mod batches;
/// Rounds of the randomness beacon.
pub mod beacon;
/// Parents, children and their takes.
pub mod children;
/// Emission of a block.
pub mod coinbase;
/// Weights committed by their hash.
pub mod commits;
/// Admission of a call, and which family decides it.
pub mod decide;
/// Delegate takes and destinations of income.
pub mod delegation;
/// Dissolution of subnets.
pub mod dissolution;
/// An epoch and its payout.
pub mod epoch;
/// Transaction fees.
pub mod fees;
/// Parameters.
pub mod hyperparameters;
/// Who coldkeys and subnets say they are.
pub mod identities;
/// Swaps of hotkeys and coldkeys.
pub mod key_swaps;
/// What moves stake and the pools' books.
pub mod ledger;
/// How much a limit price allows.
pub mod limits;
/// What a timelocked commit seals.
pub mod payload;
/// Subnets, neurons, root membership.
pub mod registration;
/// Root dividends: what is owed, claims.
pub mod root_claims;
/// Rows of weights and bonds in codecs.
pub mod row;
/// Endpoints.
pub mod serving;
/// Stake orders.
pub mod staking;
/// Token symbols.
pub mod symbols;
/// Weights sealed until a round of the beacon.
pub mod timelock;
/// Neurons removed by a subnet's owner.
pub mod trimming;
/// Weights and the stake behind them.
pub mod weights;
/// Seals of proof-of-work registrations.
pub mod work;

/// Sealed bytes in codecs.
pub mod blob;
/// The block step and a block's calls.
pub mod block;
/// A block as the log keeps it.
pub mod frame;
/// What the chain stores.
pub mod state;
/// Sealed bytes that only the chain has.
pub mod vault;

/// Emission terms and accrual, as numbers.
pub mod emission;
/// Fixed-point arithmetic with named rounding.
pub mod fixed;
/// The issuance curve.
pub mod issuance;
/// The square-root-price pool.
pub mod pool;
/// Lock cost, burn adjustment, pruning choices, the epoch clock.
pub mod registration_math;
/// Share pools.
pub mod shares;
/// Flow averages and emission shares.
pub mod taoflow;
/// One epoch of a subnet's mechanism.
pub mod yuma;

/// Canonical encoding and digests.
pub mod canon;
/// Chance and derived ids.
pub mod dice;
/// What players say to each other.
pub mod envelope;
/// Indexes derived from the state.
mod index;
#[cfg(feature = "planted")]
pub mod planted;
/// The state root.
pub mod root;
/// What a player may see.
pub mod view;
