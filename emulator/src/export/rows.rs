//! Which rows a block gives: a fold of blocks into the rows of tables.
//!
//! What does not belong here: what columns there are and what they mean (`tables`; the fields of rows have their names),
//! how a format writes them.

use super::tables::{self, Moment, Table, Value};
use super::{Block, ExportError, Sink, Written};
use crate::commands::facts::{CallFact, Fact, call_facts, facts, sealed_fact};
use crate::fields::keyed;
use crate::plan::Plan;
use crate::run::public::PublicFrame;
use protocol::event::Event;
use protocol::frame::{Facts, Frame, Header, Messages};
use protocol::registration::lock_cost;
use protocol::rejection::Outcome;
use protocol::state::{Mechanism, State, Subnet};
use protocol::units::{AccountId, Alpha, Height, NetUid, PlayerId, Rao};
use serde_json::Value as Json;
use std::collections::BTreeMap;

/// When a row is of.
#[derive(Clone, Copy, Debug)]
pub struct At {
    /// The block.
    pub block: Height,
    /// Its simulated time.
    pub time: Moment,
}

/// A row of `blocks`.
pub struct BlockRow<'a> {
    pub at: At,
    pub header: &'a Header,
    pub state: &'a State,
    pub counts: Counts,
}

/// What a block held.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    pub events: usize,
    pub sealed: usize,
    pub ok: u64,
    pub failed: u64,
    pub refused: u64,
    pub messages: Messages,
    pub queries: u64,
    pub answers: u64,
    pub latency_ms: u64,
    pub crashes: usize,
}

/// A row of `calls`.
pub struct CallRow {
    pub at: At,
    pub index: usize,
    pub player: String,
    pub group: Option<String>,
    pub sequence: Option<u64>,
    pub due: Option<Moment>,
    pub signer: Option<String>,
    pub nonce: Option<u64>,
    pub call: Option<&'static str>,
    pub netuid: Option<u64>,
    pub outcome: &'static str,
    pub reason: Option<&'static str>,
    pub count: u64,
    pub arguments: Option<String>,
}

/// A row of `events`: what many kinds share has columns, the rest stays JSON.
pub struct EventRow {
    pub at: At,
    pub index: usize,
    pub part: usize,
    pub kind: &'static str,
    pub netuid: Option<i64>,
    pub uid: Option<i64>,
    pub hotkey: Option<String>,
    pub coldkey: Option<String>,
    pub account: Option<String>,
    pub tao: Option<i64>,
    pub alpha: Option<i64>,
    pub fee_tao: Option<i64>,
    pub fee_alpha: Option<i64>,
    pub fields: Option<String>,
}

/// A row of `subnets`.
pub struct SubnetRow<'a> {
    pub at: At,
    pub netuid: NetUid,
    pub subnet: &'a Subnet,
    pub state: &'a State,
}

/// A row of `neurons`.
pub struct NeuronRow<'a> {
    pub at: At,
    pub netuid: NetUid,
    pub subnet: &'a Subnet,
    pub uid: usize,
    pub hotkey: AccountId,
    pub coldkey: Option<AccountId>,
    pub stake: Alpha,
}

impl BlockRow<'_> {
    /// Subnets that exist, root not counted.
    pub fn subnets(&self) -> usize {
        self.state.networks().filter(|(netuid, _)| !netuid.is_root()).count()
    }

    /// What registering a subnet costs.
    pub fn lock_cost(&self) -> Rao {
        lock_cost(self.state)
    }
}

impl SubnetRow<'_> {
    /// Alpha behind all hotkeys.
    pub fn stake(&self) -> u64 {
        self.subnet.pools.values().map(|pool| pool.alpha.0).fold(0, u64::saturating_add)
    }

    /// I64F64 bits of rao per block.
    pub fn flow_average(&self) -> i128 {
        self.subnet.fast.flow_average.map_or(0, |(_, average)| average)
    }

    /// Neurons with a permit.
    pub fn validators(&self) -> usize {
        self.subnet.neurons.validator_permit.iter().filter(|permit| **permit).count()
    }

    /// Whether it cannot be pruned yet.
    pub fn immune(&self) -> bool {
        let period = self.state.global.network_immunity_period;
        self.at.block.0 < self.subnet.info.registered_at.saturating_add(period)
    }
}

impl NeuronRow<'_> {
    /// The neuron's entry of a column by uid. As on the chain a column may be short; it reads 0 there.
    pub fn column<T: Copy + Default>(&self, column: &[T]) -> T {
        column.get(self.uid).copied().unwrap_or_default()
    }

    /// A column of mechanism 0.
    pub fn mechanism<T>(&self, pick: fn(&Mechanism) -> &Vec<T>) -> &[T] {
        self.subnet.mechanism(0).map_or(&[], |mechanism| pick(mechanism))
    }
}

