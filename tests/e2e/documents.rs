//! Pages about calls and events, held against the source they describe.
//!
//! docs/events.md is written from `protocol/src/event.rs` alone: `UPDATE_EXPECT=1 cargo test -p tests documents`
//! writes it anew. docs/calls.md is written by hand; what it calls built must be there, and the other way round.

use crate::program::root;
use protocol::call::{Call, Setting};
use protocol::event::Event;
use quote::ToTokens;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use strum::VariantNames;
use syn::{Attribute, Expr, Field, Fields, Item, ItemEnum, ItemStruct, Lit, Meta};

const INTRODUCTION: &str = "\
# Events

Written from `protocol/src/event.rs` by a test; do not edit. `UPDATE_EXPECT=1 cargo test -p tests documents` writes it anew.

An event is a fact in the past tense. State, metrics, accounts and exports are folds of events; nothing else changes the state.
Calls emit one event per fact; a phase of the block step and an epoch emit one columnar event (its columns have one entry
per subnet, neuron or holder) that `btemu log` takes apart into facts. Calls that failed or were refused are no events: a
block's record lists every call with its outcome.

- Amounts are changes in the smallest unit (`Rao`: 10⁻⁹ TAO, `Alpha`: 10⁻⁹ alpha), never formulas: history does not change when a rule does.
- Fixed-point values are new values as raw bits; shares and prices say which format in their text.
- A *headline* repeats what the facts around it did, for people and accounts; folding it changes nothing.
- The last column names the chain's own events that the fact stands for; none where the chain says nothing.

`btemu log --json` writes each fact with `block`, `time_ms` (simulated, since genesis) and `kind` before its fields. A field's key ends
in `_rao` where it is an amount, TAO or alpha (`tao_rao`, `alpha_rao`); a fixed-point number is told as a float under its name and as
raw bits under `…_bits`. Columns have the name of one entry: `netuids` is `netuid`, `hotkeys` of a payout is `hotkey`. With `--calls` each line
is a call with `call`, `outcome` (`ok`, `failed`, `refused`), `reason`, `signer`, `player`, `nonce` and `arguments`; calls refused beyond those
a block keeps are counted (`call` null, `count`). Sealed payloads are told by hash and length alone, in both.

";

fn parsed() -> syn::File {
    let path = root().join("protocol/src/event.rs");
    let text = std::fs::read_to_string(path).expect("the source is there");
    syn::parse_file(&text).expect("the source parses")
}

