//! The bytes of every word that a log can hold. They are a promise: a line of `codec.golden` that changes is a new
//! format. A new variant does not compile until it is listed here.

use protocol::call::{Call, Origin, Setting};
use protocol::event::{
    Cause, ColdkeySwapped, DropReason, EmissionAccrued, EmissionInjected, EmissionShared,
    EpochPaid, EpochRun, Event, HotkeyMoved, Parameter, PoolSwapped, PotsDrained, Sealed,
    SubnetDissolved, SubnetRegistered, Via,
};
use protocol::frame::{CallRecord, Facts, Frame, Header, Messages, RefusedCount};
use protocol::rejection::{Outcome, Refusal, Rejection};
use protocol::rules::Rules;
use protocol::state::{
    Account, Axon, Coldkey, ColdkeyIdentity, Commit, Hotkey, HotkeyPool, Leak, Links, Mechanism,
    PendingChildren, RootClaimType, Stamp, State, Subnet, SubnetIdentity, TimelockedCommit,
};
use protocol::units::{AccountId, Alpha, Hash32, Height, NetUid, PlayerId, Rao};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Write;
use storage::codec::{decode, encode};
use storage::columns;

const A: AccountId = AccountId([0xa1; 32]);
const B: AccountId = AccountId([0xb2; 32]);
const N: NetUid = NetUid(7);

fn subnet_identity() -> Box<SubnetIdentity> {
    let text = |text: &str| text.to_owned();
    Box::new(SubnetIdentity {
        subnet_name: text("n"),
        github_repo: text("g"),
        subnet_contact: text("c"),
        subnet_url: text("u"),
        discord: text("d"),
        description: text("t"),
        logo_url: text("l"),
        additional: text("a"),
    })
}

fn coldkey_identity() -> Box<ColdkeyIdentity> {
    let text = |text: &str| text.to_owned();
    Box::new(ColdkeyIdentity {
        name: text("n"),
        url: text("u"),
        github_repo: text("g"),
        image: text("i"),
        discord: text("d"),
        description: text("t"),
        additional: text("a"),
    })
}

