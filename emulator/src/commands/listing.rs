//! Lines of a log that pass its filters, of whole runs and of live ones.

use super::portable::PortableCommand;
use super::reading::{Reading, log_failure};
use super::{BlockArgument, Failure, print};
use crate::fields::keyed;
use crate::names::Names;
use crate::run::public::PublicFrame;
use crate::telling::facts::{CallFact, Fact, call_facts, facts, sealed_fact};
use crate::telling::lines::{call_line, clock, fact_line};
use crate::telling::tell_talk;
use protocol::frame::Header;
use protocol::units::{AccountId, Height};
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};
use storage::log::EventLog;

/// `btemu log`
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct LogArguments {
    #[command(subcommand)]
    pub(super) portable: Option<PortableCommand>,
    /// The run folder.
    #[arg(required = true)]
    pub(super) run: Option<PathBuf>,
    /// The first block: a height, or +N counted from genesis.
    #[arg(long, value_name = "B")]
    pub from: Option<BlockArgument>,
    /// The last block.
    #[arg(long, value_name = "B")]
    pub to: Option<BlockArgument>,
    /// Only events (or calls) of this kind, for instance stake_added; may be given several times.
    #[arg(long, value_name = "KIND")]
    pub(super) kind: Vec<String>,
    /// Only what names this subnet, 0 for root; may be given several times.
    #[arg(long, value_name = "N")]
    pub(super) netuid: Vec<u16>,
    /// Only what names this account, in whatever role.
    #[arg(long, value_name = "SS58")]
    pub(super) account: Option<AccountId>,
    /// List calls with what became of them, failed and refused ones too, instead of events.
    #[arg(long)]
    pub(super) calls: bool,
    /// Go on with a live run, block by block, until it ends; from now on unless --from says otherwise.
    #[arg(long)]
    pub(super) follow: bool,
    /// Print one JSON object per line.
    #[arg(long)]
    pub json: bool,
}

impl LogArguments {
    /// The run folder.
    pub fn folder(&self) -> &Path {
        self.run.as_deref().expect("clap requires it without a subcommand")
    }
}

/// Lists blocks of a finished run: those asked for, or those from `from` on where a live run was left.
pub fn list(
    arguments: &LogArguments,
    reading: &Reading,
    from: Option<Height>,
    listing: &mut Listing<'_>,
) -> Result<(), Failure> {
    let first = Height(reading.genesis.height.0 + 1);
    let to = reading.height(arguments.to)?;
    let from = match (from, arguments.from) {
        (Some(left), _) if left > to => return Ok(()),
        (Some(left), _) => left,
        (None, Some(from)) => reading.height(Some(from))?.max(first),
        (None, None) => first.min(reading.log.tip()),
    };
    if from > to {
        return Err(Failure::usage(format!("--from {from} is after --to {to}"), None));
    }
    if !arguments.json && listing.names.is_none() {
        let before = (from > first).then(|| reading.state_at(Height(from.0 - 1)));
        // A damaged past takes nothing away but names that subnets got in it.
        let names = match before.and_then(Result::ok) {
            Some(folder) => Names::new(&reading.plan, folder.state()),
            None => Names::new(&reading.plan, &reading.plan.genesis),
        };
        listing.names = Some(names);
    }
    for frame in reading.log.frames(from, to) {
        listing.block(&PublicFrame::new(frame.map_err(log_failure)?))?;
    }
    Ok(())
}

/// Lines of blocks that pass the filters, as they are printed.
#[derive(Debug)]
pub struct Listing<'a> {
    arguments: &'a LogArguments,
    account: Option<String>,
    /// The names in use, for people.
    pub names: Option<Names>,
    lines: u64,
    blocks: u64,
}

impl<'a> Listing<'a> {
    /// Nothing was listed so far.
    pub fn new(arguments: &'a LogArguments) -> Self {
        let account = arguments.account.map(AccountId::to_ss58);
        Self { arguments, account, names: None, lines: 0, blocks: 0 }
    }

