//! `btemu inspect RUN account`: what an account holds, what its stake cost and earned, what leaving now would bring.
//!
//! What belongs here: folding a run into the accounts of one coldkey, and showing them. What does not: the accounting
//! itself (`accounting`).

use super::reading::{Reading, read_failure, verify_hint};
use super::tables::numbers_table;
use super::{Failure, print, print_json};
use crate::accounting::{
    Accounts, Amount, Book, Position, Quote, Size, Source, Watch, Yield, quote, value,
};
use crate::progress::{Progress, Showing};
use crate::run::totals::ratio;
use protocol::apply::apply;
use protocol::frame::Projection;
use protocol::root_claims::claimable;
use protocol::state::{State, Subnet};
use protocol::units::{AccountId, Alpha, BLOCKS_PER_DAY, Height, NetUid, Rao};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write;
use storage::fold::Folder;
use storage::pursuit::pursue;

/// `btemu inspect RUN account`
#[derive(Debug, clap::Args)]
pub struct AccountArguments {
    /// Its address.
    account: AccountId,
    /// Blocks that yields are measured over; the whole run where it is shorter.
    #[arg(long, value_name = "N", default_value_t = BLOCKS_PER_DAY)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    window: u64,
    /// A sale to quote on every subnet held: "100 alpha", or a part of the position such as 25% [default: 25%, 50%,
    /// 100%].
    #[arg(long = "size", value_name = "A")]
    sizes: Vec<Size>,
}

#[derive(Serialize)]
struct AccountFacts {
    block: u64,
    account: AccountId,
    free_rao: Rao,
    nonce: u32,
    owned_hotkeys: Vec<AccountId>,
    /// Hotkeys it holds or held stake behind.
    staking_hotkeys: Vec<AccountId>,
    /// The coldkey that owns it, if it is a hotkey.
    owner: Option<AccountId>,
    /// Delegate take of 65,535, if it is a delegate.
    take: Option<u16>,
    uids: Vec<AccountUid>,
    stakes: Vec<AccountStake>,
    /// Free balance and stake at spot prices, before fees and slippage.
    worth_rao: Rao,
    /// History is known from here on.
    genesis_block: u64,
    positions: Vec<PositionFacts>,
    subnets: Vec<SubnetHolding>,
    root_claimable: Vec<Claimable>,
    window: WindowFacts,
    totals: AccountTotals,
}

#[derive(Serialize)]
struct AccountUid {
    netuid: u16,
    uid: u16,
}

#[derive(Serialize)]
struct AccountStake {
    netuid: u16,
    hotkey: AccountId,
    alpha_rao: Alpha,
    worth_rao: Rao,
}

/// Alpha and its rao.
#[derive(Serialize)]
struct Part {
    alpha_rao: Alpha,
    value_rao: Rao,
}

impl From<Amount> for Part {
    fn from(amount: Amount) -> Self {
        Self { alpha_rao: amount.alpha, value_rao: amount.rao }
    }
}

#[derive(Serialize)]
struct PositionFacts {
    netuid: u16,
    name: String,
    hotkey: AccountId,
    alpha_rao: Alpha,
    /// Of the subnet's alpha outside the pool.
    subnet_share: f64,
    price: f64,
    price_bits: u128,
    value_rao: Rao,
    cost_basis_rao: Rao,
    unrealised_rao: i128,
    realised_rao: i128,
    income_alpha_rao: Alpha,
    income_rao: Rao,
    income: BTreeMap<&'static str, Part>,
    opening: Part,
    bought: Part,
    sold: Part,
    received: Part,
    given: Part,
    moved_in: Part,
    moved_out: Part,
    dissolved: Part,
    given_up_alpha_rao: Alpha,
    swap_fees_rao: Rao,
    swap_fees_alpha_rao: Alpha,
    rounding_alpha_rao: i128,
}

#[derive(Serialize)]
struct SubnetHolding {
    netuid: u16,
    name: String,
    alpha_rao: Alpha,
    price: f64,
    value_rao: Rao,
    cost_basis_rao: Rao,
    unrealised_rao: i128,
    realised_rao: i128,
    income_rao: Rao,
    #[serde(flatten)]
    returns: ReturnFacts,
    price_return: Option<f64>,
    exits: Vec<Exit>,
}

