//! Calls: orders to the chain, named and argued as the chain's own (30 §17).
//!
//! Append variants only: their position is part of every log.

use crate::rules::Rules;
use crate::state::{ColdkeyIdentity, RootClaimType, SubnetIdentity};
use crate::units::{AccountId, Alpha, Hash32, NetUid, Rao};
use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantNames};

/// A call with its arguments.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, IntoStaticStr, VariantNames)]
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
    /// Root, for some also the subnet's owner: sets a parameter of the network or of a subnet.
    SudoSet(Setting),
    /// Root: dissolves a subnet.
    RootDissolveNetwork { netuid: NetUid },
    /// Root: switches the rules; not a call of the chain, its counterpart is a runtime upgrade.
    SwitchRules { rules: Rules },
    /// Gives an unowned hotkey its owner.
    TryAssociateHotkey { hotkey: AccountId },
    /// Buys alpha while its price stays below a limit, in rao per whole alpha.
    AddStakeLimit {
        hotkey: AccountId,
        netuid: NetUid,
        amount_staked: Rao,
        limit_price: Rao,
        allow_partial: bool,
    },
    /// Sells alpha while its price stays above a limit, in rao per whole alpha.
    RemoveStakeLimit {
        hotkey: AccountId,
        netuid: NetUid,
        amount_unstaked: Alpha,
        limit_price: Rao,
        allow_partial: bool,
    },
    /// Sells a whole position, at a limit price if one is given.
    RemoveStakeFullLimit { hotkey: AccountId, netuid: NetUid, limit_price: Option<Rao> },
    /// Sells all stake behind a hotkey, on every subnet.
    UnstakeAll { hotkey: AccountId },
    /// Sells all stake behind a hotkey on every subnet and stakes the proceeds on root.
    UnstakeAllAlpha { hotkey: AccountId },
    /// Moves stake to another hotkey or subnet.
    MoveStake {
        origin_hotkey: AccountId,
        destination_hotkey: AccountId,
        origin_netuid: NetUid,
        destination_netuid: NetUid,
        alpha_amount: Alpha,
    },
    /// Moves stake to another subnet behind the same hotkey.
    SwapStake {
        hotkey: AccountId,
        origin_netuid: NetUid,
        destination_netuid: NetUid,
        alpha_amount: Alpha,
    },
    /// As `swap_stake`, with a limit on the ratio of the two prices, of 10⁹.
    SwapStakeLimit {
        hotkey: AccountId,
        origin_netuid: NetUid,
        destination_netuid: NetUid,
        alpha_amount: Alpha,
        limit_price: Rao,
        allow_partial: bool,
    },
    /// Gives stake to another coldkey.
    TransferStake {
        destination_coldkey: AccountId,
        hotkey: AccountId,
        origin_netuid: NetUid,
        destination_netuid: NetUid,
        alpha_amount: Alpha,
    },
    /// Destroys staked alpha; issuance falls.
    RecycleAlpha { hotkey: AccountId, amount: Alpha, netuid: NetUid },
    /// Gives up staked alpha; issuance stays.
    BurnAlpha { hotkey: AccountId, amount: Alpha, netuid: NetUid },
    /// Subnet owner: buys alpha and burns it.
    AddStakeBurn { hotkey: AccountId, netuid: NetUid, amount: Rao, limit: Option<Rao> },
    /// Sends the signer's mining incentives of a subnet to a hotkey.
    SetColdkeyAutoStakeHotkey { netuid: NetUid, hotkey: AccountId },
    /// Raises a delegate take, of 65,535.
    IncreaseTake { hotkey: AccountId, take: u16 },
    /// Lowers a delegate take, of 65,535.
    DecreaseTake { hotkey: AccountId, take: u16 },
    /// Sets a childkey take, of 65,535.
    SetChildkeyTake { hotkey: AccountId, netuid: NetUid, take: u16 },
    /// Delegates stake weight to children, each a proportion of 2⁶⁴−1, from a later epoch on.
    SetChildren { hotkey: AccountId, netuid: NetUid, children: Vec<(u64, AccountId)> },
    /// Claims root dividends of one to five subnets.
    ClaimRoot { subnets: BTreeSet<NetUid> },
    /// Says what claimed root dividends become.
    SetRootClaimType { new_root_claim_type: RootClaimType },
    /// Sets the signer's weight row on a mechanism.
    SetMechanismWeights {
        netuid: NetUid,
        mecid: u8,
        dests: Vec<u16>,
        weights: Vec<u16>,
        version_key: u64,
    },
    /// Commits the signer to a weight row by its hash.
    CommitWeights { netuid: NetUid, commit_hash: Hash32 },
    /// Opens a commit and sets its row.
    RevealWeights {
        netuid: NetUid,
        uids: Vec<u16>,
        values: Vec<u16>,
        salt: Vec<u16>,
        version_key: u64,
    },
    /// As `commit_weights`, on a mechanism.
    CommitMechanismWeights { netuid: NetUid, mecid: u8, commit_hash: Hash32 },
    /// As `reveal_weights`, on a mechanism.
    RevealMechanismWeights {
        netuid: NetUid,
        mecid: u8,
        uids: Vec<u16>,
        values: Vec<u16>,
        salt: Vec<u16>,
        version_key: u64,
    },
    /// Moves free balance; the sender keeps the existential deposit.
    TransferKeepAlive { dest: AccountId, value: Rao },
    /// Moves all free balance, or all above the existential deposit.
    TransferAll { dest: AccountId, keep_alive: bool },
    /// Creates a subnet that says who it is.
    RegisterNetworkWithIdentity { hotkey: AccountId, identity: Option<Box<SubnetIdentity>> },
    /// Registers a neuron by proof of work: `work` is the seal of `nonce` under the hash of block
    /// `block_number`, and meets the subnet's difficulty. Signed by the hotkey.
    Register {
        netuid: NetUid,
        block_number: u64,
        nonce: u64,
        work: Hash32,
        hotkey: AccountId,
        coldkey: AccountId,
    },
    /// Says who a coldkey is.
    SetIdentity(Box<ColdkeyIdentity>),
    /// Owner: says what a subnet is.
    SetSubnetIdentity { netuid: NetUid, identity: Box<SubnetIdentity> },
    /// Root: dissolves a subnet; the coldkey is not looked at.
    DissolveNetwork { coldkey: AccountId, netuid: NetUid },
    /// Puts a hotkey in another's place, on one subnet or everywhere.
    SwapHotkey { hotkey: AccountId, new_hotkey: AccountId, netuid: Option<NetUid> },
    /// Announces the hash of the coldkey that will take the signer's place.
    AnnounceColdkeySwap { new_coldkey_hash: Hash32 },
    /// Carries an announced swap out.
    SwapColdkeyAnnounced { new_coldkey: AccountId },
    /// Freezes the signer until root resets its announced swap.
    DisputeColdkeySwap,
    /// Root: forgets a coldkey's announcement and dispute.
    ResetColdkeySwap { coldkey: AccountId },
    /// Root: swaps a coldkey at once, at a cost to it.
    SwapColdkey { old_coldkey: AccountId, new_coldkey: AccountId, swap_cost: Rao },
    /// Seals a weight row until a round of the beacon.
    CommitTimelockedWeights {
        netuid: NetUid,
        #[serde(with = "crate::blob")]
        commit: Vec<u8>,
        reveal_round: u64,
        commit_reveal_version: u16,
    },
    /// As `commit_timelocked_weights`, on a mechanism.
    CommitTimelockedMechanismWeights {
        netuid: NetUid,
        mecid: u8,
        #[serde(with = "crate::blob")]
        commit: Vec<u8>,
        reveal_round: u64,
        commit_reveal_version: u16,
    },
    /// As `commit_timelocked_mechanism_weights`, of version 4.
    CommitCrv3MechanismWeights {
        netuid: NetUid,
        mecid: u8,
        #[serde(with = "crate::blob")]
        commit: Vec<u8>,
        reveal_round: u64,
    },
    /// Sets rows on mechanism 0 of several subnets; each stands or falls by itself.
    BatchSetWeights { netuids: Vec<NetUid>, weights: Vec<Vec<(u16, u16)>>, version_keys: Vec<u64> },
    /// Commits to rows on several subnets by their hashes; each stands or falls by itself.
    BatchCommitWeights { netuids: Vec<NetUid>, commit_hashes: Vec<Hash32> },
    /// Opens several commits on a subnet, all or none.
    BatchRevealWeights {
        netuid: NetUid,
        uids_list: Vec<Vec<u16>>,
        values_list: Vec<Vec<u16>>,
        salts_list: Vec<Vec<u16>>,
        version_keys: Vec<u64>,
    },
}

