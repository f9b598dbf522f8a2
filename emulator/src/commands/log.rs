//! `btemu log`: the events of a run, one line each.

use super::facts::{Fact, facts, sealed_fact};
use super::portable::{self, PortableCommand};
use super::reading::{Reading, log_failure};
use super::{BlockArgument, Failure, print};
use protocol::event::{Event, Sealed};
use protocol::units::{AccountId, Height};
use serde_json::{Value, json};
use std::path::PathBuf;
use storage::log::EventLog;

/// `btemu log`
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct LogArguments {
    #[command(subcommand)]
    portable: Option<PortableCommand>,
    /// The run folder.
    #[arg(required = true)]
    run: Option<PathBuf>,
    /// The first block: a height, or +N counted from genesis.
    #[arg(long, value_name = "B")]
    from: Option<BlockArgument>,
    /// The last block.
    #[arg(long, value_name = "B")]
    to: Option<BlockArgument>,
    /// Only events of this kind, for instance stake_added; may be given several times.
    #[arg(long, value_name = "KIND")]
    kind: Vec<String>,
    /// Only facts of this subnet; may be given several times.
    #[arg(long, value_name = "N")]
    netuid: Vec<u16>,
    /// Only facts that name this account.
    #[arg(long, value_name = "SS58")]
    account: Option<AccountId>,
    /// Print one JSON object per line.
    #[arg(long)]
    json: bool,
}

/// Lists the facts that pass every filter.
pub fn run(arguments: &LogArguments) -> Result<(), Failure> {
    if let Some(command) = &arguments.portable {
        return portable::run(command);
    }
    for kind in &arguments.kind {
        let kinds = || Event::kinds().iter().chain(Sealed::kinds());
        if !kinds().any(|known| known == kind) {
            let near = kinds().max_by(|one, other| {
                strsim::jaro_winkler(kind, one).total_cmp(&strsim::jaro_winkler(kind, other))
            });
            let hint = near.map(|near| format!("did you mean {near:?}?"));
            return Err(Failure::usage(format!("--kind {kind}: there is no such event"), hint));
        }
    }
    let run = arguments.run.as_ref().expect("clap requires it without a subcommand");
    let reading = Reading::open(run)?;
    let genesis = reading.genesis.height.0;
    let first = Height(genesis + 1);
    let from = match arguments.from {
        Some(from) => reading.height(Some(from))?.max(first),
        None => first.min(reading.log.tip()),
    };
    let to = reading.height(arguments.to)?;
    if from > to {
        return Err(Failure::usage(format!("--from {from} is after --to {to}"), None));
    }
    let account = arguments.account.map(AccountId::to_ss58);
    for frame in reading.log.frames(from, to) {
        let frame = frame.map_err(log_failure)?;
        let public = frame.events.iter().flat_map(facts);
        let told = public.chain(frame.sealed.iter().map(sealed_fact));
        let mut text = String::new();
        for fact in told.filter(|fact| is_wanted(arguments, account.as_deref(), fact)) {
            text.push_str(&line(arguments, frame.header.height.0, fact));
        }
        print(&text)?;
    }
    Ok(())
}

fn is_wanted(arguments: &LogArguments, account: Option<&str>, fact: &Fact) -> bool {
    let of_kind = arguments.kind.is_empty() || arguments.kind.iter().any(|kind| kind == fact.kind);
    let netuid = fact.fields.get("netuid").and_then(Value::as_u64);
    let of_subnet = arguments.netuid.is_empty()
        || netuid
            .is_some_and(|netuid| arguments.netuid.iter().any(|one| u64::from(*one) == netuid));
    let of_account = account.is_none_or(|account| fact.fields.values().any(|v| names(v, account)));
    of_kind && of_subnet && of_account
}

fn names(value: &Value, account: &str) -> bool {
    match value {
        Value::String(text) => text == account,
        Value::Array(values) => values.iter().any(|value| names(value, account)),
        Value::Object(fields) => fields.values().any(|value| names(value, account)),
        _ => false,
    }
}

fn line(arguments: &LogArguments, height: u64, fact: Fact) -> String {
    if arguments.json {
        let mut line = serde_json::Map::new();
        line.insert("block".to_owned(), json!(height));
        line.insert("kind".to_owned(), json!(fact.kind));
        line.extend(fact.fields);
        return format!("{}\n", Value::Object(line));
    }
    let fields: Vec<String> = fact
        .fields
        .iter()
        .map(|(name, value)| match value {
            Value::String(text) => format!("{name}={text}"),
            other => format!("{name}={other}"),
        })
        .collect();
    format!("{height} {:<22} {}\n", fact.kind, fields.join(" "))
}