#[derive(Serialize)]
struct ReturnFacts {
    average_value_rao: Rao,
    window_earned_rao: Rao,
    window_income_rao: Rao,
    apr_simple: Option<f64>,
    apy_compounded: Option<f64>,
}

impl From<Yield> for ReturnFacts {
    fn from(one: Yield) -> Self {
        let returns = one.returns();
        Self {
            average_value_rao: one.average,
            window_earned_rao: one.earned,
            window_income_rao: one.income,
            apr_simple: returns.simple,
            apy_compounded: returns.compounded,
        }
    }
}

#[derive(Serialize)]
struct Exit {
    size: String,
    alpha_rao: Alpha,
    spot_value_rao: Rao,
    proceeds_rao: Rao,
    price: Option<f64>,
    slippage: Option<f64>,
    fee_alpha_rao: Alpha,
    unsold_alpha_rao: Alpha,
    refusal: Option<&'static str>,
}

impl Exit {
    fn new(size: Size, quote: &Quote) -> Self {
        Self {
            size: size.to_string(),
            alpha_rao: quote.alpha,
            spot_value_rao: quote.spot,
            proceeds_rao: quote.proceeds,
            price: quote.price,
            slippage: quote.slippage,
            fee_alpha_rao: quote.fee,
            unsold_alpha_rao: quote.unsold,
            refusal: quote.refusal,
        }
    }
}

#[derive(Serialize)]
struct Claimable {
    netuid: u16,
    hotkey: AccountId,
    alpha_rao: Alpha,
    value_rao: Rao,
}

#[derive(Serialize)]
struct WindowFacts {
    /// Yields are measured over the blocks after this one.
    from: u64,
    blocks: u64,
}

#[derive(Serialize)]
struct AccountTotals {
    value_rao: Rao,
    cost_basis_rao: Rao,
    unrealised_rao: i128,
    realised_rao: i128,
    income_rao: Rao,
    income: BTreeMap<&'static str, Rao>,
    claimable_value_rao: Rao,
    swap_fees_rao: Rao,
    transaction_fees_rao: Rao,
    lock_refunds_rao: Rao,
    #[serde(flatten)]
    returns: ReturnFacts,
    /// Selling all of every subnet that can be left.
    exit_proceeds_rao: Rao,
    exit_slippage: Option<f64>,
}

/// Folds the run up to a block and shows the account.
pub fn show(
    reading: &Reading,
    at: Height,
    arguments: &AccountArguments,
    json: bool,
) -> Result<(), Failure> {
    let genesis = reading.genesis.height;
    let from = Height(at.0.saturating_sub(arguments.window).max(genesis.0));
    let account = arguments.account;
    let showing = Showing::unless_json(json);
    let (accounts, folder) = fold(reading, at, from, account, showing)?;
    let state = folder.state();
    let known = state.accounts.contains_key(&account)
        || state.coldkeys.contains_key(&account)
        || state.hotkeys.contains_key(&account)
        || accounts.books().contains_key(&account);
    if !known {
        let what = format!("nobody knows account {account} at block {at}");
        let hint = "`btemu inspect RUN neurons N --json` names hotkeys and coldkeys".to_owned();
        return Err(Failure::failed(what, Some(hint)));
    }
    if let Err(what) = accounts.check(state) {
        tracing::warn!(what, "the books do not balance");
    }
    let sizes = match arguments.sizes.as_slice() {
        [] => &Size::DEFAULT,
        sizes => sizes,
    };
    let facts = facts(&accounts, state, genesis, account, sizes);
    if json { print_json(&facts) } else { print(&text(&facts)) }
}