fn documentation(attributes: &[Attribute]) -> String {
    let lines = attributes.iter().filter_map(|attribute| match &attribute.meta {
        Meta::NameValue(pair) if pair.path.is_ident("doc") => match &pair.value {
            Expr::Lit(text) => match &text.lit {
                Lit::Str(text) => Some(text.value().trim().to_owned()),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    });
    lines.collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

fn kind_of(name: &str) -> String {
    let mut kind = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !kind.is_empty() {
            kind.push('_');
        }
        kind.push(letter.to_ascii_lowercase());
    }
    kind
}

fn type_of(field: &Field) -> String {
    let text = field.ty.to_token_stream().to_string();
    let text: String = text.split(' ').collect();
    text.trim_start_matches("Box<").replace(',', ", ").replace(';', "; ").replace('|', "\\|")
}

fn fields_of<'a>(fields: impl Iterator<Item = &'a Field>) -> String {
    let told = fields.map(|field| {
        let name = field.ident.as_ref().map_or_else(String::new, ToString::to_string);
        let words = documentation(&field.attrs);
        let words = words.trim_end_matches('.');
        let note = if words.is_empty() { String::new() } else { format!(" ({words})") };
        let kind = type_of(field);
        let boxed = field.ty.to_token_stream().to_string().starts_with("Box");
        let kind = if boxed { kind.trim_end_matches('>') } else { &kind };
        format!("`{name}: {kind}`{note}")
    });
    told.collect::<Vec<_>>().join(", ")
}

fn enums(file: &syn::File) -> BTreeMap<String, &ItemEnum> {
    let found = file.items.iter().filter_map(|item| match item {
        Item::Enum(item) => Some((item.ident.to_string(), item)),
        _ => None,
    });
    found.collect()
}

fn structs(file: &syn::File) -> BTreeMap<String, &ItemStruct> {
    let found = file.items.iter().filter_map(|item| match item {
        Item::Struct(item) => Some((item.ident.to_string(), item)),
        _ => None,
    });
    found.collect()
}

/// One row per variant: kind, text, fields, the chain's events.
fn rows(page: &mut String, of: &ItemEnum, structs: &BTreeMap<String, &ItemStruct>) {
    let chain: BTreeMap<&str, &str> = CHAIN.iter().copied().collect();
    page.push_str("| kind | what | fields | on the chain |\n|---|---|---|---|\n");
    for variant in &of.variants {
        let name = variant.ident.to_string();
        let fields = match &variant.fields {
            Fields::Named(fields) => fields_of(fields.named.iter()),
            Fields::Unit => "–".to_owned(),
            Fields::Unnamed(_) => {
                let columns = structs.get(&name).expect("a boxed event has the name of its facts");
                fields_of(columns.fields.iter())
            }
        };
        let (kind, what) = (kind_of(&name), documentation(&variant.attrs));
        let chain = chain.get(kind.as_str()).copied().unwrap_or("–");
        writeln!(page, "| `{kind}` | {what} | {fields} | {chain} |").expect("a text takes it");
    }
}

fn events_page() -> String {
    let file = parsed();
    let (enums, structs) = (enums(&file), structs(&file));
    let mut page = INTRODUCTION.to_owned();
    rows(&mut page, enums["Event"], &structs);
    page.push_str("\n## Sealed facts\n\n");
    page.push_str(&documentation(&enums["Sealed"].attrs));
    page.push_str("\n\n");
    rows(&mut page, enums["Sealed"], &structs);
    page.push_str("\n## Words of their own\n\n| type | what | values |\n|---|---|---|\n");
    for (name, item) in enums.iter().filter(|(name, _)| !["Event", "Sealed"].contains(&&***name)) {
        let values = item
            .variants
            .iter()
            .map(|variant| format!("`{}`", kind_of(&variant.ident.to_string())));
        let values = values.collect::<Vec<_>>().join(", ");
        writeln!(page, "| `{name}` | {} | {values} |", documentation(&item.attrs))
            .expect("a text takes it");
    }
    page
}

#[test]
fn the_page_of_events_is_the_enum() {
    let path = root().join("docs/events.md");
    let page = events_page();
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(&path, &page).expect("writable");
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = written.lines().zip(page.lines()).find(|(written, page)| written != page);
    assert!(
        written == page,
        "docs/events.md is out of date, first at {differs:?}; UPDATE_EXPECT=1 writes it anew"
    );
    for kind in Event::kinds() {
        assert!(page.contains(&format!("| `{kind}` |")), "{kind}");
    }
}

#[test]
fn every_counterpart_belongs_to_an_event() {
    let kinds: BTreeSet<&str> = Event::kinds().iter().copied().collect();
    let mut seen = BTreeSet::new();
    for (kind, counterpart) in CHAIN {
        assert!(kinds.contains(kind), "{kind} is no event");
        assert!(seen.insert(kind), "{kind} occurs twice");
        assert!(!counterpart.is_empty());
    }
}

/// Calls and settings that this build can decide, by the chain's names.
fn built() -> BTreeSet<String> {
    let own = ["sudo_set", "switch_rules"];
    let calls = Call::VARIANTS.iter().copied().filter(|name| !own.contains(name));
    // The chain has two names for one setting.
    let names = calls.chain(Setting::names()).chain(["sudo_set_subnet_owner_hotkey"]);
    names.map(str::to_owned).collect()
}

#[test]
fn the_page_of_calls_says_what_is_built() {
    let page = std::fs::read_to_string(root().join("docs/calls.md")).expect("it is there");
    let mut seen = BTreeSet::new();
    let mut told = BTreeSet::new();
    for line in page.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let [name, .., status, why] = cells[..] else { panic!("{line}") };
        let name = name.trim_matches('`').to_owned();
        assert!(["built", "later", "out of scope"].contains(&status), "{line}");
        assert!(status == "built" || !why.is_empty(), "{name}: say why it is {status}");
        if status == "built" {
            told.insert(name.clone());
        }
        assert!(seen.insert(name), "twice: {line}");
    }
    assert_eq!(told, built(), "left: docs/calls.md, right: the code");
    assert!(seen.len() > 190, "the chain has more calls than {}", seen.len());
}

