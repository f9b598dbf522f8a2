//! Whole-chain cases: a scenario of calls and forced parameters, and what the chain answers.
//!
//! Every key of the expected trace is compared; a call, setter or key that is not known is a
//! failure, never a skip.

use protocol::beacon;
use protocol::block;
use protocol::call::{Call, Origin, Signed};
use protocol::commits::{Opening, commit_hash};
use protocol::decide::decide;
use protocol::hyperparameters::{set_mechanism_count, set_mechanism_split};
use protocol::invariants::Checker;
use protocol::payload::Payload;
use protocol::registration::lock_cost;
use protocol::rejection::Rejection;
use protocol::rules::AccountOrder;
use protocol::state::{
    Account, Dividends, Global, Info, Links, Params, RootClaimType, State, Subnet,
};
use protocol::timelock::CRV3_VERSION;
use protocol::tx::Tx;
use protocol::units::{AccountId, Alpha, Hash32, Height, NetUid, Rao};
use protocol::weights::Order;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::str::FromStr;

use super::trace::compare_trace;

const BLOCK_AUTHOR: u64 = 12_345;
/// A case that differs in more places is not run to its end.
const DIFFERENCES_MAX: usize = 10_000;
/// The parent hash of every block, which selects automatic root claims.
const ENTROPY: Hash32 = Hash32([0x45; 32]);

type Answer<T> = Result<T, String>;

/// Runs a case; an empty list is a pass.
pub fn check(case: &Value) -> Vec<String> {
    match run(case) {
        Ok(differences) => differences,
        Err(problem) => vec![problem],
    }
}

fn run(case: &Value) -> Answer<Vec<String>> {
    let scenario = &case["scenario"];
    let events = list(scenario, "events")?;
    let results = list(&case["expected"], "results")?;
    let trace = list(&case["expected"], "trace")?;
    if results.len() != events.len() || trace.is_empty() {
        return Err("expected.results or expected.trace is missing".into());
    }
    let mut state = genesis(&scenario["genesis"])?;
    // The reference's driver tells the balances of the accounts it was given, of those that sign
    // anything in the scenario, and of the block author; not of others that are paid.
    let signers = events.iter().filter_map(|event| event.get("origin").and_then(Value::as_u64));
    let funded = state.accounts.keys().map(number_of);
    let told: BTreeSet<u64> = signers.chain(funded).chain([BLOCK_AUTHOR]).collect();
    let mut checker = Checker::new(&state);
    let mut differences = Vec::new();
    let (mut next, mut traced) = (0, 0);
    for block in 1..=number(scenario, "blocks")? {
        open_block(&mut state, block);
        while next < events.len() && number(&events[next], "block")? == block {
            let answer = apply_event(&mut state, &events[next])
                .map_err(|problem| format!("events[{next}]: {problem}"))?;
            let expected = results[next].as_str().unwrap_or_default();
            if answer != expected {
                differences.push(format!(
                    "block {block}, results[{next}]: expected {expected}, found {answer}"
                ));
            }
            next += 1;
        }
        block::close(&mut Tx::new(&mut state));
        if let Err(violation) = checker.check(&state) {
            differences.push(violation.to_string());
        }
        while traced < trace.len() && number(&trace[traced], "block")? == block {
            let dump = dump(&state, &told, trace[traced]["kind"] == "full");
            compare_trace(&format!("block {block}"), &trace[traced], &dump, &mut differences);
            traced += 1;
        }
        if differences.len() > DIFFERENCES_MAX {
            differences.push(format!("block {block}: given up"));
            return Ok(differences);
        }
    }
    if next != events.len() || traced != trace.len() {
        differences.push(format!("{next} events and {traced} trace entries were reached"));
    }
    Ok(differences)
}

fn list<'a>(value: &'a Value, key: &str) -> Answer<&'a Vec<Value>> {
    value[key].as_array().ok_or_else(|| format!("{key} is not a list"))
}

fn number(value: &Value, key: &str) -> Answer<u64> {
    value[key].as_u64().ok_or_else(|| format!("{key} is not a number: {}", value[key]))
}

fn narrow(value: &Value, key: &str) -> Answer<u16> {
    u16::try_from(number(value, key)?).map_err(|_| format!("{key} is above 65535"))
}

