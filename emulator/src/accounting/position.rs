//! One position's book: what came in and went out, what it cost, what it brought.
//!
//! What belongs here: the arithmetic of average cost and the two identities a book keeps. What does not: which event
//! means what (`mod`, `orders`, `epoch`).

use protocol::state::State;
use protocol::units::{Alpha, NetUid, Rao};
use std::collections::BTreeMap;

/// Alpha, and the rao it was exchanged for or valued at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// Alpha; on root it equals rao.
    pub alpha: Alpha,
    /// What was paid or received for it, or its value then.
    pub rao: Rao,
}

impl Amount {
    /// Adds alpha and its rao.
    pub fn add(&mut self, alpha: Alpha, rao: Rao) {
        self.alpha = self.alpha.plus(alpha);
        self.rao = self.rao.plus(rao);
    }
}

/// Where emission income comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// A miner's incentive.
    Incentive,
    /// The owner's cut of the subnet.
    OwnerCut,
    /// What a validator keeps of the dividends behind it.
    Take,
    /// Dividends: the rise of a hotkey's pool, by share. No event names the holder.
    Dividends,
    /// Root dividends claimed and kept as alpha, or paid in alpha at once.
    RootKept,
    /// Root dividends claimed and sold: TAO that is staked on root.
    RootSwapped,
}

impl Source {
    /// All, in the order they are shown.
    pub const ALL: [Self; 6] = [
        Self::Incentive,
        Self::OwnerCut,
        Self::Take,
        Self::Dividends,
        Self::RootKept,
        Self::RootSwapped,
    ];

    /// As JSON and tables name it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Incentive => "incentive",
            Self::OwnerCut => "owner_cut",
            Self::Take => "take",
            Self::Dividends => "dividends",
            Self::RootKept => "root_kept",
            Self::RootSwapped => "root_swapped",
        }
    }
}

/// The book of one coldkey's stake behind one hotkey on one subnet.
///
/// After every block, exactly:
/// `alpha = opening + bought + received + moved_in + income − sold − given − moved_out − given_up − dissolved + rounding`
/// and `cost + cost of what left = rao of what came in`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// What the chain says it is worth in alpha, rounded down.
    pub alpha: Alpha,
    /// What the alpha held has cost: average cost, income at its value when received.
    pub cost: Rao,
    /// What alpha that left brought, less its cost; in rao.
    pub realised: i128,
    /// Held at genesis, at spot value.
    pub opening: Amount,
    /// Bought with TAO; swap fees are part of what was paid.
    pub bought: Amount,
    /// Sold for TAO; swap fees are part of what was given.
    pub sold: Amount,
    /// From another coldkey, at its value then.
    pub received: Amount,
    /// To another coldkey, at its value then.
    pub given: Amount,
    /// From another hotkey of the same coldkey, with its cost.
    pub moved_in: Amount,
    /// To another hotkey of the same coldkey, with its cost.
    pub moved_out: Amount,
    /// Recycled, burned, or taken without pay; its cost is a realised loss.
    pub given_up: Alpha,
    /// Erased with the subnet, for a part of its pot.
    pub dissolved: Amount,
    /// Emission income by source, at the block's spot price.
    pub income: BTreeMap<Source, Amount>,
    /// Swap fees of buys.
    pub fee_tao: Rao,
    /// Swap fees of sales.
    pub fee_alpha: Alpha,
    /// Alpha that the floors of share values made or lost; at most one unit per change of the pool.
    pub rounding: i128,
}

impl Position {
    /// A position of genesis, at its spot value.
    pub fn opened(alpha: Alpha, value: Rao) -> Self {
        let opening = Amount { alpha, rao: value };
        Self { alpha, cost: value, opening, ..Self::default() }
    }

    /// Alpha bought for TAO.
    pub fn buy(&mut self, alpha: Alpha, paid: Rao, fee: Rao) {
        self.bought.add(alpha, paid);
        self.fee_tao = self.fee_tao.plus(fee);
        self.enter(alpha, paid);
    }

    /// Alpha sold for TAO.
    pub fn sell(&mut self, alpha: Alpha, proceeds: Rao, fee: Alpha) {
        self.sold.add(alpha, proceeds);
        self.fee_alpha = self.fee_alpha.plus(fee);
        self.leave(alpha, proceeds);
    }

    /// Alpha from another coldkey; a fee where it was bought on the way.
    pub fn receive(&mut self, alpha: Alpha, value: Rao, fee: Rao) {
        self.received.add(alpha, value);
        self.fee_tao = self.fee_tao.plus(fee);
        self.enter(alpha, value);
    }

    /// Alpha to another coldkey: as if sold at its value; a fee where it was sold on the way.
    pub fn give(&mut self, alpha: Alpha, value: Rao, fee: Alpha) {
        self.given.add(alpha, value);
        self.fee_alpha = self.fee_alpha.plus(fee);
        self.leave(alpha, value);
    }

    /// Alpha to another hotkey; returns the cost that goes with it.
    pub fn move_out(&mut self, alpha: Alpha) -> Rao {
        let cost = self.take(alpha);
        self.moved_out.add(alpha, cost);
        cost
    }

    /// Alpha from another hotkey with its cost.
    pub fn move_in(&mut self, alpha: Alpha, cost: Rao) {
        self.moved_in.add(alpha, cost);
        self.enter(alpha, cost);
    }

