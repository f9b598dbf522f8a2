//! Readers of logs over histories that fold and that nobody decided: metrics, accounts, totals, tables, names and
//! sentences take every block that a state takes.

use super::golden::Golden;
use super::history::{Past, fold};
use super::trial::{Choices, Tally, Target, try_inputs};
use crate::accounting::{Accounts, Watch};
use crate::detect::Detectors;
use crate::diff::tree;
use crate::export::{Block, ExportError, RowWriter, Sink, TABLES, Tables, Value};
use crate::metrics::{Metrics, check_same_gauges};
use crate::names::Names;
use crate::plan::Plan;
use crate::run::public::PublicFrame;
use crate::run::totals::{Totals, top_subnets};
use crate::telling::facts::{call_facts, facts};
use crate::telling::lines::{call_line, clock, fact_line};
use protocol::frame::{Frame, Projection};
use protocol::state::State;
use std::path::Path;
use storage::part::RawRecord;

const INPUTS: u64 = 700;
/// Differences that are looked for.
const DIFFERENCES_MAX: usize = 20;

/// Takes rows and writes nothing.
struct Nowhere;

impl RowWriter for Nowhere {
    fn row(&mut self, values: &[Value]) -> Result<(), ExportError> {
        assert!(!values.is_empty());
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<(), ExportError> {
        Ok(())
    }
}

/// Everything that reads blocks.
struct Readers {
    plan: Plan,
    metrics: Metrics,
    accounts: Accounts,
    totals: Totals,
    names: Names,
    tables: Tables,
    detectors: Detectors,
}

impl Readers {
    fn new(plan: &Plan, state: &State) -> Self {
        let writer = || -> Box<dyn RowWriter> { Box::new(Nowhere) };
        let writers = TABLES.iter().map(|table| (*table, writer())).collect();
        Self {
            plan: plan.clone(),
            metrics: Metrics::of(plan, Path::new("run")),
            accounts: Accounts::open(Watch::All, state).measuring(state.height, state),
            totals: Totals::default(),
            names: Names::new(plan, state),
            tables: Tables::new(plan, writers),
            detectors: Detectors::at(plan, state),
        }
    }

    fn block(&mut self, frame: &Frame, before: &State, after: &State) {
        self.metrics.block(frame, after);
        let fresh = Metrics::of(&self.plan, Path::new("run"));
        fresh.block(frame, after);
        check_same_gauges(&self.metrics, &fresh);
        self.accounts.block(frame, before, after);
        self.detectors.block(frame, before, after);
        // A history that nobody decided need not balance; saying so is an answer.
        drop(self.accounts.check(after));
        self.totals.add(frame);
        let shown = PublicFrame::new(frame.clone());
        for event in &shown.events {
            for fact in facts(event) {
                assert!(!fact_line(&self.names, &fact).is_empty());
            }
            self.names.follow(event);
        }
        for call in call_facts(&shown) {
            assert!(!call_line(&self.names, &call).is_empty());
        }
        assert!(!clock(frame.header.time_ms).is_empty());
        assert!(tree::compare(before, after, DIFFERENCES_MAX).more() < u64::MAX);
        assert!(top_subnets(after).len() <= after.subnets.len());
        let (header, frame) = (&frame.header, Some(frame.clone()));
        match self.tables.block(Block { header, frame, state: after, sampled: true }) {
            Ok(()) | Err(ExportError::TooLong { .. }) => {}
            Err(other) => panic!("nothing is written, but {other}"),
        }
    }
}

fn try_history(past: &Past, plan: &Plan, choices: &mut Choices<'_>, tally: &Tally) {
    tally.count("tried");
    let (mut folder, frames) = past.history(choices);
    let mut readers = Readers::new(plan, folder.state());
    for frame in frames {
        let before = folder.state().clone();
        let Ok(frame) = fold(&mut folder, frame) else { return tally.count("refused") };
        readers.block(&frame, &before, folder.state());
        tally.count("a block");
    }
    assert!(readers.metrics.text().contains("btemu"));
    tally.count("a history");
}

#[test]
fn any_history_that_folds_can_be_read() {
    let golden = Golden::read(4);
    let record = RawRecord::new(golden.records[0].clone()).expect("it is sound");
    let plan = record.record().genesis::<Plan>().expect("it is sound").plan;
    let past = Past::of(golden);
    let tally = Tally::default();
    try_inputs!("any_history_that_folds_can_be_read", INPUTS, |choices| {
        try_history(&past, &plan, choices, &tally)
    });
    tally.wants(&[("a history", 200), ("a block", 500)]);
}