fn account(value: &Value, key: &str) -> Answer<AccountId> {
    Ok(account_of(number(value, key)?))
}

fn account_of(number: u64) -> AccountId {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&number.to_le_bytes());
    AccountId(bytes)
}

fn number_of(account: &AccountId) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&account.0[..8]);
    u64::from_le_bytes(bytes)
}

fn genesis(genesis: &Value) -> Answer<State> {
    let mut state = State::default();
    state.rules.account_order = AccountOrder::NumericLe;
    state.global = Global { block_author: Some(account_of(BLOCK_AUTHOR)), ..Global::default() };
    for entry in list(genesis, "balances")? {
        let holder = account_of(entry[0].as_u64().ok_or("a balance without an account")?);
        let free = Rao(entry[1].as_u64().ok_or("a balance without an amount")?);
        state.global.total_issuance = state.global.total_issuance.plus(free);
        state.accounts.insert(holder, Account { free, nonce: 0 });
    }
    let mut root = Subnet { added: true, params: Params::root(), ..Subnet::default() };
    root.info = Info { symbol: "Τ".into(), ..Info::default() };
    state.subnets.insert(NetUid::ROOT, root);
    for setting in list(genesis, "set")? {
        set(&mut state, setting)?;
    }
    Ok(state)
}

fn open_block(state: &mut State, block: u64) {
    let mut tx = Tx::in_block(state, ENTROPY);
    block::open(&mut tx, Height(block));
    let (events, sealed) = tx.finish();
    state.keep_sealed(&events, &sealed);
}

fn apply_event(state: &mut State, event: &Value) -> Answer<String> {
    if event.get("set").is_some() {
        set(state, event)?;
        return Ok("ok".into());
    }
    let origin = match &event["origin"] {
        Value::String(text) if text == "root" => Origin::Root,
        _ => Origin::Signed(account(event, "origin")?),
    };
    let name = event["call"].as_str().ok_or("neither a call nor a setter")?;
    let signer = match origin {
        Origin::Root => AccountId::ZERO,
        Origin::Signed(signer) => signer,
    };
    let call = call(name, &event["args"], signer)?;
    let signed = Signed { origin, nonce: 0, call: &call };
    let mut tx = Tx::new(state);
    let decided = tx.attempt(|tx| decide(tx, &signed));
    let (events, sealed) = tx.finish();
    state.keep_sealed(&events, &sealed);
    Ok(decided.map_or_else(error_name, |()| "ok".into()))
}

/// The chain's name of an error; those of the balances module are told as a token error.
fn error_name(rejection: Rejection) -> String {
    match rejection {
        Rejection::FundsUnavailable | Rejection::BelowMinimum => {
            format!("Token({})", rejection.name())
        }
        other => other.name().into(),
    }
}

