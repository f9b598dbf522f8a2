//! Which rows a block gives: a fold of blocks into the rows of tables.
//!
//! What does not belong here: what columns there are and what they mean (`tables`; the fields of rows have their names),
//! how a format writes them.

use super::tables::{self, Moment, Table, Value};
use super::{Block, ExportError, Sink, Written};
use crate::commands::facts::{Fact, facts, sealed_fact};
use crate::plan::Plan;
use crate::run::public::Seal;
use protocol::call::{Call, Origin};
use protocol::event::Event;
use protocol::frame::{CallRecord, Facts, Frame, Header, Messages, RefusedCount};
use protocol::payload::hash_of;
use protocol::registration::lock_cost;
use protocol::rejection::Outcome;
use protocol::state::{Mechanism, State, Subnet};
use protocol::units::{AccountId, Alpha, Height, NetUid, PlayerId, Rao};
use serde_json::{Value as Json, json};
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
    pub signer: Option<AccountId>,
    pub nonce: Option<u32>,
    pub call: Option<&'static str>,
    pub netuid: Option<u64>,
    pub outcome: &'static str,
    pub reason: Option<&'static str>,
    pub count: u32,
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
        self.subnet.pools.values().map(|pool| pool.alpha.0).sum()
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
        counts.latency_ms = latency_ms.iter().sum();
        counts
    }
}

impl CallRow {
    fn of(at: At, index: usize, record: &CallRecord, calendar: &Calendar) -> Self {
        let (netuid, arguments) = arguments(&record.call);
        let reason = record.outcome.reason();
        Self {
            at,
            index,
            player: record.player.to_string(),
            group: calendar.groups.get(&record.player).cloned(),
            sequence: Some(record.sequence),
            due: Some(calendar.moment(record.due_ms)),
            signer: match record.origin {
                Origin::Root => None,
                Origin::Signed(signer) => Some(signer),
            },
            nonce: Some(record.nonce),
            call: Some(record.call.name()),
            netuid,
            outcome: record.outcome.class(),
            reason: (!reason.is_empty()).then_some(reason),
            count: 1,
            arguments: Some(arguments),
        }
    }

    fn counted(at: At, index: usize, refused: &RefusedCount, calendar: &Calendar) -> Self {
        Self {
            at,
            index,
            player: refused.player.to_string(),
            group: calendar.groups.get(&refused.player).cloned(),
            sequence: None,
            due: None,
            signer: None,
            nonce: None,
            call: None,
            netuid: None,
            outcome: Outcome::Refused(refused.reason).class(),
            reason: Some(refused.reason.name()),
            count: refused.count,
            arguments: None,
        }
    }
}

/// A call's arguments as a JSON object, and the subnet among them. What a call seals is told by hash and length.
pub fn arguments(call: &Call) -> (Option<u64>, String) {
    let sealed = match call {
        Call::CommitTimelockedWeights { commit, .. }
        | Call::CommitTimelockedMechanismWeights { commit, .. }
        | Call::CommitCrv3MechanismWeights { commit, .. } => Some(commit),
        _ => None,
    };
    let mut told = arguments_inside(serde_json::to_value(call).unwrap_or_default());
    if matches!(call, Call::SudoSet(_)) {
        told = arguments_inside(told);
    }
    let Json::Object(mut told) = told else { return (None, "{}".to_owned()) };
    if let Some(commit) = sealed {
        told.insert("commit".to_owned(), json!(hash_of(commit)));
        told.insert("commit_bytes".to_owned(), json!(commit.len()));
    }
    let netuid = told.get("netuid").and_then(Json::as_u64);
    (netuid, Json::Object(told).to_string())
}

/// What stands below the one key of a tagged value.
fn arguments_inside(tagged: Json) -> Json {
    match tagged {
        Json::Object(fields) => fields.into_iter().next().map(|(_, inside)| inside),
        _ => None,
    }
    .unwrap_or_default()
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

    fn put_calls(&mut self, at: At, frame: &Frame) -> Result<(), ExportError> {
        for (index, record) in frame.calls.iter().enumerate() {
            let row = CallRow::of(at, index, record, &self.calendar);
            self.put(tables::CALLS, at, &tables::call(row))?;
        }
        for (index, refused) in frame.refused.iter().enumerate() {
            let row = CallRow::counted(at, frame.calls.len() + index, refused, &self.calendar);
            self.put(tables::CALLS, at, &tables::call(row))?;
        }
        Ok(())
    }

    fn put_events(&mut self, at: At, frame: &Frame) -> Result<(), ExportError> {
        for (index, event) in frame.events.iter().enumerate() {
            for (part, fact) in facts(event).into_iter().enumerate() {
                let row = EventRow::of(at, index, part, fact);
                self.put(tables::EVENTS, at, &tables::event(row))?;
            }
        }
        for (index, sealed) in frame.sealed.iter().enumerate() {
            let row = EventRow::of(
                at,
                frame.events.len() + index,
                0,
                sealed_fact(&Seal::of_fact(sealed)),
            );
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

    fn put_neurons(&mut self, at: At, frame: &Frame, state: &State) -> Result<(), ExportError> {
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
    fn block(&mut self, block: &Block<'_>) -> Result<(), ExportError> {
        let Block { header, frame, state, .. } = *block;
        let at = At { block: header.height, time: self.calendar.moment(header.time_ms) };
        if self.wants(tables::BLOCKS) {
            let counts = frame.map(Counts::of).unwrap_or_default();
            let row = BlockRow { at, header, state, counts };
            self.put(tables::BLOCKS, at, &tables::block(row))?;
        }
        if let Some(frame) = frame {
            if self.wants(tables::CALLS) {
                self.put_calls(at, frame)?;
            }
            if self.wants(tables::EVENTS) {
                self.put_events(at, frame)?;
            }
            if self.wants(tables::NEURONS) {
                self.put_neurons(at, frame, state)?;
            }
        }
        if block.sampled && self.wants(tables::SUBNETS) {
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
