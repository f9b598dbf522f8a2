//! Yields over a window of blocks: what stake earned by being stake, against the value held.
//!
//! Dividends are a subnet's yield. Root dividends are the yield of root stake, in whatever subnet they are paid, and
//! count as they accrue, not as they are claimed. Incentives, owner cuts and takes are pay for work and no yield.

use super::position::{Source, price, value};
use super::{Book, Watch};
use protocol::root_claims::claimable;
use protocol::state::State;
use protocol::units::{AccountId, Alpha, Height, NetUid, Rao};
use std::collections::BTreeMap;

/// Blocks of 12 seconds in a year of 365 days.
pub const BLOCKS_PER_YEAR: u64 = 2_628_000;

/// A yield, annualised; ratios are absent where nothing was held or the number is beyond what can be written.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Returns {
    /// Earned in the window by its average value, times the windows in a year.
    pub simple: Option<f64>,
    /// The same if earnings are staked again at the end of each such window.
    pub compounded: Option<f64>,
}

/// What a coldkey's stake earned in the window.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Yield {
    /// The value held after each block, averaged.
    pub average: Rao,
    /// What it earned.
    pub earned: Rao,
    /// Income of all sources at its value when received, pay for work included.
    pub income: Rao,
    /// Blocks of the window.
    pub blocks: u64,
}

impl Yield {
    /// Adds another subnet's.
    pub fn add(&mut self, other: &Self) {
        self.average = self.average.plus(other.average);
        self.earned = self.earned.plus(other.earned);
        self.income = self.income.plus(other.income);
        self.blocks = self.blocks.max(other.blocks);
    }

    /// The yield of a year at this pace.
    pub fn returns(&self) -> Returns {
        if self.blocks == 0 || self.average == Rao::ZERO {
            return Returns::default();
        }
        let rate = self.earned.0 as f64 / self.average.0 as f64;
        let windows = BLOCKS_PER_YEAR as f64 / self.blocks as f64;
        let finite = |number: f64| number.is_finite().then_some(number);
        // ln(1 + x) keeps the digits of a small rate.
        let compounded = (rate.ln_1p() * windows).exp_m1();
        Returns { simple: finite(rate * windows), compounded: finite(compounded) }
    }
}

/// The blocks after one height, up to the last one folded.
#[derive(Clone, Debug)]
pub struct Window {
    from: Height,
    begun: Option<Beginning>,
    blocks: u64,
    /// Sum over blocks of the value held, in rao.
    held: BTreeMap<(AccountId, NetUid), u128>,
}

/// What was so when the window began.
#[derive(Clone, Debug, Default)]
struct Beginning {
    books: BTreeMap<AccountId, Book>,
    claimable: BTreeMap<AccountId, BTreeMap<NetUid, u64>>,
    /// U96F32 bits.
    prices: BTreeMap<NetUid, u128>,
}

impl Window {
    pub(super) const fn new(from: Height) -> Self {
        Self { from, begun: None, blocks: 0, held: BTreeMap::new() }
    }

    /// The block after which it begins.
    pub const fn from(&self) -> Height {
        self.from
    }

    /// Its length so far.
    pub const fn blocks(&self) -> u64 {
        self.blocks
    }

    pub(super) fn begin(&mut self, books: &BTreeMap<AccountId, Book>, state: &State) {
        let claims = books.keys().map(|coldkey| (*coldkey, claimable_by_subnet(state, *coldkey)));
        self.begun = Some(Beginning {
            books: books.clone(),
            claimable: claims.collect(),
            prices: state.networks().map(|(netuid, subnet)| (netuid, subnet.price())).collect(),
        });
    }

    pub(super) fn block(&mut self, books: &BTreeMap<AccountId, Book>, watch: Watch, after: &State) {
        debug_assert!(books.keys().all(|coldkey| watch.sees(coldkey)), "only watched books");
        if after.height == self.from {
            self.begin(books, after);
        }
        if after.height <= self.from {
            return;
        }
        self.blocks += 1;
        for (coldkey, book) in books {
            for ((netuid, _), position) in &book.positions {
                if position.alpha != Alpha::ZERO {
                    let worth = value(position.alpha, price(after, *netuid));
                    *self.held.entry((*coldkey, *netuid)).or_default() += u128::from(worth.0);
                }
            }
        }
    }