/// The call of an event; commits come with their content and are hashed for the signer.
fn call(name: &str, args: &Value, signer: AccountId) -> Answer<Call> {
    let netuid = || narrow(args, "netuid").map(NetUid);
    let rao = |key| number(args, key).map(Rao);
    let alpha = |key| number(args, key).map(Alpha);
    let numbers = |key: &str| numbers(args, key);
    Ok(match name {
        "register_network" => Call::RegisterNetwork { hotkey: account(args, "hotkey")? },
        "root_dissolve_network" => Call::RootDissolveNetwork { netuid: netuid()? },
        "start_call" => Call::StartCall { netuid: netuid()? },
        "burned_register" => {
            Call::BurnedRegister { netuid: netuid()?, hotkey: account(args, "hotkey")? }
        }
        "root_register" => Call::RootRegister { hotkey: account(args, "hotkey")? },
        "add_stake" => Call::AddStake {
            hotkey: account(args, "hotkey")?,
            netuid: netuid()?,
            amount_staked: rao("amount")?,
        },
        "remove_stake" => Call::RemoveStake {
            hotkey: account(args, "hotkey")?,
            netuid: netuid()?,
            amount_unstaked: alpha("amount")?,
        },
        "set_weights" => Call::SetWeights {
            netuid: netuid()?,
            dests: numbers("dests")?,
            weights: numbers("weights")?,
            version_key: number(args, "version_key")?,
        },
        "set_mechanism_weights" => Call::SetMechanismWeights {
            netuid: netuid()?,
            mecid: small(args, "mecid")?,
            dests: numbers("dests")?,
            weights: numbers("weights")?,
            version_key: number(args, "version_key")?,
        },
        "commit_weights" => {
            let netuid = netuid()?;
            let (uids, values, salt) = (numbers("uids")?, numbers("values")?, numbers("salt")?);
            let version_key = number(args, "version_key")?;
            let order = Order { netuid, mechanism: 0, dests: &uids, weights: &values, version_key };
            let commit_hash = commit_hash(&signer, &Opening { order, salt: &salt });
            Call::CommitWeights { netuid, commit_hash }
        }
        "reveal_weights" => Call::RevealWeights {
            netuid: netuid()?,
            uids: numbers("uids")?,
            values: numbers("values")?,
            salt: numbers("salt")?,
            version_key: number(args, "version_key")?,
        },
        "commit_timelocked_weights" => {
            let hotkey = match args.get("payload_hotkey") {
                None => signer,
                Some(_) => account(args, "payload_hotkey")?,
            };
            let payload = Payload {
                hotkey: Some(hotkey),
                uids: numbers("uids")?,
                values: numbers("values")?,
                version_key: number(args, "version_key")?,
            };
            Call::CommitTimelockedWeights {
                netuid: netuid()?,
                commit: payload.seal(&[]),
                reveal_round: number(args, "reveal_round")?,
                commit_reveal_version: match args.get("version") {
                    None => CRV3_VERSION,
                    Some(_) => narrow(args, "version")?,
                },
            }
        }
        "transfer" => {
            Call::TransferAllowDeath { dest: account(args, "dest")?, value: rao("amount")? }
        }
        "try_associate_hotkey" => Call::TryAssociateHotkey { hotkey: account(args, "hotkey")? },
        "increase_take" => {
            Call::IncreaseTake { hotkey: account(args, "hotkey")?, take: narrow(args, "take")? }
        }
        "decrease_take" => {
            Call::DecreaseTake { hotkey: account(args, "hotkey")?, take: narrow(args, "take")? }
        }
        "set_childkey_take" => Call::SetChildkeyTake {
            hotkey: account(args, "hotkey")?,
            netuid: netuid()?,
            take: narrow(args, "take")?,
        },
        "set_children" => Call::SetChildren {
            hotkey: account(args, "hotkey")?,
            netuid: netuid()?,
            children: children(args)?,
        },
        "set_coldkey_auto_stake_hotkey" => {
            Call::SetColdkeyAutoStakeHotkey { netuid: netuid()?, hotkey: account(args, "hotkey")? }
        }
        "claim_root" => Call::ClaimRoot { subnets: subnets(list(args, "subnets")?)? },
        "swap_hotkey" => Call::SwapHotkey {
            hotkey: account(args, "hotkey")?,
            new_hotkey: account(args, "new_hotkey")?,
            netuid: match args.get("netuid") {
                None | Some(Value::Null) => None,
                Some(_) => Some(netuid()?),
            },
        },
        "set_root_claim_type" => Call::SetRootClaimType { new_root_claim_type: claim_type(args)? },
        _ => stake_call(name, args)?,
    })
}

