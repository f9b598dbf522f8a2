//! The table of parameters (30 §12.2, §12.3): who may set each, how often, in which bounds, and where
//! its value is. Decisions, `inspect params` and docs/parameters.md read the same rows.
//!
//! What belongs here: one row per parameter. What does not: how a row is applied (`hyperparameters`).

use crate::call::Setting;
use crate::event::Parameter;
use crate::rejection::Rejection;
use crate::rules::Profile;
use crate::state::{Global, Params, Stamp, State, Subnet};
use crate::units::{AccountId, NetUid};
use alloc::string::String;
use alloc::vec::Vec;

/// What a parameter is one of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Every subnet has its own.
    Subnet,
    /// The network has one.
    Network,
}

/// Who may set a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setter {
    /// The subnet's owner, and root.
    Owner,
    /// Root only.
    Root,
    /// No call sets it.
    Nobody,
}

/// How long whom a change keeps from the next.
#[derive(Clone, Copy, Debug)]
pub enum Pause {
    /// Nobody waits.
    None,
    /// The owner waits some tempos, `owner_hyperparam_rate_limit`.
    Tempos(Parameter),
    /// The owner waits some tempos, `weights_version_key_rate_limit`; the timer is that owner's own.
    VersionKeyTempos,
    /// The owner waits so many blocks; the timer is that owner's own.
    Blocks(u64, fn(AccountId) -> Stamp),
    /// Everybody waits so many blocks, root too.
    Everybody(u64, Stamp),
}

/// Whether the blocks before an epoch are closed for a call, to root as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freeze {
    /// Refused in the last blocks of a tempo.
    Closes,
    /// Any block will do.
    Ignores,
}

/// A parameter's value, as its call takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reading {
    /// On or off.
    Flag(bool),
    /// A number in the row's unit.
    Number(i128),
    /// Parts of 65,535; even ones if absent.
    Parts(Option<Vec<u16>>),
    /// A key.
    Account(Option<AccountId>),
    /// A text.
    Text(String),
}

/// A parameter.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// Its name, in scenarios too where a scenario may set it.
    pub name: &'static str,
    /// The chain's call that sets it; empty for none.
    pub call: &'static str,
    /// What it is one of.
    pub scope: Scope,
    /// Who may set it.
    pub setter: Setter,
    /// How often.
    pub pause: Pause,
    /// Whether the blocks before an epoch are closed.
    pub freeze: Freeze,
    /// The answer when there is no such subnet; absent where the chain does not look.
    pub missing: Option<Rejection>,
    /// The bounds and the errors beyond them; empty for none.
    pub bounds: &'static str,
    /// What a number counts.
    pub unit: &'static str,
    /// What reads it.
    pub used_for: &'static str,
    /// Whether the chain changes it by itself, so that it has no default.
    pub moves: bool,
    read: fn(&State, &Subnet) -> Reading,
}

/// A row of a subnet's parameter: set by root at any time, unless the next words say more.
const fn subnet(
    name: &'static str,
    call: &'static str,
    unit: &'static str,
    used_for: &'static str,
    read: fn(&State, &Subnet) -> Reading,
) -> Rule {
    let missing = Some(Rejection::SubnetDoesNotExist);
    Rule {
        name,
        call,
        scope: Scope::Subnet,
        setter: if call.is_empty() { Setter::Nobody } else { Setter::Root },
        pause: Pause::None,
        freeze: Freeze::Ignores,
        missing,
        bounds: "",
        unit,
        used_for,
        moves: false,
        read,
    }
}

/// A row of the network's parameter, set by root.
const fn network(
    name: &'static str,
    call: &'static str,
    unit: &'static str,
    used_for: &'static str,
    read: fn(&State, &Subnet) -> Reading,
) -> Rule {
    let of_subnet = subnet(name, call, unit, used_for, read);
    Rule { scope: Scope::Network, missing: None, ..of_subnet }
}

impl Rule {
    /// The owner may set it too, once in a while, outside the blocks before an epoch.
    const fn owners(self, parameter: Parameter) -> Self {
        self.owners_after(Pause::Tempos(parameter)).frozen()
    }