/// The accounts of one coldkey and the state after a block, every frame hash and state root checked on the way.
fn fold(
    reading: &Reading,
    at: Height,
    from: Height,
    account: AccountId,
    showing: Showing,
) -> Result<(Accounts, Folder), Failure> {
    let failed = |error| Failure::failed(error, verify_hint());
    // One state runs a block behind the other.
    let mut before = reading.plan.genesis.clone();
    let mut folder = Folder::new(before.clone(), &reading.genesis).map_err(failed)?;
    let mut accounts = Accounts::open(Watch::One(account), &before).measuring(from, &before);
    let progress = Progress::counting(reading.genesis.height.0, at.0, showing);
    let pursued = pursue(&mut folder, &reading.log, at, |frame, after| {
        accounts.block(frame, &before, after);
        for event in &frame.events {
            apply(&mut before, event).expect("it fitted the same state a moment ago");
        }
        progress.at(frame.header.height.0);
    });
    pursued.map_err(read_failure)?;
    progress.finish();
    Ok((accounts, folder))
}

fn facts(
    accounts: &Accounts,
    state: &State,
    genesis: Height,
    account: AccountId,
    sizes: &[Size],
) -> AccountFacts {
    let coldkey = state.coldkeys.get(&account);
    let hotkey = state.hotkeys.get(&account);
    let uids = state.networks().filter_map(|(netuid, subnet)| {
        let uid = subnet.neurons.uid(&account)?;
        Some(AccountUid { netuid: netuid.0, uid })
    });
    let staking = coldkey.map(|coldkey| coldkey.staking.clone()).unwrap_or_default();
    let stakes = stakes(state, account, &staking);
    let free = state.free(&account);
    let none = Book::default();
    let book = accounts.books().get(&account).unwrap_or(&none);
    let positions = book.positions.iter();
    let positions =
        positions.map(|((netuid, hotkey), p)| position_facts(state, *netuid, *hotkey, p));
    let root_claimable = root_claimable(state, account, &staking);
    let window = accounts.window();
    let (subnets, yields): (Vec<_>, Vec<_>) = book
        .netuids()
        .into_iter()
        .map(|id| holding(accounts, book, state, account, id, sizes))
        .unzip();
    AccountFacts {
        block: state.height.0,
        account,
        free_rao: free,
        nonce: state.nonce(&account),
        owned_hotkeys: coldkey.map(|coldkey| coldkey.owned.clone()).unwrap_or_default(),
        staking_hotkeys: staking,
        owner: hotkey.and_then(|hotkey| hotkey.owner),
        take: hotkey.and_then(|hotkey| hotkey.take),
        uids: uids.collect(),
        worth_rao: stakes.iter().fold(free, |sum, stake| sum.plus(stake.worth_rao)),
        stakes,
        genesis_block: genesis.0,
        positions: positions.collect(),
        totals: totals(book, state, &subnets, &yields, &root_claimable),
        subnets,
        root_claimable,
        window: WindowFacts {
            from: window.map_or(genesis.0, |window| window.from().0),
            blocks: window.map_or(0, crate::accounting::Window::blocks),
        },
    }
}

fn stakes(state: &State, account: AccountId, staking: &[AccountId]) -> Vec<AccountStake> {
    let mut stakes = Vec::new();
    for (netuid, subnet) in state.networks() {
        for hotkey in staking {
            let alpha = state.stake(hotkey, &account, netuid);
            if alpha > Alpha::ZERO {
                let worth_rao = value(alpha, subnet.price());
                let hotkey = *hotkey;
                stakes.push(AccountStake { netuid: netuid.0, hotkey, alpha_rao: alpha, worth_rao });
            }
        }
    }
    stakes
}

fn root_claimable(state: &State, account: AccountId, staking: &[AccountId]) -> Vec<Claimable> {
    let owed = staking.iter().flat_map(|hotkey| {
        let owed = claimable(state, account, *hotkey).into_iter();
        owed.map(|(netuid, alpha)| (netuid, *hotkey, alpha))
    });
    let mut owed: Vec<Claimable> = owed
        .map(|(netuid, hotkey, alpha_rao)| {
            let value_rao = value(alpha_rao, price_bits(state, netuid));
            Claimable { netuid: netuid.0, hotkey, alpha_rao, value_rao }
        })
        .collect();
    owed.sort_by_key(|one| (one.netuid, one.hotkey));
    owed
}

fn price_bits(state: &State, netuid: NetUid) -> u128 {
    state.subnet(netuid).map_or(0, Subnet::price)
}