/// Orders that move stake.
fn stake_call(name: &str, args: &Value) -> Answer<Call> {
    let netuid = || narrow(args, "netuid").map(NetUid);
    let hotkey = || account(args, "hotkey");
    let alpha_amount = || number(args, "amount").map(Alpha);
    let origin_netuid = || narrow(args, "origin_netuid").map(NetUid);
    let destination_netuid = || narrow(args, "destination_netuid").map(NetUid);
    let limit_price = || number(args, "limit_price").map(Rao);
    let allow_partial =
        || args["allow_partial"].as_bool().ok_or_else(|| "allow_partial is not a flag".to_owned());
    Ok(match name {
        "add_stake_limit" => Call::AddStakeLimit {
            hotkey: hotkey()?,
            netuid: netuid()?,
            amount_staked: number(args, "amount").map(Rao)?,
            limit_price: limit_price()?,
            allow_partial: allow_partial()?,
        },
        "remove_stake_limit" => Call::RemoveStakeLimit {
            hotkey: hotkey()?,
            netuid: netuid()?,
            amount_unstaked: alpha_amount()?,
            limit_price: limit_price()?,
            allow_partial: allow_partial()?,
        },
        "remove_stake_full_limit" => Call::RemoveStakeFullLimit {
            hotkey: hotkey()?,
            netuid: netuid()?,
            limit_price: match args.get("limit_price") {
                None | Some(Value::Null) => None,
                Some(_) => Some(limit_price()?),
            },
        },
        "unstake_all" => Call::UnstakeAll { hotkey: hotkey()? },
        "unstake_all_alpha" => Call::UnstakeAllAlpha { hotkey: hotkey()? },
        "move_stake" => Call::MoveStake {
            origin_hotkey: account(args, "origin_hotkey")?,
            destination_hotkey: account(args, "destination_hotkey")?,
            origin_netuid: origin_netuid()?,
            destination_netuid: destination_netuid()?,
            alpha_amount: alpha_amount()?,
        },
        "swap_stake" => Call::SwapStake {
            hotkey: hotkey()?,
            origin_netuid: origin_netuid()?,
            destination_netuid: destination_netuid()?,
            alpha_amount: alpha_amount()?,
        },
        "swap_stake_limit" => Call::SwapStakeLimit {
            hotkey: hotkey()?,
            origin_netuid: origin_netuid()?,
            destination_netuid: destination_netuid()?,
            alpha_amount: alpha_amount()?,
            limit_price: limit_price()?,
            allow_partial: allow_partial()?,
        },
        "transfer_stake" => Call::TransferStake {
            destination_coldkey: account(args, "destination_coldkey")?,
            hotkey: hotkey()?,
            origin_netuid: origin_netuid()?,
            destination_netuid: destination_netuid()?,
            alpha_amount: alpha_amount()?,
        },
        "recycle_alpha" => {
            Call::RecycleAlpha { hotkey: hotkey()?, amount: alpha_amount()?, netuid: netuid()? }
        }
        "burn_alpha" => {
            Call::BurnAlpha { hotkey: hotkey()?, amount: alpha_amount()?, netuid: netuid()? }
        }
        _ => return Err(format!("call {name} is not known")),
    })
}

fn small(value: &Value, key: &str) -> Answer<u8> {
    u8::try_from(number(value, key)?).map_err(|_| format!("{key} is above 255"))
}

fn children(args: &Value) -> Answer<Vec<(u64, AccountId)>> {
    let entry = |entry: &Value| {
        let child = entry[1].as_u64().map(account_of);
        entry[0].as_u64().zip(child).ok_or_else(|| format!("{entry} is no child"))
    };
    list(args, "children")?.iter().map(entry).collect()
}

fn subnets(netuids: &[Value]) -> Answer<BTreeSet<NetUid>> {
    let netuid = |value: &Value| {
        let netuid = value.as_u64().and_then(|netuid| u16::try_from(netuid).ok());
        netuid.map(NetUid).ok_or_else(|| format!("{value} is no netuid"))
    };
    netuids.iter().map(netuid).collect()
}

fn claim_type(args: &Value) -> Answer<RootClaimType> {
    match args["type"].as_str() {
        Some("swap") => Ok(RootClaimType::Swap),
        Some("keep") => Ok(RootClaimType::Keep),
        Some("keep_subnets") => Ok(RootClaimType::KeepSubnets(subnets(list(args, "subnets")?)?)),
        other => Err(format!("type is {other:?}")),
    }
}

