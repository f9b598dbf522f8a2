//! What the people of a run earn and own, by role and behaviour: the books of `accounting`, added up now and then.
//!
//! What belongs here: whose books are added up, and how often. What does not: the books. They are dear (a second state
//! that runs a block behind, and a book per holder), so nobody keeps them who was not asked to.

use crate::accounting::{Accounts, Watch, price, value};
use crate::diff::consequences::wealth;
use crate::plan::Plan;
use protocol::apply::apply;
use protocol::frame::{Frame, Projection};
use protocol::state::State;
use protocol::units::{AccountId, Height};
use std::collections::BTreeMap;

/// Blocks between sums, counted from genesis: wealth is a sum over all holders.
pub const PEOPLE_EVERY: u64 = 10;

/// Who is nobody's player.
const OTHERS: Class = ("others", "others");

/// Role and behaviour.
pub type Class = (&'static str, &'static str);

/// What those of a class have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Purse {
    /// Emission income so far, at its value when it came.
    pub income_rao: u64,
    /// What prices made of what they held.
    pub price_result_rao: i128,
    /// Free TAO.
    pub free_rao: u64,
    /// Stake at spot prices.
    pub stake_rao: u64,
}

/// The books of everybody.
#[derive(Clone, Debug)]
pub struct People {
    accounts: Accounts,
    classes: BTreeMap<AccountId, Class>,
    /// The state before the next block.
    before: State,
    genesis: Height,
    purses: BTreeMap<Class, Purse>,
}

impl People {
    /// Opens the books with what is held now: at genesis, or at the block that a run goes on from.
    pub fn open(plan: &Plan, state: &State) -> Self {
        let classes = plan.players.iter().map(|seat| {
            let behaviour = seat.player.behaviour();
            (seat.identity.coldkey, (behaviour.role.name(), behaviour.name))
        });
        let mut people = Self {
            accounts: Accounts::open(Watch::All, state),
            classes: classes.collect(),
            before: state.clone(),
            genesis: plan.genesis.height,
            purses: BTreeMap::new(),
        };
        people.add_up();
        people
    }

    /// Folds a block, in order, with the state after it.
    pub fn block(&mut self, frame: &Frame, after: &State) {
        self.accounts.block(frame, &self.before, after);
        for event in &frame.events {
            apply(&mut self.before, event).expect("it fitted the same state a moment ago");
        }
        let blocks = frame.header.height.0.saturating_sub(self.genesis.0);
        if blocks.is_multiple_of(PEOPLE_EVERY) {
            self.add_up();
        }
    }

    /// The sums of the last block that was added up.
    pub const fn purses(&self) -> &BTreeMap<Class, Purse> {
        &self.purses
    }

    fn class(&self, account: &AccountId) -> Class {
        self.classes.get(account).copied().unwrap_or(OTHERS)
    }

    fn add_up(&mut self) {
        let state = &self.before;
        let mut purses: BTreeMap<Class, Purse> = BTreeMap::new();
        // Every class of the run is there from the beginning: a series that comes late hides its first step.
        for class in self.classes.values().chain([&OTHERS]) {
            purses.entry(*class).or_default();
        }
        for (class, point) in wealth(state, |account| self.class(account)) {
            let purse = purses.entry(class).or_default();
            (purse.free_rao, purse.stake_rao) = (point.free_rao.0, point.stake_rao.0);
        }
        for (coldkey, book) in self.accounts.books() {
            let purse = purses.entry(self.class(coldkey)).or_default();
            for ((netuid, _), position) in &book.positions {
                let worth = i128::from(value(position.alpha, price(state, *netuid)).0);
                purse.price_result_rao += position.realised + worth - i128::from(position.cost.0);
                for income in position.income.values() {
                    purse.income_rao = purse.income_rao.saturating_add(income.rao.0);
                }
            }
        }
        self.purses = purses;
    }
}
