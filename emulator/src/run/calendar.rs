//! When the simulated faults of a scenario come into force and which are, over all of a run: counts by kind.
//!
//! What belongs here: counting, across the forks of a run. What does not: when one fault is in force by its own times, and
//! what it does (`faults`).

use super::faults::Occurrence;
use crate::plan::{Fault, Plan};
use protocol::units::Height;
use std::collections::BTreeMap;

/// How many faults, by kind; of kinds that the scenario has.
pub type Kinds = BTreeMap<&'static str, u64>;

/// The faults of a run from genesis on.
#[derive(Clone, Debug, Default)]
pub struct Calendar(Vec<Stretch>);

/// What holds from one fork to the next.
#[derive(Clone, Debug)]
struct Stretch {
    /// The first block made under it.
    first: Height,
    seed: u64,
    faults: Vec<Fault>,
}

impl Stretch {
    fn at(&self, place: usize, height: Height) -> Option<Occurrence> {
        let fault = self.faults.get(place)?;
        Occurrence::of(&fault.times, self.seed, place as u64, height)
    }
}

impl Calendar {
    /// That of a plan.
    pub fn of(plan: &Plan) -> Self {
        let begins = std::iter::once(plan.genesis.height).chain(plan.forks.iter().map(|it| it.at));
        let stretches = begins.map(|before| {
            let first = Height(before.0.saturating_add(1));
            let course = plan.course(first);
            Stretch { first, seed: course.seed(), faults: course.faults().to_vec() }
        });
        Self(stretches.collect())
    }

    /// Every kind, none of them.
    pub fn none(&self) -> Kinds {
        let faults = self.0.iter().flat_map(|stretch| &stretch.faults);
        faults.map(|fault| (fault.kind.name(), 0)).collect()
    }

    /// Times that faults came into force up to a block; one that goes on across a fork counts once.
    pub fn until(&self, tip: Height) -> Kinds {
        let mut kinds = self.none();
        for (number, stretch, last) in self.until_tip(tip) {
            for (place, fault) in stretch.faults.iter().enumerate() {
                let (times, seed, first) = (&fault.times, stretch.seed, stretch.first);
                let begun = Occurrence::beginning(times, seed, place as u64, first, last);
                let taken_over = u64::from(self.is_taken_over_anew(number, place));
                *kinds.entry(fault.kind.name()).or_insert(0) += begun + taken_over;
            }
        }
        kinds
    }

    /// Number, stretch and last block of those that begin up to a block.
    fn until_tip(&self, tip: Height) -> impl Iterator<Item = (usize, &Stretch, Height)> {
        self.0.iter().enumerate().filter_map(move |(number, stretch)| {
            let next = self.0.get(number + 1);
            let last = next.map_or(tip, |next| Height(next.first.0 - 1)).min(tip);
            (stretch.first <= last).then_some((number, stretch, last))
        })
    }

    /// Adds those that come into force with a block.
    pub fn add_beginning(&self, height: Height, kinds: &mut Kinds) {
        let Some(number) = self.stretch(height) else { return };
        let stretch = &self.0[number];
        for (place, fault) in stretch.faults.iter().enumerate() {
            let begins = stretch.at(place, height).is_some_and(|it| it.first == height);
            let taken_over = height == stretch.first && self.is_taken_over_anew(number, place);
            if begins || taken_over {
                *kinds.entry(fault.kind.name()).or_insert(0) += 1;
            }
        }
    }

    /// Those in force in a block.
    pub fn active(&self, height: Height) -> Kinds {
        let mut kinds = self.none();
        let stretch = self.stretch(height).map(|number| &self.0[number]);
        for (place, fault) in stretch.iter().flat_map(|it| it.faults.iter().enumerate()) {
            if stretch.is_some_and(|it| it.at(place, height).is_some()) {
                *kinds.entry(fault.kind.name()).or_insert(0) += 1;
            }
        }
        kinds
    }

    /// Of several forks at one block the last one holds.
    fn stretch(&self, height: Height) -> Option<usize> {
        self.0.iter().rposition(|stretch| stretch.first <= height)
    }

    /// Whether a fault is in force where its stretch begins, has begun before by its times, and was not known there.
    fn is_taken_over_anew(&self, number: usize, place: usize) -> bool {
        let stretch = &self.0[number];
        let going_on = stretch.at(place, stretch.first).filter(|it| it.first < stretch.first);
        if going_on.is_none() {
            return false;
        }
        let before = self.0[..number].iter().rfind(|before| before.first < stretch.first);
        let known = before.is_some_and(|before| {
            let fault = &stretch.faults[place];
            let same = before.faults.iter().position(|other| other == fault);
            let last = Height(stretch.first.0 - 1);
            same.is_some_and(|place| before.at(place, last) == going_on)
        });
        !known
    }
}

/// Times that faults of the scenario came into force up to a block.
pub fn struck(plan: &Plan, tip: Height) -> u64 {
    struck_by_kind(plan, tip).values().sum()
}

/// The same by kind.
pub fn struck_by_kind(plan: &Plan, tip: Height) -> Kinds {
    Calendar::of(plan).until(tip)
}

/// The times that faults of the scenario were in force up to a block, by kind, in order; so many of each entry at most.
pub fn times(plan: &Plan, tip: Height, of_each_max: usize) -> Vec<(&'static str, Occurrence)> {
    let mut times = Vec::new();
    let calendar = Calendar::of(plan);
    for (_, stretch, last) in calendar.until_tip(tip) {
        for (place, fault) in (0..).zip(&stretch.faults) {
            let (seed, first) = (stretch.seed, stretch.first);
            let within = Occurrence::within(&fault.times, seed, place, first, last);
            times.extend(within.take(of_each_max).map(|it| (fault.kind.name(), it)));
        }
    }
    times.sort_by_key(|(kind, it)| (it.first, it.end, *kind));
    times
}