/// Forces a parameter, without the checks of a call.
fn set(state: &mut State, setting: &Value) -> Answer<()> {
    let name = setting["set"].as_str().ok_or("a setter without a name")?;
    if name.starts_with("do_") {
        return set_checked(state, name, setting);
    }
    state.forget_cached_hashes();
    let wide = || number(setting, "value");
    let short = || narrow(setting, "value");
    let flag = || setting["value"].as_bool().ok_or_else(|| format!("{name} is not a flag"));
    if let Some(netuid) = setting.get("netuid") {
        let netuid = netuid.as_u64().and_then(|id| u16::try_from(id).ok()).ok_or("netuid")?;
        let subnet = state.subnets.entry(NetUid(netuid)).or_default();
        let params = &mut subnet.params;
        match name {
            "tempo" => params.tempo = short()?,
            "max_registrations_per_block" => params.max_registrations_per_block = short()?,
            "target_registrations_per_interval" => {
                params.target_registrations_per_interval = short()?;
            }
            "commit_reveal_enabled" => params.commit_reveal = flag()?,
            "weights_set_rate_limit" => params.weights_set_rate_limit = wide()?,
            "max_allowed_uids" => params.max_allowed_uids = short()?,
            "max_allowed_validators" => params.max_allowed_validators = short()?,
            "immunity_period" => params.immunity_period = short()?,
            "activity_cutoff" => params.activity_cutoff = short()?,
            "min_allowed_weights" => params.min_allowed_weights = short()?,
            "yuma3" => params.yuma3 = flag()?,
            "liquid_alpha" => params.liquid_alpha = flag()?,
            "alpha_values" => {
                let [low, high] = numbers(setting, "value")?[..] else {
                    return Err("alpha_values is not a pair".into());
                };
                (params.alpha_low, params.alpha_high) = (low, high);
            }
            "alpha_sigmoid_steepness" => {
                let value = setting["value"].as_i64().and_then(|value| i16::try_from(value).ok());
                params.alpha_sigmoid_steepness = value.ok_or("alpha_sigmoid_steepness")?;
            }
            "bonds_reset" => params.bonds_reset = flag()?,
            "adjustment_alpha" => params.adjustment_alpha = wide()?,
            "adjustment_interval" => params.adjustment_interval = short()?,
            "burn" => subnet.fast.burn = Rao(wide()?),
            "min_allowed_uids" => params.min_allowed_uids = short()?,
            "min_non_immune_uids" => params.min_non_immune_uids = short()?,
            "network_registration_allowed" => params.registration_allowed = flag()?,
            "weights_version_key" => params.weights_version_key = wide()?,
            "ema_price_halving_blocks" => params.ema_price_halving_blocks = wide()?,
            "recycle_or_burn" => {
                params.recycle_withheld = match setting["value"].as_str() {
                    Some("Recycle" | "recycle") => true,
                    Some("Burn" | "burn") => false,
                    other => return Err(format!("recycle_or_burn is {other:?}")),
                };
            }
            "bonds_penalty" => params.bonds_penalty = short()?,
            "bonds_moving_average" => params.bonds_moving_average = wide()?,
            "kappa" => params.kappa = short()?,
            "reveal_period" => params.reveal_period = wide()?,
            "root_claim_threshold" => {
                params.root_claimable_threshold = i128::from(wide()?) << 32;
            }
            "transfer_toggle" => params.transfer_toggle = flag()?,
            "swap_fee_rate" => subnet.fast.pool.fee_rate = short()?,
            _ => return Err(format!("setter {name} is not known")),
        }
        return Ok(());
    }
    let global = &mut state.global;
    match name {
        "network_rate_limit" => global.network_rate_limit = wide()?,
        "network_min_lock_cost" => global.network_min_lock_cost = Rao(wide()?),
        "network_last_lock_cost" => global.network_last_lock_cost = Rao(wide()?),
        "drand_pulse" => beacon::store(&mut Tx::new(state), wide()?),
        "tx_rate_limit" => global.tx_rate_limit = wide()?,
        "total_issuance" => {
            let before = global.total_issuance.0;
            global.total_issuance = Rao(wide()?);
            let change = i128::from(global.total_issuance.0) - i128::from(before);
            state.leaks.opening += i64::try_from(change).map_err(|_| "total_issuance")?;
        }
        "flow_ema_smoothing_factor" => global.flow_smoothing = wide()?,
        "network_immunity_period" => global.network_immunity_period = wide()?,
        "network_lock_reduction_interval" => global.network_lock_reduction_interval = wide()?,
        "subnet_owner_cut" => global.subnet_owner_cut = short()?,
        "subnet_moving_alpha_bits" => global.moving_alpha = bits(setting)?,
        "flow_norm_exponent_bits" => global.flow_exponent = bits(setting)?,
        "num_root_claims" => global.root_claims_per_block = wide()?,
        "pending_childkey_cooldown" => global.pending_childkey_cooldown = wide()?,
        "tx_childkey_take_rate_limit" => global.tx_childkey_take_rate_limit = wide()?,
        "tx_delegate_take_rate_limit" => global.tx_delegate_take_rate_limit = wide()?,
        "ck_burn" => global.childkey_burn = wide()?,
        "nominator_min_required_stake" => global.nominator_min_required_stake = wide()?,
        "stake_threshold" => global.stake_threshold = wide()?,
        "subnet_limit" => global.subnet_limit = short()?,
        _ => return Err(format!("setter {name} is not known")),
    }
    Ok(())
}

