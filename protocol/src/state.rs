//! The protocol state: plain data, the writes that `apply` may use, and the undo list behind them.
//!
//! What belongs here: what the chain stores and how a write is remembered. What does not: rules
//! (`decide`), facts (`event`), hashing (`root`). Every write marks its component dirty and, inside
//! a savepoint, remembers the old value.

use crate::canon::{Canon, canon_struct};
use crate::event::Parameter;
use crate::index::Index;
use crate::pool::Pool;
use crate::root::RootCache;
use crate::rules::Rules;
use crate::units::{AccountId, Alpha, Height, NetUid, Rao};
use alloc::boxed::Box;
use alloc::collections::btree_map::Entry;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// A new pool's fee, of 65,535.
pub const FEE_RATE_DEFAULT: u16 = 33;
/// A new subnet's price of a burned registration.
pub const BURN_DEFAULT: Rao = Rao(100_000_000);
/// A new subnet's difficulty of a proof-of-work registration.
pub const DIFFICULTY_DEFAULT: u64 = 10_000_000;

/// A stored row of weights or bonds, in stored order.
pub type Row = Vec<(u16, u16)>;

/// Everything the chain stores, unless it is sealed.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct State {
    /// The last block decided.
    pub height: Height,
    /// Rules in force.
    pub rules: Rules,
    /// Counters and parameters of the whole network.
    pub global: Global,
    /// Signed ledgers of what the reference leaks, and the opening balances of a snapshot.
    pub leaks: Leaks,
    /// Subnets by netuid, root included. An entry with `added = false` holds what a dissolution
    /// leaves behind.
    pub subnets: BTreeMap<NetUid, Subnet>,
    /// Free balances and nonces.
    pub accounts: BTreeMap<AccountId, Account>,
    /// What is known of each hotkey.
    pub hotkeys: BTreeMap<AccountId, Hotkey>,
    /// What is known of each coldkey.
    pub coldkeys: BTreeMap<AccountId, Coldkey>,
    /// Stake added in this block: (hotkey, coldkey, netuid). Empty between blocks.
    pub stake_markers: BTreeSet<(AccountId, AccountId, NetUid)>,
    #[serde(skip)]
    pub(crate) cache: RootCache,
    #[serde(skip)]
    pub(crate) index: Index,
    #[serde(skip)]
    pub(crate) undo: UndoList,
}

/// An account's free balance and the number of its calls included so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Free balance.
    pub free: Rao,
    /// Calls included.
    pub nonce: u32,
}
canon_struct!(Account { 1: free, 2: nonce });

/// A hotkey account. The entry exists from registration on; it is never deleted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hotkey {
    /// The owning coldkey; `None` only for entries that hold nothing but claimable rates.
    pub owner: Option<AccountId>,
    /// Delegate take (of 65,535); existence is "is a delegate".
    pub take: Option<u16>,
    /// Claimable root dividends per unit of root stake: netuid → I96F32 bits; absent before the
    /// first epoch that considered the hotkey.
    pub root_claimable: Option<BTreeMap<NetUid, i128>>,
    /// Block of the last change of the take, 0 for none.
    pub take_changed_at: u64,
}
canon_struct!(Hotkey { 1: owner, 2: take, 3: root_claimable, 4: take_changed_at });

/// A coldkey's lists, in insertion order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coldkey {
    /// Hotkeys it owns.
    pub owned: Vec<AccountId>,
    /// Hotkeys it may hold stake on.
    pub staking: Vec<AccountId>,
    /// Its index among root stakers.
    pub root_index: Option<u64>,
    /// What its claims of root dividends become.
    pub root_claim_type: RootClaimType,
    /// Where its mining incentives are staked, by subnet; absent means on the miner's own hotkey.
    /// Outlives the subnet.
    pub auto_stake: BTreeMap<NetUid, AccountId>,
}
canon_struct!(Coldkey { 1: owned, 2: staking, 3: root_index, 4: root_claim_type, 5: auto_stake });

/// What a coldkey's claims of root dividends become (20 §10.3).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RootClaimType {
    /// Sold for TAO that is staked on root.
    #[default]
    Swap,
    /// Kept as stake on the subnet.
    Keep,
    /// Kept on these subnets, sold on the others.
    KeepSubnets(BTreeSet<NetUid>),
}

impl RootClaimType {
    /// Whether a claim on a subnet is sold.
    pub fn swaps(&self, netuid: NetUid) -> bool {
        match self {
            Self::Swap => true,
            Self::Keep => false,
            Self::KeepSubnets(kept) => !kept.contains(&netuid),
        }
    }
}

impl Canon for RootClaimType {
    fn canon(&self, out: &mut Vec<u8>) {
        match self {
            Self::Swap => out.push(0),
            Self::Keep => out.push(1),
            Self::KeepSubnets(kept) => {
                out.push(2);
                kept.canon(out);
            }
        }
    }
}

/// Counters and parameters of the whole network; defaults are the reference's compiled ones.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Global {
    /// TAO ever issued less TAO recycled.
    pub total_issuance: Rao,
    /// The chain's own staked-TAO counter, with its quirks (20 §13.1).
    pub total_stake: Rao,
    /// TAO issued by the last block step at most (the curve's value, not what was minted).
    pub block_emission: Rao,
    /// Receives swap fees.
    pub block_author: Option<AccountId>,
    /// Weight of root TAO in stake, of 2⁶⁴−1.
    pub tao_weight: u64,
    /// Share of childkey dividends burned, of 2⁶⁴−1.
    pub childkey_burn: u64,
    /// Owner's share of alpha emission, of 65,535.
    pub subnet_owner_cut: u16,
    /// Smoothing of net flow, of 2⁶³−1.
    pub flow_smoothing: u64,
    /// Cutoff of the flow average, I64F64 bits.
    pub flow_cutoff: i128,
    /// Exponent of flow normalisation, U64F64 bits.
    pub flow_exponent: u128,
    /// Smoothing of the moving price, I96F32 bits.
    pub moving_alpha: i128,
    /// Stake needed to set weights.
    pub stake_threshold: u64,
    /// Subnets at most, root not counted.
    pub subnet_limit: u16,
    /// Lowest lock cost of a subnet.
    pub network_min_lock_cost: Rao,
    /// What the last registrant paid.
    pub network_last_lock_cost: Rao,
    /// Block of the last subnet registration, 0 for none.
    pub network_last_lock_block: u64,
    /// Blocks over which the lock cost falls back, before the halving factor.
    pub network_lock_reduction_interval: u64,
    /// Blocks between subnet registrations.
    pub network_rate_limit: u64,
    /// First block in which subnets may register.
    pub network_registration_start: u64,
    /// Blocks a subnet cannot be pruned.
    pub network_immunity_period: u64,
    /// Blocks between registration and start call.
    pub start_call_delay: u64,
    /// Blocks before an epoch in which some calls are refused.
    pub admin_freeze_window: u16,
    /// Highest delegate take, of 65,535.
    pub delegate_take_max: u16,
    /// Root stakers indexed so far.
    pub root_stakers: u64,
    /// Automatic root claims per block.
    pub root_claims_per_block: u64,
    /// Lowest delegate take, of 65,535.
    pub delegate_take_min: u16,
    /// Blocks that must pass, and one more, between rises of a delegate take; 0 for no limit.
    pub tx_delegate_take_rate_limit: u64,
    /// Highest childkey take, of 65,535.
    pub childkey_take_max: u16,
    /// Lowest childkey take, of 65,535; the reference does not enforce it.
    pub childkey_take_min: u16,
    /// Blocks between rises of a childkey take.
    pub tx_childkey_take_rate_limit: u64,
    /// Blocks before new children may take effect.
    pub pending_childkey_cooldown: u64,
    /// Smallest nomination, in millionths of the minimum stake; 0 for none.
    pub nominator_min_required_stake: u64,
    /// Weight matrices a subnet may have.
    pub max_mechanism_count: u8,
    /// Tempos between changes of one parameter by a subnet's owner.
    pub owner_hyperparam_rate_limit: u16,
    /// Last share entry that the search for root stakers has visited; absent between passes.
    pub root_walk: Option<(AccountId, AccountId, NetUid)>,
}

