//! What a row of each table is made of.
//!
//! What does not belong here: what columns there are and what they mean (`tables`; the fields of rows have their names),
//! and which rows a block gives (`fill`).

use crate::fields::keyed;
use crate::plan::Plan;
use crate::telling::facts::{CallFact, Fact};
use protocol::frame::{Facts, Frame, Header, Messages};
use protocol::registration::lock_cost;
use protocol::rejection::Outcome;
use protocol::state::{Mechanism, State, Subnet};
use protocol::units::{AccountId, Alpha, Height, NetUid, PlayerId, Rao};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::fmt;

/// A moment of simulated time: milliseconds since 1970, UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment(pub i64);

/// RFC 3339 in UTC with milliseconds, as every tool reads it; milliseconds since 1970 beyond the year 9999.
impl fmt::Display for Moment {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(time) => write!(to, "{time:.3}"),
            Err(_) => self.0.fmt(to),
        }
    }
}

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
    /// Those of a block.
    pub fn of(frame: &Frame) -> Self {
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
    /// A call's row.
    pub fn of(at: At, index: usize, fact: CallFact, calendar: &Calendar) -> Self {
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
pub struct Calendar {
    genesis_ms: i64,
    groups: BTreeMap<PlayerId, String>,
}

impl Calendar {
    /// That of a run.
    pub fn of(plan: &Plan) -> Self {
        let seats = plan.players.iter().map(|seat| &seat.identity);
        Self {
            genesis_ms: plan.genesis_unix_s.saturating_mul(1_000),
            groups: seats.map(|identity| (identity.id, identity.group.clone())).collect(),
        }
    }

    /// A moment so many milliseconds after genesis.
    pub fn moment(&self, ms: u64) -> Moment {
        Moment(self.genesis_ms.saturating_add_unsigned(ms))
    }
}
