//! Settings as a timeline writes them: a call's name, a netuid where it needs one, and a value.
//!
//! What belongs here: how a value is written. What does not: who may set it, and in which bounds
//! (`protocol::hyperparameters`).

use crate::scenario::amount::{AlphaAmount, Tao};
use crate::scenario::document::TimelineEntry;
use protocol::call::Setting;
use protocol::units::{Alpha, NetUid, Rao};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::str::FromStr;

/// What is wrong with an entry, from its key on, and a hint.
pub type Wrong = (String, Option<String>);

/// The chain's second name for `sudo_set_sn_owner_hotkey`.
pub const OWNER_HOTKEY_TOO: &str = "sudo_set_subnet_owner_hotkey";

/// What becomes of withheld incentive of an owner.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Withheld {
    Recycle,
    Burn,
}

/// The setting that an entry orders; none if its call is no setting.
pub fn setting(entry: &TimelineEntry) -> Result<Option<Setting>, Wrong> {
    let netuid = || netuid_of(entry);
    let tao = || value_of::<Tao>(entry).map(|amount| Rao(amount.0));
    Ok(Some(match entry.call.as_str() {
        "sudo_set_tempo" => Setting::Tempo { netuid: netuid()?, value: value_of(entry)? },
        "sudo_set_kappa" => Setting::Kappa { netuid: netuid()?, value: value_of(entry)? },
        "sudo_set_max_allowed_validators" => {
            Setting::MaxAllowedValidators { netuid: netuid()?, value: value_of(entry)? }
        }
        "sudo_set_weights_set_rate_limit" => {
            Setting::WeightsSetRateLimit { netuid: netuid()?, value: wide_of(entry)? }
        }
        "sudo_set_subtoken_enabled" => {
            Setting::SubtokenEnabled { netuid: netuid()?, value: value_of(entry)? }
        }
        "sudo_set_network_registration_allowed" => {
            Setting::NetworkRegistrationAllowed { netuid: netuid()?, value: value_of(entry)? }
        }
        "sudo_set_subnet_limit" => Setting::SubnetLimit { value: value_of(entry)? },
        "sudo_set_subnet_owner_cut" => Setting::SubnetOwnerCut { value: value_of(entry)? },
        "sudo_set_stake_threshold" => Setting::StakeThreshold { value: wide_of(entry)? },
        "sudo_set_network_rate_limit" => Setting::NetworkRateLimit { value: wide_of(entry)? },
        "sudo_set_network_min_lock_cost" => Setting::NetworkMinLockCost { value: tao()? },
        "sudo_set_network_immunity_period" => {
            Setting::NetworkImmunityPeriod { value: wide_of(entry)? }
        }
        "sudo_set_recycle_or_burn" => {
            let value = match value_of(entry)? {
                Withheld::Recycle => true,
                Withheld::Burn => false,
            };
            Setting::RecycleOrBurn { netuid: netuid()?, value }
        }
        "sudo_set_toggle_transfer" => {
            Setting::ToggleTransfer { netuid: netuid()?, value: value_of(entry)? }
        }
        "sudo_set_mechanism_count" => {
            Setting::MechanismCount { netuid: netuid()?, value: value_of(entry)? }
        }
        "sudo_set_mechanism_emission_split" => Setting::MechanismEmissionSplit {
            netuid: netuid()?,
            value: entry.value.as_ref().map(|_| value_of(entry)).transpose()?,
        },
        "sudo_set_root_claim_threshold" => Setting::RootClaimThreshold {
            netuid: netuid()?,
            value: Alpha(value_of::<AlphaAmount>(entry)?.0),
        },
        "sudo_set_num_root_claims" => Setting::NumRootClaims { value: wide_of(entry)? },
        "sudo_set_nominator_min_required_stake" => {
            Setting::NominatorMinRequiredStake { value: wide_of(entry)? }
        }
        "sudo_set_ck_burn" => Setting::CkBurn { value: wide_of(entry)? },
        "sudo_set_tao_flow_cutoff" => Setting::TaoFlowCutoff { value: wide_of(entry)? },
        "sudo_set_tao_flow_normalization_exponent" => {
            Setting::TaoFlowNormalizationExponent { value: wide_of(entry)? }
        }
        "sudo_set_tao_flow_smoothing_factor" => {
            Setting::TaoFlowSmoothingFactor { value: wide_of(entry)? }
        }
        "sudo_set_default_take" => Setting::DefaultTake { value: value_of(entry)? },
        "sudo_set_min_delegate_take" => Setting::MinDelegateTake { value: value_of(entry)? },
        "sudo_set_tx_delegate_take_rate_limit" => {
            Setting::TxDelegateTakeRateLimit { value: wide_of(entry)? }
        }
        "sudo_set_tx_childkey_take_rate_limit" => {
            Setting::TxChildkeyTakeRateLimit { value: wide_of(entry)? }
        }
        "sudo_set_min_childkey_take" => Setting::MinChildkeyTake { value: value_of(entry)? },
        "sudo_set_max_childkey_take" => Setting::MaxChildkeyTake { value: value_of(entry)? },
        "set_pending_childkey_cooldown" => {
            Setting::PendingChildkeyCooldown { value: wide_of(entry)? }
        }
        "sudo_set_subnet_moving_alpha" => Setting::SubnetMovingAlpha { value: wide_of(entry)? },
        "sudo_set_ema_price_halving_period" => {
            Setting::EmaPriceHalvingPeriod { netuid: netuid()?, value: wide_of(entry)? }
        }
        "set_fee_rate" => Setting::FeeRate { netuid: netuid()?, value: value_of(entry)? },
        "sudo_set_serving_rate_limit" => {
            Setting::ServingRateLimit { netuid: netuid()?, value: wide_of(entry)? }
        }
        "sudo_set_min_difficulty" => {
            Setting::MinDifficulty { netuid: netuid()?, value: wide_of(entry)? }
        }
        "sudo_set_max_difficulty" => {
            Setting::MaxDifficulty { netuid: netuid()?, value: wide_of(entry)? }
        }
        "sudo_set_weights_version_key" => {
            Setting::WeightsVersionKey { netuid: netuid()?, value: wide_of(entry)? }
        }
        "sudo_set_adjustment_interval" => {
            Setting::AdjustmentInterval { netuid: netuid()?, value: value_of(entry)? }
        }
        "sudo_set_adjustment_alpha" => {
            Setting::AdjustmentAlpha { netuid: netuid()?, value: wide_of(entry)? }
        }
        "sudo_set_immunity_period" => {
            Setting::ImmunityPeriod { netuid: netuid()?, value: value_of(entry)? }
        }
        "sudo_set_min_allowed_weights" => {
            Setting::MinAllowedWeights { netuid: netuid()?, value: value_of(entry)? }
        }
        "sudo_set_max_allowed_uids" => {
            Setting::MaxAllowedUids { netuid: netuid()?, value: value_of(entry)? }
        }
        "sudo_set_rho" => Setting::Rho { netuid: netuid()?, value: value_of(entry)? },
        "sudo_set_activity_cutoff" => {
            Setting::ActivityCutoff { netuid: netuid()?, value: value_of(entry)? }
        }
        "sudo_set_network_pow_registration_allowed" => {
            Setting::NetworkPowRegistrationAllowed { netuid: netuid()?, value: value_of(entry)? }
        }
        "sudo_set_target_registrations_per_interval" => {
            Setting::TargetRegistrationsPerInterval { netuid: netuid()?, value: value_of(entry)? }
        }
        "sudo_set_min_burn" => Setting::MinBurn { netuid: netuid()?, value: tao()? },
        "sudo_set_max_burn" => Setting::MaxBurn { netuid: netuid()?, value: tao()? },
        "sudo_set_difficulty" => Setting::Difficulty { netuid: netuid()?, value: wide_of(entry)? },
        "sudo_set_bonds_moving_average" => {
            Setting::BondsMovingAverage { netuid: netuid()?, value: wide_of(entry)? }
        }
        "sudo_set_bonds_penalty" => {
            Setting::BondsPenalty { netuid: netuid()?, value: value_of(entry)? }
        }
        "sudo_set_max_registrations_per_block" => {
            Setting::MaxRegistrationsPerBlock { netuid: netuid()?, value: value_of(entry)? }
        }
        "sudo_set_rao_recycled" => Setting::RaoRecycled { netuid: netuid()?, value: tao()? },
        "sudo_set_commit_reveal_weights_enabled" => {
            Setting::CommitRevealWeightsEnabled { netuid: netuid()?, value: value_of(entry)? }
        }
        "sudo_set_commit_reveal_weights_interval" => {
            Setting::CommitRevealWeightsInterval { netuid: netuid()?, value: wide_of(entry)? }
        }
        "sudo_set_liquid_alpha_enabled" => {
            Setting::LiquidAlphaEnabled { netuid: netuid()?, value: value_of(entry)? }
        }
        "sudo_set_alpha_values" => {
            let [low, high] = value_of(entry)?;
            Setting::AlphaValues { netuid: netuid()?, low, high }
        }
        "sudo_set_alpha_sigmoid_steepness" => {
            Setting::AlphaSigmoidSteepness { netuid: netuid()?, value: value_of(entry)? }
        }
        "sudo_set_yuma3_enabled" => {
            Setting::Yuma3Enabled { netuid: netuid()?, value: value_of(entry)? }
        }
        "sudo_set_bonds_reset_enabled" => {
            Setting::BondsResetEnabled { netuid: netuid()?, value: value_of(entry)? }
        }
        "sudo_set_owner_immune_neuron_limit" => {
            Setting::OwnerImmuneNeuronLimit { netuid: netuid()?, value: value_of(entry)? }
        }
        "sudo_set_min_non_immune_uids" => {
            Setting::MinNonImmuneUids { netuid: netuid()?, value: value_of(entry)? }
        }
        "sudo_set_min_allowed_uids" => {
            Setting::MinAllowedUids { netuid: netuid()?, value: value_of(entry)? }
        }
        "sudo_set_sn_owner_hotkey" | OWNER_HOTKEY_TOO => {
            Setting::SnOwnerHotkey { netuid: netuid()?, value: value_of(entry)? }
        }
        "sudo_trim_to_max_allowed_uids" => {
            Setting::TrimToMaxAllowedUids { netuid: netuid()?, value: value_of(entry)? }
        }
        "update_symbol" => Setting::Symbol { netuid: netuid()?, value: value_of(entry)? },
        "sudo_set_total_issuance" => Setting::TotalIssuance { value: tao()? },
        "sudo_set_lock_reduction_interval" => {
            Setting::LockReductionInterval { value: wide_of(entry)? }
        }
        "sudo_set_dissolve_network_schedule_duration" => {
            Setting::DissolveNetworkScheduleDuration { value: wide_of(entry)? }
        }
        "sudo_set_admin_freeze_window" => Setting::AdminFreezeWindow { value: value_of(entry)? },
        "sudo_set_owner_hparam_rate_limit" => {
            Setting::OwnerHparamRateLimit { value: value_of(entry)? }
        }
        "sudo_set_start_call_delay" => Setting::StartCallDelay { value: wide_of(entry)? },
        "sudo_set_max_mechanism_count" => Setting::MaxMechanismCount { value: value_of(entry)? },
        "sudo_set_tx_rate_limit" => Setting::TxRateLimit { value: wide_of(entry)? },
        "sudo_set_coldkey_swap_announcement_delay" => {
            Setting::ColdkeySwapAnnouncementDelay { value: wide_of(entry)? }
        }
        "sudo_set_coldkey_swap_reannouncement_delay" => {
            Setting::ColdkeySwapReannouncementDelay { value: wide_of(entry)? }
        }
        "sudo_set_commit_reveal_version" => {
            Setting::CommitRevealVersion { value: value_of(entry)? }
        }
        _ => return Ok(None),
    }))
}

/// The subnet an entry is about.
pub fn netuid_of(entry: &TimelineEntry) -> Result<NetUid, Wrong> {
    let missing = || (".netuid: this call needs one".to_owned(), None);
    entry.netuid.map(NetUid).ok_or_else(missing)
}

/// An integer that may be too wide for TOML and is then a text of digits.
fn wide_of<T: FromStr>(entry: &TimelineEntry) -> Result<T, Wrong> {
    let text = match &entry.value {
        None => return Err((".value: this call needs one".to_owned(), None)),
        Some(toml::Value::Integer(number)) => number.to_string(),
        Some(toml::Value::String(text)) => text.clone(),
        Some(other) => return Err((format!(".value: {other} is no whole number"), None)),
    };
    text.parse().map_err(|_| (format!(".value: {text:?} is no whole number in range"), None))
}

/// An entry's value.
pub fn value_of<T: DeserializeOwned>(entry: &TimelineEntry) -> Result<T, Wrong> {
    let missing = || (".value: this call needs one".to_owned(), None);
    let value = entry.value.clone().ok_or_else(missing)?;
    value
        .try_into()
        .map_err(|error: toml::de::Error| (format!(".value: {}", error.message()), None))
}