impl Default for Global {
    fn default() -> Self {
        Self {
            total_issuance: Rao(0),
            total_stake: Rao(0),
            block_emission: Rao(0),
            block_author: None,
            tao_weight: 971_718_665_099_567_868,
            childkey_burn: 0,
            subnet_owner_cut: 11_796,
            flow_smoothing: 29_597_889_189_277,
            flow_cutoff: 0,
            flow_exponent: 1 << 64,
            moving_alpha: 12_885,
            stake_threshold: 0,
            subnet_limit: 128,
            network_min_lock_cost: Rao::whole(1_000),
            network_last_lock_cost: Rao::whole(1_000),
            network_last_lock_block: 0,
            network_lock_reduction_interval: 100_800,
            network_rate_limit: 7_200,
            network_registration_start: 0,
            network_immunity_period: 1_296_000,
            start_call_delay: 0,
            admin_freeze_window: 10,
            delegate_take_max: 11_796,
            root_stakers: 0,
            root_claims_per_block: 5,
            delegate_take_min: 0,
            tx_delegate_take_rate_limit: 216_000,
            childkey_take_max: 11_796,
            childkey_take_min: 0,
            tx_childkey_take_rate_limit: 216_000,
            pending_childkey_cooldown: 7_200,
            nominator_min_required_stake: 0,
            max_mechanism_count: 2,
            owner_hyperparam_rate_limit: 2,
            root_walk: None,
        }
    }
}
canon_struct!(Global {
    1: total_issuance,
    2: total_stake,
    3: block_emission,
    4: block_author,
    5: tao_weight,
    6: childkey_burn,
    7: subnet_owner_cut,
    8: flow_smoothing,
    9: flow_cutoff,
    10: flow_exponent,
    11: moving_alpha,
    12: stake_threshold,
    13: subnet_limit,
    14: network_min_lock_cost,
    15: network_last_lock_cost,
    16: network_last_lock_block,
    17: network_lock_reduction_interval,
    18: network_rate_limit,
    19: network_registration_start,
    20: network_immunity_period,
    21: start_call_delay,
    22: admin_freeze_window,
    23: delegate_take_max,
    24: root_stakers,
    25: root_claims_per_block,
    26: delegate_take_min,
    27: tx_delegate_take_rate_limit,
    28: childkey_take_max,
    29: childkey_take_min,
    30: tx_childkey_take_rate_limit,
    31: pending_childkey_cooldown,
    32: nominator_min_required_stake,
    33: max_mechanism_count,
    34: owner_hyperparam_rate_limit,
    35: root_walk,
});

impl Global {
    /// The values in force on the main network at the reference date (30 §1.2).
    pub fn mainnet() -> Self {
        Self {
            stake_threshold: Rao::whole(1_000).0,
            network_lock_reduction_interval: 57_600,
            network_rate_limit: 28_800,
            network_immunity_period: 864_000,
            ..Self::default()
        }
    }
}

/// What the reference loses or creates outside its own counters, by name, in rao (20 §20.1).
///
/// `total_issuance = Σ free + Σ subnet TAO + Σ issuance leaks`; the opening entries make this hold
/// for a snapshot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leaks {
    /// What the snapshot's issuance has beyond its balances and pools.
    pub opening: i64,
    /// TAO of a stake order that found no liquidity.
    pub unfilled: i64,
    /// Swap fees of burned registrations, paid to nobody (quirk Q9).
    pub registration_fees: i64,
    /// Emission meant for chain buys that did not reach a pool.
    pub chain_buys: i64,
    /// Pool TAO of a new subnet beyond what the registrant could pay.
    pub lock_shortfall: i64,
    /// Pots of dissolved subnets that nobody could receive.
    pub dissolution: i64,
    /// Balances below the existential deposit that vanished.
    pub dust: i64,
    /// `total_stake` beyond Σ subnet TAO: gross counting of buys (quirk Q6) and the opening.
    pub stake_excess: i64,
    /// TAO of sold root dividends, staked on root without backing (quirk Q3).
    pub root_claims: i64,
    /// Proceeds below the minimum stake of moves between subnets (quirk Q7).
    pub moved_dust: i64,
    /// Proceeds of clean-ups of small nominations whose fee could not be sold (quirk Q10).
    pub clean_ups: i64,
    /// Transaction fees without a block author.
    pub fees: i64,
    /// Root stake sold beyond root's TAO: the reserve saturates at zero.
    pub root_shortfall: i64,
}
canon_struct!(Leaks {
    1: opening,
    2: unfilled,
    3: registration_fees,
    4: chain_buys,
    5: lock_shortfall,
    6: dissolution,
    7: dust,
    8: stake_excess,
    9: root_claims,
    10: moved_dust,
    11: clean_ups,
    12: fees,
    13: root_shortfall,
});

impl Leaks {
    /// Every ledger by name, in rao.
    pub fn named(&self) -> [(&'static str, i64); 13] {
        [
            ("opening", self.opening),
            ("unfilled", self.unfilled),
            ("registration_fees", self.registration_fees),
            ("chain_buys", self.chain_buys),
            ("lock_shortfall", self.lock_shortfall),
            ("dissolution", self.dissolution),
            ("dust", self.dust),
            ("stake_excess", self.stake_excess),
            ("root_claims", self.root_claims),
            ("moved_dust", self.moved_dust),
            ("clean_ups", self.clean_ups),
            ("fees", self.fees),
            ("root_shortfall", self.root_shortfall),
        ]
    }

    /// Λ: the part of issuance that is in no balance and no pool: all ledgers but that of the
    /// staked-TAO counter.
    pub fn issuance(&self) -> i128 {
        let all: i128 = self.named().iter().map(|(_, amount)| i128::from(*amount)).sum();
        all - i128::from(self.stake_excess)
    }
}

/// Which leak ledger an event books to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Leak {
    /// See [`Leaks::opening`].
    Opening,
    /// See [`Leaks::unfilled`].
    Unfilled,
    /// See [`Leaks::registration_fees`].
    RegistrationFees,
    /// See [`Leaks::chain_buys`].
    ChainBuys,
    /// See [`Leaks::lock_shortfall`].
    LockShortfall,
    /// See [`Leaks::dissolution`].
    Dissolution,
    /// See [`Leaks::dust`].
    Dust,
    /// See [`Leaks::stake_excess`].
    StakeExcess,
    /// See [`Leaks::root_claims`].
    RootClaims,
    /// See [`Leaks::moved_dust`].
    MovedDust,
    /// See [`Leaks::clean_ups`].
    CleanUps,
    /// See [`Leaks::fees`].
    Fees,
    /// See [`Leaks::root_shortfall`].
    RootShortfall,
}

impl Leaks {
    /// The ledger of that name.
    pub fn ledger_mut(&mut self, leak: Leak) -> &mut i64 {
        match leak {
            Leak::Opening => &mut self.opening,
            Leak::Unfilled => &mut self.unfilled,
            Leak::RegistrationFees => &mut self.registration_fees,
            Leak::ChainBuys => &mut self.chain_buys,
            Leak::LockShortfall => &mut self.lock_shortfall,
            Leak::Dissolution => &mut self.dissolution,
            Leak::Dust => &mut self.dust,
            Leak::StakeExcess => &mut self.stake_excess,
            Leak::RootClaims => &mut self.root_claims,
            Leak::MovedDust => &mut self.moved_dust,
            Leak::CleanUps => &mut self.clean_ups,
            Leak::Fees => &mut self.fees,
            Leak::RootShortfall => &mut self.root_shortfall,
        }
    }
}