impl Counts {
    fn of(frame: &Frame) -> Self {
        let mut counts = Self {
            events: frame.events.len(),
            sealed: frame.sealed.len(),
            crashes: frame.facts.crashes.len(),
            messages: frame.facts.messages,
            ..Self::default()
        };
        for record in &frame.calls {
            match record.outcome {
                Outcome::Ok => counts.ok += 1,
                Outcome::Failed(_) => counts.failed += 1,
                Outcome::Refused(_) => counts.refused += 1,
            }
        }
        counts.refused += frame.refused.iter().map(|one| u64::from(one.count)).sum::<u64>();
        let Facts { queries_sent, answers_received, latency_ms, .. } = &frame.facts;
        counts.queries = queries_sent.iter().copied().map(u64::from).sum();
        counts.answers = answers_received.iter().copied().map(u64::from).sum();
        counts.latency_ms = latency_ms.iter().copied().fold(0, u64::saturating_add);
        counts
    }
}

impl CallRow {
    fn of(at: At, index: usize, fact: CallFact, calendar: &Calendar) -> Self {
        let number = |name: &str| fact.fields.get(name).and_then(Json::as_u64);
        let signer = fact.fields.get("signer").and_then(Json::as_str);
        let netuid = fact.arguments.get("netuid").and_then(Json::as_u64);
        Self {
            at,
            index,
            player: fact.player.to_string(),
            group: calendar.groups.get(&fact.player).cloned(),
            sequence: number("sequence"),
            due: number("due_ms").map(|ms| calendar.moment(ms)),
            signer: signer.filter(|signer| *signer != "root").map(str::to_owned),
            nonce: number("nonce"),
            call: fact.name,
            netuid,
            outcome: fact.outcome,
            reason: (!fact.reason.is_empty()).then_some(fact.reason),
            count: number("count").unwrap_or(1),
            arguments: fact.name.map(|_| Json::Object(fact.arguments).to_string()),
        }
    }
}

/// Kinds whose `amount` is alpha; everywhere else it is TAO.
const AMOUNTS_OF_ALPHA: &[&str] = &["alpha_destroyed"];
/// Kinds whose `fee` is alpha.
const FEES_OF_ALPHA: &[&str] = &["stake_removed"];

impl EventRow {
    /// A fact's row.
    pub fn of(at: At, index: usize, part: usize, fact: Fact) -> Self {
        let Fact { kind, mut fields } = fact;
        let mut number = |name: &str| {
            let number = fields.get(name).and_then(Json::as_i64);
            if number.is_some() || fields.get(name).is_some_and(Json::is_null) {
                fields.remove(name);
            }
            number
        };
        let (netuid, uid) = (number("netuid"), number("uid"));
        let (mut tao, mut alpha) = (number("tao"), number("alpha"));
        let (amount, fee) = (number("amount"), number("fee"));
        match AMOUNTS_OF_ALPHA.contains(&kind) {
            true => alpha = alpha.or(amount),
            false => tao = tao.or(amount),
        }
        if kind == "flow_recorded" {
            tao = number("by");
        } else if kind == "account_reaped" {
            tao = number("dust");
        }
        let of_alpha = FEES_OF_ALPHA.contains(&kind);
        let mut text = |names: &[&str]| {
            let name = names.iter().find(|name| fields.get(**name).is_some_and(Json::is_string))?;
            match fields.remove(*name) {
                Some(Json::String(text)) => Some(text),
                _ => None,
            }
        };
        let (hotkey, coldkey) = (text(&["hotkey"]), text(&["coldkey"]));
        let account = text(&["account", "payer", "signer"]);
        let fields = keyed(kind, fields);
        let fields = (!fields.is_empty()).then(|| Json::Object(fields).to_string());
        Self {
            at,
            index,
            part,
            kind,
            netuid,
            uid,
            hotkey,
            coldkey,
            account,
            tao,
            alpha,
            fee_tao: fee.filter(|_| !of_alpha),
            fee_alpha: fee.filter(|_| of_alpha),
            fields,
        }
    }
}

/// What turns a run's own counts into words of the world: its calendar and its groups of players.
struct Calendar {
    genesis_ms: i64,
    groups: BTreeMap<PlayerId, String>,
}

impl Calendar {
    fn of(plan: &Plan) -> Self {
        let seats = plan.players.iter().map(|seat| &seat.identity);
        Self {
            genesis_ms: plan.genesis_unix_s.saturating_mul(1_000),
            groups: seats.map(|identity| (identity.id, identity.group.clone())).collect(),
        }
    }

    /// A moment so many milliseconds after genesis.
    fn moment(&self, ms: u64) -> Moment {
        Moment(self.genesis_ms.saturating_add_unsigned(ms))
    }
}

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