fn calls() -> Vec<Call> {
    let calls = vec![
        Call::TransferAllowDeath { dest: A, value: Rao(1) },
        Call::RegisterNetwork { hotkey: A },
        Call::StartCall { netuid: N },
        Call::BurnedRegister { netuid: N, hotkey: A },
        Call::RootRegister { hotkey: A },
        Call::AddStake { hotkey: A, netuid: N, amount_staked: Rao(2) },
        Call::RemoveStake { hotkey: A, netuid: N, amount_unstaked: Alpha(3) },
        Call::SetWeights { netuid: N, dests: vec![1, 2], weights: vec![3, 4], version_key: 5 },
        Call::ServeAxon {
            netuid: N,
            version: 1,
            ip: 2,
            port: 3,
            ip_type: 4,
            protocol: 5,
            placeholder1: 6,
            placeholder2: 7,
        },
        Call::SudoSet(Setting::Tempo { netuid: N, value: 8 }),
        Call::RootDissolveNetwork { netuid: N },
        Call::SwitchRules { rules: Rules::default() },
        Call::TryAssociateHotkey { hotkey: A },
        Call::AddStakeLimit {
            hotkey: A,
            netuid: N,
            amount_staked: Rao(1),
            limit_price: Rao(2),
            allow_partial: true,
        },
        Call::RemoveStakeLimit {
            hotkey: A,
            netuid: N,
            amount_unstaked: Alpha(1),
            limit_price: Rao(2),
            allow_partial: false,
        },
        Call::RemoveStakeFullLimit { hotkey: A, netuid: N, limit_price: Some(Rao(1)) },
        Call::UnstakeAll { hotkey: A },
        Call::UnstakeAllAlpha { hotkey: A },
        Call::MoveStake {
            origin_hotkey: A,
            destination_hotkey: B,
            origin_netuid: N,
            destination_netuid: NetUid(8),
            alpha_amount: Alpha(1),
        },
        Call::SwapStake {
            hotkey: A,
            origin_netuid: N,
            destination_netuid: NetUid(8),
            alpha_amount: Alpha(1),
        },
        Call::SwapStakeLimit {
            hotkey: A,
            origin_netuid: N,
            destination_netuid: NetUid(8),
            alpha_amount: Alpha(1),
            limit_price: Rao(2),
            allow_partial: true,
        },
        Call::TransferStake {
            destination_coldkey: B,
            hotkey: A,
            origin_netuid: N,
            destination_netuid: NetUid(8),
            alpha_amount: Alpha(1),
        },
        Call::RecycleAlpha { hotkey: A, amount: Alpha(1), netuid: N },
        Call::BurnAlpha { hotkey: A, amount: Alpha(1), netuid: N },
        Call::AddStakeBurn { hotkey: A, netuid: N, amount: Rao(1), limit: None },
        Call::SetColdkeyAutoStakeHotkey { netuid: N, hotkey: A },
        Call::IncreaseTake { hotkey: A, take: 1 },
        Call::DecreaseTake { hotkey: A, take: 1 },
        Call::SetChildkeyTake { hotkey: A, netuid: N, take: 1 },
        Call::SetChildren { hotkey: A, netuid: N, children: vec![(1, B)] },
        Call::ClaimRoot { subnets: [N, NetUid(8)].into() },
        Call::SetRootClaimType { new_root_claim_type: RootClaimType::KeepSubnets([N].into()) },
        Call::SetMechanismWeights {
            netuid: N,
            mecid: 1,
            dests: vec![1, 2],
            weights: vec![3, 4],
            version_key: 5,
        },
        Call::CommitWeights { netuid: N, commit_hash: Hash32([1; 32]) },
        Call::RevealWeights {
            netuid: N,
            uids: vec![1],
            values: vec![2],
            salt: vec![3],
            version_key: 4,
        },
        Call::CommitMechanismWeights { netuid: N, mecid: 1, commit_hash: Hash32([1; 32]) },
        Call::RevealMechanismWeights {
            netuid: N,
            mecid: 1,
            uids: vec![1],
            values: vec![2],
            salt: vec![3],
            version_key: 4,
        },
        Call::TransferKeepAlive { dest: A, value: Rao(1) },
        Call::TransferAll { dest: A, keep_alive: true },
        Call::RegisterNetworkWithIdentity { hotkey: A, identity: Some(subnet_identity()) },
        Call::Register {
            netuid: N,
            block_number: 1,
            nonce: 2,
            work: Hash32([3; 32]),
            hotkey: A,
            coldkey: B,
        },
        Call::SetIdentity(coldkey_identity()),
        Call::SetSubnetIdentity { netuid: N, identity: subnet_identity() },
        Call::DissolveNetwork { coldkey: A, netuid: N },
        Call::SwapHotkey { hotkey: A, new_hotkey: B, netuid: Some(N) },
        Call::AnnounceColdkeySwap { new_coldkey_hash: Hash32([1; 32]) },
        Call::SwapColdkeyAnnounced { new_coldkey: A },
        Call::DisputeColdkeySwap,
        Call::ResetColdkeySwap { coldkey: A },
        Call::SwapColdkey { old_coldkey: A, new_coldkey: B, swap_cost: Rao(1) },
        Call::CommitTimelockedWeights {
            netuid: N,
            commit: vec![1, 2],
            reveal_round: 3,
            commit_reveal_version: 4,
        },
        Call::CommitTimelockedMechanismWeights {
            netuid: N,
            mecid: 1,
            commit: vec![1, 2],
            reveal_round: 3,
            commit_reveal_version: 4,
        },
        Call::CommitCrv3MechanismWeights {
            netuid: N,
            mecid: 1,
            commit: vec![1, 2],
            reveal_round: 3,
        },
        Call::BatchSetWeights {
            netuids: vec![N],
            weights: vec![vec![(1, 2)]],
            version_keys: vec![3],
        },
        Call::BatchCommitWeights { netuids: vec![N], commit_hashes: vec![Hash32([1; 32])] },
        Call::BatchRevealWeights {
            netuid: N,
            uids_list: vec![vec![1]],
            values_list: vec![vec![2]],
            salts_list: vec![vec![3]],
            version_keys: vec![4],
        },
    ];
    let place = |call: &Call| match call {
        Call::TransferAllowDeath { .. } => 0,
        Call::RegisterNetwork { .. } => 1,
        Call::StartCall { .. } => 2,
        Call::BurnedRegister { .. } => 3,
        Call::RootRegister { .. } => 4,
        Call::AddStake { .. } => 5,
        Call::RemoveStake { .. } => 6,
        Call::SetWeights { .. } => 7,
        Call::ServeAxon { .. } => 8,
        Call::SudoSet(_) => 9,
        Call::RootDissolveNetwork { .. } => 10,
        Call::SwitchRules { .. } => 11,
        Call::TryAssociateHotkey { .. } => 12,
        Call::AddStakeLimit { .. } => 13,
        Call::RemoveStakeLimit { .. } => 14,
        Call::RemoveStakeFullLimit { .. } => 15,
        Call::UnstakeAll { .. } => 16,
        Call::UnstakeAllAlpha { .. } => 17,
        Call::MoveStake { .. } => 18,
        Call::SwapStake { .. } => 19,
        Call::SwapStakeLimit { .. } => 20,
        Call::TransferStake { .. } => 21,
        Call::RecycleAlpha { .. } => 22,
        Call::BurnAlpha { .. } => 23,
        Call::AddStakeBurn { .. } => 24,
        Call::SetColdkeyAutoStakeHotkey { .. } => 25,
        Call::IncreaseTake { .. } => 26,
        Call::DecreaseTake { .. } => 27,
        Call::SetChildkeyTake { .. } => 28,
        Call::SetChildren { .. } => 29,
        Call::ClaimRoot { .. } => 30,
        Call::SetRootClaimType { .. } => 31,
        Call::SetMechanismWeights { .. } => 32,
        Call::CommitWeights { .. } => 33,
        Call::RevealWeights { .. } => 34,
        Call::CommitMechanismWeights { .. } => 35,
        Call::RevealMechanismWeights { .. } => 36,
        Call::TransferKeepAlive { .. } => 37,
        Call::TransferAll { .. } => 38,
        Call::RegisterNetworkWithIdentity { .. } => 39,
        Call::Register { .. } => 40,
        Call::SetIdentity(_) => 41,
        Call::SetSubnetIdentity { .. } => 42,
        Call::DissolveNetwork { .. } => 43,
        Call::SwapHotkey { .. } => 44,
        Call::AnnounceColdkeySwap { .. } => 45,
        Call::SwapColdkeyAnnounced { .. } => 46,
        Call::DisputeColdkeySwap => 47,
        Call::ResetColdkeySwap { .. } => 48,
        Call::SwapColdkey { .. } => 49,
        Call::CommitTimelockedWeights { .. } => 50,
        Call::CommitTimelockedMechanismWeights { .. } => 51,
        Call::CommitCrv3MechanismWeights { .. } => 52,
        Call::BatchSetWeights { .. } => 53,
        Call::BatchCommitWeights { .. } => 54,
        Call::BatchRevealWeights { .. } => 55,
    };
    assert_eq!(calls.iter().map(place).collect::<Vec<_>>(), (0..56).collect::<Vec<_>>());
    calls
}