/// A fixed-point value, written as a text of digits.
fn bits<T: FromStr>(setting: &Value) -> Answer<T> {
    let bits = setting["value"].as_str().and_then(|bits| bits.parse().ok());
    bits.ok_or_else(|| format!("{} is not a text of digits", setting["set"]))
}

/// Forces a parameter through the setter that checks its bounds.
fn set_checked(state: &mut State, name: &str, setting: &Value) -> Answer<()> {
    let netuid = narrow(setting, "netuid").map(NetUid)?;
    let mut tx = Tx::new(state);
    let set = match name {
        "do_mechanism_count" => {
            let count = small(setting, "value")?;
            tx.attempt(|tx| set_mechanism_count(tx, netuid, count))
        }
        "do_mechanism_split" => {
            let split = match &setting["value"] {
                Value::Null => None,
                _ => Some(numbers(setting, "value")?),
            };
            tx.attempt(|tx| set_mechanism_split(tx, netuid, split.as_deref()))
        }
        _ => return Err(format!("setter {name} is not known")),
    };
    set.map_err(|rejection| format!("{name}: {}", rejection.name()))
}

fn numbers(value: &Value, key: &str) -> Answer<Vec<u16>> {
    let number = |item: &Value| item.as_u64().and_then(|item| u16::try_from(item).ok());
    let numbers: Option<Vec<u16>> = list(value, key)?.iter().map(number).collect();
    numbers.ok_or_else(|| format!("{key} is not a list of numbers"))
}

fn dump(state: &State, told: &BTreeSet<u64>, full: bool) -> Value {
    let mut subnets = Map::new();
    for (netuid, subnet) in state.networks() {
        let entry =
            if full { full_subnet(state, netuid, subnet) } else { light_subnet(netuid, subnet) };
        subnets.insert(netuid.to_string(), entry);
    }
    let balances: u64 = state.accounts.values().map(|account| account.free.0).sum();
    let mut top = json!({
        "block": state.height.0,
        "kind": if full { "full" } else { "light" },
        "total_issuance": state.global.total_issuance.0,
        "balances_issuance": balances,
        "total_stake": state.global.total_stake.0,
        "lock_cost": lock_cost(state).0,
        "block_emission": state.global.block_emission.0,
        "subnets": subnets,
    });
    if full {
        full_network(state, told, &mut top);
    }
    top
}

fn light_subnet(netuid: NetUid, subnet: &Subnet) -> Value {
    let fast = &subnet.fast;
    if netuid.is_root() {
        return json!({"n": subnet.neurons.len(), "tao_in": fast.pool.tao});
    }
    json!({
        "tao_in": fast.pool.tao,
        "alpha_in": fast.pool.alpha,
        "alpha_out": fast.pool.alpha_out,
        "sqrt_price_u64f64": fast.pool.sqrt_price.to_string(),
        "moving_price_i96f32": fast.moving_price.to_string(),
        "root_prop_u96f32": fast.root_proportion.to_string(),
        "tao_flow": fast.flow,
        "ema_tao_flow": fast.flow_average.map(|(block, bits)| json!([block, bits.to_string()])),
        "tao_in_emission": fast.tao_in_emission.0,
        "alpha_in_emission": fast.alpha_in_emission.0,
        "alpha_out_emission": fast.alpha_out_emission.0,
        "pending": [
            fast.pending_server.0,
            fast.pending_validator.0,
            fast.pending_root.0,
            fast.pending_owner.0,
        ],
        "burn": fast.burn.0,
        "n": subnet.neurons.len(),
    })
}