fn name(state: &State, netuid: NetUid) -> String {
    state.subnet(netuid).map(|subnet| subnet.info.name.clone()).unwrap_or_default()
}

fn gain(value: Rao, cost: Rao) -> i128 {
    i128::from(value.0) - i128::from(cost.0)
}

fn position_facts(
    state: &State,
    netuid: NetUid,
    hotkey: AccountId,
    position: &Position,
) -> PositionFacts {
    let price_bits = price_bits(state, netuid);
    let worth = value(position.alpha, price_bits);
    let outside = state.subnet(netuid).map_or(0, |subnet| subnet.fast.pool.alpha_out);
    let earned = position.earned();
    let part = |source: &Source| position.income.get(source).copied().unwrap_or_default().into();
    PositionFacts {
        netuid: netuid.0,
        name: name(state, netuid),
        hotkey,
        alpha_rao: position.alpha,
        subnet_share: if outside == 0 { 0.0 } else { position.alpha.0 as f64 / outside as f64 },
        price: ratio(price_bits, 32),
        price_bits,
        value_rao: worth,
        cost_basis_rao: position.cost,
        unrealised_rao: gain(worth, position.cost),
        realised_rao: position.realised,
        income_alpha_rao: earned.alpha,
        income_rao: earned.rao,
        income: Source::ALL.iter().map(|source| (source.name(), part(source))).collect(),
        opening: position.opening.into(),
        bought: position.bought.into(),
        sold: position.sold.into(),
        received: position.received.into(),
        given: position.given.into(),
        moved_in: position.moved_in.into(),
        moved_out: position.moved_out.into(),
        dissolved: position.dissolved.into(),
        given_up_alpha_rao: position.given_up,
        swap_fees_rao: position.fee_tao,
        swap_fees_alpha_rao: position.fee_alpha,
        rounding_alpha_rao: position.rounding,
    }
}

/// All of an account's stake on a subnet: what it earned, and what leaving now would bring.
fn holding(
    accounts: &Accounts,
    book: &Book,
    state: &State,
    account: AccountId,
    netuid: NetUid,
    sizes: &[Size],
) -> (SubnetHolding, Yield) {
    let sum = book.subnet(netuid);
    let worth = value(sum.alpha, price_bits(state, netuid));
    let window = accounts.window();
    let earned = window.map(|one| one.earned(accounts.books(), state, account, netuid));
    let earned = earned.unwrap_or_default();
    let subnet = state.subnet(netuid).filter(|_| sum.alpha != Alpha::ZERO);
    let exits = subnet.into_iter().flat_map(|subnet| {
        let quoted = |size: &Size| Exit::new(*size, &quote(subnet, sum.alpha, size.of(sum.alpha)));
        sizes.iter().map(quoted)
    });
    let holding = SubnetHolding {
        netuid: netuid.0,
        name: name(state, netuid),
        alpha_rao: sum.alpha,
        price: ratio(price_bits(state, netuid), 32),
        value_rao: worth,
        cost_basis_rao: sum.cost,
        unrealised_rao: gain(worth, sum.cost),
        realised_rao: sum.realised,
        income_rao: sum.earned().rao,
        returns: earned.into(),
        price_return: window.and_then(|window| window.price_return(state, netuid)),
        exits: exits.collect(),
    };
    (holding, earned)
}

