//! The protocol state: plain data.
//!
//! What belongs here: what the chain stores and how it is read. What does not: rules (`decide`),
//! facts (`event`), hashing (`root`), writing (`writes`). Every write marks its component dirty and,
//! inside a savepoint, remembers the old value.

use crate::beacon::Beacon;
use crate::canon::{Canon, canon_struct};
use crate::event::Parameter;
use crate::index::Index;
use crate::pool::Pool;
use crate::root::RootCache;
use crate::rules::Rules;
use crate::units::{AccountId, Alpha, Hash32, Height, NetUid, Rao};
use crate::vault::Vault;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantArray};

/// Columns that fit each other.
mod shape;
/// The writes and the undo list.
pub(crate) mod writes;

/// A new pool's fee, of 65,535.
pub const FEE_RATE_DEFAULT: u16 = 33;
/// A new subnet's price of a burned registration.
pub const BURN_DEFAULT: Rao = Rao(100_000_000);
/// A new subnet's difficulty of a proof-of-work registration.
pub const DIFFICULTY_DEFAULT: u64 = 10_000_000;

/// A hotkey's last dividends on a subnet: alpha, root's alpha; each absent where it was never paid.
pub type Dividends = (Option<Alpha>, Option<Alpha>);

/// A stored row of weights or bonds, in stored order.
pub type Row = Vec<(u16, u16)>;

/// Everything the chain stores, unless it is sealed.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
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
    /// Root alpha already claimed, by (hotkey, coldkey) and subnet: one order can move it on all subnets. No entry is
    /// empty.
    pub root_claimed: BTreeMap<(AccountId, AccountId), BTreeMap<NetUid, u128>>,
    /// Stake added in this block: (hotkey, coldkey, netuid). Empty between blocks.
    pub stake_markers: BTreeSet<(AccountId, AccountId, NetUid)>,
    #[serde(skip)]
    pub(crate) cache: RootCache,
    #[serde(skip)]
    pub(crate) index: Index,
    #[serde(skip)]
    pub(crate) undo: writes::UndoList,
    #[serde(skip)]
    pub(crate) vault: Vault,
}

/// An account's free balance and the number of its calls included so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Account {
    /// Free balance.
    pub free: Rao,
    /// Calls included.
    pub nonce: u32,
}
canon_struct!(Account { 1: free, 2: nonce });

/// A hotkey account. The entry exists from registration on; it is never deleted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
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
    /// Netuids on which a swap noted that it is no member; the chain tells them from others.
    pub not_member: BTreeSet<NetUid>,
}
canon_struct!(Hotkey { 1: owner, 2: take, 3: root_claimable, 4: take_changed_at, 5: not_member });

/// A coldkey's lists, in insertion order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
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
    /// Who it says it is.
    pub identity: Option<ColdkeyIdentity>,
    /// Block of the last swap of keys, 0 for none.
    pub last_tx_block: u64,
    /// Blocks of its last hotkey swaps on single subnets.
    pub hotkey_swaps: BTreeMap<NetUid, u64>,
    /// Its announced swap for another coldkey.
    pub swap_announcement: Option<SwapAnnouncement>,
    /// When it disputed the announcement.
    pub swap_disputed_at: Option<u64>,
}
canon_struct!(Coldkey {
    1: owned,
    2: staking,
    3: root_index,
    4: root_claim_type,
    5: auto_stake,
    6: identity,
    7: last_tx_block,
    8: hotkey_swaps,
    9: swap_announcement,
    10: swap_disputed_at,
});

/// A coldkey swap that was announced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SwapAnnouncement {
    /// BLAKE2b-256 of the new coldkey.
    pub hash: Hash32,
    /// First block in which it may be carried out.
    pub executable_at: u64,
}
canon_struct!(SwapAnnouncement { 1: hash, 2: executable_at });

/// Who a coldkey says it is (30 §11.2); texts of the chain are bytes, these are UTF-8.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs, reason = "the chain's own record")]
pub struct ColdkeyIdentity {
    pub name: String,
    pub url: String,
    pub github_repo: String,
    pub image: String,
    pub discord: String,
    pub description: String,
    pub additional: String,
}
canon_struct!(ColdkeyIdentity {
    1: name,
    2: url,
    3: github_repo,
    4: image,
    5: discord,
    6: description,
    7: additional,
});

impl ColdkeyIdentity {
    /// Its texts, in the chain's order.
    pub fn texts(&self) -> [&str; 7] {
        let Self { name, url, github_repo, image, discord, description, additional } = self;
        [name, url, github_repo, image, discord, description, additional]
    }
}

