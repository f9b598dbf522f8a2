//! What happened to a network, as lines: subnets that came and went, rules and parameters that changed.
//!
//! What belongs here: what a report lists, and the limit. What does not: which events those are (`rank`), and how one is
//! told (`telling::lines`).

use crate::names::Names;
use crate::plan::Plan;
use crate::rank::{Rank, rank};
use crate::telling::facts::facts;
use crate::telling::lines::fact_line;
use protocol::event::Event;
use protocol::frame::Frame;
use protocol::units::Height;
use std::collections::BTreeMap;

/// Lines that are kept of each kind; further ones are counted.
const KEPT_MAX: usize = 200;

/// What happened in a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happening {
    /// In which block.
    pub block: Height,
    /// What.
    pub kind: &'static str,
    /// In words.
    pub line: String,
}

/// All of it.
#[derive(Clone, Debug)]
pub struct Happenings {
    /// The names in use.
    pub names: Names,
    /// In order, so many of each kind.
    pub kept: Vec<Happening>,
    /// How many there were, by kind.
    pub counts: BTreeMap<&'static str, usize>,
}

impl Happenings {
    /// Nothing has happened yet.
    pub fn new(plan: &Plan) -> Self {
        let names = Names::new(plan, &plan.genesis);
        Self { names, kept: Vec::new(), counts: BTreeMap::new() }
    }

    /// Takes note of a block.
    pub fn hear(&mut self, frame: &Frame) {
        for event in &frame.events {
            // The line of what is gone has its name, that of what is new too.
            self.names.follow(event);
            if rank(event) == Rank::Turn {
                self.keep(frame.header.height, event);
            }
        }
    }

    fn keep(&mut self, block: Height, event: &Event) {
        // Further facts of an event, such as what each holder of a subnet that is gone was paid, follow from the first.
        let Some(fact) = facts(event).into_iter().next() else { return };
        let count = self.counts.entry(fact.kind).or_insert(0);
        *count += 1;
        if *count <= KEPT_MAX {
            let line = fact_line(&self.names, &fact);
            self.kept.push(Happening { block, kind: fact.kind, line });
        }
    }
}
