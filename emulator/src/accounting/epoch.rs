//! What an epoch's payout gave each holder, and as what.
//!
//! `EpochPaid` says how much alpha each hotkey's pool gained and whose shares changed. What each was paid directly is
//! read off the columns; what is left of a holder's gain is the rise of the pool.

use super::Watch;
use super::position::Source;
use protocol::epoch::{incentive_position, withheld_uids};
use protocol::event::{EpochPaid, EpochRun};
use protocol::shares;
use protocol::state::{State, Subnet};
use protocol::units::{AccountId, Alpha};
use std::collections::{BTreeMap, BTreeSet};

/// What one holder gained in an epoch behind one hotkey.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gain {
    /// Behind which hotkey.
    pub hotkey: AccountId,
    /// Who.
    pub coldkey: AccountId,
    /// As what.
    pub parts: Vec<(Source, Alpha)>,
}

/// Alpha that was staked for one holder, by (hotkey, coldkey).
pub type Payments = BTreeMap<(AccountId, AccountId), Vec<(Source, Alpha)>>;

/// The alpha each (hotkey, coldkey) was paid directly, as opposed to by the rise of a pool.
///
/// The owner's cut, dividends and root dividends are columns; incentives are those of the epoch with owner keys
/// withheld, as the payout does it (20 §9). Takes are what then remains of a pool's gain, so the payments of a pool
/// and its dividends always add up to what it gained.
pub fn payments(before: &State, run: Option<&EpochRun>, paid: &EpochPaid) -> Payments {
    let mut desk = Desk { left: BTreeMap::new(), payments: Payments::new() };
    desk.left.extend(paid.hotkeys.iter().copied().zip(paid.alpha.iter().map(|alpha| alpha.0)));
    for (hotkey, dividend) in paid.dividend_hotkeys.iter().zip(&paid.dividend_alpha) {
        desk.take(*hotkey, *dividend);
    }
    let Some(subnet) = before.subnet(paid.netuid) else { return desk.payments };
    if let (Some(owner), Some(hotkey)) = (subnet.info.owner, subnet.info.owner_hotkey) {
        desk.pay(hotkey, owner, Source::OwnerCut, paid.owner_cut);
    }
    if let Some(run) = run {
        for (hotkey, coldkey, alpha) in incentives(before, subnet, run, paid) {
            desk.pay(hotkey, coldkey, Source::Incentive, alpha);
        }
    }
    let credited: BTreeSet<&AccountId> = paid.claim_hotkeys.iter().collect();
    let owner = |hotkey: &AccountId| before.owner(hotkey).unwrap_or(AccountId::ZERO);
    // Root dividends beyond the root stake behind a hotkey are staked for its owner at once.
    for (hotkey, root) in paid.dividend_hotkeys.iter().zip(&paid.dividend_root) {
        if !credited.contains(hotkey) {
            desk.pay(*hotkey, owner(hotkey), Source::RootKept, *root);
        }
    }
    for (hotkey, left) in std::mem::take(&mut desk.left) {
        desk.note(hotkey, owner(&hotkey), Source::Take, Alpha(left));
    }
    desk.payments
}

/// What pools gained, handed out.
struct Desk {
    left: BTreeMap<AccountId, u64>,
    payments: Payments,
}

impl Desk {
    /// Takes an amount out of what a pool gained; never more than there is.
    fn take(&mut self, hotkey: AccountId, alpha: Alpha) -> Alpha {
        let left = self.left.entry(hotkey).or_default();
        let taken = alpha.0.min(*left);
        *left -= taken;
        Alpha(taken)
    }

    fn pay(&mut self, hotkey: AccountId, coldkey: AccountId, source: Source, alpha: Alpha) {
        let alpha = self.take(hotkey, alpha);
        self.note(hotkey, coldkey, source, alpha);
    }

    fn note(&mut self, hotkey: AccountId, coldkey: AccountId, source: Source, alpha: Alpha) {
        if alpha != Alpha::ZERO {
            self.payments.entry((hotkey, coldkey)).or_default().push((source, alpha));
        }
    }
}

/// Incentives as (hotkey that gets the stake, coldkey, alpha), by uid.
fn incentives(
    before: &State,
    subnet: &Subnet,
    run: &EpochRun,
    paid: &EpochPaid,
) -> Vec<(AccountId, AccountId, Alpha)> {
    let withheld = withheld_uids(before, subnet);
    let miners = (0..=u16::MAX).zip(&subnet.neurons.hotkeys).zip(&run.server_emission);
    let miners = miners.filter(|((uid, _), alpha)| alpha.0 != 0 && !withheld.contains(uid));
    let paid_to = miners.map(|((_, miner), alpha)| {
        let to = incentive_position(before, paid.netuid, *miner);
        (to.hotkey, to.coldkey, *alpha)
    });
    paid_to.collect()
}

/// What each watched holder gained, from the pools before the epoch and the payout's columns.
pub fn gains(watch: &Watch, before: &State, run: Option<&EpochRun>, paid: &EpochPaid) -> Vec<Gain> {
    let mut changed: BTreeMap<usize, BTreeMap<AccountId, u128>> = BTreeMap::new();
    let columns = paid.holder_of.iter().zip(&paid.holders).zip(&paid.holder_shares);
    for ((of, holder), share) in columns {
        let of = usize::try_from(*of).expect("an index fits");
        changed.entry(of).or_default().insert(*holder, *share);
    }
    let payments = payments(before, run, paid);
    let raised: BTreeMap<_, _> = paid.dividend_hotkeys.iter().zip(&paid.dividend_alpha).collect();
    let pools = before.subnets.get(&paid.netuid).map(|subnet| &subnet.pools);
    let mut gains = Vec::new();
    for (index, hotkey) in paid.hotkeys.iter().enumerate() {
        let pool = pools.and_then(|pools| pools.get(hotkey));
        let total = pool.map_or(0, |pool| pool.alpha.0).saturating_add(paid.alpha[index].0);
        let changed = changed.remove(&index).unwrap_or_default();
        let held = pool.map(|pool| watch.holders(&pool.holders)).unwrap_or_default();
        let new = changed.keys().filter(|holder| watch.sees(holder)).copied();
        let holders: BTreeSet<AccountId> = held.into_iter().chain(new).collect();
        for coldkey in holders {
            let share = changed.get(&coldkey).copied();
            let share = share.or_else(|| pool.and_then(|p| p.holders.get(&coldkey).copied()));
            let after = shares::value(total, paid.shares[index], share.unwrap_or(0));
            let gained = after.saturating_sub(pool.map_or(0, |pool| pool.value(&coldkey).0));
            let mut parts = payments.get(&(*hotkey, coldkey)).cloned().unwrap_or_default();
            let direct = parts.iter().map(|(_, alpha)| alpha.0).fold(0, u64::saturating_add);
            // Where nothing was raised, a difference is the rounding of share values.
            let rises = raised.get(hotkey).is_some_and(|dividend| dividend.0 != 0);
            if rises && gained > direct {
                parts.push((Source::Dividends, Alpha(gained - direct)));
            }
            if !parts.is_empty() {
                gains.push(Gain { hotkey: *hotkey, coldkey, parts });
            }
        }
    }
    gains
}