    const fn owners_after(self, pause: Pause) -> Self {
        Self { setter: Setter::Owner, pause, ..self }
    }

    const fn frozen(self) -> Self {
        Self { freeze: Freeze::Closes, ..self }
    }

    const fn anywhere(self) -> Self {
        Self { missing: None, ..self }
    }

    const fn missing(self, missing: Rejection) -> Self {
        Self { missing: Some(missing), ..self }
    }

    const fn bounds(self, bounds: &'static str) -> Self {
        Self { bounds, ..self }
    }

    const fn moving(self) -> Self {
        Self { moves: true, ..self }
    }

    /// The parameter's value; a netuid without a subnet has the values of a new one unless they were
    /// set.
    pub fn value(&self, state: &State, netuid: NetUid) -> Reading {
        match state.subnets.get(&netuid) {
            Some(subnet) => (self.read)(state, subnet),
            None => (self.read)(state, &Subnet::default()),
        }
    }

    /// The value on a new chain of that profile, of a new subnet or of root; none where the chain changes
    /// it by itself.
    pub fn default(&self, profile: Profile, netuid: NetUid) -> Option<Reading> {
        if self.moves {
            return None;
        }
        let global = match profile {
            Profile::Code => Global::default(),
            Profile::Mainnet => Global::mainnet(),
        };
        let state = State { global, ..State::default() };
        let mut subnet = Subnet::default();
        if netuid.is_root() {
            subnet.params = Params::root();
        }
        Some((self.read)(&state, &subnet))
    }
}

/// The row of a setting.
///
/// # Panics
/// It has none; a test holds that each has one.
pub fn of(setting: &Setting) -> &'static Rule {
    let call = setting.name();
    let row = RULES.iter().find(|rule| rule.call == call);
    row.expect("every setting has a row")
}

fn flag(value: bool) -> Reading {
    Reading::Flag(value)
}

fn number(value: impl Into<i128>) -> Reading {
    Reading::Number(value.into())
}

const INVALID_VALUE_1_10: &str = "1 to 10 (InvalidValue)";
const TAKE: &str = "of 65,535";
const BLOCKS: &str = "blocks";