/// A parameter that a call of root sets, with its new value; named as the chain's `sudo_set_…`. Those
/// that say so may be set by the subnet's owner too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, IntoStaticStr, VariantNames)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case", prefix = "sudo_set_")]
#[allow(missing_docs, reason = "the names are the chain's; 30 §12 says what they are")]
pub enum Setting {
    Tempo {
        netuid: NetUid,
        value: u16,
    },
    Kappa {
        netuid: NetUid,
        value: u16,
    },
    MaxAllowedValidators {
        netuid: NetUid,
        value: u16,
    },
    WeightsSetRateLimit {
        netuid: NetUid,
        value: u64,
    },
    SubtokenEnabled {
        netuid: NetUid,
        value: bool,
    },
    NetworkRegistrationAllowed {
        netuid: NetUid,
        value: bool,
    },
    SubnetLimit {
        value: u16,
    },
    SubnetOwnerCut {
        value: u16,
    },
    StakeThreshold {
        value: u64,
    },
    NetworkRateLimit {
        value: u64,
    },
    NetworkMinLockCost {
        value: Rao,
    },
    NetworkImmunityPeriod {
        value: u64,
    },
    /// Owner or root: withheld owner incentive is recycled (true) or burned (false).
    RecycleOrBurn {
        netuid: NetUid,
        value: bool,
    },
    /// Owner or root: whether stake may be transferred.
    ToggleTransfer {
        netuid: NetUid,
        value: bool,
    },
    /// Owner or root: number of weight matrices.
    MechanismCount {
        netuid: NetUid,
        value: u8,
    },
    /// Owner or root: how emission is split between them, of 65,535; evenly if absent.
    MechanismEmissionSplit {
        netuid: NetUid,
        value: Option<Vec<u16>>,
    },
    /// Owner or root: smallest claim of root dividends.
    RootClaimThreshold {
        netuid: NetUid,
        value: Alpha,
    },
    NumRootClaims {
        value: u64,
    },
    /// In millionths of the minimum stake; raising it clears nominations below.
    NominatorMinRequiredStake {
        value: u64,
    },
    /// Share of childkey dividends burned, of 2⁶⁴−1.
    CkBurn {
        value: u64,
    },
    /// I64F64 bits.
    TaoFlowCutoff {
        value: i128,
    },
    /// U64F64 bits, one to two.
    TaoFlowNormalizationExponent {
        value: u128,
    },
    /// Of 2⁶³−1.
    TaoFlowSmoothingFactor {
        value: u64,
    },
    /// The highest delegate take.
    DefaultTake {
        value: u16,
    },
    MinDelegateTake {
        value: u16,
    },
    TxDelegateTakeRateLimit {
        value: u64,
    },
    TxChildkeyTakeRateLimit {
        value: u64,
    },
    MinChildkeyTake {
        value: u16,
    },
    MaxChildkeyTake {
        value: u16,
    },
    PendingChildkeyCooldown {
        value: u64,
    },
    /// I96F32 bits.
    SubnetMovingAlpha {
        value: i128,
    },
    EmaPriceHalvingPeriod {
        netuid: NetUid,
        value: u64,
    },
    /// Fee of a pool, of 65,535.
    FeeRate {
        netuid: NetUid,
        value: u16,
    },
    /// Blocks between swaps of hotkeys.
    TxRateLimit {
        value: u64,
    },
    ColdkeySwapAnnouncementDelay {
        value: u64,
    },
    ColdkeySwapReannouncementDelay {
        value: u64,
    },
    /// The version that timelocked commits must have.
    CommitRevealVersion {
        value: u16,
    },
    ServingRateLimit {
        netuid: NetUid,
        value: u64,
    },
    MinDifficulty {
        netuid: NetUid,
        value: u64,
    },
    MaxDifficulty {
        netuid: NetUid,
        value: u64,
    },
    WeightsVersionKey {
        netuid: NetUid,
        value: u64,
    },
    AdjustmentInterval {
        netuid: NetUid,
        value: u16,
    },
    /// Of 2⁶⁴−1.
    AdjustmentAlpha {
        netuid: NetUid,
        value: u64,
    },
    ImmunityPeriod {
        netuid: NetUid,
        value: u16,
    },
    MinAllowedWeights {
        netuid: NetUid,
        value: u16,
    },
    MaxAllowedUids {
        netuid: NetUid,
        value: u16,
    },
    Rho {
        netuid: NetUid,
        value: u16,
    },
    ActivityCutoff {
        netuid: NetUid,
        value: u16,
    },
    NetworkPowRegistrationAllowed {
        netuid: NetUid,
        value: bool,
    },
    TargetRegistrationsPerInterval {
        netuid: NetUid,
        value: u16,
    },
    MinBurn {
        netuid: NetUid,
        value: Rao,
    },
    MaxBurn {
        netuid: NetUid,
        value: Rao,
    },
    Difficulty {
        netuid: NetUid,
        value: u64,
    },
    /// In millionths.
    BondsMovingAverage {
        netuid: NetUid,
        value: u64,
    },
    /// Of 65,535.
    BondsPenalty {
        netuid: NetUid,
        value: u16,
    },
    MaxRegistrationsPerBlock {
        netuid: NetUid,
        value: u16,
    },
    /// The statistic of what registrations recycled.
    RaoRecycled {
        netuid: NetUid,
        value: Rao,
    },
    CommitRevealWeightsEnabled {
        netuid: NetUid,
        value: bool,
    },
    /// In epochs.
    CommitRevealWeightsInterval {
        netuid: NetUid,
        value: u64,
    },
    LiquidAlphaEnabled {
        netuid: NetUid,
        value: bool,
    },
    /// Of 65,535.
    AlphaValues {
        netuid: NetUid,
        low: u16,
        high: u16,
    },
    /// In hundredths.
    AlphaSigmoidSteepness {
        netuid: NetUid,
        value: i16,
    },
    Yuma3Enabled {
        netuid: NetUid,
        value: bool,
    },
    BondsResetEnabled {
        netuid: NetUid,
        value: bool,
    },
    OwnerImmuneNeuronLimit {
        netuid: NetUid,
        value: u16,
    },
    MinNonImmuneUids {
        netuid: NetUid,
        value: u16,
    },
    MinAllowedUids {
        netuid: NetUid,
        value: u16,
    },
    /// The chain has a second name for it, `sudo_set_subnet_owner_hotkey`.
    SnOwnerHotkey {
        netuid: NetUid,
        value: AccountId,
    },
    /// Lowers the number of uids and removes the neurons beyond it.
    TrimToMaxAllowedUids {
        netuid: NetUid,
        value: u16,
    },
    /// The chain's call is `update_symbol`.
    Symbol {
        netuid: NetUid,
        value: String,
    },
    TotalIssuance {
        value: Rao,
    },
    LockReductionInterval {
        value: u64,
    },
    DissolveNetworkScheduleDuration {
        value: u64,
    },
    AdminFreezeWindow {
        value: u16,
    },
    /// In tempos.
    OwnerHparamRateLimit {
        value: u16,
    },
    StartCallDelay {
        value: u64,
    },
    MaxMechanismCount {
        value: u8,
    },
}