/// The chain's own events behind a fact (30 §16.1).
const CHAIN: &[(&str, &str)] = &[
    ("subnet_registered", "the ten setter events of a new subnet, `NetworkAdded`"),
    ("subnet_dissolved", "`SubnetIdentityRemoved` where there is one, `NetworkRemoved`"),
    ("subnet_started", "`FirstEmissionBlockNumberSet`"),
    ("symbol_updated", "`SymbolUpdated`"),
    ("subnet_identity_set", "`SubnetIdentitySet`"),
    ("coldkey_identity_set", "`ChainIdentitySet`"),
    ("neuron_placed", "`NeuronRegistered`, not for a founder"),
    ("registration_counted", "`RAORecycledForRegistrationSet`, by burn"),
    ("registration_terms_adjusted", "`DifficultySet` where it was recomputed"),
    ("parameter_set", "the parameter's setter event, where it has one"),
    ("weights_set", "`WeightsSet`"),
    ("weights_committed", "`WeightsCommitted`"),
    ("weights_revealed", "`WeightsRevealed`"),
    ("children_scheduled", "`SetChildrenScheduled`"),
    ("children_set", "`SetChildren`"),
    ("childkey_take_set", "`ChildKeyTakeSet`"),
    ("delegate_take_changed", "`TakeIncreased`, `TakeDecreased`"),
    ("auto_stake_destination_set", "`AutoStakeDestinationSet`"),
    ("axon_served", "`AxonServed`"),
    ("stake_added", "`StakeAdded`"),
    ("stake_removed", "`StakeRemoved`"),
    ("stake_moved", "`StakeMoved`"),
    ("stake_swapped", "`StakeSwapped`"),
    ("stake_transferred", "`StakeTransferred`"),
    ("alpha_recycled", "`AlphaRecycled`"),
    ("alpha_burned", "`AlphaBurned`"),
    ("add_stake_burned", "`AddStakeBurn`"),
    ("root_claimed", "`RootClaimed`"),
    ("root_claim_type_set", "`RootClaimTypeSet`"),
    ("epoch_run", "`IncentiveAlphaEmittedToMiners`"),
    ("epoch_paid", "`AutoStakeAdded` where income goes elsewhere"),
    ("balance_credited", "`Balances.Deposit`"),
    ("balance_withdrawn", "`Balances.Withdraw`"),
    ("account_reaped", "`System.KilledAccount`, `Balances.DustLost`"),
    ("fee_paid", "`TransactionPayment.TransactionFeePaid`"),
    ("rules_switched", "a runtime upgrade"),
    ("hotkey_swapped", "`HotkeySwapped`, `HotkeySwappedOnSubnet`"),
    ("coldkey_swap_announced", "`ColdkeySwapAnnounced`"),
    ("coldkey_swap_disputed", "`ColdkeySwapDisputed`"),
    ("coldkey_swap_cleared", "`ColdkeySwapReset`, by root"),
    ("coldkey_swapped", "`ColdkeySwapped`"),
    ("beacon_rounds_stored", "`NewPulse`"),
    ("timelocked_weights_committed", "`TimelockedWeightsCommitted`"),
    ("timelocked_weights_revealed", "`TimelockedWeightsRevealed`"),
    ("weights_batch_revealed", "`WeightsBatchRevealed`"),
    ("batch_completed_with_errors", "`BatchCompletedWithErrors`"),
    ("batch_weight_item_failed", "`BatchWeightItemFailed`"),
    ("batch_weights_completed", "`BatchWeightsCompleted`"),
];
