//! Events: facts in the past tense. They carry results, so that history never depends on formulas.
//!
//! Calls emit one event per fact; a phase of the block step and an epoch emit one columnar event
//! each. Append variants only: their position is part of every log. Amounts are checked deltas;
//! fixed-point values are new raw bits.

use crate::rejection::Rejection;
use crate::rules::Rules;
use crate::state::{
    Axon, ColdkeyIdentity, Commit, Leak, RootClaimType, Row, Stamp, SubnetIdentity,
};
use crate::units::{AccountId, Alpha, Hash32, Height, NetUid, Rao};
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantArray, VariantNames};

/// A public fact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, IntoStaticStr, VariantNames)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
#[allow(missing_docs, reason = "fields are named for what they hold; units are their types")]
pub enum Event {
    /// A block began.
    BlockOpened { height: Height },
    /// Stake added in the block may leave from the next one on.
    StakeMarkersCleared,
    /// A call was included: its signer's nonce moved on.
    CallIncluded { signer: AccountId, nonce: u32 },
    /// The rules were switched.
    RulesSwitched { rules: Rules },
    /// A parameter has a new value.
    ParameterSet { netuid: Option<NetUid>, name: Parameter, value: u128 },

    /// Free balance left an account.
    BalanceWithdrawn { account: AccountId, amount: Rao },
    /// Free balance came to an account.
    BalanceCredited { account: AccountId, amount: Rao },
    /// An account below the existential deposit was removed.
    AccountReaped { account: AccountId, dust: Rao },
    /// TAO left the issuance.
    IssuanceRecycled { amount: Rao },
    /// A leak of the reference, booked to its ledger.
    LeakBooked { leak: Leak, amount: i64 },

    /// A hotkey got its owner.
    HotkeyAssociated { hotkey: AccountId, coldkey: AccountId },
    /// A hotkey's delegate take.
    DelegateTakeSet { hotkey: AccountId, take: u16 },
    /// A coldkey may hold stake on a hotkey.
    StakingHotkeyListed { coldkey: AccountId, hotkey: AccountId },
    /// A root staker got its index.
    RootStakerIndexed { coldkey: AccountId, index: u64 },

    /// A subnet was registered and its pool filled.
    SubnetRegistered(Box<SubnetRegistered>),
    /// A subnet was erased and its pot settled; credits to the holders follow.
    SubnetDissolved(Box<SubnetDissolved>),
    /// A subnet may trade and emit.
    SubnetStarted { netuid: NetUid, first_emission: u64 },
    /// A neuron took a uid: a new one, or that of `replaced`.
    NeuronPlaced {
        netuid: NetUid,
        uid: u16,
        hotkey: AccountId,
        replaced: Option<AccountId>,
        via: Via,
    },
    /// A registration counted towards the limits; `price` is the nominal one.
    RegistrationCounted { netuid: NetUid, via: Via, price: Rao },
    /// Burn and difficulty were adjusted, interval counters restarted.
    RegistrationTermsAdjusted { netuids: Vec<NetUid>, burn: Vec<Rao>, difficulty: Vec<u64> },
    /// The per-block registration counters restarted.
    RegistrationCountersCleared { netuids: Vec<NetUid> },

    /// A pool served an order. Reserves are deltas, price and liquidity new values.
    PoolSwapped(Box<PoolSwapped>),
    /// Alpha outside the pool was destroyed.
    AlphaDestroyed { netuid: NetUid, amount: Alpha },
    /// A holder's stake changed: alpha by a delta, shares to new values.
    ShareChanged {
        netuid: NetUid,
        hotkey: AccountId,
        coldkey: AccountId,
        alpha: i64,
        shares: u128,
        share: u128,
    },
    /// Net staking flow, in rao.
    FlowRecorded { netuid: NetUid, by: i64 },
    /// Stake came in this block, so it cannot leave in it.
    StakeMarked { hotkey: AccountId, coldkey: AccountId, netuid: NetUid },
    /// Claims were kept neutral while root stake changed: new totals.
    RootClaimedSet {
        hotkey: AccountId,
        coldkey: AccountId,
        netuids: Vec<NetUid>,
        claimed: Vec<u128>,
    },
    /// TAO became stake. A headline: the facts above moved the amounts.
    StakeAdded {
        coldkey: AccountId,
        hotkey: AccountId,
        netuid: NetUid,
        tao: Rao,
        alpha: Alpha,
        fee: Rao,
    },
    /// Stake became TAO. A headline: the facts above moved the amounts.
    StakeRemoved {
        coldkey: AccountId,
        hotkey: AccountId,
        netuid: NetUid,
        tao: Rao,
        alpha: Alpha,
        fee: Alpha,
    },

