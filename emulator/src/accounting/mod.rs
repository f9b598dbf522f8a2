//! Holders' accounting: what stake has cost and brought, as a fold of the log.
//!
//! What belongs here: cost basis, realised results, income by source, for one coldkey or all. What does not: any rule
//! of the chain; how it is shown (`commands`). The definitions of every number are in docs/accounting.md.
//!
//! Facts move the amounts (`ShareChanged`, `EpochPaid`), headlines say what they were. A block is read once: each
//! headline takes the change of its position that is not yet explained, and at the block's end the chain's own value
//! is taken over; what then differs is the rounding of share values.

mod epoch;
mod exit;
mod orders;
mod position;
#[cfg(test)]
mod tests;
mod window;

pub use exit::{Quote, Size, quote};
pub use position::{Amount, Position, Source, price, value};
pub use window::{Window, Yield};

use orders::{Purpose, purposes};
use protocol::event::{ColdkeySwapped, EpochPaid, EpochRun, Event, HotkeyMoved};
use protocol::frame::{Frame, Projection};
use protocol::state::State;
use protocol::units::{AccountId, Alpha, Height, NetUid, Rao};
use std::collections::{BTreeMap, BTreeSet};

/// Whose books are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watch {
    /// One coldkey's.
    One(AccountId),
    /// Everybody's.
    All,
}

impl Watch {
    /// Whether a coldkey's book is kept.
    pub fn sees(&self, coldkey: &AccountId) -> bool {
        match self {
            Self::One(one) => one == coldkey,
            Self::All => true,
        }
    }

    /// Those of a pool's holders that are watched.
    pub fn holders(&self, holders: &BTreeMap<AccountId, u128>) -> Vec<AccountId> {
        match self {
            Self::One(one) => holders.contains_key(one).then_some(*one).into_iter().collect(),
            Self::All => holders.keys().copied().collect(),
        }
    }
}

/// A place where stake is: subnet and hotkey.
pub type Place = (NetUid, AccountId);

/// One coldkey's books.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Book {
    /// By subnet and hotkey; a position that ended keeps its history.
    pub positions: BTreeMap<Place, Position>,
    /// Transaction fees paid.
    pub fees: Rao,
    /// Root dividends that were sold for stake on root, by the subnet that paid them.
    pub root_sold: BTreeMap<NetUid, Amount>,
    /// What of the lock came back when the coldkey's subnets were dissolved.
    pub lock_refunds: Rao,
}

impl Book {
    fn at(&mut self, netuid: NetUid, hotkey: AccountId) -> &mut Position {
        self.positions.entry((netuid, hotkey)).or_default()
    }

    /// The sum of a subnet's positions.
    pub fn subnet(&self, netuid: NetUid) -> Position {
        let mut sum = Position::default();
        let own = self.positions.iter().filter(|((of, _), _)| *of == netuid);
        own.for_each(|(_, position)| sum.add(position));
        sum
    }

    /// The subnets there are positions on, ascending.
    pub fn netuids(&self) -> BTreeSet<NetUid> {
        self.positions.keys().map(|(netuid, _)| *netuid).collect()
    }
}

/// The accounts of one coldkey or of all: a fold of blocks from genesis on.
#[derive(Clone, Debug)]
pub struct Accounts {
    watch: Watch,
    books: BTreeMap<AccountId, Book>,
    /// Whose books have a position at a place.
    holders: BTreeMap<Place, BTreeSet<AccountId>>,
    window: Option<Window>,
}

impl Accounts {
    /// Opens the books with what is held at genesis, at spot value.
    pub fn open(watch: Watch, genesis: &State) -> Self {
        let mut books: BTreeMap<AccountId, Book> = BTreeMap::new();
        let mut holders: BTreeMap<Place, BTreeSet<AccountId>> = BTreeMap::new();
        for (netuid, subnet) in genesis.networks() {
            for (hotkey, pool) in &subnet.pools {
                for coldkey in watch.holders(&pool.holders) {
                    let alpha = pool.value(&coldkey);
                    let position = Position::opened(alpha, value(alpha, subnet.price()));
                    books.entry(coldkey).or_default().positions.insert((netuid, *hotkey), position);
                    holders.entry((netuid, *hotkey)).or_default().insert(coldkey);
                }
            }
        }
        Self { watch, books, holders, window: None }
    }

    /// Measures yields over the blocks after `from`.
    pub fn measuring(mut self, from: Height, genesis: &State) -> Self {
        let mut window = Window::new(from);
        if genesis.height == from {
            window.begin(&self.books, genesis);
        }
        self.window = Some(window);
        self
    }

    /// The books by coldkey.
    pub const fn books(&self) -> &BTreeMap<AccountId, Book> {
        &self.books
    }