    /// The change of a subnet's price over the window, as a ratio; absent where it had no price at its beginning.
    pub fn price_return(&self, state: &State, netuid: NetUid) -> Option<f64> {
        let then = *self.begun.as_ref()?.prices.get(&netuid).filter(|price| **price != 0)?;
        Some(price(state, netuid) as f64 / then as f64 - 1.0)
    }

    /// What a coldkey's stake on a subnet earned, with the state at the window's end.
    pub fn earned(
        &self,
        books: &BTreeMap<AccountId, Book>,
        state: &State,
        coldkey: AccountId,
        netuid: NetUid,
    ) -> Yield {
        let (Some(begun), Some(now)) = (&self.begun, books.get(&coldkey)) else {
            return Yield::default();
        };
        let none = Book::default();
        let then = begun.books.get(&coldkey).unwrap_or(&none);
        let (was, is) = (then.subnet(netuid), now.subnet(netuid));
        let of = |position: &super::Position, source| {
            position.income.get(&source).map_or(Rao::ZERO, |amount| amount.rao)
        };
        let dividends = of(&is, Source::Dividends).minus(of(&was, Source::Dividends));
        let earned = match netuid.is_root() {
            true => self.accrued(begun, then, now, state, coldkey),
            false => dividends,
        };
        let sum = self.held.get(&(coldkey, netuid)).copied().unwrap_or(0);
        let average = sum.checked_div(u128::from(self.blocks)).unwrap_or(0);
        Yield {
            average: Rao(u64::try_from(average).unwrap_or(u64::MAX)),
            earned,
            income: is.earned().rao.minus(was.earned().rao),
            blocks: self.blocks,
        }
    }

    /// Root dividends that accrued, on every subnet: claimed in the window, and what is claimable more than at its
    /// beginning; at the price of its end. What a dissolved subnet owed is lost.
    fn accrued(
        &self,
        begun: &Beginning,
        then: &Book,
        now: &Book,
        state: &State,
        coldkey: AccountId,
    ) -> Rao {
        let owed_then = begun.claimable.get(&coldkey).cloned().unwrap_or_default();
        let owed_now = claimable_by_subnet(state, coldkey);
        let claimed = |book: &Book, netuid: NetUid| {
            let sold = book.root_sold.get(&netuid).map_or(0, |amount| amount.alpha.0);
            let kept = book.subnet(netuid).income.get(&Source::RootKept).map_or(0, |a| a.alpha.0);
            i128::from(sold) + i128::from(kept)
        };
        let owed = |owed: &BTreeMap<NetUid, u64>, netuid| {
            owed.get(&netuid).map_or(0, |alpha| i128::from(*alpha))
        };
        let accrued = state.networks().filter(|(netuid, _)| !netuid.is_root());
        accrued.fold(Rao::ZERO, |sum, (netuid, subnet)| {
            let alpha = claimed(now, netuid) - claimed(then, netuid) + owed(&owed_now, netuid)
                - owed(&owed_then, netuid);
            let alpha = Alpha(u64::try_from(alpha).unwrap_or(0));
            sum.plus(value(alpha, subnet.price()))
        })
    }
}

/// What a coldkey could claim now behind all its hotkeys, by subnet.
pub fn claimable_by_subnet(state: &State, coldkey: AccountId) -> BTreeMap<NetUid, u64> {
    let mut sums = BTreeMap::new();
    for hotkey in state.coldkeys.get(&coldkey).into_iter().flat_map(|own| &own.staking) {
        for (netuid, alpha) in claimable(state, coldkey, *hotkey) {
            let sum: &mut u64 = sums.entry(netuid).or_insert(0);
            *sum = sum.saturating_add(alpha.0);
        }
    }
    sums
}
