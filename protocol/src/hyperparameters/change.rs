//! Which parameter a setting changes, and its new value as events carry it: unsigned, signed ones by
//! their bits.

use crate::call::Setting;
use crate::event::Parameter;
use crate::units::NetUid;
use alloc::vec;
use alloc::vec::Vec;

/// The subnet a setting is about; none for those of the network.
pub fn netuid_of(setting: &Setting) -> Option<NetUid> {
    match *setting {
        Setting::Tempo { netuid, .. }
        | Setting::Kappa { netuid, .. }
        | Setting::MaxAllowedValidators { netuid, .. }
        | Setting::WeightsSetRateLimit { netuid, .. }
        | Setting::SubtokenEnabled { netuid, .. }
        | Setting::NetworkRegistrationAllowed { netuid, .. }
        | Setting::RecycleOrBurn { netuid, .. }
        | Setting::ToggleTransfer { netuid, .. }
        | Setting::RootClaimThreshold { netuid, .. }
        | Setting::EmaPriceHalvingPeriod { netuid, .. }
        | Setting::FeeRate { netuid, .. }
        | Setting::ServingRateLimit { netuid, .. }
        | Setting::MinDifficulty { netuid, .. }
        | Setting::MaxDifficulty { netuid, .. }
        | Setting::WeightsVersionKey { netuid, .. }
        | Setting::AdjustmentInterval { netuid, .. }
        | Setting::AdjustmentAlpha { netuid, .. }
        | Setting::ImmunityPeriod { netuid, .. }
        | Setting::MinAllowedWeights { netuid, .. }
        | Setting::MaxAllowedUids { netuid, .. }
        | Setting::Rho { netuid, .. }
        | Setting::ActivityCutoff { netuid, .. }
        | Setting::NetworkPowRegistrationAllowed { netuid, .. }
        | Setting::TargetRegistrationsPerInterval { netuid, .. }
        | Setting::MinBurn { netuid, .. }
        | Setting::MaxBurn { netuid, .. }
        | Setting::Difficulty { netuid, .. }
        | Setting::BondsMovingAverage { netuid, .. }
        | Setting::BondsPenalty { netuid, .. }
        | Setting::MaxRegistrationsPerBlock { netuid, .. }
        | Setting::RaoRecycled { netuid, .. }
        | Setting::CommitRevealWeightsEnabled { netuid, .. }
        | Setting::CommitRevealWeightsInterval { netuid, .. }
        | Setting::LiquidAlphaEnabled { netuid, .. }
        | Setting::AlphaSigmoidSteepness { netuid, .. }
        | Setting::Yuma3Enabled { netuid, .. }
        | Setting::BondsResetEnabled { netuid, .. }
        | Setting::OwnerImmuneNeuronLimit { netuid, .. }
        | Setting::MinNonImmuneUids { netuid, .. }
        | Setting::MinAllowedUids { netuid, .. }
        | Setting::MechanismCount { netuid, .. }
        | Setting::MechanismEmissionSplit { netuid, .. }
        | Setting::AlphaValues { netuid, .. }
        | Setting::SnOwnerHotkey { netuid, .. }
        | Setting::TrimToMaxAllowedUids { netuid, .. }
        | Setting::Symbol { netuid, .. } => Some(netuid),
        Setting::SubnetLimit { .. }
        | Setting::SubnetOwnerCut { .. }
        | Setting::StakeThreshold { .. }
        | Setting::NetworkRateLimit { .. }
        | Setting::TxRateLimit { .. }
        | Setting::ColdkeySwapAnnouncementDelay { .. }
        | Setting::ColdkeySwapReannouncementDelay { .. }
        | Setting::CommitRevealVersion { .. }
        | Setting::NetworkMinLockCost { .. }
        | Setting::NetworkImmunityPeriod { .. }
        | Setting::NumRootClaims { .. }
        | Setting::NominatorMinRequiredStake { .. }
        | Setting::CkBurn { .. }
        | Setting::TaoFlowCutoff { .. }
        | Setting::TaoFlowNormalizationExponent { .. }
        | Setting::TaoFlowSmoothingFactor { .. }
        | Setting::DefaultTake { .. }
        | Setting::MinDelegateTake { .. }
        | Setting::TxDelegateTakeRateLimit { .. }
        | Setting::TxChildkeyTakeRateLimit { .. }
        | Setting::MinChildkeyTake { .. }
        | Setting::MaxChildkeyTake { .. }
        | Setting::PendingChildkeyCooldown { .. }
        | Setting::SubnetMovingAlpha { .. }
        | Setting::TotalIssuance { .. }
        | Setting::LockReductionInterval { .. }
        | Setting::DissolveNetworkScheduleDuration { .. }
        | Setting::AdminFreezeWindow { .. }
        | Setting::OwnerHparamRateLimit { .. }
        | Setting::StartCallDelay { .. }
        | Setting::MaxMechanismCount { .. } => None,
    }
}