/// Every parameter: a subnet's, then the network's.
pub const RULES: &[Rule] = &[
    subnet("tempo", "sudo_set_tempo", BLOCKS, "when epochs run; 0 for never", |_, subnet| {
        number(subnet.params.tempo)
    })
    .frozen(),
    subnet("kappa", "sudo_set_kappa", TAKE, "consensus: the majority's share", |_, subnet| {
        number(subnet.params.kappa)
    }),
    subnet("rho", "sudo_set_rho", "", "nothing", |_, subnet| number(subnet.params.rho))
        .owners(Parameter::Rho),
    subnet(
        "activity_cutoff",
        "sudo_set_activity_cutoff",
        BLOCKS,
        "epoch: how long a validator without new weights counts",
        |_, subnet| number(subnet.params.activity_cutoff),
    )
    .owners(Parameter::ActivityCutoff)
    .bounds("at least min_activity_cutoff (ActivityCutoffTooLow)"),
    subnet(
        "max_allowed_validators",
        "sudo_set_max_allowed_validators",
        "uids",
        "epoch: permits",
        |_, subnet| number(subnet.params.max_allowed_validators),
    )
    .frozen()
    .bounds("at most max_allowed_uids (MaxValidatorsLargerThanMaxUIds)"),
    subnet(
        "max_allowed_uids",
        "sudo_set_max_allowed_uids",
        "uids",
        "registration: from when on newcomers replace",
        |_, subnet| number(subnet.params.max_allowed_uids),
    )
    .owners(Parameter::MaxAllowedUids)
    .bounds(
        "at least min_allowed_uids (MaxAllowedUidsLessThanMinAllowedUids) and the neurons there are \
         (MaxAllowedUIdsLessThanCurrentUIds); at most 256 \
         (MaxAllowedUidsGreaterThanDefaultMaxAllowedUids), over all mechanisms too \
         (TooManyUIDsPerMechanism)",
    ),
    subnet(
        "trim_to_max_allowed_uids",
        "sudo_trim_to_max_allowed_uids",
        "uids",
        "max_allowed_uids; removes the neurons beyond it",
        |_, subnet| number(subnet.params.max_allowed_uids),
    )
    .owners_after(Pause::Blocks(216_000, Stamp::Trim))
    .frozen()
    .missing(Rejection::SubnetNotExists)
    .bounds(
        "min_allowed_uids to max_allowed_uids (InvalidValue); protected neurons below 80 % of it \
         (TrimmingWouldExceedMaxImmunePercentage)",
    ),
    subnet(
        "min_allowed_uids",
        "sudo_set_min_allowed_uids",
        "uids",
        "bound of max_allowed_uids and trimming",
        |_, subnet| number(subnet.params.min_allowed_uids),
    )
    .frozen()
    .bounds(
        "below max_allowed_uids (MinAllowedUidsGreaterThanMaxAllowedUids) and the neurons there are \
         (MinAllowedUidsGreaterThanCurrentUids)",
    ),
    subnet(
        "min_allowed_weights",
        "sudo_set_min_allowed_weights",
        "uids",
        "set_weights: shortest row",
        |_, subnet| number(subnet.params.min_allowed_weights),
    )
    .owners(Parameter::MinAllowedWeights),
    subnet(
        "immunity_period",
        "sudo_set_immunity_period",
        BLOCKS,
        "registration, trimming: who is spared",
        |_, subnet| number(subnet.params.immunity_period),
    )
    .owners(Parameter::ImmunityPeriod),
    subnet(
        "min_non_immune_uids",
        "sudo_set_min_non_immune_uids",
        "uids",
        "registration: from when on immune neurons are replaced",
        |_, subnet| number(subnet.params.min_non_immune_uids),
    )
    .anywhere(),
    subnet(
        "immune_owner_uids_limit",
        "sudo_set_owner_immune_neuron_limit",
        "uids",
        "registration, trimming: the owner's that nobody takes",
        |_, subnet| number(subnet.params.immune_owner_uids_limit),
    )
    .owners(Parameter::ImmuneOwnerUidsLimit)
    .anywhere()
    .bounds(INVALID_VALUE_1_10),
    subnet(
        "bonds_moving_average",
        "sudo_set_bonds_moving_average",
        "millionths",
        "epoch: weight of old bonds",
        |_, subnet| number(subnet.params.bonds_moving_average),
    )
    .owners(Parameter::BondsMovingAverage)
    .bounds("owner: at most 975,000 (BondsMovingAverageMaxReached)"),
    subnet("bonds_penalty", "sudo_set_bonds_penalty", TAKE, "epoch: bonds", |_, subnet| {
        number(subnet.params.bonds_penalty)
    })
    .owners(Parameter::BondsPenalty),
    subnet(
        "bonds_reset",
        "sudo_set_bonds_reset_enabled",
        "",
        "whether miners may reset the bonds towards them",
        |_, subnet| flag(subnet.params.bonds_reset),
    )
    .owners(Parameter::BondsResetEnabled)
    .anywhere(),
    subnet("yuma3", "sudo_set_yuma3_enabled", "", "epoch: kind of bonds", |_, subnet| {
        flag(subnet.params.yuma3)
    })
    .owners(Parameter::Yuma3Enabled)
    .anywhere(),
    subnet(
        "liquid_alpha",
        "sudo_set_liquid_alpha_enabled",
        "",
        "epoch: bonds' averages follow consensus",
        |_, subnet| flag(subnet.params.liquid_alpha),
    )
    .owners(Parameter::LiquidAlphaEnabled)
    .anywhere(),
    subnet(
        "alpha_low",
        "sudo_set_alpha_values",
        TAKE,
        "epoch: liquid alpha; set with alpha_high",
        |_, subnet| number(subnet.params.alpha_low),
    )
    .owners(Parameter::AlphaHigh)
    .anywhere()
    .bounds("liquid_alpha on (LiquidAlphaDisabled); 1,638 to alpha_high (AlphaLowOutOfRange)"),
    subnet(
        "alpha_high",
        "sudo_set_alpha_values",
        TAKE,
        "epoch: liquid alpha; set with alpha_low",
        |_, subnet| number(subnet.params.alpha_high),
    )
    .owners(Parameter::AlphaHigh)
    .anywhere()
    .bounds("liquid_alpha on (LiquidAlphaDisabled); at least 1,638 (AlphaHighTooLow)"),
    subnet(
        "alpha_sigmoid_steepness",
        "sudo_set_alpha_sigmoid_steepness",
        "hundredths",
        "epoch: liquid alpha",
        |_, subnet| number(subnet.params.alpha_sigmoid_steepness),
    )
    .owners(Parameter::AlphaSigmoidSteepness)
    .bounds("owner: at least 0 (NegativeSigmoidSteepness)"),
    subnet(
        "commit_reveal",
        "sudo_set_commit_reveal_weights_enabled",
        "",
        "weights are committed, not set; epoch: whose weights count",
        |_, subnet| flag(subnet.params.commit_reveal),
    )
    .owners(Parameter::CommitRevealEnabled),
    subnet(
        "reveal_period",
        "sudo_set_commit_reveal_weights_interval",
        "epochs",
        "when commits are opened",
        |_, subnet| number(subnet.params.reveal_period),
    )
    .owners(Parameter::RevealPeriod)
    .bounds("1 to 100 (RevealPeriodTooSmall, RevealPeriodTooLarge)"),
    subnet(
        "weights_set_rate_limit",
        "sudo_set_weights_set_rate_limit",
        BLOCKS,
        "set_weights, commit_weights",
        |_, subnet| number(subnet.params.weights_set_rate_limit),
    ),
    subnet(
        "weights_version_key",
        "sudo_set_weights_version_key",
        "",
        "set_weights: oldest version taken",
        |_, subnet| number(subnet.params.weights_version_key),
    )
    .owners_after(Pause::VersionKeyTempos)
    .frozen(),
    subnet(
        "serving_rate_limit",
        "sudo_set_serving_rate_limit",
        BLOCKS,
        "serve_axon; 0 for no limit",
        |_, subnet| number(subnet.params.serving_rate_limit),
    )
    .owners(Parameter::ServingRateLimit)
    .anywhere(),
    subnet(
        "registration_allowed",
        "sudo_set_network_registration_allowed",
        "",
        "burned_register; whether the subnet emits",
        |_, subnet| flag(subnet.params.registration_allowed),
    )
    .anywhere(),
    subnet(
        "pow_registration_allowed",
        "sudo_set_network_pow_registration_allowed",
        "",
        "whether the subnet emits",
        |_, subnet| flag(subnet.params.pow_registration_allowed),
    )
    .owners(Parameter::PowRegistrationAllowed)
    .anywhere(),
    subnet(
        "target_registrations_per_interval",
        "sudo_set_target_registrations_per_interval",
        "registrations",
        "burn and difficulty; a third of an interval's limit",
        |_, subnet| number(subnet.params.target_registrations_per_interval),
    )
    .frozen(),
    subnet(
        "max_registrations_per_block",
        "sudo_set_max_registrations_per_block",
        "registrations",
        "registration",
        |_, subnet| number(subnet.params.max_registrations_per_block),
    )
    .frozen(),
    subnet(
        "adjustment_interval",
        "sudo_set_adjustment_interval",
        BLOCKS,
        "when burn and difficulty are adjusted",
        |_, subnet| number(subnet.params.adjustment_interval),
    ),
    subnet(
        "adjustment_alpha",
        "sudo_set_adjustment_alpha",
        "of 2^64 - 1",
        "burn and difficulty: weight of the old value",
        |_, subnet| number(subnet.params.adjustment_alpha),
    )
    .owners(Parameter::AdjustmentAlpha),
    subnet("min_burn", "sudo_set_min_burn", "rao", "burn: lowest", |_, subnet| {
        number(subnet.params.min_burn.0)
    })
    .owners(Parameter::MinBurn)
    .bounds("below 1 TAO and below max_burn (ValueNotInBounds)"),
    subnet("max_burn", "sudo_set_max_burn", "rao", "burn: highest", |_, subnet| {
        number(subnet.params.max_burn.0)
    })
    .owners(Parameter::MaxBurn)
    .bounds("above 0.1 TAO and above min_burn (ValueNotInBounds)"),
    subnet("difficulty", "sudo_set_difficulty", "", "proof of work; 10,000,000 at first", |_, subnet| {
        number(subnet.fast.difficulty)
    })
    .frozen()
    .moving(),
    subnet("min_difficulty", "sudo_set_min_difficulty", "", "difficulty: lowest", |_, subnet| {
        number(subnet.params.min_difficulty)
    })
    .frozen(),
    subnet("max_difficulty", "sudo_set_max_difficulty", "", "difficulty: highest", |_, subnet| {
        number(subnet.params.max_difficulty)
    })
    .owners(Parameter::MaxDifficulty),
    subnet("rao_recycled", "sudo_set_rao_recycled", "rao", "statistics", |_, subnet| {
        number(subnet.fast.recycled_for_registration.0)
    })
    .moving(),
    subnet(
        "subtoken_enabled",
        "sudo_set_subtoken_enabled",
        "",
        "stake orders; whether the subnet emits",
        |_, subnet| flag(subnet.params.subtoken_enabled),
    )
    .frozen()
    .anywhere(),
    subnet("transfer_toggle", "sudo_set_toggle_transfer", "", "transfer_stake", |_, subnet| {
        flag(subnet.params.transfer_toggle)
    })
    .owners(Parameter::TransferToggle)
    .anywhere(),
    subnet(
        "recycle_withheld",
        "sudo_set_recycle_or_burn",
        "",
        "payout: the owner's incentive is recycled (true) or burned (false)",
        |_, subnet| flag(subnet.params.recycle_withheld),
    )
    .owners(Parameter::RecycleOrBurn)
    .anywhere(),
    subnet(
        "ema_price_halving_blocks",
        "sudo_set_ema_price_halving_period",
        BLOCKS,
        "moving price",
        |_, subnet| number(subnet.params.ema_price_halving_blocks),
    )
    .anywhere(),
    subnet(
        "root_claimable_threshold",
        "sudo_set_root_claim_threshold",
        "alpha units",
        "root claims: smallest; a scenario has it times 2^32",
        |_, subnet| number(subnet.params.root_claimable_threshold >> 32),
    )
    .owners_after(Pause::None)
    .bounds("at most 10,000,000 (InvalidRootClaimThreshold)"),
    subnet(
        "mechanism_count",
        "sudo_set_mechanism_count",
        "mechanisms",
        "weights, epoch",
        |_, subnet| number(subnet.params.mechanism_count),
    )
    .owners_after(Pause::Blocks(7_200, Stamp::MechanismCount))
    .frozen()
    .missing(Rejection::SubnetNotExists)
    .bounds(
        "1 to max_mechanism_count (InvalidValue); times max_allowed_uids at most 256 \
         (TooManyUIDsPerMechanism)",
    ),
    subnet(
        "mechanism_split",
        "sudo_set_mechanism_emission_split",
        TAKE,
        "epoch: parts of the mechanisms; even ones if absent",
        |_, subnet| Reading::Parts(subnet.params.mechanism_split.clone()),
    )
    .owners_after(Pause::Blocks(7_200, Stamp::MechanismSplit))
    .frozen()
    .missing(Rejection::SubnetNotExists)
    .bounds("1 to mechanism_count parts that sum to 65,535 (InvalidValue)"),
    subnet("fee_rate", "set_fee_rate", TAKE, "swaps: fee of the pool", |_, subnet| {
        number(subnet.fast.pool.fee_rate)
    })
    .missing(Rejection::MechanismDoesNotExist)
    .bounds("at most 10,000 (FeeRateTooHigh)"),
    subnet(
        "owner_hotkey",
        "sudo_set_sn_owner_hotkey",
        "",
        "registration, epoch, owner cut",
        |_, subnet| Reading::Account(subnet.info.owner_hotkey),
    )
    .owners_after(Pause::Everybody(50_400, Stamp::OwnerHotkey))
    .missing(Rejection::SubnetNotExists)
    .moving(),
    subnet("symbol", "update_symbol", "", "display", |_, subnet| {
        Reading::Text(subnet.info.symbol.clone())
    })
    .owners_after(Pause::None)
    .anywhere()
    .moving()
    .bounds("in the table behind root's (SymbolDoesNotExist), unused (SymbolAlreadyInUse)"),
    subnet("mechanism", "", "", "1: dynamic pool, 0: one to one", |_, subnet| {
        number(subnet.params.mechanism)
    }),
    network(
        "total_issuance",
        "sudo_set_total_issuance",
        "rao",
        "block emission; the difference goes to the ledger `opening`",
        |state, _| number(state.global.total_issuance.0),
    )
    .moving()
    .bounds("this emulator's own: what balances and pools hold, to 2^63 - 1 (InvalidValue)"),
    network("tao_weight", "", "of 2^64 - 1", "stake weight of root TAO", |state, _| {
        number(state.global.tao_weight)
    }),
    network(
        "stake_threshold",
        "sudo_set_stake_threshold",
        "units of stake weight",
        "weights, children, permits",
        |state, _| number(state.global.stake_threshold),
    ),
    network(
        "subnet_owner_cut",
        "sudo_set_subnet_owner_cut",
        TAKE,
        "emission: the owners' part",
        |state, _| number(state.global.subnet_owner_cut),
    ),
    network(
        "childkey_burn",
        "sudo_set_ck_burn",
        "of 2^64 - 1",
        "payout: part of childkey dividends",
        |state, _| number(state.global.childkey_burn),
    ),
    network(
        "flow_cutoff",
        "sudo_set_tao_flow_cutoff",
        "I64F64 bits",
        "emission shares: lowest average flow",
        |state, _| number(state.global.flow_cutoff),
    ),
    network(
        "flow_exponent",
        "sudo_set_tao_flow_normalization_exponent",
        "U64F64 bits",
        "emission shares",
        |state, _| number(state.global.flow_exponent.cast_signed()),
    )
    .bounds("one to two (InvalidValue)"),
    network(
        "flow_smoothing",
        "sudo_set_tao_flow_smoothing_factor",
        "of 2^63 - 1",
        "average flow",
        |state, _| number(state.global.flow_smoothing),
    ),
    network(
        "moving_alpha",
        "sudo_set_subnet_moving_alpha",
        "I96F32 bits",
        "moving price",
        |state, _| number(state.global.moving_alpha),
    ),
    network(
        "subnet_limit",
        "sudo_set_subnet_limit",
        "subnets",
        "register_network: from when on a newcomer replaces",
        |state, _| number(state.global.subnet_limit),
    ),
    network(
        "network_rate_limit",
        "sudo_set_network_rate_limit",
        BLOCKS,
        "register_network",
        |state, _| number(state.global.network_rate_limit),
    ),
    network(
        "network_immunity_period",
        "sudo_set_network_immunity_period",
        BLOCKS,
        "register_network: which subnet is spared",
        |state, _| number(state.global.network_immunity_period),
    ),
    network(
        "network_min_lock_cost",
        "sudo_set_network_min_lock_cost",
        "rao",
        "lock cost; a new pool's TAO",
        |state, _| number(state.global.network_min_lock_cost.0),
    ),
    network("network_last_lock_cost", "", "rao", "lock cost; 1,000 TAO at first", |state, _| {
        number(state.global.network_last_lock_cost.0)
    })
    .moving(),
    network(
        "network_lock_reduction_interval",
        "sudo_set_lock_reduction_interval",
        BLOCKS,
        "lock cost",
        |state, _| number(state.global.network_lock_reduction_interval),
    ),
    network("network_registration_start", "", "block", "register_network", |state, _| {
        number(state.global.network_registration_start)
    }),
    network("start_call_delay", "sudo_set_start_call_delay", BLOCKS, "start_call", |state, _| {
        number(state.global.start_call_delay)
    }),
    network(
        "delegate_take_min",
        "sudo_set_min_delegate_take",
        TAKE,
        "increase_take, decrease_take",
        |state, _| number(state.global.delegate_take_min),
    ),
    network("delegate_take_max", "sudo_set_default_take", TAKE, "increase_take", |state, _| {
        number(state.global.delegate_take_max)
    }),
    network(
        "tx_delegate_take_rate_limit",
        "sudo_set_tx_delegate_take_rate_limit",
        BLOCKS,
        "increase_take; 0 for no limit",
        |state, _| number(state.global.tx_delegate_take_rate_limit),
    ),
    network(
        "tx_rate_limit",
        "sudo_set_tx_rate_limit",
        BLOCKS,
        "swap_hotkey; 0 for no limit",
        |state, _| number(state.global.tx_rate_limit),
    ),
    network(
        "coldkey_swap_announcement_delay",
        "sudo_set_coldkey_swap_announcement_delay",
        BLOCKS,
        "announce_coldkey_swap",
        |state, _| number(state.global.coldkey_swap_announcement_delay),
    ),
    network(
        "coldkey_swap_reannouncement_delay",
        "sudo_set_coldkey_swap_reannouncement_delay",
        BLOCKS,
        "announce_coldkey_swap, a second time",
        |state, _| number(state.global.coldkey_swap_reannouncement_delay),
    ),
    network(
        "commit_reveal_version",
        "sudo_set_commit_reveal_version",
        "",
        "commit_timelocked_weights: the version taken",
        |state, _| number(state.global.commit_reveal_version),
    ),
    network(
        "childkey_take_min",
        "sudo_set_min_childkey_take",
        TAKE,
        "nothing: the chain does not enforce it",
        |state, _| number(state.global.childkey_take_min),
    ),
    network(
        "childkey_take_max",
        "sudo_set_max_childkey_take",
        TAKE,
        "set_childkey_take",
        |state, _| number(state.global.childkey_take_max),
    ),
    network(
        "tx_childkey_take_rate_limit",
        "sudo_set_tx_childkey_take_rate_limit",
        BLOCKS,
        "set_childkey_take",
        |state, _| number(state.global.tx_childkey_take_rate_limit),
    ),
    network(
        "pending_childkey_cooldown",
        "set_pending_childkey_cooldown",
        BLOCKS,
        "set_children",
        |state, _| number(state.global.pending_childkey_cooldown),
    ),
    network(
        "nominator_min_required_stake",
        "sudo_set_nominator_min_required_stake",
        "millionths of the minimum stake",
        "nominations; raising it clears those below",
        |state, _| number(state.global.nominator_min_required_stake),
    ),
    network(
        "root_claims_per_block",
        "sudo_set_num_root_claims",
        "claims",
        "automatic root claims",
        |state, _| number(state.global.root_claims_per_block),
    )
    .bounds("at most 50 (InvalidNumRootClaim)"),
    network(
        "max_mechanism_count",
        "sudo_set_max_mechanism_count",
        "mechanisms",
        "bound of mechanism_count",
        |state, _| number(state.global.max_mechanism_count),
    )
    .bounds("1 to 16 (InvalidValue)"),
    network("min_activity_cutoff", "", BLOCKS, "bound of activity_cutoff", |state, _| {
        number(state.global.min_activity_cutoff)
    }),
    network(
        "admin_freeze_window",
        "sudo_set_admin_freeze_window",
        BLOCKS,
        "calls that a freeze window closes",
        |state, _| number(state.global.admin_freeze_window),
    ),
    network(
        "owner_hyperparam_rate_limit",
        "sudo_set_owner_hparam_rate_limit",
        "tempos",
        "calls of owners",
        |state, _| number(state.global.owner_hyperparam_rate_limit),
    ),
    network("weights_version_key_rate_limit", "", "tempos", "weights_version_key", |state, _| {
        number(state.global.weights_version_key_rate_limit)
    }),
    network(
        "dissolve_network_schedule_duration",
        "sudo_set_dissolve_network_schedule_duration",
        BLOCKS,
        "nothing",
        |state, _| number(state.global.dissolve_network_schedule_duration),
    ),
];