fn totals(
    book: &Book,
    state: &State,
    subnets: &[SubnetHolding],
    yields: &[Yield],
    claimable: &[Claimable],
) -> AccountTotals {
    let sum = |of: fn(&SubnetHolding) -> Rao| {
        subnets.iter().fold(Rao::ZERO, |sum, one| sum.plus(of(one)))
    };
    let (worth, cost) = (sum(|one| one.value_rao), sum(|one| one.cost_basis_rao));
    let mut income: BTreeMap<&'static str, Rao> =
        Source::ALL.iter().map(|source| (source.name(), Rao::ZERO)).collect();
    for (source, amount) in book.positions.values().flat_map(|position| &position.income) {
        let entry = income.entry(source.name()).or_default();
        *entry = entry.plus(amount.rao);
    }
    let mut all = Yield::default();
    yields.iter().for_each(|one| all.add(one));
    let whole = subnets.iter().filter_map(|one| {
        let subnet = state.subnet(NetUid(one.netuid))?;
        let whole = quote(subnet, one.alpha_rao, one.alpha_rao);
        (whole.refusal.is_none()).then_some((whole.proceeds, whole.spot))
    });
    let (proceeds, spot) = whole.fold((Rao::ZERO, Rao::ZERO), |(proceeds, spot), (got, worth)| {
        (proceeds.plus(got), spot.plus(worth))
    });
    let fees = book.positions.values().fold(Rao::ZERO, |sum, one| sum.plus(one.fee_tao));
    AccountTotals {
        value_rao: worth,
        cost_basis_rao: cost,
        unrealised_rao: gain(worth, cost),
        realised_rao: subnets.iter().map(|one| one.realised_rao).sum(),
        income_rao: sum(|one| one.income_rao),
        income,
        claimable_value_rao: claimable.iter().fold(Rao::ZERO, |sum, one| sum.plus(one.value_rao)),
        swap_fees_rao: fees,
        transaction_fees_rao: book.fees,
        lock_refunds_rao: book.lock_refunds,
        returns: all.into(),
        exit_proceeds_rao: proceeds,
        exit_slippage: (spot != Rao::ZERO).then(|| 1.0 - proceeds.0 as f64 / spot.0 as f64),
    }
}

fn text(facts: &AccountFacts) -> String {
    let mut text = head(facts);
    if facts.positions.is_empty() {
        return text;
    }
    let mut add = |title: &str, table: Option<String>| {
        if let Some(table) = table {
            write!(text, "\n{title}\n{table}\n").expect("a text takes every line");
        }
    };
    let since = format!(
        "positions, in TAO; cost since block {}, income at its value when it came",
        facts.genesis_block
    );
    add(&since, Some(positions_table(facts)));
    add("income by source, in TAO", income_table(facts));
    let window = &facts.window;
    let yields = format!(
        "yield of {} blocks (after block {}), annualised; dividends and root dividends only",
        window.blocks, window.from
    );
    add(&yields, (window.blocks > 0).then(|| yield_table(facts)));
    add("root dividends that can be claimed", claimable_table(facts));
    add("leaving now: one order per subnet, without a limit", exit_table(facts));
    text.push_str(&totals_text(&facts.totals));
    text
}

fn head(facts: &AccountFacts) -> String {
    let mut text = format!(
        "account  {}\nfree     {}\nworth    {}\nnonce    {}\n",
        facts.account, facts.free_rao, facts.worth_rao, facts.nonce
    );
    if let Some(owner) = facts.owner {
        text.push_str(&format!("a hotkey of {owner}\n"));
    }
    for uid in &facts.uids {
        text.push_str(&format!("uid {} on subnet {}\n", uid.uid, uid.netuid));
    }
    for hotkey in &facts.owned_hotkeys {
        text.push_str(&format!("owns {hotkey}\n"));
    }
    for hotkey in facts.staking_hotkeys.iter().filter(|one| !facts.owned_hotkeys.contains(one)) {
        text.push_str(&format!("stakes on {hotkey}\n"));
    }
    text
}

fn tao(rao: i128) -> String {
    format!("{:.6}", rao as f64 / 1e9)
}

fn tokens(alpha: Alpha) -> String {
    tao(alpha.0.into())
}

fn plain(rao: Rao) -> String {
    tao(rao.0.into())
}

fn percent(ratio: Option<f64>) -> String {
    ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{:.3}", ratio * 100.0))
}

fn short(hotkey: AccountId) -> String {
    hotkey.to_ss58().chars().take(8).collect::<String>() + "…"
}

