//! `btemu inspect RUN params`: every parameter with its value, its default, and who may set it when.
//!
//! What belongs here: how the protocol's table of parameters is told. What does not: what it says.

use super::reading::Reading as Run;
use super::reading::subnet;
use super::tables::numbers_table;
use super::{Failure, print, print_json};
use crate::report::dossier::Term;
use crate::telling::figures::thousands;
use comfy_table::ContentArrangement;
use protocol::call::Origin;
use protocol::hyperparameters::table::{Freeze, Pause, RULES, Reading, Rule, Scope, Setter};
use protocol::hyperparameters::{is_frozen, timer_of};
use protocol::rules::Profile;
use protocol::state::State;
use protocol::units::{Height, NetUid, Rao};
use serde::Serialize;
use serde_json::{Value, json};

/// `btemu inspect RUN params`
#[derive(Debug, clap::Args)]
pub struct ParamsArguments {
    /// The subnet's number; 0 is root, which has parameters like any other.
    #[arg(required_unless_present = "global", conflicts_with = "global")]
    netuid: Option<u16>,
    /// The parameters of the whole network.
    #[arg(long)]
    global: bool,
}

/// One parameter.
#[derive(Serialize)]
struct ParameterFacts {
    /// None for those of the network.
    netuid: Option<u16>,
    parameter: &'static str,
    value: Value,
    /// None where the chain changes the value by itself.
    default: Option<Value>,
    /// Whether the value is not the default.
    differs: bool,
    unit: &'static str,
    /// The call that sets it; none if no call does.
    call: Option<&'static str>,
    set_by: &'static str,
    bounds: &'static str,
    /// Blocks between changes by the owner, of some by anybody.
    rate_limit_blocks: Option<u64>,
    /// Whether root waits too.
    rate_limit_of_root: bool,
    /// The first block in which the present owner may change it again; none if now.
    owner_waits_until: Option<u64>,
    /// Whether the blocks before an epoch are closed for it.
    has_freeze_window: bool,
    /// Whether they are now.
    frozen: bool,
    used_for: &'static str,
}

/// Shows the parameters asked for.
pub fn show(run: &Run, state: &State, wanted: &ParamsArguments, json: bool) -> Result<(), Failure> {
    let scope = match wanted.netuid {
        Some(netuid) => {
            subnet(state, netuid)?;
            Scope::Subnet
        }
        None => Scope::Network,
    };
    let netuid = wanted.netuid.map(NetUid);
    let profile = profile(&run.plan.scenario);
    let rules = RULES.iter().filter(|rule| rule.scope == scope);
    let rows = rules.map(|rule| facts(rule, state, netuid, profile));
    if json {
        return rows.into_iter().try_for_each(|row| print_json(&row));
    }
    let header =
        ["", "parameter", "value", "default", "unit", "set by", "once in", "window", "bounds"];
    let mut table = numbers_table(&header, &[2, 3]);
    table.set_content_arrangement(ContentArrangement::Disabled);
    for row in rows {
        table.add_row([
            if row.differs { "*" } else { "" }.to_owned(),
            row.parameter.to_owned(),
            told(row.unit, &row.value),
            row.default.as_ref().map_or_else(|| "-".to_owned(), |value| told(row.unit, value)),
            if row.unit == "rao" { "TAO" } else { row.unit }.to_owned(),
            row.set_by.to_owned(),
            told_pause(&row),
            window(&row).to_owned(),
            without_errors(row.bounds),
        ]);
    }
    let title = title(state.height, netuid, profile);
    let lines: Vec<String> =
        table.to_string().lines().map(|line| line.trim_end().to_owned()).collect();
    print(&format!("{title}\n{}\n", lines.join("\n")))
}