    /// A validator's row was stored.
    WeightsSet {
        netuid: NetUid,
        mechanism: u8,
        uid: u16,
        #[serde(with = "crate::row::one")]
        row: Row,
        last_update: Option<u64>,
    },
    /// An endpoint was published.
    AxonServed { netuid: NetUid, hotkey: AccountId, axon: Axon },

    /// Flow averages and emission shares of the block.
    EmissionShared(Box<EmissionShared>),
    /// TAO and alpha went into the pools.
    EmissionInjected(Box<EmissionInjected>),
    /// Alpha was minted into the pots.
    EmissionAccrued(Box<EmissionAccrued>),
    /// Subnets at their epoch slot gave up their pots.
    PotsDrained(Box<PotsDrained>),
    /// Moving prices and root proportions of the block.
    PricesAveraged { netuids: Vec<NetUid>, moving_price: Vec<i128>, root_proportion: Vec<u128> },
    /// A subnet's epoch: consensus, permits, bonds.
    EpochRun(Box<EpochRun>),
    /// A subnet's pots were paid out.
    EpochPaid(Box<EpochPaid>),

    /// An owner changed a delegate take; the block counts for the rate limit.
    DelegateTakeChanged { coldkey: AccountId, hotkey: AccountId, take: u16 },
    /// A childkey take was ordered; the block counts for the rate limit.
    ChildkeyTakeSet { hotkey: AccountId, netuid: NetUid, take: u16 },
    /// Children were ordered; they take effect at the first epoch slot after `apply_block`.
    ChildrenScheduled {
        hotkey: AccountId,
        netuid: NetUid,
        apply_block: u64,
        children: Vec<(u64, AccountId)>,
    },
    /// Ordered children took effect: the lists as they are now, both sorted.
    ChildrenSet {
        hotkey: AccountId,
        netuid: NetUid,
        children: Vec<(u64, AccountId)>,
        parents: Vec<(u64, AccountId)>,
    },
    /// Ordered children will not take effect.
    ChildrenDiscarded { hotkey: AccountId, netuid: NetUid },
    /// Where a coldkey's mining incentives of a subnet are staked.
    AutoStakeDestinationSet { coldkey: AccountId, netuid: NetUid, hotkey: AccountId },
    /// What a coldkey's claims of root dividends become.
    RootClaimTypeSet { coldkey: AccountId, root_claim_type: RootClaimType },
    /// Root dividends were claimed: `alpha` of them, sold for `tao` or kept.
    RootDividendsClaimed {
        coldkey: AccountId,
        hotkey: AccountId,
        netuid: NetUid,
        alpha: Alpha,
        tao: Option<Rao>,
    },
    /// A coldkey asked for its root dividends. A headline: the facts above moved the amounts.
    RootClaimed { coldkey: AccountId },
    /// The block's automatic claims were made for these coldkeys, whether or not anything was owed.
    RootClaimsVisited { coldkeys: Vec<AccountId> },
    /// The search for root stakers went on to `last`, or ended its pass, and gave the next indices.
    RootStakersSearched { last: Option<(AccountId, AccountId, NetUid)>, indexed: Vec<AccountId> },
    /// Stake moved to another hotkey or subnet. A headline.
    StakeMoved {
        coldkey: AccountId,
        origin_hotkey: AccountId,
        origin_netuid: NetUid,
        destination_hotkey: AccountId,
        destination_netuid: NetUid,
        tao: Rao,
    },
    /// Stake moved to another subnet. A headline.
    StakeSwapped {
        coldkey: AccountId,
        hotkey: AccountId,
        origin_netuid: NetUid,
        destination_netuid: NetUid,
        tao: Rao,
    },
    /// Stake was given to another coldkey. A headline.
    StakeTransferred {
        origin_coldkey: AccountId,
        destination_coldkey: AccountId,
        hotkey: AccountId,
        origin_netuid: NetUid,
        destination_netuid: NetUid,
        tao: Rao,
    },
    /// Staked alpha was destroyed. A headline.
    AlphaRecycled { coldkey: AccountId, hotkey: AccountId, alpha: Alpha, netuid: NetUid },
    /// Staked alpha was given up and is nobody's. A headline.
    AlphaBurned { coldkey: AccountId, hotkey: AccountId, alpha: Alpha, netuid: NetUid },
    /// A subnet's owner bought alpha and burned it. A headline.
    AddStakeBurned { netuid: NetUid, hotkey: AccountId, amount: Rao, alpha: Alpha },
    /// A rate-limited order was carried out in this block.
    Stamped { netuid: NetUid, stamp: Stamp },
    /// A subnet has another number of weight matrices; those beyond are erased, the split too.
    MechanismCountSet { netuid: NetUid, count: u8 },
    /// How a subnet splits emission between its mechanisms; evenly if absent.
    MechanismSplitSet { netuid: NetUid, split: Option<Vec<u16>> },
    /// A transaction fee was paid. A headline.
    FeePaid { payer: AccountId, amount: Rao },
    /// A hotkey committed to a weight row; `dropped` commits before it could no longer be opened.
    WeightsCommitted {
        hotkey: AccountId,
        netuid: NetUid,
        mechanism: u8,
        uid: u16,
        commit: Commit,
        dropped: u32,
    },
    /// A commit was opened; it went with those before it, `removed` in all.
    WeightsRevealed { hotkey: AccountId, netuid: NetUid, mechanism: u8, hash: Hash32, removed: u32 },
    /// The block's entropy, which proofs of work of the next blocks build upon.
    EntropyDrawn { entropy: Hash32 },
    /// A subnet has another token symbol.
    SymbolUpdated { netuid: NetUid, symbol: String },
    /// A subnet says what it is.
    SubnetIdentitySet { netuid: NetUid, identity: Box<SubnetIdentity> },
    /// A coldkey says who it is.
    ColdkeyIdentitySet { coldkey: AccountId, identity: Box<ColdkeyIdentity> },
    /// A hotkey took another's place, on one subnet or everywhere: ownership, takes and timers. What it
    /// has on subnets moves by the facts that follow.
    HotkeySwapped {
        coldkey: AccountId,
        old_hotkey: AccountId,
        new_hotkey: AccountId,
        netuid: Option<NetUid>,
    },
    /// Everything a subnet keeps under a hotkey is another's now.
    HotkeyMoved(Box<HotkeyMoved>),
    /// A hotkey took another's place in lists of hotkeys that coldkeys stake on.
    StakingHotkeyReplaced { old_hotkey: AccountId, new_hotkey: AccountId, coldkeys: Vec<AccountId> },
    /// Hotkey swaps on a subnet are so long ago that they limit nobody any more.
    HotkeySwapsForgotten { netuid: NetUid, coldkeys: Vec<AccountId> },
    /// A coldkey will be swapped for another, known by its hash; until then it may do little else.
    ColdkeySwapAnnounced { coldkey: AccountId, hash: Hash32, executable_at: u64 },
    /// A coldkey's announced swap is disputed; the coldkey may do nothing until root resets it.
    ColdkeySwapDisputed { coldkey: AccountId },
    /// Announcement and dispute of a coldkey swap are gone: it was carried out, or root reset it.
    ColdkeySwapCleared { coldkey: AccountId },
    /// Everything that was a coldkey's is another's now, but for free balance, which facts of its own
    /// move.
    ColdkeySwapped(Box<ColdkeySwapped>),
    /// The chain has the beacon's pulses up to `last`, and keeps those from `oldest` on.
    BeaconRoundsStored { oldest: u64, last: u64 },
    /// A hotkey sealed a weight row, known by the hash of its bytes. It waits under an epoch.
    TimelockedWeightsCommitted {
        hotkey: AccountId,
        netuid: NetUid,
        mechanism: u8,
        uid: u16,
        hash: Hash32,
        epoch: u64,
        reveal_round: u64,
    },
    /// The chain opened a sealed row, the one at `place` of those left in its queue, and set it.
    TimelockedWeightsRevealed {
        hotkey: AccountId,
        netuid: NetUid,
        mechanism: u8,
        hash: Hash32,
        epoch: u64,
        place: u32,
    },
    /// The chain opened a sealed row and could not set it. The chain says nothing of this.
    TimelockedCommitDropped {
        hotkey: AccountId,
        netuid: NetUid,
        mechanism: u8,
        hash: Hash32,
        epoch: u64,
        place: u32,
        reason: DropReason,
    },
    /// The sealed rows of an epoch were not opened in time. The chain says nothing of this.
    TimelockedCommitsExpired { netuid: NetUid, mechanism: u8, epoch: u64, commits: u32 },
    /// Several commits were opened, each by itself, after the first `expired` were dropped.
    WeightsBatchRevealed { hotkey: AccountId, netuid: NetUid, hashes: Vec<Hash32>, expired: u32 },
    /// Some items of a batch failed. A headline.
    BatchCompletedWithErrors { hotkey: AccountId },
    /// An item of a batch failed. A headline.
    BatchWeightItemFailed { hotkey: AccountId, netuid: NetUid, reason: Rejection },
    /// A batch of weights or commits was worked through. A headline.
    BatchWeightsCompleted { hotkey: AccountId, netuids: Vec<NetUid> },
    /// A subnet has `max_n` uids at most. Neurons were removed, ascending by uid; those left took the
    /// uids from 0 on, in the same order.
    NeuronsTrimmed { netuid: NetUid, max_n: u16, removed: Vec<(u16, AccountId)> },
    /// A subnet's owner has another hotkey there.
    SubnetOwnerHotkeySet { netuid: NetUid, hotkey: AccountId },
}

