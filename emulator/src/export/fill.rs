//! The tables of a run, filled: a fold of blocks into rows, each handed to what writes its table.
//!
//! What does not belong here: what a row is made of (`rows`), what columns there are (`tables`), how a format writes them.

use super::rows::{At, BlockRow, Calendar, CallRow, Counts, EventRow, NeuronRow, SubnetRow};
use super::tables::{self, Table, Value};
use super::{Block, ExportError, Sink, Written};
use crate::plan::Plan;
use crate::run::public::PublicFrame;
use crate::telling::facts::{call_facts, facts, sealed_fact};
use protocol::event::Event;
use protocol::state::State;

/// What writes the rows of one table.
pub trait RowWriter {
    /// Writes a row: a value for each column, in order.
    ///
    /// # Errors
    /// It cannot be written.
    fn row(&mut self, values: &[Value]) -> Result<(), ExportError>;

    /// Writes what is left.
    ///
    /// # Errors
    /// It cannot be written.
    fn finish(self: Box<Self>) -> Result<(), ExportError>;
}

/// One table on its way out.
struct Writing {
    table: &'static Table,
    writer: Box<dyn RowWriter>,
    rows: u64,
}

/// The tables of a run, row by row.
pub struct Tables {
    calendar: Calendar,
    writing: Vec<Writing>,
}

impl Tables {
    /// Tables with what writes each; rows of others are not made.
    pub fn new(plan: &Plan, writers: Vec<(&'static Table, Box<dyn RowWriter>)>) -> Self {
        let writing = writers.into_iter();
        let writing = writing.map(|(table, writer)| Writing { table, writer, rows: 0 });
        Self { calendar: Calendar::of(plan), writing: writing.collect() }
    }

    fn wants(&self, table: &Table) -> bool {
        self.writing.iter().any(|writing| writing.table.name == table.name)
    }

    fn put(&mut self, table: &Table, at: At, values: &[Value]) -> Result<(), ExportError> {
        let found = self.writing.iter_mut().find(|writing| writing.table.name == table.name);
        let Some(writing) = found else { return Ok(()) };
        if let Some(column) = table.lacking(values) {
            let (block, table) = (at.block, table.name);
            return Err(ExportError::TooLong { block, table, column: column.name });
        }
        writing.rows += 1;
        writing.writer.row(values)
    }

    fn put_calls(&mut self, at: At, frame: &PublicFrame) -> Result<(), ExportError> {
        for (index, fact) in call_facts(frame).into_iter().enumerate() {
            let row = CallRow::of(at, index, fact, &self.calendar);
            self.put(tables::CALLS, at, &tables::call(row))?;
        }
        Ok(())
    }

    fn put_events(&mut self, at: At, frame: &PublicFrame) -> Result<(), ExportError> {
        for (index, event) in frame.events.iter().enumerate() {
            for (part, fact) in facts(event).into_iter().enumerate() {
                let row = EventRow::of(at, index, part, fact);
                self.put(tables::EVENTS, at, &tables::event(row))?;
            }
        }
        for (index, seal) in frame.sealed.iter().enumerate() {
            let row = EventRow::of(at, frame.events.len() + index, 0, sealed_fact(seal));
            self.put(tables::EVENTS, at, &tables::event(row))?;
        }
        Ok(())
    }

    fn put_subnets(&mut self, at: At, state: &State) -> Result<(), ExportError> {
        for (netuid, subnet) in state.networks() {
            let row = SubnetRow { at, netuid, subnet, state };
            self.put(tables::SUBNETS, at, &tables::subnet(row))?;
        }
        Ok(())
    }

    fn put_neurons(
        &mut self,
        at: At,
        frame: &PublicFrame,
        state: &State,
    ) -> Result<(), ExportError> {
        let netuids = frame.events.iter().filter_map(|event| match event {
            Event::EpochRun(epoch) => Some(epoch.netuid),
            _ => None,
        });
        for netuid in netuids {
            // Calls after the epoch may have dissolved the subnet.
            let Some(subnet) = state.subnet(netuid) else { continue };
            for (uid, hotkey) in subnet.neurons.hotkeys.iter().enumerate() {
                let row = NeuronRow {
                    at,
                    netuid,
                    subnet,
                    uid,
                    hotkey: *hotkey,
                    coldkey: state.owner(hotkey),
                    stake: state.hotkey_alpha(hotkey, netuid),
                };
                self.put(tables::NEURONS, at, &tables::neuron(row))?;
            }
        }
        Ok(())
    }
}

impl Sink for Tables {
    fn block(&mut self, block: Block<'_>) -> Result<(), ExportError> {
        let Block { header, frame, state, sampled } = block;
        let at = At { block: header.height, time: self.calendar.moment(header.time_ms) };
        if self.wants(tables::BLOCKS) {
            let counts = frame.as_ref().map(Counts::of).unwrap_or_default();
            let row = BlockRow { at, header, state, counts };
            self.put(tables::BLOCKS, at, &tables::block(row))?;
        }
        if let Some(frame) = frame.map(PublicFrame::new) {
            if self.wants(tables::CALLS) {
                self.put_calls(at, &frame)?;
            }
            if self.wants(tables::EVENTS) {
                self.put_events(at, &frame)?;
            }
            if self.wants(tables::NEURONS) {
                self.put_neurons(at, &frame, state)?;
            }
        }
        if sampled && self.wants(tables::SUBNETS) {
            self.put_subnets(at, state)?;
        }
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<Vec<Written>, ExportError> {
        let finish = |writing: Writing| {
            writing.writer.finish()?;
            Ok(Written { name: writing.table.name, rows: writing.rows })
        };
        self.writing.into_iter().map(finish).collect()
    }
}