/// Parameters whose value is not the default: the network's, then those of subnets, alike ones together.
pub fn differing(run: &Run, state: &State) -> Vec<Term> {
    let profile = profile(&run.plan.scenario);
    let mut terms: Vec<Term> = Vec::new();
    for rule in RULES {
        let netuids: Vec<Option<NetUid>> = match rule.scope {
            Scope::Network => vec![None],
            Scope::Subnet => state.networks().map(|(netuid, _)| Some(netuid)).collect(),
        };
        // Values in the order of the first subnet that has them.
        let mut alike: Vec<(Value, Value, Vec<NetUid>)> = Vec::new();
        for netuid in netuids {
            let row = facts(rule, state, netuid, profile);
            let Some(default) = row.default.filter(|_| row.differs) else { continue };
            let known =
                alike.iter_mut().find(|(value, of, _)| (value, of) == (&row.value, &default));
            match known {
                Some((.., of)) => of.extend(netuid),
                None => alike.push((row.value, default, netuid.into_iter().collect())),
            }
        }
        terms.extend(alike.into_iter().map(|(value, default, of)| Term {
            scope: told_scope(&of),
            parameter: rule.name,
            value: short(rule.unit, &value),
            default: short(rule.unit, &default),
            unit: rule.unit,
        }));
    }
    terms
}

/// The same without zeros at the end of an amount.
fn short(unit: &str, value: &Value) -> String {
    let text = told(unit, value);
    match unit == "rao" && text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

/// Subnets that are named one by one.
const SUBNETS_NAMED: usize = 6;

/// Whose a value is; nobody's in particular is the network's.
fn told_scope(netuids: &[NetUid]) -> String {
    let name = |netuid: &NetUid| match netuid.is_root() {
        true => "root".to_owned(),
        false => netuid.to_string(),
    };
    let names: Vec<String> = netuids.iter().take(SUBNETS_NAMED).map(name).collect();
    match netuids.len() {
        0 => "network".to_owned(),
        1 if netuids[0].is_root() => names.concat(),
        1 => format!("subnet {}", names.concat()),
        few if few <= SUBNETS_NAMED => format!("subnets {}", names.join(", ")),
        many => format!("{many} subnets: {}, …", names.join(", ")),
    }
}

fn title(block: Height, netuid: Option<NetUid>, profile: Profile) -> String {
    match netuid {
        None => {
            let name = profile_name(profile);
            format!("network at block {block}; * differs from the profile `{name}`")
        }
        Some(netuid) => {
            format!("subnet {netuid} at block {block}; * differs from the default")
        }
    }
}

/// The profile a scenario starts from.
fn profile(scenario: &str) -> Profile {
    let table: Option<toml::Table> = scenario.parse().ok();
    let profile = table.and_then(|table| table.get("rules")?.get("profile").cloned());
    profile.and_then(|name| name.try_into().ok()).unwrap_or_default()
}

const fn profile_name(profile: Profile) -> &'static str {
    match profile {
        Profile::Code => "code",
        Profile::Mainnet => "mainnet",
    }
}

fn facts(rule: &Rule, state: &State, netuid: Option<NetUid>, profile: Profile) -> ParameterFacts {
    let at = netuid.unwrap_or_default();
    let value = json_of(rule.value(state, at));
    let default = rule.default(profile, at).map(json_of);
    let owner = netuid.and_then(|netuid| state.subnet(netuid)?.info.owner);
    let timer = owner.and_then(|owner| timer_of(state, rule, Origin::Signed(owner), at));
    let stamps = state.subnets.get(&at).map(|subnet| &subnet.stamps);
    let until = timer.and_then(|(stamp, pause)| {
        let last = stamps?.get(&stamp)?;
        Some(last.saturating_add(pause)).filter(|until| *until > state.height.0)
    });
    let frozen = netuid.is_some_and(|netuid| is_frozen(state, netuid));
    ParameterFacts {
        netuid: netuid.map(|netuid| netuid.0),
        parameter: rule.name,
        differs: default.as_ref().is_some_and(|default| *default != value),
        value,
        default,
        unit: rule.unit,
        call: Some(rule.call).filter(|call| !call.is_empty()),
        set_by: set_by(rule),
        bounds: rule.bounds,
        rate_limit_blocks: timer.map(|(_, pause)| pause),
        rate_limit_of_root: matches!(rule.pause, Pause::Everybody(..)),
        owner_waits_until: until,
        has_freeze_window: rule.freeze == Freeze::Closes,
        frozen: frozen && rule.freeze == Freeze::Closes,
        used_for: rule.used_for,
    }
}