fn full_subnet(state: &State, netuid: NetUid, subnet: &Subnet) -> Value {
    let mut value = light_subnet(netuid, subnet);
    let (fast, info) = (&subnet.fast, &subnet.info);
    let step_base = fast.step_base;
    let dividends = |pick: fn(&Dividends) -> Option<Alpha>| -> Vec<Value> {
        let mut rows: Vec<(u64, u64)> = subnet
            .last_dividends
            .iter()
            .filter_map(|(hotkey, pair)| pick(pair).map(|alpha| (number_of(hotkey), alpha.0)))
            .collect();
        rows.sort_unstable();
        rows.into_iter().map(|row| json!([row.0, row.1])).collect()
    };
    let extra = json!({
        "tao_in": fast.pool.tao,
        "alpha_in": fast.pool.alpha,
        "alpha_in_provided": 0,
        "tao_in_provided": 0,
        "alpha_out": fast.pool.alpha_out,
        "alpha_in_emission": fast.alpha_in_emission.0,
        "alpha_out_emission": fast.alpha_out_emission.0,
        "tao_in_emission": fast.tao_in_emission.0,
        "sqrt_price_u64f64": fast.pool.sqrt_price.to_string(),
        "moving_price_i96f32": fast.moving_price.to_string(),
        "root_prop_u96f32": fast.root_proportion.to_string(),
        "tao_flow": fast.flow,
        "ema_tao_flow": fast.flow_average.map(|(block, bits)| json!([block, bits.to_string()])),
        "price_u96f32": subnet.price().to_string(),
        "liquidity": fast.pool.liquidity,
        "v3_initialized": fast.pool.initialized,
        "fee_global_tao_u64f64": "0",
        "fee_global_alpha_u64f64": "0",
        "scrap_tao": fast.pool.scrap_tao,
        "scrap_alpha": fast.pool.scrap_alpha,
        "pending_server": fast.pending_server.0,
        "pending_validator": fast.pending_validator.0,
        "pending_root_alpha": fast.pending_root.0,
        "pending_owner_cut": fast.pending_owner.0,
        "volume": fast.volume.to_string(),
        "difficulty": fast.difficulty.to_string(),
        "burn": fast.burn.0,
        "blocks_since_last_step": if netuid.is_root() { 0 } else { state.height.0 - step_base },
        "last_step_block": fast.last_step,
        "regs_this_block": fast.registrations_this_block,
        "regs_this_interval": fast.registrations_this_interval,
        "rao_recycled": fast.recycled_for_registration.0,
        "owner": info.owner.map_or(0, |owner| number_of(&owner)),
        "owner_hotkey": info.owner_hotkey.map_or(0, |owner| number_of(&owner)),
        "registered_at": info.registered_at,
        "locked": info.locked.0,
        "first_emission_block": info.first_emission,
        "last_adjustment_block": fast.last_adjustment,
        "alpha_dividends": dividends(|pair| pair.0),
        "root_alpha_dividends": dividends(|pair| pair.1),
        "n": subnet.neurons.len(),
        "neurons": full_neurons(state, netuid, subnet),
    });
    if let (Value::Object(value), Value::Object(extra)) = (&mut value, extra) {
        value.extend(extra);
    }
    value
}

fn full_neurons(state: &State, netuid: NetUid, subnet: &Subnet) -> Value {
    let neurons = &subnet.neurons;
    let first = subnet.mechanism(0).cloned().unwrap_or_default();
    let each = |pick: &dyn Fn(&AccountId) -> u64| -> Vec<u64> {
        neurons.hotkeys.iter().map(pick).collect()
    };
    json!({
        "hotkey": each(&number_of),
        "coldkey": each(&|hotkey| state.owner(hotkey).map_or(0, |owner| number_of(&owner))),
        "registered_at": neurons.registered_at,
        "last_update": first.last_update,
        "active": neurons.active,
        "validator_permit": neurons.validator_permit,
        "alpha_stake": each(&|hotkey| state.hotkey_alpha(hotkey, netuid).0),
        "stake_weight": neurons.stake_weight,
        "consensus": neurons.consensus,
        "validator_trust": neurons.validator_trust,
        "dividends": neurons.dividends,
        "incentive": first.incentive,
        "emission": neurons.emission.iter().map(|alpha| alpha.0).collect::<Vec<_>>(),
        "weights": first.weights,
        "bonds": first.bonds,
        "other_mechanisms": other_mechanisms(subnet),
        "timelocked_commits": timelocked_commits(subnet),
        "weight_commits": weight_commits(subnet),
    })
}

fn weight_commits(subnet: &Subnet) -> Value {
    let first = subnet.commits.iter().filter(|((mechanism, _), _)| *mechanism == 0);
    let mut rows: Vec<(u64, Vec<[u64; 3]>)> = first
        .map(|((_, hotkey), queue)| {
            let queue = queue.iter();
            let queue = queue.map(|one| [one.block, one.first_reveal, one.last_reveal]);
            (number_of(hotkey), queue.collect())
        })
        .collect();
    rows.sort_unstable();
    json!(rows)
}