fn positions_table(facts: &AccountFacts) -> String {
    let header = [
        "netuid",
        "subnet",
        "hotkey",
        "alpha",
        "share %",
        "price",
        "value",
        "cost",
        "unrealised",
        "realised",
        "income alpha",
        "income",
    ];
    let mut table = numbers_table(&header, &[0, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
    for one in &facts.positions {
        table.add_row([
            one.netuid.to_string(),
            one.name.clone(),
            short(one.hotkey),
            tokens(one.alpha_rao),
            format!("{:.4}", one.subnet_share * 100.0),
            format!("{:.6}", one.price),
            plain(one.value_rao),
            plain(one.cost_basis_rao),
            tao(one.unrealised_rao),
            tao(one.realised_rao),
            tokens(one.income_alpha_rao),
            plain(one.income_rao),
        ]);
    }
    table.to_string()
}

fn income_table(facts: &AccountFacts) -> Option<String> {
    let names = Source::ALL.map(Source::name);
    let header = [&["netuid", "hotkey"][..], &names].concat();
    let mut table = numbers_table(&header, &[0, 2, 3, 4, 5, 6, 7]);
    let with_income = facts.positions.iter().filter(|one| one.income_rao != Rao::ZERO);
    for one in with_income {
        let of = |name: &&str| one.income.get(*name).map_or(Rao::ZERO, |part| part.value_rao);
        let row = [one.netuid.to_string(), short(one.hotkey)];
        table.add_row(row.into_iter().chain(names.iter().map(|name| plain(of(name)))));
    }
    (!table.is_empty()).then(|| table.to_string())
}

fn yield_table(facts: &AccountFacts) -> String {
    let header = ["netuid", "subnet", "held", "earned", "APR %", "APY %", "price %"];
    let mut table = numbers_table(&header, &[0, 2, 3, 4, 5, 6]);
    for one in &facts.subnets {
        table.add_row([
            one.netuid.to_string(),
            one.name.clone(),
            plain(one.returns.average_value_rao),
            plain(one.returns.window_earned_rao),
            percent(one.returns.apr_simple),
            percent(one.returns.apy_compounded),
            percent(one.price_return),
        ]);
    }
    table.to_string()
}

fn claimable_table(facts: &AccountFacts) -> Option<String> {
    let mut table = numbers_table(&["netuid", "hotkey", "alpha", "value"], &[0, 2, 3]);
    for one in &facts.root_claimable {
        let (alpha, worth) = (tokens(one.alpha_rao), plain(one.value_rao));
        table.add_row([one.netuid.to_string(), short(one.hotkey), alpha, worth]);
    }
    (!table.is_empty()).then(|| table.to_string())
}

fn exit_table(facts: &AccountFacts) -> Option<String> {
    let header =
        ["netuid", "size", "alpha", "proceeds", "price", "slippage %", "fee alpha", "refused for"];
    let mut table = numbers_table(&header, &[0, 1, 2, 3, 4, 5, 6]);
    for subnet in &facts.subnets {
        for exit in &subnet.exits {
            table.add_row([
                subnet.netuid.to_string(),
                exit.size.clone(),
                tokens(exit.alpha_rao),
                plain(exit.proceeds_rao),
                exit.price.map_or_else(|| "-".to_owned(), |price| format!("{price:.6}")),
                percent(exit.slippage),
                tokens(exit.fee_alpha_rao),
                exit.refusal.unwrap_or_default().to_owned(),
            ]);
        }
    }
    (!table.is_empty()).then(|| table.to_string())
}

fn totals_text(totals: &AccountTotals) -> String {
    let returns = &totals.returns;
    let lines = [
        ("value", plain(totals.value_rao)),
        ("cost", plain(totals.cost_basis_rao)),
        ("unrealised", tao(totals.unrealised_rao)),
        ("realised", tao(totals.realised_rao)),
        ("income", plain(totals.income_rao)),
        ("claimable", plain(totals.claimable_value_rao)),
        ("fees", plain(totals.transaction_fees_rao)),
        ("leaving all", plain(totals.exit_proceeds_rao)),
    ];
    let mut text = String::from("\nall of it, in TAO\n");
    for (name, amount) in lines {
        writeln!(text, "{name:<12}{amount:>20}").expect("a text takes every line");
    }
    let (apr, apy) = (percent(returns.apr_simple), percent(returns.apy_compounded));
    let slippage = percent(totals.exit_slippage);
    writeln!(text, "APR {apr} %, APY {apy} %, slippage of leaving all {slippage} %")
        .expect("a text takes every line");
    text
}