fn settings() -> Vec<Setting> {
    let settings = vec![
        Setting::Tempo { netuid: N, value: 1 },
        Setting::Kappa { netuid: N, value: 2 },
        Setting::MaxAllowedValidators { netuid: N, value: 3 },
        Setting::WeightsSetRateLimit { netuid: N, value: 4 },
        Setting::SubtokenEnabled { netuid: N, value: true },
        Setting::NetworkRegistrationAllowed { netuid: N, value: false },
        Setting::SubnetLimit { value: 5 },
        Setting::SubnetOwnerCut { value: 6 },
        Setting::StakeThreshold { value: 7 },
        Setting::NetworkRateLimit { value: 8 },
        Setting::NetworkMinLockCost { value: Rao(9) },
        Setting::NetworkImmunityPeriod { value: 10 },
        Setting::RecycleOrBurn { netuid: N, value: true },
        Setting::ToggleTransfer { netuid: N, value: false },
        Setting::MechanismCount { netuid: N, value: 2 },
        Setting::MechanismEmissionSplit { netuid: N, value: Some(vec![1, 65_534]) },
        Setting::RootClaimThreshold { netuid: N, value: Alpha(11) },
        Setting::NumRootClaims { value: 16 },
        Setting::NominatorMinRequiredStake { value: 16 },
        Setting::CkBurn { value: 16 },
        Setting::TaoFlowCutoff { value: -14 },
        Setting::TaoFlowNormalizationExponent { value: 16 },
        Setting::TaoFlowSmoothingFactor { value: 16 },
        Setting::DefaultTake { value: 16 },
        Setting::MinDelegateTake { value: 16 },
        Setting::TxDelegateTakeRateLimit { value: 16 },
        Setting::TxChildkeyTakeRateLimit { value: 16 },
        Setting::MinChildkeyTake { value: 16 },
        Setting::MaxChildkeyTake { value: 16 },
        Setting::PendingChildkeyCooldown { value: 16 },
        Setting::SubnetMovingAlpha { value: -15 },
        Setting::EmaPriceHalvingPeriod { netuid: N, value: 12 },
        Setting::FeeRate { netuid: N, value: 13 },
        Setting::TxRateLimit { value: 14 },
        Setting::ColdkeySwapAnnouncementDelay { value: 15 },
        Setting::ColdkeySwapReannouncementDelay { value: 16 },
        Setting::CommitRevealVersion { value: 16 },
        Setting::ServingRateLimit { netuid: N, value: 14 },
        Setting::MinDifficulty { netuid: N, value: 15 },
        Setting::MaxDifficulty { netuid: N, value: 16 },
        Setting::WeightsVersionKey { netuid: N, value: 17 },
        Setting::AdjustmentInterval { netuid: N, value: 18 },
        Setting::AdjustmentAlpha { netuid: N, value: 19 },
        Setting::ImmunityPeriod { netuid: N, value: 20 },
        Setting::MinAllowedWeights { netuid: N, value: 21 },
        Setting::MaxAllowedUids { netuid: N, value: 22 },
        Setting::Rho { netuid: N, value: 23 },
        Setting::ActivityCutoff { netuid: N, value: 24 },
        Setting::NetworkPowRegistrationAllowed { netuid: N, value: true },
        Setting::TargetRegistrationsPerInterval { netuid: N, value: 25 },
        Setting::MinBurn { netuid: N, value: Rao(26) },
        Setting::MaxBurn { netuid: N, value: Rao(27) },
        Setting::Difficulty { netuid: N, value: 28 },
        Setting::BondsMovingAverage { netuid: N, value: 29 },
        Setting::BondsPenalty { netuid: N, value: 30 },
        Setting::MaxRegistrationsPerBlock { netuid: N, value: 31 },
        Setting::RaoRecycled { netuid: N, value: Rao(32) },
        Setting::CommitRevealWeightsEnabled { netuid: N, value: true },
        Setting::CommitRevealWeightsInterval { netuid: N, value: 33 },
        Setting::LiquidAlphaEnabled { netuid: N, value: true },
        Setting::AlphaValues { netuid: N, low: 34, high: 35 },
        Setting::AlphaSigmoidSteepness { netuid: N, value: -36 },
        Setting::Yuma3Enabled { netuid: N, value: true },
        Setting::BondsResetEnabled { netuid: N, value: true },
        Setting::OwnerImmuneNeuronLimit { netuid: N, value: 37 },
        Setting::MinNonImmuneUids { netuid: N, value: 38 },
        Setting::MinAllowedUids { netuid: N, value: 39 },
        Setting::SnOwnerHotkey { netuid: N, value: A },
        Setting::TrimToMaxAllowedUids { netuid: N, value: 40 },
        Setting::Symbol { netuid: N, value: "α".to_owned() },
        Setting::TotalIssuance { value: Rao(41) },
        Setting::LockReductionInterval { value: 42 },
        Setting::DissolveNetworkScheduleDuration { value: 43 },
        Setting::AdminFreezeWindow { value: 44 },
        Setting::OwnerHparamRateLimit { value: 45 },
        Setting::StartCallDelay { value: 46 },
        Setting::MaxMechanismCount { value: 47 },
    ];
    let place = |setting: &Setting| match setting {
        Setting::Tempo { .. } => 0,
        Setting::Kappa { .. } => 1,
        Setting::MaxAllowedValidators { .. } => 2,
        Setting::WeightsSetRateLimit { .. } => 3,
        Setting::SubtokenEnabled { .. } => 4,
        Setting::NetworkRegistrationAllowed { .. } => 5,
        Setting::SubnetLimit { .. } => 6,
        Setting::SubnetOwnerCut { .. } => 7,
        Setting::StakeThreshold { .. } => 8,
        Setting::NetworkRateLimit { .. } => 9,
        Setting::NetworkMinLockCost { .. } => 10,
        Setting::NetworkImmunityPeriod { .. } => 11,
        Setting::RecycleOrBurn { .. } => 12,
        Setting::ToggleTransfer { .. } => 13,
        Setting::MechanismCount { .. } => 14,
        Setting::MechanismEmissionSplit { .. } => 15,
        Setting::RootClaimThreshold { .. } => 16,
        Setting::NumRootClaims { .. } => 17,
        Setting::NominatorMinRequiredStake { .. } => 18,
        Setting::CkBurn { .. } => 19,
        Setting::TaoFlowCutoff { .. } => 20,
        Setting::TaoFlowNormalizationExponent { .. } => 21,
        Setting::TaoFlowSmoothingFactor { .. } => 22,
        Setting::DefaultTake { .. } => 23,
        Setting::MinDelegateTake { .. } => 24,
        Setting::TxDelegateTakeRateLimit { .. } => 25,
        Setting::TxChildkeyTakeRateLimit { .. } => 26,
        Setting::MinChildkeyTake { .. } => 27,
        Setting::MaxChildkeyTake { .. } => 28,
        Setting::PendingChildkeyCooldown { .. } => 29,
        Setting::SubnetMovingAlpha { .. } => 30,
        Setting::EmaPriceHalvingPeriod { .. } => 31,
        Setting::FeeRate { .. } => 32,
        Setting::TxRateLimit { .. } => 33,
        Setting::ColdkeySwapAnnouncementDelay { .. } => 34,
        Setting::ColdkeySwapReannouncementDelay { .. } => 35,
        Setting::CommitRevealVersion { .. } => 36,
        Setting::ServingRateLimit { .. } => 37,
        Setting::MinDifficulty { .. } => 38,
        Setting::MaxDifficulty { .. } => 39,
        Setting::WeightsVersionKey { .. } => 40,
        Setting::AdjustmentInterval { .. } => 41,
        Setting::AdjustmentAlpha { .. } => 42,
        Setting::ImmunityPeriod { .. } => 43,
        Setting::MinAllowedWeights { .. } => 44,
        Setting::MaxAllowedUids { .. } => 45,
        Setting::Rho { .. } => 46,
        Setting::ActivityCutoff { .. } => 47,
        Setting::NetworkPowRegistrationAllowed { .. } => 48,
        Setting::TargetRegistrationsPerInterval { .. } => 49,
        Setting::MinBurn { .. } => 50,
        Setting::MaxBurn { .. } => 51,
        Setting::Difficulty { .. } => 52,
        Setting::BondsMovingAverage { .. } => 53,
        Setting::BondsPenalty { .. } => 54,
        Setting::MaxRegistrationsPerBlock { .. } => 55,
        Setting::RaoRecycled { .. } => 56,
        Setting::CommitRevealWeightsEnabled { .. } => 57,
        Setting::CommitRevealWeightsInterval { .. } => 58,
        Setting::LiquidAlphaEnabled { .. } => 59,
        Setting::AlphaValues { .. } => 60,
        Setting::AlphaSigmoidSteepness { .. } => 61,
        Setting::Yuma3Enabled { .. } => 62,
        Setting::BondsResetEnabled { .. } => 63,
        Setting::OwnerImmuneNeuronLimit { .. } => 64,
        Setting::MinNonImmuneUids { .. } => 65,
        Setting::MinAllowedUids { .. } => 66,
        Setting::SnOwnerHotkey { .. } => 67,
        Setting::TrimToMaxAllowedUids { .. } => 68,
        Setting::Symbol { .. } => 69,
        Setting::TotalIssuance { .. } => 70,
        Setting::LockReductionInterval { .. } => 71,
        Setting::DissolveNetworkScheduleDuration { .. } => 72,
        Setting::AdminFreezeWindow { .. } => 73,
        Setting::OwnerHparamRateLimit { .. } => 74,
        Setting::StartCallDelay { .. } => 75,
        Setting::MaxMechanismCount { .. } => 76,
    };
    assert_eq!(settings.iter().map(place).collect::<Vec<_>>(), (0..77).collect::<Vec<_>>());
    settings
}