/// Why a sealed row that was opened was not set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DropReason {
    /// Its bytes are no row.
    Unreadable,
    /// It names another hotkey than the one that committed it.
    OtherHotkey,
    /// Its row may not be set.
    Rejected(Rejection),
}

/// How a neuron came to its uid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Via {
    /// The subnet's founder.
    Founder,
    /// Burned registration.
    Burn,
    /// Proof of work.
    Work,
    /// Root registration.
    Root,
}

/// A parameter by name; the value's meaning is the parameter's.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the names are the chain's; 30 §12 says what they are")]
pub enum Parameter {
    Tempo,
    Kappa,
    MaxAllowedValidators,
    WeightsSetRateLimit,
    SubtokenEnabled,
    NetworkRegistrationAllowed,
    SubnetLimit,
    SubnetOwnerCut,
    StakeThreshold,
    NetworkRateLimit,
    NetworkMinLockCost,
    NetworkImmunityPeriod,
    RecycleOrBurn,
    TransferToggle,
    RootClaimThreshold,
    NumRootClaims,
    NominatorMinRequiredStake,
    ChildkeyBurn,
    FlowCutoff,
    FlowNormExponent,
    FlowSmoothing,
    MaxDelegateTake,
    MinDelegateTake,
    TxDelegateTakeRateLimit,
    TxChildkeyTakeRateLimit,
    MinChildkeyTake,
    MaxChildkeyTake,
    PendingChildkeyCooldown,
    SubnetMovingAlpha,
    EmaPriceHalvingBlocks,
    FeeRate,
    TxRateLimit,
    ColdkeySwapAnnouncementDelay,
    ColdkeySwapReannouncementDelay,
    CommitRevealVersion,
    ServingRateLimit,
    MinDifficulty,
    MaxDifficulty,
    WeightsVersionKey,
    AdjustmentInterval,
    AdjustmentAlpha,
    ImmunityPeriod,
    MinAllowedWeights,
    MaxAllowedUids,
    Rho,
    ActivityCutoff,
    PowRegistrationAllowed,
    TargetRegistrationsPerInterval,
    MinBurn,
    MaxBurn,
    Difficulty,
    BondsMovingAverage,
    BondsPenalty,
    MaxRegistrationsPerBlock,
    RaoRecycled,
    CommitRevealEnabled,
    RevealPeriod,
    LiquidAlphaEnabled,
    AlphaLow,
    AlphaHigh,
    AlphaSigmoidSteepness,
    Yuma3Enabled,
    BondsResetEnabled,
    ImmuneOwnerUidsLimit,
    MinNonImmuneUids,
    MinAllowedUids,
    TotalIssuance,
    NetworkLockReductionInterval,
    DissolveNetworkScheduleDuration,
    AdminFreezeWindow,
    OwnerHyperparamRateLimit,
    StartCallDelay,
    MaxMechanismCount,
}