/// One subnet. The default is what a netuid without a subnet reads as.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Subnet {
    /// Whether the network exists.
    pub added: bool,
    /// Scalars that change every block.
    pub fast: Fast,
    /// Hyperparameters.
    pub params: Params,
    /// Names, owner and dates.
    pub info: Info,
    /// The neurons, by uid.
    pub neurons: Neurons,
    /// Weight matrices, bonds and incentives, one entry per mechanism.
    pub mechanisms: Vec<Mechanism>,
    /// Stake by hotkey.
    pub pools: BTreeMap<AccountId, HotkeyPool>,
    /// Last epoch's dividends by hotkey: (alpha, root alpha). After a dissolution only root's
    /// part is left behind.
    pub last_dividends: BTreeMap<AccountId, (Option<Alpha>, Alpha)>,
    /// Root alpha already claimed: (hotkey, coldkey) → amount.
    pub root_claimed: BTreeMap<(AccountId, AccountId), u128>,
    /// Served endpoints by hotkey.
    pub axons: BTreeMap<AccountId, Axon>,
    /// Parents and children of hotkeys on this subnet.
    pub links: BTreeMap<AccountId, Links>,
    /// Children that take effect later, by parent.
    pub pending_children: BTreeMap<AccountId, PendingChildren>,
    /// When rate-limited orders were last carried out; most outlive the subnet.
    pub stamps: BTreeMap<Stamp, u64>,
}

impl Default for Subnet {
    fn default() -> Self {
        let mut fast =
            Fast { burn: BURN_DEFAULT, difficulty: DIFFICULTY_DEFAULT, ..Fast::default() };
        fast.pool.fee_rate = FEE_RATE_DEFAULT;
        Self {
            added: false,
            fast,
            params: Params::default(),
            info: Info::default(),
            neurons: Neurons::default(),
            mechanisms: Vec::new(),
            pools: BTreeMap::new(),
            last_dividends: BTreeMap::new(),
            root_claimed: BTreeMap::new(),
            axons: BTreeMap::new(),
            links: BTreeMap::new(),
            pending_children: BTreeMap::new(),
            stamps: BTreeMap::new(),
        }
    }
}

/// Children ordered but not in force.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingChildren {
    /// The new list, (proportion of 2⁶⁴−1, account).
    pub children: Vec<(u64, AccountId)>,
    /// They take effect at the first epoch slot after this block.
    pub apply_block: u64,
}
canon_struct!(PendingChildren { 1: children, 2: apply_block });

/// What a subnet's rate limits remember the block of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stamp {
    /// The owner's last change of a parameter.
    Parameter(Parameter),
    /// The last `add_stake_burn`.
    AddStakeBurn,
    /// The owner's last change of the number of mechanisms; goes with the subnet.
    MechanismCount,
    /// The owner's last change of the split between mechanisms; goes with the subnet.
    MechanismSplit,
}

impl Canon for Stamp {
    fn canon(&self, out: &mut Vec<u8>) {
        match self {
            Self::Parameter(parameter) => {
                out.push(0);
                (*parameter as u16).canon(out);
            }
            Self::AddStakeBurn => out.push(1),
            Self::MechanismCount => out.push(2),
            Self::MechanismSplit => out.push(3),
        }
    }
}

/// A subnet's scalars that change every block; all subnets' are hashed as one buffer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fast {
    /// Reserves, price, liquidity and alpha outside the pool.
    pub pool: Pool,
    /// TAO swapped through the pool ever.
    pub volume: u128,
    /// TAO injected by the last block.
    pub tao_in_emission: Rao,
    /// Alpha injected by the last block.
    pub alpha_in_emission: Alpha,
    /// Alpha minted to participants by the last block.
    pub alpha_out_emission: Alpha,
    /// TAO spent by the last block on buying alpha (and destroying it).
    pub excess_tao_emission: Rao,
    /// Emission share of the last block, U64F64 bits.
    pub emission_share: u128,
    /// Miners' pot until the next epoch.
    pub pending_server: Alpha,
    /// Validators' pot until the next epoch.
    pub pending_validator: Alpha,
    /// Root stakers' pot until the next epoch.
    pub pending_root: Alpha,
    /// Owner's pot until the next epoch.
    pub pending_owner: Alpha,
    /// Net staking flow since the last average, in rao.
    pub flow: i64,
    /// The flow average: block and I64F64 bits; absent before the first.
    pub flow_average: Option<(u64, i128)>,
    /// The moving price, I96F32 bits.
    pub moving_price: i128,
    /// Root's share of validator dividends, U96F32 bits.
    pub root_proportion: u128,
    /// The block from which "blocks since the last step" are counted.
    pub step_base: u64,
    /// Block of the last epoch.
    pub last_step: u64,
    /// Root alpha credited to claimants less what they claimed, in the smallest unit (ledger U of
    /// 20 §20.2); rates are rounded, so it can end a little below zero.
    pub claimable_root_alpha: i64,
    /// Price of a burned registration.
    pub burn: Rao,
    /// Difficulty of a proof-of-work registration.
    pub difficulty: u64,
    /// Block of the last adjustment of burn and difficulty.
    pub last_adjustment: u64,
    /// Registrations in this block.
    pub registrations_this_block: u16,
    /// Registrations since the last adjustment.
    pub registrations_this_interval: u16,
    /// Of these by proof of work.
    pub pow_registrations_this_interval: u16,
    /// Of these by burn.
    pub burn_registrations_this_interval: u16,
    /// TAO recycled or burned for registrations ever.
    pub recycled_for_registration: Rao,
}
canon_struct!(Fast {
    1: pool,
    2: volume,
    3: tao_in_emission,
    4: alpha_in_emission,
    5: alpha_out_emission,
    6: excess_tao_emission,
    7: emission_share,
    8: pending_server,
    9: pending_validator,
    10: pending_root,
    11: pending_owner,
    12: flow,
    13: flow_average,
    14: moving_price,
    15: root_proportion,
    16: step_base,
    17: last_step,
    18: claimable_root_alpha,
    19: burn,
    20: difficulty,
    21: last_adjustment,
    22: registrations_this_block,
    23: registrations_this_interval,
    24: pow_registrations_this_interval,
    25: burn_registrations_this_interval,
    26: recycled_for_registration,
});

impl Canon for Pool {
    fn canon(&self, out: &mut Vec<u8>) {
        let default = Self::default();
        macro_rules! fields {
            ($($tag:literal: $field:ident),*) => {
                $(crate::canon::field(out, $tag, &self.$field, &default.$field);)*
            };
        }
        fields!(
            1: tao, 2: alpha, 3: alpha_out, 4: initialized, 5: sqrt_price, 6: liquidity,
            7: position_liquidity, 8: net_liquidity, 9: fee_rate, 10: scrap_tao, 11: scrap_alpha
        );
    }
}

impl Fast {
    /// Alpha in the pool and outside it.
    pub fn alpha_issuance(&self) -> u64 {
        self.pool.alpha.saturating_add(self.pool.alpha_out)
    }
}

/// Hyperparameters; defaults are those of a newly registered subnet (30 §4.3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(
    missing_docs,
    reason = "the names are the chain's; 30 §12.2 and docs/glossary.md say what they are"
)]
pub struct Params {
    pub tempo: u16,
    pub kappa: u16,
    pub rho: u16,
    pub activity_cutoff: u16,
    pub max_allowed_validators: u16,
    pub max_allowed_uids: u16,
    pub min_allowed_uids: u16,
    pub min_allowed_weights: u16,
    pub immunity_period: u16,
    pub min_non_immune_uids: u16,
    pub immune_owner_uids_limit: u16,
    pub bonds_moving_average: u64,
    pub bonds_penalty: u16,
    pub bonds_reset: bool,
    pub yuma3: bool,
    pub liquid_alpha: bool,
    pub alpha_low: u16,
    pub alpha_high: u16,
    pub alpha_sigmoid_steepness: i16,
    pub commit_reveal: bool,
    pub reveal_period: u64,
    pub weights_set_rate_limit: u64,
    pub weights_version_key: u64,
    pub serving_rate_limit: u64,
    pub registration_allowed: bool,
    pub pow_registration_allowed: bool,
    pub target_registrations_per_interval: u16,
    pub max_registrations_per_block: u16,
    pub adjustment_interval: u16,
    pub adjustment_alpha: u64,
    pub min_burn: Rao,
    pub max_burn: Rao,
    pub min_difficulty: u64,
    pub max_difficulty: u64,
    pub subtoken_enabled: bool,
    pub transfer_toggle: bool,
    /// Owner keys' withheld incentive is recycled (true) or burned (false).
    pub recycle_withheld: bool,
    pub ema_price_halving_blocks: u64,
    pub root_claimable_threshold: i128,
    /// 1: dynamic pool, 0: stable one to one.
    pub mechanism: u16,
    pub mechanism_count: u8,
    pub mechanism_split: Option<Vec<u16>>,
}