fn events() -> Vec<Event> {
    let events = vec![
        Event::BlockOpened { height: Height(1) },
        Event::StakeMarkersCleared,
        Event::CallIncluded { signer: A, nonce: 1 },
        Event::RulesSwitched { rules: Rules::default() },
        Event::ParameterSet { netuid: Some(N), name: Parameter::Tempo, value: 1 << 100 },
        Event::BalanceWithdrawn { account: A, amount: Rao(1) },
        Event::BalanceCredited { account: A, amount: Rao(1) },
        Event::AccountReaped { account: A, dust: Rao(1) },
        Event::IssuanceRecycled { amount: Rao(1) },
        Event::LeakBooked { leak: Leak::Dust, amount: -1 },
        Event::HotkeyAssociated { hotkey: A, coldkey: B },
        Event::DelegateTakeSet { hotkey: A, take: 1 },
        Event::StakingHotkeyListed { coldkey: B, hotkey: A },
        Event::RootStakerIndexed { coldkey: B, index: 1 },
        Event::SubnetRegistered(Box::new(SubnetRegistered {
            netuid: N,
            owner: A,
            owner_hotkey: B,
            symbol: "α".to_owned(),
            locked: Rao(1),
            pool: 2,
            recycled: Rao(3),
        })),
        Event::SubnetDissolved(Box::new(SubnetDissolved {
            netuid: N,
            cause: Cause::Root,
            pot: Rao(1),
            refund: Rao(2),
            forfeited_claims: 3,
            forfeited_pots: Alpha(4),
            hotkeys: vec![A],
            coldkeys: vec![B],
            alpha: vec![Alpha(5)],
            tao: vec![Rao(6)],
        })),
        Event::SubnetStarted { netuid: N, first_emission: 1 },
        Event::NeuronPlaced { netuid: N, uid: 1, hotkey: A, replaced: Some(B), via: Via::Burn },
        Event::RegistrationCounted { netuid: N, via: Via::Work, price: Rao(1) },
        Event::RegistrationTermsAdjusted {
            netuids: vec![N],
            burn: vec![Rao(1)],
            difficulty: vec![2],
        },
        Event::RegistrationCountersCleared { netuids: vec![N] },
        Event::PoolSwapped(Box::new(PoolSwapped {
            netuid: N,
            tao: 1,
            alpha_in: -2,
            alpha_out: 3,
            total_stake: 4,
            volume: 5,
            initialized: true,
            sqrt_price: 6,
            liquidity: 7,
            position_liquidity: 8,
            net_liquidity: 9,
        })),
        Event::AlphaDestroyed { netuid: N, amount: Alpha(1) },
        Event::ShareChanged { netuid: N, hotkey: A, coldkey: B, alpha: -1, shares: 2, share: 3 },
        Event::FlowRecorded { netuid: N, by: -1 },
        Event::StakeMarked { hotkey: A, coldkey: B, netuid: N },
        Event::RootClaimedSet { hotkey: A, coldkey: B, netuids: vec![N], claimed: vec![1] },
        Event::StakeAdded {
            coldkey: B,
            hotkey: A,
            netuid: N,
            tao: Rao(1),
            alpha: Alpha(2),
            fee: Rao(3),
        },
        Event::StakeRemoved {
            coldkey: B,
            hotkey: A,
            netuid: N,
            tao: Rao(1),
            alpha: Alpha(2),
            fee: Alpha(3),
        },
        Event::WeightsSet {
            netuid: N,
            mechanism: 0,
            uid: 1,
            row: vec![(2, 3)],
            last_update: Some(4),
        },
        Event::AxonServed { netuid: N, hotkey: A, axon: Axon::default() },
        Event::EmissionShared(Box::new(EmissionShared {
            block_emission: Rao(1),
            netuids: vec![N],
            flow_average: vec![-2],
            share: vec![3],
        })),
        Event::EmissionInjected(Box::new(EmissionInjected {
            netuids: vec![N],
            tao_in: vec![Rao(1)],
            ..EmissionInjected::default()
        })),
        Event::EmissionAccrued(Box::new(EmissionAccrued {
            netuids: vec![N],
            minted: vec![Alpha(1)],
            ..EmissionAccrued::default()
        })),
        Event::PotsDrained(Box::new(PotsDrained {
            netuids: vec![N],
            server: vec![Alpha(1)],
            ..PotsDrained::default()
        })),
        Event::PricesAveraged {
            netuids: vec![N],
            moving_price: vec![-1],
            root_proportion: vec![2],
        },
        Event::EpochRun(Box::new(EpochRun {
            netuid: N,
            active: vec![true],
            bonds: vec![vec![vec![(1, 2)]]],
            ..EpochRun::default()
        })),
        Event::EpochPaid(Box::new(EpochPaid {
            netuid: N,
            hotkeys: vec![A],
            alpha_last_epoch: vec![Some(Alpha(1)), None],
            listed: vec![(A, B)],
            ..EpochPaid::default()
        })),
        Event::DelegateTakeChanged { coldkey: B, hotkey: A, take: 1 },
        Event::ChildkeyTakeSet { hotkey: A, netuid: N, take: 1 },
        Event::ChildrenScheduled { hotkey: A, netuid: N, apply_block: 1, children: vec![(2, B)] },
        Event::ChildrenSet { hotkey: A, netuid: N, children: vec![(2, B)], parents: vec![] },
        Event::ChildrenDiscarded { hotkey: A, netuid: N },
        Event::AutoStakeDestinationSet { coldkey: B, netuid: N, hotkey: A },
        Event::RootClaimTypeSet { coldkey: B, root_claim_type: RootClaimType::Keep },
        Event::RootDividendsClaimed {
            coldkey: B,
            hotkey: A,
            netuid: N,
            alpha: Alpha(1),
            tao: Some(Rao(2)),
        },
        Event::RootClaimed { coldkey: B },
        Event::RootClaimsVisited { coldkeys: vec![B] },
        Event::RootStakersSearched { last: Some((A, B, N)), indexed: vec![B] },
        Event::StakeMoved {
            coldkey: B,
            origin_hotkey: A,
            origin_netuid: N,
            destination_hotkey: B,
            destination_netuid: N,
            tao: Rao(1),
        },
        Event::StakeSwapped {
            coldkey: B,
            hotkey: A,
            origin_netuid: N,
            destination_netuid: N,
            tao: Rao(1),
        },
        Event::StakeTransferred {
            origin_coldkey: B,
            destination_coldkey: A,
            hotkey: A,
            origin_netuid: N,
            destination_netuid: N,
            tao: Rao(1),
        },
        Event::AlphaRecycled { coldkey: B, hotkey: A, alpha: Alpha(1), netuid: N },
        Event::AlphaBurned { coldkey: B, hotkey: A, alpha: Alpha(1), netuid: N },
        Event::AddStakeBurned { netuid: N, hotkey: A, amount: Rao(1), alpha: Alpha(2) },
        Event::Stamped { netuid: N, stamp: Stamp::Parameter(Parameter::FeeRate) },
        Event::MechanismCountSet { netuid: N, count: 2 },
        Event::MechanismSplitSet { netuid: N, split: Some(vec![65_535]) },
        Event::FeePaid { payer: B, amount: Rao(1) },
        Event::WeightsCommitted {
            hotkey: A,
            netuid: N,
            mechanism: 0,
            uid: 1,
            commit: Commit { hash: Hash32([1; 32]), block: 2, first_reveal: 3, last_reveal: 4 },
            dropped: 1,
        },
        Event::WeightsRevealed {
            hotkey: A,
            netuid: N,
            mechanism: 0,
            hash: Hash32([1; 32]),
            removed: 2,
        },
        Event::EntropyDrawn { entropy: Hash32([1; 32]) },
        Event::SymbolUpdated { netuid: N, symbol: "β".to_owned() },
        Event::SubnetIdentitySet { netuid: N, identity: subnet_identity() },
        Event::ColdkeyIdentitySet { coldkey: A, identity: coldkey_identity() },
        Event::HotkeySwapped { coldkey: A, old_hotkey: A, new_hotkey: B, netuid: Some(N) },
        Event::HotkeyMoved(Box::new(HotkeyMoved {
            netuid: N,
            old_hotkey: A,
            new_hotkey: B,
            uid: Some(1),
            children: vec![(2, A)],
            parents: vec![(3, B)],
            auto_stakers: vec![A],
            holders: vec![B],
            alpha: vec![Alpha(4)],
        })),
        Event::StakingHotkeyReplaced { old_hotkey: A, new_hotkey: B, coldkeys: vec![A] },
        Event::HotkeySwapsForgotten { netuid: N, coldkeys: vec![A] },
        Event::ColdkeySwapAnnounced { coldkey: A, hash: Hash32([1; 32]), executable_at: 2 },
        Event::ColdkeySwapDisputed { coldkey: A },
        Event::ColdkeySwapCleared { coldkey: A },
        Event::ColdkeySwapped(Box::new(ColdkeySwapped {
            old_coldkey: A,
            new_coldkey: B,
            netuids: vec![N],
            hotkeys: vec![A],
            alpha: vec![Alpha(1)],
        })),
        Event::BeaconRoundsStored { oldest: 1, last: 2 },
        Event::TimelockedWeightsCommitted {
            hotkey: A,
            netuid: N,
            mechanism: 0,
            uid: 1,
            hash: Hash32([1; 32]),
            epoch: 2,
            reveal_round: 3,
        },
        Event::TimelockedWeightsRevealed {
            hotkey: A,
            netuid: N,
            mechanism: 0,
            hash: Hash32([1; 32]),
            epoch: 2,
            place: 3,
        },
        Event::TimelockedCommitDropped {
            hotkey: A,
            netuid: N,
            mechanism: 0,
            hash: Hash32([1; 32]),
            epoch: 2,
            place: 3,
            reason: DropReason::Rejected(Rejection::DuplicateUids),
        },
        Event::TimelockedCommitsExpired { netuid: N, mechanism: 0, epoch: 1, commits: 2 },
        Event::WeightsBatchRevealed {
            hotkey: A,
            netuid: N,
            hashes: vec![Hash32([1; 32])],
            expired: 1,
        },
        Event::BatchCompletedWithErrors { hotkey: A },
        Event::BatchWeightItemFailed {
            hotkey: A,
            netuid: N,
            reason: Rejection::CommitRevealEnabled,
        },
        Event::BatchWeightsCompleted { hotkey: A, netuids: vec![N] },
        Event::NeuronsTrimmed { netuid: N, max_n: 1, removed: vec![(2, A)] },
        Event::SubnetOwnerHotkeySet { netuid: N, hotkey: A },
    ];
    let place = |event: &Event| match event {
        Event::BlockOpened { .. } => 0,
        Event::StakeMarkersCleared => 1,
        Event::CallIncluded { .. } => 2,
        Event::RulesSwitched { .. } => 3,
        Event::ParameterSet { .. } => 4,
        Event::BalanceWithdrawn { .. } => 5,
        Event::BalanceCredited { .. } => 6,
        Event::AccountReaped { .. } => 7,
        Event::IssuanceRecycled { .. } => 8,
        Event::LeakBooked { .. } => 9,
        Event::HotkeyAssociated { .. } => 10,
        Event::DelegateTakeSet { .. } => 11,
        Event::StakingHotkeyListed { .. } => 12,
        Event::RootStakerIndexed { .. } => 13,
        Event::SubnetRegistered(_) => 14,
        Event::SubnetDissolved(_) => 15,
        Event::SubnetStarted { .. } => 16,
        Event::NeuronPlaced { .. } => 17,
        Event::RegistrationCounted { .. } => 18,
        Event::RegistrationTermsAdjusted { .. } => 19,
        Event::RegistrationCountersCleared { .. } => 20,
        Event::PoolSwapped(_) => 21,
        Event::AlphaDestroyed { .. } => 22,
        Event::ShareChanged { .. } => 23,
        Event::FlowRecorded { .. } => 24,
        Event::StakeMarked { .. } => 25,
        Event::RootClaimedSet { .. } => 26,
        Event::StakeAdded { .. } => 27,
        Event::StakeRemoved { .. } => 28,
        Event::WeightsSet { .. } => 29,
        Event::AxonServed { .. } => 30,
        Event::EmissionShared(_) => 31,
        Event::EmissionInjected(_) => 32,
        Event::EmissionAccrued(_) => 33,
        Event::PotsDrained(_) => 34,
        Event::PricesAveraged { .. } => 35,
        Event::EpochRun(_) => 36,
        Event::EpochPaid(_) => 37,
        Event::DelegateTakeChanged { .. } => 38,
        Event::ChildkeyTakeSet { .. } => 39,
        Event::ChildrenScheduled { .. } => 40,
        Event::ChildrenSet { .. } => 41,
        Event::ChildrenDiscarded { .. } => 42,
        Event::AutoStakeDestinationSet { .. } => 43,
        Event::RootClaimTypeSet { .. } => 44,
        Event::RootDividendsClaimed { .. } => 45,
        Event::RootClaimed { .. } => 46,
        Event::RootClaimsVisited { .. } => 47,
        Event::RootStakersSearched { .. } => 48,
        Event::StakeMoved { .. } => 49,
        Event::StakeSwapped { .. } => 50,
        Event::StakeTransferred { .. } => 51,
        Event::AlphaRecycled { .. } => 52,
        Event::AlphaBurned { .. } => 53,
        Event::AddStakeBurned { .. } => 54,
        Event::Stamped { .. } => 55,
        Event::MechanismCountSet { .. } => 56,
        Event::MechanismSplitSet { .. } => 57,
        Event::FeePaid { .. } => 58,
        Event::WeightsCommitted { .. } => 59,
        Event::WeightsRevealed { .. } => 60,
        Event::EntropyDrawn { .. } => 61,
        Event::SymbolUpdated { .. } => 62,
        Event::SubnetIdentitySet { .. } => 63,
        Event::ColdkeyIdentitySet { .. } => 64,
        Event::HotkeySwapped { .. } => 65,
        Event::HotkeyMoved(_) => 66,
        Event::StakingHotkeyReplaced { .. } => 67,
        Event::HotkeySwapsForgotten { .. } => 68,
        Event::ColdkeySwapAnnounced { .. } => 69,
        Event::ColdkeySwapDisputed { .. } => 70,
        Event::ColdkeySwapCleared { .. } => 71,
        Event::ColdkeySwapped(_) => 72,
        Event::BeaconRoundsStored { .. } => 73,
        Event::TimelockedWeightsCommitted { .. } => 74,
        Event::TimelockedWeightsRevealed { .. } => 75,
        Event::TimelockedCommitDropped { .. } => 76,
        Event::TimelockedCommitsExpired { .. } => 77,
        Event::WeightsBatchRevealed { .. } => 78,
        Event::BatchCompletedWithErrors { .. } => 79,
        Event::BatchWeightItemFailed { .. } => 80,
        Event::BatchWeightsCompleted { .. } => 81,
        Event::NeuronsTrimmed { .. } => 82,
        Event::SubnetOwnerHotkeySet { .. } => 83,
    };
    assert_eq!(events.iter().map(place).collect::<Vec<_>>(), (0..84).collect::<Vec<_>>());
    events
}