/// The parameters it changes; none for those with an event of their own.
pub(super) fn values_of(setting: &Setting) -> Vec<(Parameter, u128)> {
    let change = match *setting {
        Setting::Tempo { value, .. } => (Parameter::Tempo, u128::from(value)),
        Setting::Kappa { value, .. } => (Parameter::Kappa, u128::from(value)),
        Setting::MaxAllowedValidators { value, .. } => {
            (Parameter::MaxAllowedValidators, u128::from(value))
        }
        Setting::WeightsSetRateLimit { value, .. } => {
            (Parameter::WeightsSetRateLimit, u128::from(value))
        }
        Setting::SubtokenEnabled { value, .. } => (Parameter::SubtokenEnabled, u128::from(value)),
        Setting::NetworkRegistrationAllowed { value, .. } => {
            (Parameter::NetworkRegistrationAllowed, u128::from(value))
        }
        Setting::RecycleOrBurn { value, .. } => (Parameter::RecycleOrBurn, u128::from(value)),
        Setting::ToggleTransfer { value, .. } => (Parameter::TransferToggle, u128::from(value)),
        Setting::RootClaimThreshold { value, .. } => {
            (Parameter::RootClaimThreshold, u128::from(value.0))
        }
        Setting::EmaPriceHalvingPeriod { value, .. } => {
            (Parameter::EmaPriceHalvingBlocks, u128::from(value))
        }
        Setting::FeeRate { value, .. } => (Parameter::FeeRate, u128::from(value)),
        Setting::ServingRateLimit { value, .. } => (Parameter::ServingRateLimit, u128::from(value)),
        Setting::MinDifficulty { value, .. } => (Parameter::MinDifficulty, u128::from(value)),
        Setting::MaxDifficulty { value, .. } => (Parameter::MaxDifficulty, u128::from(value)),
        Setting::WeightsVersionKey { value, .. } => {
            (Parameter::WeightsVersionKey, u128::from(value))
        }
        Setting::AdjustmentInterval { value, .. } => {
            (Parameter::AdjustmentInterval, u128::from(value))
        }
        Setting::AdjustmentAlpha { value, .. } => (Parameter::AdjustmentAlpha, u128::from(value)),
        Setting::ImmunityPeriod { value, .. } => (Parameter::ImmunityPeriod, u128::from(value)),
        Setting::MinAllowedWeights { value, .. } => {
            (Parameter::MinAllowedWeights, u128::from(value))
        }
        Setting::MaxAllowedUids { value, .. } => (Parameter::MaxAllowedUids, u128::from(value)),
        Setting::Rho { value, .. } => (Parameter::Rho, u128::from(value)),
        Setting::ActivityCutoff { value, .. } => (Parameter::ActivityCutoff, u128::from(value)),
        Setting::NetworkPowRegistrationAllowed { value, .. } => {
            (Parameter::PowRegistrationAllowed, u128::from(value))
        }
        Setting::TargetRegistrationsPerInterval { value, .. } => {
            (Parameter::TargetRegistrationsPerInterval, u128::from(value))
        }
        Setting::MinBurn { value, .. } => (Parameter::MinBurn, u128::from(value.0)),
        Setting::MaxBurn { value, .. } => (Parameter::MaxBurn, u128::from(value.0)),
        Setting::Difficulty { value, .. } => (Parameter::Difficulty, u128::from(value)),
        Setting::BondsMovingAverage { value, .. } => {
            (Parameter::BondsMovingAverage, u128::from(value))
        }
        Setting::BondsPenalty { value, .. } => (Parameter::BondsPenalty, u128::from(value)),
        Setting::MaxRegistrationsPerBlock { value, .. } => {
            (Parameter::MaxRegistrationsPerBlock, u128::from(value))
        }
        Setting::RaoRecycled { value, .. } => (Parameter::RaoRecycled, u128::from(value.0)),
        Setting::CommitRevealWeightsEnabled { value, .. } => {
            (Parameter::CommitRevealEnabled, u128::from(value))
        }
        Setting::CommitRevealWeightsInterval { value, .. } => {
            (Parameter::RevealPeriod, u128::from(value))
        }
        Setting::LiquidAlphaEnabled { value, .. } => {
            (Parameter::LiquidAlphaEnabled, u128::from(value))
        }
        Setting::AlphaSigmoidSteepness { value, .. } => {
            (Parameter::AlphaSigmoidSteepness, i128::from(value).cast_unsigned())
        }
        Setting::Yuma3Enabled { value, .. } => (Parameter::Yuma3Enabled, u128::from(value)),
        Setting::BondsResetEnabled { value, .. } => {
            (Parameter::BondsResetEnabled, u128::from(value))
        }
        Setting::OwnerImmuneNeuronLimit { value, .. } => {
            (Parameter::ImmuneOwnerUidsLimit, u128::from(value))
        }
        Setting::MinNonImmuneUids { value, .. } => (Parameter::MinNonImmuneUids, u128::from(value)),
        Setting::MinAllowedUids { value, .. } => (Parameter::MinAllowedUids, u128::from(value)),
        Setting::SubnetLimit { value } => (Parameter::SubnetLimit, u128::from(value)),
        Setting::SubnetOwnerCut { value } => (Parameter::SubnetOwnerCut, u128::from(value)),
        Setting::StakeThreshold { value } => (Parameter::StakeThreshold, u128::from(value)),
        Setting::NetworkRateLimit { value } => (Parameter::NetworkRateLimit, u128::from(value)),
        Setting::NetworkMinLockCost { value } => {
            (Parameter::NetworkMinLockCost, u128::from(value.0))
        }
        Setting::NetworkImmunityPeriod { value } => {
            (Parameter::NetworkImmunityPeriod, u128::from(value))
        }
        Setting::NumRootClaims { value } => (Parameter::NumRootClaims, u128::from(value)),
        Setting::NominatorMinRequiredStake { value } => {
            (Parameter::NominatorMinRequiredStake, u128::from(value))
        }
        Setting::CkBurn { value } => (Parameter::ChildkeyBurn, u128::from(value)),
        Setting::TaoFlowCutoff { value } => (Parameter::FlowCutoff, value.cast_unsigned()),
        Setting::TaoFlowNormalizationExponent { value } => (Parameter::FlowNormExponent, value),
        Setting::TaoFlowSmoothingFactor { value } => (Parameter::FlowSmoothing, u128::from(value)),
        Setting::DefaultTake { value } => (Parameter::MaxDelegateTake, u128::from(value)),
        Setting::MinDelegateTake { value } => (Parameter::MinDelegateTake, u128::from(value)),
        Setting::TxDelegateTakeRateLimit { value } => {
            (Parameter::TxDelegateTakeRateLimit, u128::from(value))
        }
        Setting::TxChildkeyTakeRateLimit { value } => {
            (Parameter::TxChildkeyTakeRateLimit, u128::from(value))
        }
        Setting::MinChildkeyTake { value } => (Parameter::MinChildkeyTake, u128::from(value)),
        Setting::MaxChildkeyTake { value } => (Parameter::MaxChildkeyTake, u128::from(value)),
        Setting::PendingChildkeyCooldown { value } => {
            (Parameter::PendingChildkeyCooldown, u128::from(value))
        }
        Setting::SubnetMovingAlpha { value } => {
            (Parameter::SubnetMovingAlpha, value.cast_unsigned())
        }
        Setting::TotalIssuance { value } => (Parameter::TotalIssuance, u128::from(value.0)),
        Setting::LockReductionInterval { value } => {
            (Parameter::NetworkLockReductionInterval, u128::from(value))
        }
        Setting::DissolveNetworkScheduleDuration { value } => {
            (Parameter::DissolveNetworkScheduleDuration, u128::from(value))
        }
        Setting::TxRateLimit { value } => (Parameter::TxRateLimit, u128::from(value)),
        Setting::ColdkeySwapAnnouncementDelay { value } => {
            (Parameter::ColdkeySwapAnnouncementDelay, u128::from(value))
        }
        Setting::ColdkeySwapReannouncementDelay { value } => {
            (Parameter::ColdkeySwapReannouncementDelay, u128::from(value))
        }
        Setting::CommitRevealVersion { value } => {
            (Parameter::CommitRevealVersion, u128::from(value))
        }
        Setting::AdminFreezeWindow { value } => (Parameter::AdminFreezeWindow, u128::from(value)),
        Setting::OwnerHparamRateLimit { value } => {
            (Parameter::OwnerHyperparamRateLimit, u128::from(value))
        }
        Setting::StartCallDelay { value } => (Parameter::StartCallDelay, u128::from(value)),
        Setting::MaxMechanismCount { value } => (Parameter::MaxMechanismCount, u128::from(value)),
        Setting::AlphaValues { low, high, .. } => {
            let low = (Parameter::AlphaLow, u128::from(low));
            return vec![low, (Parameter::AlphaHigh, u128::from(high))];
        }
        Setting::MechanismCount { .. }
        | Setting::MechanismEmissionSplit { .. }
        | Setting::SnOwnerHotkey { .. }
        | Setting::TrimToMaxAllowedUids { .. }
        | Setting::Symbol { .. } => return Vec::new(),
    };
    vec![change]
}