impl Default for Params {
    fn default() -> Self {
        Self {
            tempo: 360,
            kappa: 32_767,
            rho: 10,
            activity_cutoff: 5_000,
            max_allowed_validators: 64,
            max_allowed_uids: 256,
            min_allowed_uids: 64,
            min_allowed_weights: 1,
            immunity_period: 5_000,
            min_non_immune_uids: 10,
            immune_owner_uids_limit: 1,
            bonds_moving_average: 900_000,
            bonds_penalty: 65_535,
            bonds_reset: false,
            yuma3: false,
            liquid_alpha: false,
            alpha_low: 45_875,
            alpha_high: 58_982,
            alpha_sigmoid_steepness: 1_000,
            commit_reveal: true,
            reveal_period: 1,
            weights_set_rate_limit: 100,
            weights_version_key: 0,
            serving_rate_limit: 50,
            registration_allowed: true,
            pow_registration_allowed: true,
            target_registrations_per_interval: 1,
            max_registrations_per_block: 1,
            adjustment_interval: 360,
            adjustment_alpha: 17_893_341_751_498_265_066,
            min_burn: Rao(500_000),
            max_burn: Rao::whole(100),
            min_difficulty: u64::MAX,
            max_difficulty: u64::MAX,
            subtoken_enabled: false,
            transfer_toggle: true,
            recycle_withheld: false,
            ema_price_halving_blocks: 201_600,
            root_claimable_threshold: 500_000 << 32,
            mechanism: 1,
            mechanism_count: 1,
            mechanism_split: None,
        }
    }
}
canon_struct!(Params {
    1: tempo,
    2: kappa,
    3: rho,
    4: activity_cutoff,
    5: max_allowed_validators,
    6: max_allowed_uids,
    7: min_allowed_uids,
    8: min_allowed_weights,
    9: immunity_period,
    10: min_non_immune_uids,
    11: immune_owner_uids_limit,
    12: bonds_moving_average,
    13: bonds_penalty,
    14: bonds_reset,
    15: yuma3,
    16: liquid_alpha,
    17: alpha_low,
    18: alpha_high,
    19: alpha_sigmoid_steepness,
    20: commit_reveal,
    21: reveal_period,
    22: weights_set_rate_limit,
    23: weights_version_key,
    24: serving_rate_limit,
    25: registration_allowed,
    26: pow_registration_allowed,
    27: target_registrations_per_interval,
    28: max_registrations_per_block,
    29: adjustment_interval,
    30: adjustment_alpha,
    31: min_burn,
    32: max_burn,
    33: min_difficulty,
    34: max_difficulty,
    35: subtoken_enabled,
    36: transfer_toggle,
    37: recycle_withheld,
    38: ema_price_halving_blocks,
    39: root_claimable_threshold,
    40: mechanism,
    41: mechanism_count,
    42: mechanism_split,
});

impl Params {
    /// Root's parameters (30 §3.2).
    pub fn root() -> Self {
        Self {
            tempo: 100,
            max_allowed_uids: 64,
            max_allowed_validators: 64,
            min_allowed_weights: 0,
            adjustment_interval: 100,
            adjustment_alpha: 0,
            min_difficulty: 10_000_000,
            max_difficulty: u64::MAX / 4,
            subtoken_enabled: true,
            mechanism: 0,
            ..Self::default()
        }
    }
}

/// A subnet's names, owner and dates.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Info {
    /// Display name; the chain's identity field.
    pub name: String,
    /// Token symbol.
    pub symbol: String,
    /// Owning coldkey.
    pub owner: Option<AccountId>,
    /// The owner's neuron.
    pub owner_hotkey: Option<AccountId>,
    /// Block of registration.
    pub registered_at: u64,
    /// First block with emission; absent before the start call.
    pub first_emission: Option<u64>,
    /// What registration cost.
    pub locked: Rao,
}
canon_struct!(Info {
    1: name,
    2: symbol,
    3: owner,
    4: owner_hotkey,
    5: registered_at,
    6: first_emission,
    7: locked,
});

/// Neurons as columns indexed by uid; all have the same length.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Neurons {
    /// Hotkey of each uid.
    pub hotkeys: Vec<AccountId>,
    /// Block of registration.
    pub registered_at: Vec<u64>,
    /// Set weights recently enough, as of the last epoch.
    pub active: Vec<bool>,
    /// Last epoch's alpha.
    pub emission: Vec<Alpha>,
    /// Of 65,535.
    pub consensus: Vec<u16>,
    /// Of 65,535.
    pub dividends: Vec<u16>,
    /// Of 65,535.
    pub validator_trust: Vec<u16>,
    /// May set weights.
    pub validator_permit: Vec<bool>,
    /// Share of stake, of 65,535. As on the chain, shorter than the others until an epoch ran.
    pub stake_weight: Vec<u16>,
    /// Uid of each hotkey.
    pub uids: BTreeMap<AccountId, u16>,
}
canon_struct!(Neurons {
    1: hotkeys,
    2: registered_at,
    3: active,
    4: emission,
    5: consensus,
    6: dividends,
    7: validator_trust,
    8: validator_permit,
    9: stake_weight,
});

impl Neurons {
    /// Number of uids.
    pub fn len(&self) -> usize {
        self.hotkeys.len()
    }

    /// Whether nobody is registered.
    pub fn is_empty(&self) -> bool {
        self.hotkeys.is_empty()
    }

    /// The uid of a hotkey.
    pub fn uid(&self, hotkey: &AccountId) -> Option<u16> {
        self.uids.get(hotkey).copied()
    }
}

/// One weight matrix with what belongs to it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mechanism {
    /// Of 65,535, by uid.
    pub incentive: Vec<u16>,
    /// Block of the last weights or commit, by uid.
    pub last_update: Vec<u64>,
    /// Weights, by setting uid.
    pub weights: Vec<Row>,
    /// Bonds, by holding uid.
    pub bonds: Vec<Row>,
}

/// A hotkey's stake on a subnet and who holds it (20 §12).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HotkeyPool {
    /// Alpha of all holders.
    pub alpha: Alpha,
    /// Sum of shares, U64F64 bits.
    pub shares: u128,
    /// Shares by coldkey, U64F64 bits.
    pub holders: BTreeMap<AccountId, u128>,
    /// Alpha after the last epoch's dividends.
    pub alpha_last_epoch: Alpha,
}
canon_struct!(HotkeyPool { 1: alpha, 2: shares, 3: holders, 4: alpha_last_epoch });

impl HotkeyPool {
    /// A holder's alpha, rounded down.
    pub fn value(&self, coldkey: &AccountId) -> Alpha {
        let share = self.holders.get(coldkey).copied().unwrap_or(0);
        Alpha(crate::shares::value(self.alpha.0, self.shares, share))
    }

    /// Sets a holder's shares; zero removes the entry, as the chain does. Tells whether the entry
    /// came (`true`) or went.
    fn hold(&mut self, coldkey: AccountId, share: u128) -> Option<bool> {
        if share == 0 {
            self.holders.remove(&coldkey).map(|_| false)
        } else {
            self.holders.insert(coldkey, share).is_none().then_some(true)
        }
    }
}

/// A served endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the chain's own record")]
pub struct Axon {
    pub block: u64,
    pub version: u32,
    pub ip: u128,
    pub port: u16,
    pub ip_type: u8,
    pub protocol: u8,
    pub placeholder1: u8,
    pub placeholder2: u8,
}
canon_struct!(Axon {
    1: block,
    2: version,
    3: ip,
    4: port,
    5: ip_type,
    6: protocol,
    7: placeholder1,
    8: placeholder2,
});