fn outcomes() -> Vec<Outcome> {
    let failed = Rejection::ALL.iter().map(|reason| Outcome::Failed(*reason));
    let refused = Refusal::ALL.iter().map(|reason| Outcome::Refused(*reason));
    std::iter::once(Outcome::Ok).chain(failed).chain(refused).collect()
}

fn header() -> Header {
    Header {
        height: Height(1),
        parent: Hash32([2; 32]),
        time_ms: 3,
        entropy: Hash32([4; 32]),
        state_root: Hash32([5; 32]),
        calls_root: Hash32([6; 32]),
        events_root: Hash32([7; 32]),
        facts_root: Hash32([8; 32]),
    }
}

fn facts() -> Facts {
    Facts {
        players: vec![PlayerId(1)],
        queries_sent: vec![2],
        answers_received: vec![3],
        lost: vec![4],
        latency_ms: vec![5],
        identical_answers: vec![(6, 7, 8)],
        crashes: vec![PlayerId(9)],
        messages: Messages { sent: 10, delivered: 11, dropped: 12 },
    }
}

fn frame() -> Frame {
    Frame {
        header: header(),
        calls: vec![CallRecord {
            player: PlayerId(1),
            sequence: 2,
            due_ms: 3,
            origin: Origin::Signed(A),
            nonce: 4,
            call: Call::StartCall { netuid: N },
            outcome: Outcome::Ok,
        }],
        refused: vec![RefusedCount { player: PlayerId(1), reason: Refusal::Stale, count: 2 }],
        events: vec![Event::StakeMarkersCleared],
        sealed: vec![Sealed::CommitPayload { commit: Hash32([9; 32]), payload: vec![1, 2] }],
        facts: facts(),
    }
}