    /// Alpha that is gone for nothing.
    pub fn give_up(&mut self, alpha: Alpha) {
        self.given_up = self.given_up.plus(alpha);
        self.leave(alpha, Rao::ZERO);
    }

    /// The end of the subnet.
    pub fn dissolve(&mut self, payout: Rao) {
        let alpha = self.alpha;
        self.dissolved.add(alpha, payout);
        self.leave(alpha, payout);
    }

    /// Emission income, which enters the cost at its value.
    pub fn earn(&mut self, source: Source, alpha: Alpha, value: Rao) {
        self.income.entry(source).or_default().add(alpha, value);
        self.enter(alpha, value);
    }

    /// Takes the chain's word for the alpha held; the difference is rounding.
    pub fn settle(&mut self, alpha: Alpha) {
        self.rounding += i128::from(alpha.0) - i128::from(self.alpha.0);
        self.alpha = alpha;
        if alpha == Alpha::ZERO {
            self.realised -= i128::from(self.cost.0);
            self.cost = Rao::ZERO;
        }
    }

    fn enter(&mut self, alpha: Alpha, rao: Rao) {
        self.alpha = self.alpha.plus(alpha);
        self.cost = self.cost.plus(rao);
    }

    fn leave(&mut self, alpha: Alpha, proceeds: Rao) {
        let cost = self.take(alpha);
        self.realised += i128::from(proceeds.0) - i128::from(cost.0);
    }

    /// Takes alpha out; its cost, rounded down, goes with it: what is left keeps the remainder. Alpha that the book
    /// lacks by rounding is booked as such.
    fn take(&mut self, alpha: Alpha) -> Rao {
        let held = self.alpha;
        if alpha >= held {
            self.rounding += i128::from(alpha.0 - held.0);
            self.alpha = Alpha::ZERO;
            return std::mem::take(&mut self.cost);
        }
        let cost = u128::from(self.cost.0) * u128::from(alpha.0) / u128::from(held.0);
        let cost = Rao(u64::try_from(cost).expect("a part of the cost is below it"));
        self.alpha = held.minus(alpha);
        self.cost = self.cost.minus(cost);
        cost
    }

    /// Income of all sources.
    pub fn earned(&self) -> Amount {
        let mut sum = Amount::default();
        self.income.values().for_each(|part| sum.add(part.alpha, part.rao));
        sum
    }

    /// Adds another position's book, as for the sum over a subnet's hotkeys.
    pub fn add(&mut self, other: &Self) {
        self.alpha = self.alpha.plus(other.alpha);
        self.cost = self.cost.plus(other.cost);
        self.realised += other.realised;
        for (sum, part) in [
            (&mut self.opening, other.opening),
            (&mut self.bought, other.bought),
            (&mut self.sold, other.sold),
            (&mut self.received, other.received),
            (&mut self.given, other.given),
            (&mut self.moved_in, other.moved_in),
            (&mut self.moved_out, other.moved_out),
            (&mut self.dissolved, other.dissolved),
        ] {
            sum.add(part.alpha, part.rao);
        }
        for (source, part) in &other.income {
            self.income.entry(*source).or_default().add(part.alpha, part.rao);
        }
        self.given_up = self.given_up.plus(other.given_up);
        self.fee_tao = self.fee_tao.plus(other.fee_tao);
        self.fee_alpha = self.fee_alpha.plus(other.fee_alpha);
        self.rounding += other.rounding;
    }

    /// Alpha by the book less alpha held; zero.
    pub fn alpha_difference(&self) -> i128 {
        let wide = |alpha: Alpha| i128::from(alpha.0);
        let came = [self.opening, self.bought, self.received, self.moved_in, self.earned()];
        let left = [self.sold, self.given, self.moved_out, self.dissolved];
        let came: i128 = came.iter().map(|part| wide(part.alpha)).sum();
        let left: i128 = left.iter().map(|part| wide(part.alpha)).sum();
        came - left - wide(self.given_up) + self.rounding - wide(self.alpha)
    }

    /// Rao by the book less cost and results; zero.
    pub fn rao_difference(&self) -> i128 {
        let wide = |rao: Rao| i128::from(rao.0);
        let came = [self.opening, self.bought, self.received, self.moved_in, self.earned()];
        let left = [self.sold, self.given, self.dissolved];
        let came: i128 = came.iter().map(|part| wide(part.rao)).sum();
        let left: i128 = left.iter().map(|part| wide(part.rao)).sum();
        // What left had cost its proceeds less what was realised on it.
        came - (left - self.realised) - wide(self.moved_out.rao) - wide(self.cost)
    }
}

/// The TAO value of alpha at a spot price (U96F32 bits), before slippage and fees; rounded down.
pub fn value(alpha: Alpha, price_bits: u128) -> Rao {
    let value = u128::from(alpha.0).saturating_mul(price_bits) >> 32;
    Rao(u64::try_from(value).unwrap_or(u64::MAX))
}

/// The spot price of a subnet, U96F32 bits; nothing where there is none.
pub fn price(state: &State, netuid: NetUid) -> u128 {
    state.subnet(netuid).map_or(0, protocol::state::Subnet::price)
}