impl SubnetIdentity {
    /// Its texts, in the chain's order.
    pub fn texts(&self) -> [&str; 8] {
        [
            &self.subnet_name,
            &self.github_repo,
            &self.subnet_contact,
            &self.subnet_url,
            &self.discord,
            &self.description,
            &self.logo_url,
            &self.additional,
        ]
    }
}

/// What a subnet's owner says about it (30 §11.2); texts of the chain are bytes, these are UTF-8.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs, reason = "the chain's own record")]
pub struct SubnetIdentity {
    pub subnet_name: String,
    pub github_repo: String,
    pub subnet_contact: String,
    pub subnet_url: String,
    pub discord: String,
    pub description: String,
    pub logo_url: String,
    pub additional: String,
}
canon_struct!(SubnetIdentity {
    1: subnet_name,
    2: github_repo,
    3: subnet_contact,
    4: subnet_url,
    5: discord,
    6: description,
    7: logo_url,
    8: additional,
});

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
#[serde(default)]
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
    /// Entropy of the last blocks, the newest first: what proofs of work build upon.
    pub entropies: Vec<Hash32>,
    /// Blocks that must pass, and one more, between a coldkey's swaps of hotkeys; 0 for no limit.
    pub tx_rate_limit: u64,
    /// Blocks between the announcement of a coldkey swap and the swap.
    pub coldkey_swap_announcement_delay: u64,
    /// Blocks between the moment a coldkey swap may be carried out and another announcement.
    pub coldkey_swap_reannouncement_delay: u64,
    /// The version that timelocked commits must have.
    pub commit_reveal_version: u16,
    /// The randomness beacon.
    pub beacon: Beacon,
    /// Lowest activity cutoff of a subnet, in blocks.
    pub min_activity_cutoff: u16,
    /// Tempos between changes of the weights' version key by a subnet's owner.
    pub weights_version_key_rate_limit: u64,
    /// Blocks until a scheduled dissolution; no call schedules one.
    pub dissolve_network_schedule_duration: u64,
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
            entropies: Vec::new(),
            tx_rate_limit: 1_000,
            coldkey_swap_announcement_delay: 36_000,
            coldkey_swap_reannouncement_delay: 7_200,
            commit_reveal_version: 4,
            beacon: Beacon::default(),
            min_activity_cutoff: 360,
            weights_version_key_rate_limit: 5,
            dissolve_network_schedule_duration: 36_000,
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
    36: entropies,
    37: tx_rate_limit,
    38: coldkey_swap_announcement_delay,
    39: coldkey_swap_reannouncement_delay,
    40: commit_reveal_version,
    41: beacon,
    42: min_activity_cutoff,
    43: weights_version_key_rate_limit,
    44: dissolve_network_schedule_duration,
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
#[serde(default)]
pub struct Leaks {
    /// What the snapshot's issuance has beyond its balances and pools, and what root added to it by
    /// overwriting the counter.
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
    pub fn named(&self) -> impl Iterator<Item = (&'static str, i64)> {
        let mut ledgers = *self;
        Leak::ALL.iter().map(move |leak| (leak.into(), *ledgers.ledger_mut(*leak)))
    }

    /// Λ: the part of issuance that is in no balance and no pool: all ledgers but that of the
    /// staked-TAO counter.
    pub fn issuance(&self) -> i128 {
        let all: i128 = self.named().map(|(_, amount)| i128::from(amount)).sum();
        all - i128::from(self.stake_excess)
    }
}

/// Which leak ledger an event books to.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, IntoStaticStr, VariantArray,
)]
#[strum(serialize_all = "snake_case")]
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

impl Leak {
    /// Every ledger there is.
    pub const ALL: &'static [Self] = Self::VARIANTS;
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
#[serde(default)]
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
    pub last_dividends: BTreeMap<AccountId, Dividends>,
    /// Served endpoints by hotkey.
    pub axons: BTreeMap<AccountId, Axon>,
    /// Parents and children of hotkeys on this subnet.
    pub links: BTreeMap<AccountId, Links>,
    /// Children that take effect later, by parent.
    pub pending_children: BTreeMap<AccountId, PendingChildren>,
    /// When rate-limited orders were last carried out; most outlive the subnet.
    pub stamps: BTreeMap<Stamp, u64>,
    /// Committed weights that wait to be opened, oldest first, by mechanism and hotkey.
    pub commits: BTreeMap<(u8, AccountId), Vec<Commit>>,
    /// Sealed weights that wait for their round, by mechanism and epoch, in the order they came.
    pub timelocked: BTreeMap<(u8, u64), Vec<TimelockedCommit>>,
}