/// Writes a line, and checks that the bytes read back as the value.
fn line<T>(text: &mut String, name: &str, value: &T)
where
    T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug,
{
    let bytes = encode(value);
    assert_eq!(decode::<T>(&bytes).as_ref(), Ok(value), "{name}");
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    writeln!(text, "{name} {hex}").expect("a text takes every line");
}

/// The state of block 0: one subnet with something of everything that a map holds.
fn state() -> State {
    let mut subnet = Subnet { added: true, ..Subnet::default() };
    subnet.neurons.hotkeys.push(A);
    subnet.mechanisms.push(Mechanism { weights: vec![vec![(1, 2)]], ..Mechanism::default() });
    subnet.pools.insert(A, HotkeyPool { holders: [(B, 1)].into(), ..HotkeyPool::default() });
    subnet.last_dividends.insert(A, (Some(Alpha(1)), Some(Alpha(2))));
    subnet.axons.insert(A, Axon::default());
    subnet.links.insert(A, Links { children: vec![(1, B)], ..Links::default() });
    subnet.pending_children.insert(A, PendingChildren { children: vec![(1, B)], apply_block: 2 });
    subnet.stamps.insert(Stamp::AddStakeBurn, 1);
    subnet.commits.insert((0, A), vec![Commit::default()]);
    subnet.timelocked.insert((0, 1), vec![TimelockedCommit::default()]);
    let mut state = State::default();
    state.root_claimed.insert((A, B), [(NetUid(1), 1)].into());
    state.subnets.insert(N, subnet);
    state.accounts.insert(A, Account { free: Rao(1), nonce: 2 });
    state.hotkeys.insert(A, Hotkey { owner: Some(B), ..Hotkey::default() });
    state.coldkeys.insert(B, Coldkey { owned: vec![A], ..Coldkey::default() });
    state.stake_markers.insert((A, B, N));
    state
}