const fn set_by(rule: &Rule) -> &'static str {
    match rule.setter {
        Setter::Owner => "owner, root",
        Setter::Root => "root",
        Setter::Nobody => "nobody",
    }
}

fn json_of(reading: Reading) -> Value {
    match reading {
        Reading::Flag(flag) => json!(flag),
        Reading::Number(number) => json!(number),
        Reading::Parts(parts) => json!(parts),
        Reading::Account(account) => json!(account),
        Reading::Text(text) => json!(text),
    }
}

/// A value for people: amounts of TAO in whole tokens, other numbers in groups of three.
fn told(unit: &str, value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::String(text) => text.clone(),
        Value::Number(number) => match number.as_u64() {
            Some(rao) if unit == "rao" => {
                let amount = Rao(rao).to_string();
                amount.trim_end_matches(" TAO").to_owned()
            }
            Some(number) => thousands(number),
            None => number.to_string(),
        },
        other => other.to_string(),
    }
}

/// The freeze window of a call; empty for those without.
const fn window(row: &ParameterFacts) -> &'static str {
    match (row.has_freeze_window, row.frozen) {
        (false, _) => "",
        (true, false) => "open",
        (true, true) => "closed",
    }
}

/// Bounds without the names of errors, which stand in brackets.
fn without_errors(bounds: &str) -> String {
    let mut parts = bounds.split(" (");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once(')').map_or("", |(_, rest)| rest))
}