/// A weight row known by its hash only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Commit {
    /// BLAKE2b-256 of the row, salted.
    pub hash: Hash32,
    /// When it was committed.
    pub block: u64,
    /// First block in which it can be opened, by the tempo at its time; for people.
    pub first_reveal: u64,
    /// Last such block.
    pub last_reveal: u64,
}
canon_struct!(Commit { 1: hash, 2: block, 3: first_reveal, 4: last_reveal });

/// A sealed weight row; the vault has its bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TimelockedCommit {
    /// BLAKE2b-256 of the sealed bytes.
    pub hash: Hash32,
    /// Who committed it.
    pub hotkey: AccountId,
    /// When it was committed.
    pub block: u64,
    /// The beacon's round that opens it.
    pub round: u64,
}
canon_struct!(TimelockedCommit { 1: hash, 2: hotkey, 3: block, 4: round });

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
            axons: BTreeMap::new(),
            links: BTreeMap::new(),
            pending_children: BTreeMap::new(),
            stamps: BTreeMap::new(),
            commits: BTreeMap::new(),
            timelocked: BTreeMap::new(),
        }
    }
}

/// Children ordered but not in force.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
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
    /// An owner's last change of the number of mechanisms.
    MechanismCount(AccountId),
    /// An owner's last change of the split between mechanisms.
    MechanismSplit(AccountId),
    /// An owner's last change of the weights' version key.
    WeightsVersionKey(AccountId),
    /// An owner's last trimming.
    Trim(AccountId),
    /// Anybody's last change of the owner's hotkey.
    OwnerHotkey,
}

impl Stamp {
    /// Whether it is one owner's own and goes with the subnet: the next owner starts afresh.
    pub const fn is_personal(&self) -> bool {
        match self {
            Self::MechanismCount(_)
            | Self::MechanismSplit(_)
            | Self::WeightsVersionKey(_)
            | Self::Trim(_) => true,
            Self::Parameter(_) | Self::AddStakeBurn | Self::OwnerHotkey => false,
        }
    }
}

impl Canon for Stamp {
    fn canon(&self, out: &mut Vec<u8>) {
        let mut personal = |tag: u8, owner: &AccountId| {
            out.push(tag);
            owner.canon(out);
        };
        match self {
            Self::Parameter(parameter) => {
                out.push(0);
                (*parameter as u16).canon(out);
            }
            Self::AddStakeBurn => out.push(1),
            Self::MechanismCount(owner) => personal(2, owner),
            Self::MechanismSplit(owner) => personal(3, owner),
            Self::WeightsVersionKey(owner) => personal(4, owner),
            Self::Trim(owner) => personal(5, owner),
            Self::OwnerHotkey => out.push(6),
        }
    }
}

/// A subnet's scalars that change every block; all subnets' are hashed as one buffer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
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
#[serde(default)]
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
#[serde(default)]
pub struct Info {
    /// Display name: the scenario's, or that of the identity.
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
    /// What its owner says about it.
    pub identity: Option<SubnetIdentity>,
}
canon_struct!(Info {
    1: name,
    2: symbol,
    3: owner,
    4: owner_hotkey,
    5: registered_at,
    6: first_emission,
    7: locked,
    8: identity,
});

/// Neurons as columns indexed by uid; all have the same length.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
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
#[serde(default)]
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
#[serde(default)]
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
// Holders are hashed one by one.
canon_struct!(HotkeyPool { 1: alpha, 2: shares, 4: alpha_last_epoch });

impl HotkeyPool {
    /// A holder's alpha, rounded down.
    pub fn value(&self, coldkey: &AccountId) -> Alpha {
        let share = self.holders.get(coldkey).copied().unwrap_or(0);
        Alpha(crate::shares::value(self.alpha.0, self.shares, share))
    }

    /// Sets a holder's shares; zero removes the entry, as the chain does. Returns the former ones.
    fn hold(&mut self, coldkey: AccountId, share: u128) -> Option<u128> {
        match share {
            0 => self.holders.remove(&coldkey),
            share => self.holders.insert(coldkey, share),
        }
    }
}

/// A served endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
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
#[serde(default)]
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

    /// Root alpha that a coldkey already claimed behind a hotkey on a subnet.
    pub fn claimed(&self, hotkey: &AccountId, coldkey: &AccountId, netuid: NetUid) -> Option<u128> {
        self.root_claimed.get(&(*hotkey, *coldkey))?.get(&netuid).copied()
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