/// Parents and children of one hotkey on one subnet: (proportion of 2⁶⁴−1, account).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Links {
    /// Whom it delegates stake weight to.
    pub children: Vec<(u64, AccountId)>,
    /// Who delegates to it.
    pub parents: Vec<(u64, AccountId)>,
    /// Share of parents' dividends it keeps, of 65,535.
    pub take: u16,
    /// Block of the last order for children, 0 for none.
    pub children_set_at: u64,
    /// Block of the last order for the take, 0 for none.
    pub take_set_at: u64,
}
canon_struct!(Links { 1: children, 2: parents, 3: take, 4: children_set_at, 5: take_set_at });

impl Hotkey {
    /// What a unit of root stake may claim on a subnet, I96F32 bits.
    pub fn claim_rate(&self, netuid: NetUid) -> Option<i128> {
        self.root_claimable.as_ref().and_then(|rates| rates.get(&netuid)).copied()
    }
}

impl State {
    /// A subnet that exists.
    pub fn subnet(&self, netuid: NetUid) -> Option<&Subnet> {
        self.subnets.get(&netuid).filter(|subnet| subnet.added)
    }

    /// The subnets that exist, ascending, root included.
    pub fn networks(&self) -> impl Iterator<Item = (NetUid, &Subnet)> {
        self.subnets.iter().filter(|(_, subnet)| subnet.added).map(|(id, subnet)| (*id, subnet))
    }

    /// Free balance.
    pub fn free(&self, account: &AccountId) -> Rao {
        self.accounts.get(account).map_or(Rao::ZERO, |account| account.free)
    }

    /// Calls included so far.
    pub fn nonce(&self, account: &AccountId) -> u32 {
        self.accounts.get(account).map_or(0, |account| account.nonce)
    }

    /// The coldkey owning a hotkey.
    pub fn owner(&self, hotkey: &AccountId) -> Option<AccountId> {
        self.hotkeys.get(hotkey).and_then(|hotkey| hotkey.owner)
    }

    /// All alpha of a hotkey on a subnet.
    pub fn hotkey_alpha(&self, hotkey: &AccountId, netuid: NetUid) -> Alpha {
        let pool = self.subnets.get(&netuid).and_then(|subnet| subnet.pools.get(hotkey));
        pool.map_or(Alpha::ZERO, |pool| pool.alpha)
    }

    /// A coldkey's alpha behind a hotkey on a subnet, rounded down.
    pub fn stake(&self, hotkey: &AccountId, coldkey: &AccountId, netuid: NetUid) -> Alpha {
        let pool = self.subnets.get(&netuid).and_then(|subnet| subnet.pools.get(hotkey));
        pool.map_or(Alpha::ZERO, |pool| pool.value(coldkey))
    }

    /// Forgets cached hashes, so that the next root is computed from scratch.
    pub fn forget_cached_hashes(&mut self) {
        self.cache = RootCache::default();
    }

    /// Forgets the derived indexes, so that they are built anew when next asked for: after writes
    /// that did not go through `apply`.
    pub fn forget_indexes(&mut self) {
        self.index = Index::default();
    }
}

impl Subnet {
    /// Spot price, U96F32 bits; 1 for the stable mechanism (20 §1).
    pub fn price(&self) -> u128 {
        if self.params.mechanism == 1 { self.fast.pool.price() } else { 1 << 32 }
    }

    /// The moving price, U96F32 bits; 1 for root and the stable mechanism.
    pub fn moving_price(&self) -> u128 {
        if self.params.mechanism == 1 {
            u128::try_from(self.fast.moving_price).unwrap_or(0)
        } else {
            1 << 32
        }
    }

    /// Whether it takes part in emission (20 §4.1); root never does.
    pub fn emits(&self) -> bool {
        self.added
            && self.info.first_emission.is_some()
            && self.params.subtoken_enabled
            && (self.params.registration_allowed || self.params.pow_registration_allowed)
    }

    /// The mechanism of that number, if it has been written to.
    pub fn mechanism(&self, number: u8) -> Option<&Mechanism> {
        self.mechanisms.get(usize::from(number))
    }
}

/// The old values behind open savepoints.
#[derive(Clone, Debug, Default)]
pub(crate) struct UndoList {
    depth: u32,
    entries: Vec<Undo>,
}

impl UndoList {
    fn remember_fast(&mut self, id: NetUid, old: &Fast) {
        if self.depth > 0 {
            self.entries.push(Undo::Fast(id, Box::new(*old)));
        }
    }
}

#[derive(Clone, Debug)]
enum Undo {
    Height(Height),
    Rules(Rules),
    Global(Box<Global>),
    Leaks(Leaks),
    Subnet(NetUid, Option<Box<Subnet>>),
    Fast(NetUid, Box<Fast>),
    Swap(NetUid, Box<(Pool, u128)>),
    Flow(NetUid, i64),
    TotalStake(Rao),
    TotalIssuance(Rao),
    Params(NetUid, Box<Params>),
    Info(NetUid, Box<Info>),
    Neurons(NetUid, Box<Neurons>),
    Mechanisms(NetUid, Vec<Mechanism>),
    Row(NetUid, u8, u16, Row),
    LastUpdate(NetUid, u8, u16, u64),
    Pool(NetUid, AccountId, Option<(Alpha, u128, Alpha)>),
    WholePool(NetUid, AccountId, Option<Box<HotkeyPool>>),
    Holder(NetUid, AccountId, AccountId, Option<u128>),
    LastDividends(NetUid, BTreeMap<AccountId, (Option<Alpha>, Alpha)>),
    RootClaimed(NetUid, (AccountId, AccountId), Option<u128>),
    Axon(NetUid, AccountId, Option<Axon>),
    Links(NetUid, AccountId, Option<Box<Links>>),
    PendingChildren(NetUid, AccountId, Option<Box<PendingChildren>>),
    Stamp(NetUid, Stamp, Option<u64>),
    Account(AccountId, Option<Account>),
    Hotkey(AccountId, Option<Box<Hotkey>>),
    Coldkey(AccountId, Option<Box<Coldkey>>),
    Marker(AccountId, AccountId, NetUid),
    Markers(BTreeSet<(AccountId, AccountId, NetUid)>),
}

/// A new value of one holder's shares, with what it does to the pool.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ShareWrite {
    pub hotkey: AccountId,
    pub coldkey: AccountId,
    /// Change of the pool's alpha.
    pub alpha: i64,
    /// All shares of the pool from now on.
    pub shares: u128,
    /// The holder's shares from now on.
    pub share: u128,
}

/// A place in the undo list to roll back to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark(usize);

impl State {
    pub(crate) fn open_savepoint(&mut self) -> Mark {
        self.undo.depth += 1;
        Mark(self.undo.entries.len())
    }

    pub(crate) fn close_savepoint(&mut self) {
        self.undo.depth -= 1;
        if self.undo.depth == 0 {
            self.undo.entries.clear();
        }
    }

    pub(crate) fn roll_back(&mut self, mark: Mark) {
        while self.undo.entries.len() > mark.0 {
            if let Some(entry) = self.undo.entries.pop() {
                self.restore(entry);
            }
        }
    }

    fn remember(&mut self, entry: impl FnOnce(&Self) -> Undo) {
        if self.undo.depth > 0 {
            let entry = entry(self);
            self.undo.entries.push(entry);
        }
    }