    /// The window that yields are measured over.
    pub const fn window(&self) -> Option<&Window> {
        self.window.as_ref()
    }

    /// What must hold after every block: every book's alpha is the chain's, and both of its identities hold.
    ///
    /// # Errors
    /// What does not hold, and of which position.
    pub fn check(&self, state: &State) -> Result<(), String> {
        for (coldkey, book) in &self.books {
            for ((netuid, hotkey), position) in &book.positions {
                let place = format!("{coldkey} behind {hotkey} on {netuid}");
                let stake = state.stake(hotkey, coldkey, *netuid);
                if position.alpha != stake {
                    return Err(format!("{place}: {} by the book, {stake} staked", position.alpha));
                }
                let (alpha, rao) = (position.alpha_difference(), position.rao_difference());
                if alpha != 0 || rao != 0 {
                    return Err(format!("{place}: off by {alpha} alpha, {rao} rao: {position:?}"));
                }
            }
        }
        for (netuid, subnet) in state.networks() {
            for (hotkey, pool) in &subnet.pools {
                for coldkey in self.watch.holders(&pool.holders) {
                    let book = self.books.get(&coldkey);
                    let known = book.is_some_and(|b| b.positions.contains_key(&(netuid, *hotkey)));
                    if !known && pool.value(&coldkey) != Alpha::ZERO {
                        return Err(format!("{coldkey} behind {hotkey} on {netuid} has no book"));
                    }
                }
            }
        }
        Ok(())
    }
}

impl Projection for Accounts {
    fn block(&mut self, frame: &Frame, before: &State, after: &State) {
        Day::new(self, frame, before, after).fold();
        let (books, watch) = (&self.books, self.watch);
        if let Some(window) = &mut self.window {
            window.block(books, watch, after);
        }
    }
}

/// One block's work on the books.
struct Day<'a> {
    accounts: &'a mut Accounts,
    frame: &'a Frame,
    before: &'a State,
    after: &'a State,
    /// Subnets that are erased later in the block: they have their price of before.
    doomed: BTreeSet<NetUid>,
    /// Pools that changed.
    touched: BTreeSet<Place>,
    /// Changes of positions that no headline has explained yet.
    open: BTreeMap<(AccountId, Place), i128>,
    /// The cost of stake on its way to another hotkey.
    carried: Rao,
}

impl<'a> Day<'a> {
    fn new(
        accounts: &'a mut Accounts,
        frame: &'a Frame,
        before: &'a State,
        after: &'a State,
    ) -> Self {
        let doomed = frame.events.iter().filter_map(|event| match event {
            Event::SubnetDissolved(facts) => Some(facts.netuid),
            _ => None,
        });
        Self {
            accounts,
            frame,
            before,
            after,
            doomed: doomed.collect(),
            touched: BTreeSet::new(),
            open: BTreeMap::new(),
            carried: Rao::ZERO,
        }
    }

    fn fold(mut self) {
        let events = &self.frame.events;
        let purposes = purposes(events);
        let mut run: Option<&EpochRun> = None;
        for (index, event) in events.iter().enumerate() {
            match event {
                Event::ShareChanged { netuid, hotkey, coldkey, alpha, .. } => {
                    let place = (*netuid, *hotkey);
                    self.touched.insert(place);
                    if self.accounts.watch.sees(coldkey) {
                        *self.open.entry((*coldkey, place)).or_default() += i128::from(*alpha);
                    }
                }
                Event::StakeAdded { coldkey, hotkey, netuid, tao, alpha, fee } => {
                    let purpose = purposes.get(&index).copied().unwrap_or(Purpose::Trade);
                    let paid = (Amount { alpha: *alpha, rao: *tao }, *fee);
                    self.add(*coldkey, (*netuid, *hotkey), paid, purpose);
                }
                Event::StakeRemoved { coldkey, hotkey, netuid, tao, fee, .. } => {
                    let purpose = purposes.get(&index).copied().unwrap_or(Purpose::Trade);
                    self.remove(*coldkey, (*netuid, *hotkey), (*tao, *fee), purpose);
                }
                Event::AlphaRecycled { coldkey, hotkey, netuid, alpha }
                | Event::AlphaBurned { coldkey, hotkey, netuid, alpha } => {
                    let place = (*netuid, *hotkey);
                    self.explain(*coldkey, place, -i128::from(alpha.0));
                    self.with(*coldkey, place, |position| position.give_up(*alpha));
                }
                Event::RootDividendsClaimed { coldkey, hotkey, netuid, alpha, tao } => {
                    self.claim(*coldkey, (*netuid, *hotkey), *alpha, *tao);
                }
                Event::EpochRun(columns) => run = Some(columns),
                Event::EpochPaid(paid) => {
                    self.pay(run.filter(|run| run.netuid == paid.netuid), paid);
                }
                Event::SubnetDissolved(facts) => self.dissolve(facts.netuid, index),
                Event::HotkeyMoved(facts) => self.follow_hotkey(facts),
                Event::ColdkeySwapped(facts) => self.follow_coldkey(facts),
                Event::FeePaid { payer, amount } if self.accounts.watch.sees(payer) => {
                    let book = self.accounts.books.entry(*payer).or_default();
                    book.fees = book.fees.plus(*amount);
                }
                _ => {}
            }
        }
        self.settle();
    }