impl Parameter {
    /// Every parameter there is.
    pub const ALL: &'static [Self] = Self::VARIANTS;
}

/// See [`Event::SubnetRegistered`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "fields are named for what they hold; units are their types")]
pub struct SubnetRegistered {
    pub netuid: NetUid,
    pub owner: AccountId,
    pub owner_hotkey: AccountId,
    pub symbol: String,
    /// What the owner paid.
    pub locked: Rao,
    /// TAO and alpha of the new pool.
    pub pool: u64,
    /// What was recycled of the payment.
    pub recycled: Rao,
}

/// Why a subnet was dissolved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// It made room for another.
    #[default]
    Prune,
    /// Root ordered it.
    Root,
}

/// See [`Event::SubnetDissolved`]; columns have one entry per holder, in order of settlement.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "fields are named for what they hold; units are their types")]
pub struct SubnetDissolved {
    pub netuid: NetUid,
    pub cause: Cause,
    /// The TAO reserve that was shared out.
    pub pot: Rao,
    /// What the owner of a subnet older than the registration start gets back of its lock.
    pub refund: Rao,
    /// Root dividends that nobody claimed in time, in the smallest unit of alpha.
    pub forfeited_claims: i64,
    /// Emission that was waiting for an epoch.
    pub forfeited_pots: Alpha,
    pub hotkeys: Vec<AccountId>,
    pub coldkeys: Vec<AccountId>,
    /// What each held.
    pub alpha: Vec<Alpha>,
    /// What each gets.
    pub tao: Vec<Rao>,
}

