//! Where each parameter is stored. Holds no rule: a value that does not fit its field is refused.

use super::{Fit, fast};
use crate::event::Parameter;
use crate::state::{Global, Params, State};
use crate::units::{NetUid, Rao};

/// Gives a parameter its new value.
///
/// # Errors
/// The value is too large, or the parameter does not belong there.
pub(super) fn set(
    state: &mut State,
    netuid: Option<NetUid>,
    name: Parameter,
    value: u128,
) -> Fit<()> {
    match (netuid, name) {
        (None, name) => set_of_network(state.global_mut(), name, value),
        (Some(netuid), Parameter::FeeRate) => {
            fast(state, netuid)?.pool.fee_rate = short(value)?;
            Ok(())
        }
        (Some(netuid), Parameter::Difficulty) => {
            fast(state, netuid)?.difficulty = wide(value)?;
            Ok(())
        }
        (Some(netuid), Parameter::RaoRecycled) => {
            fast(state, netuid)?.recycled_for_registration = Rao(wide(value)?);
            Ok(())
        }
        // A netuid without a subnet has parameters too.
        (Some(netuid), name) => set_of_subnet(state.params_mut(netuid), name, value),
    }
}

fn wide(value: u128) -> Fit<u64> {
    u64::try_from(value).map_err(|_| "the value is too large")
}

fn short(value: u128) -> Fit<u16> {
    u16::try_from(value).map_err(|_| "the value is too large")
}

fn set_of_network(global: &mut Global, name: Parameter, value: u128) -> Fit<()> {
    match name {
        Parameter::SubnetLimit => global.subnet_limit = short(value)?,
        Parameter::SubnetOwnerCut => global.subnet_owner_cut = short(value)?,
        Parameter::StakeThreshold => global.stake_threshold = wide(value)?,
        Parameter::NetworkRateLimit => global.network_rate_limit = wide(value)?,
        Parameter::NetworkMinLockCost => global.network_min_lock_cost = Rao(wide(value)?),
        Parameter::NetworkImmunityPeriod => global.network_immunity_period = wide(value)?,
        Parameter::NetworkLockReductionInterval => {
            global.network_lock_reduction_interval = wide(value)?;
        }
        Parameter::NumRootClaims => global.root_claims_per_block = wide(value)?,
        Parameter::NominatorMinRequiredStake => global.nominator_min_required_stake = wide(value)?,
        Parameter::ChildkeyBurn => global.childkey_burn = wide(value)?,
        Parameter::FlowCutoff => global.flow_cutoff = value.cast_signed(),
        Parameter::FlowNormExponent => global.flow_exponent = value,
        Parameter::FlowSmoothing => global.flow_smoothing = wide(value)?,
        Parameter::MaxDelegateTake => global.delegate_take_max = short(value)?,
        Parameter::MinDelegateTake => global.delegate_take_min = short(value)?,
        Parameter::TxDelegateTakeRateLimit => global.tx_delegate_take_rate_limit = wide(value)?,
        Parameter::TxChildkeyTakeRateLimit => global.tx_childkey_take_rate_limit = wide(value)?,
        Parameter::MinChildkeyTake => global.childkey_take_min = short(value)?,
        Parameter::MaxChildkeyTake => global.childkey_take_max = short(value)?,
        Parameter::PendingChildkeyCooldown => global.pending_childkey_cooldown = wide(value)?,
        Parameter::SubnetMovingAlpha => global.moving_alpha = value.cast_signed(),
        Parameter::TotalIssuance => global.total_issuance = Rao(wide(value)?),
        Parameter::DissolveNetworkScheduleDuration => {
            global.dissolve_network_schedule_duration = wide(value)?;
        }
        Parameter::TxRateLimit => global.tx_rate_limit = wide(value)?,
        Parameter::ColdkeySwapAnnouncementDelay => {
            global.coldkey_swap_announcement_delay = wide(value)?;
        }
        Parameter::ColdkeySwapReannouncementDelay => {
            global.coldkey_swap_reannouncement_delay = wide(value)?;
        }
        Parameter::CommitRevealVersion => global.commit_reveal_version = short(value)?,
        Parameter::AdminFreezeWindow => global.admin_freeze_window = short(value)?,
        Parameter::OwnerHyperparamRateLimit => global.owner_hyperparam_rate_limit = short(value)?,
        Parameter::StartCallDelay => global.start_call_delay = wide(value)?,
        Parameter::MaxMechanismCount => {
            let count = u8::try_from(value).map_err(|_| "the value is too large")?;
            global.max_mechanism_count = count;
        }
        _ => return Err("the parameter is not one of the network"),
    }
    Ok(())
}