    fn restore(&mut self, entry: Undo) {
        match entry {
            Undo::Height(old) => self.height = old,
            Undo::Rules(old) => self.rules = old,
            Undo::Global(old) => self.global = *old,
            Undo::Leaks(old) => self.leaks = old,
            Undo::Subnet(id, old) => {
                self.index.forget_holders();
                self.cache.subnet(id).forget();
                match old {
                    Some(old) => self.subnets.insert(id, *old),
                    None => self.subnets.remove(&id),
                };
            }
            Undo::Fast(id, old) => self.subnet_entry(id).fast = *old,
            Undo::Swap(id, old) => {
                let fast = &mut self.subnet_entry(id).fast;
                (fast.pool, fast.volume) = *old;
            }
            Undo::Flow(id, old) => self.subnet_entry(id).fast.flow = old,
            Undo::TotalStake(old) => self.global.total_stake = old,
            Undo::TotalIssuance(old) => self.global.total_issuance = old,
            Undo::Params(id, old) => {
                self.cache.subnet(id).params = None;
                self.subnet_entry(id).params = *old;
            }
            Undo::Info(id, old) => {
                self.cache.subnet(id).info = None;
                self.subnet_entry(id).info = *old;
            }
            Undo::Neurons(id, old) => {
                self.cache.subnet(id).neurons = None;
                self.subnet_entry(id).neurons = *old;
            }
            Undo::Mechanisms(id, old) => {
                self.cache.subnet(id).forget_mechanisms();
                self.subnet_entry(id).mechanisms = old;
            }
            Undo::Row(id, mechanism, uid, old) => {
                self.cache.subnet(id).weights = None;
                *row_entry(self.subnet_entry(id), mechanism, uid) = old;
            }
            Undo::LastUpdate(id, mechanism, uid, old) => {
                self.cache.subnet(id).weights = None;
                *last_update_entry(self.subnet_entry(id), mechanism, uid) = old;
            }
            Undo::Pool(id, hotkey, old) => {
                self.cache.subnet(id).forget_pool(&hotkey);
                let pools = &mut self.subnet_entry(id).pools;
                match old {
                    None => {
                        pools.remove(&hotkey);
                    }
                    Some((alpha, shares, alpha_last_epoch)) => {
                        let pool = pools.entry(hotkey).or_default();
                        (pool.alpha, pool.shares) = (alpha, shares);
                        pool.alpha_last_epoch = alpha_last_epoch;
                    }
                }
            }
            Undo::WholePool(id, hotkey, old) => {
                self.index.forget_holders();
                self.cache.subnet(id).forget_pool(&hotkey);
                let pools = &mut self.subnet_entry(id).pools;
                match old {
                    Some(old) => pools.insert(hotkey, *old),
                    None => pools.remove(&hotkey),
                };
            }
            Undo::Holder(id, hotkey, coldkey, old) => {
                self.cache.subnet(id).forget_pool(&hotkey);
                self.put_holder(id, hotkey, coldkey, old.unwrap_or(0));
            }
            Undo::LastDividends(id, old) => {
                self.cache.subnet(id).dividends = None;
                self.subnet_entry(id).last_dividends = old;
            }
            Undo::RootClaimed(id, key, old) => {
                self.cache.subnet(id).claims = None;
                let claimed = &mut self.subnet_entry(id).root_claimed;
                match old {
                    Some(old) => claimed.insert(key, old),
                    None => claimed.remove(&key),
                };
            }
            Undo::Axon(id, hotkey, old) => {
                self.cache.subnet(id).axons = None;
                let axons = &mut self.subnet_entry(id).axons;
                match old {
                    Some(old) => axons.insert(hotkey, old),
                    None => axons.remove(&hotkey),
                };
            }
            Undo::Links(id, hotkey, old) => {
                self.cache.subnet(id).links = None;
                let links = &mut self.subnet_entry(id).links;
                match old {
                    Some(old) => links.insert(hotkey, *old),
                    None => links.remove(&hotkey),
                };
            }
            Undo::PendingChildren(id, hotkey, old) => {
                self.cache.subnet(id).pending_children = None;
                let pending = &mut self.subnet_entry(id).pending_children;
                match old {
                    Some(old) => pending.insert(hotkey, *old),
                    None => pending.remove(&hotkey),
                };
            }
            Undo::Stamp(id, stamp, old) => {
                self.cache.subnet(id).stamps = None;
                let stamps = &mut self.subnet_entry(id).stamps;
                match old {
                    Some(old) => stamps.insert(stamp, old),
                    None => stamps.remove(&stamp),
                };
            }
            Undo::Account(id, old) => {
                self.cache.accounts.mark(&id);
                match old {
                    Some(old) => self.accounts.insert(id, old),
                    None => self.accounts.remove(&id),
                };
            }
            Undo::Hotkey(id, old) => {
                self.cache.hotkeys.mark(&id);
                match old {
                    Some(old) => self.hotkeys.insert(id, *old),
                    None => self.hotkeys.remove(&id),
                };
            }
            Undo::Coldkey(id, old) => {
                self.index.forget_root_stakers();
                self.cache.coldkeys.mark(&id);
                match old {
                    Some(old) => self.coldkeys.insert(id, *old),
                    None => self.coldkeys.remove(&id),
                };
            }
            Undo::Marker(hotkey, coldkey, id) => {
                self.stake_markers.remove(&(hotkey, coldkey, id));
            }
            Undo::Markers(old) => self.stake_markers = old,
        }
    }

    fn subnet_entry(&mut self, id: NetUid) -> &mut Subnet {
        self.subnets.entry(id).or_default()
    }
}

/// A mechanism with columns as long as the neurons are many.
pub(crate) fn mechanism_entry(subnet: &mut Subnet, mechanism: u8) -> &mut Mechanism {
    let index = usize::from(mechanism);
    if subnet.mechanisms.len() <= index {
        subnet.mechanisms.resize(index + 1, Mechanism::default());
    }
    let length = subnet.neurons.len();
    let mechanism = &mut subnet.mechanisms[index];
    if mechanism.last_update.len() < length {
        mechanism.last_update.resize(length, 0);
    }
    if mechanism.incentive.len() < length {
        mechanism.incentive.resize(length, 0);
    }
    if mechanism.weights.len() < length {
        mechanism.weights.resize(length, vec![]);
    }
    if mechanism.bonds.len() < length {
        mechanism.bonds.resize(length, vec![]);
    }
    mechanism
}

fn row_entry(subnet: &mut Subnet, mechanism: u8, uid: u16) -> &mut Row {
    &mut mechanism_entry(subnet, mechanism).weights[usize::from(uid)]
}

fn last_update_entry(subnet: &mut Subnet, mechanism: u8, uid: u16) -> &mut u64 {
    &mut mechanism_entry(subnet, mechanism).last_update[usize::from(uid)]
}

/// The writes. Only `apply` uses them (and genesis, before the first block).
impl State {
    pub(crate) fn set_height(&mut self, height: Height) {
        self.remember(|state| Undo::Height(state.height));
        self.height = height;
    }

    pub(crate) fn rules_mut(&mut self) -> &mut Rules {
        self.remember(|state| Undo::Rules(state.rules));
        &mut self.rules
    }

    pub(crate) fn global_mut(&mut self) -> &mut Global {
        self.remember(|state| Undo::Global(Box::new(state.global.clone())));
        &mut self.global
    }

    pub(crate) fn leaks_mut(&mut self) -> &mut Leaks {
        self.remember(|state| Undo::Leaks(state.leaks));
        &mut self.leaks
    }

    /// The whole subnet, created when absent: for registration and dissolution.
    pub(crate) fn whole_subnet_mut(&mut self, id: NetUid) -> &mut Subnet {
        self.remember(|state| Undo::Subnet(id, state.subnets.get(&id).cloned().map(Box::new)));
        self.index.forget_holders();
        self.cache.subnet(id).forget();
        self.subnet_entry(id)
    }

    /// The scalars of a subnet that exists.
    pub(crate) fn fast_mut(&mut self, id: NetUid) -> Option<&mut Fast> {
        let subnet = self.subnets.get_mut(&id).filter(|subnet| subnet.added)?;
        self.undo.remember_fast(id, &subnet.fast);
        Some(&mut subnet.fast)
    }