    /// The spot price that this block's income is valued at: the one after the block.
    fn price(&self, netuid: NetUid) -> u128 {
        let state = if self.doomed.contains(&netuid) { self.before } else { self.after };
        price(state, netuid)
    }

    fn with(&mut self, coldkey: AccountId, place: Place, change: impl FnOnce(&mut Position)) {
        if self.accounts.watch.sees(&coldkey) {
            change(self.accounts.books.entry(coldkey).or_default().at(place.0, place.1));
            let holders = self.accounts.holders.entry(place).or_default();
            holders.insert(coldkey);
        }
    }

    /// Takes what a headline says of a position off its unexplained change.
    fn explain(&mut self, coldkey: AccountId, place: Place, by: i128) {
        if let Some(open) = self.open.get_mut(&(coldkey, place)) {
            *open -= by;
        }
    }

    fn add(&mut self, coldkey: AccountId, place: Place, paid: (Amount, Rao), purpose: Purpose) {
        let (Amount { alpha, rao }, fee) = paid;
        self.explain(coldkey, place, i128::from(alpha.0));
        let carried = match purpose {
            Purpose::Move => std::mem::take(&mut self.carried),
            Purpose::Trade | Purpose::Transfer => Rao::ZERO,
        };
        self.with(coldkey, place, |position| match purpose {
            Purpose::Trade => position.buy(alpha, rao, fee),
            Purpose::Move => position.move_in(alpha, carried),
            Purpose::Transfer => position.receive(alpha, rao, fee),
        });
    }

    /// What left is what the facts say: the headline's alpha may in part have come back unsold.
    fn remove(&mut self, coldkey: AccountId, place: Place, got: (Rao, Alpha), purpose: Purpose) {
        let by = self.open.remove(&(coldkey, place)).unwrap_or(0);
        let alpha = Alpha(u64::try_from(-by).unwrap_or(0));
        let (tao, fee) = got;
        let mut carried = Rao::ZERO;
        self.with(coldkey, place, |position| match purpose {
            Purpose::Trade => position.sell(alpha, tao, fee),
            Purpose::Move => carried = position.move_out(alpha),
            Purpose::Transfer => position.give(alpha, tao, fee),
        });
        self.carried = carried;
    }

    fn claim(&mut self, coldkey: AccountId, place: Place, alpha: Alpha, tao: Option<Rao>) {
        let (netuid, hotkey) = place;
        let Some(tao) = tao else {
            self.explain(coldkey, place, i128::from(alpha.0));
            let worth = value(alpha, self.price(netuid));
            self.with(coldkey, place, |position| position.earn(Source::RootKept, alpha, worth));
            return;
        };
        let root = (NetUid::ROOT, hotkey);
        self.explain(coldkey, root, i128::from(tao.0));
        self.with(coldkey, root, |position| position.earn(Source::RootSwapped, Alpha(tao.0), tao));
        if self.accounts.watch.sees(&coldkey) {
            let book = self.accounts.books.entry(coldkey).or_default();
            book.root_sold.entry(netuid).or_default().add(alpha, tao);
        }
    }

    /// Epochs come before anything else that moves stake in a block, so pools are still those of before.
    fn pay(&mut self, run: Option<&EpochRun>, paid: &EpochPaid) {
        self.touched.extend(paid.hotkeys.iter().map(|hotkey| (paid.netuid, *hotkey)));
        let price = self.price(paid.netuid);
        for gain in epoch::gains(&self.accounts.watch, self.before, run, paid) {
            self.with(gain.coldkey, (paid.netuid, gain.hotkey), |position| {
                for (source, alpha) in gain.parts {
                    position.earn(source, alpha, value(alpha, price));
                }
            });
        }
    }