fn set_of_subnet(params: &mut Params, name: Parameter, value: u128) -> Fit<()> {
    let flag = value != 0;
    match name {
        Parameter::Tempo => params.tempo = short(value)?,
        Parameter::Kappa => params.kappa = short(value)?,
        Parameter::Rho => params.rho = short(value)?,
        Parameter::ActivityCutoff => params.activity_cutoff = short(value)?,
        Parameter::MaxAllowedValidators => params.max_allowed_validators = short(value)?,
        Parameter::MaxAllowedUids => params.max_allowed_uids = short(value)?,
        Parameter::MinAllowedUids => params.min_allowed_uids = short(value)?,
        Parameter::MinAllowedWeights => params.min_allowed_weights = short(value)?,
        Parameter::ImmunityPeriod => params.immunity_period = short(value)?,
        Parameter::MinNonImmuneUids => params.min_non_immune_uids = short(value)?,
        Parameter::ImmuneOwnerUidsLimit => params.immune_owner_uids_limit = short(value)?,
        Parameter::BondsMovingAverage => params.bonds_moving_average = wide(value)?,
        Parameter::BondsPenalty => params.bonds_penalty = short(value)?,
        Parameter::BondsResetEnabled => params.bonds_reset = flag,
        Parameter::Yuma3Enabled => params.yuma3 = flag,
        Parameter::LiquidAlphaEnabled => params.liquid_alpha = flag,
        Parameter::AlphaLow => params.alpha_low = short(value)?,
        Parameter::AlphaHigh => params.alpha_high = short(value)?,
        Parameter::AlphaSigmoidSteepness => {
            let steepness = i16::try_from(value.cast_signed());
            params.alpha_sigmoid_steepness = steepness.map_err(|_| "the value is too large")?;
        }
        Parameter::CommitRevealEnabled => params.commit_reveal = flag,
        Parameter::RevealPeriod => params.reveal_period = wide(value)?,
        Parameter::WeightsSetRateLimit => params.weights_set_rate_limit = wide(value)?,
        Parameter::WeightsVersionKey => params.weights_version_key = wide(value)?,
        Parameter::ServingRateLimit => params.serving_rate_limit = wide(value)?,
        Parameter::NetworkRegistrationAllowed => params.registration_allowed = flag,
        Parameter::PowRegistrationAllowed => params.pow_registration_allowed = flag,
        Parameter::TargetRegistrationsPerInterval => {
            params.target_registrations_per_interval = short(value)?;
        }
        Parameter::MaxRegistrationsPerBlock => params.max_registrations_per_block = short(value)?,
        Parameter::AdjustmentInterval => params.adjustment_interval = short(value)?,
        Parameter::AdjustmentAlpha => params.adjustment_alpha = wide(value)?,
        Parameter::MinBurn => params.min_burn = Rao(wide(value)?),
        Parameter::MaxBurn => params.max_burn = Rao(wide(value)?),
        Parameter::MinDifficulty => params.min_difficulty = wide(value)?,
        Parameter::MaxDifficulty => params.max_difficulty = wide(value)?,
        Parameter::SubtokenEnabled => params.subtoken_enabled = flag,
        Parameter::TransferToggle => params.transfer_toggle = flag,
        Parameter::RecycleOrBurn => params.recycle_withheld = flag,
        Parameter::EmaPriceHalvingBlocks => params.ema_price_halving_blocks = wide(value)?,
        Parameter::RootClaimThreshold => {
            params.root_claimable_threshold = i128::from(wide(value)?) << 32;
        }
        _ => return Err("the parameter is not one of a subnet"),
    }
    Ok(())
}