    /// The scalars of several subnets in one walk over the map: a column has an entry for almost
    /// every subnet. Ends early at a netuid that does not exist or does not ascend.
    pub(crate) fn fasts_mut(&mut self, ids: &[NetUid]) -> impl Iterator<Item = &mut Fast> {
        let first = ids.first().copied().unwrap_or_default();
        let (undo, mut subnets) = (&mut self.undo, self.subnets.range_mut(first..));
        ids.iter().map_while(move |id| {
            let (_, subnet) = subnets.find(|(at, subnet)| *at == id && subnet.added)?;
            undo.remember_fast(*id, &subnet.fast);
            Some(&mut subnet.fast)
        })
    }

    /// An existing subnet's scalars for writing its pool and volume.
    pub(crate) fn swap_mut(&mut self, id: NetUid) -> Option<&mut Fast> {
        let fast = &mut self.subnets.get_mut(&id).filter(|subnet| subnet.added)?.fast;
        if self.undo.depth > 0 {
            self.undo.entries.push(Undo::Swap(id, Box::new((fast.pool, fast.volume))));
        }
        Some(fast)
    }

    /// The flow of an existing subnet.
    pub(crate) fn flow_mut(&mut self, id: NetUid) -> Option<&mut i64> {
        let flow = &mut self.subnets.get_mut(&id).filter(|subnet| subnet.added)?.fast.flow;
        if self.undo.depth > 0 {
            self.undo.entries.push(Undo::Flow(id, *flow));
        }
        Some(flow)
    }

    pub(crate) fn total_stake_mut(&mut self) -> &mut Rao {
        self.remember(|state| Undo::TotalStake(state.global.total_stake));
        &mut self.global.total_stake
    }

    pub(crate) fn total_issuance_mut(&mut self) -> &mut Rao {
        self.remember(|state| Undo::TotalIssuance(state.global.total_issuance));
        &mut self.global.total_issuance
    }

    pub(crate) fn params_mut(&mut self, id: NetUid) -> &mut Params {
        self.remember(|state| {
            let params = state.subnets.get(&id).map(|subnet| subnet.params.clone());
            Undo::Params(id, Box::new(params.unwrap_or_default()))
        });
        self.cache.subnet(id).params = None;
        &mut self.subnet_entry(id).params
    }

    pub(crate) fn info_mut(&mut self, id: NetUid) -> &mut Info {
        self.remember(|state| {
            let info = state.subnets.get(&id).map(|subnet| subnet.info.clone());
            Undo::Info(id, Box::new(info.unwrap_or_default()))
        });
        self.cache.subnet(id).info = None;
        &mut self.subnet_entry(id).info
    }

    /// Neurons and mechanisms together: for placing a neuron and for the epoch.
    pub(crate) fn neurons_mut(&mut self, id: NetUid) -> (&mut Neurons, &mut Vec<Mechanism>) {
        self.remember(|state| {
            let neurons = state.subnets.get(&id).map(|subnet| subnet.neurons.clone());
            Undo::Neurons(id, Box::new(neurons.unwrap_or_default()))
        });
        self.remember(|state| {
            let mechanisms = state.subnets.get(&id).map(|subnet| subnet.mechanisms.clone());
            Undo::Mechanisms(id, mechanisms.unwrap_or_default())
        });
        let cache = self.cache.subnet(id);
        cache.neurons = None;
        cache.forget_mechanisms();
        let subnet = self.subnet_entry(id);
        (&mut subnet.neurons, &mut subnet.mechanisms)
    }

    /// Makes a mechanism's columns as long as the neurons are many.
    fn pad_mechanism(&mut self, id: NetUid, mechanism: u8) {
        let subnet = self.subnet_entry(id);
        let length = subnet.neurons.len();
        let fits = subnet.mechanism(mechanism).is_some_and(|mechanism| {
            mechanism.last_update.len() >= length
                && mechanism.incentive.len() >= length
                && mechanism.weights.len() >= length
                && mechanism.bonds.len() >= length
        });
        if !fits {
            let (_, _) = self.neurons_mut(id);
            mechanism_entry(self.subnet_entry(id), mechanism);
        }
    }

    pub(crate) fn row_mut(&mut self, id: NetUid, mechanism: u8, uid: u16) -> &mut Row {
        self.pad_mechanism(id, mechanism);
        self.cache.subnet(id).weights = None;
        if self.undo.depth > 0 {
            let old = row_entry(self.subnet_entry(id), mechanism, uid).clone();
            self.undo.entries.push(Undo::Row(id, mechanism, uid, old));
        }
        row_entry(self.subnet_entry(id), mechanism, uid)
    }

    pub(crate) fn last_update_mut(&mut self, id: NetUid, mechanism: u8, uid: u16) -> &mut u64 {
        self.pad_mechanism(id, mechanism);
        self.cache.subnet(id).weights = None;
        if self.undo.depth > 0 {
            let old = *last_update_entry(self.subnet_entry(id), mechanism, uid);
            self.undo.entries.push(Undo::LastUpdate(id, mechanism, uid, old));
        }
        last_update_entry(self.subnet_entry(id), mechanism, uid)
    }

    /// A hotkey's pool without its holders; created when absent.
    pub(crate) fn pool_mut(&mut self, id: NetUid, hotkey: AccountId) -> &mut HotkeyPool {
        self.remember(|state| {
            let pool = state.subnets.get(&id).and_then(|subnet| subnet.pools.get(&hotkey));
            let old = pool.map(|pool| (pool.alpha, pool.shares, pool.alpha_last_epoch));
            Undo::Pool(id, hotkey, old)
        });
        self.cache.subnet(id).forget_pool(&hotkey);
        self.subnet_entry(id).pools.entry(hotkey).or_default()
    }

    /// A hotkey's pool after a payout, its shares and those of some holders; created when absent.
    /// One look-up for what an epoch does to hundreds of pools.
    pub(crate) fn pay_pool(
        &mut self,
        id: NetUid,
        hotkey: AccountId,
        holders: impl Iterator<Item = (AccountId, u128)>,
    ) -> &mut HotkeyPool {
        self.remember(|state| {
            let pool = state.subnets.get(&id).and_then(|subnet| subnet.pools.get(&hotkey));
            Undo::WholePool(id, hotkey, pool.cloned().map(Box::new))
        });
        self.cache.subnet(id).forget_pool(&hotkey);
        let pool = self.subnets.entry(id).or_default().pools.entry(hotkey).or_default();
        for (coldkey, share) in holders {
            if let Some(came) = pool.hold(coldkey, share) {
                self.index.note_holder(&hotkey, &coldkey, id, came);
            }
        }
        pool
    }

    fn put_holder(&mut self, id: NetUid, hotkey: AccountId, coldkey: AccountId, share: u128) {
        let pool = self.subnets.entry(id).or_default().pools.entry(hotkey).or_default();
        if let Some(came) = pool.hold(coldkey, share) {
            self.index.note_holder(&hotkey, &coldkey, id, came);
        }
    }

    /// Changes a pool's alpha by a delta, and sets its shares and those of a holder. Zero shares remove
    /// the entry, and a pool that holds nothing goes, as the chain deletes zero values. `None` when
    /// there is no such subnet or the alpha would leave its range.
    pub(crate) fn change_share(&mut self, id: NetUid, change: &ShareWrite) -> Option<()> {
        let ShareWrite { hotkey, coldkey, alpha, shares, share } = *change;
        let pools = &mut self.subnets.get_mut(&id).filter(|subnet| subnet.added)?.pools;
        let (pool, old) = match pools.entry(hotkey) {
            Entry::Occupied(entry) => {
                let pool = entry.into_mut();
                let old = (pool.alpha, pool.shares, pool.alpha_last_epoch);
                (pool, Some(old))
            }
            Entry::Vacant(entry) => (entry.insert(HotkeyPool::default()), None),
        };
        pool.alpha = Alpha(pool.alpha.0.checked_add_signed(alpha)?);
        pool.shares = shares;
        let held = match share {
            0 => pool.holders.remove(&coldkey),
            share => pool.holders.insert(coldkey, share),
        };
        if pool.alpha == Alpha::ZERO && shares == 0 && pool.holders.is_empty() {
            pools.remove(&hotkey);
        }
        if self.undo.depth > 0 {
            self.undo.entries.push(Undo::Pool(id, hotkey, old));
            self.undo.entries.push(Undo::Holder(id, hotkey, coldkey, held));
        }
        if held.is_some() != (share != 0) {
            self.index.note_holder(&hotkey, &coldkey, id, share != 0);
        }
        self.cache.subnet(id).forget_pool(&hotkey);
        Some(())
    }