    /// Ends the positions of a subnet: the credits right after the event are the payouts, one per position in the
    /// chain's order, then what comes back of the owner's lock. Several positions of one coldkey share by their alpha.
    fn dissolve(&mut self, netuid: NetUid, index: usize) {
        let mut credits: BTreeMap<AccountId, Vec<Rao>> = BTreeMap::new();
        for event in &self.frame.events[index + 1..] {
            match event {
                Event::BalanceCredited { account, amount } => {
                    credits.entry(*account).or_default().push(*amount);
                }
                Event::LeakBooked { .. } | Event::IssuanceRecycled { .. } => {}
                _ => break,
            }
        }
        let open = std::mem::take(&mut self.open);
        let (lost, open) = open.into_iter().partition(|((_, place), _)| place.0 == netuid);
        self.open = open;
        self.lose(lost);
        let watch = self.accounts.watch;
        for (coldkey, credits) in credits.into_iter().filter(|(coldkey, _)| watch.sees(coldkey)) {
            let book = self.accounts.books.entry(coldkey).or_default();
            let held = |position: &&Position| position.alpha != Alpha::ZERO;
            let own = book.positions.iter().filter(|(place, _)| place.0 == netuid);
            let count = own.map(|(_, position)| position).filter(held).count();
            let (payouts, refunds) = credits.split_at(count.min(credits.len()));
            refunds.iter().for_each(|refund| book.lock_refunds = book.lock_refunds.plus(*refund));
            let payout = payouts.iter().map(|payout| payout.0).fold(0, u64::saturating_add);
            dissolve_book(book, netuid, payout);
        }
        for book in self.accounts.books.values_mut() {
            dissolve_book(book, netuid, 0);
        }
    }

    /// A hotkey that was swapped: positions go on behind the new one, with their cost.
    fn follow_hotkey(&mut self, facts: &HotkeyMoved) {
        let old = (facts.netuid, facts.old_hotkey);
        let new = (facts.netuid, facts.new_hotkey);
        self.touched.extend([old, new]);
        for (coldkey, alpha) in facts.holders.iter().zip(&facts.alpha) {
            let mut cost = Rao::ZERO;
            self.with(*coldkey, old, |position| cost = position.move_out(*alpha));
            self.with(*coldkey, new, |position| position.move_in(*alpha, cost));
        }
    }

    /// A coldkey that was swapped gives its positions to the new one, as by transfers.
    fn follow_coldkey(&mut self, facts: &ColdkeySwapped) {
        let places = facts.netuids.iter().copied().zip(facts.hotkeys.iter().copied());
        for (place, alpha) in places.zip(&facts.alpha) {
            self.touched.insert(place);
            let worth = value(*alpha, self.price(place.0));
            let (old, new) = (facts.old_coldkey, facts.new_coldkey);
            self.with(old, place, |position| position.give(*alpha, worth, Alpha::ZERO));
            self.with(new, place, |position| position.receive(*alpha, worth, Rao::ZERO));
        }
    }

    /// Stake that changed without any headline: taken without pay.
    fn lose(&mut self, open: BTreeMap<(AccountId, Place), i128>) {
        for ((coldkey, place), by) in open {
            let left = Alpha(u64::try_from(-by).unwrap_or(0));
            if left != Alpha::ZERO {
                self.with(coldkey, place, |position| position.give_up(left));
            }
        }
    }

    /// Takes the chain's word for what every touched position holds.
    fn settle(mut self) {
        let open = std::mem::take(&mut self.open);
        self.lose(open);
        for (netuid, hotkey) in std::mem::take(&mut self.touched) {
            let pools = self.after.subnets.get(&netuid).map(|subnet| &subnet.pools);
            let pool = pools.and_then(|pools| pools.get(&hotkey));
            let watch = self.accounts.watch;
            let mut holders: BTreeSet<AccountId> = pool
                .map(|pool| watch.holders(&pool.holders))
                .unwrap_or_default()
                .into_iter()
                .collect();
            let place = (netuid, hotkey);
            holders.extend(self.accounts.holders.get(&place).into_iter().flatten());
            for coldkey in holders {
                let alpha = pool.map_or(Alpha::ZERO, |pool| pool.value(&coldkey));
                self.with(coldkey, place, |position| position.settle(alpha));
            }
        }
    }
}

/// Ends a book's positions on a subnet for a payout, split by alpha; the last one gets what the floors leave.
fn dissolve_book(book: &mut Book, netuid: NetUid, payout: u64) {
    let own = book.positions.iter_mut().filter(|((of, _), _)| *of == netuid);
    let own: Vec<&mut Position> =
        own.map(|(_, position)| position).filter(|one| one.alpha != Alpha::ZERO).collect();
    let all: u128 = own.iter().map(|position| u128::from(position.alpha.0)).sum();
    let (mut left, last) = (payout, own.len());
    for (number, position) in own.into_iter().enumerate() {
        let part = u128::from(payout) * u128::from(position.alpha.0) / all.max(1);
        let part = u64::try_from(part).expect("a part of the payout");
        let part = if number + 1 == last { left } else { part };
        left -= part;
        position.dissolve(Rao(part));
    }
}