/// See [`Event::HotkeyMoved`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "fields are named for what they hold; units are their types")]
pub struct HotkeyMoved {
    pub netuid: NetUid,
    pub old_hotkey: AccountId,
    pub new_hotkey: AccountId,
    /// The uid that changed hands, if there is one.
    pub uid: Option<u16>,
    /// Children of the new hotkey, (proportion of 2⁶⁴−1, account).
    pub children: Vec<(u64, AccountId)>,
    /// Parents of the new hotkey.
    pub parents: Vec<(u64, AccountId)>,
    /// Coldkeys whose mining income follows the hotkey.
    pub auto_stakers: Vec<AccountId>,
    /// Who held stake behind it.
    pub holders: Vec<AccountId>,
    /// How much each.
    pub alpha: Vec<Alpha>,
}

/// See [`Event::ColdkeySwapped`]; columns have one entry per position.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "fields are named for what they hold; units are their types")]
pub struct ColdkeySwapped {
    pub old_coldkey: AccountId,
    pub new_coldkey: AccountId,
    /// Where each position that went over is.
    pub netuids: Vec<NetUid>,
    /// Behind whom.
    pub hotkeys: Vec<AccountId>,
    /// What it holds.
    pub alpha: Vec<Alpha>,
}

/// See [`Event::PoolSwapped`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "fields are named for what they hold; units are their types")]
pub struct PoolSwapped {
    pub netuid: NetUid,
    /// Change of the TAO reserve.
    pub tao: i64,
    /// Change of the alpha reserve.
    pub alpha_in: i64,
    /// Change of the alpha outside the pool.
    pub alpha_out: i64,
    /// Change of the chain's staked-TAO counter.
    pub total_stake: i64,
    pub volume: u64,
    pub initialized: bool,
    pub sqrt_price: u128,
    pub liquidity: u64,
    pub position_liquidity: u64,
    pub net_liquidity: u64,
}

/// See [`Event::EmissionShared`]; one entry per eligible subnet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "columns are named for what they hold")]
pub struct EmissionShared {
    /// TAO the curve allows this block.
    pub block_emission: Rao,
    pub netuids: Vec<NetUid>,
    /// I64F64 bits.
    pub flow_average: Vec<i128>,
    /// U64F64 bits.
    pub share: Vec<u128>,
}

/// See [`Event::EmissionInjected`]; one entry per eligible subnet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "columns are named for what they hold")]
pub struct EmissionInjected {
    pub netuids: Vec<NetUid>,
    pub tao_in: Vec<Rao>,
    pub alpha_in: Vec<Alpha>,
    /// TAO meant for the chain buy.
    pub excess: Vec<Rao>,
    /// TAO the chain buy put into the pool.
    pub bought_with: Vec<Rao>,
    /// Alpha bought and destroyed.
    pub bought: Vec<Alpha>,
    pub initialized: Vec<bool>,
    pub sqrt_price: Vec<u128>,
    pub liquidity: Vec<u64>,
    pub position_liquidity: Vec<u64>,
    pub net_liquidity: Vec<u64>,
    pub scrap_tao: Vec<u64>,
    pub scrap_alpha: Vec<u64>,
    /// Growth of the issuance.
    pub issued: Rao,
    /// Growth of the chain's staked-TAO counter.
    pub staked: Rao,
}