fn told_pause(row: &ParameterFacts) -> String {
    let Some(blocks) = row.rate_limit_blocks else { return String::new() };
    let mut text = format!("{} blocks", thousands(blocks));
    if row.rate_limit_of_root {
        text += ", root too";
    }
    if let Some(until) = row.owner_waits_until {
        text += &format!(", again from {until}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::call::{Call, Setting};
    use protocol::decide;
    use protocol::state::{Global, Info, Params, Subnet};
    use protocol::tx::Tx;
    use protocol::units::AccountId;
    use std::collections::BTreeSet;

    /// Counters, and what nobody sets.
    const NO_PARAMETERS: &[&str] = &[
        "total_stake",
        "block_emission",
        "block_author",
        "network_last_lock_block",
        "root_stakers",
        "root_walk",
        "entropies",
        "beacon",
    ];

    fn fields<T: Serialize>(value: &T) -> BTreeSet<String> {
        let value = serde_json::to_value(value).expect("plain data");
        value.as_object().expect("a struct").keys().cloned().collect()
    }

    #[test]
    fn every_setting_and_every_field_has_its_line() {
        let calls: BTreeSet<&str> =
            RULES.iter().map(|rule| rule.call).filter(|call| !call.is_empty()).collect();
        assert_eq!(calls, Setting::names().collect());
        let names: BTreeSet<&str> = RULES.iter().map(|rule| rule.name).collect();
        assert_eq!(names.len(), RULES.len(), "a name occurs twice");
        let known = |field: &String| names.contains(field.as_str());
        let ours = |field: &&String| !NO_PARAMETERS.contains(&field.as_str());
        for field in
            fields(&Params::default()).iter().chain(fields(&Global::default()).iter().filter(ours))
        {
            assert!(known(field), "{field} has no row");
        }
    }

    /// 30 §1.2: the compiled defaults, and the values in force on the main network at the reference date.
    #[test]
    fn both_profiles_have_the_values_of_the_reference() {
        let rows: &[(&str, i128, i128)] = &[
            ("subnet_limit", 128, 128),
            ("network_min_lock_cost", 1_000_000_000_000, 1_000_000_000_000),
            ("network_lock_reduction_interval", 100_800, 57_600),
            ("network_rate_limit", 7_200, 28_800),
            ("network_registration_start", 0, 0),
            ("network_immunity_period", 1_296_000, 864_000),
            ("start_call_delay", 0, 0),
            ("subnet_owner_cut", 11_796, 11_796),
            ("tao_weight", 971_718_665_099_567_868, 971_718_665_099_567_868),
            ("stake_threshold", 0, 1_000_000_000_000),
            ("delegate_take_min", 0, 0),
            ("delegate_take_max", 11_796, 11_796),
            ("childkey_take_min", 0, 0),
            ("childkey_take_max", 11_796, 11_796),
            ("tx_delegate_take_rate_limit", 216_000, 216_000),
            ("tx_childkey_take_rate_limit", 216_000, 216_000),
            ("weights_version_key_rate_limit", 5, 5),
            ("owner_hyperparam_rate_limit", 2, 2),
            ("admin_freeze_window", 10, 10),
            ("pending_childkey_cooldown", 7_200, 7_200),
            ("min_activity_cutoff", 360, 360),
            ("max_mechanism_count", 2, 2),
            ("childkey_burn", 0, 0),
            ("tx_rate_limit", 1_000, 1_000),
            ("commit_reveal_version", 4, 4),
            ("coldkey_swap_announcement_delay", 36_000, 36_000),
            ("coldkey_swap_reannouncement_delay", 7_200, 7_200),
        ];
        for (name, code, main) in rows {
            let rule = RULES.iter().find(|rule| rule.name == *name).expect("it has a row");
            for (profile, value) in [(Profile::Code, code), (Profile::Mainnet, main)] {
                let default = rule.default(profile, NetUid::ROOT);
                assert_eq!(default, Some(Reading::Number(*value)), "{name}, {profile:?}");
            }
        }
        assert_eq!(Global::default().network_last_lock_cost, Rao::whole(1_000));
    }

    #[test]
    fn bounds_are_told_without_errors() {
        let rows = [
            ("", ""),
            ("1 to 10 (InvalidValue)", "1 to 10"),
            ("at most 9 (TooMany); at least 2 (A, B) or so", "at most 9; at least 2 or so"),
        ];
        for (bounds, told) in rows {
            assert_eq!(without_errors(bounds), told);
        }
    }

    #[test]
    fn a_scenario_says_its_profile() {
        assert_eq!(profile("[rules]\nprofile = \"code\""), Profile::Code);
        assert_eq!(profile("[rules]\nversion = \"price\""), Profile::Mainnet);
    }

    fn state() -> State {
        let owner = Some(AccountId([7; 32]));
        let info = Info { owner, ..Info::default() };
        let mut state = State::default();
        state.height = Height(361 * 30 - 2);
        state.subnets.insert(NetUid(1), Subnet { added: true, info, ..Subnet::default() });
        state
    }

    fn set(state: &mut State, origin: Origin, setting: Setting) {
        let signed = protocol::call::Signed { origin, nonce: 0, call: &Call::SudoSet(setting) };
        assert_eq!(decide::decide(&mut Tx::new(state), &signed), Ok(()));
    }

    fn line(state: &State, name: &str) -> ParameterFacts {
        let rule = RULES.iter().find(|rule| rule.name == name).expect("it has a row");
        let netuid = Some(NetUid(1)).filter(|_| rule.scope == Scope::Subnet);
        facts(rule, state, netuid, Profile::Mainnet)
    }

    #[test]
    fn a_line_says_what_differs_and_when_it_can_be_changed_again() {
        let mut state = state();
        let (netuid, owner) = (NetUid(1), Origin::Signed(AccountId([7; 32])));
        let before = line(&state, "immunity_period");
        assert!(!before.differs && before.owner_waits_until.is_none() && !before.frozen);
        assert_eq!(told_pause(&before), "720 blocks");
        let now = state.height.0;
        set(&mut state, owner, Setting::ImmunityPeriod { netuid, value: 4_999 });
        let after = line(&state, "immunity_period");
        assert!(after.differs);
        assert_eq!(
            (after.value.as_u64(), after.default.and_then(|value| value.as_u64())),
            (Some(4_999), Some(5_000))
        );
        assert_eq!(after.owner_waits_until, Some(now + 720));
        state.height = Height(now + 361 - 10);
        assert!(line(&state, "immunity_period").frozen, "ten blocks before the next index");
        assert_eq!(window(&line(&state, "immunity_period")), "closed");
        assert_eq!(window(&line(&state, "kappa")), "", "it has none");
        state.height = Height(now + 720);
        assert_eq!(line(&state, "immunity_period").owner_waits_until, None);
        state.height = Height(now + 722);
        assert_eq!(window(&line(&state, "immunity_period")), "open");
        assert_eq!(told_pause(&line(&state, "owner_hotkey")), "50,400 blocks, root too");
        assert_eq!(told_pause(&line(&state, "weights_version_key")), "1,800 blocks");
        assert_eq!(told_pause(&line(&state, "tempo")), "");
        set(&mut state, Origin::Root, Setting::SubnetLimit { value: 256 });
        assert!(line(&state, "subnet_limit").differs);
        assert!(line(&state, "network_rate_limit").differs, "it has the compiled value");
        assert_eq!(line(&state, "symbol").default, None);
        assert_eq!(told("rao", &json!(500_000)), "0.000500000");
        assert_eq!(told("blocks", &json!(7_200)), "7,200");
    }

    /// The page of parameters, from the table.
    fn page() -> String {
        let mut text = PAGE_HEAD.to_owned();
        for (scope, title) in [(Scope::Subnet, "Of a subnet"), (Scope::Network, "Of the network")] {
            text += &format!("\n## {title}\n\n");
            text += match scope {
                Scope::Subnet => {
                    "| parameter | call | default | unit | set by | once in | window | bounds | used for |\n\
                     |---|---|---|---|---|---|---|---|---|\n"
                }
                Scope::Network => {
                    "| parameter | call | code | mainnet | unit | set by | bounds | used for |\n\
                     |---|---|---|---|---|---|---|---|\n"
                }
            };
            for rule in RULES.iter().filter(|rule| rule.scope == scope) {
                text += &page_row(rule);
            }
        }
        text
    }

    fn page_row(rule: &Rule) -> String {
        let default = |profile| match rule.default(profile, NetUid(1)).map(json_of) {
            None => "moves".to_owned(),
            Some(value) => told(rule.unit, &value),
        };
        let (code, main) = (default(Profile::Code), default(Profile::Mainnet));
        let call =
            if rule.call.is_empty() { "none".to_owned() } else { format!("`{}`", rule.call) };
        let unit = if rule.unit == "rao" { "TAO" } else { rule.unit };
        let (name, setter, bounds, used_for) =
            (rule.name, set_by(rule), rule.bounds, rule.used_for);
        match rule.scope {
            Scope::Network => format!(
                "| `{name}` | {call} | {code} | {main} | {unit} | {setter} | {bounds} | {used_for} |\n"
            ),
            Scope::Subnet => {
                assert_eq!(code, main, "{name}: the page has one column for subnets");
                let pause = match rule.pause {
                    Pause::None => String::new(),
                    Pause::Tempos(_) => "2 tempos".to_owned(),
                    Pause::VersionKeyTempos => "5 tempos, per owner".to_owned(),
                    Pause::Blocks(blocks, _) => format!("{} blocks, per owner", thousands(blocks)),
                    Pause::Everybody(blocks, _) => {
                        format!("{} blocks, root too", thousands(blocks))
                    }
                };
                let window = if rule.freeze == Freeze::Closes { "closes" } else { "" };
                format!(
                    "| `{name}` | {call} | {code} | {unit} | {setter} | {pause} | {window} | {bounds} | {used_for} |\n"
                )
            }
        }
    }

    const PAGE_HEAD: &str = "# Parameters

Written by a test from the table that decides (`protocol/src/hyperparameters/table.rs`): `UPDATE_EXPECT=1 cargo test -p emulator params`.

**Set by**: root sets any; where the owner may, a subnet's owner signs the call. **Once in**: the pause between two changes by the owner
(root does not wait, but for the owner's hotkey); tempos are the subnet's own, their number a parameter of the network. **Window**: the
call is refused, to root too, in the last `admin_freeze_window` blocks before an epoch (`AdminActionProhibitedDuringWeightsWindow`).
Checks come in this order: origin, pause (`TxRateLimitExceeded`), window, existence of the subnet, bounds. A change counts from the next
call of the same block on.

`btemu inspect RUN params N` shows a subnet's at any block, `btemu inspect RUN params --global` the network's. A scenario sets those that
stand in `[hyperparameters]`, `[[subnet]]` or `[rules]` by these names; a timeline makes any of the calls.
";

    #[test]
    fn the_page_of_parameters_is_the_table() {
        expect_test::expect_file!["../../../docs/parameters.md"].assert_eq(&page());
    }
}