    pub(crate) fn last_dividends_mut(
        &mut self,
        id: NetUid,
    ) -> &mut BTreeMap<AccountId, (Option<Alpha>, Alpha)> {
        self.remember(|state| {
            let old = state.subnets.get(&id).map(|subnet| subnet.last_dividends.clone());
            Undo::LastDividends(id, old.unwrap_or_default())
        });
        self.cache.subnet(id).dividends = None;
        &mut self.subnet_entry(id).last_dividends
    }

    pub(crate) fn set_root_claimed(
        &mut self,
        id: NetUid,
        hotkey: AccountId,
        coldkey: AccountId,
        claimed: u128,
    ) {
        let key = (hotkey, coldkey);
        self.remember(|state| {
            let subnet = state.subnets.get(&id);
            let old = subnet.and_then(|subnet| subnet.root_claimed.get(&key).copied());
            Undo::RootClaimed(id, key, old)
        });
        self.cache.subnet(id).claims = None;
        self.subnet_entry(id).root_claimed.insert(key, claimed);
    }

    pub(crate) fn set_axon(&mut self, id: NetUid, hotkey: AccountId, axon: Axon) {
        self.remember(|state| {
            let old = state.subnets.get(&id).and_then(|subnet| subnet.axons.get(&hotkey).copied());
            Undo::Axon(id, hotkey, old)
        });
        self.cache.subnet(id).axons = None;
        self.subnet_entry(id).axons.insert(hotkey, axon);
    }

    pub(crate) fn drop_axon(&mut self, id: NetUid, hotkey: AccountId) {
        let old = self.subnets.get(&id).and_then(|subnet| subnet.axons.get(&hotkey).copied());
        if old.is_some() {
            self.remember(|_| Undo::Axon(id, hotkey, old));
            self.cache.subnet(id).axons = None;
            self.subnet_entry(id).axons.remove(&hotkey);
        }
    }

    /// A hotkey's links on a subnet, which need not exist; created when absent.
    pub(crate) fn links_mut(&mut self, id: NetUid, hotkey: AccountId) -> &mut Links {
        self.remember(|state| {
            let links = state.subnets.get(&id).and_then(|subnet| subnet.links.get(&hotkey));
            Undo::Links(id, hotkey, links.cloned().map(Box::new))
        });
        self.cache.subnet(id).links = None;
        self.subnet_entry(id).links.entry(hotkey).or_default()
    }

    /// Removes links that say nothing.
    pub(crate) fn drop_empty_links(&mut self, id: NetUid, hotkey: AccountId) {
        let links = self.subnets.get(&id).and_then(|subnet| subnet.links.get(&hotkey));
        if links.is_some_and(|links| *links == Links::default()) {
            self.remember(|_| Undo::Links(id, hotkey, Some(Box::default())));
            self.cache.subnet(id).links = None;
            self.subnet_entry(id).links.remove(&hotkey);
        }
    }

    pub(crate) fn set_pending_children(
        &mut self,
        id: NetUid,
        hotkey: AccountId,
        pending: Option<PendingChildren>,
    ) {
        self.remember(|state| {
            let subnet = state.subnets.get(&id);
            let old = subnet.and_then(|subnet| subnet.pending_children.get(&hotkey));
            Undo::PendingChildren(id, hotkey, old.cloned().map(Box::new))
        });
        self.cache.subnet(id).pending_children = None;
        let all = &mut self.subnet_entry(id).pending_children;
        match pending {
            Some(pending) => all.insert(hotkey, pending),
            None => all.remove(&hotkey),
        };
    }

    pub(crate) fn set_stamp(&mut self, id: NetUid, stamp: Stamp, block: u64) {
        self.remember(|state| {
            let subnet = state.subnets.get(&id);
            Undo::Stamp(id, stamp, subnet.and_then(|subnet| subnet.stamps.get(&stamp).copied()))
        });
        self.cache.subnet(id).stamps = None;
        self.subnet_entry(id).stamps.insert(stamp, block);
    }

    /// Gives a coldkey its index among root stakers, the next one.
    pub(crate) fn index_root_staker(&mut self, coldkey: AccountId, index: u64) {
        self.coldkey_mut(coldkey).root_index = Some(index);
        self.index.note_root_staker(coldkey);
        self.global_mut().root_stakers += 1;
    }

    /// Neurons, and the first `count` mechanisms for writing incentives and bonds (not weights):
    /// for the epoch.
    pub(crate) fn epoch_mut(
        &mut self,
        id: NetUid,
        count: usize,
    ) -> (&mut Neurons, &mut [Mechanism]) {
        for mechanism in (0..=u8::MAX).take(count) {
            self.pad_mechanism(id, mechanism);
        }
        self.remember(|state| {
            let neurons = state.subnets.get(&id).map(|subnet| subnet.neurons.clone());
            Undo::Neurons(id, Box::new(neurons.unwrap_or_default()))
        });
        self.remember(|state| {
            let mechanisms = state.subnets.get(&id).map(|subnet| subnet.mechanisms.clone());
            Undo::Mechanisms(id, mechanisms.unwrap_or_default())
        });
        let cache = self.cache.subnet(id);
        cache.neurons = None;
        cache.bonds = None;
        let subnet = self.subnet_entry(id);
        (&mut subnet.neurons, &mut subnet.mechanisms)
    }

    pub(crate) fn account_mut(&mut self, id: AccountId) -> &mut Account {
        self.cache.accounts.mark(&id);
        let (account, old) = match self.accounts.entry(id) {
            Entry::Occupied(entry) => {
                let account = entry.into_mut();
                let old = *account;
                (account, Some(old))
            }
            Entry::Vacant(entry) => (entry.insert(Account::default()), None),
        };
        if self.undo.depth > 0 {
            self.undo.entries.push(Undo::Account(id, old));
        }
        account
    }

    /// Removes an account that fell below the existential deposit.
    pub(crate) fn reap_account(&mut self, id: AccountId) {
        self.remember(|state| Undo::Account(id, state.accounts.get(&id).copied()));
        self.cache.accounts.mark(&id);
        self.accounts.remove(&id);
    }

    pub(crate) fn hotkey_mut(&mut self, id: AccountId) -> &mut Hotkey {
        self.remember(|state| Undo::Hotkey(id, state.hotkeys.get(&id).cloned().map(Box::new)));
        self.cache.hotkeys.mark(&id);
        self.hotkeys.entry(id).or_default()
    }

    /// Sets what a unit of root stake may claim. An epoch names every hotkey of its subnet, most of
    /// them with the rate they have: those stay as they are, and so do their hashes.
    pub(crate) fn set_claim_rate(&mut self, hotkey: AccountId, netuid: NetUid, rate: i128) {
        let known = self.hotkeys.get(&hotkey).and_then(|entry| entry.claim_rate(netuid));
        if known != Some(rate) {
            let rates = &mut self.hotkey_mut(hotkey).root_claimable;
            rates.get_or_insert_default().insert(netuid, rate);
        }
    }

    pub(crate) fn coldkey_mut(&mut self, id: AccountId) -> &mut Coldkey {
        self.remember(|state| Undo::Coldkey(id, state.coldkeys.get(&id).cloned().map(Box::new)));
        self.cache.coldkeys.mark(&id);
        self.coldkeys.entry(id).or_default()
    }

    pub(crate) fn mark_stake(&mut self, hotkey: AccountId, coldkey: AccountId, id: NetUid) {
        if self.stake_markers.insert((hotkey, coldkey, id)) {
            self.remember(|_| Undo::Marker(hotkey, coldkey, id));
        }
    }

    pub(crate) fn clear_stake_markers(&mut self) {
        let old = core::mem::take(&mut self.stake_markers);
        self.remember(|_| Undo::Markers(old));
    }
}