    /// Lists a block.
    pub fn block(&mut self, frame: &PublicFrame) -> Result<(), Failure> {
        let mut text = String::new();
        if self.arguments.calls {
            let calls = call_facts(frame).into_iter().filter(|call| self.wants_call(call));
            let calls: Vec<String> = calls.map(|call| self.call(&frame.header, call)).collect();
            self.lines += calls.len() as u64;
            text.push_str(&calls.concat());
        }
        for event in &frame.events {
            if let Some(names) = &mut self.names {
                names.follow(event);
            }
            if self.arguments.calls || !self.wants_kind(event.kind()) {
                continue;
            }
            for fact in facts(event) {
                self.push(&frame.header, fact, &mut text);
            }
        }
        if !self.arguments.calls {
            for fact in frame.sealed.iter().map(sealed_fact) {
                if self.wants_kind(fact.kind) {
                    self.push(&frame.header, fact, &mut text);
                }
            }
        }
        self.blocks += 1;
        if text.is_empty() { Ok(()) } else { print(&text) }
    }

    /// Says on standard error that no line came.
    pub fn tell_if_nothing(&self) {
        if self.lines == 0 {
            let what = if self.arguments.calls { "call" } else { "event" };
            let plural = if self.blocks == 1 { "" } else { "s" };
            tell_talk(&format!("no {what} matches in {} block{plural}\n", self.blocks));
        }
    }

    fn push(&mut self, header: &Header, fact: Fact, text: &mut String) {
        if self.wants(&[&fact.fields]) {
            self.lines += 1;
            text.push_str(&self.fact(header, fact));
        }
    }

    fn wants_kind(&self, kind: &str) -> bool {
        self.arguments.kind.is_empty() || self.arguments.kind.iter().any(|one| one == kind)
    }

    fn wants_call(&self, call: &CallFact) -> bool {
        self.wants_kind(call.name.unwrap_or_default())
            && self.wants(&[&call.arguments, &call.fields])
    }

    fn wants(&self, fields: &[&Map<String, Value>]) -> bool {
        let netuids = &self.arguments.netuid;
        let of_subnet = netuids.is_empty() || fields.iter().any(|one| has_subnet(one, netuids));
        let of_account = self.account.as_ref().is_none_or(|account| {
            fields.iter().flat_map(|one| one.values()).any(|value| has_text(value, account))
        });
        of_subnet && of_account
    }

    fn fact(&self, header: &Header, fact: Fact) -> String {
        match &self.names {
            Some(names) => line(header, &fact_line(names, &fact)),
            None => {
                let mut line = head(header);
                line.insert("kind".to_owned(), json!(fact.kind));
                line.extend(keyed(fact.kind, fact.fields));
                format!("{}\n", Value::Object(line))
            }
        }
    }

    fn call(&self, header: &Header, call: CallFact) -> String {
        match &self.names {
            Some(names) => line(header, &call_line(names, &call)),
            None => {
                let mut line = head(header);
                line.insert("call".to_owned(), json!(call.name));
                line.insert("outcome".to_owned(), json!(call.outcome));
                let reason = (!call.reason.is_empty()).then_some(call.reason);
                line.insert("reason".to_owned(), json!(reason));
                line.extend(call.fields);
                if let Some(name) = call.name {
                    let arguments = keyed(name, call.arguments);
                    line.insert("arguments".to_owned(), Value::Object(arguments));
                }
                format!("{}\n", Value::Object(line))
            }
        }
    }
}

/// What every JSON line begins with.
fn head(header: &Header) -> Map<String, Value> {
    let mut line = Map::new();
    line.insert("block".to_owned(), json!(header.height));
    line.insert("time_ms".to_owned(), json!(header.time_ms));
    line
}

fn line(header: &Header, text: &str) -> String {
    format!("{}  {}  {text}\n", header.height, clock(header.time_ms))
}

/// Whether one of the fields that name subnets names one of these.
fn has_subnet(fields: &Map<String, Value>, netuids: &[u16]) -> bool {
    let is_one = |value: &Value| {
        value.as_u64().is_some_and(|netuid| netuids.iter().any(|one| u64::from(*one) == netuid))
    };
    let named = fields.iter().filter(|(name, _)| {
        name.ends_with("netuid") || matches!(name.as_str(), "netuids" | "subnets")
    });
    let mut named = named.map(|(_, value)| value);
    named.any(|value| match value {
        Value::Array(values) => values.iter().any(is_one),
        one => is_one(one),
    })
}

fn has_text(value: &Value, wanted: &str) -> bool {
    match value {
        Value::String(text) => text == wanted,
        Value::Array(values) => values.iter().any(|value| has_text(value, wanted)),
        Value::Object(fields) => fields.values().any(|value| has_text(value, wanted)),
        _ => false,
    }
}