#[test]
fn every_word_has_its_bytes() {
    // A log of another format is refused by this number: raise it when a line below changes.
    let mut text = format!("format {}\n", storage::formats::FORMAT);
    let bytes = encode(&state());
    let read: State = decode(&bytes).expect("it was encoded");
    assert_eq!(read.root_from_scratch(), state().root_from_scratch());
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    writeln!(text, "state {hex}").expect("a text takes every line");
    for call in calls() {
        line(&mut text, &format!("call {}", call.name()), &call);
    }
    for setting in settings() {
        line(&mut text, &format!("setting {}", Call::SudoSet(setting.clone()).name()), &setting);
    }
    for event in events() {
        line(&mut text, &format!("event {}", event.kind()), &event);
    }
    for parameter in Parameter::ALL {
        line(&mut text, &format!("parameter {parameter:?}"), parameter);
    }
    for leak in Leak::ALL {
        line(&mut text, &format!("leak {leak:?}"), leak);
    }
    let stamps = [
        ("AddStakeBurn", Stamp::AddStakeBurn),
        ("MechanismCount", Stamp::MechanismCount(A)),
        ("MechanismSplit", Stamp::MechanismSplit(A)),
        ("WeightsVersionKey", Stamp::WeightsVersionKey(A)),
        ("Trim", Stamp::Trim(A)),
        ("OwnerHotkey", Stamp::OwnerHotkey),
    ];
    for (name, stamp) in stamps {
        line(&mut text, &format!("stamp {name}"), &stamp);
    }
    for outcome in outcomes() {
        line(&mut text, &format!("outcome {} {}", outcome.class(), outcome.reason()), &outcome);
    }
    for reason in [DropReason::Unreadable, DropReason::OtherHotkey] {
        line(&mut text, &format!("dropped {reason:?}"), &reason);
    }
    for origin in [Origin::Root, Origin::Signed(A)] {
        line(&mut text, "origin", &origin);
    }
    line(&mut text, "header", &header());
    line(&mut text, "facts", &facts());
    line(&mut text, "frame", &frame());
    expect_test::expect_file!["codec.golden"].assert_eq(&text);
}