fn timelocked_commits(subnet: &Subnet) -> Value {
    let first = subnet.timelocked.range((0, 0)..=(0, u64::MAX));
    let rows: Vec<(u64, Vec<[u64; 3]>)> = first
        .map(|((_, epoch), queue)| {
            let queue = queue.iter();
            let queue = queue.map(|one| [number_of(&one.hotkey), one.block, one.round]);
            (*epoch, queue.collect())
        })
        .collect();
    json!(rows)
}

fn other_mechanisms(subnet: &Subnet) -> Value {
    let mut others = Map::new();
    for number in 1..subnet.params.mechanism_count {
        let mut mechanism = subnet.mechanism(number).cloned().unwrap_or_default();
        mechanism.weights.resize(subnet.neurons.len(), vec![]);
        mechanism.bonds.resize(subnet.neurons.len(), vec![]);
        let entry = json!({
            "incentive": mechanism.incentive,
            "last_update": mechanism.last_update,
            "weights": mechanism.weights,
            "bonds": mechanism.bonds,
        });
        others.insert(number.to_string(), entry);
    }
    Value::Object(others)
}

/// Children or parents of all hotkeys: netuid, hotkey, links in stored order.
fn links(state: &State, pick: fn(&Links) -> &Vec<(u64, AccountId)>) -> Vec<Value> {
    let mut rows = Vec::new();
    for (netuid, subnet) in state.networks() {
        for (hotkey, links) in &subnet.links {
            let list: Vec<(u64, u64)> = pick(links)
                .iter()
                .map(|(proportion, account)| (*proportion, number_of(account)))
                .collect();
            if !list.is_empty() {
                rows.push((netuid.0, number_of(hotkey), list));
            }
        }
    }
    rows.sort();
    rows.into_iter().map(|row| json!(row)).collect()
}

fn full_network(state: &State, told: &BTreeSet<u64>, top: &mut Value) {
    let balances: Vec<(u64, u64)> =
        told.iter().map(|number| (*number, state.free(&account_of(*number)).0)).collect();
    let mut stakes = Vec::new();
    let mut totals = Vec::new();
    let mut claimed = Vec::new();
    for (netuid, subnet) in state.networks() {
        for (hotkey, pool) in &subnet.pools {
            let hot = number_of(hotkey);
            totals.push((hot, netuid.0, pool.alpha.0, pool.shares.to_string()));
            for (coldkey, share) in &pool.holders {
                let value = pool.value(coldkey).0;
                stakes.push((hot, number_of(coldkey), netuid.0, share.to_string(), value));
            }
        }
    }
    for ((hotkey, coldkey), amounts) in &state.root_claimed {
        let (hot, cold) = (number_of(hotkey), number_of(coldkey));
        let amounts = amounts.iter();
        claimed.extend(amounts.map(|(netuid, amount)| (netuid.0, hot, cold, amount.to_string())));
    }
    stakes.sort();
    totals.sort();
    claimed.sort();
    let mut delegates: Vec<(u64, u16)> = state
        .hotkeys
        .iter()
        .filter_map(|(hotkey, entry)| entry.take.map(|take| (number_of(hotkey), take)))
        .collect();
    delegates.sort_unstable();
    let mut claimable: Vec<(u64, Vec<(u16, String)>)> = state
        .hotkeys
        .iter()
        .filter_map(|(hotkey, entry)| {
            let rates = entry.root_claimable.as_ref()?.iter();
            let rates = rates.map(|(netuid, rate)| (netuid.0, rate.to_string()));
            Some((number_of(hotkey), rates.collect()))
        })
        .collect();
    claimable.sort();
    let more = json!({
        "balances": balances,
        "stakes": stakes,
        "hotkey_totals": totals,
        "root_claimable_i96f32": claimable,
        "root_claimed": claimed,
        "child_keys": links(state, |links| &links.children),
        "parent_keys": links(state, |links| &links.parents),
        "delegates": delegates,
    });
    if let (Value::Object(top), Value::Object(more)) = (top, more) {
        top.extend(more);
    }
}