/// See [`Event::EmissionAccrued`]; one entry per eligible subnet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "columns are named for what they hold")]
pub struct EmissionAccrued {
    pub netuids: Vec<NetUid>,
    pub minted: Vec<Alpha>,
    pub owner: Vec<Alpha>,
    pub server: Vec<Alpha>,
    pub validator: Vec<Alpha>,
    /// Root's part, to its pot.
    pub root: Vec<Alpha>,
    /// Root's part, recycled while root may not sell.
    pub recycled: Vec<Alpha>,
    /// What the chain's informational `BlockEmission` reads after the block step (quirk Q1).
    pub block_emission: Rao,
}

/// See [`Event::PotsDrained`]; one entry per subnet at its slot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "columns are named for what they hold")]
pub struct PotsDrained {
    pub netuids: Vec<NetUid>,
    pub server: Vec<Alpha>,
    pub validator: Vec<Alpha>,
    pub root: Vec<Alpha>,
    pub owner: Vec<Alpha>,
}

/// See [`Event::EpochRun`]; columns are indexed by uid.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "columns are named for what they hold")]
pub struct EpochRun {
    pub netuid: NetUid,
    pub active: Vec<bool>,
    pub emission: Vec<Alpha>,
    pub consensus: Vec<u16>,
    pub dividends: Vec<u16>,
    pub validator_trust: Vec<u16>,
    pub validator_permit: Vec<bool>,
    pub stake_weight: Vec<u16>,
    /// What the miners' half gives each uid before owner keys are withheld.
    pub server_emission: Vec<Alpha>,
    /// What the validators' half gives each uid: weights of the payout.
    pub validator_emission: Vec<Alpha>,
    /// One entry per mechanism.
    pub incentive: Vec<Vec<u16>>,
    /// One entry per mechanism; uids without bonds have empty rows.
    #[serde(with = "crate::row::matrices")]
    pub bonds: Vec<Vec<Row>>,
}

/// See [`Event::EpochPaid`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "columns are named for what they hold")]
pub struct EpochPaid {
    pub netuid: NetUid,
    /// Hotkeys whose pool changed.
    pub hotkeys: Vec<AccountId>,
    /// Alpha the pool gained.
    pub alpha: Vec<Alpha>,
    /// New sum of shares, U64F64 bits.
    pub shares: Vec<u128>,
    /// Index into `hotkeys` of each changed holder.
    pub holder_of: Vec<u32>,
    /// Its coldkey.
    pub holders: Vec<AccountId>,
    /// Its new shares, U64F64 bits.
    pub holder_shares: Vec<u128>,
    /// (coldkey, hotkey) pairs new to the coldkey's staking list, in order.
    pub listed: Vec<(AccountId, AccountId)>,
    /// Hotkeys with dividends, ascending.
    pub dividend_hotkeys: Vec<AccountId>,
    /// Alpha dividends after take.
    pub dividend_alpha: Vec<Alpha>,
    /// Root alpha dividends after take.
    pub dividend_root: Vec<Alpha>,
    /// The pool's alpha right after its alpha dividend, absent where there is none.
    pub alpha_last_epoch: Vec<Option<Alpha>>,
    /// Hotkeys credited with root dividends, and those that the payout considers for the first time.
    pub claim_hotkeys: Vec<AccountId>,
    /// New rate, I96F32 bits.
    pub claim_rates: Vec<i128>,
    /// Root alpha credited to claimants.
    pub claimable: Alpha,
    /// Alpha destroyed: recycled owner incentive, childkey burn.
    pub recycled: Alpha,
    /// Owner incentive withheld and left unowned.
    pub withheld: Alpha,
    /// Paid to the owner.
    pub owner_cut: Alpha,
}

/// Facts that must not reach a player before they are revealed. Another type, without a way
/// towards hosts: frames keep them in a book of their own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, IntoStaticStr, VariantNames)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Sealed {
    /// The payload behind a commit, by the hash that the public event shows.
    CommitPayload {
        /// BLAKE2b-256 of the payload.
        commit: crate::units::Hash32,
        /// The sealed bytes.
        #[serde(with = "crate::blob")]
        payload: Vec<u8>,
    },
}

impl Event {
    /// The kind as logs, filters and metrics write it.
    pub fn kind(&self) -> &'static str {
        self.into()
    }

    /// Every kind there is.
    pub const fn kinds() -> &'static [&'static str] {
        Self::VARIANTS
    }
}

impl Sealed {
    /// The kind as logs write it.
    pub fn kind(&self) -> &'static str {
        self.into()
    }

    /// Every kind there is.
    pub const fn kinds() -> &'static [&'static str] {
        Self::VARIANTS
    }
}