#[test]
fn cut_off_and_longer_bytes_are_refused() {
    let bytes = encode(&frame());
    for length in 0..bytes.len() {
        assert!(decode::<Frame>(&bytes[..length]).is_err(), "{length} bytes");
    }
    let longer = [bytes, vec![0]].concat();
    assert!(decode::<Frame>(&longer).is_err());
}

/// A length that no memory could hold must be refused before it is believed.
#[test]
fn a_huge_length_is_refused() {
    let mut bytes = encode(&vec![1u64, 2]);
    bytes[..8].copy_from_slice(&u64::MAX.to_le_bytes());
    assert!(decode::<Vec<u64>>(&bytes).is_err());
    bytes[..8].copy_from_slice(&(1u64 << 40).to_le_bytes());
    assert!(decode::<Vec<u64>>(&bytes).is_err());
}

/// Numbers of which some bytes are zero throughout.
fn numbers() -> impl proptest::strategy::Strategy<Value = Vec<u128>> {
    use proptest::prelude::*;
    let mask = prop::collection::vec(any::<bool>(), 16).prop_map(|held| {
        (0..16).filter(|byte| held[*byte]).map(|byte| 0xff << (8 * byte)).sum::<u128>()
    });
    let many = prop::collection::vec(any::<u128>(), 0..300);
    (mask, many).prop_map(|(mask, many)| many.iter().map(|number| number & mask).collect())
}

proptest::proptest! {
    #[test]
    fn columns_of_any_length_and_planes_come_back(many in numbers()) {
        let twos: Vec<u16> = many.iter().map(|number| *number as u16).collect();
        let fours: Vec<u32> = many.iter().map(|number| *number as u32).collect();
        let eights: Vec<u64> = many.iter().map(|number| *number as u64).collect();
        let blob: Vec<u8> = many.iter().map(|number| *number as u8).collect();
        let value = (twos, fours, eights, many, blob);
        let bytes = columns::encode(&value);
        proptest::prop_assert_eq!(columns::decode(&bytes), Ok(value));
    }

    #[test]
    fn garbage_never_panics(bytes in proptest::collection::vec(0u8.., 0..600)) {
        let read = (decode::<Frame>(&bytes), decode::<Event>(&bytes), decode::<Call>(&bytes));
        // Whatever decodes must be the value of exactly these bytes.
        if let Ok(frame) = &read.0 {
            proptest::prop_assert_eq!(encode(frame), bytes.clone());
        }
        if let Ok(call) = &read.2 {
            proptest::prop_assert_eq!(encode(call), bytes);
        }
    }

    #[test]
    fn flipped_bits_never_panic(at in 0usize..600, bit in 0u8..8) {
        let mut bytes = encode(&frame());
        let at = at % bytes.len();
        bytes[at] ^= 1 << bit;
        if let Ok(read) = decode::<Frame>(&bytes) {
            proptest::prop_assert_ne!(read, frame());
        }
    }
}