impl Setting {
    /// Calls whose name is not `sudo_set_` and the setting.
    const OTHER_NAMES: &'static [(&'static str, &'static str)] = &[
        ("sudo_set_fee_rate", "set_fee_rate"),
        ("sudo_set_pending_childkey_cooldown", "set_pending_childkey_cooldown"),
        ("sudo_set_trim_to_max_allowed_uids", "sudo_trim_to_max_allowed_uids"),
        ("sudo_set_symbol", "update_symbol"),
    ];

    /// The chain's name of the call.
    pub fn name(&self) -> &'static str {
        Self::called(self.into())
    }

    /// The chain's names of all settings there are.
    pub fn names() -> impl Iterator<Item = &'static str> {
        Self::VARIANTS.iter().copied().map(Self::called)
    }

    fn called(name: &'static str) -> &'static str {
        let other = Self::OTHER_NAMES.iter().find(|(regular, _)| *regular == name);
        other.map_or(name, |(_, other)| other)
    }
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
    /// The class by which a block takes calls, higher first: those of one class in order of arrival
    /// (30 §14.2). Tips do not matter.
    pub const fn priority(&self) -> u64 {
        match self {
            Self::AddStakeBurn { .. } => 101,
            _ => 1,
        }
    }

    /// The chain's name of the call.
    pub fn name(&self) -> &'static str {
        match self {
            Self::SudoSet(setting) => setting.name(),
            other => other.into(),
        }
    }
}
